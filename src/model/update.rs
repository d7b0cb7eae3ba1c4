//! What the private channels carry.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{AccountKind, ExecInst, OrderError, OrderStatus, OrderType, Side};
use crate::de;
use crate::symbol::{Asset, OrderId, Symbol};

/// Something happened to an order: a message of the channel `order`, with the balances after it.
///
/// `{"m":"order","accountId":…,"ac":…,"data":{…}}` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrderUpdate {
    m: OrderTag,
    /// The account's id (`accountId`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub account_id: String,
    /// The account's category (`ac`, in older messages `accountCategory`).
    #[serde(default, with = "de::maybe", alias = "accountCategory")]
    pub ac: Option<AccountKind>,
    /// The order (`data`).
    pub data: OrderState,
}

impl OrderUpdate {
    pub(crate) fn new(account_id: String, ac: Option<AccountKind>, data: OrderState) -> Self {
        Self { m: OrderTag::Order, account_id, ac, data }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OrderTag {
    Order,
}

/// An order as the stream tells it: what [`OrderUpdate`] holds, and a row of the requests `open-order` and
/// `order-status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrderState {
    /// The product (`s`).
    #[serde(rename = "s")]
    pub symbol: Symbol,
    /// The sequence number: rising over the account (`sn`).
    #[serde(rename = "sn", deserialize_with = "de::u64")]
    pub seqnum: u64,
    /// The server's id (`orderId`).
    #[serde(rename = "orderId")]
    pub order_id: OrderId,
    /// The side; it can be missing in the *ready* mode (`sd`).
    #[serde(rename = "sd", default, with = "de::maybe")]
    pub side: Option<Side>,
    /// The type (`ot`).
    #[serde(rename = "ot", default, with = "de::maybe")]
    pub order_type: Option<OrderType>,
    /// What has become of it (`st`).
    #[serde(rename = "st")]
    pub status: OrderStatus,
    /// When something last happened to it, UTC milliseconds (`t`).
    #[serde(rename = "t", deserialize_with = "de::u64")]
    pub ts: u64,
    /// The limit, in the quote asset (`p`).
    #[serde(rename = "p", default, with = "de::maybe_decimal")]
    pub price: Option<Decimal>,
    /// How much is to trade, in the base asset (`q`).
    #[serde(rename = "q", default, with = "de::maybe_decimal")]
    pub order_qty: Option<Decimal>,
    /// Where it comes into force, in the quote asset; none, or 0, for an order that is at once (`sp`).
    #[serde(rename = "sp", default, with = "de::maybe_decimal")]
    pub stop_price: Option<Decimal>,
    /// The average price so far, in the quote asset; 0 before anything has traded (`ap`).
    #[serde(rename = "ap", default, with = "de::maybe_decimal")]
    pub avg_px: Option<Decimal>,
    /// How much has traded, in the base asset (`cfq`).
    #[serde(rename = "cfq", default, with = "de::maybe_decimal")]
    pub cum_filled_qty: Option<Decimal>,
    /// The fee so far, in `fee_asset` (`cf`).
    #[serde(rename = "cf", default, with = "de::maybe_decimal")]
    pub cum_fee: Option<Decimal>,
    /// What the fee is taken in (`fa`).
    #[serde(rename = "fa", default, with = "de::maybe")]
    pub fee_asset: Option<Asset>,
    /// What the matching engine has against it (`err`).
    #[serde(rename = "err", default, with = "de::maybe")]
    pub error: Option<OrderError>,
    /// Post-only or forced; none for an ordinary order (`ei`).
    #[serde(rename = "ei", default, with = "de::maybe")]
    pub exec_inst: Option<ExecInst>,
    /// All of the base asset that the account then has (`btb`).
    #[serde(rename = "btb", default, with = "de::maybe_decimal")]
    pub base_total: Option<Decimal>,
    /// What of the base asset is not held for orders (`bab`).
    #[serde(rename = "bab", default, with = "de::maybe_decimal")]
    pub base_available: Option<Decimal>,
    /// All of the quote asset that the account then has (`qtb`).
    #[serde(rename = "qtb", default, with = "de::maybe_decimal")]
    pub quote_total: Option<Decimal>,
    /// What of the quote asset is not held for orders (`qab`).
    #[serde(rename = "qab", default, with = "de::maybe_decimal")]
    pub quote_available: Option<Decimal>,
    /// When it came in, UTC milliseconds; in `order-status` only (`ct`).
    #[serde(rename = "ct", default, deserialize_with = "de::maybe_u64", skip_serializing_if = "Option::is_none")]
    pub create_time: Option<u64>,
    /// The price of the last fill, in the quote asset; in `order-status` only (`lp`).
    #[serde(rename = "lp", default, with = "de::maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub last_price: Option<Decimal>,
    /// The quantity of the last fill, in the base asset; in `order-status` only (`lq`).
    #[serde(rename = "lq", default, with = "de::maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub last_qty: Option<Decimal>,
    /// The fee of the last fill, in `fee_asset`; in `order-status` only (`f`).
    #[serde(rename = "f", default, with = "de::maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub last_fee: Option<Decimal>,
}

/// A cancel failed: in the *ready* mode told on the channel `order`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CancelRejected {
    m: OrderTag,
    /// The account's id (`accountId`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub account_id: String,
    /// The account's category (`ac`).
    #[serde(default, with = "de::maybe", alias = "accountCategory")]
    pub ac: Option<AccountKind>,
    /// The cancel (`data`).
    pub data: RejectedCancel,
}

/// What [`CancelRejected`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RejectedCancel {
    /// The product (`s`).
    #[serde(rename = "s")]
    pub symbol: Symbol,
    /// The sequence number: rising over the account (`sn`).
    #[serde(rename = "sn", deserialize_with = "de::u64")]
    pub seqnum: u64,
    /// The server's id of the cancel (`orderId`).
    #[serde(rename = "orderId")]
    pub order_id: OrderId,
    /// The server's id of the order that was to be cancelled, as the cancel gave it (`origOrderId`).
    #[serde(rename = "origOrderId")]
    pub orig_order_id: String,
    /// When, UTC milliseconds (`t`).
    #[serde(rename = "t", deserialize_with = "de::u64")]
    pub ts: u64,
    /// `Rejected` (`st`).
    #[serde(rename = "st")]
    pub status: OrderStatus,
    /// `OrderCancelReject` (`err`).
    #[serde(rename = "err")]
    pub error: OrderError,
    /// Why (`text`).
    #[serde(default, with = "de::maybe")]
    pub text: Option<OrderError>,
}

/// A balance changed that no order changed: a deposit, a transfer. From the channel `order`, which carries these too.
///
/// `{"m":"balance","accountId":…,"ac":…,"data":{…}}` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BalanceUpdate {
    m: BalanceTag,
    /// The account's id (`accountId`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub account_id: String,
    /// The account's category (`ac`).
    #[serde(default, with = "de::maybe", alias = "accountCategory")]
    pub ac: Option<AccountKind>,
    /// The balance (`data`).
    pub data: BalanceState,
}

impl BalanceUpdate {
    pub(crate) fn new(account_id: String, ac: Option<AccountKind>, data: BalanceState) -> Self {
        Self { m: BalanceTag::Balance, account_id, ac, data }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum BalanceTag {
    Balance,
}

/// What [`BalanceUpdate`] holds. Amounts are in the asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BalanceState {
    /// The asset (`a`).
    #[serde(rename = "a")]
    pub asset: Asset,
    /// The sequence number: rising over the account (`sn`).
    #[serde(rename = "sn", deserialize_with = "de::u64")]
    pub seqnum: u64,
    /// All of it (`tb`).
    #[serde(rename = "tb", with = "de::decimal")]
    pub total: Decimal,
    /// What is not held for orders (`ab`).
    #[serde(rename = "ab", with = "de::decimal")]
    pub available: Decimal,
    /// What is borrowed; on margin only (`brw`).
    #[serde(rename = "brw", default, with = "de::maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub borrowed: Option<Decimal>,
    /// What is owed for the borrowing; on margin only (`int`).
    #[serde(rename = "int", default, with = "de::maybe_decimal", skip_serializing_if = "Option::is_none")]
    pub interest: Option<Decimal>,
}

/// How much a margin account can bear, as the request `margin-risk` of the stream tells it: `data` of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MarginState {
    /// All of it, in USDT (`tb`).
    #[serde(rename = "tb", with = "de::decimal")]
    pub total_balance: Decimal,
    /// What is available, in USDT (`ab`).
    #[serde(rename = "ab", with = "de::decimal")]
    pub available_balance: Decimal,
    /// What would be left after paying back, in USDT (`nb`).
    #[serde(rename = "nb", with = "de::decimal")]
    pub net_balance: Decimal,
    /// The effective initial margin (`eim`).
    #[serde(rename = "eim", with = "de::decimal")]
    pub effective_initial_margin: Decimal,
    /// The effective maintenance margin (`emm`).
    #[serde(rename = "emm", with = "de::decimal")]
    pub effective_maintenance_margin: Decimal,
    /// The leverage that the account has (`clv`).
    #[serde(rename = "clv", with = "de::decimal")]
    pub current_leverage: Decimal,
    /// The leverage that a new position may begin with (`ilv`).
    #[serde(rename = "ilv", with = "de::decimal")]
    pub initial_leverage: Decimal,
    /// The highest leverage that the account may have (`alv`).
    #[serde(rename = "alv", with = "de::decimal")]
    pub account_max_leverage: Decimal,
    /// How far the account is from being closed out; -1 where nothing is borrowed (`cus`).
    #[serde(rename = "cus", with = "de::decimal")]
    pub cushion: Decimal,
    /// Points, which interest can be paid with (`pts`).
    #[serde(rename = "pts", default, with = "de::maybe_decimal")]
    pub points_balance: Option<Decimal>,
}
