//! The key that vouches for the journal: Ed25519, of its own, made at the first start; and the public keys that a reader believes.
//!
//! What is signed is a short text whose first line says what it is, so that a signature for one thing is never one for another.
//! Anybody can write that text down and check it: the signature is plain Ed25519 over its bytes.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use russh::keys::ssh_key::{HashAlg, LineEnding};

use crate::broker::state_folder::{StateFolderError, write_whole};
use crate::ssh::{PrivateKey, PublicKey, new_key, public_key, public_line};

/// The private half, in the broker alone.
pub struct Signer {
    pair: Ed25519KeyPair,
    id: String,
    line: String,
}

/// Why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The file or its folder.
    #[error("the audit key {} cannot be used: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is open to others.
    #[error("the audit key {0} is open to others: run `chmod 600 {0}`; if anybody may have read it, move it away, and a new one is made", path.display())]
    Permissions {
        /// Which.
        path: PathBuf,
    },
    /// The file is no Ed25519 key.
    #[error("the audit key {} is not an unencrypted Ed25519 key in OpenSSH's form: put the right one there, or move it away, and a new one is made", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
    },
    /// It could not be written.
    #[error(transparent)]
    Folder(#[from] StateFolderError),
}

impl Signer {
    /// Opens the key in `dir`, or makes it where there is none.
    ///
    /// # Errors
    /// [`KeyFault`]: a key that others could have read, or that cannot be read, is not used.
    pub fn open(dir: &Path) -> Result<Self, KeyFault> {
        let path = dir.join(KEY);
        match Self::read(&path) {
            Err(KeyFault::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let error = |error| KeyFault::Io { path: path.clone(), source: io::Error::other(error) };
                let key = new_key().map_err(error)?;
                let text = key.to_openssh(LineEnding::LF).map_err(|_| KeyFault::Malformed { path: path.clone() })?;
                write_whole(&path, 0o600, text.as_bytes())?;
                Self::read(&path)
            }
            opened => opened,
        }
    }

    /// Opens the key that is in `dir`, for a reader who must not make one.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn existing(dir: &Path) -> Result<Self, KeyFault> {
        Self::read(&dir.join(KEY))
    }

    fn read(path: &Path) -> Result<Self, KeyFault> {
        let error = |source| KeyFault::Io { path: path.to_path_buf(), source };
        let malformed = || KeyFault::Malformed { path: path.to_path_buf() };
        let mut options = OpenOptions::new();
        let mut file = options.read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(path).map_err(error)?;
        if file.metadata().map_err(error)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyFault::Permissions { path: path.to_path_buf() });
        }
        let mut text = zeroize::Zeroizing::new(String::new());
        (&mut file).take(FILE_LIMIT).read_to_string(&mut text).map_err(error)?;
        let key = PrivateKey::from_openssh(text.as_str()).ok().filter(|key| !key.is_encrypted()).ok_or_else(malformed)?;
        let pair = key.key_data().ed25519().ok_or_else(malformed)?;
        let seed = zeroize::Zeroizing::new(pair.private.to_bytes());
        let line = public_line(key.public_key()).map_err(|_| malformed())?;
        // With the public half beside it, a damaged file is refused instead of making signatures that nobody can check.
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed.as_slice(), &pair.public.0).map_err(|_| malformed())?;
        Ok(Self { pair, id: key_id(key.public_key()), line })
    }

    /// What the key is called: `SHA256:…`, the fingerprint that `ssh-keygen -l` shows.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half as an OpenSSH line, which readers are given.
    pub fn public_line(&self) -> &str {
        &self.line
    }

    /// The signature of `message`, 64 bytes in base64.
    pub(super) fn sign(&self, message: &str) -> String {
        STANDARD.encode(self.pair.sign(message.as_bytes()))
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The public keys that a reader believes, by their ids.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<(String, [u8; 32])>);

/// Why a signature counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Distrust {
    /// By none of the keys.
    UnknownKey,
    /// Not that key's, or not over this.
    BadSignature,
}

/// The text holds no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a public key: a line like `ssh-ed25519 AAAA…` is expected, as `ztbroker audit key` prints it")]
pub struct InvalidKeys;

impl Keys {
    /// Those in `text`, an OpenSSH line each; empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`InvalidKeys`] for any other line, and where there is none.
    pub fn parse(text: &str) -> Result<Self, InvalidKeys> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines.map(|line| {
            let key = public_key(line).map_err(|_| InvalidKeys)?;
            let bytes = key.key_data().ed25519().ok_or(InvalidKeys)?.0;
            Ok((key_id(&key), bytes))
        });
        let keys: Vec<_> = keys.collect::<Result<_, InvalidKeys>>()?;
        if keys.is_empty() { Err(InvalidKeys) } else { Ok(Self(keys)) }
    }

    /// Whether `signature` is that of the key `id` over `message`.
    pub(super) fn check(&self, id: &str, message: &str, signature: &str) -> Result<(), Distrust> {
        let (_, key) = self.0.iter().find(|(known, _)| known == id).ok_or(Distrust::UnknownKey)?;
        let signature = STANDARD.decode(signature).map_err(|_| Distrust::BadSignature)?;
        UnparsedPublicKey::new(&ED25519, key).verify(message.as_bytes(), &signature).map_err(|_| Distrust::BadSignature)
    }
}

fn key_id(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// The key's file, beside the journal.
pub(crate) const KEY: &str = "checkpoint_key";

/// The most bytes of a key file; an Ed25519 key has some 400.
const FILE_LIMIT: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Signer::open(dir.path()).unwrap();
        assert_eq!(Signer::open(dir.path()).unwrap().id(), first.id());
        let path = dir.path().join(KEY);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Signer::open(dir.path()).unwrap_err().to_string().contains("chmod 600"));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Signer::existing(dir.path()), Err(KeyFault::Io { .. })), "a reader makes none");
        std::fs::write(&path, "hello").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Signer::open(dir.path()), Err(KeyFault::Malformed { .. })));
    }

    #[test]
    fn a_signature_is_one_keys_over_one_text() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, two) = (Signer::open(one.path()).unwrap(), Signer::open(two.path()).unwrap());
        let keys = Keys::parse(&format!("# ours\n\n{}  a comment\n", one.public_line())).unwrap();
        let signature = one.sign("text");
        assert_eq!(keys.check(one.id(), "text", &signature), Ok(()));
        assert_eq!(keys.check(one.id(), "texT", &signature), Err(Distrust::BadSignature));
        assert_eq!(keys.check(one.id(), "text", &two.sign("text")), Err(Distrust::BadSignature));
        assert_eq!(keys.check(one.id(), "text", "?"), Err(Distrust::BadSignature));
        assert_eq!(keys.check(two.id(), "text", &two.sign("text")), Err(Distrust::UnknownKey));
        assert!(!format!("{one:?}").contains("seed"));
    }

    #[test]
    fn other_text_is_no_key() {
        for text in ["", "# none\n", "ssh-rsa AAAA", "hello"] {
            assert_eq!(Keys::parse(text).unwrap_err(), InvalidKeys, "{text}");
        }
    }
}
