//! Locks: what an operator has closed for now, whatever the policies allow. They are in the database, so that they outlive the
//! broker and all brokers that share it have them, and in memory, where each connect asks.
//!
//! A lock stops what begins and ends what is open: [`Locks::over`] for the one, [`recall`](super::recall) for the other.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::policy::Basis;
use crate::glob;
use crate::moment;
use crate::proto::name::Login;
use crate::proto::{AgentId, ContainerId};

/// One lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it is called.
    pub id: LockId,
    /// What is locked.
    pub target: LockTarget,
    /// Why, for those who run into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made, in seconds since 1970.
    pub made_at: u64,
    /// When it ends by itself, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Which operator: `operator (uid N)`.
    pub by: String,
}

/// What a lock is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of", rename_all = "snake_case")]
pub enum LockTarget {
    /// Every session.
    Everything,
    /// The sessions of a person: `name@idp`.
    User(String),
    /// The sessions as a Unix user.
    Login(Login),
    /// The sessions in one container.
    Container(ContainerId),
    /// The sessions in the containers whose app or full name is this; `*` for any letters.
    Containers(String),
    /// The sessions in the containers of an agent.
    Agent(AgentId),
}

/// A lock's id: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LockId(String);

/// The text is no lock's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a lock's id: 16 hexadecimal digits are expected, as `ztbroker lock ls` shows them")]
pub struct InvalidLockId;

/// The locks in force.
#[derive(Debug, Default)]
pub struct Locks {
    known: RwLock<Known>,
    /// Held from the question to the database until its answer is in force: no old answer replaces a newer one.
    pub(super) reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    locks: Arc<Vec<Lock>>,
    /// Since when the database has not told.
    silent: Option<Instant>,
}

/// Nobody can tell what is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker cannot look up what is locked, so no session can start: tell its operator")]
pub struct Stale;

impl Locks {
    /// The first lock that is on what `basis` tells of at `now`.
    ///
    /// # Errors
    /// [`Stale`] when the database has not told for [`STALE`].
    pub fn over(&self, basis: &Basis, now: u64) -> Result<Option<Lock>, Stale> {
        self.first(now, |target| target.covers(basis))
    }

    /// The first lock that is on the person `user` at `now`, wherever they would go.
    ///
    /// # Errors
    /// As [`Locks::over`].
    pub fn over_user(&self, user: &str, now: u64) -> Result<Option<Lock>, Stale> {
        self.first(now, |target| matches!(target, LockTarget::User(locked) if locked == user))
    }

    fn first(&self, now: u64, covers: impl Fn(&LockTarget) -> bool) -> Result<Option<Lock>, Stale> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.silent.is_some_and(|since| since.elapsed() >= STALE) {
            return Err(Stale);
        }
        Ok(known.locks.iter().find(|lock| lock.holds(now) && covers(&lock.target)).cloned())
    }

    /// Takes the database's word. Says whether it is news.
    pub(super) fn replace(&self, locks: Vec<Lock>) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.silent = None;
        let news = *known.locks != locks;
        known.locks = Arc::new(locks);
        news
    }

    /// The database did not answer.
    pub(super) fn unheard(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).silent.get_or_insert_with(Instant::now);
    }
}

impl Lock {
    /// Whether it has not ended.
    pub fn holds(&self, now: u64) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// What whoever runs into it reads about the container that they see as `name`: a sentence without a period.
    pub fn message(&self, name: &str) -> String {
        let what = match &self.target {
            LockTarget::Everything => "no session may be open".to_owned(),
            LockTarget::User(_) => "you are locked out".to_owned(),
            LockTarget::Login(login) => format!("the login {login} is locked"),
            LockTarget::Container(_) | LockTarget::Containers(_) | LockTarget::Agent(_) => format!("{name} is locked"),
        };
        let until = self.until.map(|until| format!(" until {} UTC", moment::show(until))).unwrap_or_default();
        let reason = self.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{what}{until}{reason}")
    }
}

impl LockTarget {
    /// Whether a session that was granted on `basis` is among what is locked.
    pub fn covers(&self, basis: &Basis) -> bool {
        let container = &basis.container;
        match self {
            Self::Everything => true,
            Self::User(user) => *user == basis.caller.user(),
            Self::Login(login) => *login == basis.login,
            Self::Container(id) => *id == container.id,
            Self::Containers(pattern) => glob::matches(pattern, &container.app) || glob::matches(pattern, &container.full_name),
            Self::Agent(agent) => *agent == container.agent,
        }
    }

    /// The kind and what stands after it, as tables and the journal have them.
    pub fn words(&self) -> (&'static str, String) {
        match self {
            Self::Everything => ("everything", String::new()),
            Self::User(user) => ("user", user.clone()),
            Self::Login(login) => ("login", login.to_string()),
            Self::Container(id) => ("container", id.to_string()),
            Self::Containers(pattern) => ("containers", pattern.clone()),
            Self::Agent(agent) => ("agent", agent.to_string()),
        }
    }

    /// The target with these [`words`](Self::words).
    pub(super) fn from_words(kind: &str, of: &str) -> Option<Self> {
        match kind {
            "everything" => Some(Self::Everything),
            "user" => Some(Self::User(of.to_owned())),
            "login" => of.parse().ok().map(Self::Login),
            "container" => of.parse().ok().map(Self::Container),
            "containers" => Some(Self::Containers(of.to_owned())),
            "agent" => of.parse().ok().map(Self::Agent),
            _ => None,
        }
    }
}

impl fmt::Display for LockTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, of) = self.words();
        f.write_str(format!("{kind} {of}").trim_end())
    }
}

impl LockId {
    /// A new id: 64 bits, which never meet among the locks of one database.
    pub(super) fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LockId {
    type Err = InvalidLockId;

    fn from_str(text: &str) -> Result<Self, InvalidLockId> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == 16 && digits { Ok(Self(text.to_owned())) } else { Err(InvalidLockId) }
    }
}

impl TryFrom<String> for LockId {
    type Error = InvalidLockId;

    fn try_from(text: String) -> Result<Self, InvalidLockId> {
        text.parse()
    }
}

impl From<LockId> for String {
    fn from(id: LockId) -> Self {
        id.0
    }
}

impl fmt::Display for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long the database may be silent before nothing starts any more.
pub const STALE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn lock(target: LockTarget) -> Lock {
        Lock { id: LockId::random(), target, reason: None, made_at: NOW, until: None, by: "operator (uid 0)".into() }
    }

    #[test]
    fn a_lock_is_on_what_it_names_and_on_nothing_else() {
        let basis = Basis::example("tomcat");
        let container = &basis.container;
        for (target, other) in [
            (LockTarget::User("ada@local".into()), LockTarget::User("ada@corp".into())),
            (LockTarget::Login("default".parse().unwrap()), LockTarget::Login("root".parse().unwrap())),
            (LockTarget::Container(container.id), LockTarget::Container(ContainerId::random())),
            (LockTarget::Containers("tom*".into()), LockTarget::Containers("tom".into())),
            (LockTarget::Containers(container.full_name.clone()), LockTarget::Containers("web-*".into())),
            (LockTarget::Agent(container.agent), LockTarget::Agent(AgentId::of_key(b"other"))),
        ] {
            assert!(target.covers(&basis) && LockTarget::Everything.covers(&basis), "{target}");
            assert!(!other.covers(&basis), "{other}");
            for target in [target, other] {
                let (kind, of) = target.words();
                assert_eq!(LockTarget::from_words(kind, &of), Some(target));
            }
        }
        assert_eq!(LockTarget::from_words("moon", "x"), None);
    }

    #[test]
    fn a_lock_ends_by_itself_and_says_why() {
        let (locks, basis) = (Locks::default(), Basis::example("tomcat"));
        let brief =
            Lock { until: Some(NOW + 60), reason: Some("incident 42".into()), ..lock(LockTarget::Containers("tomcat".into())) };
        assert!(locks.replace(vec![brief.clone()]) && !locks.replace(vec![brief.clone()]));
        assert_eq!(locks.over(&basis, NOW + 59), Ok(Some(brief.clone())));
        assert_eq!(locks.over(&basis, NOW + 60), Ok(None));
        assert_eq!(brief.message("tomcat-7f9"), "tomcat-7f9 is locked until 2027-01-15 08:01:00 UTC: incident 42");
        assert_eq!(lock(LockTarget::Everything).message("x"), "no session may be open");
        assert_eq!(lock(LockTarget::User("ada@local".into())).message("x"), "you are locked out");
    }

    #[test]
    fn a_database_that_is_silent_for_too_long_stops_everything() {
        let (locks, basis) = (Locks::default(), Basis::example("tomcat"));
        locks.unheard();
        assert_eq!(locks.over(&basis, NOW), Ok(None));
        let long_ago = Instant::now().checked_sub(STALE);
        locks.known.write().unwrap().silent = long_ago;
        assert!(long_ago.is_none() || locks.over(&basis, NOW) == Err(Stale));
        locks.replace(Vec::new());
        assert_eq!(locks.over(&basis, NOW), Ok(None));
    }

    #[test]
    fn ids_read_back_and_nothing_else_does() {
        let id = LockId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "0123456789abcde", "0123456789abcdeF", "../etc/passwd0000"] {
            assert_eq!(text.parse::<LockId>(), Err(InvalidLockId), "{text}");
        }
    }
}
