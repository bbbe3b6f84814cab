//! Obligations: what a permit asks for beside its yes, written as annotations.
//!
//! Cedar takes any annotation, so a misspelt one would silently bind nobody: each is known here or the policy is refused.

use std::time::Duration;

/// What one permit asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Obligations {
    /// `@max_session("1h")`: the session ends after this at the latest.
    pub(super) max_session: Option<Duration>,
    /// `@require("reason")`: the user must say why.
    pub(super) reason: bool,
}

/// An annotation that is not taken, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAnnotation {
    /// No annotation of ours.
    #[error("unknown annotation @{0}: known are @id, @description, @max_session and @require")]
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
    /// Something other than a reason is required.
    #[error("@require(\"{0}\") is not known: only @require(\"reason\") is")]
    Require(String),
}

impl Obligations {
    /// Takes one annotation of a policy.
    pub(super) fn take(&mut self, name: &str, value: &str, permit: bool) -> Result<(), InvalidAnnotation> {
        match name {
            "id" | "description" => return Ok(()),
            "max_session" | "require" if !permit => return Err(InvalidAnnotation::OnForbid(name.to_owned())),
            "max_session" => {
                let length = duration(value).ok_or_else(|| InvalidAnnotation::MaxSession(value.to_owned()))?;
                self.max_session = Some(length);
            }
            "require" if value == "reason" => self.reason = true,
            "require" => return Err(InvalidAnnotation::Require(value.to_owned())),
            "record" | "mfa" | "approval" | "env" => return Err(InvalidAnnotation::NotEnforced(name.to_owned())),
            _ => return Err(InvalidAnnotation::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// Both together: the shorter time, and every requirement.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            max_session: [self.max_session, other.max_session].into_iter().flatten().min(),
            reason: self.reason || other.reason,
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
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
        let hour = Obligations { max_session: Some(Duration::from_secs(3600)), reason: false };
        let minute = Obligations { max_session: Some(Duration::from_secs(60)), reason: false };
        let why = Obligations { max_session: None, reason: true };
        let all = hour.and(&why).and(&minute);
        assert_eq!(all, Obligations { max_session: Some(Duration::from_secs(60)), reason: true });
    }
}
