//! What of a market outlives it. Its participants begin anew, around where the price is when it is restored.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{GATHERING, Market};
use crate::sandbox::engine::{self, ProductSpec, UserId};
use crate::{Symbol, de};

/// What is kept of a market.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    added: Vec<Added>,
    engine: engine::Kept,
    numbers: Vec<Numbers>,
}

/// A product that was listed while the market was open: [`Market::list`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Added {
    pub(super) spec: ProductSpec,
    #[serde(with = "de::decimal")]
    pub(super) price: Decimal,
    pub(super) activity: u32,
    pub(super) since: u64,
}

/// How far a product's channels have counted, so that no number is used again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    symbol: Symbol,
    depth: u64,
    realtime: u64,
}

impl Market {
    /// What is to be kept, of orders and balances those of these users.
    pub(crate) fn keep(&mut self, users: &[UserId]) -> Kept {
        let numbers = self.boards.iter().map(|board| Numbers {
            symbol: board.listed.spec.symbol,
            depth: board.depth.seqnum,
            realtime: board.realtime.seqnum,
        });
        Kept { added: self.added.clone(), engine: self.engine.keep(users), numbers: numbers.collect() }
    }

    /// The market of this seed at `now`, with what was kept of it before: orders first, so that they are older than
    /// the participants' and trade with them where the price is elsewhere now. The users' ids, in the order of their
    /// keeping. What came of it is told as ever.
    ///
    /// # Errors
    /// What does not add up.
    pub(crate) fn restore(seed: u64, quiet: bool, kept: &Kept, now: u64) -> Result<(Self, Vec<UserId>), String> {
        let mut market = Self::opened(seed, quiet, now);
        for Added { spec, price, activity, since } in &kept.added {
            let listed = market.list(spec.clone(), *price, *activity, *since);
            listed.map_err(|e| format!("{}: {e}", spec.symbol))?;
        }
        for Numbers { symbol, depth, realtime } in &kept.numbers {
            let board = market.boards.iter_mut().find(|board| board.listed.spec.symbol == *symbol);
            let board = board.ok_or_else(|| format!("{symbol} is not listed"))?;
            (board.depth.seqnum, board.realtime.seqnum) = (*depth, *realtime);
        }
        let users = market.engine.restore(&kept.engine, now)?;
        // Until the depth was told that is asked for.
        for _ in 0..GATHERING {
            market.next_step = now;
            market.step(now);
        }
        Ok((market, users))
    }
}
