//! One channel: leave to run, a process, its streams, its end.
//!
//! The order at the end is the protocol's and what clients rely on: all output, the exit status, the end of the output, the close.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::agent::connector::Request;
use crate::agent::environment::Variables;
use crate::agent::process::{Control, Ending, Input, Output, Process, Size};
use crate::agent::program::Asked;
use crate::agent::reaper::Exit;
use crate::agent::server::{Activity, Session};
use crate::agent::signals::sig_of;
use crate::agent::waiting::Waiting;
use crate::proto::Action;
use crate::proto::agent::ChannelReport;
use crate::proto::logs::LogsRequest;

/// What a client wants on a channel.
#[derive(Debug)]
pub(super) struct Wanted {
    /// What is to run.
    pub(super) wish: Wish,
    /// What it added to the environment.
    pub(super) variables: Variables,
    /// Whether on a terminal, whose size is in [`Running`].
    pub(super) terminal: bool,
}

/// What can run on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// A shell, a command, or the files.
    Run(Asked),
    /// The container's logs.
    Logs(LogsRequest),
}

impl Wish {
    /// The action that it takes.
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Run(Asked::Shell) => Action::Shell,
            Self::Run(Asked::Command(_)) => Action::Exec,
            Self::Run(Asked::Files) => Action::Copy,
            Self::Logs(_) => Action::Logs,
        }
    }

    fn report(&self) -> ChannelReport {
        match self {
            Self::Run(Asked::Shell) => ChannelReport::Shell,
            Self::Run(Asked::Command(command)) => ChannelReport::Exec { command: reported(command) },
            Self::Run(Asked::Files) => ChannelReport::Copy,
            Self::Logs(_) => ChannelReport::Logs,
        }
    }
}

/// What reaches a channel's process beside its streams, as soon as there is a process.
#[derive(Debug)]
pub(super) struct Running {
    /// Set once it runs.
    pub(super) control: OnceLock<Arc<dyn Control>>,
    /// The terminal's last known size.
    pub(super) size: Mutex<Option<Size>>,
}

impl Running {
    /// A new size, for the process or for when there will be one.
    pub(super) fn resize(&self, size: Size) {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner) = Some(size);
        if let Some(control) = self.control.get() {
            control.resize(size);
        }
    }

    fn size(&self) -> Option<Size> {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the channel to its end.
pub(super) async fn run(
    session: Arc<Session>,
    channel: Channel<Msg>,
    connection: Handle,
    mut wanted: Wanted,
    running: Arc<Running>,
) {
    let id = channel.id();
    let requested = wanted.wish.report();
    if let (Some(forced), Wish::Run(asked @ (Asked::Shell | Asked::Command(_)))) =
        (&session.grant.force_command, &mut wanted.wish)
    {
        let forced = Asked::Command(forced.clone().into_bytes());
        if let Asked::Command(original) = std::mem::replace(asked, forced.clone())
            && Asked::Command(original.clone()) != forced
        {
            use std::os::unix::ffi::OsStringExt;
            let original = original.into_iter().filter(|byte| *byte != 0).collect();
            wanted.variables.insert("SSH_ORIGINAL_COMMAND".into(), std::ffi::OsString::from_vec(original));
        }
    }
    let (reader, writer) = channel.split();
    let voice = Voice { writer: &writer, terminal: wanted.terminal };
    let effective = wanted.wish.report();
    if !session.take_declared(&[&requested, &effective])
        && let Err(why) = session.host.ask(session.grant.session, effective).await
    {
        voice.say(&why).await;
        let _ = connection.channel_failure(id).await;
        let _ = writer.close().await;
        return;
    }
    let (connector, runtime_id) = (&session.host.connector, &session.container.runtime_id);
    let variables = std::mem::take(&mut wanted.variables);
    let start = async {
        let asked = match &wanted.wish {
            Wish::Logs(request) => return connector.logs(runtime_id, request).await,
            Wish::Run(asked) => asked,
        };
        let request = Request {
            session: session.grant.session,
            user: &session.grant.user,
            login: &session.grant.login,
            asked,
            variables,
            terminal: running.size().filter(|_| wanted.terminal),
            trampoline: &session.host.trampoline,
        };
        connector.start(runtime_id, &request).await
    };
    let Some(started) = session.start(start).await else {
        let _ = connection.channel_failure(id).await;
        let _ = writer.close().await;
        return;
    };
    let _ = connection.channel_success(id).await;
    let process = match started {
        Ok(process) => process,
        Err(error) => {
            voice.say(&error.to_string()).await;
            return finish(&connection, &writer, Exit::Status(error.status())).await;
        }
    };
    // The size may have changed while the broker was asked.
    if let (Ok(()), Some(size)) = (running.control.set(process.control.clone()), running.size()) {
        process.control.resize(size);
    }
    let control = process.control.clone();
    let mut ending = session.ending.subscribe();
    let Process { stdin, stdout, stderr, ending: end, .. } = process;
    let (exited, seen) = watch::channel(false);
    let over = watch::Sender::new(false);
    let fed = if control.has_terminal() { Fed::Terminal } else { Fed::Process };
    let output = (!control.has_terminal()).then_some(&session.activity);
    let ended = async { ending.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) };
    let work = async {
        let both = async {
            let errors = async {
                if let Some(stderr) = stderr {
                    drain(stderr, &writer, Some(STDERR), seen.clone(), output).await;
                }
            };
            tokio::join!(drain(stdout, &writer, None, seen.clone(), output), errors)
        };
        let end = async {
            let end = end.await;
            exited.send_replace(true);
            end
        };
        tokio::join!(both, end).1
    };
    tokio::pin!(ended);
    let end = tokio::select! {
        // The session's end first: it is what hangs up the process, so both may be true at once.
        biased;
        reason = &mut ended => return leave(&voice, &writer, reason).await,
        end = work => end,
        // The client has closed the channel: nobody listens any more.
        () = feed(reader, stdin, fed, &session.waiting, &over) => return control.signal(Signal::HUP),
    };
    match end {
        Ending::Exit(exit) => {
            session.exited(exit);
            finish(&connection, &writer, exit).await;
        }
        // The session ends with the reason.
        Ending::Lost(None) => {
            session.stopped.cancel();
            let reason = ended.await;
            leave(&voice, &writer, reason).await;
        }
        Ending::Lost(Some(why)) => {
            voice.say(&why).await;
            // Without a status there is no success either.
            finish(&connection, &writer, Exit::Status(u8::MAX)).await;
        }
    }
}

/// Closes the channel of a session that is over, with its reason where there is one to tell.
async fn leave(voice: &Voice<'_>, writer: &ChannelWriteHalf<Msg>, reason: Option<String>) {
    if let Some(reason) = reason.filter(|reason| !reason.is_empty()) {
        let _ = tokio::time::timeout(SAY, voice.say(&reason)).await;
    }
    let _ = writer.eof().await;
    let _ = writer.close().await;
}

/// The channel's words to its user, in between what the process says.
struct Voice<'a> {
    writer: &'a ChannelWriteHalf<Msg>,
    terminal: bool,
}

impl Voice<'_> {
    async fn say(&self, sentence: &str) {
        // A terminal may be in raw mode: both characters of a line's end, before and after.
        let _ = if self.terminal {
            self.writer.data_bytes(format!("\r\nztctl: {sentence}\r\n").into_bytes()).await
        } else {
            self.writer.extended_data_bytes(STDERR, format!("ztctl: {sentence}\n").into_bytes()).await
        };
    }
}

async fn finish(connection: &Handle, writer: &ChannelWriteHalf<Msg>, exit: Exit) {
    let _ = match exit {
        Exit::Status(status) => writer.exit_status(status.into()).await.is_ok(),
        Exit::Signal(signal) => {
            let name = sig_of(signal);
            connection.exit_signal_request(writer.id(), name, false, String::new(), String::new()).await.is_ok()
        }
    };
    let _ = writer.eof().await;
    let _ = writer.close().await;
}

/// Hands the client's input to the process. Returns when the client closes the channel or leaves.
///
/// What a process does not read any more is dropped, as a closed pipe would; what it does not read yet waits here, counted in
/// `waiting`, by which the door slows the client down. SSH's own queue is emptied at once: a full one would stop the whole link.
/// `over` is set once the process gets nothing more: its input has ended, or it has closed it.
pub(super) async fn feed(mut reader: ChannelReadHalf, stdin: Input, kind: Fed, waiting: &Waiting, over: &watch::Sender<bool>) {
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
pub(super) enum Fed {
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
pub(super) async fn drain(
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

/// A command as reports have it: lossy UTF-8, cut at 4 KiB and at a letter's border.
fn reported(command: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(command).into_owned();
    text.truncate(text.floor_char_boundary(REPORTED));
    text
}

/// SSH's number for stderr (RFC 4254 §5.2).
const STDERR: u32 = 1;

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

/// How long a full client may keep the session's last words.
const SAY: Duration = Duration::from_millis(500);

/// The most bytes of a command in a report.
const REPORTED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_cut_at_a_letter() {
        assert_eq!(reported(b"ls \xff"), "ls \u{fffd}");
        let long = reported("ü".repeat(4000).as_bytes());
        assert!(long.len() <= REPORTED && long.chars().all(|letter| letter == 'ü'));
        assert_eq!(reported(format!("x{}", "ü".repeat(4000)).as_bytes()).len(), REPORTED - 1);
    }
}
