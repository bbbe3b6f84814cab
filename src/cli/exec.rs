//! (being written)
use std::process::ExitCode;

use super::Context;
use super::args::ExecArgs;
use super::failure::{Failure, Kind};

pub(super) async fn run(_: &mut Context, _: ExecArgs) -> Result<ExitCode, Failure> {
    Err(Failure::new(Kind::Failed, "unsupported", "not in this build"))
}
