//! What of this side's environment goes along into a session: the kind of terminal, the language, the time zone; nothing else.
//! The agent looks at it again: to it, all of this is hostile.

use std::path::PathBuf;

/// The kind of terminal and its environment, for a shell.
pub(crate) fn of_shell() -> (String, Vec<(String, String)>) {
    let term = variable("TERM").unwrap_or_else(|| "dumb".to_owned());
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
