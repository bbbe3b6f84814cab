//! Two byte streams joined: copied both ways, each half closed on its own, an idle half-open pair reaped, bytes counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

/// How many bytes have gone each way. Clones share the figures, so that whoever drops a join half-way still has them.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    forth: Progress,
    back: Progress,
}

impl Counts {
    /// From the first stream to the second.
    pub fn forth(&self) -> u64 {
        self.forth.read()
    }

    /// From the second stream to the first.
    pub fn back(&self) -> u64 {
        self.back.read()
    }
}

/// Copies until both directions have ended. An end on one side is passed on as an end (`shutdown`), and the other direction
/// goes on; once one has ended and nothing has moved for [`HALF_OPEN_IDLE`], the pair is given up.
///
/// A peer that leaves without TLS's `close_notify` ends its direction like any other: what is inside is SSH, which knows by
/// itself whether it was cut short.
///
/// # Errors
/// The first error of either stream; `TimedOut` for a pair that was given up.
pub async fn join<A, B>(a: &mut A, b: &mut B, counts: &Counts) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin + Send + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + Send + ?Sized,
{
    join_reaping_after(a, b, counts, HALF_OPEN_IDLE).await
}

async fn join_reaping_after<A, B>(a: &mut A, b: &mut B, counts: &Counts, idle: Duration) -> io::Result<()>
where
    A: AsyncRead + AsyncWrite + Unpin + Send + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + Send + ?Sized,
{
    let Counts { forth, back } = counts.clone();
    let (mut a, mut b) = (Counted { io: a, progress: forth.clone() }, Counted { io: b, progress: back.clone() });
    let mut copy = std::pin::pin!(copy_bidirectional_with_sizes(&mut a, &mut b, BUFFER, BUFFER));
    let mut seen = (0, 0);
    loop {
        match tokio::time::timeout(idle, copy.as_mut()).await {
            Ok(copied) => return copied.map(|_| ()),
            Err(_) => {
                let now = (forth.read(), back.read());
                if (forth.ended() || back.ended()) && now == seen {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                seen = now;
            }
        }
    }
}

/// What one side has said so far; shared with the copy that is running.
#[derive(Debug, Clone, Default)]
struct Progress(Arc<Said>);

#[derive(Debug, Default)]
struct Said {
    bytes: AtomicU64,
    ended: AtomicBool,
}

impl Progress {
    fn read(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }

    fn ended(&self) -> bool {
        self.0.ended.load(Relaxed)
    }
}

/// A stream that counts what is read from it, and to which a missing `close_notify` is an end.
struct Counted<'a, S: ?Sized> {
    io: &'a mut S,
    progress: Progress,
}

impl<S: AsyncRead + Unpin + ?Sized> AsyncRead for Counted<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = match ready!(Pin::new(&mut *self.io).poll_read(cx, buf)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            result => result,
        };
        let read = buf.filled().len() - before;
        self.progress.0.bytes.fetch_add(read as u64, Relaxed);
        if read == 0 {
            self.progress.0.ended.store(true, Relaxed);
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin + ?Sized> AsyncWrite for Counted<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }
}

/// How long a pair with one direction ended may stay without a byte in the other: longer than any keep-alive of ours.
pub const HALF_OPEN_IDLE: Duration = Duration::from_secs(60);

/// Two SSH packets of the usual 32 KiB.
const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn a_closed_half_leaves_the_other_open() {
        let (mut left, mut left_far) = duplex(8);
        let (mut right, mut right_far) = duplex(8);
        let counts = Counts::default();
        let seen = counts.clone();
        let joined = tokio::spawn(async move { join(&mut left_far, &mut right_far, &counts).await });
        left.write_all(b"question, longer than the pipe").await.unwrap();
        left.shutdown().await.unwrap();
        let mut question = String::new();
        right.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question, longer than the pipe");
        right.write_all(b"and the answer").await.unwrap();
        drop(right);
        let mut answer = String::new();
        left.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "and the answer");
        joined.await.unwrap().unwrap();
        assert_eq!((seen.forth(), seen.back()), (30, 14));
    }

    #[tokio::test]
    async fn an_idle_half_open_pair_is_given_up_and_a_whole_one_is_not() {
        let (mut left, mut left_far) = duplex(8);
        let (right, mut right_far) = duplex(8);
        let idle = Duration::from_millis(20);
        let joined =
            tokio::spawn(async move { join_reaping_after(&mut left_far, &mut right_far, &Counts::default(), idle).await });
        tokio::time::sleep(idle * 5).await;
        assert!(!joined.is_finished(), "nothing has ended yet");
        left.shutdown().await.unwrap();
        assert_eq!(joined.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(right);
    }
}
