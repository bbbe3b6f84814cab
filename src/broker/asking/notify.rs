//! Telling other servers of requests, answers and broken glass: signed, in order, again until it is taken.
//!
//! A notice is in the database before anybody is told, so that nothing waits for the other server and neither its outage nor a restart
//! loses one. `deploy/notify.md` says what stands in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify as Wake;

use super::Request;
use crate::broker::State;
use crate::broker::audit::BreakGlass;
use crate::broker::config::{Notify, NotifyOf};
use crate::broker::policy::Approvers;
use crate::broker::store::StoreError;
use crate::broker::webhook::{Webhook, WebhookError};
use crate::proto::asking::RequestState;
use crate::proto::{Actions, RequestId, SessionId};

/// The servers that are told.
#[derive(Debug, Default)]
pub(crate) struct Notifier {
    hooks: Vec<Hook>,
    /// Tells apart what happens in the same second.
    count: AtomicU64,
}

/// Why one cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the server to notify {name}: {source}")]
pub struct NotifyError {
    name: String,
    source: WebhookError,
}

#[derive(Debug)]
struct Hook {
    name: String,
    of: Vec<NotifyOf>,
    webhook: Webhook,
    wake: Wake,
}

/// What a server is told: one JSON object.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Notice {
    event: NotifyOf,
    /// When it happened, in seconds since 1970.
    time: u64,
    /// What the broker calls itself.
    broker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestId>,
    /// The page where it can be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionId>,
    /// Who asks, or broke the glass.
    user: String,
    container: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    login: String,
    actions: Actions,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    /// Who has to approve still, or would have had to.
    approvers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<RequestState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_address: Option<String>,
}

impl Notifier {
    /// The servers of the configuration.
    ///
    /// # Errors
    /// [`NotifyError`], for what the operator has to put right.
    pub(crate) fn new(servers: &[Notify]) -> Result<Self, NotifyError> {
        let hook = |server: &Notify| {
            let webhook = Webhook::new(server.url.clone(), &server.secret, server.ca.as_deref())
                .map_err(|source| NotifyError { name: server.name.clone(), source })?;
            Ok(Hook { name: server.name.clone(), of: server.events.clone(), webhook, wake: Wake::new() })
        };
        Ok(Self { hooks: servers.iter().map(hook).collect::<Result<_, NotifyError>>()?, count: AtomicU64::new(0) })
    }

    /// Whether anybody is told of `what`.
    pub(crate) fn tells_of(&self, what: NotifyOf) -> bool {
        self.hooks.iter().any(|hook| hook.of.contains(&what))
    }

    /// Keeps `notice` for all who are to be told.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(crate) async fn raise(&self, state: &State, notice: &Notice) -> Result<(), StoreError> {
        let body = serde_json::to_string(notice).unwrap_or_default();
        // Seconds first: numbers go on after a restart.
        let number = notice.time * STEPS + self.count.fetch_add(1, Ordering::Relaxed) % STEPS;
        for hook in self.hooks.iter().filter(|hook| hook.of.contains(&notice.event)) {
            let place = (state.instance.as_str(), hook.name.as_str());
            let forgotten = state.store.add_notice(place, number, notice.time, &body, MOST).await?;
            if forgotten > 0 {
                tracing::error!(hook = %hook.name, "more than {MOST} notices wait: the oldest is forgotten");
            }
            hook.wake.notify_one();
        }
        Ok(())
    }
}

/// Tells the servers until the broker stops, each in a task of its own.
pub(crate) async fn keep_telling(state: Arc<State>) {
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..state.notifier.hooks.len() {
        let state = Arc::clone(&state);
        tasks.spawn(async move {
            if let Some(hook) = state.notifier.hooks.get(index) {
                state.shutdown.run_until_cancelled(hook.work(&state)).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

impl Hook {
    async fn work(&self, state: &State) {
        let mut pause = LEAST_PAUSE;
        loop {
            match self.next(state).await {
                Ok(true) => {
                    if pause > LEAST_PAUSE {
                        tracing::info!(hook = %self.name, "the server takes notices again");
                    }
                    pause = LEAST_PAUSE;
                }
                Ok(false) => {
                    // Another look now and then costs nothing, and finds what a wake-up has missed.
                    let _ = tokio::time::timeout(MOST_PAUSE, self.wake.notified()).await;
                }
                Err(error) => {
                    if pause == LEAST_PAUSE {
                        tracing::warn!(hook = %self.name, %error, "the server takes no notices, which wait in the database");
                    }
                    // Half of it is chance, so that many brokers do not come back at once.
                    tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                    pause = (pause * 2).min(MOST_PAUSE);
                }
            }
        }
    }

    /// Tells the oldest; whether there was one.
    async fn next(&self, state: &State) -> Result<bool, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let Some(waiting) = state.store.next_notice(&state.instance, &self.name).await.map_err(|error| text(&error))? else {
            return Ok(false);
        };
        let body = waiting.body.into_bytes();
        self.webhook.post("application/json", body, state.clock.now()).await.map_err(|error| text(&error))?;
        state.store.remove_notice(&waiting.id).await.map_err(|error| text(&error))?;
        Ok(true)
    }
}

impl Notice {
    /// Somebody asks.
    pub(crate) fn made(state: &State, request: &Request) -> Self {
        Self {
            event: NotifyOf::Request,
            time: state.clock.now(),
            broker: state.config.public_url_text().to_owned(),
            request: Some(request.id),
            url: Some(format!("{}/requests/{}", state.config.public_url_text(), request.id)),
            session: None,
            user: request.user.clone(),
            container: request.container.clone(),
            scope: Some(request.scope_in_words()),
            place: Some(request.place.clone()),
            login: request.login.to_string(),
            actions: request.actions,
            reason: request.reason.clone(),
            seconds: Some(request.seconds),
            expires_at: Some(request.expires_at),
            approvers: request.missing().iter().map(Approvers::to_string).collect(),
            answer: None,
            by: None,
            answer_reason: None,
            until: None,
            client_address: None,
        }
    }

    /// `by` has answered, or withdrawn it.
    pub(crate) fn answered(state: &State, request: &Request, word: RequestState, by: &str) -> Self {
        Self {
            event: NotifyOf::Answer,
            answer: Some(word),
            by: Some(by.to_owned()),
            answer_reason: request.ended_reason.clone(),
            until: request.until.filter(|_| word == RequestState::Approved),
            ..Self::made(state, request)
        }
    }

    /// Somebody goes in without the approval that policy asks for.
    pub(crate) fn broke_glass(state: &State, broke: &BreakGlass) -> Self {
        Self {
            event: NotifyOf::BreakGlass,
            time: state.clock.now(),
            broker: state.config.public_url_text().to_owned(),
            request: None,
            url: None,
            session: Some(broke.session),
            user: broke.user.clone(),
            container: broke.container_name.clone(),
            scope: None,
            place: None,
            login: broke.login.clone(),
            actions: broke.actions,
            reason: broke.reason.clone(),
            seconds: None,
            expires_at: None,
            approvers: broke.approvers.clone(),
            answer: None,
            by: None,
            answer_reason: None,
            until: Some(broke.deadline),
            client_address: Some(broke.client_address.clone()),
        }
    }
}

/// Notices of one second that keep their order.
const STEPS: u64 = 1_000_000;

/// The most that wait for one server: some megabytes.
const MOST: u64 = 10_000;

const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// A server that is back is found within a minute.
const MOST_PAUSE: Duration = Duration::from_secs(60);
