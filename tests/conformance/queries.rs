//! The table *Orders*: status, open orders and the histories.

use std::time::Duration;

use bitmax::model::AccountCategory;
use bitmax::sandbox::{OrderRequest, ProductOptions, Sandbox, UnknownOrder};
use serde_json::{Value, json};

use crate::caller::{Caller, START, SYMBOL, lively, new_id, still, with};
use crate::orders::traders;
use crate::shape::{assert_shape, assert_shape_without, dec, list, money, row, sample, texts};

const STATUS: &str = "/G/api/pro/v1/cash/order/status";
const CURRENT: &str = "/G/api/pro/v1/cash/order/hist/current";
const V1: &str = "/G/api/pro/v1/order/hist";

// --- Status ---

#[test]
fn status_of_one_is_an_object_of_several_a_list() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let orders = [trader.limit("buy", "1", "100"), trader.limit("sell", "2", "110")];
    let [a, b] = orders.map(|order| trader.place_id(&order));
    let answer = trader.whole("GET", &format!("{STATUS}?orderId={a}"), "order/status", None);
    assert_shape_without(
        &json!({"code": 0, "accountId": answer["accountId"], "data": [answer["data"]]}),
        &sample("rest/order-status"),
        &["accountCategory"], // or `ac`
    );
    assert!(answer["accountCategory"] == "CASH" || answer["ac"] == "CASH", "{answer}");
    assert_eq!((&answer["data"]["orderId"], &answer["data"]["side"]), (&json!(a), &json!("Buy")));

    for (ids, expected) in
        [(format!("{a},"), vec![&a]), (format!("{a},{b}"), vec![&a, &b]), (format!("{b},{a},"), vec![&b, &a])]
    {
        let answer = trader.whole("GET", &format!("{STATUS}?orderId={ids}"), "order/status", None);
        assert_shape_without(&answer, &sample("rest/order-status"), &["accountCategory"]);
        assert_eq!(list(&answer["data"]).len(), expected.len());
        expected.iter().for_each(|id| _ = row(&answer["data"], "orderId", id));
    }
}

#[test]
fn status_needs_an_order_id_of_at_most_1000_characters() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    trader.refused("GET", STATUS, "order/status", None);
    let order = trader.limit("buy", "1", "100");
    let id = trader.place_id(&order);
    let many = |n: usize| vec![id.as_str(); n].join(",");
    let most = 1000 / (id.len() + 1);
    trader.data("GET", &format!("{STATUS}?orderId={}", many(most)), "order/status", None);
    let refused = trader.refused("GET", &format!("{STATUS}?orderId={}", many(most + 1)), "order/status", None);
    assert_eq!(refused["code"], 100004, "{refused}");
}

#[test]
fn status_of_an_unknown_id_or_anothers_is_what_the_setting_says() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let foreign = maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap().to_string();
    for id in [foreign.as_str(), "a18bcfe568b9U0000000001abcdefghi"] {
        let path = format!("{STATUS}?orderId={id}");
        sandbox.set_unknown_order(UnknownOrder::Refused);
        let code = trader.refused("GET", &path, "order/status", None)["code"].as_i64().unwrap();
        assert!([10, 30].contains(&(code / 10_000)), "{code}");
        for (setting, data) in [
            (UnknownOrder::Null, json!(null)),
            (UnknownOrder::EmptyList, json!([])),
            (UnknownOrder::EmptyObject, json!({})),
        ] {
            sandbox.set_unknown_order(setting);
            assert_eq!(trader.get(&path, "order/status"), data);
        }
    }
}

// --- Open orders ---

#[test]
fn open_orders_by_symbol() {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("DEF/USDT")).unwrap();
    let (mut trader, _) = traders(&sandbox);
    for symbol in [SYMBOL, "DEF/USDT", SYMBOL] {
        let order = with(trader.limit("buy", "1", "100"), json!({"symbol": symbol}));
        trader.place(&order);
    }
    for (query, count) in [("", 3), ("?symbol=ABC/USDT", 2), ("?symbol=DEF%2FUSDT", 1), ("?symbol=BTC/USDT", 0)] {
        let open = trader.get(&format!("/G/api/pro/v1/cash/order/open{query}"), "order/open");
        assert_eq!(list(&open).len(), count, "{query}");
    }
    trader.refused("GET", "/G/api/pro/v1/cash/order/open?symbol=NONE/USDT", "order/open", None);
}

#[test]
fn open_orders_of_another_are_not_seen() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    assert_eq!(trader.open(), json!([]));
    assert_eq!(trader.get(CURRENT, "order/hist/current"), json!([]));
}

// --- Current history ---

/// A cancelled, a partly filled and then cancelled, and a filled order, each a second after the one before. Their ids.
fn past_orders(sandbox: &Sandbox, trader: &mut Caller, maker: &Caller) -> [String; 3] {
    let next = || sandbox.advance(Duration::from_secs(1));
    let order = trader.limit("buy", "1", "90");
    let cancelled = trader.place_id(&order);
    trader.cancel(&cancelled);
    next();
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    let order = with(trader.limit("buy", "3", "100"), json!({"timeInForce": "IOC"}));
    let partly = trader.place_id(&order);
    next();
    maker.user.place(&OrderRequest::buy(SYMBOL, 2).limit("95")).unwrap();
    let order = trader.order(json!({"orderType": "market", "side": "sell", "orderQty": "2"}));
    let filled = trader.place_id(&order);
    next();
    [cancelled, partly, filled]
}

#[test]
fn current_history() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let [cancelled, partly, filled] = past_orders(&sandbox, &mut trader, &maker);
    let answer = trader.whole("GET", CURRENT, "order/hist/current", None);
    assert_shape(&answer, &sample("rest/order-history-current"));
    for (id, status, quantity) in [(&cancelled, "Canceled", "0"), (&partly, "Canceled", "1"), (&filled, "Filled", "2")]
    {
        let order = row(&answer["data"], "orderId", id);
        assert_eq!((&order["status"], money(&order["cumFilledQty"])), (&json!(status), dec(quantity)), "{order}");
    }
    let ids = |trader: &mut Caller, query: &str| -> Vec<String> {
        let answer = trader.get(&format!("{CURRENT}{query}"), "order/hist/current");
        let mut ids: Vec<String> = texts(&answer, "orderId").into_iter().map(str::to_owned).collect();
        ids.sort_unstable();
        ids
    };
    let sorted = |mut ids: Vec<String>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&mut trader, "?symbol=BTC/USDT"), [""; 0]);
    assert_eq!(ids(&mut trader, "?symbol=ABC/USDT").len(), 3);
    assert_eq!(ids(&mut trader, "?executedOnly=true"), sorted(vec![partly.clone(), filled.clone()]));
    assert_eq!(ids(&mut trader, "?executedOnly=false").len(), 3);
    assert_eq!(ids(&mut trader, "?n=2").len(), 2);
    assert_eq!(ids(&mut trader, "?n=2&executedOnly=true&symbol=ABC/USDT").len(), 2);
}

// --- History v2 ---

/// The ids on a page of history v2, in its order.
fn v2(trader: &mut Caller, query: &str) -> Vec<Value> {
    let answer = trader.get(&format!("/api/pro/data/v2/order/hist?{query}"), "data/v2/order/hist");
    list(&answer).clone()
}

fn ids_of(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["orderId"].as_str().unwrap()).collect()
}

fn seq_num(row: &Value) -> u64 {
    row["seqNum"].as_u64().unwrap()
}

#[test]
fn history_v2_rows() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let [cancelled, partly, filled] = past_orders(&sandbox, &mut trader, &maker);
    let account_id = trader.user.account_id(AccountCategory::Cash);
    for (path, prehash) in [
        ("/api/pro/data/v2/order/hist?account=cash", "data/v2/order/hist"),
        ("/G/api/pro/v2/order/hist?account=cash", "order/hist"),
        (&format!("/api/pro/data/v2/order/hist?account={account_id}"), "data/v2/order/hist"),
    ] {
        let answer = trader.whole("GET", path, prehash, None);
        assert_shape(&answer, &sample("rest/order-history-v2"));
        let rows = &answer["data"];
        assert_eq!(list(rows).len(), 3);
        for (id, status, quantity, average) in
            [(&cancelled, "Canceled", "0", "0"), (&partly, "Canceled", "1", "100"), (&filled, "Filled", "2", "95")]
        {
            let order = row(rows, "orderId", id);
            assert_eq!((&order["status"], &order["accountId"]), (&json!(status), &json!(account_id)), "{order}");
            assert_eq!((money(&order["fillQty"]), money(&order["avgFillPrice"])), (dec(quantity), dec(average)));
            assert_eq!(money(&order["stopPrice"]), dec("0"), "`0`: none");
            assert!(order["createTime"].as_u64() <= order["lastExecTime"].as_u64());
        }
        let fees: Vec<_> =
            [&cancelled, &partly, &filled].map(|id| money(&row(rows, "orderId", id)["fee"]).abs()).into();
        assert_eq!(fees, [dec("0"), dec("0.1"), dec("0.19")], "of either sign");
    }
    assert_eq!(v2(&mut trader, "account=margin"), [Value::Null; 0]);
}

#[test]
fn history_v2_needs_an_account_of_ones_own() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let foreign = maker.user.account_id(AccountCategory::Cash);
    for query in ["", "?symbol=ABC/USDT", "?account=", "?account=savings", &format!("?account={foreign}")] {
        trader.refused("GET", &format!("/api/pro/data/v2/order/hist{query}"), "data/v2/order/hist", None);
    }
}

#[test]
fn history_v2_by_time_and_symbol() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let ids = past_orders(&sandbox, &mut trader, &maker);
    let second = |n: u64| START + 1000 * n;
    for (query, expected) in [
        (format!("startTime={START}"), vec![0, 1, 2]), // from the oldest on
        (format!("startTime={}", second(1)), vec![1, 2]),
        (format!("startTime={START}&limit=2"), vec![0, 1]),
        (format!("startTime={START}&endTime={}", second(1)), vec![0, 1]),
        (format!("startTime={}", second(3)), vec![]),
        ("symbol=BTC/USDT".to_owned(), vec![]),
        (format!("symbol=ABC/USDT&startTime={START}"), vec![0, 1, 2]),
    ] {
        let rows = v2(&mut trader, &format!("account=cash&{query}"));
        let expected: Vec<&str> = expected.into_iter().map(|i: usize| ids[i].as_str()).collect();
        assert_eq!(ids_of(&rows), expected, "{query}");
    }
    // From the newest, or from `endTime`, back: in whichever order the page itself is.
    for (query, expected) in [
        (String::new(), &[0, 1, 2][..]),
        ("&limit=1".to_owned(), &[2]),
        ("&limit=2".to_owned(), &[1, 2]),
        (format!("&endTime={}", second(1)), &[0, 1]),
        (format!("&endTime={}&limit=1", second(1)), &[1]),
    ] {
        let rows = v2(&mut trader, &format!("account=cash{query}"));
        let mut told = ids_of(&rows);
        let mut expected: Vec<&str> = expected.iter().map(|i| ids[*i].as_str()).collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "{query}");
    }
}

#[test]
fn history_v2_is_complete_by_seq_num() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let mut placed = Vec::new();
    for i in 0..23 {
        if i % 3 == 0 {
            maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
        }
        let order = with(trader.limit("buy", "1", "100"), json!({"timeInForce": "IOC"}));
        placed.push(trader.place_id(&order));
        if i % 5 == 0 {
            sandbox.advance(Duration::from_millis(400));
        }
    }
    for limit in [1, 4, 23, 500] {
        let mut seen: Vec<Value> = Vec::new();
        let mut page = v2(&mut trader, &format!("account=cash&startTime={START}&limit={limit}"));
        while !page.is_empty() {
            assert!(page.len() <= limit);
            assert!(page.windows(2).all(|w| seq_num(&w[0]) < seq_num(&w[1])), "rising");
            seen.extend(page);
            let next = seen.iter().map(seq_num).max().unwrap() + 1;
            page = v2(&mut trader, &format!("account=cash&seqNum={next}&limit={limit}"));
            assert!(page.iter().all(|row| seq_num(row) >= next));
        }
        assert_eq!(ids_of(&seen), placed, "limit {limit}");
        let third = seq_num(&seen[2]);
        let from_third = v2(&mut trader, &format!("account=cash&seqNum={third}&limit=1"));
        assert_eq!(ids_of(&from_third), [placed[2].as_str()], "`seqNum` is inclusive");
    }
}

#[test]
fn history_v2_is_complete_when_orders_end_in_another_order_than_they_began() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut ids: Vec<String> = Vec::new();
    for i in 1..=9 {
        let order = trader.limit("buy", "1", &(50 + i).to_string());
        ids.push(trader.place_id(&order));
        sandbox.advance(Duration::from_millis(100));
    }
    let mut open = ids.clone();
    for _ in 0..6 {
        trader.cancel(&open.pop().unwrap());
    }
    let mut seen: Vec<Value> = Vec::new();
    let mut page = v2(&mut trader, &format!("account=cash&startTime={START}&limit=2"));
    while !page.is_empty() {
        seen.extend(page);
        if let Some(id) = open.pop() {
            trader.cancel(&id); // meanwhile
        }
        let next = seen.iter().map(seq_num).max().unwrap() + 1;
        page = v2(&mut trader, &format!("account=cash&seqNum={next}&limit=2"));
    }
    // An order that was told before it ended is told again, with its end.
    seen.retain(|row| row["status"] == "Canceled");
    let mut told = ids_of(&seen);
    told.sort_unstable();
    ids.sort_unstable();
    assert_eq!(told, ids);
}

#[test]
fn history_v2_pages_are_500_or_at_most_1000() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    for _ in 0..1005 {
        let id = trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("50")).unwrap();
        trader.user.cancel(id).unwrap();
    }
    assert_eq!(v2(&mut trader, "account=cash").len(), 500);
    assert_eq!(v2(&mut trader, &format!("account=cash&startTime={START}")).len(), 500);
    assert_eq!(v2(&mut trader, "account=cash&limit=1000").len(), 1000);
    let path = "/api/pro/data/v2/order/hist?account=cash&limit=1001";
    let answer = trader.answer("GET", path, "data/v2/order/hist", None).json();
    assert!(answer["code"] != 0 || list(&answer["data"]).len() <= 1000);
}

// --- History v1 ---

fn v1(trader: &mut Caller, query: &str) -> Value {
    trader.get(&format!("{V1}{query}"), "order/hist")
}

#[test]
fn history_v1() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let [cancelled, partly, filled] = past_orders(&sandbox, &mut trader, &maker);
    let answer = trader.whole("GET", V1, "order/hist", None);
    assert_shape(&answer, &sample("rest/order-history-v1"));
    let data = &answer["data"];
    assert_eq!((&data["page"], &data["pageSize"], &data["hasNext"]), (&json!(1), &json!(20), &json!(false)));
    let first = row(&data["data"], "orderId", &filled);
    assert_eq!((money(&first["cumQty"]), &first["ac"]), (dec("2"), &json!("CASH")));
    assert_eq!(first["accountId"], trader.user.account_id(AccountCategory::Cash));

    let second = |n: u64| START + 1000 * n;
    for (query, expected) in [
        ("?category=cash".to_owned(), vec![&cancelled, &partly, &filled]),
        ("?category=margin".to_owned(), vec![]),
        ("?symbol=ABC/USDT".to_owned(), vec![&cancelled, &partly, &filled]),
        ("?symbol=BTC/USDT".to_owned(), vec![]),
        ("?orderType=market".to_owned(), vec![&filled]),
        ("?orderType=limit".to_owned(), vec![&cancelled, &partly]),
        ("?side=sell".to_owned(), vec![&filled]),
        ("?side=buy".to_owned(), vec![&cancelled, &partly]),
        ("?status=Filled".to_owned(), vec![&filled]),
        ("?status=Canceled".to_owned(), vec![&cancelled, &partly]),
        (format!("?startTime={}", second(2)), vec![&filled]),
        (format!("?endTime={}", second(0)), vec![&cancelled]),
        ("?side=buy&status=Filled".to_owned(), vec![]),
    ] {
        let answer = v1(&mut trader, &query);
        let mut told = texts(&answer["data"], "orderId");
        let mut expected: Vec<&str> = expected.into_iter().map(String::as_str).collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected, "{query}");
    }
}

#[test]
fn history_v1_by_pages() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    for _ in 0..7 {
        let id = trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("50")).unwrap();
        trader.user.cancel(id).unwrap();
    }
    let mut seen = Vec::new();
    for (page, rows, more) in [(1, 3, true), (2, 3, true), (3, 1, false)] {
        let answer = v1(&mut trader, &format!("?page={page}&pageSize=3"));
        assert_eq!((list(&answer["data"]).len(), &answer["hasNext"]), (rows, &json!(more)), "page {page}");
        assert_eq!((&answer["page"], &answer["pageSize"]), (&json!(page), &json!(3)));
        seen.extend(texts(&answer["data"], "orderId").into_iter().map(str::to_owned));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 7);
}

#[test]
fn a_margin_order_shows_in_the_histories_of_margin() {
    let sandbox = lively();
    let mut trader = Caller::first(&sandbox);
    let order = json!({"symbol": "BTC/USDT", "time": START, "id": new_id(), "orderType": "market", "side": "buy",
        "orderQty": "0.001"});
    let id = trader.data("POST", "/G/api/pro/v1/margin/order", "order", Some(&order))["info"]["orderId"].take();
    assert_eq!(v1(&mut trader, "?category=margin")["data"][0]["orderId"], id);
    assert_eq!(v2(&mut trader, "account=margin")[0]["orderId"], id);
    assert_eq!(trader.get("/G/api/pro/v1/margin/order/hist/current", "order/hist/current")[0]["orderId"], id);
    assert_eq!(v2(&mut trader, "account=cash"), [Value::Null; 0]);
}
