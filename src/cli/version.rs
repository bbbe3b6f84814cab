//! `ztctl version`: this program's version and its protocol's.

use std::process::ExitCode;

use super::failure::Failure;
use super::ui::Ui;
use crate::proto::version::{OLDEST, PROGRAM, PROTOCOL};

/// Prints them.
pub(super) fn run(ui: &Ui) -> Result<ExitCode, Failure> {
    ui.line(&format!("ztctl {PROGRAM}"))?;
    ui.line(&format!("protocol {PROTOCOL} (works with {OLDEST} to {PROTOCOL})"))?;
    Ok(ExitCode::SUCCESS)
}
