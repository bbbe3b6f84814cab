//! What `ztctl` says, word for word: help, errors, data, on narrow and wide terminals. `ZTCTL_BLESS=1 cargo test --all-features snapshots`
//! writes them anew; whoever reads the change reads what users will.

use std::fmt::Write;
use std::path::Path;

use crate::peer;
use crate::screen::Screen;
use crate::world::{Person, Said, World};

const ZTCTL: &str = env!("CARGO_BIN_EXE_ztctl");

/// What was run and what came of it, without what differs from run to run.
#[derive(Default)]
struct Transcript {
    text: String,
    /// What stands for what.
    names: Vec<(String, String)>,
}

impl Transcript {
    fn stands_for(&mut self, what: impl Into<String>, name: &str) {
        self.names.push((what.into(), name.to_owned()));
        // The longest first: one may hold another.
        self.names.sort_by_key(|(what, _)| std::cmp::Reverse(what.len()));
    }

    fn add(&mut self, command: &str, said: &Said) {
        let _ = write!(self.text, "$ {command}\n{}{}[status {}]\n\n", said.stdout, said.stderr, said.code);
    }

    async fn run(&mut self, person: &Person, words: &[&str]) {
        let said = person.run(words).await;
        self.add(&typed(words), &said);
    }

    fn neutral(&self) -> String {
        let mut text = self.text.clone();
        for (what, name) in &self.names {
            text = text.replace(what.as_str(), name);
        }
        text = runs(&text, |run| (run.len() >= 32 && run.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| "<id>".into()));
        text = runs(&text, |run| {
            (run.len() == 10 && run.starts_with('1') && run.bytes().all(|byte| byte.is_ascii_digit())).then(|| "<time>".into())
        });
        text = runs(&text, |run| {
            run.strip_suffix('s').filter(|age| age.len() < 4 && age.parse::<u16>().is_ok()).map(|_| "0s".into())
        });
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// The same without the columns, whose width follows what stands in them.
    fn without_columns(mut self) -> Self {
        let line = |line: &str| {
            let text = line.trim_start();
            let mut out = line[..line.len() - text.len()].to_owned();
            out += &text.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ");
            out + "\n"
        };
        self.text = self.text.lines().map(line).collect();
        self
    }

    fn check(&self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
        let now = self.neutral();
        if std::env::var_os("ZTCTL_BLESS").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &now).unwrap();
        }
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        if before != now {
            let differing: Vec<String> = before
                .lines()
                .zip(now.lines())
                .filter(|(old, new)| old != new)
                .take(10)
                .map(|(old, new)| format!("- {old}\n+ {new}"))
                .collect();
            panic!("{name} says something else (ZTCTL_BLESS=1 writes it anew):\n{}", differing.join("\n"));
        }
    }
}

fn typed(words: &[&str]) -> String {
    let words: Vec<String> =
        words.iter().map(|word| if word.contains([' ', '\'']) { format!("{word:?}") } else { (*word).to_owned() }).collect();
    format!("ztctl {}", words.join(" "))
}

/// The text with each run of letters and digits as `change` has it.
fn runs(text: &str, change: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() {
            run.push(character);
            continue;
        }
        out += &change(&run).unwrap_or_else(|| run.clone());
        run.clear();
        out.push(character);
    }
    out.pop();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn help_of_every_verb() {
    let world = World::start().await;
    let eve = world.stranger("eve");
    let mut transcript = Transcript::default();
    let verbs = "login logout status ls shell exec logs cp forward why request requests approve deny sessions ssh-config proxy config completions version";
    transcript.run(&eve, &["--help"]).await;
    transcript.run(&eve, &["-h"]).await;
    for verb in verbs.split(' ') {
        transcript.run(&eve, &[verb, "--help"]).await;
    }
    transcript.run(&eve, &["sessions", "end", "--help"]).await;
    transcript.run(&eve, &["requests", "withdraw", "--help"]).await;
    for verb in ["show", "profiles", "use", "set", "unset", "rename", "remove"] {
        transcript.run(&eve, &["config", verb, "--help"]).await;
    }
    let narrow = eve.ztctl(&["exec", "--help"]).env("COLUMNS", "50").output().await.unwrap();
    transcript.add("COLUMNS=50 ztctl exec --help", &Said::from(narrow));
    transcript.check("help.txt");
}

const POLICY: &str = r#"
@id("everybody-sees-web")
permit (principal, action == Action::"list", resource) when { resource.app == "web" };
@id("shells-with-a-reason") @require("reason")
permit (principal, action == Action::"shell", resource) when { resource.app == "web" };
@id("commands") @max_session("1h")
permit (principal, action == Action::"exec", resource) when { resource.app == "web" && context.login == "default" };
"#;

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_what_to_do_about_them() {
    let mut world = World::with_policy(POLICY).await;
    let agents = (world.agent("web").await, world.agent("web").await);
    let (ada, eve) = (world.person("ada", &["developers"]).await, world.stranger("eve"));
    let names = ada.names(2).await;
    let mut transcript = Transcript::default();
    transcript.stands_for(&world.url, "https://broker.example.com");
    transcript.stands_for(ada.home().display().to_string(), "/home/ada");
    transcript.stands_for(eve.home().display().to_string(), "/home/eve");
    transcript.stands_for(&names[0], "web-1a0");
    transcript.stands_for(&names[1], "web-2b1");
    let here: String = world.url.trim_start_matches("https://").replace(':', "-");
    transcript.stands_for(here.clone(), "broker.example.com");
    let name = names[0].as_str();
    for words in [
        &["ls"][..],
        &["login"],
        &["logout"],
        &["shell", "web"],
        &["exec", "web", "--", "true"],
        &["ls", "-o", "json"],
        &["login", "http://broker.example.com"],
        &["login", "https://broker.example.com/path?x"],
        &["login", "ftp://broker.example.com"],
        &["login", "https://broker.example.com", "--ca", "/no/such/file"],
        &["login", "https://no-such-host.invalid"],
        &["ls", "--profile", "staging"],
        &["config", "use", "staging"],
        &["config", "set", "color", "blue"],
        &["config", "set", "escape", "word"],
        &["frobnicate"],
        &["exec", "web"],
        &["exec", "--", "true"],
        &["shell", "../../etc"],
        &["ls", "-l", "=x"],
        &["forward", "web", "99999"],
        &["logs", "web", "--since", "yesterday"],
        &["cp", "one"],
    ] {
        transcript.run(&eve, words).await;
    }
    for words in [
        &["shell", name][..],
        &["shell"],
        &["exec", "web", "--", "true"],
        &["exec", "nothing", "--", "true"],
        &["exec", name, "--user", "root", "--", "true"],
        &["exec", "-t", name, "--", "true"],
        &["exec", "-e", "SECRET=x", name, "--", "true"],
        &["exec", "-e", "NO_SUCH_VARIABLE", name, "--", "true"],
        &["exec", "--all", "--", "true"],
        &["exec", "--all", "-l", "app=none", "--", "true"],
        &["exec", name, "--", "/no/such/program"],
        &["exec", name, "--", "sh", "-c", "kill -9 $$"],
        &["logs", name],
        &["cp", "here", "there"],
        &["cp", &format!("{name}:x"), &format!("{}:y", names[1])],
        &["cp", &format!("{name}:/etc/hostname"), "/tmp/x"],
        &["forward", name, "8080"],
        &["why", "nothing"],
        &["sessions"],
        &["sessions", "end", "abc"],
        &["ls", "nothing-like-that"],
        &["config", "remove", &here],
        &["completions", "tcsh"],
    ] {
        if words == ["sessions"] {
            // The agent's word about the end of the last one may still be on its way.
            peer::within(std::time::Duration::from_secs(10), "end of the last session", || world.admin.sessions().is_empty());
        }
        transcript.run(&ada, words).await;
    }
    let shell = ada.run_with(&["shell", name, "--reason", "x"], b"").await;
    transcript.add("ztctl shell web-1a0 --reason x </dev/null", &shell);
    drop(agents);
    world.stop().await;
    transcript.run(&ada, &["ls"]).await;
    transcript.run(&ada, &["logout"]).await;
    transcript.without_columns().check("errors.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn data_for_people_and_for_programs() {
    let world = World::with_policy(POLICY).await;
    let agent = world.agent("web").await;
    let ada = world.person("ada", &["developers"]).await;
    let names = ada.names(1).await;
    let name = names[0].as_str();
    let mut transcript = Transcript::default();
    transcript.stands_for(&world.url, "https://broker.example.com");
    let full: serde_json::Value = serde_json::from_str(&ada.run(&["ls", "-o", "json"]).await.stdout).unwrap();
    let row = &full["containers"][0];
    transcript.stands_for(row["full_name"].as_str().unwrap(), "web-1a0c01ab34de");
    transcript.stands_for(name, "web-1a0");
    transcript.stands_for(row["location"].as_str().unwrap(), "node");
    transcript.stands_for(ada.home().display().to_string(), "/home/ada");
    transcript.stands_for(world.url.trim_start_matches("https://").replace(':', "-"), "broker.example.com");
    transcript.stands_for(world.ca.fingerprint(), "<fingerprint>");
    let credentials = std::fs::read_dir(ada.home().join(".local/state/ztctl/credentials")).unwrap().next().unwrap().unwrap();
    transcript.stands_for(credentials.file_name().into_string().unwrap(), "broker.json");
    for words in [
        &["ls", "-o", "json"][..],
        &["ls", "-o", "name"],
        &["status", "-o", "json"],
        &["why", name],
        &["why", name, "-o", "json"],
        &["sessions", "-o", "json"],
        &["config", "show"],
        &["config", "show", "-o", "json"],
        &["config", "profiles"],
        &["version"],
        &["version", "-o", "json"],
    ] {
        transcript.run(&ada, words).await;
    }
    for columns in [40, 200] {
        let screen = Screen::spawn(&[ZTCTL, "ls"], &ada.environment(), 20, columns);
        assert_eq!(screen.wait_exit(), 0);
        let shown = screen.contents();
        let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with('[') && !line.trim().is_empty()).collect();
        transcript.text += &format!("$ ztctl ls, at {columns} columns\n{}\n\n", lines.join("\n"));
    }
    drop(agent);
    transcript.without_columns().check("data.txt");
}
