//! Cases against policies: what is as expected, what differs, what cannot be read.

use super::super::load::from_texts;
use super::*;

const NOW: u64 = 1_800_000_000;

const POLICY: &str = r#"
    @id("enter") @max_session("1h") @idle("30m") @env("APP_*")
    permit (principal in Group::"dev", action in [Action::"shell", Action::"exec"], resource)
    when { resource has cluster && resource.cluster == "eu" && context.login == "default" };
    @id("why") @require("reason") permit (principal, action == Action::"shell", resource) when { resource.app == "tomcat" };
    @id("vault") @mfa("15m") permit (principal, action == Action::"forward", resource) when { resource.app == "vault" };
    @id("never") forbid (principal, action, resource) when { resource.hasTag("env") && resource.getTag("env") == "prod" };
"#;

fn mismatches(text: &str) -> Vec<Mismatch> {
    let set = from_texts(&[("p.cedar".into(), POLICY.into())]).unwrap();
    Cases::parse(text).unwrap().mismatches(&set, text, NOW)
}

const RIGHT: &str = r#"
    [[case]]
    name = "developers in europe"
    user = "ada"
    groups = ["dev"]
    action = "exec"
    container = { app = "web", cluster = "eu", labels = { env = "test" } }
    expect = "allow"
    policies = ["enter"]
    obligations = { max_session = "1h", idle = "30m", env = "APP_*" }

    [[case]]
    name = "a shell needs a reason"
    user = "bob@corp"
    action = "shell"
    container.app = "tomcat"
    expect = "reason-required"
    policies = ["why"]

    [[case]]
    name = "and has it"
    user = "bob@corp"
    action = "shell"
    reason = "ticket 7"
    container.app = "tomcat"
    expect = "allow"
    obligations = { reason = true }

    [[case]]
    name = "a second factor is too old"
    user = "ada"
    action = "forward"
    mfa_age = "20m"
    container.app = "vault"
    expect = "mfa-required"
    policies = ["vault"]

    [[case]]
    name = "and is fresh"
    user = "ada"
    action = "forward"
    mfa_age = "5m"
    container.app = "vault"
    expect = "allow"
    obligations = { mfa = "15m" }

    [[case]]
    name = "production"
    user = "ada"
    groups = ["dev"]
    action = "exec"
    container = { cluster = "eu", labels.env = "prod" }
    expect = "deny"
    policies = ["never"]
"#;

#[test]
fn what_is_as_expected_says_nothing() {
    assert_eq!(mismatches(RIGHT), []);
}

#[test]
fn approvals_are_told_and_supposed() {
    let policy = r#"@id("asks") @approval("sre,leads") @break_glass("reason") permit (principal, action, resource);"#;
    let set = from_texts(&[("p.cedar".into(), policy.into())]).unwrap();
    let case = |more: &str| {
        let text = format!("[[case]]\nname = \"x\"\nuser = \"ada\"\naction = \"shell\"\n{more}\n");
        Cases::parse(&text).unwrap().mismatches(&set, &text, NOW)
    };
    let obligations = "obligations = { approval = [\"sre, leads\"], break_glass = true }";
    assert_eq!(case(&format!("expect = \"approval-required\"\npolicies = [\"asks\"]\n{obligations}")), []);
    assert_eq!(case(&format!("expect = \"allow\"\napproved_by = [\"leads\"]\n{obligations}")), []);
    assert_eq!(case("expect = \"allow\"\nbreak_glass = true\nreason = \"fire\""), []);
    let found = case("expect = \"allow\"\napproved_by = [\"dev\"]\nobligations = {}");
    assert_eq!(found[0].found[0], "approval-required");
    assert!(found[0].found[2].contains("approval leads,sre, break_glass"), "{found:?}");
}

#[test]
fn what_differs_is_shown_side_by_side() {
    let wrong = RIGHT.replace("labels = { env = \"test\" }", "labels = { env = \"prod\" }");
    assert_eq!(
        mismatches(&wrong),
        [Mismatch {
            line: 2,
            name: "developers in europe".into(),
            wish: "ada@local in dev: exec as default in web".into(),
            expected: vec!["allow".into(), "by enter".into()],
            found: vec!["deny".into(), "by never".into()],
        }]
    );
    let wrong = RIGHT.replace("max_session = \"1h\", ", "").replace("labels.env = \"prod\"", "app = \"x\"");
    let found = mismatches(&wrong);
    assert_eq!(found[0].expected, ["obligations: idle 30m, env APP_*"]);
    assert_eq!(found[0].found, ["obligations: max_session 1h, idle 30m, env APP_*"]);
    assert_eq!((found[1].line, &found[1].found[..]), (47, &["allow".to_owned(), "by enter".to_owned()][..]));
}

#[test]
fn a_file_with_a_mistake_is_told_with_its_line() {
    let with = |line: &str| Cases::parse(&format!("[[case]]\nname = \"x\"\nuser = \"ada\"\naction = \"exec\"\n{line}\n"));
    assert!(with("expect = \"allow\"").is_ok());
    for (line, says) in [
        ("expect = \"maybe\"", "unknown variant"),
        ("expect = \"allow\"\nlabel = 1", "unknown field"),
        ("expect = \"allow\"\ncontainer.lables = {}", "unknown field"),
        ("expect = \"allow\"\nobligations.idle = \"soon\"", "is no length of time"),
        ("expect = \"allow\"\ntime = \"noon\"", "write 2026-01-31"),
        ("expect = \"allow\"\nobligations.env = \"LD_PRELOAD\"", "no client may set"),
        ("", "missing field `expect`"),
    ] {
        let error = with(line).unwrap_err();
        assert!(error.message.contains(says), "{line}: {error}");
    }
    assert_eq!(with("expect = \"allow\"\nlabel = 1").unwrap_err().line, 6);
    assert!(Cases::parse("case = []").unwrap_err().message.contains("no [[case]]"));
}
