//! Bodies of `/v1/mfa` and `/v1/totp…`: the second factor of the directory's people.

use serde::{Deserialize, Serialize};

use crate::proto::Secret;

/// What a person typed: a code of the authenticator or, but for `confirm`, a recovery code.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// As it was typed.
    pub code: Secret<String>,
}

/// A second factor was shown in this login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaShown {
    /// When, in seconds since 1970.
    pub mfa_at: u64,
}

/// Whether there is a second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TotpStatus {
    /// Since when, in seconds since 1970; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// How many recovery codes are left.
    pub recovery_codes: u64,
}

/// A second factor that is to be confirmed. Until then it counts for nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TotpBegun {
    /// The secret in base32, for an app that cannot scan.
    pub secret: Secret<String>,
    /// The `otpauth://` address, for the QR code.
    pub url: Secret<String>,
}

/// Recovery codes, which are shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoveryCodes {
    /// Each lets its owner in once, in place of a code.
    pub codes: Vec<Secret<String>>,
}
