//! Names that the exchange gives to things: products, assets, orders.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::InvalidInput;
use crate::text::Text;

/// What the types of this file share: inline text, `Display`, parsing with a check, reading without one.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal, $field:literal, $check:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text<$max>);

        impl $name {
            /// The longest text that fits, in bytes.
            pub const MAX_LEN: usize = $max;

            /// Checks and takes a name.
            ///
            /// # Errors
            /// [`InvalidInput`] naming the field when the text is not well formed.
            pub fn new(text: &str) -> Result<Self, InvalidInput> {
                let check: fn(&str) -> bool = $check;
                Text::new(text)
                    .filter(|_| check(text))
                    .map(Self)
                    .ok_or_else(|| InvalidInput::new($field, format!("{text:?} is not {}", $expected)))
            }

            /// What the server said, which is not for us to judge beyond what can be held.
            pub(crate) fn from_server(text: &str) -> Option<Self> {
                Text::new(text).map(Self)
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = InvalidInput;
            fn from_str(text: &str) -> Result<Self, InvalidInput> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidInput;
            fn try_from(text: &str) -> Result<Self, InvalidInput> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = InvalidInput;
            fn try_from(text: &String) -> Result<Self, InvalidInput> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidInput;
            fn try_from(text: String) -> Result<Self, InvalidInput> {
                Self::new(&text)
            }
        }

        impl TryFrom<&$name> for $name {
            type Error = InvalidInput;
            fn try_from(name: &$name) -> Result<Self, InvalidInput> {
                Ok(*name)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::from_server(text)
                            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
                    }
                }
                deserializer.deserialize_str(Visitor)
            }
        }
    };
}

pub(crate) use name;

fn is_code(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
}

name! {
    /// A product's name: `BTC/USDT`, or `BTC-PERP`. `Copy`, at most 23 bytes.
    ///
    /// The protocol's `symbol` (in messages of the stream also `s`). A name given by the program is
    /// checked (two upper-case codes with `/` between them, or one code with `-` in it); one that the
    /// server sends is taken as it is.
    ///
    /// ```
    /// use bitmax::Symbol;
    /// let symbol = Symbol::new("BTC/USDT")?;
    /// assert_eq!((symbol.base(), symbol.quote()), ("BTC", Some("USDT")));
    /// assert!(Symbol::new("BTCUSDT").is_err());
    /// # Ok::<(), bitmax::InvalidInput>(())
    /// ```
    Symbol, 23, "symbol",
    |text| match text.split_once('/') {
        Some((base, quote)) => is_code(base) && is_code(quote),
        None => is_code(text) && text.trim_matches('-').contains('-'),
    },
    "a symbol such as BTC/USDT or BTC-PERP (upper case)"
}

impl Symbol {
    /// The base asset of a pair (`BTC` of `BTC/USDT`); of another product what stands before the first `-`.
    pub fn base(&self) -> &str {
        let text = self.as_str();
        text.split(['/', '-']).next().unwrap_or(text)
    }

    /// The quote asset of a pair (`USDT` of `BTC/USDT`); `None` for a product that is no pair.
    pub fn quote(&self) -> Option<&str> {
        self.as_str().split_once('/').map(|(_, quote)| quote)
    }
}

name! {
    /// An asset's code: `BTC`, `USDT`, `BTMX-S`. `Copy`, at most 15 bytes.
    ///
    /// The protocol's `asset` or `assetCode`. Upper-case letters, digits, `-`, `_` and `.` when given by
    /// the program; as it is when it comes from the server.
    Asset, 15, "asset", is_code, "an asset code such as USDT (upper case)"
}

name! {
    /// The server's id of an order. `Copy`, at most 39 bytes.
    ///
    /// The protocol's `orderId`. Ids of several origins are in use, so nothing is read from its parts and
    /// nothing but its being one word without a comma is asked of it.
    OrderId, 39, "orderId", |text| !text.contains(','), "an order id (1 to 39 visible characters, no comma)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_the_program_are_checked() {
        for good in ["BTC/USDT", "BTC-PERP", "1INCH/USDT", "BTMX-S/USDT", "A/B"] {
            assert_eq!(Symbol::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/",
            "BTC",
            "BTC/",
            "/USDT",
            "btc/usdt",
            "BTC/USDT/X",
            "BTC USDT",
            "BTC,ETH",
            "BTC/USDT,",
            "-PERP",
            "BTC-",
            "Ü/B",
        ] {
            let error = Symbol::new(bad).unwrap_err();
            assert_eq!(error.field(), "symbol", "{bad}");
        }
        assert!(Symbol::new(&"A".repeat(24)).is_err());
    }

    #[test]
    fn names_of_the_server_are_taken_as_they_are() {
        let symbol: Symbol = serde_json::from_str("\"odd.name\"").unwrap();
        assert_eq!(serde_json::to_string(&symbol).unwrap(), "\"odd.name\"");
        for bad in ["\"\"", "\"a b\"", "\"\\u0000\"", "17", "null", "\"0123456789012345678901234\""] {
            assert!(serde_json::from_str::<Symbol>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_small_and_ordered_as_text() {
        assert_eq!(size_of::<Symbol>(), 24);
        assert_eq!(size_of::<Asset>(), 16);
        assert_eq!(size_of::<OrderId>(), 40);
        assert!(Asset::new("AB").unwrap() < Asset::new("B").unwrap());
        assert!(Asset::new("A").unwrap() < Asset::new("AB").unwrap());
    }
}
