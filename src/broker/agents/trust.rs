//! Whom an agent trusts, as it says: certificates for it are signed by an authority that it has acknowledged.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Agents, Presence};
use crate::broker::ca::Authority;
use crate::proto::agent::FromBroker;
use crate::proto::ca::CaSet;

/// What one agent trusts.
#[derive(Debug)]
pub(crate) struct Trust {
    /// The fingerprint of what it trusted when it came, if it follows statements. An older one trusts what it has pinned, as long as
    /// that lasts.
    follows_from: Option<String>,
    /// The set; an empty one of an agent that trusts what was never ours.
    set: watch::Sender<CaSet>,
}

impl Trust {
    /// That of an agent which has said `pinned` about itself, or nothing.
    pub(super) fn new(authority: &Authority, pinned: Option<&str>) -> Self {
        let set = match pinned {
            Some(fingerprint) => authority.set_of(fingerprint),
            // It has looked at what it was welcomed with.
            None => Some(authority.plain_set()),
        };
        let set = watch::Sender::new(set.unwrap_or_else(|| CaSet { user: Vec::new(), host: Vec::new() }));
        Self { follows_from: pinned.map(str::to_owned), set }
    }

    /// The agent has followed.
    pub(super) fn acknowledge(&self, set: CaSet) {
        self.set.send_replace(set);
    }

    /// The user authorities that the agent accepts.
    pub(crate) fn users(&self) -> Vec<String> {
        self.set.borrow().user.clone()
    }

    /// Whether it accepts certificates of an authority that is in use; waits a moment for one that is following just now.
    pub(crate) async fn is_common(&self, authority: &Authority) -> bool {
        let mut set = self.set.subscribe();
        let common = set.wait_for(|set| authority.has_user_key_of(&set.user));
        let limit = if self.follows_from.is_some() { FOLLOWING } else { Duration::ZERO };
        tokio::time::timeout(limit, common).await.is_ok_and(|common| common.is_ok())
    }

    /// Whether it trusts the authorities of today.
    fn is_up_to_date(&self, authority: &Authority) -> bool {
        *self.set.borrow() == authority.set()
    }
}

impl Agents {
    /// Tells every agent that is here of the authorities of today. One that cannot follow, and trusts none of them, is sent away: it
    /// comes back and says at its own place what is wrong.
    pub(crate) fn tell_authorities(&self, authority: &Authority) {
        for presence in self.everybody() {
            presence.tell_authorities(authority);
        }
    }

    /// The names of the agents that are here and do not trust the authorities of today.
    pub(crate) fn behind(&self, authority: &Authority) -> Vec<String> {
        let behind = self.everybody().into_iter().filter(|presence| !presence.trust.is_up_to_date(authority));
        let mut names: Vec<String> = behind.map(|presence| presence.name.clone()).collect();
        names.sort_unstable();
        names
    }

    fn everybody(&self) -> Vec<Arc<Presence>> {
        self.lock().values().filter(|presence| presence.is_here()).cloned().collect()
    }
}

impl Presence {
    /// Tells this agent of the authorities of today.
    pub(super) fn tell_authorities(&self, authority: &Authority) {
        if let Some(fingerprint) = &self.trust.follows_from {
            let _ = self.tell(FromBroker::Authorities { chain: authority.chain_from(fingerprint) });
        } else if !authority.has_user_key_of(&self.trust.users()) {
            tracing::warn!(agent = %self.name, "an agent of an older version is sent away: it trusts none of the authorities of today");
            self.gone.cancel();
        }
    }
}

/// How long a session waits for an agent that has been told of new authorities and has not said yet that it trusts them.
const FOLLOWING: Duration = Duration::from_secs(5);
