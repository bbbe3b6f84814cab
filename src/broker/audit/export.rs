//! Handing out a part of the journal: a signed first line that says which events follow, then these, byte for byte.
//!
//! The hash of the last event stands for all before it, so that whoever has the public key needs nothing else to verify them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::chain::{Line, Lines, Tip};
use super::checkpoint::Statement;
use super::{Journal, JournalError, query};

/// An export under way: it reads the journal at the speed of whoever takes it.
#[derive(Debug)]
pub struct Export {
    path: Arc<Path>,
    head: Option<Vec<u8>>,
    at: u64,
    end: u64,
}

/// Where the events of a range are.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    first: u64,
    last: Tip,
    start: u64,
    end: u64,
}

impl Journal {
    /// The events not before `since` and before `until`, in seconds since 1970; `None` where there are none. A clock that was set
    /// back between them takes those along that it put outside.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Closed`].
    pub async fn export(&self, since: Option<u64>, until: Option<u64>, now: u64) -> Result<Option<Export>, JournalError> {
        let (path, durable) = (Arc::clone(&self.path), self.durable().length);
        let found = tokio::task::spawn_blocking(move || find(&path, durable, since, until)).await;
        let found = found.map_err(|_| JournalError::Closed)?.map_err(|source| self.unreadable(source))?;
        let Some(Range { first, last, start, end }) = found else { return Ok(None) };
        let statement = Statement {
            export: 1,
            first,
            last: last.seq,
            chain: last.hash,
            since,
            until,
            time: now,
            key: String::new(),
            signature: String::new(),
        };
        let head = serde_json::to_vec(&statement.signed(self.signer()));
        let mut head = head.map_err(|error| self.unreadable(io::Error::other(error)))?;
        head.push(b'\n');
        Ok(Some(Export { path: Arc::clone(&self.path), head: Some(head), at: start, end }))
    }

    fn unreadable(&self, source: io::Error) -> JournalError {
        JournalError::Io { path: self.path.to_path_buf(), source }
    }
}

impl Export {
    /// The next lines, as they are to be written; `None` at the end.
    ///
    /// # Errors
    /// [`JournalError::Io`], [`JournalError::Closed`].
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, JournalError> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        if self.at >= self.end {
            return Ok(None);
        }
        let (path, at, end) = (Arc::clone(&self.path), self.at, self.end);
        let lines = tokio::task::spawn_blocking(move || query::raw_lines(&path, at, end, u64::MAX)).await;
        let lines = lines
            .map_err(|_| JournalError::Closed)?
            .map_err(|source| JournalError::Io { path: self.path.to_path_buf(), source })?;
        self.at += lines.len() as u64;
        Ok(Some(lines))
    }
}

/// Looks for the first and the last event of the range.
fn find(path: &Path, durable: u64, since: Option<u64>, until: Option<u64>) -> io::Result<Option<Range>> {
    let mut lines = Lines::new(query::durable_part(path, durable)?);
    let (mut found, mut at): (Option<Range>, u64) = (None, 0);
    while let Some(line) = lines.next()? {
        let next = at + line.len() as u64;
        let (Line::Whole(link) | Line::Changed(link)) = Line::read(line.strip_suffix(b"\n").unwrap_or(line)) else {
            let why = "it has a line that cannot be read: `ztbroker audit verify` says which";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        };
        let last = || Tip { seq: link.seq, hash: link.hash.clone() };
        if until.is_none_or(|until| link.time < until) {
            match &mut found {
                Some(range) => (range.last, range.end) = (last(), next),
                None if since.is_some_and(|since| link.time < since) => {}
                None => found = Some(Range { first: link.seq, last: last(), start: at, end: next }),
            }
        }
        at = next;
    }
    Ok(found)
}
