//! What commands cause, in the order in which it happened.

use serde::{Deserialize, Serialize};

use super::account::{AccountId, Balance};
use super::fixed::Fixed;
use super::order::{Order, Side};
use crate::{Asset, Symbol};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An order changed, and perhaps balances with it.
    Order(Box<OrderUpdate>),
    /// A balance changed by no order: a deposit, withdrawal, transfer or loan.
    Balance(BalanceUpdate),
    /// Two orders traded. It comes before the updates of the two orders, the maker's first.
    Trade(Trade),
    /// The size at a price changed. One event a level and taker, after the trades at that level. Numbering these
    /// (`seqnum`, per product and channel) is the caller's.
    Level(LevelChange),
    /// The best bid or offer changed, price or size: at most one a product and command, at the command's end.
    Bbo(Bbo),
}

/// Why an order is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Taken by the engine: status `New`, or `PendingNew` for an untriggered stop order. A triggered stop order is
    /// accepted a second time, with status `New`.
    Accepted,
    /// It, or the rest of it, went on the book; status `New` or `PartiallyFilled`. What the ready mode announces as
    /// `Ready`, in place of `Accepted` with status `New`; without that mode it is not sent.
    Rested,
    /// It traded: status `PartiallyFilled` or `Filled`.
    Filled(Fill),
    /// It ended without trading more: status `Canceled` or `Rejected`.
    Ended,
}

/// One side of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Price (`lp`).
    pub price: Fixed,
    /// Quantity (`lq`).
    pub quantity: Fixed,
    /// Price × quantity, exactly.
    pub notional: Fixed,
    /// Fee charged, in the order's fee asset (`f`).
    pub fee: Fixed,
    /// Whether the order was on the book (`AddedLiquidity`).
    pub maker: bool,
}

/// An order, and the balances of its two assets, just after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderUpdate {
    /// Why it is reported.
    pub change: Change,
    /// The order after the change; `order.sn` and `order.updated` are this update's number and time.
    pub order: Order,
    /// The account's base asset (`bab`, `btb`).
    pub base: Balance,
    /// The account's quote asset (`qab`, `qtb`).
    pub quote: Balance,
}

/// A balance after a change that no order caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceUpdate {
    /// Whose balance.
    pub account: AccountId,
    /// The asset (`a`).
    pub asset: Asset,
    /// The balance after the change.
    pub balance: Balance,
    /// By how much the total changed.
    pub delta: Fixed,
    /// The account's sequence number (`sn`).
    pub sn: u64,
    /// When, ms.
    pub time: u64,
}

/// A trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// The product.
    pub symbol: Symbol,
    /// Price, the maker's (`p`).
    pub price: Fixed,
    /// Quantity in the base asset (`q`).
    pub quantity: Fixed,
    /// Whether the buyer's order was on the book (`bm`).
    pub buyer_is_maker: bool,
    /// Rises from trade to trade over all products, so that it skips within one (`seqnum`).
    pub seqnum: u64,
    /// When, ms (`ts`).
    pub time: u64,
}

/// A level of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Price in the quote asset.
    pub price: Fixed,
    /// Sum of the open quantities in the base asset; zero in a change: the level is gone.
    pub size: Fixed,
}

/// A change of a level of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelChange {
    /// The product.
    pub symbol: Symbol,
    /// `Buy` for bids, `Sell` for asks.
    pub side: Side,
    /// The level after the change.
    pub level: Level,
    /// When, ms (`ts`).
    pub time: u64,
}

/// Best bid and offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bbo {
    /// The product.
    pub symbol: Symbol,
    /// Highest bid; `None` where there is none.
    pub bid: Option<Level>,
    /// Lowest ask; `None` where there is none.
    pub ask: Option<Level>,
    /// When it last changed, ms (`ts`).
    pub time: u64,
}
