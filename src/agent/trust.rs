//! Whom the agent trusts: what its join pinned, and whatever the statements of those authorities lead to.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::agent::identity::Notebook;
use crate::proto::ca::{CaSet, Chain, PinnedCa};
use crate::ssh::statement::{self, NotFollowed};

/// Which authorities are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Those of which a join token carries the fingerprint; the first set that has it, or to which its statements lead, is pinned.
    Fingerprint(String),
    /// Exactly these.
    Set(PinnedCa),
}

impl From<CaSet> for Pin {
    fn from(set: CaSet) -> Self {
        Self::Set(set.into())
    }
}

/// The pin as it is now.
#[derive(Debug)]
pub(super) struct Trust {
    pin: Mutex<Pin>,
    notes: Option<Notebook>,
}

impl Trust {
    /// Begins with `pin`; what it is changed to is kept in `notes`.
    pub(super) fn new(pin: Pin, notes: Option<Notebook>) -> Self {
        Self { pin: Mutex::new(pin), notes }
    }

    /// The fingerprint of what is trusted.
    pub(super) fn fingerprint(&self) -> String {
        match &*self.lock() {
            Pin::Fingerprint(fingerprint) => fingerprint.clone(),
            Pin::Set(pinned) => pinned.set.fingerprint(),
        }
    }

    /// Judges what a connection is welcomed with, on which `said` was told to be trusted, and returns whom to trust from now on.
    ///
    /// # Errors
    /// [`NotFollowed`]: nothing changes, and nothing is served on this connection.
    pub(super) fn welcome(&self, offered: CaSet, chain: Option<Chain>, said: &str) -> Result<CaSet, NotFollowed> {
        // A chain that does not end at the set that is offered is no answer.
        let chain = match chain {
            Some(chain) if chain.newest().set == offered => chain,
            Some(_) => return Err(NotFollowed::NoWay),
            None => Chain::new(offered.into()),
        };
        let mut pin = self.lock();
        // Another connection may have brought news since.
        if chain.newest().set.fingerprint() == said
            && let Pin::Set(pinned) = &*pin
        {
            return Ok(pinned.set.clone());
        }
        self.follow_locked(&mut pin, &chain)
    }

    /// Follows what the broker tells of later.
    ///
    /// # Errors
    /// [`NotFollowed`]: nothing changes.
    pub(super) fn follow(&self, chain: &Chain) -> Result<CaSet, NotFollowed> {
        self.follow_locked(&mut self.lock(), chain)
    }

    fn follow_locked(&self, pin: &mut Pin, chain: &Chain) -> Result<CaSet, NotFollowed> {
        let reached = match &*pin {
            Pin::Fingerprint(fingerprint) => statement::follow_from(fingerprint, chain)?,
            Pin::Set(pinned) => statement::follow(pinned, chain)?,
        };
        let before = match &*pin {
            Pin::Fingerprint(fingerprint) => fingerprint.clone(),
            Pin::Set(pinned) => pinned.set.fingerprint(),
        };
        let set = reached.set.clone();
        if set.fingerprint() != before {
            tracing::info!(ca = %set.fingerprint(), "the broker's certificate authorities have changed, by a statement of those before");
            if let Some(Err(error)) = self.notes.as_ref().map(|notes| notes.note(&reached)) {
                // The statements lead here again after a restart.
                tracing::warn!("the change is not kept: {error}");
            }
        }
        *pin = Pin::Set(reached);
        Ok(set)
    }

    fn lock(&self) -> MutexGuard<'_, Pin> {
        self.pin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
