//! Which broker, which setting: profiles, `ztctl config`, and the order in which flags, variables and the configuration count.

use std::process::Stdio;

use serde_json::Value;

use crate::world::{OPEN, PASSWORD, Person, World};

/// Ada with logins at two brokers; the second is called `other`.
async fn two_brokers() -> (World, World, Person) {
    let (world, other) = (World::with_policy(OPEN).await, World::with_policy(OPEN).await);
    let ada = world.person("ada", &[]).await;
    other.admin.add_user(&"ada".parse().unwrap(), &[], PASSWORD.to_owned().into()).await.unwrap();
    let root = other.root().display().to_string();
    let mut login = ada.ztctl(&["login", &other.url, "--profile", "other", "--device", "--store", "file", "--ca", &root]);
    let mut login = login.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(login.stderr.take().unwrap()));
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(code) = crate::stack::user_code(&line) {
            other.admin.approve_device(&code, &"ada".parse().unwrap()).await.unwrap();
        }
    }
    assert!(login.wait().await.unwrap().success());
    (world, other, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_name_brokers_and_the_nearest_word_counts() {
    let (world, other, ada) = two_brokers().await;
    let (_here, _there) = (world.agent("here").await, other.agent("there").await);
    let list = async |words: &[&str], variables: &[(&str, &str)]| {
        for _ in 0..200 {
            let mut command = ada.ztctl(&[&["ls", "-o", "name"], words].concat());
            let output = command.envs(variables.iter().copied()).output().await.unwrap();
            let names = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            // An agent takes a moment to appear.
            if !names.is_empty() && !names.contains("no containers") {
                return names.split('-').next().unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        String::new()
    };
    let undecided = ada.run(&["ls"]).await;
    assert!(undecided.code == 2 && undecided.stderr.contains("add --profile") && undecided.stderr.contains("other  "));
    assert_eq!(list(&["--profile", "other"], &[]).await, "there");
    assert_eq!(list(&[], &[("ZTCTL_PROFILE", "other")]).await, "there");
    assert_eq!(list(&["--broker", &world.url], &[("ZTCTL_PROFILE", "other")]).await, "here");
    assert_eq!(ada.run(&["config", "use", "other"]).await.code, 0);
    assert_eq!(list(&[], &[]).await, "there");
    assert_eq!(list(&[], &[("ZTCTL_BROKER", &world.url)]).await, "here");
    // A new name goes along with the default.
    assert_eq!(ada.run(&["config", "rename", "other", "prod"]).await.code, 0);
    assert_eq!(list(&[], &[]).await, "there");
    let profiles: Value = serde_json::from_str(&ada.run(&["config", "profiles", "-o", "json"]).await.stdout).unwrap();
    let prod = profiles.as_array().unwrap().iter().find(|profile| profile["name"] == "prod").unwrap();
    assert_eq!((&prod["default"], &prod["user"]), (&Value::Bool(true), &"ada@local".into()));
    let first = profiles.as_array().unwrap().iter().find(|profile| profile["default"] == false).unwrap();
    let first = first["name"].as_str().unwrap();
    // Names are of one broker each, and what is not there is said.
    let taken = ada.run(&["config", "rename", first, "prod"]).await;
    assert!(taken.code == 2 && taken.stderr.contains("prod is the profile of"), "{}", taken.stderr);
    let unknown = ada.run(&["ls", "--profile", "staging"]).await;
    assert!(unknown.code == 2 && unknown.stderr.contains("there is no profile staging"), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("prod"), "{}", unknown.stderr);
    // A profile goes when its login has gone.
    let live = ada.run(&["config", "remove", "prod"]).await;
    assert!(live.code == 2 && live.stderr.contains("ztctl logout --profile prod"), "{}", live.stderr);
    assert_eq!(ada.run(&["logout", "--profile", "prod"]).await.code, 0);
    assert_eq!(ada.run(&["config", "remove", "prod"]).await.code, 0);
    assert_eq!(list(&[], &[]).await, "here");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_says_where_it_comes_from() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let show = async |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = ada.ztctl(&[words, &["config", "show", "-o", "json"]].concat());
        let output = command.envs(variables.iter().copied()).output().await.unwrap();
        let rows: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        move |name: &str| {
            let row = rows.as_array().unwrap().iter().find(|row| row["setting"] == name).unwrap().clone();
            format!("{} by {}", row["value"].as_str().unwrap_or("-"), row["from"].as_str().unwrap())
        }
    };
    let plain = show(&[], &[]).await;
    assert_eq!(plain("broker"), format!("{} by configuration", world.url));
    assert_eq!([plain("escape"), plain("color"), plain("device")], ["~ by default", "auto by default", "false by default"]);
    for (key, value) in [("escape", "none"), ("color", "never"), ("store", "file"), ("device", "true")] {
        let said = ada.run(&["config", "set", key, value]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    let set =
        show(&["--color", "always"], &[("ZTCTL_ESCAPE", "%"), ("ZTCTL_TOKEN", "zt-s3cret"), ("ZTCTL_REASON", "4711")]).await;
    assert_eq!(set("escape"), "% by ZTCTL_ESCAPE");
    assert_eq!(set("color"), "always by --color");
    assert_eq!([set("store"), set("device")], ["file by configuration", "true by configuration"]);
    assert_eq!([set("reason"), set("token")], ["4711 by ZTCTL_REASON", "(set, not shown) by ZTCTL_TOKEN"]);
    assert_eq!(ada.run(&["config", "unset", "escape"]).await.code, 0);
    assert_eq!(show(&[], &[]).await("escape"), "~ by default");
    let wrong = ada.run(&["config", "set", "color", "blue"]).await;
    assert!(wrong.code == 2 && wrong.stderr.contains("one of auto, always, never"), "{}", wrong.stderr);
    let variable = ada.ztctl(&["config", "show"]).env("ZTCTL_DEVICE", "maybe").output().await.unwrap();
    assert!(String::from_utf8_lossy(&variable.stderr).contains("unset ZTCTL_DEVICE"));
    let colour = ada.ztctl(&["ls"]).env("ZTCTL_COLOR", "maybe").output().await.unwrap();
    let said = String::from_utf8_lossy(&colour.stderr).into_owned();
    assert!(colour.status.code() == Some(2) && said.contains("ZTCTL_COLOR"), "{said}");
    // What must be typed is all that a usage error names.
    let usage = ada.ztctl(&["exec"]).env("ZTCTL_BROKER", "https://x.example").output().await.unwrap();
    assert!(!String::from_utf8_lossy(&usage.stderr).contains("--broker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_is_told_and_timed_and_no_secret_is() {
    let world = World::with_policy(OPEN).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let timed = ada.run(&["exec", "--timing", &name, "--", "echo", "done"]).await;
    assert_eq!((timed.code, timed.stdout.as_str()), (0, "done\n"));
    for part in ["start", "connection", "broker", "keys", "proof", "command", "in all"] {
        assert!(timed.stderr.contains(part), "{part}: {}", timed.stderr);
    }
    let told = ada.run(&["exec", "-v", &name, "--", "true"]).await;
    for part in ["> GET", "/v1/connect", "< 101", "certificate ada@local/", "host certificate for", "accepted", "ssh: "] {
        assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
    }
    let headers = ada.run(&["-vv", "exec", &name, "--", "true"]).await;
    for header in ["> authorization: (not shown)", "> dpop: (not shown)", "> ztctl-connect: "] {
        assert!(headers.stderr.contains(header), "{header}: {}", headers.stderr);
    }
    let kept: Vec<String> = walk(&ada.home()).into_iter().filter(|text| text.contains("access_token")).collect();
    let kept: Value = serde_json::from_str(&kept[0]).unwrap();
    for secret in ["access_token", "refresh_token", "key"] {
        assert!(!headers.stderr.contains(kept[secret].as_str().unwrap()), "{secret}");
    }
    // A verb that fails tells where it was.
    let failed = ada.run(&["exec", "--timing", "nothing", "--", "true"]).await;
    assert!(
        failed.code == 255 && failed.stderr.contains("connection") && !failed.stderr.contains("proof"),
        "{}",
        failed.stderr
    );
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { texts.extend(walk(&path)) } else { texts.extend(std::fs::read_to_string(path)) }
    }
    texts
}
