//! Lists as columns for people or as JSON lines for programs.

use dialoguer::console::measure_text_width;
use serde::Serialize;

use super::failure::Failure;
use super::print::Printer;
use crate::broker::args::{Listing, Output};
use crate::harmless::harmless;

/// Shows `rows`: each as JSON, or as the cells under `titles`.
pub(super) fn show<T: Serialize, const N: usize>(
    printer: Printer,
    listing: Listing,
    titles: [&str; N],
    rows: &[T],
    cells: impl Fn(&T) -> [String; N],
) -> Result<(), Failure> {
    match listing.output {
        Output::Table => {
            let rows: Vec<[String; N]> = rows.iter().map(cells).collect();
            printer.lines(columns(titles, &rows).iter().map(String::as_str))
        }
        Output::Json => {
            let lines = rows.iter().map(json).collect::<Result<Vec<String>, Failure>>()?;
            printer.lines(lines.iter().map(String::as_str))
        }
    }
}

/// `row` as one line of JSON.
pub(super) fn json(row: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(row).map_err(|error| Failure::new(format!("a row cannot be written as JSON: {error}")))
}

fn columns<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let titles = titles.map(str::to_owned);
    let lines: Vec<[String; N]> =
        std::iter::once(&titles).chain(rows).map(|row| row.each_ref().map(|cell| harmless(cell).into_owned())).collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    let render = |line: &[String; N]| {
        let mut text = String::new();
        for (cell, width) in line.iter().zip(widths) {
            text += cell;
            text.extend(std::iter::repeat_n(' ', (width + GAP).saturating_sub(measure_text_width(cell))));
        }
        text.trim_end().to_owned()
    };
    lines.iter().map(render).collect()
}

/// Between two columns.
const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells_and_harmless() {
        let rows = [["ada".to_owned(), "dev,ops".to_owned()], ["\x1b[31m日".to_owned(), String::new()]];
        assert_eq!(columns(["NAME", "GROUPS"], &rows), ["NAME     GROUPS", "ada      dev,ops", "�[31m日"]);
    }
}
