//! A channel's bytes: the client's input to the process, and the process's outputs to the client, each at the pace of its reader.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::agent::process::{Input, Output};
use crate::agent::server::Activity;
use crate::agent::waiting::Waiting;

/// Hands the client's input to the process. Returns when the client closes the channel or leaves.
///
/// What a process does not read any more is dropped, as a closed pipe would; what it does not read yet waits here, counted in
/// `waiting`, by which the door slows the client down. SSH's own queue is emptied at once: a full one would stop the whole link.
/// `over` is set once the process gets nothing more: its input has ended, or it has closed it.
pub(in crate::agent) async fn feed(
    mut reader: ChannelReadHalf,
    stdin: Input,
    kind: Fed,
    waiting: &Waiting,
    over: &watch::Sender<bool>,
) {
    let mut stdin = Some(stdin);
    let (mut queue, mut counted, mut ended) = (VecDeque::<Bytes>::new(), waiting.share(), false);
    loop {
        let message = match (&mut stdin, queue.front_mut()) {
            (Some(open), Some(next)) => tokio::select! {
                message = reader.wait() => message,
                written = open.write(next) => {
                    match written {
                        Ok(written @ 1..) => {
                            next.advance(written);
                            counted.less(written);
                            if next.is_empty() {
                                queue.pop_front();
                            }
                        }
                        _ => {
                            stdin = None;
                            over.send_replace(true);
                        }
                    }
                    continue;
                }
            },
            (Some(open), None) if ended => {
                // A terminal has no half-close; end-of-file is a character that its line discipline knows.
                let _ = if kind == Fed::Terminal { open.write_all(&[END_OF_FILE]).await } else { open.shutdown().await };
                stdin = None;
                over.send_replace(true);
                continue;
            }
            (None, Some(_)) => {
                queue.clear();
                counted.nothing();
                continue;
            }
            (_, None) => reader.wait().await,
        };
        match message {
            Some(ChannelMsg::Data { data }) if stdin.is_some() && !ended && !data.is_empty() => {
                counted.more(data.len());
                queue.push_back(data);
            }
            Some(ChannelMsg::Eof) => ended = true,
            Some(ChannelMsg::Close) | None => {
                if let (Fed::Connection, Some(open)) = (kind, &mut stdin) {
                    let rest = async {
                        for mut bytes in queue.drain(..) {
                            open.write_all_buf(&mut bytes).await?;
                        }
                        open.shutdown().await
                    };
                    let _ = tokio::time::timeout(FLUSH, rest).await;
                }
                return;
            }
            Some(_) => {}
        }
    }
}

/// What is fed, as far as its ends differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Fed {
    /// A process, to which nobody listens when the channel is closed.
    Process,
    /// The same on a terminal, which has no half-close.
    Terminal,
    /// A connection, whose other end gets all that was sent.
    Connection,
}

/// Copies one output to the client, at the pace at which the client takes it.
///
/// It ends with the stream; or, as a process in the background may keep that open for ever, once the channel's own process has ended
/// and nothing more comes for [`QUIET`] or more has come than a pipe can have held.
pub(in crate::agent) async fn drain(
    mut stream: Output,
    writer: &ChannelWriteHalf<Msg>,
    kind: Option<u32>,
    mut exited: watch::Receiver<bool>,
    activity: Option<&Activity>,
) {
    let mut buffer = BytesMut::new();
    let mut after_exit = 0;
    while after_exit <= PIPE_LIMIT {
        buffer.reserve(CHUNK);
        let ended = *exited.borrow_and_update();
        let read = if ended {
            match tokio::time::timeout(QUIET, stream.read_buf(&mut buffer)).await {
                Ok(read) => read,
                Err(_) => return,
            }
        } else {
            tokio::select! {
                read = stream.read_buf(&mut buffer) => read,
                _ = exited.changed() => continue,
            }
        };
        let Ok(1..) = read else { return };
        if let Some(activity) = activity {
            activity.seen();
        }
        let output: Bytes = buffer.split().freeze();
        if ended {
            after_exit += output.len();
        }
        let sent = match kind {
            None => writer.data_bytes(output).await,
            Some(kind) => writer.extended_data_bytes(kind, output).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Ctrl-D.
const END_OF_FILE: u8 = 4;

/// One SSH packet.
const CHUNK: usize = 32 * 1024;

/// What is in a terminal's or a pipe's buffer is readable in far less; a tail later than this is somebody else's.
const QUIET: Duration = Duration::from_millis(200);

/// The most that a pipe can hold (`/proc/sys/fs/pipe-max-size`): more than that after the end is not the process's own output.
const PIPE_LIMIT: usize = 1024 * 1024;

/// How long the rest of what was sent may take to be taken.
const FLUSH: Duration = Duration::from_secs(10);
