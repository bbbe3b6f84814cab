//! A session's process: a command in the pod's container, which runs what [`inside`](crate::agent::connector::inside) makes of the
//! wish. A cluster gives a command neither an environment nor another user than the container's own.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{oneshot, watch};

use super::exec::{Running, Target, Wanted};
use super::{ClusterError, Inner, KubernetesConnector};
use crate::agent::connector::inside::begin::{Begun, Execs, NOT_STARTED, Refusal, begin, no_program};
use crate::agent::connector::inside::sweep::{RunError, Runner};
use crate::agent::connector::inside::{NotStarted, signal_words};
use crate::agent::connector::remote::{RemoteControl, Wishes};
use crate::agent::connector::{Containers, Request, StartError};
use crate::agent::environment;
use crate::agent::process::{Ending, Process, Size};
use crate::agent::reaper::Exit;
use crate::agent::signals::signal_name;
use crate::agent::sweep::Leader;

impl KubernetesConnector {
    /// Starts what `request` asks for.
    pub(in crate::agent) async fn start(&self, runtime_id: &str, request: &Request<'_>) -> Result<Process, StartError> {
        let target = self.0.watch.target(runtime_id).ok_or(StartError::Gone)?;
        let exports = environment::marked(request.session, request.user, &request.variables);
        let container = InPod { inner: &self.0, target: &target, request };
        let (begun, leader) = begin(&container, &self.0.shells, runtime_id, request, &exports).await?;
        let Begun { stdin, stdout, stderr, run: Command { status, sizes } } = begun;
        let (control, wishes) = RemoteControl::new(request.terminal);
        let run = Run { inner: Arc::clone(&self.0), runtime_id: runtime_id.to_owned(), target, leader };
        tokio::spawn(run.clone().grant(wishes, sizes));
        let ending = Box::pin(run.ending(status));
        Ok(Process { stdin, stdout, stderr, ending, control: Arc::new(control), leader })
    }
}

/// One session's wish in one container.
struct InPod<'a> {
    inner: &'a Inner,
    target: &'a Target,
    request: &'a Request<'a>,
}

/// A command that was started.
struct Command {
    status: oneshot::Receiver<Result<Exit, String>>,
    sizes: watch::Sender<Option<Size>>,
}

impl Execs for InPod<'_> {
    type Run = Command;

    async fn exec(&self, words: Vec<String>, bare: bool) -> Result<Begun<Command>, StartError> {
        let (sizes, wanted) = watch::channel(None);
        let terminal = self.request.terminal.is_some();
        let wanted = Wanted { target: self.target, words: &words, stdin: true, sizes: terminal.then_some(wanted) };
        let running = self.inner.commands.start(wanted).await.map_err(explain)?;
        let program = words.into_iter().next().filter(|_| bare);
        let Running { stdin, stdout, stderr, status } = match program {
            Some(program) => explained(running, program, terminal),
            None => running,
        };
        let stderr = (!terminal).then(|| Box::new(stderr) as _);
        Ok(Begun { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr, run: Command { status, sizes } })
    }

    async fn resize(&self, command: &Command, size: Size) -> Result<(), StartError> {
        // It travels before what is written to the input afterwards, on the same connection, but is applied beside it.
        command.sizes.send_replace(Some(size));
        tokio::time::sleep(RESIZED).await;
        Ok(())
    }

    async fn refusal(&self, said: String, command: Command) -> Refusal {
        // Some runtimes say it in the command's output, others in its status.
        let status = tokio::time::timeout(STATUS, command.status).await;
        let words = match status {
            Ok(Ok(Err(words))) if said.is_empty() => words,
            _ => said,
        };
        match words.as_str() {
            "" => Refusal::Final(StartError::Gone),
            words if is_paused(words) => Refusal::Final(NotStarted::Held("paused").into()),
            words if Refusal::is_missing_file(words) && !is_missing_container(words) => Refusal::NotThere,
            _ => Refusal::Final(NotStarted::Refused(words).into()),
        }
    }
}

/// The same command, whose failure to start is told in better words than those of the runtime, which come in its output or its status.
fn explained(running: Running, program: String, terminal: bool) -> Running {
    let Running { stdin, stdout: mut from_out, stderr: mut from_err, status: mut from_status } = running;
    let (stdout, mut out) = tokio::io::duplex(PIPE);
    let (stderr, mut err) = tokio::io::duplex(PIPE);
    let (mut tell, status) = oneshot::channel();
    tokio::spawn(async move {
        let carried = async {
            let (missing, _) = tokio::join!(carry(&mut from_out, &mut out), tokio::io::copy(&mut from_err, &mut err));
            let ended = (&mut from_status).await.unwrap_or_else(|_| Err("nothing came".to_owned()));
            let (missing, ended) = match ended {
                Err(words) if Refusal::is_missing_file(&words) && !is_missing_container(&words) => (true, Ok(NOT_FOUND)),
                ended => (missing, ended),
            };
            if missing {
                let to = if terminal { &mut out } else { &mut err };
                // Whoever does not read it does not want it.
                let _ = to.write_all(no_program(&program).as_bytes()).await;
            }
            ended
        };
        let ended = tokio::select! {
            ended = carried => ended,
            () = tell.closed() => return,
        };
        drop((out, err));
        let _ = tell.send(ended);
    });
    Running { stdin, stdout, stderr, status }
}

/// Copies the output; whether all of it was a runtime's word that there is no such program.
async fn carry(from: &mut DuplexStream, to: &mut DuplexStream) -> bool {
    let mut first = vec![0; PIPE];
    let read = from.read(&mut first).await.unwrap_or(0);
    if first[..read].starts_with(NOT_STARTED) {
        return true;
    }
    if to.write_all(&first[..read]).await.is_ok() {
        let _ = tokio::io::copy(from, to).await;
    }
    false
}

/// A running command.
#[derive(Clone)]
struct Run {
    inner: Arc<Inner>,
    runtime_id: String,
    target: Target,
    leader: Option<Leader>,
}

impl Run {
    async fn ending(self, status: oneshot::Receiver<Result<Exit, String>>) -> Ending {
        match status.await {
            Ok(Ok(KILLED)) if self.container_has_stopped().await => Ending::Lost(None),
            Ok(Ok(exit)) => Ending::Exit(exit),
            _ if self.container_has_stopped().await => Ending::Lost(None),
            Ok(Err(why)) => Ending::Lost(Some(format!("how it ended is not known: {why}"))),
            Err(_) => Ending::Lost(Some("how it ended is not known".to_owned())),
        }
    }

    /// Whether the container stops just now: its processes are killed a good while before the cluster says so, but nothing can be
    /// executed in it any more.
    async fn container_has_stopped(&self) -> bool {
        match self.inner.beside(&self.runtime_id, &self.target).run(vec![":".to_owned()]).await {
            Ok(_) | Err(RunError::NoShell) => return false,
            Err(RunError::Gone) => return true,
            Err(error @ (RunError::Held | RunError::Failed(_))) => {
                tracing::debug!(%error, "nothing can be tried in the container")
            }
        }
        let mut containers = self.inner.watch.containers();
        let before = containers.borrow().get(&self.runtime_id).cloned();
        let Some(before) = before.filter(|report| report.runs()) else { return true };
        let over = |now: &Containers| now.get(&self.runtime_id).is_none_or(|now| !now.is_run_of(&before));
        tokio::time::timeout(STOPPING, containers.wait_for(over)).await.is_ok()
    }

    /// Does what is wished for until nobody wishes any more.
    async fn grant(self, mut wishes: Wishes, sizes: watch::Sender<Option<Size>>) {
        loop {
            tokio::select! {
                changed = wishes.size.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    sizes.send_replace(*wishes.size.borrow_and_update());
                }
                Some(signal) = wishes.signals.recv() => self.signal(signal).await,
            }
        }
    }

    async fn signal(&self, signal: Signal) {
        let Some(leader) = self.leader else { return };
        let words = signal_words(leader, &signal_name(signal.as_raw()));
        if let Err(error) = self.inner.beside(&self.runtime_id, &self.target).run(words).await {
            tracing::debug!(%error, "a signal was not delivered");
        }
    }
}

/// What a cluster's refusal means to the user.
pub(super) fn explain(error: ClusterError) -> StartError {
    match error {
        ClusterError::Refused { status: 404, .. } => StartError::Gone,
        ClusterError::Refused { status: 403, .. } => {
            NotStarted::Refused("the agent has no right to execute in this namespace: its operator has to give it".to_owned())
                .into()
        }
        ClusterError::Refused { message, .. } if is_missing_container(&message) => StartError::Gone,
        ClusterError::Refused { message, .. } if is_paused(&message) => NotStarted::Held("paused").into(),
        ClusterError::Refused { message, .. } => NotStarted::Refused(message).into(),
        ClusterError::Settings(_) | ClusterError::Away(_) | ClusterError::Unreadable(_) => {
            tracing::warn!(%error, "a command was not started");
            NotStarted::Away.into()
        }
    }
}

/// How they say that somebody has paused it, which clusters do not do themselves.
pub(super) fn is_paused(words: &str) -> bool {
    words.contains("paused")
}

/// How clusters say that the container itself is not there any more.
pub(super) fn is_missing_container(words: &str) -> bool {
    let missing =
        ["container not found", "not running", "is not created or running", "cannot exec in a stopped", "CONTAINER_EXITED"];
    missing.iter().any(|missing| words.contains(missing))
}

/// As shells say that there is no such program.
const NOT_FOUND: Exit = Exit::Status(127);

/// What waits for a slow reader of one output.
const PIPE: usize = 64 * 1024;

/// 128 and SIGKILL: by somebody, or by the end of the container.
pub(super) const KILLED: Exit = Exit::Status(137);

/// How long a new size may take to reach the terminal: there is no word about it.
const RESIZED: Duration = Duration::from_millis(20);

/// How long the status may come after the end of the output.
const STATUS: Duration = Duration::from_secs(5);

/// How long the cluster may take to say that a container has stopped, where trying does not tell.
const STOPPING: Duration = Duration::from_secs(3);
