//! What to do with what happens: the stream's state as pure data.
//!
//! ```text
//!            start                 upgraded            first message
//!   (new) ─────────▶ Connecting ─────────────▶ Greeting ───────────▶ Ready
//!                       ▲   │ failed              │   └▶ Authenticating ┘│ failed
//!                       │   ▼                     ▼          │           │
//!                       └─ Waiting ◀──────────────┴──────────┴───────────┘
//!                 tick      │ no further attempt, or closed on request (from every state)
//!                           ▼
//!                         Closed
//! ```
//!
//! The session names no socket, clock or thread. Each input takes the time; after it the caller drains the
//! [outputs](Session::output) until nothing is left, then waits for the socket, a command, or the
//! [deadline](Session::deadline), whichever is first.

#[cfg(any(test, fuzzing))]
mod fuzz;
mod identity;
mod interface;
mod recorded;

use std::collections::VecDeque;
use std::time::Duration;

#[cfg(fuzzing)]
pub use fuzz::fuzz_session;
pub use identity::Authentication;
pub(crate) use identity::{AuthHeaders, Identity};
pub(crate) use interface::{Command, Now, Output, Request, SessionConfig};
pub(crate) use recorded::is_authentication;

use super::backoff::Backoff;
use super::books::Books;
use super::channel::Topic;
use super::event::{CloseReason, Event, Outage, SubscriptionFailed, Timed, Undecodable, Unknown};
use super::limits::{Budget, Kind};
use super::pending::{Pending, Token};
use super::stats::Measured;
use super::subscriptions::{self, Subscriptions};
use super::wire::{self, Message, Outgoing};
use crate::code::Code;
use crate::error::{DecodeError, Error, Refusal, Timeout};
use crate::model::{Depth, DepthKind, TradesKind};
use crate::symbol::Symbol;

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    New,
    /// From the beginning of the attempt to the upgrade.
    Connecting {
        deadline: Duration,
    },
    /// Upgraded; the server has said nothing yet.
    Greeting {
        deadline: Duration,
    },
    /// The authentication is sent.
    Authenticating {
        deadline: Duration,
    },
    Ready {
        since: Duration,
    },
    Waiting {
        until: Duration,
    },
    Closed,
}

#[derive(Debug)]
pub(crate) struct Session {
    config: SessionConfig,
    identity: Option<Identity>,
    state: State,
    outputs: VecDeque<Output>,
    subscriptions: Subscriptions,
    books: Books,
    /// Channels whose end is to be told.
    leaving: VecDeque<String>,
    /// Snapshots to come, each with the time at which it was asked for on this connection.
    snapshots: Vec<(Symbol, Option<Duration>)>,
    pending: Pending,
    budget: Budget,
    /// When there is room again for what the budget held back.
    room_at: Option<Duration>,
    backoff: Backoff,
    /// When the last bytes came.
    heard: Duration,
    /// Whether a `ping` has been sent since.
    pinged: bool,
    /// When the first `ping` was sent of those on this connection that are not answered.
    ping_sent: Option<Duration>,
    /// What the server said before it closes.
    farewell: Option<Refusal>,
    /// When the connection broke; `None` before the first was up.
    down_since: Option<Duration>,
    /// Attempts since, or since the first attempt of all.
    retries: u32,
    next_id: u64,
}

impl Session {
    pub(crate) fn new(config: SessionConfig, identity: Option<Identity>, topics: Vec<Topic>, backoff: Backoff) -> Self {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(topics);
        Self {
            budget: Budget::new(&config.limits),
            config,
            identity,
            state: State::New,
            outputs: VecDeque::new(),
            subscriptions,
            books: Books::default(),
            leaving: VecDeque::new(),
            snapshots: Vec::new(),
            pending: Pending::default(),
            room_at: None,
            backoff,
            heard: Duration::ZERO,
            pinged: false,
            ping_sent: None,
            farewell: None,
            down_since: None,
            retries: 0,
            next_id: 0,
        }
    }

    /// The next thing to do, in order.
    pub(crate) fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`tick`](Self::tick) is due; `None` when only an input can change anything.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match self.state {
            State::New | State::Closed => None,
            State::Connecting { deadline } | State::Greeting { deadline } | State::Authenticating { deadline } => {
                Some(deadline)
            }
            State::Waiting { until } => Some(until),
            State::Ready { .. } => {
                let silence = if self.pinged { self.config.dead_after } else { self.config.ping_after };
                let answer = self.config.answer_timeout;
                let snapshot = self.snapshots.iter().filter_map(|(_, asked)| asked.map(|at| at + answer)).min();
                let asked = [self.subscriptions.deadline(answer), snapshot, self.books.due(), self.pending.deadline()];
                asked.into_iter().chain([self.room_at]).flatten().chain([self.heard + silence]).min()
            }
        }
    }

    /// Begins.
    pub(crate) fn start(&mut self, now: Now) {
        if self.state == State::New {
            match self.backoff.first(now.at) {
                Ok(()) => self.connect(now),
                // It has failed before it began.
                Err(wait) => {
                    self.state = State::Connecting { deadline: now.at };
                    self.failed(Error::RateLimited(wait), now);
                }
            }
        }
    }

    /// The time has come to look at the deadlines.
    pub(crate) fn tick(&mut self, now: Now) {
        match self.state {
            State::Connecting { deadline } if now.at >= deadline => self.abandon(Error::Timeout(Timeout::Connect), now),
            State::Greeting { deadline } | State::Authenticating { deadline } if now.at >= deadline => {
                self.abandon(Error::Timeout(Timeout::Greeting), now);
            }
            State::Waiting { until } if now.at >= until => {
                self.retries += 1;
                self.backoff.begin(now.at);
                self.connect(now);
            }
            State::Ready { .. } => self.tick_ready(now),
            _ => {}
        }
    }

    fn tick_ready(&mut self, now: Now) {
        if now.at >= self.heard + self.config.dead_after {
            return self.abandon(Error::Timeout(Timeout::Silence), now);
        }
        if !self.pinged && now.at >= self.heard + self.config.ping_after {
            self.pinged = true;
            self.ping(now);
        }
        for (topic, retry_in) in self.subscriptions.overdue(now.at, self.config.answer_timeout) {
            self.subscription_failed(&topic, None, Some(retry_in));
        }
        for (_, asked) in &mut self.snapshots {
            if asked.is_some_and(|at| now.at >= at + self.config.answer_timeout) {
                *asked = None;
            }
        }
        let late = self.pending.overdue(now.at);
        if !late.is_empty() {
            self.outputs.push_back(Output::ResetIfUnsent);
        }
        for token in late {
            self.outputs.push_back(Output::Answer(token, Err(Error::Timeout(Timeout::Call))));
        }
        self.ask(now);
    }

    /// The connection is made and upgraded to a WebSocket.
    pub(crate) fn upgraded(&mut self, now: Now) {
        if let State::Connecting { deadline } = self.state {
            self.heard(now);
            self.state = State::Greeting { deadline };
        }
    }

    /// Bytes came that are no text: a control frame. The other end is alive.
    pub(crate) fn heard(&mut self, now: Now) {
        self.heard = now.at;
        self.pinged = false;
    }

    /// The attempt failed, or the connection broke.
    pub(crate) fn failed(&mut self, error: Error, now: Now) {
        let was_up = match self.state {
            State::Connecting { .. } | State::Greeting { .. } | State::Authenticating { .. } => None,
            State::Ready { since } => Some(now.at.saturating_sub(since)),
            // An echo of a connection that was given up already.
            State::New | State::Waiting { .. } | State::Closed => return,
        };
        self.drop_pending();
        let error = self.farewell.take().map_or(error, |refusal| Error::Refused(Box::new(refusal)));
        let first = self.down_since.is_none() && was_up.is_none();
        if was_up.is_some() {
            self.books.disconnected();
            self.down_since = Some(now.at);
            self.retries = 0;
        }
        let refused = self.identity.as_mut().map_or(identity::Refused::No, |identity| identity.refused_by(&error));
        let give_up = self.retries >= self.config.max_retries || (first && !self.config.retry_first);
        if refused == identity::Refused::ForGood || (give_up && refused != identity::Refused::ForItsTime) {
            return self.close(CloseReason::GaveUp(Box::new(error)));
        }

        let asked = match &error {
            Error::RateLimited(wait) => Some(*wait),
            error => error.retry_after(),
        };
        let wait = self.backoff.wait(now.at, was_up.unwrap_or_default(), asked);
        self.state = State::Waiting { until: now.at.saturating_add(wait) };
        self.subscriptions.reset();
        self.leaving.clear();
        self.room_at = None;
        for (_, asked) in &mut self.snapshots {
            *asked = None;
        }
        let outage = Box::new(Outage { error, retry_in: wait });
        self.deliver(if was_up.is_some() { Event::Disconnected(outage) } else { Event::ConnectFailed(outage) });
    }

    /// The program wants something.
    pub(crate) fn command(&mut self, command: Command, now: Now) {
        match command {
            Command::Subscribe(topics) => {
                for topic in self.books.subscribe(&topics) {
                    self.outputs.push_back(Output::Deliver(Event::Subscribed(topic.to_string().into())));
                }
                self.subscriptions.add(topics);
            }
            Command::Unsubscribe(mut topics) => {
                for topic in self.books.unsubscribe(&mut topics) {
                    self.deliver(Event::Unsubscribed(topic.to_string().into()));
                }
                self.leave(&topics);
            }
            Command::Follow(_) | Command::Unfollow(_) if self.state == State::Closed => return,
            Command::Follow(writers) => {
                for writer in writers {
                    let topic = self.books.follow(writer, |topic| self.subscriptions.in_force(topic));
                    self.subscriptions.add(vec![topic]);
                }
            }
            Command::Unfollow(book) => {
                if let Some(topic) = self.books.unfollow(&book) {
                    self.leave(&[topic]);
                }
            }
            Command::Snapshot(symbol) => {
                if !self.snapshots.iter().any(|(s, _)| *s == symbol) {
                    self.snapshots.push((symbol, None));
                }
            }
            Command::Request(request) => return self.request(request, now),
            Command::Ping if matches!(self.state, State::Ready { .. }) => return self.ping(now),
            Command::Ping => return,
            Command::Close => return self.close(CloseReason::Requested),
        }
        self.ask(now);
    }

    /// Ends subscriptions.
    fn leave(&mut self, topics: &[Topic]) {
        self.leaving.extend(subscriptions::channels(&self.subscriptions.remove(topics)));
    }

    /// Sends a request, or says at once that it was not sent.
    fn request(&mut self, request: Request, now: Now) {
        let Request { token, kind, action, account, id, snapshot, args, timeout } = request;
        let unsent = match self.state {
            State::Ready { .. } => self.budget.take(kind, now.at).err().map(Error::RateLimited),
            State::Closed => Some(Error::Closed),
            State::Waiting { .. } => Some(Error::NotReady("waiting to connect again")),
            _ => Some(Error::NotReady("connecting")),
        };
        if let Some(error) = unsent {
            return self.outputs.push_back(Output::Answer(token, Err(error)));
        }
        let id = id.map_or_else(|| count(&mut self.next_id), String::from);
        self.send(Outgoing::Req { id: &id, action, account: account.as_deref(), args: &args });
        let name = snapshot.map(|(kind, symbol)| snapshot_name(kind, symbol));
        self.pending.add(token, id, name, now.at + timeout);
    }

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

    fn subscription_failed(&mut self, topic: &Topic, refusal: Option<Refusal>, retry_in: Option<Duration>) {
        let channel = topic.to_string().into();
        self.deliver(Event::SubscriptionFailed(Box::new(SubscriptionFailed { channel, refusal, retry_in })));
    }

    fn connect(&mut self, now: Now) {
        self.farewell = None;
        self.ping_sent = None;
        self.state = State::Connecting { deadline: now.at + self.config.connect_timeout };
        let headers = self.identity.as_mut().and_then(|identity| {
            identity.begin();
            identity.headers(now.wall)
        });
        self.outputs.push_back(Output::Connect(headers));
    }

    fn authenticate(&mut self, now: Now) {
        let Some(identity) = &mut self.identity else { return };
        match self.budget.take(Kind::Admin, now.at) {
            Ok(()) => self.outputs.push_back(Output::SendSecret(identity.message(now.wall))),
            Err(wait) => self.abandon(Error::RateLimited(wait), now),
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

    fn ping(&mut self, now: Now) {
        if self.admin(Outgoing::Ping, now) {
            self.ping_sent.get_or_insert(now.at);
        }
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

    fn ready(&mut self, authenticated: bool, now: Now) {
        self.state = State::Ready { since: now.at };
        self.deliver(match self.down_since {
            None => Event::Connected { authenticated },
            Some(since) => Event::Reconnected { attempts: self.retries, down_for: now.at.saturating_sub(since) },
        });
        self.ask(now);
    }

    /// Asks for what is wanted and has not been asked for, as far as the budget goes.
    fn ask(&mut self, now: Now) {
        if !matches!(self.state, State::Ready { .. }) {
            return;
        }
        self.room_at = None;
        let Self { subscriptions, books, leaving, snapshots, outputs, next_id, budget, room_at, config, .. } = self;
        let mut take = |kind| match budget.take(kind, now.at) {
            Ok(()) => Some(count(next_id)),
            Err(wait) => {
                *room_at = Some(room_at.map_or(now.at + wait, |at: Duration| at.min(now.at + wait)));
                None
            }
        };
        while let Some(channel) = leaving.front() {
            let Some(id) = take(Kind::Subscription) else { break };
            outputs.push_back(send(Outgoing::Unsub { id: &id, ch: channel }));
            leaving.pop_front();
        }
        for (id, channel) in subscriptions.ask(now.at, || take(Kind::Subscription)) {
            outputs.push_back(send(Outgoing::Sub { id: &id, ch: &channel }));
        }
        for (id, action, symbol) in books.ask(now.at, config.answer_timeout, || take(Kind::Snapshot)) {
            let args = wire::args(&wire::SymbolArgs { symbol, level: None });
            outputs.push_back(send(Outgoing::Req { id: &id, action, account: None, args: &args }));
        }
        for (symbol, asked) in snapshots.iter_mut().filter(|(_, asked)| asked.is_none()) {
            let Some(id) = take(Kind::Snapshot) else { break };
            *asked = Some(now.at);
            let args = wire::args(&wire::SymbolArgs { symbol: *symbol, level: None });
            outputs.push_back(send(Outgoing::Req { id: &id, action: "depth-snapshot", account: None, args: &args }));
        }
    }

    /// The connection is given up from this end.
    fn abandon(&mut self, error: Error, now: Now) {
        self.outputs.push_back(Output::HangUp);
        self.failed(error, now);
    }

    fn close(&mut self, reason: CloseReason) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.books.clear();
            self.drop_pending();
            self.outputs.push_back(Output::Finish);
            self.deliver(Event::Closed(reason));
        }
    }

    /// What waits for an answer gets none any more: it was sent, so nobody knows what became of it.
    fn drop_pending(&mut self) {
        for token in self.pending.drain() {
            self.outputs.push_back(Output::Answer(token, Err(Error::ConnectionLost)));
        }
    }

    /// Says what keeps the connection alive, and whether it was said: beyond the budget it would be ignored.
    fn admin(&mut self, message: Outgoing<'_>, now: Now) -> bool {
        let room = self.budget.take(Kind::Admin, now.at);
        match room {
            Ok(()) => self.send(message),
            Err(wait) => log::warn!("too many pings: {} is not said for {wait:?}", message.to_text()),
        }
        room.is_ok()
    }

    fn send(&mut self, message: Outgoing<'_>) {
        self.outputs.push_back(send(message));
    }

    fn answer(&mut self, token: Token, message: Message) {
        self.outputs.push_back(Output::Answer(token, Ok(message)));
    }

    fn deliver(&mut self, event: Event) {
        self.outputs.push_back(Output::Deliver(event));
    }
}

/// What the answer to a request for a snapshot is known by: it has no id.
fn snapshot_name(kind: DepthKind, symbol: Symbol) -> String {
    format!("{kind:?} {symbol}")
}

fn send(message: Outgoing<'_>) -> Output {
    Output::Send(message.to_text())
}

/// The next id, unlike any before it on this stream, and unlike any that an order can have: those are letters and
/// digits alone.
fn count(next: &mut u64) -> String {
    *next += 1;
    format!("m-{next}")
}

#[cfg(test)]
mod tests;
