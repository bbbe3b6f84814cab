//! A process group of its own, which is what Ctrl-C goes to. It shares the console, and ends with it.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::{ChildStdin, Command};

/// What `ztctl` sees to before it starts its guardian.
pub(super) fn prepare(guardian: &mut Command) {
    guardian.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

/// It stands apart since its start.
pub(super) fn stand_apart() {}

/// Nobody stops a process here, so that the pipe is read as soon as something is in it.
pub(super) fn never_wait_for(_pipe: &ChildStdin) -> io::Result<()> {
    Ok(())
}

/// A flag of CreateProcess.
const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
