//! What the exchange asks of orders, from its products: whether an order meets it, how to make it, and what it costs.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rust_decimal::Decimal;

use crate::error::{Error, InvalidInput, Result};
use crate::model::{AccountCategory, CommissionType, OrderType, Product, ProductStatus, ProductV1, Side, Unreadable};
use crate::order::NewOrder;
use crate::symbol::{Asset, Symbol};

/// The rules for orders of one account category, from the exchange's products.
///
/// From [`Account::load_rules`](crate::Account::load_rules), after which orders are checked before they are sent; or made
/// of products that one has.
///
/// ```no_run
/// use bitmax::NewOrder;
/// use bitmax::model::Side;
/// # fn trade(account: &bitmax::Account) -> bitmax::Result<()> {
/// let rules = account.load_rules()?;
/// let order = NewOrder::limit("BTC/USDT", Side::Buy, "0.0012345", "50000.123")?;
/// let fitted = rules.fit(&order)?;
/// println!("{:?}; it needs {:?}", fitted.changes, rules.required(&fitted.order));
/// account.place(&fitted.order)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Rules {
    category: AccountCategory,
    products: HashMap<Symbol, Product>,
    not_on_margin: HashSet<Symbol>,
    /// Products whose rows could not be read: nothing is known of them.
    unread: HashSet<Symbol>,
}

/// What an order has to meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Criterion {
    /// The account category trades the product.
    Listed,
    /// The product is trading (`statusCode`).
    Status,
    /// The product trades on margin (`marginTradable`).
    MarginTradable,
    /// Prices are multiples of the tick size (`tickSize`).
    TickSize,
    /// Quantities are multiples of the lot size (`lotSize`).
    LotSize,
    /// The least quantity (`minQty`).
    MinQty,
    /// The greatest quantity (`maxQty`).
    MaxQty,
    /// The least price × quantity (`minNotional`), where the order has a price.
    MinNotional,
    /// The greatest price × quantity (`maxNotional`), where the order has a price.
    MaxNotional,
}

/// Which criterion an order does not meet, and by how much.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The criterion.
    pub criterion: Criterion,
    /// The order's field, as the protocol spells it: `symbol`, `orderPrice`, `stopPrice`, `orderQty`.
    pub field: &'static str,
    /// What the order has: a price, a quantity, or price × quantity; zero where the criterion is not about a number.
    pub value: Decimal,
    /// What the exchange asks for: a step or a bound; zero where the criterion is not about a number.
    pub bound: Decimal,
    /// By how much: what is over the step or the bound, or what is missing to it.
    pub by: Decimal,
}

impl Violation {
    fn of_product(criterion: Criterion) -> Self {
        let zero = Decimal::ZERO;
        Self { criterion, field: "symbol", value: zero, bound: zero, by: zero }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { criterion, field: _, value, bound, by } = self;
        match criterion {
            Criterion::Listed => f.write_str("the account does not trade this product"),
            Criterion::Status => f.write_str("the product is not trading"),
            Criterion::MarginTradable => f.write_str("the product does not trade on margin"),
            Criterion::TickSize => write!(f, "{value} is no multiple of the tick size, {bound}: it is {by} over one"),
            Criterion::LotSize => write!(f, "{value} is no multiple of the lot size, {bound}: it is {by} over one"),
            Criterion::MinQty => write!(f, "{value} is {by} less than the least quantity, {bound}"),
            Criterion::MaxQty => write!(f, "{value} is {by} more than the greatest quantity, {bound}"),
            Criterion::MinNotional => write!(f, "price × quantity is {value}, {by} less than the least, {bound}"),
            Criterion::MaxNotional => write!(f, "price × quantity is {value}, {by} more than the greatest, {bound}"),
        }
    }
}

impl std::error::Error for Violation {}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        InvalidInput::new(violation.field, violation.to_string()).into()
    }
}

/// An order that was made to meet the rules, from [`Rules::fit`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fitted {
    /// The order.
    pub order: NewOrder,
    /// What was changed; empty where it met them already.
    pub changes: Vec<Change>,
}

/// A number of an order that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The order's field, as the protocol spells it: `orderPrice`, `stopPrice`, `orderQty`.
    pub field: &'static str,
    /// What it was.
    pub from: Decimal,
    /// What it is.
    pub to: Decimal,
}

/// The balance that an order needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Required {
    /// In which asset.
    pub asset: Asset,
    /// How much, in the asset, with the reserve for the commission.
    pub amount: Decimal,
}

impl Rules {
    /// The rules of the products that an account category trades. `all` are the products in the older form, which say
    /// what trades on margin; one that is not among them trades where it is listed.
    pub fn new(category: AccountCategory, products: &[Product], all: &[ProductV1]) -> Self {
        let not_on_margin = all.iter().filter(|product| !product.margin_tradable).map(|product| product.symbol);
        Self {
            category,
            products: products.iter().map(|product| (product.symbol, product.clone())).collect(),
            not_on_margin: not_on_margin.collect(),
            unread: HashSet::new(),
        }
    }

    /// The same, but for the products of rows that could not be read.
    pub(crate) fn without(mut self, rows: &[Unreadable]) -> Self {
        for row in rows {
            log::warn!("a product's rules cannot be read: {}: {}", row.reason, row.text);
            self.unread.extend(row.text_of("symbol").and_then(|symbol| Symbol::new(&symbol).ok()));
        }
        self
    }

    /// The product, where the account category trades it.
    pub fn product(&self, symbol: Symbol) -> Option<&Product> {
        self.products.get(&symbol)
    }

    /// Whether an order meets the rules.
    ///
    /// # Errors
    /// The first [`Violation`], in the order of [`Criterion`].
    pub fn check(&self, order: &impl AsRef<NewOrder>) -> Result<(), Violation> {
        let order = order.as_ref();
        let product = self.trading(order.symbol)?;
        for (field, price) in order.prices() {
            let over = over(price, product.tick_size);
            if !over.is_zero() {
                let (value, bound) = (price, product.tick_size);
                return Err(Violation { criterion: Criterion::TickSize, field, value, bound, by: over });
            }
        }
        self.check_size(order, product)
    }

    /// Makes an order meet the rules, the safe way: the quantity is rounded down; prices of a buy are rounded down, so
    /// that it pays no more and a stop comes into force no later, and those of a sell up. It says what it changed.
    ///
    /// # Errors
    /// The [`Violation`] that rounding does not mend: a product that is not traded, a quantity or a price that would
    /// round to nothing, one that is out of bounds.
    pub fn fit(&self, order: &impl AsRef<NewOrder>) -> Result<Fitted, Violation> {
        let mut order = order.as_ref().clone();
        let product = self.trading(order.symbol)?;
        let mut changes = Vec::new();
        let mut fit = |field, value: &mut Decimal, step: Decimal, up: bool, criterion| {
            let over = over(*value, step);
            let down = *value - over;
            let to = if over.is_zero() || !up { Some(down) } else { down.checked_add(step) };
            // A sum of more than 28 digits would have been rounded, and be no multiple.
            match to.filter(|to| !to.is_zero() && self::over(*to, step).is_zero()) {
                Some(to) if over.is_zero() => *value = to,
                Some(to) => {
                    changes.push(Change { field, from: *value, to });
                    *value = to;
                }
                None => return Err(Violation { criterion, field, value: *value, bound: step, by: over }),
            }
            Ok(())
        };
        let up = order.side == Side::Sell;
        for (field, price) in [("orderPrice", &mut order.price), ("stopPrice", &mut order.stop_price)] {
            if let Some(price) = price {
                fit(field, price, product.tick_size, up, Criterion::TickSize)?;
            }
        }
        fit("orderQty", &mut order.quantity, product.lot_size, false, Criterion::LotSize)?;
        self.check_size(&order, product)?;
        Ok(Fitted { order, changes })
    }

    /// The balance that an order needs, the reserve for the commission included: of the quote asset for a buy, of the
    /// base asset for a sell. A stop order to buy at the market is reckoned at its stop price.
    ///
    /// `None` for a market order to buy, which needs what the market asks; for a product that the account category does
    /// not trade, or that is no pair; and where the amount has more digits than [`Decimal`] holds.
    pub fn required(&self, order: &impl AsRef<NewOrder>) -> Option<Required> {
        let order = order.as_ref();
        let product = self.product(order.symbol)?;
        let with_reserve = |amount: Decimal, of: CommissionType| match product.commission_type == of {
            true => exact_product(amount, Decimal::ONE.checked_add(product.commission_reserve_rate)?),
            false => Some(amount),
        };
        match order.side {
            Side::Buy => {
                let notional = exact_product(order.price.or(order.stop_price)?, order.quantity)?;
                let asset = Asset::from_server(order.symbol.quote()?)?;
                Some(Required { asset, amount: with_reserve(notional, CommissionType::Quote)? })
            }
            Side::Sell | Side::Other(_) => {
                order.symbol.quote()?;
                let asset = Asset::from_server(order.symbol.base())?;
                Some(Required { asset, amount: with_reserve(order.quantity, CommissionType::Base)? })
            }
        }
    }

    fn trading(&self, symbol: Symbol) -> Result<&Product, Violation> {
        let product = self.product(symbol).ok_or(Violation::of_product(Criterion::Listed))?;
        if product.status_code != ProductStatus::Normal {
            return Err(Violation::of_product(Criterion::Status));
        }
        if self.category == AccountCategory::Margin && self.not_on_margin.contains(&symbol) {
            return Err(Violation::of_product(Criterion::MarginTradable));
        }
        Ok(product)
    }

    fn check_size(&self, order: &NewOrder, product: &Product) -> Result<(), Violation> {
        let quantity = order.quantity;
        let over = over(quantity, product.lot_size);
        if !over.is_zero() {
            let bound = product.lot_size;
            return Err(Violation {
                criterion: Criterion::LotSize,
                field: "orderQty",
                value: quantity,
                bound,
                by: over,
            });
        }
        within(quantity, (Criterion::MinQty, product.min_qty), (Criterion::MaxQty, product.max_qty))?;
        match order.price.filter(|_| matches!(order.order_type, OrderType::Limit | OrderType::StopLimit)) {
            Some(price) => {
                // Rounded where it has more than 28 digits; what is beyond all that can be held is beyond the greatest.
                let notional = price.checked_mul(quantity).unwrap_or(Decimal::MAX);
                let (min, max) = (product.min_notional, product.max_notional);
                within(notional, (Criterion::MinNotional, min), (Criterion::MaxNotional, max))
            }
            None => Ok(()),
        }
    }
}

/// The rules that a client has loaded, by account category.
#[derive(Debug, Default)]
pub(crate) struct LoadedRules {
    cash: Mutex<Option<Arc<Rules>>>,
    margin: Mutex<Option<Arc<Rules>>>,
}

impl LoadedRules {
    fn slot(&self, category: AccountCategory) -> MutexGuard<'_, Option<Arc<Rules>>> {
        let slot = match category {
            AccountCategory::Cash => &self.cash,
            AccountCategory::Margin => &self.margin,
        };
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn load(&self, rules: &Arc<Rules>) {
        *self.slot(rules.category) = Some(Arc::clone(rules));
    }

    /// Whether an order's settings go together, and whether it meets the rules of the category, where they were loaded
    /// and those of its product could be read.
    pub(crate) fn check(&self, category: AccountCategory, order: &NewOrder) -> Result<()> {
        order.check()?;
        match self.slot(category).clone() {
            Some(rules) if !rules.unread.contains(&order.symbol) => Ok(rules.check(order)?),
            _ => Ok(()),
        }
    }
}

/// A quantity or a notional within its bounds.
fn within(value: Decimal, min: (Criterion, Decimal), max: (Criterion, Decimal)) -> Result<(), Violation> {
    let ((criterion, bound), by) = match value {
        _ if value < min.1 => (min, min.1 - value),
        _ if value > max.1 => (max, value.saturating_sub(max.1)),
        _ => return Ok(()),
    };
    Err(Violation { criterion, field: "orderQty", value, bound, by })
}

/// A product that is not rounded.
fn exact_product(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalize(), b.normalize());
    a.checked_mul(b).filter(|product| product.scale() == a.scale() + b.scale())
}

/// What is over a multiple of a step; nothing where there is no step.
fn over(value: Decimal, step: Decimal) -> Decimal {
    value.checked_rem(step).unwrap_or(Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn product(changes: serde_json::Value) -> Product {
        let mut product = json!({
            "symbol": "BTC/USDT", "minQty": "0.0001", "maxQty": "100", "minNotional": "5", "maxNotional": "200000",
            "statusCode": "Normal", "tickSize": "0.05", "lotSize": "0.0002", "commissionType": "Quote",
            "commissionReserveRate": "0.001", "qtyScale": 4, "priceScale": 2, "notionalScale": 6,
        });
        for (name, value) in changes.as_object().unwrap() {
            product[name] = value.clone();
        }
        serde_json::from_str(&product.to_string()).unwrap()
    }

    fn rules(changes: serde_json::Value) -> Rules {
        Rules::new(AccountCategory::Cash, &[product(changes)], &[])
    }

    fn limit(side: Side, quantity: &str, price: &str) -> NewOrder {
        NewOrder::limit("BTC/USDT", side, quantity, price).unwrap().into()
    }

    fn stop(side: Side, quantity: &str, price: &str, stop: &str) -> NewOrder {
        NewOrder::stop_limit("BTC/USDT", side, quantity, price, stop).unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn the_criterion_that_fails_is_told_and_by_how_much() {
        let market = |quantity| NewOrder::market("BTC/USDT", Side::Buy, quantity).unwrap();
        let elsewhere = NewOrder::market("ETH/USDT", Side::Buy, 1).unwrap();
        let rules = rules(json!({}));
        for good in [
            limit(Side::Buy, "0.0002", "25000"),
            limit(Side::Sell, "4.00", "50000.00"),
            market("100"),
            market("0.0002"),
        ] {
            rules.check(&good).unwrap();
        }
        for (order, criterion, field, value, bound, by) in [
            (elsewhere, Criterion::Listed, "symbol", "0", "0", "0"),
            (limit(Side::Buy, "1", "7000.12"), Criterion::TickSize, "orderPrice", "7000.12", "0.05", "0.02"),
            (stop(Side::Buy, "1", "7000", "0.01"), Criterion::TickSize, "stopPrice", "0.01", "0.05", "0.01"),
            (market("0.0005"), Criterion::LotSize, "orderQty", "0.0005", "0.0002", "0.0001"),
            (market("100.0002"), Criterion::MaxQty, "orderQty", "100.0002", "100", "0.0002"),
            (limit(Side::Sell, "0.001", "4999.95"), Criterion::MinNotional, "orderQty", "4.99995", "5", "0.00005"),
            (limit(Side::Sell, "10", "20000.05"), Criterion::MaxNotional, "orderQty", "200000.50", "200000", "0.50"),
            (
                stop(Side::Sell, "10", "20000.05", "1"),
                Criterion::MaxNotional,
                "orderQty",
                "200000.50",
                "200000",
                "0.50",
            ),
        ] {
            let violation = rules.check(&order).unwrap_err();
            let wanted = Violation { criterion, field, value: decimal(value), bound: decimal(bound), by: decimal(by) };
            assert_eq!(violation, wanted, "{violation}");
        }
        let least = self::rules(json!({"minQty": "0.01"})).check(&market("0.0002")).unwrap_err();
        assert_eq!((least.criterion, least.by), (Criterion::MinQty, decimal("0.0098")));
        let beyond = limit(Side::Buy, "100", "9999999999999999999999999950");
        assert_eq!(rules.check(&beyond).unwrap_err().criterion, Criterion::MaxNotional);
    }

    #[test]
    fn products_that_are_not_trading_are_refused() {
        let order = limit(Side::Buy, "1", "7000");
        for status in ["NoTrading", "InternalTrading", "Odd"] {
            let violation = rules(json!({"statusCode": status})).check(&order).unwrap_err();
            assert_eq!(violation.criterion, Criterion::Status);
        }
        let older = |tradable: bool| -> ProductV1 {
            serde_json::from_str(
                &json!({"symbol": "BTC/USDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "Normal", "minNotional": 5,
                    "maxNotional": 6, "marginTradable": tradable, "commissionType": "Quote", "commissionReserveRate": 0,
                    "tickSize": 1, "lotSize": 1})
                .to_string(),
            )
            .unwrap()
        };
        let margin = |all: &[ProductV1]| Rules::new(AccountCategory::Margin, &[product(json!({}))], all).check(&order);
        assert_eq!(margin(&[]), Ok(()));
        assert_eq!(margin(&[older(true)]), Ok(()));
        assert_eq!(margin(&[older(false)]).unwrap_err().criterion, Criterion::MarginTradable);
        let cash = Rules::new(AccountCategory::Cash, &[product(json!({}))], &[older(false)]);
        assert_eq!(cash.check(&order), Ok(()));
    }

    #[test]
    fn numbers_are_rounded_the_safe_way() {
        let rules = rules(json!({}));
        let numbers = |order: &NewOrder| {
            let texts = [order.price, order.stop_price, Some(order.quantity)];
            texts.map(|number| number.map_or(String::new(), |number| number.normalize().to_string()))
        };
        for (order, wanted) in [
            (limit(Side::Buy, "0.0013", "7000.12"), ["7000.1", "", "0.0012"]),
            (limit(Side::Sell, "0.0013", "7000.12"), ["7000.15", "", "0.0012"]),
            (stop(Side::Buy, "1", "7000.07", "7000.04"), ["7000.05", "7000", "1"]),
            (stop(Side::Sell, "1", "7000.07", "7000.04"), ["7000.1", "7000.05", "1"]),
        ] {
            let fitted = rules.fit(&order).unwrap();
            assert_eq!(numbers(&fitted.order), wanted);
            let changed: Vec<_> = fitted.changes.iter().map(|change| (change.field, change.from)).collect();
            assert!(changed.contains(&("orderPrice", order.price.unwrap())));
            assert_eq!(changed.iter().any(|(field, _)| *field == "orderQty"), order.quantity != fitted.order.quantity);
        }
        let good = limit(Side::Buy, "1.0000", "7000.00");
        assert_eq!(rules.fit(&good).unwrap(), Fitted { order: good, changes: Vec::new() });
        for (order, criterion) in [
            (limit(Side::Buy, "1", "0.04"), Criterion::TickSize),
            (limit(Side::Buy, "0.0001", "7000"), Criterion::LotSize),
            (limit(Side::Buy, "0.0009", "6000"), Criterion::MinNotional),
            (limit(Side::Buy, "101", "7000"), Criterion::MaxQty),
        ] {
            assert_eq!(rules.fit(&order).unwrap_err().criterion, criterion);
        }
        // What would need more digits than can be held is not rounded in secret.
        let fine = self::rules(json!({"tickSize": "0.0000000003"}));
        let many = fine.fit(&limit(Side::Sell, "1", "7922816828991052715")).unwrap_err();
        assert_eq!(many.criterion, Criterion::TickSize);
        // A sell at less than a tick goes up to one.
        let low = self::rules(json!({"minNotional": "0"})).fit(&limit(Side::Sell, "1", "0.04")).unwrap();
        assert_eq!(low.order.price, Some(decimal("0.05")));
    }

    #[test]
    fn the_balance_needed_holds_the_commission() {
        let needed = |commission: &str, order: &NewOrder| {
            let rules = rules(json!({"commissionType": commission}));
            rules.required(order).map(|needed| format!("{} {}", needed.amount.normalize(), needed.asset))
        };
        let (buy, sell) = (limit(Side::Buy, "2", "7000"), limit(Side::Sell, "2", "7000"));
        for (commission, to_buy, to_sell) in
            [("Quote", "14014 USDT", "2 BTC"), ("Base", "14000 USDT", "2.002 BTC"), ("Received", "14000 USDT", "2 BTC")]
        {
            assert_eq!(needed(commission, &buy).as_deref(), Some(to_buy));
            assert_eq!(needed(commission, &sell).as_deref(), Some(to_sell));
        }
        let stop_buy = NewOrder::stop_market("BTC/USDT", Side::Buy, 2, 7000).unwrap();
        assert_eq!(needed("Quote", &stop_buy).as_deref(), Some("14014 USDT"));
        assert_eq!(needed("Base", &NewOrder::market("BTC/USDT", Side::Sell, 2).unwrap()).as_deref(), Some("2.002 BTC"));
        assert_eq!(needed("Quote", &NewOrder::market("BTC/USDT", Side::Buy, 2).unwrap()), None);
        assert_eq!(needed("Quote", &NewOrder::limit("A/B", Side::Buy, 2, 1).unwrap().into()), None);
        assert_eq!(needed("Quote", &limit(Side::Buy, "100", "9999999999999999999999999950")), None);
    }

    proptest! {
        #[test]
        fn what_is_fitted_meets_the_rules_and_is_no_worse(
            buy: bool,
            quantity in 1u64..10u64.pow(12), quantity_scale in 0u32..12,
            price in 1u64..10u64.pow(12), price_scale in 0u32..12,
            tick in 1u64..10_000, tick_scale in 0u32..12,
            lot in 1u64..10_000, lot_scale in 0u32..12,
        ) {
            let number = |n: u64, scale| Decimal::from_i128_with_scale(n.into(), scale);
            let (tick, lot) = (number(tick, tick_scale), number(lot, lot_scale));
            let rules = rules(json!({"tickSize": tick.to_string(), "lotSize": lot.to_string(), "minQty": 0, "maxQty": "1e27",
                "minNotional": 0, "maxNotional": "1e27"}));
            let side = if buy { Side::Buy } else { Side::Sell };
            let (quantity, price) = (number(quantity, quantity_scale), number(price, price_scale));
            let order: NewOrder = NewOrder::limit("BTC/USDT", side, quantity, price).unwrap().into();
            match rules.fit(&order) {
                Ok(fitted) => {
                    prop_assert_eq!(rules.check(&fitted.order), Ok(()));
                    let to = fitted.order.price.unwrap();
                    let lost = if buy { price - to } else { to - price };
                    prop_assert!(lost >= Decimal::ZERO && lost < tick);
                    let less = quantity - fitted.order.quantity;
                    prop_assert!(less >= Decimal::ZERO && less < lot);
                    prop_assert_eq!(fitted.changes.is_empty(), rules.check(&order).is_ok());
                }
                Err(violation) => {
                    let nothing_left = quantity < lot || (buy && price < tick);
                    prop_assert!(nothing_left || violation.criterion == Criterion::MaxNotional, "{}", violation);
                }
            }
        }
    }
}
