//! Orders and cancels that are never in doubt: what `settle` wants asked is asked here.

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::endpoint::{CANCEL, PLACE};
use super::history::RecentOrdersQuery;
use crate::client::Client;
use crate::clock::wall_millis;
use crate::error::{DecodeError, Error, InvalidInput, Result};
use crate::model::{Order, OrderAnswer, Outcome, Rows};
use crate::order::{CancelOrder, NewOrder, OrderBody};
use crate::order_id::{ClientOrderId, OrderSource, order_id, tail};
use crate::pace::seed;
use crate::settle::{Inquiry, Next, Question, Reply, Settled, SettledCancel, Subject, Verdict};
use crate::symbol::OrderId;

/// How many recent orders are looked at.
pub(crate) const RECENT_LOOKED_AT: u32 = 1000;

/// Whether the exchange gives orders the ids that are computed beforehand, by what it has said of orders so far.
#[derive(Debug, Default)]
pub(super) struct IdRule(AtomicU8);

impl IdRule {
    const CONFIRMED: u8 = 1;
    const BROKEN: u8 = 2;

    /// Broken once, it proves nothing any more.
    fn holds(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::CONFIRMED
    }

    /// An order whose id was computed has this one.
    fn saw(&self, computed: OrderId, id: OrderId) {
        let is_as_computed = computed == id;
        let before = self.0.fetch_or(if is_as_computed { Self::CONFIRMED } else { Self::BROKEN }, Ordering::Relaxed);
        if !is_as_computed && before & Self::BROKEN == 0 {
            log::warn!("the exchange's id of an order is {id}, not {computed}: absence cannot be told");
        }
    }
}

impl Client {
    /// Holds an acknowledged order's id against the one that was computed.
    pub(crate) fn note_acknowledged(&self, source: OrderSource, body: &OrderBody, outcome: &Outcome) {
        let Some(identity) = self.identities().known() else { return };
        let computed = order_id(source, body.time(), &identity.uid, body.id().as_str());
        if let (Some(computed), Some(acknowledged)) = (computed, outcome.order_id()) {
            self.note_id(computed, acknowledged);
        }
    }

    /// Holds the id that an order has at the exchange against the one that was computed.
    pub(crate) fn note_id(&self, computed: OrderId, id: OrderId) {
        self.identities().id_rule.saw(computed, id);
    }

    /// Whether the exchange is known to give orders the ids that are computed beforehand.
    pub(crate) fn ids_are_sure(&self) -> bool {
        self.identities().id_rule.holds()
    }
}

impl Account {
    /// Places an order and finds out what became of it even if the answer is lost. It is sent once, for
    /// which it has the [time of one call](crate::ClientBuilder::call_timeout) and at most half of that until the
    /// deadline; where no answer comes, the exchange is asked for the id that the order has if it is
    /// there, then also for open and recent orders, again and again until it shows, until it is certain that it never
    /// will, or until the deadline.
    ///
    /// That it never will takes time: an order may still be taken until its [acceptance
    /// window](crate::ClientBuilder::acceptance_window) is over, 30 seconds by default; a deadline of 40 seconds leaves
    /// room to ask after that. It takes an earlier order of this client too, acknowledged or found: it shows that the id
    /// is computed as the exchange does.
    ///
    /// # Errors
    /// Where nothing was sent: [`Error::InvalidInput`] as for [`place`](Self::place), and naming `id` for one of fewer
    /// than nine letters or digits, `userUID` where the exchange tells none; [`Error::Transport`] or
    /// [`Error::Timeout`] when there is no connection.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use bitmax::model::{AccountCategory, Side};
    /// use bitmax::sandbox::{Fault, Sandbox};
    /// use bitmax::{Client, NewOrder, Settled};
    /// let sandbox = Sandbox::start()?;
    /// sandbox.inject(Fault::LoseAnswer.at("POST */order"));
    /// let builder = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials());
    /// let client = builder.read_timeout(Duration::from_secs(1)).build()?;
    /// let account = client.account(AccountCategory::Cash)?;
    /// let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000")?;
    /// match account.place_settled(&order, Instant::now() + Duration::from_secs(40))? {
    ///     Settled::Placed { order_id, .. } => println!("placed: {order_id}"),
    ///     Settled::Refused(refusal) => println!("{refusal}"),
    ///     Settled::Absent => println!("it never arrived: place it anew, if it is still wanted"),
    ///     Settled::Unknown { order_id, error, .. } => println!("{error}: ask for {order_id} later"),
    ///     _ => {}
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn place_settled(&self, order: &impl AsRef<NewOrder>, deadline: Instant) -> Result<Settled> {
        let order = order.as_ref();
        self.settle_order(OrderSource::Rest, order, deadline, |by, note| self.until(by).send_order(order, note))
    }

    /// Has an order sent once, by a time, and finds out what became of it. `send` notes its id and time before it sends.
    pub(crate) fn settle_order(
        &self,
        source: OrderSource,
        order: &NewOrder,
        deadline: Instant,
        send: impl FnOnce(Instant, &mut dyn FnMut(ClientOrderId, u64)) -> Result<OrderAnswer<Outcome>>,
    ) -> Result<Settled> {
        let computed = |id: ClientOrderId, time| order_id(source, time, self.uid(), id.as_str());
        if self.uid().is_empty() {
            return Err(InvalidInput::new("userUID", "is not known, so that no order can be settled").into());
        }
        if order.client_id().is_some_and(|id| computed(id, 0).is_none()) {
            return Err(InvalidInput::new("id", "has fewer than nine letters or digits: it cannot be settled").into());
        }

        let mut sent = None;
        let error = match send(halfway(deadline), &mut |id, time| sent = Some((id, time))) {
            Ok(answer) => match answer.info {
                Outcome::Ack(ack) => return Ok(Settled::Placed { order_id: ack.order_id, order: None }),
                Outcome::Accept(order) | Outcome::Done(order) => return Ok(placed(order)),
                Outcome::Refused(_) | Outcome::Other { .. } => not_understood(&PLACE, &answer.info),
            },
            Err(Error::Refused(refusal)) if !refusal.is_in_doubt() => return Ok(Settled::Refused(refusal)),
            Err(error) if error.may_have_executed() => error,
            Err(error) => return Err(error),
        };
        // cannot fail: what may have been executed was sent, and its id was checked
        let Some((id, time, order_id)) = sent.and_then(|(id, time)| Some((id, time, computed(id, time)?))) else {
            return Err(error);
        };

        log::info!("the answer to order {order_id} is lost ({error}); asking for it");
        let window = self.client.rest_config().acceptance_window;
        let left = deadline.saturating_duration_since(Instant::now());
        let mut inquiry = Inquiry::new(Subject::Order, time, window, left, error, seed());
        let sought = Sought { order, order_id, tail: tail(id.as_str()), from: time.saturating_sub(millis(window)) };
        let account = self.until(deadline);
        let id_is_sure = || self.client.ids_are_sure();
        let verdict = account.inquire(&mut inquiry, id_is_sure, |question| match question {
            Question::Time => Ok(Reply::Time(account.exchange_time()?)),
            Question::Status => Ok(shown(account.order(order_id)?)),
            Question::Open => sought.among(account.open_orders(Some(order.symbol))?),
            Question::Recent => {
                let query = RecentOrdersQuery::new().n(RECENT_LOOKED_AT).symbol(order.symbol);
                sought.among(account.recent_orders(&query)?)
            }
        });
        log::info!("order {order_id}: {verdict:?}");
        Ok(match verdict {
            Verdict::Found(order) => {
                self.client.note_id(order_id, order.order_id);
                placed(order)
            }
            Verdict::Absent => match *inquiry.into_error() {
                Error::Refused(refusal) if refusal.is_duplicate() => Settled::Refused(refusal),
                _ => Settled::Absent,
            },
            Verdict::Unknown => Settled::Unknown { order_id, error: inquiry.into_error() },
        })
    }

    /// Cancels an order and finds out what became of it even if the answer is lost. The cancel is sent once; where no
    /// answer comes, the exchange is asked for the order until it is not open any more, until it is certain that the
    /// cancel did not arrive, or until the deadline, as with [`place_settled`](Self::place_settled).
    ///
    /// # Errors
    /// Where nothing was sent: as all calls, see [`Account`].
    pub fn cancel_settled(&self, cancel: &CancelOrder, deadline: Instant) -> Result<SettledCancel> {
        self.settle_cancel(cancel, deadline, |by| self.until(by).cancel(cancel))
    }

    /// Has a cancel sent once, by a time, and finds out what became of it.
    pub(crate) fn settle_cancel(
        &self,
        cancel: &CancelOrder,
        deadline: Instant,
        send: impl FnOnce(Instant) -> Result<Option<OrderAnswer<Outcome>>>,
    ) -> Result<SettledCancel> {
        let error = match send(halfway(deadline)) {
            Ok(None) => return Ok(SettledCancel::Taken(None)),
            Ok(Some(answer)) => match answer.info {
                Outcome::Ack(_) => return Ok(SettledCancel::Taken(None)),
                Outcome::Accept(order) | Outcome::Done(order) => return Ok(SettledCancel::Taken(Some(order))),
                Outcome::Refused(_) | Outcome::Other { .. } => not_understood(&CANCEL, &answer.info),
            },
            Err(Error::Refused(refusal)) if !refusal.is_in_doubt() => return Ok(SettledCancel::Refused(refusal)),
            Err(error) if error.may_have_executed() => error,
            Err(error) => return Err(error),
        };

        log::info!("the answer to the cancel of {} is lost ({error}); asking for the order", cancel.order_id());
        // It was signed and stamped at the latest now.
        let time = self.client.now_millis();
        let window = self.client.rest_config().acceptance_window;
        let left = deadline.saturating_duration_since(Instant::now());
        let mut inquiry = Inquiry::new(Subject::Cancel, time, window, left, error, seed());
        let mut last = None;
        let account = self.until(deadline);
        let verdict = account.inquire(
            &mut inquiry,
            || true,
            |question| match question {
                Question::Time => Ok(Reply::Time(account.exchange_time()?)),
                _ => {
                    last = account.order(cancel.order_id())?.map(Box::new);
                    Ok(last.take_if(|order| !order.status.is_open()).map_or(Reply::Nothing, Reply::Shows))
                }
            },
        );
        log::info!("cancel of {}: {verdict:?}", cancel.order_id());
        Ok(match verdict {
            Verdict::Found(order) => SettledCancel::Closed(order),
            Verdict::Absent => match *inquiry.into_error() {
                Error::Refused(refusal) if refusal.is_duplicate() => SettledCancel::Refused(refusal),
                _ => SettledCancel::NotTaken(last),
            },
            Verdict::Unknown => SettledCancel::Unknown { error: inquiry.into_error() },
        })
    }

    /// The same account with a deadline.
    pub(crate) fn until(&self, deadline: Instant) -> Self {
        let mut account = self.clone();
        account.client = self.client.ending_by(deadline);
        account
    }

    fn inquire(
        &self,
        inquiry: &mut Inquiry,
        id_is_sure: impl Fn() -> bool,
        mut ask: impl FnMut(Question) -> Result<Reply>,
    ) -> Verdict {
        let began = Instant::now();
        loop {
            match inquiry.next(began.elapsed(), id_is_sure()) {
                Next::Ask(question) => {
                    let asked = began.elapsed();
                    let reply = ask(question);
                    inquiry.heard(question, asked, began.elapsed(), reply);
                }
                Next::Wait(until) => thread::sleep(until.saturating_sub(began.elapsed())),
                Next::End(verdict) => return verdict,
            }
        }
    }

    /// What time it is at the exchange, UTC milliseconds.
    pub(crate) fn exchange_time(&self) -> Result<u64> {
        let now = i64::try_from(wall_millis()).unwrap_or_default();
        let info = self.client.market().exchange_info(now)?;
        Ok(u64::try_from(info.request_receive_at).unwrap_or_default())
    }
}

/// Half of the time is for sending at the most, so that there is some left to ask in.
fn halfway(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) / 2
}

fn placed(order: Box<Order>) -> Settled {
    Settled::Placed { order_id: order.order_id, order: Some(order) }
}

fn shown(order: Option<Order>) -> Reply {
    order.map_or(Reply::Nothing, |order| Reply::Shows(Box::new(order)))
}

/// An order that was sent, by what it is known in a list.
struct Sought<'a> {
    order: &'a NewOrder,
    /// As it was computed.
    order_id: OrderId,
    /// What its id ends in however the rest of it is made.
    tail: &'a str,
    /// What happened before was to another: UTC milliseconds.
    from: u64,
}

impl Sought<'_> {
    fn among(&self, orders: Rows<Order>) -> Result<Reply> {
        // A row that cannot be read might be it.
        if let Some(row) = orders.unreadable().iter().find(|row| row.text.contains(self.tail)) {
            return Err(Error::Decode(Box::new(DecodeError::row("a list of orders", row))));
        }
        let mut ending_alike: Vec<Order> =
            orders.into_iter().filter(|order| order.order_id.as_str().ends_with(self.tail)).collect();
        let exact = ending_alike.iter().position(|order| order.order_id == self.order_id);
        match exact.or_else(|| ending_alike.iter().position(|order| self.is_like(order))) {
            Some(at) => Ok(Reply::Shows(Box::new(ending_alike.swap_remove(at)))),
            None if ending_alike.is_empty() => Ok(Reply::Nothing),
            // The client's id was used before, for another order.
            None => Ok(Reply::Unclear),
        }
    }

    fn is_like(&self, shown: &Order) -> bool {
        shown.symbol == self.order.symbol
            && shown.side == self.order.side
            && shown.order_qty == self.order.quantity
            && shown.last_exec_time.is_none_or(|at| at >= self.from)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An answer that neither takes nor refuses.
fn not_understood(call: &super::endpoint::Call, outcome: &Outcome) -> Error {
    let text = match outcome {
        Outcome::Other { status, info } => format!("{status} {info}"),
        other => format!("{other:?}"),
    };
    Error::Decode(Box::new(DecodeError::shape(call.to_string(), &text)))
}
