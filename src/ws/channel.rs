//! What a stream can be subscribed to.

use std::fmt;
use std::str::FromStr;

use crate::error::InvalidInput;
use crate::model::{AccountCategory, BarInterval};
use crate::symbol::{Asset, Symbol};

/// A channel of the stream with its arguments: `bbo:BTC/USDT,ETH/USDT` on the wire.
///
/// A bad argument does not fail here but where the channel is used:
/// [`connect`](crate::StreamBuilder::connect) or [`subscribe`](crate::StreamHandle::subscribe) refuse it,
/// with nothing sent.
///
/// ```
/// use bitmax::{Channel, model::BarInterval};
/// let quotes = Channel::bbo(["BTC/USDT", "ETH/USDT"]);
/// let bars = Channel::bar(BarInterval::Min1, ["BTC/USDT"]);
/// assert_eq!("bbo:BTC/USDT,ETH/USDT".parse(), Ok(quotes));
/// assert_eq!("bar:1:BTC/USDT".parse(), Ok(bars));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    topics: Result<Vec<Topic>, InvalidInput>,
}

impl Channel {
    /// The best bid and ask: [`Bbo`](crate::model::Bbo) at each change. The protocol's `bbo:<symbol>`.
    pub fn bbo<S: TryInto<Symbol>>(symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        Self::of_symbols("bbo", symbols)
    }

    /// Changes of the order book, gathered over 300 ms: [`Depth`](crate::model::Depth). They need a
    /// snapshot to start from: see [`OrderBook`](crate::OrderBook). The protocol's `depth:<symbol>`.
    pub fn depth<S: TryInto<Symbol>>(symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        Self::of_symbols("depth", symbols)
    }

    /// Trades as they happen: [`Trades`](crate::model::Trades). The protocol's `trades:<symbol>`.
    pub fn trades<S: TryInto<Symbol>>(symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        Self::of_symbols("trades", symbols)
    }

    /// Bars of one length: [`Bar`](crate::model::Bar) at each change of the current one. The protocol's
    /// `bar:<interval>:<symbol>`.
    pub fn bar<S: TryInto<Symbol>>(interval: BarInterval, symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        if !interval.is_known() {
            return Self {
                topics: Err(InvalidInput::new("interval", format!("{:?} is not an interval", interval.as_str()))),
            };
        }
        Self::of_symbols(&format!("bar:{interval}"), symbols)
    }

    /// Day summaries, an older form of bars: [`Bar`](crate::model::Bar). The protocol's `summary:<symbol>`.
    pub fn summary<S: TryInto<Symbol>>(symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        Self::of_symbols("summary", symbols)
    }

    /// Reference prices for margin: [`RefPrice`](crate::model::RefPrice). The protocol's `ref-px:<asset>`.
    pub fn ref_px<A: TryInto<Asset>>(assets: impl IntoIterator<Item = A>) -> Self
    where
        InvalidInput: From<A::Error>,
    {
        Self::of("ref-px", assets.into_iter().map(|asset| asset.try_into().map(|a: Asset| a.as_str().into())))
    }

    /// An account's orders: [`OrderUpdate`](crate::model::OrderUpdate) at each change, and
    /// [`BalanceUpdate`](crate::model::BalanceUpdate) where no order changed the balance. The stream must be
    /// [authenticated](crate::StreamBuilder::authenticate), which it is by itself when this is subscribed to from
    /// the beginning. The protocol's `order:<account>`.
    pub fn orders(account: AccountCategory) -> Self {
        Self { topics: Ok(vec![Topic { prefix: "order".into(), argument: account.as_str().into() }]) }
    }

    /// The orders of an account by its id, as in [`account_id`](crate::model::OrderAnswer::account_id); else like
    /// [`orders`](Self::orders). To the exchange it is one channel with that of the account's category: subscribe to
    /// one of the two. Letters and digits, 10 to 64. The protocol's `order:<account>`.
    ///
    /// ```
    /// use bitmax::Channel;
    /// let orders = Channel::orders_of_account("cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo");
    /// assert_eq!("order:cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo".parse(), Ok(orders));
    /// ```
    pub fn orders_of_account(id: &str) -> Self {
        Self { topics: account_id(id).map(|id| vec![Topic { prefix: "order".into(), argument: id.into() }]) }
    }

    /// An account's orders of some products only. The protocol's `order:<account>:<symbol>`.
    pub fn orders_of<S: TryInto<Symbol>>(account: AccountCategory, symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        Self::of_symbols(&format!("order:{account}"), symbols)
    }

    /// Changes of the order book as they happen: [`Depth`](crate::model::Depth), a snapshot first. The stream must
    /// be authenticated. The protocol's `depth-realtime:<symbol>`.
    pub fn depth_realtime<S: TryInto<Symbol>>(symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        Self::of_symbols("depth-realtime", symbols)
    }

    fn of_symbols<S: TryInto<Symbol>>(prefix: &str, symbols: impl IntoIterator<Item = S>) -> Self
    where
        InvalidInput: From<S::Error>,
    {
        Self::of(prefix, symbols.into_iter().map(|symbol| symbol.try_into().map(|s: Symbol| s.as_str().into())))
    }

    fn of<E>(prefix: &str, arguments: impl Iterator<Item = Result<Box<str>, E>>) -> Self
    where
        InvalidInput: From<E>,
    {
        let topics = arguments.map(|argument| Ok(Topic { prefix: prefix.into(), argument: argument? }));
        let topics = match topics.collect::<Result<Vec<_>, InvalidInput>>() {
            Ok(none) if none.is_empty() => Err(InvalidInput::new("ch", format!("{prefix} needs at least one symbol"))),
            other => other,
        };
        Self { topics }
    }

    /// Whether only an authenticated stream may have it: orders, and `depth-realtime`.
    pub fn is_private(&self) -> bool {
        self.topics.iter().flatten().any(Topic::is_private)
    }

    /// The single subscriptions that the channel stands for.
    pub(crate) fn into_topics(self) -> Result<Vec<Topic>, InvalidInput> {
        self.topics
    }
}

/// Reads a channel as it is written on the wire.
impl FromStr for Channel {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let (prefix, arguments) = text.rsplit_once(':').unwrap_or((text, ""));
        let symbols = arguments.split(',');
        let channel = match prefix.split_once(':') {
            None if matches!(prefix, "bbo" | "depth" | "depth-realtime" | "trades" | "summary") => {
                Self::of_symbols(prefix, symbols)
            }
            None if prefix == "ref-px" => Self::ref_px(symbols),
            None if prefix == "order" => match arguments.parse() {
                Ok(category) => Self::orders(category),
                Err(_) => Self::orders_of_account(arguments),
            },
            Some(("order", account)) => match account.parse() {
                Ok(category) => Self::orders_of(category, symbols),
                Err(_) => Self::of_symbols(&format!("order:{}", account_id(account)?), symbols),
            },
            Some(("bar", interval)) => Self::bar(BarInterval::from_text(interval), symbols),
            _ => return Err(InvalidInput::new("ch", format!("{text:?} is not a channel such as bbo:BTC/USDT"))),
        };
        channel.into_topics().map(|topics| Self { topics: Ok(topics) })
    }
}

/// An account's id. It is longer than any category, so that a category that is misspelt is none.
fn account_id(text: &str) -> Result<&str, InvalidInput> {
    if (10..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(text);
    }
    Err(InvalidInput::new("account", format!("{text:?} is neither cash nor margin nor an account's id")))
}

/// One subscription: a channel and one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    /// `bbo`, `bar:1`.
    pub(crate) prefix: Box<str>,
    /// A symbol, an asset or an account.
    pub(crate) argument: Box<str>,
}

impl Topic {
    /// Whether only an authenticated session may have it.
    pub(crate) fn is_private(&self) -> bool {
        self.is_of_orders() || *self.prefix == *"depth-realtime"
    }

    /// The channel that a book is kept from.
    pub(crate) fn of_book(symbol: Symbol, realtime: bool) -> Self {
        let prefix = if realtime { "depth-realtime" } else { "depth" };
        Self { prefix: prefix.into(), argument: symbol.as_str().into() }
    }

    /// Where it is a channel that a book is kept from: the product, and whether it is `depth-realtime`.
    pub(crate) fn book(&self) -> Option<(Symbol, bool)> {
        let realtime = match &*self.prefix {
            "depth" => false,
            "depth-realtime" => true,
            _ => return None,
        };
        Some((Symbol::from_server(&self.argument)?, realtime))
    }

    /// Whether several of its kind may stand in one message.
    pub(crate) fn is_joined(&self) -> bool {
        !self.is_of_orders()
    }

    fn is_of_orders(&self) -> bool {
        self.prefix.split(':').next() == Some("order")
    }

    /// Whether `channel` of an acknowledgement names this subscription, alone or among others.
    pub(crate) fn is_named_by(&self, channel: &str) -> bool {
        channel.rsplit_once(':').is_some_and(|(prefix, arguments)| {
            *prefix == *self.prefix && arguments.split(',').any(|a| *a == *self.argument)
        })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.prefix, self.argument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo";

    #[test]
    fn channels_are_read_as_they_are_written() {
        let topics = "bar:1d:BTC/USDT,BTC-PERP".parse::<Channel>().unwrap().into_topics().unwrap();
        let texts: Vec<_> = topics.iter().map(Topic::to_string).collect();
        assert_eq!(texts, ["bar:1d:BTC/USDT", "bar:1d:BTC-PERP"]);
        assert_eq!("ref-px:BTC".parse(), Ok(Channel::ref_px(["BTC"])));
        assert_eq!("order:CASH".parse(), Ok(Channel::orders(AccountCategory::Cash)));
        assert_eq!("order:margin:BTC/USDT".parse(), Ok(Channel::orders_of(AccountCategory::Margin, ["BTC/USDT"])));
        assert_eq!(format!("order:{ID}").parse(), Ok(Channel::orders_of_account(ID)));
        let topics = format!("order:{ID}:BTC/USDT,ETH/USDT").parse::<Channel>().unwrap().into_topics().unwrap();
        let texts: Vec<_> = topics.iter().map(Topic::to_string).collect();
        assert_eq!(texts, [format!("order:{ID}:BTC/USDT"), format!("order:{ID}:ETH/USDT")]);
        assert!(topics.iter().all(|topic| topic.is_private() && !topic.is_joined()));
    }

    #[test]
    fn orders_and_realtime_depth_are_private() {
        for (text, private) in [
            ("order:cash", true),
            ("order:margin:BTC/USDT", true),
            ("depth-realtime:BTC/USDT", true),
            ("depth:BTC/USDT", false),
            ("bar:1:BTC/USDT", false),
        ] {
            assert_eq!(text.parse::<Channel>().unwrap().is_private(), private, "{text}");
        }
    }

    #[test]
    fn bad_channels_are_refused() {
        for (text, field) in [
            ("", "ch"),
            ("bbo", "symbol"),
            ("bbo:", "symbol"),
            ("bbo:btc/usdt", "symbol"),
            ("bbo:BTC/USDT,", "symbol"),
            ("ticker:BTC/USDT", "ch"),
            ("bar:BTC/USDT", "ch"),
            ("bar:7:BTC/USDT", "interval"),
            ("bar:1:2:BTC/USDT", "interval"),
            ("ref-px:BTC/USDT", "asset"),
            ("order:futures", "account"),
            ("order:", "account"),
            ("order:cshQtyfq8-LAA9kcf19h8bXHbAwwoqDo", "account"),
            ("order:futures:BTC/USDT", "account"),
            ("order:cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo:btc", "symbol"),
            ("order:cash:btc", "symbol"),
        ] {
            assert_eq!(text.parse::<Channel>().unwrap_err().field(), field, "{text}");
        }
        for bad in ["", "cash", "cash:BTC/USDT", &"x".repeat(65)] {
            assert_eq!(Channel::orders_of_account(bad).into_topics().unwrap_err().field(), "account", "{bad}");
        }
        assert_eq!(Channel::bbo([""; 0]).into_topics().unwrap_err().field(), "ch");
    }

    #[test]
    fn an_acknowledgement_names_one_or_several() {
        let topic = Topic { prefix: "bar:1".into(), argument: "BTC/USDT".into() };
        for (channel, named) in
            [("bar:1:BTC/USDT", true), ("bar:1:ETH/USDT,BTC/USDT", true), ("bar:5:BTC/USDT", false), ("bar:1", false)]
        {
            assert_eq!(topic.is_named_by(channel), named, "{channel}");
        }
    }
}
