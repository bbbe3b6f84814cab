//! What is read is told, and never less: whatever the policies, a list says what single questions say.

use std::sync::Arc;

use cedar_policy::Policy;
use proptest::prelude::*;

use super::*;
use crate::broker::identity::Caller;
use crate::broker::policy::load::from_texts;
use crate::broker::policy::{Circumstances, Set, listable};

fn projection(policy: &str) -> Projection {
    let mut projection = Projection::default();
    projection.read_by(&Policy::parse(None, policy).unwrap().to_json().unwrap());
    projection
}

/// What is read, each with how.
fn read(policy: &str) -> Vec<String> {
    let projection = projection(policy);
    let how = |name: &str, reading: &Reading| {
        let mut equals: Vec<&String> = reading.equals.keys().collect();
        equals.sort();
        let likes: Vec<String> = reading.likes.iter().map(|pattern| pattern.0.join("*")).collect();
        match reading.whole {
            true => name.to_owned(),
            false => format!("{name} ={equals:?} ~{likes:?}"),
        }
    };
    let mut read: Vec<String> = projection.attributes.iter().map(|(name, (_, reading))| how(name, reading)).collect();
    read.extend(projection.labels.iter().map(|(label, reading)| how(&format!("#{label}"), reading)));
    read.extend(projection.agent.then(|| "agent_id".to_owned()));
    read.extend(projection.ports.then(|| "ports".to_owned()));
    read.extend(projection.everything.then(|| "everything".to_owned()));
    read
}

#[test]
fn comparisons_with_constants_are_told_from_readings() {
    let scope = "permit(principal, action, resource)";
    assert!(read(&format!("{scope};")).is_empty());
    let when = format!(
        r#"{scope} when {{ resource.app like "tom*\*" && resource has cluster && "eu" == resource.cluster }}
           unless {{ resource.hasTag("team") && ["a", "b"].contains(resource.getTag("tier")) && context.time > 7 }};"#
    );
    assert_eq!(read(&when), [r#"app =[] ~["tom**"]"#, r#"cluster =["eu"] ~[]"#, "#team =[] ~[]", r##"#tier =["a", "b"] ~[]"##]);
    assert_eq!(
        read(r#"permit(principal, action, resource is Container) when { resource.name != "resource" };"#),
        [r#"name =["resource"] ~[]"#]
    );
    // What is compared with another text than a constant counts as it is.
    for whole in [
        r#"resource.name == resource.app"#,
        r#"[resource.name].contains(resource.app)"#,
        r#"(if resource.name == "x" then resource.name else resource.app) == "y""#,
    ] {
        let read = read(&format!("{scope} when {{ {whole} }};"));
        assert!(read.contains(&"name".to_owned()) && read.contains(&"app".to_owned()), "{whole}: {read:?}");
    }
    assert_eq!(
        read(&format!(r#"{scope} when {{ resource.agent_id == "x" && resource.ports.contains("80/tcp") }};"#)),
        ["agent_id", "ports"]
    );
}

#[test]
fn other_actions_do_not_count() {
    let one = r#"permit(principal, action == Action::"shell", resource) when { resource.name == "x" };"#;
    assert!(read(one).is_empty());
    let list = r#"permit(principal, action in [Action::"shell", Action::"list"], resource) when { resource.name == "x" };"#;
    assert_eq!(read(list), [r#"name =["x"] ~[]"#]);
}

#[test]
fn whatever_is_not_plain_counts_as_everything() {
    for policy in [
        r#"permit(principal, action, resource == Container::"x");"#,
        r#"permit(principal, action, resource) when { resource == Container::"x" };"#,
        r#"permit(principal, action, resource) when { resource.hasTag(principal.team) };"#,
        r#"permit(principal, action, resource) when { [resource].contains(principal.favourite) };"#,
        r#"permit(principal, action, resource) when { {"a": resource}.a.app == "x" };"#,
        r#"permit(principal, action, resource) when { (if true then resource else resource).app == "x" };"#,
    ] {
        assert!(projection(policy).everything, "{policy}");
    }
}

#[test]
fn patterns_are_cedars() {
    for (pattern, text, fits) in [
        ("tom*", "tomcat", true),
        ("tom*", "atom", false),
        ("*", "", true),
        ("", "", true),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("*b*", "abc", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*bc*c", "abc", false),
        ("é*", "éa", true),
    ] {
        let texts = pattern.split('*').map(str::to_owned).collect();
        assert_eq!(Pattern(texts).fits(text), fits, "{pattern} {text}");
    }
}

/// Whom a policy is about: `ada@local` in the group `dev`, or not.
fn principal() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "principal",
        r#"principal in Group::"dev""#,
        r#"principal in Group::"ops""#,
        r#"principal is User"#,
        r#"principal is User in Group::"dev""#,
        r#"principal is User in Group::"ops""#,
        r#"principal == User::"ada@local""#,
        r#"principal == User::"bob@local""#,
        r#"principal in User::"ada@local""#,
    ])
}

/// A condition on a container: of the forms that people write, and of some that they hardly do.
fn condition() -> impl Strategy<Value = String> {
    let word = || prop::sample::select(vec!["a", "b", "ab", "aab", "", "a*b"]);
    let pattern = || prop::sample::select(vec!["a*", "*b", "*a*b*", "a", "", "*", r"a\*b", "a*a*"]);
    let attribute = || prop::sample::select(vec!["name", "app", "image", "state"]);
    let optional = || prop::sample::select(vec!["namespace", "owner", "node"]);
    let leaf = prop_oneof![
        (attribute(), word()).prop_map(|(name, word)| format!("resource.{name} == \"{word}\"")),
        (word(), attribute()).prop_map(|(word, name)| format!("\"{word}\" != resource.{name}")),
        (attribute(), pattern()).prop_map(|(name, pattern)| format!("resource.{name} like \"{pattern}\"")),
        (optional(), pattern())
            .prop_map(|(name, pattern)| format!("(resource has {name} && resource.{name} like \"{pattern}\")")),
        optional().prop_map(|name| format!("resource has {name}")),
        (attribute(), attribute()).prop_map(|(one, other)| format!("resource.{one} == resource.{other}")),
        (attribute(), word(), word())
            .prop_map(|(name, one, other)| format!("[\"{one}\", \"{other}\"].contains(resource.{name})")),
        (word(), word())
            .prop_map(|(label, word)| format!("(resource.hasTag(\"{label}\") && resource.getTag(\"{label}\") == \"{word}\")")),
        (word(), pattern()).prop_map(|(label, pattern)| format!(
            "(resource.hasTag(\"{label}\") && resource.getTag(\"{label}\") like \"{pattern}\")"
        )),
        Just("resource.ports.contains(\"80/tcp\")".to_owned()),
        (attribute(), attribute(), word(), attribute()).prop_map(|(a, b, word, c)| format!(
            "(if resource.{a} == \"{word}\" then resource.{b} else resource.{c}) == \"a\""
        )),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn container() -> impl Strategy<Value = Container> {
    let word = || prop::sample::select(vec!["a", "b", "ab", "aab", "", "a*b"]).prop_map(str::to_owned);
    let facts = (prop::option::of(word()), prop::option::of(word()), prop::option::of(word()), any::<bool>());
    let labels = prop::collection::btree_map(word(), word(), 0..3);
    (word(), word(), word(), word(), labels, facts, 0..1000_u32).prop_map(|(name, app, image, state, labels, facts, number)| {
        let mut container = Container { name, app, image, state, labels, ..Container::numbered("x", number) };
        container.namespace = facts.0;
        container.facts.owner = facts.1;
        container.facts.node = facts.2;
        container.facts.ports = facts.3.then(|| "80/tcp".to_owned()).into_iter().collect();
        container
    })
}

fn ask(set: &Set, containers: Vec<Arc<Container>>) -> Vec<Arc<Container>> {
    let caller = Caller {
        name: "ada".parse().unwrap(),
        idp: "local".into(),
        groups: vec!["dev".parse().unwrap()],
        login: None,
        logged_in_at: 0,
        narrowed: None,
        expires_at: None,
        mfa_at: None,
    };
    let circumstances = Circumstances { address: "10.0.0.1".parse().unwrap(), time: 1, reason: None, command: None };
    listable(set, &caller, containers, &circumstances)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_list_says_what_single_questions_say(
        permits in prop::collection::vec((principal(), condition()), 1..4),
        forbids in prop::collection::vec((principal(), condition()), 0..3),
        containers in prop::collection::vec(container(), 2..30),
    ) {
        let permits = permits.iter().map(|(principal, condition)| {
            format!("permit({principal}, action == Action::\"list\", resource) when {{ {condition} }};\n")
        });
        let forbids = forbids
            .iter()
            .map(|(principal, condition)| format!("forbid({principal}, action, resource) when {{ {condition} }};\n"));
        let text: String = permits.chain(forbids).collect();
        // A contradiction is refused by the validator; there is no such set.
        let Ok(set) = from_texts(&[("p.cedar".into(), text.clone())]) else { return Ok(()) };
        let containers: Vec<Arc<Container>> = containers.into_iter().map(Arc::new).collect();
        let alone: Vec<Arc<Container>> =
            containers.iter().filter(|container| !ask(&set, vec![Arc::clone(container)]).is_empty()).cloned().collect();
        prop_assert_eq!(ask(&set, containers), alone, "{}", text);
    }
}
