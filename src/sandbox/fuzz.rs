//! The sandbox under arbitrary input: what clients send, without sockets, and what must hold after it. For the fuzz
//! targets and for the tests; no part of the crate's API.

#![cfg_attr(test, allow(unreachable_pub, reason = "public for the fuzz targets alone"))]

use std::net::{IpAddr, Ipv4Addr};

use rust_decimal::Decimal;
use serde_json::Value;

use super::accounts::{KeyPair, Profile};
use super::engine::Category;
use super::exchange::Exchange;
use super::http::{self, Request, Response};
use super::sessions::Output;
use super::{Sandbox, Settings};
use crate::Code;
use crate::sign::Signer;

const NOW: u64 = 1_700_000_000_000;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Messages of one input that are heard, at most: so that an input that is large is not slow as well.
const MAX_MESSAGES: usize = 64;

/// The key of requests that are to be the user's: they are given its key and signature.
const KEY: &str = "k";

/// An exchange with a user of some means, who has a sub-account.
pub struct Fuzzed {
    exchange: Exchange,
    pair: KeyPair,
    now: u64,
}

impl Default for Fuzzed {
    fn default() -> Self {
        Self::new()
    }
}

impl Fuzzed {
    /// A fresh one.
    pub fn new() -> Self {
        // Whatever time an order says is near enough.
        let settings = Settings { acceptance_window: u64::MAX, ..Sandbox::builder().settings };
        let mut exchange = Exchange::new(settings, NOW);
        let pair = exchange.act(NOW, |accounts, market, now| {
            let (user, pair) = accounts.add_user(market, Profile::default());
            accounts.add_user(market, Profile { parent: Some(user), ..Profile::default() });
            for (category, asset) in [
                (Category::Cash, "USDT"),
                (Category::Cash, "BTC"),
                (Category::Margin, "USDT"),
                (Category::Margin, "BTC"),
            ] {
                if let Err(refusal) = accounts.deposit(market, user, category, asset, Decimal::from(10_000), now) {
                    log::error!("no {asset}: {refusal:?}");
                }
            }
            pair
        });
        Self { exchange, pair, now: NOW }
    }

    /// Takes bytes for requests, one after another, and answers each, until they are none.
    ///
    /// # Errors
    /// What does not hold.
    pub fn requests(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Ok(Some((mut request, used))) = http::parse(bytes) {
            self.sign(&mut request);
            if request.is_upgrade()
                && request.upgrade_key().is_ok()
                && let Ok(id) = self.exchange.admit(&request, HERE, self.now)
            {
                self.exchange.close(id);
            }
            let response = self.exchange.answer(&request, HERE, &[], self.now);
            if !matches!(response.status, 200 | 404 | 405 | 429) {
                return Err(format!("status {} for {} {}", response.status, request.method, request.path));
            }
            if let Some(code) = unknown_code(&response) {
                return Err(format!("code {code} for {} {}", request.method, request.path));
            }
            bytes = bytes.get(used..).unwrap_or_default();
        }
        self.check()
    }

    /// Lets a client of the stream say each line, as nobody or as the user, and time go by.
    ///
    /// # Errors
    /// What does not hold.
    pub fn messages(&mut self, text: &str, authenticated: bool) -> Result<(), String> {
        let headers = if authenticated { format!("x-auth-key: {KEY}\r\n") } else { String::new() };
        let upgrade = format!("GET /7/api/pro/v1/stream HTTP/1.1\r\n{headers}\r\n");
        let Ok(Some((mut request, _))) = http::parse(upgrade.as_bytes()) else { return Err(upgrade) };
        self.sign(&mut request);
        let id = self.exchange.admit(&request, HERE, self.now).map_err(|refusal| format!("{refusal:?}"))?;
        self.exchange.open(id, self.now);
        self.exchange.drain();
        for line in text.lines().take(MAX_MESSAGES) {
            self.exchange.receive(id, line, self.now);
            let said: Vec<Output> = self.exchange.drain().collect();
            for output in &said {
                if let Output::Text(_, text) = output
                    && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err()
                {
                    return Err(format!("{line:?} is answered {text:?}"));
                }
            }
            // Snapshots take their time; and these words can be written in many ways.
            let silent = ["pong", "depth-snapshot", "\\"].iter().any(|word| line.to_ascii_lowercase().contains(word));
            if said.is_empty() && !silent {
                return Err(format!("{line:?} is not answered"));
            }
        }
        self.exchange.close(id);
        self.check()
    }

    /// Makes a request with the key the user's.
    fn sign(&self, request: &mut Request) {
        if request.header("x-auth-key") != Some(KEY) {
            return;
        }
        let signature = Signer::new(&self.pair.secret).sign(self.now, prehash(&request.path));
        request.set_header("x-auth-key", &self.pair.key);
        request.set_header("x-auth-timestamp", &self.now.to_string());
        request.set_header("x-auth-signature", signature.as_str());
    }

    /// Lets time go by. Money is neither made nor lost.
    fn check(&mut self) -> Result<(), String> {
        self.now += 100;
        self.exchange.advance(self.now);
        self.exchange.drain();
        self.exchange.act(self.now, |_, market, _| {
            let engine = market.engine();
            let sound = |asset| engine.supply(asset) == engine.held_by_all(asset) + engine.fees(asset);
            match market.assets().find(|listed| !sound(listed.asset)) {
                Some(listed) => Err(format!("{} does not add up", listed.asset)),
                None => Ok(()),
            }
        })
    }
}

/// What an answer has for a code, and is none that the reference knows. What is no JSON has none.
fn unknown_code(response: &Response) -> Option<String> {
    let answer: Value = serde_json::from_slice(&response.body).ok()?;
    let code = answer.get("code")?;
    let is_known = |code: &i64| *code == 0 || Code::new(*code).name().is_some();
    (!code.as_i64().is_some_and(|code| is_known(&code))).then(|| code.to_string())
}

/// What is signed of a path: the end of it, save for some.
fn prehash(path: &str) -> &str {
    let (_, call) = path.split_once("/api/pro/").unwrap_or_default();
    match call {
        "v1/spot/fee/info" => "fee",
        "v1/margin/risk" => "margin/risk",
        "v2/subuser/subuser-transfer" => "subuser-transfer",
        "v2/subuser/subuser-transfer-hist" => "subuser-transfer-hist",
        _ if call.starts_with("data/") => call,
        _ => ["v1/cash/", "v1/margin/", "v1/spot/", "v1/", "v2/"]
            .iter()
            .find_map(|start| call.strip_prefix(start))
            .unwrap_or(call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_the_key_are_the_user_s() {
        let mut fuzzed = Fuzzed::new();
        for path in ["/api/pro/v1/info", "/7/api/pro/v1/margin/risk", "/7/api/pro/v1/cash/order/open"] {
            let bytes = format!("GET {path} HTTP/1.1\r\nx-auth-key: k\r\n\r\n");
            let (mut request, _) = http::parse(bytes.as_bytes()).unwrap().unwrap();
            fuzzed.sign(&mut request);
            let response = fuzzed.exchange.answer(&request, HERE, &[], fuzzed.now);
            assert!(response.body.starts_with(b"{\"code\":0,"), "{path}: {}", String::from_utf8_lossy(&response.body));
        }
    }

    #[test]
    fn codes_that_the_reference_does_not_know_are_found() {
        let code = |body: &str| unknown_code(&Response::json(200, body.to_owned()));
        assert_eq!(code(r#"{"code":0}"#).or(code(r#"{"code":300012}"#)).or(code("[1]")).or(code("")), None);
        assert_eq!(code(r#"{"code":1}"#).as_deref(), Some("1"));
        assert_eq!(code(r#"{"code":"none"}"#).as_deref(), Some("\"none\""));
    }

    /// The seeds of the fuzz targets, which are no part of the package.
    #[test]
    fn seeds_are_survived() {
        let mut fuzzed = Fuzzed::new();
        let mut count = 0;
        for target in ["sandbox_requests", "sandbox_messages"] {
            let path = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
            let Ok(files) = std::fs::read_dir(path) else { return eprintln!("skipped: no seeds") };
            for file in files {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                let result = match target {
                    "sandbox_requests" => fuzzed.requests(&bytes),
                    _ => [false, true]
                        .into_iter()
                        .try_for_each(|known| fuzzed.messages(&String::from_utf8_lossy(&bytes), known)),
                };
                assert_eq!(result, Ok(()));
                count += 1;
            }
        }
        assert!(count > 20, "{count}");
    }
}
