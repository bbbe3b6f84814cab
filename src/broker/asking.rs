//! Asking for what policy gives only with somebody else's approval, and answering.
//!
//! Nobody may ask for what they may not list, and nobody answers their own request. What is done is written down before it counts; an
//! approval that ends or is taken back ends what stands on it (`recall`).
//!
//! | module | owns |
//! | --- | --- |
//! | `request` | one request: who is asked, how far it is |
//! | `routes` | `/v1/requests` |
//! | `page` | `/requests/ID`, for a browser |
//! | `notify` | telling other servers |

pub(crate) mod notify;
pub(super) mod page;
mod request;
mod routes;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::watch;

use super::audit::{Event, RequestAnswered, RequestMade, RequestRefused, RequestWithdrawn};
use super::connect::beyond;
use super::identity::Caller;
use super::policy::{Approvers, Basis, Denial, Scope};
use super::rate::Limit;
use super::store::StoreError;
use super::{State, list, recall};
use crate::moment;
use crate::proto::asking::{ANSWERABLE, LONGEST, NewRequest, REASON, RequestAnswer, RequestState};
use crate::proto::{Action, ErrorBody, ErrorCode, RequestId};
use notify::Notice;

#[cfg(test)]
pub(crate) use request::tests;
pub(crate) use request::{Given, Person, Request};

/// Wakes those who wait for an answer.
#[derive(Debug)]
pub(crate) struct Asking {
    changes: watch::Sender<u64>,
}

/// Where requests are made and answered.
pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/v1/requests", get(routes::list).post(routes::make))
        .route("/v1/requests/{id}", get(routes::one).delete(routes::withdraw))
        .route("/v1/requests/{id}/answer", post(routes::answer))
        .route("/requests/{id}", get(page::show).post(page::submit))
}

impl Default for Asking {
    fn default() -> Self {
        Self { changes: watch::Sender::new(0) }
    }
}

impl Asking {
    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// Makes `caller`'s request for `wish`, or finds the one that is open for the same.
///
/// # Errors
/// When the wish makes no sense, nothing of it needs an approval, or it would not be granted with one either.
pub(crate) async fn ask(state: &State, caller: &Caller, address: IpAddr, wish: NewRequest) -> Result<Request, ErrorBody> {
    let now = state.clock.now();
    let too_many = |error: super::rate::TooMany| ErrorBody::new(ErrorCode::RateLimited, error.to_string());
    state.limits.attempt(Limit::Asking, &caller.user(), now).map_err(too_many)?;
    let reason = one_line(Some(&wish.reason))?.ok_or_else(|| invalid("a request says why"))?;
    if wish.actions.is_empty() || wish.actions.allow(Action::List) {
        return Err(invalid("the actions of a request are among shell, exec, logs, copy and forward"));
    }
    if !(1..=LONGEST).contains(&wish.seconds) {
        return Err(invalid("a request is for 1s to 24h"));
    }
    let Lacking { basis, scope, approvers } = match judge(state, caller, address, &wish, &reason).await {
        Ok(lacking) => lacking,
        Err((body, policies)) => {
            let refused = RequestRefused {
                user: caller.user(),
                as_typed: wish.name.to_string(),
                login: wish.login.to_string(),
                actions: wish.actions,
                code: body.code.as_str().to_owned(),
                policies,
                client_address: address.to_string(),
            };
            write_down(state, Event::RequestRefused(Box::new(refused))).await?;
            return Err(body);
        }
    };
    let user = caller.user();
    let open = state.store.requests(&user, now).await.map_err(|error| unavailable(&error))?;
    let same = |request: &Request| {
        request.user == user
            && request.is_good(now)
            && (&request.scope, &request.login, &request.actions) == (&scope, &wish.login, &wish.actions)
            && request.approvers == approvers
    };
    if let Some(same) = open.into_iter().find(same) {
        return Ok(same);
    }
    let request = Request {
        id: RequestId::random(),
        user,
        scope,
        container: basis.container.full_name.clone(),
        place: place(&basis),
        login: wish.login,
        actions: wish.actions,
        reason,
        seconds: wish.seconds,
        approvers,
        created_at: now,
        expires_at: now.saturating_add(ANSWERABLE),
        said: RequestState::Open,
        ended_by: None,
        ended_reason: None,
        until: None,
        answers: Vec::new(),
    };
    let made = RequestMade {
        request: request.id,
        user: request.user.clone(),
        container: basis.container.id,
        container_name: request.container.clone(),
        scope: request.scope_in_words(),
        login: request.login.to_string(),
        actions: request.actions,
        reason: request.reason.clone(),
        seconds: request.seconds,
        approvers: request.approvers.iter().map(Approvers::to_string).collect(),
        client_address: address.to_string(),
    };
    write_down(state, Event::RequestMade(Box::new(made))).await?;
    if !state.store.add_request(&request, PER_USER, IN_ALL).await.map_err(|error| unavailable(&error))? {
        let message = format!("there are {PER_USER} open requests of yours, or too many in all: withdraw some or wait");
        return Err(ErrorBody::new(ErrorCode::RateLimited, message));
    }
    tell(state, &Notice::made(state, &request)).await;
    state.asking.changed();
    Ok(request)
}

/// What lacks an approval and nothing else.
struct Lacking {
    basis: Basis,
    scope: Scope,
    approvers: BTreeSet<Approvers>,
}

/// What is asked for, if an approval is all that it lacks; else the refusal with the policies behind it.
async fn judge(
    state: &State,
    caller: &Caller,
    address: IpAddr,
    wish: &NewRequest,
    reason: &str,
) -> Result<Lacking, (ErrorBody, Vec<String>)> {
    let plain = |body: ErrorBody| (body, Vec::new());
    list::gathered(state).await;
    let row = list::find(state, caller, address, &wish.name, wish.container).map_err(plain)?;
    let basis = Basis {
        caller: caller.clone(),
        container: Arc::clone(&row.container),
        login: wish.login.clone(),
        actions: wish.actions,
        command: None,
        reason: Some(reason.to_owned()),
        approvals: Vec::new(),
        break_glass: false,
        address,
        time: state.clock.now(),
        max_session: state.config.max_session,
    };
    let approvers = match basis.decide(&state.policies.current()) {
        Err(Denial::ApprovalRequired { approvers, .. }) => approvers,
        Err(denial) => return Err((denial.body(&row.name), denial.policies().to_vec())),
        Ok(_) => {
            let message = format!("policy allows it in {} without an approval: go ahead", row.name);
            return Err(plain(ErrorBody::new(ErrorCode::Unsupported, message)));
        }
    };
    recall::unlocked(state, &basis, &row.name).map_err(plain)?;
    if let Some(what) = beyond(&row, &wish.login, &wish.actions) {
        return Err(plain(ErrorBody::new(ErrorCode::Unsupported, format!("{} cannot do that: {what}", row.name))));
    }
    let scope = Scope::of(&row.container, wish.replicas).ok_or_else(|| {
        let message = format!("{} has no owner that would start others in its place: ask for it alone", row.name);
        plain(ErrorBody::new(ErrorCode::Unsupported, message))
    })?;
    Ok(Lacking { basis, scope, approvers })
}

/// Answers a request for `person`: yes, no, or an approval taken back.
///
/// # Errors
/// When this person is not asked, or locked out, or the request is over.
pub(crate) async fn answer(
    state: &State,
    person: &Person,
    id: RequestId,
    answer: RequestAnswer,
    address: IpAddr,
) -> Result<Request, ErrorBody> {
    let now = state.clock.now();
    let reason = one_line(answer.reason.as_deref())?;
    let request = look(state, id).await?.filter(|request| request.user == person.user || request.is_for(person));
    let request = request.ok_or_else(absent)?;
    // Whoever has an account that is locked lets nobody else in with it either.
    recall::unlocked_person(state, &person.user)?;
    if request.user == person.user {
        let message = "nobody answers their own request: ask somebody else, or withdraw it";
        return Err(ErrorBody::new(ErrorCode::Denied, message));
    }
    let seconds = answer.seconds.unwrap_or(request.seconds);
    if !(1..=request.seconds).contains(&seconds) {
        return Err(invalid(&format!("the request is for {} at most", moment::length(request.seconds))));
    }
    let word = match (request.state(now), answer.approve) {
        (RequestState::Open, true) if request.is_waiting_for(person) => RequestState::Approved,
        (RequestState::Open, true) => {
            let missing = super::policy::approvers_in_words(&request.missing());
            let message = format!("what it waits for still is an approval by a member of {missing}");
            return Err(ErrorBody::new(ErrorCode::Unsupported, message));
        }
        (RequestState::Open, false) => RequestState::Denied,
        (RequestState::Approved, false) => RequestState::Revoked,
        (state, _) => return Err(ended(state, &request)),
    };
    let answered = RequestAnswered {
        request: id,
        user: request.user.clone(),
        answer: word.as_str().to_owned(),
        by: person.user.clone(),
        groups: person.groups.iter().map(ToString::to_string).collect(),
        seconds: (word == RequestState::Approved).then_some(seconds),
        reason: reason.clone(),
        client_address: address.to_string(),
    };
    write_down(state, Event::RequestAnswered(Box::new(answered))).await?;
    let failed = |error: StoreError| unavailable(&error);
    let done = if answer.approve {
        let given = Given { by: person.user.clone(), groups: person.groups.clone(), seconds };
        state.store.approve_request(id, &given, now).await.map_err(failed)?
    } else {
        let done = state.store.end_request(id, word, &person.user, reason.as_deref(), now).await.map_err(failed)?;
        if done { look(state, id).await? } else { None }
    };
    // Somebody else was faster.
    let Some(request) = done else {
        return Err(look(state, id).await?.map_or_else(absent, |request| ended(request.state(now), &request)));
    };
    after(state, &request, word, &person.user).await;
    Ok(request)
}

/// Takes back a request of `user`'s own, or the approval that it was given.
///
/// # Errors
/// When there is none, or not any more.
pub(crate) async fn withdraw(state: &State, user: &str, id: RequestId, address: IpAddr) -> Result<(), ErrorBody> {
    let now = state.clock.now();
    let request = look(state, id).await?.filter(|request| request.user == user).ok_or_else(absent)?;
    if !matches!(request.state(now), RequestState::Open | RequestState::Approved) {
        return Err(ended(request.state(now), &request));
    }
    let (user, client_address) = (user.to_owned(), address.to_string());
    let withdrawn = RequestWithdrawn { request: id, user: user.clone(), client_address };
    write_down(state, Event::RequestWithdrawn(withdrawn)).await?;
    let done = state.store.end_request(id, RequestState::Withdrawn, &user, None, now).await;
    if !done.map_err(|error| unavailable(&error))? {
        return Err(ended(request.state(now), &request));
    }
    after(state, &request, RequestState::Withdrawn, &user).await;
    Ok(())
}

/// The request of that id.
async fn look(state: &State, id: RequestId) -> Result<Option<Request>, ErrorBody> {
    state.store.request(id).await.map_err(|error| unavailable(&error))
}

/// What follows an answer that counts.
async fn after(state: &State, request: &Request, word: RequestState, by: &str) {
    state.asking.changed();
    if let Err(error) = recall::read_approvals(state).await {
        tracing::warn!(%error, "which approvals hold cannot be read from the database");
    }
    tell(state, &Notice::answered(state, request, word, by)).await;
}

/// Tells other servers. That it cannot be kept for them is no reason to undo what was done.
async fn tell(state: &State, notice: &Notice) {
    if let Err(error) = state.notifier.raise(state, notice).await {
        tracing::error!(%error, "a notice could not be kept: nobody is told by webhook");
    }
}

async fn write_down(state: &State, event: Event) -> Result<(), ErrorBody> {
    state.journal.append(event).await.map(drop).map_err(|error| {
        tracing::error!(%error, "a request was not written down");
        let message = "the audit journal cannot be written, so nothing can be asked or answered: tell the broker's operator";
        ErrorBody::new(ErrorCode::Unavailable, message)
    })
}

/// Text that a person wrote, if it is one line and not too long.
fn one_line(text: Option<&str>) -> Result<Option<String>, ErrorBody> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.len() > REASON || text.chars().any(char::is_control)) {
        return Err(invalid("a reason is one line of at most 1000 bytes"));
    }
    Ok(text.map(str::to_owned))
}

/// Where the container runs, in words.
fn place(basis: &Basis) -> String {
    let container = &basis.container;
    if container.location.is_empty() { container.agent_name.clone() } else { container.location.clone() }
}

fn ended(state: RequestState, request: &Request) -> ErrorBody {
    let by = request.ended_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    ErrorBody::new(ErrorCode::Unsupported, format!("the request is {} already{by}", state.as_str()))
}

fn absent() -> ErrorBody {
    ErrorBody::new(ErrorCode::NotFound, "there is no such request that concerns you")
}

fn invalid(message: &str) -> ErrorBody {
    ErrorBody::new(ErrorCode::InvalidRequest, message)
}

fn unavailable(error: &dyn std::fmt::Display) -> ErrorBody {
    tracing::error!(%error, "the database cannot tell of requests");
    ErrorBody::new(ErrorCode::Unavailable, "the broker cannot look up requests right now")
}

/// The most open requests of one person.
const PER_USER: u64 = 20;

/// The most open requests of all: each approver's list has them.
const IN_ALL: u64 = 1000;
