//! SSH as ztctl speaks it: which algorithms, what its certificates are, how they are checked.
//!
//! russh checks a certificate's own signature and little else (not the authority, the principals, the type, the critical
//! options): everything that makes a certificate worth something is in [`cert`].

pub mod algorithms;
pub mod cert;
pub mod proof;
pub mod statement;

pub use russh::keys::ssh_key::{Certificate, PrivateKey, PublicKey};

use russh::keys::ssh_key::{Algorithm, Fingerprint, HashAlg};

use crate::proto::ca::CaSet;

/// The reason code with which an agent leaves a session whose container has stopped; every other end on purpose is
/// [`russh::Disconnect::ByApplication`].
pub const CONTAINER_ENDED: russh::Disconnect = russh::Disconnect::ServiceNotAvailable;

/// How a client of ours names itself (RFC 4253 §4.2), before its version.
pub const CLIENT: &str = "SSH-2.0-ztctl_";

/// A new Ed25519 key from the operating system's randomness.
///
/// # Errors
/// Only when the machine has no randomness to give.
pub fn new_key() -> Result<PrivateKey, KeyError> {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(|_| KeyError)
}

/// A public key from its OpenSSH line, Ed25519 only, the comment dropped.
///
/// # Errors
/// [`KeyError`] for anything else.
pub fn public_key(line: &str) -> Result<PublicKey, KeyError> {
    let key = PublicKey::from_openssh(line).map_err(|_| KeyError)?;
    if key.algorithm() == Algorithm::Ed25519 { Ok(PublicKey::new(key.key_data().clone(), "")) } else { Err(KeyError) }
}

/// `key` as an OpenSSH line without a comment: the one form in which keys are compared, stored and sent.
///
/// # Errors
/// [`KeyError`] for a key that cannot be written, which an Ed25519 key always can.
pub fn public_line(key: &PublicKey) -> Result<String, KeyError> {
    PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(|_| KeyError)
}

/// The text is not an Ed25519 key in OpenSSH's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in OpenSSH's form")]
pub struct KeyError;

/// A set of certificate authorities of one role, by fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(Vec<Fingerprint>);

impl Authorities {
    /// Those that vouch for users.
    ///
    /// # Errors
    /// [`KeyError`] when a line is not a key or there is none.
    pub fn of_users(set: &CaSet) -> Result<Self, KeyError> {
        Self::of(&set.user)
    }

    /// Those that vouch for hosts.
    ///
    /// # Errors
    /// [`KeyError`] when a line is not a key or there is none.
    pub fn of_hosts(set: &CaSet) -> Result<Self, KeyError> {
        Self::of(&set.host)
    }

    fn of(lines: &[String]) -> Result<Self, KeyError> {
        let keys: Vec<Fingerprint> =
            lines.iter().map(|line| Ok(public_key(line)?.fingerprint(HashAlg::Sha256))).collect::<Result<_, KeyError>>()?;
        if keys.is_empty() { Err(KeyError) } else { Ok(Self(keys)) }
    }

    fn fingerprints(&self) -> &[Fingerprint] {
        &self.0
    }
}
