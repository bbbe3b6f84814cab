//! The broker's state folder: closed to others, held by one broker at a time, written in whole files.
//!
//! A folder that others can look into is refused, never quietly repaired: what was in it may already be known.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

/// The folder, ours for as long as this lives.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    /// The lock goes with its file.
    _lock: File,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateFolderError {
    /// The system refuses.
    #[error("the state folder cannot be used: {}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path is something else.
    #[error("{} is no folder: name another with state = \"…\"", path.display())]
    NoFolder {
        /// Which.
        path: PathBuf,
    },
    /// Others can look into it.
    #[error("the state folder {0} is open to others (mode {mode:04o}): run `chmod 700 {0}`", path.display())]
    Permissions {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("the state folder {0} belongs to uid {owner}, not to us: run ztbroker as its owner, or `chown -R {own} {0}`", path.display())]
    Owner {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Another broker runs on it.
    #[error("another ztbroker runs on the state folder {}: stop it, or name another folder with state = \"…\"", path.display())]
    Taken {
        /// Which.
        path: PathBuf,
    },
}

impl StateFolder {
    /// Makes the folder where it is missing, and takes it.
    ///
    /// # Errors
    /// [`StateFolderError`].
    pub(crate) fn open(path: &Path) -> Result<Self, StateFolderError> {
        make(path)?;
        let lock_path = path.join("lock");
        let io = |source| StateFolderError::Io { path: lock_path.clone(), source };
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(&lock_path)
            .map_err(io)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { path: path.to_path_buf(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(StateFolderError::Taken { path: path.to_path_buf() }),
            Err(error) => Err(io(error.into())),
        }
    }

    /// What tells this folder's broker from others that share its database: drawn once.
    ///
    /// # Errors
    /// [`StateFolderError::Io`].
    pub(crate) fn instance(&self) -> Result<String, StateFolderError> {
        let path = self.join("instance");
        match std::fs::read_to_string(&path) {
            Ok(instance) if instance.len() == 32 => Ok(instance),
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StateFolderError::Io { path, source }),
            _ => {
                let instance = format!("{:032x}", rand::random::<u128>());
                write_whole(&path, 0o600, instance.as_bytes())?;
                Ok(instance)
            }
        }
    }

    /// A file or folder in it.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes a folder that is closed to others, or sees to it that it is one.
pub(crate) fn make(path: &Path) -> Result<(), StateFolderError> {
    let io = |source| StateFolderError::Io { path: path.to_path_buf(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).or_else(|error| match error.kind() {
        // What is there already is judged below.
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(io(error)),
    })?;
    let found = std::fs::metadata(path).map_err(io)?;
    if !found.is_dir() {
        return Err(StateFolderError::NoFolder { path: path.to_path_buf() });
    }
    let (owner, own) = (found.uid(), rustix::process::geteuid().as_raw());
    if owner != own {
        return Err(StateFolderError::Owner { path: path.to_path_buf(), owner, own });
    }
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StateFolderError::Permissions { path: path.to_path_buf(), mode });
    }
    Ok(())
}

/// Puts a whole file at `path`, or leaves what is there: written beside it, synced, renamed over it.
pub(crate) fn write_whole(path: &Path, mode: u32, content: &[u8]) -> Result<(), StateFolderError> {
    let beside = path.with_extension("new");
    let write = || {
        // Left over from a crash; nobody else writes here while we hold the lock.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // A rename is durable only once its folder is.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(|source| StateFolderError::Io { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_closed_to_others_and_an_open_one_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        drop(StateFolder::open(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(std::fs::metadata(path.join("lock")).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        let error = StateFolder::open(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }

    #[test]
    fn a_broker_stays_the_same_one() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        let first = StateFolder::open(&path).unwrap().instance().unwrap();
        assert_eq!(StateFolder::open(&path).unwrap().instance().unwrap(), first);
        std::fs::write(path.join("instance"), "half").unwrap();
        assert_ne!(StateFolder::open(&path).unwrap().instance().unwrap(), first);
    }

    #[test]
    fn two_brokers_never_share_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        let first = StateFolder::open(&path).unwrap();
        assert!(matches!(StateFolder::open(&path), Err(StateFolderError::Taken { .. })));
        drop(first);
        assert!(StateFolder::open(&path).is_ok());
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key.pem");
        std::fs::write(path.with_extension("new"), "half").unwrap();
        write_whole(&path, 0o600, b"one").unwrap();
        write_whole(&path, 0o600, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!path.with_extension("new").exists());
    }

    #[test]
    fn a_file_in_the_way_is_said() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        std::fs::write(&path, "").unwrap();
        assert!(matches!(StateFolder::open(&path), Err(StateFolderError::NoFolder { .. })));
    }
}
