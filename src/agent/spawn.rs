//! A child of the agent's for a session: on a terminal of its own, or on pipes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::termios::InputModes;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::agent::environment::Variables;
use crate::agent::process::{Control, Ending, Process, Size};
use crate::agent::reaper::{Child, Reaper};
use crate::agent::sweep::Leader;
use crate::agent::trampoline;

/// What can be done to a child while others read and write its streams.
struct LocalControl {
    pid: Pid,
    reaper: Reaper,
    terminal: Option<Arc<Mutex<Box<dyn MasterPty + Send>>>>,
}

/// The trampoline's file and what it is given.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    /// The executable that calls [`trampoline::main`].
    pub(super) trampoline: &'a Path,
    /// The specification, encoded.
    pub(super) specification: String,
    /// The whole environment.
    pub(super) variables: &'a Variables,
}

impl Launch<'_> {
    /// Starts on a terminal of `size`.
    pub(super) fn on_terminal(&self, reaper: &Reaper, size: Size) -> io::Result<Process> {
        let pair = native_pty_system().openpty(size.into()).map_err(io::Error::other)?;
        let master = pair.master.as_raw_fd().ok_or_else(|| io::Error::other("the terminal has no descriptor"))?;
        // SAFETY: the master outlives this borrow, which ends with the duplication.
        let master = unsafe { BorrowedFd::borrow_raw(master) }.try_clone_to_owned()?;
        if let Ok(mut modes) = rustix::termios::tcgetattr(&master) {
            // Else backspace removes one byte of a letter that has several.
            modes.input_modes |= InputModes::IUTF8;
            let _ = rustix::termios::tcsetattr(&master, rustix::termios::OptionalActions::Now, &modes);
        }
        let mut command = CommandBuilder::new(self.trampoline);
        command.arg(trampoline::ENTRY);
        command.env_clear();
        for (name, value) in self.variables {
            command.env(name, value);
        }
        // The builder looks for a home and a shell by itself and complains where an image has none: these two are always there, and
        // the trampoline puts the right ones back.
        command.cwd("/");
        command.env(trampoline::VARIABLE, &self.specification);
        let child = reaper.start(|| {
            // The child that is returned does nothing at its drop; the reaper waits for it.
            let child = pair.slave.spawn_command(command).map_err(io::Error::other)?;
            child.process_id().ok_or_else(|| io::Error::other("the system gave no process id"))
        })?;
        drop(pair.slave);
        let terminal = Some(Arc::new(Mutex::new(pair.master)));
        // The terminal's own writer is never taken: when it is dropped it types an end-of-file.
        let (stdin, stdout) = (Stream::new(master.try_clone()?)?, Stream::new(master)?);
        Ok(process(reaper, child, terminal, stdin, stdout, None))
    }

    /// Starts on three pipes.
    pub(super) fn on_pipes(&self, reaper: &Reaper) -> io::Result<Process> {
        let mut command = Command::new(self.trampoline);
        command.arg(trampoline::ENTRY).env_clear().envs(self.variables).env(trampoline::VARIABLE, &self.specification);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut streams = None;
        let child = reaper.start(|| {
            let mut child = command.spawn()?;
            streams = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
            Ok::<u32, io::Error>(child.id())
        })?;
        let ((stdin, stdout), stderr) = streams.ok_or_else(|| io::Error::other("the pipes are missing"))?;
        let (stdin, stdout) = (Stream::new(stdin.into())?, Stream::new(stdout.into())?);
        Ok(process(reaper, child, None, stdin, stdout, Some(Stream::new(stderr.into())?)))
    }
}

fn process(
    reaper: &Reaper,
    child: Child,
    terminal: Option<Arc<Mutex<Box<dyn MasterPty + Send>>>>,
    stdin: Stream,
    stdout: Stream,
    stderr: Option<Stream>,
) -> Process {
    let Child { pid, exit } = child;
    Process {
        stdin: Box::new(stdin),
        stdout: Box::new(stdout),
        stderr: stderr.map(|stderr| Box::new(stderr) as _),
        ending: Box::pin(async {
            let lost = || Ending::Lost(Some("how the process ended is not known".to_owned()));
            exit.await.map_or_else(|_| lost(), Ending::Exit)
        }),
        leader: Some(Leader::of(pid)),
        control: Arc::new(LocalControl { pid, reaper: reaper.clone(), terminal }),
    }
}

impl Control for LocalControl {
    fn has_terminal(&self) -> bool {
        self.terminal.is_some()
    }

    fn resize(&self, size: Size) {
        if let Some(terminal) = &self.terminal {
            let terminal = terminal.lock().unwrap_or_else(PoisonError::into_inner);
            // Fails only once the terminal is gone.
            let _ = terminal.resize(size.into());
        }
    }

    /// A process that has ended gets nothing: a client may keep its channel open for as long as it likes, and the number may be
    /// another's by then.
    fn signal(&self, signal: Signal) {
        self.reaper.while_there(self.pid, || {
            let job = self.terminal.as_ref().and_then(|terminal| {
                terminal.lock().unwrap_or_else(PoisonError::into_inner).process_group_leader().and_then(Pid::from_raw)
            });
            // Until the trampoline has made its own group there is none of this number.
            if kill_process_group(job.unwrap_or(self.pid), signal).is_err() {
                let _ = kill_process(self.pid, signal);
            }
        });
    }
}

impl std::fmt::Debug for LocalControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalControl").field("pid", &self.pid).field("terminal", &self.has_terminal()).finish()
    }
}

impl From<Size> for PtySize {
    fn from(size: Size) -> Self {
        let short = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
        Self {
            rows: short(size.rows),
            cols: short(size.columns),
            pixel_width: short(size.pixels.0),
            pixel_height: short(size.pixels.1),
        }
    }
}

/// A pipe's end or a terminal's, without a thread behind it.
#[derive(Debug)]
struct Stream(AsyncFd<OwnedFd>);

impl Stream {
    fn new(descriptor: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        // SAFETY: an `OwnedFd` is one and the same open descriptor for as long as it lives, and is never replaced in here.
        Ok(Self(unsafe { AsyncFd::register(descriptor) }?))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            let unfilled = buf.initialize_unfilled();
            match ready.try_io(|inner| rustix::io::read(inner.get_ref().as_fd(), &mut *unfilled).map_err(Into::into)) {
                Ok(Ok(read)) => {
                    buf.advance(read);
                    return Poll::Ready(Ok(()));
                }
                // A terminal's way to say that nobody has it open any more.
                Ok(Err(error)) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            match ready.try_io(|inner| rustix::io::write(inner.get_ref().as_fd(), bytes).map_err(Into::into)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
