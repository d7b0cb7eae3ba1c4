use super::*;

/// A trade at a price, between two other users.
fn trade_at(floor: &mut Floor, price: &str) -> Vec<Event> {
    let [maker, taker] = [(); 2].map(|()| {
        let account = floor.engine.add_user(UserSettings::default()).cash();
        floor.engine.deposit(account, asset("BTC"), dec("10"), 0).unwrap();
        floor.engine.deposit(account, asset("USDT"), dec("100000"), 0).unwrap();
        account
    });
    floor.engine.drain_events();
    floor.place(maker, &format!("sell 0.1 @ {price}"));
    floor.place(taker, &format!("buy 0.1 @ {price}")).1
}

#[test]
fn a_stop_limit_order_waits_for_its_price() {
    let mut floor = Floor::new();
    let alice = floor.alice;
    let (id, events) = floor.place(alice, "buy 1 @ 111 stop 110");
    assert_eq!(short(&events), ["o1 PendingNew"]);
    assert_eq!(floor.balance(alice, "USDT"), "1000000/999888.778");
    assert_eq!(floor.book(), " | ");
    trade_at(&mut floor, "109.99");
    assert_eq!(floor.status(alice, id), "PendingNew");
    let events = trade_at(&mut floor, "110");
    assert_eq!(short(&events)[5..], ["o1 New", "o1 New rests", "level Buy 1x111", "bbo 1x111 -"]);
    assert_eq!(floor.balance(alice, "USDT"), "1000000/999888.778");
    assert_eq!(floor.get(alice, id).stop_price, Some(fixed("110")));
}

#[test]
fn a_sell_stop_waits_for_a_lower_price() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    let (id, _) = floor.place(alice, "sell 1 stop 90");
    assert_eq!(floor.balance(alice, "BTC"), "100/99");
    trade_at(&mut floor, "90.01");
    assert_eq!(floor.status(alice, id), "PendingNew");
    floor.place(bob, "buy 0.4 @ 80");
    let events = trade_at(&mut floor, "90");
    assert!(short(&events).contains(&"o1 PartiallyFilled 0.4x80 fee 0.064".into()), "{:?}", short(&events));
    assert_eq!(floor.status(alice, id), "Canceled");
    assert_eq!(floor.balance(alice, "BTC"), "99.6/99.6");
}

#[test]
fn a_stop_whose_price_was_reached_enters_at_once() {
    let mut floor = Floor::new();
    trade_at(&mut floor, "100");
    let (_, events) = floor.place(floor.alice, "buy 1 @ 99 stop 100");
    assert_eq!(short(&events)[..3], ["o3 PendingNew", "o3 New", "o3 New rests"]);
    let (_, events) = floor.place(floor.alice, "sell 1 @ 150 stop 100");
    assert_eq!(short(&events)[..3], ["o4 PendingNew", "o4 New", "o4 New rests"]);
    let (_, events) = floor.place(floor.alice, "sell 1 @ 150 stop 99.99");
    assert_eq!(short(&events), ["o5 PendingNew"]);
}

#[test]
fn a_stop_market_buy_holds_for_its_stop_price_until_it_enters() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    assert_eq!(floor.refuse(alice, "buy 100 stop 10000"), Refusal::InvalidBalance);
    let (id, _) = floor.place(alice, "buy 1 stop 100");
    assert_eq!(floor.balance(alice, "USDT"), "1000000/999899.8");
    floor.place(bob, "sell 1 @ 120");
    trade_at(&mut floor, "100");
    assert_eq!(floor.get(alice, id).avg_price(), fixed("120"));
    assert_eq!(floor.balance(alice, "USDT"), "999879.76/999879.76");
}

#[test]
fn a_stop_market_order_that_finds_nobody_is_cancelled() {
    let mut floor = Floor::new();
    floor.place(floor.alice, "buy 1 stop 100");
    let events = trade_at(&mut floor, "100");
    assert_eq!(short(&events)[5..], ["o1 New", "o1 Canceled NoMarketPrice", "bbo - -"]);
    assert_eq!(floor.balance(floor.alice, "USDT"), "1000000/1000000");
}

#[test]
fn stops_set_each_other_off_in_order() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    let carol = floor.engine.add_user(UserSettings::default()).cash();
    floor.engine.deposit(carol, asset("USDT"), dec("100000"), 0).unwrap();
    floor.engine.drain_events();
    let (second, _) = floor.place(alice, "buy 1 stop 103");
    let (third, _) = floor.place(alice, "buy 1 stop 103");
    let (first, _) = floor.place(alice, "buy 1 stop 101");
    let (never, _) = floor.place(alice, "buy 1 stop 106");
    for order in ["sell 1 @ 101", "sell 1 @ 103", "sell 1 @ 104", "sell 1 @ 105"] {
        floor.place(bob, order);
    }
    let (_, events) = floor.place(carol, "buy 1 @ 101");
    let prices = [first, second, third].map(|id| floor.get(alice, id).avg_price().to_string());
    assert_eq!(prices, ["103", "104", "105"]);
    assert_eq!(floor.status(alice, never), "PendingNew");
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Bbo(_))).count(), 1);
}

#[test]
fn sells_enter_from_the_highest_stop_price_and_at_one_price_the_earliest_first() {
    let mut floor = Floor::new();
    let alice = floor.alice;
    let orders = ["sell 1 @ 201 stop 90", "sell 1 @ 201 stop 95", "sell 1 @ 201 stop 95", "buy 1 @ 50 stop 90"];
    let [last, second, third, first] = orders.map(|order| floor.place(alice, order).0);
    let entered: Vec<_> = trade_at(&mut floor, "90")
        .iter()
        .filter_map(|event| match event {
            Event::Order(update) if update.change == Change::Rested => Some(update.order.id),
            _ => None,
        })
        .collect();
    assert_eq!(entered, [first, second, third, last]);
}

#[test]
fn every_price_of_a_sweep_counts() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    let carol = floor.engine.add_user(UserSettings::default()).cash();
    floor.engine.deposit(carol, asset("BTC"), dec("10"), 0).unwrap();
    floor.engine.drain_events();
    // The sell sweeps from 110 down to 100: the buy's stop is passed by its first trade only.
    let (id, _) = floor.place(alice, "buy 1 @ 50 stop 110");
    floor.place(bob, "buy 1 @ 110");
    floor.place(bob, "buy 1 @ 100");
    floor.place(carol, "sell 2 @ 100");
    assert_eq!(floor.status(alice, id), "New");
}

#[test]
fn a_waiting_stop_can_be_cancelled() {
    let mut floor = Floor::new();
    let alice = floor.alice;
    let (id, _) = floor.place(alice, "sell 1 @ 80 stop 90");
    assert_eq!(short(&floor.cancel(alice, id).unwrap()), ["o1 Canceled -"]);
    assert_eq!(floor.balance(alice, "BTC"), "100/100");
    trade_at(&mut floor, "90");
    assert_eq!(floor.status(alice, id), "Canceled");
    // One that has entered is on the book and leaves it.
    let (id, _) = floor.place(alice, "sell 1 @ 95 stop 90");
    assert_eq!(floor.book(), " | 1x95");
    floor.cancel(alice, id).unwrap();
    assert_eq!(floor.book(), " | ");
}

#[test]
fn a_stop_that_would_trade_with_its_user_is_cancelled() {
    let mut floor = Floor::new();
    let alice = floor.alice;
    floor.place(alice, "sell 1 @ 105");
    let (id, _) = floor.place(alice, "buy 1 @ 105 stop 100");
    trade_at(&mut floor, "100");
    assert_eq!(floor.get(alice, id).error, Some(ErrorCode::SelfTrade));
}
