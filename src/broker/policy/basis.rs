//! What a session was granted on: kept while it lives, so that it can be judged again when the policies change.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::decide::{Denial, Grant, Wish, authorize};
use super::listing::listable;
use super::schema::Circumstances;
use super::{Approval, Approvers, Scope, Set};
use crate::broker::identity::Caller;
use crate::broker::registry::Container;
use crate::proto::name::Login;
use crate::proto::{Actions, RequestId};

/// Who asked for what, where and when.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Who.
    pub caller: Caller,
    /// The container, as it was then.
    pub container: Arc<Container>,
    /// The Unix user inside.
    pub login: Login,
    /// What was granted, or is to be.
    pub actions: Actions,
    /// The one command, if there was only one.
    pub command: Option<String>,
    /// Why, in the user's words.
    pub reason: Option<String>,
    /// The approvals that this caller had been given, as far as they were looked for.
    pub approvals: Vec<Approval>,
    /// Whether to begin without those that are missing, where the policies allow that.
    pub break_glass: bool,
    /// Where the client was.
    pub address: IpAddr,
    /// When, in seconds since 1970.
    pub time: u64,
    /// The longest session where no policy asks for a shorter one.
    pub max_session: Duration,
}

impl Basis {
    /// What `set` says of it.
    ///
    /// # Errors
    /// [`Denial`].
    pub fn decide(&self, set: &Set) -> Result<Grant, Denial> {
        let wish = Wish {
            actions: &self.actions,
            login: &self.login,
            max_session: self.max_session,
            approvals: &self.approvals,
            break_glass: self.break_glass,
        };
        authorize(set, &self.caller, &self.container, &wish, &self.circumstances())
    }

    /// The same as if everybody whom the policies ask had approved.
    ///
    /// # Errors
    /// [`Denial`], for another reason.
    pub fn decide_as_approved(&self, set: &Set) -> Result<Grant, Denial> {
        match self.decide(set) {
            Err(Denial::ApprovalRequired { approvers, .. }) => {
                let approval = Approval {
                    request: RequestId::derived(&[]),
                    user: self.caller.user(),
                    scope: Scope::Container(self.container.id),
                    login: self.login.clone(),
                    actions: self.actions,
                    groups: approvers.iter().flat_map(Approvers::groups).cloned().collect(),
                    until: u64::MAX,
                };
                Self { approvals: vec![approval], break_glass: false, ..self.clone() }.decide(set)
            }
            decided => decided,
        }
    }

    /// Whether by `set` the caller would still be told that there is such a container.
    pub fn is_listed(&self, set: &Set) -> bool {
        let circumstances = Circumstances { reason: None, command: None, ..self.circumstances() };
        !listable(set, &self.caller, vec![Arc::clone(&self.container)], &circumstances).is_empty()
    }

    fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            address: self.address,
            time: self.time,
            reason: self.reason.as_deref(),
            command: self.command.as_deref(),
        }
    }
}

#[cfg(test)]
impl Basis {
    /// A shell of `ada@local` in a container of `app`.
    pub(crate) fn example(app: &str) -> Self {
        Self {
            caller: super::tests::caller(&[]),
            container: Arc::new(Container::example(app)),
            login: Login::container_default(),
            actions: [crate::proto::Action::Shell].into_iter().collect(),
            command: None,
            reason: None,
            approvals: Vec::new(),
            break_glass: false,
            address: std::net::Ipv4Addr::LOCALHOST.into(),
            time: super::tests::NOW,
            max_session: Duration::from_secs(3600),
        }
    }
}
