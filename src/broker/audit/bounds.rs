//! How long a text in an event may be: a line of the journal is bounded, whoever chose the text.

use super::Event;
use crate::proto::agent::{ChannelReport, Outcome};

impl Event {
    /// The event with every text in it cut to its limit, so that a line of the journal is bounded whoever chose the text.
    pub(super) fn bounded(mut self) -> Self {
        match &mut self {
            Self::PolicyRefused { error: text, .. } | Self::NotDone { why: text, .. } => cut(text, TEXT_LIMIT),
            Self::LoginFailed { user, client_address, why } => {
                for text in [user, client_address, why] {
                    cut(text, TEXT_LIMIT);
                }
            }
            Self::AgentRefused { name, why, .. } | Self::AgentGone { name, why, .. } => {
                cut(name, TEXT_LIMIT);
                cut(why, TEXT_LIMIT);
            }
            Self::AgentOverstepped { name, what, .. } => {
                cut(name, TEXT_LIMIT);
                cut(what, TEXT_LIMIT);
            }
            Self::AgentConnected { name, version, .. } => {
                cut(name, TEXT_LIMIT);
                cut(version, TEXT_LIMIT);
            }
            Self::SessionAuthorised(session) => {
                session.command.iter_mut().for_each(|command| cut(command, COMMAND_LIMIT));
                session.reason.iter_mut().for_each(|reason| cut(reason, TEXT_LIMIT));
            }
            Self::ChannelOpened { channel: ChannelReport::Exec { command }, .. } => cut(command, COMMAND_LIMIT),
            Self::ChannelOpened {
                channel: ChannelReport::Forward { host, .. } | ChannelReport::Listen { host, .. }, ..
            } => {
                cut(host, TEXT_LIMIT);
            }
            Self::SessionEnded { outcome, why, .. } => {
                why.iter_mut().for_each(|why| cut(why, TEXT_LIMIT));
                match outcome {
                    Outcome::Refused { why } => cut(why, TEXT_LIMIT),
                    Outcome::Signalled { signal } => cut(signal, 32),
                    _ => {}
                }
            }
            _ => {}
        }
        self
    }
}

fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    }
}

/// The most bytes of a text in an event: a long sentence.
const TEXT_LIMIT: usize = 1024;

/// The most bytes of a command in an event; the agent cuts there too.
const COMMAND_LIMIT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_letter() {
        let mut text = "é".repeat(TEXT_LIMIT);
        cut(&mut text, 5);
        assert_eq!(text, "éé");
    }
}
