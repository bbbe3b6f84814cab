//! The journal's one writer: a thread that takes what is queued, writes it, syncs once, then answers everybody.
//!
//! After a failed write or sync the file is cut back to its last durable byte, so that neither half a line nor a line that was
//! reported as not written stays; the next batch tries again.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use tokio::sync::{mpsc, oneshot, watch};

use super::chain::{self, Tip};
use super::{Event, JournalError};
use crate::clock::Clock;

/// One event on its way to the disk.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) event: Event,
    pub(super) answer: oneshot::Sender<Result<u64, JournalError>>,
}

/// The journal as it was found.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    tip: Tip,
    /// The bytes that are durable and whole lines.
    pub(super) length: u64,
    /// The bytes of the half line that was cut off.
    removed: u64,
}

/// Opens the file, cuts off a torn line and verifies the end of the chain.
pub(super) fn open(dir: &Path, path: &Path) -> Result<Opened, JournalError> {
    let error = |source| JournalError::Io { path: path.to_path_buf(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(error)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)
        .map_err(error)?;
    let found = file.metadata().map_err(error)?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(JournalError::Permissions { path: path.to_path_buf() });
    }
    let length = whole_lines(&mut file, found.len()).map_err(error)?;
    let removed = found.len() - length;
    if removed > 0 {
        file.set_len(length).and_then(|()| file.sync_all()).map_err(error)?;
    }
    // A new file is durable only once its folder is.
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(error)?;
    let tip = verify_tail(&mut file, length)
        .map_err(error)?
        .map_err(|broken| JournalError::Chain { path: path.to_path_buf(), broken })?;
    file.seek(SeekFrom::Start(length)).map_err(error)?;
    Ok(Opened { file, tip, length, removed })
}

/// Starts the thread; it ends when the last handle is gone.
pub(super) fn start(
    opened: Opened,
    queue: mpsc::Receiver<Request>,
    durable: watch::Sender<u64>,
    clock: Clock,
) -> io::Result<()> {
    let Opened { file, tip, length, removed } = opened;
    let mut writer = Writer { file, tip, length, torn: false, durable, clock };
    if removed > 0 {
        writer.commit([&Event::JournalRepaired { removed_bytes: removed }].into_iter()).map_err(io::Error::other)?;
    }
    std::thread::Builder::new().name("audit-journal".into()).spawn(move || writer.run(queue))?;
    Ok(())
}

struct Writer {
    file: File,
    tip: Tip,
    length: u64,
    /// Whether bytes after `length` may be in the file.
    torn: bool,
    durable: watch::Sender<u64>,
    clock: Clock,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            let first_seq = self.tip.seq + 1;
            let committed = self.commit(batch.iter().map(|request| &request.event));
            for (seq, request) in (first_seq..).zip(batch) {
                // Nobody waits any more where the request was dropped; the event stays.
                let _ = request.answer.send(match &committed {
                    Ok(()) => Ok(seq),
                    Err(error) => Err(JournalError::Write(error.clone())),
                });
            }
        }
    }

    /// Writes and syncs all of `events`, or none.
    fn commit<'a>(&mut self, events: impl Iterator<Item = &'a Event>) -> Result<(), String> {
        let (mut tip, mut lines) = (self.tip.clone(), Vec::new());
        let now = self.clock.now();
        for event in events {
            tip.push(now, event, &mut lines).map_err(|error| error.to_string())?;
        }
        self.write(&lines).map_err(|error| error.to_string())?;
        self.length += lines.len() as u64;
        self.tip = tip;
        self.durable.send_replace(self.length);
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            self.cut_back()?;
        }
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        if written.is_err() {
            self.torn = true;
            // Where this fails too, the next write tries again before it adds anything.
            let _ = self.cut_back();
        }
        written
    }

    fn cut_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.torn = false;
        Ok(())
    }
}

/// How much of the file is whole lines.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let start = length.saturating_sub(chain::LINE_LIMIT as u64 + 1);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(length - start).read_to_end(&mut tail)?;
    Ok(match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => start + end as u64 + 1,
        // Without a line's end in so many bytes the file is not a torn journal: leave it for the verification to refuse.
        None if start > 0 => length,
        None => 0,
    })
}

/// Verifies the last [`TAIL`] bytes of `length`; a whole journal may be gigabytes, and has a command of its own.
fn verify_tail(file: &mut File, length: u64) -> io::Result<Result<Tip, chain::Broken>> {
    let start = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = BufReader::new(file.take(length - start));
    if start > 0 {
        let mut partial = Vec::new();
        io::BufRead::read_until(&mut tail, b'\n', &mut partial)?;
    }
    chain::verify(tail, start > 0)
}

/// How many events share one sync: more than ever wait at once on a healthy disk, and a bounded write.
const BATCH: usize = 256;

/// How much of the chain is verified at every start: some thousand events, a few milliseconds.
const TAIL: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_fails_the_event_and_the_next_is_written_where_the_last_good_one_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let Opened { file, tip, length, .. } = open(dir.path(), &path).unwrap();
        let (durable, seen) = watch::channel(length);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut writer = Writer { file: full, tip, length, torn: false, durable, clock: Clock::from_fn(|| 7) };
        let event = Event::Logout { user: "ada".into() };
        let refused = writer.commit([&event].into_iter()).unwrap_err();
        assert!(refused.contains("No space left"), "{refused}");
        assert_eq!((writer.tip.seq, writer.torn, *seen.borrow()), (0, true, 0));
        writer.file = file;
        writer.file.write_all(b"half a li").unwrap();
        writer.commit([&event].into_iter()).unwrap();
        assert_eq!(chain::verify(std::fs::read(&path).unwrap().as_slice(), false).unwrap().unwrap().seq, 1);
        assert_eq!(*seen.borrow(), std::fs::metadata(&path).unwrap().len());
    }
}
