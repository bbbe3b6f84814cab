//! A pin at an honest broker, at one that was set up anew, and with somebody in between.

use super::*;
use crate::client::config::LoginEntry;
use crate::client::credential::StoreKind;
use crate::client::http::fake::{FakeBroker, Reply, json};
use crate::proto::ca::Statement;
use crate::ssh::{PrivateKey, new_key, public_line};

struct Keys(PrivateKey, PrivateKey);

fn keys() -> Keys {
    Keys(new_key().unwrap(), new_key().unwrap())
}

fn set(keys: &Keys) -> CaSet {
    let line = |key: &PrivateKey| vec![public_line(key.public_key()).unwrap()];
    CaSet { user: line(&keys.0), host: line(&keys.1) }
}

/// A broker that has changed its authorities once, and both of them.
fn rotated() -> (CaOffer, Keys, Keys) {
    let (old, new) = (keys(), keys());
    let mut chain = Chain::new(set(&old).into());
    chain.statements.push(statement::sign(&chain.newest(), set(&new), &old.0, &old.1).unwrap());
    (CaOffer { plain: set(&new), chain: Some(chain) }, old, new)
}

fn body(offer: &CaOffer) -> String {
    serde_json::to_string(offer).unwrap()
}

async fn logged_in(paths: &Paths, url: &BrokerUrl, ca: PinnedCa) {
    let entry = LoginEntry { user: "ada@local".into(), store: StoreKind::File, ca };
    Config::update(paths, |config| config.broker_mut(url).login = Some(entry)).await.unwrap();
}

fn kept(paths: &Paths, url: &BrokerUrl) -> PinnedCa {
    Config::load(paths).unwrap().broker(url).unwrap().login.clone().unwrap().ca
}

#[test]
fn what_differs_without_a_statement_is_a_change() {
    let (one, other) = (set(&keys()), set(&keys()));
    let follow = |offered: &CaSet| follow(&one.clone().into(), &Chain::new(offered.clone().into()));
    assert_eq!(follow(&one).unwrap(), PinnedCa::from(one.clone()));
    assert!(matches!(follow(&other), Err(PinError::Changed { .. })));
    assert!(matches!(follow(&CaSet { host: other.host.clone(), ..one.clone() }), Err(PinError::Changed { .. })));
    let swapped = CaSet { user: one.host.clone(), host: one.user.clone() };
    assert!(matches!(follow(&swapped), Err(PinError::Changed { .. })));
}

#[tokio::test]
async fn a_statement_is_followed_when_the_broker_tells_of_it_and_kept() {
    let (offer, old, new) = rotated();
    let answer = body(&offer);
    let broker = FakeBroker::start(move |_| Reply::Answer(200, "ztctl-ca: 1\r\n".to_owned(), answer.clone())).await;
    let (http, folder) = (broker.client(0), tempfile::tempdir().unwrap());
    let (paths, url) = (Paths::new(folder.path().join("config"), folder.path().join("state")), http.url().clone());
    logged_in(&paths, &url, set(&old).into()).await;
    let stock = known_hosts(&set(&old));
    private::write(&paths.known_hosts(), Guard::Trusted, stock.as_bytes()).unwrap();
    let pin = Pin::new(set(&old).into(), Some(Keep { paths: paths.clone(), url: url.clone() }));
    // Nobody has told of anything yet: nothing is asked.
    pin.follow_if_newer(&http).await.unwrap();
    assert!(broker.seen().is_empty());
    http.fetch(http.request(Method::GET, "/v1/whoami"), SMALL_BODY).await.unwrap();
    pin.follow_if_newer(&http).await.unwrap();
    let reached = PinnedCa { sequence: 1, set: set(&new) };
    assert_eq!((pin.current(), kept(&paths, &url)), (reached.clone(), reached.clone()));
    let stock = private::read(&paths.known_hosts(), Guard::Trusted, LIMIT).unwrap().unwrap();
    assert_eq!(stock, known_hosts(&set(&new)).into_bytes());
    assert_eq!(broker.seen().len(), 2);
    pin.follow_if_newer(&http).await.unwrap();
    assert_eq!(broker.seen().len(), 2, "once");
    // Somebody who has logged in anew meanwhile is not overruled.
    let theirs = PinnedCa::from(set(&keys()));
    logged_in(&paths, &url, theirs.clone()).await;
    let late = Pin::new(set(&old).into(), Some(Keep { paths: paths.clone(), url: url.clone() }));
    late.follow(&http).await.unwrap();
    assert_eq!((late.current(), kept(&paths, &url)), (reached, theirs));
}

#[tokio::test]
async fn somebody_in_between_who_swaps_the_set_gets_nothing() {
    let (offer, old, _) = rotated();
    let (honest, thief) = (offer.clone().into_chain(), keys());
    let signed_by = |by: &Keys| Statement { set: set(&thief), ..by_hand(&honest, by) };
    let forged = |chain: Chain| CaOffer { plain: chain.newest().set, chain: Some(chain) };
    let offers = [
        // Another set without a word, with the true statements before it, by a statement of its own keys, and the old set again.
        CaOffer { plain: set(&thief), chain: None },
        CaOffer { plain: set(&thief), chain: Some(Chain::new(PinnedCa { sequence: 9, set: set(&thief) })) },
        forged(Chain { statements: vec![signed_by(&thief)], ..honest.clone() }),
        forged(Chain { base: honest.newest(), statements: vec![signed_by(&old)] }),
    ];
    for offer in offers {
        let answer = body(&offer);
        let broker = FakeBroker::start(move |_| Reply::Answer(200, "ztctl-ca: 9\r\n".to_owned(), answer.clone())).await;
        let http = broker.client(0);
        http.fetch(http.request(Method::GET, "/v1/whoami"), SMALL_BODY).await.unwrap();
        for pinned in [honest.base.clone(), honest.newest()] {
            let pin = Pin::new(pinned.clone(), None);
            assert!(matches!(pin.follow_if_newer(&http).await, Err(PinError::Changed { .. })), "{offer:?}");
            assert_eq!(pin.current(), pinned);
        }
    }
    let stale = serde_json::to_string(&set(&old)).unwrap();
    let broker = FakeBroker::start(move |_| json(stale.clone())).await;
    let back = Pin::new(honest.newest(), None).follow(&broker.client(0)).await;
    assert!(matches!(back, Err(PinError::Changed { why: NotFollowed::Rollback { pinned: 1, offered: 0 }, .. })));
}

/// A statement about the thief's set that `by` has signed, as it would follow the newest.
fn by_hand(chain: &Chain, by: &Keys) -> Statement {
    let before = PinnedCa { sequence: chain.sequence(), set: set(by) };
    let statement = statement::sign(&before, set(&keys()), &by.0, &by.1).unwrap();
    Statement { previous: chain.newest().set.fingerprint(), ..statement }
}

#[tokio::test]
async fn a_broker_that_does_not_tell_more_is_no_reason_to_stop() {
    let broker = FakeBroker::start(|request| match request.contains("/v1/ca") {
        true => Reply::Cut,
        false => Reply::Answer(200, "ztctl-ca: 1\r\n".to_owned(), "{}".to_owned()),
    })
    .await;
    let http = broker.client(0);
    http.fetch(http.request(Method::GET, "/v1/whoami"), SMALL_BODY).await.unwrap();
    let pin = Pin::new(set(&keys()).into(), None);
    pin.follow_if_newer(&http).await.unwrap();
    assert!(matches!(pin.follow(&http).await, Err(PinError::Http(_))));
}
