//! `ztagent host`: logins of this machine's users, as its administrator set them up. The machine is a container of the test's own, made of
//! this machine's files, so that nothing here gets users or limits.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::peer;
use crate::screen::Screen;
use crate::world::World;

/// A machine: this one's files, read-only, with an `/etc`, a `/home` and a `/run` of its own, and the agent on it.
struct Machine(Child);

impl Machine {
    fn start(folder: &Path, arguments: &str) -> Self {
        let script = format!(
            r#"set -e
            mount --make-rprivate /
            mkdir -p {at}/etc {at}/home {at}/run
            cp -a /etc/. {at}/etc/
            mount --bind {at}/etc /etc
            mount --bind {at}/home /home
            groupadd --gid 7001 staff2
            useradd --uid 7000 --create-home --shell /bin/bash --groups staff2 deploy
            useradd --uid 7002 --no-create-home --shell /usr/sbin/nologin gone
            printf 'deploy hard nofile 321\ndeploy soft nofile 321\n' >/etc/security/limits.d/test.conf
            printf 'export FROM_PROFILE=yes\n' >/home/deploy/.bash_profile
            chown deploy: /home/deploy/.bash_profile
            SECRET=token exec {agent} host --name web-1.example.com --join-token-file {at}/join --state {at}/state {arguments}
            "#,
            at = folder.display(),
            agent = env!("CARGO_BIN_EXE_ztagent"),
        );
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = Command::new("unshare")
            .args(["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn possible() -> bool {
    let root = rustix::process::geteuid().is_root();
    let programs = ["runuser", "useradd", "unshare"].iter().all(|name| peer::program(name).is_some());
    peer::present("runuser", root && programs)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_a_login_of_that_user() {
    if !possible() {
        return;
    }
    let policy = r#"
        permit (principal, action == Action::"list", resource);
        permit (principal, action, resource) when { context has login && ["deploy", "gone", "nosuch"].contains(context.login) };
        permit (principal in Group::"admins", action, resource);
    "#;
    let world = World::with_policy(policy).await;
    let folder = world.state().parent().unwrap().to_owned();
    std::fs::write(folder.join("join"), world.join_token(1).await.encode().expose()).unwrap();
    let _machine = Machine::start(&folder, "--label tier=front");
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    assert!(name.starts_with("web-1-"), "{name}");
    let as_user = |user: &'static str, script: &'static str| {
        let (ada, name) = (&ada, name.clone());
        async move { ada.run(&["exec", "--user", user, &name, "--", "sh", "-c", script]).await }
    };
    // Groups, home, limits and profile are the user's; of the agent's environment there is nothing.
    let said = as_user("deploy", "id -un; id -G; pwd; ulimit -n; echo $FROM_PROFILE,$SECRET,$USER,$HOME,$ZTCTL_USER").await;
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines, ["deploy", "7000 7001", "/home/deploy", "321", "yes,,deploy,/home/deploy,ada@local"], "{}", said.stderr);
    assert_eq!(as_user("deploy", "exit 7").await.code, 7);
    assert_eq!(as_user("deploy", "kill -TERM $$").await.code, 143);
    let back = ada.run_with(&["exec", "--user", "deploy", &name, "--", "cat"], b"there and back").await;
    assert_eq!((back.code, back.stdout.as_str()), (0, "there and back"));
    // Who may not log in may not, who is not there is not, and nobody is root by accident.
    let refused = as_user("gone", "id").await;
    assert!(refused.code != 0 && refused.stdout.contains("not available"), "{refused:?}");
    let unknown = as_user("nosuch", "id").await;
    assert!(unknown.code == 126 && unknown.stderr.contains("no user nosuch"), "{unknown:?}");
    let forbidden = as_user("root", "id").await;
    assert!(forbidden.code == 255 && forbidden.stderr.contains("policy does not allow"), "{forbidden:?}");
    let admin = world.person("eve", &["admins"]).await;
    let nobody = admin.run(&["exec", &name, "--", "id"]).await;
    assert!(nobody.code == 255 && nobody.stderr.contains("--user"), "{nobody:?}");
    assert_eq!(admin.run(&["exec", "--user", "root", &name, "--", "id", "-u"]).await.stdout, "0\n");

    // A shell at a terminal: a login shell, with job control, and what it leaves ends with it.
    let shell = [env!("CARGO_BIN_EXE_ztctl"), "shell", "--user", "deploy", &name];
    let mut screen = Screen::spawn(&shell, &ada.environment(), 33, 99);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("stty size; echo $0 $FROM_PROFILE; tty\r");
    screen.wait_for("33 99\n-bash yes\n/dev/pts/");
    screen.type_keys("setsid sleep 4731 & sleep 4731\r");
    let left = || {
        let found = Command::new("pgrep").args(["-fx", "sleep 4731"]).output().unwrap().stdout;
        String::from_utf8_lossy(&found).lines().count()
    };
    peer::within(Duration::from_secs(10), "two processes", || left() == 2);
    screen.type_keys("\x1a");
    screen.wait_for("Stopped");
    screen.signal(rustix::process::Signal::KILL);
    peer::within(Duration::from_secs(6), "nothing left", || left() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_say_who_one_is_by_default() {
    if !possible() {
        return;
    }
    let world = World::start().await;
    let folder = world.state().parent().unwrap().to_owned();
    std::fs::write(folder.join("join"), world.join_token(1).await.encode().expose()).unwrap();
    let _machine = Machine::start(&folder, "--default-login deploy");
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    assert_eq!(ada.run(&["exec", &name, "--", "id", "-un"]).await.stdout, "deploy\n");
    let logs = ada.run(&["logs", &name]).await;
    assert!(logs.code == 4 && logs.stderr.contains("no logs"), "{logs:?}");
}
