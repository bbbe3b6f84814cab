//! The environment of a session: the container's own, the login's, and the little that a client may add.
//!
//! What a client sends is hostile: only what describes its terminal, language and time zone is let in, in a character set in
//! which neither a shell nor a loader finds anything to run.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::agent::passwd::Account;
use crate::proto::SessionId;

/// Variables by name. A map, so that a later word about a name replaces the earlier one.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// The agent's own environment without what is the agent's alone: the base of every session, and all that CMD gets.
pub(super) fn base(own: impl Iterator<Item = (OsString, OsString)>) -> Variables {
    own.filter(|(name, _)| !is_agents_own(name)).collect()
}

/// Whether a variable belongs to the agent and to nobody that it starts.
pub(super) fn is_agents_own(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"ZTAGENT_")
}

/// Whether a client may set this variable to this value.
pub(super) fn admits(name: &str, value: &str) -> bool {
    let known = matches!(name, "TERM" | "COLORTERM" | "LANG" | "TZ")
        || name.strip_prefix("LC_").is_some_and(|rest| {
            !rest.is_empty() && rest.len() <= 32 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        });
    // A zone may have slashes (Europe/Berlin), but is not a path: glibc would read that file.
    let path_like = value.starts_with(['/', ':', '.']) || value.contains("..");
    known && value.len() <= VALUE_LIMIT && !path_like && value.bytes().all(is_safe)
}

fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'@' | b'/' | b':' | b',' | b'=')
}

/// The environment in which `account` starts in `session`.
pub(super) fn compose(base: &Variables, account: &Account, session: SessionId, user: &str, client: &Variables) -> Variables {
    let mut variables = base.clone();
    variables.extend(client.iter().map(|(name, value)| (name.clone(), value.clone())));
    variables.insert("HOME".into(), account.home.clone().into());
    variables.insert("USER".into(), account.name.clone().into());
    variables.insert("LOGNAME".into(), account.name.clone().into());
    if let Some(shell) = &account.shell {
        variables.insert("SHELL".into(), shell.clone().into());
    }
    variables.entry("PATH".into()).or_insert_with(|| PATH.into());
    variables.extend(marked(session, user, &Variables::new()));
    variables
}

/// What a session adds to an environment that somebody else makes.
pub(super) fn marked(session: SessionId, user: &str, client: &Variables) -> Variables {
    let mut variables = client.clone();
    variables.insert(MARKER.into(), session.to_string().into());
    variables.insert("ZTCTL_USER".into(), user.into());
    variables
}

/// The variable that marks every process of a session; what still carries it when the session ends is ended too.
pub(super) const MARKER: &str = "ZTCTL_SESSION";

/// Where commands are looked for when the image does not say.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The most variables that a client may set on a channel: TERM, COLORTERM, LANG, TZ and the dozen of LC_.
pub(super) const CLIENT_VARIABLES: usize = 24;

/// The most bytes of a value: a locale with its modifiers, several times over.
const VALUE_LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_describes_its_terminal_and_nothing_else() {
        for (name, value, admitted) in [
            ("TERM", "xterm-256color", true),
            ("COLORTERM", "truecolor", true),
            ("LANG", "de_DE.UTF-8@euro", true),
            ("LC_ALL", "C", true),
            ("LC_CTYPE", "en_US.UTF-8", true),
            ("TZ", "Europe/Berlin", true),
            ("TZ", ":/etc/shadow", false),
            ("TZ", "/etc/shadow", false),
            ("TZ", "../../etc/shadow", false),
            ("LC_", "C", false),
            ("LC_all", "C", false),
            ("LC_A=B", "C", false),
            ("TERM", "$(id)", false),
            ("TERM", "a;b", false),
            ("TERM", "a\nb", false),
            ("TERM", "\u{1b}[2J", false),
            ("LANG", &"x".repeat(257), false),
            ("LD_PRELOAD", "evil.so", false),
            ("LD_LIBRARY_PATH", "x", false),
            ("PATH", "x", false),
            ("HOME", "x", false),
            ("SHELL", "x", false),
            ("BASH_ENV", "x", false),
            ("ENV", "x", false),
            ("IFS", "x", false),
            ("PYTHONPATH", "x", false),
            ("SSH_AUTH_SOCK", "x", false),
            ("ZTCTL_SESSION", "x", false),
            ("ZTAGENT_JOIN_TOKEN", "x", false),
            ("term", "xterm", false),
            ("", "x", false),
        ] {
            assert_eq!(admits(name, value), admitted, "{name}={value}");
        }
    }

    #[test]
    fn a_session_has_the_images_variables_the_logins_and_none_of_the_agents() {
        let own = [("APP_PORT", "8080"), ("ZTAGENT_JOIN_TOKEN", "secret"), ("HOME", "/"), ("PATH", "/opt/bin")];
        let base = base(own.iter().map(|(name, value)| (name.into(), value.into())));
        let account = Account::test("ada", 1000, "/home/ada", Some("/bin/sh"));
        let session = SessionId::random();
        let client: Variables = [("TERM".into(), "xterm".into())].into();
        let composed = compose(&base, &account, session, "ada@local", &client);
        let read = |name: &str| composed.get(OsStr::new(name)).and_then(|value| value.to_str());
        assert_eq!(read("APP_PORT"), Some("8080"));
        assert_eq!(read("ZTAGENT_JOIN_TOKEN"), None);
        assert_eq!((read("HOME"), read("USER"), read("LOGNAME")), (Some("/home/ada"), Some("ada"), Some("ada")));
        assert_eq!((read("SHELL"), read("PATH"), read("TERM")), (Some("/bin/sh"), Some("/opt/bin"), Some("xterm")));
        assert_eq!(read("ZTCTL_SESSION"), Some(session.to_string().as_str()));
        assert_eq!(read("ZTCTL_USER"), Some("ada@local"));
    }
}
