//! What the public channels carry, and the calls that answer in the same form: bars, depth, trades.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::level::{Level, best};
use super::market::BarInterval;
use crate::de;
use crate::symbol::{Asset, Symbol};

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

    /// Whether it is of the channel `depth-realtime`, whose sequence numbers are its own.
    pub fn is_realtime(self) -> bool {
        matches!(self, Self::RealtimeChange | Self::RealtimeSnapshot)
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
