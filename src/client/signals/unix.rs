//! Signals as Unix has them.

use std::io;
use std::task::{Context, Poll};

use tokio::signal::unix::{self, SignalKind, signal};

use super::Signal;

/// Listens for one.
#[derive(Debug)]
pub(super) struct Listener(unix::Signal);

impl Listener {
    pub(super) fn new(which: Signal) -> io::Result<Self> {
        let kind = match which {
            Signal::Hangup => SignalKind::hangup(),
            Signal::Interrupt => SignalKind::interrupt(),
            Signal::Quit => SignalKind::quit(),
            Signal::Terminate => SignalKind::terminate(),
        };
        signal(kind).map(Self)
    }

    pub(super) fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll_recv(context).map(drop)
    }
}
