//! The agents that are connected: the two endpoints that they dial, and who is present.
//!
//! One control connection an agent, a newer one replacing the older; beside it parked data connections that wait for a session.
//! Both are opened by a proof of the agent's key ([`opening`]).

mod control;
mod opening;
mod parked;
mod trust;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State as Extracted};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::State;
use super::crowd::Crowd;
use super::relay::{
    self,
    upgrade::{Link, Wanted},
};
use crate::broker::http;
use crate::proto::agent::{FromBroker, HELLO_TIMEOUT, Kind};
use crate::proto::version::AGENT_UPGRADE;
use crate::proto::{AgentId, ErrorBody, ErrorCode};
use crate::ssh::PublicKey;

use parked::Parked;
use trust::Trust;

pub(super) use parked::start;

/// Who is present.
#[derive(Debug)]
pub(crate) struct Agents {
    present: Mutex<HashMap<AgentId, Arc<Presence>>>,
    /// How many connections may be in their opening at once; one more is told to come back.
    openings: Arc<Crowd>,
    closing: CancellationToken,
    /// The connections: those that control an agent have something to write down when they end.
    served: TaskTracker,
}

/// One agent while its control connection lives.
#[derive(Debug)]
pub(crate) struct Presence {
    pub(crate) agent: AgentId,
    /// The name under which it enrolled.
    pub(crate) name: String,
    /// Its key, which host certificates are made for.
    pub(crate) key: PublicKey,
    /// How many seconds its clock is ahead of ours.
    skew: AtomicI64,
    /// To its control connection's one writer.
    commands: mpsc::Sender<FromBroker>,
    /// Whether it is about to go, and only ends what it serves.
    leaving: AtomicBool,
    /// Ends the control connection, and with it everything that is parked.
    gone: CancellationToken,
    parked: Parked,
    /// Whom it trusts.
    pub(crate) trust: Trust,
}

/// The agent cannot be told: its connection has ended, or ends now because it does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent's control connection has ended")]
pub(crate) struct Gone;

impl Default for Agents {
    fn default() -> Self {
        let openings = Crowd::new("openings of agents", OPENINGS, OPENINGS_OF_ONE);
        Self { present: Mutex::default(), openings, closing: CancellationToken::new(), served: TaskTracker::new() }
    }
}

impl Agents {
    /// The agent, if it is present and not about to go.
    pub(crate) fn present(&self, agent: AgentId) -> Option<Arc<Presence>> {
        self.lock().get(&agent).filter(|presence| presence.is_here()).cloned()
    }

    /// The agent, if it can be told something, though it may be about to go.
    pub(crate) fn connected(&self, agent: AgentId) -> Option<Arc<Presence>> {
        self.lock().get(&agent).filter(|presence| !presence.gone.is_cancelled()).cloned()
    }

    /// The agent that is present with this key.
    fn of_key(&self, key: &PublicKey) -> Option<AgentId> {
        self.lock().values().find(|presence| presence.is_here() && presence.key == *key).map(|presence| presence.agent)
    }

    /// Whether the agent is present with another key than this: one at a time has its place.
    fn is_taken(&self, agent: AgentId, key: &PublicKey) -> bool {
        self.present(agent).is_some_and(|presence| presence.key != *key)
    }

    /// Ends an agent's connections: its enrolment was removed. From now on it serves nobody new; those whom it still serves it may tell
    /// why they are cut.
    pub(crate) fn expel(&self, agent: AgentId) {
        if let Some(presence) = self.present(agent) {
            presence.leaving.store(true, Relaxed);
            tokio::spawn(async move {
                tokio::time::sleep(relay::GRACE).await;
                presence.gone.cancel();
            });
        }
    }

    /// Ends every connection and lets no new one in.
    pub(crate) fn shut_down(&self) {
        self.closing.cancel();
        self.served.close();
    }

    /// After [`shut_down`](Self::shut_down): returns when all that is to be written down of the connections has been.
    pub(crate) async fn ended(&self) {
        self.served.wait().await;
    }

    /// Lets `presence` in; an older connection of the same agent ends, unless it has another key: then there is no place. `attach`
    /// runs in the same moment, so that of two connections the one that is present is the one that may report.
    fn enter<T>(&self, presence: Arc<Presence>, attach: impl FnOnce() -> T) -> Option<T> {
        let mut present = self.lock();
        if present.get(&presence.agent).is_some_and(|older| older.is_here() && older.key != presence.key) {
            return None;
        }
        if let Some(older) = present.insert(presence.agent, presence) {
            older.gone.cancel();
        }
        Some(attach())
    }

    /// Takes `presence` out, unless a newer connection has taken its place.
    fn leave(&self, presence: &Arc<Presence>) {
        presence.gone.cancel();
        let mut present = self.lock();
        if present.get(&presence.agent).is_some_and(|current| Arc::ptr_eq(current, presence)) {
            present.remove(&presence.agent);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AgentId, Arc<Presence>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    fn new(
        agent: AgentId,
        name: String,
        key: PublicKey,
        skew: i64,
        trust: Trust,
        closing: &CancellationToken,
    ) -> (Self, mpsc::Receiver<FromBroker>) {
        let (commands, queue) = mpsc::channel(COMMANDS);
        let (skew, gone) = (AtomicI64::new(skew), closing.child_token());
        (
            Self { agent, name, key, skew, commands, leaving: AtomicBool::default(), gone, parked: Parked::default(), trust },
            queue,
        )
    }

    /// Sends `command`. An agent that lets [`COMMANDS`] of them pile up does not read: it is dropped and may come back.
    pub(crate) fn tell(&self, command: FromBroker) -> Result<(), Gone> {
        self.commands.try_send(command).map_err(|_| {
            self.gone.cancel();
            Gone
        })
    }

    /// The same for one of very many that may be sent in the same moment: waits for room, for as long as its caller has patience.
    pub(crate) async fn tell_patiently(&self, command: FromBroker) {
        // It fails only when the connection has ended.
        let _ = self.commands.send(command).await;
    }

    fn is_here(&self) -> bool {
        !self.gone.is_cancelled() && !self.leaving.load(Relaxed)
    }

    /// How many seconds the agent's clock is ahead of ours; negative when behind.
    pub(crate) fn skew(&self) -> i64 {
        self.skew.load(Relaxed)
    }

    /// A data connection to the agent, or none in time.
    pub(crate) async fn link(&self) -> Option<Link> {
        self.parked.take(&self.gone).await
    }

    fn heard_time(&self, theirs: u64, ours: u64) {
        self.skew.store(skew(theirs, ours), Relaxed);
    }
}

/// `GET /v1/agent/control`.
pub(crate) async fn control(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    accept(state, Kind::Control, request)
}

/// `GET /v1/agent/data`.
pub(crate) async fn data(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    accept(state, Kind::Data, request)
}

fn accept(state: Arc<State>, kind: Kind, mut request: Request) -> Response {
    let wanted = match Wanted::from_headers(request.headers(), AGENT_UPGRADE) {
        Ok(wanted) => wanted,
        Err(refused) => return refused.into_response(),
    };
    let address = http::client_address(&state, &request);
    let openings = &state.agents.openings;
    let Some(opening) = openings.vacancy_now().and_then(|vacancy| openings.seat(vacancy, Some(address))) else {
        return ErrorBody::new(ErrorCode::Unavailable, "too many agents are connecting at once: come back").into_response();
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let response = wanted.response().into_response();
    let serving = Arc::clone(&state);
    serving.agents.served.spawn(async move {
        let Ok(Ok(link)) = tokio::time::timeout(HELLO_TIMEOUT, wanted.stream(upgrade)).await else {
            return;
        };
        let opened = match opening::run(&state, kind, link, address).await {
            Ok(opened) => opened,
            Err(error) => return tracing::debug!(%address, %error, "an agent's connection was not opened"),
        };
        drop(opening);
        match kind {
            Kind::Control => control::run(&state, opened, address).await,
            Kind::Data => parked::run(&state, opened).await,
        }
    });
    response
}

fn skew(theirs: u64, ours: u64) -> i64 {
    i64::try_from(i128::from(theirs) - i128::from(ours)).unwrap_or(i64::MAX)
}

/// The most commands that wait for an agent to read them.
const COMMANDS: usize = 64;

/// The most connections that are in their opening at once: after a restart every agent of a cluster comes at the same time.
const OPENINGS: usize = 1024;

/// And how many of them one address may have: whoever opens and says nothing holds a place for ten seconds.
const OPENINGS_OF_ONE: usize = 256;
