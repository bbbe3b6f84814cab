//! Every way in which a verb can fail: what is said, what to do next, and the exit status.
//!
//! The errors of the areas become a [`Failure`] in the modules below, one noun each; nothing else words a message.

use std::io;

mod access;
mod broker;
mod files;
mod login;
mod session;

pub use broker::{INCOMPLETE, no_containers};

use crate::client::http::BrokerUrl;

/// What went wrong, in words, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: Kind,
    code: &'static str,
    message: String,
    details: Vec<String>,
    hints: Vec<String>,
    login: Option<Box<BrokerUrl>>,
}

/// What a program that called us learns from the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It did not work.
    Failed,
    /// The call makes no sense as it is.
    Usage,
    /// There is no login that works.
    NotLoggedIn,
    /// Not allowed, or not there.
    NotAllowed,
    /// The person stopped it.
    Interrupted,
    /// The reader of our output went away: nothing is wrong.
    BrokenPipe,
}

impl Failure {
    /// A failure. `code` is for programs and never changes; `message` starts in lower case and ends without a period.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), details: Vec::new(), hints: Vec::new(), login: None }
    }

    /// The same with a hint: a command to paste, or a short sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with lines that belong to the message: what matches, what there is to choose from.
    #[must_use]
    pub fn detail(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// The same, and a login at this broker would help.
    #[must_use]
    pub(super) fn helped_by_login(mut self, broker: &BrokerUrl) -> Self {
        self.login = Some(Box::new(broker.clone()));
        self
    }

    /// The broker at which a login would help.
    pub fn login_at(&self) -> Option<&BrokerUrl> {
        self.login.as_deref()
    }

    /// The person pressed Esc or Ctrl-C in a dialogue; there is nothing to say.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted", "interrupted")
    }

    /// The command line cannot be parsed.
    pub fn usage(error: &clap::Error, verb: Option<&str>) -> Self {
        // clap's first line says what is wrong, the others what there is; the last one is our hint.
        let text = error.to_string();
        let mut lines =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("For more information"));
        let message = lines.next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':');
        let help = verb.map_or_else(|| "ztctl --help".to_owned(), |verb| format!("ztctl {verb} --help"));
        let unknown = |word: &str| error.kind() == clap::error::ErrorKind::UnknownArgument && message.contains(word);
        let help = match verb {
            Some("exec") if unknown("") && !message.contains("'-") => {
                "ztctl exec NAME -- CMD: the command stands behind --".to_owned()
            }
            Some("cp") if unknown("'-r'") || unknown("'-R'") => {
                "a folder is copied with all that is in it, without -r".to_owned()
            }
            _ => help,
        };
        Self::new(Kind::Usage, "usage", message).detail(lines.map(str::to_owned)).hint(help)
    }

    /// Standard output could not be written.
    pub fn output(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::BrokenPipe, "broken_pipe", "the reader went away"),
            _ => Self::new(Kind::Failed, "output", format!("cannot write to standard output: {error}")),
        }
    }

    /// The runtime could not be made: the system is out of something.
    pub fn runtime(error: io::Error) -> Self {
        Self::new(Kind::Failed, "system", format!("cannot start: {error}"))
    }

    /// The word for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Lines that belong to the message.
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// What to do next.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether nothing is to be printed.
    pub fn is_silent(&self) -> bool {
        matches!(self.kind, Kind::BrokenPipe | Kind::Interrupted)
    }

    /// What the program exits with. Where a session was asked for, its status belongs to the remote command, and all that
    /// failed on this side is 255.
    pub fn exit_status(&self, session: bool) -> u8 {
        match self.kind {
            Kind::BrokenPipe if !session => 0,
            Kind::Usage => 2,
            Kind::Interrupted => 130,
            _ if session => 255,
            Kind::Failed | Kind::BrokenPipe => 1,
            Kind::NotLoggedIn => 3,
            Kind::NotAllowed => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_status_says_whose_fault_it_was() {
        let status = |kind, session| Failure::new(kind, "x", "x").exit_status(session);
        assert_eq!(
            [Kind::Failed, Kind::Usage, Kind::NotLoggedIn, Kind::NotAllowed].map(|kind| status(kind, false)),
            [1, 2, 3, 4]
        );
        assert_eq!([Kind::Failed, Kind::NotLoggedIn, Kind::NotAllowed].map(|kind| status(kind, true)), [255, 255, 255]);
        assert_eq!(status(Kind::Interrupted, true), 130);
        assert_eq!(status(Kind::Usage, true), 2);
    }

    #[test]
    fn a_reader_that_went_away_is_silent_and_fine() {
        let failure = Failure::output(io::ErrorKind::BrokenPipe.into());
        assert!(failure.is_silent());
        assert_eq!(failure.exit_status(false), 0);
    }
}
