//! A broker for tests: answers each request with what the test says, one request a connection.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{BrokerUrl, Http, ProxySettings, Server, Trust};
use crate::clock::Clock;

/// What the fake does with a request.
pub(crate) enum Reply {
    /// A status and a body, and header lines in between, each with its line end.
    Answer(u16, String, String),
    /// Closes the connection without a word.
    Cut,
    /// Sends these bytes, with which the stream becomes something else.
    Upgrade(Vec<u8>),
    /// The same, as one WebSocket message after the head.
    WebSocket(String, Vec<u8>),
}

/// A running fake.
pub(crate) struct FakeBroker {
    pub(crate) url: BrokerUrl,
    seen: Arc<Mutex<Vec<String>>>,
}

impl FakeBroker {
    /// Starts on a free port; `reply` gets the request's head and body as one text.
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, reply) = (Arc::clone(&seen), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                tokio::spawn(async move {
                    let Some(request) = read(&mut stream).await else { return };
                    log.lock().unwrap().push(request.clone());
                    answer(stream, reply(&request)).await;
                });
            }
        });
        Self { url, seen }
    }

    /// A client of it whose clock stands at `now`.
    pub(crate) fn client(&self, now: u64) -> Http {
        let server = Server { url: self.url.clone(), trust: Trust::System, proxy: ProxySettings::default() };
        Http::new(&server, Clock::from_fn(move || now)).unwrap()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// 200 with this JSON.
pub(crate) fn json(body: impl Into<String>) -> Reply {
    Reply::Answer(200, String::new(), body.into())
}

/// A status with this JSON.
pub(crate) fn refusal(status: u16, body: impl Into<String>) -> Reply {
    Reply::Answer(status, String::new(), body.into())
}

async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0_usize) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
}

async fn answer(mut stream: TcpStream, reply: Reply) {
    match reply {
        Reply::Cut => {}
        Reply::Answer(status, headers, body) => {
            let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Upgrade(bytes) => {
            let _ = stream.write_all(&bytes).await;
            echo(stream).await;
        }
        Reply::WebSocket(head, first) => {
            let _ = stream.write_all(head.as_bytes()).await;
            let mut stream = crate::transport::websocket::WebSocketBytes::server(stream).await;
            let _ = stream.write_all(&first).await;
            let _ = stream.flush().await;
            echo(stream).await;
        }
    }
}

/// What the agent does here: says everything back.
async fn echo(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let mut buffer = [0; 64];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}
