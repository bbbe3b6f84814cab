//! Policies in an operator's hands: a changed file is in force by itself, a mistake changes nothing, and what they mean can be asked
//! and tested.

use std::time::{Duration, Instant};

use russh::ChannelMsg;
use russh::keys::ssh_key::Certificate;
use ztctl::broker::audit::Event;
use ztctl::broker::{AuditQuery, AuditRecord};
use ztctl::proto::Action;
use ztctl::proto::agent::Outcome;

use crate::attacks::enter;
use crate::locks::running;
use crate::world::{OPEN, World, connect};

/// Waits until `ztctl exec NAME -- true` ends with `code`.
async fn until(person: &crate::world::Person, name: &str, code: i32) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let said = person.run(&["exec", name, "--", "true"]).await;
        if said.code == code {
            return;
        }
        assert!(Instant::now() < deadline, "{said:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_in_force_by_itself_and_a_mistake_changes_nothing() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let eve = world.person("eve", &[]).await;
    let name = eve.names(1).await.remove(0);
    let session = running(&eve, &name, &[]).await;
    let since = Instant::now();
    std::fs::write(world.policy(), r#"permit (principal, action == Action::"list", resource);"#).unwrap();
    let output = tokio::time::timeout(Duration::from_secs(10), session.wait_with_output()).await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("file written -> session ended {:?}", since.elapsed());
    assert!(stderr.contains("the policy has changed and no longer allows this session"), "{stderr}");
    assert_eq!(eve.run(&["exec", &name, "--", "true"]).await.code, 255);
    // Half a file is not read while it grows, and refused if it stays so.
    std::fs::write(world.policy(), "permit (principal, action").unwrap();
    let refused = async || {
        let records = world.admin.audit(AuditQuery::default()).await.unwrap();
        records.into_iter().filter(|record| matches!(record.event, Event::PolicyRefused { .. })).count()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while refused().await == 0 {
        assert!(Instant::now() < deadline, "the mistake was not noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(eve.run(&["ls", "--output", "name"]).await.stdout.trim(), name, "the last good policies are in force");
    std::fs::write(world.policy(), OPEN).unwrap();
    until(&eve, &name, 0).await;
    assert_eq!(refused().await, 1, "a mistake is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_which_nothing_happens_ends() {
    let world = World::with_policy(&format!("@idle(\"2s\") {OPEN}")).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let begun = Instant::now();
    let said = ada.run(&["exec", &name, "--", "sleep", "600"]).await;
    assert_eq!(said.code, 255);
    assert!(said.stderr.contains("nothing has happened in it for 2s"), "{}", said.stderr);
    assert!((2..6).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // What a command says counts, what a program paints on a terminal does not.
    let said =
        ada.run(&["exec", &name, "--", "sh", "-c", "for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.5; done; exit 3"]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    let opened = connect(&world.api("ada").await, &name, &[Action::Shell]).await.unwrap();
    let certificate = Certificate::from_openssh(&opened.reply.certificate).unwrap();
    assert_eq!(certificate.critical_options().get("idle@ztctl").map(String::as_str), Some("2"));
    let inside = enter(opened.link, "default", opened.key, certificate).await.unwrap();
    let mut channel = inside.channel_open_session().await.unwrap();
    channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    channel.request_shell(true).await.unwrap();
    // Typing keeps it open for four seconds.
    for _ in 0..4 {
        channel.data(&b"\n"[..]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    channel.data(&b"while :; do echo still here; sleep 0.2; done\n"[..]).await.unwrap();
    let quiet = Instant::now();
    let mut output = Vec::new();
    let read = async {
        while let Some(message) = channel.wait().await {
            if let ChannelMsg::Data { data } = message {
                output.extend_from_slice(&data);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("it ends");
    let (text, lasted) = (String::from_utf8_lossy(&output).into_owned(), quiet.elapsed());
    assert!(text.contains("still here\r\n") && text.contains("nothing has happened in it for 2s"), "{text}");
    assert!((2..6).contains(&lasted.as_secs()), "{lasted:?}");
    let why = ada.run(&["why", &name]).await.stdout;
    assert!(why.contains("2s without activity"), "{why}");
    let ends = async || {
        let records = world.admin.audit(AuditQuery::default()).await.unwrap();
        let outcome = |record: AuditRecord| match record.event {
            Event::SessionEnded { outcome, .. } => Some(outcome),
            _ => None,
        };
        records.into_iter().filter_map(outcome).collect::<Vec<_>>()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    while ends().await.len() < 3 {
        assert!(Instant::now() < deadline, "an end is not written down");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ends().await, [Outcome::Idle, Outcome::Exited { status: 3 }, Outcome::Idle]);
}
