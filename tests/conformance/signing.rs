//! *Signing*, the column *prehash* of every private call, permissions, and the envelope of every answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitmax::sandbox::{Permission, Sandbox, UserOptions};
use serde_json::{Value, json};

use crate::caller::{Caller, START, sign, still};
use crate::raw::Http;
use crate::session::Session;
use crate::shape::{assert_refusal, assert_sound};

const DAY: &str = "2023-11-14";

/// Every private call that reads: path, prehash, and whether the answer has an envelope.
const READING: &[(&str, &str, &str)] = &[
    ("GET", "/api/pro/v1/info", "info"),
    ("GET", "/G/api/pro/v1/spot/fee/info", "fee"),
    ("GET", "/G/api/pro/v1/spot/fee", "fee"),
    ("GET", "/G/api/pro/v1/cash/balance", "balance"),
    ("GET", "/G/api/pro/v1/margin/balance", "balance"),
    ("GET", "/G/api/pro/v1/margin/risk", "margin/risk"),
    ("GET", "/api/pro/v1/wallet/deposit/address?asset=USDT", "wallet/deposit/address"),
    ("GET", "/api/pro/v1/wallet/transactions", "wallet/transactions"),
    ("GET", "/G/api/pro/v1/cash/order/status?orderId=,", "order/status"),
    ("GET", "/G/api/pro/v1/cash/order/open", "order/open"),
    ("GET", "/G/api/pro/v1/margin/order/open", "order/open"),
    ("GET", "/G/api/pro/v1/cash/order/hist/current", "order/hist/current"),
    ("GET", "/api/pro/data/v2/order/hist?account=cash", "data/v2/order/hist"),
    ("GET", "/G/api/pro/v2/order/hist?account=cash", "order/hist"),
    ("GET", "/G/api/pro/v1/order/hist", "order/hist"),
    ("GET", "/api/pro/data/v1/cash/balance/snapshot?date=DAY", "data/v1/cash/balance/snapshot"),
    ("GET", "/api/pro/data/v1/margin/balance/history?sn=1&limit=5", "data/v1/margin/balance/history"),
];

/// Every private call that acts, with a body that is in order but for what it names.
const ACTING: &[(&str, &str, &str, Permission)] = &[
    ("POST", "/G/api/pro/v1/transfer", "transfer", Permission::Transfer),
    ("POST", "/G/api/pro/v2/subuser/subuser-transfer", "subuser-transfer", Permission::Transfer),
    ("POST", "/G/api/pro/v1/cash/order", "order", Permission::Trade),
    ("DELETE", "/G/api/pro/v1/cash/order", "order", Permission::Trade),
    ("DELETE", "/G/api/pro/v1/cash/order/all", "order/all", Permission::Trade),
    ("POST", "/G/api/pro/v1/margin/order/batch", "order/batch", Permission::Trade),
    ("DELETE", "/G/api/pro/v1/cash/order/batch", "order/batch", Permission::Trade),
];

fn body_of(path: &str) -> Value {
    if path.ends_with("order") {
        json!({"symbol": "ABC/USDT", "time": START, "id": "abcdefghi", "orderId": "none", "orderQty": "1",
            "orderPrice": "10", "orderType": "limit", "side": "buy"})
    } else {
        json!({"amount": "1", "asset": "USDT", "fromAccount": "cash", "toAccount": "margin", "orders": []})
    }
}

#[test]
fn the_known_answers_of_the_reference() {
    for (secret, prehash, signature) in [
        (
            "hV8FgjyJtpvVeAcMAgzgAFQCN36wmbWuN7o3WPcYcYhFd8qvE43gzFGVsFcCqMNk",
            (1608133910000, "info"),
            "/pwaAgWZQ1Xd/J4yZ4ReHSPQxd3ORP/YR8TvAttqqYM=",
        ),
        (
            "hV8FgjyJtpvVeAcMAgzgAFQCN36wmbWuN7o3WPcYcYhFd8qvE43gzFGVsFcCqMNk",
            (1562952827927, "user/info"),
            "vBZf8OQuiTJIVbNpNHGY3zcUsK5gJpwb5lgCgarpxYI=",
        ),
    ] {
        assert_eq!(sign(secret.as_bytes(), prehash.0, prehash.1), signature);
    }
}

#[test]
fn every_reading_call_takes_its_own_prehash() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    for (method, path, prehash) in READING {
        let answer = caller.answer(method, &path.replace("DAY", DAY), prehash, None);
        let json = answer.json();
        assert_eq!(answer.status, 200, "{path}: {json}");
        assert_sound(&json);
        if json.get("meta").is_some() {
            assert!(path.contains("/data/v1/"), "{json}");
        } else {
            // An unknown order is a setting; everything else succeeds.
            assert!(json["code"] == 0 || path.contains("order/status"), "{path}: {json}");
        }
    }
    let history = caller.whole(
        "POST",
        "/G/api/pro/v2/subuser/subuser-transfer-hist",
        "subuser-transfer-hist",
        Some(&json!({"subUserId": null, "asset": null, "startTime": null, "endTime": null, "page": 1, "pageSize": 10})),
    );
    assert_eq!(history["code"], 0, "{history}");
}

#[test]
fn a_prehash_that_is_the_path_of_the_address_is_refused() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    for (method, path, prehash) in READING {
        let path = path.replace("DAY", DAY);
        let url_path = path.split('?').next().unwrap().trim_start_matches("/G").trim_start_matches('/');
        for wrong in [url_path, &format!("{prehash}?"), ""] {
            let refused = caller.refused(method, &path, wrong, None);
            assert_eq!(
                (&refused["code"], &refused["reason"]),
                (&json!(200001), &json!("AUTHENTICATION_FAILED")),
                "{path}"
            );
        }
    }
    let refused = caller.refused("GET", "/G/api/pro/v1/spot/fee/info", "fee/info", None);
    assert_eq!(refused["code"], 200001);
    for (method, path, prehash, _) in ACTING {
        let refused = caller.refused(method, path, &format!("v1/{prehash}"), Some(&body_of(path)));
        assert_eq!(refused["code"], 200001, "{path}");
    }
}

#[test]
fn the_older_history_v2_is_signed_either_way() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    for prehash in ["order/hist", "v2/order/hist"] {
        caller.get("/G/api/pro/v2/order/hist?account=cash", prehash);
    }
}

#[test]
fn the_query_is_never_part_of_the_prehash() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    caller.get("/G/api/pro/v1/cash/balance?asset=BTC", "balance");
    let refused = caller.refused("GET", "/G/api/pro/v1/cash/balance?asset=BTC", "balance?asset=BTC", None);
    assert_eq!(refused["code"], 200001);
}

#[test]
fn the_secret_signs_raw_and_base64_decoded() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let raw = caller.user.api_secret().as_bytes().to_vec();
    let decoded = STANDARD.decode(&raw).expect("a secret that can be decoded");
    for secret in [&raw, &decoded] {
        let mut headers = caller.headers("info");
        headers[2].1 = sign(secret, START, "info");
        let answer = caller.call_with("GET", "/api/pro/v1/info", &headers, None);
        assert_eq!(answer.json()["code"], 0, "{}", answer.body);
    }
}

#[test]
fn header_names_are_read_without_regard_to_case() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let headers = caller.headers("info").map(|(name, value)| (name.to_uppercase(), value));
    let headers = headers.each_ref().map(|(name, value)| (name.as_str(), value.clone()));
    assert_eq!(caller.call_with("GET", "/api/pro/v1/info", &headers, None).json()["code"], 0);
}

#[test]
fn a_wrong_signature_key_or_none_is_refused_by_group_20_or_as_unauthorized() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let good = caller.headers("info");
    let ask = |caller: &mut Caller, headers: &[(&str, String)]| {
        assert_refusal(&caller.call_with("GET", "/api/pro/v1/info", headers, None).json())
    };

    let mut wrong = good.clone();
    wrong[2].1 = sign(b"another secret", START, "info");
    assert_eq!(ask(&mut caller, &wrong), 200001);
    for text in ["not base64!", "AAAA"] {
        wrong[2].1 = text.to_owned();
        assert_eq!(ask(&mut caller, &wrong) / 10_000, 20, "{text:?}");
    }
    let mut unknown = good.clone();
    unknown[0].1 = "nobody".to_owned();
    assert_eq!(ask(&mut caller, &unknown) / 10_000, 20);

    for missing in 0..3 {
        let left: Vec<_> = good.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, h)| h.clone()).collect();
        let code = ask(&mut caller, &left);
        assert!(code == 100009 || code == 100011 && missing == 1 || code / 10_000 == 20, "{missing}: {code}");
    }
    let code = ask(&mut caller, &[]);
    assert!(code == 100009 || code / 10_000 == 20, "{code}");
    for (method, path, _) in READING {
        let answer = caller.call_with(method, &path.replace("DAY", DAY), &[], None);
        assert_refusal(&answer.json());
    }
}

#[test]
fn a_timestamp_more_than_30_seconds_away_is_refused() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    for (timestamp, good) in [
        (START - 29_999, true),
        (START + 29_999, true),
        (START - 30_001, false),
        (START + 30_001, false),
        (START * 1000, false),
        (START / 1000, false),
        (0, false),
    ] {
        let headers = caller.headers_at(timestamp, "info");
        let json = caller.call_with("GET", "/api/pro/v1/info", &headers, None).json();
        if good {
            assert_eq!(json["code"], 0, "{timestamp}: {json}");
        } else {
            assert_refusal(&json);
            assert_eq!(json["reason"], "INVALID_TIMESTAMP", "{timestamp}: {json}");
        }
    }
    for text in ["", "now", "-1", "1e12", "99999999999999999999999999"] {
        let mut headers = caller.headers("info");
        headers[1].1 = text.to_owned();
        assert_refusal(&caller.call_with("GET", "/api/pro/v1/info", &headers, None).json());
    }
}

#[test]
fn the_timestamp_is_read_by_the_servers_clock() {
    let sandbox = Sandbox::start().unwrap();
    let mut caller = Caller::first(&sandbox);
    let now = Http::connect(sandbox.port()).get("/api/pro/v1/exchange-info?requestTime=1").data();
    let headers = caller.headers_at(now["requestReceiveAt"].as_u64().unwrap(), "info");
    assert_eq!(caller.call_with("GET", "/api/pro/v1/info", &headers, None).json()["code"], 0);
}

#[test]
fn the_latency_call_tells_the_clock_that_signatures_are_held_against() {
    let sandbox = still();
    sandbox.shift_clock(60_000);
    let mut caller = Caller::first(&sandbox);
    assert_eq!(caller.refused("GET", "/api/pro/v1/info", "info", None)["reason"], "INVALID_TIMESTAMP");
    let latency = Http::connect(sandbox.port()).get(&format!("/api/pro/v1/exchange-info?requestTime={START}")).data();
    assert_eq!(latency["requestReceiveAt"], START + 60_000);
    let headers = caller.headers_at(START + 60_000, "info");
    assert_eq!(caller.call_with("GET", "/api/pro/v1/info", &headers, None).json()["code"], 0);
    let pong = Session::open(&sandbox).ask(&json!({"op": "ping"}));
    assert_eq!(pong["ts"], START + 60_000, "a clock reading for free");
}

#[test]
fn a_key_without_the_permission_is_refused() {
    let sandbox = still();
    let all = [Permission::View, Permission::Trade, Permission::Transfer];
    for (method, path, prehash, needed) in ACTING {
        let without = all.into_iter().filter(|permission| permission != needed);
        let mut caller = Caller::of(&sandbox, sandbox.add_user(UserOptions::new().permissions(without)));
        let refused = caller.refused(method, path, prehash, Some(&body_of(path)));
        assert_eq!((&refused["code"], &refused["reason"]), (&json!(200015), &json!("PERMISSION_DENIED")), "{path}");
    }
    let mut blind = Caller::of(&sandbox, sandbox.add_user(UserOptions::new().permissions([Permission::Trade])));
    for path in ["/G/api/pro/v1/cash/balance", "/G/api/pro/v1/margin/balance"] {
        assert_eq!(blind.refused("GET", path, "balance", None)["code"], 200015);
    }
    assert_eq!(blind.refused("GET", "/G/api/pro/v1/cash/order/open", "order/open", None)["code"], 200015);
}

#[test]
fn another_accounts_group_is_refused() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    let other = caller.user.account_group() + 1;
    for (path, prehash) in [
        ("cash/balance", "balance"),
        ("cash/order/open", "order/open"),
        ("spot/fee", "fee"),
        ("margin/risk", "margin/risk"),
    ] {
        caller.refused("GET", &format!("/{other}/api/pro/v1/{path}"), prehash, None);
    }
    let order = caller.limit("buy", "1", "10");
    let path = format!("/{other}/api/pro/v1/cash/order");
    caller.refused("POST", &path, "order", Some(&order));
    assert_eq!(caller.open(), json!([]));
}

#[test]
fn refusals_say_code_message_and_reason() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    for refused in [
        caller.refused("GET", "/api/pro/v1/info", "wrong", None),
        caller.refused("GET", "/G/api/pro/v1/cash/order/status?orderId=unknown", "order/status", None),
        caller.refused("GET", "/api/pro/v1/wallet/deposit/address", "wallet/deposit/address", None),
        caller.refused("GET", "/api/pro/data/v2/order/hist", "data/v2/order/hist", None),
    ] {
        assert!(refused["message"].is_string() && refused["reason"].is_string(), "{refused}");
        assert!(refused.get("data").is_none_or(Value::is_null), "{refused}");
    }
}
