//! Tokens in memory: for as long as the process lives, and nowhere else.

use std::sync::{Mutex, PoisonError};

use super::{Credential, CredentialStore, StoreError};

/// Holds one login for one process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Option<Credential>>);

impl MemoryStore {
    /// A store that holds `credential`.
    pub fn new(credential: Credential) -> Self {
        Self(Mutex::new(Some(credential)))
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Credential>> {
        // One assignment is all that happens under the lock: it cannot be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CredentialStore for MemoryStore {
    fn load(&self) -> Result<Option<Credential>, StoreError> {
        Ok(self.slot().clone())
    }

    fn store(&self, credential: &Credential) -> Result<(), StoreError> {
        *self.slot() = Some(credential.clone());
        Ok(())
    }

    fn delete(&self) -> Result<(), StoreError> {
        *self.slot() = None;
        Ok(())
    }

    fn describe(&self) -> String {
        "the memory of this process".to_owned()
    }
}
