//! Standard input as raw bytes, without a thread where the system can say that there are some.
//!
//! The descriptor is shared with whoever started us, so its flags stay as they are: it is asked before each read instead of
//! being made non-blocking.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use crate::client::terminal::tty::is_readable;

/// Standard input.
#[derive(Debug)]
pub(super) struct Input {
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
    pub(super) fn of_process() -> io::Result<Self> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        // SAFETY: the descriptor is owned by what is registered, and an OwnedFd is one descriptor, open until it is dropped.
        let source = match unsafe { AsyncFd::register_with_interest(input, Interest::READABLE) } {
            Ok(input) => Source::Polled(input),
            Err(error) => Source::Thread(read_by_thread(error.into_parts().0)?),
        };
        Ok(Self { source, buffer: vec![0; CHUNK] })
    }

    /// The next bytes; `None` at the end. May be dropped and called again without losing any.
    pub(super) async fn read(&mut self) -> io::Result<Option<Bytes>> {
        let read = match &mut self.source {
            Source::Thread(chunks) => return chunks.recv().await.transpose(),
            Source::Polled(input) => loop {
                let mut ready = input.readable().await?;
                let buffer = &mut self.buffer;
                let read = ready.try_io(|input| {
                    if !is_readable(input) {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    Ok(rustix::io::read(input, &mut buffer[..])?)
                });
                match read {
                    Ok(Ok(read)) => break read,
                    Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    // A terminal that is gone says EIO.
                    Ok(Err(error)) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break 0,
                    Ok(Err(error)) => return Err(error),
                    Err(_not_ready) => {}
                }
            },
        };
        Ok((read > 0).then(|| Bytes::copy_from_slice(&self.buffer[..read])))
    }
}

fn read_by_thread(input: OwnedFd) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let (chunks, receiver) = mpsc::channel(2);
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let chunk = match rustix::io::read(&input, &mut buffer[..]) {
                Ok(0) => return,
                Ok(read) => Ok(Bytes::copy_from_slice(&buffer[..read])),
                Err(rustix::io::Errno::INTR) => continue,
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

/// One SSH packet of ours, two of the usual size.
const CHUNK: usize = 64 * 1024;
