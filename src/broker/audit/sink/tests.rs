//! Sinks at a real journal: a file on the disk, a server on a port.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::*;
use crate::broker::audit::{Event, Inspection, Keys, Pace};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn clock() -> Clock {
    Clock::from_fn(|| 1_800_000_000)
}

fn journal(folder: &Path) -> Journal {
    Journal::open(folder, Pace { events: 10, seconds: 60 }, clock()).unwrap()
}

async fn write(journal: &Journal, count: usize) {
    for _ in 0..count {
        journal.append(Event::Logout { user: "ada@local".into() }).await.unwrap();
    }
}

/// Waits until `done`, for half a minute at most.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn file_sink(path: &Path) -> Sink {
    Sink { name: "file".into(), to: Destination::File(path.to_path_buf()) }
}

#[tokio::test]
async fn a_file_is_a_copy_of_the_journal_over_restarts_and_verifies_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, path) = (folder.path().join("audit"), folder.path().join("copy.jsonl"));
    let journal_file = dir.join("journal.jsonl");
    for round in 1..=3 {
        let journal = journal(&dir);
        let sinks = Sinks::new(&[file_sink(&path)], &dir).unwrap();
        let working = sinks.start(&journal, &clock());
        write(&journal, 600).await;
        working.finish(Duration::from_secs(20)).await;
        assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&journal_file).unwrap(), "round {round}");
        let [row] = sinks.rows(journal.durable().tip.seq).try_into().unwrap();
        assert_eq!((row.behind, row.error, row.to), (0, None, path.display().to_string()));
        let keys = Keys::parse(journal.signer().public_line()).unwrap();
        let report = Inspection::new(Some(&keys)).read(std::fs::read(&path).unwrap().as_slice()).unwrap();
        assert_eq!((report.last, report.faults), (journal.durable().tip.seq, vec![]));
    }
}

#[tokio::test]
async fn a_rotated_file_goes_on_in_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, path) = (folder.path().join("audit"), folder.path().join("copy.jsonl"));
    let journal = journal(&dir);
    let sinks = Sinks::new(&[file_sink(&path)], &dir).unwrap();
    let working = sinks.start(&journal, &clock());
    write(&journal, 5).await;
    until("five are delivered", || sinks.rows(5)[0].behind == 0).await;
    std::fs::rename(&path, path.with_extension("1")).unwrap();
    sinks.reopen();
    write(&journal, 3).await;
    working.finish(Duration::from_secs(20)).await;
    let both = [std::fs::read(path.with_extension("1")).unwrap(), std::fs::read(&path).unwrap()];
    assert_eq!(both.each_ref().map(|text| text.iter().filter(|byte| **byte == b'\n').count()), [5, 3]);
    let part = Inspection::of_part(None).read(both[1].as_slice()).unwrap();
    assert_eq!((part.first, part.last, part.faults), (6, 8, vec![]));
}

/// What a server got, and with which status it answers.
#[derive(Clone)]
struct Siem {
    taken: Arc<Mutex<Vec<u8>>>,
    status: Arc<Mutex<StatusCode>>,
}

impl Siem {
    fn new() -> Self {
        Self { taken: Arc::default(), status: Arc::new(Mutex::new(StatusCode::OK)) }
    }

    async fn serve(&self, listener: TcpListener) {
        async fn take(State(siem): State<Siem>, headers: HeaderMap, body: Bytes) -> StatusCode {
            let header = |name: &str| headers[name].to_str().unwrap().to_owned();
            assert_eq!((header("content-type").as_str(), header("ztctl-timestamp").as_str()), (NDJSON, "1800000000"));
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(&[b"1800000000.", body.as_ref()].concat());
            let wanted: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(header("ztctl-signature"), format!("v1={wanted}"));
            let status = *siem.status.lock().unwrap();
            if status.is_success() {
                siem.taken.lock().unwrap().extend_from_slice(&body);
            }
            status
        }
        let app = axum::Router::new().route("/in", post(take)).with_state(self.clone());
        axum::serve(listener, app).await.unwrap();
    }

    fn answer(&self, status: StatusCode) {
        *self.status.lock().unwrap() = status;
    }

    fn taken(&self) -> Vec<u8> {
        self.taken.lock().unwrap().clone()
    }
}

fn webhook(folder: &Path, address: std::net::SocketAddr) -> Sink {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let url = format!("http://{address}/in?token=hidden").parse().unwrap();
    Sink { name: "siem".into(), to: Destination::Webhook { url, secret, ca: None } }
}

#[tokio::test]
async fn a_webhook_gets_every_event_in_order_through_refusals_an_outage_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("audit");
    // Who holds a port and does not listen refuses everybody.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let sink = [webhook(folder.path(), address)];
    // Nobody is there: events are written all the same, and the row says what is wrong.
    let first = journal(&dir);
    let sinks = Sinks::new(&sink, &dir).unwrap();
    let working = sinks.start(&first, &clock());
    write(&first, 700).await;
    until("the outage is told", || sinks.rows(770)[0].error.is_some()).await;
    let [row] = sinks.rows(first.durable().tip.seq).try_into().unwrap();
    assert_eq!((row.delivered, row.failing_since, row.kind.as_str()), (0, Some(1_800_000_000), "webhook"));
    assert!(row.behind >= 700 && !row.to.contains("hidden"), "{row:?}");
    // The broker ends meanwhile. Nothing is lost, and its end is not held up.
    let begun = Instant::now();
    working.finish(Duration::from_secs(5)).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(first);
    // It comes back with a server that refuses at first.
    let siem = Siem::new();
    siem.answer(StatusCode::SERVICE_UNAVAILABLE);
    let (server, listener) = (siem.clone(), socket.listen(16).unwrap());
    let serving = tokio::spawn(async move { server.serve(listener).await });
    let second = journal(&dir);
    let sinks = Sinks::new(&sink, &dir).unwrap();
    let working = sinks.start(&second, &clock());
    until("the refusal is told", || sinks.rows(1)[0].error.as_deref() == Some("the answer is HTTP status 503")).await;
    siem.answer(StatusCode::ACCEPTED);
    write(&second, 5).await;
    until("all is delivered", || sinks.rows(second.durable().tip.seq)[0].behind == 0).await;
    assert_eq!(sinks.rows(1)[0].error, None);
    working.finish(Duration::from_secs(5)).await;
    assert_eq!(siem.taken(), std::fs::read(dir.join("journal.jsonl")).unwrap());
    // A third start sends only what is new.
    let working = sinks.start(&second, &clock());
    write(&second, 1).await;
    working.finish(Duration::from_secs(20)).await;
    assert_eq!(siem.taken(), std::fs::read(dir.join("journal.jsonl")).unwrap());
    serving.abort();
}
