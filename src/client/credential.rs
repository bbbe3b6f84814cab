//! The tokens at rest: where they can be kept, and which place was chosen at login.
//!
//! First the keyring of the desktop, then the kernel's, then a file, which is called what it is: something that can be copied.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dpop::ProofKey;
use super::http::BrokerUrl;
use super::paths::Paths;
use super::private::FileError;
use crate::proto::Secret;

mod file;
mod kernel;
mod keyring;
mod memory;

pub use file::FileStore;
pub use kernel::KernelStore;
pub use keyring::KeyringStore;
pub use memory::MemoryStore;

/// One login's tokens, and their key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Credential {
    /// What requests are sent with.
    pub access_token: Secret<String>,
    /// When it ends, in seconds since 1970 by our clock.
    pub access_expires_at: u64,
    /// What is exchanged for the next pair.
    pub refresh_token: Secret<String>,
    /// The key that both are bound to; none in what was kept before there were keys.
    #[serde(default)]
    pub key: Option<ProofKey>,
    /// Where it is exchanged, below the broker's address.
    pub token_path: String,
    /// Where it is given back.
    pub revoke_path: String,
}

/// A place for one broker's tokens.
pub trait CredentialStore: Send + Sync {
    /// What is kept, if anything.
    ///
    /// # Errors
    /// [`StoreError`].
    fn load(&self) -> Result<Option<Credential>, StoreError>;

    /// Whether something could be kept now, as far as that can be known before.
    ///
    /// # Errors
    /// [`StoreError`].
    fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Keeps `credential` instead of what was kept.
    ///
    /// # Errors
    /// [`StoreError`]; then what was kept before is still there.
    fn store(&self, credential: &Credential) -> Result<(), StoreError>;

    /// Forgets what is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    fn delete(&self) -> Result<(), StoreError>;

    /// Where it is, in words for a person.
    fn describe(&self) -> String;
}

/// The kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// The desktop's keyring: Secret Service, Keychain, Credential Manager
    Keyring,
    /// The Linux kernel's persistent keyring: gone after three days unused, or at a restart
    Kernel,
    /// A file that only you can read, and that can be copied
    File,
}

impl StoreKind {
    /// The order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Keyring, Self::Kernel, Self::File];

    /// The place of this kind. Nothing is opened yet.
    pub fn open(self, Places { broker, paths, patience }: Places<'_>) -> Box<dyn CredentialStore> {
        match self {
            Self::Keyring => Box::new(KeyringStore::new(paths.keyring_entry(broker), patience)),
            Self::Kernel => Box::new(KernelStore::new(&paths.keyring_entry(broker))),
            Self::File => Box::new(FileStore::new(paths.credential_file(broker))),
        }
    }
}

/// Where one broker's tokens can be.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// The broker.
    pub broker: &'a BrokerUrl,
    /// The client's folders.
    pub paths: &'a Paths,
    /// How long a keyring may take: one that is locked asks a person, if there is one who sees its dialogue.
    pub patience: Duration,
}

/// Keeps `credential` in the place of the kind `wanted`, or else in the first that takes it and gives it back.
///
/// # Errors
/// [`StoreError`] of the only, or the last, place tried.
pub fn keep(
    wanted: Option<StoreKind>,
    credential: &Credential,
    places: Places<'_>,
) -> Result<(StoreKind, Box<dyn CredentialStore>), StoreError> {
    let mut refused = StoreError::Unavailable("there is no place to keep tokens".to_owned());
    let kinds = wanted.as_ref().map_or(&StoreKind::ALL[..], std::slice::from_ref);
    for kind in kinds {
        let store = kind.open(places);
        if let Err(error) = store.store(credential) {
            refused = error;
            continue;
        }
        // Reading it back finds the keyrings that take what they cannot keep.
        match store.load() {
            Ok(Some(kept)) if kept.refresh_token.expose() == credential.refresh_token.expose() => return Ok((*kind, store)),
            Ok(_) => refused = StoreError::Unavailable(format!("{} did not keep the tokens", store.describe())),
            Err(error) => refused = error,
        }
        let _ = store.delete();
    }
    Err(refused)
}

/// Why tokens cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place does not exist here, or does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// It is there, and nobody has unlocked it.
    #[error("{place} is locked: {why}")]
    Locked {
        /// Which.
        place: &'static str,
        /// What it says.
        why: String,
    },
    /// What is kept is not what we keep.
    #[error("{0} holds something that ztctl did not write")]
    Malformed(String),
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The credential as the text that is kept.
fn encode(credential: &Credential) -> Result<Secret<Vec<u8>>, StoreError> {
    serde_json::to_vec(credential).map(Secret::new).map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// The credential that `text` is; `place` is for the message.
fn decode(text: &[u8], place: &str) -> Result<Credential, StoreError> {
    serde_json::from_slice(text).map_err(|_| StoreError::Malformed(place.to_owned()))
}

/// Under which name the keyrings know our entries.
const SERVICE: &str = "ztctl";

/// The most bytes of an entry: two tokens, a key and two paths.
const LIMIT: usize = 16 * 1024;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn credential(access: &str, refresh: &str, expires_at: u64) -> Credential {
        Credential {
            access_token: access.to_owned().into(),
            access_expires_at: expires_at,
            refresh_token: refresh.to_owned().into(),
            key: Some(ProofKey::random().unwrap()),
            token_path: "/oauth/token".into(),
            revoke_path: "/oauth/revoke".into(),
        }
    }

    #[test]
    fn the_wanted_place_is_the_one_that_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().join("config"), folder.path().join("state"));
        let broker = "https://broker.example.com".parse().unwrap();
        let places = Places { broker: &broker, paths: &paths, patience: Duration::ZERO };
        let (kind, store) = keep(Some(StoreKind::File), &credential("a", "r", 1), places).unwrap();
        assert_eq!(kind, StoreKind::File);
        assert_eq!(store.load().unwrap().unwrap().refresh_token.expose(), "r");
        let file = paths.credential_file(&broker);
        assert!(store.describe().contains("can be copied") && store.describe().contains(file.to_str().unwrap()));
        store.delete().unwrap();
        assert!(store.load().unwrap().is_none() && !file.exists());
    }

    #[test]
    fn debug_shows_no_token() {
        let shown = format!("{:?}", credential("acc3ss", "r3fresh", 1));
        assert!(!shown.contains("acc3ss") && !shown.contains("r3fresh"), "{shown}");
    }
}
