//! What a policy set says of one wish, in all that an operator may want to know of it: for `policy test` and `policy explain`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Approvers, Basis, Denial, Grant, Set};
use crate::moment;

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it is allowed.
    pub decision: Decision,
    /// The ids of the policies that decided: those that permit where it is allowed, those that forbid where not; none where
    /// nothing permits it.
    pub policies: Vec<String>,
    /// What the permits ask for, where it is allowed or only lacks an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obligations: Option<Obliged>,
}

/// The answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Yes.
    Allow,
    /// No.
    Deny,
    /// Yes, with a reason, and none was given.
    ReasonRequired,
    /// Yes, with a second factor shown lately, and none was.
    MfaRequired,
    /// Yes, with an approval, and none was given.
    ApprovalRequired,
}

/// The obligations of the permits that decided, combined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obliged {
    /// The longest session, in seconds, where a permit limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_session: Option<u64>,
    /// After how many seconds without anything happening it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// Whether a reason has to be given.
    #[serde(default)]
    pub reason: bool,
    /// How many seconds ago a second factor has to be shown at the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<u64>,
    /// The environment variables that may be set, each a name or its beginning and a `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Who has to approve, one of each: the groups, with commas between them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approval: Vec<String>,
    /// Whether it may be done without, by who says why.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

impl Finding {
    /// What `set` says of `basis`, by the same decision that a connect is given.
    pub fn of(set: &Set, basis: &Basis) -> Self {
        // Longer than any policy can say, to tell what policies say from what nobody says.
        let basis = Basis { max_session: BEYOND, ..basis.clone() };
        let denied = |policies: &[String]| Self { decision: Decision::Deny, policies: policies.to_vec(), obligations: None };
        match basis.decide(set) {
            Err(Denial::ReasonRequired { policies }) => {
                Self { decision: Decision::ReasonRequired, policies, obligations: None }
            }
            Err(Denial::MfaRequired { policies, .. }) => Self { decision: Decision::MfaRequired, policies, obligations: None },
            Err(Denial::ApprovalRequired { policies, .. }) => {
                let obligations = basis.decide_as_approved(set).ok().map(|grant| Obliged::of(set, &basis, &grant));
                Self { decision: Decision::ApprovalRequired, policies, obligations }
            }
            Err(denial) => denied(denial.policies()),
            Ok(grant) => {
                let obligations = Obliged::of(set, &basis, &grant);
                Self { decision: Decision::Allow, policies: grant.policies().to_vec(), obligations: Some(obligations) }
            }
        }
    }
}

impl Obliged {
    /// What goes with `grant`, which `set` gives on `basis`.
    fn of(set: &Set, basis: &Basis, grant: &Grant) -> Self {
        let without = Basis { reason: None, break_glass: false, ..basis.clone() }.decide_as_approved(set);
        let alone = Basis { approvals: Vec::new(), break_glass: false, ..basis.clone() }.decide(set);
        let (approval, break_glass) = match alone {
            Err(Denial::ApprovalRequired { approvers, break_glass, .. }) => {
                (approvers.iter().map(Approvers::to_string).collect(), break_glass)
            }
            _ => (Vec::new(), false),
        };
        let length = grant.deadline().saturating_sub(basis.time);
        Self {
            max_session: (length < BEYOND.as_secs()).then_some(length),
            idle: grant.idle().map(|idle| idle.as_secs()),
            reason: matches!(without, Err(Denial::ReasonRequired { .. })),
            mfa: grant.mfa().map(|age| age.as_secs()),
            env: grant.env().iter().map(str::to_owned).collect(),
            approval,
            break_glass,
        }
    }
}

impl Decision {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ReasonRequired => "reason-required",
            Self::MfaRequired => "mfa-required",
            Self::ApprovalRequired => "approval-required",
        }
    }
}

impl Obliged {
    /// In words; `none` where there is nothing.
    pub fn words(&self) -> String {
        let parts = [
            self.max_session.map(|seconds| format!("max_session {}", moment::length(seconds))),
            self.idle.map(|seconds| format!("idle {}", moment::length(seconds))),
            self.reason.then(|| "reason".to_owned()),
            self.mfa.map(|seconds| format!("mfa {}", moment::length(seconds))),
            (!self.env.is_empty()).then(|| format!("env {}", self.env.join(","))),
            (!self.approval.is_empty()).then(|| format!("approval {}", self.approval.join(" and "))),
            self.break_glass.then(|| "break_glass".to_owned()),
        ];
        let words: Vec<String> = parts.into_iter().flatten().collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}

const BEYOND: Duration = Duration::from_secs(400 * 86_400);
