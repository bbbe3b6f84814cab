//! The containers of this machine's Docker engine, if one answers: served by an agent of their own, which is in none of them.
//!
//! The program starts itself again as `ztagent docker`. When the demo ends, however it ends, that agent is told to end in order, and
//! ends first what its sessions have left in the containers.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::container::{die_with_the_parent, itself};
use crate::agent::connector::docker;
use crate::proto::Secret;

/// Which engine there is.
#[derive(Debug)]
pub(super) enum Engine {
    /// None: no socket.
    Absent,
    /// One that does not answer us, and why.
    Closed(String),
    /// One that answers, at this socket, with so many running containers.
    Answers(PathBuf, usize),
}

impl Engine {
    /// The engine of `DOCKER_HOST`, or that of this machine.
    pub(super) async fn find() -> Self {
        let named = std::env::var("DOCKER_HOST").ok().filter(|named| !named.is_empty());
        let socket = match named.as_deref().map(|named| (named, named.strip_prefix("unix://"))) {
            None => PathBuf::from(docker::SOCKET),
            Some((_, Some(path))) => path.into(),
            // On another machine: not what is beside the demo.
            Some((_, None)) => return Self::Absent,
        };
        if !socket.exists() {
            return Self::Absent;
        }
        match tokio::time::timeout(ANSWERS_WITHIN, docker::running(&socket)).await {
            Ok(Ok(count)) => Self::Answers(socket, count),
            Ok(Err(why)) => Self::Closed(why),
            Err(_) => Self::Closed(format!("the Docker engine at {} does not answer", socket.display())),
        }
    }
}

/// The running agent of an engine. Dropping it ends it.
#[derive(Debug)]
pub(super) struct EngineAgent(Child);

impl EngineAgent {
    /// Starts the agent of the engine at `socket`, which joins with `token`, keeps its key in `state` and complains in `log`.
    ///
    /// # Errors
    /// When the program cannot be started again.
    pub(super) fn start(socket: &Path, token: &Secret<String>, state: &Path, log: File) -> io::Result<Self> {
        let mut command = itself();
        command.args([super::container::ENTRY, ENGINE]).arg(socket).arg(state);
        command.env_clear().env("PATH", super::container::PATH).env("LANG", "C.UTF-8");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn()?;
        // On standard input, where nobody sees it.
        child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?.write_all(token.expose().as_bytes())?;
        Ok(Self(child))
    }
}

impl Drop for EngineAgent {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the started process does: becomes the agent.
pub(super) fn main(socket: &str, state: &str) -> io::Result<ExitCode> {
    // The terminal's Ctrl-C is the demo's to handle, and its end ours to notice.
    rustix::process::setsid()?;
    die_with_the_parent(Signal::TERM)?;
    let words =
        ["ztagent", "docker", "--socket", socket, "--state", state, "--name", "docker", "--join-token-file", "/dev/stdin"];
    Ok(crate::agent::args::run(words.iter().map(Into::into)))
}

/// The first argument of the started process.
pub(super) const ENGINE: &str = "engine";

const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// An agent gives what its sessions have started five seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(7);
