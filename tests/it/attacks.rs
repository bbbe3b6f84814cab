//! What the agent and the client refuse, each over a real link: certificates that are wrong in one way, sessions that were not
//! announced or were used, relays that change what they carry.
//!
//! The other attacks of SECURITY.md's table are beside: `requests`, `texts`; `table` holds the table itself against the sources.

mod requests;
mod table;
mod texts;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_key::Certificate;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ztctl::client::api::{Api, Link};
use ztctl::client::session::{Means, Session};
use ztctl::client::trace::Trace;
use ztctl::clock::Clock;
use ztctl::proto::{Action, ContainerId, SessionId, VariableNames};
use ztctl::ssh::cert::host::HostCertificate;
use ztctl::ssh::cert::user::UserCertificate;
use ztctl::ssh::{Authorities, PrivateKey, algorithms, new_key};

use crate::world::{Opened, RunningAgent, World, connect};

/// A world with one container, and its name.
async fn scene() -> (World, RunningAgent, Api, String) {
    let world = World::start().await;
    let agent = world.agent("web").await;
    let person = world.account("ada", &[]).await;
    drop(person);
    let api = world.api("ada").await;
    let name = loop {
        if let Some(row) = api.containers().await.unwrap().containers.first() {
            break row.name.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    (world, agent, api, name)
}

/// Accepts whatever host: these tests look at the other side.
pub struct Anybody;

impl client::Handler for Anybody {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

fn configuration() -> Arc<client::Config> {
    Arc::new(client::Config { preferred: algorithms::preferred(), ..client::Config::default() })
}

/// Tries to enter over `link` with `certificate`.
pub async fn enter(link: Link, user: &str, key: PrivateKey, certificate: Certificate) -> Result<Handle<Anybody>, String> {
    let limit = Duration::from_secs(20);
    let connected = tokio::time::timeout(limit, client::connect_stream(configuration(), link, Anybody)).await;
    let mut handle = connected.map_err(|_| "no handshake".to_owned())?.map_err(|error| error.to_string())?;
    let answer = tokio::time::timeout(limit, handle.authenticate_openssh_cert(user, Arc::new(key), certificate)).await;
    match answer.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())? {
        AuthResult::Success => Ok(handle),
        AuthResult::Failure { .. } => Err("refused".to_owned()),
    }
}

/// What the broker's certificate of `opened` says.
pub fn said(opened: &Opened) -> UserCertificate {
    UserCertificate {
        user: "ada@local".to_owned(),
        session: opened.reply.session,
        login: "default".parse().unwrap(),
        container: opened.reply.host_principal,
        actions: [Action::Shell].into_iter().collect(),
        force_command: None,
        deadline: opened.reply.deadline,
        record: false,
        env: VariableNames::default(),
        idle: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_brokers_certificate_opens_the_door_once() {
    let (_world, _agent, api, name) = scene().await;
    let opened = connect(&api, &name, &[Action::Shell]).await.unwrap();
    let certificate = Certificate::from_openssh(&opened.reply.certificate).unwrap();
    let key = opened.key.clone();
    let inside = enter(opened.link, "default", opened.key, certificate.clone()).await.expect("the door opens");
    // The same certificate over another session's link: its own session is used up, the other's is not its own.
    let second = connect(&api, &name, &[Action::Shell]).await.unwrap();
    assert_eq!(enter(second.link, "default", key, certificate).await.err().as_deref(), Some("refused"));
    drop(inside);
}

/// Each way in which a certificate can be wrong that russh alone would let pass, signed by the real user CA where that is not
/// the point.
#[tokio::test(flavor = "multi_thread")]
async fn each_bad_certificate_is_refused() {
    let (world, _agent, api, name) = scene().await;
    let ca = world.user_ca();
    let now = Clock::system().now();
    type Make = Box<dyn Fn(&Opened) -> Certificate>;
    let signed = |change: fn(&mut UserCertificate), at: i64, lifetime: u64| -> Make {
        let ca = ca.clone();
        Box::new(move |opened| {
            let mut certificate = said(opened);
            change(&mut certificate);
            let now = now.checked_add_signed(at).unwrap();
            certificate.to_builder(opened.key.public_key(), now, lifetime).unwrap().sign(&ca).unwrap()
        })
    };
    let built = |change: fn(&mut Builder)| -> Make {
        let ca = ca.clone();
        Box::new(move |opened| {
            let mut builder = said(opened).to_builder(opened.key.public_key(), now, 120).unwrap();
            change(&mut builder);
            builder.sign(&ca).unwrap()
        })
    };
    let foreign = move |opened: &Opened| {
        said(opened).to_builder(opened.key.public_key(), now, 120).unwrap().sign(&new_key().unwrap()).unwrap()
    };
    let host_ca = PrivateKey::read_openssh_file(world.state().join("ca/host_ca")).unwrap();
    let by_host_ca =
        move |opened: &Opened| said(opened).to_builder(opened.key.public_key(), now, 120).unwrap().sign(&host_ca).unwrap();
    let host_type = {
        let ca = ca.clone();
        move |opened: &Opened| {
            let host = HostCertificate { container: opened.reply.host_principal, as_typed: "x".parse().unwrap() };
            host.to_builder(opened.key.public_key(), now, 120).unwrap().sign(&ca).unwrap()
        }
    };
    let golden = {
        let ca = ca.clone();
        move |opened: &Opened| {
            let key = opened.key.public_key().clone();
            let mut builder = Builder::new_with_random_nonce(&mut rand::rng(), key, now - 30, now + 120).unwrap();
            builder.cert_type(CertType::User).unwrap().all_principals_valid().unwrap();
            builder.key_id(format!("ada@local/{}", opened.reply.session)).unwrap();
            builder.sign(&ca).unwrap()
        }
    };
    let cases: Vec<(&str, Make)> = vec![
        ("expired", signed(|_| {}, -200, 120)),
        ("not yet valid", signed(|_| {}, 100, 120)),
        ("valid for too long", signed(|_| {}, 0, 3600)),
        ("foreign CA", Box::new(foreign)),
        ("the host CA", Box::new(by_host_ca)),
        ("another login", signed(|certificate| certificate.login = "root".parse().unwrap(), 0, 120)),
        ("another container", signed(|certificate| certificate.container = ContainerId::random(), 0, 120)),
        ("a session that was not announced", signed(|certificate| certificate.session = SessionId::random(), 0, 120)),
        ("a passed deadline", signed(|certificate| certificate.deadline = 1, 0, 120)),
        ("host type", Box::new(host_type)),
        ("golden ticket", Box::new(golden)),
        (
            "unknown critical option",
            built(|builder| {
                let _ = builder.critical_option("made-up@ztctl", "x").unwrap();
            }),
        ),
        (
            "source-address",
            built(|builder| {
                let _ = builder.critical_option("source-address", "10.0.0.0/8").unwrap();
            }),
        ),
        (
            "a second principal",
            built(|builder| {
                let _ = builder.valid_principal("root@everything").unwrap();
            }),
        ),
    ];
    for (what, make) in cases {
        let opened = connect(&api, &name, &[Action::Shell]).await.unwrap();
        let certificate = make(&opened);
        let entered = enter(opened.link, "default", opened.key, certificate).await;
        assert!(entered.is_err(), "{what} was let in");
    }
    // And the control: what is right is let in, by the same road.
    let opened = connect(&api, &name, &[Action::Shell]).await.unwrap();
    let right = said(&opened).to_builder(opened.key.public_key(), now, 120).unwrap().sign(&ca).unwrap();
    enter(opened.link, "default", opened.key, right).await.expect("the control is let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_one_container_is_refused_at_another() {
    let (world, _agent, api, _) = scene().await;
    let _other = world.agent("db").await;
    let rows = loop {
        let rows = api.containers().await.unwrap().containers;
        if rows.len() == 2 {
            break rows;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let here = connect(&api, &rows[0].name, &[Action::Shell]).await.unwrap();
    let there = connect(&api, &rows[1].name, &[Action::Shell]).await.unwrap();
    let certificate = Certificate::from_openssh(&here.reply.certificate).unwrap();
    assert_eq!(enter(there.link, "default", here.key, certificate).await.err().as_deref(), Some("refused"));
}

/// What the client makes of a link: whether it accepts the host behind it.
async fn accepts(world: &World, opened: Opened, link: Link) -> bool {
    let hosts = Authorities::of_hosts(&world.ca).unwrap();
    let Opened { key, reply, .. } = opened;
    let (typed, login) = (reply.name.parse().unwrap(), "default".parse().unwrap());
    let means = Means { hosts, clock: Clock::system(), broker_ahead: 0, trace: Trace::off() };
    Session::over(link, reply, typed, &login, key, means).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_swaps_the_agent_is_noticed() {
    let (world, _agent, api, name) = scene().await;
    let _other = world.agent("db").await;
    let other = loop {
        let rows = api.containers().await.unwrap().containers;
        if let Some(row) = rows.iter().find(|row| row.name != name) {
            break row.name.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let mut asked = connect(&api, &name, &[Action::Shell]).await.unwrap();
    let swapped = connect(&api, &other, &[Action::Shell]).await.unwrap();
    let own = std::mem::replace(&mut asked.link, swapped.link);
    drop(own);
    let link = std::mem::replace(&mut asked.link, Box::new(tokio::io::duplex(1).0));
    assert!(!accepts(&world, asked, link).await);
    // The control.
    let mut asked = connect(&api, &name, &[Action::Shell]).await.unwrap();
    let link = std::mem::replace(&mut asked.link, Box::new(tokio::io::duplex(1).0));
    assert!(accepts(&world, asked, link).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_ca_is_noticed() {
    let (mut world, _agent, api, name) = scene().await;
    let mut asked = connect(&api, &name, &[Action::Shell]).await.unwrap();
    let link = std::mem::replace(&mut asked.link, Box::new(tokio::io::duplex(1).0));
    world.ca.host = vec![new_key().unwrap().public_key().to_openssh().unwrap()];
    assert!(!accepts(&world, asked, link).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_noticed() {
    let (world, _agent, api, name) = scene().await;
    // In the agent's key exchange, wherever the bit falls: the host's signature is over all of it.
    for position in [40, 300, 900, 1500] {
        let mut asked = connect(&api, &name, &[Action::Shell]).await.unwrap();
        let link = std::mem::replace(&mut asked.link, Box::new(tokio::io::duplex(1).0));
        let flipped: Link = Box::new(Flipped { link, position, read: 0 });
        assert!(!accepts(&world, asked, flipped).await, "bit at {position}");
    }
}

/// A relay that turns one bit of what the agent says.
struct Flipped {
    link: Link,
    position: usize,
    read: usize,
}

impl AsyncRead for Flipped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let start = buf.filled().len();
        let result = Pin::new(&mut self.link).poll_read(cx, buf);
        let fresh = &mut buf.filled_mut()[start..];
        if let Some(byte) = self.position.checked_sub(self.read).and_then(|at| fresh.get_mut(at)) {
            *byte ^= 1;
        }
        let length = fresh.len();
        self.read += length;
        result
    }
}

impl AsyncWrite for Flipped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.link).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.link).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.link).poll_shutdown(cx)
    }
}
