//! Rows of the private answers beside those about orders, with the field names of the reference.

use serde::Serialize;

use super::journal::{Cause, Entry, Row, Snapshot};
use super::risk::MarginRisk;
use super::transfers::SubTransfer;
use super::users::lower_label;
use super::wallet::{self, Address, Movement};
use super::{Accounts, Record};
use crate::sandbox::engine::{Balance, Category, Fixed, OrderType, Side};
use crate::sandbox::wire;
use crate::{Asset, OrderId};

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
    blockchain: &'a str,
    dest_tag: &'a str,
}

impl<'a> AddressRow<'a> {
    pub(super) fn of(address: &'a Address) -> Self {
        Self { address: &address.address, blockchain: &address.chain, dest_tag: &address.tag }
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
        balance: Vec<BalanceEntry<'a>>,
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
    struct BalanceEntry<'a> {
        data: Vec<JournalRow>,
        event_type: &'a str,
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
        match &entry.cause {
            &Cause::Fill { order, order_type, side, maker } => answer.order.push(OrderEntry {
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
