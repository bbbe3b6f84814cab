//! Agents that lie: a real broker, and somebody with a valid enrolment who says more than is true; and tokens in the wrong hands.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use ztctl::broker::enrolment::Assertions;
use ztctl::broker::{AuditQuery, JoinTokenSpec};
use ztctl::clock::Clock;
use ztctl::proto::agent::{
    Answer, Capabilities, Challenge, ContainerReport, FRAME_LIMIT, Facts, FromAgent, HELLO_LIMIT, Hello, Kind,
};
use ztctl::proto::frame::{self, FrameReader};
use ztctl::proto::join::JoinToken;
use ztctl::proto::version::{AGENT_UPGRADE, PROTOCOL};
use ztctl::proto::{Action, ErrorBody, ErrorCode};
use ztctl::ssh::{PrivateKey, new_key, proof, public_line};

use crate::world::{Person, World};

type Stream = TokioIo<hyper::upgrade::Upgraded>;

/// Somebody who speaks the agent's protocol and says what it likes.
pub struct Impostor {
    writer: WriteHalf<Stream>,
    reader: FrameReader<ReadHalf<Stream>>,
}

impl Impostor {
    /// Joins with a new key.
    pub async fn join(world: &World, token: &JoinToken) -> Result<Self, ErrorBody> {
        Self::enter(world, token, &new_key().unwrap()).await
    }

    async fn enter(world: &World, token: &JoinToken, key: &PrivateKey) -> Result<Self, ErrorBody> {
        let address = world.url.strip_prefix("https://").unwrap();
        let tls = tokio_rustls::TlsConnector::from(std::sync::Arc::new(world.roots().client_config().unwrap()));
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let stream = tls.connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let request = Request::get(Kind::Control.path())
            .header(HOST, address)
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, AGENT_UPGRADE)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let upgraded = hyper::upgrade::on(sender.send_request(request).await.unwrap()).await.unwrap();
        let (reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
        let mut reader = FrameReader::new(reader, FRAME_LIMIT);
        let challenge: Challenge = reader.next().await.unwrap();
        let hello = Hello {
            protocol: PROTOCOL,
            version: "0".into(),
            public_key: public_line(key.public_key()).unwrap(),
            signature: proof::sign(key, Kind::Control, &challenge.nonce).unwrap(),
            name: "impostor\u{1b}[2J".into(),
            time: Clock::system().now(),
            join: Some(token.secret.clone()),
            workload: None,
            ca: None,
        };
        frame::write(&mut writer, &hello, HELLO_LIMIT).await.unwrap();
        match reader.next().await.unwrap() {
            Answer::Welcome { .. } => Ok(Self { writer, reader }),
            Answer::Refused(body) => Err(body),
        }
    }

    /// Reports one container more.
    pub async fn claim(&mut self, container: ContainerReport) {
        let frame = FromAgent::Upsert { container: Box::new(container) };
        // Whoever is thrown out while it speaks notices later.
        let _ = frame::write(&mut self.writer, &frame, 16 * FRAME_LIMIT).await;
    }

    /// Whether the broker closes the connection now.
    async fn wait_thrown_out(mut self) -> bool {
        let closed = async { while self.reader.next::<serde_json::Value>().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(5), closed).await.is_ok()
    }
}

/// A container as an agent reports it.
pub fn report(app: &str, namespace: Option<&str>) -> ContainerReport {
    ContainerReport {
        runtime_id: app.into(),
        name: app.into(),
        app: app.into(),
        image: String::new(),
        location: "here".into(),
        runtime: "docker".into(),
        state: "running".into(),
        started_at: 1,
        labels: BTreeMap::new(),
        namespace: namespace.map(str::to_owned),
        instance: Some("ab".repeat(32)),
        facts: Facts::default(),
        capabilities: Capabilities::of([Action::List, Action::Shell]),
    }
}

async fn token(world: &World, uses: u32, ttl: u64, asserts: Assertions) -> JoinToken {
    let spec = JoinTokenSpec { uses, ttl: Duration::from_secs(ttl), asserts };
    world.admin.create_join_token(spec).await.unwrap().expose().parse().unwrap()
}

fn asserts(cluster: &str, namespace: &str) -> Assertions {
    Assertions { cluster: Some(cluster.into()), namespaces: vec![namespace.into()], runtime: Some("docker".into()) }
}

/// The apps that this person sees.
async fn apps(person: &Person) -> Vec<String> {
    let list = person.run(&["ls", "--output", "json"]).await.stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let mut apps: Vec<String> =
        list["containers"].as_array().unwrap().iter().map(|row| row["app"].as_str().unwrap().to_owned()).collect();
    apps.sort();
    apps
}

/// Waits until what was said last has been read, and this person sees `expected`.
async fn sees(person: &Person, expected: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = apps(person).await;
        if seen == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What agents have reported beyond their enrolments.
async fn oversteps(world: &World) -> Vec<String> {
    let records = world.admin.audit(AuditQuery::default()).await.unwrap();
    let events = records.iter().map(|record| serde_json::to_string(record).unwrap());
    events.filter(|event| event.contains("agent_overstepped")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_claims_nothing_beyond_its_enrolment() {
    let policy = r#"
        permit (principal, action, resource)
        when { resource has cluster && resource.cluster == "prod" && resource has namespace && resource.namespace == "shop" };
    "#;
    let world = World::with_policy(policy).await;
    let ada = world.person("ada", &[]).await;
    let mut honest = Impostor::join(&world, &token(&world, 1, 600, asserts("prod", "shop")).await).await.unwrap();
    honest.claim(report("honest", Some("shop"))).await;
    sees(&ada, &["honest"]).await;
    let before = ada.run(&["ls", "--output", "json"]).await.stdout;

    // Nothing asserted: whatever it calls its namespace, and its labels, it is in no cluster. It takes the container's own id, too.
    let mut stranger = Impostor::join(&world, &token(&world, 1, 600, Assertions::default()).await).await.unwrap();
    let mut claimed = report("honest", Some("shop"));
    claimed.labels = [("cluster", "prod"), ("namespace", "shop")].map(|(key, value)| (key.into(), value.into())).into();
    stranger.claim(claimed).await;
    // Another cluster's, another namespace's, another connector's.
    let mut other = Impostor::join(&world, &token(&world, 1, 600, asserts("test", "shop")).await).await.unwrap();
    other.claim(report("other", Some("shop"))).await;
    let mut same = Impostor::join(&world, &token(&world, 1, 600, asserts("prod", "bank")).await).await.unwrap();
    for namespace in ["shop", "*", "bank,shop", "shop\u{0}"] {
        same.claim(report(&format!("in-{namespace}"), Some(namespace))).await;
    }
    let machine = ContainerReport { runtime: "host".into(), ..report("machine", Some("bank")) };
    same.claim(machine).await;
    // Its last claim has been read by now; the others made theirs before it came.
    let deadline = Instant::now() + Duration::from_secs(20);
    let oversteps = loop {
        let oversteps = oversteps(&world).await;
        if oversteps.iter().any(|event| event.contains("host")) {
            break oversteps;
        }
        assert!(Instant::now() < deadline, "{oversteps:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(apps(&ada).await, ["honest"]);
    assert_eq!(ada.run(&["ls", "--output", "json"]).await.stdout, before, "the row is still the honest agent's");
    assert!(oversteps.iter().any(|event| event.contains("shop")), "{oversteps:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_says_is_harmless_and_bounded() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let mut evil = Impostor::join(&world, &world.join_token(1).await).await.unwrap();
    let mut container = report("web\u{1b}]0;title\u{7}", None);
    container.runtime_id = "id".into();
    container.name = "\u{202e}name\r\nforged".into();
    container.image = "\u{1b}[31mimage".into();
    container.location = "here\u{9b}2J".into();
    container.facts.health = Some("\u{1b}[8m".into());
    container.labels = [
        ("escape".to_owned(), "\u{1b}[2Jgone".to_owned()),
        ("long".to_owned(), "x".repeat(100_000)),
        ("fine".to_owned(), "yes".to_owned()),
    ]
    .into();
    evil.claim(container).await;
    assert_eq!(ada.names(1).await.len(), 1);
    for arguments in [&["ls"][..], &["ls", "--output", "json"], &["ls", "--output", "name"]] {
        let said = ada.run(arguments).await;
        let unfit = |letter: char| letter != '\n' && (letter.is_control() || ('\u{200b}'..='\u{202e}').contains(&letter));
        assert!(!said.stdout.contains(unfit) && said.stdout.len() < 4096, "{arguments:?}: {}", said.stdout.escape_debug());
        if arguments.contains(&"json") {
            let list: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!(list["containers"][0]["labels"], serde_json::json!({"fine": "yes"}), "a changed label could match");
        }
    }
    // A frame of a megabyte is not read, whatever is in it.
    let mut long = report("web", None);
    long.labels.insert("long".to_owned(), "x".repeat(1 << 20));
    evil.claim(long).await;
    assert!(evil.wait_thrown_out().await);
    ada.names(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_join_token_is_worth_what_is_left_of_it() {
    let world = World::start().await;
    let refused = async |token: &JoinToken| {
        let body = Impostor::join(&world, token).await.err().expect("it is let in");
        assert_eq!(body.code, ErrorCode::JoinRefused);
        body.message
    };
    // Used up; and whoever has joined comes back without it.
    let once = token(&world, 1, 600, Assertions::default()).await;
    let key = new_key().unwrap();
    drop(Impostor::enter(&world, &once, &key).await.unwrap());
    assert!(refused(&once).await.contains("used up"));
    Impostor::enter(&world, &once, &key).await.unwrap();
    // Expired.
    let short = token(&world, 5, 1, Assertions::default()).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert!(refused(&short).await.contains("expired"));
    // Revoked.
    let revoked = token(&world, 5, 600, Assertions::default()).await;
    for row in world.admin.tokens().await.unwrap() {
        world.admin.remove_token(&row.id.parse().unwrap()).await.unwrap();
    }
    assert!(refused(&revoked).await.contains("unknown"));
    // Guessed, and somebody else's.
    let mut guessed = once.clone();
    guessed.secret = "0".repeat(43).into();
    assert!(refused(&guessed).await.contains("unknown"));
    let elsewhere = World::start().await;
    assert!(refused(&elsewhere.join_token(1).await).await.contains("unknown"));
    // Its scope goes with it: who steals the token of one namespace is in that namespace.
    let scoped = token(&world, 1, 600, asserts("prod", "shop")).await;
    let mut thief = Impostor::join(&world, &scoped).await.unwrap();
    thief.claim(report("bank", Some("bank"))).await;
    thief.claim(report("shop", Some("shop"))).await;
    let ada = world.person("ada", &[]).await;
    sees(&ada, &["shop"]).await;
}
