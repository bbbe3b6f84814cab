//! Reports made harmless: bounded, without control characters, the app as a name.

use crate::broker::enrolment::RUNTIMES;
use crate::glob;
use crate::proto::ContainerId;
use crate::proto::agent::{ContainerReport, Facts, LABELS, invisible, label_fits};
use crate::proto::name::app_name;

use super::{Asserted, Container, Note, Overstep};

/// The container that `report` describes, or none where its runtime id is of no use.
///
/// # Errors
/// [`Overstep`] when the report says what the agent's enrolment does not allow.
pub(super) fn container(asserted: &Asserted, report: ContainerReport) -> Result<Option<Container>, Overstep> {
    if report.runtime_id.is_empty() || report.runtime_id.len() > RUNTIME_ID || report.runtime_id.chars().any(char::is_control) {
        return Ok(None);
    }
    let namespace = namespace(asserted, report.namespace)?;
    if asserted.asserts.runtime.as_ref().is_some_and(|runtime| *runtime != report.runtime) {
        return Err(Overstep::Runtime(harmless(&report.runtime)));
    }
    let id = ContainerId::of(asserted.agent, &report.runtime_id);
    let app = app_name(&report.app);
    let labels = report.labels.into_iter().filter(|(key, value)| label_fits(key, value)).take(LABELS).collect();
    Ok(Some(Container {
        id,
        agent: asserted.agent,
        agent_name: asserted.name.clone(),
        cluster: asserted.asserts.cluster.clone(),
        namespace,
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
        instance: report.instance.filter(|instance| is_instance(instance)),
        facts: facts(report.facts),
        capabilities: report.capabilities,
        note: Note::default(),
    }))
}

/// The namespace that counts: what the agent says where its enrolment allows it, or the only one that there can be.
fn namespace(asserted: &Asserted, claimed: Option<String>) -> Result<Option<String>, Overstep> {
    match (asserted.asserts.namespaces.as_slice(), claimed) {
        ([], _) => Ok(None),
        ([only], None) if !only.contains('*') => Ok(Some(only.clone())),
        (_, None) => Ok(None),
        (allowed, Some(claimed)) => {
            // A namespace's name is a DNS label, and what is none is nobody's.
            let is_label = claimed.len() <= 63 && claimed.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
            if is_label && allowed.iter().any(|pattern| glob::matches(pattern, &claimed)) {
                Ok(Some(claimed))
            } else {
                Err(Overstep::Namespace(harmless(&claimed)))
            }
        }
    }
}

fn facts(facts: Facts) -> Facts {
    let one = |text: Option<String>| text.map(|text| harmless(&text)).filter(|text| !text.is_empty());
    Facts {
        owner: one(facts.owner),
        project: one(facts.project),
        service: one(facts.service),
        pod: one(facts.pod),
        container: one(facts.container),
        kind: one(facts.kind),
        node: one(facts.node),
        health: one(facts.health),
        ports: facts.ports.into_iter().filter(|port| is_port(port)).take(PORTS).collect(),
    }
}

fn is_port(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(port, protocol)| port.parse::<u16>().is_ok() && matches!(protocol, "tcp" | "udp" | "sctp"))
}

/// The ids of container engines are 64 hexadecimal digits.
fn is_instance(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
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

/// The most bytes of a runtime's id: Docker's and Kubernetes' have 64.
const RUNTIME_ID: usize = 128;

/// The most bytes of a text: a registry path with a digest is the longest.
const TEXT: usize = 512;

/// The most ports of a container.
const PORTS: usize = 64;
