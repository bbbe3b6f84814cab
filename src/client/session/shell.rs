//! An interactive session at this terminal: keys go as they come, output is drawn as it comes, the size follows the window.
//!
//! Nothing here waits for the other side while a person may want to leave: keys are read (and `~.` is seen) while earlier
//! ones wait for room.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use russh::{ChannelWriteHalf, client};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::countdown::{Countdown, Left};
use super::ending::{Ending, Exit, Said};
use super::environment::Environment;
use super::output::Output;
use super::silence::Silence;
use super::{Session, SessionError};
use crate::client::signals::{Signal, Signals};
use crate::client::stdio::{self, Input, Writer};
use crate::client::terminal::escape::{Escape, Escapes, help};
use crate::client::terminal::modes::Tracker;
use crate::client::terminal::raw::Raw;
use crate::client::terminal::tty::{Change, Changes, Size, Tty, Use};
use crate::harmless::harmless;

/// What a shell needs to know about this side.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The kind of terminal: `TERM`.
    pub term: &'a str,
    /// What else of the environment goes along.
    pub environment: Environment<'a>,
    /// The key that begins an escape, if any does.
    pub escape: Option<u8>,
    /// This program, to be started again as the guardian.
    pub program: Option<&'a Path>,
}

impl Session {
    /// Opens the login's shell at this terminal and stays until it ends. The terminal is as before when this returns.
    ///
    /// # Errors
    /// When the session ends without a status, or the terminal fails.
    pub async fn shell(self, surroundings: Surroundings<'_>) -> Result<Exit, SessionError> {
        self.at_terminal(None, surroundings).await
    }

    /// Runs `command` (as it goes over the wire) at this terminal until it ends, as [`Session::shell`] does it.
    ///
    /// # Errors
    /// As [`Session::shell`].
    pub async fn exec_at_terminal(self, command: Vec<u8>, surroundings: Surroundings<'_>) -> Result<Exit, SessionError> {
        self.at_terminal(Some(command), surroundings).await
    }

    async fn at_terminal(self, command: Option<Vec<u8>>, surroundings: Surroundings<'_>) -> Result<Exit, SessionError> {
        let tty = Tty::of_process().map_err(terminal)?;
        let (mut reader, writer) = self.channel().await?.split();
        if let Err(error) = surroundings.environment.demand(&self, &mut reader, &writer).await {
            self.close().await;
            return Err(error);
        }
        let (size, modes) = (tty.size(), tty.ssh_modes());
        let Size { columns, rows, width, height } = size;
        // One flight: nothing here waits for an answer.
        let (columns, rows, width, height) = (columns.into(), rows.into(), width.into(), height.into());
        let pty = writer.request_pty(true, surroundings.term, columns, rows, width, height, &modes).await;
        pty.map_err(|_| self.lost())?;
        surroundings.environment.pass_on(&writer).await.map_err(|_| self.lost())?;
        let (asked, what) = match command {
            Some(command) => (writer.exec(true, command).await, "the command"),
            None => (writer.request_shell(true).await, "the shell"),
        };
        asked.map_err(|_| self.lost())?;
        let ending = Ending::new(["a terminal", what]);

        let mut screen = Screen::open(&self, &surroundings)?;
        let ended = self.converse(&mut reader, &writer, &tty, size, ending, &mut screen).await;
        // What did not end by itself has not finished its line.
        screen.leave(!matches!(&ended, Ok(Ended::ByChannel(ending)) if ending.is_reported())).await;
        match ended? {
            Ended::ByChannel(ending) => self.conclude(ending.into_exit()).await,
            Ended::Here(exit) => {
                self.close().await;
                Ok(exit)
            }
        }
    }

    async fn converse(
        &self,
        reader: &mut russh::ChannelReadHalf,
        writer: &ChannelWriteHalf<client::Msg>,
        tty: &Tty,
        first_size: Size,
        mut ending: Ending,
        screen: &mut Screen,
    ) -> Result<Ended, SessionError> {
        // They end ztctl here, so that the terminal is given back first.
        let mut signals = Signals::listen(&Signal::ALL).map_err(terminal)?;
        let mut changes = Changes::listen().map_err(terminal)?;
        let mut input = Input::of_process().map_err(terminal)?;
        let mut escapes = Escapes::new(screen.escape);
        let (keys, queued) = mpsc::channel(KEYS);
        let mut sending = pin!(send(queued, writer));
        let (sizes, changed) = tokio::sync::watch::channel(first_size);
        let mut resizing = pin!(resize(changed, writer));
        let (mut silence, mut first) = (Silence::new(), true);
        let mut countdown = Countdown::new(self.clock.clone(), self.local_deadline());
        let mut idling = Countdown::of_idleness(self.clock.clone(), self.idle, self.local_deadline());
        let mut at_end = false;
        let (mut sent, mut resized) = (false, false);
        // The window may have changed between the request and the first signal that would have told.
        let _ = sizes.send_if_modified(|size| std::mem::replace(size, tty.size()) != *size);
        loop {
            tokio::select! {
                message = reader.wait() => {
                if std::mem::take(&mut first) {
                    self.trace.step("command");
                }
                match ending.hear(message) {
                    Said::Output(bytes) | Said::Errors(bytes) => if let Some(exit) = screen.draw(bytes)? {
                        return Ok(Ended::Here(exit));
                    },
                    Said::Nothing => {}
                    Said::Refused(what) => return Err(self.refused(what)),
                    Said::Over => return Ok(Ended::ByChannel(ending)),
                }
                },
                read = next_keys(&keys, &mut input), if !at_end => {
                    let Some((room, read)) = read.map_err(terminal)? else {
                        at_end = true;
                        continue;
                    };
                    let (mut rest, mut out) = (&read[..], Vec::with_capacity(read.len() + 1));
                    while !rest.is_empty() {
                        let (taken, escape) = escapes.take(rest, &mut out);
                        rest = &rest[taken..];
                        match escape {
                            Some(Escape::Disconnect) => return Ok(Ended::Here(Exit::Left)),
                            Some(Escape::Help) => screen.help()?,
                            Some(Escape::Suspend) => {
                                screen.suspend().await?;
                                let _ = sizes.send(tty.size());
                            }
                            None => {}
                        }
                    }
                    if !out.is_empty() {
                        idling.typed();
                        room.send(Bytes::from(out));
                    }
                }
                () = &mut sending, if !sent => sent = true,
                () = &mut resizing, if !resized => resized = true,
                change = changes.next() => {
                    if change == Change::Resumed {
                        screen.raw.retake().map_err(terminal)?;
                    }
                    let _ = sizes.send(tty.size());
                }
                signal = signals.next() => return Ok(Ended::Here(Exit::Local(signal.number()))),
                error = screen.output.failed() => return screen.unwritten(error).map(Ended::Here),
                news = silence.news(self) => screen.tell_of_silence(&news?)?,
                left = countdown.news(screen.is_full()), if screen.is_between() => screen.tell_of_end(left)?,
                left = idling.news(screen.is_full()), if screen.is_between() => screen.tell_of_end(left)?,
            }
        }
    }
}

/// Which side ended it.
enum Ended {
    ByChannel(Ending),
    Here(Exit),
}

/// The terminal in the session's hands.
struct Screen {
    raw: Raw,
    output: Output,
    /// Reads the output along, where it goes to a terminal.
    tracker: Option<Tracker>,
    /// Whether the cursor is at the beginning of a line, as far as the last byte tells.
    line_start: bool,
    /// The key that begins an escape, if any does.
    escape: Option<u8>,
}

impl Screen {
    fn open(session: &Session, surroundings: &Surroundings<'_>) -> Result<Self, SessionError> {
        let output = Output::to(Writer::stdout().map_err(terminal)?, session.throttle.clone());
        let raw = Raw::enter(surroundings.program, Use::Session).map_err(terminal)?;
        Ok(Self {
            raw,
            output,
            tracker: io::stdout().is_terminal().then(Tracker::default),
            line_start: true,
            escape: surroundings.escape,
        })
    }

    /// Draws `bytes`. An exit when there is nobody to draw for.
    fn draw(&mut self, bytes: Bytes) -> Result<Option<Exit>, SessionError> {
        if let Some(tracker) = &mut self.tracker
            && tracker.read(&bytes)
        {
            self.raw.note(tracker.modes());
        }
        if let Some(last) = bytes.last() {
            self.line_start = *last == b'\n';
        }
        match self.output.write(bytes) {
            Ok(()) => Ok(None),
            Err(error) => self.unwritten(error).map(Some),
        }
    }

    /// Whether something has the whole screen: an editor, a pager.
    fn is_full(&self) -> bool {
        self.tracker.as_ref().is_some_and(|tracker| tracker.modes().in_alternate_screen())
    }

    /// Whether something can be said: it is a terminal, and no sequence is under way that the words would break.
    fn is_between(&self) -> bool {
        self.tracker.as_ref().is_some_and(Tracker::is_between)
    }

    fn tell_of_silence(&mut self, news: &str) -> Result<(), SessionError> {
        let way_out = self.escape.map(|key| format!(" ({}. leaves)", char::from(key))).unwrap_or_default();
        self.tell(&format!("[ztctl: {}{way_out}]", harmless(news)))
    }

    /// The last time with the bell: it may not be looked at.
    fn tell_of_end(&mut self, left: Left) -> Result<(), SessionError> {
        self.tell(&format!("[ztctl: {left}]{}", if left.last { "\x07" } else { "" }))
    }

    /// Says something of this side's, on a line of its own.
    fn tell(&mut self, news: &str) -> Result<(), SessionError> {
        self.line_start = true;
        self.output.write(Bytes::from(format!("\r\n{news}\r\n"))).map_err(terminal)
    }

    fn help(&mut self) -> Result<(), SessionError> {
        let text: String = help(self.escape).iter().map(|line| format!("\r\n{line}")).collect();
        self.output.write(Bytes::from(text + "\r\n")).map_err(terminal)
    }

    async fn suspend(&mut self) -> Result<(), SessionError> {
        let _ = timeout(LAST_OUTPUT, self.output.finish()).await;
        match self.raw.suspend() {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.output.write(Bytes::from(format!("\r\n{error}\r\n"))).map_err(terminal)
            }
            suspended => suspended.map_err(terminal),
        }
    }

    /// A terminal that is gone ends the session as its hang-up would; a reader of a pipe, as SIGPIPE.
    fn unwritten(&self, source: io::Error) -> Result<Exit, SessionError> {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Ok(Exit::Local(SIGPIPE)),
            _ if stdio::is_hang_up(&source) => Ok(Exit::Local(Signal::Hangup.number())),
            _ => Err(terminal(source)),
        }
    }

    /// Draws what is left and gives the terminal back; with `fresh_line` at the beginning of a line, for what comes next.
    async fn leave(mut self, fresh_line: bool) {
        if fresh_line && !self.line_start {
            let _ = self.output.write(Bytes::from_static(b"\r\n"));
        }
        // A terminal that takes nothing must not keep ztctl.
        let _ = timeout(LAST_OUTPUT, self.output.finish()).await;
    }
}

/// The next keys, once there is a place for them in the queue. Cancelling loses none.
async fn next_keys<'a>(
    keys: &'a mpsc::Sender<Bytes>,
    input: &mut Input,
) -> io::Result<Option<(mpsc::Permit<'a, Bytes>, Bytes)>> {
    let Ok(room) = keys.reserve().await else { return Ok(None) };
    Ok(input.read().await?.map(|read| (room, read)))
}

/// Sends the keys; ends when the channel takes no more.
async fn send(mut queued: mpsc::Receiver<Bytes>, writer: &ChannelWriteHalf<client::Msg>) {
    while let Some(keys) = queued.recv().await {
        if writer.data_bytes(keys).await.is_err() {
            return;
        }
    }
}

/// Tells every size, but of several that wait only the last.
async fn resize(mut sizes: tokio::sync::watch::Receiver<Size>, writer: &ChannelWriteHalf<client::Msg>) {
    while sizes.changed().await.is_ok() {
        let Size { columns, rows, width, height } = *sizes.borrow_and_update();
        if writer.window_change(columns.into(), rows.into(), width.into(), height.into()).await.is_err() {
            return;
        }
    }
}

fn terminal(source: io::Error) -> SessionError {
    SessionError::Local { what: "terminal", source }
}

/// How many reads of keys wait for room at the other side: 4095 bytes each at most, so a paste of a megabyte. When it is
/// full, the terminal keeps the rest.
const KEYS: usize = 256;

/// How long the last output may take.
const LAST_OUTPUT: Duration = Duration::from_secs(2);

const SIGPIPE: u8 = 13;
