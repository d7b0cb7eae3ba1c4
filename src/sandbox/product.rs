//! Products that the program adds to those that are listed.

use super::engine::{Commission, ProductSpec, Status};
use super::user::amount;
use super::{Sandbox, SandboxError};
use crate::{Asset, Decimal, Symbol};

/// A product to add: [`Sandbox::add_product`]. Figures are text, integers or [`Decimal`].
///
/// Nobody but users trades it, unless [`activity`](Self::activity) says so: its book begins empty, so that a test
/// knows all that is in it.
#[derive(Debug, Clone)]
#[must_use = "this is only a description; `Sandbox::add_product` adds it"]
pub struct ProductOptions {
    symbol: String,
    tick_size: String,
    lot_size: String,
    notional: (String, String),
    commission: Commission,
    fees: (String, String),
    margin_tradable: bool,
    price: String,
    activity: u32,
}

impl ProductOptions {
    /// A product of this symbol, say `ABC/USDT`. Its quote asset must be listed already; its base asset need not be.
    pub fn new(symbol: &str) -> Self {
        Self {
            symbol: symbol.to_owned(),
            tick_size: "0.01".to_owned(),
            lot_size: "0.001".to_owned(),
            notional: ("5".to_owned(), "400000".to_owned()),
            commission: Commission::Quote,
            fees: ("0.001".to_owned(), "0.001".to_owned()),
            margin_tradable: true,
            price: "100".to_owned(),
            activity: 0,
        }
    }

    /// What prices are multiples of, in the quote asset. Defaults to 0.01.
    pub fn tick_size(mut self, tick_size: impl ToString) -> Self {
        self.tick_size = tick_size.to_string();
        self
    }

    /// What quantities are multiples of, in the base asset. Defaults to 0.001.
    pub fn lot_size(mut self, lot_size: impl ToString) -> Self {
        self.lot_size = lot_size.to_string();
        self
    }

    /// Least and greatest price × quantity of a limit order, in the quote asset. Defaults to 5 and 400 000.
    pub fn notional(mut self, least: impl ToString, greatest: impl ToString) -> Self {
        self.notional = (least.to_string(), greatest.to_string());
        self
    }

    /// In which asset the commission is charged. Defaults to the quote asset.
    pub fn commission(mut self, commission: Commission) -> Self {
        self.commission = commission;
        self
    }

    /// The maker's and the taker's fee, as shares. Orders reserve the greater. Defaults to 0.001 for both.
    pub fn fees(mut self, maker: impl ToString, taker: impl ToString) -> Self {
        self.fees = (maker.to_string(), taker.to_string());
        self
    }

    /// Keeps margin accounts from trading it.
    pub fn cash_only(mut self) -> Self {
        self.margin_tradable = false;
        self
    }

    /// About what the base asset is worth, in the quote asset, should it not be listed yet. Defaults to 100.
    pub fn price(mut self, price: impl ToString) -> Self {
        self.price = price.to_string();
        self
    }

    /// About how many trades a minute the market's own participants make in it, who then quote it as well.
    /// Defaults to 0: they leave it alone.
    pub fn activity(mut self, trades_a_minute: u32) -> Self {
        self.activity = trades_a_minute;
        self
    }

    fn spec(&self) -> Result<ProductSpec, SandboxError> {
        let invalid = |field| SandboxError::InvalidSetting { field, problem: "not a pair of assets, such as ABC/USDT" };
        let symbol = Symbol::new(&self.symbol).map_err(|_| invalid("symbol"))?;
        let asset = |name: Option<&str>| name.and_then(|name| Asset::new(name).ok()).ok_or_else(|| invalid("symbol"));
        let fees = (figure("maker_fee", &self.fees.0)?, figure("taker_fee", &self.fees.1)?);
        Ok(ProductSpec {
            symbol,
            base: asset(Some(symbol.base()))?,
            quote: asset(symbol.quote())?,
            tick_size: figure("tick_size", &self.tick_size)?,
            lot_size: figure("lot_size", &self.lot_size)?,
            min_qty: Decimal::new(1, 9),
            max_qty: Decimal::from(1_000_000_000),
            min_notional: figure("min_notional", &self.notional.0)?,
            max_notional: figure("max_notional", &self.notional.1)?,
            commission: self.commission,
            reserve_rate: fees.0.max(fees.1),
            maker_fee: fees.0,
            taker_fee: fees.1,
            margin_tradable: self.margin_tradable,
            status: Status::Normal,
        })
    }
}

fn figure(field: &'static str, text: &str) -> Result<Decimal, SandboxError> {
    amount(text).map_err(|_| SandboxError::InvalidSetting { field, problem: "is not a number" })
}

impl Sandbox {
    /// Adds a product. It is traded at once, and listed last.
    ///
    /// # Errors
    /// [`SandboxError::InvalidSetting`] when its symbol exists or is no pair, its quote asset is not listed, or its
    /// figures contradict each other.
    pub fn add_product(&self, product: &ProductOptions) -> Result<(), SandboxError> {
        let (spec, price) = (product.spec()?, figure("price", &product.price)?);
        let added = self.server.desk().act(|_, market, now| market.list(spec, price, product.activity, now));
        added.map_err(|e| SandboxError::InvalidSetting { field: e.field, problem: e.problem })
    }
}
