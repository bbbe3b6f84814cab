//! Standard output and standard error without ever blocking the session.
//!
//! A little goes straight through where the reader has room (an echoed key: no detour through a thread); the rest goes to a
//! thread of its own, in order. What waits is counted by the session's [`Throttle`], which bounds it.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use tokio::sync::Notify;

use super::throttle::Throttle;
use crate::client::stdio::Writer;

/// One of the two.
#[derive(Debug)]
pub(super) struct Output {
    writer: Writer,
    /// To the thread, once there is one.
    queue: Option<mpsc::Sender<Bytes>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    throttle: Throttle,
    /// Bytes that the thread has not written yet.
    queued: AtomicUsize,
    /// The error that ended the writing, as the system numbers it; 0 for none, and [`UNNUMBERED`].
    error: AtomicI32,
    /// Woken when the queue is empty and when writing has failed.
    notify: Notify,
}

impl Output {
    /// What is written to `writer`.
    pub(super) fn to(writer: Writer, throttle: Throttle) -> Self {
        let shared = Shared { throttle, queued: AtomicUsize::new(0), error: AtomicI32::new(0), notify: Notify::new() };
        Self { writer, queue: None, shared: Arc::new(shared) }
    }

    /// Writes or queues `bytes`.
    ///
    /// # Errors
    /// What has gone wrong with this or an earlier write.
    pub(super) fn write(&mut self, mut bytes: Bytes) -> io::Result<()> {
        self.check()?;
        if self.shared.queued.load(SeqCst) == 0 && bytes.len() <= AT_ONCE {
            let written = self.writer.write_ready(&bytes)?;
            drop(bytes.split_to(written));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.shared.queued.fetch_add(bytes.len(), SeqCst);
        self.shared.throttle.queue(bytes.len());
        let queue = match &self.queue {
            Some(queue) => queue,
            None => self.queue.insert(write_by_thread(self.writer.try_clone()?, Arc::clone(&self.shared))?),
        };
        // The thread ends only with an error, which `check` tells.
        queue.send(bytes).or_else(|_| self.check())
    }

    /// Waits until writing has failed, which it may never do.
    pub(super) async fn failed(&self) -> io::Error {
        loop {
            let notified = self.shared.notify.notified();
            if let Err(error) = self.check() {
                return error;
            }
            notified.await;
        }
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// When it cannot be.
    pub(super) async fn finish(&self) -> io::Result<()> {
        loop {
            let notified = self.shared.notify.notified();
            self.check()?;
            if self.shared.queued.load(SeqCst) == 0 {
                return Ok(());
            }
            notified.await;
        }
    }

    fn check(&self) -> io::Result<()> {
        match self.shared.error.load(SeqCst) {
            0 => Ok(()),
            UNNUMBERED => Err(io::ErrorKind::WriteZero.into()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn write_by_thread(mut writer: Writer, shared: Arc<Shared>) -> io::Result<mpsc::Sender<Bytes>> {
    let (queue, chunks) = mpsc::channel::<Bytes>();
    std::thread::Builder::new().name("output".into()).spawn(move || {
        for chunk in chunks {
            let result = writer.write_all(&chunk);
            shared.throttle.done(chunk.len());
            if let Err(error) = result {
                shared.error.store(error.raw_os_error().unwrap_or(UNNUMBERED), SeqCst);
                shared.notify.notify_waiters();
                return;
            }
            if shared.queued.fetch_sub(chunk.len(), SeqCst) == chunk.len() {
                shared.notify.notify_waiters();
            }
        }
    })?;
    Ok(queue)
}

/// The most that is written without the thread: what a terminal that has room takes without waiting (Linux calls one
/// writable from 256 bytes on; a pipe, from 4096).
const AT_ONCE: usize = 256;

/// An error that is not the system's: the standard library says that nothing was written where something should have been.
const UNNUMBERED: i32 = -1;

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn what_a_slow_reader_gets_is_whole_and_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut output = Output::to(Writer::to(&writer).unwrap(), Throttle::new());
        drop(writer);
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        for (index, chunk) in sent.chunks(777).enumerate() {
            // Small pieces in between take the short way only when nothing is before them.
            chunk
                .chunks(if index % 3 == 0 { 100 } else { 777 })
                .for_each(|piece| output.write(Bytes::copy_from_slice(piece)).unwrap());
        }
        let reading = std::thread::spawn(move || {
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            read
        });
        output.finish().await.unwrap();
        drop(output);
        assert!(reading.join().unwrap() == sent);
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        let mut output = Output::to(Writer::to(&writer).unwrap(), Throttle::new());
        drop(reader);
        let _ = output.write(Bytes::from(vec![0; 100_000]));
        assert_eq!(output.failed().await.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(output.finish().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
