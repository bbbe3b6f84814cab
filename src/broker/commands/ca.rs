//! `ztbroker ca`: the keys of the certificate authorities, and their renewal.

use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;
use super::print::Printer;
use super::table;
use crate::broker::admin::client::Client;
use crate::broker::admin::{Authorities, Rotation};
use crate::broker::args::ca::Ca;
use crate::broker::args::{Listing, Output};
use crate::moment;

pub(super) async fn run(client: &Client, verb: Ca, printer: Printer) -> Result<(), Failure> {
    let listing = Listing { output: Output::Table };
    match verb {
        Ca::Show(listing) => show(&client.get("/ca").await?, listing, printer),
        Ca::Rotate(args) => {
            let overlap = Some(args.overlap).filter(|_| !args.now);
            let rotation = Rotation { user: args.user, host: args.host, overlap };
            let now = followed(client, client.post("/ca/rotate", &rotation).await?).await?;
            show(&now, listing, printer)
        }
        Ca::Finish => {
            let now = followed(client, client.post("/ca/finish", &()).await?).await?;
            show(&now, listing, printer)
        }
    }
}

/// The same once the agents that are here have followed, which takes them a moment, or have had their time.
async fn followed(client: &Client, mut now: Authorities) -> Result<Authorities, Failure> {
    let deadline = Instant::now() + FOLLOWING;
    while !now.behind.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(FOLLOWING / 20).await;
        now = client.get("/ca").await?;
    }
    Ok(now)
}

fn show(authorities: &Authorities, listing: Listing, printer: Printer) -> Result<(), Failure> {
    if listing.output == Output::Json {
        return printer.line(&table::json(authorities)?).map(drop);
    }
    let titles = ["FOR", "KEY", "SINCE (UTC)", "UNTIL (UTC)"];
    table::show(printer, listing, titles, &authorities.keys, |key| {
        let until = key.until.map(moment::show).unwrap_or_default();
        [key.role.clone(), key.fingerprint.clone(), moment::show(key.since), until]
    })?;
    printer.remark_to_person(&format!("together they are {}", authorities.fingerprint));
    if !authorities.behind.is_empty() {
        let until = authorities.until.map(|until| format!(" before {} UTC", moment::show(until))).unwrap_or_default();
        let names = authorities.behind.join(", ");
        printer.remark(&format!("these agents do not trust the newest keys: {names}; upgrade them, or join them again{until}"));
    }
    Ok(())
}

/// How long agents have to follow before it is said that they do not: they are told at once.
const FOLLOWING: Duration = Duration::from_secs(2);
