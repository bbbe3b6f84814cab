//! `ztctl exec`: arguments, streams and statuses arrive as they were sent.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::locks::running;
use crate::world::{Person, RunningAgent, World};

async fn scene() -> (World, RunningAgent, Person, String) {
    let world = World::start().await;
    let agent = world.agent("web").await;
    let person = world.person("ada", &["developers"]).await;
    let name = person.names(1).await.remove(0);
    (world, agent, person, name)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_the_remote_commands() {
    let (_world, _agent, ada, name) = scene().await;
    for (script, status) in
        [("exit 0", 0), ("exit 1", 1), ("exit 42", 42), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        let said = ada.run(&["exec", &name, "--", "sh", "-c", script]).await;
        assert_eq!(said.code, status, "{script}: {}", said.stderr);
    }
    let missing = ada.run(&["exec", &name, "--", "no-such-program"]).await;
    assert_eq!(missing.code, 127);
    assert!(missing.stderr.contains("no-such-program"), "{}", missing.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_arrive_exactly_as_given() {
    let (_world, _agent, ada, name) = scene().await;
    let words = ["", " ", "two words", "it's", "\"", "$HOME", "`id`", "a\nb", "*", "\\", "--", "-n", "ü€", "'", "''"];
    let mut arguments = vec!["exec", &name, "--", "printf", "<%s>"];
    arguments.extend(words);
    let expected: String = words.iter().map(|word| format!("<{word}>")).collect();
    assert_eq!(ada.run(&arguments).await.stdout, expected);
    // What the shell has and no file is: still found.
    assert_eq!(ada.run(&["exec", &name, "--", "sh", "-c", "echo $0:$1", "zero", "o n e"]).await.stdout, "zero:o n e\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_apart_binary_safe_and_half_closed() {
    let (_world, _agent, ada, name) = scene().await;
    let apart = ada.run(&["exec", &name, "--", "sh", "-c", "echo out; echo err >&2"]).await;
    assert_eq!((apart.stdout.as_str(), apart.stderr.as_str()), ("out\n", "err\n"));
    // A megabyte of every byte there and back; `cat` ends because its input does.
    let sent: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let back = ada.run_with(&["exec", &name, "--", "cat"], &sent).await;
    assert_eq!(back.code, 0, "{}", back.stderr);
    assert!(back.bytes == sent, "{} bytes of {}", back.bytes.len(), sent.len());
    // A loop's input is the loop's, where the command leaves it alone.
    let words = [
        "sh",
        "-c",
        "while read line; do \"$0\" exec -n \"$1\" -- sh -c \"cat; echo got $line\"; done",
        env!("CARGO_BIN_EXE_ztctl"),
        &name,
    ];
    let mut child = tokio::process::Command::new(words[0])
        .args(&words[1..])
        .env_clear()
        .envs(ada.environment())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut child.stdin.take().unwrap(), b"1\n2\n3\n").await.unwrap();
    let looped = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&looped.stdout), "got 1\ngot 2\ngot 3\n");
    // The tail of standard error is not lost behind a fast exit.
    let tail = ada.run(&["exec", &name, "--", "sh", "-c", "seq 20000 >&2; exit 3"]).await;
    assert_eq!((tail.code, tail.stderr.lines().last()), (3, Some("20000")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_end_ends_it_though_standard_input_stays_open() {
    let (_world, _agent, ada, name) = scene().await;
    let mut child = ada.ztctl(&["exec", &name, "--", "true"]).stdin(Stdio::piped()).spawn().unwrap();
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("it ends").unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_is_no_error_to_complain_about() {
    let (_world, _agent, ada, name) = scene().await;
    let mut child = ada.ztctl(&["exec", &name, "--", "yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).await.unwrap();
    drop(stdout);
    let output = tokio::time::timeout(Duration::from_secs(10), child.wait_with_output()).await.expect("it ends").unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_containers() {
    let (_world, _agent, ada, name) = scene().await;
    let mut command = ada.ztctl(&["exec", &name, "--", "env"]);
    command.env("LC_TIME", "C.UTF-8").env("SECRET", "x").env("LD_PRELOAD", "").env("TZ", "UTC");
    let output = command.output().await.unwrap();
    let variables = String::from_utf8_lossy(&output.stdout).into_owned();
    let has = |line: &str| variables.lines().any(|variable| variable == line);
    assert!(has("CONTAINER=web") && has("LC_TIME=C.UTF-8") && has("TZ=UTC"), "{variables}");
    for absent in ["SECRET=", "LD_PRELOAD=", "ZTAGENT_", "XDG_"] {
        assert!(!variables.contains(absent), "{absent} in {variables}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_started_ends_with_it() {
    let (_world, _agent, ada, name) = scene().await;
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    // One that ignores the hang-up, one that left the session, one in a plain background.
    let script = format!(
        "(trap '' HUP; sleep 600) & echo $! >>{0}; setsid sleep 600 & echo $! >>{0}; sleep 600 & echo $! >>{0}; echo ready; read never",
        pids.display()
    );
    let mut child =
        ada.ztctl(&["exec", &name, "--", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).await.unwrap();
    child.kill().await.unwrap();
    let killed = Instant::now();
    let pids: Vec<u32> = std::fs::read_to_string(&pids).unwrap().lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 3);
    let alive = |pid: u32| {
        // A zombie that waits for its parent is over.
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    };
    while pids.iter().any(|pid| alive(*pid)) {
        assert!(killed.elapsed() < Duration::from_secs(5), "left behind: {pids:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_link_is_said_and_is_255() {
    let (mut world, _agent, ada, name) = scene().await;
    let mut child = ada
        .ztctl(&["exec", &name, "--", "sh", "-c", "echo ready; sleep 600"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).await.unwrap();
    world.stop().await;
    let output = tokio::time::timeout(Duration::from_secs(15), child.wait_with_output()).await.expect("it ends").unwrap();
    assert_eq!(output.status.code(), Some(255));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.starts_with("ztctl: ") && stderr.contains(&name), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_longer_than_a_header_arrives_too() {
    let (world, _agent, ada, name) = scene().await;
    let long = "x".repeat(60_000);
    let said = ada.run(&["exec", &name, "--", "printf", "%s", &long]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout == long);
    // It was not declared at connect, so the channel has an event of its own.
    let journal = std::fs::read_to_string(world.state().join("audit/journal.jsonl")).unwrap();
    assert!(journal.lines().any(|line| line.contains("\"channel_opened\"") && line.contains("xxxx")), "{journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_can_be_chosen_where_the_agent_can_switch() {
    let (_world, _agent, ada, name) = scene().await;
    if !rustix::process::geteuid().is_root() {
        let refused = ada.run(&["exec", &name, "--user", "nobody", "--", "id", "-un"]).await;
        assert_eq!(refused.code, 255, "{}", refused.stderr);
        return;
    }
    let said = ada.run(&["exec", &name, "--user", "nobody", "--", "sh", "-c", "id -un; id -Gn; echo $HOME"]).await;
    assert_eq!(said.stdout, "nobody\nnogroup\n/nonexistent\n", "{}", said.stderr);
    let unknown = ada.run(&["exec", &name, "--user", "no-such-user", "--", "true"]).await;
    assert!(unknown.code != 0 && unknown.stderr.contains("no-such-user"), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_exec_leaves_with_130_and_takes_the_command_along() {
    let (_world, _agent, ada, name) = scene().await;
    let mut child =
        ada.ztctl(&["exec", &name, "--", "sh", "-c", "echo ready; exec sleep 600"]).stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).await.unwrap();
    let pid = rustix::process::Pid::from_raw(child.id().unwrap() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_run_beside_each_other() {
    let (_world, _agent, ada, name) = scene().await;
    let runs = (0..8).map(|n| {
        let output = ada.ztctl(&["exec", &name, "--", "sh", "-c", &format!("sleep 0.2; echo {n}")]).output();
        async move { String::from_utf8_lossy(&output.await.unwrap().stdout).trim().to_owned() }
    });
    let said: Vec<String> = futures_util::future::join_all(runs).await;
    assert_eq!(said, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    let mut stdin = ada.ztctl(&["exec", &name, "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    stdin.stdin.as_mut().unwrap().write_all(b"x").await.unwrap();
    stdin.stdout.as_mut().unwrap().read_exact(&mut [0; 1]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_does_not_take_all_the_room() {
    let world = World::configured("127.0.0.1", "permit (principal, action, resource);", |config| {
        config.sessions_per_user = 2;
    })
    .await;
    let _agent = world.agent("web").await;
    let (ada, bob) = (world.person("ada", &[]).await, world.person("bob", &[]).await);
    let name = ada.names(1).await.remove(0);
    let mut first = running(&ada, &name, &[]).await;
    let second = running(&ada, &name, &[]).await;
    let refused = ada.run(&["exec", &name, "--", "true"]).await;
    assert_eq!(refused.code, 255, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("one person may have 2 sessions open") && refused.stderr.contains("ztctl sessions end"),
        "{}",
        refused.stderr
    );
    assert_eq!(bob.run(&["exec", &name, "--", "true"]).await.code, 0, "others have their own share");
    // What has ended makes room at once, one after the other.
    first.kill().await.unwrap();
    for _ in 0..5 {
        let said = ada.run(&["exec", &name, "--", "true"]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    drop(second);
}
