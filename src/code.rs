//! The exchange's error codes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// An error code of the exchange. The named ones are constants; any other number is kept as it is.
///
/// The protocol's `code`; for six-digit codes `code / 10000` is the [group](Self::group).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(i64);

/// What an error code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeGroup {
    /// 10: the request in general.
    General,
    /// 15: the form of the request.
    Format,
    /// 20: who asks, and what they may do.
    Authentication,
    /// 30: orders.
    Order,
    /// 31: margin.
    Margin,
    /// 50 and 51: the exchange itself failed.
    System,
    /// 90: behaviour.
    Behaviour,
    /// Any other, legacy codes of four to six digits among them.
    Other,
}

impl Code {
    /// A code by its number.
    pub const fn new(code: i64) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn value(self) -> i64 {
        self.0
    }

    /// What the code is about.
    pub const fn group(self) -> CodeGroup {
        match self.0 {
            100_000..110_000 => CodeGroup::General,
            150_000..160_000 => CodeGroup::Format,
            200_000..210_000 => CodeGroup::Authentication,
            300_000..310_000 => CodeGroup::Order,
            310_000..320_000 => CodeGroup::Margin,
            500_000..520_000 => CodeGroup::System,
            900_000..910_000 => CodeGroup::Behaviour,
            _ => CodeGroup::Other,
        }
    }

    /// Whether the exchange failed rather than refused: it may have acted nevertheless.
    pub(crate) fn is_server_failure(self) -> bool {
        self == Self::UNKNOWN_ERROR || matches!(self.group(), CodeGroup::System)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::de::i64(deserializer).map(Self)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)+) => {
        impl Code {
            $(
                #[doc = concat!("`", stringify!($name), "`, ", stringify!($code), ".")]
                $(#[$doc])*
                pub const $name: Self = Self($code);
            )+

            /// The reference's name of the code, for the codes that it names.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }
    };
}

codes! {
    INVALID_HTTP_INPUT = 100_001;
    DATA_NOT_AVAILABLE = 100_002;
    KEY_CONFLICT = 100_003;
    INVALID_REQUEST_DATA = 100_004;
    INVALID_WS_REQUEST_DATA = 100_005;
    INVALID_ARGUMENT = 100_006;
    ENCRYPTION_ERROR = 100_007;
    SYMBOL_ERROR = 100_008;
    AUTHORIZATION_NEEDED = 100_009;
    INVALID_OPERATION = 100_010;
    INVALID_TIMESTAMP = 100_011;
    INVALID_STR_FORMAT = 100_012;
    INVALID_NUM_FORMAT = 100_013;
    /// The request count of an address is over its limit; the reference gives no name.
    TOO_MANY_REQUESTS = 100_014;
    UNKNOWN_ERROR = 100_101;
    /// Comes with HTTP status 405; the reference gives no name.
    METHOD_NOT_ALLOWED = 100_102;
    INVALID_JSON_FORMAT = 150_001;
    AUTHENTICATION_FAILED = 200_001;
    TOO_MANY_ATTEMPTS = 200_002;
    ACCOUNT_NOT_FOUND = 200_003;
    ACCOUNT_NOT_SETUP = 200_004;
    ACCOUNT_ALREADY_EXIST = 200_005;
    ACCOUNT_ERROR = 200_006;
    CODE_NOT_FOUND = 200_007;
    CODE_EXPIRED = 200_008;
    CODE_MISMATCH = 200_009;
    PASSWORD_ERROR = 200_010;
    CODE_GEN_FAILED = 200_011;
    FAKE_COKE_VERIFY = 200_012;
    SECURITY_ALERT = 200_013;
    RESTRICTED_ACCOUNT = 200_014;
    PERMISSION_DENIED = 200_015;
    INVALID_PRICE = 300_001;
    INVALID_QTY = 300_002;
    INVALID_SIDE = 300_003;
    INVALID_NOTIONAL = 300_004;
    INVALID_TYPE = 300_005;
    INVALID_ORDER_ID = 300_006;
    INVALID_TIME_IN_FORCE = 300_007;
    INVALID_ORDER_PARAMETER = 300_008;
    TRADING_VIOLATION = 300_009;
    INVALID_BALANCE = 300_011;
    INVALID_PRODUCT = 300_012;
    INVALID_BATCH_ORDER = 300_013;
    TICK_SIZE_VIOLATION = 300_014;
    /// A cancel was refused: sent twice, or the order is not open; the reference gives no name.
    CANCEL_REFUSED = 300_019;
    TRADING_RESTRICTED = 300_020;
    TRADING_DISABLED = 300_021;
    NO_MARKET_PRICE = 300_031;
    INVALID_MARGIN_BALANCE = 310_001;
    INVALID_MARGIN_ACCOUNT = 310_002;
    MARGIN_TOO_RISKY = 310_003;
    INVALID_MARGIN_ASSET = 310_004;
    INVALID_REFERENCE_PRICE = 310_005;
    SERVER_ERROR = 510_001;
    HUMAN_CHALLENGE = 900_001;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_groups_and_unknown_ones_are_kept() {
        assert_eq!(Code::INVALID_BALANCE.group(), CodeGroup::Order);
        assert_eq!(Code::MARGIN_TOO_RISKY.group(), CodeGroup::Margin);
        assert_eq!(Code::new(510_001).name(), Some("SERVER_ERROR"));
        for legacy in [1900, 6010, 60060, 600_503, -1] {
            assert_eq!(Code::new(legacy).group(), CodeGroup::Other);
        }
        assert_eq!(serde_json::from_str::<Code>("\"300006\"").unwrap(), Code::INVALID_ORDER_ID);
    }
}
