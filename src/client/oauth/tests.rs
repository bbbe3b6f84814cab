use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::discovery::{Metadata, discover};
use super::*;
use crate::client::http::fake::{FakeBroker, Reply, json, refusal};

/// A person whose browser comes back with `answer` for the page's redirect and state, and who enters every code.
struct Person {
    answer: fn(redirect: &Url, state: &str) -> Url,
    pages: Mutex<Vec<Url>>,
    codes: Mutex<Vec<String>>,
}

impl Person {
    fn new(answer: fn(&Url, &str) -> Url) -> Self {
        Self { answer, pages: Mutex::default(), codes: Mutex::default() }
    }
}

impl Dialogue for Person {
    fn page(&self, url: &Url) {
        self.pages.lock().unwrap().push(url.clone());
        let back = (self.answer)(&parameter(url, "redirect_uri").parse().unwrap(), &parameter(url, "state"));
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", back.port().unwrap())).await.unwrap();
            let target = format!("{}?{}", back.path(), back.query().unwrap());
            stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
    }

    fn code(&self, code: &device::DeviceCode) {
        self.codes.lock().unwrap().push(code.user_code.clone());
    }
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

fn metadata(broker: &FakeBroker) -> Metadata {
    Metadata {
        authorize: broker.url.at("/oauth/authorize"),
        token_path: "/oauth/token".into(),
        revoke_path: "/oauth/revoke".into(),
        device_path: "/oauth/device".into(),
    }
}

fn with(redirect: &Url, query: &str) -> Url {
    let mut url = redirect.clone();
    url.set_query(Some(query));
    url
}

const TOKENS: &str = r#"{"access_token":"a","token_type":"DPoP","expires_in":600,"refresh_token":"r"}"#;

const DEVICE: &str = r#"{"device_code":"dev1ce","user_code":"ABCD-EFGH","verification_uri":"https://b.example/device",
    "expires_in":600,"interval":1}"#;

#[tokio::test]
async fn the_browser_brings_a_code_that_is_worth_tokens() {
    let broker = FakeBroker::start(|_| json(TOKENS)).await;
    let person = Person::new(|redirect, state| with(redirect, &format!("code=c0de&state={state}")));
    let credential = browser::login(&broker.client(1_000), &metadata(&broker), &person, false).await.unwrap();
    assert_eq!((credential.refresh_token.expose().as_str(), credential.access_expires_at), ("r", 1_600));
    let page = person.pages.lock().unwrap().pop().unwrap();
    assert_eq!(parameter(&page, "code_challenge_method"), "S256");
    let [exchange] = &broker.seen()[..] else { panic!("one exchange is expected") };
    assert!(exchange.contains("code=c0de") && exchange.contains("code_verifier="), "{exchange}");
    assert!(!page.as_str().contains("code_verifier"), "the verifier stays here");
    // The code is bound to the key that the exchange proves, and the tokens to the same.
    assert!(exchange.contains("\r\ndpop: ey"), "{exchange}");
    assert_eq!(parameter(&page, "dpop_jkt"), credential.key.unwrap().thumbprint());
}

#[tokio::test]
async fn a_person_may_refuse_in_the_browser() {
    let broker = FakeBroker::start(|_| Reply::Cut).await;
    let person = Person::new(|redirect, state| with(redirect, &format!("error=access_denied&state={state}")));
    let result = browser::login(&broker.client(0), &metadata(&broker), &person, false).await;
    assert!(matches!(result, Err(OauthError::Denied)), "{result:?}");
    assert!(broker.seen().is_empty());
}

#[tokio::test]
async fn a_device_login_waits_until_the_code_is_entered() {
    let asked = AtomicUsize::new(0);
    let broker = FakeBroker::start(move |request| match () {
        () if request.starts_with("POST /oauth/device") => json(DEVICE),
        () if asked.fetch_add(1, Ordering::Relaxed) == 0 => refusal(400, r#"{"error":"authorization_pending"}"#),
        () => json(TOKENS),
    })
    .await;
    let person = Person::new(|redirect, _| redirect.clone());
    let credential = device::login(&broker.client(0), &metadata(&broker), &person, false).await.unwrap();
    assert_eq!(credential.access_token.expose(), "a");
    assert_eq!(*person.codes.lock().unwrap(), ["ABCD-EFGH"]);
    assert_eq!(broker.seen().len(), 3);
    assert!(broker.seen()[1].contains("device_code=dev1ce"));
}

#[tokio::test]
async fn a_device_login_may_be_refused_or_run_out() {
    for (error, denied) in [("access_denied", true), ("expired_token", false)] {
        let broker = FakeBroker::start(move |request| {
            if request.starts_with("POST /oauth/device") {
                json(DEVICE)
            } else {
                refusal(400, format!(r#"{{"error":"{error}"}}"#))
            }
        })
        .await;
        let person = Person::new(|redirect, _| redirect.clone());
        match device::login(&broker.client(0), &metadata(&broker), &person, false).await {
            Err(OauthError::Denied) => assert!(denied),
            Err(OauthError::TimedOut(minutes)) => assert_eq!((denied, minutes), (false, 10)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn endpoints_elsewhere_and_plain_challenges_are_refused() {
    let document = |token: &str, methods: &str, algorithms: &str| {
        format!(
            r#"{{"authorization_endpoint":"BROKER/oauth/authorize","token_endpoint":"{token}","revocation_endpoint":"BROKER/r",
            "device_authorization_endpoint":"BROKER/d","code_challenge_methods_supported":[{methods}],
            "dpop_signing_alg_values_supported":[{algorithms}]}}"#
        )
    };
    let ours = r#""ES256","EdDSA""#;
    for (token, methods, algorithms, good) in [
        ("BROKER/oauth/token", r#""S256""#, ours, true),
        ("https://evil.example/oauth/token", r#""S256""#, ours, false),
        ("BROKER.evil.example/oauth/token", r#""S256""#, ours, false),
        ("BROKER/oauth/token", r#""plain""#, ours, false),
        ("BROKER/oauth/token", r#""S256""#, r#""ES256""#, false),
        ("BROKER/oauth/token", r#""S256""#, "", false),
    ] {
        let document = document(token, methods, algorithms);
        let broker = FakeBroker::start(move |request| {
            let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
            json(document.replace("BROKER", &format!("http://{host}")))
        })
        .await;
        let result = discover(&broker.client(0)).await;
        assert_eq!(result.is_ok(), good, "{token} {methods} {algorithms}: {result:?}");
    }
}
