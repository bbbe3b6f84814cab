//! The container's files: SFTP requests, and their answers in words.

use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{File, FileAttributes, OpenFlags, Packet, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{CHUNK, CopyError};

/// The files at the other end of a channel.
pub struct Remote(RawSftpSession);

/// What a file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Link,
    Other,
}

impl Remote {
    /// Begins the conversation on `stream`.
    ///
    /// # Errors
    /// [`CopyError::Lost`].
    pub async fn open<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Self, CopyError> {
        let session = RawSftpSession::new(stream);
        // A slow link has two megabytes in front of the last request.
        session.set_timeout(PATIENCE);
        session.init().await.map_err(|_| CopyError::Lost)?;
        Ok(Self(session))
    }

    /// The file's attributes, those of a link itself; `None` when there is none.
    pub(super) async fn look(&self, path: &str) -> Result<Option<FileAttributes>, CopyError> {
        absent(self.0.lstat(path).await.map(|found| found.attrs)).map_err(at(path))
    }

    /// The attributes of what a path leads to; `None` when it leads to nothing.
    pub(super) async fn follow(&self, path: &str) -> Result<Option<FileAttributes>, CopyError> {
        absent(self.0.stat(path).await.map(|found| found.attrs)).map_err(at(path))
    }

    /// The rows of a folder, without itself and the one above.
    ///
    /// # Errors
    /// [`CopyError`].
    pub async fn list(&self, path: &str) -> Result<Vec<File>, CopyError> {
        let handle = self.0.opendir(path).await.map_err(at(path))?.handle;
        let mut rows = Vec::new();
        let ended = loop {
            match self.0.readdir(&handle).await {
                Ok(name) => rows.extend(name.files.into_iter().filter(|file| !matches!(file.filename.as_str(), "." | ".."))),
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let _ = self.0.close(handle).await;
        ended.map_err(at(path))?;
        Ok(rows)
    }

    pub(super) async fn open_file(&self, path: &str, flags: OpenFlags, mode: Option<u32>) -> Result<String, CopyError> {
        let attributes = FileAttributes { permissions: mode, ..FileAttributes::empty() };
        Ok(self.0.open(path, flags, attributes).await.map_err(at(path))?.handle)
    }

    pub(super) async fn close(&self, handle: String) {
        // Nothing is kept there that could fail: writes are answered one by one.
        let _ = self.0.close(handle).await;
    }

    /// As many of the next `length` bytes as there are; short only at the end.
    pub(super) async fn read(&self, handle: &str, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while (bytes.len() as u32) < length {
            let (at, rest) = (offset + bytes.len() as u64, (length - bytes.len() as u32).min(CHUNK));
            match self.0.read(handle, at, rest).await {
                Ok(data) if data.data.is_empty() => break,
                Ok(data) => bytes.extend(data.data),
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => break,
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }

    pub(super) async fn write(&self, handle: &str, offset: u64, bytes: Vec<u8>) -> Result<(), Error> {
        self.0.write(handle, offset, bytes).await.map(drop)
    }

    pub(super) async fn set(&self, path: &str, attributes: FileAttributes) -> Result<(), CopyError> {
        self.0.setstat(path, attributes).await.map(drop).map_err(at(path))
    }

    /// The same of an open file, whatever its path leads to by now.
    pub(super) async fn set_open(&self, handle: &str, attributes: FileAttributes) -> Result<(), Error> {
        self.0.fsetstat(handle, attributes).await.map(drop)
    }

    pub(super) async fn make_folder(&self, path: &str, mode: u32) -> Result<(), CopyError> {
        let attributes = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        self.0.mkdir(path, attributes).await.map(drop).map_err(at(path))
    }

    pub(super) async fn link_target(&self, path: &str) -> Result<String, CopyError> {
        let name = self.0.readlink(path).await.map_err(at(path))?;
        name.files.into_iter().next().map(|file| file.filename).ok_or(CopyError::Lost)
    }

    /// Where the file is that a path names, by links or without.
    pub(super) async fn destination(&self, path: String) -> Result<String, CopyError> {
        let mut path = path;
        for _ in 0..LINKS {
            // A slash at the end of what a link says means a folder, which nothing is put in the place of.
            path.truncate(path.trim_end_matches('/').len());
            if self.look(&path).await?.is_none_or(|found| kind(&found) != Kind::Link) {
                return Ok(path);
            }
            let target = self.link_target(&path).await?;
            let name = last(&path).map_or(0, str::len);
            path = if target.starts_with('/') { target } else { format!("{}{target}", &path[..path.len() - name]) };
        }
        Err(CopyError::Remote { path, why: "too many links lead there".to_owned() })
    }

    /// Makes a link, in place of one that is there.
    pub(super) async fn link(&self, path: &str, target: &str) -> Result<(), CopyError> {
        if let Some(attributes) = self.look(path).await?
            && kind(&attributes) == Kind::Link
        {
            self.0.remove(path).await.map(drop).map_err(at(path))?;
        }
        // The target first, as OpenSSH has it.
        self.0.symlink(target, path).await.map(drop).map_err(at(path))
    }

    /// Gives a file its name, in place of what has it.
    pub(super) async fn replace(&self, from: &str, to: &str) -> Result<(), CopyError> {
        let mut data = Vec::new();
        for text in [from, to] {
            data.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            data.extend(text.as_bytes());
        }
        match self.0.extended(POSIX_RENAME, data).await {
            Ok(Packet::Status(status)) if status.status_code != StatusCode::Ok => Err(at(to)(Error::Status(status))),
            answer => answer.map(drop).map_err(at(to)),
        }
    }

    pub(super) async fn remove(&self, path: &str) -> Result<(), CopyError> {
        self.0.remove(path).await.map(drop).map_err(at(path))
    }
}

/// What a file is, by its mode.
pub(super) fn kind(attributes: &FileAttributes) -> Kind {
    match attributes.permissions.unwrap_or(0) & 0o170_000 {
        0o040_000 => Kind::Folder,
        0o100_000 => Kind::File,
        0o120_000 => Kind::Link,
        _ => Kind::Other,
    }
}

/// The error of a request about `path`.
pub(super) fn at(path: &str) -> impl FnOnce(Error) -> CopyError + '_ {
    |error| match error {
        Error::Status(status) => {
            let why = match (status.status_code, status.error_message.as_str()) {
                (StatusCode::NoSuchFile, _) => "no such file".to_owned(),
                (StatusCode::PermissionDenied, _) => "permission denied".to_owned(),
                (code, "") => code.to_string(),
                (_, message) => message.to_owned(),
            };
            CopyError::Remote { path: path.to_owned(), why }
        }
        Error::Limited(why) => CopyError::Remote { path: path.to_owned(), why },
        _ => CopyError::Lost,
    }
}

fn absent<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
        Err(error) => Err(error),
    }
}

/// `path` and `name` as one path.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.ends_with('/') || folder.is_empty() { format!("{folder}{name}") } else { format!("{folder}/{name}") }
}

/// The last part of a path of the container; `None` for `/`, `.` and `..`.
pub(super) fn last(path: &str) -> Option<&str> {
    path.trim_end_matches('/').rsplit('/').next().filter(|name| !matches!(*name, "" | "." | ".."))
}

/// Whether a name from the container can be a file's here. One that is not UTF-8 there comes with marks in it.
pub(super) fn check(name: &str) -> Result<(), &'static str> {
    if name.contains('\u{fffd}') {
        return Err("its name is not UTF-8");
    }
    let path = std::path::Path::new(name);
    let plain = path.components().count() == 1 && path.file_name().is_some_and(|last| last == name);
    let fits = !cfg!(windows) || windows_takes(name);
    if plain && fits && !name.contains(['/', '\0']) { Ok(()) } else { Err("its name is no file name here") }
}

/// Whether Windows makes a file of that very name: not another one, a stream of one, or a device.
fn windows_takes(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |device: &str| stem.strip_prefix(device).is_some_and(|number| number.chars().count() == 1);
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$");
    let banned = |letter: char| letter.is_ascii_control() || "\\/:*?\"<>|".contains(letter);
    !(device || numbered("COM") || numbered("LPT") || name.ends_with(['.', ' ']) || name.contains(banned))
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").finish_non_exhaustive()
    }
}

const POSIX_RENAME: &str = "posix-rename@openssh.com";

/// As many links as Linux follows.
const LINKS: usize = 40;

/// Seconds for an answer.
const PATIENCE: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for name in ["", ".", "..", "a/b", "/a", "a\0b", "caf\u{fffd}"] {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert!(cfg!(windows) || check("a file; rm -rf *\n").is_ok());
    }

    #[test]
    fn windows_gets_no_device_no_stream_and_no_way_up() {
        for name in
            ["..\\a", "C:a", "a:b", "con", "Nul.txt", "COM1", "lpt9.log", "COM\u{b9}", "conout$", "a.", "a ", "a\nb", "NUL .x"]
        {
            assert!(!windows_takes(name), "{name:?}");
        }
        for name in ["a file", "console", "com", "COM10", "nullable.rs", ".profile", "caf\u{e9}"] {
            assert!(windows_takes(name), "{name:?}");
        }
    }

    #[test]
    fn paths_are_joined_and_taken_apart() {
        assert_eq!([join("/", "a"), join("/x", "a"), join("", "a"), join("x/", "a")], ["/a", "/x/a", "a", "x/a"]);
        assert_eq!([last("/var/log/"), last("x"), last("/"), last("..")], [Some("log"), Some("x"), None, None]);
    }
}
