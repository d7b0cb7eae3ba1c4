//! Rows of the private answers, with the field names of the reference.

use serde::Serialize;

use super::journal::{Cause, Entry, Row, Snapshot};
use super::orders::{Ack, Acted, Item, NotActed, OrderAnswer};
use super::risk::MarginRisk;
use super::transfers::SubTransfer;
use super::users::{label, lower_label};
use super::wallet::{self, Address, Movement};
use super::{Accounts, Record};
use crate::sandbox::engine::{Balance, Category, ErrorCode, Fixed, Order, OrderStatus, OrderType, Side};
use crate::sandbox::wire::{self, Refusal};
use crate::{Asset, Code, OrderId, Symbol};

/// What stands for none where the reference does not write an empty text.
const NONE: &str = "NULL_VAL";

/// A figure or, for none, an empty text.
fn or_empty(figure: Option<Fixed>) -> String {
    figure.map(|figure| figure.to_string()).unwrap_or_default()
}

fn exec_inst(order: &Order) -> &'static str {
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
    status: OrderStatusName,
    stop_price: String,
    symbol: Symbol,
}

/// A status by its name.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct OrderStatusName(&'static str);

impl From<OrderStatus> for OrderStatusName {
    fn from(status: OrderStatus) -> Self {
        Self(status.as_str())
    }
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
            status: order.status.into(),
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
    status: OrderStatusName,
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
            status: order.status.into(),
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
    status: OrderStatusName,
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
            status: order.status.into(),
            stop_price: or_empty(order.stop_price),
            symbol: order.symbol,
        }
    }
}

/// A page of rows, by number.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Paged<T> {
    pub(super) data: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) has_next: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<usize>,
    pub(super) page: usize,
    pub(super) page_size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_size: Option<usize>,
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

/// A balance; what is borrowed and owed only on margin.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BalanceRow {
    asset: Asset,
    total_balance: Fixed,
    available_balance: Fixed,
    #[serde(skip_serializing_if = "Option::is_none")]
    borrowed: Option<Fixed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interest: Option<Fixed>,
}

impl BalanceRow {
    pub(super) fn of(asset: Asset, balance: Balance, category: Category) -> Self {
        let margin = category == Category::Margin;
        Self {
            asset,
            total_balance: balance.total,
            available_balance: balance.available(),
            borrowed: margin.then_some(balance.borrowed),
            interest: margin.then_some(balance.interest),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MarginRiskRow {
    account_max_leverage: String,
    #[serde(rename = "availableBalanceInUSDT")]
    available_balance: String,
    #[serde(rename = "totalBalanceInUSDT")]
    total_balance: String,
    #[serde(rename = "totalBorrowedInUSDT")]
    total_borrowed: String,
    #[serde(rename = "totalInterestInUSDT")]
    total_interest: String,
    #[serde(rename = "netBalanceInUSDT")]
    net_balance: String,
    points_balance: String,
    current_leverage: String,
    cushion: String,
}

impl MarginRiskRow {
    pub(super) fn of(risk: &MarginRisk) -> Self {
        Self {
            account_max_leverage: wallet::plain(risk.max_leverage),
            available_balance: wallet::plain(risk.available),
            total_balance: wallet::plain(risk.total),
            total_borrowed: wallet::plain(risk.borrowed),
            total_interest: wallet::plain(risk.interest),
            net_balance: wallet::plain(risk.net),
            points_balance: wallet::plain(risk.points),
            current_leverage: wallet::plain(risk.current_leverage),
            cushion: wallet::plain(risk.cushion),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubTransferRow {
    time: u64,
    user_from: String,
    user_to: String,
    ac_from: &'static str,
    ac_to: &'static str,
    asset: Asset,
    amount: String,
    status: &'static str,
}

impl SubTransferRow {
    pub(super) fn of(transfer: &SubTransfer, accounts: &Accounts) -> Self {
        let ((user_from, ac_from), (user_to, ac_to)) = (transfer.from.names(accounts), transfer.to.names(accounts));
        Self {
            time: transfer.time,
            user_from,
            user_to,
            ac_from,
            ac_to,
            asset: transfer.asset,
            amount: wallet::plain(transfer.amount),
            status: "SUCCESS",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddressRow<'a> {
    address: &'a str,
    blockchain: &'static str,
    dest_tag: &'a str,
}

impl<'a> AddressRow<'a> {
    pub(super) fn of(address: &'a Address) -> Self {
        Self { address: &address.address, blockchain: address.chain, dest_tag: &address.tag }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MovementRow<'a> {
    asset: Asset,
    amount: String,
    commission: &'static str,
    dest_address: Destination<'a>,
    network_transaction_id: &'a str,
    num_confirmations: u32,
    num_confirmed: u32,
    request_id: &'a str,
    status: &'static str,
    time: u64,
    transaction_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Destination<'a> {
    address: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    dest_tag: &'a str,
}

impl<'a> MovementRow<'a> {
    pub(super) fn of(movement: &'a Movement) -> Self {
        Self {
            asset: movement.asset,
            amount: wallet::plain(movement.amount),
            commission: "0",
            dest_address: Destination { address: &movement.address.address, dest_tag: &movement.address.tag },
            network_transaction_id: &movement.transaction,
            num_confirmations: 12,
            num_confirmed: 12,
            request_id: &movement.request,
            status: "confirmed",
            time: movement.time,
            transaction_type: if movement.deposit { "deposit" } else { "withdrawal" },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    ac: &'static str,
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sn: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_time: Option<u64>,
}

/// The daily snapshot, which comes without an envelope.
pub(super) fn snapshot(record: &Record, category: Category, time: u64, snapshot: &Snapshot) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        meta: Meta<'a>,
        snapshot: Vec<SnapshotRow>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct SnapshotRow {
        asset: Asset,
        total_balance: Fixed,
    }
    let (ac, account_id) = (lower_label(category), record.account_id(category));
    let meta = Meta { ac, account_id, sn: Some(snapshot.sn), snapshot_time: Some(time) };
    let row = |(asset, total): (&Asset, &Fixed)| SnapshotRow { asset: *asset, total_balance: *total };
    wire::json(&Answer { meta, snapshot: snapshot.balances.iter().map(row).collect() })
}

/// Orders and balances of the journal, which come without an envelope.
pub(super) fn journal<'a>(record: &Record, category: Category, entries: impl Iterator<Item = &'a Entry>) -> String {
    #[derive(Serialize)]
    struct Answer<'a> {
        meta: Meta<'a>,
        order: Vec<OrderEntry>,
        balance: Vec<BalanceEntry>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct OrderEntry {
        data: Vec<JournalRow>,
        liquidity_ind: &'static str,
        order_id: OrderId,
        order_type: &'static str,
        side: &'static str,
        sn: u64,
        transact_time: u64,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct BalanceEntry {
        data: Vec<JournalRow>,
        event_type: &'static str,
        sn: u64,
        transact_time: u64,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct JournalRow {
        asset: Asset,
        cur_balance: Fixed,
        #[serde(skip_serializing_if = "Option::is_none")]
        data_type: Option<&'static str>,
        delta_qty: Fixed,
    }
    let row = |of_order: bool| {
        move |row: &Row| JournalRow {
            asset: row.asset,
            cur_balance: row.balance,
            data_type: of_order.then_some(if row.fee { "fee" } else { "trade" }),
            delta_qty: row.delta,
        }
    };
    let meta =
        Meta { ac: lower_label(category), account_id: record.account_id(category), sn: None, snapshot_time: None };
    let mut answer = Answer { meta, order: Vec::new(), balance: Vec::new() };
    for entry in entries {
        let (sn, transact_time) = (entry.sn, entry.time);
        match entry.cause {
            Cause::Fill { order, order_type, side, maker } => answer.order.push(OrderEntry {
                data: entry.rows.iter().map(row(true)).collect(),
                liquidity_ind: if maker { "AddedLiquidity" } else { "RemovedLiquidity" },
                order_id: order,
                order_type: OrderType::as_str(order_type),
                side: Side::as_str(side),
                sn,
                transact_time,
            }),
            Cause::Other(event_type) => answer.balance.push(BalanceEntry {
                data: entry.rows.iter().map(row(false)).collect(),
                event_type,
                sn,
                transact_time,
            }),
        }
    }
    wire::json(&answer)
}
