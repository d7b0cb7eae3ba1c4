//! What goes in and out: deposit addresses, deposits, withdrawals. The addresses are made up, but always the same.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::order_id::word;
use super::{Accounts, UserIx};
use crate::sandbox::engine::{Category, Fixed};
use crate::sandbox::market::{Market, Random, blend, hash};
use crate::sandbox::products::ListedAsset;
use crate::sandbox::wire::Refusal;
use crate::{Asset, de};

/// Deposits and withdrawals that are remembered of each user.
const REMEMBERED: usize = 1000;

/// A deposit or a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Movement {
    pub(crate) deposit: bool,
    pub(crate) asset: Asset,
    #[serde(with = "de::decimal")]
    pub(crate) amount: Decimal,
    pub(crate) time: u64,
    pub(crate) address: Address,
    pub(crate) transaction: String,
    pub(crate) request: String,
}

/// Where an asset is sent to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    pub(crate) chain: Cow<'static, str>,
    pub(crate) address: String,
    /// What some chains want besides; empty for the others.
    pub(crate) tag: String,
}

impl Accounts {
    /// Credits an account from outside.
    ///
    /// # Errors
    /// An asset that is not listed, an amount that is none.
    pub(crate) fn deposit(
        &mut self,
        market: &mut Market,
        user: UserIx,
        category: Category,
        asset: &str,
        amount: Decimal,
        now: u64,
    ) -> Result<(), Refusal> {
        let (asset, account) = (market.asset(asset)?.clone(), self[user].account(category));
        let (result, _) = self.act(market, "Deposit", |engine| engine.deposit(account, asset.asset, amount, now));
        result?;
        if category == Category::Cash {
            self.remember(user, &asset, true, amount, now);
        }
        Ok(())
    }

    /// Debits the cash account to outside.
    ///
    /// # Errors
    /// An asset that is not listed, an amount that is none, too little available.
    pub(crate) fn withdraw(
        &mut self,
        market: &mut Market,
        user: UserIx,
        asset: &str,
        amount: Decimal,
        now: u64,
    ) -> Result<(), Refusal> {
        let (asset, account) = (market.asset(asset)?.clone(), self[user].account(Category::Cash));
        let (result, _) = self.act(market, "Withdrawal", |engine| engine.withdraw(account, asset.asset, amount, now));
        result?;
        self.remember(user, &asset, false, amount, now);
        Ok(())
    }

    /// Sets what the margin account has borrowed and owes.
    ///
    /// # Errors
    /// An asset that is not listed, a figure below zero.
    pub(crate) fn set_loan(
        &mut self,
        market: &mut Market,
        user: UserIx,
        asset: &str,
        (borrowed, interest): (Decimal, Decimal),
        now: u64,
    ) -> Result<(), Refusal> {
        let (asset, account) = (market.asset(asset)?.asset, self[user].account(Category::Margin));
        let (result, _) = self.act(market, "Loan", |engine| engine.set_loan(account, asset, borrowed, interest, now));
        Ok(result?)
    }

    /// Where the user can send an asset to, by each of its chains.
    pub(crate) fn deposit_addresses(&self, user: UserIx, asset: &ListedAsset) -> Vec<Address> {
        let address = |chain: &&'static str| {
            let key = blend(hash(&self[user].uid), blend(hash(asset.asset.as_str()), hash(chain)));
            made_up(chain, &mut Random::new(key))
        };
        asset.chains.iter().map(address).collect()
    }

    fn remember(&mut self, user: UserIx, asset: &ListedAsset, deposit: bool, amount: Decimal, now: u64) {
        let own = self.deposit_addresses(user, asset).into_iter().next();
        let foreign = made_up(asset.chains.first().unwrap_or(&""), &mut self.random);
        let movement = Movement {
            deposit,
            asset: asset.asset,
            amount,
            time: now,
            address: own.filter(|_| deposit).unwrap_or(foreign),
            transaction: word(&mut self.random, 64),
            request: word(&mut self.random, 32),
        };
        let wallet = &mut self[user].wallet;
        if wallet.len() == REMEMBERED {
            wallet.pop_front();
        }
        wallet.push_back(movement);
    }
}

/// An address that looks like one of the chain.
fn made_up(chain: &'static str, random: &mut Random) -> Address {
    let address = match chain {
        "ERC20" => format!("0x{:016x}{:016x}{:08x}", random.next(), random.next(), random.next() >> 32),
        "TRC20" => format!("T{}", word(random, 33)),
        _ => format!("1{}", word(random, 33)),
    };
    let tag = if chain == "Ripple" { random.below(1_000_000_000).to_string() } else { String::new() };
    Address { chain: chain.into(), address, tag }
}

/// An amount as it is written.
pub(crate) fn plain(amount: Decimal) -> String {
    Fixed::from_decimal(amount).map_or_else(|| amount.to_string(), |amount| amount.to_string())
}
