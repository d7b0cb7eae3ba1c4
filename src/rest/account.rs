//! Accounts: who the key belongs to, what trading costs, and the handle that trades.

use std::sync::{Arc, OnceLock};

use super::endpoint;
use super::request::Request;
use super::settle::IdRule;
use super::turns::Turns;
use crate::client::Client;
#[expect(unused_imports, reason = "named in docs")]
use crate::error::Error;
use crate::error::Result;
use crate::model::{AccountCategory, AccountInfo, FeeSchedule, SymbolFees};

/// What `info` says that never changes.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) group: u32,
    pub(crate) uid: Box<str>,
}

/// The identity of the key, asked for once.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    known: OnceLock<Arc<Identity>>,
    turns: Turns,
    pub(super) id_rule: IdRule,
}

impl Identities {
    /// The identity, where it has been asked for.
    pub(super) fn known(&self) -> Option<&Identity> {
        self.known.get().map(|identity| &**identity)
    }
}

/// The calls about the account as a whole. They need credentials.
impl Client {
    /// Who the key belongs to and what it may do: `GET /api/pro/v1/info`.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn info(&self) -> Result<AccountInfo> {
        let info: AccountInfo = self.fetch(&Request::new(&endpoint::INFO))?;
        self.identities()
            .known
            .get_or_init(|| Arc::new(Identity { group: info.account_group, uid: info.user_uid.as_str().into() }));
        Ok(info)
    }

    /// What trading costs by the size of the asset: `GET /G/api/pro/v1/spot/fee/info`.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn fees(&self) -> Result<FeeSchedule> {
        self.fetch(&Request::new(&endpoint::FEES))
    }

    /// What trading costs by the product: `GET /G/api/pro/v1/spot/fee`.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn fees_by_symbol(&self) -> Result<SymbolFees> {
        self.fetch(&Request::new(&endpoint::FEES_BY_SYMBOL))
    }

    /// The account of a category, to trade with. The first time, the account group is learned from
    /// [`info`](Self::info); it is kept for all clones of the client.
    ///
    /// # Errors
    /// As all calls: see [`Account`].
    pub fn account(&self, category: AccountCategory) -> Result<Account> {
        Ok(Account { identity: Arc::clone(self.identity()?), client: self.clone(), category })
    }

    /// The account group, from `info` the first time.
    pub(crate) fn account_group(&self) -> Result<u32> {
        Ok(self.identity()?.group)
    }

    /// Account group and UID, from `info` the first time.
    pub(crate) fn identity(&self) -> Result<&Arc<Identity>> {
        let identities = self.identities();
        if let Some(known) = identities.known.get() {
            return Ok(known);
        }
        // Those who wait for another's answer wait no longer than for their own.
        let client = self.ending_by(self.end_of(&endpoint::INFO));
        loop {
            let _turn = identities.turns.take(client.deadline())?;
            if let Some(known) = identities.known.get() {
                return Ok(known);
            }
            client.info()?;
        }
    }
}

/// An account of one category, from [`Client::account`]: balances, orders, history. Cheap to clone.
///
/// Times are UTC milliseconds. Money arguments are text, integers or [`Decimal`](crate::Decimal).
///
/// # Errors
/// Each call fails with
/// - [`Error::InvalidInput`] for an argument that is not well formed, naming it, before anything is sent; a client
///   without credentials is told so by `credentials`;
/// - [`Error::Transport`] or [`Error::Timeout`] when no answer came: [`may_have_executed`](Error::may_have_executed)
///   says whether an order may have been placed nevertheless;
/// - [`Error::Refused`] when the exchange says no;
/// - [`Error::Http`], [`Error::Decode`] or [`Error::TooLarge`] when the answer is not the protocol's.
#[derive(Debug, Clone)]
pub struct Account {
    pub(crate) client: Client,
    pub(super) category: AccountCategory,
    identity: Arc<Identity>,
}

impl Account {
    /// The account's category.
    pub fn category(&self) -> AccountCategory {
        self.category
    }

    /// The account group, which is the same for all accounts of a user (`accountGroup`).
    pub fn group(&self) -> u32 {
        self.identity.group
    }

    /// The user's id, which is a part of the ids of orders; empty where the exchange does not tell it (`userUID`).
    pub fn uid(&self) -> &str {
        &self.identity.uid
    }

    /// A call whose path names the category.
    pub(super) fn request(&self, call: &'static endpoint::Call) -> Request {
        Request::new(call).category(self.category)
    }
}
