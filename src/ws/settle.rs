//! Orders and cancels over the stream that are never in doubt: sent here, and asked about by REST, since a stream that
//! has lost an answer may be gone.

use std::time::{Duration, Instant};

use super::handle::StreamHandle;
use crate::error::{Error, Result, Timeout};
use crate::model::AccountCategory;
use crate::order::{CancelOrder, NewOrder};
use crate::order_id::OrderSource;
use crate::settle::{Settled, SettledCancel};

impl StreamHandle {
    /// Places an order and finds out what became of it even if the answer is lost. It is sent once, over the stream;
    /// where no answer comes within the [time of a request](super::StreamBuilder::request_timeout), within half of the time
    /// until the deadline, or before the connection breaks, the exchange is asked by REST, as by
    /// [`Account::place_settled`](crate::Account::place_settled).
    ///
    /// # Errors
    /// Where nothing was sent: [`Error::InvalidInput`] as for [`place`](Self::place), and naming `id` for one of fewer than
    /// nine letters or digits, `userUID` where the exchange tells none; [`Error::NotReady`], [`Error::RateLimited`],
    /// [`Error::Closed`]; [`Error::Timeout`] when the deadline is over.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use bitmax::model::{AccountCategory, Side};
    /// use bitmax::sandbox::{Break, Fault, Sandbox};
    /// use bitmax::{Authentication, Client, NewOrder, Settled};
    /// let sandbox = Sandbox::start()?;
    /// let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build()?;
    /// let stream = client.stream().authenticate(Authentication::Header).connect()?;
    /// sandbox.inject(Fault::Break(Break::After(0)).at("req place-order"));
    /// let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000")?;
    /// let deadline = Instant::now() + Duration::from_secs(40);
    /// let settled = stream.place_settled(AccountCategory::Cash, &order, deadline)?;
    /// assert!(matches!(settled, Settled::Placed { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn place_settled(
        &self,
        account: AccountCategory,
        order: &impl AsRef<NewOrder>,
        deadline: Instant,
    ) -> Result<Settled> {
        let order = order.as_ref();
        self.client.account(account)?.settle_order(OrderSource::Stream, order, deadline, |by, note| {
            self.ending_by(by)?.send_order(account, order, note)
        })
    }

    /// Cancels an order and finds out what became of it even if the answer is lost. The cancel is sent once, over the
    /// stream; where no answer comes, the exchange is asked by REST, as by
    /// [`Account::cancel_settled`](crate::Account::cancel_settled).
    ///
    /// # Errors
    /// Where nothing was sent: as [`place_settled`](Self::place_settled).
    pub fn cancel_settled(
        &self,
        account: AccountCategory,
        cancel: &CancelOrder,
        deadline: Instant,
    ) -> Result<SettledCancel> {
        self.client
            .account(account)?
            .settle_cancel(cancel, deadline, |by| Ok(Some(self.ending_by(by)?.cancel(account, cancel)?)))
    }

    /// The same handle, whose requests end by then.
    fn ending_by(&self, by: Instant) -> Result<Self> {
        match by.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(Error::Timeout(Timeout::Deadline)),
            left => Ok(self.with_request_timeout(left.min(self.request_timeout))),
        }
    }
}
