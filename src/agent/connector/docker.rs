//! Every container of the Docker engine beside the agent: nothing is added to any of them.
//!
//! | module | owns |
//! | --- | --- |
//! | `args` | its words |
//! | `engine`, `stream` | the engine's API, and the framing of its streams |
//! | `watch`, `report` | which containers there are, by the engine's events |
//! | `session`, `outputs` | a session's process: an exec |
//! | `dial` | a connection from inside |
//! | `sweep`, `processes` | the end of what a session leaves |
//! | `logs` | what a container has written |

pub(in crate::agent) mod args;
mod dial;
mod engine;
mod logs;
mod outputs;
mod processes;
pub(in crate::agent) mod report;
mod session;
pub(in crate::agent) mod stream;
mod sweep;
mod watch;

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bollard::query_parameters::ListContainersOptions;
use tokio::sync::watch as channel;

use self::args::DockerArgs;
use self::engine::Engine;
use self::report::Surroundings;
use self::watch::Watch;
use super::inside::Shells;
use super::selection::Selection;
use super::{Connector, Containers};
use crate::agent::own_container::own_container;
use crate::agent::serve;
use crate::log::LogLevel;

/// `ztagent docker`.
pub(in crate::agent) fn run(args: DockerArgs, log_level: LogLevel) -> ExitCode {
    let DockerArgs { join, socket, selection } = args;
    serve::run(
        log_level,
        || serve::settings(&join),
        async move |_| {
            let settings = DockerSettings { socket, selection: selection.into() };
            Ok::<_, Infallible>(Connector::Docker(DockerConnector::new(settings)))
        },
    )
}

/// How many containers run in the engine at `socket`.
///
/// # Errors
/// Why it does not say.
pub async fn running(socket: &Path) -> Result<usize, String> {
    let engine = Engine::connect(socket).await.map_err(|error| error.to_string())?;
    let running = engine.docker().list_containers(None::<ListContainersOptions>).await;
    running.map(|list| list.len()).map_err(|error| error.to_string())
}

/// Serves the containers of one engine; clones are one connector.
#[derive(Debug, Clone)]
pub struct DockerConnector(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    watch: Watch,
    shells: Shells,
}

/// How an engine is reached, and what of it is served.
#[derive(Debug, Clone)]
pub struct DockerSettings {
    /// Its socket.
    pub socket: PathBuf,
    /// What is served.
    pub selection: Selection,
}

impl DockerConnector {
    /// A connector that follows nothing yet.
    pub fn new(settings: DockerSettings) -> Self {
        let DockerSettings { socket, selection } = settings;
        let surroundings = Surroundings { own: own_container(), selection };
        Self(Arc::new(Inner { watch: Watch::new(socket, surroundings), shells: Shells::default() }))
    }

    pub(super) fn containers(&self) -> channel::Receiver<Containers> {
        self.0.watch.containers()
    }

    pub(super) async fn looked_up(&self) {
        self.0.watch.looked_up().await;
    }

    /// Follows the engine for as long as this is polled.
    pub(super) async fn run(&self) {
        let forgetting = async {
            let mut containers = self.0.watch.containers();
            while containers.changed().await.is_ok() {
                let now = containers.borrow_and_update().clone();
                self.0.shells.retain(&now);
            }
        };
        tokio::join!(self.0.watch.run(), forgetting);
    }
}

/// Where an engine's socket is.
pub const SOCKET: &str = "/var/run/docker.sock";
