//! Money, exactly: from text by digits into an integer and a scale, never through a float and never rounded.

use std::fmt;

use rust_decimal::Decimal;

use crate::error::InvalidInput;

/// Why a text is not a decimal that can be held exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecimalError {
    /// Not a number in plain or exponent notation.
    NotANumber,
    /// A number, but of more than 28 digits before or after the point: it would have to be rounded.
    TooManyDigits,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a decimal number",
            Self::TooManyDigits => "more than 28 digits",
        })
    }
}

impl std::error::Error for DecimalError {}

/// What money arguments are given as: text (`"0.001"`), integers, or [`Decimal`].
///
/// Not floats: `0.1` as one is not the tenth that was meant.
///
/// ```
/// use bitmax::{Decimal, ToDecimal};
/// assert_eq!("0.10".to_decimal()?, Decimal::new(10, 2));
/// assert_eq!(5.to_decimal()?, Decimal::from(5));
/// assert!("a tenth".to_decimal().is_err());
/// # Ok::<(), bitmax::DecimalError>(())
/// ```
pub trait ToDecimal {
    /// The exact value.
    ///
    /// # Errors
    /// [`DecimalError`] when it is no number, or one that would need rounding.
    fn to_decimal(&self) -> Result<Decimal, DecimalError>;
}

impl ToDecimal for Decimal {
    fn to_decimal(&self) -> Result<Decimal, DecimalError> {
        Ok(*self)
    }
}

impl ToDecimal for str {
    fn to_decimal(&self) -> Result<Decimal, DecimalError> {
        parse_decimal(self)
    }
}

impl ToDecimal for String {
    fn to_decimal(&self) -> Result<Decimal, DecimalError> {
        parse_decimal(self)
    }
}

impl<T: ToDecimal + ?Sized> ToDecimal for &T {
    fn to_decimal(&self) -> Result<Decimal, DecimalError> {
        (**self).to_decimal()
    }
}

macro_rules! integers {
    ($($type:ty)+) => {$(
        impl ToDecimal for $type {
            fn to_decimal(&self) -> Result<Decimal, DecimalError> {
                Ok(Decimal::from(*self))
            }
        }
    )+};
}
integers!(i8 i16 i32 i64 u8 u16 u32 u64 usize isize);

/// An amount, a quantity or a price that a program gives: more than zero.
pub(crate) fn positive(field: &'static str, value: impl ToDecimal) -> Result<Decimal, InvalidInput> {
    let value = value.to_decimal().map_err(|e| InvalidInput::new(field, e.to_string()))?;
    if value <= Decimal::ZERO {
        return Err(InvalidInput::new(field, format!("{value} is not more than zero")));
    }
    Ok(value)
}

/// The greatest number of digits, and of digits after the point, that [`Decimal`] holds without rounding.
const MAX_DIGITS: u32 = 28;

/// Reads a decimal exactly, in plain (`-12.340`) or exponent form (`5.0E-4`). Trailing zeros are kept.
///
/// # Errors
/// [`DecimalError`] when the text is no number, or one that would need rounding.
///
/// ```
/// use bitmax::{Decimal, parse_decimal};
/// assert_eq!(parse_decimal("5.0E-4"), Ok(Decimal::new(50, 5)));
/// assert_eq!(parse_decimal("0.6300")?.to_string(), "0.6300");
/// assert!(parse_decimal("1,000").is_err());
/// # Ok::<(), bitmax::DecimalError>(())
/// ```
pub fn parse_decimal(text: &str) -> Result<Decimal, DecimalError> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        all => (false, all),
    };
    // Nearly every number is read here.
    if let Some((value, [])) = plain(text.as_bytes()) {
        return Ok(value);
    }
    parse_any(negative, digits)
}

/// The hot path: a number in plain notation of at most 18 digits at the start of a text, and what follows it.
pub(crate) fn plain(bytes: &[u8]) -> Option<(Decimal, &[u8])> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut value = 0u64;
    let mut point = None;
    let mut end = 0;
    for &b in digits {
        match b {
            // It may overflow and is not used then.
            b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(u64::from(b - b'0')),
            b'.' if point.is_none() => point = Some(end),
            _ => break,
        }
        end += 1;
    }
    let count = end - usize::from(point.is_some());
    if !(1..=18).contains(&count) {
        return None;
    }
    let scale = point.map_or(0, |at| end - at - 1);
    let (low, high) = (value as u32, (value >> 32) as u32);
    Some((Decimal::from_parts(low, high, 0, negative && value != 0, scale as u32), digits.get(end..)?))
}

/// Every form, at leisure.
fn parse_any(negative: bool, bytes: &[u8]) -> Result<Decimal, DecimalError> {
    let (number, exponent) = match bytes.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => {
            let (number, exponent) = bytes.split_at(at);
            let exponent = std::str::from_utf8(exponent.get(1..).unwrap_or_default()).unwrap_or_default();
            // An exponent that does not fit is far outside of what can be held: zero aside, refused below.
            let parsed =
                exponent.parse::<i64>().or_else(|_| match exponent.strip_prefix(['-', '+']).unwrap_or(exponent) {
                    digits if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) => {
                        Err(DecimalError::NotANumber)
                    }
                    _ if exponent.starts_with('-') => Ok(i64::MIN / 2),
                    _ => Ok(i64::MAX / 2),
                })?;
            (number, parsed)
        }
        None => (bytes, 0),
    };

    let mut value = 0u128;
    let mut significant = 0;
    let mut scale = 0i64;
    let mut seen_digit = false;
    let mut seen_point = false;
    for &b in number {
        match b {
            b'0'..=b'9' => {
                seen_digit = true;
                scale += i64::from(seen_point);
                significant += u32::from(significant > 0 || b != b'0');
                // Digits past what can be held may only be zeros after the point, which carry no value.
                if significant <= MAX_DIGITS {
                    value = value * 10 + u128::from(b - b'0');
                } else if seen_point && b == b'0' {
                    scale -= 1;
                } else {
                    return if number.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
                        Err(DecimalError::TooManyDigits)
                    } else {
                        Err(DecimalError::NotANumber)
                    };
                }
            }
            b'.' if !seen_point => seen_point = true,
            _ => return Err(DecimalError::NotANumber),
        }
    }
    if !seen_digit {
        return Err(DecimalError::NotANumber);
    }

    scale = scale.saturating_sub(exponent);
    if value == 0 {
        scale = scale.clamp(0, i64::from(MAX_DIGITS));
    }
    while scale < 0 {
        value = value.checked_mul(10).filter(|v| *v < 10u128.pow(MAX_DIGITS)).ok_or(DecimalError::TooManyDigits)?;
        scale += 1;
    }
    while scale > i64::from(MAX_DIGITS) {
        if !value.is_multiple_of(10) {
            return Err(DecimalError::TooManyDigits);
        }
        value /= 10;
        scale -= 1;
    }
    let (low, mid, high) = (value as u32, (value >> 32) as u32, (value >> 64) as u32);
    Ok(Decimal::from_parts(low, mid, high, negative && value != 0, scale as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(input: &str) -> String {
        parse_decimal(input).map_or_else(|e| e.to_string(), |d| d.to_string())
    }

    #[test]
    fn reads_every_form() {
        for (input, output) in [
            ("0", "0"),
            ("-0", "0"),
            ("0.00", "0.00"),
            ("1.50", "1.50"),
            ("-1628.51466633", "-1628.51466633"),
            ("5.0E-4", "0.00050"),
            ("1e3", "1000"),
            ("1.5E+2", "150"),
            (".5", "0.5"),
            ("5.", "5"),
            ("007", "7"),
            ("0e999999999999999999999", "0"),
            ("1234567890123456789", "1234567890123456789"),
            ("18446744073709551615", "18446744073709551615"),
            ("9999999999999999999999999999", "9999999999999999999999999999"),
            ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
            ("0.10000000000000000000000000000000", "0.1000000000000000000000000000"),
            ("30.557210737803853", "30.557210737803853"),
        ] {
            assert_eq!(text(input), output, "{input}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for input in [
            "", "-", ".", "-.", "+1", "1.2.3", "1,0", "abc", "1e", "1e+", "e5", "0x10", "NaN", "inf", "1 ", " 1",
            "--1", "1e5x", "१",
        ] {
            assert_eq!(parse_decimal(input), Err(DecimalError::NotANumber), "{input}");
        }
    }

    #[test]
    fn refuses_to_round() {
        for input in [
            "12345678901234567890123456789",
            "0.00000000000000000000000000001",
            "1.00000000000000000000000000001",
            "1e28",
            "1e-29",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert_eq!(parse_decimal(input), Err(DecimalError::TooManyDigits), "{input}");
        }
    }

    #[test]
    fn what_a_program_gives_is_more_than_zero() {
        for (given, value) in
            [(positive("x", "0.10"), "0.10"), (positive("x", 7u64), "7"), (positive("x", Decimal::ONE), "1")]
        {
            assert_eq!(given.unwrap().to_string(), value);
        }
        for bad in ["0", "0.00", "-1", "-0", "", "x", "1e29", "0.00000000000000000000000000001"] {
            assert_eq!(positive("orderQty", String::from(bad)).unwrap_err().field(), "orderQty", "{bad}");
        }
        assert!(positive("x", 0).is_err() && positive("x", i64::MIN).is_err());
    }

    proptest! {
        #[test]
        fn both_paths_agree(text in "-?[0-9]{0,20}\\.?[0-9]{0,20}(e-?[0-9]{1,2})?") {
            let (negative, digits) = match text.strip_prefix('-') {
                Some(rest) => (true, rest),
                None => (false, text.as_str()),
            };
            prop_assert_eq!(parse_decimal(&text), parse_any(negative, digits.as_bytes()));
        }

        #[test]
        fn what_is_written_is_read_again(mantissa in -(10i128.pow(28) - 1)..10i128.pow(28), scale in 0u32..=28) {
            let decimal = Decimal::from_i128_with_scale(mantissa, scale);
            let read = parse_decimal(&decimal.to_string()).unwrap();
            prop_assert_eq!(read, decimal);
            prop_assert_eq!(read.scale(), decimal.scale());
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse_decimal(&text);
        }
    }
}
