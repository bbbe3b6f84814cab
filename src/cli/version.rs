//! `ztctl version`: this program's version and its protocol's.

use std::process::ExitCode;

use serde::Serialize;

use super::args::{DataOutput, VersionArgs};
use super::failure::Failure;
use super::ui::Ui;
use crate::proto::version::{OLDEST, PROGRAM, PROTOCOL};

/// With `--output json` these are the names.
#[derive(Debug, Serialize)]
struct Version {
    version: &'static str,
    protocol: u32,
    /// The oldest protocol that it works with.
    oldest_protocol: u32,
}

/// Prints them.
pub(super) fn run(ui: &Ui, args: VersionArgs) -> Result<ExitCode, Failure> {
    match args.output {
        DataOutput::Json => ui.json(&Version { version: PROGRAM, protocol: PROTOCOL, oldest_protocol: OLDEST })?,
        DataOutput::Table => {
            ui.line(&format!("ztctl {PROGRAM}"))?;
            ui.line(&format!("protocol {PROTOCOL} (works with {OLDEST} to {PROTOCOL})"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
