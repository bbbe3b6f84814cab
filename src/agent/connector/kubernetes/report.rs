//! What a cluster knows about the containers of a pod, as the broker is told; and which it is not told of.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, EphemeralContainer, Pod};

use super::Rights;
use super::exec::Target;
use crate::agent::connector::selection::{ROLE, Selection};
use crate::proto::Action;
use crate::proto::agent::{
    Capabilities, Cleanup, ContainerReport, Facts, LABELS, RESTARTING, RUNNING, TERMINATING, label_fits,
};
use crate::proto::name::app_name;

/// The report for each container of `pod` that is to be listed, with where it is.
pub(in crate::agent) fn of(pod: &Pod, selection: &Selection, rights: Rights) -> Vec<(ContainerReport, Target)> {
    let (Some(name), Some(namespace), Some(uid)) = (&pod.metadata.name, &pod.metadata.namespace, &pod.metadata.uid) else {
        return Vec::new();
    };
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let label = |name: &str| labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
    // An annotation takes a pod out as well: labels of a workload that others own are not always one's to set.
    let annotations = pod.metadata.annotations.as_ref();
    let says = |name: &str| label(name).or_else(|| annotations.and_then(|all| all.get(name)).map(String::as_str));
    if label(ROLE).is_some() || !selection.admits(name, says) {
        return Vec::new();
    }
    let place =
        Place { pod, name, namespace, uid, labels: &labels, app: label("app.kubernetes.io/name").or_else(|| label("app")) };
    let mut reports = Vec::new();
    for (kind, statuses) in place.statuses() {
        for status in statuses {
            reports.extend(place.report(kind, status, rights));
        }
    }
    reports
}

/// A pod, and what all its containers have in common.
struct Place<'a> {
    pod: &'a Pod,
    name: &'a str,
    namespace: &'a str,
    uid: &'a str,
    labels: &'a BTreeMap<String, String>,
    app: Option<&'a str>,
}

/// What a container is in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ordinary,
    Init,
    Ephemeral,
}

/// What a container's specification says that matters here.
struct Specification<'a> {
    image: &'a str,
    command: &'a [String],
    arguments: &'a [String],
    ports: Vec<String>,
}

impl Place<'_> {
    fn statuses(&self) -> [(Kind, &[ContainerStatus]); 3] {
        let status = self.pod.status.as_ref();
        let slice = |kind| {
            let statuses = status.and_then(|status| match kind {
                Kind::Ordinary => status.container_statuses.as_deref(),
                Kind::Init => status.init_container_statuses.as_deref(),
                Kind::Ephemeral => status.ephemeral_container_statuses.as_deref(),
            });
            (kind, statuses.unwrap_or_default())
        };
        [slice(Kind::Ordinary), slice(Kind::Init), slice(Kind::Ephemeral)]
    }

    fn report(&self, kind: Kind, status: &ContainerStatus, rights: Rights) -> Option<(ContainerReport, Target)> {
        let (state, started_at) = state(status)?;
        let specification = self.specification(kind, &status.name)?;
        if runs_ours(&specification) {
            return None;
        }
        let may = |actions: &[Action], yes: bool| actions.iter().copied().filter(|_| yes).collect::<Vec<_>>();
        let actions = [
            may(&[Action::List], true),
            may(&[Action::Shell, Action::Exec, Action::Copy, Action::Forward], rights.exec && state == RUNNING),
            may(&[Action::Logs], rights.logs),
        ];
        let report = ContainerReport {
            runtime_id: format!("{}/{}", self.uid, status.name),
            name: self.name.to_owned(),
            app: self.app_of(kind, &status.name, specification.image),
            image: specification.image.to_owned(),
            location: format!("{}/{}", self.namespace, self.name),
            runtime: "kubernetes".to_owned(),
            state: state.to_owned(),
            started_at,
            namespace: Some(self.namespace.to_owned()),
            instance: status.container_id.as_deref().and_then(|id| id.rsplit("//").next()).map(str::to_owned),
            labels: self.fitting(),
            facts: Facts {
                owner: self.owner(),
                project: None,
                service: None,
                pod: Some(self.name.to_owned()),
                container: Some(status.name.clone()),
                kind: match kind {
                    Kind::Ordinary => None,
                    Kind::Init => Some("init".to_owned()),
                    Kind::Ephemeral => Some("ephemeral".to_owned()),
                },
                node: self.pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
                health: self.health(kind, status),
                ports: specification.ports,
            },
            capabilities: Capabilities { cleanup: Cleanup::WithShell, ..Capabilities::of(actions.concat()) },
        };
        let target = Target { namespace: self.namespace.to_owned(), pod: self.name.to_owned(), container: status.name.clone() };
        Some((report, target))
    }

    /// The pod's main container is called as the app is; what runs beside it adds its own name.
    fn app_of(&self, kind: Kind, container: &str, image: &str) -> String {
        let containers = self.pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let annotations = self.pod.metadata.annotations.as_ref();
        let named = annotations.and_then(|all| all.get("kubectl.kubernetes.io/default-container")).map(String::as_str);
        let main = named.or_else(|| containers.first().map(|first| first.name.as_str()));
        let app = self.app.unwrap_or_else(|| {
            let name = image.rsplit('/').next().unwrap_or(image);
            name.split(['@', ':']).next().unwrap_or(name)
        });
        if kind == Kind::Ordinary && main == Some(container) { app_name(app) } else { app_name(&format!("{app}-{container}")) }
    }

    /// A ReplicaSet's name is its Deployment's with the hash that its pods have as a label; so no right to look at either is needed.
    fn owner(&self) -> Option<String> {
        let owners = self.pod.metadata.owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
        let hash = self.labels.get("pod-template-hash").map(|hash| format!("-{hash}"));
        match hash.and_then(|hash| owner.name.strip_suffix(&hash)).filter(|_| owner.kind == "ReplicaSet") {
            Some(deployment) => Some(format!("deployment/{deployment}")),
            None => Some(format!("{}/{}", owner.kind.to_lowercase(), owner.name)),
        }
    }

    fn health(&self, kind: Kind, status: &ContainerStatus) -> Option<String> {
        if self.pod.metadata.deletion_timestamp.is_some() {
            return Some(TERMINATING.to_owned());
        }
        (kind == Kind::Ordinary).then(|| if status.ready { "ready" } else { "unready" }.to_owned())
    }

    fn specification(&self, kind: Kind, name: &str) -> Option<Specification<'_>> {
        let spec = self.pod.spec.as_ref()?;
        match kind {
            Kind::Ordinary => spec.containers.iter().find(|it| it.name == name).map(Specification::of),
            Kind::Init => spec.init_containers.iter().flatten().find(|it| it.name == name).map(Specification::of),
            Kind::Ephemeral => {
                spec.ephemeral_containers.iter().flatten().find(|it| it.name == name).map(Specification::of_ephemeral)
            }
        }
    }

    fn fitting(&self) -> BTreeMap<String, String> {
        let fitting = self.labels.iter().filter(|(key, value)| label_fits(key, value));
        fitting.take(LABELS).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

impl<'a> Specification<'a> {
    fn of(container: &'a Container) -> Self {
        let ports = container.ports.iter().flatten();
        Self {
            image: container.image.as_deref().unwrap_or_default(),
            command: container.command.as_deref().unwrap_or_default(),
            arguments: container.args.as_deref().unwrap_or_default(),
            ports: ports
                .map(|port| format!("{}/{}", port.container_port, port.protocol.as_deref().unwrap_or("TCP").to_lowercase()))
                .collect(),
        }
    }

    fn of_ephemeral(container: &'a EphemeralContainer) -> Self {
        Self {
            image: container.image.as_deref().unwrap_or_default(),
            command: container.command.as_deref().unwrap_or_default(),
            arguments: container.args.as_deref().unwrap_or_default(),
            ports: Vec::new(),
        }
    }
}

/// The state in our words, and when it began: of one that runs, or that is started again and again.
fn state(status: &ContainerStatus) -> Option<(&'static str, u64)> {
    let state = status.state.as_ref()?;
    if let Some(running) = &state.running {
        return Some((RUNNING, seconds(running.started_at.as_ref())));
    }
    let waiting = state.waiting.as_ref()?;
    if waiting.reason.as_deref() != Some("CrashLoopBackOff") {
        return None;
    }
    let last = status.last_state.as_ref().and_then(|last| last.terminated.as_ref());
    Some((RESTARTING, seconds(last.and_then(|last| last.started_at.as_ref()))))
}

fn seconds(time: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>) -> u64 {
    time.and_then(|time| u64::try_from(time.0.as_second()).ok()).unwrap_or(0)
}

/// A broker, or an agent that serves others, by the command that its pod names. An image of ours has our label as well.
fn runs_ours(specification: &Specification<'_>) -> bool {
    let mut words = specification.command.iter().chain(specification.arguments);
    let program = words.next().and_then(|word| word.rsplit('/').next());
    match program {
        Some("ztbroker") => true,
        Some("ztagent") => words.any(|word| matches!(word.as_str(), "docker" | "kubernetes" | "host")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ALL: Rights = Rights { exec: true, logs: true };

    fn pod() -> Value {
        json!({
            "metadata": {
                "name": "tomcat-6d4b75cb6d-x2x9q", "namespace": "shop", "uid": "6d7ab0a2-1111-2222-3333-444455556666",
                "labels": {"app": "tomcat", "pod-template-hash": "6d4b75cb6d", "team": "a"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "tomcat-6d4b75cb6d", "uid": "u", "controller": true}]
            },
            "spec": {
                "nodeName": "node-1",
                "containers": [
                    {"name": "main", "image": "registry/tomcat:10", "ports": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]},
                    {"name": "proxy", "image": "envoy:1"}
                ],
                "initContainers": [{"name": "migrate", "image": "migrate:1"}],
                "ephemeralContainers": [{"name": "debugger", "image": "busybox"}]
            },
            "status": {
                "containerStatuses": [
                    {"name": "main", "image": "i", "imageID": "", "restartCount": 0, "ready": true,
                     "containerID": format!("docker://{}", "ab".repeat(32)), "state": {"running": {"startedAt": "2026-01-31T09:30:00Z"}}},
                    {"name": "proxy", "image": "i", "imageID": "", "restartCount": 3, "ready": false,
                     "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                     "lastState": {"terminated": {"exitCode": 1, "startedAt": "2026-01-31T09:31:00Z"}}}
                ],
                "initContainerStatuses": [
                    {"name": "migrate", "image": "i", "imageID": "", "restartCount": 0, "ready": false,
                     "state": {"running": {"startedAt": "2026-01-31T09:29:00Z"}}}
                ],
                "ephemeralContainerStatuses": [
                    {"name": "debugger", "image": "i", "imageID": "", "restartCount": 0, "ready": false,
                     "state": {"running": {"startedAt": "2026-01-31T09:35:00Z"}}}
                ]
            }
        })
    }

    fn reports(pod: Value, rights: Rights) -> Vec<ContainerReport> {
        let pod: Pod = serde_json::from_value(pod).unwrap();
        of(&pod, &Selection::default(), rights).into_iter().map(|(report, _)| report).collect()
    }

    #[test]
    fn a_pod_is_a_row_for_each_container_that_runs() {
        let all = reports(pod(), ALL);
        let names: Vec<(&str, Option<&str>)> =
            all.iter().map(|report| (report.app.as_str(), report.facts.kind.as_deref())).collect();
        let expected = [
            ("tomcat", None),
            ("tomcat-proxy", None),
            ("tomcat-migrate", Some("init")),
            ("tomcat-debugger", Some("ephemeral")),
        ];
        assert_eq!(names, expected);
        let main = &all[0];
        assert_eq!(main.runtime_id, "6d7ab0a2-1111-2222-3333-444455556666/main");
        assert_eq!((main.started_at, main.instance.as_deref()), (1_769_851_800, Some("ab".repeat(32).as_str())));
        assert_eq!((main.namespace.as_deref(), main.location.as_str()), (Some("shop"), "shop/tomcat-6d4b75cb6d-x2x9q"));
        assert_eq!((main.facts.owner.as_deref(), main.facts.node.as_deref()), (Some("deployment/tomcat"), Some("node-1")));
        assert_eq!(
            (main.facts.health.as_deref(), &main.facts.ports[..]),
            (Some("ready"), &["8080/tcp".to_owned(), "53/udp".to_owned()][..])
        );
        assert_eq!(main.capabilities.cleanup, Cleanup::WithShell);
        let proxy = &all[1];
        assert_eq!((proxy.state.as_str(), proxy.started_at), (RESTARTING, 1_769_851_860));
        assert!(!proxy.capabilities.actions.allow(Action::Shell) && proxy.capabilities.actions.allow(Action::Logs));
    }

    #[test]
    fn what_the_agent_may_not_it_does_not_offer() {
        let actions = |rights| reports(pod(), rights)[0].capabilities.actions.to_string();
        assert_eq!(actions(ALL), "list,shell,exec,logs,copy,forward");
        assert_eq!(actions(Rights { exec: true, logs: false }), "list,shell,exec,copy,forward");
        assert_eq!(actions(Rights { exec: false, logs: true }), "list,logs");
    }

    #[test]
    fn owners_are_told_without_looking_at_them() {
        let owner = |kind: &str, name: &str| {
            let mut pod = pod();
            pod["metadata"]["ownerReferences"][0]["kind"] = kind.into();
            pod["metadata"]["ownerReferences"][0]["name"] = name.into();
            reports(pod, ALL)[0].facts.owner.clone().unwrap()
        };
        assert_eq!(owner("StatefulSet", "db"), "statefulset/db");
        assert_eq!(owner("ReplicaSet", "by-hand"), "replicaset/by-hand");
        let mut alone = pod();
        alone["metadata"].as_object_mut().unwrap().remove("ownerReferences");
        assert_eq!(reports(alone, ALL)[0].facts.owner, None);
    }

    #[test]
    fn ours_and_those_taken_out_are_not_told() {
        let changed = |pointer: &str, key: &str, value: Value| {
            let mut pod = pod();
            pod.pointer_mut(pointer).unwrap()[key] = value;
            reports(pod, ALL).len()
        };
        assert_eq!(changed("/metadata/labels", "ztctl.dev/access", "false".into()), 0);
        assert_eq!(changed("/metadata/labels", "ztctl.dev/role", "agent".into()), 0);
        assert_eq!(changed("/metadata", "annotations", json!({"ztctl.dev/access": "false"})), 0);
        assert_eq!(changed("/spec/containers/0", "command", json!(["/usr/bin/ztbroker", "serve"])), 3);
        assert_eq!(changed("/spec/containers/0", "args", json!(["ztagent", "run", "--", "x"])), 4);
        assert_eq!(changed("/metadata", "deletionTimestamp", "2026-01-31T10:00:00Z".into()), 4, "it still runs");
        assert_eq!(changed("/status", "containerStatuses", json!([])), 2);
    }

    #[test]
    fn without_labels_the_image_names_the_app() {
        let mut bare = pod();
        bare["metadata"]["labels"] = json!({});
        assert_eq!(reports(bare, ALL)[0].app, "tomcat");
    }
}
