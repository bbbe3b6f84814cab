//! Live sessions as an operator sees them.

use serde::{Deserialize, Serialize};

use crate::proto::api::SessionRow;
use crate::proto::id::Beginning;

/// One live session of `GET /sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// As its user sees it.
    #[serde(flatten)]
    pub row: SessionRow,
    /// `name@idp`.
    pub user: String,
    /// The one command, if there was only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Why, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The name of the agent that serves it.
    pub agent: String,
}

/// `POST /sessions/end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndSession {
    /// Which: its id, or how that begins.
    pub session: Beginning,
    /// Why: whose session it is reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
