//! Products: what may be ordered, and what it costs.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::fixed::{Fixed, Rate};
use super::ledger::{AssetIx, Ledger};
use super::order::Side;
use super::refusal::Refusal;
use crate::{Asset, Symbol, de};

/// In which asset a product's commission is charged (`commissionType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Commission {
    /// The base asset: on top of what is sold, out of what is bought.
    Base,
    /// The quote asset: on top of what is paid, out of what is received.
    Quote,
    /// The asset that the trade brings, out of it.
    Received,
}

/// Whether a product is traded (`statusCode`, `status`). Cancelling is always possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Trading.
    Normal,
    /// Halted: new orders are refused.
    NoTrading,
    /// Internal users only.
    InternalTrading,
}

/// A product as it is added.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductSpec {
    /// Its name.
    pub symbol: Symbol,
    /// The asset bought and sold.
    pub base: Asset,
    /// The asset paid with.
    pub quote: Asset,
    /// Prices are multiples of this.
    #[serde(with = "de::decimal")]
    pub tick_size: Decimal,
    /// Quantities are multiples of this.
    #[serde(with = "de::decimal")]
    pub lot_size: Decimal,
    /// Least quantity of an order.
    #[serde(with = "de::decimal")]
    pub min_qty: Decimal,
    /// Greatest quantity of an order.
    #[serde(with = "de::decimal")]
    pub max_qty: Decimal,
    /// Least price × quantity of a limit order.
    #[serde(with = "de::decimal")]
    pub min_notional: Decimal,
    /// Greatest price × quantity of a limit order.
    #[serde(with = "de::decimal")]
    pub max_notional: Decimal,
    /// The asset of the commission.
    pub commission: Commission,
    /// What an order holds beyond its notional for the commission, as a share; not below the fees.
    #[serde(with = "de::decimal")]
    pub reserve_rate: Decimal,
    /// Fee of the order that was on the book, as a share.
    #[serde(with = "de::decimal")]
    pub maker_fee: Decimal,
    /// Fee of the order that came in, as a share.
    #[serde(with = "de::decimal")]
    pub taker_fee: Decimal,
    /// Whether margin accounts may trade it.
    pub margin_tradable: bool,
    /// Whether it is traded.
    pub status: Status,
}

/// Why a product cannot be added: the field at fault and what is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidProduct {
    /// The field of [`ProductSpec`].
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl fmt::Display for InvalidProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for InvalidProduct {}

/// A product with its figures as integers: prices are counted in ticks, quantities in lots.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) symbol: Symbol,
    pub(super) base: AssetIx,
    pub(super) quote: AssetIx,
    pub(super) base_asset: Asset,
    pub(super) quote_asset: Asset,
    tick: i128,
    lot: i128,
    // One lot at one tick, in units of the quote asset: a whole number, so that every notional is exact.
    notional_unit: i128,
    min_qty: Fixed,
    max_qty: Fixed,
    min_notional: Fixed,
    max_notional: Fixed,
    commission: Commission,
    reserve: Rate,
    maker_fee: Rate,
    taker_fee: Rate,
    pub(super) margin_tradable: bool,
    pub(super) status: Status,
}

impl Product {
    /// Takes the figures over, if they fit together and no later sum or product of them can leave the range.
    pub(super) fn new(spec: &ProductSpec, ledger: &mut Ledger) -> Result<Self, InvalidProduct> {
        let fail = |field, problem| Err(InvalidProduct { field, problem });
        let fixed = |field, value| {
            Fixed::from_decimal(value).filter(|v| *v >= Fixed::ZERO).ok_or(InvalidProduct {
                field,
                problem: "negative, above 10^16 or of more than 12 digits after the point",
            })
        };
        let rate = |field, value| {
            Rate::from_decimal(value)
                .ok_or(InvalidProduct { field, problem: "not a share below 1 of at most 9 digits after the point" })
        };
        if spec.base == spec.quote {
            return fail("quote", "is the base asset");
        }
        let (tick, lot) = (fixed("tick_size", spec.tick_size)?.units(), fixed("lot_size", spec.lot_size)?.units());
        if tick == 0 {
            return fail("tick_size", "is zero");
        }
        if lot == 0 {
            return fail("lot_size", "is zero");
        }
        let one = 10i128.pow(Fixed::SCALE);
        let notional_unit = match tick.checked_mul(lot) {
            Some(product) if product % one == 0 => product / one,
            _ => return fail("lot_size", "times tick_size has more than 12 digits after the point"),
        };
        let (min_qty, max_qty) = (fixed("min_qty", spec.min_qty)?, fixed("max_qty", spec.max_qty)?);
        if min_qty > max_qty {
            return fail("max_qty", "is below min_qty");
        }
        // So that the sum of any number of orders that fit into memory stays in range.
        if max_qty.units() > Fixed::MAX.units() / 10 || u64::try_from(max_qty.units() / lot).is_err() {
            return fail("max_qty", "is above 10^15 or has too many lots");
        }
        let (min_notional, max_notional) =
            (fixed("min_notional", spec.min_notional)?, fixed("max_notional", spec.max_notional)?);
        if min_notional > max_notional {
            return fail("max_notional", "is below min_notional");
        }
        let (maker_fee, taker_fee) = (rate("maker_fee", spec.maker_fee)?, rate("taker_fee", spec.taker_fee)?);
        let reserve = rate("reserve_rate", spec.reserve_rate)?;
        if spec.commission != Commission::Received && reserve < maker_fee.max(taker_fee) {
            return fail("reserve_rate", "is below a fee");
        }
        Ok(Self {
            symbol: spec.symbol,
            base: ledger.add_asset(spec.base),
            quote: ledger.add_asset(spec.quote),
            base_asset: spec.base,
            quote_asset: spec.quote,
            tick,
            lot,
            notional_unit,
            min_qty,
            max_qty,
            min_notional,
            max_notional,
            commission: spec.commission,
            reserve,
            maker_fee,
            taker_fee,
            margin_tradable: spec.margin_tradable,
            status: spec.status,
        })
    }

    /// A price of so many ticks.
    pub(super) fn price(&self, ticks: u64) -> Fixed {
        Fixed::from_units(i128::from(ticks) * self.tick)
    }

    /// A quantity of so many lots, or a sum of quantities.
    pub(super) fn qty(&self, lots: u128) -> Fixed {
        Fixed::from_units(lots as i128 * self.lot)
    }

    /// How many ticks a price is, where it is a whole number of them above zero.
    pub(super) fn ticks(&self, price: Fixed) -> Option<u64> {
        let whole = price.is_positive() && price.units() % self.tick == 0;
        u64::try_from(price.units() / self.tick).ok().filter(|_| whole)
    }

    /// How many lots a quantity is, where it is a whole number of them that an order can be of.
    pub(super) fn lots(&self, quantity: Fixed) -> Option<u64> {
        let whole = quantity.units() % self.lot == 0 && (Fixed::ZERO..=self.max_qty).contains(&quantity);
        u64::try_from(quantity.units() / self.lot).ok().filter(|_| whole)
    }

    /// What so many lots cost at so many ticks. In range where the order at this price was checked to be.
    pub(super) fn notional(&self, ticks: u64, lots: u64) -> Fixed {
        Fixed::from_units(i128::from(ticks) * i128::from(lots) * self.notional_unit)
    }
}

/// The rules for the figures of an order.
impl Product {
    /// A price in ticks.
    pub(super) fn check_price(&self, price: Decimal) -> Result<u64, Refusal> {
        if price <= Decimal::ZERO || price > Fixed::MAX.decimal() {
            return Err(Refusal::InvalidPrice);
        }
        match Fixed::from_decimal(price) {
            Some(price) if price.units() % self.tick == 0 => {
                u64::try_from(price.units() / self.tick).map_err(|_| Refusal::InvalidPrice)
            }
            _ => Err(Refusal::TickSizeViolation),
        }
    }

    /// A quantity in lots.
    pub(super) fn check_qty(&self, qty: Decimal) -> Result<u64, Refusal> {
        Fixed::from_decimal(qty)
            .filter(|qty| {
                qty.is_positive() && (self.min_qty..=self.max_qty).contains(qty) && qty.units() % self.lot == 0
            })
            .and_then(|qty| u64::try_from(qty.units() / self.lot).ok())
            .ok_or(Refusal::InvalidQty)
    }

    /// The limits of a limit order's notional.
    pub(super) fn check_notional(&self, ticks: u64, lots: u64) -> Result<(), Refusal> {
        self.checked_notional(ticks, lots)
            .filter(|notional| (self.min_notional..=self.max_notional).contains(notional))
            .map(|_| ())
            .ok_or(Refusal::InvalidNotional)
    }

    /// That a hold at this price can be counted at all.
    pub(super) fn check_range(&self, ticks: u64, lots: u64) -> Result<(), Refusal> {
        self.checked_notional(ticks, lots).map(|_| ()).ok_or(Refusal::InvalidNotional)
    }

    fn checked_notional(&self, ticks: u64, lots: u64) -> Option<Fixed> {
        let units = i128::from(ticks).checked_mul(i128::from(lots))?.checked_mul(self.notional_unit)?;
        (units <= Fixed::MAX.units()).then_some(Fixed::from_units(units))
    }
}

/// Holds and fees.
impl Product {
    /// The asset that an order of a side pays with, and that it holds.
    pub(super) fn paid(&self, side: Side) -> AssetIx {
        match side {
            Side::Buy => self.quote,
            Side::Sell => self.base,
        }
    }

    /// What an order holds for so many open lots. A buy without a price (a market order) holds nothing: it takes no more
    /// than what is available at each step.
    pub(super) fn hold(&self, side: Side, ticks: Option<u64>, lots: u64) -> Fixed {
        let (amount, reserved) = match (side, ticks) {
            (Side::Buy, None) => return Fixed::ZERO,
            (Side::Buy, Some(ticks)) => (self.notional(ticks, lots), self.commission == Commission::Quote),
            (Side::Sell, _) => (self.qty(u128::from(lots)), self.commission == Commission::Base),
        };
        if reserved { amount + self.reserve.of(amount) } else { amount }
    }

    /// The asset in which an order of a side is charged.
    pub(super) fn fee_asset(&self, side: Side) -> (AssetIx, Asset) {
        match (self.commission, side) {
            (Commission::Base, _) | (Commission::Received, Side::Buy) => (self.base, self.base_asset),
            (Commission::Quote, _) | (Commission::Received, Side::Sell) => (self.quote, self.quote_asset),
        }
    }

    /// The fee for a trade of an order, in the asset in which it is charged; a fraction of 10⁻¹² is not charged.
    /// `percent`: what the user pays of the product's rate.
    pub(super) fn fee(&self, side: Side, maker: bool, percent: u32, quantity: Fixed, notional: Fixed) -> Fixed {
        let rate = if maker { self.maker_fee } else { self.taker_fee };
        rate.percent(percent).of(if self.fee_asset(side).0 == self.base { quantity } else { notional })
    }

    /// The most lots that an amount of the quote asset buys at a price, the taker's fee included, of which the user
    /// pays so many percent.
    pub(super) fn affordable(&self, amount: Fixed, ticks: u64, percent: u32) -> u64 {
        let taker_fee = self.taker_fee.percent(percent);
        let lot = i128::from(ticks) * self.notional_unit;
        let lots = match self.commission {
            // The most lots with lots × lot × (1 + fee) < amount + 1 unit, as the fee is rounded down.
            Commission::Quote => ((amount.units() + 1) * Rate::ONE - 1) / (lot * (Rate::ONE + taker_fee.units())),
            Commission::Base | Commission::Received => amount.units() / lot,
        };
        u64::try_from(lots).unwrap_or(u64::MAX)
    }
}
