//! The end of a session's processes in a container. No engine ends an exec whose client has left.
//!
//! Where the agent sees the engine's processes (on the host, or in a container with the host's process ids) it ends them itself; else a
//! second exec does, by the shell that is there. What cannot be ended now because the container is paused is ended when it goes on.

use std::sync::Arc;
use std::time::Duration;

use bollard::models::ExecConfig;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::engine::{Engine, EngineError};
use super::outputs::Outputs;
use super::processes::{self, Namespace};
use super::{DockerConnector, Inner, report};
use crate::agent::connector::Containers;
use crate::agent::connector::inside::sweep::{RunError, Runner, Swept};
use crate::agent::connector::inside::{self, signal_words};
use crate::agent::signals::signal_name;
use crate::agent::sweep::{self, Leader};
use crate::proto::SessionId;
use crate::proto::agent::RUNNING;

impl DockerConnector {
    /// Ends what `session` has left in the container.
    pub(in crate::agent) async fn sweep(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        // An agent that has just started may know of the session before it knows the engine.
        let Some(engine) = self.0.watch.engine_within(ENGINE).await else {
            return tracing::warn!(%session, "the Docker engine is away: whether processes of an ended session are left is not known");
        };
        if let Some(namespace) = self.0.namespace(&engine, runtime_id).await {
            return sweep::sweep(session, leaders, &|processes, leaders| namespace.led(processes, leaders)).await;
        }
        let runner = self.0.runner(&engine, runtime_id);
        match inside::sweep::sweep(&runner, session, leaders).await {
            Swept::Clean => {}
            Swept::Left(why) => tracing::warn!(%session, %why, "processes of an ended session may be left in their container"),
            Swept::Held(known) => {
                tracing::info!(%session, "the processes of a session end when their container goes on");
                tokio::spawn(Arc::clone(&self.0).sweep_later(session, runtime_id.to_owned(), known));
            }
        }
    }

    /// Kills what `session` has left in the container, now.
    pub(in crate::agent) async fn kill(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        let Some(engine) = self.0.watch.engine() else { return };
        match self.0.namespace(&engine, runtime_id).await {
            Some(namespace) => sweep::kill(session, leaders, &|processes, leaders| namespace.led(processes, leaders)),
            None => inside::sweep::kill(&self.0.runner(&engine, runtime_id), session, leaders).await,
        }
    }
}

impl Inner {
    /// Where the container's processes are, if the agent sees them.
    async fn namespace(&self, engine: &Engine, container: &str) -> Option<Namespace> {
        let inspected = engine.inspect(container).await.ok()??;
        Namespace::of(report::first_process(&inspected)?)
    }

    fn runner<'a>(&'a self, engine: &'a Engine, container: &'a str) -> Beside<'a> {
        Beside { inner: self, engine, container }
    }

    /// Waits until the container goes on, or is gone, and then ends what `session` has left there.
    async fn sweep_later(self: Arc<Self>, session: SessionId, container: String, known: Vec<Leader>) {
        let mut containers = self.watch.containers();
        loop {
            let goes_on = |now: &Containers| now.get(&container).is_none_or(|now| now.state == RUNNING);
            match containers.wait_for(goes_on).await {
                Ok(now) if now.contains_key(&container) => {}
                _ => return,
            }
            let Some(engine) = self.watch.engine() else { return };
            match inside::sweep::sweep(&self.runner(&engine, &container), session, &known).await {
                Swept::Held(_) => tokio::time::sleep(AGAIN).await,
                Swept::Clean => return,
                Swept::Left(why) => {
                    return tracing::warn!(%session, %why, "processes of an ended session may be left in their container");
                }
            }
        }
    }

    /// Signals the job of the exec whose first process is `pid` to the engine and `leader` to the container.
    pub(super) async fn signal(
        &self,
        engine: &Engine,
        container: &str,
        pid: Option<Pid>,
        leader: Option<Leader>,
        signal: Signal,
    ) {
        if self.namespace(engine, container).await.is_some()
            && let Some(pid) = pid
        {
            if kill_process_group(processes::foreground(pid).unwrap_or(pid), signal).is_err() {
                let _ = kill_process(pid, signal);
            }
        } else if let Some(leader) = leader {
            let words = signal_words(leader, &signal_name(signal.as_raw()));
            if let Err(error) = self.runner(engine, container).run(words).await {
                tracing::debug!(%error, "a signal was not delivered");
            }
        }
    }
}

/// Executes beside a session, as root of the container: who may end everything there.
struct Beside<'a> {
    inner: &'a Inner,
    engine: &'a Engine,
    container: &'a str,
}

impl Runner for Beside<'_> {
    async fn run(&self, arguments: Vec<String>) -> Result<Vec<u8>, RunError> {
        let tries = match self.inner.shells.known(self.container) {
            Some(shell) => vec![shell],
            None => self.inner.shells.to_try(self.container).into_iter().map(|(_, shell)| shell).collect(),
        };
        for shell in tries {
            let words = shell.iter().map(|word| (*word).to_owned()).chain(arguments.iter().cloned()).collect();
            let answer =
                timeout(RUN, self.once(words)).await.map_err(|_| RunError::Failed("it takes too long".to_owned()))??;
            if !answer.starts_with(b"OCI runtime exec failed") {
                return Ok(answer);
            }
        }
        Err(RunError::NoShell)
    }
}

impl Beside<'_> {
    async fn once(&self, words: Vec<String>) -> Result<Vec<u8>, RunError> {
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(words),
            user: Some("0".to_owned()),
            ..ExecConfig::default()
        };
        let id = self.engine.create_exec(self.container, config).await.map_err(explain)?;
        let raw = self.engine.start_exec(&id, false).await.map_err(explain)?;
        let (tell, _) = tokio::sync::oneshot::channel();
        let Outputs { stdout, mut stderr } = Outputs::of(raw, None, tell);
        let (mut answer, mut ignored) = (Vec::new(), tokio::io::sink());
        let mut stdout = stdout.take(ANSWER);
        let read = tokio::join!(stdout.read_to_end(&mut answer), tokio::io::copy(&mut stderr, &mut ignored));
        read.0.map_err(|error| RunError::Failed(error.to_string()))?;
        Ok(answer)
    }
}

fn explain(error: EngineError) -> RunError {
    match error {
        EngineError::Refused { status: 404, .. } => RunError::Gone,
        EngineError::Refused { message, .. } if message.contains("not running") => RunError::Gone,
        EngineError::Refused { message, .. } if message.contains("paused") => RunError::Held,
        error => RunError::Failed(error.to_string()),
    }
}

/// How long an engine that does not answer is waited for.
const ENGINE: Duration = Duration::from_secs(10);

/// How long one look into a container may take.
const RUN: Duration = Duration::from_secs(10);

/// The most bytes of an answer: a few thousand processes.
const ANSWER: u64 = 256 * 1024;

/// A container that was paused again at once is looked at again after this.
const AGAIN: Duration = Duration::from_millis(200);
