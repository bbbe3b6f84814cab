//! The broker's HTTP: the table of its routes, and what holds for all of them.
//!
//! Every answer carries the security headers, every request has a size and a time limit, and every refusal is an [`ErrorBody`].
//! `accept` turns connections into requests; who a request comes from is decided by `address`.

mod accept;
pub(super) mod address;
mod body;
mod headers;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State as Extracted};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};

use super::dpop::Sent;
use super::{State, agents, asking, connect, identity, list, mfa, oauth, own_sessions, why};
use crate::proto::api::Whoami;
use crate::proto::ca::CaOffer;
use crate::proto::{ErrorBody, ErrorCode};

pub(crate) use accept::{Door, serve};
pub(crate) use address::{Peer, client_address};
pub(crate) use body::caller_and_body;

/// All that the broker answers to.
pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .merge(oauth::routes())
        .merge(mfa::api::routes())
        .merge(asking::routes())
        .route("/v1/ca", get(ca))
        .route("/v1/whoami", get(whoami))
        .route("/v1/containers", get(list::containers))
        .route("/v1/why/{name}/{login}", get(why::why))
        .route("/v1/sessions", get(own_sessions::list))
        .route("/v1/sessions/{id}", delete(own_sessions::end))
        .route("/v1/connect", get(connect::connect))
        .route("/v1/agent/control", get(agents::control))
        .route("/v1/agent/data", get(agents::data))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&state), headers::secure))
        .with_state(state)
}

/// What clients and agents pin; public.
async fn ca(Extracted(state): Extracted<Arc<State>>) -> Json<CaOffer> {
    Json(state.ca.offer())
}

async fn whoami(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<Whoami>, ErrorBody> {
    let caller = identity::authenticate(&state, &Sent::of(&state, &request)).await?;
    Ok(Json(Whoami {
        user: caller.user(),
        groups: caller.groups.iter().map(ToString::to_string).collect(),
        expires_at: caller.expires_at,
        limited_to: caller.narrowed.as_ref().and_then(identity::Narrowing::words),
        mfa_at: caller.mfa_at,
    }))
}

/// The process is alive.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The process can do its work: it is not stopping, its database answers, and its journal can be written.
async fn readyz(Extracted(state): Extracted<Arc<State>>) -> Response {
    if state.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match state.store.ping().await {
        Ok(()) if !state.journal.is_writable().await => {
            (StatusCode::SERVICE_UNAVAILABLE, "the audit journal cannot be written\n").into_response()
        }
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

async fn nothing_here() -> ErrorBody {
    ErrorBody::new(ErrorCode::NotFound, "there is nothing at this address")
}

async fn wrong_method() -> (StatusCode, Json<ErrorBody>) {
    let body = ErrorBody::new(ErrorCode::InvalidRequest, "this address does not answer to that method");
    (StatusCode::METHOD_NOT_ALLOWED, Json(body))
}

/// Ends what takes too long: a body that trickles in, a database that hangs.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ErrorBody::new(ErrorCode::Unavailable, "the broker took too long: try again").into_response(),
    }
}

impl IntoResponse for ErrorBody {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // RFC 9449 §7.1.
        let challenge = match self.code {
            ErrorCode::NotLoggedIn => Some("DPoP algs=\"EdDSA ES256\""),
            ErrorCode::ProofRefused => Some("DPoP error=\"invalid_dpop_proof\", algs=\"EdDSA ES256\""),
            ErrorCode::UseDpopNonce => Some("DPoP error=\"use_dpop_nonce\", algs=\"EdDSA ES256\""),
            _ => None,
        };
        let wants_nonce = self.code == ErrorCode::UseDpopNonce;
        let mut response = (status, Json(self)).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if wants_nonce {
            response.extensions_mut().insert(WantsNonce);
        }
        response
    }
}

/// On a refusal that asks for another proof: the nonce for it is put on with the headers of every answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantsNonce;

/// The most bytes of a request's body: a form with two fields.
const BODY_LIMIT: usize = 16 * 1024;

/// The longest work for an answer is a connect, which waits five seconds for its agent, and after a start as long for all of them.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
