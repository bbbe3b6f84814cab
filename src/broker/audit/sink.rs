//! Copies of the journal elsewhere: stdout, a file, a webhook. Each reads the durable journal at its own speed and keeps its place,
//! so that nothing is lost by an outage or a restart, and nothing waits for it.
//!
//! Order is the journal's. An event may come twice after a crash, to stdout and to a webhook; its number says so.

mod file;
mod place;

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::file::FileSink;
use self::place::Place;
use super::{Journal, JournalError, query};
use crate::broker::config::{Destination, Sink};
use crate::broker::webhook::{Webhook, WebhookError};
use crate::clock::Clock;

/// The sinks of a broker.
#[derive(Debug)]
pub(crate) struct Sinks {
    sinks: Vec<Arc<Desk>>,
    /// Counts how often files were to be opened anew.
    rotations: watch::Sender<u64>,
}

/// Those that are at work; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Working {
    tasks: JoinSet<()>,
    finish: CancellationToken,
}

/// Why a sink cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the audit sink {name}: {source}")]
pub struct SinkError {
    name: String,
    source: WebhookError,
}

/// How a sink is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRow {
    /// Its name.
    pub name: String,
    /// `stdout`, `file` or `webhook`.
    pub kind: String,
    /// The path or the URL.
    pub to: String,
    /// The last event that it has.
    pub delivered: u64,
    /// How many events it has not yet.
    pub behind: u64,
    /// Since when it fails, in seconds since 1970, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug)]
struct Desk {
    sink: Sink,
    webhook: Option<Webhook>,
    /// The file that keeps its place.
    place: PathBuf,
    state: Mutex<Progress>,
}

#[derive(Debug, Default, Clone)]
struct Progress {
    delivered: u64,
    failing: Option<(u64, String)>,
}

impl Sinks {
    /// Those of the configuration; their places are kept in `dir`, the journal's folder.
    ///
    /// # Errors
    /// [`SinkError`], for what the operator has to put right.
    pub(crate) fn new(sinks: &[Sink], dir: &Path) -> Result<Self, SinkError> {
        let desk = |sink: &Sink| {
            let webhook = match &sink.to {
                Destination::Webhook { url, secret, ca } => Some(Webhook::new(url.clone(), secret, ca.as_deref())),
                Destination::Stdout | Destination::File(_) => None,
            };
            let webhook = webhook.transpose().map_err(|source| SinkError { name: sink.name.clone(), source })?;
            let place = dir.join(format!("sink-{}.json", sink.name));
            Ok(Arc::new(Desk { sink: sink.clone(), webhook, place, state: Mutex::default() }))
        };
        Ok(Self { sinks: sinks.iter().map(desk).collect::<Result<_, SinkError>>()?, rotations: watch::Sender::new(0) })
    }

    /// Starts them on `journal`.
    pub(crate) fn start(&self, journal: &Journal, clock: &Clock) -> Working {
        let (mut tasks, finish) = (JoinSet::new(), CancellationToken::new());
        for desk in &self.sinks {
            let worker = Worker {
                desk: Arc::clone(desk),
                journal: journal.clone(),
                clock: clock.clone(),
                finish: finish.clone(),
                rotations: self.rotations.subscribe(),
                file: match &desk.sink.to {
                    Destination::File(path) => Some(FileSink::new(path.clone())),
                    Destination::Stdout | Destination::Webhook { .. } => None,
                },
            };
            tasks.spawn(worker.run());
        }
        Working { tasks, finish }
    }

    /// Files are opened anew, for whoever has moved them away.
    pub(crate) fn reopen(&self) {
        self.rotations.send_modify(|count| *count += 1);
    }

    /// How they are doing, where the journal's last event is `last`.
    pub(crate) fn rows(&self, last: u64) -> Vec<SinkRow> {
        let row = |desk: &Arc<Desk>| {
            let Progress { delivered, failing } = desk.progress();
            let (kind, to) = match &desk.sink.to {
                Destination::Stdout => ("stdout", String::new()),
                Destination::File(path) => ("file", path.display().to_string()),
                Destination::Webhook { url, .. } => ("webhook", shown(url)),
            };
            let (failing_since, error) = failing.unzip();
            let (name, behind) = (desk.sink.name.clone(), last.saturating_sub(delivered));
            SinkRow { name, kind: kind.to_owned(), to, delivered, behind, failing_since, error }
        };
        self.sinks.iter().map(row).collect()
    }
}

impl Working {
    /// Lets them deliver what is there, for at most `limit`; the rest waits for the next start.
    pub(crate) async fn finish(mut self, limit: Duration) {
        self.finish.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::warn!("not every audit sink has everything: the rest follows after the next start");
        }
    }
}

impl Desk {
    fn progress(&self) -> Progress {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Says once that it fails, and once that it works again.
    fn delivered(&self, place: &Place) {
        let failed = self.progress().failing.is_some();
        self.set(|progress| *progress = Progress { delivered: place.tip.seq, failing: None });
        if failed {
            tracing::info!("the audit sink {} takes events again", self.sink.name);
        }
    }

    fn failed(&self, error: &str, now: u64) {
        if self.progress().failing.is_none() {
            tracing::warn!("the audit sink {} takes no events, which wait in the journal: {error}", self.sink.name);
        }
        self.set(|progress| {
            let since = progress.failing.as_ref().map_or(now, |(since, _)| *since);
            progress.failing = Some((since, error.to_owned()));
        });
    }
}

struct Worker {
    desk: Arc<Desk>,
    journal: Journal,
    clock: Clock,
    /// Cancelled when the journal is complete.
    finish: CancellationToken,
    rotations: watch::Receiver<u64>,
    file: Option<FileSink>,
}

impl Worker {
    async fn run(mut self) {
        // Only the journal's end is no fault that the next try may not have.
        while let Err(error) = self.work().await {
            if matches!(error, JournalError::Closed) || self.finish.is_cancelled() {
                return;
            }
            self.desk.failed(&error.to_string(), self.clock.now());
            tokio::time::sleep(MOST_PAUSE).await;
        }
    }

    async fn work(&mut self) -> Result<(), JournalError> {
        let (path, mut durable) = (Arc::clone(&self.journal.path), self.journal.durable.clone());
        let (file, length) = (self.desk.place.clone(), self.journal.durable().length);
        let mut place = self.blocking(move |journal| Place::read(&file, journal, length)).await?;
        self.desk.set(|progress| progress.delivered = place.tip.seq);
        loop {
            let offset = place.offset;
            tokio::select! {
                more = durable.wait_for(|durable| durable.length > offset) => drop(more.map_err(|_| JournalError::Closed)?),
                () = self.finish.cancelled() => {}
            }
            // What comes in the same moment goes together.
            let _ = self.finish.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            let end = self.journal.durable().length;
            if end <= offset {
                // It was cancelled, and everything is delivered.
                return Ok(());
            }
            let lines = self.blocking(move |journal| query::raw_lines(journal, offset, end, MOST_LINES)).await?;
            let lines: Arc<[u8]> = lines.into();
            if !self.deliver(&lines).await {
                return Ok(());
            }
            place.advance(&lines);
            self.desk.delivered(&place);
            let (kept, at) = (place.clone(), self.desk.place.clone());
            let keeping = self.blocking(move |_| kept.keep(&at).map_err(io::Error::other)).await;
            if let Err(error) = keeping {
                tracing::warn!("where the audit sink {} is could not be kept: {error}", self.desk.sink.name);
            }
            tracing::debug!("{}: delivered through event {} of {}", self.desk.sink.name, place.tip.seq, path.display());
        }
    }

    /// Tries until the sink has taken `lines`; false when the broker ends before that.
    async fn deliver(&mut self, lines: &Arc<[u8]>) -> bool {
        let mut pause = LEAST_PAUSE;
        loop {
            match self.once(Arc::clone(lines)).await {
                Ok(()) => return true,
                Err(error) => self.desk.failed(&error, self.clock.now()),
            }
            // Half of it is chance, so that many brokers do not come back at once.
            let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
            if self.finish.run_until_cancelled(tokio::time::sleep(jittered)).await.is_none() {
                return false;
            }
            pause = (pause * 2).min(MOST_PAUSE);
        }
    }

    async fn once(&mut self, lines: Arc<[u8]>) -> Result<(), String> {
        if let Some(webhook) = &self.desk.webhook {
            return webhook.post(NDJSON, lines.to_vec(), self.clock.now()).await.map_err(|error| error.to_string());
        }
        let Some(mut file) = self.file.take() else {
            let written = tokio::task::spawn_blocking(move || {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&lines).and_then(|()| stdout.flush())
            });
            return flat(written.await);
        };
        if self.rotations.has_changed().unwrap_or(false) {
            self.rotations.mark_unchanged();
            file.close();
        }
        let (file, written) = tokio::task::spawn_blocking(move || {
            let written = file.deliver(&lines);
            (file, written)
        })
        .await
        .map_err(|error| error.to_string())?;
        self.file = Some(file);
        written.map_err(|error| error.to_string())
    }

    /// Does `work` with the journal's path where it may wait for the disk.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, JournalError> {
        let path = Arc::clone(&self.journal.path);
        let done = tokio::task::spawn_blocking(move || work(&path).map_err(|source| (path, source)));
        done.await
            .map_err(|_| JournalError::Closed)?
            .map_err(|(path, source)| JournalError::Io { path: path.to_path_buf(), source })
    }
}

/// A URL without what may be a secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    // Only a URL without a host refuses these, and it has none to begin with.
    let _ = (url.set_username(""), url.set_password(None));
    url.to_string()
}

fn flat(done: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), String> {
    done.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// JSON lines.
const NDJSON: &str = "application/x-ndjson";

/// How long a batch gathers.
const GATHER: Duration = Duration::from_millis(100);

/// The most events of a batch; in bytes it is a little more than a chunk of the journal's readers, 256 KiB.
const MOST_LINES: u64 = 500;

const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// A server that is back is found within a minute.
const MOST_PAUSE: Duration = Duration::from_secs(60);
