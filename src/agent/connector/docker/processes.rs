//! A container's processes as the engine's machine sees them: which are led by a process that is known by the container's own number.

use std::collections::HashSet;
use std::path::PathBuf;

use rustix::process::Pid;

use crate::agent::sweep::{Leader, Process, Snapshot};

/// The PID namespace of a container, by its link in `/proc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Namespace(PathBuf);

impl Namespace {
    /// The one of the container whose first process is `first`.
    pub(super) fn of(first: Pid) -> Option<Self> {
        link(first.as_raw_nonzero().get()).map(Self)
    }

    /// The processes that one of `leaders` is, in the container's numbers, or that are in a Unix session of one.
    pub(super) fn led(&self, processes: &Snapshot, leaders: &[Leader]) -> HashSet<i32> {
        if leaders.is_empty() {
            return HashSet::new();
        }
        let there: Vec<(&Process, Numbers)> = processes
            .values()
            .filter(|process| link(process.pid).as_ref() == Some(&self.0))
            .filter_map(|process| Some((process, Numbers::read(process.pid)?)))
            .collect();
        // A number that somebody else has by now leads nobody.
        let leads = |leader: &&Leader| {
            let mut holder = there.iter().filter(|(_, numbers)| numbers.pid == leader.pid);
            holder.all(|(process, _)| process.started == leader.started)
        };
        let leaders: HashSet<i32> = leaders.iter().filter(leads).map(|leader| leader.pid).collect();
        let led = |numbers: &Numbers| leaders.contains(&numbers.pid) || leaders.contains(&numbers.session);
        there.iter().filter(|(_, numbers)| led(numbers)).map(|(process, _)| process.pid).collect()
    }
}

/// A process as its own PID namespace numbers it.
#[derive(Debug)]
struct Numbers {
    pid: i32,
    session: i32,
}

impl Numbers {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    /// The last number of a line is that of the innermost namespace.
    fn parse(status: &str) -> Option<Self> {
        let last = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_ascii_whitespace().last()?.parse().ok()
        };
        Some(Self { pid: last("NSpid:")?, session: last("NSsid:")? })
    }
}

fn link(pid: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// The foreground job of the terminal that the process controls, if it has one.
pub(super) fn foreground(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // After the name, which is in parentheses and may hold anything: the state and four numbers come before it.
    let (_, fields) = stat.rsplit_once(')')?;
    let group = fields.split_ascii_whitespace().nth(5)?.parse().ok().filter(|group| *group > 0)?;
    Pid::from_raw(group)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::agent::sweep::snapshot;

    #[test]
    fn a_leader_is_known_by_its_containers_numbers() {
        let unshare = Command::new("unshare")
            .args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"])
            // The container's own process, and one that leads a Unix session there.
            .args(["sh", "-c", "setsid sleep 600 & sleep 600"])
            .spawn();
        let Ok(mut unshare) = unshare else { return };
        let deadline = Instant::now() + Duration::from_secs(10);
        let (own, parent) = (link(i32::try_from(std::process::id()).unwrap()), i32::try_from(unshare.id()).unwrap());
        let (first, leader) = loop {
            if unshare.try_wait().unwrap().is_some() {
                // This machine allows no such namespaces; those that do are many.
                return;
            }
            let processes = snapshot();
            let there = || {
                let elsewhere = processes.values().filter(|process| link(process.pid).is_some_and(|link| Some(link) != own));
                elsewhere.filter_map(|process| Some((process, Numbers::read(process.pid)?)))
            };
            let first = there().find(|(process, numbers)| numbers.pid == 1 && process.parent == parent).map(|(it, _)| it.pid);
            let leader = there().find(|(process, numbers)| {
                numbers.pid > 1 && numbers.pid == numbers.session && first.is_some_and(|first| link(first) == link(process.pid))
            });
            if let (Some(first), Some((process, numbers))) = (first, leader) {
                break (first, Leader { pid: numbers.pid, started: process.started, inside: true });
            }
            assert!(Instant::now() < deadline, "the processes never started");
            std::thread::sleep(Duration::from_millis(10));
        };
        let namespace = Namespace::of(Pid::from_raw(first).unwrap()).unwrap();
        let processes = snapshot();
        assert_eq!(namespace.led(&processes, &[leader]).len(), 1);
        // A number that was used again is somebody else's, and in another namespace it is one too.
        assert!(namespace.led(&processes, &[Leader { started: leader.started + 1, ..leader }]).is_empty());
        assert!(Namespace(own.unwrap()).led(&processes, &[leader]).is_empty());
        unshare.kill().unwrap();
        unshare.wait().unwrap();
    }
}
