//! The agent's own container, or host: sessions are children of the agent.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::{Containers, Request, StartError};
use crate::agent::environment::{self, Variables};
use crate::agent::passwd::account;
use crate::agent::process::Process;
use crate::agent::program::Program;
use crate::agent::reaper::{Orphans, Reaper};
use crate::agent::spawn::Launch;
use crate::agent::sweep::{self, Leader};
use crate::agent::trampoline::Specification;
use crate::proto::agent::{Capabilities, ContainerReport, Facts, RUNNING};
use crate::proto::{Action, SessionId};

/// Serves the container that the agent runs in.
#[derive(Debug)]
pub struct ProcessConnector {
    runtime_id: String,
    base: Variables,
    /// Where the image's command runs, and its sessions.
    folder: PathBuf,
    reaper: Reaper,
    containers: watch::Sender<Containers>,
}

/// What the container is called and where it is.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// What it is a replica of.
    pub app: String,
    /// Its name.
    pub name: String,
    /// Its image; empty where there is none.
    pub image: String,
    /// Where it runs, in words.
    pub location: String,
    /// The labels that it claims.
    pub labels: BTreeMap<String, String>,
    /// The runtime's id for it, unique at this agent.
    pub runtime_id: String,
    /// The container engine's id for it, where it is in a container and knows that.
    pub instance: Option<String>,
    /// When it started, in seconds since 1970.
    pub started_at: u64,
}

impl ProcessConnector {
    /// The container that `description` names, with `environment` as the base of every session; the agent's own variables are
    /// taken out of it.
    pub fn new(description: Description, environment: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>) -> Self {
        Self::with_reaper(description, environment::base(environment), Reaper::new(Orphans::Leave))
    }

    pub(in crate::agent) fn with_reaper(description: Description, base: Variables, reaper: Reaper) -> Self {
        let Description { app, name, image, location, labels, runtime_id, instance, started_at } = description;
        let report = ContainerReport {
            runtime_id: runtime_id.clone(),
            name,
            app,
            image,
            location,
            runtime: "process".to_owned(),
            state: RUNNING.to_owned(),
            started_at,
            labels,
            namespace: None,
            instance,
            facts: Facts::default(),
            capabilities: Capabilities {
                login_switch: rustix::process::geteuid().is_root(),
                ..Capabilities::of([Action::List, Action::Shell, Action::Exec, Action::Copy, Action::Forward])
            },
        };
        let containers = watch::Sender::new(Arc::new(BTreeMap::from([(runtime_id.clone(), report)])));
        let folder = std::env::current_dir().unwrap_or_else(|_| "/".into());
        Self { runtime_id, base, folder, reaper, containers }
    }

    pub(super) fn containers(&self) -> watch::Receiver<Containers> {
        self.containers.subscribe()
    }

    pub(super) async fn sweep(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        if runtime_id == self.runtime_id {
            sweep::sweep(session, leaders, &|_, _| HashSet::new()).await;
        }
    }

    pub(super) fn kill(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        if runtime_id == self.runtime_id {
            sweep::kill(session, leaders, &|_, _| HashSet::new());
        }
    }

    pub(super) fn start(&self, runtime_id: &str, request: &Request<'_>) -> Result<Process, StartError> {
        if runtime_id != self.runtime_id {
            return Err(StartError::Gone);
        }
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let account = account(Path::new("/"), request.login, uid, gid)?.with_a_shell(Path::new("/"));
        let variables = environment::compose(&self.base, &account, request.session, request.user, &request.variables);
        let path = variables.get(std::ffi::OsStr::new("PATH")).cloned().unwrap_or_default();
        let program = Program::of(request.asked, &account, &path)?;
        // One that gets a terminal is made the leader of a Unix session together with it.
        let specification = Specification::new(&program, &account, &self.folder, uid, request.terminal.is_none()).encode();
        let launch = Launch { trampoline: request.trampoline, specification, variables: &variables };
        Ok(match request.terminal {
            Some(size) => launch.on_terminal(&self.reaper, size)?,
            None => launch.on_pipes(&self.reaper)?,
        })
    }
}
