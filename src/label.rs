//! Enumerations of the wire: known values are variants, unknown ones keep their text.

/// Declares an enumeration that is read without regard to case and underscores, is written as given
/// here, and keeps a value that it does not know in `Other`.
macro_rules! label {
    (
        $(#[$doc:meta])*
        pub enum $name:ident {
            $( $(#[$vdoc:meta])* $variant:ident = $text:literal $(| $alias:literal)* ),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$vdoc])* $variant, )+
            /// A value that this version of the crate does not know, as the server wrote it.
            Other(Box<str>),
        }

        impl $name {
            /// The values that this version knows, in the order of the reference.
            pub const KNOWN: &'static [$name] = &[$( $name::$variant ),+];

            /// The value as the reference writes it; an unknown one as it was read.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )+
                    Self::Other(text) => text,
                }
            }

            /// Reads a value; what is not known becomes `Other`.
            pub fn from_text(text: &str) -> Self {
                $( if $crate::label::same(text, $text) $(|| $crate::label::same(text, $alias))* {
                    return Self::$variant;
                } )+
                Self::Other(text.into())
            }

            /// Whether this version knows the value.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Other(_))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::de::text(deserializer, stringify!($name), |text| Some(Self::from_text(text)))
            }
        }
    };
}
pub(crate) use label;

/// Whether two labels are the same but for case and underscores: `stop_limit` is `StopLimit`.
pub(crate) fn same(a: &str, b: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        text.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase())
    }
    a == b || letters(a).eq(letters(b))
}

#[cfg(test)]
mod tests {
    use crate::model::{BarInterval, ProductStatus};

    #[test]
    fn case_and_underscores_do_not_matter_and_unknown_text_is_kept() {
        assert_eq!(ProductStatus::from_text("no_trading"), ProductStatus::NoTrading);
        assert_eq!(ProductStatus::from_text("NORMAL"), ProductStatus::Normal);
        let unknown: ProductStatus = serde_json::from_str("\"On_Fire\"").unwrap();
        assert_eq!(unknown, ProductStatus::Other("On_Fire".into()));
        assert_eq!(serde_json::to_string(&unknown).unwrap(), "\"On_Fire\"");
        assert!(!unknown.is_known());
    }

    #[test]
    fn every_known_value_reads_back() {
        for value in BarInterval::KNOWN {
            assert_eq!(&BarInterval::from_text(value.as_str()), value);
        }
    }
}
