//! Text that acts on terminals, in the places where people read what others wrote: the list, the picker, sessions, the audit, the log.

use std::process::{Command, Stdio};

use ztctl::proto::Action;

use crate::impostor::{Impostor, report};
use crate::screen::Screen;
use crate::world::{World, connect};

/// Moves the cursor, sets a title, hides and reorders text, ends lines: what none of it may do.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\r\nforged\u{200b}";

fn acts(letter: char) -> bool {
    // A tab stands between a completion and what it is.
    !matches!(letter, '\n' | '\t')
        && (letter.is_control() || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'))
}

async fn scene() -> (World, Impostor) {
    let world = World::start().await;
    let mut evil = Impostor::join(&world, &world.join_token(1).await).await.unwrap();
    let mut container = report("web", None);
    container.name = format!("name{EVIL}");
    container.image = format!("image{EVIL}");
    container.location = format!("here{EVIL}");
    container.state = "running".into();
    container.facts.owner = Some(format!("owner{EVIL}"));
    container.facts.project = Some(format!("project{EVIL}"));
    container.facts.ports = vec![format!("80{EVIL}/tcp")];
    container.labels = [("team".to_owned(), format!("x{EVIL}")), (format!("k{EVIL}"), "y".to_owned())].into();
    evil.claim(container).await;
    (world, evil)
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_in_what_containers_say_reach_no_terminal() {
    let (world, _evil) = scene().await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    for arguments in [
        &["ls"][..],
        &["ls", "--output", "wide"],
        &["ls", "--output", "json"],
        &["why", &name],
        &["sessions"],
        &["exec", &name, "--", "true"],
        &["complete", "--index", "2", "--", "ztctl", "shell", ""],
    ] {
        let said = ada.run(arguments).await;
        assert!(!said.stdout.contains(acts) && !said.stderr.contains(acts), "{arguments:?}: {said:?}");
        assert!(!said.stdout.contains("\nforged"), "{arguments:?}: {}", said.stdout);
    }
    // The picker, on a real terminal: its own sequences are there, and none of the container's.
    let environment: Vec<(String, String)> = ada.environment();
    let screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell"], &environment, 24, 100);
    screen.wait_for("web-");
    let bytes = String::from_utf8_lossy(&screen.bytes()).into_owned();
    assert!(
        !bytes.contains("owned\u{7}") && !bytes.contains("\u{9b}") && !bytes.contains('\u{202e}'),
        "{}",
        bytes.escape_debug()
    );
    assert!(!bytes.contains("\u{1b}]0;owned"), "{}", bytes.escape_debug());
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_in_reasons_and_names_are_harmless_in_the_audit() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    // What a control character is in is not taken; what reorders text is, and written as what it is.
    let refused = ada.run(&["exec", &name, "--reason", EVIL, "--", "true"]).await;
    assert!(refused.code == 2 && !refused.stderr.contains(acts), "{refused:?}");
    let taken = ada.run(&["exec", &name, "--reason", "because\u{202e}lluf", "--", "printf", "\u{1b}[2J"]).await;
    assert_eq!(taken.code, 0, "{}", taken.stderr);
    let api = world.api("ada").await;
    drop(connect(&api, &name, &[Action::Shell]).await.unwrap());
    let state = world.state().display().to_string();
    for arguments in [&["audit"][..], &["audit", "--output", "json"], &["audit", "export"], &["agents", "ls"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ztbroker"));
        command.args(["--state", &state]).args(arguments).env_clear().stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && !said.contains(acts), "{arguments:?}: {}", said.escape_debug());
        if arguments[0] == "audit" {
            assert!(said.contains("because"), "{arguments:?}: {said}");
        }
    }
    let journal = std::fs::read_to_string(world.state().join("audit/journal.jsonl")).unwrap();
    assert!(!journal.contains(acts), "one line an event, and nothing in it that acts");
    assert!(journal.contains(r"because\u202elluf"), "and nothing of it is lost");
}
