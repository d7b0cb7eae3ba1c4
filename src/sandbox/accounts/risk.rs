//! What an account has and what it is worth.

use rust_decimal::Decimal;

use super::{Accounts, UserIx};
use crate::Asset;
use crate::sandbox::engine::{Balance, Category, Fixed};
use crate::sandbox::market::Market;
use crate::sandbox::wire::Refusal;

/// Leverage that a margin account may have at most, and to begin with.
const MAX_LEVERAGE: i64 = 10;
const INITIAL_LEVERAGE: i64 = 3;
/// Digits after the point.
const DIGITS: u32 = 9;

/// What a margin account is worth, in USDT at reference prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarginRisk {
    pub(crate) total: Decimal,
    pub(crate) available: Decimal,
    pub(crate) borrowed: Decimal,
    pub(crate) interest: Decimal,
    /// Total less what is owed.
    pub(crate) net: Decimal,
    /// What net must be at least to borrow more, and to keep what is borrowed: what is owed divided by one less than
    /// the leverage.
    pub(crate) initial_margin: Decimal,
    pub(crate) maintenance_margin: Decimal,
    /// Total to net; the most there may be where net is nothing.
    pub(crate) current_leverage: Decimal,
    pub(crate) initial_leverage: Decimal,
    pub(crate) max_leverage: Decimal,
    /// Net to maintenance margin; -1 where nothing is owed.
    pub(crate) cushion: Decimal,
    pub(crate) points: Decimal,
}

impl Accounts {
    /// An account's balances: of one asset or all; those of nothing only if asked for.
    ///
    /// # Errors
    /// An unknown asset.
    pub(crate) fn balances(
        &self,
        market: &Market,
        user: UserIx,
        category: Category,
        asset: Option<&str>,
        show_all: bool,
    ) -> Result<Vec<(Asset, Balance)>, Refusal> {
        let asset = asset.map(|name| market.asset(name).map(|listed| listed.asset)).transpose()?;
        let rows = market.engine().balances(self[user].account(category));
        let wanted = |(name, balance): &(Asset, Balance)| {
            asset.is_none_or(|asset| asset == *name) && (show_all || *balance != Balance::default())
        };
        Ok(rows.filter(wanted).collect())
    }

    /// What the user's margin account is worth.
    pub(crate) fn margin_risk(&self, market: &Market, user: UserIx) -> MarginRisk {
        let account = self[user].account(Category::Margin);
        let rows: Vec<_> = market.engine().balances(account).collect();
        let worth = |figure: fn(&Balance) -> Fixed| {
            let row = |(asset, balance): &(Asset, Balance)| {
                let price = market.reference_price(asset.as_str()).unwrap_or_default().decimal();
                price.checked_mul(figure(balance).decimal()).unwrap_or(Decimal::MAX)
            };
            let sum = rows.iter().map(row).fold(Decimal::ZERO, Decimal::saturating_add);
            sum.round_dp(DIGITS)
        };
        let total = worth(|balance| balance.total);
        let available = worth(|balance| balance.available());
        let (borrowed, interest) = (worth(|balance| balance.borrowed), worth(|balance| balance.interest));
        let owed = borrowed.saturating_add(interest);
        let net = total.saturating_sub(owed);
        let margin = |leverage: i64| ratio(owed, Decimal::from(leverage - 1)).unwrap_or_default();
        let maintenance_margin = margin(MAX_LEVERAGE);
        let leverage = ratio(total, net).filter(|_| net > Decimal::ZERO);
        MarginRisk {
            total,
            available,
            borrowed,
            interest,
            net,
            initial_margin: margin(INITIAL_LEVERAGE),
            maintenance_margin,
            current_leverage: match total.is_zero() {
                true => Decimal::ONE,
                false => leverage.unwrap_or(Decimal::from(MAX_LEVERAGE)),
            },
            initial_leverage: Decimal::from(INITIAL_LEVERAGE),
            max_leverage: Decimal::from(MAX_LEVERAGE),
            cushion: ratio(net, maintenance_margin).unwrap_or(Decimal::NEGATIVE_ONE),
            points: Decimal::ZERO,
        }
    }
}

/// One figure by another; `None` by nothing.
fn ratio(of: Decimal, by: Decimal) -> Option<Decimal> {
    of.checked_div(by).map(|ratio| ratio.round_dp(DIGITS))
}
