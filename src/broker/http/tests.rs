//! The frame as a client sees it: TLS by a pinned root, the same headers and refusals everywhere, an end in order.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::routing::post;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::*;
use crate::broker::{Broker, Config, OpenError, StateFolderError};
use crate::clock::Clock;
use crate::transport::tls::{RootFingerprint, Roots};

struct Served {
    folder: TempDir,
    port: u16,
    root: RootFingerprint,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Served {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        std::fs::write(folder.path().join("policy.cedar"), "permit (principal, action, resource);").unwrap();
        let broker = Broker::open(config(&folder, address.port()), Clock::system()).await.unwrap();
        let (root, stop) = (broker.tls_root_fingerprint().unwrap(), CancellationToken::new());
        let serve = broker.serve(listener, stop.clone());
        let task = tokio::spawn(async move { serve.await.unwrap() });
        Self { folder, port: address.port(), root, stop, task }
    }

    /// The whole answer to a request without a body.
    async fn ask(&self, line: &str) -> String {
        self.say(&format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")).await
    }

    /// Everything that is answered to `request`.
    async fn say(&self, request: &str) -> String {
        let config = Roots::Fingerprint(self.root).client_config().unwrap();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let exchange = async {
            let mut stream = connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await.unwrap();
            let mut answer = Vec::new();
            // What is too long is not read to its end.
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        };
        tokio::time::timeout(Duration::from_secs(20), exchange).await.expect("an answer in time")
    }
}

fn config(folder: &TempDir, port: u16) -> Config {
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    Config::dev(folder.path().join("state"), listen, folder.path().join("policy.cedar"))
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let served = Served::start().await;
    for (line, status) in [
        ("GET /healthz", "200"),
        ("GET /readyz", "200"),
        ("GET /v1/ca", "200"),
        ("GET /v1/whoami", "401"),
        ("GET /v1/containers", "401"),
        ("GET /v1/connect", "401"),
        ("GET /v1/agent/control", "426"),
        ("GET /nowhere", "404"),
        ("DELETE /v1/ca", "405"),
    ] {
        let answer = served.ask(line).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {answer}");
        let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
        for header in
            ["x-content-type-options: nosniff", "cache-control: no-store", "frame-ancestors 'none'", "max-age=31536000"]
        {
            assert!(head.contains(header), "{line}: {header} is missing: {answer}");
        }
    }
    assert!(served.ask("GET /nowhere").await.contains(r#""code":"not_found""#));
    assert!(served.ask("GET /v1/ca").await.contains("ssh-ed25519 "));
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    let served = Served::start().await;
    let answer = served.ask(&format!("GET /{}", "a".repeat(64 * 1024))).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn whatever_is_too_large_is_refused() {
    let served = Served::start().await;
    let many = (0..100).map(|number| format!("X-{number}: a\r\n")).collect::<String>();
    let long = "a".repeat(64 * 1024);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (what, request) in [
        ("many headers", format!("GET / HTTP/1.1\r\nHost: b\r\n{many}\r\n")),
        ("a long header", format!("GET /v1/whoami HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {long}\r\n\r\n")),
        (
            "a long connect request",
            format!("GET /v1/connect HTTP/1.1\r\nHost: b\r\nZtctl-Connect: {}\r\nConnection: close\r\n\r\n", &long[..20_000]),
        ),
        (
            "a long form",
            format!(
                "POST /oauth/token HTTP/1.1\r\nHost: b\r\n{form}Content-Length: 1000000\r\nConnection: close\r\n\r\n{long}"
            ),
        ),
        (
            "a form in endless pieces",
            format!(
                "POST /oauth/token HTTP/1.1\r\nHost: b\r\n{form}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n10000\r\n{long}\r\n"
            ),
        ),
        (
            "two lengths",
            format!("POST /oauth/token HTTP/1.1\r\nHost: b\r\n{form}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ),
        (
            "many parameters",
            format!("GET /oauth/authorize?{} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n", "a&".repeat(1000)),
        ),
    ] {
        let answer = served.say(&request).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
        assert!(!answer.contains(&long[..100]), "{what} is not repeated");
    }
    assert!(served.ask("GET /healthz").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn a_body_without_an_end_is_answered_in_time() {
    let router = Router::new().route("/", post(|_: Bytes| async { "read" })).layer(middleware::from_fn(in_time));
    let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>());
    let request = Request::post("/").body(body).unwrap();
    let answer = Service::call(&mut router.into_service(), request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_folder_is_free_again_after_an_end_in_order() {
    let served = Served::start().await;
    // An answer means that it serves, and so that the socket is there.
    served.ask("GET /healthz").await;
    let socket = served.folder.path().join("state/admin.sock");
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let second = Broker::open(config(&served.folder, served.port), Clock::system()).await;
    assert!(matches!(second.map(drop), Err(OpenError::State(StateFolderError::Taken { .. }))));
    // A client that asks for nothing does not hold the broker up.
    let idle = TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    served.stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), served.task).await.expect("the broker stops").unwrap();
    drop(idle);
    assert!(!socket.exists());
    let journal = std::fs::read_to_string(served.folder.path().join("state/audit/journal.jsonl")).unwrap();
    let last: Vec<&str> = journal.lines().rev().take(2).collect();
    assert!(last[0].contains("checkpoint") && last[1].contains("broker_stopped"), "the end is signed: {journal}");
    assert!(Broker::open(config(&served.folder, served.port), Clock::system()).await.is_ok());
}
