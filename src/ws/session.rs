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
mod incoming;
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
use super::event::{CloseReason, Event, Outage, SubscriptionFailed};
use super::limits::{Budget, Kind};
use super::pending::{Pending, Token};
use super::subscriptions::{self, Subscriptions};
use super::wire::{self, Outgoing};
use crate::error::{Error, Refusal, Timeout};
use crate::model::DepthKind;
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

    fn ping(&mut self, now: Now) {
        if self.admin(Outgoing::Ping, now) {
            self.ping_sent.get_or_insert(now.at);
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
