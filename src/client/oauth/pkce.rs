//! The secrets of one browser login: PKCE's verifier (RFC 7636) and `state`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::proto::Secret;

/// A verifier of 256 random bits and its S256 challenge.
#[derive(Debug)]
pub(super) struct Pkce {
    pub(super) verifier: Secret<String>,
    pub(super) challenge: String,
}

impl Pkce {
    pub(super) fn new() -> Self {
        Self::of(random())
    }

    fn of(verifier: Secret<String>) -> Self {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose()));
        Self { verifier, challenge }
    }
}

/// 256 bits that nobody can guess, as text.
pub(super) fn random() -> Secret<String> {
    let bytes: [u8; 32] = rand::random();
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(super) fn equal(left: &str, right: &str) -> bool {
    let differences = left.bytes().zip(right.bytes()).fold(0, |differences, (left, right)| differences | (left ^ right));
    left.len() == right.len() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let pkce = Pkce::of(Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned()));
        assert_eq!(pkce.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_ne!(Pkce::new().challenge, Pkce::new().challenge);
    }

    #[test]
    fn equal_is_equal() {
        assert!(equal("abc", "abc") && equal("", ""));
        assert!(!equal("abc", "abd") && !equal("abc", "ab") && !equal("", "a"));
    }
}
