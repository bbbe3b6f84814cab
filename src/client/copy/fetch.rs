//! From the container to this machine.

use std::fs::{self, File, FileTimes};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use russh_sftp::protocol::{FileAttributes, OpenFlags};

use super::remote::{Kind, at, check, join, kind, last};
use super::{AT_ONCE, CHUNK, COMPARED, CopyError, OWNER_WRITES, Options, Remote, Watch, local, part};

pub(super) async fn fetch(
    remote: &Remote,
    from: &str,
    to: &Path,
    options: Options,
    watch: &mut dyn Watch,
) -> Result<(), CopyError> {
    let from = if from.is_empty() { "." } else { from };
    let Some(attributes) = remote.follow(from).await? else {
        return Err(CopyError::Remote { path: from.to_owned(), why: "no such file".to_owned() });
    };
    let target = match last(from) {
        Some(name) if to.is_dir() => {
            check(name).map_err(|why| CopyError::Remote { path: from.to_owned(), why: why.to_owned() })?;
            to.join(name)
        }
        _ => to.to_owned(),
    };
    let mut fetch = Fetch { remote, options, watch };
    match kind(&attributes) {
        Kind::File => {
            if to.as_os_str().as_encoded_bytes().ends_with(b"/") && !to.is_dir() {
                return Err(CopyError::local(to)(io::Error::other("there is no such folder here")));
            }
            // It may have come with an earlier copy: what the container has made of it is not written through, and not lost.
            if target.is_symlink() {
                return Err(CopyError::local(&target)(io::Error::other("it is a link here: name the file that it leads to")));
            }
            fetch.watch.expect(attributes.len());
            fetch.file(from, &target, &attributes).await
        }
        Kind::Folder => fetch.tree(from, target, attributes).await,
        _ => Err(CopyError::Remote { path: from.to_owned(), why: "it is neither a file nor a folder".to_owned() }),
    }
}

struct Fetch<'a> {
    remote: &'a Remote,
    options: Options,
    watch: &'a mut dyn Watch,
}

impl Fetch<'_> {
    async fn tree(&mut self, from: &str, to: PathBuf, attributes: FileAttributes) -> Result<(), CopyError> {
        let mut waiting = vec![(from.to_owned(), to.clone(), attributes)];
        let (mut folders, mut links) = (Vec::new(), Vec::new());
        while let Some((from, to, attributes)) = waiting.pop() {
            // The one that the person named may be reached by a link; those below come from the other side.
            let top = folders.is_empty();
            if let Err(error) = folder(&to, attributes.permissions.unwrap_or(0o755), top) {
                self.leave(&from, CopyError::local(&to)(error), top)?;
                continue;
            }
            let rows = match self.remote.list(&from).await {
                Ok(rows) => rows,
                Err(error) => {
                    self.leave(&from, error, top)?;
                    continue;
                }
            };
            folders.push((to.clone(), attributes));
            for row in &rows {
                if kind(&row.attrs) == Kind::File {
                    self.watch.expect(row.attrs.len());
                }
            }
            for row in rows {
                let path = join(&from, &row.filename);
                if let Err(why) = check(&row.filename) {
                    self.watch.skip(&path, why);
                    continue;
                }
                let target = to.join(&row.filename);
                match kind(&row.attrs) {
                    Kind::Folder => waiting.push((path, target, row.attrs)),
                    Kind::Link => links.push((path, target)),
                    Kind::Other => self.watch.skip(&path, "it is neither a file nor a folder"),
                    Kind::File => {
                        if let Err(error) = self.file(&path, &target, &row.attrs).await {
                            self.leave(&path, error, false)?;
                        }
                    }
                }
            }
        }
        // Last, when nothing is written below any more.
        for (from, to) in links {
            if let Err(error) = self.link(&from, &to).await {
                self.leave(&from, error, false)?;
            }
        }
        let kept = if self.options.preserve { folders } else { Vec::new() };
        for (path, attributes) in kept.iter().rev() {
            let set = local::open_folder(path).and_then(|folder| keep(&folder, attributes));
            if let Err(error) = set {
                self.leave(&path.display().to_string(), CopyError::local(path)(error), false)?;
            }
        }
        Ok(())
    }

    /// Tells of what cannot be copied, and goes on where that makes sense.
    fn leave(&mut self, path: &str, error: CopyError, top: bool) -> Result<(), CopyError> {
        let full = |source: &io::Error| matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match error {
            CopyError::Local { source, path } if top || full(&source) => Err(CopyError::Local { source, path }),
            CopyError::Local { source, .. } => {
                self.watch.skip(path, &super::plain(&source));
                Ok(())
            }
            CopyError::Remote { why, .. } if !top => {
                self.watch.skip(path, &why);
                Ok(())
            }
            error => Err(error),
        }
    }

    async fn link(&mut self, from: &str, to: &Path) -> Result<(), CopyError> {
        let target = self.remote.link_target(from).await?;
        local::link(&target, to).map_err(CopyError::local(to))
    }

    async fn file(&mut self, from: &str, to: &Path, attributes: &FileAttributes) -> Result<(), CopyError> {
        self.watch.begin(from);
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let new = to.with_file_name(part(&name));
        let old = replaced(to).map_err(CopyError::local(to))?;
        let mode = old.as_ref().map_or(attributes.permissions.unwrap_or(0o644) & 0o777, local::mode);
        let handle = self.remote.open_file(from, OpenFlags::READ, None).await?;
        let copied = self.contents(from, &handle, to, &new, attributes.len(), mode).await;
        // On a connection that is gone nothing would answer.
        if !matches!(copied, Err(CopyError::Lost)) {
            self.remote.close(handle).await;
        }
        match copied {
            Ok(file) => {
                if let Some(old) = &old {
                    local::resemble(&file, old).map_err(CopyError::local(to))?;
                }
                if self.options.preserve {
                    keep(&file, attributes).map_err(CopyError::local(to))?;
                } else if mode & OWNER_WRITES == 0 {
                    local::write_protect(&file).map_err(CopyError::local(to))?;
                }
                fs::rename(&new, to).map_err(CopyError::local(to))
            }
            // What can be gone on with stays; what only fills the disk goes.
            Err(CopyError::Lost) => Err(CopyError::Lost),
            Err(error) => {
                let _ = fs::remove_file(&new);
                Err(error)
            }
        }
    }

    /// Writes it to `new`, which becomes `to`: that is the name that people know.
    async fn contents(
        &mut self,
        from: &str,
        handle: &str,
        to: &Path,
        new: &Path,
        size: u64,
        mode: u32,
    ) -> Result<File, CopyError> {
        let (remote, failed) = (self.remote, || CopyError::local(to));
        let (mut file, start) = match self.resumable(from, handle, new, size).await? {
            Some((file, start)) => (file, start),
            None => {
                let _ = fs::remove_file(new);
                // With the right to write while it is being written.
                (local::create_new(new, mode | OWNER_WRITES).map_err(failed())?, 0)
            }
        };
        self.watch.done(start);
        let (mut asked, mut under_way) = (start, FuturesOrdered::new());
        loop {
            // A file whose size is not known (`/proc`) is read to its end, one request after the other.
            let more = if size == 0 { under_way.is_empty() } else { asked < size };
            if more && under_way.len() < AT_ONCE {
                let length = if size == 0 { CHUNK } else { CHUNK.min(u32::try_from(size - asked).unwrap_or(CHUNK)) };
                let offset = asked;
                under_way.push_back(async move { (length, remote.read(handle, offset, length).await) });
                asked += u64::from(length);
                continue;
            }
            let Some((length, read)) = under_way.next().await else { break };
            let bytes = read.map_err(at(from))?;
            file.write_all(&bytes).map_err(failed())?;
            self.watch.done(bytes.len() as u64);
            if (bytes.len() as u32) < length {
                // It has become shorter meanwhile, or this is its end.
                break;
            }
        }
        drop(under_way);
        Ok(file)
    }

    /// What an earlier copy has left of the same file, and how much that is.
    async fn resumable(&self, from: &str, handle: &str, new: &Path, size: u64) -> Result<Option<(File, u64)>, CopyError> {
        if !self.options.resume {
            return Ok(None);
        }
        let Ok(mut file) = local::open(new) else { return Ok(None) };
        let have = file.metadata().map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
        if have == 0 || have > size {
            return Ok(None);
        }
        let tail = COMPARED.min(u32::try_from(have).unwrap_or(COMPARED));
        let mut ours = vec![0; tail as usize];
        let read = file.seek(SeekFrom::Start(have - u64::from(tail))).and_then(|_| file.read_exact(&mut ours));
        read.map_err(CopyError::local(new))?;
        let theirs = self.remote.read(handle, have - u64::from(tail), tail).await.map_err(at(from))?;
        Ok((ours == theirs).then_some((file, have)))
    }
}

/// The file that stands at `path` and will be replaced. What is none stays: a link below the folder that the person named is replaced
/// unread, but no device, pipe or socket is.
fn replaced(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(metadata) if metadata.is_symlink() => Ok(None),
        Ok(metadata) if metadata.is_dir() => Err(io::Error::other("it is a folder here")),
        Ok(_) => Err(io::Error::other(super::NO_FILE)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder at `path`, made where there is none. One below the top is never entered by a link.
fn folder(path: &Path, mode: u32, top: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(metadata) if metadata.is_symlink() && top && path.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::other("it is no folder here")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => local::make_folder(path, mode & 0o777 | 0o700),
        Err(error) => Err(error),
    }
}

/// Mode and times, without the bits by which a file lends its owner's rights: the owner is another here.
fn keep(file: &File, attributes: &FileAttributes) -> io::Result<()> {
    if let Some(mode) = attributes.permissions {
        local::set_mode(file, mode & 0o777)?;
    }
    let at = |seconds: Option<u32>| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unwrap_or(0).into());
    if attributes.mtime.is_some() {
        file.set_times(FileTimes::new().set_accessed(at(attributes.atime)).set_modified(at(attributes.mtime)))?;
    }
    Ok(())
}
