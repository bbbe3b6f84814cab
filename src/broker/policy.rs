//! Who may do what: Cedar policies, default deny, and the one maker of a [`Grant`].
//!
//! A set is loaded whole or not at all; the last good one stays. Obligations (how long at most, a reason, an approval) combine over the permits
//! that decide. Where the engine cannot evaluate something, the answer is no.

mod approval;
mod basis;
mod cases;
mod decide;
mod entities;
mod finding;
mod kinds;
mod listing;
pub(super) mod load;
mod obligation;
mod projection;
mod review;
mod schema;
mod source;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cedar_policy::{PolicyId, PolicySet};

pub(super) use approval::words as approvers_in_words;
pub use approval::{Approval, Approvers, Scope};
pub use basis::Basis;
pub use cases::{Cases, InvalidCases, Mismatch};
pub use decide::{Denial, Grant, Wish, authorize};
pub use finding::{Decision, Finding, Obliged};
pub use listing::{Lister, listable};
pub use load::{Fault, LoadError};
pub use schema::Circumstances;
#[cfg(test)]
pub(super) use tests::example_grant;
pub use watch::Fingerprint;

/// A policy set that was found good.
#[derive(Debug)]
pub struct Set {
    words: schema::Words,
    policies: PolicySet,
    obligations: HashMap<PolicyId, obligation::Obligations>,
    listing: listing::Listing,
    kinds: kinds::Kinds,
    /// Where each policy begins; without a message.
    places: HashMap<PolicyId, Fault>,
    /// What Cedar's validator finds odd.
    warnings: Vec<Fault>,
}

impl Set {
    /// Loads the file, or each `*.cedar` of the folder, at `path`.
    ///
    /// # Errors
    /// [`LoadError`], which names file, line and column of every mistake.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        load::load(path)
    }

    fn place(&self, id: &PolicyId) -> Option<&Fault> {
        self.places.get(id)
    }

    /// Whether it has no policy, and so permits nothing.
    pub fn is_empty(&self) -> bool {
        self.obligations.is_empty()
    }

    /// The ids of its policies, sorted.
    pub fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.obligations.keys().map(PolicyId::to_string).collect();
        ids.sort();
        ids
    }
}

/// The policies in force, and where they come from.
#[derive(Debug)]
pub struct Policies {
    path: PathBuf,
    current: RwLock<Arc<Set>>,
    /// The files that were read last, good or not. Held while they are read: one reload at a time.
    read: Mutex<Fingerprint>,
}

impl Policies {
    /// Loads the file, or each `*.cedar` of the folder, at `path`.
    ///
    /// # Errors
    /// [`LoadError`], which names file, line and column of every mistake.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let read = Mutex::new(Fingerprint::of(path));
        let set = load::load(path)?;
        if set.is_empty() {
            tracing::warn!(path = %path.display(), "there is no policy: nobody may see or enter anything");
        }
        Ok(Self { path: path.to_path_buf(), current: RwLock::new(Arc::new(set)), read })
    }

    /// The set in force.
    pub fn current(&self) -> Arc<Set> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Loads the same path again and puts the new set in force, all of it at once, when `first` has been done with it.
    ///
    /// # Errors
    /// [`LoadError`] or that of `first`: the set in force stays.
    pub fn reload<E: From<LoadError>>(&self, first: impl FnOnce(&Set) -> Result<(), E>) -> Result<Arc<Set>, E> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        *read = Fingerprint::of(&self.path);
        let set = Arc::new(load::load(&self.path)?);
        // A file that was cut off, by an editor or a full disk, reads like this; nobody writes it on purpose.
        if set.is_empty() {
            return Err(LoadError::None(self.path.clone()).into());
        }
        if let Err(error) = first(&set) {
            // Nothing is wrong with the files: they are to be read again.
            *read = Fingerprint::default();
            return Err(error);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&set);
        Ok(set)
    }

    /// The files as they are now, if they are not those that were read last.
    pub fn changed(&self) -> Option<Fingerprint> {
        let now = Fingerprint::of(&self.path);
        (now != *self.read.lock().unwrap_or_else(PoisonError::into_inner)).then_some(now)
    }
}
