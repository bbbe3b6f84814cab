//! Sessions: the other end not proven, refused, lost, ended, or this side's own streams failing.

use super::{Failure, Kind};
use crate::client::api::Api;
use crate::client::session::{HostCause, SessionError};
use crate::ssh::cert::Refusal;

impl Failure {
    /// There is no session, or none any more.
    pub fn session(error: SessionError, api: &Api) -> Self {
        let broker = api.http().url();
        let words = error.to_string();
        match error {
            SessionError::Api(error) => Self::of_api(error, api),
            SessionError::Authorities(error) => Self::pin(error, api.http()),
            SessionError::Key => Self::new(Kind::Failed, "key", words),
            SessionError::Reply(_) => Self::new(Kind::Failed, "bad_reply", format!("{broker}: {words}")).hint("ztctl version"),
            SessionError::OtherContainer { .. } => Self::new(Kind::Failed, "other_container", words)
                .hint("ztctl ls: the list may have changed; if not, tell your platform team"),
            SessionError::HostNotProven { ref cause, .. } => not_proven(cause, &words, broker),
            SessionError::Clock { seconds } => Self::clock(-seconds),
            SessionError::AgentRefused { .. } => Self::new(Kind::NotAllowed, "agent_refused", words)
                .hint("its clock may be off, or it was set up for another broker: tell whoever runs it"),
            SessionError::RequestRefused { ref what, .. } if what.starts_with("the variable") => {
                Self::new(Kind::NotAllowed, "variable_refused", words)
                    .hint("ztctl why NAME tells which variables the policy lets through")
            }
            // SSH has no word for why.
            SessionError::RequestRefused { ref what, .. } if what.starts_with("to listen") => Self::new(
                Kind::NotAllowed,
                "request_refused",
                words,
            )
            .hint("something may listen there already, or the policy or the container does not provide for it: ztctl why NAME"),
            SessionError::RequestRefused { .. } => Self::new(Kind::NotAllowed, "request_refused", words)
                .hint("the policy or the container does not provide for it: ztctl why NAME shows what you may do there"),
            SessionError::FilesRefused { .. } => {
                Self::new(Kind::Failed, "files_refused", words).hint("ztctl exec NAME -- PROGRAM runs what the container has")
            }
            SessionError::Timeout { .. } => {
                Self::new(Kind::Failed, "timeout", words).hint("try again; ztctl ls shows what can be reached")
            }
            SessionError::Lost { .. } => {
                Self::new(Kind::Failed, "lost", words).hint("ztctl ls shows whether the container is still there")
            }
            SessionError::Ended { .. } => Self::new(Kind::Failed, "ended", words),
            SessionError::ContainerEnded { .. } => Self::new(Kind::Failed, "container_ended", words),
            SessionError::Ssh { .. } => Self::new(Kind::Failed, "ssh", words).hint("ztctl version"),
            SessionError::Local { .. } => Self::new(Kind::Failed, "local", words),
        }
    }
}

/// Loud, and without any way on: whoever is at the other end is not the container.
fn not_proven(cause: &HostCause, words: &str, broker: &crate::client::http::BrokerUrl) -> Failure {
    let failure = Failure::new(Kind::Failed, "host_not_proven", words);
    match cause {
        HostCause::Refused(Refusal::Authority) => failure
            .detail([
                "somebody may be in between, or the broker's authorities are not those of your login".to_owned(),
                "nothing was sent to it".to_owned(),
            ])
            .hint(format!("ztctl login {broker} compares the authorities; tell your platform team if that finds nothing")),
        _ => failure.detail(["nothing was sent to it".to_owned()]).hint("tell your platform team: this is never right"),
    }
}
