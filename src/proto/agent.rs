//! The agent's protocol: two kinds of connections, both opened by the agent, both authenticated by its key.
//!
//! ```text
//! GET /v1/agent/control   Upgrade: ztctl-agent/1      one, for as long as the agent lives
//! GET /v1/agent/data      Upgrade: ztctl-agent/1      one parked at any time; each becomes one session's link
//!
//!   broker → agent   Challenge {protocol, nonce, time}
//!   agent → broker   Hello {protocol, public_key, signature, join? or workload?, …}
//!   broker → agent   Answer::Welcome {agent, name, ca}  or  Answer::Refused {code, message}
//!   control:         FromAgent … / FromBroker …  until either side closes
//!   data:            ToParked::Ping / FromParked::Pong …, then ToParked::Start {…}, FromParked::Ready, raw bytes both ways
//! ```
//!
//! The signature is an SSHSIG (namespace [`SIGNATURE_NAMESPACE`]) over [`signed_bytes`]: the nonce and the kind of connection, so
//! that an answer for one can never be used for the other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ca::{CaSet, Chain};
pub use super::container::{
    Capabilities, Cleanup, ContainerReport, Facts, LABELS, PAUSED, RESTARTING, RUNNING, TERMINATING, invisible, label_fits,
};
use super::name::Login;
use super::{AgentId, ContainerId, ErrorBody, Secret, SessionId};

/// The most bytes of a frame on an agent's connections, either way. A snapshot that does not fit is sent in parts.
pub const FRAME_LIMIT: usize = 256 * 1024;

/// The most bytes of a frame before the other side has proved who it is.
pub const HELLO_LIMIT: usize = 16 * 1024;

/// The most bytes of the broker's answer, which may have to tell an agent that was away of many rotations.
pub const ANSWER_LIMIT: usize = 64 * 1024;

/// How long either side waits for the other's part of the opening.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the broker pings a control connection. A dead agent must leave the list within ten seconds, so a control
/// connection is asked every three and given up after [`CONTROL_SILENCE`].
pub const CONTROL_PING: Duration = Duration::from_secs(3);

/// How long a control connection may be silent, seen from either side: two pings lost and two seconds for the third.
pub const CONTROL_SILENCE: Duration = Duration::from_secs(8);

/// How often a parked connection and a live link are kept alive: load balancers cut at 60 s of silence.
pub const PARKED_PING: Duration = Duration::from_secs(20);

/// How long an agent waits for a session's announcement when its data connection has come first.
pub const ANNOUNCE_TIMEOUT: Duration = Duration::from_secs(5);

/// The SSHSIG namespace of an agent's proofs.
pub const SIGNATURE_NAMESPACE: &str = "agent@ztctl";

/// The kind of connection that an agent opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Registry up; announcements, cuts and acknowledgements down.
    Control,
    /// Parked until it carries one session.
    Data,
}

impl Kind {
    /// The path that opens it.
    pub fn path(self) -> &'static str {
        match self {
            Self::Control => "/v1/agent/control",
            Self::Data => "/v1/agent/data",
        }
    }
}

/// What an agent signs: the kind of the connection and the broker's nonce for it.
pub fn signed_bytes(kind: Kind, nonce: &str) -> Vec<u8> {
    format!("{} {nonce}", kind.path()).into_bytes()
}

/// The broker's first frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Challenge {
    /// The newest protocol that the broker speaks.
    pub protocol: u32,
    /// 256 random bits in hexadecimal, for this connection only.
    pub nonce: String,
    /// The broker's clock, in seconds since 1970.
    pub time: u64,
}

/// The agent's first frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// The newest protocol that the agent speaks.
    pub protocol: u32,
    /// The agent's version, for people.
    pub version: String,
    /// The agent's key, as an OpenSSH line: its identity and the key of its hosts' certificates.
    pub public_key: String,
    /// The SSHSIG in PEM over [`signed_bytes`].
    pub signature: String,
    /// What the agent calls itself (its host name); the broker makes it harmless.
    pub name: String,
    /// The agent's clock, in seconds since 1970.
    pub time: u64,
    /// The join token's secret, while the key is not enrolled yet. Only on a control connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Secret<String>>,
    /// Where the agent runs, in place of an enrolled key. On every control connection, and on no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// The fingerprint of the authorities that the agent trusts. Who says it follows their statements, and is told them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// The proof of a pod that it runs as a service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Workload {
    /// The cluster, as the broker's operator calls it.
    pub cluster: String,
    /// The token that the cluster has made for the broker, a JWT.
    pub token: Secret<String>,
}

/// The broker's answer to [`Hello`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Answer {
    /// The agent is who it says.
    Welcome {
        /// The agent's id.
        agent: AgentId,
        /// What users see it called.
        name: String,
        /// The authorities to trust. The agent refuses a set that is not the pinned one, and to which no statement leads from it.
        ca: CaSet,
        /// What leads to them from what the agent has said that it trusts. Only for an agent that has, and where it is not the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chain: Option<Chain>,
        /// The protocol that both speak from here on.
        protocol: u32,
    },
    /// It is not, and why.
    Refused(ErrorBody),
}

/// What an agent says on its control connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// All that the agent serves, in one or more parts; what an earlier snapshot had and this one has not is gone.
    Snapshot {
        /// This part's containers.
        containers: Vec<ContainerReport>,
        /// Whether another part follows.
        more: bool,
    },
    /// A container that started or changed.
    Upsert {
        /// The whole of what is known about it.
        container: Box<ContainerReport>,
    },
    /// A container that is gone.
    Remove {
        /// The runtime's own id for it.
        runtime_id: String,
    },
    /// Answers [`FromBroker::Ping`].
    Pong {
        /// The agent's clock, in seconds since 1970.
        time: u64,
    },
    /// Asks for leave to run a channel that was not declared at connect; the broker writes it down first.
    Channel {
        /// The agent's number for the question.
        request: u64,
        /// The session that it belongs to.
        session: SessionId,
        /// What it is.
        channel: ChannelReport,
    },
    /// A session is over, as seen from the container, and what it started is gone or could not be ended.
    Ended {
        /// Which.
        session: SessionId,
        /// Why.
        outcome: Outcome,
    },
    /// From now on the agent trusts other authorities than it has said before. Only to a broker that has told of them.
    Trusts {
        /// Their fingerprint.
        ca: String,
    },
}

/// A channel of a session, for the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelReport {
    /// An interactive shell.
    Shell,
    /// One command, as its bytes in lossy UTF-8, cut at 4 KiB.
    Exec {
        /// The command.
        command: String,
    },
    /// What the container has written to its outputs.
    Logs,
    /// Files, by SFTP.
    Copy,
    /// A connection from inside the container.
    Forward {
        /// Where to: a name or an address, as it is understood there.
        host: String,
        /// The port.
        port: u16,
    },
    /// A port inside the container whose connections come to the client.
    Listen {
        /// The address, inside.
        host: String,
        /// The port; 0 for any.
        port: u16,
    },
}

/// How a session ended, as seen from the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// The last process exited with this status.
    Exited {
        /// 0 to 255.
        status: u32,
    },
    /// A signal ended it.
    Signalled {
        /// The signal's name without `SIG`: `TERM`.
        signal: String,
    },
    /// The client went away.
    Disconnected,
    /// The deadline came.
    Deadline,
    /// The broker cut it.
    Cut,
    /// Nothing happened in it for as long as policy bears. Only of a session whose certificate says so.
    Idle,
    /// The container stopped.
    ContainerEnded,
    /// Nobody knows: the broker that carried it ended before it did.
    Unknown,
    /// The SSH handshake was refused, and why.
    Refused {
        /// The check that failed.
        why: String,
    },
}

/// What the broker says on a control connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromBroker {
    /// Are you there?
    Ping,
    /// A session will come on a data connection: only then may its certificate be used, and once.
    Announce(Announcement),
    /// Sessions of this agent of whose end it has not told: what is left of those that it does not know is to be ended, and told
    /// by [`FromAgent::Ended`]. The agent may have been started anew since.
    Sweep {
        /// Which, each with the runtime's id of its container.
        sessions: Vec<(SessionId, String)>,
    },
    /// End a session now.
    Cut {
        /// Which.
        session: SessionId,
        /// What to tell the user: one sentence without a period.
        reason: String,
    },
    /// The authorities have changed; the agent follows and answers by [`FromAgent::Trusts`]. Only to an agent that has said whom it
    /// trusts.
    Authorities {
        /// What leads to them.
        chain: Chain,
    },
    /// Answers [`FromAgent::Channel`]: it is written down, the channel may run; or it may not, and why.
    Acknowledge {
        /// The agent's number.
        request: u64,
        /// Why not, when it may not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<String>,
    },
}

/// A session that the broker has authorised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The session.
    pub session: SessionId,
    /// The container that it is for.
    pub container: ContainerId,
    /// The Unix user inside.
    pub login: Login,
    /// Who, as `name@idp`: for the agent's log and the session's environment.
    pub user: String,
    /// What was declared at connect, and is already written down.
    pub declared: Vec<ChannelReport>,
    /// When it ends at the latest, in seconds since 1970.
    pub deadline: u64,
}

/// What the broker says on a parked connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToParked {
    /// Are you there?
    Ping,
    /// This connection is now the link of a session.
    Start(LinkHeader),
}

/// What the agent says on a parked connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromParked {
    /// Answers [`ToParked::Ping`].
    Pong,
    /// Answers [`ToParked::Start`]: what follows is SSH.
    Ready,
}

/// What a link starts with, at the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkHeader {
    /// The session.
    pub session: SessionId,
    /// The container; the certificate must agree.
    pub container: ContainerId,
    /// The host certificate to present, as an OpenSSH line.
    pub host_certificate: String,
    /// Where the client is, as the broker sees it.
    pub client_address: String,
}
