//! What changed an account's balances: each change with its sequence number, for a week back.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::sandbox::clock::DAY;
use crate::sandbox::engine::{Change, Event, Fixed, Order, OrderType, OrderUpdate, Side};
use crate::sandbox::noted::Noted;
use crate::{Asset, OrderId};

/// How far back it reaches, ms: 7 days.
pub(super) const REACH: u64 = 7 * DAY;
/// Changes of orders that are remembered, at most.
const MAX_CHANGES: usize = 50_000;

/// One asset's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) asset: Asset,
    /// The balance after the whole entry.
    pub(super) balance: Fixed,
    pub(super) delta: Fixed,
    /// Whether it is a fee.
    pub(super) fee: bool,
}

/// What caused an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Cause {
    /// An order traded.
    Fill { order: OrderId, order_type: OrderType, side: Side, maker: bool },
    /// Something else, by its name.
    Other(Cow<'static, str>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) sn: u64,
    pub(super) time: u64,
    pub(super) cause: Cause,
    pub(super) rows: Vec<Row>,
}

/// One account's journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    entries: VecDeque<Noted<Entry>>,
    /// What the entries left off the beginning summed up to.
    past: Snapshot,
    /// Before this time there is no telling what was when.
    begin: u64,
    /// Orders as they were after each change, oldest first. For a look at what happened; it does not outlive the sandbox.
    #[serde(skip)]
    changes: VecDeque<Order>,
}

/// Balances after the entry of this number, of the assets that there is any of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    pub(super) sn: u64,
    pub(super) balances: BTreeMap<Asset, Fixed>,
}

impl Snapshot {
    fn apply(&mut self, entry: &Entry) {
        self.sn = entry.sn;
        for row in &entry.rows {
            *self.balances.entry(row.asset).or_default() += row.delta;
        }
        self.balances.retain(|_, balance| !balance.is_zero());
    }
}

impl Journal {
    /// Takes note of an event of the account, if it changed an order or moved a balance. `cause`: what a change is called
    /// that no order caused. `most`: how many entries are kept; beyond them it reaches less far.
    pub(super) fn note(&mut self, event: &Event, cause: &'static str, most: usize) {
        if let Event::Order(update) = event {
            self.changes.push_back(update.order.clone());
            if self.changes.len() > MAX_CHANGES {
                self.changes.pop_front();
            }
        }
        let entry = match event {
            Event::Order(update) => filled(update),
            Event::Balance(update) if !update.delta.is_zero() => {
                let row = Row { asset: update.asset, balance: update.balance.total, delta: update.delta, fee: false };
                Some(Entry { sn: update.sn, time: update.time, cause: Cause::Other(cause.into()), rows: vec![row] })
            }
            _ => None,
        };
        let Some(entry) = entry else { return };
        let old = entry.time.saturating_sub(REACH);
        self.entries.push_back(Noted::new(entry));
        while self.entries.len() > most || self.entries.front().is_some_and(|first| first.time < old) {
            let Some(first) = self.entries.pop_front() else { break };
            self.begin = first.time + 1;
            self.past.apply(&first);
        }
    }

    /// What outlives the sandbox.
    pub(super) fn keep(&self) -> Self {
        let Self { entries, past, begin, changes: _ } = self;
        Self { entries: entries.clone(), past: past.clone(), begin: *begin, changes: VecDeque::new() }
    }

    /// Orders as they were after each of their last changes, oldest first.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Order> {
        self.changes.iter()
    }

    /// The balances at a time; `None` when that is too long ago.
    pub(super) fn snapshot(&self, time: u64, now: u64) -> Option<Snapshot> {
        if time < self.begin || time < now.saturating_sub(REACH) {
            return None;
        }
        let mut snapshot = self.past.clone();
        self.entries.iter().take_while(|entry| entry.time < time).for_each(|entry| snapshot.apply(entry));
        Some(snapshot)
    }

    /// The entries from a number on, oldest first, that are not too old.
    pub(super) fn from(&self, sn: u64, now: u64) -> impl Iterator<Item = &Entry> {
        let old = now.saturating_sub(REACH);
        let first = self.entries.partition_point(|entry| entry.sn < sn);
        self.entries.range(first..).map(|entry| &**entry).filter(move |entry| entry.time >= old)
    }
}

/// What a fill moved: the base asset, the quote asset, the fee.
fn filled(update: &OrderUpdate) -> Option<Entry> {
    let Change::Filled(fill) = update.change else { return None };
    let order = &update.order;
    let (base, quote) = (Asset::new(order.symbol.base()).ok()?, Asset::new(order.symbol.quote()?).ok()?);
    let none = Fixed::ZERO;
    let (base_delta, quote_delta) = match order.side {
        Side::Buy => (fill.quantity, none - fill.notional),
        Side::Sell => (none - fill.quantity, fill.notional),
    };
    let row = |asset, delta, fee| {
        let balance = if asset == base { update.base.total } else { update.quote.total };
        Row { asset, balance, delta, fee }
    };
    let mut rows = vec![row(base, base_delta, false), row(quote, quote_delta, false)];
    if !fill.fee.is_zero() {
        rows.push(row(order.fee_asset, none - fill.fee, true));
    }
    let cause = Cause::Fill { order: order.id, order_type: order.order_type, side: order.side, maker: fill.maker };
    Some(Entry { sn: order.sn, time: order.updated, cause, rows })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::engine::{Balance, BalanceUpdate, Engine, Settings, UserSettings};

    const MOST: usize = 20;

    fn units(units: i128) -> Fixed {
        Fixed::from_units(units)
    }

    fn deposit(sn: u64, time: u64, delta: i128) -> Event {
        let user = Engine::new(Settings::default()).add_user(UserSettings::default());
        let balance = Balance { total: units(delta), ..Balance::default() };
        let asset = Asset::new("BTC").unwrap();
        Event::Balance(BalanceUpdate { account: user.cash(), asset, balance, delta: units(delta), sn, time })
    }

    fn btc(snapshot: &Snapshot) -> (u64, i128) {
        (snapshot.sn, snapshot.balances.values().map(|balance| balance.units()).sum())
    }

    #[test]
    fn a_snapshot_and_what_follows_it_make_the_balance() {
        let mut journal = Journal::default();
        for n in 1..=10 {
            journal.note(&deposit(n * 3, n * DAY, n as i128), "Deposit", MOST);
        }
        // 55 in all; what is older than a week was left off when the last came.
        for (time, expected) in [(4 * DAY, (9, 6)), (4 * DAY + 1, (12, 10)), (20 * DAY, (30, 55))] {
            let snapshot = journal.snapshot(time, 10 * DAY).unwrap();
            assert_eq!(btc(&snapshot), expected);
            let rest: i128 = journal.from(snapshot.sn + 1, 10 * DAY).map(|entry| entry.rows[0].delta.units()).sum();
            assert_eq!(btc(&snapshot).1 + rest, 55);
        }
        assert_eq!(journal.snapshot(3 * DAY - 1, 10 * DAY), None);
        assert_eq!(
            journal.from(0, 10 * DAY).map(|entry| entry.sn).collect::<Vec<_>>(),
            [9, 12, 15, 18, 21, 24, 27, 30]
        );
        assert_eq!(journal.from(28, 10 * DAY).count(), 1);
        assert_eq!(journal.from(31, 10 * DAY).count(), 0);
    }

    #[test]
    fn a_full_journal_reaches_less_far() {
        let mut journal = Journal::default();
        for n in 0..MOST as u64 + 5 {
            journal.note(&deposit(n, n, 1), "Deposit", MOST);
        }
        assert_eq!(journal.entries.len(), MOST);
        assert_eq!(journal.snapshot(4, 100), None);
        assert_eq!(btc(&journal.snapshot(5, 100).unwrap()), (4, 5));
    }

    #[test]
    fn figures_that_move_nothing_are_no_entry() {
        let mut journal = Journal::default();
        journal.note(&deposit(1, 1, 0), "Loan", MOST);
        assert_eq!(journal.from(0, 1).count(), 0);
    }
}
