//! What of this side's environment goes along into a session: the kind of terminal, the language, the time zone; nothing else.
//! The agent looks at it again: to it, all of this is hostile.

use std::path::PathBuf;

use crate::cli::Context;
use crate::cli::args::{SessionArgs, Variable};
use crate::cli::failure::{Failure, Kind};
use crate::cli::settings;
use crate::client::config::EscapeKey;
use crate::client::session::environment::Environment;
use crate::client::session::shell::Surroundings;

/// How a session at this terminal is to be, by what the person said.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// The variables without which nothing is to run.
    pub(crate) variables: Vec<(String, String)>,
    /// The key that begins an escape, if any does.
    pub(crate) escape: Option<u8>,
}

impl Default for Terminal {
    /// As it is when nobody says anything.
    fn default() -> Self {
        Self { variables: Vec::new(), escape: EscapeKey::default().key() }
    }
}

impl Terminal {
    /// What `args` say, or the environment, or the configuration.
    pub(crate) fn of(context: &Context, args: SessionArgs) -> Result<Self, Failure> {
        let escape = settings::escape(args.escape, &context.environment, context.config()?)?.value.key();
        Ok(Self { variables: args.variables.into_iter().map(valued).collect::<Result<_, _>>()?, escape })
    }

    /// With what else of this side goes along.
    pub(crate) fn told(&self) -> Told<'_> {
        let (term, usual) = of_shell();
        Told { terminal: self, term, usual, program: program() }
    }
}

/// All that the other side is told, and this program.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    terminal: &'a Terminal,
    term: String,
    usual: Vec<(String, String)>,
    program: Option<PathBuf>,
}

impl Told<'_> {
    /// As a session takes it.
    pub(crate) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            term: &self.term,
            environment: Environment { usual: &self.usual, demanded: &self.terminal.variables },
            escape: self.terminal.escape,
            program: self.program.as_deref(),
        }
    }
}

/// The variable with its value; one without has the value that it has here.
fn valued(variable: Variable) -> Result<(String, String), Failure> {
    let Variable { name, value } = variable;
    match value.or_else(|| std::env::var(&name).ok()) {
        Some(value) => Ok((name, value)),
        None => Err(Failure::new(Kind::Usage, "usage", format!("there is no variable {name} here"))
            .hint(format!("say -e {name}=VALUE"))),
    }
}

/// The kind of terminal and its environment, for a shell.
fn of_shell() -> (String, Vec<(String, String)>) {
    // A Windows console has no name, and understands what xterm does.
    let unnamed = if cfg!(windows) { "xterm-256color" } else { "dumb" };
    let term = variable("TERM").unwrap_or_else(|| unnamed.to_owned());
    (term, passed_on(std::env::vars_os().filter_map(text), true))
}

/// The environment of a command without a terminal.
pub(crate) fn of_command() -> Vec<(String, String)> {
    passed_on(std::env::vars_os().filter_map(text), false)
}

/// This program, to be started again. On Linux by the kernel's own link, which holds also when the file has been replaced.
pub(crate) fn program() -> Option<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if cfg!(target_os = "linux") && link.exists() { Some(link) } else { std::env::current_exe().ok() }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| fits(value))
}

fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

fn passed_on(variables: impl Iterator<Item = (String, String)>, terminal: bool) -> Vec<(String, String)> {
    let goes = |name: &str| matches!(name, "LANG" | "TZ") || name.starts_with("LC_") || (terminal && name == "COLORTERM");
    variables.filter(|(name, value)| name.len() <= LENGTH && goes(name) && fits(value)).take(COUNT).collect()
}

fn fits(value: &str) -> bool {
    !value.is_empty() && value.len() <= LENGTH && !value.contains(char::is_control)
}

/// The longest value: no language and no time zone comes near it.
const LENGTH: usize = 128;

/// The most variables: POSIX knows seven of the language, glibc six more.
const COUNT: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_and_time_go_along_and_secrets_stay() {
        let variables = [
            ("LANG", "de_DE.UTF-8"),
            ("LC_ALL", "C"),
            ("TZ", "Europe/Berlin"),
            ("COLORTERM", "truecolor"),
            ("ZTCTL_TOKEN", "s3cret"),
            ("PATH", "/bin"),
            ("LD_PRELOAD", "x.so"),
            ("LC_EVIL", "a\u{1b}[31m"),
            ("LC_EMPTY", ""),
        ];
        let names = |terminal| {
            let all = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            passed_on(all, terminal).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(true), ["LANG", "LC_ALL", "TZ", "COLORTERM"]);
        assert_eq!(names(false), ["LANG", "LC_ALL", "TZ"]);
    }
}
