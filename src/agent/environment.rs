//! The environment of a session: the container's own, the login's, and the little that a client may add.
//!
//! What a client sends is hostile: only what describes its terminal, language and time zone is let in, in a character set in
//! which neither a shell nor a loader finds anything to run; and what the policy names, which the certificate says.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::agent::passwd::Account;
use crate::proto::variables::LONGEST_VALUE;
use crate::proto::{SessionId, VariableNames};

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

/// Takes one variable of a client among `variables`, if it may set it: as the description of its terminal, or because its
/// certificate grants the name. Says whether.
pub(super) fn take(variables: &mut Variables, name: &str, value: &str, granted: &VariableNames) -> bool {
    let fits = value.len() <= LONGEST_VALUE && !value.contains('\0');
    // What describes the terminal keeps to its character set, whatever is granted.
    let allowed = if describes_terminal(name) { admits(name, value) } else { granted.admit(name) && fits };
    let name = OsString::from(name);
    let others = variables.iter().filter(|(other, _)| **other != name);
    let (count, bytes) = others.fold((0, 0), |(count, bytes), (name, value)| (count + 1, bytes + name.len() + value.len()));
    let room = count < CLIENT_VARIABLES && bytes + name.len() + value.len() <= CLIENT_BYTES;
    if allowed && room {
        variables.insert(name, value.into());
    }
    allowed && room
}

/// Whether a variable is one of those by which clients describe their terminal, language and time zone.
fn describes_terminal(name: &str) -> bool {
    matches!(name, "TERM" | "COLORTERM" | "LANG" | "TZ")
        || name.strip_prefix("LC_").is_some_and(|rest| {
            !rest.is_empty() && rest.len() <= 32 && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
}

/// Whether any client may set this variable to this value.
pub(super) fn admits(name: &str, value: &str) -> bool {
    // A zone may have slashes (Europe/Berlin), but is not a path: glibc would read that file.
    let path_like = value.starts_with(['/', ':', '.']) || value.contains("..");
    describes_terminal(name) && value.len() <= VALUE_LIMIT && !path_like && value.bytes().all(is_safe)
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

/// The most variables that a client may set on a channel: TERM, COLORTERM, LANG, TZ, the dozen of LC_, and some that the policy names.
const CLIENT_VARIABLES: usize = 64;

/// The most bytes of all their names and values: a cluster carries them in a URL.
const CLIENT_BYTES: usize = 16 * 1024;

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
    fn the_policy_adds_names_but_no_way_into_a_loader() {
        let granted: VariableNames = "APP_*,LANG,BASH_ENV".parse().unwrap();
        let mut variables = Variables::new();
        for (name, value, taken) in [
            ("APP_MODE", "two words; $(id)\n", true),
            ("BASH_ENV", "/tmp/x", true),
            ("LANG", "C.UTF-8", true),
            ("LANG", "$(id)", false),
            ("OTHER", "x", false),
            ("LD_PRELOAD", "x", false),
            ("APP_NUL", "a\0b", false),
            ("APP_LONG", &"x".repeat(LONGEST_VALUE + 1), false),
        ] {
            assert_eq!(take(&mut variables, name, value, &granted), taken, "{name}");
        }
        assert_eq!(variables.len(), 3);
        assert!(!take(&mut Variables::new(), "APP_MODE", "x", &VariableNames::default()));
    }

    #[test]
    fn a_channel_has_room_for_so_many_and_no_more() {
        let granted: VariableNames = "APP_*".parse().unwrap();
        let mut many = Variables::new();
        let taken = (0..200).filter(|n| take(&mut many, &format!("APP_{n}"), "x", &granted)).count();
        assert_eq!(taken, CLIENT_VARIABLES);
        assert!(take(&mut many, "APP_0", "another", &granted), "a later word replaces the earlier one");
        let mut large = Variables::new();
        let value = "x".repeat(LONGEST_VALUE);
        assert_eq!((0..9).filter(|n| take(&mut large, &format!("APP_{n}"), &value, &granted)).count(), 3);
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
