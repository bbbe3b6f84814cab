//! What the environment of a session holds of the client's: what describes its terminal, and what a policy's `@env` names.

use std::time::Duration;

use russh::ChannelMsg;
use russh::client::Handle;
use russh::keys::ssh_key::Certificate;
use ztctl::proto::Action;

use crate::attacks::{Anybody, enter};
use crate::screen::Screen;
use crate::world::{World, connect};

const POLICY: &str = r#"
permit (principal, action in [Action::"list", Action::"exec"], resource);
@env("APP_*,TZ")
permit (principal, action == Action::"exec", resource) when { resource.app == "web" };
@env("APP_MODE,APP_LEVEL")
permit (principal, action == Action::"exec", resource) when { resource has image && resource.image like "*:1" };
"#;

/// Runs `env` on a channel of its own after these requests: what was answered to each, and the output.
async fn environment(inside: &Handle<Anybody>, asked: &[(&str, &str)]) -> (Vec<bool>, String) {
    let mut channel = inside.channel_open_session().await.unwrap();
    for (name, value) in asked {
        channel.set_env(true, *name, *value).await.unwrap();
    }
    let (mut answers, mut output) = (Vec::new(), Vec::new());
    let work = async {
        while answers.len() < asked.len() {
            match channel.wait().await {
                Some(ChannelMsg::Success) => answers.push(true),
                Some(ChannelMsg::Failure) => answers.push(false),
                Some(_) => {}
                None => panic!("the channel closed before every request was answered"),
            }
        }
        channel.exec(false, "env").await.unwrap();
        while let Some(message) = channel.wait().await {
            if let ChannelMsg::Data { data } = message {
                output.extend_from_slice(&data);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("the channel ends in time");
    (answers, String::from_utf8(output).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sets_what_policy_names_and_no_more() {
    let world = World::with_policy(POLICY).await;
    let _agents = (world.agent("web").await, world.agent("db").await);
    let ada = world.person("ada", &[]).await;
    let api = world.api("ada").await;
    let names = ada.names(2).await;
    let (web, db) = (names.iter().find(|n| n.starts_with("web")).unwrap(), names.iter().find(|n| n.starts_with("db")).unwrap());
    let door = async |name: &str| {
        let opened = connect(&api, name, &[Action::Exec]).await.unwrap();
        let certificate = Certificate::from_openssh(&opened.reply.certificate).unwrap();
        let option = certificate.critical_options().get("env@ztctl").cloned();
        (enter(opened.link, "default", opened.key, certificate).await.unwrap(), option)
    };
    // Both permits with @env decide on web: a name needs both.
    let (inside, option) = door(web).await;
    assert_eq!(option.as_deref(), Some("APP_LEVEL,APP_MODE"));
    let asked = [
        ("APP_MODE", "two words; $(id)"),
        ("APP_OTHER", "x"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "$(id)"),
        ("LD_PRELOAD", "/tmp/x.so"),
        ("APP_LEVEL", ""),
        ("ZTCTL_SESSION", "another"),
        ("PATH", "/tmp"),
    ];
    let (answers, output) = environment(&inside, &asked).await;
    assert_eq!(answers, [true, false, true, false, false, true, false, false]);
    let lines: Vec<&str> = output.lines().collect();
    for line in ["APP_MODE=two words; $(id)", "LANG=C.UTF-8", "APP_LEVEL=", "ZTCTL_USER=ada@local"] {
        assert!(lines.contains(&line), "{line} is missing: {output}");
    }
    for name in ["APP_OTHER=", "LC_ALL=", "LD_PRELOAD=", "ZTCTL_SESSION=another", "PATH=/tmp"] {
        assert!(!lines.iter().any(|line| line.starts_with(name)), "{name} is there: {output}");
    }
    // Where only one of them decides, it alone does; and `why` says so.
    let (inside, option) = door(db).await;
    assert_eq!(option.as_deref(), Some("APP_LEVEL,APP_MODE"));
    assert_eq!(environment(&inside, &[("APP_LEVEL", "3")]).await.0, [true]);
    let why = ada.run(&["why", web]).await.stdout;
    let exec = why.lines().find(|line| line.starts_with("exec")).unwrap();
    assert!(exec.contains("may set APP_LEVEL APP_MODE"), "{why}");
    let why: serde_json::Value = serde_json::from_str(&ada.run(&["why", web, "--output", "json"]).await.stdout).unwrap();
    let verdicts = why["verdicts"].as_array().unwrap();
    let exec = verdicts.iter().find(|verdict| verdict["action"] == "exec").unwrap();
    assert_eq!(exec["env"], serde_json::json!(["APP_LEVEL", "APP_MODE"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_e_sets_one_or_runs_nothing() {
    let world = World::with_policy(POLICY).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let print = ["--", "sh", "-c", "printf '<%s>' \"$APP_MODE\" \"$APP_LEVEL\""];
    let mut given = ada.ztctl(&[&["exec", "-e", "APP_MODE=a = b; $(id)", "-e", "APP_LEVEL", &name], &print[..]].concat());
    let given = given.env("APP_LEVEL", "from here").output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&given.stdout), "<a = b; $(id)><from here>", "{given:?}");
    let many = ada.run(&["exec", "--all", "--yes", "-e", "APP_MODE=x", "--", "sh", "-c", "echo \"got $APP_MODE\""]).await;
    assert!(many.code == 0 && many.stdout.ends_with("| got x\n"), "{} {}", many.stdout, many.stderr);
    // The first is let through, the second not: what would have run must not have run without it, however briefly.
    let ran = ada.home().join("ran").display().to_string();
    let command = ["-e", "APP_MODE=x", "-e", "OTHER=x"];
    for words in [vec!["exec", &name], vec!["exec", "--all", "--yes"]] {
        let refused = ada.run(&[&words[..1], &command, &words[1..], &["--", "touch", &ran]].concat()).await;
        assert!(refused.code == 255, "{} {}", refused.stdout, refused.stderr);
        assert!(refused.stderr.contains("refused the variable OTHER"), "{}", refused.stderr);
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !ada.run(&["sessions"]).await.stderr.contains("no live session") {
            assert!(std::time::Instant::now() < deadline, "the session goes on");
        }
        assert!(!std::path::Path::new(&ran).exists(), "{words:?} ran without its variable");
    }
    // The same at a terminal.
    let at = |variable: &str| {
        let words =
            [env!("CARGO_BIN_EXE_ztctl"), "exec", "-t", "-e", variable, &name, "--", "sh", "-c", "echo \"<$APP_MODE>\""];
        Screen::spawn(&words, &ada.environment(), 24, 80)
    };
    let screen = at("APP_MODE=on a terminal");
    screen.wait_for("<on a terminal>");
    assert_eq!(screen.wait_exit(), 0);
    let screen = at("OTHER=x");
    screen.wait_for("refused the variable OTHER");
    assert_eq!(screen.wait_exit(), 255);
    screen.wait_as_before();
    assert!(!screen.contents().contains("<>"));
}
