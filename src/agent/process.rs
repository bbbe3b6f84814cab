//! A channel's process as the channel sees it, whichever connector started it: streams, its end, what can be done to it meanwhile.

use futures_util::future::BoxFuture;
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::agent::reaper::Exit;
use crate::agent::spawn::LocalControl;
use crate::agent::sweep::Leader;

/// A running process with its streams.
pub(super) struct Process {
    /// What is written here it reads; a shutdown is the end of its input, except on a terminal.
    pub(super) stdin: Input,
    /// What it writes; on a terminal both of its outputs.
    pub(super) stdout: Output,
    /// What it writes to stderr, unless it has a terminal.
    pub(super) stderr: Option<Output>,
    /// Its end.
    pub(super) ending: BoxFuture<'static, Ending>,
    /// What can be done to it meanwhile.
    pub(super) control: Control,
    /// How the sweep at the session's end recognises it, where it does.
    pub(super) leader: Option<Leader>,
}

/// Where a process's input goes.
pub(super) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// Where a process's output comes from.
pub(super) type Output = Box<dyn AsyncRead + Send + Unpin>;

/// How a process ended, as far as it can be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, or by a signal.
    Exit(Exit),
    /// Unknown: what ran it can no longer be asked. A sentence for the user.
    Lost(String),
}

/// The size of a terminal, in characters and pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Characters across.
    pub(super) columns: u32,
    /// Lines.
    pub(super) rows: u32,
    /// Pixels across and down; 0 where the client does not say.
    pub(super) pixels: (u32, u32),
}

/// What can be done to a process while others read and write its streams.
#[derive(Debug, Clone)]
pub(super) enum Control {
    /// A child of the agent.
    Local(LocalControl),
}

impl Control {
    /// Whether the process has a terminal.
    pub(super) fn has_terminal(&self) -> bool {
        match self {
            Self::Local(local) => local.has_terminal(),
        }
    }

    /// Gives the terminal a new size, of which its foreground job is told.
    pub(super) fn resize(&self, size: Size) {
        match self {
            Self::Local(local) => local.resize(size),
        }
    }

    /// Signals the terminal's foreground job, or the process and its group.
    pub(super) fn signal(&self, signal: Signal) {
        match self {
            Self::Local(local) => local.signal(signal),
        }
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("control", &self.control).field("leader", &self.leader).finish_non_exhaustive()
    }
}
