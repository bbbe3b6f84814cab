//! The embedded directory: names and passwords in our own database.
//!
//! A password is judged by argon2id on a thread of its own kind, a few at a time. A name that nobody has costs the same: the password
//! is then held against a hash that nothing matches.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use tokio::sync::Semaphore;

use super::{IdentityProvider, LOCAL};
use crate::broker::store::{Store, StoreError, User};
use crate::proto::Secret;
use crate::proto::name::Account;

/// The people of our own database.
#[derive(Clone)]
pub(crate) struct Directory {
    store: Store,
    slots: Arc<Semaphore>,
}

/// Why a password was not judged, or a person not kept.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too short, or too long to be hashed in a bounded time.
    #[error("a password has {SHORTEST} to {LONGEST} characters")]
    Length,
    /// There is no such person.
    #[error("there is no user {0}")]
    Unknown(Account),
    /// A hash could not be made.
    #[error("the password cannot be hashed")]
    Hash,
    /// More people log in at once than can be judged in time.
    #[error("too many people log in at once")]
    Busy,
}

impl Directory {
    /// The people of `store`.
    pub(crate) fn new(store: Store) -> Self {
        // The hash that no name has is made before the first log-in, which would otherwise take twice as long.
        std::thread::spawn(|| LazyLock::force(&NOBODY).len());
        let slots = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { store, slots: Arc::new(Semaphore::new(slots)) }
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`DirectoryError::Length`], [`StoreError::Exists`].
    pub(crate) async fn add_user(
        &self,
        name: &Account,
        groups: &[Account],
        password: Secret<String>,
        now: u64,
    ) -> Result<(), DirectoryError> {
        let hash = self.hash(password).await?;
        Ok(self.store.add_user(name, groups, &hash, now).await?)
    }

    /// Sets a person's password, which ends their logins.
    ///
    /// # Errors
    /// [`DirectoryError::Unknown`], [`DirectoryError::Length`].
    pub(crate) async fn set_password(&self, name: &Account, password: Secret<String>) -> Result<(), DirectoryError> {
        let hash = self.hash(password).await?;
        if self.store.set_password(name, &hash).await? { Ok(()) } else { Err(DirectoryError::Unknown(name.clone())) }
    }

    async fn hash(&self, password: Secret<String>) -> Result<String, DirectoryError> {
        if !(SHORTEST..=LONGEST).contains(&password.expose().chars().count()) {
            return Err(DirectoryError::Length);
        }
        self.apart(move || hash(password.expose())).await?.ok_or(DirectoryError::Hash)
    }

    /// Runs `work` on a blocking thread, with one of the few slots. Whoever finds none waits, up to [`PATIENCE`].
    async fn apart<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, DirectoryError> {
        let slot = tokio::time::timeout(PATIENCE, Arc::clone(&self.slots).acquire_owned()).await;
        let slot = slot.map_err(|_| DirectoryError::Busy)?.map_err(|_| DirectoryError::Busy)?;
        let work = move || {
            let _slot = slot;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| DirectoryError::Hash)
    }
}

impl IdentityProvider for Directory {
    fn name(&self) -> &'static str {
        LOCAL
    }

    async fn check(&self, name: &str, password: Secret<String>) -> Result<Option<User>, DirectoryError> {
        let user = match name.parse() {
            Ok(name) => self.store.user(&name).await?,
            Err(_) => None,
        };
        let hash = user.as_ref().map(|user| user.hash.clone());
        let right = self
            .apart(move || {
                let known = hash.is_some();
                let hash = hash.unwrap_or_else(|| NOBODY.clone());
                let short = password.expose().len() <= LONGEST * 4;
                let password = if short { password.expose().as_bytes() } else { b"" };
                let verified =
                    PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
                known && short && verified
            })
            .await?;
        Ok(user.filter(|_| right))
    }
}

fn hash(password: &str) -> Option<String> {
    Argon2::default().hash_password(password.as_bytes()).ok().map(|hash| hash.to_string())
}

/// A hash, made with today's parameters, of a password that nobody knows.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    let password = super::token::random("");
    hash(password.expose()).unwrap_or_default()
});

/// NIST SP 800-63B asks for eight at least, and to allow long ones.
const SHORTEST: usize = 8;
const LONGEST: usize = 512;

/// Longer than this a person does not look at a page that does nothing.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
