//! Sessions: what they may do, what they carry, and that nothing of them stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, Pty};
use tokio::time::{Instant, timeout};
use ztctl::proto::agent::{ChannelReport, FromAgent, FromBroker, Outcome};
use ztctl::proto::{Action, ContainerId, command};
use ztctl::ssh::new_key;

use crate::broker::{Client, World};

/// What a channel gave, in the order in which it came.
#[derive(Debug, Default)]
struct Given {
    stdout: Vec<u8>,
    stderr: String,
    status: Option<u32>,
    order: Vec<&'static str>,
}

async fn collect(mut channel: Channel<Msg>) -> Given {
    let mut given = Given::default();
    let all = async {
        while let Some(message) = channel.wait().await {
            let what = match message {
                ChannelMsg::Data { data } => {
                    given.stdout.extend_from_slice(&data);
                    "data"
                }
                ChannelMsg::ExtendedData { data, .. } => {
                    given.stderr.push_str(&String::from_utf8_lossy(&data));
                    "data"
                }
                ChannelMsg::ExitStatus { exit_status } => {
                    given.status = Some(exit_status);
                    "status"
                }
                ChannelMsg::ExitSignal { .. } => "signal",
                ChannelMsg::Eof => "eof",
                ChannelMsg::Close => "close",
                ChannelMsg::Failure => "failure",
                _ => continue,
            };
            if given.order.last() != Some(&what) {
                given.order.push(what);
            }
        }
    };
    timeout(Duration::from_secs(20), all).await.expect("the channel ends");
    given
}

fn exec(line: &str) -> ChannelReport {
    ChannelReport::Exec { command: line.to_owned() }
}

async fn start(client: &Handle<Client>, line: &str) -> Channel<Msg> {
    let channel = client.channel_open_session().await.unwrap();
    channel.exec(true, line).await.unwrap();
    channel
}

async fn run(world: &mut World, line: &str) -> Given {
    let grant = world.grant(&[Action::Exec], &[exec(line)]);
    let client = world.enter(&grant).await;
    let given = collect(start(&client, line).await).await;
    drop(client);
    world.outcome().await;
    given
}

#[tokio::test(flavor = "multi_thread")]
async fn status_and_both_outputs_arrive_whole_and_in_order() {
    let mut world = World::new().await;
    let given = run(&mut world, "head -c 300000 /dev/zero; echo oops >&2; exit 7").await;
    assert_eq!((given.stdout.len(), given.stderr.as_str(), given.status), (300_000, "oops\n", Some(7)));
    assert_eq!(given.order[given.order.len() - 3..], ["status", "eof", "close"], "{:?}", given.order);
    let killed = run(&mut world, "kill -KILL $$").await;
    assert!(killed.status.is_none() && killed.order.contains(&"signal"), "{killed:?}");
    let words = command::quote(["printf", "%s|", "a b", "it's", ""]);
    let given = run(&mut world, std::str::from_utf8(&words).unwrap()).await;
    assert_eq!((String::from_utf8(given.stdout).unwrap().as_str(), given.status), ("a b|it's||", Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_every_byte_comes_back_after_the_input_is_closed() {
    let mut world = World::new().await;
    let grant = world.grant(&[Action::Exec], &[exec("cat; echo end >&2")]);
    let client = world.enter(&grant).await;
    let channel = start(&client, "cat; echo end >&2").await;
    let sent: Vec<u8> = (0..1_048_576_u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    let (reader, writer) = channel.split();
    let input = sent.clone();
    tokio::spawn(async move {
        writer.data_bytes(input).await.unwrap();
        writer.eof().await.unwrap();
    });
    let (mut reader, mut received, mut status) = (reader, Vec::new(), None);
    while let Some(message) = timeout(Duration::from_secs(20), reader.wait()).await.unwrap() {
        match message {
            ChannelMsg::Data { data } => received.extend_from_slice(&data),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            _ => {}
        }
    }
    assert!(received == sent, "{} of {} bytes", received.len(), sent.len());
    assert_eq!(status, Some(0));
    drop(client);
    assert_eq!(world.outcome().await, Outcome::Exited { status: 0 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_its_size_from_the_start_and_after_a_change() {
    let mut world = World::new().await;
    let grant = world.grant(&[Action::Shell], &[ChannelReport::Shell]);
    let client = world.enter(&grant).await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm-256color", 101, 31, 0, 0, &[] as &[(Pty, u32)]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    let script = "echo term=$TERM; stty size; echo read''y; while [ \"$(stty size)\" = '31 101' ]; do sleep 0.05; done; stty size; exit 5\n";
    channel.data_bytes(script).await.unwrap();
    let mut channel = channel;
    let (mut output, mut status, mut resized) = (String::new(), None, false);
    while let Some(message) = timeout(Duration::from_secs(20), channel.wait()).await.unwrap() {
        match message {
            ChannelMsg::Data { data } => output.push_str(&String::from_utf8_lossy(&data)),
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            _ => {}
        }
        if !resized && output.contains("ready\r\n") {
            resized = true;
            channel.window_change(90, 20, 0, 0).await.unwrap();
        }
    }
    assert!(
        output.contains("31 101\r\n") && output.contains("term=xterm-256color") && output.contains("20 90\r\n"),
        "{output}"
    );
    assert_eq!(status, Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_images_and_the_sessions() {
    let mut world = World::new().await;
    let grant = world.grant(&[Action::Exec], &[exec("env")]);
    let client = world.enter(&grant).await;
    let channel = client.channel_open_session().await.unwrap();
    for (name, value) in [("LANG", "C.UTF-8"), ("LD_PRELOAD", "/evil.so"), ("TZ", ":/etc/shadow"), ("PATH", "/evil")] {
        channel.set_env(false, name, value).await.unwrap();
    }
    channel.exec(true, "env").await.unwrap();
    let given = collect(channel).await;
    let output = String::from_utf8(given.stdout).unwrap();
    for line in ["IMAGE=yes", "LANG=C.UTF-8", "PATH=/usr/bin:/bin", "ZTCTL_USER=ada@local"] {
        assert!(output.lines().any(|there| there == line), "{line} in {output}");
    }
    assert!(!output.contains("evil") && !output.contains("shadow") && !output.contains("ZTAGENT_"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_opens_for_one_announced_certificate_once() {
    let mut world = World::new().await;
    let grant = world.grant(&[Action::Exec], &[]);
    let mut foreign = world.link(&grant).await;
    assert!(!world.authenticate(&mut foreign, &grant, &new_key().unwrap()).await, "a foreign authority");
    drop(foreign);
    assert!(matches!(world.outcome().await, Outcome::Refused { .. }));

    let mut elsewhere = world.grant(&[Action::Exec], &[]);
    elsewhere.certificate.container = ContainerId::random();
    let mut client = world.link(&elsewhere).await;
    assert!(!world.authenticate(&mut client, &elsewhere, &world.user_ca).await, "another container");
    drop(client);
    assert!(matches!(world.outcome().await, Outcome::Refused { .. }));

    let grant = world.grant(&[Action::Exec], &[]);
    let client = world.enter(&grant).await;
    let mut again = world.link(&grant).await;
    assert!(!world.authenticate(&mut again, &grant, &world.user_ca).await, "a session used before");
    drop((client, again));
    world.outcome().await;
    world.outcome().await;

    let mut unannounced = world.grant(&[Action::Exec], &[]);
    unannounced.announced = false;
    let mut client = world.link(&unannounced).await;
    assert!(!world.authenticate(&mut client, &unannounced, &world.user_ca).await, "a session that was not announced");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_or_not_written_down_does_not_run() {
    let mut world = World::new().await;
    let grant = world.grant(&[Action::Exec], &[exec("true")]);
    let client = world.enter(&grant).await;
    let channel = client.channel_open_session().await.unwrap();
    channel.request_shell(true).await.unwrap();
    let mut channel = channel;
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)), "a shell was not granted");
    channel.request_subsystem(true, "sftp").await.unwrap();
    assert!(matches!(channel.wait().await, Some(ChannelMsg::Failure)));
    assert!(client.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.is_err());

    let asking = start(&client, "echo second").await;
    let FromAgent::Channel { request, channel: asked, .. } = world.hear().await else { panic!() };
    assert_eq!(asked, exec("echo second"));
    world.say.send(FromBroker::Acknowledge { request, refused: None }).await.unwrap();
    assert_eq!(collect(asking).await.stdout, b"second\n");

    let asking = start(&client, "touch /tmp/never").await;
    let FromAgent::Channel { request, .. } = world.hear().await else { panic!() };
    world.say.send(FromBroker::Acknowledge { request, refused: Some("the journal is full".into()) }).await.unwrap();
    let refused = collect(asking).await;
    assert!(refused.status.is_none() && refused.stderr.contains("the journal is full"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_starts_once_the_session_is_over() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let started = folder.path().join("started");
    let grant = world.grant(&[Action::Exec], &[]);
    let client = world.enter(&grant).await;
    let _asking = start(&client, &format!("touch {}", started.display())).await;
    let FromAgent::Channel { request, .. } = world.hear().await else { panic!() };
    let session = grant.certificate.session;
    world.say.send(FromBroker::Cut { session, reason: "enough for today".into() }).await.unwrap();
    assert_eq!(world.outcome().await, Outcome::Cut);
    world.say.send(FromBroker::Acknowledge { request, refused: None }).await.unwrap();
    // What another session does is done after the answer has been heard.
    let line = "sleep 0.2; echo later";
    let later = world.grant(&[Action::Exec], &[exec(line)]);
    let client = world.enter(&later).await;
    assert_eq!(collect(start(&client, line).await).await.stdout, b"later\n");
    assert!(!started.exists(), "a channel's leave came after the end, and it ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_agent_has_open_stays_the_agents() {
    use std::os::fd::AsRawFd;
    let mut world = World::new().await;
    let secret = std::fs::File::open("/proc/self/cmdline").unwrap();
    rustix::io::fcntl_setfd(&secret, rustix::io::FdFlags::empty()).unwrap();
    let line = format!("test -e /proc/self/fd/{} && echo open || echo closed", secret.as_raw_fd());
    assert_eq!(run(&mut world, &line).await.stdout, b"closed\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_command_replaces_what_was_asked() {
    let mut world = World::new().await;
    let mut grant = world.grant(&[Action::Exec], &[exec("echo forced; echo $SSH_ORIGINAL_COMMAND")]);
    grant.certificate.force_command = Some("echo forced; echo $SSH_ORIGINAL_COMMAND".into());
    let client = world.enter(&grant).await;
    let given = collect(start(&client, "rm -rf important").await).await;
    assert_eq!(String::from_utf8(given.stdout).unwrap(), "forced\nrm -rf important\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_told_and_leaves_nothing_behind() {
    let mut world = World::new().await;
    let line = "setsid sleep 4711 & nohup sleep 4711 2>/dev/null & (trap '' HUP; sleep 4711) & echo ready; wait; sleep 4711";
    let grant = world.grant(&[Action::Exec], &[exec(line)]);
    let client = world.enter(&grant).await;
    let mut channel = start(&client, line).await;
    while !matches!(channel.wait().await.unwrap(), ChannelMsg::Data { .. }) {}
    let session = grant.certificate.session;
    world.say.send(FromBroker::Cut { session, reason: "enough for today".into() }).await.unwrap();
    let given = collect(channel).await;
    assert!(given.stderr.contains("enough for today") && given.status.is_none(), "{given:?}");
    let begun = Instant::now();
    assert_eq!(world.outcome().await, Outcome::Cut);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let marker = format!("ZTCTL_SESSION={session}");
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let environ = std::fs::read(process.path().join("environ")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environ).contains(&marker), "{:?} is left", process.path());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_ends_a_session() {
    let mut world = World::new().await;
    let mut grant = world.grant(&[Action::Exec], &[exec("sleep 600")]);
    grant.certificate.deadline = ztctl::clock::Clock::system().now() + 5;
    let client = world.enter(&grant).await;
    let given = collect(start(&client, "sleep 600").await).await;
    assert!(given.stderr.contains("time is over"), "{given:?}");
    assert_eq!(world.outcome().await, Outcome::Deadline);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_dropped_to_with_its_groups_and_an_unknown_one_is_said() {
    if !rustix::process::geteuid().is_root() {
        // Only root can become somebody else; the refusal of the others is a unit test of the accounts.
        return;
    }
    let mut world = World::new().await;
    let words = command::quote(["sh", "-c", "id -u; id -G; cat /proc/self/status | grep CapEff; umask"]);
    let line = String::from_utf8(words).unwrap();
    let mut grant = world.grant(&[Action::Exec], &[exec(&line)]);
    grant.certificate.login = "nobody".parse().unwrap();
    let client = world.enter(&grant).await;
    let given = collect(start(&client, &line).await).await;
    assert_eq!(String::from_utf8(given.stdout).unwrap(), "65534\n65534\nCapEff:\t0000000000000000\n0022\n", "{}", given.stderr);
    drop(client);
    world.outcome().await;
    let mut grant = world.grant(&[Action::Exec], &[exec("id")]);
    grant.certificate.login = "no-such-user".parse().unwrap();
    let client = world.enter(&grant).await;
    let given = collect(start(&client, "id").await).await;
    assert_eq!(given.status, Some(126));
    assert!(given.stderr.contains("there is no user no-such-user"), "{}", given.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn input_that_nobody_reads_yet_waits_and_stops_nothing_else() {
    let mut world = World::new().await;
    let (slow, quick) = ("read go < \"$GO\"; wc -c", "echo quick");
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("go");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let slow = slow.replace("$GO", fifo.to_str().unwrap());
    let grant = world.grant(&[Action::Exec], &[exec(&slow), exec(quick)]);
    let client = world.enter(&grant).await;
    let channel = start(&client, &slow).await;
    let (mut reader, writer) = channel.split();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for _ in 0..128 {
            writer.data_bytes(vec![b'x'; 65_536]).await.unwrap();
            counter.fetch_add(65_536, Relaxed);
        }
        writer.eof().await.unwrap();
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    while sent.load(Relaxed) < 1024 * 1024 {
        assert!(Instant::now() < deadline, "a whole window is taken at once");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // While the first channel's input has nowhere to go, the second runs from start to end.
    assert_eq!(collect(start(&client, quick).await).await.stdout, b"quick\n");
    assert!(!sending.is_finished(), "eight megabytes are more than may wait");
    std::fs::write(&fifo, "go\n").unwrap();
    let mut output = Vec::new();
    while let Some(message) = timeout(Duration::from_secs(20), reader.wait()).await.unwrap() {
        if let ChannelMsg::Data { data } = message {
            output.extend_from_slice(&data);
        }
    }
    assert_eq!(String::from_utf8(output).unwrap().trim(), "8388608");
}
