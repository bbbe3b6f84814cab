//! A real Docker engine and `ztagent docker` beside it: containers come and go by themselves, and every session is the same.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::dock::{self, Container, NodeAgent, docker};
use crate::peer;
use crate::same;
use crate::screen::Screen;
use crate::world::{Person, World};

/// The one row of this person's list, as JSON, once it fits.
async fn row(person: &Person, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let said = person.run(&["ls", "--output", "json"]).await;
        let list: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stderr));
        if let Some([row]) = list["containers"].as_array().map(Vec::as_slice)
            && fits(row)
        {
            return row.clone();
        }
        assert!(Instant::now() < deadline, "no row {what} in {list:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A world with one agent and one container of `image`, and the container's name.
async fn scene(image: &str, blind: bool, arguments: &[&str]) -> (World, NodeAgent, Person, Container, String) {
    let world = World::with_policy(same::WITH_VARIABLES).await;
    let agent = NodeAgent::with(&world, blind, &[]).await;
    let person = world.person("ada", &["developers"]).await;
    let container = agent.container(&[arguments, &[image]].concat());
    let name = person.names(1).await.remove(0);
    (world, agent, person, container, name)
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_come_and_go_by_themselves() {
    let Some(image) = dock::busybox() else { return };
    let world = World::start().await;
    let agent = NodeAgent::with(&world, false, &["--except", "name=*-secret"]).await;
    let ada = world.person("ada", &[]).await;
    // Those that are not to be served never are: taken out by their own label, by the operator's, or ours.
    let _hidden = [
        agent.container(&["--label=ztctl.dev/access=false", image]),
        agent.container(&["--name", &format!("{}-secret", &agent.label()[19..]), image]),
        agent.container(&["--label=ztctl.dev/role=broker", image]),
        Container::run(&[image]),
    ];
    let name = format!("{}-web", &agent.label()[19..]);
    let compose = ["--label=com.docker.compose.project=shop", "--label=com.docker.compose.service=front", "--label=team=a"];
    let health = ["--health-cmd=test -e /tmp/healthy", "--health-interval=1s", "--health-retries=1"];
    let web = agent.container(&[&["--name", &name][..], &compose, &health, &["--publish=127.0.0.1::8080", image]].concat());

    let listed = row(&ada, "of the container", |row| row["state"] == "running").await;
    assert!(listed["name"].as_str().unwrap().starts_with("front-"), "{listed:#}");
    assert_eq!((&listed["app"], &listed["image"], &listed["runtime"]), (&"front".into(), &image.into(), &"docker".into()));
    assert_eq!((&listed["project"], &listed["service"]), (&"shop".into(), &"front".into()));
    assert_eq!(listed["owner"], "compose/shop/front");
    assert_eq!((&listed["ports"][0], &listed["labels"]["team"]), (&"8080/tcp".into(), &"a".into()));
    assert_eq!(listed["capabilities"]["cleanup"], "full", "the agent sees the processes of this machine's engine");
    row(&ada, "that is unhealthy", |row| row["health"] == "unhealthy").await;
    web.exec(&["touch", "/tmp/healthy"]);
    row(&ada, "that is healthy", |row| row["health"] == "healthy").await;

    docker(&["pause", &web.id]);
    let paused = row(&ada, "that is paused", |row| row["state"] == "paused").await;
    let refused = ada.run(&["exec", paused["name"].as_str().unwrap(), "--", "true"]).await;
    assert!(refused.code == 255 && refused.stderr.contains("it is paused"), "{} {}", refused.code, refused.stderr);
    docker(&["unpause", &web.id]);
    row(&ada, "that runs again", |row| row["state"] == "running").await;

    docker(&["restart", "--time=0", &web.id]);
    let again = row(&ada, "with a new start", |row| row["started_at"].as_u64() > listed["started_at"].as_u64()).await;
    assert_eq!(again["id"], listed["id"], "a restarted container is the same one");
    drop(web);
    ada.names(0).await;

    // One that dies again and again stays in the list, with its logs, and says why nobody gets in.
    let crashing = agent.container(&["--restart=always", image, "sh", "-c", "echo broken; exit 1"]);
    let crashing_row = row(&ada, "that restarts", |row| row["state"] == "restarting").await;
    let name = crashing_row["name"].as_str().unwrap();
    let refused = ada.run(&["exec", name, "--", "true"]).await;
    assert!(refused.stderr.contains("restarting") || refused.stderr.contains("stopped"), "{}", refused.stderr);
    let logs = ada.run(&["logs", name, "--tail", "1"]).await;
    assert_eq!((logs.code, logs.stdout.as_str()), (0, "broken\n"), "{}", logs.stderr);
    drop(crashing);
    ada.names(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_workload_writes_into_its_labels_is_harmless() {
    let Some(image) = dock::busybox() else { return };
    let world = World::start().await;
    let agent = NodeAgent::start(&world).await;
    let ada = world.person("ada", &[]).await;
    let (key, value) = agent.label()[8..].split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap();
    let labels = serde_json::json!({
        key: value, "fine": "yes", "escape": "\u{1b}[2J", "long": "x".repeat(1 << 20),
        "app": "\u{1b}]0;title\u{7}evil", "com.docker.compose.project": "\u{202e}gnp"
    });
    // More than the engine's own program takes.
    let body = serde_json::json!({"Image": image, "Labels": labels}).to_string();
    let _container = dock::create(&body);
    let row = row(&ada, "of the container", |row| row["state"] == "running").await;
    assert_eq!(row["labels"]["fine"], "yes");
    assert!(row["labels"].get("escape").is_none() && row["labels"].get("long").is_none(), "{row:#}");
    let table = ada.run(&["ls"]).await.stdout;
    assert!(!table.contains(['\u{1b}', '\u{7}', '\u{202e}']) && table.len() < 2000, "{}", table.escape_debug());
    assert_eq!(ada.run(&["exec", row["name"].as_str().unwrap(), "--", "true"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn policy_sees_what_the_engine_knows() {
    let Some(image) = dock::busybox() else { return };
    let policy = r#"
        permit (principal, action, resource)
        when { resource has project && resource.project == "shop" && resource.ports.contains("8080/tcp") && resource.runtime == "docker" };
        forbid (principal, action == Action::"logs", resource) when { resource.hasTag("secret") };
    "#;
    let world = World::with_policy(policy).await;
    let agent = NodeAgent::start(&world).await;
    let ada = world.person("ada", &[]).await;
    let _other = agent.container(&["--label=com.docker.compose.project=bank", image]);
    let _shop = agent.container(&["--label=com.docker.compose.project=shop", "--label=secret=yes", image]);
    let name = ada.names(1).await.remove(0);
    assert_eq!(ada.run(&["exec", &name, "--", "sh", "-c", "echo $IMAGE"]).await.stdout, "yes\n");
    let logs = ada.run(&["logs", &name]).await;
    assert!(logs.code == 4 && logs.stderr.contains("does not allow you logs"), "{} {}", logs.code, logs.stderr);
}

async fn sessions_are_the_same(blind: bool) {
    let Some(image) = dock::busybox() else { return };
    let (_world, _agent, ada, container, name) = scene(image, blind, &[]).await;
    let expected = if blind { "with_shell" } else { "full" };
    row(&ada, "with its cleanup", |row| row["capabilities"]["cleanup"] == expected).await;
    same::streams(&ada, &name, &container).await;
    same::files(&ada, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_the_same_from_the_host() {
    sessions_are_the_same(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_the_same_from_a_container() {
    sessions_are_the_same(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_its_size_its_keys_and_its_bytes() {
    let Some(image) = dock::busybox() else { return };
    let (_world, _agent, ada, _container, name) = scene(image, false, &[]).await;
    same::terminal(&ada, &name);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_can_be_chosen_and_a_read_only_container_entered() {
    let Some(image) = dock::busybox() else { return };
    let (_world, agent, ada, first, name) = scene(image, false, &["--read-only"]).await;
    let as_user = |user: &'static str, name: &str| {
        let (ada, name) = (&ada, name.to_owned());
        async move { ada.run(&["exec", "--user", user, &name, "--", "sh", "-c", "id -u; echo $USER"]).await }
    };
    assert_eq!(as_user("app", &name).await.stdout, "1000\napp\n");
    assert_eq!(as_user("root", &name).await.stdout, "0\nroot\n");
    let nobody = as_user("nosuch", &name).await;
    assert!(nobody.code == 126 && nobody.stderr.contains("there is no user nosuch"), "{} {}", nobody.code, nobody.stderr);
    // A container that is not root's is entered as its own user, and its nologin is no reason not to.
    drop(first);
    ada.names(0).await;
    let _other = agent.container(&["--user=1000", "--read-only", "--cap-drop=ALL", image]);
    let name = ada.names(1).await.remove(0);
    assert_eq!(ada.run(&["exec", &name, "--", "id", "-u"]).await.stdout, "1000\n");
    let mut screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", &name], &ada.environment(), 30, 100);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("id -u; echo $SHELL\r");
    screen.wait_for("1000\n/bin/sh");
    screen.type_keys("exit\r");
    assert_eq!(screen.wait_exit(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_without_a_shell_says_so_and_runs_what_it_has() {
    let Some(image) = dock::shell_less() else { return };
    for blind in [false, true] {
        let (_world, _agent, ada, container, name) = scene(image, blind, &[]).await;
        let own = ada.run(&["exec", &name, "--", "/id", "-u"]).await;
        assert_eq!((own.code, own.stdout.as_str()), (0, "0\n"), "{}", own.stderr);
        let missing = ada.run(&["exec", &name, "--", "/nosuch"]).await;
        assert!(missing.stderr.contains("no program /nosuch") && missing.stderr.contains("no shell"), "{}", missing.stderr);
        assert!(missing.code == 126 || missing.code == 127, "{}", missing.code);
        let needs_one = ada.run(&["exec", &name, "--", "cd", "/"]).await;
        assert!(needs_one.code != 0 && needs_one.stderr.contains("no shell"), "{}", needs_one.stderr);
        let copied = ada.run(&["cp", &format!("{name}:/id"), "/dev/shm/never"]).await;
        assert!(copied.code == 1 && copied.stderr.contains("there is no shell in this container"), "{}", copied.stderr);
        let screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", &name], &ada.environment(), 30, 100);
        screen.wait_for("there is no shell in this container");
        assert_eq!(screen.wait_exit(), 127);
        screen.wait_as_before();
        if !blind {
            // What nobody in there could end is ended from outside.
            let mut stray = ada.ztctl(&["exec", &name, "--", "/sleep", "4712"]).stdin(Stdio::piped()).spawn().unwrap();
            container.wait_for_processes("sleep 4712", 1, Duration::from_secs(10));
            stray.kill().await.unwrap();
            container.wait_for_processes("sleep 4712", 0, Duration::from_secs(6));
        }
        drop(screen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_broker_and_agent_start_anew_together_the_first_list_is_whole() {
    let Some(image) = dock::busybox() else { return };
    let mut world = World::start().await;
    let mut agent = NodeAgent::with(&world, false, &[]).await;
    let ada = world.person("ada", &[]).await;
    let _web = agent.container(&[image]);
    let name = ada.names(1).await.remove(0);
    world.stop().await;
    agent.process.kill();
    world.restart().await;
    agent.process.restart();
    assert_eq!(
        ada.run(&["ls", "--output", "name"]).await.stdout.trim(),
        name,
        "the agent has looked before it says what there is"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_whole_apart_and_followed_over_a_restart() {
    let Some(image) = dock::busybox() else { return };
    let script = "i=0; while [ $i -lt 5 ]; do i=$((i+1)); echo line $i; echo oops $i >&2; done; exec sleep 600";
    let world = World::start().await;
    let agent = NodeAgent::start(&world).await;
    let ada = world.person("ada", &[]).await;
    let container = agent.container(&[image, "sh", "-c", script]);
    let name = ada.names(1).await.remove(0);
    peer::within(Duration::from_secs(10), "last line", || container.logs().contains("oops 5"));
    let all = ada.run(&["logs", &name]).await;
    assert_eq!((all.code, all.stdout.as_str()), (0, "line 1\nline 2\nline 3\nline 4\nline 5\n"));
    assert_eq!(all.stderr, "oops 1\noops 2\noops 3\noops 4\noops 5\n");
    let tail = ada.run(&["logs", &name, "--tail", "2", "--timestamps"]).await;
    let lines: Vec<&str> = tail.stdout.lines().chain(tail.stderr.lines()).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.starts_with("20") && line.contains("Z ")), "{lines:?}");
    assert_eq!(ada.run(&["logs", &name, "--since", "2999-01-01"]).await.stdout, "");

    let mut follow = ada.ztctl(&["logs", &name, "-f"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(follow.stdout.take().unwrap()));
    let mut next = async || tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await.unwrap().unwrap().unwrap();
    for n in 1..=5 {
        assert_eq!(next().await, format!("line {n}"));
    }
    docker(&["restart", "--time=0", &container.id]);
    for n in 1..=5 {
        assert_eq!(next().await, format!("line {n}"), "after the restart, and nothing twice");
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(follow.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(10), follow.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));

    // A container with a terminal has one stream.
    let _terminal = agent.container(&["--tty", image, "sh", "-c", "echo on a terminal; exec sleep 600"]);
    let names = ada.names(2).await;
    let other = names.iter().find(|other| **other != name).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while ada.run(&["logs", other]).await.stdout != "on a terminal\r\n" {
        assert!(Instant::now() < deadline, "{:?}", ada.run(&["logs", other]).await);
    }
    // A removed container ends the following with a word.
    let mut follow = ada.ztctl(&["logs", &name, "-f"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 6];
    tokio::io::AsyncReadExt::read_exact(follow.stdout.as_mut().unwrap(), &mut first).await.unwrap();
    drop(container);
    let output = tokio::time::timeout(Duration::from_secs(20), follow.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(0) && said.contains("the container was removed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_stops_says_so_and_names_its_successor() {
    let Some(image) = dock::busybox() else { return };
    let service = ["--label=com.docker.compose.project=shop", "--label=com.docker.compose.service=web"];
    let (_world, agent, ada, first, name) = scene(image, false, &service).await;
    let screen = same::shell(&ada, &name);
    let exec = ada.ztctl(&["exec", &name, "--", "sleep", "600"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    first.wait_for_processes("sleep 600", 2, Duration::from_secs(10));
    // The clock of starts has seconds: its successor is to be newer.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let _second = agent.container(&[&service[..], &[image]].concat());
    drop(first);
    screen.wait_for("its container has stopped");
    screen.wait_for("compose/shop/web goes on: its successor is");
    assert_eq!(screen.wait_exit(), 255);
    screen.wait_as_before();
    let successor = ada.names(1).await.remove(0);
    assert!(screen.contents().contains(&format!("ztctl shell {successor}")), "{}", screen.contents());
    let output = tokio::time::timeout(Duration::from_secs(20), exec.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("its container has stopped"), "{said}");

    // Without an owner nothing is guessed, and one that is started again is itself.
    let alone = agent.container(&[image]);
    let names = ada.names(2).await;
    let name = names.iter().find(|name| **name != successor).unwrap();
    let screen = same::shell(&ada, name);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    docker(&["restart", "--time=0", &alone.id]);
    screen.wait_for("its container has stopped");
    screen.wait_for("it was started again");
    assert_eq!(screen.wait_exit(), 255);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_waits_reaches_a_session_that_starts_slowly() {
    let Some(image) = dock::busybox() else { return };
    let (_world, _agent, ada, _container, name) = scene(image, false, &[]).await;
    let mut child = ada.ztctl(&["exec", &name, "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"typed ahead\n").await.unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stdout.take().unwrap()));
    let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await.unwrap().unwrap();
    assert_eq!(line.as_deref(), Some("typed ahead"), "before the input ends");
    drop(stdin);
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_with_an_agent_of_its_own_is_one_row() {
    let Some(agent_file) = crate::peer::static_agent() else { return };
    let Some(_) = dock::busybox() else { return };
    let world = World::at(&dock::bridge()).await;
    let node = NodeAgent::start(&world).await;
    let ada = world.person("ada", &[]).await;
    let token = world.state().parent().unwrap().join("join");
    std::fs::write(&token, world.join_token(1).await.encode().expose()).unwrap();
    let mount =
        ["--volume", &format!("{}:/ztagent:ro", agent_file.display()), "--volume", &format!("{}:/join:ro", token.display())];
    let run = ["/ztagent", "run", "--app", "inside", "--join-token-file", "/join", "--", "sleep", "600"];
    let _container = node.container(&[&mount[..], &["ztctl-test-busybox"], &run].concat());
    // Both report it: the agent inside has joined, and the one outside knows more.
    let deadline = Instant::now() + Duration::from_secs(15);
    while world.admin.agents().await.unwrap().iter().filter(|agent| agent.connected && agent.containers == 1).count() < 2 {
        assert!(Instant::now() < deadline, "{:?}", world.admin.agents().await.unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let row = row(&ada, "of both", |_| true).await;
    assert_eq!(row["runtime"], "docker");
    assert_eq!(ada.run(&["exec", row["name"].as_str().unwrap(), "--", "true"]).await.code, 0);
}

/// An engine of one test's own, which can be stopped without taking the other tests' containers along.
struct OwnEngine {
    folder: tempfile::TempDir,
    daemon: std::process::Child,
}

impl OwnEngine {
    fn start() -> Option<Self> {
        let image = dock::busybox()?;
        // Not below a temporary folder with a long name: a socket's path has 108 bytes.
        let folder = tempfile::Builder::new().prefix("zte").tempdir_in("/tmp").unwrap();
        let daemon = Self::spawn(&folder);
        let engine = Self { folder, daemon };
        engine.wait();
        let archive = engine.folder.path().join("image.tar");
        docker(&["save", "--output", &archive.display().to_string(), image]);
        engine.docker(&["load", "--quiet", "--input", &archive.display().to_string()]);
        Some(engine)
    }

    fn spawn(folder: &tempfile::TempDir) -> std::process::Child {
        let at = |name: &str| folder.path().join(name).display().to_string();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log")).unwrap();
        // Without a bridge of its own it would remove the machine's: it gets a network where there is none.
        std::process::Command::new("unshare")
            .args(["--net", "dockerd"])
            .args(["--host", &format!("unix://{}", at("s")), "--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("pid"), "--bridge=none", "--iptables=false", "--ip-masq=false", "--storage-driver=vfs"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn socket(&self) -> String {
        self.folder.path().join("s").display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new("docker");
        command.env("DOCKER_HOST", format!("unix://{}", self.socket())).args(arguments).stdin(Stdio::null());
        command
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !crate::peer::succeeds(&mut self.command(&["info"])) {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the engine does not start: {log}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn stop(&mut self) {
        let _ = std::process::Command::new("kill").arg(self.daemon.id().to_string()).status();
        self.daemon.wait().unwrap();
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        let ids = self.command(&["ps", "--all", "--quiet"]).output().map(|output| output.stdout).unwrap_or_default();
        let ids = String::from_utf8_lossy(&ids).into_owned();
        let ids: Vec<&str> = ids.lines().collect();
        if !ids.is_empty() {
            let _ = self.command(&[&["rm", "--force"], &ids[..]].concat()).output();
        }
        self.stop();
        // What the engine had mounted must not be looked into by whoever removes the folder.
        let script = format!("grep -o ' {}[^ ]*' /proc/mounts | sort -r | xargs -r umount -l", self.folder.path().display());
        let _ = std::process::Command::new("sh").args(["-c", &script]).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_right_throughout_and_an_engine_may_be_restarted() {
    let Some(mut engine) = OwnEngine::start() else { return };
    let world = World::start().await;
    let agent = NodeAgent::with(&world, false, &["--socket", &engine.socket()]).await;
    let ada = world.person("ada", &[]).await;
    let label = agent.label();
    let run = |more: &[&str]| {
        let arguments =
            [&["run", "--detach", "--network=none", &label], more, &["ztctl-test-busybox", "sleep", "600"]].concat();
        engine.docker(&arguments).trim().to_owned()
    };
    // Started and stopped in a loop, several at a time; whenever it is quiet the list is what the engine has.
    let mut running: Vec<String> = Vec::new();
    for round in 0..20 {
        let batch: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..10).map(|_| scope.spawn(|| run(&[]))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        running.extend(batch);
        let ended: Vec<String> = running.drain(..running.len().saturating_sub(round % 7)).collect();
        let ids: Vec<&str> = ended.iter().map(String::as_str).collect();
        engine.docker(&[&["rm", "--force"], &ids[..]].concat());
        let listed = ada.names(running.len()).await;
        assert_eq!(listed.len(), running.len());
    }
    let stays = run(&["--restart=always"]);
    let names = ada.names(running.len() + 1).await;
    assert_eq!(ada.run(&["exec", &names[0], "--", "true"]).await.code, 0);
    // Without its engine nothing can be entered, so nothing is listed; what the engine starts again comes back by itself.
    engine.stop();
    ada.names(0).await;
    engine.daemon = OwnEngine::spawn(&engine.folder);
    engine.wait();
    let back = ada.names_within(1, Duration::from_secs(20)).await;
    assert_eq!(ada.run(&["exec", &back[0], "--", "true"]).await.code, 0);
    engine.docker(&["rm", "--force", &stays]);
    ada.names(0).await;
}

/// That nothing of a session is left five seconds after its end.
mod ends {
    use super::*;
    use crate::same::{COUNT, gone, with_strays};

    async fn every_end(blind: bool) {
        let Some(image) = dock::busybox() else { return };
        let world = World::with_policy(same::ENDS).await;
        let mut agent = NodeAgent::with(&world, blind, &[]).await;
        let ada = world.person("ada", &["patient"]).await;
        let container = agent.container(&[image]);
        let name = ada.names(1).await.remove(0);
        same::every_end(&world, &mut agent.process, &ada, &container, &name).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_end_from_the_host() {
        every_end(false).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_end_from_a_container() {
        every_end(true).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_paused_container_is_cleaned_when_it_goes_on() {
        let Some(image) = dock::busybox() else { return };
        for blind in [false, true] {
            let (_world, _agent, ada, container, name) = scene(image, blind, &[]).await;
            let mut child = with_strays(&ada, &container, &name).await;
            docker(&["pause", &container.id]);
            row(&ada, "that is paused", |row| row["state"] == "paused").await;
            child.kill().await.unwrap();
            tokio::time::sleep(Duration::from_millis(4500)).await;
            container.wait_for_processes("sleep 4721", COUNT, Duration::from_secs(1));
            docker(&["unpause", &container.id]);
            gone(&container);
        }
    }
}
