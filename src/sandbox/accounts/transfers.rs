//! Moving amounts between accounts: a user's own, and those of a parent user and its sub-users.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::users::{category, lower_label};
use super::{Accounts, Fields, UserIx};
use crate::sandbox::engine::{AccountId, Category};
use crate::sandbox::market::Market;
use crate::sandbox::wire::Refusal;
use crate::{Asset, Code, de};

/// Transfers between sub-users that are remembered of each parent.
const REMEMBERED: usize = 1000;
/// What a parent user is called among its sub-users.
const PARENT: &str = "parentUser";

/// A transfer between sub-users, or with their parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubTransfer {
    pub(crate) time: u64,
    pub(crate) from: Party,
    pub(crate) to: Party,
    pub(crate) asset: Asset,
    #[serde(with = "de::decimal")]
    pub(crate) amount: Decimal,
}

/// One end of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Party {
    pub(crate) user: UserIx,
    pub(crate) category: Category,
}

/// Which transfers are wanted.
#[derive(Debug, Default)]
pub(crate) struct SubTransferFilter {
    pub(crate) user: Option<UserIx>,
    pub(crate) asset: Option<String>,
    pub(crate) start: Option<u64>,
    pub(crate) end: Option<u64>,
}

impl Accounts {
    /// Moves an amount between two accounts of one user.
    ///
    /// # Errors
    /// A field that is missing or malformed, accounts that are the same, too little available.
    pub(crate) fn transfer(
        &mut self,
        market: &mut Market,
        user: UserIx,
        fields: &Fields<'_>,
        now: u64,
    ) -> Result<(), Refusal> {
        let (asset, amount) = asset_and_amount(market, fields)?;
        let from = self[user].account(category_field(fields, "fromAccount")?);
        let to = self[user].account(category_field(fields, "toAccount")?);
        self.shift(market, "Transfer", (from, to), asset, amount, now)
    }

    /// Moves an amount between the accounts of a parent user and its sub-users.
    ///
    /// # Errors
    /// As [`transfer`](Self::transfer); `PERMISSION_DENIED` for whoever is no parent; `ACCOUNT_NOT_FOUND` for a user
    /// that is none of the parent's.
    pub(crate) fn sub_transfer(
        &mut self,
        market: &mut Market,
        parent: UserIx,
        fields: &Fields<'_>,
        now: u64,
    ) -> Result<(), Refusal> {
        self.check_parent(parent)?;
        let (asset, amount) = asset_and_amount(market, fields)?;
        let party = |user: &str, account: &str| {
            let user = self.member(parent, &required(fields, user)?)?;
            Ok::<_, Refusal>(Party { user, category: category_field(fields, account)? })
        };
        let (from, to) = (party("userFrom", "acFrom")?, party("userTo", "acTo")?);
        let [source, target] = [from, to].map(|party| self[party.user].account(party.category));
        self.shift(market, "SubuserTransfer", (source, target), asset, amount, now)?;
        let transfers = &mut self[parent].sub_transfers;
        if transfers.len() == REMEMBERED {
            transfers.pop_front();
        }
        transfers.push_back(SubTransfer { time: now, from, to, asset, amount });
        Ok(())
    }

    /// The transfers of a parent user, newest first.
    ///
    /// # Errors
    /// `PERMISSION_DENIED` for whoever is no parent.
    pub(crate) fn sub_transfers(
        &self,
        parent: UserIx,
        filter: &SubTransferFilter,
    ) -> Result<impl Iterator<Item = &SubTransfer>, Refusal> {
        self.check_parent(parent)?;
        Ok(self[parent].sub_transfers.iter().rev().filter(move |transfer| {
            filter.user.is_none_or(|user| user == transfer.from.user || user == transfer.to.user)
                && filter.asset.as_ref().is_none_or(|asset| asset == transfer.asset.as_str())
                && filter.start.is_none_or(|start| start <= transfer.time)
                && filter.end.is_none_or(|end| transfer.time <= end)
        }))
    }

    /// The user of this name in a family: the parent or one of its sub-users.
    ///
    /// # Errors
    /// `ACCOUNT_NOT_FOUND`.
    pub(super) fn member(&self, parent: UserIx, name: &str) -> Result<UserIx, Refusal> {
        if name.eq_ignore_ascii_case(PARENT) {
            return Ok(parent);
        }
        self.by_name(name)
            .filter(|user| *user == parent || self[*user].profile.parent == Some(parent))
            .ok_or_else(|| Refusal::new(Code::ACCOUNT_NOT_FOUND, format!("No such user: {name}")))
    }

    fn check_parent(&self, user: UserIx) -> Result<(), Refusal> {
        match self[user].profile.parent {
            None => Ok(()),
            Some(_) => Err(Refusal::new(Code::PERMISSION_DENIED, "Only the parent user may do this")),
        }
    }

    fn shift(
        &mut self,
        market: &mut Market,
        cause: &'static str,
        (from, to): (AccountId, AccountId),
        asset: Asset,
        amount: Decimal,
        now: u64,
    ) -> Result<(), Refusal> {
        let (result, _) = self.act(market, cause, |engine| engine.transfer(from, to, asset, amount, now));
        Ok(result?)
    }
}

fn asset_and_amount(market: &Market, fields: &Fields<'_>) -> Result<(Asset, Decimal), Refusal> {
    let asset = market.asset(&required(fields, "asset")?)?.asset;
    let amount = fields.decimal("amount")?.ok_or_else(|| missing("amount"))?;
    Ok((asset, amount))
}

fn category_field(fields: &Fields<'_>, name: &str) -> Result<Category, Refusal> {
    let text = required(fields, name)?;
    category(&text)
        .ok_or_else(|| Refusal::new(Code::INVALID_ARGUMENT, format!("Invalid {name}: {text}, not cash or margin")))
}

fn required(fields: &Fields<'_>, name: &str) -> Result<String, Refusal> {
    fields.text(name)?.ok_or_else(|| missing(name))
}

/// The refusal of a request that lacks a field or parameter.
pub(super) fn missing(name: &str) -> Refusal {
    Refusal::new(Code::INVALID_ARGUMENT, format!("Missing {name}"))
}

impl Party {
    /// As the history names it: the user's name, and the account.
    pub(super) fn names(self, accounts: &Accounts) -> (String, &'static str) {
        let record = &accounts[self.user];
        let user = match record.profile.parent {
            Some(_) => record.name.clone(),
            None => "ParentUser".to_owned(),
        };
        (user, lower_label(self.category))
    }
}
