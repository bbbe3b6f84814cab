//! What operators apply, as it stands in `deploy`: the compose file by `docker-compose up`, the units by a real systemd. (That of
//! Kubernetes is in `workload`.)

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::dock::{self, Container, docker};
use crate::peer;
use crate::world::World;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// A project of `docker-compose`, brought down with this.
struct Compose {
    project: String,
    join: PathBuf,
}

impl Compose {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker-compose");
        command.arg("--project-name").arg(&self.project).arg("--file").arg(deploy("docker/compose.yaml")).args(words);
        command.env("ZTAGENT_IMAGE", AGENT).env("ZTAGENT_JOIN", &self.join).stdin(Stdio::null());
        command
    }

    fn up(&self) {
        let output = self.command(&["up", "--detach"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.command(&["logs", "--no-color"]).output().unwrap();
            println!("{}", String::from_utf8_lossy(&logs.stdout));
        }
        let _ = self.command(&["down", "--volumes"]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_compose_file_serves_all_but_itself_and_ends_what_is_left() {
    let (Some(agent), Some(busybox)) = (peer::static_agent(), dock::busybox()) else { return };
    if !peer::present("docker-compose", peer::program("docker-compose").is_some()) {
        return;
    }
    let dockerfile = std::fs::read_to_string(deploy("docker/Dockerfile")).unwrap();
    dock::build(AGENT, &[(&agent, "ztagent")], &dockerfile);
    let project = format!("ztctl-test-{:08x}", rand::random::<u32>());
    let policy = format!(
        "permit (principal, action, resource) when {{ resource.hasTag(\"ztctl-test\") && resource.getTag(\"ztctl-test\") == \"{project}\" }};\n\
         permit (principal, action, resource) when {{ resource has project && resource.project == \"{project}\" }};"
    );
    let world = World::configured(&dock::bridge(), &policy, |_| ()).await;
    let ada = world.person("ada", &[]).await;
    let join = world.state().parent().unwrap().join("join");
    std::fs::write(&join, world.join_token(1).await.encode().expose()).unwrap();
    let compose = Compose { project, join };
    compose.up();

    let web = Container::run(&["--label", &format!("ztctl-test={}", compose.project), "--name", &compose.project, busybox]);
    let name = ada.names(1).await.remove(0);
    let list = ada.run(&["ls", "--output", "json"]).await;
    assert!(list.stdout.contains("\"cleanup\": \"full\""), "it sees the machine's processes: {}", list.stdout);
    assert_eq!(ada.run(&["exec", &name, "--", "hostname"]).await.stdout.trim(), &web.id[..12]);
    // What has cut itself loose from its session is gone with it.
    let loose = ada.run(&["exec", &name, "--", "sh", "-c", "setsid sleep 4711 </dev/null >/dev/null 2>&1 &"]).await;
    assert_eq!(loose.code, 0, "{}", loose.stderr);
    web.wait_for_processes("sleep 4711", 0, Duration::from_secs(5));

    // A new container of the agent is the same agent: its key is in the volume, and the token is used up.
    assert!(compose.command(&["rm", "--stop", "--force"]).output().unwrap().status.success());
    ada.names(0).await;
    compose.up();
    assert_eq!(ada.names(1).await, [name]);
}

/// A container whose first process is systemd.
fn machine() -> Option<Container> {
    static BUILT: OnceLock<()> = OnceLock::new();
    if !peer::docker() || !peer::present("debootstrap", peer::program("debootstrap").is_some()) {
        return None;
    }
    BUILT.get_or_init(|| {
        if peer::succeeds(Command::new("docker").args(["image", "inspect", SYSTEMD])) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root").display().to_string();
        let packages = "--include=systemd,systemd-sysv,dbus,util-linux,passwd";
        let made = Command::new("debootstrap").args(["--variant=minbase", packages, "bookworm", &root]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let archive = folder.path().join("root.tar").display().to_string();
        assert!(Command::new("tar").args(["-C", &root, "-cf", &archive, "."]).status().unwrap().success());
        docker(&["import", &archive, SYSTEMD]);
    });
    let rights = ["--cap-add=SYS_ADMIN", "--cap-add=SYS_PTRACE", "--security-opt=seccomp=unconfined", "--cgroupns=host"];
    let mounts = ["--tmpfs=/run", "--tmpfs=/run/lock", "--tmpfs=/tmp", "--volume=/sys/fs/cgroup:/sys/fs/cgroup"];
    let socket = "--volume=/var/run/docker.sock:/var/host/docker.sock";
    Some(Container::run(
        &[&rights[..], &mounts[..], &[socket, "--env=container=docker", SYSTEMD, "/lib/systemd/systemd"]].concat(),
    ))
}

/// Whether systemd comes up in it: not every kernel and engine lets it.
fn starts(machine: &Container) -> bool {
    (0..200).any(|_| {
        let state = Command::new("docker").args(["exec", &machine.id, "systemctl", "is-system-running"]).output().unwrap();
        let up = matches!(String::from_utf8_lossy(&state.stdout).trim(), "running" | "degraded");
        std::thread::sleep(Duration::from_millis(100));
        up
    })
}

#[test]
fn the_units_run_under_systemd_with_all_their_restrictions() {
    let Some(agent) = peer::static_agent() else { return };
    let Some(machine) = machine() else { return };
    let Some(image) = dock::busybox() else { return };
    let run = |script: &str| machine.exec(&["sh", "-ec", script]);
    let put = |from: &Path, to: &str| {
        docker(&["cp", &from.display().to_string(), &format!("{}:{to}", machine.id)]);
    };
    if !peer::present("systemd", starts(&machine)) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("https://{}:8443", machine.address());
    let configuration = std::fs::read_to_string(deploy("ztbroker.toml")).unwrap();
    let listen = configuration.replace("\nlisten = \"127.0.0.1:8443\"", "\nlisten = \"0.0.0.0:8443\"");
    let known = listen.replace("\npublic_url = \"https://127.0.0.1:8443\"", &format!("\npublic_url = \"{url}\""));
    std::fs::write(folder.path().join("ztbroker.toml"), known).unwrap();

    run("mkdir -p /etc/sysusers.d /etc/ztbroker /etc/ztagent");
    put(Path::new(env!("CARGO_BIN_EXE_ztbroker")), "/usr/local/bin/ztbroker");
    put(&agent, "/usr/local/bin/ztagent");
    put(&folder.path().join("ztbroker.toml"), "/etc/ztbroker/ztbroker.toml");
    put(&deploy("policy.cedar"), "/etc/ztbroker/policy.cedar");
    put(&deploy("systemd/ztbroker.conf"), "/etc/sysusers.d/ztbroker.conf");
    for unit in ["ztbroker", "ztagent-docker", "ztagent-host"] {
        put(&deploy("systemd").join(format!("{unit}.service")), &format!("/etc/systemd/system/{unit}.service"));
    }
    run("systemd-sysusers && systemctl daemon-reload && systemctl start ztbroker");
    peer::within(Duration::from_secs(10), "broker that serves", || {
        peer::succeeds(Command::new("docker").args(["exec", &machine.id, "ztbroker", "agents", "ls"]))
    });
    run("ztbroker token create --join --uses 2 >/etc/ztagent/join && chmod 600 /etc/ztagent/join");
    // The engine's socket is where this container could be given it.
    run("mkdir -p /etc/systemd/system/ztagent-docker.service.d && \
         printf '[Service]\\nEnvironment=DOCKER_HOST=/var/host/docker.sock\\n' >/etc/systemd/system/ztagent-docker.service.d/test.conf");
    run("systemctl daemon-reload && systemctl start ztagent-docker ztagent-host");
    run("useradd --create-home --shell /bin/bash bob");
    run("echo password-of-ada | ztbroker user add ada --group developers");
    let token = run("ztbroker token create --user ada");
    let root = folder.path().join("root.pem");
    std::fs::write(&root, run("cat /var/lib/ztbroker/tls/root.pem")).unwrap();
    let ztctl = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ztctl"));
        command.args(words).env_clear().env("HOME", folder.path()).env("ZTCTL_TOKEN", token.trim());
        command.env("ZTCTL_BROKER", &url).env("ZTCTL_CA", &root).stdin(Stdio::null());
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
    };
    // The machine itself, and the containers of the engine, of which its own is none to an agent.
    let _beside = Container::run(&[image, "sleep", "600"]);
    let logs = || run("journalctl --no-pager --unit 'zt*' | tail -n 40");
    let host = machine.id[..12].to_owned();
    let row = |runtime: &str| {
        let (json, error) = ztctl(&["ls", "--output", "json"]);
        let rows: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|_| panic!("{json} {error}\n{}", logs()));
        let rows = rows["containers"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["runtime"] == runtime && row["full_name"].as_str().is_some())
    };
    let deadline = Instant::now() + Duration::from_secs(15);
    while row("host").is_none() || row("docker").is_none() {
        assert!(Instant::now() < deadline, "{:?} {:?}\n{}", row("host"), row("docker"), logs());
    }
    let name = row("host").unwrap()["full_name"].as_str().unwrap().to_owned();
    let (out, error) =
        ztctl(&["exec", "--user", "bob", &name, "--", "sh", "-c", "id -un; pwd; hostname; cat /proc/self/cgroup | head -n 1"]);
    assert!(out.starts_with(&format!("bob\n/home/bob\n{host}\n")), "{out} {error}\n{}", logs());
    // The whole of a reload: a policy under which nobody sees anything.
    run("echo 'forbid (principal, action, resource);' >/etc/ztbroker/policy.cedar && systemctl reload ztbroker");
    peer::within(Duration::from_secs(5), "list without a row", || row("host").is_none());
    // Nothing runs with more than its unit gives it.
    assert_eq!(run("stat -c '%U %a' /var/lib/ztbroker /var/lib/ztagent-docker"), "ztbroker 700\nroot 700\n");
    let rights = run("for unit in ztbroker ztagent-docker; do \
         grep -hE 'CapEff|NoNewPrivs|^Seccomp:' /proc/$(systemctl show -P MainPID $unit)/status | tr -s '\\t\\n' ' '; done");
    assert_eq!(
        rights.trim(),
        "CapEff: 0000000000000400 NoNewPrivs: 1 Seccomp: 2 CapEff: 0000000000080020 NoNewPrivs: 1 Seccomp: 2"
    );
    assert_eq!(run("systemctl list-units --failed --no-legend 'zt*'"), "");
}

const AGENT: &str = "ztctl-test-agent";
const SYSTEMD: &str = "ztctl-test-systemd";
