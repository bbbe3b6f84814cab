//! The CA set: the public keys that clients and agents pin.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The broker's certificate authorities as OpenSSH public key lines (`ssh-ed25519 AAAA…`), sorted, at least one of each.
///
/// Two authorities, so that a key which vouches for users can never vouch for hosts. More than one line each only while a
/// rotation is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaSet {
    /// Sign user certificates: agents trust these.
    pub user: Vec<String>,
    /// Sign host certificates: clients trust these.
    pub host: Vec<String>,
}

impl CaSet {
    /// SHA-256 over the whole set, as `SHA256:` and 64 hexadecimal digits: what a join token carries.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (role, keys) in [("user", &self.user), ("host", &self.host)] {
            for key in keys {
                hash.update(role);
                hash.update([b' ']);
                hash.update(key);
                hash.update([b'\n']);
            }
        }
        hash.finalize().iter().fold("SHA256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }
}
