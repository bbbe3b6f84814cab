//! The broker: the trust point. It knows the people, decides by policy, signs certificates for what was decided, and carries the
//! bytes of a session that it cannot read.
//!
//! This file owns the table of its parts, the state that they share, and the opening and serving of the whole.
//! Identity (`store`, `identity`, `dpop`, `oauth`, `pages`, `rate`) and access (`policy`, `ca`, `registry`, `agents`, `connect`, `relay`) meet
//! only in [`State`]; `http` is the table of routes.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::proto::agent::Outcome;
use crate::proto::ca::CaSet;
use crate::transport::tls::RootFingerprint;

use audit::Event;
use state_folder::StateFolder;

pub mod admin;
mod agents;
pub mod args;
mod asking;
pub mod audit;
pub mod ca;
pub mod commands;
pub mod config;
mod connect;
mod crowd;
mod dpop;
pub mod enrolment;
mod fetch;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
pub mod identity;
mod jwt;
mod kept;
mod list;
pub mod locks;
mod mfa;
mod oauth;
mod own_sessions;
mod pages;
pub mod policy;
mod rate;
mod recall;
pub mod registry;
pub mod relay;
mod state_folder;
mod store;
mod tls;
mod turning;
mod webhook;
mod why;
mod workload;

#[cfg(test)]
mod tests;

pub use admin::{
    Admin, AdminError, AgentRow, AuditQuery, AuditRecord, Authorities, ClusterRow, EndSession, ExplainSpec, Explained,
    JoinTokenSpec, LiveSession, LockSpec, LockWish, MadeLock, Rotation, TokenId, TokenRow, UserRow, UserTokenSpec,
};
pub use config::{Config, ConfigError};
pub use kept::{Lost, Part};
pub use state_folder::StateFolderError;
pub use tls::TlsError;

/// A broker that is set up and serves nobody yet.
pub struct Broker {
    state: Arc<State>,
    tls: Option<Arc<ServerConfig>>,
    folder: StateFolder,
}

/// What the parts of the broker share. In an `Arc` everywhere.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: store::Store,
    pub(crate) journal: audit::Journal,
    pub(crate) sinks: audit::Sinks,
    pub(crate) policies: policy::Policies,
    pub(crate) locks: locks::Locks,
    pub(crate) asking: asking::Asking,
    pub(crate) notifier: asking::notify::Notifier,
    pub(crate) ca: ca::Authority,
    pub(crate) registry: registry::Registry,
    pub(crate) agents: agents::Agents,
    pub(crate) clusters: workload::Clusters,
    pub(crate) sessions: Arc<relay::Sessions>,
    pub(crate) directory: identity::Directory,
    pub(crate) jobs: identity::jobs::Jobs,
    pub(crate) providers: identity::oidc::Providers,
    pub(crate) limits: rate::Limits,
    pub(crate) proofs: dpop::Proofs,
    /// Cancelled when the broker stops.
    pub(crate) shutdown: CancellationToken,
    pub(crate) tls_root: Option<tls::Root>,
    pub(crate) tls_files: Option<Arc<tls::Files>>,
    /// Which of the brokers that share the database this is.
    pub(crate) instance: String,
}

/// Why a broker cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its configuration holds a trap.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its state folder is not fit.
    #[error(transparent)]
    State(#[from] StateFolderError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Something that the folder has had is not there.
    #[error(transparent)]
    Lost(#[from] kept::Lost),
    /// The audit journal.
    #[error(transparent)]
    Journal(#[from] audit::JournalError),
    /// A place for copies of the journal.
    #[error(transparent)]
    Sink(#[from] audit::SinkError),
    /// A server that is to be told of requests and alarms.
    #[error(transparent)]
    Notify(#[from] asking::notify::NotifyError),
    /// The policies.
    #[error(transparent)]
    Policy(#[from] policy::LoadError),
    /// The keys of the certificate authorities.
    #[error(transparent)]
    Ca(#[from] ca::CaError),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::StoreError),
}

/// Why a broker stopped, or never began, to serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The administration's socket.
    #[error("the administration socket {} cannot be used: {source}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The audit journal cannot be written, and nothing happens unwritten.
    #[error(transparent)]
    Journal(#[from] audit::JournalError),
}

impl Broker {
    /// Opens the state folder, the policies, the keys (made at the first start), the journal and the database.
    ///
    /// # Errors
    /// [`OpenError`]: nothing is opened that cannot be trusted.
    pub async fn open(config: Config, clock: Clock) -> Result<Self, OpenError> {
        config.check()?;
        let folder = StateFolder::open(&config.state)?;
        let anew = kept::made_anew(&config)?;
        let policies = policy::Policies::load(&config.policy)?;
        let tls::Opened { server: tls, root: tls_root, files: tls_files } = tls::open(&config, &clock)?;
        let journal = audit::Journal::open(&folder.join(audit::FOLDER), config.audit.pace, clock.clone())?;
        for part in anew {
            journal.append(Event::MadeAnew { what: part.word().to_owned() }).await?;
        }
        let ca = ca::Authority::open(&folder.join("ca"))?.with_lifetime(config.certificate_lifetime.as_secs());
        let sinks = audit::Sinks::new(&config.audit.sinks, &folder.join(audit::FOLDER))?;
        let notifier = asking::notify::Notifier::new(&config.notify)?;
        let store = store::Store::open(config.database_url().expose()).await?;
        let state = Arc::new(State {
            directory: identity::Directory::new(store.clone()),
            jobs: identity::jobs::Jobs::new(&config).map_err(ConfigError::Unfit)?,
            providers: identity::oidc::Providers::new(&config, &clock).map_err(ConfigError::Unfit)?,
            limits: rate::Limits::default(),
            proofs: dpop::Proofs::new(store.key()),
            registry: registry::Registry::default(),
            agents: agents::Agents::default(),
            clusters: workload::Clusters::new(&config).map_err(ConfigError::Unfit)?,
            sessions: Arc::default(),
            shutdown: CancellationToken::new(),
            config,
            clock,
            store,
            journal,
            sinks,
            policies,
            locks: locks::Locks::default(),
            asking: asking::Asking::default(),
            notifier,
            ca,
            tls_root,
            tls_files,
            instance: folder.instance()?,
        });
        recall::read_locks(&state).await?;
        Ok(Self { state, tls, folder })
    }

    /// The public keys that clients and agents pin.
    pub fn ca_set(&self) -> CaSet {
        self.state.ca.set()
    }

    /// The private TLS root in PEM form, if TLS is self-made.
    pub fn tls_root_pem(&self) -> Option<String> {
        self.state.tls_root.as_ref().map(|root| root.pem().to_owned())
    }

    /// The private TLS root's fingerprint, if TLS is self-made.
    pub fn tls_root_fingerprint(&self) -> Option<RootFingerprint> {
        self.state.tls_root.as_ref().map(tls::Root::fingerprint)
    }

    /// What an operator may do; it works before and while the broker serves.
    pub fn admin(&self) -> Admin {
        Admin::new(Arc::clone(&self.state))
    }

    /// Serves until `shutdown`: then nothing new is accepted, sessions end with a reason, and the journal says so.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ServeError> {
        let Self { state, tls, folder } = self;
        // However this future ends, even by being dropped, what it started ends too.
        let _stop = state.shutdown.clone().drop_guard();
        let path = folder.join(ADMIN_SOCKET);
        let socket = admin::socket::bind(&path).map_err(|source| ServeError::Socket { path: path.clone(), source })?;
        state.journal.append(Event::BrokerStarted { version: env!("CARGO_PKG_VERSION").to_owned() }).await?;
        state.journal.append(Event::PolicyLoaded { policies: state.policies.current().ids(), by: "broker".to_owned() }).await?;
        end_lost_sessions(&state).await?;
        let copying: audit::Working = state.sinks.start(&state.journal, &state.clock);
        let admin = tokio::spawn(admin::socket::serve(Arc::clone(&state), socket, state.shutdown.clone()));
        let pruning = tokio::spawn(prune(Arc::clone(&state)));
        let signing = tokio::spawn(sign(Arc::clone(&state)));
        let policing = tokio::spawn(recall::keep_reading_policies(Arc::clone(&state)));
        let locking = tokio::spawn(recall::keep_reading_locks(Arc::clone(&state)));
        let turning = tokio::spawn(turning::keep_turning(Arc::clone(&state)));
        let (files, stop) = (state.tls_files.clone(), state.shutdown.clone());
        let renewing = tokio::spawn(async move {
            if let Some(files) = files {
                files.keep_reading(stop).await;
            }
        });
        let telling = tokio::spawn(asking::notify::keep_telling(Arc::clone(&state)));
        let proxies = state.config.trusted_proxies.clone().into();
        state.registry.expect(state.store.take_agents_of(&state.instance).await.unwrap_or_else(|error| {
            tracing::error!(%error, "which agents were connected before cannot be looked up: nobody waits for them");
            HashSet::new()
        }));
        let door = http::Door { tls, proxies, ..http::Door::plain(http::router(Arc::clone(&state))) };
        let serving = http::serve(listener, door, state.shutdown.clone());
        let stopping = async {
            shutdown.cancelled().await;
            tracing::info!("stopping: sessions end now");
            state.shutdown.cancel();
            state.sessions.cut_all(STOPPING);
            // The agents must stay until their sessions have been told.
            state.sessions.drained(LAST_WORDS).await;
            state.agents.shut_down();
            if tokio::time::timeout(LAST_WORDS, state.agents.ended()).await.is_err() {
                tracing::warn!("the connections of some agents take too long to end: their end is not written down");
            }
        };
        tokio::join!(serving, stopping);
        for task in [admin, pruning, signing, policing, locking, turning, renewing, telling] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the broker ended badly");
            }
        }
        // Nobody waits behind this file any more; a client shall be told that there is no broker.
        let _ = std::fs::remove_file(&path);
        state.journal.append(Event::BrokerStopped {}).await?;
        state.journal.checkpoint().await?;
        copying.finish(LAST_WORDS).await;
        state.store.close().await;
        Ok(())
    }
}

/// Writes down the end of what this broker carried when it was killed: when it was, nobody can say.
async fn end_lost_sessions(state: &State) -> Result<(), ServeError> {
    let lost = state.store.open_sessions(&state.instance).await.unwrap_or_else(|error| {
        tracing::error!(%error, "whether sessions were lost by the broker's last end cannot be looked up");
        Vec::new()
    });
    let now = state.clock.now();
    for store::OpenSession { session, container, user, started_at } in lost {
        tracing::warn!(%session, %user, "a session was lost by the broker's last end");
        let (outcome, seconds) = (Outcome::Unknown, now.saturating_sub(started_at));
        let event = Event::SessionEnded { session, user, container, outcome, why: None, bytes_in: 0, bytes_out: 0, seconds };
        state.journal.append(event).await?;
        if let Err(error) = state.store.end_session(session, now, false).await {
            tracing::warn!(%error, %session, "the database did not take a session's end");
        }
    }
    Ok(())
}

/// Forgets what has expired, so that the database does not grow for ever. Nothing depends on it: what has expired counts for nothing.
async fn prune(state: Arc<State>) {
    loop {
        if let Err(error) = state.store.prune(state.clock.now()).await {
            tracing::warn!(%error, "what has expired could not be removed from the database");
        }
        if state.shutdown.run_until_cancelled(tokio::time::sleep(PRUNE_EVERY)).await.is_none() {
            return;
        }
    }
}

/// Signs what has been written, as often as the configuration says; how much is written meanwhile is the journal's own affair.
async fn sign(state: Arc<State>) {
    let every = Duration::from_secs(state.config.audit.pace.seconds);
    while state.shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        if let Err(error) = state.journal.checkpoint().await {
            tracing::error!(%error, "the audit journal could not be signed");
        }
    }
}

/// The administration's socket in the state folder.
pub(crate) const ADMIN_SOCKET: &str = "admin.sock";

/// What users read when their session ends with the broker.
const STOPPING: &str = "the broker is being stopped";

/// An hour: expired rows are small.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// How long sessions may take to end.
const LAST_WORDS: Duration = Duration::from_secs(5);
