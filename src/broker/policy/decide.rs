//! The decision: a caller, a container, some actions; a [`Grant`] or a [`Denial`].

use std::collections::BTreeSet;
use std::time::Duration;

use cedar_policy::{AuthorizationError, Authorizer, Decision, PolicyId, PolicySet};

use super::obligation::Obligations;
use super::schema::{Circumstances, Unspeakable};
use super::{Approval, Approvers, Set, approval};
use crate::broker::identity::Caller;
use crate::broker::registry::Container;
use crate::moment;
use crate::proto::name::Login;
use crate::proto::{Action, Actions, ContainerId, ErrorBody, ErrorCode, RequestId, VariableNames};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// What to do; all must be allowed.
    pub actions: &'a Actions,
    /// The Unix user inside.
    pub login: &'a Login,
    /// The longest session where no policy asks for a shorter one.
    pub max_session: Duration,
    /// What others have approved.
    pub approvals: &'a [Approval],
    /// Whether to do without the approvals that are missing, where the policies allow that to whoever says why.
    pub break_glass: bool,
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
    mfa: Option<Duration>,
    approvals: Vec<RequestId>,
    broke_glass: Option<BTreeSet<Approvers>>,
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
    /// It would be permitted with a second factor, shown lately.
    MfaRequired {
        /// How many seconds ago at the most.
        seconds: u64,
        /// The ids of those that ask.
        policies: Vec<String>,
    },
    /// It would be permitted with an approval.
    ApprovalRequired {
        /// The ids of those that ask.
        policies: Vec<String>,
        /// Who has to approve: one of each.
        approvers: BTreeSet<Approvers>,
        /// Whether it may be done without by who says why.
        break_glass: bool,
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

    /// How old a second factor might be at the most, where one was asked for.
    pub fn mfa(&self) -> Option<Duration> {
        self.mfa
    }

    /// The requests whose approvals it stands on, sorted.
    pub fn approvals(&self) -> &[RequestId] {
        &self.approvals
    }

    /// Who would have had to approve, where the session begins without.
    pub fn broke_glass(&self) -> Option<&BTreeSet<Approvers>> {
        self.broke_glass.as_ref()
    }
}

impl Denial {
    /// The policies that decided, if any did.
    pub fn policies(&self) -> &[String] {
        match self {
            Self::Policy { policies, .. }
            | Self::ReasonRequired { policies }
            | Self::MfaRequired { policies, .. }
            | Self::ApprovalRequired { policies, .. }
            | Self::Evaluation { policies } => policies,
            Self::Narrowed | Self::Nothing => &[],
        }
    }

    /// The answer to the client, about the container that it sees as `name`. It names no policy: those are in the audit.
    pub fn body(&self, name: &str) -> ErrorBody {
        let (code, message) = match self {
            Self::Policy { action, .. } => (ErrorCode::Denied, format!("policy does not allow you {action} on {name}")),
            Self::ReasonRequired { .. } => (ErrorCode::ReasonRequired, format!("policy asks for a reason to enter {name}")),
            Self::MfaRequired { seconds, .. } => {
                let age = moment::length(*seconds);
                let message = format!("policy asks for a second factor to enter {name}, shown in the last {age}");
                (ErrorCode::MfaRequired, message)
            }
            Self::ApprovalRequired { approvers, break_glass, .. } => {
                let approvers = approval::words(approvers);
                let mut body = ErrorBody::new(
                    ErrorCode::ApprovalRequired,
                    format!("policy asks for an approval by a member of {approvers} to enter {name}"),
                );
                body.break_glass = *break_glass;
                return body;
            }
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
    let user = caller.user();
    let mut asks = Obligations { max_session: Some(wish.max_session), ..Obligations::default() };
    let (mut decided, mut asking, mut doubting) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut approved = Approved::default();
    for action in wish.actions.iter() {
        if !within_token(caller, action, container) {
            return Err(Denial::Narrowed);
        }
        let good = |approval: &&Approval| {
            approval.covers(&user, container, wish.login, circumstances.time) && approval.actions.allow(action)
        };
        let approvals: Vec<&Approval> = wish.approvals.iter().filter(good).collect();
        for policy in permitted_by(set, &set.policies, caller, action, container, Some(wish.login), circumstances)? {
            if let Some(obligations) = set.obligations.get(&policy) {
                if obligations.reason {
                    asking.insert(policy.to_string());
                }
                if obligations.mfa.is_some() {
                    doubting.insert(policy.to_string());
                }
                // To see that it is there, nobody has to ask.
                if action != Action::List {
                    obligations.approval.iter().for_each(|approvers| approved.demand(approvers, &approvals, &policy));
                }
                asks = asks.and(obligations);
            }
            decided.insert(policy.to_string());
        }
    }
    let says_why = circumstances.reason.is_some_and(|reason| !reason.trim().is_empty());
    if asks.reason && !says_why {
        return Err(Denial::ReasonRequired { policies: asking.into_iter().collect() });
    }
    // Held against the time of the request: a session that lives on is not ended because what was shown gets old.
    if let Some(seconds) = asks.mfa.map(|age| age.as_secs())
        && caller.mfa_at.is_none_or(|at| circumstances.time.saturating_sub(at) > seconds)
    {
        return Err(Denial::MfaRequired { seconds, policies: doubting.into_iter().collect() });
    }
    let Approved { by, until, missing, policies } = approved;
    let broke_glass = (!missing.is_empty()).then_some(missing);
    if let Some(approvers) = broke_glass.clone() {
        let policies = policies.into_iter().collect();
        match (wish.break_glass && asks.break_glass, says_why) {
            (true, true) => {}
            (true, false) => return Err(Denial::ReasonRequired { policies }),
            (false, _) => return Err(Denial::ApprovalRequired { policies, approvers, break_glass: asks.break_glass }),
        }
    }
    let length = asks.max_session.unwrap_or(wish.max_session).as_secs();
    let deadline = circumstances.time.saturating_add(length);
    // What a narrow token opens ends with the token; an ordinary login may end while its sessions go on.
    let token_end = caller.narrowed.as_ref().and(caller.expires_at).unwrap_or(u64::MAX);
    Ok(Grant {
        user,
        container: container.id,
        login: wish.login.clone(),
        actions: *wish.actions,
        command: circumstances.command.map(str::to_owned),
        deadline: deadline.min(token_end).min(until),
        policies: decided.into_iter().collect(),
        record: false,
        env: asks.env.unwrap_or_default(),
        idle: asks.idle,
        mfa: asks.mfa,
        approvals: by.into_iter().collect(),
        broke_glass,
    })
}

/// How far what the permits ask for has been approved.
struct Approved {
    /// The requests that were answered.
    by: BTreeSet<RequestId>,
    /// The first of their ends.
    until: u64,
    /// What is not.
    missing: BTreeSet<Approvers>,
    /// Who asks for that.
    policies: BTreeSet<String>,
}

impl Default for Approved {
    fn default() -> Self {
        Self { by: BTreeSet::new(), until: u64::MAX, missing: BTreeSet::new(), policies: BTreeSet::new() }
    }
}

impl Approved {
    /// Takes down that `policy` asks for an approval by one of `approvers`: of those that there are the last to end counts.
    fn demand(&mut self, approvers: &Approvers, approvals: &[&Approval], policy: &PolicyId) {
        let fitting = approvals.iter().filter(|approval| approvers.include(&approval.groups));
        match fitting.max_by_key(|approval| approval.until) {
            Some(approval) => {
                self.by.insert(approval.request);
                self.until = self.until.min(approval.until);
            }
            None => {
                self.missing.insert(approvers.clone());
                self.policies.insert(policy.to_string());
            }
        }
    }
}

/// Those of `policies`, which are all of `set` or some, that allow `action`.
pub(super) fn permitted_by(
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
pub(super) fn within_token(caller: &Caller, action: Action, container: &Container) -> bool {
    caller.narrowed.as_ref().is_none_or(|narrowed| {
        narrowed.permits_container(&container.app, &container.full_name)
            && (action == Action::List || narrowed.permits_action(action))
    })
}
