//! Handles. A console speaks UTF-16, so what goes to it is text and what comes from it are keys; all else is bytes.
//!
//! No handle of a process's standard streams can be waited for together with others, so threads read and write.

mod console;

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

pub(crate) use console::{Console, is_console};

use super::CHUNK;
use super::text::{Drawn, Typed};

/// Standard input.
#[derive(Debug)]
pub struct Input {
    /// From the thread that reads. Two chunks wait at most, then the thread does.
    chunks: mpsc::Receiver<io::Result<Bytes>>,
}

impl Input {
    /// The process's own. Its thread stays until the process ends, or the next bytes find nobody.
    ///
    /// # Errors
    /// When the handle cannot be duplicated.
    pub fn of_process() -> io::Result<Self> {
        let (sender, chunks) = mpsc::channel(2);
        let input = io::stdin();
        if is_console(&input) {
            let console = Console::input()?;
            let mut typed = Typed::default();
            read_by_thread(sender, move || keys(&console, &mut typed))?;
        } else {
            let mut file = File::from(input.as_handle().try_clone_to_owned()?);
            let mut buffer = vec![0; CHUNK];
            read_by_thread(sender, move || {
                let read = file.read(&mut buffer)?;
                Ok(Bytes::copy_from_slice(&buffer[..read]))
            })?;
        }
        Ok(Self { chunks })
    }

    /// One that is at its end.
    pub fn empty() -> Self {
        Self { chunks: mpsc::channel(1).1 }
    }

    /// The next bytes; `None` at the end. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// What the system says.
    pub async fn read(&mut self) -> io::Result<Option<Bytes>> {
        self.chunks.recv().await.transpose()
    }
}

/// Reads until there is nothing, which is the end.
fn read_by_thread(
    chunks: mpsc::Sender<io::Result<Bytes>>,
    mut read: impl FnMut() -> io::Result<Bytes> + Send + 'static,
) -> io::Result<()> {
    std::thread::Builder::new().name("stdin".into()).spawn(move || {
        loop {
            let chunk = match read() {
                Ok(bytes) if bytes.is_empty() => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk,
            };
            let failed = chunk.is_err();
            if chunks.blocking_send(chunk).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(())
}

/// Waits for keys and takes those that there are.
fn keys(console: &Console, typed: &mut Typed) -> io::Result<Bytes> {
    let mut text = String::new();
    while text.is_empty() {
        console.read(|unit| typed.push(unit, &mut text))?;
    }
    Ok(Bytes::from(text))
}

/// What is written to.
#[derive(Debug)]
pub struct Writer(To);

#[derive(Debug)]
enum To {
    /// A console, by the standard library, which makes UTF-16 of what it is given.
    Output(Drawn),
    /// The same, of standard error.
    Error(Drawn),
    /// A file or a pipe.
    File(File),
}

impl Writer {
    /// Standard output.
    ///
    /// # Errors
    /// When the handle cannot be duplicated.
    pub fn stdout() -> io::Result<Self> {
        let output = io::stdout();
        if output.is_terminal() { Ok(Self(To::Output(Drawn::default()))) } else { Self::file(output.as_handle()) }
    }

    /// Standard error.
    ///
    /// # Errors
    /// As [`Writer::stdout`].
    pub fn stderr() -> io::Result<Self> {
        let error = io::stderr();
        if error.is_terminal() { Ok(Self(To::Error(Drawn::default()))) } else { Self::file(error.as_handle()) }
    }

    /// The console that is drawn on: standard output, or standard error where output goes elsewhere, or else the process's own by name.
    ///
    /// # Errors
    /// As [`Writer::stdout`].
    pub fn screen() -> io::Result<Self> {
        match (io::stdout().is_terminal(), io::stderr().is_terminal()) {
            (true, _) => Self::stdout(),
            (false, true) => Self::stderr(),
            (false, false) => Ok(Self(To::File(console::screen()?))),
        }
    }

    fn file(handle: BorrowedHandle<'_>) -> io::Result<Self> {
        Ok(Self(To::File(File::from(handle.try_clone_to_owned()?))))
    }

    /// The same once more, for another thread, at the beginning of a character.
    ///
    /// # Errors
    /// As [`Writer::stdout`].
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(match &self.0 {
            To::Output(_) => To::Output(Drawn::default()),
            To::Error(_) => To::Error(Drawn::default()),
            To::File(file) => To::File(file.try_clone()?),
        }))
    }

    /// Writes what of `bytes` can be written without waiting: nothing, because no handle says how much that would be.
    ///
    /// # Errors
    /// Never.
    pub fn write_ready(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Ok(0)
    }

    /// Writes all of `bytes`, however long that takes.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        fn draw(console: &mut impl Write, text: &str) -> io::Result<()> {
            console.write_all(text.as_bytes())?;
            console.flush()
        }
        match &mut self.0 {
            To::Output(drawn) => draw(&mut io::stdout().lock(), &drawn.text(bytes)),
            To::Error(drawn) => draw(&mut io::stderr().lock(), &drawn.text(bytes)),
            To::File(file) => file.write_all(bytes),
        }
    }

    /// Writes `bytes`. A console always takes them, unless the person is marking text in it; then they are waited for.
    pub fn write_within(&mut self, bytes: &[u8], _limit: Duration) {
        let _ = self.write_all(bytes);
    }
}

/// Whether `error` is what a terminal says that is gone: none does, since a console that goes takes its processes along.
pub fn is_hang_up(_error: &io::Error) -> bool {
    false
}
