//! What a session is told and what it wants done.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use super::identity::{AuthHeaders, Secret};
use crate::error::Error;
use crate::model::DepthKind;
use crate::symbol::Symbol;
use crate::ws::book::{BookWriter, Shared};
use crate::ws::channel::Topic;
use crate::ws::event::Event;
use crate::ws::limits::{Kind, MessageLimits};
use crate::ws::pending::Token;
use crate::ws::stats::Measured;
use crate::ws::wire::Message;

/// When something happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Since a time that is the same for all sessions of a client.
    pub(crate) at: Duration,
    /// UTC nanoseconds by this machine's clock.
    pub(crate) wall: u64,
}

/// The session's times and limits.
#[derive(Debug, Clone)]
pub(crate) struct SessionConfig {
    /// From the beginning of an attempt to the server's greeting, authentication included.
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
    pub(crate) limits: MessageLimits,
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
            limits: MessageLimits::default(),
        }
    }
}

/// What the program wants of the session.
#[derive(Debug)]
pub(crate) enum Command {
    Subscribe(Vec<Topic>),
    Unsubscribe(Vec<Topic>),
    /// Keep books.
    Follow(Vec<BookWriter>),
    /// Nobody reads this book any more.
    Unfollow(Arc<Shared>),
    /// One snapshot of a book, delivered as an event; asked for until it comes.
    Snapshot(Symbol),
    /// A request, which gets exactly one [`Output::Answer`].
    Request(Request),
    /// Ask for a sign of life now.
    Ping,
    Close,
}

/// A request with one answer. It is sent now or never.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) token: Token,
    pub(crate) kind: Kind,
    pub(crate) action: &'static str,
    pub(crate) account: Option<Box<str>>,
    /// The order's own id, where it has one; else the session gives the message one.
    pub(crate) id: Option<Box<str>>,
    /// For a snapshot, whose answer has no id: what it is of.
    pub(crate) snapshot: Option<(DepthKind, Symbol)>,
    pub(crate) args: Box<RawValue>,
    /// How long the answer may take.
    pub(crate) timeout: Duration,
}

/// What the session wants done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Begin to connect, with the headers of the authentication.
    Connect(Option<AuthHeaders>),
    /// Send a text.
    Send(String),
    /// Send a text that nobody else may see.
    SendSecret(Secret),
    /// Deliver an event.
    Deliver(Event),
    /// End a request.
    Answer(Token, Result<Message, Error>),
    /// Drop the connection if something is written that the system has not taken: it would be sent late. What the system
    /// has taken can arrive all the same.
    ResetIfUnsent,
    /// The exchange's clock is so many milliseconds ahead of this machine's.
    Clock(i64),
    /// A ping was answered.
    Measured(Measured),
    /// Drop the connection, or the attempt at one.
    HangUp,
    /// All is over: close the connection politely.
    Finish,
}
