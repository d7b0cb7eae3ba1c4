//! The orders that this program sends: known before the exchange has spoken, and asked about until they are settled.

use std::time::Duration;

use rust_decimal::Decimal;

use super::event::ContradictionKind;
use super::order::{OrderStage, TrackedOrder};
use super::state::{Answer, Entry, Query, QuestionId, State};
use crate::error::{Error, Refusal};
use crate::model::{OrderType, Side};
use crate::order_id::{ClientOrderId, tail};
use crate::settle::{Inquiry, Next, Question, Reply, Subject, Verdict};
use crate::symbol::{OrderId, Symbol};

/// How long the matching engine may take to speak of an order that was acknowledged.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an order is asked about; what shows later is told all the same.
const LONG_ENOUGH: Duration = Duration::from_secs(600);

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
    inquiry: Doubt,
}

#[derive(Debug)]
enum Doubt {
    /// None, or it is over.
    None,
    /// The exchange is asked from then on, if it has not spoken.
    From(Duration),
    Asking {
        began: Duration,
        inquiry: Box<Inquiry>,
        asked: Option<(QuestionId, Question, Duration)>,
        wake: Duration,
    },
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
        let own = Own { client_id: draft.client_id, time: draft.time, inquiry: Doubt::None };
        self.insert_own(order, own);
        true
    }

    /// What became of the sending of an order.
    pub(super) fn sent(&mut self, id: OrderId, sent: Sent, now: Duration) {
        let id = match sent {
            Sent::Acknowledged(acknowledged) => self.acknowledged(id, acknowledged),
            _ => id,
        };
        let Some(Entry { order, own: Some(own), .. }) = self.orders.get_mut(&id) else { return };
        let has_spoken = order.seqnum.is_some();
        match sent {
            Sent::Acknowledged(_) if !has_spoken => own.inquiry = Doubt::From(now + PATIENCE),
            Sent::Lost if !has_spoken => {
                own.inquiry = Doubt::From(now);
                self.set_stage(id, OrderStage::Unknown, None);
            }
            Sent::Acknowledged(_) | Sent::Lost => {}
            Sent::Refused(_) | Sent::Unsent if has_spoken => {
                let known = Some(order.clone());
                self.contradict(ContradictionKind::RefusedButThere, known, None);
            }
            Sent::Refused(refusal) => self.set_stage(id, OrderStage::Rejected, Some(refusal)),
            Sent::Unsent => self.set_stage(id, OrderStage::Unsent, None),
        }
    }

    /// An order was acknowledged, which tells its id.
    fn acknowledged(&mut self, id: OrderId, acknowledged: OrderId) -> OrderId {
        let as_computed = id == acknowledged;
        self.ids_are_as_computed = Some(as_computed && self.ids_are_as_computed != Some(false));
        if as_computed {
            return id;
        }
        log::warn!("the exchange's id of an order is {acknowledged}, not {id}");
        self.rename(id, acknowledged);
        acknowledged
    }

    /// Messages, answers and time decide when to look at the orders that are in doubt.
    pub(super) fn inquire(&mut self, now: Duration) {
        let is_sure = self.ids_are_as_computed == Some(true);
        let (window, seed) = (self.window, self.seed);
        for id in self.unsettled.iter().copied().collect::<Vec<_>>() {
            let Some(Entry { own: Some(own), .. }) = self.orders.get_mut(&id) else { continue };
            if let Doubt::From(at) = own.inquiry
                && at <= now
            {
                let error = Error::ConnectionLost;
                let inquiry = Inquiry::new(Subject::Order, own.time, window, LONG_ENOUGH, error, seed ^ own.time);
                own.inquiry = Doubt::Asking { began: now, inquiry: Box::new(inquiry), asked: None, wake: now };
            }
            let Doubt::Asking { began, inquiry, asked: None, wake } = &mut own.inquiry else { continue };
            if *wake > now {
                continue;
            }
            match inquiry.next(now.saturating_sub(*began), is_sure) {
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
                Next::End(Verdict::Absent) => {
                    own.inquiry = Doubt::None;
                    self.set_stage(id, OrderStage::Unsent, None);
                }
                Next::End(Verdict::Found(_) | Verdict::Unknown) => own.inquiry = Doubt::None,
            }
        }
    }

    fn asked(&mut self, id: OrderId, question: QuestionId, what: Question, now: Duration) {
        if let Some(Entry { own: Some(Own { inquiry: Doubt::Asking { asked, .. }, .. }), .. }) =
            self.orders.get_mut(&id)
        {
            *asked = Some((question, what, now));
        }
    }

    /// When [`inquire`](Self::inquire) is due.
    pub(super) fn own_deadline(&self) -> Option<Duration> {
        let owns = self.unsettled.iter().filter_map(|id| self.orders.get(id)?.own.as_ref());
        owns.filter_map(|own| match &own.inquiry {
            Doubt::None => None,
            Doubt::From(at) => Some(*at),
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
        let of_this = |entry: &&mut Entry| matches!(&entry.own, Some(Own { inquiry: Doubt::Asking { asked: Some((asked, ..)), .. }, .. }) if *asked == id);
        let Some(entry) = self.orders.values_mut().find(of_this) else { return Err(answer) };
        let order_id = entry.order.order_id;
        let Some(Own { client_id, inquiry: Doubt::Asking { began, inquiry, asked, wake }, .. }) = &mut entry.own else {
            return Err(answer);
        };
        let Some((_, question, at)) = asked.take() else { return Err(answer) };
        *wake = now;
        let mut found = None;
        let reply = match answer {
            Ok(Answer::Time(millis)) => Ok(Reply::Time(millis)),
            Ok(Answer::Orders(rows)) => {
                let tail = tail(client_id.as_str());
                found =
                    rows.iter().map(|row| row.order_id).find(|row| *row == order_id || row.as_str().ends_with(tail));
                Ok(Reply::Nothing)
            }
            Ok(Answer::Balances(_)) => Ok(Reply::Nothing),
            Err(error) => Err(error),
        };
        match found {
            Some(found) => {
                *wake = now + PATIENCE;
                if found != order_id {
                    self.rename(order_id, found);
                }
                self.refresh(now);
            }
            None => inquiry.heard(question, at.saturating_sub(*began), now.saturating_sub(*began), reply),
        }
        if self.is_live() {
            self.inquire(now);
        }
        Ok(())
    }
}
