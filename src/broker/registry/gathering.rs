//! The first seconds after a start: agents that had joined before come back one by one, and what they serve is not in the list yet.
//!
//! Who asks in that time waits for them a little; a list that is given without some of them says so.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::proto::AgentId;

/// The agents that have not come back.
#[derive(Debug)]
pub(super) struct Gathering {
    missing: watch::Sender<HashSet<AgentId>>,
    since: Instant,
}

impl Gathering {
    /// Waits for `agents` from now on.
    pub(super) fn of(agents: HashSet<AgentId>) -> Self {
        Self { missing: watch::Sender::new(agents), since: Instant::now() }
    }

    /// The agent has said what it serves, or will not come.
    pub(super) fn no_longer(&self, agent: AgentId) {
        self.missing.send_if_modified(|missing| missing.remove(&agent));
    }

    /// Waits until all are back, and not for long.
    pub(super) async fn wait(&self) {
        let mut missing = self.missing.subscribe();
        let _ = timeout_at(self.since + PATIENCE, missing.wait_for(HashSet::is_empty)).await;
    }

    /// Whether some may yet come back. Those who have not come for long are gone.
    pub(super) fn goes_on(&self) -> bool {
        !self.missing.borrow().is_empty() && self.since.elapsed() < RETURN
    }
}

impl Default for Gathering {
    fn default() -> Self {
        Self::of(HashSet::new())
    }
}

/// How long after the start somebody who asks is kept waiting: agents try again at least every four seconds for a minute.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long after the start an agent may come back by itself: after that minute they try again at least every thirty seconds.
const RETURN: Duration = Duration::from_secs(35);

#[cfg(test)]
mod tests {
    use super::*;

    fn agents() -> [AgentId; 2] {
        [AgentId::derived(&[b"one"]), AgentId::derived(&[b"two"])]
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_waits_for_the_last_and_no_longer() {
        let [one, two] = agents();
        let (gathering, start) = (Gathering::of([one, two].into()), Instant::now());
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
        let (gathering, start) = (Gathering::of(agents().into()), Instant::now());
        gathering.wait().await;
        assert_eq!(start.elapsed().as_secs(), 5);
        assert!(gathering.goes_on());
        gathering.wait().await;
        assert_eq!(start.elapsed().as_secs(), 5, "later ones do not wait");
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert!(!gathering.goes_on());
    }
}
