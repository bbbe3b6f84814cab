//! The database in a folder of its own, with times that the tests choose.

mod requests;

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::broker::enrolment::Assertions;
use crate::broker::identity::Person;
use crate::broker::locks::{Lock, LockId, LockTarget};
use crate::proto::name::Account;
use crate::proto::{Action, AgentId};

async fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder)).await.unwrap();
    (folder, store)
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}", folder.path().join("broker.db").display())
}

fn ada() -> Account {
    "ada".parse().unwrap()
}

async fn with_ada() -> (TempDir, Store) {
    let (folder, store) = store().await;
    let groups = ["web".parse().unwrap(), "dev".parse().unwrap()];
    store.add_user(&ada(), &groups, "hash", NOW).await.unwrap();
    (folder, store)
}

fn tokens(access: u8, refresh: u8) -> NewTokens {
    NewTokens { access: [access; 32], access_expires_at: NOW + 600, refresh: [refresh; 32] }
}

fn login(id: &str) -> Started {
    Started {
        id: id.to_owned(),
        person: Person::local(ada()),
        method: "browser",
        scope: None,
        key: "k".into(),
        now: NOW,
        expires_at: NOW + 1000,
    }
}

#[tokio::test]
async fn a_database_opens_again_and_is_nobody_elses() {
    let (folder, store) = with_ada().await;
    let mode = std::fs::metadata(folder.path().join("broker.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = *store.key().expose();
    store.close().await;
    let store = Store::open(&url(&folder)).await.unwrap();
    assert_eq!(*store.key().expose(), key);
    let groups: Vec<_> = store.user(&ada()).await.unwrap().unwrap().groups.iter().map(ToString::to_string).collect();
    assert_eq!(groups, ["dev", "web"]);
    assert!(matches!(store.add_user(&ada(), &[], "hash", NOW).await, Err(StoreError::Exists(_))));
    assert!(matches!(Store::open("mysql://x/y").await, Err(StoreError::Address)));
}

#[tokio::test]
async fn locks_outlive_the_broker_until_they_end() {
    let (folder, store) = store().await;
    let lock = |target, until| Lock {
        id: LockId::random(),
        target,
        reason: Some("why".into()),
        made_at: NOW,
        until,
        by: "operator (uid 0)".into(),
    };
    let (brief, long) = (lock(LockTarget::Login("root".parse().unwrap()), Some(NOW + 60)), lock(LockTarget::Everything, None));
    for lock in [&brief, &long] {
        store.add_lock(lock).await.unwrap();
    }
    store.close().await;
    let store = Store::open(&url(&folder)).await.unwrap();
    let locks = store.locks(NOW + 59).await.unwrap();
    assert!(locks.len() == 2 && locks.contains(&brief) && locks.contains(&long), "{locks:?}");
    let left = store.locks(NOW + 60).await.unwrap();
    assert!(matches!(&left[..], [only] if *only == long), "{left:?}");
    store.prune(NOW + 61).await.unwrap();
    assert!(!store.remove_lock(&brief.id).await.unwrap() && store.remove_lock(&long.id).await.unwrap());
    assert!(store.locks(NOW).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let (folder, store) = store().await;
    sqlx::query("UPDATE schema_version SET version = 99").execute(&store.pool).await.unwrap();
    assert!(matches!(Store::open(&url(&folder)).await, Err(StoreError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn an_access_token_ends_with_its_time_its_login_and_its_person() {
    let (_folder, store) = with_ada().await;
    store.start_login(&login("one"), &tokens(1, 2)).await.unwrap();
    let bearer = store.access(&[1; 32], NOW).await.unwrap().unwrap();
    assert_eq!((bearer.user, bearer.groups.len(), bearer.login.as_deref()), (ada(), 2, Some("one")));
    assert!(store.access(&[1; 32], NOW + 600).await.unwrap().is_none());
    assert!(store.access(&[2; 32], NOW).await.unwrap().is_none());
    assert_eq!(store.end_login(&[2; 32]).await.unwrap().as_deref(), Some("ada@local"));
    assert!(store.access(&[1; 32], NOW).await.unwrap().is_none());
    store.start_login(&login("two"), &tokens(3, 4)).await.unwrap();
    assert!(store.remove_user(&ada()).await.unwrap());
    assert!(store.access(&[3; 32], NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn a_refresh_token_is_replaced_once_and_a_late_reuse_ends_the_login() {
    let (_folder, store) = with_ada().await;
    store.start_login(&login("one"), &tokens(1, 2)).await.unwrap();
    let fresh = Rotation::Fresh { login_expires_at: NOW + 1000 };
    let (left, right) = (tokens(10, 3), tokens(11, 3));
    let both = tokio::join!(store.rotate(&[2; 32], &left, NOW, 30), store.rotate(&[2; 32], &right, NOW, 30));
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (fresh.clone(), fresh.clone()));
    assert_eq!(store.rotate(&[2; 32], &tokens(12, 3), NOW + 30, 30).await.unwrap(), fresh);
    assert!(store.access(&[12; 32], NOW).await.unwrap().is_some());
    let late = store.rotate(&[2; 32], &tokens(13, 3), NOW + 31, 30).await.unwrap();
    assert_eq!(late, Rotation::Reused { user: "ada@local".to_owned() });
    assert!(store.access(&[10; 32], NOW).await.unwrap().is_none());
    assert_eq!(store.rotate(&[3; 32], &tokens(14, 5), NOW, 30).await.unwrap(), Rotation::Unknown);
}

#[tokio::test]
async fn a_join_token_counts_agents_not_attempts() {
    let (_folder, store) = store().await;
    let token = JoinToken {
        id: "j".to_owned(),
        secret_hash: [7; 32],
        uses_left: 1,
        expires_at: NOW + 60,
        asserts: Assertions { cluster: Some("prod".to_owned()), ..Assertions::default() },
        created_at: NOW,
    };
    store.add_join_token(token).await.unwrap();
    let (one, two) = (AgentId::of_key(b"one"), AgentId::of_key(b"two"));
    assert!(matches!(store.enrol_agent([8; 32], one, "key", "a", NOW).await, Err(EnrolError::Unknown)));
    assert!(matches!(store.enrol_agent([7; 32], one, "key", "a", NOW + 60).await, Err(EnrolError::Expired)));
    let enrolled = store.enrol_agent([7; 32], one, "key", "a", NOW).await.unwrap();
    assert_eq!(enrolled.asserts.cluster.as_deref(), Some("prod"));
    assert_eq!(store.enrol_agent([7; 32], one, "key", "a", NOW).await.unwrap(), enrolled);
    assert!(matches!(store.enrol_agent([7; 32], two, "key", "b", NOW).await, Err(EnrolError::UsedUp)));
    assert!(store.remove_agent(one).await.unwrap() && store.agent(one).await.unwrap().is_none());
    assert!(store.remove_token("j").await.unwrap() && store.tokens().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_known_agent_takes_no_use() {
    let (_folder, store) = store().await;
    let (hash, agent) = ([7; 32], AgentId::of_key(b"one"));
    let token = |uses_left| JoinToken {
        id: "j".to_owned(),
        secret_hash: hash,
        uses_left,
        expires_at: NOW + 60,
        asserts: Assertions::default(),
        created_at: NOW,
    };
    store.add_join_token(token(5)).await.unwrap();
    for _ in 0..3 {
        store.enrol_agent(hash, agent, "key", "a", NOW).await.unwrap();
    }
    assert_eq!(store.tokens().await.unwrap()[0].uses_left, Some(4));
}

#[tokio::test]
async fn a_user_token_keeps_its_limits() {
    let (_folder, store) = with_ada().await;
    let token = UserToken {
        id: "u".to_owned(),
        hash: [9; 32],
        user: ada(),
        expires_at: NOW + 60,
        actions: [Action::Exec].into_iter().collect(),
        containers: vec!["web-*".to_owned(), "db".to_owned()],
        created_at: NOW,
    };
    store.add_user_token(token).await.unwrap();
    let bearer = store.user_token(&[9; 32], NOW).await.unwrap().unwrap();
    let (actions, containers) = bearer.scope.unwrap();
    assert_eq!((actions.to_string().as_str(), containers.join(" ").as_str()), ("exec", "web-* db"));
    assert!(store.user_token(&[9; 32], NOW + 60).await.unwrap().is_none());
}

#[tokio::test]
async fn a_code_that_is_used_twice_ends_what_it_began() {
    let (_folder, store) = with_ada().await;
    let code = AuthorizationCode {
        hash: [5; 32],
        person: Person::local(ada()),
        redirect: "r".to_owned(),
        challenge: "c".to_owned(),
        key: "k".to_owned(),
        expires_at: NOW + 60,
    };
    store.add_authorization_code(&code).await.unwrap();
    assert_eq!(store.authorization_code(&[5; 32], "r", "c", NOW).await.unwrap(), Some((Person::local(ada()), "k".to_owned())));
    assert_eq!(store.authorization_code(&[5; 32], "r", "other", NOW).await.unwrap(), None);
    assert_eq!(store.authorization_code(&[5; 32], "r", "c", NOW + 60).await.unwrap(), None);
    assert_eq!(store.redeem(&[5; 32], &login("one"), &tokens(1, 2)).await.unwrap(), Redeemed::Started);
    assert_eq!(store.redeem(&[5; 32], &login("two"), &tokens(3, 4)).await.unwrap(), Redeemed::Reused);
    assert!(store.access(&[1; 32], NOW).await.unwrap().is_none());
    assert_eq!(store.redeem(&[6; 32], &login("three"), &tokens(3, 4)).await.unwrap(), Redeemed::Invalid);
}

#[tokio::test]
async fn a_device_that_the_old_password_approved_does_not_outlive_it() {
    let (_folder, store) = with_ada().await;
    let device = DeviceRequest {
        hash: [1; 32],
        user_code: "A".to_owned(),
        address: "192.0.2.1".to_owned(),
        expires_at: NOW + 100,
        interval: 5,
        again: false,
    };
    store.add_device(&device, NOW).await.unwrap();
    assert!(store.answer_device("A", Some(&Person::local(ada())), NOW).await.unwrap());
    assert!(store.set_password(&ada(), "another hash").await.unwrap());
    assert_eq!(store.poll_device(&[1; 32], NOW + 6).await.unwrap(), DevicePoll::Unknown);
}

#[tokio::test]
async fn a_device_hears_what_was_decided_once() {
    let (_folder, store) = with_ada().await;
    let device = |hash, code: &str| DeviceRequest {
        hash: [hash; 32],
        user_code: code.to_owned(),
        address: "192.0.2.1".to_owned(),
        expires_at: NOW + 100,
        interval: 5,
        again: false,
    };
    store.add_device(&device(1, "A"), NOW).await.unwrap();
    assert!(matches!(store.add_device(&device(2, "A"), NOW).await, Err(StoreError::Exists(_))));
    assert_eq!(store.poll_device(&[1; 32], NOW).await.unwrap(), DevicePoll::Pending);
    assert_eq!(store.poll_device(&[1; 32], NOW + 1).await.unwrap(), DevicePoll::SlowDown);
    assert_eq!(store.poll_device(&[1; 32], NOW + 7).await.unwrap(), DevicePoll::SlowDown);
    assert_eq!(store.poll_device(&[1; 32], NOW + 22).await.unwrap(), DevicePoll::Pending);
    assert_eq!(store.device_waiting("A", NOW).await.unwrap().as_deref(), Some("192.0.2.1"));
    assert!(store.answer_device("A", Some(&Person::local(ada())), NOW).await.unwrap());
    assert!(!store.answer_device("A", None, NOW).await.unwrap());
    assert_eq!(store.poll_device(&[1; 32], NOW + 22).await.unwrap(), DevicePoll::Approved(Person::local(ada())));
    assert_eq!(store.poll_device(&[1; 32], NOW + 22).await.unwrap(), DevicePoll::Unknown);
    store.add_device(&device(3, "B"), NOW).await.unwrap();
    assert!(store.answer_device("B", None, NOW).await.unwrap());
    assert_eq!(store.poll_device(&[3; 32], NOW).await.unwrap(), DevicePoll::Denied);
    store.add_device(&device(4, "C"), NOW).await.unwrap();
    assert_eq!(store.poll_device(&[4; 32], NOW + 100).await.unwrap(), DevicePoll::Expired);
}

const NOW: u64 = 1_000_000;

#[tokio::test]
async fn people_of_other_providers_are_nobody_of_ours() {
    let (_folder, store) = with_ada().await;
    let groups = Some(vec!["sre".parse().unwrap()]);
    let theirs = Person { idp: "corp".into(), groups, mfa_at: Some(NOW), ..Person::local(ada()) };
    let login = Started { person: theirs, ..login("theirs") };
    store.start_login(&login, &tokens(1, 2)).await.unwrap();
    let bearer = store.access(&[1; 32], NOW).await.unwrap().unwrap();
    assert_eq!((bearer.idp.as_str(), bearer.groups, bearer.mfa_at), ("corp", vec!["sre".parse().unwrap()], Some(NOW)));
    // Ours of the same name goes, and theirs stays.
    assert!(store.remove_user(&ada()).await.unwrap());
    assert!(store.access(&[1; 32], NOW).await.unwrap().is_some());
    let gone = Started { id: "gone".into(), person: Person::local(ada()), ..login };
    assert!(store.start_login(&gone, &tokens(3, 4)).await.is_err());
    assert_eq!(store.end_login(&[2; 32]).await.unwrap().as_deref(), Some("ada@corp"));
}
