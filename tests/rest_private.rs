//! Private calls: what each sends and signs, and what it makes of the reference's samples.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bitmax::model::{AccountCategory, AccountKind, Outcome, Side};
use bitmax::{
    BalanceQuery, CancelOrder, Client, Code, Error, InvalidInput, NewOrder, OrderHistoryQuery, OrderHistoryV1Query,
    RecentOrdersQuery, Respond, SubuserTransfer, SubuserTransfersQuery, TimeInForce, Timeout, WalletQuery,
};
use serde_json::{Value, json};
use support::{
    GROUP, PRIVATE, Reply, Server, accept_order, answer_of, assert_signed, exchange, fixture, info, same,
    with_credentials,
};

/// Names that one thing has in several answers.
const ALIASES: &[(&str, &str)] = &[("cumQty", "cumFilledQty"), ("accountCategory", "ac")];

#[test]
fn each_call_is_sent_and_signed_as_the_reference_says_and_reads_its_sample() {
    for call in PRIVATE {
        let what = format!("{} {}", call.method, call.path);
        let body = answer_of(call);
        let sample: Value = serde_json::from_str(&fixture(call.fixture)).unwrap();
        // All others learn the account group first.
        let alone = call.fixture == "account-info" || call.path.contains("/wallet/");
        let server =
            if alone { Server::start(move |_| Reply::json(&body)) } else { exchange(move |_| Reply::json(&body)) };
        let client = with_credentials(&server).build().unwrap();
        let written = (call.call)(&client).unwrap_or_else(|e| panic!("{what}: {e}"));

        let requests = server.requests();
        if !alone {
            assert_eq!(requests[0].path, "/api/pro/v1/info");
            assert_signed(&requests[0], "info");
        }
        assert_eq!(requests.len(), if alone { 1 } else { 2 }, "{what}");
        let request = requests.last().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), (call.method, call.path));
        let query: Vec<_> = request.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(query, call.query, "{what}");
        let body = (call.body)();
        match request.body.as_str() {
            "" => assert_eq!((&body, request.header("content-type")), (&Value::Null, None), "{what}"),
            sent => {
                assert_eq!(serde_json::from_str::<Value>(sent).unwrap(), body, "{what}");
                assert_eq!(request.header("content-type"), Some("application/json"));
            }
        }
        assert_signed(request, call.prehash);

        let read = sample.pointer(call.part).unwrap_or(&Value::Null);
        same(read, &written, ALIASES, &[]).unwrap_or_else(|e| panic!("{what}: {e}"));
        // A second call asks for nothing else.
        (call.call)(&client).unwrap();
        assert_eq!(server.requests().len(), if alone { 2 } else { 3 }, "{what}");
    }
}

#[test]
fn public_calls_are_not_signed() {
    let server = Server::start(|_| Reply::json(fixture("assets-v2")));
    with_credentials(&server).build().unwrap().market().assets().unwrap();
    let [request] = server.requests().try_into().unwrap();
    assert!(request.headers.iter().all(|(name, _)| !name.starts_with("x-auth")));
}

#[test]
fn the_account_group_is_learned_once_by_all_threads_together() {
    let server = exchange(|_| Reply::json(fixture("open-orders")));
    let client = with_credentials(&server).build().unwrap();
    let start = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (client, start) = (client.clone(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                let account = client.account(AccountCategory::Margin).unwrap();
                assert_eq!((account.group(), account.uid()), (GROUP, "U0866943712"));
                assert_eq!(account.open_orders(None).unwrap().len(), 1);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let asked = server.requests().iter().filter(|request| request.path == "/api/pro/v1/info").count();
    assert_eq!(asked, 1);
}

#[test]
fn a_group_that_could_not_be_learned_is_asked_for_again() {
    let failures = std::sync::atomic::AtomicU32::new(2);
    let server = Server::start(move |_| match failures.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) {
        2 => Reply::status(502, "", "<html>"),
        1 => Reply::json(r#"{"code":200002,"reason":"TOO_MANY_ATTEMPTS"}"#),
        _ => Reply::json(info()),
    });
    let client = with_credentials(&server).build().unwrap();
    assert_eq!(client.account(AccountCategory::Cash).unwrap_err().kind(), "http");
    assert_eq!(client.account(AccountCategory::Cash).unwrap_err().kind(), "refused");
    assert_eq!(client.account(AccountCategory::Cash).unwrap().group(), GROUP);
}

#[test]
fn who_waits_for_the_group_keeps_to_his_own_deadline() {
    let server = Server::start(|_| Reply::Stall(Vec::new()));
    let client = with_credentials(&server).build().unwrap();
    let asking = client.with_deadline(Instant::now() + Duration::from_secs(2));
    let asking = thread::spawn(move || asking.account(AccountCategory::Cash).unwrap_err());
    while server.requests().is_empty() {
        thread::yield_now();
    }
    let hasty = client.with_deadline(Instant::now() + Duration::from_millis(50));
    let error = hasty.account(AccountCategory::Cash).unwrap_err();
    assert!(matches!(error, Error::Timeout(Timeout::Deadline)), "{error:?}");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(asking.join().unwrap().kind(), "timeout");
}

#[test]
fn a_call_takes_no_longer_than_a_call_may_with_all_that_it_asks_for_first() {
    let server = Server::start(|_| Reply::Stall(Vec::new()));
    let client = with_credentials(&server).clock_correction(true).call_timeout(Duration::from_millis(200));
    let client = client.build().unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    for _ in 0..20 {
        let (client, done) = (client.clone(), done.clone());
        thread::spawn(move || done.send(client.account(AccountCategory::Cash).unwrap_err().kind()).unwrap());
    }
    // One after another they would take four seconds, and the clock three before that.
    let deadline = Instant::now() + Duration::from_millis(2500);
    for _ in 0..20 {
        let left = deadline.saturating_duration_since(Instant::now());
        assert_eq!(is_done.recv_timeout(left), Ok("timeout"));
    }
}

#[test]
fn orders_get_an_id_and_a_time_when_they_are_sent() {
    let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let server = exchange(|_| Reply::json(fixture("place-ack")));
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    let order = NewOrder::limit("BTC/USDT", Side::Buy, "1", "2").unwrap();
    account.place(&order).unwrap();
    account.place(&order).unwrap();
    account.cancel(&CancelOrder::new("x", "BTC/USDT").unwrap()).unwrap();
    let bodies: Vec<Value> = server.requests()[1..].iter().map(|r| serde_json::from_str(&r.body).unwrap()).collect();
    let ids: Vec<&str> = bodies.iter().map(|body| body["id"].as_str().unwrap()).collect();
    assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_alphanumeric())), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    let times: Vec<u64> = bodies.iter().map(|body| body["time"].as_u64().unwrap()).collect();
    let signed: Vec<u64> =
        server.requests()[1..].iter().map(|r| r.header("x-auth-timestamp").unwrap().parse().unwrap()).collect();
    assert!(times.iter().zip(signed).all(|(time, signed)| (began..=signed).contains(time)));
}

#[test]
fn answers_to_orders_are_told_apart_by_type() {
    let server = exchange(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        Reply::json(fixture(match body["respInst"].as_str() {
            Some("ACCEPT") => "place-accept",
            Some("DONE") => "place-done",
            _ => "place-ack",
        }))
    });
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    let order = || NewOrder::market("BTC/USDT", Side::Sell, "0.00081").unwrap();
    let ack = account.place(&order()).unwrap();
    assert!(matches!(&ack.info, Outcome::Ack(ack) if ack.id == "16e607e2b83a8bXHbAwwoqDo55c166fa"));
    assert_eq!((ack.ac, ack.info.order()), (Some(AccountKind::Margin), None));
    let accept = account.place(&order().respond(Respond::Accept)).unwrap().info;
    assert!(matches!(&accept, Outcome::Accept(order) if order.status.is_open()));
    let done = account.place(&order().respond(Respond::Done)).unwrap().info;
    assert!(matches!(&done, Outcome::Done(order) if !order.status.is_open() && order.price.is_none()));
    assert_eq!(done.order_id().unwrap().as_str(), "a16edbd9aefaU9490877774pPK3zuGGh");
}

#[test]
fn cancels_that_are_merely_done_are_done() {
    let server = exchange(|_| Reply::json(r#"{"code":0}"#));
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    let cancel = CancelOrder::new("x", "BTC/USDT").unwrap();
    assert_eq!(account.cancel(&cancel).unwrap(), None);
    assert_eq!(account.cancel_batch(&[cancel]).unwrap(), None);
    assert_eq!(account.cancel_all(None).unwrap(), None);
    // An order that is merely done has no id.
    assert_eq!(account.place(&accept_order()).unwrap_err().kind(), "decode");
}

#[test]
fn refusals_name_the_orders_that_they_concern() {
    for (sample, status) in
        [("place-err", 200), ("cancel-err", 200), ("place-batch-err", 400), ("cancel-batch-err", 200)]
    {
        let server = exchange(move |_| Reply::status(status, "", &fixture(sample)));
        let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
        let order = NewOrder::market("BTC/USDT", Side::Buy, "1").unwrap();
        let cancel = CancelOrder::new("16e61d5ff43s8bXHbAwwoqDo9d817339", "BTC/USDT").unwrap();
        let error = match sample {
            "place-err" => account.place(&order).map(drop),
            "cancel-err" => account.cancel(&cancel).map(drop),
            "place-batch-err" => account.place_batch(&[order]).map(drop),
            _ => account.cancel_batch(&[cancel]).map(drop),
        }
        .unwrap_err();
        assert!(!error.may_have_executed() && !error.is_retryable());
        let Error::Refused(refusal) = error else { panic!("{error:?}") };
        let body: Value = serde_json::from_str(&fixture(sample)).unwrap();
        assert_eq!((json!(refusal.code), json!(refusal.reason)), (body["code"].clone(), body["reason"].clone()));
        assert_eq!((json!(refusal.message), refusal.status), (body["message"].clone(), Some(status)));

        let orders = refusal.orders();
        match &body["info"] {
            Value::Array(items) => {
                same(&body["info"], &serde_json::to_value(&orders).unwrap(), &[], &[]).unwrap();
                let text = refusal.to_string();
                assert!(items.iter().all(|item| text.contains(item["message"].as_str().unwrap())), "{text}");
            }
            info => {
                let [order] = orders.try_into().unwrap();
                assert_eq!((json!(order.id), json!(order.symbol)), (info["id"].clone(), info["symbol"].clone()));
                assert_eq!((order.code, &order.message), (refusal.code, &refusal.message));
            }
        }
    }
}

#[test]
fn a_second_use_of_an_id_is_refused_in_an_answer_that_says_it_is_done() {
    let server = exchange(|_| {
        Reply::json(fixture("place-accept").replace(r#""errorCode": """#, r#""errorCode": "DupNewCoid""#))
    });
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    let error = account.place(&accept_order()).unwrap_err();
    assert!(error.may_have_executed(), "its own first copy may have come before it");
    let Error::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::new(0), "DupNewCoid"));
    assert_eq!(refusal.to_string(), "refused by the exchange: DupNewCoid");
    assert_eq!(refusal.orders()[0].order_id.unwrap().as_str(), "a16ed787462fU9490877774N4KBHIVN0");
}

#[test]
fn an_order_that_is_not_known_is_none_in_every_form() {
    for body in [
        r#"{"code":0,"data":null}"#,
        r#"{"code":0,"data":[]}"#,
        r#"{"code":0,"data":{}}"#,
        r#"{"code":0,"data":[{}]}"#,
        r#"{"code":0,"data":[null]}"#,
        r#"{"code":0}"#,
        r#"{"code":100002,"reason":"DATA_NOT_AVAILABLE"}"#,
        r#"{"code":300006,"reason":"INVALID_ORDER_ID"}"#,
    ] {
        let server = exchange(move |_| Reply::json(body));
        let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
        assert_eq!(account.order("a16eee206d610866943712rPNknIyhH").unwrap(), None, "{body}");
        assert!(account.orders(["a16eee206d610866943712rPNknIyhH", "x"]).unwrap().is_empty(), "{body}");
    }
    for (body, kind) in [
        (r#"{"code":200001}"#, "refused"),
        (r#"{"code":510001}"#, "refused"),
        (r#"{"code":100014}"#, "refused"),
        (r#"{"code":100101}"#, "refused"),
        (r#"{"code":0,"data":7}"#, "decode"),
        (r#"{"code":0,"data":{"orderId":"x"}}"#, "decode"),
    ] {
        let server = exchange(move |_| Reply::json(body));
        let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
        assert_eq!(account.order("x").unwrap_err().kind(), kind, "{body}");
    }
    let server = exchange(|_| Reply::json(fixture("order-status")));
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    assert!(account.order("a16eee206d610866943712rPNknIyhH").unwrap().is_some());
    assert_eq!(account.order("x").unwrap(), None, "another order is none");
}

#[test]
fn one_unknown_order_does_not_cost_the_others() {
    // An exchange that refuses the whole question for one id.
    let row = serde_json::from_str::<Value>(&fixture("order-status")).unwrap()["data"][0].clone();
    let server = exchange(move |request| {
        let ids = request.param("orderId").unwrap();
        if ids.contains("unknown") {
            return Reply::json(r#"{"code":100006,"reason":"INVALID_ARGUMENT"}"#);
        }
        let mut row = row.clone();
        row["orderId"] = json!(ids);
        Reply::json(json!({"code": 0, "data": row}).to_string())
    });
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    assert_eq!(account.orders(["a", "unknown", "b"]).unwrap().len(), 2);
}

#[test]
fn many_orders_are_asked_in_portions_of_under_1000_characters() {
    let row = serde_json::from_str::<Value>(&fixture("order-status")).unwrap()["data"][0].clone();
    let server = exchange(move |request| {
        let ids = request.param("orderId").unwrap().split(',').filter(|id| !id.is_empty());
        let rows: Vec<Value> = ids
            .map(|id| {
                let mut row = row.clone();
                row["orderId"] = json!(id);
                row
            })
            .collect();
        Reply::json(json!({"code": 0, "data": rows}).to_string())
    });
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    let ids: Vec<String> = (0..100).map(|i| format!("a16eee206d6U9490877774pPK3zuG{i:03}")).collect();
    let orders = account.orders(&ids).unwrap();
    assert!(orders.iter().map(|order| order.order_id.as_str()).eq(ids.iter().map(String::as_str)));
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    assert!(requests[1..].iter().all(|request| request.param("orderId").unwrap().len() < 1000));
}

#[test]
fn unreadable_rows_are_kept_beside_the_good_ones() {
    let good = serde_json::from_str::<Value>(&fixture("open-orders")).unwrap()["data"][0].clone();
    let body = json!({"code": 0, "data": [good, {"orderId": "x", "price": {}}, good]}).to_string();
    let server = exchange(move |_| Reply::json(&body));
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    for orders in [account.open_orders(None), account.recent_orders(&RecentOrdersQuery::new()), account.orders(["x"])] {
        let orders = orders.unwrap();
        assert_eq!((orders.len(), orders.unreadable()[0].index), (2, 1));
    }
}

#[test]
fn forms_of_the_reality_notes_are_read() {
    let order = json!({"symbol": "BTC-PERP", "orderQty": 0.5, "orderType": "stop_limit", "cumQty": "5.0E-1", "orderId": "odd-id", "seqNum": "144115188077966308", "side": "SELL", "status": "On_Fire", "execInst": "POST",
        "lastExecTime": "1576019723550", "errorCode": "NULL_VAL", "feeAsset": null, "avgPx": "", "positionMode": "x",
        "sendingTime": "5", "ac": "FUTURES"});
    let body = json!({"code": "0", "accountCategory": "CASH", "data": [order]}).to_string();
    let server = exchange(move |_| Reply::json(&body));
    let account = with_credentials(&server).build().unwrap().account(AccountCategory::Cash).unwrap();
    let orders = account.open_orders(None).unwrap();
    assert_eq!(orders.unreadable(), []);
    let read = &orders[0];
    assert_eq!((read.seq_num, read.cum_filled_qty), (144_115_188_077_966_308, bitmax::Decimal::new(50, 2)));
    assert_eq!(
        (read.last_exec_time, read.avg_px, read.ac.clone()),
        (Some(1_576_019_723_550), None, Some(AccountKind::Futures))
    );
    assert_eq!((read.status.as_str(), read.status.is_open(), &read.side), ("On_Fire", true, &Side::Sell));
}

fn account(server: &Server, category: AccountCategory) -> bitmax::Account {
    with_credentials(server).build().unwrap().account(category).unwrap()
}

#[test]
fn bad_arguments_are_refused_and_nothing_is_sent() {
    let server = exchange(|_| Reply::json("{}"));
    let (cash, margin) = (account(&server, AccountCategory::Cash), account(&server, AccountCategory::Margin));
    let client = with_credentials(&server).build().unwrap();
    let sent = server.requests().len();

    let side = || Side::Buy;
    let other = Side::from_text("both");
    let limit = |quantity: &str, price: &str| NewOrder::limit("A/B", side(), quantity, price).map(drop);
    let good = || NewOrder::market("A/B", side(), 1).unwrap();
    let cancel = || CancelOrder::new("x", "A/B").unwrap();
    let nothing: [NewOrder; 0] = [];
    let no_ids: [&str; 0] = [];
    let user = |name: &'static str| (name, AccountKind::Cash);
    let v2 = OrderHistoryQuery::new;
    let v1 = OrderHistoryV1Query::new;
    let subuser =
        |a: &str, b: &str| SubuserTransfer::new(1, "USDT", (a, AccountKind::Cash), (b, AccountKind::Cash)).map(drop);
    let id = |text: &str| text.parse::<bitmax::ClientOrderId>().map(drop);
    let input: fn(InvalidInput) -> Error = Error::from;
    for (result, field) in [
        (limit("0", "1").map_err(input), "orderQty"),
        (limit("-1", "1").map_err(input), "orderQty"),
        (limit("", "1").map_err(input), "orderQty"),
        (limit("1e40", "1").map_err(input), "orderQty"),
        (limit("1", "0.00").map_err(input), "orderPrice"),
        (limit("1", "-5").map_err(input), "orderPrice"),
        (limit("1", "1,5").map_err(input), "orderPrice"),
        (NewOrder::limit("AB", side(), 1, 1).map(drop).map_err(input), "symbol"),
        (NewOrder::limit("A/B", other.clone(), 1, 1).map(drop).map_err(input), "side"),
        (NewOrder::market("A/B", side(), 0).map(drop).map_err(input), "orderQty"),
        (NewOrder::stop_limit("A/B", side(), 1, 0, 1).map(drop).map_err(input), "orderPrice"),
        (NewOrder::stop_limit("A/B", side(), 1, 1, 0).map(drop).map_err(input), "stopPrice"),
        (NewOrder::stop_market("A/B", side(), 1, "x").map(drop).map_err(input), "stopPrice"),
        (id("a").map_err(input), "id"),
        (id("a_b").map_err(input), "id"),
        (id(&"a".repeat(33)).map_err(input), "id"),
        (
            cash.place(&NewOrder::limit("A/B", side(), 1, 1).unwrap().post_only().time_in_force(TimeInForce::Fok))
                .map(drop),
            "timeInForce",
        ),
        ("day".parse::<TimeInForce>().map(drop).map_err(input), "timeInForce"),
        ("later".parse::<Respond>().map(drop).map_err(input), "respInst"),
        (cash.place_batch(&nothing).map(drop), "orders"),
        (cash.place_batch(&vec![good(); 11]).map(drop), "orders"),
        (cash.cancel_batch(&[]).map(drop), "orders"),
        (cash.cancel_batch(&vec![cancel(); 11]).map(drop), "orders"),
        (CancelOrder::new("", "A/B").map(drop).map_err(input), "orderId"),
        (CancelOrder::new("a b", "A/B").map(drop).map_err(input), "orderId"),
        (CancelOrder::new("x", "b").map(drop).map_err(input), "symbol"),
        (cash.order("a,b").map(drop), "orderId"),
        (cash.orders(no_ids).map(drop), "orderId"),
        (cash.orders(["a", ""]).map(drop), "orderId"),
        (cash.recent_orders(&RecentOrdersQuery::new().n(0)).map(drop), "n"),
        (cash.order_history(&v2().limit(0)).map(drop), "limit"),
        (cash.order_history(&v2().limit(1001)).map(drop), "limit"),
        (cash.order_history(&v2().start_time(2).end_time(1)).map(drop), "endTime"),
        (cash.order_history(&v2().account("")).map(drop), "account"),
        (cash.order_history_iter(&v2().account("a b")).map(drop), "account"),
        (cash.order_history_iter(&v2().limit(1001)).map(drop), "limit"),
        (cash.order_history_v1(&v1().page(0)).map(drop), "page"),
        (cash.order_history_v1(&v1().page_size(0)).map(drop), "pageSize"),
        (cash.order_history_v1(&v1().start_time(2).end_time(1)).map(drop), "endTime"),
        (cash.order_history_v1(&v1().status(bitmax::model::OrderStatus::New)).map(drop), "status"),
        (cash.order_history_v1(&v1().side(other.clone())).map(drop), "side"),
        (cash.order_history_v1(&v1().order_type(bitmax::model::OrderType::from_text("x"))).map(drop), "orderType"),
        (cash.order_history_v1(&v1().category(AccountKind::from_text("x"))).map(drop), "category"),
        (cash.balance("usdt").map(drop), "asset"),
        (cash.risk().map(drop), "account"),
        (cash.balance_snapshot("2021-02-29").map(drop), "date"),
        (margin.balance_snapshot("yesterday").map(drop), "date"),
        (margin.ledger("2021-02-30").map(drop), "date"),
        (cash.balance_history(1, Some(0)).map(drop), "limit"),
        (cash.balance_history(1, Some(501)).map(drop), "limit"),
        (client.transfer(0, "USDT", AccountKind::Cash, AccountKind::Margin), "amount"),
        (client.transfer("-1", "USDT", AccountKind::Cash, AccountKind::Margin), "amount"),
        (client.transfer(1, "us dt", AccountKind::Cash, AccountKind::Margin), "asset"),
        (client.transfer(1, "USDT", AccountKind::from_text("x"), AccountKind::Margin), "fromAccount"),
        (client.transfer(1, "USDT", AccountKind::Cash, AccountKind::from_text("x")), "toAccount"),
        (client.transfer(1, "USDT", AccountKind::Cash, AccountCategory::Cash), "toAccount"),
        (subuser("", "b").map_err(input), "userFrom"),
        (subuser("a", "b c").map_err(input), "userTo"),
        (subuser("a", "a").map_err(input), "userTo"),
        (SubuserTransfer::new("0", "USDT", user("a"), user("b")).map(drop).map_err(input), "amount"),
        (SubuserTransfer::new(1, "", user("a"), user("b")).map(drop).map_err(input), "asset"),
        (
            SubuserTransfer::new(1, "A", ("a", AccountKind::from_text("x")), user("b")).map(drop).map_err(input),
            "acFrom",
        ),
        (SubuserTransfer::new(1, "A", user("a"), ("b", AccountKind::from_text("x"))).map(drop).map_err(input), "acTo"),
        (client.subuser_transfers(&SubuserTransfersQuery::new().sub_user("")).map(drop), "subUserId"),
        (client.subuser_transfers(&SubuserTransfersQuery::new().page(0)).map(drop), "page"),
        (client.subuser_transfers(&SubuserTransfersQuery::new().page_size(0)).map(drop), "pageSize"),
        (client.subuser_transfers(&SubuserTransfersQuery::new().page_size(11)).map(drop), "pageSize"),
        (client.subuser_transfers(&SubuserTransfersQuery::new().start_time(2).end_time(1)).map(drop), "endTime"),
        (client.wallet().deposit_addresses("", None).map(drop), "asset"),
        (client.wallet().deposit_addresses("USDT", Some(" ")).map(drop), "blockchain"),
        (client.wallet().transactions(&WalletQuery::new().page(0)).map(drop), "page"),
        (client.wallet().transactions(&WalletQuery::new().page_size(51)).map(drop), "pageSize"),
        (
            client
                .wallet()
                .transactions(&WalletQuery::new().tx_type(bitmax::model::TransactionType::from_text("x")))
                .map(drop),
            "txType",
        ),
        (server.client().account(AccountCategory::Cash).map(drop), "credentials"),
        (server.client().wallet().transactions(&WalletQuery::new()).map(drop), "credentials"),
    ] {
        let error = result.unwrap_err();
        assert!(!error.may_have_executed());
        match error {
            Error::InvalidInput(e) => assert_eq!(e.field(), field, "{e}"),
            other => panic!("{field}: {other:?}"),
        }
    }
    assert_eq!(server.requests().len(), sent);
}

#[test]
fn a_balance_of_which_there_is_no_word_is_none() {
    let server = exchange(|_| Reply::json(r#"{"code":0,"data":[]}"#));
    assert_eq!(account(&server, AccountCategory::Cash).balance("BTC").unwrap(), None);
    assert!(account(&server, AccountCategory::Cash).balances(&BalanceQuery::new()).unwrap().is_empty());
}

#[test]
fn credentials_are_not_sent_on_to_where_a_redirect_points() {
    let other = Server::start(|_| Reply::json(fixture("balance-cash")));
    let target = other.url();
    let server = exchange(move |_| Reply::status(307, &format!("location: {target}/\r\n"), ""));
    let client = with_credentials(&server).build().unwrap();
    assert_eq!(client.fees().unwrap_err().kind(), "redirect");
    let order = NewOrder::market("A/B", Side::Buy, 1).unwrap();
    assert_eq!(client.account(AccountCategory::Cash).unwrap().place(&order).unwrap_err().kind(), "redirect");
    assert_eq!(other.requests(), []);
}

#[test]
fn an_order_whose_answer_is_lost_may_have_been_placed() {
    for reply in
        [Reply::Reset(Vec::new()), Reply::Stall(Vec::new()), Reply::status(502, "", "<html>"), Reply::json("{")]
    {
        let server = exchange(move |_| reply.clone());
        let client: Client = with_credentials(&server).read_timeout(Duration::from_millis(500)).build().unwrap();
        let account = client.account(AccountCategory::Cash).unwrap();
        assert!(account.place(&accept_order()).unwrap_err().may_have_executed());
        assert_eq!(server.requests().len(), 2, "an order is sent once");
    }
}

#[test]
fn a_product_whose_rules_cannot_be_read_is_not_checked() {
    let server = exchange(|request| {
        let mut products: Value = serde_json::from_str(&fixture("products-cash")).unwrap();
        let mut odd = products["data"][0].clone();
        (odd["symbol"], odd["tickSize"]) = (json!("ODD/USDT"), json!({"of": "another form"}));
        products["data"].as_array_mut().unwrap().push(odd);
        match request.path.ends_with("/products") {
            true => Reply::json(products.to_string()),
            false => Reply::json(fixture("place-ack")),
        }
    });
    let cash = account(&server, AccountCategory::Cash);
    let rules = cash.load_rules().unwrap();
    assert!(rules.product("ODD/USDT".parse().unwrap()).is_none());
    let order = |symbol: &str| NewOrder::limit(symbol, Side::Buy, 1, "0.0000000001").unwrap();
    cash.place(&order("ODD/USDT")).unwrap();
    for unknown in ["BTC/USDT", "NO/USDT"] {
        assert_eq!(cash.place(&order(unknown)).unwrap_err().kind(), "invalid-input");
    }
}

#[test]
fn orders_are_checked_against_the_rules_that_were_loaded() {
    let server = exchange(|request| {
        Reply::json(fixture(match request.path.rsplit('/').nth(1) {
            Some("cash" | "margin") if request.path.ends_with("/products") => "products-cash",
            Some("v1") => "products-v1",
            _ if request.path.ends_with("/batch") => "place-batch-ack",
            _ => "place-ack",
        }))
    });
    let client = with_credentials(&server).build().unwrap();
    let cash = client.account(AccountCategory::Cash).unwrap();
    let products: Value = serde_json::from_str(&fixture("products-cash")).unwrap();
    let symbol = products["data"][0]["symbol"].as_str().unwrap();
    let bad = NewOrder::limit(symbol, Side::Buy, 1, "0.0000000001").unwrap();
    cash.place(&bad).unwrap();

    let rules = cash.load_rules().unwrap();
    assert!(rules.product(symbol.parse().unwrap()).is_some());
    let sent = server.requests().len();
    // Also through another handle of the same client, and in a batch.
    let other = client.clone().account(AccountCategory::Cash).unwrap();
    for error in [cash.place(&bad).unwrap_err(), other.place_batch(&[&bad, &bad]).unwrap_err()] {
        assert!(!error.may_have_executed());
        assert!(matches!(&error, Error::InvalidInput(e) if e.field() == "orderPrice"), "{error}");
    }
    assert_eq!(server.requests().len(), sent);
    // Another category has its own.
    let margin = client.account(AccountCategory::Margin).unwrap();
    margin.place(&bad).unwrap();
    let before = server.requests().len();
    margin.load_rules().unwrap();
    let asked: Vec<String> = server.requests()[before..].iter().map(|request| request.path.clone()).collect();
    assert_eq!(asked, ["/api/pro/v1/margin/products", "/api/pro/v1/products"]);
}
