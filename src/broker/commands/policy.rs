//! `ztbroker policy`: looking through policies, testing them, asking what they say, and putting changed ones in force.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::print::Printer;
use super::{client, configuration, table};
use crate::broker::admin::wire::PoliciesLoaded;
use crate::broker::admin::{ExplainSpec, Explained};
use crate::broker::args::policy::{Check, Explain, Policy, Test};
use crate::broker::args::{Output, Place};
use crate::broker::policy::{Cases, Decision, Finding, Mismatch, Set};
use crate::clock::Clock;
use crate::proto::Action;
use crate::proto::name::Account;

pub(super) async fn run(place: &Place, verb: Policy, printer: Printer) -> Result<(), Failure> {
    match verb {
        Policy::Check(args) => check(place, args, printer),
        Policy::Test(args) => test(place, args, printer),
        Policy::Explain(args) => explain(place, args, printer).await,
        Policy::Reload => {
            let loaded: PoliciesLoaded = client(place)?.post("/policy/reload", &serde_json::json!({})).await?;
            printer.lines(loaded.policies.iter().map(String::as_str))
        }
    }
}

fn check(place: &Place, args: Check, printer: Printer) -> Result<(), Failure> {
    let set = load(place, args.path)?;
    if set.is_empty() {
        return Err(Failure::new("there is no policy in it: nobody could do anything"));
    }
    let providers = match configuration(place) {
        Ok(config) => Some(config.providers_of_people()),
        Err(error) if place.config.is_some() => return Err(error.into()),
        // Files are looked through without a broker, and then often without its configuration.
        Err(_) => None,
    };
    let warnings = set.review(providers.as_deref());
    for warning in &warnings {
        printer.remark(&format!("warning: {warning}"));
    }
    printer.lines(set.ids().iter().map(String::as_str))?;
    match warnings.len() {
        0 => Ok(()),
        _ if !args.deny_warnings => Ok(()),
        1 => Err(Failure::new("there is a warning")),
        count => Err(Failure::new(format!("there are {count} warnings"))),
    }
}

fn test(place: &Place, args: Test, printer: Printer) -> Result<(), Failure> {
    let set = load(place, args.policy)?;
    let named = |message: String| Failure::new(format!("{}: {message}", args.file.display()));
    let text = read(&args.file).map_err(|error| named(format!("the cases cannot be read: {error}")))?;
    let cases = Cases::parse(&text)
        .map_err(|error| named(error.to_string()).hint("ztbroker policy test --help shows what a case looks like"))?;
    let mismatches = cases.mismatches(&set, &text, Clock::system().now());
    for mismatch in &mismatches {
        printer.lines(report(&args.file, mismatch).iter().map(String::as_str))?;
    }
    let (wrong, count) = (mismatches.len(), cases.count());
    if wrong > 0 {
        return Err(Failure::new(format!("{wrong} of {count} cases are decided otherwise than expected")));
    }
    printer.line(&format!("{count} cases are decided as expected")).map(drop)
}

/// What was expected and what is, as a diff shows it.
fn report(file: &Path, mismatch: &Mismatch) -> Vec<String> {
    let mut lines = vec![format!("{}:{}: {}", file.display(), mismatch.line, mismatch.name), format!("  {}", mismatch.wish)];
    lines.extend(mismatch.expected.iter().map(|line| format!("  - {line}")));
    lines.extend(mismatch.found.iter().map(|line| format!("  + {line}")));
    lines
}

async fn explain(place: &Place, args: Explain, printer: Printer) -> Result<(), Failure> {
    let Explain { user, groups, container, action, login, reason, mfa, command, address, listing } = args;
    let spec = ExplainSpec { user, groups, container, action, login, command, reason, mfa, address };
    let explained: Explained = client(place)?.post("/policy/explain", &spec).await?;
    match listing.output {
        Output::Json => printer.line(&table::json(&explained)?).map(drop),
        Output::Table => printer.lines(lines(&explained).iter().map(String::as_str)),
    }
}

fn lines(explained: &Explained) -> Vec<String> {
    let Explained { user, container, login, action, .. } = explained;
    let groups: Vec<&str> = explained.groups.iter().map(Account::as_str).collect();
    let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
    let mut lines = vec![format!("{user} in {groups}: {action} as {login} in {container}")];
    if *action != Action::List {
        lines.push(format!("list: {}", said(&explained.list)));
    }
    lines.push(format!("{action}: {}", said(&explained.finding)));
    if let Some(obligations) = explained.finding.obligations.as_ref().filter(|_| *action != Action::List) {
        lines.push(format!("obligations: {}", obligations.words()));
    }
    lines.extend(explained.locked.iter().map(|lock| format!("locked: {lock}")));
    lines.extend(explained.unable.iter().map(|what| format!("the connector cannot: {what}")));
    lines
}

fn said(finding: &Finding) -> String {
    let policies = finding.policies.join(", ");
    match finding.decision {
        Decision::Allow => format!("allowed by {policies}"),
        Decision::ReasonRequired => format!("allowed with a reason, which {policies} asks for"),
        Decision::MfaRequired => format!("allowed with a second factor, which {policies} asks for"),
        Decision::ApprovalRequired => format!("allowed with an approval, which {policies} asks for"),
        Decision::Deny if finding.policies.is_empty() => "denied: no policy permits it".to_owned(),
        Decision::Deny => format!("denied by {policies}"),
    }
}

/// The policies at `path`, or those of the configuration.
fn load(place: &Place, path: Option<PathBuf>) -> Result<Set, Failure> {
    let path = match path {
        Some(path) => path,
        None => configuration(place)?.policy,
    };
    Set::load(&path).map_err(|error| Failure::new(error.to_string()))
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::io::Read::take(std::fs::File::open(path)?, LIMIT + 1);
    std::io::Read::read_to_string(&mut { file }, &mut text)?;
    if text.len() as u64 > LIMIT { Err(std::io::Error::other("it has more than 4 MiB")) } else { Ok(text) }
}

/// The most bytes of a file of cases: tens of thousands of them.
const LIMIT: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_reads_like_a_diff() {
        let mismatch = Mismatch {
            line: 7,
            name: "production".into(),
            wish: "ada@local in dev: exec as default in web".into(),
            expected: vec!["deny".into()],
            found: vec!["allow".into(), "by enter".into()],
        };
        let lines = report(Path::new("cases.toml"), &mismatch);
        let wish = "  ada@local in dev: exec as default in web";
        assert_eq!(lines, ["cases.toml:7: production", wish, "  - deny", "  + allow", "  + by enter"]);
    }

    #[test]
    fn a_finding_is_a_sentence() {
        let finding = |decision, policies: &[&str]| {
            let policies = policies.iter().map(|&id| id.to_owned()).collect();
            said(&Finding { decision, policies, obligations: None })
        };
        assert_eq!(finding(Decision::Allow, &["a", "b"]), "allowed by a, b");
        assert_eq!(finding(Decision::Deny, &[]), "denied: no policy permits it");
        assert_eq!(finding(Decision::Deny, &["never"]), "denied by never");
        assert_eq!(finding(Decision::ReasonRequired, &["why"]), "allowed with a reason, which why asks for");
    }
}
