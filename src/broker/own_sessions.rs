//! `/v1/sessions`: the caller's own live sessions, and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State as Extracted};
use axum::http::StatusCode;

use super::dpop::Sent;
use super::relay::Live;
use super::{State, http, identity};
use crate::proto::api::{SessionList, SessionRow};
use crate::proto::{ErrorBody, ErrorCode, SessionId};

/// `GET /v1/sessions`.
pub(crate) async fn list(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<SessionList>, ErrorBody> {
    let caller = identity::authenticate(&state, &Sent::of(&state, &request)).await?;
    Ok(Json(SessionList { sessions: state.sessions.of_user(&caller.user()).iter().map(|live| row(live)).collect() }))
}

/// A live session as it travels.
pub(crate) fn row(live: &Live) -> SessionRow {
    SessionRow {
        id: live.session,
        container: live.basis.container.full_name.clone(),
        login: live.basis.login.clone(),
        actions: live.basis.actions,
        client_address: live.basis.address.to_string(),
        started_at: live.basis.time,
        deadline: live.deadline(),
    }
}

/// `DELETE /v1/sessions/ID`. Somebody else's is none.
pub(crate) async fn end(
    Extracted(state): Extracted<Arc<State>>,
    id: Result<Path<SessionId>, PathRejection>,
    request: Request,
) -> Result<StatusCode, ErrorBody> {
    let caller = identity::authenticate(&state, &Sent::of(&state, &request)).await?;
    let address = http::client_address(&state, &request);
    let live = || state.sessions.of_user(&caller.user()).into_iter();
    // What is no id is nobody's session.
    let own = id.ok().and_then(|Path(id)| live().find(|live| live.session == id));
    match own {
        Some(live) => {
            live.cut(&format!("you ended it from {address}"));
            Ok(StatusCode::NO_CONTENT)
        }
        None => Err(ErrorBody::new(ErrorCode::NotFound, "you have no such live session")),
    }
}
