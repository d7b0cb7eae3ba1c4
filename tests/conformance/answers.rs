//! *Answers to place and cancel*, batches, and order ids.

use std::time::Duration;

use bitmax::model::AccountCategory;
use bitmax::sandbox::OrderRequest;
use serde_json::{Value, json};

use crate::caller::{Caller, START, SYMBOL, new_id, still, with};
use crate::orders::traders;
use crate::raw::{Http, wait_until};
use crate::shape::{assert_refusal, assert_shape, assert_sound, dec, list, money, sample, texts};

const ORDER: &str = "/G/api/pro/v1/cash/order";
const BATCH: &str = "/G/api/pro/v1/cash/order/batch";

// --- ACK, ACCEPT, DONE ---

#[test]
fn ack_is_the_default_answer() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    for fields in [json!({}), json!({"respInst": "ACK"})] {
        let order = with(trader.limit("buy", "1", "100"), fields);
        let answer = trader.whole("POST", ORDER, "order", Some(&order));
        assert_shape(&answer, &sample("rest/place-ack"));
        let data = &answer["data"];
        assert_eq!(
            (&data["action"], &data["status"], &data["ac"]),
            (&json!("place-order"), &json!("Ack"), &json!("CASH"))
        );
        assert_eq!(data["accountId"], trader.user.account_id(AccountCategory::Cash));
        let info = &data["info"];
        assert_eq!((&info["id"], &info["orderType"], &info["symbol"]), (&order["id"], &json!("Limit"), &json!(SYMBOL)));
    }
}

#[test]
fn accept_answers_with_the_order_as_the_engine_took_it() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = with(trader.limit("buy", "1", "100"), json!({"respInst": "ACCEPT"}));
    let answer = trader.whole("POST", ORDER, "order", Some(&order));
    assert_shape(&answer, &sample("rest/place-accept"));
    assert_eq!((&answer["data"]["action"], &answer["data"]["status"]), (&json!("place-order"), &json!("ACCEPT")));
    let info = &answer["data"]["info"];
    assert!(["New", "PendingNew"].contains(&info["status"].as_str().unwrap()), "{info}");
    assert_eq!(info["orderId"], trader.open()[0]["orderId"]);
}

#[test]
fn done_answers_with_the_order_as_it_ended_or_was_filled() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    for (quantity, fields, status) in [
        ("1", json!({}), "Filled"),
        ("2", json!({}), "PartiallyFilled"),
        ("2", json!({"timeInForce": "IOC"}), "Canceled"),
    ] {
        maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
        let order = with(with(trader.limit("buy", quantity, "100"), json!({"respInst": "DONE"})), fields);
        let answer = trader.whole("POST", ORDER, "order", Some(&order));
        let mut expected = sample("rest/place-done");
        expected["data"]["info"]["id"].take(); // "sometimes `id`"
        expected["data"]["info"].as_object_mut().unwrap().remove("id");
        assert_shape(&answer, &expected);
        assert_eq!((&answer["data"]["status"], &answer["data"]["info"]["status"]), (&json!("DONE"), &json!(status)));
        trader.user.cancel_all(AccountCategory::Cash);
    }
}

#[test]
fn done_falls_back_to_ack_after_5_seconds() {
    let sandbox = still();
    let (trader, _) = traders(&sandbox);
    let order = with(trader.limit("buy", "1", "100"), json!({"respInst": "DONE"}));
    let headers = trader.headers("order");
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut http = Http::connect(sandbox.port());
    http.send("POST", &trader.path(ORDER), &headers, &order.to_string());
    wait_until("the order shows", || !trader.user.open_orders(AccountCategory::Cash).is_empty());
    sandbox.advance(Duration::from_millis(4_999));
    assert!(http.is_silent());
    sandbox.advance(Duration::from_millis(1));
    let answer = http.answer().json();
    assert_sound(&answer);
    assert_shape(&answer, &sample("rest/place-ack"));
    assert_eq!(answer["data"]["status"], "Ack");
}

// --- Cancel ---

#[test]
fn cancel_takes_an_order_out_of_the_book() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "1", "100");
    let id = trader.place_id(&order);
    let cancel = trader.cancelling(&id);
    let answer = trader.whole("DELETE", ORDER, "order", Some(&cancel));
    assert_shape(&answer, &sample("rest/cancel-ack"));
    let data = &answer["data"];
    assert_eq!((&data["action"], &data["status"]), (&json!("cancel-order"), &json!("Ack")));
    assert_eq!((&data["info"]["orderId"], &data["info"]["symbol"]), (&json!(id), &json!(SYMBOL)));
    assert_eq!(data["info"]["id"], cancel["id"]);
    assert_eq!(trader.open(), json!([]));
    assert_eq!(trader.status(&id)["status"], "Canceled");
    assert_eq!(trader.cash("USDT").1, dec("100000"));
}

#[test]
fn cancel_needs_order_symbol_and_time_but_no_id() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "1", "100");
    let id = trader.place_id(&order);
    for missing in ["orderId", "symbol", "time"] {
        let body = with(trader.cancelling(&id), json!({missing: null}));
        trader.refused("DELETE", ORDER, "order", Some(&body));
    }
    assert_eq!(list(&trader.open()).len(), 1);
    let body = with(trader.cancelling(&id), json!({"id": null}));
    trader.data("DELETE", ORDER, "order", Some(&body));
    assert_eq!(trader.open(), json!([]));
}

#[test]
fn a_cancel_of_what_is_not_open_is_300019() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let order = trader.limit("buy", "1", "100");
    let cancelled = trader.place_id(&order);
    trader.cancel(&cancelled);
    let order = trader.limit("buy", "1", "100");
    let filled = trader.place_id(&order);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    for id in [cancelled, filled] {
        let body = trader.cancelling(&id);
        let refused = trader.refused("DELETE", ORDER, "order", Some(&body));
        assert_eq!(refused["code"], 300019, "{refused}");
        assert_eq!((&refused["action"], &refused["status"]), (&json!("cancel-order"), &json!("Err")));
    }
}

#[test]
fn a_cancel_of_an_unknown_order_or_anothers_is_refused() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let foreign = maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap().to_string();
    for id in [foreign.as_str(), "a18bcfe568b9U0000000001abcdefghi", "x", ""] {
        let body = trader.cancelling(id);
        trader.refused("DELETE", ORDER, "order", Some(&body));
    }
    assert_eq!(maker.user.open_orders(AccountCategory::Cash).len(), 1);
}

#[test]
fn a_cancel_with_a_bad_id_is_300006() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "1", "100");
    let id = trader.place_id(&order);
    let body = with(trader.cancelling(&id), json!({"id": "jHAfoOqZmRv3GP1URJ5624moJ9RCG2@3"}));
    let refused = trader.refused("DELETE", ORDER, "order", Some(&body));
    assert_shape(&refused, &sample("rest/cancel-err"));
    assert_eq!((&refused["code"], &refused["info"]["id"]), (&json!(300006), &body["id"]));
    assert_eq!(list(&trader.open()).len(), 1);
}

#[test]
fn cancel_all_of_a_symbol_or_of_the_account() {
    let sandbox = still();
    sandbox.add_product(&bitmax::sandbox::ProductOptions::new("DEF/USDT")).unwrap();
    let (mut trader, _) = traders(&sandbox);
    let path = format!("{ORDER}/all");
    let place = |trader: &mut Caller| {
        for symbol in [SYMBOL, "DEF/USDT", SYMBOL] {
            let order = with(trader.limit("buy", "1", "100"), json!({"symbol": symbol}));
            trader.place(&order);
        }
    };
    for (body, left) in [
        (json!({"symbol": SYMBOL}), 1),
        (json!({}), 0),
        (json!({"symbol": SYMBOL, "time": START, "id": new_id()}), 1), // as other clients send
        (json!({"time": START}), 0),
    ] {
        place(&mut trader);
        let answer = trader.whole("DELETE", &path, "order/all", Some(&body));
        assert_shape(&answer, &sample("rest/cancel-all-ack"));
        assert_eq!((&answer["data"]["action"], &answer["data"]["status"]), (&json!("cancel-all"), &json!("Ack")));
        let open = trader.open();
        assert!(list(&open).len() >= left && texts(&open, "symbol").iter().all(|s| *s == "DEF/USDT"), "{body}");
        assert!(left > 0 || open == json!([]), "{body}");
    }
    trader.refused("DELETE", &path, "order/all", Some(&json!({"symbol": "NONE/USDT"})));
}

#[test]
fn cancel_all_leaves_other_accounts_alone() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    trader.user.fund(AccountCategory::Margin, "USDT", 1000).unwrap();
    trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("50").margin()).unwrap();
    trader.data("DELETE", &format!("{ORDER}/all"), "order/all", Some(&json!({})));
    assert_eq!(trader.user.open_orders(AccountCategory::Margin).len(), 1);
    assert_eq!(maker.user.open_orders(AccountCategory::Cash).len(), 1);
}

// --- Batches ---

fn batch(orders: &[Value]) -> Value {
    json!({"orders": orders})
}

#[test]
fn a_batch_places_all_its_orders() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let orders: Vec<Value> = (0..10)
        .map(|i| {
            let order = trader.limit("buy", "1", &format!("10{i}"));
            with(order, json!({"account-group": 0, "account-category": "cash"})) // as other clients send
        })
        .collect();
    let answer = trader.whole("POST", BATCH, "order/batch", Some(&batch(&orders)));
    assert_shape(&answer, &sample("rest/place-batch-ack"));
    assert_eq!((&answer["data"]["action"], &answer["data"]["status"]), (&json!("batch-place-order"), &json!("Ack")));
    let mut acknowledged = texts(&answer["data"]["info"], "id");
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, texts(&json!(orders), "id"));
    let open = trader.open();
    for info in list(&answer["data"]["info"]) {
        crate::shape::row(&open, "orderId", info["orderId"].as_str().unwrap());
    }
    assert_eq!(list(&open).len(), 10);
}

#[test]
fn one_invalid_order_fails_the_whole_batch() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let orders = [trader.limit("buy", "0.01", "100"), trader.limit("buy", "1", "100")];
    let answer = trader.answer("POST", BATCH, "order/batch", Some(&batch(&orders)));
    let refused = answer.json();
    assert_shape(&refused, &sample("rest/place-batch-err"));
    assert_eq!((&refused["code"], &refused["reason"]), (&json!(300013), &json!("INVALID_BATCH_ORDER")));
    assert_eq!((&refused["action"], &refused["status"]), (&json!("batch-place-order"), &json!("Err")));
    for (order, code) in orders.iter().zip([300004, 300013]) {
        let info = crate::shape::row(&refused["info"], "id", order["id"].as_str().unwrap());
        assert_eq!(assert_refusal(info), code, "{info}");
        assert_eq!(info["symbol"], SYMBOL);
    }
    assert_eq!(trader.open(), json!([]));
}

#[test]
fn a_batch_is_at_most_10_orders() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let orders: Vec<Value> = (0..11).map(|_| trader.limit("buy", "1", "100")).collect();
    let refused = trader.refused("POST", BATCH, "order/batch", Some(&batch(&orders)));
    assert_eq!(refused["code"], 300013, "{refused}");
    assert_eq!(trader.open(), json!([]));
    for body in [json!({}), json!({"orders": {}}), json!({"orders": [17]}), json!({"orders": [null]})] {
        trader.refused("POST", BATCH, "order/batch", Some(&body));
    }
}

#[test]
fn a_batch_cannot_hold_one_order_twice() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "1", "100");
    trader.answer("POST", BATCH, "order/batch", Some(&batch(&[order.clone(), order])));
    assert!(list(&trader.open()).len() <= 1);
}

#[test]
fn a_batch_together_must_be_covered_by_the_balance() {
    let sandbox = still();
    let mut trader = Caller::with_cash(&sandbox, &[("USDT", "150.15")]);
    let orders = [trader.limit("buy", "1", "100"), trader.limit("buy", "1", "100")];
    let answer = trader.answer("POST", BATCH, "order/batch", Some(&batch(&orders))).json();
    // Whether the sum is checked beforehand is not said; no more than the balance can be held.
    assert!(answer["code"] != 0 || list(&trader.open()).len() == 1, "{answer}");
    assert!(trader.cash("USDT").1 >= dec("0"));
}

#[test]
fn a_batch_cancels_all_its_orders() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let orders = [trader.limit("buy", "1", "100"), trader.limit("buy", "2", "100")];
    let ids = orders.map(|order| trader.place_id(&order));
    let cancels: Vec<Value> = ids.iter().map(|id| with(trader.cancelling(id), json!({"account-group": 0}))).collect();
    let answer = trader.whole("DELETE", BATCH, "order/batch", Some(&batch(&cancels)));
    assert_shape(&answer, &sample("rest/cancel-batch-ack"));
    assert_eq!((&answer["data"]["action"], &answer["data"]["status"]), (&json!("batch-cancel-order"), &json!("Ack")));
    let mut acknowledged = texts(&answer["data"]["info"], "orderId");
    acknowledged.sort_unstable();
    let mut expected = ids.each_ref().map(String::as_str);
    expected.sort_unstable();
    assert_eq!(acknowledged, expected);
    assert_eq!(trader.open(), json!([]));
}

#[test]
fn one_refused_item_fails_a_whole_batch_of_cancels() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let orders = [trader.limit("buy", "1", "100"), trader.limit("buy", "2", "100")];
    let [gone, open] = orders.map(|order| trader.place_id(&order));
    trader.cancel(&gone);
    let cancels = [trader.cancelling(&open), trader.cancelling(&gone)];
    let refused = trader.refused("DELETE", BATCH, "order/batch", Some(&batch(&cancels)));
    assert_shape(&refused, &sample("rest/cancel-batch-err"));
    assert_eq!(refused["code"], 300013);
    let code = assert_refusal(crate::shape::row(&refused["info"], "orderId", &gone));
    assert!([300006, 300019].contains(&code), "{refused}");
    assert_eq!(texts(&trader.open(), "orderId"), [open]);
}

// --- Order ids ---

/// The id that the reference says an order will have.
fn foretold(source: char, time: u64, uid: &str, id: &str) -> String {
    let hex = format!("{time:x}");
    let tail = |text: &str, n: usize| text[text.len().saturating_sub(n)..].to_owned();
    let id = format!("{source}{}{}{}", tail(&hex, 11), tail(uid, 11), tail(id, 9));
    id[..id.len().min(32)].to_owned()
}

#[test]
fn the_rule_gives_the_ids_of_the_reference() {
    assert_eq!(
        foretold('a', 1575646506746, "U9490877774", "ROunD0hpprO2KEgkVK30FOIpPK3zuGGh"),
        "a16edbd9aefaU9490877774pPK3zuGGh"
    );
    assert_eq!(
        foretold('s', 1576015687614, "0866943712", "17e1f6809122469589ffc991523b505d"),
        "s16ef1daefbe08669437121523b505d"
    );
    assert!(foretold('a', 1586435683655, "U5843449924", "abcdefghi").starts_with("a1715eef7547U5843449924"));
}

#[test]
fn an_orders_id_is_known_beforehand() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let uid = trader.get("/api/pro/v1/info", "info")["userUID"].as_str().unwrap().to_owned();
    for (id, time) in [
        ("abcdefghi", START),
        ("0123456789abcdefABCDEF0123456789", START - 1),
        ("lettersAndDigits99", START + 1),
        ("UPPERlower123", START - 29_000),
    ] {
        let order = with(trader.limit("buy", "1", "100"), json!({"id": id, "time": time}));
        assert_eq!(trader.place_id(&order), foretold('a', time, &uid, id), "{id}");
    }
}

#[test]
fn a_batchs_ids_are_known_beforehand() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let uid = trader.user.uid();
    let orders = [trader.limit("buy", "1", "100"), trader.limit("buy", "1", "100")];
    let answer = trader.data("POST", BATCH, "order/batch", Some(&batch(&orders)));
    for order in &orders {
        let id = order["id"].as_str().unwrap();
        let info = crate::shape::row(&answer["info"], "id", id);
        assert_eq!(info["orderId"], foretold('a', START, &uid, id));
    }
}

#[test]
fn a_short_id_is_echoed_but_not_used() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = with(trader.limit("buy", "1", "100"), json!({"id": "abcdefgh"}));
    let info = trader.place(&order)["info"].take();
    assert_eq!(info["id"], "abcdefgh");
    assert!(!info["orderId"].as_str().unwrap().contains("abcdefgh"), "{info}");
    let order = with(trader.limit("buy", "1", "100"), json!({"id": "abcdefgh"}));
    let info = trader.place(&order)["info"].take();
    assert_eq!(info["id"], "abcdefgh", "what is not used cannot collide");
}

#[test]
fn without_an_id_the_server_fills_the_tail_itself() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = with(trader.limit("buy", "1", "100"), json!({"id": null}));
    let ids = [trader.place_id(&order), trader.place_id(&order)];
    assert_ne!(ids[0], ids[1]);
    let head = foretold('a', START, &trader.user.uid(), "");
    assert!(ids.iter().all(|id| id.starts_with(&head) && id.len() <= 32), "{ids:?}");
}

/// A refusal of a duplicate, in either of the two forms of the reference.
#[track_caller]
fn assert_duplicate(trader: &mut Caller, order: &Value) {
    let answer = trader.answer("POST", ORDER, "order", Some(order)).json();
    if answer["code"] == 0 {
        assert_eq!(answer["data"]["info"]["errorCode"], "DupNewCoid", "{answer}");
    } else {
        assert_refusal(&answer);
        assert!(answer.to_string().contains("DupNewCoid") || answer["code"] == 300006, "{answer}");
    }
}

#[test]
fn an_order_of_the_same_id_and_time_is_a_duplicate() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "1", "100");
    let id = trader.place_id(&order);
    assert_duplicate(&mut trader, &order);
    for respond in ["ACCEPT", "DONE"] {
        assert_duplicate(&mut trader, &with(order.clone(), json!({"respInst": respond})));
    }
    assert_eq!(texts(&trader.open(), "orderId"), [id.as_str()]);
    trader.cancel(&id);
    assert_duplicate(&mut trader, &order);
    assert_eq!(trader.open(), json!([]));
}

#[test]
fn orders_of_one_millisecond_with_the_same_last_nine_characters_collide() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let [first, second] =
        ["one123456789", "two123456789"].map(|id| with(trader.limit("buy", "1", "100"), json!({"id": id})));
    trader.place(&first);
    assert_duplicate(&mut trader, &second);
    trader.place(&with(second, json!({"time": START + 1})));
    assert_eq!(list(&trader.open()).len(), 2);
}

#[test]
fn orders_of_another_origin_have_ids_that_begin_with_r_or_no_letter() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("100")).unwrap();
    let open = trader.open();
    let id = open[0]["orderId"].as_str().unwrap();
    assert!(id.starts_with('r') || id.starts_with(|c: char| c.is_ascii_digit()), "{id}");
    assert_eq!(money(&trader.status(id)["orderQty"]), dec("1"));
}
