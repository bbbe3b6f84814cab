//! Names: the strict character sets of what people type, parsed where it enters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing there, or more than the limit.
    #[error("a {kind} has 1 to {limit} characters")]
    Length {
        /// What it should have been.
        kind: &'static str,
        /// The most characters that it may have.
        limit: usize,
    },
    /// A character that the kind of name does not allow.
    #[error("a {kind} has only {allowed}")]
    Character {
        /// What it should have been.
        kind: &'static str,
        /// The allowed characters, in words.
        allowed: &'static str,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $limit:literal, $allowed:literal, $first:expr, $rest:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let (first, rest): (fn(u8) -> bool, fn(u8) -> bool) = ($first, $rest);
                let bytes = text.as_bytes();
                if bytes.is_empty() || bytes.len() > $limit {
                    return Err(InvalidName::Length { kind: $kind, limit: $limit });
                }
                if !first(bytes[0]) || !bytes.iter().all(|byte| rest(*byte)) {
                    return Err(InvalidName::Character { kind: $kind, allowed: $allowed });
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name! {
    /// The Unix user inside a container, or `default` for the container's own. Never starts with a dash (it reaches `argv`)
    /// and never holds the `@` that ends it in a certificate's principal.
    Login, "login", 32, "letters, digits, `.`, `_` and `-`, and starts with a letter, a digit or `_`",
    |byte| byte.is_ascii_alphanumeric() || byte == b'_',
    |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

name! {
    /// What a person types for a container: a short name, a full name, an id or a prefix of one. It becomes the host name of
    /// a certificate (`NAME.zt`), so it has only what host names have.
    Target, "container name", 128, "lower-case letters, digits, `.`, `_` and `-`, and starts with a letter or a digit",
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit(),
    |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-')
}

name! {
    /// A person's name at the embedded directory, or a group's.
    Account, "user or group name", 64, "letters, digits, `.`, `_`, `-`, `+` and `@`, and starts with a letter or a digit",
    |byte| byte.is_ascii_alphanumeric(),
    |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'@')
}

impl Login {
    /// `default`: the container's own user.
    pub fn container_default() -> Self {
        Self("default".to_owned())
    }

    /// Whether this asks for the container's own user.
    pub fn is_default(&self) -> bool {
        self.0 == "default"
    }
}

impl Target {
    /// The host name under which SSH knows the container: `NAME.zt`.
    pub fn host_name(&self) -> String {
        format!("{}.zt", self.0)
    }
}

/// `text` as the app part of a short name: lower-case letters, digits and single dashes, at most 40; `container` when
/// nothing is left. What a workload claims to be called comes through here.
pub fn app_name(text: &str) -> String {
    let mut app = String::new();
    for letter in text.chars().map(|letter| letter.to_ascii_lowercase()) {
        match letter {
            'a'..='z' | '0'..='9' => app.push(letter),
            _ if !app.is_empty() && !app.ends_with('-') => app.push('-'),
            _ => {}
        }
        if app.len() == 40 {
            break;
        }
    }
    let app = app.trim_end_matches('-');
    if app.is_empty() { "container".to_owned() } else { app.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_never_look_like_options_or_end_a_principal() {
        for text in ["root", "default", "www-data", "_apt", "user.name", "1000"] {
            assert!(text.parse::<Login>().is_ok(), "{text}");
        }
        for text in ["", "-oProxyCommand=x", "root@web", "a b", "ro\0ot", "é", &"a".repeat(33)] {
            assert!(text.parse::<Login>().is_err(), "{text}");
        }
    }

    #[test]
    fn targets_are_host_names() {
        for text in ["tomcat-7f9", "7f9", "web.prod_1"] {
            assert!(text.parse::<Target>().is_ok(), "{text}");
        }
        for text in ["", "-v", "../etc", "Tomcat", "a\x1b[2J", "a b", "*"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn app_names_are_always_targets() {
        for text in ["Tomcat", "  ", "docker.io/library/tomcat:10", "\x1b[31mred", "--", &"long".repeat(40), "ümlaut"] {
            let app = app_name(text);
            assert!(app.parse::<Target>().is_ok() && app.len() <= 40, "{text} became {app}");
        }
        assert_eq!(app_name("\x1b[31mred"), "31mred");
        assert_eq!(app_name(""), "container");
    }
}
