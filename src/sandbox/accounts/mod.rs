//! The private half of the exchange: users, their keys, orders, balances and ledgers. No sockets and no clock in it.
//!
//! What can be done is a function on data that takes the [`Market`] and the time; [`calls`] serves it over REST. What
//! happened to the users' orders and balances is taken as events.
//!
//! # Where the reference is silent
//!
//! - **Who asks**: a key that nobody has is 200006, as in the published refusal on the stream; another group than
//!   one's own 200003. A time further from the server's than the window, before or after, is 100011, that of a
//!   signature as that of an order or a cancel, which is then not processed.
//! - **Orders**: a missing or unknown symbol is 300012, a missing field what a wrong one would be. A duplicate id is
//!   an acknowledgement with `errorCode`, whatever `respInst` says; within a batch it is 300006. What the engine has
//!   ended or traded by the time of the answer is `DONE`, also where `ACCEPT` was asked for and the order rejected.
//! - **Cancels**: one that has ended is 300019, in a batch 300006; one whose symbol is not that named is unknown.
//! - **Lists**: of open orders the oldest come first, of ended ones the newest. The history goes by the time of the
//!   last change, holds ended orders only, and writes a charged fee as a positive number. More rows than there may be
//!   is as many as there may be; a page size out of its range is refused.
//! - **Reports** (snapshot and ledger) are counted together; the ninth in a minute is 100014 with status 429. A
//!   snapshot is of the beginning of its day, UTC.

mod auth;
pub(crate) mod calls;
mod fields;
mod history;
mod journal;
mod kept;
mod order_id;
mod order_rows;
mod orders;
mod risk;
mod rows;
mod transfers;
mod users;
mod wallet;

use std::collections::HashMap;
use std::fmt;
use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use super::engine::{AccountId, Engine, Event, UserId};
use super::market::{Market, Random, blend};
pub(crate) use auth::Proof;
pub(crate) use fields::{Fields, decimal};
pub(crate) use kept::Kept;
pub(crate) use order_id::Source;
pub(crate) use order_rows::{NONE, exec_inst, or_empty};
pub(crate) use orders::{Acted, Awaited, OrderAnswer, Place, Respond};
pub(crate) use risk::MarginRisk;
pub use users::Permission;
pub(crate) use users::{KeyPair, Profile, Record, label};
pub(crate) use wallet::plain;

/// How far a client's time may be from the server's, ms, if nothing else is set.
pub(crate) const ACCEPTANCE_WINDOW: u64 = 30_000;
/// What changes of balances are called that nobody asked for: none, as orders tell their own.
const TRADING: &str = "Trading";

/// What `order/status` answers for an id that the account has no order of. The exchange's way is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownOrder {
    /// The whole call is refused with 300006 `INVALID_ORDER_ID`.
    #[default]
    Refused,
    /// `null`; among several ids in the order's place.
    Null,
    /// An empty list; among several ids its row is missing.
    EmptyList,
    /// An empty object; among several ids its row is missing.
    EmptyObject,
}

/// A user's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub(crate) struct UserIx(usize);

/// All users but the market's own participants.
pub(crate) struct Accounts {
    users: Vec<Record>,
    by_key: HashMap<String, UserIx>,
    by_engine: HashMap<UserId, UserIx>,
    /// How far a client's time may be from the server's, ms: that of a signature, and that of an order.
    pub(crate) acceptance_window: u64,
    pub(crate) unknown_order: UnknownOrder,
    /// Whether orders are acknowledged alone, whatever answer they ask for.
    pub(crate) only_acknowledges: bool,
    /// The order whose answer says less than it was to, if there is one.
    pub(crate) awaited: Option<Awaited>,
    /// How far the clock that clients' times are held against is ahead, ms.
    pub(crate) clock_skew: i64,
    seed: u64,
    random: Random,
    events: Vec<Event>,
    /// How often something happened that is to be kept.
    changes: u64,
}

impl fmt::Debug for Accounts {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

impl Accounts {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            users: Vec::new(),
            by_key: HashMap::new(),
            by_engine: HashMap::new(),
            acceptance_window: ACCEPTANCE_WINDOW,
            unknown_order: UnknownOrder::default(),
            only_acknowledges: false,
            awaited: None,
            clock_skew: 0,
            seed,
            random: Random::new(blend(seed, 1)),
            events: Vec::new(),
            changes: 0,
        }
    }

    /// Takes note of what happened to the users' orders and balances since the last time.
    pub(crate) fn listen(&mut self, market: &mut Market) {
        self.note(market, TRADING);
    }

    /// What happened to the users' orders and balances, oldest first.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Whose account it is; `None` for the market's own participants.
    pub(crate) fn owner(&self, account: AccountId) -> Option<UserIx> {
        self.by_engine.get(&account.user).copied()
    }

    fn by_key(&self, key: &str) -> Option<UserIx> {
        self.by_key.get(key).copied()
    }

    /// Does something to the engine and takes note of what came of it: the events from this one on are of this act.
    /// `cause` is what changes of balances are called.
    fn act<T>(&mut self, market: &mut Market, cause: &'static str, act: impl FnOnce(&mut Engine) -> T) -> (T, usize) {
        self.listen(market);
        let first = self.events.len();
        let result = market.act(act);
        self.note(market, cause);
        (result, first)
    }

    fn note(&mut self, market: &mut Market, cause: &'static str) {
        for event in market.drain_account_events() {
            let account = match &event {
                Event::Order(update) => update.order.account,
                Event::Balance(update) => update.account,
                Event::Trade(_) | Event::Level(_) | Event::Bbo(_) => continue,
            };
            let Some(user) = self.owner(account) else { continue };
            if let Some(record) = self.users.get_mut(user.0) {
                let most = record.profile.history;
                record.journal_mut(account.category).note(&event, cause, most);
            }
            self.events.push(event);
            self.changes += 1;
        }
    }
}

impl Index<UserIx> for Accounts {
    type Output = Record;
    #[expect(clippy::indexing_slicing)]
    fn index(&self, ix: UserIx) -> &Record {
        &self.users[ix.0] // cannot fail: places are given out by `add_user` only, and none is removed
    }
}

impl IndexMut<UserIx> for Accounts {
    #[expect(clippy::indexing_slicing)]
    fn index_mut(&mut self, ix: UserIx) -> &mut Record {
        &mut self.users[ix.0] // cannot fail: as in `index`
    }
}

#[cfg(test)]
mod tests;
