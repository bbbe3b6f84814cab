//! The pinned CA set: fetched once, at login, over TLS that is believed; afterwards it changes only by statements of its own keys.
//!
//! Who could replace it could put another machine in the place of every container. So a set to which no statement leads from the pinned
//! one is never taken over: the person must end the login, ask the operator, and log in again.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;

use super::config::Config;
use super::http::{BrokerUrl, Http, HttpError, SMALL_BODY, Unreachable};
use super::paths::Paths;
use super::private::{self, Guard};
use crate::proto::ca::{CaOffer, CaSet, Chain, PinnedCa};
use crate::ssh::Authorities;
use crate::ssh::statement::{self, NotFollowed};

/// The broker's set is not the pinned one, or of no use.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// It cannot be asked for.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It has no usable key for users, or none for hosts.
    #[error("the broker's set of certificate authorities cannot be read")]
    Unusable,
    /// It differs, and nothing that can be believed leads to it.
    #[error("the broker's certificate authorities are not those of the login: {pinned} then, {offered} now; {why}")]
    Changed {
        /// The fingerprint of the pinned set.
        pinned: String,
        /// The fingerprint of what the broker offers.
        offered: String,
        /// What is missing.
        why: NotFollowed,
    },
}

/// The pin of one login while a verb runs. It follows the broker's statements and keeps what they lead to.
pub struct Pin {
    pinned: Mutex<PinnedCa>,
    keep: Option<Keep>,
    /// Sessions that begin at one time follow once.
    following: tokio::sync::Mutex<()>,
}

/// Where a pin is kept.
#[derive(Debug, Clone)]
pub struct Keep {
    /// The client's folders.
    pub paths: Paths,
    /// The broker whose login has it.
    pub url: BrokerUrl,
}

impl Pin {
    /// Begins with `pinned`. Without a place to keep it, the next verb begins there again.
    pub fn new(pinned: PinnedCa, keep: Option<Keep>) -> Self {
        Self { pinned: Mutex::new(pinned), keep, following: tokio::sync::Mutex::default() }
    }

    /// What is trusted now.
    pub fn current(&self) -> PinnedCa {
        self.lock().clone()
    }

    /// Follows to what the broker offers now.
    ///
    /// # Errors
    /// [`PinError`]: what is trusted stays.
    pub async fn follow(&self, http: &Http) -> Result<(), PinError> {
        let chain = fetch(http).await?;
        let before = self.current();
        let after = follow(&before, &chain)?;
        if after != before {
            *self.lock() = after.clone();
            if let Some(keep) = &self.keep {
                // Where it cannot be kept, the same statements lead here the next time.
                let _ = keep.replace(&before, &after).await;
            }
        }
        Ok(())
    }

    /// Follows where an answer of the broker has told of a newer statement. A broker that then does not answer is no reason to stop: what
    /// is trusted may well be enough.
    ///
    /// # Errors
    /// [`PinError::Changed`], [`PinError::Unusable`].
    pub async fn follow_if_newer(&self, http: &Http) -> Result<(), PinError> {
        let is_newer = || http.newest_ca() > self.lock().sequence;
        if !is_newer() {
            return Ok(());
        }
        let _following = self.following.lock().await;
        if !is_newer() {
            return Ok(());
        }
        http.trace().step("authorities");
        let followed = tokio::time::timeout(PATIENCE, self.follow(http)).await;
        match followed.unwrap_or(Err(HttpError::Unreachable(Unreachable::Timeout).into())) {
            Ok(()) | Err(PinError::Http(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, PinnedCa> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pin").field("pinned", &self.current()).finish_non_exhaustive()
    }
}

impl Keep {
    /// Puts `after` in the place of `before`, in the configuration and in the file that stock `ssh` reads; whatever else stands there by
    /// now stays: somebody has logged in anew.
    async fn replace(&self, before: &PinnedCa, after: &PinnedCa) -> Result<(), super::config::ConfigError> {
        Config::update(&self.paths, |config| {
            let broker = config.brokers.iter_mut().find(|broker| broker.url == self.url);
            if let Some(login) = broker.and_then(|broker| broker.login.as_mut()).filter(|login| login.ca == *before) {
                login.ca.clone_from(after);
            }
        })
        .await?;
        let path = self.paths.known_hosts();
        if private::read(&path, Guard::Trusted, LIMIT)?.is_some_and(|text| text == known_hosts(&before.set).as_bytes()) {
            private::write(&path, Guard::Trusted, known_hosts(&after.set).as_bytes())?;
        }
        Ok(())
    }
}

/// What the broker offers: a set, and how it came about.
///
/// # Errors
/// [`PinError::Http`], [`PinError::Unusable`].
pub async fn fetch(http: &Http) -> Result<Chain, PinError> {
    let answer = http.fetch(http.request(Method::GET, "/v1/ca"), SMALL_BODY).await?;
    if !answer.is_success() {
        return Err(HttpError::Unexpected { status: answer.status }.into());
    }
    let chain = answer.json::<CaOffer>()?.into_chain();
    let newest = chain.newest().set;
    match (Authorities::of_users(&newest), Authorities::of_hosts(&newest)) {
        (Ok(_), Ok(_)) => Ok(chain),
        _ => Err(PinError::Unusable),
    }
}

/// Where the statements of what is pinned lead.
///
/// # Errors
/// [`PinError::Changed`] when they do not lead to what is offered.
pub fn follow(pinned: &PinnedCa, chain: &Chain) -> Result<PinnedCa, PinError> {
    statement::follow(pinned, chain).map_err(|why| PinError::Changed {
        pinned: pinned.set.fingerprint(),
        offered: chain.newest().set.fingerprint(),
        why,
    })
}

/// The file by which stock `ssh` accepts hosts.
pub fn known_hosts(set: &CaSet) -> String {
    set.host.iter().map(|line| format!("@cert-authority *{SUFFIX} {}\n", line.trim())).collect()
}

/// What the host names of containers end in for stock clients.
pub const SUFFIX: &str = ".zt";

/// How long the way to newer authorities may take when a session waits for it: the agent waits fifteen seconds for us.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most bytes of a file with some keys.
const LIMIT: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
