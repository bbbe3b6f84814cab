//! Who a login is in this container: a bounded read of its `/etc/passwd` and `/etc/group`.
//!
//! A static binary has no name service, and an image may have no accounts at all: then the container's own user is whoever the
//! agent is, at home in `/`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use crate::proto::name::Login;

/// A Unix user as far as a session needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// The name.
    pub(super) name: String,
    /// The user id.
    pub(super) uid: u32,
    /// The main group.
    pub(super) gid: u32,
    /// The other groups.
    pub(super) groups: Vec<u32>,
    /// The home folder; it may not exist.
    pub(super) home: PathBuf,
    /// The shell, when there is one that can be executed.
    pub(super) shell: Option<PathBuf>,
}

/// Why a login cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LoginError {
    /// Not in the container's `/etc/passwd`.
    #[error("there is no user {0} in this container")]
    Unknown(Login),
    /// The agent is not root and not that user either.
    #[error("the agent in this container is not root and cannot become {0}: ask for the login `default`")]
    NotPermitted(Login),
}

/// The account of `login` in the file system at `root`, for an agent that runs as `uid` and `gid`.
///
/// # Errors
/// [`LoginError`] when there is no such user or the agent may not become it.
pub(super) fn account(root: &Path, login: &Login, uid: u32, gid: u32) -> Result<Account, LoginError> {
    let passwd = read_below(root, "etc/passwd");
    let entries = || passwd.lines().filter_map(Entry::parse);
    if login.is_default() {
        let Some(entry) = entries().find(|entry| entry.uid == uid) else {
            let name = if uid == 0 { "root".to_owned() } else { uid.to_string() };
            return Ok(Account { name, uid, gid, groups: Vec::new(), home: "/".into(), shell: first_shell(root, None) });
        };
        // The container's own user keeps the groups that it has: nothing is switched.
        return Ok(entry.account(root, gid, Vec::new()));
    }
    let entry = entries().find(|entry| entry.name == login.as_str()).ok_or_else(|| LoginError::Unknown(login.clone()))?;
    if entry.uid != uid && uid != 0 {
        return Err(LoginError::NotPermitted(login.clone()));
    }
    let groups = groups_of(&read_below(root, "etc/group"), entry.name, entry.gid);
    Ok(entry.account(root, entry.gid, groups))
}

/// The account of a line as `/etc/passwd` has it, with no groups but the main one.
pub(super) fn parse_account(root: &Path, line: &str) -> Option<Account> {
    let entry = Entry::parse(line)?;
    Some(entry.account(root, entry.gid, vec![entry.gid]))
}

impl Account {
    /// The same with a shell that lets in. In a container one that is there to say no is a distribution's word about the logins of a
    /// machine, not this container's about its own user.
    pub(super) fn with_a_shell(mut self, root: &Path) -> Self {
        let refuses = ["nologin", "false", "true", "sync", "halt", "shutdown"];
        let name = self.shell.as_ref().and_then(|shell| shell.file_name()).and_then(|name| name.to_str());
        if name.is_some_and(|name| refuses.contains(&name)) {
            self.shell = first_shell(root, None);
        }
        self
    }
}

/// A line of `/etc/passwd`.
struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
    shell: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split(':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
        let (_comment, home) = (fields.next()?, fields.next()?);
        Some(Self { name, uid, gid, home, shell: fields.next().unwrap_or("").trim_end() })
    }

    fn account(&self, root: &Path, gid: u32, groups: Vec<u32>) -> Account {
        let home = if self.home.starts_with('/') { self.home } else { "/" };
        let shell = first_shell(root, Some(self.shell));
        Account { name: self.name.to_owned(), uid: self.uid, gid, groups, home: home.into(), shell }
    }
}

/// A user's or a group's number. -1 is none: to the system calls it means "no change", which would leave the agent's own rights.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id != u32::MAX)
}

/// Every group that lists `name`, and its own.
pub(super) fn groups_of(group: &str, name: &str, own: u32) -> Vec<u32> {
    let mut groups = vec![own];
    for line in group.lines() {
        let mut fields = line.split(':').skip(2);
        let (Some(id), Some(members)) = (fields.next().and_then(id), fields.next()) else { continue };
        if !groups.contains(&id) && members.trim_end().split(',').any(|member| member == name) {
            groups.push(id);
        }
    }
    // What the kernel allows.
    groups.truncate(65_536);
    groups
}

/// The login's shell if it can be executed, else the first that images usually have. A login whose shell is there to say no
/// (`nologin`, `false`) keeps it only if it says so by itself.
fn first_shell(root: &Path, own: Option<&str>) -> Option<PathBuf> {
    let own = own.filter(|shell| shell.starts_with('/'));
    own.into_iter()
        .chain(SHELLS)
        .map(Path::new)
        .find(|shell| is_executable(&root.join(shell.strip_prefix("/").unwrap_or(shell))))
        .map(Path::to_owned)
}

/// Whether `path` is a file that somebody may execute.
pub(super) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// At most [`LIMIT`] bytes of a regular file below `root`; no link leads out of it. Nothing where there is none.
fn read_below(root: &Path, path: &str) -> String {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let folder = rustix::fs::openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let opened = folder.and_then(|folder| {
        match rustix::fs::openat2(&folder, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS) {
            // Before Linux 5.6, or a filter that does not know the call: no link at all, then.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                rustix::fs::openat(&folder, path, flags | OFlags::NOFOLLOW, Mode::empty())
            }
            result => result,
        }
    });
    let Ok(file) = opened.map(File::from) else { return String::new() };
    let mut bytes = Vec::new();
    if file.metadata().is_ok_and(|file| file.is_file()) && file.take(LIMIT).read_to_end(&mut bytes).is_ok() {
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    String::new()
}

/// The most bytes of an account file that are read: some ten thousand users.
const LIMIT: u64 = 1024 * 1024;

const SHELLS: [&str; 6] = ["/bin/bash", "/usr/bin/bash", "/bin/sh", "/usr/bin/sh", "/bin/busybox", "/usr/bin/busybox"];

#[cfg(test)]
impl Account {
    /// An account as tests need one.
    pub(super) fn test(name: &str, uid: u32, home: &str, shell: Option<&str>) -> Self {
        Self { name: name.into(), uid, gid: uid, groups: vec![uid], home: home.into(), shell: shell.map(Into::into) }
    }
}

#[cfg(test)]
mod tests;
