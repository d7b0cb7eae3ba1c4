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
mod order;
mod order_answer;
mod order_id;
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
pub use decimal::{DecimalError, ToDecimal, parse_decimal};
pub use error::{
    CloseFrame, DecodeError, Error, HttpError, InvalidInput, Phase, Refusal, RefusedOrder, Result, Timeout,
    TransportError,
};
pub use order::{CancelOrder, LimitOrder, NewOrder, Respond, TimeInForce};
pub use order_id::{OrderSource, order_id};
pub use rest::{
    Account, BalanceQuery, BarsIter, BarsQuery, Ledger, LedgerEntry, Market, OrderHistoryIter, OrderHistoryQuery,
    OrderHistoryV1Query, RecentOrdersQuery, SubuserTransfer, SubuserTransfersQuery, Wallet, WalletQuery,
};
pub use rust_decimal::Decimal;
pub use symbol::{Asset, ClientOrderId, OrderId, Symbol};
pub use ws::wire::{AuthAck, Message, Refused, RequestAnswer, SubAck};
pub use ws::{
    Authentication, Channel, CloseReason, Direction, Event, Iter, Lag, MessageLimits, Outage, Reply, Stream,
    StreamBuilder, StreamHandle, SubscriptionFailed, Timed, Undecodable, Unknown,
};
