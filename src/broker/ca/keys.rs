//! The files of the CA keys: Ed25519 in OpenSSH's form, 0600, made whole or not at all and never over another.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use russh::keys::ssh_key::{HashAlg, LineEnding};
use rustix::fs::{FlockOperation, flock};

use super::CaError;
use crate::proto::SessionId;
use crate::ssh::{PrivateKey, new_key, public_line};

/// Whom a key vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    User,
    Host,
}

/// A key and what is known of it.
pub(super) struct Key {
    /// Its file's name in the folder.
    pub(super) file: String,
    /// Since when it is an authority, in seconds since 1970.
    pub(super) since: u64,
    /// The public half, as it is pinned.
    pub(super) line: String,
    pub(super) private: PrivateKey,
}

impl Role {
    /// The first key's file, and the beginning of the names of all others.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::User => "user_ca",
            Self::Host => "host_ca",
        }
    }
}

impl Key {
    /// A new key, in memory.
    pub(super) fn new(file: String, since: u64) -> Result<Self, CaError> {
        let private = new_key().map_err(|_| CaError::Signing)?;
        let line = public_line(private.public_key()).map_err(|_| CaError::Signing)?;
        Ok(Self { file, since, line, private })
    }

    /// Reads the key in `file`. Without `since` the file's own time counts.
    pub(super) fn read(dir: &Path, file: &str, since: Option<u64>) -> Result<Self, CaError> {
        let path = dir.join(file);
        let (text, modified) = read_private(&path)?;
        let key = PrivateKey::from_openssh(text.as_str()).ok();
        let private = key.filter(|key| !key.is_encrypted() && key.key_data().ed25519().is_some());
        let private = private.ok_or(CaError::Malformed { path })?;
        let line = public_line(private.public_key()).map_err(|_| CaError::Signing)?;
        Ok(Self { file: file.to_owned(), since: since.unwrap_or(modified), line, private })
    }

    /// Writes it beside its place and links it there.
    pub(super) fn write(&self, dir: &Path) -> Result<(), CaError> {
        let path = dir.join(&self.file);
        let written = || {
            let text = self.private.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
            let temporary = dir.join(format!("{TEMPORARY}{}", SessionId::random()));
            let written = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)
                .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
                .and_then(|()| std::fs::hard_link(&temporary, &path));
            std::fs::remove_file(&temporary)?;
            written.and_then(|()| File::open(dir)?.sync_all())
        };
        written().map_err(|source| CaError::Io { path: path.clone(), source })
    }

    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub(super) fn fingerprint(&self) -> String {
        self.private.public_key().fingerprint(HashAlg::Sha256).to_string()
    }
}

/// A file that is ours alone, and when it was written.
///
/// # Errors
/// [`CaError`]: what others could have read is not used.
pub(super) fn read_private(path: &Path) -> Result<(zeroize::Zeroizing<String>, u64), CaError> {
    let error = |source| CaError::Io { path: path.to_path_buf(), source };
    let mut options = OpenOptions::new();
    let mut file = options.read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(path).map_err(error)?;
    let found = file.metadata().map_err(error)?;
    if found.permissions().mode() & 0o077 != 0 || found.uid() != rustix::process::geteuid().as_raw() || !found.is_file() {
        return Err(CaError::Permissions { path: path.to_path_buf() });
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    (&mut file).take(FILE_LIMIT).read_to_string(&mut text).map_err(error)?;
    Ok((text, u64::try_from(found.mtime()).unwrap_or(0)))
}

/// Takes the folder, which brokers may share, for as long as the file lives.
pub(super) fn lock(dir: &Path) -> Result<File, CaError> {
    let error = |source| CaError::Io { path: dir.to_path_buf(), source };
    let folder = File::open(dir).map_err(error)?;
    flock(&folder, FlockOperation::LockExclusive).map_err(|errno| error(errno.into()))?;
    Ok(folder)
}

/// Removes the keys that are none of `kept`: those of a rotation that did not come to its end, and those that one has ended.
pub(super) fn sweep(dir: &Path, kept: &[&str]) -> Result<(), CaError> {
    let swept = || -> io::Result<()> {
        for entry in std::fs::read_dir(dir)? {
            let name = entry?.file_name();
            if name.to_str().is_some_and(|name| is_ours(name) && !kept.contains(&name)) {
                std::fs::remove_file(dir.join(name))?;
            }
        }
        File::open(dir)?.sync_all()
    };
    swept().map_err(|source| CaError::Io { path: dir.to_path_buf(), source })
}

/// Whether a file of this name is one that is written here: an operator's own copies are not.
fn is_ours(name: &str) -> bool {
    let numbered = |rest: &str| rest.is_empty() || rest.strip_prefix('.').is_some_and(|digits| digits.parse::<u64>().is_ok());
    let key = |role: Role| name.strip_prefix(role.file()).is_some_and(numbered);
    key(Role::User) || key(Role::Host) || name.starts_with(TEMPORARY)
}

const TEMPORARY: &str = ".new-";

/// The most bytes of a file: an Ed25519 key has some 400, a manifest with all its statements some 50 000.
const FILE_LIMIT: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_written_here_is_ever_removed() {
        for name in ["user_ca", "host_ca", "user_ca.12", ".new-00"] {
            assert!(is_ours(name), "{name}");
        }
        for name in ["user_ca.bak", "user_ca.pub", "user_ca.1.old", "authorities.json", "user_ca.", "other"] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
