//! Balances: what is there, what moved it, and what margin owes.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{AccountKind, OrderType, Rows, Side};
use crate::de;
use crate::label::label;
use crate::symbol::{Asset, OrderId};

/// How much of an asset an account holds, from `GET /G/api/pro/v1/AC/balance` or the request `balance` of the stream,
/// whose short names are read as well. Amounts are in the asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Balance {
    /// The asset (`asset`).
    #[serde(alias = "a")]
    pub asset: Asset,
    /// All of it (`totalBalance`).
    #[serde(with = "de::decimal", alias = "tb")]
    pub total_balance: Decimal,
    /// What is not held for open orders (`availableBalance`).
    #[serde(with = "de::decimal", alias = "ab")]
    pub available_balance: Decimal,
    /// What is borrowed; on margin only (`borrowed`).
    #[serde(default, with = "de::maybe_decimal", skip_serializing_if = "Option::is_none", alias = "brw")]
    pub borrowed: Option<Decimal>,
    /// What is owed for the borrowing; on margin only (`interest`).
    #[serde(default, with = "de::maybe_decimal", skip_serializing_if = "Option::is_none", alias = "int")]
    pub interest: Option<Decimal>,
}

/// How much a margin account can bear, from `GET /G/api/pro/v1/margin/risk`. Balances are in USDT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MarginRisk {
    /// The highest leverage that the account may have (`accountMaxLeverage`).
    #[serde(with = "de::decimal")]
    pub account_max_leverage: Decimal,
    /// What is available (`availableBalanceInUSDT`).
    #[serde(with = "de::decimal", rename = "availableBalanceInUSDT")]
    pub available_balance_in_usdt: Decimal,
    /// All of it (`totalBalanceInUSDT`).
    #[serde(with = "de::decimal", rename = "totalBalanceInUSDT")]
    pub total_balance_in_usdt: Decimal,
    /// What is borrowed (`totalBorrowedInUSDT`).
    #[serde(with = "de::decimal", rename = "totalBorrowedInUSDT")]
    pub total_borrowed_in_usdt: Decimal,
    /// What is owed for the borrowing (`totalInterestInUSDT`).
    #[serde(with = "de::decimal", rename = "totalInterestInUSDT")]
    pub total_interest_in_usdt: Decimal,
    /// What would be left after paying back (`netBalanceInUSDT`).
    #[serde(with = "de::decimal", rename = "netBalanceInUSDT")]
    pub net_balance_in_usdt: Decimal,
    /// Points, which interest can be paid with (`pointsBalance`).
    #[serde(default, with = "de::maybe_decimal")]
    pub points_balance: Option<Decimal>,
    /// The leverage that the account has (`currentLeverage`).
    #[serde(with = "de::decimal")]
    pub current_leverage: Decimal,
    /// How far the account is from being closed out; -1 where nothing is borrowed (`cushion`).
    #[serde(with = "de::decimal")]
    pub cushion: Decimal,
}

label! {
    /// What a transfer between sub-accounts waits for (`mode`).
    pub enum TransferMode {
        /// The exchange has taken the request.
        Ack = "ack",
        /// The exchange has accepted the transfer.
        Accept = "accept",
    }
}

/// A transfer between sub-accounts as the exchange took it: `info` of `POST
/// /G/api/pro/v2/subuser/subuser-transfer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SubuserTransferTaken {
    /// The account that it leaves (`acFrom`).
    pub ac_from: AccountKind,
    /// The account that it reaches (`acTo`).
    pub ac_to: AccountKind,
    /// How much, in the asset (`amount`).
    #[serde(with = "de::decimal")]
    pub amount: Decimal,
    /// Of what (`asset`).
    pub asset: Asset,
    /// The user that it leaves, by id or name (`userFrom`).
    #[serde(default, deserialize_with = "de::string")]
    pub user_from: String,
    /// The user that it reaches, by id or name (`userTo`).
    #[serde(default, deserialize_with = "de::string")]
    pub user_to: String,
}

/// One page of the transfers between sub-accounts, from `POST /G/api/pro/v2/subuser/subuser-transfer-hist`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SubuserTransfers {
    /// Which page, from 1 (`page`).
    #[serde(deserialize_with = "de::u32")]
    pub page: u32,
    /// How many transfers a page has (`pageSize`).
    #[serde(deserialize_with = "de::u32")]
    pub page_size: u32,
    /// How many transfers there are in all (`totalSize`).
    #[serde(deserialize_with = "de::u64")]
    pub total_size: u64,
    /// The most that a page may have (`limit`).
    #[serde(default, deserialize_with = "de::maybe_u64", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The transfers (`data`).
    pub data: Rows<SubuserTransferRecord>,
}

/// A transfer between sub-accounts that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SubuserTransferRecord {
    /// When, UTC milliseconds (`time`).
    #[serde(deserialize_with = "de::u64")]
    pub time: u64,
    /// The user that it left, by id or name (`userFrom`).
    pub user_from: String,
    /// The user that it reached, by id or name (`userTo`).
    pub user_to: String,
    /// The account that it left (`acFrom`).
    pub ac_from: AccountKind,
    /// The account that it reached (`acTo`).
    pub ac_to: AccountKind,
    /// Of what (`asset`).
    pub asset: Asset,
    /// How much, in the asset (`amount`).
    #[serde(with = "de::decimal")]
    pub amount: Decimal,
    /// What has become of it (`status`).
    pub status: TransferStatus,
}

label! {
    /// What has become of a transfer between sub-accounts (`status`).
    pub enum TransferStatus {
        /// It was made. The reference names no other.
        Success = "SUCCESS",
    }
}

/// What an account held at the start of a day, from `GET /api/pro/data/v1/AC/balance/snapshot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BalanceSnapshot {
    /// Of which account, and when (`meta`).
    pub meta: SnapshotMeta,
    /// What there was of each asset (`snapshot`, also seen as `balance`).
    #[serde(alias = "balance")]
    pub snapshot: Rows<SnapshotBalance>,
}

/// Of which account and time a [`BalanceSnapshot`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SnapshotMeta {
    /// The account's category (`ac`).
    pub ac: AccountKind,
    /// The account's id (`accountId`).
    pub account_id: String,
    /// The number of the last change that it holds: later ones have greater numbers (`sn`).
    #[serde(deserialize_with = "de::u64")]
    pub sn: u64,
    /// When it was made, UTC milliseconds (`snapshotTime`, also seen as `balanceTime`).
    #[serde(default, deserialize_with = "de::maybe_u64", alias = "balanceTime")]
    pub snapshot_time: Option<u64>,
}

/// What there was of an asset, in the asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SnapshotBalance {
    /// The asset (`asset`).
    pub asset: Asset,
    /// All of it; it can be negative (`totalBalance`).
    #[serde(with = "de::decimal")]
    pub total_balance: Decimal,
}

/// What changed an account's balances, from `GET /api/pro/data/v1/AC/balance/history`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BalanceHistory {
    /// Of which account (`meta`).
    pub meta: HistoryMeta,
    /// Changes that trades made (`order`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub order: Rows<OrderChange>,
    /// Other changes (`balance`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub balance: Rows<BalanceChange>,
}

/// Of which account a [`BalanceHistory`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HistoryMeta {
    /// The account's category (`ac`).
    pub ac: AccountKind,
    /// The account's id (`accountId`).
    pub account_id: String,
}

label! {
    /// What a change is (`dataType`).
    pub enum ChangeKind {
        /// What was bought or sold.
        Trade = "trade",
        /// The fee for it.
        Fee = "fee",
    }
}

label! {
    /// Which side of a trade an order was (`liquidityInd`).
    pub enum Liquidity {
        /// It had rested on the book: maker.
        Added = "AddedLiquidity",
        /// It traded with one that had: taker.
        Removed = "RemovedLiquidity",
    }
}

/// What a trade changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrderChange {
    /// The changes, asset by asset (`data`).
    pub data: Vec<AssetChange>,
    /// Which side of the trade the order was (`liquidityInd`).
    #[serde(default, with = "de::maybe")]
    pub liquidity_ind: Option<Liquidity>,
    /// The order's id (`orderId`).
    pub order_id: OrderId,
    /// The order's type (`orderType`).
    pub order_type: OrderType,
    /// The order's side (`side`).
    pub side: Side,
    /// The number of the change: rising, not continuous (`sn`).
    #[serde(deserialize_with = "de::u64")]
    pub sn: u64,
    /// When, UTC milliseconds (`transactTime`).
    #[serde(deserialize_with = "de::u64")]
    pub transact_time: u64,
}

/// What something else than a trade changed: a deposit, a transfer, a reward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BalanceChange {
    /// The changes, asset by asset (`data`).
    pub data: Vec<AssetChange>,
    /// What it was, free text (`eventType`).
    #[serde(default, deserialize_with = "de::string")]
    pub event_type: String,
    /// The number of the change: rising, not continuous (`sn`).
    #[serde(deserialize_with = "de::u64")]
    pub sn: u64,
    /// When, UTC milliseconds (`transactTime`).
    #[serde(deserialize_with = "de::u64")]
    pub transact_time: u64,
}

/// A change of one asset. Amounts are in the asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AssetChange {
    /// The asset (`asset`).
    pub asset: Asset,
    /// What there is of it after all changes of the same number (`curBalance`).
    #[serde(with = "de::decimal")]
    pub cur_balance: Decimal,
    /// By how much it changed (`deltaQty`).
    #[serde(with = "de::decimal")]
    pub delta_qty: Decimal,
    /// Trade or fee, where a trade made it (`dataType`).
    #[serde(default, with = "de::maybe", skip_serializing_if = "Option::is_none")]
    pub data_type: Option<ChangeKind>,
}
