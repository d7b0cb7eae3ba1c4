//! What has become of orders: by id, open ones, ended ones.

use serde_json::{Value, json};

use super::{Accounts, UnknownOrder, UserIx};
use crate::sandbox::engine::{Category, Order, OrderStatus};
use crate::sandbox::market::Market;
use crate::sandbox::wire::Refusal;
use crate::{Code, OrderId, Symbol};

/// How long `orderId` may be in a query, in characters.
const MAX_IDS: usize = 1000;

/// Which orders a page of history holds.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) symbol: Option<Symbol>,
    /// By the time of the last change, UTC ms, both ends included.
    pub(crate) start: Option<u64>,
    pub(crate) end: Option<u64>,
    /// The least sequence number.
    pub(crate) seqnum: Option<u64>,
    pub(crate) limit: usize,
}

impl Accounts {
    /// An account's orders by their ids, each `None` where there is none; and whether one alone was asked for.
    ///
    /// # Errors
    /// `INVALID_REQUEST_DATA` when the list is too long.
    pub(crate) fn orders_by_id<'m>(
        &self,
        market: &'m Market,
        user: UserIx,
        category: Category,
        ids: &str,
    ) -> Result<(Vec<Option<&'m Order>>, bool), Refusal> {
        if ids.chars().count() > MAX_IDS {
            return Err(Refusal::new(
                Code::INVALID_REQUEST_DATA,
                format!("orderId is longer than {MAX_IDS} characters"),
            ));
        }
        let account = self[user].account(category);
        let order = |id: &str| OrderId::new(id).ok().and_then(|id| market.engine().order(account, id));
        let orders = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).map(order).collect();
        Ok((orders, !ids.contains(',')))
    }

    /// What `order-status` and its call answer for ids: an object for one, a list for several or a trailing comma; for
    /// an unknown id what is set.
    ///
    /// # Errors
    /// As [`orders_by_id`](Self::orders_by_id); `INVALID_ORDER_ID` for an unknown id, if so it is set.
    pub(crate) fn statuses(
        &self,
        market: &Market,
        (user, category): (UserIx, Category),
        ids: &str,
        row: impl Fn(&Order) -> Value,
    ) -> Result<Value, Refusal> {
        let (orders, one) = self.orders_by_id(market, user, category, ids)?;
        let unknown = self.unknown_order;
        if unknown == UnknownOrder::Refused && orders.contains(&None) {
            return Err(Refusal::new(Code::INVALID_ORDER_ID, "No such order"));
        }
        Ok(match (one, orders.as_slice()) {
            (true, [Some(order)]) => row(order),
            (true, _) => match unknown {
                UnknownOrder::Refused | UnknownOrder::Null => Value::Null,
                UnknownOrder::EmptyList => json!([]),
                UnknownOrder::EmptyObject => json!({}),
            },
            (false, orders) => match unknown {
                UnknownOrder::Null => orders.iter().map(|order| order.map_or(Value::Null, &row)).collect(),
                _ => orders.iter().flatten().map(|order| row(order)).collect(),
            },
        })
    }

    /// An account's open orders, oldest first.
    pub(crate) fn open_orders<'m>(
        &self,
        market: &'m Market,
        user: UserIx,
        category: Category,
        symbol: Option<Symbol>,
    ) -> impl Iterator<Item = &'m Order> {
        let account = self[user].account(category);
        market.engine().open_orders(account).filter(move |order| symbol.is_none_or(|symbol| symbol == order.symbol))
    }

    /// An account's ended orders, newest first.
    pub(crate) fn ended_orders<'m>(
        &self,
        market: &'m Market,
        user: UserIx,
        category: Category,
        symbol: Option<Symbol>,
    ) -> impl DoubleEndedIterator<Item = &'m Order> {
        let account = self[user].account(category);
        let ended = market.engine().closed_orders(account).rev();
        ended.filter(move |order| symbol.is_none_or(|symbol| symbol == order.symbol))
    }

    /// An account's orders as they were after each of their last changes, oldest first.
    pub(crate) fn order_changes(&self, user: UserIx, category: Category) -> impl Iterator<Item = &Order> {
        self[user].journal(category).changes()
    }

    /// A page of an account's ended orders: with a start, in time or by number, the oldest from there on, oldest first;
    /// else the newest, or those up to the end, newest first.
    pub(crate) fn history<'m>(
        &self,
        market: &'m Market,
        user: UserIx,
        category: Category,
        page: &Page,
    ) -> Vec<&'m Order> {
        let wanted = |order: &&Order| {
            page.start.is_none_or(|start| start <= order.updated)
                && page.end.is_none_or(|end| order.updated <= end)
                && page.seqnum.is_none_or(|seqnum| seqnum <= order.sn)
        };
        let ended = self.ended_orders(market, user, category, page.symbol).filter(wanted);
        match page.start.is_some() || page.seqnum.is_some() {
            true => ended.rev().take(page.limit).collect(),
            false => ended.take(page.limit).collect(),
        }
    }
}

/// Whether the engine is through with an order, wholly or in part: what `DONE` waits for.
pub(super) fn is_done(order: &Order) -> bool {
    !matches!(order.status, OrderStatus::New | OrderStatus::PendingNew)
}
