//! Owners and permission bits.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use super::{FileError, Guard};

/// Opens what stands at `path`, unless it is a link; waits for no pipe's other end.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether `error` is what [`open`] says to a link.
pub(super) fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// A new file, 0600. What stands there already is never opened, link or file.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The file at `path`, made where there is none, 0600; unless it is a link.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)
}

/// Makes the folder, 0700, and those above it.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Refuses what is another's, or what others may do with what `guard` forbids.
pub(super) fn check_owner(path: &Path, guard: Guard, metadata: &Metadata) -> Result<(), FileError> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(FileError::ForeignOwner { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & forbidden(guard) != 0 { Err(FileError::Loose { path: path.to_owned(), mode }) } else { Ok(()) }
}

/// The permission bits that must not be set.
fn forbidden(guard: Guard) -> u32 {
    match guard {
        Guard::Secret => 0o077,
        Guard::Trusted => 0o022,
    }
}
