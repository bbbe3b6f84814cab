//! The verbs of `ztctl`: parse, do, print, leave with the right status.
//!
//! | module | owns |
//! | --- | --- |
//! | [`args`] | the command line |
//! | [`environment`] | what comes from the environment and the home directory |
//! | [`access`] | which login a verb uses, and the API behind it |
//! | [`ui`], [`table`] | the only printer |
//! | [`failure`] | every message, hint and exit status |
//! | the rest | one verb each, and the picker |

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub mod access;
pub mod args;
mod cp;
pub mod environment;
pub mod exec;
pub mod failure;
mod forward;
mod login;
mod logout;
mod logs;
pub(crate) mod ls;
pub mod picker;
mod proxy;
mod sessions;
pub mod shell;
mod ssh_config;
mod status;
mod successor;
pub mod table;
pub mod ui;
mod version;
mod why;

use args::{Arguments, Verb};
use environment::Environment;
use failure::Failure;
use ui::Ui;

/// What every verb is given.
pub struct Context {
    /// The printer.
    pub ui: Ui,
    /// What the environment says.
    pub environment: Environment,
    /// `--broker`, or its variable.
    pub broker: Option<String>,
}

/// Runs `ztctl` with these arguments (the first is the program's name) and returns what it exits with.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let arguments = match Arguments::try_parse_from(&args) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && ask_for_json(&args) => {
            let failure = Failure::usage(&error);
            Ui::system(true).failure(&failure);
            return ExitCode::from(failure.exit_status(false));
        }
        // clap prints help and version to standard output with status 0, errors to standard error with status 2.
        Err(error) => {
            let status = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    let mut ui = Ui::system(arguments.wants_json());
    let session = arguments.opens_session();
    match dispatch(arguments, &mut ui) {
        Ok(code) => code,
        Err(failure) => {
            ui.failure(&failure);
            ExitCode::from(failure.exit_status(session))
        }
    }
}

/// Whether arguments that cannot be parsed ask for JSON all the same. What follows `--` is another program's.
fn ask_for_json(args: &[OsString]) -> bool {
    let own: Vec<&OsString> = args.iter().take_while(|arg| *arg != "--").collect();
    own.windows(2).any(|pair| (pair[0] == "--output" || pair[0] == "-o") && pair[1] == "json")
        || own.iter().any(|arg| *arg == "--output=json" || *arg == "-ojson")
}

fn dispatch(arguments: Arguments, ui: &mut Ui) -> Result<ExitCode, Failure> {
    let Arguments { global, verb } = arguments;
    let context = |ui: &Ui| Context { ui: ui.clone(), environment: Environment::system(), broker: global.broker.clone() };
    // The table of verbs.
    match verb {
        Verb::Version => version::run(ui),
        Verb::Login(args) => block_on(login::run(&mut context(ui), args)),
        Verb::Logout => block_on(logout::run(&mut context(ui))),
        Verb::Status(args) => block_on(status::run(&mut context(ui), args)),
        Verb::Ls(args) => block_on(ls::run(&mut context(ui), args)),
        Verb::Shell(args) => block_on(shell::run(&mut context(ui), args)),
        Verb::Exec(args) => block_on(exec::run(&mut context(ui), args)),
        Verb::Logs(args) => block_on(logs::run(&mut context(ui), args)),
        Verb::Cp(args) => block_on(cp::run(&mut context(ui), args)),
        Verb::Forward(args) => block_on(forward::run(&mut context(ui), args)),
        Verb::Why(args) => block_on(why::run(&mut context(ui), args)),
        Verb::Sessions(args) => block_on(sessions::run(&mut context(ui), args)),
        Verb::SshConfig(args) => block_on(ssh_config::run(&mut context(ui), args)),
        Verb::Proxy(args) => block_on(proxy::run(&mut context(ui), args)),
        #[cfg(feature = "demo")]
        Verb::Demo(args) => crate::demo::run(args, ui),
    }
}

/// Runs a verb on a runtime of one thread: the least memory and the fastest start.
fn block_on(verb: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::runtime)?;
    let result = runtime.block_on(verb);
    // A name lookup or a read of standard input that still blocks a thread must not hold up the end.
    runtime.shutdown_background();
    result
}
