//! The rules that an order is held against before it is taken.

use super::account::Category;
use super::ledger::AccountIx;
use super::listing::ProductIx;
use super::order::{NewOrder, OrderType, Side, TimeInForce};
use super::product::Status;
use super::{Engine, Refusal};

/// An order that is well formed for its product, with its figures as integers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    pub(super) product: ProductIx,
    pub(super) account: AccountIx,
    pub(super) limit: Option<u64>,
    pub(super) stop: Option<u64>,
    pub(super) lots: u64,
    pub(super) time_in_force: TimeInForce,
}

impl Engine {
    /// The rules of the order itself and its product, in this order: account, duplicate id, product, status, margin,
    /// parameters, prices, quantity, notional.
    pub(super) fn check_form(&self, order: &NewOrder) -> Result<Checked, Refusal> {
        let account = self.ledger.account(order.account).ok_or(Refusal::UnknownAccount)?;
        if self.orders.by_id(order.id).is_some() {
            return Err(Refusal::DupNewCoid);
        }
        let ix = self.listings.find(order.symbol).ok_or(Refusal::UnknownProduct)?;
        let product = &self.listings[ix].product;
        match product.status {
            Status::Normal => {}
            Status::NoTrading => return Err(Refusal::TradingDisabled),
            Status::InternalTrading if self.orders.settings(account).internal => {}
            Status::InternalTrading => return Err(Refusal::TradingRestricted),
        }
        if order.account.category == Category::Margin && !product.margin_tradable {
            return Err(Refusal::NotMarginTradable);
        }

        let (limited, stopped, time_in_force) = match order.order_type {
            OrderType::Market => (false, false, TimeInForce::Ioc),
            OrderType::Limit => (true, false, order.time_in_force),
            OrderType::StopMarket => (false, true, TimeInForce::Ioc),
            OrderType::StopLimit => (true, true, TimeInForce::Gtc),
        };
        if order.post_only && (order.order_type != OrderType::Limit || time_in_force != TimeInForce::Gtc) {
            return Err(Refusal::InvalidParameter);
        }
        let price = |needed: bool, price: Option<_>| match price {
            Some(price) if needed => product.check_price(price).map(Some),
            None if needed => Err(Refusal::InvalidPrice),
            _ => Ok(None),
        };
        let limit = price(limited, order.price)?;
        let stop = price(stopped, order.stop_price)?;
        let lots = product.check_qty(order.quantity)?;
        match (limit, stop) {
            (Some(limit), _) => product.check_notional(limit, lots)?,
            (None, Some(stop)) => product.check_range(stop, lots)?,
            (None, None) => {}
        }
        Ok(Checked { product: ix, account, limit, stop, lots, time_in_force })
    }

    /// The rules that depend on the others' orders and on balances: number of open orders, market price, balance.
    pub(super) fn check_state(&self, order: &NewOrder, checked: &Checked) -> Result<(), Refusal> {
        if self.orders.is_full(checked.account) {
            return Err(Refusal::TooManyOrders);
        }
        let listing = &self.listings[checked.product];
        let product = &listing.product;
        let available = self.ledger[(checked.account, product.paid(order.side))].available();
        let enough = if order.order_type == OrderType::Market {
            let best = listing.crossing(order.side, None).ok_or(Refusal::NoMarketPrice)?;
            match order.side {
                Side::Buy => {
                    let percent = self.orders.settings(checked.account).fee_percent;
                    product.affordable(available, best, percent) > 0
                }
                Side::Sell => product.hold(order.side, None, checked.lots) <= available,
            }
        } else {
            product.hold(order.side, checked.limit.or(checked.stop), checked.lots) <= available
        };
        if enough { Ok(()) } else { Err(Refusal::balance(order.account.category)) }
    }
}
