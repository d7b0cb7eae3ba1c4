//! The exchange behind the sockets: market and sessions under one roof. Requests and time in, texts out.

use std::net::IpAddr;

use super::Settings;
use super::accounts::{self, Accounts};
use super::api;
use super::faults::{Fault, Faults};
use super::http::{Request, Response};
use super::limits::{Ban, Limits};
use super::market::{Market, Publication};
use super::sessions::{Output, SessionId, Sessions, World};
use super::wire::ClientMessage;
use crate::Code;

/// The whole exchange. It has no clock: every call says what time it is, UTC milliseconds.
#[derive(Debug)]
pub(crate) struct Exchange {
    market: Market,
    accounts: Accounts,
    sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    /// How far time has come.
    now: u64,
}

impl Exchange {
    pub(crate) fn new(settings: Settings, now: u64) -> Self {
        let market = Market::new(settings.seed, now);
        let mut accounts = Accounts::new(settings.seed);
        accounts.acceptance_window = settings.acceptance_window;
        accounts.unknown_order = settings.unknown_order;
        let faults = Faults::new(settings.seed);
        Self { market, accounts, sessions: Sessions::new(settings), limits: Limits::default(), faults, now }
    }

    /// Whether clients are told a recording, as fast as they [take](Self::taken) it.
    pub(crate) fn is_replay(&self) -> bool {
        self.sessions.is_replay()
    }

    /// The time that clients are told, and that their timestamps are held against.
    fn told_now(&self) -> u64 {
        self.now.saturating_add_signed(self.accounts.clock_skew)
    }

    /// Bans an address from the stream for so long, ms.
    pub(crate) fn ban(&mut self, address: IpAddr, time: u64) {
        let ban = Ban {
            until: self.now.saturating_add(time),
            code: Code::TOO_MANY_REQUESTS,
            reason: "banned by hand".into(),
        };
        self.limits.ban(address, ban);
    }

    /// Sets how far the time that clients are told is ahead, ms.
    pub(crate) fn shift_clock(&mut self, skew: i64) {
        self.accounts.clock_skew = skew;
    }

    /// What goes wrong with what a client does.
    pub(crate) fn faults_at(&mut self, request: &Request) -> Vec<Fault> {
        self.faults.at_request(&request.name())
    }

    /// Answers a call.
    pub(crate) fn answer(&mut self, request: &Request, from: IpAddr, now: u64) -> Response {
        self.advance(now);
        let response = accounts::calls::answer(&mut self.accounts, &mut self.market, request, self.now);
        self.tell();
        let times = [self.now, self.told_now()];
        response.unwrap_or_else(|| api::answer(&self.market, &self.limits, request, from, times))
    }

    /// Does something with users and market, and tells what came of it.
    pub(crate) fn act<T>(&mut self, now: u64, act: impl FnOnce(&mut Accounts, &mut Market, u64) -> T) -> T {
        self.advance(now);
        let result = act(&mut self.accounts, &mut self.market, self.now);
        self.tell();
        result
    }

    /// Whether a client may open the stream.
    ///
    /// # Errors
    /// The answer that refuses it.
    pub(crate) fn admit(&mut self, from: IpAddr, now: u64) -> Result<(), Response> {
        self.advance(now);
        match self.limits.banned(from, self.now) {
            Some(ban) => {
                let wait = (ban.until - self.now).div_ceil(1000);
                Err(Response::page(429, "Too many requests").with("Retry-After", &wait.to_string()))
            }
            None => Ok(()),
        }
    }

    /// A client has opened the stream.
    pub(crate) fn open(&mut self, now: u64) -> SessionId {
        self.advance(now);
        self.sessions.open(self.now)
    }

    /// A client of the stream said something.
    pub(crate) fn receive(&mut self, id: SessionId, text: &str, now: u64) {
        self.advance(now);
        let message = ClientMessage::parse(text);
        let faults = self.faults.at_request(&message.name());
        let world = World { market: &self.market, now: self.now, told_now: self.told_now() };
        self.sessions.receive(world, id, message, &faults);
    }

    /// A client of the stream has taken all that it was sent.
    pub(crate) fn taken(&mut self, id: SessionId, now: u64) {
        self.advance(now);
        self.sessions.taken(id, self.now);
    }

    /// A client of the stream has gone.
    pub(crate) fn close(&mut self, id: SessionId) {
        self.sessions.close(id);
    }

    /// Does what is due, in the order in which and at the time at which it became due.
    pub(crate) fn advance(&mut self, now: u64) {
        self.market.leap(now);
        // A clock that was set back stands still here.
        while self.deadline() <= now {
            self.now = self.now.max(self.deadline());
            self.market.advance(self.now);
            self.tell();
            let world = World { market: &self.market, now: self.now, told_now: self.told_now() };
            self.sessions.advance(world);
        }
        self.now = self.now.max(now);
    }

    /// When there is something to do again.
    pub(crate) fn deadline(&self) -> u64 {
        self.sessions.deadline().map_or(self.market.deadline(), |due| due.min(self.market.deadline()))
    }

    /// Tells what has happened.
    fn tell(&mut self) {
        self.accounts.listen(&mut self.market);
        // What happened to orders and balances is for authenticated sessions, of which there are none yet.
        self.accounts.drain();
        for publication in self.market.drain() {
            self.publish(publication);
        }
    }

    fn publish(&mut self, publication: Publication) {
        let (channel, text) = match publication {
            Publication::Text(channel, text) => (channel, Some(text)),
            Publication::Newest(channel) => (channel, None),
        };
        if !self.sessions.is_subscribed(&channel) || self.faults.at_message(&channel) {
            return;
        }
        if let Some(text) = text.or_else(|| self.market.newest(&channel)) {
            self.sessions.publish(&channel, &text);
        }
    }

    /// What is to be sent, in order.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, Output> {
        self.sessions.drain()
    }
}
