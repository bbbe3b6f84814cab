//! What is told of a container beside its names, the same from the agent to the broker and from the broker to the client.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Actions;

/// What a runtime knows about a container, where it knows such a thing. All of it is text of the runtime's and made harmless at ingest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts<S = String> {
    /// What starts another one in its place: `deployment/tomcat`, `compose/shop/web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<S>,
    /// The project of Docker Compose that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<S>,
    /// The service in that project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<S>,
    /// The pod of Kubernetes that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<S>,
    /// Its name in the pod, or for the engine, as `docker ps` shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<S>,
    /// What it is in the pod where it is no ordinary container: `init`, `ephemeral`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<S>,
    /// The machine that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<S>,
    /// What its health check says: `healthy`, `unhealthy`, `starting`; in Kubernetes `ready`, `unready`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<S>,
    /// The ports that it declares: `8080/tcp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<S>,
}

/// What a connector can do for a container; what it cannot is refused before anything is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The actions that it can serve, as the container is now.
    pub actions: Actions,
    /// Whether a session can run as another user than the container's own.
    pub login_switch: bool,
    /// Whether there is a user to be when none is named; a host has none of its own.
    #[serde(default = "yes")]
    pub default_login: bool,
    /// What can be done about processes that a session leaves behind.
    #[serde(default)]
    pub cleanup: Cleanup,
}

/// How surely a session's processes end with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cleanup {
    /// The agent sees the processes and ends them.
    #[default]
    Full,
    /// A second command in the container ends them: it takes a shell there, and ends what the container's own user may end.
    WithShell,
}

impl Capabilities {
    /// The capabilities of a container whose sessions are the agent's own children.
    pub fn of(actions: impl IntoIterator<Item = super::Action>) -> Self {
        let actions = actions.into_iter().collect();
        Self { actions, login_switch: false, default_login: true, cleanup: Cleanup::Full }
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::of([])
    }
}

/// Whether a label travels as it is. It goes into policy as it is or not at all: one that was changed could match what it was not.
pub fn label_fits(key: &str, value: &str) -> bool {
    let clean = |text: &str| text.len() <= LABEL && !text.chars().any(|letter| letter.is_control() || invisible(letter));
    !key.is_empty() && clean(key) && clean(value)
}

/// Marks of writing direction, zero-width letters, line and paragraph separators.
pub fn invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The most labels of a container that count.
pub const LABELS: usize = 64;

/// The most bytes of a label's key or value.
const LABEL: usize = 512;

fn yes() -> bool {
    true
}

/// One container as its agent reports it. All text is what the runtime or the workload says and is made harmless at ingest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerReport {
    /// The runtime's own id, unique at this agent: at most 128 bytes.
    pub runtime_id: String,
    /// The runtime's name for it.
    pub name: String,
    /// What it is a replica of.
    pub app: String,
    /// The image; empty where there is none.
    pub image: String,
    /// Where it runs, in words: the host's name.
    pub location: String,
    /// `process`, `host`, `docker`, `kubernetes`.
    pub runtime: String,
    /// What the runtime says: `running`, `paused` …
    pub state: String,
    /// When it started, in seconds since 1970.
    pub started_at: u64,
    /// The labels that the workload claims.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The namespace that it is in; only one that the agent's enrolment allows counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The container engine's own id for it, which is the same whichever connector reports it: two that report one are one row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What else the runtime knows.
    #[serde(flatten)]
    pub facts: Facts,
    /// What the connector can do for it.
    pub capabilities: Capabilities,
}

impl ContainerReport {
    /// Whether processes run in it, even if they are held.
    pub fn runs(&self) -> bool {
        matches!(self.state.as_str(), RUNNING | PAUSED)
    }

    /// Whether this is still the run of the container that `earlier` tells of, and not another start of it.
    pub fn is_run_of(&self, earlier: &Self) -> bool {
        self.runs() && self.started_at == earlier.started_at && self.instance == earlier.instance
    }
}

/// The state of a container in which processes run.
pub const RUNNING: &str = "running";

/// The state of a container whose processes are held.
pub const PAUSED: &str = "paused";

/// The [`Facts::health`] of a container whose end is on its way.
pub const TERMINATING: &str = "terminating";

/// The state of a container whose process has ended and will be started again.
pub const RESTARTING: &str = "restarting";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Action;

    #[test]
    fn an_agent_of_an_older_version_can_what_it_always_could() {
        let read: Capabilities = serde_json::from_str(r#"{"actions":["list","shell"],"login_switch":true}"#).unwrap();
        assert_eq!(read, Capabilities { login_switch: true, ..Capabilities::of([Action::List, Action::Shell]) });
    }
}
