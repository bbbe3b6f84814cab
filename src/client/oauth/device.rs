//! Login by a code that is entered in a browser elsewhere: RFC 8628.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::discovery::Metadata;
use super::exchange::{self, answer};
use super::{CLIENT_ID, Dialogue, OauthError, new_key};
use crate::client::credential::Credential;
use crate::client::dpop::ProofKey;
use crate::client::http::{Http, HttpError, SMALL_BODY};
use crate::proto::Secret;

/// What the person must do: open the page and enter the code.
#[derive(Debug, Clone, Deserialize)]
pub struct DeviceCode {
    /// What we ask the broker with; not for the person.
    device_code: Secret<String>,
    /// What the person enters.
    pub user_code: String,
    /// The page.
    pub verification_uri: Url,
    /// The page with the code filled in.
    #[serde(default)]
    pub verification_uri_complete: Option<Url>,
    /// How many seconds the code holds.
    pub expires_in: u64,
    /// How many seconds to wait between two questions.
    #[serde(default = "five")]
    interval: u64,
}

/// Shows the code and asks the broker until somebody has entered it. With `again` the identity provider asks anew.
///
/// # Errors
/// [`OauthError`]; [`OauthError::TimedOut`] when the code has expired.
pub async fn login(http: &Http, metadata: &Metadata, dialogue: &dyn Dialogue, again: bool) -> Result<Credential, OauthError> {
    let form = [("client_id", CLIENT_ID), ("prompt", "login")];
    let request = http.request(Method::POST, &metadata.device_path).form(if again { &form[..] } else { &form[..1] });
    let code: DeviceCode = answer(&http.fetch(request, SMALL_BODY).await?)?;
    dialogue.code(&code);
    let lifetime = code.expires_in.clamp(1, LONGEST);
    let polling = poll(http, metadata, &code, new_key()?);
    let waited = tokio::time::timeout(Duration::from_secs(lifetime), polling).await;
    waited.unwrap_or(Err(OauthError::TimedOut(lifetime.div_ceil(60))))
}

async fn poll(http: &Http, metadata: &Metadata, code: &DeviceCode, key: ProofKey) -> Result<Credential, OauthError> {
    let mut interval = code.interval.clamp(1, 60);
    loop {
        // At once the first time: an operator's approval may have been quicker than the person.
        match exchange::device_code(http, metadata, &code.device_code, key.clone()).await {
            Err(OauthError::Refused { code, .. }) if code == "authorization_pending" => {}
            // RFC 8628 §3.5: five seconds more, from now on.
            Err(OauthError::Refused { code, .. }) if code == "slow_down" => interval += 5,
            // The network may come back while the person types: RFC 8628 §3.5 asks to wait longer.
            Err(OauthError::Http(HttpError::Unreachable(_))) => interval = (interval * 2).min(60),
            Err(OauthError::Refused { code: error, .. }) if error == "expired_token" => {
                return Err(OauthError::TimedOut(code.expires_in.div_ceil(60)));
            }
            Err(OauthError::Refused { code, .. }) if code == "access_denied" => return Err(OauthError::Denied),
            result => return result,
        }
        tokio::time::sleep(Duration::from_secs(interval)).await;
    }
}

/// RFC 8628 §3.2: the interval when none is stated.
fn five() -> u64 {
    5
}

/// The most seconds that we wait, whatever the broker says.
const LONGEST: u64 = 3600;
