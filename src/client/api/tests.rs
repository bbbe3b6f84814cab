use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::client::credential::MemoryStore;
use crate::client::credential::tests::credential;
use crate::client::http::fake::{FakeBroker, Reply, json, refusal};
use crate::proto::api::{LINK_RAW, REPLY_LIMIT};
use crate::proto::name::Login;
use crate::proto::{Action, Actions, ContainerId, SessionId, frame};
use crate::transport::websocket::derive_accept_key;

fn fixed(broker: &FakeBroker) -> Api {
    Api::over(broker.client(1_000), Tokens::fixed("t0ken".to_owned().into()))
}

fn request() -> ConnectRequest {
    ConnectRequest {
        as_typed: "web-7f9".parse().unwrap(),
        container: None,
        login: Login::container_default(),
        public_key: "ssh-ed25519 AAAA".into(),
        actions: [Action::Shell].into_iter().collect(),
        optional: Actions::default(),
        command: None,
        reason: None,
        break_glass: false,
        link: vec![LINK_RAW.into()],
        ca: None,
    }
}

fn reply(link: &str) -> Vec<u8> {
    let reply = ConnectReply {
        session: SessionId::derived(&[b"s"]),
        certificate: "cert".into(),
        host_principal: ContainerId::derived(&[b"c"]),
        name: "web-7f9".into(),
        origin: None,
        deadline: 2_000,
        link: link.into(),
    };
    frame::encode(&reply, REPLY_LIMIT).unwrap()
}

fn raw_upgrade(link: &str) -> Reply {
    let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ztctl/1\r\n\r\n";
    Reply::Upgrade([&head[..], &reply(link)].concat())
}

fn websocket_upgrade(request: &str) -> Reply {
    let key = request.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\
         Sec-WebSocket-Protocol: ztctl.v1\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    Reply::WebSocket(head, reply(LINK_RAW))
}

async fn echoes(mut link: Link) {
    link.write_all(b"SSH-2.0").await.unwrap();
    link.flush().await.unwrap();
    let mut answer = [0; 7];
    link.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"SSH-2.0");
}

#[tokio::test]
async fn a_connect_is_one_request_and_then_raw_bytes() {
    let broker = FakeBroker::start(|_| raw_upgrade(LINK_RAW)).await;
    let (reply, link) = fixed(&broker).connect(&request()).await.unwrap();
    assert_eq!(reply.name, "web-7f9");
    echoes(link).await;
    let [seen] = &broker.seen()[..] else { panic!("more than one request") };
    for line in ["GET /v1/connect HTTP/1.1", "upgrade: ztctl/1", "authorization: Bearer t0ken"] {
        assert!(seen.contains(line), "{seen}");
    }
}

#[tokio::test]
async fn where_the_upgrade_is_stripped_websocket_is_used_and_remembered() {
    let stripped: [(fn() -> Reply, _); 3] = [
        (|| refusal(426, r#"{"code":"upgrade_required","message":"no upgrade arrived"}"#), true),
        (|| refusal(400, "<html>a proxy's page</html>"), true),
        (|| Reply::Cut, false),
    ];
    for (stripped, lasting) in stripped {
        let broker =
            FakeBroker::start(
                move |request| {
                    if request.contains("upgrade: websocket") { websocket_upgrade(request) } else { stripped() }
                },
            )
            .await;
        let worked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&worked);
        let api = fixed(&broker).remembering(Upgrade::Raw, move |upgrade| log.lock().unwrap().push(upgrade));
        echoes(api.connect(&request()).await.unwrap().1).await;
        echoes(api.connect(&request()).await.unwrap().1).await;
        assert_eq!(worked.lock().unwrap().len(), usize::from(lasting));
        assert_eq!(broker.seen().len(), if lasting { 3 } else { 4 }, "the second connect knows, unless it was a mere cut");
    }
}

#[tokio::test]
async fn a_refusal_is_the_brokers_own_and_tried_once() {
    let broker = FakeBroker::start(|_| refusal(404, r#"{"code":"not_found","message":"no container web-7f9"}"#)).await;
    match fixed(&broker).connect(&request()).await.map(|_| ()) {
        Err(ApiError::Refused(body)) => assert_eq!(body.code, ErrorCode::NotFound),
        other => panic!("{other:?}"),
    }
    assert_eq!(broker.seen().len(), 1);
}

#[tokio::test]
async fn a_link_that_was_not_offered_is_refused() {
    let broker = FakeBroker::start(|_| raw_upgrade("raw9")).await;
    assert!(matches!(fixed(&broker).connect(&request()).await, Err(ApiError::Link(_))));
}

#[tokio::test]
async fn a_frame_that_is_no_reply_is_refused() {
    for bytes in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x02{]", b"\0\0\0\x02{}"] {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ztctl/1\r\n\r\n";
        let broker = FakeBroker::start(move |_| Reply::Upgrade([&head[..], bytes].concat())).await;
        assert!(matches!(fixed(&broker).connect(&request()).await, Err(ApiError::Reply(_))));
    }
}

#[tokio::test]
async fn a_request_that_fits_no_header_is_not_sent() {
    let broker = FakeBroker::start(|_| Reply::Cut).await;
    let long = ConnectRequest { reason: Some("x".repeat(5000)), ..request() };
    assert!(matches!(fixed(&broker).connect(&long).await, Err(ApiError::TooLong { .. })));
    assert!(broker.seen().is_empty());
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_renewed_once() {
    let broker = FakeBroker::start(|request| match () {
        () if request.starts_with("POST /oauth/token") => {
            json(r#"{"access_token":"access-1","token_type":"DPoP","expires_in":600,"refresh_token":"refresh-1"}"#)
        }
        () if request.contains("DPoP access-1") => json(r#"{"user":"ada@local","groups":[],"expires_at":null}"#),
        () => refusal(401, r#"{"code":"not_logged_in","message":"log in"}"#),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::new(credential("access-0", "refresh-0", u64::MAX));
    let api = Api::over(broker.client(1_000), Tokens::kept(Box::new(store), folder.path().join("lock")));
    assert_eq!(api.whoami().await.unwrap().user, "ada@local");
    assert_eq!(broker.seen().len(), 3);
    let refused = fixed(&broker).whoami().await;
    assert!(matches!(refused, Err(ApiError::Token(TokenError::Expired))), "{refused:?}");
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    for body in ["", "[]", r#"{"containers":[{"id":"x"}]}"#, "<html>"] {
        let broker = FakeBroker::start(move |_| json(body)).await;
        let result = fixed(&broker).containers().await;
        assert!(matches!(result, Err(ApiError::Http(HttpError::Unexpected { status: 200 }))), "{body}: {result:?}");
    }
}

#[tokio::test]
async fn a_broker_that_cannot_judge_the_time_is_asked_once_more_with_its_nonce() {
    let broker = FakeBroker::start(|request| {
        let asked = r#"{"code":"use_dpop_nonce","message":"the clocks differ"}"#.to_owned();
        let proof = request.lines().find_map(|line| line.strip_prefix("dpop: ")).expect("a proof");
        let claims =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, proof.split('.').nth(1).expect("claims"));
        match String::from_utf8(claims.unwrap()).unwrap().contains(r#""nonce":"n0nce""#) {
            true if request.starts_with("GET /v1/connect") => raw_upgrade(LINK_RAW),
            true => json(r#"{"user":"ada@local","groups":[],"expires_at":null}"#),
            false => Reply::Answer(401, "DPoP-Nonce: n0nce\r\n".to_owned(), asked),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let kept = || {
        let store = MemoryStore::new(credential("access-0", "refresh-0", u64::MAX));
        Api::over(broker.client(1_000), Tokens::kept(Box::new(store), folder.path().join("lock")))
    };
    let api = kept();
    assert_eq!(api.whoami().await.unwrap().user, "ada@local");
    assert_eq!(broker.seen().len(), 2);
    api.whoami().await.unwrap();
    assert_eq!(broker.seen().len(), 3, "the nonce is remembered");
    echoes(kept().connect(&request()).await.unwrap().1).await;
    assert_eq!(broker.seen().len(), 5);
    let proofs: Vec<String> =
        broker.seen().iter().map(|seen| seen.lines().find(|line| line.starts_with("dpop: ")).unwrap().into()).collect();
    assert!((1..proofs.len()).all(|index| !proofs[..index].contains(&proofs[index])), "no proof is sent twice");
}

#[tokio::test]
async fn a_broker_that_only_ever_wants_nonces_is_not_asked_for_ever() {
    let asked = r#"{"code":"use_dpop_nonce","message":"the clocks differ"}"#;
    let broker = FakeBroker::start(move |_| Reply::Answer(401, "DPoP-Nonce: n0nce\r\n".to_owned(), asked.to_owned())).await;
    let api = Api::over(broker.client(1_000), Tokens::first(&credential("access-0", "refresh-0", u64::MAX)));
    assert!(matches!(api.whoami().await, Err(ApiError::Refused(body)) if body.code == ErrorCode::UseDpopNonce));
    assert_eq!(broker.seen().len(), 2);
}
