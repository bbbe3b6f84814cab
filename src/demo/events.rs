//! The audit events of the demo's session, a line each: what happened, and what is worth reading of it.

use crate::broker::AuditRecord;
use crate::cli::failure::Failure;
use crate::cli::ui::Ui;

/// Prints them.
pub(super) fn print(ui: &Ui, records: &[AuditRecord]) -> Result<(), Failure> {
    records.iter().try_for_each(|record| ui.line(&line(record)))
}

fn line(record: &AuditRecord) -> String {
    let words = record.words();
    let shown = words.fields.iter().filter(|(name, _)| SHOWN.contains(&name.as_str()));
    shown.fold(format!("  {:<19}", words.event), |line, (name, value)| format!("{line} {name}={value}"))
}

/// The fields that fit a line; the journal has the others.
const SHOWN: &[&str] = &[
    "user",
    "name",
    "actions",
    "command",
    "login",
    "policies",
    "outcome",
    "status",
    "signal",
    "bytes_in",
    "bytes_out",
    "method",
];
