//! The SSH server at the end of a link: who may come in, and when the session is over.
//!
//! One link is one session. The door opens for a certificate that passes every check of [`crate::ssh::cert`], that the broker has
//! announced on our own control connection, and that was never used; nothing else is asked for and nothing else is accepted.

mod activity;
mod door;
mod severable;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::server::Config;
use russh::{Disconnect, MethodKind, MethodSet};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) use self::activity::Activity;
use self::door::Door;
use self::severable::Severable;
use crate::agent::connector::{Containers, StartError};
use crate::agent::host::Host;
use crate::agent::process::Process;
use crate::agent::reaper::Exit;
use crate::agent::sweep::Leader;
use crate::agent::waiting::{self, Waiting};
use crate::moment;
use crate::proto::agent::{Announcement, ChannelReport, ContainerReport, FromAgent, LinkHeader, Outcome};
use crate::proto::{Action, SessionId};
use crate::ssh::cert::user::UserCertificate;
use crate::ssh::{CONTAINER_ENDED, Certificate, algorithms};

/// A session whose door has opened.
#[derive(Debug)]
pub(super) struct Session {
    /// The agent.
    pub(super) host: Arc<Host>,
    /// What the certificate grants.
    pub(super) grant: UserCertificate,
    /// Whether a terminal is granted.
    pub(super) permits_pty: bool,
    /// The container, as it was when the door opened.
    pub(super) container: ContainerReport,
    /// Whether the client itself shows why the connection ends: then its channels need not tell.
    pub(super) shows_farewell: AtomicBool,
    /// Set when the session ends, to what its channels tell the user.
    pub(super) ending: watch::Sender<Option<String>>,
    /// The channels' tasks.
    pub(super) channels: TaskTracker,
    /// Input that no process has read yet.
    pub(super) waiting: Waiting,
    /// When somebody was last there.
    pub(super) activity: Activity,
    /// Cancelled by whoever finds out that the container has stopped before the list knows.
    pub(super) stopped: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    declared: Vec<ChannelReport>,
    leaders: Vec<Leader>,
    last_exit: Option<Exit>,
    /// Set before the session's processes are looked for; nothing starts afterwards.
    over: bool,
}

impl Session {
    fn new(
        host: Arc<Host>,
        grant: UserCertificate,
        permits_pty: bool,
        container: ContainerReport,
        announced: Announcement,
    ) -> Self {
        let state = State { declared: announced.declared, leaders: Vec::new(), last_exit: None, over: false };
        let (ending, channels, waiting) = (watch::Sender::new(None), TaskTracker::new(), Waiting::default());
        let (activity, stopped, state) = (Activity::default(), CancellationToken::new(), Mutex::new(state));
        let shows_farewell = AtomicBool::new(false);
        Self { host, grant, permits_pty, container, shows_farewell, ending, channels, waiting, activity, stopped, state }
    }

    /// Whether one of `reports` was declared at connect; a declaration covers one channel.
    pub(super) fn take_declared(&self, reports: &[&ChannelReport]) -> bool {
        let mut state = self.state();
        let Some(index) = state.declared.iter().position(|declared| reports.contains(&declared)) else { return false };
        state.declared.swap_remove(index);
        true
    }

    /// Starts a channel's process, or returns `None` once the session is over: a channel may have waited for the broker, and a start
    /// itself may take a while, so that what was started too late is ended here. Of very many processes the oldest are forgotten:
    /// their remains still carry the session's marker.
    pub(super) async fn start(
        &self,
        start: impl Future<Output = Result<Process, StartError>>,
    ) -> Option<Result<Process, StartError>> {
        if self.state().over {
            return None;
        }
        let started = start.await;
        let leader = started.as_ref().ok().and_then(|process| process.leader);
        let late = {
            let mut state = self.state();
            if state.leaders.len() >= LEADERS {
                state.leaders.remove(0);
            }
            state.leaders.extend(leader);
            state.over
        };
        if late {
            end_processes(&self.host, self.grant.session, &self.container.runtime_id, leader.as_slice()).await;
            return None;
        }
        Some(started)
    }

    /// A channel's process has ended.
    pub(super) fn exited(&self, exit: Exit) {
        self.state().last_exit = Some(exit);
    }

    /// Returns once the container that the session opened in runs no more. One that was started again is another one: what the session
    /// had in it is gone.
    async fn container_gone(&self) {
        let mut containers = self.host.connector.containers();
        let over = |now: &Containers| now.get(&self.container.runtime_id).is_none_or(|now| !now.is_run_of(&self.container));
        let listed = async {
            // Logs outlive what wrote them; and the connector's end is the agent's, which is somebody else's news.
            let only_logs = self.grant.actions.iter().all(|action| action == Action::Logs);
            if only_logs || containers.wait_for(over).await.is_err() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = listed => {}
            () = self.stopped.cancelled() => {}
        }
    }

    /// Lets nothing start any more, and returns the first processes of what did.
    fn end(&self) -> Vec<Leader> {
        let mut state = self.state();
        state.over = true;
        state.leaders.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock leaves it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the client's leaving means: the end of its work, or of its patience.
    fn outcome_at_leave(&self) -> Outcome {
        match self.state().last_exit {
            Some(Exit::Status(status)) => Outcome::Exited { status: status.into() },
            Some(Exit::Signal(signal)) => Outcome::Signalled { signal: crate::agent::signals::signal_name(signal) },
            None => Outcome::Disconnected,
        }
    }
}

/// Serves the session that `header` announces on `stream`, to its end and that of its processes.
pub(super) async fn serve<S>(host: Arc<Host>, header: LinkHeader, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let session = header.session;
    let outcome = run(&host, header, stream).await;
    host.book.close(session);
    tracing::info!(%session, ?outcome, "the session is over");
    host.tell(FromAgent::Ended { session, outcome });
}

async fn run<S>(host: &Arc<Host>, header: LinkHeader, stream: S) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok(certificate) = Certificate::from_openssh(&header.host_certificate) else {
        return Outcome::Refused { why: "the host certificate from the broker cannot be read".to_owned() };
    };
    // Whatever SSH's own task still does when this function returns fails at once and ends.
    let severed = CancellationToken::new();
    let _sever = severed.clone().drop_guard();
    let (opened, opening) = oneshot::channel();
    let refusal = Arc::new(Mutex::new(None));
    let door = Door::new(Arc::clone(host), header, opened, Arc::clone(&refusal));
    let handshake_end = Instant::now() + HANDSHAKE;
    let config = Arc::new(config(host, certificate));
    let why = |otherwise: &str| Outcome::Refused {
        why: refusal.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| otherwise.to_owned()),
    };
    let accepted = russh::server::run_stream(config, Severable::new(stream, severed.clone()), door);
    let mut running = match timeout_at(handshake_end, accepted).await {
        Ok(Ok(running)) => running,
        Ok(Err(error)) => return why(&format!("the SSH handshake failed: {error}")),
        Err(_) => return why("the SSH handshake took too long"),
    };
    let (session, mut cutting) = tokio::select! {
        biased;
        opened = timeout_at(handshake_end, opening) => match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => return why("the SSH handshake was given up"),
            Err(_) => return why("the SSH handshake took too long"),
        },
        _ = &mut running => return why("the client left before it had proved who it is"),
    };
    let by_us = Disconnect::ByApplication;
    let (farewell, outcome) = tokio::select! {
        _ = &mut running => (None, session.outcome_at_leave()),
        () = until(host, session.grant.deadline) => (Some((by_us, "the session's time is over".to_owned())), Outcome::Deadline),
        reason = &mut cutting => {
            (Some((by_us, reason.unwrap_or_else(|_| "the session was cut".to_owned()))), Outcome::Cut)
        }
        () = session.activity.ceased(session.grant.idle) => (Some((by_us, idle_for(session.grant.idle))), Outcome::Idle),
        () = session.container_gone() => {
            (Some((CONTAINER_ENDED, "its container has stopped".to_owned())), Outcome::ContainerEnded)
        }
        () = host.shutdown.cancelled() => (Some((by_us, host.connector.leaving().to_owned())), Outcome::Disconnected),
    };
    let told_by_channels = farewell.as_ref().filter(|_| !session.shows_farewell.load(Relaxed));
    let reason = told_by_channels.map(|(_, reason)| reason.clone());
    session.ending.send_replace(Some(reason.unwrap_or_default()));
    session.channels.close();
    let (id, leaders) = (session.grant.session, session.end());
    let goodbye = async {
        let _ = timeout(GOODBYE, session.channels.wait()).await;
        if let Some((code, reason)) = farewell {
            let connection = running.handle();
            let leave = connection.disconnect(code, reason, String::new());
            let _ = timeout(GOODBYE, leave).await;
            let _ = timeout(GOODBYE, &mut running).await;
        }
        severed.cancel();
    };
    tokio::join!(goodbye, end_processes(host, id, &session.container.runtime_id, &leaders));
    outcome
}

/// What the user reads at the end of a session in which nothing happened.
fn idle_for(limit: Option<Duration>) -> String {
    format!("nothing has happened in it for {}", moment::length(limit.unwrap_or_default().as_secs()))
}

/// Hangs up and kills; when the agent itself leaves there is no time for manners.
async fn end_processes(host: &Host, id: SessionId, runtime_id: &str, leaders: &[Leader]) {
    let leaving = async {
        host.shutdown.cancelled().await;
        tokio::time::sleep(LEAVE).await;
    };
    tokio::select! {
        () = host.connector.sweep(id, runtime_id, leaders) => {}
        () = leaving => host.connector.kill(id, runtime_id, leaders).await,
    }
}

/// Returns once the agent's clock has reached `deadline`. Looks at the clock every second, as a clock can be set.
async fn until(host: &Host, deadline: u64) {
    while host.clock.now() < deadline {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn config(host: &Host, certificate: Certificate) -> Config {
    let mut methods = MethodSet::empty();
    methods.push(MethodKind::PublicKey);
    Config {
        methods,
        keys: vec![host.key.clone()],
        certificates: vec![certificate],
        preferred: algorithms::preferred(),
        // Whoever fails holds a certificate that was made for one connect: there is nothing to guess, so nothing to slow down.
        auth_rejection_time: Duration::from_millis(50),
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: 3,
        // An idle shell is no reason to end it, unless policy says so; see `activity`.
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(20)),
        keepalive_max: 3,
        window_size: waiting::WINDOW,
        channel_buffer_size: CHANNEL_BUFFER,
        nodelay: true,
        ..Config::default()
    }
}

/// From the first byte to the opened door; the slowest honest client needs a few round trips.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// How long the end of a session may take to be told to the client, at each of its steps.
const GOODBYE: Duration = Duration::from_secs(1);

/// When the agent leaves, its sessions' processes have this long after the hang-up.
const LEAVE: Duration = Duration::from_millis(500);

/// Messages of a client between SSH and the channel's task, which takes them at once.
const CHANNEL_BUFFER: usize = 32;

/// First processes of channels that are remembered for a session's end.
const LEADERS: usize = 256;
