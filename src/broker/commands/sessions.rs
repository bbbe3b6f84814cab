//! `ztbroker sessions`: who is where, and out.

use super::failure::Failure;
use super::print::Printer;
use super::table;
use crate::broker::admin::client::Client;
use crate::broker::admin::{EndSession, LiveSession};
use crate::broker::args::sessions::Sessions;
use crate::moment;

pub(super) async fn run(client: &Client, verb: Sessions, printer: Printer) -> Result<(), Failure> {
    match verb {
        Sessions::Ls(listing) => {
            let sessions: Vec<LiveSession> = client.get("/sessions").await?;
            let titles = ["ID", "USER", "CONTAINER", "AS", "MAY", "FROM", "BEGAN (UTC)", "ENDS (UTC)", "WHY"];
            table::show(printer, listing, titles, &sessions, |session| {
                [
                    session.row.id.to_string().chars().take(SHOWN).collect(),
                    session.user.clone(),
                    session.row.container.clone(),
                    session.row.login.to_string(),
                    session.row.actions.to_string(),
                    session.row.client_address.clone(),
                    moment::show(session.row.started_at),
                    moment::show(session.row.deadline),
                    session.reason.clone().unwrap_or_default(),
                ]
            })
        }
        Sessions::End(args) => {
            let end = EndSession { session: args.id, reason: args.reason };
            let ended: LiveSession = client.post("/sessions/end", &end).await?;
            printer.remark(&format!("ended: {} in {}", ended.user, ended.row.container));
            Ok(())
        }
    }
}

/// Digits of an id in the table, as `ztctl sessions` shows them.
const SHOWN: usize = 12;
