//! Tokens that somebody else has: what they hear, and the event.
//!
//! The login stays as it is. Whoever copied a token and lacks the key has gained nothing by it, and shall not be able to log its owner
//! out.

use std::net::IpAddr;

use super::Caller;
use crate::broker::State;
use crate::broker::audit::Event;
use crate::broker::dpop::ProofError;
use crate::broker::rate::{Limit, network};
use crate::proto::{ErrorBody, ErrorCode};

/// What a token or code is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Access,
    Refresh,
    Code,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Code => "code",
        }
    }
}

/// What whoever presented an access token of `caller` hears.
pub(super) async fn of_access(state: &State, caller: &Caller, error: ProofError, address: IpAddr) -> ErrorBody {
    note(state, &caller.user(), Kind::Access, error, address).await;
    match error {
        ProofError::Late => ErrorBody::new(ErrorCode::UseDpopNonce, "the clocks differ: prove again with the nonce"),
        ProofError::TooMany => ErrorBody::new(ErrorCode::RateLimited, "there are too many requests with this login: wait"),
        error => ErrorBody::new(ErrorCode::ProofRefused, format!("the broker does not take the request: {error}")),
    }
}

/// Writes down that a token of `user` was presented without the key that it is bound to. Whoever has a copy can do that as often as
/// it likes: the journal, which nothing starts without, is not filled by that.
pub(crate) async fn note(state: &State, user: &str, kind: Kind, error: ProofError, address: IpAddr) {
    // By the right key, both of them.
    if matches!(error, ProofError::Late | ProofError::TooMany) {
        return;
    }
    let (token, why) = (kind.as_str(), error.to_string());
    if state.limits.attempt(Limit::Misuse, &network(address), state.clock.now()).is_err() {
        tracing::debug!(%address, %user, %token, %why, "a token's misuse is not written down: there was much from its address");
        return;
    }
    tracing::warn!(%address, %user, %token, %why, "a token was used by somebody without its key");
    let event =
        Event::TokenMisused { user: user.to_owned(), token: token.to_owned(), why, client_address: address.to_string() };
    if let Err(error) = state.journal.append(event).await {
        tracing::error!(%error, "a token's misuse was not written down");
    }
}
