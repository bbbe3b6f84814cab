//! `GET /v1/connect`: authorise, sign and relay in one round trip.
//!
//! The order is the point: who, which container, policy, what the connector can do, the agent's clock and a link to it; then the
//! audit event is durable; only then is anything signed. Whatever fails before that leaves nothing behind but its refusal.

pub(super) mod request;
mod session;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::agents::Presence;
use super::asking::notify::Notice;
use super::audit::{BreakGlass, Event, SessionAuthorised};
use super::config::NotifyOf;
use super::dpop::Sent;
use super::identity::{self, Caller};
use super::policy::{Approval, Basis, Grant};
use super::rate::Limit;
use super::registry::Row;
use super::relay::upgrade::{Link, Wanted};
use super::store::NewSession;
use super::{State, ca, http, list, mfa, recall};
use crate::proto::agent::{Announcement, FromBroker, LinkHeader, RUNNING};
use crate::proto::api::{ConnectReply, LINK_RAW};
use crate::proto::name::Login;
use crate::proto::version::CONNECT_UPGRADE;
use crate::proto::{Action, Actions, ErrorBody, ErrorCode, SessionId};

use request::Asked;

/// The route's handler.
pub(crate) async fn connect(Extracted(state): Extracted<Arc<State>>, mut request: Request) -> Response {
    match start(&state, &mut request).await {
        Ok(response) => response,
        Err(refused) => refused.into_response(),
    }
}

async fn start(state: &Arc<State>, request: &mut Request) -> Result<Response, ErrorBody> {
    let purges = state.sessions.purges();
    let caller = identity::authenticate(state, &Sent::of(state, request)).await?;
    let wanted = Wanted::from_headers(request.headers(), CONNECT_UPGRADE)?;
    let asked = Asked::from_headers(request.headers())?;
    let address = http::client_address(state, request);
    let mut visit = Visit { state, caller, asked, address, purges, approvals: Vec::new(), break_glass: false };
    let granted = visit.authorise().await?;
    let presence = visit.presence(&granted.row)?;
    if !presence.trust.is_common(&state.ca).await {
        return Err(ErrorBody::new(
            ErrorCode::AgentAway,
            format!(
                "the agent {} of {} has not followed the broker's change of certificate authorities: it has to join again",
                presence.name, granted.row.name
            ),
        ));
    }
    let link = presence.link().await.ok_or_else(|| {
        ErrorBody::new(
            ErrorCode::AgentAway,
            format!("the agent {} of {} did not open a connection in time", presence.name, granted.row.name),
        )
    })?;
    visit.begin(wanted, request, granted, presence, link).await
}

/// One caller's wish, from here on trusted to be well-formed.
struct Visit<'a> {
    state: &'a Arc<State>,
    caller: Caller,
    asked: Asked,
    address: IpAddr,
    /// [`Sessions::purges`](super::relay::Sessions::purges) before the caller was looked up.
    purges: u64,
    /// What others have approved, where that was looked up because policy asks for it.
    approvals: Vec<Approval>,
    /// Whether to do without what is missing of it.
    break_glass: bool,
}

impl Visit<'_> {
    /// The container and the policy's yes. A refusal is written down; whoever has had too many is refused unheard, or the journal would
    /// be theirs to fill.
    async fn authorise(&mut self) -> Result<Granted, ErrorBody> {
        list::gathered(self.state).await;
        let (limits, user, now) = (&self.state.limits, self.caller.user(), self.state.clock.now());
        limits.check(Limit::Denial, &user, now).map_err(|error| ErrorBody::new(ErrorCode::RateLimited, error.to_string()))?;
        let found = list::find(self.state, &self.caller, self.address, &self.asked.as_typed, self.asked.container)
            .map_err(|body| (Denied { body, policies: Vec::new() }, None));
        let (denied, row) = match found {
            Ok(row) => match self.decide_with_approvals(&row).await {
                Ok((basis, grant)) => match session::room(self.state, &user).await {
                    Ok(()) => return Ok(Granted { row, basis, grant }),
                    Err(body) => (Denied { body, policies: Vec::new() }, Some(row)),
                },
                Err(denied) => (denied, Some(row)),
            },
            Err(denied) => denied,
        };
        let Denied { body, policies } = denied;
        let body = mfa::with_way(self.state, &self.caller, body).await;
        // Those that came together may all be over the limit and still be written down: it bounds the rate.
        let _ = limits.attempt(Limit::Denial, &user, now);
        let event = Event::SessionDenied {
            user,
            as_typed: self.asked.as_typed.to_string(),
            container: row.map(|row| row.container.id),
            login: self.asked.login.to_string(),
            actions: self.asked.actions.iter().chain(self.asked.optional.iter()).collect(),
            code: body.code.as_str().to_owned(),
            policies,
            client_address: self.address.to_string(),
        };
        if let Err(error) = self.state.journal.append(event).await {
            tracing::error!(%error, "a refusal was not written down");
        }
        Err(body)
    }

    /// The decision, with the approvals that the caller has where it asks for any; and without them where the caller wants to break
    /// the glass and there is no other way.
    async fn decide_with_approvals(&mut self, row: &Row) -> Result<(Basis, Grant), Denied> {
        let (decided, lacking) = self.decide(row);
        if !lacking {
            return decided;
        }
        let approvals = self.state.store.approvals(&self.caller.user(), self.state.clock.now()).await;
        self.approvals = approvals.map_err(|error| {
            tracing::error!(%error, "approvals cannot be looked up");
            let body = ErrorBody::new(ErrorCode::Unavailable, "the broker cannot look up approvals right now");
            Denied { body, policies: Vec::new() }
        })?;
        let (decided, lacking) = self.decide(row);
        if !lacking || !self.asked.break_glass || decided.is_ok() {
            return decided;
        }
        self.break_glass = true;
        self.decide(row).0
    }

    /// What has to be granted, and what else may be; and whether an approval is missing for any of it.
    fn decide(&self, row: &Row) -> (Result<(Basis, Grant), Denied>, bool) {
        let (mut refused, mut lacking) = (None, false);
        let optional = self.asked.optional.iter().filter(|action| match self.grant(row, &[*action].into_iter().collect()) {
            Ok(_) => true,
            Err(denied) => {
                lacking |= denied.body.code == ErrorCode::ApprovalRequired;
                refused.get_or_insert(denied);
                false
            }
        });
        let actions: Actions = self.asked.actions.iter().chain(optional.collect::<Vec<_>>()).collect();
        let decided = match refused {
            Some(refused) if actions.is_empty() => Err(refused),
            _ => self.grant(row, &actions),
        };
        lacking |= decided.as_ref().is_err_and(|denied| denied.body.code == ErrorCode::ApprovalRequired);
        (decided, lacking)
    }

    /// Policy first, so that locks and what a connector can do tell nothing to whom they do not concern.
    fn grant(&self, row: &Row, actions: &Actions) -> Result<(Basis, Grant), Denied> {
        let basis = Basis {
            caller: self.caller.clone(),
            container: Arc::clone(&row.container),
            login: self.asked.login.clone(),
            actions: *actions,
            command: self.asked.command.clone(),
            reason: self.asked.reason.clone(),
            approvals: self.approvals.clone(),
            break_glass: self.break_glass,
            address: self.address,
            time: self.state.clock.now(),
            max_session: self.state.config.max_session,
        };
        let grant = basis
            .decide(&self.state.policies.current())
            .map_err(|denial| Denied { body: denial.body(&row.name), policies: denial.policies().to_vec() })?;
        recall::unlocked(self.state, &basis, &row.name).map_err(|body| Denied { body, policies: Vec::new() })?;
        match beyond(row, grant.login(), grant.actions()) {
            None => Ok((basis, grant)),
            Some(what) => {
                let message = format!("{} cannot do that: {what}", row.name);
                Err(Denied { body: ErrorBody::new(ErrorCode::Unsupported, message), policies: Vec::new() })
            }
        }
    }

    /// The agent, there and with a clock by which it can judge a certificate.
    fn presence(&self, row: &Row) -> Result<Arc<Presence>, ErrorBody> {
        let agent = &row.container.agent_name;
        let presence = self.state.agents.present(row.container.agent);
        let presence =
            presence.ok_or_else(|| ErrorBody::new(ErrorCode::AgentAway, format!("the agent {agent} is not connected")))?;
        match presence.skew() {
            skew if skew.unsigned_abs() > SKEW => {
                let way = if skew > 0 { "ahead of" } else { "behind" };
                let message = format!(
                    "the clock of the agent {agent} is {} seconds {way} the broker's, and certificates live for minutes: set it right",
                    skew.unsigned_abs()
                );
                Err(ErrorBody::new(ErrorCode::ClockSkew, message))
            }
            _ => Ok(presence),
        }
    }

    /// Whether caller and agent are still there, nothing is locked and the policies still allow it, where sessions were looked
    /// through since the request came: one that waits for its link was not yet among those that a removal, a lock or a change ends.
    async fn still(&self, headers: &HeaderMap, basis: &Basis, presence: &Presence) -> Result<(), ErrorBody> {
        if self.state.sessions.purges() == self.purges {
            return Ok(());
        }
        identity::still_holds(self.state, headers, &basis.caller).await?;
        let name = &basis.container.full_name;
        recall::unlocked(self.state, basis, name)?;
        if recall::allowed_until(basis, &self.state.policies.current()).is_none_or(|until| until <= self.state.clock.now()) {
            return Err(ErrorBody::new(
                ErrorCode::Denied,
                format!("the policy has just changed and does not allow it in {name}"),
            ));
        }
        if self.state.agents.present(presence.agent).is_none() {
            return Err(ErrorBody::new(ErrorCode::AgentAway, format!("the agent {} is not connected", presence.name)));
        }
        Ok(())
    }

    /// Writes down and tells that a session begins without the approval that policy asks for, if that is so; unheard it does not begin.
    async fn alarm(&self, session: SessionId, row: &Row, grant: &Grant) -> Result<(), ErrorBody> {
        let Some(approvers) = grant.broke_glass() else { return Ok(()) };
        let broke = BreakGlass {
            session,
            user: grant.user().to_owned(),
            container: grant.container(),
            container_name: row.container.full_name.clone(),
            login: grant.login().to_string(),
            actions: *grant.actions(),
            reason: self.asked.reason.clone().unwrap_or_default(),
            approvers: approvers.iter().map(ToString::to_string).collect(),
            client_address: self.address.to_string(),
            deadline: grant.deadline(),
        };
        tracing::warn!(%session, user = %broke.user, container = %broke.container_name, "somebody breaks the glass");
        if !self.state.notifier.tells_of(NotifyOf::BreakGlass) {
            tracing::warn!("no [[notify]] of the configuration has the event break_glass: only log and audit tell of it");
        }
        let unheard = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, %session, "the alarm cannot be raised");
            ErrorBody::new(
                ErrorCode::Unavailable,
                "the alarm cannot be raised, so the session cannot start: tell the broker's operator",
            )
        };
        let notice = Notice::broke_glass(self.state, &broke);
        self.state.journal.append(Event::BreakGlass(Box::new(broke))).await.map_err(|error| unheard(&error))?;
        self.state.notifier.raise(self.state, &notice).await.map_err(|error| unheard(&error))
    }

    /// Writes down, signs, announces; then the 101, and the session has a task of its own.
    async fn begin(
        self,
        wanted: Wanted,
        request: &mut Request,
        granted: Granted,
        presence: Arc<Presence>,
        link: Link,
    ) -> Result<Response, ErrorBody> {
        let Granted { row, basis, grant } = granted;
        let (state, session, serial) = (self.state, SessionId::random(), self.state.ca.draw_serial());
        let authorised = SessionAuthorised {
            session,
            user: grant.user().to_owned(),
            groups: self.caller.groups.iter().map(ToString::to_string).collect(),
            container: grant.container(),
            container_name: row.container.full_name.clone(),
            agent: presence.agent,
            login: grant.login().to_string(),
            actions: *grant.actions(),
            command: grant.command().map(str::to_owned),
            reason: self.asked.reason.clone(),
            client_address: self.address.to_string(),
            mfa_at: self.caller.mfa_at,
            policies: grant.policies().to_vec(),
            idle: grant.idle().map(|idle| idle.as_secs()),
            env: grant.env().iter().map(str::to_owned).collect(),
            approvals: grant.approvals().iter().map(ToString::to_string).collect(),
            serial: serial.number(),
            key_id: ca::key_id(&grant, session),
            deadline: grant.deadline(),
        };
        let unavailable = |error: &dyn std::fmt::Display, message: &str| {
            tracing::error!(%error, %session, "{message}");
            ErrorBody::new(ErrorCode::Unavailable, message)
        };
        self.alarm(session, &row, &grant).await?;
        state.journal.append(Event::SessionAuthorised(Box::new(authorised))).await.map_err(|error| {
            unavailable(&error, "the audit journal cannot be written, so no session can start: tell the broker's operator")
        })?;
        let seat = state.sessions.admit(session, basis, grant.deadline(), grant.idle());
        if let Err(refused) = self.still(request.headers(), &seat.live().basis, &presence).await {
            session::never_began(state, &seat, &refused.message).await;
            return Err(refused);
        }
        let now = state.clock.now();
        let index = NewSession {
            session,
            broker: state.instance.clone(),
            serial: serial.number(),
            key_id: ca::key_id(&grant, session),
            expires_at: now.saturating_add(state.ca.lifetime()),
            agent: presence.agent,
            container: grant.container(),
            runtime_id: row.container.runtime_id.clone(),
            user: grant.user().to_owned(),
            started_at: now,
        };
        let hosts = state.ca.hosts_of(self.asked.ca);
        let signed = state
            .ca
            .sign_user(&grant, session, serial, &self.asked.public_key, now, &presence.trust.users())
            .and_then(|user| Ok((user, state.ca.sign_host(&grant, &self.asked.as_typed, &presence.key, now, &hosts)?)));
        let (certificate, host_certificate) = match signed {
            Ok(signed) => signed,
            Err(error) => {
                session::never_began(state, &seat, "the certificate could not be signed").await;
                return Err(unavailable(&error, "the broker could not sign the certificate"));
            }
        };
        let announcement = Announcement {
            session,
            container: grant.container(),
            login: grant.login().clone(),
            user: grant.user().to_owned(),
            declared: self.asked.declared(grant.actions()),
            deadline: grant.deadline(),
        };
        if presence.tell(FromBroker::Announce(announcement)).is_err() {
            session::never_began(state, &seat, "the agent went away").await;
            return Err(ErrorBody::new(ErrorCode::AgentAway, format!("the agent {} went away", presence.name)));
        }
        let response = wanted.response();
        let reply = ConnectReply {
            session,
            certificate,
            host_principal: grant.container(),
            origin: Some(row.origin()),
            name: row.name,
            deadline: grant.deadline(),
            link: LINK_RAW.to_owned(),
        };
        let client_address = self.address.to_string();
        let header = LinkHeader { session, container: grant.container(), host_certificate, client_address };
        let (state, upgrade) = (Arc::clone(state), hyper::upgrade::on(request));
        tokio::spawn(session::Session { state, seat, presence, reply, header, index }.run(wanted, upgrade, link));
        Ok(response)
    }
}

/// What of these actions the container's connector cannot do as `login`.
pub(crate) fn beyond(row: &Row, login: &Login, actions: &Actions) -> Option<String> {
    let can = &row.container.capabilities;
    if let Some(action) = actions.iter().find(|action| !can.actions.allow(*action)) {
        return Some(match row.container.state.as_str() {
            RUNNING => format!("its connector has no {action}"),
            state => format!("it is {state}, so there is no {action} now"),
        });
    }
    if !login.is_default() && !can.login_switch {
        return Some("its connector cannot change the user, leave out --user".to_owned());
    }
    let needs_user = actions.iter().any(|action| action != Action::Logs);
    (login.is_default() && !can.default_login && needs_user)
        .then(|| "it has no user of its own, say whom to be with --user NAME".to_owned())
}

/// What a visit is granted.
struct Granted {
    row: Row,
    basis: Basis,
    grant: Grant,
}

/// A refusal and the policies behind it.
struct Denied {
    body: ErrorBody,
    policies: Vec<String>,
}

/// How many seconds an agent's clock may be off: certificates are made valid 30 seconds early, and the rest is for the way.
const SKEW: u64 = 20;
