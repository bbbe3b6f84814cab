//! Which containers there are, in memory: what connected agents report, made harmless, under ids and names of the broker's.
//!
//! What an agent or a workload says never becomes an id, an assertion or a name as it is. Rows live as long as the control
//! connection that reported them.

mod gathering;
mod ingest;
mod instances;
mod names;
mod note;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::proto::agent::{Capabilities, ContainerReport, Facts};
use crate::proto::{AgentId, ContainerId};

use crate::broker::enrolment::Assertions;
use gathering::Gathering;
use instances::Instances;

pub(super) use ingest::harmless;
pub(super) use names::may_mean;
pub use names::{Resolution, Row, resolve, rows};
pub use note::Note;

/// One container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The broker's id.
    pub id: ContainerId,
    /// The agent that serves it.
    pub agent: AgentId,
    /// The name under which that agent enrolled.
    pub agent_name: String,
    /// What the enrolment asserts.
    pub cluster: Option<String>,
    /// One of those that the enrolment allows.
    pub namespace: Option<String>,
    /// The runtime's own id.
    pub runtime_id: String,
    /// The connector's word: `process`, `host`, `docker`, `kubernetes`, else `other`.
    pub runtime: String,
    /// The runtime's name for it.
    pub name: String,
    /// What it is a replica of, as the first part of its names.
    pub app: String,
    /// `<app>-` and the id's first twelve digits.
    pub full_name: String,
    /// The image; empty where there is none.
    pub image: String,
    /// Where it runs, in words.
    pub location: String,
    /// What the runtime says.
    pub state: String,
    /// In seconds since 1970.
    pub started_at: u64,
    /// What the workload claims.
    pub labels: BTreeMap<String, String>,
    /// The container engine's own id, by which two agents' reports of one container are told to be one.
    pub instance: Option<String>,
    /// What else the runtime knows.
    pub facts: Facts,
    /// What the connector can do for it.
    pub capabilities: Capabilities,
    /// What has been worked out about it.
    pub note: Note,
}

/// What the broker itself knows about an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asserted {
    /// The agent.
    pub agent: AgentId,
    /// The name under which it enrolled.
    pub name: String,
    /// What its enrolment asserts.
    pub asserts: Assertions,
    /// When it enrolled, in seconds since 1970.
    pub enrolled_at: u64,
}

/// The containers of all connected agents.
#[derive(Debug, Default)]
pub struct Registry {
    shelves: RwLock<Shelves>,
    gathering: Gathering,
}

#[derive(Debug, Default)]
struct Shelves {
    agents: HashMap<AgentId, Shelf>,
    instances: Instances,
}

/// One agent's containers, by the runtime's id.
#[derive(Debug)]
struct Shelf {
    asserted: Arc<Asserted>,
    /// Which of the agent's control connections may write here: the newest.
    lease: u64,
    containers: HashMap<String, Arc<Container>>,
    /// The parts of a snapshot that is still coming.
    snapshot: Option<HashMap<String, Arc<Container>>>,
    /// The containers as they are looked through, put together when somebody does and as long as nothing changes.
    view: OnceLock<Arc<[Arc<Container>]>>,
}

/// Every container of one moment.
#[derive(Debug)]
pub struct View {
    shelves: Vec<Arc<[Arc<Container>]>>,
    hidden: Arc<HashSet<ContainerId>>,
}

impl View {
    /// Each, in no order; of one that several agents report, one.
    pub fn containers(&self) -> Vec<&Arc<Container>> {
        let all = self.shelves.iter().flat_map(|shelf| shelf.iter());
        all.filter(|container| self.hidden.is_empty() || !self.hidden.contains(&container.id)).collect()
    }
}

impl Shelf {
    fn view(&self) -> Arc<[Arc<Container>]> {
        Arc::clone(self.view.get_or_init(|| self.containers.values().cloned().collect()))
    }
}

/// The right of one control connection to report containers; a newer one of the same agent ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    agent: AgentId,
    number: u64,
}

/// The agent reports more than the broker takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {CONTAINERS} containers at one agent")]
pub struct TooMany;

/// A report that is not taken, because the agent's enrolment does not reach so far.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Overstep {
    /// A namespace that is not among the enrolment's.
    #[error("a container in the namespace {0}, which its enrolment does not allow")]
    Namespace(String),
    /// Another runtime than the enrolment's.
    #[error("a container of the runtime {0}, which its enrolment does not allow")]
    Runtime(String),
}

impl Registry {
    /// From now on expects `agents` to come back.
    pub fn expect(&self, agents: HashSet<AgentId>) {
        self.gathering.begin(agents);
    }

    /// Waits until the agents that are expected have said what they serve, for a few seconds after the start at most.
    pub async fn gathered(&self) {
        self.gathering.wait().await;
    }

    /// Whether agents that are expected may yet come: the list is not whole.
    pub fn is_incomplete(&self) -> bool {
        self.gathering.goes_on()
    }

    /// No longer waits for an agent.
    pub fn expect_no_longer(&self, agent: AgentId) {
        self.gathering.no_longer(agent);
    }

    /// Lets a new control connection report. What an older one of the same agent reported stays until the new snapshot is whole,
    /// so that a reconnect does not make the list flicker.
    pub fn attach(&self, asserted: Asserted) -> Lease {
        let agent = asserted.agent;
        let mut shelves = self.write();
        let asserted = Arc::new(asserted);
        let shelf = shelves.agents.entry(agent).or_insert_with(|| Shelf {
            asserted: Arc::clone(&asserted),
            lease: 0,
            containers: HashMap::new(),
            snapshot: None,
            view: OnceLock::new(),
        });
        shelf.asserted = asserted;
        shelf.lease += 1;
        shelf.snapshot = None;
        Lease { agent, number: shelf.lease }
    }

    /// Ends a connection's reports: its containers leave the list at once, unless a newer connection has taken over.
    pub fn detach(&self, lease: &Lease) {
        let mut shelves = self.write();
        let Shelves { agents, instances } = &mut *shelves;
        if agents.get(&lease.agent).is_some_and(|shelf| shelf.lease == lease.number)
            && let Some(shelf) = agents.remove(&lease.agent)
        {
            shelf.containers.values().for_each(|container| instances.forget(container));
        }
    }

    /// A part of a snapshot; with the last one, what it did not name is gone. Reports that overstep are left out and returned.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn snapshot(&self, lease: &Lease, reports: Vec<ContainerReport>, more: bool) -> Result<Vec<Overstep>, TooMany> {
        let mut oversteps = Vec::new();
        self.change(lease, |shelf, instances| {
            let mut snapshot = shelf.snapshot.take().unwrap_or_default();
            for report in reports {
                match ingest::container(&shelf.asserted, report) {
                    Ok(Some(container)) => drop(put(&mut snapshot, container)?),
                    Ok(None) => {}
                    Err(overstep) => oversteps.push(overstep),
                }
            }
            if more {
                shelf.snapshot = Some(snapshot);
            } else {
                let before = std::mem::replace(&mut shelf.containers, snapshot);
                before.values().for_each(|container| instances.forget(container));
                shelf.containers.values().for_each(|container| instances.note(container, &shelf.asserted));
            }
            Ok(())
        })?;
        if !more {
            self.gathering.no_longer(lease.agent);
        }
        Ok(oversteps)
    }

    /// A container that started or changed. One that oversteps is not taken, and how is returned.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn upsert(&self, lease: &Lease, report: ContainerReport) -> Result<Option<Overstep>, TooMany> {
        let mut overstep = None;
        self.change(lease, |shelf, instances| {
            let runtime_id = report.runtime_id.clone();
            let before = match ingest::container(&shelf.asserted, report) {
                Ok(Some(container)) => put(&mut shelf.containers, container)?,
                Ok(None) => None,
                Err(error) => {
                    overstep = Some(error);
                    shelf.containers.remove(&runtime_id)
                }
            };
            before.iter().for_each(|container| instances.forget(container));
            shelf.containers.get(&runtime_id).iter().for_each(|container| instances.note(container, &shelf.asserted));
            Ok(())
        })?;
        Ok(overstep)
    }

    /// A container that is gone.
    pub fn remove(&self, lease: &Lease, runtime_id: &str) {
        let removed = self.change(lease, |shelf, instances| {
            shelf.containers.remove(runtime_id).iter().for_each(|container| instances.forget(container));
            shelf.snapshot.iter_mut().for_each(|snapshot| drop(snapshot.remove(runtime_id)));
            Ok(())
        });
        debug_assert!(removed.is_ok(), "removing adds nothing");
    }

    /// Every container, in no order; of one that several agents report, one.
    pub fn all(&self) -> Vec<Arc<Container>> {
        self.view().containers().into_iter().cloned().collect()
    }

    /// The list of this moment, to be looked through while reports go on.
    pub fn view(&self) -> View {
        let shelves = self.read();
        View { shelves: shelves.agents.values().map(Shelf::view).collect(), hidden: shelves.instances.hidden() }
    }

    /// Those that `typed` may mean, and with them every other replica of their apps, which their short names depend on. What a
    /// name is resolved among, without asking policy about the rest.
    pub fn that_may_be(&self, typed: &str) -> Vec<Arc<Container>> {
        let shelves = self.read();
        let apps: std::collections::HashSet<&str> = shelves
            .containers()
            .filter(|container| names::may_mean(container, typed))
            .map(|container| container.app.as_str())
            .collect();
        shelves.containers().filter(|container| apps.contains(container.app.as_str())).cloned().collect()
    }

    /// How many containers an agent has.
    pub fn count(&self, agent: AgentId) -> usize {
        self.read().agents.get(&agent).map_or(0, |shelf| shelf.containers.len())
    }

    /// Runs `change` on the agent's shelf while the lease is the newest; a report of an older connection is dropped.
    fn change(
        &self,
        lease: &Lease,
        change: impl FnOnce(&mut Shelf, &mut Instances) -> Result<(), TooMany>,
    ) -> Result<(), TooMany> {
        let mut shelves = self.write();
        let Shelves { agents, instances } = &mut *shelves;
        match agents.get_mut(&lease.agent) {
            Some(shelf) if shelf.lease == lease.number => {
                shelf.view = OnceLock::new();
                change(shelf, instances)
            }
            _ => Ok(()),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Shelves> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelves> {
        self.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelves {
    fn containers(&self) -> impl Iterator<Item = &Arc<Container>> {
        let all = self.agents.values().flat_map(|shelf| shelf.containers.values());
        all.filter(|container| self.instances.shows(container))
    }
}

/// Puts `container` among `containers`; what was there under its id is returned.
fn put(containers: &mut HashMap<String, Arc<Container>>, container: Container) -> Result<Option<Arc<Container>>, TooMany> {
    if containers.len() >= CONTAINERS && !containers.contains_key(&container.runtime_id) {
        return Err(TooMany);
    }
    Ok(containers.insert(container.runtime_id.clone(), Arc::new(container)))
}

/// The most containers of one agent: a node has hundreds, a cluster's agent thousands.
pub const CONTAINERS: usize = 20_000;
