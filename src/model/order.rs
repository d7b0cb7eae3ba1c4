//! Orders: what has become of them, and what the exchange says when one is placed or cancelled.

use rust_decimal::Decimal;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{AccountKind, Rows};
use crate::de;
use crate::error::RefusedOrder;
use crate::label::label;
use crate::symbol::{Asset, OrderId, Symbol};

label! {
    /// The side of an order (`side`).
    pub enum Side {
        /// Buys the base asset.
        Buy = "Buy",
        /// Sells the base asset.
        Sell = "Sell",
    }
}

label! {
    /// The type of an order (`orderType`).
    pub enum OrderType {
        /// Takes what is there, at any price.
        Market = "Market",
        /// Trades at its price or better.
        Limit = "Limit",
        /// Becomes a market order when the market reaches its stop price.
        StopMarket = "StopMarket",
        /// Becomes a limit order when the market reaches its stop price.
        StopLimit = "StopLimit",
    }
}

label! {
    /// What has become of an order (`status`).
    pub enum OrderStatus {
        /// Taken by the matching engine, and waiting: a stop order, say.
        PendingNew = "PendingNew",
        /// Taken by the matching engine; nothing has traded.
        New = "New",
        /// Resting on the book; on a stream in the *ready* mode, in place of `New`.
        Ready = "Ready",
        /// A part has traded; the rest is open.
        PartiallyFilled = "PartiallyFilled",
        /// All has traded.
        Filled = "Filled",
        /// Ended before all had traded.
        Canceled = "Canceled",
        /// Refused by the matching engine.
        Rejected = "Rejected",
    }
}

impl OrderStatus {
    /// Whether the order may still trade or be cancelled. A status that is not known counts as open.
    pub fn is_open(&self) -> bool {
        !matches!(self, Self::Filled | Self::Canceled | Self::Rejected)
    }
}

label! {
    /// How an order came about or is to be executed (`execInst`).
    pub enum ExecInst {
        /// Post-only: it never takes.
        Post = "Post",
        /// A forced closing out.
        Liquidation = "Liquidation",
    }
}

label! {
    /// What the matching engine has against an order or a cancel (`errorCode`).
    pub enum OrderError {
        /// The id was used before.
        DupNewCoid = "DupNewCoid",
        /// A post-only order would have taken.
        PostOnlyWouldTake = "PostOnlyWouldTake",
        /// There is no open order to cancel.
        NoOpenForCancel = "NoOpenForCancel",
        /// The order was done before the cancel came.
        TooLateToCancel = "TooLateToCancel",
        /// The cancel was sent before.
        DupCancelCoid = "DupCancelCoid",
    }
}

/// An order and how far it has come: a row of the calls for orders, and the answer to an order that waits for
/// the matching engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Order {
    /// The product (`symbol`).
    pub symbol: Symbol,
    /// The limit, in the quote asset; none for a market order, though older answers give it one (`price`).
    #[serde(default, with = "de::maybe_decimal")]
    pub price: Option<Decimal>,
    /// How much is to trade, in the base asset (`orderQty`).
    #[serde(with = "de::decimal")]
    pub order_qty: Decimal,
    /// The type (`orderType`).
    pub order_type: OrderType,
    /// The average price so far, in the quote asset; 0 or none before anything has traded (`avgPx`).
    #[serde(default, with = "de::maybe_decimal")]
    pub avg_px: Option<Decimal>,
    /// The fee so far, in `fee_asset` (`cumFee`).
    #[serde(default, with = "de::maybe_decimal")]
    pub cum_fee: Option<Decimal>,
    /// How much has traded, in the base asset (`cumFilledQty`, in older answers `cumQty`).
    #[serde(with = "de::decimal", alias = "cumQty")]
    pub cum_filled_qty: Decimal,
    /// What the matching engine has against it (`errorCode`).
    #[serde(default, with = "de::maybe")]
    pub error_code: Option<OrderError>,
    /// What the fee is taken in (`feeAsset`).
    #[serde(default, with = "de::maybe")]
    pub fee_asset: Option<Asset>,
    /// When something last happened to it, UTC milliseconds (`lastExecTime`).
    #[serde(default, deserialize_with = "de::maybe_u64")]
    pub last_exec_time: Option<u64>,
    /// The server's id (`orderId`).
    pub order_id: OrderId,
    /// The number of the last thing that happened to it: later ones have greater numbers (`seqNum`).
    #[serde(deserialize_with = "de::u64")]
    pub seq_num: u64,
    /// The side (`side`).
    pub side: Side,
    /// What has become of it (`status`).
    pub status: OrderStatus,
    /// Where it comes into force, in the quote asset; none for an order that is at once (`stopPrice`).
    #[serde(default, with = "de::maybe_decimal")]
    pub stop_price: Option<Decimal>,
    /// Post-only or forced; none for an ordinary order (`execInst`).
    #[serde(default, with = "de::maybe")]
    pub exec_inst: Option<ExecInst>,
    /// The client's id, where the exchange tells it; else empty (`id`).
    #[serde(default, deserialize_with = "de::string", skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The account's category, where the exchange tells it (`ac`).
    #[serde(default, with = "de::maybe", skip_serializing_if = "Option::is_none")]
    pub ac: Option<AccountKind>,
    /// The account's id, where the exchange tells it; else empty (`accountId`).
    #[serde(default, deserialize_with = "de::string", skip_serializing_if = "String::is_empty")]
    pub account_id: String,
    /// When it was sent, UTC milliseconds, where the exchange tells it (`sendingTime`).
    #[serde(default, deserialize_with = "de::maybe_u64", skip_serializing_if = "Option::is_none")]
    pub sending_time: Option<u64>,
}

/// An order of the past, from `GET /api/pro/data/v2/order/hist`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HistoryOrder {
    /// The server's id (`orderId`).
    pub order_id: OrderId,
    /// The number of the record: rising, not continuous (`seqNum`).
    #[serde(deserialize_with = "de::u64")]
    pub seq_num: u64,
    /// The account's id (`accountId`).
    #[serde(default, deserialize_with = "de::string")]
    pub account_id: String,
    /// The product (`symbol`).
    pub symbol: Symbol,
    /// The type (`orderType`).
    pub order_type: OrderType,
    /// The side (`side`).
    pub side: Side,
    /// The limit, in the quote asset (`price`).
    #[serde(default, with = "de::maybe_decimal")]
    pub price: Option<Decimal>,
    /// Where it came into force, in the quote asset; none, which is written `0`, for an order that was at once
    /// (`stopPrice`).
    #[serde(default, with = "zero_is_none")]
    pub stop_price: Option<Decimal>,
    /// How much was to trade, in the base asset (`orderQty`).
    #[serde(with = "de::decimal")]
    pub order_qty: Decimal,
    /// What has become of it (`status`).
    pub status: OrderStatus,
    /// When it came in, UTC milliseconds (`createTime`).
    #[serde(deserialize_with = "de::u64")]
    pub create_time: u64,
    /// When something last happened to it, UTC milliseconds (`lastExecTime`).
    #[serde(default, deserialize_with = "de::maybe_u64")]
    pub last_exec_time: Option<u64>,
    /// The average price, in the quote asset; 0 or none where nothing has traded (`avgFillPrice`).
    #[serde(default, with = "de::maybe_decimal")]
    pub avg_fill_price: Option<Decimal>,
    /// How much has traded, in the base asset (`fillQty`).
    #[serde(with = "de::decimal")]
    pub fill_qty: Decimal,
    /// The fee, in `fee_asset`, as the exchange writes it (`fee`).
    ///
    /// Its sign is not to be relied on: the published descriptions contradict each other, the published sample shows a
    /// charge as a negative number, and records of 2023 and 2024 show one as a positive number.
    #[serde(default, with = "de::maybe_decimal")]
    pub fee: Option<Decimal>,
    /// What the fee was taken in (`feeAsset`).
    #[serde(default, with = "de::maybe")]
    pub fee_asset: Option<Asset>,
}

/// A stop price that is written `0` when there is none.
mod zero_is_none {
    use serde::Deserializer;

    use super::*;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        Ok(de::maybe_decimal::deserialize(deserializer)?.filter(|price| !price.is_zero()))
    }

    pub(super) fn serialize<S: Serializer>(price: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        de::decimal::serialize(&price.unwrap_or(Decimal::ZERO), serializer)
    }
}

/// One page of past orders in the older form, from `GET /G/api/pro/v1/order/hist`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrderPage {
    /// The orders (`data`).
    pub data: Rows<Order>,
    /// Whether there is a next page (`hasNext`).
    pub has_next: bool,
    /// The most that a page may have (`limit`).
    #[serde(default, deserialize_with = "de::maybe_u64", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Which page, from 1 (`page`).
    #[serde(deserialize_with = "de::u32")]
    pub page: u32,
    /// How many orders a page has (`pageSize`).
    #[serde(deserialize_with = "de::u32")]
    pub page_size: u32,
}

label! {
    /// What the exchange answers to (`action`).
    pub enum OrderAction {
        /// An order.
        Place = "place-order",
        /// A cancel.
        Cancel = "cancel-order",
        /// A cancel of all orders.
        CancelAll = "cancel-all",
        /// A batch of orders.
        PlaceBatch = "batch-place-order",
        /// A batch of cancels.
        CancelBatch = "batch-cancel-order",
    }
}

/// What the exchange says to an order or a cancel that it takes: the protocol's `data`. Refusals are errors.
///
/// `T` is an [`Outcome`], one for each of a batch, or [`CancelAllAck`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderAnswer<T> {
    /// The account's category (`ac`, in older answers `accountCategory`).
    pub ac: Option<AccountKind>,
    /// The account's id (`accountId`).
    pub account_id: String,
    /// What this answers (`action`).
    pub action: OrderAction,
    /// What is said (`status` and `info`).
    pub info: T,
}

/// What the exchange says to one order or cancel: told apart by `status`.
///
/// An acknowledgement comes also where more was asked for: after 5 seconds without word from the matching engine, or
/// when too many wait for one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is taken for processing (`Ack`).
    Ack(Ack),
    /// The matching engine has taken the order (`ACCEPT`).
    Accept(Box<Order>),
    /// The matching engine has traded, cancelled or rejected the order, wholly or in part (`DONE`).
    Done(Box<Order>),
    /// This one of a batch is refused though the others are not: only within a batch.
    Refused(RefusedOrder),
    /// A status that this version of the crate does not know.
    #[non_exhaustive]
    Other {
        /// The status, as the server wrote it.
        status: String,
        /// What came with it (`info`), as JSON text.
        info: String,
    },
}

impl Outcome {
    /// The server's id of the order; none where it was refused, or the answer is not known.
    pub fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Ack(ack) => Some(ack.order_id),
            Self::Accept(order) | Self::Done(order) => Some(order.order_id),
            Self::Refused(refused) => refused.order_id,
            Self::Other { .. } => None,
        }
    }

    /// The order, where the answer waited for the matching engine.
    pub fn order(&self) -> Option<&Order> {
        match self {
            Self::Accept(order) | Self::Done(order) => Some(order),
            Self::Ack(_) | Self::Refused(_) | Self::Other { .. } => None,
        }
    }
}

/// An order or a cancel is taken for processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Ack {
    /// The client's id of the order or of the cancel (`id`).
    #[serde(default, deserialize_with = "de::string")]
    pub id: String,
    /// The server's id of the order (`orderId`).
    pub order_id: OrderId,
    /// The order's type; for a cancel often none (`orderType`).
    #[serde(default, with = "de::maybe")]
    pub order_type: Option<OrderType>,
    /// The product (`symbol`).
    #[serde(default, with = "de::maybe")]
    pub symbol: Option<Symbol>,
    /// When it was taken, UTC milliseconds (`timestamp`).
    #[serde(default, deserialize_with = "de::maybe_u64")]
    pub timestamp: Option<u64>,
}

/// A cancel of all orders is taken for processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CancelAllAck {
    /// The id of the cancel (`id`).
    #[serde(default, deserialize_with = "de::string")]
    pub id: String,
    /// The product, where the cancel was for one (`symbol`).
    #[serde(default, with = "de::maybe")]
    pub symbol: Option<Symbol>,
    /// When it was taken, UTC milliseconds (`timestamp`).
    #[serde(default, deserialize_with = "de::maybe_u64")]
    pub timestamp: Option<u64>,
}

/// What can stand in an [`OrderAnswer`]: `info` writes itself, and knows its `status`.
trait Info: Serialize {
    fn status(&self) -> &str;
}

impl Info for Outcome {
    fn status(&self) -> &str {
        match self {
            Self::Ack(_) => "Ack",
            Self::Accept(_) => "ACCEPT",
            Self::Done(_) => "DONE",
            Self::Refused(_) => "Err",
            Self::Other { status, .. } => status,
        }
    }
}

impl Info for Vec<Outcome> {
    fn status(&self) -> &str {
        // They share one, which a refused one has lost.
        self.iter().map(Info::status).find(|status| *status != "Err").unwrap_or("Ack")
    }
}

impl Info for CancelAllAck {
    fn status(&self) -> &str {
        "Ack"
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ack(ack) => ack.serialize(serializer),
            Self::Accept(order) | Self::Done(order) => order.serialize(serializer),
            Self::Refused(refused) => refused.serialize(serializer),
            Self::Other { info, .. } => {
                serde_json::from_str::<&RawValue>(info).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}

impl<T: Info> Serialize for OrderAnswer<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_struct("OrderAnswer", 5)?;
        answer.serialize_field("ac", &self.ac)?;
        answer.serialize_field("accountId", &self.account_id)?;
        answer.serialize_field("action", &self.action)?;
        answer.serialize_field("status", self.info.status())?;
        answer.serialize_field("info", &self.info)?;
        answer.end()
    }
}
