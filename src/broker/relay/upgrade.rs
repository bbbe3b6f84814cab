//! From an HTTP/1.1 request to a byte stream: our own upgrade, or WebSocket for proxies that pass nothing else.
//!
//! What was asked for is decided before anything else is done with the request; where neither form arrived, the answer is 426.

use axum::body::Body;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::proto::version::WEBSOCKET_PROTOCOL;
use crate::proto::{ErrorBody, ErrorCode};
use crate::transport::websocket::{WebSocketBytes, derive_accept_key};

/// A byte stream to a client or an agent.
pub type Link = Box<dyn Stream>;

/// What a [`Link`] is made of.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl std::fmt::Debug for dyn Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

/// The upgrade that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Raw bytes after the 101, under this `Upgrade` token.
    Raw(&'static str),
    /// WebSocket, with the key's answer.
    WebSocket {
        /// `Sec-WebSocket-Accept`.
        accept: String,
    },
}

/// The connection did not become a byte stream.
#[derive(Debug, thiserror::Error)]
#[error("the connection could not be upgraded: {0}")]
pub struct NotUpgraded(#[from] hyper::Error);

impl Wanted {
    /// What `headers` ask for, where the raw form is called `token`.
    ///
    /// # Errors
    /// [`ErrorCode::UpgradeRequired`] where neither form is asked for whole.
    pub fn from_headers(headers: &HeaderMap, token: &'static str) -> Result<Self, ErrorBody> {
        let required = |message: &str| ErrorBody::new(ErrorCode::UpgradeRequired, message);
        if !lists(headers, &CONNECTION, "upgrade") {
            return Err(required("this needs an upgraded connection, and a proxy may have removed the request for it"));
        }
        if lists(headers, &UPGRADE, token) {
            return Ok(Self::Raw(token));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == WEBSOCKET_KEY);
        match key {
            Some(key)
                if lists(headers, &UPGRADE, "websocket")
                    && lists(headers, &SEC_WEBSOCKET_VERSION, "13")
                    && lists(headers, &SEC_WEBSOCKET_PROTOCOL, WEBSOCKET_PROTOCOL) =>
            {
                Ok(Self::WebSocket { accept: derive_accept_key(key.as_bytes()) })
            }
            _ => Err(required("this needs an upgrade to our protocol, or to WebSocket with its sub-protocol")),
        }
    }

    /// The 101 that grants it.
    pub fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        match self {
            Self::Raw(token) => {
                headers.insert(UPGRADE, HeaderValue::from_static(token));
            }
            Self::WebSocket { accept } => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(WEBSOCKET_PROTOCOL));
                // Base64 is always a header value.
                if let Ok(accept) = HeaderValue::from_str(accept) {
                    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
                }
            }
        }
        response
    }

    /// The byte stream, once the 101 is out.
    ///
    /// # Errors
    /// When the other side left before that.
    pub async fn stream(self, upgrade: OnUpgrade) -> Result<Link, NotUpgraded> {
        let io = bare(upgrade.await?);
        Ok(match self {
            Self::Raw(_) => io,
            Self::WebSocket { .. } => Box::new(WebSocketBytes::server(io).await),
        })
    }
}

/// The socket itself where hyper gives it back: each layer less is a copy of the state machine less for every packet.
fn bare(upgraded: Upgraded) -> Link {
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => return with_rest(parts.io.into_inner(), parts.read_buf),
        Err(upgraded) => upgraded,
    };
    match upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>() {
        Ok(parts) => with_rest(parts.io.into_inner(), parts.read_buf),
        Err(upgraded) => Box::new(TokioIo::new(upgraded)),
    }
}

/// `io` with what hyper has read too far put back in front.
fn with_rest(io: impl Stream + 'static, rest: bytes::Bytes) -> Link {
    if rest.is_empty() {
        return Box::new(io);
    }
    let (read, write) = tokio::io::split(io);
    Box::new(tokio::io::join(std::io::Cursor::new(rest).chain(read), write))
}

/// Whether one of the header's comma-separated words is `wanted`, whatever its case.
fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(wanted))
}

/// 16 bytes in base64.
const WEBSOCKET_KEY: usize = 24;
