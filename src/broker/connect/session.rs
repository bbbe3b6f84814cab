//! A session's own task: the client's upgrade, the reply, the agent's link, the bytes, and the end in the journal.

use std::sync::Arc;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use tokio::task::JoinHandle;

use crate::broker::State;
use crate::broker::agents::{self, Presence};
use crate::broker::audit::Event;
use crate::broker::relay::upgrade::{Link, Wanted};
use crate::broker::relay::{Finished, Seat};
use crate::broker::store::NewSession;
use crate::proto::agent::{FromBroker, LinkHeader, Outcome};
use crate::proto::api::{ConnectReply, REPLY_LIMIT};
use crate::proto::{ErrorBody, ErrorCode, frame};

/// Whether one more session of `user` (`name@idp`) is within their share of this broker. Those that begin at this moment are not counted
/// yet.
///
/// # Errors
/// `too_many_sessions`.
pub(super) async fn room(state: &State, user: &str) -> Result<(), ErrorBody> {
    let most = state.config.sessions_per_user;
    if state.sessions.has_room(user, usize::try_from(most).unwrap_or(usize::MAX), ENDING).await {
        return Ok(());
    }
    let plural = if most == 1 { "" } else { "s" };
    let message = format!("one person may have {most} session{plural} open at this broker, and you have");
    Err(ErrorBody::new(ErrorCode::TooManySessions, message))
}

/// A session that is written down, signed and announced.
pub(super) struct Session {
    pub(super) state: Arc<State>,
    pub(super) seat: Seat,
    pub(super) presence: Arc<Presence>,
    pub(super) reply: ConnectReply,
    pub(super) header: LinkHeader,
    pub(super) index: NewSession,
}

impl Session {
    /// Runs the session to its end and writes that down.
    pub(super) async fn run(self, wanted: Wanted, upgrade: OnUpgrade, link: Link) {
        let began = self.state.clock.now();
        let indexed = self.index();
        let finished = match tokio::join!(self.client(wanted, upgrade), self.agent(link)) {
            (Some(mut client), Some(mut agent)) => {
                let live = self.seat.live();
                let tell = async |reason: String| {
                    // The agent may have come anew since; without a control connection it sees the link end.
                    let now = self.state.agents.connected(live.agent()).unwrap_or_else(|| Arc::clone(&self.presence));
                    now.tell_patiently(FromBroker::Cut { session: live.session, reason }).await;
                };
                self.seat.carry(&mut client, &mut agent, &self.state.clock, tell).await
            }
            (None, _) => nothing_crossed(Outcome::Disconnected),
            (_, None) => nothing_crossed(Outcome::Refused { why: "the agent did not take the session".to_owned() }),
        };
        let seconds = self.state.clock.now().saturating_sub(began);
        ended(&self.state, &self.seat, finished, seconds).await;
        // Its beginning has to be in the database before its end can be.
        let _ = indexed.await;
        let (session, swept) = (self.seat.live().session, self.seat.live().is_reported());
        if let Err(error) = self.state.store.end_session(session, self.state.clock.now(), swept).await {
            tracing::warn!(%error, %session, "a session's end is in the journal only: the database did not take it");
        }
    }

    /// Notes the session in the database, which is the journal's index: the session does not wait for it.
    fn index(&self) -> JoinHandle<()> {
        let (state, index) = (Arc::clone(&self.state), self.index.clone());
        tokio::spawn(async move {
            let session = index.session;
            if let Err(error) = state.store.add_session(index).await {
                tracing::warn!(%error, %session, "a session is in the journal only: the database did not take it");
            }
        })
    }

    /// The client's end of the link, its reply already on the way: SSH can begin while the agent makes ready.
    async fn client(&self, wanted: Wanted, upgrade: OnUpgrade) -> Option<Link> {
        let opened = tokio::time::timeout(OPENING, async {
            let mut client = wanted.stream(upgrade).await.ok()?;
            frame::write(&mut client, &self.reply, REPLY_LIMIT).await.ok()?;
            Some(client)
        });
        opened.await.ok().flatten()
    }

    /// The agent's end: the connection that was taken, or another one if that was dead.
    async fn agent(&self, link: Link) -> Option<Link> {
        match agents::start(link, self.header.clone()).await {
            Ok(link) => Some(link),
            Err(error) => {
                tracing::debug!(%error, agent = %self.presence.name, "a parked connection was of no use");
                agents::start(self.presence.link().await?, self.header.clone()).await.ok()
            }
        }
    }
}

/// Writes down the end of a session that was authorised and then could not begin.
pub(super) async fn never_began(state: &State, seat: &Seat, why: &str) {
    ended(state, seat, nothing_crossed(Outcome::Refused { why: why.to_owned() }), 0).await;
}

fn nothing_crossed(outcome: Outcome) -> Finished {
    Finished { outcome, bytes_in: 0, bytes_out: 0, why: None }
}

async fn ended(state: &State, seat: &Seat, finished: Finished, seconds: u64) {
    let live = seat.live();
    let Finished { outcome, bytes_in, bytes_out, why } = finished;
    let event = Event::SessionEnded {
        session: live.session,
        user: live.user(),
        container: live.basis.container.id,
        outcome,
        why,
        bytes_in,
        bytes_out,
        seconds,
    };
    if let Err(error) = state.journal.append(event).await {
        tracing::error!(%error, session = %live.session, "a session's end was not written down");
    }
}

/// How long a session that is ending may stand in the way of the next one.
const ENDING: Duration = Duration::from_secs(1);

/// How long the client may take to see the 101 and take the reply.
const OPENING: Duration = Duration::from_secs(10);
