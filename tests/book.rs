//! The order book, against a sorted map that is fed with the same levels.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use bitmax::model::{Depth, DepthKind, Level};
use bitmax::{BookChange, BookStatus, Decimal, Message, OrderBook, StaleReason};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

/// The straightforward book.
#[derive(Debug, Clone, Default, PartialEq)]
struct Reference {
    bids: BTreeMap<Decimal, Decimal>,
    asks: BTreeMap<Decimal, Decimal>,
}

fn pairs(levels: impl Iterator<Item = Level>) -> Vec<(Decimal, Decimal)> {
    levels.map(|level| (level.price, level.size)).collect()
}

impl Reference {
    fn set(&mut self, depth: &Depth) {
        for (side, levels) in [(&mut self.bids, &depth.bids), (&mut self.asks, &depth.asks)] {
            for level in levels {
                if level.size.is_zero() {
                    side.remove(&level.price)
                } else {
                    side.insert(level.price, level.size)
                };
            }
        }
    }

    fn check(&self, book: &OrderBook) {
        let bids: Vec<_> = self.bids.iter().rev().map(|(price, size)| (*price, *size)).collect();
        let asks: Vec<_> = self.asks.iter().map(|(price, size)| (*price, *size)).collect();
        assert_eq!(pairs(book.bids()), bids);
        assert_eq!(pairs(book.asks()), asks);
        assert_eq!(pairs(book.asks().rev()).last(), asks.first());
        let best = |level: Option<Level>| level.map(|l| (l.price, l.size));
        assert_eq!((best(book.best_bid()), best(book.best_ask())), (bids.first().copied(), asks.first().copied()));
        let top = bids.first().zip(asks.first());
        assert_eq!(book.spread(), top.map(|((bid, _), (ask, _))| ask - bid));
        assert_eq!(book.mid(), top.map(|((bid, _), (ask, _))| (ask + bid) / Decimal::TWO));
    }

    /// What a book says of several levels together, reckoned anew from all of them.
    fn check_sums(&self, book: &OrderBook, price: Decimal, quantity: Decimal, levels: usize) {
        let bids: Vec<_> = self.bids.iter().rev().map(|(price, size)| (*price, *size)).collect();
        let asks: Vec<_> = self.asks.iter().map(|(price, size)| (*price, *size)).collect();
        let total = |levels: &[(Decimal, Decimal)]| levels.iter().map(|(_, size)| size).sum::<Decimal>();
        let within = |levels: &[(Decimal, Decimal)], good: fn(&Decimal, &Decimal) -> bool| -> Decimal {
            levels.iter().filter(|(at, _)| good(at, &price)).map(|(_, size)| size).sum()
        };
        assert_eq!(book.bids().quantity_to(price), within(&bids, Decimal::ge));
        assert_eq!(book.asks().quantity_to(price), within(&asks, Decimal::le));
        let [bid, ask] = [&bids, &asks].map(|side| total(&side[..levels.min(side.len())]));
        assert_eq!(book.imbalance(levels), (bid + ask > Decimal::ZERO).then(|| (bid - ask) / (bid + ask)));
        for (side, levels) in [(book.bids(), bids), (book.asks(), asks)] {
            // Lots of 0.01, one after another.
            let lots = levels
                .iter()
                .flat_map(|(at, size)| (0..u32::try_from(*size * Decimal::ONE_HUNDRED).unwrap()).map(|_| *at));
            let count = u32::try_from(quantity * Decimal::ONE_HUNDRED).unwrap() as usize;
            let taken: Vec<Decimal> = lots.take(count).collect();
            let enough = count > 0 && taken.len() == count;
            assert_eq!(side.clone().price_for(quantity), taken.last().copied().filter(|_| enough));
            let average = enough.then(|| taken.iter().sum::<Decimal>() / Decimal::from(count));
            assert_eq!(side.vwap(quantity).map(|price| price.round_dp(20)), average.map(|price| price.round_dp(20)));
        }
    }
}

fn depth(
    kind: &str,
    seqnum: u64,
    bids: &[(impl Serialize, impl Serialize)],
    asks: &[(impl Serialize, impl Serialize)],
) -> Depth {
    let text = serde_json::json!({
        "m": kind, "symbol": "A/B", "data": { "ts": seqnum.saturating_add(1000), "seqnum": seqnum, "asks": asks, "bids": bids },
    })
    .to_string();
    let Message::Depth(depth) = Message::parse(&text).unwrap() else { panic!("{text}") };
    depth
}

const NONE: &[(&str, &str)] = &[];

fn snapshot(seqnum: u64) -> Depth {
    depth("depth-snapshot", seqnum, &[("9", "1"), ("8", "2")], &[("10", "3"), ("11", "4")])
}

fn change(seqnum: u64) -> Depth {
    depth("depth", seqnum, &[("9", &seqnum.to_string())], NONE)
}

fn new_book() -> OrderBook {
    OrderBook::new("A/B".try_into().unwrap())
}

fn live() -> OrderBook {
    let mut book = new_book();
    assert_eq!(book.apply(&snapshot(5)), Ok(BookChange::Built));
    book
}

fn makes_no_claims(book: &OrderBook) {
    assert!(!book.is_live() && book.needs_snapshot());
    assert_eq!((book.seqnum(), book.ts()), (None, None));
    assert_eq!((book.best_bid(), book.best_ask(), book.mid(), book.spread()), (None, None, None, None));
    assert_eq!(book.bids().count() + book.asks().count(), 0);
}

#[test]
fn changes_before_the_snapshot_are_kept_and_stale_ones_dropped() {
    let mut book = new_book();
    assert_eq!(book.status(), BookStatus::Waiting);
    for seqnum in 4..=7 {
        assert_eq!(book.apply(&change(seqnum)), Ok(BookChange::Kept));
        makes_no_claims(&book);
    }
    assert_eq!(book.apply(&snapshot(5)), Ok(BookChange::Built));
    assert_eq!((book.seqnum(), book.ts()), (Some(7), Some(1007)));
    assert_eq!(book.best_bid().unwrap().size, Decimal::from(7));
    for old in [change(7), change(2), snapshot(7), snapshot(3)] {
        assert_eq!(book.apply(&old), Ok(BookChange::Outdated));
    }
    assert_eq!(book.apply(&change(8)), Ok(BookChange::Updated));
    assert_eq!(book.apply(&snapshot(20)), Ok(BookChange::Built));
    assert_eq!(book.seqnum(), Some(20));
}

#[test]
fn a_gap_makes_it_stale_until_a_snapshot_reaches_the_kept_changes() {
    let mut book = live();
    assert_eq!(book.apply(&change(8)), Ok(BookChange::Lost));
    assert_eq!(book.status(), BookStatus::Stale(StaleReason::Gap { expected: 6, found: 8 }));
    makes_no_claims(&book);
    assert_eq!(book.apply(&change(9)), Ok(BookChange::Kept));
    // A snapshot from before the gap.
    assert_eq!(book.apply(&snapshot(6)), Ok(BookChange::Lost));
    assert_eq!(book.status(), BookStatus::Stale(StaleReason::Gap { expected: 7, found: 8 }));
    makes_no_claims(&book);
    assert_eq!(book.apply(&snapshot(7)), Ok(BookChange::Built));
    assert_eq!(book.seqnum(), Some(9));
}

#[test]
fn a_gap_among_the_kept_changes_is_noticed() {
    let mut book = new_book();
    for seqnum in [6, 7, 9, 10, 9] {
        assert_eq!(book.apply(&change(seqnum)), Ok(BookChange::Kept));
    }
    assert_eq!(book.apply(&snapshot(5)), Ok(BookChange::Lost));
    assert_eq!(book.status(), BookStatus::Stale(StaleReason::Gap { expected: 8, found: 9 }));
    assert_eq!(book.apply(&snapshot(8)), Ok(BookChange::Built));
    assert_eq!(book.seqnum(), Some(10));
}

#[test]
fn realtime_joins_the_same_way() {
    let mut book = new_book();
    let snapshot = depth("depth-snapshot-realtime", 33346, &[("0.043", "2720")], &[("0.045", "3350"), ("0.044", "1")]);
    assert_eq!(book.apply(&snapshot), Ok(BookChange::Built));
    assert_eq!(book.best_ask().unwrap().price.to_string(), "0.044");
    assert_eq!(book.apply(&depth("depth-realtime", 33347, NONE, &[("0.044", "0")])), Ok(BookChange::Updated));
    assert_eq!(book.best_ask().unwrap().price.to_string(), "0.045");
    assert_eq!(snapshot.kind, DepthKind::RealtimeSnapshot);
}

#[test]
fn a_crossed_book_is_lost() {
    for crossing in [("10", "1"), ("10.00", "1"), ("12", "1")] {
        let mut book = live();
        assert_eq!(book.apply(&depth("depth", 6, &[crossing], NONE)), Ok(BookChange::Lost));
        let BookStatus::Stale(StaleReason::Crossed { bid, ask }) = book.status() else { panic!("{book:?}") };
        assert_eq!((bid, ask), (crossing.0.parse().unwrap(), Decimal::TEN));
        makes_no_claims(&book);
        assert_eq!(book.apply(&change(7)), Ok(BookChange::Kept));
        assert_eq!(book.apply(&snapshot(6)), Ok(BookChange::Built));
        assert_eq!(book.seqnum(), Some(7));
    }
    // Only the end of a message counts.
    let mut book = live();
    let moved = depth("depth", 6, &[("10", "1")], &[("10", "0")]);
    assert_eq!(book.apply(&moved), Ok(BookChange::Updated));
    assert_eq!((book.mid().unwrap().to_string(), book.spread().unwrap()), ("10.5".to_owned(), Decimal::ONE));
}

#[test]
fn a_level_that_cannot_be_is_told() {
    for (price, size) in [("0", "1"), ("-9", "1"), ("9", "-1"), ("1e20", "1"), ("1e-20", "1"), ("1e-28", "1")] {
        let bad = Level { price: bitmax::parse_decimal(price).unwrap(), size: size.parse().unwrap() };
        let mut book = live();
        for message in [depth("depth", 6, &[(price, size)], NONE), depth("depth-snapshot", 6, NONE, &[(price, size)])] {
            assert_eq!(book.apply(&message), Ok(BookChange::Lost), "{price} {size}");
            assert_eq!(book.status(), BookStatus::Stale(StaleReason::BadLevel(bad)));
            makes_no_claims(&book);
            assert_eq!(book.apply(&snapshot(7)), Ok(BookChange::Built));
            book = live();
        }
    }
    // Each of them fits, both together do not.
    let mut book = live();
    let wide = depth("depth-snapshot", 9, &[("0.0000000000001", "1")], &[("900000000", "1")]);
    assert_eq!(book.apply(&wide), Ok(BookChange::Lost));
    // Zeros at the end are no digits, and minus zero is zero.
    let mut book = live();
    let zeros =
        depth("depth", 6, &[("9.500000000000000000000000000", "-0"), ("9.600000000000000000000000000", "1")], NONE);
    assert_eq!(book.apply(&zeros), Ok(BookChange::Updated));
    assert_eq!(book.best_bid().unwrap().price.to_string(), "9.6");
}

#[test]
fn zero_sizes_and_repeated_prices_of_a_snapshot() {
    let mut book = new_book();
    let odd =
        depth("depth-snapshot", 5, &[("8", "1"), ("9", "0"), ("8.0", "2"), ("7", "3")], &[("11", "1"), ("10", "2")]);
    assert_eq!(book.apply(&odd), Ok(BookChange::Built), "{:?}", book.status());
    let bids: Vec<_> = book.bids().map(|level| (level.price, level.size)).collect();
    assert_eq!(bids, [(8.into(), 2.into()), (7.into(), 3.into())]);
    assert_eq!(book.best_ask().unwrap().price, Decimal::TEN);
    // One side may well be empty.
    assert_eq!(book.apply(&depth("depth", 6, &[("8", "0"), ("7", "0")], NONE)), Ok(BookChange::Updated));
    assert_eq!((book.best_bid(), book.mid(), book.spread()), (None, None, None));
    assert!(book.is_live());
}

#[test]
fn another_product_is_refused() {
    let mut book = OrderBook::new("C/D".try_into().unwrap());
    assert_eq!(book.apply(&snapshot(5)).unwrap_err().field(), "symbol");
    assert_eq!(book.status(), BookStatus::Waiting);
}

#[test]
fn the_two_channels_do_not_mix() {
    let mut book = live();
    let realtime = [depth("depth-realtime", 6, NONE, NONE), depth("depth-snapshot-realtime", 6, NONE, NONE)];
    for message in &realtime {
        assert_eq!(book.apply(message).unwrap_err().field(), "m");
        assert_eq!(book.seqnum(), Some(5));
    }
    book.restart();
    assert_eq!(book.apply(&realtime[1]), Ok(BookChange::Built));
    assert_eq!(book.apply(&change(7)).unwrap_err().field(), "m");
    assert_eq!(book.apply(&depth("depth-realtime", 7, NONE, NONE)), Ok(BookChange::Updated));
}

#[test]
fn a_bounded_book_says_when_it_knows_no_more() {
    let mut book = OrderBook::bounded("A/B".try_into().unwrap(), 1);
    let bids = [("9", "1"), ("8", "1"), ("7", "1"), ("6", "1")];
    assert_eq!(book.apply(&depth("depth-snapshot", 1, &bids, &[("10", "1")])), Ok(BookChange::Built));
    assert_eq!(book.bids().map(|level| level.price).collect::<Vec<_>>(), [9.into(), 8.into()]);
    // What is beyond changes unseen.
    assert_eq!(book.apply(&depth("depth", 2, &[("7", "5")], NONE)), Ok(BookChange::Updated));
    assert_eq!(book.bids().count(), 2);
    assert_eq!(book.apply(&depth("depth", 3, &[("9", "0")], &[("10", "0"), ("11", "1")])), Ok(BookChange::Updated));
    assert_eq!(book.best_bid().unwrap().price, 8.into());
    assert_eq!(book.apply(&depth("depth", 4, &[("8", "0")], NONE)), Ok(BookChange::Lost));
    assert_eq!(book.status(), BookStatus::Stale(StaleReason::Exhausted));
    makes_no_claims(&book);
    // A side of which all is known may well be empty.
    assert_eq!(book.apply(&depth("depth-snapshot", 5, &[("7", "1")], &[("10", "1")])), Ok(BookChange::Built));
    assert_eq!(book.apply(&depth("depth", 6, &[("7", "0")], NONE)), Ok(BookChange::Updated));
    assert_eq!(book.best_bid(), None);
}

#[test]
fn sums_do_not_overflow() {
    let most = "9999999999999999999999999999";
    let mut book = new_book();
    let huge = depth("depth-snapshot", 1, &[("9", most), ("8", most)], &[("10", most), ("11", most)]);
    assert_eq!(book.apply(&huge), Ok(BookChange::Built));
    let size: Decimal = most.parse().unwrap();
    assert_eq!(book.bids().quantity_to(Decimal::ONE), size + size);
    assert_eq!((book.asks().price_for(size + Decimal::ONE), book.asks().vwap(size)), (Some(11.into()), None));
    assert_eq!(book.imbalance(9), Some(Decimal::ZERO));
    let many: Vec<_> = (1..20).map(|price| (price, most)).collect();
    assert_eq!(book.apply(&depth("depth-snapshot", 2, &many, NONE)), Ok(BookChange::Built));
    assert_eq!((book.bids().quantity_to(Decimal::ONE), book.imbalance(20)), (Decimal::MAX, None));
    assert_eq!((book.bids().price_for(Decimal::ZERO), book.bids().vwap(Decimal::NEGATIVE_ONE)), (None, None));
}

#[test]
fn a_restarted_book_takes_lower_numbers() {
    let mut book = live();
    book.restart();
    makes_no_claims(&book);
    assert_eq!(book.status(), BookStatus::Waiting);
    assert_eq!(book.apply(&snapshot(1)), Ok(BookChange::Built));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut book = new_book();
    for seqnum in 1..=5000 {
        assert_eq!(book.apply(&change(seqnum)), Ok(BookChange::Kept));
    }
    assert_eq!(book.apply(&snapshot(3999)), Ok(BookChange::Lost));
    assert_eq!(book.apply(&snapshot(4000)), Ok(BookChange::Built));
    assert_eq!(book.seqnum(), Some(5000));
    let mut book = new_book();
    book.apply(&snapshot(u64::MAX)).unwrap();
    assert_eq!(book.apply(&change(u64::MAX)), Ok(BookChange::Outdated));
}

#[test]
fn an_absurd_number_does_not_keep_the_book_from_coming_back() {
    let mut book = live();
    assert_eq!(book.apply(&change(1_000_000)), Ok(BookChange::Lost));
    assert_eq!(book.apply(&change(6)), Ok(BookChange::Kept));
    // It may be a gap that is larger than this snapshot knows.
    assert_eq!(book.apply(&snapshot(5)), Ok(BookChange::Lost));
    assert_eq!(book.apply(&snapshot(7)), Ok(BookChange::Built));
    assert_eq!(book.seqnum(), Some(7));
    assert_eq!(book.apply(&change(8)), Ok(BookChange::Updated));
    assert_eq!(book.apply(&change(u64::MAX)), Ok(BookChange::Lost));
}

#[test]
fn numbers_that_begin_anew_are_noticed() {
    let mut book = new_book();
    book.apply(&snapshot(5000)).unwrap();
    assert_eq!(book.apply(&change(4000)), Ok(BookChange::Outdated));
    assert_eq!(book.apply(&snapshot(1)), Ok(BookChange::Outdated));
    assert_eq!(book.apply(&change(3)), Ok(BookChange::Lost));
    assert_eq!(book.status(), BookStatus::Stale(StaleReason::Restarted { last: 5000, found: 3 }));
    makes_no_claims(&book);
    assert_eq!(book.apply(&change(4)), Ok(BookChange::Kept));
    assert_eq!(book.apply(&snapshot(2)), Ok(BookChange::Built));
    assert_eq!(book.seqnum(), Some(4));
    // One far behind that comes from nowhere does no more harm than that.
    let mut book = new_book();
    book.apply(&snapshot(5000)).unwrap();
    assert_eq!(book.apply(&change(1)), Ok(BookChange::Lost));
    assert_eq!(book.apply(&change(5001)), Ok(BookChange::Kept));
    assert_eq!(book.apply(&snapshot(5000)), Ok(BookChange::Built));
    assert_eq!(book.seqnum(), Some(5001));
}

/// The depth messages of a recording, or none where it is missing.
fn recorded(name: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded").join(name);
    let Ok(text) = fs::read_to_string(path) else {
        eprintln!("skipped: no recording at ../shared/recorded");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// Plays a session to books and to references, which are compared after every message. How many books, and how many
/// times.
fn compare_with_the_reference(session: &[Value]) -> (usize, usize) {
    let mut books: BTreeMap<_, (OrderBook, Reference, Vec<Depth>)> = BTreeMap::new();
    let mut compared = 0;
    for entry in session.iter().filter(|entry| entry["dir"] == "s2c") {
        let Message::Depth(depth) = Message::parse(entry["raw"].as_str().unwrap()).unwrap() else { continue };
        let (book, reference, early) = books
            .entry(depth.symbol)
            .or_insert_with(|| (OrderBook::new(depth.symbol), Reference::default(), Vec::new()));
        let change = book.apply(&depth).unwrap();
        match depth.kind {
            DepthKind::Change if change == BookChange::Kept => early.push(depth),
            // One that comes twice.
            DepthKind::Change if change == BookChange::Outdated => assert!(book.seqnum() >= Some(depth.seqnum)),
            DepthKind::Change => {
                assert_eq!(change, BookChange::Updated);
                reference.set(&depth);
            }
            _ => {
                assert_eq!(change, BookChange::Built);
                reference.set(&depth);
                early.iter().filter(|early| early.seqnum > depth.seqnum).for_each(|early| reference.set(early));
            }
        }
        if book.is_live() {
            reference.check(book);
            compared += 1;
        }
    }
    assert!(books.values().all(|(book, ..)| book.is_live()));
    (books.len(), compared)
}

#[test]
fn the_recorded_session_gives_the_reference_after_every_message() {
    let Some(session) = recorded("session-spot-2021-04-17.json") else { return };
    let (books, compared) = compare_with_the_reference(&session);
    assert!(books == 10 && compared > 250, "{books} {compared}");
}

#[test]
fn the_small_session_gives_the_reference_after_every_message() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/session-small.json");
    let session: Vec<Value> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let (books, compared) = compare_with_the_reference(&session);
    assert!(books == 2 && compared >= 20, "{books} {compared}");
}

#[test]
fn the_recorded_book_is_what_another_program_made_of_it() {
    let Some(messages) = recorded("book-CHZ-USDT.json") else { return };
    let mut book = OrderBook::new("CHZ/USDT".try_into().unwrap());
    for message in messages {
        let Message::Depth(depth) = Message::parse(&message.to_string()).unwrap() else { panic!("{message}") };
        book.apply(&depth).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded/book-CHZ-USDT.expected.json");
    let expected: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(book.seqnum(), expected["final_seqnum"].as_u64());
    let levels = |side: &str| -> Vec<Level> { serde_json::from_str(&expected[side].to_string()).unwrap() };
    assert_eq!(book.bids().collect::<Vec<_>>(), levels("bids"));
    assert_eq!(book.asks().collect::<Vec<_>>(), levels("asks"));
}

/// A market: what the book was before and after each of its changes, and the changes, numbered from 1. Bids below
/// 50, asks above, each number in one of several notations.
#[derive(Debug, Clone)]
struct Market {
    states: Vec<Reference>,
    changes: Vec<Depth>,
}

impl Market {
    fn snapshot(&self, seqnum: usize) -> Depth {
        let levels = |side: &BTreeMap<Decimal, Decimal>| -> Vec<_> {
            side.iter().map(|(price, size)| (price.to_string(), size.to_string())).collect()
        };
        let state = &self.states[seqnum];
        depth("depth-snapshot", seqnum as u64, &levels(&state.bids), &levels(&state.asks))
    }
}

fn market() -> impl Strategy<Value = Market> {
    let level = |prices: Range<u32>| {
        (prices, 0u32..3, prop_oneof![1 => Just(0), 2 => 1u32..1000]).prop_map(
            |(price, zeros, size): (u32, u32, u32)| {
                let mut price = Decimal::new(price.into(), 1);
                price.rescale(1 + zeros);
                (price.to_string(), Decimal::new(size.into(), 2).normalize().to_string())
            },
        )
    };
    let message = (prop::collection::vec(level(480..500), 0..4), prop::collection::vec(level(501..520), 0..4));
    prop::collection::vec(message, 3..60).prop_map(|messages| {
        let mut market = Market { states: vec![Reference::default()], changes: Vec::new() };
        for (at, (bids, asks)) in messages.iter().enumerate() {
            let change = depth("depth", at as u64 + 1, bids, asks);
            let mut state = market.states[at].clone();
            state.set(&change);
            market.states.push(state);
            market.changes.push(change);
        }
        market
    })
}

/// What becomes of a change on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Comes,
    IsLost,
    ComesTwice,
    ComesAfterTheNext,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Changes lost, repeated and out of order, snapshots of any age in between: a live book is always what the
    /// market was at its sequence number.
    #[test]
    fn a_live_book_is_the_reference(
        market in market(),
        fates in prop::collection::vec(
            prop_oneof![
                30 => Just(Fate::Comes),
                1 => Just(Fate::IsLost),
                2 => Just(Fate::ComesTwice),
                1 => Just(Fate::ComesAfterTheNext),
            ],
            60,
        ),
        snapshots in prop::collection::vec(prop::option::weighted(0.2, 0usize..6), 60),
    ) {
        let mut messages = Vec::new();
        let mut late = None;
        for (at, change) in market.changes.iter().enumerate() {
            match fates[at] {
                Fate::Comes => messages.push(change.clone()),
                Fate::IsLost => {}
                Fate::ComesTwice => messages.extend([change.clone(), change.clone()]),
                Fate::ComesAfterTheNext => {
                    messages.extend(late.replace(change.clone()));
                    continue;
                }
            }
            messages.extend(late.take());
            // Up to three changes ahead of what has come, or behind it.
            messages.extend(snapshots[at].map(|age| market.snapshot((at + 4).saturating_sub(age).min(market.changes.len()))));
        }
        let mut book = new_book();
        for message in messages {
            let was_live = book.is_live();
            let change = book.apply(&message).unwrap();
            prop_assert_eq!(book.is_live(), matches!(change, BookChange::Built | BookChange::Updated | BookChange::Outdated));
            prop_assert!(book.is_live() || !was_live || change == BookChange::Lost);
            match book.seqnum() {
                Some(seqnum) => market.states[seqnum as usize].check(&book),
                None => makes_no_claims(&book),
            }
        }
        // Whatever has happened, a snapshot of the end puts it right.
        let end = market.changes.len();
        book.apply(&market.snapshot(end)).unwrap();
        prop_assert_eq!(book.seqnum(), Some(end as u64));
        market.states[end].check(&book);
    }

    /// Of one lost change the next one tells, and no snapshot from before it helps.
    #[test]
    fn a_gap_leads_to_stale_and_then_to_live(
        market in market(),
        lost in any::<prop::sample::Index>(),
        old in any::<prop::sample::Index>(),
        new in any::<prop::sample::Index>(),
    ) {
        let end = market.changes.len();
        let lost = 1 + lost.index(end - 1);
        let mut book = new_book();
        book.apply(&market.snapshot(0)).unwrap();
        for change in market.changes.iter().filter(|change| change.seqnum != lost as u64) {
            book.apply(change).unwrap();
            prop_assert_eq!(book.is_live(), change.seqnum < lost as u64);
        }
        let gap = StaleReason::Gap { expected: lost as u64, found: lost as u64 + 1 };
        prop_assert_eq!(book.status(), BookStatus::Stale(gap));
        prop_assert_eq!(book.apply(&market.snapshot(old.index(lost))), Ok(BookChange::Lost));
        makes_no_claims(&book);
        prop_assert_eq!(book.apply(&market.snapshot(lost + new.index(end + 1 - lost))), Ok(BookChange::Built));
        prop_assert_eq!(book.seqnum(), Some(end as u64));
        market.states[end].check(&book);
    }

    /// Changes with absurd numbers among the others: the book is lost at each, and live again after two snapshots that
    /// were asked for since.
    #[test]
    fn absurd_numbers_do_not_last(
        market in market(),
        absurd in prop::collection::vec(prop::option::weighted(0.2, prop_oneof![1_000u64..2_000, Just(u64::MAX)]), 60),
    ) {
        let mut book = new_book();
        book.apply(&market.snapshot(0)).unwrap();
        let mut asked = 0;
        for (at, change) in market.changes.iter().enumerate() {
            if let Some(number) = absurd[at] {
                let mut change = change.clone();
                change.seqnum = number;
                book.apply(&change).unwrap();
                prop_assert!(!book.is_live());
                asked = 0;
            }
            book.apply(change).unwrap();
            if !book.is_live() {
                asked += 1;
                book.apply(&market.snapshot(at + 1)).unwrap();
                prop_assert!(book.is_live() || asked < 2);
            }
            match book.seqnum() {
                Some(seqnum) => {
                    prop_assert_eq!(seqnum, at as u64 + 1);
                    market.states[at + 1].check(&book);
                }
                None => makes_no_claims(&book),
            }
        }
    }

    /// A bounded book, and a copy of the top of one, show the best levels of the reference without a hole, or say that
    /// they do not know.
    #[test]
    fn a_bounded_book_is_the_top_of_the_reference(market in market(), bound in 1usize..9, top in 1usize..9) {
        let mut bounded = OrderBook::bounded("A/B".try_into().unwrap(), bound);
        bounded.apply(&market.snapshot(0)).unwrap();
        let mut copy = bounded.top(top);
        for (at, change) in market.changes.iter().enumerate() {
            let state = &market.states[at + 1];
            for book in [&mut bounded, &mut copy] {
                if book.apply(change).unwrap() == BookChange::Lost {
                    prop_assert_eq!(book.status(), BookStatus::Stale(StaleReason::Exhausted));
                    makes_no_claims(book);
                    book.apply(&market.snapshot(at + 1)).unwrap();
                }
                let (bids, asks) = (pairs(book.bids()), pairs(book.asks()));
                let all_bids: Vec<_> = state.bids.iter().rev().map(|(price, size)| (*price, *size)).collect();
                let all_asks: Vec<_> = state.asks.iter().map(|(price, size)| (*price, *size)).collect();
                prop_assert_eq!(&bids, &all_bids[..bids.len()]);
                prop_assert_eq!(&asks, &all_asks[..asks.len()]);
                prop_assert_eq!((bids.is_empty(), asks.is_empty()), (all_bids.is_empty(), all_asks.is_empty()));
                prop_assert!(bids.len().max(asks.len()) <= 2 * bound + 4);
            }
        }
    }

    #[test]
    fn sums_are_those_of_the_levels(
        market in market(), price in 480u32..520, quantity in 0u32..4000, levels in 0usize..12,
    ) {
        let end = market.changes.len();
        let mut book = new_book();
        book.apply(&market.snapshot(end)).unwrap();
        market.states[end].check_sums(&book, Decimal::new(price.into(), 1), Decimal::new(quantity.into(), 2), levels);
        book.restart();
        Reference::default().check_sums(&book, Decimal::new(price.into(), 1), Decimal::new(quantity.into(), 2), levels);
    }
}
