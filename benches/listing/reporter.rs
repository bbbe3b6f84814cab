//! An agent that only reports, and a client that only asks: no more than the protocol needs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, UPGRADE};
use hyper_util::rt::TokioIo;
use tokio::io::{ReadHalf, WriteHalf};
use ztctl::clock::Clock;
use ztctl::proto::agent::{Answer, Challenge, ContainerReport, FRAME_LIMIT, FromAgent, FromBroker, HELLO_LIMIT, Hello, Kind};
use ztctl::proto::frame::{self, FrameReader};
use ztctl::proto::join::JoinToken;
use ztctl::proto::version::{AGENT_UPGRADE, PROTOCOL};
use ztctl::ssh::{new_key, proof, public_line};
use ztctl::transport::tls::Roots;

type Stream = TokioIo<hyper::upgrade::Upgraded>;

pub struct Reporter {
    writer: WriteHalf<Stream>,
    reader: FrameReader<ReadHalf<Stream>>,
}

impl Reporter {
    pub async fn join(address: SocketAddr, roots: &Roots, token: &JoinToken) -> Self {
        let mut sender = connect(address, roots).await;
        let request = Request::get(Kind::Control.path())
            .header(HOST, address.to_string())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, AGENT_UPGRADE)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let upgraded = hyper::upgrade::on(sender.send_request(request).await.unwrap()).await.unwrap();
        let (reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
        let (mut reader, key) = (FrameReader::new(reader, FRAME_LIMIT), new_key().unwrap());
        let challenge: Challenge = reader.next().await.unwrap();
        let hello = Hello {
            protocol: PROTOCOL,
            version: "0".into(),
            public_key: public_line(key.public_key()).unwrap(),
            signature: proof::sign(&key, Kind::Control, &challenge.nonce).unwrap(),
            name: "node".into(),
            time: Clock::system().now(),
            join: Some(token.secret.clone()),
            workload: None,
            ca: None,
        };
        frame::write(&mut writer, &hello, HELLO_LIMIT).await.unwrap();
        assert!(matches!(reader.next().await.unwrap(), Answer::Welcome { .. }));
        Self { writer, reader }
    }

    /// All that it serves, in parts that fit a frame.
    pub async fn report(&mut self, reports: Vec<ContainerReport>) {
        let parts = reports.chunks(100).count();
        for (number, part) in reports.chunks(100).enumerate() {
            let snapshot = FromAgent::Snapshot { containers: part.to_vec(), more: number + 1 < parts };
            frame::write(&mut self.writer, &snapshot, FRAME_LIMIT).await.unwrap();
        }
    }

    /// Answers pings until the broker ends.
    pub async fn stay(mut self) {
        while let Ok(message) = self.reader.next::<FromBroker>().await {
            if let FromBroker::Ping = message {
                let pong = FromAgent::Pong { time: Clock::system().now() };
                frame::write(&mut self.writer, &pong, FRAME_LIMIT).await.unwrap();
            }
        }
    }
}

/// How long the broker takes for the list, on a connection that is there, and how many bytes it has.
pub async fn answers(address: SocketAddr, roots: &Roots, token: &str, count: usize) -> (Vec<Duration>, usize) {
    let (mut sender, mut times, mut bytes) = (connect(address, roots).await, Vec::new(), 0);
    for _ in 0..count {
        let request = Request::get("/v1/containers")
            .header(HOST, address.to_string())
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::<Bytes>::new())
            .unwrap();
        sender.ready().await.unwrap();
        let start = Instant::now();
        let answer = sender.send_request(request).await.unwrap();
        assert!(answer.status().is_success());
        bytes = answer.into_body().collect().await.unwrap().to_bytes().len();
        times.push(start.elapsed());
    }
    (times, bytes)
}

async fn connect(address: SocketAddr, roots: &Roots) -> SendRequest<Empty<Bytes>> {
    let tls = tokio_rustls::TlsConnector::from(std::sync::Arc::new(roots.client_config().unwrap()));
    let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let stream = tls.connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}
