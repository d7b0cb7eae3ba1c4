//! How values of the wire are read and written: decimals by their text, numbers that may be quoted,
//! and the several forms of none.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::decimal::parse_decimal;

/// Reads a string through a function that may not like it.
pub(crate) fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    what: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    struct Visitor<F>(&'static str, F);
    impl<T, F: Fn(&str) -> Option<T>> de::Visitor<'_> for Visitor<F> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.1)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_str(Visitor(what, read))
}

/// `""`, `"NULL_VAL"` and `null` all stand for none.
pub(crate) fn is_none(json: &str) -> bool {
    matches!(json, "null" | "\"\"" | "\"NULL_VAL\"")
}

/// The inside of a JSON string without escapes, or the text of a JSON number.
fn plain(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}

fn decimal_of<E: de::Error>(json: &str) -> Result<Decimal, E> {
    parse_decimal(plain(json)).map_err(|e| E::custom(format_args!("{}: {e}", shorten(json))))
}

/// A text short enough for an error.
fn shorten(text: &str) -> &str {
    text.char_indices().nth(60).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

/// A decimal, as a string or a number.
pub(crate) mod decimal {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        decimal_of(<&RawValue>::deserialize(deserializer)?.get())
    }

    pub(crate) fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

/// A decimal or none; none is written `""`. Use with `default`, for a field that may be missing.
pub(crate) mod maybe_decimal {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if is_none(json) { Ok(None) } else { decimal_of(json).map(Some) }
    }

    pub(crate) fn serialize<S: Serializer>(value: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_str(""),
        }
    }
}

/// Anything that is read from a string or number, or none in any of its forms. Use with `default`.
pub(crate) mod maybe {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        if is_none(json) {
            return Ok(None);
        }
        serde_json::from_str(json).map(Some).map_err(|e| de::Error::custom(format_args!("{}: {e}", shorten(json))))
    }

    pub(crate) fn serialize<S: Serializer, T: Serialize>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

/// Text, which is empty for none in any of its forms. Use with `default`.
pub(crate) fn string<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    // Not through its JSON text, which is not to be had within `flatten`.
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| text != "NULL_VAL").unwrap_or_default())
}

/// Anything whose default stands for none: lists, flags. Use with `default`.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    maybe::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A request's id, echoed: text, or a number from those who send one. Use with `default`.
pub(crate) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = Option<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an id")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Visitor)
}

/// A whole number that some send in quotes.
macro_rules! quotable {
    ($name:ident, $type:ty) => {
        pub(crate) fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
            struct Visitor;
            impl de::Visitor<'_> for Visitor {
                type Value = $type;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(concat!("a whole number (", stringify!($type), ")"))
                }
                fn visit_u64<E: de::Error>(self, value: u64) -> Result<$type, E> {
                    value.try_into().map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
                }
                fn visit_i64<E: de::Error>(self, value: i64) -> Result<$type, E> {
                    value.try_into().map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
                }
                fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                    text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
            deserializer.deserialize_any(Visitor)
        }
    };
}
quotable!(u64, u64);
quotable!(u32, u32);
quotable!(i64, i64);

/// A whole number, perhaps in quotes, or none in any of its forms. Use with `default`.
pub(crate) fn maybe_u64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Number(u64);
    impl<'de> Deserialize<'de> for Number {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            u64(deserializer).map(Self)
        }
    }
    Ok(maybe::deserialize(deserializer)?.map(|Number(number)| number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        #[serde(with = "decimal")]
        a: Decimal,
        #[serde(default, with = "maybe_decimal")]
        b: Option<Decimal>,
        #[serde(default, deserialize_with = "super::u64")]
        n: u64,
        #[serde(default, deserialize_with = "maybe_u64", skip_serializing_if = "Option::is_none")]
        m: Option<u64>,
        #[serde(default, deserialize_with = "string", skip_serializing_if = "String::is_empty")]
        s: String,
        #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
        l: Vec<u8>,
    }

    #[test]
    fn numbers_and_strings_are_read_by_their_text() {
        let row: Row =
            serde_json::from_str(r#"{"a":0.1000000000000000000000001,"b":"5.0E-4","n":"144115188077966308"}"#).unwrap();
        assert_eq!(row.a.to_string(), "0.1000000000000000000000001");
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            r#"{"a":"0.1000000000000000000000001","b":"0.00050","n":144115188077966308}"#
        );
    }

    #[test]
    fn none_has_four_forms() {
        for none in [r#"{"a":1,"b":""}"#, r#"{"a":1,"b":null}"#, r#"{"a":1,"b":"NULL_VAL"}"#, r#"{"a":1}"#] {
            assert_eq!(serde_json::from_str::<Row>(none).unwrap().b, None, "{none}");
            let row: Row = serde_json::from_str(&none.replace("\"b\"", "\"m\"")).unwrap();
            assert_eq!(row.m, None, "{none}");
            let row: Row = serde_json::from_str(&none.replace("\"b\"", "\"s\"")).unwrap();
            assert_eq!(row.s, "", "{none}");
            let row: Row = serde_json::from_str(&none.replace("\"b\"", "\"l\"")).unwrap();
            assert_eq!(row.l, [0; 0], "{none}");
        }
        assert_eq!(serde_json::from_str::<Row>(r#"{"a":1,"m":"7","s":"x"}"#).unwrap().m, Some(7));
        for bad in [
            r#"{"a":""}"#,
            r#"{"a":null}"#,
            r#"{"a":[1]}"#,
            r#"{"a":"1","b":{}}"#,
            r#"{"a":"1","n":-1}"#,
            r#"{"a":"1","n":1.5}"#,
            r#"{"a":"1","m":"x"}"#,
            r#"{"a":"1","s":[]}"#,
        ] {
            assert!(serde_json::from_str::<Row>(bad).is_err(), "{bad}");
        }
    }
}
