//! `ztbroker audit`: what the journal has, for people and for programs.

mod verify;

use url::form_urlencoded::Serializer;

use super::failure::Failure;
use super::print::Printer;
use super::table;
use crate::broker::admin::AuditRecord;
use crate::broker::admin::client::Client;
use crate::broker::args::audit::{Audit, AuditVerb, ShowAudit};
use crate::broker::args::{Listing, Output, Place};
use crate::broker::audit::SinkRow;
use crate::clock::Clock;
use crate::moment::{self, Since};

pub(super) async fn run(place: &Place, args: Audit, printer: Printer) -> Result<(), Failure> {
    match args.verb {
        None => show(&super::client(place)?, args.show, printer).await,
        Some(AuditVerb::Verify(args)) => verify::run(place, args, printer).await,
        Some(AuditVerb::Export { since, until }) => export(&super::client(place)?, since, until, printer).await,
        Some(AuditVerb::Sinks(listing)) => sinks(&super::client(place)?, listing, printer).await,
        Some(AuditVerb::Key) => printer.line(&verify::own_key(&super::state(place)?)?).map(drop),
    }
}

async fn show(client: &Client, args: ShowAudit, printer: Printer) -> Result<(), Failure> {
    let path = path(&args, Clock::system().now());
    if args.follow {
        return follow(client, &path, args.listing.output, printer).await;
    }
    let records: Vec<AuditRecord> = client.get(&path).await?;
    table::show(printer, args.listing, ["TIME (UTC)", "SEQ", "EVENT", "WHAT"], &records, cells)
}

async fn follow(client: &Client, path: &str, output: Output, printer: Printer) -> Result<(), Failure> {
    let mut failed = None;
    let each = |record: AuditRecord| {
        let line = match output {
            Output::Table => Ok(cells(&record).join("  ")),
            Output::Json => table::json(&record),
        };
        match line.and_then(|line| printer.line(&line)) {
            Ok(read) => read,
            Err(failure) => {
                failed = Some(failure);
                false
            }
        }
    };
    client.follow(path, each).await?;
    failed.map_or(Ok(()), Err)
}

async fn export(client: &Client, since: Option<Since>, until: Option<Since>, printer: Printer) -> Result<(), Failure> {
    let (now, mut query) = (Clock::system().now(), Serializer::new(String::new()));
    for (name, time) in [("since", since), ("until", until)] {
        query.extend_pairs(time.map(|time| (name, time.seconds(now).to_string())));
    }
    let mut written = Ok(true);
    let each = |bytes: &[u8]| {
        written = printer.bytes(bytes);
        matches!(written, Ok(true))
    };
    client.stream(&format!("/audit/export?{}", query.finish()), each).await?;
    written.map(drop)
}

async fn sinks(client: &Client, listing: Listing, printer: Printer) -> Result<(), Failure> {
    let sinks: Vec<SinkRow> = client.get("/audit/sinks").await?;
    table::show(printer, listing, ["NAME", "TO", "DELIVERED", "BEHIND", "STATE"], &sinks, |sink| {
        let to = if sink.to.is_empty() { &sink.kind } else { &sink.to };
        let state = match (&sink.failing_since, &sink.error) {
            (Some(since), Some(error)) => format!("failing since {}: {error}", moment::show(*since)),
            _ => "good".to_owned(),
        };
        [sink.name.clone(), to.clone(), sink.delivered.to_string(), sink.behind.to_string(), state]
    })
}

fn path(args: &ShowAudit, now: u64) -> String {
    let mut query = Serializer::new(String::new());
    if let Some(since) = args.since {
        query.append_pair("since", &since.seconds(now).to_string());
    }
    if let Some(session) = &args.session {
        query.append_pair("session", &session.to_string());
    }
    if let Some(user) = &args.user {
        query.append_pair("user", user.as_str());
    }
    if let Some(limit) = args.limit {
        query.append_pair("limit", &limit.to_string());
    }
    format!("/audit{}?{}", if args.follow { "/follow" } else { "" }, query.finish())
}

/// A record for people: its fields as `name=value`, without those of the chain.
fn cells(record: &AuditRecord) -> [String; 4] {
    let words = record.words();
    let fields: Vec<String> = words.fields.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    [moment::show(record.time), record.seq.to_string(), words.event, fields.join(" ")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::audit::Event;

    #[test]
    fn a_record_is_a_row() {
        let event = Event::UserRemoved { user: "ada".into(), by: "operator (uid 0)".into() };
        let record = AuditRecord { seq: 7, time: 0, event, prev: String::new(), hash: String::new() };
        let [time, seq, name, what] = cells(&record);
        assert_eq!([time.as_str(), &seq, &name], ["1970-01-01 00:00:00", "7", "user_removed"]);
        assert_eq!(what, "user=ada by=\"operator (uid 0)\"");
    }
}
