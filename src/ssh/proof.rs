//! An agent's proof that it holds its key: an SSHSIG over the broker's nonce.

use russh::keys::ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

use crate::proto::agent::{Kind, SIGNATURE_NAMESPACE, signed_bytes};

/// The signature is not this key's, or not over these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not prove the key")]
pub struct NotProved;

/// The SSHSIG in PEM with which `key` answers `nonce` on a connection of `kind`.
///
/// # Errors
/// [`NotProved`] for a key that cannot sign, which an Ed25519 key always can.
pub fn sign(key: &PrivateKey, kind: Kind, nonce: &str) -> Result<String, NotProved> {
    key.sign(SIGNATURE_NAMESPACE, HashAlg::Sha512, &signed_bytes(kind, nonce))
        .and_then(|signature| signature.to_pem(LineEnding::LF))
        .map_err(|_| NotProved)
}

/// Whether `signature` is that of `key` over `nonce` for a connection of `kind`.
///
/// # Errors
/// [`NotProved`] in every other case, unreadable text included.
pub fn verify(key: &PublicKey, kind: Kind, nonce: &str, signature: &str) -> Result<(), NotProved> {
    let signature = SshSig::from_pem(signature).map_err(|_| NotProved)?;
    key.verify(SIGNATURE_NAMESPACE, &signed_bytes(kind, nonce), &signature).map_err(|_| NotProved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::new_key;

    #[test]
    fn a_proof_is_for_one_key_one_nonce_and_one_kind() {
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        let signature = sign(&key, Kind::Control, "n1").unwrap();
        assert_eq!(verify(key.public_key(), Kind::Control, "n1", &signature), Ok(()));
        assert_eq!(verify(key.public_key(), Kind::Control, "n2", &signature), Err(NotProved));
        assert_eq!(verify(key.public_key(), Kind::Data, "n1", &signature), Err(NotProved));
        assert_eq!(verify(other.public_key(), Kind::Control, "n1", &signature), Err(NotProved));
        assert_eq!(verify(key.public_key(), Kind::Control, "n1", "garbage"), Err(NotProved));
    }
}
