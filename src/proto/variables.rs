//! Names of environment variables that a client may set in a session, as policy writes them and certificates carry them.
//!
//! `LANG,APP_*`: names between commas, each whole or with one `*` at its end. What loaders and our own programs read is never
//! among them; what makes a shell or an interpreter run something is only where it is written out.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A set of such names. The empty set lets nothing through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VariableNames(BTreeSet<String>);

/// Why a text is no such set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVariableNames {
    /// Not a name, nor the beginning of one and a `*`.
    #[error(
        "\"{}\" is no name of a variable: letters, digits and _ are expected, not a digit first, and at most one * at the end: \"LANG,APP_*\"",
        .0.escape_debug()
    )]
    Name(String),
    /// One that no session may have from outside.
    #[error("no client may set {0}: it is the login's, or a program's loader or ztctl itself reads it")]
    Never(String),
    /// Too many.
    #[error("more than {MOST} names of variables")]
    TooMany,
}

impl VariableNames {
    /// Whether a client may set the variable `name`.
    pub fn admit(&self, name: &str) -> bool {
        is_name(name) && !is_forbidden(name) && self.0.iter().any(|pattern| lets_through(pattern, name))
    }

    /// What both let through. Of more than [`MOST`] names the last are left out: less is safe.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let within = |ours: &Self, theirs: &Self| {
            let theirs = theirs.clone();
            ours.0.iter().filter(move |ours| theirs.0.iter().any(|theirs| covers(theirs, ours))).cloned().collect::<Vec<_>>()
        };
        Self(
            within(self, other)
                .into_iter()
                .chain(within(other, self))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .take(MOST)
                .collect(),
        )
    }

    /// Whether nothing is let through.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each name or beginning with its `*`, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for VariableNames {
    type Err = InvalidVariableNames;

    fn from_str(text: &str) -> Result<Self, InvalidVariableNames> {
        let mut names = BTreeSet::new();
        for name in text.split(',').map(str::trim) {
            let begins = name.strip_suffix('*').unwrap_or(name);
            if !is_name(begins) {
                return Err(InvalidVariableNames::Name(name.chars().take(LONGEST).collect()));
            }
            if is_forbidden(begins) {
                return Err(InvalidVariableNames::Never(name.to_owned()));
            }
            names.insert(name.to_owned());
            if names.len() > MOST {
                return Err(InvalidVariableNames::TooMany);
            }
        }
        Ok(Self(names))
    }
}

impl fmt::Display for VariableNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.iter().enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Whether `pattern` alone lets `name` through.
fn lets_through(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => pattern == name,
        Some(begins) => name.starts_with(begins) && !is_written_out_only(name),
    }
}

/// Whether `pattern` lets through all that `other` does.
fn covers(pattern: &str, other: &str) -> bool {
    match (pattern.strip_suffix('*'), other.strip_suffix('*')) {
        (Some(begins), Some(other)) => other.starts_with(begins),
        (None, Some(_)) => false,
        (_, None) => lets_through(pattern, other),
    }
}

/// Whether it is the name of a variable: letters, digits and `_`, not a digit first, at most [`LONGEST`].
pub fn is_name(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= LONGEST && text.bytes().all(rest) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Whether no client may ever set it: an agent that is root starts its own binary, or `runuser`, with a session's environment
/// before it becomes the login. The list is glibc's of what set-uid programs must not see (`unsecvars.h`), what the login sets, and
/// our own names.
fn is_forbidden(name: &str) -> bool {
    let beginnings = ["LD_", "DYLD_", "MALLOC_", "ZTCTL_", "ZTAGENT_", "ZTBROKER_"];
    let names = [
        "GCONV_PATH",
        "GETCONF_DIR",
        "GLIBC_TUNABLES",
        "HOME",
        "HOSTALIASES",
        "LOCALDOMAIN",
        "LOCPATH",
        "LOGNAME",
        "NIS_PATH",
        "NLSPATH",
        "RESOLV_HOST_CONF",
        "RES_OPTIONS",
        "SHELL",
        "SSH_ORIGINAL_COMMAND",
        "TZDIR",
        "USER",
    ];
    names.contains(&name) || beginnings.iter().any(|begins| name.starts_with(begins))
}

/// Whether only its whole name lets it through: a shell, an interpreter or a common tool runs what it says, or finds its files by it.
fn is_written_out_only(name: &str) -> bool {
    let beginnings = ["PYTHON", "PERL", "RUBY", "NODE_", "JAVA_", "JDK_", "_JAVA", "GIT_", "LESS", "BASH", "ZSH", "SSH_"];
    let names = [
        "CDPATH",
        "CLASSPATH",
        "EDITOR",
        "ENV",
        "FPATH",
        "GLOBIGNORE",
        "IFS",
        "PAGER",
        "PATH",
        "PROMPT_COMMAND",
        "PS4",
        "SHELLOPTS",
        "TMPDIR",
        "VISUAL",
        "ZDOTDIR",
    ];
    names.contains(&name) || beginnings.iter().any(|begins| name.starts_with(begins))
}

/// The most names of a set: with [`LONGEST`] a certificate stays within a few kilobytes.
pub const MOST: usize = 64;

/// The most characters of a name.
pub const LONGEST: usize = 64;

/// The most bytes of a value that policy lets through.
pub const LONGEST_VALUE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> VariableNames {
        text.parse().unwrap()
    }

    #[test]
    fn whole_names_and_beginnings() {
        let set = names("APP_*, DEBUG,_X");
        assert_eq!(set.to_string(), "APP_*,DEBUG,_X");
        assert_eq!(names(&set.to_string()), set);
        for (name, admitted) in [
            ("APP_", true),
            ("APP_MODE", true),
            ("DEBUG", true),
            ("_X", true),
            ("APP", false),
            ("DEBUG_ALL", false),
            ("app_mode", false),
            ("APP_A=B", false),
            ("APP_é", false),
            ("", false),
            (&format!("APP_{}", "X".repeat(LONGEST)), false),
        ] {
            assert_eq!(set.admit(name), admitted, "{name}");
        }
        assert!(!VariableNames::default().admit("X"));
    }

    #[test]
    fn what_runs_something_is_only_let_through_by_its_whole_name() {
        for name in ["PATH", "BASH_ENV", "ENV", "IFS", "PYTHONSTARTUP", "PERL5OPT", "NODE_OPTIONS", "GIT_SSH_COMMAND", "TMPDIR"]
        {
            let beginning = format!("{}*", &name[..1]);
            assert!(!names(&beginning).admit(name), "{name} by {beginning}");
            assert!(names(name).admit(name), "{name}");
            assert!(!names(name).and(&names(&beginning)).admit(name), "{name}: one of both does not let it through");
        }
    }

    #[test]
    fn what_loaders_and_we_read_is_never_let_through() {
        for name in
            ["LD_PRELOAD", "LD_*", "DYLD_INSERT_LIBRARIES", "GLIBC_TUNABLES", "ZTCTL_SESSION", "ZTAGENT_*", "HOME", "USER"]
        {
            assert!(matches!(name.parse::<VariableNames>(), Err(InvalidVariableNames::Never(_))), "{name}");
        }
        let wide = names("L*,Z*,G*,D*");
        for name in ["LD_PRELOAD", "LD_AUDIT", "DYLD_LIBRARY_PATH", "GLIBC_TUNABLES", "GCONV_PATH", "ZTCTL_USER", "ZTAGENT_X"] {
            assert!(!wide.admit(name), "{name}");
        }
        assert!(wide.admit("LINES"));
    }

    #[test]
    fn both_have_to_let_a_name_through() {
        let both = |left: &str, right: &str| names(left).and(&names(right)).to_string();
        assert_eq!(both("APP_*,DEBUG", "APP_MODE,DEBUG,X"), "APP_MODE,DEBUG");
        assert_eq!(both("APP_*", "APP_DB_*"), "APP_DB_*");
        assert_eq!(both("A,B", "B,C"), "B");
        assert_eq!(both("A*", "B*"), "");
        assert_eq!(both("APP_*,B1", "B*,APP_X"), "APP_X,B1");
        let many = |letter: char| (0..MOST).map(|n| format!("{letter}{n}")).collect::<Vec<_>>().join(",");
        let (left, right) = (names(&many('A')), names(&many('B')));
        assert!(left.and(&right).is_empty() && left.and(&left).0.len() == MOST);
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", ",", "A,,B", "*", "1A", "A-B", "A*B", "**", "A B", "é", &"A".repeat(LONGEST + 1)] {
            assert!(matches!(text.parse::<VariableNames>(), Err(InvalidVariableNames::Name(_))), "{text}");
        }
        let many = (0..=MOST).map(|n| format!("A{n}")).collect::<Vec<_>>().join(",");
        assert_eq!(many.parse::<VariableNames>(), Err(InvalidVariableNames::TooMany));
    }
}
