//! Ending with nothing left open: cancel all, look whether the exchange says so, and say what is left.

use std::fmt;
use std::time::{Duration, Instant};

use super::driver::whole;
use super::handle::TrackerHandle;
use super::order::TrackedOrder;
use super::shared::after;
use super::state::Entry;
use crate::error::{Error, Result};
use crate::model::{Order, OrderState};
use crate::pace::{Waits, seed};
use crate::rest::Account;

/// How long one question over the stream may take before REST is tried, at most: it may take a quarter of what is left.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the tracker may take to hear that the orders have ended, when the exchange has said that none is open.
const TO_HEAR: Duration = Duration::from_secs(5);

/// What is left of an account's orders after all were cancelled.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// Whether the exchange itself has said, after a cancel, what is open. Otherwise it could not be asked, and `open` is
    /// what was known before.
    pub confirmed: bool,
    /// The orders that are still open, by the last that is known.
    pub open: Vec<TrackedOrder>,
    /// Orders that this program has sent and of which nobody knows whether the exchange has them: they may come to be
    /// open yet.
    pub unsettled: Vec<TrackedOrder>,
    /// What went wrong last, where anything did.
    pub error: Option<Error>,
}

impl Stopped {
    /// Whether nothing is left, by the exchange's own word.
    pub fn is_clean(&self) -> bool {
        self.confirmed && self.open.is_empty() && self.unsettled.is_empty()
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("no order is left");
        }
        write!(f, "{} orders open, {} in doubt", self.open.len(), self.unsettled.len())?;
        if !self.confirmed {
            f.write_str(", not confirmed by the exchange")?;
        }
        match &self.error {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}

impl TrackerHandle {
    /// Places no further order, cancels all that are open, waits until the exchange says that none is, and ends the
    /// tracker. It asks over the stream and, where that fails, by REST; orders whose acknowledgement is on its way are
    /// waited for and cancelled too. Where the stream has just broken, up to five seconds are left to it to tell how the
    /// orders ended. Returns within that time, but for what one call of REST takes to end.
    pub fn stop(&self, within: Duration) -> Stopped {
        let deadline = after(within);
        self.shared.act(|core, _| core.is_stopping = true);
        let stream = &self.shared.stream;
        let category = self.category();
        let stopped = wind_down(
            deadline,
            Ways {
                cancel_all: &mut || {
                    let quick = stream.with_request_timeout(PATIENCE.min(left(deadline) / 4));
                    match quick.cancel_all(category, None) {
                        Ok(_) => Ok(()),
                        Err(_) => self.shared.account.until(deadline).cancel_all(None).map(drop),
                    }
                },
                open: &mut || {
                    let quick = stream.with_request_timeout(PATIENCE.min(left(deadline) / 4));
                    match quick.open_orders(category, &[]).and_then(whole::<OrderState>) {
                        Ok(open) => Ok(open.into_iter().map(tracked).collect()),
                        Err(_) => open_by_rest(&self.shared.account.until(deadline)),
                    }
                },
                known: &|| self.open_orders(),
                unsettled: &|| self.select_unsettled(),
                pause: &|wait| self.shared.rest(wait),
            },
        );
        if stopped.is_clean() {
            // What has traded at the last moment is told too, where it can be.
            let is_open = |entry: &Entry| entry.order.stage.is_open();
            self.shared.wait_until(deadline.min(after(TO_HEAR)), |core| !core.state.orders.values().any(is_open));
        }
        self.close();
        stopped
    }

    /// What this program has sent, and nobody knows about.
    fn select_unsettled(&self) -> Vec<TrackedOrder> {
        self.orders().into_iter().filter(|order| !order.stage.is_open() && order.client_id.is_some()).collect()
    }

    /// A guard that [stops](Self::stop) the tracker when it is dropped: by a return, an error or a panic. Nothing is
    /// done for a program that is killed.
    #[must_use = "it cancels everything as soon as it is dropped"]
    pub fn cancel_on_drop(&self, within: Duration) -> CancelOnDrop {
        CancelOnDrop { of: Of::Tracker(self.clone()), within, is_over: false }
    }
}

impl Account {
    /// Cancels all orders by REST, and waits until the exchange says that none is open, no longer than that.
    ///
    /// It knows of no order that is on its way: one that another thread places meanwhile, or whose answer was lost, may
    /// come to rest after that. A [tracker](TrackerHandle::stop) knows of those that were placed through it.
    pub fn stop(&self, within: Duration) -> Stopped {
        let deadline = after(within);
        let account = self.until(deadline);
        wind_down(
            deadline,
            Ways {
                cancel_all: &mut || account.cancel_all(None).map(drop),
                open: &mut || open_by_rest(&account),
                known: &Vec::new,
                unsettled: &Vec::new,
                pause: &std::thread::sleep,
            },
        )
    }

    /// A guard that cancels every order of the account when it is dropped, as [`stop`](Self::stop) does: by a return,
    /// an error or a panic. Nothing is done for a program that is killed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bitmax::model::{AccountCategory, Side};
    /// use bitmax::sandbox::Sandbox;
    /// use bitmax::{Client, NewOrder};
    /// let sandbox = Sandbox::start()?;
    /// let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build()?;
    /// let cash = client.account(AccountCategory::Cash)?;
    /// {
    ///     let _guard = cash.cancel_on_drop(Duration::from_secs(5));
    ///     cash.place(&NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000")?)?;
    /// }
    /// assert!(sandbox.user().open_orders(AccountCategory::Cash).is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "it cancels everything as soon as it is dropped"]
    pub fn cancel_on_drop(&self, within: Duration) -> CancelOnDrop {
        CancelOnDrop { of: Of::Account(self.clone()), within, is_over: false }
    }
}

/// Cancels every order of an account when it is dropped. From [`Account::cancel_on_drop`] or
/// [`TrackerHandle::cancel_on_drop`].
///
/// What is left then is logged as an error; [`stop`](Self::stop) says it.
#[derive(Debug)]
#[must_use = "it cancels everything as soon as it is dropped"]
pub struct CancelOnDrop {
    of: Of,
    within: Duration,
    /// Whether there is nothing to do any more.
    is_over: bool,
}

#[derive(Debug)]
enum Of {
    Account(Account),
    Tracker(TrackerHandle),
}

impl Of {
    fn stop(&self, within: Duration) -> Stopped {
        match self {
            Self::Account(account) => account.stop(within),
            Self::Tracker(tracker) => tracker.stop(within),
        }
    }
}

impl CancelOnDrop {
    /// Cancels now, and says what is left.
    pub fn stop(mut self) -> Stopped {
        self.is_over = true;
        self.of.stop(self.within)
    }

    /// Gives the guard up: the orders stay as they are.
    pub fn keep(mut self) {
        self.is_over = true;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if !self.is_over {
            let stopped = self.of.stop(self.within);
            match stopped.is_clean() {
                true => log::info!("all orders are cancelled"),
                false => log::error!("cancelling all orders: {stopped}"),
            }
        }
    }
}

/// How an account is wound down.
struct Ways<'a> {
    cancel_all: &'a mut dyn FnMut() -> Result<()>,
    /// What the exchange says is open.
    open: &'a mut dyn FnMut() -> Result<Vec<TrackedOrder>>,
    /// What is known to be open.
    known: &'a dyn Fn() -> Vec<TrackedOrder>,
    /// Orders that may come to be open yet.
    unsettled: &'a dyn Fn() -> Vec<TrackedOrder>,
    pause: &'a dyn Fn(Duration),
}

fn wind_down(deadline: Instant, ways: Ways<'_>) -> Stopped {
    let mut waits = Waits::new(Duration::from_millis(50), Duration::from_secs(1), seed());
    let mut stopped = Stopped { confirmed: false, open: (ways.known)(), unsettled: (ways.unsettled)(), error: None };
    loop {
        if let Err(error) = (ways.cancel_all)() {
            stopped.error = Some(error);
        }
        // What is in doubt is looked at first: should it have come to be open, the exchange says so after.
        stopped.unsettled = (ways.unsettled)();
        match (ways.open)() {
            Ok(open) => (stopped.open, stopped.confirmed) = (open, true),
            Err(error) => {
                stopped.error = Some(error);
                // That some were open stays its last word; that none was is not, any more.
                stopped.confirmed &= !stopped.open.is_empty();
            }
        }
        if stopped.is_clean() {
            stopped.error = None;
            return stopped;
        }
        let left = left(deadline);
        if left.is_zero() {
            return stopped;
        }
        let asked = stopped.error.as_ref().and_then(Error::retry_after);
        (ways.pause)(waits.next(asked).min(left));
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn open_by_rest(account: &Account) -> Result<Vec<TrackedOrder>> {
    Ok(whole::<Order>(account.open_orders(None)?)?
        .into_iter()
        .map(|order| tracked(super::rest::of_order(order)))
        .collect())
}

fn tracked(told: OrderState) -> TrackedOrder {
    let mut order = TrackedOrder::new(told.order_id, told.symbol);
    order.set(told);
    order
}
