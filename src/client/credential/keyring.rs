//! Tokens in the desktop's keyring.
//!
//! Its calls block, may start a runtime of their own (which panics within ours) and may wait for a person at a dialogue: each
//! runs on a thread of its own, which is left behind when it takes too long.

use std::sync::mpsc;
use std::time::Duration;

use super::{Credential, CredentialStore, SERVICE, StoreError, decode, encode};
use crate::proto::Secret;

/// Secret Service, Keychain or Credential Manager.
#[derive(Debug, Clone)]
pub struct KeyringStore {
    account: String,
    patience: Duration,
}

impl KeyringStore {
    /// The entry of this name, in a keyring that has `patience` for each answer.
    pub fn new(entry: String, patience: Duration) -> Self {
        Self { account: entry, patience }
    }

    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(keyring::Entry) -> keyring::Result<T> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let account = self.account.clone();
        let (done, result) = mpsc::sync_channel(1);
        let call = move || {
            // Nobody listens any more when it took too long.
            let _ = done.send(keyring::Entry::new(SERVICE, &account).and_then(work));
        };
        let unavailable = |why: String| StoreError::Unavailable(format!("the keyring cannot be used: {why}"));
        std::thread::Builder::new().name("keyring".to_owned()).spawn(call).map_err(|error| unavailable(error.to_string()))?;
        match result.recv_timeout(self.patience) {
            Ok(Ok(value)) => Ok(Some(value)),
            Ok(Err(keyring::Error::NoEntry)) => Ok(None),
            Ok(Err(keyring::Error::NoStorageAccess(why))) => {
                Err(StoreError::Locked { place: "the keyring", why: why.to_string() })
            }
            Ok(Err(error)) => Err(unavailable(error.to_string())),
            Err(_) => Err(unavailable(format!("no answer within {} seconds", self.patience.as_secs()))),
        }
    }
}

impl CredentialStore for KeyringStore {
    fn load(&self) -> Result<Option<Credential>, StoreError> {
        let secret = self.call(|entry| entry.get_secret().map(Secret::new))?;
        secret.map(|secret| decode(secret.expose(), "the keyring")).transpose()
    }

    fn store(&self, credential: &Credential) -> Result<(), StoreError> {
        let secret = encode(credential)?;
        self.call(move |entry| entry.set_secret(secret.expose())).map(|_| ())
    }

    fn delete(&self) -> Result<(), StoreError> {
        self.call(|entry| entry.delete_credential()).map(|_| ())
    }

    fn describe(&self) -> String {
        if cfg!(target_os = "macos") {
            "the Keychain".to_owned()
        } else if cfg!(windows) {
            "the Credential Manager".to_owned()
        } else {
            "the keyring (Secret Service)".to_owned()
        }
    }
}
