//! Orders: what is asked for, and what has become of it.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::account::AccountId;
use super::event::Fill;
use super::fixed::Fixed;
use crate::text::Text;
use crate::{Asset, OrderId, Symbol};

/// Declares a closed enumeration with the names that the reference's answers use.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// The name that the reference's answers use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )+};
}

names! {
    /// The side of an order (`side`, `sd`).
    Side {
        /// Buys the base asset.
        Buy = "Buy",
        /// Sells the base asset.
        Sell = "Sell",
    }
    /// The type of an order (`orderType`, `ot`).
    OrderType {
        /// Takes what is there, at any price.
        Market = "Market",
        /// Trades at its price or better.
        Limit = "Limit",
        /// Becomes a market order when a trade reaches its stop price.
        StopMarket = "StopMarket",
        /// Becomes a limit order when a trade reaches its stop price.
        StopLimit = "StopLimit",
    }
    /// How long a limit order stands (`timeInForce`).
    TimeInForce {
        /// Good till cancelled.
        Gtc = "GTC",
        /// Immediate or cancel: what does not trade at once is cancelled.
        Ioc = "IOC",
        /// Fill or kill: trades whole at once or not at all.
        Fok = "FOK",
    }
    /// What has become of an order (`status`, `st`).
    OrderStatus {
        /// A stop order whose stop price was not reached yet.
        PendingNew = "PendingNew",
        /// Taken by the engine, nothing traded.
        New = "New",
        /// Traded in part, the rest is open.
        PartiallyFilled = "PartiallyFilled",
        /// Traded whole.
        Filled = "Filled",
        /// Ended before it had traded whole.
        Canceled = "Canceled",
        /// Refused by the engine.
        Rejected = "Rejected",
    }
    /// Why the engine ended an order (`errorCode`, `err`). The reference names only the first; the others are ours.
    ErrorCode {
        /// A post-only order that would have traded at once.
        PostOnlyWouldTake = "PostOnlyWouldTake",
        /// It would have traded with an order of the same user.
        SelfTrade = "SelfTrade",
        /// A market order had used up the account's available balance.
        InsufficientBalance = "InsufficientBalance",
        /// A market order found an empty book.
        NoMarketPrice = "NoMarketPrice",
        /// An order of a batch was refused because of what its predecessors had changed.
        BatchRefused = "BatchRefused",
    }
}

impl Side {
    /// The other side.
    pub fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

impl OrderStatus {
    /// Whether the order can still trade or be cancelled.
    pub fn is_open(self) -> bool {
        matches!(self, Self::PendingNew | Self::New | Self::PartiallyFilled)
    }
}

/// The client's own id of an order (`id`): 2 to 32 letters, digits, `_` and `-`, neither beginning nor ending with `-`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(Text<32>);

impl ClientId {
    /// The id, or `None` where it is not well formed (300006 `INVALID_ORDER_ID`).
    pub fn new(text: &str) -> Option<Self> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let well_formed = text.len() >= 2
            && text.bytes().all(|b| word(b) || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        Text::new(text).filter(|_| well_formed).map(Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ClientId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ClientId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is no id of a client's")))
    }
}

/// An order to place. Fields that the type does not use are ignored (a market order's price, its time in force),
/// save post-only, which is refused on anything but a `GTC` limit order.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The server's id of the order.
    pub id: OrderId,
    /// The client's id, only echoed.
    pub client_id: Option<ClientId>,
    /// Whose order it is.
    pub account: AccountId,
    /// The product.
    pub symbol: Symbol,
    /// The side.
    pub side: Side,
    /// The type.
    pub order_type: OrderType,
    /// Quantity in the base asset.
    pub quantity: Decimal,
    /// Limit price in the quote asset; needed by `Limit` and `StopLimit`.
    pub price: Option<Decimal>,
    /// Stop price in the quote asset; needed by `StopMarket` and `StopLimit`.
    pub stop_price: Option<Decimal>,
    /// How long a limit order stands; other types ignore it.
    pub time_in_force: TimeInForce,
    /// Only rest, never take: for `GTC` limit orders.
    pub post_only: bool,
}

/// An order as the engine knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The server's id (`orderId`).
    pub id: OrderId,
    /// The client's id (`id`).
    pub client_id: Option<ClientId>,
    /// Whose order it is.
    pub account: AccountId,
    /// The product (`symbol`, `s`).
    pub symbol: Symbol,
    /// The side (`side`, `sd`).
    pub side: Side,
    /// The type (`orderType`, `ot`).
    pub order_type: OrderType,
    /// Time in force; `IOC` for market orders.
    pub time_in_force: TimeInForce,
    /// Post-only (`execInst`, `ei`: `Post`).
    pub post_only: bool,
    /// Limit price (`price`, `p`).
    pub price: Option<Fixed>,
    /// Stop price (`stopPrice`, `sp`).
    pub stop_price: Option<Fixed>,
    /// Quantity (`orderQty`, `q`).
    pub quantity: Fixed,
    /// Quantity traded so far (`cumFilledQty`, `cfq`).
    pub filled: Fixed,
    /// Amount of the quote asset traded so far.
    pub filled_notional: Fixed,
    /// Fees charged so far, in `fee_asset` (`cumFee`, `cf`). Positive: charged.
    pub fee: Fixed,
    /// The asset in which this order is charged (`feeAsset`, `fa`).
    pub fee_asset: Asset,
    /// Its last trade.
    pub last_fill: Option<Fill>,
    /// What has become of it (`status`, `st`).
    pub status: OrderStatus,
    /// Why the engine ended it (`errorCode`, `err`).
    pub error: Option<ErrorCode>,
    /// When it was placed, ms (`createTime`, `ct`).
    pub created: u64,
    /// When it last changed, ms (`lastExecTime`, `t`).
    pub updated: u64,
    /// The sequence number of its last update (`seqNum`, `sn`).
    pub sn: u64,
}

impl Order {
    /// Average price of what has traded, rounded to 12 digits after the point; zero before any trade (`avgPx`, `ap`).
    pub fn avg_price(&self) -> Fixed {
        let (notional, filled) = (self.filled_notional.units(), self.filled.units());
        if filled == 0 {
            return Fixed::ZERO;
        }
        // Digit by digit, as the scaled notional could exceed 128 bits; one more than is kept, to round by.
        let (mut price, mut rest) = (notional / filled, notional % filled);
        for _ in 0..=Fixed::SCALE {
            rest *= 10;
            price = price * 10 + rest / filled;
            rest %= filled;
        }
        Fixed::from_units((price + 5) / 10)
    }
}
