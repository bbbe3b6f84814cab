//! The engine's containers, followed by its events: each change is looked up anew, so that nothing is concluded from an event's words.
//!
//! The events are listened to from a moment before the list is taken, and after every gap the list is taken again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use futures_util::stream::FuturesUnordered;
use futures_util::{Stream, StreamExt};
use tokio::sync::{oneshot, watch};

use super::engine::{Engine, EngineError};
use super::report::{self, Surroundings};
use crate::agent::connector::Containers;
use crate::proto::agent::ContainerReport;

/// Whoever follows the engine.
#[derive(Debug)]
pub(super) struct Watch {
    socket: PathBuf,
    surroundings: Surroundings,
    containers: watch::Sender<Containers>,
    engine: watch::Sender<Option<Engine>>,
    /// The ends of execs, for whoever waits for one.
    ends: Mutex<HashMap<String, oneshot::Sender<i64>>>,
}

impl Watch {
    /// Nothing is followed yet.
    pub(super) fn new(socket: PathBuf, surroundings: Surroundings) -> Self {
        let (containers, engine) = (watch::Sender::new(Containers::default()), watch::Sender::new(None));
        Self { socket, surroundings, containers, engine, ends: Mutex::default() }
    }

    /// What runs, and again at each change.
    pub(super) fn containers(&self) -> watch::Receiver<Containers> {
        self.containers.subscribe()
    }

    /// The engine, while it answers.
    pub(super) fn engine(&self) -> Option<Engine> {
        self.engine.borrow().clone()
    }

    /// The engine, when it answers within `limit`.
    pub(super) async fn engine_within(&self, limit: Duration) -> Option<Engine> {
        tokio::time::timeout(limit, self.looked_up()).await.ok()?
    }

    /// The engine, once it answers and its containers have been listed.
    pub(super) async fn looked_up(&self) -> Option<Engine> {
        self.engine.subscribe().wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Resolves to the status of the exec `id` when its end is told. Where it is not told, the engine has to be asked.
    pub(super) fn end_of(&self, id: &str) -> oneshot::Receiver<i64> {
        let (tell, told) = oneshot::channel();
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        // Those whose waiting has ended otherwise.
        ends.retain(|_, tell| !tell.is_closed());
        ends.insert(id.to_owned(), tell);
        told
    }

    /// Follows the engine for as long as this is polled.
    pub(super) async fn run(&self) {
        let mut pause = FIRST_PAUSE;
        let mut complained = false;
        loop {
            let followed = self.follow(&mut complained).await;
            self.engine.send_replace(None);
            let lived = followed.is_ok();
            let why = match followed {
                Ok(()) => "it has closed the stream of its events".to_owned(),
                Err(error) => error.to_string(),
            };
            if !complained {
                tracing::warn!("the Docker engine cannot be followed: {why}; trying again");
                complained = true;
            }
            pause = if lived { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::time::sleep(pause).await;
            // An engine that is only restarted is back by then; until it is, nobody can enter anything.
            if self.reachable().await.is_err() {
                self.publish(&BTreeMap::new());
            }
        }
    }

    async fn reachable(&self) -> std::io::Result<()> {
        tokio::net::UnixStream::connect(&self.socket).await.map(drop)
    }

    /// Follows one connection to its end.
    async fn follow(&self, complained: &mut bool) -> Result<(), EngineError> {
        let engine = Engine::connect(&self.socket).await?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().saturating_sub(OVERLAP);
        let filters = HashMap::from([("type", vec!["container"])]);
        let options = EventsOptionsBuilder::default().since(&since.to_string()).filters(&filters).build();
        let events = engine.docker().events(Some(options));
        let known = self.list(&engine).await?;
        self.publish(&known);
        self.engine.send_replace(Some(engine.clone()));
        if std::mem::take(complained) {
            tracing::info!("the Docker engine answers again");
        }
        tracing::info!(containers = known.len(), "following the Docker engine");
        self.apply(&engine, std::pin::pin!(events), known).await;
        Ok(())
    }

    /// Every container that is to be listed.
    async fn list(&self, engine: &Engine) -> Result<BTreeMap<String, ContainerReport>, EngineError> {
        // Without `all` those that are being restarted again and again would be missing.
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let list = engine.docker().list_containers(Some(options)).await;
        let list = list.map_err(|error| EngineError::Away { socket: self.socket.clone(), why: error.to_string() })?;
        let ids = list.into_iter().filter_map(|container| container.id);
        let looks = ids.map(|id| self.look(engine, id));
        let mut looks = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
        let mut known = BTreeMap::new();
        while let Some((id, report)) = looks.next().await {
            if let Some(report) = report? {
                known.insert(id, report);
            }
        }
        Ok(known)
    }

    /// Applies events until they end. At most [`AT_ONCE`] containers are being looked up; what happens to one meanwhile is looked up
    /// once more.
    async fn apply(
        &self,
        engine: &Engine,
        mut events: impl Stream<Item = Result<EventMessage, bollard::errors::Error>> + Unpin,
        mut known: BTreeMap<String, ContainerReport>,
    ) {
        let mut looks = FuturesUnordered::new();
        let (mut looking, mut dirty) = (HashSet::<String>::new(), HashSet::<String>::new());
        loop {
            let next = dirty.iter().find(|id| !looking.contains(*id)).cloned();
            if let Some(id) = next.filter(|_| looks.len() < AT_ONCE) {
                dirty.remove(&id);
                looking.insert(id.clone());
                looks.push(self.look(engine, id));
                continue;
            }
            tokio::select! {
                event = events.next() => match event {
                    Some(Ok(event)) => dirty.extend(self.hear(event)),
                    _ => return,
                },
                Some((id, report)) = looks.next() => {
                    looking.remove(&id);
                    let changed = match report {
                        Ok(Some(report)) => known.insert(id, report.clone()).as_ref() != Some(&report),
                        Ok(None) => known.remove(&id).is_some(),
                        Err(error) => return tracing::debug!(%error, "a container could not be looked up"),
                    };
                    if changed {
                        self.publish(&known);
                    }
                }
            }
        }
    }

    /// The container that an event makes worth a look.
    fn hear(&self, event: EventMessage) -> Option<String> {
        let actor = event.actor?;
        match event.action.as_deref().unwrap_or_default() {
            "exec_die" => {
                let attributes = actor.attributes.unwrap_or_default();
                let status = attributes.get("exitCode").and_then(|status| status.parse().ok());
                if let (Some(exec), Some(status)) = (attributes.get("execID"), status)
                    && let Some(tell) = self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(exec)
                {
                    let _ = tell.send(status);
                }
                None
            }
            // What people and health checks do inside; their number has no bound, and they change nothing that is listed.
            action if action.starts_with("exec_") => None,
            "top" | "attach" | "detach" | "resize" | "copy" | "export" | "archive-path" | "extract-to-dir" => None,
            _ => actor.id,
        }
    }

    async fn look(&self, engine: &Engine, id: String) -> (String, Result<Option<ContainerReport>, EngineError>) {
        let found = engine.inspect(&id).await;
        let report =
            found.map(|container| container.and_then(|container| report::of(&container, engine.host(), &self.surroundings)));
        (id, report)
    }

    fn publish(&self, known: &BTreeMap<String, ContainerReport>) {
        self.containers.send_if_modified(|published| {
            let changed = **published != *known;
            if changed {
                *published = Arc::new(known.clone());
            }
            changed
        });
    }
}

/// How long before the list the events are listened to, in seconds: both clocks are this machine's.
const OVERLAP: u64 = 2;

/// Containers that are looked up at one time.
const AT_ONCE: usize = 8;

/// Waits between attempts to reach the engine.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
