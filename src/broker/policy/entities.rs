//! The people, groups and containers that a policy names, of whom some cannot be: a name that nobody has decides nothing, in a permit or,
//! worse, in a forbid.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::proto::ContainerId;
use crate::proto::name::Account;

/// What is odd about the names in a policy's JSON form, each with what is expected instead. People are of one of `providers`, if that is known.
pub(super) fn impossible(policy: &Value, providers: Option<&[String]>) -> Vec<String> {
    let mut named = BTreeSet::new();
    collect(policy, &mut named);
    let told = |(kind, id): (String, String)| {
        let expected = expected(&kind, &id).or_else(|| stranger(&kind, &id, providers?))?;
        Some(format!("{kind}::{id:?} cannot be: {expected}"))
    };
    named.into_iter().filter_map(told).collect()
}

/// Whose people `id` would be one of, if that is nobody.
fn stranger(kind: &str, id: &str, providers: &[String]) -> Option<String> {
    let (_, provider) = id.rsplit_once('@').filter(|_| kind == "User")?;
    let known = providers.iter().any(|known| known == provider);
    (!known).then(|| format!("{provider} is no provider of this broker's configuration, which has {}", providers.join(", ")))
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

    fn told(providers: Option<&[String]>, scope: &str, condition: &str) -> Vec<String> {
        let text = format!("permit(principal {scope}, action, resource) when {{ {condition} }};");
        let set = from_texts(&[("p.cedar".into(), text)]).unwrap();
        set.review(providers).into_iter().map(|fault| fault.message).collect()
    }

    #[test]
    fn names_that_nobody_can_have_are_told_wherever_they_stand() {
        let told = |scope: &str, condition: &str| told(None, scope, condition);
        assert_eq!(told("== User::\"ada@local\"", "principal in Group::\"ops\""), Vec::<String>::new());
        assert_eq!(told("== User::\"bob@corp.example@corp\"", "true"), Vec::<String>::new());
        let found = told("== User::\"ada\"", "true");
        assert!(found.len() == 1 && found[0].starts_with("User::\"ada\" cannot be: "), "{found:?}");
        assert!(found[0].ends_with("User::\"ada@local\""), "{found:?}");
        assert!(told("in Group::\"the team\"", "true")[0].starts_with("Group::\"the team\" cannot be: "));
        assert!(told("", "principal == User::\"ada@\"")[0].starts_with("User::\"ada@\" cannot be: "));
        assert!(told("", "[Container::\"web\"].contains(resource)")[0].contains("use resource.app"));
    }

    #[test]
    fn nobody_is_of_a_provider_that_there_is_not() {
        let providers = ["local".to_owned(), "corp".to_owned()];
        let told = |user: &str| told(Some(&providers), &format!("== User::\"{user}\""), "true");
        assert_eq!([told("ada@local"), told("bob@corp.example@corp")].concat(), Vec::<String>::new());
        assert_eq!(
            told("bob@corp.example"),
            [
                "User::\"bob@corp.example\" cannot be: corp.example is no provider of this broker's configuration, which has local, corp"
            ]
        );
    }
}
