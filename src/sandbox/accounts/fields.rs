//! The body of a request, read as forgivingly as the exchange does: numbers quoted or not, any case of enumerations,
//! `null` and `""` for none, unknown fields passed over. Numbers are read by their text, never through a float.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use crate::Code;
use crate::sandbox::wire::Refusal;

/// The fields of one JSON object, each still as its text.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Takes an object apart. Of a field given twice the last counts.
    ///
    /// # Errors
    /// `INVALID_JSON_FORMAT` for what is no JSON, `INVALID_REQUEST_DATA` for what is no object.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Refusal> {
        serde_json::from_str(text).map(Self).map_err(|e| match e.classify() {
            serde_json::error::Category::Data => {
                Refusal::new(Code::INVALID_REQUEST_DATA, "The request is no JSON object")
            }
            _ => Refusal::new(Code::INVALID_JSON_FORMAT, "The request is not valid JSON"),
        })
    }

    /// The JSON text of a field; `None` where it is missing or stands for none.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        let text = self.0.get(name)?.get();
        (!matches!(text, "null" | "\"\"" | "\"NULL_VAL\"")).then_some(text)
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let malformed = |_| Refusal::new(Code::INVALID_STR_FORMAT, format!("Invalid {name}: not a text"));
        self.raw(name).map(|raw| serde_json::from_str(raw).map_err(malformed)).transpose()
    }

    /// A field to be repeated in an answer: as it was sent, whatever it is; empty where it is missing.
    pub(crate) fn echo(&self, name: &str) -> String {
        let Some(raw) = self.raw(name) else { return String::new() };
        serde_json::from_str(raw).unwrap_or_else(|_| raw.to_owned())
    }

    /// The digits of a number, quoted or not; `None` for anything else.
    fn digits(raw: &str) -> Option<String> {
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw).ok(),
            b'-' | b'0'..=b'9' => Some(raw.to_owned()),
            _ => None,
        }
    }

    /// A decimal, quoted or not, in plain or exponent notation.
    pub(crate) fn decimal(&self, name: &str) -> Result<Option<Decimal>, Refusal> {
        let read = |raw| Self::digits(raw).and_then(|digits| decimal(&digits)).ok_or_else(|| no_number(name));
        self.raw(name).map(read).transpose()
    }

    /// A whole number, quoted or not.
    pub(crate) fn whole(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let read = |raw| Self::digits(raw).and_then(|digits| digits.parse().ok()).ok_or_else(|| no_number(name));
        self.raw(name).map(read).transpose()
    }

    /// Yes or no, quoted or not; `None` for anything else that is there.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.raw(name).map(|raw| raw.trim_matches('"').to_ascii_lowercase()).as_deref() {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some(_) => None,
        }
    }

    /// A list of objects.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        let malformed = || Refusal::new(Code::INVALID_REQUEST_DATA, format!("Invalid {name}: not a list of objects"));
        let items: Vec<&'a RawValue> =
            self.raw(name).and_then(|raw| serde_json::from_str(raw).ok()).ok_or_else(malformed)?;
        items.into_iter().map(|item| Self::parse(item.get()).map_err(|_| malformed())).collect()
    }
}

fn no_number(name: &str) -> Refusal {
    Refusal::new(Code::INVALID_NUM_FORMAT, format!("Invalid {name}: not a number"))
}

/// A decimal in plain or exponent notation; `None` where it is none or would have to be rounded.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse().ok()?),
        None => (text, 0i32),
    };
    if !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-')) {
        return None;
    }
    let number = Decimal::from_str_exact(digits).ok()?;
    let scale = i32::try_from(number.scale()).ok()?.checked_sub(exponent)?;
    let (mantissa, scale) = match u32::try_from(scale) {
        Ok(scale) => (number.mantissa(), scale),
        Err(_) => (number.mantissa().checked_mul(10i128.checked_pow(scale.unsigned_abs())?)?, 0),
    };
    Decimal::try_from_i128_with_scale(mantissa, scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(text: &str) -> Fields<'_> {
        Fields::parse(text).unwrap()
    }

    fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> i64 {
        result.unwrap_err().code.value()
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (text, expected) in
            [("", 150_001), ("{", 150_001), ("{'a':1}", 150_001), ("[]", 100_004), ("1", 100_004), ("null", 100_004)]
        {
            assert_eq!(code(Fields::parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn the_several_forms_of_none() {
        let fields = fields(r#"{"a":null,"b":"","c":"NULL_VAL"}"#);
        for name in ["a", "b", "c", "d"] {
            assert_eq!(fields.text(name), Ok(None));
            assert_eq!(fields.decimal(name), Ok(None));
            assert_eq!(fields.whole(name), Ok(None));
            assert_eq!(fields.flag(name), Some(false));
            assert_eq!(fields.echo(name), "");
        }
    }

    #[test]
    fn numbers_are_read_by_their_text_quoted_or_not() {
        let fields =
            fields(r#"{"a":"0.10","b":0.1,"c":12345678901234567890,"d":"5.0E-4","e":1e3,"f":"x","g":true,"h":"-1"}"#);
        let decimal = |name| fields.decimal(name).unwrap().unwrap().to_string();
        assert_eq!(["a", "b", "d", "e", "h"].map(decimal), ["0.10", "0.1", "0.00050", "1000", "-1"]);
        assert_eq!(fields.whole("c"), Ok(Some(12_345_678_901_234_567_890)));
        for name in ["f", "g"] {
            assert_eq!((code(fields.decimal(name)), code(fields.whole(name))), (100_013, 100_013));
        }
        assert_eq!(code(fields.whole("a")), 100_013);
        assert_eq!(code(fields.text("b")), 100_012);
        assert_eq!((fields.echo("b").as_str(), fields.echo("f").as_str()), ("0.1", "x"));
    }

    #[test]
    fn decimals_are_exact_or_none() {
        for bad in ["", ".", "1_000", "+1", "1e", "1e99999999999", "1e400", "0x1", "1,5", "NaN", "Infinity", "１"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
        assert_eq!(decimal("0.00000000000000000000000000001"), None);
        assert_eq!(decimal("79228162514264337593543950335").unwrap(), Decimal::MAX);
        assert_eq!(decimal("-1.5e+2").unwrap().to_string(), "-150");
    }

    #[test]
    fn lists_hold_objects() {
        let body = fields(r#"{"orders":[{"a":1},{}],"b":[1],"c":{}}"#);
        assert_eq!(body.list("orders").unwrap().len(), 2);
        for name in ["b", "c", "d"] {
            assert_eq!(code(body.list(name)), 100_004);
        }
        assert_eq!(fields(r#"{"a":"TRUE","b":1}"#).flag("a"), Some(true));
        assert_eq!(fields(r#"{"a":"TRUE","b":1}"#).flag("b"), None);
    }

    proptest! {
        #[test]
        fn any_decimal_is_read_as_written(mantissa: i64, scale in 0u32..20) {
            let number = Decimal::from_i128_with_scale(i128::from(mantissa), scale);
            prop_assert_eq!(decimal(&number.to_string()), Some(number));
        }

        #[test]
        fn no_text_panics(text in "[-+.eE0-9_\"{}:,a\\[\\]]{0,24}") {
            let _ = decimal(&text);
            let _ = Fields::parse(&text);
        }
    }
}
