//! The private channel of the stream: order updates, balance updates, and the ready mode.

use bitmax::model::AccountCategory;
use bitmax::sandbox::{OrderRequest, ProductOptions, Sandbox};
use serde_json::{Value, json};

use crate::caller::{Caller, SYMBOL, still, with};
use crate::orders::traders;
use crate::session::{Session, of_kind};
use crate::shape::{assert_refusal, assert_shape, assert_shape_without, dec, money, sample};

/// The order updates among these messages: of the order channel, not answers to requests.
fn updates(messages: &[Value]) -> Vec<&Value> {
    of_kind(messages, "order").into_iter().filter(|message| message.get("action").is_none()).collect()
}

fn states(messages: &[Value]) -> Vec<&str> {
    updates(messages).iter().map(|message| message["data"]["st"].as_str().unwrap()).collect()
}

/// A caller, the counterparty, and the caller's session with its cash orders subscribed.
fn watching(sandbox: &Sandbox, ready: bool) -> (Caller<'_>, Caller<'_>, Session) {
    let (trader, maker) = traders(sandbox);
    let mut session = Session::authenticated(&trader, ready);
    session.subscribe("order:cash");
    session.so_far();
    (trader, maker, session)
}

// --- Subscribing ---

#[test]
fn every_form_of_the_order_channel() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let [cash_id, margin_id] =
        [AccountCategory::Cash, AccountCategory::Margin].map(|category| trader.user.account_id(category));
    for channel in [
        "order:cash".to_owned(),
        "order:CASH".to_owned(),
        format!("order:{cash_id}"),
        format!("order:cash:{SYMBOL}"),
        format!("order:{cash_id}:{SYMBOL}"),
    ] {
        let mut session = Session::authenticated(&trader, false);
        session.send(&json!({"op": "sub", "id": "abc123", "ch": channel}));
        let ack = session.until(|message| message["m"] == "sub" || message["m"] == "error");
        assert_eq!(
            (&ack["m"], &ack["code"], &ack["id"]),
            (&json!("sub"), &json!(0), &json!("abc123")),
            "{channel}: {ack}"
        );
        let told = ack["ch"].as_str().unwrap();
        assert!(
            told.eq_ignore_ascii_case(&channel) || told.starts_with(&format!("order:{cash_id}")),
            "{channel}: {ack}"
        );
        let order = trader.limit("buy", "1", "100");
        let id = trader.place_id(&order);
        let messages = session.so_far();
        assert_eq!(updates(&messages).len(), 1, "{channel}: {messages:?}");
        assert_eq!((&messages[0]["data"]["orderId"], &messages[0]["accountId"]), (&json!(id), &json!(cash_id)));
    }
    let mut session = Session::authenticated(&trader, false);
    session.subscribe("order:margin");
    let order = trader.limit("buy", "1", "100");
    trader.place(&order);
    assert_eq!(updates(&session.so_far()), [&Value::Null; 0], "not of cash");
    trader.user.fund(AccountCategory::Margin, "USDT", 1000).unwrap();
    trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("100").margin()).unwrap();
    let messages = session.so_far();
    assert_eq!(
        (&updates(&messages)[0]["ac"], &updates(&messages)[0]["accountId"]),
        (&json!("MARGIN"), &json!(margin_id))
    );
}

#[test]
fn with_a_symbol_only_its_orders() {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("DEF/USDT")).unwrap();
    let (mut trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    session.subscribe("order:cash:DEF/USDT");
    for symbol in [SYMBOL, "DEF/USDT"] {
        let order = with(trader.limit("buy", "1", "100"), json!({"symbol": symbol}));
        trader.place(&order);
    }
    let messages = session.so_far();
    let symbols: Vec<&Value> = updates(&messages).into_iter().map(|message| &message["data"]["s"]).collect();
    assert_eq!(symbols, ["DEF/USDT"]);
}

#[test]
fn anothers_account_cannot_be_watched() {
    let sandbox = still();
    let (trader, maker) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    let foreign = maker.user.account_id(AccountCategory::Cash);
    for channel in [format!("order:{foreign}"), "order:savings".to_owned(), "order:cash:NONE/USDT".to_owned()] {
        let refused = session.ask(&json!({"op": "sub", "id": "abc123", "ch": channel}));
        assert!(refused["m"] == "sub" || refused["m"] == "error", "{refused}");
        assert_refusal(&refused);
    }
    session.subscribe("order:cash");
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    assert_eq!(session.so_far(), [Value::Null; 0]);
}

// --- Order updates ---

#[test]
fn an_order_is_told_from_new_to_its_end() {
    let sandbox = still();
    let (mut trader, maker, mut session) = watching(&sandbox, false);
    let order = trader.limit("buy", "3", "100");
    let id = trader.place_id(&order);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    maker.user.place(&OrderRequest::sell(SYMBOL, 2).limit("99")).unwrap();
    let messages = session.so_far();
    assert_eq!(states(&messages), ["New", "PartiallyFilled", "Filled"]);
    for (message, (filled, fee, base, quote)) in updates(&messages).into_iter().zip([
        ("0", "0", ("1000", "1000"), ("100000", "99699.7")),
        ("1", "0.1", ("1001", "1001"), ("99899.9", "99699.7")),
        ("3", "0.3", ("1003", "1003"), ("99699.7", "99699.7")),
    ]) {
        assert_shape(message, &sample("ws/order"));
        assert_eq!(
            (&message["ac"], &message["accountId"]),
            (&json!("CASH"), &json!(trader.user.account_id(AccountCategory::Cash)))
        );
        let data = &message["data"];
        assert_eq!(
            (&data["orderId"], &data["s"], &data["ot"], &data["sd"]),
            (&json!(id), &json!(SYMBOL), &json!("Limit"), &json!("Buy"))
        );
        assert_eq!((money(&data["p"]), money(&data["q"]), &data["fa"]), (dec("100"), dec("3"), &json!("USDT")));
        assert_eq!((money(&data["cfq"]), money(&data["cf"])), (dec(filled), dec(fee)), "{data}");
        assert_eq!((money(&data["btb"]), money(&data["bab"])), (dec(base.0), dec(base.1)), "{data}");
        assert_eq!((money(&data["qtb"]), money(&data["qab"])), (dec(quote.0), dec(quote.1)), "{data}");
    }
    let numbers: Vec<u64> = updates(&messages).iter().map(|m| m["data"]["sn"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
    assert_eq!(trader.status(&id)["seqNum"], *numbers.last().unwrap(), "the same numbers as over REST");
    assert_eq!(of_kind(&messages, "balance"), [&Value::Null; 0], "an order's changes come with its updates");
}

#[test]
fn a_cancelled_order_frees_its_balance() {
    let sandbox = still();
    let (mut trader, _, mut session) = watching(&sandbox, false);
    let order = trader.limit("sell", "5", "110");
    let id = trader.place_id(&order);
    trader.cancel(&id);
    let messages = session.so_far();
    assert_eq!(states(&messages), ["New", "Canceled"]);
    let [new, canceled] = updates(&messages)[..] else { panic!() };
    assert_shape(canceled, &sample("ws/order-canceled"));
    assert_eq!((money(&new["data"]["btb"]), money(&new["data"]["bab"])), (dec("1000"), dec("995")));
    assert_eq!((money(&canceled["data"]["btb"]), money(&canceled["data"]["bab"])), (dec("1000"), dec("1000")));
}

#[test]
fn orders_that_do_not_rest_are_told_with_their_end() {
    let sandbox = still();
    let (mut trader, maker, mut session) = watching(&sandbox, false);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    for (order, last, filled) in [
        (with(trader.limit("buy", "1", "100"), json!({"postOnly": true})), "Rejected", "0"),
        (with(trader.limit("buy", "2", "100"), json!({"timeInForce": "FOK"})), "Canceled", "0"),
        (with(trader.limit("buy", "2", "100"), json!({"timeInForce": "IOC"})), "Canceled", "1"),
    ] {
        let answer = trader.answer("POST", "/G/api/pro/v1/cash/order", "order", Some(&order)).json();
        let messages = session.so_far();
        if answer["code"] != 0 {
            assert_refusal(&answer); // refused at once: nothing to tell
            assert_eq!(last, "Rejected");
            continue;
        }
        let end = &updates(&messages).last().unwrap()["data"];
        assert!(end["st"] == last || last == "Canceled" && filled == "0" && end["st"] == "Rejected", "{end}");
        assert_eq!(money(&end["cfq"]), dec(filled));
        if end["ei"].as_str().unwrap().eq_ignore_ascii_case("post") {
            assert_eq!(end["err"], "PostOnlyWouldTake");
        }
    }
}

#[test]
fn a_stop_orders_update_says_its_stop_price() {
    let sandbox = still();
    let (mut trader, _, mut session) = watching(&sandbox, false);
    let stop = trader.order(
        json!({"orderType": "stop_limit", "side": "sell", "orderQty": "1", "stopPrice": "90", "orderPrice": "89"}),
    );
    let id = trader.place_id(&stop);
    trader.cancel(&id);
    let messages = session.so_far();
    let last = updates(&messages).last().copied().unwrap();
    assert_eq!((&last["data"]["st"], &last["data"]["ot"]), (&json!("Canceled"), &json!("StopLimit")));
    assert_eq!(money(&last["data"]["sp"]), dec("90"));
}

#[test]
fn every_session_of_the_account_is_told() {
    let sandbox = still();
    let (mut trader, _, mut session) = watching(&sandbox, false);
    let mut second = Session::authenticated(&trader, false);
    second.subscribe("order:cash");
    let order = trader.limit("buy", "1", "100");
    trader.place(&order);
    let both = [session.so_far(), second.so_far()];
    assert_eq!(states(&both[0]), ["New"]);
    assert_eq!(both[0], both[1]);
}

// --- Balance updates ---

#[test]
fn deposits_and_transfers_are_told_as_balances() {
    let sandbox = still();
    let (mut trader, _, mut session) = watching(&sandbox, false);
    session.subscribe("order:margin");
    session.so_far();
    trader.user.fund(AccountCategory::Cash, "BTC", 3).unwrap();
    let messages = session.so_far();
    let [deposit] = &of_kind(&messages, "balance")[..] else { panic!("{messages:?}") };
    assert_shape(deposit, &sample("ws/balance-cash"));
    assert_eq!((&deposit["ac"], &deposit["data"]["a"]), (&json!("CASH"), &json!("BTC")));
    assert_eq!((money(&deposit["data"]["tb"]), money(&deposit["data"]["ab"])), (dec("3"), dec("3")));

    trader.user.set_loan("BTC", 2, "0.5").unwrap();
    session.so_far();
    let transfer = json!({"amount": "1", "asset": "BTC", "fromAccount": "cash", "toAccount": "margin"});
    trader.whole("POST", "/G/api/pro/v1/transfer", "transfer", Some(&transfer));
    let messages = session.so_far();
    let of = |ac: &str| of_kind(&messages, "balance").into_iter().find(|m| m["ac"] == ac).unwrap();
    assert_eq!(money(&of("CASH")["data"]["tb"]), dec("2"));
    assert_shape(of("MARGIN"), &sample("ws/balance-margin"));
    let data = &of("MARGIN")["data"];
    assert_eq!(["tb", "ab", "brw", "int"].map(|field| money(&data[field])), ["1", "1", "2", "0.5"].map(dec));
    assert_eq!(of("MARGIN")["accountId"], trader.user.account_id(AccountCategory::Margin));
    assert_eq!(updates(&messages), [&Value::Null; 0]);
}

#[test]
fn unsub_ends_orders_and_balances() {
    for form in ["order:cash", "order:CASH", "order", "order:*"] {
        let sandbox = still();
        let (mut trader, _, mut session) = watching(&sandbox, false);
        session.unsubscribe(form);
        let order = trader.limit("buy", "1", "100");
        trader.place(&order);
        trader.user.fund(AccountCategory::Cash, "BTC", 3).unwrap();
        assert_eq!(session.so_far(), [Value::Null; 0], "{form}");
    }
}

// --- The ready mode ---

#[test]
fn in_the_ready_mode_an_order_that_rests_is_ready() {
    let sandbox = still();
    let (mut trader, maker, mut session) = watching(&sandbox, true);
    let order = with(trader.limit("buy", "2", "100"), json!({"postOnly": true}));
    let id = trader.place_id(&order);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    trader.cancel(&id);
    let messages = session.so_far();
    assert_eq!(states(&messages), ["Ready", "PartiallyFilled", "Canceled"]);
    assert_shape(updates(&messages)[0], &sample("ws/order-ready-post-only"));
    assert!(updates(&messages)[0]["data"]["ei"].as_str().unwrap().eq_ignore_ascii_case("post"));
}

#[test]
fn in_the_ready_mode_the_first_message_can_be_the_last() {
    let sandbox = still();
    let (mut trader, maker, mut session) = watching(&sandbox, true);
    maker.user.place(&OrderRequest::sell(SYMBOL, 1).limit("100")).unwrap();
    for (order, expected) in [
        (trader.limit("buy", "1", "100"), &["Filled"][..]),
        (with(trader.limit("buy", "1", "100"), json!({"timeInForce": "IOC"})), &["Canceled"]),
        (trader.limit("buy", "1", "100"), &["Ready"]),
        (
            with(
                trader.order(json!({"orderType": "limit"})),
                json!({"side": "sell", "orderQty": "1", "orderPrice": "100",
            "postOnly": true}),
            ),
            &["Rejected"],
        ),
    ] {
        let taken = trader.answer("POST", "/G/api/pro/v1/cash/order", "order", Some(&order)).json()["code"] == 0;
        assert!(taken || expected == ["Rejected"], "{order}");
        assert!(!taken || states(&session.so_far()) == expected, "{order}");
    }
}

#[test]
fn the_ready_mode_is_of_a_session_not_of_the_account() {
    let sandbox = still();
    let (mut trader, _, mut ready) = watching(&sandbox, true);
    let mut plain = Session::authenticated(&trader, false);
    plain.subscribe("order:cash");
    let order = trader.limit("buy", "1", "100");
    trader.place(&order);
    assert_eq!((states(&ready.so_far()), states(&plain.so_far())), (vec!["Ready"], vec!["New"]));
}

#[test]
fn in_the_ready_mode_a_failed_cancel_is_told_on_the_order_channel() {
    let sandbox = still();
    let (mut trader, _, mut session) = watching(&sandbox, true);
    let order = trader.limit("buy", "1", "100");
    let id = trader.place_id(&order);
    trader.cancel(&id);
    session.so_far();
    let cancel = trader.cancelling(&id);
    session.send(&json!({"op": "req", "id": "asks1", "action": "cancel-order", "account": "cash", "args": cancel}));
    let messages = session.so_far();
    let [rejected] = &updates(&messages)[..] else { panic!("{messages:?}") };
    // The time, the type and such are those of a refusal: no prices, no balances.
    assert_shape_without(rejected, &sample("ws/order-cancel-reject"), &["text"]);
    let data = &rejected["data"];
    assert_eq!((&data["st"], &data["err"]), (&json!("Rejected"), &json!("OrderCancelReject")));
    assert_eq!((&data["origOrderId"], data["text"].is_string()), (&json!(id), true));
    for field in ["p", "ap", "btb", "bab", "qtb", "qab"] {
        assert!(data.get(field).is_none(), "{data}");
    }
}
