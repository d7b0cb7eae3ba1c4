//! Balances, and money moved between one's own accounts.

use serde::Serialize;

use super::account::Account;
use super::check::{order_of_times, page, visible};
use super::endpoint;
use super::request::Request;
use crate::client::Client;
use crate::date::Date;
use crate::de;
use crate::decimal::{ToDecimal, positive};
use crate::error::{Error, InvalidInput, Result};
use crate::model::{
    AccountCategory, AccountKind, Balance, BalanceHistory, BalanceSnapshot, MarginRisk, Rows, SubuserTransferTaken,
    SubuserTransfers, TransferMode,
};
use crate::symbol::Asset;
use rust_decimal::Decimal;

/// The most changes of a page of the balance history.
pub(super) const MAX_CHANGES: u32 = 500;

/// The most transfers of a page.
const MAX_TRANSFERS: u32 = 10;

impl Account {
    /// What the account holds: `GET /G/api/pro/v1/AC/balance`.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    ///
    /// ```no_run
    /// use bitmax::BalanceQuery;
    /// # fn show(account: &bitmax::Account) -> bitmax::Result<()> {
    /// for balance in account.balances(&BalanceQuery::new())? {
    ///     println!("{} {}", balance.asset, balance.available_balance);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn balances(&self, query: &BalanceQuery) -> Result<Rows<Balance>> {
        let request = self.request(&endpoint::BALANCES).maybe("asset", query.asset);
        self.client.fetch(&if query.show_all { request.param("showAll", true) } else { request })
    }

    /// What the account holds of one asset; `None` where the exchange has no word of it: `GET
    /// /G/api/pro/v1/AC/balance`.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] for an asset that is not well formed.
    pub fn balance<A>(&self, asset: A) -> Result<Option<Balance>>
    where
        A: TryInto<Asset>,
        Error: From<A::Error>,
    {
        let asset = asset.try_into()?;
        let balances = self.balances(&BalanceQuery { asset: Some(asset), show_all: false })?;
        Ok(balances.into_iter().find(|balance| balance.asset == asset))
    }

    /// How much the margin account can bear: `GET /G/api/pro/v1/margin/risk`.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] naming `account` where it is none of margin.
    pub fn risk(&self) -> Result<MarginRisk> {
        if self.category != AccountCategory::Margin {
            return Err(InvalidInput::new("account", "only a margin account has risk figures").into());
        }
        self.client.fetch(&self.request(&endpoint::MARGIN_RISK))
    }

    /// What the account held at the start of a day, given as text (`YYYY-mm-dd`) or as a [`Date`]: `GET
    /// /api/pro/data/v1/AC/balance/snapshot`. The exchange answers 8 such calls a minute, for the last 7 days.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] for a date that does not exist.
    pub fn balance_snapshot<D>(&self, date: D) -> Result<BalanceSnapshot>
    where
        D: TryInto<Date>,
        Error: From<D::Error>,
    {
        self.client.fetch(&self.request(&endpoint::BALANCE_SNAPSHOT).param("date", date.try_into()?))
    }

    /// What changed the account's balances from a number on (`sn`), one page of at most `limit` changes (1 to 500), or
    /// of as many as the exchange likes: `GET /api/pro/data/v1/AC/balance/history`. The exchange answers 8 such calls a
    /// minute, for the last 7 days. [`ledger`](Self::ledger) reads a whole day.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] for a limit of 0 or over 500.
    pub fn balance_history(&self, sn: u64, limit: Option<u32>) -> Result<BalanceHistory> {
        page("limit", limit, MAX_CHANGES)?;
        self.client.fetch(&self.request(&endpoint::BALANCE_HISTORY).param("sn", sn).maybe("limit", limit))
    }
}

/// Money moved between accounts of one's own. These calls need credentials.
impl Client {
    /// Moves an amount of an asset from one of one's own accounts to another: `POST /G/api/pro/v1/transfer`.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] naming `amount`, `asset`, `fromAccount` or `toAccount`: an
    /// amount that is not more than zero, an asset that is not well formed, an account that is not known or twice the
    /// same.
    ///
    /// ```no_run
    /// use bitmax::model::AccountKind;
    /// # fn move_some(client: &bitmax::Client) -> bitmax::Result<()> {
    /// client.transfer("11.5", "USDT", AccountKind::Cash, AccountKind::Margin)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn transfer<A>(
        &self,
        amount: impl ToDecimal,
        asset: A,
        from: impl Into<AccountKind>,
        to: impl Into<AccountKind>,
    ) -> Result<()>
    where
        A: TryInto<Asset>,
        Error: From<A::Error>,
    {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            #[serde(with = "de::decimal")]
            amount: Decimal,
            asset: Asset,
            from_account: AccountKind,
            to_account: AccountKind,
        }
        let body = Body {
            amount: positive("amount", amount)?,
            asset: asset.try_into()?,
            from_account: known("fromAccount", from.into())?,
            to_account: known("toAccount", to.into())?,
        };
        if body.from_account == body.to_account {
            return Err(InvalidInput::new("toAccount", "is the account that it comes from").into());
        }
        self.fetch(&Request::new(&endpoint::TRANSFER).body(&body))
    }

    /// Moves an amount of an asset between sub-accounts: `POST /G/api/pro/v2/subuser/subuser-transfer`. Only the parent
    /// account may.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn subuser_transfer(&self, transfer: &SubuserTransfer) -> Result<SubuserTransferTaken> {
        self.fetch(&Request::new(&endpoint::SUBUSER_TRANSFER).body(transfer))
    }

    /// One page of the transfers between sub-accounts: `POST /G/api/pro/v2/subuser/subuser-transfer-hist`. Only the
    /// parent account may.
    ///
    /// # Errors
    /// As all calls: see [`Account`]; [`Error::InvalidInput`] naming `subUserId`, `page`, `pageSize` or `endTime`: an id
    /// that is not one word, a page of 0, a page size that is not from 1 to 10, a range that ends before it starts.
    pub fn subuser_transfers(&self, query: &SubuserTransfersQuery) -> Result<SubuserTransfers> {
        query.sub_user_id.as_deref().map(|id| visible("subUserId", id)).transpose()?;
        page("page", Some(query.page), u32::MAX)?;
        page("pageSize", Some(query.page_size), MAX_TRANSFERS)?;
        order_of_times(query.start_time, query.end_time)?;
        self.fetch(&Request::new(&endpoint::SUBUSER_TRANSFERS).body(query))
    }
}

/// What [`Account::balances`] is asked for. Without settings: every asset of which there is something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct BalanceQuery {
    asset: Option<Asset>,
    show_all: bool,
}

impl BalanceQuery {
    /// Asks for every asset of which there is something.
    pub fn new() -> Self {
        Self::default()
    }

    /// This asset alone (`asset`). Defaults to all.
    pub fn asset(mut self, asset: Asset) -> Self {
        self.asset = Some(asset);
        self
    }

    /// Also those of which there is nothing (`showAll`). Defaults to no.
    pub fn show_all(mut self) -> Self {
        self.show_all = true;
        self
    }
}

/// A transfer between sub-accounts, for [`Client::subuser_transfer`].
///
/// ```
/// use bitmax::SubuserTransfer;
/// use bitmax::model::AccountKind;
/// let parent = ("parentUser", AccountKind::Cash);
/// let transfer = SubuserTransfer::new("40", "USDT", parent, ("sub1", AccountKind::Cash))?;
/// # Ok::<(), bitmax::InvalidInput>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use = "a transfer does nothing until it is sent"]
pub struct SubuserTransfer {
    user_from: String,
    user_to: String,
    ac_from: AccountKind,
    ac_to: AccountKind,
    asset: Asset,
    #[serde(with = "de::decimal")]
    amount: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<TransferMode>,
}

impl SubuserTransfer {
    /// Moves an amount of an asset from an account of a user to an account of a user. A user is given by id or name,
    /// the parent account by `parentUser`.
    ///
    /// # Errors
    /// [`InvalidInput`] naming `amount`, `asset`, `userFrom`, `userTo`, `acFrom` or `acTo`: an amount that is not more than
    /// zero, an asset or a user that is not well formed, an account that is not known, twice the same account.
    pub fn new<A>(
        amount: impl ToDecimal,
        asset: A,
        from: (&str, AccountKind),
        to: (&str, AccountKind),
    ) -> Result<Self, InvalidInput>
    where
        A: TryInto<Asset>,
        InvalidInput: From<A::Error>,
    {
        if from == to {
            return Err(InvalidInput::new("userTo", "is the account that it comes from"));
        }
        Ok(Self {
            amount: positive("amount", amount)?,
            asset: asset.try_into()?,
            user_from: visible("userFrom", from.0)?.to_owned(),
            ac_from: known("acFrom", from.1)?,
            user_to: visible("userTo", to.0)?.to_owned(),
            ac_to: known("acTo", to.1)?,
            mode: None,
        })
    }

    /// What the answer waits for (`mode`). Defaults to the exchange's own choice.
    pub fn mode(mut self, mode: TransferMode) -> Self {
        self.mode = Some(mode);
        self
    }
}

/// What [`Client::subuser_transfers`] is asked for. Without settings: the first page of ten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use = "a query does nothing until it is asked"]
pub struct SubuserTransfersQuery {
    sub_user_id: Option<String>,
    asset: Option<Asset>,
    start_time: Option<u64>,
    end_time: Option<u64>,
    page: u32,
    page_size: u32,
}

impl Default for SubuserTransfersQuery {
    fn default() -> Self {
        Self { sub_user_id: None, asset: None, start_time: None, end_time: None, page: 1, page_size: MAX_TRANSFERS }
    }
}

impl SubuserTransfersQuery {
    /// Asks for the first page of ten.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this sub-account alone (`subUserId`). Defaults to all.
    pub fn sub_user(mut self, id: impl Into<String>) -> Self {
        self.sub_user_id = Some(id.into());
        self
    }

    /// Of this asset alone (`asset`). Defaults to all.
    pub fn asset(mut self, asset: Asset) -> Self {
        self.asset = Some(asset);
        self
    }

    /// Not before this time, UTC milliseconds (`startTime`). Defaults to none.
    pub fn start_time(mut self, millis: u64) -> Self {
        self.start_time = Some(millis);
        self
    }

    /// Not after this time, UTC milliseconds (`endTime`). Defaults to none.
    pub fn end_time(mut self, millis: u64) -> Self {
        self.end_time = Some(millis);
        self
    }

    /// Which page, from 1 (`page`). Defaults to 1.
    pub fn page(mut self, page: u32) -> Self {
        self.page = page;
        self
    }

    /// How many transfers a page has, 1 to 10 (`pageSize`). Defaults to 10.
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = size;
        self
    }
}

fn known(field: &'static str, kind: AccountKind) -> Result<AccountKind, InvalidInput> {
    match kind.is_known() {
        true => Ok(kind),
        false => Err(InvalidInput::new(field, format!("{:?} is not cash, margin or futures", kind.as_str()))),
    }
}
