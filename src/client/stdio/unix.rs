//! Descriptors. Input needs no thread where the system can say that there is some.
//!
//! The flags of a shared descriptor stay as they are: it is asked before each read and write instead of being made non-blocking.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::CHUNK;

/// Standard input.
#[derive(Debug)]
pub struct Input {
    source: Source,
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Source {
    /// A terminal, a pipe, a socket.
    Polled(AsyncFd<OwnedFd>),
    /// A file or a device that is always ready: a thread reads it. Two chunks wait at most, then the thread does.
    Thread(mpsc::Receiver<io::Result<Bytes>>),
}

impl Input {
    /// The process's own.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated.
    pub fn of_process() -> io::Result<Self> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let source = if is_file(&input) { Source::Thread(read_by_thread(input)?) } else { Source::of(input)? };
        Ok(Self { source, buffer: vec![0; CHUNK] })
    }

    /// One that is at its end.
    pub fn empty() -> Self {
        let (_, ended) = mpsc::channel(1);
        Self { source: Source::Thread(ended), buffer: Vec::new() }
    }

    /// The next bytes; `None` at the end. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// What the system says.
    pub async fn read(&mut self) -> io::Result<Option<Bytes>> {
        let read = match &mut self.source {
            Source::Thread(chunks) => return chunks.recv().await.transpose(),
            Source::Polled(input) => loop {
                let mut ready = input.readable().await?;
                let buffer = &mut self.buffer;
                let read = ready.try_io(|input| {
                    if !is_ready(input, PollFlags::IN, Duration::ZERO) {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    Ok(rustix::io::read(input, &mut buffer[..])?)
                });
                match read {
                    Ok(Ok(read)) => break read,
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(Err(error)) if is_hang_up(&error) => break 0,
                    Ok(Err(error)) => return Err(error),
                    Err(_not_ready) => {}
                }
            },
        };
        Ok((read > 0).then(|| Bytes::copy_from_slice(&self.buffer[..read])))
    }
}

impl Source {
    fn of(input: OwnedFd) -> io::Result<Self> {
        // SAFETY: the descriptor is owned by what is registered, and an OwnedFd is one descriptor, open until it is dropped.
        match unsafe { AsyncFd::register_with_interest(input, Interest::READABLE) } {
            Ok(input) => Ok(Self::Polled(input)),
            Err(error) => Ok(Self::Thread(read_by_thread(error.into_parts().0)?)),
        }
    }
}

/// Linux registers no file; macOS does, and then never tells of its end.
fn is_file(input: &OwnedFd) -> bool {
    rustix::fs::fstat(input).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
}

fn read_by_thread(input: OwnedFd) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let (chunks, receiver) = mpsc::channel(2);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let chunk = match rustix::io::read(&input, &mut buffer[..]) {
                Ok(0) => return,
                Ok(read) => Ok(Bytes::copy_from_slice(&buffer[..read])),
                Err(Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
            let failed = chunk.is_err();
            if chunks.blocking_send(chunk).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// What is written to.
#[derive(Debug)]
pub struct Writer(OwnedFd);

impl Writer {
    /// Standard output.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated.
    pub fn stdout() -> io::Result<Self> {
        Self::to(io::stdout())
    }

    /// Standard error.
    ///
    /// # Errors
    /// As [`Writer::stdout`].
    pub fn stderr() -> io::Result<Self> {
        Self::to(io::stderr())
    }

    /// The terminal that is drawn on: standard output, or standard error where output goes elsewhere, or else the input's own.
    ///
    /// # Errors
    /// As [`Writer::stdout`].
    pub fn screen() -> io::Result<Self> {
        match (io::stdout().is_terminal(), io::stderr().is_terminal()) {
            (true, _) => Self::stdout(),
            (false, true) => Self::stderr(),
            (false, false) => Self::to(io::stdin()),
        }
    }

    /// Whatever `fd` is.
    ///
    /// # Errors
    /// As [`Writer::stdout`].
    pub fn to(fd: impl AsFd) -> io::Result<Self> {
        fd.as_fd().try_clone_to_owned().map(Self)
    }

    /// The same once more, for another thread.
    ///
    /// # Errors
    /// As [`Writer::stdout`].
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Writes what of `bytes` can be written without waiting, and tells how much that is.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_ready(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_writable(Duration::ZERO) {
            return Ok(0);
        }
        match rustix::io::write(&self.0, bytes) {
            Err(Errno::INTR | Errno::AGAIN) => Ok(0),
            written => Ok(written?),
        }
    }

    /// Writes all of `bytes`, however long that takes.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(&self.0, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                // Somebody made the descriptor that we share non-blocking: wait for it.
                Err(Errno::AGAIN) => {
                    self.is_writable(Duration::from_secs(1));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Writes `bytes` if they are taken within `limit`; a terminal that is stopped or gone is left alone.
    pub fn write_within(&mut self, mut bytes: &[u8], limit: Duration) {
        while !bytes.is_empty() && self.is_writable(limit) {
            match rustix::io::write(&self.0, bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn is_writable(&self, limit: Duration) -> bool {
        is_ready(&self.0, PollFlags::OUT, limit)
    }
}

impl AsFd for Writer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Whether `error` is what a terminal says that is gone.
pub fn is_hang_up(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Whether `fd` has bytes to read, or its end, or takes bytes, before `limit` has passed.
fn is_ready(fd: impl AsFd, flags: PollFlags, limit: Duration) -> bool {
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
    poll(&mut [PollFd::new(&fd, flags)], Some(&limit)).is_ok_and(|ready| ready > 0)
}
