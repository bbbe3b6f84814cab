//! What a broker whose journal says that it has served must find again: the authorities' keys and the people's database. A share with the
//! keys that is not mounted is not taken for a first start, after which every agent would refuse the broker. Where the whole state folder
//! is another one there is no journal, and nobody can tell.

use std::fmt;
use std::path::{Path, PathBuf};

use super::audit::{self, JOURNAL};
use super::ca::{Authority, CaError};
use super::config::Config;

/// A part of the state that is made at the first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The keys of the certificate authorities.
    Ca,
    /// The database, where it is a file of ours.
    Database,
    /// The key that signs the journal's checkpoints.
    CheckpointKey,
}

/// A part is not there any more.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// It is missing.
    #[error(
        "{part} is gone from {}, and the audit journal says that this broker has served: is a file system not mounted, is there a backup? \
         Only if it is lost for good: ztbroker serve --anew {}, and {}",
        path.display(),
        part.word(),
        part.loses()
    )]
    Part {
        /// Which.
        part: Part,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Ca(#[from] CaError),
}

impl Part {
    /// What stands for it on the command line and in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ca => "ca",
            Self::Database => "database",
            Self::CheckpointKey => "checkpoint-key",
        }
    }

    fn loses(self) -> &'static str {
        match self {
            Self::Ca => "every agent has to join and everybody to log in again",
            Self::Database => "its people, tokens, locks, logins and enrolled agents are gone",
            Self::CheckpointKey => "what it has signed verifies by its public key alone",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "the key of the certificate authorities",
            Self::Database => "the database",
            Self::CheckpointKey => "the key of the audit journal",
        })
    }
}

/// The parts that will be made anew in the state folder of a broker that has served, because the operator says so. The journal's key is
/// one by being moved away, as after a theft.
///
/// # Errors
/// [`Lost`], where the operator says nothing.
pub(super) fn made_anew(config: &Config) -> Result<Vec<Part>, Lost> {
    let journal = config.state.join(audit::FOLDER).join(JOURNAL);
    if std::fs::metadata(&journal).map_or(0, |journal| journal.len()) == 0 {
        return Ok(Vec::new());
    }
    let mut missing = Vec::new();
    let ca = config.state.join("ca");
    if !Authority::is_in(&ca)? {
        missing.push((Part::Ca, ca));
    }
    if let Some(database) = config.database_file().filter(|file| !there(file)) {
        missing.push((Part::Database, database));
    }
    let unsaid = missing.iter().find(|(part, _)| !config.anew.contains(part)).cloned();
    if let Some((part, path)) = unsaid {
        return Err(Lost::Part { part, path });
    }
    let key = config.state.join(audit::FOLDER).join(audit::KEY);
    if !there(&key) {
        missing.push((Part::CheckpointKey, key));
    }
    for (part, path) in &missing {
        tracing::warn!("{part} is not in {}: it is made anew, and {}", path.display(), part.loses());
    }
    Ok(missing.into_iter().map(|(part, _)| part).collect())
}

/// What cannot be looked at is there: whoever opens it says what is wrong.
fn there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}
