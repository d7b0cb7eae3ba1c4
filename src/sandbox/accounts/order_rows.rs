//! Orders, and answers to requests about them, with the field names of REST.

use serde::Serialize;

use super::Record;
use super::orders::{Ack, Acted, Item, NotActed, OrderAnswer};
use super::users::label;
use crate::sandbox::engine::{Category, ErrorCode, Fixed, Order};
use crate::sandbox::wire::{self, Refusal};
use crate::{Asset, Code, OrderId, Symbol};

/// What stands for none where the reference does not write an empty text.
pub(crate) const NONE: &str = "NULL_VAL";

/// A figure or, for none, an empty text.
pub(crate) fn or_empty(figure: Option<Fixed>) -> String {
    figure.map(|figure| figure.to_string()).unwrap_or_default()
}

/// What an order is besides its type.
pub(crate) fn exec_inst(order: &Order) -> &'static str {
    if order.post_only { "Post" } else { NONE }
}

/// An order as status, open orders, current history, `ACCEPT` and `DONE` show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderRow<'a> {
    avg_px: Fixed,
    cum_fee: Fixed,
    cum_filled_qty: Fixed,
    error_code: &'static str,
    exec_inst: &'static str,
    fee_asset: Asset,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    last_exec_time: u64,
    order_id: OrderId,
    order_qty: Fixed,
    order_type: &'static str,
    price: String,
    seq_num: u64,
    side: &'static str,
    status: &'static str,
    stop_price: String,
    symbol: Symbol,
}

impl<'a> OrderRow<'a> {
    pub(super) fn of(order: &'a Order) -> Self {
        Self {
            avg_px: order.avg_price(),
            cum_fee: order.fee,
            cum_filled_qty: order.filled,
            error_code: order.error.map(ErrorCode::as_str).unwrap_or_default(),
            exec_inst: exec_inst(order),
            fee_asset: order.fee_asset,
            id: order.client_id.as_ref().map(|id| id.as_str()),
            last_exec_time: order.updated,
            order_id: order.id,
            order_qty: order.quantity,
            order_type: order.order_type.as_str(),
            price: or_empty(order.price),
            seq_num: order.sn,
            side: order.side.as_str(),
            status: order.status.as_str(),
            stop_price: or_empty(order.stop_price),
            symbol: order.symbol,
        }
    }
}

/// An order in the history, version 2. A fee that was charged is positive.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HistoryRow<'a> {
    order_id: OrderId,
    seq_num: u64,
    account_id: &'a str,
    symbol: Symbol,
    order_type: &'static str,
    side: &'static str,
    price: Fixed,
    stop_price: Fixed,
    order_qty: Fixed,
    status: &'static str,
    create_time: u64,
    last_exec_time: u64,
    avg_fill_price: Fixed,
    fill_qty: Fixed,
    fee: Fixed,
    fee_asset: Asset,
}

impl<'a> HistoryRow<'a> {
    pub(super) fn of(order: &Order, account_id: &'a str) -> Self {
        Self {
            order_id: order.id,
            seq_num: order.sn,
            account_id,
            symbol: order.symbol,
            order_type: order.order_type.as_str(),
            side: order.side.as_str(),
            price: order.price.unwrap_or_default(),
            stop_price: order.stop_price.unwrap_or_default(),
            order_qty: order.quantity,
            status: order.status.as_str(),
            create_time: order.created,
            last_exec_time: order.updated,
            avg_fill_price: order.avg_price(),
            fill_qty: order.filled,
            fee: order.fee,
            fee_asset: order.fee_asset,
        }
    }
}

/// An order in the history, version 1.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OldHistoryRow<'a> {
    ac: &'static str,
    account_id: &'a str,
    avg_px: Fixed,
    cum_fee: Fixed,
    cum_qty: Fixed,
    error_code: &'static str,
    exec_inst: &'static str,
    fee_asset: Asset,
    last_exec_time: u64,
    order_id: OrderId,
    order_qty: Fixed,
    order_type: &'static str,
    price: String,
    sending_time: u64,
    seq_num: u64,
    side: &'static str,
    status: &'static str,
    stop_price: String,
    symbol: Symbol,
}

impl<'a> OldHistoryRow<'a> {
    pub(super) fn of(order: &Order, category: Category, account_id: &'a str) -> Self {
        Self {
            ac: label(category),
            account_id,
            avg_px: order.avg_price(),
            cum_fee: order.fee,
            cum_qty: order.filled,
            error_code: order.error.map_or(NONE, ErrorCode::as_str),
            exec_inst: exec_inst(order),
            fee_asset: order.fee_asset,
            last_exec_time: order.updated,
            order_id: order.id,
            order_qty: order.quantity,
            order_type: order.order_type.as_str(),
            price: or_empty(order.price),
            sending_time: order.created,
            seq_num: order.sn,
            side: order.side.as_str(),
            status: order.status.as_str(),
            stop_price: or_empty(order.stop_price),
            symbol: order.symbol,
        }
    }
}

/// A successful answer about one account. The name of the category's field differs from call to call.
pub(super) fn of_account<T: Serialize>(record: &Record, category: Category, old_name: bool, data: T) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Envelope<'a, T> {
        code: i64,
        account_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ac: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_category: Option<&'static str>,
        data: T,
    }
    let name = Some(label(category));
    let (ac, account_category) = if old_name { (None, name) } else { (name, None) };
    wire::json(&Envelope { code: 0, account_id: record.account_id(category), ac, account_category, data })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AckRow<'a> {
    id: &'a str,
    order_id: &'a str,
    order_type: &'static str,
    symbol: &'a str,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

impl<'a> AckRow<'a> {
    fn of(ack: &'a Ack) -> Self {
        Self {
            id: &ack.id,
            order_id: &ack.order_id,
            order_type: ack.order_type,
            symbol: &ack.symbol,
            timestamp: ack.timestamp,
            error_code: ack.error,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Info<'a> {
    Ack(AckRow<'a>),
    Acks(Vec<AckRow<'a>>),
    Order(Box<OrderRow<'a>>),
}

/// The answer to a request about orders, over REST.
pub(super) fn order_answer(record: &Record, answer: &OrderAnswer) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Data<'a> {
        ac: &'static str,
        account_id: &'a str,
        action: &'static str,
        info: Info<'a>,
        status: &'static str,
    }
    let (ac, account_id) = (label(answer.category), record.account_id(answer.category));
    match &answer.outcome {
        Ok(acted) => {
            let (status, info) = match acted {
                Acted::Ack(ack) => ("Ack", Info::Ack(AckRow::of(ack))),
                Acted::Acks(acks) => ("Ack", Info::Acks(acks.iter().map(AckRow::of).collect())),
                Acted::Accepted(order) => ("ACCEPT", Info::Order(Box::new(OrderRow::of(order)))),
                Acted::Done(order) => ("DONE", Info::Order(Box::new(OrderRow::of(order)))),
            };
            wire::success(Data { ac, account_id, action: answer.action, info, status })
        }
        Err(not_acted) => refused(ac, account_id, answer.action, not_acted),
    }
}

fn refused(ac: &'static str, account_id: &str, action: &'static str, not_acted: &NotActed) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Failure<'a> {
        code: Code,
        ac: &'static str,
        account_id: &'a str,
        action: &'static str,
        info: Infos<'a>,
        message: &'a str,
        reason: &'static str,
        status: &'static str,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Infos<'a> {
        One { id: &'a str, symbol: &'a str },
        Batch(Vec<ItemRow<'a>>),
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ItemRow<'a> {
        code: Code,
        id: &'a str,
        order_id: &'a str,
        message: &'a str,
        reason: &'static str,
        symbol: &'a str,
    }
    impl<'a> ItemRow<'a> {
        fn of(item: &'a Item) -> Self {
            Self {
                code: item.refusal.code,
                id: &item.id,
                order_id: &item.order_id,
                message: &item.refusal.message,
                reason: item.refusal.reason(),
                symbol: &item.symbol,
            }
        }
    }
    let info = match not_acted.items.first() {
        Some(item) if !not_acted.batch => Infos::One { id: &item.id, symbol: &item.symbol },
        _ => Infos::Batch(not_acted.items.iter().map(ItemRow::of).collect()),
    };
    let Refusal { code, message } = &not_acted.refusal;
    let reason = not_acted.refusal.reason();
    wire::json(&Failure { code: *code, ac, account_id, action, info, message, reason, status: "Err" })
}
