//! Each rule of policy: default deny, forbid wins, obligations combine, narrow tokens, what is refused at load.

use std::time::Duration;

use super::decide::Denial;
use super::load::{Fault, from_texts};
use super::*;
use crate::broker::identity::{Caller, Narrowing};
use crate::broker::registry::Container;
use crate::proto::name::Login;
use crate::proto::{Action, Actions, ContainerId, ErrorCode, RequestId};

pub(super) const NOW: u64 = 1_800_000_000;

pub(in crate::broker) fn example_grant(now: u64) -> (ContainerId, Grant) {
    let container = Container::example("tomcat");
    let circumstances = Circumstances { time: now, ..circumstances(None) };
    let grant = ask(&set(ALL), &caller(&[]), &container, &[Action::Shell], "default", &circumstances).unwrap();
    (container.id, grant)
}

pub(in crate::broker) fn caller(groups: &[&str]) -> Caller {
    Caller {
        name: "ada".parse().unwrap(),
        idp: "local".into(),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        login: None,
        logged_in_at: NOW,
        narrowed: None,
        expires_at: Some(NOW + 60),
        mfa_at: None,
    }
}

fn set(text: &str) -> Set {
    from_texts(&[("p.cedar".into(), text.into())]).unwrap()
}

fn faults(text: &str) -> Vec<Fault> {
    match from_texts(&[("p.cedar".into(), text.into())]) {
        Err(LoadError::Faults(faults)) => faults,
        other => panic!("{text}: {other:?}"),
    }
}

fn circumstances(reason: Option<&str>) -> Circumstances<'_> {
    Circumstances { address: "10.1.2.3".parse().unwrap(), time: NOW, reason, command: None }
}

fn ask(
    set: &Set,
    caller: &Caller,
    container: &Container,
    actions: &[Action],
    login: &str,
    circumstances: &Circumstances<'_>,
) -> Result<Grant, Denial> {
    let (actions, login): (Actions, Login) = (actions.iter().copied().collect(), login.parse().unwrap());
    let max_session = Duration::from_secs(8 * 3600);
    let wish = Wish { actions: &actions, login: &login, max_session, approvals: &[], break_glass: false };
    authorize(set, caller, container, &wish, circumstances)
}

fn shell(text: &str, reason: Option<&str>) -> Result<Grant, Denial> {
    let container = Container::example("tomcat");
    ask(&set(text), &caller(&["dev"]), &container, &[Action::Shell], "default", &circumstances(reason))
}

const ALL: &str = "permit(principal, action, resource);";

#[test]
fn without_a_permit_there_is_nothing() {
    let other = r#"permit(principal == User::"bob@local", action, resource);"#;
    let denied = Denial::Policy { action: Action::Shell, policies: vec![] };
    assert_eq!(shell(other, None).unwrap_err(), denied);
    assert_eq!(shell(r#"permit(principal, action == Action::"exec", resource);"#, None).unwrap_err(), denied);
    assert!(shell(r#"permit(principal in Group::"dev", action, resource);"#, None).is_ok());
    assert!(shell(r#"permit(principal in Group::"ops", action, resource);"#, None).is_err());
}

#[test]
fn forbid_wins_and_is_named() {
    let text = format!(r#"{ALL} @id("not-tomcat") forbid(principal, action, resource) when {{ resource.app == "tomcat" }};"#);
    let denied = shell(&text, None).unwrap_err();
    assert_eq!(denied, Denial::Policy { action: Action::Shell, policies: vec!["not-tomcat".into()] });
    let body = denied.body("tomcat-7f9");
    assert!(body.code == ErrorCode::Denied && !body.message.contains("not-tomcat"), "{body}");
}

#[test]
fn the_grant_says_what_was_asked_and_who_decided() {
    let container = Container::example("tomcat");
    let text = format!(r#"@id("all") {ALL} @id("again") {ALL}"#);
    let circumstances = Circumstances { command: Some("id -u"), ..circumstances(None) };
    let grant = ask(&set(&text), &caller(&[]), &container, &[Action::Exec, Action::Shell], "root", &circumstances).unwrap();
    assert_eq!((grant.user(), grant.container(), grant.login().as_str()), ("ada@local", container.id, "root"));
    assert_eq!((grant.actions().to_string().as_str(), grant.command()), ("shell,exec", Some("id -u")));
    assert_eq!(
        (grant.policies(), grant.deadline(), grant.record()),
        (&["again".into(), "all".into()][..], NOW + 8 * 3600, false)
    );
}

#[test]
fn all_actions_must_be_allowed() {
    let text = r#"permit(principal, action == Action::"shell", resource);"#;
    let container = Container::example("tomcat");
    let both = [Action::Shell, Action::Exec];
    let denied = ask(&set(text), &caller(&[]), &container, &both, "default", &circumstances(None)).unwrap_err();
    assert_eq!(denied, Denial::Policy { action: Action::Exec, policies: vec![] });
    assert_eq!(ask(&set(ALL), &caller(&[]), &container, &[], "default", &circumstances(None)).unwrap_err(), Denial::Nothing);
}

#[test]
fn the_shortest_session_counts_but_only_of_those_that_decide() {
    let text = format!(
        r#"@max_session("2h") {ALL} @max_session("30m") {ALL}
           @max_session("1m") permit(principal in Group::"ops", action, resource);"#
    );
    assert_eq!(shell(&text, None).unwrap().deadline(), NOW + 1800);
}

#[test]
fn a_reason_is_required_where_a_permit_asks() {
    let text = format!(r#"@id("why") @require("reason") {ALL}"#);
    for none in [None, Some(" \t")] {
        assert_eq!(shell(&text, none).unwrap_err(), Denial::ReasonRequired { policies: vec!["why".into()] });
    }
    assert!(shell(&text, Some("ticket 7")).is_ok());
}

/// An approval for `ada@local` of a shell as the container's user in `tomcat`, by somebody of these groups.
fn approval(groups: &[&str]) -> Approval {
    Approval {
        request: RequestId::derived(&[groups.join(",").as_bytes()]),
        user: "ada@local".into(),
        scope: Scope::Container(Container::example("tomcat").id),
        login: Login::container_default(),
        actions: [Action::Shell].into_iter().collect(),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        until: NOW + 600,
    }
}

fn approved(text: &str, basis: Basis, approvals: Vec<Approval>) -> Result<Grant, Denial> {
    Basis { approvals, ..basis }.decide(&set(text))
}

type Change = fn(&mut Basis, &mut Approval);

#[test]
fn an_approval_is_for_who_where_as_whom_what_and_until_when() {
    let text = format!(r#"@id("asks") @approval("sre,leads") {ALL}"#);
    let shell = || Basis { max_session: Duration::from_secs(8 * 3600), ..Basis::example("tomcat") };
    let ask = |basis: Basis, approval: Approval| approved(&text, basis, vec![approval]);
    let denied = approved(&text, shell(), vec![]).unwrap_err();
    let approvers = std::collections::BTreeSet::from(["sre,leads".parse().unwrap()]);
    assert_eq!(denied, Denial::ApprovalRequired { policies: vec!["asks".into()], approvers, break_glass: false });
    let body = denied.body("tomcat-7f9");
    assert!(body.code == ErrorCode::ApprovalRequired && !body.break_glass && body.message.contains("leads or sre"), "{body}");
    let grant = ask(shell(), approval(&["sre"])).unwrap();
    assert_eq!((grant.deadline(), grant.approvals()), (NOW + 600, &[approval(&["sre"]).request][..]), "it ends with it");
    assert!(ask(shell(), approval(&["leads", "dev"])).is_ok());
    let others: [(&str, Change); 8] = [
        ("another group", |_, approval| approval.groups = vec!["dev".parse().unwrap()]),
        ("another person", |_, approval| approval.user = "eve@local".into()),
        ("the same name elsewhere", |_, approval| approval.user = "ada@corp".into()),
        ("another container", |basis, _| basis.container = Container::numbered("tomcat", 7).into()),
        ("another login", |basis, _| basis.login = "root".parse().unwrap()),
        ("another action", |basis, _| basis.actions = [Action::Exec].into_iter().collect()),
        ("one action more", |basis, _| basis.actions = [Action::Exec, Action::Shell].into_iter().collect()),
        ("its time is over", |basis, _| basis.time = NOW + 600),
    ];
    for (what, change) in others {
        let (mut basis, mut approval) = (shell(), approval(&["sre"]));
        change(&mut basis, &mut approval);
        assert!(matches!(ask(basis, approval), Err(Denial::ApprovalRequired { .. })), "{what}");
    }
    assert!(ask(Basis { time: NOW + 599, ..shell() }, approval(&["sre"])).is_ok());
}

#[test]
fn every_permit_that_asks_has_to_be_approved() {
    let text = format!(r#"@approval("sre") {ALL} @id("two") @approval("dba") {ALL} {ALL}"#);
    let ask = |approvals| approved(&text, Basis::example("tomcat"), approvals);
    let Err(Denial::ApprovalRequired { policies, approvers, .. }) = ask(vec![approval(&["sre"])]) else { panic!("not asked") };
    assert_eq!((policies, approvers.len()), (vec!["two".to_owned()], 1));
    let later = Approval { until: NOW + 900, ..approval(&["dba"]) };
    assert_eq!(ask(vec![approval(&["sre"]), later]).unwrap().deadline(), NOW + 600, "the first end counts");
    assert!(ask(vec![approval(&["dba", "sre"])]).is_ok(), "one who is in both");
    let last = Approval { until: NOW + 900, ..approval(&["sre", "dba"]) };
    assert_eq!(ask(vec![approval(&["sre", "dba"]), last]).unwrap().deadline(), NOW + 900, "the last to end of those that fit");
}

#[test]
fn the_glass_is_broken_with_a_reason_where_every_permit_lets_it() {
    let text = format!(r#"@approval("sre") @break_glass("reason") {ALL} {ALL}"#);
    let basis =
        |reason: Option<&str>| Basis { break_glass: true, reason: reason.map(str::to_owned), ..Basis::example("tomcat") };
    let grant = approved(&text, basis(Some("fire")), vec![]).unwrap();
    assert_eq!((grant.broke_glass().map(std::collections::BTreeSet::len), grant.deadline()), (Some(1), NOW + 3600));
    assert!(matches!(approved(&text, basis(None), vec![]), Err(Denial::ReasonRequired { .. })));
    assert!(matches!(approved(&text, basis(Some(" ")), vec![]), Err(Denial::ReasonRequired { .. })));
    let calm = Basis { break_glass: false, ..basis(Some("fire")) };
    assert!(matches!(approved(&text, calm, vec![]), Err(Denial::ApprovalRequired { break_glass: true, .. })));
    assert!(approved(&text, basis(Some("fire")), vec![approval(&["sre"])]).unwrap().broke_glass().is_none(), "no need");
    let strict = format!(r#"{text} @approval("dba") {ALL}"#);
    assert!(matches!(approved(&strict, basis(Some("fire")), vec![]), Err(Denial::ApprovalRequired { break_glass: false, .. })));
    let forbidden = format!("{text} forbid(principal, action, resource);");
    assert!(matches!(approved(&forbidden, basis(Some("fire")), vec![]), Err(Denial::Policy { .. })));
}

#[test]
fn a_second_factor_counts_for_a_while() {
    let text = format!(
        r#"@id("mfa") @mfa("1h") {ALL} @id("soon") @mfa("15m") {ALL} @mfa("1s") permit(principal in Group::"ops", action, resource);"#
    );
    let container = Container::example("tomcat");
    let enter = |mfa_at, time| {
        let person = Caller { mfa_at, ..caller(&[]) };
        let circumstances = Circumstances { time, ..circumstances(None) };
        ask(&set(&text), &person, &container, &[Action::Shell], "default", &circumstances)
    };
    let denied = Denial::MfaRequired { seconds: 900, policies: vec!["mfa".into(), "soon".into()] };
    assert_eq!(enter(None, NOW).unwrap_err(), denied);
    assert_eq!(enter(Some(NOW - 901), NOW).unwrap_err(), denied);
    assert_eq!(enter(Some(NOW - 900), NOW).unwrap().mfa(), Some(Duration::from_secs(900)));
    // A broker whose clock is a little ahead has written it down.
    assert!(enter(Some(NOW + 5), NOW).is_ok());
    let body = denied.body("web-7f9");
    assert_eq!((body.code, body.code.status()), (ErrorCode::MfaRequired, 403));
    assert!(body.message.contains("in the last 15m"), "{}", body.message);
    // What was granted is judged again by the time at which it was asked for.
    let basis = Basis { caller: Caller { mfa_at: Some(NOW - 900), ..caller(&[]) }, ..Basis::example("tomcat") };
    assert!(basis.decide(&set(&text)).is_ok());
}

#[test]
fn the_shortest_quiet_counts() {
    assert_eq!(shell(ALL, None).unwrap().idle(), None);
    let text = format!(r#"@idle("1h") {ALL} {ALL} @idle("30m") {ALL}"#);
    assert_eq!(shell(&text, None).unwrap().idle(), Some(Duration::from_secs(1800)));
}

#[test]
fn variables_are_named_by_every_permit_that_names_any() {
    let env = |text: &str| shell(text, None).unwrap().env().to_string();
    assert_eq!(env(ALL), "");
    assert_eq!(env(&format!(r#"{ALL} @env("LANG,APP_*") {ALL}"#)), "APP_*,LANG", "a permit without it takes none away");
    assert_eq!(env(&format!(r#"@env("APP_*,DEBUG") {ALL} @env("APP_MODE,X") {ALL}"#)), "APP_MODE");
    let others = r#"@env("X") permit(principal in Group::"ops", action, resource);"#;
    assert_eq!(env(&format!(r#"@env("APP_*") {ALL} {others}"#)), "APP_*", "only of those that decide");
}

#[test]
fn login_address_labels_and_time_are_seen() {
    let container = Container::example("tomcat");
    let text = r#"permit(principal, action in [Action::"shell"], resource) when {
        context.login == "root" && context.address.isInRange(ip("10.0.0.0/8")) && context.time > 7 && resource.getTag("team") == "web"
    } unless { resource has namespace };"#
        .replace("resource.getTag", "resource.hasTag(\"team\") && resource.getTag");
    let ask = |login| ask(&set(&text), &caller(&[]), &container, &[Action::Shell], login, &circumstances(None));
    assert!(ask("root").is_ok());
    assert!(ask("default").is_err());
}

#[test]
fn an_evaluation_error_denies() {
    // Validation knows no overflow.
    let text = format!(
        r#"{ALL} @id("broken") forbid(principal, action, resource) when {{ context.time * 9223372036854775807 > 1 }};"#
    );
    assert_eq!(shell(&text, None).unwrap_err(), Denial::Evaluation { policies: vec!["broken".into()] });
}

#[test]
fn a_narrow_token_reaches_less_and_ends_its_sessions() {
    let (tomcat, other) = (Container::example("tomcat"), Container::example("other"));
    let mut narrow = caller(&[]);
    narrow.narrowed = Some(Narrowing { actions: [Action::Exec].into_iter().collect(), containers: vec!["tomcat".into()] });
    let ask = |container, action| ask(&set(ALL), &narrow, container, &[action], "default", &circumstances(None));
    assert_eq!(ask(&tomcat, Action::Exec).unwrap().deadline(), NOW + 60);
    assert_eq!(ask(&tomcat, Action::Shell).unwrap_err(), Denial::Narrowed);
    assert_eq!(ask(&other, Action::Exec).unwrap_err(), Denial::Narrowed);
    let seen = listable(&set(ALL), &narrow, vec![tomcat.clone().into(), other.into()], &circumstances(None));
    assert_eq!(seen, [Arc::new(tomcat)]);
}

#[test]
fn listing_decides_by_what_is_read() {
    let containers: Vec<Arc<Container>> =
        (0..20_000).map(|n| Arc::new(Container::numbered(if n % 10 == 0 { "tomcat" } else { "web" }, n))).collect();
    let text = r#"permit(principal, action == Action::"list", resource) when { resource.app == "tomcat" };"#;
    let seen = listable(&set(text), &caller(&[]), containers.clone(), &circumstances(None));
    assert!(seen.len() == 2000 && seen.iter().all(|container| container.app == "tomcat"));
    let one = format!(r#"permit(principal, action == Action::"list", resource == Container::"{}");"#, containers[7].id);
    let seen = listable(&set(&one), &caller(&[]), containers[..50].to_vec(), &circumstances(None));
    assert_eq!(seen, [Arc::clone(&containers[7])]);
}

#[test]
fn mistakes_are_told_with_their_place() {
    let place = |text: &str| {
        let found = faults(text);
        let fault = &found[0];
        (fault.line, fault.column, fault.to_string())
    };
    let (line, column, text) = place("// é\npermit(principal, action, resource)\nwhen { resource.ap == \"x\" };");
    assert!(line == 3 && column == 8 && text.starts_with("p.cedar:3:8: ") && text.contains("app"), "{column} {text}");
    let (line, _, text) = place(&format!("{ALL}\n\npermit(principal action);"));
    assert!(line == 3 && text.contains("unexpected"), "{text}");
    let (line, _, text) = place(&format!("{ALL}\npermit(principal, action == Action::\"watch\", resource);"));
    assert!(line == 2 && text.contains("watch"), "{text}");
    assert_eq!(faults("permit(principal == ?principal, action, resource);").len(), 1, "no templates");
    let lines: Vec<usize> = faults("permit(principal action);\npermit(resource);").iter().map(|fault| fault.line).collect();
    assert!(lines.contains(&1) && lines.contains(&2), "every mistake, not only the first: {lines:?}");
    assert_eq!(place("permit(principal, action, resource)").0, 1, "no semicolon");
}

#[test]
fn annotations_are_known_or_refused() {
    let message = |annotation: &str, policy: &str| {
        let found = faults(&format!("{ALL}\n  {annotation} {policy}"));
        assert_eq!((found.len(), found[0].line, found[0].column), (1, 2, 3), "{found:?}");
        found[0].message.clone()
    };
    assert!(message("@recrod(\"x\")", ALL).contains("unknown annotation @recrod"));
    assert!(message("@record(\"required\")", ALL).contains("cannot be enforced by this version"));
    assert!(message("@max_session(\"banana\")", ALL).contains("banana"));
    assert!(message("@require(\"ticket\")", ALL).contains("only @require(\"reason\")"));
    assert!(message("@idle(\"soon\")", ALL).contains("@idle(\"soon\") is no length of time"));
    assert!(message("@mfa(\"required\")", ALL).contains("@mfa(\"required\") is no length of time"));
    assert!(message("@mfa(\"1h\")", "forbid(principal, action, resource);").contains("forbid"));
    assert!(message("@env(\"A-B\")", ALL).contains("\"A-B\" is no name of a variable"));
    assert!(message("@env(\"LD_PRELOAD\")", ALL).contains("no client may set LD_PRELOAD"));
    assert!(message("@env(\"A\")", "forbid(principal, action, resource);").contains("forbid"));
    assert!(message("@approval(\"sre;\")", ALL).contains("\"sre;\" names no groups"));
    assert!(message("@approval(\"sre\")", "forbid(principal, action, resource);").contains("forbid"));
    assert!(message("@break_glass(\"reason\")", ALL).contains("stands without @approval"));
    assert!(
        faults(&format!("@approval(\"a\") @break_glass(\"now\") {ALL}"))[0].message.contains("only @break_glass(\"reason\")")
    );
    assert!(message("@require(\"reason\")", "forbid(principal, action, resource);").contains("forbid"));
    assert!(faults(&format!("@id(\"a\") {ALL} @id(\"a\") {ALL}"))[0].message.contains("is taken by the policy at p.cedar:1"));
}

#[test]
fn a_reload_is_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Policies::load(dir.path()), Err(LoadError::Empty(_))));
    let path = dir.path().join("a.cedar");
    std::fs::write(&path, format!("@id(\"first\") {ALL}")).unwrap();
    std::fs::write(dir.path().join("b.cedar"), ALL).unwrap();
    std::fs::write(dir.path().join("notes.txt"), "not a policy").unwrap();
    let policies = Policies::load(dir.path()).unwrap();
    assert_eq!(policies.current().ids(), ["b-1", "first"]);
    assert_eq!(policies.changed(), None);
    std::fs::write(&path, "permit(").unwrap();
    assert!(policies.changed().is_some());
    let reload = |first: Result<(), LoadError>| policies.reload(|_| first);
    assert!(reload(Ok(())).is_err());
    assert_eq!(policies.changed(), None, "what was refused is not read again until it changes");
    assert_eq!(policies.current().ids(), ["b-1", "first"]);
    std::fs::write(&path, format!("@id(\"second\") {ALL}")).unwrap();
    assert!(reload(Err(LoadError::Empty(path.clone()))).is_err());
    assert_eq!(policies.current().ids(), ["b-1", "first"]);
    assert!(policies.changed().is_some(), "nothing was wrong with it");
    reload(Ok(())).unwrap();
    assert_eq!(policies.current().ids(), ["b-1", "second"]);
    // An editor's own.
    std::os::unix::fs::symlink("ada@host.1:2", dir.path().join(".#b.cedar")).unwrap();
    std::fs::write(dir.path().join(".b.cedar"), "permit(").unwrap();
    reload(Ok(())).unwrap();
    // Cut off, by an editor or a full disk.
    std::fs::write(dir.path().join("b.cedar"), "\n").unwrap();
    assert!(matches!(reload(Ok(())), Err(LoadError::Faults(faults)) if faults[0].message == "the file is empty"));
    assert_eq!(policies.current().ids(), ["b-1", "second"]);
    for name in ["a.cedar", "b.cedar"] {
        std::fs::write(dir.path().join(name), "// nothing\n").unwrap();
    }
    assert!(matches!(reload(Ok(())), Err(LoadError::None(_))));
    assert_eq!(policies.current().ids(), ["b-1", "second"]);
}

#[test]
fn the_example_does_what_its_comments_say() {
    let policies = Policies::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/policy.cedar")).unwrap();
    let set = policies.current();
    let mut production = Container::example("tomcat");
    production.labels.insert("env".into(), "production".into());
    let enter = |groups: &[&str], container: &Container, login, reason| {
        ask(&set, &caller(groups), container, &[Action::Shell], login, &circumstances(reason))
    };
    assert_eq!(enter(&["developers"], &Container::example("web"), "default", None).unwrap().deadline(), NOW + 4 * 3600);
    assert!(enter(&["developers"], &production, "default", Some("why")).is_err());
    assert!(matches!(enter(&["on-call"], &production, "default", None), Err(Denial::ReasonRequired { .. })));
    assert_eq!(enter(&["on-call"], &production, "default", Some("why")).unwrap().deadline(), NOW + 3600);
    assert!(enter(&["on-call"], &Container::example("postgres"), "root", Some("why")).is_err());
    assert!(enter(&[], &Container::example("web"), "default", None).is_err());
    let seen =
        |groups: &[&str]| listable(&set, &caller(groups), vec![Arc::new(production.clone())], &circumstances(None)).len();
    assert_eq!((seen(&["developers"]), seen(&["on-call"])), (0, 1));
}
