//! HTTP towards one broker: where it is, whom to believe, through which proxy; every wait and every body bounded.
//!
//! Redirects are never followed: no broker of ours sends one, and a token must not travel to where somebody points.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{DATE, HeaderMap};
use reqwest::{Client, Method, NoProxy, Proxy, RequestBuilder, Response, redirect};
use serde::Deserialize;

pub(super) mod date;
mod error;
#[cfg(test)]
pub(crate) mod fake;
mod traced;
mod url;

pub use error::{HttpError, TlsProblem, Unreachable};
pub use url::{BrokerUrl, InvalidUrl};

use super::trace::Trace;
use crate::clock::Clock;
use crate::proto::api::CA_HEADER;
use crate::proto::dpop::NONCE_HEADER;
use crate::transport::tls::{Roots, provider};

/// Where a broker is and how to get there.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its address.
    pub url: BrokerUrl,
    /// Who vouches for its TLS certificate.
    pub trust: Trust,
    /// The way out.
    pub proxy: ProxySettings,
}

/// Who vouches for the broker's TLS certificate.
#[derive(Debug, Clone)]
pub enum Trust {
    /// What the machine trusts.
    System,
    /// A private root.
    Roots(Roots),
}

/// The proxy, as the environment names it.
#[derive(Debug, Clone, Default)]
pub struct ProxySettings {
    /// For https.
    pub https: Option<String>,
    /// Hosts that are reached without it, in the usual comma-separated form.
    pub except: Option<String>,
}

/// A client of one broker. Cheap to clone: clones share connections.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    url: BrokerUrl,
    clock: Clock,
    trace: Trace,
    /// The broker's clock minus ours, in seconds, by the last answer; [`UNKNOWN`] before one.
    ahead: Arc<AtomicI64>,
    /// The number of the broker's last statement about its authorities, by the answers so far.
    newest_ca: Arc<AtomicU64>,
    /// What proofs must carry because the broker cannot judge our clock's time.
    nonce: Arc<Mutex<Option<String>>>,
}

impl Http {
    /// A client for `server`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`HttpError::Setup`] when the roots or the proxy cannot be used.
    pub fn new(server: &Server, clock: Clock) -> Result<Self, HttpError> {
        Self::traced(server, clock, Trace::off())
    }

    /// The same, and `trace` is told what happens.
    ///
    /// # Errors
    /// As [`Http::new`].
    pub fn traced(server: &Server, clock: Clock, trace: Trace) -> Result<Self, HttpError> {
        let setup = |error: &dyn std::fmt::Display| HttpError::Setup(error.to_string());
        let tls = match &server.trust {
            // Without TLS nobody vouches; reading the machine's roots would only take time.
            _ if !server.url.is_https() => nobody()?,
            Trust::System => system_roots()?.client_config().map_err(|error| setup(&error))?,
            Trust::Roots(roots) => roots.client_config().map_err(|error| setup(&error))?,
        };
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("ztctl/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = server.proxy.https.as_deref().filter(|proxy| !proxy.is_empty() && server.url.is_https()) {
            let proxy =
                Proxy::https(proxy).map_err(|_| HttpError::Setup("HTTPS_PROXY is not the URL of a proxy".to_owned()))?;
            builder = builder.proxy(proxy.no_proxy(server.proxy.except.as_deref().and_then(NoProxy::from_string)));
        }
        if trace.is_on() {
            builder = builder.connector_layer(traced::Connecting(trace.clone()));
        }
        let client = builder.build().map_err(|error| setup(&error))?;
        Ok(Self {
            client,
            url: server.url.clone(),
            clock,
            trace,
            ahead: Arc::new(AtomicI64::new(UNKNOWN)),
            newest_ca: Arc::default(),
            nonce: Arc::default(),
        })
    }

    /// The broker's address.
    pub fn url(&self) -> &BrokerUrl {
        &self.url
    }

    /// The clock that requests are judged by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Who is told what happens.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// How many seconds the broker's clock is ahead of ours (negative: behind), if it has answered.
    pub fn broker_ahead(&self) -> Option<i64> {
        Some(self.ahead.load(Ordering::Relaxed)).filter(|seconds| *seconds != UNKNOWN)
    }

    /// The number of the broker's last statement about its authorities, if it has told of one; only a hint to ask for it.
    pub(crate) fn newest_ca(&self) -> u64 {
        self.newest_ca.load(Ordering::Relaxed)
    }

    /// What the broker wants to see in proofs, if it has said so.
    pub(crate) fn nonce(&self) -> Option<String> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends what `request` makes, and once more with a new proof where the broker asks for one with its nonce: our clock is off.
    pub(crate) async fn send_proved(
        &self,
        request: impl Fn() -> Result<RequestBuilder, HttpError>,
        limit: Duration,
    ) -> Result<Response, HttpError> {
        let response = self.send(request()?, limit).await?;
        let again = matches!(response.status().as_u16(), 400 | 401) && response.headers().contains_key(NONCE_HEADER);
        if again { self.send(request()?, limit).await } else { Ok(response) }
    }

    /// A request to `path`, which begins with a slash.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url.at(path))
    }

    /// Sends and waits for the head of the answer.
    pub(crate) async fn send(&self, request: RequestBuilder, limit: Duration) -> Result<Response, HttpError> {
        let (client, request) = request.build_split();
        let request = request.map_err(|error| HttpError::classify(&error))?;
        traced::request(&self.trace, &request);
        let answer = tokio::time::timeout(limit, client.execute(request)).await;
        let response = match answer {
            Ok(response) => response.map_err(|error| HttpError::classify(&error))?,
            Err(_) => return Err(HttpError::Unreachable(Unreachable::Timeout)),
        };
        traced::response(&self.trace, response.status(), response.headers());
        self.note_time(response.headers());
        self.note_ca(response.headers());
        self.note_nonce(response.headers());
        Ok(response)
    }

    /// Sends and reads the whole answer, at most `limit` bytes of it.
    pub(crate) async fn fetch(&self, request: RequestBuilder, limit: usize) -> Result<Answer, HttpError> {
        let response = self.send(request, ANSWER_TIMEOUT).await?;
        self.read(response, limit).await
    }

    /// Reads the body of `response`, at most `limit` bytes.
    pub(crate) async fn read(&self, mut response: Response, limit: usize) -> Result<Answer, HttpError> {
        let status = response.status().as_u16();
        let said = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut body = Vec::with_capacity(said.min(limit));
        let reading = async {
            while let Some(chunk) = response.chunk().await.map_err(|error| HttpError::classify(&error))? {
                if body.len() + chunk.len() > limit {
                    return Err(HttpError::TooLong { limit });
                }
                body.extend_from_slice(&chunk);
            }
            Ok(())
        };
        tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| HttpError::Unreachable(Unreachable::Timeout))??;
        Ok(Answer { status, body })
    }

    fn note_ca(&self, headers: &HeaderMap) {
        let newest = headers.get(CA_HEADER).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
        self.newest_ca.fetch_max(newest.unwrap_or(0), Ordering::Relaxed);
    }

    fn note_nonce(&self, headers: &HeaderMap) {
        let nonce = headers.get(NONCE_HEADER).and_then(|value| value.to_str().ok());
        if let Some(nonce) = nonce.filter(|nonce| nonce.len() <= NONCE_LIMIT) {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
        }
    }

    fn note_time(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(date::parse);
        if let Some(theirs) = date.and_then(|date| i64::try_from(date).ok()) {
            let ours = i64::try_from(self.clock.now()).unwrap_or(i64::MAX);
            self.ahead.store(theirs.saturating_sub(ours), Ordering::Relaxed);
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, from which texts may be borrowed.
    pub(crate) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, HttpError> {
        let unexpected = || HttpError::Unexpected { status: self.status };
        // Looked through as text once, and not each string of thousands by itself.
        let text = std::str::from_utf8(&self.body).map_err(|_| unexpected())?;
        serde_json::from_str(text).map_err(|_| unexpected())
    }

    /// Whether the status is 2xx.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The roots that the machine trusts.
fn system_roots() -> Result<Roots, HttpError> {
    let verifier = rustls_platform_verifier::Verifier::new(provider())
        .map_err(|error| HttpError::Setup(format!("the machine's TLS roots cannot be read: {error}")))?;
    Ok(Roots::Verifier(Arc::new(verifier)))
}

/// A TLS client that believes nobody, for brokers that are reached without TLS.
fn nobody() -> Result<rustls::ClientConfig, HttpError> {
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Setup(error.to_string()))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}

/// No answer has told the time yet.
const UNKNOWN: i64 = i64::MIN;

/// The most characters of a nonce; the broker's has 32.
const NONCE_LIMIT: usize = 256;

/// For TCP and TLS: four round trips around the earth, with a lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// For the head of an answer, the connection included.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// For a whole body: the longest list (64 MiB) over a slow line.
const BODY_TIMEOUT: Duration = Duration::from_secs(120);

/// The most bytes of an answer that is no list.
pub(crate) const SMALL_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::fake::{FakeBroker, Reply, json};
    use super::*;

    #[tokio::test]
    async fn the_brokers_clock_is_read_from_its_answers() {
        let broker =
            FakeBroker::start(|_| Reply::Answer(200, "Date: Thu, 01 Jan 1970 00:20:00 GMT\r\n".to_owned(), "{}".to_owned()))
                .await;
        let http = broker.client(900);
        assert_eq!(http.broker_ahead(), None);
        http.fetch(http.request(Method::GET, "/v1/ca"), 10).await.unwrap();
        assert_eq!(http.broker_ahead(), Some(300));
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let broker = FakeBroker::start(|_| Reply::Answer(302, "Location: /elsewhere\r\n".to_owned(), String::new())).await;
        let http = broker.client(0);
        assert_eq!(http.fetch(http.request(Method::GET, "/v1/ca"), 10).await.unwrap().status, 302);
        assert_eq!(broker.seen().len(), 1);
    }

    #[tokio::test]
    async fn what_is_too_long_is_not_read() {
        let broker = FakeBroker::start(|_| json("x".repeat(100_000))).await;
        let http = broker.client(0);
        let result = http.fetch(http.request(Method::GET, "/v1/ca"), 1000).await;
        assert!(matches!(result, Err(HttpError::TooLong { limit: 1000 })));
    }

    #[tokio::test]
    async fn a_broker_that_is_down_and_one_that_cuts_are_told_apart() {
        // Who holds a port and does not listen refuses everybody.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let free = socket.local_addr().unwrap();
        let server =
            Server { url: format!("http://{free}").parse().unwrap(), trust: Trust::System, proxy: ProxySettings::default() };
        let http = Http::new(&server, Clock::system()).unwrap();
        let result = http.fetch(http.request(Method::GET, "/v1/ca"), 10).await;
        assert!(matches!(result, Err(HttpError::Unreachable(Unreachable::Refused))), "{result:?}");
        let broker = FakeBroker::start(|_| Reply::Cut).await;
        let http = broker.client(0);
        let result = http.fetch(http.request(Method::GET, "/v1/ca"), 10).await;
        assert!(matches!(result, Err(HttpError::Unreachable(Unreachable::Cut))), "{result:?}");
    }
}
