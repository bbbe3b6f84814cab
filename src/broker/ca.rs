//! The two certificate authorities: one vouches for users, the other for hosts, neither can do the other's work.
//!
//! They sign for a [`Grant`] and for nothing else, each time with the newest key that the other side is known to trust. The keys are
//! Ed25519, made at the first start, in 0600 files of the state folder; in memory they are cleared when they are dropped. How one set
//! of them follows another is in [`rotation`].

mod keys;
mod manifest;
pub mod rotation;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::policy::Grant;
use super::state_folder::StateFolderError;
use crate::proto::SessionId;
use crate::proto::ca::{CaOffer, CaSet, Chain};
use crate::proto::name::Target;
use crate::ssh::cert::host::HostCertificate;
use crate::ssh::cert::user::{UserCertificate, new_serial};
use crate::ssh::cert::{LIFETIME, MAX_LIFETIME};
use crate::ssh::statement::NotFollowed;
use crate::ssh::{PrivateKey, PublicKey};

use keys::{Key, Role};
use manifest::Ring;

/// The CA keys. Its `Debug` shows only the public halves.
pub struct Authority {
    dir: PathBuf,
    ring: RwLock<Arc<Ring>>,
    /// Held by whoever changes the keys, or reads them again.
    turning: tokio::sync::Mutex<()>,
    lifetime: u64,
}

/// What a certificate will be called, drawn before it exists so that it can be written down first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial(u64);

/// One key, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// `user` or `host`: whom it vouches for.
    pub role: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    /// The public half as an OpenSSH line.
    pub public_key: String,
    /// Since when it is an authority, in seconds since 1970.
    pub since: u64,
    /// When it leaves, in seconds since 1970, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

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
    /// What tells which keys are authorities cannot be read, or says otherwise than the keys.
    #[error("{} does not fit the CA keys beside it: put the whole folder back from a copy", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// Both roles have the same key.
    #[error("the two CA keys are the same: one that vouches for users must not vouch for hosts")]
    SameKey,
    /// A certificate could not be made.
    #[error("the certificate could not be signed")]
    Signing,
    /// Nobody would follow the change.
    #[error("the keys in use cannot vouch for new ones: {0}")]
    Statement(#[from] NotFollowed),
    /// A file could not be written.
    #[error(transparent)]
    Folder(#[from] StateFolderError),
}

impl Authority {
    /// Opens the keys in `dir`, making folder and keys where there are none, and removes what an unfinished rotation left.
    ///
    /// # Errors
    /// [`CaError`]: keys that others could have read, or that cannot be read, are not used.
    pub fn open(dir: &Path) -> Result<Self, CaError> {
        let error = |source| CaError::Io { path: dir.to_path_buf(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(error)?;
        let _alone = keys::lock(dir)?;
        let ring = match Ring::read(dir)? {
            Some(ring) => ring,
            None => first_ring(dir)?,
        };
        keys::sweep(dir, &ring.files())?;
        let (ring, turning) = (RwLock::new(Arc::new(ring)), tokio::sync::Mutex::default());
        Ok(Self { dir: dir.to_path_buf(), ring, turning, lifetime: LIFETIME })
    }

    /// Whether there are keys in `dir`, for users and for hosts.
    ///
    /// # Errors
    /// [`CaError`], where there is something else.
    pub(super) fn is_in(dir: &Path) -> Result<bool, CaError> {
        let first = |role: Role| dir.join(role.file()).symlink_metadata().is_ok();
        Ok([Role::User, Role::Host].into_iter().all(first) || Ring::read(dir)?.is_some())
    }

    /// The same with certificates that open the door for `seconds`, at most [`MAX_LIFETIME`].
    pub fn with_lifetime(self, seconds: u64) -> Self {
        Self { lifetime: seconds.clamp(1, MAX_LIFETIME), ..self }
    }

    /// How many seconds a certificate opens the door for.
    pub fn lifetime(&self) -> u64 {
        self.lifetime
    }

    /// The set of today.
    pub fn set(&self) -> CaSet {
        self.ring().chain.newest().set
    }

    /// The number of the last statement; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.ring().chain.sequence()
    }

    /// The set for those who know no statements: while a rotation is under way the one before it. Join tokens carry its fingerprint,
    /// from which everybody else follows.
    pub fn plain_set(&self) -> CaSet {
        plain(&self.ring()).clone()
    }

    /// What clients are offered.
    pub fn offer(&self) -> CaOffer {
        let ring = self.ring();
        let chain = (!ring.chain.statements.is_empty()).then(|| ring.chain.clone());
        CaOffer { plain: plain(&ring).clone(), chain }
    }

    /// What leads from the set with this fingerprint to that of today; the whole chain where the set is unknown.
    pub fn chain_from(&self, fingerprint: &str) -> Chain {
        let ring = self.ring();
        ring.chain.from(fingerprint).unwrap_or_else(|| ring.chain.clone())
    }

    /// The set of today or of before with this fingerprint.
    pub fn set_of(&self, fingerprint: &str) -> Option<CaSet> {
        self.ring().chain.set_of(fingerprint).cloned()
    }

    /// The host authorities of a client that has followed to the statement `sequence`, or that knows none.
    pub fn hosts_of(&self, sequence: Option<u64>) -> Vec<String> {
        let ring = self.ring();
        let Some(sequence) = sequence else { return plain(&ring).host.clone() };
        let reached = ring.chain.sets().take_while(|(number, _)| *number <= sequence).last();
        reached.map(|(_, set)| set.host.clone()).unwrap_or_default()
    }

    /// The keys, those for users first, the newest last.
    pub fn keys(&self) -> Vec<KeyRow> {
        let ring = self.ring();
        let rows = |role: &str, keys: &[Arc<Key>]| {
            let rows = keys.iter().enumerate().map(|(index, key)| KeyRow {
                role: role.to_owned(),
                fingerprint: key.fingerprint(),
                public_key: key.line.clone(),
                since: key.since,
                until: ring.until.filter(|_| index + 1 < keys.len()),
            });
            rows.collect::<Vec<_>>()
        };
        [rows("user", &ring.user), rows("host", &ring.host)].concat()
    }

    /// When the rotation that is under way ends, in seconds since 1970.
    pub fn until(&self) -> Option<u64> {
        self.ring().until
    }

    /// A new serial for a user certificate.
    pub fn draw_serial(&self) -> Serial {
        Serial(new_serial())
    }

    /// The certificate with which `key` opens what `grant` allows, as an OpenSSH line, by the newest of the `trusted` user authorities.
    ///
    /// # Errors
    /// [`CaError::Signing`], also where none of the keys is trusted.
    pub fn sign_user(
        &self,
        grant: &Grant,
        session: SessionId,
        serial: Serial,
        key: &PublicKey,
        now: u64,
        trusted: &[String],
    ) -> Result<String, CaError> {
        let ring = self.ring();
        let authority = newest_of(&ring.user, trusted).ok_or(CaError::Signing)?;
        let certificate = user_certificate(grant, session);
        certificate
            .to_builder_with_serial(serial.0, key, now, self.lifetime)
            .and_then(|builder| builder.sign(authority))
            .and_then(|certificate| certificate.to_openssh())
            .map_err(|_| CaError::Signing)
    }

    /// The certificate with which the agent's `key` speaks for the container of `grant`, as an OpenSSH line, by the newest of the
    /// `trusted` host authorities; where none of them is in use any more by the newest of all, to which its reader has to follow.
    ///
    /// # Errors
    /// [`CaError::Signing`].
    pub fn sign_host(
        &self,
        grant: &Grant,
        as_typed: &Target,
        key: &PublicKey,
        now: u64,
        trusted: &[String],
    ) -> Result<String, CaError> {
        let ring = self.ring();
        let newest = ring.host.last().map(|key| &key.private);
        let authority = newest_of(&ring.host, trusted).or(newest).ok_or(CaError::Signing)?;
        HostCertificate { container: grant.container(), as_typed: as_typed.clone() }
            .to_builder(key, now, self.lifetime)
            .and_then(|builder| builder.sign(authority))
            .and_then(|certificate| certificate.to_openssh())
            .map_err(|_| CaError::Signing)
    }

    /// Whether one of these user authorities is in use.
    pub fn has_user_key_of(&self, trusted: &[String]) -> bool {
        newest_of(&self.ring().user, trusted).is_some()
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, ring: Ring) {
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("set", &self.set()).finish_non_exhaustive()
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
        actions: *grant.actions(),
        force_command: grant.command().map(str::to_owned),
        deadline: grant.deadline(),
        record: grant.record(),
        env: grant.env().clone(),
        idle: grant.idle(),
    }
}

/// The keys of a folder without a manifest, which are made where there are none.
fn first_ring(dir: &Path) -> Result<Ring, CaError> {
    let key = |role: Role| {
        let read = match Key::read(dir, role.file(), None) {
            Err(CaError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Key::new(role.file().to_owned(), 0)?.write(dir)?;
                Key::read(dir, role.file(), None)
            }
            read => read,
        };
        read.map(Arc::new)
    };
    let (user, host) = (vec![key(Role::User)?], vec![key(Role::Host)?]);
    let set = Ring::set_of(&user, &host);
    if set.user == set.host {
        return Err(CaError::SameKey);
    }
    Ok(Ring { user, host, until: None, chain: Chain::new(set.into()), stamp: None })
}

fn plain(ring: &Ring) -> &CaSet {
    let before = match ring.until {
        Some(_) => ring.chain.statements.len().checked_sub(2),
        None => ring.chain.statements.len().checked_sub(1),
    };
    before.and_then(|index| ring.chain.statements.get(index)).map_or(&ring.chain.base.set, |statement| &statement.set)
}

fn newest_of<'a>(keys: &'a [Arc<Key>], trusted: &[String]) -> Option<&'a PrivateKey> {
    keys.iter().rev().find(|key| trusted.contains(&key.line)).map(|key| &key.private)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::broker::policy;
    use crate::ssh::{Authorities, Certificate, new_key};

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn keys_are_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let set = Authority::open(&dir.path().join("ca")).unwrap().set();
        assert_eq!(Authority::open(&dir.path().join("ca")).unwrap().set(), set);
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
        let line =
            authority.sign_user(&grant, session, serial.clone(), client.public_key(), NOW, &authority.set().user).unwrap();
        let certificate = Certificate::from_openssh(&line).unwrap();
        assert_eq!((certificate.serial(), certificate.key_id()), (serial.number(), key_id(&grant, session).as_str()));
        let users = Authorities::of_users(&authority.set()).unwrap();
        let said = UserCertificate::check(&certificate, &users, "default", container, NOW).unwrap();
        assert_eq!(said, user_certificate(&grant, session));
        let as_typed: Target = "tomcat-7f9".parse().unwrap();
        let line = authority.sign_host(&grant, &as_typed, agent.public_key(), NOW, &[]).unwrap();
        let hosts = Authorities::of_hosts(&authority.set()).unwrap();
        let host = HostCertificate { container, as_typed };
        host.check(&Certificate::from_openssh(&line).unwrap(), &hosts, NOW).unwrap();
        assert!(host.check(&Certificate::from_openssh(&line).unwrap(), &users, NOW).is_err());
    }
}
