//! The same as there.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::client::copy::OWNER_WRITES;

/// The permission bits of a file or folder.
pub(in crate::client::copy) fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

/// Gives an open file or folder these permission bits.
pub(in crate::client::copy) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Takes the right to write from the file's owner.
pub(in crate::client::copy) fn write_protect(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(file.metadata()?.permissions().mode() & !OWNER_WRITES))
}

/// Gives a new file the permission bits of the one that it will replace, and its owner and group, where we may.
pub(in crate::client::copy) fn resemble(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    let mut mode = mode(old);
    // Whoever may not give it away stays its owner, in the old one's group where that may be; else no group sees more than before.
    let given = (new.uid(), new.gid()) == (old.uid(), old.gid()) || fchown(file, Some(old.uid()), Some(old.gid())).is_ok();
    if !given && new.gid() != old.gid() && fchown(file, None, Some(old.gid())).is_err() {
        mode = super::without_group(mode);
    }
    set_mode(file, mode)
}

/// A new file, open for writing. What stands there already is never opened.
pub(in crate::client::copy) fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// A file that is there, to read and write, unless it is a link.
pub(in crate::client::copy) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path)
}

/// A folder, to set its mode and times.
pub(in crate::client::copy) fn open_folder(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// A new folder.
pub(in crate::client::copy) fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(mode).create(path)
}

/// What the link at `path` says.
pub(in crate::client::copy) fn link_target(path: &Path) -> io::Result<PathBuf> {
    fs::read_link(path)
}

/// A link to `target` at `path`, in place of a link that is there.
pub(in crate::client::copy) fn link(target: &str, path: &Path) -> io::Result<()> {
    if path.is_symlink() {
        fs::remove_file(path)?;
    }
    symlink(target, path)
}
