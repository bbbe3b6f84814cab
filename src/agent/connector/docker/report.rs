//! What the engine knows about a container, as the broker is told; and which containers the broker is not told of.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use rustix::process::Pid;

use crate::agent::connector::selection::{ROLE, Selection};
use crate::moment;
use crate::proto::Action;
use crate::proto::agent::{Capabilities, Cleanup, ContainerReport, Facts, LABELS, PAUSED, RESTARTING, RUNNING, label_fits};
use crate::proto::name::app_name;

/// What does not change while the agent runs.
#[derive(Debug, Clone, Default)]
pub(in crate::agent) struct Surroundings {
    /// The agent's own container, if it is in one.
    pub(super) own: Option<String>,
    /// What is served.
    pub(super) selection: Selection,
}

/// The report for `container` of an engine on `host`; nothing when it does not run, is not to be served, or is one of ours.
pub(in crate::agent) fn of(
    container: &ContainerInspectResponse,
    host: &str,
    surroundings: &Surroundings,
) -> Option<ContainerReport> {
    let id = container.id.clone()?;
    let state = state(container)?;
    let labels = container.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
    let label = |name: &str| labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let name = container.name.as_deref().unwrap_or_default().trim_start_matches('/').to_owned();
    let is_ours = surroundings.own.as_ref() == Some(&id) || runs_ours(container) || label(ROLE).is_some();
    if is_ours || is_pause(&label) || !surroundings.selection.admits(&name, label) {
        return None;
    }
    let image = container.config.as_ref().and_then(|config| config.image.clone()).unwrap_or_default();
    let (project, service) = (label("com.docker.compose.project"), label("com.docker.compose.service"));
    let app = service
        .or_else(|| label("app.kubernetes.io/name"))
        .or_else(|| label("app"))
        .or_else(|| label("io.kubernetes.container.name"))
        .unwrap_or_else(|| image_name(&image).unwrap_or(&name));
    let runs = state == RUNNING;
    let cleanup = if first_process(container).is_some() { Cleanup::Full } else { Cleanup::WithShell };
    let actions = [Action::List, Action::Logs]
        .into_iter()
        .chain(runs.then_some([Action::Shell, Action::Exec, Action::Copy, Action::Forward]).into_iter().flatten());
    Some(ContainerReport {
        instance: Some(id.clone()),
        runtime_id: id,
        app: app_name(app),
        image,
        location: host.to_owned(),
        runtime: "docker".to_owned(),
        state: state.to_owned(),
        started_at: started_at(container),
        namespace: None,
        facts: Facts {
            owner: project.zip(service).map(|(project, service)| format!("compose/{project}/{service}")),
            project: project.map(str::to_owned),
            service: service.map(str::to_owned),
            pod: label("io.kubernetes.pod.name").map(str::to_owned),
            container: label("io.kubernetes.container.name")
                .map(str::to_owned)
                .or_else(|| Some(name.clone()))
                .filter(|name| !name.is_empty()),
            kind: None,
            node: Some(host.to_owned()),
            health: health(container).map(str::to_owned),
            ports: ports(container),
        },
        labels: fitting(&labels),
        capabilities: Capabilities { login_switch: true, cleanup, ..Capabilities::of(actions) },
        name,
    })
}

/// The labels that travel.
fn fitting(labels: &HashMap<String, String>) -> BTreeMap<String, String> {
    let fitting: BTreeMap<_, _> = labels.iter().filter(|(key, value)| label_fits(key, value)).collect();
    fitting.into_iter().take(LABELS).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The container's first process, where the agent sees it and may look into its environment: on the engine's machine, or in a container
/// with that machine's process ids. A number that means another process here is not taken for it.
pub(super) fn first_process(container: &ContainerInspectResponse) -> Option<Pid> {
    let pid = i32::try_from(container.state.as_ref()?.pid?).ok().filter(|pid| *pid > 0)?;
    let id = container.id.as_deref()?;
    let tells = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).is_ok_and(|text| text.contains(id));
    let looks = File::open(format!("/proc/{pid}/environ")).and_then(|mut file| file.read(&mut [0]));
    (looks.is_ok() && (tells("cgroup") || tells("mountinfo"))).then(|| Pid::from_raw(pid)).flatten()
}

/// When the container's process started, in seconds since 1970.
fn started_at(container: &ContainerInspectResponse) -> u64 {
    let started = container.state.as_ref().and_then(|state| state.started_at.as_deref());
    started.and_then(moment::parse).unwrap_or(0)
}

/// The state in our words, of one that is there to be seen: an engine that starts it again and again is no reason to hide it.
fn state(container: &ContainerInspectResponse) -> Option<&'static str> {
    match container.state.as_ref()?.status? {
        ContainerStateStatusEnum::RUNNING => Some(RUNNING),
        ContainerStateStatusEnum::PAUSED => Some(PAUSED),
        ContainerStateStatusEnum::RESTARTING => Some(RESTARTING),
        _ => None,
    }
}

fn health(container: &ContainerInspectResponse) -> Option<&'static str> {
    match container.state.as_ref()?.health.as_ref()?.status? {
        HealthStatusEnum::HEALTHY => Some("healthy"),
        HealthStatusEnum::UNHEALTHY => Some("unhealthy"),
        HealthStatusEnum::STARTING => Some("starting"),
        _ => None,
    }
}

/// The ports that the image declares and those that are published.
fn ports(container: &ContainerInspectResponse) -> Vec<String> {
    let exposed = container.config.as_ref().and_then(|config| config.exposed_ports.as_ref());
    let published = container.network_settings.as_ref().and_then(|network| network.ports.as_ref());
    let mut ports: BTreeSet<String> = exposed.into_iter().flatten().cloned().collect();
    ports.extend(published.into_iter().flat_map(|ports| ports.keys().cloned()));
    ports.into_iter().collect()
}

/// `registry.example.com:5000/team/tomcat:10@sha256:…` is a `tomcat`; an image that is only an id has no name.
fn image_name(image: &str) -> Option<&str> {
    let name = image.rsplit('/').next()?.split('@').next()?.split(':').next()?;
    (!name.is_empty() && !image.starts_with("sha256:")).then_some(name)
}

/// A broker, or an agent that serves others. An agent in front of a container's own command is no reason to hide that.
fn runs_ours(container: &ContainerInspectResponse) -> bool {
    let program = container.path.as_deref().and_then(|path| path.rsplit('/').next());
    let verb = container.args.as_ref().and_then(|args| args.iter().find(|word| !word.starts_with('-')));
    match program {
        Some("ztbroker") => true,
        Some("ztagent") => verb.is_some_and(|verb| matches!(verb.as_str(), "docker" | "kubernetes" | "host")),
        _ => false,
    }
}

/// The container that holds a pod's namespaces and does nothing else.
fn is_pause<'a>(label: &impl Fn(&str) -> Option<&'a str>) -> bool {
    label("io.kubernetes.docker.type") == Some("podsandbox") || label("io.cri-containerd.kind") == Some("sandbox")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(change: serde_json::Value) -> ContainerInspectResponse {
        let mut container = serde_json::json!({
            "Id": "ab".repeat(32),
            "Name": "/shop-web-1",
            "Path": "catalina.sh",
            "Args": ["run"],
            "State": {"Status": "running", "StartedAt": "2026-01-31T09:30:00.123456789Z", "Pid": 7},
            "Config": {
                "Image": "registry.example.com:5000/team/tomcat:10",
                "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "team": "a"},
                "ExposedPorts": {"8080/tcp": {}}
            },
            "NetworkSettings": {"Ports": {"8080/tcp": null, "53/udp": null}}
        });
        merge(&mut container, change);
        serde_json::from_value(container).unwrap()
    }

    fn merge(into: &mut serde_json::Value, change: serde_json::Value) {
        match (into, change) {
            (serde_json::Value::Object(into), serde_json::Value::Object(change)) => {
                change.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(serde_json::Value::Null), value));
            }
            (into, change) => *into = change,
        }
    }

    fn report(change: serde_json::Value) -> Option<ContainerReport> {
        of(&container(change), "node-1", &Surroundings::default())
    }

    #[test]
    fn all_that_the_engine_knows_is_told() {
        let report = report(serde_json::json!({"State": {"Health": {"Status": "unhealthy"}}})).unwrap();
        assert_eq!((report.app.as_str(), report.name.as_str()), ("web", "shop-web-1"));
        assert_eq!((report.started_at, report.state.as_str()), (1_769_851_800, "running"));
        assert_eq!((report.location.as_str(), report.facts.node.as_deref()), ("node-1", Some("node-1")));
        assert_eq!(report.facts.owner.as_deref(), Some("compose/shop/web"));
        assert_eq!(report.facts.container.as_deref(), Some("shop-web-1"));
        assert_eq!(report.facts.health.as_deref(), Some("unhealthy"));
        assert_eq!(report.facts.ports, ["53/udp", "8080/tcp"]);
        assert_eq!(report.labels.get("team").map(String::as_str), Some("a"));
        assert!(report.capabilities.actions.allow(Action::Shell) && report.capabilities.login_switch);
    }

    #[test]
    fn an_app_is_named_by_what_says_it_best() {
        let app = |labels: serde_json::Value, image: &str| {
            let config = serde_json::json!({"Config": {"Labels": labels, "Image": image}});
            let mut container = container(serde_json::Value::Object(Default::default()));
            container.config = serde_json::from_value(config["Config"].clone()).unwrap();
            of(&container, "node-1", &Surroundings::default()).unwrap().app
        };
        assert_eq!(app(serde_json::json!({"app": "shop"}), "x"), "shop");
        assert_eq!(app(serde_json::json!({"app.kubernetes.io/name": "cart", "app": "shop"}), "x"), "cart");
        for image in ["tomcat", "tomcat:10", "reg:5000/a/tomcat", "tomcat@sha256:00", "reg/tomcat:1@sha256:00"] {
            assert_eq!(app(serde_json::json!({}), image), "tomcat", "{image}");
        }
        assert_eq!(app(serde_json::json!({"app": "\u{1b}[31m"}), "x"), "31m");
        assert_eq!(app(serde_json::json!({}), "sha256:00"), "shop-web-1");
    }

    #[test]
    fn one_that_cannot_be_entered_now_says_so() {
        let paused = report(serde_json::json!({"State": {"Status": "paused"}})).unwrap();
        assert!(paused.state == PAUSED && !paused.capabilities.actions.allow(Action::Exec));
        let restarting = report(serde_json::json!({"State": {"Status": "restarting"}})).unwrap();
        assert!(restarting.state == RESTARTING && restarting.capabilities.actions.allow(Action::Logs));
        for state in ["created", "exited", "dead", "removing"] {
            assert_eq!(report(serde_json::json!({"State": {"Status": state}})), None, "{state}");
        }
    }

    #[test]
    fn ours_pauses_and_those_taken_out_are_not_told() {
        for change in [
            serde_json::json!({"Path": "/usr/bin/ztbroker", "Args": ["serve"]}),
            serde_json::json!({"Path": "ztagent", "Args": ["--log-level", "docker"]}),
            serde_json::json!({"Path": "/ztagent", "Args": ["kubernetes"]}),
            serde_json::json!({"Config": {"Labels": {"ztctl.dev/role": "broker"}}}),
            serde_json::json!({"Config": {"Labels": {"ztctl.dev/access": "false"}}}),
            serde_json::json!({"Config": {"Labels": {"io.kubernetes.docker.type": "podsandbox"}}}),
        ] {
            assert_eq!(report(change.clone()), None, "{change}");
        }
        assert!(report(serde_json::json!({"Path": "/ztagent", "Args": ["run", "--", "catalina.sh"]})).is_some());
        let own = Surroundings { own: Some("ab".repeat(32)), ..Surroundings::default() };
        assert_eq!(of(&container(serde_json::json!({})), "node-1", &own), None);
    }

    #[test]
    fn a_label_of_a_megabyte_costs_only_itself() {
        let labels = serde_json::json!({"Config": {"Labels": {"huge": "x".repeat(1 << 20), "escape": "\u{1b}[2J"}}});
        let report = report(labels).unwrap();
        assert_eq!(
            report.labels.keys().map(String::as_str).collect::<Vec<_>>(),
            ["com.docker.compose.project", "com.docker.compose.service", "team"]
        );
    }
}
