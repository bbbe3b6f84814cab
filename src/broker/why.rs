//! `GET /v1/why/NAME/LOGIN`: what the caller may do with one container, and why not. It tells no more than trying would: a container that the caller
//! may not list is none, and a refusal names no policy.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State as Extracted};

use super::connect::beyond;
use super::dpop::Sent;
use super::identity::{self, Caller};
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
    list::gathered(&state).await;
    let row = list::find(&state, &caller, address, &name, None)?;
    let (set, now) = (state.policies.current(), state.clock.now());
    let approvals = state.store.approvals(&caller.user(), now).await.map_err(|error| {
        tracing::error!(%error, "approvals cannot be looked up");
        ErrorBody::new(ErrorCode::Unavailable, "the broker cannot look up approvals right now")
    })?;
    let basis = |action: Action, reason: Option<&str>, mfa_at: Option<u64>| Basis {
        caller: Caller { mfa_at, ..caller.clone() },
        container: Arc::clone(&row.container),
        login: login.clone(),
        actions: [action].into_iter().collect(),
        command: None,
        reason: reason.map(str::to_owned),
        approvals: approvals.clone(),
        break_glass: false,
        address,
        time: now,
        max_session: state.config.max_session,
    };
    let decide =
        |action: Action, reason: Option<&str>, mfa_at: Option<u64>| basis(action, reason, mfa_at).decide_as_approved(&set);
    // Who has to approve, whether the glass can be broken, and whether they have.
    let approval = |action: Action| {
        let asked = Basis { approvals: Vec::new(), ..basis(action, Some("why"), Some(now)) };
        match asked.decide(&set) {
            Err(Denial::ApprovalRequired { approvers, break_glass, .. }) => {
                let approvers = approvers.iter().map(ToString::to_string).collect();
                (approvers, break_glass, basis(action, Some("why"), Some(now)).decide(&set).is_ok())
            }
            _ => (Vec::new(), false, false),
        }
    };
    let verdict = |action: Action| {
        let (reason_required, decided) = match decide(action, None, caller.mfa_at) {
            Err(Denial::ReasonRequired { .. }) => (true, decide(action, Some("why"), caller.mfa_at)),
            decided => (false, decided),
        };
        let (mfa_required, decided) = match decided {
            Err(Denial::MfaRequired { .. }) => (true, decide(action, Some("why"), Some(now))),
            decided => (false, decided),
        };
        let refused = |refused, policies: &[String]| Verdict {
            action,
            allowed: false,
            refused: Some(refused),
            policies: policies.to_vec(),
            reason_required: false,
            mfa_required: false,
            max_session: None,
            env: Vec::new(),
            idle: None,
            approval: Vec::new(),
            approved: false,
            break_glass: false,
        };
        match decided {
            Err(denial) => refused(denial.body(&row.name).message, &[]),
            Ok(grant) => {
                match (
                    recall::unlocked(&state, &basis(action, None, caller.mfa_at), &row.name),
                    beyond(&row, &login, grant.actions()),
                ) {
                    (Err(locked), _) => refused(locked.message, grant.policies()),
                    (_, Some(what)) => refused(format!("{} cannot do that: {what}", row.name), grant.policies()),
                    (Ok(()), None) => {
                        let (approval, break_glass, approved) = approval(action);
                        Verdict {
                            action,
                            allowed: true,
                            refused: None,
                            policies: grant.policies().to_vec(),
                            reason_required,
                            mfa_required,
                            max_session: Some(grant.deadline().saturating_sub(now)),
                            idle: grant.idle().map(|idle| idle.as_secs()),
                            env: grant.env().iter().map(str::to_owned).collect(),
                            approval,
                            approved,
                            break_glass,
                        }
                    }
                }
            }
        }
    };
    let verdicts = Action::ALL.into_iter().filter(|action| *action != Action::List).map(verdict).collect();
    Ok(Json(Why { name: row.name.clone(), login: login.clone(), verdicts }))
}
