//! What is done with the audit journal: the `[audit]` table of the file.

use serde::Deserialize;

use super::ConfigError;
use super::file::Seconds;
use crate::broker::audit::Pace;

/// How the journal is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// How often it gets a checkpoint.
    pub pace: Pace,
}

/// The `[audit]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditTable {
    checkpoint_events: Option<u64>,
    checkpoint_interval: Option<Seconds>,
}

impl AuditTable {
    /// Fills in the defaults and refuses what would be a trap.
    pub(super) fn resolve(self) -> Result<Audit, ConfigError> {
        let default = Pace::default();
        let pace = Pace {
            events: self.checkpoint_events.unwrap_or(default.events),
            seconds: self.checkpoint_interval.map_or(default.seconds, |interval| interval.0.as_secs()),
        };
        if pace.events == 0 || pace.seconds == 0 {
            let sentence = "[audit] checkpoint_events and checkpoint_interval must be at least 1 and 1s";
            return Err(ConfigError::Unfit(sentence.to_owned()));
        }
        Ok(Audit { pace })
    }
}
