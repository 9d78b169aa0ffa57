//! Aligned columns.

use crate::human::printable_line;

/// A table for people: columns are as wide as their widest cell.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct Column {
    title: &'static str,
    right: bool,
}

impl Table {
    /// A table with these columns. A title that starts with `>` is a column of numbers, aligned to the right.
    pub(crate) fn new(titles: &[&'static str]) -> Self {
        let head = titles
            .iter()
            .map(|title| match title.strip_prefix('>') {
                Some(title) => Column { title, right: true },
                None => Column { title, right: false },
            })
            .collect();
        Self {
            head,
            rows: Vec::new(),
        }
    }

    /// A table with these columns, of which some hold numbers.
    pub(crate) fn of(columns: &[(&'static str, bool)]) -> Self {
        let column = |&(title, right): &(&'static str, bool)| Column { title, right };
        Self {
            head: columns.iter().map(column).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with as many cells as there are columns.
    pub(crate) fn cells(&mut self, cells: &[String]) {
        self.rows
            .push(cells.iter().map(|cell| printable_line(cell)).collect());
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows
            .push(cells.iter().map(|cell| printable_line(cell)).collect());
    }

    /// The text, or `empty` if there are no rows.
    pub(crate) fn render(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return empty.to_owned();
        }
        let widths: Vec<usize> = self
            .head
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let cells = self.rows.iter().filter_map(|row| row.get(i));
                cells
                    .map(|cell| cell.chars().count())
                    .chain([column.title.len()])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let titles = self.head.iter().map(|column| column.title.to_owned()).collect();
        let lines: Vec<String> = std::iter::once(&titles)
            .chain(&self.rows)
            .map(|row| self.line(row, &widths))
            .collect();
        lines.join("\n")
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells: Vec<String> = row
            .iter()
            .zip(&self.head)
            .zip(widths)
            .map(|((cell, column), &width)| {
                if column.right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    }
}

/// Labels and values of one thing, one per line.
pub(crate) fn card(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0) + 1;
    let lines: Vec<String> = lines
        .iter()
        .map(|(label, value)| {
            let label = format!("{label}:");
            format!("{label:<width$} {}", printable_line(value))
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["NAME", ">COST", "STATE"]);
        table.row(["a".into(), "$1.00".into(), "active".into()]);
        table.row(["größer".into(), "$10.00".into(), String::new()]);
        assert_eq!(
            table.render("none"),
            "NAME      COST  STATE\na        $1.00  active\ngrößer  $10.00"
        );
        assert_eq!(Table::new(&["NAME"]).render("none"), "none");
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let mut table = Table::new(&["NAME"]);
        table.row(["\u{1b}[2Jgone\nnext\u{202e}".into()]);
        assert_eq!(table.render(""), "NAME\n\u{fffd}[2Jgone\u{fffd}next\u{fffd}");
    }
}
