//! `/v1/requests`: what `ztctl request`, `requests`, `approve` and `deny` ask for.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::http::{Request as Http, StatusCode};
use serde::de::DeserializeOwned;

use super::{Person, Request, absent, invalid, look, unavailable};
use crate::broker::dpop::Sent;
use crate::broker::identity::{self, Caller};
use crate::broker::{State, http};
use crate::proto::asking::{NewRequest, RequestAnswer, RequestList, RequestRow, RequestState, WAIT};
use crate::proto::{ErrorBody, ErrorCode, RequestId};

/// A request of HTTP, which is another thing than ours.
type HttpRequest<B = axum::body::Body> = Http<B>;

/// `POST /v1/requests`.
pub(super) async fn make(
    Extracted(state): Extracted<Arc<State>>,
    request: HttpRequest,
) -> Result<(StatusCode, Json<RequestRow>), ErrorBody> {
    let (caller, address, body) = http::caller_and_body(&state, request).await?;
    let wish: NewRequest = parsed_body(&body)?;
    let made = super::ask(&state, &caller, address, wish).await?;
    Ok((StatusCode::CREATED, Json(made.row(&person(&caller), state.clock.now()))))
}

/// `GET /v1/requests`: the caller's own, and those that the caller is asked to answer.
pub(super) async fn list(
    Extracted(state): Extracted<Arc<State>>,
    request: HttpRequest,
) -> Result<Json<RequestList>, ErrorBody> {
    let person = person(&identity::authenticate(&state, &Sent::of(&state, &request)).await?);
    let now = state.clock.now();
    let all = state.store.requests(&person.user, now).await.map_err(|error| unavailable(&error))?;
    let rows = all.iter().filter(|request| concerns(request, &person)).map(|request| request.row(&person, now));
    Ok(Json(RequestList { requests: rows.collect() }))
}

/// `GET /v1/requests/ID`, with `?wait=SECONDS` as soon as it is open no more, or after that time.
pub(super) async fn one(
    Extracted(state): Extracted<Arc<State>>,
    Path(id): Path<String>,
    request: HttpRequest,
) -> Result<Json<RequestRow>, ErrorBody> {
    let person = person(&identity::authenticate(&state, &Sent::of(&state, &request)).await?);
    let id = parsed(&id)?;
    let query = url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let wait = query.into_iter().find(|(name, _)| name == "wait").map_or(Ok(0), |(_, value)| value.parse::<u64>());
    let wait = wait.map_err(|_| invalid("wait is a number of seconds"))?.min(WAIT);
    let mut changes = state.asking.changes.subscribe();
    let waiting = async {
        loop {
            let row = shown(&state, &person, id).await?;
            if row.state != RequestState::Open {
                return Ok::<_, ErrorBody>(row);
            }
            // Another broker's answer is in the database and wakes nobody here.
            let _ = tokio::time::timeout(LOOK, changes.changed()).await;
        }
    };
    let limited = tokio::time::timeout(Duration::from_secs(wait), state.shutdown.run_until_cancelled(waiting));
    match limited.await {
        Ok(Some(row)) => row.map(Json),
        _ => shown(&state, &person, id).await.map(Json),
    }
}

/// `DELETE /v1/requests/ID`.
pub(super) async fn withdraw(
    Extracted(state): Extracted<Arc<State>>,
    Path(id): Path<String>,
    request: HttpRequest,
) -> Result<StatusCode, ErrorBody> {
    let caller = identity::authenticate(&state, &Sent::of(&state, &request)).await?;
    let address = http::client_address(&state, &request);
    super::withdraw(&state, &caller.user(), parsed(&id)?, address).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/requests/ID/answer`. Only a person who has logged in answers, never a job, nor a token that lies somewhere.
pub(super) async fn answer(
    Extracted(state): Extracted<Arc<State>>,
    Path(id): Path<String>,
    request: HttpRequest,
) -> Result<Json<RequestRow>, ErrorBody> {
    let (caller, address, body) = http::caller_and_body(&state, request).await?;
    // A job's login is narrow, as a token of the operator's is.
    if caller.login.is_none() || caller.narrowed.is_some() {
        let message = "a request is answered by a person who has logged in, not by a job or a token of the operator's";
        return Err(ErrorBody::new(ErrorCode::Denied, message));
    }
    let (id, person) = (parsed(&id)?, person(&caller));
    let answer: RequestAnswer = parsed_body(&body)?;
    let request = super::answer(&state, &person, id, answer, address).await?;
    Ok(Json(request.row(&person, state.clock.now())))
}

async fn shown(state: &State, person: &Person, id: RequestId) -> Result<RequestRow, ErrorBody> {
    let request = look(state, id).await?.filter(|request| concerns(request, person)).ok_or_else(absent)?;
    Ok(request.row(person, state.clock.now()))
}

/// Whether this person may know of it.
fn concerns(request: &Request, person: &Person) -> bool {
    request.user == person.user || request.is_for(person)
}

fn person(caller: &Caller) -> Person {
    Person { user: caller.user(), groups: caller.groups.clone() }
}

fn parsed(id: &str) -> Result<RequestId, ErrorBody> {
    id.parse().map_err(|_| absent())
}

fn parsed_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, ErrorBody> {
    serde_json::from_slice(body).map_err(|error| invalid(&format!("the body cannot be read: {error}")))
}

/// How often the database is asked for somebody who waits: they go on within a second.
const LOOK: Duration = Duration::from_millis(700);
