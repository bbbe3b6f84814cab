//! Why somebody may do something, or not, as an operator asks it: with all policies that decide named.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::wire::{ExplainSpec, Explained};
use super::{Admin, AdminError};
use crate::broker::connect::beyond;
use crate::broker::identity::{Caller, IdentityProvider};
use crate::broker::policy::{Basis, Finding};
use crate::broker::recall;
use crate::proto::Action;
use crate::proto::name::Account;

impl Admin {
    /// What the policies in force say of a person, a container that is here and an action. Nothing is done, so nothing is written down.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], [`AdminError::NoGroups`], [`AdminError::NoContainer`], [`AdminError::ManyContainers`], and when the
    /// database cannot be read.
    pub async fn explain(&self, spec: ExplainSpec) -> Result<Explained, AdminError> {
        let now = self.state.clock.now();
        let (name, idp, groups) = self.person(&spec.user, &spec.groups, now).await?;
        let row = self.one_container(&spec.container)?;
        let basis = Basis {
            caller: Caller {
                name,
                idp,
                groups,
                login: None,
                logged_in_at: now,
                narrowed: None,
                expires_at: None,
                mfa_at: spec.mfa.then_some(now),
            },
            container: Arc::clone(&row.container),
            login: spec.login,
            actions: [spec.action].into_iter().collect(),
            command: spec.command,
            reason: spec.reason,
            approvals: Vec::new(),
            break_glass: false,
            address: spec.address.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            time: now,
            max_session: self.state.config.max_session,
        };
        let set = self.state.policies.current();
        let full_name = &row.container.full_name;
        let listing = Basis { actions: [Action::List].into_iter().collect(), reason: None, command: None, ..basis.clone() };
        let grant = basis.decide_as_approved(&set).ok();
        Ok(Explained {
            user: basis.caller.user(),
            groups: basis.caller.groups.clone(),
            container: full_name.clone(),
            login: basis.login.clone(),
            action: spec.action,
            list: Finding::of(&set, &listing),
            finding: Finding::of(&set, &basis),
            locked: recall::unlocked(&self.state, &basis, full_name).err().map(|body| body.message),
            unable: grant
                .and_then(|grant| beyond(&row, grant.login(), grant.actions()))
                .filter(|_| spec.action != Action::List),
        })
    }

    /// Name, provider and groups of whoever is meant, in `groups` if there are any.
    async fn person(
        &self,
        user: &Account,
        groups: &[Account],
        now: u64,
    ) -> Result<(Account, String, Vec<Account>), AdminError> {
        let (state, unknown) = (&self.state, || AdminError::NoUser(user.clone()));
        // A name at a provider may be an address.
        let (name, idp) = user.as_str().rsplit_once('@').unwrap_or((user.as_str(), state.directory.name()));
        let name: Account = name.parse().map_err(|_| unknown())?;
        let known = if idp == state.directory.name() {
            Some(state.store.user(&name).await?.ok_or_else(unknown)?.groups)
        } else if state.providers.get(idp).is_some() || state.config.jobs.iter().any(|job| job.name == idp) {
            state.store.last_groups(name.as_str(), idp, now).await?
        } else {
            return Err(unknown());
        };
        let said = Some(groups.to_vec()).filter(|said| !said.is_empty());
        let groups = said.or(known).ok_or_else(|| AdminError::NoGroups(user.clone()))?;
        Ok((name, idp.to_owned(), groups))
    }
}
