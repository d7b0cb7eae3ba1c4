//! An exchange in the process: it speaks the protocol over real sockets on loopback, with a seeded market behind it
//! that lives, or plays a recorded session.
//!
//! ```
//! let sandbox = bitmax::sandbox::Sandbox::start()?;
//! assert!(sandbox.rest_url().starts_with("http://127.0.0.1:"));
//! # Ok::<(), bitmax::sandbox::SandboxError>(())
//! ```
//!
//! # The market
//!
//! Twenty products with the figures of the live exchange, each with participants of its own: makers that quote a few
//! levels close to the price and the rest of the book, and takers, some of whom follow the trend and some bet against
//! it. There are quiet times and bursts, and now and then news, after which the price is elsewhere at once. They trade
//! through the matching core like everybody else, so an order of yours that rests can be run over, and one that takes
//! moves the price. Tickers, bars and trades are what was traded; what was before the sandbox began is made up, a year
//! of it. All depends on the [seed](SandboxBuilder::seed), the time and what users do, and on nothing else.
//!
//! Time is this machine's, a [multiple](SandboxBuilder::speed) of it, or goes [by hand](SandboxBuilder::start_time).
//!
//! # What differs from the exchange
//!
//! Prices are made up, and nothing is far away. Limits are a thousand times those of the exchange, unless
//! [set](SandboxBuilder::limits). Each account remembers so many ended orders and entries of its ledger, 10 000 unless
//! [set](UserOptions::history), where the exchange remembers orders for at least 30 days; the market remembers the last
//! hundred trades of each product. However many orders wait for an answer with `DONE`, each waits for five seconds.
//!
//! # Faults
//!
//! Whatever can go wrong on the way to an exchange can be made to go wrong here: [`Sandbox::inject`].
//!
//! ```
//! use bitmax::sandbox::{Break, Fault, Reply, Sandbox};
//! # let sandbox = Sandbox::start()?;
//! // The next order is placed, but the client does not hear of it.
//! let lost = sandbox.inject(Fault::LoseAnswer.at("POST */order"));
//! // Three times the stream cannot be had.
//! sandbox.inject(Fault::Refuse(Reply::new(502)).at("UPGRADE *").times(3));
//! // One change of the book in ten goes missing.
//! sandbox.inject(Fault::LoseMessage.at("depth:BTC/USDT").always().probability(0.1));
//! // And every session ends within the next thousand bytes.
//! for session in sandbox.sessions() {
//!     session.break_off(Break::After(1000));
//! }
//! assert_eq!(lost.hits(), 0);
//! # Ok::<(), bitmax::sandbox::SandboxError>(())
//! ```
//!
//! A rule says with a pattern what goes wrong. Everything that a client does or is told has a name; in a pattern `*`
//! stands for any run of characters, and the rest is taken as it is.
//!
//! | what | its name |
//! | --- | --- |
//! | a REST call | `POST /0/api/pro/v1/cash/order`: method and path, without the query |
//! | an upgrade to the stream | `UPGRADE /0/api/pro/v1/stream` |
//! | a message of the client on the stream | `ping`, `pong`, `auth`, `sub depth:BTC/USDT`, `unsub depth`, `req place-order`: actions in lower case |
//! | what the server sends to subscribers | its channel: `depth:BTC/USDT`, `bar:1:BTC/USDT`, `order:<account id>` |

mod accounts;
mod api;
mod channel;
mod clock;
mod control;
// Public for the benchmark only; no part of the crate's API.
#[doc(hidden)]
pub mod engine;
mod exchange;
mod faults;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod http;
mod limits;
mod market;
mod noted;
mod product;
mod products;
mod replay;
mod server;
mod sessions;
mod state;
mod user;
mod visitor;
mod wire;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use accounts::{Permission, UnknownOrder};
use clock::Clock;
pub use control::{InjectedFault, StreamSession};
pub use engine::{Commission, OrderStatus, OrderType, Side, TimeInForce};
use exchange::Exchange;
pub use faults::{Break, Fault, Reply, Rule};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use fuzz::Fuzzed;
pub use limits::{StreamLimits, Threshold};
pub use product::ProductOptions;
use replay::Recording;
use server::Server;
use state::{Keeper, State};
pub use user::{Balance, Order, OrderRequest, Supply, User, UserOptions};

use crate::{Code, Endpoint, RecordingError};

/// How fast time goes in the seeded market, or in a recording that is played.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Speed {
    /// As the time of this machine, or as recorded.
    #[default]
    Real,
    /// So many times as fast; below 1 slower.
    Times(f64),
    /// As fast as the client takes it: recordings only.
    Max,
}

/// Why a sandbox could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SandboxError {
    /// The port could not be listened on.
    #[non_exhaustive]
    Listen {
        /// The port; 0 means any free one.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A thread could not be started.
    Thread(io::Error),
    /// The file of the recording could not be read.
    #[non_exhaustive]
    ReadRecording {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The recording is damaged.
    #[non_exhaustive]
    InvalidRecording {
        /// The file, where it came from one.
        path: Option<PathBuf>,
        /// What is wrong, and where.
        reason: String,
    },
    /// The file of the state could not be read.
    #[non_exhaustive]
    ReadState {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of the state could not be written.
    #[non_exhaustive]
    WriteState {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no state, or a damaged one.
    #[non_exhaustive]
    InvalidState {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A setting is out of its range.
    #[non_exhaustive]
    InvalidSetting {
        /// The setting.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The exchange refused what a handle asked of it.
    #[non_exhaustive]
    Refused {
        /// The code that a client would have got.
        code: Code,
        /// Why, for people.
        message: String,
    },
}

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { port, source } => write!(f, "cannot listen on 127.0.0.1:{port}: {source}"),
            Self::Thread(source) => write!(f, "cannot start a thread: {source}"),
            Self::ReadRecording { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::InvalidRecording { path: Some(path), reason } => {
                write!(f, "{} is no recording: {reason}", path.display())
            }
            Self::InvalidRecording { path: None, reason } => write!(f, "not a recording: {reason}"),
            Self::ReadState { path, source } => write!(f, "cannot read {}: {source}", path.display()),
            Self::WriteState { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            Self::InvalidState { path, reason } => {
                write!(f, "{} is no state of a sandbox that could be taken up: {reason}", path.display())
            }
            Self::InvalidSetting { field, problem } => write!(f, "{field}: {problem}"),
            Self::Refused { code, message } => write!(f, "refused: {code} {message}"),
        }
    }
}

impl std::error::Error for SandboxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. }
            | Self::Thread(source)
            | Self::ReadRecording { source, .. }
            | Self::ReadState { source, .. }
            | Self::WriteState { source, .. } => Some(source),
            Self::InvalidRecording { .. }
            | Self::InvalidState { .. }
            | Self::InvalidSetting { .. }
            | Self::Refused { .. } => None,
        }
    }
}

/// What the exchange behind the sockets is set to. Times in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    seed: u64,
    quiet: bool,
    recording: Option<Arc<Recording>>,
    speed: Speed,
    ping_interval: u64,
    snapshot_delay: u64,
    acceptance_window: u64,
    unknown_order: UnknownOrder,
    limits: StreamLimits,
}

/// Where a recording comes from.
#[derive(Debug, Clone)]
enum Source {
    File(PathBuf),
    Text(String),
}

/// How a sandbox is to be: [`Sandbox::builder`].
#[derive(Debug, Clone)]
pub struct SandboxBuilder {
    port: u16,
    start_time: Option<u64>,
    replay: Option<Source>,
    state: Option<PathBuf>,
    max_unread: usize,
    settings: Settings,
}

impl SandboxBuilder {
    /// The port on 127.0.0.1, for REST and the stream alike. Defaults to 0: any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// What the market's movements are drawn from. Defaults to 1. The same seed and the same time give the same
    /// market, as long as nobody else trades on it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Lets nobody trade on the products of the live exchange but users: their books begin empty, and stay as users leave
    /// them. For tests in which every price is their own, and which want to let hours go by in no time. A product
    /// [added](Sandbox::add_product) with activity has its participants all the same. A [state](Self::state) that was kept
    /// with these participants is refused without them, and the other way round: it does not add up.
    ///
    /// ```
    /// use bitmax::{Client, sandbox::{OrderRequest, Sandbox}};
    /// let sandbox = Sandbox::builder().quiet().start()?;
    /// sandbox.user().place(&OrderRequest::sell("BTC/USDT", "0.5").limit(60_000))?;
    /// let ask = Client::builder(sandbox.endpoint()).build()?.market().ticker("BTC/USDT")?.ask;
    /// assert_eq!(ask.map(|ask| ask.price), Some(60_000.into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn quiet(mut self) -> Self {
        self.settings.quiet = true;
        self
    }

    /// Stops the sandbox's clock at this time (UTC milliseconds): from then on it moves by [`Sandbox::advance`]
    /// alone, and with it the market, pings and everything else that takes time. Defaults to the clock of this
    /// machine.
    pub fn start_time(mut self, utc_millis: u64) -> Self {
        self.start_time = Some(utc_millis);
        self
    }

    /// Plays a recorded session to every client of the stream, in place of the market's messages. REST keeps
    /// answering from the market.
    ///
    /// The file is what a [`Recorder`](crate::Recorder) writes, with the parts in which it goes on: one entry a line, or a
    /// JSON list of them, with `t` (seconds), `dir` (`connect`, `c2s`, `s2c`), `raw` (the text). Acknowledgements and pongs are answered live and snapshots wait until the client has
    /// asked; the rest plays from the first subscription on, each channel once it is subscribed. After its end the
    /// connection stays.
    pub fn replay(mut self, file: impl Into<PathBuf>) -> Self {
        self.replay = Some(Source::File(file.into()));
        self
    }

    /// As [`replay`](Self::replay), from text.
    pub fn replay_text(mut self, text: impl Into<String>) -> Self {
        self.replay = Some(Source::Text(text.into()));
        self
    }

    /// How fast time goes: with [`replay`](Self::replay) in the recording, else for the whole sandbox, whose clock then
    /// begins with this machine's and runs ahead of it or falls behind. As no client can follow that, the times that
    /// clients send are not held against it, unless [`Sandbox::set_acceptance_window`] says how. Without effect on a
    /// clock that [`start_time`](Self::start_time) stops. Defaults to [`Speed::Real`].
    pub fn speed(mut self, speed: Speed) -> Self {
        self.settings.speed = speed;
        self
    }

    /// Time between the server's pings, rounded to milliseconds, at least one. Defaults to 15 s. After two unanswered
    /// ones in a row the session is ended when the third would be due.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.settings.ping_interval = millis(interval).max(1);
        self
    }

    /// How long the answer to a `depth-snapshot` takes. Defaults to 50 ms; the live exchange takes about one second.
    pub fn snapshot_delay(mut self, delay: Duration) -> Self {
        self.settings.snapshot_delay = millis(delay);
        self
    }

    /// What a client of the stream may leave unread before it is dropped, in bytes beyond what the system buffers; each
    /// message counts for some dozens more than it has. Defaults to 8 MiB.
    pub fn max_unread(mut self, bytes: usize) -> Self {
        self.max_unread = bytes;
        self
    }

    /// How much clients of the stream may do. Defaults to a thousand times what the exchange allows, which
    /// [`StreamLimits::reference`] gives.
    pub fn limits(mut self, limits: StreamLimits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Keeps the state in a file, and takes up what is in it: users with their keys, orders and their history,
    /// balances and what changed them, transfers, products that were added, and the time. With a file that is there
    /// the seed is that of its state, the clock does not begin before its time, and no user is added.
    ///
    /// The file is written once at the start, then whenever something has changed, about once a second, and at the
    /// end; in place of the old one at once, so that an end at any moment leaves one or the other. It is for its owner
    /// alone, as the keys follow from what is in it. No two sandboxes can share one.
    ///
    /// The market's own participants begin anew, at the prices of then: orders that rest where the price has gone
    /// since trade, bars and trades of before are made up again, and what the participants had won or lost they have
    /// won or lost still, so that each asset adds up.
    ///
    /// ```
    /// use bitmax::model::AccountCategory;
    /// use bitmax::sandbox::{OrderRequest, Sandbox};
    /// # let file = std::env::temp_dir().join(format!("bitmax-state-{}", std::process::id()));
    /// # let path = || file.clone();
    /// let sandbox = Sandbox::builder().state(path()).start()?;
    /// let order = sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit(10_000))?;
    /// drop(sandbox);
    /// let sandbox = Sandbox::builder().state(path()).start()?;
    /// assert_eq!(sandbox.user().open_orders(AccountCategory::Cash)[0].id, order);
    /// # drop(sandbox);
    /// # std::fs::remove_file(file).ok();
    /// # Ok::<(), bitmax::sandbox::SandboxError>(())
    /// ```
    pub fn state(mut self, file: impl Into<PathBuf>) -> Self {
        self.state = Some(file.into());
        self
    }

    /// Starts the sandbox.
    ///
    /// # Errors
    /// [`SandboxError`] when a state is damaged or cannot be written, the port is taken, a recording is missing or damaged, or a setting is out of range.
    pub fn start(mut self) -> Result<Sandbox, SandboxError> {
        let invalid = |problem| Err(SandboxError::InvalidSetting { field: "speed", problem });
        let mut speed = 1.0;
        match self.settings.speed {
            Speed::Times(factor) if !(factor.is_finite() && factor > 0.0) => {
                return invalid("must be a number above zero");
            }
            Speed::Max if self.replay.is_none() => return invalid("can be `Max` for a recording only"),
            Speed::Times(factor) if self.replay.is_none() && self.start_time.is_none() => {
                (speed, self.settings.acceptance_window) = (factor, u64::MAX);
            }
            Speed::Times(_) | Speed::Real | Speed::Max => {}
        }
        self.settings.recording = match self.replay {
            None => None,
            Some(source) => Some(Arc::new(load(source)?)),
        };
        let clock = self.start_time.map_or_else(|| Clock::wall(speed), Clock::stopped);
        let kept = match &self.state {
            Some(path) => State::load(path)?.map(|state| (path, state)),
            None => None,
        };
        let is_new = kept.is_none();
        let exchange = match kept {
            None => Exchange::new(self.settings, clock.now()),
            Some((path, state)) => {
                self.settings.seed = state.seed;
                clock.advance(state.now.saturating_sub(clock.now()));
                Exchange::restore(self.settings, state, clock.now()).map_err(|reason| state::invalid(path, reason))?
            }
        };
        let server = Server::start(self.port, exchange, clock, self.max_unread)?;
        let user = match is_new {
            true => User::add(server.desk(), UserOptions::new()),
            false => User::first(server.desk()),
        };
        if is_new {
            user::endow(&user)?;
        }
        let keeper = self.state.map(|path| Keeper::start(path, server.desk())).transpose()?;
        Ok(Sandbox { server, user, _keeper: keeper })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn load(source: Source) -> Result<Recording, SandboxError> {
    let session = match source {
        Source::Text(text) => crate::Recording::parse(&text),
        Source::File(path) => crate::Recording::open(path),
    };
    let session = session?;
    if let Some(line) = session.cut_off() {
        log::warn!("the recording is cut off in line {line}, which is left out");
    }
    Ok(Recording::new(&session))
}

impl From<RecordingError> for SandboxError {
    fn from(e: RecordingError) -> Self {
        match e {
            RecordingError::Read { path, source } | RecordingError::Write { path, source } => {
                Self::ReadRecording { path, source }
            }
            RecordingError::Invalid { path, line, reason } => {
                let reason = line.map_or(reason.clone(), |line| format!("line {line}: {reason}"));
                Self::InvalidRecording { path, reason }
            }
        }
    }
}

/// A running exchange on loopback. Dropping it ends all its connections and threads and frees the port.
#[derive(Debug)]
pub struct Sandbox {
    server: Server,
    user: User,
    // After the server, so that what it writes last is all that was.
    _keeper: Option<Keeper>,
}

impl Sandbox {
    /// Starts a sandbox with every setting at its default.
    ///
    /// # Errors
    /// As [`SandboxBuilder::start`].
    pub fn start() -> Result<Self, SandboxError> {
        Self::builder().start()
    }

    /// Settings for a sandbox, each at its default.
    pub fn builder() -> SandboxBuilder {
        let settings = Settings {
            seed: 1,
            quiet: false,
            recording: None,
            speed: Speed::default(),
            ping_interval: 15_000,
            snapshot_delay: 50,
            acceptance_window: accounts::ACCEPTANCE_WINDOW,
            unknown_order: UnknownOrder::default(),
            limits: StreamLimits::default(),
        };
        SandboxBuilder { port: 0, start_time: None, replay: None, state: None, max_unread: 8 * 1024 * 1024, settings }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Where REST and the stream are.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::loopback(self.port())
    }

    /// The base address of REST, such as `http://127.0.0.1:40123`.
    pub fn rest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The base address of the stream, such as `ws://127.0.0.1:40123`.
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port())
    }

    /// The sandbox's clock, UTC milliseconds.
    pub fn now(&self) -> u64 {
        self.server.now()
    }

    /// Moves the sandbox's clock forward and does everything that becomes due on the way, in its order and at its
    /// time, before it returns. What is due to be sent has then been handed to each connection's writer.
    ///
    /// The market lives through up to an hour, in the same steps as always: many small advances and one large come to
    /// the same. Through more at once it leaps: it wakes up with the prices of then, and on the way nothing was traded.
    /// So it does when a clock that runs by itself is found to be a minute ahead, as after this machine has slept.
    pub fn advance(&self, by: Duration) {
        self.server.advance(millis(by));
    }
}
