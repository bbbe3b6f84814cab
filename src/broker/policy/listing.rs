//! A person's list, and the policies that have a say in it, out of all: most of a large set are about other people's groups.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Policy, PolicySet};
use serde_json::Value;

use super::Set;
use super::decide::{permitted_by, within_token};
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

/// Those of `containers` that `caller` may list. Of many only those policies are asked that are about the caller, and once for each kind
/// of container that they tell apart: with 100 000 containers that is the difference between milliseconds and half a minute. Which kind a
/// container is to all policies is found out once ([`Kinds`](super::kinds::Kinds)).
pub fn listable(
    set: &Set,
    caller: &Caller,
    mut containers: Vec<Arc<Container>>,
    circumstances: &Circumstances<'_>,
) -> Vec<Arc<Container>> {
    let (user, list) = (caller.user(), Action::List);
    let decide = |policies: &PolicySet, container: &Container| {
        permitted_by(set, policies, caller, list, container, None, circumstances).is_ok()
    };
    containers.retain(|container| within_token(caller, list, container));
    if let [container] = containers.as_slice() {
        let listed = decide(&set.policies, container);
        return containers.into_iter().filter(|_| listed).collect();
    }
    let Some(Concerned { policies, projection }) = set.listing.concerning(&user, &caller.groups) else {
        // Two policies of one id: no set has them, and where nothing can be evaluated nothing is permitted.
        return Vec::new();
    };
    let (mut known, mut of_kind, mut key) = (HashMap::<Vec<u8>, bool>::new(), Vec::<Option<bool>>::new(), Vec::new());
    containers.retain(|container| {
        let kind = set.kinds.of(container, &mut key);
        if let Some(verdict) = kind.and_then(|kind| *of_kind.get(kind)?) {
            return verdict;
        }
        let verdict = match projection.project(container, &mut key) {
            false => decide(&policies, container),
            // Kinds that only others' policies tell apart are one here.
            true => match known.get(&key) {
                Some(verdict) => *verdict,
                None => *known.entry(key.clone()).or_insert(decide(&policies, container)),
            },
        };
        if let Some(kind) = kind {
            of_kind.resize(of_kind.len().max(kind + 1), None);
            of_kind.get_mut(kind).into_iter().for_each(|known| *known = Some(verdict));
        }
        verdict
    });
    containers
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
