//! The levels of one side, one after another, and what can be said of them together.

use std::fmt;
use std::iter::FusedIterator;

use rust_decimal::Decimal;

use super::side::Entry;
use crate::model::Level;

/// The levels of one side of an [`OrderBook`](crate::OrderBook), the best first. Nothing is copied.
///
/// What it says of quantities and prices is about the levels that are still to come.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use bitmax::{Decimal, Message, OrderBook};
/// # let text = r#"{"m":"depth-snapshot","symbol":"A/B","data":{"ts":1,"seqnum":7,"asks":[["10","1"],["10.5","3"]],"bids":[]}}"#;
/// # let Message::Depth(snapshot) = Message::parse(text)? else { return Ok(()) };
/// # let mut book = OrderBook::new("A/B".try_into()?);
/// # book.apply(&snapshot)?;
/// // Asks: 1 at 10, 3 at 10.5.
/// assert_eq!(book.asks().next().map(|level| level.price), Some(Decimal::TEN));
/// assert_eq!(book.asks().quantity_to("10.2".parse()?), Decimal::ONE);
/// assert_eq!(book.asks().price_for(Decimal::TWO), Some("10.5".parse()?));
/// assert_eq!(book.asks().vwap(Decimal::TWO), Some("10.25".parse()?));
/// assert_eq!(book.asks().vwap(Decimal::TEN), None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "iterators are lazy"]
pub struct Levels<'a> {
    pub(super) entries: &'a [Entry],
    /// Of asks all bits, of bids none.
    pub(super) flip: u64,
    pub(super) scale: u32,
}

impl Levels<'_> {
    /// What there is at this price and better ones, in the base asset. More than a decimal holds counts as the most that
    /// one does.
    pub fn quantity_to(self, price: Decimal) -> Decimal {
        let asks = self.flip > 0;
        self.take_while(|level| if asks { level.price <= price } else { level.price >= price })
            .fold(Decimal::ZERO, |sum, level| sum.saturating_add(level.size))
    }

    /// The price that has to be accepted to trade a quantity of the base asset, in the quote asset; `None` when there is
    /// not as much, or the quantity is not above zero.
    pub fn price_for(self, quantity: Decimal) -> Option<Decimal> {
        let mut worst = None;
        self.take_quantity(quantity, |level| {
            worst = Some(level.price);
            Some(())
        })?;
        worst
    }

    /// The average price at which a quantity of the base asset trades, weighted by quantity, in the quote asset, to as
    /// many digits as a decimal has. `None` when there is not as much, or the quantity is not above zero.
    pub fn vwap(self, quantity: Decimal) -> Option<Decimal> {
        let mut notional = Decimal::ZERO;
        self.take_quantity(quantity, |level| {
            notional = notional.checked_add(level.price.checked_mul(level.size)?)?;
            Some(())
        })?;
        notional.checked_div(quantity)
    }

    /// Shows the levels that a quantity is made of, of the last one only what is needed. `None` when there is not as much.
    fn take_quantity(self, quantity: Decimal, mut show: impl FnMut(Level) -> Option<()>) -> Option<()> {
        let mut left = quantity;
        for Level { price, size } in self.take_while(|_| quantity > Decimal::ZERO) {
            let size = size.min(left);
            show(Level { price, size })?;
            left = left.checked_sub(size)?;
            if left.is_zero() {
                return Some(());
            }
        }
        None
    }
}

impl Iterator for Levels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        loop {
            let (entry, worse) = self.entries.split_last()?;
            self.entries = worse;
            if entry.is_there() {
                return Some(entry.level(self.flip, self.scale));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.entries.len()))
    }
}

impl DoubleEndedIterator for Levels<'_> {
    fn next_back(&mut self) -> Option<Level> {
        loop {
            let (entry, better) = self.entries.split_first()?;
            self.entries = better;
            if entry.is_there() {
                return Some(entry.level(self.flip, self.scale));
            }
        }
    }
}

impl FusedIterator for Levels<'_> {}

impl fmt::Debug for Levels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}
