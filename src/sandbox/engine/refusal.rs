//! Why a command is refused, with the reference's codes.

use std::fmt;

use super::account::Category;

/// Why the engine refused a command. A refused command changed nothing and caused no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No such product.
    UnknownProduct,
    /// The product is not traded on margin.
    NotMarginTradable,
    /// The product is halted (`NoTrading`).
    TradingDisabled,
    /// The product is traded by internal users only (`InternalTrading`).
    TradingRestricted,
    /// A price or stop price that the order type needs is missing, not above zero or absurdly large.
    InvalidPrice,
    /// A price or stop price is no multiple of the tick size.
    TickSizeViolation,
    /// The quantity is not above zero, no multiple of the lot size, or outside of the product's limits.
    InvalidQty,
    /// Price times quantity is outside of the product's limits.
    InvalidNotional,
    /// Fields that do not go together: post-only on anything but a `GTC` limit order.
    InvalidParameter,
    /// Too little available in a cash account.
    InvalidBalance,
    /// Too little available in a margin account.
    InvalidMarginBalance,
    /// A market order that meets an empty book.
    NoMarketPrice,
    /// The account has as many open orders as it may have.
    TooManyOrders,
    /// The order id is known already: on the wire code 0 and `errorCode` `DupNewCoid`.
    DupNewCoid,
    /// The account has no order of this id.
    UnknownOrder,
    /// The order to cancel is not open any more.
    NotOpen,
    /// No such user.
    UnknownAccount,
    /// An amount to move that is not above zero, has more than 12 digits after the point, or is absurdly large.
    InvalidAmount,
}

impl Refusal {
    /// Too little available in an account of this kind.
    pub(super) fn balance(category: Category) -> Self {
        match category {
            Category::Cash => Self::InvalidBalance,
            Category::Margin => Self::InvalidMarginBalance,
        }
    }

    /// The reference's `code`; 0 for `DupNewCoid`, which goes into `errorCode`.
    pub fn code(self) -> u32 {
        self.row().0
    }

    /// The reference's `reason`.
    pub fn reason(self) -> &'static str {
        self.row().1
    }

    /// The `message` for people.
    pub fn message(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (u32, &'static str, &'static str) {
        match self {
            Self::UnknownProduct => (300_012, "INVALID_PRODUCT", "No such product"),
            Self::NotMarginTradable => (300_012, "INVALID_PRODUCT", "The product is not traded on margin"),
            Self::TradingDisabled => (300_021, "TRADING_DISABLED", "The product is halted"),
            Self::TradingRestricted => (300_020, "TRADING_RESTRICTED", "The product is traded internally only"),
            Self::InvalidPrice => (300_001, "INVALID_PRICE", "Invalid price or stop price"),
            Self::TickSizeViolation => (300_014, "TICK_SIZE_VIOLATION", "The price is no multiple of the tick size"),
            Self::InvalidQty => {
                (300_002, "INVALID_QTY", "The quantity is no multiple of the lot size or out of the product's limits")
            }
            Self::InvalidNotional => (300_004, "INVALID_NOTIONAL", "The notional is out of the product's limits"),
            Self::InvalidParameter => (300_008, "INVALID_ORDER_PARAMETER", "Post-only is for GTC limit orders"),
            Self::InvalidBalance => (300_011, "INVALID_BALANCE", "Not Enough Account Balance"),
            Self::InvalidMarginBalance => (310_001, "INVALID_MARGIN_BALANCE", "Not Enough Margin Balance"),
            Self::NoMarketPrice => (300_031, "NO_MARKET_PRICE", "No market price: the book is empty"),
            Self::TooManyOrders => (300_009, "TRADING_VIOLATION", "Too many open orders"),
            Self::DupNewCoid => (0, "DupNewCoid", "Duplicate order id"),
            Self::UnknownOrder => (300_006, "INVALID_ORDER_ID", "No such order"),
            Self::NotOpen => (300_019, "ORDER_NOT_OPEN", "The order is not open"),
            Self::UnknownAccount => (200_003, "ACCOUNT_NOT_FOUND", "No such account"),
            Self::InvalidAmount => (100_006, "INVALID_ARGUMENT", "Invalid amount"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code(), self.reason(), self.message())
    }
}

impl std::error::Error for Refusal {}
