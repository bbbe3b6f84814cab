//! How an agent reaches the containers that it serves, and what it tells of them.
//!
//! A connector publishes all its containers at once; the uplink works out what has changed since it last spoke to the broker, so that
//! a reconnect and a change are the same thing.

#[cfg(feature = "docker")]
pub mod docker;
pub mod host;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(super) mod inside;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub(super) mod logs;
pub mod process;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
mod remote;
#[cfg(any(feature = "docker", feature = "kubernetes"))]
pub mod selection;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::agent::environment::Variables;
use crate::agent::passwd::LoginError;
use crate::agent::process::{Output, Process, Size};
use crate::agent::program::{Asked, NoShell};
use crate::agent::sweep::Leader;
use crate::proto::SessionId;
use crate::proto::agent::ContainerReport;
use crate::proto::logs::LogsRequest;
use crate::proto::name::Login;

#[cfg(feature = "docker")]
pub use docker::DockerConnector;
pub use host::HostConnector;
#[cfg(feature = "kubernetes")]
pub use kubernetes::KubernetesConnector;
pub use process::ProcessConnector;

/// What a connector serves, by the runtime's id.
pub(super) type Containers = Arc<BTreeMap<String, ContainerReport>>;

/// One way to reach containers.
#[derive(Debug, Clone)]
pub enum Connector {
    /// The container, or the host, that the agent itself runs in.
    Process(Arc<ProcessConnector>),
    /// The machine that the agent itself runs on.
    Host(Arc<HostConnector>),
    /// Every container of a Docker engine.
    #[cfg(feature = "docker")]
    Docker(DockerConnector),
    /// The pods of a cluster.
    #[cfg(feature = "kubernetes")]
    Kubernetes(KubernetesConnector),
}

impl Connector {
    /// Serves the agent's own container.
    pub fn process(connector: ProcessConnector) -> Self {
        Self::Process(Arc::new(connector))
    }

    /// Serves the machine that the agent itself runs on.
    pub fn host(connector: HostConnector) -> Self {
        Self::Host(Arc::new(connector))
    }

    /// What is served now, and again at each change.
    pub(super) fn containers(&self) -> watch::Receiver<Containers> {
        match self {
            Self::Process(process) => process.containers(),
            Self::Host(host) => host.containers(),
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.containers(),
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => cluster.containers(),
        }
    }

    /// Waits until what is served has been looked up once: before that [`Connector::containers`] is empty, which is not to say that nothing
    /// runs.
    pub(super) async fn looked_up(&self) {
        match self {
            Self::Process(_) | Self::Host(_) => {}
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.looked_up().await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => cluster.looked_up().await,
        }
    }

    /// Starts what `request` asks for in the container that the runtime calls `runtime_id`.
    ///
    /// # Errors
    /// [`StartError`], whose text the user reads.
    pub(super) async fn start(&self, runtime_id: &str, request: &Request<'_>) -> Result<Process, StartError> {
        #[cfg(any(feature = "docker", feature = "kubernetes"))]
        if *request.asked == Asked::Files && !matches!(self, Self::Process(_) | Self::Host(_)) {
            let helper = inside::files::Helper::new();
            let wanted = Request { asked: &helper.asked, variables: request.variables.clone(), terminal: None, ..*request };
            let process = self.run_in(runtime_id, &wanted).await?;
            return helper.serve(process).await;
        }
        self.run_in(runtime_id, request).await
    }

    async fn run_in(&self, runtime_id: &str, request: &Request<'_>) -> Result<Process, StartError> {
        match self {
            Self::Process(process) => process.start(runtime_id, request),
            Self::Host(host) => host.start(runtime_id, request),
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.start(runtime_id, request).await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => cluster.start(runtime_id, request).await,
        }
    }

    /// What the container has written, as a process that writes it.
    ///
    /// # Errors
    /// [`StartError`], whose text the user reads.
    pub(super) async fn logs(&self, runtime_id: &str, request: &LogsRequest) -> Result<Process, StartError> {
        match self {
            Self::Process(_) | Self::Host(_) => {
                let _ = (runtime_id, request);
                Err(StartError::NoLogs)
            }
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.logs(runtime_id, request).await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => cluster.logs(runtime_id, request).await,
        }
    }

    /// A connection to `host` and `port` as the container sees them, or what opens one when it is started there.
    ///
    /// # Errors
    /// What the system says.
    pub(super) async fn dial(&self, runtime_id: &str, host: &str, port: u16) -> io::Result<Dialled> {
        match self {
            Self::Process(_) | Self::Host(_) => {
                let _ = runtime_id;
                Ok(Dialled::Open(TcpStream::connect((host, port)).await?))
            }
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.dial(runtime_id, host, port).await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => Ok(Dialled::By(inside::dial::command(host, port))),
        }
    }

    /// Waits for the word of what [`Dialled::By`] has started.
    ///
    /// # Errors
    /// Why there is no connection.
    pub(super) async fn dialled(&self, output: &mut Output) -> io::Result<()> {
        #[cfg(any(feature = "docker", feature = "kubernetes"))]
        return inside::dial::opened(output).await.map_err(io::Error::other);
        #[cfg(not(any(feature = "docker", feature = "kubernetes")))]
        {
            let _ = output;
            Ok(())
        }
    }

    /// Whether a port can be listened on inside, by the agent itself.
    pub(super) fn can_listen(&self) -> bool {
        matches!(self, Self::Process(_) | Self::Host(_))
    }

    /// Ends every process of `session` in the container: hung up at once, killed at three seconds. Returns when none is left, or no
    /// more can be done about it.
    pub(super) async fn sweep(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        match self {
            Self::Process(process) => process.sweep(session, runtime_id, leaders).await,
            Self::Host(host) => host.sweep(session, leaders).await,
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.sweep(session, runtime_id, leaders).await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => cluster.sweep(session, runtime_id, leaders).await,
        }
    }

    /// Kills every process of `session` now: the agent leaves.
    pub(super) async fn kill(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        match self {
            Self::Process(process) => process.kill(session, runtime_id, leaders),
            Self::Host(host) => host.kill(session, leaders),
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.kill(session, runtime_id, leaders).await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => cluster.kill(session, runtime_id, leaders).await,
        }
    }

    /// What users read when the agent leaves.
    pub(super) fn leaving(&self) -> &'static str {
        match self {
            Self::Process(_) => "the container is stopping",
            Self::Host(_) => "the agent that serves this host is stopping",
            #[cfg(feature = "docker")]
            Self::Docker(_) => "the agent that serves this container is stopping",
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(_) => "the agent that serves this container is stopping",
        }
    }

    /// What the connector has to do while the agent serves.
    pub(super) async fn run(&self) {
        match self {
            Self::Process(_) | Self::Host(_) => std::future::pending().await,
            #[cfg(feature = "docker")]
            Self::Docker(docker) => docker.run().await,
            #[cfg(feature = "kubernetes")]
            Self::Kubernetes(cluster) => cluster.run().await,
        }
    }
}

/// The way to a connection from inside a container.
#[derive(Debug)]
pub(super) enum Dialled {
    /// Here it is.
    Open(TcpStream),
    /// This, started inside, opens it and joins it to its streams.
    #[cfg_attr(
        not(any(feature = "docker", feature = "kubernetes")),
        expect(dead_code, reason = "these reach in by themselves")
    )]
    By(Asked),
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
    /// What runs the container did not do it.
    #[cfg(any(feature = "docker", feature = "kubernetes"))]
    #[error(transparent)]
    Inside(#[from] inside::NotStarted),
    /// The login cannot be had.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The container has no shell.
    #[error(transparent)]
    NoShell(#[from] NoShell),
    /// Nobody was named, and there is nobody to be then.
    #[error("this host has no user to be when none is named: ask for one with --user NAME")]
    NoDefault,
    /// The connector has no logs; the broker knows that and asks for none.
    #[error("nobody here keeps what this container writes")]
    NoLogs,
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
