//! What the public is told, written only where someone listens.

use std::sync::Arc;

use super::Market;
use super::depth::Sides;
use crate::Symbol;
use crate::sandbox::engine::{Bbo, Trade};
use crate::sandbox::wire;

/// Something the public is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Publication {
    /// Trades of one product, oldest first.
    Trades(Symbol, Vec<Trade>),
    /// A new best bid or offer.
    Bbo(Bbo),
    /// What changed in a book, on a channel of this kind, under this number and as of this time.
    Depth { kind: &'static str, symbol: Symbol, seqnum: u64, ts: u64, sides: Sides },
    /// That the channel's state changed: [`Market::newest`] has the text.
    Newest(String),
}

impl Publication {
    /// Where it is told.
    pub(crate) fn channel(&self) -> String {
        match self {
            Self::Trades(symbol, _) => format!("trades:{symbol}"),
            Self::Bbo(bbo) => format!("bbo:{}", bbo.symbol),
            Self::Depth { kind, symbol, .. } => format!("{kind}:{symbol}"),
            Self::Newest(channel) => channel.clone(),
        }
    }

    /// What is told.
    pub(crate) fn text(&self, market: &Market) -> Option<Arc<str>> {
        let text = match self {
            Self::Trades(symbol, trades) => wire::json(&wire::trades("trades", None, *symbol, trades)),
            Self::Bbo(bbo) => wire::bbo(bbo),
            Self::Depth { kind, symbol, seqnum, ts, sides } => {
                wire::json(&wire::depth(kind, *symbol, *seqnum, *ts, sides))
            }
            Self::Newest(channel) => return market.newest(channel),
        };
        Some(text.into())
    }
}
