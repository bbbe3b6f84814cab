//! `ztctl ls`: the containers that the user may reach.

use std::borrow::Cow;
use std::process::ExitCode;

use serde::Serialize;

use super::Context;
use super::access::Access;
use super::args::{LsArgs, LsOutput, SortKey};
use super::failure::{Failure, INCOMPLETE, no_containers};
use super::table::{Column, Table};
use crate::client::select::Selection;
use crate::proto::Textual;
use crate::proto::api::ContainerRow;

mod watch;

/// Asks for the list and prints it.
pub(super) async fn run(context: &mut Context, args: LsArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let LsArgs { filter, selector, namespace, sort, wide, watch: watching, output } = args;
    let words = filter.iter().map(|word| word.to_lowercase()).collect();
    let selection = Selection { words, selector: selector.unwrap_or_default(), namespace };
    let shown = Shown { selection, sort, wide };
    if watching {
        return watch::watch(&context.ui, &access, &shown).await;
    }
    let failure = |error| Failure::of_api(error, &access.api);
    let listing = access.api.listing().await.map_err(failure)?;
    let list = listing.read().map_err(failure)?;
    let (rows, all) = (rows(&list.containers, &shown), list.containers.len());
    match output {
        LsOutput::Json => context.ui.json(&Rows { containers: rows, incomplete: list.incomplete })?,
        LsOutput::Name => {
            // One write: a list of thousands is one piece for a pipe.
            let names: Vec<&str> = rows.iter().map(|row| row.name.as_ref()).collect();
            context.ui.lines(&names)?;
        }
        LsOutput::Table if !rows.is_empty() => context.ui.table(&table(&rows, access.api.http().clock().now(), wide))?,
        LsOutput::Table if all > 0 => {
            context.ui.note(&format!("none of {all} containers matches: ztctl ls shows them all"));
        }
        LsOutput::Table if list.incomplete => {}
        LsOutput::Table => {
            context.ui.note(&no_containers(access.user.as_deref()));
            context.ui.note("hint: ztctl status shows who you are and your groups");
        }
    }
    if list.incomplete {
        context.ui.note(INCOMPLETE);
    }
    // After the answer: nobody waits for it.
    access.remember(&list);
    Ok(ExitCode::SUCCESS)
}

/// What is shown, and in which order.
#[derive(Debug)]
struct Shown {
    selection: Selection,
    sort: SortKey,
    wide: bool,
}

/// A [`ContainerList`](crate::proto::api::ContainerList) of some.
#[derive(Serialize)]
struct Rows<'a, S> {
    containers: Vec<&'a ContainerRow<S>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}

fn rows<'a, S: Textual>(containers: &'a [ContainerRow<S>], shown: &Shown) -> Vec<&'a ContainerRow<S>> {
    let mut rows: Vec<&ContainerRow<S>> = containers.iter().filter(|row| shown.selection.fits(row)).collect();
    // The broker sorts by name, and what is equal here stays so.
    match shown.sort {
        SortKey::Name => {}
        SortKey::App => rows.sort_by(|a, b| a.app.cmp(&b.app)),
        SortKey::Age => rows.sort_by_key(|row| std::cmp::Reverse(row.started_at)),
        SortKey::Where => rows.sort_by(|a, b| a.location.cmp(&b.location)),
        SortKey::State => rows.sort_by_cached_key(|row| row.condition()),
    }
    rows
}

/// The rows for people; `now` is for the ages.
pub(crate) fn table<'a, S: Textual>(containers: &[&'a ContainerRow<S>], now: u64, wide: bool) -> Table<'a> {
    let mut columns = vec![
        Column::whole("NAME"),
        Column::leave("APP", 8),
        Column::narrow("IMAGE", 10),
        Column::leave("WHERE", 10),
        Column::leave("STATE", 7),
        Column::whole("AGE"),
        Column::leave("AGENT", 8),
    ];
    if wide {
        columns.extend(["OWNER", "NODE", "PORTS", "LABELS", "ID"].map(Column::whole));
    }
    let mut table = Table::new(columns);
    let names: Vec<&str> = containers.iter().map(|row| row.name.as_ref()).collect();
    for (row, unique) in containers.iter().zip(unique(&names)) {
        let age = age(now.saturating_sub(row.started_at));
        let texts = [&row.name, &row.app, &row.location, &row.agent].map(|text| Cow::Borrowed(text.as_ref()));
        let [name, app, location, agent] = texts;
        let cells = [name, app, image(row.image.as_ref()), location, row.condition(), age.into(), agent];
        table.marked_row(unique, cells.into_iter().chain(if wide { rest(row).to_vec() } else { Vec::new() }));
    }
    table
}

/// What only a wide table has.
fn rest<S: Textual>(row: &ContainerRow<S>) -> [Cow<'_, str>; 5] {
    // What nothing owns has the name that the engine knows it by.
    let owner = row.facts.owner.as_ref().or(row.facts.container.as_ref());
    let [owner, node] = [owner, row.facts.node.as_ref()].map(|fact| fact.map_or("", S::as_ref));
    let ports: Vec<&str> = row.facts.ports.iter().map(S::as_ref).collect();
    let labels: Vec<String> = row.labels.iter().map(|(key, value)| [key.as_ref(), value.as_ref()].join("=")).collect();
    [owner.into(), node.into(), ports.join(",").into(), labels.join(",").into(), row.id.to_string().into()]
}

/// How much of each name tells it from all others: what has to be typed.
fn unique(names: &[&str]) -> Vec<usize> {
    let mut sorted: Vec<(usize, &str)> = names.iter().copied().enumerate().collect();
    sorted.sort_by_key(|(_, name)| *name);
    let shared = |one: &str, other: &str| one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let mut lengths = vec![0; names.len()];
    for (at, (index, name)) in sorted.iter().enumerate() {
        let neighbours = [at.checked_sub(1), at.checked_add(1)].into_iter().flatten().filter_map(|at| sorted.get(at));
        let longest = neighbours.map(|(_, other)| shared(name, other)).max().unwrap_or(0);
        lengths[*index] = (longest + 1).min(name.len());
    }
    lengths
}

/// The image with its digest as short as engines show it; the whole of it is in `--output json`.
fn image(image: &str) -> Cow<'_, str> {
    match image.split_once("sha256:") {
        Some((_, digest)) if digest.len() == 64 && digest.is_ascii() => image[..image.len() - (64 - 12)].into(),
        _ => image.into(),
    }
}

/// An age in its largest unit: a person compares, a program reads `--output json`.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ContainerId;

    fn row(name: &str, image: &str) -> ContainerRow {
        ContainerRow {
            id: ContainerId::derived(&[name.as_bytes()]),
            name: name.into(),
            full_name: format!("{name}c01ab34de"),
            app: "tomcat".into(),
            image: image.into(),
            location: "node-1".into(),
            state: "running".into(),
            started_at: 1_000,
            agent: "agent-1".into(),
            ..ContainerRow::example("tomcat")
        }
    }

    #[test]
    fn the_columns_are_those_of_the_manual() {
        let text = table(&[&row("tomcat-7f9", "tomcat:10"), &row("tomcat-a01", "tomcat:10")], 1_000 + 7_300, false)
            .render(None, false);
        assert_eq!(
            text,
            "NAME        APP     IMAGE      WHERE   STATE    AGE  AGENT\n\
             tomcat-7f9  tomcat  tomcat:10  node-1  running  2h   agent-1\n\
             tomcat-a01  tomcat  tomcat:10  node-1  running  2h   agent-1\n"
        );
    }

    #[test]
    fn what_has_to_be_typed_is_marked() {
        assert_eq!(unique(&["tomcat-7f9", "web-1a0", "tomcat-7a0", "web-1a01"]), [9, 7, 9, 8]);
        assert_eq!(unique(&["only"]), [1]);
    }

    #[test]
    fn rows_come_in_the_order_that_was_asked_for() {
        let (young, old) = (
            ContainerRow { started_at: 5, ..row("b-1", "x") },
            ContainerRow { started_at: 2, location: "a".into(), ..row("a-1", "x") },
        );
        let names = |sort| {
            let shown = Shown { selection: Selection::default(), sort, wide: false };
            rows(&[old.clone(), young.clone()], &shown).into_iter().map(|row| row.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(SortKey::Name), ["a-1", "b-1"]);
        assert_eq!(names(SortKey::Age), ["b-1", "a-1"]);
        assert_eq!(names(SortKey::Where), ["a-1", "b-1"]);
    }

    #[test]
    fn a_digest_is_shown_by_its_beginning() {
        let digest = "0f".repeat(32);
        assert_eq!(image(&format!("r.example/web@sha256:{digest}")), "r.example/web@sha256:0f0f0f0f0f0f");
        assert_eq!(image(&format!("sha256:{digest}")), "sha256:0f0f0f0f0f0f");
        assert_eq!(image("web:sha256:é"), "web:sha256:é");
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!([0, 59, 60, 3_599, 86_399, 864_000].map(age), ["0s", "59s", "1m", "59m", "23h", "10d"]);
    }
}
