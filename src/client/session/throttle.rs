//! Backpressure where it does no harm: a reader of ours that is slow (a pager, a stopped terminal) stops the reading of the
//! link, not the SSH session, which goes on to answer and to send.
//!
//! russh gives the other side new window as soon as data has arrived, whether anybody took it or not, so the window alone
//! bounds nothing. Here what waits for a reader is counted, and above [`FULL`] the link is not read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What both ends of the throttle share: those who queue output count it here, the link looks.
#[derive(Debug, Clone)]
pub(crate) struct Throttle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queued: AtomicUsize,
    reader: AtomicWaker,
    begin: Instant,
    /// Milliseconds after `begin` at which the link was last known to be alive.
    alive: AtomicU64,
    /// Whether the last write had to wait.
    write_waits: AtomicBool,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            queued: AtomicUsize::new(0),
            reader: AtomicWaker::new(),
            begin: Instant::now(),
            alive: AtomicU64::new(0),
            write_waits: AtomicBool::new(false),
        }))
    }

    /// `bytes` more wait for a reader.
    pub(crate) fn queue(&self, bytes: usize) {
        self.0.queued.fetch_add(bytes, SeqCst);
    }

    /// `bytes` have found one.
    pub(crate) fn done(&self, bytes: usize) {
        let before = self.0.queued.fetch_sub(bytes, SeqCst);
        if before > FULL && before - bytes <= FULL {
            // While nothing was read on purpose, silence meant nothing.
            self.touch();
            self.0.reader.wake();
        }
    }

    /// For how long nothing has come although it was listened for.
    pub(crate) fn silence(&self) -> Duration {
        if self.is_full() {
            return Duration::ZERO;
        }
        self.0.begin.elapsed().saturating_sub(Duration::from_millis(self.0.alive.load(SeqCst)))
    }

    fn is_full(&self) -> bool {
        self.0.queued.load(SeqCst) > FULL
    }

    fn touch(&self) {
        // A session of half a billion years would overflow.
        self.0.alive.store(u64::try_from(self.0.begin.elapsed().as_millis()).unwrap_or(u64::MAX), SeqCst);
    }
}

/// A link that is read only while there is room.
#[derive(Debug)]
pub(crate) struct Throttled<S> {
    link: S,
    throttle: Throttle,
}

impl<S> Throttled<S> {
    pub(crate) fn new(link: S, throttle: Throttle) -> Self {
        Self { link, throttle }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Throttled<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.throttle.is_full() {
            self.throttle.0.reader.register(cx.waker());
            // It may have been emptied between the look and the registration.
            if self.throttle.is_full() {
                return Poll::Pending;
            }
        }
        let result = ready!(Pin::new(&mut self.link).poll_read(cx, buf));
        self.throttle.touch();
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Throttled<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.link).poll_write(cx, bytes);
        // Room that was not there before means that the other side took something. Room alone does not: a dead link has some.
        if self.throttle.0.write_waits.swap(result.is_pending(), SeqCst) && result.is_ready() {
            self.throttle.touch();
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_shutdown(cx)
    }
}

/// How many bytes may wait for a slow reader before the link is left unread: a fraction of a second at full speed.
const FULL: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_full_queue_stops_the_reading_and_an_emptied_one_resumes_it() {
        let (mut far, near) = duplex(64);
        let throttle = Throttle::new();
        let mut link = Throttled::new(near, throttle.clone());
        far.write_all(b"abc").await.unwrap();
        throttle.queue(FULL + 1);
        let mut reading = tokio::spawn(async move {
            let mut buffer = [0; 8];
            link.read(&mut buffer).await.unwrap()
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut reading).await.is_err(), "read although full");
        assert_eq!(throttle.silence(), Duration::ZERO, "nobody listened, so nothing was silent");
        throttle.done(2);
        assert_eq!(reading.await.unwrap(), 3);
    }
}
