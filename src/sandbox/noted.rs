//! A row of history as it is kept: written once, however often the whole is.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::{RawValue, to_raw_value};

/// A row that does not change any more. Copies share it and its JSON, which is made when it is first asked for.
pub(crate) struct Noted<T>(Arc<Inner<T>>);

struct Inner<T> {
    row: T,
    /// `None` inside: it cannot be written.
    json: OnceLock<Option<Box<RawValue>>>,
}

impl<T> Noted<T> {
    pub(crate) fn new(row: T) -> Self {
        Self(Arc::new(Inner { row, json: OnceLock::new() }))
    }
}

impl<T> Clone for Noted<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Noted<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0.row
    }
}

impl<T: fmt::Debug> fmt::Debug for Noted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.row.fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Noted<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.row == other.0.row
    }
}

impl<T: Eq> Eq for Noted<T> {}

impl<T: Serialize> Serialize for Noted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = self.0.json.get_or_init(|| to_raw_value(&self.0.row).ok());
        json.as_ref().ok_or_else(|| ser::Error::custom("a row cannot be written"))?.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Noted<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let row = serde_json::from_str(json.get()).map_err(de::Error::custom)?;
        Ok(Self(Arc::new(Inner { row, json: Some(json).into() })))
    }
}
