//! What came of it: fills, fees, position, profit and loss. Position and profit are from the account's balances, so that
//! fees are in them to the last digit.

use std::collections::HashMap;

use bitmax::model::Side;
use bitmax::{AccountSnapshot, Asset, Decimal, OrderId, Symbol, TrackedOrder, Transition};

/// Something of an order has traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fill {
    /// UTC milliseconds.
    pub(crate) ts: u64,
    pub(crate) side: Side,
    pub(crate) size: Decimal,
    pub(crate) price: Decimal,
}

/// All fills of a side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traded {
    pub(crate) fills: u64,
    /// In the base asset.
    pub(crate) size: Decimal,
    /// In the quote asset.
    pub(crate) notional: Decimal,
}

impl Traded {
    pub(crate) fn average(&self) -> Option<Decimal> {
        self.notional.checked_div(self.size)
    }
}

#[derive(Debug)]
pub(crate) struct Tally {
    symbol: Symbol,
    /// Base and quote asset at first, and now.
    start: [Decimal; 2],
    have: [Decimal; 2],
    /// What each order that has not ended has traded for so far, in the quote asset.
    notionals: HashMap<OrderId, Decimal>,
    pub(crate) bought: Traded,
    pub(crate) sold: Traded,
    /// In the quote asset.
    pub(crate) fees: Decimal,
    /// The highest profit so far, and how far below it was at worst.
    pub(crate) highest: Decimal,
    pub(crate) drawdown: Decimal,
}

impl Tally {
    /// Begins with what there is: what open orders have traded for so far is not counted.
    pub(crate) fn new(symbol: Symbol, now: &AccountSnapshot) -> Self {
        let start = balances(symbol, now);
        let traded = |order: &TrackedOrder| order.cum_filled_qty * order.avg_px.unwrap_or_default();
        let open = now.orders.iter().filter(|order| order.symbol == symbol);
        Self {
            symbol,
            start,
            have: start,
            notionals: open.map(|order| (order.order_id, traded(order))).collect(),
            bought: Traded::default(),
            sold: Traded::default(),
            fees: Decimal::ZERO,
            highest: Decimal::ZERO,
            drawdown: Decimal::ZERO,
        }
    }

    /// Counts what has traded of an order: the fill, if anything has.
    pub(crate) fn see(&mut self, transition: &Transition) -> Option<Fill> {
        let order = &transition.order;
        let price = order.avg_px.unwrap_or_default();
        let notional = order.cum_filled_qty * price;
        let before = self.notionals.insert(order.order_id, notional).unwrap_or_default();
        if order.stage.is_ended() {
            self.notionals.remove(&order.order_id);
        }
        let fill = transition.fill?;
        let fee = fill.fee.unwrap_or_default();
        let is_base = order.fee_asset.is_some_and(|asset| asset.as_str() == self.symbol.base());
        self.fees += if is_base { fee * price } else { fee };
        let (side, size, notional) = (order.side.clone()?, fill.quantity, notional - before);
        let traded = if side == Side::Buy { &mut self.bought } else { &mut self.sold };
        traded.fills += 1;
        traded.size += size;
        traded.notional += notional;
        Some(Fill { ts: order.ts.unwrap_or_default(), side, size, price: notional.checked_div(size)? })
    }

    /// What was gained of the base asset; below zero: given away.
    pub(crate) fn position(&self) -> Decimal {
        self.have[0] - self.start[0]
    }

    /// What was gained in all, in the quote asset, fees deducted and the position at this price.
    pub(crate) fn profit(&self, mid: Decimal) -> Decimal {
        self.have[1] - self.start[1] + self.position() * mid
    }

    /// Takes what there is now, and notes the profit at this price.
    pub(crate) fn mark(&mut self, now: &AccountSnapshot, mid: Decimal) {
        self.have = balances(self.symbol, now);
        let profit = self.profit(mid);
        self.highest = self.highest.max(profit);
        self.drawdown = self.drawdown.max(self.highest - profit);
    }
}

/// What there is of the base and of the quote asset.
fn balances(symbol: Symbol, now: &AccountSnapshot) -> [Decimal; 2] {
    let of = |name: Option<&str>| {
        let asset = name.and_then(|name| Asset::new(name).ok());
        now.balances.iter().find(|balance| Some(balance.asset) == asset).map_or(Decimal::ZERO, |balance| balance.total)
    };
    [of(Some(symbol.base())), of(symbol.quote())]
}
