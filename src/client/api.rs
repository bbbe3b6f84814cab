//! The broker's API as the client uses it: `/v1/whoami`, `/v1/containers`, `/v1/connect`.
//!
//! Each call is one round trip. A token that the broker does not take although it should hold is renewed once.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use tokio::io::{AsyncRead, AsyncWrite};

mod mfa;
mod upgrade;

pub use upgrade::Upgrade;

use super::dpop::Held;
use super::http::{Answer, Http, HttpError, SMALL_BODY, Server};
use super::tokens::{TokenError, Tokens};
use super::trace::Trace;
use crate::clock::Clock;
use crate::proto::api::{ConnectReply, ConnectRequest, ContainerList, SessionList, Whoami, Why};
use crate::proto::asking::{NewRequest, RequestAnswer, RequestList, RequestRow, WAIT};
use crate::proto::frame::FrameError;
use crate::proto::name::{Login, Target};
use crate::proto::{ErrorBody, ErrorCode, RequestId, SessionId, Text};

/// One broker's API, with one login. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    http: Http,
    tokens: Tokens,
    upgrade: Arc<upgrade::Preference>,
}

/// The list of containers as it came.
#[derive(Debug)]
pub struct Listing(Answer);

impl Listing {
    /// Its rows, whose texts are the answer's own.
    ///
    /// # Errors
    /// [`ApiError::Http`] where it is no list.
    pub fn read(&self) -> Result<ContainerList<Text<'_>>, ApiError> {
        Ok(self.0.json()?)
    }
}

/// The bytes to and from the agent.
pub type Link = Box<dyn LinkStream>;

/// What a [`Link`] can do.
pub trait LinkStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> LinkStream for S {}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The broker cannot be asked, or something else answers.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// There is no token to ask with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The broker says no.
    #[error("{0}")]
    Refused(Box<ErrorBody>),
    /// The request does not fit into a header.
    #[error("the request has {length} bytes, over the limit of {limit}: shorten the reason")]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The connection was upgraded, but what it begins with cannot be used.
    #[error("the broker's reply cannot be used: {0}")]
    Reply(#[from] FrameError),
    /// The broker chose a link protocol that was not offered.
    #[error("the broker chose the unknown link protocol `{0}`")]
    Link(String),
}

impl Api {
    /// The API of `server`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`HttpError::Setup`].
    pub fn new(server: &Server, tokens: Tokens) -> Result<Self, HttpError> {
        Self::traced(server, tokens, Trace::off())
    }

    /// The same, and `trace` is told what happens.
    ///
    /// # Errors
    /// As [`Api::new`].
    pub fn traced(server: &Server, tokens: Tokens, trace: Trace) -> Result<Self, HttpError> {
        Ok(Self::over(Http::traced(server, Clock::system(), trace)?, tokens))
    }

    /// The API over an HTTP client that exists, and with its clock.
    pub fn over(http: Http, tokens: Tokens) -> Self {
        Self { http, tokens, upgrade: Arc::default() }
    }

    /// The same, with the upgrade that worked last time, and with what to do when another one works.
    #[must_use]
    pub fn remembering(mut self, last: Upgrade, remember: impl Fn(Upgrade) + Send + Sync + 'static) -> Self {
        self.upgrade = Arc::new(upgrade::Preference::new(last, Box::new(remember)));
        self
    }

    /// The HTTP client below.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Whether the token was given and cannot be renewed.
    pub fn has_fixed_token(&self) -> bool {
        self.tokens.is_fixed()
    }

    /// Who the token speaks for.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn whoami(&self) -> Result<Whoami, ApiError> {
        self.json("/v1/whoami", SMALL_BODY).await
    }

    /// The containers that the user may list.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn containers(&self) -> Result<ContainerList, ApiError> {
        self.json("/v1/containers", LIST_BODY).await
    }

    /// The same for whoever only looks at it: a list of thousands that nobody copies.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn listing(&self) -> Result<Listing, ApiError> {
        let response = self.ask(Method::GET, "/v1/containers").await?;
        Ok(Listing(self.body(response, LIST_BODY).await?))
    }

    /// What the user may do as `login` in the container that `name` means.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn why(&self, name: &Target, login: &Login) -> Result<Why, ApiError> {
        self.json(&format!("/v1/why/{name}/{login}"), REFUSAL_BODY).await
    }

    /// The user's live sessions, from wherever they were opened.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn sessions(&self) -> Result<SessionList, ApiError> {
        self.json("/v1/sessions", REFUSAL_BODY).await
    }

    /// Ends one of them.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn end_session(&self, id: SessionId) -> Result<(), ApiError> {
        let response = self.ask(Method::DELETE, &format!("/v1/sessions/{id}")).await?;
        if response.status().is_success() { Ok(()) } else { Err(self.refusal(response).await) }
    }

    /// Asks for an approval.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn make_request(&self, wish: &NewRequest) -> Result<RequestRow, ApiError> {
        self.posted("/v1/requests", wish).await
    }

    /// The user's requests, and those that the user is asked to answer.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn requests(&self) -> Result<RequestList, ApiError> {
        self.json("/v1/requests", REQUESTS_BODY).await
    }

    /// One of them, as soon as it is open no more, or after some seconds.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn await_request(&self, id: RequestId) -> Result<RequestRow, ApiError> {
        let path = format!("/v1/requests/{id}");
        let request = || self.http.request(Method::GET, &path).query(&[("wait", WAIT)]);
        let response = self.authorized(request, super::http::ANSWER_TIMEOUT).await?;
        self.read(response, SMALL_BODY).await
    }

    /// Answers one.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn answer_request(&self, id: RequestId, answer: &RequestAnswer) -> Result<RequestRow, ApiError> {
        self.posted(&format!("/v1/requests/{id}/answer"), answer).await
    }

    /// Takes one of the user's own back.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn withdraw_request(&self, id: RequestId) -> Result<(), ApiError> {
        let response = self.ask(Method::DELETE, &format!("/v1/requests/{id}")).await?;
        if response.status().is_success() { Ok(()) } else { Err(self.refusal(response).await) }
    }

    /// Asks for a session and returns the broker's reply and the bytes to and from the agent.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn connect(&self, request: &ConnectRequest) -> Result<(ConnectReply, Link), ApiError> {
        upgrade::connect(self, request).await
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, path: &str, limit: usize) -> Result<T, ApiError> {
        let response = self.ask(Method::GET, path).await?;
        self.read(response, limit).await
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, response: Response, limit: usize) -> Result<T, ApiError> {
        Ok(self.body(response, limit).await?.json()?)
    }

    /// The whole answer, unless it is a refusal.
    async fn body(&self, response: Response, limit: usize) -> Result<Answer, ApiError> {
        if response.status().is_success() {
            Ok(self.http.read(response, limit).await?)
        } else {
            Err(self.refusal(response).await)
        }
    }

    async fn posted<T: serde::de::DeserializeOwned>(&self, path: &str, body: &impl serde::Serialize) -> Result<T, ApiError> {
        let request = || self.http.request(Method::POST, path).json(body);
        let response = self.authorized(request, super::http::ANSWER_TIMEOUT).await?;
        self.read(response, SMALL_BODY).await
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Response, ApiError> {
        self.ask_with(method, path, None::<&()>).await
    }

    async fn ask_with(&self, method: Method, path: &str, body: Option<&impl serde::Serialize>) -> Result<Response, ApiError> {
        let request = || {
            let request = self.http.request(method.clone(), path);
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        };
        self.authorized(request, super::http::ANSWER_TIMEOUT).await
    }

    /// Sends what `request` makes with a token, and with a proof that covers it as it is, body and all; when the broker does not take the
    /// token, once more with a new one. The one place where a token is put on a request.
    async fn authorized(&self, request: impl Fn() -> RequestBuilder, limit: Duration) -> Result<Response, ApiError> {
        let send = async |held: &Held| self.http.send_proved(|| held.on(request(), &self.http), limit).await;
        let held = self.tokens.access(&self.http).await?;
        let response = send(&held).await?;
        if response.status().as_u16() != 401 || self.tokens.is_fixed() {
            return Ok(response);
        }
        let held = self.tokens.renew(&self.http, &held.token).await?;
        Ok(send(&held).await?)
    }

    /// What a refused request's answer says.
    async fn refusal(&self, response: Response) -> ApiError {
        let answer = match self.http.read(response, REFUSAL_BODY).await {
            Ok(answer) => answer,
            Err(error) => return error.into(),
        };
        match answer.json::<ErrorBody>() {
            Ok(body) if body.code == ErrorCode::NotLoggedIn => TokenError::Expired.into(),
            Ok(body) => ApiError::Refused(Box::new(body)),
            Err(error) => error.into(),
        }
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("broker", self.http.url()).field("tokens", &self.tokens).finish_non_exhaustive()
    }
}

/// The most bytes of a list: 100 000 containers of some 600 bytes.
const LIST_BODY: usize = 64 * 1024 * 1024;

/// The most bytes of a list of requests: some thousand of them with long reasons.
const REQUESTS_BODY: usize = 8 * 1024 * 1024;

/// The most bytes of a refusal: fifty candidates with their labels.
const REFUSAL_BODY: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
