//! A person shows who they are at a provider: the way there, and back to what the browser came for. The directory's people go the
//! same way between the password and the second factor.
//!
//! An attempt is known by an id that only the browser's address bar and we know, counts once, for ten minutes, and only in the
//! browser that began it: it carries a cookie. That cookie comes along when the provider sends the browser back (`SameSite=Lax`),
//! which the one of our forms does not.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::form::Parameters;
use super::second::Stage;
use super::{answer, authorize, device};
use crate::broker::audit::Event;
use crate::broker::identity::oidc::OidcError;
use crate::broker::identity::{LOCAL, Person, token};
use crate::broker::pages::{self, Page};
use crate::broker::rate::{Limit, network};
use crate::broker::store::SignIn;
use crate::broker::{State, http};
use crate::proto::{RequestId, Secret};

/// What a browser came for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub(super) enum Purpose {
    /// A login of the program that waits on this machine.
    Authorize(authorize::Wish),
    /// The login of a device that shows this code.
    Device {
        /// The code.
        user_code: String,
    },
    /// A request for an approval, to see and to answer it.
    Answer {
        /// Which.
        request: RequestId,
    },
    /// One of these, once a person of the directory, whose password was right, has shown the second factor.
    Second {
        /// Which.
        then: Box<Purpose>,
        /// What is awaited.
        stage: Stage,
    },
}

/// An attempt that was kept, and the browser that it is for.
pub(super) struct Kept {
    id: Secret<String>,
    browser: Browser,
}

impl Kept {
    /// Keeps an attempt of `person`, who has not shown everything yet, until `until`.
    pub(super) async fn begin(
        state: &State,
        headers: &HeaderMap,
        purpose: Purpose,
        person: &Person,
        until: u64,
    ) -> Result<Self, Response> {
        let (id, browser) = (token::random(""), Browser::of(state, headers));
        keep(state, &browser, id.expose(), purpose, LOCAL, Some(person.clone()), until).await?;
        Ok(Self { id, browser })
    }

    /// What the form carries along.
    pub(super) fn id(&self) -> &str {
        self.id.expose()
    }

    /// `response`, after which the browser is known.
    pub(super) fn remembered(&self, state: &State, response: Response) -> Response {
        self.browser.remember(state, response)
    }
}

/// Sends the browser at `from`, which sent these headers, to `provider`.
/// With `again`, the first of the two, the provider asks anew, whoever is logged in there.
pub(super) async fn leave(
    state: &State,
    headers: &HeaderMap,
    from: IpAddr,
    provider: &str,
    (again, purpose): (bool, Purpose),
) -> Response {
    let Some(provider) = state.providers.get(provider) else {
        return said(StatusCode::NOT_FOUND, "This broker knows no such identity provider.");
    };
    if let Some(response) = too_many(state, from) {
        return response;
    }
    let id = token::random("");
    let url = match provider.authorize(state.store.key(), id.expose(), again).await {
        Ok(url) => url,
        Err(error) => {
            tracing::error!(%error, provider = provider.name(), "a login cannot go on");
            let text = format!("{} does not answer. Try again in a moment.", provider.title());
            return said(StatusCode::BAD_GATEWAY, &text);
        }
    };
    let (browser, until) = (Browser::of(state, headers), state.clock.now().saturating_add(LIFETIME));
    if let Err(response) = keep(state, &browser, id.expose(), purpose, provider.name(), None, until).await {
        return response;
    }
    browser.remember(state, (StatusCode::SEE_OTHER, [(LOCATION, url.to_string())]).into_response())
}

/// Where providers send the browser back to (OpenID Connect Core §3.1.2.5).
pub(super) async fn callback(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    let address = http::client_address(&state, &request);
    if let Some(response) = too_many(&state, address) {
        return response;
    }
    let headers = request.headers().clone();
    let query = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
    let Some((query, id)) = query.as_ref().and_then(|query| Some((query, query.value("state")?))) else {
        return said(StatusCode::BAD_REQUEST, LOST);
    };
    let (purpose, sign_in) = match take(&state, &headers, id).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let Some(provider) = state.providers.get(&sign_in.provider) else {
        return said(StatusCode::NOT_FOUND, "This broker knows no such identity provider.");
    };
    let failed = async |why: String, client_address: String| {
        let event = Event::LoginFailed { user: format!("?@{}", provider.name()), client_address, why };
        if let Err(error) = state.journal.append(event).await {
            tracing::error!(%error, "a failed login was not written down");
        }
    };
    let from_another = query.value("iss").is_some_and(|issuer| !provider.is(issuer));
    let code = match (query.value("error"), query.value("code")) {
        _ if from_another => {
            failed("the answer came from another provider".to_owned(), address.to_string()).await;
            return refuse(&state, &purpose, "the answer came from another provider");
        }
        (Some(error), _) => {
            let error: String = error.chars().filter(|letter| letter.is_ascii_graphic()).take(ERROR).collect();
            failed(format!("the provider answered {error}"), address.to_string()).await;
            return refuse(&state, &purpose, &format!("{} did not log you in ({error})", provider.title()));
        }
        (None, None) => return refuse(&state, &purpose, &format!("{} gave no answer", provider.title())),
        (None, Some(code)) => code,
    };
    let person = match provider.person(state.store.key(), id, code).await {
        Ok(person) => person,
        Err(error) => {
            tracing::warn!(%error, provider = provider.name(), "a login came to nothing");
            failed(error.to_string(), address.to_string()).await;
            let why = match error {
                OidcError::Away(_) => format!("{} does not answer: try again in a moment", provider.title()),
                OidcError::Stranger(_) => format!("{} does not accept this broker: tell your platform team", provider.title()),
                OidcError::Unfit(why) => format!("{} has logged you in, and {why}: ask your platform team", provider.title()),
                _ => format!("what {} says cannot be believed: try again, or ask your platform team", provider.title()),
            };
            return refuse(&state, &purpose, &why);
        }
    };
    match purpose {
        Purpose::Authorize(wish) => authorize::grant(&state, &wish, person).await,
        Purpose::Device { user_code } => {
            let (again, browser) = (token::random(""), Browser::of(&state, &headers));
            let purpose = Purpose::Device { user_code: user_code.clone() };
            let until = state.clock.now().saturating_add(LIFETIME);
            match keep(&state, &browser, again.expose(), purpose, &sign_in.provider, Some(person.clone()), until).await {
                Ok(()) => device::confirm(&state, &headers, &user_code, (again.expose(), &person)).await,
                Err(response) => response,
            }
        }
        Purpose::Answer { request } => answer::proved(&state, &headers, request, person).await,
        Purpose::Second { .. } => said(StatusCode::BAD_REQUEST, LOST),
    }
}

/// The browser that the headers are of, where it has been to a provider.
pub(crate) fn browser<'a>(state: &State, headers: &'a HeaderMap) -> Option<&'a str> {
    pages::cookie(headers, cookie_name(state))
}

/// Who has signed in for the device with `user_code` in this browser, as the confirming form's `id` says.
pub(super) async fn for_device(state: &State, headers: &HeaderMap, id: &str, user_code: &str) -> Result<Person, Response> {
    let (purpose, sign_in) = take(state, headers, id).await?;
    let expected = Purpose::Device { user_code: user_code.to_owned() };
    sign_in.person.filter(|_| purpose == expected).ok_or_else(|| said(StatusCode::BAD_REQUEST, LOST))
}

async fn keep(
    state: &State,
    browser: &Browser,
    id: &str,
    purpose: Purpose,
    provider: &str,
    person: Option<Person>,
    until: u64,
) -> Result<(), Response> {
    let sign_in = SignIn {
        hash: token::hash(id),
        browser: token::hash(&browser.value),
        purpose: serde_json::to_string(&purpose).unwrap_or_default(),
        provider: provider.to_owned(),
        person,
        expires_at: until,
    };
    state.store.add_sign_in(&sign_in).await.map_err(|error| later(&error))
}

/// Uses up the attempt `id` of this browser.
pub(super) async fn take(state: &State, headers: &HeaderMap, id: &str) -> Result<(Purpose, SignIn), Response> {
    let lost = || said(StatusCode::BAD_REQUEST, LOST);
    let browser = browser(state, headers).ok_or_else(lost)?;
    let taken = state.store.take_sign_in(&token::hash(id), &token::hash(browser), state.clock.now()).await;
    let sign_in = taken.map_err(|error| later(&error))?.ok_or_else(lost)?;
    let purpose = serde_json::from_str(&sign_in.purpose).map_err(|error| later(&error))?;
    Ok((purpose, sign_in))
}

fn too_many(state: &State, from: IpAddr) -> Option<Response> {
    let error = state.limits.attempt(Limit::SignIn, &network(from), state.clock.now()).err()?;
    let text = format!("There were too many attempts. Try again in {} seconds.", error.seconds);
    Some(said(StatusCode::TOO_MANY_REQUESTS, &text))
}

/// Tells it to whoever waits: the program on this machine, else the person.
pub(super) fn refuse(state: &State, purpose: &Purpose, why: &str) -> Response {
    match purpose {
        Purpose::Authorize(wish) => authorize::denied(state, wish, why),
        Purpose::Device { .. } | Purpose::Answer { .. } | Purpose::Second { .. } => {
            said(StatusCode::FORBIDDEN, &format!("{}.", authorize::capital(why)))
        }
    }
}

/// A page that ends the login, and why.
pub(super) fn said(status: StatusCode, text: &str) -> Response {
    pages::answer(status, &Page::said("This login cannot go on", text))
}

fn later(error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "a login cannot go on");
    said(StatusCode::SERVICE_UNAVAILABLE, "The broker cannot answer right now. Try again in a moment.")
}

/// A browser, by its cookie.
struct Browser {
    value: String,
    new: bool,
}

impl Browser {
    fn of(state: &State, headers: &HeaderMap) -> Self {
        match browser(state, headers) {
            Some(value) => Self { value: value.to_owned(), new: false },
            None => Self { value: token::random("").expose().clone(), new: true },
        }
    }

    fn remember(&self, state: &State, mut response: Response) -> Response {
        let secure = if pages::is_https(state) { "; Secure" } else { "" };
        let set = format!("{}={}; Path=/; Max-Age={LIFETIME}; HttpOnly; SameSite=Lax{secure}", cookie_name(state), self.value);
        if let Some(set) = HeaderValue::from_str(&set).ok().filter(|_| self.new) {
            response.headers_mut().append(SET_COOKIE, set);
        }
        response
    }
}

fn cookie_name(state: &State) -> &'static str {
    if pages::is_https(state) { "__Host-ztctl-signin" } else { "ztctl-signin" }
}

/// An attempt that is none.
pub(super) const LOST: &str = "It was begun in another browser, or took longer than ten minutes. Start again in the terminal.";

/// Long enough to find a second factor.
pub(super) const LIFETIME: u64 = 600;

/// The most characters of a provider's error code.
const ERROR: usize = 64;
