//! How an agent reaches the containers that it serves, and what it tells of them.
//!
//! A connector publishes all its containers at once; the uplink works out what has changed since it last spoke to the broker, so that
//! a reconnect and a change are the same thing.

pub mod process;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use crate::agent::environment::Variables;
use crate::agent::passwd::LoginError;
use crate::agent::process::{Process, Size};
use crate::agent::program::{Asked, NoShell};
use crate::agent::sweep::{self, Leader};
use crate::proto::SessionId;
use crate::proto::agent::ContainerReport;
use crate::proto::name::Login;

pub use process::ProcessConnector;

/// What a connector serves, by the runtime's id.
pub(super) type Containers = Arc<BTreeMap<String, ContainerReport>>;

/// One way to reach containers.
#[derive(Debug, Clone)]
pub enum Connector {
    /// The container, or the host, that the agent itself runs in.
    Process(Arc<ProcessConnector>),
}

impl Connector {
    /// Serves the agent's own container.
    pub fn process(connector: ProcessConnector) -> Self {
        Self::Process(Arc::new(connector))
    }

    /// What is served now, and again at each change.
    pub(super) fn containers(&self) -> watch::Receiver<Containers> {
        match self {
            Self::Process(process) => process.containers(),
        }
    }

    /// Starts what `request` asks for in the container that the runtime calls `runtime_id`.
    ///
    /// # Errors
    /// [`StartError`], whose text the user reads.
    pub(super) async fn start(&self, runtime_id: &str, request: &Request<'_>) -> Result<Process, StartError> {
        match self {
            Self::Process(process) => process.start(runtime_id, request),
        }
    }

    /// Ends every process of `session` in the container: hung up at once, killed at three seconds. Returns when none is left, or no
    /// more can be done about it.
    pub(super) async fn sweep(&self, session: SessionId, _runtime_id: &str, leaders: &[Leader]) {
        match self {
            Self::Process(_) => sweep::sweep(session, leaders).await,
        }
    }

    /// Kills every process of `session` now: the agent leaves.
    pub(super) async fn kill(&self, session: SessionId, _runtime_id: &str, leaders: &[Leader]) {
        match self {
            Self::Process(_) => sweep::kill(session, leaders),
        }
    }

    /// What users read when the agent leaves.
    pub(super) fn leaving(&self) -> &'static str {
        match self {
            Self::Process(_) => "the container is stopping",
        }
    }
}

/// What a channel wants started.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The session.
    pub(super) session: SessionId,
    /// Who, as `name@idp`.
    pub(super) user: &'a str,
    /// The Unix user inside.
    pub(super) login: &'a Login,
    /// What the client asked for, or what it is forced to.
    pub(super) asked: &'a Asked,
    /// What the client may and did add to the environment.
    pub(super) variables: Variables,
    /// The terminal, if there shall be one.
    pub(super) terminal: Option<Size>,
    /// The agent's executable.
    pub(super) trampoline: &'a std::path::Path,
}

/// Why nothing was started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// The container is gone.
    #[error("the container has just stopped")]
    Gone,
    /// The login cannot be had.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The container has no shell.
    #[error(transparent)]
    NoShell(#[from] NoShell),
    /// The system refused.
    #[error("the session's process cannot be started: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// The status that a shell would give.
    pub(super) fn status(&self) -> u8 {
        match self {
            Self::NoShell(_) => 127,
            _ => 126,
        }
    }
}
