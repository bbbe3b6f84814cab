//! One channel: leave to run, a process, its streams, its end.
//!
//! The order at the end is the protocol's and what clients rely on: all output, the exit status, the end of the output, the close.

mod streams;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use russh::server::{Handle, Msg};
use russh::{Channel, ChannelWriteHalf};
use rustix::process::Signal;
use tokio::sync::watch;

use crate::agent::connector::Request;
use crate::agent::environment::Variables;
use crate::agent::process::{Control, Ending, Process, Size};
use crate::agent::program::Asked;
use crate::agent::reaper::Exit;
use crate::agent::server::Session;
use crate::agent::signals::sig_of;
use crate::proto::Action;
use crate::proto::agent::ChannelReport;
use crate::proto::logs::LogsRequest;

pub(super) use streams::{Fed, drain, feed};

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

/// A command as reports have it: lossy UTF-8, cut at 4 KiB and at a letter's border.
fn reported(command: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(command).into_owned();
    text.truncate(text.floor_char_boundary(REPORTED));
    text
}

/// SSH's number for stderr (RFC 4254 §5.2).
const STDERR: u32 = 1;

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
