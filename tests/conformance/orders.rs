//! The table *Orders*: the types of orders, the order criteria, and what becomes of orders in the book.

use bitmax::Decimal;
use bitmax::sandbox::{Commission, OrderRequest, ProductOptions, Sandbox};
use serde_json::{Value, json};

use crate::caller::{Caller, START, SYMBOL, new_id, still, with};
use crate::shape::{assert_refusal, assert_shape, dec, list, money, sample, texts};

/// A trader with plenty of both assets of [`SYMBOL`], and another whose orders are placed without a socket.
pub(crate) fn traders(sandbox: &Sandbox) -> (Caller<'_>, Caller<'_>) {
    let funds = [("USDT", "100000"), ("ABC", "1000")];
    (Caller::with_cash(sandbox, &funds), Caller::with_cash(sandbox, &funds))
}

fn maker_sells(maker: &Caller, quantity: &str, price: &str) {
    maker.user.place(&OrderRequest::sell(SYMBOL, quantity).limit(price)).unwrap();
}

fn maker_buys(maker: &Caller, quantity: &str, price: &str) {
    maker.user.place(&OrderRequest::buy(SYMBOL, quantity).limit(price)).unwrap();
}

/// The order's row once it has left the matching engine.
#[track_caller]
fn assert_order(row: &Value, status: &str, filled: &str, average: &str) {
    assert_eq!(row["status"], status, "{row}");
    assert_eq!((money(&row["cumFilledQty"]), money(&row["avgPx"])), (dec(filled), dec(average)), "{row}");
}

// --- Orders of each type ---

#[test]
fn a_limit_order_rests_and_shows_in_open_orders() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "1.5", "100.25");
    let id = trader.place_id(&order);
    let open = trader.whole("GET", "/G/api/pro/v1/cash/order/open", "order/open", None);
    assert_shape(&open, &sample("rest/open-orders"));
    assert_eq!(list(&open["data"]).len(), 1);
    let row = &open["data"][0];
    assert_eq!(
        (&row["orderId"], &row["symbol"], &row["orderType"], &row["side"], &row["status"]),
        (&json!(id), &json!(SYMBOL), &json!("Limit"), &json!("Buy"), &json!("New"))
    );
    assert_eq!((money(&row["price"]), money(&row["orderQty"])), (dec("100.25"), dec("1.5")));
    assert_eq!((money(&row["cumFilledQty"]), money(&row["cumFee"])), (Decimal::ZERO, Decimal::ZERO));
    assert_eq!(row["execInst"], "NULL_VAL");
    assert_eq!(row["lastExecTime"], START);
}

#[test]
fn a_market_order_takes_what_there_is_at_the_best_prices() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker_sells(&maker, "1", "101");
    maker_sells(&maker, "3", "100");
    let order = trader.order(json!({"orderType": "market", "side": "buy", "orderQty": "4", "respInst": "DONE"}));
    let done = trader.place(&order);
    assert_order(&done["info"], "Filled", "4", "100.25");
    assert_eq!(done["info"]["orderType"], "Market");

    maker_buys(&maker, "2", "99");
    let order = trader.order(json!({"orderType": "market", "side": "sell", "orderQty": "2", "timeInForce": "GTC"}));
    let id = trader.place_id(&order);
    assert_order(&trader.status(&id), "Filled", "2", "99");
}

#[test]
fn a_market_order_never_rests_nor_costs_more_than_there_is() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let mut poor = Caller::with_cash(&sandbox, &[("USDT", "50")]);
    maker_sells(&maker, "1", "100");
    let order = poor.order(json!({"orderType": "market", "side": "buy", "orderQty": "1"}));
    poor.answer("POST", "/G/api/pro/v1/cash/order", "order", Some(&order));
    assert_eq!(poor.open(), json!([]));
    assert!(poor.cash("USDT").1 >= Decimal::ZERO);
    assert!(poor.cash("ABC").0 < dec("0.5"), "no more than 50 buy");

    let left = dec("1") - poor.cash("ABC").0;
    let order = trader.order(json!({"orderType": "market", "side": "buy", "orderQty": "3"}));
    let id = trader.place_id(&order);
    assert_order(&trader.status(&id), "Canceled", &left.to_string(), "100");
    assert_eq!(trader.open(), json!([]));
}

#[test]
fn price_comes_before_time_and_time_before_the_rest() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let third = Caller::with_cash(&sandbox, &[("ABC", "10")]);
    maker_sells(&maker, "1", "101");
    maker_sells(&maker, "1", "100");
    maker_sells(&third, "1", "100");
    let order = trader.limit("buy", "1.5", "101");
    let id = trader.place_id(&order);
    assert_order(&trader.status(&id), "Filled", "1.5", "100");
    let mut maker = Caller::of(&sandbox, maker.user);
    let open = maker.open();
    assert_eq!(list(&open).len(), 1, "the first at the better price is gone, the worse price is untouched");
    assert_eq!((money(&open[0]["price"]), &open[0]["status"]), (dec("101"), &json!("New")));
    let mut third = Caller::of(&sandbox, third.user);
    assert_order(&third.open()[0], "PartiallyFilled", "0.5", "100");
}

#[test]
fn a_limit_order_is_filled_in_parts() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    let order = trader.limit("buy", "3", "100");
    let id = trader.place_id(&order);
    maker_sells(&maker, "1", "100");
    assert_order(&trader.status(&id), "PartiallyFilled", "1", "100");
    assert_eq!(trader.open()[0]["status"], "PartiallyFilled");
    maker_sells(&maker, "2", "99");
    assert_order(&trader.status(&id), "Filled", "3", "100");
    assert_eq!(trader.open(), json!([]));
    assert_eq!(texts(&trader.get("/G/api/pro/v1/cash/order/hist/current", "order/hist/current"), "orderId"), [id]);
}

#[test]
fn post_only_rests_or_does_nothing() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker_sells(&maker, "1", "100");
    let rests = with(trader.limit("buy", "1", "99.99"), json!({"postOnly": true}));
    let id = trader.place_id(&rests);
    let row = trader.status(&id);
    assert_order(&row, "New", "0", "0");
    assert!(row["execInst"].as_str().unwrap().eq_ignore_ascii_case("post"), "{row}");

    let takes = with(trader.limit("buy", "1", "100"), json!({"postOnly": true, "respInst": "DONE"}));
    let answer = trader.answer("POST", "/G/api/pro/v1/cash/order", "order", Some(&takes)).json();
    if answer["code"] == 0 {
        assert_order(&answer["data"]["info"], "Rejected", "0", "0");
        assert_eq!(answer["data"]["info"]["errorCode"], "PostOnlyWouldTake");
    } else {
        assert_refusal(&answer);
    }
    assert_eq!(list(&trader.open()).len(), 1, "nothing taken, nothing new at rest");
    assert_eq!(trader.cash("ABC").0, dec("1000"));
}

#[test]
fn ioc_takes_what_it_can_and_cancels_the_rest() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker_sells(&maker, "1", "100");
    for (quantity, filled, average) in [("3", "1", "100"), ("3", "0", "0")] {
        let order = with(trader.limit("buy", quantity, "100"), json!({"timeInForce": "IOC", "respInst": "DONE"}));
        assert_order(&trader.place(&order)["info"], "Canceled", filled, average);
    }
    assert_eq!(trader.open(), json!([]));
    assert_eq!(trader.cash("USDT").0, trader.cash("USDT").1, "nothing is held any more");
}

#[test]
fn fok_takes_all_or_nothing() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker_sells(&maker, "1", "100");
    maker_sells(&maker, "1", "100.5");
    let too_much = with(trader.limit("buy", "2", "100.4"), json!({"timeInForce": "FOK", "respInst": "DONE"}));
    let answer = trader.place(&too_much);
    assert!(["Canceled", "Rejected"].contains(&answer["info"]["status"].as_str().unwrap()), "{answer}");
    assert_eq!(money(&answer["info"]["cumFilledQty"]), Decimal::ZERO);
    assert_eq!(trader.open(), json!([]));
    let fits = with(trader.limit("buy", "2", "100.5"), json!({"timeInForce": "FOK", "respInst": "DONE"}));
    assert_order(&trader.place(&fits)["info"], "Filled", "2", "100.25");
}

#[test]
fn stop_orders_wait_for_their_price() {
    let sandbox = still();
    let (mut trader, mut maker) = traders(&sandbox);
    // A trade at 100 before, at 101 after.
    let mut trade_at = |price: &str| {
        maker_sells(&maker, "0.1", price);
        let other = Caller::with_cash(&sandbox, &[("USDT", "100")]);
        other.user.place(&OrderRequest::buy(SYMBOL, "0.1").limit(price)).unwrap();
        assert_eq!(maker.open(), json!([]));
    };
    trade_at("100");
    let market = json!({"orderType": "stop_market", "side": "buy", "orderQty": "1", "stopPrice": "101"});
    let limit =
        json!({"orderType": "stop_limit", "side": "buy", "orderQty": "2", "stopPrice": "101", "orderPrice": "101.5"});
    let ids: Vec<String> =
        [market, limit].map(|fields| trader.order(fields)).iter().map(|o| trader.place_id(o)).collect();

    let open = trader.open();
    for (id, order_type) in ids.iter().zip(["StopMarket", "StopLimit"]) {
        let row = crate::shape::row(&open, "orderId", id);
        assert_eq!((&row["orderType"], money(&row["stopPrice"])), (&json!(order_type), dec("101")), "{row}");
        assert!(["New", "PendingNew"].contains(&row["status"].as_str().unwrap()), "{row}");
    }
    trade_at("100.5");
    assert_eq!(list(&trader.open()).len(), 2, "not yet");
    trade_at("101");
    maker.user.place(&OrderRequest::sell(SYMBOL, "0.1").limit("102")).unwrap();
    maker.user.cancel_all(bitmax::model::AccountCategory::Cash);
    let rests = trader.status(&ids[1]);
    assert_order(&rests, "New", "0", "0");
    maker_sells(&maker, "2", "101.5");
    assert_order(&trader.status(&ids[1]), "Filled", "2", "101.5");
}

#[test]
fn a_triggered_stop_market_order_takes_from_the_book() {
    let sandbox = still();
    let (mut trader, maker) = traders(&sandbox);
    maker_sells(&maker, "1", "101");
    maker_sells(&maker, "2", "102");
    let stop = trader.order(json!({"orderType": "stop_market", "side": "buy", "orderQty": "2", "stopPrice": "101"}));
    let id = trader.place_id(&stop);
    assert_eq!(money(&trader.status(&id)["cumFilledQty"]), Decimal::ZERO);
    let other = Caller::with_cash(&sandbox, &[("USDT", "1000")]);
    other.user.place(&OrderRequest::buy(SYMBOL, "1").limit("101")).unwrap();
    assert_order(&trader.status(&id), "Filled", "2", "102");
}

#[test]
fn a_stop_order_can_be_cancelled() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let stop = trader.order(
        json!({"orderType": "stop_limit", "side": "sell", "orderQty": "1", "stopPrice": "90", "orderPrice": "89"}),
    );
    let id = trader.place_id(&stop);
    trader.cancel(&id);
    assert_order(&trader.status(&id), "Canceled", "0", "0");
    assert_eq!(trader.open(), json!([]));
}

#[test]
fn margin_orders_are_apart_from_cash_orders() {
    let sandbox = still();
    let mut trader = Caller::first(&sandbox);
    let order = json!({"symbol": "BTC/USDT", "time": START, "id": new_id(), "orderType": "limit", "side": "buy",
        "orderQty": "0.001", "orderPrice": "20000"});
    let ack = trader.data("POST", "/G/api/pro/v1/margin/order", "order", Some(&order));
    assert_eq!(ack["ac"], "MARGIN");
    assert_eq!(ack["accountId"], trader.user.account_id(bitmax::model::AccountCategory::Margin));
    assert_eq!(trader.open(), json!([]), "in cash");
    let open = trader.whole("GET", "/G/api/pro/v1/margin/order/open", "order/open", None);
    assert_eq!((&open["ac"], list(&open["data"]).len()), (&json!("MARGIN"), 1));
}

// --- Order criteria, and bad orders ---

#[test]
fn each_criterion_is_refused_with_its_code() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let mut wrong = Vec::new();
    for (name, fields, codes) in [
        ("price off the tick", json!({"orderPrice": "100.001"}), &[300014, 300001][..]),
        ("price of zero", json!({"orderPrice": "0"}), &[300001]),
        ("price below zero", json!({"orderPrice": "-100"}), &[300001]),
        ("price that is no number", json!({"orderPrice": "much"}), &[100013, 300001]),
        ("no price", json!({"orderPrice": null}), &[300001, 300008]),
        ("stop price off the tick", json!({"orderType": "stop_limit", "stopPrice": "101.001"}), &[300014, 300001]),
        ("no stop price", json!({"orderType": "stop_limit"}), &[300001, 300008]),
        ("no stop price, market", json!({"orderType": "stop_market", "orderPrice": null}), &[300001, 300008]),
        (
            "no price with a stop",
            json!({"orderType": "stop_limit", "stopPrice": "101", "orderPrice": null}),
            &[300001, 300008],
        ),
        ("quantity off the lot", json!({"orderQty": "1.0001"}), &[300002]),
        ("quantity of zero", json!({"orderQty": "0"}), &[300002]),
        ("quantity below zero", json!({"orderQty": "-1"}), &[300002]),
        ("quantity that is no number", json!({"orderQty": "x"}), &[100013, 300002]),
        ("no quantity", json!({"orderQty": null}), &[300002]),
        ("quantity in market off the lot", json!({"orderType": "market", "orderQty": "0.0001"}), &[300002]),
        ("notional below the least", json!({"orderQty": "0.049"}), &[300004]),
        ("notional above the greatest", json!({"side": "sell", "orderPrice": "401000"}), &[300004]),
        ("side", json!({"side": "hold"}), &[300003]),
        ("no side", json!({"side": null}), &[300003]),
        ("type", json!({"orderType": "iceberg"}), &[300005]),
        ("no type", json!({"orderType": null}), &[300005]),
        ("time in force", json!({"timeInForce": "GTX"}), &[300007]),
        ("price of 40 digits", json!({"orderPrice": "1".repeat(40)}), &[100013, 300001, 300004, 300011, 300014]),
        ("quantity of 40 digits", json!({"orderQty": "1".repeat(40)}), &[100013, 300002, 300004, 300011]),
        ("symbol", json!({"symbol": "NONE/USDT"}), &[300012, 100008]),
        ("no symbol", json!({"symbol": null}), &[300012, 100008]),
        ("balance for a buy", json!({"orderQty": "999"}), &[300011]),
        ("balance for a sell", json!({"side": "sell", "orderQty": "1001"}), &[300011]),
        ("market without a price", json!({"orderType": "market", "orderPrice": null}), &[300031]),
        ("id of one character", json!({"id": "a"}), &[300006]),
        ("id of 33 characters", json!({"id": "a".repeat(33)}), &[300006]),
        ("id with a hyphen first", json!({"id": "-abcdefghij"}), &[300006]),
        ("id with a hyphen last", json!({"id": "abcdefghij-"}), &[300006]),
        ("id with another character", json!({"id": "jHAfoOqZmRv3@3"}), &[300006]),
        ("id with a space", json!({"id": "abcdef ghij"}), &[300006]),
    ] {
        let order = with(trader.limit("buy", "1", "101"), fields);
        let answer = trader.answer("POST", "/G/api/pro/v1/cash/order", "order", Some(&order)).json();
        if !answer["code"].as_i64().is_some_and(|code| codes.contains(&code)) {
            wrong.push(format!("{name}: expected one of {codes:?}, got {answer}"));
        } else {
            assert_refusal(&answer);
            // An order without a symbol or a good id may have none to tell.
            assert_shape(&answer, &with(sample("rest/place-err"), json!({"info": {}})));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(trader.open(), json!([]));
    assert_eq!(trader.cash("USDT"), (dec("100000"), dec("100000")));
}

#[test]
fn a_refusal_of_an_order_is_status_200_with_details_at_the_top() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "999", "101");
    let answer = trader.answer("POST", "/G/api/pro/v1/cash/order", "order", Some(&order));
    assert_eq!(answer.status, 200);
    let refused = answer.json();
    assert_shape(&refused, &sample("rest/place-err"));
    assert_eq!(
        (&refused["action"], &refused["status"], &refused["ac"]),
        (&json!("place-order"), &json!("Err"), &json!("CASH"))
    );
    assert_eq!((&refused["info"]["id"], &refused["info"]["symbol"]), (&order["id"], &json!(SYMBOL)));
    assert!(refused.get("data").is_none());
}

#[test]
fn what_just_meets_the_criteria_is_taken() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    for fields in [
        json!({"orderQty": "0.05", "orderPrice": "100"}),
        json!({"orderPrice": "100.10", "orderQty": "1.000"}),
        json!({"orderPrice": "100.1000", "orderQty": "1.0000000"}),
        json!({"side": "sell", "orderQty": "1", "orderPrice": "400000"}),
        json!({"id": "ab"}),
        json!({"id": "a-b_c-d"}),
        json!({"id": "a".repeat(32)}),
        json!({"id": null}),
        json!({"category": "cash", "extra": {"of": ["no", "meaning"]}}),
        json!({"postOnly": false, "timeInForce": "GTC", "respInst": "ACK"}),
    ] {
        let order = with(trader.limit("buy", "1", "100"), fields);
        trader.place(&order);
    }
    assert_eq!(list(&trader.open()).len(), 10);
}

#[test]
fn balance_needed_by_the_commission_type() {
    let sandbox = still();
    for (i, (commission, quote_needed, base_needed)) in
        [(Commission::Quote, "100.1", "1"), (Commission::Base, "100", "1.001"), (Commission::Received, "100", "1")]
            .into_iter()
            .enumerate()
    {
        let symbol = format!("FEE{i}/USDT");
        sandbox.add_product(&ProductOptions::new(&symbol).commission(commission).fees("0.001", "0.001")).unwrap();
        let base = format!("FEE{i}");
        let buy = |trader: &Caller| with(trader.limit("buy", "1", "100"), json!({"symbol": symbol}));
        let sell = |trader: &Caller| with(trader.limit("sell", "1", "100"), json!({"symbol": symbol}));

        let products = crate::raw::get(sandbox.port(), "/api/pro/v1/cash/products").data();
        let product = crate::shape::row(&products, "symbol", &symbol);
        assert_eq!(money(&product["commissionReserveRate"]), dec("0.001"), "{product}");

        let short = |needed: &str| (dec(needed) - dec("0.0001")).to_string();
        let mut trader = Caller::with_cash(&sandbox, &[("USDT", quote_needed), (&base, base_needed)]);
        let (order_buy, order_sell) = (buy(&trader), sell(&trader));
        trader.place(&order_buy);
        assert_eq!(trader.cash("USDT"), (dec(quote_needed), Decimal::ZERO), "{commission:?}");
        trader.user.cancel_all(bitmax::model::AccountCategory::Cash);
        trader.place(&order_sell);
        assert_eq!(trader.cash(&base), (dec(base_needed), Decimal::ZERO), "{commission:?}");

        let mut poor = Caller::with_cash(&sandbox, &[("USDT", &short(quote_needed)), (&base, &short(base_needed))]);
        let (order_buy, order_sell) = (buy(&poor), sell(&poor));
        assert_eq!(poor.place_refused(&order_buy)["code"], 300011, "{commission:?}");
        assert_eq!(poor.place_refused(&order_sell)["code"], 300011, "{commission:?}");
    }
}

#[test]
fn on_margin_the_product_must_be_tradable_there_and_the_balance_there() {
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("CSH/USDT").cash_only()).unwrap();
    let mut trader = Caller::first(&sandbox);
    let place = |trader: &mut Caller, order: &Value| {
        trader.refused("POST", "/G/api/pro/v1/margin/order", "order", Some(order))["code"].as_i64().unwrap()
    };
    let order = with(trader.limit("buy", "1", "100"), json!({"symbol": "CSH/USDT"}));
    let code = place(&mut trader, &order);
    assert!(code / 10_000 == 31 || [300012, 300020, 300021].contains(&code), "{code}");
    let order = trader.limit("buy", "4000", "100");
    assert!([310001, 310003, 300011].contains(&place(&mut trader, &order)));
}

#[test]
fn an_order_whose_time_is_more_than_30_seconds_old_is_not_processed() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = |trader: &Caller, age: u64| with(trader.limit("buy", "1", "100"), json!({"time": START - age}));
    let fresh = order(&trader, 29_999);
    trader.place(&fresh);
    let stale = order(&trader, 30_001);
    trader.place_refused(&stale);
    for time in [json!(null), json!("soon"), json!(-1), json!(START as f64 / 1000.0)] {
        let order = with(trader.limit("buy", "1", "100"), json!({"time": time}));
        trader.place_refused(&order);
    }
    assert_eq!(list(&trader.open()).len(), 1);
}

#[test]
fn a_body_that_is_no_json_is_150001() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    for (method, path, prehash) in [
        ("POST", "/G/api/pro/v1/cash/order", "order"),
        ("DELETE", "/G/api/pro/v1/cash/order", "order"),
        ("POST", "/G/api/pro/v1/cash/order/batch", "order/batch"),
        ("POST", "/G/api/pro/v1/transfer", "transfer"),
    ] {
        for body in ["{", "{\"symbol\":", "symbol=ABC", "{\"a\":1}}", "\u{feff}"] {
            let headers = trader.headers(prehash);
            let refused = trader.call_with(method, path, &headers, Some(body)).json();
            assert_eq!(assert_refusal(&refused), 150001, "{method} {path} {body:?}: {refused}");
        }
        for body in ["", "[]", "null", "17", "\"text\"", "{}"] {
            let headers = trader.headers(prehash);
            assert_refusal(&trader.call_with(method, path, &headers, Some(body)).json());
        }
    }
}
