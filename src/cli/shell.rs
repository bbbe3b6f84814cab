//! (being written)
use std::process::ExitCode;

use super::Context;
use super::args::ShellArgs;
use super::failure::{Failure, Kind};

pub(super) async fn run(_: &mut Context, _: ShellArgs) -> Result<ExitCode, Failure> {
    Err(Failure::new(Kind::Failed, "unsupported", "not in this build"))
}
