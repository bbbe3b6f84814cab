//! How much of a client's input waits for processes to read it, over all channels of a session.
//!
//! russh grants a client new window as soon as data has arrived, whoever has read it, and while it waits for a reader it reads nothing
//! else from the link, not even the client's own grants: two pipes that wait for each other. So the input is taken off the link at
//! once, counted here, and when it is too much the window is made so small that the client all but stops, while the link lives on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Bytes that wait, in all channels together.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

/// One channel's part of it, given back when the channel ends.
#[derive(Debug)]
pub(super) struct Share {
    all: Waiting,
    own: usize,
}

impl Waiting {
    /// A channel's part, empty.
    pub(super) fn share(&self) -> Share {
        Share { all: self.clone(), own: 0 }
    }

    /// The window to aim at. The small one is two bytes: russh grants anew when less than half of it is left, so at zero, and
    /// the client goes on by one tiny packet at a time, each of which is an occasion to look again.
    pub(super) fn window(&self) -> u32 {
        if self.is_too_much() { SMALL } else { WINDOW }
    }

    /// Whether a packet of this length is such a tiny one, to be taken slowly.
    pub(super) fn slows(&self, length: usize) -> bool {
        length <= SMALL as usize && self.is_too_much()
    }

    /// Whether more waits than any client can send that keeps to its windows. russh takes what goes beyond a window as well.
    pub(super) fn overflows(&self) -> bool {
        self.0.load(Relaxed) > MOST
    }

    fn is_too_much(&self) -> bool {
        self.0.load(Relaxed) > LIMIT
    }
}

impl Share {
    /// So much has come.
    pub(super) fn more(&mut self, bytes: usize) {
        self.own += bytes;
        self.all.0.fetch_add(bytes, Relaxed);
    }

    /// So much has been read.
    pub(super) fn less(&mut self, bytes: usize) {
        let bytes = bytes.min(self.own);
        self.own -= bytes;
        self.all.0.fetch_sub(bytes, Relaxed);
    }

    /// Nothing waits any more.
    pub(super) fn nothing(&mut self) {
        self.less(self.own);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.nothing();
    }
}

/// What a client may send ahead on a channel: enough for 10 MB/s over 100 ms.
pub(super) const WINDOW: u32 = 1024 * 1024;

/// How long a tiny packet is held: forty bytes a second, a hundred kilobytes an hour, and the rest of the link hardly notices.
pub(super) const SLOWLY: Duration = Duration::from_millis(50);

/// From here on a client is slowed down. What is granted then may still come, so at most a window more for each channel.
const LIMIT: usize = 512 * 1024;

/// The most channels of a session.
pub(super) const CHANNELS: usize = 10;

/// The most connections through the container at one time: a browser's, several times over.
pub(super) const FORWARDS: usize = 64;

/// [`LIMIT`] and then a window for each channel and connection that a session may have, twice over for those that are just closing.
const MOST: usize = LIMIT + 2 * (CHANNELS + FORWARDS) * WINDOW as usize;

const SMALL: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_gives_back_what_it_counted() {
        let waiting = Waiting::default();
        let mut share = waiting.share();
        share.more(LIMIT + 1);
        assert_eq!((waiting.window(), waiting.slows(2), waiting.slows(3)), (SMALL, true, false));
        share.less(1);
        assert_eq!((waiting.window(), waiting.slows(2)), (WINDOW, false));
        share.more(LIMIT);
        drop(share);
        assert_eq!(waiting.window(), WINDOW);
    }

    #[test]
    fn windows_never_overflow_and_more_than_windows_does() {
        let waiting = Waiting::default();
        let mut share = waiting.share();
        share.more(MOST);
        assert!(!waiting.overflows());
        share.more(1);
        assert!(waiting.overflows());
    }
}
