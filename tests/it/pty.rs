//! The real `ztctl` at a real terminal, driven as a person does: picker, shell, window, keys, and the terminal afterwards.

use rustix::process::Signal;

use super::gate::Gate;
use super::peer;
use super::screen::Screen;
use super::world::{OPEN, Person, World};

const ZTCTL: &str = env!("CARGO_BIN_EXE_ztctl");

/// A world with two containers and a person; the names of the containers, sorted.
async fn two_containers() -> (World, Person, Vec<String>, impl Sized) {
    let world = World::start().await;
    let agents = (world.agent("tomcat").await, world.agent("postgres").await);
    let person = world.person("ada", &["developers"]).await;
    let names = person.names(2).await;
    (world, person, names, agents)
}

fn at(person: &Person, arguments: &[&str]) -> Screen {
    Screen::spawn(&[&[ZTCTL], arguments].concat(), &person.environment(), 30, 100)
}

/// A shell that has answered once, so that it is known to read its keys.
fn shell(person: &Person, name: &str) -> Screen {
    let mut screen = at(person, &["shell", name]);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    // Quotes, so that the echo of the keys is not taken for the answer.
    screen.type_keys("echo 're'ady\r");
    screen.wait_for("ready");
    screen
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picker_filters_moves_and_opens() {
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = at(&person, &["shell"]);
    names.iter().for_each(|name| screen.wait_for(name));
    let (postgres, tomcat) = (&names[0], &names[1]);
    screen.type_keys("tomc");
    screen.wait_until("only the row that matches", |screen| {
        screen.contents().contains(tomcat.as_str()) && !screen.contents().contains(postgres.as_str())
    });
    screen.type_keys("\x7f\x7f\x7f\x7f");
    screen.wait_for(postgres);
    screen.type_keys("\x1b[B\r");
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("exit\r");
    assert_eq!(screen.wait_exit(), 0);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn esc_and_ctrl_c_leave_the_picker_with_130() {
    let (_world, person, names, _agents) = two_containers().await;
    for key in ["\x1b", "\x03"] {
        let mut screen = at(&person, &["shell"]);
        screen.wait_for(&names[0]);
        screen.type_keys(key);
        assert_eq!(screen.wait_exit(), 130, "{key:?}");
        screen.wait_as_before();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_leave_the_picker_with_the_terminal_as_before() {
    let (_world, person, names, _agents) = two_containers().await;
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::KILL, 137)] {
        let screen = at(&person, &["shell"]);
        screen.wait_for(&names[0]);
        screen.signal(signal);
        assert_eq!(screen.wait_exit(), status);
        screen.wait_as_before();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_is_right_from_the_start_and_follows_the_window() {
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    screen.type_keys("stty size\r");
    screen.wait_for("30 100");
    screen.resize(40, 120);
    screen.type_keys("until [ \"$(stty size)\" = '40 120' ]; do :; done; echo 'fol'lowed\r");
    screen.wait_for("followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_is_the_remote_one() {
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    screen.type_keys("exit 42\r");
    assert_eq!(screen.wait_exit(), 42);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_goes_to_the_remote_program() {
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    screen.type_keys("sh -c 'echo be''gin; exec sleep 1000'\r");
    screen.wait_for("begin");
    screen.type_keys("\x03");
    screen.type_keys("echo status-$?\r");
    screen.wait_for("status-130");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paste_of_a_megabyte_arrives_whole() {
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    // Lines of 63 characters, none an escape of ztctl's, though many begin with a tilde.
    let line = format!("~{}\r", "p".repeat(62));
    let lines = 1024 * 1024 / line.len();
    screen.type_keys(&format!("stty -echo; echo 'ta'ke; head -n {lines} | cksum; stty echo\r"));
    screen.wait_for("take");
    let sent = line.replace('\r', "\n").repeat(lines);
    screen.type_keys(&line.repeat(lines));
    let mut cksum = std::process::Command::new("cksum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut cksum.stdin.take().unwrap(), sent.as_bytes()).unwrap();
    let expected = String::from_utf8(cksum.wait_with_output().unwrap().stdout).unwrap();
    screen.wait_for(expected.trim());
}

#[tokio::test(flavor = "multi_thread")]
async fn escapes_work_at_the_beginning_of_a_line() {
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    screen.type_keys("\r~?");
    screen.wait_for("leave at once");
    screen.type_keys("sleep 1000\r");
    screen.type_keys("~.");
    assert_eq!(screen.wait_exit(), 255);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_session_leaves_the_terminal_to_the_local_shell_and_comes_back() {
    if !peer::present("bash", peer::program("bash").is_some()) {
        return;
    }
    let (_world, person, names, _agents) = two_containers().await;
    // Only a shell with job control stops and continues a job.
    let mut screen = Screen::spawn(&["bash", "--norc", "--noediting", "-i"], &person.environment(), 30, 100);
    let local = screen.modes();
    screen.type_keys(&format!("{ZTCTL} shell {}\r", names[0]));
    screen.wait_until("raw mode", |_| screen.modes() != local);
    screen.type_keys("echo 're'ady\r");
    screen.wait_for("ready");
    screen.type_keys("printf '\\033[?2004h\\033[?25l'; echo 'o'n\r");
    screen.wait_until("the cursor is hidden", |screen| screen.hide_cursor());
    screen.type_keys("\r~\x1a");
    screen.wait_for("Stopped");
    screen.wait_until("the cursor again", |screen| !screen.hide_cursor());
    screen.type_keys("echo 'lo'cal $((6 * 7)); fg\r");
    screen.wait_for("local 42");
    screen.wait_until("the session's modes", |shown| shown.hide_cursor() && screen.modes() != local);
    screen.type_keys("exit 7\r");
    screen.wait_until("the cursor after the end", |shown| !shown.hide_cursor() && !shown.bracketed_paste());
    screen.type_keys("echo 'sta'tus-$?; exit\r");
    screen.wait_for("status-7");
    screen.wait_exit();
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_means_two_containers_opens_the_picker_on_them() {
    let world = World::start().await;
    let _agents = (world.agent("web").await, world.agent("web").await, world.agent("db").await);
    let person = world.person("ada", &["developers"]).await;
    person.names(3).await;
    let mut screen = at(&person, &["shell", "web"]);
    screen.wait_for("Several match");
    screen.wait_until("only those that match", |screen| {
        let shown = screen.contents();
        shown.matches("web-").count() >= 2 && !shown.contains("db-")
    });
    screen.type_keys("\x1b");
    assert_eq!(screen.wait_exit(), 130);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn vim_opens_and_leaves_the_screen_as_it_was() {
    if !peer::present("vim.tiny", peer::program("vim.tiny").is_some()) {
        return;
    }
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    screen.type_keys("vim.tiny -u NONE\r");
    screen.wait_until("vim on the alternate screen", |screen| screen.alternate_screen() && screen.contents().contains("~"));
    screen.type_keys("isome text\x1b");
    screen.wait_for("some text");
    screen.type_keys(":q!\r");
    screen.wait_until("the normal screen", |screen| !screen.alternate_screen() && screen.contents().contains("ready"));
    screen.type_keys("exit 0\r");
    assert_eq!(screen.wait_exit(), 0);
    screen.wait_as_before();
}

/// Everything that a session can switch on, and the word after it.
const EVERYTHING_ON: &str =
    "printf '\\033[?1049h\\033[?25l\\033[?1000h\\033[?1006h\\033[?2004h\\033[?1h\\033=\\033[31m'; echo 's'witched\r";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_it_the_terminal_is_as_before() {
    let (_world, person, names, _agents) = two_containers().await;
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::KILL, 137)] {
        let mut screen = shell(&person, &names[0]);
        screen.type_keys(EVERYTHING_ON);
        screen.wait_until("all of it on", |screen| screen.alternate_screen() && screen.contents().contains("switched"));
        screen.signal(signal);
        assert_eq!(screen.wait_exit(), status);
        screen.wait_as_before();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_link_is_said_and_is_255() {
    let (mut world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    screen.type_keys(EVERYTHING_ON);
    screen.wait_until("all of it on", |screen| screen.alternate_screen() && screen.contents().contains("switched"));
    world.stop().await;
    assert_eq!(screen.wait_exit(), 255);
    screen.wait_for("ztctl: ");
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_the_terminal_when_it_is_asked_for() {
    let world = World::with_policy("permit (principal, action in [Action::\"list\", Action::\"exec\"], resource);").await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let script = "stty size; test -t 0 && test -t 1 && echo on-a-terminal; read line; echo \"got $line\"; exit 6";
    let mut screen = Screen::spawn(&[ZTCTL, "exec", "-t", &name, "--", "sh", "-c", script], &ada.environment(), 31, 97);
    screen.wait_for("31 97");
    screen.wait_for("on-a-terminal");
    screen.type_keys("some words\r");
    screen.wait_for("got some words");
    assert_eq!(screen.wait_exit(), 6);
    screen.wait_as_before();
    let without = ada.run(&["exec", "-t", &name, "--", "true"]).await;
    assert!(without.code == 2 && without.stderr.contains("-t needs a terminal"), "{} {}", without.code, without.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_went_dead_is_told_of_within_ten_seconds_and_may_come_back() {
    let mut gate = Gate::new().await;
    let world = World::known_as(OPEN, Some(&gate.url)).await;
    gate.lead_to(&world.url);
    let _agent = world.agent("web").await;
    let ada = world.account("ada", &[]).await.through(&gate.url, &world.root().display().to_string());
    ada.log_in(&world).await;
    let name = ada.names(1).await.remove(0);
    let mut screen = shell(&ada, &name);
    gate.shut();
    screen.type_keys("echo 'sti'll here\r");
    screen.wait_for("nothing has come from");
    let shown = screen.contents();
    let seconds =
        shown.split_once(" for ").and_then(|(_, rest)| rest.split_once(' ')).and_then(|(number, _)| number.parse().ok());
    assert!(seconds.is_some_and(|seconds: u32| seconds <= 10), "{shown}");
    assert!(!screen.contents().contains("still here"));
    gate.open();
    screen.wait_for("is back");
    screen.wait_for("still here");
    gate.shut();
    screen.type_keys("\r~.");
    assert_eq!(screen.wait_exit(), 255);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_session_is_told_before_and_a_full_screen_disturbed_only_at_the_last() {
    let world = World::with_policy(r#"@id("short") @max_session("72s") permit (principal, action, resource);"#).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let mut screen = shell(&ada, &name);
    screen.wait_for("[ztctl: this session ends in a minute]");
    screen.type_keys("printf '\\033[?1049h\\033[Hedit''ing'\r");
    screen.wait_for("editing");
    assert!(!screen.contents().contains("ends in"), "the editor has the screen: {}", screen.contents());
    // Of a minute a second may be over by the time that it is told.
    let last = ["a minute", "59 seconds", "58 seconds"].map(|left| format!("[ztctl: this session ends in {left}]"));
    screen.wait_until("the last notice", |screen| last.iter().any(|notice| screen.contents().contains(notice)));
    screen.type_keys("printf '\\033[?1049l'; exit 3\r");
    assert_eq!(screen.wait_exit(), 3);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_has_ended_is_renewed_in_place() {
    let world = World::with_policy(OPEN).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    // Another password ends every login.
    let user = "ada".parse().unwrap();
    world.admin.remove_user(&user).await.unwrap();
    world.admin.add_user(&user, &[], crate::world::PASSWORD.to_owned().into()).await.unwrap();
    let mut screen = at(&ada, &["shell", &name]);
    screen.wait_for("log in now? [Y/n]");
    screen.type_keys("\r");
    screen.wait_for("and enter the code");
    let code = screen.contents().lines().find_map(crate::stack::user_code).unwrap();
    world.admin.approve_device(&code, &user).await.unwrap();
    screen.wait_for("logged in at");
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("exit 3\r");
    assert_eq!(screen.wait_exit(), 3);
    screen.wait_as_before();
    // Who does not want to is told what to type.
    world.admin.remove_user(&user).await.unwrap();
    let mut screen = at(&ada, &["ls"]);
    screen.wait_for("log in now? [Y/n]");
    screen.type_keys("n\r");
    assert_eq!(screen.wait_exit(), 3);
    screen.wait_for("ztctl login");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_escape_can_be_another_key_or_none() {
    let world = World::with_policy(OPEN).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let mut screen = at(&ada, &["shell", &name, "--escape", "%"]);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("\r~?\r");
    screen.type_keys("%?");
    screen.wait_for("%.   leave at once");
    screen.type_keys("\r%.");
    assert_eq!(screen.wait_exit(), 255);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_resizes_ends_with_the_right_size() {
    let (_world, person, names, _agents) = two_containers().await;
    let mut screen = shell(&person, &names[0]);
    for step in 0..300_u16 {
        screen.resize(20 + step % 40, 70 + step % 90);
    }
    screen.resize(33, 111);
    // What comes last counts; how soon depends on the machine.
    let begin = std::time::Instant::now();
    while !screen.contents().contains("size 33 111") {
        assert!(begin.elapsed() < std::time::Duration::from_secs(10), "{}", screen.contents());
        screen.type_keys("echo size $(stty size)\r");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    screen.type_keys("exit 4\r");
    assert_eq!(screen.wait_exit(), 4);
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn tmux_works_around_a_session_and_inside_it() {
    let tmux = peer::program("tmux");
    if !peer::present("tmux", tmux.is_some()) {
        return;
    }
    let (_world, person, names, _agents) = two_containers().await;
    let sockets = tempfile::tempdir().unwrap();
    let at = |name: &str| sockets.path().join(name).display().to_string();
    let start = ["tmux", "-f", "/dev/null", "-S", &at("outer"), "new-session", ZTCTL, "shell", &names[0]];
    let mut screen = Screen::spawn(&start, &person.environment(), 30, 100);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    // One line is the outer one's.
    screen.type_keys("echo size $(stty size)\r");
    screen.wait_for("size 29 100");
    screen.type_keys(&format!("tmux -f /dev/null -S {} new-session -s in'ner'\r", at("inner")));
    screen.wait_for("[inner]");
    screen.type_keys("echo size $(stty size)\r");
    screen.wait_for("size 28 100");
    screen.resize(36, 120);
    screen.type_keys("clear\r");
    let begin = std::time::Instant::now();
    while !screen.contents().contains("size 34 120") {
        assert!(begin.elapsed() < std::time::Duration::from_secs(10), "{}", screen.contents());
        screen.type_keys("echo size $(stty size)\r");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    // Out of the inner one, out of the session, which ends the outer one.
    screen.type_keys("exit\r");
    screen.wait_for("[exited]");
    screen.type_keys("exit\r");
    assert_eq!(screen.wait_exit(), 0);
    screen.wait_as_before();
}
