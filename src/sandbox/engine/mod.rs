//! The exchange's core: matching and accounts, and nothing else.
//!
//! Pure and deterministic: no clock, no input or output, no randomness. Time (`now`, UTC ms) and ids are arguments;
//! the same commands give the same events. A command changes the state once and returns; what it caused is then
//! drained with [`Engine::drain_events`]. A refused command ([`Refusal`]) changed nothing.

mod account;
mod event;
mod fixed;
mod order;
mod product;
mod refusal;

use rust_decimal::Decimal;

pub use account::{AccountId, Balance, Category, UserId, UserSettings};
pub use event::{BalanceUpdate, Bbo, Change, Event, Fill, Level, LevelChange, OrderUpdate, Trade};
pub use fixed::Fixed;
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
    events: Vec<Event>,
}

/// Setting up.
impl Engine {
    /// An exchange without products and users.
    pub fn new(settings: Settings) -> Self {
        todo!()
    }

    /// Adds a product.
    ///
    /// # Errors
    /// [`InvalidProduct`] when it exists already or its figures contradict each other.
    pub fn add_product(&mut self, spec: &ProductSpec) -> Result<(), InvalidProduct> {
        todo!()
    }

    /// Halts or resumes a product. Open orders stay, and can be cancelled.
    ///
    /// # Errors
    /// [`Refusal::UnknownProduct`].
    pub fn set_status(&mut self, symbol: Symbol, status: Status) -> Result<(), Refusal> {
        todo!()
    }

    /// Adds a user with an empty cash and an empty margin account.
    pub fn add_user(&mut self, settings: UserSettings) -> UserId {
        todo!()
    }
}

/// Commands. Each returns at once; its events wait in [`drain_events`](Engine::drain_events).
impl Engine {
    /// What has happened since the last call, oldest first.
    pub fn drain_events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// Credits an account from outside.
    ///
    /// # Errors
    /// [`Refusal::InvalidAmount`], also when the asset's supply would leave the range; [`Refusal::UnknownAccount`].
    pub fn deposit(&mut self, account: AccountId, asset: Asset, amount: Decimal, now: u64) -> Result<(), Refusal> {
        todo!()
    }

    /// Debits an account to outside.
    ///
    /// # Errors
    /// [`Refusal::InvalidAmount`], [`Refusal::UnknownAccount`]; [`Refusal::InvalidBalance`] or
    /// [`Refusal::InvalidMarginBalance`] when less is available.
    pub fn withdraw(&mut self, account: AccountId, asset: Asset, amount: Decimal, now: u64) -> Result<(), Refusal> {
        todo!()
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
        todo!()
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
        todo!()
    }

    /// Whether an order would be taken, without placing it.
    ///
    /// # Errors
    /// What [`place`](Self::place) would refuse.
    pub fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        todo!()
    }

    /// Places an order.
    ///
    /// # Errors
    /// The first rule that it breaks. An order that passes the rules and is ended by the matching (post-only that
    /// would take, fill-or-kill that cannot be filled) is no refusal but an order update.
    pub fn place(&mut self, order: &NewOrder, now: u64) -> Result<(), Refusal> {
        todo!()
    }

    /// Places several orders, all or none: each is checked against the state before the batch. Should one not stand
    /// any more when its turn comes (its predecessors used the balance up, say), it is reported as `Rejected` with
    /// [`ErrorCode::BatchRefused`].
    ///
    /// # Errors
    /// Each refused order's place in the batch and its refusal.
    pub fn place_batch(&mut self, orders: &[NewOrder], now: u64) -> Result<(), Vec<(usize, Refusal)>> {
        todo!()
    }

    /// Cancels an open order, a halted product's too.
    ///
    /// # Errors
    /// [`Refusal::UnknownOrder`] when the account has no such order, [`Refusal::NotOpen`] when it has ended.
    pub fn cancel(&mut self, account: AccountId, id: OrderId, now: u64) -> Result<(), Refusal> {
        todo!()
    }

    /// Cancels an account's open orders, of one product or all, oldest first; says how many.
    pub fn cancel_all(&mut self, account: AccountId, symbol: Option<Symbol>, now: u64) -> usize {
        todo!()
    }
}

/// Queries.
impl Engine {
    /// Up to `depth` levels a side; `None` for an unknown product.
    pub fn book(&self, symbol: Symbol, depth: usize) -> Option<Book> {
        todo!()
    }

    /// Best bid and offer; `None` for an unknown product.
    pub fn bbo(&self, symbol: Symbol) -> Option<Bbo> {
        todo!()
    }

    /// The last trade's price; `None` before any trade or for an unknown product.
    pub fn last_price(&self, symbol: Symbol) -> Option<Fixed> {
        todo!()
    }

    /// A product's status; `None` for an unknown product.
    pub fn status(&self, symbol: Symbol) -> Option<Status> {
        todo!()
    }

    /// An account's order, open or remembered.
    pub fn order(&self, account: AccountId, id: OrderId) -> Option<&Order> {
        todo!()
    }

    /// An account's open orders, oldest first.
    pub fn open_orders(&self, account: AccountId) -> impl Iterator<Item = &Order> {
        std::iter::empty()
    }

    /// An account's remembered ended orders, in the order of their end, which is that of `sn`.
    pub fn closed_orders(&self, account: AccountId) -> impl DoubleEndedIterator<Item = &Order> {
        std::iter::empty()
    }

    /// An account's balance of an asset; all zero where it never had any.
    pub fn balance(&self, account: AccountId, asset: Asset) -> Balance {
        todo!()
    }

    /// An account's balances of all assets that the engine knows, also zero ones, in the order in which the assets
    /// became known.
    pub fn balances(&self, account: AccountId) -> impl Iterator<Item = (Asset, Balance)> {
        std::iter::empty()
    }

    /// Fees collected in an asset.
    pub fn fees(&self, asset: Asset) -> Fixed {
        todo!()
    }

    /// What was deposited of an asset less what was withdrawn: always the sum of all balances and the fees.
    pub fn supply(&self, asset: Asset) -> Fixed {
        todo!()
    }
}
