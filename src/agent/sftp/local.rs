//! Files of this process's own root, with this process's rights.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::{File, Metadata, OpenOptions, ReadDir};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use bytes::{Buf, BufMut};
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::Handler;
use rustix::fs::{AtFlags, CWD, Gid, Timespec, Timestamps, Uid};

use super::attributes;
use super::{FSYNC, Failed, HANDLES, HARDLINK, Handles, LIMITS, LSETSTAT, POSIX_RENAME, STATVFS, ok, text, version};

/// What one client has open.
#[derive(Debug, Default)]
pub(super) struct Files {
    open: Handles<Open>,
}

#[derive(Debug)]
enum Open {
    File { file: File, append: bool },
    Folder { entries: ReadDir, path: String },
}

impl Files {
    fn file(&mut self, handle: &str) -> Result<(&mut File, bool), Failed> {
        match self.open.get(handle) {
            Some(Open::File { file, append }) => Ok((file, *append)),
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
        Ok(version())
    }

    async fn open(&mut self, id: u32, path: String, flags: OpenFlags, attrs: FileAttributes) -> Result<Handle, Failed> {
        let mut options = OpenOptions::new();
        let write = flags.contains(OpenFlags::WRITE) || flags.contains(OpenFlags::APPEND);
        options.read(flags.contains(OpenFlags::READ) || !write).write(write);
        options.truncate(flags.contains(OpenFlags::TRUNCATE) && write);
        match (flags.contains(OpenFlags::CREATE) && write, flags.contains(OpenFlags::EXCLUDE)) {
            (true, true) => options.create_new(true),
            (create, _) => options.create(create),
        };
        options.mode(attrs.permissions.unwrap_or(0o666) & MODE);
        // A pipe without a writer would hold this process for ever.
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let file = options.open(&path)?;
        if file.metadata()?.is_dir() {
            return Err(Failed::new(StatusCode::Failure, "it is a folder"));
        }
        self.open.keep(id, Open::File { file, append: flags.contains(OpenFlags::APPEND) })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Failed> {
        self.open.close(id, &handle)
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, Failed> {
        let (file, _) = self.file(&handle)?;
        let mut data = vec![0; (len as usize).min(CHUNK)];
        match file.read_at(&mut data, offset)? {
            0 if len > 0 => Err(Failed::new(StatusCode::Eof, "end of file")),
            read => {
                data.truncate(read);
                Ok(Data { id, data })
            }
        }
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, Failed> {
        let (file, append) = self.file(&handle)?;
        let offset = if append { file.seek(SeekFrom::End(0))? } else { offset };
        file.write_all_at(&data, offset)?;
        Ok(ok(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, Failed> {
        Ok(Attrs { id, attrs: attributes::of(&std::fs::symlink_metadata(path)?) })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, Failed> {
        Ok(Attrs { id, attrs: attributes::of(&std::fs::metadata(path)?) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Failed> {
        let metadata = self.file(&handle)?.0.metadata()?;
        Ok(Attrs { id, attrs: attributes::of(&metadata) })
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, Failed> {
        if let Some(size) = attrs.size {
            OpenOptions::new().write(true).open(&path)?.set_len(size)?;
        }
        if let Some((uid, gid)) = owner(&attrs) {
            rustix::fs::chownat(CWD, &path, uid, gid, AtFlags::empty())?;
        }
        if let Some(mode) = attrs.permissions {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode & MODE))?;
        }
        if let Some(times) = times(&attrs, || std::fs::metadata(&path))? {
            rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty())?;
        }
        Ok(ok(id))
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Result<Status, Failed> {
        let (file, _) = self.file(&handle)?;
        if let Some(size) = attrs.size {
            file.set_len(size)?;
        }
        if let Some((uid, gid)) = owner(&attrs) {
            rustix::fs::fchown(&*file, uid, gid)?;
        }
        if let Some(mode) = attrs.permissions {
            file.set_permissions(std::fs::Permissions::from_mode(mode & MODE))?;
        }
        if let Some(times) = times(&attrs, || file.metadata())? {
            rustix::fs::futimens(&*file, &times)?;
        }
        Ok(ok(id))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, Failed> {
        let entries = std::fs::read_dir(&path)?;
        self.open.keep(id, Open::Folder { entries, path })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Failed> {
        let Some(Open::Folder { entries, path }) = self.open.get(&handle) else { return Err(Failed::closed()) };
        let mut files = Vec::new();
        for entry in entries.by_ref().take(ENTRIES) {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // One that has gone meanwhile is not there to be listed.
            if let Ok(metadata) = std::fs::symlink_metadata(Path::new(path).join(entry.file_name())) {
                files.push(attributes::row(&name, attributes::of(&metadata), metadata.nlink()));
            }
        }
        match files.is_empty() {
            true => Err(Failed::new(StatusCode::Eof, "end of folder")),
            false => Ok(Name { id, files }),
        }
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status, Failed> {
        std::fs::remove_file(path)?;
        Ok(ok(id))
    }

    async fn mkdir(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, Failed> {
        std::fs::DirBuilder::new().mode(attrs.permissions.unwrap_or(0o777) & MODE).create(path)?;
        Ok(ok(id))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, Failed> {
        std::fs::remove_dir(path)?;
        Ok(ok(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, Failed> {
        let path = Path::new(if path.is_empty() { "." } else { &path });
        // What is not there yet has a real path too: that of its folder, and its name.
        let real = std::fs::canonicalize(path).or_else(|error| match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                Ok(std::fs::canonicalize(parent)?.join(name))
            }
            _ => Err(error),
        })?;
        Ok(Name { id, files: vec![russh_sftp::protocol::File::dummy(real.to_string_lossy())] })
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status, Failed> {
        if std::fs::symlink_metadata(&to).is_ok() {
            return Err(Failed::new(StatusCode::Failure, "the new name is taken"));
        }
        std::fs::rename(from, to)?;
        Ok(ok(id))
    }

    async fn readlink(&mut self, id: u32, path: String) -> Result<Name, Failed> {
        let target = std::fs::read_link(path)?;
        Ok(Name { id, files: vec![russh_sftp::protocol::File::dummy(target.to_string_lossy())] })
    }

    async fn symlink(&mut self, id: u32, first: String, second: String) -> Result<Status, Failed> {
        // OpenSSH's server has always taken the target first, and every client follows it.
        std::os::unix::fs::symlink(first, second)?;
        Ok(ok(id))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, Failed> {
        let mut data = data.as_slice();
        match request.as_str() {
            POSIX_RENAME => std::fs::rename(text(&mut data)?, text(&mut data)?)?,
            HARDLINK => std::fs::hard_link(text(&mut data)?, text(&mut data)?)?,
            FSYNC => self.file(&text(&mut data)?)?.0.sync_all()?,
            LSETSTAT => {
                let path = text(&mut data)?;
                let attrs = FileAttributes::from_tail(data)?;
                if let Some((uid, gid)) = owner(&attrs) {
                    rustix::fs::chownat(CWD, &path, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
                }
                if let Some(times) = times(&attrs, || std::fs::symlink_metadata(&path))? {
                    rustix::fs::utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
                }
            }
            LIMITS => return Ok(reply(id, [PACKET, CHUNK as u64, CHUNK as u64, HANDLES as u64])),
            STATVFS => return Ok(reply(id, statvfs(&text(&mut data)?)?)),
            _ => return Err(Failed::unsupported()),
        }
        Ok(ok(id).into())
    }
}

/// Attributes at the end of an extended request.
trait Tail: Sized {
    fn from_tail(data: &[u8]) -> Result<Self, Failed>;
}

impl Tail for FileAttributes {
    fn from_tail(mut data: &[u8]) -> Result<Self, Failed> {
        let short = |_| Failed::new(StatusCode::BadMessage, "the request is cut short");
        let flags = data.try_get_u32().map_err(short)?;
        let mut attrs = Self::default();
        if flags & 1 != 0 {
            attrs.size = Some(data.try_get_u64().map_err(short)?);
        }
        if flags & 2 != 0 {
            attrs.uid = Some(data.try_get_u32().map_err(short)?);
            attrs.gid = Some(data.try_get_u32().map_err(short)?);
        }
        if flags & 4 != 0 {
            attrs.permissions = Some(data.try_get_u32().map_err(short)?);
        }
        if flags & 8 != 0 {
            attrs.atime = Some(data.try_get_u32().map_err(short)?);
            attrs.mtime = Some(data.try_get_u32().map_err(short)?);
        }
        Ok(attrs)
    }
}

fn reply(id: u32, numbers: impl IntoIterator<Item = u64>) -> Packet {
    let mut data = Vec::new();
    for number in numbers {
        data.put_u64(number);
    }
    ExtendedReply { id, data }.into()
}

fn statvfs(path: &str) -> Result<[u64; 11], Failed> {
    let path = CString::new(path).map_err(|_| Failed::new(StatusCode::Failure, "a path has no zero byte"))?;
    let stat = rustix::fs::statvfs(path.as_c_str())?;
    Ok([
        stat.f_bsize,
        stat.f_frsize,
        stat.f_blocks,
        stat.f_bfree,
        stat.f_bavail,
        stat.f_files,
        stat.f_ffree,
        stat.f_favail,
        stat.f_fsid,
        stat.f_flag.bits(),
        stat.f_namemax,
    ])
}

fn owner(attrs: &FileAttributes) -> Option<(Option<Uid>, Option<Gid>)> {
    let (uid, gid) = (attrs.uid.map(Uid::from_raw), attrs.gid.map(Gid::from_raw));
    (uid.is_some() || gid.is_some()).then_some((uid, gid))
}

/// Both times, where one was left out the file's own.
fn times(attrs: &FileAttributes, now: impl FnOnce() -> io::Result<Metadata>) -> io::Result<Option<Timestamps>> {
    if attrs.atime.is_none() && attrs.mtime.is_none() {
        return Ok(None);
    }
    let now = now()?;
    let at = |seconds: Option<u32>, own: i64| Timespec { tv_sec: seconds.map_or(own, i64::from), tv_nsec: 0 };
    Ok(Some(Timestamps { last_access: at(attrs.atime, now.atime()), last_modification: at(attrs.mtime, now.mtime()) }))
}

/// The bits of a mode that a client may set.
const MODE: u32 = 0o7777;

/// The most bytes of one read.
const CHUNK: usize = 255 * 1024;

/// The most bytes of a packet.
const PACKET: u64 = 256 * 1024;

/// The most rows of one answer.
const ENTRIES: usize = 100;
