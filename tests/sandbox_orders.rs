//! Orders over the sandbox's private calls: placing, cancelling, batches, ids, answers, refusals.
//! Asked by a client that knows nothing of the crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::time::Duration;

use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::sandbox::{OrderRequest, ProductOptions, User, UserOptions};
use private::{Client, ROW, START, floor, names, text};
use raw::{Answer, wait_until};
use serde_json::{Value, json};

/// Code, reason and whole body of a refused request about orders.
fn refused(answer: &Answer, action: &str, client: &Client) -> (i64, Value) {
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(names(&body), ["ac", "accountId", "action", "code", "info", "message", "reason", "status"]);
    assert_eq!([&body["ac"], &body["action"], &body["status"]], ["CASH", action, "Err"]);
    assert!(!text(&body, "message").is_empty() && !text(&body, "accountId").is_empty(), "{}", client.uid);
    (body["code"].as_i64().unwrap(), body)
}

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
fn an_answer_waits_five_seconds_for_something_to_tell() {
    let (sandbox, mut client, other) = floor();
    let rest = |client: &mut Client| {
        let order = client.limit("buy", "0.4", "90", json!({"respInst": "DONE"})).to_string();
        client.send("POST", "G/v1/cash/order", "order", &order);
        wait_until("the order rests", || !sandbox.user().open_orders(Cash).is_empty());
    };
    rest(&mut client);
    sandbox.advance(Duration::from_millis(4_999));
    assert!(client.http.is_silent());
    sandbox.advance(Duration::from_millis(1));
    let data = client.http.answer().data();
    assert_eq!(
        (text(&data, "status"), names(&data["info"])),
        ("Ack", vec!["id", "orderId", "orderType", "symbol", "timestamp"])
    );
    sandbox.user().cancel_all(Cash);
    // It trades meanwhile.
    rest(&mut client);
    other.place(&OrderRequest::sell("ABC/USDT", "0.1").limit(90)).unwrap();
    let data = client.http.answer().data();
    assert_eq!((text(&data, "status"), text(&data["info"], "status")), ("DONE", "PartiallyFilled"));
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
    client.placed("buy", "0.4", "90");
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

// --- Among the market's own participants ---

#[test]
fn the_market_runs_over_what_rests_and_triggers_stops() {
    let sandbox = private::lively();
    let user = sandbox.user();
    let mut http = raw::Http::connect(sandbox.port());
    let mut price = |side: &str| {
        let ticker = http.get("/api/pro/v1/spot/ticker?symbol=BTC/USDT").data();
        private::dec(&ticker[side][0]).round()
    };
    let (bid, ask) = (price("bid"), price("ask"));
    let away = (bid / bitmax::Decimal::from(2_000)).round();
    let resting = [
        OrderRequest::buy("BTC/USDT", "0.01").limit(bid - (away / bitmax::Decimal::TWO).round()),
        OrderRequest::sell("BTC/USDT", "0.01").limit(ask + (away / bitmax::Decimal::TWO).round()),
    ];
    let resting = resting.map(|order| user.place(&order).unwrap());
    // Of another user, as nobody trades with oneself.
    let other = sandbox.add_user(UserOptions::new());
    other.fund(Cash, "BTC", 1).unwrap();
    other.fund(Cash, "USDT", 10_000).unwrap();
    let stops = [
        OrderRequest::sell("BTC/USDT", "0.01").stop(bid - away),
        OrderRequest::buy("BTC/USDT", "0.01").stop(ask + away),
    ];
    let stops = stops.map(|order| other.place(&order).unwrap());
    let filled =
        |user: &User, id| user.ended_orders(Cash).iter().any(|order| order.id == id && !order.filled.is_zero());
    assert!(user.ended_orders(Cash).is_empty() && other.ended_orders(Cash).is_empty());
    // The price goes five ten-thousandths to one side or the other, through what rests there on the way.
    let mut seconds = 0;
    while !stops.iter().any(|id| filled(&other, *id)) {
        sandbox.advance(Duration::from_secs(1));
        seconds += 1;
        assert!(seconds < 3_600, "the price moved by less in an hour");
    }
    for (stop, passed) in stops.into_iter().zip(resting) {
        assert!(filled(user, passed) || !filled(&other, stop));
    }
}
