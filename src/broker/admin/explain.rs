//! Why somebody may do something, or not, as an operator asks it: with all policies that decide named.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::wire::{ExplainSpec, Explained};
use super::{Admin, AdminError};
use crate::broker::connect::beyond;
use crate::broker::identity::Caller;
use crate::broker::policy::{Basis, Finding};
use crate::broker::recall;
use crate::proto::Action;

impl Admin {
    /// What the policies in force say of a person, a container that is here and an action. Nothing is done, so nothing is written down.
    ///
    /// # Errors
    /// [`AdminError::NoUser`], [`AdminError::NoProvider`], [`AdminError::NoGroups`], [`AdminError::NoContainer`],
    /// [`AdminError::ManyContainers`], and when the database cannot be read.
    pub async fn explain(&self, spec: ExplainSpec) -> Result<Explained, AdminError> {
        let now = self.state.clock.now();
        let person = self.person(&spec.user).await?;
        let said = Some(spec.groups).filter(|said| !said.is_empty());
        let groups = said.or(person.groups).ok_or_else(|| AdminError::NoGroups(spec.user.clone()))?;
        let row = self.one_container(&spec.container)?;
        let basis = Basis {
            caller: Caller {
                name: person.name,
                idp: person.idp,
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
}
