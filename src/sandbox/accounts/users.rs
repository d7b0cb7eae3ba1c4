//! Users: who they are and what they may do.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::auth::Secret;
use super::journal::Journal;
use super::order_id::word;
use super::transfers::SubTransfer;
use super::wallet::Movement;
use super::{Accounts, UserIx};
use crate::Code;
use crate::sandbox::engine::{AccountId, Category, UserId, UserSettings};
use crate::sandbox::market::{Market, Random, blend};
use crate::sandbox::wire::Refusal;

/// What a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Permission {
    /// Reading balances, orders and history.
    View,
    /// Placing and cancelling orders.
    Trade,
    /// Moving amounts between accounts.
    Transfer,
}

/// How a user is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) name: Option<String>,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) parent: Option<UserIx>,
    pub(crate) vip_level: u32,
    pub(crate) fee_percent: u32,
    /// Ended orders that each account remembers, and entries of its ledger.
    #[serde(default = "history")]
    pub(crate) history: usize,
}

fn history() -> usize {
    UserSettings::default().closed_orders
}

impl Default for Profile {
    fn default() -> Self {
        let permissions = vec![Permission::View, Permission::Trade, Permission::Transfer];
        Self { name: None, permissions, parent: None, vip_level: 0, fee_percent: 100, history: history() }
    }
}

/// A user as the exchange knows it.
#[derive(Debug)]
pub(crate) struct Record {
    /// The user in the engine.
    pub(crate) id: UserId,
    pub(crate) uid: String,
    pub(crate) name: String,
    /// The account group: what paths begin with.
    pub(crate) group: u32,
    pub(crate) profile: Profile,
    pub(crate) cash_id: String,
    pub(crate) margin_id: String,
    pub(super) secret: Secret,
    pub(super) cash: Journal,
    pub(super) margin: Journal,
    /// Deposits and withdrawals, oldest first.
    pub(super) wallet: VecDeque<Movement>,
    /// Transfers between its sub-accounts and itself, oldest first.
    pub(super) sub_transfers: VecDeque<SubTransfer>,
    /// When the calls were made of which only so many are served in a minute.
    pub(super) reports: VecDeque<u64>,
}

/// A key and its secret, which is kept nowhere else in clear.
pub(crate) struct KeyPair {
    pub(crate) key: String,
    pub(crate) secret: String,
}

impl Accounts {
    /// Adds a user, whose key and secret depend on the seed and the number of users before alone.
    pub(crate) fn add_user(&mut self, market: &mut Market, profile: Profile) -> (UserIx, KeyPair) {
        let Profile { fee_percent, history: closed_orders, .. } = profile;
        let settings = UserSettings { fee_percent, closed_orders, ..UserSettings::default() };
        let id = market.act(|engine| engine.add_user(settings));
        self.add_record(id, profile)
    }

    /// Adds a user whom the engine knows already.
    pub(super) fn add_record(&mut self, id: UserId, profile: Profile) -> (UserIx, KeyPair) {
        self.changes += 1;
        let ix = UserIx(self.users.len());
        let number = ix.0 as u64;
        let (pair, mut random) = self.key_pair(ix);
        // Ten digits, and no two alike.
        let first_uid = 1_000_000_000 + Random::new(blend(self.seed, 0)).below(8_000_000_000);
        let record = Record {
            id,
            uid: format!("U{}", first_uid + number),
            name: profile.name.clone().unwrap_or_else(|| format!("user{number}")),
            group: ((number + 7) % 10) as u32,
            profile,
            cash_id: format!("csh{}", word(&mut random, 29)),
            margin_id: format!("mar{}", word(&mut random, 29)),
            secret: Secret::new(&pair.secret),
            cash: Journal::default(),
            margin: Journal::default(),
            wallet: VecDeque::new(),
            sub_transfers: VecDeque::new(),
            reports: VecDeque::new(),
        };
        self.by_key.insert(pair.key.clone(), ix);
        self.by_engine.insert(id, ix);
        self.users.push(record);
        (ix, pair)
    }

    /// A user's key and secret, and what follows in the sequence that they are drawn from.
    pub(crate) fn key_pair(&self, user: UserIx) -> (KeyPair, Random) {
        let mut random = Random::new(blend(self.seed, user.0 as u64 + 2));
        (KeyPair { key: word(&mut random, 32), secret: word(&mut random, 64) }, random)
    }

    /// All users, in the order in which they were added.
    pub(crate) fn all(&self) -> impl Iterator<Item = UserIx> + use<> {
        (0..self.users.len()).map(UserIx)
    }

    /// Whether a user may do something.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub(crate) fn check_permission(&self, user: UserIx, needed: Permission) -> Result<(), Refusal> {
        match self[user].profile.permissions.contains(&needed) {
            true => Ok(()),
            false => Err(Refusal::new(
                Code::PERMISSION_DENIED,
                format!("The key has no permission to {needed:?}").to_lowercase(),
            )),
        }
    }

    /// The user of this id or name.
    pub(super) fn by_name(&self, name: &str) -> Option<UserIx> {
        self.users.iter().position(|record| record.uid == name || record.name == name).map(UserIx)
    }
}

impl Record {
    /// One of its accounts in the engine.
    pub(crate) fn account(&self, category: Category) -> AccountId {
        AccountId { user: self.id, category }
    }

    /// The id of one of its accounts.
    pub(crate) fn account_id(&self, category: Category) -> &str {
        match category {
            Category::Cash => &self.cash_id,
            Category::Margin => &self.margin_id,
        }
    }

    /// The account that a request names: `cash` or `margin` in any case, or its id.
    pub(crate) fn find_account(&self, name: &str) -> Option<Category> {
        category(name).or_else(|| {
            [Category::Cash, Category::Margin].into_iter().find(|category| self.account_id(*category) == name)
        })
    }

    pub(super) fn journal(&self, category: Category) -> &Journal {
        match category {
            Category::Cash => &self.cash,
            Category::Margin => &self.margin,
        }
    }

    pub(super) fn journal_mut(&mut self, category: Category) -> &mut Journal {
        match category {
            Category::Cash => &mut self.cash,
            Category::Margin => &mut self.margin,
        }
    }
}

/// A category by its name, in any case.
pub(crate) fn category(name: &str) -> Option<Category> {
    let named = |wanted: &str| name.eq_ignore_ascii_case(wanted);
    if named("cash") {
        return Some(Category::Cash);
    }
    named("margin").then_some(Category::Margin)
}

/// A category as answers spell it.
pub(crate) fn label(category: Category) -> &'static str {
    match category {
        Category::Cash => "CASH",
        Category::Margin => "MARGIN",
    }
}

/// A category as paths and `meta` spell it.
pub(crate) fn lower_label(category: Category) -> &'static str {
    match category {
        Category::Cash => "cash",
        Category::Margin => "margin",
    }
}
