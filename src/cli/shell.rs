//! `ztctl shell`: an interactive session in the container that was named or picked.
//!
//! It needs a terminal as standard input. Without one there is nobody to type, and `ztctl exec` is what is meant: the exit
//! status, the streams and the signals of a shell that is fed from a pipe would all be different from what they seem.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::{EntryArgs, ShellArgs};
use super::failure::{Failure, Kind};
use super::picker::{Picked, pick};
use super::successor;
use super::ui::Ui;
use crate::client::resolve::{Choice, Entry, candidates};
use crate::client::session::shell::Surroundings;
use crate::client::session::{Session, SessionError};
use crate::proto::api::ContainerRow;
use crate::proto::name::Target;
use crate::ssh::Authorities;

pub(super) mod surroundings;

/// Opens the shell and leaves with its status.
pub(super) async fn run(context: &mut Context, args: ShellArgs) -> Result<ExitCode, Failure> {
    if args.name.is_some() && !io::stdin().is_terminal() {
        return Err(Failure::new(Kind::Usage, "no_terminal", "a shell needs a terminal, and standard input is none")
            .hint("ztctl exec NAME -- CMD runs a command without one"));
    }
    let access = Access::open(context).await?;
    enter(&context.ui, &access, args.name, args.entry.into()).await
}

/// Opens the shell in the container of that name, or in one that is picked, and leaves with its status.
pub(crate) async fn enter(ui: &Ui, access: &Access, name: Option<Target>, entry: Entry) -> Result<ExitCode, Failure> {
    let choice = match name {
        Some(name) => Choice::typed(name),
        None => match from_all(ui, access).await? {
            Chosen::Row(choice) => choice,
            Chosen::Left(code) => return Ok(code),
        },
    };
    let session = match open(access, choice, &entry).await {
        Ok(session) => session,
        Err(error) => match candidates(&error) {
            Some(rows) if ui.is_interactive() && !rows.is_empty() => {
                let choice = match one_of(access, rows, "Several match").await? {
                    Chosen::Row(choice) => choice,
                    Chosen::Left(code) => return Ok(code),
                };
                open(access, choice, &entry).await.map_err(|error| Failure::session(error, &access.api))?
            }
            _ => return Err(Failure::session(error, &access.api)),
        },
    };
    let (term, environment) = surroundings::of_shell();
    let program = surroundings::program();
    let surroundings = Surroundings { term: &term, environment: &environment, program: program.as_deref() };
    match session.shell(surroundings).await {
        Ok(exit) => Ok(ExitCode::from(exit.code())),
        Err(error) => Err(successor::failure(ui, access, error).await),
    }
}

enum Chosen {
    Row(Choice),
    Left(ExitCode),
}

async fn open(access: &Access, choice: Choice, entry: &Entry) -> Result<Session, SessionError> {
    Session::open(&access.api, hosts(access)?, access.api.http().clock().clone(), choice.shell(entry.clone())).await
}

/// The pinned authorities that vouch for containers.
pub(super) fn hosts(access: &Access) -> Result<Authorities, SessionError> {
    Authorities::of_hosts(&access.ca).map_err(|_| SessionError::Reply("the pinned authorities cannot be read"))
}

/// One of all containers that the user may reach. It is asked for even when there is only one: a list of one changes.
async fn from_all(ui: &Ui, access: &Access) -> Result<Chosen, Failure> {
    let list = access.api.containers().await.map_err(|error| Failure::of_api(error, &access.api))?.containers;
    if list.is_empty() {
        return Err(Failure::no_containers(access.user.as_deref()));
    }
    if !ui.is_interactive() {
        return Err(Failure::new(Kind::Usage, "name_required", "without a terminal, the container must be named")
            .detail(list.iter().take(LISTED).map(|row| row.name.clone()))
            .hint("ztctl exec NAME -- CMD runs a command without a terminal"));
    }
    one_of(access, &list, "Container").await
}

async fn one_of(access: &Access, rows: &[ContainerRow], title: &str) -> Result<Chosen, Failure> {
    match pick(rows, title, access.api.http().clock().now(), surroundings::program()).await? {
        Picked::Left(code) => Ok(Chosen::Left(ExitCode::from(code))),
        Picked::Row(index) => match rows.get(index).map(Choice::picked) {
            Some(Ok(choice)) => Ok(Chosen::Row(choice)),
            _ => Err(Failure::session(SessionError::Reply("its name for a container is none"), &access.api)),
        },
    }
}

impl From<EntryArgs> for Entry {
    fn from(args: EntryArgs) -> Self {
        Self { login: args.user, reason: args.reason }
    }
}

/// The most names that an error lists: a screenful.
const LISTED: usize = 40;
