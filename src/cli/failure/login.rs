//! A login that did not come about.

use super::{Failure, Kind};
use crate::client::http::Http;
use crate::client::oauth::OauthError;

impl Failure {
    /// The login at `http`'s broker failed.
    pub fn login(error: OauthError, http: &Http) -> Self {
        let broker = http.url();
        let failed = |message: String| Self::new(Kind::NotLoggedIn, "login_failed", message);
        let again = format!("ztctl login {broker}");
        match error {
            OauthError::Http(error) => Self::http(error, broker, http.broker_ahead()),
            OauthError::Refused { code, description } if WAIT.contains(&code.as_str()) => {
                failed(format!("{broker} refuses: {description}")).hint("wait a minute, then try again")
            }
            OauthError::Refused { description, .. } => failed(format!("{broker} refuses: {description}")).hint(again),
            OauthError::Protocol(message) => failed(message),
            error @ OauthError::Listen(_) => failed(error.to_string()).hint(format!("{again} --device")),
            error @ (OauthError::Denied | OauthError::TimedOut(_) | OauthError::OtherLogin) => {
                failed(error.to_string()).hint(again)
            }
        }
    }
}

/// What the broker says when it is only too much at once.
const WAIT: [&str; 4] = ["slow_down", "temporarily_unavailable", "rate_limited", "unavailable"];
