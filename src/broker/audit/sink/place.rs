//! How far a sink has come, kept in a file: after a restart it goes on there.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::broker::audit::chain::{Line, Lines, Tip};
use crate::broker::state_folder::{StateFolderError, write_whole};

/// The end of what was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Where the next line begins, in the journal's file.
    pub(super) offset: u64,
    /// The last event that was delivered.
    pub(super) tip: Tip,
}

impl Place {
    /// Before the first event.
    pub(super) fn start() -> Self {
        Self { offset: 0, tip: Tip::genesis() }
    }

    /// The place that was kept in `file`, if it is one of this `journal`; otherwise its beginning. Whether it was kept is said too.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(super) fn read(file: &Path, journal: &Path, length: u64) -> io::Result<Self> {
        let kept = std::fs::read(file).ok().and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        match kept {
            Some(place) if place.fits(journal, length)? => Ok(place),
            Some(_) => {
                tracing::warn!("{} is of another journal: the sink begins at this one's first event", file.display());
                Ok(Self::start())
            }
            None => Ok(Self::start()),
        }
    }

    /// Whether the line at the offset follows what was delivered.
    fn fits(&self, journal: &Path, length: u64) -> io::Result<bool> {
        if self.offset == 0 {
            return Ok(self.tip == Tip::genesis());
        }
        if self.offset > length {
            return Ok(false);
        }
        // The last line that was delivered ends there; it is no longer than the longest.
        let start = self.offset.saturating_sub(super::super::chain::LINE_LIMIT as u64);
        let mut file = File::open(journal)?;
        file.seek(SeekFrom::Start(start))?;
        let mut lines = Lines::new(BufReader::new(io::Read::take(file, self.offset - start)));
        let mut last = None;
        while let Some(line) = lines.next()? {
            last = line.strip_suffix(b"\n").map(Line::read);
        }
        Ok(matches!(last, Some(Line::Whole(link)) if link.seq == self.tip.seq && link.hash == self.tip.hash))
    }

    /// Goes past `lines`, which are delivered.
    pub(super) fn advance(&mut self, lines: &[u8]) {
        self.offset += lines.len() as u64;
        let last = lines.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        if let Some(tip) = last.and_then(|line| serde_json::from_slice(line).ok()) {
            self.tip = tip;
        }
    }

    /// Keeps it.
    ///
    /// # Errors
    /// [`StateFolderError`]; then some events are delivered again after the next start.
    pub(super) fn keep(&self, file: &Path) -> Result<(), StateFolderError> {
        write_whole(file, 0o600, &serde_json::to_vec(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::audit::Event;

    #[test]
    fn a_place_is_one_of_its_journal() {
        let folder = tempfile::tempdir().unwrap();
        let (file, journal) = (folder.path().join("place"), folder.path().join("journal"));
        let write = |user: &str| {
            let (mut tip, mut lines) = (Tip::genesis(), Vec::new());
            for _ in 0..3 {
                tip.push(7, &Event::Logout { user: user.into() }, &mut lines).unwrap();
            }
            std::fs::write(&journal, &lines).unwrap();
            lines
        };
        let lines = write("ada");
        let length = lines.len() as u64;
        assert_eq!(Place::read(&file, &journal, length).unwrap(), Place::start());
        let first = lines.split_inclusive(|byte| *byte == b'\n').next().unwrap();
        let mut place = Place::start();
        place.advance(first);
        assert_eq!((place.tip.seq, place.offset), (1, first.len() as u64));
        place.keep(&file).unwrap();
        assert_eq!(Place::read(&file, &journal, length).unwrap(), place);
        // A journal that was begun anew, one that is shorter, a file that makes no sense.
        assert_eq!(Place::read(&file, &journal, 5).unwrap(), Place::start());
        write("eve");
        assert_eq!(Place::read(&file, &journal, length).unwrap(), Place::start());
        std::fs::write(&file, "half").unwrap();
        assert_eq!(Place::read(&file, &journal, length).unwrap(), Place::start());
    }
}
