//! The second factor of the directory's people: set up, shown, used up, written down. The pages of a login and the API of a login
//! that is there meet here.
//!
//! A code counts once. Wrong ones are limited for each account, whoever types them and wherever, and each is in the journal.

pub(crate) mod api;
mod step_up;

use std::net::IpAddr;

use super::State;
use super::audit::Event;
use super::identity::LOCAL;
use super::identity::totp::{Authenticator, Typed, recovery_codes};
use super::rate::{Limit, TooMany, network};
use crate::proto::Secret;
use crate::proto::name::Account;

pub(crate) use step_up::with_way;

/// Why nothing was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotShown {
    /// Wrong, or used before.
    #[error("that code is wrong, or was used before: each counts once, take the next one")]
    Wrong,
    /// Too many attempts.
    #[error("there were too many attempts: try again in {} seconds", .0.seconds)]
    TooMany(#[from] TooMany),
    /// The person has no second factor, or none that waits to be confirmed.
    #[error("no second factor is set up for you: ztctl totp enroll does that")]
    Absent,
    /// There is one already.
    #[error("you have a second factor already: ztctl totp remove takes it away")]
    Present,
    /// The broker cannot judge right now; why is in its log.
    #[error("the broker cannot check codes right now: try again in a moment")]
    Unavailable,
}

/// A second factor to be set up.
pub(crate) struct Begun {
    /// The secret in base32.
    pub(crate) secret: Secret<String>,
    /// The address that the QR code holds.
    pub(crate) url: Secret<String>,
}

/// Whether that person has a second factor that counts.
pub(crate) async fn has(state: &State, name: &Account) -> Result<bool, NotShown> {
    let kept = state.store.totp(name).await.map_err(|error| unavailable(&error))?;
    Ok(kept.is_some_and(|kept| kept.confirmed_at.is_some()))
}

/// Uses up the code, or the recovery code, that `name` has typed at `address`.
pub(crate) async fn show(state: &State, name: &Account, code: &str, address: IpAddr) -> Result<(), NotShown> {
    limit(state, name, address)?;
    let kept = state.store.totp(name).await.map_err(|error| unavailable(&error))?;
    let kept = kept.filter(|kept| kept.confirmed_at.is_some()).ok_or(NotShown::Absent)?;
    let account = account(name);
    let (right, method) = match Typed::read(&account, code) {
        Typed::Code(code) => {
            let step = open(state, name, &kept.sealed)?.step(&code, state.clock.now());
            let right = match step {
                Some(step) => state.store.use_totp_step(name, step).await.map_err(|error| unavailable(&error))?,
                None => false,
            };
            (right, "totp")
        }
        Typed::Recovery(hash) => {
            let right = state.store.use_recovery_code(name, &hash).await.map_err(|error| unavailable(&error))?;
            (right, "recovery_code")
        }
        Typed::Nonsense => (false, "totp"),
    };
    if !right {
        return Err(wrong(state, name, address).await);
    }
    state.limits.forget(Limit::SecondFactor, name.as_str());
    if method == "recovery_code" {
        let left = kept.recovery_codes.saturating_sub(1);
        write_down(state, Event::RecoveryCodeUsed { user: account.clone(), client_address: address.to_string(), left }).await?;
    }
    write_down(state, Event::MfaShown { user: account, client_address: address.to_string(), method: method.to_owned() }).await
}

/// Begins to set one up. It counts for nothing until it is confirmed.
pub(crate) async fn begin(state: &State, name: &Account) -> Result<Begun, NotShown> {
    let authenticator = Authenticator::fresh(&issuer(state), &account(name)).ok_or(NotShown::Unavailable)?;
    let sealed = authenticator.sealed(state.store.key());
    let begun = state.store.begin_totp(name, &sealed, state.clock.now()).await.map_err(|error| unavailable(&error))?;
    if begun { begun_with(&authenticator) } else { Err(NotShown::Present) }
}

/// What was begun and waits to be confirmed.
pub(crate) async fn pending(state: &State, name: &Account) -> Result<Begun, NotShown> {
    let (authenticator, _) = unconfirmed(state, name).await?;
    begun_with(&authenticator)
}

/// Ends the setting up, with a first code. Returns the recovery codes, which nobody sees again.
pub(crate) async fn confirm(
    state: &State,
    name: &Account,
    code: &str,
    address: IpAddr,
) -> Result<Vec<Secret<String>>, NotShown> {
    limit(state, name, address)?;
    let (authenticator, sealed) = unconfirmed(state, name).await?;
    let step = match Typed::read(&account(name), code) {
        Typed::Code(code) => authenticator.step(&code, state.clock.now()),
        _ => None,
    };
    let Some(step) = step else { return Err(wrong(state, name, address).await) };
    let (codes, hashes) = recovery_codes(&account(name));
    let event = Event::TotpEnrolled { user: account(name), client_address: address.to_string() };
    write_down(state, event).await?;
    let confirmed = state.store.confirm_totp(name, &sealed, step, &hashes, state.clock.now()).await;
    if !confirmed.map_err(|error| unavailable(&error))? {
        // Another window has begun anew meanwhile.
        return Err(NotShown::Absent);
    }
    state.limits.forget(Limit::SecondFactor, name.as_str());
    Ok(codes)
}

/// Fresh recovery codes, in place of those that are left, for a person who has just shown a code.
pub(crate) async fn renew_codes(state: &State, name: &Account, address: IpAddr) -> Result<Vec<Secret<String>>, NotShown> {
    let (codes, hashes) = recovery_codes(&account(name));
    write_down(state, Event::RecoveryCodesMade { user: account(name), client_address: address.to_string() }).await?;
    state.store.set_recovery_codes(name, &hashes).await.map_err(|error| unavailable(&error))?;
    Ok(codes)
}

/// Takes the second factor away from a person who has just shown a code.
pub(crate) async fn remove(state: &State, name: &Account) -> Result<(), NotShown> {
    write_down(state, Event::TotpRemoved { user: account(name), by: account(name) }).await?;
    state.store.remove_totp(name).await.map(drop).map_err(|error| unavailable(&error))
}

async fn unconfirmed(state: &State, name: &Account) -> Result<(Authenticator, String), NotShown> {
    let kept = state.store.totp(name).await.map_err(|error| unavailable(&error))?.ok_or(NotShown::Absent)?;
    if kept.confirmed_at.is_some() {
        return Err(NotShown::Present);
    }
    Ok((open(state, name, &kept.sealed)?, kept.sealed))
}

fn open(state: &State, name: &Account, sealed: &str) -> Result<Authenticator, NotShown> {
    let opened = Authenticator::open(state.store.key(), sealed, &issuer(state), &account(name));
    opened.ok_or_else(|| unavailable(&"the database holds a secret that it did not seal"))
}

fn begun_with(authenticator: &Authenticator) -> Result<Begun, NotShown> {
    let url = authenticator.url().ok_or(NotShown::Unavailable)?;
    Ok(Begun { secret: authenticator.secret(), url })
}

fn limit(state: &State, name: &Account, address: IpAddr) -> Result<(), NotShown> {
    let now = state.clock.now();
    state.limits.attempt(Limit::Address, &network(address), now)?;
    Ok(state.limits.attempt(Limit::SecondFactor, name.as_str(), now)?)
}

async fn wrong(state: &State, name: &Account, address: IpAddr) -> NotShown {
    let event = Event::MfaFailed { user: account(name), client_address: address.to_string() };
    write_down(state, event).await.err().unwrap_or(NotShown::Wrong)
}

async fn write_down(state: &State, event: Event) -> Result<(), NotShown> {
    state.journal.append(event).await.map(drop).map_err(|error| unavailable(&error))
}

fn unavailable(error: &dyn std::fmt::Display) -> NotShown {
    tracing::error!(%error, "a second factor cannot be handled");
    NotShown::Unavailable
}

/// `name@local`.
fn account(name: &Account) -> String {
    format!("{name}@{LOCAL}")
}

/// What an app shows beside the account.
fn issuer(state: &State) -> String {
    format!("ztctl {}", state.config.public_url.host_str().unwrap_or_default())
}
