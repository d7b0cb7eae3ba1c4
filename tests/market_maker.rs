//! The strategy of the example `market_maker`, step by step, on a way to the exchange that breaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../examples/market_maker/maker.rs"]
mod maker;
#[path = "../examples/market_maker/quotes.rs"]
mod quotes;
#[path = "../examples/market_maker/tally.rs"]
#[allow(dead_code, reason = "what only the screen shows")]
mod tally;

use std::time::{Duration, Instant};

use bitmax::model::Side;
use bitmax::sandbox::{Break, Fault, Sandbox, Speed, User, UserOptions};
use bitmax::{Client, Decimal};
use maker::{ACCOUNT, Maker};
use quotes::Quoting;

const PATIENCE: Duration = Duration::from_secs(120);

fn d(digits: i64, scale: u32) -> Decimal {
    Decimal::new(digits, scale)
}

/// A maker whose quotes are close enough to trade often, and its account at the exchange.
fn maker_on(sandbox: &Sandbox) -> (Maker, User) {
    let user = sandbox.add_user(UserOptions::new().vip(10, 10));
    user.fund(ACCOUNT, "BTC", 1).unwrap();
    user.fund(ACCOUNT, "USDT", 100_000).unwrap();
    let client = Client::builder(sandbox.endpoint()).credentials(user.credentials()).build().unwrap();
    let quoting = Quoting {
        half_spread: d(1, 4),
        size: d(1, 2),
        max_position: d(25, 3),
        tick_size: d(1, 2),
        lot_size: d(1, 5),
        min_notional: d(5, 0),
    };
    (Maker::new(&client, "BTC/USDT".try_into().unwrap(), quoting).unwrap(), user)
}

fn has(user: &User, asset: &str) -> Decimal {
    user.balance(ACCOUNT, asset).unwrap().total
}

#[test]
fn its_figures_are_the_exchange_s_whatever_breaks() {
    let sandbox = Sandbox::builder().speed(Speed::Times(20.0)).start().unwrap();
    let (mut maker, user) = maker_on(&sandbox);
    let lost = ["req place-order", "req cancel-order"].map(|what| sandbox.inject(Fault::LoseAnswer.at(what).times(3)));
    let end = Instant::now() + PATIENCE;
    while maker.counts.outages < 3 || maker.fills.len() < 8 || lost.iter().any(|lost| lost.hits() < 3) {
        assert!(Instant::now() < end, "{:?}, {} fills", maker.counts, maker.fills.len());
        assert!(maker.hear(Instant::now() + Duration::from_millis(50)).unwrap());
        maker.quote().unwrap();
        // Not more than one of a side, however little was heard of the one before; and not beyond the position.
        let open = user.open_orders(ACCOUNT);
        for side in [bitmax::sandbox::Side::Buy, bitmax::sandbox::Side::Sell] {
            assert!(open.iter().filter(|order| order.side == side).count() <= 1, "{open:?}");
        }
        let position = has(&user, "BTC") - Decimal::ONE;
        assert!(position.abs() <= maker.quoting.max_position, "{position}");
        // Again and again, until it has hit: it may be connecting just then.
        if maker.counts.outages < 3 && maker.fills.len() as u64 >= 2 * (maker.counts.outages + 1) {
            sandbox.sessions().iter().for_each(|session| session.break_off(Break::After(0)));
        }
    }
    let stopped = maker.stop();
    assert!(stopped.is_clean(), "{stopped}");
    assert_eq!(user.open_orders(ACCOUNT), []);
    assert_eq!(maker.resting(Side::Buy).chain(maker.resting(Side::Sell)).count(), 0);

    let [base, quote] = [has(&user, "BTC") - Decimal::ONE, has(&user, "USDT") - d(100_000, 0)];
    assert_eq!(maker.tally.position(), base);
    assert_eq!(maker.tally.profit(maker.mid), quote + base * maker.mid);
    // What was counted fill by fill comes to the same.
    let (bought, sold) = (&maker.tally.bought, &maker.tally.sold);
    assert_eq!(bought.size - sold.size, base);
    let from_fills = sold.notional - bought.notional - maker.tally.fees;
    assert!((from_fills - quote).abs() < d(1, 4), "{from_fills} and {quote}");
}

#[test]
fn it_is_stopped_from_elsewhere() {
    let sandbox = Sandbox::start().unwrap();
    let (mut maker, user) = maker_on(&sandbox);
    let end = Instant::now() + PATIENCE;
    while user.open_orders(ACCOUNT).len() < 2 {
        assert!(Instant::now() < end, "it does not quote");
        maker.quote().unwrap();
        assert!(maker.hear(Instant::now() + Duration::from_millis(50)).unwrap());
    }
    let handle = maker.handle();
    let stopping = std::thread::spawn(move || handle.stop(maker::TO_STOP));
    // The strategy goes on as if nothing were, until it is told.
    while maker.hear(Instant::now() + Duration::from_millis(5)).unwrap() {
        maker.quote().unwrap();
    }
    assert!(stopping.join().unwrap().is_clean());
    assert_eq!(user.open_orders(ACCOUNT), []);
    maker.quote().unwrap();
    assert!(maker.stop().is_clean());
    assert_eq!(user.open_orders(ACCOUNT), []);
}
