//! What goes to standard output: JSON for programs, tables for people.

use std::fmt::Display;
use std::io::{self, Write};

use bitmax::Decimal;
use bitmax::model::Rows;
use console::Style;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;

pub(crate) use crate::calendar::time;
use crate::failure::Failure;

/// Standard output, in the form that was asked for.
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// A value, as one line of JSON or as the table that is made of it.
    pub(crate) fn value<T: Serialize>(&self, value: &T, table: impl FnOnce(&T) -> Table) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, value).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            table(value).write(&mut out)?;
        }
        Ok(out.flush()?)
    }

    /// As [`value`](Self::value), for a list whose unreadable rows are told on standard error.
    pub(crate) fn rows<T: Serialize>(&self, rows: &Rows<T>, table: impl FnOnce(&[T]) -> Table) -> Result<(), Failure> {
        self.unreadable(rows);
        self.value(rows, |rows| table(rows))
    }

    /// Tells the rows of a list that could not be read.
    pub(crate) fn unreadable<T>(&self, rows: &Rows<T>) {
        for row in rows.unreadable() {
            eprintln!("row {} cannot be read: {}: {}", row.index, row.reason, row.text);
        }
    }

    /// What the exchange says where it says no more than that it is done.
    pub(crate) fn done(&self) -> Result<(), Failure> {
        self.value(&json!({"code": 0}), |_| {
            let mut table = Table::of_pairs();
            table.row([&"done"]);
            table
        })
    }
}

/// How far paging has come, on standard error where that is a terminal. Of how many, where that is known.
pub(crate) fn progress(of: Option<u64>) -> ProgressBar {
    let (bar, template) = match of {
        Some(of) => (ProgressBar::new(of), "{wide_bar} {pos}/{len}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {pos}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Columns of text. Those of numbers end at the right; on a terminal the head stands out, and sides have their colours.
pub(crate) struct Table {
    lines: Vec<Vec<String>>,
    has_head: bool,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        let head = head.iter().map(ToString::to_string).collect();
        Self { lines: vec![head], has_head: true }
    }

    /// A table of names and values, without a head.
    pub(crate) fn of_pairs() -> Self {
        Self { lines: Vec::new(), has_head: false }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [&dyn Display; N]) {
        self.lines.push(cells.iter().map(ToString::to_string).collect());
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let body = self.lines.get(usize::from(self.has_head)..).unwrap_or_default();
        let is_number = |cell: &String| cell == "-" || Decimal::from_str_exact(cell).is_ok();
        // A table of names and values has different things in a column.
        let numeric = |column: usize| {
            self.has_head && body.iter().filter_map(|line| line.get(column)).all(is_number) && !body.is_empty()
        };
        let shapes: Vec<(usize, bool)> = (0..columns).map(|column| (width(column), numeric(column))).collect();
        for (n, line) in self.lines.iter().enumerate() {
            let is_head = n == 0 && self.has_head;
            let last = line.len().saturating_sub(1);
            let cells = line.iter().zip(&shapes).enumerate().map(|(column, (cell, (width, numeric)))| {
                let padded = match (numeric, column == last) {
                    (true, _) => format!("{cell:>width$}"),
                    (false, true) => cell.clone(),
                    (false, false) => format!("{cell:<width$}"),
                };
                style(cell, is_head).apply_to(padded).to_string()
            });
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// How a cell stands out.
fn style(cell: &str, is_head: bool) -> Style {
    match cell {
        _ if is_head => Style::new().bold(),
        "buy" | "Buy" | "bid" => Style::new().green(),
        "sell" | "Sell" | "ask" | "refused" => Style::new().red(),
        _ => Style::new(),
    }
}

/// A value, or a dash for none.
pub(crate) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
