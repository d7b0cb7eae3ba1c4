//! Accounts and what they hold.

use serde::{Deserialize, Serialize};

use super::fixed::Fixed;

/// A user: one cash and one margin account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(pub(super) usize);

/// The kind of an account (`ac`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Category {
    /// `CASH`.
    Cash,
    /// `MARGIN`.
    Margin,
}

/// One of a user's accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountId {
    /// Whose it is.
    pub user: UserId,
    /// Which of the user's it is.
    pub category: Category,
}

impl UserId {
    /// The user's cash account.
    pub fn cash(self) -> AccountId {
        AccountId { user: self, category: Category::Cash }
    }

    /// The user's margin account.
    pub fn margin(self) -> AccountId {
        AccountId { user: self, category: Category::Margin }
    }
}

/// What a user may do and how much of it is remembered.
#[derive(Debug, Clone, Copy)]
pub struct UserSettings {
    /// Open orders that each account may have; one more is refused. Default 1000.
    pub open_orders: usize,
    /// Ended orders of each account that are remembered, the oldest forgotten first. Default 10 000.
    pub closed_orders: usize,
    /// Whether the user may trade products in the state `InternalTrading`. Default no.
    pub internal: bool,
    /// Whether what happens to the user's orders is no event. Default no.
    pub silent: bool,
    /// What the user pays of the products' fees, in percent; more than 100 counts as 100. Default 100.
    pub fee_percent: u32,
}

impl Default for UserSettings {
    fn default() -> Self {
        Self { open_orders: 1000, closed_orders: 10_000, internal: false, silent: false, fee_percent: 100 }
    }
}

/// What an account has of one asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// All of it (`totalBalance`, `tb`).
    pub total: Fixed,
    /// What open orders hold of it.
    pub held: Fixed,
    /// Borrowed, a figure that only `set_loan` changes; margin (`borrowed`, `brw`).
    pub borrowed: Fixed,
    /// Interest owed, a figure that only `set_loan` changes; margin (`interest`, `int`).
    pub interest: Fixed,
}

impl Balance {
    /// What is free for orders and transfers (`availableBalance`, `ab`).
    pub fn available(self) -> Fixed {
        self.total - self.held
    }
}
