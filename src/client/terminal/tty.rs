//! The terminal device: which descriptor it is, its line modes, its size.
//!
//! Everything about terminals that is the operating system's own is here and nowhere else in the client.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use russh::Pty;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize,
    tcsetattr,
};

/// A size: characters, and pixels where the terminal says them (else 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

/// The line modes that raw mode changes, and therefore all that has to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineModes {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    least: u8,
    wait: u8,
}

impl LineModes {
    /// How many bytes [`LineModes::to_bytes`] makes.
    pub const BYTES: usize = 18;

    /// The modes of `tty` now.
    ///
    /// # Errors
    /// When it is no terminal, or gone.
    pub fn of(tty: impl AsFd) -> io::Result<Self> {
        Ok(Self::from(&tcgetattr(tty)?))
    }

    /// What raw mode makes of the modes of `tty`, without doing it.
    ///
    /// # Errors
    /// As [`LineModes::of`].
    pub fn raw_of(tty: impl AsFd) -> io::Result<Self> {
        let mut modes = tcgetattr(tty)?;
        modes.make_raw();
        Ok(Self::from(&modes))
    }

    /// Gives `tty` these modes, at once: a terminal whose output is stopped must not hold up the way back.
    ///
    /// # Errors
    /// When it is gone.
    pub fn apply(&self, tty: impl AsFd) -> io::Result<()> {
        let mut modes = tcgetattr(&tty)?;
        modes.input_modes = InputModes::from_bits_retain(self.input);
        modes.output_modes = OutputModes::from_bits_retain(self.output);
        modes.control_modes = ControlModes::from_bits_retain(self.control);
        modes.local_modes = LocalModes::from_bits_retain(self.local);
        modes.special_codes[SpecialCodeIndex::VMIN] = self.least;
        modes.special_codes[SpecialCodeIndex::VTIME] = self.wait;
        Ok(tcsetattr(tty, OptionalActions::Now, &modes)?)
    }

    /// The same, but a line feed goes on to begin a new line: for a dialogue that draws with plain lines.
    #[must_use]
    pub fn with_output_of(self, other: &Self) -> Self {
        Self { output: other.output, ..self }
    }

    /// The modes as bytes, for the guardian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip([self.input, self.output, self.control, self.local]) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes[16] = self.least;
        bytes[17] = self.wait;
        bytes
    }

    /// The modes that [`LineModes::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self { input: word(0), output: word(4), control: word(8), local: word(12), least: bytes[16], wait: bytes[17] }
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
    pub keys: OwnedFd,
    /// Where is drawn: standard output, or standard error where output goes elsewhere.
    pub screen: OwnedFd,
}

impl Tty {
    /// The terminal of this process's standard streams.
    ///
    /// # Errors
    /// When standard input is none.
    pub fn of_process() -> io::Result<Self> {
        let (input, output, error) = (io::stdin(), io::stdout(), io::stderr());
        if !input.is_terminal() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let screen = match (output.is_terminal(), error.is_terminal()) {
            (true, _) => output.as_fd(),
            (false, true) => error.as_fd(),
            (false, false) => input.as_fd(),
        };
        Ok(Self { keys: input.as_fd().try_clone_to_owned()?, screen: screen.try_clone_to_owned()? })
    }
}

/// The keys that mean something to the line discipline, and UTF-8, as a session's terminal is to have them (RFC 4254 §8).
pub fn ssh_modes(tty: impl AsFd) -> Vec<(Pty, u32)> {
    let Ok(modes) = tcgetattr(tty) else { return Vec::new() };
    let keys = [
        (Pty::VINTR, SpecialCodeIndex::VINTR),
        (Pty::VQUIT, SpecialCodeIndex::VQUIT),
        (Pty::VERASE, SpecialCodeIndex::VERASE),
        (Pty::VKILL, SpecialCodeIndex::VKILL),
        (Pty::VEOF, SpecialCodeIndex::VEOF),
        (Pty::VSUSP, SpecialCodeIndex::VSUSP),
    ];
    let mut all: Vec<_> = keys.map(|(name, index)| (name, modes.special_codes[index].into())).into();
    #[cfg(target_os = "linux")]
    all.push((Pty::IUTF8, modes.input_modes.contains(InputModes::IUTF8).into()));
    all
}

/// The size of `tty`; 80 by 24 where it does not know its own (serial lines say 0 by 0).
pub fn size(tty: impl AsFd) -> Size {
    match tcgetwinsize(tty) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: size.ws_col, rows: size.ws_row, width: size.ws_xpixel, height: size.ws_ypixel }
        }
        _ => Size { columns: 80, rows: 24, width: 0, height: 0 },
    }
}

/// Stops this job, as Ctrl-Z in the local shell does; returns when it goes on.
///
/// # Errors
/// When the signal cannot be sent.
pub fn stop_job() -> io::Result<()> {
    Ok(rustix::process::kill_current_process_group(Signal::TSTP)?)
}

/// Writes `bytes` to the screen if it takes them within `limit`; a terminal that is stopped or gone is left alone.
pub fn write_within(screen: impl AsFd, mut bytes: &[u8], limit: Duration) {
    while !bytes.is_empty() && is_writable(&screen, limit) {
        match rustix::io::write(&screen, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Whether `fd` has bytes to read, or its end, now.
pub fn is_readable(fd: impl AsFd) -> bool {
    is_ready(fd, PollFlags::IN, Duration::ZERO)
}

/// Whether `fd` takes bytes before `limit` has passed.
pub fn is_writable(fd: impl AsFd, limit: Duration) -> bool {
    is_ready(fd, PollFlags::OUT, limit)
}

fn is_ready(fd: impl AsFd, flags: PollFlags, limit: Duration) -> bool {
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
    poll(&mut [PollFd::new(&fd, flags)], Some(&limit)).is_ok_and(|ready| ready > 0)
}
