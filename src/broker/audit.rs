//! The audit journal: what happened, durable before it has consequences, chained so that a change shows.
//!
//! One file, `journal.jsonl`, only ever appended to, by one thread. [`Journal::append`] returns when the event is on disk; many that
//! wait at once share one sync. Where an event cannot be written, what it announces does not begin.

mod bounds;
mod chain;
mod event;
mod query;
pub mod words;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;

pub use chain::{Broken, Tip};
pub use event::{Event, Record, SessionAuthorised};
pub use query::{Follow, Query};

/// A handle to the journal; clones share one writer.
#[derive(Debug, Clone)]
pub struct Journal {
    requests: mpsc::Sender<writer::Request>,
    path: Arc<Path>,
    /// The bytes of the file that are durable.
    durable: watch::Receiver<u64>,
}

/// Why the journal cannot be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file or its folder.
    #[error("the audit journal {} cannot be used: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is open to others.
    #[error("the audit journal {0} is open to others: run `chmod 600 {0}`", path.display())]
    Permissions {
        /// Which.
        path: PathBuf,
    },
    /// The chain does not hold.
    #[error("the audit journal {} does not verify: {broken}; keep it as evidence, move it away and start again", path.display())]
    Chain {
        /// Which.
        path: PathBuf,
        /// Where.
        broken: Broken,
    },
    /// An event could not be made durable (disk full, read-only).
    #[error("the audit journal cannot be written: {0}")]
    Write(String),
    /// The writer has ended.
    #[error("the audit journal is closed")]
    Closed,
}

impl Journal {
    /// Opens `DIR/journal.jsonl`, making both where they are missing (0700, 0600). A half line at the end, which a crash leaves,
    /// is cut off and said as an event; the end of the chain is verified.
    ///
    /// # Errors
    /// [`JournalError`]: nothing is opened that cannot be trusted.
    pub fn open(dir: &Path, clock: Clock) -> Result<Self, JournalError> {
        let path: Arc<Path> = dir.join("journal.jsonl").into();
        let opened = writer::open(dir, &path)?;
        let (requests, queue) = mpsc::channel(QUEUE);
        let (written, durable) = watch::channel(opened.length);
        let journal = Self { requests, path, durable };
        writer::start(opened, queue, written, clock)
            .map_err(|source| JournalError::Io { path: journal.path.to_path_buf(), source })?;
        Ok(journal)
    }

    /// Writes `event` down. When this returns its number the event is on disk.
    ///
    /// # Errors
    /// [`JournalError::Write`], [`JournalError::Closed`]: the event is not written, and what it announces must not begin.
    pub async fn append(&self, event: Event) -> Result<u64, JournalError> {
        let (answer, answered) = oneshot::channel();
        let request = writer::Request { event: event.bounded(), answer };
        self.requests.send(request).await.map_err(|_| JournalError::Closed)?;
        answered.await.map_err(|_| JournalError::Closed)?
    }

    /// The records that `query` asks for, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read(&self, query: Query) -> Result<Vec<Record>, JournalError> {
        let (path, durable) = (Arc::clone(&self.path), *self.durable.borrow());
        let read = tokio::task::spawn_blocking(move || query::read(&path, durable, &query).map_err(|source| (path, source)));
        read.await
            .map_err(|_| JournalError::Closed)?
            .map_err(|(path, source)| JournalError::Io { path: path.to_path_buf(), source })
    }

    /// What is written from now on.
    pub fn follow(&self) -> Follow {
        Follow::new(Arc::clone(&self.path), self.durable.clone())
    }

    /// Verifies the whole chain, from the first line to the last durable one.
    ///
    /// # Errors
    /// [`JournalError::Chain`] says where it breaks.
    pub async fn verify(&self) -> Result<Tip, JournalError> {
        let (path, durable) = (Arc::clone(&self.path), *self.durable.borrow());
        let verified = tokio::task::spawn_blocking(move || {
            let io = |source| JournalError::Io { path: path.to_path_buf(), source };
            let journal = query::durable_part(&path, durable).map_err(io)?;
            let broken = |broken| JournalError::Chain { path: path.to_path_buf(), broken };
            chain::verify(journal, false).map_err(io)?.map_err(broken)
        });
        verified.await.map_err(|_| JournalError::Closed)?
    }
}

/// How many events may wait for the writer; when they do, appending waits, which is what a slow disk must cause.
const QUEUE: usize = 1024;
