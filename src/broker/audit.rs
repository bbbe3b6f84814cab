//! The audit journal: what happened, durable before it has consequences, chained so that a change shows.
//!
//! One file, `journal.jsonl`, only ever appended to, by one thread. [`Journal::append`] returns when the event is on disk; many that
//! wait at once share one sync. Where an event cannot be written, what it announces does not begin.

mod asking;
mod authorised;
mod bounds;
mod chain;
mod checkpoint;
#[cfg(test)]
mod document;
mod event;
mod export;
mod fault;
mod key;
mod query;
mod record;
mod sink;
mod verify;
pub mod words;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;

pub use asking::{BreakGlass, RequestAnswered, RequestMade, RequestRefused, RequestWithdrawn};
pub use authorised::SessionAuthorised;
pub use chain::Tip;
pub use checkpoint::{Checkpoint, NoCheckpoint, Pace, Statement};
pub use event::Event;
pub use export::Export;
pub use fault::Fault;
pub(crate) use key::KEY;
pub use key::{InvalidKeys, KeyFault, Keys, Signer};
pub use query::{Follow, Query};
pub use record::Record;
pub use sink::{SinkError, SinkRow};
pub(crate) use sink::{Sinks, Working};
pub use verify::{Inspection, Report};

/// A handle to the journal; clones share one writer.
#[derive(Debug, Clone)]
pub struct Journal {
    requests: mpsc::Sender<writer::Request>,
    path: Arc<Path>,
    durable: watch::Receiver<Durable>,
    signer: Arc<Signer>,
    /// Whether the last event was not written.
    failing: Arc<AtomicBool>,
}

/// How far the journal is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// The bytes of the file, which are whole lines.
    pub length: u64,
    /// The last of these.
    pub tip: Tip,
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
    #[error("the audit journal {} does not verify: {fault}; move {} away as evidence, and start again with a new journal", path.display(), path.parent().unwrap_or(path).display())]
    Chain {
        /// Which.
        path: PathBuf,
        /// Where.
        fault: Fault,
    },
    /// The key of its checkpoints.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// An event could not be made durable (disk full, read-only).
    #[error("the audit journal cannot be written: {0}")]
    Write(String),
    /// The writer has ended.
    #[error("the audit journal is closed")]
    Closed,
}

impl Journal {
    /// Opens `DIR/journal.jsonl`, making it, the folder and the key of its checkpoints where they are missing (0600, 0700). A half
    /// line at the end, which a crash leaves, is cut off and said as an event; the end of the chain is verified, and that it goes
    /// as far as the last checkpoint that was made here.
    ///
    /// # Errors
    /// [`JournalError`]: nothing is opened that cannot be trusted.
    pub fn open(dir: &Path, pace: Pace, clock: Clock) -> Result<Self, JournalError> {
        let path: Arc<Path> = dir.join(JOURNAL).into();
        let opened = writer::open(dir, &path)?;
        let signer = Arc::new(Signer::open(dir)?);
        let (requests, queue) = mpsc::channel(QUEUE);
        let (written, durable) = watch::channel(opened.durable.clone());
        let failing = Arc::default();
        let journal = Self { requests, path, durable, signer: Arc::clone(&signer), failing: Arc::clone(&failing) };
        let last = dir.join(LAST_CHECKPOINT);
        writer::start(opened, queue, written, writer::Signing { signer, pace, last }, failing, clock)
            .map_err(|source| JournalError::Io { path: journal.path.to_path_buf(), source })?;
        Ok(journal)
    }

    /// Writes `event` down. When this returns its number the event is on disk.
    ///
    /// # Errors
    /// [`JournalError::Write`], [`JournalError::Closed`]: the event is not written, and what it announces must not begin.
    pub async fn append(&self, event: Event) -> Result<u64, JournalError> {
        self.request(Some(event.bounded())).await
    }

    /// Makes a checkpoint, if anything was written since the last one. When this returns it is on disk.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub async fn checkpoint(&self) -> Result<(), JournalError> {
        self.request(None).await.map(drop)
    }

    async fn request(&self, event: Option<Event>) -> Result<u64, JournalError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(writer::Request { event, answer }).await.map_err(|_| JournalError::Closed)?;
        answered.await.map_err(|_| JournalError::Closed)?
    }

    /// How far it is on the disk.
    pub fn durable(&self) -> Durable {
        self.durable.borrow().clone()
    }

    /// Whether the next event can be written, as far as anybody can tell: the last one was, or there is room again.
    pub async fn is_writable(&self) -> bool {
        if !self.failing.load(Relaxed) {
            return true;
        }
        let (path, length) = (Arc::clone(&self.path), self.durable().length);
        let room = tokio::task::spawn_blocking(move || {
            let file = std::fs::OpenOptions::new().append(true).open(&path)?;
            match fallocate(&file, FallocateFlags::KEEP_SIZE, length, ROOM) {
                // A file system that cannot tell.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
                room => room.map_err(std::io::Error::from),
            }
        });
        room.await.is_ok_and(|room| room.is_ok())
    }

    /// The key that signs its checkpoints.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The records that `query` asks for, oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read(&self, query: Query) -> Result<Vec<Record>, JournalError> {
        let (path, durable) = (Arc::clone(&self.path), self.durable().length);
        let read = tokio::task::spawn_blocking(move || query::read(&path, durable, &query).map_err(|source| (path, source)));
        read.await
            .map_err(|_| JournalError::Closed)?
            .map_err(|(path, source)| JournalError::Io { path: path.to_path_buf(), source })
    }

    /// What is written from now on.
    pub fn follow(&self) -> Follow {
        Follow::new(Arc::clone(&self.path), self.durable.clone())
    }
}

/// Room for some events.
const ROOM: u64 = 64 * 1024;

/// The journal's folder, in the state folder.
pub(crate) const FOLDER: &str = "audit";

/// The journal's file, in its folder.
pub(crate) const JOURNAL: &str = "journal.jsonl";

/// The last checkpoint that was made here, beside the journal: an end that is cut off shows at the next start.
pub(crate) const LAST_CHECKPOINT: &str = "last_checkpoint.json";

/// How many events may wait for the writer; when they do, appending waits, which is what a slow disk must cause.
const QUEUE: usize = 1024;
