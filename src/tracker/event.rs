//! What a tracker tells.

use std::time::Duration;

use rust_decimal::Decimal;

use super::order::{TrackedOrder, Transition};
use crate::error::Error;
use crate::model::OrderState;
use crate::symbol::Asset;
use crate::ws::{CloseReason, Event};

/// Something that a [`Tracker`](super::Tracker) tells, in the order of the account's sequence numbers.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrackerEvent {
    /// An order came to a new state.
    Order(Box<Transition>),
    /// A balance changed.
    Balance(Box<BalanceChange>),
    /// Orders and balances are what the exchange has, and everything that was missed has been told before this; but for
    /// orders that came and went unheard, where the list of those could not be had
    /// ([`RepairFailed`](Self::RepairFailed)): they follow when it can, before another of these.
    #[non_exhaustive]
    Live {
        /// How many transitions before this one were recovered.
        recovered: usize,
    },
    /// The exchange contradicts what it said before. Nothing is hidden: where it has the later word the order follows
    /// it, and a transition comes next.
    Contradiction(Box<Contradiction>),
    /// The exchange could not be asked for what was missed; it is asked again. Without the lists of ended orders, which
    /// only REST has, the tracker is live all the same.
    RepairFailed(Box<RepairFailed>),
    /// What the tracker's stream tells beside orders and balances: that it is connected, or not any more, and what it
    /// could not read. [`Event::Disconnected`] means that from here on nothing is claimed until [`Live`](Self::Live).
    Stream(Box<Event>),
    /// The tracker has ended; nothing follows.
    Closed(CloseReason),
}

/// What an account has of an asset, in the asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackedBalance {
    /// The asset.
    pub asset: Asset,
    /// All of it.
    pub total: Decimal,
    /// What is not held for orders.
    pub available: Decimal,
    /// What is borrowed; on margin only.
    pub borrowed: Option<Decimal>,
    /// What is owed for the borrowing; on margin only.
    pub interest: Option<Decimal>,
    /// The account's sequence number at which this was so; where it was asked for, the last one known then.
    pub seqnum: u64,
}

impl TrackedBalance {
    /// Whether both say the same amounts.
    pub(super) fn equals(&self, other: &Self) -> bool {
        (self.total, self.available, self.borrowed, self.interest)
            == (other.total, other.available, other.borrowed, other.interest)
    }
}

/// A balance changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BalanceChange {
    /// The balance as it is now.
    pub balance: TrackedBalance,
    /// The balance before; none where it was not known.
    pub before: Option<TrackedBalance>,
    /// Whether it was asked for: it may have changed several times while nothing could be heard of it.
    pub recovered: bool,
    /// When the message was read that tells it, UTC nanoseconds by this machine's clock; none where it was learned
    /// otherwise.
    pub received: Option<u64>,
}

/// The exchange contradicts what it said before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contradiction {
    /// In what.
    pub kind: ContradictionKind,
    /// The order as it was known, where it was.
    pub known: Option<TrackedOrder>,
    /// What the exchange says now, where it says anything.
    pub told: Option<OrderState>,
}

/// In what the exchange contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContradictionKind {
    /// An order that had ended is told as open, or as ended in another way. The order follows.
    Reopened,
    /// Less has traded of an order than before. The order follows.
    FilledFell,
    /// More has traded of an order than was to trade. The order follows.
    Overfilled,
    /// The sequence number is smaller than that of a message before it. The order follows if the number is greater than
    /// its own last one.
    WentBack,
    /// One sequence number of one order says two different things. The first stays.
    SaidTwice,
    /// An order that was open is neither open nor ended: the exchange does not know it. It becomes
    /// [`Unknown`](super::OrderStage::Unknown).
    Vanished,
    /// An order that this program has sent has another id than was computed beforehand. It is known under the
    /// exchange's from here on.
    OtherId,
    /// An order was refused of which the exchange has told that it was there. What it told stays.
    RefusedButThere,
}

/// The exchange could not be asked for what was missed.
#[derive(Debug)]
#[non_exhaustive]
pub struct RepairFailed {
    /// What was asked for: `open orders`, `recent orders`, `order history`, `order status`, `balances`, `time`.
    pub asked: &'static str,
    /// What went wrong.
    pub error: Error,
    /// How long until it is asked again.
    pub retry_in: Duration,
}
