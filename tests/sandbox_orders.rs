//! Orders over the sandbox's private calls: placing, cancelling, batches, ids, answers, queries, history, refusals.
//! Asked by a client that knows nothing of the crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::time::Duration;

use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::sandbox::{OrderRequest, ProductOptions, Sandbox, UnknownOrder, User, UserOptions};
use private::{Client, START, names, still};
use raw::Answer;
use serde_json::{Value, json};

/// A sandbox whose clock stands still with a product that nobody trades; a client with 100 ABC and 100 000 USDT
/// in cash, and another participant with as much.
fn floor() -> (Sandbox, Client, User) {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("ABC/USDT")).unwrap();
    let other = sandbox.add_user(UserOptions::new());
    for (user, usdt) in [(sandbox.user(), 0), (&other, 100_000)] {
        user.fund(Cash, "ABC", 100).unwrap();
        if usdt > 0 {
            user.fund(Cash, "USDT", usdt).unwrap();
        }
    }
    let client = Client::new(&sandbox);
    (sandbox, client, other)
}

/// What names an order in an answer.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// Code, reason and whole body of a refused request about orders.
fn refused(answer: &Answer, action: &str, client: &Client) -> (i64, Value) {
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(names(&body), ["ac", "accountId", "action", "code", "info", "message", "reason", "status"]);
    assert_eq!([&body["ac"], &body["action"], &body["status"]], ["CASH", action, "Err"]);
    assert!(!text(&body, "message").is_empty() && !text(&body, "accountId").is_empty(), "{}", client.uid);
    (body["code"].as_i64().unwrap(), body)
}

const ROW: [&str; 16] = [
    "avgPx",
    "cumFee",
    "cumFilledQty",
    "errorCode",
    "execInst",
    "feeAsset",
    "lastExecTime",
    "orderId",
    "orderQty",
    "orderType",
    "price",
    "seqNum",
    "side",
    "status",
    "stopPrice",
    "symbol",
];

// --- Placing ---

#[test]
fn an_order_is_acknowledged_and_rests() {
    let (sandbox, mut client, _) = floor();
    let id = "iGwzbzWxxcHwno4b8VCvh8aaYCJaPALm";
    let order = client.limit("buy", "0.5", "99.5", json!({"id": id}));
    let data = client.orders("POST order", &order).data();
    assert_eq!(names(&data), ["ac", "accountId", "action", "info", "status"]);
    assert_eq!([&data["ac"], &data["action"], &data["status"]], ["CASH", "place-order", "Ack"]);
    assert_eq!(data["accountId"], sandbox.user().account_id(Cash));
    // a, the time in hexadecimal digits, the user, the end of the client's id.
    let order_id = format!("a{START:x}{}{}", client.uid, &id[23..]);
    assert_eq!(
        data["info"],
        json!({"id": id, "orderId": order_id, "orderType": "Limit", "symbol": "ABC/USDT", "timestamp": START})
    );
    let open = client.rows("order/open");
    let mut fields = ROW.to_vec();
    fields.insert(6, "id");
    assert_eq!(names(&open[0]), fields);
    assert_eq!(
        open,
        [json!({
            "avgPx": "0", "cumFee": "0", "cumFilledQty": "0", "errorCode": "", "execInst": "NULL_VAL",
            "feeAsset": "USDT", "id": id, "lastExecTime": START, "orderId": order_id, "orderQty": "0.5",
            "orderType": "Limit", "price": "99.5", "seqNum": open[0]["seqNum"], "side": "Buy", "status": "New",
            "stopPrice": "", "symbol": "ABC/USDT",
        })]
    );
    let truth = sandbox.user().open_orders(Cash);
    assert_eq!((truth.len(), truth[0].id.as_str(), truth[0].client_id.as_deref()), (1, order_id.as_str(), Some(id)));
}

#[test]
fn what_other_clients_send_is_taken() {
    let (_sandbox, mut client, _) = floor();
    let time = client.now;
    for order in [
        // Extra fields, numbers for texts, texts for numbers.
        json!({"time": time, "symbol": "ABC/USDT", "side": "buy", "orderType": "limit", "orderQty": 0.5,
            "orderPrice": 99.50, "category": "cash", "account-group": 3, "account-category": "cash"}),
        json!({"time": time.to_string(), "symbol": "ABC/USDT", "side": "BUY", "orderType": "Limit",
            "orderQty": "5e-1", "orderPrice": "99.500", "postOnly": "false", "respInst": "ack"}),
        // Fields that the type does not use, and the several forms of none.
        json!({"time": time, "symbol": "ABC/USDT", "side": "Sell", "orderType": "STOP_MARKET", "orderQty": "1",
            "orderPrice": "", "stopPrice": "50", "timeInForce": "GTC", "id": ""}),
        json!({"time": time, "symbol": "ABC/USDT", "side": "sell", "orderType": "StopLimit", "orderQty": "1",
            "orderPrice": "49", "stopPrice": "50", "timeInForce": null, "postOnly": null, "respInst": "NULL_VAL"}),
    ] {
        let data = client.orders("POST order", &order).data();
        assert_eq!(data["status"], "Ack", "{order}");
    }
    let open = client.rows("order/open");
    assert_eq!(
        open.iter().map(|row| text(row, "status")).collect::<Vec<_>>(),
        ["New", "New", "PendingNew", "PendingNew"]
    );
    assert_eq!(
        (text(&open[2], "orderType"), text(&open[2], "stopPrice"), text(&open[2], "price")),
        ("StopMarket", "50", "")
    );
    // A market order with a time in force and a price that is none.
    let sell = json!({"time": time, "symbol": "ABC/USDT", "side": "sell", "orderType": "market", "orderQty": "1",
        "timeInForce": "GTC", "orderPrice": "cheap"});
    assert_eq!(client.orders("POST order", &sell).data()["status"], "Ack");
    assert_eq!(text(&client.rows("order/hist/current")[0], "errorCode"), "SelfTrade");
}

#[test]
fn answers_say_as_much_as_was_asked_for() {
    let (sandbox, mut client, other) = floor();
    other.place(&OrderRequest::sell("ABC/USDT", 1).limit(100)).unwrap();
    let ask = |client: &mut Client, more: Value, price: &str| {
        let order = client.limit("buy", "0.4", price, more);
        client.orders("POST order", &order).data()
    };
    // It rests: taken, but not done.
    let data = ask(&mut client, json!({"respInst": "ACCEPT"}), "90");
    assert_eq!((text(&data, "status"), text(&data["info"], "status")), ("ACCEPT", "New"));
    assert_eq!(names(&data["info"]), ROW);
    let data = ask(&mut client, json!({"respInst": "DONE"}), "90");
    assert_eq!(
        (text(&data, "status"), names(&data["info"])),
        ("Ack", vec!["id", "orderId", "orderType", "symbol", "timestamp"])
    );
    // It trades: when it was taken it was new.
    let data = ask(&mut client, json!({"respInst": "accept"}), "100");
    assert_eq!(
        (text(&data, "status"), text(&data["info"], "status"), text(&data["info"], "cumFilledQty")),
        ("ACCEPT", "New", "0")
    );
    let data = ask(&mut client, json!({"respInst": "done", "id": "UHTe3uVB0KhNGatoRS10YgABwHW0fCYn"}), "101");
    let info = &data["info"];
    assert_eq!(
        (text(&data, "status"), text(info, "status"), text(info, "id")),
        ("DONE", "Filled", "UHTe3uVB0KhNGatoRS10YgABwHW0fCYn")
    );
    assert_eq!((text(info, "avgPx"), text(info, "cumFee"), text(info, "price")), ("100", "0.04", "101"));
    // In part, and the rest stays.
    let data = ask(&mut client, json!({"respInst": "DONE"}), "100");
    assert_eq!(
        (text(&data, "status"), text(&data["info"], "status"), text(&data["info"], "cumFilledQty")),
        ("DONE", "PartiallyFilled", "0.2")
    );
    // Ended by the engine, whatever was asked for.
    other.place(&OrderRequest::sell("ABC/USDT", 1).limit(102)).unwrap();
    for how in ["ACCEPT", "DONE"] {
        let data = ask(&mut client, json!({"respInst": how, "postOnly": true}), "102");
        assert_eq!((text(&data, "status"), text(&data["info"], "status")), ("DONE", "Rejected"), "{how}");
        assert_eq!((text(&data["info"], "errorCode"), text(&data["info"], "execInst")), ("PostOnlyWouldTake", "Post"));
    }
    let data = ask(&mut client, json!({"respInst": "DONE", "timeInForce": "FOK", "orderQty": "2"}), "102");
    assert_eq!((text(&data, "status"), text(&data["info"], "status")), ("DONE", "Canceled"));
    let data = ask(&mut client, json!({"respInst": "DONE", "timeInForce": "ioc", "orderQty": "2"}), "102");
    assert_eq!((text(&data["info"], "status"), text(&data["info"], "cumFilledQty")), ("Canceled", "1"));
    // A stop order waits.
    let stop = json!({"time": START, "symbol": "ABC/USDT", "side": "buy", "orderType": "stop_limit", "orderQty": "1",
        "orderPrice": "120", "stopPrice": "110", "respInst": "ACCEPT"});
    let data = client.orders("POST order", &stop).data();
    assert_eq!((text(&data, "status"), text(&data["info"], "status")), ("ACCEPT", "PendingNew"));
    assert_eq!(sandbox.user().open_orders(Cash).len(), 4);
}

#[test]
fn every_field_is_checked() {
    let (sandbox, mut client, other) = floor();
    sandbox.add_product(&ProductOptions::new("ABC/BTC").tick_size("0.0001").cash_only()).unwrap();
    let limit = client.limit("buy", "1", "100", json!({"id": "client-id-0001"}));
    for (field, value, expected) in [
        ("symbol", json!("NO/USDT"), 300_012),
        ("symbol", json!("abc/usdt"), 300_012),
        ("symbol", Value::Null, 300_012),
        ("symbol", json!(5), 100_012),
        ("time", Value::Null, 100_011),
        ("time", json!("soon"), 100_013),
        ("time", json!(1.5), 100_013),
        ("time", json!(START - 30_001), 100_011),
        ("time", json!(START + 30_001), 100_011),
        ("id", json!("x"), 300_006),
        ("id", json!("x@fabs"), 300_006),
        ("id", json!("-abc"), 300_006),
        ("id", json!("a".repeat(33)), 300_006),
        ("id", json!(["a"]), 100_012),
        ("side", json!("hold"), 300_003),
        ("side", Value::Null, 300_003),
        ("side", json!(1), 100_012),
        ("orderType", json!("iceberg"), 300_005),
        ("orderType", json!(""), 300_005),
        ("orderQty", Value::Null, 300_002),
        ("orderQty", json!("0"), 300_002),
        ("orderQty", json!("-1"), 300_002),
        ("orderQty", json!("0.0005"), 300_002),
        ("orderQty", json!("1e20"), 300_002),
        ("orderQty", json!("much"), 100_013),
        ("orderQty", json!({}), 100_013),
        ("orderPrice", Value::Null, 300_001),
        ("orderPrice", json!("0"), 300_001),
        ("orderPrice", json!("-5"), 300_001),
        ("orderPrice", json!("1e400"), 100_013),
        ("orderPrice", json!("100.005"), 300_014),
        ("orderPrice", json!("4.99"), 300_004),
        ("orderPrice", json!("400000.01"), 300_004),
        ("timeInForce", json!("DAY"), 300_007),
        ("postOnly", json!("maybe"), 300_008),
        ("respInst", json!("LATER"), 300_008),
        ("orderQty", json!("2000"), 300_011),
    ] {
        let mut order = limit.clone();
        order[field] = value.clone();
        let (code, body) = refused(&client.orders("POST order", &order), "place-order", &client);
        assert_eq!(code, expected, "{field}: {value}: {body}");
        assert_eq!(names(&body["info"]), ["id", "symbol"]);
    }
    let with = |fields: Value| {
        let mut order = limit.clone();
        for (name, value) in fields.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    };
    for (fields, expected) in [
        (json!({"postOnly": true, "timeInForce": "IOC"}), 300_008),
        (json!({"postOnly": true, "orderType": "market"}), 300_008),
        (json!({"orderType": "stop_limit"}), 300_001),
        (json!({"orderType": "stop_limit", "stopPrice": "100", "orderPrice": null}), 300_001),
        (json!({"orderType": "stop_market", "stopPrice": "0.001"}), 300_014),
        (json!({"orderType": "market"}), 300_031),
        (json!({"side": "sell", "orderQty": "101"}), 300_011),
    ] {
        let (code, body) = refused(&client.orders("POST order", &with(fields.clone())), "place-order", &client);
        assert_eq!(code, expected, "{fields}: {body}");
    }
    // The id and the symbol come back as they were sent.
    let (_, body) =
        refused(&client.orders("POST order", &with(json!({"id": "x@fabs", "symbol": "?"}))), "place-order", &client);
    assert_eq!(body["info"], json!({"id": "x@fabs", "symbol": "?"}));

    sandbox.set_unknown_order(UnknownOrder::EmptyList);
    assert_eq!(client.rows("order/open"), Vec::<Value>::new());
    assert_eq!(client.rows("order/hist/current"), Vec::<Value>::new());

    // Halted, and on margin.
    sandbox.halt("ABC/USDT").unwrap();
    assert_eq!(refused(&client.orders("POST order", &limit), "place-order", &client).0, 300_021);
    sandbox.resume("ABC/USDT").unwrap();
    assert_eq!(client.orders("POST order", &limit).data()["status"], "Ack");
    let mut margin = |order: &Value| client.call("POST", "G/v1/margin/order", "order", &order.to_string()).json();
    let answer = margin(&with(json!({"symbol": "ABC/BTC", "id": "client-id-0003"})));
    assert_eq!((&answer["code"], &answer["ac"]), (&json!(300_012), &json!("MARGIN")));
    assert_eq!(margin(&with(json!({"side": "sell", "id": "client-id-0003"})))["code"], 310_001);
    let taken = margin(&with(json!({"id": "client-id-0002"})));
    assert_eq!((&taken["code"], &taken["data"]["ac"]), (&json!(0), &json!("MARGIN")));
    assert_eq!(sandbox.user().open_orders(Margin).len(), 1);
    assert!(other.open_orders(Cash).is_empty());
}

#[test]
fn malformed_bodies_are_refused() {
    let (_sandbox, mut client, _) = floor();
    for (method, path, prehash) in [
        ("POST", "order", "order"),
        ("DELETE", "order", "order"),
        ("DELETE", "order/all", "order/all"),
        ("POST", "order/batch", "order/batch"),
        ("DELETE", "order/batch", "order/batch"),
    ] {
        let mut ask = |body: &str| client.call(method, &format!("G/v1/cash/{path}"), prehash, body).refusal().0;
        for (body, expected) in
            [("{", 150_001), ("nonsense", 150_001), ("{\"a\":}", 150_001), ("[]", 100_004), ("7", 100_004)]
        {
            assert_eq!(ask(body), expected, "{method} {path} {body}");
        }
    }
    let (key, time) = (client.key.clone(), client.now.to_string());
    let signature = private::sign(client.secret.as_bytes(), &format!("{time}+order"));
    let target = format!("/{}/api/pro/v1/cash/order", client.group);
    client.http.write(
        format!(
            "POST {target} HTTP/1.1\r\nx-auth-key: {key}\r\nx-auth-timestamp: {time}\r\n\
             x-auth-signature: {signature}\r\nContent-Length: 2\r\n\r\n"
        )
        .as_bytes(),
    );
    client.http.write(&[0xff, 0xfe]);
    assert_eq!(client.http.answer().refusal().0, 150_001);
}

#[test]
fn an_order_is_in_time_or_not_processed() {
    let (sandbox, mut client, _) = floor();
    sandbox.set_acceptance_window(Duration::from_secs(5));
    let order = client.limit("buy", "1", "100", json!({"id": "client-id-0001"}));
    sandbox.advance(Duration::from_millis(5001));
    client.now = sandbox.now();
    let (code, body) = refused(&client.orders("POST order", &order), "place-order", &client);
    assert_eq!((code, text(&body, "reason")), (100_011, "INVALID_TIMESTAMP"));
    assert!(sandbox.user().open_orders(Cash).is_empty() && sandbox.user().ended_orders(Cash).is_empty());
    let order = client.limit("buy", "1", "100", json!({"time": START + 1}));
    assert_eq!(client.orders("POST order", &order).data()["status"], "Ack");
}

#[test]
fn order_ids_follow_the_documented_method() {
    let (_sandbox, mut client, other) = floor();
    let uid = client.uid.clone();
    let id_of = |client: &mut Client, id: Value, time: u64| {
        let order = client.limit("buy", "0.1", "100", json!({"id": id, "time": time}));
        let info = client.orders("POST order", &order).data()["info"].clone();
        (text(&info, "orderId").to_owned(), text(&info, "id").to_owned())
    };
    let (order, echo) = id_of(&mut client, json!("abc_DEF-123456789"), START);
    assert_eq!((order, echo), (format!("a{START:x}{uid}123456789"), "abc_DEF-123456789".to_owned()));
    let (order, _) = id_of(&mut client, json!("987654321"), START - 7);
    assert_eq!(order, format!("a{:x}{uid}987654321", START - 7));
    // Too short to be used, but echoed; or none at all.
    for (id, echoed) in [(json!("12345678"), "12345678"), (json!("ab"), "ab"), (Value::Null, "")] {
        let (order, echo) = id_of(&mut client, id, START);
        assert!(order.starts_with(&format!("a{START:x}{uid}")) && order.len() == 32, "{order}");
        assert!(!order.ends_with("12345678"));
        assert_eq!(echo, echoed);
    }
    let of_program = other.place(&OrderRequest::buy("ABC/USDT", 1).limit(50)).unwrap();
    assert!(of_program.as_str().starts_with('r'));
}

#[test]
fn a_duplicate_id_is_told_as_an_error_code() {
    let (sandbox, mut client, _) = floor();
    let order = client.limit("buy", "0.1", "100", json!({"id": "first-123456789"}));
    let first = client.orders("POST order", &order).data();
    assert_eq!(first["info"]["errorCode"], Value::Null);
    // The same time and the same last nine characters.
    for respond in ["ACK", "ACCEPT", "DONE"] {
        let again = client.limit("sell", "0.2", "200", json!({"id": "other-123456789", "respInst": respond}));
        let data = client.orders("POST order", &again).data();
        let info = &data["info"];
        assert_eq!((text(info, "errorCode"), text(info, "id")), ("DupNewCoid", "other-123456789"));
        assert_eq!(info["orderId"], first["info"]["orderId"]);
    }
    assert_eq!(sandbox.user().open_orders(Cash).len(), 1);
    // Still so once the first has ended.
    sandbox.user().cancel_all(Cash);
    assert_eq!(client.orders("POST order", &order).data()["info"]["errorCode"], "DupNewCoid");
    let later = client.limit("buy", "0.1", "100", json!({"id": "first-123456789", "time": START + 1}));
    assert_eq!(client.orders("POST order", &later).data()["info"]["errorCode"], Value::Null);
}

#[test]
fn open_orders_are_bounded() {
    let (sandbox, mut client, other) = floor();
    for _ in 0..1000 {
        other.place(&OrderRequest::buy("ABC/USDT", "0.1").limit(50)).unwrap();
    }
    let mut client_of_other = Client::of(&sandbox, &other);
    let order = client_of_other.limit("buy", "0.1", "50", json!({}));
    let (code, body) = refused(&client_of_other.orders("POST order", &order), "place-order", &client);
    assert_eq!((code, text(&body, "reason")), (300_009, "TRADING_VIOLATION"));
    assert_eq!(client_of_other.rows("order/open").len(), 1000);
    client.placed("buy", "0.1", "50");
}

// --- Cancelling ---

#[test]
fn an_order_is_cancelled_once() {
    let (sandbox, mut client, _) = floor();
    let order = client.placed("buy", "1", "100");
    let cancel =
        json!({"orderId": order, "symbol": "ABC/USDT", "time": START, "id": "wv8QGquoeamhssvQBeHOHGQCGlcBjj23"});
    let data = client.orders("DELETE order", &cancel).data();
    assert_eq!([&data["ac"], &data["action"], &data["status"]], ["CASH", "cancel-order", "Ack"]);
    let info = json!({"id": "wv8QGquoeamhssvQBeHOHGQCGlcBjj23", "orderId": order, "orderType": "NULL_VAL",
        "symbol": "ABC/USDT", "timestamp": START});
    assert_eq!(data["info"], info);
    assert_eq!(sandbox.user().balance(Cash, "USDT").unwrap().available, 100_000.into());
    let (code, body) = refused(&client.orders("DELETE order", &cancel), "cancel-order", &client);
    assert_eq!((code, &body["info"]), (300_019, &json!({"id": cancel["id"], "symbol": "ABC/USDT"})));

    let open = client.placed("buy", "1", "100");
    let good = json!({"orderId": open, "symbol": "ABC/USDT", "time": START});
    for (field, value, expected) in [
        ("orderId", json!("a0"), 300_006),
        ("orderId", Value::Null, 300_006),
        ("orderId", json!("with space"), 300_006),
        ("orderId", json!(5), 100_012),
        ("symbol", json!("BTC/USDT"), 300_006),
        ("symbol", Value::Null, 300_012),
        ("time", Value::Null, 100_011),
        ("time", json!(START - 30_001), 100_011),
        ("id", json!("jHAfoOqZmRv3GP1URJ5624moJ9RCG2@3"), 300_006),
    ] {
        let mut cancel = good.clone();
        cancel[field] = value.clone();
        let (code, _) = refused(&client.orders("DELETE order", &cancel), "cancel-order", &client);
        assert_eq!(code, expected, "{field}: {value}");
    }
    // Of the other account it is none.
    assert_eq!(client.call("DELETE", "G/v1/margin/order", "order", &good.to_string()).json()["code"], 300_006);
    assert_eq!(client.orders("DELETE order", &good).data()["status"], "Ack");
}

#[test]
fn nobody_cancels_or_sees_anothers_order() {
    let (sandbox, mut client, other) = floor();
    let theirs = other.place(&OrderRequest::buy("ABC/USDT", 1).limit(50)).unwrap();
    let cancel = json!({"orderId": theirs.as_str(), "symbol": "ABC/USDT", "time": START});
    assert_eq!(refused(&client.orders("DELETE order", &cancel), "cancel-order", &client).0, 300_006);
    client.orders("DELETE order/all", &json!({})).data();
    assert_eq!(client.orders(&format!("GET order/status?orderId={theirs}"), &Value::Null).refusal().0, 300_006);
    assert_eq!(other.open_orders(Cash).len(), 1);
    assert!(sandbox.user().cancel(theirs).is_err());
    other.cancel(theirs).unwrap();
}

#[test]
fn all_orders_are_cancelled_of_a_symbol_or_of_all() {
    let (sandbox, mut client, _) = floor();
    let user = sandbox.user();
    for (symbol, price) in [("ABC/USDT", 100), ("ABC/USDT", 101), ("BTC/USDT", 10_000)] {
        user.place(&OrderRequest::buy(symbol, "0.1").limit(price)).unwrap();
    }
    user.place(&OrderRequest::buy("ABC/USDT", "0.1").stop(500)).unwrap();
    user.place(&OrderRequest::buy("ABC/USDT", "0.1").limit(99).margin()).unwrap();
    let data =
        client.orders("DELETE order/all", &json!({"symbol": "ABC/USDT", "time": START, "id": "request-1"})).data();
    assert_eq!([&data["action"], &data["status"]], ["cancel-all", "Ack"]);
    let info =
        json!({"id": "request-1", "orderId": "", "orderType": "NULL_VAL", "symbol": "ABC/USDT", "timestamp": START});
    assert_eq!(data["info"], info);
    assert_eq!((user.open_orders(Cash).len(), user.open_orders(Margin).len()), (1, 1));
    for (body, expected) in [
        (json!({"symbol": "NO/USDT"}), 300_012),
        (json!({"time": START - 40_000}), 100_011),
        (json!({"id": "?"}), 300_006),
    ] {
        assert_eq!(refused(&client.orders("DELETE order/all", &body), "cancel-all", &client).0, expected, "{body}");
    }
    // With no body at all.
    let data = client.orders("DELETE order/all", &Value::Null).data();
    assert_eq!((text(&data["info"], "symbol"), text(&data["info"], "id")), ("", ""));
    assert_eq!((user.open_orders(Cash).len(), user.open_orders(Margin).len()), (0, 1));
    assert_eq!(user.balance(Cash, "USDT").unwrap().available, 100_000.into());
}

#[test]
fn what_is_halted_can_be_cancelled() {
    let (sandbox, mut client, _) = floor();
    let order = client.placed("buy", "1", "100");
    sandbox.halt("ABC/USDT").unwrap();
    let cancel = json!({"orderId": order, "symbol": "ABC/USDT", "time": START});
    assert_eq!(client.orders("DELETE order", &cancel).data()["status"], "Ack");
}

// --- Batches ---

#[test]
fn a_batch_is_placed_and_cancelled_whole() {
    let (sandbox, mut client, _) = floor();
    let orders: Vec<Value> = (1..=10)
        .map(|n| {
            client.limit(
                "buy",
                "0.1",
                &format!("{}", 90 + n),
                json!({"id": format!("sample-id-00000{n:02}"), "account-group": 1}),
            )
        })
        .collect();
    let data = client.orders("POST order/batch", &json!({"orders": orders})).data();
    assert_eq!([&data["action"], &data["status"]], ["batch-place-order", "Ack"]);
    let acks = data["info"].as_array().unwrap().clone();
    assert_eq!(acks.len(), 10);
    assert_eq!(names(&acks[0]), ["id", "orderId", "orderType", "symbol", "timestamp"]);
    assert_eq!(sandbox.user().open_orders(Cash).len(), 10);
    let cancels: Vec<Value> = acks
        .iter()
        .map(|ack| json!({"id": "cancel-1", "orderId": ack["orderId"], "symbol": "ABC/USDT", "time": START}))
        .collect();
    let data = client.orders("DELETE order/batch", &json!({"orders": cancels})).data();
    assert_eq!([&data["action"], &data["status"]], ["batch-cancel-order", "Ack"]);
    assert_eq!((&data["info"][3]["orderId"], &data["info"][3]["orderType"]), (&acks[3]["orderId"], &json!("NULL_VAL")));
    assert!(sandbox.user().open_orders(Cash).is_empty());
}

#[test]
fn one_bad_order_fails_the_batch() {
    let (sandbox, mut client, _) = floor();
    let good = client.limit("buy", "1", "100", json!({"id": "good-id-1"}));
    let with = |fields: Value| {
        let mut order = good.clone();
        for (name, value) in fields.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    };
    let mut codes = |orders: Value| {
        let (code, body) =
            refused(&client.orders("POST order/batch", &json!({"orders": orders})), "batch-place-order", &client);
        assert_eq!((code, text(&body, "reason")), (300_013, "INVALID_BATCH_ORDER"));
        let items = body["info"].as_array().unwrap().clone();
        for item in &items {
            assert_eq!(names(item), ["code", "id", "message", "orderId", "reason", "symbol"]);
        }
        items.iter().map(|item| (item["code"].as_i64().unwrap(), text(item, "id").to_owned())).collect::<Vec<_>>()
    };
    let row = |code: i64, id: &str| (code, id.to_owned());
    assert_eq!(
        codes(json!([with(json!({"id": "bad-id-1", "orderQty": "0.001"})), good])),
        [row(300_004, "bad-id-1"), row(300_013, "good-id-1")]
    );
    assert_eq!(
        codes(json!([good, with(json!({"id": "b@d"})), with(json!({"id": "bad-id-2", "side": "up"}))])),
        [row(300_013, "good-id-1"), row(300_006, "b@d"), row(300_003, "bad-id-2")]
    );
    // The second of one id.
    let twice = with(json!({"id": "one-of-two-1"}));
    assert_eq!(codes(json!([twice, twice])), [row(300_013, "one-of-two-1"), row(300_006, "one-of-two-1")]);
    assert_eq!(codes(json!([])), []);
    assert_eq!(codes(Value::from(vec![good.clone(); 11])), []);
    for bad in [json!({}), json!({"orders": {}}), json!({"orders": [1]}), json!({"orders": "x"})] {
        assert_eq!(refused(&client.orders("POST order/batch", &bad), "batch-place-order", &client).0, 100_004, "{bad}");
    }
    assert!(sandbox.user().open_orders(Cash).is_empty() && sandbox.user().ended_orders(Cash).is_empty());
}

#[test]
fn orders_of_a_batch_that_cannot_all_be_paid_are_rejected_by_the_engine() {
    let (sandbox, mut client, _) = floor();
    let order = client.limit("sell", "60", "100", json!({}));
    let data = client.orders("POST order/batch", &json!({"orders": [order, order]})).data();
    assert_eq!(data["info"].as_array().unwrap().len(), 2);
    assert_eq!(sandbox.user().open_orders(Cash).len(), 1);
    let ended = client.rows("order/hist/current");
    assert_eq!((text(&ended[0], "status"), text(&ended[0], "errorCode")), ("Rejected", "BatchRefused"));
}

#[test]
fn one_bad_cancel_fails_the_batch() {
    let (sandbox, mut client, _) = floor();
    let [one, two, gone] = ["99", "98", "97"].map(|price| client.placed("buy", "1", price));
    let cancel = |order: &str| json!({"id": "cancel-id-1", "orderId": order, "symbol": "ABC/USDT", "time": START});
    client.orders("DELETE order", &cancel(&gone)).data();
    let mut codes = |orders: Value| {
        let answer = client.orders("DELETE order/batch", &json!({"orders": orders}));
        // The published refusal names the other action.
        let (code, body) = refused(&answer, "batch-place-order", &client);
        assert_eq!(code, 300_013);
        let items = body["info"].as_array().unwrap().clone();
        items.iter().map(|item| (item["code"].as_i64().unwrap(), text(item, "orderId").to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(codes(json!([cancel(&one), cancel(&gone)])), [(300_013, one.clone()), (300_006, gone.clone())]);
    assert_eq!(
        codes(json!([cancel("no-such-order"), cancel(&one)])),
        [(300_006, "no-such-order".into()), (300_013, one.clone())]
    );
    assert_eq!(codes(json!([cancel(&two), cancel(&two)])), [(300_013, two.clone()), (300_019, two.clone())]);
    assert_eq!(codes(Value::from(vec![cancel(&one); 11])), []);
    assert_eq!(sandbox.user().open_orders(Cash).len(), 2);
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
    let (sandbox, client, other) = floor();
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
                let body = json!({"asset": asset, "fromAccount": from, "toAccount": to, "amount": format!("0.{:04}", dice.roll(10_000))});
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
                client.limit(["buy", "sell"][n % 2], "1", &format!("{}", 100 + n % 3), json!({"respInst": "DONE"}));
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
