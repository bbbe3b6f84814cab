//! A connect end to end over real sockets, against an agent and a client that are written out here frame by frame.

mod meanwhile;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::broker::admin::{JoinTokenSpec, LockSpec, LockWish, UserTokenSpec};
use crate::broker::audit::Query;
use crate::broker::enrolment::Assertions;
use crate::broker::{Broker, Config};
use crate::clock::Clock;
use crate::proto::agent::*;
use crate::proto::frame::{self, FrameReader};
use crate::proto::join::JoinToken;
use crate::proto::name::Account;
use crate::proto::{Action, Secret};
use crate::ssh::cert::host::HostCertificate;
use crate::ssh::cert::user::UserCertificate;
use crate::ssh::{Authorities, Certificate, PrivateKey, new_key, proof, public_line};

const NOW: u64 = 1_800_000_000;

const POLICY: &str = r#"
    @id("see") permit(principal, action == Action::"list", resource) unless { resource.app == "secret" };
    @id("enter") @max_session("1h") permit(principal in Group::"dev", action in [Action::"shell", Action::"exec"], resource);
    @id("why") @require("reason") permit(principal, action == Action::"exec", resource);
"#;

/// A broker that serves without TLS, a user with a token, and an agent's way in.
struct World {
    dir: tempfile::TempDir,
    state: Arc<State>,
    address: std::net::SocketAddr,
    token: Secret<String>,
    join: Secret<String>,
    shutdown: CancellationToken,
}

/// The agent's side of its connections.
struct Agent {
    key: PrivateKey,
    control: (FrameReader<OwnedReadHalf>, OwnedWriteHalf),
    parked: (FrameReader<OwnedReadHalf>, OwnedWriteHalf),
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = dir.path().join("policy.cedar");
        std::fs::write(&policy, POLICY).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config::dev(dir.path().join("state"), address, policy);
        let broker = Broker::open(config, Clock::from_fn(|| NOW)).await.unwrap();
        let (admin, state) = (broker.admin(), Arc::clone(&broker.state));
        let ada: Account = "ada".parse().unwrap();
        let password = Secret::new("a long enough password".to_owned());
        admin.add_user(&ada, &["dev".parse().unwrap()], password).await.unwrap();
        let ttl = Duration::from_secs(3600);
        let spec = UserTokenSpec { user: ada, ttl, actions: None, containers: Vec::new() };
        let token = admin.create_user_token(spec).await.unwrap();
        let spec = JoinTokenSpec { uses: 1, ttl, asserts: Assertions { cluster: Some("eu".into()), ..Assertions::default() } };
        let line = admin.create_join_token(spec).await.unwrap();
        let join = line.expose().parse::<JoinToken>().unwrap().secret;
        let shutdown = CancellationToken::new();
        let router = http::router(Arc::clone(&state));
        tokio::spawn(http::serve(listener, http::Door::plain(router), shutdown.clone()));
        Self { dir, state, address, token, join, shutdown }
    }

    /// Sends a GET with these headers; gives the status and the connection at the byte after the head.
    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (u16, TcpStream) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: broker\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), stream)
    }

    async fn connect(&self, request: &Value) -> (u16, TcpStream) {
        let asked = URL_SAFE_NO_PAD.encode(request.to_string());
        let bearer = format!("Bearer {}", self.token.expose());
        let headers =
            [("Connection", "Upgrade"), ("Upgrade", "ztctl/1"), ("Authorization", &bearer), ("Ztctl-Connect", &asked)];
        self.get("/v1/connect", &headers).await
    }

    /// Whose these headers of a connect are.
    async fn caller(&self, headers: &HeaderMap) -> Caller {
        let address = "192.0.2.1".parse().unwrap();
        let sent = Sent { method: "GET", path: "/v1/connect", headers, address, body: None };
        identity::authenticate(&self.state, &sent).await.unwrap()
    }

    async fn refused(&self, request: &Value) -> Value {
        let (status, mut stream) = self.connect(request).await;
        assert_ne!(status, 101);
        // The connection is kept: read as much as there is until the JSON is whole.
        let mut body = Vec::new();
        loop {
            assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0);
            if let Ok(body) = serde_json::from_slice(&body) {
                return body;
            }
        }
    }

    async fn open(&self, key: &PrivateKey, kind: Kind, time: u64) -> (FrameReader<OwnedReadHalf>, OwnedWriteHalf) {
        let (status, stream) = self.get(kind.path(), &[("Connection", "Upgrade"), ("Upgrade", "ztctl-agent/1")]).await;
        assert_eq!(status, 101);
        let (reader, mut writer) = stream.into_split();
        let mut reader = FrameReader::new(reader, FRAME_LIMIT);
        let challenge: Challenge = reader.next().await.unwrap();
        let hello = Hello {
            protocol: 1,
            version: "0".into(),
            public_key: public_line(key.public_key()).unwrap(),
            signature: proof::sign(key, kind, &challenge.nonce).unwrap(),
            name: "node-1".into(),
            time,
            workload: None,
            ca: None,
            join: (kind == Kind::Control).then(|| self.join.clone()),
        };
        frame::write(&mut writer, &hello, HELLO_LIMIT).await.unwrap();
        match reader.next().await.unwrap() {
            Answer::Welcome { ca, .. } => assert_eq!(ca, self.state.ca.set()),
            Answer::Refused(body) => panic!("{body}"),
        }
        (reader, writer)
    }

    /// An agent with two containers, one of which nobody may list.
    async fn agent(&self, time: u64) -> Agent {
        let key = new_key().unwrap();
        let mut control = self.open(&key, Kind::Control, time).await;
        let container = |app| ContainerReport {
            namespace: None,
            instance: None,
            facts: Facts::default(),
            capabilities: Capabilities::of(Action::ALL),
            ..crate::broker::registry::tests::report(app, app)
        };
        let snapshot = FromAgent::Snapshot { containers: vec![container("tomcat"), container("secret")], more: false };
        frame::write(&mut control.1, &snapshot, FRAME_LIMIT).await.unwrap();
        let parked = self.open(&key, Kind::Data, time).await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while self.state.registry.all().len() < 2 {
            assert!(tokio::time::Instant::now() < deadline, "the snapshot did not arrive");
            tokio::task::yield_now().await;
        }
        Agent { key, control, parked }
    }

    async fn events(&self) -> Vec<Event> {
        let records = self.state.journal.read(Query::default()).await.unwrap();
        records.into_iter().map(|record| record.event).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.state.agents.shut_down();
        let _ = &self.dir;
    }
}

fn request(key: &PrivateKey) -> Value {
    let key = public_line(key.public_key()).unwrap();
    json!({"as_typed": "tomcat", "login": "default", "public_key": key, "actions": ["shell"], "link": ["raw1"]})
}

async fn announced(agent: &mut Agent) -> Announcement {
    loop {
        match agent.control.0.next().await.unwrap() {
            FromBroker::Ping => {}
            FromBroker::Announce(announcement) => return announcement,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn one_round_trip_gives_a_certificate_and_a_link() {
    let world = World::new().await;
    let mut agent = world.agent(NOW).await;
    let client_key = new_key().unwrap();
    let (status, stream) = world.connect(&request(&client_key)).await;
    assert_eq!(status, 101);
    let mut reader = FrameReader::new(stream, 16 * 1024);
    let reply: ConnectReply = reader.next().await.unwrap();
    let announcement = announced(&mut agent).await;
    let header = match agent.parked.0.next().await.unwrap() {
        ToParked::Start(header) => header,
        ToParked::Ping => panic!("a ping"),
    };
    assert_eq!((announcement.session, header.session, announcement.deadline), (reply.session, reply.session, NOW + 3600));
    let users = Authorities::of_users(&world.state.ca.set()).unwrap();
    let certificate = Certificate::from_openssh(&reply.certificate).unwrap();
    let said = UserCertificate::check(&certificate, &users, "default", header.container, NOW).unwrap();
    assert_eq!((said.user.as_str(), said.session, said.deadline), ("ada@local", reply.session, NOW + 3600));
    let hosts = Authorities::of_hosts(&world.state.ca.set()).unwrap();
    let host = Certificate::from_openssh(&header.host_certificate).unwrap();
    let expected = HostCertificate { container: reply.host_principal, as_typed: "tomcat".parse().unwrap() };
    expected.check(&host, &hosts, NOW).unwrap();
    assert_eq!(host.public_key(), agent.key.public_key().key_data());

    frame::write(&mut agent.parked.1, &FromParked::Ready, FRAME_LIMIT).await.unwrap();
    agent.parked.1.write_all(b"SSH-2.0-agent").await.unwrap();
    let mut client = reader.into_inner();
    let mut greeting = [0; 13];
    client.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"SSH-2.0-agent");
    client.write_all(b"hello").await.unwrap();
    let mut link = agent.parked.0.into_inner();
    let mut hello = [0; 5];
    link.read_exact(&mut hello).await.unwrap();
    let ended = FromAgent::Ended { session: reply.session, outcome: Outcome::Exited { status: 3 } };
    frame::write(&mut agent.control.1, &ended, FRAME_LIMIT).await.unwrap();
    drop((client, link, agent.parked.1));
    world.state.sessions.drained(Duration::from_secs(20)).await;
    let events = world.events().await;
    let authorised = events.iter().find_map(|event| match event {
        Event::SessionAuthorised(authorised) => Some(authorised),
        _ => None,
    });
    assert_eq!(authorised.map(|authorised| authorised.serial), Some(certificate.serial()));
    let end = events.iter().find_map(|event| match event {
        Event::SessionEnded { outcome, bytes_in, bytes_out, .. } => Some((outcome.clone(), *bytes_in, *bytes_out)),
        _ => None,
    });
    assert_eq!(end, Some((Outcome::Exited { status: 3 }, 5, 13)));
}

#[tokio::test]
async fn refusals_say_what_is_wrong_and_sign_nothing() {
    let world = World::new().await;
    let _agent = world.agent(NOW).await;
    let key = new_key().unwrap();
    let with = |field: &str, value: Value| {
        let mut request = request(&key);
        request[field] = value;
        request
    };
    for (request, code) in [
        (with("as_typed", json!("nothing")), "not_found"),
        (with("as_typed", json!("secret")), "not_found"),
        (with("actions", json!(["exec"])), "reason_required"),
        (with("login", json!("root")), "unsupported"),
        (with("actions", json!(["list"])), "invalid_request"),
    ] {
        assert_eq!(world.refused(&request).await["code"], code, "{request}");
    }
    let absent = world.refused(&with("as_typed", json!("nothing"))).await["message"].to_string();
    let forbidden = world.refused(&with("as_typed", json!("secret"))).await["message"].to_string();
    assert_eq!(absent.replace("nothing", "secret"), forbidden);
    let bearer = format!("Bearer {}", world.token.expose());
    assert_eq!(world.get("/v1/connect", &[("Authorization", &bearer)]).await.0, 426);
    assert_eq!(world.get("/v1/connect", &[("Connection", "Upgrade"), ("Upgrade", "ztctl/1")]).await.0, 401);
    let events = world.events().await;
    assert!(!events.iter().any(|event| matches!(event, Event::SessionAuthorised(_))));
    assert!(events.iter().any(|event| matches!(event, Event::SessionDenied { code, .. } if code == "reason_required")));
}

#[tokio::test]
async fn whoever_was_refused_too_often_fills_no_journal() {
    let world = World::new().await;
    let _agent = world.agent(NOW).await;
    let mut forbidden = request(&new_key().unwrap());
    forbidden["actions"] = json!(["forward"]);
    assert_eq!(world.refused(&forbidden).await["code"], "denied");
    while world.state.limits.attempt(Limit::Denial, "ada@local", NOW).is_ok() {}
    let events = world.state.journal.read(Query::default()).await.unwrap().len();
    for _ in 0..3 {
        assert_eq!(world.refused(&forbidden).await["code"], "rate_limited");
    }
    assert_eq!(world.state.journal.read(Query::default()).await.unwrap().len(), events);
}

#[tokio::test]
async fn an_agent_with_a_wrong_clock_is_named() {
    let world = World::new().await;
    let _agent = world.agent(NOW + 300).await;
    let body = world.refused(&request(&new_key().unwrap())).await;
    assert_eq!(body["code"], "clock_skew");
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("node-1") && message.contains("300 seconds ahead"), "{message}");
}
