//! What to quote: a function of the market and of what one has. No exchange, no clock.

use bitmax::Decimal;

/// An order to have on the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    /// In the quote asset.
    pub(crate) price: Decimal,
    /// In the base asset.
    pub(crate) size: Decimal,
}

/// How to quote.
#[derive(Debug, Clone)]
pub(crate) struct Quoting {
    /// From the middle to each quote, as a share of the price: 0.0003 is three basis points.
    pub(crate) half_spread: Decimal,
    /// Of each quote, in the base asset.
    pub(crate) size: Decimal,
    /// The most to have gained or given away, in the base asset.
    pub(crate) max_position: Decimal,
    /// Steps of prices and quantities, and the least price × quantity.
    pub(crate) tick_size: Decimal,
    pub(crate) lot_size: Decimal,
    pub(crate) min_notional: Decimal,
}

impl Quoting {
    /// The bid and the ask to have, around a middle that leans against the position: the more there is, the lower both,
    /// so that what there is too much of is rather sold. A side that would lead beyond the greatest position is left out.
    pub(crate) fn quotes(&self, mid: Decimal, position: Decimal) -> [Option<Quote>; 2] {
        let lean = (position / self.max_position).clamp(Decimal::NEGATIVE_ONE, Decimal::ONE);
        let away = mid * self.half_spread;
        let centre = mid - away * lean;
        let bid = ((centre - away) / self.tick_size).floor() * self.tick_size;
        let ask = ((centre + away) / self.tick_size).ceil() * self.tick_size;
        let quote = |price: Decimal, room: Decimal| {
            let size = (self.size.min(room) / self.lot_size).floor() * self.lot_size;
            let is_worth_it = size > Decimal::ZERO && price > Decimal::ZERO && price * size >= self.min_notional;
            is_worth_it.then_some(Quote { price, size })
        };
        [quote(bid, self.max_position - position), quote(ask, self.max_position + position)]
    }

    /// Whether a price is so far from the one to have that it is worth losing the place in the queue.
    pub(crate) fn is_stale(&self, price: Decimal, wanted: Decimal) -> bool {
        (price - wanted).abs() > wanted * self.half_spread / Decimal::from(4)
    }
}
