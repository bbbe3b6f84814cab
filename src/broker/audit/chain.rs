//! The journal's chain: each line carries the hash of the one before and its own, so that a change shows.
//!
//! The hash is over the very bytes of the line: `{"seq":…,"prev":"…"}` as written, before `,"hash":"…"` is put in front of the
//! closing brace. Nothing has to be serialised a second time to verify it.

use std::io::{BufRead, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Event;

/// The end of a chain: the next line goes here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The number of the last line; 0 when there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A line that is not of the journal's form, or longer than any of its lines.
    #[error("the line after event {after} cannot be read")]
    Malformed {
        /// The last good event.
        after: u64,
    },
    /// A line whose content does not have its hash.
    #[error("event {seq} was changed after it was written")]
    Changed {
        /// Its number.
        seq: u64,
    },
    /// A line that does not follow the one before: some were removed, added or put in another order.
    #[error("event {seq} does not follow event {after}")]
    Order {
        /// Its number.
        seq: u64,
        /// The number of the line before it.
        after: u64,
    },
}

impl Tip {
    /// The beginning: no line yet.
    pub fn genesis() -> Self {
        Self { seq: 0, hash: "0".repeat(HASH_DIGITS) }
    }

    /// Appends the line for `event` to `lines` and moves on to it.
    pub(super) fn push(&mut self, time: u64, event: &Event, lines: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let seq = self.seq + 1;
        let start = lines.len();
        let body = Body { seq, time, event, prev: &self.hash };
        if let Err(error) = serde_json::to_writer(&mut *lines, &body) {
            lines.truncate(start);
            return Err(error);
        }
        let hash = digest(&lines[start..]);
        lines.pop();
        lines.extend_from_slice(format!(r#","hash":"{hash}"}}"#).as_bytes());
        lines.push(b'\n');
        *self = Self { seq, hash };
        Ok(())
    }

    /// Checks that `line` (without its end) follows, and moves on to it. With `trusted` the first line is believed to follow
    /// whatever came before it: for a reader that begins in the middle.
    fn follow(&mut self, line: &[u8], trusted: bool) -> Result<(), Broken> {
        let malformed = Broken::Malformed { after: self.seq };
        let cut = line.len().checked_sub(SUFFIX).ok_or(malformed.clone())?;
        let (body, suffix) = line.split_at(cut);
        let link: Link = serde_json::from_slice(line).map_err(|_| malformed.clone())?;
        if suffix != format!(r#","hash":"{}"}}"#, link.hash).as_bytes() {
            return Err(malformed);
        }
        let mut whole = body.to_vec();
        whole.push(b'}');
        if digest(&whole) != link.hash {
            return Err(Broken::Changed { seq: link.seq });
        }
        if !trusted && (link.seq != self.seq + 1 || link.prev != self.hash) {
            return Err(Broken::Order { seq: link.seq, after: self.seq });
        }
        *self = Self { seq: link.seq, hash: link.hash };
        Ok(())
    }
}

/// Verifies whole lines from `journal` and returns where the chain ends. With `from_the_middle` the first line may be any.
///
/// # Errors
/// The reader's own, or [`Broken`] inside.
pub(super) fn verify(journal: impl BufRead, from_the_middle: bool) -> std::io::Result<Result<Tip, Broken>> {
    let mut journal = journal;
    let mut tip = Tip::genesis();
    let (mut line, mut trusted) = (Vec::new(), from_the_middle);
    loop {
        line.clear();
        let read = (&mut journal).take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(Ok(tip));
        }
        if line.pop() != Some(b'\n') {
            return Ok(Err(Broken::Malformed { after: tip.seq }));
        }
        if let Err(broken) = tip.follow(&line, trusted) {
            return Ok(Err(broken));
        }
        trusted = false;
    }
}

#[derive(Serialize)]
struct Body<'a> {
    seq: u64,
    time: u64,
    #[serde(flatten)]
    event: &'a Event,
    prev: &'a str,
}

#[derive(Deserialize)]
struct Link {
    seq: u64,
    prev: String,
    hash: String,
}

fn digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(HASH_DIGITS);
    for byte in Sha256::digest(bytes) {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

const HASH_DIGITS: usize = 64;

/// `,"hash":"` + 64 digits + `"}`.
const SUFFIX: usize = 9 + HASH_DIGITS + 2;

/// The most bytes of a line: the longest event is a command of 4 KiB and a reason of 1 KiB, six bytes for each escaped, and a
/// user's groups.
pub(super) const LINE_LIMIT: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Vec<u8> {
        let (mut tip, mut lines) = (Tip::genesis(), Vec::new());
        for user in ["ada", "a \"quoted\"\n\u{1b}[31m name", "bob"] {
            tip.push(7, &Event::Logout { user: user.into() }, &mut lines).unwrap();
        }
        lines
    }

    #[test]
    fn what_is_written_verifies() {
        let lines = journal();
        let tip = verify(lines.as_slice(), false).unwrap().unwrap();
        assert_eq!(tip.seq, 3);
        assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 3, "text never breaks a line");
    }

    #[test]
    fn a_changed_removed_or_swapped_line_shows() {
        let text = String::from_utf8(journal()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let check = |lines: &[&str]| verify((lines.join("\n") + "\n").as_bytes(), false).unwrap();
        let changed = text.replace("\"bob\"", "\"eve\"");
        assert_eq!(verify(changed.as_bytes(), false).unwrap(), Err(Broken::Changed { seq: 3 }));
        assert_eq!(check(&[lines[0], lines[2]]), Err(Broken::Order { seq: 3, after: 1 }));
        assert_eq!(check(&[lines[1], lines[0]]), Err(Broken::Order { seq: 2, after: 0 }));
        assert_eq!(check(&[lines[0], "{}"]), Err(Broken::Malformed { after: 1 }));
        assert!(verify(text.trim_end().as_bytes(), false).unwrap().is_err(), "a torn line");
        let tail = lines[1..].join("\n") + "\n";
        assert_eq!(verify(tail.as_bytes(), true).unwrap().unwrap().seq, 3);
    }
}
