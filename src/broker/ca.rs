//! The two certificate authorities: one vouches for users, the other for hosts, neither can do the other's work.
//!
//! They sign for a [`Grant`] and for nothing else. The keys are Ed25519, made at the first start, in 0600 files of the state
//! folder; in memory they are cleared when they are dropped.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;

use super::policy::Grant;
use crate::proto::SessionId;
use crate::proto::ca::CaSet;
use crate::proto::name::Target;
use crate::ssh::cert::host::HostCertificate;
use crate::ssh::cert::user::{UserCertificate, new_serial};
use crate::ssh::cert::{LIFETIME, MAX_LIFETIME};
use crate::ssh::{PrivateKey, PublicKey, new_key, public_line};

/// The CA keys. Its `Debug` shows only the public halves.
pub struct Authority {
    user: PrivateKey,
    host: PrivateKey,
    set: CaSet,
    lifetime: u64,
}

/// What a certificate will be called, drawn before it exists so that it can be written down first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial(u64);

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The file or its folder.
    #[error("the CA key {} cannot be used: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is open to others, or another user's.
    #[error("the CA key {path} is open to others or not yours: run `chmod 600 {path}`, and make new keys if anybody may have read it", path = path.display())]
    Permissions {
        /// Which.
        path: PathBuf,
    },
    /// The file is no Ed25519 key.
    #[error("the CA key {} is not an unencrypted Ed25519 key in OpenSSH's form", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
    },
    /// Both roles have the same key.
    #[error("the two CA keys are the same: one that vouches for users must not vouch for hosts")]
    SameKey,
    /// A certificate could not be made.
    #[error("the certificate could not be signed")]
    Signing,
}

impl Authority {
    /// Opens the keys in `dir`, making folder and keys where there are none.
    ///
    /// # Errors
    /// [`CaError`]: keys that others could have read, or that cannot be read, are not used.
    pub fn open(dir: &Path) -> Result<Self, CaError> {
        let error = |source| CaError::Io { path: dir.to_path_buf(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(error)?;
        let (user, host) = (open_key(dir, "user_ca")?, open_key(dir, "host_ca")?);
        let line = |key: &PrivateKey| public_line(key.public_key()).map_err(|_| CaError::Signing);
        let set = CaSet { user: vec![line(&user)?], host: vec![line(&host)?] };
        if set.user == set.host {
            return Err(CaError::SameKey);
        }
        Ok(Self { user, host, set, lifetime: LIFETIME })
    }

    /// The same with certificates that open the door for `seconds`, at most [`MAX_LIFETIME`].
    pub fn with_lifetime(self, seconds: u64) -> Self {
        Self { lifetime: seconds.clamp(1, MAX_LIFETIME), ..self }
    }

    /// How many seconds a certificate opens the door for.
    pub fn lifetime(&self) -> u64 {
        self.lifetime
    }

    /// What clients and agents pin.
    pub fn set(&self) -> &CaSet {
        &self.set
    }

    /// A new serial for a user certificate.
    pub fn draw_serial(&self) -> Serial {
        Serial(new_serial())
    }

    /// The certificate with which `key` opens what `grant` allows, as an OpenSSH line.
    ///
    /// # Errors
    /// [`CaError::Signing`].
    pub fn sign_user(
        &self,
        grant: &Grant,
        session: SessionId,
        serial: Serial,
        key: &PublicKey,
        now: u64,
    ) -> Result<String, CaError> {
        let certificate = user_certificate(grant, session);
        certificate
            .to_builder_with_serial(serial.0, key, now, self.lifetime)
            .and_then(|builder| builder.sign(&self.user))
            .and_then(|certificate| certificate.to_openssh())
            .map_err(|_| CaError::Signing)
    }

    /// The certificate with which the agent's `key` speaks for the container of `grant`, as an OpenSSH line.
    ///
    /// # Errors
    /// [`CaError::Signing`].
    pub fn sign_host(&self, grant: &Grant, as_typed: &Target, key: &PublicKey, now: u64) -> Result<String, CaError> {
        HostCertificate { container: grant.container(), as_typed: as_typed.clone() }
            .to_builder(key, now, self.lifetime)
            .and_then(|builder| builder.sign(&self.host))
            .and_then(|certificate| certificate.to_openssh())
            .map_err(|_| CaError::Signing)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("set", &self.set).finish_non_exhaustive()
    }
}

impl Serial {
    /// The number.
    pub fn number(&self) -> u64 {
        self.0
    }
}

/// The key id of the certificate that [`Authority::sign_user`] makes.
pub fn key_id(grant: &Grant, session: SessionId) -> String {
    user_certificate(grant, session).key_id()
}

fn user_certificate(grant: &Grant, session: SessionId) -> UserCertificate {
    UserCertificate {
        user: grant.user().to_owned(),
        session,
        login: grant.login().clone(),
        container: grant.container(),
        actions: grant.actions().clone(),
        force_command: grant.command().map(str::to_owned),
        deadline: grant.deadline(),
        record: grant.record(),
        env: grant.env().clone(),
        idle: grant.idle(),
    }
}

fn open_key(dir: &Path, name: &str) -> Result<PrivateKey, CaError> {
    let path = dir.join(name);
    let error = |source| CaError::Io { path: path.clone(), source };
    let mut file = match open_existing(&path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            make_key(dir, &path).map_err(error)?;
            open_existing(&path).map_err(error)?
        }
        opened => opened.map_err(error)?,
    };
    let found = file.metadata().map_err(error)?;
    if found.permissions().mode() & 0o077 != 0 || found.uid() != rustix::process::geteuid().as_raw() || !found.is_file() {
        return Err(CaError::Permissions { path });
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    (&mut file).take(KEY_LIMIT).read_to_string(&mut text).map_err(error)?;
    let key = PrivateKey::from_openssh(text.as_str()).ok();
    key.filter(|key| !key.is_encrypted() && key.key_data().ed25519().is_some()).ok_or(CaError::Malformed { path })
}

fn open_existing(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32).open(path)
}

/// Writes a new key beside `path` and links it there: whole or not at all, and never over another.
fn make_key(dir: &Path, path: &Path) -> io::Result<()> {
    let key = new_key().map_err(io::Error::other)?;
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let temporary = dir.join(format!(".new-{}", SessionId::random()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::hard_link(&temporary, path));
    std::fs::remove_file(&temporary)?;
    written.and_then(|()| File::open(dir)?.sync_all())
}

/// The most bytes of a key file; an Ed25519 key has some 400.
const KEY_LIMIT: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::policy;
    use crate::ssh::{Authorities, Certificate};

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn keys_are_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let set = Authority::open(&dir.path().join("ca")).unwrap().set().clone();
        assert_eq!(Authority::open(&dir.path().join("ca")).unwrap().set(), &set);
        let path = dir.path().join("ca/user_ca");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path().join("ca")).unwrap().count(), 2, "nothing else is left");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Authority::open(&dir.path().join("ca")), Err(CaError::Permissions { .. })));
    }

    #[test]
    fn other_files_are_no_keys() {
        let dir = tempfile::tempdir().unwrap();
        Authority::open(dir.path()).unwrap();
        std::fs::copy(dir.path().join("user_ca"), dir.path().join("host_ca")).unwrap();
        assert!(matches!(Authority::open(dir.path()), Err(CaError::SameKey)));
        std::fs::write(dir.path().join("user_ca"), "hello").unwrap();
        assert!(matches!(Authority::open(dir.path()), Err(CaError::Malformed { .. })));
        std::fs::remove_file(dir.path().join("user_ca")).unwrap();
        std::os::unix::fs::symlink("host_ca", dir.path().join("user_ca")).unwrap();
        assert!(matches!(Authority::open(dir.path()), Err(CaError::Io { .. })));
    }

    #[test]
    fn certificates_say_what_the_grant_says_and_check() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::open(dir.path()).unwrap();
        let (container, grant) = policy::example_grant(NOW);
        let (client, agent, session) = (new_key().unwrap(), new_key().unwrap(), SessionId::random());
        let serial = authority.draw_serial();
        let line = authority.sign_user(&grant, session, serial.clone(), client.public_key(), NOW).unwrap();
        let certificate = Certificate::from_openssh(&line).unwrap();
        assert_eq!((certificate.serial(), certificate.key_id()), (serial.number(), key_id(&grant, session).as_str()));
        let users = Authorities::of_users(authority.set()).unwrap();
        let said = UserCertificate::check(&certificate, &users, "default", container, NOW).unwrap();
        assert_eq!(said, user_certificate(&grant, session));
        let as_typed: Target = "tomcat-7f9".parse().unwrap();
        let line = authority.sign_host(&grant, &as_typed, agent.public_key(), NOW).unwrap();
        let hosts = Authorities::of_hosts(authority.set()).unwrap();
        let host = HostCertificate { container, as_typed };
        host.check(&Certificate::from_openssh(&line).unwrap(), &hosts, NOW).unwrap();
        assert!(host.check(&Certificate::from_openssh(&line).unwrap(), &users, NOW).is_err());
    }
}
