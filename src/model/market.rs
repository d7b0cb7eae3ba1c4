//! Public market data: what the calls of the reference's *Public market data* answer, but for what the stream
//! carries in the same form.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::level::{Level, best};
use crate::de;
use crate::label::label;
use crate::symbol::{Asset, Symbol};

label! {
    /// A product's trading status (`statusCode`, `status`).
    pub enum ProductStatus {
        /// Trading.
        Normal = "Normal",
        /// Listed, not trading.
        NoTrading = "NoTrading",
        /// Trading inside the exchange only.
        InternalTrading = "InternalTrading",
    }
}

label! {
    /// An asset's status (`status` of the first version of the call).
    pub enum AssetStatus {
        /// Deposits and withdrawals are open.
        Normal = "Normal",
        /// No deposits.
        NoDeposit = "NoDeposit",
        /// No withdrawals.
        NoWithdraw = "NoWithdraw",
        /// Neither.
        NoTransaction = "NoTransaction",
    }
}

label! {
    /// The asset in which a product's commission is taken (`commissionType`).
    pub enum CommissionType {
        /// The base asset.
        Base = "Base",
        /// The quote asset.
        Quote = "Quote",
        /// The asset that the trade brings.
        Received = "Received",
    }
}

label! {
    /// The length of a bar (`interval`, `i`).
    pub enum BarInterval {
        /// One minute.
        Min1 = "1",
        /// Five minutes.
        Min5 = "5",
        /// Fifteen minutes.
        Min15 = "15",
        /// Thirty minutes.
        Min30 = "30",
        /// One hour.
        Hour1 = "60",
        /// Two hours.
        Hour2 = "120",
        /// Four hours.
        Hour4 = "240",
        /// Six hours.
        Hour6 = "360",
        /// Twelve hours.
        Hour12 = "720",
        /// One day.
        Day1 = "1d",
        /// One week.
        Week1 = "1w",
        /// One month, from the first of the month.
        Month1 = "1m",
    }
}

impl BarInterval {
    /// The interval in milliseconds; a month counts as 30 days, as the exchange gives it. `None` for an
    /// interval that this version does not know.
    pub fn millis(&self) -> Option<u64> {
        const MINUTE: u64 = 60_000;
        const DAY: u64 = 1440 * MINUTE;
        Some(match self {
            Self::Min1 => MINUTE,
            Self::Min5 => 5 * MINUTE,
            Self::Min15 => 15 * MINUTE,
            Self::Min30 => 30 * MINUTE,
            Self::Hour1 => 60 * MINUTE,
            Self::Hour2 => 120 * MINUTE,
            Self::Hour4 => 240 * MINUTE,
            Self::Hour6 => 360 * MINUTE,
            Self::Hour12 => 720 * MINUTE,
            Self::Day1 => DAY,
            Self::Week1 => 7 * DAY,
            Self::Month1 => 30 * DAY,
            Self::Other(_) => return None,
        })
    }
}

/// An asset, from `GET /api/pro/v2/assets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AssetInfo {
    /// The asset's code (`assetCode`).
    pub asset_code: Asset,
    /// Its full name (`assetName`).
    #[serde(default, deserialize_with = "de::string")]
    pub asset_name: String,
    /// Digits after the point in the exchange's books (`precisionScale`).
    #[serde(deserialize_with = "de::u32")]
    pub precision_scale: u32,
    /// Digits after the point in deposits and withdrawals (`nativeScale`).
    #[serde(deserialize_with = "de::u32")]
    pub native_scale: u32,
    /// The block chains that carry it (`blockChain`).
    #[serde(default)]
    pub block_chain: Vec<AssetChain>,
}

/// One block chain of an asset. Amounts are in the asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AssetChain {
    /// The chain's name, free text (`chainName`).
    pub chain_name: String,
    /// What a withdrawal costs (`withdrawFee`).
    #[serde(default, with = "de::maybe_decimal")]
    pub withdraw_fee: Option<Decimal>,
    /// Whether deposits are open (`allowDeposit`).
    pub allow_deposit: bool,
    /// Whether withdrawals are open (`allowWithdraw`).
    pub allow_withdraw: bool,
    /// The smallest deposit that is credited (`minDepositAmt`).
    #[serde(default, with = "de::maybe_decimal")]
    pub min_deposit_amt: Option<Decimal>,
    /// The smallest withdrawal (`minWithdrawal`, also seen as `minWithdrawalAmt`).
    #[serde(default, with = "de::maybe_decimal", alias = "minWithdrawalAmt")]
    pub min_withdrawal: Option<Decimal>,
    /// Confirmations until a deposit is credited (`numConfirmations`).
    #[serde(default, deserialize_with = "de::u32")]
    pub num_confirmations: u32,
}

/// An asset, from the older `GET /api/pro/v1/assets`. Amounts are in the asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AssetInfoV1 {
    /// The asset's code (`assetCode`).
    pub asset_code: Asset,
    /// Its full name (`assetName`).
    #[serde(default, deserialize_with = "de::string")]
    pub asset_name: String,
    /// Digits after the point in the exchange's books (`precisionScale`, older `positionScale`).
    #[serde(alias = "positionScale", deserialize_with = "de::u32")]
    pub precision_scale: u32,
    /// Digits after the point in deposits and withdrawals (`nativeScale`).
    #[serde(deserialize_with = "de::u32")]
    pub native_scale: u32,
    /// What a withdrawal costs (`withdrawalFee`).
    #[serde(default, with = "de::maybe_decimal")]
    pub withdrawal_fee: Option<Decimal>,
    /// The smallest withdrawal (`minWithdrawalAmt`).
    #[serde(default, with = "de::maybe_decimal")]
    pub min_withdrawal_amt: Option<Decimal>,
    /// Whether deposits and withdrawals are open (`status`).
    pub status: AssetStatus,
}

/// A product as an account category trades it, from `GET /api/pro/v1/AC/products`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Product {
    /// The product's name (`symbol`).
    pub symbol: Symbol,
    /// The name to show (`displayName`).
    #[serde(default, deserialize_with = "de::string")]
    pub display_name: String,
    /// The market that it is listed in: `USDS`, `BTC`, … (`domain`).
    #[serde(default, deserialize_with = "de::string")]
    pub domain: String,
    /// When trading began, UTC milliseconds (`tradingStartTime`).
    #[serde(default, deserialize_with = "de::u64")]
    pub trading_start_time: u64,
    /// Steps for gathering the book's levels, separated by commas (`collapseDecimals`).
    #[serde(default, deserialize_with = "de::string")]
    pub collapse_decimals: String,
    /// The smallest order, in the base asset (`minQty`).
    #[serde(with = "de::decimal")]
    pub min_qty: Decimal,
    /// The largest order, in the base asset (`maxQty`).
    #[serde(with = "de::decimal")]
    pub max_qty: Decimal,
    /// The smallest price × quantity of an order, in the quote asset (`minNotional`).
    #[serde(with = "de::decimal")]
    pub min_notional: Decimal,
    /// The largest price × quantity of an order, in the quote asset (`maxNotional`).
    #[serde(with = "de::decimal")]
    pub max_notional: Decimal,
    /// The trading status (`statusCode`).
    #[serde(alias = "status")]
    pub status_code: ProductStatus,
    /// What there is to say about the status (`statusMessage`).
    #[serde(default, deserialize_with = "de::string")]
    pub status_message: String,
    /// The step of prices, in the quote asset (`tickSize`).
    #[serde(with = "de::decimal")]
    pub tick_size: Decimal,
    /// The protocol's `useTick`; the reference does not say what it decides.
    #[serde(default)]
    pub use_tick: bool,
    /// The step of quantities, in the base asset (`lotSize`).
    #[serde(with = "de::decimal")]
    pub lot_size: Decimal,
    /// The protocol's `useLot`; the reference does not say what it decides.
    #[serde(default)]
    pub use_lot: bool,
    /// The asset that the commission is taken in (`commissionType`).
    pub commission_type: CommissionType,
    /// The share of an order kept back for commission (`commissionReserveRate`): 0.001 is 0.1 %.
    #[serde(with = "de::decimal")]
    pub commission_reserve_rate: Decimal,
    /// Digits after the point in quantities (`qtyScale`).
    #[serde(deserialize_with = "de::u32")]
    pub qty_scale: u32,
    /// Digits after the point in prices (`priceScale`).
    #[serde(deserialize_with = "de::u32")]
    pub price_scale: u32,
    /// Digits after the point in price × quantity (`notionalScale`).
    #[serde(deserialize_with = "de::u32")]
    pub notional_scale: u32,
}

/// A product, from `GET /api/pro/v1/products`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProductV1 {
    /// The product's name (`symbol`).
    pub symbol: Symbol,
    /// The base asset (`baseAsset`).
    pub base_asset: Asset,
    /// The quote asset (`quoteAsset`).
    pub quote_asset: Asset,
    /// The trading status (`status`).
    pub status: ProductStatus,
    /// The smallest price × quantity of an order, in the quote asset (`minNotional`).
    #[serde(with = "de::decimal")]
    pub min_notional: Decimal,
    /// The largest price × quantity of an order, in the quote asset (`maxNotional`).
    #[serde(with = "de::decimal")]
    pub max_notional: Decimal,
    /// Whether it trades on margin (`marginTradable`).
    pub margin_tradable: bool,
    /// The asset that the commission is taken in (`commissionType`).
    pub commission_type: CommissionType,
    /// The share of an order kept back for commission (`commissionReserveRate`): 0.001 is 0.1 %.
    #[serde(with = "de::decimal")]
    pub commission_reserve_rate: Decimal,
    /// The step of prices, in the quote asset (`tickSize`).
    #[serde(with = "de::decimal")]
    pub tick_size: Decimal,
    /// The step of quantities, in the base asset (`lotSize`).
    #[serde(with = "de::decimal")]
    pub lot_size: Decimal,
}

/// A day's summary of a product, from `GET /api/pro/v1/spot/ticker`. Prices are in the quote asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ticker {
    /// The product (`symbol`).
    pub symbol: Symbol,
    /// The price 24 hours ago (`open`).
    #[serde(with = "de::decimal")]
    pub open: Decimal,
    /// The last price (`close`).
    #[serde(with = "de::decimal")]
    pub close: Decimal,
    /// The highest price of 24 hours (`high`).
    #[serde(with = "de::decimal")]
    pub high: Decimal,
    /// The lowest price of 24 hours (`low`).
    #[serde(with = "de::decimal")]
    pub low: Decimal,
    /// The volume of 24 hours, in the base asset (`volume`).
    #[serde(with = "de::decimal")]
    pub volume: Decimal,
    /// The best ask; none when nobody sells (`ask`).
    #[serde(default, with = "best")]
    pub ask: Option<Level>,
    /// The best bid; none when nobody buys (`bid`).
    #[serde(default, with = "best")]
    pub bid: Option<Level>,
    /// `spot` or `derivatives`, where the exchange says so (`type`).
    #[serde(rename = "type", default, deserialize_with = "de::string", skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

/// A bar interval as the exchange names it, from `GET /api/pro/v1/barhist/info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BarIntervalInfo {
    /// The interval (`name`).
    pub name: BarInterval,
    /// Its length in milliseconds (`intervalInMillis`).
    #[serde(deserialize_with = "de::u64")]
    pub interval_in_millis: u64,
}

/// When a request reached the exchange, from `GET /api/pro/v1/exchange-info`. Times are UTC milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ExchangeInfo {
    /// The time that the caller gave (`requestTimeEcho`).
    #[serde(deserialize_with = "de::i64")]
    pub request_time_echo: i64,
    /// The exchange's time of receipt (`requestReceiveAt`).
    #[serde(deserialize_with = "de::i64")]
    pub request_receive_at: i64,
    /// The difference, milliseconds; negative when the caller's clock is ahead (`latency`).
    #[serde(deserialize_with = "de::i64")]
    pub latency: i64,
}
