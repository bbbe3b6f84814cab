//! The end of a session's processes in a pod: by a second command there, the only way that a cluster has. It takes a shell in the
//! container, and ends what the container's own user may end.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::exec::{Running, Target, Wanted};
use super::session::{KILLED, is_missing_container, is_paused};
use super::{ClusterError, Inner, KubernetesConnector};
use crate::agent::connector::inside;
use crate::agent::connector::inside::begin::{NOT_STARTED, Refusal};
use crate::agent::connector::inside::sweep::{RunError, Runner, Swept};
use crate::agent::sweep::Leader;
use crate::proto::SessionId;

impl KubernetesConnector {
    /// Ends what `session` has left in the container.
    pub(in crate::agent) async fn sweep(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        // An agent that has just started may know of the session before it knows the pod.
        let Some(target) = self.0.target_within(runtime_id, KNOWN).await else { return };
        match inside::sweep::sweep(&self.0.beside(runtime_id, &target), session, leaders).await {
            Swept::Clean => {}
            // Clusters do not pause containers; whatever held this one, nothing says when it goes on.
            Swept::Held(_) => {
                tracing::warn!(%session, "processes of an ended session may be left in their container: it is paused")
            }
            Swept::Left(why) => tracing::warn!(%session, %why, "processes of an ended session may be left in their container"),
        }
    }

    /// Kills what `session` has left in the container, now.
    pub(in crate::agent) async fn kill(&self, session: SessionId, runtime_id: &str, leaders: &[Leader]) {
        if let Some(target) = self.0.watch.target(runtime_id) {
            inside::sweep::kill(&self.0.beside(runtime_id, &target), session, leaders).await;
        }
    }
}

impl Inner {
    /// Where the container is, once it is known within `limit`; nothing when it is not there.
    async fn target_within(&self, runtime_id: &str, limit: Duration) -> Option<Target> {
        let mut containers = self.watch.containers();
        let _ = timeout(limit, containers.wait_for(|now| now.contains_key(runtime_id))).await;
        self.watch.target(runtime_id)
    }

    /// Whoever executes beside a session in a container.
    pub(super) fn beside<'a>(&'a self, runtime_id: &'a str, target: &'a Target) -> Beside<'a> {
        Beside { inner: self, runtime_id, target }
    }
}

/// Executes beside a session, as the container's own user.
pub(super) struct Beside<'a> {
    inner: &'a Inner,
    runtime_id: &'a str,
    target: &'a Target,
}

impl Runner for Beside<'_> {
    async fn run(&self, arguments: Vec<String>) -> Result<Vec<u8>, RunError> {
        let tries = match self.inner.shells.known(self.runtime_id) {
            Some(shell) => vec![shell],
            None => self.inner.shells.to_try(self.runtime_id).into_iter().map(|(_, shell)| shell).collect(),
        };
        for shell in tries {
            let words: Vec<String> = shell.iter().map(|word| (*word).to_owned()).chain(arguments.iter().cloned()).collect();
            match timeout(RUN, self.once(&words)).await.map_err(|_| RunError::Failed("it takes too long".to_owned()))? {
                Err(RunError::NoShell) => {}
                answer => return answer,
            }
        }
        Err(RunError::NoShell)
    }
}

impl Beside<'_> {
    async fn once(&self, words: &[String]) -> Result<Vec<u8>, RunError> {
        let wanted = Wanted { target: self.target, words, stdin: false, sizes: None };
        let Running { stdin, stdout, mut stderr, status } = self.inner.commands.start(wanted).await.map_err(explain)?;
        drop(stdin);
        let (mut answer, mut errors, mut stdout) = (Vec::new(), Vec::new(), stdout.take(ANSWER));
        let mut complaints = (&mut stderr).take(ANSWER);
        let read = tokio::join!(stdout.read_to_end(&mut answer), complaints.read_to_end(&mut errors));
        read.0.map_err(|error| RunError::Failed(error.to_string()))?;
        // Where something is missing, runtimes say so in the output or in the status.
        let (failed, why) = match timeout(RUN, status).await {
            Ok(Ok(Err(why))) => (true, why),
            Ok(Ok(Ok(exit))) => {
                (exit == KILLED || answer.starts_with(NOT_STARTED), String::from_utf8_lossy(&answer).into_owned())
            }
            Ok(Err(_)) | Err(_) => (true, "it takes too long".to_owned()),
        };
        match why {
            _ if !failed => Ok(answer),
            why if is_missing_container(&why) => Err(RunError::Gone),
            why if is_paused(&why) => Err(RunError::Held),
            why if Refusal::is_missing_file(&why) => Err(RunError::NoShell),
            why => Err(RunError::Failed(why)),
        }
    }
}

fn explain(error: ClusterError) -> RunError {
    match error {
        ClusterError::Refused { status: 404, .. } => RunError::Gone,
        ClusterError::Refused { message, .. } if is_missing_container(&message) => RunError::Gone,
        ClusterError::Refused { message, .. } if is_paused(&message) => RunError::Held,
        error => RunError::Failed(error.to_string()),
    }
}

/// How long an agent that has just started may take to know its pods.
const KNOWN: Duration = Duration::from_secs(10);

/// How long one look into a container may take.
const RUN: Duration = Duration::from_secs(10);

/// The most bytes of an answer: a few thousand processes.
const ANSWER: u64 = 256 * 1024;
