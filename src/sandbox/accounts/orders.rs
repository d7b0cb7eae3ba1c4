//! Placing and cancelling orders: a request to what has become of it.

use std::collections::HashSet;

use rust_decimal::Decimal;

use super::history::is_done;
use super::order_id::order_id;
use super::order_rows::{self, NONE};
use super::{Accounts, Fields, Source, UserIx};
use crate::sandbox::engine::{self, Category, Change, ClientId, Event, NewOrder, Order, OrderType, Side, TimeInForce};
use crate::sandbox::market::Market;
use crate::sandbox::wire::Refusal;
use crate::{Code, OrderId, Symbol};

/// Orders in one batch, at most.
const MAX_BATCH: usize = 10;

/// How much of an order's fate its answer is to tell (`respInst`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Respond {
    /// That it was received.
    #[default]
    Ack,
    /// That the engine has taken it.
    Accept,
    /// What has become of it.
    Done,
}

/// An order as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) client_id: Option<ClientId>,
    /// The client's time, UTC ms.
    pub(crate) time: u64,
    pub(crate) symbol: Symbol,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    pub(crate) quantity: Decimal,
    pub(crate) price: Option<Decimal>,
    pub(crate) stop_price: Option<Decimal>,
    pub(crate) time_in_force: TimeInForce,
    pub(crate) post_only: bool,
    pub(crate) respond: Respond,
}

/// A cancel as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cancel {
    order: OrderId,
    symbol: Symbol,
}

/// The answer to a request about orders, over REST or on the stream.
#[derive(Debug)]
pub(crate) struct OrderAnswer {
    pub(crate) action: &'static str,
    pub(crate) category: Category,
    pub(crate) outcome: Result<Acted, NotActed>,
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Acted {
    /// Received (`Ack`).
    Ack(Ack),
    /// Received all of a batch (`Ack`).
    Acks(Vec<Ack>),
    /// Taken by the engine (`ACCEPT`): the order as it was taken.
    Accepted(Box<Order>),
    /// Traded at least in part, or ended (`DONE`): the order as it is.
    Done(Box<Order>),
}

/// That a request was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The client's id of the request, as sent; empty for none.
    pub(crate) id: String,
    /// The order's id; empty where all are meant.
    pub(crate) order_id: String,
    /// `NULL_VAL` in the answer to a cancel.
    pub(crate) order_type: &'static str,
    pub(crate) symbol: String,
    pub(crate) timestamp: u64,
    /// `DupNewCoid` for an order whose id is there already: refused after all.
    pub(crate) error: Option<&'static str>,
}

/// An order of which there is nothing yet that its answer was to tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Awaited {
    account: (UserIx, Category),
    order: OrderId,
    /// Whether nothing will come.
    lost: bool,
}

/// Why nothing was done.
#[derive(Debug)]
pub(crate) struct NotActed {
    pub(crate) refusal: Refusal,
    /// What was asked for, as sent; of a batch one for each order.
    pub(crate) items: Vec<Item>,
    pub(crate) batch: bool,
}

/// One order that was not placed or cancelled.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) order_id: String,
    pub(crate) symbol: String,
    pub(crate) refusal: Refusal,
}

/// What the engine made of an order: as it was taken, and as it is now.
struct Placed {
    id: OrderId,
    accepted: Option<Box<Order>>,
    last: Option<Box<Order>>,
}

/// Placing.
impl Accounts {
    /// Places one order.
    pub(crate) fn place(
        &mut self,
        market: &mut Market,
        (user, category): (UserIx, Category),
        source: Source,
        fields: &Fields<'_>,
        now: u64,
    ) -> OrderAnswer {
        let outcome = Place::read(fields)
            .and_then(|place| self.check_time(place.time, now).map(|()| place))
            .and_then(|place| self.place_read(market, (user, category), source, &place, now))
            .map_err(|refusal| NotActed::one(fields, refusal));
        OrderAnswer { action: "place-order", category, outcome }
    }

    fn place_read(
        &mut self,
        market: &mut Market,
        account: (UserIx, Category),
        source: Source,
        place: &Place,
        now: u64,
    ) -> Result<Acted, Refusal> {
        let order = self.new_order(account, source, place)?;
        let placed = match self.submit(market, &order, now) {
            Ok(placed) => placed,
            Err(engine::Refusal::DupNewCoid) => {
                return Ok(Acted::Ack(Ack { error: Some("DupNewCoid"), ..Ack::of(place, order.id, now) }));
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let respond = if self.only_acknowledges { Respond::Ack } else { place.respond };
        Ok(match (respond, placed) {
            (Respond::Accept, Placed { accepted: Some(order), .. }) => Acted::Accepted(order),
            (Respond::Accept | Respond::Done, Placed { last: Some(order), .. }) if is_done(&order) => {
                Acted::Done(order)
            }
            (_, placed) => {
                // On the stream every order is merely acknowledged.
                if source == Source::Rest && place.respond != Respond::Ack {
                    self.awaited = Some(Awaited { account, order: placed.id, lost: self.only_acknowledges });
                }
                Acted::Ack(Ack::of(place, placed.id, now))
            }
        })
    }

    /// The answer that was to tell what has become of an order, once there is something to tell.
    pub(crate) fn done(&self, market: &Market, awaited: &Awaited) -> Option<String> {
        let (user, category) = awaited.account;
        let order = market.engine().order(self[user].account(category), awaited.order)?;
        let outcome = Ok(Acted::Done(Box::new(order.clone())));
        let answer = OrderAnswer { action: "place-order", category, outcome };
        (!awaited.lost && is_done(order)).then(|| order_rows::order_answer(&self[user], &answer))
    }

    /// Places an order as another participant would, with no regard to its time.
    ///
    /// # Errors
    /// What the engine refuses.
    pub(crate) fn place_directly(
        &mut self,
        market: &mut Market,
        account: (UserIx, Category),
        place: &Place,
        now: u64,
    ) -> Result<OrderId, Refusal> {
        let order = self.new_order(account, Source::Program, place)?;
        Ok(self.submit(market, &order, now).map(|placed| placed.id)?)
    }

    /// Places several orders, all or none.
    pub(crate) fn place_batch(
        &mut self,
        market: &mut Market,
        (user, category): (UserIx, Category),
        source: Source,
        fields: &Fields<'_>,
        now: u64,
    ) -> OrderAnswer {
        let outcome = batch(fields).and_then(|batch| {
            let read = |item: &Fields<'_>| {
                let place = Place::read(item)?;
                self.check_time(place.time, now)?;
                let order = self.new_order((user, category), source, &place)?;
                market.engine().check(&order).map_err(Refusal::from)?;
                Ok((place, order))
            };
            let orders = all(&batch, batch.iter().map(read))?;
            let (places, orders): (Vec<_>, Vec<_>) = orders.into_iter().unzip();
            let (result, _) = self.act(market, super::TRADING, |engine| engine.place_batch(&orders, now));
            match result {
                Ok(()) => {
                    let acks = places.iter().zip(&orders).map(|(place, order)| Ack::of(place, order.id, now));
                    Ok(Acted::Acks(acks.collect()))
                }
                Err(refused) => {
                    let verdict = |at| match refused.iter().find(|(n, _)| *n == at) {
                        Some((_, refusal)) => Err(Refusal::from(*refusal)),
                        None => Ok(()),
                    };
                    all(&batch, (0..batch.len()).map(verdict)).map(|_| Acted::Acks(Vec::new()))
                }
            }
        });
        OrderAnswer { action: "batch-place-order", category, outcome }
    }

    /// The id of a request that is no order, by the rule for those of orders.
    pub(crate) fn request_id(&mut self, user: UserIx, source: Source, fields: &Fields<'_>) -> Option<OrderId> {
        let time = fields.whole("time").ok().flatten().unwrap_or_default();
        let client_id = ClientId::new(&fields.echo("id"));
        let uid = self[user].uid.clone();
        order_id(source, time, &uid, client_id.as_ref(), &mut self.random)
    }

    fn new_order(&mut self, account: (UserIx, Category), source: Source, place: &Place) -> Result<NewOrder, Refusal> {
        let (user, category) = account;
        let uid = self[user].uid.clone();
        let id = order_id(source, place.time, &uid, place.client_id.as_ref(), &mut self.random)
            .ok_or_else(|| Refusal::new(Code::INVALID_ORDER_ID, "Invalid order id"))?;
        Ok(NewOrder {
            id,
            client_id: place.client_id,
            account: self[user].account(category),
            symbol: place.symbol,
            side: place.side,
            order_type: place.order_type,
            quantity: place.quantity,
            price: place.price,
            stop_price: place.stop_price,
            time_in_force: place.time_in_force,
            post_only: place.post_only,
        })
    }

    fn submit(&mut self, market: &mut Market, order: &NewOrder, now: u64) -> Result<Placed, engine::Refusal> {
        let (result, first) = self.act(market, super::TRADING, |engine| engine.place(order, now));
        result?;
        let updates = || {
            self.events.iter().skip(first).filter_map(|event| match event {
                Event::Order(update) if update.order.id == order.id => Some(update),
                _ => None,
            })
        };
        let boxed = |update: &engine::OrderUpdate| Box::new(update.order.clone());
        Ok(Placed {
            id: order.id,
            accepted: updates().find(|update| update.change == Change::Accepted).map(|update| boxed(update)),
            last: updates().next_back().map(|update| boxed(update)),
        })
    }
}

/// Cancelling.
impl Accounts {
    /// Cancels one order.
    pub(crate) fn cancel(
        &mut self,
        market: &mut Market,
        (user, category): (UserIx, Category),
        fields: &Fields<'_>,
        now: u64,
    ) -> OrderAnswer {
        let outcome = self
            .read_cancel(market, (user, category), fields, now)
            .and_then(|cancel| {
                let account = self[user].account(category);
                self.act(market, super::TRADING, |engine| engine.cancel(account, cancel.order, now)).0?;
                Ok(Acted::Ack(Ack::of_cancel(fields, cancel.order, cancel.symbol, now)))
            })
            .map_err(|refusal| NotActed::one(fields, refusal));
        OrderAnswer { action: "cancel-order", category, outcome }
    }

    /// Cancels several orders, all or none.
    pub(crate) fn cancel_batch(
        &mut self,
        market: &mut Market,
        (user, category): (UserIx, Category),
        fields: &Fields<'_>,
        now: u64,
    ) -> OrderAnswer {
        let outcome = batch(fields).and_then(|batch| {
            let mut ids = HashSet::new();
            let read = |item: &Fields<'_>| {
                let cancel = self.read_cancel(market, (user, category), item, now).map_err(|refusal| {
                    // So the published refusal says, where a cancel alone has a code of its own.
                    match refusal.code {
                        Code::CANCEL_REFUSED => {
                            Refusal::new(Code::INVALID_ORDER_ID, "The order is already filled or canceled.")
                        }
                        _ => refusal,
                    }
                })?;
                match ids.insert(cancel.order) {
                    true => Ok(cancel),
                    false => Err(Refusal::new(Code::CANCEL_REFUSED, "Duplicated cancel")),
                }
            };
            let cancels = all(&batch, batch.iter().map(read))?;
            let account = self[user].account(category);
            let ack = |(item, cancel): (&Fields<'_>, &Cancel)| Ack::of_cancel(item, cancel.order, cancel.symbol, now);
            let acks = batch.iter().zip(&cancels).map(ack).collect();
            let (results, _) = self.act(market, super::TRADING, |engine| {
                cancels
                    .iter()
                    .map(|cancel| engine.cancel(account, cancel.order, now).map_err(Refusal::from))
                    .collect::<Vec<_>>()
            });
            all(&batch, results.into_iter()).map(|_| Acted::Acks(acks))
        });
        // The published refusal says `batch-place-order` here.
        let action = if outcome.is_ok() { "batch-cancel-order" } else { "batch-place-order" };
        OrderAnswer { action, category, outcome }
    }

    /// Cancels an account's open orders, of one product or all.
    pub(crate) fn cancel_all(
        &mut self,
        market: &mut Market,
        (user, category): (UserIx, Category),
        fields: &Fields<'_>,
        now: u64,
    ) -> OrderAnswer {
        let read = || {
            read_client_id(fields)?;
            if let Some(time) = fields.whole("time")? {
                self.check_time(time, now)?;
            }
            fields.text("symbol")?.map(|_| read_symbol(fields)).transpose()
        };
        let known = read().and_then(|symbol| match symbol {
            Some(symbol) if market.status(symbol).is_none() => Err(engine::Refusal::UnknownProduct.into()),
            symbol => Ok(symbol),
        });
        let outcome = match known {
            Ok(symbol) => {
                self.cancel_all_directly(market, (user, category), symbol, now);
                Ok(Acted::Ack(Ack {
                    id: fields.echo("id"),
                    order_id: String::new(),
                    order_type: NONE,
                    symbol: fields.echo("symbol"),
                    timestamp: now,
                    error: None,
                }))
            }
            Err(refusal) => Err(NotActed::one(fields, refusal)),
        };
        OrderAnswer { action: "cancel-all", category, outcome }
    }

    /// Cancels an account's open orders, of one product or all; says how many.
    pub(crate) fn cancel_all_directly(
        &mut self,
        market: &mut Market,
        (user, category): (UserIx, Category),
        symbol: Option<Symbol>,
        now: u64,
    ) -> usize {
        let account = self[user].account(category);
        self.act(market, super::TRADING, |engine| engine.cancel_all(account, symbol, now)).0
    }

    /// Cancels an order of either account.
    ///
    /// # Errors
    /// What the engine refuses.
    pub(crate) fn cancel_directly(
        &mut self,
        market: &mut Market,
        user: UserIx,
        order: OrderId,
        now: u64,
    ) -> Result<(), Refusal> {
        let accounts = [Category::Cash, Category::Margin].map(|category| self[user].account(category));
        let of = accounts.into_iter().find(|account| market.engine().order(*account, order).is_some());
        let account = of.ok_or(engine::Refusal::UnknownOrder)?;
        Ok(self.act(market, super::TRADING, |engine| engine.cancel(account, order, now)).0?)
    }

    /// Reads a cancel, and whether there is something to cancel.
    fn read_cancel(
        &self,
        market: &Market,
        (user, category): (UserIx, Category),
        fields: &Fields<'_>,
        now: u64,
    ) -> Result<Cancel, Refusal> {
        read_client_id(fields)?;
        let unknown = || Refusal::from(engine::Refusal::UnknownOrder);
        let order = fields.text("orderId")?.and_then(|id| OrderId::new(&id).ok()).ok_or_else(unknown)?;
        let symbol = read_symbol(fields)?;
        self.check_time(read_time(fields)?, now)?;
        let found = market.engine().order(self[user].account(category), order);
        match found.filter(|found| found.symbol == symbol) {
            None => Err(unknown()),
            Some(found) if !found.status.is_open() => Err(engine::Refusal::NotOpen.into()),
            Some(_) => Ok(Cancel { order, symbol }),
        }
    }
}

impl Ack {
    fn of(place: &Place, order: OrderId, now: u64) -> Self {
        Self {
            id: place.client_id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            order_id: order.to_string(),
            order_type: place.order_type.as_str(),
            symbol: place.symbol.to_string(),
            timestamp: now,
            error: None,
        }
    }

    fn of_cancel(fields: &Fields<'_>, order: OrderId, symbol: Symbol, now: u64) -> Self {
        Self {
            id: fields.echo("id"),
            order_id: order.to_string(),
            order_type: NONE,
            symbol: symbol.to_string(),
            timestamp: now,
            error: None,
        }
    }
}

impl NotActed {
    fn one(fields: &Fields<'_>, refusal: Refusal) -> Self {
        Self { items: vec![Item::of(fields, refusal.clone())], refusal, batch: false }
    }

    fn all(items: Vec<Item>) -> Self {
        let message = "Batch Order failed, please check each order info for detail.";
        Self { refusal: Refusal::new(Code::INVALID_BATCH_ORDER, message), items, batch: true }
    }
}

impl Item {
    fn of(fields: &Fields<'_>, refusal: Refusal) -> Self {
        Self { id: fields.echo("id"), order_id: fields.echo("orderId"), symbol: fields.echo("symbol"), refusal }
    }
}

/// The orders of a batch.
fn batch<'a>(fields: &Fields<'a>) -> Result<Vec<Fields<'a>>, NotActed> {
    let refuse = |refusal| NotActed { refusal, items: Vec::new(), batch: true };
    let items = fields.list("orders").map_err(refuse)?;
    if items.is_empty() || items.len() > MAX_BATCH {
        let message = format!("A batch has 1 to {MAX_BATCH} orders, not {}", items.len());
        return Err(refuse(Refusal::new(Code::INVALID_BATCH_ORDER, message)));
    }
    Ok(items)
}

/// All that is good, or why the batch is not: each bad item for its own reason, the others for the bad ones'.
fn all<T>(batch: &[Fields<'_>], verdicts: impl Iterator<Item = Result<T, Refusal>>) -> Result<Vec<T>, NotActed> {
    let verdicts: Vec<_> = verdicts.collect();
    if verdicts.iter().all(Result::is_ok) {
        return Ok(verdicts.into_iter().flatten().collect());
    }
    let other = || Refusal::new(Code::INVALID_BATCH_ORDER, "Some invalid order in this batch.");
    let item = |(fields, verdict): (_, Result<T, Refusal>)| Item::of(fields, verdict.err().unwrap_or_else(other));
    Err(NotActed::all(batch.iter().zip(verdicts).map(item).collect()))
}

/// Reading what was asked for.
impl Place {
    /// Reads an order, the fields that its type needs. What depends on the product is the engine's to judge.
    ///
    /// # Errors
    /// The first field that is missing or malformed, with its code.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let symbol = read_symbol(fields)?;
        let time = read_time(fields)?;
        let client_id = read_client_id(fields)?;
        let side = word(fields, "side", Code::INVALID_SIDE, &[("buy", Side::Buy), ("sell", Side::Sell)])?;
        let order_type = word(fields, "orderType", Code::INVALID_TYPE, ORDER_TYPES)?;
        let (side, order_type) = (
            side.ok_or_else(|| Refusal::new(Code::INVALID_SIDE, "Missing side"))?,
            order_type.ok_or_else(|| Refusal::new(Code::INVALID_TYPE, "Missing orderType"))?,
        );
        let quantity = fields.decimal("orderQty")?;
        let (limited, stopped) = match order_type {
            OrderType::Market => (false, false),
            OrderType::Limit => (true, false),
            OrderType::StopMarket => (false, true),
            OrderType::StopLimit => (true, true),
        };
        let price = if limited { fields.decimal("orderPrice")? } else { None };
        let stop_price = if stopped { fields.decimal("stopPrice")? } else { None };
        let time_in_force = word(fields, "timeInForce", Code::INVALID_TIME_IN_FORCE, TIMES_IN_FORCE)?;
        let respond = word(fields, "respInst", Code::INVALID_ORDER_PARAMETER, RESPONSES)?;
        let post_only = fields
            .flag("postOnly")
            .ok_or_else(|| Refusal::new(Code::INVALID_ORDER_PARAMETER, "Invalid postOnly: not true or false"))?;
        Ok(Self {
            client_id,
            time,
            symbol,
            side,
            order_type,
            quantity: quantity.ok_or_else(|| Refusal::new(Code::INVALID_QTY, "Missing orderQty"))?,
            price,
            stop_price,
            time_in_force: time_in_force.unwrap_or(TimeInForce::Gtc),
            post_only,
            respond: respond.unwrap_or_default(),
        })
    }
}

const ORDER_TYPES: &[(&str, OrderType)] = &[
    ("market", OrderType::Market),
    ("limit", OrderType::Limit),
    ("stopmarket", OrderType::StopMarket),
    ("stoplimit", OrderType::StopLimit),
];
const TIMES_IN_FORCE: &[(&str, TimeInForce)] =
    &[("gtc", TimeInForce::Gtc), ("ioc", TimeInForce::Ioc), ("fok", TimeInForce::Fok)];
const RESPONSES: &[(&str, Respond)] = &[("ack", Respond::Ack), ("accept", Respond::Accept), ("done", Respond::Done)];

/// One of some words, in any case and with or without underscores.
fn word<T: Copy>(fields: &Fields<'_>, name: &str, code: Code, words: &[(&str, T)]) -> Result<Option<T>, Refusal> {
    let Some(text) = fields.text(name)? else { return Ok(None) };
    let plain = text.replace('_', "").to_ascii_lowercase();
    match words.iter().find(|(word, _)| *word == plain) {
        Some((_, value)) => Ok(Some(*value)),
        None => Err(Refusal::new(code, format!("Invalid {name}: {text}"))),
    }
}

fn read_symbol(fields: &Fields<'_>) -> Result<Symbol, Refusal> {
    let text = fields.text("symbol")?.ok_or_else(|| Refusal::new(Code::INVALID_PRODUCT, "Missing symbol"))?;
    Symbol::new(&text).map_err(|_| Refusal::new(Code::INVALID_PRODUCT, format!("No such product: {text}")))
}

fn read_time(fields: &Fields<'_>) -> Result<u64, Refusal> {
    fields.whole("time")?.ok_or_else(|| Refusal::new(Code::INVALID_TIMESTAMP, "Missing time"))
}

fn read_client_id(fields: &Fields<'_>) -> Result<Option<ClientId>, Refusal> {
    let Some(text) = fields.text("id")? else { return Ok(None) };
    match ClientId::new(&text) {
        Some(id) => Ok(Some(id)),
        None => Err(Refusal::new(Code::INVALID_ORDER_ID, format!("Invalid Client Order Id: {text}"))),
    }
}
