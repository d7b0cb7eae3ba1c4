//! What iterators over pages share: rows that cannot be read are neither passed over in silence nor the end.

use super::endpoint::Call;
use crate::error::{DecodeError, Error};
use crate::model::Rows;

/// The rows of a page's list that could not be read, as errors, and the largest number among them.
pub(super) struct Unread {
    pub(super) errors: Vec<Error>,
    pub(super) largest: Option<u64>,
}

impl Unread {
    /// `field` is the rows' number, by which the next page is asked for.
    pub(super) fn of<T>(call: &Call, list: &str, rows: &Rows<T>, field: &str) -> Self {
        let error = |row| Error::Decode(Box::new(DecodeError::row(call.to_string(), row).within(list)));
        Self {
            errors: rows.unreadable().iter().map(error).collect(),
            largest: rows.unreadable().iter().filter_map(|row| row.number(field)).max(),
        }
    }
}
