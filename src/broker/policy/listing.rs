//! The policies that have a say in a person's list, out of all: most of a large set are about other people's groups.

use cedar_policy::{Policy, PolicySet};
use serde_json::Value;

use super::projection::{Projection, may_apply};
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
