//! A channel's process as the channel sees it, whichever connector started it: streams, its end, what can be done to it meanwhile.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::agent::reaper::Exit;
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
    pub(super) control: Arc<dyn Control>,
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
    /// Unknown, with a sentence for the user; with none where the session itself ends for the same reason and tells it.
    Lost(Option<String>),
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
pub(super) trait Control: std::fmt::Debug + Send + Sync {
    /// Whether the process has a terminal.
    fn has_terminal(&self) -> bool;

    /// Gives the terminal a new size, of which its foreground job is told.
    fn resize(&self, size: Size);

    /// Signals the terminal's foreground job, or the process and its group.
    fn signal(&self, signal: Signal);
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("control", &self.control).field("leader", &self.leader).finish_non_exhaustive()
    }
}
