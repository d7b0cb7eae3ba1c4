//! A blocking client for the BitMax (AscendEX) Pro API.

mod client;
mod code;
mod config;
mod de;
mod decimal;
mod error;
mod label;
pub mod model;
mod rest;
mod symbol;
mod text;
#[cfg(feature = "rustls")]
mod tls;

pub use client::Client;
pub use code::{Code, CodeGroup};
pub use config::{ClientBuilder, Endpoint};
pub use decimal::{DecimalError, parse_decimal};
pub use error::{DecodeError, Error, HttpError, InvalidInput, Phase, Refusal, Result, Timeout, TransportError};
pub use rest::{BarsIter, BarsQuery, Market};
pub use rust_decimal::Decimal;
pub use symbol::{Asset, OrderId, Symbol};
