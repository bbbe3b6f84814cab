//! Live sessions: the bytes between client and agent, which the relay cannot read, and everything that ends them.
//!
//! A session ends when either side does, at its deadline, or when it is cut. The agent is told and gets a moment to tell the user;
//! then both streams are dropped, whatever the agent does. The end is written down with what crossed.

mod quiet;
pub mod upgrade;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::policy::Basis;
use crate::clock::Clock;
use crate::pipe::{self, Counts};
use crate::proto::agent::Outcome;
use crate::proto::{AgentId, SessionId};

use upgrade::Link;

/// The sessions that are alive.
#[derive(Debug, Default)]
pub struct Sessions {
    live: Mutex<HashMap<SessionId, Arc<Live>>>,
    /// How many were ever taken in.
    admitted: AtomicU64,
    /// How many of them each person has, by `name@idp`.
    of_user: Mutex<HashMap<String, usize>>,
    /// How often live sessions were looked through to end some.
    purges: AtomicU64,
    /// Wakes whoever waits for one to end.
    ended: Notify,
}

/// One live session.
#[derive(Debug)]
pub struct Live {
    /// The session.
    pub session: SessionId,
    /// What it was granted on: who, in which container and whose agent, as whom.
    pub basis: Basis,
    /// How many were taken in before it: several begin in one second, and a clock may be set back.
    place: u64,
    /// When it ends at the latest, in seconds since 1970.
    deadline: watch::Sender<u64>,
    /// After how long without anything happening it ends.
    idle: Option<Duration>,
    /// Why it was cut, once it is.
    cut: watch::Sender<Option<String>>,
    /// What the agent said about its end.
    outcome: watch::Sender<Option<Outcome>>,
}

/// What a finished session was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// From the client to the container.
    pub bytes_in: u64,
    /// From the container to the client.
    pub bytes_out: u64,
    /// Why it was ended, where it did not end by itself.
    pub why: Option<String>,
}

/// A session's place among the live ones; it leaves when this is dropped, whichever way its task ends.
#[derive(Debug)]
pub struct Seat {
    sessions: Arc<Sessions>,
    live: Arc<Live>,
    /// Whether it counts in its person's share.
    counts: AtomicBool,
}

impl Sessions {
    /// Takes a session in, which ends at `deadline` (seconds since 1970) and after `idle` without anything happening.
    pub fn admit(self: &Arc<Self>, session: SessionId, basis: Basis, deadline: u64, idle: Option<Duration>) -> Seat {
        let live = Arc::new(Live {
            session,
            basis,
            place: self.admitted.fetch_add(1, SeqCst),
            deadline: watch::Sender::new(deadline),
            idle,
            cut: watch::Sender::new(None),
            outcome: watch::Sender::new(None),
        });
        *self.counts().entry(live.user()).or_default() += 1;
        self.lock().insert(session, Arc::clone(&live));
        Seat { sessions: Arc::clone(self), live, counts: AtomicBool::new(true) }
    }

    /// The session, if it is alive and this agent's.
    pub fn of_agent(&self, agent: AgentId, session: SessionId) -> Option<Arc<Live>> {
        self.lock().get(&session).filter(|live| live.agent() == agent).cloned()
    }

    /// Those of `user` (`name@idp`) that nobody has cut, the oldest first.
    pub fn of_user(&self, user: &str) -> Vec<Arc<Live>> {
        let mut own = self.all();
        own.retain(|live| live.user() == user);
        own
    }

    /// Those that nobody has cut, the oldest first.
    pub fn all(&self) -> Vec<Arc<Live>> {
        let mut all: Vec<_> = self.lock().values().filter(|live| live.cut.borrow().is_none()).cloned().collect();
        all.sort_unstable_by_key(|live| live.place);
        all
    }

    /// Whether `user` (`name@idp`) has fewer than `most` in which bytes still go, now or within `patience`: whoever ends one and begins
    /// the next is not to be held up by the end's last words.
    pub async fn has_room(&self, user: &str, most: usize, patience: Duration) -> bool {
        let waiting = async {
            loop {
                let ended = self.ended.notified();
                if self.counts().get(user).copied().unwrap_or(0) < most {
                    return;
                }
                ended.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.is_ok()
    }

    /// Ends a session; `reason` is what the user reads. False when there is no such session.
    pub fn cut(&self, session: SessionId, reason: &str) -> bool {
        self.lock().get(&session).map(|live| live.cut(reason)).is_some()
    }

    /// Ends every session of `user` (`name@idp`).
    pub fn cut_user(&self, user: &str, reason: &str) {
        self.purge(|live| live.user() == user, reason);
    }

    /// Ends every session that `agent` serves.
    pub fn cut_agent(&self, agent: AgentId, reason: &str) {
        self.purge(|live| live.agent() == agent, reason);
    }

    /// The live sessions, for whoever looks for some to end: see [`Sessions::purges`].
    pub fn recall(&self) -> Vec<Arc<Live>> {
        let live = self.lock();
        // Under the lock: whoever is admitted later sees it.
        self.purges.fetch_add(1, SeqCst);
        live.values().cloned().collect()
    }

    /// Those that stand on approvals. Whoever looks through them comes again, so that none slips through.
    pub fn approved(&self) -> Vec<Arc<Live>> {
        self.lock().values().filter(|live| !live.basis.approvals.is_empty()).cloned().collect()
    }

    /// How often live sessions were looked through to end some. Who judges a request, then admits its session and finds this
    /// changed must judge again: the session was not there yet to be ended.
    pub fn purges(&self) -> u64 {
        self.purges.load(SeqCst)
    }

    fn purge(&self, which: impl Fn(&Live) -> bool, reason: &str) {
        for live in self.recall().iter().filter(|live| which(live)) {
            live.cut(reason);
        }
    }

    /// Ends all sessions.
    pub fn cut_all(&self, reason: &str) {
        for live in self.recall() {
            live.cut(reason);
        }
    }

    /// How many are alive.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Waits until none is alive, at most `limit`.
    pub async fn drained(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, async {
            loop {
                let ended = self.ended.notified();
                if self.count() == 0 {
                    return;
                }
                ended.await;
            }
        })
        .await;
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.of_user.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// The agent that serves it; nobody else may speak about it.
    pub fn agent(&self) -> AgentId {
        self.basis.container.agent
    }

    /// Who: `name@idp`.
    pub fn user(&self) -> String {
        self.basis.caller.user()
    }

    /// When it ends at the latest, in seconds since 1970.
    pub fn deadline(&self) -> u64 {
        *self.deadline.borrow()
    }

    /// Brings the deadline forward; it never moves back.
    pub fn shorten(&self, deadline: u64) {
        self.deadline.send_if_modified(|current| {
            let earlier = deadline < *current;
            *current = deadline.min(*current);
            earlier
        });
    }

    /// Ends this session; the first reason counts. Says whether this was it.
    pub fn cut(&self, reason: &str) -> bool {
        self.cut.send_if_modified(|cut| {
            let first = cut.is_none();
            if first {
                *cut = Some(reason.to_owned());
            }
            first
        })
    }

    /// Takes the agent's word for how it ended; the first counts.
    pub fn report(&self, outcome: Outcome) {
        self.outcome.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                *known = Some(outcome);
            }
            first
        });
    }

    /// Whether the agent has told how it ended.
    pub fn is_reported(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    /// Resolves to the reason when the session is cut.
    pub async fn cut_reason(&self) -> String {
        let mut cut = self.cut.subscribe();
        match cut.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    async fn reported(&self, limit: Duration) -> Option<Outcome> {
        let mut outcome = self.outcome.subscribe();
        let reported = tokio::time::timeout(limit, outcome.wait_for(Option::is_some)).await;
        reported.ok()?.ok()?.clone()
    }
}

impl Seat {
    /// The session.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Carries bytes until the session ends. `tell_agent` passes the reason of a cut on.
    pub async fn carry(
        &self,
        client: &mut Link,
        agent: &mut Link,
        clock: &Clock,
        tell_agent: impl AsyncFnOnce(String),
    ) -> Finished {
        let counts = Counts::default();
        let forced = {
            let mut joined = std::pin::pin!(pipe::join(client, agent, &counts));
            tokio::select! {
                _ = &mut joined => None,
                (outcome, reason) = self.must_end(clock, &counts) => {
                    // The agent ends the session in words that SSH can carry; one that does not is left behind.
                    let leave = async {
                        tell_agent(reason.clone()).await;
                        joined.await
                    };
                    let _ = tokio::time::timeout(GRACE, leave).await;
                    Some((outcome, reason))
                }
            }
        };
        self.free();
        let (outcome, why) = match forced {
            Some((outcome, why)) => (outcome, Some(why)),
            None => (self.live.reported(REPORT).await.unwrap_or(Outcome::Disconnected), None),
        };
        Finished { outcome, bytes_in: counts.forth(), bytes_out: counts.back(), why }
    }

    /// Gives its place in its person's share back; once.
    fn free(&self) {
        if self.counts.swap(false, SeqCst) {
            if let Entry::Occupied(mut count) = self.sessions.counts().entry(self.live.user()) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
            self.sessions.ended.notify_waiters();
        }
    }

    async fn must_end(&self, clock: &Clock, counts: &Counts) -> (Outcome, String) {
        tokio::select! {
            () = self.deadline(clock) => (Outcome::Deadline, "the session's time is over".to_owned()),
            reason = self.live.cut_reason() => (Outcome::Cut, reason),
            () = quiet::quiet(counts, self.live.idle) => (Outcome::Idle, "nothing has happened in it for too long".to_owned()),
        }
    }

    /// Returns at the deadline, which may come forward while it is waited for.
    async fn deadline(&self, clock: &Clock) {
        let mut deadline = self.live.deadline.subscribe();
        loop {
            let left = deadline.borrow_and_update().saturating_sub(clock.now());
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(left)) => return,
                // The sender is in the session itself, so that this is a change.
                _ = deadline.changed() => {}
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.live.session);
        self.free();
        self.sessions.ended.notify_waiters();
    }
}

/// How long the agent has, after a cut or the deadline, to say so to the user: whoever is locked out has no byte after a second.
pub(super) const GRACE: Duration = Duration::from_millis(800);

/// How long the agent's word about the end may come after the stream's end: it travels on another connection, and the agent has ended the
/// session's processes first, of which those that do not hear are killed after three seconds.
const REPORT: Duration = Duration::from_secs(4);
