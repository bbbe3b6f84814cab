//! The first seconds after a start: agents that were connected before come back one by one, and what they serve is not in the list yet.
//!
//! Who asks in that time waits for them a little; a list that is given without some of them says so.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

use crate::proto::AgentId;

/// The agents that have not come back.
#[derive(Debug)]
pub(super) struct Gathering {
    missing: watch::Sender<HashSet<AgentId>>,
    /// Since when they are waited for, once they are.
    since: OnceLock<Instant>,
    /// For whoever waits: one more is answered at once.
    places: Semaphore,
}

impl Gathering {
    /// From now on waits for `agents`. It begins once.
    pub(super) fn begin(&self, agents: HashSet<AgentId>) {
        if self.since.set(Instant::now()).is_ok() {
            self.missing.send_replace(agents);
        }
    }

    /// The agent has said what it serves, or will not come.
    pub(super) fn no_longer(&self, agent: AgentId) {
        self.missing.send_if_modified(|missing| missing.remove(&agent));
    }

    /// Waits until all are back, and not for long.
    pub(super) async fn wait(&self) {
        let (Some(since), Ok(_place)) = (self.since.get(), self.places.try_acquire()) else { return };
        let mut missing = self.missing.subscribe();
        let _ = timeout_at(*since + PATIENCE, missing.wait_for(HashSet::is_empty)).await;
    }

    /// Whether some may yet come back. Those who have not come for long are gone.
    pub(super) fn goes_on(&self) -> bool {
        !self.missing.borrow().is_empty() && self.since.get().is_some_and(|since| since.elapsed() < RETURN)
    }
}

impl Default for Gathering {
    fn default() -> Self {
        Self { missing: watch::Sender::default(), since: OnceLock::new(), places: Semaphore::new(PLACES) }
    }
}

/// How many may wait: the returning agents need connections too.
const PLACES: usize = 256;

/// How long after the start somebody who asks is kept waiting: agents try again at least every four seconds for a minute.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long after the start an agent may come back by itself: after that minute they try again at least every thirty seconds.
const RETURN: Duration = Duration::from_secs(35);

#[cfg(test)]
mod tests {
    use super::*;

    fn gathering() -> (Gathering, [AgentId; 2]) {
        let agents = [AgentId::derived(&[b"one"]), AgentId::derived(&[b"two"])];
        let gathering = Gathering::default();
        gathering.begin(agents.into());
        (gathering, agents)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_waits_for_the_last_and_no_longer() {
        let ((gathering, [one, two]), start) = (gathering(), Instant::now());
        let coming = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            gathering.no_longer(one);
            tokio::time::sleep(Duration::from_secs(1)).await;
            gathering.no_longer(two);
        };
        tokio::join!(gathering.wait(), coming);
        assert_eq!(start.elapsed().as_secs(), 2);
        assert!(!gathering.goes_on());
        gathering.wait().await;
        assert_eq!(start.elapsed().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_comes_holds_nobody_up_for_long() {
        let ((gathering, _), start) = (gathering(), Instant::now());
        gathering.wait().await;
        assert_eq!(start.elapsed().as_secs(), 5);
        assert!(gathering.goes_on());
        gathering.wait().await;
        assert_eq!(start.elapsed().as_secs(), 5, "later ones do not wait");
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(!gathering.goes_on());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_before_it_begins_nor_beside_very_many() {
        let start = Instant::now();
        Gathering::default().wait().await;
        let (gathering, _) = gathering();
        let _all = gathering.places.acquire_many(PLACES as u32).await.unwrap();
        gathering.wait().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
