//! The console's events, which are what Windows has for signals. Who closes the window or shuts down gives the process some five seconds.

use std::io;
use std::task::{Context, Poll};

use tokio::signal::windows::{CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

use super::Signal;

/// Listens for one.
#[derive(Debug)]
pub(super) enum Listener {
    /// The window is closed.
    Close(CtrlClose),
    /// Ctrl-C.
    C(CtrlC),
    /// Ctrl-Break.
    Break(CtrlBreak),
    /// The machine shuts down.
    Shutdown(CtrlShutdown),
}

impl Listener {
    pub(super) fn new(which: Signal) -> io::Result<Self> {
        match which {
            Signal::Hangup => ctrl_close().map(Self::Close),
            Signal::Interrupt => ctrl_c().map(Self::C),
            Signal::Quit => ctrl_break().map(Self::Break),
            Signal::Terminate => ctrl_shutdown().map(Self::Shutdown),
        }
    }

    pub(super) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Close(event) => event.poll_recv(context).map(drop),
            Self::C(event) => event.poll_recv(context).map(drop),
            Self::Break(event) => event.poll_recv(context).map(drop),
            Self::Shutdown(event) => event.poll_recv(context).map(drop),
        }
    }
}
