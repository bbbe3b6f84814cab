//! WebSocket as a byte stream: for proxies that pass `Upgrade: websocket` and nothing else.
//!
//! Bytes travel in binary messages whose borders mean nothing. An upgrade's own handshake is done by whoever speaks HTTP; this
//! begins at the first frame.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

pub use tokio_tungstenite::tungstenite::handshake::client::generate_key;
pub use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The byte stream inside a WebSocket connection.
#[derive(Debug)]
pub struct WebSocketBytes<S> {
    socket: WebSocketStream<S>,
    /// What is left of the last message.
    unread: Bytes,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketBytes<S> {
    /// The client's end of an upgraded connection.
    pub async fn client(io: S) -> Self {
        Self::new(io, Role::Client).await
    }

    /// The server's end of an upgraded connection.
    pub async fn server(io: S) -> Self {
        Self::new(io, Role::Server).await
    }

    async fn new(io: S, role: Role) -> Self {
        // Nothing is held back for a fuller frame: a keystroke is a frame of its own.
        let config = WebSocketConfig::default()
            .write_buffer_size(0)
            .max_write_buffer_size(4 * MESSAGE_LIMIT)
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT));
        let socket = WebSocketStream::from_raw_socket(io, role, Some(config)).await;
        Self { socket, unread: Bytes::new(), ended: false }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketBytes<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.unread.is_empty() && !self.ended {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.unread = bytes,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => self.ended = true,
                Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                    return Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a WebSocket message that is not binary",
                    )));
                }
                Some(Err(error)) => match io_result(error) {
                    Ok(()) => self.ended = true,
                    Err(error) => return Poll::Ready(Err(error)),
                },
            }
        }
        let length = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..length]);
        self.unread.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketBytes<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(as_io)?;
        let length = bytes.len().min(MESSAGE_LIMIT);
        let message = Message::Binary(Bytes::copy_from_slice(&bytes[..length]));
        Pin::new(&mut self.socket).start_send(message).map_err(as_io)?;
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(as_io)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_close(cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(io_result(error)),
        }
    }
}

/// An orderly or abrupt end is an end; the rest is an error.
fn io_result(error: Error) -> io::Result<()> {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Protocol(_) => Ok(()),
        other => Err(as_io(other)),
    }
}

fn as_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::other(other),
    }
}

/// The most bytes of one message: four SSH packets of the usual 32 KiB. A longer one is refused.
const MESSAGE_LIMIT: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn bytes_cross_both_ways_through_a_pipe_of_eight_bytes() {
        let (near, far) = duplex(8);
        let (mut client, mut server) = (WebSocketBytes::client(near).await, WebSocketBytes::server(far).await);
        let sent: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            client.write_all(&sent).await.unwrap();
            client.flush().await.unwrap();
            let mut answer = [0; 4];
            client.read_exact(&mut answer).await.unwrap();
            answer
        });
        let mut received = vec![0; expected.len()];
        server.read_exact(&mut received).await.unwrap();
        assert!(received == expected);
        server.write_all(b"done").await.unwrap();
        server.flush().await.unwrap();
        assert_eq!(&writer.await.unwrap(), b"done");
    }

    #[tokio::test]
    async fn hostile_frames_end_in_an_error_or_an_end_and_never_hang() {
        // Too long (a 64-bit length of 2^62), unmasked, truncated, a reserved opcode, text.
        let frames: [&[u8]; 5] = [
            &[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
            &[0x82, 0x01, 0x61],
            &[0x82, 0x85, 1, 2, 3, 4, 5],
            &[0x83, 0x80, 1, 2, 3, 4],
            &[0x81, 0x81, 0, 0, 0, 0, 0x61],
        ];
        for frame in frames {
            let (mut near, far) = duplex(64);
            near.write_all(frame).await.unwrap();
            near.shutdown().await.unwrap();
            let mut received = Vec::new();
            let _ = WebSocketBytes::server(far).await.read_to_end(&mut received).await;
            assert!(received.is_empty(), "{frame:?} gave {received:?}");
        }
    }
}
