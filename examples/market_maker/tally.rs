//! What came of it: fills, fees, position, profit and loss. From the account's own messages, so that fees are in it to
//! the last digit.

use std::collections::HashMap;

use bitmax::model::{OrderState, Side};
use bitmax::{Decimal, OrderId, Symbol};

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
    /// What has traded of each order, its worth and its fee.
    known: HashMap<OrderId, [Decimal; 3]>,
    pub(crate) bought: Traded,
    pub(crate) sold: Traded,
    /// In the quote asset.
    pub(crate) fees: Decimal,
    /// The highest profit so far, and how far below it was at worst.
    pub(crate) highest: Decimal,
    pub(crate) drawdown: Decimal,
}

impl Tally {
    /// `start`: what there is of the base and of the quote asset.
    pub(crate) fn new(symbol: Symbol, start: [Decimal; 2]) -> Self {
        Self {
            symbol,
            start,
            have: start,
            known: HashMap::new(),
            bought: Traded::default(),
            sold: Traded::default(),
            fees: Decimal::ZERO,
            highest: Decimal::ZERO,
            drawdown: Decimal::ZERO,
        }
    }

    /// What the exchange says that there is, when messages may have been missed.
    pub(crate) fn set_balances(&mut self, have: [Decimal; 2]) {
        self.have = have;
    }

    /// What the exchange says of an order; the fill, if something has traded since it last did.
    pub(crate) fn see(&mut self, order: &OrderState) -> Option<Fill> {
        if let (Some(base), Some(quote)) = (order.base_total, order.quote_total) {
            self.have = [base, quote];
        }
        let filled = order.cum_filled_qty.unwrap_or_default();
        let price = order.avg_px.unwrap_or_default();
        let fee = match order.fee_asset {
            Some(asset) if asset.as_str() == self.symbol.base() => order.cum_fee.unwrap_or_default() * price,
            _ => order.cum_fee.unwrap_or_default(),
        };
        let now = [filled, filled * price, fee];
        let before = self.known.insert(order.order_id, now).unwrap_or_default();
        let [size, notional, fee] = [now[0] - before[0], now[1] - before[1], now[2] - before[2]];
        self.fees += fee;
        let side = order.side.clone()?;
        if size <= Decimal::ZERO {
            return None;
        }
        let traded = if side == Side::Buy { &mut self.bought } else { &mut self.sold };
        traded.fills += 1;
        traded.size += size;
        traded.notional += notional;
        Some(Fill { ts: order.ts, side, size, price: notional / size })
    }

    /// What was gained of the base asset; below zero: given away.
    pub(crate) fn position(&self) -> Decimal {
        self.have[0] - self.start[0]
    }

    /// What was gained in all, in the quote asset, fees deducted and the position at this price.
    pub(crate) fn profit(&self, mid: Decimal) -> Decimal {
        self.have[1] - self.start[1] + self.position() * mid
    }

    /// Notes the profit at this price.
    pub(crate) fn mark(&mut self, mid: Decimal) {
        let profit = self.profit(mid);
        self.highest = self.highest.max(profit);
        self.drawdown = self.drawdown.max(self.highest - profit);
    }
}
