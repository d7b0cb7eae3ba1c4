//! One side of a product's book: price levels, in each the orders in the order of their arrival.

use std::collections::BTreeMap;

use super::order::Side;
use super::orders::{OrderIx, Orders};

/// The orders at one price: a queue linked through the orders themselves, so that any of them is taken out at once.
#[derive(Debug)]
struct Queue {
    first: OrderIx,
    last: OrderIx,
    lots: u128,
}

/// One side of a book.
#[derive(Debug)]
pub(super) struct Levels {
    side: Side,
    // By price in ticks.
    queues: BTreeMap<u64, Queue>,
}

impl Levels {
    pub(super) fn new(side: Side) -> Self {
        Self { side, queues: BTreeMap::new() }
    }

    /// The best price.
    pub(super) fn best(&self) -> Option<u64> {
        match self.side {
            Side::Buy => self.queues.last_key_value(),
            Side::Sell => self.queues.first_key_value(),
        }
        .map(|(ticks, _)| *ticks)
    }

    /// The best level: price and lots.
    pub(super) fn top(&self) -> Option<(u64, u128)> {
        self.best().map(|ticks| (ticks, self.lots(ticks)))
    }

    /// The lots at a price.
    pub(super) fn lots(&self, ticks: u64) -> u128 {
        self.queues.get(&ticks).map_or(0, |queue| queue.lots)
    }

    /// The order that is next to trade at a price.
    pub(super) fn first(&self, ticks: u64) -> Option<OrderIx> {
        self.queues.get(&ticks).map(|queue| queue.first)
    }

    /// Levels, best first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u128)> {
        let (up, down) = match self.side {
            Side::Buy => (None, Some(self.queues.iter().rev())),
            Side::Sell => (Some(self.queues.iter()), None),
        };
        up.into_iter().flatten().chain(down.into_iter().flatten()).map(|(ticks, queue)| (*ticks, queue.lots))
    }

    /// Puts an order at the end of the queue at a price.
    pub(super) fn push(&mut self, orders: &mut Orders, ticks: u64, ix: OrderIx) {
        let lots = u128::from(orders[ix].open);
        match self.queues.get_mut(&ticks) {
            Some(queue) => {
                orders[queue.last].next = Some(ix);
                orders[ix].prev = Some(queue.last);
                queue.last = ix;
                queue.lots += lots;
            }
            None => {
                self.queues.insert(ticks, Queue { first: ix, last: ix, lots });
            }
        }
    }

    /// Notes that an order at a price has so many lots less.
    pub(super) fn reduce(&mut self, ticks: u64, lots: u64) {
        if let Some(queue) = self.queues.get_mut(&ticks) {
            queue.lots -= u128::from(lots);
        }
    }

    /// Takes an order out, with the lots that it still has; an empty level goes with it.
    pub(super) fn remove(&mut self, orders: &mut Orders, ticks: u64, ix: OrderIx) {
        let entry = &mut orders[ix];
        let (prev, next, lots) = (entry.prev.take(), entry.next.take(), entry.open);
        if let Some(prev) = prev {
            orders[prev].next = next;
        }
        if let Some(next) = next {
            orders[next].prev = prev;
        }
        match (prev, next) {
            (None, None) => {
                self.queues.remove(&ticks);
            }
            _ => {
                if let Some(queue) = self.queues.get_mut(&ticks) {
                    queue.lots -= u128::from(lots);
                    queue.first = if prev.is_none() { next.unwrap_or(ix) } else { queue.first };
                    queue.last = if next.is_none() { prev.unwrap_or(ix) } else { queue.last };
                }
            }
        }
    }
}
