//! Orders of the past: recent ones, and the history page by page.

use std::collections::VecDeque;

use super::account::Account;
use super::check::{order_of_times, page, visible};
use super::endpoint;
use super::pages::Unread;
use super::request::Request;
use crate::error::{InvalidInput, Result};
use crate::model::{AccountKind, HistoryOrder, Order, OrderPage, OrderStatus, OrderType, Rows, Side};
use crate::order::{side_name, type_name};
use crate::symbol::Symbol;

/// The most records of a page of the history.
const MAX_RECORDS: u32 = 1000;

impl Account {
    /// Orders that ended of late: `GET /G/api/pro/v1/AC/order/hist/current`. Whether open ones are among them the reference
    /// does not say; the sandbox leaves them out.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`](crate::Error::InvalidInput) for `n` of 0.
    pub fn recent_orders(&self, query: &RecentOrdersQuery) -> Result<Rows<Order>> {
        page("n", query.n, u32::MAX)?;
        let request = self.request(&endpoint::RECENT_ORDERS).maybe("n", query.n).maybe("symbol", query.symbol);
        self.client.fetch(&if query.executed_only { request.param("executedOnly", true) } else { request })
    }

    /// One page of the history of orders: `GET /api/pro/data/v2/order/hist`. With a start, by time or by number, the
    /// oldest from there on; else the newest. At least 30 days are kept.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`](crate::Error::InvalidInput) naming `limit`, `endTime` or `account`: a limit that is not from
    /// 1 to 1000, a range that ends before it starts, an account id that is not one word.
    pub fn order_history(&self, query: &OrderHistoryQuery) -> Result<Rows<HistoryOrder>> {
        query.check()?;
        let request = Request::new(&endpoint::ORDER_HISTORY)
            .param("account", query.account.as_deref().unwrap_or(self.category.as_str()))
            .maybe("symbol", query.symbol)
            .maybe("startTime", query.start_time)
            .maybe("endTime", query.end_time)
            .maybe("seqNum", query.seq_num)
            .maybe("limit", query.limit);
        self.client.fetch(&request)
    }

    /// The whole history from the query's start on, oldest first, each record once: as many calls of
    /// [`order_history`](Self::order_history) as it takes, each made when the iterator comes to it. Without a start:
    /// all that the exchange has kept. The query's limit is that of a page.
    ///
    /// A record that cannot be read is an error at the end of its page, and the iteration goes on; any other error ends
    /// it.
    ///
    /// # Errors
    /// As there. The iterator's own errors are those of all calls: see [`Account`].
    ///
    /// ```no_run
    /// use bitmax::OrderHistoryQuery;
    /// # fn show(account: &bitmax::Account) -> bitmax::Result<()> {
    /// for order in account.order_history_iter(&OrderHistoryQuery::new().start_time(1_596_240_000_000))? {
    ///     println!("{:?}", order?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn order_history_iter(&self, query: &OrderHistoryQuery) -> Result<OrderHistoryIter> {
        query.check()?;
        let mut query = query.clone();
        if query.start_time.is_none() && query.seq_num.is_none() {
            query.start_time = Some(0);
        }
        Ok(OrderHistoryIter { account: self.clone(), next: query.seq_num, query, page: VecDeque::new(), ended: false })
    }

    /// One page of the history of orders in the older form: `GET /G/api/pro/v1/order/hist`. Deprecated by the exchange.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`](crate::Error::InvalidInput) naming what is not known or not in range.
    pub fn order_history_v1(&self, query: &OrderHistoryV1Query) -> Result<OrderPage> {
        page("page", query.page, u32::MAX)?;
        page("pageSize", query.page_size, u32::MAX)?;
        order_of_times(query.start_time, query.end_time)?;
        let status = match &query.status {
            Some(status @ (OrderStatus::Canceled | OrderStatus::Filled)) => Some(status.as_str()),
            Some(other) => {
                return Err(InvalidInput::new("status", format!("{other} is not Canceled or Filled")).into());
            }
            None => None,
        };
        let category = query.category.clone().unwrap_or(self.category.into());
        if !category.is_known() {
            return Err(InvalidInput::new("category", format!("{category:?} is not cash, margin or futures")).into());
        }
        let request = Request::new(&endpoint::ORDER_HISTORY_V1)
            .maybe("symbol", query.symbol)
            .param("category", category)
            .maybe("orderType", query.order_type.as_ref().map(type_name).transpose()?)
            .maybe("side", query.side.as_ref().map(side_name).transpose()?)
            .maybe("status", status)
            .maybe("startTime", query.start_time)
            .maybe("endTime", query.end_time)
            .maybe("page", query.page)
            .maybe("pageSize", query.page_size);
        self.client.fetch(&request)
    }
}

/// The history of orders, oldest first, from [`Account::order_history_iter`].
#[derive(Debug)]
pub struct OrderHistoryIter {
    account: Account,
    query: OrderHistoryQuery,
    /// The smallest number that is still to come.
    next: Option<u64>,
    page: VecDeque<Result<HistoryOrder>>,
    ended: bool,
}

impl OrderHistoryIter {
    /// Fetches the next page: the first as the query says, the others by the number after the largest one seen.
    fn fetch(&mut self) -> Result<()> {
        let rows = self.account.order_history(&self.query)?;
        let unread = Unread::of(&endpoint::ORDER_HISTORY, "data", &rows, "seqNum");
        let from = self.next.unwrap_or(0);
        let mut orders: Vec<HistoryOrder> = rows.into_iter().filter(|order| order.seq_num >= from).collect();
        orders.sort_by_key(|order| order.seq_num);

        // A page without anything new is the end, whether or not it is empty.
        let largest = orders.last().map(|order| order.seq_num).max(unread.largest);
        self.next = largest.filter(|number| *number >= from).and_then(|number| number.checked_add(1));
        self.ended = self.next.is_none();
        self.query = OrderHistoryQuery { start_time: None, seq_num: self.next, ..self.query.clone() };
        self.page = orders.into_iter().map(Ok).chain(unread.errors.into_iter().map(Err)).collect();
        Ok(())
    }
}

impl Iterator for OrderHistoryIter {
    type Item = Result<HistoryOrder>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(order) = self.page.pop_front() {
                return Some(order);
            }
            if self.ended {
                return None;
            }
            if let Err(e) = self.fetch() {
                self.ended = true;
                return Some(Err(e));
            }
        }
    }
}

impl std::iter::FusedIterator for OrderHistoryIter {}

/// What [`Account::recent_orders`] is asked for. Without settings: as many of all products as the exchange likes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct RecentOrdersQuery {
    n: Option<u32>,
    symbol: Option<Symbol>,
    executed_only: bool,
}

impl RecentOrdersQuery {
    /// Asks for as many of all products as the exchange likes.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many, from 1 (`n`). Defaults to the exchange's choice.
    pub fn n(mut self, n: u32) -> Self {
        self.n = Some(n);
        self
    }

    /// Of this product alone (`symbol`). Defaults to all.
    pub fn symbol(mut self, symbol: Symbol) -> Self {
        self.symbol = Some(symbol);
        self
    }

    /// Only those of which something has traded (`executedOnly`). Defaults to all.
    pub fn executed_only(mut self) -> Self {
        self.executed_only = true;
        self
    }
}

/// What [`Account::order_history`] is asked for. Without settings: the newest 500 of the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct OrderHistoryQuery {
    account: Option<String>,
    symbol: Option<Symbol>,
    start_time: Option<u64>,
    end_time: Option<u64>,
    seq_num: Option<u64>,
    limit: Option<u32>,
}

impl OrderHistoryQuery {
    /// Asks for the newest 500 of the account.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another account than the one that is asked through: an account id, or `futures` (`account`). Defaults to the
    /// account's own category.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Of this product alone (`symbol`). Defaults to all.
    pub fn symbol(mut self, symbol: Symbol) -> Self {
        self.symbol = Some(symbol);
        self
    }

    /// From this time on, UTC milliseconds, the oldest first (`startTime`). Defaults to none.
    pub fn start_time(mut self, millis: u64) -> Self {
        self.start_time = Some(millis);
        self
    }

    /// Up to this time, UTC milliseconds (`endTime`). Defaults to none.
    pub fn end_time(mut self, millis: u64) -> Self {
        self.end_time = Some(millis);
        self
    }

    /// From the record with this number on, the oldest first (`seqNum`). Defaults to none.
    pub fn seq_num(mut self, number: u64) -> Self {
        self.seq_num = Some(number);
        self
    }

    /// The most records of a page, 1 to 1000 (`limit`). Defaults to 500.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    fn check(&self) -> Result<(), InvalidInput> {
        page("limit", self.limit, MAX_RECORDS)?;
        order_of_times(self.start_time, self.end_time)?;
        self.account.as_deref().map_or(Ok(()), |account| visible("account", account).map(drop))
    }
}

/// What [`Account::order_history_v1`] is asked for. Without settings: the first page of the account, of 20.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct OrderHistoryV1Query {
    symbol: Option<Symbol>,
    category: Option<AccountKind>,
    order_type: Option<OrderType>,
    side: Option<Side>,
    status: Option<OrderStatus>,
    start_time: Option<u64>,
    end_time: Option<u64>,
    page: Option<u32>,
    page_size: Option<u32>,
}

impl OrderHistoryV1Query {
    /// Asks for the first page of the account, of 20.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this product alone (`symbol`). Defaults to all.
    pub fn symbol(mut self, symbol: Symbol) -> Self {
        self.symbol = Some(symbol);
        self
    }

    /// Of another category than the account's own (`category`).
    pub fn category(mut self, category: impl Into<AccountKind>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Of this type alone (`orderType`). Defaults to all.
    pub fn order_type(mut self, order_type: OrderType) -> Self {
        self.order_type = Some(order_type);
        self
    }

    /// Of this side alone (`side`). Defaults to both.
    pub fn side(mut self, side: Side) -> Self {
        self.side = Some(side);
        self
    }

    /// Cancelled or filled ones alone (`status`). Defaults to both.
    pub fn status(mut self, status: OrderStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// From this time on, UTC milliseconds (`startTime`). Defaults to none.
    pub fn start_time(mut self, millis: u64) -> Self {
        self.start_time = Some(millis);
        self
    }

    /// Up to this time, UTC milliseconds (`endTime`). Defaults to none.
    pub fn end_time(mut self, millis: u64) -> Self {
        self.end_time = Some(millis);
        self
    }

    /// Which page, from 1 (`page`). Defaults to 1.
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// How many orders a page has, from 1 (`pageSize`). Defaults to 20.
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = Some(size);
        self
    }
}
