//! Login in the browser: the page, and the way back to the loopback address where `ztctl` waits.

use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use url::form_urlencoded::Serializer;

use super::form::{Parameters, Refusal, Sent};
use super::signin::{self, Purpose};
use super::{issuer, password, second};
use crate::broker::identity::{Person, token};
use crate::broker::pages::{self, Field, Page};
use crate::broker::store::AuthorizationCode;
use crate::broker::{State, http};

/// What the client asks for, once it makes sense.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wish {
    redirect: String,
    state: String,
    challenge: String,
    key: String,
    /// Whether the identity provider is to ask anew.
    #[serde(default)]
    again: bool,
}

impl Wish {
    /// Where the browser goes at the end, without the path.
    pub(super) fn origin(&self) -> Option<&str> {
        self.redirect.strip_suffix("/callback")
    }
}

pub(super) async fn show(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    let Some(query) = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes()) else {
        return wrong("A parameter comes twice.");
    };
    let wish = match read(&query) {
        Ok(wish) => wish,
        Err(refusal) => return refuse(&state, &query, &refusal),
    };
    let address = http::client_address(&state, &request);
    let headers = request.headers().clone();
    let mut providers = state.providers.all();
    let only = match (providers.next(), providers.next()) {
        (Some(only), None) if !state.config.directory => Some(only.name()),
        _ => None,
    };
    match query.value("provider").or(only) {
        Some(provider) => signin::leave(&state, &headers, address, provider, (wish.again, Purpose::Authorize(wish))).await,
        None => page(&state, &headers, &wish, StatusCode::OK, None),
    }
}

pub(super) async fn submit(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    let sent = match Sent::read(&state, request).await {
        Ok(sent) => sent,
        Err(refusal) => return wrong(&refusal.description),
    };
    let wish = match read(&sent.form) {
        Ok(wish) => wish,
        Err(refusal) => return refuse(&state, &sent.form, &refusal),
    };
    if !pages::is_ours(&state, &sent.headers, sent.form.value(pages::CSRF)) {
        let text = "This page was open for too long, or cookies are switched off. Please try again.";
        return page(&state, &sent.headers, &wish, StatusCode::FORBIDDEN, Some(text));
    }
    if sent.form.value("answer") == Some("cancel") {
        return back(&state, &wish.redirect, Some(&wish.state), &[("error", "access_denied")]);
    }
    match password::check(&state, &sent.form, sent.address).await {
        Ok(user) => match second::after_password(&state, &sent.headers, user, Purpose::Authorize(wish.clone())).await {
            Ok(person) => grant(&state, &wish, person).await,
            Err(page) => page,
        },
        Err(error) => page(&state, &sent.headers, &wish, error.status(), Some(&error.to_string())),
    }
}

/// Sends the browser back with a code for `person`'s login.
pub(super) async fn grant(state: &State, wish: &Wish, person: Person) -> Response {
    let code = token::random("");
    let kept = AuthorizationCode {
        hash: token::hash(code.expose()),
        person,
        redirect: wish.redirect.clone(),
        challenge: wish.challenge.clone(),
        key: wish.key.clone(),
        expires_at: state.clock.now().saturating_add(CODE_LIFETIME),
    };
    match state.store.add_authorization_code(&kept).await {
        Ok(()) => back(state, &wish.redirect, Some(&wish.state), &[("code", code.expose())]),
        Err(error) => {
            let refusal = Refusal::unavailable(&error);
            let answer = [("error", refusal.error), ("error_description", refusal.description.as_str())];
            back(state, &wish.redirect, Some(&wish.state), &answer)
        }
    }
}

/// Sends the browser back without one.
pub(super) fn denied(state: &State, wish: &Wish, why: &str) -> Response {
    back(state, &wish.redirect, Some(&wish.state), &[("error", "access_denied"), ("error_description", why)])
}

/// Judges what the client asks for.
fn read(parameters: &Parameters) -> Result<Wish, Refusal> {
    parameters.client()?;
    let redirect = parameters.needed("redirect_uri")?;
    if !is_loopback(redirect) {
        return Err(Refusal::new("invalid_request", "redirect_uri must be http://127.0.0.1:PORT/callback"));
    }
    let state = parameters.needed("state")?;
    if parameters.needed("response_type")? != "code" {
        return Err(Refusal::new("unsupported_response_type", "response_type must be code"));
    }
    if parameters.needed("code_challenge_method")? != "S256" {
        return Err(Refusal::new("invalid_request", "code_challenge_method must be S256"));
    }
    // The second is the key that the login will be bound to (RFC 9449 §10), demanded as PKCE is.
    let (challenge, key) = (parameters.needed("code_challenge")?, parameters.needed("dpop_jkt")?);
    if !is_hash(challenge) || !is_hash(key) {
        return Err(Refusal::new("invalid_request", "code_challenge and dpop_jkt must be base64url of a SHA-256"));
    }
    if state.len() > STATE_LIMIT {
        return Err(Refusal::new("invalid_request", "state is too long"));
    }
    Ok(Wish {
        redirect: redirect.to_owned(),
        state: state.to_owned(),
        challenge: challenge.to_owned(),
        key: key.to_owned(),
        again: super::again(parameters),
    })
}

fn is_hash(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// `http://127.0.0.1:PORT/callback` or the same at `[::1]`, letter by letter: what is not parsed cannot be parsed in two ways.
pub(in crate::broker) fn is_loopback(redirect: &str) -> bool {
    let rest = redirect.strip_prefix("http://127.0.0.1:").or_else(|| redirect.strip_prefix("http://[::1]:"));
    rest.and_then(|rest| rest.strip_suffix("/callback")).is_some_and(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0') && port.parse::<u16>().is_ok()
    })
}

/// Says what is wrong: to the client where we know that it waits there, else on a page (RFC 6749 §4.1.2.1).
fn refuse(state: &State, parameters: &Parameters, refusal: &Refusal) -> Response {
    let redirect = parameters.value("redirect_uri").filter(|redirect| is_loopback(redirect));
    match (redirect, parameters.value("state")) {
        (Some(redirect), Some(given)) if parameters.client().is_ok() && given.len() <= STATE_LIMIT => {
            let answer = [("error", refusal.error), ("error_description", refusal.description.as_str())];
            back(state, redirect, Some(given), &answer)
        }
        _ => pages::answer(refusal.status(), &Page::said("This login cannot go on", &capital(&refusal.description))),
    }
}

fn wrong(text: &str) -> Response {
    pages::answer(StatusCode::BAD_REQUEST, &Page::said("This login cannot go on", &capital(text)))
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Sends the browser back to the client, with our name (RFC 9207) so that it knows who answers.
fn back(state: &State, redirect: &str, given: Option<&str>, answer: &[(&str, &str)]) -> Response {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(answer).extend_pairs(given.map(|given| ("state", given))).append_pair("iss", &issuer(state));
    (StatusCode::SEE_OTHER, [(LOCATION, format!("{redirect}?{}", query.finish()))]).into_response()
}

fn page(state: &State, headers: &HeaderMap, wish: &Wish, status: StatusCode, error: Option<&str>) -> Response {
    let mut asked = vec![
        ("client_id", super::CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", wish.redirect.as_str()),
        ("state", &wish.state),
        ("code_challenge", &wish.challenge),
        ("code_challenge_method", "S256"),
        ("dpop_jkt", &wish.key),
    ];
    if wish.again {
        asked.push(("prompt", "login"));
    }
    let way = |provider: &str| {
        let query = Serializer::new(String::new()).extend_pairs(&asked).append_pair("provider", provider).finish();
        format!("/oauth/authorize?{query}")
    };
    let directory = state.config.directory;
    let page = Page {
        title: "Log in",
        text: vec!["ztctl on this machine asks you to log in.".to_owned()],
        error,
        action: Some("/oauth/authorize"),
        hidden: &asked,
        links: pages::ways(state, way),
        fields: if directory { &[Field::Username, Field::Password] } else { &[] },
        buttons: if directory { &[("login", "Log in"), ("cancel", "Cancel")] } else { &[("cancel", "Cancel")] },
        // Chromium holds `form-action` against the redirect that answers the form as well.
        redirects_to: wish.origin(),
        ..Page::default()
    };
    pages::form(state, headers, status, &page)
}

/// The browser carries the code over at once.
const CODE_LIFETIME: u64 = 60;

/// Our client sends 43 characters.
const STATE_LIMIT: usize = 512;

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn only_loopback_redirects() {
        for redirect in ["http://127.0.0.1:1/callback", "http://[::1]:65535/callback"] {
            assert!(is_loopback(redirect), "{redirect}");
        }
        for redirect in [
            "https://127.0.0.1:80/callback",
            "http://localhost:80/callback",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1:80/callback?x",
            "http://127.0.0.1:80/../callback",
            "http://127.0.0.1.evil.example:80/callback",
        ] {
            assert!(!is_loopback(redirect), "{redirect}");
        }
    }
}
