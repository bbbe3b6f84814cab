//! `ztctl exec`: one command in a container, its arguments exactly as given, its streams those of this process, or this terminal.
//!
//! The fast path: nothing is asked of the broker but the connect itself.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::ExecArgs;
use super::failure::{Failure, Kind};
use super::shell::{hosts, surroundings};
use super::successor;
use super::ui::Ui;
use crate::client::resolve::{Choice, Entry};
use crate::client::session::Session;
use crate::client::session::shell::Surroundings;
use crate::proto::command::quote;
use crate::proto::name::Target;

/// Runs the command and leaves with its status.
pub(super) async fn run(context: &mut Context, args: ExecArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    execute(&context.ui, &access, args.name, args.entry.into(), &args.command, args.tty).await
}

/// Runs `command` in the container of that name and leaves with its status.
pub(crate) async fn execute(
    ui: &Ui,
    access: &Access,
    name: Target,
    entry: Entry,
    command: &[OsString],
    at_terminal: bool,
) -> Result<ExitCode, Failure> {
    if at_terminal && !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "no_terminal", "-t needs a terminal, and standard input is none")
            .hint("without -t the command reads what comes from there"));
    }
    let failure = |error| Failure::session(error, &access.api);
    let command = quote(command.iter().map(|word| word.as_bytes()));
    let request = Choice::typed(name).exec(entry, command.clone());
    let clock = access.api.http().clock().clone();
    let session = Session::open(&access.api, hosts(access).map_err(failure)?, clock, request).await.map_err(failure)?;
    let ended = if at_terminal {
        let (term, environment) = surroundings::of_shell();
        let program = surroundings::program();
        let surroundings = Surroundings { term: &term, environment: &environment, program: program.as_deref() };
        session.exec_at_terminal(command, surroundings).await
    } else {
        session.exec(command, &surroundings::of_command()).await
    };
    match ended {
        Ok(exit) => Ok(ExitCode::from(exit.code())),
        Err(error) => Err(successor::failure(ui, access, error).await),
    }
}
