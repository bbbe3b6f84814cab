//! Connections through the container: what the client connects to from inside (`direct-tcpip`), and ports inside whose connections
//! come to the client (`tcpip-forward`). Each is asked of the broker, which writes it down, before anything is opened.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::server::{ChannelOpenHandle, Handle, Msg};
use russh::{Channel, ChannelOpenFailure};
use rustix::process::Signal;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::agent::channel::{Fed, drain, feed};
use crate::agent::connector::{Dialled, Request};
use crate::agent::environment::Variables;
use crate::agent::process::{Input, Output, Process};
use crate::agent::server::Session;
use crate::proto::agent::ChannelReport;

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// A name or an address, as the container understands it.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
}

impl Destination {
    /// What a client asks for, if it can be one.
    pub(super) fn new(host: &str, port: u32) -> Option<Self> {
        let port = u16::try_from(port).ok().filter(|port| *port > 0)?;
        let clean = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
        let is_name = !host.is_empty() && host.len() <= HOST && host.bytes().all(clean) && !host.starts_with('-');
        is_name.then(|| Self { host: host.to_owned(), port })
    }
}

/// Opens the connection that the client wants and carries it to its end.
pub(super) async fn direct(session: Arc<Session>, channel: Channel<Msg>, reply: ChannelOpenHandle, to: Destination) {
    let Destination { host, port } = &to;
    let report = ChannelReport::Forward { host: host.clone(), port: *port };
    if let Err(why) = session.host.ask(session.grant.session, report).await {
        tracing::warn!(session = %session.grant.session, "a connection to {host} port {port} is refused: {why}");
        return reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    }
    let dialled = tokio::time::timeout(DIAL, dial(&session, &to)).await;
    let line = match dialled.unwrap_or_else(|_| Err("it took too long".to_owned())) {
        Ok(line) => line,
        Err(why) => {
            tracing::info!(session = %session.grant.session, "no connection to {host} port {port}: {why}");
            return reply.reject(ChannelOpenFailure::ConnectFailed).await;
        }
    };
    reply.accept().await;
    carry(&session, channel, line).await;
}

/// Both directions of a connection, and what ends it.
struct Line {
    input: Input,
    output: Output,
    /// What runs in the container for it, told to end with it.
    helper: Option<Hangup>,
}

impl From<TcpStream> for Line {
    fn from(stream: TcpStream) -> Self {
        // Keystrokes go through this as well.
        let _ = stream.set_nodelay(true);
        let (output, input) = stream.into_split();
        Self { input: Box::new(input), output: Box::new(output), helper: None }
    }
}

struct Hangup(Arc<dyn crate::agent::process::Control>);

impl Drop for Hangup {
    fn drop(&mut self) {
        self.0.signal(Signal::HUP);
    }
}

async fn dial(session: &Session, to: &Destination) -> Result<Line, String> {
    let (connector, runtime_id) = (&session.host.connector, &session.container.runtime_id);
    let asked = match connector.dial(runtime_id, &to.host, to.port).await.map_err(|error| error.to_string())? {
        Dialled::Open(stream) => return Ok(stream.into()),
        Dialled::By(asked) => asked,
    };
    let request = Request {
        session: session.grant.session,
        user: &session.grant.user,
        login: &session.grant.login,
        asked: &asked,
        variables: Variables::new(),
        terminal: None,
        trampoline: &session.host.trampoline,
    };
    let started = session.start(connector.start(runtime_id, &request)).await.ok_or("the session is over")?;
    let Process { stdin, mut stdout, stderr, control, ending, .. } = started.map_err(|error| error.to_string())?;
    let helper = Some(Hangup(control));
    tokio::spawn(async move {
        // What it complains of has no place on this channel, and has to be read all the same.
        if let Some(mut stderr) = stderr {
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
        let _ = ending.await;
    });
    connector.dialled(&mut stdout).await.map_err(|error| error.to_string())?;
    Ok(Line { input: stdin, output: stdout, helper })
}

/// Copies both ways until both have ended, one side is broken, or the session is over.
async fn carry(session: &Session, channel: Channel<Msg>, line: Line) {
    let Line { input, output, helper } = line;
    let (reader, writer) = channel.split();
    let (over, mut done) = watch::channel(false);
    let (_never, exited) = watch::channel(false);
    let mut ending = session.ending.subscribe();
    let ended = async { ending.wait_for(Option::is_some).await.map(drop) };
    let both = async {
        let back = async {
            drain(output, &writer, None, exited, Some(&session.activity)).await;
            let _ = writer.eof().await;
        };
        let forth = async { done.wait_for(|done| *done).await.map(drop) };
        let _ = tokio::join!(back, forth);
    };
    tokio::select! {
        biased;
        _ = ended => {}
        () = both => {}
        () = feed(reader, input, Fed::Connection, &session.waiting, &over) => {}
    }
    let _ = writer.close().await;
    drop(helper);
}

/// The ports of one session that are listened on inside. Dropped, none is.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<HashMap<(String, u32), DropGuard>>);

impl Listeners {
    /// Listens on the container's loopback, whatever address the client names, as OpenSSH's server does by default. The port; `None`
    /// where that cannot be.
    pub(super) async fn listen(
        &self,
        session: &Arc<Session>,
        connection: Handle,
        room: &Arc<Semaphore>,
        address: &str,
        port: u32,
    ) -> Option<u32> {
        let wanted = u16::try_from(port).ok().filter(|port| *port == 0 || *port >= UNPRIVILEGED)?;
        if self.all().len() >= PORTS || !session.host.connector.can_listen() {
            return None;
        }
        let host = Destination::new(if address.is_empty() || address == "*" { "localhost" } else { address }, 1)?.host;
        let report = ChannelReport::Listen { host, port: wanted };
        session.host.ask(session.grant.session, report).await.ok()?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, wanted))).await.ok()?;
        let bound = u32::from(listener.local_addr().ok()?.port());
        let stop = CancellationToken::new();
        let key = (address.to_owned(), bound);
        self.all().insert(key, stop.clone().drop_guard());
        let (session, room) = (Arc::clone(session), Arc::clone(room));
        let tasks = session.channels.clone();
        tasks.spawn(accept(session, connection, room, listener, (address.to_owned(), bound), stop));
        Some(bound)
    }

    /// Ends one of them. Whether it was there.
    pub(super) fn cancel(&self, address: &str, port: u32) -> bool {
        self.all().remove(&(address.to_owned(), port)).is_some()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<(String, u32), DropGuard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(
    session: Arc<Session>,
    connection: Handle,
    room: Arc<Semaphore>,
    listener: TcpListener,
    (address, port): (String, u32),
    stop: CancellationToken,
) {
    let mut ending = session.ending.subscribe();
    loop {
        // Whoever is inside makes these connections: more than there is room for wait with the system.
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => return,
            _ = async { ending.wait_for(Option::is_some).await.map(drop) } => return,
        };
        let Ok((stream, from)) = accepted else {
            // Out of descriptors, as a rule: others' connections end in time.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (origin, origin_port) = (from.ip().to_string(), u32::from(from.port()));
        let opened = connection.channel_open_forwarded_tcpip(address.clone(), port, origin, origin_port);
        let Ok(Ok(channel)) = tokio::time::timeout(DIAL, opened).await else { continue };
        let session = Arc::clone(&session);
        session.clone().channels.spawn(async move {
            carry(&session, channel, stream.into()).await;
            drop(place);
        });
    }
}

/// The most bytes of a host's name.
const HOST: usize = 255;

/// How long a connection may take to be there.
const DIAL: Duration = Duration::from_secs(15);

/// The most ports that one session listens on.
const PORTS: usize = 16;

/// Lower ports are root's.
const UNPRIVILEGED: u16 = 1024;

const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_host_and_a_port_is_none() {
        assert!(Destination::new("localhost", 8080).is_some());
        assert!(Destination::new("fe80::1%eth0", 65535).is_some());
        for (host, port) in
            [("", 80), ("a b", 80), ("-oProxy", 80), ("a;id", 80), ("a", 0), ("a", 65536), (&"x".repeat(256), 80)]
        {
            assert!(Destination::new(host, port).is_none(), "{host} {port}");
        }
    }
}
