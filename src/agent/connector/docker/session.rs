//! A session's process: an exec of the engine's, which runs what [`inside`](crate::agent::connector::inside) makes of the wish.
//!
//! The engine gives it the container's own limits, capabilities and filters; what the agent adds is a terminal with its size from the
//! first frame, an environment, the exact end, and the end of what is left over ([`super::sweep`]).

use std::sync::Arc;
use std::time::Duration;

use bollard::models::ExecConfig;
use rustix::process::{Pid, Signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::engine::{Engine, EngineError};
use super::outputs::{Outputs, Terminal};
use super::{DockerConnector, Inner};
use crate::agent::connector::inside::NotStarted;
use crate::agent::connector::inside::begin::{Begun, Execs, Refusal, begin};
use crate::agent::connector::remote::{RemoteControl, Wishes};
use crate::agent::connector::{Request, StartError};
use crate::agent::environment::{self, Variables};
use crate::agent::passwd::LoginError;
use crate::agent::process::{Ending, Output, Process, Size};
use crate::agent::reaper::Exit;
use crate::agent::sweep::Leader;

impl DockerConnector {
    /// Starts what `request` asks for.
    pub(in crate::agent) async fn start(&self, runtime_id: &str, request: &Request<'_>) -> Result<Process, StartError> {
        let engine = self.0.watch.engine().ok_or(NotStarted::Away)?;
        let container = InContainer { inner: &self.0, engine: &engine, container: runtime_id, request };
        let (begun, leader) = begin(&container, &self.0.shells, runtime_id, request, &Variables::new()).await?;
        let Begun { stdin, stdout, stderr, run: Exec { id, told, ended } } = begun;
        let (control, wishes) = RemoteControl::new(request.terminal);
        let run = Run { inner: Arc::clone(&self.0), engine, container: runtime_id.to_owned(), id, leader };
        tokio::spawn(run.clone().grant(wishes));
        let ending = Box::pin(run.ending(told, ended));
        Ok(Process { stdin, stdout, stderr, ending, control: Arc::new(control), leader })
    }
}

/// One session's wish in one container.
struct InContainer<'a> {
    inner: &'a Arc<Inner>,
    engine: &'a Engine,
    container: &'a str,
    request: &'a Request<'a>,
}

/// An exec that was started.
struct Exec {
    id: String,
    /// Its status, when the engine's events tell it.
    told: oneshot::Receiver<i64>,
    /// Told when its output has ended.
    ended: oneshot::Receiver<()>,
}

impl Execs for InContainer<'_> {
    type Run = Exec;

    async fn exec(&self, words: Vec<String>, bare: bool) -> Result<Begun<Exec>, StartError> {
        let terminal = self.request.terminal.is_some();
        let variables = environment::marked(self.request.session, self.request.user, &self.request.variables);
        let pairs = variables.iter().filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value.to_str()?)));
        let program = words.first().cloned().filter(|_| bare);
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(terminal),
            detach_keys: Some(DETACH_KEYS.to_owned()),
            env: Some(pairs.collect()),
            cmd: Some(words),
            user: (!self.request.login.is_default()).then(|| self.request.login.to_string()),
            ..ExecConfig::default()
        };
        let id = self.engine.create_exec(self.container, config).await.map_err(|error| self.explain(error))?;
        let told = self.inner.watch.end_of(&id);
        let raw = self.engine.start_exec(&id, terminal).await.map_err(|error| self.explain(error))?;
        let (reader, stdin) = tokio::io::split(raw);
        let (tell, ended) = oneshot::channel();
        let (stdout, stderr): (Output, Option<Output>) = match terminal {
            true => (Box::new(Terminal::new(reader, tell)), None),
            false => {
                let Outputs { stdout, stderr } = Outputs::of(reader, program, tell);
                (Box::new(stdout), Some(Box::new(stderr)))
            }
        };
        Ok(Begun { stdin: Box::new(stdin), stdout, stderr, run: Exec { id, told, ended } })
    }

    async fn resize(&self, exec: &Exec, size: Size) -> Result<(), StartError> {
        self.engine.resize_exec(&exec.id, size).await.map_err(|error| self.explain(error))
    }

    async fn refusal(&self, said: String, _: Exec) -> Refusal {
        match said.as_str() {
            "" => Refusal::Final(StartError::Gone),
            said if Refusal::is_missing_file(said) && !said.contains(NO_USER) => Refusal::NotThere,
            _ => Refusal::Final(self.explain_words(said)),
        }
    }
}

impl InContainer<'_> {
    fn explain(&self, error: EngineError) -> StartError {
        match error {
            EngineError::Refused { status: 404, .. } => StartError::Gone,
            EngineError::Refused { status: 409, message } if message.contains("not running") => StartError::Gone,
            EngineError::Refused { message, .. } => self.explain_words(message),
            EngineError::Away { .. } => NotStarted::Away.into(),
        }
    }

    fn explain_words(&self, message: String) -> StartError {
        if message.contains(NO_USER) {
            return LoginError::Unknown(self.request.login.clone()).into();
        }
        if message.contains("is paused") || message.contains("paused container") {
            return NotStarted::Held("paused").into();
        }
        if message.contains("is restarting") {
            return NotStarted::Held("restarting").into();
        }
        NotStarted::Refused(message).into()
    }
}

/// A running exec.
#[derive(Clone)]
struct Run {
    inner: Arc<Inner>,
    engine: Engine,
    container: String,
    id: String,
    leader: Option<Leader>,
}

impl Run {
    /// How it ended: once its output has, which is not before the last of it was read. The engine itself ends an output that a process
    /// in the background keeps open two seconds after the exec.
    async fn ending(self, mut told: oneshot::Receiver<i64>, mut ended: oneshot::Receiver<()>) -> Ending {
        let status = tokio::select! {
            _ = &mut ended => self.status(told).await,
            Ok(status) = &mut told => {
                let _ = tokio::time::timeout(OUTPUT, ended).await;
                Some(status)
            }
        };
        match status {
            Some(KILLED) if self.container_has_stopped().await => Ending::Lost(None),
            Some(status) => Ending::Exit(Exit::Status(u8::try_from(status).unwrap_or(u8::MAX))),
            None if self.container_has_stopped().await => Ending::Lost(None),
            None => Ending::Lost(Some("the Docker engine went away, so how it ended is not known".to_owned())),
        }
    }

    /// The status of an exec whose output has ended: told in a moment, or by asking. One may close its outputs and go on.
    async fn status(&self, mut told: oneshot::Receiver<i64>) -> Option<i64> {
        let mut pause = EVENT;
        loop {
            tokio::select! {
                Ok(status) = &mut told => return Some(status),
                () = sleep(pause) => {}
            }
            match self.engine.inspect_exec(&self.id).await {
                Ok(exec) if exec.running != Some(true) => return exec.exit_code,
                Ok(_) => pause = (pause * 2).min(ASK_SELDOM),
                Err(_) => return None,
            }
        }
    }

    /// Whether the container has stopped, or does so just now: its processes are killed a moment before the engine says so.
    async fn container_has_stopped(&self) -> bool {
        let deadline = Instant::now() + STOPPING;
        loop {
            match self.engine.inspect(&self.container).await {
                Ok(Some(container)) => {
                    if container.state.is_some_and(|state| state.running != Some(true) || state.restarting == Some(true)) {
                        return true;
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(ASK_AGAIN).await;
        }
    }

    /// Does what is wished for until nobody wishes any more.
    async fn grant(self, mut wishes: Wishes) {
        loop {
            tokio::select! {
                changed = wishes.size.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let size = *wishes.size.borrow_and_update();
                    if let Some(size) = size {
                        // Fails once the exec has ended.
                        let _ = self.engine.resize_exec(&self.id, size).await;
                    }
                }
                Some(signal) = wishes.signals.recv() => self.signal(signal).await,
            }
        }
    }

    async fn signal(&self, signal: Signal) {
        let Ok(exec) = self.engine.inspect_exec(&self.id).await else { return };
        if exec.running == Some(true) {
            let pid = exec.pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0).and_then(Pid::from_raw);
            self.inner.signal(&self.engine, &self.container, pid, self.leader, signal).await;
        }
    }
}

/// The engine watches a terminal's input for keys that detach from it and leave the process behind, by default Ctrl-P Ctrl-Q, and holds
/// back the first of them until it sees the next. There is no way to have none: these eight are typed by nobody, and only a lone
/// Ctrl-Space waits for the key after it.
const DETACH_KEYS: &str = "ctrl-@,ctrl-^,ctrl-_,ctrl-@,ctrl-_,ctrl-^,ctrl-@,ctrl-_";

/// How engines begin to say that the container has no such user.
const NO_USER: &str = "unable to find user";

/// 128 and SIGKILL: by somebody, or by the end of the container.
const KILLED: i64 = 137;

/// How long the output may go on after the end.
const OUTPUT: Duration = Duration::from_secs(30);

/// How long the engine's word about an end may come after the end of the output; then it is asked, ever less often.
const EVENT: Duration = Duration::from_millis(100);
const ASK_SELDOM: Duration = Duration::from_secs(1);

/// How often a container that may be stopping is looked at.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// How long a container may take to stop whose processes are killed.
const STOPPING: Duration = Duration::from_millis(500);
