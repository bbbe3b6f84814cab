//! The audit as an operator and an auditor have it: verified where the broker runs and where it does not, handed out, tampered with,
//! checked with tools that are not ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use ztctl::broker::config::{Config, Destination, Sink};

use crate::peer;
use crate::world::{OPEN, Said, World};

/// `ztbroker ARGUMENTS` in `folder`, with nothing in its environment.
fn ztbroker(folder: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ztbroker"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).output().unwrap().into()
}

/// A world with one command that was run in it, and a folder for what is handed out.
struct Story {
    world: World,
    folder: tempfile::TempDir,
}

impl Story {
    async fn begin(change: impl FnOnce(&mut Config)) -> Self {
        let world = World::configured("127.0.0.1", OPEN, change).await;
        let _agent = world.agent("web").await;
        let ada = world.person("ada", &[]).await;
        let name = ada.names(1).await.remove(0);
        assert_eq!(ada.run(&["exec", &name, "--", "echo", "audited"]).await.stdout, "audited\n");
        let story = Self { world, folder: tempfile::tempdir().unwrap() };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !std::fs::read_to_string(story.journal()).unwrap().contains("session_ended") {
            assert!(Instant::now() < deadline, "the session's end is not written down");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        story
    }

    /// The same at this broker.
    fn operator(&self, arguments: &[&str]) -> Said {
        let state = self.world.state().display().to_string();
        ztbroker(self.folder.path(), &[&["--state", &state], arguments].concat())
    }

    /// The same with what it prints in the file `name`.
    fn hand_out(&self, arguments: &[&str], name: &str) -> PathBuf {
        let said = self.operator(arguments);
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.stderr);
        let path = self.folder.path().join(name);
        std::fs::write(&path, said.bytes).unwrap();
        path
    }

    fn journal(&self) -> PathBuf {
        self.world.state().join("audit/journal.jsonl")
    }

    /// What an auditor finds, who has no broker.
    fn audited(&self, arguments: &[&str]) -> Said {
        ztbroker(self.folder.path(), &[&["audit", "verify", "--key", "key.pub"], arguments].concat())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_verifies_an_export_and_finds_what_was_done_to_it() {
    let story = Story::begin(|_| ()).await;
    let key = story.hand_out(&["audit", "key"], "key.pub");
    let export = story.hand_out(&["audit", "export", "--since", "1h"], "export.jsonl");
    let good = story.audited(&["export.jsonl"]);
    assert_eq!((good.code, good.stderr.as_str()), (0, ""), "{}", good.stdout);
    assert!(good.stdout.contains("are as they were written"), "{}", good.stdout);
    assert_eq!(story.audited(&["--export", "export.jsonl"]).code, 0);
    // The key as a line does as well, and from stdin a file.
    let line = std::fs::read_to_string(key).unwrap();
    let said = ztbroker(story.folder.path(), &["audit", "verify", "--key", line.trim(), "export.jsonl"]);
    assert_eq!(said.code, 0, "{}", said.stdout);
    let text = std::fs::read_to_string(&export).unwrap();
    for word in ["session_authorised", "session_ended", "audit_exported"] {
        assert!(text.contains(&format!("\"event\":\"{word}\"")), "{word} is missing: {text}");
    }

    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = lines.iter().position(|line| line.contains("session_authorised")).unwrap();
    let tampered = |name: &str, lines: Vec<String>| std::fs::write(story.folder.path().join(name), lines.concat()).unwrap();
    let own = || lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    let mut changed = own();
    changed[at] = changed[at].replace("ada@local", "eve@local");
    tampered("changed", changed);
    let mut dropped = own();
    dropped.remove(at);
    tampered("dropped", dropped);
    let mut swapped = own();
    swapped.swap(at, at - 1);
    tampered("swapped", swapped);
    tampered("cut", own()[..lines.len() - 1].to_vec());
    // Without its first line it is a copy, which nobody vouches for where it ends.
    tampered("copy", own()[1..lines.len() - 1].to_vec());
    let copy = story.audited(&["copy"]);
    assert!(copy.code == 0 && copy.stderr.contains("a copy and no export"), "{} {}", copy.stdout, copy.stderr);
    let copy = story.audited(&["--export", "copy"]);
    assert!(copy.code == 2 && copy.stderr.contains("it is no export"), "{} {}", copy.stdout, copy.stderr);
    tampered("empty", Vec::new());
    let empty = story.audited(&["empty"]);
    assert!(empty.code == 2 && empty.stderr.contains("there are no events"), "{} {}", empty.stdout, empty.stderr);
    let seq = serde_json::from_str::<Value>(lines[at]).unwrap()["seq"].as_u64().unwrap();
    for (name, wanted) in [
        ("changed", format!("event {seq} (line {}) was changed after it was written", at + 1)),
        ("dropped", format!("event {seq} is missing before line {}", at + 1)),
        ("swapped", format!("event {} (line {}) is out of order", seq - 1, at + 1)),
        ("cut", "the end is cut off".to_owned()),
    ] {
        let said = story.audited(&[name]);
        assert!(said.code == 1 && said.stdout.contains(&wanted), "{name}: {} {}", said.stdout, said.stderr);
        assert!(said.stderr.contains("does not verify"), "{}", said.stderr);
    }
    let told: Value = serde_json::from_str(&story.audited(&["changed", "--output", "json"]).stdout).unwrap();
    assert_eq!(
        (&told["verified"], &told["faults"][0]["kind"], &told["faults"][0]["seq"]),
        (&false.into(), &"changed".into(), &seq.into())
    );
    // Another broker's key; and what cannot be verified at all.
    let other = World::start().await;
    let state = other.state().display().to_string();
    let foreign = ztbroker(story.folder.path(), &["--state", &state, "audit", "verify", "export.jsonl"]);
    assert!(foreign.code == 1 && foreign.stdout.contains("none of the keys that you trust"), "{}", foreign.stdout);
    for (arguments, wanted) in [
        (&["audit", "verify", "--key", "key.pub", "nowhere"][..], "nowhere cannot be read"),
        (&["audit", "verify", "--key", "export.jsonl", "export.jsonl"], "not a public key"),
        (&["audit", "verify", "--state", "none", "export.jsonl"], "ztbroker audit key"),
        (&["audit", "verify", "--key", "key.pub", "--checkpoint", "key.pub", "export.jsonl"], "no checkpoint"),
    ] {
        let said = ztbroker(story.folder.path(), arguments);
        assert!(said.code == 2 && said.stderr.contains(wanted), "{arguments:?}: {} {}", said.code, said.stderr);
    }
    let none = story.operator(&["audit", "export", "--until", "2020-01-01"]);
    assert!(none.code == 4 && none.stderr.contains("no events of that time"), "{}", none.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_own_journal_is_held_against_what_runs_what_was_signed_and_what_was_sent_away() {
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("audit.jsonl");
    let to = path.clone();
    let mut story = Story::begin(|config| {
        config.audit.sinks = vec![Sink { name: "copy".to_owned(), to: Destination::File(to) }];
        config.audit.pace.events = 5;
    })
    .await;
    story.hand_out(&["audit", "key"], "key.pub");
    let good = story.operator(&["audit", "verify"]);
    assert!(good.code == 0 && good.stdout.contains("checkpoints among them"), "{} {}", good.stdout, good.stderr);
    // The copy follows, and says how far it is.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let row: Value = serde_json::from_str(&story.operator(&["audit", "sinks", "--output", "json"]).stdout).unwrap();
        if row["behind"] == 0 {
            break assert_eq!((&row["name"], &row["kind"]), (&"copy".into(), &"file".into()));
        }
        assert!(Instant::now() < deadline, "{row}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(story.operator(&["audit", "sinks"]).stdout.contains("good"));
    // Somebody cuts the journal's end off while the broker runs: it knows how far it wrote.
    let whole = std::fs::read(story.journal()).unwrap();
    let shorter = |bytes: &[u8]| {
        let end = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        bytes[..=end].to_vec()
    };
    std::fs::write(story.journal(), shorter(&whole)).unwrap();
    let cut = story.operator(&["audit", "verify"]);
    assert!(cut.code == 1 && cut.stdout.contains("the running broker vouches"), "{} {}", cut.stdout, cut.stderr);
    std::fs::write(story.journal(), &whole).unwrap();

    story.world.stop().await;
    let whole = std::fs::read(story.journal()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), whole, "the copy has all, the last checkpoint included");
    let copied = story.audited(&[&path.display().to_string()]);
    assert!(copied.code == 0 && !copied.stdout.contains("no checkpoint yet"), "{} {}", copied.stdout, copied.stderr);
    assert_eq!(story.operator(&["audit", "verify"]).code, 0, "nobody runs, and it verifies");
    // Without a broker the last checkpoint in the folder knows, and where that was made away with, the copy does.
    std::fs::write(story.journal(), shorter(&shorter(&whole))).unwrap();
    let cut = story.operator(&["audit", "verify"]);
    assert!(cut.code == 1 && cut.stdout.contains("last_checkpoint.json vouches"), "{} {}", cut.stdout, cut.stderr);
    std::fs::remove_file(story.world.state().join("audit/last_checkpoint.json")).unwrap();
    assert_eq!(story.operator(&["audit", "verify"]).code, 0, "nobody here knows any more");
    let cut = story.operator(&["audit", "verify", "--checkpoint", &path.display().to_string()]);
    assert!(cut.code == 1 && cut.stdout.contains("the end is cut off: the checkpoint in"), "{} {}", cut.stdout, cut.stderr);
}

/// The lines of `deploy/audit.md` are run as they stand there.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_and_a_hash_are_checked_without_ztctl() {
    let openssl = peer::program("openssl");
    if !peer::present("openssl", openssl.is_some()) {
        return;
    }
    let mut story = Story::begin(|_| ()).await;
    story.hand_out(&["audit", "key"], "key.pub");
    story.world.stop().await;
    let journal = std::fs::read_to_string(story.journal()).unwrap();
    let checkpoint = journal.lines().last().unwrap();
    std::fs::write(story.folder.path().join("checkpoint.json"), format!("{checkpoint}\n")).unwrap();
    let document = include_str!("../../deploy/audit.md");
    let script = document.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    let run = |script: &str| -> Said {
        Command::new("sh").args(["-euc", script]).current_dir(story.folder.path()).output().unwrap().into()
    };
    let said = run(script);
    assert!(said.code == 0 && said.stdout.contains("Verified Successfully"), "{} {}", said.stdout, said.stderr);
    let forged = checkpoint.replacen("\"through\":", "\"through\":1", 1);
    std::fs::write(story.folder.path().join("checkpoint.json"), format!("{forged}\n")).unwrap();
    assert_ne!(run(script).code, 0, "a forged one is refused");
    let hash = document.lines().find(|line| line.contains("| sha256sum")).unwrap();
    std::fs::write(story.folder.path().join("line"), format!("{checkpoint}\n")).unwrap();
    let digest = run(hash.trim()).stdout.split(' ').next().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(checkpoint).unwrap()["hash"], digest);
}

/// `ztbroker serve` as an operator sets it up: events on stdout and in a file, which is rotated.
#[test]
fn stdout_has_the_events_and_a_rotated_file_goes_on_after_a_hang_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("policy.cedar"), OPEN).unwrap();
    let config = "version = 1\nlisten = \"127.0.0.1:0\"\nstate = \"state\"\npolicy = \"policy.cedar\"\n\
                  [[audit.sink]]\nkind = \"stdout\"\n[[audit.sink]]\nkind = \"file\"\npath = \"audit.jsonl\"\n";
    std::fs::write(at("ztbroker.toml"), config).unwrap();
    let serve = || {
        let out = std::fs::OpenOptions::new().create(true).append(true).open(at("stdout")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ztbroker"));
        command.args(["serve", "--config", "ztbroker.toml"]).current_dir(folder.path()).stdin(Stdio::null());
        Served(command.stdout(out).stderr(Stdio::null()).spawn().unwrap())
    };
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_default();
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done() {
            assert!(Instant::now() < deadline, "{what}: {}", read("stdout"));
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let count = |name: &str, word: &str| read(name).matches(&format!("\"event\":\"{word}\"")).count();
    let admin = |arguments: &[&str]| ztbroker(folder.path(), &[&["--state", "state"], arguments].concat());

    let first = serve();
    until("the start is in the file", &|| count("audit.jsonl", "policy_loaded") == 1 && count("stdout", "policy_loaded") == 1);
    std::fs::rename(at("audit.jsonl"), at("audit.jsonl.1")).unwrap();
    first.signal("HUP");
    until("the reload is in the new file", &|| count("audit.jsonl", "policy_loaded") == 1);
    first.stop();
    assert!(admin(&["audit", "key"]).code == 0, "without a broker, too");
    // A second run goes on where the first ended, on both.
    let second = serve();
    until("the second start is there", &|| count("stdout", "broker_started") == 2);
    second.stop();
    let journal = read("state/audit/journal.jsonl");
    assert_eq!(read("audit.jsonl.1") + &read("audit.jsonl"), journal);
    assert_eq!(read("stdout"), journal);
    assert_eq!(count("audit.jsonl", "checkpoint"), 2, "each stop is signed");
    for (arguments, code) in [
        (&["audit", "verify", "stdout"][..], 0),
        (&["audit", "verify", "audit.jsonl.1"], 0),
        (&["audit", "verify", "--part", "audit.jsonl"], 0),
        (&["audit", "verify", "--checkpoint", "audit.jsonl", "audit.jsonl.1"], 1),
    ] {
        let said = admin(arguments);
        assert_eq!(said.code, code, "{arguments:?}: {} {}", said.stdout, said.stderr);
    }
}

/// A broker that ends with this.
struct Served(std::process::Child);

impl Served {
    fn signal(&self, name: &str) {
        assert!(peer::succeeds(Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()])));
    }

    fn stop(mut self) {
        self.signal("TERM");
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_broker_is_the_last_that_is_written_and_signed() {
    let mut world = World::start().await;
    let _agents = (world.agent("web").await, world.agent("db").await);
    let ada = world.person("ada", &[]).await;
    ada.names(2).await;
    world.stop().await;
    let journal = std::fs::read_to_string(world.state().join("audit/journal.jsonl")).unwrap();
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., first, second, stopped, checkpoint] = &lines[..] else { panic!("{journal}") };
    for gone in [first, second] {
        let gone = gone.to_string();
        assert!(gone.contains("agent_gone") && gone.contains("the broker was stopped"), "{journal}");
    }
    assert!(stopped.to_string().contains("broker_stopped") && checkpoint.to_string().contains("checkpoint"), "{journal}");
}
