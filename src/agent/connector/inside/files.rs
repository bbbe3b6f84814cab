//! Files of a container that can only be reached by somebody else's exec: SFTP on the client's side, a script and what a small image has on
//! the other. It has the login's rights, as every session there.
//!
//! What differs from files that the agent reaches itself: writing goes from the start to the end of a file or from its end on, and nowhere
//! else; and without a shell, `stat` and `dd` there is no copying.

mod words;

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use russh_sftp::protocol::{Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version};
use russh_sftp::server::Handler;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::NotStarted;
use crate::agent::connector::StartError;
use crate::agent::process::{Ending, Input, Output, Process};
use crate::agent::program::{Asked, NoShell};
use crate::agent::reaper::Exit;
use crate::agent::sftp::{Failed, HARDLINK, Handles, POSIX_RENAME, attributes, ok, text};
use crate::proto::command::quote;
use rustix::process::Signal;
use words::garbled;
pub(in crate::agent) use words::{complaint, escaped, read_attributes};

/// A conversation that is to begin.
#[derive(Debug)]
pub(in crate::agent) struct Helper {
    nonce: String,
    /// What is to run in the container.
    pub(in crate::agent) asked: Asked,
}

impl Helper {
    /// A new one.
    pub(in crate::agent) fn new() -> Self {
        let nonce = format!("{:032x}", rand::random::<u128>());
        let asked = Asked::Command(quote(["sh", "-c", &FILES, "sh", &nonce]));
        Self { nonce, asked }
    }

    /// Serves SFTP by the `helper` that runs, as a process of its own.
    ///
    /// # Errors
    /// [`StartError`] when the container has not what it takes.
    pub(in crate::agent) async fn serve(self, helper: Process) -> Result<Process, StartError> {
        let Process { stdin, stdout, stderr, ending, control, leader } = helper;
        if leader.is_none() {
            // It was executed by itself, for want of a shell, and there is no `sh` to execute.
            return Err(NoShell.into());
        }
        tokio::spawn(async move {
            if let Some(mut stderr) = stderr {
                let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
            }
        });
        let (told, over) = oneshot::channel();
        let mut files = Files { stdin, stdout, nonce: self.nonce, open: Handles::default(), _told: told };
        files.ask("hello", &[], &[]).await.map_err(|failed| NotStarted::Unfit(failed.to_string()))?;
        let (near, far) = tokio::io::duplex(BUFFER);
        russh_sftp::server::run(far, files).await;
        let (output, input) = tokio::io::split(near);
        let hangup = std::sync::Arc::clone(&control);
        let ending = Box::pin(async move {
            tokio::select! {
                // The client has left; what ran for it goes as well.
                _ = over => {
                    hangup.signal(Signal::HUP);
                    Ending::Exit(Exit::Status(0))
                }
                ended = ending => match ended {
                    Ending::Exit(_) => Ending::Lost(Some("what served the files has ended".to_owned())),
                    lost => lost,
                },
            }
        });
        Ok(Process { stdin: Box::new(input), stdout: Box::new(output), stderr: None, ending, control, leader })
    }
}

/// The files, for one client.
struct Files {
    stdin: Input,
    stdout: Output,
    nonce: String,
    open: Handles<Open>,
    /// Told by its end.
    _told: oneshot::Sender<()>,
}

enum Open {
    Read {
        path: String,
        size: u64,
    },
    /// What is written next goes to `end`.
    Write {
        path: String,
        end: u64,
    },
    Folder {
        rows: Vec<File>,
    },
}

impl Files {
    /// What the script answers to a request.
    async fn ask(&mut self, word: &str, arguments: &[&str], data: &[u8]) -> Result<Vec<u8>, Failed> {
        let mut line = word.to_owned();
        for argument in arguments {
            line.push(' ');
            line += argument;
        }
        line.push('\n');
        let lost = |_| Failed::new(StatusCode::Failure, "what served the files has ended");
        let answer = async {
            self.stdin.write_all(line.as_bytes()).await.map_err(lost)?;
            self.stdin.write_all(data).await.map_err(lost)?;
            self.stdin.flush().await.map_err(lost)?;
            let end = format!("\n{} ", self.nonce);
            let length = end.len() + 4;
            let mut answer = Vec::new();
            loop {
                let read = self.stdout.read_buf(&mut answer).await.map_err(lost)?;
                let tail = answer.len().checked_sub(length).map(|at| (at, &answer[at..]));
                if let Some((at, tail)) = tail.filter(|(_, tail)| tail.starts_with(end.as_bytes())) {
                    let status = String::from_utf8_lossy(&tail[end.len()..]).trim().to_owned();
                    answer.truncate(at);
                    return Ok((answer, status));
                }
                if read == 0 || answer.len() > ANSWER {
                    return Err(Failed::new(StatusCode::Failure, "what served the files has ended"));
                }
            }
        };
        let (answer, status) = tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| Failed::new(StatusCode::Failure, "the container did not answer in time"))??;
        match status.as_str() {
            "000" => Ok(answer),
            _ => Err(complaint(&answer)),
        }
    }

    async fn on(&mut self, word: &str, path: &str, more: &[&str]) -> Result<Vec<u8>, Failed> {
        let path = escaped(path);
        self.ask(word, &[&[path.as_str()], more].concat(), &[]).await
    }

    async fn attributes(&mut self, word: &str, path: &str) -> Result<FileAttributes, Failed> {
        let answer = self.on(word, path, &[]).await?;
        read_attributes(&answer).map(|(attributes, _)| attributes).ok_or_else(garbled)
    }

    async fn two(&mut self, id: u32, word: &str, one: &str, other: &str) -> Result<Status, Failed> {
        let other = escaped(other);
        self.on(word, one, &[&other]).await.map(|_| ok(id))
    }

    async fn set(&mut self, path: &str, attrs: &FileAttributes) -> Result<(), Failed> {
        if let Some(size) = attrs.size {
            self.on("size", path, &[&size.to_string()]).await?;
        }
        if let (Some(uid), Some(gid)) = (attrs.uid, attrs.gid) {
            self.on("chown", path, &[&format!("{uid}:{gid}")]).await?;
        }
        if let Some(mode) = attrs.permissions {
            self.on("chmod", path, &[&format!("{:o}", mode & MODE)]).await?;
        }
        for (word, time) in [("used", attrs.atime), ("changed", attrs.mtime)] {
            if let Some(time) = time {
                self.on(word, path, &[&time.to_string()]).await?;
            }
        }
        Ok(())
    }

    fn path_of(&mut self, handle: &str) -> Result<String, Failed> {
        match self.open.get(handle) {
            Some(Open::Read { path, .. } | Open::Write { path, .. }) => Ok(path.clone()),
            _ => Err(Failed::closed()),
        }
    }
}

impl Handler for Files {
    type Error = Failed;

    fn unimplemented(&self) -> Failed {
        Failed::unsupported()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, Failed> {
        let mut version = Version::new();
        version.extensions = [POSIX_RENAME, HARDLINK].map(|name| (name.to_owned(), "1".to_owned())).into_iter().collect();
        Ok(version)
    }

    async fn open(&mut self, id: u32, path: String, flags: OpenFlags, attrs: FileAttributes) -> Result<Handle, Failed> {
        let write = flags.contains(OpenFlags::WRITE) || flags.contains(OpenFlags::APPEND);
        if !write {
            let found = self.attributes("may", &path).await?;
            if !found.is_regular() && !found.is_character() {
                return Err(Failed::new(StatusCode::Failure, "it is no file"));
            }
            return self.open.keep(id, Open::Read { path, size: found.len() });
        }
        let mode = format!("{:o}", attrs.permissions.unwrap_or(0o644) & MODE);
        let how = match () {
            () if !flags.contains(OpenFlags::CREATE) => {
                self.attributes("follow", &path).await?;
                if flags.contains(OpenFlags::TRUNCATE) { "empty" } else { "same" }
            }
            () if flags.contains(OpenFlags::EXCLUDE) => "new",
            () if flags.contains(OpenFlags::TRUNCATE) => "empty",
            () => "same",
        };
        let answer = self.on("make", &path, &[&mode, how]).await?;
        let (found, _) = read_attributes(&answer).ok_or_else(garbled)?;
        self.open.keep(id, Open::Write { path, end: found.len() })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Failed> {
        self.open.close(id, &handle)
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, Failed> {
        let (path, size) = match self.open.get(&handle) {
            Some(Open::Read { path, size }) => (path.clone(), *size),
            _ => return Err(Failed::closed()),
        };
        let end = || Failed::new(StatusCode::Eof, "end of file");
        let len = u64::from(len).min(CHUNK);
        // A size of nothing is what /proc says of everything.
        let len = if size == 0 { len } else { len.min(size.saturating_sub(offset)) };
        if len == 0 {
            return Err(end());
        }
        let (first, last) = (offset / BLOCK, (offset + len).div_ceil(BLOCK));
        let mut data = self.on("read", &path, &[&first.to_string(), &(last - first).to_string()]).await?;
        let skipped = usize::try_from(offset - first * BLOCK).unwrap_or(usize::MAX).min(data.len());
        data.drain(..skipped);
        data.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        if data.is_empty() { Err(end()) } else { Ok(Data { id, data }) }
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, Failed> {
        let (path, end) = match self.open.get(&handle) {
            Some(Open::Write { path, end }) => (escaped(path), *end),
            _ => return Err(Failed::closed()),
        };
        if offset != end {
            return Err(Failed::new(StatusCode::OpUnsupported, "files are written from start to end in this container"));
        }
        if !data.is_empty() {
            self.ask("add", &[&path, &data.len().to_string()], &data).await?;
        }
        if let Some(Open::Write { end, .. }) = self.open.get(&handle) {
            *end += data.len() as u64;
        }
        Ok(ok(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, Failed> {
        Ok(Attrs { id, attrs: self.attributes("look", &path).await? })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, Failed> {
        Ok(Attrs { id, attrs: self.attributes("follow", &path).await? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Failed> {
        let path = self.path_of(&handle)?;
        self.stat(id, path).await
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, Failed> {
        self.set(&path, &attrs).await.map(|()| ok(id))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Result<Status, Failed> {
        let path = self.path_of(&handle)?;
        self.setstat(id, path, attrs).await
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, Failed> {
        let answer = self.on("rows", &path, &[]).await?;
        let mark = format!("@{} ", self.nonce);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let row = |record: &str| {
            let (attributes, rest) = read_attributes(record.as_bytes())?;
            let (links, name) = rest.split_once(' ')?;
            let name = name.strip_suffix('\n').unwrap_or(name).trim_start_matches("./");
            Some(attributes::row(name, attributes, links.parse().unwrap_or(1)))
        };
        let rows = text.split(mark.as_str()).filter_map(row).collect();
        self.open.keep(id, Open::Folder { rows })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Failed> {
        let Some(Open::Folder { rows }) = self.open.get(&handle) else { return Err(Failed::closed()) };
        let rest = rows.split_off(rows.len().min(ENTRIES));
        match std::mem::replace(rows, rest) {
            files if files.is_empty() => Err(Failed::new(StatusCode::Eof, "end of folder")),
            files => Ok(Name { id, files }),
        }
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, Failed> {
        // `rm -f` has no complaint about what is not there.
        self.attributes("look", &path).await?;
        self.on("rm", &path, &[]).await.map(|_| ok(id))
    }

    async fn mkdir(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, Failed> {
        let mode = format!("{:o}", attrs.permissions.unwrap_or(0o755) & MODE);
        self.on("mkdir", &path, &[&mode]).await.map(|_| ok(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, Failed> {
        self.on("rmdir", &path, &[]).await.map(|_| ok(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, Failed> {
        let answer = self.on("real", if path.is_empty() { "." } else { &path }, &[]).await?;
        Ok(Name { id, files: vec![File::dummy(String::from_utf8_lossy(&answer))] })
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, Failed> {
        self.two(id, "move", &from, &to).await
    }

    async fn readlink(&mut self, id: u32, path: String) -> Result<Name, Failed> {
        let answer = self.on("target", &path, &[]).await?;
        Ok(Name { id, files: vec![File::dummy(String::from_utf8_lossy(&answer))] })
    }

    async fn symlink(&mut self, id: u32, target: String, path: String) -> Result<Status, Failed> {
        self.two(id, "link", &target, &path).await
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, Failed> {
        let mut data = data.as_slice();
        let word = match request.as_str() {
            POSIX_RENAME => "replace",
            HARDLINK => "hard",
            _ => return Err(Failed::unsupported()),
        };
        let (one, other) = (text(&mut data)?, text(&mut data)?);
        Ok(self.two(id, word, &one, &other).await?.into())
    }
}

static FILES: LazyLock<String> = LazyLock::new(|| super::bare(include_str!("files.sh")));

const MODE: u32 = 0o7777;
const ENTRIES: usize = 100;

/// What `dd` reads at a time.
const BLOCK: u64 = 4096;

/// The most bytes of one read.
const CHUNK: u64 = 252 * 1024;

/// The most bytes of an answer: a folder of some hundred thousand files.
const ANSWER: usize = 64 * 1024 * 1024;

const BUFFER: usize = 256 * 1024;

const PATIENCE: Duration = Duration::from_secs(60);
