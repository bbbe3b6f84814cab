//! Files by the access lists that they inherit: a user's profile, where all of ours are unless somebody names another folder, is closed to
//! other users. No list is read or changed here, and a folder elsewhere is as open as it was made.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;

use super::{FileError, Guard};

/// Opens what stands at `path`; a link itself, so that it is seen to be no file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

/// Whether `error` is what [`open`] says to a link: none is.
pub(super) fn is_link(_error: &io::Error) -> bool {
    false
}

/// A new file. What stands there already is never opened, link or file.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// The file at `path`, made where there is none. Of a link, the link itself.
pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

/// Makes the folder, and those above it.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// What the folder's access list lets others do is for whoever made it to say.
pub(super) fn check_owner(_path: &Path, _guard: Guard, _metadata: &Metadata) -> Result<(), FileError> {
    Ok(())
}

/// A flag of CreateFile.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
