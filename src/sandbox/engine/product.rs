//! Products: what may be ordered, and what it costs.

use std::fmt;

use rust_decimal::Decimal;

use crate::{Asset, Symbol};

/// In which asset a product's commission is charged (`commissionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Commission {
    /// The base asset: on top of what is sold, out of what is bought.
    Base,
    /// The quote asset: on top of what is paid, out of what is received.
    Quote,
    /// The asset that the trade brings, out of it.
    Received,
}

/// Whether a product is traded (`statusCode`, `status`). Cancelling is always possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Trading.
    Normal,
    /// Halted: new orders are refused.
    NoTrading,
    /// Internal users only.
    InternalTrading,
}

/// A product as it is added.
#[derive(Debug, Clone)]
pub struct ProductSpec {
    /// Its name.
    pub symbol: Symbol,
    /// The asset bought and sold.
    pub base: Asset,
    /// The asset paid with.
    pub quote: Asset,
    /// Prices are multiples of this.
    pub tick_size: Decimal,
    /// Quantities are multiples of this.
    pub lot_size: Decimal,
    /// Least quantity of an order.
    pub min_qty: Decimal,
    /// Greatest quantity of an order.
    pub max_qty: Decimal,
    /// Least price × quantity of a limit order.
    pub min_notional: Decimal,
    /// Greatest price × quantity of a limit order.
    pub max_notional: Decimal,
    /// The asset of the commission.
    pub commission: Commission,
    /// What an order holds beyond its notional for the commission, as a share; not below the fees.
    pub reserve_rate: Decimal,
    /// Fee of the order that was on the book, as a share.
    pub maker_fee: Decimal,
    /// Fee of the order that came in, as a share.
    pub taker_fee: Decimal,
    /// Whether margin accounts may trade it.
    pub margin_tradable: bool,
    /// Whether it is traded.
    pub status: Status,
}

/// Why a product cannot be added: the field at fault and what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidProduct {
    /// The field of [`ProductSpec`].
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for InvalidProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for InvalidProduct {}
