//! The exchange behind the sockets: market and sessions under one roof. Requests and time in, texts out.

use super::Settings;
use super::accounts::{self, Accounts};
use super::api;
use super::http::{Request, Response};
use super::market::{Market, Publication};
use super::sessions::{Output, SessionId, Sessions};

/// The whole exchange. It has no clock: every call says what time it is, UTC milliseconds.
#[derive(Debug)]
pub(crate) struct Exchange {
    market: Market,
    accounts: Accounts,
    sessions: Sessions,
    /// How far time has come.
    now: u64,
}

impl Exchange {
    pub(crate) fn new(settings: Settings, now: u64) -> Self {
        let market = Market::new(settings.seed, now);
        let mut accounts = Accounts::new(settings.seed);
        accounts.acceptance_window = settings.acceptance_window;
        accounts.unknown_order = settings.unknown_order;
        Self { market, accounts, sessions: Sessions::new(settings), now }
    }

    /// Whether clients are told a recording, as fast as they [take](Self::taken) it.
    pub(crate) fn is_replay(&self) -> bool {
        self.sessions.is_replay()
    }

    /// Answers a call.
    pub(crate) fn answer(&mut self, request: &Request, now: u64) -> Response {
        self.advance(now);
        let response = accounts::calls::answer(&mut self.accounts, &mut self.market, request, self.now);
        self.tell();
        response.unwrap_or_else(|| api::answer(&self.market, request, self.now))
    }

    /// Does something with users and market, and tells what came of it.
    pub(crate) fn act<T>(&mut self, now: u64, act: impl FnOnce(&mut Accounts, &mut Market, u64) -> T) -> T {
        self.advance(now);
        let result = act(&mut self.accounts, &mut self.market, self.now);
        self.tell();
        result
    }

    /// A client has opened the stream.
    pub(crate) fn open(&mut self, now: u64) -> SessionId {
        self.advance(now);
        self.sessions.open(self.now)
    }

    /// A client of the stream said something.
    pub(crate) fn receive(&mut self, id: SessionId, text: &str, now: u64) {
        self.advance(now);
        self.sessions.receive(&self.market, id, text, self.now);
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
            self.sessions.advance(&self.market, self.now);
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
        match publication {
            Publication::Text(channel, text) => self.sessions.publish(&channel, &text),
            Publication::Newest(channel) if self.sessions.is_subscribed(&channel) => {
                if let Some(text) = self.market.newest(&channel) {
                    self.sessions.publish(&channel, &text);
                }
            }
            Publication::Newest(_) => {}
        }
    }

    /// What is to be sent, in order.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, Output> {
        self.sessions.drain()
    }
}
