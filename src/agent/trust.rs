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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::identity::tests::reopened;
    use crate::agent::identity::{KnownBroker, StateFolder};
    use crate::ssh::{PrivateKey, new_key, public_line};

    fn set(keys: &[PrivateKey; 2]) -> CaSet {
        let line = |key: &PrivateKey| vec![public_line(key.public_key()).unwrap()];
        CaSet { user: line(&keys[0]), host: line(&keys[1]) }
    }

    #[test]
    fn whom_the_agent_has_followed_is_kept_until_it_is_told_to_begin_anew() {
        let parent = tempfile::tempdir().unwrap();
        let keys: [[PrivateKey; 2]; 2] = [(); 2].map(|()| [(); 2].map(|()| new_key().unwrap()));
        let (old, new) = (set(&keys[0]), set(&keys[1]));
        let mut chain = Chain::new(old.clone().into());
        chain.statements.push(statement::sign(&chain.newest(), new.clone(), &keys[0][0], &keys[0][1]).unwrap());
        let joined = KnownBroker { url: "https://b".into(), ca: old.fingerprint(), tls_root: None, followed: None };
        let folder = StateFolder::open(parent.path()).unwrap();
        folder.remember(&joined).unwrap();
        let trust = Trust::new(Pin::Fingerprint(old.fingerprint()), Some(Notebook::new(folder, joined.clone())));
        assert_eq!(trust.welcome(old.clone(), None, &old.fingerprint()).unwrap(), old);
        // A data connection that was opened before, and welcomed after, the control connection brought news.
        assert_eq!(trust.follow(&chain).unwrap(), new);
        assert_eq!(trust.welcome(old.clone(), None, &old.fingerprint()).unwrap(), new);
        drop(trust);
        // The next start, with the token of then beside it or without, and with another one.
        let kept = reopened(parent.path()).broker().unwrap();
        let pinned = PinnedCa { sequence: 1, set: new.clone() };
        assert_eq!(kept.as_ref().unwrap().followed, Some(pinned.clone()));
        assert_eq!(joined.clone().with_kept(kept.clone()).followed, Some(pinned.clone()));
        let other = KnownBroker { ca: "SHA256:0".into(), ..joined.clone() };
        assert_eq!((other.with_kept(kept.clone()).followed, joined.with_kept(None).followed), (None, None));
        let trust = Trust::new(Pin::Set(pinned), None);
        assert!(matches!(trust.welcome(old.clone(), None, &new.fingerprint()), Err(NotFollowed::Rollback { .. })));
    }
}
