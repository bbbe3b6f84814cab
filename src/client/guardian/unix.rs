//! A session of its own.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// What `ztctl` sees to before it starts its guardian.
pub(super) fn prepare(guardian: &mut Command) {
    guardian.arg0("ztctl");
}

/// What the guardian sees to first: a terminal's signals are none of its own.
pub(super) fn stand_apart() {
    // Fails only for a process that leads a group already, which a child just started does not.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_name(c"zt-guardian");
}

/// A guardian that somebody stopped must not stop the session once the pipe is full.
pub(super) fn never_wait_for(pipe: &ChildStdin) -> io::Result<()> {
    Ok(fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?)
}
