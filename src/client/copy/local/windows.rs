//! Of the permission bits Windows knows one: whether a file may be written. Links need a right that not every user has.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileTypeExt, OpenOptionsExt, symlink_dir, symlink_file};
use std::path::{Path, PathBuf};

use crate::client::copy::OWNER_WRITES;

/// What stands for the permission bits of a file or folder there: a new file's usual ones, as far as it may be written here.
pub(in crate::client::copy) fn mode(metadata: &Metadata) -> u32 {
    match (metadata.is_dir(), metadata.permissions().readonly()) {
        (true, _) => 0o755,
        (false, false) => 0o644,
        (false, true) => 0o444,
    }
}

/// Protects an open file, if `mode` does. No folder can be.
pub(in crate::client::copy) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    if mode & OWNER_WRITES == 0 && file.metadata()?.is_file() { write_protect(file) } else { Ok(()) }
}

/// Takes the right to write the file from everybody.
pub(in crate::client::copy) fn write_protect(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// A new file has what it inherits, as the one before had.
pub(in crate::client::copy) fn resemble(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// A new file, open for writing, by the access list that it inherits. What stands there already is never opened.
pub(in crate::client::copy) fn create_new(path: &Path, _mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// A file that is there, to read and write. Of a link, the link itself, which has no content.
pub(in crate::client::copy) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

/// A folder, to set its times.
pub(in crate::client::copy) fn open_folder(path: &Path) -> io::Result<File> {
    OpenOptions::new().access_mode(FILE_WRITE_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// A new folder, by the access list that it inherits.
pub(in crate::client::copy) fn make_folder(path: &Path, _mode: u32) -> io::Result<()> {
    fs::create_dir(path)
}

/// What the link at `path` says, with slashes as the other side has them.
pub(in crate::client::copy) fn link_target(path: &Path) -> io::Result<PathBuf> {
    let target = fs::read_link(path)?;
    Ok(target.to_str().map(|text| text.replace('\\', "/").into()).unwrap_or(target))
}

/// A link to `target` at `path`, in place of a link that is there. Windows tells links to folders from those to files: one to what is not
/// there is a file's.
pub(in crate::client::copy) fn link(target: &str, path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path).map(|metadata| metadata.file_type()) {
        Ok(kind) if kind.is_symlink_dir() => fs::remove_dir(path)?,
        Ok(kind) if kind.is_symlink_file() => fs::remove_file(path)?,
        _ => {}
    }
    let target = target.replace('/', "\\");
    let folder = path.parent().is_some_and(|folder| folder.join(&target).is_dir());
    if folder { symlink_dir(target, path) } else { symlink_file(target, path) }
}

/// Flags and a right of CreateFile.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
const FILE_WRITE_ATTRIBUTES: u32 = 0x100;
