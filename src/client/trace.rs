//! What happens on the way to a session, told as it happens (`-v`), and how long each part of the way took (`--timing`).
//!
//! No secret comes here: whoever tells something tells what may be read by others.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Who is told. Cheap to clone; clones tell the same.
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<Shared>>);

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing; the parts of the way are measured.
    Steps,
    /// Each request, certificate and decision.
    Events,
    /// The headers of requests and answers too.
    Headers,
}

type Tell = dyn Fn(Duration, &str) + Send + Sync;

struct Shared {
    level: Level,
    begin: Instant,
    steps: Mutex<Vec<(&'static str, Instant)>>,
    tell: Box<Tell>,
}

impl Trace {
    /// Nobody is told and nothing measured.
    pub fn off() -> Self {
        Self(None)
    }

    /// `tell` is told, with the time since `begin`.
    pub fn new(level: Level, begin: Instant, tell: impl Fn(Duration, &str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Shared { level, begin, steps: Mutex::default(), tell: Box::new(tell) })))
    }

    /// Whether anybody is told or anything measured.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The part of the way of that name ends here.
    pub fn step(&self, name: &'static str) {
        if let Some(shared) = &self.0 {
            shared.steps.lock().unwrap_or_else(PoisonError::into_inner).push((name, Instant::now()));
        }
    }

    /// Something has happened.
    pub fn event(&self, text: impl FnOnce() -> String) {
        self.tell(Level::Events, text);
    }

    /// A header was sent or came.
    pub fn header(&self, text: impl FnOnce() -> String) {
        self.tell(Level::Headers, text);
    }

    /// The parts of the way so far, each with how long it took, and the whole. Parts of the same name are one.
    pub fn steps(&self) -> (Vec<(&'static str, Duration)>, Duration) {
        let Some(shared) = &self.0 else { return Default::default() };
        let mut parts: Vec<(&'static str, Duration)> = Vec::new();
        let mut last = shared.begin;
        for (name, end) in shared.steps.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let took = end.saturating_duration_since(last);
            match parts.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += took,
                None => parts.push((name, took)),
            }
            last = *end;
        }
        (parts, last.saturating_duration_since(shared.begin))
    }

    fn tell(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some(shared) = self.0.as_ref().filter(|shared| shared.level >= level) {
            (shared.tell)(shared.begin.elapsed(), &text());
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.0.as_ref().map(|shared| shared.level)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_and_add_up() {
        let trace = Trace::new(Level::Steps, Instant::now(), |_, _| ());
        trace.step("start");
        trace.step("broker");
        trace.step("start");
        let (parts, whole) = trace.steps();
        assert_eq!(parts.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["start", "broker"]);
        assert_eq!(parts.iter().map(|(_, took)| *took).sum::<Duration>(), whole);
        Trace::off().event(|| unreachable!("nobody listens"));
        trace.event(|| unreachable!("only the parts are wanted"));
    }
}
