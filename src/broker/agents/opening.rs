//! The opening of an agent's connection: challenge, proof, enrolment, welcome.
//!
//! Nothing that an agent says is looked at, beyond bounded frames, before it has proved its key over this connection's nonce.

use std::net::IpAddr;

use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};

use crate::broker::State;
use crate::broker::audit::Event;
use crate::broker::ca::Authority;
use crate::broker::rate::{Limit, network};
use crate::broker::registry::harmless;
use crate::broker::relay::upgrade::Link;
use crate::broker::store::{EnrolError, Enrolment};
use crate::proto::agent::{ANSWER_LIMIT, Answer, Challenge, FRAME_LIMIT, HELLO_LIMIT, HELLO_TIMEOUT, Hello, Kind, Workload};
use crate::proto::frame::{self, FrameError, FrameReader};
use crate::proto::version::{PROTOCOL, negotiate};
use crate::proto::{AgentId, ErrorBody, ErrorCode};
use crate::ssh::{PublicKey, proof, public_key, public_line};

/// A connection whose agent is known.
pub(super) struct Opened {
    pub(super) reader: FrameReader<ReadHalf<Link>>,
    pub(super) writer: WriteHalf<Link>,
    pub(super) agent: AgentId,
    pub(super) key: PublicKey,
    pub(super) enrolment: Enrolment,
    pub(super) hello: Hello,
    pub(super) skew: i64,
    /// What the agent hears once there is a place for it: whoever is welcomed may rely on it.
    welcome: Answer,
}

impl Opened {
    /// Tells the agent that it is in.
    pub(super) async fn welcome(&mut self) -> Result<(), FrameError> {
        within(frame::write(&mut self.writer, &self.welcome, ANSWER_LIMIT)).await
    }

    /// Whether what the agent is welcomed with is not what it should trust any more.
    pub(super) fn is_outdated(&self, authority: &Authority) -> bool {
        let today = if self.hello.ca.is_some() { authority.set() } else { authority.plain_set() };
        !matches!(&self.welcome, Answer::Welcome { ca, .. } if *ca == today)
    }

    /// Tells the agent that it is not, after all.
    pub(super) async fn turn_away(mut self, body: ErrorBody) {
        refuse(&mut self.writer, body).await;
    }
}

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    /// The stream.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The agent was turned away.
    #[error("{0}")]
    Refused(ErrorBody),
}

/// An agent that has proved its key.
#[derive(Debug)]
pub(super) struct Proved {
    /// Who it is by this key.
    pub(super) agent: AgentId,
    pub(super) key: PublicKey,
    pub(super) hello: Hello,
    pub(super) protocol: u32,
}

/// Opens `link` for `kind`, whole within [`HELLO_TIMEOUT`] for the agent's part.
pub(super) async fn run(state: &State, kind: Kind, link: Link, address: IpAddr) -> Result<Opened, NotOpened> {
    let (reader, mut writer) = tokio::io::split(link);
    let mut reader = FrameReader::new(reader, HELLO_LIMIT);
    // Whoever has not said who it is does not hold up the broker's end.
    let challenged = state.agents.closing.run_until_cancelled(challenge(&mut reader, &mut writer, kind, state.clock.now()));
    let proved = match challenged.await.unwrap_or(Err(FrameError::Closed.into())) {
        Ok(proved) => proved,
        Err(NotOpened::Refused(body)) => return Err(refuse(&mut writer, body).await),
        Err(error) => return Err(error),
    };
    let now = state.clock.now();
    let enrolment = match enrolment(state, kind, &proved, address).await {
        Ok(enrolment) => enrolment,
        Err(body) => return Err(refuse(&mut writer, body).await),
    };
    let Proved { key, hello, protocol, .. } = proved;
    let agent = enrolment.agent;
    let (ca, chain) = match &hello.ca {
        None => (state.ca.plain_set(), None),
        Some(trusted) => {
            let chain = state.ca.chain_from(trusted);
            (chain.newest().set, Some(chain).filter(|chain| !chain.statements.is_empty()))
        }
    };
    let welcome = Answer::Welcome { agent, name: enrolment.name.clone(), ca, chain, protocol };
    let reader = FrameReader::new(reader.into_inner(), FRAME_LIMIT);
    let skew = super::skew(hello.time, now);
    Ok(Opened { reader, writer, agent, key, enrolment, hello, skew, welcome })
}

/// Sends the challenge and takes the proof.
pub(super) async fn challenge<R, W>(
    reader: &mut FrameReader<R>,
    writer: &mut W,
    kind: Kind,
    now: u64,
) -> Result<Proved, NotOpened>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let nonce = rand::random::<[u8; 32]>().iter().fold(String::with_capacity(64), |text, byte| text + &format!("{byte:02x}"));
    let challenge = Challenge { protocol: PROTOCOL, nonce: nonce.clone(), time: now };
    within(frame::write(writer, &challenge, HELLO_LIMIT)).await?;
    let hello: Hello = reader.next_within(HELLO_TIMEOUT).await?;
    let refused = |code, message: String| NotOpened::Refused(ErrorBody::new(code, message));
    let protocol = negotiate(hello.protocol).map_err(|mismatch| refused(ErrorCode::VersionMismatch, mismatch.to_string()))?;
    let key = public_key(&hello.public_key).map_err(|error| refused(ErrorCode::InvalidRequest, error.to_string()))?;
    proof::verify(&key, kind, &nonce, &hello.signature).map_err(|error| refused(ErrorCode::JoinRefused, error.to_string()))?;
    let wire = key.to_bytes().map_err(|error| refused(ErrorCode::InvalidRequest, error.to_string()))?;
    Ok(Proved { agent: AgentId::of_key(&wire), key, hello, protocol })
}

/// The agent's enrolment; on a control connection a new one, with a join token or with the proof of where the agent runs.
async fn enrolment(state: &State, kind: Kind, proved: &Proved, address: IpAddr) -> Result<Enrolment, ErrorBody> {
    if let (Kind::Control, Some(workload)) = (kind, &proved.hello.workload) {
        return by_workload(state, proved, workload, address).await;
    }
    // Whoever has proved where it runs is known by its key for as long as it is here.
    let by_presence = state.agents.of_key(&proved.key).filter(|_| kind == Kind::Data);
    let agent = by_presence.unwrap_or(proved.agent);
    if let Some(enrolment) = state.store.agent(agent).await.map_err(|error| unavailable(&error))? {
        return Ok(enrolment);
    }
    let name = name_of(&proved.hello);
    let (Kind::Control, Some(secret)) = (kind, &proved.hello.join) else {
        return Err(turned_away(
            state,
            name,
            address,
            "this agent is not enrolled: give it a join token of `ztbroker token create --join`",
        )
        .await);
    };
    let hash: [u8; 32] = Sha256::digest(secret.expose().as_bytes()).into();
    let line = public_line(&proved.key).map_err(|error| ErrorBody::new(ErrorCode::InvalidRequest, error.to_string()))?;
    let now = state.clock.now();
    let enrolment = match state.store.enrol_agent(hash, proved.agent, &line, &name, now).await {
        Ok(enrolment) => enrolment,
        Err(EnrolError::Store(error)) => return Err(unavailable(&error)),
        Err(why) => {
            let why = format!("{why}: make a new one with `ztbroker token create --join`");
            return Err(turned_away(state, name, address, &why).await);
        }
    };
    joined(state, &enrolment, address, None).await?;
    Ok(enrolment)
}

/// The enrolment of an agent that proves where it runs, and has to prove it each time that it comes.
async fn by_workload(state: &State, proved: &Proved, workload: &Workload, address: IpAddr) -> Result<Enrolment, ErrorBody> {
    let now = state.clock.now();
    let known = match state.clusters.prove(&workload.cluster, workload.token.expose(), now).await {
        Ok(known) => known,
        Err(why) => return Err(turned_away(state, name_of(&proved.hello), address, &why.to_string()).await),
    };
    if state.agents.is_taken(known.agent, &proved.key) {
        return Err(ErrorBody::new(ErrorCode::Unavailable, TAKEN));
    }
    let line = public_line(&proved.key).map_err(|error| ErrorBody::new(ErrorCode::InvalidRequest, error.to_string()))?;
    let enrolment =
        Enrolment { agent: known.agent, public_key: line, name: known.name, asserts: known.asserts, enrolled_at: now };
    let (enrolment, is_new) = state.store.enrol_workload(enrolment).await.map_err(|error| unavailable(&error))?;
    if is_new {
        joined(state, &enrolment, address, Some(known.account)).await?;
    }
    Ok(enrolment)
}

async fn joined(state: &State, enrolment: &Enrolment, address: IpAddr, account: Option<String>) -> Result<(), ErrorBody> {
    let (agent, name) = (enrolment.agent, enrolment.name.clone());
    let event = Event::AgentJoined { agent, name, address: address.to_string(), account };
    state.journal.append(event).await.map(drop).map_err(|error| unavailable(&error))
}

fn unavailable(error: &dyn std::fmt::Display) -> ErrorBody {
    tracing::error!(%error, "an agent's enrolment could not be looked up or written down");
    ErrorBody::new(ErrorCode::Unavailable, "the broker cannot look up enrolments right now")
}

fn name_of(hello: &Hello) -> String {
    match harmless(hello.name.trim()) {
        name if name.is_empty() => "agent".to_owned(),
        name => name.chars().take(NAME).collect(),
    }
}

/// Whoever has no more than a network can make a key and be refused, as often as it likes: the journal, which nothing starts
/// without, is not filled by that.
async fn turned_away(state: &State, name: String, address: IpAddr, why: &str) -> ErrorBody {
    if state.limits.attempt(Limit::Refusal, &network(address), state.clock.now()).is_err() {
        tracing::debug!(%address, %name, %why, "an agent's refusal is not written down: there were many from its address");
        return ErrorBody::new(ErrorCode::JoinRefused, why);
    }
    let event = Event::AgentRefused { name, address: address.to_string(), why: why.to_owned() };
    if let Err(error) = state.journal.append(event).await {
        tracing::error!(%error, "an agent's refusal was not written down");
    }
    ErrorBody::new(ErrorCode::JoinRefused, why)
}

/// Tells the agent; whether it hears it changes nothing.
async fn refuse<W: AsyncWrite + Unpin>(writer: &mut W, body: ErrorBody) -> NotOpened {
    let _ = within(frame::write(writer, &Answer::Refused(body.clone()), HELLO_LIMIT)).await;
    NotOpened::Refused(body)
}

async fn within(write: impl Future<Output = Result<(), FrameError>>) -> Result<(), FrameError> {
    tokio::time::timeout(HELLO_TIMEOUT, write).await.map_err(|_| FrameError::Timeout(HELLO_TIMEOUT))?
}

/// What the second pod of one service account hears. It comes back, and has the place when the first has left.
pub(super) const TAKEN: &str = "another pod of this service account is connected: this one waits until it leaves";

/// The most letters of an agent's name.
const NAME: usize = 64;

#[cfg(test)]
mod unit {
    use super::*;
    use crate::broker::audit::Query;
    use crate::broker::{Broker, Config};
    use crate::clock::Clock;

    #[tokio::test]
    async fn strangers_do_not_fill_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.cedar");
        std::fs::write(&policy, "@id(\"all\") permit (principal, action, resource);").unwrap();
        let config = Config::dev(folder.path().join("state"), "127.0.0.1:1".parse().unwrap(), policy);
        let broker = Broker::open(config, Clock::from_fn(|| 1_800_000_000)).await.unwrap();
        let (state, address) = (&broker.state, "192.0.2.1".parse().unwrap());
        while state.limits.attempt(Limit::Refusal, &network(address), state.clock.now()).is_ok() {}
        for from in [address, address, "192.0.2.2".parse().unwrap()] {
            let body = turned_away(state, "stranger".to_owned(), from, "not enrolled").await;
            assert_eq!(body.code, ErrorCode::JoinRefused);
        }
        let records = state.journal.read(Query::default()).await.unwrap();
        let written = records.iter().filter(|record| matches!(record.event, Event::AgentRefused { .. }));
        assert_eq!(written.count(), 1, "only the one from elsewhere");
    }
}
