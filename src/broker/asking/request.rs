//! One request: who asks for what, who has to approve, how far it is. No database and no clock of its own.

use std::collections::BTreeSet;

use crate::broker::policy::{Approval, Approvers, Scope};
use crate::proto::asking::{RequestRow, RequestState};
use crate::proto::name::{Account, Login};
use crate::proto::{Actions, RequestId};

/// A request as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    /// Who asks: `name@idp`.
    pub(crate) user: String,
    pub(crate) scope: Scope,
    /// The full name of the container that it was made for.
    pub(crate) container: String,
    /// Where that runs, in words.
    pub(crate) place: String,
    pub(crate) login: Login,
    pub(crate) actions: Actions,
    pub(crate) reason: String,
    /// For how long, in seconds.
    pub(crate) seconds: u64,
    /// Who has to approve, one of each, by the policies when it was made.
    pub(crate) approvers: BTreeSet<Approvers>,
    pub(crate) created_at: u64,
    /// When it ends if nobody answers.
    pub(crate) expires_at: u64,
    /// What was said last; see [`Request::state`].
    pub(crate) said: RequestState,
    pub(crate) ended_by: Option<String>,
    pub(crate) ended_reason: Option<String>,
    pub(crate) until: Option<u64>,
    pub(crate) answers: Vec<Given>,
}

/// One person's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    /// Who: `name@idp`.
    pub(crate) by: String,
    /// The groups that this person was in.
    pub(crate) groups: Vec<Account>,
    /// For how many seconds at the most.
    pub(crate) seconds: u64,
}

/// Somebody who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// Who: `name@idp`.
    pub(crate) user: String,
    pub(crate) groups: Vec<Account>,
}

impl Request {
    /// How far it is at `now`.
    pub(crate) fn state(&self, now: u64) -> RequestState {
        match self.said {
            RequestState::Open if self.expires_at <= now => RequestState::Expired,
            RequestState::Approved if self.until.is_none_or(|until| until <= now) => RequestState::Over,
            said => said,
        }
    }

    /// Who has to approve still, one of each.
    pub(crate) fn missing(&self) -> BTreeSet<Approvers> {
        let met = |approvers: &Approvers| self.answers.iter().any(|given| approvers.include(&given.groups));
        self.approvers.iter().filter(|approvers| !met(approvers)).cloned().collect()
    }

    /// Whether `person` is one of those who are asked. Nobody is for what they ask for themselves.
    pub(crate) fn is_for(&self, person: &Person) -> bool {
        person.user != self.user && self.approvers.iter().any(|approvers| approvers.include(&person.groups))
    }

    /// Whether a yes of `person` would bring it further.
    pub(crate) fn is_waiting_for(&self, person: &Person) -> bool {
        self.is_for(person) && self.missing().iter().any(|approvers| approvers.include(&person.groups))
    }

    /// For how long it is approved when all have: for the shortest that anybody said.
    pub(crate) fn length(&self) -> u64 {
        self.answers.iter().map(|given| given.seconds).fold(self.seconds, u64::min)
    }

    /// Whether nobody needs to ask anew at `now`: it is open, or approved and most of the time is left.
    pub(crate) fn is_good(&self, now: u64) -> bool {
        match self.state(now) {
            RequestState::Open => true,
            RequestState::Approved => self.until.is_some_and(|until| until.saturating_sub(now) * 2 > self.length()),
            _ => false,
        }
    }

    /// What policy takes it for, if it is approved.
    pub(crate) fn approval(&self) -> Option<Approval> {
        let until = self.until.filter(|_| self.said == RequestState::Approved)?;
        Some(Approval {
            request: self.id,
            user: self.user.clone(),
            scope: self.scope.clone(),
            login: self.login.clone(),
            actions: self.actions,
            groups: self.answers.iter().flat_map(|given| given.groups.clone()).collect(),
            until,
        })
    }

    /// What it is for, in words that an approver understands.
    pub(crate) fn scope_in_words(&self) -> String {
        match &self.scope {
            Scope::Container(_) => "this container alone".to_owned(),
            Scope::Owner { owner, cluster, namespace, .. } => {
                let place: Vec<&str> = [cluster.as_deref(), namespace.as_deref()].into_iter().flatten().collect();
                let place = if place.is_empty() { String::new() } else { format!(" in {}", place.join("/")) };
                format!("every container of {owner}{place}, also those to come")
            }
        }
    }

    /// The row as `person` sees it at `now`.
    pub(crate) fn row(&self, person: &Person, now: u64) -> RequestRow {
        let state = self.state(now);
        let answerable = match state {
            RequestState::Open => self.is_waiting_for(person),
            _ => false,
        };
        RequestRow {
            id: self.id,
            user: self.user.clone(),
            mine: self.user == person.user,
            answerable,
            container: self.container.clone(),
            scope: self.scope_in_words(),
            place: self.place.clone(),
            login: self.login.clone(),
            actions: self.actions,
            reason: self.reason.clone(),
            seconds: self.seconds,
            created_at: self.created_at,
            expires_at: self.expires_at,
            state,
            missing: self.missing().iter().map(Approvers::to_string).collect(),
            approved_by: self.answers.iter().map(|given| given.by.clone()).collect(),
            ended_by: self.ended_by.clone(),
            ended_reason: self.ended_reason.clone(),
            until: self.until,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::proto::{Action, ContainerId};

    pub(crate) const NOW: u64 = 1_800_000_000;

    pub(crate) fn request(user: &str, approvers: &[&str]) -> Request {
        Request {
            id: RequestId::random(),
            user: user.into(),
            scope: Scope::Container(ContainerId::derived(&[b"tomcat"])),
            container: "tomcat-7f9c01ab34de".into(),
            place: "node-1".into(),
            login: Login::container_default(),
            actions: [Action::Shell].into_iter().collect(),
            reason: "ticket 7".into(),
            seconds: 3600,
            approvers: approvers.iter().map(|groups| groups.parse().unwrap()).collect(),
            created_at: NOW,
            expires_at: NOW + 3600,
            said: RequestState::Open,
            ended_by: None,
            ended_reason: None,
            until: None,
            answers: Vec::new(),
        }
    }

    pub(crate) fn person(user: &str, groups: &[&str]) -> Person {
        Person { user: user.into(), groups: groups.iter().map(|group| group.parse().unwrap()).collect() }
    }

    #[test]
    fn only_others_of_the_right_groups_are_asked() {
        let asked = request("ada@local", &["sre,leads", "dba"]);
        assert!(asked.is_for(&person("bob@local", &["leads"])) && asked.is_for(&person("bob@local", &["dba"])));
        assert!(!asked.is_for(&person("bob@local", &["dev"])) && !asked.is_for(&person("bob@local", &[])));
        assert!(!asked.is_for(&person("ada@local", &["sre", "dba"])), "nobody approves their own");
    }

    #[test]
    fn one_of_each_has_to_approve_and_the_shortest_counts() {
        let mut asked = request("ada@local", &["sre,leads", "dba"]);
        assert_eq!(asked.missing().len(), 2);
        let given = |by: &str, group: &str, seconds| Given { by: by.into(), groups: vec![group.parse().unwrap()], seconds };
        asked.answers.push(given("bob@local", "leads", 3600));
        assert_eq!(asked.missing(), BTreeSet::from(["dba".parse().unwrap()]));
        assert!(!asked.is_waiting_for(&person("eve@local", &["sre"])) && asked.is_waiting_for(&person("dan@local", &["dba"])));
        asked.answers.push(given("dan@local", "dba", 600));
        assert!(asked.missing().is_empty());
        assert_eq!((asked.length(), asked.approval()), (600, None));
        (asked.said, asked.until) = (RequestState::Approved, Some(NOW + 600));
        let approval = asked.approval().unwrap();
        assert_eq!((approval.until, approval.groups.len()), (NOW + 600, 2));
        assert!(asked.is_good(NOW + 299) && !asked.is_good(NOW + 300), "who needs more time asks again");
        assert_eq!((asked.state(NOW + 599), asked.state(NOW + 600)), (RequestState::Approved, RequestState::Over));
    }

    #[test]
    fn an_open_one_ends_by_itself() {
        let asked = request("ada@local", &["sre"]);
        assert_eq!((asked.state(NOW + 3599), asked.state(NOW + 3600)), (RequestState::Open, RequestState::Expired));
        let row = asked.row(&person("bob@local", &["sre"]), NOW + 3600);
        assert!(!row.answerable && !row.mine && row.state == RequestState::Expired);
        assert_eq!(row.scope, "this container alone");
    }
}
