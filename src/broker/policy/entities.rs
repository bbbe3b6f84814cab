//! The people, groups and containers that a policy names, of whom some cannot be: a name that nobody has decides nothing, in a permit or,
//! worse, in a forbid.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::proto::ContainerId;
use crate::proto::name::Account;

/// What is odd about the names in a policy's JSON form, each with what is expected instead.
pub(super) fn impossible(policy: &Value) -> Vec<String> {
    let mut named = BTreeSet::new();
    collect(policy, &mut named);
    named.into_iter().filter_map(|(kind, id)| Some(format!("{kind}::{id:?} cannot be: {}", expected(&kind, &id)?))).collect()
}

/// Each `{"type": …, "id": …}` in it.
fn collect(value: &Value, named: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(object) => {
            if let (Some(Value::String(kind)), Some(Value::String(id))) = (object.get("type"), object.get("id")) {
                named.insert((kind.clone(), id.clone()));
            }
            object.values().for_each(|value| collect(value, named));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, named)),
        _ => {}
    }
}

/// What would be a name of that kind, if `id` is none.
fn expected(kind: &str, id: &str) -> Option<String> {
    let account = |name: &str| name.parse::<Account>();
    match kind {
        "User" => match id.rsplit_once('@') {
            Some((name, idp)) if !idp.is_empty() => account(name).err().map(|error| error.to_string()),
            _ if account(id).is_ok() => {
                Some(format!("a person is name@provider, one of the broker's own directory User::\"{id}@local\""))
            }
            _ => Some("a person is name@provider, as in User::\"ada@local\"".to_owned()),
        },
        "Group" => account(id).err().map(|error| error.to_string()),
        "Container" if id.parse::<ContainerId>().is_err() => Some(
            "a container's id is 32 hexadecimal digits and another one after each start: use resource.app or resource.name"
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::load::from_texts;

    #[test]
    fn names_that_nobody_can_have_are_told_wherever_they_stand() {
        let told = |scope: &str, condition: &str| {
            let text = format!("permit(principal {scope}, action, resource) when {{ {condition} }};");
            let set = from_texts(&[("p.cedar".into(), text)]).unwrap();
            set.review().into_iter().map(|fault| fault.message).collect::<Vec<_>>()
        };
        assert_eq!(told("== User::\"ada@local\"", "principal in Group::\"ops\""), Vec::<String>::new());
        assert_eq!(told("== User::\"bob@corp.example@corp\"", "true"), Vec::<String>::new());
        let found = told("== User::\"ada\"", "true");
        assert!(found.len() == 1 && found[0].starts_with("User::\"ada\" cannot be: "), "{found:?}");
        assert!(found[0].ends_with("User::\"ada@local\""), "{found:?}");
        assert!(told("in Group::\"the team\"", "true")[0].starts_with("Group::\"the team\" cannot be: "));
        assert!(told("", "principal == User::\"ada@\"")[0].starts_with("User::\"ada@\" cannot be: "));
        assert!(told("", "[Container::\"web\"].contains(resource)")[0].contains("use resource.app"));
    }
}
