//! The picker's rows: name, image, place and age in columns, ASCII only, none wider than the terminal, all different.

use std::collections::HashSet;

use crate::cli::ls::age;
use crate::proto::api::ContainerRow;

/// One row for each of `containers`, of at most `width` bytes.
pub(super) fn of(containers: &[ContainerRow], now: u64, width: usize) -> Vec<String> {
    let cells: Vec<[String; 4]> = containers.iter().map(|row| cells(row, now)).collect();
    let natural: [usize; 4] = std::array::from_fn(|column| cells.iter().map(|row| row[column].len()).max().unwrap_or(0));
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

fn cells(row: &ContainerRow, now: u64) -> [String; 4] {
    let image = if row.image.is_empty() { &row.app } else { &row.image };
    [ascii(&row.name), ascii(image), ascii(&row.location), age(now.saturating_sub(row.started_at))]
}

/// One byte a cell: dialoguer counts bytes where the terminal counts cells.
fn ascii(text: &str) -> String {
    text.chars().take(LONGEST).map(|character| if matches!(character, ' '..='~') { character } else { '?' }).collect()
}

/// The widths at which all columns fit into `limit`: image and place give way first, then the age, then the name.
fn fit(natural: [usize; 4], limit: usize) -> [usize; 4] {
    let mut widths = natural;
    let total = |widths: &[usize; 4]| {
        let shown = widths.iter().filter(|width| **width > 0);
        shown.clone().sum::<usize>() + GAP.len() * shown.count().saturating_sub(1)
    };
    while total(&widths) > limit {
        let [name, image, place, age] = widths;
        widths = match () {
            () if image.max(place) > LEAST && image >= place => [name, image - 1, place, age],
            () if image.max(place) > LEAST => [name, image, place - 1, age],
            () if place > 0 => [name, image, 0, age],
            () if age > 0 => [name, image, place, 0],
            () if image > 0 => [name, 0, place, age],
            () => return [limit, 0, 0, 0],
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

/// To this, image and place are narrowed before one of them is left out.
const LEAST: usize = 8;

/// More of a text than any terminal shows.
const LONGEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ContainerId;

    fn container(name: &str, image: &str, location: &str) -> ContainerRow {
        ContainerRow {
            id: ContainerId::derived(&[name.as_bytes(), image.as_bytes()]),
            name: name.into(),
            full_name: name.into(),
            image: image.into(),
            location: location.into(),
            started_at: 1000,
            ..ContainerRow::example("tomcat")
        }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let containers = [container("tomcat-7f9", "tomcat:10", "node-1"), container("db-01", "", "n2")];
        assert_eq!(
            of(&containers, 1000 + 7300, 100),
            ["tomcat-7f9  tomcat:10  node-1  2h", "db-01       tomcat     n2      2h"]
        );
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
