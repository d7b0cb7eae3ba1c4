//! Orders and balances of an account, kept true. [`state`] is pure; [`driver`] joins it to a stream and to REST.

mod driver;
mod event;
mod handle;
mod order;
mod own;
mod repair;
mod rest;
mod shared;
mod state;
mod stop;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvError, RecvTimeoutError, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use driver::Driver;
pub use event::{BalanceChange, Contradiction, ContradictionKind, RepairFailed, TrackedBalance, TrackerEvent};
pub use handle::{AccountSnapshot, Placing, TrackerHandle};
pub use order::{Fill, OrderStage, TrackedOrder, Transition};
use shared::Shared;
use state::State;
pub use stop::{CancelOnDrop, Stopped};

use crate::error::{InvalidInput, Result};
use crate::model::AccountCategory;
use crate::pace::seed;
use crate::ws::{Channel, StreamBuilder};

impl StreamBuilder {
    /// Connects, and keeps an account's orders and balances from then on: see [`Tracker`]. The stream is the tracker's
    /// own; everything else that was set here holds for it.
    ///
    /// It returns when the server has greeted; [`wait_live`](TrackerHandle::wait_live) waits until orders and balances are known.
    ///
    /// # Errors
    /// As [`connect`](Self::connect); [`Error::InvalidInput`](crate::Error::InvalidInput) naming `ch` where something is
    /// subscribed to already, or `replay` where a recording is played.
    pub fn track(self, category: AccountCategory) -> Result<Tracker> {
        let (client, has_channels) = self.client_and_channels();
        if has_channels {
            return Err(InvalidInput::new("ch", "a tracker's stream has no other subscriptions").into());
        }
        if self.is_replay() {
            return Err(
                InvalidInput::new("replay", "a tracker asks the exchange, and a recording has no answers").into()
            );
        }
        let account = client.account(category)?;
        let window = client.rest_config().acceptance_window;
        let stream = self.subscribe(Channel::orders(category)).connect()?;
        let (tell, events) = mpsc::channel();
        let shared = Arc::new(Shared::new(State::new(window, seed()), tell, stream.handle(), account));
        let thread = Driver::start(Arc::clone(&shared), stream)?;
        Ok(Tracker { events, handle: TrackerHandle { shared }, thread: Some(thread) })
    }
}

/// An account's orders and balances, kept true: from the stream, and after each reconnection from what the exchange says
/// when it is asked. Made by [`StreamBuilder::track`].
///
/// It is its own [`TrackerHandle`] too: `tracker.place(..)`, `tracker.orders()`. Iterating gives every event until the
/// last, [`TrackerEvent::Closed`]. Orders of other programs on the account are tracked like one's own, and a program
/// that starts while orders are open finds them. Dropping the tracker ends it, and leaves the orders as they are: see
/// [`stop`](TrackerHandle::stop) and [`cancel_on_drop`](TrackerHandle::cancel_on_drop).
///
/// # What is told
///
/// Every transition of every order is told exactly once, in the order of the account's sequence numbers. While there is a
/// connection that is each message of the exchange that changes an order's status or what has traded of it. Across a
/// gap the exchange does not tell the steps, but what has become of each order. So there is one transition then,
/// marked as [recovered](Transition::recovered), for all that happened to an order in the gap: it has the cumulative
/// figures and the number of the last step, and its [`Fill`] is the sum of the fills. An order that came and went in the gap
/// has one such transition. What happens while the gap is being closed is kept until that is done, and comes after.
///
/// The list of orders that have ended is asked for by REST, the rest over the stream. While REST does not answer, for five
/// seconds at most, the known orders are settled without it and the tracker is live. Orders that came and went in the gap
/// are told when the list is there: as recovered, after orders with greater numbers.
///
/// Orders that had ended before the tracker began are not told, nor those that ended before it could learn when that was.
/// An order of which the exchange says that it does not know it, though it had it, is told as
/// [vanished](ContradictionKind::Vanished) and asked about for good.
///
/// Events wait until they are read, however many: a program that does not want them reads them and drops them.
///
/// Balances come with the messages. A change of an asset that the exchange does not tell (a fee taken in a third
/// asset, say) shows after the next reconnection or [`refresh`](TrackerHandle::refresh).
///
/// ```
/// use std::time::Duration;
/// use bitmax::model::{AccountCategory, Side};
/// use bitmax::sandbox::Sandbox;
/// use bitmax::{Client, NewOrder, OrderStage, TrackerEvent};
/// let sandbox = Sandbox::start()?;
/// let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build()?;
/// let tracker = client.stream().track(AccountCategory::Cash)?;
/// assert!(tracker.wait_live(Duration::from_secs(10)));
///
/// let id = tracker.place(&NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000")?)?;
/// for event in &tracker {
///     let TrackerEvent::Order(transition) = event else { continue };
///     println!("{} is {:?}", transition.order.order_id, transition.order.stage);
///     match transition.order.stage {
///         OrderStage::Open => drop(tracker.cancel(id)?),
///         stage if stage.is_ended() => break,
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tracker {
    events: mpsc::Receiver<TrackerEvent>,
    handle: TrackerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Tracker {
    /// Waits for the next event.
    ///
    /// # Errors
    /// [`RecvError`] after the last event.
    pub fn recv(&self) -> Result<TrackerEvent, RecvError> {
        self.events.recv()
    }

    /// The next event, if one is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when none is; [`TryRecvError::Disconnected`] after the last event.
    pub fn try_recv(&self) -> Result<TrackerEvent, TryRecvError> {
        self.events.try_recv()
    }

    /// Waits for the next event, but not longer than `timeout`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when none came; [`RecvTimeoutError::Disconnected`] after the last event.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<TrackerEvent, RecvTimeoutError> {
        self.events.recv_timeout(timeout)
    }

    /// Every event until the last. The same as `&tracker` in a `for` loop.
    pub fn iter(&self) -> mpsc::Iter<'_, TrackerEvent> {
        self.events.iter()
    }

    /// The tracker's other side, for any thread.
    pub fn handle(&self) -> TrackerHandle {
        self.handle.clone()
    }
}

impl Deref for Tracker {
    type Target = TrackerHandle;
    fn deref(&self) -> &TrackerHandle {
        &self.handle
    }
}

impl<'a> IntoIterator for &'a Tracker {
    type Item = TrackerEvent;
    type IntoIter = mpsc::Iter<'a, TrackerEvent>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("category", &self.category()).finish_non_exhaustive()
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the tracker's thread failed");
        }
    }
}

const _: () = {
    const fn sent_to_a_thread<T: Send>() {}
    sent_to_a_thread::<Tracker>();
};

#[cfg(test)]
mod tests;
