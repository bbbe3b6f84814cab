//! The outputs of an exec: a terminal's bytes as they are, or two streams out of the engine's frames.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::oneshot;

use super::stream::{Demultiplexer, Source};
use crate::agent::connector::inside::begin::{NOT_STARTED, no_program};

/// A terminal's output, whose end is told.
#[derive(Debug)]
pub(super) struct Terminal<R> {
    reader: R,
    ended: Option<oneshot::Sender<()>>,
}

/// Both outputs of a process without a terminal.
#[derive(Debug)]
pub(super) struct Outputs {
    /// Its standard output.
    pub(super) stdout: DuplexStream,
    /// Its standard error.
    pub(super) stderr: DuplexStream,
}

impl<R> Terminal<R> {
    /// Tells `ended` when there is no more.
    pub(super) fn new(reader: R, ended: oneshot::Sender<()>) -> Self {
        Self { reader, ended: Some(ended) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Terminal<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.reader).poll_read(cx, buf));
        if read.is_err() || buf.filled().len() == before {
            self.ended.take().map(|ended| ended.send(()));
            // A stream that breaks is an end: how the process ended is asked of the engine.
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(read)
    }
}

impl Outputs {
    /// Takes `frames` apart at the pace at which both streams are read, and tells `ended` when there is no more. `bare` is the program
    /// that was executed without a shell: the engine's words about a start that failed are then told in better ones.
    pub(super) fn of<R>(frames: R, bare: Option<String>, ended: oneshot::Sender<()>) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        let (stdout, out) = tokio::io::duplex(PIPE);
        let (stderr, err) = tokio::io::duplex(PIPE);
        tokio::spawn(async move {
            // A stream that breaks, and a reader that is gone, are ends like any other.
            let _ = pump(frames, out, err, bare).await;
            let _ = ended.send(());
        });
        Self { stdout, stderr }
    }
}

async fn pump<R: AsyncRead + Unpin>(
    mut frames: R,
    mut out: DuplexStream,
    mut err: DuplexStream,
    bare: Option<String>,
) -> io::Result<()> {
    let (mut demultiplexer, mut buffer, mut first) = (Demultiplexer::default(), BytesMut::new(), bare);
    loop {
        buffer.reserve(CHUNK);
        if frames.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
        let mut bytes = buffer.split().freeze();
        while let Some((source, piece)) = demultiplexer.next(&mut bytes)? {
            if let Some(program) = first.take()
                && piece.starts_with(NOT_STARTED)
            {
                err.write_all(no_program(&program).as_bytes()).await?;
                continue;
            }
            match source {
                Source::Stdout => out.write_all(&piece).await?,
                Source::Stderr => err.write_all(&piece).await?,
            }
        }
    }
}

/// What waits for a slow reader of one output; then the other one, and the process, wait too.
const PIPE: usize = 64 * 1024;

/// One read.
const CHUNK: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    async fn through(frames: &'static [u8], bare: Option<&str>) -> (String, String) {
        let (tell, ended) = oneshot::channel();
        let Outputs { mut stdout, mut stderr } = Outputs::of(frames, bare.map(str::to_owned), tell);
        let (mut out, mut err) = (String::new(), String::new());
        let (read_out, read_err) = tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
        read_out.and(read_err).unwrap();
        ended.await.unwrap();
        (out, err)
    }

    #[tokio::test]
    async fn two_streams_come_out_and_their_end_is_told() {
        let frames = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err\x01\0\0\0\0\0\0\x01!";
        assert_eq!(through(frames, None).await, ("out!".to_owned(), "err".to_owned()));
        assert_eq!(through(b"no frames at all", None).await, (String::new(), String::new()));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_told_in_better_words() {
        let frames = b"\x01\0\0\0\0\0\0\x1eOCI runtime exec failed: x: y\n";
        let (out, err) = through(frames, Some("nosuch")).await;
        assert!(out.is_empty() && err.contains("no program nosuch"), "{out} {err}");
        assert!(through(frames, None).await.0.starts_with("OCI"));
    }

    #[tokio::test]
    async fn a_terminals_bytes_come_as_they_are() {
        let (tell, ended) = oneshot::channel();
        let mut terminal = Terminal::new(&b"\0\x01\x02\xff"[..], tell);
        let mut bytes = Vec::new();
        terminal.read_to_end(&mut bytes).await.unwrap();
        ended.await.unwrap();
        assert_eq!(bytes, b"\0\x01\x02\xff");
    }
}
