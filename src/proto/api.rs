//! The client's protocol: the bodies of `/v1/…`, all JSON.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/ca` | [`CaOffer`](super::ca::CaOffer); needs no token |
//! | `GET /v1/whoami` | [`Whoami`] |
//! | `GET /v1/containers` | [`ContainerList`] |
//! | `GET /v1/why/NAME/LOGIN` | [`Why`] |
//! | `GET /v1/sessions` | [`SessionList`] |
//! | `DELETE /v1/sessions/ID` | 204 |
//! | `POST /v1/mfa` with [`Code`](mfa::Code) | [`MfaShown`](mfa::MfaShown) |
//! | `GET /v1/totp` | [`TotpStatus`](mfa::TotpStatus) |
//! | `POST /v1/totp` | [`TotpBegun`](mfa::TotpBegun) |
//! | `POST /v1/totp/confirm` with [`Code`](mfa::Code) | [`RecoveryCodes`](mfa::RecoveryCodes) |
//! | `POST /v1/totp/recovery-codes` with [`Code`](mfa::Code) | [`RecoveryCodes`](mfa::RecoveryCodes) |
//! | `POST /v1/totp/remove` with [`Code`](mfa::Code) | 204 |
//! | `GET /v1/connect` with [`CONNECT_HEADER`] and `Upgrade` | 101, one frame [`ConnectReply`], raw bytes to the agent |
//!
//! Every refusal is a 4xx or 5xx with an [`ErrorBody`](super::ErrorBody). Login is OAuth 2 (`/oauth/…`), by its RFCs.

pub mod mfa;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::container::{Capabilities, Facts};
use super::name::{Login, Target};
use super::{Action, Actions, ContainerId, SessionId, Textual};

/// Who the token speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whoami {
    /// `name@idp`, the whole name of the user: `ada@local`.
    pub user: String,
    /// The groups that policy sees.
    pub groups: Vec<String>,
    /// When the login ends, in seconds since 1970, if it does.
    pub expires_at: Option<u64>,
    /// What the token is limited to, in words, if it is narrower than the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_to: Option<String>,
    /// When a second factor was last shown in this login, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_at: Option<u64>,
}

/// The containers that the user may list, sorted by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de> + Ord + Default"))]
pub struct ContainerList<S = String> {
    /// One row each.
    pub containers: Vec<ContainerRow<S>>,
    /// Whether some may be missing: the broker has just started, and not every agent is back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

/// One container, as its viewer sees it. Where thousands are only looked at, `S` is a [`Text`](super::Text) of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de> + Ord + Default"))]
pub struct ContainerRow<S = String> {
    /// The whole id.
    pub id: ContainerId,
    /// The shortest unique name for this viewer: `tomcat-7f9`.
    pub name: S,
    /// The name that stays unique: `tomcat-7f9c01ab34de`.
    pub full_name: S,
    /// What it is a replica of: `tomcat`.
    pub app: S,
    /// The image, as the runtime names it; empty where there is none.
    pub image: S,
    /// Where it runs: a host, or cluster and namespace, in words.
    pub location: S,
    /// What the runtime says: `running`, `paused` …
    pub state: S,
    /// When it started, in seconds since 1970.
    pub started_at: u64,
    /// The name of the agent that serves it.
    pub agent: S,
    /// The labels that the workload claims.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<S, S>,
    /// The cluster that the agent's enrolment asserts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<S>,
    /// The namespace, of those that the agent's enrolment allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<S>,
    /// `process`, `host`, `docker` or `kubernetes`.
    #[serde(default)]
    pub runtime: S,
    /// What else the runtime knows.
    #[serde(flatten)]
    pub facts: Facts<S>,
    /// What its connector can do for it.
    #[serde(default)]
    pub capabilities: Capabilities,
}

impl<S: Textual> ContainerRow<S> {
    /// The state in words, the health with it where that is worth a word: `running (unhealthy)`.
    pub fn condition(&self) -> Cow<'_, str> {
        let state = self.state.as_ref();
        match self.facts.health.as_ref().map(S::as_ref) {
            Some(health) if !matches!(health, "healthy" | "ready") => format!("{state} ({health})").into(),
            _ => state.into(),
        }
    }
}

/// The header with which the broker tells the number of its last [`Statement`](super::ca::Statement), once there is one. Only a hint to
/// ask `/v1/ca`.
pub const CA_HEADER: &str = "ztctl-ca";

/// The header that carries a [`ConnectRequest`]: base64url without padding of its JSON.
pub const CONNECT_HEADER: &str = "ztctl-connect";

/// The most bytes of a connect request's JSON. Proxies commonly allow 8 KiB for one header; base64 adds a third.
pub const CONNECT_LIMIT: usize = 4096;

/// What a client asks for when it connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectRequest {
    /// What the person typed; the broker resolves it among what the user may see, and the host certificate names it.
    pub as_typed: Target,
    /// The id, where the client knows it (it was picked from a list): then `as_typed` must mean this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerId>,
    /// The Unix user inside.
    pub login: Login,
    /// The key that was made for this session, as an OpenSSH line.
    pub public_key: String,
    /// What will be done; all must be allowed.
    pub actions: Actions,
    /// What may be done beside it: those of these that are not allowed, or that the container cannot serve, are left out. There has to be
    /// something left of both. Stock `ssh` does not say beforehand what it will do.
    #[serde(default, skip_serializing_if = "Actions::is_empty")]
    pub optional: Actions,
    /// The one command that will run, as the SSH `exec` request has it; it becomes the certificate's `force-command`. Left
    /// out when there is none or when it does not fit: then the channel's own audit event tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Why, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether to begin without an approval that is missing, where policy allows that, for an alarm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// The link protocols that the client speaks, most liked first.
    pub link: Vec<String>,
    /// The number of the statement to which the client has followed the certificate authorities, if it knows statements: the host
    /// certificate is by an authority that it trusts, as long as one of them is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<u64>,
}

/// The link protocol of version 1: after the frame, the agent's SSH bytes and nothing else.
pub const LINK_RAW: &str = "raw1";

/// The most bytes of a [`ConnectReply`] frame.
pub const REPLY_LIMIT: usize = 16 * 1024;

/// What makes two containers successors of each other: the same owner in the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What starts another one in its place; nothing where nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The agent, which tells the place where there is no cluster.
    pub agent: String,
    /// When this one started, in seconds since 1970.
    pub started_at: u64,
}

impl Origin {
    /// Whether `row` was started after this one by the same owner.
    pub fn is_before(&self, row: &ContainerRow) -> bool {
        let same_place = match &self.cluster {
            Some(_) => row.cluster == self.cluster,
            None => row.cluster.is_none() && row.agent == self.agent,
        };
        let same_owner = self.owner.is_some() && row.facts.owner == self.owner;
        same_owner && same_place && row.namespace == self.namespace && row.started_at > self.started_at
    }
}

/// The frame that opens a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectReply {
    /// The session's id, which the certificate names too.
    pub session: SessionId,
    /// The user certificate, as an OpenSSH line.
    pub certificate: String,
    /// The container's id: the principal that the host certificate must carry beside the typed name.
    pub host_principal: ContainerId,
    /// The name of the container for this viewer, for messages.
    pub name: String,
    /// Where another one will be looked for when this one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// When the session ends at the latest, in seconds since 1970.
    pub deadline: u64,
    /// The link protocol that follows.
    pub link: String,
}

/// What the caller may do with one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The container's name for this viewer.
    pub name: String,
    /// The Unix user inside that was asked about.
    pub login: Login,
    /// One verdict for each action but `list`.
    pub verdicts: Vec<Verdict>,
}

/// Whether one action is allowed, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The action.
    pub action: Action,
    /// Whether it would be granted now.
    pub allowed: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The policies that allow it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Whether a reason has to be given.
    #[serde(default)]
    pub reason_required: bool,
    /// Whether a second factor has to be shown first.
    #[serde(default)]
    pub mfa_required: bool,
    /// The longest session, in seconds, where it is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_session: Option<u64>,
    /// After how many seconds without anything happening the session ends, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// The environment variables that may be set beside those of the terminal, each a name or its beginning and a `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Who has to approve before: a member of one of the groups that have commas between them, and one of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approval: Vec<String>,
    /// Whether all of them have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// Whether it may be done without, for an alarm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
}

/// The caller's own live sessions, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// One row each.
    pub sessions: Vec<SessionRow>,
}

/// One live session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its id, which the audit has too.
    pub id: SessionId,
    /// The full name of its container.
    pub container: String,
    /// The Unix user inside.
    pub login: Login,
    /// What was granted.
    pub actions: Actions,
    /// Where the client is, as the broker sees it.
    pub client_address: String,
    /// When it began, in seconds since 1970.
    pub started_at: u64,
    /// When it ends at the latest, in seconds since 1970.
    pub deadline: u64,
}

#[cfg(test)]
impl ContainerRow {
    /// A row as tests need one.
    pub(crate) fn example(app: &str) -> Self {
        Self {
            id: ContainerId::derived(&[app.as_bytes()]),
            name: format!("{app}-7f9"),
            full_name: format!("{app}-7f9c01ab34de"),
            app: app.to_owned(),
            image: String::new(),
            location: "node-1".to_owned(),
            state: "running".to_owned(),
            started_at: 0,
            agent: "agent".to_owned(),
            labels: BTreeMap::new(),
            cluster: None,
            namespace: None,
            runtime: "docker".to_owned(),
            facts: Facts::default(),
            capabilities: Capabilities::default(),
        }
    }
}
