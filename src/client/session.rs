//! One session: authorised by the broker in one round trip, then SSH end to end with the container's agent.
//!
//! The key is made here, for this session, and never leaves the process. The host is accepted by a valid certificate for the
//! container that was asked for, signed by a pinned authority, and in no other way.
//!
//! | module | owns |
//! | --- | --- |
//! | [`host`] | who may be at the other end |
//! | [`shell`] | an interactive session at this terminal |
//! | [`exec`] | one command with this process's streams |
//! | `files` | its files |
//! | [`forward`] | connections through it |
//! | [`ending`] | what the other side says about its end, and the exit status |
//! | `throttle`, `input`, `output` | the local streams, without blocking and without bound |

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::ssh_key::Certificate;
use russh::{Channel, Disconnect};

use super::api::{Api, ApiError, Link};
use crate::clock::Clock;
use crate::proto::api::{CONNECT_LIMIT, ConnectReply, ConnectRequest, LINK_RAW, Origin};
use crate::proto::name::{Login, Target};
use crate::proto::{Actions, ContainerId, SessionId};
use crate::ssh::cert::Refusal;
use crate::ssh::cert::host::HostCertificate;
use crate::ssh::{Authorities, PrivateKey, algorithms, new_key, public_line};

pub mod ending;
pub mod exec;
mod files;
pub mod forward;
pub mod host;
mod input;
mod output;
pub mod shell;
mod throttle;

use host::{Farewell, Host, Routes};
use throttle::{Throttle, Throttled};

/// What is asked of the broker.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the person typed, or the name of the row that was picked.
    pub as_typed: Target,
    /// The container, where it is known because it was picked: no other will do.
    pub container: Option<ContainerId>,
    /// The Unix user inside.
    pub login: Login,
    /// What will be done.
    pub actions: Actions,
    /// What will be done beside it, as far as it is allowed.
    pub optional: Actions,
    /// The one command that will run, as it goes over the wire.
    pub command: Option<Vec<u8>>,
    /// Why.
    pub reason: Option<String>,
}

/// Why there is no session, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The broker refused, or could not be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// This machine has no randomness to make a key of.
    #[error("no key can be made on this machine")]
    Key,
    /// The broker's reply makes no sense.
    #[error("the broker's reply cannot be used: {0}")]
    Reply(&'static str),
    /// The broker connected another container than the one that was picked.
    #[error("the broker offers container {offered} where {picked} was picked")]
    OtherContainer {
        /// What was picked.
        picked: ContainerId,
        /// What the broker offers.
        offered: ContainerId,
    },
    /// What answers could not prove that it is the container: somebody is in between, or the authority is not the pinned one.
    #[error("what answers is not proven to be {name}: {cause}")]
    HostNotProven {
        /// The container that was asked for.
        name: String,
        /// What is wrong with the proof.
        cause: HostCause,
    },
    /// The host's certificate is not valid at the time that it is here.
    #[error("the clock here is {} seconds {} the broker's", seconds.unsigned_abs(), if *seconds < 0 { "behind" } else { "ahead of" })]
    Clock {
        /// How far the clock here is ahead of the certificate's window; negative when it is behind.
        seconds: i64,
    },
    /// The agent does not take the certificate.
    #[error("the agent of {name} refused the certificate")]
    AgentRefused {
        /// The container.
        name: String,
    },
    /// The agent does not do what it was asked within the session.
    #[error("the agent of {name} refused {what}")]
    RequestRefused {
        /// The container.
        name: String,
        /// `a terminal`, `the shell`, `the command`.
        what: &'static str,
    },
    /// The container's files cannot be served.
    #[error("the files of {name} cannot be reached: {reason}")]
    FilesRefused {
        /// The container.
        name: String,
        /// Why, in the other side's words.
        reason: String,
    },
    /// The agent did not finish the opening in time.
    #[error("{name} did not answer within {} seconds", OPENING.as_secs())]
    Timeout {
        /// The container.
        name: String,
    },
    /// The link broke, or nothing came through it any more.
    #[error("the connection to {name} was lost")]
    Lost {
        /// The container.
        name: String,
    },
    /// The session was ended on purpose: its deadline came, or somebody cut it.
    #[error("the session in {name} was ended: {reason}")]
    Ended {
        /// The container.
        name: String,
        /// Why, in the other side's words.
        reason: String,
    },
    /// The container has stopped.
    #[error("the session in {name} was ended: {reason}")]
    ContainerEnded {
        /// The container.
        name: String,
        /// Why, in the other side's words.
        reason: String,
        /// What is known about it, to find its successor by.
        gone: Box<Gone>,
    },
    /// The two sides could not agree on SSH.
    #[error("the conversation with {name} failed: {source}")]
    Ssh {
        /// The container.
        name: String,
        /// What went wrong.
        #[source]
        source: russh::Error,
    },
    /// This process's own streams failed.
    #[error("this side's {what} failed: {source}")]
    Local {
        /// `input`, `output`, `terminal`.
        what: &'static str,
        /// How.
        #[source]
        source: std::io::Error,
    },
}

/// A container that has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its id.
    pub container: ContainerId,
    /// What its successors have in common with it, where the broker says so.
    pub origin: Option<Origin>,
}

/// What is wrong with a host's proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostCause {
    /// It has a certificate that is not accepted.
    #[error("its certificate is not accepted: {0}")]
    Refused(Refusal),
    /// It has no certificate at all.
    #[error("it has no certificate")]
    BareKey,
}

/// A session that is open: authenticated both ways, nothing running yet.
pub struct Session {
    handle: Handle<Host>,
    throttle: Throttle,
    farewell: Farewell,
    routes: Routes,
    name: String,
    id: SessionId,
    deadline: u64,
    clock: Clock,
}

impl Session {
    /// Asks the broker, connects, and proves both ends to each other.
    ///
    /// # Errors
    /// [`SessionError`]; nothing has run then.
    pub async fn open(api: &Api, hosts: Authorities, clock: Clock, request: Request) -> Result<Self, SessionError> {
        let (login, as_typed) = (request.login.clone(), request.as_typed.clone());
        let (reply, link, key) = request_link(api, request).await?;
        Self::over(link, reply, as_typed, &login, key, hosts, clock).await
    }

    /// Proves both ends of a link to each other: the broker's `reply` belongs to it, and to the `key` that was named in the
    /// request.
    ///
    /// # Errors
    /// [`SessionError`]; nothing has run then.
    pub async fn over(
        link: Link,
        reply: ConnectReply,
        as_typed: Target,
        login: &Login,
        key: PrivateKey,
        hosts: Authorities,
        clock: Clock,
    ) -> Result<Self, SessionError> {
        let ConnectReply { session, certificate, host_principal, name, origin, deadline, link: protocol } = reply;
        if protocol != LINK_RAW {
            return Err(SessionError::Reply("its link protocol was not offered"));
        }
        let certificate =
            Certificate::from_openssh(&certificate).map_err(|_| SessionError::Reply("its certificate cannot be read"))?;
        let throttle = Throttle::new();
        let link = Throttled::new(link, throttle.clone());
        let expected = HostCertificate { container: host_principal, as_typed };
        let farewell = Farewell::new(Gone { container: host_principal, origin });
        let routes = Routes::default();
        let host = Host::new(expected, hosts, clock.clone(), name.clone(), farewell.clone(), routes.clone());
        let user = login.as_str();
        let opening = async {
            let mut handle = client::connect_stream(Arc::new(config()), link, host).await?;
            let answer = handle.authenticate_openssh_cert(user, Arc::new(key), certificate).await;
            Ok(match answer {
                Ok(answer) if answer.success() => handle,
                Ok(_) => return Err(SessionError::AgentRefused { name: name.clone() }),
                // The agent said goodbye instead of an answer: its reason tells more than the lost connection.
                Err(source) => {
                    return Err(farewell.take(&name).unwrap_or_else(|| from_ssh(&name, source)));
                }
            })
        };
        match tokio::time::timeout(OPENING, opening).await {
            Ok(Ok(handle)) => Ok(Self { handle, throttle, farewell, routes, name, id: session, deadline, clock }),
            Ok(Err(SessionError::Ssh { name: _, source })) => Err(from_ssh(&name, source)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(SessionError::Timeout { name }),
        }
    }

    /// The container's name for this user.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The session's id, which the audit has too.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// When it ends at the latest, in seconds since 1970.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    async fn channel(&self) -> Result<Channel<client::Msg>, SessionError> {
        let opened = tokio::time::timeout(OPENING, self.handle.channel_open_session()).await;
        match opened {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => Err(self.refused("a channel")),
            Ok(Err(_)) => Err(self.lost()),
            Err(_) => Err(SessionError::Timeout { name: self.name.clone() }),
        }
    }

    fn refused(&self, what: &'static str) -> SessionError {
        SessionError::RequestRefused { name: self.name.clone(), what }
    }

    /// Why the connection is gone: what the other side said last, the deadline, or nothing that is known.
    fn lost(&self) -> SessionError {
        if let Some(said) = self.farewell.take(&self.name) {
            return said;
        }
        if self.clock.now() >= self.deadline {
            return SessionError::Ended { name: self.name.clone(), reason: "its time is over".to_owned() };
        }
        SessionError::Lost { name: self.name.clone() }
    }

    /// Whether the link has been silent for so long that it must be dead.
    fn is_silent(&self) -> bool {
        self.throttle.silence() > KEEPALIVE * SILENT_KEEPALIVES
    }

    /// Says goodbye and waits, a little, until it is on its way.
    async fn close(self) {
        if self.handle.disconnect(Disconnect::ByApplication, "", "").await.is_ok() {
            let _ = tokio::time::timeout(GOODBYE, self.handle).await;
        }
    }
}

/// Makes a key, has it certified for what `request` asks, and opens the link, on which nothing has been said yet.
///
/// # Errors
/// [`SessionError`]; nothing has run then.
pub async fn request_link(api: &Api, request: Request) -> Result<(ConnectReply, Link, PrivateKey), SessionError> {
    let key = new_key().map_err(|_| SessionError::Key)?;
    let public_key = public_line(key.public_key()).map_err(|_| SessionError::Key)?;
    let picked = request.container;
    let (reply, link) = api.connect(&connect_request(request, public_key)).await?;
    match picked.filter(|picked| *picked != reply.host_principal) {
        Some(picked) => Err(SessionError::OtherContainer { picked, offered: reply.host_principal }),
        None => Ok((reply, link, key)),
    }
}

/// A command is declared where it can be (text) and where it fits; one that is not is told by its channel's audit event.
fn connect_request(request: Request, public_key: String) -> ConnectRequest {
    let mut connect = ConnectRequest {
        as_typed: request.as_typed,
        container: request.container,
        login: request.login,
        public_key,
        actions: request.actions,
        optional: request.optional,
        command: request.command.and_then(|command| String::from_utf8(command).ok()),
        reason: request.reason,
        link: vec![LINK_RAW.to_owned()],
    };
    if connect.command.is_some() && serde_json::to_vec(&connect).map_or(true, |json| json.len() > CONNECT_LIMIT) {
        connect.command = None;
    }
    connect
}

fn config() -> client::Config {
    client::Config {
        preferred: algorithms::preferred(),
        window_size: WINDOW,
        maximum_packet_size: PACKET,
        keepalive_interval: Some(KEEPALIVE),
        // The silence is judged here, where it is known whether anybody listened: a paused pager must not end its session.
        keepalive_max: 0,
        inactivity_timeout: None,
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-ztctl_", env!("CARGO_PKG_VERSION")))),
        ..Default::default()
    }
}

fn from_ssh(name: &str, source: russh::Error) -> SessionError {
    use russh::Error;
    match source {
        Error::IO(_) | Error::HUP | Error::Disconnect | Error::SendError | Error::RecvError | Error::ConnectionTimeout => {
            SessionError::Lost { name: name.to_owned() }
        }
        // The agent has no certificate for the only algorithm that is taken.
        Error::NoCommonAlgo { .. } => SessionError::HostNotProven { name: name.to_owned(), cause: HostCause::BareKey },
        source => SessionError::Ssh { name: name.to_owned(), source },
    }
}

impl From<russh::Error> for SessionError {
    fn from(source: russh::Error) -> Self {
        Self::Ssh { name: String::new(), source }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// How long the agent may take for each step of the opening; it gives the client as long.
const OPENING: Duration = Duration::from_secs(15);

/// How often a silent link is asked for a sign of life.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// After how many unanswered questions it is given up.
const SILENT_KEEPALIVES: u32 = 3;

/// How long the goodbye may take: it is a courtesy.
const GOODBYE: Duration = Duration::from_millis(250);

/// 16 MiB under way: 100 ms of round trip then allow 160 MB/s, where SSH's usual 2 MiB allow 20.
const WINDOW: u32 = 16 * 1024 * 1024;

/// The largest packet that russh takes is 65535 bytes.
const PACKET: u32 = 65535;

#[cfg(test)]
mod tests;
