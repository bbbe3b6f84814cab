//! What an SSH client may ask of a session, and what it is told.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use russh::keys::ssh_key::Certificate;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session as Connection};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty, Sig};
use tokio::sync::{Semaphore, oneshot};

use super::Session;
use crate::agent::channel::{self, Running, Wanted, Wish};
use crate::agent::environment::{self, Variables};
use crate::agent::forward::{self, Destination, Listeners};
use crate::agent::host::Host;
use crate::agent::process::Size;
use crate::agent::program::Asked;
use crate::agent::signals;

use crate::agent::waiting;
use crate::proto::Action;
use crate::proto::agent::{ANNOUNCE_TIMEOUT, LinkHeader};
use crate::proto::logs::LogsRequest;
use crate::ssh::CLIENT;
use crate::ssh::cert::user::UserCertificate;

/// The handler of one connection: the door first, the channels behind it.
pub(super) struct Door {
    host: Arc<Host>,
    header: LinkHeader,
    opened: Option<oneshot::Sender<(Arc<Session>, oneshot::Receiver<String>)>>,
    refusal: Arc<Mutex<Option<String>>>,
    session: Option<Arc<Session>>,
    channels: HashMap<ChannelId, Line>,
    /// Room for connections through the container.
    forwards: Arc<Semaphore>,
    listeners: Listeners,
}

/// A channel, before and after something runs on it.
enum Line {
    Waiting { channel: Channel<Msg>, variables: Variables, terminal: Option<Size> },
    Running(Arc<Running>),
}

impl Door {
    pub(super) fn new(
        host: Arc<Host>,
        header: LinkHeader,
        opened: oneshot::Sender<(Arc<Session>, oneshot::Receiver<String>)>,
        refusal: Arc<Mutex<Option<String>>>,
    ) -> Self {
        let forwards = Arc::new(Semaphore::new(waiting::FORWARDS));
        let (opened, channels, listeners) = (Some(opened), HashMap::new(), Listeners::default());
        Self { host, header, opened, refusal, session: None, channels, forwards, listeners }
    }

    /// Every check of a certificate, and at the end the announcement, which is used up by it.
    async fn admit(&self, user: &str, certificate: &Certificate) -> Result<(Arc<Session>, oneshot::Receiver<String>), String> {
        let standing = self.host.standing().ok_or("the agent does not know yet whom to trust")?;
        let grant = UserCertificate::check(certificate, &standing.users, user, self.header.container, self.host.clock.now())
            .map_err(|refusal| format!("the certificate is refused: {refusal}"))?;
        if grant.session != self.header.session {
            return Err("the certificate is for another session".to_owned());
        }
        if grant.record {
            return Err("the session must be recorded, which this agent cannot do".to_owned());
        }
        let container = self.host.container(grant.container).ok_or("the container is not here")?;
        let claimed = self.host.book.claim(grant.session, ANNOUNCE_TIMEOUT).await;
        let (announced, cutting) = claimed.map_err(|error| error.to_string())?;
        let agrees = announced.container == grant.container && announced.login == grant.login && announced.user == grant.user;
        if !agrees || announced.deadline != grant.deadline {
            return Err("the certificate is not what the broker has announced".to_owned());
        }
        let permits_pty = UserCertificate::permits_pty(certificate);
        tracing::info!(session = %grant.session, user = %grant.user, login = %grant.login, "a session opens");
        Ok((Arc::new(Session::new(Arc::clone(&self.host), grant, permits_pty, container, announced)), cutting))
    }

    /// The session, if connections through it are granted.
    fn forwarding(&self) -> Option<Arc<Session>> {
        self.session.clone().filter(|session| session.grant.actions.allow(Action::Forward))
    }

    /// Starts what was asked for, or says that it may not be.
    fn start(&mut self, id: ChannelId, wish: Wish, connection: &mut Connection) -> Result<(), russh::Error> {
        let Some(session) = &self.session else { return connection.channel_failure(id) };
        session.activity.seen();
        let (action, granted) = (wish.action(), &session.grant.actions);
        // Who was granted one command may ask for a shell and gets that command.
        let forced = session.grant.force_command.is_some() && matches!(wish, Wish::Run(Asked::Shell | Asked::Command(_)));
        let allowed = granted.allow(action) || (forced && granted.allow(Action::Exec));
        if !allowed || !matches!(self.channels.get(&id), Some(Line::Waiting { .. })) {
            return connection.channel_failure(id);
        }
        let Some(Line::Waiting { channel, variables, terminal }) = self.channels.remove(&id) else { return Ok(()) };
        let running = Arc::new(Running { control: OnceLock::new(), size: Mutex::new(terminal) });
        let wanted = Wanted { wish, variables, terminal: terminal.is_some() };
        let work = channel::run(Arc::clone(session), channel, connection.handle(), wanted, Arc::clone(&running));
        session.channels.spawn(work);
        self.channels.insert(id, Line::Running(running));
        Ok(())
    }
}

impl Handler for Door {
    type Error = russh::Error;

    async fn auth_openssh_certificate(&mut self, user: &str, certificate: &Certificate) -> Result<Auth, russh::Error> {
        match self.admit(user, certificate).await {
            Ok((session, cutting)) => {
                self.session = Some(Arc::clone(&session));
                let told = self.opened.take().is_some_and(|opened| opened.send((session, cutting)).is_ok());
                Ok(if told { Auth::Accept } else { Auth::reject() })
            }
            Err(why) => {
                tracing::warn!(session = %self.header.session, client = %self.header.client_address, "{why}");
                *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                Ok(Auth::reject())
            }
        }
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        // To drop the reply is to refuse.
        if let Some(session) = self.session.as_ref().filter(|_| self.channels.len() < CHANNELS) {
            session.shows_farewell.store(connection.remote_sshid().starts_with(CLIENT.as_bytes()), Relaxed);
            let id = channel.id();
            self.channels.insert(id, Line::Waiting { channel, variables: Variables::new(), terminal: None });
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Connection) -> Result<(), russh::Error> {
        self.channels.remove(&id);
        Ok(())
    }

    fn adjust_window(&mut self, _: ChannelId, current: u32) -> u32 {
        self.session.as_ref().map_or(current, |session| session.waiting.window())
    }

    async fn data(&mut self, _: ChannelId, data: &[u8], _: &mut Connection) -> Result<(), russh::Error> {
        if let Some(session) = &self.session {
            session.activity.seen();
        }
        if self.session.as_ref().is_some_and(|session| session.waiting.overflows()) {
            tracing::warn!(session = %self.header.session, "the client sends more than it may; its session ends");
            return Err(russh::Error::Disconnect);
        }
        if self.session.as_ref().is_some_and(|session| session.waiting.slows(data.len())) {
            tokio::time::sleep(waiting::SLOWLY).await;
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        _: &[(Pty, u32)],
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        let permitted = self.session.as_ref().is_some_and(|session| session.permits_pty);
        match self.channels.get_mut(&id) {
            Some(Line::Waiting { variables, terminal, .. }) if permitted => {
                *terminal = Some(Size { columns, rows, pixels: (width, height) });
                if environment::admits("TERM", term) {
                    variables.insert("TERM".into(), term.into());
                }
                connection.channel_success(id)
            }
            _ => connection.channel_failure(id),
        }
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        name: &str,
        value: &str,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        let Some(granted) = self.session.as_ref().map(|session| &session.grant.env) else {
            return connection.channel_failure(id);
        };
        let taken = match self.channels.get_mut(&id) {
            Some(Line::Waiting { variables, .. }) => environment::take(variables, name, value, granted),
            _ => false,
        };
        if taken { connection.channel_success(id) } else { connection.channel_failure(id) }
    }

    async fn shell_request(&mut self, id: ChannelId, connection: &mut Connection) -> Result<(), russh::Error> {
        self.start(id, Wish::Run(Asked::Shell), connection)
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], connection: &mut Connection) -> Result<(), russh::Error> {
        self.start(id, Wish::Run(Asked::Command(command.to_vec())), connection)
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, connection: &mut Connection) -> Result<(), russh::Error> {
        if name == SFTP {
            return self.start(id, Wish::Run(Asked::Files), connection);
        }
        match LogsRequest::from_subsystem(name) {
            Some(request) => self.start(id, Wish::Logs(request), connection),
            None => connection.channel_failure(id),
        }
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Connection,
    ) -> Result<(), russh::Error> {
        // To drop the reply is to refuse.
        if let (Some(session), Some(to)) = (self.forwarding(), Destination::new(host, port)) {
            let Ok(room) = Arc::clone(&self.forwards).try_acquire_owned() else {
                reply.reject(ChannelOpenFailure::ResourceShortage).await;
                return Ok(());
            };
            session.channels.spawn({
                let session = Arc::clone(&session);
                async move {
                    forward::direct(session, channel, reply, to).await;
                    drop(room);
                }
            });
        }
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        connection: &mut Connection,
    ) -> Result<bool, russh::Error> {
        let Some(session) = self.forwarding() else { return Ok(false) };
        let bound = self.listeners.listen(&session, connection.handle(), &self.forwards, address, *port).await;
        *port = bound.unwrap_or(*port);
        Ok(bound.is_some())
    }

    async fn cancel_tcpip_forward(&mut self, address: &str, port: u32, _: &mut Connection) -> Result<bool, russh::Error> {
        Ok(self.listeners.cancel(address, port))
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        connection: &mut Connection,
    ) -> Result<(), russh::Error> {
        connection.channel_failure(id)
    }

    async fn window_change_request(
        &mut self,
        id: ChannelId,
        columns: u32,
        rows: u32,
        width: u32,
        height: u32,
        _: &mut Connection,
    ) -> Result<(), russh::Error> {
        let size = Size { columns, rows, pixels: (width, height) };
        match self.channels.get_mut(&id) {
            Some(Line::Waiting { terminal: Some(terminal), .. }) => *terminal = size,
            Some(Line::Running(running)) => running.resize(size),
            _ => {}
        }
        Ok(())
    }

    async fn signal(&mut self, id: ChannelId, signal: Sig, _: &mut Connection) -> Result<(), russh::Error> {
        if let Some(Line::Running(running)) = self.channels.get(&id)
            && let (Some(control), Some(signal)) = (running.control.get(), signals::signal_of(&signal))
        {
            control.signal(signal);
        }
        Ok(())
    }
}

/// The most channels of a session at one time; more are refused, as OpenSSH does by default. Connections through the container are
/// counted for themselves.
const CHANNELS: usize = waiting::CHANNELS;

/// The subsystem that stock clients ask for.
const SFTP: &str = "sftp";
