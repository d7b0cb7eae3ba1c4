//! The wallet: where to deposit to, and what came and went.

use super::check::page;
use super::endpoint;
use super::request::Request;
use crate::client::Client;
use crate::error::{Error, InvalidInput, Result};
use crate::model::{DepositAddresses, TransactionType, WalletTransactions};
use crate::symbol::Asset;

/// The most transactions of a page.
const MAX_TRANSACTIONS: u32 = 50;

/// The calls of the wallet, from [`Client::wallet`]. They need credentials. There is none for withdrawals: the exchange
/// has them only by arrangement.
///
/// # Errors
/// Each call fails as those of an [`Account`](crate::Account) do.
#[derive(Debug, Clone)]
pub struct Wallet {
    client: Client,
}

impl Wallet {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Where an asset can be deposited to, on all block chains or on one, which is named as the exchange names it
    /// (`ERC20`, `Bitcoin Cash ABC`): `GET /api/pro/v1/wallet/deposit/address`.
    ///
    /// # Errors
    /// As all calls: see [`Wallet`]; [`Error::InvalidInput`] for an asset that is not well formed, and an empty name of a
    /// block chain.
    pub fn deposit_addresses<A>(&self, asset: A, blockchain: Option<&str>) -> Result<DepositAddresses>
    where
        A: TryInto<Asset>,
        Error: From<A::Error>,
    {
        if blockchain.is_some_and(|name| name.trim().is_empty()) {
            return Err(InvalidInput::new("blockchain", "is empty").into());
        }
        let request = Request::new(&endpoint::DEPOSIT_ADDRESSES).param("asset", asset.try_into()?);
        self.client.fetch(&request.maybe("blockchain", blockchain))
    }

    /// One page of deposits and withdrawals: `GET /api/pro/v1/wallet/transactions`.
    ///
    /// # Errors
    /// As all calls: see [`Wallet`]; [`Error::InvalidInput`] naming `txType`, `page` or `pageSize`: a type that is not known,
    /// a page of 0, a page size that is not from 1 to 50.
    pub fn transactions(&self, query: &WalletQuery) -> Result<WalletTransactions> {
        page("page", query.page, u32::MAX)?;
        page("pageSize", query.page_size, MAX_TRANSACTIONS)?;
        if let Some(TransactionType::Other(text)) = &query.tx_type {
            return Err(InvalidInput::new("txType", format!("{text:?} is not deposit or withdrawal")).into());
        }
        let request = Request::new(&endpoint::WALLET_TRANSACTIONS)
            .maybe("asset", query.asset)
            .maybe("txType", query.tx_type.as_ref())
            .maybe("page", query.page)
            .maybe("pageSize", query.page_size);
        self.client.fetch(&request)
    }
}

/// What [`Wallet::transactions`] is asked for. Without settings: the first page, of 20 of any asset.
///
/// ```
/// use bitmax::WalletQuery;
/// use bitmax::model::TransactionType;
/// let query = WalletQuery::new().tx_type(TransactionType::Deposit).page(2).page_size(50);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a query does nothing until it is asked"]
pub struct WalletQuery {
    asset: Option<Asset>,
    tx_type: Option<TransactionType>,
    page: Option<u32>,
    page_size: Option<u32>,
}

impl WalletQuery {
    /// Asks for the first page, of 20 of any asset.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this asset alone (`asset`). Defaults to all.
    pub fn asset(mut self, asset: Asset) -> Self {
        self.asset = Some(asset);
        self
    }

    /// Deposits or withdrawals alone (`txType`). Defaults to both.
    pub fn tx_type(mut self, tx_type: TransactionType) -> Self {
        self.tx_type = Some(tx_type);
        self
    }

    /// Which page, from 1 (`page`). Defaults to 1.
    pub fn page(mut self, page: u32) -> Self {
        self.page = Some(page);
        self
    }

    /// How many transactions a page has, 1 to 50 (`pageSize`). Defaults to 20.
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = Some(size);
        self
    }
}
