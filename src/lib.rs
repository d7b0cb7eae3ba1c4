//! A blocking client for the BitMax (AscendEX) Pro API.

mod book;
mod client;
mod clock;
mod code;
mod config;
mod credentials;
mod de;
mod decimal;
mod error;
mod label;
pub mod model;
mod rest;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod sign;
mod symbol;
mod text;
#[cfg(feature = "rustls")]
mod tls;
mod ws;

pub use book::{BookChange, BookStatus, OrderBook, StaleReason};
pub use client::Client;
pub use code::{Code, CodeGroup};
pub use config::{ClientBuilder, Endpoint};
pub use credentials::Credentials;
pub use decimal::{DecimalError, parse_decimal};
pub use error::{
    CloseFrame, DecodeError, Error, HttpError, InvalidInput, Phase, Refusal, Result, Timeout, TransportError,
};
pub use rest::{BarsIter, BarsQuery, Market};
pub use rust_decimal::Decimal;
pub use symbol::{Asset, OrderId, Symbol};
pub use ws::wire::{AuthAck, Message, Refused, SubAck};
pub use ws::{
    Channel, CloseReason, Direction, Event, Iter, Lag, Outage, Stream, StreamBuilder, StreamHandle, SubscriptionFailed,
    Timed, Undecodable, Unknown,
};
