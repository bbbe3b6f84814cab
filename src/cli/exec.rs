//! `ztctl exec`: one command in a container, its arguments exactly as given, its streams those of this process.
//!
//! The fast path: nothing is asked of the broker but the connect itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::ExecArgs;
use super::failure::Failure;
use super::shell::{hosts, surroundings};
use super::successor;
use super::ui::Ui;
use crate::client::resolve::{Choice, Entry};
use crate::client::session::Session;
use crate::proto::command::quote;
use crate::proto::name::Target;

/// Runs the command and leaves with its status.
pub(super) async fn run(context: &mut Context, args: ExecArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    execute(&context.ui, &access, args.name, args.entry.into(), &args.command).await
}

/// Runs `command` in the container of that name and leaves with its status.
pub(crate) async fn execute(
    ui: &Ui,
    access: &Access,
    name: Target,
    entry: Entry,
    command: &[OsString],
) -> Result<ExitCode, Failure> {
    let failure = |error| Failure::session(error, &access.api);
    let command = quote(command.iter().map(|word| word.as_bytes()));
    let request = Choice::typed(name).exec(entry, command.clone());
    let clock = access.api.http().clock().clone();
    let session = Session::open(&access.api, hosts(access).map_err(failure)?, clock, request).await.map_err(failure)?;
    match session.exec(command, &surroundings::of_command()).await {
        Ok(exit) => Ok(ExitCode::from(exit.code())),
        Err(error) => Err(successor::failure(ui, access, error).await),
    }
}
