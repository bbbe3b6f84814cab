//! A file's attributes as SFTP has them, and the line that `ls -l` shows of it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use russh_sftp::protocol::{File, FileAttributes};

use crate::moment;

/// The attributes of a file.
pub(super) fn of(metadata: &Metadata) -> FileAttributes {
    let seconds = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    FileAttributes {
        size: Some(metadata.size()),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
        permissions: Some(metadata.mode()),
        atime: Some(seconds(metadata.atime())),
        mtime: Some(seconds(metadata.mtime())),
        ..FileAttributes::default()
    }
}

/// A row of a folder's list.
pub(in crate::agent) fn row(name: &str, attributes: FileAttributes, links: u64) -> File {
    let (uid, gid, size) = (attributes.uid.unwrap_or(0), attributes.gid.unwrap_or(0), attributes.size.unwrap_or(0));
    let time = moment::show(attributes.mtime.unwrap_or(0).into());
    let mode = letters(attributes.permissions.unwrap_or(0));
    let longname = format!("{mode} {links:>4} {uid:<8} {gid:<8} {size:>10} {time} {name}");
    File { filename: name.to_owned(), longname, attrs: attributes }
}

/// `drwxr-xr-x`.
fn letters(mode: u32) -> String {
    let kind = match mode & 0o170_000 {
        0o040_000 => 'd',
        0o120_000 => 'l',
        0o060_000 => 'b',
        0o020_000 => 'c',
        0o010_000 => 'p',
        0o140_000 => 's',
        _ => '-',
    };
    let special = |at: u32, executable: bool| match (at, executable) {
        (6, true) | (3, true) => 's',
        (6, false) | (3, false) => 'S',
        (_, true) => 't',
        (_, false) => 'T',
    };
    let mut text = String::from(kind);
    for (at, bit) in [(6, 0o4000), (3, 0o2000), (0, 0o1000)] {
        let bits = mode >> at;
        let executable = bits & 1 != 0;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (mode & bit != 0, executable) {
            (true, executable) => special(at, executable),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_ls_does() {
        for (mode, text) in [
            (0o100_644, "-rw-r--r--"),
            (0o040_755, "drwxr-xr-x"),
            (0o120_777, "lrwxrwxrwx"),
            (0o104_755, "-rwsr-xr-x"),
            (0o102_640, "-rw-r-S---"),
            (0o041_777, "drwxrwxrwt"),
        ] {
            assert_eq!(letters(mode), text);
        }
    }
}
