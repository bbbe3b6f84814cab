//! Reading the journal: a question over what is there, and following what comes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Durable, JournalError, Record};
use crate::proto::id::Beginning;

/// Which records to read; those that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Not before this time, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// About this session: the beginning of its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Beginning>,
    /// About this user: `name@idp`, or the name alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The last so many; 1000 where nothing is said, never more than 100 000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl Query {
    /// Whether `record` is asked for.
    pub fn wants(&self, record: &Record) -> bool {
        let user = |wanted: &String| {
            record.event.user().is_some_and(|user| {
                user == wanted || user.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('@'))
            })
        };
        let session = |wanted: &Beginning| record.event.session().is_some_and(|session| wanted.begins(&session.digits()));
        self.since.is_none_or(|since| record.time >= since)
            && self.session.as_ref().is_none_or(session)
            && self.user.as_ref().is_none_or(user)
    }
}

/// The first `durable` bytes of the journal, which are whole lines.
pub(super) fn durable_part(path: &Path, durable: u64) -> io::Result<impl BufRead> {
    Ok(BufReader::with_capacity(CHUNK, File::open(path)?.take(durable)))
}

/// Reads what `query` asks for, holding no more than its limit.
pub(super) fn read(path: &Path, durable: u64, query: &Query) -> io::Result<Vec<Record>> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).min(LIMIT);
    let mut found = VecDeque::new();
    for line in durable_part(path, durable)?.split(b'\n') {
        let record = parse(&line?)?;
        if limit > 0 && query.wants(&record) {
            if found.len() == limit {
                found.pop_front();
            }
            found.push_back(record);
        }
    }
    Ok(found.into())
}

/// What is appended after this was made, without gaps: it reads the file itself, at its own speed.
#[derive(Debug)]
pub struct Follow {
    path: Arc<Path>,
    durable: watch::Receiver<Durable>,
    read: u64,
}

impl Follow {
    pub(super) fn new(path: Arc<Path>, durable: watch::Receiver<Durable>) -> Self {
        let read = durable.borrow().length;
        Self { path, durable, read }
    }

    /// The next records, at least one; waits until there is one.
    ///
    /// # Errors
    /// [`JournalError::Closed`] when the journal is, [`JournalError::Io`].
    pub async fn next(&mut self) -> Result<Vec<Record>, JournalError> {
        let start = self.read;
        let durable = self.durable.wait_for(|durable| durable.length > start).await.map_err(|_| JournalError::Closed)?.length;
        let path = Arc::clone(&self.path);
        let (records, read) = tokio::task::spawn_blocking(move || read_range(&path, start, durable))
            .await
            .map_err(|_| JournalError::Closed)?
            .map_err(|source| JournalError::Io { path: self.path.to_path_buf(), source })?;
        self.read = read;
        Ok(records)
    }
}

/// The records from `start`, which begins a line, to `end` or until they are [`CHUNK`] bytes; and where the next begins.
fn read_range(path: &Path, start: u64, end: u64) -> io::Result<(Vec<Record>, u64)> {
    let lines = raw_lines(path, start, end, u64::MAX)?;
    let records = lines.split_inclusive(|byte| *byte == b'\n').map(parse).collect::<io::Result<_>>()?;
    Ok((records, start + lines.len() as u64))
}

/// The lines from `start`, which begins one, to `end`, or until they are [`CHUNK`] bytes or `most` lines.
pub(super) fn raw_lines(path: &Path, start: u64, end: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut from = BufReader::new(file.take(end.saturating_sub(start)));
    let (mut lines, mut count) = (Vec::new(), 0);
    while start + (lines.len() as u64) < end && lines.len() < CHUNK && count < most {
        if from.read_until(b'\n', &mut lines)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        count += 1;
    }
    Ok(lines)
}

fn parse(line: &[u8]) -> io::Result<Record> {
    serde_json::from_slice(line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The records that a query without a limit gives.
const DEFAULT_LIMIT: usize = 1000;

/// The most records that a query gives.
const LIMIT: usize = 100_000;

const CHUNK: usize = 256 * 1024;
