//! A blocking client for the BitMax (AscendEX) Pro API: REST and WebSocket, typed, with exact decimals, without an
//! async runtime. And, with the feature `sandbox`, an exchange that speaks the same protocol in your process.
//!
//! What follows is a tour. Everything in it runs as it stands, on that exchange: nothing needs an account or a network.
//!
//! # A client, and REST
//!
//! A [`Client`] is made for an [`Endpoint`]: the public exchange by its name, or a sandbox; there is no default. It is
//! cheap to clone. Calls block, and answer with the nouns of [`model`].
//!
//! ```
//! use bitmax::model::{AccountCategory, BarInterval};
//! use bitmax::{BarsQuery, Client, sandbox::Sandbox};
//!
//! let sandbox = Sandbox::start()?; // or Endpoint::ASCENDEX below
//! let client = Client::builder(sandbox.endpoint())
//!     .credentials(sandbox.credentials()) // or Credentials::from_env()?; public data needs none
//!     .build()?;
//!
//! let ticker = client.market().ticker("BTC/USDT")?;
//! let bars = client.market().bars(&BarsQuery::new("BTC/USDT", BarInterval::Hour1)?.n(24))?;
//! println!("{} now, {} bars", ticker.close, bars.len());
//!
//! let account = client.account(AccountCategory::Cash)?; // learns the account group, once
//! if let Some(usdt) = account.balance("USDT")? {
//!     println!("{} USDT, {} of them free", usdt.total_balance, usdt.available_balance);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Public data is asked of [`Market`]; orders, balances and their history of [`Account`]; deposits of [`Wallet`]; the rest
//! of the [`Client`]. Lists of independent rows come as [`Rows`](model::Rows): a row that cannot be read does not cost the
//! others. **Money** is [`Decimal`], read from the digits of the text and never rounded, and is given as text, integers
//! or [`Decimal`]; a float is not taken. Sequence numbers have 64 bits, times are UTC milliseconds.
//!
//! # An order
//!
//! [`NewOrder`] has one function for each type of order, and each takes only what that type has. Once the product's
//! [`Rules`] are loaded, an order that breaks them is refused before it is sent, and [`Rules::fit`] says what would do.
//!
//! ```
//! # use bitmax::{Client, sandbox::Sandbox};
//! # let sandbox = Sandbox::start()?;
//! # let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build()?;
//! use bitmax::model::{AccountCategory, Side};
//! use bitmax::{CancelOrder, NewOrder};
//!
//! let account = client.account(AccountCategory::Cash)?;
//! let rules = account.load_rules()?;
//! let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.0123456789", "30000.001")?.post_only();
//! assert!(account.place(&order).is_err()); // off the tick and off the lot: not sent
//!
//! let order = rules.fit(&order)?.order;
//! if let Some(id) = account.place(&order)?.info.order_id() {
//!     println!("{:?}", account.order(id)?.map(|order| order.status));
//!     account.cancel(&CancelOrder::new(id, "BTC/USDT")?)?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The stream
//!
//! A [`Stream`] is one socket with one thread, which delivers an [`Event`] after another through a channel. It keeps the
//! connection alive, makes it anew when it breaks, authenticates and subscribes again; each step is told, and so is what
//! cannot be read. Orders and questions go over it too ([`StreamHandle::place`]), each with an answer of its own.
//!
//! ```
//! # use bitmax::{Client, sandbox::Sandbox};
//! # let sandbox = Sandbox::start()?;
//! # let client = Client::builder(sandbox.endpoint()).build()?;
//! use bitmax::{Channel, Event};
//!
//! let stream = client
//!     .stream()
//!     .subscribe(Channel::bbo(["BTC/USDT", "ETH/USDT"]))
//!     .subscribe(Channel::trades(["BTC/USDT"]))
//!     .connect()?;
//! for event in stream.iter().take(10) {
//!     match event {
//!         Event::Bbo(bbo) => println!("{} {:?} {:?}", bbo.symbol, bbo.bid, bbo.ask),
//!         Event::Trades(trades) => println!("{} trades of {}", trades.trades.len(), trades.symbol),
//!         Event::Disconnected(outage) => println!("{}; again in {:?}", outage.error, outage.retry_in),
//!         Event::Lagged(lag) => println!("read too slowly, and lost {:?}", lag.dropped),
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What concerns an account is never dropped; market data is, for a program that does not read, and [`Event::Lagged`] says
//! how much. A [`Recorder`] writes all that a stream sends and receives, and [`StreamBuilder::replay`] plays it again to
//! the same program.
//!
//! # A book
//!
//! A [`Book`] is kept by the stream's thread, from the snapshot and the changes that follow it, and read from any other.
//! It is either true or says that it is not: after a gap it is empty until the new snapshot is in. An [`OrderBook`] is the
//! same without a stream, for messages that come from elsewhere.
//!
//! ```
//! # use bitmax::{Client, sandbox::Sandbox};
//! # let sandbox = Sandbox::start()?;
//! # let client = Client::builder(sandbox.endpoint()).build()?;
//! use std::time::Duration;
//!
//! let stream = client.stream().connect()?;
//! let mut book = stream.book("BTC/USDT")?;
//! if book.wait_live(Duration::from_secs(10))? {
//!     let top = book.top(5); // a copy, all of one moment
//!     println!("{:?} between {:?} and {:?}", top.spread(), top.best_bid(), top.best_ask());
//!     println!("0.5 BTC cost {:?} each", top.asks().vwap("0.5".parse()?));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A tracker
//!
//! A [`Tracker`] keeps an account's orders and balances true across broken connections. It knows an order from the moment it is
//! sent, tells every [`Transition`] once, and asks the exchange for what it missed while there was no connection.
//! [`TrackerHandle::stop`] and the guard [`CancelOnDrop`] leave nothing open.
//!
//! ```
//! # use bitmax::{Client, sandbox::Sandbox};
//! # let sandbox = Sandbox::start()?;
//! # let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build()?;
//! use std::time::Duration;
//! use bitmax::model::{AccountCategory, Side};
//! use bitmax::{NewOrder, TrackerEvent};
//!
//! let tracker = client.stream().track(AccountCategory::Cash)?;
//! assert!(tracker.wait_live(Duration::from_secs(10)));
//! tracker.place(&NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "60000")?)?;
//! for event in &tracker {
//!     let TrackerEvent::Order(transition) = event else { continue };
//!     println!("{:?}, {:?}", transition.order.stage, transition.fill);
//!     if transition.order.stage.is_open() || transition.order.stage.is_ended() {
//!         break;
//!     }
//! }
//! assert!(tracker.stop(Duration::from_secs(10)).is_clean());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What goes wrong
//!
//! Every failure is an [`Error`], which says whether the exchange may have acted ([`Error::may_have_executed`]) and
//! whether asking again can help ([`Error::is_retryable`]). Bad input is refused before anything is sent. An order whose
//! answer is lost must not be sent twice: [`Account::place_settled`] finds out what became of it, by its id, which is known
//! beforehand.
//!
//! ```
//! # use bitmax::{Client, sandbox::Sandbox};
//! # let sandbox = Sandbox::start()?;
//! # let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build()?;
//! use bitmax::model::{AccountCategory, Side};
//! use bitmax::{Error, NewOrder};
//!
//! let account = client.account(AccountCategory::Cash)?;
//! let order = NewOrder::limit("BTC/USDT", Side::Buy, "1000", "30000")?;
//! match account.place(&order) {
//!     Ok(answer) => println!("{:?}", answer.info.order_id()),
//!     Err(Error::Refused(refusal)) => println!("not placed: {} {refusal}", refusal.code), // not enough money
//!     Err(error) if error.may_have_executed() => println!("ask before it is sent again: {error}"),
//!     Err(error) => println!("certainly not placed: {error}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The sandbox in tests
//!
//! A [`Sandbox`](sandbox/struct.Sandbox.html) listens on a port of its own and is gone when it is dropped: a test starts one, and tests run
//! beside each other. Its market is drawn from a seed; its clock can be made to stand until it is moved; and what can go
//! wrong on the way is put there by a rule.
//!
//! ```
//! use std::time::Duration;
//! use bitmax::{Client, sandbox::{Fault, Reply, Sandbox}};
//!
//! let sandbox = Sandbox::builder().seed(7).start_time(1_700_000_000_000).start()?;
//! let client = Client::builder(sandbox.endpoint()).build()?;
//! sandbox.advance(Duration::from_secs(600)); // ten minutes of trading
//! let busy = sandbox.inject(Fault::Refuse(Reply::new(503)).at("GET */spot/ticker").times(2));
//! println!("{}", client.market().ticker("BTC/USDT")?.close); // asked three times by itself
//! assert_eq!(busy.hits(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads
//!
//! [`Client`], [`StreamHandle`] and [`TrackerHandle`] are cheap to clone and shared among threads; a [`Stream`] and a
//! [`Tracker`] have events for one reader, in whichever thread that is. REST calls have no thread: the caller waits. A
//! stream has one, which sleeps until something is to be done; a tracker has two beside its stream's, one for its events
//! and one for what it asks by REST. Dropping a stream ends its thread and closes the socket.
//!
//! ```
//! # use bitmax::{Channel, Client, Event, sandbox::Sandbox};
//! # let sandbox = Sandbox::start()?;
//! # let client = Client::builder(sandbox.endpoint()).build()?;
//! let stream = client.stream().subscribe(Channel::bbo(["BTC/USDT"])).connect()?;
//! let handle = stream.handle();
//! let reader = std::thread::spawn(move || stream.iter().filter(|event| matches!(event, Event::Bbo(_))).count());
//! let trades = handle.market_trades("BTC/USDT", 10)?; // its answer comes here, the events go there
//! println!("{} trades", trades.trades.len());
//! handle.close(); // the reader's loop ends
//! println!("{:?} quotes", reader.join().ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! The exchange counts what it is asked, and ignores or bans who asks too often. A stream keeps below the first level of
//! its figures by itself ([`MessageLimits`]): what the stream says of its own accord waits, and a request fails with
//! [`Error::RateLimited`], or waits too if it [is to](StreamBuilder::wait_when_limited). REST has one such count, for the
//! details of balances: see [`WhenLimited`]. Time-outs, retries, sizes and queues have bounds too, each a setting with its
//! default in its documentation: [`ClientBuilder`], [`StreamBuilder`].
//!
//! ```
//! # use bitmax::sandbox::Sandbox;
//! # let sandbox = Sandbox::start()?;
//! use std::time::Duration;
//! use bitmax::{Client, Error, MessageLimits};
//!
//! let client = Client::builder(sandbox.endpoint()).call_timeout(Duration::from_secs(3)).build()?;
//! let mut limits = MessageLimits::from(&client.market().risk_limits(None)?); // those in force
//! limits.requests = 1;
//! let stream = client.stream().limits(limits).connect()?;
//! stream.market_trades("BTC/USDT", 1)?;
//! assert!(matches!(stream.market_trades("BTC/USDT", 1), Err(Error::RateLimited(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | default | what |
//! | --- | --- | --- |
//! | `rustls` | yes | `https` and `wss` |
//! | `sandbox` | no | the exchange in the process |
//!
//! # Logs
//!
//! What happens is told through [`log`]; no key, secret or signature is among it. Two of the crates below this one
//! print raw bytes at the level `trace` (`tungstenite` and `ureq_proto`): keep them at `info` where that matters.

mod book;
mod client;
mod clock;
mod code;
mod config;
mod credentials;
mod date;
mod de;
mod decimal;
mod error;
mod label;
pub mod model;
mod order;
mod order_answer;
mod order_id;
mod pace;
mod recording;
mod rest;
mod rules;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod settle;
mod sign;
mod symbol;
mod text;
#[cfg(feature = "rustls")]
mod tls;
mod tracker;
mod ws;

pub use book::{BookChange, BookStatus, Levels, OrderBook, StaleReason};
pub use client::Client;
pub use code::{Code, CodeGroup};
pub use config::{ClientBuilder, Endpoint, WhenLimited};
pub use credentials::Credentials;
pub use date::Date;
pub use decimal::{DecimalError, ToDecimal, parse_decimal};
pub use error::{
    CloseFrame, DecodeError, Error, HttpError, InvalidInput, Phase, Refusal, RefusedOrder, Result, Timeout,
    TransportError,
};
pub use order::{CancelOrder, LimitOrder, NewOrder, Respond, TimeInForce};
pub use order_id::{ClientOrderId, OrderSource, order_id};
pub use recording::{Recorded, Recorder, RecorderBuilder, Recording, RecordingError};
pub use rest::{
    Account, BalanceQuery, BarsIter, BarsQuery, Ledger, LedgerEntry, Market, OrderHistoryIter, OrderHistoryQuery,
    OrderHistoryV1Query, RecentOrdersQuery, SubuserTransfer, SubuserTransfersQuery, Wallet, WalletQuery,
};
pub use rules::{Change, Criterion, Fitted, Required, Rules, Violation};
pub use rust_decimal::Decimal;
pub use settle::{Settled, SettledCancel};
pub use sign::Signature;
pub use symbol::{Asset, OrderId, Symbol};
pub use tracker::{
    AccountSnapshot, BalanceChange, CancelOnDrop, Contradiction, ContradictionKind, Fill, OrderStage, Placing,
    RepairFailed, Stopped, TrackedBalance, TrackedOrder, Tracker, TrackerEvent, TrackerHandle, Transition,
};
pub use ws::wire::{AuthAck, Message, Refused, RequestAnswer, SubAck};
pub use ws::{
    Authentication, Book, Channel, CloseReason, Direction, Event, Iter, Lag, MessageLimits, Outage, Reply, Stream,
    StreamBuilder, StreamHandle, StreamStats, SubscriptionFailed, Timed, Undecodable, Unknown,
};

// For the fuzz targets alone; no part of the crate's API.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz {
    #[cfg(feature = "sandbox")]
    pub use crate::sandbox::Fuzzed as Sandbox;
    pub use crate::ws::fuzz_session as session;
}

/// The examples of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The pages of `docs/`, likewise.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../docs/coming-from.md")]
    struct ComingFrom;
    #[doc = include_str!("../docs/how-an-order-can-end.md")]
    struct HowAnOrderCanEnd;
    #[doc = include_str!("../docs/testing-your-bot.md")]
    struct TestingYourBot;
}
