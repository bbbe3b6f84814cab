//! What is written down of requests for approvals, of their answers, and of doing without.

use serde::{Deserialize, Serialize};

use crate::proto::{Actions, ContainerId, RequestId, SessionId};

/// Everything about a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestMade {
    /// The request.
    pub request: RequestId,
    /// Who asks: `name@idp`.
    pub user: String,
    /// The container that it was made for.
    pub container: ContainerId,
    /// Its whole name.
    pub container_name: String,
    /// What else it is for, in words.
    pub scope: String,
    /// The Unix user inside.
    pub login: String,
    /// What is to be done.
    pub actions: Actions,
    /// Why, in the user's words.
    pub reason: String,
    /// For how many seconds from the approval on.
    pub seconds: u64,
    /// Who has to approve, one of each entry: groups with commas between them.
    pub approvers: Vec<String>,
    /// Where the request came from.
    pub client_address: String,
}

/// Everything about a request that was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRefused {
    /// Who asked: `name@idp`.
    pub user: String,
    /// What was typed for the container.
    pub as_typed: String,
    /// The Unix user inside.
    pub login: String,
    /// What was asked for.
    pub actions: Actions,
    /// The error code of the answer.
    pub code: String,
    /// The policies that decided, if any did.
    pub policies: Vec<String>,
    /// Where the request came from.
    pub client_address: String,
}

/// A request that its user took back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestWithdrawn {
    /// The request.
    pub request: RequestId,
    /// Who asked: `name@idp`.
    pub user: String,
    /// Where that came from.
    pub client_address: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestAnswered {
    /// The request.
    pub request: RequestId,
    /// Who asked: `name@idp`.
    pub user: String,
    /// `approved`, `denied`, or `revoked` where an approval was taken back.
    pub answer: String,
    /// Who answered: `name@idp`.
    pub by: String,
    /// The groups of who answered.
    pub groups: Vec<String>,
    /// For how many seconds at the most, where it is a yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why, in the words of who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the answer came from.
    pub client_address: String,
}

/// A session that begins without an approval that policy asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// The session.
    pub session: SessionId,
    /// Who: `name@idp`.
    pub user: String,
    /// The container.
    pub container: ContainerId,
    /// Its whole name.
    pub container_name: String,
    /// The Unix user inside.
    pub login: String,
    /// What may be done.
    pub actions: Actions,
    /// Why, in the user's words.
    pub reason: String,
    /// Who would have had to approve, one of each entry: groups with commas between them.
    pub approvers: Vec<String>,
    /// Where the client is.
    pub client_address: String,
    /// When the session ends at the latest, in seconds since 1970.
    pub deadline: u64,
}
