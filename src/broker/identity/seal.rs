//! What is kept at rest and must be read again: ChaCha20-Poly1305, each use with a name of its own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::proto::Secret;

/// `bytes`, sealed for the use that `label` names. Empty when that is impossible, which opens as nothing.
pub(super) fn seal(key: &Secret<[u8; 32]>, label: &[u8], mut bytes: Vec<u8>) -> String {
    let nonce: [u8; NONCE_LEN] = rand::random();
    let sealed = cipher(key).and_then(|cipher| {
        cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(label), &mut bytes).ok()?;
        Some(bytes)
    });
    sealed.map(|sealed| URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())).unwrap_or_default()
}

/// What was sealed with the same key for the same use.
pub(super) fn open(key: &Secret<[u8; 32]>, label: &[u8], sealed: &str) -> Option<Vec<u8>> {
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    Some(cipher(key)?.open_in_place(nonce, Aad::from(label), sealed).ok()?.to_vec())
}

fn cipher(key: &Secret<[u8; 32]>) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.expose()).ok().map(LessSafeKey::new)
}
