//! The connect: one request that becomes a byte stream, by the raw upgrade or, where proxies pass only that, by WebSocket.
//!
//! The raw one is tried first. When it comes back without an upgrade and without a refusal of the broker's own, the other is
//! tried, and what worked is remembered for the next time.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{
    CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Method, Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Api, ApiError, Link};
use crate::client::http::{HttpError, Unreachable};
use crate::proto::ErrorCode;
use crate::proto::api::{CONNECT_HEADER, CONNECT_LIMIT, ConnectReply, ConnectRequest, REPLY_LIMIT};
use crate::proto::frame::FrameReader;
use crate::proto::version::{CONNECT_UPGRADE, WEBSOCKET_PROTOCOL};
use crate::transport::websocket::{WebSocketBytes, derive_accept_key, generate_key};

/// The two ways to turn a request into a byte stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Upgrade {
    /// Bytes as they are.
    #[default]
    Raw,
    /// Bytes in WebSocket messages: a third slower, and passed by more proxies.
    WebSocket,
}

/// Which upgrade to try first, and whom to tell when the other one worked.
pub(super) struct Preference {
    first: Mutex<Upgrade>,
    remember: Box<dyn Fn(Upgrade) + Send + Sync>,
}

impl Preference {
    pub(super) fn new(last: Upgrade, remember: Box<dyn Fn(Upgrade) + Send + Sync>) -> Self {
        Self { first: Mutex::new(last), remember }
    }

    fn first(&self) -> Upgrade {
        *self.first.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn worked(&self, upgrade: Upgrade) {
        let before = std::mem::replace(&mut *self.first.lock().unwrap_or_else(std::sync::PoisonError::into_inner), upgrade);
        if before != upgrade {
            (self.remember)(upgrade);
        }
    }
}

impl Default for Preference {
    fn default() -> Self {
        Self::new(Upgrade::default(), Box::new(|_| ()))
    }
}

impl Upgrade {
    fn other(self) -> Self {
        match self {
            Self::Raw => Self::WebSocket,
            Self::WebSocket => Self::Raw,
        }
    }
}

pub(super) async fn connect(api: &Api, request: &ConnectRequest) -> Result<(ConnectReply, Link), ApiError> {
    let header = encode(request)?;
    let first = api.upgrade.first();
    let refused = match attempt(api, &header, first).await? {
        Attempt::Upgraded(link) => return open(request, link).await,
        Attempt::NotUpgraded(refused) => refused,
    };
    match attempt(api, &header, first.other()).await {
        Ok(Attempt::Upgraded(link)) => {
            // A cut may be a broker that restarted: that says nothing about the next time.
            if !matches!(refused, ApiError::Http(HttpError::Unreachable(_))) {
                api.upgrade.worked(first.other());
            }
            open(request, link).await
        }
        // The second answer is the better one when it is the broker's own.
        Err(error @ (ApiError::Refused(_) | ApiError::Token(_))) => Err(error),
        _ => Err(refused),
    }
}

enum Attempt {
    Upgraded(Link),
    /// Something on the way did not pass the upgrade on; the error is for when the other way fails too.
    NotUpgraded(ApiError),
}

async fn attempt(api: &Api, header: &str, upgrade: Upgrade) -> Result<Attempt, ApiError> {
    let key = generate_key();
    let request = || {
        let request = api.http.request(Method::GET, "/v1/connect").header(CONNECT_HEADER, header).header(CONNECTION, "Upgrade");
        match upgrade {
            Upgrade::Raw => request.header(UPGRADE, CONNECT_UPGRADE),
            Upgrade::WebSocket => request
                .header(UPGRADE, "websocket")
                .header(SEC_WEBSOCKET_KEY, &key)
                .header(SEC_WEBSOCKET_VERSION, "13")
                .header(SEC_WEBSOCKET_PROTOCOL, WEBSOCKET_PROTOCOL),
        }
    };
    let response = match api.authorized(request, CONNECT_WAIT).await {
        // A proxy that does not understand the upgrade may cut the connection instead of answering.
        Err(error @ ApiError::Http(HttpError::Unreachable(Unreachable::Cut))) => return Ok(Attempt::NotUpgraded(error)),
        response => response?,
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return match api.refusal(response).await {
            ApiError::Refused(body) if body.code == ErrorCode::UpgradeRequired => {
                Ok(Attempt::NotUpgraded(ApiError::Refused(body)))
            }
            // Not a broker's answer: a proxy's.
            error @ ApiError::Http(HttpError::Unexpected { .. }) => Ok(Attempt::NotUpgraded(error)),
            error => Err(error),
        };
    }
    match upgraded(response, upgrade, &key).await {
        Some(link) => Ok(Attempt::Upgraded(link)),
        None => Ok(Attempt::NotUpgraded(HttpError::Unexpected { status: 101 }.into())),
    }
}

/// The stream behind a 101 that is the answer to our upgrade.
async fn upgraded(response: Response, upgrade: Upgrade, key: &str) -> Option<Link> {
    let says = |headers: &HeaderMap, name, wanted: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    };
    let headers = response.headers();
    match upgrade {
        Upgrade::Raw if says(headers, UPGRADE, CONNECT_UPGRADE) => Some(Box::new(response.upgrade().await.ok()?)),
        Upgrade::WebSocket => {
            let accept = headers.get(SEC_WEBSOCKET_ACCEPT)?.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes();
            if !accept || !says(headers, SEC_WEBSOCKET_PROTOCOL, WEBSOCKET_PROTOCOL) {
                return None;
            }
            Some(Box::new(WebSocketBytes::client(response.upgrade().await.ok()?).await))
        }
        Upgrade::Raw => None,
    }
}

/// Reads the frame that opens the link.
async fn open(request: &ConnectRequest, link: Link) -> Result<(ConnectReply, Link), ApiError> {
    let mut frames = FrameReader::new(link, REPLY_LIMIT);
    let reply: ConnectReply = frames.next_within(REPLY_WAIT).await?;
    if request.link.contains(&reply.link) { Ok((reply, frames.into_inner())) } else { Err(ApiError::Link(reply.link)) }
}

fn encode(request: &ConnectRequest) -> Result<String, ApiError> {
    // A struct of texts always serialises; an empty header is refused by the broker.
    let json = serde_json::to_vec(request).unwrap_or_default();
    if json.len() > CONNECT_LIMIT {
        return Err(ApiError::TooLong { length: json.len(), limit: CONNECT_LIMIT });
    }
    Ok(URL_SAFE_NO_PAD.encode(json))
}

/// For the answer to a connect: the connection, and the five seconds that the broker waits for a busy agent.
const CONNECT_WAIT: Duration = Duration::from_secs(25);

/// For the frame after the upgrade, which the broker sends at once.
const REPLY_WAIT: Duration = Duration::from_secs(10);
