//! One look at the machine's processes for all who look in the same moment: where a hundred sessions end at once, each by itself would
//! read everything that there is a hundred times, and nobody would be told why in time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Snapshot, snapshot};

/// Somebody who looks. While there is one the last look is kept.
#[derive(Debug)]
pub(super) struct Looking(());

#[derive(Debug)]
struct Shared {
    lookers: usize,
    last: Option<Look>,
}

#[derive(Debug)]
struct Look {
    begun: Instant,
    ended: Instant,
    seen: Arc<Snapshot>,
}

impl Looking {
    pub(super) fn begin() -> Self {
        shared().lookers += 1;
        Self(())
    }

    /// The processes as they were at some moment after `asked`, which is hardly over. Others who look wait, and then have the same.
    pub(super) fn look(&self, asked: Instant) -> Arc<Snapshot> {
        let mut shared = shared();
        if let Some(last) = shared.last.as_ref().filter(|last| last.begun >= asked && last.ended.elapsed() <= FRESH) {
            return Arc::clone(&last.seen);
        }
        let begun = Instant::now();
        let seen = Arc::new(snapshot());
        shared.last = Some(Look { begun, ended: Instant::now(), seen: Arc::clone(&seen) });
        seen
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        let mut shared = shared();
        shared.lookers = shared.lookers.saturating_sub(1);
        if shared.lookers == 0 {
            shared.last = None;
        }
    }
}

fn shared() -> MutexGuard<'static, Shared> {
    static SHARED: Mutex<Shared> = Mutex::new(Shared { lookers: 0, last: None });
    // Nothing under this lock leaves it half-changed.
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How old a look may be: nearly all of the time a number that was somebody's is nobody else's yet.
const FRESH: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_shared_by_those_who_asked_before_it_and_by_nobody_later() {
        let (first, second) = (Looking::begin(), Looking::begin());
        let asked = Instant::now();
        // Another test may look in between: once it is ours, it is the same for both.
        let same = (0..100).any(|_| Arc::ptr_eq(&first.look(asked), &second.look(asked)));
        assert!(same);
        let seen = first.look(asked);
        assert!(!Arc::ptr_eq(&seen, &second.look(Instant::now())), "what has started since is not in it");
    }
}
