//! Names that are shortest and unique, resolution that never guesses, reports that cannot do harm.

use proptest::prelude::*;

use super::*;
use crate::broker::enrolment::Assertions;
use crate::proto::Action;

impl Container {
    /// A container of `app` for tests.
    pub(crate) fn example(app: &str) -> Self {
        Self::numbered(app, 1)
    }

    /// One of many.
    pub(crate) fn numbered(app: &str, number: u32) -> Self {
        ingest::container(&asserted(), report(app, &format!("r{number}"))).unwrap().unwrap()
    }
}

pub(crate) fn asserted() -> Asserted {
    Asserted {
        agent: AgentId::of_key(b"key"),
        name: "node-1".into(),
        asserts: Assertions { cluster: Some("eu".into()), ..Assertions::default() },
        enrolled_at: 1,
    }
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
        namespace: None,
        instance: None,
        facts: Facts::default(),
        capabilities: Capabilities { login_switch: true, ..Capabilities::of(Action::ALL) },
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
    assert_eq!(names(&rows(&view)), ["tomcat-123", "tomcat-7f9a", "tomcat-7f9b", "web-7f9"]);
    assert_eq!(names(&rows(&view[..1])), ["tomcat-7f9"]);
}

#[test]
fn exact_beats_prefix_and_nothing_is_guessed() {
    let view =
        rows(&[with_id("tomcat", "7f9a"), with_id("tomcat", "7f9b"), with_id("tomcat-7f9a", "555"), with_id("db", "abc")]);
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
    for none in ["tomcat-8", "x", "db-abd", "abcd1", "ab"] {
        assert_eq!(resolve(none, &view), Resolution::None, "{none}");
    }
}

proptest! {
    #[test]
    fn every_shown_name_means_its_container_and_no_shorter_one_would(
        ids in prop::collection::btree_set(("(tomcat|web|web-7f)", "[0-3]{6}"), 1..40)
    ) {
        let view = rows(&ids.iter().map(|(app, digits)| with_id(app, digits)).collect::<Vec<_>>());
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
        hostile.facts.owner = Some(hostile.name.clone());
        hostile.instance = Some(hostile.name.clone());
        let container = ingest::container(&asserted(), hostile).unwrap().unwrap();
        prop_assert!(container.instance.is_none());
        prop_assert!(container.full_name.parse::<crate::proto::name::Target>().is_ok());
        let owner = container.facts.owner.clone().unwrap_or_default();
        for text in [&container.name, &container.image, &container.state, &container.runtime, &owner] {
            prop_assert!(text.len() <= 512 && !text.chars().any(char::is_control));
        }
        prop_assert!(container.labels.len() <= 64);
        prop_assert_eq!(container.cluster.as_deref(), Some("eu"));
    }
}

#[test]
fn ids_that_are_of_no_use_are_dropped() {
    for id in ["", "a\nb", &"x".repeat(129)] {
        assert!(ingest::container(&asserted(), report("web", id)).unwrap().is_none(), "{id:?}");
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

/// The agent with this key, which enrolled at this time with these assertions.
fn enrolled(key: &[u8], enrolled_at: u64, asserts: Assertions) -> Asserted {
    Asserted { agent: AgentId::of_key(key), name: String::from_utf8_lossy(key).into_owned(), asserts, enrolled_at }
}

fn in_namespace(namespace: &str) -> ContainerReport {
    ContainerReport { namespace: Some(namespace.into()), runtime: "kubernetes".into(), ..report("web", "pod") }
}

#[test]
fn a_namespace_counts_only_where_the_enrolment_allows_it() {
    let read = |namespaces: &[&str], report| {
        let asserts =
            Assertions { namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(), ..Assertions::default() };
        ingest::container(&enrolled(b"a", 1, asserts), report).map(|container| container.unwrap().namespace)
    };
    assert_eq!(read(&["shop", "team-*"], in_namespace("team-a")), Ok(Some("team-a".into())));
    assert_eq!(read(&["*"], in_namespace("any")), Ok(Some("any".into())));
    assert_eq!(read(&[], in_namespace("shop")), Ok(None), "an enrolment that names none makes no word of the agent's count");
    assert_eq!(read(&["shop"], report("web", "a")), Ok(Some("shop".into())), "the only one that there can be");
    assert_eq!(read(&["shop", "b"], report("web", "a")), Ok(None));
    for claimed in ["kube-system", "shop2", "", "shop\n", "*", "Shop", &"shop".repeat(20)] {
        assert!(matches!(read(&["shop", "team-*"], in_namespace(claimed)), Err(Overstep::Namespace(_))), "{claimed:?}");
    }
}

#[test]
fn what_oversteps_an_enrolment_is_left_out_and_told() {
    let registry = Registry::default();
    let asserts = Assertions { namespaces: vec!["shop".into()], runtime: Some("kubernetes".into()), ..Assertions::default() };
    let lease = registry.attach(enrolled(b"a", 1, asserts));
    let foreign = ContainerReport { runtime: "docker".into(), ..in_namespace("shop") };
    let oversteps = registry.snapshot(&lease, vec![in_namespace("shop"), in_namespace("bank")], false).unwrap();
    assert_eq!((oversteps, registry.all().len()), (vec![Overstep::Namespace("bank".into())], 1));
    assert_eq!(registry.upsert(&lease, foreign).unwrap(), Some(Overstep::Runtime("docker".into())));
    assert!(registry.all().is_empty(), "the row that was all right has turned into one that is not");
}

#[test]
fn a_container_that_two_agents_report_is_one_row() {
    let registry = Registry::default();
    let seen = |app: &str, runtime: &str| ContainerReport {
        instance: Some("ab".repeat(32)),
        runtime: runtime.into(),
        ..report(app, app)
    };
    let asserts = |runtime: Option<&str>| Assertions { runtime: runtime.map(str::to_owned), ..Assertions::default() };
    let shown = || registry.all().iter().map(|container| container.app.clone()).collect::<Vec<_>>();
    let inside = registry.attach(enrolled(b"inside", 1, asserts(None)));
    registry.upsert(&inside, seen("inside", "process")).unwrap();
    assert_eq!(shown(), ["inside"]);
    // From outside more is known, whoever came first; and an enrolment's word counts for more than an agent's.
    let outside = registry.attach(enrolled(b"outside", 5, asserts(None)));
    registry.snapshot(&outside, vec![seen("outside", "docker")], false).unwrap();
    assert_eq!(shown(), ["outside"]);
    let liar = registry.attach(enrolled(b"liar", 9, asserts(None)));
    registry.upsert(&liar, seen("liar", "kubernetes")).unwrap();
    assert_eq!(shown(), ["outside"], "whoever claims it later hides only itself");
    let cluster = registry.attach(enrolled(b"cluster", 10, asserts(Some("kubernetes"))));
    registry.upsert(&cluster, seen("cluster", "kubernetes")).unwrap();
    assert_eq!(shown(), ["cluster"]);
    // In another cluster the same id is another container.
    let elsewhere = Assertions { cluster: Some("other".into()), ..asserts(Some("kubernetes")) };
    let elsewhere = registry.attach(enrolled(b"elsewhere", 0, elsewhere));
    registry.upsert(&elsewhere, seen("elsewhere", "kubernetes")).unwrap();
    assert_eq!(shown().len(), 2);
    registry.detach(&elsewhere);
    // When the shown report ends, the next is shown.
    registry.remove(&cluster, "cluster");
    registry.detach(&outside);
    assert_eq!(shown(), ["liar"]);
    registry.detach(&liar);
    assert_eq!(shown(), ["inside"]);
    registry.snapshot(&inside, Vec::new(), false).unwrap();
    registry.detach(&inside);
    assert!(registry.read().instances.is_empty());
}
