//! What surrounds the programs and can be wrong or in the way: the clock, a proxy, a full disk under the broker.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peer;
use crate::stack::Stack;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_five_minutes_off_is_said_with_the_side_and_the_seconds() {
    let faketime = peer::program("faketime");
    if !peer::present("faketime", faketime.is_some()) {
        return;
    }
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    for (shift, word) in [("-5m", "behind"), ("+5m", "ahead")] {
        let mut command = tokio::process::Command::new(faketime.as_ref().unwrap());
        command.args(["-f", shift, env!("CARGO_BIN_EXE_ztctl"), "exec", &name, "--", "true"]);
        let output = command.env_clear().envs(ada.environment()).stdin(Stdio::null()).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(255), "{said}");
        assert!(said.contains("clock") && said.contains(word), "{shift}: {said}");
    }
}

#[test]
fn an_agents_clock_five_minutes_off_is_refused_before_anything_is_signed() {
    let faketime = peer::program("faketime");
    if !peer::present("faketime", faketime.is_some()) {
        return;
    }
    let stack = Stack::start_at("127.0.0.1");
    let _agent = Ended(
        Command::new(faketime.unwrap())
            .args(["-f", "+5m", env!("CARGO_BIN_EXE_ztagent"), "run", "--app", "late", "--join-token-file"])
            .arg(stack.join_token())
            .args(["--", "sleep", "600"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let name = stack.names(1, Duration::from_secs(10)).remove(0);
    let output = stack.ztctl().args(["exec", &name, "--", "true"]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(255), "{said}");
    assert!(said.contains("clock") && said.contains("seconds"), "{said}");
    assert!(!stack.admin(&["audit", "--output", "json"]).contains("session_authorised"));
}

#[tokio::test(flavor = "multi_thread")]
async fn client_and_agent_go_through_a_proxy() {
    let tinyproxy = peer::program("tinyproxy");
    if !peer::present("tinyproxy", tinyproxy.is_some()) {
        return;
    }
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (log, file) = (folder.path().join("log"), folder.path().join("tinyproxy.conf"));
    let configuration =
        format!("Port {port}\nListen 127.0.0.1\nTimeout 600\nLogFile \"{}\"\nLogLevel Connect\nMaxClients 50\n", log.display());
    std::fs::write(&file, configuration).unwrap();
    let _proxy = Ended(
        Command::new(tinyproxy.unwrap())
            .arg("-d")
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "tinyproxy did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let proxy = format!("http://127.0.0.1:{port}");
    let passed = || std::fs::read_to_string(&log).unwrap_or_default().matches("CONNECT 127.0.0.1").count();

    let token = folder.path().join("join");
    std::fs::write(&token, world.join_token(1).await.encode().expose()).unwrap();
    let _agent = Ended(
        Command::new(env!("CARGO_BIN_EXE_ztagent"))
            .args(["run", "--app", "web", "--join-token-file", &token.display().to_string(), "--", "sleep", "600"])
            .env("HTTPS_PROXY", &proxy)
            .env_remove("NO_PROXY")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let agents = passed();
    assert!(agents >= 1, "the agent did not go through the proxy");
    let through = |except: &str| {
        let mut command = ada.ztctl(&["exec", &name, "--", "echo", "through"]);
        command.env("HTTPS_PROXY", &proxy).env("NO_PROXY", except);
        command
    };
    let output = through("").output().await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "through\n", "{}", String::from_utf8_lossy(&output.stderr));
    // One of ours, and the agent's next parked connection.
    let both = passed();
    assert!(both > agents, "the client did not go through the proxy");
    let output = through("127.0.0.1").output().await.unwrap();
    assert!(output.status.success());
}

#[test]
fn an_audit_journal_that_cannot_be_written_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let mounted = peer::succeeds(Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs"]).arg(&state));
    if !peer::present("mount", mounted) {
        return;
    }
    let _unmount = Unmount(state.clone());
    let stack = Stack::start_with(folder, "127.0.0.1");
    let _agent = Ended(
        Command::new(env!("CARGO_BIN_EXE_ztagent"))
            .args(["run", "--app", "web", "--join-token-file", &stack.join_token().display().to_string(), "--", "sleep", "600"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let name = stack.names(1, Duration::from_secs(10)).remove(0);
    assert_eq!(stack.run(&name, &["echo", "before"]), "before\n");
    let filler = state.join("filler");
    let _ =
        Command::new("dd").args(["if=/dev/zero", "bs=4k", &format!("of={}", filler.display())]).stderr(Stdio::null()).status();
    let marker = stack.folder().join("marker");
    // The journal's last page may have room for an event or two; then nothing starts any more.
    let deadline = Instant::now() + Duration::from_secs(20);
    let said = loop {
        let _ = std::fs::remove_file(&marker);
        let output = stack
            .ztctl()
            .args(["exec", &name, "--", "touch", &marker.display().to_string()])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(255));
            break String::from_utf8_lossy(&output.stderr).into_owned();
        }
        assert!(Instant::now() < deadline, "sessions still start on a full disk");
    };
    assert!(!marker.exists(), "it ran all the same");
    assert!(said.contains("audit"), "{said}");
    // The end of the last one that ran may be shorter, and still fit.
    let full = (503, "the audit journal cannot be written\n".to_owned());
    while ready(&stack) != full {
        assert!(Instant::now() < deadline, "ready on a full disk");
        let _ = stack.ztctl().args(["exec", &name, "--", "true"]).stdin(Stdio::null()).output().unwrap();
    }
    // Room again, and it works again by itself.
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(ready(&stack), (200, "ready\n".to_owned()));
    assert_eq!(stack.run(&name, &["echo", "after"]), "after\n");
}

/// What the broker says of itself, with the status.
fn ready(stack: &Stack) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = std::fs::read(stack.folder().join("state/tls/root.pem")).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()]).no_proxy();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let answer = client.build().unwrap().get(format!("{}/readyz", stack.url())).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
}

/// A child that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // faketime waits for what it runs, and passes no signal on.
        let _ = Command::new("pkill").args(["-P", &self.0.id().to_string()]).status();
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// A mount that ends with this, when nobody uses it any more.
struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
