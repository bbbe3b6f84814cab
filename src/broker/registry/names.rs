//! Short names, and what a typed name means.
//!
//! `<app>-<digits>` with the fewest digits (3 or more) that tell the container from every other of the same app that the viewer
//! sees. Exact beats prefix; more than one match is never guessed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::Container;
use crate::proto::ContainerId;
use crate::proto::api::{ContainerRow, Origin};
use crate::proto::container::{Capabilities, Facts};

/// A container under the name that one viewer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The container.
    pub container: Arc<Container>,
    /// Its shortest unique name for this viewer.
    pub name: String,
}

/// A [`ContainerRow`] that is about to travel: of a list there are thousands.
#[derive(Debug, Serialize)]
pub(in crate::broker) struct Listed<'a> {
    id: ContainerId,
    name: &'a str,
    full_name: &'a str,
    app: &'a str,
    image: &'a str,
    location: &'a str,
    state: &'a str,
    started_at: u64,
    agent: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    runtime: &'a str,
    #[serde(flatten)]
    facts: &'a Facts,
    capabilities: &'a Capabilities,
}

/// What a typed name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This one.
    One(Row),
    /// Any of these; ask.
    Ambiguous(Vec<Row>),
    /// None that the viewer sees.
    None,
}

impl Row {
    /// What its successors have in common with it.
    pub fn origin(&self) -> Origin {
        let container = &*self.container;
        Origin {
            owner: container.facts.owner.clone(),
            cluster: container.cluster.clone(),
            namespace: container.namespace.clone(),
            agent: container.agent_name.clone(),
            started_at: container.started_at,
        }
    }

    /// The row as it travels, without a copy of what it is made of.
    pub(in crate::broker) fn listed(&self) -> Listed<'_> {
        let container = &*self.container;
        Listed {
            id: container.id,
            name: &self.name,
            full_name: &container.full_name,
            app: &container.app,
            image: &container.image,
            location: &container.location,
            state: &container.state,
            started_at: container.started_at,
            agent: &container.agent_name,
            labels: &container.labels,
            cluster: container.cluster.as_deref(),
            namespace: container.namespace.as_deref(),
            runtime: &container.runtime,
            facts: &container.facts,
            capabilities: &container.capabilities,
        }
    }

    /// The row as programs have it.
    pub fn to_api(&self) -> ContainerRow {
        let container = &*self.container;
        ContainerRow {
            id: container.id,
            name: self.name.clone(),
            full_name: container.full_name.clone(),
            app: container.app.clone(),
            image: container.image.clone(),
            location: container.location.clone(),
            state: container.state.clone(),
            started_at: container.started_at,
            agent: container.agent_name.clone(),
            labels: container.labels.clone(),
            cluster: container.cluster.clone(),
            namespace: container.namespace.clone(),
            runtime: container.runtime.clone(),
            facts: container.facts.clone(),
            capabilities: container.capabilities.clone(),
        }
    }
}

/// The rows for a viewer who sees exactly `containers`, sorted by name.
pub fn rows(mut containers: Vec<Arc<Container>>) -> Vec<Row> {
    // Ids are in the order of their digits.
    containers.sort_unstable_by(|a, b| (&a.app, a.id).cmp(&(&b.app, b.id)));
    containers.dedup_by_key(|container| container.id);
    let name = |index: usize| {
        let container = containers.get(index)?;
        let digits = container.id.digits();
        // In sorted order the one that shares the most digits is a neighbour.
        let shared = [index.checked_sub(1), index.checked_add(1)]
            .into_iter()
            .flatten()
            .filter_map(|neighbour| containers.get(neighbour))
            .filter(|neighbour| neighbour.app == container.app)
            .map(|neighbour| common(digits.as_str(), neighbour.id.digits().as_str()))
            .max();
        let length = (shared.unwrap_or(0) + 1).clamp(SHORTEST, ID_DIGITS);
        Some([container.app.as_str(), "-", digits.as_str().get(..length)?].concat())
    };
    let names: Vec<String> = (0..containers.len()).filter_map(name).collect();
    names.into_iter().zip(containers).map(|(name, container)| Row { container, name }).collect()
}

/// What `typed` means to the viewer of `rows`: a short name, a full name or an id exactly, else a unique beginning of one.
pub fn resolve(typed: &str, rows: &[Row]) -> Resolution {
    let exact = |row: &&Row| row.name == typed || row.container.full_name == typed || row.container.id.to_string() == typed;
    let found: Vec<&Row> = rows.iter().filter(exact).collect();
    let found = if found.is_empty() { rows.iter().filter(|row| may_mean(&row.container, typed)).collect() } else { found };
    match found.as_slice() {
        [] => Resolution::None,
        [row] => Resolution::One((*row).clone()),
        several => Resolution::Ambiguous(several.iter().map(|row| (*row).clone()).collect()),
    }
}

/// Whether `typed` begins, or is, one of the container's names: `<app>-<all digits>` or the digits alone.
pub(in crate::broker) fn may_mean(container: &Container, typed: &str) -> bool {
    if container.full_name.starts_with(typed) {
        return true;
    }
    // The digits alone, or more of them than the full name has.
    let app = typed.strip_prefix(container.app.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let digits = app.unwrap_or(typed);
    digits.len() <= ID_DIGITS && digits.bytes().all(hexadecimal) && container.id.to_string().starts_with(digits)
}

fn hexadecimal(digit: u8) -> bool {
    matches!(digit, b'0'..=b'9' | b'a'..=b'f')
}

fn common(a: &str, b: &str) -> usize {
    a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count()
}

/// The fewest digits of a short name.
const SHORTEST: usize = 3;

const ID_DIGITS: usize = 32;
