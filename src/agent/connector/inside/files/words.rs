//! What the script in the container reads, and what it and the programs there say.

use russh_sftp::protocol::{FileAttributes, StatusCode};

use crate::agent::sftp::Failed;

/// A path as the script reads it: never empty, never an option, and in one word.
pub(in crate::agent) fn escaped(path: &str) -> String {
    let mut word = String::from(if path.starts_with('-') { "./" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => word.push(byte.into()),
            byte => word += &format!("\\0{byte:03o}"),
        }
    }
    if word.is_empty() { ".".to_owned() } else { word }
}

/// What `stat` says, and what follows it: the number of links and maybe a name.
pub(in crate::agent) fn read_attributes(answer: &[u8]) -> Option<(FileAttributes, String)> {
    let text = String::from_utf8_lossy(answer);
    let mut words = text.splitn(7, ' ');
    let mode = u32::from_str_radix(words.next()?, 16).ok()?;
    let size = words.next()?.parse().ok()?;
    let mut number = || words.next()?.parse().ok();
    let (uid, gid, atime, mtime) = (number()?, number()?, number()?, number()?);
    let attributes = FileAttributes {
        size: Some(size),
        uid: Some(uid),
        gid: Some(gid),
        permissions: Some(mode),
        atime: Some(atime),
        mtime: Some(mtime),
        ..FileAttributes::default()
    };
    Some((attributes, words.next().unwrap_or_default().to_owned()))
}

/// A program's complaint without its name and the file's: `stat: can't stat 'x': No such file or directory`.
pub(in crate::agent) fn complaint(answer: &[u8]) -> Failed {
    let text = String::from_utf8_lossy(answer);
    let line = text.lines().rev().find(|line| !line.trim().is_empty() && !line.contains(" records ")).unwrap_or_default();
    let why = line.rsplit(": ").next().unwrap_or_default().trim();
    let code = match why {
        "No such file or directory" | "nonexistent directory" => StatusCode::NoSuchFile,
        "Permission denied" => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    };
    Failed::new(code, if why.is_empty() { "it failed in the container" } else { why })
}

/// Of an answer that is none.
pub(super) fn garbled() -> Failed {
    Failed::new(StatusCode::Failure, "the container's answer makes no sense")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_that_printf_reads_back() {
        for path in ["/var/log", "a b", "-rf", "it's\n$(id)", "ü%s\\", ""] {
            let word = escaped(path);
            assert!(!word.is_empty() && !word.contains([' ', '\n', '\'']) && !word.starts_with('-'));
            let script = "r=$(printf '%b.' \"$1\"); printf %s \"${r%.}\"";
            let output = std::process::Command::new("sh").args(["-c", script, "sh", &word]).output().unwrap();
            let expected = match path {
                "" => ".".to_owned(),
                path if path.starts_with('-') => format!("./{path}"),
                path => path.to_owned(),
            };
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        }
    }

    #[test]
    fn complaints_are_told_by_what_is_wrong() {
        let told = |text: &str| complaint(text.as_bytes()).to_string();
        assert_eq!(told("stat: can't stat 'x: y': No such file or directory"), "No such file or directory");
        assert_eq!(
            told("dd: error writing 'standard output': No space left on device\n1+0 records in\n"),
            "No space left on device"
        );
        assert_eq!(told(""), "it failed in the container");
    }
}
