//! A request with a body: who sent it, from where, and what it says. The caller's proof covers the body, so both are read together.

use std::net::IpAddr;

use axum::body::{Body, Bytes};
use axum::http::Request;

use super::client_address;
use crate::broker::State;
use crate::broker::dpop::Sent;
use crate::broker::identity::{self, Caller};
use crate::proto::{ErrorBody, ErrorCode};

/// The caller, the address and the body of `request`.
///
/// # Errors
/// [`identity::authenticate`]'s, and `invalid_request` for a body that is cut off or has more than [`LARGEST`] bytes.
pub(crate) async fn caller_and_body(state: &State, request: Request<Body>) -> Result<(Caller, IpAddr, Bytes), ErrorBody> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST).await;
    let body = body.map_err(|_| ErrorBody::new(ErrorCode::InvalidRequest, "the body cannot be read, or is too long"))?;
    let request = Request::from_parts(parts, ());
    let caller = identity::authenticate(state, &Sent { body: Some(&body), ..Sent::of(state, &request) }).await?;
    Ok((caller, client_address(state, &request), body))
}

/// The most bytes of a body: a reason and some names.
const LARGEST: usize = 8 * 1024;
