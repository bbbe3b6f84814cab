//! A name and a password from a page: limited, judged, and written down where they are wrong.

use std::net::IpAddr;

use axum::http::StatusCode;

use super::form::Parameters;
use crate::broker::State;
use crate::broker::audit::Event;
use crate::broker::identity::{DirectoryError, IdentityProvider};
use crate::broker::rate::{Limit, TooMany, network};
use crate::broker::store::User;
use crate::proto::Secret;

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLoggedIn {
    /// The same words whether the name or the password is wrong.
    #[error("The name or the password is wrong.")]
    Wrong,
    /// Too many attempts.
    #[error("There were too many attempts. Try again in {} seconds.", .0.seconds)]
    TooMany(#[from] TooMany),
    /// This broker has no passwords.
    #[error("Passwords are switched off at this broker. Ask your platform team.")]
    Off,
    /// The broker cannot judge right now; why is in its log.
    #[error("The broker cannot check passwords right now. Try again in a moment.")]
    Unavailable,
}

impl NotLoggedIn {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Wrong => StatusCode::UNAUTHORIZED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Off => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The person whose `username` and `password` are in the form.
pub(super) async fn check(state: &State, form: &Parameters, address: IpAddr) -> Result<User, NotLoggedIn> {
    if !state.config.directory {
        return Err(NotLoggedIn::Off);
    }
    let (name, now) = (form.value("username").unwrap_or_default().trim(), state.clock.now());
    let password = Secret::new(form.value("password").unwrap_or_default().to_owned());
    let account = name.chars().take(NAME).collect::<String>();
    state.limits.attempt(Limit::Address, &network(address), now)?;
    state.limits.attempt(Limit::Account, &account, now)?;
    match state.directory.check(name, password).await {
        Ok(Some(user)) => {
            state.limits.forget(Limit::Account, &account);
            Ok(user)
        }
        Ok(None) => {
            let why = "wrong name or password".to_owned();
            let (user, client_address) = (format!("{account}@{}", state.directory.name()), address.to_string());
            let event = Event::LoginFailed { user, client_address, why };
            state.journal.append(event).await.map_err(|error| unavailable(&error))?;
            Err(NotLoggedIn::Wrong)
        }
        Err(DirectoryError::Busy) => Err(NotLoggedIn::TooMany(TooMany { seconds: 10 })),
        Err(error) => Err(unavailable(&error)),
    }
}

fn unavailable(error: &dyn std::fmt::Display) -> NotLoggedIn {
    tracing::error!(%error, "a password cannot be checked");
    NotLoggedIn::Unavailable
}

/// The most characters of a name that was typed that we keep: accounts have 64 at the most.
const NAME: usize = 80;
