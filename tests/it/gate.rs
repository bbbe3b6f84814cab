//! A way to the broker that can be shut without a word, as a Wi-Fi that is gone or a laptop that has moved.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A gate: bytes pass while it is open, and wait while it is shut.
pub struct Gate {
    /// Where it is, as a broker's address.
    pub url: String,
    listener: Option<TcpListener>,
    open: watch::Sender<bool>,
}

impl Gate {
    /// A gate that leads nowhere yet.
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        Self { url, listener: Some(listener), open: watch::channel(true).0 }
    }

    /// It leads to the broker at `url`.
    pub fn lead_to(&mut self, url: &str) {
        let (listener, open) = (self.listener.take().unwrap(), self.open.clone());
        let to = url.trim_start_matches("https://").to_owned();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&to).await else { continue };
                let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near_read, far_write, open.subscribe()));
                tokio::spawn(pass(far_read, near_write, open.subscribe()));
            }
        });
    }

    pub fn shut(&self) {
        self.open.send_replace(false);
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut open: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 65536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if open.wait_for(|open| *open).await.is_err() || to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), to.shutdown()).await;
}
