//! How far trading has driven the price from where it would be without.

use crate::sandbox::engine::Side;
use crate::sandbox::market::price::Random;

/// The whole, of which the parts here are.
const WHOLE: i128 = 1_000_000_000;
/// What a usual order drives the price by: 0.3 of a ten-thousandth.
const PUSH: i128 = 30_000;
/// What one trade can do at most, in usual orders.
const LARGEST: i128 = 10;
/// How far it can come: two in a hundred.
const MOST: i128 = WHOLE / 50;
/// The part of it that is gone after each move. What trades did is half gone after 100 s, what news did after an hour.
const OF_TRADES: i128 = 1_500;
const OF_NEWS: i128 = 52_000;

#[derive(Debug, Default)]
pub(super) struct Drive {
    trades: i128,
    news: i128,
}

impl Drive {
    /// Lets time go by, one move's worth.
    pub(super) fn relax(&mut self) {
        self.trades -= self.trades / OF_TRADES;
        self.news -= self.news / OF_NEWS;
    }

    /// Someone took. `usual`: how much, in thousandths of a usual order.
    pub(super) fn push(&mut self, side: Side, usual: i128) {
        let push = PUSH * usual.min(LARGEST * 1_000) / 1_000;
        self.trades += if side == Side::Buy { push } else { -push };
        self.trades = self.trades.clamp(-MOST, MOST);
    }

    /// News: one and a half to six thousandths, either way.
    pub(super) fn news(&mut self, random: &mut Random) {
        let jump = WHOLE * (15 + i128::from(random.below(46))) / 10_000;
        self.news += if random.chance(500) { jump } else { -jump };
        self.news = self.news.clamp(-MOST, MOST);
    }

    /// The price that a price has become, both in ticks.
    pub(super) fn apply(&self, value: i128) -> i128 {
        value + value * (self.trades + self.news) / WHOLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takers_drive_the_price_their_way_and_time_brings_it_back() {
        let mut drive = Drive::default();
        assert_eq!(drive.apply(1_000_000), 1_000_000);
        (0..100).for_each(|_| drive.push(Side::Buy, 1_000));
        assert_eq!(drive.apply(1_000_000), 1_003_000);
        (0..1_000).for_each(|_| drive.relax());
        assert!((1_001_400..1_001_600).contains(&drive.apply(1_000_000)));
        (0..100).for_each(|_| drive.push(Side::Sell, i128::MAX / PUSH));
        assert_eq!(drive.apply(1_000_000), 980_000, "and no further");
    }

    #[test]
    fn news_moves_it_at_once() {
        let mut random = Random::new(1);
        let mut seen = [false; 2];
        for _ in 0..100 {
            let mut drive = Drive::default();
            drive.news(&mut random);
            let moved = drive.apply(1_000_000) - 1_000_000;
            assert!((1_500..=6_000).contains(&moved.abs()));
            seen[usize::from(moved > 0)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }
}
