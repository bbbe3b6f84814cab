//! Failures as they are told: what happened, what to do next, and the exit code.

use std::process::ExitCode;

use super::print::Printer;
use crate::broker::admin::AdminError;
use crate::broker::admin::client::ClientError;
use crate::broker::config::ConfigError;
use crate::broker::{OpenError, ServeError};
use crate::proto::ErrorCode;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    code: &'static str,
    message: String,
    hint: Option<String>,
    exit: u8,
}

impl Failure {
    /// A failure without a name of its own.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { code: "failed", message: message.into(), hint: None, exit: FAILED }
    }

    /// Somebody pressed Ctrl-C.
    pub(super) fn interrupted() -> Self {
        Self { code: "interrupted", message: "interrupted".to_owned(), hint: None, exit: INTERRUPTED }
    }

    /// With a command that can be pasted.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What was verified is not as it was written.
    pub(super) fn unproved(self) -> Self {
        self.coded("does_not_verify", FAILED)
    }

    /// Nothing could be verified.
    pub(super) fn unverifiable(self) -> Self {
        self.coded("cannot_verify", UNVERIFIABLE)
    }

    fn coded(self, code: &'static str, exit: u8) -> Self {
        Self { code, exit, ..self }
    }

    /// Tells it on stderr.
    pub(super) fn tell(self, printer: Printer) -> ExitCode {
        if printer.as_json {
            let error = serde_json::json!({ "code": self.code, "message": self.message, "hint": self.hint });
            printer.remark(&serde_json::json!({ "error": error }).to_string());
        } else {
            printer.remark(&format!("ztbroker: {}", self.message));
            if let Some(hint) = self.hint {
                printer.remark(&format!("hint: {hint}"));
            }
        }
        ExitCode::from(self.exit)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let failure = Self::new(error.to_string());
        match &error {
            ClientError::NotRunning(_) => failure
                .coded("not_running", FAILED)
                .hint("start it with `ztbroker serve --config FILE`, or name another with --config FILE or --state DIR"),
            ClientError::Forbidden(_) => failure.coded("forbidden", DENIED).hint("run the same command with sudo"),
            ClientError::Refused(body) => {
                let exit = if body.code == ErrorCode::NotFound { DENIED } else { FAILED };
                failure.coded(body.code.as_str(), exit)
            }
            ClientError::Broken { .. } | ClientError::TimedOut(_) => failure.coded("unavailable", FAILED),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(error.to_string()).coded("configuration", FAILED)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(error.to_string()).coded("open", FAILED)
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::new(error.to_string()).coded("serve", FAILED)
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        Self::new(error.to_string())
    }
}

const FAILED: u8 = 1;

/// As grep and diff have it: neither yes nor no.
const UNVERIFIABLE: u8 = 2;

/// Not allowed, or not found.
const DENIED: u8 = 4;

const INTERRUPTED: u8 = 130;
