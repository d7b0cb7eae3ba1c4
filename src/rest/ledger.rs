//! A day's ledger: what an account held at its start, and every change after that.

use std::collections::VecDeque;

use super::account::Account;
use super::balance::MAX_CHANGES;
use super::endpoint;
use super::pages::Unread;
use crate::date::Date;
use crate::error::{Error, Result};
use crate::model::{AssetChange, BalanceChange, BalanceSnapshot, OrderChange};

/// Milliseconds of a day.
const DAY: u64 = 24 * 3_600_000;

/// A change of an account's balances, from a [`Ledger`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LedgerEntry {
    /// A trade.
    Order(OrderChange),
    /// Anything else.
    Balance(BalanceChange),
}

impl LedgerEntry {
    /// The number of the change: rising, not continuous (`sn`).
    pub fn sn(&self) -> u64 {
        match self {
            Self::Order(change) => change.sn,
            Self::Balance(change) => change.sn,
        }
    }

    /// When, UTC milliseconds (`transactTime`).
    pub fn transact_time(&self) -> u64 {
        match self {
            Self::Order(change) => change.transact_time,
            Self::Balance(change) => change.transact_time,
        }
    }

    /// The changes, asset by asset (`data`).
    pub fn changes(&self) -> &[AssetChange] {
        match self {
            Self::Order(change) => &change.data,
            Self::Balance(change) => &change.data,
        }
    }
}

impl Account {
    /// The ledger of a day, given as text (`YYYY-mm-dd`) or as a [`Date`]: the [snapshot](Self::balance_snapshot) of its start, which is asked
    /// for at once, and then every change of the day by its number, page by page of the
    /// [history](Self::balance_history) as the iterator comes to them.
    ///
    /// The exchange answers 8 of these calls a minute, for the last 7 days.
    ///
    /// A change that cannot be read is an error at the end of its page, and the iteration goes on; any other error ends
    /// it.
    ///
    /// # Errors
    /// As [`balance_snapshot`](Self::balance_snapshot). The iterator's own errors are those of all calls: see
    /// [`Account`].
    ///
    /// ```no_run
    /// # fn show(account: &bitmax::Account) -> bitmax::Result<()> {
    /// let ledger = account.ledger("2021-03-31")?;
    /// println!("{} assets at the start", ledger.snapshot().snapshot.len());
    /// for entry in ledger {
    ///     println!("{:?}", entry?.changes());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn ledger<D>(&self, date: D) -> Result<Ledger>
    where
        D: TryInto<Date>,
        Error: From<D::Error>,
    {
        let snapshot = self.balance_snapshot(date)?;
        let next = snapshot.meta.sn.checked_add(1);
        Ok(Ledger { account: self.clone(), snapshot, next, page: VecDeque::new() })
    }
}

/// A day's ledger, in the order of the changes' numbers. From [`Account::ledger`].
#[derive(Debug)]
pub struct Ledger {
    account: Account,
    snapshot: BalanceSnapshot,
    /// The number that the next page starts at; none when the last is in.
    next: Option<u64>,
    page: VecDeque<Result<LedgerEntry>>,
}

impl Ledger {
    /// What the account held at the start of the day.
    pub fn snapshot(&self) -> &BalanceSnapshot {
        &self.snapshot
    }

    /// Fetches the page that starts at a number.
    fn fetch(&mut self, from: u64) -> Result<()> {
        let history = self.account.balance_history(from, Some(MAX_CHANGES))?;
        let unread_orders = Unread::of(&endpoint::BALANCE_HISTORY, "order", &history.order, "sn");
        let unread_others = Unread::of(&endpoint::BALANCE_HISTORY, "balance", &history.balance, "sn");

        let orders = history.order.into_iter().map(LedgerEntry::Order);
        let mut entries: Vec<_> = orders.chain(history.balance.into_iter().map(LedgerEntry::Balance)).collect();
        entries.retain(|entry| entry.sn() >= from);
        entries.sort_by_key(LedgerEntry::sn);
        let end = self.snapshot.meta.snapshot_time.and_then(|start| start.checked_add(DAY));
        let is_past = |entry: &LedgerEntry| end.is_some_and(|end| entry.transact_time() >= end);
        // Times need not rise with the numbers to the millisecond: it takes a page without a change of the day.
        let over = !entries.is_empty() && entries.iter().all(is_past);

        // A page without anything new is the end too, whether or not it is empty.
        let largest = entries.last().map(LedgerEntry::sn).max(unread_orders.largest).max(unread_others.largest);
        self.next = largest.filter(|sn| *sn >= from && !over).and_then(|sn| sn.checked_add(1));
        entries.retain(|entry| !is_past(entry));
        let errors = unread_orders.errors.into_iter().chain(unread_others.errors);
        self.page = entries.into_iter().map(Ok).chain(errors.map(Err)).collect();
        Ok(())
    }
}

impl Iterator for Ledger {
    type Item = Result<LedgerEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Some(entry);
            }
            let from = self.next.take()?;
            if let Err(e) = self.fetch(from) {
                return Some(Err(e));
            }
        }
    }
}

impl std::iter::FusedIterator for Ledger {}
