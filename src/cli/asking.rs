//! Asking for an approval, waiting for it, and answering those of others: `ztctl request`, `requests`, `approve`, `deny`; and the offer
//! to ask, where a session needs an approval and somebody is there.

use std::process::ExitCode;
use std::time::Duration;

use super::Context;
use super::access::Access;
use super::args::{ApproveArgs, DataOutput, DenyArgs, RequestArgs, RequestsArgs, RequestsVerb};
use super::failure::{Failure, Kind};
use super::ls::age;
use super::settings;
use super::step_up::{self, NotOpen};
use super::table::{Column, Table};
use super::ui::Ui;
use crate::client::api::ApiError;
use crate::client::session::{Request, Session, SessionError};
use crate::moment;
use crate::proto::asking::{NewRequest, RequestAnswer, RequestRow, RequestState};
use crate::proto::name::Login;
use crate::proto::{Action, Actions, ErrorBody, ErrorCode};

/// Makes a request and waits for the answer.
pub(super) async fn request(context: &mut Context, args: RequestArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let ui = &context.ui;
    let reason = match settings::reason(args.reason, &context.environment) {
        Some(reason) => reason,
        None if ui.asks() => ui.ask_line("why? ").await?,
        None => return Err(no_reason()),
    };
    let actions: Actions = args.actions.iter().copied().collect();
    let wish = NewRequest {
        name: args.name.clone(),
        container: None,
        replicas: args.replicas,
        login: args.user.unwrap_or_else(Login::container_default),
        actions: if actions.is_empty() { [Action::Shell].into_iter().collect() } else { actions },
        reason,
        seconds: args.lasts.as_secs(),
    };
    let mut row = access.api.make_request(&wish).await.map_err(|error| Failure::of_api(error, &access.api))?;
    if !args.no_wait {
        row = awaited(ui, &access, row).await?;
    }
    if args.output == DataOutput::Json {
        ui.json(&row)?;
    } else if args.no_wait && row.state == RequestState::Open {
        ui.note(&made(&row));
        ui.line(&row.id.to_string())?;
    } else {
        ui.note(&format!("go on with: ztctl {} {}", verb(&row.actions), args.name));
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists requests, or takes one back.
pub(super) async fn requests(context: &mut Context, args: RequestsArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let failure = |error| Failure::of_api(error, &access.api);
    let list = access.api.requests().await.map_err(failure)?;
    match args.verb {
        Some(RequestsVerb::Withdraw { id }) => {
            let row = meant(list.requests.iter().filter(|row| row.mine), &id)?;
            access.api.withdraw_request(row.id).await.map_err(failure)?;
            context.ui.note(&format!("request {} is withdrawn", row.id));
        }
        None if args.output == DataOutput::Json => context.ui.json(&list)?,
        None if list.requests.is_empty() => {
            context.ui.note("there is no request of yours, and none that you are asked to answer")
        }
        None => context.ui.table(&table(&list.requests, access.api.http().clock().now()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The broker's answer to an answer; whose request it is takes it back and does not answer it.
fn answered(row: &RequestRow, failure: Failure) -> Failure {
    match row.mine {
        false => failure,
        true => {
            Failure::new(failure.kind(), failure.code(), failure.message()).hint(format!("ztctl requests withdraw {}", row.id))
        }
    }
}

/// Says yes to somebody's request.
pub(super) async fn approve(context: &mut Context, args: ApproveArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let failure = |error| Failure::of_api(error, &access.api);
    let list = access.api.requests().await.map_err(failure)?;
    let row = meant(list.requests.iter(), &args.id)?;
    if !args.yes && row.answerable {
        if !context.ui.asks() {
            return Err(Failure::new(
                Kind::Usage,
                "no_terminal",
                "without a terminal nobody can be asked whether to approve it",
            )
            .hint(format!("ztctl approve {} --yes", args.id)));
        }
        described(row).iter().for_each(|line| context.ui.note(line));
        if !context.ui.ask("approve it? [y/N] ", false).await? {
            context.ui.note("nothing was answered");
            return Ok(ExitCode::FAILURE);
        }
    }
    let answer = RequestAnswer { approve: true, seconds: args.lasts.map(|length| length.as_secs()), reason: None };
    let row = access.api.answer_request(row.id, &answer).await.map_err(|error| answered(row, failure(error)))?;
    context.ui.note(&match row.until {
        Some(until) => format!(
            "approved: {} may {} as {} in {} until {} UTC",
            row.user,
            row.actions,
            row.login,
            row.container,
            moment::show(until)
        ),
        None => format!("approved by you; it waits for one more approval: by {}", missing(&row)),
    });
    Ok(ExitCode::SUCCESS)
}

/// Says no, or takes an approval back.
pub(super) async fn deny(context: &mut Context, args: DenyArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let failure = |error| Failure::of_api(error, &access.api);
    let list = access.api.requests().await.map_err(failure)?;
    let row = meant(list.requests.iter(), &args.id)?;
    let answer = RequestAnswer { approve: false, seconds: None, reason: args.reason };
    let row = access.api.answer_request(row.id, &answer).await.map_err(|error| answered(row, failure(error)))?;
    context.ui.note(&format!("request {} of {} is {}", row.id, row.user, row.state.as_str()));
    Ok(ExitCode::SUCCESS)
}

/// Opens a session. Where an approval is missing and a person is there, offers to ask for it, waits, and goes on by itself.
pub(super) async fn session(ui: &Ui, access: &Access, request: Request) -> Result<Session, NotOpen> {
    let error = match step_up::session(ui, access, request.clone()).await {
        Err(NotOpen::Session(error)) => error,
        opened => return opened,
    };
    let Some(body) = lacking(&error).filter(|_| ui.asks() && !request.break_glass) else {
        return Err(NotOpen::Session(error));
    };
    ui.note(&format!("ztctl: {}", body.message));
    if body.break_glass {
        ui.note("hint: in an emergency --break-glass --reason 'why' goes in at once, and raises an alarm");
    }
    if !ui.ask("ask for it now, and wait? [Y/n] ", true).await.map_err(NotOpen::Person)? {
        return Err(NotOpen::Session(error));
    }
    let reason = approved(ui, access, &request).await.map_err(NotOpen::Person)?;
    step_up::session(ui, access, Request { reason: Some(reason), ..request }).await
}

/// Asks for an approval of `request` and waits for it; the reason that was given.
async fn approved(ui: &Ui, access: &Access, request: &Request) -> Result<String, Failure> {
    let reason = match request.reason.clone() {
        Some(reason) => reason,
        None => ui.ask_line("why? ").await?,
    };
    let wish = NewRequest {
        name: request.as_typed.clone(),
        container: request.container,
        replicas: false,
        login: request.login.clone(),
        actions: request.actions,
        reason: reason.clone(),
        seconds: USUAL.as_secs(),
    };
    let row = access.api.make_request(&wish).await.map_err(|error| Failure::of_api(error, &access.api))?;
    awaited(ui, access, row).await?;
    Ok(reason)
}

/// The refusal, if an approval is all that is missing.
fn lacking(error: &SessionError) -> Option<&ErrorBody> {
    match error {
        SessionError::Api(ApiError::Refused(body)) if body.code == ErrorCode::ApprovalRequired => Some(body),
        _ => None,
    }
}

/// Waits until the request is answered, and says what came of it.
async fn awaited(ui: &Ui, access: &Access, mut row: RequestRow) -> Result<RequestRow, Failure> {
    if row.state == RequestState::Open {
        ui.note(&made(&row));
        ui.note("waiting for the answer; Ctrl-C leaves the request open");
    }
    let mut failed: u32 = 0;
    while row.state == RequestState::Open {
        let asked = tokio::select! {
            asked = access.api.await_request(row.id) => asked,
            _ = tokio::signal::ctrl_c() => {
                // The terminal has shown ^C and left the cursor behind it.
                ui.note("");
                ui.note(&format!("the request is open until {} UTC", moment::show(row.expires_at)));
                ui.note("hint: the same command again goes on waiting; ztctl requests shows how far it is");
                ui.note(&format!("hint: ztctl requests withdraw {}", shown(&row)));
                return Err(Failure::interrupted());
            }
        };
        match asked {
            Ok(now) => (row, failed) = (now, 0),
            // A broker that is restarted, or a network that changes, is no answer.
            Err(ApiError::Http(_)) if failed < PATIENCE => {
                failed += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(Failure::of_api(error, &access.api)),
        }
    }
    match (row.state, row.until) {
        (RequestState::Approved, Some(until)) => {
            ui.note(&format!("approved by {} until {} UTC", row.approved_by.join(" and "), moment::show(until)));
            Ok(row)
        }
        _ => Err(refused(&row)),
    }
}

fn refused(row: &RequestRow) -> Failure {
    let by = row.ended_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let why = row.ended_reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let message = match row.state {
        RequestState::Expired => "nobody answered the request in time".to_owned(),
        state => format!("the request was {}{by}{why}", state.as_str()),
    };
    Failure::new(Kind::NotAllowed, "not_approved", message).hint("talk to those who may approve, then ask again")
}

fn no_reason() -> Failure {
    Failure::new(Kind::Usage, "usage", "a request says why").hint("add --reason 'why'")
}

/// What was asked for and who can answer.
fn made(row: &RequestRow) -> String {
    format!(
        "request {}: an approval by a member of {} is needed; it is answered with: ztctl approve {}",
        shown(row),
        missing(row),
        shown(row)
    )
}

fn missing(row: &RequestRow) -> String {
    row.missing.iter().map(|groups| groups.replace(',', " or ")).collect::<Vec<_>>().join(", and of ")
}

/// What an approver reads before the answer.
fn described(row: &RequestRow) -> [String; 4] {
    [
        format!("{} asks for {} as {} in {} ({})", row.user, row.actions, row.login, row.container, row.place),
        format!("for: {}", row.scope),
        format!("for {} from the approval on", moment::length(row.seconds)),
        format!("why: {}", row.reason),
    ]
}

fn table(rows: &[RequestRow], now: u64) -> Table<'_> {
    let columns = [
        Column::whole("ID"),
        Column::whole("WHO"),
        Column::whole("CONTAINER"),
        Column::leave("AS", 7),
        Column::whole("MAY"),
        Column::whole("FOR"),
        Column::narrow("STATE", 26),
        Column::narrow("WHY", 12),
        Column::leave("SCOPE", 12),
    ];
    let mut table = Table::new(columns);
    for row in rows {
        table.row([
            shown(row),
            if row.mine { "you".to_owned() } else { row.user.clone() },
            row.container.clone(),
            row.login.to_string(),
            row.actions.to_string(),
            moment::length(row.seconds),
            state(row, now),
            row.reason.clone(),
            row.scope.clone(),
        ]);
    }
    table
}

fn state(row: &RequestRow, now: u64) -> String {
    match row.state {
        RequestState::Open if row.answerable => "waits for you".to_owned(),
        RequestState::Open => format!("waits for {}", missing(row)),
        RequestState::Approved => match row.until {
            Some(until) => format!("approved, ends in {}", age(until.saturating_sub(now))),
            None => "approved".to_owned(),
        },
        state => match row.ended_by.as_deref() {
            Some(by) if row.state != RequestState::Withdrawn => format!("{} by {by}", state.as_str()),
            _ => state.as_str().to_owned(),
        },
    }
}

/// The one request whose id begins with `typed`.
fn meant<'a>(rows: impl Iterator<Item = &'a RequestRow>, typed: &str) -> Result<&'a RequestRow, Failure> {
    // An unset variable of a script is no beginning of whichever is there.
    if typed.is_empty() {
        return Err(Failure::new(Kind::Usage, "usage", "the request's id is empty").hint("ztctl requests"));
    }
    let fits: Vec<&RequestRow> = rows.filter(|row| row.id.to_string().starts_with(typed)).collect();
    match fits.as_slice() {
        [only] => Ok(only),
        [] => Err(Failure::new(Kind::NotAllowed, "not_found", format!("there is no request {typed} that concerns you"))
            .hint("ztctl requests")),
        several => Err(Failure::new(Kind::Usage, "ambiguous", format!("{typed} begins {} requests", several.len()))
            .detail(several.iter().map(|row| format!("{} of {}", row.id, row.user)))),
    }
}

/// The verb that does the first of these.
fn verb(actions: &Actions) -> &'static str {
    match actions.iter().next() {
        Some(Action::Exec) => "exec",
        Some(Action::Logs) => "logs",
        Some(Action::Copy) => "cp",
        Some(Action::Forward) => "forward",
        _ => "shell",
    }
}

fn shown(row: &RequestRow) -> String {
    row.id.to_string().chars().take(SHOWN).collect()
}

/// Digits of an id: enough for any number of requests that a person has to do with.
const SHOWN: usize = 12;

/// What is asked for where nobody says how long.
pub(super) const USUAL: Duration = Duration::from_secs(3600);

/// How often in a row the broker may be out of reach, and the time between.
const PATIENCE: u32 = 60;
const PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
