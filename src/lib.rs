//! A blocking client for the BitMax (AscendEX) Pro API.

mod code;
mod de;
mod decimal;
mod error;
mod label;
pub mod model;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod symbol;
mod text;

pub use code::{Code, CodeGroup};
pub use decimal::{DecimalError, parse_decimal};
pub use error::{DecodeError, Error, HttpError, InvalidInput, Phase, Refusal, Result, Timeout, TransportError};
pub use rust_decimal::Decimal;
pub use symbol::{Asset, OrderId, Symbol};
