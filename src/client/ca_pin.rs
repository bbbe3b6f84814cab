//! The pinned CA set: fetched once, at login, over TLS that is believed; afterwards only compared.
//!
//! Who could replace it could put another machine in the place of every container. So a set that differs from the pinned one is
//! never taken over: the person must end the login, ask the operator, and log in again.

use reqwest::Method;

use super::http::{Http, HttpError, SMALL_BODY};
use crate::proto::ca::CaSet;
use crate::ssh::Authorities;

/// The broker's set is not the pinned one, or of no use.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// It cannot be asked for.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It has no usable key for users, or none for hosts.
    #[error("the broker's set of certificate authorities cannot be read")]
    Unusable,
    /// It differs.
    #[error("the broker's certificate authorities are not those of the login: {pinned} then, {offered} now")]
    Changed {
        /// The fingerprint of the pinned set.
        pinned: String,
        /// The fingerprint of what the broker offers.
        offered: String,
    },
}

/// The set that the broker offers.
///
/// # Errors
/// [`PinError::Http`], [`PinError::Unusable`].
pub async fn fetch(http: &Http) -> Result<CaSet, PinError> {
    let answer = http.fetch(http.request(Method::GET, "/v1/ca"), SMALL_BODY).await?;
    if !answer.is_success() {
        return Err(HttpError::Unexpected { status: answer.status }.into());
    }
    let set: CaSet = answer.json()?;
    match (Authorities::of_users(&set), Authorities::of_hosts(&set)) {
        (Ok(_), Ok(_)) => Ok(set),
        _ => Err(PinError::Unusable),
    }
}

/// Whether the broker still offers what is pinned.
///
/// # Errors
/// [`PinError::Changed`] when not.
pub fn compare(pinned: &CaSet, offered: &CaSet) -> Result<(), PinError> {
    if pinned == offered {
        Ok(())
    } else {
        Err(PinError::Changed { pinned: pinned.fingerprint(), offered: offered.fingerprint() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_difference_is_a_change() {
        let set = |user: &str, host: &str| CaSet { user: vec![user.into()], host: vec![host.into()] };
        assert!(compare(&set("a", "b"), &set("a", "b")).is_ok());
        assert!(matches!(compare(&set("a", "b"), &set("a", "c")), Err(PinError::Changed { .. })));
        assert!(matches!(compare(&set("a", "b"), &set("b", "a")), Err(PinError::Changed { .. })));
    }
}
