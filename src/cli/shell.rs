//! `ztctl shell`: an interactive session in the container that was named or picked.
//!
//! It needs a terminal as standard input. Without one there is nobody to type, and `ztctl exec` is what is meant: the exit
//! status, the streams and the signals of a shell that is fed from a pipe would all be different from what they seem.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::{EntryArgs, ShellArgs};
use super::asking;
use super::failure::{Failure, INCOMPLETE, Kind};
use super::picker::{Picked, pick};
use super::settings::reason;
use super::step_up::NotOpen;
use super::successor;
use super::ui::Ui;
use crate::client::api::ApiError;
use crate::client::private::{self, Guard};
use crate::client::resolve::{Choice, Entry, candidates};
use crate::client::select::{Selection, Selector};
use crate::client::session::{Session, SessionError};
use crate::proto::ErrorCode;
use crate::proto::api::ContainerRow;
use crate::proto::name::Target;

pub(super) mod surroundings;

pub(crate) use surroundings::Terminal;

/// Opens the shell and leaves with its status.
pub(super) async fn run(context: &mut Context, args: ShellArgs) -> Result<ExitCode, Failure> {
    if args.name.is_some() && !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "no_terminal", "a shell needs a terminal, and standard input is none")
            .hint("ztctl exec NAME -- CMD runs a command without one"));
    }
    let access = Access::open(context).await?;
    let entry = context.entry(args.entry);
    let terminal = Terminal::of(context, args.session)?;
    enter(&context.ui, &access, args.name, args.selector.as_ref(), entry, &terminal).await
}

/// Opens the shell in the container of that name, or in one that is picked, and leaves with its status.
pub(crate) async fn enter(
    ui: &Ui,
    access: &Access,
    name: Option<Target>,
    selector: Option<&Selector>,
    entry: Entry,
    terminal: &Terminal,
) -> Result<ExitCode, Failure> {
    let word = name.as_ref().map(|name| name.as_str().to_owned());
    let choice = match name {
        Some(name) => Choice::typed(name),
        None => match from_all(ui, access, selector).await? {
            Chosen::Row(choice) => choice,
            Chosen::Left(code) => return Ok(code),
        },
    };
    let session = match open(ui, access, choice, &entry).await {
        Ok(session) => session,
        Err(NotOpen::Person(failure)) => return Err(failure),
        Err(NotOpen::Session(error)) => {
            let rows = match candidates(&error) {
                Some(rows) if ui.is_interactive() => rows.to_vec(),
                None if ui.is_interactive() && is_absent(&error) => holding(access, word).await,
                _ => Vec::new(),
            };
            if rows.is_empty() {
                return Err(Failure::session(*error, &access.api));
            }
            let choice = match one_of(access, &rows, "Several match").await? {
                Chosen::Row(choice) => choice,
                Chosen::Left(code) => return Ok(code),
            };
            open(ui, access, choice, &entry).await.map_err(|error| error.failure(access))?
        }
    };
    let terminal = terminal.told();
    match session.shell(terminal.surroundings()).await {
        Ok(exit) => Ok(ExitCode::from(exit.code())),
        Err(error) => Err(successor::failure(ui, access, error).await),
    }
}

enum Chosen {
    Row(Choice),
    Left(ExitCode),
}

async fn open(ui: &Ui, access: &Access, choice: Choice, entry: &Entry) -> Result<Session, NotOpen> {
    asking::session(ui, access, choice.shell(entry.clone())).await
}

fn is_absent(error: &SessionError) -> bool {
    matches!(error, SessionError::Api(ApiError::Refused(body)) if body.code == ErrorCode::NotFound)
}

/// The containers that have `word` somewhere in their row, for a person who did not type a name.
async fn holding(access: &Access, word: Option<String>) -> Vec<ContainerRow> {
    let Some(word) = word else { return Vec::new() };
    let selection = Selection { words: vec![word.to_lowercase()], ..Selection::default() };
    let list = access.api.containers().await.map(|list| list.containers).unwrap_or_default();
    list.into_iter().filter(|row| selection.fits(row)).collect()
}

/// One of all containers that the user may reach. It is asked for even when there is only one: a list of one changes.
async fn from_all(ui: &Ui, access: &Access, selector: Option<&Selector>) -> Result<Chosen, Failure> {
    let list = access.api.containers().await.map_err(|error| Failure::of_api(error, &access.api))?;
    access.remember(&list);
    if list.incomplete {
        ui.note(INCOMPLETE);
    }
    let mut list = list.containers;
    let all = list.len();
    if list.is_empty() {
        return Err(Failure::no_containers(access.user.as_deref()));
    }
    list.retain(|row| selector.is_none_or(|selector| selector.fits(row)));
    if list.is_empty() {
        let message = format!("none of {all} containers has these labels");
        return Err(Failure::new(Kind::NotAllowed, "not_found", message).hint("ztctl ls --wide shows them"));
    }
    if !ui.is_interactive() {
        return Err(Failure::new(Kind::Usage, "name_required", "without a terminal, the container must be named")
            .detail(list.iter().take(LISTED).map(|row| row.name.clone()))
            .hint("ztctl exec NAME -- CMD runs a command without a terminal"));
    }
    one_of(access, &list, "Container").await
}

async fn one_of(access: &Access, rows: &[ContainerRow], title: &str) -> Result<Chosen, Failure> {
    let mut rows = rows.to_vec();
    let remembered = access.picked.as_deref().and_then(|file| private::read(file, Guard::Trusted, REMEMBERED).ok()?);
    if let Some(at) = remembered.and_then(|name| rows.iter().position(|row| row.full_name.as_bytes() == name)) {
        rows[..=at].rotate_right(1);
    }
    match pick(&rows, title, access.api.http().clock().now(), surroundings::program()).await? {
        Picked::Left(code) => Ok(Chosen::Left(ExitCode::from(code))),
        Picked::Row(index) => match rows.get(index).map(|row| (row, Choice::picked(row))) {
            Some((row, Ok(choice))) => {
                if let Some(file) = &access.picked {
                    // To forget it is no loss.
                    let _ = private::write(file, Guard::Trusted, row.full_name.as_bytes());
                }
                Ok(Chosen::Row(choice))
            }
            _ => Err(Failure::session(SessionError::Reply("its name for a container is none"), &access.api)),
        },
    }
}

impl Context {
    /// How to enter, by what was said or the environment says.
    pub(super) fn entry(&self, args: EntryArgs) -> Entry {
        Entry { login: args.user, reason: reason(args.reason, &self.environment), break_glass: args.break_glass }
    }
}

/// The most names that an error lists: a screenful.
const LISTED: usize = 40;

/// The most bytes of the file that remembers a name.
const REMEMBERED: u64 = 256;
