//! What is wished of a process that somebody else runs for us: the channel says it, whoever speaks to the runtime hears it.

use rustix::process::Signal;
use tokio::sync::{mpsc, watch};

use crate::agent::process::{Control, Size};

/// Where wishes are said.
#[derive(Debug)]
pub(super) struct RemoteControl {
    terminal: bool,
    size: watch::Sender<Option<Size>>,
    signals: mpsc::Sender<Signal>,
}

/// Where they are heard.
#[derive(Debug)]
pub(super) struct Wishes {
    /// The terminal's last wanted size.
    pub(super) size: watch::Receiver<Option<Size>>,
    /// Signals to deliver.
    pub(super) signals: mpsc::Receiver<Signal>,
}

impl RemoteControl {
    /// A control, and what hears it.
    pub(super) fn new(terminal: Option<Size>) -> (Self, Wishes) {
        let (size, sizes) = watch::channel(terminal);
        let (signals, receiver) = mpsc::channel(SIGNALS);
        (Self { terminal: terminal.is_some(), size, signals }, Wishes { size: sizes, signals: receiver })
    }
}

impl Control for RemoteControl {
    fn has_terminal(&self) -> bool {
        self.terminal
    }

    fn resize(&self, size: Size) {
        self.size.send_replace(Some(size));
    }

    fn signal(&self, signal: Signal) {
        // When so many wait, another one says nothing new.
        let _ = self.signals.try_send(signal);
    }
}

/// Signals on their way to a process.
const SIGNALS: usize = 8;
