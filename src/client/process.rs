//! Processes that go on when this one has ended.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::process::Command;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// Lets what `command` starts stand apart from this terminal: no Ctrl-C reaches it.
pub fn detached(command: &mut Command) -> &mut Command {
    system::detached(command)
}
