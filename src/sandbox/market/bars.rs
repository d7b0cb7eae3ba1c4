//! Bars of every interval, all made of bars of a minute.

use super::Symbol;
use super::price::{Path, blend, hash, mix};
use crate::sandbox::clock::{DAY, HOUR, MINUTE};
use crate::sandbox::engine::Fixed;

/// The length of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    /// The protocol's name.
    pub(crate) name: &'static str,
    /// Its length in ms; of a month 30 days, as the protocol says, though its bars are those of the calendar.
    pub(crate) millis: u64,
}

const fn minutes(name: &'static str, minutes: u64) -> Interval {
    Interval { name, millis: minutes * MINUTE }
}

/// All intervals, shortest first.
pub(crate) const INTERVALS: [Interval; 12] = [
    minutes("1", 1),
    minutes("5", 5),
    minutes("15", 15),
    minutes("30", 30),
    minutes("60", 60),
    minutes("120", 120),
    minutes("240", 240),
    minutes("360", 360),
    minutes("720", 720),
    minutes("1d", 1_440),
    minutes("1w", 7 * 1_440),
    minutes("1m", 30 * 1_440),
];

impl Interval {
    /// An interval by its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        INTERVALS.into_iter().find(|interval| interval.name == name)
    }

    /// When the bar begins that this time is in. Weeks begin on Monday, months on their first.
    pub(crate) fn start(self, time: u64) -> u64 {
        match self.name {
            "1m" => month_start(time),
            // The first Monday of the epoch was its fifth day.
            "1w" => {
                let monday = 4 * DAY;
                time.saturating_sub(time.saturating_sub(monday) % self.millis)
            }
            _ => time - time % self.millis,
        }
    }

    /// When the bar ends that begins then.
    pub(crate) fn end(self, start: u64) -> u64 {
        match self.name {
            // 31 days later it is the next month, wherever the start is.
            "1m" => month_start(start + 31 * DAY),
            _ => start + self.millis,
        }
    }
}

/// When the month began that this time is in.
fn month_start(time: u64) -> u64 {
    let days = time / DAY;
    (days - (day_of_month(days) - 1)) * DAY
}

/// The day of the month, 1 to 31, of a day since the epoch.
fn day_of_month(days: u64) -> u64 {
    // Counted from the first of March of the year 0, so that a leap day is the last day of its year.
    let day_of_era = (days + 719_468) % 146_097;
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    day_of_year - (153 * month + 2) / 5 + 1
}

/// Open, high, low and close, and the volume in the base asset, of one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bar {
    /// When it begins.
    pub(crate) start: u64,
    pub(crate) open: Fixed,
    pub(crate) high: Fixed,
    pub(crate) low: Fixed,
    pub(crate) close: Fixed,
    pub(crate) volume: Fixed,
}

impl Bar {
    fn flat(start: u64, price: Fixed) -> Self {
        Self { start, open: price, high: price, low: price, close: price, volume: Fixed::ZERO }
    }

    /// Adds what came right after.
    fn append(&mut self, next: &Bar) {
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume += next.volume;
    }
}

/// What one product did before anyone looked: made up hour by hour, but always the same.
#[derive(Debug, Clone)]
pub(super) struct Past {
    seed: u64,
    base: Path,
    quote: Path,
    tick: i128,
    lot: i128,
    /// About the volume of a minute, in lots.
    usual_lots: u64,
}

/// An hour of the past, in ticks.
struct Hour {
    drawn: u64,
    open: i128,
    high: i128,
    low: i128,
    close: i128,
    /// The volume of each minute before it is varied, in lots.
    lots: u64,
}

impl Past {
    pub(super) fn new(
        seed: u64,
        symbol: Symbol,
        [base, quote]: [Path; 2],
        [tick, lot]: [Fixed; 2],
        usual_lots: u64,
    ) -> Self {
        let (tick, lot) = (tick.units().max(1), lot.units().max(1));
        Self { seed: blend(seed, hash(symbol.as_str())), base, quote, tick, lot, usual_lots }
    }

    /// Where the price is at a time, in ticks, at least 10 so that there is room for bids.
    pub(super) fn ticks(&self, time: u64) -> i128 {
        let one = 10i128.pow(Fixed::SCALE);
        (self.base.at(time).units() * one / (self.quote.at(time).units() * self.tick).max(1)).max(10)
    }

    fn bar(&self, start: u64, [open, high, low, close]: [i128; 4], lots: u64) -> Bar {
        let price = |ticks| Fixed::from_units(ticks * self.tick);
        let volume = Fixed::from_units(i128::from(lots) * self.lot);
        Bar { start, open: price(open), high: price(high), low: price(low), close: price(close), volume }
    }

    fn hour(&self, start: u64) -> Hour {
        let (open, close) = (self.ticks(start), self.ticks(start + HOUR));
        let drawn = mix(self.seed ^ start);
        // Two to seven thousandths beyond what the ends say.
        let wick = |bits: u64| open * i128::from(2_000 + bits % 5_000) / 1_000_000;
        let high = open.max(close) + wick(drawn);
        let low = (open.min(close) - wick(drawn >> 16)).max(1);
        let lots = self.usual_lots / 2 + (drawn >> 32) % self.usual_lots.max(1) + 1;
        Hour { drawn, open, high, low, close, lots }
    }

    /// The bar of a whole hour.
    fn hour_bar(&self, start: u64) -> Bar {
        let Hour { open, high, low, close, lots, .. } = self.hour(start);
        self.bar(start, [open, high, low, close], 60 * lots)
    }

    /// The bars of its minutes, which make up the hour exactly.
    fn minutes_of(&self, start: u64) -> impl Iterator<Item = Bar> {
        let hour = self.hour(start);
        let (peak, trough) = (hour.drawn % 60, (hour.drawn >> 8) % 60);
        let mut next = hour.open;
        (0..60).map(move |n| {
            let at = start + n * MINUTE;
            let end = if n == 59 { hour.close } else { self.ticks(at + MINUTE).clamp(hour.low, hour.high) };
            let open = std::mem::replace(&mut next, end);
            let high = if n == peak { hour.high } else { open.max(end) };
            let low = if n == trough { hour.low } else { open.min(end) };
            // What a minute has more its opposite in the hour has less.
            let varied = mix(hour.drawn ^ n.min(59 - n)) % hour.lots;
            let lots = if n < 30 { hour.lots + varied } else { hour.lots - varied };
            self.bar(at, [open, high, low, end], lots)
        })
    }

    /// The bars of the minutes that begin within `from..to`.
    fn minutes(&self, from: u64, to: u64) -> impl Iterator<Item = Bar> {
        let first = from - from % HOUR;
        let hours = (0..to.saturating_sub(first).div_ceil(HOUR)).map(move |n| first + n * HOUR);
        hours.flat_map(|hour| self.minutes_of(hour)).filter(move |bar| from <= bar.start && bar.start < to)
    }
}

/// All bars of one product: made up before its first minute here, traded from then on.
#[derive(Debug)]
pub(super) struct History {
    past: Past,
    /// Before this there is nothing.
    listed: u64,
    /// When the first kept minute begins.
    first: u64,
    /// When the newest minute begins.
    newest: u64,
    /// The first minute, and each in which there were trades since; the others are flat.
    kept: Vec<Bar>,
}

impl History {
    /// `listed`, a whole minute, is when it began to trade. The present begins with the minute of `now`; what is before
    /// is made up when asked for.
    pub(super) fn new(past: Past, listed: u64, now: u64) -> Self {
        let first = now - now % MINUTE;
        // Where the past ends the present begins.
        let price = past.minutes(first, first + MINUTE).next().map_or(Fixed::ZERO, |bar| bar.open);
        Self { past, listed, first, newest: first, kept: vec![Bar::flat(first, price)] }
    }

    /// The price of the last trade, or where the made-up past ended.
    #[cfg(test)]
    fn last(&self) -> Fixed {
        self.kept.last().map_or(Fixed::ZERO, |bar| bar.close)
    }

    /// Lets time come as far as `now`. Whether a new minute began.
    pub(super) fn advance(&mut self, now: u64) -> bool {
        let minute = now - now % MINUTE;
        let begins = minute > self.newest;
        self.newest = self.newest.max(minute);
        begins
    }

    /// A trade.
    pub(super) fn trade(&mut self, time: u64, price: Fixed, quantity: Fixed) {
        self.advance(time);
        let trade = Bar { volume: quantity, ..Bar::flat(self.newest, price) };
        match self.kept.last_mut() {
            Some(bar) if bar.start == self.newest && !bar.volume.is_zero() => bar.append(&trade),
            // The first trade of a minute opens it.
            Some(bar) if bar.start == self.newest => *bar = trade,
            _ => self.kept.push(trade),
        }
    }

    /// Bars that make up `from..to`, oldest first: hours where they are made up and whole, minutes elsewhere, without
    /// those that are flat, but for the first.
    fn pieces(&self, from: u64, to: u64) -> impl Iterator<Item = Bar> {
        let from = from.max(self.listed);
        let end = to.min(self.first);
        // The whole hours of what is made up; without one, everything before is minutes.
        let (first, last) = (from.next_multiple_of(HOUR).min(end), end - end % HOUR);
        let hours = (0..last.saturating_sub(first) / HOUR).map(move |n| self.past.hour_bar(first + n * HOUR));
        let before = self.past.minutes(from, first);
        let after = self.past.minutes(first.max(last).max(from), end);
        let from = from.max(self.first);
        let (older, newer) = self.kept.split_at(self.kept.partition_point(|bar| bar.start < from));
        let is_flat = from < to && newer.first().is_none_or(|bar| bar.start > from);
        let flat = older.last().filter(|_| is_flat).map(|bar| Bar::flat(from, bar.close));
        let kept = newer.iter().take_while(move |bar| bar.start < to).copied();
        before.chain(hours).chain(after).chain(flat).chain(kept)
    }

    /// The bar of everything from `from` up to, without, `to`, both whole minutes; `None` where there was nothing yet.
    pub(super) fn stretch(&self, from: u64, to: u64) -> Option<Bar> {
        let mut pieces = self.pieces(from, to);
        let mut bar = Bar { start: from, ..pieces.next()? };
        pieces.for_each(|piece| bar.append(&piece));
        Some(bar)
    }

    /// The bar of an interval that begins then.
    pub(super) fn bar(&self, interval: Interval, start: u64) -> Option<Bar> {
        self.stretch(start, interval.end(start))
    }

    /// The last bars, at most `count`, that begin within `from..=to`; oldest first.
    pub(super) fn bars(&self, interval: Interval, from: u64, to: u64, count: usize) -> Vec<Bar> {
        let mut starts = Vec::new();
        let mut start = interval.start(to.min(self.newest));
        while starts.len() < count && start >= from && interval.end(start) > self.listed {
            starts.push(start);
            let Some(before) = start.checked_sub(1) else { break };
            start = interval.start(before);
        }
        starts.iter().rev().filter_map(|start| self.bar(interval, *start)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_012_345;

    fn fixed(units: i128) -> Fixed {
        Fixed::from_units(units * 10i128.pow(12))
    }

    fn history() -> History {
        let path = |asset: &str, centre| Path::new(1, asset, fixed(centre));
        let (tick, lot) = (Fixed::from_units(10i128.pow(10)), Fixed::from_units(10i128.pow(9)));
        let symbol = Symbol::new("ETH/USDT").unwrap();
        let past = Past::new(1, symbol, [path("ETH", 2_380), path("USDT", 1)], [tick, lot], 1_000);
        History::new(past, 1_600_000_000_000, NOW)
    }

    fn date(time: u64) -> u64 {
        day_of_month(time / DAY)
    }

    #[test]
    fn bars_begin_where_the_calendar_says() {
        let start = |name: &str, time| Interval::named(name).unwrap().start(time);
        // 2023-11-14 22:13:32 UTC, a Tuesday.
        assert_eq!(start("1", NOW), 1_699_999_980_000);
        assert_eq!(start("60", NOW), 1_699_999_200_000);
        assert_eq!(start("1d", NOW), 1_699_920_000_000);
        assert_eq!(start("1w", NOW), 1_699_833_600_000);
        assert_eq!(start("1m", NOW), 1_698_796_800_000);
        assert_eq!(Interval::named("2"), None);
        let month = Interval::named("1m").unwrap();
        let mut at = 0;
        // 1970 to 2069 have 1200 months, each of which begins on its first.
        for _ in 0..1_200 {
            assert_eq!((date(at), month.start(at), month.start(month.end(at) - 1)), (1, at, at));
            at = month.end(at);
        }
        assert_eq!(at, 3_155_760_000_000);
    }

    #[test]
    fn longer_bars_are_made_of_shorter_ones() {
        let history = history();
        let minute = Interval::named("1").unwrap();
        for name in ["5", "60", "240", "1d"] {
            let interval = Interval::named(name).unwrap();
            let bars = history.bars(interval, 0, NOW, 4);
            assert_eq!(bars.len(), 4);
            for bar in bars {
                let parts = history.bars(minute, bar.start, interval.end(bar.start) - 1, usize::MAX);
                assert_eq!((bar.open, bar.close), (parts[0].open, parts[parts.len() - 1].close));
                assert_eq!(Some(bar.high), parts.iter().map(|part| part.high).max());
                assert_eq!(Some(bar.low), parts.iter().map(|part| part.low).min());
                assert_eq!(bar.volume, parts.iter().map(|part| part.volume).sum());
            }
        }
    }

    #[test]
    fn bars_follow_each_other_and_close_where_the_next_opens() {
        let history = history();
        let bars = history.bars(Interval::named("15").unwrap(), 0, NOW, 500);
        assert_eq!(bars.len(), 500);
        for pair in bars.windows(2) {
            assert_eq!(pair[0].start + 15 * MINUTE, pair[1].start);
            assert_eq!(pair[0].close, pair[1].open);
        }
        for bar in &bars {
            assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close));
            assert!(bar.low.is_positive() && bar.volume.is_positive());
        }
    }

    #[test]
    fn ranges_hold_and_nothing_is_before_the_listing() {
        let history = history();
        let hour = Interval::named("60").unwrap();
        let starts =
            |from, to, count| -> Vec<u64> { history.bars(hour, from, to, count).iter().map(|bar| bar.start).collect() };
        let at = 1_699_999_200_000;
        assert_eq!(starts(at, at, 10), [at]);
        assert_eq!(starts(at + 1, NOW, 10), [0; 0]);
        assert_eq!(starts(at - 1, u64::MAX, 10), [at]);
        assert_eq!(starts(0, at, 2), [at - hour.millis, at]);
        assert_eq!(starts(at, at - 1, 10), [0; 0]);
        let all = history.bars(Interval::named("1m").unwrap(), 0, NOW, 500);
        assert_eq!(all[0].start, Interval::named("1m").unwrap().start(1_600_000_000_000));
        assert_eq!(all.len(), 39);
    }

    #[test]
    fn trades_make_the_newest_bar_and_minutes_without_are_flat() {
        let mut history = history();
        let last = history.last();
        let minute = Interval::named("1").unwrap();
        history.trade(NOW + 1, fixed(2_000), fixed(1));
        history.trade(NOW + 2, fixed(3_000), fixed(2));
        history.trade(NOW + 3, fixed(2_500), fixed(1));
        let bar = history.bars(minute, 0, NOW, 1)[0];
        assert_eq!((bar.open, bar.high, bar.low), (fixed(2_000), fixed(3_000), fixed(2_000)));
        assert_eq!((bar.close, bar.volume), (fixed(2_500), fixed(4)));
        assert_ne!(last, history.last());
        assert!(history.advance(NOW + 2 * MINUTE));
        assert!(!history.advance(NOW + 2 * MINUTE + 1));
        let bars = history.bars(minute, 0, u64::MAX, 2);
        assert_eq!(bars[1], Bar::flat(bars[1].start, fixed(2_500)));
        history.advance(NOW + 10 * MINUTE);
        let bars = history.bars(minute, 0, u64::MAX, 3);
        assert_eq!(bars[2], Bar::flat(minute.start(NOW) + 10 * MINUTE, fixed(2_500)));
        // What was not traded shows no volume, in bars of any length.
        let long = history.stretch(minute.start(NOW), NOW + 11 * MINUTE).unwrap();
        assert_eq!((long.open, long.close, long.volume), (fixed(2_000), fixed(2_500), fixed(4)));
        let idle = history.stretch(minute.start(NOW) + 5 * MINUTE, NOW + 11 * MINUTE).unwrap();
        assert_eq!(idle, Bar::flat(minute.start(NOW) + 5 * MINUTE, fixed(2_500)));
    }
}
