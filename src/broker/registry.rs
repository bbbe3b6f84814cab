//! Which containers there are, in memory: what connected agents report, made harmless, under ids and names of the broker's.
//!
//! What an agent or a workload says never becomes an id, an assertion or a name as it is. Rows live as long as the control
//! connection that reported them.

mod ingest;
mod names;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::proto::agent::{Capabilities, ContainerReport};
use crate::proto::{AgentId, ContainerId};

pub(super) use ingest::harmless;
pub(super) use names::may_mean;
pub use names::{Resolution, Row, resolve, rows};

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
    /// What the enrolment asserts.
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
    /// What the connector can do for it.
    pub capabilities: Capabilities,
}

/// What the broker itself knows about an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asserted {
    /// The agent.
    pub agent: AgentId,
    /// The name under which it enrolled.
    pub name: String,
    /// The cluster that its join token asserted.
    pub cluster: Option<String>,
    /// The namespace that its join token asserted.
    pub namespace: Option<String>,
}

/// The containers of all connected agents.
#[derive(Debug, Default)]
pub struct Registry {
    agents: RwLock<HashMap<AgentId, Shelf>>,
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

impl Registry {
    /// Lets a new control connection report. What an older one of the same agent reported stays until the new snapshot is whole,
    /// so that a reconnect does not make the list flicker.
    pub fn attach(&self, asserted: Asserted) -> Lease {
        let agent = asserted.agent;
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        let asserted = Arc::new(asserted);
        let shelf = agents.entry(agent).or_insert_with(|| Shelf {
            asserted: Arc::clone(&asserted),
            lease: 0,
            containers: HashMap::new(),
            snapshot: None,
        });
        shelf.asserted = asserted;
        shelf.lease += 1;
        shelf.snapshot = None;
        Lease { agent, number: shelf.lease }
    }

    /// Ends a connection's reports: its containers leave the list at once, unless a newer connection has taken over.
    pub fn detach(&self, lease: &Lease) {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        if agents.get(&lease.agent).is_some_and(|shelf| shelf.lease == lease.number) {
            agents.remove(&lease.agent);
        }
    }

    /// A part of a snapshot; with the last one, what it did not name is gone.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn snapshot(&self, lease: &Lease, reports: Vec<ContainerReport>, more: bool) -> Result<(), TooMany> {
        self.change(lease, |shelf| {
            let mut snapshot = shelf.snapshot.take().unwrap_or_default();
            for report in reports {
                shelf.put(&mut snapshot, report)?;
            }
            if more {
                shelf.snapshot = Some(snapshot);
            } else {
                shelf.containers = snapshot;
            }
            Ok(())
        })
    }

    /// A container that started or changed.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn upsert(&self, lease: &Lease, report: ContainerReport) -> Result<(), TooMany> {
        self.change(lease, |shelf| {
            let mut containers = std::mem::take(&mut shelf.containers);
            let put = shelf.put(&mut containers, report);
            shelf.containers = containers;
            put
        })
    }

    /// A container that is gone.
    pub fn remove(&self, lease: &Lease, runtime_id: &str) {
        let removed = self.change(lease, |shelf| {
            shelf.containers.remove(runtime_id);
            shelf.snapshot.iter_mut().for_each(|snapshot| drop(snapshot.remove(runtime_id)));
            Ok(())
        });
        debug_assert!(removed.is_ok(), "removing adds nothing");
    }

    /// Every container, in no order.
    pub fn all(&self) -> Vec<Arc<Container>> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::with_capacity(agents.values().map(|shelf| shelf.containers.len()).sum());
        all.extend(agents.values().flat_map(|shelf| shelf.containers.values().cloned()));
        all
    }

    /// Those that `typed` may mean, and with them every other replica of their apps, which their short names depend on. What a
    /// name is resolved among, without asking policy about the rest.
    pub fn that_may_be(&self, typed: &str) -> Vec<Arc<Container>> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        let containers = || agents.values().flat_map(|shelf| shelf.containers.values());
        let apps: std::collections::HashSet<&str> = containers()
            .filter(|container| names::may_mean(container, typed))
            .map(|container| container.app.as_str())
            .collect();
        containers().filter(|container| apps.contains(container.app.as_str())).cloned().collect()
    }

    /// How many containers an agent has.
    pub fn count(&self, agent: AgentId) -> usize {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        agents.get(&agent).map_or(0, |shelf| shelf.containers.len())
    }

    /// Runs `change` on the agent's shelf while the lease is the newest; a report of an older connection is dropped.
    fn change(&self, lease: &Lease, change: impl FnOnce(&mut Shelf) -> Result<(), TooMany>) -> Result<(), TooMany> {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        match agents.get_mut(&lease.agent) {
            Some(shelf) if shelf.lease == lease.number => change(shelf),
            _ => Ok(()),
        }
    }
}

impl Shelf {
    /// Puts what `report` says, made harmless, into `containers`. A report without a usable id is dropped.
    fn put(&self, containers: &mut HashMap<String, Arc<Container>>, report: ContainerReport) -> Result<(), TooMany> {
        let Some(container) = ingest::container(&self.asserted, report) else {
            return Ok(());
        };
        if containers.len() >= CONTAINERS && !containers.contains_key(&container.runtime_id) {
            return Err(TooMany);
        }
        containers.insert(container.runtime_id.clone(), Arc::new(container));
        Ok(())
    }
}

/// The most containers of one agent: a node has hundreds, a cluster's agent thousands.
pub const CONTAINERS: usize = 20_000;
