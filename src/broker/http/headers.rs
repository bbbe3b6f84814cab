//! The headers that every answer carries, unless its route has set a stricter or a fitting one of its own.

use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::WantsNonce;
use crate::broker::State;
use crate::proto::api::CA_HEADER;
use crate::proto::dpop::NONCE_HEADER;

/// Puts them on.
pub(super) async fn secure(Extracted(state): Extracted<Arc<State>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    // Also with an upgrade: whoever opens a session has to know.
    match state.ca.sequence() {
        0 => {}
        sequence => drop(response.headers_mut().insert(CA, HeaderValue::from(sequence))),
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let headers = response.headers_mut();
    for (name, value) in EVERYWHERE {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if response.extensions_mut().remove::<WantsNonce>().is_some()
        && let Ok(nonce) = HeaderValue::from_str(&state.proofs.nonce(state.clock.now()))
    {
        response.headers_mut().insert(HeaderName::from_static(NONCE_HEADER), nonce);
    }
    let headers = response.headers_mut();
    if state.config.public_url.scheme() == "https" {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(HSTS));
    }
    response
}

const CA: HeaderName = HeaderName::from_static(CA_HEADER);

const EVERYWHERE: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// A year. No word about subdomains, which are others' business.
const HSTS: &str = "max-age=31536000";
