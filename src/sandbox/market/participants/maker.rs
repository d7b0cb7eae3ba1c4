//! A participant that keeps quotes on both sides of where it takes the price to be.

use super::floor::{Floor, note};
use crate::sandbox::engine::{AccountId, Engine, Side, TimeInForce};

/// Quotes a side of the deep maker, about.
pub(super) const LADDER: usize = 112;
/// What a maker's open orders never exceed.
pub(super) const MOST_ORDERS: usize = 4 * LADDER;

#[derive(Debug)]
pub(super) struct Maker {
    account: AccountId,
    /// Quotes a side.
    quotes: usize,
    /// Of so many quotes it renews one each time, about, for no reason but time.
    renewed: u64,
    /// Whether quotes are the likelier the closer to the price, rather than equally likely everywhere.
    thins: bool,
    /// It looks at its quotes every so many times only, unless the price has moved.
    patience: u64,
    looked: u64,
    /// Where it took the price to be, in ticks.
    centre: i128,
}

impl Maker {
    /// `lively`: whether it renews its quotes more often than it needs to.
    pub(super) fn near(account: AccountId, lively: bool) -> Self {
        let renewed = if lively { 10 } else { 25 };
        Self { account, quotes: 8, renewed, thins: false, patience: 1, looked: 0, centre: 0 }
    }

    pub(super) fn deep(account: AccountId) -> Self {
        Self { account, quotes: LADDER, renewed: 125, thins: true, patience: 5, looked: 0, centre: 0 }
    }

    /// Cancels quotes that are out of place and adds those that are missing. `first` and `last`: how close to the price
    /// and how far from it quotes are to be, all in ticks.
    pub(super) fn quote(
        &mut self,
        engine: &mut Engine,
        floor: &mut Floor,
        fair: i128,
        [first, last]: [i128; 2],
        now: u64,
    ) {
        self.looked += 1;
        if !(self.looked - 1).is_multiple_of(self.patience) && (fair - self.centre).abs() < first {
            return;
        }
        self.centre = fair;
        let [bids, asks] = self.tidy(engine, floor, fair, [first, last], now);
        for (side, count) in [(Side::Buy, bids), (Side::Sell, asks)] {
            let missing = self.quotes.saturating_sub(count);
            // All at once in the beginning, later a few at a time.
            let wanted = if missing > self.quotes / 2 { missing } else { missing.min(3) };
            for _ in 0..wanted {
                let away = self.away(floor, [first, last]);
                let ticks = if side == Side::Buy { fair - away } else { fair + away };
                if ticks > 0 {
                    let lots = floor.lots(6);
                    floor.place(engine, self.account, (side, ticks, lots), TimeInForce::Gtc, now);
                }
            }
        }
    }

    /// Cancels quotes that the price has passed or left behind, and now and then any other; how many bids and asks are
    /// left.
    fn tidy(
        &self,
        engine: &mut Engine,
        floor: &mut Floor,
        fair: i128,
        [first, last]: [i128; 2],
        now: u64,
    ) -> [usize; 2] {
        let [mut bids, mut asks] = [0; 2];
        let mut stale = Vec::new();
        let mut kept = floor.random.below(2 * self.renewed);
        let [fair, closest, farthest] = [fair, (first + 1) / 2, last].map(|ticks| ticks * floor.tick_units);
        for order in engine.open_orders(self.account) {
            let price = order.price.unwrap_or_default().units();
            let (count, away) = match order.side {
                Side::Buy => (&mut bids, fair - price),
                Side::Sell => (&mut asks, price - fair),
            };
            if away < closest || away > farthest {
                stale.push(order.id);
            } else if kept == 0 {
                kept = floor.random.below(2 * self.renewed);
                stale.push(order.id);
            } else {
                kept -= 1;
                *count += 1;
            }
        }
        for id in stale {
            note(engine.cancel(self.account, id, now));
        }
        [bids, asks]
    }

    /// A distance from the price, in ticks.
    fn away(&self, floor: &mut Floor, [first, last]: [i128; 2]) -> i128 {
        let at = i128::from(floor.random.below(1 << 10));
        let part = if self.thins { at * at * at } else { at << 20 };
        first + (last - first) * part / (1 << 30)
    }
}
