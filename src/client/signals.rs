//! What the system tells this process: that the person, the terminal or the machine wants it to end.
//!
//! The four are called by their Unix names everywhere; on Windows they are the console's events of the same meaning.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::future::poll_fn;
use std::io;
use std::task::Poll;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// Why the process is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The terminal is gone.
    Hangup,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-\; on Windows, Ctrl-Break.
    Quit,
    /// Somebody ends the process; on Windows, the machine shuts down.
    Terminate,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hangup, Self::Interrupt, Self::Quit, Self::Terminate];

    /// Its number, the same on every Unix.
    pub fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Quit => 3,
            Self::Terminate => 15,
        }
    }
}

/// Listens for some of them, from its making on: what comes between two calls of [`Signals::next`] is not lost. A signal that is listened
/// for ends the process no more by itself.
#[derive(Debug)]
pub struct Signals(Vec<(Signal, system::Listener)>);

impl Signals {
    /// Listens for `signals`. To be called within a runtime.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn listen(signals: &[Signal]) -> io::Result<Self> {
        signals.iter().map(|signal| Ok((*signal, system::Listener::new(*signal)?))).collect::<io::Result<_>>().map(Self)
    }

    /// The next one. May be dropped and called again without losing any.
    pub async fn next(&mut self) -> Signal {
        poll_fn(|context| {
            for (signal, listener) in &mut self.0 {
                if listener.poll_recv(context).is_ready() {
                    return Poll::Ready(*signal);
                }
            }
            Poll::Pending
        })
        .await
    }
}
