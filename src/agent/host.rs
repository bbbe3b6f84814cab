//! What all connections and sessions of one agent share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::agent::book::Book;
use crate::agent::connector::Connector;
use crate::clock::Clock;
use crate::proto::agent::{ChannelReport, ContainerReport, FromAgent, Outcome};
use crate::proto::{AgentId, ContainerId, SessionId};
use crate::ssh::{Authorities, PrivateKey};

/// The agent as its sessions see it.
#[derive(Debug)]
pub(super) struct Host {
    /// The identity, and the key of every host certificate.
    pub(super) key: PrivateKey,
    /// The sessions by id.
    pub(super) book: Book,
    /// How the containers are reached.
    pub(super) connector: Connector,
    /// What is executed for a session.
    pub(super) trampoline: PathBuf,
    /// The time.
    pub(super) clock: Clock,
    /// Ends everything.
    pub(super) shutdown: CancellationToken,
    /// What goes up the control connection.
    outbox: mpsc::Sender<FromAgent>,
    /// How many sessions of an earlier life are looked after at one time.
    sweeps: Semaphore,
    questions: Mutex<HashMap<u64, oneshot::Sender<Option<String>>>>,
    next_question: AtomicU64,
    standing: Mutex<Option<Standing>>,
}

/// Who the broker says that we are, and whom to trust.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// Our id, from which the containers' ids follow.
    pub(super) agent: AgentId,
    /// Who signs for users.
    pub(super) users: Arc<Authorities>,
}

impl Host {
    /// The shared part, and the other end of its outbox.
    pub(super) fn new(
        key: PrivateKey,
        connector: Connector,
        trampoline: PathBuf,
        clock: Clock,
        shutdown: CancellationToken,
    ) -> (Arc<Self>, mpsc::Receiver<FromAgent>) {
        let (outbox, sending) = mpsc::channel(OUTBOX);
        let book = Book::new(clock.clone());
        let (questions, next_question, standing) = (Mutex::default(), AtomicU64::new(1), Mutex::default());
        let sweeps = Semaphore::new(SWEEPS);
        let host =
            Self { key, book, connector, trampoline, clock, shutdown, outbox, sweeps, questions, next_question, standing };
        (Arc::new(host), sending)
    }

    /// Who we are, once the broker has said so.
    pub(super) fn standing(&self) -> Option<Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down who we are.
    pub(super) fn set_standing(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(standing);
    }

    /// Writes down whom to trust from now on; who we are stays.
    pub(super) fn set_users(&self, users: Arc<Authorities>) {
        if let Some(standing) = self.standing.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            standing.users = users;
        }
    }

    /// The container that the broker calls `container`, if we serve it.
    pub(super) fn container(&self, container: ContainerId) -> Option<ContainerReport> {
        let agent = self.standing()?.agent;
        let containers = self.connector.containers();
        let containers = containers.borrow();
        containers.values().find(|report| ContainerId::of(agent, &report.runtime_id) == container).cloned()
    }

    /// Sends `message` to the broker, as soon as there is a control connection. With a full outbox it is lost, and said so: the relay
    /// writes down the end of a session by itself.
    pub(super) fn tell(&self, message: FromAgent) {
        if self.outbox.try_send(message).is_err() {
            tracing::warn!("the broker is away for too long: a message to it is lost");
        }
    }

    /// Ends what is left of `sessions`, unless they are ours, and tells the broker of each.
    pub(super) fn sweep(self: &Arc<Self>, sessions: Vec<(SessionId, String)>) {
        for (session, runtime_id) in sessions {
            if !self.book.is_ours(session) {
                let host = Arc::clone(self);
                tokio::spawn(async move {
                    let Ok(_turn) = host.sweeps.acquire().await else { return };
                    host.connector.sweep(session, &runtime_id, &[]).await;
                    host.tell(FromAgent::Ended { session, outcome: Outcome::Disconnected });
                });
            }
        }
    }

    /// Asks the broker for leave to run a channel that was not declared at connect.
    ///
    /// # Errors
    /// Why not, as the user reads it.
    pub(super) async fn ask(&self, session: SessionId, channel: ChannelReport) -> Result<(), String> {
        let request = self.next_question.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.questions().insert(request, answer);
        self.tell(FromAgent::Channel { request, session, channel });
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, answered).await;
        self.questions().remove(&request);
        match answer {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(refused))) => Err(refused),
            Ok(Err(_)) | Err(_) => {
                Err("the broker did not answer in time, and nothing runs that it has not written down".to_owned())
            }
        }
    }

    /// The broker's answer. One to a question that nobody waits for any more is dropped.
    pub(super) fn answer(&self, request: u64, refused: Option<String>) {
        if let Some(answer) = self.questions().remove(&request) {
            let _ = answer.send(refused);
        }
    }

    fn questions(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Option<String>>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages that wait for a control connection: the ends of as many sessions.
const OUTBOX: usize = 1024;

/// Each may take five seconds, and in a container of a cluster some requests.
const SWEEPS: usize = 8;

/// How long a channel waits for the broker's leave.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
