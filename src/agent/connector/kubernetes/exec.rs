//! A command in a container of a cluster: its streams over whichever protocol the cluster speaks.
//!
//! Clusters since 1.30 speak WebSocket (`v5.channel.k8s.io`); before that only the SPDY of old can end a command's input without ending
//! the command (`v4.channel.k8s.io` over streams). The new one is tried first, and what was found out is remembered.

pub(in crate::agent) mod spdy;
pub(in crate::agent) mod websocket;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http_body_util::BodyExt;
use hyper::header::{CONNECTION, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use serde::Deserialize;
use tokio::io::DuplexStream;
use tokio::sync::{oneshot, watch};
use url::form_urlencoded::Serializer;

use super::ClusterError;
use crate::agent::process::Size;
use crate::agent::reaper::Exit;
use crate::transport::websocket::{derive_accept_key, generate_key};

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) struct Target {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) container: String,
}

/// How commands are run in one cluster.
pub(super) struct Commands {
    client: Client,
    /// Whether the cluster was found to speak the old protocol only.
    old: AtomicBool,
}

/// A command that was started. To drop the status ends the connection; what happens to the command then is the runtime's business.
pub(super) struct Running {
    /// Its input; a shutdown is the input's end.
    pub(super) stdin: DuplexStream,
    /// Its output.
    pub(super) stdout: DuplexStream,
    /// Its error output; nothing comes with a terminal.
    pub(super) stderr: DuplexStream,
    /// How it ended, or why nobody knows.
    pub(super) status: oneshot::Receiver<Result<Exit, String>>,
}

/// The other ends of a command's streams, for whoever speaks the protocol.
pub(in crate::agent) struct Ends {
    pub(in crate::agent) stdin: Option<DuplexStream>,
    pub(in crate::agent) stdout: DuplexStream,
    pub(in crate::agent) stderr: DuplexStream,
    /// The wanted sizes of the terminal, if there is one.
    pub(in crate::agent) sizes: Option<watch::Receiver<Option<Size>>>,
}

/// What a command wants.
pub(super) struct Wanted<'a> {
    pub(super) target: &'a Target,
    pub(super) words: &'a [String],
    /// Whether anything will be written to its input.
    pub(super) stdin: bool,
    /// The wanted sizes of its terminal, if it gets one.
    pub(super) sizes: Option<watch::Receiver<Option<Size>>>,
}

impl Commands {
    pub(super) fn new(client: Client) -> Self {
        Self { client, old: AtomicBool::new(false) }
    }

    /// Starts a command.
    ///
    /// # Errors
    /// [`ClusterError`] before it has started.
    pub(super) async fn start(&self, wanted: Wanted<'_>) -> Result<Running, ClusterError> {
        let path = path(&wanted);
        let (stdin, near_stdin) = tokio::io::duplex(PIPE);
        let (stdout, near_stdout) = tokio::io::duplex(PIPE);
        let (stderr, near_stderr) = tokio::io::duplex(PIPE);
        let ends =
            Ends { stdin: wanted.stdin.then_some(near_stdin), stdout: near_stdout, stderr: near_stderr, sizes: wanted.sizes };
        let (mut tell, status) = oneshot::channel();
        let old = self.old.load(Relaxed);
        let upgraded = if old { None } else { self.websocket(&path).await? };
        if let Some(upgraded) = upgraded {
            tokio::spawn(async move {
                let ended = tokio::select! {
                    ended = websocket::carry(upgraded, ends) => ended,
                    () = tell.closed() => return,
                };
                let _ = tell.send(ended.and_then(read_status));
            });
        } else {
            let upgraded = self.spdy(&path).await?;
            self.old.store(true, Relaxed);
            tokio::spawn(async move {
                let ended = tokio::select! {
                    ended = spdy::carry(upgraded, ends) => ended,
                    () = tell.closed() => return,
                };
                let _ = tell.send(ended.and_then(read_status));
            });
        }
        Ok(Running { stdin, stdout, stderr, status })
    }

    /// The new protocol; nothing where the cluster does not speak it.
    async fn websocket(&self, path: &str) -> Result<Option<Upgraded>, ClusterError> {
        let key = generate_key();
        let request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", &key)
            .header("Sec-WebSocket-Protocol", websocket::PROTOCOL);
        let response = self.send(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            // A server that does not know the protocol says so in no form that can be told; one that refuses the command does.
            return match ClusterError::of(response).await {
                ClusterError::Unreadable(_) => Ok(None),
                error => Err(error),
            };
        }
        if !says(&response, "Sec-WebSocket-Protocol", websocket::PROTOCOL)
            || !says(&response, "Sec-WebSocket-Accept", &derive_accept_key(key.as_bytes()))
        {
            return Err(ClusterError::Unreadable("a WebSocket of another protocol than was asked for".to_owned()));
        }
        upgraded(response).await.map(Some)
    }

    async fn spdy(&self, path: &str) -> Result<Upgraded, ClusterError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "SPDY/3.1")
            .header("X-Stream-Protocol-Version", spdy::PROTOCOL);
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => upgraded(response).await,
            _ => Err(ClusterError::of(response).await),
        }
    }

    async fn send(&self, request: hyper::http::request::Builder) -> Result<Response<Body>, ClusterError> {
        let request = request.body(Body::empty()).map_err(|error| ClusterError::Unreadable(error.to_string()))?;
        self.client.send(request).await.map_err(ClusterError::from)
    }
}

/// The raw stream behind an upgrade.
type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

fn says(response: &Response<Body>, name: &str, value: &str) -> bool {
    response.headers().get(name).is_some_and(|header| header.as_bytes() == value.as_bytes())
}

async fn upgraded(response: Response<Body>) -> Result<Upgraded, ClusterError> {
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| ClusterError::Unreadable(error.to_string()))?;
    Ok(TokioIo::new(upgraded))
}

fn path(wanted: &Wanted<'_>) -> String {
    let Target { namespace, pod, container } = wanted.target;
    let mut query = Serializer::new(format!("/api/v1/namespaces/{namespace}/pods/{pod}/exec?"));
    query.append_pair("container", container).append_pair("stdout", "true");
    if wanted.stdin {
        query.append_pair("stdin", "true");
    }
    // A terminal has one output.
    query.append_pair(if wanted.sizes.is_some() { "tty" } else { "stderr" }, "true");
    for word in wanted.words {
        query.append_pair("command", word);
    }
    query.finish()
}

/// The next size that is wanted; to no end where none is.
async fn next_size(sizes: &mut Option<watch::Receiver<Option<Size>>>) -> Size {
    while let Some(wanted) = sizes {
        match wanted.changed().await {
            Ok(()) => {
                if let Some(size) = *wanted.borrow_and_update() {
                    return size;
                }
            }
            Err(_) => *sizes = None,
        }
    }
    std::future::pending().await
}

/// A size as it is sent.
fn size_json(size: Size) -> String {
    let short = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
    format!(r#"{{"Width":{},"Height":{}}}"#, short(size.columns), short(size.rows))
}

/// The status of a command as the cluster tells it (`metav1.Status`).
pub(in crate::agent) fn read_status(json: Vec<u8>) -> Result<Exit, String> {
    #[derive(Deserialize)]
    struct Status {
        #[serde(default)]
        status: String,
        #[serde(default)]
        reason: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        details: Details,
    }
    #[derive(Default, Deserialize)]
    struct Details {
        #[serde(default)]
        causes: Vec<Cause>,
    }
    #[derive(Deserialize)]
    struct Cause {
        #[serde(default)]
        reason: String,
        #[serde(default)]
        message: String,
    }
    let Ok(status) = serde_json::from_slice::<Status>(&json) else {
        return Err(if json.is_empty() {
            "the cluster broke the connection off".to_owned()
        } else {
            String::from_utf8_lossy(&json).trim().chars().take(SENTENCE).collect()
        });
    };
    if status.status == "Success" {
        return Ok(Exit::Status(0));
    }
    let code = status.details.causes.iter().find(|cause| cause.reason == "ExitCode").map(|cause| cause.message.parse::<u8>());
    match code {
        // One that says it failed has not ended well, whatever else it says.
        Some(Ok(code @ 1..)) if status.reason == "NonZeroExitCode" => Ok(Exit::Status(code)),
        _ => Err(status.message.chars().take(SENTENCE).collect()),
    }
}

/// The body of a response, as far as it is short.
pub(super) async fn short_body(response: Response<Body>) -> Vec<u8> {
    let body = http_body_util::Limited::new(response.into_body(), STATUS);
    body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default()
}

/// What waits for a slow reader of one stream.
const PIPE: usize = 64 * 1024;

/// The most bytes of a status.
const STATUS: usize = 64 * 1024;

/// The most characters of a sentence from a cluster.
pub(super) const SENTENCE: usize = 500;

#[cfg(test)]
mod tests;
