//! What goes to standard output: JSON for programs, tables for people.

use std::fmt::Display;
use std::io::{self, Write};

use bitmax::model::Rows;
use serde::Serialize;
use serde_json::json;

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

/// Columns of text.
pub(crate) struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        let head = head.iter().map(ToString::to_string).collect();
        Self { lines: vec![head] }
    }

    /// A table of names and values, without a head.
    pub(crate) fn of_pairs() -> Self {
        Self { lines: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [&dyn Display; N]) {
        self.lines.push(cells.iter().map(ToString::to_string).collect());
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for line in &self.lines {
            let cells: Vec<String> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
            writeln!(out, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// UTC milliseconds as a date and time: `2021-04-17 10:20:30.123`.
pub(crate) fn time(millis: u64) -> String {
    let (days, left) = (millis / 86_400_000, millis % 86_400_000);
    let (hour, minute) = (left / 3_600_000, left / 60_000 % 60);
    let (second, milli) = (left / 1000 % 60, left % 1000);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{milli:03}")
}

/// The date so many days after 1970-01-01. Years begin in March here, so that the leap day is their last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + next_year, month, day)
}

/// A value, or a dash for none.
pub(crate) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
