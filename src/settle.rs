//! Settling: finding out what became of an order or a cancel whose answer was lost. Pure: answers and time go in, the
//! next question or the verdict comes out.
//!
//! ```text
//!                     ┌──────────────── a wait that grows ◀───────────────┐
//!                     ▼                                                   │ does not show,
//! answer lost ──▶ the time? ──▶ its status ──▶ (open orders ──▶ recent) ──┤ or could not ask
//!                                   │                 │                   │
//!                                   └───── shows ─────┘                   ├─ late enough, twice ─▶ absent
//!                                             ▼                           └─ deadline ───────────▶ unknown
//!                                           found
//! ```
//!
//! What is *late enough* is told by the exchange's own clock, by what it said and the time since: whatever has not been
//! taken by then is refused for its time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::error::{Error, Refusal};
use crate::model::Order;
use crate::pace::Waits;
use crate::symbol::OrderId;

/// The wait before asking again is up to so long at first …
const BASE: Duration = Duration::from_millis(200);
/// … and grows up to this.
const CAP: Duration = Duration::from_secs(5);
/// How much later than what the exchange accepts is late enough.
const MARGIN: Duration = Duration::from_secs(2);
/// The round in which the lists of orders are looked at though it is not late enough, should the id be another.
const EARLY_LISTS: u32 = 3;
/// How many times it must not show when it is late enough.
const NEGATIVES: u32 = 2;

/// What became of an order, from [`Account::place_settled`](crate::Account::place_settled) or
/// [`StreamHandle::place_settled`](crate::StreamHandle::place_settled).
#[derive(Debug)]
#[non_exhaustive]
pub enum Settled {
    /// The exchange has it, once.
    #[non_exhaustive]
    Placed {
        /// The server's id.
        order_id: OrderId,
        /// The order, where the exchange told more than that it took it: its status says what has become of it, also
        /// where the matching engine rejected it.
        order: Option<Box<Order>>,
    },
    /// The exchange refused it, and does not have it.
    Refused(Box<Refusal>),
    /// The exchange does not have it and never will.
    Absent,
    /// The deadline came before certainty: the exchange may have it or not.
    #[non_exhaustive]
    Unknown {
        /// The server's id that it has if it is there, to [ask for](crate::Account::order) later.
        order_id: OrderId,
        /// Why its answer is lost: [`may_have_executed`](Error::may_have_executed) is true of it.
        error: Box<Error>,
    },
}

impl Settled {
    /// The server's id of the order, where the exchange has it or may have it.
    pub fn order_id(&self) -> Option<OrderId> {
        match self {
            Self::Placed { order_id, .. } | Self::Unknown { order_id, .. } => Some(*order_id),
            Self::Refused(_) | Self::Absent => None,
        }
    }
}

/// What became of a cancel, from [`Account::cancel_settled`](crate::Account::cancel_settled) or
/// [`StreamHandle::cancel_settled`](crate::StreamHandle::cancel_settled).
#[derive(Debug)]
#[non_exhaustive]
pub enum SettledCancel {
    /// The exchange took the cancel. The order is there where the answer had it.
    Taken(Option<Box<Order>>),
    /// The answer was lost, and the order is not open any more: its status says whether it was cancelled, or filled
    /// before that.
    Closed(Box<Order>),
    /// The exchange refused the cancel: the order is not open, say.
    Refused(Box<Refusal>),
    /// The cancel did not arrive and never will. The order is there where the exchange knows it: it is still open.
    NotTaken(Option<Box<Order>>),
    /// The deadline came before certainty: the order may be cancelled yet.
    #[non_exhaustive]
    Unknown {
        /// Why its answer is lost: [`may_have_executed`](Error::may_have_executed) is true of it.
        error: Box<Error>,
    },
}

/// What to ask the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// What time it is.
    Time,
    /// The order of the id that was computed beforehand.
    Status,
    /// The open orders.
    Open,
    /// The recent orders.
    Recent,
}

/// What the exchange said. A question that could not be asked, or whose answer could not be read, is an error instead.
#[derive(Debug)]
pub(crate) enum Reply {
    /// UTC milliseconds.
    Time(u64),
    /// It shows.
    Shows(Box<Order>),
    /// It does not show.
    Nothing,
    /// Another shows that could be taken for it.
    Unclear,
}

/// What to do next. Times count from the beginning of the inquiry.
#[derive(Debug)]
pub(crate) enum Next {
    Ask(Question),
    /// Wait until then.
    Wait(Duration),
    End(Verdict),
}

/// What was found out.
#[derive(Debug)]
pub(crate) enum Verdict {
    Found(Box<Order>),
    Absent,
    /// The deadline came first: see [`Inquiry::into_error`].
    Unknown,
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An order, under an id that was computed, and should that be wrong in the lists of orders.
    Order,
    /// An order of a known id that is not open any more: what a cancel brings about.
    Cancel,
}

/// One inquiry.
#[derive(Debug)]
pub(crate) struct Inquiry {
    /// What is asked when the exchange's clock is past this shows what was taken: UTC milliseconds.
    late: u64,
    deadline: Duration,
    waits: Waits,
    /// What the exchange's clock showed at the least, and when.
    clock: Option<(u64, Duration)>,
    rounds: u32,
    /// What is left to ask in this round.
    questions: VecDeque<Question>,
    next_round: Duration,
    /// How long the server asks to wait, of the answers of this round.
    asked_to_wait: Option<Duration>,
    found: Option<Box<Order>>,
    /// How often it did not show when it was late enough, and whether that is so of the lists; of a cancel nothing is
    /// looked for there.
    negatives: u32,
    not_open: bool,
    not_recent: bool,
    error: Box<Error>,
}

impl Inquiry {
    /// Of what was stamped with `time` (UTC milliseconds) and sent to an exchange that accepts what is at most `window`
    /// old. `error` is why its answer is lost, `seed` makes the jitter.
    pub(crate) fn new(
        subject: Subject,
        time: u64,
        window: Duration,
        deadline: Duration,
        error: Error,
        seed: u64,
    ) -> Self {
        let window = u64::try_from(window.saturating_add(MARGIN).as_millis()).unwrap_or(u64::MAX);
        Self {
            late: time.saturating_add(window),
            deadline,
            waits: Waits::new(BASE, CAP, seed),
            clock: None,
            rounds: 0,
            questions: VecDeque::new(),
            next_round: Duration::ZERO,
            asked_to_wait: None,
            found: None,
            negatives: 0,
            not_open: subject == Subject::Cancel,
            not_recent: subject == Subject::Cancel,
            error: Box::new(error),
        }
    }

    /// What to do next. `id_is_sure` says whether the id is the exchange's own, or computed in a way that is known to be
    /// right.
    pub(crate) fn next(&mut self, now: Duration, id_is_sure: bool) -> Next {
        if let Some(order) = self.found.take() {
            return Next::End(Verdict::Found(order));
        }
        if id_is_sure && self.negatives >= NEGATIVES && self.not_open && self.not_recent {
            return Next::End(Verdict::Absent);
        }
        if now >= self.deadline {
            return Next::End(Verdict::Unknown);
        }
        if self.questions.is_empty() {
            if now < self.next_round {
                return Next::Wait(self.next_round.min(self.deadline));
            }
            self.plan(now);
        }
        match self.questions.pop_front() {
            Some(question) => Next::Ask(question),
            None => Next::Wait(self.deadline),
        }
    }

    /// What the exchange said to a question that was asked at one time and answered at another.
    pub(crate) fn heard(&mut self, question: Question, asked: Duration, now: Duration, reply: Result<Reply, Error>) {
        let late = self.is_late(asked);
        match reply {
            Ok(Reply::Shows(order)) => self.found = Some(order),
            // When the answer left it was that late at the least.
            Ok(Reply::Time(millis)) => self.clock = Some((millis, now)),
            Ok(Reply::Nothing) if late => match question {
                Question::Time => {}
                Question::Status => self.negatives += 1,
                Question::Open => self.not_open = true,
                Question::Recent => self.not_recent = true,
            },
            Ok(Reply::Nothing | Reply::Unclear) => {}
            Err(error) => {
                log::info!("could not ask: {error}");
                self.asked_to_wait = self.asked_to_wait.max(error.retry_after());
            }
        }
        if self.questions.is_empty() {
            self.next_round = self.next_round(now);
        }
    }

    /// Why the answer is lost.
    pub(crate) fn into_error(self) -> Box<Error> {
        self.error
    }

    /// The questions of a round.
    fn plan(&mut self, now: Duration) {
        self.rounds += 1;
        if self.clock.is_none() {
            self.questions.push_back(Question::Time);
        }
        self.questions.push_back(Question::Status);
        let enough = self.is_late(now) && self.negatives + 1 >= NEGATIVES;
        if enough || self.rounds == EARLY_LISTS {
            if !self.not_open {
                self.questions.push_back(Question::Open);
            }
            if !self.not_recent {
                self.questions.push_back(Question::Recent);
            }
        }
    }

    /// When to ask again: not long after it is late enough, where that comes first.
    fn next_round(&mut self, now: Duration) -> Duration {
        let asked_to_wait = self.asked_to_wait.take();
        let at = now + self.waits.next(asked_to_wait);
        match self.late_from() {
            Some(late) if asked_to_wait.is_none() && late > now && late <= at => {
                self.waits.reset();
                late
            }
            _ => at,
        }
    }

    /// When the exchange's clock is past what is late, at the latest.
    fn late_from(&self) -> Option<Duration> {
        let (millis, at) = self.clock?;
        Some(at.saturating_add(Duration::from_millis(self.late.saturating_add(1).saturating_sub(millis))))
    }

    fn is_late(&self, asked: Duration) -> bool {
        // A question that was asked before the clock was known says nothing.
        self.clock.is_some_and(|(_, at)| asked >= at) && self.late_from().is_some_and(|late| asked >= late)
    }
}

#[cfg(test)]
mod tests;
