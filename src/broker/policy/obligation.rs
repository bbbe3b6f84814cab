//! Obligations: what a permit asks for beside its yes, written as annotations.
//!
//! Cedar takes any annotation, so a misspelt one would silently bind nobody: each is known here or the policy is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use super::approval::{Approvers, InvalidApprovers};
use crate::proto::VariableNames;
use crate::proto::variables::InvalidVariableNames;

/// What one permit asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Obligations {
    /// `@max_session("1h")`: the session ends after this at the latest.
    pub(super) max_session: Option<Duration>,
    /// `@require("reason")`: the user must say why.
    pub(super) reason: bool,
    /// `@mfa("15m")`: a second factor must have been shown within this.
    pub(super) mfa: Option<Duration>,
    /// `@env("LANG,APP_*")`: the variables that the client may set. A permit without it adds none and takes none away.
    pub(super) env: Option<VariableNames>,
    /// `@idle("30m")`: the session ends when nothing happens in it for so long.
    pub(super) idle: Option<Duration>,
    /// `@approval("sre,leads")`: a member of one of the groups must have approved; of several, one of each.
    pub(super) approval: BTreeSet<Approvers>,
    /// `@break_glass("reason")`: who says why may begin without the approvals, and an alarm is raised.
    pub(super) break_glass: bool,
}

/// An annotation that is not taken, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAnnotation {
    /// No annotation of ours.
    #[error(
        "unknown annotation @{0}: known are @id, @description, @max_session, @require, @mfa, @env, @idle, @approval and @break_glass"
    )]
    Unknown(String),
    /// One of ours to come.
    #[error("@{0} cannot be enforced by this version (ztctl {version}): remove the policy or upgrade", version = crate::proto::version::PROGRAM)]
    NotEnforced(String),
    /// An obligation on a `forbid`, which never says yes.
    #[error("@{0} stands on a forbid, where it binds nobody: put it on the permits")]
    OnForbid(String),
    /// Not a length of time, or none that makes sense.
    #[error("@max_session(\"{0}\") is no length of time: a number and s, m or h is expected, at most 24h: \"30m\", \"1h\"")]
    MaxSession(String),
    /// The same for the time in which nothing happens.
    #[error("@idle(\"{0}\") is no length of time: a number and s, m or h is expected, at most 24h: \"30m\", \"1h\"")]
    Idle(String),
    /// The same for the age of a second factor.
    #[error("@mfa(\"{0}\") is no length of time: a number and s, m or h is expected, at most 24h: \"15m\", \"1h\"")]
    Mfa(String),
    /// Something other than a reason is required.
    #[error("@require(\"{0}\") is not known: only @require(\"reason\") is")]
    Require(String),
    /// Not a list of variables.
    #[error("@env: {0}")]
    Env(#[from] InvalidVariableNames),
    /// Not a list of groups.
    #[error("@approval: {0}")]
    Approval(#[from] InvalidApprovers),
    /// Something other than a reason is asked of who breaks the glass.
    #[error("@break_glass(\"{0}\") is not known: only @break_glass(\"reason\") is")]
    BreakGlass(String),
    /// There is no glass to break.
    #[error("@break_glass stands without @approval: there is nothing that it could do without")]
    NoGlass,
}

impl Obligations {
    /// Takes one annotation of a policy.
    pub(super) fn take(&mut self, name: &str, value: &str, permit: bool) -> Result<(), InvalidAnnotation> {
        match name {
            "id" | "description" => return Ok(()),
            "max_session" | "require" | "env" | "idle" | "mfa" | "approval" | "break_glass" if !permit => {
                return Err(InvalidAnnotation::OnForbid(name.to_owned()));
            }
            "max_session" => {
                let length = duration(value).ok_or_else(|| InvalidAnnotation::MaxSession(value.to_owned()))?;
                self.max_session = Some(length);
            }
            "require" if value == "reason" => self.reason = true,
            "require" => return Err(InvalidAnnotation::Require(value.to_owned())),
            "idle" => self.idle = Some(duration(value).ok_or_else(|| InvalidAnnotation::Idle(value.to_owned()))?),
            "mfa" => self.mfa = Some(duration(value).ok_or_else(|| InvalidAnnotation::Mfa(value.to_owned()))?),
            "env" => self.env = Some(value.parse()?),
            "approval" => drop(self.approval.insert(value.parse()?)),
            "break_glass" if value == "reason" => self.break_glass = true,
            "break_glass" => return Err(InvalidAnnotation::BreakGlass(value.to_owned())),
            "record" => return Err(InvalidAnnotation::NotEnforced(name.to_owned())),
            _ => return Err(InvalidAnnotation::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// Refuses what all annotations of a policy together cannot mean; with the name of the one that is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, InvalidAnnotation)> {
        if self.break_glass && self.approval.is_empty() { Err(("break_glass", InvalidAnnotation::NoGlass)) } else { Ok(()) }
    }

    /// Both together: the shorter times, every requirement, and only the variables that both let through.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            max_session: [self.max_session, other.max_session].into_iter().flatten().min(),
            idle: [self.idle, other.idle].into_iter().flatten().min(),
            mfa: [self.mfa, other.mfa].into_iter().flatten().min(),
            reason: self.reason || other.reason,
            approval: self.approval.union(&other.approval).cloned().collect(),
            // Every permit that asks for an approval has to let it be done without.
            break_glass: match (self.approval.is_empty(), other.approval.is_empty()) {
                (true, _) => other.break_glass,
                (_, true) => self.break_glass,
                (false, false) => self.break_glass && other.break_glass,
            },
            env: match (&self.env, &other.env) {
                (Some(ours), Some(theirs)) => Some(ours.and(theirs)),
                (ours, theirs) => ours.as_ref().or(theirs.as_ref()).cloned(),
            },
        }
    }
}

pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
    (1..=DAY).contains(&seconds).then(|| Duration::from_secs(seconds))
}

const DAY: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h", 3600), ("24h", DAY)] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "0h", "25h", "-1h", "+1h", "1", "1 h", "banana", "99999999999999999999h", "1é"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn they_combine_to_the_strictest() {
        let length = |seconds| Some(Duration::from_secs(seconds));
        let hour = Obligations { max_session: length(3600), ..Obligations::default() };
        let minute = Obligations { max_session: length(60), ..Obligations::default() };
        let why = Obligations { reason: true, ..Obligations::default() };
        let all = hour.and(&why).and(&minute);
        assert_eq!(all, Obligations { max_session: length(60), reason: true, ..Obligations::default() });
        let quiet = |seconds| Obligations { idle: length(seconds), ..Obligations::default() };
        assert_eq!(quiet(60).and(&hour).and(&quiet(30)).idle, length(30));
        let mfa = |seconds| Obligations { mfa: length(seconds), ..Obligations::default() };
        assert_eq!(mfa(900).and(&hour).and(&mfa(300)).mfa, length(300));
        let env = |names: &str| Obligations { env: Some(names.parse().unwrap()), ..Obligations::default() };
        let both = hour.and(&env("APP_*,DEBUG")).and(&why).and(&env("APP_MODE,X"));
        assert_eq!(both.env, Some("APP_MODE".parse().unwrap()));
        let asks = |groups: &str, break_glass| Obligations {
            approval: BTreeSet::from([groups.parse().unwrap()]),
            break_glass,
            ..Obligations::default()
        };
        let two = hour.and(&asks("sre", true)).and(&asks("dba,leads", true)).and(&why);
        assert_eq!((two.approval.len(), two.break_glass), (2, true));
        assert!(!two.and(&asks("sec", false)).break_glass);
    }
}
