//! The wallet: where to deposit to, and what came and went.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Rows;
use crate::de;
use crate::label::label;
use crate::symbol::Asset;

/// Where an asset can be deposited to, from `GET /api/pro/v1/wallet/deposit/address`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DepositAddresses {
    /// The asset (`asset`).
    pub asset: Asset,
    /// Its full name (`assetName`).
    #[serde(default, deserialize_with = "de::string")]
    pub asset_name: String,
    /// One address a block chain (`address`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub address: Rows<DepositAddress>,
}

/// An address to deposit to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "DepositAddressMessage")]
#[non_exhaustive]
pub struct DepositAddress {
    /// The address (`address`).
    pub address: String,
    /// The block chain, free text (`blockchain`, in older answers `chainName`).
    pub blockchain: String,
    /// The tag or memo that has to go along; empty where none has to (`destTag`).
    pub dest_tag: String,
    /// Confirmations until a deposit is credited, in older answers (`numConfirmations`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_confirmations: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DepositAddressMessage {
    address: String,
    // Either, or both.
    #[serde(default, deserialize_with = "de::string")]
    blockchain: String,
    #[serde(default, deserialize_with = "de::string")]
    chain_name: String,
    #[serde(default, deserialize_with = "de::string")]
    dest_tag: String,
    #[serde(default, deserialize_with = "de::maybe_u64")]
    num_confirmations: Option<u64>,
}

impl From<DepositAddressMessage> for DepositAddress {
    fn from(message: DepositAddressMessage) -> Self {
        let DepositAddressMessage { address, blockchain, chain_name, dest_tag, num_confirmations } = message;
        let blockchain = if blockchain.is_empty() { chain_name } else { blockchain };
        Self { address, blockchain, dest_tag, num_confirmations }
    }
}

label! {
    /// Which way a wallet transaction goes (`transactionType`, `txType`).
    pub enum TransactionType {
        /// In.
        Deposit = "deposit",
        /// Out.
        Withdrawal = "withdrawal",
    }
}

label! {
    /// What has become of a wallet transaction (`status`).
    pub enum TransactionStatus {
        /// Under way.
        Pending = "pending",
        /// Being looked at by the exchange.
        Reviewing = "reviewing",
        /// Done.
        Confirmed = "confirmed",
        /// Refused.
        Rejected = "rejected",
        /// Called off.
        Canceled = "canceled",
        /// Gone wrong.
        Failed = "failed",
    }
}

/// One page of deposits and withdrawals, from `GET /api/pro/v1/wallet/transactions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WalletTransactions {
    /// The transactions (`data`).
    pub data: Rows<WalletTransaction>,
    /// Whether there is a next page (`hasNext`).
    pub has_next: bool,
    /// Which page, from 1 (`page`).
    #[serde(deserialize_with = "de::u32")]
    pub page: u32,
    /// How many transactions a page has (`pageSize`).
    #[serde(deserialize_with = "de::u32")]
    pub page_size: u32,
}

/// A deposit or a withdrawal. Amounts are in the asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WalletTransaction {
    /// The asset (`asset`).
    pub asset: Asset,
    /// How much (`amount`).
    #[serde(with = "de::decimal")]
    pub amount: Decimal,
    /// What it cost (`commission`).
    #[serde(default, with = "de::maybe_decimal")]
    pub commission: Option<Decimal>,
    /// Where it went to (`destAddress`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub dest_address: Destination,
    /// The block chain's id of it (`networkTransactionId`).
    #[serde(default, deserialize_with = "de::string")]
    pub network_transaction_id: String,
    /// Confirmations that it needs (`numConfirmations`).
    #[serde(default, deserialize_with = "de::maybe_u64")]
    pub num_confirmations: Option<u64>,
    /// Confirmations that it has (`numConfirmed`).
    #[serde(default, deserialize_with = "de::maybe_u64")]
    pub num_confirmed: Option<u64>,
    /// The exchange's id of it (`requestId`).
    #[serde(default, deserialize_with = "de::string")]
    pub request_id: String,
    /// What has become of it (`status`).
    pub status: TransactionStatus,
    /// When it began, UTC milliseconds (`time`).
    #[serde(deserialize_with = "de::u64")]
    pub time: u64,
    /// Deposit or withdrawal (`transactionType`).
    pub transaction_type: TransactionType,
}

/// Where a [`WalletTransaction`] went to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Destination {
    /// The address (`address`).
    #[serde(default, deserialize_with = "de::string")]
    pub address: String,
    /// The tag or memo that went along; empty for none (`destTag`).
    #[serde(default, deserialize_with = "de::string", skip_serializing_if = "String::is_empty")]
    pub dest_tag: String,
}
