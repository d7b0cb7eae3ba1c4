//! What the stream says of orders and balances, with the field names of the reference.

use serde::Serialize;
use serde_json::Value;

use crate::sandbox::accounts::{
    Acted, Fields, MarginRisk, NONE, OrderAnswer, Record, exec_inst, label, or_empty, plain,
};
use crate::sandbox::engine::{
    Balance, BalanceUpdate, Category, Change, Engine, ErrorCode, Fixed, Order, OrderStatus, OrderUpdate,
};
use crate::sandbox::wire;
use crate::{Asset, Code, OrderId, Symbol};

/// A message about one account.
pub(super) fn of_account<T: Serialize>(
    m: &str,
    id: Option<&Value>,
    record: &Record,
    category: Category,
    data: T,
) -> String {
    #[derive(Serialize)]
    struct Message<'a, T> {
        m: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Value>,
        #[serde(rename = "accountId")]
        account_id: &'a str,
        ac: &'static str,
        data: T,
    }
    wire::json(&Message { m, id, account_id: record.account_id(category), ac: label(category), data })
}

/// An order with the balances of its two assets.
#[derive(Serialize)]
pub(super) struct OrderRow {
    sn: u64,
    #[serde(rename = "orderId")]
    order_id: OrderId,
    s: Symbol,
    ot: &'static str,
    t: u64,
    p: String,
    q: Fixed,
    sd: &'static str,
    st: &'static str,
    ap: Fixed,
    cfq: Fixed,
    sp: String,
    err: &'static str,
    btb: Fixed,
    bab: Fixed,
    qtb: Fixed,
    qab: Fixed,
    cf: Fixed,
    fa: Asset,
    ei: &'static str,
}

impl OrderRow {
    fn of(order: &Order, base: &Balance, quote: &Balance, st: &'static str) -> Self {
        Self {
            sn: order.sn,
            order_id: order.id,
            s: order.symbol,
            ot: order.order_type.as_str(),
            t: order.updated,
            p: or_empty(order.price),
            q: order.quantity,
            sd: order.side.as_str(),
            st,
            ap: order.avg_price(),
            cfq: order.filled,
            sp: or_empty(order.stop_price),
            err: order.error.map(ErrorCode::as_str).unwrap_or_default(),
            btb: base.total,
            bab: base.available(),
            qtb: quote.total,
            qab: quote.available(),
            cf: order.fee,
            fa: order.fee_asset,
            ei: exec_inst(order),
        }
    }

    /// An open order, with the balances of now.
    pub(super) fn open(order: &Order, engine: &Engine) -> Self {
        let (base, quote) = order.symbol.as_str().split_once('/').unwrap_or_default();
        let balance = |asset| Asset::new(asset).map(|asset| engine.balance(order.account, asset)).unwrap_or_default();
        Self::of(order, &balance(base), &balance(quote), order.status.as_str())
    }
}

/// An order update; `None` where it is not told in this mode of acknowledgement.
pub(crate) fn order_update(record: &Record, update: &OrderUpdate, ready: bool) -> Option<String> {
    let OrderUpdate { change, order, base, quote } = update;
    let st = match (change, order.status) {
        (Change::Accepted, OrderStatus::New) if ready => return None,
        (Change::Rested, OrderStatus::New) if ready => "Ready",
        // What has traded already was told by that.
        (Change::Rested, _) => return None,
        (_, status) => status.as_str(),
    };
    Some(of_account("order", None, record, order.account.category, OrderRow::of(order, base, quote, st)))
}

/// What an account has of an asset.
#[derive(Serialize)]
pub(super) struct BalanceRow {
    a: Asset,
    #[serde(skip_serializing_if = "Option::is_none")]
    sn: Option<u64>,
    tb: Fixed,
    ab: Fixed,
    #[serde(skip_serializing_if = "Option::is_none")]
    brw: Option<Fixed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    int: Option<Fixed>,
}

impl BalanceRow {
    pub(super) fn of(asset: Asset, balance: &Balance, sn: Option<u64>, category: Category) -> Self {
        let margin = category == Category::Margin;
        Self {
            a: asset,
            sn,
            tb: balance.total,
            ab: balance.available(),
            brw: margin.then_some(balance.borrowed),
            int: margin.then_some(balance.interest),
        }
    }
}

/// A balance update.
pub(crate) fn balance_update(record: &Record, update: &BalanceUpdate) -> String {
    let category = update.account.category;
    let row = BalanceRow::of(update.asset, &update.balance, Some(update.sn), category);
    of_account("balance", None, record, category, row)
}

/// That a cancel was refused, as an order message. `request` is the id that the cancel itself has.
pub(super) fn cancel_rejected(
    record: &Record,
    category: Category,
    cancel: &Fields<'_>,
    request: Option<OrderId>,
    sn: u64,
    now: u64,
) -> String {
    #[derive(Serialize)]
    struct Row {
        sn: u64,
        ot: &'static str,
        s: String,
        t: u64,
        #[serde(rename = "orderId")]
        order_id: String,
        #[serde(rename = "origOrderId")]
        orig_order_id: String,
        st: &'static str,
        err: &'static str,
        text: &'static str,
    }
    let row = Row {
        sn,
        ot: NONE,
        s: cancel.echo("symbol"),
        t: now,
        order_id: request.map(|id| id.to_string()).unwrap_or_default(),
        orig_order_id: cancel.echo("orderId"),
        st: OrderStatus::Rejected.as_str(),
        err: "OrderCancelReject",
        text: "TooLateToCancel",
    };
    of_account("order", None, record, category, row)
}

/// The answer to a request about orders: nothing but that it was received, or why not.
pub(super) fn order_answer(record: &Record, answer: &OrderAnswer) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Message<'a> {
        m: &'static str,
        account_id: &'a str,
        ac: &'static str,
        action: &'static str,
        status: &'static str,
        info: Info<'a>,
    }
    #[derive(Serialize)]
    #[serde(untagged, rename_all_fields = "camelCase")]
    enum Info<'a> {
        Ack {
            symbol: &'a str,
            order_type: &'static str,
            timestamp: u64,
            id: &'a str,
            order_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            error_code: Option<&'static str>,
        },
        Err {
            id: &'a str,
            symbol: &'a str,
            code: Code,
            message: &'a str,
            reason: &'static str,
        },
        Nothing {},
    }
    let info = match &answer.outcome {
        Ok(Acted::Ack(ack)) => Info::Ack {
            symbol: &ack.symbol,
            order_type: ack.order_type,
            timestamp: ack.timestamp,
            id: &ack.id,
            order_id: &ack.order_id,
            error_code: ack.error,
        },
        // Whatever `respInst` says, what becomes of an order is told by its updates.
        Ok(Acted::Accepted(order) | Acted::Done(order)) => Info::Ack {
            symbol: order.symbol.as_str(),
            order_type: order.order_type.as_str(),
            timestamp: order.created,
            id: order.client_id.as_ref().map(|id| id.as_str()).unwrap_or_default(),
            order_id: order.id.as_str(),
            error_code: None,
        },
        // There are no batches on the stream.
        Ok(Acted::Acks(_)) => Info::Nothing {},
        Err(not_acted) => {
            let (refusal, item) = (&not_acted.refusal, not_acted.items.first());
            let (id, symbol) = item.map_or(("", ""), |item| (&item.id, &item.symbol));
            Info::Err { id, symbol, code: refusal.code, message: &refusal.message, reason: refusal.reason() }
        }
    };
    let status = if answer.outcome.is_ok() { "Ack" } else { "Err" };
    let (account_id, ac) = (record.account_id(answer.category), label(answer.category));
    wire::json(&Message { m: "order", account_id, ac, action: answer.action, status, info })
}

/// What a margin account is worth.
#[derive(Serialize)]
pub(super) struct MarginRiskRow {
    tb: String,
    ab: String,
    nb: String,
    eim: String,
    emm: String,
    clv: String,
    ilv: String,
    alv: String,
    cus: String,
    pts: String,
}

impl MarginRiskRow {
    pub(super) fn of(risk: &MarginRisk) -> Self {
        Self {
            tb: plain(risk.total),
            ab: plain(risk.available),
            nb: plain(risk.net),
            eim: plain(risk.initial_margin),
            emm: plain(risk.maintenance_margin),
            clv: plain(risk.current_leverage),
            ilv: plain(risk.initial_leverage),
            alv: plain(risk.max_leverage),
            cus: plain(risk.cushion),
            pts: plain(risk.points),
        }
    }
}

/// An order as `order-status` shows it.
#[derive(Serialize)]
pub(super) struct StatusRow<'a> {
    sn: u64,
    e: &'static str,
    a: &'a str,
    ac: &'static str,
    t: u64,
    ct: u64,
    #[serde(rename = "orderId")]
    order_id: OrderId,
    sd: &'static str,
    ot: &'static str,
    ei: &'static str,
    q: Fixed,
    p: String,
    sp: String,
    spb: &'static str,
    s: Symbol,
    st: &'static str,
    err: &'static str,
    /// Price and quantity of the last fill, and its fee.
    lp: Fixed,
    lq: Fixed,
    ap: Fixed,
    cfq: Fixed,
    f: Fixed,
    cf: Fixed,
    fa: Asset,
}

impl<'a> StatusRow<'a> {
    pub(super) fn of(order: &Order, account: &'a str, category: Category) -> Self {
        let (lp, lq, f) = order.last_fill.map(|fill| (fill.price, fill.quantity, fill.fee)).unwrap_or_default();
        Self {
            sn: order.sn,
            e: "ExecutionReport",
            a: account,
            ac: label(category),
            t: order.updated,
            ct: order.created,
            order_id: order.id,
            sd: order.side.as_str(),
            ot: order.order_type.as_str(),
            ei: exec_inst(order),
            q: order.quantity,
            p: or_empty(order.price),
            sp: or_empty(order.stop_price),
            spb: "",
            s: order.symbol,
            st: order.status.as_str(),
            err: order.error.map(ErrorCode::as_str).unwrap_or_default(),
            lp,
            lq,
            ap: order.avg_price(),
            cfq: order.filled,
            f,
            cf: order.fee,
            fa: order.fee_asset,
        }
    }
}

/// The answer to `order-status`.
pub(super) fn order_status(id: Option<&Value>, data: Value) -> String {
    #[derive(Serialize)]
    struct Message<'a> {
        m: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Value>,
        code: i64,
        data: Value,
    }
    wire::json(&Message { m: "order-status", id, code: 0, data })
}
