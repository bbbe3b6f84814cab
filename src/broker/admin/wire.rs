//! The bodies that cross the administration socket, the same for both ends: JSON, one struct an operation.

mod ca;
mod sessions;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::broker::enrolment::Assertions;
use crate::broker::locks::Lock;
use crate::broker::policy::Finding;
use crate::proto::name::{Account, Login};
use crate::proto::{Action, Actions, AgentId, Secret};

pub use ca::{Authorities, Rotation};
pub use sessions::{EndSession, LiveSession};

/// `POST /users`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddUser {
    /// The name.
    pub name: Account,
    /// The groups, which policies can name.
    #[serde(default)]
    pub groups: Vec<Account>,
    /// The first password.
    pub password: Secret<String>,
}

/// One person of `GET /users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// The name.
    pub name: Account,
    /// The groups.
    pub groups: Vec<Account>,
}

/// `POST /users/{name}/groups`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetGroups {
    /// All groups from now on.
    pub groups: Vec<Account>,
}

/// `POST /users/{name}/password`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPassword {
    /// The new password.
    pub password: Secret<String>,
}

/// `POST /tokens/join`: what a join token is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinTokenSpec {
    /// How many agents may join with it.
    pub uses: u32,
    /// For how long.
    #[serde(with = "seconds")]
    pub ttl: Duration,
    /// What is fixed about their containers, which policies can rely on.
    #[serde(default)]
    pub asserts: Assertions,
}

/// `POST /tokens/user`: what a user token is worth; never more than its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserTokenSpec {
    /// Whose login it is.
    pub user: Account,
    /// For how long.
    #[serde(with = "seconds")]
    pub ttl: Duration,
    /// Only these actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Actions>,
    /// Only containers with such a name or app, `*` for any letters; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
}

/// `POST /locks`: what is to be locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockSpec {
    /// What it is on.
    pub wish: LockWish,
    /// For how long; for ever without this and `until`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_seconds")]
    pub lasts: Option<Duration>,
    /// Until when, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Why, for those who run into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What an operator wants locked, in an operator's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum LockWish {
    /// Every session.
    Everything,
    /// A person: a name of the directory, or NAME@IDP.
    User(Account),
    /// A Unix user inside.
    Login(Login),
    /// A container: an id, a name that is unique now, or a pattern with `*` for apps and full names.
    Container(String),
    /// An agent.
    Agent(AgentId),
}

/// What `POST /locks` has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeLock {
    /// The lock.
    pub lock: Lock,
    /// How many live sessions it ended.
    pub ended: usize,
    /// Whether it is on a provider's person who is not logged in now: the name may be misspelt, which only the provider can tell.
    #[serde(default)]
    pub nobody: bool,
}

/// What a new token's secret is, said once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MadeToken {
    /// The secret.
    pub token: Secret<String>,
}

/// One token of `GET /tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// `join` or `user`.
    pub kind: String,
    /// Whose login a user token is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Account>,
    /// How many agents may still join with a join token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<u32>,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it ends, in seconds since 1970.
    pub expires_at: u64,
    /// What a join token asserts.
    #[serde(flatten)]
    pub asserts: Assertions,
    /// What a user token may do; empty for all that its user may.
    #[serde(default, skip_serializing_if = "Actions::is_empty")]
    pub actions: Actions,
    /// Where a user token may do it; empty for everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
}

/// One agent of `GET /agents`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRow {
    /// Its id, derived from its key or from where it runs.
    pub id: AgentId,
    /// The name under which it enrolled.
    pub name: String,
    /// What its enrolment asserts.
    #[serde(flatten)]
    pub asserts: Assertions,
    /// In seconds since 1970.
    pub enrolled_at: u64,
    /// Whether it is connected now.
    pub connected: bool,
    /// How many containers it reports.
    pub containers: usize,
}

/// One cluster of `GET /clusters`, whose agent joins by its service account's token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRow {
    /// Its name.
    pub name: String,
    /// The service account of its agent: `NAMESPACE/NAME`.
    pub service_account: String,
    /// The namespaces that the agent may serve, as patterns.
    pub namespaces: Vec<String>,
    /// The broker, as agents reach it; their tokens' audience.
    pub broker: String,
    /// The fingerprint of the certificate authorities that agents pin.
    pub authorities: String,
    /// The fingerprint of the broker's private TLS root, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_root: Option<String>,
}

/// `POST /device/approve`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproveDevice {
    /// The code that the device shows.
    pub user_code: String,
    /// Who logs in with it.
    pub user: Account,
}

/// The question of `GET /audit/export`, in seconds since 1970.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportRange {
    /// Not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// What `POST /policy/reload` put in force.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PoliciesLoaded {
    /// The ids of the policies.
    pub policies: Vec<String>,
}

/// `POST /policy/explain`: what is to be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainSpec {
    /// A person of the directory, or `name@idp` of a provider or a job.
    pub user: Account,
    /// In these groups; without any in those of the directory or of the last login.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Account>,
    /// A container that is here: its name or its id.
    pub container: String,
    /// The action.
    pub action: Action,
    /// The Unix user inside.
    pub login: Login,
    /// The one command, if there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The reason that would be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether a second factor would just have been shown.
    #[serde(default)]
    pub mfa: bool,
    /// Where the person would be; this machine, if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// What is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// `name@idp`.
    pub user: String,
    /// The groups that policy sees.
    pub groups: Vec<Account>,
    /// The container's full name.
    pub container: String,
    /// The Unix user inside.
    pub login: Login,
    /// The action.
    pub action: Action,
    /// Whether the person sees the container, which everything else needs.
    pub list: Finding,
    /// Whether policy allows the action.
    pub finding: Finding,
    /// The lock that is on it, in the words that the person reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<String>,
    /// What of it the connector cannot do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unable: Option<String>,
}

/// A token's id: what it is called in lists and in the journal, worth nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(String);

/// The text is no token's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a token's id: 16 hexadecimal digits are expected, as `ztbroker token ls` shows them")]
pub struct InvalidTokenId;

impl TokenId {
    /// A new id: 64 bits, which never meet among the tokens of one broker.
    pub(super) fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 16 && digits { Ok(Self(text.to_owned())) } else { Err(InvalidTokenId) }
    }
}

impl TryFrom<String> for TokenId {
    type Error = InvalidTokenId;

    fn try_from(text: String) -> Result<Self, InvalidTokenId> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Durations as whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

/// Durations that may be missing.
mod maybe_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        duration.map(|duration| duration.as_secs()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_secs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_ids_read_back_and_nothing_else_does() {
        let id = TokenId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "0123456789abcde", "0123456789abcdeF", "../etc/passwd0000"] {
            assert_eq!(text.parse::<TokenId>(), Err(InvalidTokenId), "{text}");
        }
    }

    #[test]
    fn bodies_are_plain_json_and_show_no_password() {
        let spec: JoinTokenSpec = serde_json::from_str(r#"{"uses":3,"ttl":60}"#).unwrap();
        assert_eq!((spec.uses, spec.ttl), (3, Duration::from_secs(60)));
        let user: AddUser = serde_json::from_str(r#"{"name":"ada","password":"hunter2hunter2"}"#).unwrap();
        assert!(!format!("{user:?}").contains("hunter2"));
        assert!(serde_json::from_str::<AddUser>(r#"{"name":"ada","password":"x","root":true}"#).is_err());
    }
}
