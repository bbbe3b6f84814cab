//! What a person can do about a policy that asks for a second factor.

use crate::broker::State;
use crate::broker::identity::{Caller, LOCAL};
use crate::proto::error::MfaWay;
use crate::proto::{ErrorBody, ErrorCode};

/// `body`, and where it asks for a second factor, how `caller` can show one.
pub(crate) async fn with_way(state: &State, caller: &Caller, mut body: ErrorBody) -> ErrorBody {
    if body.code != ErrorCode::MfaRequired {
        return body;
    }
    let (way, more) = if caller.login.is_none() {
        (None, ", and a user token cannot show one: use a login")
    } else if caller.idp != LOCAL {
        (Some(MfaWay::Login), "")
    } else {
        match super::has(state, &caller.name).await {
            Ok(true) => (Some(MfaWay::Totp), ""),
            // Nobody knows right now: the broker says so when it is shown one.
            Err(_) => (Some(MfaWay::Totp), ""),
            Ok(false) => (None, ", and you have set none up"),
        }
    };
    body.mfa = way;
    body.message.push_str(more);
    body
}
