//! The Docker engine behind its socket: bollard for what is asked and answered, a connection of our own for what streams.
//!
//! bollard takes a terminal's output apart as if it were framed, so that bytes below 3 do not come through it, and it gathers a log's
//! line however long it is. So the streams of exec and of logs are read here: [`super::stream`] knows their framing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerInspectResponse, ExecConfig, ExecInspectResponse};
use bollard::query_parameters::{InspectContainerOptions, ResizeExecOptionsBuilder};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::agent::process::Size;

/// A connection to one engine; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    docker: Docker,
    socket: PathBuf,
    host: Arc<str>,
}

/// Why the engine does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    /// It says so: an HTTP status and a sentence.
    #[error("{message}")]
    Refused {
        /// The status.
        status: u16,
        /// The sentence.
        message: String,
    },
    /// It does not answer.
    #[error("the Docker engine at {} does not answer: {why}", socket.display())]
    Away {
        /// Where.
        socket: PathBuf,
        /// What the system, or the client, says.
        why: String,
    },
}

/// An upgraded connection: bytes to and from an exec.
pub(super) type Raw = TokioIo<hyper::upgrade::Upgraded>;

impl Engine {
    /// A client of the engine at `socket`, which speaks the version that the engine speaks.
    ///
    /// # Errors
    /// [`EngineError::Away`].
    pub(super) async fn connect(socket: &Path) -> Result<Self, EngineError> {
        let away = |why: String| EngineError::Away { socket: socket.to_owned(), why };
        let path = socket.to_str().ok_or_else(|| away("its path is no text".to_owned()))?;
        let docker = Docker::connect_with_unix(path, TIMEOUT.as_secs(), bollard::API_DEFAULT_VERSION)
            .map_err(|error| away(error.to_string()))?;
        let docker = docker.negotiate_version().await.map_err(|error| away(error.to_string()))?;
        let host = docker.info().await.ok().and_then(|info| info.name).unwrap_or_default();
        Ok(Self { docker, socket: socket.to_owned(), host: host.into() })
    }

    /// The engine's machine, as it calls itself.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The client, for what is asked and answered.
    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// All that is known about a container; `None` when it is gone.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<ContainerInspectResponse>, EngineError> {
        match self.docker.inspect_container(id, None::<InspectContainerOptions>).await.map_err(|error| self.error(error)) {
            Ok(container) => Ok(Some(container)),
            Err(EngineError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Prepares an exec; its id.
    ///
    /// # Errors
    /// [`EngineError`]; 409 where the container is paused, restarting or stopped.
    pub(super) async fn create_exec(&self, container: &str, config: ExecConfig) -> Result<String, EngineError> {
        Ok(self.docker.create_exec(container, config).await.map_err(|error| self.error(error))?.id)
    }

    /// Starts an exec; its streams, on a terminal as they are, else framed.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(super) async fn start_exec(&self, exec: &str, terminal: bool) -> Result<Raw, EngineError> {
        let body = format!(r#"{{"Detach":false,"Tty":{terminal}}}"#);
        let request = self
            .request(Method::POST, &format!("/exec/{exec}/start"))
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "tcp")
            .header(CONTENT_TYPE, "application/json");
        let response = self.send(request, body).await?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(status, response.into_body()).await);
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| self.away(error))?;
        Ok(TokioIo::new(upgraded))
    }

    /// What is known about an exec.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(super) async fn inspect_exec(&self, exec: &str) -> Result<ExecInspectResponse, EngineError> {
        self.docker.inspect_exec(exec).await.map_err(|error| self.error(error))
    }

    /// Gives an exec's terminal a size.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(super) async fn resize_exec(&self, exec: &str, size: Size) -> Result<(), EngineError> {
        let short = |length: u32| i32::from(u16::try_from(length).unwrap_or(u16::MAX));
        let options = ResizeExecOptionsBuilder::default().h(short(size.rows)).w(short(size.columns)).build();
        self.docker.resize_exec(exec, options).await.map_err(|error| self.error(error))
    }

    /// The body of `GET path`, as it comes.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(super) async fn stream(&self, path: &str) -> Result<Incoming, EngineError> {
        let response = self.send(self.request(Method::GET, path), String::new()).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(refused(status, response.into_body()).await),
        }
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let version = self.docker.client_version();
        let target = format!("/v{}.{}{path}", version.major_version, version.minor_version);
        Request::builder().method(method).uri(target).header(HOST, "docker")
    }

    /// One request on a connection of its own, which lives as long as the response's body or its upgraded streams do.
    async fn send(&self, request: hyper::http::request::Builder, body: String) -> Result<Response<Incoming>, EngineError> {
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| self.away(error))?;
        let answered = async {
            let socket = UnixStream::connect(&self.socket).await.map_err(|error| self.away(error))?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|error| self.away(error))?;
            tokio::spawn(connection.with_upgrades());
            sender.send_request(request).await.map_err(|error| self.away(error))
        };
        match tokio::time::timeout(TIMEOUT, answered).await {
            Ok(answered) => answered,
            Err(_) => Err(self.away(format!("nothing was heard for {} seconds", TIMEOUT.as_secs()))),
        }
    }

    fn away(&self, why: impl std::fmt::Display) -> EngineError {
        EngineError::Away { socket: self.socket.clone(), why: why.to_string() }
    }

    fn error(&self, error: bollard::errors::Error) -> EngineError {
        match error {
            bollard::errors::Error::DockerResponseServerError { status_code, message } => {
                EngineError::Refused { status: status_code, message }
            }
            error => self.away(error),
        }
    }
}

async fn refused(status: StatusCode, body: Incoming) -> EngineError {
    #[derive(serde::Deserialize)]
    struct Body {
        message: String,
    }
    let bytes = Limited::new(body, ERROR_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let message = match serde_json::from_slice::<Body>(&bytes) {
        Ok(body) => body.message,
        Err(_) => format!("the Docker engine answers {status}"),
    };
    EngineError::Refused { status: status.as_u16(), message }
}

impl From<EngineError> for io::Error {
    fn from(error: EngineError) -> Self {
        Self::other(error)
    }
}

/// How long the engine may take to answer: one under load takes seconds to start an exec.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of a refusal.
const ERROR_BODY: usize = 64 * 1024;
