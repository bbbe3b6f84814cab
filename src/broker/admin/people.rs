//! The people of the directory as an operator sees and changes them, and whom a name means.

use super::wire::UserRow;
use super::{Admin, AdminError};
use crate::broker::audit::Event;
use crate::broker::identity::IdentityProvider;
use crate::proto::Secret;
use crate::proto::name::Account;

/// Whom a name means.
#[derive(Debug)]
pub(super) struct Person {
    /// The name at the provider.
    pub(super) name: Account,
    /// The provider, or the kind of job.
    pub(super) idp: String,
    /// The groups, of the directory's people as it has them and of others as they were told last; `None` where nobody is logged in.
    pub(super) groups: Option<Vec<Account>>,
}

impl Person {
    /// `name@idp`, as sessions, locks and the journal have it.
    pub(super) fn whole_name(&self) -> String {
        format!("{}@{}", self.name, self.idp)
    }
}

impl Admin {
    /// Adds a person to the directory.
    ///
    /// # Errors
    /// [`AdminError::UserExists`], [`AdminError::Ending`], [`AdminError::Invalid`] for a short password, and what keeps it from being
    /// written down.
    pub async fn add_user(&self, name: &Account, groups: &[Account], password: Secret<String>) -> Result<(), AdminError> {
        fits(&password)?;
        if let Some(idp) = self.taken_ending(name) {
            return Err(AdminError::Ending { user: name.clone(), idp });
        }
        if self.state.store.user(name).await?.is_some() {
            return Err(AdminError::UserExists(name.clone()));
        }
        let groups_as_text = groups.iter().map(Account::to_string).collect();
        let added = Event::UserAdded { user: name.to_string(), groups: groups_as_text, by: self.by() };
        self.carry_out(added, self.state.directory.add_user(name, groups, password, self.state.clock.now())).await
    }

    /// The people of the directory, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn users(&self) -> Result<Vec<UserRow>, AdminError> {
        let users = self.state.store.users().await?;
        Ok(users.into_iter().map(|user| UserRow { name: user.name, groups: user.groups }).collect())
    }

    /// Removes a person: logins end, and with them the sessions that are open.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], and what keeps it from being written down.
    pub async fn remove_user(&self, name: &Account) -> Result<(), AdminError> {
        self.known(name).await?;
        self.carry_out(Event::UserRemoved { user: name.to_string(), by: self.by() }, self.state.store.remove_user(name))
            .await?;
        self.state.sessions.cut_user(&self.whole_name(name), "your account was removed");
        Ok(())
    }

    /// Puts a person into `groups`, and into no others. Logins go on, sessions end: they began by what the groups before allowed.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], and what keeps it from being written down.
    pub async fn set_groups(&self, name: &Account, groups: &[Account]) -> Result<(), AdminError> {
        self.known(name).await?;
        let groups_as_text = groups.iter().map(Account::to_string).collect();
        let set = Event::GroupsSet { user: name.to_string(), groups: groups_as_text, by: self.by() };
        self.carry_out(set, self.state.store.set_groups(name, groups)).await?;
        self.state.sessions.cut_user(&self.whole_name(name), "your groups have changed");
        Ok(())
    }

    /// Gives a person another password.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], [`AdminError::Invalid`], and what keeps it from being written down.
    pub async fn set_password(&self, name: &Account, password: Secret<String>) -> Result<(), AdminError> {
        fits(&password)?;
        self.known(name).await?;
        let set = Event::PasswordSet { user: name.to_string(), by: self.by() };
        self.carry_out(set, self.state.directory.set_password(name, password)).await
    }

    /// Takes a person's second factor away, whose app and recovery codes are lost.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], [`AdminError::Invalid`] where there is none, and what keeps it from being written down.
    pub async fn reset_totp(&self, name: &Account) -> Result<(), AdminError> {
        self.known(name).await?;
        if self.state.store.totp(name).await?.is_none() {
            return Err(AdminError::Invalid("this user has no second factor"));
        }
        let removed = Event::TotpRemoved { user: self.whole_name(name), by: self.by() };
        self.carry_out(removed, self.state.store.remove_totp(name)).await.map(drop)
    }

    /// Whom `user` means: somebody of the provider that stands after the last `@`, else the directory's person of exactly this name.
    ///
    /// # Errors
    /// [`AdminError::NoUser`] and [`AdminError::NoProvider`] where it is nobody's name.
    pub(super) async fn person(&self, user: &Account) -> Result<Person, AdminError> {
        let (state, here) = (&self.state, self.state.directory.name());
        let unknown = || AdminError::NoUser(user.clone());
        let ours = async |name: &Account| -> Result<Option<Person>, AdminError> {
            let found = state.store.user(name).await?;
            Ok(found.map(|found| Person { name: found.name, idp: here.to_owned(), groups: Some(found.groups) }))
        };
        let Some((name, idp)) = user.as_str().rsplit_once('@') else { return ours(user).await?.ok_or_else(unknown) };
        // The directory may have had such a name before there was such a provider: it is `NAME@local` in whole.
        if !self.is_provider(idp)
            && let Some(person) = ours(user).await?
        {
            return Ok(person);
        }
        let name: Account = name.parse().map_err(|_| unknown())?;
        if idp == here {
            return ours(&name).await?.ok_or_else(unknown);
        }
        // A provider that is configured no more may have left somebody logged in.
        let groups = state.store.last_groups(name.as_str(), idp, state.clock.now()).await?;
        match groups.is_some() || self.is_provider(idp) {
            true => Ok(Person { name, idp: idp.to_owned(), groups }),
            false => Err(AdminError::NoProvider { user: user.clone(), idp: idp.to_owned() }),
        }
    }

    fn is_provider(&self, idp: &str) -> bool {
        self.state.providers.get(idp).is_some() || self.state.config.jobs.iter().any(|job| job.name == idp)
    }

    /// The provider that this would be a name of, were it one of the directory.
    fn taken_ending(&self, name: &Account) -> Option<String> {
        let (_, ending) = name.as_str().rsplit_once('@')?;
        (ending == self.state.directory.name() || self.is_provider(ending)).then(|| ending.to_owned())
    }

    pub(super) async fn known(&self, name: &Account) -> Result<(), AdminError> {
        self.state.store.user(name).await?.map(drop).ok_or_else(|| AdminError::NoUser(name.clone()))
    }

    /// `name@idp`, as sessions and the journal know a person of the directory.
    pub(super) fn whole_name(&self, name: &Account) -> String {
        format!("{name}@{}", self.state.directory.name())
    }
}

fn fits(password: &Secret<String>) -> Result<(), AdminError> {
    match password.expose().chars().count() {
        PASSWORD_LEAST..=PASSWORD_MOST => Ok(()),
        _ => Err(AdminError::Invalid("a password has 8 to 512 characters")),
    }
}

/// The directory's own bounds, asked before anything is written down.
const PASSWORD_LEAST: usize = 8;
const PASSWORD_MOST: usize = 512;
