//! *Applying depth*, and the requests for snapshots and trades.

use std::collections::BTreeMap;
use std::time::Duration;

use bitmax::Decimal;
use bitmax::sandbox::{OrderRequest, Sandbox};
use serde_json::{Value, json};

use crate::caller::{Caller, START, SYMBOL, lively, still};
use crate::orders::traders;
use crate::session::{Session, of_kind};
use crate::shape::{assert_refusal, assert_shape, dec, list, money, sample};

/// A book as the reference says to keep it.
#[derive(Debug, Default, PartialEq, Clone)]
struct Book {
    asks: BTreeMap<Decimal, Decimal>,
    bids: BTreeMap<Decimal, Decimal>,
}

impl Book {
    fn of(data: &Value) -> Self {
        let mut book = Self::default();
        book.apply(data);
        book
    }

    fn apply(&mut self, data: &Value) {
        for (side, levels) in [(&mut self.asks, &data["asks"]), (&mut self.bids, &data["bids"])] {
            for level in list(levels) {
                let (price, size) = (money(&level[0]), money(&level[1]));
                if size > Decimal::ZERO {
                    side.insert(price, size);
                } else {
                    assert_eq!(level[1], "0", "zero sizes are written so");
                    side.remove(&price);
                }
            }
        }
    }

    #[track_caller]
    fn assert_not_crossed(&self) {
        let best = (self.bids.keys().next_back(), self.asks.keys().next());
        assert!(best.0.is_none_or(|bid| best.1.is_none_or(|ask| bid < ask)), "{best:?}");
    }
}

fn seqnum(message: &Value) -> u64 {
    message["data"]["seqnum"].as_u64().unwrap()
}

fn rest_depth(sandbox: &Sandbox, symbol: &str) -> Value {
    crate::raw::get(sandbox.port(), &format!("/api/pro/v1/depth?symbol={symbol}")).data()
}

#[test]
fn changes_joined_to_a_snapshot_make_the_book() {
    let sandbox = Sandbox::builder().start_time(START).snapshot_delay(Duration::from_millis(1500)).start().unwrap();
    let symbol = "BTC/USDT";
    let mut session = Session::open(&sandbox);
    session.subscribe(&format!("depth:{symbol}"));
    let mut changes = Vec::new();
    let mut snapshot = None;
    for i in 0..100 {
        sandbox.advance(Duration::from_millis(300));
        if i == 5 {
            session
                .send(&json!({"op": "req", "id": "abcdefg", "action": "depth-snapshot", "args": {"symbol": symbol}}));
        }
        for message in session.so_far() {
            match message["m"].as_str().unwrap() {
                "depth" => changes.push(message),
                "depth-snapshot" => assert!(snapshot.replace((i, message)).is_none(), "one answer to one request"),
                other => panic!("{other}"),
            }
        }
    }
    assert!(changes.windows(2).all(|w| seqnum(&w[1]) == seqnum(&w[0]) + 1), "`seqnum` rises by exactly 1");
    assert!(changes.iter().all(|change| change["symbol"] == symbol));
    let (came_at, snapshot) = snapshot.unwrap();
    assert!(came_at > 5, "a snapshot takes a while");
    assert_shape(&snapshot, &sample("ws/depth-snapshot"));
    assert!(seqnum(&changes[0]) <= seqnum(&snapshot) + 1, "no change is missing before the snapshot");

    let mut book = Book::of(&snapshot["data"]);
    let mut last = seqnum(&snapshot);
    for change in changes.iter().filter(|change| seqnum(change) > seqnum(&snapshot)) {
        assert_eq!(seqnum(change), last + 1);
        last += 1;
        book.apply(&change["data"]);
        book.assert_not_crossed();
    }
    let now = rest_depth(&sandbox, symbol);
    assert_eq!(seqnum(&now), last, "REST counts the same changes");
    assert_eq!(Book::of(&now["data"]), book);
}

#[test]
fn depth_changes_are_gathered_and_realtime_changes_are_not() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    session.subscribe(&format!("depth:{SYMBOL}"));
    let mut realtime = Session::authenticated(&trader, false);
    realtime.subscribe(&format!("depth-realtime:{SYMBOL}"));
    let first = realtime.so_far();
    assert_eq!(first.len(), 1, "a snapshot first: {first:?}");
    assert_shape(&first[0], &sample("ws/depth-snapshot-realtime"));
    assert_eq!((&first[0]["m"], &first[0]["data"]["ts"]), (&json!("depth-snapshot-realtime"), &json!(0)));

    for price in ["100", "101", "101", "102"] {
        let order = trader.limit("sell", "1", price);
        trader.place(&order);
    }
    let order = trader.limit("sell", "1", "103");
    let id = trader.place_id(&order);
    trader.cancel(&id);

    let at_once = realtime.so_far();
    assert!(at_once.len() >= 5, "not gathered: {at_once:?}");
    let mut book = Book::of(&first[0]["data"]);
    for (expected, change) in (seqnum(&first[0]) + 1..).zip(&at_once) {
        assert_shape(change, &sample("ws/depth-realtime"));
        assert_eq!(seqnum(change), expected, "continuous from the snapshot on");
        book.apply(&change["data"]);
    }
    sandbox.advance(Duration::from_millis(300));
    let gathered = session.so_far();
    assert_eq!(gathered.len(), 1, "{gathered:?}");
    assert_shape(&gathered[0], &sample("ws/depth"));
    let expected = [("100", "1"), ("101", "2"), ("102", "1")].map(|(p, s)| (dec(p), dec(s))).into();
    assert_eq!(Book::of(&gathered[0]["data"]).asks, expected);
    assert_eq!(book.asks, expected);
}

#[test]
fn depth_realtime_begins_with_a_snapshot_each_time_it_is_subscribed() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    for price in ["101", "102", "103"] {
        session.subscribe(&format!("depth-realtime:{SYMBOL}"));
        let order = trader.limit("sell", "1", price);
        trader.place(&order);
        let messages = session.so_far();
        let kinds: Vec<&str> = messages.iter().map(|message| message["m"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["depth-snapshot-realtime", "depth-realtime"]);
        assert_eq!(seqnum(&messages[1]), seqnum(&messages[0]) + 1);
        session.unsubscribe(&format!("depth-realtime:{SYMBOL}"));
        let order = trader.limit("sell", "1", "110");
        trader.place(&order);
        assert_eq!(session.so_far(), [Value::Null; 0], "not subscribed");
    }
}

#[test]
fn a_level_that_is_gone_has_size_zero() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let orders = [trader.limit("sell", "1", "101"), trader.limit("buy", "2", "99")];
    let ids = orders.map(|order| trader.place_id(&order));
    sandbox.advance(Duration::from_secs(1));
    let mut session = Session::open(&sandbox);
    session.subscribe(&format!("depth:{SYMBOL}"));
    ids.iter().for_each(|id| _ = trader.cancel(id));
    sandbox.advance(Duration::from_secs(1));
    let messages = session.so_far();
    let data = &of_kind(&messages, "depth").last().unwrap()["data"];
    assert_eq!((money(&data["asks"][0][0]), &data["asks"][0][1]), (dec("101"), &json!("0")));
    assert_eq!((money(&data["bids"][0][0]), &data["bids"][0][1]), (dec("99"), &json!("0")));
}

// --- Requests for public data ---

#[test]
fn depth_snapshots_have_at_most_500_or_100_levels_a_side() {
    let sandbox = still();
    let trader = Caller::with_cash(&sandbox, &[("ABC", "10000")]);
    let buyer = Caller::with_cash(&sandbox, &[("USDT", "1000000")]);
    for i in 0..510 {
        trader.user.place(&OrderRequest::sell(SYMBOL, 1).limit(1000 + i)).unwrap();
        buyer.user.place(&OrderRequest::buy(SYMBOL, 1).limit(900 - i)).unwrap();
    }
    sandbox.advance(Duration::from_secs(1));
    let mut session = Session::authenticated(&trader, false);
    for (action, most) in [("depth-snapshot", 500), ("depth-snapshot-top100", 100)] {
        let snapshot =
            session.ask(&json!({"op": "req", "id": "abcdefg", "action": action, "args": {"symbol": SYMBOL}}));
        assert_shape(&snapshot, &sample("ws/depth-snapshot"));
        assert!(snapshot["m"] == "depth-snapshot" || snapshot["m"] == action, "{}", snapshot["m"]);
        assert_eq!(snapshot["symbol"], SYMBOL);
        let book = Book::of(&snapshot["data"]);
        assert_eq!((book.asks.len(), book.bids.len()), (most, most), "{action}");
        assert_eq!(book.asks.keys().next_back(), Some(&Decimal::from(999 + most)), "the best {most}");
        assert_eq!(book.bids.keys().next(), Some(&Decimal::from(901 - most)));
    }
}

#[test]
fn depth_snapshot_realtime() {
    let sandbox = still();
    let (trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    let ask = |symbol: &str| json!({"op": "req", "id": "ec1L5cDt", "action": "depth-snapshot-realtime", "args": {"symbol": symbol}});
    let snapshot = session.ask(&ask("BTC/USDT"));
    assert_shape(&snapshot, &sample("ws/depth-snapshot-realtime"));
    let refused = session.ask(&ask("USDT/ASD"));
    if refused["m"] == "depth-snapshot-realtime" {
        assert_shape(&refused, &sample("ws/depth-snapshot-realtime-err"));
    }
    assert_eq!((assert_refusal(&refused), &refused["id"]), (100008, &json!("ec1L5cDt")));
}

#[test]
fn market_trades() {
    let sandbox = lively();
    sandbox.advance(Duration::from_secs(120));
    let mut session = Session::open(&sandbox);
    for level in [1, 5] {
        let answer = session.ask(&json!({"op": "req", "id": "abcd1334", "action": "market-trades",
            "args": {"symbol": "BTC/USDT", "level": level}}));
        assert_shape(&answer, &sample("ws/market-trades"));
        assert_eq!((&answer["id"], &answer["symbol"]), (&json!("abcd1334"), &json!("BTC/USDT")));
        assert_eq!(list(&answer["data"]).len(), level);
    }
    session.send(&sample("ws-requests/market-trades"));
    assert_refusal(&session.next()); // ASD/USDT is not listed
}

#[test]
fn a_request_about_an_unknown_symbol_is_refused() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    for action in ["depth-snapshot", "depth-snapshot-top100", "market-trades"] {
        for args in [json!({"symbol": "NONE/USDT"}), json!({"symbol": ""}), json!({}), json!({"symbol": 17})] {
            let refused = session.ask(&json!({"op": "req", "id": "ab123", "action": action, "args": args}));
            assert_refusal(&refused);
            assert_eq!(refused["id"], "ab123", "{action} {args}: {refused}");
        }
    }
}
