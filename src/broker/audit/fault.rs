//! What can be wrong with a journal or an export, and where.

use serde::Serialize;

/// One thing that is wrong. Lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// A line that is not of the journal's form, or longer than any of its lines.
    #[error("line {line}, where event {seq} belongs, cannot be read")]
    Unreadable {
        /// The line.
        line: u64,
        /// The event that belongs there.
        seq: u64,
    },
    /// A last line without its end: it was being written, or was cut.
    #[error("line {line}, where event {seq} belongs, is not whole")]
    Torn {
        /// The line.
        line: u64,
        /// The event that belongs there.
        seq: u64,
    },
    /// A line whose content does not have its hash.
    #[error("event {seq} (line {line}) was changed after it was written")]
    Changed {
        /// Its number.
        seq: u64,
        /// The line.
        line: u64,
    },
    /// Events that are not there.
    #[error("{} missing before line {line}", events(*first, *last))]
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
        /// The line before which they belong.
        line: u64,
    },
    /// An event behind one that came after it.
    #[error("event {seq} (line {line}) is out of order")]
    OutOfOrder {
        /// Its number.
        seq: u64,
        /// The line.
        line: u64,
    },
    /// An event that was there before.
    #[error("event {seq} is in line {line} once more")]
    Repeated {
        /// Its number.
        seq: u64,
        /// The line.
        line: u64,
    },
    /// An event that was written after another one than the one before it.
    #[error("event {seq} (line {line}) does not continue event {}: one of the two is not the one that was written", seq.saturating_sub(1))]
    Unlinked {
        /// Its number.
        seq: u64,
        /// The line.
        line: u64,
    },
    /// An event that is another one than what was vouched for elsewhere.
    #[error("event {seq} (line {line}) is not the one that {by} vouches for: it, or what is before it, was written anew")]
    Replaced {
        /// Its number.
        seq: u64,
        /// The line.
        line: u64,
        /// Who vouches.
        by: String,
    },
    /// The end is missing.
    #[error("the end is cut off: {by} vouches for event {expected}, the last one here is {last}")]
    Cut {
        /// The last event that is there.
        last: u64,
        /// An event that must be.
        expected: u64,
        /// Who vouches.
        by: String,
    },
    /// An event behind the end of an export.
    #[error("event {seq} (line {line}) is none of this export")]
    Surplus {
        /// Its number.
        seq: u64,
        /// The line.
        line: u64,
    },
    /// A checkpoint, or the first line of an export, that its key did not sign.
    #[error("the signature in line {line} is not that of {key}")]
    BadSignature {
        /// The line.
        line: u64,
        /// The key that it names.
        key: String,
    },
    /// A checkpoint, or the first line of an export, by a key that is none of those given.
    #[error("line {line} is signed by {key}, which is none of the keys that you trust")]
    UnknownKey {
        /// The line.
        line: u64,
        /// The key that it names.
        key: String,
    },
}

fn events(first: u64, last: u64) -> String {
    if first == last { format!("event {first} is") } else { format!("events {first} to {last} are") }
}
