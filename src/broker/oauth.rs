//! The OAuth 2 authorization server that `ztctl` logs in at, for one public client.
//!
//! | module | owns |
//! | --- | --- |
//! | `answer` | proving who one is to answer a request for an approval |
//! | `authorize` | the code flow: RFC 6749 §4.1 with PKCE (RFC 7636) on a loopback redirect (RFC 8252) |
//! | `device` | the device flow, RFC 8628, and its page |
//! | `signin` | the way to an OpenID Provider and back |
//! | `still` | whether the provider still stands by a person |
//! | `token` | tokens for codes and refresh tokens, and their return (RFC 7009) |
//! | `form` | reading parameters, and OAuth's own errors |
//! | `second` | the second factor of the directory's people, after the password |
//! | `password` | judging a name and a password, with limits and the journal |

pub(super) mod answer;
pub(super) mod authorize;
pub(crate) mod device;
pub(super) mod form;
mod password;
mod second;
mod signin;
mod still;
mod token;

use std::sync::Arc;

use axum::extract::State as Extracted;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use super::identity::oidc;
use super::{State, dpop};

pub(crate) use form::{Parameters, Sent};
pub(crate) use signin::browser;

/// Where a login takes place.
pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/oauth/authorize", get(authorize::show).post(authorize::submit))
        .route(oidc::CALLBACK, get(signin::callback))
        .route(second::PATH, post(second::submit))
        .route("/oauth/device", post(device::begin))
        .route("/device", get(device::show).post(device::submit))
        .route(TOKEN_PATH, post(token::exchange))
        .route(REVOKE_PATH, post(token::revoke))
}

/// RFC 8414 §2.
#[derive(Serialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    device_authorization_endpoint: String,
    response_types_supported: [&'static str; 1],
    grant_types_supported: [&'static str; 4],
    code_challenge_methods_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    /// RFC 9449 §5.1.
    dpop_signing_alg_values_supported: [&'static str; 2],
}

async fn metadata(Extracted(state): Extracted<Arc<State>>) -> Json<Metadata> {
    Json(Metadata {
        issuer: issuer(&state),
        authorization_endpoint: url(&state, "/oauth/authorize"),
        token_endpoint: url(&state, TOKEN_PATH),
        revocation_endpoint: url(&state, REVOKE_PATH),
        device_authorization_endpoint: url(&state, "/oauth/device"),
        response_types_supported: ["code"],
        grant_types_supported: [token::CODE, token::REFRESH, token::DEVICE, token::EXCHANGE],
        code_challenge_methods_supported: ["S256"],
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        authorization_response_iss_parameter_supported: true,
        dpop_signing_alg_values_supported: dpop::ALGORITHMS,
    })
}

/// Whether the parameters ask for a login in which the provider asks anew (OpenID Connect Core §3.1.2.1).
fn again(parameters: &form::Parameters) -> bool {
    parameters.value("prompt") == Some("login")
}

/// What the broker calls itself, without a slash at the end.
fn issuer(state: &State) -> String {
    state.config.public_url_text().to_owned()
}

fn url(state: &State, path: &str) -> String {
    format!("{}{path}", issuer(state))
}

const TOKEN_PATH: &str = "/oauth/token";

const REVOKE_PATH: &str = "/oauth/revoke";

/// The one client there is. It runs on people's machines and has no secret.
const CLIENT_ID: &str = "ztctl";
