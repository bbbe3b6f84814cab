//! `ztagent run`: an agent beside CMD, for the container that both are in.

use std::path::Path;
use std::process::ExitCode;

use crate::agent::args::RunArgs;
use crate::agent::connector::process::{Description, ProcessConnector};
use crate::agent::environment::{self, Variables};
use crate::agent::own_container::own_container;
use crate::agent::reaper::Reaper;
use crate::agent::settings::{self, SettingsError, host_name};
use crate::agent::{Agent, Connector, init};
use crate::log::LogLevel;
use crate::proto::name::app_name;

/// Runs CMD and, where the settings allow, an agent beside it.
pub(super) fn run(args: RunArgs, log_level: LogLevel) -> ExitCode {
    settings::set_up(log_level);
    let base = environment::base(std::env::vars_os());
    init::supervise(&args.command, &base, |reaper| match agent(&args, base.clone(), reaper) {
        Ok(agent) => Some(agent),
        Err(error) => {
            tracing::error!("no sessions will be served: {error}");
            None
        }
    })
}

fn agent(args: &RunArgs, base: Variables, reaper: Reaper) -> Result<Agent, SettingsError> {
    let config = settings::config(&args.join, None)?;
    let host_name = host_name();
    let description = Description {
        app: app_name(&args.app.clone().unwrap_or_else(|| program_name(&args.command))),
        name: config.name.clone(),
        image: args.image.clone(),
        location: host_name.clone(),
        labels: args.labels(),
        runtime_id: host_name.chars().take(128).collect(),
        instance: own_container(),
        started_at: config.clock.now(),
    };
    Ok(Agent::new(config, Connector::process(ProcessConnector::with_reaper(description, base, reaper))))
}

fn program_name(command: &[std::ffi::OsString]) -> String {
    let file = command.first().and_then(|word| Path::new(word).file_stem());
    file.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
