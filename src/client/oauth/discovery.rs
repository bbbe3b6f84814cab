//! The broker's endpoints, as it states them (RFC 8414). All must be on the broker itself.

use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::OauthError;
use crate::client::http::{Http, SMALL_BODY};
use crate::proto::dpop::ALGORITHM;

/// The endpoints of a broker.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// The page where a person logs in.
    pub authorize: Url,
    /// The path where codes and refresh tokens are exchanged.
    pub token_path: String,
    /// The path where tokens are given back.
    pub revoke_path: String,
    /// The path that starts a device login.
    pub device_path: String,
}

/// Asks the broker.
///
/// # Errors
/// [`OauthError::Protocol`] when an endpoint is not on the broker, or PKCE with S256 or DPoP is not spoken.
pub async fn discover(http: &Http) -> Result<Metadata, OauthError> {
    let answer = http.fetch(http.request(Method::GET, WELL_KNOWN), SMALL_BODY).await?;
    if !answer.is_success() {
        return Err(crate::client::http::HttpError::Unexpected { status: answer.status }.into());
    }
    let document: Document = answer.json()?;
    let endpoint = |url: &Url| {
        // A document that could point elsewhere could have the tokens sent elsewhere.
        if http.url().holds(url) { Ok(url.clone()) } else { Err(OauthError::Protocol(elsewhere(http, url))) }
    };
    if !document.code_challenge_methods_supported.iter().any(|method| method == "S256") {
        return Err(OauthError::Protocol("the broker does not speak PKCE with S256".to_owned()));
    }
    if !document.dpop_signing_alg_values_supported.iter().any(|algorithm| algorithm == ALGORITHM) {
        return Err(OauthError::Protocol(
            "the broker binds no tokens to keys (DPoP with EdDSA): it is older than this ztctl".to_owned(),
        ));
    }
    let path = |url: &Url| endpoint(url).map(|url| url.path().to_owned());
    Ok(Metadata {
        authorize: endpoint(&document.authorization_endpoint)?,
        token_path: path(&document.token_endpoint)?,
        revoke_path: path(&document.revocation_endpoint)?,
        device_path: path(&document.device_authorization_endpoint)?,
    })
}

fn elsewhere(http: &Http, url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    format!("the broker calls itself {origin}, not {}: log in at that address", http.url())
}

/// What we read of the document.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Document {
    authorization_endpoint: Url,
    token_endpoint: Url,
    revocation_endpoint: Url,
    device_authorization_endpoint: Url,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    dpop_signing_alg_values_supported: Vec<String>,
}

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";
