//! `ztctl ls`: the containers that the user may reach.

use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::{LsArgs, LsOutput};
use super::failure::{Failure, no_containers};
use super::table::{Column, Table};
use super::ui::Ui;
use crate::proto::api::{ContainerList, ContainerRow};

/// Asks for the list and prints it.
pub(super) async fn run(context: &mut Context, args: LsArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let ContainerList { mut containers } =
        access.api.containers().await.map_err(|error| Failure::of_api(error, &access.api))?;
    let all = containers.len();
    let words: Vec<String> = args.filter.iter().map(|word| word.to_lowercase()).collect();
    containers.retain(|row| matches(row, &words));
    match args.output {
        LsOutput::Json => context.ui.json(&ContainerList { containers })?,
        LsOutput::Name => {
            // One write: a list of thousands is one piece for a pipe.
            let names: Vec<&str> = containers.iter().map(|row| row.name.as_str()).collect();
            context.ui.lines(&names)?;
        }
        LsOutput::Table if !containers.is_empty() => print(&context.ui, &containers, access.api.http().clock().now())?,
        LsOutput::Table if all > 0 => context.ui.note(&format!("none of {all} containers matches: ztctl ls shows them all")),
        LsOutput::Table => {
            context.ui.note(&no_containers(access.user.as_deref()));
            context.ui.note("hint: ztctl status shows who you are and your groups");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the rows as a table that fits the terminal; `now` is for the ages.
pub(crate) fn print(ui: &Ui, containers: &[ContainerRow], now: u64) -> Result<(), Failure> {
    ui.table(&table(containers, now))
}

/// Whether each of the words, all in lower case, is somewhere in the row.
fn matches(row: &ContainerRow, words: &[String]) -> bool {
    let facts = &row.facts;
    let known = [&row.cluster, &row.namespace, &facts.owner, &facts.project, &facts.service, &facts.pod, &facts.node];
    let fields = [&row.name, &row.full_name, &row.app, &row.image, &row.location, &row.condition(), &row.agent];
    let fields: Vec<String> =
        fields.into_iter().chain(known.into_iter().flatten()).chain(&facts.ports).map(|field| field.to_lowercase()).collect();
    words.iter().all(|word| fields.iter().any(|field| field.contains(word)))
}

fn table(containers: &[ContainerRow], now: u64) -> Table {
    let mut table = Table::new([
        Column::whole("NAME"),
        Column::leave("APP", 8),
        Column::narrow("IMAGE", 10),
        Column::leave("WHERE", 10),
        Column::leave("STATE", 7),
        Column::whole("AGE"),
        Column::leave("AGENT", 8),
    ]);
    for row in containers {
        let age = age(now.saturating_sub(row.started_at));
        let image = image(&row.image);
        table.row([&row.name, &row.app, &image, &row.location, &row.condition(), &age, &row.agent].map(Clone::clone));
    }
    table
}

/// The image with its digest as short as engines show it; the whole of it is in `--output json`.
fn image(image: &str) -> String {
    match image.split_once("sha256:") {
        Some((name, digest)) if digest.len() == 64 && digest.is_ascii() => format!("{name}sha256:{}", &digest[..12]),
        _ => image.to_owned(),
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
        let text = table(&[row("tomcat-7f9", "tomcat:10"), row("tomcat-a01", "tomcat:10")], 1_000 + 7_300).render(None);
        assert_eq!(
            text,
            "NAME        APP     IMAGE      WHERE   STATE    AGE  AGENT\n\
             tomcat-7f9  tomcat  tomcat:10  node-1  running  2h   agent-1\n\
             tomcat-a01  tomcat  tomcat:10  node-1  running  2h   agent-1\n"
        );
    }

    #[test]
    fn words_are_looked_for_in_every_column() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(matches(&row("tomcat-7f9", "Registry/Tomcat:10"), &words("registry node-1")));
        assert!(!matches(&row("tomcat-7f9", "tomcat:10"), &words("tomcat node-2")));
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
