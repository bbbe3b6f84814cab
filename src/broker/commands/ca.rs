//! `ztbroker ca`: the keys of the certificate authorities, and their renewal.

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
            let now: Authorities = client.post("/ca/rotate", &rotation).await?;
            show(&now, listing, printer)
        }
        Ca::Finish => {
            let now: Authorities = client.post("/ca/finish", &()).await?;
            show(&now, listing, printer)
        }
    }
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
        printer
            .remark(&format!("these agents do not trust the newest keys: {names}; upgrade them, or join them again,{until}"));
    }
    Ok(())
}
