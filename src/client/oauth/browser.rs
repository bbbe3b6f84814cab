//! Login in the browser on this machine: the code flow with PKCE, on a loopback redirect.

use std::time::Duration;

use super::callback::Callback;
use super::discovery::Metadata;
use super::exchange::code;
use super::pkce::{Pkce, random};
use super::{CLIENT_ID, Dialogue, OauthError, new_key};
use crate::client::credential::Credential;
use crate::client::http::Http;

/// Sends the person to the broker's page and waits for the browser to come back. With `again` the identity provider asks anew,
/// whoever is logged in there.
///
/// # Errors
/// [`OauthError`]; [`OauthError::TimedOut`] after [`WAIT`].
pub async fn login(http: &Http, metadata: &Metadata, dialogue: &dyn Dialogue, again: bool) -> Result<Credential, OauthError> {
    let callback = Callback::bind().await?;
    let redirect = callback.redirect().clone();
    let (pkce, state, key) = (Pkce::new(), random(), new_key()?);
    let mut page = metadata.authorize.clone();
    page.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", redirect.as_str())
        .append_pair("state", state.expose())
        .append_pair("code_challenge", &pkce.challenge)
        .append_pair("code_challenge_method", "S256")
        // The code is worth nothing to whoever has another key (RFC 9449 §10).
        .append_pair("dpop_jkt", &key.thumbprint());
    if again {
        page.query_pairs_mut().append_pair("prompt", "login");
    }
    dialogue.page(&page);
    let answer = tokio::time::timeout(WAIT, callback.code(&state)).await;
    let answer = answer.map_err(|_| OauthError::TimedOut(WAIT.as_secs() / 60))??;
    code(http, metadata, &answer, &redirect, &pkce.verifier, key).await
}

/// How long the person may take: to find a password and a second factor, and to be called away once.
pub const WAIT: Duration = Duration::from_secs(600);
