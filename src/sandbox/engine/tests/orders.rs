use super::*;

fn with(mut order: NewOrder, time_in_force: TimeInForce) -> NewOrder {
    order.time_in_force = time_in_force;
    order
}

#[test]
fn an_order_rests_and_is_told() {
    let mut floor = Floor::new();
    let (id, events) = floor.place(floor.alice, "buy 2 @ 100");
    assert_eq!(short(&events), ["o1 New", "o1 New rests", "level Buy 2x100", "bbo 2x100 -"]);
    let Event::Order(update) = &events[0] else { panic!() };
    assert_eq!((update.quote.total, update.quote.available()), (fixed("1000000"), fixed("999799.6")));
    assert_eq!((update.base.total, update.base.available()), (fixed("100"), fixed("100")));
    assert_eq!(update.order.updated, floor.now);
    let order = floor.get(floor.alice, id);
    assert_eq!((order.status, order.filled, order.avg_price()), (OrderStatus::New, Fixed::ZERO, Fixed::ZERO));
    assert_eq!((order.fee_asset, order.created), (asset("USDT"), floor.now));
}

#[test]
fn an_order_of_two_levels_is_filled_in_steps() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    floor.place(bob, "sell 1 @ 100");
    floor.place(bob, "sell 1 @ 101");
    let (id, events) = floor.place(alice, "buy 1.5 @ 102");
    assert_eq!(
        short(&events),
        [
            "o3 New",
            "trade 1x100 maker seller",
            "o1 Filled 1x100 fee 0.1",
            "o3 PartiallyFilled 1x100 fee 0.2",
            "level Sell 0x100",
            "trade 0.5x101 maker seller",
            "o2 PartiallyFilled 0.5x101 fee 0.0505",
            "o3 Filled 0.5x101 fee 0.101",
            "level Sell 0.5x101",
            "bbo - 0.5x101",
        ]
    );
    let order = floor.get(alice, id);
    assert_eq!(order.avg_price(), fixed("100.333333333333"));
    assert_eq!((order.fee, order.filled_notional), (fixed("0.301"), fixed("150.5")));
    assert_eq!(floor.balance(alice, "USDT"), "999849.199/999849.199");
    assert_eq!(floor.balance(alice, "BTC"), "101.5/101.5");
    assert_eq!(floor.balance(bob, "USDT"), "1000150.3495/1000150.3495");
    assert_eq!(floor.balance(bob, "BTC"), "98.5/98");
    assert_eq!(floor.engine.fees(asset("USDT")), fixed("0.4515"));
    assert_eq!(floor.engine.last_price(symbol("BTC/USDT")), Some(fixed("101")));
}

#[test]
fn price_goes_before_time_and_time_before_size() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    for order in ["buy 1 @ 99", "buy 1 @ 100", "buy 5 @ 100", "buy 1 @ 98"] {
        floor.place(bob, order);
    }
    let (_, events) = floor.place(alice, "sell 2 @ 99");
    let trades: Vec<_> = short(&events).into_iter().filter(|e| e.starts_with('o')).collect();
    assert_eq!(
        trades,
        [
            "o5 New",
            "o2 Filled 1x100 fee 0.1",
            "o5 PartiallyFilled 1x100 fee 0.2",
            "o3 PartiallyFilled 1x100 fee 0.1",
            "o5 Filled 1x100 fee 0.2",
        ]
    );
    // The partly filled order keeps its place before a later one.
    floor.place(bob, "buy 1 @ 100");
    let (_, events) = floor.place(alice, "sell 4 @ 100");
    assert_eq!(short(&events)[2], "o3 Filled 4x100 fee 0.4");
    assert_eq!(floor.book(), "1x100 1x99 1x98 | ");
}

#[test]
fn what_is_left_of_a_limit_order_rests() {
    let mut floor = Floor::new();
    floor.place(floor.bob, "sell 1 @ 100");
    let (id, events) = floor.place(floor.alice, "buy 3 @ 101");
    assert_eq!(
        short(&events)[3..],
        [
            "o2 PartiallyFilled 1x100 fee 0.2",
            "level Sell 0x100",
            "o2 PartiallyFilled rests",
            "level Buy 2x101",
            "bbo 2x101 -"
        ]
    );
    assert_eq!(floor.status(floor.alice, id), "PartiallyFilled");
    // 100.2 paid; 2 × 101 × 1.002 held.
    assert_eq!(floor.balance(floor.alice, "USDT"), "999899.8/999697.396");
    floor.cancel(floor.alice, id).unwrap();
    assert_eq!(floor.balance(floor.alice, "USDT"), "999899.8/999899.8");
}

#[test]
fn ioc_never_rests() {
    let mut floor = Floor::new();
    floor.place(floor.bob, "sell 1 @ 100");
    let order = floor.order(floor.alice, "buy 3 @ 101");
    let events = floor.submit(&with(order, TimeInForce::Ioc)).unwrap();
    assert_eq!(short(&events)[5..], ["o2 Canceled -", "bbo - -"]);
    assert_eq!(floor.balance(floor.alice, "USDT"), "999899.8/999899.8");
    let order = floor.order(floor.alice, "buy 3 @ 101");
    assert_eq!(short(&floor.submit(&with(order, TimeInForce::Ioc)).unwrap()), ["o3 New", "o3 Canceled -"]);
}

#[test]
fn fok_is_all_or_nothing() {
    let mut floor = Floor::new();
    floor.place(floor.bob, "sell 1 @ 100");
    floor.place(floor.bob, "sell 1 @ 101");
    floor.place(floor.bob, "sell 1 @ 102");
    let order = floor.order(floor.alice, "buy 2.001 @ 101");
    assert_eq!(short(&floor.submit(&with(order, TimeInForce::Fok)).unwrap()), ["o4 New", "o4 Canceled -"]);
    let order = floor.order(floor.alice, "buy 2 @ 101");
    let order = with(order, TimeInForce::Fok);
    floor.submit(&order).unwrap();
    assert_eq!(floor.status(floor.alice, order.id), "Filled");
    assert_eq!(floor.book(), " | 1x102");
    // A sell likewise.
    let order = floor.order(floor.bob, "sell 1 @ 100");
    assert_eq!(short(&floor.submit(&with(order, TimeInForce::Fok)).unwrap()), ["o6 New", "o6 Canceled -"]);
}

#[test]
fn post_only_rests_or_is_rejected() {
    let mut floor = Floor::new();
    floor.place(floor.bob, "sell 1 @ 100");
    let mut order = floor.order(floor.alice, "buy 1 @ 100");
    order.post_only = true;
    assert_eq!(short(&floor.submit(&order).unwrap()), ["o2 Rejected PostOnlyWouldTake"]);
    assert_eq!(floor.status(floor.alice, order.id), "Rejected");
    assert_eq!(floor.balance(floor.alice, "USDT"), "1000000/1000000");
    let mut order = floor.order(floor.alice, "buy 1 @ 99.99");
    order.post_only = true;
    assert_eq!(short(&floor.submit(&order).unwrap())[..2], ["o3 New", "o3 New rests"]);
}

#[test]
fn nobody_trades_with_himself() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    floor.place(bob, "sell 1 @ 100");
    let (own, _) = floor.place(alice, "sell 1 @ 101");
    floor.place(bob, "sell 1 @ 101");
    let (id, events) = floor.place(alice, "buy 3 @ 101");
    assert_eq!(short(&events)[5..], ["o4 Canceled SelfTrade", "bbo - 2x101"]);
    assert_eq!(floor.get(alice, id).filled, fixed("1"));
    assert_eq!(floor.status(alice, own), "New");
    // The margin account is the same user's.
    let margin = alice.user.margin();
    floor.engine.transfer(alice, margin, asset("USDT"), dec("1000"), 1).unwrap();
    floor.engine.drain_events();
    let (_, events) = floor.place(margin, "buy 1 market");
    assert_eq!(short(&events), ["o5 New", "o5 Canceled SelfTrade"]);
    // A fill-or-kill order that would meet it does not trade before either.
    floor.place(bob, "sell 1 @ 100");
    let order = floor.order(alice, "buy 2 @ 101");
    assert_eq!(short(&floor.submit(&with(order, TimeInForce::Fok)).unwrap()), ["o7 New", "o7 Canceled SelfTrade"]);
}

#[test]
fn a_market_sell_holds_its_quantity_and_takes_any_price() {
    let mut floor = Floor::new();
    assert_eq!(floor.refuse(floor.alice, "sell 1 market"), Refusal::NoMarketPrice);
    floor.place(floor.bob, "buy 1 @ 100");
    floor.place(floor.bob, "buy 1 @ 5");
    assert_eq!(floor.refuse(floor.alice, "sell 100.001 market"), Refusal::InvalidBalance);
    let (id, events) = floor.place(floor.alice, "sell 3 market");
    assert_eq!(short(&events).last().unwrap(), "bbo - -");
    let order = floor.get(floor.alice, id);
    assert_eq!((order.status, order.filled, order.error), (OrderStatus::Canceled, fixed("2"), None));
    assert_eq!(order.price, None);
    assert_eq!(floor.balance(floor.alice, "BTC"), "98/98");
}

#[test]
fn a_market_buy_spends_what_is_available_and_no_more() {
    let mut floor = Floor::new();
    let bob = floor.bob;
    let poor = floor.engine.add_user(UserSettings::default()).cash();
    floor.place(bob, "sell 1 @ 100");
    floor.place(bob, "sell 1 @ 200");
    assert_eq!(floor.refuse(poor, "buy 1 market"), Refusal::InvalidBalance);
    // 1 BTC at 100 and half a one at 200, each with a fee of 0.2 %: exactly all there is.
    floor.engine.deposit(poor, asset("USDT"), dec("200.4"), 1).unwrap();
    floor.engine.drain_events();
    let (id, events) = floor.place(poor, "buy 2 market");
    assert_eq!(short(&events)[9..], ["o4 Canceled InsufficientBalance", "bbo - 0.5x200"]);
    assert_eq!(floor.get(poor, id).filled, fixed("1.5"));
    assert_eq!(floor.balance(poor, "USDT"), "0/0");
    assert_eq!(floor.refuse(poor, "buy 0.001 market"), Refusal::InvalidBalance);
    // One unit less than one more lot costs.
    floor.engine.deposit(poor, asset("USDT"), dec("0.200399999999"), 1).unwrap();
    assert_eq!(floor.refuse(poor, "buy 0.001 market"), Refusal::InvalidBalance);
}

#[test]
fn an_id_is_used_once() {
    let mut floor = Floor::new();
    let first = floor.order(floor.alice, "buy 1 @ 100");
    floor.submit(&first).unwrap();
    assert_eq!(floor.submit(&first), Err(Refusal::DupNewCoid));
    let mut other = floor.order(floor.bob, "buy 1 @ 100");
    other.id = first.id;
    assert_eq!(floor.submit(&other), Err(Refusal::DupNewCoid));
    // Ended orders are remembered, and their ids with them.
    floor.cancel(floor.alice, first.id).unwrap();
    assert_eq!(floor.submit(&first), Err(Refusal::DupNewCoid));
}

#[test]
fn cancelling_takes_the_order_off_the_book_once() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    let (first, _) = floor.place(alice, "sell 1 @ 100");
    let (second, _) = floor.place(alice, "sell 2 @ 100");
    floor.place(alice, "sell 4 @ 100");
    assert_eq!(floor.cancel(bob, second), Err(Refusal::UnknownOrder));
    assert_eq!(floor.cancel(alice, OrderId::new("none").unwrap()), Err(Refusal::UnknownOrder));
    let events = floor.cancel(alice, second).unwrap();
    assert_eq!(short(&events), ["o2 Canceled -", "level Sell 5x100", "bbo - 5x100"]);
    assert_eq!(floor.cancel(alice, second), Err(Refusal::NotOpen));
    floor.cancel(alice, first).unwrap();
    assert_eq!(floor.book(), " | 4x100");
    assert_eq!(floor.balance(alice, "BTC"), "100/96");
    let (_, events) = floor.place(bob, "buy 4 @ 100");
    assert_eq!(short(&events)[2], "o3 Filled 4x100 fee 0.4");
}

#[test]
fn cancel_all_takes_the_oldest_first_and_tells_the_bbo_once() {
    let mut floor = Floor::new();
    let mut eth = btc(Commission::Quote);
    (eth.symbol, eth.base) = (symbol("ETH/USDT"), asset("ETH"));
    floor.engine.add_product(&eth).unwrap();
    let alice = floor.alice;
    floor.place(alice, "buy 1 @ 100");
    let mut other = floor.order(alice, "buy 1 @ 50");
    other.symbol = eth.symbol;
    floor.submit(&other).unwrap();
    floor.place(alice, "buy 1 @ 101");
    floor.place(floor.bob, "buy 1 @ 99");
    floor.place(alice, "sell 1 stop 10");
    assert_eq!(floor.engine.open_orders(alice).map(|o| o.id.to_string()).collect::<Vec<_>>(), ["o1", "o2", "o3", "o5"]);

    assert_eq!(floor.engine.cancel_all(alice, Some(symbol("BTC/USDT")), 5), 3);
    let events: Vec<_> = floor.engine.drain_events().collect();
    assert_eq!(
        short(&events),
        ["o1 Canceled -", "level Buy 0x100", "o3 Canceled -", "level Buy 0x101", "o5 Canceled -", "bbo 1x99 -"]
    );
    assert_eq!(floor.engine.cancel_all(alice, None, 5), 1);
    assert_eq!(floor.engine.cancel_all(alice, None, 5), 0);
    assert_eq!(floor.balance(alice, "USDT"), "1000000/1000000");
    properties::audit(&floor.engine);
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let mut floor = Floor::new();
    let alice = floor.alice;
    let good = floor.order(alice, "buy 1 @ 100");
    let bad = floor.order(alice, "buy 1 @ 100.001");
    let batch = [good.clone(), bad, good.clone()];
    let refused = floor.engine.place_batch(&batch, 1).unwrap_err();
    assert_eq!(refused, [(1, Refusal::TickSizeViolation), (2, Refusal::DupNewCoid)]);
    assert_eq!(floor.engine.drain_events().count(), 0);

    // Each alone is covered, both together are not.
    let rich = floor.order(alice, "buy 6 @ 100000");
    let richer = floor.order(alice, "buy 5 @ 100000");
    floor.engine.place_batch(&[good, rich, richer], 1).unwrap();
    let events: Vec<_> = floor.engine.drain_events().collect();
    assert_eq!(short(&events).last().unwrap(), "o4 Rejected BatchRefused");
    assert_eq!(floor.book(), "6x100000 1x100 | ");
    properties::audit(&floor.engine);
}

#[test]
fn open_orders_are_limited_and_ended_ones_forgotten() {
    let mut floor = Floor::new();
    let settings = UserSettings { open_orders: 2, closed_orders: 1, ..UserSettings::default() };
    let carol = floor.engine.add_user(settings).cash();
    floor.engine.deposit(carol, asset("USDT"), dec("1000"), 1).unwrap();
    floor.engine.drain_events();
    let (first, _) = floor.place(carol, "buy 1 @ 100");
    let (second, _) = floor.place(carol, "buy 1 @ 101");
    assert_eq!(floor.refuse(carol, "buy 1 @ 100"), Refusal::TooManyOrders);
    floor.cancel(carol, second).unwrap();
    assert_eq!(floor.status(carol, second), "Canceled");
    floor.cancel(carol, first).unwrap();
    assert_eq!(floor.engine.order(carol, second), None);
    assert_eq!(floor.cancel(carol, second), Err(Refusal::UnknownOrder));
    assert_eq!(floor.engine.closed_orders(carol).map(|o| o.id).collect::<Vec<_>>(), [first]);
    assert_eq!(floor.engine.order(floor.alice, first), None);
}

#[test]
fn sequence_numbers_rise() {
    let mut floor = Floor::new();
    floor.engine = {
        let mut engine = Engine::new(Settings { first_sn: 5_447_283_902, first_trade: 144_115_188_077_966_308 });
        engine.add_product(&btc(Commission::Quote)).unwrap();
        for _ in 0..2 {
            let account = engine.add_user(UserSettings::default()).cash();
            engine.deposit(account, asset("BTC"), dec("100"), 0).unwrap();
            engine.deposit(account, asset("USDT"), dec("1000000"), 0).unwrap();
        }
        engine
    };
    floor.place(floor.alice, "buy 1 @ 100");
    floor.place(floor.alice, "buy 1 @ 99");
    floor.place(floor.bob, "sell 2 @ 99");
    let (_, events) = floor.place(floor.bob, "sell 1 @ 99");
    assert!(events.iter().all(|event| !matches!(event, Event::Trade(_))));
    let closed: Vec<_> = floor.engine.closed_orders(floor.alice).map(|o| o.sn).collect();
    assert!(closed.is_sorted() && closed[0] > 5_447_283_902, "{closed:?}");
}

#[test]
fn a_client_id_is_a_word() {
    for good in ["ab", "a-b", "_x_", "0123456789abcdefghijABCDEFGHIJ-_"] {
        assert!(ClientId::new(good).is_some_and(|_| good != "0123456789abcdefghijABCDEFGHIJ-_") || good.len() == 32);
    }
    assert_eq!(ClientId::new("a-b").unwrap().as_str(), "a-b");
    for bad in ["", "a", "-ab", "ab-", "a b", "jHAfoOqZmRv3GP1URJ5624moJ9RCG2@3", "é-é", &"a".repeat(33)] {
        assert_eq!(ClientId::new(bad), None, "{bad}");
    }
}
