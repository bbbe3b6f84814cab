//! One command without a terminal, or a container's logs: this process's streams are the command's, byte for byte, each end passed on by
//! itself.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use russh::{ChannelWriteHalf, Sig, client};
use tokio::time::{sleep, timeout};

use super::ending::{Ending, Exit, Said};
use super::environment::Environment;
use super::output::Output;
use super::silence::Silence;
use super::throttle::Throttle;
use super::{Session, SessionError};
use crate::client::signals::{Signal, Signals};
use crate::client::stdio::{Input, Writer};
use crate::proto::logs::LogsRequest;

impl Session {
    /// Runs `command` (as it goes over the wire) with `environment` until it ends, on this process's standard input or, where nothing
    /// `reads` that, on none.
    ///
    /// SIGINT and SIGTERM are passed on, and ztctl leaves with 128 and their number once the command has ended; the second
    /// one, or [`SIGNAL_PATIENCE`], ends it at once. A reader of standard output that went away ends it as SIGPIPE would.
    ///
    /// # Errors
    /// When the session ends without a status, or the local streams fail.
    pub async fn exec(self, command: Vec<u8>, environment: Environment<'_>, reads: bool) -> Result<Exit, SessionError> {
        let input = if reads { Input::of_process() } else { Ok(Input::empty()) };
        let input = input.map_err(|source| SessionError::Local { what: "input", source })?;
        self.carry(Errand::Command { command, environment, input }).await
    }

    /// Writes what `request` asks of the container's logs, until it ends or SIGINT or SIGTERM comes: then it leaves at once.
    ///
    /// # Errors
    /// When the session ends without a status, or the local streams fail.
    pub async fn logs(self, request: &LogsRequest) -> Result<Exit, SessionError> {
        self.carry(Errand::Logs(request)).await
    }

    async fn carry(self, mut errand: Errand<'_>) -> Result<Exit, SessionError> {
        let mut signals = Signals::listen(&PASSED_ON).map_err(|source| SessionError::Local { what: "signals", source })?;
        let mut stdout = output(Writer::stdout(), self.throttle.clone())?;
        let mut stderr = output(Writer::stderr(), self.throttle.clone())?;
        let (mut reader, writer) = self.channel().await?.split();
        // One flight: nothing here waits for an answer.
        if let Err(error) = errand.environment().demand(&self, &mut reader, &writer).await {
            self.close().await;
            return Err(error);
        }
        let what = errand.request(&writer).await.map_err(|_| self.lost())?;
        let (waits, mut ending) = (errand.waits_for_an_end(), Ending::new([what]));

        let mut feeding = pin!(errand.feed(&writer));
        let mut patience = pin!(sleep(Duration::ZERO));
        let (mut silence, mut first) = (Silence::new(), true);
        let (mut fed, mut over, mut errors_read) = (false, false, true);
        let mut leaving: Option<u8> = None;
        loop {
            tokio::select! {
                message = reader.wait(), if !over => {
                if std::mem::take(&mut first) {
                    self.trace.step("command");
                }
                match ending.hear(message) {
                    Said::Output(bytes) => if let Err(error) = stdout.write(bytes) {
                        return self.unwritten(error).await;
                    },
                    Said::Errors(bytes) => if errors_read && stderr.write(bytes).is_err() {
                        // Nobody reads the errors: no reason to stop the command.
                        errors_read = false;
                    },
                    Said::Nothing => {}
                    Said::Refused(what) => {
                        let error = self.refused(what);
                        self.close().await;
                        return Err(error);
                    }
                    Said::Over => over = true,
                }
                },
                read = &mut feeding, if !fed => {
                    fed = true;
                    read.map_err(|source| SessionError::Local { what: "input", source })?;
                }
                error = stdout.failed() => return self.unwritten(error).await,
                () = written(&stdout, &stderr), if over => break,
                signal = signals.next() => {
                    if leaving.is_some() {
                        return Ok(Exit::Local(signal.number()));
                    }
                    leaving = Some(signal.number());
                    if !waits {
                        break;
                    }
                    patience.as_mut().reset(tokio::time::Instant::now() + SIGNAL_PATIENCE);
                    // A queue that is full because the link is stuck must not hold up the leaving.
                    let _ = timeout(SIGNAL_SENT, writer.signal(name(signal))).await;
                }
                () = &mut patience, if leaving.is_some() => break,
                news = silence.news(&self) => {
                    let news = news?;
                    if io::stderr().is_terminal() {
                        let _ = stderr.write(format!("ztctl: {news}\n").into());
                    }
                }
            }
        }
        match leaving {
            Some(number) => {
                self.close().await;
                Ok(Exit::Local(number))
            }
            None => self.conclude(ending.into_exit()).await,
        }
    }

    /// Standard output cannot be written: the command has nobody to talk to.
    async fn unwritten(self, source: io::Error) -> Result<Exit, SessionError> {
        self.close().await;
        match source.kind() {
            io::ErrorKind::BrokenPipe => Ok(Exit::Local(SIGPIPE)),
            _ => Err(SessionError::Local { what: "output", source }),
        }
    }

    /// The channel is over: its exit, or why there is none.
    pub(super) async fn conclude(mut self, exit: Option<Exit>) -> Result<Exit, SessionError> {
        if let Some(exit @ Exit::Status(_)) = exit {
            self.close().await;
            return Ok(exit);
        }
        // A session that is ended on purpose loses its process first; the reason comes right behind.
        let patience = if exit.is_some() { RIGHT_BEHIND } else { LAST_WORDS };
        let _ = timeout(patience, &mut self.handle).await;
        match (exit, self.farewell.take(&self.name)) {
            (_, Some(ended @ (SessionError::Ended { .. } | SessionError::ContainerEnded { .. }))) => Err(ended),
            (Some(exit), _) => {
                if !self.handle.is_closed() {
                    self.close().await;
                }
                Ok(exit)
            }
            (None, _) => Err(self.lost()),
        }
    }
}

/// What is asked for on the channel.
enum Errand<'a> {
    /// A command, with what it reads.
    Command { command: Vec<u8>, environment: Environment<'a>, input: Input },
    /// The logs, which read nothing.
    Logs(&'a LogsRequest),
}

impl Errand<'_> {
    fn environment(&self) -> Environment<'_> {
        match self {
            Self::Command { environment, .. } => *environment,
            Self::Logs(_) => Environment::default(),
        }
    }

    /// Asks for it; what a refusal would be one of.
    async fn request(&mut self, writer: &ChannelWriteHalf<client::Msg>) -> Result<&'static str, russh::Error> {
        match self {
            Self::Command { command, environment, .. } => {
                environment.pass_on(writer).await?;
                writer.exec(true, std::mem::take(command)).await?;
                Ok("the command")
            }
            Self::Logs(request) => {
                writer.request_subsystem(true, request.to_subsystem()).await?;
                Ok("the logs")
            }
        }
    }

    /// Whether what was started may need a moment after a signal.
    fn waits_for_an_end(&self) -> bool {
        matches!(self, Self::Command { .. })
    }

    async fn feed(&mut self, writer: &ChannelWriteHalf<client::Msg>) -> io::Result<()> {
        match self {
            Self::Command { input, .. } => feed(input, writer).await,
            Self::Logs(_) => std::future::pending().await,
        }
    }
}

/// Standard input to the command, and its end. A command that takes no more input is no error.
async fn feed(input: &mut Input, writer: &ChannelWriteHalf<client::Msg>) -> io::Result<()> {
    while let Some(bytes) = input.read().await? {
        if writer.data_bytes(bytes).await.is_err() {
            return Ok(());
        }
    }
    let _ = writer.eof().await;
    Ok(())
}

async fn written(stdout: &Output, stderr: &Output) {
    // Errors of the first come through `failed`; those of the second are nobody's business.
    let _ = stdout.finish().await;
    let _ = stderr.finish().await;
}

fn output(opened: io::Result<Writer>, throttle: Throttle) -> Result<Output, SessionError> {
    opened.map(|writer| Output::to(writer, throttle)).map_err(|source| SessionError::Local { what: "output", source })
}

fn name(signal: Signal) -> Sig {
    match signal {
        Signal::Hangup => Sig::HUP,
        Signal::Interrupt => Sig::INT,
        Signal::Quit => Sig::QUIT,
        Signal::Terminate => Sig::TERM,
    }
}

/// The signals that are passed on. SIGHUP is not among them: it ends ztctl as it ends any program, or not at all under nohup.
const PASSED_ON: [Signal; 2] = [Signal::Interrupt, Signal::Terminate];

/// How long the command may take to end after a signal.
const SIGNAL_PATIENCE: Duration = Duration::from_secs(5);

/// How long the signal itself may take to be queued.
const SIGNAL_SENT: Duration = Duration::from_millis(200);

/// How long a reason may come after the exit of a process, which may as well have ended by itself.
const RIGHT_BEHIND: Duration = Duration::from_millis(100);

/// How long a reason may come after an end without an exit: the broker waits no longer either, and the wait ends with the connection.
const LAST_WORDS: Duration = Duration::from_secs(1);

const SIGPIPE: u8 = 13;
