//! Files of orders and cancels, fields as on the wire.

use bitmax::model::{OrderType, Side};
use bitmax::{CancelOrder, ClientOrderId, NewOrder};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

use crate::account::set;
use crate::failure::Failure;
use crate::orders::{Parts, TypeArg};

/// A field that is misspelled is not passed over: it may be the one that keeps an order from taking.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrderRow {
    symbol: String,
    #[serde(deserialize_with = "scalar")]
    order_qty: String,
    order_type: OrderType,
    side: Side,
    #[serde(default, deserialize_with = "maybe_scalar")]
    order_price: Option<String>,
    #[serde(default, deserialize_with = "maybe_scalar")]
    stop_price: Option<String>,
    #[serde(default)]
    post_only: bool,
    #[serde(default, deserialize_with = "maybe_scalar")]
    time_in_force: Option<String>,
    #[serde(default, deserialize_with = "maybe_scalar")]
    resp_inst: Option<String>,
    #[serde(default, deserialize_with = "maybe_scalar")]
    id: Option<String>,
    time: Option<u64>,
}

/// Other fields are passed over, so that the rows of `open-orders` will do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelRow {
    order_id: String,
    symbol: String,
    id: Option<String>,
    time: Option<u64>,
}

pub(crate) fn orders_of(text: &str) -> Result<Vec<NewOrder>, Failure> {
    rows::<OrderRow>(text)?
        .into_iter()
        .map(|row| {
            let order_type = match &row.order_type {
                OrderType::Limit => TypeArg::Limit,
                OrderType::Market => TypeArg::Market,
                OrderType::StopLimit => TypeArg::StopLimit,
                OrderType::StopMarket => TypeArg::StopMarket,
                other => return Err(Failure::usage(format!("orderType: {other} is not known"))),
            };
            let parts = Parts {
                symbol: &row.symbol,
                side: row.side,
                order_type,
                quantity: &row.order_qty,
                price: row.order_price.as_deref(),
                stop_price: row.stop_price.as_deref(),
                post_only: row.post_only,
                tif: row.time_in_force.map(|text| text.parse()).transpose()?,
                respond: row.resp_inst.map(|text| text.parse()).transpose()?,
                id: row.id.as_deref(),
                time: row.time,
            };
            parts.order()
        })
        .collect()
}

pub(crate) fn cancels_of(text: &str) -> Result<Vec<CancelOrder>, Failure> {
    rows::<CancelRow>(text)?
        .into_iter()
        .map(|row| {
            let cancel = CancelOrder::new(row.order_id, row.symbol)?;
            let cancel = set(cancel, row.time, CancelOrder::time);
            let id = row.id.filter(|id| !id.is_empty()).map(|id| ClientOrderId::new(&id)).transpose()?;
            Ok(set(cancel, id, CancelOrder::id))
        })
        .collect()
}

fn rows<'a, T: Deserialize<'a>>(text: &'a str) -> Result<Vec<T>, Failure> {
    match serde_json::from_str::<Vec<T>>(text) {
        Ok(rows) if (1..=10).contains(&rows.len()) => Ok(rows),
        Ok(rows) => Err(Failure::usage(format!("{} orders are not from 1 to 10", rows.len()))),
        Err(e) => Err(Failure::usage(format!("the file is no JSON array of orders: {e}"))),
    }
}

/// A text, or a number by its text.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let json = <&RawValue>::deserialize(deserializer)?.get();
    match json.as_bytes() {
        [b'"', ..] => serde_json::from_str(json).map_err(de::Error::custom),
        [b'{' | b'[' | b't' | b'f' | b'n', ..] => Err(de::Error::custom(format_args!("{json} is no number"))),
        _ => Ok(json.to_owned()),
    }
}

/// As [`scalar`]; `null` and `""` are none.
fn maybe_scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let json = <&RawValue>::deserialize(deserializer)?;
    match json.get() {
        "null" | "\"\"" => Ok(None),
        _ => scalar(json).map(Some).map_err(de::Error::custom),
    }
}
