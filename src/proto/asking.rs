//! The JSON bodies of `/v1/requests`: asking for an approval, and answering.

use serde::{Deserialize, Serialize};

use super::name::{Login, Target};
use super::{Actions, ContainerId, RequestId};

/// `POST /v1/requests`: what an approval is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRequest {
    /// What the person typed; resolved among what the person may list.
    pub name: Target,
    /// The id, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerId>,
    /// Whether it is for all that the container's owner starts, and not for this container alone.
    #[serde(default)]
    pub replicas: bool,
    /// The Unix user inside.
    pub login: Login,
    /// What will be done.
    pub actions: Actions,
    /// Why: one line.
    pub reason: String,
    /// For how many seconds.
    pub seconds: u64,
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// It waits for an answer, or for one more.
    Open,
    /// It is approved and the time is not over.
    Approved,
    /// Somebody said no.
    Denied,
    /// It was approved, and that was taken back.
    Revoked,
    /// Who asked needs it no more.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
    /// It was approved, and the time is over.
    Over,
    /// A state of a newer version.
    #[serde(other)]
    Unknown,
}

impl RequestState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Revoked => "revoked",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Over => "over",
            Self::Unknown => "unknown",
        }
    }
}

/// The requests that concern the caller, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestList {
    /// One row each.
    pub requests: Vec<RequestRow>,
}

/// One request, as its viewer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// Its id.
    pub id: RequestId,
    /// Who asks: `name@idp`.
    pub user: String,
    /// Whether that is the viewer.
    pub mine: bool,
    /// Whether the viewer can answer it now.
    pub answerable: bool,
    /// The full name of the container.
    pub container: String,
    /// What it is meant for in words: this container alone, or all of an owner.
    pub scope: String,
    /// Where the container runs, in words.
    pub place: String,
    /// The Unix user inside.
    pub login: Login,
    /// What will be done.
    pub actions: Actions,
    /// Why, in the words of who asks.
    pub reason: String,
    /// For how many seconds from the approval on.
    pub seconds: u64,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it ends if nobody answers.
    pub expires_at: u64,
    /// How far it is.
    pub state: RequestState,
    /// Who has to approve still: groups with commas between them, a member of each entry.
    pub missing: Vec<String>,
    /// Who has approved: `name@idp`.
    pub approved_by: Vec<String>,
    /// Who denied it or took the approval back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_reason: Option<String>,
    /// Until when it is approved, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// `POST /v1/requests/ID/answer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestAnswer {
    /// Yes or no; no to an approved one takes the approval back.
    pub approve: bool,
    /// For at most so many seconds, where that is less than was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How long a request is answerable, in seconds.
pub const ANSWERABLE: u64 = 3600;

/// The longest time that can be asked for, in seconds.
pub const LONGEST: u64 = 24 * 3600;

/// For how many seconds a question about one request may wait for its answer (`?wait=`): less than what clients and proxies take for
/// a dead connection.
pub const WAIT: u64 = 12;

/// The most bytes of a reason.
pub const REASON: usize = 1000;
