//! The gathered depth channel of one product: its book as subscribers know it, and how it becomes the engine's.

use std::collections::BTreeMap;

use crate::sandbox::engine::{Fixed, Level, LevelChange, Side};

/// Sizes by price.
type Levels = BTreeMap<Fixed, Fixed>;

/// Levels of the two sides, in the order of the wire: asks rise, bids fall.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) asks: Vec<Level>,
    pub(crate) bids: Vec<Level>,
}

/// A snapshot and what is gathered since always join: both are of the book as it was last told.
#[derive(Debug)]
pub(super) struct Depth {
    /// The number of the last change told.
    pub(super) seqnum: u64,
    /// When the last change told had happened.
    pub(super) ts: u64,
    told: [Levels; 2],
    gathered: [Levels; 2],
    gathered_ts: u64,
}

fn index(side: Side) -> usize {
    match side {
        Side::Sell => 0,
        Side::Buy => 1,
    }
}

fn sides(asks: impl Iterator<Item = Level>, bids: impl Iterator<Item = Level>) -> Sides {
    Sides { asks: asks.collect(), bids: bids.collect() }
}

fn level((price, size): (&Fixed, &Fixed)) -> Level {
    Level { price: *price, size: *size }
}

impl Depth {
    pub(super) fn new(seqnum: u64, now: u64) -> Self {
        Self { seqnum, ts: now, told: Default::default(), gathered: Default::default(), gathered_ts: now }
    }

    /// The engine's book changed.
    pub(super) fn change(&mut self, change: &LevelChange) {
        self.gathered_ts = change.time;
        if let Some(levels) = self.gathered.get_mut(index(change.side)) {
            levels.insert(change.level.price, change.level.size);
        }
    }

    /// What is different from what was last told, under the next number; `None` when nothing is.
    pub(super) fn gather(&mut self) -> Option<Sides> {
        if self.gathered.iter().all(Levels::is_empty) {
            return None;
        }
        let mut changed = false;
        for (gathered, told) in self.gathered.iter_mut().zip(&mut self.told) {
            gathered.retain(|price, size| told.get(price).copied().unwrap_or_default() != *size);
            for (price, size) in gathered.iter() {
                if size.is_zero() {
                    told.remove(price);
                } else {
                    told.insert(*price, *size);
                }
            }
            changed |= !gathered.is_empty();
        }
        let [asks, bids] = std::mem::take(&mut self.gathered);
        if !changed {
            return None;
        }
        self.seqnum += 1;
        self.ts = self.gathered_ts;
        Some(sides(asks.iter().map(level), bids.iter().rev().map(level)))
    }

    /// The book as last told, up to so many levels a side.
    pub(super) fn snapshot(&self, levels: usize) -> Sides {
        let [asks, bids] = &self.told;
        sides(asks.iter().take(levels).map(level), bids.iter().rev().take(levels).map(level))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Symbol;
    use proptest::prelude::*;

    fn change(side: Side, price: i128, size: i128, time: u64) -> LevelChange {
        let level = Level { price: Fixed::from_units(price), size: Fixed::from_units(size) };
        LevelChange { symbol: Symbol::new("A/B").unwrap(), side, level, time }
    }

    fn apply(book: &mut [Levels; 2], sides: &Sides) {
        for (levels, changes) in book.iter_mut().zip([&sides.asks, &sides.bids]) {
            for level in changes {
                if level.size.is_zero() {
                    assert!(levels.remove(&level.price).is_some(), "a removal of what was not told");
                } else {
                    assert_ne!(levels.insert(level.price, level.size), Some(level.size), "a change of nothing");
                }
            }
        }
    }

    #[test]
    fn what_comes_and_goes_between_two_tellings_is_not_told() {
        let mut depth = Depth::new(7, 0);
        depth.change(&change(Side::Buy, 10, 5, 1));
        depth.change(&change(Side::Buy, 10, 0, 2));
        assert_eq!(depth.gather(), None);
        assert_eq!((depth.seqnum, depth.ts), (7, 0));
        for (price, size) in [(10, 1), (12, 2), (11, 3)] {
            depth.change(&change(Side::Buy, price, size, 3));
            depth.change(&change(Side::Sell, price + 10, size, 4));
        }
        let told = depth.gather().unwrap();
        let prices = |levels: &[Level]| levels.iter().map(|l| l.price.units()).collect::<Vec<_>>();
        assert_eq!((prices(&told.asks), prices(&told.bids)), (vec![20, 21, 22], vec![12, 11, 10]));
        assert_eq!((depth.seqnum, depth.ts), (8, 4));
        assert_eq!(depth.snapshot(500), told);
        assert_eq!(prices(&depth.snapshot(1).bids), [12]);
    }

    proptest! {
        #[test]
        fn every_snapshot_joins_with_the_changes_after_it(
            rounds in proptest::collection::vec(proptest::collection::vec((0..8i128, 0..3i128, 0..2usize), 0..6), 1..20),
            asked in 0..20usize,
        ) {
            let mut depth = Depth::new(0, 0);
            let mut truth: [Levels; 2] = Default::default();
            let mut book = None;
            for (n, changes) in rounds.iter().enumerate() {
                if n == asked {
                    let mut new: [Levels; 2] = Default::default();
                    apply(&mut new, &depth.snapshot(500));
                    book = Some((depth.seqnum, new));
                }
                for (price, size, side) in changes {
                    let (price, size) = (*price, *size);
                    let levels = &mut truth[*side];
                    levels.insert(Fixed::from_units(price), Fixed::from_units(size));
                    levels.retain(|_, size| !size.is_zero());
                    depth.change(&change([Side::Sell, Side::Buy][*side], price, size, n as u64));
                }
                if let Some(sides) = depth.gather() && let Some((seqnum, book)) = &mut book {
                    *seqnum += 1;
                    prop_assert_eq!(*seqnum, depth.seqnum);
                    apply(book, &sides);
                }
            }
            if let Some((_, book)) = book {
                prop_assert_eq!(book, truth);
            }
        }
    }
}
