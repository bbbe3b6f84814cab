//! Requests and the answers to them, and the notices that wait.

use super::*;
use crate::broker::asking::tests::{NOW, person, request};
use crate::broker::asking::{Given, Request};
use crate::broker::policy::Scope;
use crate::proto::asking::RequestState;
use crate::proto::{AgentId, RequestId};

fn given(by: &str, groups: &[&str], seconds: u64) -> Given {
    Given { by: by.into(), groups: person(by, groups).groups, seconds }
}

async fn read(store: &Store, id: RequestId) -> Request {
    store.request(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_request_reads_back_whatever_it_is_for() {
    let (_folder, store) = store().await;
    let alone = request("ada@local", &["sre,leads", "dba"]);
    let mut all = request("ada@local", &["sre"]);
    all.scope = Scope::Owner {
        owner: "deployment/tomcat".into(),
        cluster: None,
        namespace: Some("shop".into()),
        agent: AgentId::of_key(b"agent"),
    };
    all.reason = "a 'quoted' \"reason\"; -- žluťoučký".into();
    for request in [&alone, &all] {
        assert!(store.add_request(request, 2, 10).await.unwrap());
        assert_eq!(read(&store, request.id).await, *request);
    }
    assert!(!store.add_request(&request("ada@local", &["sre"]), 2, 10).await.unwrap(), "two are enough for one");
    assert!(!store.add_request(&request("bob@local", &["sre"]), 2, 2).await.unwrap(), "and for all");
    assert!(store.add_request(&request("bob@local", &["sre"]), 2, 3).await.unwrap());
    assert_eq!(store.requests("ada@local", NOW).await.unwrap().len(), 3);
    assert_eq!(store.requests("ada@local", NOW + 3600).await.unwrap().len(), 2, "of others only what is open");
    assert_eq!(store.request(RequestId::random()).await.unwrap(), None);
}

#[tokio::test]
async fn the_last_yes_that_is_missing_approves_and_a_no_ends() {
    let (_folder, store) = store().await;
    let two = request("ada@local", &["sre,leads", "dba"]);
    store.add_request(&two, 9, 9).await.unwrap();
    let first = store.approve_request(two.id, &given("bob@local", &["leads"], 3600), NOW).await.unwrap().unwrap();
    assert_eq!((first.said, first.answers.len()), (RequestState::Open, 1));
    assert_eq!(store.approvals("ada@local", NOW).await.unwrap(), []);
    let again = store.approve_request(two.id, &given("bob@local", &["leads"], 60), NOW).await.unwrap().unwrap();
    assert_eq!(again.answers, first.answers, "one person has one answer");
    let done = store.approve_request(two.id, &given("dan@local", &["dba"], 600), NOW + 10).await.unwrap().unwrap();
    assert_eq!((done.said, done.until), (RequestState::Approved, Some(NOW + 610)));
    assert_eq!(read(&store, two.id).await, done);
    assert_eq!(store.approve_request(two.id, &given("eve@local", &["sre"], 600), NOW + 11).await.unwrap(), None);
    let held = store.approvals("ada@local", NOW + 609).await.unwrap();
    assert_eq!((held.len(), held[0].until, held[0].groups.len()), (1, NOW + 610, 2));
    assert_eq!(store.approvals("ada@local", NOW + 610).await.unwrap(), []);
    assert_eq!(store.approvals("bob@local", NOW + 10).await.unwrap(), []);
    assert!(store.approved(NOW + 609).await.unwrap().contains(&two.id));
    let end = async |said, now| store.end_request(two.id, said, "dan@local", Some("enough"), now).await.unwrap();
    assert!(!end(RequestState::Revoked, NOW + 610).await, "its time is over");
    assert!(end(RequestState::Revoked, NOW + 20).await && !end(RequestState::Denied, NOW + 20).await);
    assert!(store.approved(NOW + 20).await.unwrap().is_empty());
    let ended = read(&store, two.id).await;
    assert_eq!((ended.said, ended.ended_reason.as_deref(), ended.approval()), (RequestState::Revoked, Some("enough"), None));

    let late = request("ada@local", &["sre"]);
    store.add_request(&late, 9, 9).await.unwrap();
    assert_eq!(store.approve_request(late.id, &given("bob@local", &["sre"], 60), NOW + 3600).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_forgotten_is_what_is_over_or_whose_user_is_removed() {
    let (_folder, store) = with_ada().await;
    let (hers, others) = (request("ada@local", &["sre"]), request("bob@local", &["sre"]));
    for request in [&hers, &others] {
        store.add_request(request, 9, 9).await.unwrap();
    }
    store.approve_request(others.id, &given("eve@local", &["sre"], 3600), NOW + 3000).await.unwrap().unwrap();
    store.remove_user(&ada()).await.unwrap();
    assert_eq!(store.request(hers.id).await.unwrap(), None, "another ada has no claim on it");
    store.prune(NOW + 86_400 + 6000).await.unwrap();
    assert_eq!(read(&store, others.id).await.answers.len(), 1);
    store.prune(NOW + 86_400 + 6601).await.unwrap();
    assert_eq!(store.request(others.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_visit_is_for_one_answer_to_one_request_and_for_a_while() {
    let (_folder, store) = store().await;
    let (one, other) = (request("ada@local", &["sre"]), request("ada@local", &["dba"]));
    for request in [&one, &other] {
        store.add_request(request, 9, 9).await.unwrap();
    }
    let bob = person("bob@local", &["sre", "dba"]);
    for hash in [[1; 32], [2; 32]] {
        store.add_visit(&hash, one.id, &bob, NOW + 600).await.unwrap();
    }
    assert_eq!(store.take_visit(&[1; 32], other.id, NOW).await.unwrap(), None);
    assert_eq!(store.take_visit(&[3; 32], one.id, NOW).await.unwrap(), None);
    assert_eq!(store.take_visit(&[2; 32], one.id, NOW + 600).await.unwrap(), None);
    assert_eq!(store.take_visit(&[1; 32], one.id, NOW + 599).await.unwrap(), Some(bob));
    assert_eq!(store.take_visit(&[1; 32], one.id, NOW).await.unwrap(), None);
}

#[tokio::test]
async fn notices_keep_their_order_and_are_bounded() {
    let (_folder, store) = store().await;
    for number in [2, 1, 3] {
        assert_eq!(store.add_notice(("b", "pager"), number, NOW, &number.to_string(), 3).await.unwrap(), 0);
    }
    store.add_notice(("b", "chat"), 9, NOW, "other", 3).await.unwrap();
    assert_eq!(store.add_notice(("b", "pager"), 4, NOW, "4", 3).await.unwrap(), 1, "the oldest is forgotten");
    for body in ["2", "3", "4"] {
        let next = store.next_notice("b", "pager").await.unwrap().unwrap();
        assert_eq!(next.body, body);
        store.remove_notice(&next.id).await.unwrap();
    }
    assert_eq!(store.next_notice("b", "pager").await.unwrap(), None);
    assert_eq!(store.next_notice("other", "chat").await.unwrap(), None, "another broker's");
    store.prune(NOW + 7 * 86_400 + 1).await.unwrap();
    assert_eq!(store.next_notice("b", "chat").await.unwrap(), None);
}
