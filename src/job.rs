//! The jobs of a terminal, as a shell makes them (POSIX job control): process groups, one of which has the keys.

use std::os::fd::{AsFd, AsRawFd};

/// Whether this process is of the job that has `terminal`, which is this process's own.
///
/// A job that was started outside of this PID namespace has the number 0 here (`unshare --pid`, `bwrap --unshare-pid`), and has the
/// terminal when that says 0 too.
pub(crate) fn has_foreground(terminal: impl AsFd) -> bool {
    // Numbers, since rustix's `Pid` is never 0.
    // SAFETY: neither call touches memory, and the descriptor is open while it is borrowed.
    let (foreground, own) = unsafe { (libc::tcgetpgrp(terminal.as_fd().as_raw_fd()), libc::getpgrp()) };
    foreground == own
}
