//! Errors on the wire: a code that programs match and a sentence that people read.

use serde::{Deserialize, Serialize};

use super::api::ContainerRow;

/// What went wrong, for programs. A code that this version does not know reads as [`ErrorCode::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No token, or one that is not (or no longer) valid: log in.
    NotLoggedIn,
    /// The token is bound to a key, and the request does not prove that it comes from there.
    ProofRefused,
    /// The proof's time cannot be judged: prove again with the nonce that comes along (RFC 9449 §9).
    UseDpopNonce,
    /// Policy says no, or asks for something that is missing.
    Denied,
    /// Policy asks for a reason and none was given.
    ReasonRequired,
    /// Policy asks for a second factor that was shown lately; [`ErrorBody::mfa`] says how to show one.
    MfaRequired,
    /// The code of a second factor is wrong, or was used before.
    WrongCode,
    /// Policy asks for somebody else's approval and there is none: ask for it.
    ApprovalRequired,
    /// An operator has locked it for now.
    Locked,
    /// No such container among those that the user may list.
    NotFound,
    /// More than one container matches; they are in [`ErrorBody::candidates`].
    Ambiguous,
    /// The container's connector cannot do what was asked (a login switch, say).
    Unsupported,
    /// The container's agent did not answer in time.
    AgentAway,
    /// The agent's clock is too far from the broker's for a certificate to be judged.
    ClockSkew,
    /// The request cannot be read or is over a limit.
    InvalidRequest,
    /// The upgrade that was asked for is not possible here; try WebSocket.
    UpgradeRequired,
    /// No version in common.
    VersionMismatch,
    /// Too many attempts: wait.
    RateLimited,
    /// The person has as many sessions as one may have: end some.
    TooManySessions,
    /// The broker cannot do its work right now (the audit journal cannot be written, say).
    Unavailable,
    /// A mistake of the broker's own.
    Internal,
    /// A join token that is unknown, used up or expired; or an agent that is not enrolled.
    JoinRefused,
    /// A code of a newer version.
    #[serde(other)]
    Other,
}

impl ErrorCode {
    /// The code as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotLoggedIn => "not_logged_in",
            Self::ProofRefused => "proof_refused",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::Denied => "denied",
            Self::ReasonRequired => "reason_required",
            Self::MfaRequired => "mfa_required",
            Self::WrongCode => "wrong_code",
            Self::ApprovalRequired => "approval_required",
            Self::Locked => "locked",
            Self::NotFound => "not_found",
            Self::Ambiguous => "ambiguous",
            Self::Unsupported => "unsupported",
            Self::AgentAway => "agent_away",
            Self::ClockSkew => "clock_skew",
            Self::InvalidRequest => "invalid_request",
            Self::UpgradeRequired => "upgrade_required",
            Self::VersionMismatch => "version_mismatch",
            Self::RateLimited => "rate_limited",
            Self::TooManySessions => "too_many_sessions",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::JoinRefused => "join_refused",
            Self::Other => "other",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::NotLoggedIn | Self::ProofRefused | Self::UseDpopNonce | Self::JoinRefused => 401,
            Self::Denied
            | Self::ReasonRequired
            | Self::MfaRequired
            | Self::WrongCode
            | Self::ApprovalRequired
            | Self::Locked => 403,
            Self::NotFound => 404,
            Self::Ambiguous | Self::Unsupported => 409,
            Self::InvalidRequest => 400,
            Self::UpgradeRequired | Self::VersionMismatch => 426,
            Self::RateLimited | Self::TooManySessions => 429,
            Self::AgentAway | Self::ClockSkew | Self::Unavailable => 503,
            Self::Internal | Self::Other => 500,
        }
    }
}

/// The body of every refusal of `/v1/…`, and the `Refused` frame's content.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For programs.
    pub code: ErrorCode,
    /// For people: one sentence without a period.
    pub message: String,
    /// With [`ErrorCode::Ambiguous`]: what matches, at most [`CANDIDATES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<ContainerRow>,
    /// With [`ErrorCode::MfaRequired`]: how the person can show a second factor. None where that is not possible as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<MfaWay>,
    /// With [`ErrorCode::ApprovalRequired`]: whether it can be done without, for an alarm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// How a person shows a second factor in the midst of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MfaWay {
    /// With a code, sent to `POST /v1/mfa`.
    Totp,
    /// By another login, in which the identity provider asks anew.
    Login,
    /// A way of a newer version.
    #[serde(other)]
    Other,
}

impl ErrorBody {
    /// A refusal without candidates.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), candidates: Vec::new(), mfa: None, break_glass: false }
    }
}

impl std::fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ErrorBody {}

/// The most candidates that an ambiguous name is answered with: a screenful, and a bounded body.
pub const CANDIDATES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_a_newer_version_is_still_an_error() {
        let body: ErrorBody = serde_json::from_str(r#"{"code":"teapot","message":"short and stout"}"#).unwrap();
        assert_eq!(body.code, ErrorCode::Other);
    }

    #[test]
    fn the_words_are_those_of_serde() {
        for code in [
            ErrorCode::NotLoggedIn,
            ErrorCode::UseDpopNonce,
            ErrorCode::Locked,
            ErrorCode::ApprovalRequired,
            ErrorCode::ClockSkew,
            ErrorCode::JoinRefused,
            ErrorCode::UpgradeRequired,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
