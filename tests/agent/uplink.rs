//! The way to the broker: what strips upgrades on it, and what breaks.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use ztctl::agent::{Agent, AgentConfig, Connector, Description, Join, Pin, ProcessConnector, ProxySettings};
use ztctl::clock::Clock;
use ztctl::proto::agent::{Answer, Challenge, FRAME_LIMIT, FromAgent, HELLO_LIMIT, Hello};
use ztctl::proto::ca::CaSet;
use ztctl::proto::frame::{self, FrameReader};
use ztctl::proto::{AgentId, ErrorBody, ErrorCode};
use ztctl::ssh::{new_key, public_line};
use ztctl::transport::tls::Roots;
use ztctl::transport::websocket::{WebSocketBytes, derive_accept_key};

struct Broker {
    listener: TcpListener,
    ca: CaSet,
}

impl Broker {
    async fn new() -> (Self, CancellationToken) {
        let line = public_line(new_key().unwrap().public_key()).unwrap();
        let ca = CaSet { user: vec![line.clone()], host: vec![line] };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = AgentConfig {
            broker: format!("http://{}", listener.local_addr().unwrap()).parse().unwrap(),
            roots: Roots::Pem(Vec::new()),
            ca: Pin::from(ca.clone()),
            join: Join::Key,
            key: new_key().unwrap(),
            name: "agent".into(),
            trampoline: "/none".into(),
            proxy: ProxySettings::none(),
            clock: Clock::system(),
            notes: None,
        };
        let description = Description { runtime_id: "here".into(), ..Default::default() };
        let connector = Connector::process(ProcessConnector::new(description, std::iter::empty()));
        let shutdown = CancellationToken::new();
        tokio::spawn(Agent::new(config, connector).run(shutdown.clone()));
        (Self { listener, ca }, shutdown)
    }

    /// The next request's head, in lower case, and its connection.
    async fn request(&self) -> (String, TcpStream) {
        let (mut stream, _) =
            timeout(Duration::from_secs(5), self.listener.accept()).await.expect("the agent comes back").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (String::from_utf8(head).unwrap(), stream)
    }

    async fn greet<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) -> FrameReader<S> {
        let challenge = Challenge { protocol: 1, nonce: "00".repeat(32), time: 0 };
        frame::write(&mut stream, &challenge, HELLO_LIMIT).await.unwrap();
        let mut reader = FrameReader::new(stream, HELLO_LIMIT);
        let _: Hello = reader.next().await.unwrap();
        let mut stream = reader.into_inner();
        let welcome =
            Answer::Welcome { agent: AgentId::random(), name: "agent".into(), ca: self.ca.clone(), chain: None, protocol: 1 };
        frame::write(&mut stream, &welcome, HELLO_LIMIT).await.unwrap();
        FrameReader::new(stream, FRAME_LIMIT)
    }
}

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ztctl-agent/1\r\n\r\n";

#[tokio::test]
async fn a_stripped_upgrade_becomes_a_websocket_and_stays_one() {
    let (broker, _shutdown) = Broker::new().await;
    let (head, mut stream) = broker.request().await;
    assert!(head.contains("ztctl-agent/1"), "{head}");
    let body = serde_json::to_string(&ErrorBody::new(ErrorCode::UpgradeRequired, "try WebSocket")).unwrap();
    let refusal = format!("HTTP/1.1 426 Upgrade Required\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(refusal.as_bytes()).await.unwrap();
    for kind in ["control", "data"] {
        let (head, mut stream) = broker.request().await;
        assert!(head.starts_with(&format!("GET /v1/agent/{kind} ")) && head.contains("ztctl.v1"), "{head}");
        let key = head
            .lines()
            .find_map(|line| line.to_lowercase().starts_with("sec-websocket-key:").then(|| line[18..].trim().to_owned()));
        let accept = derive_accept_key(key.unwrap().as_bytes());
        let switch = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        stream.write_all(switch.as_bytes()).await.unwrap();
        let mut reader = broker.greet(WebSocketBytes::server(stream).await).await;
        if kind == "control" {
            let snapshot: FromAgent = reader.next().await.unwrap();
            assert!(matches!(snapshot, FromAgent::Snapshot { containers, .. } if containers.len() == 1));
            std::mem::forget(reader);
        }
    }
}

#[tokio::test]
async fn a_lost_broker_is_back_within_seconds_and_a_leaving_agent_says_so() {
    let (broker, shutdown) = Broker::new().await;
    for _ in 0..2 {
        let (head, mut stream) = broker.request().await;
        if !head.starts_with("GET /v1/agent/control ") {
            continue;
        }
        stream.write_all(SWITCH).await.unwrap();
        let mut reader = broker.greet(stream).await;
        let _: FromAgent = reader.next().await.unwrap();
    }
    loop {
        let (head, mut stream) = broker.request().await;
        if head.starts_with("GET /v1/agent/control ") {
            stream.write_all(SWITCH).await.unwrap();
            let mut reader = broker.greet(stream).await;
            let snapshot: FromAgent = reader.next().await.unwrap();
            assert!(matches!(snapshot, FromAgent::Snapshot { .. }));
            shutdown.cancel();
            let leaving: FromAgent = reader.next_within(Duration::from_secs(1)).await.unwrap();
            assert!(matches!(leaving, FromAgent::Remove { runtime_id } if runtime_id == "here"));
            return;
        }
    }
}
