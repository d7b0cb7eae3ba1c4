//! Each rule by example, and what holds for any sequence of commands.

mod kept;
mod money;
mod orders;
mod product;
mod properties;
mod stops;

use super::*;

pub(super) fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn fixed(text: &str) -> Fixed {
    Fixed::from_decimal(dec(text)).unwrap()
}

pub(super) fn symbol(text: &str) -> Symbol {
    Symbol::new(text).unwrap()
}

pub(super) fn asset(text: &str) -> Asset {
    Asset::new(text).unwrap()
}

/// BTC/USDT with round figures: tick 0.01, lot 0.001, notional from 5 to 1 000 000, fees 0.1 % (maker) and 0.2 %.
pub(super) fn btc(commission: Commission) -> ProductSpec {
    ProductSpec {
        symbol: symbol("BTC/USDT"),
        base: asset("BTC"),
        quote: asset("USDT"),
        tick_size: dec("0.01"),
        lot_size: dec("0.001"),
        min_qty: dec("0.001"),
        max_qty: dec("1000"),
        min_notional: dec("5"),
        max_notional: dec("1000000"),
        commission,
        reserve_rate: dec("0.002"),
        maker_fee: dec("0.001"),
        taker_fee: dec("0.002"),
        margin_tradable: true,
        status: Status::Normal,
    }
}

/// An exchange of one product, two users with 100 BTC and 1 000 000 USDT each, and short ways to trade on it.
pub(super) struct Floor {
    pub(super) engine: Engine,
    pub(super) alice: AccountId,
    pub(super) bob: AccountId,
    pub(super) now: u64,
    ids: u32,
}

impl Floor {
    pub(super) fn new() -> Self {
        Self::with(btc(Commission::Quote))
    }

    pub(super) fn with(product: ProductSpec) -> Self {
        let mut engine = Engine::new(Settings::default());
        engine.add_product(&product).unwrap();
        let [alice, bob] = [(); 2].map(|()| engine.add_user(UserSettings::default()).cash());
        for account in [alice, bob] {
            engine.deposit(account, asset("BTC"), dec("100"), 0).unwrap();
            engine.deposit(account, asset("USDT"), dec("1000000"), 0).unwrap();
        }
        engine.drain_events();
        Self { engine, alice, bob, now: 1000, ids: 0 }
    }

    /// A limit order, say `"buy 1.5 @ 100"`; `market` in place of the price, `stop 90` after it.
    pub(super) fn order(&mut self, account: AccountId, text: &str) -> NewOrder {
        let mut words = text.split(' ');
        let side = if words.next() == Some("buy") { Side::Buy } else { Side::Sell };
        let quantity = dec(words.next().unwrap());
        let (mut price, mut stop_price) = (None, None);
        while let Some(word) = words.next() {
            match word {
                "@" => price = Some(dec(words.next().unwrap())),
                "stop" => stop_price = Some(dec(words.next().unwrap())),
                "market" => {}
                _ => panic!("{word}"),
            }
        }
        let order_type = match (price, stop_price) {
            (None, None) => OrderType::Market,
            (Some(_), None) => OrderType::Limit,
            (None, Some(_)) => OrderType::StopMarket,
            (Some(_), Some(_)) => OrderType::StopLimit,
        };
        self.ids += 1;
        NewOrder {
            id: OrderId::new(&format!("o{}", self.ids)).unwrap(),
            client_id: None,
            account,
            symbol: symbol("BTC/USDT"),
            side,
            order_type,
            quantity,
            price,
            stop_price,
            time_in_force: TimeInForce::Gtc,
            post_only: false,
        }
    }

    pub(super) fn submit(&mut self, order: &NewOrder) -> Result<Vec<Event>, Refusal> {
        self.now += 1;
        self.engine.drain_events();
        let answer = self.engine.place(order, self.now);
        let events = self.engine.drain_events().collect::<Vec<_>>();
        properties::audit(&self.engine);
        assert!(answer.is_ok() || events.is_empty());
        answer.map(|()| events)
    }

    /// Places an order that must be taken; its id and what it caused.
    pub(super) fn place(&mut self, account: AccountId, text: &str) -> (OrderId, Vec<Event>) {
        let order = self.order(account, text);
        let events = self.submit(&order).unwrap();
        (order.id, events)
    }

    pub(super) fn refuse(&mut self, account: AccountId, text: &str) -> Refusal {
        let order = self.order(account, text);
        assert_eq!(self.engine.check(&order), self.submit(&order).map(|_| ()));
        self.submit(&order).unwrap_err()
    }

    pub(super) fn cancel(&mut self, account: AccountId, id: OrderId) -> Result<Vec<Event>, Refusal> {
        self.now += 1;
        let answer = self.engine.cancel(account, id, self.now);
        let events = self.engine.drain_events().collect();
        properties::audit(&self.engine);
        answer.map(|()| events)
    }

    pub(super) fn get(&self, account: AccountId, id: OrderId) -> &Order {
        self.engine.order(account, id).unwrap()
    }

    pub(super) fn status(&self, account: AccountId, id: OrderId) -> &'static str {
        self.get(account, id).status.as_str()
    }

    /// Total and available of an asset, `"100/90"`.
    pub(super) fn balance(&self, account: AccountId, name: &str) -> String {
        let balance = self.engine.balance(account, asset(name));
        format!("{}/{}", balance.total, balance.available())
    }

    /// The book, `"bids | asks"`, best first.
    pub(super) fn book(&self) -> String {
        let book = self.engine.book(symbol("BTC/USDT"), 100).unwrap();
        let side = |levels: &[Level]| {
            levels.iter().map(|level| format!("{}x{}", level.size, level.price)).collect::<Vec<_>>().join(" ")
        };
        format!("{} | {}", side(&book.bids), side(&book.asks))
    }
}

/// Events in short: an order as `id status`, with the fill; others by what they carry.
pub(super) fn short(events: &[Event]) -> Vec<String> {
    let level = |level: &Option<Level>| level.map_or("-".into(), |level| format!("{}x{}", level.size, level.price));
    events
        .iter()
        .map(|event| match event {
            Event::Order(update) => {
                let (id, status) = (update.order.id, update.order.status);
                match update.change {
                    Change::Accepted => format!("{id} {status}"),
                    Change::Rested => format!("{id} {status} rests"),
                    Change::Filled(fill) => format!("{id} {status} {}x{} fee {}", fill.quantity, fill.price, fill.fee),
                    Change::Ended => format!("{id} {status} {}", update.order.error.map_or("-", |e| e.as_str())),
                }
            }
            Event::Balance(update) => {
                format!("balance {} {} by {}", update.asset, update.balance.total, update.delta)
            }
            Event::Trade(trade) => {
                let maker = if trade.buyer_is_maker { "buyer" } else { "seller" };
                format!("trade {}x{} maker {maker}", trade.quantity, trade.price)
            }
            Event::Level(change) => format!("level {} {}", change.side, level(&Some(change.level))),
            Event::Bbo(bbo) => format!("bbo {} {}", level(&bbo.bid), level(&bbo.ask)),
        })
        .collect()
}
