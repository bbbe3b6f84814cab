//! Greetings by honest, strange and hostile brokers, through a pipe of eight bytes.

use std::sync::Arc;

use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::agent::{Connector, Description, Pin, ProcessConnector};
use crate::clock::Clock;
use crate::proto::ca::CaSet;
use crate::proto::{AgentId, ErrorCode};
use crate::ssh::{PrivateKey, new_key, public_key, statement};

fn host() -> (Arc<Host>, tokio::sync::mpsc::Receiver<FromAgent>) {
    let connector = Connector::process(ProcessConnector::new(Description::default(), std::iter::empty()));
    Host::new(new_key().unwrap(), connector, "/none".into(), Clock::from_fn(|| 1_000), CancellationToken::new())
}

fn trust(pin: impl Into<Pin>) -> Trust {
    Trust::new(pin.into(), None)
}

fn authorities() -> CaSet {
    let line = || public_line(new_key().unwrap().public_key()).unwrap();
    CaSet { user: vec![line()], host: vec![line()] }
}

/// A broker that answers one greeting with `ca`; returns what it was told.
async fn broker(stream: DuplexStream, kind: Kind, ca: CaSet) -> Hello {
    leading(stream, kind, ca, None).await
}

/// The same with what leads there.
async fn leading(mut stream: DuplexStream, kind: Kind, ca: CaSet, chain: Option<Chain>) -> Hello {
    let nonce = "ab".repeat(32);
    frame::write(&mut stream, &Challenge { protocol: PROTOCOL + 1, nonce: nonce.clone(), time: 0 }, HELLO_LIMIT).await.unwrap();
    let mut reader = FrameReader::new(stream, HELLO_LIMIT);
    let hello: Hello = reader.next().await.unwrap();
    proof::verify(&public_key(&hello.public_key).unwrap(), kind, &nonce, &hello.signature).unwrap();
    let welcome = Answer::Welcome { agent: AgentId::random(), name: "agent".into(), ca, chain, protocol: PROTOCOL };
    let _ = frame::write(&mut reader.into_inner(), &welcome, ANSWER_LIMIT).await;
    hello
}

async fn greet(greeter: &Greeter, host: &Host, kind: Kind, ca: &CaSet) -> (Result<(), GreetingError>, Hello) {
    let (near, far) = duplex(8);
    let broker = tokio::spawn(broker(far, kind, ca.clone()));
    let result = greeter.greet(host, near, kind).await.map(|_| ());
    (result, broker.await.unwrap())
}

#[tokio::test]
async fn the_first_set_with_the_fingerprint_is_pinned_and_no_other_is_accepted_after_it() {
    let ((host, _outbox), ca, other) = (host(), authorities(), authorities());
    let greeter =
        Greeter::new("agent".into(), trust(Pin::Fingerprint(ca.fingerprint())), Join::Token("s3cret".to_owned().into()));
    let (refused, _) = greet(&greeter, &host, Kind::Control, &other).await;
    assert!(matches!(refused, Err(GreetingError::Pin { .. })));
    assert!(host.standing().is_none(), "nothing is served for a broker that is not the pinned one");
    let (accepted, hello) = greet(&greeter, &host, Kind::Control, &ca).await;
    accepted.unwrap();
    assert_eq!(hello.join.unwrap().expose(), "s3cret");
    let (refused, hello) = greet(&greeter, &host, Kind::Control, &other).await;
    assert!(matches!(refused, Err(GreetingError::Pin { .. })));
    assert!(hello.join.is_none(), "a token that has been used is gone");
}

fn set(user: &PrivateKey, host: &PrivateKey) -> CaSet {
    let line = |key: &PrivateKey| vec![public_line(key.public_key()).unwrap()];
    CaSet { user: line(user), host: line(host) }
}

async fn led(greeter: &Greeter, host: &Host, kind: Kind, ca: &CaSet, chain: &Chain) -> (Result<(), GreetingError>, Hello) {
    let (near, far) = duplex(8);
    let (ca, chain) = (ca.clone(), Some(chain.clone()));
    let broker = tokio::spawn(async move { leading(far, kind, ca, chain).await });
    let result = greeter.greet(host, near, kind).await.map(|_| ());
    (result, broker.await.unwrap())
}

#[tokio::test]
async fn statements_of_the_pinned_set_are_followed_and_acknowledged_and_nobody_elses() {
    let (host, mut outbox) = host();
    let [user, vouching, user2, vouching2, thief] = [(); 5].map(|()| new_key().unwrap());
    let (old, new, theirs) = (set(&user, &vouching), set(&user2, &vouching2), set(&thief, &user2));
    let mut chain = Chain::new(old.clone().into());
    chain.statements.push(statement::sign(&chain.newest(), new.clone(), &user, &vouching).unwrap());
    let greeter = Greeter::new("agent".into(), trust(Pin::Fingerprint(old.fingerprint())), Join::Key);
    // Somebody in between: the true statement with another set beside it, a statement of the thief's, and one of half of the keys.
    let mut forged = chain.clone();
    forged.statements[0].set = theirs.clone();
    let mut own = Chain::new(set(&thief, &vouching2).into());
    own.statements.push(statement::sign(&own.newest(), theirs.clone(), &thief, &vouching2).unwrap());
    let grafted = Chain { base: chain.base.clone(), statements: own.statements.clone() };
    for (ca, chain) in [(&theirs, &chain), (&theirs, &forged), (&theirs, &own), (&theirs, &grafted)] {
        for kind in [Kind::Control, Kind::Data] {
            let (refused, _) = led(&greeter, &host, kind, ca, chain).await;
            assert!(matches!(refused, Err(GreetingError::Pin { .. })));
        }
    }
    assert!(host.standing().is_none() && outbox.try_recv().is_err());
    let (accepted, hello) = led(&greeter, &host, Kind::Control, &new, &chain).await;
    accepted.unwrap();
    assert_eq!(hello.ca, Some(old.fingerprint()));
    assert!(matches!(outbox.try_recv(), Ok(FromAgent::Trusts { ca }) if ca == new.fingerprint()));
    assert_eq!(*host.standing().unwrap().users, Authorities::of_users(&new).unwrap());
    // And not back, neither when it comes nor later.
    let (refused, hello) = greet(&greeter, &host, Kind::Control, &old).await;
    assert!(matches!(refused, Err(GreetingError::Pin { .. })));
    assert_eq!(hello.ca, Some(new.fingerprint()));
    assert!(matches!(greeter.follow(&host, &Chain::new(old.into())), Err(GreetingError::Pin { .. })));
    assert!(matches!(greeter.follow(&host, &grafted), Err(GreetingError::Pin { .. })));
    let third = set(&new_key().unwrap(), &new_key().unwrap());
    chain.statements.push(statement::sign(&chain.newest(), third.clone(), &user2, &vouching2).unwrap());
    greeter.follow(&host, &chain).unwrap();
    assert_eq!(*host.standing().unwrap().users, Authorities::of_users(&third).unwrap());
    assert!(matches!(outbox.try_recv(), Ok(FromAgent::Trusts { ca }) if ca == third.fingerprint()));
}

#[tokio::test]
async fn the_join_secret_never_goes_over_a_data_connection() {
    let ((host, _outbox), ca) = (host(), authorities());
    let greeter = Greeter::new("agent".into(), trust(ca.clone()), Join::Token("s3cret".to_owned().into()));
    let (accepted, hello) = greet(&greeter, &host, Kind::Data, &ca).await;
    accepted.unwrap();
    assert!(hello.join.is_none());
}

#[tokio::test]
async fn what_is_no_greeting_is_an_error_and_never_hangs() {
    let (host, _outbox) = host();
    let refused = frame::encode(&Answer::Refused(ErrorBody::new(ErrorCode::JoinRefused, "no")), HELLO_LIMIT).unwrap();
    let cases: [&[u8]; 6] =
        [b"", &[0, 0, 0, 9, b'"'], &[0xff; 8], b"HTTP/1.1 200 OK\r\n\r\n", &[0, 0, 0, 2, b'{', b'}'], &refused];
    for bytes in cases {
        let greeter = Greeter::new("agent".into(), trust(authorities()), Join::Key);
        let (near, mut far) = duplex(1024);
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        assert!(matches!(greeter.greet(&host, near, Kind::Control).await, Err(GreetingError::Frame(_))), "{bytes:?}");
    }
    let (near, mut far) = duplex(1024);
    let old = Challenge { protocol: 0, nonce: String::new(), time: 0 };
    frame::write(&mut far, &old, HELLO_LIMIT).await.unwrap();
    let greeter = Greeter::new("agent".into(), trust(authorities()), Join::Key);
    assert!(matches!(greeter.greet(&host, near, Kind::Control).await, Err(GreetingError::Version(_))));
}
