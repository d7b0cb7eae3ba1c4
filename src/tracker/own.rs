//! The orders that this program sends: known before the exchange has spoken, and asked about until they are settled.

use std::time::Duration;

use rust_decimal::Decimal;

use super::event::ContradictionKind;
use super::order::{OrderStage, TrackedOrder};
use super::state::{Answer, Entry, Query, QuestionId, State};
use crate::error::{Error, Refusal};
use crate::model::{OrderState, OrderType, Side};
use crate::order_id::{ClientOrderId, tail};
use crate::settle::{Inquiry, Next, Question, Reply, Subject, Verdict};
use crate::symbol::{OrderId, Symbol};

/// How long the matching engine may take to speak of an order that was acknowledged.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an order is asked about without a pause.
const AT_FIRST: Duration = Duration::from_secs(600);
/// From then on it is asked about now and then: the pause, and how long at a time.
const NOW_AND_THEN: Duration = Duration::from_secs(60);
const AT_A_TIME: Duration = Duration::from_secs(20);

/// An order that is about to be sent.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) order_id: OrderId,
    pub(super) client_id: ClientOrderId,
    /// UTC milliseconds.
    pub(super) time: u64,
    pub(super) symbol: Symbol,
    pub(super) side: Side,
    pub(super) order_type: OrderType,
    pub(super) order_qty: Decimal,
    pub(super) price: Option<Decimal>,
    pub(super) stop_price: Option<Decimal>,
}

/// What became of the sending of an order.
#[derive(Debug)]
pub(super) enum Sent {
    /// It is taken for processing, under this id.
    Acknowledged(OrderId),
    Refused(Box<Refusal>),
    /// Nothing was sent.
    Unsent,
    /// It was sent, and the answer is lost.
    Lost,
}

/// What is known of an order by having sent it.
#[derive(Debug)]
pub(super) struct Own {
    client_id: ClientOrderId,
    time: u64,
    /// Whether the exchange has told its id, by an acknowledgement or otherwise: that it does not show says nothing then.
    pub(super) has_id: bool,
}

/// How far asking about an order has come.
#[derive(Debug, Default)]
pub(super) enum Doubt {
    /// There is none.
    #[default]
    None,
    /// The exchange is asked from then on, for so long, if it has not spoken.
    From(Duration, Duration),
    Asking {
        began: Duration,
        inquiry: Box<Inquiry>,
        asked: Option<(QuestionId, Question, Duration)>,
        wake: Duration,
    },
}

impl Doubt {
    /// The exchange is asked from then on.
    pub(super) fn from(at: Duration) -> Self {
        Self::From(at, AT_FIRST)
    }

    /// Asking has come to no end yet.
    fn later(now: Duration) -> Self {
        Self::From(now + NOW_AND_THEN, AT_A_TIME)
    }
}

/// Where an order in doubt is.
enum Found {
    Nowhere,
    Under(OrderId),
    /// A row may be it, and does not tell.
    Perhaps,
}

/// Whether a row whose id ends as the order's does is the order: of the same product, side and quantity, and not from
/// before it was sent (UTC milliseconds), for client ids can be used again. `None` where the row does not tell.
fn is_like(row: &OrderState, order: &TrackedOrder, since: u64) -> Option<bool> {
    let time = row.create_time.or(Some(row.ts).filter(|ts| *ts > 0));
    let alike = [
        Some(row.symbol == order.symbol),
        row.side.as_ref().map(|side| Some(side) == order.side.as_ref()),
        row.order_qty.map(|quantity| Some(quantity) == order.order_qty),
        time.map(|time| time >= since),
    ];
    match alike.contains(&Some(false)) {
        true => Some(false),
        false => alike.iter().all(Option::is_some).then_some(true),
    }
}

impl State {
    /// An order is about to be sent. `false` where there is an order of this id already.
    pub(super) fn sending(&mut self, draft: Draft) -> bool {
        let id = draft.order_id;
        if self.orders.contains_key(&id) {
            return false;
        }
        let order = TrackedOrder {
            client_id: Some(draft.client_id),
            side: Some(draft.side),
            order_type: Some(draft.order_type),
            price: draft.price,
            stop_price: draft.stop_price,
            order_qty: Some(draft.order_qty),
            stage: OrderStage::Sending,
            ..TrackedOrder::new(id, draft.symbol)
        };
        let own = Own { client_id: draft.client_id, time: draft.time, has_id: false };
        self.insert_own(order, own);
        true
    }

    /// What became of the sending of an order.
    pub(super) fn sent(&mut self, id: OrderId, sent: Sent, now: Duration) {
        let id = match sent {
            Sent::Acknowledged(acknowledged) => {
                self.identify(id, acknowledged);
                acknowledged
            }
            _ => id,
        };
        let Some(Entry { order, own: Some(_), doubt, .. }) = self.orders.get_mut(&id) else { return };
        let has_spoken = order.seqnum.is_some();
        match sent {
            Sent::Acknowledged(_) | Sent::Lost if has_spoken => {}
            Sent::Acknowledged(_) => *doubt = Doubt::from(now + PATIENCE),
            Sent::Lost => {
                *doubt = Doubt::from(now);
                self.set_stage(id, OrderStage::Unknown, None);
            }
            Sent::Refused(_) | Sent::Unsent if has_spoken => {
                let known = Some(order.clone());
                self.contradict(ContradictionKind::RefusedButThere, known, None);
            }
            Sent::Refused(refusal) => self.set_stage(id, OrderStage::Rejected, Some(refusal)),
            Sent::Unsent => self.set_stage(id, OrderStage::Unsent, None),
        }
    }

    /// Messages, answers and time decide when to look at the orders that are in doubt.
    pub(super) fn inquire(&mut self, now: Duration) {
        let (window, seed, ids_are_sure) = (self.window, self.seed, self.ids_are_sure);
        for id in self.unsettled.iter().copied().collect::<Vec<_>>() {
            let Some(Entry { own, doubt, .. }) = self.orders.get_mut(&id) else { continue };
            // It is the exchange's own.
            let is_known = own.as_ref().is_none_or(|own| own.has_id);
            if let Doubt::From(at, long) = *doubt
                && at <= now
            {
                let subject = if is_known { Subject::Cancel } else { Subject::Order };
                let time = own.as_ref().map_or(0, |own| own.time);
                let inquiry = Inquiry::new(subject, time, window, long, Error::ConnectionLost, seed ^ time);
                *doubt = Doubt::Asking { began: now, inquiry: Box::new(inquiry), asked: None, wake: now };
            }
            let Doubt::Asking { began, inquiry, asked: None, wake } = doubt else { continue };
            if *wake > now {
                continue;
            }
            match inquiry.next(now.saturating_sub(*began), is_known || ids_are_sure) {
                Next::Wait(until) => *wake = *began + until,
                Next::Ask(question) => {
                    let query = match question {
                        Question::Time => Query::Time,
                        Question::Status => Query::Status(vec![id]),
                        Question::Open => Query::Open,
                        Question::Recent => Query::Recent,
                    };
                    let asked = self.ask(query);
                    self.asked(id, asked, question, now);
                }
                Next::End(Verdict::Absent) if !is_known => self.set_stage(id, OrderStage::Unsent, None),
                Next::End(Verdict::Absent) => {
                    *doubt = Doubt::later(now);
                    self.vanished(id);
                }
                Next::End(Verdict::Found(_) | Verdict::Unknown) => *doubt = Doubt::later(now),
            }
        }
    }

    /// The exchange has had an order, and does not know it.
    fn vanished(&mut self, id: OrderId) {
        let known = self.orders.get(&id).map(|entry| entry.order.clone());
        if known.as_ref().is_some_and(|order| order.stage != OrderStage::Unknown) {
            self.contradict(ContradictionKind::Vanished, known, None);
            self.set_stage(id, OrderStage::Unknown, None);
        }
    }

    /// An order that was open is neither open nor ended: it is asked about.
    pub(super) fn lost_sight_of(&mut self, id: OrderId, now: Duration) {
        self.vanished(id);
        if let Some(entry) = self.orders.get_mut(&id) {
            entry.doubt = Doubt::from(now);
        }
    }

    fn asked(&mut self, id: OrderId, question: QuestionId, what: Question, now: Duration) {
        if let Some(Entry { doubt: Doubt::Asking { asked, .. }, .. }) = self.orders.get_mut(&id) {
            *asked = Some((question, what, now));
        }
    }

    /// When [`inquire`](Self::inquire) is due.
    pub(super) fn own_deadline(&self) -> Option<Duration> {
        let in_doubt = self.unsettled.iter().filter_map(|id| self.orders.get(id));
        in_doubt
            .filter_map(|entry| match &entry.doubt {
                Doubt::None => None,
                Doubt::From(at, _) => Some(*at),
                Doubt::Asking { asked: Some(_), .. } => None,
                Doubt::Asking { wake, .. } => Some(*wake),
            })
            .min()
    }

    /// The answer to a question about an order in doubt, if it is one: `Err` gives it back. An order that shows is
    /// told by a repair, in its place.
    pub(super) fn inquiry_answered(
        &mut self,
        id: QuestionId,
        answer: Result<Answer, Error>,
        now: Duration,
    ) -> Result<(), Result<Answer, Error>> {
        let of_this =
            |entry: &&Entry| matches!(&entry.doubt, Doubt::Asking { asked: Some((asked, ..)), .. } if *asked == id);
        let Some(order_id) = self.orders.values().find(of_this).map(|entry| entry.order.order_id) else {
            return Err(answer);
        };
        let reply = answer.map(|answer| match answer {
            Answer::Time(millis) => Reply::Time(millis),
            Answer::Balances(_) => Reply::Nothing,
            Answer::Orders(rows) => match self.find(order_id, &rows) {
                Found::Under(found) => {
                    self.identify(order_id, found);
                    self.shows(found, now);
                    Reply::Nothing
                }
                Found::Nowhere => Reply::Nothing,
                Found::Perhaps => Reply::Unclear,
            },
        });
        if let Some(Entry { doubt: Doubt::Asking { began, inquiry, asked, wake }, .. }) = self.orders.get_mut(&order_id)
            && let Some((_, question, at)) = asked.take()
        {
            *wake = now;
            inquiry.heard(question, at.saturating_sub(*began), now.saturating_sub(*began), reply);
        }
        if self.is_live() {
            self.inquire(now);
        }
        Ok(())
    }

    /// An order in doubt among rows: under its id, or else the one that is like it, where its id was only computed.
    fn find(&self, id: OrderId, rows: &[OrderState]) -> Found {
        let Some(Entry { order, own, .. }) = self.orders.get(&id) else { return Found::Nowhere };
        if rows.iter().any(|row| row.order_id == id) {
            return Found::Under(id);
        }
        let Some(own) = own.as_ref().filter(|own| !own.has_id) else {
            return Found::Nowhere;
        };
        let since = own.time.saturating_sub(u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX));
        let is_own = |row: &&OrderState| self.orders.get(&row.order_id).is_some_and(|known| known.own.is_some());
        let ends_alike = |row: &&OrderState| row.order_id.as_str().ends_with(tail(own.client_id.as_str()));
        let mut found = Found::Nowhere;
        for row in rows.iter().filter(ends_alike).filter(|row| !is_own(row)) {
            match is_like(row, order, since) {
                Some(true) => return Found::Under(row.order_id),
                Some(false) => {}
                None => found = Found::Perhaps,
            }
        }
        found
    }

    /// An order in doubt is there.
    fn shows(&mut self, id: OrderId, now: Duration) {
        if let Some(Entry { doubt: Doubt::Asking { asked, wake, .. }, .. }) = self.orders.get_mut(&id) {
            (*asked, *wake) = (None, now + PATIENCE);
        }
        self.refresh(now);
    }
}
