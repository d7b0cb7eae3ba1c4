use super::*;

fn problem(change: impl FnOnce(&mut ProductSpec)) -> &'static str {
    let mut spec = btc(Commission::Quote);
    change(&mut spec);
    let mut engine = Engine::new(Settings::default());
    let field = engine.add_product(&spec).unwrap_err().field;
    assert_eq!(engine.status(spec.symbol), None);
    field
}

#[test]
fn figures_that_contradict_each_other_are_refused() {
    assert_eq!(problem(|p| p.quote = p.base), "quote");
    assert_eq!(problem(|p| p.tick_size = dec("0")), "tick_size");
    assert_eq!(problem(|p| p.tick_size = dec("-1")), "tick_size");
    assert_eq!(problem(|p| p.lot_size = dec("0")), "lot_size");
    assert_eq!(problem(|p| p.lot_size = dec("0.00000000001")), "lot_size");
    assert_eq!(problem(|p| p.lot_size = dec("0.0000000000001")), "lot_size");
    assert_eq!(problem(|p| p.max_qty = dec("0.0001")), "max_qty");
    assert_eq!(problem(|p| p.max_qty = dec("1000000000000001")), "max_qty");
    assert_eq!(problem(|p| p.max_notional = dec("1")), "max_notional");
    assert_eq!(problem(|p| p.max_notional = dec("10000000000000001")), "max_notional");
    assert_eq!(problem(|p| p.maker_fee = dec("1")), "maker_fee");
    assert_eq!(problem(|p| p.taker_fee = dec("-0.1")), "taker_fee");
    assert_eq!(problem(|p| p.taker_fee = dec("0.0021")), "reserve_rate");
    assert_eq!(problem(|p| p.reserve_rate = dec("0.0009")), "reserve_rate");
}

#[test]
fn a_product_is_listed_once() {
    let mut engine = Engine::new(Settings::default());
    engine.add_product(&btc(Commission::Quote)).unwrap();
    assert_eq!(engine.add_product(&btc(Commission::Base)).unwrap_err().field, "symbol");
}

// Tick, lot and limits of products of the exchange in 2021: coarse and fine ones.
#[test]
fn products_of_the_exchange_fit() {
    for (tick, lot, max_notional) in [
        ("0.01", "0.00001", "400000"),
        ("0.000001", "0.001", "7.272727272"),
        ("0.000000001", "1", "3.636363636"),
        ("1", "0.0001", "1000000"),
        ("0.0000001", "1", "400000"),
    ] {
        let mut spec = btc(Commission::Quote);
        (spec.tick_size, spec.lot_size) = (dec(tick), dec(lot));
        (spec.min_qty, spec.max_qty) = (dec("0.000000001"), dec("1000000000"));
        (spec.min_notional, spec.max_notional) = (dec("0"), dec(max_notional));
        Engine::new(Settings::default()).add_product(&spec).unwrap();
    }
}

#[test]
fn figures_of_orders_are_checked() {
    let mut floor = Floor::new();
    let alice = floor.alice;
    for (order, refusal) in [
        ("buy 1 @ 0", Refusal::InvalidPrice),
        ("buy 1 @ -1", Refusal::InvalidPrice),
        ("buy 1 @ 79228162514264337593543950335", Refusal::InvalidPrice),
        ("buy 1 @ 100.001", Refusal::TickSizeViolation),
        ("buy 1 @ 100.0000000000000001", Refusal::TickSizeViolation),
        ("buy 1 @ 100 stop 100.001", Refusal::TickSizeViolation),
        ("buy 1 stop 0", Refusal::InvalidPrice),
        ("buy 0 @ 100", Refusal::InvalidQty),
        ("buy -1 @ 100", Refusal::InvalidQty),
        ("buy 0.0005 @ 100000", Refusal::InvalidQty),
        ("buy 1.0005 @ 100", Refusal::InvalidQty),
        ("buy 1.0000000000000005 @ 100", Refusal::InvalidQty),
        ("buy 1000.001 @ 100", Refusal::InvalidQty),
        ("buy 1000.001 market", Refusal::InvalidQty),
        ("buy 79228162514264337593543950335 market", Refusal::InvalidQty),
        ("buy 0.049 @ 100", Refusal::InvalidNotional),
        ("sell 10 @ 100000.01", Refusal::InvalidNotional),
        ("sell 10 @ 10000000000000000", Refusal::InvalidNotional),
        ("sell 10 @ 100000.01 stop 1", Refusal::InvalidNotional),
        ("buy 1000 stop 10000000000000000", Refusal::InvalidNotional),
    ] {
        assert_eq!(floor.refuse(alice, order), refusal, "{order}");
    }
    // The edges themselves are inside, and trailing zeros are no digits.
    for order in ["buy 0.05 @ 100", "sell 10 @ 100000", "buy 1.000000000000000 @ 100.00000000000000"] {
        floor.place(alice, order);
    }
}

#[test]
fn what_the_type_needs_must_be_there_and_the_rest_is_ignored() {
    let mut floor = Floor::new();
    let (alice, bob) = (floor.alice, floor.bob);
    for text in ["buy 1 @ 100 stop 100", "buy 1 @ 100"] {
        let mut order = floor.order(alice, text);
        order.price = None;
        assert_eq!(floor.submit(&order), Err(Refusal::InvalidPrice));
    }
    let mut order = floor.order(alice, "buy 1 stop 100");
    order.stop_price = None;
    assert_eq!(floor.submit(&order), Err(Refusal::InvalidPrice));

    floor.place(bob, "sell 1 @ 100");
    let mut order = floor.order(alice, "buy 1 market");
    (order.price, order.stop_price, order.time_in_force) = (Some(dec("1.23456")), Some(dec("-1")), TimeInForce::Fok);
    floor.submit(&order).unwrap();
    let order = floor.get(alice, order.id);
    assert_eq!((order.status, order.price, order.stop_price), (OrderStatus::Filled, None, None));
    assert_eq!(order.time_in_force, TimeInForce::Ioc);
}

#[test]
fn post_only_is_for_resting_limit_orders() {
    let mut floor = Floor::new();
    let alice = floor.alice;
    for text in ["buy 1 market", "buy 1 stop 100", "buy 1 @ 100 stop 100"] {
        let mut order = floor.order(alice, text);
        order.post_only = true;
        assert_eq!(floor.submit(&order), Err(Refusal::InvalidParameter));
    }
    for time_in_force in [TimeInForce::Ioc, TimeInForce::Fok] {
        let mut order = floor.order(alice, "buy 1 @ 100");
        (order.post_only, order.time_in_force) = (true, time_in_force);
        assert_eq!(floor.submit(&order), Err(Refusal::InvalidParameter));
    }
}

#[test]
fn a_halted_product_takes_no_orders_but_lets_them_go() {
    let mut floor = Floor::new();
    let (alice, product) = (floor.alice, symbol("BTC/USDT"));
    let (id, _) = floor.place(alice, "buy 1 @ 100");
    floor.engine.set_status(product, Status::NoTrading).unwrap();
    assert_eq!(floor.engine.status(product), Some(Status::NoTrading));
    assert_eq!(floor.refuse(alice, "buy 1 @ 100"), Refusal::TradingDisabled);
    floor.cancel(alice, id).unwrap();

    floor.engine.set_status(product, Status::InternalTrading).unwrap();
    assert_eq!(floor.refuse(alice, "buy 1 @ 100"), Refusal::TradingRestricted);
    let insider = floor.engine.add_user(UserSettings { internal: true, ..UserSettings::default() }).cash();
    floor.engine.deposit(insider, asset("USDT"), dec("1000"), 1).unwrap();
    floor.place(insider, "buy 1 @ 100");

    floor.engine.set_status(product, Status::Normal).unwrap();
    floor.place(alice, "buy 1 @ 100");
    assert_eq!(floor.engine.set_status(symbol("X/Y"), Status::Normal), Err(Refusal::UnknownProduct));
}

#[test]
fn unknown_names_are_refused() {
    let mut floor = Floor::new();
    let mut order = floor.order(floor.alice, "buy 1 @ 100");
    order.symbol = symbol("X/Y");
    assert_eq!(floor.submit(&order), Err(Refusal::UnknownProduct));
    let stranger = Floor::new().engine.add_user(UserSettings::default()).cash();
    assert_eq!(floor.refuse(stranger, "buy 1 @ 100"), Refusal::UnknownAccount);
    assert_eq!(floor.engine.book(symbol("X/Y"), 1), None);
    assert_eq!(floor.engine.bbo(symbol("X/Y")), None);
}

#[test]
fn margin_accounts_trade_margin_products() {
    let mut floor = Floor::new();
    let margin = floor.alice.user.margin();
    assert_eq!(floor.refuse(margin, "buy 1 @ 100"), Refusal::InvalidMarginBalance);
    floor.engine.transfer(floor.alice, margin, asset("USDT"), dec("200"), 1).unwrap();
    floor.engine.drain_events();
    floor.place(margin, "buy 1 @ 100");
    assert_eq!(floor.balance(margin, "USDT"), "200/99.8");

    let mut spec = btc(Commission::Quote);
    spec.margin_tradable = false;
    let mut floor = Floor::with(spec);
    let margin = floor.alice.user.margin();
    assert_eq!(floor.refuse(margin, "buy 1 @ 100"), Refusal::NotMarginTradable);
}

#[test]
fn refusals_carry_the_codes_of_the_reference() {
    for (refusal, code, reason) in [
        (Refusal::InvalidPrice, 300_001, "INVALID_PRICE"),
        (Refusal::InvalidQty, 300_002, "INVALID_QTY"),
        (Refusal::InvalidNotional, 300_004, "INVALID_NOTIONAL"),
        (Refusal::UnknownOrder, 300_006, "INVALID_ORDER_ID"),
        (Refusal::InvalidParameter, 300_008, "INVALID_ORDER_PARAMETER"),
        (Refusal::TooManyOrders, 300_009, "TRADING_VIOLATION"),
        (Refusal::InvalidBalance, 300_011, "INVALID_BALANCE"),
        (Refusal::UnknownProduct, 300_012, "INVALID_PRODUCT"),
        (Refusal::NotMarginTradable, 300_012, "INVALID_PRODUCT"),
        (Refusal::TickSizeViolation, 300_014, "TICK_SIZE_VIOLATION"),
        (Refusal::NotOpen, 300_019, "ORDER_NOT_OPEN"),
        (Refusal::TradingRestricted, 300_020, "TRADING_RESTRICTED"),
        (Refusal::TradingDisabled, 300_021, "TRADING_DISABLED"),
        (Refusal::NoMarketPrice, 300_031, "NO_MARKET_PRICE"),
        (Refusal::InvalidMarginBalance, 310_001, "INVALID_MARGIN_BALANCE"),
        (Refusal::UnknownAccount, 200_003, "ACCOUNT_NOT_FOUND"),
        (Refusal::InvalidAmount, 100_006, "INVALID_ARGUMENT"),
        (Refusal::DupNewCoid, 0, "DupNewCoid"),
    ] {
        assert_eq!((refusal.code(), refusal.reason()), (code, reason));
        assert!(!refusal.message().is_empty());
    }
}
