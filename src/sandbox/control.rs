//! What a test does to the exchange behind its clients' backs.

use std::net::IpAddr;
use std::time::Duration;

use tungstenite::protocol::CloseFrame;

use super::engine::Status;
use super::faults::{Break, Rule, RuleId};
use super::market::Market;
use super::server::{Desk, Item};
use super::sessions::SessionId;
use super::wire::Refusal;
use super::{Sandbox, SandboxError, millis};

/// A rule that was injected. Dropping this leaves the rule in force.
#[derive(Debug, Clone)]
pub struct InjectedFault {
    desk: Desk,
    id: RuleId,
}

impl InjectedFault {
    /// How often it has hit.
    pub fn hits(&self) -> u64 {
        self.desk.enter(|exchange, _| exchange.faults.hits(self.id))
    }

    /// Removes the rule.
    pub fn remove(&self) {
        self.desk.enter(|exchange, _| exchange.faults.remove(self.id));
    }
}

/// One client's session of the stream, from the server's side. What is sent or done takes its turn after what was
/// sent before; to a session that has ended nothing happens.
#[derive(Debug, Clone)]
pub struct StreamSession {
    desk: Desk,
    id: SessionId,
}

impl StreamSession {
    /// Its number, which rises from session to session.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether it has not ended yet.
    pub fn is_open(&self) -> bool {
        self.desk.sessions().contains(&self.id)
    }

    /// Sends a text message, whatever it says.
    pub fn send_text(&self, text: impl AsRef<str>) {
        self.desk.push(self.id, Item::Text(text.as_ref().into()));
    }

    /// Sends bytes as they are, between two messages: frames that are cut up, binary, malformed, or no frames at all.
    pub fn send_bytes(&self, bytes: impl Into<Vec<u8>>) {
        self.desk.push(self.id, Item::Frames(bytes.into()));
    }

    /// Sends a close frame with this code, whether it may be sent or not, and this reason. Nothing is sent after it.
    pub fn close(&self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        self.desk.push(self.id, Item::Close(Some(frame)));
    }

    /// Breaks the connection.
    pub fn break_off(&self, how: Break) {
        self.desk.push(self.id, Item::Break(how));
    }
}

/// Faults, and what else befalls clients.
impl Sandbox {
    /// Lets something go wrong from now on, where and as often as the rule says. Rules that match the same add up,
    /// in the order in which they were injected.
    pub fn inject(&self, rule: Rule) -> InjectedFault {
        let desk = self.server.desk();
        let id = desk.enter(|exchange, _| exchange.faults.inject(rule));
        InjectedFault { desk, id }
    }

    /// Removes all rules.
    pub fn clear_faults(&self) {
        self.server.desk().enter(|exchange, _| exchange.faults.clear());
    }

    /// The open sessions of the stream, the oldest first.
    pub fn sessions(&self) -> Vec<StreamSession> {
        let desk = self.server.desk();
        desk.sessions().into_iter().map(|id| StreamSession { desk: desk.clone(), id }).collect()
    }

    /// Keeps an address from opening the stream for so long: the upgrade is refused with status 429, and the *risk
    /// limits* say so. Sessions that are open stay.
    pub fn ban(&self, address: IpAddr, time: Duration) {
        self.server.desk().enter(|exchange, _| exchange.ban(address, millis(time)));
    }

    /// Lets a banned address in again.
    pub fn lift_ban(&self, address: IpAddr) {
        self.server.desk().enter(|exchange, _| exchange.gate.lift_ban(address));
    }

    /// Halts a product (status `NoTrading`): it takes no orders; what is open stays, and can be cancelled.
    ///
    /// # Errors
    /// [`SandboxError::Refused`] where no such product is listed.
    pub fn halt(&self, symbol: &str) -> Result<(), SandboxError> {
        self.set_status(symbol, Status::NoTrading)
    }

    /// Lets a halted product be traded again (status `Normal`).
    ///
    /// # Errors
    /// [`SandboxError::Refused`] where no such product is listed.
    pub fn resume(&self, symbol: &str) -> Result<(), SandboxError> {
        self.set_status(symbol, Status::Normal)
    }

    fn set_status(&self, symbol: &str, status: Status) -> Result<(), SandboxError> {
        let set = |market: &mut Market| {
            let symbol = market.symbol(symbol)?;
            Ok::<_, Refusal>(market.act(|engine| engine.set_status(symbol, status))?)
        };
        Ok(self.server.desk().act(|_, market, _| set(market))?)
    }

    /// Sets the clock that clients see so many milliseconds ahead (below zero: behind): what they are told that the
    /// time is, and what their timestamps are held against. [`now`](Self::now), the times of market data and of
    /// orders, and everything that takes time are not touched.
    pub fn shift_clock(&self, ahead: i64) {
        self.server.desk().enter(|exchange, _| exchange.shift_clock(ahead));
    }
}
