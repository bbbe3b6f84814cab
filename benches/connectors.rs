//! Sessions through the engines' agents beside the engines' own tools, in one run, and what an agent of many containers needs:
//! `cargo bench --all-features --bench connectors`.
//!
//! Needs a Docker engine with an image that has `sleep` and `true` (`ZTCTL_BENCH_IMAGE`, by default `ztctl-test-busybox`, which the tests
//! build) and, for the second half, a cluster named by `ZTCTL_TEST_KUBECONFIG` whose nodes have that image. `ZTCTL_BENCH_RUNS` (30),
//! `ZTCTL_BENCH_CONTAINERS` (50) and `ZTCTL_BENCH_SESSIONS` (50) set how much.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stack::Stack;

#[path = "../tests/it/stack.rs"]
#[allow(dead_code)]
mod stack;

/// What is measured, and how.
type Row<'a> = (&'static str, Box<dyn Fn() -> Duration + 'a>);

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` start this too; neither wants figures.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let image = std::env::var("ZTCTL_BENCH_IMAGE").unwrap_or_else(|_| "ztctl-test-busybox".to_owned());
    let stack = Stack::start_at("127.0.0.1");
    match Run::docker(&["docker", "run", "--detach", "--label", LABEL, &image, "sleep", "86400"]) {
        Some(container) => docker(&stack, &image, &container),
        None => println!("(no Docker engine with the image {image}: not measured)"),
    }
    match std::env::var("ZTCTL_TEST_KUBECONFIG") {
        Ok(kubeconfig) => kubernetes(&stack, &image, &kubeconfig),
        Err(_) => println!("(ZTCTL_TEST_KUBECONFIG names no cluster: not measured)"),
    }
}

fn docker(stack: &Stack, image: &str, container: &Run) {
    let agent = Agent::start(stack, &["docker", "--only", &format!("label={LABEL}")]);
    let name = stack.names(1, Duration::from_secs(20)).remove(0);
    table(vec![
        ("ztctl exec X -- true", Box::new(|| whole(stack.ztctl().args(["exec", &name, "--", "true"])))),
        ("docker exec X true", Box::new(|| whole(Command::new("docker").args(["exec", &container.id, "true"])))),
        ("the engine alone (its API)", Box::new(|| engine(&container.id))),
    ]);

    let wanted = setting("ZTCTL_BENCH_CONTAINERS", 50);
    println!("\none agent with {wanted} containers of a Docker engine");
    println!("  at first, with 1              {}", agent.needs());
    let before = agent.cpu();
    let started = Instant::now();
    let more: Vec<Run> = (1..wanted)
        .filter_map(|_| {
            Run::docker(&["docker", "run", "--detach", "--network=none", "--label", LABEL, image, "sleep", "86400"])
        })
        .collect();
    let took = started.elapsed();
    stack.names(more.len() + 1, Duration::from_secs(30));
    println!(
        "  all of them listed            {}, {:.2} s of CPU while they started, in {:.0} s",
        agent.needs(),
        agent.cpu() - before,
        took.as_secs_f64()
    );
    let sessions: Vec<Child> = (0..setting("ZTCTL_BENCH_SESSIONS", 50)).map(|_| sleeper(stack, &name)).collect();
    println!("  and {} open sessions          {}", sessions.len(), agent.needs());
    let before = agent.cpu();
    std::thread::sleep(IDLE);
    println!("  idle like that                {:.3} s of CPU in {} s", agent.cpu() - before, IDLE.as_secs());
    sessions.into_iter().for_each(end);
    agent.stop();
}

fn kubernetes(stack: &Stack, image: &str, kubeconfig: &str) {
    let kubectl = |words: &[&str]| {
        let mut command = Command::new("kubectl");
        command.args(["--kubeconfig", kubeconfig]).args(words).stdin(Stdio::null()).stdout(Stdio::null());
        command
    };
    let namespace = format!("ztctl-bench-{:08x}", rand::random::<u32>());
    assert!(kubectl(&["create", "namespace", &namespace]).status().unwrap().success());
    let inside = |words: &[&str]| kubectl(&[&["--namespace", namespace.as_str()], words].concat());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !inside(&["get", "serviceaccount", "default"]).stderr(Stdio::null()).status().unwrap().success() {
        assert!(Instant::now() < deadline, "the namespace is not ready");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(
        inside(&["run", "bench", "--image", image, "--image-pull-policy=Never", "--command", "--", "sleep", "86400"])
            .status()
            .unwrap()
            .success()
    );
    let agent = Agent::start(stack, &["kubernetes", "--kubeconfig", kubeconfig, "--namespace", &namespace]);
    let name = stack.names(1, Duration::from_secs(60)).remove(0);
    table(vec![
        ("ztctl exec X -- true", Box::new(|| whole(stack.ztctl().args(["exec", &name, "--", "true"])))),
        ("kubectl exec X -- true", Box::new(|| whole(&mut inside(&["exec", "bench", "--", "true"])))),
        ("kubectl get --raw /version", Box::new(|| whole(&mut kubectl(&["get", "--raw", "/version"])))),
    ]);
    println!("\none agent of a cluster's namespace: {}", agent.needs());
    agent.stop();
    let _ = inside(&["delete", "pod", "bench", "--grace-period=0", "--force"]).stderr(Stdio::null()).status();
    let _ = kubectl(&["delete", "namespace", &namespace, "--wait=false"]).status();
}

/// Runs each in turn and prints medians, so that a machine that slows down slows all of them.
fn table(rows: Vec<Row<'_>>) {
    let runs = setting("ZTCTL_BENCH_RUNS", 30);
    println!("\nwhole process, {runs} runs each in turn, milliseconds");
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); rows.len()];
    for run in 0..=runs {
        for (row, times) in rows.iter().zip(&mut times) {
            let time = row.1();
            // The first of each warms caches and is not counted.
            if run > 0 {
                times.push(time);
            }
        }
    }
    for ((name, _), mut times) in rows.into_iter().zip(times) {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        println!("  {name:<28} min {:>7.1}  median {:>7.1}  p90 {:>7.1}", at(0), at(50), at(90));
    }
}

fn whole(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    time
}

/// The same as `docker exec`, by its three requests and nothing else.
fn engine(container: &str) -> Duration {
    let start = Instant::now();
    let created =
        ask("POST", &format!("/containers/{container}/exec"), r#"{"AttachStdout":true,"AttachStderr":true,"Cmd":["true"]}"#);
    let exec = created.rsplit('"').nth(1).unwrap().to_owned();
    ask("POST", &format!("/exec/{exec}/start"), r#"{"Detach":false,"Tty":false}"#);
    assert!(ask("GET", &format!("/exec/{exec}/json"), "").contains("\"ExitCode\":0"));
    start.elapsed()
}

fn ask(method: &str, path: &str, body: &str) -> String {
    let mut socket = UnixStream::connect("/var/run/docker.sock").unwrap();
    let head =
        format!("{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).trim_end().to_owned()
}

/// A session that stays, once it is there.
fn sleeper(stack: &Stack, name: &str) -> Child {
    let mut command = stack.ztctl();
    command.args(["exec", name, "--", "sh", "-c", "echo; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    child
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// An agent as a process.
struct Agent(Child);

impl Agent {
    fn start(stack: &Stack, words: &[&str]) -> Self {
        let state = stack.folder().join(format!("agent-{}", words[0]));
        let child = Command::new(env!("CARGO_BIN_EXE_ztagent"))
            .args(words)
            .arg("--join-token-file")
            .arg(stack.join_token())
            .arg("--state")
            .arg(state)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Its memory, and the processor time so far.
    fn needs(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        format!("{:.1} MB resident", kilobytes * 1024.0 / 1e6)
    }

    /// Seconds of processor time, in hundredths.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
    }

    fn stop(self) {
        end(self.0);
    }
}

/// A container of the engine, removed with this.
struct Run {
    id: String,
}

impl Run {
    fn docker(words: &[&str]) -> Option<Self> {
        let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(Self { id })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.id]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

const LABEL: &str = "ztctl-bench=yes";
const IDLE: Duration = Duration::from_secs(30);
