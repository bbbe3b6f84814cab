//! The files of a container by SFTP (version 3 and OpenSSH's additions that its clients use), served by a session's own process with
//! the login's rights: neither `sftp-server` nor `tar` has to be in the image.
//!
//! russh-sftp knows the packets; what they do to files is [`local`]'s. It carries names as text, so that a name that is not UTF-8 is
//! listed with a mark in place of the bytes, and is not found by it: an error that is seen, never another file.

pub(in crate::agent) mod attributes;
mod local;

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use russh_sftp::protocol::{Handle, Status, StatusCode, Version};
use russh_sftp::server::StatusReply;
use tokio::io::{AsyncRead, AsyncWrite, Join, ReadBuf};
use tokio::sync::oneshot;

/// Serves on stdin and stdout, from the current folder, until the client leaves. The exit status.
pub(super) fn serve() -> u8 {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return 1 };
    runtime.block_on(async {
        let (told, over) = oneshot::channel();
        let stream = Stream { inner: tokio::io::join(tokio::io::stdin(), tokio::io::stdout()), _told: told };
        russh_sftp::server::run(stream, local::Files::default()).await;
        // The sender goes with the stream.
        let _ = over.await;
    });
    // A read of standard input may still be waiting for a client that has gone.
    runtime.shutdown_background();
    0
}

/// The client, and somebody to tell when it is served no more.
struct Stream {
    inner: Join<tokio::io::Stdin, tokio::io::Stdout>,
    _told: oneshot::Sender<()>,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// What went wrong with a request.
#[derive(Debug)]
pub(super) struct Failed(StatusCode, String);

impl Failed {
    pub(super) fn new(code: StatusCode, message: impl Into<String>) -> Self {
        Self(code, message.into())
    }

    pub(super) fn closed() -> Self {
        Self::new(StatusCode::Failure, "there is no such open file")
    }

    pub(super) fn unsupported() -> Self {
        Self::new(StatusCode::OpUnsupported, "this is not supported")
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.1)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => StatusCode::NoSuchFile,
            io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
            _ => StatusCode::Failure,
        };
        // `No space left on device (os error 28)`: the number says nothing more.
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        Self::new(code, text)
    }
}

impl From<rustix::io::Errno> for Failed {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

impl From<Failed> for StatusReply {
    fn from(Failed(code, message): Failed) -> Self {
        Self::new(code).with_message(message)
    }
}

/// What one client has open, by the handles that it was given.
#[derive(Debug)]
pub(super) struct Handles<T> {
    open: HashMap<String, T>,
    last: u64,
}

impl<T> Handles<T> {
    pub(super) fn keep(&mut self, id: u32, open: T) -> Result<Handle, Failed> {
        if self.open.len() >= HANDLES {
            return Err(Failed::new(StatusCode::Failure, "too many files are open"));
        }
        self.last += 1;
        let handle = self.last.to_string();
        self.open.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    pub(super) fn get(&mut self, handle: &str) -> Option<&mut T> {
        self.open.get_mut(handle)
    }

    pub(super) fn close(&mut self, id: u32, handle: &str) -> Result<Status, Failed> {
        self.open.remove(handle).map(|_| ok(id)).ok_or_else(Failed::closed)
    }
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Self { open: HashMap::new(), last: 0 }
    }
}

/// The answer to what was done.
pub(super) fn ok(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: "Ok".to_owned(), language_tag: "en".to_owned() }
}

/// The next text of an extended request.
pub(super) fn text(data: &mut &[u8]) -> Result<String, Failed> {
    let bad = || Failed::new(StatusCode::BadMessage, "the request is malformed");
    let length = data.try_get_u32().map_err(|_| bad())? as usize;
    let (text, rest) = data.split_at_checked(length).ok_or_else(bad)?;
    *data = rest;
    String::from_utf8(text.to_vec()).map_err(|_| bad())
}

/// What this server can beyond version 3.
fn version() -> Version {
    let mut version = Version::new();
    let extensions = [(POSIX_RENAME, "1"), (FSYNC, "1"), (STATVFS, "2"), (HARDLINK, "1"), (LIMITS, "1"), (LSETSTAT, "1")];
    version.extensions =
        extensions.map(|(name, number)| (name.to_owned(), number.to_owned())).into_iter().collect::<HashMap<_, _>>();
    version
}

pub(super) const POSIX_RENAME: &str = "posix-rename@openssh.com";
const FSYNC: &str = "fsync@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
pub(super) const HARDLINK: &str = "hardlink@openssh.com";
const LIMITS: &str = "limits@openssh.com";
const LSETSTAT: &str = "lsetstat@openssh.com";

/// The most files and folders that one client has open.
const HANDLES: usize = 256;
