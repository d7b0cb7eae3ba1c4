//! The fast lane for nearly all traffic, in the form in which the exchange writes it: `m` first, no escapes, money in
//! quotes, and of the market's messages, the most frequent, one order of fields.
//!
//! It only ever declines (`None`): a text in another form goes to the readers of the models, which take all that
//! JSON allows and know what to say of a bad one. What it does read is what they would read.

mod fields;

use rust_decimal::Decimal;

use crate::decimal;
use crate::model::{Bbo, Depth, DepthKind, Level, Trade, Trades, TradesKind};
use crate::symbol::Symbol;
use crate::ws::wire::Message;

pub(crate) fn read(text: &str) -> Option<Message> {
    let mut rest = Rest(text.strip_prefix("{\"m\":\"")?.as_bytes());
    let kind = rest.until_quote()?;
    rest.skip(b",")?;
    let message = match kind {
        b"order" => Message::Order(Box::new(rest.order()?)),
        b"balance" => Message::Balance(Box::new(rest.balance()?)),
        b"bar" => Message::Bar(Box::new(rest.bar()?)),
        _ => rest.of_product(kind)?,
    };
    rest.0.is_empty().then_some(message)
}

/// What of a text is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// A message whose fields are the product and the data, in this order.
    fn of_product(&mut self, kind: &[u8]) -> Option<Message> {
        self.skip(b"\"symbol\":\"")?;
        let symbol = Symbol::from_server(std::str::from_utf8(self.until_quote()?).ok()?)?;
        self.skip(b",")?;
        self.skip_space();
        self.skip(b"\"data\":")?;
        let message = match kind {
            b"bbo" => Message::Bbo(self.bbo(symbol)?),
            b"depth" => Message::Depth(self.depth(DepthKind::Change, symbol)?),
            b"trades" => Message::Trades(Trades { kind: TradesKind::Trades, id: None, symbol, trades: self.trades()? }),
            b"depth-snapshot" => Message::Depth(self.depth(DepthKind::Snapshot, symbol)?),
            b"depth-realtime" => Message::Depth(self.depth(DepthKind::RealtimeChange, symbol)?),
            b"depth-snapshot-realtime" => Message::Depth(self.depth(DepthKind::RealtimeSnapshot, symbol)?),
            _ => return None,
        };
        self.skip(b"}")?;
        Some(message)
    }

    fn bbo(&mut self, symbol: Symbol) -> Option<Bbo> {
        self.skip(b"{\"ts\":")?;
        let ts = self.whole()?;
        self.skip(b",\"bid\":")?;
        let bid = self.level()?;
        self.skip(b",\"ask\":")?;
        let ask = self.level()?;
        self.skip(b"}")?;
        Some(Bbo { symbol, ts, bid: Some(bid), ask: Some(ask) })
    }

    fn depth(&mut self, kind: DepthKind, symbol: Symbol) -> Option<Depth> {
        self.skip(b"{\"ts\":")?;
        let ts = self.whole()?;
        self.skip(b",\"seqnum\":")?;
        let seqnum = self.whole()?;
        // Room for all levels at once: a bracket each, and two for the lists. None is shorter than `["1","1"],`.
        let brackets = self.0.iter().filter(|b| **b == b'[').count();
        let levels = brackets.saturating_sub(2).min(self.0.len() / 10);
        self.skip(b",\"asks\":")?;
        let asks = self.list(levels, Self::level)?;
        self.skip(b",\"bids\":")?;
        let bids = self.list(levels.saturating_sub(asks.len()), Self::level)?;
        self.skip(b"}")?;
        Some(Depth { kind, symbol, ts, seqnum, asks, bids })
    }

    fn trades(&mut self) -> Option<Vec<Trade>> {
        self.list(1, |rest| {
            rest.skip(b"{\"p\":")?;
            let price = rest.decimal()?;
            rest.skip(b",\"q\":")?;
            let size = rest.decimal()?;
            rest.skip(b",\"ts\":")?;
            let ts = rest.whole()?;
            rest.skip(b",\"bm\":")?;
            let buyer_is_maker = rest.skip(b"true").is_some();
            if !buyer_is_maker {
                rest.skip(b"false")?;
            }
            rest.skip(b",\"seqnum\":")?;
            let seqnum = rest.whole()?;
            rest.skip(b"}")?;
            Some(Trade { price, size, ts, buyer_is_maker, seqnum })
        })
    }

    fn list<T>(&mut self, room: usize, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.skip(b"[")?;
        if self.skip(b"]").is_some() {
            return Some(Vec::new());
        }
        let mut items = Vec::with_capacity(room);
        loop {
            items.push(item(self)?);
            if self.skip(b",").is_none() {
                self.skip(b"]")?;
                return Some(items);
            }
            self.skip_space();
        }
    }

    fn level(&mut self) -> Option<Level> {
        self.skip(b"[")?;
        let price = self.decimal()?;
        self.skip(b",")?;
        let size = self.decimal()?;
        self.skip(b"]")?;
        Some(Level { price, size })
    }

    /// A decimal in quotes.
    fn decimal(&mut self) -> Option<Decimal> {
        self.skip(b"\"")?;
        let (value, rest) = decimal::plain(self.0)?;
        self.0 = rest;
        self.skip(b"\"")?;
        Some(value)
    }

    /// A whole number of at most 19 digits, which 64 bits hold.
    fn whole(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        match number {
            [] => None,
            [b'0', _, ..] => None,
            _ if digits > 19 => None,
            _ => Some(number.iter().fold(0, |value, b| value * 10 + u64::from(b - b'0'))),
        }
    }

    /// Text without escapes and control characters, and the quote that ends it.
    fn until_quote(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|b| matches!(b, b'"' | b'\\' | ..b' '))?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    #[inline(always)]
    fn skip(&mut self, token: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(token)?;
        Some(())
    }

    fn skip_space(&mut self) {
        self.0 = self.0.strip_prefix(b" ").unwrap_or(self.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // No two figures of a message are alike, so that none can stand for another.
    const TEXTS: [&str; 10] = [
        r#"{"m":"bbo","symbol":"BTC/USDT","data":{"ts":1573068442532,"bid":["9309.11","0.0197172"],"ask":["9309.12","0.8851266"]}}"#,
        r#"{"m":"depth","symbol":"A/B", "data":{"ts":1,"seqnum":21034366119,"asks":[["0.629959","5799"],["0.63","0"]],"bids":[]}}"#,
        r#"{"m":"depth-snapshot","symbol":"A/B", "data":{"ts":1,"seqnum":2,"asks":[["3","4"]],"bids":[["2","1"], ["1","1"]]}}"#,
        r#"{"m":"depth-realtime","symbol":"A/B","data":{"ts":1,"seqnum":2,"asks":[],"bids":[["2.0","1"]]}}"#,
        r#"{"m":"depth-snapshot-realtime","symbol":"A/B","data":{"ts":0,"seqnum":2,"asks":[],"bids":[]}}"#,
        r#"{"m":"trades","symbol":"A/B","data":[{"p":"0.6248","q":"416","ts":1,"bm":true,"seqnum":2},{"p":"1","q":"2","ts":3,"bm":false,"seqnum":144115188077966308}]}"#,
        r#"{"m":"order","accountId":"cshQtyfq8XLA","ac":"CASH","data":{"s":"BTC/USDT","sn":8159711,"sd":"Buy","ap":"0","bab":"2006.5974027","btb":"2006.6","cf":"","cfq":"0.001","err":"","fa":"USDT","orderId":"s16ef210b1a50866943712bfaf1584b","ot":"Market","p":"7967.62","q":"0.0083","qab":"793.23","qtb":"860.23","sp":"7900","st":"New","t":1576019215402,"ei":"NULL_VAL"}}"#,
        r#"{"m":"order","accountId":"c","ac":"CASH", "data":{"sn":6,"orderId":"r1","s":"A/B","t":1,"st":"Ready","err":"?"}}"#,
        r#"{"m":"balance","accountId":"marOxpKJV8","ac":"MARGIN","data":{"a":"USDT","sn":8159802,"tb":"400","ab":"399.5","brw":"0","int":""}}"#,
        r#"{"m":"bar","s":"BTC/USDT","data":{"i":"1d","ts":1575398940000,"o":"0.04993","c":"0.04970","h":"0.04994","l":"0.0496","v":"8052"}}"#,
    ];

    /// What the readers of the models make of it.
    fn by_model(text: &str) -> serde_json::Result<Message> {
        serde_json::from_str(text)
            .map(Message::Bbo)
            .or_else(|_| serde_json::from_str(text).map(Message::Depth))
            .or_else(|_| serde_json::from_str(text).map(Message::Trades))
            .or_else(|_| serde_json::from_str(text).map(Message::Order))
            .or_else(|_| serde_json::from_str(text).map(Message::Balance))
            .or_else(|_| serde_json::from_str(text).map(Message::Bar))
    }

    #[test]
    fn the_exchange_own_form_is_read() {
        for text in TEXTS {
            let message = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(message, by_model(text).unwrap());
            // In any other form the lane is not for it.
            assert_eq!(read(&format!("{text} ")), None);
            assert_eq!(read(&text.replace("\"m\":", "\"m\": ")), None);
        }
    }

    #[test]
    fn room_is_made_once_and_not_at_will() {
        let Some(Message::Depth(depth)) = read(TEXTS[2]) else { panic!() };
        assert_eq!((depth.bids.len(), depth.bids.capacity()), (2, 2));
        let brackets = "[".repeat(1_000_000);
        assert_eq!(read(&TEXTS[1].replace("\"bids\":[]", &format!("\"bids\":[{brackets}"))), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn what_is_read_here_is_read_alike_there(
            text in 0..TEXTS.len(),
            place in any::<prop::sample::Index>(),
            cut in 0usize..8,
            insert in r#"[0-9.eE+\-,:\[\]{}"\\ /a-zA\t]{0,22}"#,
        ) {
            let text = TEXTS[text];
            let from = place.index(text.len());
            let to = (from + cut).min(text.len());
            let spoilt = format!("{}{insert}{}", &text[..from], &text[to..]);
            if let Some(message) = read(&spoilt) {
                let by_model = by_model(&spoilt);
                prop_assert!(by_model.is_ok(), "{}: {:?}", spoilt, by_model);
                prop_assert_eq!(by_model.unwrap(), message);
            }
        }
    }
}
