//! The sandbox's own participants in one product: a maker that keeps a ladder of quotes around where the price should
//! be, and a taker that trades against it. They place orders as anyone does.

use rust_decimal::Decimal;

use super::price::Random;
use crate::sandbox::engine::{
    AccountId, Engine, Fixed, NewOrder, OrderType, ProductSpec, Refusal, Side, TimeInForce, UserSettings,
};
use crate::{Asset, OrderId};

/// Levels a side that the maker keeps, about.
const LADDER: usize = 120;
/// What each participant has of each asset: enough for ever.
const WEALTH: i64 = 1_000_000_000_000;

#[derive(Debug)]
pub(super) struct House {
    maker: AccountId,
    taker: AccountId,
    spec: ProductSpec,
    /// What a usual order is of, in lots.
    usual_lots: u64,
    /// Times in a thousand that a step brings a trade.
    activity: u64,
    random: Random,
    orders: u64,
}

impl House {
    /// `usual_lots`: about what an order is of; `activity`: times in a thousand that a step brings a trade.
    pub(super) fn new(
        engine: &mut Engine,
        spec: &ProductSpec,
        usual_lots: u64,
        activity: u64,
        random: Random,
        now: u64,
    ) -> Self {
        let mut participant = |open_orders| {
            let settings = UserSettings { open_orders, closed_orders: 1, internal: true, ..UserSettings::default() };
            let account = engine.add_user(settings).cash();
            for asset in [spec.base, spec.quote] {
                endow(engine, account, asset, now);
            }
            account
        };
        let (maker, taker) = (participant(4 * LADDER), participant(4));
        Self { maker, taker, spec: spec.clone(), usual_lots, activity, random, orders: 0 }
    }

    /// One move of each, around this price in ticks.
    pub(super) fn step(&mut self, engine: &mut Engine, fair: i128, now: u64) {
        self.make(engine, fair, now);
        if self.random.chance(self.activity) {
            self.take(engine, fair, now);
        }
    }

    fn make(&mut self, engine: &mut Engine, fair: i128, now: u64) {
        let tick = Fixed::from_decimal(self.spec.tick_size).map_or(1, Fixed::units);
        // How far quotes go: two in a hundred, and never less than what the ladder needs.
        let reach = (fair / 50).max(4 * LADDER as i128);
        let mut counts = [0; 2];
        let mut best = [reach; 2];
        let mut stale = Vec::new();
        for order in engine.open_orders(self.maker) {
            let ticks = order.price.unwrap_or_default().units() / tick;
            let (n, away) = if order.side == Side::Buy { (0, fair - ticks) } else { (1, ticks - fair) };
            // What the price has passed or left behind, and now and then any other.
            if away < 1 || away > reach || self.random.chance(4) {
                stale.push(order.id);
            } else if let (Some(count), Some(best)) = (counts.get_mut(n), best.get_mut(n)) {
                *count += 1;
                *best = away.min(*best);
            }
        }
        for id in stale {
            note(engine.cancel(self.maker, id, now));
        }
        for (side, (count, best)) in [Side::Buy, Side::Sell].into_iter().zip(counts.into_iter().zip(best)) {
            let near = 1 + fair / 5_000;
            let missing = LADDER.saturating_sub(count);
            // All at once in the beginning, later a few at a time.
            let wanted = if missing > LADDER / 2 { missing } else { missing.min(3) };
            for n in 0..wanted.max(usize::from(best > near)) {
                let away = if n == 0 && best > near { self.near(near) } else { self.away(reach) };
                let ticks = if side == Side::Buy { fair - away } else { fair + away };
                if ticks > 0 {
                    let lots = self.lots(6);
                    self.place(engine, self.maker, side, ticks, lots, TimeInForce::Gtc, now);
                }
            }
        }
    }

    fn take(&mut self, engine: &mut Engine, fair: i128, now: u64) {
        let side = if self.random.chance(500) { Side::Buy } else { Side::Sell };
        // As far as it would follow the price: a thousandth.
        let away = 1 + fair / 1_000;
        let ticks = if side == Side::Buy { fair + away } else { (fair - away).max(1) };
        let lots = self.lots(2);
        self.place(engine, self.taker, side, ticks, lots, TimeInForce::Ioc, now);
    }

    /// A distance close to the price, in ticks.
    fn near(&mut self, near: i128) -> i128 {
        1 + i128::from(self.random.below(u64::try_from(near).unwrap_or(u64::MAX)))
    }

    /// A distance from the price, in ticks: the closer the more likely.
    fn away(&mut self, reach: i128) -> i128 {
        let at = i128::from(self.random.below(1 << 10));
        1 + (reach - 1) * at * at * at / (1 << 30)
    }

    /// A quantity in lots, from a few to `times` the usual.
    fn lots(&mut self, times: u64) -> u64 {
        let most = self.usual_lots * (1 + self.random.below(times));
        most / 8 + self.random.below(most) + 1
    }

    #[allow(clippy::too_many_arguments, reason = "one call's worth of an order")]
    fn place(
        &mut self,
        engine: &mut Engine,
        account: AccountId,
        side: Side,
        ticks: i128,
        lots: u64,
        time_in_force: TimeInForce,
        now: u64,
    ) {
        self.orders += 1;
        let Ok(id) = OrderId::new(&format!("h{}-{:x}", self.spec.symbol, self.orders)) else { return };
        let Ok(ticks) = i64::try_from(ticks) else { return };
        let order = NewOrder {
            id,
            client_id: None,
            account,
            symbol: self.spec.symbol,
            side,
            order_type: OrderType::Limit,
            quantity: Decimal::from(lots) * self.spec.lot_size,
            price: Some(Decimal::from(ticks) * self.spec.tick_size),
            stop_price: None,
            time_in_force,
            post_only: false,
        };
        note(engine.place(&order, now));
    }
}

fn endow(engine: &mut Engine, account: AccountId, asset: Asset, now: u64) {
    note(engine.deposit(account, asset, Decimal::from(WEALTH), now));
}

/// A refusal (a halted product, say) is how the market is: the participants try again with their next move.
fn note(result: Result<(), Refusal>) {
    if let Err(refusal) = result {
        log::trace!("the house's order: {refusal}");
    }
}
