//! Parameters of a request, each at most once (RFC 6749 §3.1), and the errors that OAuth answers with.

use std::net::IpAddr;

use axum::Json;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::CLIENT_ID;
use crate::broker::dpop::{self, ProofError};
use crate::broker::store::StoreError;
use crate::broker::{State, http};
use crate::proto::Secret;

/// The parameters of a query or of a form.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, Secret<String>)>);

/// A form that was sent, and who sent it.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) headers: HeaderMap,
    pub(crate) address: IpAddr,
    pub(crate) form: Parameters,
}

/// A refusal in the form of RFC 6749 §5.2.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    pub(super) error: &'static str,
    pub(super) description: String,
}

impl Parameters {
    /// Reads `name=value&…`; nothing when a name comes twice.
    pub(in crate::broker) fn parse(encoded: &[u8]) -> Option<Self> {
        let mut parameters: Vec<(String, Secret<String>)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(encoded) {
            if parameters.len() == MOST || parameters.iter().any(|(known, _)| *known == name) {
                return None;
            }
            parameters.push((name.into_owned(), Secret::new(value.into_owned())));
        }
        Some(Self(parameters))
    }

    /// The value of `name`; one without a value counts as left out.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name)?;
        Some(value.expose().as_str()).filter(|value| !value.is_empty())
    }

    /// The same, where it must be there.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.value(name).ok_or_else(|| Refusal::new("invalid_request", format!("the parameter {name} is missing")))
    }

    /// That the client is ours.
    pub(super) fn client(&self) -> Result<(), Refusal> {
        if self.needed("client_id")? == CLIENT_ID {
            Ok(())
        } else {
            Err(Refusal { status: StatusCode::UNAUTHORIZED, ..Refusal::new("invalid_client", "the client is not known here") })
        }
    }
}

impl Sent {
    /// Reads a form from a request's body, which the router has bounded.
    pub(crate) async fn read(state: &State, request: Request) -> Result<Self, Refusal> {
        let address = http::client_address(state, &request);
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::new("invalid_request", "a form is expected: application/x-www-form-urlencoded"));
        }
        let body = axum::body::to_bytes(body, LARGEST).await;
        let body = body.map_err(|_| Refusal::new("invalid_request", "the form cannot be read, or is too large"))?;
        let form = Parameters::parse(&body).ok_or_else(|| Refusal::new("invalid_request", "a parameter comes twice"))?;
        Ok(Self { headers: parts.headers, address, form })
    }
}

impl Sent {
    /// The same as something to prove, at the endpoint of this path.
    pub(super) fn to_prove<'a>(&'a self, path: &'a str) -> dpop::Sent<'a> {
        dpop::Sent { method: "POST", path, headers: &self.headers, address: self.address, body: None }
    }
}

impl Refusal {
    pub(super) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, description: description.into() }
    }

    /// The request does not come from where its key is (RFC 9449 §5 and §8).
    pub(super) fn proof(error: ProofError) -> Self {
        match error {
            ProofError::Late => Self::new(USE_NONCE, "the clocks differ: prove again with the nonce"),
            ProofError::TooMany => Self::too_many(&error),
            error => Self::new("invalid_dpop_proof", format!("the broker does not take the request: {error}")),
        }
    }

    /// The broker cannot answer right now; why is in its log.
    pub(super) fn unavailable(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a login cannot go on");
        let refusal = Self::new("temporarily_unavailable", "the broker cannot do this right now: try again");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..refusal }
    }

    /// Too many attempts.
    pub(super) fn too_many(error: &dyn std::fmt::Display) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, ..Self::new("temporarily_unavailable", error.to_string()) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in words.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::unavailable(&error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.error, "error_description": self.description}));
        let mut response = (self.status, body).into_response();
        if self.error == USE_NONCE {
            response.extensions_mut().insert(http::WantsNonce);
        }
        response
    }
}

/// RFC 9449 §8.
const USE_NONCE: &str = "use_dpop_nonce";

/// More parameters than any of our forms has.
const MOST: usize = 32;

/// A form with a name, a password and what a login carries along.
const LARGEST: usize = 16 * 1024;
