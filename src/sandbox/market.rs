//! The seeded market.

use std::sync::Arc;

use serde_json::Value;

use super::wire::Refusal;
use crate::Code;

#[derive(Debug)]
pub(crate) struct Market {}

impl Market {
    pub(crate) fn new(_seed: u64, _now: u64) -> Self {
        Self {}
    }

    pub(crate) fn advance(&mut self, _now: u64) {}

    pub(crate) fn deadline(&self) -> Option<u64> {
        None
    }

    pub(crate) fn drain(&mut self) -> std::vec::IntoIter<(String, Arc<str>)> {
        Vec::new().into_iter()
    }

    pub(crate) fn check_channel(&self, channel: &str) -> Result<(), Refusal> {
        match super::channel::kind(channel) {
            "bbo" | "depth" | "trades" | "bar" | "summary" | "ref-px" => {
                Err(Refusal::unknown_symbol(super::channel::argument(channel)))
            }
            _ => Err(Refusal::new(Code::INVALID_WS_REQUEST_DATA, format!("Invalid channel: {channel}"))),
        }
    }

    pub(crate) fn newest(&self, _channel: &str) -> Option<Arc<str>> {
        None
    }

    pub(crate) fn depth_snapshot(&self, _action: &str, symbol: &str) -> Result<String, Refusal> {
        Err(Refusal::unknown_symbol(symbol))
    }

    pub(crate) fn market_trades(&self, _id: Option<&Value>, symbol: &str, _count: usize) -> Result<String, Refusal> {
        Err(Refusal::unknown_symbol(symbol))
    }
}
