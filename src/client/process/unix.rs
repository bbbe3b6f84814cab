//! A process group of its own, which is what a terminal's signals go to.

use std::os::unix::process::CommandExt;
use std::process::Command;

pub(super) fn detached(command: &mut Command) -> &mut Command {
    command.process_group(0)
}
