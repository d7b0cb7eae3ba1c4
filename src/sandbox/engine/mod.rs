//! The exchange's core: matching and accounts, and nothing else.
//!
//! Pure and deterministic: no clock, no input or output, no randomness. Time (`now`, UTC ms) and ids are arguments;
//! the same commands give the same events. A command changes the state once and returns; what it caused is then
//! drained with [`Engine::drain_events`]. A refused command ([`Refusal`]) changed nothing.
//!
//! # Rules
//!
//! - **Matching**: the best price first, at one price the earliest order first; a trade is at the price of the order on the
//!   book. An order that is partly filled keeps its place.
//! - **Self-trade**: an order never trades with another of the same user, cash or margin. Where it would, what is left of the
//!   order coming in is cancelled ([`ErrorCode::SelfTrade`]), and the one on the book stays. A fill-or-kill order that
//!   would meet one before it is filled does not trade at all.
//! - **Post-only**: an order that would trade at once is `Rejected`. **IOC**: what does not trade at once is cancelled.
//!   **FOK**: cancelled whole unless all of it trades at once.
//! - **Market orders**: a sell holds its quantity. A buy holds nothing: each step of it is bounded by what is available,
//!   fee included, in whole lots; it must afford one lot at the best price to be taken. When the book or the balance is
//!   used up, the rest is cancelled. The limits of quantity hold for them, those of notional do not.
//! - **Stop orders** wait for a trade of anyone: a buy at the stop price or above, a sell at it or below; one whose stop price
//!   the last trade has reached already enters at once. They enter after the command's own order, one by one: buys first,
//!   from the lowest stop price, then sells, from the highest; at one price the earliest. While waiting a buy holds for
//!   its limit price, a stop-market buy for its stop price; the latter gives its hold back as it enters.
//! - **Holds**: a buy holds `price × quantity`, and the reserve rate on top where the commission is `Quote`; a sell holds the
//!   quantity, and the reserve rate on top where it is `Base`. With every fill the hold becomes that of what is open.
//! - **Fees** are taken from each fill; a user with a discount pays so many percent of the product's rate. They and the
//!   reserve are rounded down to 12 digits after the point, which for usual products is exact; so the hold always covers the
//!   fees, however the order is cut into fills.
//! - **Margin accounts** trade what they have: what is borrowed and owed in interest are figures set from outside.
//! - **Halted products** take no orders; what is open stays, and can be cancelled.
//! - **Ids** are refused while an order of the same id is open or remembered, of whatever account.
//!
//! # Numbers
//!
//! Prices are whole ticks and quantities whole lots inside; amounts are 128-bit integers in units of 10⁻¹², see [`Fixed`].
//! Products whose notional would need a finer unit are not taken, so nothing else is ever rounded, and what is
//! rounded off a fee stays with the payer: for each asset all balances and the collected fees sum up to
//! [`Engine::supply`] to the last digit. No balance, total or available, is ever negative.

mod account;
mod book;
mod checks;
mod event;
mod fixed;
mod kept;
mod ledger;
mod listing;
mod matching;
mod order;
mod orders;
mod product;
mod query;
mod refusal;

use std::collections::HashSet;

use rust_decimal::Decimal;

use ledger::Ledger;
use listing::Listings;
use orders::Orders;
use product::Product;

pub use account::{AccountId, Balance, Category, UserId, UserSettings};
pub use event::{BalanceUpdate, Bbo, Change, Event, Fill, Level, LevelChange, OrderUpdate, Trade};
pub use fixed::Fixed;
pub(crate) use kept::Kept;
pub use order::{ClientId, ErrorCode, NewOrder, Order, OrderStatus, OrderType, Side, TimeInForce};
pub use product::{Commission, InvalidProduct, ProductSpec, Status};
pub use refusal::Refusal;

use crate::{Asset, OrderId, Symbol};

/// Where the engine's sequence numbers start.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The first `sn` of orders and balances; one number space for all accounts, so it skips within one.
    pub first_sn: u64,
    /// The first `seqnum` of trades; one number space for all products.
    pub first_trade: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { first_sn: 1, first_trade: 1 }
    }
}

/// The two sides of a product's book, best first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    /// Bids, highest price first.
    pub bids: Vec<Level>,
    /// Asks, lowest price first.
    pub asks: Vec<Level>,
}

/// The exchange's core.
#[derive(Debug)]
pub struct Engine {
    // Looked up in maps by hash, never walked by them, so that nothing depends on the hash.
    listings: Listings,
    ledger: Ledger,
    orders: Orders,
    next_sn: u64,
    next_trade: u64,
    events: Vec<Event>,
}

/// Setting up.
impl Engine {
    /// An exchange without products and users.
    pub fn new(settings: Settings) -> Self {
        Self {
            listings: Listings::default(),
            ledger: Ledger::default(),
            orders: Orders::default(),
            next_sn: settings.first_sn,
            next_trade: settings.first_trade,
            events: Vec::new(),
        }
    }

    /// Adds a product.
    ///
    /// # Errors
    /// [`InvalidProduct`] when it exists already or its figures contradict each other.
    pub fn add_product(&mut self, spec: &ProductSpec) -> Result<(), InvalidProduct> {
        if self.listings.find(spec.symbol).is_some() {
            return Err(InvalidProduct { field: "symbol", problem: "is listed already" });
        }
        self.listings.add(Product::new(spec, &mut self.ledger)?);
        Ok(())
    }

    /// Halts or resumes a product. Open orders stay, and can be cancelled.
    ///
    /// # Errors
    /// [`Refusal::UnknownProduct`].
    pub fn set_status(&mut self, symbol: Symbol, status: Status) -> Result<(), Refusal> {
        let ix = self.listings.find(symbol).ok_or(Refusal::UnknownProduct)?;
        self.listings[ix].product.status = status;
        Ok(())
    }

    /// Adds a user with an empty cash and an empty margin account.
    pub fn add_user(&mut self, settings: UserSettings) -> UserId {
        self.orders.add_user(settings);
        UserId(self.ledger.add_user())
    }
}

/// Commands. Each returns at once; its events wait in [`drain_events`](Engine::drain_events).
impl Engine {
    /// What has happened since the last call, oldest first.
    pub fn drain_events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// A sequence number for what is told of an account but is no event of the engine's.
    pub fn take_sn(&mut self) -> u64 {
        self.next_sn += 1;
        self.next_sn - 1
    }

    /// Credits an account from outside.
    ///
    /// # Errors
    /// [`Refusal::InvalidAmount`], also when the asset's supply would leave the range; [`Refusal::UnknownAccount`].
    pub fn deposit(&mut self, account: AccountId, asset: Asset, amount: Decimal, now: u64) -> Result<(), Refusal> {
        let amount = Self::amount(amount)?;
        let ix = self.ledger.account(account).ok_or(Refusal::UnknownAccount)?;
        let asset_ix = self.ledger.add_asset(asset);
        if !self.ledger.credit(ix, asset_ix, amount) {
            return Err(Refusal::InvalidAmount);
        }
        self.tell_balance(account, asset, amount, now);
        Ok(())
    }

    /// Debits an account to outside.
    ///
    /// # Errors
    /// [`Refusal::InvalidAmount`], [`Refusal::UnknownAccount`]; [`Refusal::InvalidBalance`] or
    /// [`Refusal::InvalidMarginBalance`] when less is available.
    pub fn withdraw(&mut self, account: AccountId, asset: Asset, amount: Decimal, now: u64) -> Result<(), Refusal> {
        let amount = Self::amount(amount)?;
        let ix = self.ledger.account(account).ok_or(Refusal::UnknownAccount)?;
        let asset_ix = self.ledger.asset(asset).ok_or(Refusal::balance(account.category))?;
        if !self.ledger.debit(ix, asset_ix, amount) {
            return Err(Refusal::balance(account.category));
        }
        self.tell_balance(account, asset, Fixed::ZERO - amount, now);
        Ok(())
    }

    /// Moves an amount from an account to another, of the same user or not: two balance updates, `from` first.
    ///
    /// # Errors
    /// As [`withdraw`](Self::withdraw); [`Refusal::InvalidAmount`] when the accounts are the same.
    pub fn transfer(
        &mut self,
        from: AccountId,
        to: AccountId,
        asset: Asset,
        amount: Decimal,
        now: u64,
    ) -> Result<(), Refusal> {
        let amount = Self::amount(amount)?;
        let from_ix = self.ledger.account(from).ok_or(Refusal::UnknownAccount)?;
        let to_ix = self.ledger.account(to).ok_or(Refusal::UnknownAccount)?;
        if from == to {
            return Err(Refusal::InvalidAmount);
        }
        let asset_ix = self.ledger.asset(asset).ok_or(Refusal::balance(from.category))?;
        if !self.ledger.transfer(from_ix, to_ix, asset_ix, amount) {
            return Err(Refusal::balance(from.category));
        }
        self.tell_balance(from, asset, Fixed::ZERO - amount, now);
        self.tell_balance(to, asset, amount, now);
        Ok(())
    }

    /// Sets what a margin account has borrowed and owes in interest. Figures only: no balance moves.
    ///
    /// # Errors
    /// [`Refusal::InvalidAmount`] for a figure below zero or out of range; [`Refusal::UnknownAccount`], also for a
    /// cash account.
    pub fn set_loan(
        &mut self,
        account: AccountId,
        asset: Asset,
        borrowed: Decimal,
        interest: Decimal,
        now: u64,
    ) -> Result<(), Refusal> {
        let figure = |figure| Fixed::from_decimal(figure).filter(|f| *f >= Fixed::ZERO).ok_or(Refusal::InvalidAmount);
        let (borrowed, interest) = (figure(borrowed)?, figure(interest)?);
        let ix = self.ledger.account(account).ok_or(Refusal::UnknownAccount)?;
        if account.category != Category::Margin {
            return Err(Refusal::UnknownAccount);
        }
        let asset_ix = self.ledger.add_asset(asset);
        let balance = &mut self.ledger[(ix, asset_ix)];
        (balance.borrowed, balance.interest) = (borrowed, interest);
        self.tell_balance(account, asset, Fixed::ZERO, now);
        Ok(())
    }

    /// Whether an order would be taken, without placing it.
    ///
    /// # Errors
    /// What [`place`](Self::place) would refuse.
    pub fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        let checked = self.check_form(order)?;
        self.check_state(order, &checked)
    }

    /// Places an order.
    ///
    /// # Errors
    /// The first rule that it breaks. An order that passes the rules and is ended by the matching (post-only that
    /// would take, fill-or-kill that cannot be filled) is no refusal but an order update.
    pub fn place(&mut self, order: &NewOrder, now: u64) -> Result<(), Refusal> {
        let checked = self.check_form(order)?;
        self.check_state(order, &checked)?;
        self.accept(order, &checked, now);
        Ok(())
    }

    /// Places several orders, all or none: each is checked against the state before the batch. Should one not stand
    /// any more when its turn comes (its predecessors used the balance up, say), it is reported as `Rejected` with
    /// [`ErrorCode::BatchRefused`].
    ///
    /// # Errors
    /// Each refused order's place in the batch and its refusal.
    pub fn place_batch(&mut self, orders: &[NewOrder], now: u64) -> Result<(), Vec<(usize, Refusal)>> {
        let mut ids = HashSet::new();
        let mut checked = Vec::with_capacity(orders.len());
        let mut refused = Vec::new();
        for (at, order) in orders.iter().enumerate() {
            let verdict = self.check_form(order).and_then(|c| self.check_state(order, &c).map(|()| c));
            match verdict {
                Ok(_) if !ids.insert(order.id) => refused.push((at, Refusal::DupNewCoid)),
                Ok(c) => checked.push(c),
                Err(refusal) => refused.push((at, refusal)),
            }
        }
        if !refused.is_empty() {
            return Err(refused);
        }
        for (order, checked) in orders.iter().zip(&checked) {
            match self.check_state(order, checked) {
                Ok(()) => self.accept(order, checked, now),
                Err(_) => self.reject(order, checked, now),
            }
        }
        Ok(())
    }

    /// Cancels an open order, a halted product's too.
    ///
    /// # Errors
    /// [`Refusal::UnknownOrder`] when the account has no such order, [`Refusal::NotOpen`] when it has ended.
    pub fn cancel(&mut self, account: AccountId, id: OrderId, now: u64) -> Result<(), Refusal> {
        let ix = self.orders.by_id(id).ok_or(Refusal::UnknownOrder)?;
        let entry = &self.orders[ix];
        if entry.order.account != account {
            return Err(Refusal::UnknownOrder);
        }
        if !entry.order.status.is_open() {
            return Err(Refusal::NotOpen);
        }
        let product = entry.product;
        self.cancel_order(ix, now);
        self.tell_bbo(product, now);
        Ok(())
    }

    /// Cancels an account's open orders, of one product or all, oldest first; says how many.
    pub fn cancel_all(&mut self, account: AccountId, symbol: Option<Symbol>, now: u64) -> usize {
        let mut open: Vec<_> = self.orders.open(self.ledger.account(account)).collect();
        open.retain(|ix| symbol.is_none_or(|symbol| self.orders[*ix].order.symbol == symbol));
        let products: Vec<_> = open.iter().map(|ix| self.orders[*ix].product).collect();
        for ix in &open {
            self.cancel_order(*ix, now);
        }
        for product in products {
            self.tell_bbo(product, now);
        }
        open.len()
    }

    fn amount(amount: Decimal) -> Result<Fixed, Refusal> {
        Fixed::from_decimal(amount).filter(|amount| amount.is_positive()).ok_or(Refusal::InvalidAmount)
    }

    fn tell_balance(&mut self, account: AccountId, asset: Asset, delta: Fixed, now: u64) {
        let update =
            BalanceUpdate { account, asset, balance: self.balance(account, asset), delta, sn: self.next_sn, time: now };
        self.next_sn += 1;
        self.events.push(Event::Balance(update));
    }
}

#[cfg(test)]
mod tests;
