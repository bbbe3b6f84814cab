//! A sink that is a file: each batch appended and synced, no event twice, reopened when it was rotated.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::broker::audit::chain::{LINE_LIMIT, Tip};

/// The file, open while nothing is wrong with it.
#[derive(Debug)]
pub(super) struct FileSink {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// The last event in it.
    last: u64,
}

impl FileSink {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None }
    }

    /// The next batch goes to whatever has the name then.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Appends `lines` and syncs them.
    ///
    /// # Errors
    /// The system's; the file is opened anew for the next try, which cuts off what was written in part.
    pub(super) fn deliver(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.path)?,
        };
        let mut fresh = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let seq = serde_json::from_slice::<Tip>(line).map_err(io::Error::other)?.seq;
            if seq > open.last {
                fresh.extend_from_slice(line);
                open.last = seq;
            }
        }
        open.file.write_all(&fresh)?;
        open.file.sync_data()?;
        self.open = Some(open);
        Ok(())
    }
}

impl Open {
    /// Opens the file, and sees how far it has come: after a crash more may be in it than the place says, and half a line.
    fn at(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        let start = length.saturating_sub(LINE_LIMIT as u64);
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        (&mut file).take(length - start).read_to_end(&mut tail)?;
        let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let half = tail.get(whole..).unwrap_or_default();
        if half.starts_with(OURS) {
            file.set_len(start + whole as u64)?;
        } else if !half.is_empty() {
            // Somebody else's: it stays, and ours begins on a line of its own.
            file.write_all(b"\n")?;
        }
        let lines = tail.get(..whole).unwrap_or_default();
        let last = lines.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        let last = last.and_then(|line| serde_json::from_slice::<Tip>(line).ok()).map_or(0, |tip| tip.seq);
        Ok(Self { file, last })
    }
}

/// How each line of the journal begins.
const OURS: &[u8] = b"{\"seq\":";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::broker::audit::Event;

    fn lines(count: usize) -> Vec<Vec<u8>> {
        let (mut tip, mut lines) = (Tip::genesis(), Vec::new());
        for _ in 0..count {
            let mut line = Vec::new();
            tip.push(7, &Event::Logout { user: "ada".into() }, &mut line).unwrap();
            lines.push(line);
        }
        lines
    }

    #[test]
    fn events_are_in_it_once_whatever_happened_before() {
        let folder = tempfile::tempdir().unwrap();
        let (path, lines) = (folder.path().join("audit.jsonl"), lines(4));
        let mut sink = FileSink::new(path.clone());
        sink.deliver(&lines[..2].concat()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // A crash in the middle of the third line, before the place was kept.
        let torn = [lines[..2].concat(), lines[2][..9].to_vec()].concat();
        std::fs::write(&path, &torn).unwrap();
        let mut sink = FileSink::new(path.clone());
        sink.deliver(&lines[1..].concat()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), lines.concat());
    }

    #[test]
    fn a_rotated_file_is_left_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, lines) = (folder.path().join("audit.jsonl"), lines(3));
        std::fs::write(&path, "# begun by hand").unwrap();
        let mut sink = FileSink::new(path.clone());
        sink.deliver(&lines[0]).unwrap();
        std::fs::rename(&path, path.with_extension("1")).unwrap();
        sink.deliver(&lines[1]).unwrap();
        sink.close();
        sink.deliver(&lines[2]).unwrap();
        let rotated = std::fs::read(path.with_extension("1")).unwrap();
        assert_eq!(rotated, [b"# begun by hand\n".as_slice(), &lines[0], &lines[1]].concat());
        assert_eq!(std::fs::read(&path).unwrap(), lines[2]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_tried_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, lines) = (folder.path().join("logs/audit.jsonl"), lines(1));
        let mut sink = FileSink::new(path.clone());
        assert!(sink.deliver(&lines[0]).is_err());
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        sink.deliver(&lines[0]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), lines[0]);
    }
}
