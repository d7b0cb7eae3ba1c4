//! All orders that are open or remembered: by id, by account, and linked within the levels of the books.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::{Index, IndexMut};

use super::account::UserSettings;
use super::fixed::Fixed;
use super::ledger::AccountIx;
use super::listing::ProductIx;
use super::order::{Order, OrderStatus};
use crate::OrderId;
use crate::sandbox::noted::Noted;

/// An order's place. It is good until the order is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OrderIx(u32);

/// An order with what the engine counts by.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) order: Order,
    pub(super) product: ProductIx,
    pub(super) account: AccountIx,
    /// Rises from order to order.
    pub(super) placed: u64,
    /// Limit price; `None` for an order at any price.
    pub(super) limit: Option<u64>,
    pub(super) stop: Option<u64>,
    /// Lots not traded yet.
    pub(super) open: u64,
    /// What is held for it now.
    pub(super) hold: Fixed,
    /// Neighbours in the queue of its level.
    pub(super) prev: Option<OrderIx>,
    pub(super) next: Option<OrderIx>,
}

impl Entry {
    /// The price that its hold is reckoned at.
    pub(super) fn hold_price(&self) -> Option<u64> {
        match self.order.status {
            OrderStatus::PendingNew => self.limit.or(self.stop),
            _ => self.limit,
        }
    }
}

#[derive(Debug)]
struct AccountOrders {
    settings: UserSettings,
    // By `placed`.
    open: BTreeMap<u64, OrderIx>,
    closed: VecDeque<OrderIx>,
    /// As many of the closed ones as were kept once.
    kept: VecDeque<Noted<Order>>,
}

#[derive(Debug, Default)]
pub(super) struct Orders {
    // Never shrinks: the places of forgotten orders are used again.
    entries: Vec<Entry>,
    free: Vec<OrderIx>,
    by_id: HashMap<OrderId, OrderIx>,
    accounts: Vec<AccountOrders>,
    placed: u64,
}

impl Orders {
    /// Makes room for the orders of one more user, whose accounts follow those of the user before.
    pub(super) fn add_user(&mut self, settings: UserSettings) {
        for _ in 0..2 {
            self.accounts.push(AccountOrders {
                settings,
                open: BTreeMap::new(),
                closed: VecDeque::new(),
                kept: VecDeque::new(),
            });
        }
    }

    /// Takes an order in, open.
    pub(super) fn insert(&mut self, mut entry: Entry) -> OrderIx {
        self.placed += 1;
        entry.placed = self.placed;
        let (id, account, placed) = (entry.order.id, entry.account, entry.placed);
        let ix = match self.free.pop() {
            Some(ix) => {
                self[ix] = entry;
                ix
            }
            None => {
                let ix = OrderIx(self.entries.len() as u32);
                self.entries.push(entry);
                ix
            }
        };
        self.by_id.insert(id, ix);
        if let Some(account) = self.accounts.get_mut(account.place()) {
            account.open.insert(placed, ix);
        }
        ix
    }

    /// Counts an order among the ended ones, and forgets the oldest of those if they are too many: perhaps this one.
    pub(super) fn close(&mut self, ix: OrderIx) {
        let (account, placed) = (self[ix].account, self[ix].placed);
        let Some(account) = self.accounts.get_mut(account.place()) else { return };
        account.open.remove(&placed);
        account.closed.push_back(ix);
        if account.closed.len() > account.settings.closed_orders
            && let Some(oldest) = account.closed.pop_front()
        {
            let id = self[oldest].order.id;
            self.by_id.remove(&id);
            self.free.push(oldest);
        }
    }

    pub(super) fn by_id(&self, id: OrderId) -> Option<OrderIx> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn settings(&self, account: AccountIx) -> UserSettings {
        self.accounts.get(account.place()).map_or_else(UserSettings::default, |account| account.settings)
    }

    /// Whether the account has as many open orders as it may have.
    pub(super) fn is_full(&self, account: AccountIx) -> bool {
        self.accounts.get(account.place()).is_none_or(|a| a.open.len() >= a.settings.open_orders)
    }

    /// An account's open orders, oldest first.
    pub(super) fn open(&self, account: Option<AccountIx>) -> impl DoubleEndedIterator<Item = OrderIx> {
        account.and_then(|ix| self.accounts.get(ix.place())).into_iter().flat_map(|a| a.open.values().copied())
    }

    /// An account's remembered ended orders to be kept, in the order of their end, which is that of `sn`.
    pub(super) fn keep_closed(
        &mut self,
        account: AccountIx,
        numbered: impl Fn(&Order) -> Option<Order>,
    ) -> VecDeque<Noted<Order>> {
        let Self { accounts, entries, .. } = self;
        let Some(account) = accounts.get_mut(account.place()) else { return VecDeque::new() };
        let closed = account.closed.iter().filter_map(|ix| entries.get(ix.0 as usize)).map(|entry| &entry.order);
        let (first, last) = (closed.clone().next().map(|order| order.sn), account.kept.back().map(|order| order.sn));
        let gone = account.kept.partition_point(|order| Some(order.sn) < first);
        account.kept.drain(..gone);
        let new = closed.rev().take_while(|order| last.is_none_or(|last| order.sn > last)).filter_map(numbered);
        let new: Vec<_> = new.map(Noted::new).collect();
        account.kept.extend(new.into_iter().rev());
        account.kept.clone()
    }

    /// An account's remembered ended orders, in the order of their end.
    pub(super) fn closed(&self, account: Option<AccountIx>) -> impl DoubleEndedIterator<Item = OrderIx> {
        account.and_then(|ix| self.accounts.get(ix.place())).into_iter().flat_map(|a| a.closed.iter().copied())
    }
}

impl Index<OrderIx> for Orders {
    type Output = Entry;
    #[expect(clippy::indexing_slicing)]
    fn index(&self, ix: OrderIx) -> &Entry {
        &self.entries[ix.0 as usize] // cannot fail: places are given out by `insert` only, and none is removed
    }
}

impl IndexMut<OrderIx> for Orders {
    #[expect(clippy::indexing_slicing)]
    fn index_mut(&mut self, ix: OrderIx) -> &mut Entry {
        &mut self.entries[ix.0 as usize] // cannot fail: as in `index`
    }
}
