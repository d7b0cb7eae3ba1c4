//! The engine's numbers: fixed-point integers, so that nothing is ever rounded away.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A price, a quantity or an amount: a whole number of 10⁻¹² of the asset.
///
/// Sums and differences are exact. What enters the engine is at most [`Fixed::MAX`], and so is the supply of
/// each asset, so that no sum of balances leaves the range. Displayed in plain notation without trailing zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fixed(i128);

impl Fixed {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// Digits after the point.
    pub const SCALE: u32 = 12;
    /// The most that is taken in: 10¹⁶.
    pub const MAX: Self = Self(10i128.pow(28));

    /// So many units of 10⁻¹².
    pub const fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The number as a count of units of 10⁻¹².
    pub const fn units(self) -> i128 {
        self.0
    }

    /// The number, or `None` where it has more than 12 digits after the point or is beyond `MAX` either way.
    pub fn from_decimal(decimal: Decimal) -> Option<Self> {
        let decimal = if decimal.scale() > Self::SCALE { decimal.normalize() } else { decimal };
        let shift = Self::SCALE.checked_sub(decimal.scale())?;
        let units = decimal.mantissa().checked_mul(10i128.pow(shift))?;
        (units.abs() <= Self::MAX.0).then_some(Self(units))
    }

    /// The number as a decimal without trailing zeros. Beyond what a decimal holds (7.9 × 10¹⁶) the largest there is.
    pub fn decimal(self) -> Decimal {
        Decimal::try_from_i128_with_scale(self.0, Self::SCALE)
            .map_or(if self.0 < 0 { Decimal::MIN } else { Decimal::MAX }, |d| d.normalize())
    }

    /// Whether the number is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether the number is above zero.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl Add for Fixed {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Fixed {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl AddAssign for Fixed {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Fixed {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for Fixed {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10u128.pow(Self::SCALE);
        let (whole, mut fraction) = (self.0.unsigned_abs() / one, self.0.unsigned_abs() % one);
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let mut width = Self::SCALE as usize;
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(f, "{sign}{whole}.{fraction:0width$}")
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = Decimal::from_str_exact(&text).ok().and_then(Self::from_decimal);
        number.ok_or_else(|| de::Error::custom(format!("{text:?} is no number in range")))
    }
}

/// A share between nothing and the whole, in units of 10⁻⁹: what a fee or a reserve is of an amount.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rate(u32);

impl Rate {
    pub(super) const ONE: i128 = 1_000_000_000;

    /// The rate, or `None` where it is below 0, is 1 or above, or has more than 9 digits after the point.
    pub(super) fn from_decimal(decimal: Decimal) -> Option<Self> {
        let units = Fixed::from_decimal(decimal)?.0;
        let rate = u32::try_from(units / 1000).ok()?;
        (units % 1000 == 0 && i128::from(rate) < Self::ONE).then_some(Self(rate))
    }

    pub(super) fn units(self) -> i128 {
        i128::from(self.0)
    }

    /// So many percent of this rate, at most all of it; rounded down to 10⁻⁹.
    pub(super) fn percent(self, percent: u32) -> Self {
        Self((u64::from(self.0) * u64::from(percent.min(100)) / 100) as u32)
    }

    /// This share of an amount, rounded down to a whole unit.
    pub(super) fn of(self, amount: Fixed) -> Fixed {
        Fixed(amount.0 * self.units() / Self::ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixed(text: &str) -> Option<Fixed> {
        Fixed::from_decimal(text.parse().unwrap())
    }

    #[test]
    fn shown_plainly_without_trailing_zeros() {
        for (input, output) in
            [("0", "0"), ("0.00", "0"), ("1.50", "1.5"), ("-0.000000000001", "-0.000000000001"), ("100", "100")]
        {
            assert_eq!(fixed(input).unwrap().to_string(), output);
        }
        assert_eq!(fixed("1.500000000000000").unwrap().to_string(), "1.5");
        assert_eq!(fixed("0.0000000000001"), None);
        assert_eq!(fixed("10000000000000000"), Some(Fixed::MAX));
        assert_eq!(fixed("10000000000000000.1"), None);
    }

    #[test]
    fn rates_are_shares() {
        assert_eq!(Rate::from_decimal("0.001".parse().unwrap()).unwrap().units(), 1_000_000);
        for bad in ["1", "-0.1", "0.0000000001"] {
            assert_eq!(Rate::from_decimal(bad.parse().unwrap()), None, "{bad}");
        }
        let third = Rate(333_333_333);
        assert_eq!(
            [0, 50, 100, 101].map(|percent| third.percent(percent).units()),
            [0, 166_666_666, 333_333_333, 333_333_333]
        );
        assert_eq!(third.of(Fixed(10)), Fixed(3));
    }

    proptest! {
        #[test]
        fn to_decimal_and_back(units in -(10i128.pow(28))..=10i128.pow(28)) {
            let number = Fixed(units);
            prop_assert_eq!(Fixed::from_decimal(number.decimal()), Some(number));
            prop_assert_eq!(number.to_string(), number.decimal().to_string());
        }

        // What makes fees fit into holds, however an order is cut into fills.
        #[test]
        fn fees_fit_the_reserve(a in 0i128..10i128.pow(28), b in 0i128..10i128.pow(28), rate in 0u32..1_000_000_000) {
            let rate = Rate(rate);
            prop_assert!(rate.of(Fixed(a + b)) - rate.of(Fixed(b)) >= rate.of(Fixed(a)));
        }
    }
}
