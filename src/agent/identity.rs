//! The agent's key and what it once learnt from a join token, kept in a folder where the operator gives one.
//!
//! Without a folder the key lives and dies with the process, and each start needs the token: right for a container, whose identity is
//! its own and short.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::proto::Secret;
use crate::proto::ca::PinnedCa;
use crate::ssh::{KeyError, PrivateKey, new_key};

/// The folder of an agent's state, which no other agent uses meanwhile.
#[derive(Debug)]
pub(super) struct StateFolder {
    path: PathBuf,
    /// Keeps other agents out for as long as this lives.
    _lock: File,
}

/// What a join token tells beside its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownBroker {
    /// Its URL.
    pub(super) url: String,
    /// The fingerprint of the pinned authorities.
    pub(super) ca: String,
    /// Its private TLS root, if it has one.
    pub(super) tls_root: Option<String>,
    /// Where the statements of those authorities have led since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) followed: Option<PinnedCa>,
}

/// Where an agent keeps whom it trusts, in its state folder.
#[derive(Debug)]
pub struct Notebook {
    folder: StateFolder,
    broker: KnownBroker,
}

impl Notebook {
    /// The notes about `broker` in `folder`, which is ours for as long as they live.
    pub(super) fn new(folder: StateFolder, broker: KnownBroker) -> Self {
        Self { folder, broker }
    }

    /// Keeps that `followed` is trusted now.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn note(&self, followed: &PinnedCa) -> Result<(), StateError> {
        self.folder.remember(&KnownBroker { followed: Some(followed.clone()), ..self.broker.clone() })
    }
}

impl KnownBroker {
    /// The same with whom the agent has come to trust since, by what it has kept: only if it began with the same authorities of the
    /// same broker. Whoever gives it others has decided anew.
    #[must_use]
    pub(super) fn with_kept(self, kept: Option<Self>) -> Self {
        let followed = kept.filter(|kept| kept.url == self.url && kept.ca == self.ca).and_then(|kept| kept.followed);
        Self { followed, ..self }
    }
}

/// What is wrong with a state folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum StateError {
    /// Others can read or write it.
    #[error("{0} is open to others: `chmod go= {0}`, and let it belong to the agent's user")]
    Loose(String),
    /// It is somebody else's.
    #[error("the agent keeps its key in {0}, which is not this user's to write: name another folder with --state DIR")]
    Forbidden(String),
    /// Another agent of this machine has it.
    #[error("another agent uses {0}: give this one a folder of its own with --state DIR")]
    InUse(String),
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file in it is damaged.
    #[error("{0} cannot be read as what it should be: remove it and join again")]
    Damaged(String),
    /// The machine gives no key.
    #[error("no key can be made: {0}")]
    Key(#[from] KeyError),
}

impl StateFolder {
    /// Opens the folder, or makes it with 0700.
    ///
    /// # Errors
    /// [`StateError`]: others may enter it, or another agent is in it.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let shown = || path.display().to_string();
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => StateError::Forbidden(shown()),
            _ => StateError::Io { path: shown(), source },
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let lock = File::open(path).map_err(failed)?;
        close(path, &lock).map_err(failed)?;
        check(path, &lock.metadata().map_err(failed)?)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(Errno::WOULDBLOCK) => Err(StateError::InUse(shown())),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// The key, made at the first start.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn key(&self) -> Result<PrivateKey, StateError> {
        if let Some(text) = self.read(KEY)? {
            let damaged = || StateError::Damaged(self.path.join(KEY).display().to_string());
            return PrivateKey::from_openssh(text.expose().as_bytes()).map_err(|_| damaged());
        }
        let key = new_key()?;
        let text = key.to_openssh(LineEnding::LF).map_err(|_| KeyError)?;
        self.write(KEY, text.as_bytes())?;
        Ok(key)
    }

    /// The broker that an earlier token named.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn broker(&self) -> Result<Option<KnownBroker>, StateError> {
        let Some(text) = self.read(BROKER)? else { return Ok(None) };
        let damaged = |_| StateError::Damaged(self.path.join(BROKER).display().to_string());
        serde_json::from_str(text.expose()).map(Some).map_err(damaged)
    }

    /// Remembers the broker for starts without a token.
    ///
    /// # Errors
    /// [`StateError`].
    pub(super) fn remember(&self, broker: &KnownBroker) -> Result<(), StateError> {
        // Texts and a number always serialise.
        self.write(BROKER, serde_json::to_string(broker).unwrap_or_default().as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<Secret<String>>, StateError> {
        let path = self.path.join(name);
        let failed = |source| StateError::Io { path: path.display().to_string(), source };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        check(&path, &file.metadata().map_err(failed)?)?;
        let mut text = String::new();
        file.take(LIMIT).read_to_string(&mut text).map_err(failed)?;
        Ok(Some(Secret::new(text)))
    }

    /// Whole or not at all: a new file, synchronised, takes the old one's name.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        let (path, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let written = || -> io::Result<()> {
            let _ = std::fs::remove_file(&new);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(&self.path)?.sync_all()
        };
        written().map_err(|source| StateError::Io { path: path.display().to_string(), source })
    }
}

/// A new volume is this user's and open to all. As long as nothing is in it, nothing can have been read or put there, so it is closed.
fn close(path: &Path, folder: &File) -> io::Result<()> {
    let empty = || Ok::<_, io::Error>(std::fs::read_dir(path)?.next().is_none());
    if folder.metadata()?.uid() == rustix::process::geteuid().as_raw() && empty()? {
        let open = rustix::fs::fstat(folder)?.st_mode;
        fchmod(folder, Mode::RWXU)?;
        // Somebody was quicker: what is here is not trusted.
        if !empty()? {
            fchmod(folder, Mode::from_raw_mode(open))?;
        }
    }
    Ok(())
}

fn check(path: &Path, metadata: &std::fs::Metadata) -> Result<(), StateError> {
    if metadata.mode() & 0o077 != 0 || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(StateError::Loose(path.display().to_string()));
    }
    Ok(())
}

const KEY: &str = "agent_key";
const BROKER: &str = "broker.json";

/// The most bytes of a file here: a key has four hundred.
const LIMIT: u64 = 16 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Opens a folder that was closed a moment ago: a child that another test starts just then has its lock, too, until it becomes
    /// its program.
    pub(in crate::agent) fn reopened(path: &Path) -> StateFolder {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            match StateFolder::open(path) {
                Err(StateError::InUse(_)) if std::time::Instant::now() < deadline => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                opened => return opened.unwrap(),
            }
        }
    }

    #[test]
    fn the_key_stays_the_same_in_a_file_of_its_owners() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let first = StateFolder::open(&path).unwrap().key().unwrap();
        let again = reopened(&path).key().unwrap();
        assert_eq!(first.public_key(), again.public_key());
        assert_eq!(path.join(KEY).metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn two_agents_never_share_a_key() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let first = StateFolder::open(&path).unwrap();
        assert!(matches!(StateFolder::open(&path), Err(StateError::InUse(_))));
        drop(first);
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let folder = StateFolder::open(&path).unwrap();
        folder.key().unwrap();
        std::fs::set_permissions(path.join(KEY), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(folder.key(), Err(StateError::Loose(_))));
        drop(folder);
        drop(reopened(&path));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(StateFolder::open(&path), Err(StateError::Loose(_))));
        // A new volume: there is nothing in it to be read.
        std::fs::remove_file(path.join(KEY)).unwrap();
        reopened(&path);
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_file_is_said_and_never_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(&parent.path().join("state")).unwrap();
        folder.write(KEY, b"hello").unwrap();
        assert!(matches!(folder.key(), Err(StateError::Damaged(_))));
        assert_eq!(folder.broker().unwrap(), None);
        let broker = KnownBroker { url: "https://b".into(), ca: "SHA256:0".into(), tls_root: None, followed: None };
        folder.remember(&broker).unwrap();
        assert_eq!(folder.broker().unwrap(), Some(broker));
    }
}
