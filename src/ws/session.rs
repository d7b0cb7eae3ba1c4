//! What to do with what happens: the stream's state as pure data.
//!
//! ```text
//!            start                 upgraded            first message
//!   (new) ─────────▶ Connecting ─────────────▶ Greeting ───────────▶ Ready
//!                       ▲   │ failed              │ failed            │ failed
//!                       │   ▼                     ▼                   │
//!                       └─ Waiting ◀──────────────┴───────────────────┘
//!                 tick      │ no further attempt, or closed on request (from every state)
//!                           ▼
//!                         Closed
//! ```
//!
//! The session names no socket, clock or thread. Each input takes the time; after it the caller drains the
//! [outputs](Session::output) until nothing is left, then waits for the socket, a command, or the
//! [deadline](Session::deadline), whichever is first.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::{Backoff, BackoffConfig};
use super::channel::Topic;
use super::event::{CloseReason, Event, Outage, SubscriptionFailed, Timed, Undecodable, Unknown};
use super::subscriptions::{self, Subscriptions};
use super::wire::{Action, Args, Message, Outgoing};
use crate::error::{DecodeError, Error, Refusal, Timeout};
use crate::symbol::Symbol;

/// The session's times and limits.
#[derive(Debug, Clone)]
pub(crate) struct SessionConfig {
    /// From the beginning of an attempt to the server's greeting.
    pub(crate) connect_timeout: Duration,
    /// Silence after which a `ping` is sent.
    pub(crate) ping_after: Duration,
    /// Silence after which the connection is given up.
    pub(crate) dead_after: Duration,
    /// How long the answer to a subscription or a snapshot may take.
    pub(crate) answer_timeout: Duration,
    /// Attempts in a row to connect again; 0 gives up when the connection breaks.
    pub(crate) max_retries: u32,
    /// Whether the first attempt of all is tried again when it fails.
    pub(crate) retry_first: bool,
    pub(crate) backoff: BackoffConfig,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(15),
            dead_after: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(10),
            max_retries: u32::MAX,
            retry_first: false,
            backoff: BackoffConfig::default(),
        }
    }
}

/// What the program wants of the session.
#[derive(Debug)]
pub(crate) enum Command {
    Subscribe(Vec<Topic>),
    Unsubscribe(Vec<Topic>),
    /// One snapshot of a book, delivered as an event; asked for until it comes.
    Snapshot(Symbol),
    Close,
}

/// What the session wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Begin to connect.
    Connect,
    /// Send a text.
    Send(String),
    /// Deliver an event.
    Deliver(Event),
    /// Drop the connection, or the attempt at one.
    HangUp,
    /// All is over: close the connection politely.
    Finish,
}

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
    state: State,
    outputs: VecDeque<Output>,
    subscriptions: Subscriptions,
    /// Snapshots to come, each with the time at which it was asked for on this connection.
    snapshots: Vec<(Symbol, Option<Duration>)>,
    backoff: Backoff,
    /// When the last bytes came.
    heard: Duration,
    /// Whether a `ping` has been sent since.
    pinged: bool,
    /// What the server said before it closes.
    farewell: Option<Refusal>,
    /// When the connection broke; `None` before the first was up.
    down_since: Option<Duration>,
    /// Attempts since, or since the first attempt of all.
    retries: u32,
    next_id: u64,
}

impl Session {
    /// `seed` makes the jitter.
    pub(crate) fn new(config: SessionConfig, topics: Vec<Topic>, seed: u64) -> Self {
        let mut subscriptions = Subscriptions::default();
        subscriptions.add(topics);
        Self {
            backoff: Backoff::new(config.backoff.clone(), seed),
            config,
            state: State::New,
            outputs: VecDeque::new(),
            subscriptions,
            snapshots: Vec::new(),
            heard: Duration::ZERO,
            pinged: false,
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
            State::Connecting { deadline } | State::Greeting { deadline } => Some(deadline),
            State::Waiting { until } => Some(until),
            State::Ready { .. } => {
                let silence = if self.pinged { self.config.dead_after } else { self.config.ping_after };
                let answer = self.config.answer_timeout;
                let snapshot = self.snapshots.iter().filter_map(|(_, asked)| asked.map(|at| at + answer)).min();
                [Some(self.heard + silence), self.subscriptions.deadline(answer), snapshot].into_iter().flatten().min()
            }
        }
    }

    /// Begins.
    pub(crate) fn start(&mut self, now: Duration) {
        if self.state == State::New {
            self.connect(now);
        }
    }

    /// The time has come to look at the deadlines.
    pub(crate) fn tick(&mut self, now: Duration) {
        match self.state {
            State::Connecting { deadline } if now >= deadline => self.abandon(Error::Timeout(Timeout::Connect), now),
            State::Greeting { deadline } if now >= deadline => self.abandon(Error::Timeout(Timeout::Greeting), now),
            State::Waiting { until } if now >= until => {
                self.retries += 1;
                self.connect(now);
            }
            State::Ready { .. } => self.tick_ready(now),
            _ => {}
        }
    }

    fn tick_ready(&mut self, now: Duration) {
        if now >= self.heard + self.config.dead_after {
            return self.abandon(Error::Timeout(Timeout::Silence), now);
        }
        if !self.pinged && now >= self.heard + self.config.ping_after {
            self.pinged = true;
            self.send(Outgoing::Ping);
        }
        for topic in self.subscriptions.overdue(now, self.config.answer_timeout) {
            self.subscription_failed(&topic, None);
        }
        for (_, asked) in &mut self.snapshots {
            if asked.is_some_and(|at| now >= at + self.config.answer_timeout) {
                *asked = None;
            }
        }
        self.ask(now);
    }

    /// The connection is made and upgraded to a WebSocket.
    pub(crate) fn upgraded(&mut self, now: Duration) {
        if let State::Connecting { deadline } = self.state {
            self.heard = now;
            self.pinged = false;
            self.state = State::Greeting { deadline };
        }
    }

    /// Bytes came that are no text: a control frame. The other end is alive.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.heard = now;
        self.pinged = false;
    }

    /// The attempt failed, or the connection broke.
    pub(crate) fn failed(&mut self, error: Error, now: Duration) {
        let was_up = match self.state {
            State::Connecting { .. } | State::Greeting { .. } => None,
            State::Ready { since } => Some(now.saturating_sub(since)),
            // An echo of a connection that was given up already.
            State::New | State::Waiting { .. } | State::Closed => return,
        };
        let error = self.farewell.take().map_or(error, |refusal| Error::Refused(Box::new(refusal)));
        let first = self.down_since.is_none() && was_up.is_none();
        if was_up.is_some() {
            self.down_since = Some(now);
            self.retries = 0;
        }
        if self.retries >= self.config.max_retries || (first && !self.config.retry_first) {
            return self.close(CloseReason::GaveUp(Box::new(error)));
        }

        let asked = error.retry_after();
        let wait = self.backoff.wait(now, was_up.unwrap_or_default(), asked);
        self.state = State::Waiting { until: now + wait };
        self.subscriptions.reset();
        for (_, asked) in &mut self.snapshots {
            *asked = None;
        }
        let outage = Box::new(Outage { error, retry_in: wait });
        self.deliver(if was_up.is_some() { Event::Disconnected(outage) } else { Event::ConnectFailed(outage) });
    }

    /// The program wants something.
    pub(crate) fn command(&mut self, command: Command, now: Duration) {
        match command {
            Command::Subscribe(topics) => self.subscriptions.add(topics),
            Command::Unsubscribe(topics) => {
                let asked_for = self.subscriptions.remove(&topics);
                for channel in subscriptions::channels(&asked_for) {
                    let id = count(&mut self.next_id);
                    self.send(Outgoing::Unsub { id: &id, ch: &channel });
                }
            }
            Command::Snapshot(symbol) => {
                if !self.snapshots.iter().any(|(s, _)| *s == symbol) {
                    self.snapshots.push((symbol, None));
                }
            }
            Command::Close => return self.close(CloseReason::Requested),
        }
        self.ask(now);
    }

    /// The server sent a text. `wall` is the time of its receipt, UTC nanoseconds.
    pub(crate) fn text(&mut self, text: &str, now: Duration, wall: u64) {
        let message = Message::parse(text);
        match self.state {
            State::Ready { .. } => {}
            State::Greeting { .. } => {
                let authenticated = matches!(message, Ok(Message::Connected { authenticated: true }));
                self.ready(authenticated, now);
            }
            _ => return,
        }
        self.heard(now);
        match message {
            Ok(message) => self.message(message, text, wall),
            Err(error) => {
                let data = Undecodable { text: text.to_owned(), error };
                self.deliver(Event::Undecodable(Box::new(Timed { received: wall, data })));
            }
        }
    }

    /// The server sent binary data, which the protocol does not know.
    pub(crate) fn binary(&mut self, bytes: &[u8], now: Duration, wall: u64) {
        // Whatever text there is in it cannot be read as JSON of the protocol without being told so.
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.heard(now);
        let error = DecodeError::shape("binary data", &text);
        self.deliver(Event::Undecodable(Box::new(Timed { received: wall, data: Undecodable { text, error } })));
    }

    fn message(&mut self, message: Message, text: &str, received: u64) {
        match message {
            Message::Bbo(data) => self.deliver(Event::Bbo(Timed { received, data })),
            Message::Trades(data) => self.deliver(Event::Trades(Timed { received, data })),
            Message::Bar(data) => self.deliver(Event::Bar(Box::new(Timed { received, data: *data }))),
            Message::RefPrice(data) => self.deliver(Event::RefPrice(Timed { received, data })),
            Message::Depth(data) => {
                if data.kind.is_snapshot() {
                    self.snapshots.retain(|(symbol, _)| *symbol != data.symbol);
                }
                self.deliver(Event::Depth(Timed { received, data }));
            }
            Message::Ping { .. } => self.send(Outgoing::Pong),
            Message::Connected { .. } | Message::Pong { .. } => {}
            Message::Subscribed(ack) => match ack.refusal {
                None => {
                    for topic in self.subscriptions.acknowledged(&ack.channel, ack.id.as_deref()) {
                        self.deliver(Event::Subscribed(topic.to_string().into()));
                    }
                }
                Some(refusal) => self.refused(&ack.channel, ack.id.as_deref(), refusal),
            },
            Message::Unsubscribed(ack) => match ack.refusal {
                None => self.deliver(Event::Unsubscribed(ack.channel.into())),
                Some(refusal) => self.deliver(Event::Refused(Box::new(refusal))),
            },
            Message::Refused(refused) => self.refused("", refused.id.as_deref(), refused.refusal),
            Message::Disconnected(refusal) => self.farewell = Some(*refusal),
            // A stream that does not authenticate is not answered about it.
            Message::Auth(_) => self.unknown(Some("auth".to_owned()), text, received),
            Message::Unknown { kind } => self.unknown(kind, text, received),
        }
    }

    fn unknown(&mut self, kind: Option<String>, text: &str, received: u64) {
        let data = Unknown { kind, text: text.to_owned() };
        self.deliver(Event::Unknown(Box::new(Timed { received, data })));
    }

    fn refused(&mut self, channel: &str, id: Option<&str>, refusal: Refusal) {
        let topics = self.subscriptions.refused(channel, id);
        if topics.is_empty() {
            return self.deliver(Event::Refused(Box::new(refusal)));
        }
        for topic in topics {
            self.subscription_failed(&topic, Some(refusal.clone()));
        }
    }

    fn subscription_failed(&mut self, topic: &Topic, refusal: Option<Refusal>) {
        let channel = topic.to_string().into();
        self.deliver(Event::SubscriptionFailed(Box::new(SubscriptionFailed { channel, refusal })));
    }

    fn connect(&mut self, now: Duration) {
        self.backoff.attempt(now);
        self.farewell = None;
        self.state = State::Connecting { deadline: now + self.config.connect_timeout };
        self.outputs.push_back(Output::Connect);
    }

    fn ready(&mut self, authenticated: bool, now: Duration) {
        self.state = State::Ready { since: now };
        self.deliver(match self.down_since {
            None => Event::Connected { authenticated },
            Some(since) => Event::Reconnected { attempts: self.retries, down_for: now.saturating_sub(since) },
        });
        self.ask(now);
    }

    /// Asks for what is wanted and has not been asked for.
    fn ask(&mut self, now: Duration) {
        if !matches!(self.state, State::Ready { .. }) {
            return;
        }
        let Self { subscriptions, snapshots, outputs, next_id, .. } = self;
        for (id, channel) in subscriptions.ask(now, || count(next_id)) {
            outputs.push_back(send(Outgoing::Sub { id: &id, ch: &channel }));
        }
        for (symbol, asked) in snapshots.iter_mut().filter(|(_, asked)| asked.is_none()) {
            *asked = Some(now);
            let args = Args { symbol: *symbol, level: None };
            outputs.push_back(send(Outgoing::Req { id: &count(next_id), action: Action::DepthSnapshot, args }));
        }
    }

    /// The connection is given up from this end.
    fn abandon(&mut self, error: Error, now: Duration) {
        self.outputs.push_back(Output::HangUp);
        self.failed(error, now);
    }

    fn close(&mut self, reason: CloseReason) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.outputs.push_back(Output::Finish);
            self.deliver(Event::Closed(reason));
        }
    }

    fn send(&mut self, message: Outgoing<'_>) {
        self.outputs.push_back(send(message));
    }

    fn deliver(&mut self, event: Event) {
        self.outputs.push_back(Output::Deliver(event));
    }
}

fn send(message: Outgoing<'_>) -> Output {
    Output::Send(message.to_text())
}

/// The next id, unlike any before it on this stream.
fn count(next: &mut u64) -> String {
    *next += 1;
    next.to_string()
}

#[cfg(test)]
mod tests;
