//! Whole-process figures beside the peers, in one run: `cargo bench --all-features --bench beside`.
//!
//! Starts a broker, an agent and, where they are installed, an OpenSSH server with a certificate authority and a container of a
//! running Docker engine; measures each in turn, so that a machine that slows down slows all of them; prints medians.
//! `ZTCTL_BENCH_RUNS` (30) and `ZTCTL_BENCH_MIB` (500) set how much.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use beside::ours::Ours;
use beside::peers::{Docker, OpenSsh};

#[path = "beside/mod.rs"]
mod beside;

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` start this too; neither wants figures.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let (runs, mebibytes) = (setting("ZTCTL_BENCH_RUNS", 30), setting("ZTCTL_BENCH_MIB", 500));
    let stack = Ours::start();
    let (ssh, docker) = (OpenSsh::start(stack.folder()), Docker::start());
    if ssh.is_none() {
        println!("(no OpenSSH server: not compared with)");
    }
    if docker.is_none() {
        println!("(no Docker engine: not compared with)");
    }

    println!("\nwhole process of `true`, {runs} runs each in turn, milliseconds");
    let mut rows: Vec<Row<'_>> = vec![("ztctl exec", Box::new(|| stack.exec(&["true"])))];
    if let Some(ssh) = &ssh {
        rows.push(("ssh → sshd, certificate", Box::new(|| ssh.command(&["true"]))));
    }
    if let Some(docker) = &docker {
        rows.push(("docker exec", Box::new(|| docker.command(&["true"]))));
    }
    rows.push((
        "ztctl --version",
        Box::new(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ztctl"));
            command.arg("--version");
            command
        }),
    ));
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); rows.len()];
    for run in 0..=runs {
        for (row, times) in rows.iter().zip(&mut times) {
            let time = whole_process(row.1());
            // The first of each warms caches and is not counted.
            if run > 0 {
                times.push(time);
            }
        }
    }
    for ((name, _), mut times) in rows.into_iter().zip(times) {
        times.sort();
        let at = |percent: usize| millis(times[(times.len() - 1) * percent / 100]);
        println!("  {name:<26} min {:>7}  median {:>7}  p90 {:>7}", at(0), at(50), at(90));
    }

    println!("\nkeystroke echo through a terminal and `cat`, 600 keys, microseconds");
    keystrokes("ztctl shell", stack.shell());
    if let Some(ssh) = &ssh {
        keystrokes("ssh -tt → sshd", ssh.terminal());
    }

    println!("\nbulk output, {mebibytes} MiB of zeroes, set-up included, MB/s, median of 3 in turn");
    let head = format!("head -c {} /dev/zero", mebibytes * 1024 * 1024);
    let mut rows: Vec<Row<'_>> = vec![("ztctl exec (TLS, relay)", Box::new(|| stack.exec(&["sh", "-c", &head])))];
    if let Some(ssh) = &ssh {
        rows.push(("ssh, aes128-gcm", Box::new(|| ssh.command_with(&["-c", "aes128-gcm@openssh.com"], &[&head]))));
        rows.push(("ssh, its default cipher", Box::new(|| ssh.command(&[&head]))));
    }
    if let Some(docker) = &docker {
        rows.push(("docker exec", Box::new(|| docker.command(&["sh", "-c", &head]))));
    }
    let mut rates: Vec<Vec<u64>> = vec![Vec::new(); rows.len()];
    for _ in 0..3 {
        for (row, rates) in rows.iter().zip(&mut rates) {
            rates.push(throughput(row.1(), mebibytes as u64 * 1024 * 1024));
        }
    }
    for ((name, _), mut rates) in rows.into_iter().zip(rates) {
        rates.sort_unstable();
        println!("  {name:<26} {:>6}", rates[1]);
    }

    let mut times: Vec<_> = (0..10).map(|_| stack.come_and_go()).collect();
    times.sort();
    let (seen, gone) = times[5];
    println!("\na started container in `ztctl ls` after {} ms, an ended one out of it after {} ms", millis(seen), millis(gone));

    println!("\nsizes of the binaries of this profile (debug assertions off, stripped)");
    for (name, path) in [
        ("ztctl", env!("CARGO_BIN_EXE_ztctl")),
        ("ztbroker", env!("CARGO_BIN_EXE_ztbroker")),
        ("ztagent", env!("CARGO_BIN_EXE_ztagent")),
    ] {
        let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
        println!("  {name:<10} {:>6.2} MB", bytes as f64 / 1e6);
    }
    println!("  (all features are in each here; README has the commands for the ones that are shipped)");

    println!("\nresident memory, MB");
    let idle = resident(stack.agent());
    println!("  ztagent, after the runs above {:>6.2}", idle);
    println!("  ztbroker, likewise            {:>6.2}", resident(stack.broker()));
    let sessions: Vec<_> = (0..20).map(|_| stack.sleeper()).collect();
    println!(
        "  ztagent, with 20 live sessions {:>5.2} ({:.0} KB a session)",
        resident(stack.agent()),
        (resident(stack.agent()) - idle) * 1e3 / 20.0
    );
    drop(sessions);
}

/// What is measured, and the command that is.
type Row<'a> = (&'static str, Box<dyn Fn() -> Command + 'a>);

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn whole_process(mut command: Command) -> Duration {
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    time
}

/// Megabytes a second until the last byte and the exit.
fn throughput(mut command: Command, expected: u64) -> u64 {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
    loop {
        match stdout.read(&mut buffer).unwrap() {
            0 => break,
            read => total += read as u64,
        }
    }
    assert!(child.wait().unwrap().success() && total == expected, "{total} of {expected} bytes");
    (total as f64 / start.elapsed().as_secs_f64() / 1e6) as u64
}

/// Types 600 keys into `cat` behind a remote terminal and times each echo.
fn keystrokes(name: &str, command: CommandBuilder) {
    let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let (mut reader, mut writer) = (pty.master.try_clone_reader().unwrap(), pty.master.take_writer().unwrap());
    writer.write_all(b"stty -icanon; echo re''ady; exec cat >/dev/null\n").unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    while !seen.contains("ready") {
        let read = reader.read(&mut buffer).unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    std::thread::sleep(Duration::from_millis(300));
    let mut times: Vec<Duration> = Vec::new();
    for key in 0..620 {
        let start = Instant::now();
        writer.write_all(b"x").unwrap();
        loop {
            let read = reader.read(&mut buffer).unwrap();
            if buffer[..read].contains(&b'x') {
                break;
            }
        }
        if key >= 20 {
            times.push(start.elapsed());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
    times.sort();
    println!("  {name:<26} p50 {:>6}  p99 {:>6}", times[300].as_micros(), times[593].as_micros());
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// Megabytes of the process that are in memory.
fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) * 1024.0 / 1e6
}
