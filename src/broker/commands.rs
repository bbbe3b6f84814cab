//! What the words of `ztbroker` do. [`serve`] and [`dev`] are a broker; the others ask the running one through its socket.
//!
//! Everything that is printed goes through [`mod@print`]; every failure is told in one place, with the command that helps.

mod agents;
mod audit;
mod ca;
mod cluster;
mod dev;
mod failure;
mod lock;
mod password;
mod policy;
mod print;
mod serve;
mod sessions;
mod table;
mod token;
mod user;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime;

use super::admin::client::Client;
use super::args::ca::Ca;
use super::args::policy::Policy;
use super::args::{Output, Place, Verb, Ztbroker};
use super::config::{Config, ConfigError};
use failure::Failure;
use print::Printer;

/// The whole program.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let Ztbroker { place, verb } = match Ztbroker::try_parse_from(args) {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are errors to clap, with status 0 and on stdout; a closed pipe is no reason to complain.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let as_json = match &verb {
        Verb::Audit(audit) => audit.listing().output == Output::Json,
        Verb::Ca(Ca::Show(listing)) => listing.output == Output::Json,
        Verb::Policy(Policy::Explain(explain)) => explain.listing.output == Output::Json,
        _ => false,
    };
    let printer = Printer::new(as_json);
    match execute(&place, verb, printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(printer),
    }
}

fn execute(place: &Place, verb: Verb, printer: Printer) -> Result<(), Failure> {
    let mut runtime = match &verb {
        Verb::Serve(_) | Verb::Dev(_) => runtime::Builder::new_multi_thread(),
        _ => runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().map_err(|error| Failure::new(format!("the program cannot start: {error}")))?;
    let done = runtime.block_on(async {
        match verb {
            Verb::Serve(args) => serve::run(place, args).await,
            Verb::Dev(args) => dev::run(place, args, printer).await,
            Verb::User(verb) => user::run(&client(place)?, verb, printer).await,
            Verb::Token(verb) => token::run(&client(place)?, verb, printer).await,
            Verb::Audit(args) => audit::run(place, args, printer).await,
            Verb::Sessions(verb) => sessions::run(&client(place)?, verb, printer).await,
            Verb::Agents(verb) => agents::run(&client(place)?, verb, printer).await,
            Verb::Cluster(verb) => cluster::run(&client(place)?, verb, printer).await,
            Verb::Lock(verb) => lock::run(&client(place)?, verb, printer).await,
            Verb::Ca(verb) => ca::run(&client(place)?, verb, printer).await,
            Verb::Policy(verb) => policy::run(place, verb, printer).await,
        }
    });
    // A blocking thread may wait at a terminal; nothing is worth waiting for it.
    runtime.shutdown_background();
    done
}

/// The configuration of `place`, with the state folder that the command line names.
fn configuration(place: &Place) -> Result<Config, ConfigError> {
    let mut config = Config::load(path_of(place))?;
    if let Some(state) = &place.state {
        config.state.clone_from(state);
    }
    Ok(config)
}

fn path_of(place: &Place) -> &Path {
    place.config.as_deref().unwrap_or(Path::new(CONFIG))
}

/// The way to the broker of `place`.
fn client(place: &Place) -> Result<Client, Failure> {
    Ok(Client::new(&state(place)?))
}

/// The state folder of the broker of `place`.
fn state(place: &Place) -> Result<PathBuf, Failure> {
    match &place.state {
        Some(state) => Ok(state.clone()),
        None => Config::state_of(path_of(place)).map_err(|error| {
            Failure::from(error)
                .hint("a running broker is reached without its configuration too: name its state folder with --state DIR")
        }),
    }
}

/// The configuration of an installed broker.
const CONFIG: &str = "/etc/ztbroker/ztbroker.toml";
