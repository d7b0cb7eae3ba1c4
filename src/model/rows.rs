//! Lists of independent rows: one that cannot be read does not cost the others.

use std::collections::HashMap;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A list of independent rows (assets, products, tickers, orders), with the rows that could not be read.
///
/// Behaves as a slice of the good rows, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Rows<T> {
    rows: Vec<T>,
    #[serde(skip)]
    unreadable: Vec<Unreadable>,
}

/// A row that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreadable {
    /// Its place in the list as sent, from 0.
    pub index: usize,
    /// Its JSON text, as the server sent it.
    pub text: String,
    /// Why it could not be read.
    pub reason: String,
}

impl Unreadable {
    /// A number of the row, where at least that can be read.
    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        crate::de::u64(self.field(field)?).ok()
    }

    /// A text of the row, where at least that can be read.
    pub(crate) fn text_of(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.field(field)?.get()).ok()
    }

    fn field(&self, field: &str) -> Option<&RawValue> {
        let row: HashMap<&str, &RawValue> = serde_json::from_str(&self.text).ok()?;
        row.get(field).copied()
    }
}

impl<T> Rows<T> {
    /// The rows that could not be read, each with its text and the reason.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// The good rows.
    pub fn into_vec(self) -> Vec<T> {
        self.rows
    }

    /// Reads each row from its JSON text.
    pub(crate) fn read<'a>(texts: impl Iterator<Item = &'a str>) -> Self
    where
        T: Deserialize<'a>,
    {
        let mut all = Self::default();
        for (index, text) in texts.enumerate() {
            match serde_json::from_str(text) {
                Ok(row) => all.rows.push(row),
                Err(e) => all.unreadable.push(Unreadable { index, text: text.to_owned(), reason: e.to_string() }),
            }
        }
        all
    }

    /// Takes in the rows of a next list, as if both had been one.
    pub(crate) fn append(&mut self, next: Self) {
        let before = self.rows.len() + self.unreadable.len();
        self.rows.extend(next.rows);
        self.unreadable.extend(next.unreadable.into_iter().map(|row| Unreadable { index: before + row.index, ..row }));
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), unreadable: Vec::new() }
    }
}

impl<T> From<Vec<T>> for Rows<T> {
    fn from(rows: Vec<T>) -> Self {
        Self { rows, unreadable: Vec::new() }
    }
}

impl<T> Deref for Rows<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<T> IntoIterator for Rows<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Rows<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<&RawValue>::deserialize(deserializer)?;
        Ok(Self::read(texts.into_iter().map(RawValue::get)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_rows_are_kept_and_bad_ones_told() {
        let rows: Rows<u8> = serde_json::from_str(r#"[1, "two", 3, 400]"#).unwrap();
        assert_eq!(&*rows, [1, 3]);
        let bad: Vec<_> = rows.unreadable().iter().map(|u| (u.index, u.text.as_str())).collect();
        assert_eq!(bad, [(1, "\"two\""), (3, "400")]);
        assert!(rows.unreadable()[1].reason.contains("400"));
        assert!(serde_json::from_str::<Rows<u8>>("{}").is_err());

        let mut both = rows.clone();
        both.append(rows);
        assert_eq!(&*both, [1, 3, 1, 3]);
        assert_eq!(both.unreadable().iter().map(|u| u.index).collect::<Vec<_>>(), [1, 3, 5, 7]);
    }
}
