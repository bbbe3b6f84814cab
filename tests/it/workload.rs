//! An agent in a cluster, set up as operators do it: by `kubectl apply -k` of `deploy/kubernetes`, joined by its service account.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use ztctl::broker::config::{Cluster, Source};

use crate::cluster::{Namespace, kubectl};
use crate::dock;
use crate::peer;
use crate::serving::Serving;
use crate::world::{OPEN, World};

const POLICY: &str = r#"
permit (principal, action, resource) when { resource has cluster && resource.cluster == "prod" && resource has namespace };
"#;

/// A broker that knows the test cluster as `prod`, whose agent is `ztagent` in `account` and may serve `served`.
async fn world(policy: &str, account: &Namespace, served: &Namespace) -> World {
    let keys = kubectl(&["get", "--raw", "/openid/v1/jwks"], "");
    World::configured("127.0.0.1", policy, |config| {
        let file = config.state.parent().unwrap().join("jwks.json");
        std::fs::write(&file, keys).unwrap();
        config.clusters.push(Cluster {
            name: "prod".to_owned(),
            issuer: "https://kubernetes.default.svc".to_owned(),
            keys: Source::File(file),
            namespace: account.name.clone(),
            service_account: "ztagent".to_owned(),
            namespaces: vec![served.name.clone()],
        });
    })
    .await
}

/// Copies what is deployed and makes it this test's: its namespaces instead of `ztctl` and `shop`.
fn copy(from: &Path, to: &Path, own: &Namespace, served: &Namespace) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name), own, served);
        } else {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let text = text.replace("namespace: ztctl", &format!("namespace: {}", own.name));
            let text = text.replace("name: ztctl\n  labels:", &format!("name: {}\n  labels:", own.name));
            std::fs::write(to.join(name), text.replace("namespace: shop", &format!("namespace: {}", served.name))).unwrap();
        }
    }
}

/// What a cluster of one machine without a network of its own needs: the pod has the machine's, and the image is there.
fn overlay(folder: &Path) -> String {
    let (host, port) = {
        let server = kubectl(&["config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}"], "");
        let server: url::Url = server.parse().unwrap();
        (server.host_str().unwrap().to_owned(), server.port().unwrap_or(443))
    };
    let patch = json!([
        {"op": "add", "path": "/spec/template/spec/hostNetwork", "value": true},
        {"op": "add", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 1},
        {"op": "add", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "Never"},
        {"op": "add", "path": "/spec/template/spec/containers/0/env", "value": [
            {"name": "KUBERNETES_SERVICE_HOST", "value": host},
            {"name": "KUBERNETES_SERVICE_PORT", "value": port.to_string()}
        ]}
    ]);
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": ["../example"],
        "images": [{"name": "registry.example.com/ztagent", "newName": "ztagent", "newTag": "test"}],
        "patches": [{"target": {"kind": "Deployment", "name": "ztagent"}, "patch": patch.to_string()}]
    });
    std::fs::create_dir(folder.join("test")).unwrap();
    std::fs::write(folder.join("test/kustomization.yaml"), kustomization.to_string()).unwrap();
    folder.join("test").display().to_string()
}

fn image(agent: &Path) {
    let dockerfile = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/docker/Dockerfile")).unwrap();
    dock::build("ztagent:test", &[(agent, "ztagent")], &dockerfile);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_joins_by_itself_and_keeps_its_names() {
    let Some(agent) = peer::static_agent() else { return };
    let Some(busybox) = dock::busybox() else { return };
    let (Some(own), Some(served)) = (Namespace::create(), Namespace::create()) else { return };
    image(&agent);
    let world = world(POLICY, &own, &served).await;
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes"), folder.path(), &own, &served);
    // As `ztbroker cluster env prod >ztagent.env` does it.
    let environment = Command::new(env!("CARGO_BIN_EXE_ztbroker"))
        .args(["cluster", "env", "prod", "--state"])
        .arg(world.state())
        .output()
        .unwrap();
    assert!(environment.status.success(), "{}", String::from_utf8_lossy(&environment.stderr));
    std::fs::write(folder.path().join("example/ztagent.env"), environment.stdout).unwrap();
    kubectl(&["apply", "--kustomize", &overlay(folder.path())], "");

    served.pod("web", busybox, &[], &json!({}), &json!({}));
    served.container("web");
    let ada = world.person("ada", &[]).await;
    let name = ada.names_within(1, Duration::from_secs(60)).await.remove(0);
    assert_eq!(ada.run(&["exec", &name, "--", "echo", "in"]).await.stdout, "in\n", "policy relies on what is asserted");
    let list = ada.run(&["ls", "--output", "json"]).await;
    assert!(list.stdout.contains("\"agent\": \"prod\"") && list.stdout.contains("\"cluster\": \"prod\""), "{}", list.stdout);

    // The container has no files but the agent's own, and no rights in it but what it was given.
    let pod = own.kubectl(&["get", "pods", "--output", "jsonpath={.items[0].metadata.name}"]);
    let id = own.container(&pod).id.clone();
    let user =
        dock::docker(&["inspect", "--format", "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}", &id]);
    assert_eq!(user.trim(), "65532:65532 true [ALL]");

    // A second pod waits for the place, and a new one has the old one's: the names of containers stay.
    own.kubectl(&["scale", "deployment/ztagent", "--replicas=2"]);
    own.kubectl(&["rollout", "status", "deployment/ztagent", "--timeout=60s"]);
    let log = |selector: &str| own.kubectl(&["logs", "--prefix", "--selector", selector, "--tail=-1"]);
    peer::within(Duration::from_secs(30), "word of the second pod", || {
        log("app.kubernetes.io/name=ztagent").contains("another pod of this service account is connected")
    });
    own.kubectl(&["delete", "pod", &pod, "--wait=false"]);
    let replaced = || {
        let joined = world_events(&world);
        joined.matches("agent_joined").count() >= 2
    };
    peer::within(Duration::from_secs(40), "other pod that joins", replaced);
    assert_eq!(ada.names_within(1, Duration::from_secs(20)).await, [name.as_str()]);
    assert_eq!(ada.run(&["exec", &name, "--", "echo", "again"]).await.stdout, "again\n");
    let events = world_events(&world);
    assert!(events.contains(&format!("system:serviceaccount:{}:ztagent, pod ztagent-", own.name)), "{events}");
}

fn world_events(world: &World) -> String {
    let audit = Command::new(env!("CARGO_BIN_EXE_ztbroker"))
        .args(["audit", "--output", "json", "--state"])
        .arg(world.state())
        .output()
        .unwrap();
    String::from_utf8_lossy(&audit.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_others_for_others_or_too_long_are_refused() {
    let (Some(own), Some(served)) = (Namespace::create(), Namespace::create()) else { return };
    let world = world(OPEN, &own, &served).await;
    for namespace in [&own, &served] {
        namespace.kubectl(&["create", "serviceaccount", "ztagent"]);
    }
    own.kubectl(&["create", "serviceaccount", "other"]);
    let row = world.admin.clusters().remove(0);
    let kubeconfig = std::env::var("ZTCTL_TEST_KUBECONFIG").unwrap();
    let attempt = |namespace: &Namespace, account: &str, audience: &str, duration: &str, cluster: &str| {
        let token = namespace.kubectl(&["create", "token", account, "--audience", audience, "--duration", duration]);
        let file = world.state().parent().unwrap().join(format!("token-{:08x}", rand::random::<u32>()));
        std::fs::write(&file, token).unwrap();
        let root = world.root().display().to_string();
        Serving::with(
            &world,
            &[
                ["kubernetes", "--kubeconfig", &kubeconfig, "--namespace", &served.name],
                ["--broker", &world.url, "--ca", &root, "--cluster-token-file"],
            ]
            .concat()
            .into_iter()
            .chain([file.display().to_string().as_str(), "--cluster", cluster, "--authorities", &row.authorities])
            .collect::<Vec<_>>(),
        )
    };
    for (namespace, account, audience, duration, cluster, expected) in [
        (&own, "ztagent", "https://other.example.com", "10m", "prod", "is for the audience [\"https://other.example.com\"]"),
        (&own, "ztagent", world.url.as_str(), "1h", "prod", "lives for 3600 s"),
        (&own, "other", world.url.as_str(), "10m", "prod", ":other, and the agent of the cluster prod is"),
        (&served, "ztagent", world.url.as_str(), "10m", "prod", "and the agent of the cluster prod is"),
        (&own, "ztagent", world.url.as_str(), "10m", "elsewhere", "has no cluster \"elsewhere\""),
    ] {
        let agent = attempt(namespace, account, audience, duration, cluster);
        peer::within(Duration::from_secs(10), expected, || agent.log().contains(expected));
        assert!(!agent.log().contains("connected to the broker"), "{}", agent.log());
    }
    assert!(world.admin.agents().await.unwrap().is_empty());
    let agent = attempt(&own, "ztagent", &world.url, "10m", "prod");
    peer::within(Duration::from_secs(10), "connection", || agent.log().contains("connected to the broker"));
}
