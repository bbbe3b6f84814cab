//! What a channel executes: the login's shell, a shell with the command string, or, for a command in our client's form, the
//! program itself, so that arguments arrive as given even where an image has no shell.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::agent::passwd::{Account, is_executable};
use crate::proto::command;

/// What a client asks for on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// An interactive shell.
    Shell,
    /// A command, as the bytes that SSH carries.
    Command(Vec<u8>),
    /// The files, by SFTP.
    Files,
}

/// A file and its arguments, the zeroth included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// What is executed.
    pub(super) file: PathBuf,
    /// `argv`.
    pub(super) arguments: Vec<OsString>,
}

/// The container has no shell for what needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no shell in this container (looked for the login's own, bash, sh and busybox): run a program that it has")]
pub(super) struct NoShell;

impl Program {
    /// The program for what was asked, with commands looked up in `path`.
    ///
    /// # Errors
    /// [`NoShell`].
    pub(super) fn of(asked: &Asked, account: &Account, path: &OsStr) -> Result<Self, NoShell> {
        let line = match asked {
            Asked::Shell => return Ok(Self::login_shell(account.shell.as_deref().ok_or(NoShell)?)),
            Asked::Command(line) => line,
            // The trampoline itself is that program.
            Asked::Files => return Ok(Self { file: PathBuf::new(), arguments: Vec::new() }),
        };
        if let Some(words) = command::unquote(line)
            && let Some(file) = words.first().and_then(|word| find(OsStr::from_bytes(word), path))
        {
            return Ok(Self { file, arguments: words.into_iter().map(OsString::from_vec).collect() });
        }
        let shell = account.shell.as_deref().ok_or(NoShell)?;
        let mut arguments = Self::plain_shell(shell);
        arguments.extend(["-c".into(), OsString::from_vec(line.clone())]);
        Ok(Self { file: shell.to_owned(), arguments })
    }

    /// A leading dash tells a shell that it is a login shell; busybox finds its applet after it.
    fn login_shell(shell: &Path) -> Self {
        let name = shell_name(shell);
        let mut zeroth = OsString::from("-");
        zeroth.push(&name);
        Self { file: shell.to_owned(), arguments: vec![zeroth] }
    }

    fn plain_shell(shell: &Path) -> Vec<OsString> {
        vec![shell_name(shell)]
    }
}

fn shell_name(shell: &Path) -> OsString {
    match shell.file_name() {
        Some(name) if name == "busybox" => "sh".into(),
        Some(name) => name.to_owned(),
        None => "sh".into(),
    }
}

/// The executable that `word` names: as a path when it has a slash, else the first in `path`.
fn find(word: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if word.is_empty() {
        return None;
    }
    if word.as_bytes().contains(&b'/') {
        let path = PathBuf::from(word);
        // A relative path starts at the login's home, which is not here: the shell finds it there.
        return (path.is_absolute() && is_executable(&path)).then_some(path);
    }
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(word))
        .find(|file| is_executable(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(line: &str, shell: Option<&str>) -> Result<Program, NoShell> {
        let account = Account::test("root", 0, "/root", shell);
        Program::of(&Asked::Command(line.as_bytes().to_vec()), &account, OsStr::new("/usr/bin:/bin"))
    }

    fn arguments(program: &Program) -> Vec<&str> {
        program.arguments.iter().map(|word| word.to_str().unwrap()).collect()
    }

    #[test]
    fn our_clients_form_runs_without_a_shell_and_everything_else_with_one() {
        let direct = program("'env' 'a b' 'it'\\''s'", None).unwrap();
        assert_eq!((direct.file.file_name().unwrap(), arguments(&direct)), (OsStr::new("env"), vec!["env", "a b", "it's"]));
        let typed = program("env | sort", Some("/bin/sh")).unwrap();
        assert_eq!((typed.file.to_str().unwrap(), arguments(&typed)), ("/bin/sh", vec!["sh", "-c", "env | sort"]));
        let builtin = program("'cd' '/'", Some("/bin/busybox")).unwrap();
        assert_eq!(arguments(&builtin), ["sh", "-c", "'cd' '/'"]);
    }

    #[test]
    fn without_a_shell_what_needs_one_is_said() {
        assert_eq!(program("env | sort", None), Err(NoShell));
        assert_eq!(program("'no-such-program'", None), Err(NoShell));
        assert_eq!(program("''", None), Err(NoShell));
        let account = Account::test("root", 0, "/", None);
        assert_eq!(Program::of(&Asked::Shell, &account, OsStr::new("/bin")), Err(NoShell));
    }

    #[test]
    fn an_interactive_shell_is_a_login_shell() {
        let account = Account::test("root", 0, "/", Some("/bin/busybox"));
        let shell = Program::of(&Asked::Shell, &account, OsStr::new("/bin")).unwrap();
        assert_eq!((shell.file.to_str().unwrap(), arguments(&shell)), ("/bin/busybox", vec!["-sh"]));
    }
}
