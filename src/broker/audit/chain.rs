//! The journal's chain: each line carries the hash of the one before and its own, so that a change shows.
//!
//! The hash is over the very bytes of the line: `{"seq":…,"prev":"…"}` as written, before `,"hash":"…"` is put in front of the
//! closing brace. Nothing has to be serialised a second time to verify it.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Event;
use crate::harmless::escaped;

/// The end of a chain: the next line goes here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The number of the last line; 0 when there is none.
    pub seq: u64,
    /// Its hash.
    pub hash: String,
}

impl Tip {
    /// The beginning: no line yet.
    pub fn genesis() -> Self {
        Self { seq: 0, hash: "0".repeat(HASH_DIGITS) }
    }

    /// Appends the line for `event` to `lines` and moves on to it. Whatever a terminal or a log viewer would act on is escaped.
    ///
    /// # Errors
    /// A sentence, for an event that makes no line or one that is too long to be read again; nothing is appended.
    pub(in crate::broker) fn push(&mut self, time: u64, event: &Event, lines: &mut Vec<u8>) -> Result<(), String> {
        let seq = self.seq + 1;
        let body = Body { seq, time, event, prev: &self.hash };
        let body = escaped(&serde_json::to_string(&body).map_err(|error| error.to_string())?);
        if body.len() + SUFFIX > LINE_LIMIT {
            return Err(format!("the event has {} bytes, more than the {LINE_LIMIT} of a line", body.len()));
        }
        let hash = digest(body.as_bytes());
        let open = body.strip_suffix('}').unwrap_or(&body);
        lines.extend_from_slice(format!("{open},\"hash\":\"{hash}\"}}\n").as_bytes());
        *self = Self { seq, hash };
        Ok(())
    }
}

/// The part of a line that makes it one of a chain.
#[derive(Debug, Deserialize)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) time: u64,
    pub(super) event: String,
    pub(super) prev: String,
    pub(super) hash: String,
}

/// What a line is by itself.
#[derive(Debug)]
pub(super) enum Line {
    /// Its content has its hash.
    Whole(Link),
    /// Its content does not.
    Changed(Link),
    /// It is not of the journal's form.
    Unreadable,
}

impl Line {
    /// Judges `line`, without its end.
    pub(super) fn read(line: &[u8]) -> Self {
        let Some(cut) = line.len().checked_sub(SUFFIX) else { return Self::Unreadable };
        let (body, suffix) = line.split_at(cut);
        let Ok(link) = serde_json::from_slice::<Link>(line) else { return Self::Unreadable };
        if suffix != format!(r#","hash":"{}"}}"#, link.hash).as_bytes() {
            return Self::Unreadable;
        }
        let mut whole = body.to_vec();
        whole.push(b'}');
        if digest(&whole) == link.hash { Self::Whole(link) } else { Self::Changed(link) }
    }
}

/// Lines of bounded length, one after the other.
#[derive(Debug)]
pub(super) struct Lines<R> {
    from: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, line: Vec::new() }
    }

    /// The next line with its end; without one at the end of the file, and of what is longer than any line the first
    /// [`LINE_LIMIT`] bytes. `None` when there is no more.
    ///
    /// # Errors
    /// The reader's.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        (&mut self.from).take(LINE_LIMIT as u64).read_until(b'\n', &mut self.line)?;
        if self.line.len() == LINE_LIMIT && self.line.last() != Some(&b'\n') {
            self.from.skip_until(b'\n')?;
        }
        Ok(if self.line.is_empty() { None } else { Some(&self.line) })
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

/// The most bytes of a line, its end included: the longest event is a command of 4 KiB and a reason of 1 KiB, six bytes for each
/// escaped, and a user's groups.
pub(super) const LINE_LIMIT: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_own_witness() {
        let (mut tip, mut lines) = (Tip::genesis(), Vec::new());
        tip.push(7, &Event::Logout { user: "a \"quoted\"\n\u{1b}[31m\u{9b}\u{202e} name".into() }, &mut lines).unwrap();
        assert_eq!(lines.pop(), Some(b'\n'));
        let text = String::from_utf8(lines).unwrap();
        assert!(!text.chars().any(|letter| letter.is_control() || letter == '\u{202e}'), "nothing breaks a line: {text}");
        let Line::Whole(link) = Line::read(text.as_bytes()) else { panic!("{text}") };
        assert_eq!((link.seq, link.time, link.event.as_str(), &link.hash), (1, 7, "logout", &tip.hash));
        assert!(matches!(Line::read(text.replace("name", "Name").as_bytes()), Line::Changed(_)));
        assert!(matches!(Line::read(text.replace("\"hash\"", "\"hasH\"").as_bytes()), Line::Unreadable));
        assert!(matches!(Line::read(b"{}"), Line::Unreadable));
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let (mut tip, mut lines) = (Tip::genesis(), Vec::new());
        let refused = tip.push(7, &Event::Logout { user: "x".repeat(LINE_LIMIT) }, &mut lines).unwrap_err();
        assert!(refused.contains("more than"), "{refused}");
        assert_eq!((tip, lines.len()), (Tip::genesis(), 0));
    }

    #[test]
    fn lines_are_bounded() {
        let text = [b"one\n".as_slice(), &vec![b'x'; LINE_LIMIT + 5], b"\ntwo\nhalf"].concat();
        let mut lines = Lines::new(text.as_slice());
        let mut lengths = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [4, LINE_LIMIT, 4, 4]);
    }
}
