//! The verbs of `ztctl`: parse, do, print, leave with the right status.
//!
//! | module | owns |
//! | --- | --- |
//! | [`args`] | the command line |
//! | [`environment`] | what comes from the environment and the home directory |
//! | [`settings`] | which value of a setting counts |
//! | [`access`] | which login a verb uses, and the API behind it |
//! | [`ui`], [`table`] | the only printer |
//! | [`failure`] | every message, hint and exit status |
//! | the rest | one verb each, and the picker |

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;

pub mod access;
pub mod args;
mod asking;
mod complete;
mod completions;
mod config;
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
mod settings;
pub mod shell;
mod ssh_config;
mod status;
mod step_up;
mod successor;
pub mod table;
mod totp;
pub mod ui;
mod version;
mod why;

use args::{Arguments, Global, LoginArgs, Verb};
use environment::Environment;
use failure::Failure;
use ui::Ui;

use crate::client::config::{Colour, Config};
use crate::client::trace::{Level, Trace};
use crate::proto::ErrorCode;

/// What every verb is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// The printer.
    pub ui: Ui,
    /// What the environment says.
    pub environment: Environment,
    /// What was said for all verbs.
    pub flags: Global,
    /// Who is told what happens.
    pub trace: Trace,
    /// What the configuration was when the program started, or after a login in place; why it cannot be used.
    config: Result<Config, Failure>,
}

#[cfg(test)]
impl Context {
    /// Where there is no environment, no home and no terminal.
    fn nowhere() -> Self {
        let flags = Global::default();
        let (ui, config) = (Ui::system(false, Colour::Never), Ok(Config::default()));
        Self { ui, environment: Environment::empty(), flags, trace: Trace::off(), config }
    }
}

/// Runs `ztctl` with these arguments (the first is the program's name) and returns what it exits with.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let begin = Instant::now();
    let args: Vec<OsString> = args.collect();
    let arguments = match Arguments::try_parse_from(&args) {
        Ok(arguments) => arguments,
        // Without a verb clap's error is the help.
        Err(error) if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let verb =
                args.get(1).and_then(|verb| verb.to_str()).filter(|verb| args::command().find_subcommand(verb).is_some());
            let failure = Failure::usage(&error, verb);
            Ui::system(ask_for_json(&args), Colour::Auto).failure(&failure);
            return ExitCode::from(failure.exit_status(false));
        }
        // clap prints help and version to standard output.
        Err(error) => {
            let status = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    let environment = Environment::system();
    // A configuration that cannot be read is for the verb to complain about.
    let config = environment.configuration();
    let plain = Config::default();
    let colour = settings::colour(arguments.global.color, &environment, config.as_ref().unwrap_or(&plain));
    let ui = Ui::system(arguments.wants_json(), colour.as_ref().map_or(Colour::Auto, |given| given.value));
    // `ztctl config` shows what is wrong among the rest, and completions have nobody to tell it.
    if let Err(failure) = &colour
        && !matches!(arguments.verb, Verb::Config(_) | Verb::Complete(_))
    {
        ui.failure(failure);
        return ExitCode::from(failure.exit_status(arguments.opens_session()));
    }
    let (session, timing) = (arguments.opens_session(), arguments.wants_timing());
    let trace = trace(&ui, arguments.global.verbose, timing, begin);
    let mut context = Context { ui: ui.clone(), environment, flags: arguments.global, trace: trace.clone(), config };
    let mut result = dispatch(&mut context, arguments.verb.clone());
    if let Err(failure) = &result
        && let Some(broker) = failure.login_at().map(ToString::to_string)
        && context.environment.token.is_none()
        // Who wants to be logged out is.
        && !matches!(arguments.verb, Verb::Logout)
        && block_on(log_in(&mut context, failure, broker)).unwrap_or(false)
    {
        result = dispatch(&mut context, arguments.verb);
    }
    if timing {
        ui.timing(&trace);
    }
    match result {
        Ok(code) => code,
        Err(failure) => {
            ui.failure(&failure);
            ExitCode::from(failure.exit_status(session))
        }
    }
}

/// Tells the person what happens, as far as that is wanted.
fn trace(ui: &Ui, verbose: u8, timing: bool, begin: Instant) -> Trace {
    let level = match verbose {
        0 if timing => Level::Steps,
        0 => return Trace::off(),
        1 => Level::Events,
        _ => Level::Headers,
    };
    let ui = ui.clone();
    Trace::new(level, begin, move |since: Duration, text| ui.note(&format!("[{:8.1} ms] {text}", since.as_secs_f64() * 1e3)))
}

/// Asks whether to log in where `failure` says that there is no login, and does it. Whether there is one now.
async fn log_in(context: &mut Context, failure: &Failure, broker: String) -> Result<bool, Failure> {
    if !context.ui.asks() {
        return Ok(false);
    }
    context.ui.note(&format!("ztctl: {}", failure.message()));
    let mfa = failure.code() == ErrorCode::MfaRequired.as_str();
    let question = if mfa { "log in again, to show one? [Y/n] " } else { "log in now? [Y/n] " };
    if !context.ui.ask(question, true).await? {
        return Ok(false);
    }
    let args = LoginArgs { url: Some(broker), ca: None, device: false, id_token: None, mfa, store: None };
    match login::run(context, args).await {
        Ok(_) => {
            context.config = context.environment.configuration();
            Ok(true)
        }
        Err(failure) => {
            context.ui.failure(&failure);
            Ok(false)
        }
    }
}

/// Whether arguments that cannot be parsed ask for JSON all the same. What follows `--` is another program's.
fn ask_for_json(args: &[OsString]) -> bool {
    let own: Vec<&OsString> = args.iter().take_while(|arg| *arg != "--").collect();
    own.windows(2).any(|pair| (pair[0] == "--output" || pair[0] == "-o") && pair[1] == "json")
        || own.iter().any(|arg| *arg == "--output=json" || *arg == "-ojson")
}

fn dispatch(context: &mut Context, verb: Verb) -> Result<ExitCode, Failure> {
    // The table of verbs.
    match verb {
        Verb::Version(args) => version::run(&context.ui, args),
        Verb::Login(args) => block_on(login::run(context, args)),
        Verb::Logout => block_on(logout::run(context)),
        Verb::Status(args) => block_on(status::run(context, args)),
        Verb::Ls(args) => block_on(ls::run(context, args)),
        Verb::Shell(args) => block_on(shell::run(context, args)),
        Verb::Exec(args) => block_on(exec::run(context, args)),
        Verb::Logs(args) => block_on(logs::run(context, args)),
        Verb::Cp(args) => block_on(cp::run(context, args)),
        Verb::Forward(args) => block_on(forward::run(context, args)),
        Verb::Why(args) => block_on(why::run(context, args)),
        Verb::Request(args) => block_on(asking::request(context, args)),
        Verb::Requests(args) => block_on(asking::requests(context, args)),
        Verb::Approve(args) => block_on(asking::approve(context, args)),
        Verb::Deny(args) => block_on(asking::deny(context, args)),
        Verb::Sessions(args) => block_on(sessions::run(context, args)),
        Verb::Completions(args) => completions::run(&context.ui, args.shell),
        Verb::Complete(args) => complete::run(context, args),
        Verb::Config(args) => block_on(config::run(context, args.verb)),
        Verb::Totp(args) => block_on(totp::run(context, args)),
        Verb::SshConfig(args) => block_on(ssh_config::run(context, args)),
        Verb::Proxy(args) => block_on(proxy::run(context, args)),
        #[cfg(feature = "demo")]
        Verb::Demo(args) => crate::demo::run(args, &context.ui),
    }
}

/// Runs a verb on a runtime of one thread: the least memory and the fastest start.
fn block_on<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::runtime)?;
    let result = runtime.block_on(verb);
    // A name lookup or a read of standard input that still blocks a thread must not hold up the end.
    runtime.shutdown_background();
    result
}
