//! The other end of a session: what it must prove, and what it says when it leaves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use russh::Channel;
use russh::client::{self, ChannelOpenHandle, DisconnectReason, Handler, Msg};
use russh::keys::PublicKeyOrCertificate;
use tokio::sync::mpsc;

use super::{Gone, HostCause, SessionError};
use crate::client::trace::Trace;
use crate::clock::Clock;
use crate::ssh::cert::Refusal;
use crate::ssh::cert::host::HostCertificate;
use crate::ssh::{Authorities, CONTAINER_ENDED};

/// Judges the other end.
pub(crate) struct Host {
    expected: HostCertificate,
    authorities: Authorities,
    clock: Clock,
    name: String,
    farewell: Farewell,
    routes: Routes,
    trace: Trace,
}

/// A connection that comes from inside.
pub(crate) type Forwarded = Channel<Msg>;

/// Who takes the connections that come from inside, by the port there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(Arc<Mutex<HashMap<u16, mpsc::Sender<Forwarded>>>>);

impl Routes {
    /// Those to `port` go to `taker`.
    pub(crate) fn add(&self, port: u16, taker: mpsc::Sender<Forwarded>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(port, taker);
    }

    fn of(&self, port: u32) -> Option<mpsc::Sender<Forwarded>> {
        let port = u16::try_from(port).ok()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&port).cloned()
    }
}

impl Host {
    pub(crate) fn new(
        expected: HostCertificate,
        authorities: Authorities,
        clock: Clock,
        name: String,
        farewell: Farewell,
        routes: Routes,
        trace: Trace,
    ) -> Self {
        Self { expected, authorities, clock, name, farewell, routes, trace }
    }

    fn judge(&self, proof: &PublicKeyOrCertificate) -> Result<(), SessionError> {
        let PublicKeyOrCertificate::Certificate(certificate) = proof else { return Err(self.not_proven(HostCause::BareKey)) };
        match self.expected.check(certificate, &self.authorities, self.clock.now()) {
            Ok(()) => Ok(()),
            Err(Refusal::Window { now, after, before }) if before > after => {
                Err(SessionError::Clock { seconds: beside(now, after, before) })
            }
            Err(refusal) => Err(self.not_proven(HostCause::Refused(refusal))),
        }
    }

    fn not_proven(&self, cause: HostCause) -> SessionError {
        SessionError::HostNotProven { name: self.name.clone(), cause }
    }
}

/// How far `now` is from the window, in seconds: negative before it, positive after it. The certificate was made just now, so
/// this is how far the clock is off, less what the window allows.
fn beside(now: u64, after: u64, before: u64) -> i64 {
    let seconds = |from: u64, to: u64| i64::try_from(to.saturating_sub(from)).unwrap_or(i64::MAX);
    if now < after { -seconds(now, after) } else { seconds(before, now) }
}

impl Handler for Host {
    type Error = SessionError;

    async fn check_server_key(&mut self, proof: &PublicKeyOrCertificate) -> Result<bool, SessionError> {
        let judged = self.judge(proof);
        self.trace.event(|| match (&judged, proof) {
            (Ok(()), PublicKeyOrCertificate::Certificate(certificate)) => {
                format!("host certificate for {}, accepted", certificate.valid_principals().join(","))
            }
            _ => "the host is not accepted".to_owned(),
        });
        judged.map(|()| true)
    }

    async fn kex_done(&mut self, _: Option<&[u8]>, names: &russh::Names, _: &mut client::Session) -> Result<(), SessionError> {
        self.trace.event(|| format!("ssh: {} with {}", names.kex.as_ref(), names.cipher.as_ref()));
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut client::Session,
    ) -> Result<(), SessionError> {
        // To drop the reply is to refuse: what nobody asked for, and more than is taken.
        if let Some(Ok(place)) = self.routes.of(port).map(mpsc::Sender::try_reserve_owned) {
            reply.accept().await;
            place.send(channel);
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<SessionError>) -> Result<(), SessionError> {
        match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                self.farewell
                    .put(Reason { words: said.message, container_ended: said.reason_code as u32 == CONTAINER_ENDED as u32 });
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

/// What the other side said when it left, if it did.
#[derive(Debug, Clone)]
pub(crate) struct Farewell {
    said: Arc<Mutex<Option<Reason>>>,
    gone: Arc<Gone>,
}

/// Its words.
#[derive(Debug)]
struct Reason {
    words: String,
    container_ended: bool,
}

impl Farewell {
    /// Nothing said yet; `gone` is what is known about the container, should it turn out to have stopped.
    pub(crate) fn new(gone: Gone) -> Self {
        Self { said: Arc::default(), gone: Arc::new(gone) }
    }

    /// What was said, as the error that it is for the session in the container `name`.
    pub(crate) fn take(&self, name: &str) -> Option<SessionError> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(said.into_error(name, &self.gone))
    }

    fn put(&self, reason: Reason) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }
}

impl Reason {
    /// An agent that leaves without a word has only lost us.
    fn into_error(self, name: &str, gone: &Gone) -> SessionError {
        let (name, reason): (_, String) = (name.to_owned(), self.words.trim().chars().take(WORDS).collect());
        match self.container_ended {
            _ if reason.is_empty() => SessionError::Lost { name },
            true => SessionError::ContainerEnded { name, reason, gone: Box::new(gone.clone()) },
            false => SessionError::Ended { name, reason },
        }
    }
}

/// The most characters of a reason that are passed on: a sentence.
const WORDS: usize = 300;

#[cfg(test)]
mod tests {
    use russh::keys::ssh_key::PrivateKey;

    use super::*;
    use crate::proto::ContainerId;
    use crate::proto::ca::CaSet;
    use crate::ssh::cert::LIFETIME;
    use crate::ssh::{new_key, public_line};

    const NOW: u64 = 1_800_000_000;

    struct Scene {
        authority: PrivateKey,
        expected: HostCertificate,
        at: u64,
    }

    impl Scene {
        fn new() -> Self {
            let expected = HostCertificate { container: ContainerId::derived(&[b"web"]), as_typed: "web-7f9".parse().unwrap() };
            Self { authority: new_key().unwrap(), expected, at: NOW }
        }

        fn host(&self) -> Host {
            let line = public_line(self.authority.public_key()).unwrap();
            let authorities = Authorities::of_hosts(&CaSet { user: vec![line.clone()], host: vec![line] }).unwrap();
            let at = self.at;
            let farewell = Farewell::new(Gone { container: self.expected.container, origin: None });
            Host::new(
                self.expected.clone(),
                authorities,
                Clock::from_fn(move || at),
                "web-7f9".into(),
                farewell,
                Routes::default(),
                Trace::off(),
            )
        }

        fn proof(&self, what: &HostCertificate, authority: &PrivateKey) -> PublicKeyOrCertificate {
            let key = new_key().unwrap();
            let certificate = what.to_builder(key.public_key(), NOW, LIFETIME).unwrap().sign(authority).unwrap();
            PublicKeyOrCertificate::Certificate(certificate)
        }
    }

    #[test]
    fn only_a_certificate_for_the_container_by_the_pinned_authority_will_do() {
        let scene = Scene::new();
        assert!(scene.host().judge(&scene.proof(&scene.expected, &scene.authority)).is_ok());

        let cause = |proof: &PublicKeyOrCertificate| match scene.host().judge(proof) {
            Err(SessionError::HostNotProven { cause, .. }) => cause,
            other => panic!("{other:?}"),
        };
        let stranger = new_key().unwrap();
        assert_eq!(cause(&scene.proof(&scene.expected, &stranger)), HostCause::Refused(Refusal::Authority));
        let other = HostCertificate { container: ContainerId::derived(&[b"db"]), ..scene.expected.clone() };
        assert_eq!(cause(&scene.proof(&other, &scene.authority)), HostCause::Refused(Refusal::Principal));
        let bare = PublicKeyOrCertificate::PublicKey { key: scene.authority.public_key().clone(), hash_alg: None };
        assert_eq!(cause(&bare), HostCause::BareKey);
    }

    #[test]
    fn a_container_that_stopped_is_told_apart_from_every_other_end() {
        let farewell = Farewell::new(Gone { container: ContainerId::derived(&[b"web"]), origin: None });
        let said = |words: &str, container_ended| {
            farewell.put(Reason { words: words.into(), container_ended });
            farewell.take("web-7f9").unwrap()
        };
        assert!(matches!(said("its container has stopped", true), SessionError::ContainerEnded { .. }));
        assert!(matches!(said("locked", false), SessionError::Ended { .. }));
        assert!(matches!(said(" ", true), SessionError::Lost { .. }));
        assert!(farewell.take("web-7f9").is_none());
    }

    #[test]
    fn a_wrong_clock_is_told_apart_from_a_wrong_host() {
        for (at, expected) in [(NOW - 330, -300), (NOW + LIFETIME + 300, 300)] {
            let scene = Scene { at, ..Scene::new() };
            match scene.host().judge(&scene.proof(&scene.expected, &scene.authority)) {
                Err(SessionError::Clock { seconds }) => assert_eq!(seconds, expected),
                other => panic!("{other:?}"),
            }
        }
    }
}
