//! The other end of the administration socket: one request a connection, as the commands of `ztbroker` make them.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Method, Request};
use futures_util::StreamExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::AuditRecord;
use crate::proto::{ErrorBody, Secret};

/// The way to a running broker.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    socket: PathBuf,
}

/// Why the broker did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens at the socket.
    #[error("no broker is running at {}", .0.display())]
    NotRunning(PathBuf),
    /// The socket is another user's.
    #[error("the broker's socket {} is not yours: administration is for the broker's own user and root", .0.display())]
    Forbidden(PathBuf),
    /// The connection broke, or the answer makes no sense.
    #[error("the broker's socket {path}: {why}", path = .path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// No answer in time.
    #[error("the broker at {} does not answer", .0.display())]
    TimedOut(PathBuf),
    /// The broker says no.
    #[error(transparent)]
    Refused(#[from] ErrorBody),
}

impl Client {
    /// The client for the broker whose state is in `state`.
    pub(crate) fn new(state: &Path) -> Self {
        Self { socket: state.join(SOCKET) }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.read(self.whole(Method::GET, path, Body::empty()).await?.expose())
    }

    /// `POST path` with a body, for an answer with one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let answer = self.whole(Method::POST, path, self.json(body)?).await?;
        self.read(answer.expose())
    }

    /// `POST path` with a body, for an answer without.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn tell(&self, path: &str, body: &impl Serialize) -> Result<(), ClientError> {
        self.whole(Method::POST, path, self.json(body)?).await.map(drop)
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.whole(Method::DELETE, path, Body::empty()).await.map(drop)
    }

    /// Hands each record that `path` streams to `each`, until it says no (false) or the broker ends.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) async fn follow(&self, path: &str, mut each: impl FnMut(AuditRecord) -> bool) -> Result<(), ClientError> {
        let mut body = self.within(self.send(Method::GET, path, Body::empty())).await?.into_data_stream();
        let mut pending = Vec::new();
        while let Some(chunk) = body.next().await {
            pending.extend_from_slice(&chunk.map_err(|error| self.broken(error))?);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                if !each(self.read(&line)?) {
                    return Ok(());
                }
            }
            if pending.len() > LINE_LIMIT {
                return Err(self.broken("a line without an end"));
            }
        }
        Ok(())
    }

    /// Hands the bytes that `path` streams to `each`, until it says no (false) or there are no more.
    ///
    /// # Errors
    /// [`ClientError`]; what was handed over until then is not the whole.
    pub(crate) async fn stream(&self, path: &str, mut each: impl FnMut(&[u8]) -> bool) -> Result<(), ClientError> {
        let mut body = self.within(self.send(Method::GET, path, Body::empty())).await?.into_data_stream();
        while let Some(chunk) = body.next().await {
            if !each(&chunk.map_err(|error| self.broken(error))?) {
                break;
            }
        }
        Ok(())
    }

    async fn whole(&self, method: Method, path: &str, body: Body) -> Result<Secret<Vec<u8>>, ClientError> {
        self.within(async {
            let body = self.send(method, path, body).await?;
            let bytes = axum::body::to_bytes(body, ANSWER_LIMIT).await.map_err(|error| self.broken(error))?;
            // The answer may be a token.
            Ok(Secret::new(Vec::from(bytes)))
        })
        .await
    }

    /// Sends one request on a connection of its own; the answer's body, if it is a good one.
    async fn send(&self, method: Method, path: &str, body: Body) -> Result<Body, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning(self.socket.clone()),
            io::ErrorKind::PermissionDenied => ClientError::Forbidden(self.socket.clone()),
            _ => self.broken(error),
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        // It ends when the answer has been read or dropped; its error is the request's too.
        tokio::spawn(connection);
        let request =
            Request::builder().method(method).uri(path).header(HOST, "admin").header(CONTENT_TYPE, "application/json");
        let request = request.body(body).map_err(|error| self.broken(error))?;
        let answer = sender.send_request(request).await.map_err(|error| self.broken(error))?;
        let (status, body) = (answer.status(), Body::new(answer.into_body()));
        if status.is_success() {
            return Ok(body);
        }
        let bytes: Bytes = axum::body::to_bytes(body, REFUSAL_LIMIT).await.map_err(|error| self.broken(error))?;
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(refusal) => Err(refusal.into()),
            // What the broker's framework refuses by itself is plain text.
            Err(_) => Err(self.broken(format!("{status}: {}", String::from_utf8_lossy(&bytes)))),
        }
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(ClientError::TimedOut(self.socket.clone())))
    }

    fn json(&self, body: &impl Serialize) -> Result<Body, ClientError> {
        serde_json::to_vec(body).map(Body::from).map_err(|error| self.broken(error))
    }

    fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes).map_err(|error| self.broken(error))
    }

    fn broken(&self, why: impl ToString) -> ClientError {
        ClientError::Broken { path: self.socket.clone(), why: why.to_string() }
    }
}

/// The socket's name in the state folder.
pub(crate) const SOCKET: &str = "admin.sock";

/// The longest that an answer may take: a password is hashed, a journal of gigabytes is read.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most bytes of an answer: a hundred thousand records.
const ANSWER_LIMIT: usize = 512 * 1024 * 1024;

const REFUSAL_LIMIT: usize = 1024 * 1024;

/// The most bytes of a record: what the journal allows for a line.
const LINE_LIMIT: usize = 256 * 1024;
