//! Login at the broker, which is an OAuth 2 authorization server to us: in the browser, or by a code.
//!
//! | module | owns |
//! | --- | --- |
//! | [`discovery`] | the server's metadata, RFC 8414 |
//! | [`browser`], `callback`, `pkce` | the code flow on a loopback redirect, RFC 8252 and 7636 |
//! | [`device`] | the device flow, RFC 8628 |
//! | [`exchange`] | tokens for a code or for a refresh token, and their return, RFC 7009 |

pub mod browser;
pub(super) mod callback;
pub mod device;
pub mod discovery;
pub mod exchange;
mod pkce;

use super::dpop::ProofKey;
use super::http::HttpError;

/// Who we are to the broker: a public client, which has no secret.
pub const CLIENT_ID: &str = "ztctl";

/// What a login must tell the person.
pub trait Dialogue: Send + Sync {
    /// The page to log in on. It should open by itself; the person may have to open it.
    fn page(&self, url: &url::Url);

    /// The page to open on any machine and the code to enter there.
    fn code(&self, code: &device::DeviceCode);
}

/// Why a login did not come about, or an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    /// The broker cannot be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The broker answered with one of OAuth's errors.
    #[error("the broker refuses: {description}")]
    Refused {
        /// The error code of the RFCs: `invalid_grant`, `access_denied` …
        code: String,
        /// What the broker says about it.
        description: String,
    },
    /// The login was refused, by the person or by the broker's directory.
    #[error("the login was refused")]
    Denied,
    /// Nobody logged in in time.
    #[error("nobody logged in within {0} minutes")]
    TimedOut(u64),
    /// The browser came back with another login's answer.
    #[error("the browser came back with the answer to another login")]
    OtherLogin,
    /// What the broker says makes no sense.
    #[error("{0}")]
    Protocol(String),
    /// The loopback address cannot be listened on.
    #[error("cannot listen on 127.0.0.1 for the browser: {0}")]
    Listen(#[source] std::io::Error),
}

/// The key of a login that begins.
fn new_key() -> Result<ProofKey, OauthError> {
    ProofKey::random().map_err(|_| OauthError::Protocol("no key can be made for this login".to_owned()))
}

#[cfg(test)]
mod tests;
