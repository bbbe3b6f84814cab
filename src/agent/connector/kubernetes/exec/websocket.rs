//! A command's streams in one WebSocket: the first byte of a message tells which stream, and 255 that one has ended (KEP-4006).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Ends, next_size, size_json};
use crate::agent::process::Size;

/// The protocol's name.
pub(super) const PROTOCOL: &str = "v5.channel.k8s.io";

/// Carries the streams until the command has ended; its status, as the cluster tells it.
pub(in crate::agent) async fn carry<S: AsyncRead + AsyncWrite + Unpin>(upgraded: S, ends: Ends) -> Result<Vec<u8>, String> {
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE)).max_frame_size(Some(MESSAGE));
    let (sink, stream) = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await.split();
    streams(sink, stream, ends).await
}

async fn streams<T, R>(sink: T, stream: R, ends: Ends) -> Result<Vec<u8>, String>
where
    T: Sink<Message, Error = Error> + Unpin,
    R: Stream<Item = Result<Message, Error>> + Unpin,
{
    let Ends { stdin, stdout, stderr, sizes } = ends;
    tokio::select! {
        status = receive(stream, stdout, stderr) => status,
        // Writing ends only with an error, and then reading tells what the cluster had to say.
        Err(error) = send(sink, stdin, sizes) => Err(format!("the connection to the cluster failed: {error}")),
    }
}

async fn receive(
    mut stream: impl Stream<Item = Result<Message, Error>> + Unpin,
    mut stdout: DuplexStream,
    mut stderr: DuplexStream,
) -> Result<Vec<u8>, String> {
    let mut status = None;
    loop {
        // The status comes last, and the end of the connection right behind it.
        let message = match &status {
            None => stream.next().await,
            Some(_) => timeout(CLOSE, stream.next()).await.unwrap_or(None),
        };
        let mut bytes = match message {
            Some(Ok(Message::Binary(bytes))) if !bytes.is_empty() => bytes,
            Some(Ok(Message::Close(_))) | None => return Ok(status.unwrap_or_default()),
            Some(Ok(_)) => continue,
            Some(Err(_)) if status.is_some() => return Ok(status.unwrap_or_default()),
            Some(Err(error)) => return Err(format!("the connection to the cluster failed: {error}")),
        };
        let channel = bytes.split_to(1)[0];
        let written = match channel {
            STDOUT => stdout.write_all(&bytes).await,
            STDERR => stderr.write_all(&bytes).await,
            STATUS if !bytes.is_empty() => {
                status = Some(bytes.to_vec());
                Ok(())
            }
            // Ends of single streams tell nothing that the status does not.
            _ => Ok(()),
        };
        if written.is_err() {
            return Err("nobody reads the command's output any more".to_owned());
        }
    }
}

async fn send(
    mut sink: impl Sink<Message, Error = Error> + Unpin,
    mut stdin: Option<DuplexStream>,
    mut sizes: Option<tokio::sync::watch::Receiver<Option<Size>>>,
) -> Result<(), Error> {
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let mut buffer = BytesMut::new();
    loop {
        let input = async {
            match &mut stdin {
                Some(stdin) => {
                    buffer.reserve(CHUNK);
                    stdin.read_buf(&mut buffer).await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = input => match read {
                Ok(1..) => sink.send(message(STDIN, &buffer.split())).await?,
                _ => {
                    stdin = None;
                    sink.send(message(CLOSED, &[STDIN])).await?;
                }
            },
            size = next_size(&mut sizes) => sink.send(message(RESIZE, size_json(size).as_bytes())).await?,
            _ = ping.tick() => sink.send(Message::Ping(Bytes::new())).await?,
        }
    }
}

fn message(channel: u8, payload: &[u8]) -> Message {
    let mut message = Vec::with_capacity(payload.len() + 1);
    message.push(channel);
    message.extend_from_slice(payload);
    Message::Binary(message.into())
}

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSED: u8 = 255;

/// One read of the input.
const CHUNK: usize = 32 * 1024;

/// The largest message that is taken: servers send 32 KiB.
const MESSAGE: usize = 1024 * 1024;

/// Load balancers cut at 60 s of silence.
const PING: Duration = Duration::from_secs(20);

/// How long the end of the connection may come after the status.
const CLOSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    struct Scene {
        server: WebSocketStream<DuplexStream>,
        stdin: DuplexStream,
        stdout: DuplexStream,
        stderr: DuplexStream,
        sizes: watch::Sender<Option<Size>>,
        status: tokio::task::JoinHandle<Result<Vec<u8>, String>>,
    }

    async fn scene() -> Scene {
        let (near, far) = tokio::io::duplex(64);
        let server = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
        let (sink, stream) = WebSocketStream::from_raw_socket(near, Role::Client, None).await.split();
        let (stdin, near_stdin) = tokio::io::duplex(1024);
        let (stdout, near_stdout) = tokio::io::duplex(1024);
        let (stderr, near_stderr) = tokio::io::duplex(1024);
        let (sizes, receiver) = watch::channel(None);
        let ends = Ends { stdin: Some(near_stdin), stdout: near_stdout, stderr: near_stderr, sizes: Some(receiver) };
        let status = tokio::spawn(streams(sink, stream, ends));
        Scene { server, stdin, stdout, stderr, sizes, status }
    }

    #[tokio::test]
    async fn streams_cross_and_the_input_is_half_closed() {
        let Scene { mut server, mut stdin, mut stdout, mut stderr, sizes, status } = scene().await;
        stdin.write_all(b"in\0put").await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), message(STDIN, b"in\0put"));
        stdin.shutdown().await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), message(CLOSED, &[STDIN]));
        sizes.send_replace(Some(Size { columns: 90, rows: 30, pixels: (0, 0) }));
        assert_eq!(server.next().await.unwrap().unwrap(), message(RESIZE, br#"{"Width":90,"Height":30}"#));
        for (channel, text) in [(STDOUT, &b"out"[..]), (STDERR, b"err"), (STDOUT, b""), (9, b"?"), (STATUS, b"{}")] {
            server.send(message(channel, text)).await.unwrap();
        }
        server.close(None).await.unwrap();
        assert_eq!(status.await.unwrap(), Ok(b"{}".to_vec()));
        let (mut out, mut err) = (String::new(), String::new());
        stdout.read_to_string(&mut out).await.unwrap();
        stderr.read_to_string(&mut err).await.unwrap();
        assert_eq!((out.as_str(), err.as_str()), ("out", "err"));
    }

    #[tokio::test]
    async fn a_connection_that_breaks_has_no_status() {
        let Scene { server, status, .. } = scene().await;
        drop(server);
        // An empty status is none: whoever reads it says that the connection was broken off.
        assert!(status.await.unwrap().map_or(true, |status| status.is_empty()));
    }
}
