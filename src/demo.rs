//! `ztctl demo`: a broker, two containers of one app and a login, on this machine alone, gone without a trace at the end.
//!
//! Everything in it is the real thing (TLS with a root of its own, policy, certificates, relay, audit); only where it runs is
//! special: the broker in this process on a loopback port, its state in a temporary folder, the containers in namespaces
//! ([`container`]), the tokens in memory. Where a Docker engine answers, its containers are in the list as well (`engine`).

pub mod container;
mod engine;
mod events;
mod stage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::access::Access;
use crate::cli::args::DemoArgs;
use crate::cli::failure::{Failure, Kind};
use crate::cli::shell::Terminal;
use crate::cli::ui::Ui;
use crate::cli::{exec, ls, shell};
use crate::client::resolve::Entry;
use crate::proto::api::ContainerRow;
use engine::Engine;
use stage::Stage;

/// Runs the demo: with a command, that command in the first container; else the list, the picker, a shell and the audit.
///
/// # Errors
/// What any verb can fail with, and a stage that cannot be set.
pub fn run(args: DemoArgs, ui: &Ui) -> Result<ExitCode, Failure> {
    // The broker shares this process with the client's terminal: it gets threads of its own.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(Failure::runtime)?;
    let mut folder = None;
    let result = runtime.block_on(until_a_signal(ui, args.command, &mut folder));
    runtime.shutdown_timeout(Duration::from_secs(1));
    // Only now: what was on its way to the disk when a signal came would have made parts of it anew.
    drop(folder);
    result
}

/// The play, and the end of it that a signal makes: the stage is cleared either way.
async fn until_a_signal(ui: &Ui, command: Vec<OsString>, folder: &mut Option<TempDir>) -> Result<ExitCode, Failure> {
    let listen = |kind| signal(kind).map_err(Failure::runtime);
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let mut hangup = listen(SignalKind::hangup())?;
    let path = folder.insert(stage::folder()?).path().to_owned();
    let mut stage = None;
    let result = tokio::select! {
        result = play(ui, &command, path, &mut stage) => result,
        _ = interrupt.recv() => Ok(ExitCode::from(128 + 2)),
        _ = terminate.recv() => Ok(ExitCode::from(128 + 15)),
        _ = hangup.recv() => Ok(ExitCode::from(128 + 1)),
    };
    if let Some(stage) = stage {
        stage.clear().await;
    }
    result
}

async fn play(ui: &Ui, command: &[OsString], folder: PathBuf, stage: &mut Option<Stage>) -> Result<ExitCode, Failure> {
    let stage = stage.insert(Stage::set(folder).await?);
    stage.start_containers().await?;
    // Others' containers are for people to pick, never for a command that does not name one.
    let engine = if command.is_empty() { Engine::find().await } else { Engine::Absent };
    if let Engine::Answers(socket, _) = &engine {
        stage.start_engine(socket).await?;
    }
    let access = stage.log_in().await?;
    let mut containers = both(&access).await.map_err(|failure| match stage.complaint() {
        Some(complaint) => failure.detail([complaint]),
        None => failure,
    })?;
    if !command.is_empty() {
        return in_the_first(ui, &access, &containers, command).await;
    }
    ui.note(&format!("a broker at {}, with a policy, a certificate authority and an audit journal of its own", stage.url()));
    ui.note(&match stage.why_plain() {
        None => format!("two containers of `{}`, each in its own user, mount, PID and UTS namespaces", container::APP),
        Some(why) => format!("two plain processes in place of containers: this kernel allows no namespaces here ({why})"),
    });
    match &engine {
        Engine::Absent => {}
        Engine::Closed(why) => ui.note(&format!("(this machine's Docker containers are not in the list: {why})")),
        Engine::Answers(_, running) => {
            containers = beside(&access, containers, *running).await?;
            ui.note("this machine's Docker containers, as they are, served by an agent that is in none of them");
        }
    }
    ui.note(&format!("logged in as {}, with tokens in memory", stage::USER));
    ui.note("");
    let rows: Vec<_> = containers.iter().collect();
    ui.table(&ls::table(&rows, access.api.http().clock().now(), false))?;
    ui.note("");
    let code = shell::enter(ui, &access, None, None, Entry::default(), &Terminal::default()).await;
    // A Ctrl-C in the picker ends the play here, before it has said what it will not show.
    let events = stage.audit().await?;
    ui.note("");
    ui.note("what the audit journal has of it (ztbroker audit):");
    ui.note("");
    events::print(ui, &events)?;
    ui.note("");
    ui.note("your own: ztbroker dev starts a broker, ztagent run puts a container into the list");
    code
}

/// `ztctl exec` in the first of the demo's own containers; of others there may be any number.
async fn in_the_first(
    ui: &Ui,
    access: &Access,
    containers: &[ContainerRow],
    command: &[OsString],
) -> Result<ExitCode, Failure> {
    let first = containers.iter().find(|row| is_ours(row)).ok_or_else(|| absent(0))?;
    let name = first.full_name.parse().map_err(|_| absent(1))?;
    exec::execute(ui, access, name, Entry::default(), command, exec::Streams::Process, &Terminal::default()).await
}

/// The list, once both containers are in it.
async fn both(access: &Access) -> Result<Vec<ContainerRow>, Failure> {
    let deadline = tokio::time::Instant::now() + APPEAR;
    loop {
        let list = access.api.containers().await.map_err(|error| Failure::of_api(error, &access.api))?;
        let ours = list.containers.iter().filter(|row| is_ours(row)).count();
        if ours >= stage::HOSTNAMES.len() {
            return Ok(list.containers);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(absent(ours));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The list with the engine's containers in it, if it has any; where it serves none of them, or is slow, that is waited for in vain.
async fn beside(access: &Access, mut rows: Vec<ContainerRow>, running: usize) -> Result<Vec<ContainerRow>, Failure> {
    let deadline = tokio::time::Instant::now() + BESIDE;
    while running > 0 && rows.iter().all(is_ours) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
        rows = access.api.containers().await.map_err(|error| Failure::of_api(error, &access.api))?.containers;
    }
    Ok(rows)
}

/// One of the demo's own two, whatever others call themselves.
fn is_ours(row: &ContainerRow) -> bool {
    row.runtime == "process" && row.app == container::APP
}

fn absent(ours: usize) -> Failure {
    let message = format!("{ours} of {} demo containers appeared within {} seconds", stage::HOSTNAMES.len(), APPEAR.as_secs());
    Failure::new(Kind::Failed, "demo", message)
}

/// How long the two containers may take to be in the list; they take milliseconds.
const APPEAR: Duration = Duration::from_secs(20);

/// How long the list waits for the engine's.
const BESIDE: Duration = Duration::from_secs(2);
