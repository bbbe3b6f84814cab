//! A broker without TLS on loopback, its clock in the test's hand, and a plain HTTP/1.1 client.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded::Serializer;

use crate::broker::audit::{Query, Record};
use crate::broker::config::Tls;
use crate::broker::dpop::tests::{Holder, claims};
use crate::broker::{Admin, Broker, Config};
use crate::clock::Clock;
use crate::proto::Secret;
use crate::proto::dpop::{covers_body, hash};

/// The one password of these tests.
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// A serving broker.
pub(super) struct Site {
    pub(super) admin: Admin,
    now: Arc<AtomicU64>,
    port: u16,
    folder: TempDir,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Site {
    /// A fresh broker with the user `ada`.
    pub(super) async fn open() -> Self {
        Self::configured(|_| {}).await
    }

    /// The same, set up otherwise.
    pub(super) async fn configured(change: impl Fn(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.cedar"), "permit (principal, action, resource);").unwrap();
        let site = Self::serve(folder, Arc::new(AtomicU64::new(1_800_000_000)), &change).await;
        let group = "developers".parse().unwrap();
        site.admin.add_user(&"ada".parse().unwrap(), &[group], Secret::new(PASSWORD.to_owned())).await.unwrap();
        site
    }

    async fn serve(folder: TempDir, now: Arc<AtomicU64>, change: &impl Fn(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = Config::dev(folder.path().join("state"), address, folder.path().join("policy.cedar"));
        config.tls = Tls::None;
        config.public_url = format!("http://{address}").parse().unwrap();
        change(&mut config);
        let time = Arc::clone(&now);
        let broker = Broker::open(config, Clock::from_fn(move || time.load(Relaxed))).await.unwrap();
        let (admin, stop) = (broker.admin(), CancellationToken::new());
        let serve = broker.serve(listener, stop.clone());
        let task = Some(tokio::spawn(async move { serve.await.unwrap() }));
        Self { admin, now, port: address.port(), folder, stop, task }
    }

    /// The same broker after a restart, on another port.
    pub(super) async fn restart(mut self) -> Self {
        self.stop().await;
        Self::serve(self.folder, self.now, &|_| {}).await
    }

    /// Ends it in order.
    pub(super) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            tokio::time::timeout(Duration::from_secs(10), task).await.expect("the broker stops").unwrap();
        }
    }

    /// The time.
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    /// Its address, without a slash at the end.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Lets `seconds` pass.
    pub(super) fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds, Relaxed);
    }

    /// The whole journal.
    pub(super) async fn audit(&self) -> Vec<Record> {
        self.admin.audit(Query::default()).await.unwrap()
    }

    /// How many events of this name were written down.
    pub(super) async fn events(&self, name: &str) -> usize {
        let named = |record: &Record| serde_json::to_value(record).unwrap()["event"] == name;
        self.audit().await.iter().filter(|record| named(record)).count()
    }

    /// Whom tokens are given to here: the same at each broker.
    pub(super) fn holder() -> Holder {
        Holder::new(1)
    }

    /// A proof of `holder` for a request.
    pub(super) fn proof(&self, holder: &Holder, method: &str, path: &str, token: Option<&str>) -> String {
        holder.proof(method, &format!("{}{path}", self.url()), token, self.now.load(Relaxed))
    }

    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", path, headers, "").await
    }

    /// Posts a form.
    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let body = encode(form);
        let headers: Vec<_> = headers.iter().copied().chain([("Content-Type", "application/x-www-form-urlencoded")]).collect();
        self.send("POST", path, &headers, &body).await
    }

    /// Posts to the token endpoint as `ztctl`.
    pub(super) async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.token_by(&Self::holder(), form).await
    }

    /// The same with a proof of `holder`.
    pub(super) async fn token_by(&self, holder: &Holder, form: &[(&str, &str)]) -> Answer {
        self.prove("/oauth/token", &self.proof(holder, "POST", "/oauth/token", None), form).await
    }

    /// Posts to an OAuth endpoint as `ztctl` with this proof.
    pub(super) async fn prove(&self, path: &str, proof: &str, form: &[(&str, &str)]) -> Answer {
        let form: Vec<_> = form.iter().copied().chain([("client_id", "ztctl")]).collect();
        self.post(path, &[("DPoP", proof)], &form).await
    }

    pub(super) async fn revoke(&self, holder: &Holder, token: &str) -> Answer {
        self.prove("/oauth/revoke", &self.proof(holder, "POST", "/oauth/revoke", None), &[("token", token)]).await
    }

    pub(super) async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// With a proof where it is a login's token.
    pub(super) async fn whoami(&self, token: &str) -> Answer {
        if token.starts_with("ztu_") {
            return self.get("/v1/whoami", &[("Authorization", &format!("Bearer {token}"))]).await;
        }
        self.whoami_by(&self.proof(&Self::holder(), "GET", "/v1/whoami", Some(token)), token).await
    }

    pub(super) async fn whoami_by(&self, proof: &str, token: &str) -> Answer {
        self.get("/v1/whoami", &[("Authorization", &format!("DPoP {token}")), ("DPoP", proof)]).await
    }

    /// Asks the API with an access token, and with a code where one is given.
    pub(super) async fn api(&self, method: &str, path: &str, token: &str, code: Option<&str>) -> Answer {
        let body = code.map(|code| serde_json::json!({ "code": code }).to_string()).unwrap_or_default();
        if token.starts_with("ztu_") {
            return self.send(method, path, &[("Authorization", &format!("Bearer {token}"))], &body).await;
        }
        let mut claims = claims(method, &format!("{}{path}", self.url()), Some(token), self.now.load(Relaxed));
        if covers_body(method) {
            claims["zbh"] = hash(&body).into();
        }
        let (authorization, proof) = (format!("DPoP {token}"), Self::holder().sign(&claims));
        self.send(method, path, &[("Authorization", &authorization), ("DPoP", &proof)], &body).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n", self.port);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let exchange = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let text = tokio::time::timeout(Duration::from_secs(20), exchange).await.expect("an answer in time");
        Answer::parse(&text)
    }
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap_or((line, "")));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }

    /// The header's value; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(have, _)| have == name).map_or("", |(_, value)| value)
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A text of the JSON body.
    pub(super) fn text(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }

    /// Asserts an OAuth error.
    pub(super) fn is_refusal(&self, error: &str) {
        assert!((400..500).contains(&self.status) && self.json()["error"] == error, "{error} expected: {self:?}");
    }
}

/// A form or a query.
pub(super) fn encode(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}
