//! A row as it travels. What of it is the same for every viewer is put together once for a container: a list has thousands of rows, and
//! whoever watches asks every second.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Container, Row};
use crate::proto::api::{ContainerRow, Origin};
use crate::proto::container::{Capabilities, Facts};

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

    /// Adds the JSON of [`Row::to_api`] to `body`.
    ///
    /// # Errors
    /// None that is known: texts and numbers have a JSON form.
    pub(in crate::broker) fn write(&self, body: &mut Vec<u8>) -> serde_json::Result<()> {
        let container = &*self.container;
        body.extend_from_slice(b"{\"id\":\"");
        body.extend_from_slice(container.id.digits().as_str().as_bytes());
        body.extend_from_slice(b"\",\"name\":");
        serde_json::to_writer(&mut *body, &self.name)?;
        body.push(b',');
        body.extend_from_slice(container.note.json(|| rest(container))?.as_bytes());
        Ok(())
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

/// What follows the short name in a row's JSON, its end included.
fn rest(container: &Container) -> serde_json::Result<String> {
    let rest = Rest {
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
    };
    let json = serde_json::to_string(&rest)?;
    Ok(json.strip_prefix('{').unwrap_or(&json).to_owned())
}

/// A [`ContainerRow`] without its id and its short name.
#[derive(Debug, Serialize)]
struct Rest<'a> {
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
