//! The picker: a list that one filters by typing. It never picks by itself, not even from one row.
//!
//! dialoguer draws it, within what dialoguer can: rows that differ in their text, fit the terminal counted in bytes, and
//! nothing selected beyond the first row at the start. This side sees to it that the terminal is as before, whatever
//! ends the dialogue.

use std::path::PathBuf;

use dialoguer::FuzzySelect;
use dialoguer::console::Term;
use dialoguer::theme::ColorfulTheme;

use super::failure::{Failure, Kind};
use crate::client::signals::{Signal, Signals};
use crate::client::terminal::raw::Raw;
use crate::client::terminal::tty::Use;
use crate::proto::api::ContainerRow;

mod rows;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picked {
    /// The row with this index.
    Row(usize),
    /// The person left, or a signal did: what to exit with.
    Left(u8),
}

/// Lets the person pick one of `containers`. `now` is for the ages, `program` is this program, for the guardian.
pub(crate) async fn pick(
    containers: &[ContainerRow],
    title: &str,
    now: u64,
    program: Option<PathBuf>,
) -> Result<Picked, Failure> {
    let mut signals =
        Signals::listen(&[Signal::Interrupt, Signal::Terminate, Signal::Hangup]).map_err(|error| broken(&error))?;
    let term = Term::stderr();
    let (_, width) = term.size();
    let rows = rows::of(containers, now, usize::from(width).saturating_sub(MARGIN));
    let prompt = prompt(title, usize::from(width));
    let raw = Raw::enter(program.as_deref(), Use::Dialogue).map_err(|error| broken(&error))?;
    // A thread of its own: reading a key blocks, and a signal must end the dialogue meanwhile. When one does, the thread
    // is left where it is: the process ends next.
    let dialogue = tokio::task::spawn_blocking(move || {
        let theme = ColorfulTheme::default();
        let select = FuzzySelect::with_theme(&theme).with_prompt(prompt).items(rows).default(0).report(false);
        select.interact_on_opt(&term)
    });
    let picked = tokio::select! {
        ended = dialogue => match ended {
            Ok(Ok(Some(index))) => Ok(Picked::Row(index)),
            Ok(Ok(None)) => Ok(Picked::Left(INTERRUPTED)),
            // Ctrl-C; a terminal that is gone has nobody to tell.
            Ok(Err(dialoguer::Error::IO(error))) if error.kind() == std::io::ErrorKind::Interrupted => Ok(Picked::Left(INTERRUPTED)),
            Ok(Err(dialoguer::Error::IO(error))) => Err(broken(&error)),
            Err(_) => Err(Failure::new(Kind::Failed, "picker", "the list could not be shown")),
        },
        signal = signals.next() => {
            raw.leave();
            return Ok(Picked::Left(128 + signal.number()));
        }
    };
    drop(raw);
    picked
}

/// The longest of the prompts that leaves room to type.
fn prompt(title: &str, width: usize) -> String {
    [": type to filter, arrows to move, Enter to open, Esc to leave", ": type to filter, Esc to leave", ""]
        .iter()
        .map(|help| format!("{title}{help}"))
        .find(|prompt| prompt.len() + ROOM_TO_TYPE <= width)
        .unwrap_or_default()
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, "terminal", format!("the list cannot be shown: {error}")).hint("ztctl shell NAME needs no list")
}

/// What dialoguer puts before a row, and a column that stays free so that no terminal wraps.
const MARGIN: usize = 3;

/// Cells of the prompt's line that are left for the filter and dialoguer's signs.
const ROOM_TO_TYPE: usize = 16;

const INTERRUPTED: u8 = 130;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_leaves_room_to_type() {
        assert!(prompt("Container", 120).contains("Enter to open"));
        assert_eq!(prompt("Container", 60), "Container: type to filter, Esc to leave");
        assert_eq!(prompt("Container", 30), "Container");
        assert_eq!(prompt("Container", 10), "");
    }
}
