//! Orders as a tracker knows them.

use rust_decimal::Decimal;

use crate::error::Refusal;
use crate::model::{ExecInst, OrderError, OrderState, OrderStatus, OrderType, Side};
use crate::order_id::ClientOrderId;
use crate::symbol::{Asset, OrderId, Symbol};

/// How far an order has come, as a tracker knows it.
///
/// ```text
/// Sending ─┬─▶ Open ──▶ PartiallyFilled ─┬─▶ Filled
///          │    ▲ │            ▲         └─▶ Canceled
///          ├─▶ Unknown ────────┘
///          ├─▶ Rejected                       any of these can be the next one told,
///          └─▶ Unsent                         where there was no connection in between
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OrderStage {
    /// On its way from this program: sent, and perhaps acknowledged; the matching engine has not spoken.
    Sending,
    /// Nobody knows: its answer is lost, or the exchange has lost it. It is being asked about.
    Unknown,
    /// Taken by the exchange; nothing has traded. A stop order that waits is open too, and so is a status that this
    /// version does not know.
    Open,
    /// A part has traded; the rest is open.
    PartiallyFilled,
    /// All has traded.
    Filled,
    /// Ended before all had traded.
    Canceled,
    /// Refused, by the exchange or by its matching engine.
    Rejected,
    /// It never reached the exchange and never will: it was not sent, or its time ran out on the way (expired unsent).
    Unsent,
}

impl OrderStage {
    /// Whether nothing more can come of the order.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Unsent)
    }

    /// Whether the exchange has said that the order may trade or be cancelled.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::PartiallyFilled)
    }

    pub(super) fn of(status: &OrderStatus, filled: Decimal) -> Self {
        match status {
            OrderStatus::Filled => Self::Filled,
            OrderStatus::Canceled => Self::Canceled,
            OrderStatus::Rejected => Self::Rejected,
            OrderStatus::PartiallyFilled => Self::PartiallyFilled,
            _ if !filled.is_zero() => Self::PartiallyFilled,
            _ => Self::Open,
        }
    }
}

/// An order as a tracker knows it. What the exchange has not told is none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackedOrder {
    /// The server's id; of an order that this program sends, computed beforehand.
    pub order_id: OrderId,
    /// The client's id, where this tracker has sent the order.
    pub client_id: Option<ClientOrderId>,
    /// The product.
    pub symbol: Symbol,
    /// The side.
    pub side: Option<Side>,
    /// The type.
    pub order_type: Option<OrderType>,
    /// The limit, in the quote asset.
    pub price: Option<Decimal>,
    /// Where it comes into force, in the quote asset.
    pub stop_price: Option<Decimal>,
    /// How much is to trade, in the base asset.
    pub order_qty: Option<Decimal>,
    /// How far it has come.
    pub stage: OrderStage,
    /// The same as the exchange said it last.
    pub status: Option<OrderStatus>,
    /// How much has traded so far, in the base asset.
    pub cum_filled_qty: Decimal,
    /// The average price so far, in the quote asset.
    pub avg_px: Option<Decimal>,
    /// The fee so far, in `fee_asset`.
    pub cum_fee: Option<Decimal>,
    /// What the fee is taken in.
    pub fee_asset: Option<Asset>,
    /// What the matching engine has against it.
    pub error: Option<OrderError>,
    /// Post-only or forced.
    pub exec_inst: Option<ExecInst>,
    /// The sequence number of the last thing that happened to it; none before the exchange has told any.
    pub seqnum: Option<u64>,
    /// When something last happened to it by the exchange's clock, UTC milliseconds.
    pub ts: Option<u64>,
}

impl TrackedOrder {
    /// An order of which nothing but the id is known.
    pub(super) fn new(order_id: OrderId, symbol: Symbol) -> Self {
        Self {
            order_id,
            client_id: None,
            symbol,
            side: None,
            order_type: None,
            price: None,
            stop_price: None,
            order_qty: None,
            stage: OrderStage::Unknown,
            status: None,
            cum_filled_qty: Decimal::ZERO,
            avg_px: None,
            cum_fee: None,
            fee_asset: None,
            error: None,
            exec_inst: None,
            seqnum: None,
            ts: None,
        }
    }

    /// What the exchange said last; what it left out stays.
    pub(super) fn set(&mut self, told: OrderState) {
        self.cum_filled_qty = self.filled_by(&told);
        self.stage = OrderStage::of(&told.status, self.cum_filled_qty);
        self.seqnum = Some(told.seqnum);
        self.ts = Some(told.ts);
        self.status = Some(told.status);
        self.symbol = told.symbol;
        self.error = told.error;
        self.side = told.side.or(self.side.take());
        self.order_type = told.order_type.or(self.order_type.take());
        self.price = told.price.or(self.price);
        self.stop_price = told.stop_price.filter(|price| !price.is_zero()).or(self.stop_price);
        self.order_qty = told.order_qty.or(self.order_qty);
        self.avg_px = told.avg_px.filter(|price| !price.is_zero()).or(self.avg_px);
        self.cum_fee = told.cum_fee.or(self.cum_fee);
        self.fee_asset = told.fee_asset.or(self.fee_asset);
        self.exec_inst = told.exec_inst.or(self.exec_inst.take());
    }

    /// How much has traded by what the exchange says now.
    pub(super) fn filled_by(&self, told: &OrderState) -> Decimal {
        let whole = || told.order_qty.or(self.order_qty).filter(|_| told.status == OrderStatus::Filled);
        told.cum_filled_qty.or_else(whole).unwrap_or(self.cum_filled_qty)
    }

    /// Whether the exchange says nothing new: neither of the status, nor of what has traded.
    pub(super) fn is_told_by(&self, told: &OrderState) -> bool {
        self.status.as_ref().map(plain) == Some(plain(&told.status)) && self.cum_filled_qty == self.filled_by(told)
    }
}

/// A status by its name outside of the *ready* mode.
fn plain(status: &OrderStatus) -> &OrderStatus {
    match status {
        OrderStatus::Ready => &OrderStatus::New,
        other => other,
    }
}

/// An order came to a new state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The order as it is now.
    pub order: TrackedOrder,
    /// How far it had come before; none for an order that was not known.
    pub from: Option<OrderStage>,
    /// What has traded since.
    pub fill: Option<Fill>,
    /// Whether it may have happened while nothing could be heard of it. It then stands for everything that happened to
    /// the order since the transition before: the exchange tells where an order has come to, not the steps in between.
    /// An order that is found when the tracker starts is recovered too.
    pub recovered: bool,
    /// When the message was read that tells it, UTC nanoseconds by this machine's clock; none where it was learned
    /// otherwise.
    pub received: Option<u64>,
    /// Why the exchange did not take the order, where it said so in its answer.
    pub refusal: Option<Box<Refusal>>,
}

/// What has traded of an order from one transition to the next: one fill, or several where the transition is
/// [recovered](Transition::recovered). Of an order that was open before the tracker began ([`from`](Transition::from) is
/// none), it is all that had traded before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fill {
    /// How much, in the base asset.
    pub quantity: Decimal,
    /// The fee for it, in the order's fee asset; none where the exchange did not tell the fee before and after.
    pub fee: Option<Decimal>,
}

impl Fill {
    /// Between two states of an order; none where nothing has traded.
    pub(super) fn between(before: Option<&TrackedOrder>, after: &TrackedOrder) -> Option<Self> {
        let (filled, fee) = match before {
            Some(before) if before.cum_filled_qty.is_zero() => (Decimal::ZERO, Some(Decimal::ZERO)),
            Some(before) => (before.cum_filled_qty, before.cum_fee),
            None => (Decimal::ZERO, Some(Decimal::ZERO)),
        };
        let quantity = after.cum_filled_qty.checked_sub(filled)?;
        (quantity > Decimal::ZERO)
            .then(|| Self { quantity, fee: after.cum_fee.zip(fee).and_then(|(now, before)| now.checked_sub(before)) })
    }
}
