//! When somebody was last there: for the policy that ends a session in which nothing happens.
//!
//! On a terminal only what is typed counts, as a screen that a program redraws shows nobody; elsewhere every byte does.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// The moment of the last activity of a session.
#[derive(Debug)]
pub(in crate::agent) struct Activity {
    begun: Instant,
    /// Milliseconds since it began.
    last: AtomicU64,
}

impl Default for Activity {
    fn default() -> Self {
        Self { begun: Instant::now(), last: AtomicU64::new(0) }
    }
}

impl Activity {
    /// Something happens now.
    pub(in crate::agent) fn seen(&self) {
        self.last.store(self.now(), Relaxed);
    }

    /// Returns once nothing has happened for `limit`; without one, never.
    pub(super) async fn ceased(&self, limit: Option<Duration>) {
        let Some(limit) = limit else { return std::future::pending().await };
        loop {
            let quiet = Duration::from_millis(self.now().saturating_sub(self.last.load(Relaxed)));
            match limit.checked_sub(quiet) {
                Some(left) if !left.is_zero() => tokio::time::sleep(left).await,
                _ => return,
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ceases_so_long_after_the_last_of_it() {
        let (activity, begun) = (Activity::default(), Instant::now());
        let limit = Some(Duration::from_secs(60));
        tokio::select! {
            () = activity.ceased(limit) => {}
            () = async {
                for _ in 0..3 {
                    tokio::time::sleep(Duration::from_secs(50)).await;
                    activity.seen();
                }
                std::future::pending::<()>().await;
            } => {}
        }
        assert_eq!(begun.elapsed().as_secs(), 210);
        let never = tokio::time::timeout(Duration::from_secs(86_400), activity.ceased(None)).await;
        assert!(never.is_err());
    }
}
