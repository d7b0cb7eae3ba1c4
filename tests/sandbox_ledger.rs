//! The sandbox's ledgers and wallet over raw sockets: snapshots, the history of balances, addresses, transactions.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::collections::BTreeMap;
use std::time::Duration;

use bitmax::Decimal;
use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::sandbox::{OrderRequest, ProductOptions, Sandbox, UserOptions};
use private::{Client, START, dec, names, still};
use serde_json::json;

/// Everything from a number on, page by page: each asset's change, and how many rows of each kind there were.
fn replay(client: &mut Client, sandbox: &Sandbox, mut sn: u64) -> (BTreeMap<String, Decimal>, [usize; 2]) {
    let mut changes: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut counts = [0; 2];
    loop {
        // No more than 8 in a minute.
        sandbox.advance(Duration::from_secs(61));
        client.now = sandbox.now();
        let target = format!("data/v1/cash/balance/history?sn={sn}&limit=2");
        let page = client.get(&target, "data/v1/cash/balance/history").json();
        assert_eq!(names(&page), ["balance", "meta", "order"]);
        let entries = ["order", "balance"].map(|kind| page[kind].as_array().unwrap().clone());
        assert!(entries[0].len() + entries[1].len() <= 2);
        let mut seen: Vec<u64> = Vec::new();
        for (count, entries) in counts.iter_mut().zip(&entries) {
            *count += entries.len();
            for entry in entries {
                seen.push(entry["sn"].as_u64().unwrap());
                for row in entry["data"].as_array().unwrap() {
                    *changes.entry(row["asset"].as_str().unwrap().to_owned()).or_default() += dec(&row["deltaQty"]);
                }
            }
        }
        let Some(last) = seen.iter().max() else { return (changes, counts) };
        assert!(seen.iter().all(|n| *n >= sn));
        sn = last + 1;
    }
}

#[test]
fn a_snapshot_and_the_history_after_it_make_the_balances() {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("ABC/USDT")).unwrap();
    let user = sandbox.user();
    let other = sandbox.add_user(UserOptions::new());
    user.fund(Cash, "ABC", 50).unwrap();
    other.fund(Cash, "USDT", 100_000).unwrap();
    let trade = |quantity: u32| {
        user.place(&OrderRequest::sell("ABC/USDT", quantity).limit("100.01")).unwrap();
        other.place(&OrderRequest::buy("ABC/USDT", quantity).limit("100.01")).unwrap();
    };
    trade(1);
    // Past midnight: 2023-11-15.
    sandbox.advance(Duration::from_secs(2 * 3600));
    trade(2);
    user.withdraw("BTC", "0.25").unwrap();
    trade(3);
    let mut client = Client::new(&sandbox);
    let mut snapshot = |date: &str| {
        let answer = client.get(&format!("data/v1/cash/balance/snapshot?date={date}"), "data/v1/cash/balance/snapshot");
        answer.json()
    };
    let whole = snapshot("2023-11-15");
    assert_eq!(names(&whole), ["meta", "snapshot"]);
    assert_eq!(names(&whole["meta"]), ["ac", "accountId", "sn", "snapshotTime"]);
    assert_eq!((&whole["meta"]["ac"], &whole["meta"]["snapshotTime"]), (&json!("cash"), &json!(1_700_006_400_000u64)));
    assert_eq!(whole["meta"]["accountId"], user.account_id(Cash));
    let empty = snapshot("2023-11-14");
    assert_eq!((&empty["snapshot"], &empty["meta"]["sn"]), (&json!([]), &json!(0)));

    for (snapshot, expected) in [(whole, [2, 1]), (empty, [3, 5])] {
        let (mut sums, counts) = replay(&mut client, &sandbox, snapshot["meta"]["sn"].as_u64().unwrap() + 1);
        assert_eq!(counts, expected, "rows of orders and of balances");
        for row in snapshot["snapshot"].as_array().unwrap() {
            *sums.entry(row["asset"].as_str().unwrap().to_owned()).or_default() += dec(&row["totalBalance"]);
        }
        for (asset, sum) in sums {
            assert_eq!(sum, user.balance(Cash, &asset).unwrap().total, "{asset}");
        }
    }
}

#[test]
fn the_history_shows_trades_fees_and_the_rest() {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("ABC/USDT")).unwrap();
    let (user, other) = (sandbox.user(), sandbox.add_user(UserOptions::new()));
    other.fund(Cash, "ABC", 50).unwrap();
    let order = user.place(&OrderRequest::buy("ABC/USDT", 2).limit(100)).unwrap();
    other.place(&OrderRequest::sell("ABC/USDT", 2).limit(99)).unwrap();
    let mut client = Client::new(&sandbox);
    let page = client.get("data/v1/cash/balance/history?sn=0", "data/v1/cash/balance/history").json();
    assert_eq!(page["meta"], json!({"ac": "cash", "accountId": user.account_id(Cash)}));
    let sn = page["order"][0]["sn"].as_u64().unwrap();
    assert_eq!(
        page["order"],
        json!([{
            "data": [
                {"asset": "ABC", "curBalance": "2", "dataType": "trade", "deltaQty": "2"},
                {"asset": "USDT", "curBalance": "99799.8", "dataType": "trade", "deltaQty": "-200"},
                {"asset": "USDT", "curBalance": "99799.8", "dataType": "fee", "deltaQty": "-0.2"},
            ],
            "liquidityInd": "AddedLiquidity", "orderId": order.as_str(), "orderType": "Limit", "side": "Buy",
            "sn": sn, "transactTime": START,
        }])
    );
    assert_eq!(page["balance"].as_array().unwrap().len(), 3);
    assert_eq!(page["balance"][0]["eventType"], "Deposit");
    assert_eq!(page["balance"][0]["data"], json!([{"asset": "USDT", "curBalance": "100000", "deltaQty": "100000"}]));
    let margin = client.get("data/v1/margin/balance/history?sn=0", "data/v1/margin/balance/history").json();
    // A loan is a figure and moves nothing.
    assert_eq!((margin["balance"].as_array().unwrap().len(), &margin["order"]), (3, &json!([])));
    let mut other = Client::of(&sandbox, &other);
    let page = other.get("data/v1/cash/balance/history?sn=0", "data/v1/cash/balance/history").json();
    assert_eq!(page["order"][0]["liquidityInd"], "RemovedLiquidity");
}

#[test]
fn reports_are_bounded_in_number_and_reach() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let mut refused = |query: &str| {
        // One call has a slot again.
        sandbox.advance(Duration::from_secs(61));
        client.now = sandbox.now();
        let (path, _) = query.split_once('?').unwrap();
        client.get(&format!("data/v1/cash/balance/{query}"), &format!("data/v1/cash/balance/{path}")).refusal().0
    };
    for date in ["", "2023-11", "2023-13-01", "2023-02-29", "20231114", "2023-11-14T", "tomorrow", "1969-12-31"] {
        assert_eq!(refused(&format!("snapshot?date={date}")), 100_006, "{date}");
    }
    for date in ["2023-11-07", "2023-11-16", "9999-12-31", "1970-01-01"] {
        assert_eq!(refused(&format!("snapshot?date={date}")), 100_002, "{date}");
    }
    assert_eq!(refused("history?limit=5"), 100_006);
    assert_eq!(refused("history?sn=1&limit=0"), 100_006);
    assert_eq!(refused("history?sn=x"), 100_013);

    sandbox.advance(Duration::from_secs(61));
    client.now = sandbox.now();
    let prehash = "data/v1/cash/balance/history";
    for _ in 0..8 {
        assert_eq!(client.get("data/v1/cash/balance/history?sn=1", prehash).status, 200);
    }
    let answer = client.get("data/v1/cash/balance/history?sn=1", prehash);
    assert_eq!((answer.status, answer.refusal().0), (429, 100_014));
    assert!(answer.head.contains("\r\nRetry-After: 60\r\n"), "{}", answer.head);
    let other = sandbox.add_user(UserOptions::new());
    assert_eq!(Client::of(&sandbox, &other).get("data/v1/cash/balance/history?sn=1", prehash).status, 200);
    sandbox.advance(Duration::from_secs(61));
    client.now = sandbox.now();
    let page = client.get("data/v1/cash/balance/history?sn=1", prehash).json();
    assert_eq!(page["balance"].as_array().unwrap().len(), 3);

    // A week later it is all too long ago to be told.
    sandbox.advance(Duration::from_secs(7 * 86_400));
    client.now = sandbox.now();
    let page = client.get("data/v1/cash/balance/history?sn=1", prehash).json();
    assert_eq!(page["balance"], json!([]));
    let snapshot = client.get("data/v1/cash/balance/snapshot?date=2023-11-20", "data/v1/cash/balance/snapshot").json();
    assert_eq!(snapshot["snapshot"].as_array().unwrap().len(), 3);
}

// --- The wallet ---

#[test]
fn deposit_addresses_are_always_the_same() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let mut ask = |query: &str| client.get(&format!("v1/wallet/deposit/address{query}"), "wallet/deposit/address");
    let all = ask("?asset=USDT").data();
    assert_eq!((&all["asset"], &all["assetName"]), (&json!("USDT"), &json!("Tether")));
    let rows = all["address"].as_array().unwrap().clone();
    assert_eq!(
        rows.iter().map(|row| row["blockchain"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Omni", "ERC20", "TRC20"]
    );
    for row in &rows {
        assert_eq!(names(row), ["address", "blockchain", "destTag"]);
    }
    for query in ["?asset=USDT&network=ERC20", "?asset=USDT&blockchain=None", "?asset=USDT&blockchain="] {
        assert_eq!(ask(query).data(), all, "{query}");
    }
    assert_eq!(ask("?asset=USDT&blockchain=erc20").data()["address"], json!([rows[1]]));
    assert_ne!(ask("?asset=XRP").data()["address"][0]["destTag"], "");
    assert_eq!(ask("").refusal().0, 100_006);
    assert_eq!(ask("?asset=NOPE").refusal().0, 100_008);
    let other = sandbox.add_user(UserOptions::new());
    let others = Client::of(&sandbox, &other).get("v1/wallet/deposit/address?asset=USDT", "wallet/deposit/address");
    assert_ne!(others.data(), all);
}

#[test]
fn wallet_transactions_are_what_went_in_and_out() {
    let sandbox = still();
    let user = sandbox.add_user(UserOptions::new());
    for n in 1..=30 {
        user.fund(Cash, if n % 2 == 0 { "BTC" } else { "USDT" }, n).unwrap();
    }
    user.fund(Margin, "USDT", 5).unwrap();
    user.withdraw("USDT", "7.50").unwrap();
    let mut client = Client::of(&sandbox, &user);
    let mut ask = |query: &str| client.get(&format!("v1/wallet/transactions{query}"), "wallet/transactions");
    let page = ask("").data();
    assert_eq!(names(&page), ["data", "hasNext", "page", "pageSize"]);
    assert_eq!((&page["hasNext"], &page["page"], &page["pageSize"]), (&json!(true), &json!(1), &json!(20)));
    let row = &page["data"][0];
    let fields = [
        "amount",
        "asset",
        "commission",
        "destAddress",
        "networkTransactionId",
        "numConfirmations",
        "numConfirmed",
        "requestId",
        "status",
        "time",
        "transactionType",
    ];
    assert_eq!(names(row), fields);
    assert_eq!(
        [&row["amount"], &row["asset"], &row["transactionType"], &row["status"]],
        ["7.5", "USDT", "withdrawal", "confirmed"]
    );
    let mut counted = |query: &str| {
        let page = ask(query).data();
        (page["data"].as_array().unwrap().len(), page["hasNext"].as_bool().unwrap())
    };
    assert_eq!(counted("?page=2"), (11, false));
    assert_eq!(counted("?page=3"), (0, false));
    assert_eq!(counted("?pageSize=50"), (31, false));
    assert_eq!(counted("?pageSize=31"), (31, false));
    assert_eq!(counted("?txType=withdrawal"), (1, false));
    assert_eq!(counted("?txType=Deposit&asset=BTC&pageSize=10"), (10, true));
    for (query, expected) in [
        ("?pageSize=51", 100_006),
        ("?pageSize=0", 100_006),
        ("?page=0", 100_006),
        ("?page=x", 100_013),
        ("?txType=gift", 100_006),
        ("?asset=NOPE", 100_008),
    ] {
        assert_eq!(ask(query).refusal().0, expected, "{query}");
    }
}
