//! The token endpoint: tokens for a code, a device code or a refresh token; and the revocation endpoint.

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::discovery::Metadata;
use super::{CLIENT_ID, OauthError, new_key};
use crate::client::credential::Credential;
use crate::client::dpop::ProofKey;
use crate::client::http::{ANSWER_TIMEOUT, Answer, Http, HttpError, SMALL_BODY};
use crate::proto::dpop::SCHEME;
use crate::proto::{ErrorBody, Secret};

/// Tokens for the code that the browser brought.
pub(super) async fn code(
    http: &Http,
    metadata: &Metadata,
    code: &Secret<String>,
    redirect: &Url,
    verifier: &Secret<String>,
    key: ProofKey,
) -> Result<Credential, OauthError> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", redirect.as_str()),
        ("code_verifier", verifier.expose()),
    ];
    first(http, metadata, &form, key).await
}

/// Tokens for a device code, once somebody has entered its user code.
pub(super) async fn device_code(
    http: &Http,
    metadata: &Metadata,
    code: &Secret<String>,
    key: ProofKey,
) -> Result<Credential, OauthError> {
    let form = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", code.expose())];
    first(http, metadata, &form, key).await
}

/// Tokens for the token that a platform gives its job (RFC 8693).
///
/// # Errors
/// [`OauthError`]; the broker's refusal says what is wrong with the token.
pub async fn job(http: &Http, metadata: &Metadata, token: &Secret<String>) -> Result<Credential, OauthError> {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("subject_token", token.expose().as_str()),
    ];
    first(http, metadata, &form, new_key()?).await
}

/// The next tokens for the refresh token in `credential`.
///
/// # Errors
/// [`OauthError::Refused`] with `invalid_grant` when the login has ended.
pub async fn refresh(http: &Http, credential: &Credential) -> Result<Credential, OauthError> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", credential.refresh_token.expose())];
    let tokens = tokens(http, &credential.token_path, &form, credential.key.as_ref()).await?;
    Ok(Credential {
        access_expires_at: tokens.expires_at(http),
        access_token: tokens.access_token,
        // RFC 6749 §6: without a new one the old one stays good.
        refresh_token: tokens.refresh_token.unwrap_or_else(|| credential.refresh_token.clone()),
        key: credential.key.clone(),
        token_path: credential.token_path.clone(),
        revoke_path: credential.revoke_path.clone(),
    })
}

/// Gives the refresh token back, and with it the login.
///
/// # Errors
/// [`OauthError`]; a token that the broker does not know any more is none (RFC 7009 §2.2).
pub async fn revoke(http: &Http, credential: &Credential) -> Result<(), OauthError> {
    let form =
        [("token", credential.refresh_token.expose().as_str()), ("token_type_hint", "refresh_token"), ("client_id", CLIENT_ID)];
    let reply = post(http, &credential.revoke_path, &form, credential.key.as_ref()).await?;
    if reply.is_success() { Ok(()) } else { Err(refusal(&reply)) }
}

/// The JSON of a successful answer, or the error that it is.
pub(in crate::client) fn answer<T: DeserializeOwned>(answer: &Answer) -> Result<T, OauthError> {
    if answer.is_success() { Ok(answer.json()?) } else { Err(refusal(answer)) }
}

async fn first(http: &Http, metadata: &Metadata, form: &[(&str, &str)], key: ProofKey) -> Result<Credential, OauthError> {
    let mut tokens = tokens(http, &metadata.token_path, form, Some(&key)).await?;
    let refresh_token = tokens.refresh_token.take();
    Ok(Credential {
        access_expires_at: tokens.expires_at(http),
        access_token: tokens.access_token,
        refresh_token: refresh_token.ok_or_else(|| OauthError::Protocol("the broker gave no refresh token".to_owned()))?,
        key: Some(key),
        token_path: metadata.token_path.clone(),
        revoke_path: metadata.revoke_path.clone(),
    })
}

async fn tokens(http: &Http, path: &str, form: &[(&str, &str)], key: Option<&ProofKey>) -> Result<Tokens, OauthError> {
    let form: Vec<_> = form.iter().copied().chain([("client_id", CLIENT_ID)]).collect();
    let tokens: Tokens = answer(&post(http, path, &form, key).await?)?;
    // A bearer token would be good for whoever copies it.
    if tokens.token_type.eq_ignore_ascii_case(SCHEME) {
        Ok(tokens)
    } else {
        Err(OauthError::Protocol(format!("the broker gave a token of the type `{}` instead of {SCHEME}", tokens.token_type)))
    }
}

/// Sends a form with a proof of having `key`.
async fn post(http: &Http, path: &str, form: &[(&str, &str)], key: Option<&ProofKey>) -> Result<Answer, HttpError> {
    let request = || {
        let request = http.request(Method::POST, path).form(form);
        match key {
            Some(key) => key.on(request, http),
            None => Ok(request),
        }
    };
    let response = http.send_proved(request, ANSWER_TIMEOUT).await?;
    http.read(response, SMALL_BODY).await
}

fn refusal(answer: &Answer) -> OauthError {
    if let Ok(Refusal { error, error_description }) = answer.json() {
        return OauthError::Refused { description: error_description.unwrap_or_else(|| error.clone()), code: error };
    }
    // What stands before the endpoints, such as a rate limit, answers as the rest of the API does.
    match answer.json::<ErrorBody>() {
        Ok(body) => OauthError::Refused { code: body.code.as_str().to_owned(), description: body.message },
        Err(error) => OauthError::Http(error),
    }
}

/// RFC 6749 §5.1.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Tokens {
    access_token: Secret<String>,
    token_type: String,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<Secret<String>>,
}

impl Tokens {
    fn expires_at(&self, http: &Http) -> u64 {
        http.clock().now().saturating_add(self.expires_in.unwrap_or(UNSTATED))
    }
}

/// RFC 6749 §5.2.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// What we take an access token to last for when the broker does not say.
const UNSTATED: u64 = 300;
