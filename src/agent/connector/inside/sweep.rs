//! The end of a session's processes by a shell in their container: the hang-up at once, the kill at three seconds.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{sweep_words, swept};
use crate::agent::sweep::{GIVE_UP, KILL_AFTER, Leader};
use crate::proto::SessionId;

/// Executes something in one container, beside the session.
pub(in crate::agent) trait Runner {
    /// Runs the container's shell with these arguments, as whoever may end most there, and returns what it wrote to its standard output.
    fn run(&self, arguments: Vec<String>) -> impl Future<Output = Result<Vec<u8>, RunError>> + Send;
}

/// Why nothing was executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::agent) enum RunError {
    /// The container is gone, and its processes with it.
    #[error("the container has stopped")]
    Gone,
    /// The container is paused.
    #[error("the container is paused")]
    Held,
    /// It has no shell.
    #[error("there is no shell in the container")]
    NoShell,
    /// Whatever else.
    #[error("{0}")]
    Failed(String),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) enum Swept {
    /// Nothing of the session is left.
    Clean,
    /// The container is paused: when it goes on, this is to be done again with what is known now.
    Held(Vec<Leader>),
    /// Something may be left, and why.
    Left(String),
}

/// Ends every process of `session`.
pub(in crate::agent) async fn sweep(runner: &impl Runner, session: SessionId, leaders: &[Leader]) -> Swept {
    let begun = Instant::now();
    let mut known = leaders.to_vec();
    for (round, at) in ROUNDS.into_iter().enumerate() {
        sleep((begun + at).saturating_duration_since(Instant::now())).await;
        // The hang-up goes out twice, for what was just being started at the first.
        let signal = match begun.elapsed() {
            elapsed if elapsed >= KILL_AFTER => "KILL",
            _ if round < 2 => "HUP",
            _ => "0",
        };
        match round_of(runner, session, signal, &mut known).await {
            Ok(true) => return Swept::Clean,
            Ok(false) => {}
            Err(RunError::Gone) => return Swept::Clean,
            Err(RunError::Held) => return Swept::Held(known),
            // One that cannot be reached now may be reached in a moment.
            Err(RunError::Failed(why)) if at < GIVE_UP => tracing::debug!(%session, %why, "a look into a container failed"),
            Err(error) => return Swept::Left(error.to_string()),
        }
    }
    Swept::Left("they do not end by a kill".to_owned())
}

/// Kills every process of `session` now.
pub(in crate::agent) async fn kill(runner: &impl Runner, session: SessionId, leaders: &[Leader]) {
    let mut known = leaders.to_vec();
    if let Err(error) = round_of(runner, session, "KILL", &mut known).await {
        tracing::debug!(%session, %error, "the processes of a session could not be killed");
    }
}

/// One look; whether nothing was there.
async fn round_of(runner: &impl Runner, session: SessionId, signal: &str, known: &mut Vec<Leader>) -> Result<bool, RunError> {
    let answer = runner.run(sweep_words(session, signal, known)).await?;
    let found = swept(&answer).ok_or_else(|| RunError::Failed("the container's shell gives no answer".to_owned()))?;
    let nothing = found.is_empty();
    for process in found {
        if !known.contains(&process) && known.len() < KNOWN {
            known.push(process);
        }
    }
    Ok(nothing)
}

/// When the container is looked into: each look costs an exec.
const ROUNDS: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(700),
    Duration::from_millis(1500),
    KILL_AFTER,
    Duration::from_millis(3300),
    Duration::from_millis(4000),
    GIVE_UP,
];

/// The most processes of a session that are remembered by number; the others still carry its marker.
const KNOWN: usize = 512;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::agent::connector::inside::inside;

    /// Answers from a list, and remembers what it was asked and when.
    struct Fake {
        answers: Mutex<Vec<Result<&'static str, RunError>>>,
        asked: Mutex<Vec<(Duration, Vec<String>)>>,
        begun: Instant,
    }

    impl Fake {
        fn new(answers: &[Result<&'static str, RunError>]) -> Self {
            let answers = answers.iter().rev().cloned().collect();
            Self { answers: Mutex::new(answers), asked: Mutex::default(), begun: Instant::now() }
        }

        /// The signals, each with the number of processes that were known before.
        fn signals(&self) -> Vec<(String, usize)> {
            self.asked.lock().unwrap().iter().map(|(_, words)| (words[4].clone(), words.len() - 5)).collect()
        }
    }

    impl Runner for Fake {
        async fn run(&self, arguments: Vec<String>) -> Result<Vec<u8>, RunError> {
            self.asked.lock().unwrap().push((self.begun.elapsed(), arguments));
            let answer = self.answers.lock().unwrap().pop().unwrap_or(Ok("found 9:9\n"));
            answer.map(|answer| answer.as_bytes().to_vec())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_hang_up_comes_at_once_and_the_kill_at_three_seconds() {
        let fake = Fake::new(&[
            Ok("found 7:1 8:1\n"),
            Ok("found 8:1\n"),
            Ok("found 8:1\n"),
            Ok("found 8:1\n"),
            Ok("found 8:1\n"),
            Ok("found\n"),
        ]);
        assert_eq!(sweep(&fake, SessionId::random(), &[inside(7, 1)]).await, Swept::Clean);
        let signals: Vec<(String, usize)> = [("HUP", 1), ("HUP", 2), ("0", 2), ("0", 2), ("KILL", 2), ("KILL", 2)]
            .map(|(name, known)| (name.to_owned(), known))
            .to_vec();
        assert_eq!(fake.signals(), signals);
        let killed_at = fake.asked.lock().unwrap()[4].0;
        assert!(killed_at >= KILL_AFTER && killed_at < KILL_AFTER + Duration::from_millis(50), "{killed_at:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clean_end_costs_one_look() {
        let fake = Fake::new(&[Ok("found\n")]);
        assert_eq!(sweep(&fake, SessionId::random(), &[]).await, Swept::Clean);
        assert_eq!(fake.signals().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_done_is_told() {
        let swept = |error: RunError| async move { sweep(&Fake::new(&[Err(error)]), SessionId::random(), &[]).await };
        assert_eq!(swept(RunError::Gone).await, Swept::Clean);
        assert_eq!(swept(RunError::Held).await, Swept::Held(vec![]));
        assert!(matches!(swept(RunError::NoShell).await, Swept::Left(_)));
        // A failure is tried again, and what never ends is told after five seconds.
        let begun = Instant::now();
        assert!(matches!(swept(RunError::Failed("busy".into())).await, Swept::Left(_)));
        assert!(begun.elapsed() >= GIVE_UP);
    }
}
