//! The console. Raw mode makes it a terminal that speaks escape sequences, both ways; before Windows 10 it could not.

use std::io;
use std::process::Command;
use std::time::Duration;

use russh::Pty;
use tokio::time::{Interval, interval};

use super::{Change, Size, Use};
use crate::client::stdio::{Console, Writer, is_console};

/// Where the terminal's keys are read, whatever standard input is.
pub(super) const KEYBOARD: &str = "CONIN$";

/// Whoever has a console has it.
pub(super) fn has_foreground(_: &std::fs::File) -> bool {
    true
}

/// The console's modes: of its input, and of its screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineModes {
    input: u32,
    output: u32,
}

impl LineModes {
    /// How many bytes [`LineModes::to_bytes`] makes.
    pub const BYTES: usize = 8;

    /// The modes as bytes, for the guardian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        (u64::from(self.input) << 32 | u64::from(self.output)).to_be_bytes()
    }

    /// The modes that [`LineModes::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let both = u64::from_be_bytes(*bytes);
        Self { input: (both >> 32) as u32, output: both as u32 }
    }
}

/// The console of this process.
#[derive(Debug)]
pub struct Tty {
    /// Where is drawn: standard output, or standard error where output goes elsewhere.
    pub screen: Writer,
}

impl Tty {
    /// The console of this process's standard streams.
    ///
    /// # Errors
    /// When standard input is none.
    pub fn of_process() -> io::Result<Self> {
        if !is_console(&io::stdin()) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it is no Windows console (in Git Bash: winpty ztctl …)"));
        }
        Ok(Self { screen: Writer::screen()? })
    }

    /// The console that the guardian shares with `ztctl`.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_guardian() -> io::Result<Self> {
        Ok(Self { screen: Writer::screen()? })
    }

    /// Gives it to the guardian, which has it as every process that is started here does.
    ///
    /// # Errors
    /// Never.
    pub fn hand_on(&self, _guardian: &mut Command) -> io::Result<()> {
        Ok(())
    }

    /// The modes now.
    ///
    /// # Errors
    /// When there is no console.
    pub fn line_modes(&self) -> io::Result<LineModes> {
        Ok(LineModes { input: Console::input()?.mode()?, output: Console::output()?.mode()? })
    }

    /// What raw mode makes of the modes, without doing it.
    ///
    /// # Errors
    /// As [`Tty::line_modes`].
    pub fn raw_modes(&self, purpose: Use) -> io::Result<LineModes> {
        let LineModes { input, output } = self.line_modes()?;
        let (input, output) = (input & !(LINES | ECHO), output | CONTROLS | ESCAPES);
        Ok(match purpose {
            Use::Session => LineModes { input: input & !CTRL_C | KEYS_AS_ESCAPES, output: output | LINE_FEED_ONLY },
            // dialoguer reads keys by their codes, and Ctrl-C is an event.
            Use::Dialogue => LineModes { input: input & !KEYS_AS_ESCAPES | CTRL_C, output },
        })
    }

    /// Sets these modes.
    ///
    /// # Errors
    /// When the console does not know them: it is older than escape sequences are.
    pub fn apply(&self, modes: &LineModes) -> io::Result<()> {
        Console::input()?.set_mode(modes.input)?;
        Console::output()?.set_mode(modes.output)
    }

    /// Gives the console back: `resets` written while it still understands them, and its modes as they were `saved`.
    pub fn put_back(&mut self, saved: &LineModes, resets: &[u8], limit: Duration) {
        // A console that is gone needs nothing: both may fail without harm.
        self.screen.write_within(resets, limit);
        let _ = self.apply(saved);
    }

    /// The size of the window.
    pub fn size(&self) -> Size {
        size()
    }

    /// What a session's terminal is to know of this one (RFC 4254 §8): its text is UTF-8. The keys are the usual ones.
    pub fn ssh_modes(&self) -> Vec<(Pty, u32)> {
        vec![(Pty::IUTF8, 1)]
    }
}

/// Looks at the size, since no event comes without the keys.
#[derive(Debug)]
pub struct Changes {
    look: Interval,
    last: Size,
}

impl Changes {
    /// Looks from now on.
    ///
    /// # Errors
    /// Never.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { look: interval(LOOK), last: size() })
    }

    /// The next change. May be dropped and called again without losing any.
    pub async fn next(&mut self) -> Change {
        loop {
            self.look.tick().await;
            let now = size();
            if std::mem::replace(&mut self.last, now) != now {
                return Change::Resized;
            }
        }
    }
}

/// There are no jobs to stop.
///
/// # Errors
/// Always, `Unsupported`.
pub fn stop_job() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "Windows cannot suspend a program"))
}

/// Whether the console knows escape sequences. If it can, it does from now on.
pub fn speaks_escapes() -> bool {
    crossterm::ansi_support::supports_ansi()
}

fn size() -> Size {
    match crossterm::terminal::size() {
        Ok((columns, rows)) if columns > 0 && rows > 0 => Size { columns, rows, ..Size::USUAL },
        _ => Size::USUAL,
    }
}

/// How often the size is looked at: a person who drags a window's corner does not see the difference.
const LOOK: Duration = Duration::from_millis(200);

// The bits of SetConsoleMode. Input: ENABLE_PROCESSED_INPUT, ENABLE_LINE_INPUT, ENABLE_ECHO_INPUT, ENABLE_VIRTUAL_TERMINAL_INPUT.
const CTRL_C: u32 = 0x1;
const LINES: u32 = 0x2;
const ECHO: u32 = 0x4;
const KEYS_AS_ESCAPES: u32 = 0x200;

// Output: ENABLE_PROCESSED_OUTPUT, ENABLE_VIRTUAL_TERMINAL_PROCESSING, DISABLE_NEWLINE_AUTO_RETURN.
const CONTROLS: u32 = 0x1;
const ESCAPES: u32 = 0x4;
const LINE_FEED_ONLY: u32 = 0x8;
