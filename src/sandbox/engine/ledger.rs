//! Who has what: balances, collected fees and the supply of each asset.
//!
//! For each asset the balances of all accounts and the collected fees sum up to the supply, exactly: every method
//! here but [`Ledger::credit`] and [`Ledger::debit`] moves amounts only, and those two change the supply with it;
//! [`Ledger::settle`] makes it so for balances that come from elsewhere.

use std::collections::HashMap;
use std::ops::{Index, IndexMut};

use super::account::{AccountId, Balance, Category};
use super::fixed::Fixed;
use crate::Asset;

/// An asset's place in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AssetIx(usize);

/// An account's place in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AccountIx(usize);

impl AccountIx {
    /// The account's number: rows of accounts elsewhere are in the same order.
    pub(super) fn place(self) -> usize {
        self.0
    }
}

#[derive(Debug)]
struct Pot {
    asset: Asset,
    fees: Fixed,
    supply: Fixed,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pots: Vec<Pot>,
    by_name: HashMap<Asset, AssetIx>,
    // One row an account, in each one balance an asset.
    balances: Vec<Vec<Balance>>,
}

impl Ledger {
    /// The asset's place; a new one for a new asset.
    pub(super) fn add_asset(&mut self, asset: Asset) -> AssetIx {
        if let Some(ix) = self.by_name.get(&asset) {
            return *ix;
        }
        let ix = AssetIx(self.pots.len());
        self.pots.push(Pot { asset, fees: Fixed::ZERO, supply: Fixed::ZERO });
        self.by_name.insert(asset, ix);
        for row in &mut self.balances {
            row.push(Balance::default());
        }
        ix
    }

    /// Adds a user's two accounts, in the order that [`account`](Self::account) counts on.
    pub(super) fn add_user(&mut self) -> usize {
        let user = self.balances.len() / 2;
        self.balances.extend([vec![Balance::default(); self.pots.len()], vec![Balance::default(); self.pots.len()]]);
        user
    }

    pub(super) fn asset(&self, asset: Asset) -> Option<AssetIx> {
        self.by_name.get(&asset).copied()
    }

    pub(super) fn account(&self, account: AccountId) -> Option<AccountIx> {
        let ix = account.user.0 * 2 + usize::from(account.category == Category::Margin);
        (ix < self.balances.len()).then_some(AccountIx(ix))
    }

    /// How many accounts there are.
    pub(super) fn accounts(&self) -> usize {
        self.balances.len()
    }

    pub(super) fn assets(&self) -> impl Iterator<Item = (Asset, AssetIx)> {
        self.pots.iter().enumerate().map(|(ix, pot)| (pot.asset, AssetIx(ix)))
    }

    /// What all accounts together have of an asset.
    pub(super) fn sum(&self, asset: AssetIx) -> Fixed {
        self.balances.iter().filter_map(|row| row.get(asset.0)).map(|balance| balance.total).sum()
    }

    pub(super) fn fees(&self, asset: AssetIx) -> Fixed {
        self.pots.get(asset.0).map_or(Fixed::ZERO, |pot| pot.fees)
    }

    pub(super) fn supply(&self, asset: AssetIx) -> Fixed {
        self.pots.get(asset.0).map_or(Fixed::ZERO, |pot| pot.supply)
    }
}

/// Moving amounts.
impl Ledger {
    /// Brings an amount in from outside; whether the supply allows it.
    pub(super) fn credit(&mut self, account: AccountIx, asset: AssetIx, amount: Fixed) -> bool {
        let Some(pot) = self.pots.get_mut(asset.0) else { return false };
        if pot.supply + amount > Fixed::MAX {
            return false;
        }
        pot.supply += amount;
        self[(account, asset)].total += amount;
        true
    }

    /// Takes an amount out; whether so much is available.
    pub(super) fn debit(&mut self, account: AccountIx, asset: AssetIx, amount: Fixed) -> bool {
        let balance = &mut self[(account, asset)];
        if balance.available() < amount {
            return false;
        }
        balance.total -= amount;
        if let Some(pot) = self.pots.get_mut(asset.0) {
            pot.supply -= amount;
        }
        true
    }

    /// Moves an amount between accounts; whether so much is available.
    pub(super) fn transfer(&mut self, from: AccountIx, to: AccountIx, asset: AssetIx, amount: Fixed) -> bool {
        if self[(from, asset)].available() < amount {
            return false;
        }
        self[(from, asset)].total -= amount;
        self[(to, asset)].total += amount;
        true
    }

    /// Sets supply and fees of an asset, and gives what is missing to the one of the first `accounts` accounts that has
    /// most of it, or takes from it what is too much; whether that adds up.
    pub(super) fn settle(&mut self, asset: AssetIx, supply: Fixed, fees: Fixed, accounts: usize) -> bool {
        let missing = supply - fees - self.sum(asset);
        let Some(pot) = self.pots.get_mut(asset.0) else { return false };
        (pot.supply, pot.fees) = (supply, fees);
        let rows = self.balances.iter_mut().take(accounts).filter_map(|row| row.get_mut(asset.0));
        if let Some(balance) = rows.max_by_key(|balance| balance.total).filter(|_| !missing.is_zero()) {
            balance.total += missing;
            return fees >= Fixed::ZERO && balance.available() >= Fixed::ZERO;
        }
        fees >= Fixed::ZERO && missing.is_zero()
    }

    /// Moves an amount from an account to the collected fees.
    pub(super) fn charge(&mut self, account: AccountIx, asset: AssetIx, fee: Fixed) {
        self[(account, asset)].total -= fee;
        if let Some(pot) = self.pots.get_mut(asset.0) {
            pot.fees += fee;
        }
    }
}

impl Index<(AccountIx, AssetIx)> for Ledger {
    type Output = Balance;
    #[expect(clippy::indexing_slicing)]
    fn index(&self, (account, asset): (AccountIx, AssetIx)) -> &Balance {
        &self.balances[account.0][asset.0] // cannot fail: places are given out here only, and rows are never removed
    }
}

impl IndexMut<(AccountIx, AssetIx)> for Ledger {
    #[expect(clippy::indexing_slicing)]
    fn index_mut(&mut self, (account, asset): (AccountIx, AssetIx)) -> &mut Balance {
        &mut self.balances[account.0][asset.0] // cannot fail: as in `index`
    }
}
