//! Administration: what an operator may do to a running broker, written down before it happens.
//!
//! [`Admin`] does the work. The Unix socket and the commands of `ztbroker` are two thin skins over it; both ends of the socket
//! share the bodies of [`wire`].

mod authorities;
pub(crate) mod client;
mod explain;
mod locks;
mod people;
mod sessions;
pub(crate) mod socket;
mod tokens;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::runtime::Handle;

use super::audit::{Durable, Event, Export, Follow, JournalError, SinkRow};
use super::ca::rotation::NoChange;
use super::config::Cluster;
use super::identity::DirectoryError;
use super::locks::LockId;
use super::oauth::device::ApproveError;
use super::policy::{LoadError, Set};
use super::store::StoreError;
use super::{State, oauth, recall};
use crate::proto::id::Beginning;
use crate::proto::name::Account;
use crate::proto::{AgentId, ErrorBody, ErrorCode};

pub use super::audit::{Query as AuditQuery, Record as AuditRecord};
pub use wire::{
    AgentRow, Authorities, ClusterRow, EndSession, ExplainSpec, Explained, JoinTokenSpec, LiveSession, LockSpec, LockWish,
    MadeLock, Rotation, TokenId, TokenRow, UserRow, UserTokenSpec,
};

/// A handle to a broker's administration; clones share it.
#[derive(Clone)]
pub struct Admin {
    state: Arc<State>,
    /// Who acts, for the journal.
    by: Arc<str>,
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// There is one of that name.
    #[error("there is a user {0} already")]
    UserExists(Account),
    /// The name would be one of a provider's.
    #[error("{user} would be somebody of the identity provider {idp}: a name of the directory does not end in @{idp}")]
    Ending {
        /// The name.
        user: Account,
        /// Which.
        idp: String,
    },
    /// There is none of that name.
    #[error("there is no user {0}")]
    NoUser(Account),
    /// The name ends in no provider's.
    #[error("there is no identity provider {idp}, and {user} is nobody of the directory")]
    NoProvider {
        /// What was given.
        user: Account,
        /// What stands after its last `@`.
        idp: String,
    },
    /// Whom only a provider knows, and nobody has told of.
    #[error("{0} is not logged in now, so nobody has told their groups: say them with --group")]
    NoGroups(Account),
    /// There is none with that id.
    #[error("there is no token {0}")]
    NoToken(TokenId),
    /// There is none with that id.
    #[error("there is no agent {0}")]
    NoAgent(AgentId),
    /// The journal has nothing of that time.
    #[error("the audit journal has no events of that time")]
    NoEvents,
    /// There is none with that id.
    #[error("there is no lock {0}: `ztbroker lock ls` shows them")]
    NoLock(LockId),
    /// There is none whose id begins so.
    #[error("there is no live session {0} at this broker: `ztbroker sessions ls` shows them")]
    NoSession(Beginning),
    /// There is none of that name now.
    #[error("no container {0} is here now")]
    NoContainer(String),
    /// The name means several.
    #[error("{name} means {count} containers, say which: {names}")]
    ManyContainers {
        /// What was given.
        name: String,
        /// How many.
        count: usize,
        /// Some of them, with commas.
        names: String,
    },
    /// What was asked for is outside its limits.
    #[error("{0}")]
    Invalid(&'static str),
    /// The code is unknown, used or expired.
    #[error("the code cannot be approved: {0}")]
    Approve(#[from] ApproveError),
    /// The new policies are refused; those in force stay.
    #[error("the policies in force stay, the new ones are refused:\n{0}")]
    Policy(#[from] LoadError),
    /// The CA keys stay as they are.
    #[error(transparent)]
    Ca(#[from] NoChange),
    /// What cannot be written down is not done.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The directory of users.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

impl Admin {
    /// The handle of this process itself.
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self::of_peer(state, rustix::process::geteuid().as_raw())
    }

    /// The handle for what the broker does by itself.
    pub(crate) fn of_broker(state: Arc<State>) -> Self {
        Self { state, by: "broker".into() }
    }

    /// The handle for what the user `uid` of this machine asks for.
    pub(crate) fn of_peer(state: Arc<State>, uid: u32) -> Self {
        Self { state, by: format!("operator (uid {uid})").into() }
    }

    /// Approves the code of a device login for `user`, in place of the page that asks for the password.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], [`AdminError::Approve`], and what keeps it from being written down.
    pub async fn approve_device(&self, user_code: &str, user: &Account) -> Result<(), AdminError> {
        self.known(user).await?;
        let approved = Event::DeviceApproved { user: self.whole_name(user), by: self.by() };
        self.carry_out(approved, oauth::device::approve(&self.state, user_code, user)).await
    }

    /// The enrolled agents, and which of them are here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn agents(&self) -> Result<Vec<AgentRow>, AdminError> {
        let enrolled = self.state.store.agents().await?;
        Ok(enrolled
            .into_iter()
            .map(|agent| AgentRow {
                connected: self.state.agents.present(agent.agent).is_some(),
                containers: self.state.registry.count(agent.agent),
                id: agent.agent,
                name: agent.name,
                asserts: agent.asserts,
                enrolled_at: agent.enrolled_at,
            })
            .collect())
    }

    /// The clusters of the configuration, with what their agents have to be told.
    pub fn clusters(&self) -> Vec<ClusterRow> {
        let state = &self.state;
        let row = |cluster: &Cluster| ClusterRow {
            name: cluster.name.clone(),
            service_account: format!("{}/{}", cluster.namespace, cluster.service_account),
            namespaces: cluster.namespaces.clone(),
            broker: state.clusters.audience().to_owned(),
            authorities: state.ca.plain_set().fingerprint(),
            tls_root: state.tls_root.as_ref().map(|root| root.fingerprint().to_string()),
        };
        state.clusters.all().map(row).collect()
    }

    /// Removes an agent's enrolment and ends its connections; it comes back only with a join token, or where it runs.
    ///
    /// # Errors
    /// [`AdminError::NoAgent`], and what keeps it from being written down.
    pub async fn remove_agent(&self, agent: AgentId) -> Result<(), AdminError> {
        if self.state.store.agent(agent).await?.is_none() {
            return Err(AdminError::NoAgent(agent));
        }
        self.carry_out(Event::AgentRemoved { agent, by: self.by() }, self.state.store.remove_agent(agent)).await?;
        self.state.agents.expel(agent);
        self.state.registry.expect_no_longer(agent);
        self.state.sessions.cut_agent(agent, "the container's agent was removed by an operator");
        Ok(())
    }

    /// What the journal has on `query`, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditRecord>, AdminError> {
        Ok(self.state.journal.read(query).await?)
    }

    /// What the journal gets from now on.
    pub(crate) fn follow(&self) -> Follow {
        self.state.journal.follow()
    }

    /// The journal's events not before `since` and before `until`, in seconds since 1970, to be verified by whoever gets them.
    ///
    /// # Errors
    /// [`AdminError::NoEvents`], and when the journal cannot be read or what was asked for cannot be written down.
    pub async fn export_audit(&self, since: Option<u64>, until: Option<u64>) -> Result<Export, AdminError> {
        self.write_down(Event::AuditExported { since, until, by: self.by() }).await?;
        self.state.journal.export(since, until, self.state.clock.now()).await?.ok_or(AdminError::NoEvents)
    }

    /// How the places are doing that get copies of the journal.
    pub fn audit_sinks(&self) -> Vec<SinkRow> {
        self.state.sinks.rows(self.state.journal.durable().tip.seq)
    }

    /// The files among them are opened anew, because somebody has moved them away.
    pub(crate) fn reopen_sinks(&self) {
        self.state.sinks.reopen();
    }

    /// The operator's TLS certificate is read again, because somebody has renewed it.
    pub(crate) async fn renew_certificate(&self) {
        let Some(files) = self.state.tls_files.clone() else { return };
        match tokio::task::spawn_blocking(move || files.renew()).await {
            Ok(Ok(true)) => tracing::info!("the new TLS certificate is shown from now on"),
            Ok(Err(error)) => tracing::error!("the TLS certificate before stays: {error}"),
            Ok(Ok(false)) | Err(_) => {}
        }
    }

    /// How far the journal is on the disk.
    pub(crate) fn audit_end(&self) -> Durable {
        self.state.journal.durable()
    }

    /// Loads the policies again and returns their ids. A set with a mistake changes nothing, nor does one that cannot be written down.
    ///
    /// # Errors
    /// [`AdminError::Policy`] with every mistake and its place, and what keeps it from being written down.
    pub async fn reload_policy(&self) -> Result<Vec<String>, AdminError> {
        let (admin, runtime) = (self.clone(), Handle::current());
        let before = self.state.policies.current().ids();
        // Reading files and judging thousands of sessions keep a thread busy.
        let load = move || -> Result<(Vec<String>, usize), AdminError> {
            let loaded = |set: &Set| Event::PolicyLoaded { policies: set.ids(), by: admin.by() };
            let set = admin.state.policies.reload(|set| runtime.block_on(admin.write_down(loaded(set))).map(drop))?;
            Ok((set.ids(), recall::judge_again(&admin.state, &set)))
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        match loaded.map_err(|_| AdminError::Invalid("the policies could not be loaded: the broker is stopping"))? {
            Ok((policies, ended)) => {
                let without = |all: &[String], those: &[String]| {
                    all.iter().filter(|id| !those.contains(id)).cloned().collect::<Vec<_>>().join(", ")
                };
                let (gone, new) = (without(&before, &policies), without(&policies, &before));
                if !gone.is_empty() || !new.is_empty() {
                    tracing::info!(%gone, %new, "there are other policies than before");
                }
                if ended > 0 {
                    tracing::info!("{ended} sessions ended: the policies no longer allow them");
                }
                Ok(policies)
            }
            Err(AdminError::Policy(error)) => {
                self.write_down(Event::PolicyRefused { error: error.to_string(), by: self.by() }).await?;
                Err(error.into())
            }
            Err(error) => Err(error),
        }
    }

    async fn write_down(&self, event: Event) -> Result<u64, AdminError> {
        Ok(self.state.journal.append(event).await?)
    }

    /// Writes `event` down and then does what it tells of. Where that fails, the journal says so as well.
    async fn carry_out<T, E>(&self, event: Event, act: impl Future<Output = Result<T, E>>) -> Result<T, AdminError>
    where
        AdminError: From<E>,
    {
        let written = self.write_down(event).await?;
        match act.await.map_err(AdminError::from) {
            Ok(done) => Ok(done),
            Err(error) => {
                let undone = Event::NotDone { what: written, why: error.to_string(), by: self.by() };
                if let Err(unwritten) = self.write_down(undone).await {
                    tracing::error!(
                        "event {written} of the audit journal was not carried out, which cannot be written down: {unwritten}"
                    );
                }
                Err(error)
            }
        }
    }

    fn by(&self) -> String {
        self.by.to_string()
    }
}

impl AdminError {
    /// The error as it crosses the socket.
    pub(crate) fn to_body(&self) -> ErrorBody {
        let code = match self {
            Self::UserExists(_) | Self::Ending { .. } | Self::Invalid(_) | Self::Approve(_) | Self::Policy(_) => {
                ErrorCode::InvalidRequest
            }
            Self::ManyContainers { .. } => ErrorCode::Ambiguous,
            Self::NoUser(_)
            | Self::NoProvider { .. }
            | Self::NoGroups(_)
            | Self::NoToken(_)
            | Self::NoAgent(_)
            | Self::NoLock(_)
            | Self::NoSession(_)
            | Self::NoContainer(_)
            | Self::NoEvents => ErrorCode::NotFound,
            Self::Ca(NoChange::UnderWay | NoChange::None) => ErrorCode::InvalidRequest,
            Self::Ca(NoChange::Ca(_)) => ErrorCode::Internal,
            Self::Journal(_) | Self::Store(_) => ErrorCode::Unavailable,
            Self::Directory(_) => ErrorCode::Internal,
        };
        ErrorBody::new(code, self.to_string())
    }
}

/// What an operator says to those whom it meets, if anything.
fn reason(reason: Option<String>) -> Result<Option<String>, AdminError> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_deref().is_some_and(|reason| reason.len() > REASON || reason.chars().any(char::is_control)) {
        return Err(AdminError::Invalid("a reason is one line of at most 300 bytes"));
    }
    Ok(reason)
}

/// The most bytes of a reason: a sentence on a terminal.
const REASON: usize = 300;
