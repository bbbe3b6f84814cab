//! Taking back: locks, removed people and changed policies refuse what begins and end what is open, within a second, and the user
//! reads why.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use russh::ChannelMsg;
use russh::client::{Handle, Msg};
use russh::keys::ssh_key::Certificate;
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use ztctl::agent::AgentConfig;
use ztctl::broker::audit::Event;
use ztctl::broker::{AuditQuery, EndSession, LockSpec, LockWish};
use ztctl::client::api::Api;
use ztctl::proto::{Action, Secret};

use crate::attacks::{Anybody, enter};
use crate::screen::Screen;
use crate::stack::Stack;
use crate::world::{OPEN, Person, RunningAgent, Said, World, connect};

/// What nobody who is locked out has after it.
const SECOND: Duration = Duration::from_secs(1);

pub fn lock(wish: LockWish, reason: &str) -> LockSpec {
    LockSpec { wish, lasts: None, until: None, reason: Some(reason.to_owned()) }
}

/// A command of this person's that runs until it is ended, and has begun.
pub async fn running(person: &Person, name: &str, more: &[&str]) -> Child {
    let arguments = [&["exec"], more, &[name, "--", "sh", "-c", "echo begun; exec sleep 600"]].concat();
    let mut child = person.ztctl(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut begun = [0; 6];
    let read = child.stdout.as_mut().unwrap().read_exact(&mut begun);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("the command begins").unwrap();
    child
}

/// What a session says that has to end within a second from `since`.
async fn cut(child: Child, since: Instant) -> Said {
    let said = ended(child, since, SECOND).await;
    assert_eq!(said.code, 255, "{}", said.stderr);
    said
}

/// What a command says that has to end within `limit` from `since`.
async fn ended(child: Child, since: Instant, limit: Duration) -> Said {
    let output = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output()).await.unwrap().unwrap();
    let elapsed = since.elapsed();
    let said = Said::from(output);
    assert!(elapsed < limit, "it took {elapsed:?}: {}", said.stderr);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_what_is_open_and_refuses_what_begins_and_says_why() {
    let world = World::start().await;
    let (_web, _db) = (world.agent("web").await, world.agent("db").await);
    let (ada, eve) = (world.person("ada", &[]).await, world.person("eve", &[]).await);
    let names = ada.names(2).await;
    let (db, web) = (&names[0], &names[1]);
    let (hers, others) = (running(&ada, web, &[]).await, running(&eve, web, &[]).await);
    let since = Instant::now();
    let made = world.admin.add_lock(lock(LockWish::User("ada".parse().unwrap()), "laptop stolen")).await.unwrap();
    assert_eq!(made.ended, 1);
    let said = cut(hers, since).await;
    assert!(said.stderr.contains("you are locked out: laptop stolen"), "{}", said.stderr);
    // She still sees what there is, and is told the same wherever she tries.
    let refused = ada.run(&["exec", db, "--", "true"]).await;
    assert_eq!(refused.code, 255);
    assert!(refused.stderr.contains("you are locked out: laptop stolen") && refused.stderr.contains("hint: "), "{refused:?}");
    assert!(ada.run(&["why", db]).await.stdout.contains("you are locked out"));
    assert_eq!(ada.run(&["exec", "nothing", "--", "true"]).await.code, 255);
    assert_eq!(eve.run(&["exec", web, "--", "true"]).await.code, 0);
    world.admin.remove_lock(&made.lock.id).await.unwrap();
    assert_eq!(ada.run(&["exec", db, "--", "true"]).await.code, 0);
    // A container, by the name that it has; for a while.
    let spec = LockSpec { lasts: Some(Duration::from_secs(8)), ..lock(LockWish::Container(web.clone()), "being repaired") };
    let since = Instant::now();
    let made = world.admin.add_lock(spec).await.unwrap();
    let said = cut(others, since).await;
    assert!(said.stderr.contains("is locked until ") && said.stderr.contains(": being repaired"), "{}", said.stderr);
    let refused = eve.run(&["exec", web, "--", "true"]).await;
    assert!(refused.stderr.contains(&format!("{web} is locked until ")), "{refused:?}");
    assert_eq!(eve.run(&["exec", db, "--", "true"]).await.code, 0);
    let mut refusals = 2;
    while eve.run(&["exec", web, "--", "true"]).await.code != 0 {
        refusals += 1;
        assert!(since.elapsed() < Duration::from_secs(30), "the lock's time is over");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(world.admin.locks().await.unwrap().is_empty());
    let events: Vec<Event> =
        world.admin.audit(AuditQuery::default()).await.unwrap().into_iter().map(|record| record.event).collect();
    let lock_events = events.iter().filter(|event| matches!(event, Event::LockAdded { .. } | Event::LockRemoved { .. }));
    assert_eq!(lock_events.count(), 3, "{events:?}");
    let ended = |event: &&Event| matches!(event, Event::SessionEnded { why: Some(why), .. } if why.contains("laptop stolen"));
    assert_eq!(events.iter().filter(ended).count(), 1);
    let denied = events.iter().filter(|event| matches!(event, Event::SessionDenied { code, .. } if code == "locked"));
    assert_eq!(denied.count(), refusals);
    assert!(
        events.iter().any(
            |event| matches!(event, Event::LockAdded { target, .. } if *target == format!("container {}", target_id(&made)))
        )
    );
}

fn target_id(made: &ztctl::broker::MadeLock) -> String {
    made.lock.target.words().1
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_outlive_agents_and_the_broker() {
    let mut world = World::start().await;
    let token = world.join_token(1).await;
    let config = world.agent_config(&token);
    let key = config.key.clone();
    let agent = RunningAgent::start(config, "web");
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let id = world.admin.agents().await.unwrap().remove(0).id;
    let login = world.admin.add_lock(lock(LockWish::Login("root".parse().unwrap()), "no root today")).await.unwrap();
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 0, "only as root");
    let session = running(&ada, &name, &[]).await;
    let since = Instant::now();
    let made = world.admin.add_lock(lock(LockWish::Agent(id), "node drained")).await.unwrap();
    assert!(cut(session, since).await.stderr.contains(": node drained"));
    // The agent comes anew.
    agent.stop().await;
    ada.names(0).await;
    let _again = RunningAgent::start(AgentConfig { key, ..world.agent_config(&token) }, "web");
    let name = ada.names(1).await.remove(0);
    assert!(ada.run(&["exec", &name, "--", "true"]).await.stderr.contains("is locked: node drained"));
    // So does the broker.
    world.restart().await;
    let name = ada.names(1).await.remove(0);
    assert!(ada.run(&["exec", &name, "--", "true"]).await.stderr.contains("is locked: node drained"));
    assert_eq!(world.admin.locks().await.unwrap().len(), 2);
    world.admin.remove_lock(&made.lock.id).await.unwrap();
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 0);
    let root = ada.run(&["exec", "--user", "root", &name, "--", "true"]).await;
    assert!(root.stderr.contains("the login root is locked: no root today"), "{root:?}");
    world.admin.remove_lock(&login.lock.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_and_what_the_policy_no_longer_allows_ends_within_a_second() {
    let world = World::with_policy(OPEN).await;
    let _agent = world.agent("web").await;
    let (ada, eve) = (world.person("ada", &["dev"]).await, world.person("eve", &[]).await);
    let name = ada.names(1).await.remove(0);
    let (hers, shorter, others) =
        (running(&ada, &name, &[]).await, running(&ada, &name, &["--reason", "short"]).await, running(&eve, &name, &[]).await);
    let policy = r#"
        permit (principal in Group::"dev", action, resource) unless { context has reason && context.reason == "short" };
        @max_session("30s") permit (principal, action == Action::"exec", resource) when { context has reason };
        permit (principal == User::"ada@local", action == Action::"list", resource);
    "#;
    std::fs::write(world.policy(), "permit (principal, action").unwrap();
    assert!(world.admin.reload_policy().await.is_err(), "a mistake changes nothing");
    std::fs::write(world.policy(), policy).unwrap();
    let since = Instant::now();
    world.admin.reload_policy().await.unwrap();
    let said = cut(others, since).await;
    assert!(said.stderr.contains("the policy has changed and no longer allows this session"), "{}", said.stderr);
    // The other two go on, one of them for less time.
    let sessions: serde_json::Value = serde_json::from_str(&ada.run(&["sessions", "--output", "json"]).await.stdout).unwrap();
    let mut lengths: Vec<u64> = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["deadline"].as_u64().unwrap() - row["started_at"].as_u64().unwrap())
        .collect();
    lengths.sort_unstable();
    assert!(lengths.len() == 2 && lengths[0] == 30 && lengths[1] > 3600, "{lengths:?}");
    let since = Instant::now();
    world.admin.remove_user(&"ada".parse().unwrap()).await.unwrap();
    let (first, second) = tokio::join!(cut(hers, since), cut(shorter, since));
    assert!(first.stderr.contains("your account was removed") && second.stderr.contains("your account was removed"));
}

/// Whoever sends much has much under way that nobody answers any more. Both cores are busy with it, so that nobody measures a second here:
/// what waited for an answer waited for three quarters of a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_a_container_ends_as_well() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let (from, part) = (folder.path().join("from"), folder.path().join(".to.ztctl-part"));
    // It takes no room, and longer than this test.
    std::fs::File::create(&from).unwrap().set_len(1 << 36).unwrap();
    for round in 0..3 {
        let to = format!("{name}:{}", folder.path().join("to").display());
        let mut copy = ada.ztctl(&["cp", from.to_str().unwrap(), &to]);
        let copy = copy.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = || std::fs::metadata(&part).is_ok_and(|metadata| metadata.len() > 1 << 20);
        crate::peer::within(Duration::from_secs(20), "copy under way", begun);
        let since = Instant::now();
        let made = world.admin.add_lock(lock(LockWish::Everything, "an incident")).await.unwrap();
        let said = ended(copy, since, Duration::from_secs(10)).await;
        assert!(said.code == 1 && said.stderr.contains("an incident"), "round {round}: {}", said.stderr);
        world.admin.remove_lock(&made.lock.id).await.unwrap();
        std::fs::remove_file(&part).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_groups_end_what_is_open_and_decide_what_begins() {
    let world = World::with_policy(r#"permit (principal in Group::"dev", action, resource);"#).await;
    let _agent = world.agent("web").await;
    let (ada, eve) = (world.person("ada", &["dev"]).await, world.person("eve", &[]).await);
    let name = ada.names(1).await.remove(0);
    let session = running(&ada, &name, &[]).await;
    let since = Instant::now();
    world.admin.set_groups(&"ada".parse().unwrap(), &["ops".parse().unwrap()]).await.unwrap();
    let said = cut(session, since).await;
    assert!(said.stderr.contains("your groups have changed"), "{}", said.stderr);
    let exec = ["exec", name.as_str(), "--", "echo", "in"];
    assert_ne!(ada.run(&exec).await.code, 0);
    assert_ne!(eve.run(&exec).await.code, 0);
    let both = ["dev", "ops"].map(|group| group.parse().unwrap());
    world.admin.set_groups(&"eve".parse().unwrap(), &both).await.unwrap();
    let said = eve.run(&exec).await;
    assert_eq!((said.code, said.stdout.as_str()), (0, "in\n"), "nobody has to log in again: {}", said.stderr);
    assert!(world.admin.set_groups(&"nobody".parse().unwrap(), &both).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_agents_sessions_end_with_the_reason_and_nothing_begins_there() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let session = running(&ada, &name, &[]).await;
    let id = world.admin.agents().await.unwrap().remove(0).id;
    let since = Instant::now();
    world.admin.remove_agent(id).await.unwrap();
    let exec = ["exec", name.as_str(), "--", "true"];
    let (new, said) = tokio::join!(ada.run(&exec), cut(session, since));
    assert_ne!(new.code, 0, "it serves nobody new");
    assert!(said.stderr.contains("the container's agent was removed by an operator"), "{}", said.stderr);
    ada.names(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_who_is_where_and_ends_one_session() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let (ada, eve) = (world.person("ada", &[]).await, world.person("eve", &[]).await);
    let name = ada.names(1).await.remove(0);
    let hers = running(&ada, &name, &["--reason", "ticket 4711"]).await;
    let others = running(&eve, &name, &[]).await;
    let live = world.admin.sessions();
    let users: Vec<&str> = live.iter().map(|session| session.user.as_str()).collect();
    assert_eq!(users, ["ada@local", "eve@local"]);
    assert_eq!((live[0].reason.as_deref(), live[0].row.container.starts_with("web-")), (Some("ticket 4711"), true), "{live:?}");
    let end = |session: &str, reason: &str| EndSession { session: session.parse().unwrap(), reason: Some(reason.to_owned()) };
    let id = live[0].row.id.to_string();
    assert!(world.admin.end_session(end("00000000", "nobody's")).await.is_err());
    assert!(world.admin.end_session(end(&id, "two\nlines")).await.is_err());
    let since = Instant::now();
    let ended = world.admin.end_session(end(&id[..12], "the node restarts")).await.unwrap();
    assert_eq!(ended, live[0]);
    let said = cut(hers, since).await;
    assert_eq!(said.stderr.matches("an operator ended this session: the node restarts").count(), 1, "{}", said.stderr);
    assert_eq!(world.admin.sessions().iter().map(|session| session.user.as_str()).collect::<Vec<_>>(), ["eve@local"]);
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 0, "it is no lock");
    drop(others);
    let query = AuditQuery { session: Some(id[..12].parse().unwrap()), ..AuditQuery::default() };
    let events: Vec<Event> = world.admin.audit(query).await.unwrap().into_iter().map(|record| record.event).collect();
    assert!(events.iter().any(|event| matches!(event, Event::SessionCut { user, .. } if user == "ada@local")), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_shell_the_reason_is_read_once_on_a_line_of_its_own() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let mut screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", &name], &ada.environment(), 30, 160);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("echo half a line");
    screen.wait_for("half a line");
    world.admin.add_lock(lock(LockWish::User("ada@local".parse().unwrap()), "laptop stolen")).await.unwrap();
    assert_eq!(screen.wait_exit(), 255);
    let contents = screen.contents();
    let told: Vec<&str> = contents.lines().filter(|line| line.contains("laptop stolen")).collect();
    assert!(matches!(told[..], [line] if line.starts_with("ztctl: ")), "{contents}");
    screen.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_at_one_broker_holds_at_the_other_that_shares_its_database() {
    let first = World::start().await;
    let database = format!("sqlite://{}", first.state().join("broker.db").display());
    let second = World::configured("127.0.0.1", OPEN, |config| config.database = Some(Secret::new(database))).await;
    let _agent = second.agent("web").await;
    let ada = second.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let session = running(&ada, &name, &[]).await;
    let since = Instant::now();
    let made = first.admin.add_lock(lock(LockWish::Everything, "incident 42")).await.unwrap();
    assert_eq!(made.ended, 0, "it has no session of its own");
    assert!(cut(session, since).await.stderr.contains("no session may be open: incident 42"));
    println!("lock at one broker -> session at the other ended {:?}", since.elapsed());
    assert!(ada.run(&["exec", &name, "--", "true"]).await.stderr.contains("no session may be open: incident 42"));
    first.admin.remove_lock(&made.lock.id).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while ada.run(&["exec", &name, "--", "true"]).await.code != 0 {
        assert!(Instant::now() < deadline, "the lock is gone");
    }
}

#[test]
fn an_operator_locks_from_the_command_line_and_a_kill_of_the_broker_opens_nothing() {
    let mut stack = Stack::start_at("127.0.0.1");
    let id = stack.admin(&["lock", "add", "--everything", "--for", "1h", "--reason", "incident 42"]).trim().to_owned();
    assert!(stack.admin(&["sessions", "ls"]).starts_with("ID  USER  CONTAINER  AS  MAY"));
    let listed = stack.admin(&["lock", "ls"]);
    assert!(listed.contains(&id) && listed.contains("everything") && listed.contains("incident 42"), "{listed}");
    stack.kill_broker();
    stack.restart_broker();
    let json: serde_json::Value = serde_json::from_str(&stack.admin(&["lock", "ls", "--output", "json"])).unwrap();
    assert_eq!((&json["id"], &json["target"]["kind"]), (&id.as_str().into(), &"everything".into()));
    stack.admin(&["lock", "rm", &id]);
    assert_eq!(stack.admin(&["lock", "ls"]).lines().count(), 1, "the titles");
    let audit = stack.admin(&["audit"]);
    assert!(audit.contains("lock_added") && audit.contains("lock_removed"), "{audit}");
}

/// A session in this process whose command writes what is added to `file`.
async fn following(api: &Api, name: &str, file: &str) -> (Handle<Anybody>, russh::Channel<Msg>) {
    let opened = connect(api, name, &[Action::Exec]).await.unwrap();
    let certificate = Certificate::from_openssh(&opened.reply.certificate).unwrap();
    let inside = enter(opened.link, "default", opened.key, certificate).await.unwrap();
    let mut channel = inside.channel_open_session().await.unwrap();
    channel.exec(true, format!("exec tail -n 1 -f {file}")).await.unwrap();
    while !matches!(channel.wait().await, Some(ChannelMsg::Data { .. })) {}
    (inside, channel)
}

/// Reads to the end: when the last byte of output came, and what was said on stderr.
async fn to_the_end(mut channel: russh::Channel<Msg>) -> (Instant, String) {
    let (mut last, mut said) = (Instant::now(), String::new());
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { .. } => last = Instant::now(),
            ChannelMsg::ExtendedData { data, .. } => said.push_str(&String::from_utf8_lossy(&data)),
            _ => {}
        }
    }
    (last, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sessions_have_no_byte_a_second_after_the_lock() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let api = world.api("ada").await;
    // One writer for all of them: a hundred that write by themselves would measure this machine.
    let file = ada.home().join("ticks");
    let ticks = tokio::spawn({
        let mut file = std::fs::File::create(&file).unwrap();
        async move {
            loop {
                file.write_all(b"tick\n").unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    let file = file.display().to_string();
    let (mut handles, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let (inside, channel) = following(&api, &name, &file).await;
        handles.push(inside);
        readers.push(tokio::spawn(to_the_end(channel)));
    }
    let since = Instant::now();
    let made = world.admin.add_lock(lock(LockWish::Everything, "incident 42")).await.unwrap();
    let told = since.elapsed();
    assert_eq!(made.ended, 100);
    let (mut latest, mut read_why) = (Duration::ZERO, 0);
    for reader in readers {
        let (last, said) = tokio::time::timeout(Duration::from_secs(20), reader).await.expect("it ends").unwrap();
        latest = latest.max(last.saturating_duration_since(since));
        read_why += usize::from(said.contains("no session may be open: incident 42"));
    }
    ticks.abort();
    println!(
        "lock -> returned {told:?}, last byte of 100 sessions {latest:?}, all closed {:?}, told why {read_why}",
        since.elapsed()
    );
    assert!(latest < SECOND, "the last byte came after {latest:?}");
    assert_eq!(read_why, 100);
}
