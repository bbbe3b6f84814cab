//! Approvals as policy looks at them: who has to give one, and what one that was given is good for.
//!
//! An approval is for one person, one container (or those of one owner), one login, some actions, and until a time. Outside of any of
//! these it is none.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::broker::registry::Container;
use crate::proto::name::{Account, Login};
use crate::proto::{Actions, AgentId, ContainerId, RequestId};

/// Those of whom one has to approve: the members of any of these groups. Written `sre,leads`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Approvers(BTreeSet<Account>);

/// The text names no groups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" names no groups: \"sre\" is expected, or \"sre,leads\" where a member of either may approve")]
pub struct InvalidApprovers(String);

/// The containers that an approval is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// This one and no other.
    Container(ContainerId),
    /// All that one owner starts in one place.
    Owner {
        /// The owner: `deployment/tomcat`.
        owner: String,
        /// The cluster that the agent's enrolment asserts.
        cluster: Option<String>,
        /// The namespace.
        namespace: Option<String>,
        /// The agent, which is the place where there is no cluster.
        agent: AgentId,
    },
}

/// An approval that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The request that it answers.
    pub request: RequestId,
    /// For whom: `name@idp`.
    pub user: String,
    /// Where.
    pub scope: Scope,
    /// As which Unix user inside.
    pub login: Login,
    /// What may be done.
    pub actions: Actions,
    /// The groups of those who gave it.
    pub groups: Vec<Account>,
    /// When it ends, in seconds since 1970.
    pub until: u64,
}

impl Approvers {
    /// Whether one who is in `groups` may approve.
    pub fn include(&self, groups: &[Account]) -> bool {
        groups.iter().any(|group| self.0.contains(group))
    }

    /// The groups.
    pub fn groups(&self) -> impl Iterator<Item = &Account> {
        self.0.iter()
    }

    /// For people: `sre or leads`.
    pub fn words(&self) -> String {
        self.0.iter().map(Account::as_str).collect::<Vec<_>>().join(" or ")
    }
}

impl FromStr for Approvers {
    type Err = InvalidApprovers;

    fn from_str(text: &str) -> Result<Self, InvalidApprovers> {
        let groups: Result<BTreeSet<Account>, _> = text.split(',').map(|group| group.trim().parse()).collect();
        groups.map(Self).map_err(|_| InvalidApprovers(text.escape_debug().to_string()))
    }
}

impl fmt::Display for Approvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(Account::as_str).collect::<Vec<_>>().join(","))
    }
}

impl Scope {
    /// `container` alone, or with `replicas` all of its owner; nothing where it has no owner.
    pub fn of(container: &Container, replicas: bool) -> Option<Self> {
        if !replicas {
            return Some(Self::Container(container.id));
        }
        Some(Self::Owner {
            owner: container.facts.owner.clone()?,
            cluster: container.cluster.clone(),
            namespace: container.namespace.clone(),
            agent: container.agent,
        })
    }

    /// Whether `container` is among them.
    pub fn covers(&self, container: &Container) -> bool {
        match self {
            Self::Container(id) => *id == container.id,
            Self::Owner { owner, cluster, namespace, agent } => {
                container.facts.owner.as_ref() == Some(owner)
                    && container.cluster == *cluster
                    && container.namespace == *namespace
                    && (cluster.is_some() || container.agent == *agent)
            }
        }
    }
}

impl Approval {
    /// Whether it is good for `user`, to do one of its actions, as `login` in `container` at `now`.
    pub(super) fn covers(&self, user: &str, container: &Container, login: &Login, now: u64) -> bool {
        self.user == user && self.scope.covers(container) && self.login == *login && now < self.until
    }
}

/// In words, for a sentence: `sre or leads, and by dba`.
pub(in crate::broker) fn words(approvers: &BTreeSet<Approvers>) -> String {
    approvers.iter().map(Approvers::words).collect::<Vec<_>>().join(", and by ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_in_any_order() {
        let approvers: Approvers = "sre, leads".parse().unwrap();
        assert_eq!((approvers.to_string().as_str(), approvers.words().as_str()), ("leads,sre", "leads or sre"));
        assert!(approvers.include(&["dev".parse().unwrap(), "sre".parse().unwrap()]));
        assert!(!approvers.include(&["dev".parse().unwrap()]) && !approvers.include(&[]));
        for text in ["", "sre,", ",", "a b", "sre;leads", "\u{1b}[31m"] {
            assert!(text.parse::<Approvers>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_scope_is_one_container_or_what_one_owner_starts_in_one_place() {
        let one = Container::example("tomcat");
        assert_eq!(Scope::of(&one, true), None, "it has no owner");
        let owned = |id: u64, change: fn(&mut Container)| {
            let mut container = Container { id: ContainerId::derived(&[&id.to_be_bytes()]), ..Container::example("tomcat") };
            container.facts.owner = Some("deployment/tomcat".into());
            (container.cluster, container.namespace) = (None, Some("shop".into()));
            change(&mut container);
            container
        };
        let first = owned(1, |_| ());
        let alone = Scope::of(&first, false).unwrap();
        assert!(alone.covers(&first) && !alone.covers(&owned(2, |_| ())));
        let all = Scope::of(&first, true).unwrap();
        assert!(all.covers(&first) && all.covers(&owned(2, |_| ())));
        let others: [fn(&mut Container); 4] = [
            |other| other.facts.owner = Some("deployment/other".into()),
            |other| other.facts.owner = None,
            |other| other.namespace = Some("pay".into()),
            |other| other.agent = AgentId::of_key(b"another"),
        ];
        for change in others {
            assert!(!all.covers(&owned(2, change)));
        }
        let clustered = |change: fn(&mut Container)| {
            let mut container = owned(3, |of| of.cluster = Some("eu".into()));
            change(&mut container);
            container
        };
        let all = Scope::of(&clustered(|_| ()), true).unwrap();
        assert!(all.covers(&clustered(|other| other.agent = AgentId::of_key(b"another"))), "the cluster is the place");
        assert!(!all.covers(&clustered(|other| other.cluster = Some("us".into()))));
    }
}
