//! Noticing that the policy files have changed: by what the system says of them, so that a volume that is swapped under a link
//! counts as well as an editor's save.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::load;

/// What the system says of a policy's files: two that are equal are of the same files, unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<Stamp>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    file: PathBuf,
    /// Device, inode, size, and the time of the last change in seconds and nanoseconds; none for a file that is not there.
    state: Option<(u64, u64, u64, i64, i64)>,
}

impl Fingerprint {
    /// Of the file, or the folder of policy files, at `path`. What cannot be read has one as well.
    pub(super) fn of(path: &Path) -> Self {
        let files = load::files(path).unwrap_or_else(|_| vec![path.to_path_buf()]);
        let stamp = |file: PathBuf| {
            let state = std::fs::metadata(&file).ok();
            let state = state.map(|of| (of.dev(), of.ino(), of.size(), of.ctime(), of.ctime_nsec()));
            Stamp { file, state }
        };
        Self(files.into_iter().map(stamp).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_change_a_policy_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("a.cedar"), dir.path().join("current"));
        let mut seen = vec![Fingerprint::of(dir.path())];
        let mut look = || {
            let now = Fingerprint::of(dir.path());
            assert_eq!(now, Fingerprint::of(dir.path()));
            assert!(!seen.contains(&now), "{now:?}");
            seen.push(now);
        };
        std::fs::write(&path, "permit").unwrap();
        look();
        std::fs::write(&path, "permit(").unwrap();
        look();
        // An editor's way: a new file takes the name.
        std::fs::write(dir.path().join("new"), "permit(").unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        look();
        std::fs::write(dir.path().join("b.cedar"), "").unwrap();
        look();
        std::fs::remove_file(&path).unwrap();
        look();
        // A cluster's way: the folder is a link that is turned to another.
        for (name, text) in [("one", "x"), ("two", "x")] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("p.cedar"), text).unwrap();
        }
        std::os::unix::fs::symlink("one", &link).unwrap();
        let before = Fingerprint::of(&link);
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("two", &link).unwrap();
        assert_ne!(Fingerprint::of(&link), before);
    }
}
