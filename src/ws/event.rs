//! What a stream delivers.

use std::ops::Deref;
use std::time::Duration;

use crate::error::{DecodeError, Error, Refusal};
use crate::model::{
    BalanceUpdate, Bar, BarKind, Bbo, CancelRejected, Depth, DepthKind, OrderUpdate, RefPrice, Trades, TradesKind,
};

/// Something that a stream delivers, in the order in which it happened. At most 128 bytes.
///
/// The life of a connection reads `Connected`, `Subscribed` for each subscription, data, and when the
/// connection breaks: `Disconnected`, `ConnectFailed` for each attempt in vain, `Reconnected`, `Subscribed`
/// again. The last event is always `Closed`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The first connection is up: the server has greeted.
    #[non_exhaustive]
    Connected {
        /// Whether the session is authenticated.
        authenticated: bool,
    },
    /// The connection is gone and will be made again. An [`OrderBook`](crate::OrderBook) made of events is no longer true.
    Disconnected(Box<Outage>),
    /// An attempt to connect again failed.
    ConnectFailed(Box<Outage>),
    /// The connection is up again, and every subscription is asked for again.
    #[non_exhaustive]
    Reconnected {
        /// The number of attempts that it took.
        attempts: u32,
        /// How long there was no connection.
        down_for: Duration,
    },
    /// A subscription is in force (`sub`). The text is the channel with one argument: `bbo:BTC/USDT`.
    Subscribed(Box<str>),
    /// A subscription has ended (`unsub`). Data under way can still arrive.
    Unsubscribed(Box<str>),
    /// A subscription was refused, or was not acknowledged. It says whether it is asked for again.
    SubscriptionFailed(Box<SubscriptionFailed>),
    /// The best bid and ask (`bbo`).
    Bbo(Timed<Bbo>),
    /// An order book or changes to one (`depth`, `depth-snapshot`); not for a [`Book`](crate::Book) alone.
    Depth(Timed<Depth>),
    /// Trades (`trades`).
    Trades(Timed<Trades>),
    /// A bar (`bar`, `summary`).
    Bar(Box<Timed<Bar>>),
    /// A reference price for margin (`ref-px`).
    RefPrice(Timed<RefPrice>),
    /// Something happened to an order (`order`).
    Order(Box<Timed<OrderUpdate>>),
    /// A cancel failed; told in the *ready* mode only (`order`).
    CancelRejected(Box<Timed<CancelRejected>>),
    /// A balance changed that no order changed (`balance`).
    Balance(Box<Timed<BalanceUpdate>>),
    /// An answer that nobody waits for any more: its request had timed out, or its [`Reply`](crate::Reply) was dropped
    /// before it came. An order may have been refused by it.
    LateAnswer(Box<Timed<Unknown>>),
    /// The consumer was too slow: market data was dropped here. Nothing else is ever dropped.
    Lagged(Lag),
    /// The server refused something that no request of this stream is known for, or of which nobody waits to hear
    /// (`error`).
    Refused(Box<Refusal>),
    /// A message that this version does not know.
    Unknown(Box<Timed<Unknown>>),
    /// A text that could not be read.
    Undecodable(Box<Timed<Undecodable>>),
    /// The stream has ended; nothing follows.
    Closed(CloseReason),
}

/// Data with the local time of its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timed<T> {
    /// When it was read from the socket: UTC nanoseconds by this machine's clock.
    pub received: u64,
    /// The data.
    pub data: T,
}

impl<T> Deref for Timed<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.data
    }
}

/// Why there is no connection, and what happens next.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outage {
    /// What went wrong.
    pub error: Error,
    /// How long until the next attempt.
    pub retry_in: Duration,
}

/// A subscription that was refused, or not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionFailed {
    /// The channel with one argument: `bbo:BTC/USDT`.
    pub channel: Box<str>,
    /// What the server said. `None`: it has said nothing, and that twice where this is the first that is told of it; the
    /// subscription may be in force, and its data, should it come, is delivered.
    pub refusal: Option<Refusal>,
    /// How long until it is asked for again: after silence, a failure of the exchange's own, and too many requests; 5 s at
    /// first, or the [time of an answer](crate::StreamBuilder::answer_timeout) where that is shorter, doubled each time up to
    /// 5 minutes. `None`: it is given up, on this connection and on later ones.
    pub retry_in: Option<Duration>,
}

/// How much market data was dropped for a slow consumer.
///
/// What follows are the newest best bids and asks and bars of what was dropped. An [`OrderBook`](crate::OrderBook) made of
/// events notices the gap, and a [`Book`](crate::Book) has none; trades are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lag {
    /// Dropped messages by channel: `bbo:BTC/USDT`. Of a recording that is played, `*`: what the recorder had missed, of
    /// any kind.
    pub dropped: Vec<(Box<str>, u64)>,
}

/// A message that this version does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unknown {
    /// Its kind (`m`), where it has one.
    pub kind: Option<String>,
    /// The text, as it came.
    pub text: String,
}

/// A text that could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Undecodable {
    /// The text, as it came; of binary data what is text in it.
    pub text: String,
    /// Why it could not be read.
    pub error: DecodeError,
}

/// Why a stream ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// The program asked for it.
    Requested,
    /// There was no (further) attempt to connect after this failure.
    GaveUp(Box<Error>),
    /// The stream's thread failed: a defect of this crate.
    Failed,
    /// The recording that was [played](crate::StreamBuilder::replay) is over.
    #[non_exhaustive]
    EndOfRecording {
        /// The number of its last line where that was not whole, and was left out.
        cut_off: Option<usize>,
    },
}

impl Event {
    /// Whether this is market data, which may be dropped for a slow consumer, and of which channel: by the name of its
    /// message.
    pub(crate) fn market_channel(&self) -> Option<String> {
        Some(match self {
            Self::Bbo(bbo) => format!("bbo:{}", bbo.symbol),
            Self::Depth(depth) => {
                let kind = match depth.kind {
                    DepthKind::Change => "depth",
                    DepthKind::Snapshot => "depth-snapshot",
                    DepthKind::SnapshotTop100 => "depth-snapshot-top100",
                    DepthKind::RealtimeChange => "depth-realtime",
                    DepthKind::RealtimeSnapshot => "depth-snapshot-realtime",
                };
                format!("{kind}:{}", depth.symbol)
            }
            Self::Trades(trades) => {
                let kind = match trades.kind {
                    TradesKind::Trades => "trades",
                    TradesKind::MarketTrades => "market-trades",
                };
                format!("{kind}:{}", trades.symbol)
            }
            Self::Bar(bar) => match bar.kind {
                BarKind::Bar => format!("bar:{}:{}", bar.interval, bar.symbol),
                BarKind::Summary => format!("summary:{}", bar.symbol),
            },
            Self::RefPrice(price) => format!("ref-px:{}", price.asset),
            _ => return None,
        })
    }

    pub(crate) fn is_market_data(&self) -> bool {
        matches!(self, Self::Bbo(_) | Self::Depth(_) | Self::Trades(_) | Self::Bar(_) | Self::RefPrice(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;

    #[test]
    fn market_data_is_of_the_channel_that_it_came_by() {
        let depth = r#""symbol":"A/B","data":{"ts":1,"seqnum":2,"asks":[],"bids":[]}"#;
        let trades = r#""symbol":"A/B","data":[{"p":"1","q":"1","ts":1,"bm":true,"seqnum":1}]"#;
        let bar = r#""s":"A/B","data":{"i":"1d","ts":1,"o":"1","h":"1","l":"1","c":"1","v":"1"}"#;
        for (m, rest, channel) in [
            ("bbo", r#""symbol":"A/B","data":{"ts":1,"bid":["1","1"],"ask":["2","1"]}"#, "bbo:A/B"),
            ("depth", depth, "depth:A/B"),
            ("depth-snapshot", depth, "depth-snapshot:A/B"),
            ("depth-snapshot-top100", depth, "depth-snapshot-top100:A/B"),
            ("depth-realtime", depth, "depth-realtime:A/B"),
            ("depth-snapshot-realtime", depth, "depth-snapshot-realtime:A/B"),
            ("trades", trades, "trades:A/B"),
            ("market-trades", trades, "market-trades:A/B"),
            ("bar", bar, "bar:1d:A/B"),
            ("summary", bar, "summary:A/B"),
            ("ref-px", r#""symbol":"BTC","data":{"qa":"USDT","p":"1"}"#, "ref-px:BTC"),
        ] {
            let event = match Message::parse(&format!(r#"{{"m":"{m}",{rest}}}"#)).unwrap() {
                Message::Bbo(data) => Event::Bbo(Timed { received: 0, data }),
                Message::Depth(data) => Event::Depth(Timed { received: 0, data }),
                Message::Trades(data) => Event::Trades(Timed { received: 0, data }),
                Message::Bar(data) => Event::Bar(Box::new(Timed { received: 0, data: *data })),
                Message::RefPrice(data) => Event::RefPrice(Timed { received: 0, data }),
                other => panic!("{other:?}"),
            };
            assert!(event.is_market_data());
            assert_eq!(event.market_channel().as_deref(), Some(channel));
        }
    }

    #[test]
    fn events_are_small() {
        assert!(size_of::<Event>() <= 128, "{}", size_of::<Event>());
    }
}
