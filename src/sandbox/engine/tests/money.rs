use super::*;

#[test]
fn deposits_withdrawals_and_transfers_are_told() {
    let mut floor = Floor::new();
    let (alice, margin, usdt) = (floor.alice, floor.alice.user.margin(), asset("USDT"));
    floor.engine.deposit(alice, usdt, dec("0.5"), 7).unwrap();
    floor.engine.withdraw(alice, usdt, dec("1.25"), 8).unwrap();
    floor.engine.transfer(alice, margin, usdt, dec("999.25"), 9).unwrap();
    let events: Vec<_> = floor.engine.drain_events().collect();
    assert_eq!(
        short(&events),
        [
            "balance USDT 1000000.5 by 0.5",
            "balance USDT 999999.25 by -1.25",
            "balance USDT 999000 by -999.25",
            "balance USDT 999.25 by 999.25",
        ]
    );
    let sns: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Balance(update) => (update.account, update.sn, update.time),
            other => panic!("{other:?}"),
        })
        .collect();
    let first = sns[0].1;
    assert_eq!(sns, [(alice, first, 7), (alice, first + 1, 8), (alice, first + 2, 9), (margin, first + 3, 9)]);
    assert_eq!(floor.engine.supply(usdt), fixed("1999999.25"));
    properties::audit(&floor.engine);
}

#[test]
fn what_orders_hold_cannot_be_moved() {
    let mut floor = Floor::new();
    let (alice, bob, usdt) = (floor.alice, floor.bob, asset("USDT"));
    floor.place(alice, "buy 1 @ 100");
    assert_eq!(floor.engine.withdraw(alice, usdt, dec("999899.81"), 1), Err(Refusal::InvalidBalance));
    assert_eq!(floor.engine.transfer(alice, bob, usdt, dec("999899.81"), 1), Err(Refusal::InvalidBalance));
    floor.engine.withdraw(alice, usdt, dec("999899.8"), 1).unwrap();
    assert_eq!(floor.balance(alice, "USDT"), "100.2/0");
    assert_eq!(floor.refuse(alice, "buy 1 @ 100"), Refusal::InvalidBalance);
}

#[test]
fn amounts_are_checked() {
    let mut floor = Floor::new();
    let (alice, usdt) = (floor.alice, asset("USDT"));
    for amount in ["0", "-1", "0.0000000000001", "10000000000000001", "79228162514264337593543950335"] {
        assert_eq!(floor.engine.deposit(alice, usdt, dec(amount), 1), Err(Refusal::InvalidAmount), "{amount}");
        assert_eq!(floor.engine.withdraw(alice, usdt, dec(amount), 1), Err(Refusal::InvalidAmount), "{amount}");
    }
    // The supply is what is bounded.
    assert_eq!(floor.engine.deposit(alice, usdt, dec("9999999998000000.1"), 1), Err(Refusal::InvalidAmount));
    floor.engine.deposit(alice, usdt, dec("9999999998000000"), 1).unwrap();
    assert_eq!(floor.engine.supply(usdt), Fixed::MAX);

    let stranger = Floor::new().engine.add_user(UserSettings::default());
    assert_eq!(floor.engine.deposit(stranger.cash(), usdt, dec("1"), 1), Err(Refusal::UnknownAccount));
    assert_eq!(floor.engine.transfer(alice, alice, usdt, dec("1"), 1), Err(Refusal::InvalidAmount));
    let margin = alice.user.margin();
    assert_eq!(floor.engine.withdraw(margin, usdt, dec("1"), 1), Err(Refusal::InvalidMarginBalance));
    assert_eq!(floor.engine.withdraw(alice, asset("DOGE"), dec("1"), 1), Err(Refusal::InvalidBalance));
    assert_eq!(floor.engine.balance(alice, asset("DOGE")), Balance::default());
}

#[test]
fn a_loan_is_a_figure() {
    let mut floor = Floor::new();
    let (margin, usdt) = (floor.alice.user.margin(), asset("USDT"));
    floor.engine.set_loan(margin, usdt, dec("100"), dec("0.25"), 1).unwrap();
    let balance = floor.engine.balance(margin, usdt);
    assert_eq!((balance.total, balance.borrowed, balance.interest), (Fixed::ZERO, fixed("100"), fixed("0.25")));
    let events: Vec<_> = floor.engine.drain_events().collect();
    assert_eq!(short(&events), ["balance USDT 0 by 0"]);
    assert_eq!(floor.engine.set_loan(floor.alice, usdt, dec("1"), dec("0"), 1), Err(Refusal::UnknownAccount));
    assert_eq!(floor.engine.set_loan(margin, usdt, dec("-1"), dec("0"), 1), Err(Refusal::InvalidAmount));
}

#[test]
fn an_asset_that_comes_later_is_everybodys() {
    let mut floor = Floor::new();
    floor.engine.deposit(floor.bob, asset("DOGE"), dec("5"), 1).unwrap();
    let list: Vec<_> = floor.engine.balances(floor.alice).map(|(a, b)| format!("{a} {}", b.total)).collect();
    assert_eq!(list, ["BTC 100", "USDT 1000000", "DOGE 0"]);
    let carol = floor.engine.add_user(UserSettings::default()).cash();
    assert_eq!(floor.engine.balances(carol).count(), 3);
}

/// Alice sells 1 BTC to Bob at 100: Bob's order is on the book. Alice's and Bob's gain in BTC and USDT.
fn gains(commission: Commission) -> [String; 6] {
    let mut floor = Floor::with(btc(commission));
    let (alice, bob) = (floor.alice, floor.bob);
    let (buy, _) = floor.place(bob, "buy 1 @ 100");
    let (sell, _) = floor.place(alice, "sell 1 @ 100");
    let gain = |account, name, before| (floor.engine.balance(account, asset(name)).total - fixed(before)).to_string();
    let fee = |account, id| {
        let order = floor.get(account, id);
        format!("{} {}", order.fee, order.fee_asset)
    };
    [
        gain(alice, "BTC", "100"),
        gain(alice, "USDT", "1000000"),
        fee(alice, sell),
        gain(bob, "BTC", "100"),
        gain(bob, "USDT", "1000000"),
        fee(bob, buy),
    ]
}

#[test]
fn commission_is_taken_where_the_product_says() {
    assert_eq!(gains(Commission::Quote), ["-1", "99.8", "0.2 USDT", "1", "-100.1", "0.1 USDT"]);
    assert_eq!(gains(Commission::Base), ["-1.002", "100", "0.002 BTC", "0.999", "-100", "0.001 BTC"]);
    assert_eq!(gains(Commission::Received), ["-1", "99.8", "0.2 USDT", "0.999", "-100", "0.001 BTC"]);
}

#[test]
fn holds_follow_the_commission() {
    for (commission, usdt, btc_held) in [
        (Commission::Quote, "1000000/999899.8", "100/99"),
        (Commission::Base, "1000000/999900", "100/98.998"),
        (Commission::Received, "1000000/999900", "100/99"),
    ] {
        let mut floor = Floor::with(btc(commission));
        let alice = floor.alice;
        floor.place(alice, "buy 1 @ 100");
        floor.place(alice, "sell 1 @ 101");
        assert_eq!(floor.balance(alice, "USDT"), usdt, "{commission:?}");
        assert_eq!(floor.balance(alice, "BTC"), btc_held, "{commission:?}");
        // All there is, to the last lot: with the reserve in the base asset that is less.
        let most = if commission == Commission::Base { "sell 98.8 @ 101" } else { "sell 99 @ 101" };
        let more = if commission == Commission::Base { "sell 98.801 @ 101" } else { "sell 99.001 @ 101" };
        assert_eq!(floor.refuse(alice, more), Refusal::InvalidBalance);
        floor.place(alice, most);
    }
}

#[test]
fn fees_smaller_than_the_unit_stay_with_the_payer() {
    let mut spec = btc(Commission::Quote);
    (spec.tick_size, spec.lot_size) = (dec("0.000000001"), dec("0.001"));
    (spec.min_notional, spec.maker_fee) = (dec("0"), dec("0.000333333"));
    let mut floor = Floor::with(spec);
    let (alice, bob) = (floor.alice, floor.bob);
    floor.place(bob, "buy 0.001 @ 0.000000007");
    floor.place(alice, "sell 0.001 @ 0.000000007");
    assert_eq!(floor.balance(alice, "USDT"), "1000000.000000000007/1000000.000000000007");
    assert_eq!(floor.balance(bob, "USDT"), "999999.999999999993/999999.999999999993");
    assert_eq!(floor.engine.fees(asset("USDT")), Fixed::ZERO);
}

#[test]
fn a_user_with_a_discount_pays_less_and_can_afford_more() {
    let mut floor = Floor::new();
    let (bob, usdt) = (floor.bob, asset("USDT"));
    let buyer = |floor: &mut Floor, fee_percent| {
        let buyer = floor.engine.add_user(UserSettings { fee_percent, ..UserSettings::default() }).cash();
        floor.engine.deposit(buyer, usdt, dec("100.1"), 0).unwrap();
        buyer
    };
    let (full, half) = (buyer(&mut floor, 100), buyer(&mut floor, 50));
    floor.place(bob, "sell 5 @ 100");
    // 0.2 % of 100 is 0.2, which is 0.1 too much: one lot less.
    floor.place(full, "buy 2 market");
    assert_eq!(floor.balance(full, "BTC"), "0.999/0.999");
    floor.place(half, "buy 2 market");
    assert_eq!((floor.balance(half, "BTC"), floor.balance(half, "USDT")), ("1/1".into(), "0/0".into()));
    assert_eq!(floor.engine.fees(usdt), fixed("0.2998") + fixed("0.1999"));
}
