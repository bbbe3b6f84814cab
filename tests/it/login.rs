//! Login, as a person meets it: by a code, in a real browser, twice at once, wrong in each way there is.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::browser::Browser;
use crate::stack::user_code;
use crate::world::{PASSWORD, Person, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_leaves_tokens_that_only_the_owner_can_read_and_logout_takes_them_away() {
    let world = World::start().await;
    let ada = world.person("ada", &["developers"]).await;
    let status = ada.run(&["status"]).await;
    assert_eq!(status.code, 0, "{}", status.stderr);
    for part in [world.url.as_str(), "ada@local", "developers", "copied"] {
        assert!(status.stdout.contains(part), "{part} is not in {}", status.stdout);
    }
    let files = files_below(&ada.home());
    assert!(!files.is_empty());
    for file in &files {
        let mode = std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
    }
    let secrets = secrets(&files);
    assert!(secrets >= 1, "no token file among {files:?}");
    let logout = ada.run(&["logout"]).await;
    assert_eq!(logout.code, 0, "{}", logout.stderr);
    assert_eq!(self::secrets(&files_below(&ada.home())), 0);
    let after = ada.run(&["ls"]).await;
    assert_eq!(after.code, 3);
    assert!(after.stderr.contains("ztctl login"), "{}", after.stderr);
    // Without a URL it is the last broker again.
    let again = ada.ztctl(&["login", "--device", "--store", "file"]).stderr(Stdio::piped()).spawn().unwrap();
    let code = code_of(again).await;
    world.admin.approve_device(&code.0, &"ada".parse().unwrap()).await.unwrap();
    assert!(code.1.wait_with_output().await.unwrap().status.success());
    assert_eq!(ada.run(&["ls"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_status_tells_what_is_known_here() {
    let mut world = World::start().await;
    let ada = world.person("ada", &[]).await;
    world.stop().await;
    let status = ada.run(&["status"]).await;
    assert_ne!(status.code, 0);
    for part in ["broker   https://", "tokens   a file that can be copied: ", "key      in the same file", "ca       SHA256:"] {
        assert!(status.stdout.contains(part), "{part} is not in {}", status.stdout);
    }
    assert!(!status.stdout.contains("ada@local") && status.stderr.contains("cannot reach"), "{status:?}");
    assert_eq!(ada.run(&["status", "-o", "json"]).await.stdout, "", "half an object is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_refresh_once() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    ada.names(1).await;
    age(&ada);
    let runs = (0..6).map(|_| ada.run(&["ls", "--output", "name"]));
    for said in futures_util::future::join_all(runs).await {
        assert_eq!((said.code, said.stdout.lines().count()), (0, 1), "{}", said.stderr);
    }
    assert_eq!(ada.run(&["ls"]).await.code, 0);
}

/// As if ten minutes had gone by: the access token is over, the refresh token is not.
pub fn age(who: &Person) {
    for file in files_below(&who.home()) {
        let json = std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
        if let Some(mut json) = json.filter(|json| json.get("access_expires_at").is_some()) {
            json["access_expires_at"] = 1.into();
            std::fs::write(&file, json.to_string()).unwrap();
        }
    }
}

/// The address of the page that `ztctl login` prints; the rest of what it says stays to be read.
pub async fn page_of(login: &mut tokio::process::Child) -> String {
    let mut lines = BufReader::new(login.stderr.as_mut().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("the page's address");
        if let Some(word) = line.split_whitespace().find(|word| word.starts_with("https://") && word.contains("authorize")) {
            return word.to_owned();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_logs_in_without_scripts() {
    let Some(browser) = Browser::start().await else { return };
    let world = World::start().await;
    let ada = world.account("ada", &["developers"]).await;
    let root = world.root().display().to_string();
    let mut login = ada.ztctl(&["login", &world.url, "--ca", &root, "--store", "file"]);
    // A "browser" that opens nothing: the page's address is printed too.
    login.env("BROWSER", "true").env("DISPLAY", ":0").stderr(Stdio::piped());
    let mut login = login.spawn().unwrap();
    browser.open(&page_of(&mut login).await).await;
    browser.fill("input[name=username]", "ada").await;
    browser.fill("input[type=password]", "wrong").await;
    browser.click("button[type=submit]").await;
    browser.wait_for("The name or the password is wrong").await;
    assert!(!browser.url().await.contains("=wrong"), "{}", browser.url().await);
    browser.fill("input[name=username]", "ada").await;
    browser.fill("input[type=password]", PASSWORD).await;
    browser.click("button[type=submit]").await;
    browser.wait_for("close this").await;
    assert!(!browser.url().await.contains(PASSWORD));
    let status = tokio::time::timeout(Duration::from_secs(20), login.wait()).await.expect("ztctl goes on").unwrap();
    assert!(status.success());
    assert!(ada.run(&["status"]).await.stdout.contains("ada@local"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_entered_on_a_phone() {
    let Some(browser) = Browser::start().await else { return };
    let world = World::start().await;
    let ada = world.account("ada", &[]).await;
    let root = world.root().display().to_string();
    let login = ada.ztctl(&["login", &world.url, "--device", "--ca", &root, "--store", "file"]).stderr(Stdio::piped()).spawn();
    let (code, login) = code_of(login.unwrap()).await;
    browser.open(&format!("{}/device", world.url)).await;
    browser.fill("input[name=user_code]", &code.to_lowercase().replace('-', " ")).await;
    if !browser.source().await.contains("type=\"password\"") {
        browser.click("button[type=submit]").await;
    }
    browser.fill("input[name=username]", "ada").await;
    browser.fill("input[type=password]", PASSWORD).await;
    browser.click("button[type=submit]").await;
    let output = tokio::time::timeout(Duration::from_secs(30), login.wait_with_output()).await.expect("ztctl goes on").unwrap();
    assert!(output.status.success());
    assert!(ada.run(&["status"]).await.stdout.contains("ada@local"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_machines_is_narrow_and_needs_no_login() {
    use ztctl::broker::UserTokenSpec;
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let spec = UserTokenSpec {
        user: "ada".parse().unwrap(),
        ttl: Duration::from_secs(60),
        actions: Some("list".parse().unwrap()),
        containers: Vec::new(),
    };
    let token = world.admin.create_user_token(spec).await.unwrap();
    let robot = world.stranger("robot");
    let with_token = |arguments: &[&str]| {
        let mut command = robot.ztctl(arguments);
        command.env("ZTCTL_TOKEN", token.expose()).env("ZTCTL_BROKER", &world.url).env("ZTCTL_CA", world.root());
        command
    };
    let list = with_token(&["ls", "--output", "name"]).output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&list.stdout).trim(), name, "{}", String::from_utf8_lossy(&list.stderr));
    let exec = with_token(&["exec", &name, "--", "true"]).output().await.unwrap();
    assert_eq!(exec.status.code(), Some(255));
    assert!(files_below(&robot.home()).is_empty(), "a token leaves nothing behind");
}

async fn code_of(mut login: tokio::process::Child) -> (String, tokio::process::Child) {
    let mut lines = BufReader::new(login.stderr.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(code) = user_code(&line) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (code, login);
        }
    }
    panic!("no code");
}

pub fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

fn secrets(files: &[std::path::PathBuf]) -> usize {
    files.iter().filter(|file| std::fs::read_to_string(file).unwrap_or_default().contains("refresh_token")).count()
}
