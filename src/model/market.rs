//! Public market data: what the calls of the reference's *Public market data* answer and what the public
//! channels carry.

use std::collections::BTreeMap;

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

/// A bar (candle) of a product: a row of `GET /api/pro/v1/barhist`, the channel `bar`, and the older channel
/// `summary`. Prices are in the quote asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BarMessage", into = "BarMessage")]
#[non_exhaustive]
pub struct Bar {
    /// `bar`, or `summary` for the older channel (`m`).
    pub kind: BarKind,
    /// The product (`s`).
    pub symbol: Symbol,
    /// The length of the bar (`i`).
    pub interval: BarInterval,
    /// When the bar begins, UTC milliseconds (`ts`).
    pub ts: u64,
    /// The first price (`o`).
    pub open: Decimal,
    /// The last price (`c`).
    pub close: Decimal,
    /// The highest price (`h`).
    pub high: Decimal,
    /// The lowest price (`l`).
    pub low: Decimal,
    /// The volume, in the base asset (`v`).
    pub volume: Decimal,
}

/// Where a [`Bar`] comes from (`m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BarKind {
    /// The channel `bar`, or the call for bars.
    Bar,
    /// The older channel `summary`.
    Summary,
}

#[derive(Clone, Serialize, Deserialize)]
struct BarMessage {
    m: BarKind,
    s: Symbol,
    data: BarData,
}

#[derive(Clone, Serialize, Deserialize)]
struct BarData {
    i: BarInterval,
    #[serde(deserialize_with = "de::u64")]
    ts: u64,
    #[serde(with = "de::decimal")]
    o: Decimal,
    #[serde(with = "de::decimal")]
    c: Decimal,
    #[serde(with = "de::decimal")]
    h: Decimal,
    #[serde(with = "de::decimal")]
    l: Decimal,
    #[serde(with = "de::decimal")]
    v: Decimal,
}

impl From<BarMessage> for Bar {
    fn from(BarMessage { m, s, data: BarData { i, ts, o, c, h, l, v } }: BarMessage) -> Self {
        Self { kind: m, symbol: s, interval: i, ts, open: o, close: c, high: h, low: l, volume: v }
    }
}

impl From<Bar> for BarMessage {
    fn from(bar: Bar) -> Self {
        let Bar { kind, symbol, interval, ts, open, close, high, low, volume } = bar;
        let data = BarData { i: interval, ts, o: open, c: close, h: high, l: low, v: volume };
        Self { m: kind, s: symbol, data }
    }
}

/// What a [`Depth`] holds, and on which channel it came (`m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DepthKind {
    /// Changes gathered over 300 ms, channel `depth`.
    #[serde(rename = "depth")]
    Change,
    /// The whole book, up to 500 levels a side: request `depth-snapshot`, and the REST call.
    #[serde(rename = "depth-snapshot")]
    Snapshot,
    /// The top 100 levels a side: request `depth-snapshot-top100`.
    #[serde(rename = "depth-snapshot-top100")]
    SnapshotTop100,
    /// Changes as they happen, channel `depth-realtime`.
    #[serde(rename = "depth-realtime")]
    RealtimeChange,
    /// The whole book of the channel `depth-realtime`.
    #[serde(rename = "depth-snapshot-realtime")]
    RealtimeSnapshot,
}

impl DepthKind {
    /// Whether this is a whole book rather than changes to one.
    pub fn is_snapshot(self) -> bool {
        !matches!(self, Self::Change | Self::RealtimeChange)
    }
}

/// Levels of an order book: the whole book or changes to it, as [`kind`](Self::kind) says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DepthMessage", into = "DepthMessage")]
#[non_exhaustive]
pub struct Depth {
    /// Snapshot or change (`m`).
    pub kind: DepthKind,
    /// The product (`symbol`).
    pub symbol: Symbol,
    /// The exchange's time, UTC milliseconds; 0 in the snapshot of `depth-realtime` (`ts`).
    pub ts: u64,
    /// The sequence number: one more with each change of the same product (`seqnum`).
    pub seqnum: u64,
    /// Levels of the side that sells, as sent (`asks`).
    pub asks: Vec<Level>,
    /// Levels of the side that buys, as sent (`bids`).
    pub bids: Vec<Level>,
}

#[derive(Clone, Serialize, Deserialize)]
struct DepthMessage {
    m: DepthKind,
    symbol: Symbol,
    data: DepthData,
}

#[derive(Clone, Serialize, Deserialize)]
struct DepthData {
    #[serde(deserialize_with = "de::u64")]
    ts: u64,
    #[serde(deserialize_with = "de::u64")]
    seqnum: u64,
    asks: Vec<Level>,
    bids: Vec<Level>,
}

impl From<DepthMessage> for Depth {
    fn from(DepthMessage { m, symbol, data: DepthData { ts, seqnum, asks, bids } }: DepthMessage) -> Self {
        Self { kind: m, symbol, ts, seqnum, asks, bids }
    }
}

impl From<Depth> for DepthMessage {
    fn from(Depth { kind, symbol, ts, seqnum, asks, bids }: Depth) -> Self {
        Self { m: kind, symbol, data: DepthData { ts, seqnum, asks, bids } }
    }
}

/// The best bid and ask of a product, from the channel `bbo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BboMessage", into = "BboMessage")]
#[non_exhaustive]
pub struct Bbo {
    /// The product (`symbol`).
    pub symbol: Symbol,
    /// The exchange's time, UTC milliseconds (`ts`).
    pub ts: u64,
    /// The best bid; none when nobody buys (`bid`).
    pub bid: Option<Level>,
    /// The best ask; none when nobody sells (`ask`).
    pub ask: Option<Level>,
}

#[derive(Clone, Serialize, Deserialize)]
struct BboMessage {
    m: BboTag,
    symbol: Symbol,
    // The documentation of 2020 prints `ts` here.
    #[serde(default, skip_serializing, deserialize_with = "de::u64")]
    ts: u64,
    data: BboData,
}

#[derive(Clone, Serialize, Deserialize)]
enum BboTag {
    #[serde(rename = "bbo")]
    Bbo,
}

#[derive(Clone, Serialize, Deserialize)]
struct BboData {
    #[serde(default, deserialize_with = "de::u64")]
    ts: u64,
    #[serde(with = "best")]
    bid: Option<Level>,
    #[serde(with = "best")]
    ask: Option<Level>,
}

impl From<BboMessage> for Bbo {
    fn from(BboMessage { m: BboTag::Bbo, symbol, ts, data }: BboMessage) -> Self {
        Self { symbol, ts: data.ts.max(ts), bid: data.bid, ask: data.ask }
    }
}

impl From<Bbo> for BboMessage {
    fn from(Bbo { symbol, ts, bid, ask }: Bbo) -> Self {
        Self { m: BboTag::Bbo, symbol, ts: 0, data: BboData { ts, bid, ask } }
    }
}

/// One trade. The exchange may merge trades of one price and direction into one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trade {
    /// Price, in the quote asset (`p`).
    #[serde(rename = "p", with = "de::decimal")]
    pub price: Decimal,
    /// Quantity, in the base asset (`q`).
    #[serde(rename = "q", with = "de::decimal")]
    pub size: Decimal,
    /// When it happened, UTC milliseconds; of merged trades the first (`ts`).
    #[serde(deserialize_with = "de::u64")]
    pub ts: u64,
    /// Whether the buyer was the maker, that is, the seller took (`bm`).
    #[serde(rename = "bm")]
    pub buyer_is_maker: bool,
    /// The sequence number: it rises but skips (`seqnum`).
    #[serde(deserialize_with = "de::u64")]
    pub seqnum: u64,
}

/// Trades of a product: the channel `trades`, the request `market-trades`, and the REST call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trades {
    /// Where they come from (`m`).
    #[serde(rename = "m")]
    pub kind: TradesKind,
    /// The request's `id`, echoed by the answer to `market-trades`.
    #[serde(default, deserialize_with = "de::id", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The product (`symbol`).
    pub symbol: Symbol,
    /// The trades, as sent (`data`).
    #[serde(rename = "data")]
    pub trades: Vec<Trade>,
}

/// Where [`Trades`] come from (`m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TradesKind {
    /// The channel `trades`, and the REST call.
    Trades,
    /// The answer to the request `market-trades`.
    MarketTrades,
}

/// A reference price for margin, from the channel `ref-px`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RefPriceMessage", into = "RefPriceMessage")]
#[non_exhaustive]
pub struct RefPrice {
    /// The asset that is priced (`symbol`).
    pub asset: Asset,
    /// The asset that the price is in (`qa`).
    pub quote_asset: Asset,
    /// The price, in the quote asset (`p`).
    pub price: Decimal,
    /// The exchange's time, UTC milliseconds, where it says so (`ts`).
    pub ts: Option<u64>,
}

#[derive(Clone, Serialize, Deserialize)]
struct RefPriceMessage {
    m: RefPriceTag,
    symbol: Asset,
    data: RefPriceData,
}

#[derive(Clone, Serialize, Deserialize)]
enum RefPriceTag {
    #[serde(rename = "ref-px")]
    RefPx,
}

#[derive(Clone, Serialize, Deserialize)]
struct RefPriceData {
    qa: Asset,
    #[serde(with = "de::decimal")]
    p: Decimal,
    #[serde(default, deserialize_with = "de::maybe::deserialize", skip_serializing_if = "Option::is_none")]
    ts: Option<u64>,
}

impl From<RefPriceMessage> for RefPrice {
    fn from(
        RefPriceMessage { m: RefPriceTag::RefPx, symbol, data: RefPriceData { qa, p, ts } }: RefPriceMessage,
    ) -> Self {
        Self { asset: symbol, quote_asset: qa, price: p, ts }
    }
}

impl From<RefPrice> for RefPriceMessage {
    fn from(RefPrice { asset, quote_asset, price, ts }: RefPrice) -> Self {
        Self { m: RefPriceTag::RefPx, symbol: asset, data: RefPriceData { qa: quote_asset, p: price, ts } }
    }
}

/// The limits of the stream for an address, from `GET /api/pro/v2/risk-limit-info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RiskLimits {
    /// The address that the limits are for (`ip`).
    pub ip: String,
    /// The limits (`webSocket`).
    pub web_socket: WebSocketLimits,
}

/// The stream's limits, within [`RiskLimits`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WebSocketLimits {
    /// Whether the address is banned (`status`).
    pub status: BanStatus,
    /// How many sessions may be open (`limits`).
    pub limits: SessionLimits,
    /// How many messages a minute may be sent (`messageThreshold`).
    pub message_threshold: MessageThreshold,
}

/// Whether an address is banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BanStatus {
    /// Whether it is (`isBanned`).
    pub is_banned: bool,
    /// Until when, UTC milliseconds; -1 when it is not (`bannedUntil`).
    #[serde(deserialize_with = "de::i64")]
    pub banned_until: i64,
    /// The code of what it is banned for; 0 when it is not (`violationCode`).
    #[serde(deserialize_with = "de::i64")]
    pub violation_code: i64,
    /// The same in words (`reason`).
    #[serde(default, deserialize_with = "de::string")]
    pub reason: String,
}

/// How many sessions may be open at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SessionLimits {
    /// For an address and an account group (`maxWebSocketSessionsPerIpAccountGroup`).
    #[serde(deserialize_with = "de::u32")]
    pub max_web_socket_sessions_per_ip_account_group: u32,
    /// For an address (`maxWebSocketSessionsPerIpTotal`).
    #[serde(deserialize_with = "de::u32")]
    pub max_web_socket_sessions_per_ip_total: u32,
}

/// Messages a minute by kind. At the first level they are ignored for a while, at the second the address is
/// banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MessageThreshold {
    /// First level, by the message's `op` (`level1OpThreshold`).
    pub level1_op_threshold: BTreeMap<String, u32>,
    /// Second level, by the message's `op` (`level2OpThreshold`).
    pub level2_op_threshold: BTreeMap<String, u32>,
    /// First level, by the request's action with underscores (`level1ReqThreshold`).
    pub level1_req_threshold: BTreeMap<String, u32>,
    /// Second level, by the request's action with underscores (`level2ReqThreshold`).
    pub level2_req_threshold: BTreeMap<String, u32>,
}

/// The stream's limits in their older form, from `GET /api/pro/v1/risk-limit-info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RiskLimitsV1 {
    /// The address that the limits are for (`ip`).
    pub ip: String,
    /// The limits (`webSocket`).
    pub web_socket: WebSocketLimitsV1,
}

/// The stream's limits, within [`RiskLimitsV1`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WebSocketLimitsV1 {
    /// The window that requests are counted in, minutes (`windowSizeInMinutes`).
    #[serde(deserialize_with = "de::u32")]
    pub window_size_in_minutes: u32,
    /// Requests in the window (`maxNumRequests`). What counts is not documented: most likely connections.
    #[serde(deserialize_with = "de::u32")]
    pub max_num_requests: u32,
    /// Sessions that may be open at once (`maxSessionPerIp`).
    #[serde(deserialize_with = "de::u32")]
    pub max_session_per_ip: u32,
    /// Whether the address is banned, and for what.
    #[serde(flatten)]
    pub status: BanStatus,
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
