//! From this machine to the container.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags};

use super::remote::{Kind, at, join, kind, last};
use super::{AT_ONCE, CHUNK, COMPARED, CopyError, OWNER_WRITES, Options, Remote, Watch, local, part};

pub(super) async fn send(
    remote: &Remote,
    from: &Path,
    to: &str,
    options: Options,
    watch: &mut dyn Watch,
) -> Result<(), CopyError> {
    let metadata = fs::metadata(from).map_err(CopyError::local(from))?;
    let to = if to.is_empty() { "." } else { to };
    let there = remote.follow(to).await?;
    let into = there.as_ref().is_some_and(|there| kind(there) == Kind::Folder);
    if to.ends_with('/') && !into {
        return Err(CopyError::Remote { path: to.to_owned(), why: "there is no such folder".to_owned() });
    }
    let target = match from.file_name().filter(|_| into) {
        Some(name) => join(to, text(name.as_ref()).map_err(|why| unnamed(from, why))?),
        None => to.to_owned(),
    };
    let mut send = Send { remote, options, watch };
    if metadata.is_dir() {
        return send.tree(from.to_owned(), target).await;
    }
    let target = remote.destination(target).await?;
    send.watch.expect(metadata.len());
    send.file(from, &target, &metadata).await
}

struct Send<'a> {
    remote: &'a Remote,
    options: Options,
    watch: &'a mut dyn Watch,
}

impl Send<'_> {
    async fn tree(&mut self, from: PathBuf, to: String) -> Result<(), CopyError> {
        let mut waiting = vec![(from, to)];
        let mut folders = Vec::new();
        while let Some((from, to)) = waiting.pop() {
            let top = folders.is_empty();
            let metadata = fs::metadata(&from).map_err(CopyError::local(&from))?;
            match self.remote.follow(&to).await? {
                Some(there) if kind(&there) == Kind::Folder => {}
                Some(_) => return Err(CopyError::Remote { path: to, why: "it is no folder there".to_owned() }),
                None => self.remote.make_folder(&to, local::mode(&metadata) | 0o700).await?,
            }
            let entries = match fs::read_dir(&from) {
                Ok(entries) => entries,
                Err(error) => {
                    self.leave(&from, CopyError::local(&from)(error), top)?;
                    continue;
                }
            };
            folders.push((to.clone(), metadata));
            let mut files = Vec::new();
            for entry in entries {
                let entry = entry.map_err(CopyError::local(&from))?;
                let path = entry.path();
                let name = entry.file_name();
                let name = match text(name.as_ref()) {
                    Ok(name) => name,
                    Err(why) => {
                        self.watch.skip(&path.display().to_string(), why);
                        continue;
                    }
                };
                let target = join(&to, name);
                let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
                let kind = metadata.file_type();
                if kind.is_dir() {
                    waiting.push((path, target));
                } else if kind.is_file() {
                    self.watch.expect(metadata.len());
                    files.push((path, target, metadata));
                } else if kind.is_symlink() {
                    if let Err(error) = self.link(&path, &target).await {
                        self.leave(&path, error, false)?;
                    }
                } else {
                    self.watch.skip(&path.display().to_string(), "it is neither a file nor a folder");
                }
            }
            for (path, target, metadata) in files {
                if let Err(error) = self.file(&path, &target, &metadata).await {
                    self.leave(&path, error, false)?;
                }
            }
        }
        for (path, metadata) in folders.iter().rev().filter(|_| self.options.preserve) {
            self.remote.set(path, kept(metadata)).await?;
        }
        Ok(())
    }

    /// Tells of what cannot be copied, and goes on where that makes sense: a full disk there is full for the rest as well.
    fn leave(&mut self, path: &Path, error: CopyError, top: bool) -> Result<(), CopyError> {
        let (path, why) = match &error {
            CopyError::Local { path, source } if !top => (path.display().to_string(), super::plain(source)),
            CopyError::Remote { why, .. } if !top && !why.contains(FULL) => (path.display().to_string(), why.clone()),
            _ => return Err(error),
        };
        self.watch.skip(&path, &why);
        Ok(())
    }

    async fn link(&mut self, from: &Path, to: &str) -> Result<(), CopyError> {
        let target = local::link_target(from).map_err(CopyError::local(from))?;
        let target = text(&target).map_err(|why| unnamed(from, why))?;
        self.remote.link(to, target).await
    }

    async fn file(&mut self, from: &Path, to: &str, metadata: &fs::Metadata) -> Result<(), CopyError> {
        self.watch.begin(&from.display().to_string());
        let name = last(to).ok_or_else(|| CopyError::Remote { path: to.to_owned(), why: "it is a folder there".to_owned() })?;
        let folder = &to[..to.len() - name.len()];
        let new = format!("{folder}{}", part(name));
        let mut file = File::open(from).map_err(CopyError::local(from))?;
        let start = self.resumable(&mut file, from, &new, metadata.len()).await?;
        let (left, old) = tokio::join!(self.remote.look(&new), self.remote.look(to));
        let (left, old) = (left?, old?.filter(|old| kind(old) != Kind::Link));
        match old.as_ref().map(kind) {
            Some(Kind::Folder) => {
                return Err(CopyError::Remote { path: to.to_owned(), why: "it is a folder there".to_owned() });
            }
            Some(Kind::Other) => return Err(CopyError::Remote { path: to.to_owned(), why: super::NO_FILE.to_owned() }),
            _ => {}
        }
        let mode = old.as_ref().and_then(|old| old.permissions).map_or(local::mode(metadata), |mode| mode & 0o777);
        let opened = match start {
            0 => {
                if left.is_some() {
                    self.remote.remove(&new).await?;
                }
                // A name that somebody else makes just now is not written through.
                let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
                self.remote.open_file(&new, flags, Some(mode | OWNER_WRITES)).await
            }
            _ => self.remote.open_file(&new, OpenFlags::WRITE, None).await,
        };
        // People know the name that it will have.
        let handle = opened.map_err(|error| match error {
            CopyError::Remote { why, .. } => CopyError::Remote { path: to.to_owned(), why },
            error => error,
        })?;
        let mut copied = self.contents(&mut file, from, &handle, to, start).await;
        if copied.is_ok() {
            // While it is open: what stands at its path may be another's by now.
            copied = self.dress(&handle, old.as_ref(), mode, metadata).await.map_err(at(to));
        }
        // On a connection that is gone nothing would answer.
        if !matches!(copied, Err(CopyError::Lost)) {
            self.remote.close(handle).await;
        }
        match copied {
            Ok(()) => self.remote.replace(&new, to).await,
            Err(CopyError::Lost) => Err(CopyError::Lost),
            Err(error) => {
                let _ = self.remote.remove(&new).await;
                Err(error)
            }
        }
    }

    /// Gives the new file its owner, mode and times: those of the `old` one that it will replace, or of the one here.
    async fn dress(&self, handle: &str, old: Option<&FileAttributes>, mode: u32, here: &fs::Metadata) -> Result<(), Error> {
        let mut mode = mode;
        if let Some(FileAttributes { uid, gid, .. }) = old {
            let owner = |uid, gid| FileAttributes { uid, gid, ..FileAttributes::empty() };
            // Whoever may not give it away stays its owner, in the old one's group where that may be; else no group sees more than before.
            let given = match self.remote.set_open(handle, owner(*uid, *gid)).await {
                Err(Error::Status(_)) => self.remote.set_open(handle, owner(None, *gid)).await,
                given => given,
            };
            match given {
                Ok(()) => {}
                Err(Error::Status(_)) => mode = local::without_group(mode),
                Err(error) => return Err(error),
            }
        }
        if self.options.preserve {
            return self.remote.set_open(handle, kept(here)).await;
        }
        match old.is_some() || mode & OWNER_WRITES == 0 {
            true => self.remote.set_open(handle, FileAttributes { permissions: Some(mode), ..FileAttributes::empty() }).await,
            false => Ok(()),
        }
    }

    async fn contents(&mut self, file: &mut File, from: &Path, handle: &str, to: &str, start: u64) -> Result<(), CopyError> {
        let (remote, failed) = (self.remote, || CopyError::local(from));
        file.seek(SeekFrom::Start(start)).map_err(failed())?;
        self.watch.done(start);
        let (mut offset, mut under_way, mut ended) = (start, FuturesUnordered::new(), false);
        loop {
            if !ended && under_way.len() < AT_ONCE {
                let mut bytes = Vec::new();
                let read = Read::by_ref(file).take(CHUNK.into()).read_to_end(&mut bytes).map_err(failed())?;
                ended = read == 0;
                if !ended {
                    let at = offset;
                    offset += read as u64;
                    under_way.push(async move { (read, remote.write(handle, at, bytes).await) });
                }
                continue;
            }
            let Some((written, answer)) = under_way.next().await else { return Ok(()) };
            answer.map_err(at(to))?;
            self.watch.done(written as u64);
        }
    }

    /// How much of the file an earlier copy has left there.
    async fn resumable(&self, file: &mut File, from: &Path, new: &str, size: u64) -> Result<u64, CopyError> {
        if !self.options.resume {
            return Ok(0);
        }
        let Some(there) = self.remote.look(new).await? else { return Ok(0) };
        let have = there.len();
        if kind(&there) != Kind::File || have == 0 || have > size {
            return Ok(0);
        }
        let tail = COMPARED.min(u32::try_from(have).unwrap_or(COMPARED));
        let mut ours = vec![0; tail as usize];
        let read = file.seek(SeekFrom::Start(have - u64::from(tail))).and_then(|_| file.read_exact(&mut ours));
        read.map_err(CopyError::local(from))?;
        let handle = self.remote.open_file(new, OpenFlags::READ, None).await?;
        let theirs = self.remote.read(&handle, have - u64::from(tail), tail).await;
        self.remote.close(handle).await;
        Ok(if theirs.map_err(at(new))? == ours { have } else { 0 })
    }
}

fn text(name: &Path) -> Result<&str, &'static str> {
    name.to_str().ok_or("its name is not UTF-8")
}

fn unnamed(path: &Path, why: &'static str) -> CopyError {
    CopyError::local(path)(std::io::Error::other(why))
}

fn kept(metadata: &fs::Metadata) -> FileAttributes {
    // What was before 1970 is of its first second.
    let seconds =
        |time: SystemTime| u32::try_from(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()).ok();
    FileAttributes {
        permissions: Some(local::mode(metadata)),
        atime: metadata.accessed().ok().and_then(seconds),
        mtime: metadata.modified().ok().and_then(seconds),
        ..FileAttributes::empty()
    }
}

/// What every system says of it.
const FULL: &str = "No space left";
