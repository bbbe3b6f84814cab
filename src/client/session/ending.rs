//! How a session ends: what the channel says, in its order, and the exit status that comes of it.

use std::collections::VecDeque;

use bytes::Bytes;
use russh::{ChannelMsg, Sig};

/// How the remote command ended, or what ended ztctl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It reported this status.
    Status(u32),
    /// A signal ended it: its name without `SIG`.
    Signal(String),
    /// This process was told to leave by this signal.
    Local(u8),
    /// The person left with `~.`.
    Left,
}

impl Exit {
    /// What ztctl exits with. 0 only for a reported 0.
    pub fn code(&self) -> u8 {
        match self {
            Self::Status(status) => u8::try_from(*status).unwrap_or(255),
            Self::Signal(name) => number(name).map_or(255, |number| 128 + number),
            Self::Local(signal) => 128_u8.saturating_add(*signal),
            Self::Left => 255,
        }
    }
}

/// Follows the messages of one channel.
#[derive(Debug)]
pub(super) struct Ending {
    /// What was asked with an answer wanted, oldest first.
    asked: VecDeque<&'static str>,
    exit: Option<Exit>,
}

/// What a message of the channel means.
#[derive(Debug)]
pub(super) enum Said {
    /// Output.
    Output(Bytes),
    /// Error output.
    Errors(Bytes),
    /// Nothing to do.
    Nothing,
    /// The other side does not do this.
    Refused(&'static str),
    /// The channel is over.
    Over,
}

impl Ending {
    /// `asked` will be answered in this order.
    pub(super) fn new(asked: impl IntoIterator<Item = &'static str>) -> Self {
        Self { asked: asked.into_iter().collect(), exit: None }
    }

    pub(super) fn hear(&mut self, message: Option<ChannelMsg>) -> Said {
        match message {
            Some(ChannelMsg::Data { data }) => Said::Output(data),
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => Said::Errors(data),
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                self.exit = Some(Exit::Status(exit_status));
                Said::Nothing
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                self.exit = Some(Exit::Signal(name(&signal_name)));
                Said::Nothing
            }
            Some(ChannelMsg::Success) => {
                self.asked.pop_front();
                Said::Nothing
            }
            Some(ChannelMsg::Failure) => self.asked.pop_front().map_or(Said::Nothing, Said::Refused),
            Some(ChannelMsg::Close) | None => Said::Over,
            // The end of the output, window, and what a server has no business to send.
            Some(_) => Said::Nothing,
        }
    }

    /// Whether the other side has reported an exit.
    pub(super) fn is_reported(&self) -> bool {
        self.exit.is_some()
    }

    /// What was reported, if anything was.
    pub(super) fn into_exit(self) -> Option<Exit> {
        self.exit
    }
}

fn name(signal: &Sig) -> String {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
    .to_owned()
}

/// The number that a signal has on Linux, where containers run, whatever it is on this machine.
fn number(name: &str) -> Option<u8> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
        "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
        "PWR", "SYS",
    ];
    // A name with the sender's domain (RFC 4254 §6.9) is the same signal.
    let name = name.split_once('@').map_or(name, |(name, _)| name);
    NAMES.iter().zip(1..).find(|(known, _)| **known == name).map(|(_, number)| number)
}

/// SSH_EXTENDED_DATA_STDERR.
const STDERR: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_only_a_reported_zero() {
        assert_eq!(Exit::Status(0).code(), 0);
        for exit in [
            Exit::Status(1),
            Exit::Status(256),
            Exit::Status(512),
            Exit::Status(u32::MAX),
            Exit::Signal(String::new()),
            Exit::Signal("NEVER".into()),
            Exit::Local(255),
            Exit::Left,
        ] {
            assert_ne!(exit.code(), 0, "{exit:?}");
        }
    }

    #[test]
    fn signals_have_their_numbers() {
        for (name, code) in
            [("HUP", 129), ("INT", 130), ("ABRT", 134), ("KILL", 137), ("SEGV", 139), ("TERM", 143), ("SYS@x", 159)]
        {
            assert_eq!(Exit::Signal(name.into()).code(), code);
        }
        assert_eq!(Exit::Local(15).code(), 143);
    }

    #[test]
    fn a_refusal_names_what_was_asked() {
        let mut ending = Ending::new(["a terminal", "the shell"]);
        assert!(matches!(ending.hear(Some(ChannelMsg::Success)), Said::Nothing));
        assert!(matches!(ending.hear(Some(ChannelMsg::Failure)), Said::Refused("the shell")));
        assert!(matches!(ending.hear(Some(ChannelMsg::Failure)), Said::Nothing), "nothing was asked any more");
    }

    #[test]
    fn a_channel_that_ends_without_a_word_has_no_exit() {
        let mut ending = Ending::new([]);
        assert!(matches!(ending.hear(None), Said::Over));
        assert_eq!(ending.into_exit(), None);
    }
}
