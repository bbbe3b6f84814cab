//! `ztctl exec`: one command in a container, its arguments exactly as given, its streams those of this process, or this terminal; or
//! in several containers at once.
//!
//! The fast path: nothing is asked of the broker but the connect itself.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::ExecArgs;
use super::asking;
use super::failure::{Failure, Kind};
use super::shell::{Terminal, surroundings};
use super::successor;
use super::ui::Ui;
use crate::client::resolve::{Choice, Entry};
use crate::client::session::environment::Environment;
use crate::proto::command::quote;
use crate::proto::name::Target;

mod all;

/// Runs the command and leaves with its status.
pub(super) async fn run(context: &mut Context, args: ExecArgs) -> Result<ExitCode, Failure> {
    // clap waives what an argument requires where that conflicts with another one that is there.
    if args.name.is_some() && (args.selector.is_some() || args.yes) {
        return Err(Failure::new(Kind::Usage, "usage", "-l and --yes choose among several containers, and one is named")
            .hint("ztctl exec --all -l CONDITIONS -- CMD"));
    }
    if args.all && (args.session.timing || args.session.escape.is_some()) {
        return Err(Failure::new(Kind::Usage, "usage", "--timing and --escape are for one session, and --all makes several"));
    }
    if args.all && args.entry.break_glass {
        return Err(Failure::new(Kind::Usage, "usage", "--break-glass is for one session, and --all makes several"));
    }
    let access = Access::open(context).await?;
    let entry = context.entry(args.entry);
    let terminal = Terminal::of(context, args.session)?;
    let Some(name) = args.name else {
        let task = all::Task {
            selector: args.selector,
            entry,
            variables: terminal.variables,
            command: args.command,
            parallel: args.parallel.into(),
            yes: args.yes,
        };
        return all::run(context, &access, task).await;
    };
    let streams = match (args.tty, args.no_stdin) {
        (true, _) => Streams::Terminal,
        (false, true) => Streams::NoInput,
        (false, false) => Streams::Process,
    };
    execute(&context.ui, &access, name, entry, &args.command, streams, &terminal).await
}

/// What the command's streams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// This process's.
    Process,
    /// This process's, but for the input, which is empty.
    NoInput,
    /// This terminal.
    Terminal,
}

/// Runs `command` in the container of that name and leaves with its status.
pub(crate) async fn execute(
    ui: &Ui,
    access: &Access,
    name: Target,
    entry: Entry,
    command: &[OsString],
    streams: Streams,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    if streams == Streams::Terminal && !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "no_terminal", "-t needs a terminal, and standard input is none")
            .hint("without -t the command reads what comes from there"));
    }
    let command = quote(command.iter().map(|word| word.as_encoded_bytes()));
    let request = Choice::typed(name).exec(entry, command.clone());
    let session = asking::session(ui, access, request).await.map_err(|error| error.failure(access))?;
    let ended = if streams == Streams::Terminal {
        session.exec_at_terminal(command, terminal.told().surroundings()).await
    } else {
        let usual = surroundings::of_command();
        session.exec(command, Environment { usual: &usual, demanded: &terminal.variables }, streams == Streams::Process).await
    };
    match ended {
        Ok(exit) => Ok(ExitCode::from(exit.code())),
        Err(error) => Err(successor::failure(ui, access, error).await),
    }
}
