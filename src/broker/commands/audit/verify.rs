//! `ztbroker audit verify`: whether a journal, an export or a sink's copy is what was written, and where it is not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::broker::admin::client::{Client, ClientError};
use crate::broker::args::audit::VerifyAudit;
use crate::broker::args::{Output, Place};
use crate::broker::audit::{
    Checkpoint, Durable, FOLDER, Fault, Inspection, JOURNAL, Keys, LAST_CHECKPOINT, Report, Signer, Tip,
};
use crate::broker::commands::failure::Failure;
use crate::broker::commands::print::Printer;
use crate::broker::commands::table;

pub(super) async fn run(place: &Place, args: VerifyAudit, printer: Printer) -> Result<(), Failure> {
    let output = args.listing.output;
    let report = inspect(place, &args).await.map_err(Failure::unverifiable)?;
    if report.faults.is_empty() {
        if report.events == 0 {
            return Err(Failure::new("there are no events, so nothing is proved").unverifiable());
        }
        if args.export && !report.export {
            return Err(Failure::new("it is no export: no first line says which events have to be there").unverifiable());
        }
    }
    match output {
        Output::Json => printer.line(&table::json(&Told::of(&report))?).map(drop)?,
        Output::Table => {
            let faults: Vec<String> = report.faults.iter().map(Fault::to_string).collect();
            printer.lines(faults.iter().map(String::as_str))?;
            printer.line(&summary(&report))?;
            if args.file.is_some() && args.checkpoint.is_none() && !report.export && report.faults.is_empty() {
                printer
                    .remark("a copy and no export: nothing vouches that its last event is the last (--checkpoint FILE would)");
            }
        }
    }
    if report.faults.is_empty() { Ok(()) } else { Err(Failure::new("the audit does not verify").unproved()) }
}

/// The public key of the broker whose state is in `state`, as a line.
pub(super) fn own_key(state: &Path) -> Result<String, Failure> {
    let signer = Signer::existing(&state.join(FOLDER)).map_err(|error| Failure::new(error.to_string()))?;
    Ok(signer.public_line().to_owned())
}

async fn inspect(place: &Place, args: &VerifyAudit) -> Result<Report, Failure> {
    let keys = keys(place, args.key.as_deref())?;
    let mut inspection = if args.part { Inspection::of_part(Some(&keys)) } else { Inspection::new(Some(&keys)) };
    if let Some(path) = &args.checkpoint {
        let text = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let tip = Checkpoint::last_in(&text, &keys).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        inspection.must_hold(tip, format!("the checkpoint in {}", path.display()));
    }
    let (path, from): (PathBuf, Box<dyn BufRead + Send>) = match &args.file {
        Some(path) if path == Path::new("-") => (path.clone(), Box::new(BufReader::new(io::stdin()))),
        Some(path) => (path.clone(), Box::new(BufReader::new(File::open(path).map_err(|error| unreadable(path, &error))?))),
        None => {
            let state = super::super::state(place)?;
            let path = state.join(FOLDER).join(JOURNAL);
            let end = end(&state, &mut inspection).await?;
            let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
            (path, Box::new(BufReader::new(file.take(end.unwrap_or(u64::MAX)))))
        }
    };
    inspection.read(from).map_err(|error| unreadable(&path, &error))
}

/// What the journal's owner knows of its end: the running broker, which may be writing at this moment, or else its last checkpoint.
async fn end(state: &Path, inspection: &mut Inspection<'_>) -> Result<Option<u64>, Failure> {
    match Client::new(state).get::<Durable>("/audit/end").await {
        Ok(Durable { length, tip }) => {
            inspection.must_hold(tip, "the running broker");
            Ok(Some(length))
        }
        Err(ClientError::NotRunning(_)) => {
            let path = state.join(FOLDER).join(LAST_CHECKPOINT);
            match std::fs::read(&path) {
                Ok(line) => {
                    let tip: Tip = serde_json::from_slice(&line).map_err(|error| unreadable(&path, &error.into()))?;
                    inspection.must_hold(tip, LAST_CHECKPOINT);
                }
                // A broker that has not made one yet.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(&path, &error)),
            }
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The keys to trust: those that are given, a file or a line, or the broker's own.
fn keys(place: &Place, given: Option<&str>) -> Result<Keys, Failure> {
    let text = match given {
        Some(line) if line.starts_with("ssh-") => line.to_owned(),
        Some(path) => {
            let mut text = String::new();
            let read = File::open(path).and_then(|file| file.take(KEYS_LIMIT).read_to_string(&mut text));
            read.map_err(|error| unreadable(Path::new(path), &error))?;
            text
        }
        None => super::super::state(place).and_then(|state| own_key(&state)).map_err(|failure| {
            failure.hint("name the key that signed with --key: ztbroker audit key prints it where the broker runs")
        })?,
    };
    Keys::parse(&text).map_err(|error| Failure::new(format!("{}: {error}", given.unwrap_or("the broker's own key"))))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{} cannot be read: {error}", path.display()))
}

/// The last line for people.
fn summary(report: &Report) -> String {
    let Report { events, first, last, checkpoints, faults, .. } = report;
    if !faults.is_empty() {
        let more = if faults.len() < Report::MOST { "" } else { ", and nothing after the last was looked at" };
        return format!("events: {events}, faults: {}{more}", faults.len());
    }
    let whole = format!("events {first} to {last} are as they were written; checkpoints among them: {checkpoints}");
    match report.unsigned() {
        0 => whole,
        unsigned => format!("{whole}; the last {unsigned} are covered by no checkpoint yet"),
    }
}

/// The report for programs.
#[derive(Serialize)]
struct Told<'a> {
    verified: bool,
    #[serde(flatten)]
    report: &'a Report,
    unsigned: u64,
    /// The faults as sentences, in the same order.
    messages: Vec<String>,
}

impl<'a> Told<'a> {
    fn of(report: &'a Report) -> Self {
        let messages = report.faults.iter().map(Fault::to_string).collect();
        Self { verified: report.faults.is_empty(), report, unsigned: report.unsigned(), messages }
    }
}

/// The most bytes of a file with keys: hundreds of them.
const KEYS_LIMIT: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_nobody_vouches_for() {
        let good = Report { events: 9, first: 1, last: 9, checkpoints: 1, signed_through: 7, ..Report::default() };
        assert_eq!(
            summary(&good),
            "events 1 to 9 are as they were written; checkpoints among them: 1; the last 2 are covered by no checkpoint yet"
        );
        let bad = Report { faults: vec![Fault::Changed { seq: 3, line: 3 }], ..good };
        assert_eq!(summary(&bad), "events: 9, faults: 1");
        let json = table::json(&Told::of(&bad)).unwrap();
        assert!(json.contains(r#""verified":false"#) && json.contains(r#"{"kind":"changed","seq":3,"line":3}"#), "{json}");
    }
}
