//! Why there is no session, or none any more.

use std::borrow::Cow;

use super::OPENING;
use crate::client::api::ApiError;
use crate::client::ca_pin::PinError;
use crate::proto::ContainerId;
use crate::proto::api::Origin;
use crate::ssh::cert::Refusal;

/// Why there is no session, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The broker refused, or could not be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The broker's authorities are not those of the login, and nothing leads to them.
    #[error(transparent)]
    Authorities(#[from] PinError),
    /// This machine has no randomness to make a key of.
    #[error("no key can be made on this machine")]
    Key,
    /// The broker's reply makes no sense.
    #[error("the broker's reply cannot be used: {0}")]
    Reply(&'static str),
    /// The broker connected another container than the one that was picked.
    #[error("the broker offers container {offered} where {picked} was picked")]
    OtherContainer {
        /// What was picked.
        picked: ContainerId,
        /// What the broker offers.
        offered: ContainerId,
    },
    /// What answers could not prove that it is the container: somebody is in between, or the authority is not the pinned one.
    #[error("what answers is not proven to be {name}: {cause}")]
    HostNotProven {
        /// The container that was asked for.
        name: String,
        /// What is wrong with the proof.
        cause: HostCause,
    },
    /// The host's certificate is not valid at the time that it is here.
    #[error("the clock here is {} seconds {} the broker's", seconds.unsigned_abs(), if *seconds < 0 { "behind" } else { "ahead of" })]
    Clock {
        /// How far the clock here is ahead of the certificate's window; negative when it is behind.
        seconds: i64,
    },
    /// The agent does not take the certificate.
    #[error("the agent of {name} refused the certificate")]
    AgentRefused {
        /// The container.
        name: String,
    },
    /// The agent does not do what it was asked within the session.
    #[error("the agent of {name} refused {what}")]
    RequestRefused {
        /// The container.
        name: String,
        /// `a terminal`, `the shell`, `the command`.
        what: Cow<'static, str>,
    },
    /// The container's files cannot be served.
    #[error("the files of {name} cannot be reached: {reason}")]
    FilesRefused {
        /// The container.
        name: String,
        /// Why, in the other side's words.
        reason: String,
    },
    /// The agent did not finish the opening in time.
    #[error("{name} did not answer within {} seconds", OPENING.as_secs())]
    Timeout {
        /// The container.
        name: String,
    },
    /// The link broke, or nothing came through it any more.
    #[error("the connection to {name} was lost")]
    Lost {
        /// The container.
        name: String,
    },
    /// The session was ended on purpose: its deadline came, or somebody cut it.
    #[error("the session in {name} was ended: {reason}")]
    Ended {
        /// The container.
        name: String,
        /// Why, in the other side's words.
        reason: String,
    },
    /// The container has stopped.
    #[error("the session in {name} was ended: {reason}")]
    ContainerEnded {
        /// The container.
        name: String,
        /// Why, in the other side's words.
        reason: String,
        /// What is known about it, to find its successor by.
        gone: Box<Gone>,
    },
    /// The two sides could not agree on SSH.
    #[error("the conversation with {name} failed: {source}")]
    Ssh {
        /// The container.
        name: String,
        /// What went wrong.
        #[source]
        source: russh::Error,
    },
    /// This process's own streams failed.
    #[error("this side's {what} failed: {source}")]
    Local {
        /// `input`, `output`, `terminal`.
        what: &'static str,
        /// How.
        #[source]
        source: std::io::Error,
    },
}

/// A container that has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its id.
    pub container: ContainerId,
    /// What its successors have in common with it, where the broker says so.
    pub origin: Option<Origin>,
}

/// What is wrong with a host's proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostCause {
    /// It has a certificate that is not accepted.
    #[error("its certificate is not accepted: {0}")]
    Refused(Refusal),
    /// It has no certificate at all.
    #[error("it has no certificate")]
    BareKey,
}

pub(super) fn from_ssh(name: &str, source: russh::Error) -> SessionError {
    use russh::Error;
    match source {
        Error::IO(_) | Error::HUP | Error::Disconnect | Error::SendError | Error::RecvError | Error::ConnectionTimeout => {
            SessionError::Lost { name: name.to_owned() }
        }
        // The agent has no certificate for the only algorithm that is taken.
        Error::NoCommonAlgo { .. } => SessionError::HostNotProven { name: name.to_owned(), cause: HostCause::BareKey },
        source => SessionError::Ssh { name: name.to_owned(), source },
    }
}

impl From<russh::Error> for SessionError {
    fn from(source: russh::Error) -> Self {
        Self::Ssh { name: String::new(), source }
    }
}
