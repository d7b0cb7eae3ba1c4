//! Ways in for fuzzing: what clients send, without sockets. No part of the crate's API.

use std::net::{IpAddr, Ipv4Addr};

use rust_decimal::Decimal;

use super::Sandbox;
use super::accounts::{Profile, UserIx};
use super::engine::Category;
use super::exchange::Exchange;
use super::http;
use super::sessions::Output;
use super::visitor::Visitor;

const NOW: u64 = 1_700_000_000_000;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Messages of one input that are heard, at most: so that an input that is large is not slow as well.
const MAX_MESSAGES: usize = 64;

/// An exchange with a user of some means.
#[derive(Debug)]
pub struct Fuzzed {
    exchange: Exchange,
    user: UserIx,
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
        let mut exchange = Exchange::new(Sandbox::builder().settings, NOW);
        let user = exchange.act(NOW, |accounts, market, now| {
            let (user, _) = accounts.add_user(market, Profile::default());
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
            user
        });
        Self { exchange, user, now: NOW }
    }

    /// Takes bytes for requests, one after another, and answers each, until they are none.
    ///
    /// # Errors
    /// What does not hold.
    pub fn requests(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while let Ok(Some((request, used))) = http::parse(bytes) {
            if request.is_upgrade() && request.upgrade_key().is_ok() {
                drop(self.exchange.admit(&request, HERE, self.now));
            }
            let response = self.exchange.answer(&request, HERE, &[], self.now);
            if !matches!(response.status, 200 | 404 | 405 | 429) {
                return Err(format!("status {} for {} {}", response.status, request.method, request.path));
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
        let Some(mut visitor) = Visitor::new("/7/api/pro/v1/stream", HERE) else { return Ok(()) };
        visitor.user = authenticated.then_some(self.user);
        let id = self.exchange.open(visitor, self.now);
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
        self.now += 100;
        self.exchange.advance(self.now);
        self.exchange.drain();
        self.exchange.close(id);
        self.check()
    }

    /// Whether money is neither made nor lost.
    fn check(&mut self) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeds of the fuzz targets, which are no part of the package.
    #[test]
    fn seeds_are_survived() {
        let mut fuzzed = Fuzzed::new();
        let mut count = 0;
        for target in ["requests", "messages"] {
            let path = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
            let Ok(files) = std::fs::read_dir(path) else { return eprintln!("skipped: no seeds") };
            for file in files {
                let bytes = std::fs::read(file.unwrap().path()).unwrap();
                let result = match target {
                    "requests" => fuzzed.requests(&bytes),
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
