//! Names that are shortest and unique, resolution that never guesses, reports that cannot do harm.

use proptest::prelude::*;

use super::*;
use crate::proto::{Action, Actions};

impl Container {
    /// A container of `app` for tests.
    pub(crate) fn example(app: &str) -> Self {
        Self::numbered(app, 1)
    }

    /// One of many.
    pub(crate) fn numbered(app: &str, number: u32) -> Self {
        ingest::container(&asserted(), report(app, &format!("r{number}"))).unwrap()
    }
}

pub(crate) fn asserted() -> Asserted {
    Asserted { agent: AgentId::of_key(b"key"), name: "node-1".into(), cluster: Some("eu".into()), namespace: None }
}

pub(crate) fn report(app: &str, runtime_id: &str) -> ContainerReport {
    ContainerReport {
        runtime_id: runtime_id.into(),
        name: format!("{app}-1"),
        app: app.into(),
        image: "tomcat:10".into(),
        location: "node-1".into(),
        runtime: "docker".into(),
        state: "running".into(),
        started_at: 1,
        labels: [("team".to_owned(), "web".to_owned())].into(),
        capabilities: Capabilities { actions: Action::ALL.into_iter().collect::<Actions>(), login_switch: true },
    }
}

fn with_id(app: &str, digits: &str) -> Arc<Container> {
    let mut container = Container::example(app);
    container.id = format!("{digits:0<32}").parse().unwrap();
    container.full_name = format!("{app}-{}", container.id.short());
    Arc::new(container)
}

fn names(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.name.as_str()).collect()
}

#[test]
fn names_are_as_short_as_the_view_allows() {
    let view = vec![with_id("tomcat", "7f9a"), with_id("tomcat", "7f9b"), with_id("tomcat", "123"), with_id("web", "7f9a")];
    assert_eq!(names(&rows(view.clone())), ["tomcat-123", "tomcat-7f9a", "tomcat-7f9b", "web-7f9"]);
    assert_eq!(names(&rows(view[..1].to_vec())), ["tomcat-7f9"]);
}

#[test]
fn exact_beats_prefix_and_nothing_is_guessed() {
    let view =
        rows(vec![with_id("tomcat", "7f9a"), with_id("tomcat", "7f9b"), with_id("tomcat-7f9a", "555"), with_id("db", "abc")]);
    let one = |typed: &str| match resolve(typed, &view) {
        Resolution::One(row) => row.name,
        other => panic!("{typed}: {other:?}"),
    };
    assert_eq!(one("tomcat-7f9a"), "tomcat-7f9a", "although tomcat-7f9a-555 begins so too");
    assert_eq!(one("tomcat-7f9a0"), "tomcat-7f9a");
    assert_eq!(one(&with_id("tomcat", "7f9b").id.to_string()), "tomcat-7f9b");
    assert_eq!(one(&format!("tomcat-{}", with_id("tomcat", "7f9b").id)), "tomcat-7f9b");
    assert_eq!(one("db"), "db-abc");
    assert_eq!(one("abc"), "db-abc");
    for several in ["tomcat", "tomcat-7f9", "t"] {
        assert!(matches!(resolve(several, &view), Resolution::Ambiguous(_)), "{several}");
    }
    for none in ["tomcat-8", "x", "db-abd", "abcd1"] {
        assert_eq!(resolve(none, &view), Resolution::None, "{none}");
    }
}

proptest! {
    #[test]
    fn every_shown_name_means_its_container_and_no_shorter_one_would(
        ids in prop::collection::btree_set(("(tomcat|web|web-7f)", "[0-3]{6}"), 1..40)
    ) {
        let view = rows(ids.iter().map(|(app, digits)| with_id(app, digits)).collect());
        let distinct: std::collections::BTreeSet<_> = names(&view).into_iter().collect();
        prop_assert_eq!(distinct.len(), view.len());
        for row in &view {
            prop_assert_eq!(resolve(&row.name, &view), Resolution::One(row.clone()));
            prop_assert_eq!(resolve(&row.container.full_name, &view), Resolution::One(row.clone()));
            prop_assert!(row.name.parse::<crate::proto::name::Target>().is_ok());
            let digits = row.name.len() - row.container.app.len() - 1;
            let shorter = &row.name[..row.name.len() - 1];
            let others = view.iter().filter(|other| other.container.app == row.container.app && other.name != row.name);
            let rivals = others.filter(|other| other.container.full_name.starts_with(shorter)).count();
            prop_assert!(digits == 3 || rivals > 0, "{} could be shorter", row.name);
        }
    }

    #[test]
    fn whatever_is_reported_is_bounded_and_harmless(app in "\\PC{0,80}|.{0,80}", text in ".{0,700}", labels in prop::collection::btree_map(".{0,20}", ".{0,20}", 0..100)) {
        let mut hostile = report(&app, "r1");
        hostile.name = text.clone();
        hostile.image = text.clone();
        hostile.state = text.clone();
        hostile.runtime = text;
        hostile.labels = labels;
        let container = ingest::container(&asserted(), hostile).unwrap();
        prop_assert!(container.full_name.parse::<crate::proto::name::Target>().is_ok());
        for text in [&container.name, &container.image, &container.state, &container.runtime] {
            prop_assert!(text.len() <= 512 && !text.chars().any(char::is_control));
        }
        prop_assert!(container.labels.len() <= 64);
        prop_assert_eq!(container.cluster.as_deref(), Some("eu"));
    }
}

#[test]
fn ids_that_are_of_no_use_are_dropped() {
    for id in ["", "a\nb", &"x".repeat(129)] {
        assert!(ingest::container(&asserted(), report("web", id)).is_none(), "{id:?}");
    }
}

#[test]
fn snapshots_replace_and_a_newer_connection_takes_over() {
    let registry = Registry::default();
    let first = registry.attach(asserted());
    registry.snapshot(&first, vec![report("web", "a"), report("web", "b")], false).unwrap();
    registry.upsert(&first, report("web", "c")).unwrap();
    registry.remove(&first, "a");
    assert_eq!(registry.all().len(), 2);
    let second = registry.attach(asserted());
    assert_eq!(registry.all().len(), 2, "no flicker while the agent comes back");
    registry.upsert(&first, report("web", "late")).unwrap();
    registry.detach(&first);
    assert_eq!(registry.all().len(), 2, "the older connection has no say any more");
    registry.snapshot(&second, vec![report("web", "x")], true).unwrap();
    assert_eq!(registry.all().len(), 2, "the snapshot is not whole yet");
    registry.snapshot(&second, vec![report("web", "y")], false).unwrap();
    let mut ids: Vec<String> = registry.all().iter().map(|container| container.runtime_id.clone()).collect();
    ids.sort();
    assert_eq!(ids, ["x", "y"]);
    registry.detach(&second);
    assert!(registry.all().is_empty());
}

#[test]
fn an_agent_that_reports_too_much_is_told() {
    let registry = Registry::default();
    let lease = registry.attach(asserted());
    let reports = (0..=CONTAINERS).map(|n| report("web", &n.to_string())).collect();
    assert_eq!(registry.snapshot(&lease, reports, false), Err(TooMany));
}
