//! Reports made harmless: bounded, without control characters, the app as a name.

use crate::proto::ContainerId;
use crate::proto::agent::ContainerReport;
use crate::proto::name::app_name;

use super::{Asserted, Container};

/// The container that `report` describes, or none where its runtime id is of no use.
pub(super) fn container(asserted: &Asserted, report: ContainerReport) -> Option<Container> {
    if report.runtime_id.is_empty() || report.runtime_id.len() > RUNTIME_ID || report.runtime_id.chars().any(char::is_control) {
        return None;
    }
    let id = ContainerId::of(asserted.agent, &report.runtime_id);
    let app = app_name(&report.app);
    let labels = report.labels.into_iter().filter(|(key, value)| label_fits(key, value)).take(LABELS).collect();
    Some(Container {
        id,
        agent: asserted.agent,
        agent_name: asserted.name.clone(),
        cluster: asserted.cluster.clone(),
        namespace: asserted.namespace.clone(),
        full_name: format!("{app}-{}", id.short()),
        app,
        runtime_id: report.runtime_id,
        runtime: if RUNTIMES.contains(&report.runtime.as_str()) { report.runtime } else { "other".to_owned() },
        name: harmless(&report.name),
        image: harmless(&report.image),
        location: harmless(&report.location),
        state: harmless(&report.state),
        started_at: report.started_at,
        labels,
        capabilities: report.capabilities,
    })
}

/// `text` without what could steer a terminal, forge a line or turn the reading direction, and not longer than [`TEXT`] bytes.
pub(in crate::broker) fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len().min(TEXT));
    for letter in text.chars().filter(|letter| !letter.is_control() && !invisible(*letter)) {
        if harmless.len() + letter.len_utf8() > TEXT {
            break;
        }
        harmless.push(letter);
    }
    harmless
}

/// A label goes into policy as it is or not at all: one that was changed could match what it was not.
fn label_fits(key: &str, value: &str) -> bool {
    let clean = |text: &str| text.len() <= LABEL && !text.chars().any(|letter| letter.is_control() || invisible(letter));
    !key.is_empty() && clean(key) && clean(value)
}

/// Marks of writing direction, zero-width letters, line and paragraph separators.
fn invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The words of the connectors that there are.
const RUNTIMES: [&str; 4] = ["process", "host", "docker", "kubernetes"];

/// The most bytes of a runtime's id: Docker's and Kubernetes' have 64.
const RUNTIME_ID: usize = 128;

/// The most bytes of a text: a registry path with a digest is the longest.
const TEXT: usize = 512;

/// The most labels of a container, and bytes of one's key or value.
const LABELS: usize = 64;
const LABEL: usize = 512;
