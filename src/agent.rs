//! The agent: sessions beside or inside the containers, over connections that it opens itself.
//!
//! | module | what it owns |
//! | --- | --- |
//! | [`args`], `settings`, `run`, `init`, `serve` | the program: words, wiring, a container's first process, an agent by itself |
//! | `dial`, `greeting`, `trust`, `uplink` | the connections to the broker, and which broker it has to be |
//! | `book`, `server`, `channel`, `waiting` | who may come in, and what happens on a session's channels |
//! | [`connector`] | how containers are reached |
//! | `passwd`, `environment`, `program`, `spawn`, [`trampoline`] | from a login and a command to a child of the agent |
//! | `process` | a session's process, whoever runs it |
//! | `reaper`, `sweep` | the ends of processes |
//! | `own_container` | where the agent itself is |

pub mod args;
pub mod connector;
pub mod trampoline;

mod book;
mod channel;
mod dial;
mod environment;
mod forward;
#[cfg(fuzzing)]
pub mod fuzzing;
mod greeting;
mod host;
mod identity;
mod init;
mod own_container;
mod passwd;
mod process;
mod program;
mod reaper;
mod run;
mod serve;
mod server;
mod settings;
mod sftp;
mod signals;
mod spawn;
mod sweep;
mod trust;
mod uplink;
mod waiting;

pub use connector::Connector;
pub use connector::process::{Description, ProcessConnector};
pub use dial::ProxySettings;
pub use identity::Notebook;
pub use trust::Pin;
pub use url::Url;

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::proto::Secret;
use crate::ssh::PrivateKey;
use crate::transport::tls::Roots;

/// What an agent needs to know.
#[derive(Debug)]
pub struct AgentConfig {
    /// The broker: `https://…`, or `http://` to this machine itself.
    pub broker: Url,
    /// Which TLS roots vouch for it.
    pub roots: Roots,
    /// Which certificate authorities vouch for users.
    pub ca: Pin,
    /// Where it is kept whom they lead to, if it is kept.
    pub notes: Option<Notebook>,
    /// By what it enters.
    pub join: Join,
    /// The identity.
    pub key: PrivateKey,
    /// What the agent calls itself.
    pub name: String,
    /// The executable that is run again for each session: its `main` must call [`trampoline::main`] when its first argument is
    /// [`trampoline::ENTRY`].
    pub trampoline: PathBuf,
    /// The way out.
    pub proxy: ProxySettings,
    /// The time.
    pub clock: Clock,
}

/// By what an agent enters its broker.
#[derive(Debug, Clone)]
pub enum Join {
    /// By its key, which is enrolled.
    Key,
    /// By the secret of a join token, which enrols the key.
    Token(Secret<String>),
    /// By the token that a Kubernetes cluster has made for the service account that the agent runs as.
    Workload {
        /// The cluster, as the broker's operator calls it.
        cluster: String,
        /// The file in which the cluster keeps the token fresh.
        token: PathBuf,
    },
}

/// An agent that serves what a connector reaches.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    connector: Connector,
}

impl Agent {
    /// An agent that does nothing yet.
    pub fn new(config: AgentConfig, connector: Connector) -> Self {
        Self { config, connector }
    }

    /// Serves until `shutdown`; then hangs up the sessions, takes leave of the broker and returns, as a rule within a second. A broker
    /// that is away or refuses is tried again for as long as it takes.
    pub async fn run(self, shutdown: CancellationToken) {
        let AgentConfig { broker, roots, ca, notes, join, key, name, trampoline, proxy, clock } = self.config;
        let dialer = match dial::Dialer::new(broker, &roots, proxy) {
            Ok(dialer) => dialer,
            Err(error) => {
                tracing::error!("the agent serves nothing: {error}");
                return shutdown.cancelled().await;
            }
        };
        let greeter = greeting::Greeter::new(name, trust::Trust::new(ca, notes), join);
        let connector = self.connector.clone();
        let (host, outbox) = host::Host::new(key, self.connector, trampoline, clock, shutdown);
        let uplink = uplink::Uplink::new(host, dialer, greeter).run(outbox);
        tokio::select! {
            () = uplink => {}
            () = connector.run() => {}
        }
    }
}
