//! The table of calls, as data.

use std::fmt::{self, Display};

use super::transport::Method::{self, Delete, Get, Post};

/// A call of the protocol.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) method: Method,
    /// Below the base, or below the account group; `{ac}` stands for the account category.
    pub(super) path: &'static str,
    pub(super) scope: Scope,
    pub(super) part: Part,
    /// Whether it changes nothing, so that it may be made again where nobody knows what became of it.
    pub(super) repeatable: bool,
    /// Whether it is for the details of balances, of which the exchange answers a few a minute.
    pub(super) detail: bool,
}

/// Who may make a call, and what is signed for it: its *prehash*, in which `{ac}` stands for the account category.
/// It is not always the path.
#[derive(Debug)]
pub(super) enum Scope {
    /// Anyone.
    Public,
    /// The holder of a key.
    Signed(&'static str),
    /// The same, and the path stands below the account group.
    Group(&'static str),
}

/// Where an answer stands in the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// In `data`.
    Data,
    /// In `info`.
    Info,
    /// It is the whole body, without an envelope.
    Whole,
    /// There is none beyond that it is done.
    Nothing,
}

impl Call {
    const fn new(method: Method, path: &'static str, scope: Scope) -> Self {
        Self { method, path, scope, part: Part::Data, repeatable: false, detail: false }
    }

    const fn public(path: &'static str) -> Self {
        Self::new(Get, path, Scope::Public).repeatable()
    }

    const fn signed(method: Method, path: &'static str, prehash: &'static str) -> Self {
        Self::new(method, path, Scope::Signed(prehash))
    }

    const fn of_group(method: Method, path: &'static str, prehash: &'static str) -> Self {
        Self::new(method, path, Scope::Group(prehash))
    }

    const fn answers(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    const fn detail(mut self) -> Self {
        self.detail = true;
        self
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)
    }
}

// Public market data.
pub(crate) const ASSETS: Call = Call::public("/api/pro/v2/assets");
pub(crate) const ASSETS_V1: Call = Call::public("/api/pro/v1/assets");
pub(crate) const PRODUCTS: Call = Call::public("/api/pro/v1/{ac}/products");
pub(crate) const PRODUCTS_V1: Call = Call::public("/api/pro/v1/products");
pub(crate) const TICKER: Call = Call::public("/api/pro/v1/spot/ticker");
pub(crate) const BAR_INTERVALS: Call = Call::public("/api/pro/v1/barhist/info");
pub(crate) const BARS: Call = Call::public("/api/pro/v1/barhist");
pub(crate) const DEPTH: Call = Call::public("/api/pro/v1/depth");
pub(crate) const TRADES: Call = Call::public("/api/pro/v1/trades");
pub(crate) const RISK_LIMITS: Call = Call::public("/api/pro/v2/risk-limit-info");
pub(crate) const RISK_LIMITS_V1: Call = Call::public("/api/pro/v1/risk-limit-info");
pub(crate) const EXCHANGE_INFO: Call = Call::public("/api/pro/v1/exchange-info");

// Account.
pub(crate) const INFO: Call = Call::signed(Get, "/api/pro/v1/info", "info").repeatable();
pub(crate) const FEES: Call = Call::of_group(Get, "/api/pro/v1/spot/fee/info", "fee").repeatable();
pub(crate) const FEES_BY_SYMBOL: Call = Call::of_group(Get, "/api/pro/v1/spot/fee", "fee").repeatable();

// Balances and transfers.
pub(crate) const BALANCES: Call = Call::of_group(Get, "/api/pro/v1/{ac}/balance", "balance").repeatable();
pub(crate) const MARGIN_RISK: Call = Call::of_group(Get, "/api/pro/v1/margin/risk", "margin/risk").repeatable();
pub(crate) const TRANSFER: Call = Call::of_group(Post, "/api/pro/v1/transfer", "transfer").answers(Part::Nothing);
pub(crate) const SUBUSER_TRANSFER: Call =
    Call::of_group(Post, "/api/pro/v2/subuser/subuser-transfer", "subuser-transfer").answers(Part::Info);
pub(crate) const SUBUSER_TRANSFERS: Call =
    Call::of_group(Post, "/api/pro/v2/subuser/subuser-transfer-hist", "subuser-transfer-hist").repeatable();
pub(crate) const BALANCE_SNAPSHOT: Call =
    Call::signed(Get, "/api/pro/data/v1/{ac}/balance/snapshot", "data/v1/{ac}/balance/snapshot")
        .answers(Part::Whole)
        .repeatable()
        .detail();
pub(crate) const BALANCE_HISTORY: Call =
    Call::signed(Get, "/api/pro/data/v1/{ac}/balance/history", "data/v1/{ac}/balance/history")
        .answers(Part::Whole)
        .repeatable()
        .detail();

// Wallet.
pub(crate) const DEPOSIT_ADDRESSES: Call =
    Call::signed(Get, "/api/pro/v1/wallet/deposit/address", "wallet/deposit/address").repeatable();
pub(crate) const WALLET_TRANSACTIONS: Call =
    Call::signed(Get, "/api/pro/v1/wallet/transactions", "wallet/transactions").repeatable();

// Orders.
pub(crate) const PLACE: Call = Call::of_group(Post, "/api/pro/v1/{ac}/order", "order");
pub(crate) const CANCEL: Call = Call::of_group(Delete, "/api/pro/v1/{ac}/order", "order");
pub(crate) const CANCEL_ALL: Call = Call::of_group(Delete, "/api/pro/v1/{ac}/order/all", "order/all");
pub(crate) const PLACE_BATCH: Call = Call::of_group(Post, "/api/pro/v1/{ac}/order/batch", "order/batch");
pub(crate) const CANCEL_BATCH: Call = Call::of_group(Delete, "/api/pro/v1/{ac}/order/batch", "order/batch");
pub(crate) const ORDER_STATUS: Call = Call::of_group(Get, "/api/pro/v1/{ac}/order/status", "order/status").repeatable();
pub(crate) const OPEN_ORDERS: Call = Call::of_group(Get, "/api/pro/v1/{ac}/order/open", "order/open").repeatable();
pub(crate) const RECENT_ORDERS: Call =
    Call::of_group(Get, "/api/pro/v1/{ac}/order/hist/current", "order/hist/current").repeatable();
pub(crate) const ORDER_HISTORY: Call =
    Call::signed(Get, "/api/pro/data/v2/order/hist", "data/v2/order/hist").repeatable();
pub(crate) const ORDER_HISTORY_V1: Call = Call::of_group(Get, "/api/pro/v1/order/hist", "order/hist").repeatable();
