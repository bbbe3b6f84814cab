//! A real Kubernetes for tests: the cluster that `ZTCTL_TEST_KUBECONFIG` names, whose pods run on this machine's Docker engine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::dock::Container;
use crate::peer;
use crate::serving::Serving;
use crate::world::World;

/// A namespace of one test, which goes with this.
pub struct Namespace {
    /// Its name.
    pub name: String,
}

impl Namespace {
    /// A new one, if there is a cluster.
    pub fn create() -> Option<Self> {
        let there = kubeconfig().is_some_and(|_| peer::succeeds(Command::new("kubectl").args(["version", "--client"])));
        if !peer::present("kubernetes", there) {
            return None;
        }
        let name = format!("ztctl-test-{:08x}", rand::random::<u32>());
        kubectl(&["create", "namespace", &name], "");
        let namespace = Self { name };
        // Pods are refused until the cluster has made this account.
        peer::within(Duration::from_secs(20), "service account", || {
            peer::succeeds(&mut command(&["get", "serviceaccount", "default", "--namespace", &namespace.name]))
        });
        Some(namespace)
    }

    /// What `kubectl ARGUMENTS` prints for this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&[&["--namespace", &self.name], arguments].concat(), "")
    }

    /// Applies objects, as YAML or JSON.
    pub fn apply(&self, objects: &str) {
        kubectl(&["--namespace", &self.name, "apply", "--filename", "-"], objects);
    }

    /// A pod `name` of one container that runs `command` of `image`, with more in its specification and its metadata.
    pub fn pod(&self, name: &str, image: &str, command: &[&str], more: &Value, metadata: &Value) {
        let mut container = json!({"name": "main", "image": image, "imagePullPolicy": "Never"});
        if !command.is_empty() {
            container["command"] = json!(command);
        }
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], "automountServiceAccountToken": false}
        });
        for (into, from) in [("spec", more), ("metadata", metadata)] {
            for (key, value) in from.as_object().into_iter().flatten() {
                pod[into][key] = value.clone();
            }
        }
        self.apply(&pod.to_string());
    }

    /// The container of a pod that runs, as the engine below sees it.
    pub fn container(&self, pod: &str) -> Container {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let status = self.kubectl(&["get", "pod", pod, "--output", "jsonpath={.status.containerStatuses[0]}"]);
            let status: Value = serde_json::from_str(&status).unwrap_or_default();
            if status["state"]["running"].is_object() {
                return Container::of(status["containerID"].as_str().unwrap().trim_start_matches("docker://"));
            }
            assert!(Instant::now() < deadline, "the pod {pod} does not run: {status:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Gives the service account `agent` of the namespace `of` the role that operators give, here.
    pub fn let_in(&self, of: &Self) {
        let role = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes/served/role.yaml"));
        let role = role
            .unwrap()
            .replace("    name: ztagent\n    namespace: ztctl", &format!("    name: agent\n    namespace: {}", of.name));
        assert!(role.contains(&of.name));
        self.apply(&role);
    }

    /// The kubeconfig of the service account `agent` of this namespace, which is made.
    pub fn agent_kubeconfig(&self, folder: &Path) -> PathBuf {
        self.kubectl(&["create", "serviceaccount", "agent"]);
        let token = self.kubectl(&["create", "token", "agent", "--duration", "1h"]);
        let config = kubectl(&["config", "view", "--raw", "--minify", "--flatten", "--output", "json"], "");
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["users"][0]["user"] = json!({"token": token.trim()});
        let file = folder.join(format!("kubeconfig-{}", self.name));
        std::fs::write(&file, config.to_string()).unwrap();
        file
    }

    /// The real `ztagent kubernetes` with no rights but what operators give it, serving this namespace and those that `more` names.
    pub async fn agent(&self, world: &World, more: &[&str]) -> Serving {
        let kubeconfig = self.agent_kubeconfig(world.state().parent().unwrap());
        self.let_in(self);
        let words = ["kubernetes", "--kubeconfig", &kubeconfig.display().to_string(), "--namespace", &self.name];
        Serving::start(world, false, &[&words, more].concat()).await
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let pods =
            ["delete", "pods,deployments", "--all", "--grace-period=0", "--force", "--wait=false", "--namespace", &self.name];
        let _ = command(&pods).output();
        let _ = command(&["delete", "namespace", &self.name, "--wait=false"]).output();
    }
}

/// What `kubectl ARGUMENTS` prints; it has to succeed.
pub fn kubectl(arguments: &[&str], input: &str) -> String {
    let mut child = command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(kubeconfig().unwrap()).args(arguments).stdin(Stdio::null());
    command
}

fn kubeconfig() -> Option<PathBuf> {
    std::env::var_os("ZTCTL_TEST_KUBECONFIG").map(PathBuf::from).filter(|file| file.is_file())
}
