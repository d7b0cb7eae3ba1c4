//! What the sandbox answers about orders over raw sockets: status, open orders, history; and what always holds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::time::Duration;

use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::sandbox::{OrderRequest, ProductOptions, Sandbox, UnknownOrder, UserOptions};
use private::{Client, ROW, START, floor, names, text};
use serde_json::{Value, json};

#[test]
fn an_account_remembers_as_many_orders_and_entries_as_it_is_set_to() {
    let (sandbox, _, other) = floor();
    let user = sandbox.add_user(UserOptions::new().history(3));
    user.fund(Cash, "USDT", 1000).unwrap();
    let mut client = Client::of(&sandbox, &user);
    let ids: Vec<String> = (0..5)
        .map(|_| {
            other.place(&OrderRequest::sell("ABC/USDT", "0.1").limit(90)).unwrap();
            client.placed("buy", "0.1", "90")
        })
        .collect();
    let known: Vec<String> = user.ended_orders(Cash).iter().map(|order| order.id.to_string()).collect();
    assert_eq!(known, ids[2..]);
    assert_eq!(client.rows("order/hist/current").len(), 3);
    let status = |client: &mut Client, id: &str| client.orders(&format!("GET order/status?orderId={id}"), &Value::Null);
    assert_eq!(status(&mut client, &ids[1]).refusal().0, 300_006);
    assert_eq!(text(&status(&mut client, &ids[2]).data(), "status"), "Filled");
    let ledger = client.get("data/v1/cash/balance/history?sn=0", "data/v1/cash/balance/history").json();
    assert_eq!(ledger["order"].as_array().map(Vec::len), Some(3), "{ledger}");
}

// --- Questions ---

#[test]
fn a_status_is_an_object_or_a_list() {
    let (sandbox, mut client, other) = floor();
    let [one, two] = ["99", "98"].map(|price| client.placed("buy", "1", price));
    other.place(&OrderRequest::sell("ABC/USDT", "0.5").limit(99)).unwrap();
    let ask = |client: &mut Client, ids: &str| client.orders(&format!("GET order/status?orderId={ids}"), &Value::Null);
    let answer = ask(&mut client, &one).json();
    assert_eq!(names(&answer), ["accountCategory", "accountId", "code", "data"]);
    assert_eq!(
        (&answer["accountCategory"], &answer["accountId"]),
        (&json!("CASH"), &json!(sandbox.user().account_id(Cash)))
    );
    let row = &answer["data"];
    assert_eq!(names(row), ROW);
    assert_eq!(
        (text(row, "status"), text(row, "cumFilledQty"), text(row, "avgPx"), text(row, "cumFee")),
        ("PartiallyFilled", "0.5", "99", "0.0495")
    );
    assert_eq!(ask(&mut client, &format!("{one},")).data().as_array().unwrap().len(), 1);
    let both = ask(&mut client, &format!("{two},{one}")).data();
    assert_eq!((&both[0]["orderId"], &both[1]["orderId"]), (&json!(two), &json!(one)));

    let none = "a0123456789U1234567890abcdefghi";
    for (setting, alone, among) in [
        (UnknownOrder::Null, Some(Value::Null), 2),
        (UnknownOrder::EmptyList, Some(json!([])), 1),
        (UnknownOrder::EmptyObject, Some(json!({})), 1),
        (UnknownOrder::Refused, None, 0),
    ] {
        sandbox.set_unknown_order(setting);
        let (one_answer, list) = (ask(&mut client, none), ask(&mut client, &format!("{none},{one}")));
        match alone {
            Some(expected) => {
                assert_eq!(one_answer.data(), expected, "{setting:?}");
                let list = list.data();
                assert_eq!(list.as_array().unwrap().len(), among, "{setting:?}");
                assert_eq!(list[among - 1]["orderId"], json!(one));
            }
            None => assert_eq!([one_answer.refusal().0, list.refusal().0], [300_006; 2]),
        }
    }
    assert_eq!(client.orders("GET order/status", &Value::Null).refusal().0, 100_006);
    let long = vec![one.as_str(); 31].join(",");
    assert_eq!((long.len(), ask(&mut client, &long).refusal().0), (1022, 100_004));
    let fits = vec![one.as_str(); 30].join(",");
    assert_eq!(ask(&mut client, &fits).data().as_array().unwrap().len(), 30);
    assert_eq!(ask(&mut client, &"x".repeat(2048)).status, 414);
}

#[test]
fn open_orders_and_the_current_history() {
    let (sandbox, mut client, other) = floor();
    let user = sandbox.user();
    let bought = client.placed("buy", "1", "99");
    let cancelled = client.placed("buy", "1", "98");
    let open = user.place(&OrderRequest::buy("BTC/USDT", "0.1").limit(10_000)).unwrap();
    other.place(&OrderRequest::sell("ABC/USDT", 1).limit(99)).unwrap();
    user.cancel(cancelled.parse().unwrap()).unwrap();
    let answer = client.orders("GET order/open", &Value::Null).json();
    assert_eq!(names(&answer), ["ac", "accountId", "code", "data"]);
    assert_eq!((&answer["ac"], &answer["data"][0]["orderId"]), (&json!("CASH"), &json!(open.as_str())));
    let ids = |rows: Vec<Value>| rows.iter().map(|row| text(row, "orderId").to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(client.rows("order/open?symbol=ABC/USDT")), Vec::<String>::new());
    assert_eq!(ids(client.rows("order/open?symbol=BTC/USDT")), [open.to_string()]);
    assert_eq!(ids(client.rows("order/hist/current")), [cancelled.clone(), bought.clone()]);
    assert_eq!(ids(client.rows("order/hist/current?n=1")), [cancelled]);
    assert_eq!(ids(client.rows("order/hist/current?executedOnly=true&symbol=ABC/USDT")), [bought]);
    assert_eq!(ids(client.rows("order/hist/current?symbol=BTC/USDT")), Vec::<String>::new());
    let row = &client.rows("order/hist/current?executedOnly=true")[0];
    assert_eq!(names(row), ROW);
    for (query, expected) in [
        ("order/open?symbol=NO/USDT", 100_008),
        ("order/hist/current?symbol=NO/USDT", 100_008),
        ("order/hist/current?n=0", 100_006),
        ("order/hist/current?n=few", 100_013),
    ] {
        assert_eq!(client.orders(&format!("GET {query}"), &Value::Null).refusal().0, expected, "{query}");
    }
}

/// 25 ended orders, one a second; the other participant buys from every fifth.
fn with_history() -> (Sandbox, Client) {
    let (sandbox, client, other) = floor();
    let user = sandbox.user();
    for n in 0..25 {
        let order = user.place(&OrderRequest::sell("ABC/USDT", "0.1").limit(100)).unwrap();
        match n % 5 {
            0 => other.place(&OrderRequest::buy("ABC/USDT", "0.1").limit(100)).map(|_| ()).unwrap(),
            _ => user.cancel(order).unwrap(),
        }
        sandbox.advance(Duration::from_secs(1));
    }
    let mut client = client;
    client.now = sandbox.now();
    (sandbox, client)
}

#[test]
fn the_whole_history_is_read_page_by_page() {
    let (sandbox, mut client) = with_history();
    let truth: Vec<_> = sandbox.user().ended_orders(Cash);
    let mut page = |query: &str| {
        let answer = client.get(&format!("data/v2/order/hist?{query}"), "data/v2/order/hist");
        let rows = answer.data().as_array().unwrap().clone();
        rows.iter().map(|row| row["seqNum"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    const NOTHING: [u64; 0] = [];
    let all: Vec<u64> = truth.iter().map(|order| order.sn).collect();
    // By the time first, then by the number.
    let mut read = page(&format!("account=cash&limit=10&startTime={START}"));
    while let Some(last) = read.last() {
        let next = page(&format!("account=cash&limit=10&seqNum={}", last + 1));
        if next.is_empty() {
            break;
        }
        assert!(next.len() <= 10);
        read.extend(next);
    }
    assert_eq!(read, all);
    let newest_first: Vec<u64> = all.iter().rev().copied().collect();
    assert_eq!(page("account=cash"), newest_first);
    assert_eq!(page("account=CASH&limit=3"), newest_first[..3]);
    assert_eq!(page(&format!("account={}&limit=1", sandbox.user().account_id(Cash))), newest_first[..1]);
    // Both ends included.
    assert_eq!(page(&format!("account=cash&endTime={}", START + 3000)), newest_first[21..]);
    assert_eq!(page(&format!("account=cash&startTime={}&endTime={}", START + 1000, START + 3000)), all[1..4]);
    assert_eq!(page(&format!("account=cash&seqNum={}", all[20])), all[20..]);
    assert_eq!(page(&format!("account=cash&seqNum={}&endTime={}", all[1], START + 3000)), all[1..4]);
    assert_eq!(page("account=cash&symbol=BTC/USDT"), NOTHING);
    assert_eq!(page("account=margin"), NOTHING);
    assert_eq!(page("account=futures"), NOTHING);
    assert_eq!(page("account=cash&limit=5000").len(), 25);
}

#[test]
fn history_rows_and_refusals() {
    let (sandbox, mut client) = with_history();
    let rows = client.get("data/v2/order/hist?account=cash&startTime=0&limit=1", "data/v2/order/hist").data();
    let order = &sandbox.user().ended_orders(Cash)[0];
    assert_eq!(
        rows[0],
        json!({
            "orderId": order.id.as_str(), "seqNum": order.sn, "accountId": sandbox.user().account_id(Cash),
            "symbol": "ABC/USDT", "orderType": "Limit", "side": "Sell", "price": "100", "stopPrice": "0",
            "orderQty": "0.1", "status": "Filled", "createTime": START, "lastExecTime": START,
            "avgFillPrice": "100", "fillQty": "0.1", "fee": "0.01", "feeAsset": "USDT",
        })
    );
    for (query, expected) in [
        ("", 100_006),
        ("?account=", 100_006),
        ("?account=savings", 200_003),
        ("?account=cash&limit=0", 100_006),
        ("?account=cash&limit=all", 100_013),
        ("?account=cash&seqNum=-1", 100_013),
        ("?account=cash&symbol=NO/USDT", 100_008),
    ] {
        let answer = client.get(&format!("data/v2/order/hist{query}"), "data/v2/order/hist");
        assert_eq!(answer.refusal().0, expected, "{query}");
    }
    // The older path, signed either way.
    for prehash in ["order/hist", "v2/order/hist"] {
        let rows = client.get("G/v2/order/hist?account=cash&limit=2", prehash).data();
        assert_eq!(rows.as_array().unwrap().len(), 2);
    }
}

#[test]
fn the_old_history_has_pages() {
    let (sandbox, mut client) = with_history();
    let mut ask = |query: &str| client.get(&format!("G/v1/order/hist{query}"), "order/hist");
    let page = ask("").data();
    assert_eq!(names(&page), ["data", "hasNext", "limit", "page", "pageSize"]);
    assert_eq!((&page["hasNext"], &page["page"], &page["pageSize"]), (&json!(true), &json!(1), &json!(20)));
    let row = &page["data"][0];
    let fields = [
        "ac",
        "accountId",
        "avgPx",
        "cumFee",
        "cumQty",
        "errorCode",
        "execInst",
        "feeAsset",
        "lastExecTime",
        "orderId",
        "orderQty",
        "orderType",
        "price",
        "sendingTime",
        "seqNum",
        "side",
        "status",
        "stopPrice",
        "symbol",
    ];
    assert_eq!(names(row), fields);
    let newest = sandbox.user().ended_orders(Cash)[24].clone();
    assert_eq!((&row["seqNum"], &row["status"], &row["ac"]), (&json!(newest.sn), &json!("Canceled"), &json!("CASH")));
    let mut counted = |query: &str| {
        let page = ask(query).data();
        (page["data"].as_array().unwrap().len(), page["hasNext"].as_bool().unwrap())
    };
    assert_eq!(counted("?page=2"), (5, false));
    assert_eq!(counted("?pageSize=25"), (25, false));
    assert_eq!(counted("?status=Filled"), (5, false));
    assert_eq!(counted("?status=Canceled&pageSize=5"), (5, true));
    assert_eq!(counted("?side=buy"), (0, false));
    assert_eq!(counted("?orderType=limit&side=Sell&category=cash"), (20, true));
    assert_eq!(counted("?orderType=stop_limit"), (0, false));
    assert_eq!(counted("?category=margin"), (0, false));
    assert_eq!(counted("?category=futures"), (0, false));
    assert_eq!(counted(&format!("?startTime={}&endTime={}", START + 1000, START + 3000)), (3, false));
    for (query, expected) in
        [("?category=x", 200_003), ("?page=0", 100_006), ("?pageSize=501", 100_006), ("?symbol=NO/USDT", 100_008)]
    {
        assert_eq!(ask(query).refusal().0, expected, "{query}");
    }
}

// --- What always holds ---

const SIDES: [&str; 2] = ["buy", "sell"];
const TYPES: [&str; 6] = ["limit", "limit", "limit", "market", "stop_limit", "stop_market"];
const TIMES: [&str; 3] = ["GTC", "IOC", "FOK"];

/// A small generator of numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn any_requests_conserve_every_asset() {
    let (sandbox, client, other) = private::floor_on(private::lively());
    sandbox.add_product(&ProductOptions::new("ABC/BTC").tick_size("0.0001").notional("0.0001", 100)).unwrap();
    let mut clients = [client, Client::of(&sandbox, &other)];
    let mut dice = Dice(7);
    for round in 0..600 {
        if round % 50 == 0 {
            // The market moves on, and trades with what rests.
            sandbox.advance(Duration::from_secs(1));
        }
        let client = &mut clients[dice.roll(2) as usize];
        client.now = sandbox.now();
        let order = |client: &Client, dice: &mut Dice| {
            let (symbol, price) = match dice.roll(3) {
                0 => ("ABC/USDT", format!("{}.{:02}", 95 + dice.roll(10), dice.roll(100))),
                1 => ("ABC/BTC", format!("0.{:04}", 1 + dice.roll(40))),
                _ => ("BTC/USDT", format!("{}", 50_000 + dice.roll(25_000))),
            };
            json!({
                "time": client.now, "symbol": symbol, "side": SIDES[dice.roll(2) as usize],
                "orderType": TYPES[dice.roll(6) as usize],
                "orderQty": format!("{}.{:03}", dice.roll(3), dice.roll(1000)), "orderPrice": price,
                "stopPrice": price, "timeInForce": TIMES[dice.roll(3) as usize],
            })
        };
        let answer = match dice.roll(10) {
            0..6 => {
                let order = order(client, &mut dice);
                client.orders("POST order", &order)
            }
            6 => {
                let orders: Vec<_> = (0..1 + dice.roll(4)).map(|_| order(client, &mut dice)).collect();
                client.orders("POST order/batch", &json!({"orders": orders}))
            }
            7 => {
                let open = client.rows("order/open");
                let id = open.first().map_or(Value::Null, |row| row["orderId"].clone());
                let symbol = open.first().map_or(Value::Null, |row| row["symbol"].clone());
                let cancel = json!({"orderId": id, "symbol": symbol, "time": client.now});
                client.orders("DELETE order", &cancel)
            }
            8 if dice.roll(5) == 0 => client.orders("DELETE order/all", &json!({})),
            _ => {
                let [from, to] = if dice.roll(2) == 0 { ["cash", "margin"] } else { ["margin", "cash"] };
                let asset = ["ABC", "USDT", "BTC"][dice.roll(3) as usize];
                let amount = format!("0.{:04}", dice.roll(10_000));
                let body = json!({"asset": asset, "fromAccount": from, "toAccount": to, "amount": amount});
                client.call("POST", "G/v1/transfer", "transfer", &body.to_string())
            }
        };
        assert_eq!(answer.status, 200);
        let code = answer.json()["code"].as_i64().unwrap();
        assert!(code == 0 || (100_000..400_000).contains(&code), "{}", answer.body);
        if round % 20 == 0 {
            for asset in ["ABC", "USDT", "BTC"] {
                let supply = sandbox.supply(asset).unwrap();
                assert_eq!(supply.total, supply.balances + supply.fees, "{asset}");
            }
        }
    }
    let traded: usize = [sandbox.user(), &other]
        .iter()
        .map(|user| user.ended_orders(Cash).iter().filter(|order| !order.filled.is_zero()).count())
        .sum();
    assert!(traded > 50, "{traded} orders traded");
    for user in [sandbox.user(), &other] {
        for balance in [user.balances(Cash), user.balances(Margin)].concat() {
            assert!(!balance.available.is_sign_negative() && balance.available <= balance.total, "{balance:?}");
        }
        user.cancel_all(Cash);
        assert!(user.balances(Cash).iter().all(|balance| balance.available == balance.total));
    }
}

#[test]
fn the_same_requests_get_the_same_answers() {
    let play = || {
        let (sandbox, mut client, other) = floor();
        let mut bodies = Vec::new();
        for n in 0..20 {
            let order =
                client.limit(["buy", "sell"][n % 2], "1", &format!("{}", 100 + n % 3), json!({"respInst": "ACCEPT"}));
            bodies.push(client.orders("POST order", &order).body);
            other.place(&OrderRequest::buy("ABC/USDT", "0.3").limit(102)).unwrap();
            sandbox.advance(Duration::from_millis(200));
        }
        for path in ["order/open", "order/hist/current"] {
            bodies.push(client.orders(&format!("GET {path}"), &Value::Null).body);
        }
        bodies
    };
    assert_eq!(play(), play());
}
