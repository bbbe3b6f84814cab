//! One container that several agents report is one row: which of them is shown.
//!
//! The agents say that it is one, by the container engine's own id, and an agent may lie. So only reports within one asserted cluster
//! are compared, what an enrolment asserts counts for more than what an agent says, and among equals the one that enrolled first is
//! shown: whoever comes later and claims another's container hides nobody but itself.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Asserted, Container};
use crate::proto::{AgentId, ContainerId};

/// Who reports which instance, and whose report is not shown.
#[derive(Debug, Default)]
pub(super) struct Instances {
    seen: HashMap<Instance, Vec<Sighting>>,
    /// Shared with whoever looks at the list.
    hidden: Arc<HashSet<ContainerId>>,
}

/// An engine's id within an asserted cluster.
type Instance = (Option<String>, String);

/// One agent's report; the greatest is shown.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sighting {
    rank: Rank,
    enrolled_at: Reverse<u64>,
    agent: Reverse<AgentId>,
    container: ContainerId,
}

/// How much a report says and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// An agent in the container itself, which knows the least about it.
    Inside,
    /// An agent that says it sees the container from outside.
    Outside,
    /// One whose enrolment says so.
    Docker,
    /// The same, and it knows the pod.
    Kubernetes,
}

impl Instances {
    /// Whose reports are not shown.
    pub(super) fn hidden(&self) -> Arc<HashSet<ContainerId>> {
        Arc::clone(&self.hidden)
    }

    /// Whether this report is the one to show.
    pub(super) fn shows(&self, container: &Container) -> bool {
        self.hidden.is_empty() || !self.hidden.contains(&container.id)
    }

    /// A report that counts from now on.
    pub(super) fn note(&mut self, container: &Container, asserted: &Asserted) {
        let Some(instance) = instance(container) else { return };
        let sightings = self.seen.entry(instance).or_default();
        sightings.push(Sighting {
            rank: Rank::of(container, asserted),
            enrolled_at: Reverse(asserted.enrolled_at),
            agent: Reverse(asserted.agent),
            container: container.id,
        });
        settle(sightings, &mut self.hidden);
    }

    /// A report that does not count any more.
    pub(super) fn forget(&mut self, container: &Container) {
        let Some(instance) = instance(container) else { return };
        show(&mut self.hidden, &container.id);
        if let Some(sightings) = self.seen.get_mut(&instance) {
            sightings.retain(|sighting| sighting.container != container.id);
            settle(sightings, &mut self.hidden);
            if sightings.is_empty() {
                self.seen.remove(&instance);
            }
        }
    }
}

impl Rank {
    fn of(container: &Container, asserted: &Asserted) -> Self {
        match (asserted.asserts.runtime.as_deref(), container.runtime.as_str()) {
            (Some("kubernetes"), _) => Self::Kubernetes,
            (Some("docker"), _) => Self::Docker,
            (_, "process" | "host") => Self::Inside,
            _ => Self::Outside,
        }
    }
}

#[cfg(test)]
impl Instances {
    /// Whether nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.hidden.is_empty()
    }
}

fn settle(sightings: &mut [Sighting], hidden: &mut Arc<HashSet<ContainerId>>) {
    sightings.sort();
    if let Some((shown, others)) = sightings.split_last() {
        show(hidden, &shown.container);
        if !others.is_empty() {
            Arc::make_mut(hidden).extend(others.iter().map(|other| other.container));
        }
    }
}

fn show(hidden: &mut Arc<HashSet<ContainerId>>, container: &ContainerId) {
    if hidden.contains(container) {
        Arc::make_mut(hidden).remove(container);
    }
}

fn instance(container: &Container) -> Option<Instance> {
    Some((container.cluster.clone(), container.instance.clone()?))
}
