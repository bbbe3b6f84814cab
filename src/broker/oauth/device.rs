//! Login by a code that is entered in a browser elsewhere: RFC 8628.
//!
//! The page asks for the code, then shows where the device is and asks for name and password: who was sent a code by somebody
//! else sees another address than the one expected, and can say no.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State as Extracted};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;

use super::form::{Parameters, Refusal, Sent};
use super::signin::{self, Purpose};
use super::{password, second, url};
use crate::broker::identity::{Person, token};
use crate::broker::pages::{self, Field, Page};
use crate::broker::rate::{Limit, TooMany, network};
use crate::broker::store::{DeviceRequest, StoreError};
use crate::broker::{State, http};
use crate::proto::Secret;
use crate::proto::name::Account;

/// Why a device is not approved.
#[derive(Debug, thiserror::Error)]
pub enum ApproveError {
    /// No device waits with this code.
    #[error("no device waits with this code")]
    Unknown,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// RFC 8628 §3.2.
#[derive(Serialize)]
pub(super) struct Begun {
    device_code: Secret<String>,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// Lets the device that waits with `user_code` log in as `user`.
///
/// # Errors
/// [`ApproveError::Unknown`] when none does, or not any more.
pub(crate) async fn approve(state: &State, user_code: &str, user: &Account) -> Result<(), ApproveError> {
    let code = normal(user_code).ok_or(ApproveError::Unknown)?;
    let approved = state.store.answer_device(&code, Some(&Person::local(user.clone())), state.clock.now()).await?;
    approved.then_some(()).ok_or(ApproveError::Unknown)
}

pub(super) async fn begin(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<Begun>, Refusal> {
    let Sent { address, form, .. } = Sent::read(&state, request).await?;
    form.client()?;
    let now = state.clock.now();
    state.limits.attempt(Limit::Device, &network(address), now).map_err(|error| Refusal::too_many(&error))?;
    state.store.prune(now).await?;
    if state.store.devices_waiting(now).await? >= MOST_WAITING {
        return Err(Refusal::unavailable(&"too many devices wait for a person"));
    }
    let device_code = token::random("");
    let mut tries = 0;
    let user_code = loop {
        let device = DeviceRequest {
            hash: token::hash(device_code.expose()),
            user_code: random_code(),
            address: address.to_string(),
            expires_at: now.saturating_add(LIFETIME),
            interval: INTERVAL,
            again: super::again(&form),
        };
        match state.store.add_device(&device, now).await {
            Ok(()) => break device.user_code,
            Err(StoreError::Exists(_)) if tries < 3 => tries += 1,
            Err(error) => return Err(error.into()),
        }
    };
    let verification_uri = url(&state, "/device");
    Ok(Json(Begun {
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        device_code,
        user_code,
        verification_uri,
        expires_in: LIFETIME,
        interval: INTERVAL,
    }))
}

pub(super) async fn show(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    let address = http::client_address(&state, &request);
    let query = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
    let (query, headers) = (query.as_ref(), request.headers().clone());
    let code = query.and_then(|query| query.value("user_code"));
    match (code, query.and_then(|query| query.value("provider"))) {
        (Some(code), Some(provider)) => match (look(&state, code, address).await, normal(code)) {
            (Ok(_), Some(user_code)) => {
                let again = state.store.device_asks_again(&user_code).await.unwrap_or(true);
                signin::leave(&state, &headers, address, provider, (again, Purpose::Device { user_code })).await
            }
            _ => second(&state, &headers, code, address).await,
        },
        (Some(code), None) => second(&state, &headers, code, address).await,
        (None, _) => first(&state, &headers, StatusCode::OK, None),
    }
}

pub(super) async fn submit(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    let Sent { headers, address, form } = match Sent::read(&state, request).await {
        Ok(sent) => sent,
        Err(refusal) => return pages::answer(refusal.status(), &Page::said("This cannot be read", &refusal.description)),
    };
    if !pages::is_ours(&state, &headers, form.value(pages::CSRF)) {
        let text = "This page was open for too long, or cookies are switched off. Please try again.";
        return first(&state, &headers, StatusCode::FORBIDDEN, Some(text));
    }
    let code = form.value("user_code").unwrap_or_default();
    let (Some(answer), Some(normal_code)) = (form.value("answer").filter(|answer| *answer != "next"), normal(code)) else {
        return second(&state, &headers, code, address).await;
    };
    let waiting = match look(&state, code, address).await {
        Ok(waiting) => waiting,
        Err((status, error)) => return first(&state, &headers, status, Some(&error)),
    };
    let allowed = answer == "allow";
    let person = match form.value("signin") {
        Some(id) => match signin::for_device(&state, &headers, id, &normal_code).await {
            Ok(person) => person,
            Err(response) => return response,
        },
        None => match password::check(&state, &form, address).await {
            // To say no the password is enough.
            Ok(user) if !allowed => Person::local(user.name),
            Ok(user) => {
                let purpose = Purpose::Device { user_code: normal_code.clone() };
                match second::after_password(&state, &headers, user, purpose).await {
                    Ok(person) => person,
                    Err(page) => return page,
                }
            }
            Err(error) => return ask(&state, &headers, error.status(), (&normal_code, &waiting), Some(&error.to_string())),
        },
    };
    self::answer(&state, &headers, &normal_code, allowed.then_some(&person)).await
}

/// Lets the device with this code log in as `person`, or as nobody.
pub(super) async fn answer(state: &State, headers: &HeaderMap, code: &str, person: Option<&Person>) -> Response {
    match state.store.answer_device(code, person, state.clock.now()).await {
        Ok(true) if person.is_some() => {
            pages::answer(StatusCode::OK, &Page::said("Done", "The device is logged in. You can close this window."))
        }
        Ok(true) => {
            pages::answer(StatusCode::OK, &Page::said("Refused", "The device is not logged in. You can close this window."))
        }
        Ok(false) => first(state, headers, StatusCode::NOT_FOUND, Some(UNKNOWN)),
        Err(error) => {
            tracing::error!(%error, "a device cannot be answered");
            first(state, headers, StatusCode::SERVICE_UNAVAILABLE, Some(LATER))
        }
    }
}

/// Where the device with this code is. A wrong code counts as a guess; a right one takes none back, or a guesser would bring one along.
async fn look(state: &State, code: &str, address: IpAddr) -> Result<String, (StatusCode, String)> {
    let now = state.clock.now();
    let (limits, from) = (&state.limits, network(address));
    let too_many = |error: TooMany| {
        (StatusCode::TOO_MANY_REQUESTS, format!("There were too many attempts. Try again in {} seconds.", error.seconds))
    };
    limits.check(Limit::UserCode, &from, now).map_err(too_many)?;
    let unknown = || match limits.attempt(Limit::UserCode, &from, now) {
        Ok(()) => (StatusCode::NOT_FOUND, UNKNOWN.to_owned()),
        Err(error) => too_many(error),
    };
    let code = normal(code).ok_or_else(unknown)?;
    match state.store.device_waiting(&code, now).await {
        Ok(waiting) => waiting.ok_or_else(unknown),
        Err(error) => {
            tracing::error!(%error, "a user code cannot be looked up");
            Err((StatusCode::SERVICE_UNAVAILABLE, LATER.to_owned()))
        }
    }
}

/// The page that asks for the code.
fn first(state: &State, headers: &HeaderMap, status: StatusCode, error: Option<&str>) -> Response {
    let page = Page {
        title: "Log in a device",
        text: vec!["Enter the code that ztctl shows in the terminal.".to_owned()],
        error,
        action: Some("/device"),
        fields: &[Field::UserCode],
        buttons: &[("next", "Continue")],
        ..Page::default()
    };
    pages::form(state, headers, status, &page)
}

/// The page that says who asks, if the code is good.
async fn second(state: &State, headers: &HeaderMap, code: &str, address: IpAddr) -> Response {
    match (look(state, code, address).await, normal(code)) {
        (Ok(waiting), Some(code)) => ask(state, headers, StatusCode::OK, (&code, &waiting), None),
        (Ok(_), None) => first(state, headers, StatusCode::NOT_FOUND, Some(UNKNOWN)),
        (Err((status, error)), _) => first(state, headers, status, Some(&error)),
    }
}

/// The page that says who asks, to a person who has shown who they are: in the attempt that `person` begins with.
pub(super) async fn confirm(state: &State, headers: &HeaderMap, code: &str, person: (&str, &Person)) -> Response {
    let (id, person) = person;
    let waiting = match state.store.device_waiting(code, state.clock.now()).await {
        Ok(Some(waiting)) => waiting,
        Ok(None) => return first(state, headers, StatusCode::NOT_FOUND, Some(UNKNOWN)),
        Err(error) => {
            tracing::error!(%error, "a user code cannot be looked up");
            return first(state, headers, StatusCode::SERVICE_UNAVAILABLE, Some(LATER));
        }
    };
    let page = Page {
        title: "Log in a device",
        text: vec![
            format!("A device at the address {waiting} wants to log in as {person}, with the code {code}."),
            OWN.to_owned(),
        ],
        action: Some("/device"),
        hidden: &[("user_code", code), ("signin", id)],
        buttons: &[("allow", "Log in"), ("deny", "Refuse")],
        ..Page::default()
    };
    pages::form(state, headers, StatusCode::OK, &page)
}

fn ask(state: &State, headers: &HeaderMap, status: StatusCode, device: (&str, &str), error: Option<&str>) -> Response {
    let (code, waiting) = device;
    let page = Page {
        title: "Log in a device",
        text: vec![format!("A device at the address {waiting} wants to log in as you, with the code {code}."), OWN.to_owned()],
        error,
        action: Some("/device"),
        hidden: &[("user_code", code)],
        links: pages::ways(state, |provider| format!("/device?user_code={code}&provider={provider}")),
        fields: if state.config.directory { &[Field::Username, Field::Password] } else { &[] },
        buttons: if state.config.directory { &[("allow", "Log in"), ("deny", "Refuse")] } else { &[] },
        ..Page::default()
    };
    pages::form(state, headers, status, &page)
}

/// A code as a person types it, in the form that we keep.
pub(in crate::broker) fn normal(code: &str) -> Option<String> {
    let letters: Vec<char> =
        code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).take(9).collect();
    let (left, right) = (letters.len() == 8).then(|| letters.split_at(4))?;
    Some(left.iter().chain(&['-']).chain(right).collect())
}

/// Eight letters of twenty: 34 bits, which hold for minutes and can be guessed a few times a minute.
fn random_code() -> String {
    let letter = || char::from(ALPHABET[usize::from(rand::random::<u8>() % 240) % ALPHABET.len()]);
    // 240 is twelve times twenty; the sixteen values above it fold onto the first sixteen letters, which costs a tenth of a bit.
    (0..8).flat_map(|index| (index == 4).then_some('-').into_iter().chain([letter()])).collect()
}

/// RFC 8628 §6.1: no vowels, so no words, and no digits that look like letters.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Long enough to find another device and a password.
const LIFETIME: u64 = 600;

const INTERVAL: u64 = 5;

/// More would make guessing a code worth while.
const MOST_WAITING: u64 = 1000;

const OWN: &str = "Go on only if you started this yourself and the terminal shows the same code.";
const UNKNOWN: &str = "No device waits with this code. Codes hold for ten minutes: start again in the terminal.";
const LATER: &str = "The broker cannot answer right now. Try again in a moment.";

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        for code in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk "] {
            assert_eq!(normal(code).as_deref(), Some("BCDF-GHJK"), "{code}");
        }
        for code in ["", "BCDF", "BCDF-GHJKL", "ééééééé"] {
            assert_eq!(normal(code), None, "{code}");
        }
        let code = random_code();
        assert_eq!(normal(&code), Some(code));
    }
}
