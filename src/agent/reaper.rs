//! The one place that waits for children.
//!
//! As PID 1 (or as the subreaper of its descendants) the agent waits for every child there is, also those that it never started;
//! as a part of another program it waits for its own and for no other.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// With this status.
    Status(u8),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// The status as a shell tells it: 128 and the signal's number where one ended the process.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Status(status) => status,
            Self::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

/// Whom a [`Reaper`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orphans {
    /// Everybody's orphans too: this process is their parent of last resort.
    Reap,
    /// Only what this reaper started.
    Leave,
}

/// A child, and the news of its end.
#[derive(Debug)]
pub(super) struct Child {
    /// Its process id, not used again by the system before the end has been told.
    pub(super) pid: Pid,
    /// Its end; an error when the reaper is gone.
    pub(super) exit: oneshot::Receiver<Exit>,
}

/// Starts children and waits for them. Clones are one reaper.
#[derive(Debug, Clone)]
pub(super) struct Reaper(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    orphans: Orphans,
    children: Mutex<Children>,
}

#[derive(Debug, Default)]
struct Children {
    waiting: HashMap<Pid, oneshot::Sender<Exit>>,
    /// Whether a task listens for SIGCHLD.
    watched: bool,
}

impl Reaper {
    /// A reaper of children that there are not yet.
    pub(super) fn new(orphans: Orphans) -> Self {
        Self(Arc::new(Inner { orphans, children: Mutex::default() }))
    }

    /// Starts a child by `start`, which returns its process id.
    ///
    /// The lock is held over the start, for two reasons: a child that ends at once must find its entry, and when an `exec` fails std
    /// itself waits for the child and panics if somebody else has already done so.
    ///
    /// # Errors
    /// What `start` returns, and when SIGCHLD cannot be listened for.
    pub(super) fn start<E: From<io::Error>>(&self, start: impl FnOnce() -> Result<u32, E>) -> Result<Child, E> {
        let mut children = self.0.lock();
        if !children.watched {
            let news = signal(SignalKind::child())?;
            tokio::spawn(watch(Arc::downgrade(&self.0), news));
            children.watched = true;
        }
        let pid = i32::try_from(start()?).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the system gave no process id"))?;
        let (told, exit) = oneshot::channel();
        children.waiting.insert(pid, told);
        Ok(Child { pid, exit })
    }

    /// Does `work` to the child `pid` unless it has been waited for: from then on its number may be somebody else's.
    pub(super) fn while_there(&self, pid: Pid, work: impl FnOnce()) {
        let children = self.0.lock();
        if children.waiting.contains_key(&pid) {
            work();
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Children> {
        // Nothing under this lock leaves it half-changed.
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reap(&self) {
        let mut children = self.lock();
        match self.orphans {
            Orphans::Reap => {
                while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                    if let (Some(exit), Some(told)) = (exit_of(status), children.waiting.remove(&pid)) {
                        let _ = told.send(exit);
                    }
                }
            }
            Orphans::Leave => {
                let pids: Vec<Pid> = children.waiting.keys().copied().collect();
                for pid in pids {
                    // An error is a child that somebody else has waited for: its status is lost, its end is not.
                    let exit = match waitpid(Some(pid), WaitOptions::NOHANG) {
                        Ok(None) => continue,
                        Ok(Some((_, status))) => exit_of(status),
                        Err(_) => Some(Exit::Status(u8::MAX)),
                    };
                    if let (Some(exit), Some(told)) = (exit, children.waiting.remove(&pid)) {
                        let _ = told.send(exit);
                    }
                }
            }
        }
    }
}

/// Reaps at every SIGCHLD until the reaper is gone. Several signals may come as one, so each means "look at all of them".
async fn watch(reaper: Weak<Inner>, mut news: Signal) {
    loop {
        match reaper.upgrade() {
            Some(reaper) => reaper.reap(),
            None => return,
        }
        if news.recv().await.is_none() {
            return;
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    if let Some(status) = status.exit_status() {
        return Some(Exit::Status(u8::try_from(status).unwrap_or(u8::MAX)));
    }
    status.terminating_signal().map(Exit::Signal)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    async fn end_of(reaper: &Reaper, script: &str) -> Exit {
        let child = reaper.start(|| Command::new("sh").args(["-c", script]).spawn().map(|child| child.id())).unwrap();
        tokio::time::timeout(Duration::from_secs(10), child.exit).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn statuses_and_signals_are_told_exactly() {
        let reaper = Reaper::new(Orphans::Leave);
        assert_eq!(end_of(&reaper, "exit 7").await, Exit::Status(7));
        assert_eq!(end_of(&reaper, "kill -TERM $$").await, Exit::Signal(15));
        assert_eq!(Exit::Signal(15).code(), 143);
        assert_eq!(end_of(&reaper, "exit 0").await, Exit::Status(0));
    }

    #[tokio::test]
    async fn another_ones_child_is_left_to_its_parent() {
        let mut foreign = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
        assert_eq!(end_of(&Reaper::new(Orphans::Leave), "sleep 0.1").await, Exit::Status(0));
        assert_eq!(foreign.wait().unwrap().code(), Some(3));
    }

    #[tokio::test]
    async fn the_number_of_a_child_that_was_waited_for_is_left_alone() {
        let reaper = Reaper::new(Orphans::Leave);
        let child = reaper.start(|| Command::new("sleep").arg("600").spawn().map(|child| child.id())).unwrap();
        let mut worked = 0;
        reaper.while_there(child.pid, || {
            worked += rustix::process::kill_process(child.pid, rustix::process::Signal::KILL).is_ok() as u8
        });
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), child.exit).await.unwrap().unwrap(), Exit::Signal(9));
        reaper.while_there(child.pid, || worked += 1);
        assert_eq!(worked, 1);
    }

    #[tokio::test]
    async fn a_start_that_fails_is_an_error_and_nothing_is_left() {
        let reaper = Reaper::new(Orphans::Leave);
        let failed = reaper.start(|| Command::new("/no/such/program").spawn().map(|child| child.id()));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(reaper.0.lock().waiting.is_empty());
    }
}
