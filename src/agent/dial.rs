//! The way to the broker: TCP or a proxy's tunnel, TLS, and an HTTP upgrade to a byte stream.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::{Request, StatusCode};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::proto::agent::Kind;
use crate::proto::version::{AGENT_UPGRADE, WEBSOCKET_PROTOCOL};
use crate::proto::{ErrorBody, ErrorCode};
use crate::transport::tls::{Roots, RootsError};
use crate::transport::websocket::{self, WebSocketBytes};

/// Bytes both ways.
pub(super) trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}

/// An upgraded connection, whatever it runs on.
pub(super) type Link = Box<dyn Bytestream>;

/// Which proxy leads to the broker, if any.
#[derive(Clone, Default)]
pub struct ProxySettings(Option<Arc<Matcher>>);

impl ProxySettings {
    /// No proxy.
    pub fn none() -> Self {
        Self(None)
    }

    /// What `HTTPS_PROXY` (or `ALL_PROXY`) and `NO_PROXY` say.
    pub fn new(https: &str, no: &str) -> Self {
        Self((!https.is_empty()).then(|| Arc::new(Matcher::builder().https(https).no(no).build())))
    }
}

impl std::fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the matcher: a proxy's password is in it.
        f.write_str(if self.0.is_some() { "ProxySettings(…)" } else { "ProxySettings(none)" })
    }
}

/// Why there is no connection to the broker.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The URL is not one that an agent may use.
    #[error("{0} is no address of a broker: https://HOST is expected, or http:// to this machine itself")]
    Url(String),
    /// The roots are of no use.
    #[error("the broker's TLS root cannot be used: {0}")]
    Roots(#[from] RootsError),
    /// No TCP connection, or it broke.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// The host and port.
        to: String,
        /// What the system says.
        source: io::Error,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} does not connect to the broker: {why}")]
    Proxy {
        /// Its address.
        proxy: String,
        /// What it says.
        why: String,
    },
    /// TLS failed: most often a root that is not trusted here.
    #[error("the broker's TLS certificate is not accepted: {0}")]
    Tls(io::Error),
    /// HTTP failed.
    #[error("the broker's answer is not understood: {0}")]
    Http(#[from] hyper::Error),
    /// Neither upgrade is possible, or something that is no broker answers.
    #[error("the broker's address answers {0}, but not as a broker does")]
    Status(StatusCode),
    /// The broker refuses.
    #[error("the broker refuses: {0}")]
    Refused(ErrorBody),
    /// All of it took too long.
    #[error("no answer from the broker within {0:?}")]
    Timeout(Duration),
}

/// Opens connections to one broker.
pub(super) struct Dialer {
    broker: Url,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    proxy: ProxySettings,
    /// Whether something on the way passes WebSocket only.
    websocket: AtomicBool,
}

impl Dialer {
    /// A dialer of `broker`.
    pub(super) fn new(broker: Url, roots: &Roots, proxy: ProxySettings) -> Result<Self, DialError> {
        let refused = || DialError::Url(broker.to_string());
        let host = broker.host().ok_or_else(refused)?.to_owned();
        let port = broker.port_or_known_default().ok_or_else(refused)?;
        let loopback = match &host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let bare = match &host {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        let tls = match broker.scheme() {
            "https" => {
                let name = ServerName::try_from(bare.clone()).map_err(|_| refused())?;
                Some((TlsConnector::from(Arc::new(roots.client_config()?)), name))
            }
            "http" if loopback => None,
            _ => return Err(refused()),
        };
        Ok(Self { host: bare, port, tls, proxy, websocket: AtomicBool::new(false), broker })
    }

    /// A new connection of `kind`, its HTTP upgrade done.
    pub(super) async fn open(&self, kind: Kind) -> Result<Link, DialError> {
        let opened = tokio::time::timeout(DIAL_TIMEOUT, async {
            let websocket = self.websocket.load(Ordering::Relaxed);
            match self.open_as(kind, websocket).await {
                Err(error) if !websocket && error.may_be_a_stripped_upgrade() => {
                    let link = self.open_as(kind, true).await?;
                    self.websocket.store(true, Ordering::Relaxed);
                    Ok(link)
                }
                result => result,
            }
        });
        opened.await.unwrap_or(Err(DialError::Timeout(DIAL_TIMEOUT)))
    }

    async fn open_as(&self, kind: Kind, as_websocket: bool) -> Result<Link, DialError> {
        let tcp = self.tcp().await?;
        match &self.tls {
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), tcp).await.map_err(DialError::Tls)?;
                self.upgrade(stream, kind, as_websocket).await
            }
            None => self.upgrade(tcp, kind, as_websocket).await,
        }
    }

    async fn tcp(&self) -> Result<TcpStream, DialError> {
        let intercept = match &self.proxy.0 {
            Some(matcher) if self.tls.is_some() => self.broker.as_str().parse().ok().and_then(|uri| matcher.intercept(&uri)),
            _ => None,
        };
        let Some(intercept) = intercept else { return connect(&self.host, self.port).await };
        let uri = intercept.uri();
        let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
        let failed = |why: String| DialError::Proxy { proxy: format!("{host}:{port}"), why };
        if uri.scheme_str().is_some_and(|scheme| scheme != "http") {
            return Err(failed("only http:// proxies are supported".to_owned()));
        }
        let mut stream = connect(host, port).await?;
        let target = if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        };
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(credentials) = intercept.basic_auth().and_then(|value| value.to_str().ok()) {
            request.push_str(&format!("Proxy-Authorization: {credentials}\r\n"));
        }
        request.push_str("\r\n");
        tunnel(&mut stream, request.as_bytes()).await.map_err(failed)?;
        Ok(stream)
    }

    async fn upgrade<S>(&self, stream: S, kind: Kind, as_websocket: bool) -> Result<Link, DialError>
    where
        S: Bytestream + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection.with_upgrades());
        let authority = &self.broker[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::get(kind.path()).header(HOST, authority).header(CONNECTION, "Upgrade");
        request = if as_websocket {
            request
                .header(UPGRADE, "websocket")
                .header("Sec-WebSocket-Key", websocket::generate_key())
                .header("Sec-WebSocket-Version", "13")
                .header("Sec-WebSocket-Protocol", WEBSOCKET_PROTOCOL)
        } else {
            request.header(UPGRADE, AGENT_UPGRADE)
        };
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| DialError::Url(self.broker.to_string()))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let body = Limited::new(response.into_body(), ERROR_BODY).collect().await.map(|body| body.to_bytes());
            return Err(match body.ok().and_then(|body| serde_json::from_slice::<ErrorBody>(&body).ok()) {
                Some(body) => DialError::Refused(body),
                None => DialError::Status(status),
            });
        }
        let upgraded = TokioIo::new(hyper::upgrade::on(response).await?);
        Ok(if as_websocket { Box::new(WebSocketBytes::client(upgraded).await) } else { Box::new(upgraded) })
    }
}

impl DialError {
    /// A broker that sees no upgrade says so; something in between that does not like ours may say anything.
    fn may_be_a_stripped_upgrade(&self) -> bool {
        match self {
            Self::Refused(body) => body.code == ErrorCode::UpgradeRequired,
            Self::Status(_) | Self::Http(_) => true,
            _ => false,
        }
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let failed = |source| DialError::Connect { to: format!("{host}:{port}"), source };
    let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

/// Asks a proxy for a tunnel. Reads byte by byte, as what follows the answer's head belongs to TLS.
async fn tunnel<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &[u8]) -> Result<(), String> {
    stream.write_all(request).await.map_err(|error| error.to_string())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= PROXY_HEAD {
            return Err("its answer is too long".to_owned());
        }
        head.push(stream.read_u8().await.map_err(|error| error.to_string())?);
    }
    let status = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = status.split(|byte| *byte == b' ');
    let is_http = words.next().is_some_and(|version| version.starts_with(b"HTTP/1."));
    if is_http && words.next().is_some_and(|code| code.len() == 3 && code.starts_with(b"2")) {
        return Ok(());
    }
    Err(String::from_utf8_lossy(status).escape_default().take(128).collect())
}

/// From nothing to an upgraded connection, both attempts together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// The most bytes of a refusal's body.
const ERROR_BODY: usize = 64 * 1024;

/// The most bytes of a proxy's answer.
const PROXY_HEAD: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn dialer(url: &str) -> Result<Dialer, DialError> {
        let roots = Roots::Fingerprint(format!("sha256:{}", "0".repeat(64)).parse().unwrap());
        Dialer::new(url.parse().unwrap(), &roots, ProxySettings::none())
    }

    #[test]
    fn only_https_and_this_machine_are_brokers() {
        for url in
            ["https://broker.example.com", "https://[::1]:8443", "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80"]
        {
            assert!(dialer(url).is_ok(), "{url}");
        }
        for url in [
            "http://broker.example.com",
            "http://10.0.0.1",
            "ftp://localhost",
            "file:///etc/passwd",
            "http://localhost.example.com",
        ] {
            assert!(matches!(dialer(url), Err(DialError::Url(_))), "{url}");
        }
    }

    async fn proxy_says(answer: &'static [u8]) -> Result<(), String> {
        let (mut near, mut far) = tokio::io::duplex(8);
        let proxy = tokio::spawn(async move {
            let mut request = [0; 11];
            far.read_exact(&mut request).await.unwrap();
            let _ = far.write_all(answer).await;
        });
        let result = tunnel(&mut near, b"CONNECT ...").await;
        drop(near);
        proxy.await.unwrap();
        result
    }

    #[tokio::test]
    async fn a_proxy_lets_through_or_says_why_not() {
        assert_eq!(proxy_says(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nTLS").await, Ok(()));
        assert_eq!(proxy_says(b"HTTP/1.1 407 Who are you\r\n\r\n").await, Err("HTTP/1.1 407 Who are you".into()));
        assert!(proxy_says(b"SSH-2.0-x 200 y\r\n\r\n").await.is_err());
        assert!(proxy_says(b"HTTP/1.1 200").await.is_err());
        assert_eq!(proxy_says(&[b'x'; PROXY_HEAD + 8]).await, Err("its answer is too long".into()));
    }
}
