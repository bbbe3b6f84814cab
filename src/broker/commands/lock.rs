//! `ztbroker lock`: closing something at once, whatever the policies allow.

use super::failure::Failure;
use super::print::Printer;
use super::table;
use crate::broker::admin::client::{Client, ClientError};
use crate::broker::admin::{LockSpec, LockWish, MadeLock};
use crate::broker::args::lock::{AddLock, Lock as Verb};
use crate::broker::locks::Lock;
use crate::moment;

pub(super) async fn run(client: &Client, verb: Verb, printer: Printer) -> Result<(), Failure> {
    match verb {
        Verb::Add(args) => add(client, args, printer).await,
        Verb::Ls(listing) => {
            let locks: Vec<Lock> = client.get("/locks").await?;
            let titles = ["ID", "LOCKED", "UNTIL (UTC)", "REASON", "MADE (UTC)", "BY"];
            table::show(printer, listing, titles, &locks, |lock| {
                [
                    lock.id.to_string(),
                    lock.target.to_string(),
                    lock.until.map(moment::show).unwrap_or_default(),
                    lock.reason.clone().unwrap_or_default(),
                    moment::show(lock.made_at),
                    lock.by.clone(),
                ]
            })
        }
        Verb::Rm { id } => Ok(client.delete(&format!("/locks/{id}")).await?),
    }
}

async fn add(client: &Client, args: AddLock, printer: Printer) -> Result<(), Failure> {
    let wish = args.wish();
    let spec = LockSpec { wish, lasts: args.lasts, until: args.until, reason: args.reason };
    let made: MadeLock = client.post("/locks", &spec).await.map_err(|error| {
        let unclear = matches!(spec.wish, LockWish::Container(_)) && matches!(error, ClientError::Refused(_));
        let failure = Failure::from(error);
        if unclear { failure.hint("give its id, as the audit has it, or a pattern: --container 'web-*'") } else { failure }
    })?;
    printer.line(made.lock.id.as_str())?;
    let sessions = if made.ended == 1 { "session" } else { "sessions" };
    printer.remark(&format!("locked: {}; {} live {sessions} ended", made.lock.target, made.ended));
    if made.nobody {
        printer
            .remark("nobody of that name is logged in now: only the provider knows whether there is one, and capitals count");
    }
    Ok(())
}
