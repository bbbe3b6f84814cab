//! `/requests/ID` in a browser: who came by the link of a notice proves who they are, sees the request, and answers it.
//!
//! Nothing of a request is shown to somebody who is not asked. Each form counts only with the token of this browser; who proved who
//! they are, by a password here or at their provider, gets a visit that is for one answer to this request, in this browser, within ten
//! minutes. The browser is known by the cookie of our forms, or, on the way back from a provider, where that does not come along, by the
//! one of the sign-in.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Path, Request as HttpRequest, State as Extracted};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Person, Request, look};
use crate::broker::identity::token;
use crate::broker::oauth::{self, Parameters, Sent, answer};
use crate::broker::pages::{self, Field, Page};
use crate::broker::store::StoreError;
use crate::broker::{State, http};
use crate::harmless::harmless;
use crate::moment;
use crate::proto::RequestId;
use crate::proto::asking::{RequestAnswer, RequestState};

/// `GET /requests/ID`.
pub(super) async fn show(Extracted(state): Extracted<Arc<State>>, Path(id): Path<String>, request: HttpRequest) -> Response {
    let Ok(id) = id.parse::<RequestId>() else { return absent() };
    let (address, headers) = (http::client_address(&state, &request), request.headers().clone());
    let query = Parameters::parse(request.uri().query().unwrap_or_default().as_bytes());
    match query.as_ref().and_then(|query| query.value("provider")) {
        Some(provider) => answer::at_provider(&state, &headers, address, provider, id).await,
        None => ask_who(&state, &headers, id, StatusCode::OK, None),
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
        _ => match answer::by_password(&state, &headers, &form, address, id).await {
            Ok(next) => next,
            Err((status, error)) => ask_who(&state, &headers, id, status, Some(&error)),
        },
    }
}

/// Shows the request to one who has proved in this browser that they are asked, with the form to answer it.
pub(in crate::broker) async fn present(state: &State, headers: &HeaderMap, id: RequestId, person: Person) -> Response {
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
    let Some(browser) = browsers(state, headers).next() else {
        return pages::answer(StatusCode::FORBIDDEN, &Page::said("This did not work", "Cookies are switched off."));
    };
    let visit = token::random("");
    let kept = state.store.add_visit(&bound(browser, visit.expose()), id, &person, now + VISIT).await;
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
    let person = match visitor(state, headers, id, form.value("visit").unwrap_or_default()).await {
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

/// Whose visit it is, which is used up.
async fn visitor(state: &State, headers: &HeaderMap, id: RequestId, visit: &str) -> Result<Option<Person>, StoreError> {
    for browser in browsers(state, headers) {
        let person = state.store.take_visit(&bound(browser, visit), id, state.clock.now()).await?;
        if person.is_some() {
            return Ok(person);
        }
    }
    Ok(None)
}

/// The page that asks who is there; it does not say whether there is such a request.
fn ask_who(state: &State, headers: &HeaderMap, id: RequestId, status: StatusCode, error: Option<&str>) -> Response {
    let directory = state.config.directory;
    let page = Page {
        title: "Answer a request",
        text: vec!["Somebody asks for an approval. Log in to see who and for what.".to_owned()],
        error,
        action: Some(&path(id)),
        links: pages::ways(state, |provider| format!("{}?provider={provider}", path(id))),
        fields: if directory { &[Field::Username, Field::Password] } else { &[] },
        buttons: if directory { &[("show", "Log in")] } else { &[] },
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

/// What this browser is known by: our forms' cookie, and a sign-in's.
fn browsers<'a>(state: &State, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
    [pages::cookie(headers, pages::cookie_name(state)), oauth::browser(state, headers)].into_iter().flatten()
}

/// What the database keeps of a visit: it is worth nothing without the browser's cookie.
fn bound(browser: &str, visit: &str) -> [u8; 32] {
    token::hash(&format!("{browser}.{visit}"))
}

fn path(id: RequestId) -> String {
    format!("/requests/{id}")
}

fn absent() -> Response {
    pages::answer(StatusCode::NOT_FOUND, &Page::said("Not here", "There is no such request that concerns you."))
}

/// How long one who has proved who they are may take to read and answer, in seconds: the life of an access token.
const VISIT: u64 = 600;

/// Something of the broker's own does not work.
pub(in crate::broker) const LATER: &str = "The broker cannot answer right now. Try again in a moment.";
