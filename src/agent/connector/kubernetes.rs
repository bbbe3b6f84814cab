//! The pods of a cluster, in the namespaces that the operator names: nothing is added to any of them, and the agent needs no more than
//! to watch pods and to execute in them.
//!
//! | module | owns |
//! | --- | --- |
//! | `args` | its words |
//! | `cluster` | how a cluster is reached, what it refuses, what this agent may do |
//! | `watch`, `report` | which containers there are |
//! | `exec` | a command's streams, over both protocols that clusters speak |
//! | `session`, `sweep` | a session's process, and the end of what it leaves |
//! | `logs` | what a container has written |

pub(in crate::agent) mod args;
pub(in crate::agent) mod cluster;
pub(in crate::agent) mod exec;
mod logs;
pub(in crate::agent) mod report;
mod session;
mod sweep;
mod watch;

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use kube::Client;
use tokio::sync::watch as channel;

use self::args::{KubernetesArgs, WorkloadArgs};
use self::exec::Commands;
use self::watch::Watch;
use super::inside::Shells;
use super::selection::Selection;
use super::{Connector, Containers};
use crate::agent::args::JoinArgs;
use crate::agent::identity::{KnownBroker, StateFolder};
use crate::agent::settings::{self, SettingsError};
use crate::agent::{AgentConfig, Join, serve};
use crate::log::LogLevel;

pub use cluster::{ClusterError, ClusterSettings};

use cluster::Rights;

/// `ztagent kubernetes`.
pub(in crate::agent) fn run(args: KubernetesArgs, log_level: LogLevel) -> ExitCode {
    let KubernetesArgs { join, workload, cluster, namespaces, selection } = args;
    serve::run(
        log_level,
        || enter(&join, workload),
        async move |_| {
            let settings = KubernetesSettings { cluster: cluster.into(), namespaces, selection: selection.into() };
            KubernetesConnector::connect(settings).await.map(Connector::Kubernetes)
        },
    )
}

/// The settings of an agent that enters by where it runs, which needs no state: it is who it is with any key. Elsewhere it takes a token.
fn enter(join: &JoinArgs, workload: WorkloadArgs) -> Result<AgentConfig, SettingsError> {
    let WorkloadArgs { cluster: Some(cluster), authorities: Some(ca), cluster_token_file: token } = workload else {
        return serve::settings(join);
    };
    let url = join.broker.as_ref().ok_or(SettingsError::NoToken)?.to_string();
    let state = join.state.as_deref().map(StateFolder::open).transpose()?;
    let kept = state.as_ref().and_then(|state| state.broker().ok().flatten());
    let known = KnownBroker { url, ca, tls_root: None, followed: None }.with_kept(kept);
    settings::entering(join, state, known, Join::Workload { cluster, token })
}

/// Serves the pods of one cluster; clones are one connector.
#[derive(Debug, Clone)]
pub struct KubernetesConnector(Arc<Inner>);

struct Inner {
    client: Client,
    commands: Commands,
    watch: Watch,
    shells: Shells,
}

impl fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// How a cluster is reached, and what of it is served.
#[derive(Debug, Clone, Default)]
pub struct KubernetesSettings {
    /// The cluster.
    pub cluster: ClusterSettings,
    /// The namespaces that are served; `*` for all that there are and the agent may see.
    pub namespaces: Vec<String>,
    /// What of them is served.
    pub selection: Selection,
}

impl KubernetesConnector {
    /// A connector to the cluster that the settings mean; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`ClusterError`] when they mean none, or name a namespace that is never served.
    pub async fn connect(settings: KubernetesSettings) -> Result<Self, ClusterError> {
        let KubernetesSettings { cluster, namespaces, selection } = settings;
        let own = own_namespace();
        let namespaces: BTreeSet<String> = namespaces.into_iter().collect();
        if namespaces.is_empty() {
            return Err(ClusterError::Settings("name the namespaces to serve with --namespace".to_owned()));
        }
        for never in NEVER.iter().copied().chain(own.as_deref()) {
            if namespaces.contains(never) {
                let why = format!("the namespace {never} is never served: it holds the cluster's own pods, or this agent");
                return Err(ClusterError::Settings(why));
            }
        }
        let client = cluster::connect(&cluster).await?;
        let watch = Watch::new(client.clone(), namespaces, own, selection);
        Ok(Self(Arc::new(Inner { commands: Commands::new(client.clone()), client, watch, shells: Shells::default() })))
    }

    pub(super) fn containers(&self) -> channel::Receiver<Containers> {
        self.0.watch.containers()
    }

    pub(super) async fn looked_up(&self) {
        self.0.watch.looked_up().await;
    }

    /// Follows the cluster for as long as this is polled.
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

/// The namespace that this agent's own pod is in, if it is in one.
fn own_namespace() -> Option<String> {
    let namespace = std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace").ok()?;
    Some(namespace.trim().to_owned()).filter(|namespace| !namespace.is_empty())
}

/// Namespaces of the cluster itself.
const NEVER: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];
