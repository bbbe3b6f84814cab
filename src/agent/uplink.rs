//! The connections to the broker: one for control, one parked for the next session.
//!
//! They come and go; sessions that are open live on their own connections and do not notice.

mod control;
mod parked;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::agent::dial::Dialer;
use crate::agent::greeting::Greeter;
use crate::agent::host::Host;
use crate::proto::agent::FromAgent;

/// What both kinds of connections need.
pub(super) struct Uplink {
    pub(super) host: Arc<Host>,
    pub(super) dialer: Dialer,
    pub(super) greeter: Greeter,
    /// Whether there is a control connection: without one nothing is parked.
    online: watch::Sender<bool>,
    /// Cancelled when the agent leaves and its sessions are over: then the broker has been told all there is.
    idle: CancellationToken,
    trouble: Mutex<Option<String>>,
}

impl Uplink {
    pub(super) fn new(host: Arc<Host>, dialer: Dialer, greeter: Greeter) -> Self {
        let (online, idle) = (watch::Sender::new(false), CancellationToken::new());
        Self { host, dialer, greeter, online, idle, trouble: Mutex::default() }
    }

    /// Keeps the connections until the agent is shut down, and then ends them in order.
    pub(super) async fn run(self, outbox: mpsc::Receiver<FromAgent>) {
        let uplink = Arc::new(self);
        let sessions = tokio_util::task::TaskTracker::new();
        let rest = async {
            parked::keep(&uplink, &sessions).await;
            sessions.close();
            // Sessions have been told by the same token; each ends its processes.
            let _ = tokio::time::timeout(SESSIONS_END, sessions.wait()).await;
            uplink.idle.cancel();
        };
        tokio::join!(control::keep(&uplink, outbox), rest);
    }

    /// Says `what` is wrong, once and not at each attempt.
    fn troubled(&self, what: String, loudly: bool) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_ref() != Some(&what) {
            if loudly {
                tracing::error!("{what}");
            } else {
                tracing::warn!("{what}; trying again");
            }
            *trouble = Some(what);
        }
    }

    fn recovered(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Waits between attempts: a second doubled each time, at most 4 s in the first minute (a broker that restarts is back by then) and at
/// most 30 s after it, each wait a random half to whole of that, so that a thousand agents do not come back at one moment.
struct Backoff {
    since: Option<Instant>,
    attempts: u32,
}

impl Backoff {
    fn new() -> Self {
        Self { since: None, attempts: 0 }
    }

    fn reset(&mut self) {
        *self = Self::new();
    }

    fn next(&mut self, now: Instant) -> Duration {
        let since = *self.since.get_or_insert(now);
        let limit = if now.duration_since(since) < FIRST { LIMIT_AT_FIRST } else { LIMIT_LATER };
        let whole = Duration::from_millis(250 << self.attempts.min(10)).min(limit);
        self.attempts += 1;
        whole.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }
}

const FIRST: Duration = Duration::from_secs(60);
const LIMIT_AT_FIRST: Duration = Duration::from_secs(4);
const LIMIT_LATER: Duration = Duration::from_secs(30);

/// How long the end of all sessions is waited for when the agent leaves: the hang-up, half a second, and what an engine or a cluster
/// needs to kill the rest. The first process of a container waits for a second of that.
const SESSIONS_END: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_short_in_the_first_minute_and_never_end() {
        let (mut backoff, start) = (Backoff::new(), Instant::now());
        assert!(backoff.next(start) <= Duration::from_millis(250));
        for attempt in 0..40 {
            let wait = backoff.next(start + Duration::from_secs(attempt));
            assert!(wait <= LIMIT_AT_FIRST && wait >= Duration::from_millis(125), "{wait:?}");
        }
        let later = backoff.next(start + Duration::from_secs(61));
        assert!(later > LIMIT_AT_FIRST && later <= LIMIT_LATER, "{later:?}");
        backoff.reset();
        assert!(backoff.next(start + Duration::from_secs(100)) <= Duration::from_millis(250));
    }
}
