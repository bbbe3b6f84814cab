//! The audit events of the demo's session, a line each: when, what, and what is worth reading of it.

use serde_json::Value;

use crate::broker::AuditRecord;
use crate::cli::failure::{Failure, Kind};
use crate::cli::ui::Ui;

/// Prints them.
pub(super) fn print(ui: &Ui, records: &[AuditRecord]) -> Result<(), Failure> {
    for record in records {
        ui.line(&line(record)?)?;
    }
    Ok(())
}

fn line(record: &AuditRecord) -> Result<String, Failure> {
    let unreadable =
        |error: serde_json::Error| Failure::new(Kind::Failed, "demo", format!("an audit event cannot be shown: {error}"));
    let Value::Object(fields) = serde_json::to_value(record).map_err(unreadable)? else {
        return Ok(String::new());
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let shown = fields.iter().filter(|(name, value)| SHOWN.contains(&name.as_str()) && !value.is_null());
    let details: Vec<String> = shown.map(|(name, value)| format!("{name}={}", text(value))).collect();
    let event = fields.get("event").map(text).unwrap_or_default();
    Ok(format!("  {:<20} {}", event, details.join(" ")))
}

/// The fields that fit a line; the journal has the others.
const SHOWN: &[&str] = &[
    "user",
    "name",
    "session",
    "actions",
    "command",
    "login",
    "policies",
    "outcome",
    "bytes_in",
    "bytes_out",
    "client_address",
    "method",
];
