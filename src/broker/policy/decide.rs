//! The decision: a caller, a container, some actions; a [`Grant`] or a [`Denial`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cedar_policy::{AuthorizationError, Authorizer, Decision, PolicyId, PolicySet};

use super::Set;
use super::listing::Concerned;
use super::obligation::Obligations;
use super::projection::Part;
use super::schema::{Circumstances, Unspeakable};
use crate::broker::identity::Caller;
use crate::broker::registry::Container;
use crate::proto::name::Login;
use crate::proto::{Action, Actions, ContainerId, ErrorBody, ErrorCode, VariableNames};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// What to do; all must be allowed.
    pub actions: &'a Actions,
    /// The Unix user inside.
    pub login: &'a Login,
    /// The longest session where no policy asks for a shorter one.
    pub max_session: Duration,
}

/// The policy's yes: the only thing that the CA signs for. [`authorize`] makes it and nothing else can.
#[derive(Debug)]
pub struct Grant {
    user: String,
    container: ContainerId,
    login: Login,
    actions: Actions,
    command: Option<String>,
    deadline: u64,
    policies: Vec<String>,
    record: bool,
    env: VariableNames,
    idle: Option<Duration>,
}

/// The policy's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// No policy permits it, or one forbids it.
    Policy {
        /// The action.
        action: Action,
        /// The ids of those that forbid.
        policies: Vec<String>,
    },
    /// It would be permitted with a reason.
    ReasonRequired {
        /// The ids of those that ask.
        policies: Vec<String>,
    },
    /// The token that was used is for less.
    Narrowed,
    /// A policy could not be evaluated, so nothing is permitted.
    Evaluation {
        /// The ids of those policies.
        policies: Vec<String>,
    },
    /// Nothing was asked for.
    Nothing,
}

impl Grant {
    /// Who: `name@idp`.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The container.
    pub fn container(&self) -> ContainerId {
        self.container
    }

    /// The Unix user inside.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// What may be done.
    pub fn actions(&self) -> &Actions {
        &self.actions
    }

    /// The one command, if policy saw one.
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// When the session ends at the latest, in seconds since 1970.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    /// The policies that decided, sorted.
    pub fn policies(&self) -> &[String] {
        &self.policies
    }

    /// Whether the session must be recorded.
    pub fn record(&self) -> bool {
        self.record
    }

    /// The environment variables that the client may set beside those of its terminal.
    pub fn env(&self) -> &VariableNames {
        &self.env
    }

    /// After how long without anything happening the session ends.
    pub fn idle(&self) -> Option<Duration> {
        self.idle
    }
}

impl Denial {
    /// The policies that decided, if any did.
    pub fn policies(&self) -> &[String] {
        match self {
            Self::Policy { policies, .. } | Self::ReasonRequired { policies } | Self::Evaluation { policies } => policies,
            Self::Narrowed | Self::Nothing => &[],
        }
    }

    /// The answer to the client, about the container that it sees as `name`. It names no policy: those are in the audit.
    pub fn body(&self, name: &str) -> ErrorBody {
        let (code, message) = match self {
            Self::Policy { action, .. } => (ErrorCode::Denied, format!("policy does not allow you {action} on {name}")),
            Self::ReasonRequired { .. } => (ErrorCode::ReasonRequired, format!("policy asks for a reason to enter {name}")),
            Self::Narrowed => (ErrorCode::Denied, format!("this token is not for that on {name}")),
            Self::Evaluation { .. } => (ErrorCode::Denied, format!("policy could not be evaluated for {name}")),
            Self::Nothing => (ErrorCode::InvalidRequest, "no action was asked for".to_owned()),
        };
        ErrorBody::new(code, message)
    }
}

/// Decides whether `caller` may have the wish for `container` under these circumstances. The one maker of a [`Grant`].
///
/// # Errors
/// [`Denial`] unless every action is permitted, by no policy forbidden, and every obligation met.
pub fn authorize(
    set: &Set,
    caller: &Caller,
    container: &Container,
    wish: &Wish<'_>,
    circumstances: &Circumstances<'_>,
) -> Result<Grant, Denial> {
    if wish.actions.is_empty() {
        return Err(Denial::Nothing);
    }
    let mut asks = Obligations { max_session: Some(wish.max_session), ..Obligations::default() };
    let (mut decided, mut asking) = (BTreeSet::new(), BTreeSet::new());
    for action in wish.actions.iter() {
        if !within_token(caller, action, container) {
            return Err(Denial::Narrowed);
        }
        for policy in permitted_by(set, &set.policies, caller, action, container, Some(wish.login), circumstances)? {
            if let Some(obligations) = set.obligations.get(&policy) {
                if obligations.reason {
                    asking.insert(policy.to_string());
                }
                asks = asks.and(obligations);
            }
            decided.insert(policy.to_string());
        }
    }
    if asks.reason && circumstances.reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Denial::ReasonRequired { policies: asking.into_iter().collect() });
    }
    let length = asks.max_session.unwrap_or(wish.max_session).as_secs();
    let deadline = circumstances.time.saturating_add(length);
    // What a narrow token opens ends with the token; an ordinary login may end while its sessions go on.
    let token_end = caller.narrowed.as_ref().and(caller.expires_at).unwrap_or(u64::MAX);
    Ok(Grant {
        user: caller.user(),
        container: container.id,
        login: wish.login.clone(),
        actions: wish.actions.clone(),
        command: circumstances.command.map(str::to_owned),
        deadline: deadline.min(token_end),
        policies: decided.into_iter().collect(),
        record: false,
        env: asks.env.unwrap_or_default(),
        idle: asks.idle,
    })
}

/// Those of `containers` that `caller` may list. Of many only those policies are asked that are about the caller, and once for each kind
/// of container that they tell apart: with 100 000 containers that is the difference between milliseconds and half a minute.
pub fn listable(
    set: &Set,
    caller: &Caller,
    mut containers: Vec<Arc<Container>>,
    circumstances: &Circumstances<'_>,
) -> Vec<Arc<Container>> {
    let (user, list) = (caller.user(), Action::List);
    let decide = |policies: &PolicySet, container: &Container| {
        permitted_by(set, policies, caller, list, container, None, circumstances).is_ok()
    };
    containers.retain(|container| within_token(caller, list, container));
    if let [container] = containers.as_slice() {
        let listed = decide(&set.policies, container);
        return containers.into_iter().filter(|_| listed).collect();
    }
    let Ok(Concerned { policies, projection }) = set.listing.concerning(&user, &caller.groups) else {
        // Two policies of one id: no set has them, and where nothing can be evaluated nothing is permitted.
        return Vec::new();
    };
    let (mut known, mut parts): (HashMap<Vec<Part<'_>>, bool>, Vec<Part<'_>>) = (HashMap::new(), Vec::new());
    let verdicts: Vec<bool> = containers
        .iter()
        .map(|container| {
            if !projection.project(container, &mut parts) {
                return decide(&policies, container);
            }
            match known.get(&parts) {
                Some(verdict) => *verdict,
                None => {
                    let verdict = decide(&policies, container);
                    known.insert(parts.clone(), verdict);
                    verdict
                }
            }
        })
        .collect();
    drop(known);
    containers.into_iter().zip(verdicts).filter_map(|(container, yes)| yes.then_some(container)).collect()
}

/// Those of `policies`, which are all of `set` or some, that allow `action`.
fn permitted_by(
    set: &Set,
    policies: &PolicySet,
    caller: &Caller,
    action: Action,
    container: &Container,
    login: Option<&Login>,
    circumstances: &Circumstances<'_>,
) -> Result<Vec<PolicyId>, Denial> {
    let user = caller.user();
    let unspeakable = |_: Unspeakable| Denial::Evaluation { policies: Vec::new() };
    let entities = set.words.entities(&user, &caller.groups, container).map_err(unspeakable)?;
    let request = set.words.request(&user, action, container, login, circumstances).map_err(unspeakable)?;
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    let failed_policy = |error: &AuthorizationError| match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
    };
    let failed: BTreeSet<String> = response.diagnostics().errors().map(failed_policy).collect();
    let reasons = || response.diagnostics().reason();
    match response.decision() {
        _ if !failed.is_empty() => Err(Denial::Evaluation { policies: failed.into_iter().collect() }),
        Decision::Allow => Ok(reasons().cloned().collect()),
        Decision::Deny => {
            let mut policies: Vec<String> = reasons().map(PolicyId::to_string).collect();
            policies.sort();
            Err(Denial::Policy { action, policies })
        }
    }
}

/// Whether the caller's token reaches so far. Seeing a container is part of whatever a narrow token is for.
fn within_token(caller: &Caller, action: Action, container: &Container) -> bool {
    caller.narrowed.as_ref().is_none_or(|narrowed| {
        narrowed.permits_container(&container.app, &container.full_name)
            && (action == Action::List || narrowed.permits_action(action))
    })
}
