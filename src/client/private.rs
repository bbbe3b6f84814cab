//! Files and folders that are their owner's alone: 0600 in 0700, replaced as a whole or not at all, never through a link.
//!
//! What is found is checked before it is believed: a secret that others may read, or a setting that others may change, is refused.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// Why a private file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It belongs to another user.
    #[error("{} belongs to another user", path.display())]
    ForeignOwner {
        /// The file or folder.
        path: PathBuf,
    },
    /// Others may read or write it.
    #[error("{} is open to other users (mode {mode:04o})", path.display())]
    Loose {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a link, a device or the like, where a plain file belongs.
    #[error("{} is not a plain file", path.display())]
    NotPlain {
        /// What stands there.
        path: PathBuf,
    },
    /// More than such a file ever holds.
    #[error("{} is too long", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Another process held the lock all the time.
    #[error("another ztctl holds {} for more than {} seconds", path.display(), LOCK_WAIT.as_secs())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
}

/// What a file is to us, and so what others may not do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Others may not read it.
    Secret,
    /// Others may read it, but not change it: it says whom we trust.
    Trusted,
}

impl FileError {
    /// Whether there is no room left to write.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

/// What `path` holds, at most `limit` bytes; `None` when there is no such file. Refused when it is a link, or not ours.
///
/// # Errors
/// [`FileError`].
pub fn read(path: &Path, guard: Guard, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
    let io = |source| FileError::Io { action: "read", path: path.to_owned(), source };
    let file = match system::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if system::is_link(&error) => return Err(FileError::NotPlain { path: path.to_owned() }),
        Err(error) => return Err(io(error)),
    };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(FileError::NotPlain { path: path.to_owned() });
    }
    system::check_owner(path, guard, &metadata)?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(io)?;
    if content.len() as u64 > limit { Err(FileError::TooLong { path: path.to_owned() }) } else { Ok(Some(content)) }
}

/// Makes `content` what `path` holds: written beside it, flushed to the disk, then renamed over it, so that a full disk or a
/// power cut leaves what was there. A link at `path` is replaced, not followed.
///
/// # Errors
/// [`FileError`].
pub fn write(path: &Path, guard: Guard, content: &[u8]) -> Result<(), FileError> {
    beside(path, guard, content, |temporary| fs::rename(temporary, path))?;
    // Without this a power cut could undo the rename; the content is whole either way.
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Whether `path` could be written now, with a page of content. For what is done only once: an answer that nobody could keep is better
/// not asked for.
///
/// # Errors
/// [`FileError`].
pub fn try_write(path: &Path, guard: Guard) -> Result<(), FileError> {
    beside(path, guard, &[0; 4096], |temporary| fs::remove_file(temporary))
}

/// Makes a file of `content` in the folder of `path`, and then does with it what `then` does; in case of failure it is removed.
fn beside(path: &Path, guard: Guard, content: &[u8], then: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), FileError> {
    let folder = folder_of(path);
    make_folder(folder, guard)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}", rand::random::<u64>()));
    let temporary = folder.join(name);
    let io = |source| FileError::Io { action: "write", path: path.to_owned(), source };
    let written = (|| {
        let mut file = create_new(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        then(&temporary)
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        io(error)
    })
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// A new file that is its owner's alone, empty and open for writing. What stands there already is never opened, link or file.
///
/// # Errors
/// What the system says.
pub fn create_new(path: &Path) -> io::Result<File> {
    system::create_new(path)
}

/// Removes the file, if there is one.
///
/// # Errors
/// [`FileError::Io`].
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FileError::Io { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Makes the folder, 0700, and those above it; refused when it is another's or others may do there what `guard` forbids.
///
/// # Errors
/// [`FileError`].
pub fn make_folder(path: &Path, guard: Guard) -> Result<(), FileError> {
    let io = |source| FileError::Io { action: "create", path: path.to_owned(), source };
    system::make_folder(path).map_err(io)?;
    system::check_owner(path, guard, &fs::metadata(path).map_err(io)?)
}

/// Waits for the lock at `path` and holds it until the file is dropped or the process ends, however it ends.
///
/// # Errors
/// [`FileError::Locked`] after [`LOCK_WAIT`], and what making the file can fail with.
pub async fn lock(path: &Path) -> Result<File, FileError> {
    make_folder(folder_of(path), Guard::Trusted)?;
    let io = |source| FileError::Io { action: "lock", path: path.to_owned(), source };
    let file = system::open_lock(path).map_err(io)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if started.elapsed() > LOCK_WAIT => {
                return Err(FileError::Locked { path: path.to_owned() });
            }
            Err(fs::TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
            Err(fs::TryLockError::Error(error)) => return Err(io(error)),
        }
    }
}

/// How long to wait for another process's lock: it does at most one exchange with the broker, tried twice, under it.
pub const LOCK_WAIT: Duration = Duration::from_secs(45);

/// How often to look; an exchange with a near broker takes some milliseconds.
const LOCK_POLL: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_written_is_private_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours/secret.json");
        write(&path, Guard::Secret, b"one").unwrap();
        write(&path, Guard::Secret, b"two").unwrap();
        assert_eq!(read(&path, Guard::Secret, 10).unwrap().unwrap(), b"two");
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
        try_write(&path, Guard::Secret).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a try leaves nothing");
        assert!(matches!(read(&path, Guard::Secret, 2), Err(FileError::TooLong { .. })));
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert!(read(&path, Guard::Secret, 10).unwrap().is_none());
    }

    #[test]
    fn a_link_is_neither_read_nor_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (target, path) = (folder.path().join("target"), folder.path().join("link"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&target, "theirs").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(matches!(read(&path, Guard::Secret, 10), Err(FileError::NotPlain { .. })));
        write(&path, Guard::Secret, b"ours").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"theirs");
        assert_eq!(read(&path, Guard::Secret, 10).unwrap().unwrap(), b"ours");
    }

    #[test]
    fn what_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours/secret.json");
        write(&path, Guard::Secret, b"one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path, Guard::Secret, 10), Err(FileError::Loose { mode: 0o640, .. })));
        assert!(read(&path, Guard::Trusted, 10).is_ok(), "reading it is harmless");
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(write(&path, Guard::Secret, b"two"), Err(FileError::Loose { mode: 0o755, .. })));
    }

    #[tokio::test]
    async fn a_lock_is_held_by_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours/lock");
        let held = lock(&path).await.unwrap();
        assert!(tokio::time::timeout(LOCK_POLL * 3, lock(&path)).await.is_err());
        drop(held);
        lock(&path).await.unwrap();
    }
}
