//! Those who come to waste our time, over real sockets: each is waited for, and gone in the end.

use axum::body::Bytes;
use axum::routing::{get, post};
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;
use crate::broker::{Config, tls};
use crate::clock::Clock;

/// A door with little patience and room for eight, two of one address.
struct Scene {
    address: SocketAddr,
    door: Door,
    stop: CancellationToken,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Scene {
    async fn new(change: impl FnOnce(&mut Door)) -> Self {
        let router = Router::new().route("/", get(|| async { "here" })).route("/read", post(|_: Bytes| async { "read" }));
        let mut door = Door::plain(router);
        door.crowd = Crowd::new("connections", 8, 2);
        let short = Duration::from_millis(200);
        door.patience = Patience { handshake: short, head: short, life: Duration::from_secs(60) };
        change(&mut door);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        tokio::spawn(serve(listener, door.clone(), stop.clone()));
        Self { address, door, stop }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Waits until nobody has a place.
    async fn empty(&self) {
        // The listener itself holds one for whoever comes next, so that seven are all that there are.
        let seven = async {
            let mut vacancies = Vec::new();
            for _ in 0..7 {
                vacancies.push(self.door.crowd.vacancy().await);
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seven).await.expect("whoever came is gone in the end");
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n";

/// Writes a byte at a time until the other side has had enough.
async fn trickle(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// All that is said until the end.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut said)).await.expect("an end");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_handshake_that_trickles_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::dev(folder.path().to_path_buf(), "127.0.0.1:8443".parse().unwrap(), "/p".into());
    let tls = tls::open(&config, &Clock::system()).unwrap().server;
    let scene = Scene::new(|door| door.tls = tls).await;
    let mut silent = scene.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut slow = scene.connect().await;
    // The beginning of a ClientHello of 512 bytes.
    trickle(&mut slow, &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]).await;
    scene.empty().await;
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_and_so_is_a_connection_that_is_idle() {
    let scene = Scene::new(|_| ()).await;
    let mut slow = scene.connect().await;
    trickle(&mut slow, b"GET / HTTP/1.1\r\nX-A: aaaaaaaa").await;
    let mut idle = scene.connect().await;
    idle.write_all(REQUEST).await.unwrap();
    let said = rest(&mut idle).await;
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("here"), "{said}");
    scene.empty().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_cut() {
    let scene = Scene::new(|door| door.patience.life = Duration::from_millis(300)).await;
    let mut slow = scene.connect().await;
    slow.write_all(b"POST /read HTTP/1.1\r\nHost: broker\r\nContent-Length: 100000\r\n\r\n").await.unwrap();
    trickle(&mut slow, b"a").await;
    scene.empty().await;
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_cut() {
    let endless = get(|| async {
        let pieces = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Bytes::from_static(&[b'x'; 65536])));
        Body::from_stream(pieces)
    });
    let scene = Scene::new(|door| {
        door.router = Router::new().route("/", endless);
        door.patience.life = Duration::from_millis(300);
    })
    .await;
    let mut deaf = scene.connect().await;
    deaf.write_all(REQUEST).await.unwrap();
    scene.empty().await;
}

#[tokio::test]
async fn requests_one_after_the_other_end_in_order_when_the_connection_is_old() {
    let scene = Scene::new(|door| door.patience.life = Duration::from_millis(300)).await;
    let mut busy = scene.connect().await;
    let (answers, mut answered) = mpsc::unbounded_channel();
    let (mut reader, mut writer) = busy.split();
    let ask = async {
        while writer.write_all(REQUEST).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let hear = async {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut bytes).await {
            answers.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).unwrap();
        }
        answers
    };
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(ask, hear) }).await.expect("an end");
    let mut said = String::new();
    while let Ok(piece) = answered.try_recv() {
        said += &piece;
    }
    assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("here"), "every answer is whole: {said}");
    scene.empty().await;
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let scene = Scene::new(|door| door.patience.head = Duration::from_secs(60)).await;
    let mut kept = [scene.connect().await, scene.connect().await];
    let mut third = scene.connect().await;
    assert_eq!(rest(&mut third).await, "", "its share is two");
    // Those who have a place are served, and a place that is left is another's.
    for stream in &mut kept {
        stream.write_all(REQUEST).await.unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).await.unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
    }
    drop(kept);
    scene.empty().await;
    let mut again = scene.connect().await;
    again.write_all(b"GET / HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut again).await.ends_with("here"));
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_many() {
    let scene = Scene::new(|door| {
        door.proxies = Arc::new(["127.0.0.0/8".parse().unwrap()]);
        door.patience.head = Duration::from_secs(60);
    })
    .await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(scene.connect().await);
    }
    for mut stream in streams {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n").await.unwrap();
        assert!(rest(&mut stream).await.ends_with("here"));
    }
}
