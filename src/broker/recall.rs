//! Taking sessions back: after a lock, after a change of the policies, with an approval that was taken back. Live sessions are judged again by what they were granted on.
//!
//! What is decided about comes into force before the live sessions are looked through, and whoever admits a session looks again
//! when that has happened since ([`Sessions::purges`](super::relay::Sessions::purges)): none slips through between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::State;
use super::admin::{Admin, AdminError};
use super::locks::{Lock, Stale};
use super::policy::{Approval, Basis, Fingerprint, Set};
use super::store::StoreError;
use crate::proto::{ErrorBody, ErrorCode, RequestId};

/// Whether no lock is on what `basis` tells of, a container that the caller sees as `name`.
///
/// # Errors
/// `locked` with the lock's reason; `unavailable` when nobody can tell what is locked.
pub(crate) fn unlocked(state: &State, basis: &Basis, name: &str) -> Result<(), ErrorBody> {
    judged(state.locks.over(basis, state.clock.now()), name)
}

/// Whether no lock is on the person `user`, who would say yes or no to somebody else's session.
///
/// # Errors
/// As [`unlocked`].
pub(crate) fn unlocked_person(state: &State, user: &str) -> Result<(), ErrorBody> {
    judged(state.locks.over_user(user, state.clock.now()), user)
}

fn judged(lock: Result<Option<Lock>, Stale>, name: &str) -> Result<(), ErrorBody> {
    match lock {
        Ok(None) => Ok(()),
        Ok(Some(lock)) => Err(ErrorBody::new(ErrorCode::Locked, lock.message(name))),
        Err(stale) => Err(ErrorBody::new(ErrorCode::Unavailable, stale.to_string())),
    }
}

/// Reads the locks from the database, puts them in force, and ends what they are on. Says how many sessions that were.
///
/// # Errors
/// When the database does not tell: those in force stay.
pub(crate) async fn read_locks(state: &State) -> Result<usize, StoreError> {
    read_locks_after(state, std::future::ready(Ok(()))).await
}

/// The same after a `change` of them, which nobody else reads before: what it ends is counted here.
///
/// # Errors
/// As [`read_locks`], and when the change fails.
pub(crate) async fn read_locks_after(
    state: &State,
    change: impl Future<Output = Result<(), StoreError>>,
) -> Result<usize, StoreError> {
    let _reading = state.locks.reading.lock().await;
    if let Err(error) = change.await {
        state.locks.unheard();
        return Err(error);
    }
    let locks = match state.store.locks(state.clock.now()).await {
        Ok(locks) => locks,
        Err(error) => {
            state.locks.unheard();
            return Err(error);
        }
    };
    if !state.locks.replace(locks) {
        return Ok(0);
    }
    let now = state.clock.now();
    let mut ended = 0;
    for live in state.sessions.recall() {
        if let Ok(Some(lock)) = state.locks.over(&live.basis, now) {
            ended += usize::from(live.cut(&lock.message(&live.basis.container.full_name)));
        }
    }
    Ok(ended)
}

/// Reads which approvals hold, where live sessions stand on some, and judges those again whose approval was taken back. Says how
/// many ended.
///
/// # Errors
/// When the database does not tell: an approval ends at its time all the same.
pub(crate) async fn read_approvals(state: &State) -> Result<usize, StoreError> {
    let standing = state.sessions.approved();
    if standing.is_empty() {
        return Ok(0);
    }
    let now = state.clock.now();
    let (holding, set) = (state.store.approved(now).await?, state.policies.current());
    let mut ending = Vec::new();
    for live in standing {
        let (kept, gone): (Vec<Approval>, Vec<Approval>) =
            live.basis.approvals.iter().cloned().partition(|approval| holding.contains(&approval.request));
        // What is over by its own time, the deadline ends.
        let Some(lost) = gone.iter().find(|approval| approval.until > now).map(|approval| approval.request) else { continue };
        let basis = Basis { approvals: kept, ..live.basis.clone() };
        match allowed_until(&basis, &set) {
            Some(deadline) if deadline > now => live.shorten(deadline),
            _ => ending.push((live, lost)),
        }
    }
    let whose = taken_back(state, ending.iter().map(|(_, lost)| *lost).collect()).await;
    let mut ended = 0;
    for (live, lost) in ending {
        let by = whose.get(&lost).map_or("", String::as_str);
        let name = &live.basis.container.full_name;
        ended += usize::from(live.cut(&format!("the approval for this session in {name} was taken back{by}")));
    }
    Ok(ended)
}

/// By whom and why, for the people whose sessions that ends. Of what cannot be looked up soon there is nothing: the sessions end all the
/// same, within their second.
async fn taken_back(state: &State, requests: BTreeSet<RequestId>) -> BTreeMap<RequestId, String> {
    let mut known = BTreeMap::new();
    let looking = async {
        for id in requests {
            let Ok(Some(request)) = state.store.request(id).await else { continue };
            let by = request.ended_by.map(|by| format!(" by {by}"));
            let reason = request.ended_reason.map(|reason| format!(": {reason}"));
            known.insert(id, by.into_iter().chain(reason).collect());
        }
    };
    let _ = tokio::time::timeout(LOOK, looking).await;
    known
}

/// Reads locks and approvals again and again, for what another broker did or somebody wrote into the database.
pub(crate) async fn keep_reading_locks(state: Arc<State>) {
    loop {
        if let Err(error) = read_locks(&state).await {
            tracing::warn!(%error, "what is locked cannot be read from the database");
        }
        if let Err(error) = read_approvals(&state).await {
            tracing::warn!(%error, "which approvals hold cannot be read from the database");
        }
        if state.shutdown.run_until_cancelled(tokio::time::sleep(READ_LOCKS)).await.is_none() {
            return;
        }
    }
}

/// Judges the live sessions by a set that has come into force: what it no longer allows ends, what it allows for less time ends
/// earlier. Says how many ended.
pub(crate) fn judge_again(state: &State, set: &Set) -> usize {
    let now = state.clock.now();
    let mut ended = 0;
    for live in state.sessions.recall() {
        match allowed_until(&live.basis, set) {
            Some(deadline) if deadline > now => live.shorten(deadline),
            _ => {
                let name = &live.basis.container.full_name;
                ended += usize::from(live.cut(&format!("the policy has changed and no longer allows this session in {name}")));
            }
        }
    }
    ended
}

/// Loads the policies again whenever their files have changed and then stayed the same for a moment: a file that is being
/// written is not read.
pub(crate) async fn keep_reading_policies(state: Arc<State>) {
    let (mut pending, mut told): (Option<Fingerprint>, Option<String>) = (None, None);
    while state.shutdown.run_until_cancelled(tokio::time::sleep(READ_POLICIES)).await.is_some() {
        let looking = Arc::clone(&state);
        // A file system that hangs holds up a thread of its own.
        let Ok(changed) = tokio::task::spawn_blocking(move || looking.policies.changed()).await else { return };
        if changed.is_some() && changed == pending {
            match Admin::of_broker(Arc::clone(&state)).reload_policy().await {
                Ok(policies) => tracing::info!("the policy files have changed: {} policies are in force", policies.len()),
                // Tried again all the time, and said once.
                Err(error @ AdminError::Journal(_)) => {
                    let said = error.to_string();
                    if told.replace(said.clone()) != Some(said) {
                        tracing::error!(
                            "the policy files have changed, but those in force stay until it can be written down: {error}"
                        );
                    }
                    continue;
                }
                Err(error) => tracing::error!("the policy files have changed: {error}"),
            }
            told = None;
        }
        pending = changed;
    }
}

/// Until when `set` allows what was granted on `basis`, in seconds since 1970.
pub(crate) fn allowed_until(basis: &Basis, set: &Set) -> Option<u64> {
    let grant = basis.decide(set).ok().filter(|_| basis.is_listed(set))?;
    Some(grant.deadline())
}

/// Sessions end within a second of a lock, wherever it was made.
const READ_LOCKS: Duration = Duration::from_millis(400);

/// How long is looked up who has taken something back: a part of that second.
const LOOK: Duration = Duration::from_millis(200);

/// How often the policy files are looked at, and how long they have to stay the same.
const READ_POLICIES: Duration = Duration::from_millis(500);
