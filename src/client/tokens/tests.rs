use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::client::credential::tests::credential;
use crate::client::credential::{FileStore, MemoryStore};
use crate::client::http::fake::{FakeBroker, Reply, json, refusal};

const NOW: u64 = 1_000_000;

fn successor(n: usize) -> Reply {
    json(format!(r#"{{"access_token":"access-{n}","token_type":"DPoP","expires_in":600,"refresh_token":"refresh-{n}"}}"#))
}

fn kept(access_expires_at: u64) -> (tempfile::TempDir, Tokens) {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::new(credential("access-0", "refresh-0", access_expires_at));
    let tokens = Tokens::kept(Box::new(store), folder.path().join("lock"));
    (folder, tokens)
}

#[tokio::test]
async fn a_token_that_holds_is_used_as_it_is() {
    let broker = FakeBroker::start(|_| Reply::Cut).await;
    let (_folder, tokens) = kept(NOW + MARGIN + 1);
    assert_eq!(tokens.access(&broker.client(NOW)).await.unwrap().token.expose(), "access-0");
    assert!(broker.seen().is_empty());
}

#[tokio::test]
async fn a_token_near_its_end_is_exchanged_once_for_all() {
    let broker = FakeBroker::start(|request| {
        assert!(request.contains("refresh_token=refresh-0"), "an old token is never used again: {request}");
        successor(1)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ours/tokens.json");
    FileStore::new(file.clone()).store(&credential("access-0", "refresh-0", NOW + MARGIN)).unwrap();
    // Two of them, as two processes have.
    let tokens = || Tokens::kept(Box::new(FileStore::new(file.clone())), folder.path().join("ours/lock"));
    let (one, two, http) = (tokens(), tokens(), broker.client(NOW));
    let (first, second, third) = tokio::join!(one.access(&http), two.access(&http), one.access(&http));
    for token in [first, second, third] {
        assert_eq!(token.unwrap().token.expose(), "access-1");
    }
    assert_eq!(broker.seen().len(), 1);
    assert_eq!(FileStore::new(file).load().unwrap().unwrap().refresh_token.expose(), "refresh-1");
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again() {
    let asked = AtomicUsize::new(0);
    let broker = FakeBroker::start(move |request| {
        assert!(request.contains("refresh_token=refresh-0"));
        if asked.fetch_add(1, Ordering::Relaxed) == 0 { Reply::Cut } else { successor(1) }
    })
    .await;
    let (_folder, tokens) = kept(NOW);
    assert_eq!(tokens.access(&broker.client(NOW)).await.unwrap().token.expose(), "access-1");
    assert_eq!(broker.seen().len(), 2);
}

#[tokio::test]
async fn a_login_that_has_ended_is_called_that() {
    let broker = FakeBroker::start(|_| refusal(400, r#"{"error":"invalid_grant","error_description":"ended"}"#)).await;
    let (_folder, tokens) = kept(NOW);
    assert!(matches!(tokens.access(&broker.client(NOW)).await, Err(TokenError::Expired)));
}

#[tokio::test]
async fn what_is_not_oauth_is_no_end_of_the_login() {
    for reply in [|| refusal(502, "<html>"), || json("{}"), || refusal(400, r#"{"error":"invalid_request"}"#)] {
        let broker = FakeBroker::start(move |_| reply()).await;
        let (_folder, tokens) = kept(NOW);
        let result = tokens.access(&broker.client(NOW)).await;
        assert!(matches!(result, Err(TokenError::Http(_) | TokenError::Protocol(_))), "{result:?}");
    }
}

#[tokio::test]
async fn without_tokens_there_is_no_login() {
    let broker = FakeBroker::start(|_| Reply::Cut).await;
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::kept(Box::new(MemoryStore::default()), folder.path().join("lock"));
    assert!(matches!(tokens.access(&broker.client(NOW)).await, Err(TokenError::NotLoggedIn)));
}

#[tokio::test]
async fn what_was_kept_before_there_were_keys_is_no_login() {
    let broker = FakeBroker::start(|_| Reply::Cut).await;
    let folder = tempfile::tempdir().unwrap();
    for expires_at in [NOW, u64::MAX] {
        let mut old = serde_json::to_value(credential("access-0", "refresh-0", expires_at)).unwrap();
        old.as_object_mut().unwrap().remove("key");
        let old = serde_json::from_value(old).unwrap();
        let tokens = Tokens::kept(Box::new(MemoryStore::new(old)), folder.path().join("lock"));
        assert!(matches!(tokens.access(&broker.client(NOW)).await, Err(TokenError::Unbound)));
    }
    assert!(broker.seen().is_empty());
}
