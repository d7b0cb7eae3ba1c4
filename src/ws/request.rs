//! Requests over the stream: each action of the protocol as a method of the handle.

use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::handle::StreamHandle;
use super::limits::Kind;
use super::pending::Token;
use super::reply::Reply;
use super::session::Request;
use super::socket::Answer;
use super::wire::{self, Message, SymbolArgs};
use crate::code::Code;
use crate::de;
use crate::error::{DecodeError, Error, InvalidInput, Result, Timeout};
use crate::model::{
    AccountCategory, Balance, CancelAllAck, Depth, DepthKind, MarginState, OrderAnswer, OrderState, Outcome, Rows,
    Trades,
};
use crate::order::{CancelOrder, NewOrder, OrderBody};
use crate::order_answer::RawAnswer;
use crate::order_id::{ClientOrderId, OrderSource};
use crate::symbol::{OrderId, Symbol};

/// Requests over the socket. Each is sent at once or not at all: a stream that is not ready refuses with
/// [`Error::NotReady`], and nothing is kept back to be sent later. Each waits for its own answer only. One beyond the
/// limits is refused too, unless the stream is to [wait](super::StreamBuilder::wait_when_limited).
///
/// # Errors
/// Each fails with
/// - [`Error::InvalidInput`], [`Error::NotReady`], [`Error::RateLimited`] or [`Error::Closed`]: nothing was sent;
/// - [`Error::Refused`]: the exchange said no;
/// - [`Error::Timeout`], [`Error::ConnectionLost`] or [`Error::Decode`]: the exchange may have acted.
impl StreamHandle {
    /// Places an order and waits for the exchange's answer. The protocol's `place-order`.
    ///
    /// An order whose answer was lost ([`may_have_executed`](Error::may_have_executed)) may have been placed:
    /// [`place_settled`](Self::place_settled) finds out.
    ///
    /// One that is refused for its time, which the exchange has not acted on, is sent once more, with the
    /// [clock](crate::ClientBuilder::clock_correction) set anew by REST, and unless given a time and an id of its own; so are
    /// [`cancel`](Self::cancel) and [`cancel_all`](Self::cancel_all). Both take no longer together than the time of one.
    ///
    /// # Errors
    /// As all requests: see above; [`Error::InvalidInput`] also for what does not meet the
    /// [rules](crate::Account::load_rules), if they were loaded.
    pub fn place(&self, account: AccountCategory, order: &impl AsRef<NewOrder>) -> Result<OrderAnswer<Outcome>> {
        self.send_order(account, order.as_ref(), &mut |_, _| {})
    }

    /// Places an order; the answer can be waited for later. It is sent once: where it is refused for its time, nobody sets
    /// the clock, and nothing is repeated.
    ///
    /// # Errors
    /// As [`place`](Self::place).
    pub fn place_later(
        &self,
        account: AccountCategory,
        order: &impl AsRef<NewOrder>,
    ) -> Result<Reply<OrderAnswer<Outcome>>> {
        self.ask_to_place(account, &self.stamp(account, order.as_ref())?)
    }

    /// Places an order and waits; `note` hears its id and time before it is sent.
    pub(super) fn send_order(
        &self,
        account: AccountCategory,
        order: &NewOrder,
        note: &mut dyn FnMut(ClientOrderId, u64),
    ) -> Result<OrderAnswer<Outcome>> {
        self.timely(|stream| {
            let body = stream.stamp(account, order)?;
            note(body.id(), body.time());
            let answer = stream.ask_to_place(account, &body)?.wait()?;
            stream.client.note_acknowledged(OrderSource::Stream, &body, &answer.info);
            Ok(answer)
        })
    }

    /// An order that meets the rules, where they were loaded, as it is sent now.
    fn stamp(&self, account: AccountCategory, order: &NewOrder) -> Result<OrderBody> {
        self.client.rules().check(account, order)?;
        Ok(order.stamp(self.now_millis())?)
    }

    fn ask_to_place(&self, account: AccountCategory, body: &OrderBody) -> Result<Reply<OrderAnswer<Outcome>>> {
        let ask = Ask::of_order("place-order", account, body.id());
        self.ask(ask, body, |answer| order_answer(answer)?.one("place-order"))
    }

    /// Cancels an order and waits for the exchange's answer. The protocol's `cancel-order`.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn cancel(&self, account: AccountCategory, cancel: &CancelOrder) -> Result<OrderAnswer<Outcome>> {
        self.timely(|stream| stream.cancel_later(account, cancel)?.wait())
    }

    /// Cancels an order; the answer can be waited for later. It is sent once, as by [`place_later`](Self::place_later).
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn cancel_later(&self, account: AccountCategory, cancel: &CancelOrder) -> Result<Reply<OrderAnswer<Outcome>>> {
        let body = cancel.stamp(self.now_millis())?;
        let ask = Ask::of_order("cancel-order", account, body.id());
        self.ask(ask, &body, |answer| order_answer(answer)?.one("cancel-order"))
    }

    /// Cancels every open order of an account, or those of one product. Best effort: an order that is sent and not
    /// yet acknowledged is not cancelled. The protocol's `cancel-all`.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn cancel_all(&self, account: AccountCategory, symbol: Option<Symbol>) -> Result<OrderAnswer<CancelAllAck>> {
        #[derive(Serialize)]
        struct Args {
            time: u64,
            id: ClientOrderId,
            #[serde(skip_serializing_if = "Option::is_none")]
            symbol: Option<Symbol>,
        }
        self.timely(|stream| {
            let id = ClientOrderId::random()?;
            let args = Args { time: stream.now_millis(), id, symbol };
            let ask = Ask::of_order("cancel-all", account, id);
            stream.ask(ask, &args, |answer| order_answer(answer)?.all("cancel-all"))?.wait()
        })
    }

    /// The whole book of a product, up to 500 levels a side. It takes 1 to 2 seconds on the exchange. For a book that
    /// is followed see [`request_snapshot`](Self::request_snapshot). The protocol's `depth-snapshot`.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn depth_snapshot<S: TryInto<Symbol>>(&self, symbol: S) -> Result<Depth>
    where
        InvalidInput: From<S::Error>,
    {
        self.snapshot(DepthKind::Snapshot, "depth-snapshot", symbol.try_into().map_err(InvalidInput::from)?)
    }

    /// The top 100 levels a side of a product's book. The protocol's `depth-snapshot-top100`.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn depth_snapshot_top100<S: TryInto<Symbol>>(&self, symbol: S) -> Result<Depth>
    where
        InvalidInput: From<S::Error>,
    {
        self.snapshot(
            DepthKind::SnapshotTop100,
            "depth-snapshot-top100",
            symbol.try_into().map_err(InvalidInput::from)?,
        )
    }

    /// The whole book of a product with the sequence number of `depth-realtime`. The stream must be authenticated.
    /// The protocol's `depth-snapshot-realtime`.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn depth_snapshot_realtime<S: TryInto<Symbol>>(&self, symbol: S) -> Result<Depth>
    where
        InvalidInput: From<S::Error>,
    {
        let symbol = symbol.try_into().map_err(InvalidInput::from)?;
        self.snapshot(DepthKind::RealtimeSnapshot, "depth-snapshot-realtime", symbol)
    }

    fn snapshot(&self, kind: DepthKind, action: &'static str, symbol: Symbol) -> Result<Depth> {
        let ask = || Ask { kind: Kind::Snapshot, snapshot: Some((kind, symbol)), ..Ask::new(action) };
        self.answer(ask, &SymbolArgs { symbol, level: None }, |answer| match answer {
            Message::Depth(depth) => Ok(depth),
            other => Err(unexpected("depth-snapshot", &other)),
        })
    }

    /// The latest trades of a product, at most `level`. The protocol's `market-trades`.
    ///
    /// # Errors
    /// As all requests: see above; [`Error::InvalidInput`] for a `level` of 0.
    pub fn market_trades<S: TryInto<Symbol>>(&self, symbol: S, level: u32) -> Result<Trades>
    where
        InvalidInput: From<S::Error>,
    {
        if level == 0 {
            return Err(InvalidInput::new("level", "is zero").into());
        }
        let symbol = symbol.try_into().map_err(InvalidInput::from)?;
        self.answer(
            || Ask::new("market-trades"),
            &SymbolArgs { symbol, level: Some(level) },
            |answer| match answer {
                Message::Trades(trades) => Ok(trades),
                other => Err(unexpected("market-trades", &other)),
            },
        )
    }

    /// An account's balances. The protocol's `balance`, whose answer is not documented: it is read in the names of REST
    /// and of the stream, as one or as a list.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn balances(&self, account: AccountCategory) -> Result<Rows<Balance>> {
        self.answer(|| Ask { account: Some(account), ..Ask::new("balance") }, &NoArgs {}, one_or_more)
    }

    /// An account's open orders, of all products or of some. The protocol's `open-order`.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn open_orders(&self, account: AccountCategory, symbols: &[Symbol]) -> Result<Rows<OrderState>> {
        #[derive(Serialize)]
        struct Args {
            #[serde(skip_serializing_if = "String::is_empty")]
            symbols: String,
        }
        let symbols: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
        let args = Args { symbols: symbols.join(",") };
        self.answer(|| Ask { account: Some(account), ..Ask::new("open-order") }, &args, one_or_more)
    }

    /// What has become of orders, by the server's ids. The protocol's `order-status`, which it calls experimental.
    ///
    /// # Errors
    /// As all requests: see above; [`Error::InvalidInput`] without an id.
    pub fn order_status(&self, account: AccountCategory, orders: &[OrderId]) -> Result<Rows<OrderState>> {
        if orders.is_empty() {
            return Err(InvalidInput::new("orderId", "there is none").into());
        }
        let ask = || Ask { account: Some(account), ..Ask::new("order-status") };
        self.answer(ask, &OrderIds::new(orders), one_or_more)
    }

    /// How much the margin account can bear. The protocol's `margin-risk`.
    ///
    /// # Errors
    /// As all requests: see above.
    pub fn margin_risk<S: TryInto<Symbol>>(&self, symbol: S) -> Result<MarginState>
    where
        InvalidInput: From<S::Error>,
    {
        let symbol = symbol.try_into().map_err(InvalidInput::from)?;
        let ask = || Ask { account: Some(AccountCategory::Margin), ..Ask::new("margin-risk") };
        self.answer(ask, &SymbolArgs { symbol, level: None }, |answer| read(&data_of(answer)?))
    }

    /// Sends what has the time in it, and once more with the clock set anew where it is refused for its time.
    fn timely<T>(&self, mut send: impl FnMut(&Self) -> Result<T>) -> Result<T> {
        let until = Instant::now() + self.request_timeout;
        let mut again = false;
        self.client.timely(until, |_| {
            if !std::mem::replace(&mut again, true) {
                return self.patiently(|| send(self));
            }
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => Err(Error::Timeout(Timeout::Deadline)),
                left => {
                    let stream = self.with_request_timeout(left);
                    stream.patiently(|| send(&stream))
                }
            }
        })
    }

    /// Does it again when the limit allows it, where the stream is [set](super::StreamBuilder::wait_when_limited) to
    /// wait and the time of a request is long enough.
    pub(crate) fn patiently<T>(&self, mut send: impl FnMut() -> Result<T>) -> Result<T> {
        let until = Instant::now() + self.request_timeout;
        loop {
            match send() {
                Err(Error::RateLimited(wait)) if self.wait_when_limited && Instant::now() + wait < until => {
                    thread::sleep(wait);
                }
                outcome => return outcome,
            }
        }
    }

    fn answer<T>(&self, ask: impl Fn() -> Ask, args: &impl Serialize, read: fn(Answer) -> Result<T>) -> Result<T> {
        self.patiently(|| self.ask(ask(), args, read)?.wait())
    }

    fn ask<T>(&self, ask: Ask, args: &impl Serialize, read: fn(Answer) -> Result<T>) -> Result<Reply<T>> {
        let make = self.request(ask, args)?;
        Ok(Reply::new(self.remote.request(make)?, read))
    }

    /// Asks for open orders; the answer comes in its place among the events, to be read by [`rows`].
    pub(crate) fn open_orders_in_place(&self, account: AccountCategory) -> Result<Token> {
        self.ask_in_place(Ask { account: Some(account), ..Ask::new("open-order") }, &NoArgs {})
    }

    /// Asks what has become of orders; the answer comes in its place among the events, to be read by [`rows`].
    pub(crate) fn order_status_in_place(&self, account: AccountCategory, orders: &[OrderId]) -> Result<Token> {
        self.ask_in_place(Ask { account: Some(account), ..Ask::new("order-status") }, &OrderIds::new(orders))
    }

    /// Asks for balances; the answer comes in its place among the events, to be read by [`rows`].
    pub(crate) fn balances_in_place(&self, account: AccountCategory) -> Result<Token> {
        self.ask_in_place(Ask { account: Some(account), ..Ask::new("balance") }, &NoArgs {})
    }

    /// Places an order; the answer comes in its place among the events, to be read by [`placed`].
    pub(crate) fn place_in_place(&self, account: AccountCategory, body: &OrderBody) -> Result<Token> {
        self.ask_in_place(Ask::of_order("place-order", account, body.id()), body)
    }

    fn ask_in_place(&self, ask: Ask, args: &impl Serialize) -> Result<Token> {
        let make = self.request(ask, args)?;
        self.remote.request_in_place(make)
    }

    fn request<A: Serialize>(&self, ask: Ask, args: &A) -> Result<impl FnOnce(Token) -> Request + use<A>> {
        if ask.account.is_some() && !self.private {
            return Err(InvalidInput::new("account", "the stream is not authenticated").into());
        }
        let Ask { kind, action, account, id, snapshot } = ask;
        let account = account.map(|account| account.as_str().into());
        let (args, timeout) = (wire::args(args), self.request_timeout);
        Ok(move |token| Request { token, kind, action, account, id, snapshot, args, timeout })
    }
}

/// What makes one request different from another.
struct Ask {
    kind: Kind,
    action: &'static str,
    account: Option<AccountCategory>,
    id: Option<Box<str>>,
    snapshot: Option<(DepthKind, Symbol)>,
}

impl Ask {
    fn new(action: &'static str) -> Self {
        Self { kind: Kind::Request, action, account: None, id: None, snapshot: None }
    }

    /// An order or a cancel.
    fn of_order(action: &'static str, account: AccountCategory, id: ClientOrderId) -> Self {
        Self { kind: Kind::Order, account: Some(account), id: Some(id.as_str().into()), ..Self::new(action) }
    }
}

#[derive(Serialize)]
struct NoArgs {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderIds {
    order_id: String,
}

impl OrderIds {
    fn new(orders: &[OrderId]) -> Self {
        let ids: Vec<&str> = orders.iter().map(OrderId::as_str).collect();
        Self { order_id: ids.join(",") }
    }
}

/// Reads the rows of an answer that came among the events.
pub(crate) fn rows<T: DeserializeOwned>(answer: Result<Answer>) -> Result<Rows<T>> {
    answer.and_then(one_or_more)
}

/// Reads the rows of an answer that came among the events and is a list.
pub(crate) fn list<T: DeserializeOwned>(answer: Result<Answer>) -> Result<Rows<T>> {
    read(&data_of(answer?)?)
}

/// Reads the answer to an order that came among the events.
pub(crate) fn placed(answer: Result<Answer>) -> Result<OrderAnswer<Outcome>> {
    order_answer(answer?)?.one("place-order")
}

/// The answer to an order or a cancel.
fn order_answer(answer: Answer) -> Result<RawAnswer> {
    read(&text_of(answer)?)
}

fn text_of(answer: Answer) -> Result<String> {
    match answer {
        Message::Answer(answer) => Ok(answer.text),
        other => Err(unexpected("the answer to a request", &other)),
    }
}

/// The `data` of an answer, or why there is none.
fn data_of(answer: Answer) -> Result<String> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(default, deserialize_with = "de::maybe::deserialize")]
        code: Option<Code>,
        #[serde(borrow, default)]
        data: Option<&'a RawValue>,
    }
    let text = text_of(answer)?;
    let body: Body<'_> = serde_json::from_str(&text).map_err(|e| undecodable(&text, e))?;
    if body.code.is_some_and(|code| code.value() != 0)
        && let Some(refusal) = wire::refusal_of(&text)
    {
        return Err(Error::Refused(Box::new(refusal)));
    }
    match body.data {
        Some(data) => Ok(data.get().to_owned()),
        None => Err(Error::Decode(Box::new(DecodeError::shape("the answer to a request", &text)))),
    }
}

/// One row, or a list of rows.
fn one_or_more<T: DeserializeOwned>(answer: Answer) -> Result<Rows<T>> {
    let data = data_of(answer)?;
    match data.as_bytes().first() {
        Some(b'[') => read(&data),
        _ => read(&format!("[{data}]")),
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| undecodable(text, e))
}

fn undecodable(text: &str, error: serde_json::Error) -> Error {
    Error::Decode(Box::new(DecodeError::new("the answer to a request", text, error)))
}

fn unexpected(what: &str, message: &Message) -> Error {
    Error::Decode(Box::new(DecodeError::shape(what, &format!("{message:?}"))))
}
