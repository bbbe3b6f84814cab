//! No console at all.

use std::os::windows::process::CommandExt;
use std::process::Command;

pub(super) fn detached(command: &mut Command) -> &mut Command {
    command.creation_flags(DETACHED_PROCESS)
}

/// A flag of CreateProcess.
const DETACHED_PROCESS: u32 = 0x8;
