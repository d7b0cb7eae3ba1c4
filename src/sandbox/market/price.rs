//! Where the market would be at any time: a pure function of seed, asset and time, in whole numbers.
//!
//! The logarithm of a real price is about a random walk. This is one without memory: noise of every duration from
//! seconds to weeks added up, each duration twice as long as the one before moving the price √2 times as far. So any
//! past can be had without computing what lies between, and the price never leaves a band around its beginning.

use serde::{Deserialize, Serialize};

use crate::sandbox::engine::Fixed;

/// The shortest duration is two to the power of this in ms: 4 s.
const SHORTEST: u32 = 12;
/// How many durations, each twice the one before; the longest is 12 days.
const DURATIONS: usize = 19;
/// How far the shortest moves the price, in millionths, at most. All together: about a third.
const STEP: i64 = 200;

/// A small generator of numbers that look random (SplitMix64).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The bias of this is of no concern here.
        self.next() % bound.max(1)
    }

    /// True once in `many` times.
    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// True so many times in a thousand.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// Stirs a number until it looks random.
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// One number of two, so that what is drawn for one purpose says nothing of another.
pub(crate) fn blend(a: u64, b: u64) -> u64 {
    mix(mix(a) ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// A number of a text (FNV-1a).
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01B3))
}

/// The way of one asset's price in USDT.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// Around which it moves.
    centre: Fixed,
    /// What the noise of each duration is drawn from; none for what everything is measured in.
    keys: Vec<u64>,
}

impl Path {
    pub(super) fn new(seed: u64, asset: &str, centre: Fixed) -> Self {
        let durations = if asset == "USDT" { 0 } else { DURATIONS };
        let seed = blend(seed, hash(asset));
        Self { centre, keys: (0..durations).map(|n| blend(seed, n as u64)).collect() }
    }

    /// The price at a time, UTC ms.
    pub(super) fn at(&self, time: u64) -> Fixed {
        let mut millionths = 0;
        // √2 to the power of n times the first, two by two.
        let mut reaches = [STEP, STEP * 1_414 / 1_000];
        let mut shift = SHORTEST;
        for pair in self.keys.chunks(2) {
            for (key, reach) in pair.iter().zip(&mut reaches) {
                let (slot, into) = (time >> shift, (time & ((1 << shift) - 1)) as i64);
                let value = |slot| (((mix(key ^ slot) >> 32) as i64 * (2 * *reach + 1)) >> 32) - *reach;
                let (from, to) = (value(slot), value(slot + 1));
                millionths += from + (((to - from) * into) >> shift);
                *reach *= 2;
                shift += 1;
            }
        }
        Fixed::from_units(self.centre.units() * i128::from(1_000_000 + millionths) / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::clock::DAY;

    fn path(seed: u64) -> Path {
        Path::new(seed, "BTC", Fixed::from_units(61_000 * 10i128.pow(12)))
    }

    const START: u64 = 1_700_000_000_000;

    #[test]
    fn the_price_is_that_of_seed_and_time() {
        assert_eq!(path(1).at(START), path(1).at(START));
        assert_ne!(path(1).at(START), path(2).at(START));
        assert_ne!(path(1).at(START), path(1).at(START + 10_000));
        let usdt = Path::new(1, "USDT", Fixed::from_units(10i128.pow(12)));
        assert_eq!(usdt.at(START), usdt.at(START + 1_000_000));
    }

    #[test]
    fn the_price_moves_by_little_in_a_second_and_stays_in_its_band() {
        for seed in 0..20 {
            let path = path(seed);
            let mut last = path.at(START).units();
            for second in 1..2_000 {
                let price = path.at(START + second * 1_000).units();
                assert!((price - last).abs() * 1_000 < last, "within a thousandth");
                last = price;
            }
            for day in 0..1_000 {
                let price = path.at(START - day * DAY).units();
                let centre = path.centre.units();
                assert!(price * 10 > centre * 6 && price * 10 < centre * 14, "day {day}: {price}");
            }
        }
    }
}
