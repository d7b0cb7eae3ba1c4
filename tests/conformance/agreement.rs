//! What the stream says agrees with what REST says at the same time.

use std::time::Duration;

use bitmax::model::AccountCategory;
use bitmax::sandbox::{OrderRequest, Sandbox, UserOptions};
use serde_json::{Value, json};

use crate::caller::{lively, still};
use crate::session::{Session, of_kind};
use crate::shape::{list, money};

const SYMBOL: &str = "BTC/USDT";

fn data(sandbox: &Sandbox, target: &str) -> Value {
    crate::raw::get(sandbox.port(), target).data()
}

/// A minute and a half of everything about one product.
fn watched(sandbox: &Sandbox) -> Vec<Value> {
    let mut session = Session::open(sandbox);
    for channel in ["bbo", "depth", "trades", "bar:1", "bar:60"] {
        session.subscribe(&format!("{channel}:{SYMBOL}"));
    }
    let mut messages = session.so_far();
    for _ in 0..9 {
        sandbox.advance(Duration::from_secs(10));
        messages.extend(session.so_far());
    }
    messages
}

#[test]
fn the_last_bbo_is_the_best_of_the_book_and_the_tickers() {
    let sandbox = lively();
    let messages = watched(&sandbox);
    let best = &of_kind(&messages, "bbo").last().unwrap()["data"];
    let ticker = data(&sandbox, &format!("/api/pro/v1/spot/ticker?symbol={SYMBOL}"));
    let depth = data(&sandbox, &format!("/api/pro/v1/depth?symbol={SYMBOL}"))["data"].take();
    for (side, levels) in [("ask", list(&depth["asks"])), ("bid", list(&depth["bids"]))] {
        assert_eq!(best[side], ticker[side]);
        let by_price = |level: &&Value| money(&level[0]);
        let top = if side == "ask" { levels.iter().min_by_key(by_price) } else { levels.iter().max_by_key(by_price) };
        assert_eq!(best[side], *top.unwrap());
    }
}

#[test]
fn the_last_bar_is_that_of_the_history() {
    let sandbox = still();
    let (seller, buyer) = (sandbox.user(), sandbox.add_user(UserOptions::new()));
    buyer.fund(AccountCategory::Cash, "USDT", 100_000).unwrap();
    let mut session = Session::open(&sandbox);
    for channel in ["bar:1", "bar:60"] {
        session.subscribe(&format!("{channel}:{SYMBOL}"));
    }
    let mut messages = Vec::new();
    // Two trades in a minute, and two in the next.
    for price in [60_000, 60_500, 59_800, 60_200] {
        seller.place(&OrderRequest::sell(SYMBOL, "0.1").limit(price)).unwrap();
        buyer.place(&OrderRequest::buy(SYMBOL, "0.1").limit(price)).unwrap();
        sandbox.advance(Duration::from_secs(20));
        messages.extend(session.so_far());
    }
    for (interval, volume) in [("1", "0.2"), ("60", "0.4")] {
        let last = of_kind(&messages, "bar").into_iter().rfind(|bar| bar["data"]["i"] == interval).unwrap();
        let [high, low, traded] = ["h", "l", "v"].map(|name| money(&last["data"][name]));
        // The hour began before the sandbox did.
        assert!(traded >= volume.parse().unwrap() && high > low, "{last}");
        let start = &last["data"]["ts"];
        let query = format!("symbol={SYMBOL}&interval={interval}&from={start}&to={start}");
        assert_eq!(data(&sandbox, &format!("/api/pro/v1/barhist?{query}")), json!([last]));
    }
}

#[test]
fn the_trades_are_those_of_rest() {
    let sandbox = lively();
    let messages = watched(&sandbox);
    let rest = data(&sandbox, &format!("/api/pro/v1/trades?symbol={SYMBOL}&n=100"));
    let streamed: Vec<&Value> = of_kind(&messages, "trades").into_iter().flat_map(|m| list(&m["data"])).collect();
    // REST tells the last hundred. Trades of one price and `bm` may be merged on either side, but not across times.
    let first = list(&rest["data"]).iter().map(|trade| trade["ts"].as_u64().unwrap()).min().unwrap() + 1000;
    let volume = |trades: &mut dyn Iterator<Item = &Value>| {
        trades.filter(|t| t["ts"].as_u64().unwrap() >= first).map(|t| money(&t["q"])).sum::<bitmax::Decimal>()
    };
    let told = volume(&mut streamed.into_iter());
    assert!(told > bitmax::Decimal::ZERO);
    assert_eq!(told, volume(&mut list(&rest["data"]).iter()));
}
