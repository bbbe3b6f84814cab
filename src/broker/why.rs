//! `GET /v1/why/NAME/LOGIN`: what the caller may do with one container, and why not. It tells no more than trying would: a container that the caller
//! may not list is none, and a refusal names no policy.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State as Extracted};

use super::connect::beyond;
use super::dpop::Sent;
use super::identity;
use super::policy::{Basis, Denial};
use super::{State, http, list, recall};
use crate::proto::api::{Verdict, Why};
use crate::proto::name::{Login, Target};
use crate::proto::{Action, ErrorBody, ErrorCode};

/// The route's handler.
pub(crate) async fn why(
    Extracted(state): Extracted<Arc<State>>,
    asked: Result<Path<(Target, Login)>, PathRejection>,
    request: Request,
) -> Result<Json<Why>, ErrorBody> {
    let caller = identity::authenticate(&state, &Sent::of(&state, &request)).await?;
    let Path((name, login)) = asked.map_err(|error| ErrorBody::new(ErrorCode::InvalidRequest, error.body_text()))?;
    let address = http::client_address(&state, &request);
    let row = list::find(&state, &caller, address, &name, None)?;
    let (set, now) = (state.policies.current(), state.clock.now());
    let basis = |action: Action, reason: Option<&str>| Basis {
        caller: caller.clone(),
        container: Arc::clone(&row.container),
        login: login.clone(),
        actions: [action].into_iter().collect(),
        command: None,
        reason: reason.map(str::to_owned),
        address,
        time: now,
        max_session: state.config.max_session,
    };
    let decide = |action: Action, reason: Option<&str>| basis(action, reason).decide(&set);
    let verdict = |action: Action| {
        let (reason_required, decided) = match decide(action, None) {
            Err(Denial::ReasonRequired { .. }) => (true, decide(action, Some("why"))),
            decided => (false, decided),
        };
        let refused = |refused| Verdict {
            action,
            allowed: false,
            refused: Some(refused),
            policies: Vec::new(),
            reason_required: false,
            max_session: None,
            env: Vec::new(),
            idle: None,
        };
        match decided {
            Err(denial) => refused(denial.body(&row.name).message),
            Ok(grant) => match (recall::unlocked(&state, &basis(action, None), &row.name), beyond(&row, &grant)) {
                (Err(locked), _) => refused(locked.message),
                (_, Some(what)) => refused(format!("{} cannot do that: {what}", row.name)),
                (Ok(()), None) => Verdict {
                    action,
                    allowed: true,
                    refused: None,
                    policies: grant.policies().to_vec(),
                    reason_required,
                    max_session: Some(grant.deadline().saturating_sub(now)),
                    idle: grant.idle().map(|idle| idle.as_secs()),
                    env: grant.env().iter().map(str::to_owned).collect(),
                },
            },
        }
    };
    let verdicts = Action::ALL.into_iter().filter(|action| *action != Action::List).map(verdict).collect();
    Ok(Json(Why { name: row.name.clone(), login: login.clone(), verdicts }))
}
