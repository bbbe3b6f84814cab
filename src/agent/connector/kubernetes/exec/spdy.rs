//! A command's streams over SPDY/3.1, as clusters before 1.30 speak it: a stream each, which can be ended by itself.
//!
//! Of the protocol only what a command needs: five streams that the client opens, data on them, their ends, pings. Servers ignore
//! windows and priorities, so they are left out; the headers of answers tell nothing and are not looked into; ours are written as a
//! zlib stream that stores and does not compress, so that neither side needs the other's dictionary.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Ends, next_size, size_json};
use crate::agent::process::Size;

/// The protocol's name, for what the streams mean.
pub(super) const PROTOCOL: &str = "v4.channel.k8s.io";

/// Carries the streams until the command has ended; its status, as the cluster tells it.
pub(in crate::agent) async fn carry<S: AsyncRead + AsyncWrite + Send + 'static>(
    upgraded: S,
    ends: Ends,
) -> Result<Vec<u8>, String> {
    let Ends { stdin, stdout, stderr, sizes } = ends;
    let (reader, mut writer) = tokio::io::split(upgraded);
    let failed = |error: io::Error| format!("the connection to the cluster failed: {error}");
    let mut headers = Headers::default();
    let mut open = vec![(STATUS, "error")];
    if stdin.is_some() {
        open.push((STDIN, "stdin"));
    }
    open.push((STDOUT, "stdout"));
    open.push(if sizes.is_some() { (RESIZE, "resize") } else { (STDERR, "stderr") });
    // Streams are opened in the order of their numbers.
    open.sort_unstable();
    for (stream, kind) in open {
        writer.write_all(&headers.open(stream, kind)).await.map_err(failed)?;
    }
    writer.flush().await.map_err(failed)?;
    let (echo, pings) = mpsc::channel(PINGS);
    tokio::select! {
        status = receive(reader, stdout, stderr, echo) => status,
        Err(error) = send(writer, stdin, sizes, pings) => Err(failed(error)),
    }
}

async fn receive<R: AsyncRead>(
    mut reader: ReadHalf<R>,
    mut stdout: DuplexStream,
    mut stderr: DuplexStream,
    echo: mpsc::Sender<u32>,
) -> Result<Vec<u8>, String> {
    let (mut status, mut ended) = (Vec::new(), false);
    loop {
        let frame = async {
            let mut head = [0; HEAD];
            reader.read_exact(&mut head).await?;
            Ok::<_, io::Error>(head)
        };
        let head = match ended {
            false => frame.await,
            // The status has come whole; what else there is comes right behind it.
            true => timeout(CLOSE, frame).await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into())),
        };
        let head = match head {
            Ok(head) => head,
            Err(_) if ended || !status.is_empty() => return Ok(status),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(status),
            Err(error) => return Err(format!("the connection to the cluster failed: {error}")),
        };
        let (first, length) = (number(&head[..4]), (number(&head[4..]) & 0xff_ffff) as usize);
        let flags = head[4];
        let broken = |error: io::Error| format!("the connection to the cluster failed: {error}");
        if first & CONTROL != 0 {
            let body = control(&mut reader, length).await.map_err(broken)?;
            match first & 0xffff {
                PING => {
                    let id = number(body.get(..4).unwrap_or(&[0; 4]));
                    // Ours are odd. When many wait, the server has had its answer.
                    if id.is_multiple_of(2) {
                        let _ = echo.try_send(id);
                    }
                }
                RESET if number(body.get(..4).unwrap_or(&[0; 4])) == STATUS => return Ok(status),
                GOAWAY => return Ok(status),
                _ => {}
            }
            continue;
        }
        let mut rest = (&mut reader).take(length as u64);
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(CHUNK);
            if rest.read_buf(&mut buffer).await.map_err(broken)? == 0 {
                break;
            }
            let written = match first {
                STDOUT => stdout.write_all(&buffer).await,
                STDERR => stderr.write_all(&buffer).await,
                STATUS if status.len() + buffer.len() <= STATUS_LIMIT => {
                    status.extend_from_slice(&buffer);
                    Ok(())
                }
                _ => Ok(()),
            };
            buffer.clear();
            if written.is_err() {
                return Err("nobody reads the command's output any more".to_owned());
            }
        }
        if rest.limit() > 0 {
            return Ok(status);
        }
        ended |= first == STATUS && flags & FIN != 0;
    }
}

/// The body of a control frame, as far as it matters: of what is long nothing does.
async fn control<R: AsyncRead>(reader: &mut ReadHalf<R>, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length.min(8)];
    reader.read_exact(&mut body).await?;
    let rest = (length - body.len()) as u64;
    let skipped = tokio::io::copy(&mut reader.take(rest), &mut tokio::io::sink()).await?;
    if skipped < rest { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(body) }
}

async fn send<W: AsyncWrite>(
    mut writer: WriteHalf<W>,
    mut stdin: Option<DuplexStream>,
    mut sizes: Option<tokio::sync::watch::Receiver<Option<Size>>>,
    mut pings: mpsc::Receiver<u32>,
) -> io::Result<()> {
    let mut ping = interval(PING_EVERY);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let (mut buffer, mut own) = (BytesMut::new(), 1);
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
        let frame = tokio::select! {
            read = input => match read {
                Ok(1..) => data(STDIN, 0, &buffer.split()),
                _ => {
                    stdin = None;
                    data(STDIN, FIN, &[])
                }
            },
            size = next_size(&mut sizes) => data(RESIZE, 0, size_json(size).as_bytes()),
            Some(id) = pings.recv() => control_frame(PING, &id.to_be_bytes()),
            _ = ping.tick() => {
                own += 2;
                control_frame(PING, &u32::to_be_bytes(own))
            }
        };
        writer.write_all(&frame).await?;
        writer.flush().await?;
    }
}

/// A frame of data; `flags` is [`FIN`] or 0.
fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = stream.to_be_bytes().to_vec();
    frame.extend_from_slice(&(u32::from(flags) << 24 | payload.len() as u32).to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn control_frame(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut frame = (CONTROL | VERSION << 16 | kind).to_be_bytes().to_vec();
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The one zlib stream of all our headers.
#[derive(Debug, Default)]
struct Headers {
    begun: bool,
}

impl Headers {
    /// The frame that opens a stream of this kind.
    fn open(&mut self, stream: u32, kind: &str) -> Vec<u8> {
        let mut pairs = 1_u32.to_be_bytes().to_vec();
        for text in ["streamtype", kind] {
            pairs.extend_from_slice(&(text.len() as u32).to_be_bytes());
            pairs.extend_from_slice(text.as_bytes());
        }
        // The stream's number, none that it belongs to, and the highest priority.
        let mut body = [stream.to_be_bytes(), [0; 4]].concat();
        body.extend_from_slice(&[0, 0]);
        if !std::mem::replace(&mut self.begun, true) {
            body.extend_from_slice(&ZLIB);
        }
        // A stored block that is not the last (RFC 1951 §3.2.4): a byte, the length, the length's complement, the bytes.
        let length = pairs.len() as u16;
        body.push(0);
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&(!length).to_le_bytes());
        body.extend_from_slice(&pairs);
        body.extend_from_slice(&FLUSH);
        control_frame(SYN_STREAM, &body)
    }
}

/// The first four of at most four bytes, big-endian.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Ours, so odd.
const STATUS: u32 = 1;
const STDIN: u32 = 3;
const STDOUT: u32 = 5;
const STDERR: u32 = 7;
const RESIZE: u32 = 9;

const CONTROL: u32 = 1 << 31;
const VERSION: u32 = 3;
const SYN_STREAM: u32 = 1;
const RESET: u32 = 3;
const PING: u32 = 6;
const GOAWAY: u32 = 7;

/// The stream's last frame.
const FIN: u8 = 1;

/// The bytes before a frame's body.
const HEAD: usize = 8;

/// The header of a zlib stream of the least effort and without a dictionary (RFC 1950 §2.2).
const ZLIB: [u8; 2] = [0x78, 0x01];

/// An empty stored block: readers give what came before it on, and do not wait for more.
const FLUSH: [u8; 5] = [0, 0, 0, 0xff, 0xff];

/// One read.
const CHUNK: usize = 32 * 1024;

/// The most bytes of a status that are kept.
const STATUS_LIMIT: usize = 64 * 1024;

/// Pings that wait to be answered.
const PINGS: usize = 8;

/// Load balancers cut at 60 s of silence.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How long the rest may come after the status.
const CLOSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;

    async fn frame(server: &mut DuplexStream) -> (u32, u8, Vec<u8>) {
        let mut head = [0; HEAD];
        server.read_exact(&mut head).await.unwrap();
        let mut body = vec![0; (number(&head[4..]) & 0xff_ffff) as usize];
        server.read_exact(&mut body).await.unwrap();
        (number(&head[..4]), head[4], body)
    }

    /// A scene with the streams opened.
    async fn scene(terminal: bool) -> (DuplexStream, Running, watch::Sender<Option<Size>>) {
        let (near, mut server) = tokio::io::duplex(64);
        let (stdin, near_stdin) = tokio::io::duplex(1024);
        let (stdout, near_stdout) = tokio::io::duplex(1024);
        let (stderr, near_stderr) = tokio::io::duplex(1024);
        let (sizes, receiver) = watch::channel(None);
        let ends =
            Ends { stdin: Some(near_stdin), stdout: near_stdout, stderr: near_stderr, sizes: terminal.then_some(receiver) };
        let status = tokio::spawn(carry(near, ends));
        let kinds = if terminal { ["error", "stdin", "stdout", "resize"] } else { ["error", "stdin", "stdout", "stderr"] };
        for (index, kind) in kinds.into_iter().enumerate() {
            let (first, _, body) = frame(&mut server).await;
            assert_eq!(first, 0x8003_0001);
            let stream = if kind == "resize" { RESIZE } else { 1 + 2 * index as u32 };
            assert_eq!(number(&body), stream);
            assert!(body.ends_with(&[kind.as_bytes(), &FLUSH].concat()), "{body:?}");
            assert_eq!(body[10..12] == ZLIB, index == 0, "the zlib stream begins once");
        }
        (server, Running { stdin, stdout, stderr, status }, sizes)
    }

    struct Running {
        stdin: DuplexStream,
        stdout: DuplexStream,
        stderr: DuplexStream,
        status: tokio::task::JoinHandle<Result<Vec<u8>, String>>,
    }

    #[tokio::test]
    async fn streams_cross_and_the_input_is_half_closed() {
        let (mut server, mut command, _sizes) = scene(false).await;
        command.stdin.write_all(b"in\0put").await.unwrap();
        assert_eq!(frame(&mut server).await, (STDIN, 0, b"in\0put".to_vec()));
        command.stdin.shutdown().await.unwrap();
        assert_eq!(frame(&mut server).await, (STDIN, FIN, Vec::new()));
        // An answer with headers, a ping, an unknown frame, data, and the ends.
        for control in [(2, &[0; 40][..]), (PING, &[0, 0, 0, 2]), (9, &[0; 8]), (4, &[0; 4])] {
            server.write_all(&control_frame(control.0, control.1)).await.unwrap();
        }
        assert_eq!(frame(&mut server).await, (0x8003_0006, 0, vec![0, 0, 0, 2]));
        let long = vec![b'x'; 700];
        server.write_all(&data(STDOUT, 0, &long)).await.unwrap();
        server.write_all(&data(STDERR, FIN, b"err")).await.unwrap();
        server.write_all(&data(STATUS, 0, b"{\"status\":")).await.unwrap();
        server.write_all(&data(STATUS, FIN, b"\"Success\"}")).await.unwrap();
        server.write_all(&data(STDOUT, FIN, b"last")).await.unwrap();
        drop(server);
        assert_eq!(command.status.await.unwrap().unwrap(), b"{\"status\":\"Success\"}");
        let (mut out, mut err) = (Vec::new(), Vec::new());
        command.stdout.read_to_end(&mut out).await.unwrap();
        command.stderr.read_to_end(&mut err).await.unwrap();
        assert_eq!((out, err.as_slice()), ([&long[..], b"last"].concat(), &b"err"[..]));
    }

    #[tokio::test]
    async fn a_terminal_has_its_sizes_and_one_output() {
        let (mut server, _command, sizes) = scene(true).await;
        sizes.send_replace(Some(Size { columns: 90, rows: 30, pixels: (0, 0) }));
        assert_eq!(frame(&mut server).await, (RESIZE, 0, br#"{"Width":90,"Height":30}"#.to_vec()));
    }

    #[tokio::test]
    async fn hostile_frames_end_it_and_store_nothing() {
        for bytes in
            [&b"\x80\x03\0\x01\0\xff\xff\xff"[..], b"\0\0\0\x05\x01\xff\xff\xff..", b"HTTP/1.1 200 OK\r\n\r\n", b"\x80"]
        {
            let (mut server, command, _sizes) = scene(false).await;
            server.write_all(bytes).await.unwrap();
            drop(server);
            let status = tokio::time::timeout(Duration::from_secs(10), command.status).await.unwrap().unwrap();
            assert!(status.map_or(true, |status| status.is_empty()), "{bytes:?}");
        }
        // A status without an end is bounded.
        let (mut server, command, _sizes) = scene(false).await;
        let write = tokio::spawn(async move {
            for _ in 0..200 {
                if server.write_all(&data(STATUS, 0, &[b'x'; 1000])).await.is_err() {
                    return;
                }
            }
        });
        assert!(command.status.await.unwrap().unwrap().len() <= STATUS_LIMIT);
        write.await.unwrap();
    }
}
