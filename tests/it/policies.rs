//! Policies in an operator's hands: a changed file is in force by itself, a mistake changes nothing, and what they mean can be asked
//! and tested.

use std::time::{Duration, Instant};

use ztctl::broker::AuditQuery;
use ztctl::broker::audit::Event;

use crate::locks::running;
use crate::world::{OPEN, World};

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
