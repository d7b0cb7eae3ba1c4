//! Reading what the exchange says to orders and cancels, and telling a refusal from the rest. REST and the stream
//! share it.

use std::fmt::Display;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::code::Code;
use crate::de;
use crate::error::{DecodeError, Error, Refusal, RefusedOrder, Result};
use crate::label::same;
use crate::model::{AccountKind, CancelAllAck, OrderAction, OrderAnswer, OrderError, Outcome};

/// An answer as it stands on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RawAnswer {
    #[serde(default, deserialize_with = "de::maybe::deserialize")]
    ac: Option<AccountKind>,
    // In answers of 2020.
    #[serde(default, deserialize_with = "de::maybe::deserialize")]
    account_category: Option<AccountKind>,
    #[serde(default, deserialize_with = "de::string")]
    account_id: String,
    action: OrderAction,
    status: String,
    info: Box<RawValue>,
}

impl RawAnswer {
    /// The answer to one order or cancel. `what` names the call in errors.
    pub(crate) fn one(self, what: impl Display) -> Result<OrderAnswer<Outcome>> {
        let info = self.info.get();
        match outcome(&self.status, info).map_err(|e| decode(what, "", info, e))? {
            Outcome::Refused(refused) => Err(refusal(refused, info)),
            outcome => Ok(self.with(outcome)),
        }
    }

    /// The answer to a batch.
    pub(crate) fn batch(self, what: impl Display) -> Result<OrderAnswer<Vec<Outcome>>> {
        let info = self.info.get();
        let items: Vec<&RawValue> = serde_json::from_str(info).map_err(|e| decode(&what, "", info, e))?;
        let outcomes = items
            .iter()
            .map(|item| item.get())
            .enumerate()
            .map(|(i, item)| outcome(&self.status, item).map_err(|e| decode(&what, &format!("[{i}]"), item, e)));
        let outcomes = outcomes.collect::<Result<_>>()?;
        Ok(self.with(outcomes))
    }

    /// The answer to a cancel of all orders.
    pub(crate) fn all(self, what: impl Display) -> Result<OrderAnswer<CancelAllAck>> {
        let info = self.info.get();
        let read = || {
            let flaw: Flaw = serde_json::from_str(info)?;
            // No order stands here that could have traded: whatever is wrong, nothing was cancelled.
            match flaw.is_refusal(&self.status) || flaw.error_code.is_some() {
                true => flaw.refused(info).map(Err),
                false => serde_json::from_str(info).map(Ok),
            }
        };
        match read().map_err(|e| decode(what, "", info, e))? {
            Ok(ack) => Ok(self.with(ack)),
            Err(refused) => Err(refusal(refused, info)),
        }
    }

    fn with<T>(self, info: T) -> OrderAnswer<T> {
        let Self { ac, account_category, account_id, action, .. } = self;
        OrderAnswer { ac: ac.or(account_category), account_id, action, info }
    }
}

/// An error within `info`, or within a part of it that is given with its path.
fn decode(what: impl Display, path: &str, text: &str, e: serde_json::Error) -> Error {
    Error::Decode(Box::new(DecodeError::new(what.to_string(), text, e).within(&format!("data.info{path}"))))
}

/// The refusal of a call for one thing.
fn refusal(refused: RefusedOrder, info: &str) -> Error {
    let RefusedOrder { code, reason, message, .. } = refused;
    let info = info.to_owned();
    Error::Refused(Box::new(Refusal { code, reason, message, info, status: None, retry_after: None }))
}

/// Where a refusal hides in an answer that says it is none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flaw {
    #[serde(default, deserialize_with = "de::maybe::deserialize")]
    code: Option<Code>,
    #[serde(default, deserialize_with = "de::maybe::deserialize")]
    error_code: Option<OrderError>,
}

impl Flaw {
    /// Whether the answer is a refusal, whatever else it holds.
    fn is_refusal(&self, status: &str) -> bool {
        same(status, "Err") || self.code.is_some_and(|code| code.value() != 0)
    }

    fn refused(&self, info: &str) -> serde_json::Result<RefusedOrder> {
        let mut refused: RefusedOrder = serde_json::from_str(info)?;
        if let (Some(error), true) = (&self.error_code, refused.reason.is_empty()) {
            error.as_str().clone_into(&mut refused.reason);
        }
        Ok(refused)
    }
}

/// What an answer says about one order.
fn outcome(status: &str, info: &str) -> serde_json::Result<Outcome> {
    let flaw: Flaw = serde_json::from_str(info)?;
    let refused = || flaw.refused(info).map(Outcome::Refused);
    if flaw.is_refusal(status) {
        return refused();
    }

    let outcome = match status {
        _ if same(status, "Ack") => match flaw.error_code {
            Some(_) => return refused(),
            None => Outcome::Ack(serde_json::from_str(info)?),
        },
        _ if same(status, "ACCEPT") => Outcome::Accept(serde_json::from_str(info)?),
        _ if same(status, "DONE") => Outcome::Done(serde_json::from_str(info)?),
        _ => Outcome::Other { status: status.to_owned(), info: info.to_owned() },
    };
    // An order that has traded was not refused, whatever ended it; a cancel or a second use of an id was.
    let traded = outcome.order().is_some_and(|order| !order.cum_filled_qty.is_zero());
    match flaw.error_code {
        Some(
            OrderError::DupNewCoid
            | OrderError::DupCancelCoid
            | OrderError::NoOpenForCancel
            | OrderError::TooLateToCancel,
        ) => refused(),
        Some(_) if !traded => refused(),
        _ => Ok(outcome),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(changes: serde_json::Value) -> serde_json::Value {
        let mut order = json!({
            "avgPx": "0", "cumFee": "0", "cumFilledQty": "0", "errorCode": "", "feeAsset": "USDT",
            "lastExecTime": 1575573998500u64, "orderId": "a16ed787462f", "orderQty": "0.5", "orderType": "Limit",
            "price": "7019", "seqNum": 2323407894u64, "side": "Buy", "status": "New", "stopPrice": "",
            "symbol": "BTC/USDT", "execInst": "NULL_VAL",
        });
        for (name, value) in changes.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    }

    fn raw(status: &str, info: &serde_json::Value) -> RawAnswer {
        let text = json!({"ac": "CASH", "accountId": "x", "action": "place-order", "status": status, "info": info});
        serde_json::from_str(&text.to_string()).unwrap()
    }

    #[test]
    fn acknowledged_accepted_and_done_are_told_apart() {
        let ack = json!({"id": "i", "orderId": "o", "orderType": "", "symbol": "", "timestamp": "5"});
        let outcome = raw("ACK", &ack).one("x").unwrap().info;
        assert!(matches!(&outcome, Outcome::Ack(ack) if ack.timestamp == Some(5) && ack.order_type.is_none()));
        let new = order(json!({}));
        assert!(matches!(raw("Accept", &new).one("x").unwrap().info, Outcome::Accept(_)));
        let done = order(json!({"status": "Rejected"}));
        assert!(matches!(raw("DONE", &done).one("x").unwrap().info, Outcome::Done(order) if !order.status.is_open()));
        let other = raw("LATER", &json!({"a": [1, "2"]})).one("x").unwrap();
        assert_eq!(other.info, Outcome::Other { status: "LATER".to_owned(), info: r#"{"a":[1,"2"]}"#.to_owned() });
        let written = serde_json::to_value(&other).unwrap();
        assert_eq!((&written["status"], &written["info"]), (&json!("LATER"), &json!({"a": [1, "2"]})));
    }

    #[test]
    fn a_refusal_hides_in_an_answer_that_says_it_is_none() {
        let ack =
            |name: &str, value: serde_json::Value| json!({"id": "i", "orderId": "o", "symbol": "A/B", name: value});
        for (status, info, code, reason) in [
            ("Ack", ack("errorCode", json!("DupNewCoid")), 0, "DupNewCoid"),
            ("Ack", ack("code", json!(300_006)), 300_006, ""),
            ("Err", ack("code", json!("300011")), 300_011, ""),
            ("Err", ack("reason", json!("X")), 0, "X"),
            ("ACCEPT", order(json!({"errorCode": "DupNewCoid"})), 0, "DupNewCoid"),
            ("DONE", order(json!({"errorCode": "PostOnlyWouldTake", "status": "Rejected"})), 0, "PostOnlyWouldTake"),
            ("DONE", order(json!({"errorCode": "Whatever", "status": "Canceled"})), 0, "Whatever"),
            ("DONE", order(json!({"errorCode": "TooLateToCancel", "cumFilledQty": "0.5"})), 0, "TooLateToCancel"),
            ("later", order(json!({"errorCode": "Whatever"})), 0, "Whatever"),
        ] {
            let Err(Error::Refused(refusal)) = raw(status, &info).one("x") else { panic!("{status} {info}") };
            assert_eq!((refusal.code.value(), refusal.reason.as_str()), (code, reason), "{info}");
            assert_eq!(refusal.orders()[0].id.is_empty(), info["id"].is_null());
        }
        // What has traded was not refused.
        let ended = order(json!({"errorCode": "Whatever", "status": "Canceled", "cumFilledQty": "0.1"}));
        assert!(matches!(raw("DONE", &ended).one("x").unwrap().info, Outcome::Done(_)));
        for none in ["", "NULL_VAL"] {
            assert!(raw("ACCEPT", &order(json!({"errorCode": none}))).one("x").is_ok());
        }
    }

    #[test]
    fn of_a_batch_one_can_be_refused() {
        let ack = json!({"id": "i", "orderId": "o", "symbol": "A/B"});
        let dup = json!({"id": "j", "errorCode": "DupNewCoid", "symbol": "A/B"});
        let answer = raw("Ack", &json!([ack, dup])).batch("x").unwrap();
        assert!(matches!(&answer.info[..], [Outcome::Ack(_), Outcome::Refused(refused)] if refused.id == "j"));
        let written = serde_json::to_value(&answer).unwrap();
        assert_eq!((&written["status"], &written["info"][1]["reason"]), (&json!("Ack"), &json!("DupNewCoid")));
        assert!(raw("Ack", &json!([])).batch("x").unwrap().info.is_empty());
    }

    #[test]
    fn a_cancel_of_all_is_refused_as_one_is() {
        let ack = json!({"id": "i", "orderId": "", "orderType": "NULL_VAL", "symbol": "", "timestamp": 5});
        for status in ["Ack", "ACK"] {
            let all = raw(status, &ack).all("x").unwrap();
            assert_eq!((all.info.id.as_str(), all.info.timestamp), ("i", Some(5)));
        }
        for (status, info, code, reason) in [
            ("Err", json!({"id": "i", "code": 300_020, "reason": "TRADING_RESTRICTED"}), 300_020, "TRADING_RESTRICTED"),
            ("ERR", json!({"id": "i"}), 0, ""),
            ("Ack", json!({"id": "i", "code": "100011"}), 100_011, ""),
            ("Ack", json!({"id": "i", "errorCode": "DupCancelCoid"}), 0, "DupCancelCoid"),
        ] {
            let Err(Error::Refused(refusal)) = raw(status, &info).all("x") else { panic!("{status} {info}") };
            assert_eq!((refusal.code.value(), refusal.reason.as_str()), (code, reason), "{info}");
        }
        assert!(matches!(raw("Ack", &json!("odd")).all("x"), Err(Error::Decode(_))));
    }

    #[test]
    fn what_cannot_be_read_is_told_by_its_path() {
        for (result, path) in [
            (raw("Ack", &json!({"id": "i"})).one("x").map(drop), "data.info"),
            (raw("DONE", &order(json!({"orderQty": []}))).one("x").map(drop), "data.info.orderQty"),
            (raw("Ack", &json!({})).batch("x").map(drop), "data.info"),
            (raw("Ack", &json!([{"orderId": "o"}, {"orderId": []}])).batch("x").map(drop), "data.info[1].orderId"),
        ] {
            match result.unwrap_err() {
                Error::Decode(e) => assert_eq!(e.path, path, "{e}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
