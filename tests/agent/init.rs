//! `ztagent run`: a first process that does not get in CMD's way.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn ztagent(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ztagent"));
    command.arg("run").args(words).stdin(Stdio::null()).env_remove("ZTAGENT_JOIN_TOKEN");
    command
}

fn output(words: &[&str]) -> Output {
    ztagent(words).output().unwrap()
}

#[test]
fn the_status_is_cmds_own() {
    assert_eq!(output(&["--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(output(&["--", "sh", "-c", "kill -TERM $$"]).status.code(), Some(143));
    let missing = output(&["--", "/no/such/program"]);
    assert_eq!(missing.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("cannot execute /no/such/program"));
    assert_eq!(output(&["--", "/etc/passwd"]).status.code(), Some(126));
}

#[test]
fn without_a_token_or_a_broker_cmd_runs_all_the_same_and_never_sees_the_token() {
    let given = output(&["--", "sh", "-c", "env; echo done"]);
    assert!(given.status.success() && String::from_utf8_lossy(&given.stdout).contains("done"));
    assert!(String::from_utf8_lossy(&given.stderr).contains("there is no join token"));
    // A token for a port at which nobody listens.
    let token = "ztj1.eyJiIjoiaHR0cDovLzEyNy4wLjAuMToxIiwicyI6InNlY3JldCIsImMiOiJTSEEyNTY6MDAifQ";
    let begun = Instant::now();
    let given = ztagent(&["--", "sh", "-c", "env; sleep 2"]).env("ZTAGENT_JOIN_TOKEN", token).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&given.stdout), String::from_utf8_lossy(&given.stderr));
    assert!(given.status.success() && !out.contains("ZTAGENT") && !out.contains(token), "{out}");
    assert_eq!(err.matches("cannot connect").count(), 1, "one line a change of state: {err}");
    assert!(begun.elapsed() < Duration::from_millis(6500));
}

fn start(script: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = ztagent(&["--", "sh", "-c", script]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    (child, stdout)
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn signals_reach_cmd() {
    for (signal, name) in [("TERM", "15"), ("USR1", "10"), ("HUP", "1"), ("WINCH", "28")] {
        let (mut child, mut stdout) = start(&format!("trap 'exit 4' {signal}; echo ready; while :; do sleep 0.05; done"));
        assert_eq!(line(&mut stdout), "ready");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(4), "{signal}");
    }
}

#[test]
fn orphans_are_waited_for() {
    let (mut child, mut stdout) = start("(sh -c 'sleep 0.1 & echo $!'); trap 'exit 0' TERM; while :; do sleep 0.05; done");
    let orphan = line(&mut stdout);
    let deadline = Instant::now() + Duration::from_secs(10);
    while std::path::Path::new(&format!("/proc/{orphan}")).exists() {
        assert!(Instant::now() < deadline, "a zombie is left");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
