//! The sandbox's private calls beside orders, row by row of the protocol reference: who may call, accounts, fees,
//! balances, transfers, handles. Asked by a client that knows nothing of the crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitmax::Decimal;
use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::sandbox::{OrderRequest, Permission, ProductOptions, Sandbox, SandboxError, UserOptions};
use private::{Client, START, dec, names, sign, still};
use raw::{Answer, Http};
use serde_json::{Value, json};

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
    assert!(rows.len() >= 20);
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
    assert_eq!(client.get("G/v1/cash/balance?showAll=TRUE", "balance").data().as_array().unwrap().len(), 20);
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

// --- Handles ---

#[test]
fn handles_refuse_what_the_exchange_refuses() {
    let sandbox = still();
    let user = sandbox.add_user(UserOptions::new());
    let code = |result: Result<(), SandboxError>| match result.unwrap_err() {
        SandboxError::Refused { code, message, .. } => {
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
