//! How a session starts and ends in a container that is reached through somebody else's exec: scripts for the shell that is there,
//! which need nothing that it has not built in.
//!
//! [`START`] says that it runs, waits until the terminal has its size, and becomes what was asked for; [`SWEEP`] finds and signals
//! what a session has left ([`sweep`]). [`begin`] puts them to use. In a container without a shell a program can still be executed by itself, and nothing more.

pub(super) mod begin;
pub(in crate::agent) mod dial;
pub(in crate::agent) mod files;
mod shells;
pub(super) mod sweep;

use std::ffi::OsString;
use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::agent::environment::{MARKER, Variables};
use crate::agent::program::Asked;
use crate::agent::sweep::Leader;
use crate::proto::{SessionId, command};

pub(super) use shells::Shells;

/// A start that was prepared.
#[derive(Debug)]
pub(in crate::agent) struct Start {
    /// What [`START`] says first.
    pub(in crate::agent) nonce: String,
    /// Whether it waits for a line on its input.
    gate: bool,
    rest: Vec<String>,
}

/// Why nothing was started by somebody else's exec. The user reads it.
#[derive(Debug, thiserror::Error)]
pub(in crate::agent) enum NotStarted {
    /// What is asked for is no text, and these interfaces carry nothing else.
    #[error("the command is not UTF-8, and this container can only be given text")]
    NotText,
    /// The container has not what it takes to reach its files.
    #[error("files cannot be copied here: {0}")]
    Unfit(String),
    /// The container is there, but nothing can be started in it now.
    #[error("the container is {0}: nothing can be started in it now")]
    Held(&'static str),
    /// What runs the containers does not answer.
    #[error("what runs this container does not answer: try again in a moment")]
    Away,
    /// What runs the containers refuses.
    #[error("what runs this container refuses: {0}")]
    Refused(String),
    /// Nothing was heard of the session's first process, or something else.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

/// The first process of a session, as [`START`] tells it: in the numbers of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) struct Ready {
    /// Its process id and start time.
    pub(super) leader: Leader,
}

/// What came in place of [`Ready`].
#[derive(Debug, thiserror::Error)]
pub(in crate::agent) enum NotReady {
    /// Something else: the engine's words about a start that failed, as a rule.
    #[error("{0}")]
    Said(String),
    /// Nothing in time.
    #[error("nothing was heard of the session's first process for {} seconds", READY.as_secs())]
    Silent,
    /// The stream.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Start {
    /// Prepares what was asked for, with `exports` for interfaces that carry no environment; `gate` for a terminal.
    ///
    /// # Errors
    /// [`NotStarted::NotText`].
    pub(in crate::agent) fn new(asked: &Asked, exports: &Variables, gate: bool) -> Result<Self, NotStarted> {
        let nonce = format!("ztctl-{:016x}", rand::random::<u64>());
        let mut rest = vec![exports.len().to_string()];
        for (name, value) in exports {
            rest.push(format!("{}={}", text(name)?, text(value)?));
        }
        match asked {
            Asked::Shell => rest.extend(["shell".to_owned(), String::new()]),
            Asked::Command(line) => {
                let words = command::unquote(line);
                rest.push(if words.is_some() { "words" } else { "line" }.to_owned());
                rest.push(String::from_utf8(line.clone()).map_err(|_| NotStarted::NotText)?);
                for word in words.unwrap_or_default() {
                    rest.push(String::from_utf8(word).map_err(|_| NotStarted::NotText)?);
                }
            }
            Asked::Files => return Err(NotStarted::Unfit("the agent does not reach them".to_owned())),
        }
        Ok(Self { nonce, gate, rest })
    }

    /// The words to execute with the shell that the words `shell` start.
    pub(super) fn words(&self, shell: &[&str]) -> Vec<String> {
        let gate = if self.gate { "gate" } else { "-" };
        let zeroth = shell.first().copied().unwrap_or("sh");
        let mut words: Vec<String> = shell.iter().map(|word| (*word).to_owned()).collect();
        words.extend(["-c", &START, zeroth, &self.nonce, gate].map(str::to_owned));
        words.extend(self.rest.iter().cloned());
        words
    }

    /// Reads what [`START`] says first, and not a byte more.
    ///
    /// # Errors
    /// [`NotReady`] with all that was said instead, as far as it is short.
    pub(super) async fn ready<R: AsyncRead + Unpin>(&self, output: &mut R) -> Result<Ready, NotReady> {
        match tokio::time::timeout(READY, self.first_line(output)).await {
            Ok(ready) => ready,
            Err(_) => Err(NotReady::Silent),
        }
    }

    pub(in crate::agent) async fn first_line<R: AsyncRead + Unpin>(&self, output: &mut R) -> Result<Ready, NotReady> {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            if output.read(&mut byte).await? == 0 {
                return Err(NotReady::Said(said(&line)));
            }
            line.push(byte[0]);
            let expected = self.nonce.as_bytes();
            let differs = line.iter().zip(expected).any(|(read, expected)| read != expected);
            if differs || line.len() > LINE {
                let _ = output.take(SAID).read_to_end(&mut line).await;
                return Err(NotReady::Said(said(&line)));
            }
        }
        let text = String::from_utf8_lossy(&line);
        let mut words = text.split_ascii_whitespace().skip(1);
        let numbers = words.next().and_then(|pid| pid.parse().ok()).zip(words.next().and_then(|at| at.parse().ok()));
        let (pid, started) = numbers.ok_or_else(|| NotReady::Said(said(&line)))?;
        Ok(Ready { leader: inside(pid, started) })
    }

    /// Takes the terminal's echo of the line that opened the gate off the front of its output.
    pub(super) async fn skip_echo<R: AsyncRead + Unpin>(&self, output: &mut R) -> Result<(), NotReady> {
        let echo = async {
            let mut echo = [0; 2];
            output.read_exact(&mut echo).await
        };
        match tokio::time::timeout(READY, echo).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(NotReady::Silent),
        }
    }
}

/// The process that a container calls `pid`.
fn inside(pid: i32, started: u64) -> Leader {
    Leader { pid, started, inside: true }
}

/// The script and the arguments by which every process of `session` gets `signal` (`0` for none).
fn sweep_words(session: SessionId, signal: &str, known: &[Leader]) -> Vec<String> {
    let mut words = ["-c", &SWEEP, "sh", &format!("{MARKER}={session}"), signal].map(str::to_owned).to_vec();
    words.extend(known.iter().map(|known| format!("{}:{}", known.pid, known.started)));
    words
}

/// The script and the arguments by which the job that `leader` leads gets the signal of this name.
pub(super) fn signal_words(leader: Leader, signal: &str) -> Vec<String> {
    ["-c", &SIGNAL, "sh", &leader.pid.to_string(), signal].map(str::to_owned).to_vec()
}

/// What [`SWEEP`] found; `None` where that is not its answer.
pub(in crate::agent) fn swept(answer: &[u8]) -> Option<Vec<Leader>> {
    let answer = std::str::from_utf8(answer).ok()?;
    let found = answer.lines().find_map(|line| line.trim_end().strip_prefix("found"))?;
    found
        .split_ascii_whitespace()
        .map(|entry| {
            let (pid, started) = entry.split_once(':')?;
            Some(inside(pid.parse().ok()?, started.parse().ok()?))
        })
        .collect()
}

fn text(text: &OsString) -> Result<&str, NotStarted> {
    text.to_str().ok_or(NotStarted::NotText)
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Becomes what a session asked for.
static START: LazyLock<String> = LazyLock::new(|| bare(include_str!("inside/start.sh")));

/// Signals what a session has left.
static SWEEP: LazyLock<String> = LazyLock::new(|| bare(include_str!("inside/sweep.sh")));

/// Signals a job.
static SIGNAL: LazyLock<String> = LazyLock::new(|| bare(include_str!("inside/signal.sh")));

/// A script without what is for its readers: clusters carry it in a URL.
fn bare(script: &str) -> String {
    let lines = script.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// How long the first process of a session may take to be heard of: an engine under load takes a second.
const READY: Duration = Duration::from_secs(15);

/// The most bytes of the first line: a nonce and two numbers.
const LINE: usize = 96;

/// The most bytes that are read of what comes in its place.
const SAID: u64 = 4096;

#[cfg(test)]
mod tests;
