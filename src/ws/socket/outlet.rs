//! What leaves the stream's thread for others.

use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, TrySendError};

use super::Answer;
use crate::clock::wall_nanos;
use crate::error::{Error, Result};
use crate::ws::event::{CloseReason, Event, Timed, Unknown};
use crate::ws::pending::Token;
use crate::ws::queue::{Arrival, EventSender};
use crate::ws::stats::Counters;
use crate::ws::wire::Message;

/// What is to be handed out. It is kept until nothing is held any more: whom it wakes has mostly something to send.
pub(super) enum Delivery {
    Event(Event),
    /// To who waits for it.
    Answer(SyncSender<Result<Answer>>, Result<Answer>),
    /// To the consumer, in its place among the events.
    InPlace(Token, Result<Answer>),
    /// The consumer has caught up.
    Resume,
    /// Somebody wants the consumer to look up.
    Knock,
}

/// The ways out. The thread alone uses them, so that all comes in its order.
pub(super) struct Outlet {
    pub(super) events: EventSender,
    /// Who waits for the first connection.
    pub(super) first: Option<Sender<Result<()>>>,
    pub(super) counters: Arc<Counters>,
}

impl Outlet {
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Event(event) => self.event(event),
            Delivery::Answer(waiter, answer) => {
                if let Err(TrySendError::Full(answer) | TrySendError::Disconnected(answer)) = waiter.try_send(answer) {
                    self.unheard(answer);
                }
            }
            Delivery::InPlace(token, answer) => self.events.hand(Arrival::Answer(token, answer)),
            Delivery::Resume => self.events.resume(),
            Delivery::Knock => self.events.hand(Arrival::Knock),
        }
    }

    /// An answer whose reply was dropped. What it says of an account is told as what it is: an order may have been refused.
    fn unheard(&mut self, answer: Result<Answer>) {
        match answer {
            Ok(Message::Answer(answer)) => {
                let data = Unknown { kind: Some(answer.kind), text: answer.text };
                self.event(Event::LateAnswer(Box::new(Timed { received: wall_nanos(), data })));
            }
            Err(Error::Refused(refusal)) => self.event(Event::Refused(refusal)),
            // Market data, or no answer at all.
            other => log::debug!("nobody waits for this any more: {other:?}"),
        }
    }

    fn event(&mut self, event: Event) {
        if matches!(event, Event::Reconnected { .. }) {
            self.counters.reconnected();
        }
        if matches!(event, Event::Connected { .. } | Event::Closed(_))
            && let Some(first) = self.first.take()
        {
            // Whoever waits for the first connection hears of its failure there.
            let (outcome, event) = match event {
                Event::Closed(CloseReason::GaveUp(error)) => (Err(*error), None),
                event => (Ok(()), Some(event)),
            };
            let unheard = first.send(outcome).err().and_then(|std::sync::mpsc::SendError(outcome)| outcome.err());
            let unheard = unheard.map(|error| Event::Closed(CloseReason::GaveUp(Box::new(error))));
            if let Some(event) = event.or(unheard) {
                self.events.send(event);
            }
            return;
        }
        self.events.send(event);
    }
}
