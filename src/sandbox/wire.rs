//! The server's side of the JSON, written from the protocol reference and apart from the client's codec.

use serde::Serialize;
use serde_json::Value;

use super::engine::{self, Bbo, Fixed, Level, Trade};
use super::market::{Bar, Interval, Sides};
use crate::{Asset, Code, Symbol};

/// Why a request is refused: a code of the reference and words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A symbol or asset that is not traded here.
    pub(crate) fn unknown_symbol(symbol: &str) -> Self {
        Self::new(Code::SYMBOL_ERROR, format!("Unable to handle symbol {symbol}"))
    }

    /// The reference's name of the code.
    pub(crate) fn reason(&self) -> &'static str {
        self.code.name().unwrap_or("UNKNOWN_ERROR")
    }
}

impl From<engine::Refusal> for Refusal {
    /// A duplicate has no code of its own: where it cannot be told as `errorCode`, it is an invalid id.
    fn from(refusal: engine::Refusal) -> Self {
        let code = match refusal {
            engine::Refusal::DupNewCoid => Code::INVALID_ORDER_ID,
            other => Code::new(i64::from(other.code())),
        };
        Self::new(code, refusal.message())
    }
}

/// A message or an answer as text.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    // cannot fail: structures of this file, whose keys are strings and whose values write themselves
    serde_json::to_string(value).unwrap_or_default()
}

/// A part of a message.
pub(crate) fn value<T: Serialize>(value: &T) -> Value {
    // cannot fail: as in `json`
    serde_json::to_value(value).unwrap_or_default()
}

/// A successful answer to a call.
pub(crate) fn success<T: Serialize>(data: T) -> String {
    #[derive(Serialize)]
    struct Envelope<T> {
        code: i64,
        data: T,
    }
    json(&Envelope { code: 0, data })
}

/// A refused call.
pub(crate) fn failure(refusal: &Refusal) -> String {
    #[derive(Serialize)]
    struct Envelope<'a> {
        code: Code,
        message: &'a str,
        reason: &'a str,
    }
    json(&Envelope { code: refusal.code, message: &refusal.message, reason: refusal.reason() })
}

/// The answer to `auth`.
pub(crate) fn authenticated(id: Option<&Value>, ack: Option<&str>, refusal: Option<&Refusal>) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        m: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Value>,
        code: Code,
        #[serde(skip_serializing_if = "Option::is_none")]
        ack: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        err: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    }
    let code = refusal.map_or(Code::new(0), |refusal| refusal.code);
    let err = refusal.map(|refusal| refusal.message.as_str());
    json(&Answer { m: "auth", id, code, ack, err, reason: refusal.map(Refusal::reason) })
}

/// The greeting of a session.
pub(crate) fn connected(authenticated: bool) -> String {
    #[derive(Serialize)]
    struct Connected<'a> {
        m: &'a str,
        r#type: &'a str,
    }
    json(&Connected { m: "connected", r#type: if authenticated { "auth" } else { "unauth" } })
}

/// The server asks whether the client is there.
pub(crate) fn ping(hp: u8) -> String {
    #[derive(Serialize)]
    struct Ping<'a> {
        m: &'a str,
        hp: u8,
    }
    json(&Ping { m: "ping", hp })
}

/// The answer to a client's ping.
pub(crate) fn pong(ts: u64, hp: u8) -> String {
    #[derive(Serialize)]
    struct Pong<'a> {
        m: &'a str,
        code: i64,
        ts: u64,
        hp: u8,
    }
    json(&Pong { m: "pong", code: 0, ts, hp })
}

/// Why the server is about to end a session.
pub(crate) fn disconnected(code: Code, info: &str) -> String {
    #[derive(Serialize)]
    struct Disconnected<'a> {
        m: &'a str,
        code: Code,
        reason: &'a str,
        info: &'a str,
    }
    json(&Disconnected { m: "disconnected", code, reason: code.name().unwrap_or_default(), info })
}

#[derive(Serialize)]
struct Acknowledgement<'a> {
    m: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    ch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// `sub` or `unsub` of one channel is done. Of a pattern in `unsub` the reference shows an acknowledgement without
/// `code`.
pub(crate) fn acknowledged(m: &str, id: Option<&Value>, ch: &str) -> String {
    let code = (!ch.contains('*')).then_some(Code::new(0));
    json(&Acknowledgement { m, id, ch, code, reason: None })
}

/// `sub` of one channel is refused.
pub(crate) fn subscription_refused(id: Option<&Value>, ch: &str, refusal: &Refusal) -> String {
    let (code, reason) = (Some(refusal.code), Some(refusal.message.as_str()));
    json(&Acknowledgement { m: "sub", id, ch, code, reason })
}

/// The answer to a message that cannot be served. `m` is `error`, save where the reference names another.
pub(crate) fn error(m: &str, id: Option<&Value>, refusal: &Refusal) -> String {
    #[derive(Serialize)]
    struct Error<'a> {
        m: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Value>,
        code: Code,
        reason: &'a str,
        info: &'a str,
    }
    json(&Error { m, id, code: refusal.code, reason: refusal.reason(), info: &refusal.message })
}

/// A message that is of one product.
#[derive(Serialize)]
struct OfSymbol<'a, T> {
    m: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    symbol: Symbol,
    data: T,
}

fn of_symbol<T>(m: &str, symbol: Symbol, data: T) -> OfSymbol<'_, T> {
    OfSymbol { m, id: None, symbol, data }
}

/// A level as the wire has it.
pub(crate) fn pair(level: &Level) -> [Fixed; 2] {
    [level.price, level.size]
}

/// Best bid and offer. The reference says nothing of an empty side: it is `["",""]` here.
pub(crate) fn bbo(bbo: &Bbo) -> String {
    #[derive(Serialize)]
    struct Data {
        ts: u64,
        bid: [String; 2],
        ask: [String; 2],
    }
    let side = |level: &Option<Level>| match level {
        Some(level) => pair(level).map(|number| number.to_string()),
        None => [String::new(), String::new()],
    };
    json(&of_symbol("bbo", bbo.symbol, Data { ts: bbo.time, bid: side(&bbo.bid), ask: side(&bbo.ask) }))
}

/// Levels of the book, all or those that changed: `depth`, `depth-snapshot` and their kin.
pub(crate) fn depth(m: &str, symbol: Symbol, seqnum: u64, ts: u64, sides: &Sides) -> impl Serialize {
    #[derive(Serialize)]
    struct Data {
        seqnum: u64,
        ts: u64,
        asks: Vec<[Fixed; 2]>,
        bids: Vec<[Fixed; 2]>,
    }
    let pairs = |levels: &[Level]| levels.iter().map(pair).collect();
    of_symbol(m, symbol, Data { seqnum, ts, asks: pairs(&sides.asks), bids: pairs(&sides.bids) })
}

/// Trades, oldest first: `trades`, or `market-trades` in answer to a request.
pub(crate) fn trades<'a>(
    m: &'a str,
    id: Option<&'a Value>,
    symbol: Symbol,
    trades: impl IntoIterator<Item = &'a Trade>,
) -> impl Serialize {
    #[derive(Serialize)]
    struct Row {
        p: Fixed,
        q: Fixed,
        ts: u64,
        bm: bool,
        seqnum: u64,
    }
    let row = |t: &Trade| Row { p: t.price, q: t.quantity, ts: t.time, bm: t.buyer_is_maker, seqnum: t.seqnum };
    let data: Vec<Row> = trades.into_iter().map(row).collect();
    OfSymbol { m, id, symbol, data }
}

/// A bar, or with `m` `summary` the last day.
pub(crate) fn bar(m: &str, symbol: Symbol, interval: Interval, bar: &Bar) -> impl Serialize {
    #[derive(Serialize)]
    struct Message<'a> {
        m: &'a str,
        s: Symbol,
        data: Data,
    }
    #[derive(Serialize)]
    struct Data {
        i: &'static str,
        ts: u64,
        o: Fixed,
        c: Fixed,
        h: Fixed,
        l: Fixed,
        v: Fixed,
    }
    let Bar { start: ts, open: o, high: h, low: l, close: c, volume: v } = *bar;
    Message { m, s: symbol, data: Data { i: interval.name, ts, o, c, h, l, v } }
}

/// An asset's reference price, in USDT.
pub(crate) fn reference_price(asset: Asset, price: Fixed) -> String {
    #[derive(Serialize)]
    struct Message {
        m: &'static str,
        symbol: Asset,
        data: Data,
    }
    #[derive(Serialize)]
    struct Data {
        qa: &'static str,
        p: Fixed,
    }
    json(&Message { m: "ref-px", symbol: asset, data: Data { qa: "USDT", p: price } })
}
