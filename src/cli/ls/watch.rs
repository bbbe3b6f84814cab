//! `ztctl ls --watch`: the table, drawn anew where it stands. No mode of the terminal is changed, so that however it ends there is nothing
//! to put back.

use std::process::ExitCode;
use std::time::Duration;

use super::{Shown, rows};
use crate::cli::access::Access;
use crate::cli::failure::{Failure, INCOMPLETE, Kind};
use crate::cli::ui::Ui;
use crate::client::api::{ApiError, Listing};
use crate::client::signals::{Signal, Signals};

/// Draws until Ctrl-C.
pub(super) async fn watch(ui: &Ui, access: &Access, shown: &Shown) -> Result<ExitCode, Failure> {
    if !ui.has_screen() {
        return Err(Failure::new(Kind::Usage, "no_terminal", "--watch draws on a terminal, and standard output is none")
            .hint("ztctl ls --output json"));
    }
    // One listener for all of it: between two of them a Ctrl-C would be nobody's.
    let mut interrupt = Signals::listen(&[Signal::Interrupt]).map_err(Failure::runtime)?;
    tokio::select! {
        ended = draw(ui, access, shown) => ended,
        _ = interrupt.next() => Err(Failure::interrupted()),
    }
}

async fn draw(ui: &Ui, access: &Access, shown: &Shown) -> Result<ExitCode, Failure> {
    let (mut drawn, mut last) = (0, String::new());
    loop {
        let frame = access.api.listing().await.and_then(|listing| frame(ui, &listing, access.api.http().clock().now(), shown));
        let trouble = match frame {
            Ok((frame, incomplete)) => {
                last = frame;
                incomplete.then(|| INCOMPLETE.trim_start_matches("warning: ").to_owned())
            }
            // What was there last stays, until the broker is back.
            Err(error) => match Failure::of_api(error, &access.api) {
                failure if failure.kind() == Kind::NotLoggedIn => return Err(failure),
                failure => Some(failure.message().to_owned()),
            },
        };
        drawn = ui.redraw(drawn, &last, trouble.as_deref())?;
        tokio::time::sleep(EVERY).await;
    }
}

fn frame(ui: &Ui, listing: &Listing, now: u64, shown: &Shown) -> Result<(String, bool), ApiError> {
    let list = listing.read()?;
    let containers = rows(&list.containers, shown);
    let frame = match containers.is_empty() {
        true => format!("none of {} containers\n", list.containers.len()),
        false => ui.rendered(&super::table(&containers, now, shown.wide)),
    };
    Ok((frame, list.incomplete))
}

/// An agent tells the broker within a tenth of a second.
const EVERY: Duration = Duration::from_secs(1);
