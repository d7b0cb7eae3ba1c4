//! A blocking client for the BitMax (AscendEX) Pro API: REST and WebSocket, typed, with exact decimals, without an
//! async runtime. And, with the feature `sandbox`, an exchange that speaks the same protocol in your process.
//!
//! A [`Client`] is made for an [`Endpoint`]: the public exchange by its name, or a sandbox. It is cheap to clone and
//! shared among threads.
//!
//! ```
//! # #[cfg(feature = "sandbox")] {
//! use bitmax::{Client, sandbox::Sandbox};
//!
//! let sandbox = Sandbox::start()?;
//! let client = Client::builder(sandbox.endpoint()).build()?;
//! let ticker = client.market().ticker("BTC/USDT")?;
//! println!("{} between {:?} and {:?}", ticker.close, ticker.bid, ticker.ask);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **REST** calls block and answer with the nouns of [`model`]; see [`Market`]. Lists of independent rows come as
//! [`Rows`](model::Rows): a row that cannot be read does not cost the others.
//!
//! **The stream** is one socket with one thread, which delivers an [`Event`] after another: see [`Stream`]. It
//! keeps the connection alive, makes it anew when it breaks, and subscribes again; each step is told. What cannot be
//! read is an event too.
//!
//! **Recordings**: a [`Recorder`] writes what a stream sends and receives, and [`StreamBuilder::replay`] plays it again to
//! the same program, for back-tests as fast as it goes.
//!
//! **The book**: an [`OrderBook`] joins the snapshot and the changes that follow it, and is either true or says that it
//! is not. A [`Book`] is one that a stream keeps, for any thread to read: see [`StreamHandle::book`].
//!
//! **The account**: a [`Tracker`] keeps orders and balances true across broken connections, and knows an order from the
//! moment it is sent; [`stop`](TrackerHandle::stop) and [`CancelOnDrop`] leave nothing open.
//!
//! **Errors**: every failure is an [`Error`], which says whether the exchange may have acted
//! ([`Error::may_have_executed`]) and whether asking again can help ([`Error::is_retryable`]). What is refused here is
//! refused before anything is sent.
//!
//! **Money** is [`Decimal`], read from the digits of the text and never rounded; see [`parse_decimal`]. Sequence
//! numbers have 64 bits, times are UTC milliseconds.
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
