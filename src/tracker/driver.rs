//! The tracker's thread: from the stream to the state, and from its questions to the exchange. What the stream cannot
//! answer is asked by REST in a thread beside it, which ends with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::event::TrackerEvent;
use super::own::Sent;
use super::rest::Rest;
use super::shared::{Shared, Waiting};
use super::state::{Answer, Query, QuestionId};
use crate::error::{DecodeError, Error, Phase, Result};
use crate::model::{AccountKind, Balance, OrderAnswer, OrderState, Outcome, Rows};
use crate::ws::{
    Arrival, CloseReason, Event, Stream, StreamAnswer, StreamHandle, SubscriptionFailed, list, placed, rows,
};

/// How long the stream may take to answer a question before REST is asked.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Driver {
    shared: Arc<Shared>,
    stream: Stream,
    /// The same for questions.
    asking: StreamHandle,
    /// What the stream has left unanswered once: REST is asked at once.
    silent: BTreeSet<&'static str>,
    rest: Rest,
    kind: AccountKind,
    reason: Option<CloseReason>,
}

impl Driver {
    /// Starts the thread.
    pub(super) fn start(shared: Arc<Shared>, stream: Stream) -> Result<JoinHandle<()>> {
        let rest = Rest::start(&shared)?;
        let kind = shared.account.category().into();
        let handle = &shared.stream;
        let asking = handle.with_request_timeout(handle.request_timeout().min(PATIENCE));
        let driver = Self { shared, stream, asking, silent: BTreeSet::new(), rest, kind, reason: None };
        let thread = thread::Builder::new().name("bitmax-tracker".to_owned());
        thread.spawn(|| driver.run()).map_err(|e| Error::transport(Phase::Connect, e))
    }

    fn run(mut self) {
        while self.reason.is_none() {
            let questions = std::mem::take(&mut self.shared.lock().questions);
            for (id, query) in questions {
                self.ask(id, query);
            }
            let deadline = self.shared.lock().state.deadline();
            let patience = deadline.map(|at| at.saturating_sub(self.shared.now()));
            match self.stream.recv_arrival(patience) {
                Ok(Arrival::Event(event)) => self.event(event),
                Ok(Arrival::Answer(token, answer)) => self.answer(token, answer),
                Ok(Arrival::Knock) => {
                    for (id, answer) in self.rest.answers() {
                        self.shared.act(|core, now| core.state.answered(id, answer, now));
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.shared.act(|core, now| core.state.tick(now));
        }
    }

    fn event(&mut self, event: Event) {
        let kind = self.kind.clone();
        let is_ours = |ac: &Option<AccountKind>| ac.as_ref().is_none_or(|ac| *ac == kind);
        self.shared.act(|core, now| {
            match event {
                Event::Order(order) if is_ours(&order.data.ac) => {
                    return core.state.order(order.data.data, order.received);
                }
                Event::Balance(balance) if is_ours(&balance.data.ac) => {
                    return core.state.balance(balance.data.data, balance.received);
                }
                Event::Connected { .. } | Event::Reconnected { .. } => core.state.connected(),
                Event::Subscribed(_) => core.state.subscribed(now),
                Event::Disconnected(_) => core.state.disconnected(),
                // It may have been about an order.
                Event::Undecodable(_) => core.state.doubt(now),
                Event::Closed(reason) => return self.reason = Some(reason),
                Event::SubscriptionFailed(ref failed) => self.reason = given_up(failed),
                _ => {}
            }
            core.tell(TrackerEvent::Stream(Box::new(event)));
        });
    }

    /// Asks over the stream what can be asked there.
    fn ask(&mut self, id: QuestionId, query: Query) {
        let (stream, account) = (&self.asking, self.shared.account.category());
        let token = match &query {
            query if self.silent.contains(query.name()) => return self.rest.ask(id, query.clone()),
            Query::Open => stream.open_orders_in_place(account),
            Query::Status(ids) => stream.order_status_in_place(account, ids),
            Query::Balances => stream.balances_in_place(account),
            Query::Recent | Query::History { .. } | Query::Time => return self.rest.ask(id, query),
        };
        self.shared.act(|core, now| match token {
            Ok(token) => drop(core.waiting.insert(token, Waiting::Question(id, query))),
            Err(error) => core.state.answered(id, Err(error), now),
        });
    }

    /// A request was answered.
    fn answer(&mut self, token: crate::ws::Token, answer: Result<StreamAnswer>) {
        let waiting = self.shared.lock().waiting.remove(&token);
        match waiting {
            None => log::debug!("an answer that nobody waits for"),
            Some(Waiting::Order(id, waiter)) => {
                let answer = placed(answer);
                self.shared.act(|core, now| core.state.sent(id, sent(&answer), now));
                if waiter.send(answer).is_err() {
                    log::trace!("nobody waits for the answer to order {id}");
                }
            }
            Some(Waiting::Question(id, query)) => {
                let read = match query {
                    // One alone says nothing of the others.
                    Query::Balances => list(answer).and_then(whole::<Balance>).map(Answer::Balances),
                    _ => rows(answer).and_then(whole::<OrderState>).map(Answer::Orders),
                };
                match read {
                    // The stream does not answer this one: the other way is open.
                    Err(error @ (Error::Refused(_) | Error::Timeout(_) | Error::Decode(_))) => {
                        log::debug!("{} are asked for by REST: {error}", query.name());
                        if matches!(error, Error::Timeout(_)) {
                            self.silent.insert(query.name());
                        }
                        self.rest.ask(id, query);
                    }
                    read => self.shared.act(|core, now| core.state.answered(id, read, now)),
                }
            }
        }
    }
}

impl Drop for Driver {
    /// Tells the end, also where the thread fails.
    fn drop(&mut self) {
        let reason = self.reason.take().unwrap_or(CloseReason::Failed);
        self.shared.act(|core, now| {
            for waiting in std::mem::take(&mut core.waiting).into_values() {
                if let Waiting::Order(id, _) = waiting {
                    core.state.sent(id, Sent::Lost, now);
                }
            }
            core.state.disconnected();
            core.end(TrackerEvent::Closed(reason));
        });
    }
}

/// Why the tracker ends, where the exchange does not let it hear of the account any more.
fn given_up(failed: &SubscriptionFailed) -> Option<CloseReason> {
    let refusal = failed.refusal.clone().filter(|_| failed.retry_in.is_none())?;
    Some(CloseReason::GaveUp(Box::new(Error::Refused(Box::new(refusal)))))
}

/// What the answer to an order means for it.
fn sent(answer: &Result<OrderAnswer<Outcome>>) -> Sent {
    match answer {
        Ok(answer) => answer.info.order_id().map_or(Sent::Lost, Sent::Acknowledged),
        Err(Error::Refused(refusal)) if !refusal.is_in_doubt() => Sent::Refused(refusal.clone()),
        Err(error) => failed(error),
    }
}

/// What an error in sending an order means for it.
pub(super) fn failed(error: &Error) -> Sent {
    if error.may_have_executed() { Sent::Lost } else { Sent::Unsent }
}

/// All rows, where each could be read: one that cannot might be the one that matters.
pub(super) fn whole<T>(rows: Rows<T>) -> Result<Vec<T>> {
    match rows.unreadable() {
        [] => Ok(rows.into_vec()),
        [row, ..] => Err(Error::Decode(Box::new(DecodeError::row("an answer about the account", row)))),
    }
}
