//! What the exchange says when it refuses.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::code::{Code, CodeGroup};
use crate::de;
use crate::model::{OrderError, Rows};
use crate::symbol::{OrderId, Symbol};

/// The exchange's refusal of a call: its non-zero `code` with what it said beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The protocol's `code`.
    pub code: Code,
    /// The protocol's `reason`, a constant name such as `INVALID_BALANCE`; empty where it said none.
    pub reason: String,
    /// The protocol's `message` (or `err`), a sentence; empty where it said none.
    pub message: String,
    /// The protocol's `info`: what the refusal concerned, as JSON text; empty where it said none. For orders see
    /// [`orders`](Self::orders).
    pub info: String,
    /// The HTTP status that it came with; `None` on the stream, and where it stood within an answer that said it was
    /// none (with code 0, and the matching engine's word in `reason`).
    pub status: Option<u16>,
    /// How long the server asks to wait (`Retry-After` in seconds); `None` on the stream.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The orders that it concerned, each with the code of its own: of a batch every order, else the one, or none
    /// where the refusal names none.
    ///
    /// One refused order fails its whole batch: the others come with code 300013, `INVALID_BATCH_ORDER`.
    pub fn orders(&self) -> Vec<RefusedOrder> {
        let mut orders: Vec<RefusedOrder> = match serde_json::from_str::<Rows<RefusedOrder>>(&self.info) {
            Ok(several) => several.into_vec(),
            Err(_) => serde_json::from_str(&self.info).into_iter().collect(),
        };
        orders.retain(|order| !order.id.is_empty() || order.order_id.is_some());
        for order in orders.iter_mut().filter(|order| order.code.value() == 0) {
            order.code = self.code;
            order.reason.clone_from(&self.reason);
            order.message.clone_from(&self.message);
        }
        orders
    }

    /// Whether it is for the time that the call or an order in it was signed or stamped with, so that nothing was done.
    pub(crate) fn is_for_its_time(&self) -> bool {
        let names_it = |text: &String| text.to_ascii_lowercase().contains("timestamp");
        self.code == Code::INVALID_TIMESTAMP
            || self.orders().iter().any(|order| order.code == Code::INVALID_TIMESTAMP)
            || !self.code.is_server_failure() && [&self.reason, &self.message].into_iter().any(names_it)
    }

    /// Whether it does not say that nothing was done.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.code.is_server_failure() || self.is_of_a_gateway() || self.is_duplicate()
    }

    /// Whether it is the word of something before the exchange, with a code of its own, HTTP's say: the call may have
    /// been handed on.
    pub(crate) fn is_of_a_gateway(&self) -> bool {
        self.code.group() == CodeGroup::Other && self.status.is_some_and(|status| !(200..300).contains(&status))
    }

    /// Whether an order or a cancel of the same id was there before: this very one, if something on the way sent it twice.
    pub(crate) fn is_duplicate(&self) -> bool {
        [OrderError::DupNewCoid, OrderError::DupCancelCoid].iter().any(|reason| self.reason == reason.as_str())
    }

    /// Whether it is the refusal of a batch.
    fn is_batch(&self) -> bool {
        self.info.trim_start().starts_with('[')
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused by the exchange: ")?;
        told(f, self.code, &self.reason, &self.message)?;
        if self.is_batch() {
            for order in self.orders() {
                write!(f, "; {order}")?;
            }
        }
        Ok(())
    }
}

/// Writes what the exchange said, as far as it did.
fn told(f: &mut fmt::Formatter<'_>, code: Code, reason: &str, message: &str) -> fmt::Result {
    match (code.value(), reason) {
        (0, reason) => f.write_str(reason)?,
        (code, "") => write!(f, "{code}")?,
        (code, reason) => write!(f, "{code} {reason}")?,
    }
    if !message.is_empty() {
        write!(f, ": {message}")?;
    }
    Ok(())
}

/// One order that the exchange refused, from [`Refusal::orders`] or within the answer to a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RefusedOrder {
    /// Why, as a number (`code`).
    #[serde(default, deserialize_with = "de::or_default")]
    pub code: Code,
    /// The client's id of the order or of the cancel (`id`); empty where it was not told.
    #[serde(default, deserialize_with = "de::string")]
    pub id: String,
    /// The server's id of the order (`orderId`); a refused new order has none.
    #[serde(default, with = "de::maybe", skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The product (`symbol`); in the refusal of a cancel there is often none.
    #[serde(default, with = "de::maybe")]
    pub symbol: Option<Symbol>,
    /// Why, as a constant name (`reason`); empty where it was not told.
    #[serde(default, deserialize_with = "de::string")]
    pub reason: String,
    /// Why, as a sentence (`message`); empty where it was not told.
    #[serde(default, deserialize_with = "de::string")]
    pub message: String,
}

impl fmt::Display for RefusedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.order_id, self.id.as_str()) {
            (Some(order_id), _) => write!(f, "order {order_id}: ")?,
            (None, id) => write!(f, "order {}: ", id.escape_debug())?,
        }
        told(f, self.code, &self.reason, &self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_orders() {
        let refusal = |info: &str| Refusal {
            code: Code::INVALID_BATCH_ORDER,
            reason: "INVALID_BATCH_ORDER".to_owned(),
            message: "Batch failed.".to_owned(),
            info: info.to_owned(),
            status: None,
            retry_after: None,
        };
        let batch = refusal(
            r#"[{"code":300004,"id":"a1","message":"Too small.","reason":"INVALID_NOTIONAL","symbol":"BTC/USDT"},
                {"code":"300006","id":"b2","orderId":"s17","symbol":"","reason":null},"odd"]"#,
        );
        let [first, second] = batch.orders().try_into().unwrap();
        assert_eq!((first.code, first.id.as_str(), first.order_id), (Code::INVALID_NOTIONAL, "a1", None));
        assert_eq!((second.code, second.symbol), (Code::INVALID_ORDER_ID, None));
        assert_eq!(
            batch.to_string(),
            "refused by the exchange: 300013 INVALID_BATCH_ORDER: Batch failed.; \
             order a1: 300004 INVALID_NOTIONAL: Too small.; order s17: 300006"
        );

        let one = refusal(r#"{"id":"a1","symbol":"ETH/USDT"}"#);
        let [order] = one.orders().try_into().unwrap();
        assert_eq!((order.code, order.reason.as_str()), (Code::INVALID_BATCH_ORDER, "INVALID_BATCH_ORDER"));
        assert_eq!(one.to_string(), "refused by the exchange: 300013 INVALID_BATCH_ORDER: Batch failed.");

        for none in ["", "null", "{}", r#"{"symbol":"BTC/USDT"}"#, "[]", "17", "[[]]", r#"{"id":[]}"#] {
            assert_eq!(refusal(none).orders(), [], "{none}");
        }
    }
}
