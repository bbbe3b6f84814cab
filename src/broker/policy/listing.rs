//! A person's list, and the policies that have a say in it, out of all: most of a large set are about other people's groups.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Policy, PolicySet};
use serde_json::Value;

use super::Set;
use super::decide::{permitted_by, within_token};
use super::kinds::Noted;
use super::projection::{Projection, may_apply};
use super::schema::Circumstances;
use crate::broker::identity::Caller;
use crate::broker::registry::Container;
use crate::proto::Action;
use crate::proto::name::Account;

/// Every policy that can say something about a list, with its JSON form.
#[derive(Debug, Default)]
pub(super) struct Listing(Vec<(Policy, Value)>);

/// Those that concern one person, and what they read.
#[derive(Debug)]
pub(super) struct Concerned {
    pub(super) policies: PolicySet,
    pub(super) projection: Projection,
}

impl Listing {
    /// Adds `policy`, whose JSON form is `form`.
    pub(super) fn add(&mut self, policy: &Policy, form: Value) {
        if may_apply(&form["action"], Action::List) {
            self.0.push((policy.clone(), form));
        }
    }

    /// What all of them read.
    pub(super) fn projection(&self) -> Projection {
        let mut projection = Projection::default();
        self.0.iter().for_each(|(_, form)| projection.read_by(form));
        projection
    }

    /// Those that are not plainly about somebody else than `user` in `groups`. The others decide nothing: where the scope of a policy is
    /// not met, its conditions are not looked at. Nothing for two policies of one id, which no set has.
    pub(super) fn concerning(&self, user: &str, groups: &[Account]) -> Option<Concerned> {
        let mut concerned = Concerned { policies: PolicySet::new(), projection: Projection::default() };
        for (policy, form) in self.0.iter().filter(|(_, form)| concerns(&form["principal"], user, groups)) {
            concerned.policies.add(policy.clone()).ok()?;
            concerned.projection.read_by(form);
        }
        Some(concerned)
    }
}

/// What one person may list, asked of many containers. Only those policies are asked that are about the caller, and once for each kind of
/// container that they tell apart: with 100 000 containers that is the difference between milliseconds and half a minute. Which kind a
/// container is to all policies is found out once ([`Kinds`](super::kinds::Kinds)).
#[derive(Debug)]
pub struct Lister<'a> {
    set: &'a Set,
    caller: &'a Caller,
    circumstances: &'a Circumstances<'a>,
    /// None for two policies of one id: no set has them, and where nothing can be evaluated nothing is permitted.
    concerned: Option<Concerned>,
    /// What was decided, by what the caller's policies read of a container, and by its kind's number.
    known: HashMap<Vec<u8>, bool>,
    of_kind: Vec<Option<bool>>,
    key: Vec<u8>,
}

impl<'a> Lister<'a> {
    /// What `caller` may list by `set`.
    pub fn new(set: &'a Set, caller: &'a Caller, circumstances: &'a Circumstances<'a>) -> Self {
        let concerned = set.listing.concerning(&caller.user(), &caller.groups);
        Self { set, caller, circumstances, concerned, known: HashMap::new(), of_kind: Vec::new(), key: Vec::new() }
    }

    /// Those of `containers` that are among it.
    pub fn among(&mut self, containers: &[&Arc<Container>]) -> Vec<Arc<Container>> {
        // The notes lie far apart. Reading one takes longer than deciding by it, but many are fetched at once where nothing is decided in
        // between.
        let noted: Vec<Noted> = containers.iter().map(|container| self.set.kinds.noted(container)).collect();
        let each = containers.iter().zip(noted);
        each.filter(|(container, noted)| self.lists(container, *noted)).map(|(container, _)| Arc::clone(container)).collect()
    }

    fn lists(&mut self, container: &Container, noted: Noted) -> bool {
        let Some(Concerned { policies, projection }) = &self.concerned else { return false };
        if !within_token(self.caller, Action::List, container) {
            return false;
        }
        let kind = self.set.kinds.of(container, noted, &mut self.key);
        if let Some(verdict) = kind.and_then(|kind| *self.of_kind.get(kind)?) {
            return verdict;
        }
        let decide = || decide(self.set, policies, self.caller, container, self.circumstances);
        let verdict = match projection.project(container, &mut self.key) {
            false => decide(),
            // Kinds that only others' policies tell apart are one here.
            true => match self.known.get(&self.key) {
                Some(verdict) => *verdict,
                None => *self.known.entry(self.key.clone()).or_insert_with(decide),
            },
        };
        if let Some(kind) = kind {
            self.of_kind.resize(self.of_kind.len().max(kind + 1), None);
            self.of_kind.get_mut(kind).into_iter().for_each(|known| *known = Some(verdict));
        }
        verdict
    }
}

/// Those of `containers` that `caller` may list.
pub fn listable(
    set: &Set,
    caller: &Caller,
    containers: Vec<Arc<Container>>,
    circumstances: &Circumstances<'_>,
) -> Vec<Arc<Container>> {
    if let [container] = containers.as_slice() {
        // One question is not worth a look at who is concerned.
        let listed =
            within_token(caller, Action::List, container) && decide(set, &set.policies, caller, container, circumstances);
        return containers.into_iter().filter(|_| listed).collect();
    }
    Lister::new(set, caller, circumstances).among(&containers.iter().collect::<Vec<_>>())
}

fn decide(set: &Set, policies: &PolicySet, caller: &Caller, container: &Container, circumstances: &Circumstances<'_>) -> bool {
    permitted_by(set, policies, caller, Action::List, container, None, circumstances).is_ok()
}

/// Whether a policy with this principal scope may be about `user`. A user is in their groups, and groups are in none.
fn concerns(scope: &Value, user: &str, groups: &[Account]) -> bool {
    let is = |entity: &Value| match (entity["type"].as_str(), entity["id"].as_str()) {
        (Some("User"), Some(id)) => id == user,
        (Some("Group"), Some(id)) => groups.iter().any(|group| group.as_str() == id),
        _ => true,
    };
    match scope["op"].as_str() {
        Some("==") => scope["entity"]["type"] != "Group" && is(&scope["entity"]),
        Some("in") => is(&scope["entity"]),
        Some("is") => scope.get("in").is_none_or(|within| is(&within["entity"])),
        _ => true,
    }
}
