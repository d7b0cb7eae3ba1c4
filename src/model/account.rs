//! Accounts: their categories, what the key may do, what trading costs.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Rows;
use crate::de;
use crate::error::InvalidInput;
use crate::label::label;
use crate::symbol::Symbol;

/// What an account is for, the protocol's account category (`ac`, `accountCategory`, `account`).
///
/// Written in lower case; read in any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
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

label! {
    /// An account where money can be, in answers and transfers: an [`AccountCategory`], or one that this crate does
    /// not trade with. Read in any case.
    pub enum AccountKind {
        /// Trading with one's own funds.
        Cash = "cash",
        /// Trading on margin.
        Margin = "margin",
        /// Trading futures.
        Futures = "futures",
    }
}

impl From<AccountCategory> for AccountKind {
    fn from(category: AccountCategory) -> Self {
        match category {
            AccountCategory::Cash => Self::Cash,
            AccountCategory::Margin => Self::Margin,
        }
    }
}

/// Who the key belongs to and what it may do, from `GET /api/pro/v1/info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AccountInfo {
    /// The group that stands in the address of most private calls (`accountGroup`).
    #[serde(deserialize_with = "de::u32")]
    pub account_group: u32,
    /// The user's mail address (`email`).
    #[serde(default, deserialize_with = "de::string")]
    pub email: String,
    /// When the key expires, UTC milliseconds; -1: never (`expireTime`).
    #[serde(default = "never", deserialize_with = "de::i64")]
    pub expire_time: i64,
    /// The addresses that the key may be used from; none: from anywhere (`allowedIps`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub allowed_ips: Vec<String>,
    /// The ids of the cash accounts (`cashAccount`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub cash_account: Vec<String>,
    /// The ids of the margin accounts (`marginAccount`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub margin_account: Vec<String>,
    /// The ids of the futures accounts, where the exchange tells them (`futuresAccount`).
    #[serde(default, deserialize_with = "de::or_default", skip_serializing_if = "Vec::is_empty")]
    pub futures_account: Vec<String>,
    /// The user's id, which becomes a part of the ids of orders (`userUID`).
    #[serde(default, deserialize_with = "de::string", rename = "userUID")]
    pub user_uid: String,
    /// Whether the key may place and cancel orders (`tradePermission`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub trade_permission: bool,
    /// Whether the key may move money (`transferPermission`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub transfer_permission: bool,
    /// Whether the key may look (`viewPermission`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub view_permission: bool,
}

fn never() -> i64 {
    -1
}

/// The shares of a trade that are charged: 0.001 is 0.1 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeeRates {
    /// For an order that had rested on the book (`maker`). A negative one is paid out.
    #[serde(with = "de::decimal")]
    pub maker: Decimal,
    /// For an order that trades with one that had (`taker`).
    #[serde(with = "de::decimal")]
    pub taker: Decimal,
}

/// What trading costs by the size of the asset, from `GET /G/api/pro/v1/spot/fee/info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FeeSchedule {
    /// The market that it is for: `spot` (`domain`).
    #[serde(default, deserialize_with = "de::string")]
    pub domain: String,
    /// The user's id (`userUID`).
    #[serde(default, deserialize_with = "de::string", rename = "userUID")]
    pub user_uid: String,
    /// The user's level, from 0 (`vipLevel`).
    #[serde(deserialize_with = "de::u32")]
    pub vip_level: u32,
    /// The rates (`genericFee`).
    pub generic_fee: GenericFee,
}

/// The rates of a [`FeeSchedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GenericFee {
    /// For assets of large capitalisation (`largeCap`).
    pub large_cap: FeeRates,
    /// For assets of small capitalisation (`smallCap`).
    pub small_cap: FeeRates,
}

/// What trading costs by the product, from `GET /G/api/pro/v1/spot/fee`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "SymbolFeesMessage")]
#[non_exhaustive]
pub struct SymbolFees {
    /// The market that it is for: `spot` (`domain`).
    pub domain: String,
    /// The user's id (`userUID`).
    #[serde(rename = "userUID")]
    pub user_uid: String,
    /// The user's level, from 0 (`vipLevel`).
    pub vip_level: u32,
    /// The rates by the size of the asset, where they are told too (`genericFee`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generic_fee: Option<GenericFee>,
    /// The rates of each product (`productFee`, also seen as `fees`).
    pub product_fee: Rows<ProductFee>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SymbolFeesMessage {
    #[serde(default, deserialize_with = "de::string")]
    domain: String,
    #[serde(default, deserialize_with = "de::string", rename = "userUID")]
    user_uid: String,
    #[serde(deserialize_with = "de::u32")]
    vip_level: u32,
    #[serde(default, deserialize_with = "de::maybe::deserialize")]
    generic_fee: Option<GenericFee>,
    // Either, or both.
    product_fee: Option<Rows<ProductFee>>,
    fees: Option<Rows<ProductFee>>,
}

impl From<SymbolFeesMessage> for SymbolFees {
    fn from(message: SymbolFeesMessage) -> Self {
        let SymbolFeesMessage { domain, user_uid, vip_level, generic_fee, product_fee, fees } = message;
        let product_fee = product_fee.or(fees).unwrap_or_default();
        Self { domain, user_uid, vip_level, generic_fee, product_fee }
    }
}

/// The rates of a product, within [`SymbolFees`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProductFee {
    /// The product (`symbol`).
    pub symbol: Symbol,
    /// Its rates (`fee`).
    pub fee: FeeRates,
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

    #[test]
    fn fees_by_symbol_come_under_either_name_or_both() {
        let fee = r#"[{"symbol":"A/B","fee":{"maker":"0.1","taker":"-0.2"}}]"#;
        for lists in [
            format!(r#""productFee":{fee}"#),
            format!(r#""fees":{fee}"#),
            format!(r#""fees":{fee},"productFee":{fee}"#),
        ] {
            let fees: SymbolFees = serde_json::from_str(&format!(r#"{{"vipLevel":"0",{lists}}}"#)).unwrap();
            assert_eq!((fees.product_fee.len(), fees.product_fee[0].fee.taker), (1, Decimal::new(-2, 1)), "{lists}");
        }
    }
}
