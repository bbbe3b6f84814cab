//! Live sessions as an operator sees them.

use serde::{Deserialize, Serialize};

use crate::proto::id::Beginning;
use crate::proto::name::Login;
use crate::proto::{Actions, SessionId};

/// One live session of `GET /sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveSession {
    /// Its id, which the journal has too.
    pub id: SessionId,
    /// `name@idp`.
    pub user: String,
    /// The full name of its container.
    pub container: String,
    /// The Unix user inside.
    pub login: Login,
    /// What was granted.
    pub actions: Actions,
    /// The one command, if there was only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Why, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the client is.
    pub client_address: String,
    /// The name of the agent that serves it.
    pub agent: String,
    /// When it began, in seconds since 1970.
    pub started_at: u64,
    /// When it ends at the latest, in seconds since 1970.
    pub deadline: u64,
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
