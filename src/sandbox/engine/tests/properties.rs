use std::collections::{BTreeMap, HashMap};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::ledger::AccountIx;
use super::super::orders::OrderIx;
use super::*;

/// What must hold after every command.
pub(super) fn audit(engine: &Engine) {
    let accounts: Vec<AccountId> = (0..)
        .map_while(|user| {
            let user = UserId(user);
            engine.ledger.account(user.cash()).map(|_| [user.cash(), user.margin()])
        })
        .flatten()
        .collect();

    let mut held: HashMap<(AccountIdKey, Asset), Fixed> = HashMap::new();
    let mut levels: BTreeMap<(Symbol, bool, Fixed), Fixed> = BTreeMap::new();
    for account in &accounts {
        let ix = engine.ledger.account(*account).unwrap();
        for order in engine.orders.open(Some(ix)) {
            let (name, hold) = audit_open_order(engine, ix, order);
            *held.entry((key(*account), name)).or_default() += hold;
            let order = &engine.orders[order].order;
            if order.status != OrderStatus::PendingNew {
                let level = (order.symbol, order.side == Side::Buy, order.price.expect("what rests has a price"));
                *levels.entry(level).or_default() += order.quantity - order.filled;
            }
        }
        for order in engine.closed_orders(*account) {
            assert!(!order.status.is_open(), "{order:?}");
        }
    }

    for (name, asset) in engine.ledger.assets() {
        let mut sum = engine.ledger.fees(asset);
        assert!(sum >= Fixed::ZERO);
        for account in &accounts {
            let balance = engine.balance(*account, name);
            assert!(
                balance.held >= Fixed::ZERO && balance.available() >= Fixed::ZERO,
                "{account:?} {name} {balance:?}"
            );
            let orders = held.remove(&(key(*account), name)).unwrap_or_default();
            assert_eq!(balance.held, orders, "{account:?} {name}: what is held is what the open orders hold");
            sum += balance.total;
        }
        assert_eq!(sum, engine.supply(name), "{name} is conserved");
        assert_eq!(sum, engine.fees(name) + engine.held_by_all(name));
    }

    for name in ["BTC/USDT", "ETH/USDT", "ETH/BTC", "ASD/USDT"].map(symbol) {
        let Some(book) = engine.book(name, usize::MAX) else { continue };
        if let (Some(bid), Some(ask)) = (book.bids.first(), book.asks.first()) {
            assert!(bid.price < ask.price, "{name} is crossed");
        }
        assert!(book.bids.is_sorted_by(|a, b| a.price > b.price) && book.asks.is_sorted_by(|a, b| a.price < b.price));
        let bbo = engine.bbo(name).unwrap();
        assert_eq!((bbo.bid.as_ref(), bbo.ask.as_ref()), (book.bids.first(), book.asks.first()));
        for (buy, side) in [(true, book.bids), (false, book.asks)] {
            for level in side {
                assert_eq!(levels.remove(&(name, buy, level.price)), Some(level.size), "{name} {}", level.price);
            }
        }
    }
    assert!(levels.is_empty(), "open orders that are not on the book: {levels:?}");
}

type AccountIdKey = (usize, bool);

fn key(account: AccountId) -> AccountIdKey {
    (account.user.0, account.category == Category::Margin)
}

/// The asset and the amount that an open order holds.
fn audit_open_order(engine: &Engine, account: AccountIx, ix: OrderIx) -> (Asset, Fixed) {
    let entry = &engine.orders[ix];
    let product = &engine.listings[entry.product].product;
    let order = &entry.order;
    assert!(order.status.is_open() && entry.open > 0 && entry.account == account, "{order:?}");
    assert_eq!(order.filled + product.qty(u128::from(entry.open)), order.quantity);
    assert_eq!(entry.hold, product.hold(order.side, entry.limit.or(entry.stop), entry.open));
    (if order.side == Side::Buy { product.quote_asset } else { product.base_asset }, entry.hold)
}

const SYMBOLS: [&str; 3] = ["BTC/USDT", "ETH/BTC", "ASD/USDT"];
const ASSETS: [&str; 4] = ["USDT", "BTC", "ETH", "ASD"];

/// Three products that commission in each way, fees that do not come out even, and three users with a little of all.
fn exchange() -> Engine {
    let mut engine = Engine::new(Settings { first_sn: 1 << 40, first_trade: 1 << 57 });
    let kinds = [Commission::Quote, Commission::Base, Commission::Received];
    for (name, commission) in SYMBOLS.into_iter().zip(kinds) {
        let name = symbol(name);
        let mut spec = btc(commission);
        (spec.symbol, spec.base, spec.quote) = (name, asset(name.base()), asset(name.quote().unwrap()));
        (spec.tick_size, spec.lot_size, spec.min_qty) = (dec("0.000001"), dec("0.001"), dec("0.001"));
        (spec.min_notional, spec.maker_fee) = (dec("0"), dec("0.000333333"));
        // As high as the reserve, so that a hold that is a unit short shows.
        (spec.taker_fee, spec.reserve_rate) = (dec("0.001999999"), dec("0.001999999"));
        engine.add_product(&spec).unwrap();
    }
    for user in 0..3 {
        let settings = UserSettings {
            open_orders: 30,
            closed_orders: [0, 3, 1000][user],
            internal: user == 2,
            fee_percent: [100, 33, 0][user],
            ..UserSettings::default()
        };
        let user = engine.add_user(settings);
        for name in ASSETS {
            engine.deposit(user.cash(), asset(name), dec("0.05"), 0).unwrap();
            engine.deposit(user.margin(), asset(name), dec("0.01"), 0).unwrap();
        }
    }
    engine
}

#[derive(Debug, Clone)]
enum Command {
    Place(Placing),
    Batch(Vec<Placing>),
    Cancel { user: usize, margin: bool, at: usize },
    CancelAll { user: usize, margin: bool, product: Option<usize> },
    Status { product: usize, status: Status },
    Deposit { user: usize, asset: usize, units: i128 },
    Withdraw { user: usize, asset: usize, units: i128 },
    Transfer { from: usize, to: usize, margin: bool, asset: usize, units: i128 },
}

#[derive(Debug, Clone)]
struct Placing {
    user: usize,
    margin: bool,
    product: usize,
    buy: bool,
    order_type: OrderType,
    lots: i64,
    ticks: i64,
    stop: i64,
    time_in_force: TimeInForce,
    post_only: bool,
}

fn placing() -> impl Strategy<Value = Placing> {
    let order_type = prop_oneof![
        6 => Just(OrderType::Limit),
        2 => Just(OrderType::Market),
        1 => Just(OrderType::StopLimit),
        1 => Just(OrderType::StopMarket),
    ];
    let time_in_force =
        prop_oneof![6 => Just(TimeInForce::Gtc), 1 => Just(TimeInForce::Ioc), 1 => Just(TimeInForce::Fok)];
    // Few prices, so that orders meet; now and then a price with a fraction that makes fees uneven.
    let price = || prop_oneof![8 => (97i64..104).prop_map(|p| p * 10_000), 1 => 970_000i64..1_030_000];
    let who = (0..3usize, prop::bool::weighted(0.2), 0..3usize, any::<bool>());
    (who, order_type, 1i64..20, price(), price(), time_in_force, prop::bool::weighted(0.1)).prop_map(
        |((user, margin, product, buy), order_type, lots, ticks, stop, time_in_force, post_only)| Placing {
            user,
            margin,
            product,
            buy,
            order_type,
            lots,
            ticks,
            stop,
            time_in_force,
            post_only,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let status = prop_oneof![
        4 => Just(Status::Normal),
        1 => Just(Status::NoTrading),
        1 => Just(Status::InternalTrading),
    ];
    let units = || 1i128..20_000_000_000;
    prop_oneof![
        20 => placing().prop_map(Command::Place),
        1 => vec(placing(), 1..5).prop_map(Command::Batch),
        4 => (0..3usize, any::<bool>(), 0..30usize).prop_map(|(user, margin, at)| Command::Cancel { user, margin, at }),
        1 => (0..3usize, any::<bool>(), prop::option::of(0..3usize))
            .prop_map(|(user, margin, product)| Command::CancelAll { user, margin, product }),
        1 => (0..3usize, status).prop_map(|(product, status)| Command::Status { product, status }),
        1 => (0..3usize, 0..4usize, units()).prop_map(|(user, asset, units)| Command::Deposit { user, asset, units }),
        1 => (0..3usize, 0..4usize, units()).prop_map(|(user, asset, units)| Command::Withdraw { user, asset, units }),
        1 => (0..3usize, 0..3usize, any::<bool>(), 0..4usize, units())
            .prop_map(|(from, to, margin, asset, units)| Command::Transfer { from, to, margin, asset, units }),
    ]
}

fn account(user: usize, margin: bool) -> AccountId {
    if margin { UserId(user).margin() } else { UserId(user).cash() }
}

fn new_order(placing: &Placing, id: u64) -> NewOrder {
    let price = |ticks| Some(Decimal::new(ticks, 6));
    NewOrder {
        id: OrderId::new(&id.to_string()).unwrap(),
        client_id: ClientId::new("abc"),
        account: account(placing.user, placing.margin),
        symbol: symbol(SYMBOLS[placing.product]),
        side: if placing.buy { Side::Buy } else { Side::Sell },
        order_type: placing.order_type,
        quantity: Decimal::new(placing.lots, 3),
        price: price(placing.ticks),
        stop_price: price(placing.stop),
        time_in_force: placing.time_in_force,
        post_only: placing.post_only,
    }
}

/// Runs a command; whether it was taken.
fn run(engine: &mut Engine, command: &Command, now: u64) -> bool {
    let amount = |units| Fixed::from_units(units).decimal();
    match command {
        Command::Place(placing) => engine.place(&new_order(placing, now), now).is_ok(),
        Command::Batch(placings) => {
            let orders: Vec<_> = placings
                .iter()
                .enumerate()
                .map(|(at, placing)| new_order(placing, now + (at as u64) * 1_000_000))
                .collect();
            engine.place_batch(&orders, now).is_ok()
        }
        Command::Cancel { user, margin, at } => {
            let account = account(*user, *margin);
            let id = engine.open_orders(account).nth(*at).map(|order| order.id);
            id.is_some_and(|id| engine.cancel(account, id, now).is_ok())
        }
        Command::CancelAll { user, margin, product } => {
            engine.cancel_all(account(*user, *margin), product.map(|at| symbol(SYMBOLS[at])), now) > 0
        }
        Command::Status { product, status } => engine.set_status(symbol(SYMBOLS[*product]), *status).is_ok(),
        Command::Deposit { user, asset: at, units } => {
            engine.deposit(account(*user, false), asset(ASSETS[*at]), amount(*units), now).is_ok()
        }
        Command::Withdraw { user, asset: at, units } => {
            engine.withdraw(account(*user, false), asset(ASSETS[*at]), amount(*units), now).is_ok()
        }
        Command::Transfer { from, to, margin, asset: at, units } => engine
            .transfer(account(*from, false), account(*to, *margin), asset(ASSETS[*at]), amount(*units), now)
            .is_ok(),
    }
}

/// What a consumer that sees only events makes of them.
#[derive(Default)]
struct Mirror {
    books: BTreeMap<(Symbol, bool), BTreeMap<Fixed, Fixed>>,
    bbos: BTreeMap<Symbol, Bbo>,
    orders: HashMap<OrderId, Order>,
    balances: HashMap<(AccountIdKey, Asset), Balance>,
    last_sn: u64,
    last_trade: u64,
}

impl Mirror {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Order(update) => {
                let order = &update.order;
                assert!(order.sn > self.last_sn, "{order:?}");
                self.last_sn = order.sn;
                let expected = match update.change {
                    Change::Accepted => matches!(order.status, OrderStatus::New | OrderStatus::PendingNew),
                    Change::Rested => matches!(order.status, OrderStatus::New | OrderStatus::PartiallyFilled),
                    Change::Filled(_) => matches!(order.status, OrderStatus::PartiallyFilled | OrderStatus::Filled),
                    Change::Ended => matches!(order.status, OrderStatus::Canceled | OrderStatus::Rejected),
                };
                assert!(expected, "{update:?}");
                if let Change::Filled(fill) = update.change {
                    let before = &self.orders[&order.id];
                    assert_eq!(before.filled + fill.quantity, order.filled);
                    assert_eq!(before.filled_notional + fill.notional, order.filled_notional);
                    assert_eq!(before.fee + fill.fee, order.fee);
                }
                for (name, balance) in
                    [(order.symbol.base(), update.base), (order.symbol.quote().unwrap(), update.quote)]
                {
                    self.balances.insert((key(order.account), asset(name)), balance);
                }
                self.orders.insert(order.id, order.clone());
            }
            Event::Balance(update) => {
                assert!(update.sn > self.last_sn);
                self.last_sn = update.sn;
                self.balances.insert((key(update.account), update.asset), update.balance);
            }
            Event::Trade(trade) => {
                assert!(trade.seqnum > self.last_trade && trade.quantity.is_positive());
                self.last_trade = trade.seqnum;
            }
            Event::Level(change) => {
                let side = self.books.entry((change.symbol, change.side == Side::Buy)).or_default();
                let before = if change.level.size.is_zero() {
                    side.remove(&change.level.price)
                } else {
                    side.insert(change.level.price, change.level.size)
                };
                assert_ne!(before.unwrap_or_default(), change.level.size, "a change changes something");
            }
            Event::Bbo(bbo) => {
                let before = self.bbos.insert(bbo.symbol, *bbo);
                assert_ne!(before.map(|b| (b.bid, b.ask)), Some((bbo.bid, bbo.ask)));
            }
        }
    }

    fn compare(&self, engine: &Engine) {
        for name in SYMBOLS.map(symbol) {
            let book = engine.book(name, usize::MAX).unwrap();
            for (buy, mut levels) in [(true, book.bids), (false, book.asks)] {
                levels.sort_by_key(|level| level.price);
                let levels: Vec<_> = levels.into_iter().map(|level| (level.price, level.size)).collect();
                let mirrored: Vec<_> =
                    self.books.get(&(name, buy)).into_iter().flatten().map(|(price, size)| (*price, *size)).collect();
                assert_eq!(levels, mirrored);
            }
            let bbo = engine.bbo(name).unwrap();
            let mirrored = self.bbos.get(&name).map_or((None, None), |bbo| (bbo.bid, bbo.ask));
            assert_eq!((bbo.bid, bbo.ask), mirrored);
        }
        for (id, order) in &self.orders {
            if let Some(now) = engine.order(order.account, *id) {
                assert_eq!(now, order);
            } else {
                assert!(!order.status.is_open(), "{order:?} was forgotten");
            }
        }
        for user in 0..3 {
            for margin in [false, true] {
                let account = account(user, margin);
                for name in ASSETS.map(asset) {
                    assert_eq!(engine.balance(account, name), self.balances[&(key(account), name)]);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_sequence_of_commands_keeps_the_books(commands in vec(command(), 1..150)) {
        let mut engine = exchange();
        let mut mirror = Mirror::default();
        for (at, command) in commands.iter().enumerate() {
            let pending = engine.events.len();
            let taken = run(&mut engine, command, at as u64);
            prop_assert!(taken || engine.events.len() == pending, "{:?} was refused and did something", command);
            for event in engine.drain_events() {
                mirror.apply(&event);
            }
            audit(&engine);
            mirror.compare(&engine);
        }
    }

    #[test]
    fn the_same_commands_give_the_same_events(commands in vec(command(), 1..150)) {
        let run_all = || {
            let mut engine = exchange();
            for (at, command) in commands.iter().enumerate() {
                run(&mut engine, command, at as u64);
            }
            let open: Vec<_> = (0..3).flat_map(|user| engine.open_orders(account(user, false))).cloned().collect();
            (engine.drain_events().collect::<Vec<_>>(), open)
        };
        let (first, second) = (run_all(), run_all());
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
        prop_assert_eq!(first, second);
    }

    #[test]
    fn price_and_time_decide_who_trades(placings in vec(placing(), 1..100)) {
        let mut engine = exchange();
        let mut floor = Plain::default();
        for (at, placing) in placings.iter().enumerate() {
            let placing = Placing {
                margin: false,
                product: 0,
                order_type: OrderType::Limit,
                time_in_force: TimeInForce::Gtc,
                post_only: false,
                ..placing.clone()
            };
            // Enough money that balances do not matter, and room for all orders.
            engine.deposit(account(placing.user, false), asset("USDT"), dec("100000"), 0).unwrap();
            engine.deposit(account(placing.user, false), asset("BTC"), dec("1000"), 0).unwrap();
            engine.drain_events();
            let order = new_order(&placing, at as u64);
            if engine.check(&order) == Err(Refusal::TooManyOrders) {
                continue;
            }
            engine.place(&order, at as u64).unwrap();
            let makers: Vec<_> = engine
                .drain_events()
                .filter_map(|event| match event {
                    Event::Order(update) => match update.change {
                        Change::Filled(fill) if fill.maker => Some((update.order.id, fill.quantity)),
                        _ => None,
                    },
                    _ => None,
                })
                .collect();
            let expected: Vec<_> = floor
                .place(&placing, at)
                .into_iter()
                .map(|(id, lots)| (OrderId::new(&id.to_string()).unwrap(), Fixed::from_units(lots as i128 * 1_000_000_000)))
                .collect();
            prop_assert_eq!(makers, expected);
        }
    }
}

/// Matching in its plainest form: a list of open orders, searched through for each trade.
#[derive(Default)]
struct Plain {
    open: Vec<(usize, Placing)>,
}

impl Plain {
    /// The makers that an order trades with and the lots of each.
    fn place(&mut self, placing: &Placing, id: usize) -> Vec<(usize, i64)> {
        let mut taker = placing.clone();
        let mut trades = Vec::new();
        loop {
            let best = self
                .open
                .iter()
                .enumerate()
                .filter(|(_, (_, maker))| maker.buy != taker.buy)
                .filter(
                    |(_, (_, maker))| if taker.buy { maker.ticks <= taker.ticks } else { maker.ticks >= taker.ticks },
                )
                .min_by_key(|(_, (id, maker))| (if taker.buy { maker.ticks } else { -maker.ticks }, *id))
                .map(|(at, _)| at);
            let Some(at) = best else {
                self.open.push((id, taker));
                return trades;
            };
            let (maker_id, maker) = &mut self.open[at];
            if maker.user == taker.user {
                return trades;
            }
            let lots = maker.lots.min(taker.lots);
            trades.push((*maker_id, lots));
            maker.lots -= lots;
            taker.lots -= lots;
            if maker.lots == 0 {
                self.open.remove(at);
            }
            if taker.lots == 0 {
                return trades;
            }
        }
    }
}
