//! A hundred thousand containers and fifty policies: `cargo bench --all-features --bench listing`.
//!
//! A broker in this process has them from five agents that speak the agents' protocol; one person may list a tenth. Measured: the
//! decision alone, beside one question after the other to the policy engine; the broker's answer; `ztctl ls` as a whole process.
//! `ZTCTL_BENCH_CONTAINERS` (100000) sets how many.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use ztctl::broker::policy::{Circumstances, Set, listable};
use ztctl::broker::registry::{Asserted, Container, Registry};
use ztctl::broker::{Admin, Broker, Config, JoinTokenSpec, UserTokenSpec};
use ztctl::clock::Clock;
use ztctl::proto::AgentId;
use ztctl::transport::tls::Roots;

use fleet::{asserts, person, policies, report};
use reporter::Reporter;

#[path = "listing/fleet.rs"]
mod fleet;
#[path = "listing/reporter.rs"]
mod reporter;

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` start this too; neither wants figures.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let count: usize = std::env::var("ZTCTL_BENCH_CONTAINERS").ok().and_then(|value| value.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.cedar");
    std::fs::write(&file, policies()).unwrap();
    println!("{count} containers, {} policies, milliseconds", Set::load(&file).unwrap().ids().len());
    decision(&Set::load(&file).unwrap(), count);
    tokio::runtime::Runtime::new().unwrap().block_on(whole(folder.path(), count));
}

/// The decision without anything around it.
fn decision(set: &Set, count: usize) {
    let registry = Registry::default();
    for (number, part) in (0..count).collect::<Vec<_>>().chunks(fleet::OF_ONE_AGENT).enumerate() {
        let agent = AgentId::of_key(&number.to_be_bytes());
        let asserted = Asserted { agent, name: format!("node-{number}"), asserts: asserts(), enrolled_at: 0 };
        let lease = registry.attach(asserted);
        registry.snapshot(&lease, part.iter().map(|number| report(*number)).collect(), false).unwrap();
    }
    let (caller, all) = (person(), registry.all());
    let circumstances =
        Circumstances { address: "192.0.2.1".parse().unwrap(), time: 1_800_000_000, reason: None, command: None };
    let mut visible = 0;
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let containers = all.clone();
            let start = Instant::now();
            visible = listable(set, &caller, containers, &circumstances).len();
            start.elapsed()
        })
        .collect();
    println!("  the first list after a change   {:>8.1}", millis(times[0]));
    show("the decision", &mut times);
    // The engine is asked for each of a sample, which stands for all.
    let sample: Vec<&Arc<Container>> = all.iter().step_by((count / 1000).max(1)).collect();
    let start = Instant::now();
    let found = sample
        .iter()
        .filter(|container| !listable(set, &caller, vec![Arc::clone(container)], &circumstances).is_empty())
        .count();
    let all_of_them = start.elapsed() * u32::try_from(count / sample.len()).unwrap();
    println!(
        "  one question after the other    {:>8.1}  ({found} of {} in a sample, {visible} of all)",
        millis(all_of_them),
        sample.len()
    );
}

/// The broker's answer, and the program's.
async fn whole(folder: &std::path::Path, count: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config::dev(folder.join("state"), address, folder.join("policy.cedar"));
    let broker = Broker::open(config, Clock::system()).await.unwrap();
    let (admin, stop, root) = (broker.admin(), CancellationToken::new(), broker.tls_root_pem().unwrap());
    let serving = tokio::spawn(broker.serve(listener, stop.clone()));
    let roots = Roots::from_pem(root.as_bytes()).unwrap();
    std::fs::write(folder.join("root.pem"), &root).unwrap();
    let numbers: Vec<usize> = (0..count).collect();
    let mut agents = Vec::new();
    for part in numbers.chunks(fleet::OF_ONE_AGENT) {
        let spec = JoinTokenSpec { uses: 1, ttl: Duration::from_secs(600), asserts: asserts() };
        let token = admin.create_join_token(spec).await.unwrap().expose().parse().unwrap();
        let mut agent = Reporter::join(address, &roots, &token).await;
        agent.report(part.iter().map(|number| report(*number)).collect()).await;
        agents.push(tokio::spawn(agent.stay()));
    }
    let token = token(&admin).await;
    let url = format!("https://{address}");
    let ls = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ztctl"));
        command.arg("ls").env_clear().env("HOME", folder).stdin(Stdio::null()).stderr(Stdio::inherit());
        command.env("ZTCTL_TOKEN", &token).env("ZTCTL_BROKER", &url).env("ZTCTL_CA", folder.join("root.pem"));
        command
    };
    let mut rows = 0;
    let mut times = Vec::new();
    for run in 0..=20 {
        let start = Instant::now();
        let child = ls().stdout(Stdio::piped()).spawn().unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        // The first of them warms caches and is not counted.
        times.extend((run > 0).then(|| start.elapsed()));
        assert!(output.status.success());
        rows = output.stdout.iter().filter(|byte| **byte == b'\n').count() - 1;
    }
    println!("  {rows} rows");
    show("ztctl ls, whole process", &mut times);
    let (times, bytes) = reporter::answers(address, &roots, &token, 20).await;
    let mut times = times;
    show(&format!("the broker's answer, {} KiB", bytes / 1024), &mut times);
    stop.cancel();
    serving.await.unwrap().unwrap();
}

async fn token(admin: &Admin) -> String {
    let (name, groups) = (fleet::NAME.parse().unwrap(), fleet::groups());
    admin.add_user(&name, &groups, ztctl::proto::Secret::new("correct horse battery staple".to_owned())).await.unwrap();
    let spec = UserTokenSpec { user: name, ttl: Duration::from_secs(3600), actions: None, containers: Vec::new() };
    admin.create_user_token(spec).await.unwrap().expose().clone()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn show(name: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| millis(times[(times.len() - 1) * percent / 100]);
    println!("  {name:<31} min {:>7.1}  median {:>7.1}  max {:>7.1}", at(0), at(50), at(100));
}
