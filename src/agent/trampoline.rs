//! The first program of every session: the agent's own binary once more, which becomes the login and then the login's program.
//!
//! It has a fresh process to itself, so that dropping rights needs no care about threads; it reads its specification from one
//! environment variable, says on stderr what goes wrong, and ends with 126 or 127 as a shell would.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Gid, Uid};
use serde::{Deserialize, Serialize};

use crate::agent::passwd::Account;
use crate::agent::program::Program;

/// The first argument of a process that is a trampoline.
pub const ENTRY: &str = "__session";

/// What to become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Specification {
    /// The file to execute, in base64, as a path need not be text. With none the process serves the files by SFTP.
    file: String,
    /// Its arguments, in base64 for the same reason.
    arguments: Vec<String>,
    /// The folder to start in, in base64.
    folder: String,
    /// Whom to become, if not who we are.
    switch: Option<Switch>,
    /// Whether this process still has to leave the agent's session (one with a terminal has already).
    new_session: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Switch {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    name: String,
}

impl Specification {
    /// What makes a process `program` of `account` in `folder`, for an agent that runs as `uid`.
    pub(super) fn new(program: &Program, account: &Account, folder: &Path, uid: u32, new_session: bool) -> Self {
        let switch = (account.uid != uid || !account.groups.is_empty()).then(|| Switch {
            uid: account.uid,
            gid: account.gid,
            groups: account.groups.clone(),
            name: account.name.clone(),
        });
        // Whoever is not root has nothing to switch: it is that user already.
        let switch = switch.filter(|_| uid == 0);
        Self {
            file: STANDARD.encode(program.file.as_os_str().as_bytes()),
            arguments: program.arguments.iter().map(|word| STANDARD.encode(word.as_bytes())).collect(),
            folder: STANDARD.encode(folder.as_os_str().as_bytes()),
            switch,
            new_session,
        }
    }

    /// The value of [`VARIABLE`].
    pub(super) fn encode(&self) -> String {
        // Strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn program(&self) -> Option<(PathBuf, Vec<OsString>, PathBuf)> {
        let decode = |text: &String| STANDARD.decode(text).ok().map(OsString::from_vec);
        let arguments = self.arguments.iter().map(decode).collect::<Option<Vec<_>>>()?;
        Some((decode(&self.file)?.into(), arguments, decode(&self.folder)?.into()))
    }
}

/// Becomes what the specification says. Returns only when that failed.
pub fn main() -> ExitCode {
    let (code, message) = become_session();
    if code == 0 {
        return ExitCode::SUCCESS;
    }
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(std::io::stderr(), "ztagent: {message}");
    ExitCode::from(code)
}

fn become_session() -> (u8, String) {
    let specification = std::env::var(VARIABLE).ok().and_then(|text| serde_json::from_str::<Specification>(&text).ok());
    let Some(specification) = specification else {
        return (2, format!("`{ENTRY}` is started by the agent itself and by nobody else"));
    };
    let Some((file, arguments, folder)) = specification.program() else {
        return (2, "the session's specification cannot be read".to_owned());
    };
    default_signals();
    close_inherited();
    if specification.new_session
        && let Err(error) = rustix::process::setsid()
    {
        return (126, format!("cannot start a session of processes: {error}"));
    }
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    if let Some(switch) = &specification.switch
        && let Err(error) = switch_to(switch)
    {
        return (126, format!("cannot become the user {}: {error}", switch.name));
    }
    if std::env::set_current_dir(&folder).is_err() && std::env::set_current_dir("/").is_err() {
        return (126, format!("cannot enter {}, nor /", folder.display()));
    }
    if file.as_os_str().is_empty() {
        return (crate::agent::sftp::serve(), "the files are not served any more".to_owned());
    }
    let mut command = Command::new(&file);
    command.env_remove(VARIABLE).args(arguments.iter().skip(1));
    if let Some(zeroth) = arguments.first() {
        command.arg0(zeroth);
    }
    let error = command.exec();
    let code = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    (code, format!("cannot execute {}: {error}", file.display()))
}

/// The groups first, the user last: after it there is no right left to change the groups.
fn switch_to(switch: &Switch) -> rustix::io::Result<()> {
    let groups: Vec<Gid> = switch.groups.iter().copied().map(Gid::from_raw).collect();
    if let Err(error) = rustix::thread::set_thread_groups(&groups) {
        // A user namespace without a helper may not change groups at all; who stays who it is loses nothing by that.
        if switch.uid != rustix::process::geteuid().as_raw() {
            return Err(error);
        }
    }
    let (uid, gid) = (Uid::from_raw(switch.uid), Gid::from_raw(switch.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)
}

/// What the agent, or who started it, ignores must not be ignored by sessions. The mask is emptied by `exec` of std.
fn default_signals() {
    for signal in 1..=31 {
        // SAFETY: restoring a default disposition in a process of one thread; KILL and STOP are refused without harm.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Whatever the agent had open, or was given by who started it: a session gets its three streams and nothing else.
fn close_inherited() {
    // SAFETY: nothing in this process owns a descriptor above stderr's: it has one thread, and has opened nothing.
    let done = unsafe { libc::syscall(libc::SYS_close_range, FIRST_INHERITED, libc::c_uint::MAX, 0 as libc::c_uint) };
    if done == 0 {
        return;
    }
    // Before Linux 5.9, or a filter that does not know the call. The folder's own descriptor is among them and closes by itself.
    let open: Vec<libc::c_int> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor >= FIRST_INHERITED as libc::c_int)
        .collect();
    for descriptor in open {
        // SAFETY: as above; one that is closed already is an error without harm.
        unsafe { libc::close(descriptor) };
    }
}

/// Carries the specification; removed before the program starts.
pub(super) const VARIABLE: &str = "ZTAGENT_SESSION";

/// After stdin, stdout and stderr.
const FIRST_INHERITED: libc::c_uint = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_reads_back_even_where_words_are_not_text() {
        let program = Program { file: "/bin/\u{fc}".into(), arguments: vec![OsString::from_vec(vec![0xff, b'a'])] };
        let account = Account::test("ada", 1000, "/home/ada", None);
        let specification = Specification::new(&program, &account, Path::new("/home/ada"), 0, true);
        let read: Specification = serde_json::from_str(&specification.encode()).unwrap();
        assert_eq!(read, specification);
        assert_eq!(read.program(), Some((program.file, program.arguments, "/home/ada".into())));
        assert!(read.switch.is_some());
        assert_eq!(
            Specification::new(&Program { file: "/x".into(), arguments: vec![] }, &account, Path::new("/"), 1000, true).switch,
            None
        );
    }
}
