//! `ztctl demo`: the whole product in one command, and nothing left of it.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::dock;
use crate::peer;
use crate::screen::Screen;

const ZTCTL: &str = env!("CARGO_BIN_EXE_ztctl");

/// A home and a folder for temporary files of its own: what is left in either is seen.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    fn environment(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.0.path().join(name).display().to_string();
        let path = std::env::var("PATH").unwrap();
        [
            ("HOME", at("home")),
            ("TMPDIR", at("tmp")),
            ("PATH", path),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn demo(&self, arguments: &[&str]) -> Command {
        // A shell ignores SIGINT for what it runs in the background, and these tests may be that.
        let mut command = Command::new("env");
        command
            .args(["--default-signal", ZTCTL, "demo"])
            .args(arguments)
            .env_clear()
            .envs(self.environment())
            .stdin(Stdio::null());
        command
    }

    /// Nothing in the home, nothing in the temporary folder, no process whose environment names it.
    fn assert_clean(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let files: Vec<_> = ["home", "tmp"]
                .iter()
                .flat_map(|name| std::fs::read_dir(self.0.path().join(name)).unwrap())
                .map(|entry| entry.unwrap().path())
                .collect();
            let processes = processes();
            if files.is_empty() && processes.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left behind: {files:?}, processes {processes:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The demo's processes, by what they were started as.
fn processes() -> BTreeSet<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str().and_then(|name| name.parse().ok()));
    pids.filter(|pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"__container".as_slice())
    })
    .collect()
}

/// One at a time: each looks for the processes that a demo leaves.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn a_command_runs_in_the_first_container_and_its_status_is_ours() {
    let (_alone, place) = (alone(), Place::new());
    if !peer::namespaces() {
        return;
    }
    let output =
        place.demo(&["--", "sh", "-c", "hostname; id -u; ps -e -o pid= | head -n 1; ls /root; exit 7"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = stdout.lines().map(str::trim).collect();
    assert!(matches!(lines.as_slice(), ["shop-1" | "shop-2", "0", "1"]), "{lines:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    place.assert_clean();
}

#[test]
fn input_goes_in_and_output_comes_out() {
    use std::io::Write;
    let (_alone, place) = (alone(), Place::new());
    let mut child = place.demo(&["--", "wc", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&[b'x'; 100_000]).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "100000");
    place.assert_clean();
}

#[test]
fn the_list_the_picker_the_shell_the_audit() {
    let (_alone, place) = (alone(), Place::new());
    let mut screen = Screen::spawn(&[ZTCTL, "demo"], &place.environment(), 40, 120);
    screen.wait_for("NAME");
    screen.wait_for("Container");
    screen.type_keys("\r");
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("echo in-'the'-shell; hostname; exit 3\r");
    screen.wait_for("in-the-shell");
    screen.wait_for("shop-");
    screen.wait_for("session_authorised");
    screen.wait_for("session_ended");
    assert_eq!(screen.wait_exit(), 3);
    screen.wait_as_before();
    place.assert_clean();
}

#[test]
fn the_machines_docker_containers_are_beside_its_own_and_get_no_command() {
    let (_alone, place) = (alone(), Place::new());
    let Some(busybox) = dock::busybox() else { return };
    // It looks like one of the demo's own.
    let label = "--label=com.docker.compose.service=";
    let _shop = dock::Container::run(&[&format!("{label}shop"), busybox]);
    let other = dock::Container::run(&[&format!("{label}picked"), "--hostname=a-docker-container", busybox]);
    let output = place.demo(&["--", "sh", "-c", "hostname; sleep 0.5"]).output().unwrap();
    let hostname = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(matches!(hostname.trim(), "shop-1" | "shop-2"), "{hostname} {}", String::from_utf8_lossy(&output.stderr));

    let mut screen = Screen::spawn(&[ZTCTL, "demo"], &place.environment(), 60, 160);
    screen.wait_for("served by an agent that is in none of them");
    screen.wait_for("Container:");
    screen.type_keys("picked");
    screen.wait_until("the one that is left", |screen| screen.contents().contains("❯ picked-"));
    screen.type_keys("\r");
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("hostname; sleep 4712 & exit 5\r");
    screen.wait_for("a-docker-container");
    assert_eq!(screen.wait_exit(), 5);
    screen.wait_as_before();
    other.wait_for_processes("sleep 4712", 0, Duration::from_secs(5));
    place.assert_clean();
}

#[test]
fn ctrl_c_cleans_up_at_any_moment() {
    let (_alone, place) = (alone(), Place::new());
    for delay in [0, 20, 60, 120, 250, 500, 1000] {
        let mut child = place.demo(&["--", "sleep", "600"]).stderr(Stdio::null()).spawn().unwrap();
        // Before it is the demo, it is a copy of this process, whose handlers would take the signal for it.
        let line = format!("/proc/{}/cmdline", child.id());
        while !std::fs::read_to_string(&line).unwrap_or_default().starts_with(ZTCTL) {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(delay));
        let pid = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    child.kill().unwrap();
                    panic!("still there, {delay} ms");
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(!status.success(), "{delay} ms");
        place.assert_clean();
    }
    // In the picker, where the terminal sends it.
    let mut screen = Screen::spawn(&[ZTCTL, "demo"], &place.environment(), 40, 120);
    screen.wait_for("Container");
    screen.type_keys("\x03");
    assert_eq!(screen.wait_exit(), 130);
    screen.wait_as_before();
    place.assert_clean();
}

#[test]
fn a_killed_demo_leaves_no_process() {
    let (_alone, place) = (alone(), Place::new());
    let mut child = place.demo(&["--", "sleep", "600"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while processes().len() < 4 {
        assert!(Instant::now() < deadline, "the containers did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !processes().is_empty() {
        assert!(Instant::now() < deadline, "left behind: {:?}", processes());
        std::thread::sleep(Duration::from_millis(20));
    }
}
