//! The table *Requests* of the stream: orders, balances, open orders, margin risk, order status.

use bitmax::model::AccountCategory;
use bitmax::sandbox::OrderRequest;
use serde_json::{Value, json};

use crate::caller::{Caller, START, SYMBOL, new_id, still, with};
use crate::orders::traders;
use crate::session::Session;
use crate::shape::{assert_refusal, assert_shape, assert_shape_without, dec, list, money, row, sample, texts};

// --- place-order ---

#[test]
fn place_order_is_acknowledged_with_the_id_that_was_known_beforehand() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    for (action, account) in [("place-order", "cash"), ("place-Order", "CASH"), ("place-order", "cash")] {
        let order = trader.limit("buy", "1", "100");
        let answer = session.request(action, account, &order);
        assert_shape(&answer, &sample("ws/place-order-ack"));
        assert_eq!(
            (&answer["action"], &answer["status"], &answer["ac"]),
            (&json!("place-order"), &json!("Ack"), &json!("CASH"))
        );
        let id = order["id"].as_str().unwrap();
        let expected = format!("s{START:011x}{}{}", trader.user.uid(), &id[id.len() - 9..]);
        assert_eq!(answer["info"]["orderId"], expected[..expected.len().min(32)]);
        assert_eq!((&answer["info"]["id"], &answer["info"]["symbol"]), (&order["id"], &json!(SYMBOL)));
        assert_eq!(answer["info"]["orderType"], "Limit");
        row(&trader.open(), "orderId", answer["info"]["orderId"].as_str().unwrap());
    }
    assert_eq!(list(&trader.open()).len(), 3);
}

#[test]
fn place_order_on_margin() {
    let sandbox = still();
    let trader = Caller::first(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    let order = with(trader.limit("buy", "1", "100"), json!({}));
    let answer = session.request("place-order", "margin", &order);
    assert_eq!((&answer["ac"], &answer["status"]), (&json!("MARGIN"), &json!("Ack")), "{answer}");
    assert_eq!(answer["accountId"], trader.user.account_id(AccountCategory::Margin));
    assert_eq!(trader.user.open_orders(AccountCategory::Margin).len(), 1);
}

#[test]
fn a_refused_place_order_has_its_code_in_info() {
    let sandbox = still();
    let (trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    for (fields, codes) in [
        (json!({"orderQty": "999", "orderPrice": "101"}), &[300011][..]),
        (json!({"orderPrice": "100.001"}), &[300014, 300001]),
        (json!({"orderPrice": null}), &[300001, 300008]),
        (json!({"orderQty": "1.0001"}), &[300002]),
        (json!({"orderQty": "0.01"}), &[300004]),
        (json!({"side": "hold"}), &[300003]),
        (json!({"orderType": "iceberg"}), &[300005]),
        (json!({"timeInForce": "GTX"}), &[300007]),
        (json!({"id": "x@fabs"}), &[300006]),
        (json!({"symbol": "NONE/USDT"}), &[300012, 100008]),
        (json!({"orderType": "market"}), &[300031]),
    ] {
        let order = with(trader.limit("buy", "1", "100"), fields);
        let refused = session.request("place-order", "cash", &order);
        assert_shape(&refused, &sample("ws/place-order-err"));
        assert_eq!((&refused["action"], &refused["status"]), (&json!("place-order"), &json!("Err")));
        assert!(codes.contains(&assert_refusal(&refused["info"])), "{order}: {refused}");
        assert_eq!(refused["info"]["id"], order["id"]);
    }
    let stale = with(trader.limit("buy", "1", "100"), json!({"time": START - 31_000}));
    let refused = session.request("place-order", "cash", &stale);
    assert!(refused["status"] == "Err" || refused["m"] == "error", "{refused}");
    assert_eq!(trader.user.open_orders(AccountCategory::Cash).len(), 0);
}

#[test]
fn an_order_of_the_same_id_and_time_is_a_duplicate() {
    let sandbox = still();
    let (trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    let order = trader.limit("buy", "1", "100");
    assert_eq!(session.request("place-order", "cash", &order)["status"], "Ack");
    let again = session.request("place-order", "cash", &order);
    let duplicate = again["status"] == "Err" || again["info"]["errorCode"] == "DupNewCoid";
    assert!(duplicate, "{again}");
    assert_eq!(trader.user.open_orders(AccountCategory::Cash).len(), 1);
}

// --- cancel-order, cancel-all ---

#[test]
fn cancel_order() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    for action in ["cancel-order", "cancel-Order"] {
        let order = trader.limit("buy", "1", "100");
        let id = trader.place_id(&order);
        let cancel = trader.cancelling(&id);
        let answer = session.request(action, "cash", &cancel);
        assert_shape(&answer, &sample("ws/cancel-order-ack"));
        assert_eq!((&answer["action"], &answer["status"]), (&json!("cancel-order"), &json!("Ack")));
        assert_eq!((&answer["info"]["id"], &answer["info"]["orderId"]), (&cancel["id"], &json!(id)));
        assert_eq!(trader.open(), json!([]));
    }
}

#[test]
fn a_refused_cancel_has_its_code_in_info() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    let order = trader.limit("buy", "1", "100");
    let open = trader.place_id(&order);
    let order = trader.limit("buy", "1", "100");
    let gone = trader.place_id(&order);
    trader.cancel(&gone);
    for (cancel, codes) in [
        (with(trader.cancelling(&open), json!({"id": "x@fabs"})), &[300006][..]),
        (trader.cancelling(&gone), &[300006, 300019]),
        (trader.cancelling("a18bcfe568b9U0000000001abcdefghi"), &[300006, 300019]),
    ] {
        let refused = session.request("cancel-order", "cash", &cancel);
        assert_shape_without(&refused, &sample("ws/cancel-order-err"), &["reason"]);
        assert_eq!(refused["action"], "cancel-order");
        assert!(codes.contains(&assert_refusal(&refused["info"])), "{cancel}: {refused}");
        assert_eq!(refused["info"]["id"], cancel["id"]);
    }
    assert_eq!(texts(&trader.open(), "orderId"), [open]);
}

#[test]
fn cancel_all() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    let time_and_id = json!({"time": START, "id": new_id()});
    for (request, left) in [
        (json!({"op": "req", "action": "cancel-all", "account": "cash", "args": time_and_id}), 0),
        (sample("ws-requests/cancel-all"), 0), // no account, nothing in `args`
        (with(sample("ws-requests/cancel-all-symbol"), json!({"args": {"symbol": SYMBOL}})), 0),
        (sample("ws-requests/cancel-all-symbol"), 1), // of BTC/USDT
    ] {
        let order = trader.limit("buy", "1", "100");
        trader.place(&order);
        let answer = session.ask(&request);
        assert_shape_without(&answer, &sample("ws/cancel-all-ack"), &["id"]);
        assert_eq!((&answer["action"], &answer["status"]), (&json!("cancel-all"), &json!("Ack")), "{answer}");
        if let Some(id) = request["args"].get("id") {
            assert_eq!(&answer["info"]["id"], id);
        }
        assert_eq!(list(&trader.open()).len(), left, "{request}");
    }
}

#[test]
fn what_is_done_over_the_stream_is_seen_on_it_and_over_rest() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    session.subscribe("order:cash");
    let order = trader.limit("buy", "1", "100");
    session.send(&json!({"op": "req", "id": "asks1", "action": "place-order", "account": "cash", "args": order}));
    maker.user.open_orders(AccountCategory::Cash);
    let messages = session.so_far();
    let answers: Vec<_> = messages.iter().filter(|message| message.get("action").is_some()).collect();
    let updates: Vec<_> = messages.iter().filter(|message| message["data"]["st"] == "New").collect();
    assert_eq!((answers.len(), updates.len()), (1, 1), "{messages:?}");
    assert_eq!(answers[0]["info"]["orderId"], updates[0]["data"]["orderId"]);
    assert_eq!(trader.open()[0]["orderId"], updates[0]["data"]["orderId"]);
}

// --- Queries ---

#[test]
fn balance() {
    let sandbox = still();
    let (trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    for account in ["cash", "margin"] {
        let answer = session.request("balance", account, &json!({}));
        assert_eq!((&answer["m"], &answer["id"]), (&json!("balance"), &json!("asks1")));
        assert!(answer["data"].is_object() || answer["data"].is_array(), "{answer}");
    }
    let answer = session.request("balance", "cash", &json!({}));
    if let Some(rows) = answer["data"].as_array() {
        let usdt = rows.iter().find(|row| row["asset"] == "USDT" || row["a"] == "USDT").unwrap();
        assert_eq!(money(usdt.get("totalBalance").unwrap_or(&usdt["tb"])), dec("100000"));
    }
}

#[test]
fn open_order() {
    let sandbox = still();
    sandbox.add_product(&bitmax::sandbox::ProductOptions::new("DEF/USDT")).unwrap();
    let (trader, _) = traders(&sandbox);
    for symbol in [SYMBOL, "DEF/USDT", SYMBOL] {
        trader.user.place(&OrderRequest::buy(symbol, 1).limit("100")).unwrap();
    }
    let mut session = Session::authenticated(&trader, false);
    for (args, count) in [
        (json!({"symbols": SYMBOL}), 2),
        (json!({"symbols": "ABC/USDT,DEF/USDT"}), 3),
        (json!({"symbols": "BTC/USDT"}), 0),
        (json!({"symbols": "*"}), 3),
        (json!({}), 3),
    ] {
        let answer = session.request("open-order", "cash", &args);
        assert_shape(&answer, &sample("ws/open-order"));
        assert_eq!(
            (&answer["m"], &answer["id"], &answer["ac"]),
            (&json!("open-order"), &json!("asks1"), &json!("CASH"))
        );
        assert_eq!(list(&answer["data"]).len(), count, "{args}");
        assert!(list(&answer["data"]).iter().all(|order| order["st"] == "New" && money(&order["p"]) == dec("100")));
    }
    assert_eq!(session.request("open-order", "margin", &json!({}))["data"], json!([]));
}

#[test]
fn margin_risk() {
    let sandbox = still();
    let caller = Caller::with_cash(&sandbox, &[]);
    caller.user.fund(AccountCategory::Margin, "USDT", 1000).unwrap();
    caller.user.set_loan("USDT", 300, 2).unwrap();
    let mut session = Session::authenticated(&caller, false);
    let answer = session.ask(&sample("ws-requests/margin-risk"));
    assert_shape(&answer, &sample("ws/margin-risk"));
    assert_eq!((&answer["id"], &answer["ac"]), (&json!("abcefg"), &json!("MARGIN")));
    assert_eq!((money(&answer["data"]["tb"]), money(&answer["data"]["nb"])), (dec("1000"), dec("698")));
    // Whatever these are, they are decimals.
    for field in ["eim", "emm", "clv", "ilv", "alv", "cus", "pts"] {
        money(&answer["data"][field]);
    }
}

#[test]
fn order_status() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    let order = trader.limit("buy", "1", "100");
    let filled = trader.place_id(&order);
    let order = trader.limit("buy", "1", "99");
    let open = trader.place_id(&order);
    let mut session = Session::authenticated(&trader, false);
    let account_id = trader.user.account_id(AccountCategory::Cash);
    for account in ["cash", &account_id] {
        let one = session.request("order-status", account, &json!({"orderId": filled}));
        assert_shape(&with(one.clone(), json!({"data": [one["data"]]})), &sample("ws/order-status"));
        assert_eq!((&one["m"], &one["id"], &one["code"]), (&json!("order-status"), &json!("asks1"), &json!(0)));
        let data = &one["data"];
        assert_eq!((&data["orderId"], &data["st"], &data["a"]), (&json!(filled), &json!("Filled"), &json!(account_id)));
        assert_eq!(["lp", "lq", "ap", "cfq", "cf"].map(|f| money(&data[f])), ["100", "1", "100", "1", "0.1"].map(dec));

        let comma = session.request("order-status", account, &json!({"orderId": format!("{open},")}));
        assert_eq!(texts(&comma["data"], "orderId"), [open.as_str()]);
        let both = session.request("order-status", account, &json!({"orderId": format!("{filled},{open}")}));
        assert_shape(&both, &sample("ws/order-status"));
        assert_eq!(list(&both["data"]).len(), 2);
    }
    let refused = session.request("order-status", "cash", &json!({}));
    assert_refusal(&refused);
    assert_eq!(refused["id"], "asks1");
}

#[test]
fn a_request_for_anothers_account_or_none_is_refused() {
    let sandbox = still();
    let (trader, maker) = traders(&sandbox);
    let foreign = maker.user.account_id(AccountCategory::Cash);
    let mut session = Session::authenticated(&trader, false);
    for account in [foreign.as_str(), "savings"] {
        for (action, args) in [
            ("order-status", json!({"orderId": "x"})),
            ("open-order", json!({})),
            ("balance", json!({})),
            ("place-order", trader.limit("buy", "1", "100")),
        ] {
            let refused = session.request(action, account, &args);
            let code = refused.get("code").or(refused["info"].get("code"));
            assert!(code.is_some_and(|code| *code != 0), "{action} {account}: {refused}");
        }
    }
    assert_eq!(trader.user.open_orders(AccountCategory::Cash).len(), 0);
}

#[test]
fn each_request_gets_exactly_one_answer() {
    let sandbox = still();
    let (trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    for i in 0..50 {
        let (action, args) = match i % 3 {
            0 => ("open-order", json!({})),
            1 => ("balance", json!({})),
            _ => ("market-trades", json!({"symbol": "BTC/USDT", "level": 1})),
        };
        session
            .send(&json!({"op": "req", "id": format!("asks{i}"), "action": action, "account": "cash", "args": args}));
    }
    let mut ids: Vec<String> =
        session.so_far().iter().map(|answer| answer["id"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    let mut expected: Vec<String> = (0..50).map(|i| format!("asks{i}")).collect();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_eq!(session.so_far(), [Value::Null; 0]);
}
