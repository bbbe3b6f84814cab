//! Which keys are authorities, and how they came to be: one file beside the keys, replaced as a whole. What it names counts, and
//! nothing else in the folder does, so that a rotation is done or not done whenever the power fails.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CaError;
use super::keys::{Key, Role, read_private};
use crate::broker::state_folder::write_whole;
use crate::proto::ca::{CaSet, Chain};
use crate::ssh::statement;

/// The file. There is none before the first rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    /// The newest last.
    pub(super) user: Vec<Entry>,
    /// The newest last.
    pub(super) host: Vec<Entry>,
    /// When the older ones leave, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<u64>,
    /// How the set came about.
    pub(super) chain: Chain,
}

/// A key of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    file: String,
    since: u64,
}

/// The keys, as they are used.
pub(super) struct Ring {
    /// The newest last, at least one.
    pub(super) user: Vec<Arc<Key>>,
    /// The newest last, at least one.
    pub(super) host: Vec<Arc<Key>>,
    /// When the older ones leave, in seconds since 1970.
    pub(super) until: Option<u64>,
    pub(super) chain: Chain,
    /// Which writing of the file this is.
    pub(super) stamp: Option<Stamp>,
}

/// What tells one writing of the file from another.
pub(super) type Stamp = (u64, i64, i64);

impl Ring {
    /// The set of these keys.
    pub(super) fn set_of(user: &[Arc<Key>], host: &[Arc<Key>]) -> CaSet {
        let lines = |keys: &[Arc<Key>]| {
            let mut lines: Vec<String> = keys.iter().map(|key| key.line.clone()).collect();
            lines.sort_unstable();
            lines
        };
        CaSet { user: lines(user), host: lines(host) }
    }

    /// What the folder holds; `None` where there is no manifest.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, CaError> {
        let path = dir.join(FILE);
        let stamp = stamp(dir);
        let text = match read_private(&path) {
            Err(CaError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text?.0,
        };
        let damaged = || CaError::Damaged { path: path.clone() };
        let manifest: Manifest = serde_json::from_str(&text).map_err(|_| damaged())?;
        if manifest.version != VERSION {
            return Err(damaged());
        }
        let keys = |role: Role, entries: &[Entry]| -> Result<Vec<Arc<Key>>, CaError> {
            // A name is a name in this folder: the file is ours, but it is cheap to be sure.
            if entries.iter().any(|entry| !entry.file.starts_with(role.file()) || entry.file.contains('/')) {
                return Err(damaged());
            }
            entries.iter().map(|entry| Key::read(dir, &entry.file, Some(entry.since)).map(Arc::new)).collect()
        };
        let (user, host) = (keys(Role::User, &manifest.user)?, keys(Role::Host, &manifest.host)?);
        let chain = manifest.chain;
        let set = Self::set_of(&user, &host);
        // Nobody would follow it.
        let leads = statement::follow(&chain.base, &chain).is_ok_and(|reached| reached.set == set);
        let Some(()) = (leads && !user.is_empty() && !host.is_empty()).then_some(()) else { return Err(damaged()) };
        Ok(Some(Self { user, host, until: manifest.until, chain, stamp }))
    }

    /// Puts it in the manifest's place: from then on it counts.
    pub(super) fn write(&mut self, dir: &Path) -> Result<(), CaError> {
        let entries = |keys: &[Arc<Key>]| keys.iter().map(|key| Entry { file: key.file.clone(), since: key.since }).collect();
        let (user, host) = (entries(&self.user), entries(&self.host));
        let manifest = Manifest { version: VERSION, user, host, until: self.until, chain: self.chain.clone() };
        let text = serde_json::to_string(&manifest).map_err(|_| CaError::Signing)?;
        write_whole(&dir.join(FILE), 0o600, text.as_bytes())?;
        self.stamp = stamp(dir);
        Ok(())
    }

    /// The names of the keys' files.
    pub(super) fn files(&self) -> Vec<&str> {
        self.user.iter().chain(&self.host).map(|key| key.file.as_str()).collect()
    }
}

/// Which writing of the manifest is there now.
pub(super) fn stamp(dir: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(dir.join(FILE)).ok()?;
    Some((found.ino(), found.mtime(), found.mtime_nsec()))
}

const FILE: &str = "authorities.json";

const VERSION: u32 = 1;
