//! An agent by itself, for containers that others start: it serves until it is told to stop.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::agent::args::JoinArgs;
use crate::agent::settings::{self, SettingsError};
use crate::agent::{Agent, AgentConfig, Connector};
use crate::log::LogLevel;

/// The settings of an agent that joins by a token and keeps its key, so that its containers keep their names over its restarts.
///
/// # Errors
/// [`SettingsError`].
pub(super) fn settings(args: &JoinArgs) -> Result<AgentConfig, SettingsError> {
    settings::config(args, Some(Path::new(STATE)))
}

/// Runs an agent with the connector that `connect` makes, until SIGTERM, SIGINT or SIGHUP.
pub(super) fn run<E: Display>(
    log_level: LogLevel,
    settings: impl FnOnce() -> Result<AgentConfig, SettingsError>,
    connect: impl AsyncFnOnce(&AgentConfig) -> Result<Connector, E>,
) -> ExitCode {
    crate::agent::settings::set_up(log_level);
    let told = |error: SettingsError| error.to_string();
    let served = settings().map_err(told).and_then(|config| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .map_err(SettingsError::Runtime)
            .map_err(told)?;
        let served = runtime.block_on(async {
            let connector = connect(&config).await.map_err(|error| error.to_string())?;
            serve(Agent::new(config, connector)).await.map_err(SettingsError::Runtime).map_err(told)
        });
        // A name look-up may hang in a thread of its own; nobody waits for it.
        runtime.shutdown_background();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(io::stderr(), "ztagent: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(agent: Agent) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let shutdown = CancellationToken::new();
    let mut serving = std::pin::pin!(agent.run(shutdown.clone()));
    tokio::select! {
        () = &mut serving => return Ok(()),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
    tracing::info!("stopping: sessions end now");
    shutdown.cancel();
    tokio::select! {
        () = serving => {}
        // Whoever asks twice does not want to wait.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Where an agent that serves others keeps its key.
const STATE: &str = "/var/lib/ztagent";

/// Threads that carry sessions: encryption is what costs, and a node has more to do.
const WORKERS: usize = 2;
