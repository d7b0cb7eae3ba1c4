//! What the server says, and what follows from it.

use std::time::Duration;

use super::{Now, Output, Session, State, identity, snapshot_name};
use crate::code::Code;
use crate::error::{DecodeError, Error, Refusal};
use crate::model::{Depth, DepthKind, TradesKind};
use crate::ws::channel::Topic;
use crate::ws::event::{CloseReason, Event, Timed, Undecodable, Unknown};
use crate::ws::pending::Token;
use crate::ws::stats::Measured;
use crate::ws::wire::{Message, Outgoing};

impl Session {
    /// The server sent a text.
    pub(crate) fn text(&mut self, text: &str, now: Now) {
        let concealed = match (&self.state, &self.identity) {
            (State::Authenticating { .. }, Some(identity)) => identity.concealed(text),
            _ => None,
        };
        let text = concealed.as_deref().unwrap_or(text);
        let message = Message::parse(text);
        match self.state {
            State::Ready { .. } | State::Authenticating { .. } => {}
            State::Greeting { deadline } => {
                let authenticated = matches!(message, Ok(Message::Connected { authenticated: true }));
                if self.identity.is_some() && !authenticated {
                    self.state = State::Authenticating { deadline };
                    self.authenticate(now);
                    if !matches!(self.state, State::Authenticating { .. }) {
                        return;
                    }
                } else {
                    self.ready(authenticated, now);
                }
            }
            _ => return,
        }
        self.heard(now);
        match message {
            Ok(message) => self.message(message, text, now),
            Err(error) => {
                self.books.unreadable(text);
                if self.books.wants_to_ask(now.at) {
                    self.ask(now);
                }
                let data = Undecodable { text: text.to_owned(), error };
                self.deliver(Event::Undecodable(Box::new(Timed { received: now.wall, data })));
            }
        }
    }

    /// The server sent binary data, which the protocol does not know.
    pub(crate) fn binary(&mut self, bytes: &[u8], now: Now) {
        if !matches!(self.state, State::Greeting { .. } | State::Authenticating { .. } | State::Ready { .. }) {
            return;
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.heard(now);
        let error = DecodeError::shape("binary data", &text);
        self.deliver(Event::Undecodable(Box::new(Timed { received: now.wall, data: Undecodable { text, error } })));
    }

    fn message(&mut self, message: Message, text: &str, now: Now) {
        let received = now.wall;
        match message {
            Message::Bbo(data) => self.deliver(Event::Bbo(Timed { received, data })),
            Message::Depth(data) => self.depth(data, now),
            Message::Trades(data) => {
                let id = data.id.as_deref().filter(|_| data.kind == TradesKind::MarketTrades);
                match id.and_then(|id| self.pending.take(id)) {
                    Some(token) => self.answer(token, Message::Trades(data)),
                    None => self.deliver(Event::Trades(Timed { received, data })),
                }
            }
            Message::Bar(data) => self.deliver(Event::Bar(Box::new(Timed { received, data: *data }))),
            Message::RefPrice(data) => self.deliver(Event::RefPrice(Timed { received, data })),
            Message::Order(data) => self.deliver(Event::Order(Box::new(Timed { received, data: *data }))),
            Message::CancelRejected(data) => {
                self.deliver(Event::CancelRejected(Box::new(Timed { received, data: *data })));
            }
            Message::Balance(data) => self.deliver(Event::Balance(Box::new(Timed { received, data: *data }))),
            Message::Answer(answer) => match answer.id.as_deref().and_then(|id| self.pending.take(id)) {
                Some(token) => self.answer(token, Message::Answer(answer)),
                None => {
                    let data = Unknown { kind: Some(answer.kind), text: answer.text };
                    self.deliver(Event::LateAnswer(Box::new(Timed { received, data })));
                }
            },
            Message::Ping { .. } => drop(self.admin(Outgoing::Pong, now)),
            Message::Pong { ts, .. } => self.pong(ts, now),
            Message::Connected { .. } => {}
            Message::Subscribed(ack) => match ack.refusal {
                None => {
                    for topic in self.subscriptions.acknowledged(&ack.channel, ack.id.as_deref()) {
                        self.books.in_force(&topic, now.at);
                        self.deliver(Event::Subscribed(topic.to_string().into()));
                    }
                    if self.books.wants_to_ask(now.at) {
                        self.ask(now);
                    }
                }
                Some(refusal) => self.refused(&ack.channel, ack.id.as_deref(), refusal, now),
            },
            Message::Unsubscribed(ack) => match ack.refusal {
                None => self.deliver(Event::Unsubscribed(ack.channel.into())),
                Some(refusal) => self.deliver(Event::Refused(Box::new(refusal))),
            },
            Message::Refused(refused) => self.refused("", refused.id.as_deref(), refused.refusal, now),
            Message::Disconnected(refusal) => self.farewell = Some(*refusal),
            Message::Auth(ack) if matches!(self.state, State::Authenticating { .. }) => match ack.refusal {
                None => self.ready(true, now),
                Some(refusal) => self.not_authenticated(refusal, now),
            },
            // Nobody asked.
            Message::Auth(_) => self.unknown(Some("auth".to_owned()), text, received),
            Message::Unknown { kind } => self.unknown(kind, text, received),
        }
    }

    /// Changes to a book, or a whole one: to the book that is kept, and to the program where it has asked for it.
    fn depth(&mut self, data: Depth, now: Now) {
        if let Some(token) = self.of_top100(&data) {
            return self.answer(token, Message::Depth(data));
        }
        // Before that nothing has been subscribed to on this connection.
        let ready = matches!(self.state, State::Ready { .. });
        let for_book = ready && self.books.take(&data, now.at);
        if self.books.wants_to_ask(now.at) {
            self.ask(now);
        }
        if data.kind.is_snapshot() {
            self.snapshot(data, for_book, now.wall);
        } else if !for_book {
            self.deliver(Event::Depth(Timed { received: now.wall, data }));
        }
    }

    /// The request for the top 100 levels that a whole book is the answer to, where it comes under the name of one. The
    /// two are told apart by who waits; where others do, by what a book looks like that was cut off at 100 levels.
    fn of_top100(&mut self, data: &Depth) -> Option<Token> {
        if data.kind != DepthKind::Snapshot {
            return None;
        }
        let top100 = snapshot_name(DepthKind::SnapshotTop100, data.symbol);
        if !self.pending.awaits(&top100) {
            return None;
        }
        let is_awaited = self.pending.awaits(&snapshot_name(data.kind, data.symbol))
            || self.snapshots.iter().any(|(symbol, _)| *symbol == data.symbol)
            || self.books.awaits(data.symbol);
        let is_cut = data.bids.len().max(data.asks.len()) == 100;
        (is_cut || !is_awaited).then(|| self.pending.take(&top100)).flatten()
    }

    /// A whole book: the answer to a request, and an event where one is awaited or nobody asked.
    fn snapshot(&mut self, data: Depth, for_book: bool, received: u64) {
        let waiting = self.pending.take(&snapshot_name(data.kind, data.symbol));
        let awaited = self.snapshots.len();
        if data.kind == DepthKind::Snapshot {
            self.snapshots.retain(|(symbol, _)| *symbol != data.symbol);
        }
        let unasked = waiting.is_none() || data.kind == DepthKind::RealtimeSnapshot;
        let deliver = awaited > self.snapshots.len() || (unasked && !for_book);
        if let Some(token) = waiting {
            self.answer(token, Message::Depth(data.clone()));
        }
        if deliver {
            self.deliver(Event::Depth(Timed { received, data }));
        }
    }

    fn unknown(&mut self, kind: Option<String>, text: &str, received: u64) {
        let data = Unknown { kind, text: text.to_owned() };
        self.deliver(Event::Unknown(Box::new(Timed { received, data })));
    }

    /// The server refuses something: the authentication, a request, a subscription, or what nobody asked.
    fn refused(&mut self, channel: &str, id: Option<&str>, refusal: Refusal, now: Now) {
        if matches!(self.state, State::Authenticating { .. }) && id == Some(identity::MESSAGE_ID) {
            return self.not_authenticated(refusal, now);
        }
        if let Some(token) = id.and_then(|id| self.pending.take(id)) {
            return self.outputs.push_back(Output::Answer(token, Err(Error::Refused(Box::new(refusal)))));
        }
        let failed: Vec<(Topic, Option<Duration>)> =
            if refusal.code.is_server_failure() || refusal.code == Code::TOO_MANY_REQUESTS {
                let failed = self.subscriptions.failed(channel, id, now.at, self.config.answer_timeout);
                failed.into_iter().map(|(topic, retry_in)| (topic, Some(retry_in))).collect()
            } else {
                self.subscriptions.refused(channel, id).into_iter().map(|topic| (topic, None)).collect()
            };
        if failed.is_empty() {
            return self.deliver(Event::Refused(Box::new(refusal)));
        }
        for (topic, retry_in) in failed {
            if retry_in.is_none() {
                self.books.refused(&topic, &refusal);
            }
            self.subscription_failed(&topic, Some(refusal.clone()), retry_in);
        }
    }

    /// The exchange refuses the authentication: final, but for a clock that can be set.
    fn not_authenticated(&mut self, refusal: Refusal, now: Now) {
        if refusal.is_for_its_time() && self.identity.as_ref().is_some_and(|identity| !identity.clock_is_set) {
            // Its answer tells the exchange's time.
            return self.ping(now);
        }
        self.outputs.push_back(Output::HangUp);
        self.close(CloseReason::GaveUp(Box::new(Error::Refused(Box::new(refusal)))));
    }

    /// The server answers a ping, and tells its time (`ts`).
    fn pong(&mut self, ts: Option<u64>, now: Now) {
        if let Some(sent) = self.ping_sent.take() {
            let round_trip = now.at.saturating_sub(sent);
            // The server's clock was read about halfway.
            let ahead =
                |ts: u64| i128::from(ts) * 1_000_000 - i128::from(now.wall) + (round_trip.as_nanos() / 2) as i128;
            let clock_offset = ts.and_then(|ts| i64::try_from(ahead(ts) / 1_000_000).ok());
            self.outputs.push_back(Output::Measured(Measured { round_trip, clock_offset }));
        }
        if let Some(ts) = ts {
            self.clock(ts, now);
        }
    }

    /// The exchange tells its time.
    fn clock(&mut self, millis: u64, now: Now) {
        if let (State::Authenticating { .. }, Some(identity)) = (self.state, &mut self.identity) {
            let offset = identity.set_clock(millis, now.wall);
            self.outputs.push_back(Output::Clock(offset));
            self.authenticate(now);
        }
    }

    fn answer(&mut self, token: Token, message: Message) {
        self.outputs.push_back(Output::Answer(token, Ok(message)));
    }
}
