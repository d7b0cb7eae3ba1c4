//! What can be asked of a tracker, from any thread.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use super::driver::failed;
use super::event::TrackedBalance;
use super::order::TrackedOrder;
use super::own::Draft;
use super::shared::{Shared, Waiting, after};
use crate::error::{Error, InvalidInput, Result};
use crate::model::{AccountCategory, CancelAllAck, OrderAnswer, Outcome};
use crate::order::{CancelOrder, NewOrder};
use crate::order_id::{OrderSource, order_id};
use crate::symbol::{Asset, OrderId, Symbol};

/// The other side of a [`Tracker`](super::Tracker), for any thread: it reads orders and balances, places and cancels.
/// Cheap to clone.
///
/// What it reads is what the exchange had said when it was read; while the tracker [is live](Self::is_live) nothing
/// is missing from it.
#[derive(Clone)]
pub struct TrackerHandle {
    pub(super) shared: Arc<Shared>,
}

/// An account at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountSnapshot {
    /// Whether this is what the exchange has said last, with nothing missing.
    pub live: bool,
    /// The orders that have not ended, by id.
    pub orders: Vec<TrackedOrder>,
    /// The balances, by asset.
    pub balances: Vec<TrackedBalance>,
    /// The sequence number of the last thing that is known of.
    pub seqnum: u64,
}

impl TrackerHandle {
    /// The account's category.
    pub fn category(&self) -> AccountCategory {
        self.shared.account.category()
    }

    /// Whether orders and balances are what the exchange has, by all that has arrived here.
    pub fn is_live(&self) -> bool {
        self.shared.lock().state.is_live()
    }

    /// Waits until the tracker is live, no longer than that; whether it is.
    pub fn wait_live(&self, timeout: Duration) -> bool {
        self.shared.wait_until(after(timeout), |core| core.state.is_live())
    }

    /// The orders that have not ended, by id: those that are open, and those on their way or in doubt.
    pub fn orders(&self) -> Vec<TrackedOrder> {
        self.select(|order| !order.stage.is_ended())
    }

    /// The orders that the exchange has said are open, by id.
    pub fn open_orders(&self) -> Vec<TrackedOrder> {
        self.select(|order| order.stage.is_open())
    }

    /// An order by the server's id: one that has not ended, or one of the last 10 000 that have since the tracker
    /// began.
    pub fn order(&self, order_id: OrderId) -> Option<TrackedOrder> {
        self.shared.lock().state.orders.get(&order_id).map(|entry| entry.order.clone())
    }

    /// A balance; none of an asset of which there never was any.
    pub fn balance(&self, asset: Asset) -> Option<TrackedBalance> {
        self.shared.lock().state.balances().get(&asset).copied()
    }

    /// All balances, by asset.
    pub fn balances(&self) -> Vec<TrackedBalance> {
        self.shared.lock().state.balances().values().copied().collect()
    }

    /// Orders and balances of the same moment.
    pub fn snapshot(&self) -> AccountSnapshot {
        let core = self.shared.lock();
        let orders = core.state.orders.values().map(|entry| &entry.order);
        AccountSnapshot {
            live: core.state.is_live(),
            orders: orders.filter(|order| !order.stage.is_ended()).cloned().collect(),
            balances: core.state.balances().values().copied().collect(),
            seqnum: core.state.newest,
        }
    }

    fn select(&self, wanted: impl Fn(&TrackedOrder) -> bool) -> Vec<TrackedOrder> {
        let core = self.shared.lock();
        core.state.orders.values().map(|entry| &entry.order).filter(|order| wanted(order)).cloned().collect()
    }

    /// Places an order over the stream and waits until the exchange has acknowledged it; its id. The order is known
    /// from the moment at which it is sent, under the id that was computed beforehand.
    ///
    /// An order whose answer is lost ([`may_have_executed`](Error::may_have_executed)) is asked about until it is
    /// settled; a transition tells what became of it.
    ///
    /// Where the stream is to [wait when limited](crate::StreamBuilder::wait_when_limited) this waits too. Each attempt is an
    /// order with an id of its own; the transitions tell those as [`Unsent`](super::OrderStage::Unsent) that the limit kept
    /// back.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for an order that does not meet the [rules](crate::Account::load_rules), if they were
    /// loaded, and naming `id` for one of fewer than nine letters or digits, or whose last nine another order of the same
    /// millisecond has (what was used at another time the exchange alone may refuse), `userUID` where the exchange tells
    /// none: the id cannot be computed; [`Error::NotReady`] also before the account's messages come, for what would
    /// become of the order could not be heard, and when the tracker is being [stopped](Self::stop); [`Error::Closed`]
    /// when it has ended. Otherwise as all requests of a [`StreamHandle`](crate::StreamHandle).
    pub fn place(&self, order: &impl AsRef<NewOrder>) -> Result<OrderId> {
        self.shared.stream.patiently(|| self.place_later(order)?.wait())
    }

    /// Places an order over the stream; the answer can be waited for later, or not at all: transitions tell what
    /// becomes of it. It does not wait when limited.
    ///
    /// # Errors
    /// As [`place`](Self::place).
    pub fn place_later(&self, order: &impl AsRef<NewOrder>) -> Result<Placing> {
        let order = order.as_ref();
        let Shared { account, stream, .. } = &*self.shared;
        let category = account.category();
        account.client.rules().check(category, order)?;
        let body = order.stamp(account.client.now_millis())?;
        if account.uid().is_empty() {
            return Err(InvalidInput::new("userUID", "is not known, so that no order can be tracked").into());
        }
        let Some(order_id) = order_id(OrderSource::Stream, body.time(), account.uid(), body.id().as_str()) else {
            return Err(InvalidInput::new("id", "has fewer than nine letters or digits: it cannot be tracked").into());
        };
        let draft = Draft {
            order_id,
            client_id: body.id(),
            time: body.time(),
            symbol: order.symbol,
            side: order.side.clone(),
            order_type: order.order_type.clone(),
            order_qty: order.quantity,
            price: order.price,
            stop_price: order.stop_price,
        };
        let (waiter, answer) = mpsc::channel();
        self.shared.act(|core, now| {
            if core.is_over() {
                return Err(Error::Closed);
            }
            if core.is_stopping {
                return Err(Error::NotReady("the tracker is stopping"));
            }
            if !core.state.sending(draft) {
                return Err(InvalidInput::new("id", "was used before").into());
            }
            // Nobody else can hear the answer before it is written down who waits for it.
            let sent = match core.state.is_subscribed() {
                true => stream.place_in_place(category, &body),
                false => Err(Error::NotReady("not subscribed to the account's orders")),
            };
            let token = sent.inspect_err(|error| core.state.sent(order_id, failed(error), now))?;
            core.waiting.insert(token, Waiting::Order(order_id, waiter));
            Ok(())
        })?;
        Ok(Placing { order_id, answer })
    }

    /// Cancels an order over the stream, and waits until the exchange has acknowledged that. A transition tells when
    /// it is done.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] naming `orderId` for an order that is not known; otherwise as all requests of a
    /// [`StreamHandle`](crate::StreamHandle).
    pub fn cancel(&self, order_id: OrderId) -> Result<OrderAnswer<Outcome>> {
        let order = self.order(order_id).ok_or_else(|| InvalidInput::new("orderId", "is not known"))?;
        self.shared.stream.cancel(self.category(), &CancelOrder::new(order_id, order.symbol)?)
    }

    /// Cancels every open order, or those of one product, over the stream. Those that were sent and are not yet
    /// acknowledged are not cancelled: see [`stop`](Self::stop).
    ///
    /// # Errors
    /// As all requests of a [`StreamHandle`](crate::StreamHandle).
    pub fn cancel_all(&self, symbol: Option<Symbol>) -> Result<OrderAnswer<CancelAllAck>> {
        self.shared.stream.cancel_all(self.category(), symbol)
    }

    /// Asks the exchange for everything anew, as after a reconnection. Until that is done the tracker is not live.
    pub fn refresh(&self) {
        self.shared.act(|core, now| core.state.refresh(now));
        if self.shared.stream.remote().knock().is_err() {
            log::trace!("the tracker has ended already");
        }
    }

    /// Ends the tracker: [`Closed`](super::TrackerEvent::Closed) is its last event. Orders stay as they are.
    pub fn close(&self) {
        self.shared.stream.close();
    }
}

impl fmt::Debug for TrackerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackerHandle").field("category", &self.category()).finish_non_exhaustive()
    }
}

/// An order that was sent, and whose answer is to come. Dropping it takes nothing back.
#[derive(Debug)]
#[must_use = "the order is sent whether or not its answer is waited for"]
pub struct Placing {
    order_id: OrderId,
    answer: mpsc::Receiver<Result<OrderAnswer<Outcome>>>,
}

impl Placing {
    /// The id that the order has by all that is known: computed beforehand.
    pub fn order_id(&self) -> OrderId {
        self.order_id
    }

    /// Waits until the exchange has acknowledged the order; its id.
    ///
    /// # Errors
    /// As [`TrackerHandle::place`].
    pub fn wait(self) -> Result<OrderId> {
        let answer = self.answer.recv().map_err(|mpsc::RecvError| Error::ConnectionLost)??;
        Ok(answer.info.order_id().unwrap_or(self.order_id))
    }
}

const _: () = {
    const fn shared_among_threads<T: Clone + Send + Sync>() {}
    shared_among_threads::<TrackerHandle>();
};
