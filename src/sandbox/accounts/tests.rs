//! What holds whatever a client sends.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::Value;
use sha2::Sha256;

use super::*;
use crate::sandbox::engine::Category;
use crate::sandbox::http;

const NOW: u64 = 1_700_000_000_000;

/// The exchange's private half without a socket, and one user of it with funds.
struct World {
    market: Market,
    accounts: Accounts,
    pair: KeyPair,
    group: u32,
    now: u64,
}

impl World {
    fn new() -> Self {
        let mut market = Market::new(1, false, NOW);
        let mut accounts = Accounts::new(1);
        let (user, pair) = accounts.add_user(&mut market, Profile::default());
        for (asset, amount) in [("USDT", 1_000_000u32), ("BTC", 100), ("ETH", 100)] {
            for category in [Category::Cash, Category::Margin] {
                accounts.deposit(&mut market, user, category, asset, amount.into(), NOW).unwrap();
            }
        }
        let group = accounts[user].group;
        Self { market, accounts, pair, group, now: NOW }
    }

    /// The answer to a signed call, as JSON.
    fn ask(&mut self, method: &str, path: &str, prehash: &str, body: &str) -> Value {
        use base64::Engine as _;
        let keyed = Hmac::<Sha256>::new_from_slice(self.pair.secret.as_bytes()).unwrap();
        let signature = keyed.chain_update(format!("{}+{prehash}", self.now)).finalize().into_bytes();
        let mut text = format!("{method} {path} HTTP/1.1\r\nx-auth-key: {}\r\n", self.pair.key);
        write!(text, "x-auth-timestamp: {}\r\nx-auth-signature: ", self.now).unwrap();
        write!(text, "{}\r\n", base64::engine::general_purpose::STANDARD.encode(signature)).unwrap();
        write!(text, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let (request, _) = http::parse(text.as_bytes()).unwrap().unwrap();
        let response = calls::answer(&mut self.accounts, &mut self.market, &request, self.now).unwrap();
        serde_json::from_slice(&response.body).unwrap()
    }

    fn audit(&self) {
        let engine = self.market.engine();
        for asset in self.market.assets().map(|listed| listed.asset) {
            assert_eq!(engine.supply(asset), engine.fees(asset) + engine.held_by_all(asset), "{asset}");
        }
    }
}

/// One field of a request: mostly what belongs there, sometimes anything.
fn field(name: &'static str, usual: &'static [&'static str]) -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        Just("null".to_owned()),
        Just("\"\"".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("true".to_owned()),
        Just("-0".to_owned()),
        Just("\"\\u0000\"".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("1e308".to_owned()),
        Just("\"79228162514264337593543950335\"".to_owned()),
        "[-]?[0-9]{1,30}(\\.[0-9]{1,30})?",
        "\"[ -!#-\\[\\]-~é]{0,40}\"",
    ];
    let usual = proptest::sample::select(usual).prop_map(str::to_owned);
    let value = prop_oneof![12 => usual.prop_map(Some), 1 => odd.prop_map(Some), 1 => Just(None)];
    value.prop_map(move |value| value.map_or_else(String::new, |value| format!("\"{name}\":{value}")))
}

fn order() -> impl Strategy<Value = String> {
    let fields = (
        field("time", &["1700000000000", "\"1700000000001\""]),
        field("symbol", &["\"BTC/USDT\"", "\"ETH/BTC\"", "\"SOL/USDT\""]),
        field("side", &["\"buy\"", "\"Sell\""]),
        field("orderType", &["\"limit\"", "\"market\"", "\"stop_limit\"", "\"stop_market\""]),
        field("orderQty", &["\"0.01\"", "0.5", "\"1\"", "100"]),
        field("orderPrice", &["\"61000\"", "\"0.04\"", "50000", "\"258\""]),
        field("stopPrice", &["\"61000\"", "\"0.04\"", "1"]),
        field("id", &["\"abcdefghij\"", "\"ab\"", "\"a@b\""]),
        field("postOnly", &["false", "true"]),
        field("timeInForce", &["\"GTC\"", "\"ioc\"", "\"FOK\""]),
        field("respInst", &["\"ACK\"", "\"ACCEPT\"", "\"DONE\""]),
        field("orderId", &["\"a18bcfe56800U1234567890abcdefghij\""]),
    );
    fields.prop_map(|(a, b, c, d, e, f, g, h, i, j, k, l)| {
        let fields: Vec<_> = [a, b, c, d, e, f, g, h, i, j, k, l].into_iter().filter(|f| !f.is_empty()).collect();
        format!("{{{}}}", fields.join(","))
    })
}

/// What a client may say: an order, a batch, a transfer, or anything at all.
fn body() -> impl Strategy<Value = String> {
    let transfer = (
        field("amount", &["\"1\"", "0.5"]),
        field("asset", &["\"BTC\"", "\"USDT\""]),
        field("fromAccount", &["\"cash\"", "\"margin\""]),
        field("toAccount", &["\"cash\"", "\"margin\""]),
        field("userFrom", &["\"parentUser\"", "\"user0\""]),
        field("page", &["1", "\"2\""]),
    );
    let transfer = transfer.prop_map(|(a, b, c, d, e, f)| {
        let fields: Vec<_> = [a, b, c, d, e, f].into_iter().filter(|f| !f.is_empty()).collect();
        format!("{{{}}}", fields.join(","))
    });
    prop_oneof![
        6 => order(),
        3 => proptest::collection::vec(order(), 0..12).prop_map(|list| format!("{{\"orders\":[{}]}}", list.join(","))),
        2 => transfer,
        1 => "[\\[\\]{}\",:a-z0-9 \\\\]{0,60}",
        1 => Just("[".repeat(5000)),
    ]
}

const BODIES: &[(&str, &str, &str)] = &[
    ("POST", "v1/cash/order", "order"),
    ("POST", "v1/cash/order", "order"),
    ("POST", "v1/margin/order", "order"),
    ("DELETE", "v1/cash/order", "order"),
    ("POST", "v1/cash/order/batch", "order/batch"),
    ("DELETE", "v1/cash/order/batch", "order/batch"),
    ("DELETE", "v1/cash/order/all", "order/all"),
    ("POST", "v1/transfer", "transfer"),
    ("POST", "v2/subuser/subuser-transfer", "subuser-transfer"),
    ("POST", "v2/subuser/subuser-transfer-hist", "subuser-transfer-hist"),
];

const QUERIES: &[(&str, &str)] = &[
    ("v1/cash/balance", "balance"),
    ("v1/cash/order/status", "order/status"),
    ("v1/cash/order/open", "order/open"),
    ("v1/cash/order/hist/current", "order/hist/current"),
    ("v2/order/hist", "order/hist"),
    ("v1/order/hist", "order/hist"),
];

/// Names and values of parameters, fitting or not.
const PARAMETERS: &str = "((account|symbol|n|limit|seqNum|startTime|endTime|page|pageSize|orderId|asset)=\
    (cash|BTC/USDT|0|7|-1|18446744073709551615|[!-%'-~]{0,9})&){0,4}";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_body_breaks_anything(
        requests in proptest::collection::vec((proptest::sample::select(BODIES), body()), 40),
    ) {
        let mut world = World::new();
        for ((method, path, prehash), body) in requests {
            let path = format!("/{}/api/pro/{path}", world.group);
            let answer = world.ask(method, &path, prehash, &body);
            let code = answer["code"].as_i64().unwrap();
            prop_assert!(code == 0 || (100_000..400_000).contains(&code), "{body}: {answer}");
            prop_assert!(code == 0 || answer["reason"] != "UNKNOWN_ERROR", "{body}: {answer}");
            world.audit();
        }
    }

    #[test]
    fn no_query_breaks_anything(
        requests in proptest::collection::vec(
            (proptest::sample::select(QUERIES), PARAMETERS),
            40,
        ),
    ) {
        let mut world = World::new();
        for ((path, prehash), query) in requests {
            let path = format!("/{}/api/pro/{path}?{query}", world.group);
            let answer = world.ask("GET", &path, prehash, "");
            let code = answer["code"].as_i64().unwrap();
            prop_assert!(code == 0 || (100_000..400_000).contains(&code), "{path}: {answer}");
        }
    }
}

#[test]
fn events_are_told_once_and_of_users_alone() {
    let mut world = World::new();
    let told = world.accounts.take_events();
    assert_eq!(told.len(), 6, "a balance update for each deposit");
    let path = format!("/{}/api/pro/v1/cash/order", world.group);
    let body = format!(
        r#"{{"time":{NOW},"symbol":"BTC/USDT","side":"buy","orderType":"market","orderQty":"0.1","respInst":"DONE"}}"#
    );
    let answer = world.ask("POST", &path, "order", &body);
    assert_eq!(answer["data"]["status"], "DONE");
    let told = world.accounts.take_events();
    assert!(told.len() >= 2, "it was taken, and it traded: {told:?}");
    for event in &told {
        let Event::Order(update) = event else { panic!("{event:?}") };
        assert_eq!(world.accounts.owner(update.order.account), Some(UserIx(0)));
    }
    // The participants trade on, and nobody is told.
    world.market.advance(NOW + 100);
    world.accounts.listen(&mut world.market);
    assert_eq!(world.accounts.take_events(), []);
}
