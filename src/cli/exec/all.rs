//! `ztctl exec --all`: one command in every container that is chosen, some at a time, each line with the name before it.
//!
//! What it will run on is shown before anything runs, and a person is asked; a program says `--yes`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};

use crate::cli::Context;
use crate::cli::access::Access;
use crate::cli::failure::{Failure, Kind};
use crate::cli::shell::surroundings;
use crate::cli::step_up;
use crate::cli::ui::Ui;
use crate::client::resolve::{Choice, Entry};
use crate::client::select::Selector;
use crate::client::session::Request;
use crate::client::session::ending::Exit;
use crate::client::session::environment::Environment;
use crate::client::session::gather::Piece;
use crate::proto::api::ContainerRow;
use crate::proto::command::quote;

/// What is to run, and where.
#[derive(Debug)]
pub(super) struct Task {
    /// On all of these; without it, on all that there are.
    pub(super) selector: Option<Selector>,
    /// How to enter each.
    pub(super) entry: Entry,
    /// The variables without which it is not to run.
    pub(super) variables: Vec<(String, String)>,
    /// The command and its arguments.
    pub(super) command: Vec<OsString>,
    /// How many at a time.
    pub(super) parallel: usize,
    /// Whether nobody is asked.
    pub(super) yes: bool,
}

/// The list, once nothing is missing that may yet come: who means all does not mean some.
async fn whole_list(ui: &Ui, access: &Access) -> Result<Vec<ContainerRow>, Failure> {
    let mut told = false;
    loop {
        let list = access.api.containers().await.map_err(|error| Failure::of_api(error, &access.api))?;
        if !list.incomplete {
            return Ok(list.containers);
        }
        if !std::mem::replace(&mut told, true) {
            ui.note("the broker has just started: waiting for half a minute at most until every agent is back");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Shows, asks, runs, and leaves with 0 when every command did.
pub(super) async fn run(context: &Context, access: &Access, task: Task) -> Result<ExitCode, Failure> {
    let ui = &context.ui;
    let mut rows = whole_list(ui, access).await?;
    rows.retain(|row| task.selector.as_ref().is_none_or(|selector| selector.fits(row)));
    if rows.is_empty() {
        return Err(Failure::new(Kind::NotAllowed, "not_found", "there is no such container")
            .hint("ztctl ls shows them, and ztctl ls --wide their labels"));
    }
    let several = if rows.len() == 1 { "1 container".to_owned() } else { format!("{} containers", rows.len()) };
    ui.note(&format!("this runs in {several}:"));
    for name in names(&rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>()) {
        ui.note(&name);
    }
    if !task.yes {
        if !ui.is_interactive() {
            return Err(Failure::new(Kind::Usage, "yes_required", "without a terminal nobody can be asked whether to do that")
                .hint("add --yes"));
        }
        if !ui.ask("run it? [y/N] ", false).await? {
            return Err(Failure::interrupted());
        }
    }

    let wire = quote(task.command.iter().map(|word| word.as_encoded_bytes()));
    let (pieces, printing) = print(rows.iter().map(|row| row.name.clone()).collect());
    let usual = surroundings::of_command();
    let environment = Environment { usual: &usual, demanded: &task.variables };
    let requests: Vec<Request> = rows
        .iter()
        .map(|row| Ok(Choice::picked(row).map_err(|_| bad_name(access))?.exec(task.entry.clone(), wire.clone())))
        .collect::<Result<_, Failure>>()?;
    let given_up = tokio::sync::Mutex::new(false);
    let work = requests.into_iter().enumerate().map(|(index, request)| {
        let (pieces, wire, given_up) = (pieces.clone(), wire.clone(), &given_up);
        async move {
            let ended = async {
                let take = async |piece| pieces.send(Said::Piece(index, piece)).is_ok();
                let quiet = async || {
                    let ((done, printed), (asked, go_on)) = (oneshot::channel(), oneshot::channel());
                    let _ = pieces.send(Said::Quiet(done, go_on));
                    let _ = printed.await;
                    asked
                };
                let session = step_up::one_of_many(ui, access, given_up, quiet, request).await;
                let session = session.map_err(|error| error.failure(access))?;
                session.gather(wire, environment, take).await.map_err(|error| Failure::session(error, &access.api))
            }
            .await;
            let _ = pieces.send(Said::End(index));
            (index, ended)
        }
    });
    let mut outcomes: Vec<Option<Result<Exit, Failure>>> = rows.iter().map(|_| None).collect();
    let mut running = stream::iter(work).buffer_unordered(task.parallel);
    loop {
        tokio::select! {
            ended = running.next() => match ended {
                Some((index, ended)) => outcomes[index] = Some(ended),
                None => break,
            },
            _ = tokio::signal::ctrl_c() => {
                let ended = outcomes.iter().flatten().count();
                ui.note(&format!("interrupted: {ended} of {} had ended", rows.len()));
                // To drop the sessions is to hang up: their processes end with them.
                return Err(Failure::interrupted());
            }
        }
    }
    drop(running);
    drop(pieces);
    let printed = printing.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
    let summary = Summary::of(rows.iter().map(|row| row.name.as_str()).zip(outcomes));
    for line in summary.lines() {
        ui.note(&line);
    }
    printed.map_err(Failure::output)?;
    Ok(ExitCode::from(summary.code()))
}

fn bad_name(access: &Access) -> Failure {
    let error = crate::client::session::SessionError::Reply("its name for a container is none");
    Failure::session(error, &access.api)
}

/// The names, some on each line, and how many more there are.
fn names(all: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = all
        .iter()
        .take(SHOWN)
        .collect::<Vec<_>>()
        .chunks(4)
        .map(|names| format!("  {}", names.iter().map(|name| (**name).to_owned()).collect::<Vec<_>>().join("  ")))
        .collect();
    if all.len() > SHOWN {
        lines.push(format!("  and {} more: ztctl ls with the same -l shows them all", all.len() - SHOWN));
    }
    lines
}

/// Something from the container with this index.
enum Said {
    Piece(usize, Piece),
    End(usize),
    /// From nobody: a person is to be asked. The one is told when what came before is printed, and nothing more is until the other tells.
    Quiet(oneshot::Sender<()>, oneshot::Receiver<Never>),
}

/// What is never sent.
enum Never {}

/// Prints what comes, in whole lines; a thread of its own, because a terminal, a pipe or a person who is asked may take their time. How much may
/// wait for it is each session's to say: one that is left waiting keeps its link alive.
fn print(names: Vec<String>) -> (mpsc::UnboundedSender<Said>, tokio::task::JoinHandle<io::Result<()>>) {
    let (pieces, mut said) = mpsc::unbounded_channel::<Said>();
    let printing = tokio::task::spawn_blocking(move || {
        let width = names.iter().map(String::len).max().unwrap_or(0);
        let mut lines = Lines { names, width, begun: HashMap::new() };
        while let Some(said) = said.blocking_recv() {
            match said {
                Said::Piece(index, piece) => lines.add(index, piece.errors, &piece.bytes)?,
                Said::End(index) => lines.end(index)?,
                Said::Quiet(done, go_on) => {
                    let _ = done.send(());
                    // What tells is its end.
                    let _ = go_on.blocking_recv();
                }
            }
        }
        Ok(())
    });
    (pieces, printing)
}

/// The lines that have begun.
struct Lines {
    names: Vec<String>,
    width: usize,
    begun: HashMap<(usize, bool), Vec<u8>>,
}

impl Lines {
    fn add(&mut self, index: usize, errors: bool, bytes: &[u8]) -> io::Result<()> {
        let mut begun = self.begun.remove(&(index, errors)).unwrap_or_default();
        let mut out = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            begun.extend_from_slice(part);
            if begun.ends_with(b"\n") || begun.len() >= LONGEST {
                self.line(index, &mut begun, &mut out);
            }
        }
        if !begun.is_empty() {
            self.begun.insert((index, errors), begun);
        }
        write(errors, &out)
    }

    fn end(&mut self, index: usize) -> io::Result<()> {
        for errors in [false, true] {
            if let Some(mut begun) = self.begun.remove(&(index, errors)) {
                let mut out = Vec::new();
                self.line(index, &mut begun, &mut out);
                write(errors, &out)?;
            }
        }
        Ok(())
    }

    fn line(&self, index: usize, begun: &mut Vec<u8>, out: &mut Vec<u8>) {
        let name = self.names.get(index).map_or("", String::as_str);
        out.extend_from_slice(format!("{name:width$} | ", width = self.width).as_bytes());
        out.append(begun);
        if !out.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
}

fn write(errors: bool, bytes: &[u8]) -> io::Result<()> {
    if errors {
        // Nobody has to read the errors.
        let _ = io::stderr().write_all(bytes);
        return Ok(());
    }
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// How it went.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    well: usize,
    /// Those whose command did not end with 0: the name, and how it ended.
    failed: Vec<(String, String)>,
    /// Those in which it did not run to its end: the name, and why.
    lost: Vec<(String, String)>,
}

impl Summary {
    fn of<'a>(outcomes: impl Iterator<Item = (&'a str, Option<Result<Exit, Failure>>)>) -> Self {
        let mut summary = Self { well: 0, failed: Vec::new(), lost: Vec::new() };
        for (name, outcome) in outcomes {
            let name = name.to_owned();
            match outcome {
                Some(Ok(Exit::Status(0))) => summary.well += 1,
                Some(Ok(Exit::Status(status))) => summary.failed.push((name, format!("status {status}"))),
                Some(Ok(Exit::Signal(signal))) => summary.failed.push((name, format!("SIG{signal}"))),
                Some(Ok(Exit::Local(_) | Exit::Left)) => summary.lost.push((name, "stopped from here".to_owned())),
                Some(Err(failure)) => summary.lost.push((name, failure.message().to_owned())),
                None => summary.lost.push((name, "it has no result".to_owned())),
            }
        }
        summary
    }

    fn lines(&self) -> Vec<String> {
        let all = self.well + self.failed.len() + self.lost.len();
        let mut lines = vec![format!("{} of {all} ended with status 0", self.well)];
        lines.extend(self.failed.iter().map(|(name, how)| format!("  {name}: {how}")));
        lines.extend(self.lost.iter().map(|(name, why)| format!("  {name}: not run to its end: {why}")));
        lines
    }

    /// 0 when all ended with 0, 1 when one did not, 255 when one could not be run.
    fn code(&self) -> u8 {
        match (self.lost.is_empty(), self.failed.is_empty()) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 255,
        }
    }
}

/// How many names are shown before it is asked.
const SHOWN: usize = 60;

/// The longest line that is printed in one; a longer one is cut into several.
const LONGEST: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_each_that_failed_and_the_status_tells_which_kind() {
        let exit = |status| Some(Ok(Exit::Status(status)));
        let summary = Summary::of([("a-1", exit(0)), ("b-2", exit(3))].into_iter());
        assert_eq!((summary.lines().join("\n").as_str(), summary.code()), ("1 of 2 ended with status 0\n  b-2: status 3", 1));
        let lost = Some(Err(Failure::new(Kind::NotAllowed, "x", "you may not")));
        let summary = Summary::of([("a-1", exit(0)), ("b-2", lost)].into_iter());
        assert_eq!(summary.lines()[1], "  b-2: not run to its end: you may not");
        assert_eq!((summary.code(), Summary::of([("a", exit(0))].into_iter()).code()), (255, 0));
    }

    #[test]
    fn lines_are_whole_and_carry_their_name() {
        let lines = Lines { names: vec!["a-1".into(), "long-2".into()], width: 6, begun: HashMap::new() };
        let (mut begun, mut out) = (b"one".to_vec(), Vec::new());
        lines.line(0, &mut begun, &mut out);
        begun.extend_from_slice(b"two\n");
        lines.line(1, &mut begun, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a-1    | one\nlong-2 | two\n");
    }

    #[test]
    fn many_names_are_cut() {
        let all: Vec<String> = (0..70).map(|number| format!("web-{number}")).collect();
        let lines = names(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((lines.len(), lines[15].as_str()), (16, "  and 10 more: ztctl ls with the same -l shows them all"));
    }
}
