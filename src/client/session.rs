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
//! | [`gather`] | one command among several |
//! | [`environment`] | the variables that go along |
//! | [`ending`] | what the other side says about its end, and the exit status |
//! | [`SessionError`] | why there is none, or none any more |
//! | `silence`, `countdown` | a link on which nothing comes, a time that runs out |
//! | `throttle`, `output` | the local streams, without blocking and without bound |

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::ssh_key::Certificate;
use russh::{Channel, Disconnect};

use super::api::{Api, Link};
use super::ca_pin::Pin;
use super::trace::Trace;
use crate::clock::Clock;
use crate::proto::api::{CONNECT_LIMIT, ConnectReply, ConnectRequest, LINK_RAW};
use crate::proto::name::{Login, Target};
use crate::proto::{Actions, ContainerId, SessionId};
use crate::ssh::cert::{host::HostCertificate, user::idle_limit};
use crate::ssh::{Authorities, CLIENT, PrivateKey, algorithms, new_key, public_line};

mod countdown;
pub mod ending;
pub mod environment;
mod error;
pub mod exec;
mod files;
pub mod forward;
pub mod gather;
pub mod host;
mod output;
pub mod shell;
mod silence;
mod throttle;

use error::from_ssh;
pub use error::{Gone, HostCause, SessionError};
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
    /// Whether to begin without an approval that is missing, where policy allows that.
    pub break_glass: bool,
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
    /// After how long without anything happening it ends.
    idle: Option<Duration>,
    clock: Clock,
    broker_ahead: i64,
    trace: Trace,
}

/// What a session takes besides what it asks for.
#[derive(Debug, Clone)]
pub struct Means {
    /// Who vouches for containers.
    pub hosts: Authorities,
    /// What certificates are judged by.
    pub clock: Clock,
    /// How many seconds the broker's clock is ahead of it (negative: behind).
    pub broker_ahead: i64,
    /// Who is told what happens.
    pub trace: Trace,
}

impl Session {
    /// Asks the broker, connects, and proves both ends to each other.
    ///
    /// # Errors
    /// [`SessionError`]; nothing has run then.
    pub async fn open(api: &Api, pin: &Pin, request: Request) -> Result<Self, SessionError> {
        let (login, as_typed) = (request.login.clone(), request.as_typed.clone());
        let (reply, link, key) = request_link(api, pin, request).await?;
        let hosts = Authorities::of_hosts(&pin.current().set);
        let hosts = hosts.map_err(|_| SessionError::Reply("the pinned authorities cannot be read"))?;
        let (clock, trace) = (api.http().clock().clone(), api.http().trace().clone());
        let means = Means { hosts, clock, broker_ahead: api.http().broker_ahead().unwrap_or_default(), trace };
        Self::over(link, reply, as_typed, &login, key, means).await
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
        means: Means,
    ) -> Result<Self, SessionError> {
        let Means { hosts, clock, broker_ahead, trace } = means;
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
        let host = Host::new(expected, hosts, clock.clone(), name.clone(), farewell.clone(), routes.clone(), trace.clone());
        trace.event(|| told(&certificate));
        let idle = idle_limit(&certificate);
        let user = login.as_str();
        let opening = async {
            let mut handle = client::connect_stream(Arc::new(config()), link, host).await?;
            trace.step("keys");
            let answer = handle.authenticate_openssh_cert(user, Arc::new(key), certificate).await;
            trace.step("proof");
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
            Ok(Ok(handle)) => {
                Ok(Self { handle, throttle, farewell, routes, name, id: session, deadline, idle, clock, broker_ahead, trace })
            }
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

    /// The deadline by this machine's clock.
    fn local_deadline(&self) -> u64 {
        self.deadline.saturating_sub_signed(self.broker_ahead)
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

    fn refused(&self, what: impl Into<Cow<'static, str>>) -> SessionError {
        SessionError::RequestRefused { name: self.name.clone(), what: what.into() }
    }

    /// Why the connection is gone: what the other side said last, the deadline, or nothing that is known.
    fn lost(&self) -> SessionError {
        if let Some(said) = self.farewell.take(&self.name) {
            return said;
        }
        if self.clock.now() >= self.local_deadline() {
            return SessionError::Ended { name: self.name.clone(), reason: "its time is over".to_owned() };
        }
        SessionError::Lost { name: self.name.clone() }
    }

    /// Says goodbye and waits, a little, until it is on its way.
    async fn close(self) {
        if self.handle.disconnect(Disconnect::ByApplication, "", "").await.is_ok() {
            let _ = tokio::time::timeout(GOODBYE, self.handle).await;
        }
    }
}

/// Makes a key, has it certified for what `request` asks, and opens the link, on which nothing has been said yet. Where the broker tells of
/// newer authorities, `pin` has followed.
///
/// # Errors
/// [`SessionError`]; nothing has run then.
pub async fn request_link(api: &Api, pin: &Pin, request: Request) -> Result<(ConnectReply, Link, PrivateKey), SessionError> {
    let key = new_key().map_err(|_| SessionError::Key)?;
    let public_key = public_line(key.public_key()).map_err(|_| SessionError::Key)?;
    let picked = request.container;
    api.http().trace().step("start");
    let (reply, link) = api.connect(&connect_request(request, public_key, pin.current().sequence)).await?;
    api.http().trace().step("broker");
    pin.follow_if_newer(api.http()).await?;
    match picked.filter(|picked| *picked != reply.host_principal) {
        Some(picked) => Err(SessionError::OtherContainer { picked, offered: reply.host_principal }),
        None => Ok((reply, link, key)),
    }
}

/// A command is declared where it can be (text) and where it fits; one that is not is told by its channel's audit event.
fn connect_request(request: Request, public_key: String, ca: u64) -> ConnectRequest {
    let mut connect = ConnectRequest {
        as_typed: request.as_typed,
        container: request.container,
        login: request.login,
        public_key,
        actions: request.actions,
        optional: request.optional,
        command: request.command.and_then(|command| String::from_utf8(command).ok()),
        reason: request.reason,
        break_glass: request.break_glass,
        link: vec![LINK_RAW.to_owned()],
        ca: Some(ca),
    };
    if connect.command.is_some() && serde_json::to_vec(&connect).map_or(true, |json| json.len() > CONNECT_LIMIT) {
        connect.command = None;
    }
    connect
}

/// What a certificate says, in a line.
fn told(certificate: &Certificate) -> String {
    let options: Vec<&str> =
        certificate.critical_options().iter().chain(certificate.extensions().iter()).map(|(name, _)| name.as_str()).collect();
    format!(
        "certificate {} for {}, valid for {} s, with {}",
        certificate.key_id(),
        certificate.valid_principals().join(","),
        certificate.valid_before().saturating_sub(certificate.valid_after()),
        options.join(" ")
    )
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
        client_id: russh::SshId::Standard([CLIENT, env!("CARGO_PKG_VERSION")].concat().into()),
        ..Default::default()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

/// How long the agent may take for each step of the opening; it gives the client as long.
const OPENING: Duration = Duration::from_secs(15);

/// How often a silent link is asked for a sign of life: twice before a person is told that there is none.
const KEEPALIVE: Duration = Duration::from_secs(4);

/// How long the goodbye may take: it is a courtesy.
const GOODBYE: Duration = Duration::from_millis(250);

/// 16 MiB under way: 100 ms of round trip then allow 160 MB/s, where SSH's usual 2 MiB allow 20.
const WINDOW: u32 = 16 * 1024 * 1024;

/// The largest packet that russh takes is 65535 bytes.
const PACKET: u32 = 65535;

#[cfg(test)]
mod tests;
