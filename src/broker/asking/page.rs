//! `/requests/ID` in a browser: who came by the link of a notice proves who they are, sees the request, and answers it.
//!
//! Nothing of a request is shown to somebody who is not asked. Each form counts only with the token of this browser; who proved who
//! they are gets a visit that is for one answer to this request, in this browser, within ten minutes.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, Request as HttpRequest, State as Extracted};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Person, Request, look};
use crate::broker::identity::{IdentityProvider, token};
use crate::broker::oauth::{self, Parameters, Sent};
use crate::broker::pages::{self, Field, Page};
use crate::broker::{State, http, mfa};
use crate::harmless::harmless;
use crate::moment;
use crate::proto::RequestId;
use crate::proto::asking::{RequestAnswer, RequestState};

/// `GET /requests/ID`.
pub(super) async fn show(Extracted(state): Extracted<Arc<State>>, Path(id): Path<String>, request: HttpRequest) -> Response {
    match id.parse() {
        Ok(id) => ask_who(&state, request.headers(), id, StatusCode::OK, None),
        Err(_) => absent(),
    }
}

/// `POST /requests/ID`.
pub(super) async fn submit(Extracted(state): Extracted<Arc<State>>, Path(id): Path<String>, request: HttpRequest) -> Response {
    let Ok(id) = id.parse::<RequestId>() else { return absent() };
    let address = http::client_address(&state, &request);
    let Sent { headers, form, .. } = match Sent::read(&state, request).await {
        Ok(sent) => sent,
        Err(refusal) => return pages::answer(refusal.status(), &Page::said("This cannot be read", refusal.description())),
    };
    if !pages::is_ours(&state, &headers, form.value(pages::CSRF)) {
        let text = "This page was open for too long, or cookies are switched off. Please try again.";
        return ask_who(&state, &headers, id, StatusCode::FORBIDDEN, Some(text));
    }
    match form.value("answer") {
        Some(word @ ("approve" | "deny")) => decide(&state, &headers, id, &form, word == "approve", address).await,
        _ => match identify(&state, &form, address).await {
            Ok(person) => present(&state, &headers, id, person).await,
            Err((status, error)) => ask_who(&state, &headers, id, status, Some(&error)),
        },
    }
}

/// Who sent the form. The one place where this page finds out.
async fn identify(state: &State, form: &Parameters, address: IpAddr) -> Result<Person, (StatusCode, String)> {
    let user = oauth::check_password(state, form, address).await?;
    // A password alone answers for nobody who has more.
    match mfa::has(state, &user.name).await {
        Ok(false) if !state.config.require_totp => {}
        Ok(_) => return Err((StatusCode::FORBIDDEN, SECOND.to_owned())),
        Err(error) => return Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
    Ok(Person { user: format!("{}@{}", user.name, state.directory.name()), groups: user.groups })
}

/// Shows the request to one who is asked, with the form to answer it.
async fn present(state: &State, headers: &HeaderMap, id: RequestId, person: Person) -> Response {
    let request = match look(state, id).await {
        Ok(Some(request)) if request.user == person.user || request.is_for(&person) => request,
        Ok(_) => return absent(),
        Err(error) => return pages::answer(StatusCode::SERVICE_UNAVAILABLE, &Page::said("Later", &error.message)),
    };
    let now = state.clock.now();
    let mut text = described(&request);
    let may = match request.state(now) {
        _ if request.user == person.user => {
            text.push("This is your own request: somebody else has to answer it.".to_owned());
            false
        }
        RequestState::Open if request.is_waiting_for(&person) => true,
        RequestState::Open => {
            text.push("It waits for an approval that you cannot give.".to_owned());
            false
        }
        state => {
            text.push(format!("It is {} already.", state.as_str()));
            false
        }
    };
    if !may {
        return pages::answer(StatusCode::OK, &Page { title: "Request", text, ..Page::default() });
    }
    let visit = token::random("");
    let kept = state.store.add_visit(&bound(state, headers, visit.expose()), id, &person, now + VISIT).await;
    if let Err(error) = kept {
        tracing::error!(%error, "a visit of a request's page cannot be kept");
        return pages::answer(StatusCode::SERVICE_UNAVAILABLE, &Page::said("Later", LATER));
    }
    let page = Page {
        title: "Request",
        text,
        action: Some(&path(id)),
        hidden: &[("visit", visit.expose())],
        buttons: &[("approve", "Approve"), ("deny", "Deny")],
        ..Page::default()
    };
    pages::form(state, headers, StatusCode::OK, &page)
}

/// Takes the answer of one who has proved who they are.
async fn decide(
    state: &State,
    headers: &HeaderMap,
    id: RequestId,
    form: &Parameters,
    approve: bool,
    address: IpAddr,
) -> Response {
    let hash = bound(state, headers, form.value("visit").unwrap_or_default());
    let person = match state.store.take_visit(&hash, id, state.clock.now()).await {
        Ok(Some(person)) => person,
        Ok(None) => {
            let text = "This page was open for too long. Please say again who you are.";
            return ask_who(state, headers, id, StatusCode::FORBIDDEN, Some(text));
        }
        Err(error) => {
            tracing::error!(%error, "a visit of a request's page cannot be looked up");
            return pages::answer(StatusCode::SERVICE_UNAVAILABLE, &Page::said("Later", LATER));
        }
    };
    let answer = RequestAnswer { approve, seconds: None, reason: None };
    match super::answer(state, &person, id, answer, address).await {
        Ok(request) if request.said == RequestState::Open => {
            pages::answer(StatusCode::OK, &Page::said("Approved", "It waits for one more approval. You can close this window."))
        }
        Ok(_) => {
            let title = if approve { "Approved" } else { "Denied" };
            pages::answer(StatusCode::OK, &Page::said(title, "You can close this window."))
        }
        Err(error) => {
            let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            pages::answer(status, &Page::said("This did not work", &error.message))
        }
    }
}

/// The page that asks who is there; it does not say whether there is such a request.
fn ask_who(state: &State, headers: &HeaderMap, id: RequestId, status: StatusCode, error: Option<&str>) -> Response {
    let page = Page {
        title: "Answer a request",
        text: vec!["Somebody asks for an approval. Log in to see who and for what.".to_owned()],
        error,
        action: Some(&path(id)),
        fields: &[Field::Username, Field::Password],
        buttons: &[("show", "Log in")],
        ..Page::default()
    };
    pages::form(state, headers, status, &page)
}

fn described(request: &Request) -> Vec<String> {
    vec![
        format!("{} asks for {} as {} in {}.", request.user, request.actions, request.login, request.container),
        format!("For: {}. Where: {}.", request.scope_in_words(), request.place),
        format!("For {} from the approval on.", moment::length(request.seconds)),
        format!("Why: {}", harmless(&request.reason)),
    ]
}

/// What the database keeps of a visit: it is worth nothing without the browser's cookie.
fn bound(state: &State, headers: &HeaderMap, visit: &str) -> [u8; 32] {
    token::hash(&format!("{}.{visit}", pages::cookie(headers, pages::cookie_name(state)).unwrap_or_default()))
}

fn path(id: RequestId) -> String {
    format!("/requests/{id}")
}

fn absent() -> Response {
    pages::answer(StatusCode::NOT_FOUND, &Page::said("Not here", "There is no such request that concerns you."))
}

/// How long one who has proved who they are may take to read and answer, in seconds: the life of an access token.
const VISIT: u64 = 600;

const SECOND: &str =
    "With a second factor, answer in the terminal: ztctl requests shows the request, ztctl approve and ztctl deny answer it.";
const LATER: &str = "The broker cannot answer right now. Try again in a moment.";
