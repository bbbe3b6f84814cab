//! Policies in an operator's hands: a changed file is in force by itself, a mistake changes nothing, and what they mean can be asked
//! and tested.

use std::process::Stdio;
use std::time::{Duration, Instant};

use russh::ChannelMsg;
use russh::keys::ssh_key::Certificate;
use ztctl::broker::audit::Event;
use ztctl::broker::{AuditQuery, AuditRecord, LockSpec, LockWish};
use ztctl::proto::Action;
use ztctl::proto::agent::Outcome;

use crate::attacks::enter;
use crate::locks::running;
use crate::peer;
use crate::screen::Screen;
use crate::world::{OPEN, Said, World, connect};

/// Waits until `ztctl exec NAME -- true` ends with `code`.
async fn until(person: &crate::world::Person, name: &str, code: i32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let said = person.run(&["exec", name, "--", "true"]).await;
        if said.code == code {
            return;
        }
        assert!(Instant::now() < deadline, "{said:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_in_force_by_itself_and_a_mistake_changes_nothing() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let eve = world.person("eve", &[]).await;
    let name = eve.names(1).await.remove(0);
    let session = running(&eve, &name, &[]).await;
    let since = Instant::now();
    std::fs::write(world.policy(), r#"permit (principal, action == Action::"list", resource);"#).unwrap();
    let output = tokio::time::timeout(Duration::from_secs(10), session.wait_with_output()).await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("file written -> session ended {:?}", since.elapsed());
    assert!(stderr.contains("the policy has changed and no longer allows this session"), "{stderr}");
    assert_eq!(eve.run(&["exec", &name, "--", "true"]).await.code, 255);
    // Half a file is not read while it grows, and refused if it stays so.
    std::fs::write(world.policy(), "permit (principal, action").unwrap();
    let refused = async || {
        let records = world.admin.audit(AuditQuery::default()).await.unwrap();
        records.into_iter().filter(|record| matches!(record.event, Event::PolicyRefused { .. })).count()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while refused().await == 0 {
        assert!(Instant::now() < deadline, "the mistake was not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(eve.run(&["ls", "--output", "name"]).await.stdout.trim(), name, "the last good policies are in force");
    std::fs::write(world.policy(), OPEN).unwrap();
    until(&eve, &name, 0).await;
    assert_eq!(refused().await, 1, "a mistake is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_shell_ends_because_nobody_types_is_told_a_minute_before() {
    let world = World::with_policy(&format!("@idle(\"2m\") {OPEN}")).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let mut screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", &name], &ada.environment(), 30, 100);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    let told = || screen.contents().contains(" unless something is typed]");
    tokio::time::sleep(Duration::from_secs(45)).await;
    assert!(!told(), "{}", screen.contents());
    peer::within(Duration::from_secs(60), "notice", told);
    screen.type_keys("clear; exit 4\r");
    assert_eq!(screen.wait_exit(), 4);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_which_nothing_happens_ends() {
    let world = World::with_policy(&format!("@idle(\"4s\") {OPEN}")).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let begun = Instant::now();
    let said = ada.run(&["exec", &name, "--", "sleep", "600"]).await;
    assert_eq!(said.code, 255);
    assert!(said.stderr.contains("nothing has happened in it for 4s"), "{}", said.stderr);
    assert!((4..8).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // What a command says counts, what a program paints on a terminal does not.
    let said =
        ada.run(&["exec", &name, "--", "sh", "-c", "for n in 1 2 3 4 5 6 7 8 9 10; do echo $n; sleep 0.5; done; exit 3"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let opened = connect(&world.api("ada").await, &name, &[Action::Shell]).await.unwrap();
    let certificate = Certificate::from_openssh(&opened.reply.certificate).unwrap();
    assert_eq!(certificate.critical_options().get("idle@ztctl").map(String::as_str), Some("4"));
    let inside = enter(opened.link, "default", opened.key, certificate).await.unwrap();
    let mut channel = inside.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    // Typing keeps it open for six seconds.
    for _ in 0..6 {
        channel.data(&b"\n"[..]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let quiet = Instant::now();
    channel.data(&b"while :; do echo still here; sleep 0.2; done\n"[..]).await.unwrap();
    let mut output = Vec::new();
    let read = async {
        while let Some(message) = channel.wait().await {
            if let ChannelMsg::Data { data } = message {
                output.extend_from_slice(&data);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("it ends");
    let (text, lasted) = (String::from_utf8_lossy(&output).into_owned(), quiet.elapsed());
    assert!(text.contains("still here\r\n") && text.contains("nothing has happened in it for 4s"), "{text}");
    assert!((4..8).contains(&lasted.as_secs()), "{lasted:?}");
    let why = ada.run(&["why", &name]).await.stdout;
    assert!(why.contains("4s without activity"), "{why}");
    let ends = async || {
        let records = world.admin.audit(AuditQuery::default()).await.unwrap();
        let outcome = |record: AuditRecord| match record.event {
            Event::SessionEnded { outcome, .. } => Some(outcome),
            _ => None,
        };
        records.into_iter().filter_map(outcome).collect::<Vec<_>>()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while ends().await.len() < 3 {
        assert!(Instant::now() < deadline, "an end is not written down");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ends().await, [Outcome::Idle, Outcome::Exited { status: 3 }, Outcome::Idle]);
}

/// `ztbroker policy ARGUMENTS`.
fn policy(arguments: &[&str]) -> Said {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ztbroker"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().stdin(Stdio::null());
    command.arg("policy").args(arguments).output().unwrap().into()
}

#[test]
fn policies_are_checked_and_tested_without_a_broker() {
    let folder = tempfile::tempdir().unwrap();
    let (file, cases) = (folder.path().join("p.cedar"), folder.path().join("cases.toml"));
    let (path, cases_path) = (file.to_str().unwrap(), cases.to_str().unwrap());
    // What we hand out is as it says, and tells of the one permit that binds who is in both groups.
    let said = policy(&["check", "deploy/policy.cedar"]);
    assert_eq!((said.code, said.stdout.lines().count()), (0, 4), "{}", said.stderr);
    assert!(
        said.stderr.starts_with("warning: deploy/policy.cedar:") && said.stderr.contains("\"on-call-enters\""),
        "{}",
        said.stderr
    );
    assert_eq!(policy(&["check", "--deny-warnings", "deploy/policy.cedar"]).code, 1);
    let said = policy(&["test", "deploy/policy-test.toml", "--policy", "deploy/policy.cedar"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "7 cases are decided as expected\n"), "{}", said.stderr);
    // Whose people there are is the configuration's to say, where one is named.
    std::fs::write(&file, "permit (principal == User::\"bob@corp.example\", action, resource);").unwrap();
    assert_eq!(policy(&["check", "--deny-warnings", path]).code, 0);
    let said = policy(&["check", "--config", "deploy/ztbroker.toml", path]);
    assert!(said.code == 0 && said.stderr.contains("corp.example is no provider"), "{}", said.stderr);
    assert_eq!(policy(&["check", "--config", "/no/such/file", path]).code, 1);
    // A mistake has its place.
    std::fs::write(&file, "permit (principal, action == Action::\"fly\", resource);").unwrap();
    let said = policy(&["check", path]);
    assert_eq!(said.code, 1);
    assert!(said.stderr.contains("p.cedar:1:") && said.stderr.contains("fly"), "{}", said.stderr);
    // So has a case that is decided otherwise.
    std::fs::write(&file, OPEN).unwrap();
    let case = "[[case]]\nname = \"nobody\"\nuser = \"eve\"\naction = \"exec\"\nexpect = \"deny\"\n";
    std::fs::write(&cases, case).unwrap();
    let said = policy(&["test", cases_path, "--policy", path]);
    let report = format!(
        "{cases_path}:1: nobody\n  eve@local in no group: exec as default in container\n  - deny\n  + allow\n  + by p-1\n"
    );
    assert_eq!((said.code, said.stdout), (1, report));
    assert!(said.stderr.contains("1 of 1 cases are decided otherwise than expected"), "{}", said.stderr);
    std::fs::write(&cases, case.replace("expect", "expects")).unwrap();
    let said = policy(&["test", cases_path, "--policy", path]);
    assert!(said.code == 1 && said.stderr.contains("line ") && said.stderr.contains("hint: "), "{}", said.stderr);
}

const EXPLAINED: &str = r#"
@id("see") permit (principal, action == Action::"list", resource);
@id("dev") @max_session("1h") permit (principal in Group::"dev", action == Action::"exec", resource);
@id("tier") @require("reason") permit (principal, action == Action::"exec", resource) when { resource.hasTag("tier") };
@id("no-root") forbid (principal, action, resource) when { context has login && context.login == "root" };
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_live_broker_explains_itself() {
    let world = World::with_policy(EXPLAINED).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &["dev"]).await;
    let name = ada.names(1).await.remove(0);
    let state = world.state().display().to_string();
    let explain = async |more: &[&str]| {
        let arguments = [&["--state", &state, "policy", "explain", "ada", &name][..], more].concat();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ztbroker"));
        Said::from(command.args(arguments).stdin(Stdio::null()).output().await.unwrap())
    };
    let said = explain(&["exec", "--reason", "ticket 7"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("ada@local in dev: exec as default in {name}")), "{said:?}");
    assert_eq!(lines[1..], ["list: allowed by see", "exec: allowed by dev, tier", "obligations: max_session 1h, reason"]);
    let said = explain(&["exec"]).await.stdout;
    assert!(said.contains("exec: allowed with a reason, which tier asks for"), "{said}");
    assert!(explain(&["exec", "--login", "root"]).await.stdout.contains("exec: denied by no-root"));
    assert!(explain(&["shell"]).await.stdout.contains("shell: denied: no policy permits it"));
    let wish = LockWish::Container(name.clone());
    let lock = LockSpec { wish, lasts: None, until: None, reason: Some("being repaired".to_owned()) };
    world.admin.add_lock(lock).await.unwrap();
    let said = explain(&["exec", "--reason", "x", "--output", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        (&json["finding"]["decision"], &json["finding"]["policies"]),
        (&"allow".into(), &serde_json::json!(["dev", "tier"]))
    );
    assert!(json["locked"].as_str().unwrap().ends_with(" is locked: being repaired"), "{json}");
    let said = explain(&["exec", "--reason", "x", "--group", "ops"]).await.stdout;
    assert!(said.starts_with("ada@local in ops: ") && said.contains("exec: allowed by tier"), "{said}");
    for (unknown, why) in [
        ("bob", "there is no user bob"),
        ("bob@elsewhere", "there is no identity provider elsewhere, and bob@elsewhere is nobody"),
    ] {
        let said = policy(&["explain", unknown, &name, "exec", "--state", &state]);
        assert!(said.code == 4 && said.stderr.contains(why), "{said:?}");
    }
}
