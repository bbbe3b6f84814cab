//! A real Kubernetes and `ztagent kubernetes`, which has no rights but those that operators give it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Namespace, kubectl};
use crate::dock;
use crate::peer;
use crate::same;
use crate::serving::Serving;
use crate::world::{Person, World};

const TOMCAT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: tomcat
spec:
  replicas: 2
  selector: {matchLabels: {app: tomcat}}
  template:
    metadata: {labels: {app: tomcat}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - {name: tomcat, image: "tomcat:local", imagePullPolicy: Never, ports: [{containerPort: 8080}]}
"#;

/// A world with one agent for one namespace, and a person.
async fn scene() -> Option<(World, Namespace, Serving, Person)> {
    dock::busybox()?;
    let namespace = Namespace::create()?;
    let world = World::with_policy(same::WITH_VARIABLES).await;
    let agent = namespace.agent(&world, &[]).await;
    let ada = world.person("ada", &[]).await;
    Some((world, namespace, agent, ada))
}

/// The rows of this person's list, as JSON, once they fit.
async fn rows(person: &Person, what: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        let said = person.run(&["ls", "--output", "json"]).await;
        let list: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stderr));
        let rows = list["containers"].as_array().unwrap();
        if fits(rows) {
            return rows.clone();
        }
        assert!(Instant::now() < deadline, "the list is not {what}: {list:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many containers of the namespace run, as the cluster tells everybody.
fn running(namespace: &Namespace) -> usize {
    let states =
        namespace.kubectl(&["get", "pods", "--output", "jsonpath={.items[*].status.containerStatuses[*].state.running}"]);
    states.matches("startedAt").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_article_step_by_step() {
    if !peer::tomcat() {
        return;
    }
    let Some((_world, namespace, _agent, ada)) = scene().await else { return };
    assert!(!ada.home().join(".kube").exists(), "a developer has no kubeconfig");
    ada.names(0).await;
    namespace.apply(TOMCAT);
    peer::within(Duration::from_secs(60), "pods that run", || running(&namespace) == 2);
    let names = ada.names_within(2, Duration::from_secs(1)).await;
    assert!(names.iter().all(|name| name.starts_with("tomcat-")), "{names:?}");
    let all = rows(&ada, "complete", |rows| rows.len() == 2).await;
    for row in &all {
        let expected = [
            ("app", "tomcat"),
            ("image", "tomcat:local"),
            ("runtime", "kubernetes"),
            ("owner", "deployment/tomcat"),
            ("state", "running"),
        ];
        for (key, value) in expected {
            assert_eq!(row[key], value, "{row:#}");
        }
        let place = format!("{}/{}", namespace.name, row["pod"].as_str().unwrap());
        assert_eq!((row["location"].as_str(), row["ports"][0].as_str()), (Some(place.as_str()), Some("8080/tcp")));
        assert_eq!(row["capabilities"]["cleanup"], "with_shell");
    }
    // Root in each, and each is itself.
    let mut hosts = Vec::new();
    for name in &names {
        let mut screen = same::shell(&ada, name);
        screen.type_keys("id -u; until ls logs | grep catalina; do sleep 0.1; done\r");
        screen.wait_until("root in a Tomcat", |screen| screen.contents().contains("\n0\ncatalina"));
        screen.type_keys("exit\r");
        assert_eq!(screen.wait_exit(), 0);
        screen.wait_as_before();
        hosts.push(ada.run(&["exec", name, "--", "hostname"]).await.stdout.trim().to_owned());
    }
    assert!(hosts[0] != hosts[1], "{hosts:?}");
    // One less is one row less.
    namespace.kubectl(&["scale", "deployment/tomcat", "--replicas=1"]);
    let left = ada.names_within(1, Duration::from_secs(30)).await;
    assert!(names.contains(&left[0]));
    // A rollout changes the rows; whoever was inside is told where it goes on.
    let screen = same::shell(&ada, &left[0]);
    namespace.kubectl(&["rollout", "restart", "deployment/tomcat"]);
    screen.wait_for("its container has stopped");
    screen.wait_for("deployment/tomcat goes on: its successor is");
    assert_eq!(screen.wait_exit(), 255);
    screen.wait_as_before();
    let after = ada.names_within(1, Duration::from_secs(30)).await;
    assert!(
        !names.contains(&after[0]) && screen.contents().contains(&format!("ztctl shell {}", after[0])),
        "{}",
        screen.contents()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_the_same_in_a_pod() {
    let Some((_world, namespace, _agent, ada)) = scene().await else { return };
    namespace.pod("one", "ztctl-test-busybox", &[], &json!({}), &json!({}));
    let container = namespace.container("one");
    let name = ada.names(1).await.remove(0);
    same::streams(&ada, &name, &container).await;
    same::files(&ada, &name).await;
    same::terminal(&ada, &name);
    // The only user is the container's own, and whoever wants another is refused before anything is signed.
    let other = ada.run(&["exec", &name, "--user", "app", "--", "id"]).await;
    assert!(other.code != 0 && other.stderr.contains("cannot change the user"), "{} {}", other.code, other.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_session_is_left_in_a_pod() {
    dock::busybox();
    let Some(namespace) = Namespace::create() else { return };
    let world = World::with_policy(same::ENDS).await;
    let mut agent = namespace.agent(&world, &[]).await;
    let ada = world.person("ada", &["patient"]).await;
    namespace.pod("one", "ztctl-test-busybox", &[], &json!({}), &json!({}));
    let container = namespace.container("one");
    let name = ada.names(1).await.remove(0);
    same::every_end(&world, &mut agent, &ada, &container, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_a_pod_are_told_apart_and_some_never_told() {
    let Some((_world, namespace, _agent, ada)) = scene().await else { return };
    let busybox = |name: &str, script: &str| json!({"name": name, "image": "ztctl-test-busybox", "imagePullPolicy": "Never", "command": ["sh", "-c", script]});
    let spec = json!({
        "initContainers": [busybox("migrate", "while [ ! -e /tmp/done ]; do sleep 0.1; done; sleep 2")],
        "containers": [busybox("main", "echo hello; exec sleep 600"), busybox("proxy", "echo broken; exit 1")]
    });
    let labels = json!({"labels": {"app.kubernetes.io/name": "web", "team": "a", "evil": "x"}});
    namespace.pod("web", "", &[], &spec, &labels);
    // Those that are taken out never come, whatever comes after them.
    namespace.pod("secret", "ztctl-test-busybox", &[], &json!({}), &json!({"labels": {"ztctl.dev/access": "false"}}));
    namespace.pod("hidden", "ztctl-test-busybox", &[], &json!({}), &json!({"annotations": {"ztctl.dev/access": "false"}}));
    let init = rows(&ada, "the container that comes first", |rows| rows.len() == 1).await.remove(0);
    assert_eq!((&init["kind"], &init["app"], &init["container"]), (&json!("init"), &json!("web-migrate"), &json!("migrate")));
    assert_eq!(ada.run(&["exec", init["name"].as_str().unwrap(), "--", "touch", "/tmp/done"]).await.code, 0);
    let both = rows(&ada, "the main one and one that restarts", |rows| {
        rows.len() == 2 && rows.iter().any(|row| row["state"] == "restarting")
    })
    .await;
    let of = |container: &str| both.iter().find(|row| row["container"] == container).unwrap();
    let (main, proxy) = (of("main"), of("proxy"));
    assert_eq!((&main["app"], &main["labels"]["team"], &main["health"]), (&json!("web"), &json!("a"), &json!("ready")));
    assert_eq!((&proxy["app"], &proxy["state"]), (&json!("web-proxy"), &json!("restarting")));
    let name = proxy["name"].as_str().unwrap();
    let refused = ada.run(&["exec", name, "--", "true"]).await;
    assert!(refused.code == 255 && refused.stderr.contains("restarting"), "{} {}", refused.code, refused.stderr);
    let logs = ada.run(&["logs", name]).await;
    assert_eq!((logs.code, logs.stdout.as_str()), (0, "broken\n"), "{}", logs.stderr);
    running_one_less(&namespace, &ada).await;
}

/// A pod that is deleted leaves the list.
async fn running_one_less(namespace: &Namespace, ada: &Person) {
    namespace.kubectl(&["delete", "pod", "web", "--wait=false"]);
    ada.names_within(0, Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_without_shell_or_root_and_read_only() {
    let Some((_world, namespace, _agent, ada)) = scene().await else { return };
    let image = dock::shell_less().unwrap();
    namespace.pod("bare", image, &[], &json!({}), &json!({}));
    let name = ada.names_within(1, Duration::from_secs(30)).await.remove(0);
    let own = ada.run(&["exec", &name, "--", "/id", "-u"]).await;
    assert_eq!((own.code, own.stdout.as_str()), (0, "0\n"), "{}", own.stderr);
    let missing = ada.run(&["exec", &name, "--", "/nosuch"]).await;
    assert!(missing.stderr.contains("no shell"), "{} {}", missing.code, missing.stderr);
    assert!(missing.code == 126 || missing.code == 127, "{}", missing.code);
    let screen = crate::screen::Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", &name], &ada.environment(), 30, 100);
    screen.wait_for("there is no shell in this container");
    assert_eq!(screen.wait_exit(), 127);
    namespace.kubectl(&["delete", "pod", "bare"]);
    ada.names_within(0, Duration::from_secs(20)).await;
    let mut container = json!({"name": "main", "image": "ztctl-test-busybox", "imagePullPolicy": "Never"});
    container["securityContext"] = json!({"runAsUser": 1000, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}, "allowPrivilegeEscalation": false});
    namespace.pod("careful", "", &[], &json!({"containers": [container]}), &json!({}));
    let name = ada.names_within(1, Duration::from_secs(30)).await.remove(0);
    assert_eq!(ada.run(&["exec", &name, "--", "id", "-u"]).await.stdout, "1000\n");
    let mut screen = same::shell(&ada, &name);
    screen.type_keys("id -u; echo $SHELL\r");
    screen.wait_for("1000\n/bin/sh");
    screen.type_keys("exit\r");
    assert_eq!(screen.wait_exit(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_a_pod_are_followed_over_a_restart() {
    let Some((_world, namespace, _agent, ada)) = scene().await else { return };
    let script = "i=0; while [ $i -lt 5 ]; do i=$((i+1)); echo line $i; done; echo oops >&2; exec sleep 600";
    namespace.pod("writer", "ztctl-test-busybox", &["sh", "-c", script], &json!({}), &json!({}));
    let container = namespace.container("writer");
    let name = ada.names(1).await.remove(0);
    peer::within(Duration::from_secs(10), "last line", || container.logs().contains("oops"));
    let all = ada.run(&["logs", &name]).await;
    let lines: Vec<&str> = all.stdout.lines().collect();
    assert!(all.code == 0 && lines.len() == 6 && lines.contains(&"oops") && lines.contains(&"line 5"), "{all:?}");
    let tail = ada.run(&["logs", &name, "--tail", "2", "--timestamps"]).await;
    assert!(tail.stdout.lines().count() == 2 && tail.stdout.lines().all(|line| line.starts_with("20")), "{tail:?}");
    assert_eq!(ada.run(&["logs", &name, "--since", "2999-01-01"]).await.stdout, "");
    let mut follow = ada.ztctl(&["logs", &name, "-f"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(follow.stdout.take().unwrap()));
    let mut next = async || tokio::time::timeout(Duration::from_secs(40), lines.next_line()).await.unwrap().unwrap().unwrap();
    for round in ["at first", "after the restart, and nothing twice"] {
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(next().await);
        }
        seen.sort();
        assert_eq!(seen, ["line 1", "line 2", "line 3", "line 4", "line 5", "oops"], "{round}");
        if round == "at first" {
            dock::docker(&["kill", &container.id]);
        }
    }
    namespace.kubectl(&["delete", "pod", "writer", "--wait=false"]);
    let output = tokio::time::timeout(Duration::from_secs(40), follow.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(0) && said.contains("the container is gone"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_rights_are_what_is_said_and_a_namespace_without_them_is_told() {
    dock::busybox();
    let (Some(served), Some(closed)) = (Namespace::create(), Namespace::create()) else { return };
    let world = World::start().await;
    let agent = served.agent(&world, &["--namespace", &closed.name]).await;
    let ada = world.person("ada", &[]).await;
    for namespace in [&served, &closed] {
        namespace.pod("one", "ztctl-test-busybox", &[], &json!({}), &json!({}));
    }
    let row = rows(&ada, "what may be seen", |rows| rows.len() == 1).await.remove(0);
    assert!(row["location"].as_str().unwrap().starts_with(&served.name), "{row:#}");
    let told = format!("the namespace {} cannot be served", closed.name);
    peer::within(Duration::from_secs(10), "word about the namespace", || agent.log().contains(&told));

    // What the agent may do, as the cluster itself says it, less what everybody may.
    let who = format!("--as=system:serviceaccount:{}:agent", served.name);
    let list = kubectl(&["auth", "can-i", "--list", &who, "--namespace", &served.name], "");
    println!("kubectl auth can-i --list {who}\n{list}");
    let mut rights: Vec<String> = list
        .lines()
        .filter(|line| line.starts_with("pods"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    rights.sort();
    assert_eq!(rights, ["pods [] [] [get list watch]", "pods/exec [] [] [create get]", "pods/log [] [] [get]"]);
    let others = list.lines().skip(1).filter(|line| !line.starts_with("pods") && !line.starts_with(' '));
    for line in others {
        assert!(line.starts_with("selfsubject"), "{line}");
    }
    for (verb, what) in
        [("get", "secrets"), ("create", "pods"), ("delete", "pods"), ("create", "pods/attach"), ("list", "nodes")]
    {
        for namespace in [&served, &closed] {
            let answer = std::process::Command::new("kubectl")
                .args(["--kubeconfig", &std::env::var("ZTCTL_TEST_KUBECONFIG").unwrap()])
                .args(["auth", "can-i", verb, what, &who, "--namespace", &namespace.name])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "no", "{verb} {what}");
        }
    }
    // Once it may, it does.
    closed.let_in(&served);
    ada.names_within(2, Duration::from_secs(60)).await;
    // Without the right to logs there are none, and the list says so; without exec nobody gets in.
    served.kubectl(&["delete", "rolebinding", "ztagent"]);
    let left = ada.names_within(1, Duration::from_secs(90)).await;
    assert_eq!(ada.run(&["exec", &left[0], "--", "true"]).await.code, 0);
}
