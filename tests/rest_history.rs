//! Histories page by page: every record once and in order, whatever the pages are like.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::sync::Mutex;

use bitmax::model::AccountCategory;
use bitmax::{Account, LedgerEntry, OrderHistoryQuery, Result, WhenLimited};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Recorded, Reply, Server, exchange, fixture, with_credentials};

/// Pages of balances come by the hundred here, and not eight a minute.
fn account(server: &Server) -> Account {
    let client = with_credentials(server).when_limited(WhenLimited::Ignore).build().unwrap();
    client.account(AccountCategory::Cash).unwrap()
}

fn number(request: &Recorded, name: &str) -> Option<u64> {
    request.param(name).map(|value| value.parse().unwrap())
}

/// The requests after the one for the account group.
fn asked(server: &Server) -> Vec<Recorded> {
    server.requests().into_iter().filter(|request| !request.path.ends_with("/info")).collect()
}

/// A record of the history; its time is its number.
fn record(seq_num: u64) -> Value {
    let mut record = serde_json::from_str::<Value>(&fixture("order-history-v2")).unwrap()["data"][0].clone();
    record["seqNum"] = json!(seq_num);
    record["createTime"] = json!(seq_num);
    record
}

/// A page as the exchange answers it: with a start the oldest from there on, else the newest.
fn page_of(numbers: &[u64], request: &Recorded) -> Vec<u64> {
    let limit = usize::try_from(number(request, "limit").unwrap_or(500)).unwrap();
    let end = number(request, "endTime").unwrap_or(u64::MAX);
    let start = number(request, "startTime").max(number(request, "seqNum"));
    let within = numbers.iter().copied().filter(|n| (start.unwrap_or(0)..=end).contains(n));
    match start {
        Some(_) => within.take(limit).collect(),
        None => within.rev().take(limit).collect(),
    }
}

fn orders(numbers: Vec<u64>) -> Server {
    exchange(move |request| {
        assert_eq!(request.path, "/api/pro/data/v2/order/hist");
        let mut page = page_of(&numbers, request);
        // No order within a page is promised.
        page.reverse();
        Reply::json(json!({"code": 0, "data": page.into_iter().map(record).collect::<Vec<_>>()}).to_string())
    })
}

fn numbers(server: &Server, query: &OrderHistoryQuery) -> Vec<u64> {
    let orders = account(server).order_history_iter(query).unwrap().collect::<Result<Vec<_>>>().unwrap();
    orders.iter().map(|order| order.seq_num).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_order_comes_once_and_in_order(
        steps in prop::collection::vec(1u64..1_000_000, 0..60),
        limit in 1u32..20,
        from in 0usize..70,
        to in 0usize..70,
        by_number: bool,
    ) {
        let all: Vec<u64> = steps.iter().scan(1 << 57, |n, step| { *n += step; Some(*n) }).collect();
        let server = orders(all.clone());
        let start = all.get(from).copied().unwrap_or(0);
        let end = all.get(to).copied().unwrap_or(u64::MAX).max(start);
        let query = OrderHistoryQuery::new().limit(limit).end_time(end);
        let query = if by_number { query.seq_num(start) } else { query.start_time(start) };
        let wanted: Vec<u64> = all.into_iter().filter(|n| (start..=end).contains(n)).collect();
        prop_assert_eq!(numbers(&server, &query), wanted);
    }
}

#[test]
fn pages_are_asked_for_as_the_reference_says() {
    let server = orders((1..=25).map(|n| n * 7).collect());
    let all: Vec<u64> = (1..=25).map(|n| n * 7).collect();
    assert_eq!(numbers(&server, &OrderHistoryQuery::new().limit(10).symbol("BTC/USDT".parse().unwrap())), all);
    let asked: Vec<_> = asked(&server).into_iter().map(|request| request.query).collect();
    let query = |start: (&str, &str)| {
        let pairs = [("account", "cash"), ("symbol", "BTC/USDT"), start, ("limit", "10")];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    // The first by time, the others by the number after the largest one, until one is empty.
    let wanted =
        [query(("startTime", "0")), query(("seqNum", "71")), query(("seqNum", "141")), query(("seqNum", "176"))];
    assert_eq!(asked, wanted);
}

#[test]
fn pages_are_fetched_when_the_iterator_comes_to_them() {
    let server = orders((1..=25).collect());
    let mut orders = account(&server).order_history_iter(&OrderHistoryQuery::new().limit(10)).unwrap();
    assert_eq!(asked(&server).len(), 0);
    orders.next().unwrap().unwrap();
    assert_eq!(asked(&server).len(), 1);
    assert_eq!(orders.count(), 24);
    assert_eq!(asked(&server).len(), 4);
}

#[test]
fn a_server_that_repeats_itself_ends_the_history() {
    let page: Vec<Value> = [3, 1, 2].into_iter().map(record).collect();
    let body = json!({"code": 0, "data": page}).to_string();
    let server = exchange(move |_| Reply::json(&body));
    assert_eq!(numbers(&server, &OrderHistoryQuery::new()), [1, 2, 3]);
    assert_eq!(asked(&server).len(), 2);
    let last = json!({"code": 0, "data": [record(u64::MAX)]}).to_string();
    let server = exchange(move |_| Reply::json(&last));
    assert_eq!(numbers(&server, &OrderHistoryQuery::new()), [u64::MAX]);
}

#[test]
fn an_order_that_cannot_be_read_is_told_and_does_not_stop_the_others() {
    let server = exchange(|request| {
        let page = match number(request, "seqNum") {
            None => vec![record(1), json!({"seqNum": "5", "odd": true}), record(3)],
            Some(6) => vec![json!("odd"), record(8)],
            Some(9) => vec![json!({})],
            other => panic!("{other:?}"),
        };
        Reply::json(json!({"code": 0, "data": page}).to_string())
    });
    let read: Vec<_> = account(&server).order_history_iter(&OrderHistoryQuery::new()).unwrap().collect();
    let told: Vec<String> = read
        .iter()
        .map(|order| match order {
            Ok(order) => order.seq_num.to_string(),
            Err(bitmax::Error::Decode(e)) => format!("{} {}", e.path, e.near),
            Err(e) => panic!("{e}"),
        })
        .collect();
    assert_eq!(told, ["1", "3", r#"data[1] {"odd":true,"seqNum":"5"}"#, "8", r#"data[0] "odd""#, "data[0] {}"]);
}

#[test]
fn any_other_error_ends_the_history_once_told() {
    let server = exchange(|request| match number(request, "seqNum") {
        None => Reply::json(json!({"code": 0, "data": [record(1)]}).to_string()),
        Some(_) => Reply::status(502, "", "<html>"),
    });
    let read: Vec<_> = account(&server).order_history_iter(&OrderHistoryQuery::new()).unwrap().collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1].as_ref().unwrap_err().kind(), "http");
}

const START: u64 = 1_617_148_800_000;
const DAY: u64 = 24 * 3_600_000;

/// Changes as `(sn, whether a trade made it, time)`.
type Change = (u64, bool, u64);

fn history(changes: impl Iterator<Item = Change>) -> String {
    let sample: Value = serde_json::from_str(&fixture("balance-history")).unwrap();
    let (mut orders, mut others) = (Vec::new(), Vec::new());
    for (sn, trade, time) in changes {
        let list = if trade { "order" } else { "balance" };
        let mut row = sample[list][0].clone();
        row["sn"] = json!(sn);
        row["transactTime"] = json!(time);
        if trade { orders.push(row) } else { others.push(row) }
    }
    // Newest first, as in the sample.
    others.reverse();
    json!({"meta": sample["meta"], "order": orders, "balance": others}).to_string()
}

fn snapshot(sn: u64) -> String {
    fixture("balance-snapshot").replace("10870097597", &sn.to_string())
}

/// An exchange whose pages have at most `limit` changes, whatever is asked for.
fn ledger(changes: Vec<Change>, sn: u64, limit: usize) -> Server {
    exchange(move |request| match request.path.rsplit('/').next() {
        Some("snapshot") => Reply::json(snapshot(sn)),
        _ => {
            assert_eq!(number(request, "limit"), Some(500));
            let from = number(request, "sn").unwrap();
            Reply::json(history(changes.iter().copied().filter(|(sn, ..)| *sn >= from).take(limit)))
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_change_of_a_day_comes_once_and_in_order(
        steps in prop::collection::vec((1u64..1000, any::<bool>()), 0..60),
        limit in 1usize..20,
        from in 0u64..20_000,
        pace in 1u64..20_000_000,
    ) {
        let mut sn = 0;
        let mut time = START - DAY / 2;
        let all: Vec<Change> = steps.iter().map(|(step, trade)| { sn += step; time += pace; (sn, *trade, time) }).collect();
        let server = ledger(all.clone(), from, limit);
        let entries = account(&server).ledger("2021-03-31").unwrap().collect::<Result<Vec<_>>>().unwrap();
        let told: Vec<Change> = entries
            .iter()
            .map(|entry| (entry.sn(), matches!(entry, LedgerEntry::Order(_)), entry.transact_time()))
            .collect();
        let wanted: Vec<Change> =
            all.into_iter().filter(|(sn, _, time)| *sn > from && *time < START + DAY).collect();
        prop_assert_eq!(told, wanted);
    }
}

#[test]
fn a_ledger_begins_with_the_snapshot_and_ends_with_the_day() {
    let changes = (1..=10u64).map(|n| (100 * n, n % 2 == 0, START + n * DAY / 5)).collect();
    let server = ledger(changes, 150, 2);
    let ledger = account(&server).ledger("2021-03-31").unwrap();
    assert_eq!(asked(&server).len(), 1);
    assert_eq!((ledger.snapshot().meta.sn, ledger.snapshot().snapshot.len()), (150, 3));
    let sns: Vec<u64> = ledger.map(|entry| entry.unwrap().sn()).collect();
    assert_eq!(sns, [200, 300, 400]);
    let asked = asked(&server);
    let wanted: Vec<_> = asked[1..].iter().map(|request| number(request, "sn").unwrap()).collect();
    // The page from 501 on holds only changes of the next day.
    assert_eq!((asked[0].param("date"), wanted), (Some("2021-03-31"), vec![151, 301, 501]));
}

#[test]
fn a_ledger_without_the_time_of_its_snapshot_goes_on_to_the_end() {
    let changes = Mutex::new(vec![(1, true, START), (2, false, START + 9 * DAY)]);
    let server = exchange(move |request| {
        match request.path.rsplit('/').next() {
        Some("snapshot") => Reply::json(
            json!({"meta": {"ac": "cash", "accountId": "x", "sn": "0"}, "balance": [{"asset": "BTC", "totalBalance": "-1"}]})
                .to_string(),
        ),
        _ => Reply::json(history(changes.lock().unwrap().drain(..))),
    }
    });
    let ledger = account(&server).ledger("2021-03-31").unwrap();
    assert!(ledger.snapshot().snapshot[0].total_balance.is_sign_negative());
    assert_eq!(ledger.count(), 2);
}

#[test]
fn a_change_that_cannot_be_read_is_told_and_does_not_stop_the_others() {
    let server = exchange(|request| match (request.path.rsplit('/').next(), number(request, "sn")) {
        (Some("snapshot"), _) => Reply::json(snapshot(0)),
        (_, Some(1)) => {
            let mut page: Value = serde_json::from_str(&history([(3, true, START)].into_iter())).unwrap();
            page["balance"] = json!([{"sn": 7, "odd": true}]);
            Reply::json(page.to_string())
        }
        (_, Some(8)) => Reply::json(history(std::iter::empty())),
        other => panic!("{other:?}"),
    });
    let entries: Vec<_> = account(&server).ledger("2021-03-31").unwrap().collect();
    assert_eq!((entries.len(), entries[0].as_ref().unwrap().sn()), (2, 3));
    let error = entries[1].as_ref().unwrap_err().to_string();
    assert!(error.contains("balance[0]") && error.contains("odd"), "{error}");
}
