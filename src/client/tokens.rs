//! Where a request's access token comes from: given once, or kept, and exchanged for a fresh one in time.
//!
//! The exchange happens under a lock between processes and looks again at what is kept once it has the lock: of two `ztctl` at
//! once one asks the broker and the other finds the answer. A lost reply is asked for again: the broker answers the same old
//! refresh token with the same successor for a while.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::credential::{Credential, CredentialStore, StoreError};
use super::dpop::Held;
use super::http::{Http, HttpError};
use super::oauth::{OauthError, exchange};
use super::private::{self, FileError};
use crate::proto::Secret;

/// Where access tokens come from. Cheap to clone: clones share what they know.
#[derive(Clone)]
pub struct Tokens(Source);

#[derive(Clone)]
enum Source {
    Fixed(Held),
    Kept(Arc<Kept>),
}

struct Kept {
    store: Box<dyn CredentialStore>,
    lock: PathBuf,
    /// What was last seen in the store. The lock between tasks is held through an exchange: the others wait for its result.
    known: Mutex<Option<Credential>>,
}

/// Why there is no access token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nothing is kept.
    #[error("not logged in")]
    NotLoggedIn,
    /// The broker does not exchange the refresh token any more, or does not know the given token.
    #[error("the login has ended")]
    Expired,
    /// What is kept is from before tokens were bound to keys.
    #[error("the login is not bound to this machine")]
    Unbound,
    /// The tokens cannot be read or kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] FileError),
    /// The broker cannot be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The broker's answer makes no sense.
    #[error("{0}")]
    Protocol(String),
}

impl Tokens {
    /// This bearer token, whatever happens: `ZTCTL_TOKEN`.
    pub fn fixed(token: Secret<String>) -> Self {
        Self(Source::Fixed(Held { token, key: None }))
    }

    /// The access token of a login that is not kept yet.
    pub fn first(credential: &Credential) -> Self {
        Self(Source::Fixed(Held { token: credential.access_token.clone(), key: credential.key.clone() }))
    }

    /// The tokens in `store`, exchanged under the lock at `lock`.
    pub fn kept(store: Box<dyn CredentialStore>, lock: PathBuf) -> Self {
        Self(Source::Kept(Arc::new(Kept { store, lock, known: Mutex::new(None) })))
    }

    /// Whether this is a token that was given and cannot be renewed.
    pub fn is_fixed(&self) -> bool {
        matches!(self.0, Source::Fixed(_))
    }

    /// A token that holds for the next [`MARGIN`] seconds at least.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn access(&self, http: &Http) -> Result<Held, TokenError> {
        match &self.0 {
            Source::Fixed(held) => Ok(held.clone()),
            Source::Kept(kept) => {
                let now = http.clock().now();
                kept.fresh(http, |credential| credential.access_expires_at > now.saturating_add(MARGIN)).await
            }
        }
    }

    /// A token other than `rejected`, which the broker did not take although it should still hold: our clock is behind, say.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn renew(&self, http: &Http, rejected: &Secret<String>) -> Result<Held, TokenError> {
        match &self.0 {
            Source::Fixed(_) => Err(TokenError::Expired),
            Source::Kept(kept) => kept.fresh(http, |credential| credential.access_token.expose() != rejected.expose()).await,
        }
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_fixed() { "Tokens(fixed)" } else { "Tokens(kept)" })
    }
}

impl Kept {
    /// The access token of the first credential that is `good`: the known one, the kept one, the kept one once we have the
    /// lock, or the one that the broker gives for that.
    async fn fresh(&self, http: &Http, good: impl Fn(&Credential) -> bool) -> Result<Held, TokenError> {
        let mut known = self.known.lock().await;
        if let Some(credential) = known.as_ref().filter(|credential| good(credential)) {
            return held(credential);
        }
        let kept = self.store.load()?.ok_or(TokenError::NotLoggedIn)?;
        if good(&kept) {
            return held(known.insert(kept));
        }
        let _lock = private::lock(&self.lock).await?;
        let kept = self.store.load()?.ok_or(TokenError::NotLoggedIn)?;
        if good(&kept) {
            return held(known.insert(kept));
        }
        held(&kept)?;
        // A refresh token is exchanged once: where the next one cannot be kept, this one must not be spent.
        self.store.ready()?;
        let next = match exchange::refresh(http, &kept).await {
            // The reply may be lost and the exchange done: the same question has the same answer for half a minute.
            Err(OauthError::Http(HttpError::Unreachable(_))) => exchange::refresh(http, &kept).await,
            result => result,
        };
        let next = next.map_err(|error| match error {
            OauthError::Http(error) => TokenError::Http(error),
            OauthError::Refused { code, .. } if code == "invalid_grant" => TokenError::Expired,
            other => TokenError::Protocol(other.to_string()),
        })?;
        self.store.store(&next)?;
        held(known.insert(next))
    }
}

/// What requests are sent with, of a login that is bound to a key.
fn held(credential: &Credential) -> Result<Held, TokenError> {
    let key = credential.key.clone().ok_or(TokenError::Unbound)?;
    Ok(Held { token: credential.access_token.clone(), key: Some(key) })
}

/// How many seconds before its end an access token is exchanged: longer than any request of ours waits for its head.
pub const MARGIN: u64 = 60;

#[cfg(test)]
mod tests;
