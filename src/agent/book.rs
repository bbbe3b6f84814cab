//! The sessions that the broker has announced, those that are open, and those that were: a session's id opens once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::proto::SessionId;
use crate::proto::agent::Announcement;
use crate::ssh::cert::{BACKDATE, MAX_LIFETIME};

/// All that the agent knows of sessions by their ids.
#[derive(Debug)]
pub(super) struct Book {
    clock: Clock,
    pages: Mutex<Pages>,
    announced: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Pages {
    /// Announced and not opened yet, with the time at which it was.
    waiting: HashMap<SessionId, (Announcement, u64)>,
    /// Opened, cut or refused, with the time at which it was.
    used: HashMap<SessionId, u64>,
    /// Open now, with what cuts it.
    open: HashMap<SessionId, oneshot::Sender<String>>,
}

/// Why a session does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ClaimError {
    /// The broker did not announce it, or not in time.
    #[error("the broker has not announced this session")]
    NotAnnounced,
    /// It was opened before, or cut before it was opened.
    #[error("this session was opened before")]
    Used,
}

impl Book {
    /// An empty book.
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, pages: Mutex::default(), announced: watch::Sender::new(()) }
    }

    /// Writes down what the broker says. With [`LIMIT`] waiting, further ones are refused: a broker announces what it opens at once.
    pub(super) fn announce(&self, announcement: Announcement) {
        let mut pages = self.pages();
        let now = self.clock.now();
        pages.forget(now);
        if pages.waiting.len() >= LIMIT {
            tracing::warn!(session = %announcement.session, "too many announced sessions are waiting; this one is refused");
            return;
        }
        if !pages.used.contains_key(&announcement.session) {
            pages.waiting.insert(announcement.session, (announcement, now));
        }
        drop(pages);
        self.announced.send_replace(());
    }

    /// Opens `session`, waiting up to `limit` for its announcement. What is sent through the returned receiver cuts it.
    pub(super) async fn claim(
        &self,
        session: SessionId,
        limit: Duration,
    ) -> Result<(Announcement, oneshot::Receiver<String>), ClaimError> {
        let mut announced = self.announced.subscribe();
        let claimed = tokio::time::timeout(limit, async {
            loop {
                announced.mark_unchanged();
                if let Some(result) = self.try_claim(session) {
                    return result;
                }
                if announced.changed().await.is_err() {
                    return Err(ClaimError::NotAnnounced);
                }
            }
        });
        claimed.await.unwrap_or(Err(ClaimError::NotAnnounced))
    }

    /// Cuts `session`, or sees to it that it never opens.
    pub(super) fn cut(&self, session: SessionId, reason: String) {
        let mut pages = self.pages();
        let now = self.clock.now();
        pages.forget(now);
        pages.waiting.remove(&session);
        pages.used.insert(session, now);
        if let Some(cut) = pages.open.remove(&session) {
            let _ = cut.send(reason);
        }
    }

    /// Whether the session is open or may still be: its own end will see to what it started.
    pub(super) fn is_ours(&self, session: SessionId) -> bool {
        let pages = self.pages();
        pages.open.contains_key(&session) || pages.waiting.contains_key(&session)
    }

    /// The session is over.
    pub(super) fn close(&self, session: SessionId) {
        self.pages().open.remove(&session);
    }

    fn try_claim(&self, session: SessionId) -> Option<Result<(Announcement, oneshot::Receiver<String>), ClaimError>> {
        let mut pages = self.pages();
        let now = self.clock.now();
        pages.forget(now);
        if pages.used.contains_key(&session) {
            return Some(Err(ClaimError::Used));
        }
        let (announcement, _) = pages.waiting.remove(&session)?;
        let (cut, cutting) = oneshot::channel();
        pages.used.insert(session, now);
        pages.open.insert(session, cut);
        Some(Ok((announcement, cutting)))
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        // Nothing under this lock leaves it half-changed.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// Forgets what no certificate can open any more.
    fn forget(&mut self, now: u64) {
        self.waiting.retain(|_, (_, at)| now < at.saturating_add(REMEMBERED));
        self.used.retain(|_, at| now < at.saturating_add(REMEMBERED));
    }
}

/// Twice as long as a certificate can be valid: after that its id opens nothing, written down or not.
const REMEMBERED: u64 = 2 * (MAX_LIFETIME + BACKDATE);

/// The most sessions that may be announced and not opened.
const LIMIT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ContainerId;

    fn announcement() -> Announcement {
        Announcement {
            session: SessionId::random(),
            container: ContainerId::random(),
            login: "root".parse().unwrap(),
            user: "ada@local".into(),
            declared: Vec::new(),
            deadline: 0,
        }
    }

    const SOON: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn a_session_opens_once_and_only_when_announced() {
        let book = Book::new(Clock::from_fn(|| 1_000));
        let announced = announcement();
        assert_eq!(book.claim(announced.session, SOON).await.unwrap_err(), ClaimError::NotAnnounced);
        assert!(!book.is_ours(announced.session));
        book.announce(announced.clone());
        assert!(book.is_ours(announced.session));
        let (claimed, _cutting) = book.claim(announced.session, SOON).await.unwrap();
        assert_eq!(claimed, announced);
        assert_eq!(book.claim(announced.session, SOON).await.unwrap_err(), ClaimError::Used);
        book.announce(announced.clone());
        assert!(book.is_ours(announced.session));
        book.close(announced.session);
        assert!(!book.is_ours(announced.session));
        assert_eq!(book.claim(announced.session, SOON).await.unwrap_err(), ClaimError::Used);
    }

    #[tokio::test]
    async fn an_announcement_may_come_after_the_data_connection() {
        let book = std::sync::Arc::new(Book::new(Clock::from_fn(|| 1_000)));
        let announced = announcement();
        let (waiting, session) = (std::sync::Arc::clone(&book), announced.session);
        let claim = tokio::spawn(async move { waiting.claim(session, Duration::from_secs(10)).await });
        tokio::task::yield_now().await;
        book.announce(announced.clone());
        let (claimed, cutting) = claim.await.unwrap().unwrap();
        assert_eq!(claimed, announced);
        book.cut(announced.session, "enough".into());
        assert_eq!(cutting.await.unwrap(), "enough");
    }

    #[tokio::test]
    async fn what_was_cut_before_it_opened_never_opens() {
        let book = Book::new(Clock::from_fn(|| 1_000));
        let announced = announcement();
        book.announce(announced.clone());
        book.cut(announced.session, "enough".into());
        assert_eq!(book.claim(announced.session, SOON).await.unwrap_err(), ClaimError::Used);
    }
}
