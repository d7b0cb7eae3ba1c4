//! A product in trade: its book, its waiting stop orders, its last price.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Index, IndexMut};

use super::book::Levels;
use super::event::{Bbo, Level};
use super::order::Side;
use super::orders::OrderIx;
use super::product::Product;
use crate::Symbol;

/// A product's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProductIx(usize);

#[derive(Debug)]
pub(super) struct Listing {
    pub(super) product: Product,
    bids: Levels,
    asks: Levels,
    pub(super) stops: Stops,
    /// The last trade's price in ticks.
    pub(super) last: Option<u64>,
    /// The best bid and offer as last told.
    pub(super) bbo: Bbo,
}

impl Listing {
    fn new(product: Product) -> Self {
        Self {
            bbo: Bbo { symbol: product.symbol, bid: None, ask: None, time: 0 },
            product,
            bids: Levels::new(Side::Buy),
            asks: Levels::new(Side::Sell),
            stops: Stops::default(),
            last: None,
        }
    }

    pub(super) fn side(&self, side: Side) -> &Levels {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    pub(super) fn side_mut(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// A level in figures.
    pub(super) fn level(&self, (ticks, lots): (u64, u128)) -> Level {
        Level { price: self.product.price(ticks), size: self.product.qty(lots) }
    }

    /// The best price that an order of a side at this limit can trade at now.
    pub(super) fn crossing(&self, side: Side, limit: Option<u64>) -> Option<u64> {
        self.side(side.opposite()).best().filter(|best| match (side, limit) {
            (_, None) => true,
            (Side::Buy, Some(limit)) => *best <= limit,
            (Side::Sell, Some(limit)) => *best >= limit,
        })
    }
}

/// Stop orders that wait: a buy for a trade at its stop price or above, a sell for one at its stop price or below.
#[derive(Debug, Default)]
pub(super) struct Stops {
    // By stop price in ticks, then by `placed`.
    buys: BTreeMap<(u64, u64), OrderIx>,
    sells: BTreeMap<(u64, u64), OrderIx>,
    // The lowest and the highest price traded since stops were last looked at.
    swept: Option<(u64, u64)>,
}

impl Stops {
    pub(super) fn insert(&mut self, side: Side, stop: u64, placed: u64, ix: OrderIx) {
        self.of(side).insert((stop, placed), ix);
    }

    pub(super) fn remove(&mut self, side: Side, stop: u64, placed: u64) {
        self.of(side).remove(&(stop, placed));
    }

    fn of(&mut self, side: Side) -> &mut BTreeMap<(u64, u64), OrderIx> {
        match side {
            Side::Buy => &mut self.buys,
            Side::Sell => &mut self.sells,
        }
    }

    /// Notes a trade's price.
    pub(super) fn sweep(&mut self, ticks: u64) {
        let (low, high) = self.swept.unwrap_or((ticks, ticks));
        self.swept = Some((low.min(ticks), high.max(ticks)));
    }

    /// Takes out the next stop order that the prices seen have reached: buys first, from the lowest stop price on, then
    /// sells, from the highest on; at one price the earliest. With none left the prices seen are forgotten.
    pub(super) fn pop(&mut self) -> Option<OrderIx> {
        let (low, high) = self.swept?;
        if let Some(first) = self.buys.first_entry()
            && first.key().0 <= high
        {
            return Some(first.remove());
        }
        if let Some(((stop, _), _)) = self.sells.last_key_value()
            && *stop >= low
        {
            let stop = *stop;
            let earliest = self.sells.range((stop, 0)..).next().map(|(key, _)| *key);
            return earliest.and_then(|key| self.sells.remove(&key));
        }
        self.swept = None;
        None
    }
}

/// All products.
#[derive(Debug, Default)]
pub(super) struct Listings {
    list: Vec<Listing>,
    by_symbol: HashMap<Symbol, ProductIx>,
}

impl Listings {
    pub(super) fn add(&mut self, product: Product) {
        self.by_symbol.insert(product.symbol, ProductIx(self.list.len()));
        self.list.push(Listing::new(product));
    }

    /// In the order of their listing.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Listing> {
        self.list.iter()
    }

    pub(super) fn find(&self, symbol: Symbol) -> Option<ProductIx> {
        self.by_symbol.get(&symbol).copied()
    }

    pub(super) fn by_symbol(&self, symbol: Symbol) -> Option<&Listing> {
        self.find(symbol).map(|ix| &self[ix])
    }
}

impl Index<ProductIx> for Listings {
    type Output = Listing;
    #[expect(clippy::indexing_slicing)]
    fn index(&self, ix: ProductIx) -> &Listing {
        &self.list[ix.0] // cannot fail: places are given out by `add` only, and none is removed
    }
}

impl IndexMut<ProductIx> for Listings {
    #[expect(clippy::indexing_slicing)]
    fn index_mut(&mut self, ix: ProductIx) -> &mut Listing {
        &mut self.list[ix.0] // cannot fail: as in `index`
    }
}
