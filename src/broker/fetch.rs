//! The few requests that a broker makes to others: one GET for a document such as published keys, one POST to tell something; no
//! redirect, everything bounded.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use reqwest::{Client, redirect};
use url::Url;

use crate::transport::tls::{Roots, RootsError, provider};

/// Whoever fetches, by roots that were chosen once.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher(Client);

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The roots or the client.
    #[error("{0}")]
    Setup(String),
    /// Nobody answers, or not in time.
    #[error("{0}")]
    Unreachable(String),
    /// Something else than a document.
    #[error("the answer is HTTP status {0}")]
    Status(u16),
    /// Too long.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Fetcher {
    /// One that believes only the roots in the PEM file `ca`, or those of the machine.
    ///
    /// # Errors
    /// [`FetchError::Setup`].
    pub(crate) fn new(ca: Option<&Path>) -> Result<Self, FetchError> {
        let setup = |error: &dyn std::fmt::Display| FetchError::Setup(error.to_string());
        let roots = match ca {
            Some(path) => {
                let pem = std::fs::read(path).map_err(|error| FetchError::Setup(format!("{}: {error}", path.display())))?;
                Roots::from_pem(&pem).map_err(|error: RootsError| FetchError::Setup(format!("{}: {error}", path.display())))?
            }
            None => {
                let verifier = rustls_platform_verifier::Verifier::new(provider()).map_err(|error| setup(&error))?;
                Roots::Verifier(Arc::new(verifier))
            }
        };
        let client = Client::builder()
            .tls_backend_preconfigured(roots.client_config().map_err(|error| setup(&error))?)
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .timeout(WHOLE)
            .user_agent(concat!("ztbroker/", env!("CARGO_PKG_VERSION")));
        Ok(Self(client.build().map_err(|error| setup(&error))?))
    }

    /// The document at `url`, at most `limit` bytes.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn get(&self, url: &Url, limit: usize) -> Result<Vec<u8>, FetchError> {
        let mut response = self.0.get(url.clone()).send().await.map_err(unreachable)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        bounded(&mut response, limit).await
    }
}

async fn bounded(response: &mut reqwest::Response, limit: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > limit {
            return Err(FetchError::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Fetcher {
    /// Sends `request` as it is; the answer, whatever its status, with at most `limit` bytes.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn exchange(&self, request: Request<Vec<u8>>, limit: usize) -> Result<Response<Vec<u8>>, FetchError> {
        let request = request.try_into().map_err(unreachable)?;
        let mut response = self.0.execute(request).await.map_err(unreachable)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut answer = Response::new(bounded(&mut response, limit).await?);
        (*answer.status_mut(), *answer.headers_mut()) = (status, headers);
        Ok(answer)
    }

    /// Sends `body` with these headers to `url`; done when the answer's status is 2xx, whatever else it says.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn post(&self, url: &Url, headers: &[(&str, &str)], body: Vec<u8>) -> Result<(), FetchError> {
        let request = headers.iter().fold(self.0.post(url.clone()), |request, (name, value)| request.header(*name, *value));
        let status = request.body(body).send().await.map_err(unreachable)?.status();
        if status.is_success() { Ok(()) } else { Err(FetchError::Status(status.as_u16())) }
    }
}

/// The library tells its reason only in the sources of its error.
fn unreachable(error: reqwest::Error) -> FetchError {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    FetchError::Unreachable(words)
}

/// For the connection and the whole answer.
const WHOLE: Duration = Duration::from_secs(8);
