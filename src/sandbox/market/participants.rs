//! The market's own participants in one product: two makers that quote, and takers that trade against whatever is
//! there, some at random, some after the trend, some against it. They place orders as anyone does, and see what anyone
//! sees, but for one thing: where the price would be without them ([`Path`](super::price::Path)).
//!
//! Around that the market makes its own price: who takes drives it on ([`Drive`]), more and longer than would be
//! without those that follow. News, now and then, moves it by several thousandths at once, through whatever rests there.

mod drive;
mod floor;
mod maker;
mod mood;

use super::price::Random;
use crate::sandbox::engine::{AccountId, Engine, ProductSpec, Side, TimeInForce, Trade, UserSettings};
use drive::Drive;
use floor::{Floor, note};
use maker::Maker;
use mood::Mood;

use rust_decimal::Decimal;

/// What each participant has of each asset: enough for ever.
const WEALTH: i64 = 1_000_000_000_000;
/// News comes once in so many moves: 20 minutes, about.
const NEWS: u64 = 12_000;
/// How far the fast and the slow average lie behind, in moves: 5 s, and a minute.
const FAST: i128 = 50;
const SLOW: i128 = 600;
/// The averages are kept in this part of a tick.
const FINE: i128 = 1 << 16;

/// All participants in one product.
#[derive(Debug)]
pub(super) struct Participants {
    floor: Floor,
    /// Quotes a few levels close to the price, and renews them all the time.
    near: Maker,
    /// Quotes the rest of the book.
    deep: Maker,
    noise: AccountId,
    trend: AccountId,
    reversion: AccountId,
    mood: Mood,
    drive: Drive,
    /// The fast and the slow average of the price, in parts of ticks.
    averages: Option<[i128; 2]>,
    /// How often there is a trade in usual times, in a thousand moves.
    activity: u64,
    /// Where little goes on, all move in every third or sixth step only.
    pace: u64,
    steps: u64,
}

impl Participants {
    /// `usual_lots`: about what an order is of; `activity`: how often there is a trade, in a thousand moves.
    pub(super) fn new(
        engine: &mut Engine,
        spec: &ProductSpec,
        usual_lots: u64,
        activity: u32,
        random: Random,
        now: u64,
    ) -> Self {
        let mut participant = |open_orders| {
            let settings =
                UserSettings { open_orders, closed_orders: 1, internal: true, silent: true, ..UserSettings::default() };
            let account = engine.add_user(settings).cash();
            for asset in [spec.base, spec.quote] {
                note(engine.deposit(account, asset, Decimal::from(WEALTH), now));
            }
            account
        };
        Self {
            near: Maker::near(participant(maker::MOST_ORDERS), activity >= 100),
            deep: Maker::deep(participant(maker::MOST_ORDERS)),
            noise: participant(4),
            trend: participant(4),
            reversion: participant(4),
            floor: Floor::new(spec, usual_lots, random),
            mood: Mood::default(),
            drive: Drive::default(),
            averages: None,
            activity: u64::from(activity),
            pace: if activity >= 100 {
                1
            } else if activity >= 50 {
                3
            } else {
                6
            },
            steps: 0,
        }
    }

    /// One move of everyone. `value`: where the price would be without them, in ticks.
    pub(super) fn step(&mut self, engine: &mut Engine, value: i128, now: u64) {
        self.steps += 1;
        self.mood = self.mood.next(&mut self.floor.random);
        self.drive.relax();
        let before = self.drive.apply(value);
        if self.steps > 1 && self.floor.random.one_in(NEWS) {
            self.drive.news(&mut self.floor.random);
            self.mood = Mood::Burst;
            self.sweep(engine, before, self.drive.apply(value), now);
        } else if !(self.steps - 1).is_multiple_of(self.pace) {
            return;
        }
        let fair = self.drive.apply(value);
        let reach = (fair * self.mood.width() / 400_000).max(4);
        self.near.quote(engine, &mut self.floor, fair, [1, reach], now);
        let far = (fair / 50).max(4 * maker::LADDER as i128);
        self.deep.quote(engine, &mut self.floor, fair, [(fair / 4_000).max(4), far], now);
        self.watch(engine, fair);
        if self.floor.random.below(100_000) < self.activity * self.pace * self.mood.activity() {
            self.take(engine, fair, now);
        }
    }

    /// Takes note of a trade, no matter whose.
    pub(super) fn saw(&mut self, trade: &Trade) {
        let side = if trade.buyer_is_maker { Side::Sell } else { Side::Buy };
        self.drive.push(side, self.floor.usual(trade.quantity));
    }

    /// Those who heard the news first take all they can get up to the new price.
    fn sweep(&mut self, engine: &mut Engine, before: i128, fair: i128, now: u64) {
        let side = if fair > before { Side::Buy } else { Side::Sell };
        let lots = self.floor.usual_lots * (5 + self.floor.random.below(20));
        self.floor.place(engine, self.trend, (side, fair.max(1), lots), TimeInForce::Ioc, now);
    }

    /// Follows the price.
    fn watch(&mut self, engine: &Engine, fair: i128) {
        let mid = engine.bbo(self.floor.symbol).and_then(|bbo| {
            let sum = bbo.bid?.price + bbo.ask?.price;
            Some(sum.units() * (FINE / 2) / self.floor.tick_units)
        });
        let price = mid.unwrap_or(fair * FINE);
        let averages = self.averages.get_or_insert([price; 2]);
        for (average, behind) in averages.iter_mut().zip([FAST, SLOW]) {
            *average += (price - *average) * self.pace as i128 / behind;
        }
    }

    /// One of the takers takes.
    fn take(&mut self, engine: &mut Engine, fair: i128, now: u64) {
        let [fast, slow] = self.averages.unwrap_or([fair * FINE; 2]);
        // How far the price has moved, in millionths.
        let moved = (fast - slow) * 1_000_000 / slow.max(1);
        let upwards = |far: i128| (moved.abs() > far).then_some(moved > 0);
        let (account, view, times) = match self.floor.random.below(10) {
            0..5 => (self.noise, None, 2),
            5..8 => (self.trend, upwards(20), 3),
            _ => (self.reversion, upwards(100).map(|up| !up), 3),
        };
        // Who sees nothing to act on has other reasons.
        let buys = view.unwrap_or_else(|| self.floor.random.chance(500));
        // As far as they would follow the price: a thousandth.
        let away = 1 + fair / 1_000;
        let (side, ticks) = if buys { (Side::Buy, fair + away) } else { (Side::Sell, (fair - away).max(1)) };
        let lots = self.floor.lots(times);
        self.floor.place(engine, account, (side, ticks, lots), TimeInForce::Ioc, now);
    }
}
