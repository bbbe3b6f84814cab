//! The audit events: what is written down, one variant each, the same words in the journal, the index and the reports.
//!
//! Text that a person, a workload or an agent chose is cut where an event is appended (`bounds`); JSON escapes the rest.

mod about;

use serde::{Deserialize, Serialize};

use super::SessionAuthorised;
use super::asking::{BreakGlass, RequestAnswered, RequestMade, RequestRefused, RequestWithdrawn};
use super::checkpoint::Checkpoint;
use crate::proto::agent::{ChannelReport, Outcome};
use crate::proto::{Actions, AgentId, ContainerId, SessionId};

/// One thing that happened. In the journal it lies flat beside `seq`, `time`, `prev` and `hash`, with its name in `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The broker began to serve.
    BrokerStarted {
        /// The program's version.
        version: String,
    },
    /// The broker ended in order.
    BrokerStopped {},
    /// Something that the broker had was not there at its start, and was made anew.
    MadeAnew {
        /// `ca`, `database` or `checkpoint-key`.
        what: String,
    },
    /// The last run ended in the middle of a line, which was cut off.
    JournalRepaired {
        /// The bytes of the half line.
        removed_bytes: u64,
    },
    /// Everything up to here is as it was written, signed by the journal's key.
    Checkpoint(Checkpoint),
    /// A part of the journal was handed out.
    AuditExported {
        /// Not before this time, in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<u64>,
        /// Before this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// Which operator: `operator (uid N)`.
        by: String,
    },
    /// A policy set took effect.
    PolicyLoaded {
        /// The ids of its policies.
        policies: Vec<String>,
        /// Which operator: `operator (uid N)`, or `broker` at its start and where the files have changed.
        #[serde(default)]
        by: String,
    },
    /// A policy set was refused; the last good one stays.
    PolicyRefused {
        /// What is wrong with it.
        error: String,
        /// Which operator: `operator (uid N)`, or `broker`.
        #[serde(default)]
        by: String,
    },
    /// A user logged in.
    Login {
        /// `name@idp`.
        user: String,
        /// `browser`, `device` or `job`.
        method: String,
        /// Where the request came from.
        client_address: String,
        /// Of a job: what its platform calls it, by the token's `sub`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
    },
    /// A log-in was refused.
    LoginFailed {
        /// The name as it was typed.
        user: String,
        /// Where the request came from.
        client_address: String,
        /// Why.
        why: String,
    },
    /// A refresh token that was already replaced was used again: the login ended.
    RefreshReuse {
        /// `name@idp`.
        user: String,
        /// Where the request came from.
        client_address: String,
    },
    /// A token was presented without the key that it is bound to: whoever did has a copy, or changed a request on its way. It was
    /// refused, and the login goes on.
    TokenMisused {
        /// `name@idp`, whose token it is.
        user: String,
        /// `access`, `refresh`, or `code` for an authorization code.
        token: String,
        /// What was wrong.
        why: String,
        /// Where the request came from.
        client_address: String,
    },
    /// A login ended by its owner.
    Logout {
        /// `name@idp`.
        user: String,
    },
    /// A login ended because its identity provider does not stand by the person any more.
    LoginEnded {
        /// `name@idp`.
        user: String,
        /// Why.
        why: String,
    },
    /// An administrator's approval of a device code.
    DeviceApproved {
        /// `name@idp`.
        user: String,
        /// Which operator: `operator (uid N)`.
        #[serde(default)]
        by: String,
    },
    /// A user was added.
    UserAdded {
        /// The name.
        user: String,
        /// Its groups.
        groups: Vec<String>,
        /// Which operator: `operator (uid N)`.
        #[serde(default)]
        by: String,
    },
    /// A user was put into other groups.
    GroupsSet {
        /// The name.
        user: String,
        /// All groups from now on.
        groups: Vec<String>,
        /// Which operator: `operator (uid N)`.
        by: String,
    },
    /// A user was removed, with all logins.
    UserRemoved {
        /// The name.
        user: String,
        /// Which operator: `operator (uid N)`.
        #[serde(default)]
        by: String,
    },
    /// A user's password was set.
    PasswordSet {
        /// The name.
        user: String,
        /// Which operator: `operator (uid N)`.
        #[serde(default)]
        by: String,
    },
    /// A user has set up a second factor.
    TotpEnrolled {
        /// `name@idp`.
        user: String,
        /// Where the request came from.
        client_address: String,
    },
    /// A second factor was taken away.
    TotpRemoved {
        /// `name@idp`.
        user: String,
        /// The user, or which operator: `operator (uid N)`.
        by: String,
    },
    /// A user has had new recovery codes made, in place of those that were left.
    RecoveryCodesMade {
        /// `name@idp`.
        user: String,
        /// Where the request came from.
        client_address: String,
    },
    /// A recovery code was used up.
    RecoveryCodeUsed {
        /// `name@idp`.
        user: String,
        /// Where the request came from.
        client_address: String,
        /// How many are left.
        left: u64,
    },
    /// A user has shown a second factor: at a login, or because a policy asks for it.
    MfaShown {
        /// `name@idp`.
        user: String,
        /// Where the request came from.
        client_address: String,
        /// `totp` or `recovery_code`.
        method: String,
    },
    /// A second factor was wrong, or used before.
    MfaFailed {
        /// `name@idp`.
        user: String,
        /// Where the request came from.
        client_address: String,
    },
    /// A join token or a user token was made.
    TokenCreated {
        /// Its id, which is not its secret.
        token: String,
        /// `join` or `user`.
        kind: String,
        /// What it is worth, in words.
        scope: String,
        /// Which operator: `operator (uid N)`.
        #[serde(default)]
        by: String,
    },
    /// A token was revoked.
    TokenRevoked {
        /// Its id.
        token: String,
        /// Which operator: `operator (uid N)`.
        #[serde(default)]
        by: String,
    },
    /// Something was locked: no session of it begins, and those that were open ended.
    LockAdded {
        /// The lock's id.
        lock: String,
        /// What is locked: `everything`, `user ada@local`, `login root`, `container ID`, `containers PATTERN`, `agent ID`.
        target: String,
        /// Why, in the operator's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// When it ends by itself, in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// Which operator: `operator (uid N)`.
        by: String,
    },
    /// A lock was removed.
    LockRemoved {
        /// The lock's id.
        lock: String,
        /// What was locked.
        target: String,
        /// Which operator: `operator (uid N)`.
        by: String,
    },
    /// New keys became certificate authorities.
    CaRotated {
        /// The number of the change.
        sequence: u64,
        /// The fingerprint of the set from now on.
        ca: String,
        /// The fingerprints of the new keys.
        added: Vec<String>,
        /// The fingerprints of the keys that left at once.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<String>,
        /// When the old keys leave, in seconds since 1970, where they did not at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
        /// Which operator: `operator (uid N)`.
        by: String,
    },
    /// A rotation ended: the old keys are deleted, and nobody trusts them any more.
    CaRotationFinished {
        /// The fingerprints of the keys that left.
        removed: Vec<String>,
        /// Which operator: `operator (uid N)`, or `broker` where the time had come.
        by: String,
    },
    /// What an earlier event tells of did not happen, or not as a whole.
    NotDone {
        /// The `seq` of that event.
        what: u64,
        /// Why.
        why: String,
        /// Which operator: `operator (uid N)`, or `broker`.
        by: String,
    },
    /// An agent enrolled with a join token, or has proved which service account it is.
    AgentJoined {
        /// The agent.
        agent: AgentId,
        /// What it is called.
        name: String,
        /// Where it called from.
        address: String,
        /// The service account and the pod, of an agent that joined by them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    /// An agent was turned away.
    AgentRefused {
        /// What it calls itself.
        name: String,
        /// Where it called from.
        address: String,
        /// Why.
        why: String,
    },
    /// An agent's control connection came up.
    AgentConnected {
        /// The agent.
        agent: AgentId,
        /// What it is called.
        name: String,
        /// Its version.
        version: String,
        /// Where it called from.
        address: String,
    },
    /// An agent reported a container that its enrolment does not allow; it is not in the list.
    AgentOverstepped {
        /// The agent.
        agent: AgentId,
        /// What it is called.
        name: String,
        /// What it reported.
        what: String,
    },
    /// An agent's control connection ended.
    AgentGone {
        /// The agent.
        agent: AgentId,
        /// What it is called.
        name: String,
        /// Why.
        why: String,
    },
    /// An agent's enrolment was removed.
    AgentRemoved {
        /// The agent.
        agent: AgentId,
        /// Which operator: `operator (uid N)`.
        #[serde(default)]
        by: String,
    },
    /// A session may begin; its certificate is signed after this is on disk.
    SessionAuthorised(Box<SessionAuthorised>),
    /// An operator ended a session; how it ended follows.
    SessionCut {
        /// The session.
        session: SessionId,
        /// `name@idp`, whose it was.
        user: String,
        /// Why, in the operator's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Which operator: `operator (uid N)`.
        by: String,
    },
    /// A session was refused.
    SessionDenied {
        /// `name@idp`.
        user: String,
        /// What was typed for the container.
        as_typed: String,
        /// The container, where there was one that the user may list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<ContainerId>,
        /// The Unix user inside.
        login: String,
        /// What was asked for.
        actions: Actions,
        /// The error code of the answer.
        code: String,
        /// The policies that decided, if any did.
        policies: Vec<String>,
        /// Where the request came from.
        client_address: String,
    },
    /// Somebody asks for an approval.
    RequestMade(Box<RequestMade>),
    /// A request for an approval was refused.
    RequestRefused(Box<RequestRefused>),
    /// A request was answered, or an approval taken back. An answer that came too late is here and changes nothing.
    RequestAnswered(Box<RequestAnswered>),
    /// Who asked took the request, or the approval, back.
    RequestWithdrawn(RequestWithdrawn),
    /// A session begins without an approval that policy asks for: an alarm.
    BreakGlass(Box<BreakGlass>),
    /// A channel of a session began, beside the one that `session_authorised` tells of.
    ChannelOpened {
        /// The session.
        session: SessionId,
        /// What it is.
        channel: ChannelReport,
    },
    /// A session is over.
    SessionEnded {
        /// The session.
        session: SessionId,
        /// `name@idp`.
        user: String,
        /// The container.
        container: ContainerId,
        /// How it ended.
        outcome: Outcome,
        /// Why it was ended, where it did not end by itself: what its user read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Bytes from the client to the container, as the relay saw them.
        bytes_in: u64,
        /// Bytes from the container to the client.
        bytes_out: u64,
        /// How long it lasted.
        seconds: u64,
    },
    /// An event of a newer version.
    #[serde(other)]
    Unknown,
}
