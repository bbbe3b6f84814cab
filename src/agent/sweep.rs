//! The end of a session's processes: hung up at once, killed at three seconds, gone by five.
//!
//! A process belongs to a session when it carries the session's marker in its environment, when it is in a Unix session that one of
//! the channels started, or when an ancestor does. So a `nohup`, a `setsid` and a double fork do not outlive it.

mod shared;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::agent::environment::MARKER;
use crate::proto::SessionId;

use shared::Looking;

/// A channel's first process. Its number may be used again by the system once all of its session is gone, its start time may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Leader {
    /// Its process id.
    pub(super) pid: i32,
    /// When it started, in clock ticks since the machine did.
    pub(super) started: u64,
    /// Whether the number is its container's and not ours.
    pub(super) inside: bool,
}

impl Leader {
    /// The process `pid`, which has just been started and not yet been waited for.
    pub(super) fn of(pid: Pid) -> Self {
        let pid = pid.as_raw_nonzero().get();
        Self { pid, started: Process::read(pid).map_or(0, |process| process.started), inside: false }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // Whoever is gone already needs none.
            let _ = kill_process(pid, signal);
        }
    }
}

/// What else of the machine's processes is led by a session's leaders, where those have other numbers: process ids.
pub(super) type Roots<'a> = &'a (dyn Fn(&Snapshot, &[Leader]) -> HashSet<i32> + Sync);

/// The machine's processes at one moment, by their ids.
pub(super) type Snapshot = HashMap<i32, Process>;

/// Ends every process of `session`. Returns when none is left, or after [`GIVE_UP`].
pub(super) async fn sweep(session: SessionId, leaders: &[Leader], roots: Roots<'_>) {
    let (begun, looking) = (Instant::now(), Looking::begin());
    let mut asked = std::time::Instant::now();
    // Whoever's session ends in the same moment looks with us; and the user is told first.
    sleep(TOGETHER).await;
    // What was once found stays known: a process whose parent ends by the hang-up may have nothing else by which to know it.
    let mut known = leaders.to_vec();
    let mut pause = LOOK_AGAIN;
    let mut killing = false;
    loop {
        let found = find(session, &known, roots, &looking.look(asked));
        asked = std::time::Instant::now();
        if found.is_empty() {
            return;
        }
        let kill = begun.elapsed() >= KILL_AFTER;
        let killed_before = std::mem::replace(&mut killing, kill);
        for process in found {
            let new = !known.contains(&process);
            if kill {
                process.signal(Signal::KILL);
            } else if new || begun.elapsed() < LOOK_AGAIN {
                process.signal(Signal::HUP);
                // A stopped process sees the hang-up only when it goes on.
                process.signal(Signal::CONT);
            }
            if new {
                known.push(process);
            }
        }
        // Whoever was killed only now, because this machine was asleep, is looked for once more.
        if killed_before && begun.elapsed() >= GIVE_UP {
            tracing::warn!(%session, "processes of an ended session could not be killed");
            return;
        }
        // A look at everything is not free where there is much: the longer it takes them, the less often they are looked at.
        let kill_at = (begun + KILL_AFTER).saturating_duration_since(Instant::now());
        sleep(if kill { pause } else { pause.min(kill_at.max(LOOK_AGAIN)) }).await;
        pause = (pause * 2).min(LOOK_SELDOM);
    }
}

/// Kills every process of `session` now, without waiting.
pub(super) fn kill(session: SessionId, leaders: &[Leader], roots: Roots<'_>) {
    for process in find(session, leaders, roots, &snapshot()) {
        process.signal(Signal::KILL);
    }
}

/// The living processes of `session`, this one never among them.
fn find(session: SessionId, known: &[Leader], roots: Roots<'_>, processes: &Snapshot) -> Vec<Leader> {
    let marker = session.to_string();
    let (inside, outside): (Vec<Leader>, Vec<Leader>) = known.iter().partition(|known| known.inside);
    let outside: HashSet<i32> = outside
        .iter()
        .filter(|known| processes.get(&known.pid).is_none_or(|now| now.started == known.started))
        .map(|known| known.pid)
        .collect();
    let inside = roots(processes, &inside);
    let mut ours: HashSet<i32> = processes
        .values()
        .filter(|process| {
            outside.contains(&process.session)
                || outside.contains(&process.pid)
                || inside.contains(&process.pid)
                || process.marker.as_deref() == Some(marker.as_bytes())
        })
        .map(|process| process.pid)
        .collect();
    // Children of children, until a round finds nobody new.
    loop {
        let more: Vec<i32> = processes
            .values()
            .filter(|process| !ours.contains(&process.pid) && ours.contains(&process.parent))
            .map(|process| process.pid)
            .collect();
        if more.is_empty() {
            break;
        }
        ours.extend(more);
    }
    let alive = ours.into_iter().filter_map(|pid| processes.get(&pid)).filter(|process| process.state != b'Z');
    alive.map(|process| Leader { pid: process.pid, started: process.started, inside: false }).collect()
}

/// A line of `/proc/PID/stat` and a variable of `/proc/PID/environ`, as far as they matter here.
#[derive(Debug)]
pub(super) struct Process {
    /// Its process id.
    pub(super) pid: i32,
    state: u8,
    /// Its parent's.
    pub(super) parent: i32,
    session: i32,
    /// When it started, in clock ticks since the machine did.
    pub(super) started: u64,
    /// The session whose marker it carries.
    marker: Option<Vec<u8>>,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name is in parentheses and may hold anything, parentheses and newlines included: the fields begin after the last one.
    pub(super) fn parse(pid: i32, stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let fields = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            state: *fields.first()?.as_bytes().first()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            marker: None,
        })
    }

    fn marked(self) -> Self {
        let environ = std::fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        let value = |variable: &[u8]| variable.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec);
        Self { marker: environ.split(|byte| *byte == 0).find_map(value), ..self }
    }
}

/// Every process there is, but for this one.
pub(super) fn snapshot() -> Snapshot {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    all().filter(|process| process.pid != own).map(|process| (process.pid, process.marked())).collect()
}

fn all() -> impl Iterator<Item = Process> {
    let folder = std::fs::read_dir("/proc").into_iter().flatten();
    folder.filter_map(|entry| Process::read(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

/// How long is waited before the first look.
const TOGETHER: Duration = Duration::from_millis(5);

/// How long a process may take to end after the hang-up.
pub(super) const KILL_AFTER: Duration = Duration::from_secs(3);

/// When nothing may be left any more.
pub(super) const GIVE_UP: Duration = Duration::from_secs(5);

/// New processes of a session that is ending are found this soon at first, and this late at last.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOK_SELDOM: Duration = Duration::from_millis(400);

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const NONE: Roots<'static> = &|_, _| HashSet::new();

    fn start(session: SessionId, script: &str) -> std::process::Child {
        let mut command = Command::new("setsid");
        command.args(["sh", "-c", script]).env(MARKER, session.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    async fn wait_for(count: usize, session: SessionId) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while find(session, &[], NONE, &snapshot()).len() < count {
            assert!(Instant::now() < deadline, "the processes never started");
            sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn daemons_and_those_that_ignore_the_hang_up_are_ended_too() {
        let session = SessionId::random();
        let script = "setsid sleep 600 & nohup sleep 600 & (setsid sleep 600 &) ; (trap '' HUP TERM; while :; do sleep 600; done) & wait";
        let mut child = start(session, script);
        // The sixth is started by the one that has become deaf.
        wait_for(6, session).await;
        let begun = Instant::now();
        let waited = std::thread::spawn(move || child.wait());
        sweep(session, &[], NONE).await;
        assert!(find(session, &[], NONE, &snapshot()).is_empty());
        assert!(begun.elapsed() >= KILL_AFTER && begun.elapsed() < GIVE_UP, "{:?}", begun.elapsed());
        waited.join().unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_hides_its_environment_is_found_by_its_unix_session() {
        let session = SessionId::random();
        let mut child = Command::new("setsid").args(["-w", "env", "-i", "sleep", "600"]).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let pid = i32::try_from(child.id()).unwrap();
        while Process::read(pid).is_none_or(|process| process.session != pid) {
            if all().any(|process| process.parent == pid && process.session == process.pid) {
                break;
            }
            assert!(Instant::now() < deadline);
            sleep(Duration::from_millis(10)).await;
        }
        let leader = Leader::of(Pid::from_raw(pid).unwrap());
        assert!(!find(session, &[leader], NONE, &snapshot()).is_empty());
        let recycled = Leader { started: leader.started + 1, ..leader };
        assert!(find(session, &[recycled], NONE, &snapshot()).is_empty(), "a number used again is somebody else");
        let waited = std::thread::spawn(move || child.wait());
        sweep(session, &[leader], NONE).await;
        waited.join().unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_was_seen_once_is_known_when_nothing_else_tells_it() {
        let session = SessionId::random();
        // Ignores the hang-up, has no marker, leads a Unix session of its own, and loses its parent by the hang-up.
        let mut child = start(session, "(trap '' HUP; exec env -i setsid sleep 600) & wait");
        wait_for(2, session).await;
        let waited = std::thread::spawn(move || child.wait());
        let before = find(session, &[], NONE, &snapshot());
        sweep(session, &[], NONE).await;
        assert!(find(session, &before, NONE, &snapshot()).is_empty());
        waited.join().unwrap().unwrap();
    }

    #[test]
    fn names_with_parentheses_do_not_confuse() {
        let stat = b"7 (a) b) (c) S 1 2 3 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0";
        let process = Process::parse(7, stat).unwrap();
        assert_eq!((process.state, process.parent, process.session, process.started), (b'S', 1, 3, 4711));
        assert!(Process::parse(7, b"").is_none() && Process::parse(7, b"7 (x) S").is_none());
    }
}
