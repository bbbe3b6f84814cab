//! A login that did not come about.

use std::path::Path;

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

    /// The broker does not take the job's token.
    pub fn job(error: OauthError, http: &Http) -> Self {
        match error {
            OauthError::Refused { code, description } if code == "invalid_request" => {
                Self::new(Kind::NotLoggedIn, "login_failed", format!("{} refuses: {description}", http.url()))
                    .hint("the broker's [[job]] tables say which tokens it takes")
            }
            error => Self::login(error, http),
        }
    }

    /// The file with the job's token cannot be read.
    pub fn id_token(file: &Path, error: &std::io::Error) -> Self {
        Self::new(Kind::Failed, "id_token", format!("the token in {} cannot be read: {error}", file.display()))
            .hint("name a file with the token, or - and give it on stdin")
    }
}

/// What the broker says when it is only too much at once.
const WAIT: [&str; 4] = ["slow_down", "temporarily_unavailable", "rate_limited", "unavailable"];
