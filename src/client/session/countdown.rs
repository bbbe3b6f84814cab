//! That a session's time runs out, said while there is still time to save one's work: with five minutes left and with one; and with one
//! where it ends because nobody types.
//!
//! It goes by the machine's clock and not by a timer alone, which stands still while a laptop sleeps.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock::Clock;

/// What is left of one session, and what of it a person knows.
#[derive(Debug)]
pub(super) struct Countdown {
    clock: Clock,
    /// When the session ends at the latest, in seconds since 1970.
    deadline: u64,
    /// The marks that have not been told, the last in time first.
    marks: &'static [u64],
    /// What is counted from one key to the next, where that is counted.
    idle: Option<Idle>,
}

/// A session that ends because nothing is typed.
#[derive(Debug, Clone, Copy)]
struct Idle {
    /// After so many seconds.
    limit: u64,
    /// But whatever is typed at this second since 1970.
    hard: u64,
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    /// So many seconds are left.
    pub(super) seconds: u64,
    /// Nothing will be told after this, unless a key begins it anew.
    pub(super) last: bool,
    /// A key would prevent it.
    pub(super) unless_typed: bool,
}

impl Countdown {
    pub(super) fn new(clock: Clock, deadline: u64) -> Self {
        Self { clock, deadline, marks: &MARKS, idle: None }
    }

    /// One to the end of a session in which nothing is typed for `limit`, and which ends at `deadline` whatever is typed. Where the
    /// limit is short, there is nothing to be told: it would be soon after each key.
    pub(super) fn of_idleness(clock: Clock, limit: Option<Duration>, deadline: u64) -> Self {
        let limit = limit.map(|limit| limit.as_secs()).filter(|limit| *limit >= 2 * MARKS[0]);
        let idle = limit.map(|limit| Idle { limit, hard: deadline });
        let mut countdown = Self { clock, deadline: u64::MAX, marks: &[], idle };
        countdown.typed();
        countdown
    }

    /// Somebody is there: what is counted since the last key begins anew.
    pub(super) fn typed(&mut self) {
        if let Some(Idle { limit, .. }) = self.idle {
            self.deadline = self.clock.now().saturating_add(limit);
            self.marks = &MARKS[..1];
        }
    }

    /// Waits until a mark is reached. While something has the whole screen (`busy`), only the last is worth disturbing it. Cancelling
    /// is fine.
    pub(super) async fn news(&mut self, busy: bool) -> Left {
        loop {
            match self.look(busy) {
                Ok(left) => return left,
                Err(Some(wait)) => sleep(wait).await,
                Err(None) => std::future::pending().await,
            }
        }
    }

    /// What there is to tell now, or after how long to look again, if ever.
    fn look(&mut self, busy: bool) -> Result<Left, Option<Duration>> {
        let seconds = self.deadline.saturating_sub(self.clock.now());
        // What was slept through is over already, and where the time is up as well, no key would help.
        if self.idle.is_some_and(|idle| seconds == 0 || idle.hard < self.deadline.saturating_add(MARKS[0])) {
            return Err(None);
        }
        let marks = if busy { self.marks.get(..1).unwrap_or_default() } else { self.marks };
        let Some(next) = marks.last() else { return Err(None) };
        // The last in time of those that are reached: what is left is told once, however late this looks.
        match marks.iter().position(|mark| seconds <= *mark) {
            Some(reached) => {
                self.marks = &self.marks[..reached];
                Ok(Left { seconds, last: reached == 0, unless_typed: self.idle.is_some() })
            }
            None => Err(Some(Duration::from_secs(seconds - next).min(LOOK))),
        }
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this session ends in ")?;
        match (self.seconds, (self.seconds + 30) / 60) {
            (..=1, _) => f.write_str("a second"),
            (seconds @ ..60, _) => write!(f, "{seconds} seconds"),
            (_, 1) => f.write_str("a minute"),
            (_, minutes) => write!(f, "{minutes} minutes"),
        }?;
        f.write_str(if self.unless_typed { " unless something is typed" } else { "" })
    }
}

/// With how many seconds left a person is told, the last in time first.
const MARKS: [u64; 2] = [60, 300];

/// How long a look may be overdue.
const LOOK: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;

    const END: u64 = 1_800_003_600;

    /// A countdown, and a look at it with so many seconds left.
    fn looking() -> impl FnMut(u64, bool) -> Result<Left, Option<u64>> {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&now);
        let mut countdown = Countdown::new(Clock::from_fn(move || clock.load(SeqCst)), END);
        move |left, busy| {
            now.store(END - left, SeqCst);
            countdown.look(busy).map_err(|wait| wait.map(|wait| wait.as_secs()))
        }
    }

    fn left(seconds: u64) -> Result<Left, Option<u64>> {
        Ok(Left { seconds, last: seconds <= 60, unless_typed: false })
    }

    #[test]
    fn each_mark_is_told_once() {
        let mut look = looking();
        assert_eq!([look(3600, false), look(301, false), look(300, false)], [Err(Some(10)), Err(Some(1)), left(300)]);
        assert_eq!([look(299, false), look(62, false), look(59, false)], [Err(Some(10)), Err(Some(2)), left(59)]);
        assert_eq!([look(58, false), look(0, false)], [Err(None); 2]);
    }

    #[test]
    fn a_full_screen_is_disturbed_only_at_the_last() {
        let mut look = looking();
        assert_eq!([look(300, true), look(200, true), look(190, false)], [Err(Some(10)), Err(Some(10)), left(190)]);
        assert_eq!([look(61, true), look(60, true), look(59, false)], [Err(Some(1)), left(60), Err(None)]);
    }

    #[test]
    fn what_was_slept_through_is_told_as_it_is() {
        let mut look = looking();
        assert_eq!([look(3600, false), look(20, false), look(10, false)], [Err(Some(10)), left(20), Err(None)]);
        let mut short = looking();
        assert_eq!([short(180, false), short(60, false)], [left(180), left(60)]);
    }

    #[test]
    fn what_a_key_would_prevent_is_told_a_minute_before_and_again_after_the_next_keys() {
        let now = Arc::new(AtomicU64::new(END));
        let idle = |limit| {
            let clock = Arc::clone(&now);
            Countdown::of_idleness(Clock::from_fn(move || clock.load(SeqCst)), limit, END + 6000)
        };
        let mut countdown = idle(Some(Duration::from_secs(1800)));
        let told = Left { seconds: 60, last: true, unless_typed: true };
        assert_eq!(told.to_string(), "this session ends in a minute unless something is typed");
        for _ in 0..2 {
            now.fetch_add(1735, SeqCst);
            assert_eq!(countdown.look(false), Err(Some(Duration::from_secs(5))));
            now.fetch_add(5, SeqCst);
            assert_eq!([countdown.look(true), countdown.look(false)], [Ok(told), Err(None)]);
            countdown.typed();
        }
        assert_eq!([idle(Some(Duration::from_secs(119))).look(false), idle(None).look(false)], [Err(None); 2]);
        // After a sleep it has ended long ago; and in the session's last minutes its deadline is told.
        now.fetch_add(1801, SeqCst);
        assert_eq!(countdown.look(false), Err(None));
        countdown.typed();
        now.fetch_add(1750, SeqCst);
        assert_eq!(countdown.look(false), Err(None));
    }

    #[test]
    fn it_is_told_in_words() {
        let told =
            [1, 45, 60, 89, 90, 180, 299, 300].map(|seconds| Left { seconds, last: false, unless_typed: false }.to_string());
        let words = ["a second", "45 seconds", "a minute", "a minute", "2 minutes", "3 minutes", "5 minutes", "5 minutes"];
        assert_eq!(told.to_vec(), words.map(|words| format!("this session ends in {words}")));
    }
}
