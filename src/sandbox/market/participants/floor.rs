//! What all participants in a product share: its figures, a source of chance, and the way to place an order.

use rust_decimal::Decimal;

use crate::sandbox::engine::{AccountId, Engine, Fixed, NewOrder, OrderType, ProductSpec, Refusal, Side, TimeInForce};
use crate::sandbox::market::price::Random;
use crate::{OrderId, Symbol};

#[derive(Debug)]
pub(super) struct Floor {
    pub(super) symbol: Symbol,
    tick: Decimal,
    lot: Decimal,
    pub(super) tick_units: i128,
    usual_units: i128,
    /// What a usual order is of.
    pub(super) usual_lots: u64,
    pub(super) random: Random,
    orders: u64,
}

impl Floor {
    pub(super) fn new(spec: &ProductSpec, usual_lots: u64, random: Random) -> Self {
        let units = |size| Fixed::from_decimal(size).map_or(1, Fixed::units).max(1);
        Self {
            symbol: spec.symbol,
            tick: spec.tick_size,
            lot: spec.lot_size,
            tick_units: units(spec.tick_size),
            usual_units: units(spec.lot_size) * i128::from(usual_lots.max(1)),
            usual_lots,
            random,
            orders: 0,
        }
    }

    /// A quantity in thousandths of a usual order.
    pub(super) fn usual(&self, quantity: Fixed) -> i128 {
        quantity.units() * 1_000 / self.usual_units
    }

    /// A quantity in lots, from a few to `times` the usual.
    pub(super) fn lots(&mut self, times: u64) -> u64 {
        let most = self.usual_lots * (1 + self.random.below(times));
        most / 8 + self.random.below(most) + 1
    }

    /// Places a limit order: side, ticks, lots.
    pub(super) fn place(
        &mut self,
        engine: &mut Engine,
        account: AccountId,
        (side, ticks, lots): (Side, i128, u64),
        time_in_force: TimeInForce,
        now: u64,
    ) {
        self.orders += 1;
        let Ok(id) = OrderId::new(&format!("h{}-{:x}", self.symbol, self.orders)) else { return };
        let Ok(ticks) = i64::try_from(ticks) else { return };
        let order = NewOrder {
            id,
            client_id: None,
            account,
            symbol: self.symbol,
            side,
            order_type: OrderType::Limit,
            quantity: Decimal::from(lots) * self.lot,
            price: Some(Decimal::from(ticks) * self.tick),
            stop_price: None,
            time_in_force,
            post_only: false,
        };
        note(engine.place(&order, now));
    }
}

/// A refusal (a halted product, say) is how the market is: the participants try again with their next move.
pub(super) fn note(result: Result<(), Refusal>) {
    if let Err(refusal) = result {
        log::trace!("a participant's order: {refusal}");
    }
}
