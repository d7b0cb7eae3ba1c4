//! Public market data: what each call sends, what it makes of the reference's samples, and bars over any range.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, BarInterval, DepthKind};
use bitmax::{BarsQuery, Decimal, Error, Market, Result, Symbol};
use serde_json::{Value, json};
use support::{PUBLIC, Reply, Server, bars_answer, fixture, same};

#[test]
fn each_call_is_sent_as_the_reference_says_and_reads_its_sample() {
    for call in PUBLIC {
        let sample = fixture(call.fixture);
        let body = sample.clone();
        let server = Server::start(move |_| Reply::json(&body));
        let written = (call.call)(&server.client()).unwrap_or_else(|e| panic!("{}: {e}", call.path));

        let [request] = server.requests().try_into().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", call.path));
        let query: Vec<_> = request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(query, call.query, "{}", call.path);
        assert_eq!(request.body, "");

        let read: Value = serde_json::from_str(&sample).unwrap();
        same(&read["data"], &written, &[("positionScale", "precisionScale")], &[])
            .unwrap_or_else(|e| panic!("{}: {e}", call.path));
    }
}

#[test]
fn requests_say_who_asks_and_offer_no_compression() {
    let server = Server::start(|_| Reply::json(fixture("assets-v2")));
    server.client().market().assets().unwrap();
    server.builder().user_agent("someone/2").build().unwrap().market().assets().unwrap();
    let [first, second] = server.requests().try_into().unwrap();
    assert_eq!(first.header("user-agent"), Some(concat!("bitmax-rs/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(first.header("accept"), Some("application/json"));
    assert_eq!(first.header("accept-encoding"), None);
    assert_eq!(second.header("user-agent"), Some("someone/2"));
}

#[test]
fn values_are_what_the_samples_say() {
    let server = Server::start(|request| {
        Reply::json(fixture(match request.path.rsplit('/').next() {
            Some("depth") => "depth",
            Some("trades") => "trades",
            Some("ticker") => "ticker-one",
            _ => "assets-v1",
        }))
    });
    let market = server.client().market();
    let depth = market.depth(Symbol::new("ASD/USDT").unwrap()).unwrap();
    assert_eq!((depth.kind, depth.seqnum, depth.bids.len()), (DepthKind::Snapshot, 5_068_757, 2));
    let trades = market.trades(String::from("ASD/USDT"), None).unwrap();
    assert_eq!(trades.trades[0].seqnum, 144_115_191_800_016_553);
    assert!(trades.trades[1].buyer_is_maker);
    let ticker = market.ticker(depth.symbol).unwrap();
    assert_eq!(ticker.ask.unwrap().size, Decimal::from(43_641));
    assert_eq!(market.assets_v1().unwrap()[0].precision_scale, 9);
}

#[test]
fn an_unreadable_row_does_not_cost_the_others() {
    let good: Value = serde_json::from_str::<Value>(&fixture("ticker-list")).unwrap()["data"][0].clone();
    let body = json!({"code": 0, "data": [good, {"symbol": "X/Y", "open": "?"}, good]}).to_string();
    let server = Server::start(move |_| Reply::json(&body));
    let tickers = server.client().market().all_tickers().unwrap();
    assert_eq!(tickers.len(), 2);
    assert_eq!((tickers.unreadable()[0].index, tickers.unreadable()[0].text.contains("X/Y")), (1, true));
}

#[test]
fn many_tickers_are_asked_in_portions_that_fit_an_address() {
    let server = Server::start(|request| {
        let names = request.param("symbol").unwrap().split(',').filter(|name| !name.is_empty());
        let rows: Vec<_> = names
            .map(|name| json!({"symbol": name, "open": 1, "close": 1, "high": 1, "low": 1, "volume": 1, "ask": ["1", "1"], "bid": ["1", "1"]}))
            .collect();
        Reply::json(json!({"code": 0, "data": rows}).to_string())
    });
    let symbols: Vec<String> = (0..120).map(|i| format!("ABCDEFGHIJK{i:03}/USDT1234")).collect();
    let tickers = server.client().market().tickers(&symbols).unwrap();
    assert!(tickers.iter().map(|ticker| ticker.symbol.as_str()).eq(symbols.iter().map(String::as_str)));
    assert_eq!(server.requests().len(), 3);
    for request in server.requests() {
        let encoded = request.param("symbol").unwrap().replace(['/', ','], "%2F").len();
        assert!(encoded + request.path.len() + "https://ascendex.com?symbol=".len() < 2048);
    }
}

#[test]
fn bad_arguments_are_refused_and_nothing_is_sent() {
    let server = Server::start(|_| Reply::json("{}"));
    let market = server.client().market();
    let bars = |query: BarsQuery| market.bars(&query).map(drop);
    let minute = || BarsQuery::new("BTC/USDT", BarInterval::Min1).unwrap();
    let nothing: [&str; 0] = [];
    let iter = |interval, range: (u64, u64)| market.bars_iter("BTC/USDT", interval, range.0..=range.1).map(drop);
    for (result, field) in [
        (market.ticker("btc/usdt").map(drop), "symbol"),
        (market.tickers(["BTC/USDT", "BTC"]).map(drop), "symbol"),
        (market.tickers(nothing).map(drop), "symbol"),
        (market.depth("").map(drop), "symbol"),
        (market.trades("BTC/USDT,", None).map(drop), "symbol"),
        (market.trades("BTC/USDT", Some(0)).map(drop), "n"),
        (market.trades("BTC/USDT", Some(101)).map(drop), "n"),
        (bars(minute().n(0)), "n"),
        (bars(minute().n(501)), "n"),
        (bars(minute().from(2).to(1)), "to"),
        (bars(BarsQuery::new("BTC/USDT", BarInterval::from_text("7")).unwrap()), "interval"),
        (BarsQuery::new("BTC", BarInterval::Min1).map(drop).map_err(Error::from), "symbol"),
        (iter(BarInterval::from_text("2m"), (1, 2)), "interval"),
        (iter(BarInterval::Min1, (2, 1)), "to"),
        (market.bars_iter("BTC/USDT", BarInterval::Min1, ..5).map(drop), "from"),
        (market.bars_iter("BTC/USDT", BarInterval::Min1, 0..0).map(drop), "to"),
        (market.bars_iter("BTCUSDT", BarInterval::Min1, 0..).map(drop), "symbol"),
    ] {
        let error = result.unwrap_err();
        assert!(!error.may_have_executed());
        match error {
            Error::InvalidInput(e) => assert_eq!(e.field(), field),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(server.requests(), []);
}

const MINUTE: u64 = 60_000;

/// A server that has these bars.
fn bars_server(times: Vec<u64>) -> Server {
    Server::start(move |request| Reply::json(bars_answer(&times, request)))
}

fn times(bars: impl Iterator<Item = Result<bitmax::model::Bar>>) -> Vec<u64> {
    bars.map(|bar| bar.unwrap().ts).collect()
}

fn iter(market: &Market, interval: BarInterval, range: impl std::ops::RangeBounds<u64>) -> Vec<u64> {
    times(market.bars_iter("BTC/USDT", interval, range).unwrap())
}

#[test]
fn bars_of_any_range_come_once_each_and_oldest_first() {
    let all: Vec<u64> = (1000..3700).map(|i| i * MINUTE).collect();
    let server = bars_server(all.clone());
    let market = server.client().market();
    let (first, last) = (all[0], all[all.len() - 1]);
    for (from, to) in [
        (first, last),
        (first - 1, last + 1),
        (first + 1, last - 1),
        (0, u64::MAX),
        (first, first),
        (first + 1, first + 1),
        (first, first + 499 * MINUTE),
        (first, first + 500 * MINUTE),
        (first, first + 500 * MINUTE - 1),
        (last + 1, u64::MAX),
        (u64::MAX - 5, u64::MAX),
        (0, first - 1),
    ] {
        let wanted: Vec<u64> = all.iter().copied().filter(|ts| (from..=to).contains(ts)).collect();
        assert_eq!(iter(&market, BarInterval::Min1, from..=to), wanted, "{from}..={to}");
    }
    assert_eq!(iter(&market, BarInterval::Min1, first + 1..), all[1..]);
    assert_eq!(iter(&market, BarInterval::Min1, first..last), all[..all.len() - 1]);
    assert_eq!(iter(&market, BarInterval::Min1, last + 1..), Vec::<u64>::new());
}

#[test]
fn gaps_in_trading_neither_end_nor_repeat_the_bars() {
    // Gaps of several pages, and pages with a few bars.
    let all: Vec<u64> = [0..3, 499..501, 2600..2601, 4000..4700].into_iter().flatten().map(|i| i * MINUTE).collect();
    let server = bars_server(all.clone());
    assert_eq!(iter(&server.client().market(), BarInterval::Min1, 0..=5000 * MINUTE), all);
}

#[test]
fn months_are_of_uneven_length() {
    // The first of each month of 60 years, by the days since 1970.
    let mut day = 0;
    let all: Vec<u64> = (0..720)
        .map(|month| {
            let ts = day * 24 * 60 * MINUTE;
            let year = 1970 + month / 12;
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += days[month % 12];
            ts
        })
        .collect();
    let server = bars_server(all.clone());
    assert_eq!(iter(&server.client().market(), BarInterval::Month1, 0..), all);
}

#[test]
fn bars_without_an_end_reach_to_the_newest() {
    let server = bars_server(Vec::new());
    assert_eq!(iter(&server.client().market(), BarInterval::Day1, 0..), Vec::<u64>::new());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn bars_are_fetched_when_the_iterator_comes_to_them() {
    let server = bars_server((0..2000).map(|i| i * MINUTE).collect());
    let mut bars = server.client().market().bars_iter("BTC/USDT", BarInterval::Min1, 0..=1999 * MINUTE).unwrap();
    assert_eq!(server.requests().len(), 0);
    bars.next().unwrap().unwrap();
    // One for the newest bar, one for the first page.
    assert_eq!(server.requests().len(), 2);
    assert_eq!(bars.count(), 1999);
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn an_error_ends_the_bars_once_told() {
    let times: Vec<u64> = (0..2000).map(|i| i * MINUTE).collect();
    let server = Server::start(move |request| match request.param("from") {
        Some("30000000") => Reply::status(502, "", "<html>"),
        _ => Reply::json(bars_answer(&times, request)),
    });
    let bars = server.client().market().bars_iter("BTC/USDT", BarInterval::Min1, 0..=1999 * MINUTE).unwrap();
    let results: Vec<_> = bars.collect();
    assert_eq!(results.len(), 501);
    assert!(results[..500].iter().all(Result::is_ok));
    assert_eq!(results[500].as_ref().unwrap_err().kind(), "http");
}

#[test]
fn connections_are_kept_and_shared_among_threads() {
    let server = Server::start(|_| Reply::json(fixture("products-cash")));
    let client = server.builder().idle_connection_age(Duration::from_secs(60)).build().unwrap();
    for _ in 0..5 {
        client.market().products(AccountCategory::Cash).unwrap();
        client.with_deadline(Instant::now() + Duration::from_secs(5)).market().products(AccountCategory::Cash).unwrap();
    }
    assert!(server.requests().iter().all(|request| request.connection == 0));

    let threads: Vec<_> = (0..4)
        .map(|_| {
            let client = client.clone();
            thread::spawn(move || (0..20).for_each(|_| drop(client.market().products(AccountCategory::Cash).unwrap())))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(server.requests().len(), 90);
    assert!(server.requests().iter().all(|request| request.connection < 4));
}

#[test]
fn a_connection_that_the_server_closed_is_not_used_again() {
    let server = Server::start(|_| {
        Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"code\":0,\"data\":[]}".to_vec())
    });
    let client = server.client();
    for n in 1..20 {
        assert!(client.market().assets().unwrap().is_empty());
        server.wait_until_closed(n);
    }
}

#[test]
fn idle_connections_are_dropped_in_time() {
    let server = Server::start(|_| Reply::json(fixture("assets-v2")));
    let client = server.builder().idle_connection_age(Duration::ZERO).build().unwrap();
    client.market().assets().unwrap();
    client.market().assets().unwrap();
    let connections: Vec<_> = server.requests().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[test]
fn a_path_in_the_address_is_kept() {
    let server = Server::start(|_| Reply::json(fixture("assets-v2")));
    let endpoint = bitmax::Endpoint::new(format!("{}/exchange/", server.url()), "ws://127.0.0.1:1").unwrap();
    bitmax::Client::builder(endpoint).build().unwrap().market().assets().unwrap();
    assert_eq!(server.requests()[0].path, "/exchange/api/pro/v2/assets");
}

#[test]
fn the_newest_page_is_asked_with_the_state_of_the_server() {
    // New bars arrive while the pages are read: those beyond the range do not matter.
    let newest = Mutex::new(1999);
    let server = Server::start(move |request| {
        let mut newest = newest.lock().unwrap();
        *newest += 1;
        Reply::json(bars_answer(&(0..*newest).map(|i| i * MINUTE).collect::<Vec<_>>(), request))
    });
    let bars = iter(&server.client().market(), BarInterval::Min1, 0..);
    assert_eq!(bars, (0..2000).map(|i| i * MINUTE).collect::<Vec<_>>());
}
