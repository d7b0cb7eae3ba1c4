//! What can be asked of the engine.

use super::{AccountId, Balance, Bbo, Book, Engine, Fixed, Level, Order, Side, Status};
use crate::{Asset, OrderId, Symbol};

/// Queries.
impl Engine {
    /// Up to `depth` levels a side; `None` for an unknown product.
    pub fn book(&self, symbol: Symbol, depth: usize) -> Option<Book> {
        let listing = self.listings.by_symbol(symbol)?;
        let levels = |side| -> Vec<Level> { listing.side(side).iter().take(depth).map(|l| listing.level(l)).collect() };
        Some(Book { bids: levels(Side::Buy), asks: levels(Side::Sell) })
    }

    /// Best bid and offer; `None` for an unknown product.
    pub fn bbo(&self, symbol: Symbol) -> Option<Bbo> {
        self.listings.by_symbol(symbol).map(|listing| listing.bbo)
    }

    /// The last trade's price; `None` before any trade or for an unknown product.
    pub fn last_price(&self, symbol: Symbol) -> Option<Fixed> {
        let listing = self.listings.by_symbol(symbol)?;
        listing.last.map(|ticks| listing.product.price(ticks))
    }

    /// A product's status; `None` for an unknown product.
    pub fn status(&self, symbol: Symbol) -> Option<Status> {
        self.listings.by_symbol(symbol).map(|listing| listing.product.status)
    }

    /// An account's order, open or remembered.
    pub fn order(&self, account: AccountId, id: OrderId) -> Option<&Order> {
        let ix = self.orders.by_id(id)?;
        Some(&self.orders[ix].order).filter(|order| order.account == account)
    }

    /// An account's open orders, oldest first.
    pub fn open_orders(&self, account: AccountId) -> impl Iterator<Item = &Order> {
        self.orders.open(self.ledger.account(account)).map(|ix| &self.orders[ix].order)
    }

    /// An account's remembered ended orders, in the order of their end, which is that of `sn`.
    pub fn closed_orders(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Order> {
        self.orders.closed(self.ledger.account(account)).map(|ix| &self.orders[ix].order)
    }

    /// An account's balance of an asset; all zero where it never had any.
    pub fn balance(&self, account: AccountId, asset: Asset) -> Balance {
        match (self.ledger.account(account), self.ledger.asset(asset)) {
            (Some(account), Some(asset)) => self.ledger[(account, asset)],
            _ => Balance::default(),
        }
    }

    /// An account's balances of all assets that the engine knows, also zero ones, in the order in which the assets
    /// became known.
    pub fn balances(&self, account: AccountId) -> impl Iterator<Item = (Asset, Balance)> {
        let account = self.ledger.account(account);
        self.ledger.assets().filter_map(move |(name, ix)| Some((name, self.ledger[(account?, ix)])))
    }

    /// What all accounts together have of an asset.
    pub fn held_by_all(&self, asset: Asset) -> Fixed {
        self.ledger.asset(asset).map_or(Fixed::ZERO, |ix| self.ledger.sum(ix))
    }

    /// Fees collected in an asset.
    pub fn fees(&self, asset: Asset) -> Fixed {
        self.ledger.asset(asset).map_or(Fixed::ZERO, |ix| self.ledger.fees(ix))
    }

    /// What was deposited of an asset less what was withdrawn: always the sum of all balances and the fees.
    pub fn supply(&self, asset: Asset) -> Fixed {
        self.ledger.asset(asset).map_or(Fixed::ZERO, |ix| self.ledger.supply(ix))
    }
}
