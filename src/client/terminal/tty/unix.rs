//! Terminals by termios: which descriptor one is, its line modes, its size.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use russh::Pty;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Change, Size, Use};
use crate::client::stdio::Writer;
pub(super) use crate::job::has_foreground;

/// A word of line modes.
#[cfg(not(target_vendor = "apple"))]
type Word = u32;
#[cfg(target_vendor = "apple")]
type Word = u64;

/// How many bytes a word has.
const WORD: usize = size_of::<Word>();

/// Where the terminal's keys are read, whatever standard input is.
pub(super) const KEYBOARD: &str = "/dev/tty";

/// The line modes that raw mode changes, and therefore all that has to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineModes {
    input: Word,
    output: Word,
    control: Word,
    local: Word,
    least: u8,
    wait: u8,
}

impl LineModes {
    /// How many bytes [`LineModes::to_bytes`] makes.
    pub const BYTES: usize = 4 * WORD + 2;

    /// The modes as bytes, for the guardian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (place, word) in bytes.chunks_exact_mut(WORD).zip([self.input, self.output, self.control, self.local]) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes[4 * WORD] = self.least;
        bytes[4 * WORD + 1] = self.wait;
        bytes
    }

    /// The modes that [`LineModes::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |index: usize| bytes[index * WORD..][..WORD].iter().fold(0, |word, byte| word << 8 | Word::from(*byte));
        let (least, wait) = (bytes[4 * WORD], bytes[4 * WORD + 1]);
        Self { input: word(0), output: word(1), control: word(2), local: word(3), least, wait }
    }
}

impl From<&Termios> for LineModes {
    fn from(modes: &Termios) -> Self {
        Self {
            input: modes.input_modes.bits(),
            output: modes.output_modes.bits(),
            control: modes.control_modes.bits(),
            local: modes.local_modes.bits(),
            least: modes.special_codes[SpecialCodeIndex::VMIN],
            wait: modes.special_codes[SpecialCodeIndex::VTIME],
        }
    }
}

/// The terminal's two roles; nearly always one device.
#[derive(Debug)]
pub struct Tty {
    /// Where keys come from, and whose line modes count: standard input.
    keys: OwnedFd,
    /// Where is drawn: standard output, or standard error where output goes elsewhere.
    pub screen: Writer,
}

impl Tty {
    /// The terminal of this process's standard streams.
    ///
    /// # Errors
    /// When standard input is none.
    pub fn of_process() -> io::Result<Self> {
        if !io::stdin().is_terminal() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self { keys: io::stdin().as_fd().try_clone_to_owned()?, screen: Writer::screen()? })
    }

    /// The terminal that the guardian was given by [`Tty::hand_on`].
    ///
    /// # Errors
    /// When a descriptor cannot be duplicated.
    pub fn of_guardian() -> io::Result<Self> {
        Ok(Self { keys: io::stderr().as_fd().try_clone_to_owned()?, screen: Writer::stdout()? })
    }

    /// Gives it to the guardian: the screen as standard output, the terminal of the keys as standard error.
    ///
    /// # Errors
    /// As [`Tty::of_guardian`].
    pub fn hand_on(&self, guardian: &mut Command) -> io::Result<()> {
        guardian.stdout(self.screen.as_fd().try_clone_to_owned()?).stderr(self.keys.try_clone()?);
        Ok(())
    }

    /// The modes now.
    ///
    /// # Errors
    /// When it is no terminal, or gone.
    pub fn line_modes(&self) -> io::Result<LineModes> {
        Ok(LineModes::from(&tcgetattr(&self.keys)?))
    }

    /// What raw mode makes of the modes, without doing it.
    ///
    /// # Errors
    /// As [`Tty::line_modes`].
    pub fn raw_modes(&self, purpose: Use) -> io::Result<LineModes> {
        let mut modes = tcgetattr(&self.keys)?;
        let output = modes.output_modes;
        modes.make_raw();
        if purpose == Use::Dialogue {
            // A line feed goes on to begin a new line, for what draws with plain lines.
            modes.output_modes = output;
        }
        Ok(LineModes::from(&modes))
    }

    /// Sets these modes, at once: a terminal whose output is stopped must not hold up the way back.
    ///
    /// # Errors
    /// When it is gone.
    pub fn apply(&self, modes: &LineModes) -> io::Result<()> {
        let mut all = tcgetattr(&self.keys)?;
        all.input_modes = InputModes::from_bits_retain(modes.input);
        all.output_modes = OutputModes::from_bits_retain(modes.output);
        all.control_modes = ControlModes::from_bits_retain(modes.control);
        all.local_modes = LocalModes::from_bits_retain(modes.local);
        all.special_codes[SpecialCodeIndex::VMIN] = modes.least;
        all.special_codes[SpecialCodeIndex::VTIME] = modes.wait;
        Ok(tcsetattr(&self.keys, OptionalActions::Now, &all)?)
    }

    /// Gives the terminal back: its modes as they were `saved`, and `resets` written within `limit`.
    pub fn put_back(&mut self, saved: &LineModes, resets: &[u8], limit: Duration) {
        // A terminal that is gone needs nothing: both may fail without harm.
        let _ = self.apply(saved);
        self.screen.write_within(resets, limit);
    }

    /// The size of the screen.
    pub fn size(&self) -> Size {
        match tcgetwinsize(&self.screen) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { columns: size.ws_col, rows: size.ws_row, width: size.ws_xpixel, height: size.ws_ypixel }
            }
            _ => Size::USUAL,
        }
    }

    /// The keys that mean something to the line discipline, and UTF-8, as a session's terminal is to have them (RFC 4254 §8).
    pub fn ssh_modes(&self) -> Vec<(Pty, u32)> {
        let Ok(modes) = tcgetattr(&self.keys) else { return Vec::new() };
        let keys = [
            (Pty::VINTR, SpecialCodeIndex::VINTR),
            (Pty::VQUIT, SpecialCodeIndex::VQUIT),
            (Pty::VERASE, SpecialCodeIndex::VERASE),
            (Pty::VKILL, SpecialCodeIndex::VKILL),
            (Pty::VEOF, SpecialCodeIndex::VEOF),
            (Pty::VSUSP, SpecialCodeIndex::VSUSP),
        ];
        let mut all: Vec<_> = keys.map(|(name, index)| (name, modes.special_codes[index].into())).into();
        all.push((Pty::IUTF8, modes.input_modes.contains(InputModes::IUTF8).into()));
        all
    }
}

/// Listens for what happens to the terminal.
#[derive(Debug)]
pub struct Changes {
    resized: Signal,
    resumed: Signal,
}

impl Changes {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen() -> io::Result<Self> {
        let resumed = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
        Ok(Self { resized: signal(SignalKind::window_change())?, resumed: signal(resumed)? })
    }

    /// The next change. May be dropped and called again without losing any.
    pub async fn next(&mut self) -> Change {
        tokio::select! {
            _ = self.resized.recv() => Change::Resized,
            _ = self.resumed.recv() => Change::Resumed,
        }
    }
}

/// Stops this job, as Ctrl-Z in the local shell does; returns when it goes on.
///
/// # Errors
/// When the signal cannot be sent.
pub fn stop_job() -> io::Result<()> {
    Ok(rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?)
}

/// Whether terminals here know escape sequences. They do, or say otherwise by their name.
pub fn speaks_escapes() -> bool {
    true
}
