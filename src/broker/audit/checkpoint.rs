//! What the broker signs: checkpoints, which are lines of the journal like the others, and the first line of an export.
//!
//! The signed text is lines of ASCII, so that it can be made again with `printf` and checked with any Ed25519.

use serde::{Deserialize, Serialize};

use super::chain::{Line, Tip};
use super::key::{Distrust, Keys, Signer};

/// The event `checkpoint`: everything up to the event before it is as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the event before.
    pub through: u64,
    /// Its hash, which stands for all that came before it.
    pub chain: String,
    /// The key that signs, by its fingerprint: `SHA256:…`.
    pub key: String,
    /// Ed25519 over the text that `deploy/audit.md` shows, in base64.
    pub signature: String,
}

impl Checkpoint {
    /// Signs `tip` at `time`, which is the time of the line that it becomes.
    pub(in crate::broker) fn sign(signer: &Signer, tip: &Tip, time: u64) -> Self {
        let mut checkpoint =
            Self { through: tip.seq, chain: tip.hash.clone(), key: signer.id().to_owned(), signature: String::new() };
        checkpoint.signature = signer.sign(&checkpoint.message(time));
        checkpoint
    }

    /// Whether one of `keys` signed this at `time`.
    pub(super) fn check(&self, keys: &Keys, time: u64) -> Result<(), Distrust> {
        keys.check(&self.key, &self.message(time), &self.signature)
    }

    /// The last checkpoint among the lines of `text`, as the event that a journal must hold.
    ///
    /// # Errors
    /// [`NoCheckpoint`].
    pub fn last_in(text: &[u8], keys: &Keys) -> Result<Tip, NoCheckpoint> {
        let lines = text.split(|byte| *byte == b'\n').rev();
        let found = lines.filter_map(|line| match Line::read(line) {
            Line::Whole(link) if link.event == "checkpoint" => Some((serde_json::from_slice::<Self>(line).ok()?, link)),
            _ => None,
        });
        let (checkpoint, link) = found.into_iter().next().ok_or(NoCheckpoint::None)?;
        let follows = checkpoint.through.checked_add(1) == Some(link.seq) && checkpoint.chain == link.prev;
        match checkpoint.check(keys, link.time) {
            Ok(()) if follows => Ok(Tip { seq: link.seq, hash: link.hash }),
            _ => Err(NoCheckpoint::Untrusted(checkpoint.key)),
        }
    }

    /// What is signed.
    fn message(&self, time: u64) -> String {
        let Self { through, chain, key, .. } = self;
        format!("ztctl audit checkpoint v1\n{through}\n{chain}\n{time}\n{key}\n")
    }
}

/// Why a file's last checkpoint says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCheckpoint {
    /// There is none.
    #[error("there is no checkpoint: a line with \"event\":\"checkpoint\" is expected, as a sink or an export has it")]
    None,
    /// It is not signed by a key that is trusted.
    #[error("the checkpoint is not signed by a key that you trust: it says {0}")]
    Untrusted(String),
}

/// The first line of an export: which events follow, and that there are no others between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The version of the form: 1.
    pub export: u32,
    /// The number of the first event that follows.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// The hash of the last.
    pub chain: String,
    /// What was asked for: not before this time, in seconds since 1970.
    pub since: Option<u64>,
    /// What was asked for: before this time.
    pub until: Option<u64>,
    /// When it was made.
    pub time: u64,
    /// The key that signs, by its fingerprint.
    pub key: String,
    /// Ed25519 over the text that `deploy/audit.md` shows, in base64.
    #[serde(default)]
    pub signature: String,
}

impl Statement {
    /// The same with the signature of `signer`.
    pub(super) fn signed(mut self, signer: &Signer) -> Self {
        self.key = signer.id().to_owned();
        self.signature = signer.sign(&self.message());
        self
    }

    /// Whether one of `keys` signed it.
    pub(super) fn check(&self, keys: &Keys) -> Result<(), Distrust> {
        keys.check(&self.key, &self.message(), &self.signature)
    }

    fn message(&self) -> String {
        let Self { export, first, last, chain, since, until, time, key, .. } = self;
        let or_dash = |time: &Option<u64>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let (since, until) = (or_dash(since), or_dash(until));
        format!("ztctl audit export v{export}\n{first}\n{last}\n{chain}\n{since}\n{until}\n{time}\n{key}\n")
    }
}

/// When checkpoints are made, besides the one at a stop in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After so many events.
    pub events: u64,
    /// After so many seconds, where anything has happened in them.
    pub seconds: u64,
}

impl Default for Pace {
    /// A thousand events or five minutes: what may be lost by a cut tail that nobody sent on is at most so much.
    fn default() -> Self {
        Self { events: 1000, seconds: 300 }
    }
}
