//! A fleet as a large firm has it, and the policies of a firm whose teams have their own.

use ztctl::broker::enrolment::Assertions;
use ztctl::broker::identity::Caller;
use ztctl::proto::Action;
use ztctl::proto::agent::{Capabilities, ContainerReport, Facts};
use ztctl::proto::name::Account;

/// What one agent may report at the most.
pub const OF_ONE_AGENT: usize = 20_000;

/// Who asks.
pub const NAME: &str = "ada";

/// In which groups.
pub fn groups() -> Vec<Account> {
    ["developers", "team-3", "team-7"].map(|group| group.parse().unwrap()).to_vec()
}

/// The same for the policies alone.
pub fn person() -> Caller {
    Caller {
        name: NAME.parse().unwrap(),
        idp: "local".to_owned(),
        groups: groups(),
        login: None,
        logged_in_at: 0,
        narrowed: None,
        expires_at: None,
        mfa_at: None,
    }
}

pub fn asserts() -> Assertions {
    Assertions { cluster: Some("eu".into()), namespaces: vec!["*".into()], runtime: Some("kubernetes".into()) }
}

/// Container `number`: of one of twenty teams, in one of sixty namespaces, of one of two hundred apps.
pub fn report(number: usize) -> ContainerReport {
    let (team, app) = (number % 20, number / 7 % 200);
    let env = ["production", "staging", "test"][number / 20 % 3];
    let labels = [
        ("team".to_owned(), format!("team-{team}")),
        ("env".to_owned(), env.to_owned()),
        ("tier".to_owned(), ["web", "worker", "db", "cache"][number / 60 % 4].to_owned()),
        ("version".to_owned(), format!("1.{}.{}", number % 40, number % 9)),
        ("pci".to_owned(), number.is_multiple_of(50).to_string()),
    ];
    ContainerReport {
        runtime_id: format!("{number:08x}-0000-4000-8000-000000000000/app"),
        name: format!("app-{app}-7d9f8c6b5-{number:05x}"),
        app: format!("app-{app}"),
        image: format!("registry.example/team-{team}/app-{app}:1.{}.{}", number % 40, number % 9),
        location: format!("ns-{team}-{env}/app-{app}-7d9f8c6b5-{number:05x}"),
        runtime: "kubernetes".into(),
        state: "running".into(),
        started_at: 1_700_000_000,
        labels: labels.into(),
        namespace: Some(format!("ns-{team}-{env}")),
        instance: None,
        facts: Facts {
            owner: Some(format!("deployment/app-{app}")),
            node: Some(format!("node-{}", number % 500)),
            ..Facts::default()
        },
        capabilities: Capabilities::of(Action::ALL),
    }
}

/// Fifty of them, which read labels, namespaces, apps, names, images, owners and nodes.
pub fn policies() -> String {
    let see = r#"action in [Action::"list", Action::"logs"]"#;
    let mut text = String::new();
    for team in 0..20 {
        text += &format!(
            "@id(\"team-{team}\") permit (principal in Group::\"team-{team}\", {see}, resource)\n\
             when {{ resource.hasTag(\"team\") && resource.getTag(\"team\") == \"team-{team}\" }};\n"
        );
    }
    for team in 0..10 {
        text += &format!(
            "@id(\"namespace-{team}\") permit (principal in Group::\"ops-{team}\", {see}, resource)\n\
             when {{ resource has namespace && resource.namespace like \"ns-{team}-*\" }} unless {{ resource.app like \"vault*\" }};\n"
        );
    }
    for (number, image) in ["team-3/legacy", "base", "team-9", "mirror", "team-12/batch"].into_iter().enumerate() {
        text += &format!(
            "@id(\"image-{number}\") permit (principal in Group::\"builders\", {see}, resource)\n\
             when {{ resource.image like \"registry.example/{image}*\" }};\n"
        );
    }
    for (number, name) in ["*-canary-*", "debug-*", "app-17-*", "*-job", "tmp*"].into_iter().enumerate() {
        text += &format!(
            "@id(\"name-{number}\") permit (principal in Group::\"release\", {see}, resource)\n\
             when {{ resource.name like \"{name}\" && resource.state == \"running\" }};\n"
        );
    }
    for (number, tier) in ["web", "worker", "db", "cache", "batch"].into_iter().enumerate() {
        text += &format!(
            "@id(\"tier-{number}\") permit (principal in Group::\"{tier}-admins\", {see}, resource)\n\
             when {{ resource.hasTag(\"tier\") && resource.getTag(\"tier\") == \"{tier}\" && resource has owner\n\
             && resource.owner like \"deployment/*\" }};\n"
        );
    }
    text += r#"
        @id("pci") forbid (principal, action, resource)
        when { resource.hasTag("pci") && resource.getTag("pci") == "true" } unless { principal in Group::"pci" };
        @id("drained") forbid (principal, action, resource) when { resource has node && resource.node == "node-499" };
        @id("sandbox") permit (principal in Group::"developers", action == Action::"list", resource)
        when { ["ns-1-test", "ns-2-test"].contains(if resource has namespace then resource.namespace else "") && resource.app like "app-1*" };
        @id("system") forbid (principal, action, resource) when { resource has namespace && resource.namespace == "kube-system" };
        @id("auditors") permit (principal in Group::"auditors", action == Action::"list", resource);
    "#;
    text
}
