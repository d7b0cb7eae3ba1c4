//! A session driven by arbitrary input, with what must hold after each step. For the fuzz target and for the tests; no
//! part of the crate's API.
//!
//! The input is steps, one a line, known by its first letter; the rest of the line is its argument. Any other line is a
//! text of the server. The first line may say how the session authenticates.

#![cfg_attr(test, allow(unreachable_pub, reason = "public for the fuzz targets alone"))]

use std::sync::Arc;
use std::time::Duration;

use super::{Command, Event, Identity, Now, Output, Request, Session, SessionConfig, State, Token};
use crate::credentials::Credentials;
use crate::error::{Error, Phase};
use crate::symbol::Symbol;
use crate::ws::backoff::{Attempts, Backoff, BackoffConfig};
use crate::ws::book::{BookWriter, Shared};
use crate::ws::channel::{Channel, Topic};
use crate::ws::limits::Kind;
use crate::ws::session::Authentication;
use crate::ws::wire;

/// No more steps than this: enough for any state, and no input takes long.
const MAX_STEPS: usize = 300;

/// Drives a session with the input. Panics when something does not hold.
pub fn fuzz_session(input: &str) {
    let mut lines = input.lines();
    let identity = |way, ready_ack| {
        let credentials = Credentials::new("the-key", "the-secret").ok()?;
        Some(Identity::new(Arc::new(credentials), way, ready_ack, 0))
    };
    let identity = match lines.clone().next() {
        Some("header") => identity(Authentication::Header, false),
        Some("message") => identity(Authentication::Message, false),
        Some("ready") => identity(Authentication::Message, true),
        _ => None,
    };
    if identity.is_some() {
        lines.next();
    }
    let mut world = World::new(identity);
    for line in lines.take(MAX_STEPS) {
        world.step(line);
    }
    world.restores_what_is_wanted();
    world.session.command(Command::Close, world.now());
    world.drain();
    assert!(world.closed, "closed on request");
    assert_eq!(world.asked, world.answered.len(), "every request has one outcome");
}

/// A session, with what it has told and done so far.
struct World {
    session: Session,
    at: Duration,
    /// Whether the network is connected: from the upgrade to whatever ends it.
    linked: bool,
    /// Whether the consumer believes that there is a connection.
    connected: bool,
    begun: bool,
    closed: bool,
    /// Texts on this connection.
    sent: Vec<String>,
    asked: usize,
    answered: Vec<Token>,
    /// The books that are followed.
    books: Vec<Arc<Shared>>,
}

impl World {
    fn new(identity: Option<Identity>) -> Self {
        let config = SessionConfig { retry_first: true, ..SessionConfig::default() };
        let backoff = Backoff::new(BackoffConfig::default(), Attempts::default(), 1);
        let mut world = Self {
            session: Session::new(config, identity, Vec::new(), backoff),
            at: Duration::ZERO,
            linked: false,
            connected: false,
            begun: false,
            closed: false,
            sent: Vec::new(),
            asked: 0,
            answered: Vec::new(),
            books: Vec::new(),
        };
        world.session.start(world.now());
        world.drain();
        world
    }

    fn now(&self) -> Now {
        Now { at: self.at, wall: 1_000_000_000_000 + u64::try_from(self.at.as_nanos()).unwrap_or_default() }
    }

    fn step(&mut self, line: &str) {
        let (first, argument) = line.split_at_checked(1).unwrap_or((line, ""));
        let now = self.now();
        match first {
            "U" => self.upgrade(),
            "B" => self.breaks(),
            "H" if self.linked => self.session.heard(now),
            "N" if self.linked => self.session.binary(argument.as_bytes(), now),
            "W" => self.passes(Duration::from_millis(argument.parse::<u32>().unwrap_or(20_000).min(600_000).into())),
            "S" | "X" => {
                let topics = argument.parse::<Channel>().and_then(Channel::into_topics).unwrap_or_default();
                let add = first == "S";
                self.command(if add { Command::Subscribe(topics) } else { Command::Unsubscribe(topics) });
            }
            "D" => {
                if let Ok(symbol) = Symbol::new(argument) {
                    self.command(Command::Snapshot(symbol));
                }
            }
            "F" => self.follow(argument),
            "G" => {
                if let Some(book) = self.books.pop() {
                    self.command(Command::Unfollow(book));
                }
            }
            "R" => self.request(argument),
            "P" => self.command(Command::Ping),
            "C" => self.command(Command::Close),
            "K" => self.acknowledge(),
            _ if self.linked => self.session.text(line, now),
            _ => {}
        }
        self.drain();
        self.claims_nothing_without_a_connection();
    }

    fn command(&mut self, command: Command) {
        self.session.command(command, self.now());
    }

    /// Follows the books of a channel, of those that are not followed yet.
    fn follow(&mut self, channel: &str) {
        let topics = channel.parse::<Channel>().and_then(Channel::into_topics).unwrap_or_default();
        let keys = topics.iter().filter_map(Topic::book);
        let writers: Vec<BookWriter> = keys.map(|(symbol, realtime)| BookWriter::new(symbol, realtime)).collect();
        self.books.extend(writers.iter().map(|writer| Arc::clone(writer.shared())));
        self.command(Command::Follow(writers));
    }

    fn request(&mut self, id: &str) {
        self.asked += 1;
        let request = Request {
            token: Token(u64::try_from(self.asked).unwrap_or_default()),
            kind: Kind::Order,
            action: "place-order",
            account: Some("cash".into()),
            id: (!id.is_empty()).then(|| id.into()),
            snapshot: None,
            args: wire::args(&()),
            timeout: Duration::from_secs(5),
        };
        self.command(Command::Request(request));
    }

    fn upgrade(&mut self) {
        if matches!(self.session.state, State::Connecting { .. }) && !self.linked {
            self.linked = true;
            self.session.upgraded(self.now());
        }
    }

    fn breaks(&mut self) {
        self.linked = false;
        self.session.failed(Error::transport(Phase::Exchange, "reset"), self.now());
        self.drain();
    }

    /// Time passes, with a tick at each deadline. A tick settles its deadline, or the thread would spin.
    fn passes(&mut self, time: Duration) {
        let end = self.at + time;
        while let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= end) {
            self.at = self.at.max(deadline);
            self.session.tick(self.now());
            self.drain();
            assert!(self.session.deadline().is_none_or(|next| next > self.at), "a tick settles its deadline");
        }
        self.at = end;
    }

    /// The server acknowledges every subscription that it was asked for on this connection, and the authentication.
    fn acknowledge(&mut self) {
        for text in std::mem::take(&mut self.sent) {
            if let Some(rest) = text.strip_prefix(r#"{"op":"sub","#) {
                self.session.text(&format!(r#"{{"m":"sub","code":0,{rest}"#), self.now());
            } else if text.starts_with(r#"{"op":"auth""#) {
                self.session.text(r#"{"m":"auth","id":"auth","code":0}"#, self.now());
            }
            self.drain();
        }
    }

    /// Whatever has happened: a connection that stays up brings every wanted subscription.
    fn restores_what_is_wanted(&mut self) {
        self.breaks();
        for _ in 0..200 {
            if matches!(self.session.state, State::Connecting { .. } | State::Closed) {
                break;
            }
            self.passes(Duration::from_secs(5));
        }
        if matches!(self.session.state, State::Closed) {
            return;
        }
        self.upgrade();
        self.drain();
        self.session.text(r#"{"m":"connected","type":"unauth"}"#, self.now());
        self.drain();
        // The budget may hold some of them back for a minute or more.
        for _ in 0..30 {
            self.acknowledge();
            self.session.text(r#"{"m":"ping","hp":3}"#, self.now());
            self.drain();
            self.passes(Duration::from_secs(9));
        }
        assert!(self.connected && matches!(self.session.state, State::Ready { .. }), "ready again");
        let (subscriptions, now) = (&mut self.session.subscriptions, self.at);
        assert_eq!(subscriptions.deadline(Duration::ZERO), None, "every subscription is acknowledged");
        assert!(subscriptions.ask(now, || Some(String::new())).is_empty(), "none is forgotten");
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.output() {
            match output {
                Output::Connect(_) => {
                    assert!(!self.linked && !self.closed, "one connection at a time");
                    self.sent.clear();
                }
                Output::Send(text) => self.sends(text, false),
                Output::SendSecret(secret) => {
                    assert!(!secret.shown.contains("the-key"), "shown to nobody");
                    self.sends(secret.text, true);
                }
                Output::Deliver(event) => self.delivers(&event),
                Output::Answer(token, _) => {
                    assert!(!self.answered.contains(&token), "one outcome for each request");
                    self.answered.push(token);
                }
                Output::HangUp => self.linked = false,
                Output::Finish => assert!(matches!(self.session.state, State::Closed)),
                Output::ResetIfUnsent | Output::Clock(_) | Output::Measured(_) => {}
            }
        }
    }

    /// A book is live on a connection only.
    fn claims_nothing_without_a_connection(&self) {
        let live = self.books.iter().filter(|book| book.top(1).is_live()).count();
        assert!(live == 0 || self.connected && !self.closed, "{live} books are live without a connection");
    }

    fn sends(&mut self, text: String, secret: bool) {
        assert!(self.linked, "nothing is sent without a connection: {text}");
        let vital = text.starts_with(r#"{"op":"ping""#) || text.starts_with(r#"{"op":"pong""#);
        assert!(self.connected || secret || vital, "nothing is asked before the session is ready: {text}");
        self.sent.push(text);
    }

    fn delivers(&mut self, event: &Event) {
        assert!(!self.closed, "nothing follows the end: {event:?}");
        match event {
            Event::Connected { .. } => {
                assert!(!self.begun, "the first connection comes once");
                (self.begun, self.connected) = (true, true);
            }
            Event::Reconnected { .. } => {
                assert!(self.begun && !self.connected);
                self.connected = true;
            }
            Event::Disconnected(_) => {
                assert!(self.connected);
                self.connected = false;
            }
            Event::ConnectFailed(_) => assert!(!self.connected),
            Event::Closed(_) => self.closed = true,
            Event::Subscribed(_) | Event::SubscriptionFailed(_) => assert!(self.connected, "only on a connection"),
            _ => {}
        }
    }
}
