//! The guardian as `ztctl` sees it: started before raw mode, told of every change, dismissed at the end.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command};

use super::{DONE, ENTRY, RESETS, RESETS_LIMIT, system};
use crate::client::terminal::tty::{LineModes, Tty};

/// A guardian that runs.
#[derive(Debug)]
pub struct Keeper {
    child: Child,
    pipe: ChildStdin,
}

impl Keeper {
    /// Starts `program` as the guardian of `tty`.
    ///
    /// # Errors
    /// When it cannot be started or told.
    pub fn start(program: &Path, tty: &Tty, saved: &LineModes, raw: &LineModes, resets: &[u8]) -> io::Result<Self> {
        let mut command = Command::new(program);
        // It needs nothing of the environment, and must not keep a token that is in there.
        command.arg(ENTRY).env_clear().stdin(std::process::Stdio::piped());
        system::prepare(&mut command);
        tty.hand_on(&mut command)?;
        let mut child = command.spawn()?;
        let Some(mut pipe) = child.stdin.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        pipe.write_all(&[saved.to_bytes(), raw.to_bytes()].concat())?;
        system::never_wait_for(&pipe)?;
        let mut keeper = Self { child, pipe };
        keeper.note(resets);
        Ok(keeper)
    }

    /// Tells what would undo the output so far. Best effort: one write, whole or not at all (it is shorter than a pipe's
    /// atomic 4096 bytes), and nobody to complain to.
    pub fn note(&mut self, resets: &[u8]) {
        if let Some(length) = u16::try_from(resets.len()).ok().filter(|length| usize::from(*length) <= RESETS_LIMIT) {
            let _ = self.pipe.write(&[&[RESETS], &length.to_be_bytes()[..], resets].concat());
        }
    }

    /// The terminal has been put back: ends the guardian and waits for its end.
    pub fn dismiss(mut self) {
        let _ = self.pipe.write(&[DONE]);
        // It has nothing left to do, so there is no need to wait until it notices.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
