//! `ztctl exec --all`: one command in several containers.

use crate::screen::Screen;
use crate::world::{OPEN, World};

const ZTCTL: &str = env!("CARGO_BIN_EXE_ztctl");

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_in_all_that_are_chosen_and_says_how_it_went() {
    let world = World::with_policy(OPEN).await;
    let (_one, _two, _other) = (world.agent("web").await, world.agent("web").await, world.agent("db").await);
    let ada = world.person("ada", &[]).await;
    let names = ada.names(3).await;
    let web: Vec<&String> = names.iter().filter(|name| name.starts_with("web")).collect();
    // Nobody can be asked, and nothing runs.
    let unasked = ada.run(&["exec", "--all", "-l", "app=web", "--", "echo", "ran"]).await;
    assert_eq!((unasked.code, unasked.stdout.as_str()), (2, ""));
    assert!(unasked.stderr.contains("add --yes") && unasked.stderr.contains(web[0].as_str()), "{}", unasked.stderr);
    let script = "echo one; echo two >&2; printf three; read line || echo ' no input'";
    let said = ada.run_with(&["exec", "--all", "--yes", "-l", "app=web", "--", "sh", "-c", script], b"not for them\n").await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    for name in &web {
        // Whole lines and in their order; what the other says may come in between.
        let lines: Vec<&str> = said.stdout.lines().filter_map(|line| line.strip_prefix(&format!("{name} | "))).collect();
        assert_eq!(lines, ["one", "three no input"], "{}", said.stdout);
        assert!(said.stderr.contains(&format!("{name} | two\n")), "{}", said.stderr);
    }
    assert!(!said.stdout.contains("db-") && said.stderr.contains("2 of 2 ended with status 0"), "{}", said.stderr);
    // The same where one fails, and where none may be entered.
    let script = "exit 3";
    let failed = ada.run(&["exec", "--all", "--yes", "--parallel", "1", "--", "sh", "-c", script]).await;
    assert!(failed.code == 1 && failed.stderr.contains("0 of 3") && failed.stderr.contains("status 3"), "{}", failed.stderr);
    let nobody = ada.run(&["exec", "--all", "--yes", "--user", "nobody-here", "--", "true"]).await;
    assert!(nobody.code == 1 && nobody.stderr.contains("there is no user nobody-here"), "{} {}", nobody.code, nobody.stderr);
    let none = ada.run(&["exec", "--all", "--yes", "-l", "app=none", "--", "true"]).await;
    assert!(none.code == 255 && none.stderr.contains("no such container"), "{} {}", none.code, none.stderr);
    let wrong = ada.run(&["exec", "-l", "app=web", &names[0], "--", "true"]).await;
    let timed = ada.run(&["exec", "--all", "--yes", "--timing", "--", "true"]).await;
    assert!(timed.code == 2 && timed.stderr.contains("one session"), "{} {}", timed.code, timed.stderr);
    assert!(wrong.code == 2 && wrong.stderr.contains("--all"), "{} {}", wrong.code, wrong.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_first_and_large_outputs_are_whole() {
    let world = World::with_policy(OPEN).await;
    let (_one, _two) = (world.agent("web").await, world.agent("web").await);
    let ada = world.person("ada", &[]).await;
    let names = ada.names(2).await;
    let ask = |script: &str| {
        let screen = Screen::spawn(&[ZTCTL, "exec", "--all", "--", "sh", "-c", script], &ada.environment(), 24, 100);
        screen.wait_for("run it? [y/N]");
        names.iter().for_each(|name| screen.wait_for(name));
        screen
    };
    let mut refused = ask("echo 'ra'n");
    refused.type_keys("\r");
    assert_eq!(refused.wait_exit(), 130);
    assert!(!refused.contents().contains("ran"));
    let mut agreed = ask("echo 'ra'n");
    agreed.type_keys("y\r");
    names.iter().for_each(|name| agreed.wait_for(&format!("{name} | ran")));
    assert_eq!(agreed.wait_exit(), 0);
    let mut stopped = ask("echo wai'tin'g; sleep 600");
    stopped.type_keys("y\r");
    stopped.wait_for("waiting");
    stopped.signal(rustix::process::Signal::INT);
    stopped.wait_for("interrupted: 0 of 2 had ended");
    assert_eq!(stopped.wait_exit(), 130);
    stopped.wait_as_before();
    let many = ada.run(&["exec", "--all", "--yes", "--", "seq", "1", "200000"]).await;
    assert_eq!(many.code, 0, "{}", many.stderr);
    for name in &names {
        let lines: Vec<&str> = many.stdout.lines().filter_map(|line| line.strip_prefix(&format!("{name} | "))).collect();
        assert_eq!((lines.len(), lines[0], lines[199_999]), (200_000, "1", "200000"));
    }
}
