//! A price with a size, `[price, size]` on the wire.

use std::fmt;

use rust_decimal::Decimal;
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::de as wire;

/// One price level: a price and the quantity there, `["9309.11","0.0197172"]` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Level {
    /// Price, in the quote asset.
    pub price: Decimal,
    /// Quantity, in the base asset. Zero in a change of the book: the level is gone.
    pub size: Decimal,
}

/// A decimal as an element of a list.
struct Number(Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::decimal::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Level;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[price, size]")
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Level, A::Error> {
                let mut next = |n| seq.next_element::<Number>()?.ok_or_else(|| de::Error::invalid_length(n, &self));
                let level = Level { price: next(0)?.0, size: next(1)?.0 };
                // What the server may add one day.
                while seq.next_element::<de::IgnoredAny>()?.is_some() {}
                Ok(level)
            }
        }
        deserializer.deserialize_seq(Visitor)
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Text(Decimal);
        impl Serialize for Text {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&Text(self.price))?;
        tuple.serialize_element(&Text(self.size))?;
        tuple.end()
    }
}

/// The best level of a side that may be empty: `null`, `[]` and empty strings inside stand for none.
pub(crate) mod best {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Level>, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?.get();
        match serde_json::from_str(json) {
            Ok(level) => Ok(Some(level)),
            Err(e) => match serde_json::from_str::<Option<Vec<&str>>>(json) {
                Ok(texts) if texts.iter().flatten().all(|text| matches!(*text, "" | "NULL_VAL")) => Ok(None),
                _ => Err(de::Error::custom(e)),
            },
        }
    }

    pub(crate) fn serialize<S: Serializer>(level: &Option<Level>, serializer: S) -> Result<S::Ok, S::Error> {
        match level {
            Some(level) => level.serialize(serializer),
            None => ["", ""].serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Side(#[serde(with = "best")] Option<Level>);

    #[test]
    fn reads_strings_numbers_and_more() {
        for json in [r#"["0.10","2"]"#, "[0.10,2]", r#"["1.0E-1",2,"new"]"#] {
            let level: Level = serde_json::from_str(json).unwrap();
            assert_eq!(level, Level { price: Decimal::new(1, 1), size: Decimal::from(2) });
        }
        for bad in ["[]", r#"["1"]"#, r#"["1",""]"#, r#"["x","1"]"#, "{}", r#""12""#] {
            assert!(serde_json::from_str::<Level>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_side_is_none() {
        for none in ["null", "[]", r#"["",""]"#] {
            assert!(serde_json::from_str::<Side>(none).unwrap().0.is_none(), "{none}");
        }
        assert!(serde_json::from_str::<Side>(r#"["1","2"]"#).unwrap().0.is_some());
        assert!(serde_json::from_str::<Side>(r#"["1","x"]"#).is_err());
        assert_eq!(serde_json::to_string(&Side(None)).unwrap(), r#"["",""]"#);
    }
}
