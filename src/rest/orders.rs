//! Orders: placing, cancelling, asking how far they have come.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::account::Account;
use super::endpoint::{self, Call};
use super::request::encoded_len;
use crate::client::Client;
use crate::code::{Code, CodeGroup};
use crate::error::{DecodeError, Error, InvalidInput, Refusal, Result};
use crate::model::{AccountCategory, CancelAllAck, Order, OrderAnswer, Outcome, Rows};
use crate::order::{CancelOrder, NewOrder, OrderBody};
use crate::order_answer::RawAnswer;
use crate::order_id::{ClientOrderId, OrderSource};
use crate::rules::Rules;
use crate::symbol::{OrderId, Symbol};

/// The most orders or cancels of a batch.
const MAX_BATCH: usize = 10;

/// Ids asked for at once, in characters as they stand in the address: the exchange takes less than 1000.
const IDS_AT_ONCE: usize = 999;

#[derive(Serialize)]
struct Batch<T> {
    orders: Vec<T>,
}

impl Account {
    /// Loads the rules for orders from the products of the exchange: `GET /api/pro/v1/AC/products`, and on margin also
    /// `GET /api/pro/v1/products`. From then on every order of the category that is placed through this client, its
    /// clones or their streams is checked against them before it is sent, but for those of a product that could not be
    /// read, which is logged. Loaded anew, they replace the old.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn load_rules(&self) -> Result<Arc<Rules>> {
        let market = self.client.market();
        let products = market.products(self.category)?;
        let all = match self.category {
            AccountCategory::Cash => Vec::new(),
            AccountCategory::Margin => market.products_v1()?.into_vec(),
        };
        let rules = Arc::new(Rules::new(self.category, &products, &all).without(products.unreadable()));
        self.client.rules().load(&rules);
        Ok(rules)
    }

    /// Places an order: `POST /G/api/pro/v1/AC/order`.
    ///
    /// What the answer waits for is the order's [`respond`](NewOrder::respond). An order whose answer was lost
    /// ([`may_have_executed`](Error::may_have_executed)) may have been placed:
    /// [`place_settled`](Self::place_settled) finds out. Who wants to do so by hand, of a batch say, gives the order its
    /// [`id`](NewOrder::id) and [`time`](NewOrder::time), and [reckons](crate::order_id()) from them the id to ask for; id
    /// and time of each order are in the log too, at `debug`.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] naming `timeInForce` for a post-only order that is to trade
    /// at once, `id` where none can be drawn, and what does not meet the [rules](Self::load_rules), if they were loaded.
    ///
    /// ```no_run
    /// use bitmax::NewOrder;
    /// use bitmax::model::Side;
    /// # fn buy(account: &bitmax::Account) -> bitmax::Result<()> {
    /// let answer = account.place(&NewOrder::limit("BTC/USDT", Side::Buy, "0.001", "50000")?.post_only())?;
    /// println!("{:?}", answer.info.order_id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn place(&self, order: &impl AsRef<NewOrder>) -> Result<OrderAnswer<Outcome>> {
        self.send_order(order.as_ref(), |_, _| {})
    }

    /// Places up to 10 orders at once: `POST /G/api/pro/v1/AC/order/batch`. One that is refused fails all of them; the
    /// refusal then [names each](Refusal::orders).
    ///
    /// # Errors
    /// As [`place`](Self::place); [`Error::InvalidInput`] naming `orders` for none or more than 10.
    pub fn place_batch<O: AsRef<NewOrder>>(&self, orders: &[O]) -> Result<OrderAnswer<Vec<Outcome>>> {
        check_batch(orders.len())?;
        orders.iter().try_for_each(|order| self.check(order.as_ref()))?;
        self.stamped(&endpoint::PLACE_BATCH, |client, now| {
            let orders = orders.iter().map(|order| order.as_ref().stamp(now)).collect::<Result<_, _>>()?;
            let batch: Batch<OrderBody> = Batch { orders };
            batch.orders.iter().for_each(note_sent);
            let answer: RawAnswer = client.send(&self.request(&endpoint::PLACE_BATCH).body(&batch))?;
            let answer = answer.batch(&endpoint::PLACE_BATCH)?;
            for (body, outcome) in batch.orders.iter().zip(&answer.info) {
                client.note_acknowledged(OrderSource::Rest, body, outcome);
            }
            Ok(answer)
        })
    }

    /// Cancels an order: `DELETE /G/api/pro/v1/AC/order`. `None` where the exchange says no more than that it is done.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    ///
    /// ```no_run
    /// # fn cancel_one(account: &bitmax::Account) -> bitmax::Result<()> {
    /// for order in account.open_orders(None)?.iter().take(1) {
    ///     account.cancel(&order.into())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self, order: &CancelOrder) -> Result<Option<OrderAnswer<Outcome>>> {
        self.stamped(&endpoint::CANCEL, |client, now| {
            let body = order.stamp(now)?;
            let answer: Option<RawAnswer> = client.send(&self.request(&endpoint::CANCEL).body(&body))?;
            answer.map(|answer| answer.one(&endpoint::CANCEL)).transpose()
        })
    }

    /// Cancels up to 10 orders at once: `DELETE /G/api/pro/v1/AC/order/batch`. One that is refused fails all of them;
    /// the refusal then [names each](Refusal::orders). `None` where the exchange says no more than that it is done.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] naming `orders` for none or more than 10.
    pub fn cancel_batch(&self, orders: &[CancelOrder]) -> Result<Option<OrderAnswer<Vec<Outcome>>>> {
        check_batch(orders.len())?;
        self.stamped(&endpoint::CANCEL_BATCH, |client, now| {
            let orders = orders.iter().map(|order| order.stamp(now)).collect::<Result<_, _>>()?;
            let answer: Option<RawAnswer> =
                client.send(&self.request(&endpoint::CANCEL_BATCH).body(&Batch { orders }))?;
            answer.map(|answer| answer.batch(&endpoint::CANCEL_BATCH)).transpose()
        })
    }

    /// Cancels all orders, or those of one product: `DELETE /G/api/pro/v1/AC/order/all`. `None` where the exchange says
    /// no more than that it is done.
    ///
    /// It does what it can: orders that were sent and are not yet acknowledged are not cancelled.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn cancel_all(&self, symbol: Option<Symbol>) -> Result<Option<OrderAnswer<CancelAllAck>>> {
        #[derive(Serialize)]
        struct Body {
            #[serde(skip_serializing_if = "Option::is_none")]
            symbol: Option<Symbol>,
        }
        let answer: Option<RawAnswer> =
            self.client.fetch(&self.request(&endpoint::CANCEL_ALL).body(&Body { symbol }))?;
        answer.map(|answer| answer.all(&endpoint::CANCEL_ALL)).transpose()
    }

    /// One order by the server's id, or `None` where the exchange knows no such order: `GET
    /// /G/api/pro/v1/AC/order/status`.
    ///
    /// What the exchange says of an id that it does not know is not documented: no row, an empty one and a refusal as
    /// an invalid order or argument are all taken for that. An order that was placed just now may not be known yet.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] for an id that is not well formed.
    pub fn order<O>(&self, order_id: O) -> Result<Option<Order>>
    where
        O: TryInto<OrderId>,
        Error: From<O::Error>,
    {
        self.one_order(order_id.try_into()?)
    }

    /// Several orders by the server's ids, in the order in which they come: `GET /G/api/pro/v1/AC/order/status`, asked
    /// in portions. Those that the exchange does not know are left out.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] for an id that is not well formed, or none at all.
    pub fn orders<O>(&self, order_ids: impl IntoIterator<Item = O>) -> Result<Rows<Order>>
    where
        O: TryInto<OrderId>,
        Error: From<O::Error>,
    {
        let ids = order_ids.into_iter().map(TryInto::try_into).collect::<Result<Vec<OrderId>, _>>()?;
        if ids.is_empty() {
            return Err(InvalidInput::new("orderId", "none is given").into());
        }
        let mut all = Rows::default();
        let mut rest = ids.as_slice();
        while !rest.is_empty() {
            let (portion, next) = rest.split_at(fitting(rest));
            rest = next;
            // The comma at the end asks for a list also where there is but one.
            let names: String = portion.iter().flat_map(|id| [id.as_str(), ","]).collect();
            match self.client.fetch(&self.request(&endpoint::ORDER_STATUS).param("orderId", names)) {
                Ok(Found(rows)) => all.append(rows),
                // It may be one of them that it does not know.
                Err(Error::Refused(refusal)) if is_unknown_order(&refusal) => {
                    for id in portion {
                        all.append(self.one_order(*id)?.into_iter().collect::<Vec<_>>().into());
                    }
                }
                Err(e) => return Err(e),
            }
        }
        Ok(all)
    }

    /// The orders that are open, of all products or of one: `GET /G/api/pro/v1/AC/order/open`.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn open_orders(&self, symbol: Option<Symbol>) -> Result<Rows<Order>> {
        self.client.fetch(&self.request(&endpoint::OPEN_ORDERS).maybe("symbol", symbol))
    }

    /// Sends an order; `note` hears its id and time before it is.
    pub(super) fn send_order(
        &self,
        order: &NewOrder,
        mut note: impl FnMut(ClientOrderId, u64),
    ) -> Result<OrderAnswer<Outcome>> {
        self.check(order)?;
        self.stamped(&endpoint::PLACE, |client, now| {
            let body = order.stamp(now)?;
            note(body.id(), body.time());
            note_sent(&body);
            let answer: RawAnswer = client.send(&self.request(&endpoint::PLACE).body(&body))?;
            let answer = answer.one(&endpoint::PLACE)?;
            client.note_acknowledged(OrderSource::Rest, &body, &answer.info);
            Ok(answer)
        })
    }

    /// Whether an order may be sent, by all that is known here.
    fn check(&self, order: &NewOrder) -> Result<()> {
        self.client.rules().check(self.category, order)
    }

    /// Makes a call whose body has the time in it, and an id where none is given: both are new where it is refused for
    /// its time and made once more.
    fn stamped<T>(&self, call: &Call, mut send: impl FnMut(&Client, u64) -> Result<T>) -> Result<T> {
        let end = self.client.end_of(call);
        self.client.prepare(call, end)?.timely(end, |client| send(client, client.now_millis()))
    }

    fn one_order(&self, order_id: OrderId) -> Result<Option<Order>> {
        let call: &Call = &endpoint::ORDER_STATUS;
        match self.client.fetch(&self.request(&endpoint::ORDER_STATUS).param("orderId", order_id)) {
            Ok(Found(rows)) => match rows.unreadable() {
                // What comes for an unknown id is not documented: another order is none.
                [] => Ok(rows.into_iter().find(|order| order.order_id == order_id)),
                [row, ..] => Err(Error::Decode(Box::new(DecodeError::row(call.to_string(), row).within("data")))),
            },
            Err(Error::Refused(refusal)) if is_unknown_order(&refusal) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// So that an order whose answer is lost can be asked for by hand.
fn note_sent(body: &OrderBody) {
    log::debug!("sending the order of id {} and time {}", body.id(), body.time());
}

/// Whether a refusal says that there is no such order, rather than that the question was not looked at.
fn is_unknown_order(refusal: &Refusal) -> bool {
    let code = refusal.code;
    matches!(code.group(), CodeGroup::General | CodeGroup::Order)
        && !code.is_server_failure()
        && !matches!(
            code,
            Code::TOO_MANY_REQUESTS | Code::INVALID_TIMESTAMP | Code::AUTHORIZATION_NEEDED | Code::METHOD_NOT_ALLOWED
        )
}

/// How many ids fit in one address; at least one.
fn fitting(ids: &[OrderId]) -> usize {
    let mut length = 0;
    let fitting = ids.iter().take_while(|id| {
        length += encoded_len(id.as_str()) + encoded_len(",");
        length <= IDS_AT_ONCE
    });
    fitting.count().max(1)
}

fn check_batch(length: usize) -> Result<(), InvalidInput> {
    match length {
        0 => Err(InvalidInput::new("orders", "none is given")),
        1..=MAX_BATCH => Ok(()),
        _ => Err(InvalidInput::new("orders", format!("{length} are more than {MAX_BATCH}"))),
    }
}

/// Orders that were asked for by id: one as it is, several as a list, and what is none left out.
#[derive(Default)]
struct Found(Rows<Order>);

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let rows: Vec<&RawValue> = match text.starts_with('[') {
            true => serde_json::from_str(text),
            false => serde_json::from_str(text).map(|row| vec![row]),
        }
        .map_err(serde::de::Error::custom)?;
        let rows = rows.into_iter().map(RawValue::get);
        Ok(Self(Rows::read(rows.filter(|row| !crate::de::is_none(row) && !is_empty(row)))))
    }
}

/// `{}`, also with white space inside.
fn is_empty(row: &str) -> bool {
    row.strip_prefix('{').is_some_and(|rest| rest.trim_ascii_start() == "}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_found_in_every_form() {
        let order = r#"{"symbol":"A/B","orderQty":1,"orderType":"Limit","cumFilledQty":0,"orderId":"x","seqNum":"1",
            "side":"Buy","status":"New"}"#;
        let found = |json: &str| serde_json::from_str::<Found>(json).unwrap().0;
        assert_eq!(found(order).len(), 1);
        assert_eq!(found(&format!("[{order},null,{{}}, {{ }},\"\",{order}]")).len(), 2);
        for none in ["null", "{}", "{ }", "[]", "[null]", "[{}]", "\"\""] {
            let found = found(none);
            assert!(found.is_empty() && found.unreadable().is_empty(), "{none}");
        }
        let bad = found(&format!("[{order},7]"));
        assert_eq!((bad.len(), bad.unreadable()[0].text.as_str()), (1, "7"));
    }

    #[test]
    fn portions_stay_below_what_an_address_holds() {
        let ids = |length: usize, n: usize| vec![OrderId::new(&"i".repeat(length)).unwrap(); n];
        assert_eq!(fitting(&ids(32, 1)), 1);
        assert_eq!(fitting(&ids(32, 100)), 28);
        assert_eq!(fitting(&ids(39, 5)), 5);
        assert_eq!(fitting(&vec![OrderId::new(&"%".repeat(39)).unwrap(); 100]), 8);
    }

    #[test]
    fn only_some_refusals_say_that_there_is_no_such_order() {
        let refusal = |code| Refusal {
            code,
            reason: String::new(),
            message: String::new(),
            info: String::new(),
            status: None,
            retry_after: None,
        };
        for code in [Code::DATA_NOT_AVAILABLE, Code::INVALID_ARGUMENT, Code::INVALID_ORDER_ID, Code::new(300_999)] {
            assert!(is_unknown_order(&refusal(code)), "{code}");
        }
        for code in [
            Code::TOO_MANY_REQUESTS,
            Code::INVALID_TIMESTAMP,
            Code::UNKNOWN_ERROR,
            Code::INVALID_JSON_FORMAT,
            Code::AUTHENTICATION_FAILED,
            Code::SERVER_ERROR,
            Code::MARGIN_TOO_RISKY,
            Code::new(6010),
        ] {
            assert!(!is_unknown_order(&refusal(code)), "{code}");
        }
    }
}
