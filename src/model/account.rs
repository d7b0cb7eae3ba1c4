//! Accounts: their categories.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::de;
use crate::error::InvalidInput;

/// What an account is for, the protocol's account category (`ac`, `accountCategory`, `account`).
///
/// Written in lower case; read in any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountCategory {
    /// Trading with one's own funds (`cash`).
    Cash,
    /// Trading on margin (`margin`).
    Margin,
}

impl AccountCategory {
    /// The category as paths and requests spell it: `cash` or `margin`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cash => "cash",
            Self::Margin => "margin",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        [Self::Cash, Self::Margin].into_iter().find(|category| text.eq_ignore_ascii_case(category.as_str()))
    }
}

impl fmt::Display for AccountCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for AccountCategory {
    type Err = InvalidInput;
    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        Self::from_text(text).ok_or_else(|| InvalidInput::new("account", format!("{text:?} is not cash or margin")))
    }
}

impl Serialize for AccountCategory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AccountCategory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::text(deserializer, "an account category: cash or margin", Self::from_text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_in_any_case_and_written_in_lower() {
        assert_eq!(serde_json::from_str::<AccountCategory>("\"CASH\"").unwrap(), AccountCategory::Cash);
        assert_eq!("Margin".parse::<AccountCategory>().unwrap(), AccountCategory::Margin);
        assert_eq!(serde_json::to_string(&AccountCategory::Margin).unwrap(), "\"margin\"");
        assert_eq!("futures".parse::<AccountCategory>().unwrap_err().field(), "account");
    }
}
