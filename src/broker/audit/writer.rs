//! The journal's one writer: a thread that takes what is queued, writes it, syncs once, then answers everybody.
//!
//! After a failed write or sync the file is cut back to its last durable byte, so that neither half a line nor a line that was
//! reported as not written stays; the next batch tries again. Where it is time for a checkpoint, that is a line of the same batch.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use tokio::sync::{mpsc, oneshot, watch};

use super::chain::{self, Tip};
use super::checkpoint::{Checkpoint, Pace};
use super::key::Signer;
use super::verify::{Inspection, Report};
use super::{Durable, Event, JournalError, LAST_CHECKPOINT};
use crate::broker::state_folder::write_whole;
use crate::clock::Clock;

/// What is on its way to the disk.
#[derive(Debug)]
pub(super) struct Request {
    /// The event; without one a checkpoint, if there is anything that none covers yet.
    pub(super) event: Option<Event>,
    pub(super) answer: oneshot::Sender<Result<u64, JournalError>>,
}

/// How checkpoints are made.
#[derive(Debug)]
pub(super) struct Signing {
    pub(super) signer: Arc<Signer>,
    pub(super) pace: Pace,
    /// The file that holds the last one.
    pub(super) last: PathBuf,
}

/// The journal as it was found.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    /// The whole lines.
    pub(super) durable: Durable,
    /// The events at the end that no checkpoint covers.
    unsigned: u64,
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
    let found = verify_tail(&mut file, length, last_checkpoint(dir).map_err(error)?).map_err(error)?;
    if let Some(fault) = found.faults.first() {
        return Err(JournalError::Chain { path: path.to_path_buf(), fault: fault.clone() });
    }
    file.seek(SeekFrom::Start(length)).map_err(error)?;
    Ok(Opened { file, unsigned: found.unsigned(), durable: Durable { length, tip: found.tip() }, removed })
}

/// Starts the thread; it ends when the last handle is gone.
pub(super) fn start(
    opened: Opened,
    queue: mpsc::Receiver<Request>,
    durable: watch::Sender<Durable>,
    signing: Signing,
    failing: Arc<AtomicBool>,
    clock: Clock,
) -> io::Result<()> {
    let Opened { file, durable: Durable { length, tip }, unsigned, removed } = opened;
    let mut writer = Writer { file, tip, length, unsigned, torn: false, durable, signing, failing, clock };
    if removed > 0 {
        writer.commit([&Some(Event::JournalRepaired { removed_bytes: removed })].into_iter()).map_err(io::Error::other)?;
    }
    std::thread::Builder::new().name("audit-journal".into()).spawn(move || writer.run(queue))?;
    Ok(())
}

struct Writer {
    file: File,
    tip: Tip,
    length: u64,
    /// The events at the end that no checkpoint covers.
    unsigned: u64,
    /// Whether bytes after `length` may be in the file.
    torn: bool,
    durable: watch::Sender<Durable>,
    signing: Signing,
    /// Whether the last batch was not written.
    failing: Arc<AtomicBool>,
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
            let committed = self.commit(batch.iter().map(|request| &request.event));
            for (index, request) in batch.into_iter().enumerate() {
                // Nobody waits any more where the request was dropped; the event stays.
                let _ = request.answer.send(match &committed {
                    Ok(numbers) => Ok(numbers.get(index).copied().unwrap_or(self.tip.seq)),
                    Err(error) => Err(JournalError::Write(error.clone())),
                });
            }
        }
    }

    /// Writes and syncs all of `events` and the checkpoints that are due, or nothing. The number of each event.
    fn commit<'a>(&mut self, events: impl Iterator<Item = &'a Option<Event>>) -> Result<Vec<u64>, String> {
        let (mut tip, mut lines, mut numbers) = (self.tip.clone(), Vec::new(), Vec::new());
        let (mut unsigned, mut last_checkpoint, now) = (self.unsigned, None, self.clock.now());
        for event in events {
            match event {
                Some(event) => {
                    tip.push(now, event, &mut lines)?;
                    unsigned += 1;
                }
                None if unsigned == 0 => {}
                None => unsigned = unsigned.max(self.signing.pace.events),
            }
            numbers.push(tip.seq);
            if unsigned > 0 && unsigned >= self.signing.pace.events {
                last_checkpoint = Some(lines.len());
                tip.push(now, &Event::Checkpoint(Checkpoint::sign(&self.signing.signer, &tip, now)), &mut lines)?;
                unsigned = 0;
            }
        }
        if lines.is_empty() {
            return Ok(numbers);
        }
        self.write(&lines).map_err(|error| error.to_string())?;
        self.length += lines.len() as u64;
        (self.tip, self.unsigned) = (tip, unsigned);
        self.durable.send_replace(Durable { length: self.length, tip: self.tip.clone() });
        if let Some(line) = last_checkpoint.and_then(|start| lines.get(start..)?.split_inclusive(|byte| *byte == b'\n').next())
            && let Err(error) = write_whole(&self.signing.last, 0o600, line)
        {
            // It is in the journal; only that a cut end shows at the next start depends on this copy.
            tracing::warn!(%error, "the last checkpoint could not be written beside the journal");
        }
        Ok(numbers)
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.try_write(lines);
        self.failing.store(written.is_err(), Relaxed);
        written
    }

    fn try_write(&mut self, lines: &[u8]) -> io::Result<()> {
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
fn verify_tail(file: &mut File, length: u64, last: Option<Tip>) -> io::Result<Report> {
    let start = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = BufReader::new(file.take(length - start));
    if start > 0 {
        let mut partial = Vec::new();
        io::BufRead::read_until(&mut tail, b'\n', &mut partial)?;
    }
    // A key that was lost must not keep the broker from starting: signatures are for `ztbroker audit verify`.
    let mut inspection = if start > 0 { Inspection::of_part(None) } else { Inspection::new(None) };
    if let Some(last) = last {
        inspection.must_hold(last, LAST_CHECKPOINT);
    }
    inspection.read(tail)
}

/// The last checkpoint that was made here, as an end that the journal must reach.
fn last_checkpoint(dir: &Path) -> io::Result<Option<Tip>> {
    match std::fs::read(dir.join(LAST_CHECKPOINT)) {
        // What cannot be read proves nothing; the journal's own chain still does.
        Ok(line) => Ok(serde_json::from_slice(&line).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
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
        let Opened { file, durable: Durable { length, tip }, .. } = open(dir.path(), &path).unwrap();
        let (durable, seen) = watch::channel(Durable { length, tip: tip.clone() });
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let signer = Arc::new(Signer::open(dir.path()).unwrap());
        let signing = Signing { signer, pace: Pace { events: 2, seconds: 60 }, last: dir.path().join("last") };
        let clock = Clock::from_fn(|| 7);
        let mut writer =
            Writer { file: full, tip, length, unsigned: 0, torn: false, durable, signing, failing: Arc::default(), clock };
        let event = Some(Event::Logout { user: "ada".into() });
        let refused = writer.commit([&event, &event].into_iter()).unwrap_err();
        assert!(refused.contains("No space left"), "{refused}");
        assert_eq!((writer.tip.seq, writer.torn, seen.borrow().length), (0, true, 0));
        // Where nothing is to be written nothing is learnt.
        writer.commit([&None].into_iter()).unwrap();
        assert!(writer.failing.load(Relaxed));
        writer.file = file;
        writer.file.write_all(b"half a li").unwrap();
        assert_eq!(writer.commit([&event, &event, &event, &None, &None].into_iter()).unwrap(), [1, 2, 4, 4, 5]);
        assert!(!writer.failing.load(Relaxed));
        assert_eq!(writer.commit([&None].into_iter()).unwrap(), [5], "nothing has happened since");
        let report = Inspection::new(None).read(std::fs::read(&path).unwrap().as_slice()).unwrap();
        assert_eq!((report.last, report.signed_through, report.faults), (5, 5, Vec::new()));
        assert_eq!(seen.borrow().length, std::fs::metadata(&path).unwrap().len());
    }
}
