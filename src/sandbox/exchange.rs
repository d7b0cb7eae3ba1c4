//! The exchange behind the sockets: market and sessions under one roof. Requests and time in, texts out.

use std::net::IpAddr;

use super::Settings;
use super::accounts::{self, Accounts, Awaited, Proof};
use super::api;
use super::clock::{HOUR, MINUTE};
use super::engine::Event;
use super::faults::{Fault, Faults};
use super::http::{Request, Response};
use super::limits::{Gate, Verdict};
use super::market::{Market, Publication};
use super::sessions::{self, ClientMessage, Output, SessionId, Sessions, World};
use super::state::State;
use super::visitor::Visitor;
use super::wire;
use crate::Code;

/// Through more time than this at once, ms, the market does not live but leaps: an hour.
const LEAP: u64 = HOUR;
/// The same where time goes by itself, so that nobody has to wait for long: a minute.
const LEAP_OF_CLOCK: u64 = MINUTE;

/// The whole exchange. It has no clock: every call says what time it is, UTC milliseconds.
#[derive(Debug)]
pub(crate) struct Exchange {
    seed: u64,
    market: Market,
    accounts: Accounts,
    sessions: Sessions,
    pub(crate) gate: Gate,
    pub(crate) faults: Faults,
    /// How far time has come.
    now: u64,
    /// Whether time goes by itself.
    pub(crate) clock_runs: bool,
}

impl Exchange {
    pub(crate) fn new(settings: Settings, now: u64) -> Self {
        let (market, accounts) = (Market::new(settings.seed, settings.quiet, now), Accounts::new(settings.seed));
        Self::with(settings, market, accounts, now)
    }

    /// The exchange as it was kept. The market moves on from there: what that does to orders is told when time next
    /// goes by. `settings` has the seed of then.
    ///
    /// # Errors
    /// What does not add up.
    pub(crate) fn restore(settings: Settings, state: State, now: u64) -> Result<Self, String> {
        let (mut market, users) = Market::restore(settings.seed, settings.quiet, &state.market, now)?;
        let mut accounts = Accounts::new(settings.seed);
        accounts.restore(state.accounts, &users)?;
        accounts.listen(&mut market);
        Ok(Self::with(settings, market, accounts, now))
    }

    /// What is to be kept.
    pub(crate) fn keep(&mut self) -> State {
        State {
            seed: self.seed,
            now: self.now,
            market: self.market.keep(&self.accounts.engine_ids()),
            accounts: self.accounts.keep(),
        }
    }

    /// Changes with everything that is to be kept, and with each minute.
    pub(crate) fn version(&self) -> (u64, u64) {
        (self.accounts.changes(), self.now / MINUTE)
    }

    fn with(settings: Settings, market: Market, mut accounts: Accounts, now: u64) -> Self {
        accounts.acceptance_window = settings.acceptance_window;
        accounts.unknown_order = settings.unknown_order;
        let (faults, gate) = (Faults::new(settings.seed), Gate::new(settings.limits.clone()));
        let seed = settings.seed;
        Self { seed, market, accounts, sessions: Sessions::new(settings), gate, faults, now, clock_runs: false }
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
        self.gate.ban(address, time, "banned by hand", self.now);
    }

    /// Sets how far the time that clients are told is ahead, ms.
    pub(crate) fn shift_clock(&mut self, skew: i64) {
        self.accounts.clock_skew = skew;
    }

    /// What goes wrong with what a client does.
    pub(crate) fn faults_at(&mut self, request: &Request) -> Vec<Fault> {
        self.faults.at_request(&request.name())
    }

    /// Answers a call, with which this goes wrong.
    pub(crate) fn answer(&mut self, request: &Request, from: IpAddr, faults: &[Fault], now: u64) -> Response {
        self.advance(now);
        self.accounts.only_acknowledges = faults.contains(&Fault::Expire);
        self.accounts.awaited = None;
        let response = accounts::calls::answer(&mut self.accounts, &mut self.market, request, self.now);
        self.tell();
        let times = [self.now, self.told_now()];
        response.unwrap_or_else(|| api::answer(&self.market, &self.gate, request, from, times))
    }

    /// What the answer to the last call waits for, if it waits.
    pub(crate) fn awaited(&self) -> Option<Awaited> {
        self.accounts.awaited
    }

    /// The answer to a call that waits, once it is more than an acknowledgement.
    pub(crate) fn done(&self, awaited: &Awaited) -> Option<Response> {
        self.accounts.done(&self.market, awaited).map(|body| Response::json(200, body))
    }

    /// Does something with users and market, and tells what came of it.
    pub(crate) fn act<T>(&mut self, now: u64, act: impl FnOnce(&mut Accounts, &mut Market, u64) -> T) -> T {
        self.advance(now);
        let result = act(&mut self.accounts, &mut self.market, self.now);
        self.tell();
        result
    }

    /// Lets a client open the stream, if it may: the number that its session will have. A place is kept for it until
    /// it [goes](Self::close), whether it [opens](Self::open) the stream or not.
    ///
    /// # Errors
    /// The answer that refuses it: 404 for another path, 429 for a banned address or one with too many sessions, 401 for headers that prove nothing,
    /// 403 for those of a user whose account group the path does not have.
    pub(crate) fn admit(&mut self, request: &Request, from: IpAddr, now: u64) -> Result<SessionId, Response> {
        self.advance(now);
        let mut visitor = Visitor::new(&request.path, from).ok_or_else(|| Response::plain(404, "no such stream"))?;
        if let Some(ban) = self.gate.attempt(from, self.now) {
            let wait = (ban.until - self.now).div_ceil(1000);
            return Err(Response::page(429, "Too many requests").with("Retry-After", &wait.to_string()));
        }
        let [of_group, of_address] = self.sessions.count(&visitor);
        let limits = &self.gate.limits;
        if of_group >= limits.sessions_of_group as usize || of_address >= limits.sessions_of_address as usize {
            return Err(Response::page(429, "Too many sessions"));
        }
        if Visitor::is_named(request) {
            let user = visitor.authenticate(&self.accounts, Proof::of(request), self.now).map_err(|refusal| {
                let status = if refusal.code == Code::ACCOUNT_NOT_FOUND { 403 } else { 401 };
                Response::json(status, wire::failure(&refusal))
            })?;
            visitor.user = Some(user);
        }
        Ok(self.sessions.reserve(visitor))
    }

    /// A client that was let in has opened the stream.
    pub(crate) fn open(&mut self, id: SessionId, now: u64) {
        self.advance(now);
        self.sessions.open(id, self.now);
    }

    /// A client of the stream said something.
    pub(crate) fn receive(&mut self, id: SessionId, text: &str, now: u64) {
        self.advance(now);
        let message = ClientMessage::parse(text);
        match self.sessions.meter(id, &message, &self.gate.limits, self.now) {
            Some((Verdict::Heard, _)) => {}
            Some((Verdict::Banned, address)) => {
                let reason = "exceeds the level 2 threshold of messages in a minute";
                self.gate.punish(address, reason, self.now);
                return self.sessions.end(id, Code::TOO_MANY_REQUESTS, reason);
            }
            Some((Verdict::Ignored, _)) | None => return,
        }
        let faults = self.faults.at_request(&message.name());
        self.with_sessions(|sessions, world| sessions.receive(world, id, message, &faults));
    }

    /// A client of the stream has taken all that it was sent.
    pub(crate) fn taken(&mut self, id: SessionId, now: u64) {
        self.advance(now);
        self.sessions.taken(id, self.now);
    }

    /// A client of the stream has gone, or one that was let in has not opened it after all.
    pub(crate) fn close(&mut self, id: SessionId) {
        self.sessions.close(id);
    }

    /// Does what is due, in the order in which and at the time at which it became due. Where a clock that runs has got
    /// too far ahead, as after the machine has slept, the market leaps.
    pub(crate) fn advance(&mut self, now: u64) {
        self.go_on(now, if self.clock_runs { LEAP_OF_CLOCK } else { LEAP });
    }

    /// The same for time that is let go by at will.
    pub(crate) fn live_through(&mut self, now: u64) {
        self.go_on(now, LEAP);
    }

    fn go_on(&mut self, now: u64, leap: u64) {
        self.market.leap(now, leap);
        // A clock that was set back stands still here.
        while self.deadline() <= now {
            self.now = self.now.max(self.deadline());
            self.market.advance(self.now);
            self.tell();
            self.with_sessions(Sessions::advance);
        }
        self.now = self.now.max(now);
    }

    /// When there is something to do again.
    pub(crate) fn deadline(&self) -> u64 {
        self.sessions.deadline().map_or(self.market.deadline(), |due| due.min(self.market.deadline()))
    }

    /// Lets the sessions act on everything else, and tells what came of it.
    fn with_sessions(&mut self, act: impl FnOnce(&mut Sessions, &mut World<'_>)) {
        let (now, told_now) = (self.now, self.told_now());
        let mut world = World { market: &mut self.market, accounts: &mut self.accounts, now, told_now };
        act(&mut self.sessions, &mut world);
        self.tell();
    }

    /// Tells what has happened: to orders and balances, and in the market.
    fn tell(&mut self) {
        self.accounts.listen(&mut self.market);
        for event in self.accounts.take_events() {
            self.tell_account(&event);
        }
        for publication in self.market.drain() {
            self.publish(&publication);
        }
    }

    fn tell_account(&mut self, event: &Event) {
        let (account, symbol) = match event {
            Event::Order(update) => (update.order.account, Some(update.order.symbol)),
            Event::Balance(update) => (update.account, None),
            Event::Trade(_) | Event::Level(_) | Event::Bbo(_) => return,
        };
        let Some(user) = self.accounts.owner(account) else { return };
        let record = &self.accounts[user];
        let id = record.account_id(account.category);
        let listeners = self.sessions.listeners(id, symbol);
        if listeners.is_empty() || self.faults.at_message(&format!("order:{id}")) {
            return;
        }
        self.sessions.tell(&listeners, |ready| match event {
            Event::Order(update) => sessions::order_update(record, update, ready),
            Event::Balance(update) => Some(sessions::balance_update(record, update)),
            _ => None,
        });
    }

    fn publish(&mut self, publication: &Publication) {
        let channel = publication.channel();
        if !self.sessions.is_subscribed(&channel) || self.faults.at_message(&channel) {
            return;
        }
        if let Some(text) = publication.text(&self.market) {
            self.sessions.publish(&channel, &text);
        }
    }

    /// What is to be sent, in order.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, Output> {
        self.sessions.drain()
    }
}
