//! The terminal device: its line modes, its size, and what changes about it.
//!
//! Everything about terminals that is the operating system's own is below here and nowhere else in the client.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::io;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{Changes, LineModes, Tty, speaks_escapes, stop_job};

/// The keys of the terminal that this process has, whatever its standard input is: a line is read at a time.
///
/// # Errors
/// When there is none, as where nobody sits, or this is a job in the background, which would be stopped.
pub fn keyboard() -> io::Result<File> {
    // Written to as well, which a console wants for its modes.
    let keyboard = File::options().read(true).write(true).open(system::KEYBOARD)?;
    if system::has_foreground(&keyboard) { Ok(keyboard) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// What has the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A session: every byte goes through as it is.
    Session,
    /// A dialogue of our own: keys come one by one, but lines are drawn as lines. Its cursor is hidden.
    Dialogue,
}

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

impl Size {
    /// What a terminal has that does not know its own (serial lines say 0 by 0).
    const USUAL: Self = Self { columns: 80, rows: 24, width: 0, height: 0 };
}

/// What has happened to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It may have another size.
    Resized,
    /// This job goes on after a stop, and the local shell has set modes of its own meanwhile.
    Resumed,
}
