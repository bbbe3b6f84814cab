//! The certificate authorities are renewed and nobody notices: not who is in a session, not who begins one, not who was away.

use std::time::{Duration, Instant};

use russh::keys::ssh_key::{Certificate, PrivateKey};
use ztctl::agent::AgentConfig;
use ztctl::broker::audit::Event;
use ztctl::broker::{AuditQuery, Authorities, Rotation};
use ztctl::clock::Clock;
use ztctl::proto::Action;
use ztctl::ssh::public_line;

use crate::attacks::{enter, said};
use crate::locks::running;
use crate::stack::Stack;
use crate::world::{Person, RunningAgent, World, connect};

fn slowly() -> Rotation {
    Rotation { overlap: Some(Duration::from_secs(3600)), ..Rotation::default() }
}

/// Waits until every agent that is here trusts the newest keys.
async fn followed(world: &World) -> Authorities {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let now = world.admin.authorities();
        if now.behind.is_empty() {
            return now;
        }
        assert!(Instant::now() < deadline, "{now:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a session can be had, as `person` sees it.
async fn enters(person: &Person, name: &str) {
    let said = person.run(&["exec", name, "--", "true"]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
}

/// How often this person has followed, by the configuration.
fn sequence(person: &Person) -> Option<u64> {
    let text = std::fs::read_to_string(person.home().join(".config/ztctl/config.toml")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("sequence = ")).map(|number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_go_on_and_begin_and_whoever_was_away_follows() {
    let mut world = World::start().await;
    let _web = world.agent("web").await;
    let token = world.join_token(1).await;
    let config = world.agent_config(&token);
    let key = config.key.clone();
    let db = RunningAgent::start(config, "db");
    let (ada, eve) = (world.person("ada", &[]).await, world.person("eve", &[]).await);
    ada.names(2).await;
    db.stop().await;
    let name = ada.names(1).await.remove(0);
    let (api, old) = (world.api("ada").await, world.user_ca());
    let mut session = running(&ada, &name, &[]).await;

    let begun = world.admin.rotate_ca(slowly()).await.unwrap();
    assert_eq!((begun.sequence, begun.keys.len(), begun.until.is_some()), (1, 4, true));
    enters(&ada, &name).await;
    assert_eq!(sequence(&ada), Some(1));
    followed(&world).await;
    // From here on it is the new key that signs, for this agent; for a client that knows no statements the old one does.
    let opened = connect(&api, &name, &[Action::Shell]).await.unwrap();
    let certificate = Certificate::from_openssh(&opened.reply.certificate).unwrap();
    let new = public_line(&ztctl::ssh::PublicKey::new(certificate.signature_key().clone(), "")).unwrap();
    assert_eq!(new, begun.keys[1].public_key);
    enter(opened.link, "default", opened.key, certificate).await.unwrap();
    assert!(session.try_wait().unwrap().is_none(), "the session goes on");

    let ended = world.admin.finish_ca_rotation().await.unwrap();
    assert_eq!((ended.sequence, ended.keys.len(), ended.until), (2, 2, None));
    followed(&world).await;
    enters(&ada, &name).await;
    assert!(session.try_wait().unwrap().is_none(), "the session goes on");
    // Whoever has the old key enters nothing with it.
    let opened = connect(&api, &name, &[Action::Shell]).await.unwrap();
    let forged = said(&opened).to_builder(opened.key.public_key(), Clock::system().now(), 120).unwrap().sign(&old).unwrap();
    assert_eq!(enter(opened.link, "default", opened.key, forged).await.err().as_deref(), Some("refused"));
    session.kill().await.unwrap();

    // A second time, with a restart in the middle.
    world.admin.rotate_ca(slowly()).await.unwrap();
    world.restart().await;
    assert_eq!(world.admin.authorities().sequence, 3);
    let name = ada.names(1).await.remove(0);
    followed(&world).await;
    enters(&ada, &name).await;
    assert_eq!(world.admin.finish_ca_rotation().await.unwrap().sequence, 4);

    // An agent that was away during both, with nothing but the token of before them; and somebody who was away.
    let _db = RunningAgent::start(AgentConfig { key, ..world.agent_config(&token) }, "db");
    for name in ada.names(2).await {
        enters(&ada, &name).await;
        enters(&eve, &name).await;
    }
    assert_eq!((sequence(&ada), sequence(&eve)), (Some(4), Some(4)));
    followed(&world).await;
    // And whoever comes new.
    let dan = world.person("dan", &[]).await;
    enters(&dan, &name).await;
    let status = dan.run(&["status"]).await;
    assert!(status.stdout.contains(&world.admin.authorities().fingerprint), "{}", status.stdout);
    let events = world.admin.audit(AuditQuery::default()).await.unwrap();
    let by = |event: &Event| match event {
        Event::CaRotated { by, .. } | Event::CaRotationFinished { by, .. } => Some(by.clone()),
        _ => None,
    };
    let by: Vec<String> = events.iter().filter_map(|record| by(&record.event)).collect();
    assert!(by.len() == 4 && by.iter().all(|by| by.starts_with("operator (uid ")), "{by:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_counts_no_more_at_once_and_nobody_is_shut_out() {
    let world = World::start().await;
    let _web = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let (api, stolen) = (world.api("ada").await, world.user_ca());
    let host = PrivateKey::read_openssh_file(world.state().join("ca/host_ca")).unwrap();
    let now = world.admin.rotate_ca(Rotation::default()).await.unwrap();
    assert_eq!((now.keys.len(), now.until), (2, None));
    assert!(!world.state().join("ca/user_ca").exists(), "the old key is deleted");
    // At once: the first session waits for the agent, if it has to.
    enters(&ada, &name).await;
    for thief in [stolen, host] {
        let opened = connect(&api, &name, &[Action::Shell]).await.unwrap();
        let at = Clock::system().now();
        let forged = said(&opened).to_builder(opened.key.public_key(), at, 120).unwrap().sign(&thief).unwrap();
        assert_eq!(enter(opened.link, "default", opened.key, forged).await.err().as_deref(), Some("refused"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_was_set_up_anew_is_followed_by_nobody() {
    let mut world = World::start().await;
    let _web = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    world.stop().await;
    // Somebody puts other keys there, and a rotation of them: the numbers are higher, and nothing leads to them.
    std::fs::remove_dir_all(world.state().join("ca")).unwrap();
    ztctl::broker::ca::Authority::open(&world.state().join("ca")).unwrap();
    world.restart().await;
    world.admin.rotate_ca(Rotation::default()).await.unwrap();
    let status = ada.run(&["status"]).await;
    assert!(status.code == 1 && status.stderr.contains("HAVE CHANGED"), "{}", status.stderr);
    assert!(status.stderr.contains("no statement leads"), "{}", status.stderr);
    ada.names(0).await;
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 255);
    assert_eq!(sequence(&ada), None);
}

#[test]
fn an_operator_rotates_from_the_command_line_and_a_kill_of_the_broker_loses_nothing() {
    let mut stack = Stack::start_at("127.0.0.1");
    let shown = |stack: &Stack| -> serde_json::Value {
        serde_json::from_str(&stack.admin(&["ca", "show", "--output", "json"])).unwrap()
    };
    assert_eq!((shown(&stack)["sequence"].as_u64(), shown(&stack)["keys"].as_array().unwrap().len()), (Some(0), 2));
    let table = stack.admin(&["ca", "rotate", "--overlap", "1h", "--user"]);
    assert!(table.lines().count() == 4 && table.starts_with("FOR "), "{table}");
    let before = shown(&stack);
    stack.kill_broker();
    stack.restart_broker();
    assert_eq!(shown(&stack), before);
    stack.names(0, Duration::from_secs(5));
    stack.admin(&["ca", "finish"]);
    stack.kill_broker();
    stack.restart_broker();
    let after = shown(&stack);
    assert_eq!((after["sequence"].as_u64(), after["keys"].as_array().unwrap().len()), (Some(2), 2));
    assert_eq!(after["keys"][0]["fingerprint"], before["keys"][1]["fingerprint"]);
    let status = stack.ztctl().arg("status").output().unwrap();
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains(after["fingerprint"].as_str().unwrap()), "{status}");
}
