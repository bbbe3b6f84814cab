//! A session that may begin, as the journal has it.

use serde::{Deserialize, Serialize};

use crate::proto::{Actions, AgentId, ContainerId, SessionId};

/// Everything about a session that may begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionAuthorised {
    /// The session.
    pub session: SessionId,
    /// `name@idp`.
    pub user: String,
    /// The groups that policy saw.
    pub groups: Vec<String>,
    /// The container.
    pub container: ContainerId,
    /// Its whole name.
    pub container_name: String,
    /// The agent that serves it.
    pub agent: AgentId,
    /// The Unix user inside.
    pub login: String,
    /// What may be done.
    pub actions: Actions,
    /// The one command, if policy saw one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Why, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the client is.
    pub client_address: String,
    /// When this person last showed a second factor in this login, in seconds since 1970, where that was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_at: Option<u64>,
    /// The policies that decided.
    pub policies: Vec<String>,
    /// After how many seconds without anything happening the session ends, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// The environment variables that the client may set, each a name or its beginning and a `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The requests whose approvals it stands on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<String>,
    /// The certificate's serial.
    pub serial: u64,
    /// The certificate's key id.
    pub key_id: String,
    /// When the session ends at the latest, in seconds since 1970.
    pub deadline: u64,
}
