//! The picker's rows: name, app, place, age and labels in columns, ASCII only, none wider than the terminal, all different.

use std::collections::HashSet;

use crate::cli::ls::age;
use crate::proto::api::ContainerRow;

/// How many columns there are: name, what it is a replica of, where, age, labels.
const COLUMNS: usize = 5;

/// One row for each of `containers`, of at most `width` bytes.
pub(super) fn of(containers: &[ContainerRow], now: u64, width: usize) -> Vec<String> {
    let cells: Vec<[String; COLUMNS]> = containers.iter().map(|row| cells(row, now)).collect();
    let natural: [usize; COLUMNS] = std::array::from_fn(|column| cells.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let widths = fit(natural, width);
    let mut seen = HashSet::new();
    let mut rows = Vec::with_capacity(cells.len());
    for row in &cells {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            if width == 0 {
                continue;
            }
            let cell = if column == 0 { cut_name(cell, width) } else { cut(cell, width) };
            line += &format!("{cell:width$}{GAP}");
        }
        line.truncate(line.trim_end().len());
        // Names are unique by the broker's word; dialoguer would answer with another row if they were not.
        let mut number = 2;
        let unique = line.clone();
        while !seen.insert(line.clone()) {
            let mark = format!(" #{number}");
            line = cut(&unique, width.saturating_sub(mark.len())) + &mark;
            number += 1;
        }
        rows.push(line);
    }
    rows
}

fn cells(row: &ContainerRow, now: u64) -> [String; COLUMNS] {
    let age = age(now.saturating_sub(row.started_at));
    [ascii(&row.name), ascii(&row.app), ascii(&row.location), age, ascii(&labels(row))]
}

/// The labels, those that people write before those that tools do, which have a domain in their names.
fn labels(row: &ContainerRow) -> String {
    let is_tools = |key: &str| key.contains(['.', '/']);
    let (tools, people): (Vec<_>, Vec<_>) = row.labels.iter().partition(|(key, _)| is_tools(key));
    // The app has a column of its own.
    let told = people.into_iter().filter(|(_, value)| **value != row.app).chain(tools);
    told.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// One byte a cell: dialoguer counts bytes where the terminal counts cells.
fn ascii(text: &str) -> String {
    text.chars().take(LONGEST).map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect()
}

/// The widths at which all columns fit into `limit`: labels give way first, then app and place, then the age, then the name.
fn fit(natural: [usize; COLUMNS], limit: usize) -> [usize; COLUMNS] {
    let mut widths = natural;
    let total = |widths: &[usize; COLUMNS]| {
        let shown = widths.iter().filter(|width| **width > 0);
        shown.clone().sum::<usize>() + GAP.len() * shown.count().saturating_sub(1)
    };
    while total(&widths) > limit {
        let [name, app, place, age, labels] = widths;
        widths = match () {
            () if labels > LEAST => [name, app, place, age, labels - 1],
            () if labels > 0 => [name, app, place, age, 0],
            () if app.max(place) > LEAST && app >= place => [name, app - 1, place, age, 0],
            () if app.max(place) > LEAST => [name, app, place - 1, age, 0],
            () if place > 0 => [name, app, 0, age, 0],
            () if age > 0 => [name, app, place, 0, 0],
            () if app > 0 => [name, 0, place, age, 0],
            () => return [limit, 0, 0, 0, 0],
        };
    }
    widths
}

fn cut(text: &str, width: usize) -> String {
    // All is ASCII here: every byte is a character.
    if text.len() <= width { text.to_owned() } else { format!("{}~", &text[..width.saturating_sub(1)]) }
}

/// A name keeps its end, which is what makes it unique: `very-long-app-7f9` becomes `very-~-7f9`.
fn cut_name(name: &str, width: usize) -> String {
    if name.len() <= width {
        return name.to_owned();
    }
    let end = name.rfind('-').map_or("", |dash| &name[dash..]);
    match width.checked_sub(end.len() + 1) {
        Some(room) => format!("{}~{end}", &name[..room]),
        None => cut(name, width),
    }
}

const GAP: &str = "  ";

/// To this, labels, app and place are narrowed before one of them is left out.
const LEAST: usize = 8;

/// More of a text than any terminal shows.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ContainerId;

    fn container(name: &str, app: &str, location: &str) -> ContainerRow {
        ContainerRow {
            id: ContainerId::derived(&[name.as_bytes(), app.as_bytes()]),
            name: name.into(),
            full_name: name.into(),
            app: app.into(),
            location: location.into(),
            started_at: 1000,
            ..ContainerRow::example("tomcat")
        }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut containers = [container("tomcat-7f9", "tomcat", "node-1"), container("db-01", "db", "n2")];
        let labels = [("team", "shop"), ("com.example.built", "yes"), ("app", "tomcat")];
        containers[0].labels = labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        assert_eq!(
            of(&containers, 1000 + 7300, 100),
            ["tomcat-7f9  tomcat  node-1  2h  team=shop,com.example.built=yes", "db-01       db      n2      2h"]
        );
        assert_eq!(of(&containers, 1000 + 7300, 50)[0], "tomcat-7f9  tomcat  node-1  2h  team=shop,com.exa~");
    }

    #[test]
    fn every_width_is_kept_and_every_row_is_its_own() {
        let containers = [
            container(
                "a-very-long-application-name-7f9",
                "registry.example.com/team/tomcat:10.1.33-jdk21",
                "cluster-1/namespace",
            ),
            container(
                "a-very-long-application-name-7fa",
                "registry.example.com/team/tomcat:10.1.33-jdk21",
                "cluster-1/namespace",
            ),
            container("w\u{fc}rst-\u{1b}[31m", "\u{1f680}\u{1f680}", "\u{202e}evil"),
        ];
        for width in 14..150 {
            let rows = of(&containers, 5000, width);
            assert!(
                rows.iter().all(|row| row.len() <= width && row.bytes().all(|byte| matches!(byte, b' '..=b'~'))),
                "{width}: {rows:?}"
            );
            assert_eq!(rows.iter().collect::<HashSet<_>>().len(), rows.len(), "{width}: {rows:?}");
        }
        assert!(of(&containers, 5000, 20)[1].ends_with("~-7fa"));
        assert_eq!(of(&containers, 5000, 0).len(), 3, "a terminal without a width must not end it");
    }

    #[test]
    fn equal_names_are_told_apart() {
        let containers = [container("web-1", "a", "b"), container("web-1", "a", "b"), container("web-1", "a", "b")];
        let rows = of(&containers, 5000, 40);
        assert_eq!(rows, ["web-1  a  b  1h", "web-1  a  b  1h #2", "web-1  a  b  1h #3"]);
    }
}
