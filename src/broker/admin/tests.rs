//! A running broker, asked through its socket as `ztbroker` asks.

mod audited;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::{Client, ClientError};
use super::wire::{AddUser, MadeToken, PoliciesLoaded};
use super::{Admin, AgentRow, AuditRecord, JoinTokenSpec, LockSpec, LockWish, MadeLock, TokenRow, UserRow, UserTokenSpec};
use crate::broker::audit::Event;
use crate::broker::enrolment::Assertions;
use crate::broker::locks::Lock;
use crate::broker::{Broker, Config};
use crate::clock::Clock;
use crate::proto::ErrorCode;
use crate::proto::join::JoinToken;

struct Running {
    folder: TempDir,
    admin: Admin,
    client: Client,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (state, policy) = (folder.path().join("state"), folder.path().join("policy.cedar"));
        std::fs::write(&policy, "@id(\"all\") permit (principal, action, resource);").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = Config::dev(state.clone(), listener.local_addr().unwrap(), policy);
        let broker = Broker::open(config, Clock::from_fn(|| 1_800_000_000)).await.unwrap();
        let (admin, stop) = (broker.admin(), CancellationToken::new());
        let serving = broker.serve(listener, stop.clone());
        let served = tokio::spawn(async move { serving.await.unwrap() });
        let running = Self { folder, admin, client: Client::new(&state), stop, served };
        tokio::time::timeout(Duration::from_secs(10), async {
            while !running.socket().exists() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        running
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("state/admin.sock")
    }

    async fn add(&self, name: &str) -> Result<(), ClientError> {
        let groups = vec!["developers".parse().unwrap()];
        let body = AddUser { name: name.parse().unwrap(), groups, password: "correct horse".to_owned().into() };
        self.client.tell("/users", &body).await
    }

    async fn events(&self) -> Vec<Event> {
        let records: Vec<AuditRecord> = self.client.get("/audit?limit=100").await.unwrap();
        records.into_iter().map(|record| record.event).collect()
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.served).await.unwrap().unwrap();
    }
}

fn refused(result: Result<(), ClientError>) -> ErrorCode {
    match result {
        Err(ClientError::Refused(body)) => body.code,
        other => panic!("{other:?}"),
    }
}

fn operator() -> String {
    format!("operator (uid {})", rustix::process::geteuid().as_raw())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_come_and_go_and_the_journal_says_by_whom() {
    let broker = Running::start().await;
    assert_eq!(broker.socket().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    broker.add("ada").await.unwrap();
    assert_eq!(refused(broker.add("ada").await), ErrorCode::InvalidRequest);
    let users: Vec<UserRow> = broker.client.get("/users").await.unwrap();
    assert_eq!((users[0].name.as_str(), users[0].groups[0].as_str()), ("ada", "developers"));
    broker.client.delete("/users/ada").await.unwrap();
    assert_eq!(refused(broker.client.delete("/users/ada").await), ErrorCode::NotFound);
    let events = broker.events().await;
    assert!(events.contains(&Event::UserAdded { user: "ada".into(), groups: vec!["developers".into()], by: operator() }));
    assert!(events.contains(&Event::UserRemoved { user: "ada".into(), by: operator() }));
    assert_eq!(events.iter().filter(|event| matches!(event, Event::UserAdded { .. })).count(), 1, "a refusal changes nothing");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_shown_once_and_listed_without_secrets() {
    let broker = Running::start().await;
    broker.add("ci").await.unwrap();
    let ttl = Duration::from_secs(60);
    let spec = JoinTokenSpec { uses: 2, ttl, asserts: Assertions { cluster: Some("prod".into()), ..Assertions::default() } };
    let made: MadeToken = broker.client.post("/tokens/join", &spec).await.unwrap();
    let token: JoinToken = made.token.expose().parse().unwrap();
    assert!(token.broker.starts_with("https://127.0.0.1:") && token.tls_root.is_some());
    let spec = UserTokenSpec { user: "ci".parse().unwrap(), ttl, actions: None, containers: vec!["web-*".into()] };
    let made: MadeToken = broker.client.post("/tokens/user", &spec).await.unwrap();
    assert!(made.token.expose().starts_with("ztu_"));
    let unknown = UserTokenSpec { user: "nobody".parse().unwrap(), ..spec };
    assert_eq!(refused(broker.client.tell("/tokens/user", &unknown).await), ErrorCode::NotFound);
    let endless = JoinTokenSpec { uses: 0, ttl, asserts: Assertions::default() };
    assert_eq!(refused(broker.client.tell("/tokens/join", &endless).await), ErrorCode::InvalidRequest);
    let tokens: Vec<TokenRow> = broker.client.get("/tokens").await.unwrap();
    let join = tokens.iter().find(|token| token.kind == "join").unwrap();
    assert_eq!((tokens.len(), join.uses_left, join.expires_at), (2, Some(2), 1_800_000_060));
    broker.client.delete(&format!("/tokens/{}", join.id)).await.unwrap();
    assert_eq!(refused(broker.client.delete(&format!("/tokens/{}", join.id)).await), ErrorCode::NotFound);
    let journal = format!("{:?}", broker.events().await);
    assert!(journal.contains("cluster prod") && !journal.contains(token.secret.expose()));
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_made_listed_and_removed() {
    let broker = Running::start().await;
    broker.add("ada").await.unwrap();
    let wish = LockWish::User("ada".parse().unwrap());
    let spec = LockSpec { wish, lasts: Some(Duration::from_secs(60)), until: None, reason: Some(" incident ".into()) };
    let made: MadeLock = broker.client.post("/locks", &spec).await.unwrap();
    assert_eq!((made.ended, made.lock.target.to_string().as_str()), (0, "user ada@local"));
    assert_eq!((made.lock.until, made.lock.reason.as_deref()), (Some(1_800_000_060), Some("incident")));
    let listed: Vec<Lock> = broker.client.get("/locks").await.unwrap();
    assert!(matches!(&listed[..], [only] if *only == made.lock), "{listed:?}");
    for spec in [
        LockSpec { until: Some(2_000_000_000), ..spec.clone() },
        LockSpec { reason: Some("two\nlines".into()), ..spec.clone() },
        LockSpec { lasts: Some(Duration::ZERO), ..spec.clone() },
    ] {
        assert_eq!(refused(broker.client.tell("/locks", &spec).await), ErrorCode::InvalidRequest);
    }
    broker.client.delete(&format!("/locks/{}", made.lock.id)).await.unwrap();
    assert_eq!(refused(broker.client.delete(&format!("/locks/{}", made.lock.id)).await), ErrorCode::NotFound);
    let (lock, target, by) = (made.lock.id.to_string(), "user ada@local".to_owned(), operator());
    let removed = Event::LockRemoved { lock: lock.clone(), target: target.clone(), by: by.clone() };
    let added = Event::LockAdded { lock, target, reason: Some("incident".into()), until: Some(1_800_000_060), by };
    let events = broker.events().await;
    assert!(events.contains(&added) && events.contains(&removed), "{events:?}");
    assert_eq!(added.user(), Some("ada@local"));
    broker.stop().await;
}

/// Names may be addresses: a lock is on whom the directory has under the whole of it, else on somebody of a provider that there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_on_the_person_who_is_meant_or_on_nobody() {
    let broker = Running::start().await;
    for name in ["joe@example.com", "joe"] {
        broker.add(name).await.unwrap();
    }
    let lock = async |user: &str| {
        let spec = LockSpec { wish: LockWish::User(user.parse().unwrap()), lasts: None, until: None, reason: None };
        broker.client.post::<MadeLock>("/locks", &spec).await.map(|made| made.lock.target.to_string())
    };
    assert_eq!(lock("joe@example.com").await.unwrap(), "user joe@example.com@local");
    assert_eq!(lock("joe@example.com@local").await.unwrap(), "user joe@example.com@local");
    assert_eq!(lock("joe@local").await.unwrap(), "user joe@local");
    for nobody in ["jo", "zoe@nosuch", "zoe@local", "joe@example.com@nosuch"] {
        let error = lock(nobody).await.unwrap_err();
        assert!(matches!(&error, ClientError::Refused(body) if body.code == ErrorCode::NotFound), "{nobody}: {error}");
    }
    let error = broker.add("ada@local").await.unwrap_err();
    assert!(error.to_string().contains("does not end in @local"), "{error}");
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_with_a_mistake_changes_nothing() {
    let broker = Running::start().await;
    let loaded: PoliciesLoaded = broker.client.post("/policy/reload", &serde_json::json!({})).await.unwrap();
    assert_eq!(loaded.policies, ["all"]);
    std::fs::write(broker.folder.path().join("policy.cedar"), "permit (principal, action").unwrap();
    assert_eq!(refused(broker.client.tell("/policy/reload", &serde_json::json!({})).await), ErrorCode::InvalidRequest);
    assert!(matches!(broker.events().await.last(), Some(Event::PolicyRefused { .. })));
    let agents: Vec<AgentRow> = broker.client.get("/agents").await.unwrap();
    assert!(agents.is_empty());
    broker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_shows_what_comes_and_ends_with_the_broker() {
    let broker = Running::start().await;
    let (client, (seen, mut events)) = (broker.client.clone(), tokio::sync::mpsc::unbounded_channel());
    let following =
        tokio::spawn(async move { client.follow("/audit/follow?user=ada", |record| seen.send(record.event).is_ok()).await });
    // A follower sees what comes after it has begun: each round adds somebody until it has.
    let event = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            broker.add("ada").await.unwrap();
            if let Ok(event) = tokio::time::timeout(Duration::from_millis(200), events.recv()).await {
                return event.unwrap();
            }
            broker.client.delete("/users/ada").await.unwrap();
        }
    });
    assert_eq!(event.await.unwrap().user(), Some("ada"));
    broker.stop().await;
    // A broker that ends may cut the stream in the middle; the follower ends either way.
    let _ = tokio::time::timeout(Duration::from_secs(10), following).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let answer: Result<Vec<UserRow>, ClientError> = Client::new(folder.path()).get("/users").await;
    assert!(matches!(answer, Err(ClientError::NotRunning(_))));
}
