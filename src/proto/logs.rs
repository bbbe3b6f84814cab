//! The request for a container's logs, as it crosses SSH: the name of a subsystem, [`SUBSYSTEM`] and JSON behind a space.
//!
//! The answer is the container's two outputs on the channel's two streams, line by line, each line with the time at which it was
//! written before it where that was asked for.

use serde::{Deserialize, Serialize};

/// Which part of the logs is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsRequest {
    /// Whether to go on with what is written from now on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
    /// Only what was written at this time or later, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Only so many lines from the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<u64>,
    /// Whether each line begins with its time (RFC 3339).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub timestamps: bool,
}

impl LogsRequest {
    /// The subsystem's whole name.
    pub fn to_subsystem(&self) -> String {
        // Numbers and booleans always serialise.
        format!("{SUBSYSTEM} {}", serde_json::to_string(self).unwrap_or_default())
    }

    /// What a subsystem's name asks for, if it asks for logs in a way that this version understands.
    pub fn from_subsystem(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(SUBSYSTEM)?;
        match rest.strip_prefix(' ') {
            Some(json) if json.len() <= LIMIT => serde_json::from_str(json).ok(),
            None if rest.is_empty() => Some(Self::default()),
            _ => None,
        }
    }
}

/// The name, which a plain `ssh -s` can ask for as well.
pub const SUBSYSTEM: &str = "logs@ztctl";

/// The most bytes of a request: two numbers and two words.
const LIMIT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_and_other_names_are_none() {
        let request = LogsRequest { follow: true, since: Some(7), tail: Some(0), timestamps: true };
        assert_eq!(LogsRequest::from_subsystem(&request.to_subsystem()), Some(request));
        assert_eq!(LogsRequest::from_subsystem("logs@ztctl"), Some(LogsRequest::default()));
        for name in ["", "sftp", "logs@ztctlx", "logs@ztctl {", "logs@ztctl {\"tail\":-1}", "logs@ztctl  {}x"] {
            assert_eq!(LogsRequest::from_subsystem(name), None, "{name}");
        }
        assert_eq!(LogsRequest::from_subsystem(&format!("logs@ztctl {}", " ".repeat(LIMIT + 1))), None);
    }
}
