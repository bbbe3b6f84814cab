//! From one set of CA keys to the next: new keys beside the old ones for a time, then without them; or at once.
//!
//! A change is made in memory first, so that it can be written down; then the new keys are written, then the manifest, which is the moment
//! from which it counts, then the keys that left are removed. What a crash leaves of it is removed at the next start.

use std::fs::File;
use std::sync::Arc;

use tokio::sync::MutexGuard;

use super::keys::{self, Key, Role};
use super::manifest::{self, Ring};
use super::{Authority, CaError};
use crate::proto::ca::{CaSet, STATEMENTS};
use crate::ssh::statement;

/// What is to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) user: bool,
    pub(crate) host: bool,
    /// How many seconds the old keys stay beside the new ones; without it they leave at once.
    pub(crate) overlap: Option<u64>,
}

/// The keys, held so that nobody else changes them: no other broker that shares the folder either.
pub(crate) struct Turn<'a> {
    authority: &'a Authority,
    _turning: MutexGuard<'a, ()>,
    _folder: File,
}

/// A change that is made up and not made yet.
pub(crate) struct Change {
    ring: Ring,
    /// The keys that are to be written.
    fresh: Vec<Arc<Key>>,
    /// The fingerprints of the keys that come.
    pub(crate) added: Vec<String>,
    /// The fingerprints of the keys that leave.
    pub(crate) removed: Vec<String>,
}

/// Why there is no change.
#[derive(Debug, thiserror::Error)]
pub enum NoChange {
    /// One rotation at a time.
    #[error("a rotation is under way: `ztbroker ca finish` ends it; `ztbroker ca rotate --now` replaces all keys at once")]
    UnderWay,
    /// There is none to finish.
    #[error("no rotation is under way")]
    None,
    /// The keys.
    #[error(transparent)]
    Ca(#[from] CaError),
}

impl Authority {
    /// Takes the keys, as they are in the folder now.
    ///
    /// # Errors
    /// [`CaError`].
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, CaError> {
        let turning = self.turning.lock().await;
        let dir = self.dir.clone();
        // Another broker may have it for a moment.
        let taken = tokio::task::spawn_blocking(move || keys::lock(&dir)).await;
        let stopping = |_| CaError::Io { path: self.dir.clone(), source: std::io::ErrorKind::Interrupted.into() };
        let folder = taken.map_err(stopping)??;
        if manifest::stamp(&self.dir) != self.ring().stamp {
            let ring = Ring::read(&self.dir)?;
            self.replace(ring.ok_or_else(|| CaError::Damaged { path: self.dir.clone() })?);
        }
        Ok(Turn { authority: self, _turning: turning, _folder: folder })
    }

    /// Reads the keys again where another broker that shares the folder has changed them. Says whether it has.
    ///
    /// # Errors
    /// [`CaError`]: those in use stay.
    pub(crate) async fn refresh(&self) -> Result<bool, CaError> {
        if manifest::stamp(&self.dir) == self.ring().stamp {
            return Ok(false);
        }
        let before = self.sequence();
        self.turn().await?;
        Ok(self.sequence() != before)
    }
}

impl Turn<'_> {
    /// New keys for what `wish` names.
    pub(crate) fn rotate(&self, wish: Wish, now: u64) -> Result<Change, NoChange> {
        let ring = self.authority.ring();
        if ring.until.is_some() && wish.overlap.is_some() {
            return Err(NoChange::UnderWay);
        }
        let number = ring.chain.sequence().saturating_add(1);
        let renewed = |role: Role, keys: &[Arc<Key>], wished: bool| -> Result<Vec<Arc<Key>>, CaError> {
            let newest = keys.last().cloned();
            if !wished {
                return Ok(newest.into_iter().collect());
            }
            let fresh = Arc::new(Key::new(format!("{}.{number}", role.file()), now)?);
            Ok(newest.filter(|_| wish.overlap.is_some()).into_iter().chain([fresh]).collect())
        };
        let (user, host) = (renewed(Role::User, &ring.user, wish.user)?, renewed(Role::Host, &ring.host, wish.host)?);
        Ok(self.change(&ring, user, host, wish.overlap.map(|overlap| now.saturating_add(overlap)))?)
    }

    /// Without the old keys.
    pub(crate) fn finish(&self) -> Result<Change, NoChange> {
        let ring = self.authority.ring();
        if ring.until.is_none() {
            return Err(NoChange::None);
        }
        let newest = |keys: &[Arc<Key>]| keys.last().cloned().into_iter().collect();
        Ok(self.change(&ring, newest(&ring.user), newest(&ring.host), None)?)
    }

    fn change(&self, ring: &Ring, user: Vec<Arc<Key>>, host: Vec<Arc<Key>>, until: Option<u64>) -> Result<Change, CaError> {
        let (Some(user_key), Some(host_key)) = (ring.user.last(), ring.host.last()) else { return Err(CaError::Signing) };
        let set: CaSet = Ring::set_of(&user, &host);
        let mut chain = ring.chain.clone();
        chain.statements.push(statement::sign(&chain.newest(), set, &user_key.private, &host_key.private)?);
        while chain.statements.len() > STATEMENTS {
            // Who is still there has to log in, or join, again.
            chain.base = chain.statements.remove(0).pinned();
        }
        let beside = |one: &[&Arc<Key>], other: &[&Arc<Key>]| -> Vec<Arc<Key>> {
            one.iter().filter(|key| !other.iter().any(|it| it.line == key.line)).map(|key| Arc::clone(key)).collect()
        };
        let before: Vec<&Arc<Key>> = ring.user.iter().chain(&ring.host).collect();
        let after: Vec<&Arc<Key>> = user.iter().chain(&host).collect();
        let (fresh, gone) = (beside(&after, &before), beside(&before, &after));
        let names = |keys: &[Arc<Key>]| keys.iter().map(|key| key.fingerprint()).collect();
        let (added, removed) = (names(&fresh), names(&gone));
        Ok(Change { ring: Ring { user, host, until, chain, stamp: None }, fresh, added, removed })
    }

    /// Makes the change.
    ///
    /// # Errors
    /// [`CaError`]: then all is as it was, or, where the very last step failed, the next start finds it done.
    pub(crate) fn commit(self, change: Change) -> Result<(), CaError> {
        let dir = &self.authority.dir;
        let Change { mut ring, fresh, .. } = change;
        keys::sweep(dir, &self.authority.ring().files())?;
        for key in &fresh {
            key.write(dir)?;
        }
        ring.write(dir)?;
        let files: Vec<String> = ring.files().into_iter().map(str::to_owned).collect();
        self.authority.replace(ring);
        let kept: Vec<&str> = files.iter().map(String::as_str).collect();
        if let Err(error) = keys::sweep(dir, &kept) {
            tracing::error!(%error, "the CA keys that left could not be removed: they are when the broker starts again");
        }
        Ok(())
    }
}

impl Change {
    /// The number of its statement.
    pub(crate) fn sequence(&self) -> u64 {
        self.ring.chain.sequence()
    }

    /// The fingerprint of the set that it makes.
    pub(crate) fn fingerprint(&self) -> String {
        self.ring.chain.newest().set.fingerprint()
    }

    /// When the old keys leave.
    pub(crate) fn until(&self) -> Option<u64> {
        self.ring.until
    }
}

#[cfg(test)]
mod tests;
