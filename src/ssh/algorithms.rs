//! Which algorithms the two ends offer: Ed25519 keys, the ML-KEM hybrid first, authenticated ciphers only, no compression.

use std::borrow::Cow;

use russh::keys::ssh_key::Algorithm;
use russh::{Preferred, cipher, compression, kex};

/// What our client and our agent offer, best first.
///
/// AES-GCM costs a quarter of ChaCha20's time where the processor has AES instructions, and several times as much where it has
/// not; the client's order decides.
pub fn preferred() -> Preferred {
    const FAST_AES: &[cipher::Name] = &[cipher::AES_128_GCM, cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];
    const NO_AES: &[cipher::Name] = &[cipher::CHACHA20_POLY1305, cipher::AES_128_GCM, cipher::AES_256_GCM];
    Preferred {
        kex: Cow::Borrowed(KEX),
        key: Cow::Borrowed(&[Algorithm::Ed25519]),
        host_key_certificates: Cow::Borrowed(&[Algorithm::Ed25519]),
        cipher: Cow::Borrowed(if processor_has_aes() { FAST_AES } else { NO_AES }),
        compression: Cow::Borrowed(&[compression::NONE]),
        ..Preferred::default()
    }
}

/// The plain curves stay for stock clients that have no ML-KEM yet. The last four are not algorithms: they announce RFC 8308
/// extensions and the strict key exchange that closes the Terrapin attack (CVE-2023-48795).
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn processor_has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

#[cfg(target_arch = "aarch64")]
fn processor_has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn processor_has_aes() -> bool {
    false
}
