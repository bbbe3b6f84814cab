//! A provider's refresh token at rest: ChaCha20-Poly1305 under a key that needs the client's secret, which is not in the database.

use serde::{Deserialize, Serialize};

use crate::broker::identity::seal;
use crate::proto::Secret;

/// What is kept of a person's provider.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The `sub` of the ID token that the login began with.
    pub(super) subject: String,
    /// The refresh token.
    pub(super) token: Secret<String>,
}

/// Both, sealed. Empty when that is impossible, which opens as nothing.
pub(super) fn seal(key: &Secret<[u8; 32]>, subject: &str, token: &str) -> String {
    let kept = Kept { subject: subject.to_owned(), token: Secret::new(token.to_owned()) };
    serde_json::to_vec(&kept).map(|bytes| seal::seal(key, USE, bytes)).unwrap_or_default()
}

/// What was sealed with the same key.
pub(super) fn open(key: &Secret<[u8; 32]>, sealed: &str) -> Option<Kept> {
    serde_json::from_slice(&seal::open(key, USE, sealed)?).ok()
}

const USE: &[u8] = b"ztctl upstream refresh token 1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_it() {
        let (key, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let sealed = seal(&key, "sub", "secret");
        let kept = open(&key, &sealed).unwrap();
        assert_eq!((kept.subject.as_str(), kept.token.expose().as_str()), ("sub", "secret"));
        assert!(!sealed.contains("secret") && seal(&key, "sub", "secret") != sealed);
        assert!(open(&other, &sealed).is_none() && open(&key, "").is_none() && open(&key, &sealed[1..]).is_none());
    }
}
