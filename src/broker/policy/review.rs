//! What is well-formed and still hardly meant: policies that can never apply, permits of what nobody may list, names that nobody can have, and
//! permits whose obligations bind people whom another permit lets in without. For `ztbroker policy check`; a broker takes such policies.
//!
//! What Cedar's validator finds impossible comes with the loading. Here policies are held against each other by their JSON form, as
//! far as that is plain: scopes, and conditions that are equations. Where it is not, they are taken to meet.

use std::collections::BTreeSet;

use cedar_policy::{Effect, Policy, PolicyId};
use serde_json::Value;

use super::load::Fault;
use super::obligation::Obligations;
use super::{Set, approval, entities, projection};
use crate::moment;
use crate::proto::Action;

/// A policy as it is looked at here.
struct Rule<'a> {
    id: String,
    permits: bool,
    asks: Option<&'a Obligations>,
    /// The actions that its scope names.
    actions: BTreeSet<Action>,
    json: Value,
    /// What its conditions say that something equals, as texts of what and of value.
    equations: Vec<(String, Value)>,
}

impl Set {
    /// What may not be meant, each with its place, in the order of the files. `providers` are those that people can be of, if that is known.
    pub fn review(&self, providers: Option<&[String]>) -> Vec<Fault> {
        let mut policies: Vec<&Policy> = self.policies.policies().collect();
        policies.sort_by_key(|policy| self.place(policy.id()).map(|place| (&place.path, place.line, place.column)));
        let rules: Vec<Rule<'_>> = policies.iter().filter_map(|policy| Rule::of(self, policy)).collect();
        let mut warnings = self.warnings.clone();
        for rule in &rules {
            let never = rule.never_because(&rules).or_else(|| rule.unlisted(&rules));
            let said = never.into_iter().chain(rule.narrows(&rules)).chain(entities::impossible(&rule.json, providers));
            let fault = |message| self.place(&PolicyId::new(&rule.id)).map(|place| Fault { message, ..place.clone() });
            warnings.extend(said.filter_map(fault));
        }
        warnings.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
        warnings
    }
}

impl<'a> Rule<'a> {
    fn of(set: &'a Set, policy: &Policy) -> Option<Self> {
        let json = policy.to_json().ok()?;
        let actions = Action::ALL.into_iter().filter(|action| projection::may_apply(&json["action"], *action)).collect();
        let mut equations = Vec::new();
        for condition in json["conditions"].as_array().into_iter().flatten().filter(|condition| condition["kind"] == "when") {
            equate(&condition["body"], &mut equations);
        }
        let (id, permits) = (policy.id().to_string(), policy.effect() == Effect::Permit);
        Some(Self { id, permits, asks: set.obligations.get(policy.id()), actions, json, equations })
    }

    fn never_because(&self, rules: &[Rule<'_>]) -> Option<String> {
        if let Some((what, one, other)) = contradiction(&self.equations, &self.equations) {
            return Some(format!("\"{}\" can never apply: {what} is to be {one} and {other} at once", self.id));
        }
        let forbids = rules.iter().find(|other| self.permits && !other.permits && other.covers(self))?;
        Some(format!("\"{}\" can never apply: \"{}\" forbids all of it", self.id, forbids.id))
    }

    /// Whether nobody may list what this one permits to enter: who may not see a container cannot name it either.
    fn unlisted(&self, rules: &[Rule<'_>]) -> Option<String> {
        if !self.permits || self.actions.is_empty() || self.actions.contains(&Action::List) {
            return None;
        }
        let listed =
            rules.iter().any(|other| other.permits && other.actions.contains(&Action::List) && self.may_decide_with(other));
        (!listed).then(|| {
            let words: Vec<&str> = self.actions.iter().map(|action| action.as_str()).collect();
            format!(
                "\"{}\" permits {} where nothing permits list: whoever may not list a container cannot reach it",
                self.id,
                words.join(", ")
            )
        })
    }

    /// Whether this one, a `forbid`, always applies where `other` does.
    fn covers(&self, other: &Self) -> bool {
        let wide = |scope: &str| self.json[scope]["op"] == "All" || self.json[scope] == other.json[scope];
        let unconditional = self.json["conditions"].as_array().is_none_or(Vec::is_empty);
        unconditional && wide("principal") && wide("resource") && self.actions.is_superset(&other.actions)
    }

    /// What this permit asks of those whom another one lets in without.
    fn narrows(&self, rules: &[Rule<'_>]) -> Option<String> {
        let asks = self.asks.filter(|_| self.permits)?;
        let mut others = Vec::new();
        let mut words = BTreeSet::new();
        for other in rules.iter().filter(|other| other.permits && other.id != self.id && self.meets(other)) {
            let more = other.asks.map(|theirs| stricter(asks, theirs)).unwrap_or_default();
            if !more.is_empty() {
                others.push(format!("\"{}\"", other.id));
                words.extend(more);
            }
        }
        let words: Vec<String> = words.into_iter().collect();
        (!others.is_empty()).then(|| {
            format!(
                "where \"{}\" permits as well, it narrows what {} alone would allow: {}",
                self.id,
                others.join(", "),
                words.join(", ")
            )
        })
    }

    /// Whether both may decide about one session.
    fn meets(&self, other: &Self) -> bool {
        let session = |action: &Action| *action != Action::List;
        self.actions.intersection(&other.actions).any(session) && self.may_decide_with(other)
    }

    /// Whether both may decide about one person in one container.
    fn may_decide_with(&self, other: &Self) -> bool {
        let apart = |scope: &str| {
            let (ours, theirs) = (&self.json[scope], &other.json[scope]);
            ours["op"] == "==" && theirs["op"] == "==" && ours["entity"] != theirs["entity"]
        };
        !apart("principal")
            && !apart("resource")
            && contradiction(&self.equations, &other.equations).is_none()
            && !self.excludes(other)
            && !other.excludes(self)
    }

    /// Whether one of our conditions is the other's exception, word for word.
    fn excludes(&self, other: &Self) -> bool {
        let of_kind = |rule: &Self, kind: &str| {
            let conditions = rule.json["conditions"].as_array().cloned().unwrap_or_default();
            conditions
                .into_iter()
                .filter(|condition| condition["kind"] == kind)
                .map(|mut one| one["body"].take())
                .collect::<Vec<_>>()
        };
        let exceptions = of_kind(other, "unless");
        of_kind(self, "when").iter().any(|condition| exceptions.contains(condition))
    }
}

/// What `asks` has beyond `others`, in words.
fn stricter(asks: &Obligations, others: &Obligations) -> Vec<String> {
    let shorter = |ours: Option<std::time::Duration>, theirs: Option<std::time::Duration>| {
        ours.filter(|ours| theirs.is_none_or(|theirs| *ours < theirs)).map(|ours| moment::length(ours.as_secs()))
    };
    let names = match (&asks.env, &others.env) {
        (Some(ours), Some(theirs)) if ours.and(theirs) != *theirs => Some(format!("of its variables only {ours}")),
        _ => None,
    };
    let more: BTreeSet<_> = asks.approval.difference(&others.approval).cloned().collect();
    let approval = (!more.is_empty()).then(|| format!("an approval by {}", approval::words(&more)));
    [
        shorter(asks.max_session, others.max_session).map(|length| format!("{length} at most")),
        shorter(asks.idle, others.idle).map(|length| format!("an end after {length} without activity")),
        shorter(asks.mfa, others.mfa).map(|age| format!("a second factor of the last {age}")),
        (asks.reason && !others.reason).then(|| "a reason".to_owned()),
        approval,
        names,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Adds what has to be equal for `expression` to be true: the equations with a literal that are joined by `&&`.
fn equate(expression: &Value, equations: &mut Vec<(String, Value)>) {
    if let Some(both) = expression.get("&&") {
        equate(&both["left"], equations);
        equate(&both["right"], equations);
    } else if let Some(sides) = expression.get("==") {
        let (left, right) = (&sides["left"], &sides["right"]);
        for (what, value) in [(left, right), (right, left)] {
            if let (Some(what), Some(value)) = (attribute(what), value.get("Value")) {
                equations.push((what, value.clone()));
            }
        }
    }
}

/// What an expression reads, as one writes it, if that is one attribute or label of one thing.
fn attribute(expression: &Value) -> Option<String> {
    if let Some(read) = expression.get(".") {
        return Some(format!("{}.{}", read["left"]["Var"].as_str()?, read["attr"].as_str()?));
    }
    let read = expression.get("getTag")?;
    Some(format!("{}.getTag({})", read["left"]["Var"].as_str()?, read["right"].get("Value")?))
}

/// Something that both say, with different values.
fn contradiction(ours: &[(String, Value)], theirs: &[(String, Value)]) -> Option<(String, Value, Value)> {
    ours.iter().find_map(|(what, value)| {
        let other = theirs.iter().find(|(other, contrary)| other == what && contrary != value)?;
        Some((what.clone(), value.clone(), other.1.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::load::from_texts;

    fn review(text: &str) -> Vec<String> {
        let set = from_texts(&[("p.cedar".into(), text.into())]).unwrap();
        set.review(None).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_can_never_apply_is_told() {
        let never =
            |condition: &str| review(&format!("@id(\"x\") permit(principal, action, resource) when {{ {condition} }};"));
        assert_eq!(never("resource.app == \"web\""), Vec::<String>::new());
        let found = never("resource.app == \"web\" && principal in Group::\"g\" && resource.app == \"db\"");
        assert!(
            found[0].starts_with("p.cedar:1:1: \"x\" can never apply: resource.app is to be \"web\" and \"db\" at once"),
            "{found:?}"
        );
        let found = never("false");
        assert!(found.len() == 1 && found[0].contains("impossible"), "{found:?}");
        let found = review(
            "@id(\"p\") permit(principal, action == Action::\"exec\", resource) when { resource.app == \"x\" };\n\
             @id(\"f\") forbid(principal, action in [Action::\"exec\", Action::\"shell\"], resource);\n\
             @id(\"q\") permit(principal, action == Action::\"list\", resource);",
        );
        assert_eq!(found, ["p.cedar:1:1: \"p\" can never apply: \"f\" forbids all of it"]);
    }

    #[test]
    fn what_nobody_may_list_nobody_can_enter() {
        let shell =
            |scope: &str| format!("@id(\"s\") permit({scope}, action in [Action::\"shell\", Action::\"logs\"], resource);");
        let found = review(&shell("principal"));
        assert_eq!(
            found,
            [
                "p.cedar:1:1: \"s\" permits shell, logs where nothing permits list: whoever may not list a container cannot reach it"
            ]
        );
        let listing = |who: &str| format!("permit(principal == User::\"{who}\", action == Action::\"list\", resource);");
        let hers = shell("principal == User::\"ada@local\"");
        assert_eq!(review(&(listing("bob@local") + &hers)).len(), 1);
        assert_eq!(review(&(listing("ada@local") + &hers)), Vec::<String>::new());
        assert_eq!(review(&(listing("ada@local") + &shell("principal in Group::\"dev\""))), Vec::<String>::new());
    }

    #[test]
    fn what_narrows_another_permit_is_told() {
        let with = |first: &str, second: &str| {
            let permit = |id: &str, rest: &str| match rest.split_once('|') {
                Some((asks, when)) => format!("{asks} @id(\"{id}\") permit(principal, action, resource) {when};\n"),
                None => format!("@id(\"{id}\") {rest};\n"),
            };
            review(&(permit("a", first) + &permit("b", second)))
        };
        let found = with("|", "@max_session(\"1h\") @require(\"reason\") @idle(\"5m\") |");
        assert_eq!(
            found,
            [
                "p.cedar:2:1: where \"b\" permits as well, it narrows what \"a\" alone would allow: 1h at most, a reason, an end after 5m without activity"
            ]
        );
        assert_eq!(with("@env(\"APP_*\") |", "@env(\"APP_MODE\") |").len(), 1);
        let found = with("@approval(\"dba\") |", "@approval(\"sre,leads\") |");
        assert!(found.len() == 2 && found[1].ends_with("an approval by leads or sre"), "{found:?}");
        for (first, second) in [
            ("@env(\"A\") |", "|"),
            ("@max_session(\"1h\") |", "@max_session(\"1h\") |"),
            ("@approval(\"a,b\") |", "@approval(\"b,a\") |"),
            ("| when { resource.app == \"x\" }", "@max_session(\"1h\") | when { resource.app == \"y\" }"),
            (
                "| when { resource.hasTag(\"t\") && resource.getTag(\"t\") == \"x\" }",
                "@max_session(\"1h\") | when { resource.hasTag(\"t\") && resource.getTag(\"t\") == \"y\" }",
            ),
            ("| when { resource.app like \"x*\" }", "@max_session(\"1h\") | unless { resource.app like \"x*\" }"),
            (
                "permit(principal == User::\"a@local\", action, resource)",
                "permit(principal == User::\"b@local\", action, resource)",
            ),
            ("permit(principal, action == Action::\"list\", resource)", "@max_session(\"1h\") |"),
        ] {
            assert_eq!(with(first, second), Vec::<String>::new(), "{first} {second}");
        }
    }
}
