//! A control connection after its opening: reports up, commands down, silence ends it.
//!
//! When it ends its containers leave the list at once and its parked connections close. Sessions whose own connections still work
//! go on: losing this one proves nothing about them.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior};

use super::Presence;
use super::opening::{Opened, TAKEN};
use super::trust::Trust;
use crate::broker::State;
use crate::broker::audit::{Event, Journal};
use crate::broker::registry::{Asserted, Lease, Overstep, Registry, TooMany};
use crate::broker::relay::Sessions;
use crate::clock::Clock;
use crate::proto::agent::ChannelReport;
use crate::proto::agent::{CONTROL_PING, CONTROL_SILENCE, FRAME_LIMIT, FromAgent, FromBroker};
use crate::proto::ca::CaSet;
use crate::proto::frame::{self, FrameError, FrameReader};
use crate::proto::{ErrorBody, ErrorCode, SessionId};

/// Serves an opened control connection until it ends.
pub(super) async fn run(state: &State, mut opened: Opened, address: IpAddr) {
    let (agent, enrolment) = (opened.agent, opened.enrolment.clone());
    let connected = Event::AgentConnected {
        agent,
        name: enrolment.name.clone(),
        version: opened.hello.version.clone(),
        address: address.to_string(),
    };
    if let Err(error) = state.journal.append(connected).await {
        tracing::error!(%error, "an agent is sent away: its coming could not be written down");
        let message = "the audit journal cannot be written: come back";
        return opened.turn_away(ErrorBody::new(ErrorCode::Unavailable, message)).await;
    }
    let asserted =
        Asserted { agent, name: enrolment.name.clone(), asserts: enrolment.asserts, enrolled_at: enrolment.enrolled_at };
    let trust = Trust::new(&state.ca, opened.hello.ca.as_deref());
    let (presence, queue) = Presence::new(agent, enrolment.name, opened.key.clone(), opened.skew, trust, &state.agents.closing);
    let presence = Arc::new(presence);
    let Some(lease) = state.agents.enter(Arc::clone(&presence), || state.registry.attach(asserted)) else {
        note_gone(state, &presence, "another pod of its service account was quicker".to_owned()).await;
        return opened.turn_away(ErrorBody::new(ErrorCode::Unavailable, TAKEN)).await;
    };
    if let Err(error) = state.store.agent_came(agent, &state.instance).await {
        tracing::warn!(%error, agent = %presence.name, "the database did not take that an agent is connected");
    }
    let desk = Desk {
        presence: Arc::clone(&presence),
        lease,
        registry: &state.registry,
        sessions: &state.sessions,
        journal: &state.journal,
        clock: &state.clock,
        pace: Pace::default(),
        swept: &|session| {
            let (store, now) = (state.store.clone(), state.clock.now());
            tokio::spawn(async move {
                if let Err(error) = store.sweep_session(session, agent, now).await {
                    tracing::warn!(%error, %session, "the database did not take that nothing of a session is left");
                }
            });
        },
        set_of: &|fingerprint| state.ca.set_of(fingerprint),
        oversteps: Mutex::default(),
    };
    // An enrolment that was removed after it was looked up, and before there was a presence to expel, is missing by now.
    let enrolled = matches!(state.store.agent(agent).await, Ok(Some(_)));
    // The agent may dial its data connections as soon as it is welcomed, so that its presence has to be known before.
    let why = match enrolled {
        false => "its enrolment was removed, or cannot be looked up".to_owned(),
        true => match opened.welcome().await {
            Ok(()) => {
                // A rotation between the welcome's making and the agent's being here would have passed it by.
                if opened.is_outdated(&state.ca) {
                    presence.tell_authorities(&state.ca);
                }
                sweep(state, &presence).await;
                desk.serve(opened.reader, opened.writer, queue).await.to_string()
            }
            Err(error) => error.to_string(),
        },
    };
    let why = if state.agents.closing.is_cancelled() { "the broker was stopped".to_owned() } else { why };
    state.registry.detach(&desk.lease);
    state.agents.leave(&presence);
    // One that is here when the broker ends is waited for at its next start.
    if !state.shutdown.is_cancelled()
        && state.agents.connected(agent).is_none()
        && let Err(error) = state.store.agent_left(agent, &state.instance).await
    {
        tracing::warn!(%error, agent = %presence.name, "the database did not take that an agent has left");
    }
    tracing::info!(agent = %presence.name, %why, "an agent's control connection ended");
    note_gone(state, &presence, why).await;
}

async fn note_gone(state: &State, presence: &Presence, why: String) {
    let gone = Event::AgentGone { agent: presence.agent, name: presence.name.clone(), why };
    if let Err(error) = state.journal.append(gone).await {
        tracing::error!(%error, "an agent's going was not written down");
    }
}

/// Tells the agent of the sessions of whose end it has not told: it may have been started anew since.
async fn sweep(state: &State, presence: &Presence) {
    match state.store.unswept(presence.agent).await {
        Ok(unswept) => {
            for sessions in unswept.chunks(SWEEPS) {
                let _ = presence.tell(FromBroker::Sweep { sessions: sessions.to_vec() });
            }
        }
        Err(error) => tracing::error!(%error, "which sessions an agent has to end cannot be looked up"),
    }
}

/// Why a control connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The stream.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Nothing was heard for too long.
    #[error("nothing was heard of it for {0:?}")]
    Silent(Duration),
    /// A newer connection, the broker's end, or an agent that does not read.
    #[error("it was replaced, expelled or did not read")]
    Ended,
    /// More containers than are taken.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// How often to ask and how long to wait; a test has no eight seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) ping: Duration,
    pub(super) silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { ping: CONTROL_PING, silence: CONTROL_SILENCE }
    }
}

/// Where one agent's control connection is served.
pub(super) struct Desk<'a> {
    pub(super) presence: Arc<Presence>,
    pub(super) lease: Lease,
    pub(super) registry: &'a Registry,
    pub(super) sessions: &'a Sessions,
    pub(super) journal: &'a Journal,
    pub(super) clock: &'a Clock,
    pub(super) pace: Pace,
    /// Told when nothing is left of a session that has ended before.
    pub(super) swept: &'a (dyn Fn(SessionId) + Sync),
    /// The certificate authorities of today or of before with this fingerprint.
    pub(super) set_of: &'a (dyn Fn(&str) -> Option<CaSet> + Sync),
    /// What was reported beyond the enrolment so far.
    pub(super) oversteps: Mutex<HashSet<Overstep>>,
}

impl Desk<'_> {
    /// Reads and writes until something ends; says what.
    pub(super) async fn serve<R, W>(&self, reader: FrameReader<R>, writer: W, queue: mpsc::Receiver<FromBroker>) -> End
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        tokio::select! {
            end = self.read(reader) => end,
            end = write(writer, queue, self.pace.silence) => end,
            () = self.presence.gone.cancelled() => End::Ended,
        }
    }

    async fn read<R: AsyncRead + Unpin>(&self, mut reader: FrameReader<R>) -> End {
        let questions = Arc::new(Semaphore::new(QUESTIONS));
        let mut ping = tokio::time::interval(self.pace.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                // A frame that is there counts before the silence that it ends.
                biased;
                frame = reader.next::<FromAgent>() => {
                    heard = Instant::now();
                    let taken = match frame {
                        Ok(frame) => self.take(frame, &questions).await,
                        Err(error) => return error.into(),
                    };
                    if let Err(end) = taken {
                        return end;
                    }
                }
                _ = ping.tick() => {
                    if heard.elapsed() >= self.pace.silence {
                        return End::Silent(self.pace.silence);
                    }
                    if self.presence.tell(FromBroker::Ping).is_err() {
                        return End::Ended;
                    }
                }
                () = tokio::time::sleep_until(heard + self.pace.silence) => return End::Silent(self.pace.silence),
            }
        }
    }

    async fn take(&self, frame: FromAgent, questions: &Arc<Semaphore>) -> Result<(), End> {
        match frame {
            FromAgent::Snapshot { containers, more } => {
                let oversteps = self.registry.snapshot(&self.lease, containers, more)?;
                self.overstepped(oversteps).await;
            }
            FromAgent::Upsert { container } => {
                let overstep = self.registry.upsert(&self.lease, *container)?;
                self.overstepped(overstep).await;
            }
            FromAgent::Remove { runtime_id } => self.registry.remove(&self.lease, &runtime_id),
            FromAgent::Trusts { ca } => {
                // What was never ours is no news about what is.
                if let Some(set) = (self.set_of)(&ca) {
                    self.presence.trust.acknowledge(set);
                }
            }
            FromAgent::Pong { time } => self.presence.heard_time(time, self.clock.now()),
            FromAgent::Channel { request, session, channel } => self.question(request, session, channel, questions).await,
            FromAgent::Ended { session, outcome } => {
                match self.sessions.of_agent(self.presence.agent, session) {
                    Some(live) => live.report(outcome),
                    // Its end is written down already; now nothing of it is left either.
                    None => (self.swept)(session),
                }
            }
        }
        Ok(())
    }

    /// Writes down what the agent reported beyond its enrolment, each sort once: it may report it as often as it likes.
    async fn overstepped(&self, oversteps: impl IntoIterator<Item = Overstep>) {
        for overstep in oversteps {
            let new = {
                let mut known = self.oversteps.lock().unwrap_or_else(PoisonError::into_inner);
                known.len() < OVERSTEPS && known.insert(overstep.clone())
            };
            if new {
                tracing::warn!(agent = %self.presence.name, "an agent reports {overstep}; it is not listed");
                let (agent, name) = (self.presence.agent, self.presence.name.clone());
                let event = Event::AgentOverstepped { agent, name, what: overstep.to_string() };
                if let Err(error) = self.journal.append(event).await {
                    tracing::error!(%error, "what an agent may not report was not written down");
                }
            }
        }
    }

    /// Writes a channel down and then lets it run. While [`QUESTIONS`] of them are being written, reading waits.
    async fn question(&self, request: u64, session: SessionId, channel: ChannelReport, questions: &Arc<Semaphore>) {
        if self.sessions.of_agent(self.presence.agent, session).is_none() {
            let refused = Some("the broker knows no such session of this agent".to_owned());
            let _ = self.presence.tell(FromBroker::Acknowledge { request, refused });
            return;
        }
        let Ok(permit) = Arc::clone(questions).acquire_owned().await else {
            return;
        };
        let (journal, presence) = (self.journal.clone(), Arc::clone(&self.presence));
        tokio::spawn(async move {
            let written = journal.append(Event::ChannelOpened { session, channel }).await;
            let refused = written.err().map(|error| {
                tracing::error!(%error, %session, "a channel is refused: it could not be written down");
                "the broker could not write it down".to_owned()
            });
            let _ = presence.tell(FromBroker::Acknowledge { request, refused });
            drop(permit);
        });
    }
}

/// The connection's one writer.
async fn write<W: AsyncWrite + Unpin>(mut writer: W, mut queue: mpsc::Receiver<FromBroker>, limit: Duration) -> End {
    while let Some(command) = queue.recv().await {
        match tokio::time::timeout(limit, frame::write(&mut writer, &command, FRAME_LIMIT)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return End::Silent(limit),
        }
    }
    End::Ended
}

/// How many sorts of oversteps of one connection are written down.
const OVERSTEPS: usize = 16;

/// How many sessions one message tells of: a few of them fit a frame and the queue.
const SWEEPS: usize = 256;

/// How many channels of one agent may be on their way to the disk.
const QUESTIONS: usize = 32;
