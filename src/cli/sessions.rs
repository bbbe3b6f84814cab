//! `ztctl sessions`: my live sessions, from whatever machine they were opened, and their end.

use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::{DataOutput, SessionsArgs, SessionsVerb};
use super::failure::{Failure, Kind};
use super::ls::age;
use super::table::{Column, Table};
use crate::proto::SessionId;
use crate::proto::api::SessionRow;

/// Lists them, or ends one.
pub(super) async fn run(context: &mut Context, args: SessionsArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let failure = |error| Failure::of_api(error, &access.api);
    let list = access.api.sessions().await.map_err(failure)?;
    match args.verb {
        Some(SessionsVerb::End { id }) => {
            let id = meant(&list.sessions, &id)?;
            access.api.end_session(id).await.map_err(failure)?;
            context.ui.note(&format!("session {id} is ended"));
        }
        None if args.output == DataOutput::Json => context.ui.json(&list)?,
        None if list.sessions.is_empty() => context.ui.note("you have no live session"),
        None => context.ui.table(&table(&list.sessions, access.api.http().clock().now()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[SessionRow], now: u64) -> Table<'_> {
    let columns = [
        Column::whole("ID"),
        Column::whole("CONTAINER"),
        Column::leave("AS", 7),
        Column::leave("MAY", 8),
        Column::leave("FROM", 9),
        Column::whole("AGE"),
        Column::whole("ENDS"),
    ];
    let mut table = Table::new(columns);
    for row in rows {
        table.row([
            row.id.to_string().chars().take(SHOWN).collect(),
            row.container.clone(),
            row.login.to_string(),
            row.actions.to_string(),
            row.client_address.clone(),
            age(now.saturating_sub(row.started_at)),
            format!("in {}", age(row.deadline.saturating_sub(now))),
        ]);
    }
    table
}

/// The one session that begins with `typed`.
fn meant(rows: &[SessionRow], typed: &str) -> Result<SessionId, Failure> {
    let fits: Vec<&SessionRow> = rows.iter().filter(|row| row.id.to_string().starts_with(typed)).collect();
    match fits.as_slice() {
        [only] => Ok(only.id),
        [] => {
            Err(Failure::new(Kind::NotAllowed, "not_found", format!("you have no live session {typed}")).hint("ztctl sessions"))
        }
        several => Err(Failure::new(Kind::Usage, "ambiguous", format!("{typed} begins {} sessions", several.len()))
            .detail(several.iter().map(|row| format!("{} in {}", row.id, row.container)))),
    }
}

/// Digits of an id in the table: enough for any number of sessions that a person has.
const SHOWN: usize = 12;
