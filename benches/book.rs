//! Changes to an order book near its top, the best bid and ask read after each, against two
//! `BTreeMap<Decimal, Decimal>`, which are given the levels only: no sequence numbers, no checks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;

use bitmax::model::{Depth, Level};
use bitmax::{BookChange, Decimal, OrderBook};
use criterion::Criterion;

/// A small generator (xorshift), so that every run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn depth(kind: &str, asks: Vec<Level>, bids: Vec<Level>) -> Depth {
    let level = |level: &Level| [level.price.to_string(), level.size.to_string()];
    let json = serde_json::json!({
        "m": kind,
        "symbol": "BTC/USDT",
        "data": {
            "ts": 1,
            "seqnum": 1,
            "asks": asks.iter().map(level).collect::<Vec<_>>(),
            "bids": bids.iter().map(level).collect::<Vec<_>>(),
        },
    });
    serde_json::from_str(&json.to_string()).unwrap()
}

const MID: i64 = 5_000_000;

fn bid(step: u64, size: u64) -> Level {
    Level { price: Decimal::new(MID - 1 - step as i64, 2), size: Decimal::new(size as i64, 4) }
}

fn ask(step: u64, size: u64) -> Level {
    Level { price: Decimal::new(MID + 1 + step as i64, 2), size: Decimal::new(size as i64, 4) }
}

/// A snapshot of so many levels a side.
fn snapshot(levels: u64) -> Depth {
    let random = &mut Random(0x9E37_79B9_7F4A_7C15);
    depth(
        "depth-snapshot",
        (0..levels).map(|step| ask(step, 1 + random.below(100_000))).collect(),
        (0..levels).map(|step| bid(step, 1 + random.below(100_000))).collect(),
    )
}

/// Changes of one level each, gathered near the top; a third removes. Drawn at random from a pool that stays in
/// the cache, so that no processor learns them by heart.
struct Changes {
    random: Random,
    pool: Vec<Depth>,
    seqnum: u64,
}

impl Changes {
    fn new() -> Self {
        let mut random = Random(0x2545_F491_4F6C_DD1D);
        let pool = (0..256)
            .map(|_| {
                // Of the product of three most are small.
                let step = (random.below(256) * random.below(256) * random.below(256)) >> 18;
                let size = if random.below(3) == 0 { 0 } else { 1 + random.below(100_000) };
                match random.below(2) {
                    0 => depth("depth", vec![ask(step, size)], vec![]),
                    _ => depth("depth", vec![], vec![bid(step, size)]),
                }
            })
            .collect();
        Self { random, pool, seqnum: 1 }
    }

    fn next(&mut self) -> &Depth {
        let change = &mut self.pool[self.random.next() as usize >> 20 & 255];
        self.seqnum += 1;
        change.seqnum = self.seqnum;
        black_box(change)
    }
}

/// One call applies one change and reads the top.
fn ours(levels: u64) -> impl FnMut() {
    let snapshot = snapshot(levels);
    let mut book = OrderBook::new(snapshot.symbol);
    book.apply(&snapshot).unwrap();
    let mut changes = Changes::new();
    move || {
        let done = book.apply(changes.next()).unwrap();
        assert_eq!(done, BookChange::Updated);
        black_box(&book.best_bid());
        black_box(&book.best_ask());
    }
}

/// The same with the standard library's sorted map.
fn maps(levels: u64) -> impl FnMut() {
    type Map = BTreeMap<Decimal, Decimal>;
    let snapshot = snapshot(levels);
    let map = |levels: &[Level]| levels.iter().map(|level| (level.price, level.size)).collect::<Map>();
    let (mut bids, mut asks) = (map(&snapshot.bids), map(&snapshot.asks));
    let set = |map: &mut Map, levels: &[Level]| {
        for level in levels {
            if level.size.is_zero() {
                map.remove(&level.price);
            } else {
                map.insert(level.price, level.size);
            }
        }
    };
    let mut changes = Changes::new();
    move || {
        let change = changes.next();
        set(&mut bids, &change.bids);
        set(&mut asks, &change.asks);
        black_box(&bids.last_key_value());
        black_box(&asks.first_key_value());
    }
}

/// What of the figures is the drawing of the changes.
fn nothing() -> impl FnMut() {
    let mut changes = Changes::new();
    move || {
        changes.next();
    }
}

fn main() {
    let sizes = [500, 5000];
    let mut criterion = Criterion::default().configure_from_args();
    for levels in sizes {
        let mut group = criterion.benchmark_group(format!("{levels} levels"));
        group.bench_function("OrderBook", |b| b.iter(ours(levels)));
        group.bench_function("BTreeMap", |b| b.iter(maps(levels)));
        group.finish();
    }
    criterion.final_summary();

    if common::measuring() {
        common::report();
        println!("{:<16}{:>16}{:>16}{:>16}", "levels a side", "OrderBook, ns", "BTreeMap, ns", "no book, ns");
        let ratios = sizes.map(|levels| {
            let [a, b, c] = common::medians([&mut ours(levels), &mut maps(levels), &mut nothing()]);
            println!("{levels:<16}{a:>16.1}{b:>16.1}{c:>16.1}");
            b / a
        });
        for (levels, ratio) in sizes.into_iter().zip(ratios) {
            common::ratio(&format!("book update, {levels} levels: two `BTreeMap` / `OrderBook`"), ratio, "≥ 3.0");
        }
    }
}
