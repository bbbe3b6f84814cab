//! `ztctl why`: what I may do in a container, by which policies, or why not and what to do next.

use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::{DataOutput, WhyArgs};
use super::failure::Failure;
use super::table::{Column, Table};
use crate::moment;
use crate::proto::api::{Verdict, Why};
use crate::proto::name::Login;

/// Asks the broker and prints.
pub(super) async fn run(context: &mut Context, args: WhyArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let login = args.user.unwrap_or_else(Login::container_default);
    let why = access.api.why(&args.name, &login).await.map_err(|error| Failure::of_api(error, &access.api))?;
    if args.output == DataOutput::Json {
        context.ui.json(&why)?;
        return Ok(ExitCode::SUCCESS);
    }
    context.ui.table(&table(&why))?;
    // What policies permit and something else keeps from, nobody can allow.
    let by_policy = why.verdicts.iter().filter(|verdict| !verdict.allowed && verdict.policies.is_empty());
    let refused: Vec<&str> = by_policy.map(|verdict| verdict.action.as_str()).collect();
    if !refused.is_empty() {
        let who = access.user.as_deref().unwrap_or("you");
        context.ui.note(&format!(
            "hint: what is missing is for the broker's operator to allow: {} on {} for {who}",
            refused.join(", "),
            why.name
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(why: &Why) -> Table<'_> {
    let mut table = Table::new([
        Column::whole("ACTION"),
        Column::whole("ALLOWED"),
        Column::narrow("HOW", 20),
        Column::leave("POLICIES", 10),
    ]);
    for verdict in &why.verdicts {
        let allowed = if verdict.allowed { "yes" } else { "no" };
        table.row([verdict.action.as_str(), allowed, &how(verdict), &verdict.policies.join(", ")].map(str::to_owned));
    }
    table
}

fn how(verdict: &Verdict) -> String {
    if let Some(refused) = &verdict.refused {
        return refused.clone();
    }
    let length = verdict.max_session.map(|seconds| format!("for {} at most", moment::length(seconds)));
    let reason = verdict.reason_required.then(|| "with --reason".to_owned());
    let mfa = verdict.mfa_required.then(|| "with a second factor".to_owned());
    let idle = verdict.idle.map(|seconds| format!("{} without activity", moment::length(seconds)));
    let variables = (!verdict.env.is_empty()).then(|| format!("may set {}", verdict.env.join(" ")));
    let approval = (!verdict.approval.is_empty()).then(|| {
        let groups = verdict.approval.iter().map(|groups| groups.replace(',', " or ")).collect::<Vec<_>>().join(", and by ");
        let word = if verdict.approved { "approved" } else { "with an approval" };
        let glass = if verdict.break_glass { ", or --break-glass" } else { "" };
        format!("{word} by {groups}{glass}")
    });
    length.into_iter().chain(approval).chain(idle).chain(reason).chain(mfa).chain(variables).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Action;

    #[test]
    fn a_verdict_says_what_goes_with_it() {
        let allowed = Verdict {
            action: Action::Shell,
            allowed: true,
            refused: None,
            policies: vec!["developers".into()],
            reason_required: true,
            mfa_required: false,
            max_session: Some(5400),
            env: Vec::new(),
            idle: None,
            approval: Vec::new(),
            approved: false,
            break_glass: false,
        };
        let refused = Verdict {
            allowed: false,
            refused: Some("no".into()),
            policies: Vec::new(),
            action: Action::Logs,
            ..allowed.clone()
        };
        assert_eq!((how(&allowed).as_str(), how(&refused).as_str()), ("for 1h30m at most, with --reason", "no"));
        let asked = Verdict { approval: vec!["leads,sre".into()], break_glass: true, ..allowed.clone() };
        assert_eq!(how(&asked), "for 1h30m at most, with an approval by leads or sre, or --break-glass, with --reason");
        let why = Why { name: "web-7f9".into(), login: Login::container_default(), verdicts: vec![allowed, refused] };
        assert_eq!(
            table(&why).render(None, false),
            "ACTION  ALLOWED  HOW                               POLICIES\n\
             shell   yes      for 1h30m at most, with --reason  developers\n\
             logs    no       no\n"
        );
    }
}
