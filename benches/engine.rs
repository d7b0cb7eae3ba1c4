//! How many order messages a second the sandbox's matching core takes on one core.
//!
//! Three mixes, each on a book of 500 levels a side with two orders at each: `rest_and_cancel` (as makers do),
//! `cross` (every second order trades with the one before), and `mix` (of ten messages five rest, four cancel one of
//! them, one takes what two or three of them offer). The figure counts messages: each order and each cancel is one.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::hint::black_box;
use std::time::Instant;

use bitmax::sandbox::engine::{
    AccountId, Commission, Engine, Event, NewOrder, OrderType, ProductSpec, Settings, Side, Status, TimeInForce,
    UserSettings,
};
use bitmax::{Asset, Decimal, OrderId, Symbol};
use criterion::{BatchSize, Criterion, Throughput};

const MESSAGES: usize = 10_000;
const MID: i64 = 6_000_000; // 60 000.00 in ticks

enum Message {
    Place(NewOrder),
    Cancel(AccountId, OrderId),
}

struct Bench {
    engine: Engine,
    maker: AccountId,
    taker: AccountId,
    ids: u64,
    seed: u64,
}

impl Bench {
    fn new() -> Self {
        let [btc, usdt] = ["BTC", "USDT"].map(|asset| Asset::new(asset).unwrap());
        let mut engine = Engine::new(Settings::default());
        engine
            .add_product(&ProductSpec {
                symbol: Symbol::new("BTC/USDT").unwrap(),
                base: btc,
                quote: usdt,
                tick_size: Decimal::new(1, 2),
                lot_size: Decimal::new(1, 5),
                min_qty: Decimal::new(1, 9),
                max_qty: Decimal::from(1_000_000_000),
                min_notional: Decimal::from(5),
                max_notional: Decimal::from(400_000),
                commission: Commission::Quote,
                reserve_rate: Decimal::new(1, 3),
                maker_fee: Decimal::new(1, 3),
                taker_fee: Decimal::new(1, 3),
                margin_tradable: true,
                status: Status::Normal,
            })
            .unwrap();
        let settings = UserSettings { open_orders: 1_000_000, closed_orders: 1000, ..UserSettings::default() };
        let [maker, taker] = [(); 2].map(|()| engine.add_user(settings).cash());
        for account in [maker, taker] {
            engine.deposit(account, btc, Decimal::from(1_000_000), 0).unwrap();
            engine.deposit(account, usdt, Decimal::from(1_000_000_000_000i64), 0).unwrap();
        }
        let mut bench = Self { engine, maker, taker, ids: 0, seed: 1 };
        for level in 1..=500 {
            for _ in 0..2 {
                let account = bench.maker;
                let bid = bench.limit(account, Side::Buy, MID - level * 10, 100);
                let ask = bench.limit(account, Side::Sell, MID + level * 10, 100);
                bench.engine.place(&bid, 1).unwrap();
                bench.engine.place(&ask, 1).unwrap();
            }
        }
        bench.engine.drain_events();
        bench
    }

    /// The next of a fixed sequence of numbers below a bound.
    fn draw(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    fn limit(&mut self, account: AccountId, side: Side, ticks: i64, lots: i64) -> NewOrder {
        self.ids += 1;
        NewOrder {
            // As long as a real one.
            id: OrderId::new(&format!("a16eee206d610866943712{:010}", self.ids)).unwrap(),
            client_id: None,
            account,
            symbol: Symbol::new("BTC/USDT").unwrap(),
            side,
            order_type: OrderType::Limit,
            quantity: Decimal::new(lots, 5),
            price: Some(Decimal::new(ticks, 2)),
            stop_price: None,
            time_in_force: TimeInForce::Gtc,
            post_only: false,
        }
    }

    /// An order that rests at one of the 500 best levels.
    fn resting(&mut self) -> NewOrder {
        let distance = 10 + self.draw(5000) as i64;
        let (side, ticks) = if self.draw(2) == 0 { (Side::Buy, MID - distance) } else { (Side::Sell, MID + distance) };
        let lots = 10 + self.draw(100) as i64;
        let account = self.maker;
        self.limit(account, side, ticks, lots)
    }

    fn rest_and_cancel(&mut self) -> Vec<Message> {
        let mut open = Vec::new();
        (0..MESSAGES)
            .map(|at| {
                if at % 2 == 1 || open.len() > 500 {
                    let which = self.draw(open.len() as u64) as usize;
                    Message::Cancel(self.maker, open.swap_remove(which))
                } else {
                    let order = self.resting();
                    open.push(order.id);
                    Message::Place(order)
                }
            })
            .collect()
    }

    fn cross(&mut self) -> Vec<Message> {
        (0..MESSAGES)
            .map(|at| {
                let (account, side) = if at % 2 == 0 { (self.maker, Side::Buy) } else { (self.taker, Side::Sell) };
                Message::Place(self.limit(account, side, MID, 50))
            })
            .collect()
    }

    fn mix(&mut self) -> Vec<Message> {
        // Cancels are of orders too far from the middle to have traded.
        let mut far = Vec::new();
        (0..MESSAGES)
            .map(|at| match at % 10 {
                0 | 2 | 4 | 6 => {
                    let mut order = self.resting();
                    let away = Decimal::from(200);
                    order.price = order.price.map(|p| if order.side == Side::Buy { p - away } else { p + away });
                    far.push(order.id);
                    Message::Place(order)
                }
                8 => Message::Place(self.resting()),
                1 | 3 | 5 | 7 => {
                    let which = self.draw(far.len() as u64) as usize;
                    Message::Cancel(self.maker, far.swap_remove(which))
                }
                _ => {
                    let account = self.taker;
                    let (side, ticks) =
                        if self.draw(2) == 0 { (Side::Buy, MID + 9000) } else { (Side::Sell, MID - 9000) };
                    Message::Place(self.limit(account, side, ticks, 150))
                }
            })
            .collect()
    }
}

/// Handles messages as the server would: each command's events are drained after it.
fn run(mut engine: Engine, messages: &[Message]) -> (Engine, usize) {
    let mut trades = 0;
    for (now, message) in messages.iter().enumerate() {
        match message {
            Message::Place(order) => engine.place(order, now as u64).unwrap(),
            Message::Cancel(account, id) => engine.cancel(*account, *id, now as u64).unwrap(),
        }
        trades += engine.drain_events().filter(|event| matches!(black_box(event), Event::Trade(_))).count();
    }
    (engine, trades)
}

fn engine(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(MESSAGES as u64));
    for (name, messages) in [
        ("rest_and_cancel", Bench::rest_and_cancel as fn(&mut Bench) -> Vec<Message>),
        ("cross", Bench::cross),
        ("mix", Bench::mix),
    ] {
        let setup = || {
            let mut bench = Bench::new();
            let messages = messages(&mut bench);
            (bench.engine, messages)
        };
        let (fresh, list) = setup();
        println!("{name}: {} trades in {MESSAGES} messages", run(fresh, &list).1);
        group.bench_function(name, |b| {
            b.iter_batched(setup, |(engine, messages)| (run(engine, &messages), messages), BatchSize::LargeInput);
        });
    }
    group.finish();
}

/// Order messages of the mix a second: the most of some runs, as others may be disturbed.
fn rate() -> f64 {
    let run_once = || {
        let mut bench = Bench::new();
        let messages = bench.mix();
        let began = Instant::now();
        black_box(run(bench.engine, &messages));
        MESSAGES as f64 / began.elapsed().as_secs_f64()
    };
    (0..20).map(|_| run_once()).fold(0.0, f64::max)
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    engine(&mut criterion);
    criterion.final_summary();
    if common::measuring() {
        common::report();
        let rate = rate();
        println!("{rate:.0} order messages a second");
        common::ratio("engine: mixed order messages a second / 200 000", rate / 200_000.0, "≥ 1.0");
    }
}
