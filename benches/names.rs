//! Ten thousand names: a key in the picker, a TAB, `ztctl ls`: `cargo bench --all-features --bench names`.
//!
//! A server on this machine gives the list, so that only the client is measured. `ZTCTL_BENCH_NAMES` (10000) sets how many. Beside the
//! picker: fzf, where it is installed, with the same lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unreachable_pub)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const ZTCTL: &str = env!("CARGO_BIN_EXE_ztctl");

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` start this too; neither wants figures.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let count: usize = std::env::var("ZTCTL_BENCH_NAMES").ok().and_then(|value| value.parse().ok()).unwrap_or(10_000);
    let home = tempfile::tempdir().unwrap();
    let url = serve(list(count));
    println!("{count} containers, milliseconds");

    let ztctl = |words: &[&str]| {
        let mut command = Command::new(ZTCTL);
        command.args(words).env_clear().env("HOME", home.path()).stdin(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut times: Vec<Duration> =
        (0..20).map(|_| whole(ztctl(&["ls"]).env("ZTCTL_TOKEN", "x").env("ZTCTL_BROKER", &url))).collect();
    show("ztctl ls, whole process", &mut times);

    names_of(home.path(), &url, count);
    let mut one: Vec<Duration> =
        (0..30).map(|_| whole(&mut ztctl(&["complete", "--index", "2", "--", "ztctl", "shell", "web-0999"]))).collect();
    show("one TAB, a name", &mut one);
    let mut verb: Vec<Duration> =
        (0..30).map(|_| whole(&mut ztctl(&["complete", "--index", "1", "--", "ztctl", "s"]))).collect();
    show("one TAB, a verb", &mut verb);

    let mut picker = CommandBuilder::new(ZTCTL);
    picker.arg("shell");
    picker.env_clear();
    for (name, value) in [("ZTCTL_TOKEN", "x"), ("ZTCTL_BROKER", &url), ("TERM", "xterm-256color"), ("LANG", "C.UTF-8")] {
        picker.env(name, value);
    }
    picker.env("HOME", home.path());
    show("one key in the picker", &mut keys(picker));
    if Command::new("fzf").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        let lines: String = (0..count).map(|n| format!("web-{n:05}  web  node-{}  2h  team=shop\n", n % 50)).collect();
        std::fs::write(home.path().join("lines"), lines).unwrap();
        let mut fzf = CommandBuilder::new("sh");
        fzf.args(["-c", "fzf --height 100% <lines"]);
        fzf.cwd(home.path());
        fzf.env("TERM", "xterm-256color");
        show("one key in fzf", &mut keys(fzf));
    } else {
        println!("  (no fzf: not compared with)");
    }
}

fn row(n: usize) -> String {
    format!(
        r#"{{"id":"{n:032x}","name":"web-{n:05}","full_name":"web-{n:05}c01ab34de","app":"web","image":"registry.example/web:10","location":"node-{}","state":"running","started_at":1700000000,"agent":"agent","labels":{{"team":"shop","env":"prod"}},"runtime":"docker"}}"#,
        n % 50
    )
}

fn list(count: usize) -> String {
    format!(r#"{{"containers":[{}]}}"#, (0..count).map(row).collect::<Vec<_>>().join(","))
}

/// A server that gives the list to whoever asks for it, and an authority to whoever asks for anything else.
fn serve(list: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let key = ztctl::ssh::public_line(ztctl::ssh::new_key().unwrap().public_key()).unwrap();
    let ca = format!(r#"{{"user":["{key}"],"host":["{key}"]}}"#);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (list, ca) = (list.clone(), ca.clone());
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while let Some(Ok(request)) = lines.next() {
                    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                    let body = if request.contains("/v1/containers") { &list } else { &ca };
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
                    if stream.write_all((head + body).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

/// A login without tokens at `url`, and the list that completion reads.
fn names_of(home: &Path, url: &str, count: usize) {
    use std::os::unix::fs::PermissionsExt;
    let (config, state) = (home.join(".config/ztctl"), home.join(".local/state/ztctl"));
    for folder in [&config, &state] {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
    }
    let text = format!(
        "version = 1\n[[broker]]\nurl = \"{url}\"\n[broker.login]\nuser = \"x@local\"\nstore = \"file\"\n[broker.login.ca]\nuser = []\nhost = []\n"
    );
    let rows: Vec<ztctl::proto::api::ContainerRow> = (0..count).map(|n| serde_json::from_str(&row(n)).unwrap()).collect();
    private(&config.join("config.toml"), text.as_bytes());
    let paths = ztctl::client::paths::Paths::new(&config, &state);
    ztctl::client::names::save(&paths.names(&url.parse().unwrap()), &rows).unwrap();
}

fn private(path: &Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

fn whole(command: &mut Command) -> Duration {
    let start = Instant::now();
    let output = command.stdout(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    let time = start.elapsed();
    assert!(output.status.success() && !output.stdout.is_empty(), "{command:?}: {}", output.status);
    time
}

/// Types some keys into a list and times each until the last byte that it draws.
fn keys(command: CommandBuilder) -> Vec<Duration> {
    let pty = native_pty_system().openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let (mut reader, mut writer) = (pty.master.try_clone_reader().unwrap(), pty.master.take_writer().unwrap());
    let (sender, drawn) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 65536];
        while let Ok(1..) = reader.read(&mut bytes) {
            if sender.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let settle = |patience: Duration| {
        let mut last = None;
        while let Ok(at) = drawn.recv_timeout(patience) {
            last = Some(at);
        }
        last
    };
    settle(Duration::from_secs(2));
    let mut times = Vec::new();
    for key in ["w", "e", "b", "-", "0", "1", "2", "\x7f", "\x7f", "9", "9", "\x7f", "\x1b[B", "\x1b[B", "\x1b[A"] {
        let start = Instant::now();
        writer.write_all(key.as_bytes()).unwrap();
        if let Some(at) = settle(Duration::from_millis(250)) {
            times.push(at - start);
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    times
}

fn show(name: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| format!("{:.1}", times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3);
    println!("  {name:<26} min {:>7}  median {:>7}  max {:>7}", at(0), at(50), at(100));
}
