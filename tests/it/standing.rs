//! `ztctl why` and `ztctl sessions`: what I may, and what of mine is going on.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::world::{OPEN, World};

const POLICY: &str = r#"
@id("everybody-sees-web")
permit (principal, action == Action::"list", resource) when { resource.app == "web" };
@id("short-shells") @max_session("90m") @require("reason")
permit (principal, action == Action::"shell", resource) when { resource.app == "web" && context.login == "default" };
@id("commands")
permit (principal, action == Action::"exec", resource) when { resource.app == "web" };
@id("no-commands-by-eve")
forbid (principal == User::"eve@local", action == Action::"exec", resource);
@id("logs-where-there-are-some")
permit (principal, action == Action::"logs", resource);
"#;

#[tokio::test(flavor = "multi_thread")]
async fn why_tells_what_trying_would_and_no_more() {
    let world = World::with_policy(POLICY).await;
    let (_web, _db) = (world.agent("web").await, world.agent("db").await);
    let (ada, eve) = (world.person("ada", &[]).await, world.person("eve", &[]).await);
    let name = ada.names(1).await.remove(0);
    let said = ada.run(&["why", &name]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let row = |action: &str| {
        said.stdout.lines().find(|line| line.starts_with(action)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("shell"), "shell yes for 1h30m at most, with --reason short-shells");
    assert_eq!(row("exec"), "exec yes for 8h at most commands");
    assert_eq!(row("logs"), format!("logs no {name} cannot do that: its connector has no logs logs-where-there-are-some"));
    assert_eq!(row("copy"), format!("copy no policy does not allow you copy on {name}"));
    assert!(said.stderr.contains(&format!("operator to allow: copy, forward on {name} for ada@local")), "{}", said.stderr);
    // As root there is no shell; eve has no commands, and does not learn which policy keeps them from her.
    let root: Value =
        serde_json::from_str(&ada.run(&["why", &name, "--user", "root", "--output", "json"]).await.stdout).unwrap();
    assert_eq!((&root["verdicts"][0]["action"], &root["verdicts"][0]["allowed"]), (&"shell".into(), &false.into()));
    let hers = eve.run(&["why", &name, "--output", "json"]).await.stdout;
    assert!(hers.contains("policy does not allow you exec") && !hers.contains("no-commands-by-eve"), "{hers}");
    // What may not be listed is not there.
    let unseen = ada.run(&["why", "db"]).await;
    assert!(unseen.code == 4 && unseen.stderr.contains("no container db among those"), "{}", unseen.stderr);
    assert_eq!(ada.run(&["why", "nothing"]).await.stderr.replace("nothing", "db"), unseen.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn my_sessions_are_seen_and_ended_from_anywhere_and_nobody_elses() {
    let world = World::with_policy(OPEN).await;
    let _agent = world.agent("web").await;
    let (ada, eve) = (world.person("ada", &[]).await, world.person("eve", &[]).await);
    let name = ada.names(1).await.remove(0);
    assert!(ada.run(&["sessions"]).await.stderr.contains("you have no live session"));
    let mut session = ada.ztctl(&["exec", &name, "--", "sh", "-c", "echo; sleep 600"]);
    let session = session.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let list = async || serde_json::from_str::<Value>(&ada.run(&["sessions", "--output", "json"]).await.stdout).unwrap();
    let mut tries = 0;
    let row = loop {
        match list().await["sessions"].get(0) {
            Some(row) => break row.clone(),
            None => assert!(tries < 100),
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(row["container"].as_str().unwrap().starts_with("web-") && row["actions"] == serde_json::json!(["exec"]), "{row}");
    let id = row["id"].as_str().unwrap();
    let table = ada.run(&["sessions"]).await.stdout;
    assert!(table.contains(&id[..12]) && (table.contains("in 7h") || table.contains("in 8h")), "{table}");
    // Somebody else neither sees it nor ends it.
    assert!(eve.run(&["sessions"]).await.stderr.contains("you have no live session"));
    let api = world.api("eve").await;
    assert!(api.end_session(id.parse().unwrap()).await.is_err());
    assert_eq!(list().await["sessions"].as_array().unwrap().len(), 1);
    let ended = ada.run(&["sessions", "end", &id[..6]]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let output = tokio::time::timeout(Duration::from_secs(5), session.wait_with_output()).await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && stderr.contains("you ended it from 127.0.0.1"), "{stderr}");
    let gone = ada.run(&["sessions", "end", id]).await;
    assert!(gone.code == 4 && gone.stderr.contains("you have no live session"), "{}", gone.stderr);
}
