//! People of a real OpenID Provider that nobody here wrote: they log in with their browser and by a code, their groups count, and
//! whoever is gone there is gone here.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use ztctl::broker::audit::Query;
use ztctl::broker::config::Provider as Configured;
use ztctl::proto::Secret;

use crate::browser::Browser;
use crate::login::age;
use crate::peer;
use crate::stack::user_code;
use crate::world::{Person, Said, World};

/// The folder with the provider's `node_modules`, which `.ci/run` makes and `ZTCTL_TEST_OIDC_PROVIDER` names.
fn installed() -> Option<PathBuf> {
    let folder = std::env::var_os("ZTCTL_TEST_OIDC_PROVIDER").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.join("node_modules/oidc-provider").is_dir());
    peer::present("oidc-provider", folder.is_some() && peer::program("node").is_some());
    folder
}

/// A provider, and the broker that believes it.
struct Corp {
    folder: TempDir,
    installed: PathBuf,
    port: u16,
    process: Option<Child>,
    redirect: String,
}

impl Corp {
    /// A broker whose people are all at the provider, which has not started yet.
    async fn with_world(policy: &str, directory: bool) -> Option<(Self, World)> {
        let installed = installed()?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let world = World::configured("127.0.0.1", policy, |config| {
            config.directory = directory;
            config.providers = vec![Configured {
                name: "corp".into(),
                title: "Corp".into(),
                issuer: format!("http://127.0.0.1:{port}"),
                client_id: "ztctl".into(),
                client_secret: Some(Secret::new(SECRET.into())),
                scopes: ["profile", "email", "groups", "offline_access"].map(str::to_owned).into(),
                username_claim: "preferred_username".into(),
                groups_claim: "groups".into(),
                groups: vec!["*".into()],
                mfa_amr: vec!["mfa".into()],
                mfa_acr: vec![],
                ca: None,
            }];
        })
        .await;
        let redirect = format!("{}/oauth/callback", world.url);
        Some((Self { folder: tempfile::tempdir().unwrap(), installed, port, process: None, redirect }, world))
    }

    /// Starts it with a new key of this name; what it knew before is forgotten.
    fn start(&mut self, key: &str, userinfo_only: bool) {
        self.stop();
        let keys = [rsa(key)];
        let settings = json!({
            "port": self.port, "redirect": self.redirect, "secret": SECRET, "keys": keys, "userinfo_only": userinfo_only,
        });
        fs::write(self.folder.path().join("settings.json"), settings.to_string()).unwrap();
        // Modules are looked for from where the script lies.
        let script = self.script();
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oidc/provider.mjs"), &script).unwrap();
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let process =
            Command::new("node").arg(script).arg(self.folder.path()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.process = Some(process.unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(self.folder.path().join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// One for each of those that run at the same time.
    fn script(&self) -> PathBuf {
        self.installed.join(format!("provider-{}.mjs", self.port))
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
            let _ = fs::remove_file(self.script());
        }
    }

    /// From now on this person shows a second factor at each login.
    fn give_factor(&self, name: &str) {
        fs::write(self.folder.path().join("factor"), format!("{name}\n")).unwrap();
    }

    /// From now on nobody of that name is there.
    fn dismiss(&self, name: &str) {
        fs::write(self.folder.path().join("gone"), format!("{name}\n")).unwrap();
    }
}

impl Drop for Corp {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A key of its own, as a provider has it; made by Node, which is there.
fn rsa(id: &str) -> Value {
    let script = "const k=require('crypto').generateKeyPairSync('rsa',{modulusLength:2048}).privateKey.export({format:'jwk'});\
                  k.kid=process.argv[1];k.use='sig';console.log(JSON.stringify(k))";
    let made = Command::new("node").args(["-e", script, id]).output().unwrap();
    serde_json::from_slice(&made.stdout).unwrap()
}

/// The person types name and password at the provider, and says yes.
async fn at_provider(browser: &Browser, name: &str) {
    browser.fill("input[name=login]", name).await;
    browser.fill("input[name=password]", "whatever").await;
    browser.click("button[type=submit]").await;
    browser.wait_for("Authorize").await;
    browser.click("button[type=submit]").await;
}

/// The same for somebody whom the provider knows, and who has said yes before.
async fn at_provider_again(browser: &Browser, name: &str) {
    browser.fill("input[name=login]", name).await;
    browser.fill("input[name=password]", "whatever").await;
    browser.click("button[type=submit]").await;
}

/// `ztctl login` in the browser, up to the moment when the page of the provider is there.
async fn to_provider(browser: &Browser, world: &World, who: &Person) -> tokio::process::Child {
    to_provider_with(browser, world, who, &[]).await
}

/// The same with more arguments.
async fn to_provider_with(browser: &Browser, world: &World, who: &Person, more: &[&str]) -> tokio::process::Child {
    let root = world.root().display().to_string();
    let mut login = who.ztctl(&["login", &world.url, "--ca", &root, "--store", "file"]);
    login.args(more);
    login.env("BROWSER", "true").env("DISPLAY", ":0").stderr(Stdio::piped());
    let mut login = login.spawn().unwrap();
    browser.open(&crate::login::page_of(&mut login).await).await;
    login
}

async fn done(mut login: tokio::process::Child) -> i32 {
    tokio::time::timeout(Duration::from_secs(20), login.wait()).await.expect("ztctl goes on").unwrap().code().unwrap()
}

/// The page says that it is done, and `ztctl` goes on.
async fn logged_in(browser: &Browser, login: tokio::process::Child) {
    browser.wait_for("close this").await;
    assert_eq!(done(login).await, 0);
}

const SECRET: &str = "a secret between the two";
const SRE_ONLY: &str = r#"permit (principal in Group::"sre", action, resource);"#;

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_provider_log_in_and_go_with_it() {
    let Some(browser) = Browser::start().await else { return };
    let Some((mut corp, world)) = Corp::with_world(SRE_ONLY, false).await else { return };
    let _agent = world.agent("web").await;
    let ada = world.stranger("ada");

    // The provider is away: a page says so. Then it is there, and without a directory the page is the provider's at once.
    let login = to_provider(&browser, &world, &ada).await;
    browser.wait_for("Corp does not answer").await;
    drop(login);
    corp.start("one", false);
    let login = to_provider(&browser, &world, &ada).await;
    at_provider(&browser, "ada").await;
    logged_in(&browser, login).await;
    let status = ada.run(&["status"]).await.stdout;
    assert!(status.contains("ada@corp") && status.contains("sre") && status.contains("web"), "{status}");
    assert_eq!(ada.names(1).await.len(), 1);

    // The next tokens, with the provider's leave; its refresh token is not in our database as it is.
    age(&ada);
    assert_eq!(ada.run(&["ls"]).await.code, 0);

    // It is away when the tokens are over: that is not the login's end.
    let bob = world.stranger("bob");
    let login = to_provider(&browser, &world, &bob).await;
    // The provider knows this browser.
    if browser.source().await.contains("name=\"login\"") {
        at_provider(&browser, "bob").await;
    }
    logged_in(&browser, login).await;
    age(&bob);
    let running = corp.process.as_ref().unwrap().id().to_string();
    assert!(Command::new("kill").args(["-STOP", &running]).status().unwrap().success());
    let away = bob.run(&["ls"]).await;
    assert!(Command::new("kill").args(["-CONT", &running]).status().unwrap().success());
    assert_eq!(away.code, 1, "{}", away.stderr);
    assert!(away.stderr.contains("Corp does not answer"), "{}", away.stderr);

    // Gone there, gone here.
    corp.dismiss("ada");
    let gone = bob.run(&["ls"]).await;
    assert_eq!(gone.code, 3, "{}", gone.stderr);
    assert!(gone.stderr.contains("ztctl login"), "{}", gone.stderr);
    let audit = world.admin.audit(Query::default()).await.unwrap();
    let audit = serde_json::to_string(&audit).unwrap();
    assert!(audit.contains(r#""event":"login_ended","user":"ada@corp""#), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_beside_the_directory_a_code_and_a_new_key() {
    let Some(browser) = Browser::start().await else { return };
    let Some((mut corp, world)) = Corp::with_world(SRE_ONLY, true).await else { return };
    let _agent = world.agent("web").await;
    corp.start("one", true);
    let carol = world.stranger("carol");
    let root = world.root().display().to_string();
    let mut login = carol.ztctl(&["login", &world.url, "--device", "--ca", &root, "--store", "file"]);
    let mut login = login.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(login.stderr.take().unwrap()).lines();
    let code = loop {
        if let Some(code) = user_code(&lines.next_line().await.unwrap().expect("a code")) {
            break code;
        }
    };
    browser.open(&format!("{}/device?user_code={code}", world.url)).await;
    // The directory's form is there as well.
    assert!(browser.source().await.contains("name=\"username\""));
    browser.click("a.way").await;
    let looked = tokio::time::Instant::now();
    at_provider(&browser, "carol").await;
    browser.wait_for("carol@corp").await;
    assert!(browser.text().await.contains(&code));
    browser.click("button[value=allow]").await;
    browser.wait_for("Done").await;
    assert_eq!(done(login).await, 0);
    // Only the userinfo endpoint says the groups here.
    let status = carol.run(&["status"]).await.stdout;
    assert!(status.contains("carol@corp") && status.contains("sre"), "{status}");

    // The provider has new keys. Whoever says no there is not logged in, and ztctl says why.
    corp.start("two", false);
    let eve = world.stranger("eve");
    let login = to_provider(&browser, &world, &eve).await;
    browser.click("a.way").await;
    browser.click("a[href$=abort]").await;
    let refused = tokio::time::timeout(Duration::from_secs(20), login.wait_with_output()).await.expect("ztctl ends").unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(3) && said.contains("Corp did not log you in (access_denied)"), "{said}");

    // The broker learns of the keys by itself, once it may look again: ten seconds after it last did.
    tokio::time::sleep_until(looked + Duration::from_secs(11)).await;
    let dave = world.stranger("dave");
    let login = to_provider(&browser, &world, &dave).await;
    browser.click("a.way").await;
    at_provider(&browser, "dave").await;
    logged_in(&browser, login).await;
    assert_eq!(dave.names(1).await.len(), 1);

    // A forged way back: an attempt that this browser did not begin.
    browser.open(&format!("{}/oauth/callback?state=AAAA&code=x", world.url)).await;
    browser.wait_for("This login cannot go on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_needs_a_second_factor_shows_it_to_the_provider() {
    let Some(browser) = Browser::start().await else { return };
    let policy = r#"@mfa("15m") permit (principal in Group::"sre", action, resource);"#;
    let Some((mut corp, world)) = Corp::with_world(policy, false).await else { return };
    let _agent = world.agent("web").await;
    corp.start("one", false);
    let ada = world.stranger("ada");
    let login = to_provider(&browser, &world, &ada).await;
    at_provider(&browser, "ada").await;
    logged_in(&browser, login).await;
    let name = ada.names(1).await.remove(0);
    let said = ada.run(&["exec", &name, "--", "echo", "inside"]).await;
    assert_eq!((said.code, said.stdout.is_empty()), (255, true), "{}", said.stderr);
    assert!(said.stderr.contains(&format!("ztctl login {} --mfa", world.url)), "{}", said.stderr);

    // The provider, which knows this browser, asks again; who shows one factor only gets no further.
    let login = to_provider_with(&browser, &world, &ada, &["--mfa"]).await;
    at_provider_again(&browser, "ada").await;
    logged_in(&browser, login).await;
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 255);

    corp.give_factor("ada");
    let login = to_provider_with(&browser, &world, &ada, &["--mfa"]).await;
    at_provider_again(&browser, "ada").await;
    logged_in(&browser, login).await;
    let said = ada.run(&["exec", &name, "--", "echo", "inside"]).await;
    assert_eq!((said.code, &*said.stdout), (0, "inside\n"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_people_ask_and_answer() {
    let Some(browser) = Browser::start().await else { return };
    let policy = r#"permit (principal in Group::"sre", action == Action::"list", resource);
        @approval("sre") permit (principal in Group::"sre", action == Action::"exec", resource);"#;
    let Some((mut corp, world)) = Corp::with_world(policy, false).await else { return };
    let _agent = world.agent("web").await;
    corp.start("one", false);
    let ada = world.stranger("ada");
    let login = to_provider(&browser, &world, &ada).await;
    at_provider(&browser, "ada").await;
    logged_in(&browser, login).await;
    let name = ada.names(1).await.remove(0);
    let asked = ada.run(&["request", &name, "--action", "exec", "--reason", "ticket 7", "--no-wait"]).await;
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    let page = format!("{}/requests/{}", world.url, asked.stdout.trim());

    // The operator can ask about somebody whom only the provider knows: in the groups that it told last, or in any.
    let explain = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ztbroker"));
        command.args(["--state", &world.state().display().to_string(), "policy", "explain"]).args(arguments);
        Said::from(command.output().await.unwrap())
    };
    let said = explain(&["ada@corp", &name, "exec"]).await.stdout;
    assert!(said.starts_with("ada@corp in sre, web: exec") && said.contains("allowed with an approval"), "{said}");
    let said = explain(&["zoe@corp", &name, "exec"]).await.stderr;
    assert!(said.contains("zoe@corp is not logged in now") && said.contains("--group"), "{said}");
    assert!(explain(&["zoe@corp", &name, "exec", "--group", "hr"]).await.stdout.contains("exec: denied: no policy"));

    // Without a directory there is no form for a password. The provider asks anew: whoever sits there now.
    browser.open(&page).await;
    assert!(!browser.source().await.contains("name=\"password\""));
    browser.click("a.way").await;
    at_provider_again(&browser, "ada").await;
    browser.wait_for("your own request").await;
    browser.open(&page).await;
    browser.click("a.way").await;
    at_provider_again(&browser, "bob").await;
    // It tells one person from the next in the same browser, and asks this one for leave.
    browser.wait_for("Continue").await;
    browser.click("[type=submit]").await;
    browser.wait_for("Authorize").await;
    browser.click("button[type=submit]").await;
    browser.wait_for("ada@corp asks for exec").await;
    browser.click("button[value=approve]").await;
    browser.wait_for("Approved").await;
    let said = ada.run(&["exec", &name, "--", "echo", "inside"]).await;
    assert_eq!((said.code, &*said.stdout), (0, "inside\n"), "{}", said.stderr);
}
