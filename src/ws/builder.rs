//! What a stream is made from: its settings, and what of them is refused.

use std::cell::RefCell;
use std::fmt;
use std::sync::mpsc::{Receiver, RecvError};
use std::time::Duration;

use super::backoff::BackoffConfig;
use super::book::Handles;
use super::channel::{Channel, Topic};
use super::handle::StreamHandle;
use super::limits::MessageLimits;
use super::replay::{Play, play};
use super::session::{Authentication, SessionConfig};
use super::socket::{self, Running, Settings};
use super::stream::{Events, Stream};
use super::tap::{Direction, Tap};
use crate::client::Client;
use crate::config::LONGEST;
use crate::error::{Error, InvalidInput, Result};
use crate::recording::Recording;

#[cfg(doc)]
use super::event::Event;

/// Settings of a [`Stream`], made by [`Client::stream`](crate::Client::stream).
#[must_use = "a builder does nothing until `connect` or `start`"]
pub struct StreamBuilder {
    client: Client,
    topics: Result<Vec<Topic>, InvalidInput>,
    /// How the stream is authenticated; `None` where it need not be.
    way: Option<Authentication>,
    ready_ack: bool,
    session: SessionConfig,
    backoff: BackoffConfig,
    request_timeout: Duration,
    wait_when_limited: bool,
    max_message: usize,
    max_queued: usize,
    tap: Option<Tap>,
    resolve: socket::Resolve,
    /// What is played, and by what: a program that plays nothing is linked without it.
    replay: Option<(Recording, Play)>,
    /// How many times as fast as recorded.
    replay_speed: Option<f64>,
}

impl StreamBuilder {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            topics: Ok(Vec::new()),
            way: None,
            ready_ack: false,
            session: SessionConfig::default(),
            backoff: BackoffConfig::default(),
            request_timeout: Duration::from_secs(10),
            wait_when_limited: false,
            max_message: 8 << 20,
            max_queued: 16_384,
            tap: None,
            resolve: socket::resolve,
            replay: None,
            replay_speed: None,
        }
    }

    /// Subscribes to a channel from the beginning. May be called several times.
    pub fn subscribe(mut self, channel: Channel) -> Self {
        if let Ok(topics) = &mut self.topics {
            match channel.into_topics() {
                Ok(more) => topics.extend(more),
                Err(e) => self.topics = Err(e),
            }
        }
        self
    }

    /// Authenticates the stream with the client's credentials, by headers of the upgrade or by a message. Needed for
    /// requests that concern an account; a private channel subscribed to from the beginning brings it along, by
    /// headers. Defaults to no authentication.
    ///
    /// The account group is part of the address: the first such stream of a client asks for it, by
    /// [`info`](Client::info).
    pub fn authenticate(mut self, way: Authentication) -> Self {
        self.way = Some(way);
        self
    }

    /// Asks for the *ready* mode, in which an order that rests is announced with
    /// [`Ready`](crate::model::OrderStatus::Ready) and not with `New`, and a failed cancel is told as
    /// [`Event::CancelRejected`]. It authenticates the stream, by a message. The protocol's `"ack":"ready"`. Defaults to
    /// off.
    pub fn ready_ack(mut self) -> Self {
        self.ready_ack = true;
        self
    }

    /// How much is sent in a minute at most. A request beyond it is refused with the time to wait, or
    /// [waits](Self::wait_when_limited); a subscription waits.
    /// Defaults to the limits in the exchange's reference; those in force can be asked for:
    ///
    /// ```
    /// use bitmax::{Channel, Client, MessageLimits, sandbox::Sandbox};
    /// let sandbox = Sandbox::start()?;
    /// let client = Client::builder(sandbox.endpoint()).build()?;
    /// let limits = MessageLimits::from(&client.market().risk_limits(None)?);
    /// let stream = client.stream().limits(limits).subscribe(Channel::bbo(["BTC/USDT"])).connect()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limits(mut self, limits: MessageLimits) -> Self {
        self.session.limits = limits;
        self
    }

    /// Whether a request beyond the [limits](Self::limits) waits, in its caller's thread, until it may be sent, where that
    /// is within the [time of a request](Self::request_timeout): then it is made anew, with the time of that moment. It
    /// holds for the methods that wait for their answer; `place_later` and `cancel_later` are refused at once.
    /// Defaults to no.
    pub fn wait_when_limited(mut self, wait: bool) -> Self {
        self.wait_when_limited = wait;
        self
    }

    /// How long a request waits for its answer. Defaults to 10 s.
    ///
    /// Where it is over and something is written that the system has not taken, for the server reads no more, the
    /// connection is dropped, and that is never sent. What the system has taken can arrive yet, for as long as it keeps
    /// trying: the order's `time`, which the exchange lets be so [old](crate::ClientBuilder::acceptance_window) and no
    /// older, is the last guard.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long an attempt to connect may take, from looking up the name to the server's greeting. Defaults
    /// to 10 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.session.connect_timeout = timeout;
        self
    }

    /// The silence of the server after which a `ping` is sent. Defaults to 15 s.
    pub fn ping_after(mut self, silence: Duration) -> Self {
        self.session.ping_after = silence;
        self
    }

    /// The silence of the server after which the connection is given up and made anew. Defaults to 30 s.
    pub fn dead_after(mut self, silence: Duration) -> Self {
        self.session.dead_after = silence;
        self
    }

    /// How long the server may take to acknowledge a subscription or to send a snapshot before it is asked
    /// again. Defaults to 10 s.
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.session.answer_timeout = timeout;
        self
    }

    /// How often in a row a connection that broke is tried again before the stream ends; 0 never tries again.
    /// Defaults to no limit.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.session.max_retries = retries;
        self
    }

    /// The wait before connecting again: a random time up to `base`, doubled with each failure in a row, up
    /// to `cap`. Defaults to 250 ms and 30 s. A connection that was up for a minute starts the count anew.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.backoff = BackoffConfig { base, cap, ..self.backoff };
        self
    }

    /// At most so many attempts to connect in so long, those of the client's other streams included: the exchange bans
    /// an address that tries too often. Attempts to connect again wait for their place. A first one does not: where there
    /// is none, [`connect`](Self::connect) fails at once with [`Error::RateLimited`], and a stream that is
    /// [started](Self::start) tells it as [`Event::ConnectFailed`] and waits.
    /// Defaults to 45 attempts in 5 minutes.
    pub fn attempt_budget(mut self, attempts: usize, window: Duration) -> Self {
        self.backoff = BackoffConfig { budget: attempts, budget_window: window, ..self.backoff };
        self
    }

    /// The largest message that is taken, in bytes; a larger one ends the connection, which is then made anew.
    /// Defaults to 8 MiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message = bytes;
        self
    }

    /// How many events of market data may wait for a slow consumer before they are dropped, which
    /// [`Event::Lagged`] tells. No other event is ever dropped. Defaults to 16 384.
    pub fn max_queued(mut self, events: usize) -> Self {
        self.max_queued = events;
        self
    }

    /// Shows every raw text, sent and received, to a function, with the time in UTC nanoseconds; and when a connection is
    /// tried or breaks. Keys and signatures are not in what it sees. A [`Recorder`](crate::Recorder) looks on so.
    ///
    /// The function is called on the stream's thread, and with a request on that of its caller; never on two at once. What
    /// it does delays the stream. Defaults to none.
    pub fn tap(mut self, look: impl FnMut(Direction, &str, u64) + Send + 'static) -> Self {
        self.tap = Some(Box::new(look));
        self
    }

    /// Whether a recording is played.
    pub(crate) fn is_replay(&self) -> bool {
        self.replay.is_some()
    }

    /// The client, and whether anything is subscribed to.
    pub(crate) fn client_and_channels(&self) -> (&Client, bool) {
        (&self.client, self.topics.as_ref().is_ok_and(|topics| !topics.is_empty()))
    }

    /// Plays a recorded session in place of a connection: nothing is sent, nobody is asked, and the program sees what it
    /// would have seen then, the times of receipt included. Defaults to none.
    ///
    /// What is different from a live stream:
    /// - There is no thread: the session moves on when its events are read, and nothing is ever dropped. A
    ///   [`Book`](crate::Book) is always that of the event just read, at the end the last one; to wait for one is to wait
    ///   until another thread reads on.
    /// - All that was recorded is delivered, whatever this stream subscribes to. A
    ///   [`request_snapshot`](StreamHandle::request_snapshot) gets what was recorded of it, if anything; a snapshot that
    ///   was the answer to a request comes as an event, too.
    /// - Requests, and orders among them, fail with [`Error::NotReady`]: they are not sent. Credentials are not needed. A
    ///   [`Tracker`](crate::Tracker), which has to ask, is refused.
    /// - What the stream then noticed by its clock alone, a subscription that nobody acknowledged say, is not told again.
    ///   [`Outage::error`](crate::Outage::error) is an [`Error::Transport`] with the recorded reason, and its `retry_in`
    ///   zero.
    /// - What was [redacted](crate::Recorder) does not come; what the recorder missed is told by [`Event::Lagged`].
    /// - The last event is `Closed` with [`EndOfRecording`](crate::CloseReason::EndOfRecording).
    ///
    /// The [tap](Self::tap) is shown each text. Of the [statistics](StreamHandle::stats) messages, bytes and reconnections
    /// are counted.
    pub fn replay(mut self, recording: &Recording) -> Self {
        self.replay = Some((recording.clone(), play));
        self
    }

    /// How many times as fast as recorded a recording is played; 1 is as it was. Defaults to as fast as events are read.
    pub fn replay_speed(mut self, times: f64) -> Self {
        self.replay_speed = Some(times);
        self
    }

    /// Connects, and waits until the server has greeted. A [recording](Self::replay) is ready at once.
    ///
    /// A failure of this first attempt is returned and not tried again; a connection that breaks later is
    /// made anew by the stream itself.
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a bad channel, symbol or setting, a time of more than a day among them, and
    /// [`Error::RateLimited`] beyond the [budget of attempts](Self::attempt_budget), with nothing tried. Otherwise why there
    /// is no connection: [`Error::Transport`], [`Error::Timeout`], [`Error::Http`] for a refused upgrade,
    /// [`Error::ClosedByServer`], [`Error::Refused`]. A stream for an account fails with what the
    /// [question](Self::authenticate) for the account group fails with.
    pub fn connect(self) -> Result<Stream> {
        let (stream, first) = self.run()?;
        if let Some(first) = first {
            first.recv().map_err(|RecvError| Error::Closed)??;
        }
        Ok(stream)
    }

    /// Starts to connect, and does not wait for it. Failures are told as [`Event::ConnectFailed`] and tried again,
    /// those of the first attempt too.
    ///
    /// A public stream returns at once. One for an account asks for the [account group](Self::authenticate) first, where
    /// the client does not know it yet: that is a call of REST, which takes its time and can fail. A program that must not
    /// wait here asks before, by [`Client::account`](crate::Client::account) or [`Client::info`](crate::Client::info).
    ///
    /// # Errors
    /// [`Error::InvalidInput`] for a bad channel, symbol or setting; for an account also what that call fails with.
    pub fn start(mut self) -> Result<Stream> {
        self.session.retry_first = true;
        Ok(self.run()?.0)
    }

    fn run(self) -> Result<(Stream, Option<Receiver<Result<()>>>)> {
        self.check()?;
        let topics = self.topics?;
        let way = match self.way {
            None if self.ready_ack || topics.iter().any(Topic::is_private) => Some(Authentication::default()),
            way => way,
        };
        let (remote, events, thread, first) = if let Some((recording, play)) = self.replay {
            let (next, remote) = play(recording, self.replay_speed, self.session, topics, self.tap);
            (remote, Events::Replay(RefCell::new(next)), None, None)
        } else {
            let (identity, group) = match way {
                Some(way) => {
                    let (identity, group) = self.client.stream_identity(way, self.ready_ack)?;
                    (Some(identity), group)
                }
                // Any account group serves for public data.
                None => (None, 0),
            };
            let Running { remote, events, thread, first } = socket::spawn(Settings {
                target: self.client.stream_target(group)?,
                session: self.session,
                identity,
                backoff: self.backoff,
                shared: self.client.stream_shared().clone(),
                topics,
                max_message: self.max_message,
                max_queued: self.max_queued,
                tap: self.tap,
                resolve: self.resolve,
            })?;
            (remote, Events::Live(events), Some(thread), Some(first))
        };
        let handle = StreamHandle {
            remote,
            client: self.client,
            private: way.is_some(),
            request_timeout: self.request_timeout,
            wait_when_limited: self.wait_when_limited,
            books: Handles::default(),
        };
        Ok((Stream { events, handle, thread }, first))
    }

    fn check(&self) -> Result<(), InvalidInput> {
        for (field, time) in [
            ("connect_timeout", self.session.connect_timeout),
            ("ping_after", self.session.ping_after),
            ("dead_after", self.session.dead_after),
            ("answer_timeout", self.session.answer_timeout),
            ("request_timeout", self.request_timeout),
        ] {
            if time.is_zero() || time > LONGEST {
                return Err(InvalidInput::new(field, "is zero, or longer than a day"));
            }
        }
        let BackoffConfig { base, cap, budget, budget_window, stable_after: _ } = self.backoff;
        for (field, time) in [("backoff", base.max(cap)), ("attempt_budget", budget_window)] {
            if time > LONGEST {
                return Err(InvalidInput::new(field, "is longer than a day"));
            }
        }
        if budget == 0 {
            return Err(InvalidInput::new("attempt_budget", "is zero"));
        }
        if self.replay_speed.is_some_and(|times| !(times.is_finite() && times > 0.0)) {
            return Err(InvalidInput::new("replay_speed", "is not a number above zero"));
        }
        Ok(())
    }
}

impl fmt::Debug for StreamBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBuilder")
            .field("topics", &self.topics)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
