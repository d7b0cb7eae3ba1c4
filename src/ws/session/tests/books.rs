//! Books that the stream keeps, under virtual time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::book::{BookStatus, OrderBook, StaleReason};
use crate::model::DepthKind;
use crate::ws::book::{BookWriter, Shared};

const PONG: &str = r#"{"m":"pong","code":0}"#;
const S: Duration = Duration::from_secs(1);

/// A book that is followed, as its reader sees it.
struct Reader(Arc<Shared>);

impl Reader {
    fn book(&self) -> OrderBook {
        self.0.top(usize::MAX)
    }

    fn status(&self) -> BookStatus {
        self.book().status()
    }

    fn seqnum(&self) -> Option<u64> {
        self.book().seqnum()
    }
}

fn follow(world: &mut World, symbol: &str, realtime: bool) -> Reader {
    follow_all(world, &[symbol], realtime).pop().unwrap()
}

fn follow_all(world: &mut World, symbols: &[impl AsRef<str>], realtime: bool) -> Vec<Reader> {
    let writer = |symbol: &_| BookWriter::new(Symbol::new(AsRef::as_ref(symbol)).unwrap(), realtime);
    let writers: Vec<BookWriter> = symbols.iter().map(writer).collect();
    let readers = writers.iter().map(|writer| Reader(Arc::clone(writer.shared()))).collect();
    world.wants(Command::Follow(writers));
    readers
}

fn drop_book(world: &mut World, reader: &Reader) {
    world.wants(Command::Unfollow(Arc::clone(&reader.0)));
}

fn sub(channel: &str) -> String {
    format!(r#"{{"m":"sub","ch":"{channel}","code":0}}"#)
}

/// A message in which the size of the best bid is the sequence number.
fn depth(m: &str, symbol: &str, seqnum: u64) -> String {
    format!(
        r#"{{"m":"{m}","symbol":"{symbol}","data":{{"ts":1,"seqnum":{seqnum},"asks":[["10","1"]],"bids":[["9","{seqnum}"]]}}}}"#
    )
}

/// What was sent, by its action or its `op` and channel; ids aside.
fn sent(world: &mut World) -> Vec<String> {
    let texts = std::mem::take(&mut world.sent);
    let name = |text: &String| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        let what = json["action"].as_str().or(json["op"].as_str()).unwrap();
        let of = json["args"]["symbol"].as_str().or(json["ch"].as_str()).unwrap_or_default();
        format!("{what} {of}").trim_end().to_owned()
    };
    texts.iter().map(name).collect()
}

fn told(world: &mut World) -> Vec<String> {
    std::mem::take(&mut world.events).iter().map(show).collect()
}

/// A book that is live at the sequence number 5, and what led there forgotten.
fn live(world: &mut World, realtime: bool) -> Reader {
    let reader = follow(world, "A/B", realtime);
    let [channel, snapshot] =
        if realtime { ["depth-realtime", "depth-snapshot-realtime"] } else { ["depth", "depth-snapshot"] };
    world.says(&sub(&format!("{channel}:A/B")));
    world.says(&depth(snapshot, "A/B", 5));
    assert_eq!(reader.seqnum(), Some(5));
    sent(world);
    told(world);
    reader
}

#[test]
fn a_book_is_subscribed_to_then_asked_for_then_joined() {
    let mut world = World::ready(&[]);
    let reader = follow(&mut world, "A/B", false);
    assert_eq!(sent(&mut world), ["sub depth:A/B"]);
    assert_eq!(reader.status(), BookStatus::Waiting);
    world.says(&sub("depth:A/B"));
    assert_eq!(sent(&mut world), ["depth-snapshot A/B"]);
    for seqnum in 4..8 {
        world.says(&depth("depth", "A/B", seqnum));
    }
    world.says(&depth("depth-snapshot", "A/B", 5));
    assert_eq!(reader.seqnum(), Some(7));
    world.says(&depth("depth", "A/B", 8));
    assert_eq!(reader.book().best_bid().unwrap().size, 8.into());
    // None of it was for the program.
    assert_eq!(told(&mut world), ["Connected { authenticated: false }", "Subscribed depth:A/B"]);
    drop_book(&mut world, &reader);
    assert_eq!(sent(&mut world), ["unsub depth:A/B"]);
    world.passes(5 * S);
    assert!(sent(&mut world).is_empty());
}

#[test]
fn a_subscription_whose_acknowledgement_is_lost_is_known_by_its_data() {
    let mut world = World::ready(&[]);
    let reader = follow(&mut world, "A/B", false);
    world.says(&depth("depth", "A/B", 4));
    assert_eq!(sent(&mut world), ["sub depth:A/B", "depth-snapshot A/B"]);
    world.says(&depth("depth-snapshot", "A/B", 3));
    assert_eq!(reader.seqnum(), Some(4));
}

#[test]
fn a_snapshot_from_before_the_subscription_is_not_believed() {
    let mut world = World::ready(&[]);
    let reader = follow(&mut world, "A/B", false);
    world.says(&depth("depth-snapshot", "A/B", 3));
    assert_eq!(reader.status(), BookStatus::Waiting);
    // Silence is asked again for as long as it takes.
    for _ in 0..13 {
        world.passes(5 * S);
        world.says(PONG);
    }
    let asked = sent(&mut world);
    assert_eq!(asked.iter().filter(|sent| *sent == "sub depth:A/B").count(), 4, "{asked:?}");
    assert_eq!(told(&mut world).iter().filter(|event| event.starts_with("SubscriptionFailed")).count(), 3);
}

#[test]
fn a_gap_leads_to_a_new_snapshot() {
    let mut world = World::ready(&[]);
    let reader = live(&mut world, false);
    world.passes(2 * S);
    world.says(&depth("depth", "A/B", 8));
    assert_eq!(reader.status(), BookStatus::Stale(StaleReason::Gap { expected: 6, found: 8 }));
    assert_eq!(sent(&mut world), ["depth-snapshot A/B"]);
    // One from before the gap does not help, and is not asked for again at once.
    world.says(&depth("depth-snapshot", "A/B", 6));
    assert!(!reader.book().is_live() && sent(&mut world).is_empty());
    world.passes(S);
    assert_eq!(sent(&mut world), ["depth-snapshot A/B"]);
    world.says(&depth("depth-snapshot", "A/B", 7));
    assert_eq!(reader.seqnum(), Some(8));
    assert!(told(&mut world).is_empty());
}

#[test]
fn realtime_sends_its_first_snapshot_itself() {
    for ack_first in [true, false] {
        let mut world = World::ready(&[]);
        let reader = follow(&mut world, "A/B", true);
        assert_eq!(sent(&mut world), ["sub depth-realtime:A/B"]);
        let (ack, snapshot) = (sub("depth-realtime:A/B"), depth("depth-snapshot-realtime", "A/B", 3));
        let [first, second] = if ack_first { [&ack, &snapshot] } else { [&snapshot, &ack] };
        world.says(first);
        world.says(second);
        assert_eq!(reader.seqnum(), Some(3));
        world.says(&depth("depth-realtime", "A/B", 4));
        world.says(&depth("depth-realtime", "A/B", 6));
        assert!(!reader.book().is_live());
        world.passes(S);
        assert_eq!(sent(&mut world), ["depth-snapshot-realtime A/B"]);
        world.says(&depth("depth-snapshot-realtime", "A/B", 5));
        assert_eq!(reader.seqnum(), Some(6));
        assert!(!told(&mut world).iter().any(|event| event.contains("Depth")));
    }
}

#[test]
fn a_snapshot_that_does_not_come_is_asked_for_again() {
    for (realtime, action) in [(false, "depth-snapshot A/B"), (true, "depth-snapshot-realtime A/B")] {
        let mut world = World::ready(&[]);
        let reader = follow(&mut world, "A/B", realtime);
        world.says(&sub(if realtime { "depth-realtime:A/B" } else { "depth:A/B" }));
        sent(&mut world);
        for _ in 0..3 {
            world.passes(10 * S);
            assert_eq!(sent(&mut world).iter().filter(|sent| *sent == action).count(), 1);
            world.says(PONG);
        }
        assert_eq!(reader.status(), BookStatus::Waiting);
    }
}

#[test]
fn a_lost_connection_is_told_and_the_book_built_again() {
    for realtime in [false, true] {
        let mut world = World::ready(&[]);
        let reader = live(&mut world, realtime);
        world.breaks();
        assert_eq!(reader.status(), BookStatus::Stale(StaleReason::Disconnected));
        world.passes(S);
        world.up();
        assert_eq!(sent(&mut world), [if realtime { "sub depth-realtime:A/B" } else { "sub depth:A/B" }]);
        // The numbers begin anew.
        let again = live(&mut world, realtime);
        assert_eq!((again.seqnum(), reader.status()), (Some(5), BookStatus::Stale(StaleReason::Disconnected)));
    }
}

#[test]
fn the_end_of_the_stream_is_the_end_of_its_books() {
    let mut world = World::ready(&[]);
    let reader = live(&mut world, false);
    world.wants(Command::Close);
    assert_eq!(reader.status(), BookStatus::Stale(StaleReason::Disconnected));
    let late = follow(&mut world, "A/B", false);
    assert_eq!(late.status(), BookStatus::Stale(StaleReason::Disconnected));
}

#[test]
fn a_book_at_which_the_exchange_failed_is_kept() {
    let mut world = World::ready(&[]);
    let reader = follow(&mut world, "A/B", false);
    world.says(r#"{"m":"error","id":"m-1","code":510001,"reason":"SERVER_ERROR"}"#);
    assert_eq!(reader.status(), BookStatus::Waiting);
    world.passes(5 * S);
    world.says(&sub("depth:A/B"));
    assert_eq!(sent(&mut world), ["sub depth:A/B", "sub depth:A/B", "depth-snapshot A/B"]);
}

#[test]
fn a_refused_book_ends() {
    let mut world = World::ready(&[]);
    let reader = follow(&mut world, "NO/USDT", false);
    world.says(r#"{"m":"error","id":"m-1","code":100008,"reason":"NOT_SUPPORTED","info":"no such symbol"}"#);
    assert_eq!(reader.status(), BookStatus::Stale(StaleReason::Disconnected));
    assert!(told(&mut world).last().unwrap().starts_with("SubscriptionFailed"));
    world.passes(20 * S);
    assert_eq!(sent(&mut world).iter().filter(|sent| sent.contains("depth")).count(), 1);
}

#[test]
fn what_the_program_has_subscribed_to_itself_is_delivered_too() {
    let mut world = World::ready(&[]);
    let is_depth = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Depth(_))).count();
    let reader = live(&mut world, false);
    let channel = || topics("depth:A/B");

    world.wants(Command::Subscribe(channel()));
    assert_eq!((told(&mut world), sent(&mut world).len()), (vec!["Subscribed depth:A/B".to_owned()], 0));
    world.says(&depth("depth", "A/B", 6));
    assert_eq!((is_depth(&world.events), reader.seqnum()), (1, Some(6)));
    // The program's own snapshot is its own.
    world.wants(Command::Snapshot(Symbol::new("A/B").unwrap()));
    world.says(&depth("depth-snapshot", "A/B", 6));
    assert_eq!((is_depth(&world.events), sent(&mut world).len()), (2, 1));
    told(&mut world);

    world.wants(Command::Unsubscribe(channel()));
    assert_eq!((told(&mut world), sent(&mut world).len()), (vec!["Unsubscribed depth:A/B".to_owned()], 0));
    world.says(&depth("depth", "A/B", 7));
    assert_eq!((is_depth(&world.events), reader.seqnum()), (0, Some(7)));

    // The book goes, and the subscription stays.
    world.wants(Command::Subscribe(channel()));
    drop_book(&mut world, &reader);
    world.says(&depth("depth", "A/B", 8));
    assert_eq!((is_depth(&world.events), sent(&mut world).len()), (1, 0));

    // A new book finds the channel in force.
    let reader = follow(&mut world, "A/B", false);
    assert_eq!(sent(&mut world), ["depth-snapshot A/B"]);
    world.says(&depth("depth-snapshot", "A/B", 8));
    assert_eq!(reader.seqnum(), Some(8));
}

#[test]
fn a_book_that_takes_the_place_of_another_keeps_its_subscription() {
    let mut world = World::ready(&[]);
    let old = live(&mut world, false);
    let new = follow(&mut world, "A/B", false);
    // Told late that the old one is not wanted any more.
    drop_book(&mut world, &old);
    assert_eq!(sent(&mut world), ["depth-snapshot A/B"]);
    world.says(&depth("depth-snapshot", "A/B", 9));
    assert_eq!((new.seqnum(), old.seqnum()), (Some(9), None));
    drop_book(&mut world, &new);
    assert_eq!(sent(&mut world), ["unsub depth:A/B"]);
}

#[test]
fn many_snapshots_are_spread_and_stay_within_their_limit() {
    let mut config = SessionConfig::default();
    config.limits.snapshots = 150;
    let mut world = World::new(&[], config);
    world.up();
    let symbols: Vec<String> = (0..200).map(|n| format!("S{n}/B")).collect();
    let readers = follow_all(&mut world, &symbols, false);
    let (mut asked, mut under_way): (Vec<Duration>, Vec<String>) = (Vec::new(), Vec::new());
    let mut answers = 0;
    while readers.iter().any(|reader| !reader.book().is_live()) {
        for text in sent(&mut world) {
            match text.split_once(' ') {
                Some(("sub", channel)) => {
                    for symbol in channel.strip_prefix("depth:").unwrap().split(',') {
                        world.says(&sub(&format!("depth:{symbol}")));
                    }
                }
                Some(("depth-snapshot", symbol)) => {
                    asked.push(world.now);
                    under_way.push(symbol.to_owned());
                }
                _ => {}
            }
        }
        assert!(under_way.len() <= 20, "{under_way:?}");
        world.passes(S / 10);
        // One in ten is lost.
        for symbol in under_way.split_off(under_way.len().saturating_sub(4)) {
            answers += 1;
            if answers % 10 > 0 {
                world.says(&depth("depth-snapshot", &symbol, 3));
            }
        }
        let minute = asked.iter().filter(|at| **at + 60 * S > world.now).count();
        assert!(minute <= 150, "{minute} in a minute");
        assert!(world.now < 600 * S, "{} are live", readers.iter().filter(|reader| reader.book().is_live()).count());
        world.says(PONG);
    }
    assert!(told(&mut world).iter().all(|event| !event.starts_with("Depth")));
}

/// What befalls a book next.
#[derive(Debug, Clone, Copy)]
enum Next {
    Change,
    Lost,
    Twice,
    /// The snapshot that was asked for comes: so many changes old.
    Answer(u64),
    AnswerIsLost,
    Breaks,
    Time,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever befalls it, a book is what the exchange's book was at its number, or says that it is not; and when all
    /// is well again it is live.
    #[test]
    fn a_book_is_true_or_says_that_it_is_not(
        realtime in any::<bool>(),
        steps in prop::collection::vec(
            prop_oneof![
                20 => Just(Next::Change),
                1 => Just(Next::Lost),
                2 => Just(Next::Twice),
                4 => (0u64..3).prop_map(Next::Answer),
                1 => Just(Next::AnswerIsLost),
                1 => Just(Next::Breaks),
                1 => Just(Next::Time),
            ],
            1..200,
        ),
    ) {
        let [change, snapshot] = match realtime {
            true => [DepthKind::RealtimeChange, DepthKind::RealtimeSnapshot],
            false => [DepthKind::Change, DepthKind::Snapshot],
        };
        // Bids at nine prices in turn, each of the size of the number that set it; every seventh change removes.
        let bid = |seqnum: u64| (seqnum * 5 % 9 + 1, if seqnum.is_multiple_of(7) { 0 } else { seqnum });
        let state = |seqnum: u64| {
            let mut bids: BTreeMap<u64, u64> = (1..=seqnum).map(bid).collect();
            bids.retain(|_, size| *size > 0);
            bids
        };
        let text = |kind: DepthKind, seqnum: u64| {
            let bids: Vec<(u64, u64)> =
                if kind.is_snapshot() { state(seqnum).into_iter().rev().collect() } else { vec![bid(seqnum)] };
            let data = serde_json::json!({"ts": 1, "seqnum": seqnum, "asks": [], "bids": bids});
            serde_json::json!({"m": kind, "symbol": "A/B", "data": data}).to_string()
        };
        let mut world = World::ready(&[]);
        let reader = follow(&mut world, "A/B", realtime);
        let (mut seqnum, mut asked, mut subscribed) = (0, 0, false);
        let healed = [Next::Time, Next::Answer(0), Next::Change, Next::Time, Next::Answer(0), Next::Change];
        for step in steps.into_iter().chain(healed) {
            match step {
                Next::Change | Next::Twice => {
                    seqnum += 1;
                    for _ in 0..if matches!(step, Next::Twice) { 2 } else { 1 } {
                        if subscribed {
                            world.says(&text(change, seqnum));
                        }
                    }
                }
                Next::Lost => seqnum += 1,
                Next::Answer(age) if asked > 0 => {
                    asked -= 1;
                    world.says(&text(snapshot, seqnum.saturating_sub(age)));
                }
                Next::Answer(_) => {}
                Next::AnswerIsLost => asked = 0,
                Next::Breaks => {
                    world.breaks();
                    prop_assert!(!reader.book().is_live());
                    (asked, subscribed) = (0, false);
                    seqnum = if realtime { 0 } else { seqnum };
                    let connects = world.connects.len();
                    while world.connects.len() == connects {
                        world.passes(S);
                    }
                    world.up();
                }
                Next::Time => {
                    world.passes(11 * S);
                    world.says(PONG);
                }
            }
            // Answered may be asked again.
            for _ in 0..2 {
                for text in sent(&mut world) {
                    if text.starts_with("sub ") {
                        world.says(&sub(if realtime { "depth-realtime:A/B" } else { "depth:A/B" }));
                        subscribed = true;
                        asked += u32::from(realtime);
                    } else if text.starts_with("depth-snapshot") {
                        asked += 1;
                    }
                }
            }
            let book = reader.book();
            if let Some(at) = book.seqnum() {
                let bids: Vec<_> = book.bids().map(|level| (level.price, level.size)).collect();
                let expected: Vec<_> = state(at).into_iter().rev().map(|(p, s)| (p.into(), s.into())).collect();
                prop_assert_eq!(bids, expected);
            } else {
                prop_assert_eq!(book.bids().count(), 0);
            }
        }
        prop_assert_eq!(reader.seqnum(), Some(seqnum));
        prop_assert!(!told(&mut world).iter().any(|event| event.starts_with("Depth")));
    }
}
