//! The sandbox's private calls beside orders, row by row of the protocol reference: who may call, accounts, fees,
//! balances, transfers, ledgers, the wallet. Asked by a client that knows nothing of the crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitmax::Decimal;
use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::sandbox::{OrderRequest, Permission, ProductOptions, Sandbox, SandboxError, UserOptions};
use private::{Client, START, names, sign, still};
use raw::{Answer, Http};
use serde_json::{Value, json};

fn dec(value: &Value) -> Decimal {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).parse().unwrap()
}

/// Every private call: method, path, prehash, permission.
const CALLS: &[(&str, &str, &str, Permission)] = {
    use Permission::{Trade, Transfer, View};
    &[
        ("GET", "v1/info", "info", View),
        ("GET", "G/v1/spot/fee/info", "fee", View),
        ("GET", "G/v1/spot/fee", "fee", View),
        ("GET", "G/v1/cash/balance", "balance", View),
        ("GET", "G/v1/margin/balance", "balance", View),
        ("GET", "G/v1/margin/risk", "margin/risk", View),
        ("POST", "G/v1/margin/risk", "margin/risk", View),
        ("POST", "G/v1/transfer", "transfer", Transfer),
        ("POST", "G/v2/subuser/subuser-transfer", "subuser-transfer", Transfer),
        ("POST", "G/v2/subuser/subuser-transfer-hist", "subuser-transfer-hist", View),
        ("GET", "data/v1/cash/balance/snapshot", "data/v1/cash/balance/snapshot", View),
        ("GET", "data/v1/margin/balance/history", "data/v1/margin/balance/history", View),
        ("GET", "v1/wallet/deposit/address", "wallet/deposit/address", View),
        ("GET", "v1/wallet/transactions", "wallet/transactions", View),
        ("POST", "G/v1/cash/order", "order", Trade),
        ("DELETE", "G/v1/margin/order", "order", Trade),
        ("DELETE", "G/v1/cash/order/all", "order/all", Trade),
        ("POST", "G/v1/cash/order/batch", "order/batch", Trade),
        ("DELETE", "G/v1/cash/order/batch", "order/batch", Trade),
        ("GET", "G/v1/cash/order/status", "order/status", View),
        ("GET", "G/v1/CASH/order/open", "order/open", View),
        ("GET", "G/v1/cash/order/hist/current", "order/hist/current", View),
        ("GET", "data/v2/order/hist", "data/v2/order/hist", View),
        ("GET", "G/v2/order/hist", "order/hist", View),
        ("GET", "G/v2/order/hist", "v2/order/hist", View),
        ("GET", "G/v1/order/hist", "order/hist", View),
    ]
};

/// The code of any answer.
fn code(answer: &Answer) -> i64 {
    answer.json()["code"].as_i64().unwrap_or_default()
}

// --- Who may call ---

#[test]
fn every_call_wants_its_own_signature() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    for (method, path, prehash, _) in CALLS {
        let answer = client.call(method, path, prehash, "{}");
        assert_eq!(answer.status, 200, "{method} {path}");
        let own = code(&answer);
        assert!(!(200_000..210_000).contains(&own) && own != 100_009 && own != 100_011, "{method} {path}: {own}");
        for other in ["stream", &format!("{prehash}?a=b"), &format!("v1/{prehash}"), ""] {
            let answer = client.call(method, path, other, "{}");
            assert_eq!((answer.status, answer.refusal().0), (200, 200_001), "{method} {path} signed as {other}");
        }
    }
    // The query is not part of it.
    assert_eq!(code(&client.get("G/v1/cash/balance?asset=BTC&showAll=true", "balance")), 0);
}

#[test]
fn every_refusal_of_a_signature_has_its_code() {
    let sandbox = still();
    let (key, secret) = (sandbox.api_key(), sandbox.api_secret());
    let mut http = Http::connect(sandbox.port());
    let mut ask = |headers: &[(&str, &str)]| http.request("GET", "/api/pro/v1/info", headers, "").refusal();
    let time = START.to_string();
    let good = sign(secret.as_bytes(), &format!("{time}+info"));
    let [k, t, s] = [("x-auth-key", key), ("x-auth-timestamp", time.as_str()), ("x-auth-signature", good.as_str())];
    for headers in [&[][..], &[k], &[k, t], &[k, s], &[t, s], &[k, t, ("x-auth-signature", "")]] {
        assert_eq!(ask(headers), (100_009, "AUTHORIZATION_NEEDED".into()));
    }
    assert_eq!(ask(&[("x-auth-key", "nobody"), t, s]), (200_006, "ACCOUNT_ERROR".into()));
    for wrong in ["AAAA", "no base64!", &good[1..], &sign(b"wrong", &format!("{time}+info"))] {
        assert_eq!(ask(&[k, t, ("x-auth-signature", wrong)]), (200_001, "AUTHENTICATION_FAILED".into()));
    }
    // The header's very text is what is signed.
    assert_eq!(ask(&[k, ("x-auth-timestamp", &format!("0{time}")), s]).0, 200_001);
    for malformed in ["now", "1e12", "-1", "1700000000000.0", "99999999999999999999999"] {
        let signature = sign(secret.as_bytes(), &format!("{malformed}+info"));
        let refusal = ask(&[k, ("x-auth-timestamp", malformed), ("x-auth-signature", &signature)]);
        assert_eq!(refusal, (100_011, "INVALID_TIMESTAMP".into()), "{malformed}");
    }
}

#[test]
fn a_timestamp_holds_for_the_acceptance_window() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let mut at = |time| {
        client.now = time;
        code(&client.get("v1/info", "info"))
    };
    assert_eq!([START - 30_000, START, START + 30_000].map(&mut at), [0; 3]);
    assert_eq!([START - 30_001, START + 30_001, START * 1000, 0].map(&mut at), [100_011; 4]);
    sandbox.set_acceptance_window(Duration::from_secs(1));
    assert_eq!([START - 1000, START + 1001].map(&mut at), [0, 100_011]);
    sandbox.advance(Duration::from_millis(1));
    assert_eq!([START - 1000, START + 1001].map(&mut at), [100_011, 0]);
}

#[test]
fn the_decoded_secret_signs_as_well() {
    let sandbox = still();
    let key = STANDARD.decode(sandbox.api_secret()).unwrap();
    let time = START.to_string();
    let signature = sign(&key, &format!("{time}+info"));
    let headers =
        [("x-auth-key", sandbox.api_key()), ("x-auth-timestamp", &time), ("x-auth-signature", signature.as_str())];
    Http::connect(sandbox.port()).request("GET", "/api/pro/v1/info", &headers, "").data();
}

#[test]
fn a_key_does_what_it_may() {
    let sandbox = still();
    let all = [Permission::View, Permission::Trade, Permission::Transfer];
    for permission in all {
        let user = sandbox.add_user(UserOptions::new().permissions([permission]));
        let mut client = Client::of(&sandbox, &user);
        for (method, path, prehash, needed) in CALLS {
            let code = code(&client.call(method, path, prehash, "{}"));
            assert_eq!(code == 200_015, *needed != permission, "{permission:?}: {method} {path}: {code}");
        }
    }
    let user = sandbox.add_user(UserOptions::new().permissions([Permission::View, Permission::Trade]));
    let info = Client::of(&sandbox, &user).get("v1/info", "info").data();
    assert_eq!([&info["viewPermission"], &info["tradePermission"], &info["transferPermission"]], [true, true, false]);
}

#[test]
fn the_account_group_must_be_ones_own() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let own = client.group;
    client.group = own + 1;
    for (method, path, prehash, _) in CALLS {
        let code = code(&client.call(method, path, prehash, "{}"));
        assert_eq!(code == 200_003, path.starts_with("G/"), "{method} {path}: {code}");
    }
    for path in ["/api/pro/v1/cash/order", "/x/api/pro/v1/cash/order", "/-1/api/pro/v1/cash/order"] {
        assert_eq!(client.http.request("POST", path, &[], "{}").status, 404, "{path}");
    }
}

#[test]
fn a_call_has_its_methods() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let answer = client.call("PATCH", "G/v1/cash/order", "order", "{}");
    assert_eq!((answer.status, answer.refusal().0), (405, 100_102));
    assert!(answer.head.contains("\r\nAllow: POST, DELETE\r\n"), "{}", answer.head);
    assert_eq!(client.call("POST", "v1/info", "info", "{}").status, 405);
    for path in ["G/v1/futures/order", "G/v1/cash/risk", "G/v1/cash/order/", "G/v1/info", "v1/cash"] {
        assert_eq!(client.get(path, "order").status, 404, "{path}");
    }
}

// --- The account ---

#[test]
fn the_account_says_who_it_is() {
    let sandbox = still();
    let info = Client::new(&sandbox).get("v1/info", "info").data();
    let fields = [
        "accountGroup",
        "allowedIps",
        "cashAccount",
        "email",
        "expireTime",
        "marginAccount",
        "tradePermission",
        "transferPermission",
        "userUID",
        "viewPermission",
    ];
    assert_eq!(names(&info), fields);
    let user = sandbox.user();
    assert_eq!(info["accountGroup"], user.account_group());
    assert_eq!(info["userUID"], user.uid());
    assert_eq!(info["cashAccount"], json!([user.account_id(Cash)]));
    assert_eq!(info["marginAccount"], json!([user.account_id(Margin)]));
    assert_eq!(info["expireTime"], -1);
    assert_eq!((user.uid().len(), &user.uid()[..1]), (11, "U"));
}

#[test]
fn users_are_those_of_the_seed() {
    let facts = |seed| {
        let sandbox = Sandbox::builder().seed(seed).start().unwrap();
        let other = sandbox.add_user(UserOptions::new());
        [sandbox.user(), &other].map(|user| {
            let ids = [user.account_id(Cash), user.account_id(Margin)].concat();
            format!("{} {} {} {ids} {}", user.api_key(), user.api_secret(), user.uid(), user.account_group())
        })
    };
    assert_eq!(facts(1), facts(1));
    assert_ne!(facts(1)[0], facts(2)[0]);
    assert_ne!(facts(1)[0], facts(1)[1]);
}

#[test]
fn no_secret_is_shown() {
    let sandbox = still();
    let other = sandbox.add_user(UserOptions::new());
    let shown = format!("{sandbox:?} {:?} {other:?} {:?}", sandbox.user(), sandbox.credentials());
    for user in [sandbox.user(), &other] {
        assert!(!shown.contains(user.api_key()) && !shown.contains(user.api_secret()));
    }
}

#[test]
fn fees_are_the_products_less_the_discount() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let schedule = client.get("G/v1/spot/fee/info", "fee").data();
    assert_eq!(names(&schedule), ["domain", "genericFee", "userUID", "vipLevel"]);
    assert_eq!(
        schedule["genericFee"],
        json!({"largeCap": {"maker": "0.00085", "taker": "0.00085"}, "smallCap": {"maker": "0.001", "taker": "0.001"}})
    );
    let vip = sandbox.add_user(UserOptions::new().vip(3, 50));
    let data = Client::of(&sandbox, &vip).get("G/v1/spot/fee", "fee").data();
    assert_eq!((&data["vipLevel"], &data["userUID"]), (&json!(3), &json!(vip.uid())));
    assert_eq!(data["fees"], data["productFee"]);
    let rows = data["fees"].as_array().unwrap();
    assert!(rows.len() >= 11);
    assert_eq!(rows[0], json!({"symbol": "BTC/USDT", "fee": {"maker": "0.000425", "taker": "0.000425"}}));

    // And what is told is what is charged.
    sandbox.add_product(&ProductOptions::new("ABC/USDT").fees("0.001", "0.002")).unwrap();
    let collected = || sandbox.supply("USDT").unwrap().fees;
    let before = collected();
    vip.fund(Cash, "USDT", 1000).unwrap();
    sandbox.user().fund(Cash, "ABC", 1).unwrap();
    sandbox.user().place(&OrderRequest::sell("ABC/USDT", 1).limit(100)).unwrap();
    vip.place(&OrderRequest::buy("ABC/USDT", 1).limit(100)).unwrap();
    assert_eq!(vip.ended_orders(Cash)[0].fee, Decimal::new(1, 1));
    assert_eq!(sandbox.user().ended_orders(Cash)[0].fee, Decimal::new(1, 1));
    assert_eq!(collected() - before, Decimal::new(2, 1));
}

// --- Balances and transfers ---

#[test]
fn balances_are_those_that_there_are() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let cash = client.get("G/v1/cash/balance", "balance").data();
    assert_eq!(
        cash,
        json!([
            {"asset": "BTC", "totalBalance": "2", "availableBalance": "2"},
            {"asset": "USDT", "totalBalance": "100000", "availableBalance": "100000"},
            {"asset": "ETH", "totalBalance": "20", "availableBalance": "20"},
        ])
    );
    let margin = client.get("G/v1/margin/balance?asset=USDT", "balance").data();
    let row = json!({"asset": "USDT", "totalBalance": "50000", "availableBalance": "50000", "borrowed": "5000",
        "interest": "1.25"});
    assert_eq!(margin, json!([row]));
    assert_eq!(client.get("G/v1/cash/balance?asset=XRP", "balance").data(), json!([]));
    let zero = json!([{"asset": "XRP", "totalBalance": "0", "availableBalance": "0"}]);
    assert_eq!(client.get("G/v1/cash/balance?asset=XRP&showAll=true", "balance").data(), zero);
    assert_eq!(client.get("G/v1/cash/balance?showAll=TRUE", "balance").data().as_array().unwrap().len(), 11);
    assert_eq!(client.get("G/v1/cash/balance?asset=NOPE", "balance").refusal().0, 100_008);

    sandbox.user().place(&OrderRequest::sell("BTC/USDT", "0.5").limit(200_000)).unwrap();
    let btc = client.get("G/v1/cash/balance?asset=BTC", "balance").data();
    assert_eq!(btc[0], json!({"asset": "BTC", "totalBalance": "2", "availableBalance": "1.5"}));
}

#[test]
fn margin_risk_adds_up() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let risk = client.get("G/v1/margin/risk", "margin/risk").data();
    let fields = [
        "accountMaxLeverage",
        "availableBalanceInUSDT",
        "currentLeverage",
        "cushion",
        "netBalanceInUSDT",
        "pointsBalance",
        "totalBalanceInUSDT",
        "totalBorrowedInUSDT",
        "totalInterestInUSDT",
    ];
    assert_eq!(names(&risk), fields);
    assert_eq!(client.call("POST", "G/v1/margin/risk", "margin/risk", "{}").data(), risk);
    let figure = |name: &str| dec(&risk[name]);
    assert_eq!((&risk["totalBorrowedInUSDT"], &risk["totalInterestInUSDT"]), (&json!("5000"), &json!("1.25")));
    let owed = figure("totalBorrowedInUSDT") + figure("totalInterestInUSDT");
    assert_eq!(figure("netBalanceInUSDT") + owed, figure("totalBalanceInUSDT"));
    assert_eq!(risk["availableBalanceInUSDT"], risk["totalBalanceInUSDT"]);
    assert!(figure("totalBalanceInUSDT") > Decimal::from(50_000));
    let leverage = (figure("totalBalanceInUSDT") / figure("netBalanceInUSDT")).round_dp(9);
    assert_eq!(figure("currentLeverage"), leverage);
    assert!(figure("cushion") > Decimal::ONE);

    // Who owes nothing has no cushion to speak of, who has nothing no leverage.
    let nobody = sandbox.add_user(UserOptions::new());
    let risk = Client::of(&sandbox, &nobody).get("G/v1/margin/risk", "margin/risk").data();
    assert_eq!([&risk["cushion"], &risk["currentLeverage"], &risk["netBalanceInUSDT"]], ["-1", "1", "0"]);
}

#[test]
fn amounts_move_between_ones_own_accounts() {
    let sandbox = still();
    let mut client = Client::new(&sandbox);
    let mut transfer = |body: Value| client.call("POST", "G/v1/transfer", "transfer", &body.to_string());
    let body = json!({"amount": "11.0", "asset": "USDT", "fromAccount": "cash", "toAccount": "margin"});
    assert_eq!(transfer(body.clone()).json(), json!({"code": 0}));
    let total = |category| sandbox.user().balance(category, "USDT").unwrap().total;
    assert_eq!((total(Cash), total(Margin)), (Decimal::from(99_989), Decimal::from(50_011)));
    let with = |name: &str, value: Value| {
        let mut body = body.clone();
        body[name] = value;
        body
    };
    // A number for a text, and any case.
    assert_eq!(code(&transfer(with("amount", json!(0.5)))), 0);
    assert_eq!(code(&transfer(with("fromAccount", json!("CASH")))), 0);
    for (name, value, expected) in [
        ("amount", json!("100000"), 300_011),
        ("amount", json!("-1"), 100_006),
        ("amount", json!("0"), 100_006),
        ("amount", json!("0.0000000000001"), 100_006),
        ("amount", json!("lots"), 100_013),
        ("amount", json!(true), 100_013),
        ("amount", json!(null), 100_006),
        ("asset", json!("NOPE"), 100_008),
        ("asset", json!(7), 100_012),
        ("asset", json!(""), 100_006),
        ("fromAccount", json!("futures"), 100_006),
        ("toAccount", json!("cash"), 100_006),
        ("toAccount", json!(null), 100_006),
    ] {
        assert_eq!(transfer(with(name, value.clone())).refusal().0, expected, "{name}: {value}");
    }
    let margin = json!({"amount": 100_000, "asset": "USDT", "fromAccount": "margin", "toAccount": "cash"});
    assert_eq!(transfer(margin).refusal(), (310_001, "INVALID_MARGIN_BALANCE".into()));
    let mut raw = |body: &str| client.call("POST", "G/v1/transfer", "transfer", body).refusal().0;
    assert_eq!(["{", "[]", "\"a\"", "null"].map(&mut raw), [150_001, 100_004, 100_004, 100_004]);
    assert_eq!(raw(""), 100_006);
}

#[test]
fn a_parent_moves_amounts_of_its_sub_users() {
    let sandbox = still();
    let parent = sandbox.user();
    let [one, two] = ["one", "two"].map(|name| sandbox.add_user(UserOptions::new().name(name).sub_user_of(parent)));
    let stranger = sandbox.add_user(UserOptions::new().name("stranger"));
    let mut client = Client::of(&sandbox, parent);
    let path = "G/v2/subuser/subuser-transfer";
    let body = |from: &str, to: &str, amount: &str| {
        json!({"userFrom": from, "userTo": to, "acFrom": "cash", "acTo": "margin", "asset": "USDT", "amount": amount,
            "mode": "ack"})
    };
    let mut transfer = |body: &Value| client.call("POST", path, "subuser-transfer", &body.to_string());
    let answer = transfer(&body("parentUser", "one", "40.0000")).json();
    let echo = json!({"acFrom": "cash", "acTo": "margin", "amount": "40.0000", "asset": "USDT",
        "userFrom": "parentUser", "userTo": "one"});
    assert_eq!(answer, json!({"code": 0, "info": echo}));
    assert_eq!(one.balance(Margin, "USDT").unwrap().total, Decimal::from(40));

    // From one sub-user to another, by ids, much later.
    sandbox.advance(Duration::from_secs(10));
    let mut back = body(&one.uid(), &two.uid(), "15");
    (back["acFrom"], back["mode"]) = (json!("margin"), Value::Null);
    assert_eq!(code(&transfer(&back)), 0);
    assert_eq!(two.balance(Margin, "USDT").unwrap().total, Decimal::from(15));
    assert_eq!(transfer(&body("parentUser", "stranger", "1")).refusal(), (200_003, "ACCOUNT_NOT_FOUND".into()));
    assert_eq!(transfer(&body(&stranger.uid(), "one", "1")).refusal().0, 200_003);
    assert_eq!(transfer(&body("one", "two", "1")).refusal(), (300_011, "INVALID_BALANCE".into()));
    assert_eq!(transfer(&json!({})).refusal().0, 100_006);

    let mut history = |filter: Value| {
        let path = "G/v2/subuser/subuser-transfer-hist";
        client.call("POST", path, "subuser-transfer-hist", &filter.to_string())
    };
    let none = json!({"subUserId": null, "asset": null, "startTime": null, "endTime": null, "page": 1, "pageSize": 10});
    let page = history(none.clone()).data();
    assert_eq!(names(&page), ["data", "limit", "page", "pageSize", "totalSize"]);
    assert_eq!((&page["totalSize"], page["data"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(
        page["data"][1],
        json!({"time": START, "userFrom": "ParentUser", "userTo": "one", "acFrom": "cash", "acTo": "margin",
            "asset": "USDT", "amount": "40", "status": "SUCCESS"})
    );
    let mut count = |filter: Value| history(filter).data()["totalSize"].as_u64().unwrap();
    assert_eq!(count(json!({"subUserId": "two"})), 1);
    assert_eq!(count(json!({"subUserId": one.uid(), "asset": "USDT"})), 2);
    assert_eq!(count(json!({"asset": "BTC"})), 0);
    assert_eq!(count(json!({"startTime": START + 1})), 1);
    assert_eq!(count(json!({"startTime": "0", "endTime": START})), 1);
    let second = history(json!({"page": 2, "pageSize": 1})).data();
    assert_eq!((&second["data"][0]["userTo"], second["data"].as_array().unwrap().len()), (&json!("one"), 1));
    for bad in [json!({"pageSize": 11}), json!({"pageSize": 0}), json!({"page": 0})] {
        assert_eq!(history(bad).refusal().0, 100_006);
    }

    // Only the parent may.
    let mut sub = Client::of(&sandbox, &one);
    let answer = sub.call("POST", path, "subuser-transfer", &body("one", "two", "1").to_string());
    assert_eq!(answer.refusal(), (200_015, "PERMISSION_DENIED".into()));
    let answer = sub.call("POST", "G/v2/subuser/subuser-transfer-hist", "subuser-transfer-hist", "{}");
    assert_eq!(answer.refusal().0, 200_015);
}

// --- Ledgers ---

/// Everything from a number on, page by page: each asset's change, and how many rows of each kind there were.
fn replay(client: &mut Client, sandbox: &Sandbox, mut sn: u64) -> (BTreeMap<String, Decimal>, [usize; 2]) {
    let mut changes: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut counts = [0; 2];
    loop {
        // No more than 8 in a minute.
        sandbox.advance(Duration::from_secs(10));
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
        sandbox.advance(Duration::from_secs(60));
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

    sandbox.advance(Duration::from_secs(60));
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
    sandbox.advance(Duration::from_secs(60));
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

// --- Handles ---

#[test]
fn handles_refuse_what_the_exchange_refuses() {
    let sandbox = still();
    let user = sandbox.add_user(UserOptions::new());
    let code = |result: Result<(), SandboxError>| match result.unwrap_err() {
        SandboxError::Refused { code, message } => {
            assert!(!message.is_empty());
            code.value()
        }
        other => panic!("{other}"),
    };
    assert_eq!(code(user.fund(Cash, "NOPE", 1)), 100_008);
    assert_eq!(code(user.fund(Cash, "BTC", 0)), 100_006);
    assert_eq!(code(user.fund(Cash, "BTC", "much")), 100_013);
    assert_eq!(code(user.withdraw("BTC", 1)), 300_011);
    assert_eq!(code(user.set_loan("BTC", -1, 0)), 100_006);
    let place = |order: OrderRequest| code(user.place(&order).map(|_| ()));
    assert_eq!(place(OrderRequest::buy("BTC/USDT", 1).limit(100)), 300_011);
    assert_eq!(place(OrderRequest::buy("BTC/USDT", 1).limit(100).margin()), 310_001);
    assert_eq!(place(OrderRequest::buy("NO/USDT", 1)), 300_012);
    assert_eq!(place(OrderRequest::buy("btc", 1)), 300_012);
    assert_eq!(place(OrderRequest::buy("BTC/USDT", "x")), 100_013);
    assert_eq!(place(OrderRequest::buy("BTC/USDT", 1).client_id("a@b")), 300_006);
    assert_eq!(code(user.cancel("nothing".parse().unwrap())), 300_006);
}

#[test]
fn products_can_be_added() {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("NEW/USDT").tick_size("0.5").price(20).activity(600)).unwrap();
    sandbox.add_product(&ProductOptions::new("NEW/BTC").tick_size("0.000001").price(1).cash_only()).unwrap();
    let mut http = Http::connect(sandbox.port());
    let row = |list: Value| list.as_array().unwrap().iter().find(|row| row["symbol"] == "NEW/USDT").cloned();
    let product = row(http.get("/api/pro/v1/cash/products").data()).unwrap();
    assert_eq!((&product["tickSize"], &product["domain"]), (&json!("0.5"), &json!("USDS")));
    let margin = http.get("/api/pro/v1/margin/products").data();
    assert!(margin.as_array().unwrap().iter().all(|row| row["symbol"] != "NEW/BTC"));
    let assets = http.get("/api/pro/v2/assets").data();
    assert!(assets.as_array().unwrap().iter().any(|asset| asset["assetCode"] == "NEW"));
    // One is traded by the market, the other by nobody.
    sandbox.advance(Duration::from_secs(30));
    let ticker = http.get("/api/pro/v1/spot/ticker?symbol=NEW/USDT").data();
    assert!(dec(&ticker["volume"]) > Decimal::ZERO && dec(&ticker["bid"][0]) < dec(&ticker["ask"][0]), "{ticker}");
    let ticker = http.get("/api/pro/v1/spot/ticker?symbol=NEW/BTC").data();
    assert_eq!(ticker["bid"], json!([]), "{ticker}");

    let problem = |product: ProductOptions| match sandbox.add_product(&product).unwrap_err() {
        SandboxError::InvalidSetting { field, .. } => field,
        other => panic!("{other}"),
    };
    assert_eq!(problem(ProductOptions::new("NEW/USDT")), "symbol");
    assert_eq!(problem(ProductOptions::new("BTC-PERP")), "symbol");
    assert_eq!(problem(ProductOptions::new("USDT/NEWER")), "symbol");
    assert_eq!(problem(ProductOptions::new("X/USDT").price(0)), "price");
    assert_eq!(problem(ProductOptions::new("X/USDT").price("1e9")), "price");
    assert_eq!(problem(ProductOptions::new("X/USDT").tick_size(101)), "tick_size");
    assert_eq!(problem(ProductOptions::new("X/USDT").tick_size("-1")), "tick_size");
    assert_eq!(problem(ProductOptions::new("X/USDT").lot_size("100000")), "lot_size");
    assert_eq!(problem(ProductOptions::new("X/USDT").fees("x", 0)), "maker_fee");
    // What was refused left nothing behind.
    let assets = http.get("/api/pro/v2/assets").data();
    assert!(assets.as_array().unwrap().iter().all(|asset| asset["assetCode"] != "X"));
}
