//! Tables for people: columns as wide as they need, narrowed to the terminal, with nothing in them that a terminal acts on.

use std::borrow::Cow;

use dialoguer::console::{measure_text_width, truncate_str};

use crate::harmless::harmless;

/// A table with a row of titles.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    columns: Vec<Column>,
    /// One row after the other, each with a cell for each column.
    cells: Vec<Cow<'a, str>>,
    /// How many letters of each row's first cell stand out.
    marks: Vec<usize>,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    fit: Fit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Whole,
    Narrow(usize),
    Leave(usize),
}

impl Column {
    /// A column that is always shown whole: what one copies.
    pub fn whole(title: &'static str) -> Self {
        Self { title, fit: Fit::Whole }
    }

    /// A column whose cells may be cut to `least` cells of the terminal.
    pub fn narrow(title: &'static str, least: usize) -> Self {
        Self { title, fit: Fit::Narrow(least) }
    }

    /// As [`Column::narrow`], and left out where there is no room even for that; the last of such first.
    pub fn leave(title: &'static str, least: usize) -> Self {
        Self { title, fit: Fit::Leave(least) }
    }

    fn least(self, natural: usize) -> usize {
        match self.fit {
            Fit::Whole => natural,
            Fit::Narrow(least) | Fit::Leave(least) => natural.min(least),
        }
    }
}

impl<'a> Table<'a> {
    /// An empty table.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), cells: Vec::new(), marks: Vec::new() }
    }

    /// Adds a row: one text a column; missing ones are empty.
    pub fn row<T: Into<Cow<'a, str>>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.marked_row(0, cells);
    }

    /// Adds a row, of whose first cell so many letters stand out where there is colour.
    pub fn marked_row<T: Into<Cow<'a, str>>>(&mut self, mark: usize, cells: impl IntoIterator<Item = T>) {
        self.marks.push(mark);
        self.cells.extend(cells.into_iter().map(|cell| made_harmless(cell.into())).take(self.columns.len()));
        self.cells.resize(self.marks.len() * self.columns.len(), Cow::Borrowed(""));
    }

    fn rows(&self) -> impl Iterator<Item = &[Cow<'a, str>]> {
        self.cells.chunks(self.columns.len().max(1))
    }

    /// The table as lines of at most `width` cells, or as wide as it needs where nobody's terminal is the limit.
    pub fn render(&self, width: Option<usize>, colour: bool) -> String {
        let widths = self.widths(width);
        let titles: Vec<Cow<'a, str>> = self.columns.iter().map(|column| column.title.into()).collect();
        let line = widths.iter().flatten().map(|width| width + GAP).sum::<usize>();
        let mut text = String::with_capacity(line * (self.marks.len() + 1));
        let marks = std::iter::once(0).chain(self.marks.iter().copied());
        for (row, mark) in std::iter::once(titles.as_slice()).chain(self.rows()).zip(marks) {
            let begin = text.len();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let Some(width) = *width else { continue };
                let cell = cut(cell, width);
                match cell.split_at_checked(mark).filter(|_| colour && index == 0 && mark > 0) {
                    Some((marked, rest)) => text.extend(["\x1b[1m", marked, "\x1b[0m", rest]),
                    None => text += &cell,
                }
                text.extend(std::iter::repeat_n(' ', (width + GAP).saturating_sub(width_of(&cell))));
            }
            text.truncate(begin + text[begin..].trim_end().len());
            text.push('\n');
        }
        text
    }

    /// The width of each column, `None` for those that are left out.
    fn widths(&self, limit: Option<usize>) -> Vec<Option<usize>> {
        let natural = |index: usize| {
            let cells = self.rows().filter_map(|row| row.get(index)).map(|cell| width_of(cell));
            cells.chain(self.columns.get(index).map(|column| column.title.len())).max().unwrap_or(0)
        };
        let naturals: Vec<usize> = (0..self.columns.len()).map(natural).collect();
        let mut widths: Vec<Option<usize>> = naturals.iter().copied().map(Some).collect();
        let Some(limit) = limit else { return widths };
        let least: Vec<usize> = self.columns.iter().zip(&naturals).map(|(column, natural)| column.least(*natural)).collect();
        let total = |widths: &[Option<usize>]| {
            let shown = widths.iter().flatten();
            shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
        };
        let smallest = |widths: &[Option<usize>]| -> Vec<Option<usize>> {
            widths.iter().zip(&least).map(|(width, least)| width.map(|_| *least)).collect()
        };
        while total(&smallest(&widths)) > limit {
            let last = self
                .columns
                .iter()
                .zip(&widths)
                .rposition(|(column, width)| matches!(column.fit, Fit::Leave(_)) && width.is_some());
            match last {
                Some(index) => widths[index] = None,
                // Narrower than the least: the terminal wraps, which loses nothing.
                None => return smallest(&widths),
            }
        }
        // One cell at a time from the widest that may still give one: the long ones come down to the others, not below.
        while total(&widths) > limit {
            let widest = (0..widths.len()).filter(|index| widths[*index].is_some_and(|width| width > least[*index]));
            match widest.max_by_key(|index| widths[*index]) {
                Some(index) => widths[index] = widths[index].map(|width| width - 1),
                None => break,
            }
        }
        widths
    }
}

fn made_harmless(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell {
        Cow::Borrowed(text) => harmless(text),
        Cow::Owned(text) => match harmless(&text) {
            Cow::Borrowed(_) => Cow::Owned(text),
            Cow::Owned(changed) => Cow::Owned(changed),
        },
    }
}

/// How many cells of the terminal the text takes, which is [`harmless`]: ASCII, which nearly all is, one for each letter.
fn width_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { measure_text_width(text) }
}

/// The text in at most `width` cells.
fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.is_ascii() && text.len() <= width { text.into() } else { truncate_str(text, width, "…") }
}

/// Between two columns.
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<'static> {
        let mut table = Table::new([
            Column::whole("NAME"),
            Column::leave("APP", 6),
            Column::narrow("IMAGE", 8),
            Column::leave("WHERE", 6),
            Column::whole("AGE"),
        ]);
        table.row(["tomcat-7f9", "tomcat", "registry.example.com/team/tomcat:10.1", "node-1", "3d"]);
        table.row(["日本-0a1", "web", "nginx", "evil\x1b[31m", "12s"]);
        table
    }

    #[test]
    fn wide_enough_shows_all() {
        assert_eq!(
            table().render(None, false),
            "NAME        APP     IMAGE                                  WHERE      AGE\n\
             tomcat-7f9  tomcat  registry.example.com/team/tomcat:10.1  node-1     3d\n\
             日本-0a1    web     nginx                                  evil�[31m  12s\n"
        );
    }

    #[test]
    fn what_stands_out_takes_no_room() {
        let mut table = Table::new([Column::whole("NAME"), Column::whole("AGE")]);
        table.marked_row(3, ["web-7f9", "3d"]);
        assert_eq!(table.render(None, true), "NAME     AGE\n\x1b[1mweb\x1b[0m-7f9  3d\n");
    }

    #[test]
    fn a_narrow_terminal_narrows_the_long_ones_first() {
        let text = table().render(Some(50), false);
        assert_eq!(
            text,
            "NAME        APP     IMAGE           WHERE      AGE\n\
             tomcat-7f9  tomcat  registry.exam…  node-1     3d\n\
             日本-0a1    web     nginx           evil�[31m  12s\n"
        );
    }

    #[test]
    fn a_very_narrow_one_leaves_columns_out_and_never_the_name() {
        assert_eq!(
            table().render(Some(30), false),
            "NAME        IMAGE          AGE\ntomcat-7f9  registry.exa…  3d\n日本-0a1    nginx          12s\n"
        );
        assert!(table().render(Some(5), false).contains("tomcat-7f9"));
    }
}
