//! Orders to place and to cancel: each type of order with the settings that it allows, checked before anything is sent.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::de;
use crate::decimal::{ToDecimal, positive};
use crate::error::InvalidInput;
use crate::model::{Order, OrderType, Side};
use crate::order_id::ClientOrderId;
use crate::symbol::{OrderId, Symbol};

/// Declares a closed enumeration of requests with the wire's names, which are read in any case.
macro_rules! setting {
    ($(#[$doc:meta])* $name:ident, $field:literal, $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// The setting as the wire spells it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = InvalidInput;
            fn from_str(text: &str) -> Result<Self, InvalidInput> {
                [$(Self::$variant),+]
                    .into_iter()
                    .find(|setting| text.eq_ignore_ascii_case(setting.as_str()))
                    .ok_or_else(|| InvalidInput::new($field, format!("{text:?} is none of {}", [$($text),+].join(", "))))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

setting! {
    /// How long a limit order stands (`timeInForce`).
    TimeInForce, "timeInForce",
    /// Good till cancelled.
    Gtc = "GTC",
    /// Immediate or cancel: what does not trade at once is cancelled.
    Ioc = "IOC",
    /// Fill or kill: it trades whole and at once, or not at all.
    Fok = "FOK",
}

setting! {
    /// What the answer to an order waits for (`respInst`).
    Respond, "respInst",
    /// The order is taken for processing.
    Ack = "ACK",
    /// The matching engine has taken it.
    Accept = "ACCEPT",
    /// The matching engine has traded, cancelled or rejected it, wholly or in part.
    Done = "DONE",
}

/// An order to place. Each type of order has its own way to begin one, which asks for what the type needs.
///
/// ```
/// use bitmax::{NewOrder, Respond};
/// use bitmax::model::Side;
/// let limit = NewOrder::limit("BTC/USDT", Side::Buy, "0.001", 50_000)?.post_only();
/// let market = NewOrder::market("BTC/USDT", Side::Sell, "0.001")?.respond(Respond::Done);
/// let stop = NewOrder::stop_limit("BTC/USDT", Side::Sell, "0.001", "48000", "48100")?;
/// assert!(NewOrder::market("BTC/USDT", Side::Buy, "-1").is_err());
/// # Ok::<(), bitmax::InvalidInput>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an order does nothing until it is placed"]
pub struct NewOrder {
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) quantity: Decimal,
    pub(crate) price: Option<Decimal>,
    pub(crate) stop_price: Option<Decimal>,
    post_only: bool,
    time_in_force: Option<TimeInForce>,
    respond: Option<Respond>,
    id: Option<ClientOrderId>,
    time: Option<u64>,
}

impl NewOrder {
    /// Trades at its price (`orderPrice`, in the quote asset) or better, up to its quantity (`orderQty`, in the base
    /// asset), and stands until it has.
    ///
    /// # Errors
    /// [`InvalidInput`] naming `symbol`, `side`, `orderQty` or `orderPrice`: a symbol or a number that is not well
    /// formed, a side that is not known, a quantity or a price that is not more than zero.
    pub fn limit<S>(
        symbol: S,
        side: Side,
        quantity: impl ToDecimal,
        price: impl ToDecimal,
    ) -> Result<LimitOrder, InvalidInput>
    where
        S: TryInto<Symbol>,
        InvalidInput: From<S::Error>,
    {
        let order = Self::begin(symbol, side, OrderType::Limit, quantity)?;
        Ok(LimitOrder(Self { price: Some(positive("orderPrice", price)?), ..order }))
    }

    /// Trades at once at what price there is, up to its quantity (`orderQty`, in the base asset).
    ///
    /// # Errors
    /// As for [`limit`](Self::limit).
    pub fn market<S>(symbol: S, side: Side, quantity: impl ToDecimal) -> Result<Self, InvalidInput>
    where
        S: TryInto<Symbol>,
        InvalidInput: From<S::Error>,
    {
        Self::begin(symbol, side, OrderType::Market, quantity)
    }

    /// Becomes a limit order (`orderQty`, `orderPrice`) when the market reaches its stop price (`stopPrice`, in the
    /// quote asset).
    ///
    /// # Errors
    /// As for [`limit`](Self::limit), and naming `stopPrice`.
    pub fn stop_limit<S>(
        symbol: S,
        side: Side,
        quantity: impl ToDecimal,
        price: impl ToDecimal,
        stop_price: impl ToDecimal,
    ) -> Result<Self, InvalidInput>
    where
        S: TryInto<Symbol>,
        InvalidInput: From<S::Error>,
    {
        let order = Self::begin(symbol, side, OrderType::StopLimit, quantity)?;
        let price = Some(positive("orderPrice", price)?);
        Ok(Self { price, stop_price: Some(positive("stopPrice", stop_price)?), ..order })
    }

    /// Becomes a market order (`orderQty`) when the market reaches its stop price (`stopPrice`, in the quote asset).
    ///
    /// # Errors
    /// As for [`limit`](Self::limit), and naming `stopPrice`.
    pub fn stop_market<S>(
        symbol: S,
        side: Side,
        quantity: impl ToDecimal,
        stop_price: impl ToDecimal,
    ) -> Result<Self, InvalidInput>
    where
        S: TryInto<Symbol>,
        InvalidInput: From<S::Error>,
    {
        let order = Self::begin(symbol, side, OrderType::StopMarket, quantity)?;
        Ok(Self { stop_price: Some(positive("stopPrice", stop_price)?), ..order })
    }

    fn begin<S>(symbol: S, side: Side, order_type: OrderType, quantity: impl ToDecimal) -> Result<Self, InvalidInput>
    where
        S: TryInto<Symbol>,
        InvalidInput: From<S::Error>,
    {
        let symbol = symbol.try_into()?;
        side_name(&side)?;
        let quantity = positive("orderQty", quantity)?;
        Ok(Self {
            symbol,
            side,
            order_type,
            quantity,
            price: None,
            stop_price: None,
            post_only: false,
            time_in_force: None,
            respond: None,
            id: None,
            time: None,
        })
    }

    /// What the answer waits for (`respInst`). Defaults to [`Respond::Ack`].
    pub fn respond(mut self, respond: Respond) -> Self {
        self.respond = Some(respond);
        self
    }

    /// The client's id (`id`). Defaults to 32 letters and digits drawn at random when the order is sent.
    pub fn id(mut self, id: ClientOrderId) -> Self {
        self.id = Some(id);
        self
    }

    /// The order's time, UTC milliseconds (`time`): the exchange does not process an order whose time is more than 30
    /// seconds old. Defaults to the time at which the order is sent.
    pub fn time(mut self, millis: u64) -> Self {
        self.time = Some(millis);
        self
    }

    /// The prices that it has, with the names of their fields.
    pub(crate) fn prices(&self) -> impl Iterator<Item = (&'static str, Decimal)> {
        [("orderPrice", self.price), ("stopPrice", self.stop_price)]
            .into_iter()
            .filter_map(|(field, price)| Some((field, price?)))
    }

    /// The client's id, where one was given.
    pub(crate) fn client_id(&self) -> Option<ClientOrderId> {
        self.id
    }

    /// Whether its settings go together.
    pub(crate) fn check(&self) -> Result<(), InvalidInput> {
        if self.post_only && matches!(self.time_in_force, Some(TimeInForce::Ioc | TimeInForce::Fok)) {
            return Err(InvalidInput::new("timeInForce", "a post-only order stands; it cannot trade at once"));
        }
        Ok(())
    }

    /// The order as it is sent now.
    pub(crate) fn stamp(&self, now: u64) -> Result<OrderBody, InvalidInput> {
        self.check()?;
        Ok(OrderBody {
            id: id_or_random(self.id)?,
            time: self.time.unwrap_or(now),
            symbol: self.symbol,
            order_price: self.price,
            order_qty: self.quantity,
            order_type: type_name(&self.order_type)?,
            side: side_name(&self.side)?,
            stop_price: self.stop_price,
            post_only: self.post_only,
            time_in_force: self.time_in_force,
            resp_inst: self.respond,
        })
    }
}

/// A limit order, which has more settings than the others. From [`NewOrder::limit`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an order does nothing until it is placed"]
pub struct LimitOrder(NewOrder);

impl LimitOrder {
    /// It never takes: where it would trade at once it is rejected (`postOnly`).
    pub fn post_only(mut self) -> Self {
        self.0.post_only = true;
        self
    }

    /// How long it stands (`timeInForce`). Defaults to [`TimeInForce::Gtc`].
    pub fn time_in_force(mut self, time_in_force: TimeInForce) -> Self {
        self.0.time_in_force = Some(time_in_force);
        self
    }

    /// As [`NewOrder::respond`].
    pub fn respond(self, respond: Respond) -> Self {
        Self(self.0.respond(respond))
    }

    /// As [`NewOrder::id`].
    pub fn id(self, id: ClientOrderId) -> Self {
        Self(self.0.id(id))
    }

    /// As [`NewOrder::time`].
    pub fn time(self, millis: u64) -> Self {
        Self(self.0.time(millis))
    }
}

impl AsRef<NewOrder> for NewOrder {
    fn as_ref(&self) -> &NewOrder {
        self
    }
}

impl AsRef<NewOrder> for LimitOrder {
    fn as_ref(&self) -> &NewOrder {
        &self.0
    }
}

impl From<LimitOrder> for NewOrder {
    fn from(order: LimitOrder) -> Self {
        order.0
    }
}

/// An order to cancel.
///
/// ```
/// let cancel = bitmax::CancelOrder::new("a16edbd9aefaU9490877774pPK3zuGGh", "BTC/USDT")?;
/// # Ok::<(), bitmax::InvalidInput>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a cancel does nothing until it is sent"]
pub struct CancelOrder {
    order_id: OrderId,
    symbol: Symbol,
    id: Option<ClientOrderId>,
    time: Option<u64>,
}

impl CancelOrder {
    /// Cancels the order with this id of the server (`orderId`) on this product (`symbol`).
    ///
    /// # Errors
    /// [`InvalidInput`] naming `orderId` or `symbol` when it is not well formed.
    pub fn new<O, S>(order_id: O, symbol: S) -> Result<Self, InvalidInput>
    where
        O: TryInto<OrderId>,
        S: TryInto<Symbol>,
        InvalidInput: From<O::Error> + From<S::Error>,
    {
        Ok(Self { order_id: order_id.try_into()?, symbol: symbol.try_into()?, id: None, time: None })
    }

    /// The id of the cancel itself (`id`). Defaults to 32 letters and digits drawn at random when it is sent.
    pub fn id(mut self, id: ClientOrderId) -> Self {
        self.id = Some(id);
        self
    }

    /// The cancel's time, UTC milliseconds (`time`). Defaults to the time at which it is sent.
    pub fn time(mut self, millis: u64) -> Self {
        self.time = Some(millis);
        self
    }

    /// The server's id of the order.
    pub(crate) fn order_id(&self) -> OrderId {
        self.order_id
    }

    /// The cancel as it is sent now.
    pub(crate) fn stamp(&self, now: u64) -> Result<CancelBody, InvalidInput> {
        Ok(CancelBody {
            id: id_or_random(self.id)?,
            order_id: self.order_id,
            symbol: self.symbol,
            time: self.time.unwrap_or(now),
        })
    }
}

impl From<&Order> for CancelOrder {
    fn from(order: &Order) -> Self {
        Self { order_id: order.order_id, symbol: order.symbol, id: None, time: None }
    }
}

/// An order on its way, with its id and time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderBody {
    id: ClientOrderId,
    time: u64,
    symbol: Symbol,
    #[serde(with = "de::maybe_decimal", skip_serializing_if = "Option::is_none")]
    order_price: Option<Decimal>,
    #[serde(with = "de::decimal")]
    order_qty: Decimal,
    order_type: &'static str,
    side: &'static str,
    #[serde(with = "de::maybe_decimal", skip_serializing_if = "Option::is_none")]
    stop_price: Option<Decimal>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    post_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_in_force: Option<TimeInForce>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resp_inst: Option<Respond>,
}

/// A cancel on its way, with its id and time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelBody {
    id: ClientOrderId,
    order_id: OrderId,
    symbol: Symbol,
    time: u64,
}

impl OrderBody {
    /// The client's id.
    pub(crate) fn id(&self) -> ClientOrderId {
        self.id
    }

    /// UTC milliseconds.
    pub(crate) fn time(&self) -> u64 {
        self.time
    }
}

impl CancelBody {
    /// The client's id of the cancel.
    pub(crate) fn id(&self) -> ClientOrderId {
        self.id
    }
}

fn id_or_random(id: Option<ClientOrderId>) -> Result<ClientOrderId, InvalidInput> {
    id.map_or_else(ClientOrderId::random, Ok)
}

/// A side as requests spell it; answers write it with a capital.
pub(crate) fn side_name(side: &Side) -> Result<&'static str, InvalidInput> {
    match side {
        Side::Buy => Ok("buy"),
        Side::Sell => Ok("sell"),
        Side::Other(text) => Err(InvalidInput::new("side", format!("{text:?} is not buy or sell"))),
    }
}

/// A type of order as requests spell it; answers write it with capitals.
pub(crate) fn type_name(order_type: &OrderType) -> Result<&'static str, InvalidInput> {
    match order_type {
        OrderType::Market => Ok("market"),
        OrderType::Limit => Ok("limit"),
        OrderType::StopMarket => Ok("stop_market"),
        OrderType::StopLimit => Ok("stop_limit"),
        OrderType::Other(text) => Err(InvalidInput::new("orderType", format!("{text:?} is not known"))),
    }
}
