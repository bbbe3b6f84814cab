//! What our tokens look like: a prefix that says the kind (secret scanners find it, logs show it), and 256 bits.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::proto::Secret;

/// A fresh token of the kind that `prefix` says.
pub(crate) fn random(prefix: &str) -> Secret<String> {
    let bits = Secret::new(rand::random::<[u8; 32]>());
    Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bits.expose())))
}

/// What the database keeps of a token. It has 256 bits of randomness, so that a fast hash is enough.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// What `key` makes of `parts`, for the use that `label` names; the same every time.
pub(crate) fn derive(key: &Secret<[u8; 32]>, label: &str, parts: &[&str]) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else { return String::new() };
    for part in [label].iter().chain(parts) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// The refresh token that follows `old`: whoever has no `old` cannot compute it, whoever asks twice gets the same.
pub(crate) fn successor(key: &Secret<[u8; 32]>, old: &str) -> Secret<String> {
    Secret::new(format!("{REFRESH}{}", derive(key, "refresh token", &[old])))
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(crate) fn equal(left: &str, right: &str) -> bool {
    let differences = left.bytes().zip(right.bytes()).fold(0, |differences, (left, right)| differences | (left ^ right));
    left.len() == right.len() && std::hint::black_box(differences) == 0
}

/// Access tokens.
pub(crate) const ACCESS: &str = "zta_";

/// Refresh tokens.
pub(crate) const REFRESH: &str = "ztr_";

/// User tokens, which an operator makes.
pub(crate) const USER: &str = "ztu_";

/// The most characters of a token that we look at.
pub(crate) const LIMIT: usize = 256;
