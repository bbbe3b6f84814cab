//! Locks as an operator makes, sees and removes them.

use super::tokens::is_pattern;
use super::wire::{LockSpec, LockWish, MadeLock};
use super::{Admin, AdminError};
use crate::broker::audit::Event;
use crate::broker::locks::{Lock, LockId, LockTarget};
use crate::broker::recall;
use crate::broker::registry::{self, Resolution, Row};

impl Admin {
    /// Locks something: what it is on can neither begin nor go on. Returns its id and how many sessions ended.
    ///
    /// # Errors
    /// [`AdminError::Invalid`] outside the limits, [`AdminError::NoUser`], [`AdminError::NoProvider`], [`AdminError::NoAgent`],
    /// [`AdminError::NoContainer`] or [`AdminError::ManyContainers`] where nothing or too much is meant, and what keeps it from being
    /// written down.
    pub async fn add_lock(&self, spec: LockSpec) -> Result<MadeLock, AdminError> {
        let now = self.state.clock.now();
        let until = match (spec.lasts, spec.until) {
            (Some(_), Some(_)) => return Err(AdminError::Invalid("a lock has a length or an end, not both")),
            (Some(length), None) => Some(now.saturating_add(length.as_secs())),
            (None, until) => until,
        };
        if until.is_some_and(|until| until <= now) {
            return Err(AdminError::Invalid("the lock's end has passed already"));
        }
        let reason = super::reason(spec.reason)?;
        if self.state.store.locks(now).await?.len() >= LOCKS {
            return Err(AdminError::Invalid("there are 1000 locks already: remove some, or lock everything"));
        }
        let (target, nobody) = self.target(spec.wish).await?;
        let lock = Lock { id: LockId::random(), target, reason, made_at: now, until, by: self.by() };
        let added = Event::LockAdded {
            lock: lock.id.to_string(),
            target: lock.target.to_string(),
            reason: lock.reason.clone(),
            until: lock.until,
            by: self.by(),
        };
        let ended = self.carry_out(added, recall::read_locks_after(&self.state, self.state.store.add_lock(&lock))).await?;
        Ok(MadeLock { lock, ended, nobody })
    }

    /// The locks that have not ended, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn locks(&self) -> Result<Vec<Lock>, AdminError> {
        Ok(self.state.store.locks(self.state.clock.now()).await?)
    }

    /// Removes a lock. What it ended does not come back by itself.
    ///
    /// # Errors
    /// [`AdminError::NoLock`], and what keeps it from being written down.
    pub async fn remove_lock(&self, id: &LockId) -> Result<(), AdminError> {
        let locks = self.locks().await?;
        let lock = locks.into_iter().find(|lock| lock.id == *id).ok_or_else(|| AdminError::NoLock(id.clone()))?;
        let target = lock.target.to_string();
        let removed = Event::LockRemoved { lock: id.to_string(), target, by: self.by() };
        let removing = async { self.state.store.remove_lock(id).await.map(drop) };
        self.carry_out(removed, recall::read_locks_after(&self.state, removing)).await.map(drop)
    }

    /// What is meant; a lock on something that there is not would lock nothing and say nothing. Whether it is a provider's person who is
    /// not logged in, of whom nobody here can tell, is told beside it.
    async fn target(&self, wish: LockWish) -> Result<(LockTarget, bool), AdminError> {
        let target = match wish {
            LockWish::Everything => LockTarget::Everything,
            LockWish::Login(login) => LockTarget::Login(login),
            LockWish::User(user) => {
                let person = self.person(&user).await?;
                return Ok((LockTarget::User(person.whole_name()), person.groups.is_none()));
            }
            LockWish::Agent(agent) => match self.state.store.agent(agent).await? {
                Some(_) => LockTarget::Agent(agent),
                None => return Err(AdminError::NoAgent(agent)),
            },
            LockWish::Container(name) => self.container(&name)?,
        };
        Ok((target, false))
    }

    fn container(&self, name: &str) -> Result<LockTarget, AdminError> {
        if !is_pattern(name) {
            return Err(AdminError::Invalid(
                "a container's name or pattern has lower-case letters, digits, `.`, `_`, `-` and `*`, at most 128",
            ));
        }
        if name.contains('*') {
            return Ok(LockTarget::Containers(name.to_owned()));
        }
        // One that is not here now may come back under its id.
        if let Ok(id) = name.parse() {
            return Ok(LockTarget::Container(id));
        }
        Ok(LockTarget::Container(self.one_container(name)?.container.id))
    }

    /// The container that is here and that `name` means.
    pub(super) fn one_container(&self, name: &str) -> Result<Row, AdminError> {
        match registry::resolve(name, &registry::rows(&self.state.registry.that_may_be(name))) {
            Resolution::One(row) => Ok(row),
            Resolution::None => Err(AdminError::NoContainer(name.to_owned())),
            Resolution::Ambiguous(rows) => {
                let names: Vec<&str> = rows.iter().take(NAMES).map(|row| row.container.full_name.as_str()).collect();
                Err(AdminError::ManyContainers { name: name.to_owned(), count: rows.len(), names: names.join(", ") })
            }
        }
    }
}

/// The most locks: each connect looks through all of them.
const LOCKS: usize = 1000;

/// How many of the containers that a name may mean are told.
const NAMES: usize = 20;
