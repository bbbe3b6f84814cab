//! A container's first process: CMD starts before anything else, gets the signals, and its end is ours.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::agent::Agent;
use crate::agent::environment::Variables;
use crate::agent::reaper::{Orphans, Reaper};
use crate::job::has_foreground;

/// Runs `command` with the environment `base` and beside it what `agent` makes, if it makes anything. Nothing that goes wrong with the
/// agent touches the command, which has started before.
pub(super) fn supervise(command: &[OsString], base: &Variables, agent: impl FnOnce(Reaper) -> Option<Agent>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(126, &format!("cannot start: {error}")),
    };
    let code = runtime.block_on(supervised(command, base, agent));
    // A name look-up may hang in a thread of its own; nobody waits for it.
    runtime.shutdown_background();
    code
}

async fn supervised(command: &[OsString], base: &Variables, agent: impl FnOnce(Reaper) -> Option<Agent>) -> ExitCode {
    let Some((program, arguments)) = command.split_first() else { return complain(127, "no command is given") };
    let first = rustix::process::getpid() == Pid::INIT;
    if !first && let Err(error) = rustix::process::set_child_subreaper(Some(Pid::INIT)) {
        tracing::warn!("orphans of sessions cannot be waited for: {error}");
    }
    // The signals are ours before CMD exists: one that comes in between is passed on a moment later.
    let mut signals = match forwarded() {
        Ok(signals) => signals,
        Err(error) => return complain(126, &format!("cannot receive signals: {error}")),
    };
    let reaper = Reaper::new(Orphans::Reap);
    let mut child = Command::new(program);
    child.args(arguments).env_clear().envs(base);
    own_group(&mut child);
    let started = reaper.start(|| child.spawn().map(|child| child.id()));
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            return complain(code, &format!("cannot execute {}: {error}", program.to_string_lossy()));
        }
    };
    let shutdown = CancellationToken::new();
    // Our own copy stays until the end, whether there is an agent or not: without it nobody would wait for CMD.
    let serving = agent(reaper.clone()).map(|agent| tokio::spawn(agent.run(shutdown.clone())));
    let exit = loop {
        tokio::select! {
            exit = &mut child.exit => break exit,
            Some(signal) = signals.recv() => {
                reaper.while_there(child.pid, || {
                    let _ = kill_process(child.pid, signal);
                });
            }
        }
    };
    shutdown.cancel();
    if let Some(serving) = serving {
        let _ = tokio::time::timeout(LEAVE, serving).await;
    }
    drop(reaper);
    // Without a status there is no success either.
    ExitCode::from(exit.map_or(u8::MAX, crate::agent::reaper::Exit::code))
}

/// A task for each signal that CMD shall get. The queue holds one of each; more of the same kind say nothing new, as with signals.
fn forwarded() -> io::Result<mpsc::Receiver<Signal>> {
    let all = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2, Signal::WINCH, Signal::CONT];
    let (sender, receiver) = mpsc::channel(all.len());
    for forwarded in all {
        let mut stream = signal(SignalKind::from_raw(forwarded.as_raw()))?;
        let sender = sender.clone();
        tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(forwarded).await.is_ok() {} });
    }
    Ok(receiver)
}

/// CMD is a process group of its own, so that it gets each signal once: from the terminal or from us. Where we have the terminal's
/// foreground, it gets that.
fn own_group(child: &mut Command) {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !has_foreground(&stdin) {
        child.process_group(0);
        return;
    }
    // SAFETY: between fork and exec only system calls are made; nothing allocates and no lock is taken.
    unsafe {
        child.pre_exec(|| {
            rustix::process::setpgid(None, None)?;
            // Whoever is not in the foreground is stopped for this, unless it ignores the stop.
            libc::signal(libc::SIGTTOU, libc::SIG_IGN);
            let taken = rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpid());
            libc::signal(libc::SIGTTOU, libc::SIG_DFL);
            Ok(taken?)
        });
    }
}

fn complain(code: u8, message: &str) -> ExitCode {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(io::stderr(), "ztagent: {message}");
    ExitCode::from(code)
}

/// How long the agent may take to leave; a container's stop has its own limit, often of ten seconds.
const LEAVE: Duration = Duration::from_secs(1);
