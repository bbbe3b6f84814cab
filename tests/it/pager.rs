//! A server that is told of requests and alarms, and can be down.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use ztctl::broker::config::{Notify, NotifyOf};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A server that takes notices: what it was sent, and whether it is down.
#[derive(Clone)]
pub struct Pager {
    taken: Arc<Mutex<Vec<Value>>>,
    pub up: Arc<Mutex<bool>>,
    pub refused: Arc<Mutex<u32>>,
}

impl Pager {
    /// One that listens, and the configuration that names it.
    pub async fn start(folder: &std::path::Path, events: &[NotifyOf]) -> (Self, Notify) {
        async fn take(State(pager): State<Pager>, headers: HeaderMap, body: Bytes) -> StatusCode {
            let header = |name: &str| headers[name].to_str().unwrap().to_owned();
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
            mac.update(format!("{}.", header("ztctl-timestamp")).as_bytes());
            mac.update(&body);
            let wanted: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(header("ztctl-signature"), format!("v1={wanted}"));
            assert_eq!(header("content-type"), "application/json");
            if !*pager.up.lock().unwrap() {
                *pager.refused.lock().unwrap() += 1;
                return StatusCode::BAD_GATEWAY;
            }
            pager.taken.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            StatusCode::NO_CONTENT
        }
        let pager = Self { taken: Arc::default(), up: Arc::new(Mutex::new(true)), refused: Arc::default() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap()).parse().unwrap();
        let app = axum::Router::new().route("/in", axum::routing::post(take)).with_state(pager.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let secret = folder.join("pager.secret");
        std::fs::write(&secret, SECRET).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        (pager, Notify { name: "pager".into(), url, secret, ca: None, events: events.to_vec() })
    }

    /// What it has.
    pub fn taken(&self) -> Vec<Value> {
        self.taken.lock().unwrap().clone()
    }

    /// What it has, once there are `count`.
    pub async fn wait_for(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} notices"), async || self.taken().len() >= count).await;
        self.taken()
    }
}

/// Waits until it is done.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
