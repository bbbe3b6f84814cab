//! TAB in the real shells: verbs, containers, profiles, labels, paths in containers; and the list that they come from.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::peer;
use crate::screen::Screen;
use crate::world::{OPEN, Person, World};

const ZTCTL: &str = env!("CARGO_BIN_EXE_ztctl");

/// A world with two containers of `web` and one of `db`, a person, and the names, sorted.
async fn three_containers() -> (World, Person, Vec<String>, impl Sized) {
    let world = World::with_policy(OPEN).await;
    let agents = (world.agent("web").await, world.agent("web").await, world.agent("db").await);
    let person = world.person("ada", &[]).await;
    let names = person.names(3).await;
    (world, person, names, agents)
}

/// A shell at a terminal, with `ztctl` in its path and the completions that a package installs.
fn interactive(shell: &[&str], person: &Person) -> Screen {
    let folder = PathBuf::from(ZTCTL).parent().unwrap().display().to_string();
    let mut environment = person.environment();
    for (name, value) in &mut environment {
        if name == "PATH" {
            *value = format!("{folder}:{value}");
        }
    }
    environment.push(("PS1".into(), "ready> ".into()));
    environment.push(("COMPLETIONS".into(), format!("{}/completions", env!("CARGO_MANIFEST_DIR"))));
    Screen::spawn(shell, &environment, 40, 140)
}

/// What stands on the terminal's last lines once `expected` does.
fn tab(screen: &mut Screen, typed: &str, expected: &[&str]) {
    screen.type_keys(typed);
    screen.type_keys("\t");
    let begin = Instant::now();
    while !expected.iter().all(|text| screen.contents().contains(text)) {
        // A shell that has listed nothing yet lists at the second TAB.
        if begin.elapsed() > Duration::from_secs(2) {
            screen.type_keys("\t");
        }
        assert!(begin.elapsed() < Duration::from_secs(12), "{typed:?} and TAB, no {expected:?}:\n{}", screen.contents());
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn stories(screen: &mut Screen, person: &Person, names: &[String], ready: &str, describes: bool) {
    let (db, web) = (&names[0], &names[1..]);
    let clear = |screen: &mut Screen| {
        screen.type_keys("\x15clear\r");
        screen.wait_until("a fresh screen", |screen| screen.contents().trim() == ready);
    };
    clear(screen);
    tab(screen, "ztctl sess", &["ztctl sessions"]);
    clear(screen);
    tab(screen, "ztctl shell d", &[&format!("ztctl shell {db}")]);
    clear(screen);
    let listed = [web[0].as_str(), web[1].as_str(), "web on "];
    tab(screen, "ztctl exec web-", if describes { &listed } else { &listed[..2] });
    clear(screen);
    tab(screen, "ztctl ls -l app=d", &["ztctl ls -l app=db"]);
    clear(screen);
    tab(screen, "ztctl --profile 127", &["ztctl --profile 127.0.0.1-"]);
    clear(screen);
    // In the container, whose files are this machine's in this world.
    let folder = person.home().join("in the container");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("report-1.txt"), "x").unwrap();
    let home = person.home().display().to_string();
    tab(screen, &format!("ztctl cp {db}:{home}/in"), &[&format!("{db}:{home}/in\\ the\\ container/")]);
    clear(screen);
    std::fs::create_dir_all(person.home().join("plain")).unwrap();
    std::fs::write(person.home().join("plain/report-1.txt"), "x").unwrap();
    tab(screen, &format!("ztctl cp {db}:{home}/plain/re"), &[&format!("{db}:{home}/plain/report-1.txt")]);
    clear(screen);
}

#[tokio::test(flavor = "multi_thread")]
async fn bash_completes() {
    let (_world, ada, names, _agents) = three_containers().await;
    let mut screen = interactive(&["bash", "--noprofile", "--norc", "-i"], &ada);
    screen.wait_for("ready>");
    screen.type_keys("source $COMPLETIONS/ztctl.bash; bind 'set bell-style none'\r");
    stories(&mut screen, &ada, &names, "ready>", true);
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_completes() {
    let zsh = peer::program("zsh");
    if !peer::present("zsh", zsh.is_some()) {
        return;
    }
    let (_world, ada, names, _agents) = three_containers().await;
    let mut screen = interactive(&["zsh", "-f", "-i"], &ada);
    screen.wait_for("ready>");
    // As a package installs it: a file of $fpath, loaded at the first TAB.
    screen.type_keys("unsetopt beep; PROMPT='ready> '; fpath=($COMPLETIONS $fpath); autoload -Uz compinit; compinit -u -D\r");
    stories(&mut screen, &ada, &names, "ready>", true);
}

#[tokio::test(flavor = "multi_thread")]
async fn fish_completes() {
    let fish = peer::program("fish");
    if !peer::present("fish", fish.is_some()) {
        return;
    }
    let (_world, ada, names, _agents) = three_containers().await;
    let mut screen = interactive(&["fish", "--no-config", "-i"], &ada);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['>', '#']));
    screen.type_keys("function fish_prompt; echo -n 'ready> '; end; set -g fish_autosuggestion_enabled 0\r");
    screen.type_keys("source $COMPLETIONS/ztctl.fish\r");
    stories(&mut screen, &ada, &names, "ready>", true);
}

#[tokio::test(flavor = "multi_thread")]
async fn elvish_completes() {
    let elvish = peer::program("elvish");
    if !peer::present("elvish", elvish.is_some()) {
        return;
    }
    let (_world, ada, names, _agents) = three_containers().await;
    // Read before the first prompt: what is typed while a command runs would be echoed by the terminal and stay on the screen.
    let rc = ada.home().join("rc.elv").display().to_string();
    std::fs::write(&rc, "eval (slurp < $E:COMPLETIONS/ztctl.elv)\n").unwrap();
    let mut screen = interactive(&["elvish", "-rc", &rc], &ada);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['>', '#']));
    tab(&mut screen, "ztctl shell d", &[&format!("ztctl shell {}", names[0])]);
    screen.type_keys("\x15");
    screen.wait_until("an empty line", |screen| !screen.contents().lines().last().unwrap_or_default().contains("ztctl"));
    tab(&mut screen, "ztctl sess", &["ztctl sessions"]);
}

#[test]
fn each_file_loads_without_a_word() {
    let file = |name: &str| format!("{}/completions/{name}", env!("CARGO_MANIFEST_DIR"));
    for program in ["ztctl", "ztbroker", "ztagent"] {
        for (shell, arguments) in [
            ("bash", vec!["--noprofile", "--norc", "-c", ". \"$0\"", &file(&format!("{program}.bash"))]),
            ("zsh", vec!["-f", "-c", "autoload -Uz compinit && compinit -D && . \"$0\"", &file(&format!("_{program}"))]),
            ("fish", vec!["--no-config", &file(&format!("{program}.fish"))]),
        ] {
            let found = peer::program(shell);
            if !peer::present(shell, found.is_some()) {
                continue;
            }
            let output = std::process::Command::new(found.unwrap()).args(arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.is_empty(), "{shell} {program}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_refreshed_private_and_gone_with_the_login() {
    let (world, ada, names, _agents) = three_containers().await;
    let complete = async |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        ada.run(&[&["complete", "--index", &index, "--"], words].concat()).await.stdout
    };
    let file = || {
        let folder = std::fs::read_dir(ada.home().join(".local/state/ztctl")).unwrap();
        let mut files = folder.map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|extension| extension == "names"))
    };
    let known = complete(&["ztctl", "shell", ""]).await;
    assert!(names.iter().all(|name| known.contains(&format!("{name}\t"))), "{known}");
    let path = file().expect("a list");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    // A container that starts is there after a while, by the TABs alone.
    let _more = world.agent("cache").await;
    let begin = Instant::now();
    while !complete(&["ztctl", "exec", "-t", "cache"]).await.contains("cache-") {
        assert!(begin.elapsed() < Duration::from_secs(15), "the list is not refreshed");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // From what is on this machine alone: the broker may be gone.
    assert!(complete(&["ztctl", "-"]).await.contains("--profile"));
    assert!(!complete(&["ztctl", ""]).await.contains("complete\t"), "the hidden verb");
    assert_eq!(complete(&["ztctl", "exec", &names[0], "--", ""]).await, "");
    assert_eq!(complete(&["ztctl", "config", "set", "color", "a"]).await, "always\nauto\n");
    // Somebody else's words, a name that would be obeyed by a terminal, an index that is none.
    let strange = ada.run(&["complete", "--index", "99", "--", "ztctl", "\u{1b}[31m"]).await;
    assert_eq!((strange.code, strange.stderr.as_str()), (0, ""));
    assert_eq!(ada.run(&["logout"]).await.code, 0);
    assert!(file().is_none(), "it goes with the login");
    assert_eq!(complete(&["ztctl", "shell", ""]).await.lines().filter(|line| line.contains("web-")).count(), 0);
}
