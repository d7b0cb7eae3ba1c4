//! The sessions of the stream: greeting, authentication, keep-alive, and who is to be told what. No sockets and no clock
//! in it.

mod message;
mod requests;
mod rows;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::Settings;
use super::accounts::{Accounts, UserIx};
use super::faults::{Break, Fault};
use super::limits::{Meter, StreamLimits, Verdict};
use super::market::Market;
use super::millis;
use super::replay::Playback;
use super::visitor::Visitor;
use super::wire::{self, Refusal};
use crate::Code;
pub(crate) use message::ClientMessage;
pub(crate) use rows::{balance_update, order_update};

/// What `hp` begins with.
const FULL_HP: u8 = 3;

/// A session's number, never used twice.
pub(crate) type SessionId = u64;

/// What the server is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// Send a text.
    Text(SessionId, Arc<str>),
    /// End the session after what was sent.
    Close(SessionId),
    /// Break the connection after what was sent.
    Break(SessionId, Break),
}

#[derive(Debug)]
struct Session {
    visitor: Visitor,
    /// Whether orders are acknowledged once they rest (`"ack":"ready"`).
    ready: bool,
    /// Pings sent since the client was last heard of in this regard.
    unanswered: u8,
    next_ping: Option<u64>,
    playback: Option<Playback>,
    /// Snapshots that were asked for and are not sent yet.
    under_way: usize,
    meter: Meter,
    /// Nothing more is heard.
    ended: bool,
}

/// Who asked, and what becomes of the answer.
#[derive(Debug, Clone)]
struct Asker {
    session: SessionId,
    /// Who it was, of a session that has ended since.
    past_user: Option<UserIx>,
    /// It is not sent.
    lost: bool,
    /// It is sent so much later, ms.
    delay: u64,
    /// This is sent in its place.
    instead: Option<Arc<str>>,
}

/// Something that takes a while.
#[derive(Debug)]
enum Later {
    /// A snapshot that was asked for.
    Snapshot { asker: Asker, action: String, symbol: String },
    /// A text that is held back.
    Text(SessionId, Arc<str>),
    /// A message that is heard late.
    Message(Asker, Box<ClientMessage>),
}

impl Later {
    /// The session of the asker ends: whether this is done all the same. What a client has asked for on the way is, but
    /// nobody hears of it.
    fn outlives(&mut self, session: SessionId, user: Option<UserIx>) -> bool {
        match self {
            Self::Message(asker, message) if asker.session == session => {
                (asker.lost, asker.past_user) = (true, user);
                message.op == "req"
            }
            Self::Snapshot { asker, .. } | Self::Message(asker, _) => asker.session != session,
            Self::Text(to, _) => *to != session,
        }
    }
}

/// The exchange around the sessions.
pub(crate) struct World<'a> {
    pub(crate) market: &'a mut Market,
    pub(crate) accounts: &'a mut Accounts,
    pub(crate) now: u64,
    /// What clients are told that the time is.
    pub(crate) told_now: u64,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    settings: Settings,
    sessions: BTreeMap<SessionId, Session>,
    /// Those that were let in and have not opened their sessions yet.
    coming: BTreeMap<SessionId, Visitor>,
    /// By channel; that of an account has the account's id in it.
    subscribers: BTreeMap<Box<str>, BTreeSet<SessionId>>,
    /// What is under way, by the time when it is due and in the order of its asking.
    later: BTreeMap<(u64, u64), Later>,
    next_id: u64,
    outputs: Vec<Output>,
}

/// Their life.
impl Sessions {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            sessions: BTreeMap::new(),
            coming: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            later: BTreeMap::new(),
            next_id: 0,
            outputs: Vec::new(),
        }
    }

    /// Whether clients are told a recording.
    pub(crate) fn is_replay(&self) -> bool {
        self.settings.recording.is_some()
    }

    /// A client that was let in has come in.
    pub(crate) fn open(&mut self, id: SessionId, now: u64) {
        let Some(visitor) = self.coming.remove(&id) else { return };
        let recording = self.settings.recording.clone();
        let playback = recording.map(|recording| Playback::new(recording, self.settings.speed));
        // A recording brings its own pings.
        let next_ping = playback.is_none().then(|| now.saturating_add(self.settings.ping_interval));
        let session = Session {
            visitor,
            ready: false,
            unanswered: 0,
            next_ping,
            playback,
            under_way: 0,
            meter: Meter::default(),
            ended: false,
        };
        self.sessions.insert(id, session);
        log::info!("session {id} begins");
        self.send(id, wire::connected(visitor.user.is_some()));
    }

    /// Keeps a place for the session of a visitor: the number that it will have.
    pub(crate) fn reserve(&mut self, visitor: Visitor) -> SessionId {
        self.next_id += 1;
        self.coming.insert(self.next_id, visitor);
        self.next_id
    }

    /// How many sessions there are of a visitor's address, with those to come: in its account group, and in all.
    pub(crate) fn count(&self, visitor: &Visitor) -> [usize; 2] {
        let all = self.sessions.values().map(|session| session.visitor).chain(self.coming.values().copied());
        let of_address = all.filter(|other| other.address == visitor.address);
        [of_address.clone().filter(|other| other.group == visitor.group).count(), of_address.count()]
    }

    /// A client has gone, or has not come in after all.
    pub(crate) fn close(&mut self, id: SessionId) {
        self.coming.remove(&id);
        let Some(session) = self.sessions.remove(&id) else { return };
        log::info!("session {id} ends");
        let user = session.visitor.user;
        self.later.retain(|_, later| later.outlives(id, user));
        self.forget(id, "*");
    }

    /// The client has taken all that was sent.
    pub(crate) fn taken(&mut self, id: SessionId, now: u64) {
        if let Some(playback) = self.sessions.get_mut(&id).and_then(|s| s.playback.as_mut()) {
            playback.taken();
        }
        self.play(id, now);
    }

    /// What is to be done, in order.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, Output> {
        self.outputs.drain(..)
    }

    /// When there is something to do again.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let later = self.later.first_key_value().map(|((due, _), _)| *due);
        let sessions = self.sessions.values().flat_map(|session| {
            let playback = session.playback.as_ref().and_then(Playback::deadline);
            [session.next_ping, playback].into_iter().flatten()
        });
        sessions.chain(later).min()
    }

    /// Does what is due.
    pub(crate) fn advance(&mut self, world: &mut World<'_>) {
        self.catch_up(world);
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.ping(id, world.now);
            self.play(id, world.now);
        }
    }

    fn put_off(&mut self, due: u64, later: Later) {
        self.next_id += 1;
        self.later.insert((due, self.next_id), later);
    }

    /// Does what was under way and is due.
    fn catch_up(&mut self, world: &mut World<'_>) {
        while let Some(next) = self.later.first_entry().filter(|next| next.key().0 <= world.now) {
            match next.remove() {
                Later::Text(id, text) => self.send(id, text),
                Later::Message(asker, message) => self.act(world, &asker, &message),
                Later::Snapshot { asker, action, symbol } => self.answer_snapshot(world, &asker, &action, &symbol),
            }
        }
    }

    /// Sends what a recording has to say by now.
    fn play(&mut self, id: SessionId, now: u64) {
        let Some(playback) = self.sessions.get_mut(&id).and_then(|s| s.playback.as_mut()) else { return };
        while let Some(text) = playback.poll(now) {
            self.outputs.push(Output::Text(id, text));
        }
    }
}

/// What clients say.
impl Sessions {
    /// Counts a message of a client; whether it is to be heard, and the client's address. `None` where the session has
    /// ended.
    pub(crate) fn meter(
        &mut self,
        id: SessionId,
        message: &ClientMessage,
        limits: &StreamLimits,
        now: u64,
    ) -> Option<(Verdict, IpAddr)> {
        let session = self.sessions.get_mut(&id).filter(|session| !session.ended)?;
        let kinds = message.kinds();
        let verdicts = kinds.iter().map(|kind| session.meter.count(limits, *kind, now));
        Some((verdicts.max()?, session.visitor.address))
    }

    /// A client said something, with which this goes wrong.
    pub(crate) fn receive(&mut self, world: &mut World<'_>, id: SessionId, message: ClientMessage, faults: &[Fault]) {
        if !self.sessions.contains_key(&id) {
            return;
        }
        log::info!("session {id}: {:?}", message.name());
        let mut asker = Asker { session: id, past_user: None, lost: false, delay: 0, instead: None };
        let mut heard = world.now;
        for fault in faults {
            match fault {
                Fault::Cut => return self.outputs.push(Output::Break(id, Break::After(0))),
                Fault::LoseRequest => return,
                Fault::Refuse(reply) => return self.send(id, reply.text()),
                Fault::DelayRequest(time) => heard = heard.saturating_add(millis(*time)),
                Fault::LoseAnswer => asker.lost = true,
                Fault::DelayAnswer(time) => asker.delay = asker.delay.saturating_add(millis(*time)),
                Fault::Replace(reply) => asker.instead = Some(reply.text().into()),
                Fault::Break(how) => self.outputs.push(Output::Break(id, *how)),
                Fault::Expire | Fault::LoseMessage => {}
            }
        }
        if heard > world.now {
            self.put_off(heard, Later::Message(asker, Box::new(message)));
        } else {
            self.act(world, &asker, &message);
        }
        self.catch_up(world);
    }

    fn act(&mut self, world: &mut World<'_>, asker: &Asker, message: &ClientMessage) {
        let (id, now) = (asker.session, world.now);
        match message.op.as_str() {
            "ping" => {
                let hp = self.hp(id);
                self.heard_of(id, now.saturating_add(self.settings.ping_interval.saturating_mul(2)));
                self.answer(asker, wire::pong(world.told_now, hp), now);
            }
            "pong" => self.heard_of(id, 0),
            "auth" => self.authenticate(world, asker, message),
            "sub" => self.subscribe(world, asker, message),
            "unsub" => self.unsubscribe(world, asker, message),
            "req" => self.request(world, asker, message),
            "" if message.is_malformed => {
                let refusal = Refusal::new(Code::INVALID_JSON_FORMAT, "The message is not a JSON object");
                self.refuse(asker, message, &refusal, now);
            }
            op => {
                let refusal = Refusal::new(Code::INVALID_WS_REQUEST_DATA, format!("Invalid request: {op}"));
                self.refuse(asker, message, &refusal, now);
            }
        }
    }

    /// Answers, or does to the answer what is to become of it.
    fn answer(&mut self, asker: &Asker, text: impl Into<Arc<str>>, now: u64) {
        if asker.lost {
            return;
        }
        let text = asker.instead.clone().unwrap_or_else(|| text.into());
        if asker.delay > 0 {
            self.put_off(now.saturating_add(asker.delay), Later::Text(asker.session, text));
        } else {
            self.send(asker.session, text);
        }
    }

    fn refuse(&mut self, asker: &Asker, message: &ClientMessage, refusal: &Refusal, now: u64) {
        self.answer(asker, wire::error("error", message.id.as_ref(), refusal), now);
    }

    fn send(&mut self, id: SessionId, text: impl Into<Arc<str>>) {
        self.outputs.push(Output::Text(id, text.into()));
    }

    /// The user who asks.
    ///
    /// # Errors
    /// `AUTHORIZATION_NEEDED` where nobody has said who it is.
    fn user(&self, asker: &Asker, what: &str) -> Result<UserIx, Refusal> {
        let user = self.sessions.get(&asker.session).map_or(asker.past_user, |session| session.visitor.user);
        user.ok_or_else(|| Refusal::new(Code::AUTHORIZATION_NEEDED, format!("{what} needs an authenticated session")))
    }

    /// Once for a session, or again as the same user. A session that asks for the ready mode keeps it.
    fn authenticate(&mut self, world: &mut World<'_>, asker: &Asker, message: &ClientMessage) {
        let (Some(session), Some(login)) = (self.sessions.get_mut(&asker.session), &message.login) else { return };
        let ready = login.ack.as_deref() == Some("ready");
        let verdict = session.visitor.authenticate(world.accounts, login.proof(), world.now).and_then(|user| {
            match session.visitor.user.replace(user) {
                Some(before) if before != user => {
                    session.visitor.user = Some(before);
                    Err(Refusal::new(Code::INVALID_OPERATION, "The session is another user's"))
                }
                _ => Ok(()),
            }
        });
        session.ready |= ready && verdict.is_ok();
        let ack = login.ack.as_deref().filter(|_| ready && verdict.is_ok());
        let text = wire::authenticated(message.id.as_ref(), ack, verdict.as_ref().err());
        self.answer(asker, text, world.now);
    }
}

/// Keep-alive.
impl Sessions {
    fn hp(&self, id: SessionId) -> u8 {
        FULL_HP.saturating_sub(self.sessions.get(&id).map_or(0, |session| session.unanswered))
    }

    /// The client is alive; a ping of its own puts off the next of ours.
    fn heard_of(&mut self, id: SessionId, no_ping_before: u64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.unanswered = 0;
            session.next_ping = session.next_ping.map(|at| at.max(no_ping_before));
        }
    }

    fn ping(&mut self, id: SessionId, now: u64) {
        let hp = self.hp(id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(due) = session.next_ping.filter(|due| *due <= now) else { return };
        if session.unanswered >= 2 {
            let why = "Session is disconnected due to missing pong message from the client";
            self.end(id, Code::INVALID_WS_REQUEST_DATA, why);
        } else {
            session.unanswered += 1;
            session.next_ping = Some(due.saturating_add(self.settings.ping_interval));
            self.send(id, wire::ping(hp));
        }
    }

    /// Says why, and ends a session.
    pub(crate) fn end(&mut self, id: SessionId, code: Code, why: &str) {
        if let Some(session) = self.sessions.get_mut(&id) {
            (session.ended, session.next_ping) = (true, None);
        }
        self.send(id, wire::disconnected(code, why));
        self.outputs.push(Output::Close(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Symbol;
    use crate::sandbox::Sandbox;
    use crate::sandbox::accounts::Profile;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;
    use std::sync::{LazyLock, Mutex};

    const NOW: u64 = 1_700_000_000_000;

    /// A market with one user.
    static EXCHANGE: LazyLock<Mutex<(Market, Accounts, UserIx)>> = LazyLock::new(|| {
        let mut market = Market::new(1, false, NOW);
        let mut accounts = Accounts::new(1);
        let (user, _) = accounts.add_user(&mut market, Profile::default());
        Mutex::new((market, accounts, user))
    });

    fn visitor(user: Option<UserIx>) -> Visitor {
        let mut visitor = Visitor::new("/0/api/pro/v1/stream", Ipv4Addr::LOCALHOST.into()).unwrap();
        visitor.user = user;
        visitor
    }

    fn hear(sessions: &mut Sessions, id: SessionId, text: &str) {
        let (market, accounts, _) = &mut *EXCHANGE.lock().unwrap();
        let mut world = World { market, accounts, now: NOW, told_now: NOW };
        sessions.receive(&mut world, id, ClientMessage::parse(text), &[]);
    }

    /// Sessions with one, of a user or of nobody.
    fn sessions(authenticated: bool) -> (Sessions, SessionId) {
        let mut sessions = Sessions::new(Sandbox::builder().settings);
        let user = EXCHANGE.lock().unwrap().2;
        let id = come_in(&mut sessions, authenticated.then_some(user));
        sessions.drain();
        (sessions, id)
    }

    fn come_in(sessions: &mut Sessions, user: Option<UserIx>) -> SessionId {
        let id = sessions.reserve(visitor(user));
        sessions.open(id, NOW);
        id
    }

    fn word() -> impl Strategy<Value = String> {
        let known = "sub|unsub|req|auth|ping|pong|depth|depth:BTC/USDT|depth-realtime:BTC/USDT|bar:1:ETH/BTC,NO|\
            order:cash|order:margin:BTC/USDT|depth-snapshot|depth-snapshot-realtime|market-trades|place-order|\
            cancel-order|cancel-all|balance|open-order|margin-risk|order-status|BTC/USDT|cash|MARGIN";
        prop_oneof![2 => known, 1 => "[a-z:,*/]{0,12}", 1 => "\\PC{0,12}"]
    }

    fn message() -> impl Strategy<Value = String> {
        let order = prop_oneof!["limit|market|stop_limit", "buy|sell", "[0-9.]{0,5}"];
        let fields = ([word(), word(), word(), word(), word()], any::<i64>(), [order.clone(), order.clone(), order]);
        fields.prop_map(|([op, ch, action, account, symbol], number, [kind, side, amount])| {
            let args = serde_json::json!({
                "symbol": symbol, "symbols": symbol, "level": number, "orderId": amount, "time": NOW, "side": side,
                "orderType": kind, "orderQty": amount, "orderPrice": amount,
            });
            serde_json::json!({
                "op": op, "id": "i", "ch": ch, "action": action, "account": account, "args": args, "t": number,
                "key": amount, "sig": side,
            })
            .to_string()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        #[test]
        fn whatever_a_client_says_is_answered(
            texts in proptest::collection::vec(message(), 1..20),
            authenticated in any::<bool>(),
        ) {
            let (mut sessions, id) = sessions(authenticated);
            for text in texts {
                hear(&mut sessions, id, &text);
                let pong = text.contains(r#""op":"pong""#);
                let answered = sessions.drain().count() > 0 || !sessions.later.is_empty();
                prop_assert!(answered || pong, "{}", text);
            }
            sessions.close(id);
            prop_assert!(sessions.subscribers.is_empty() && sessions.later.is_empty());
        }

        #[test]
        fn any_text_is_survived(text in "\\PC*") {
            let (mut sessions, id) = sessions(true);
            hear(&mut sessions, id, &text);
            prop_assert!(sessions.drain().count() > 0);
        }
    }

    #[test]
    fn what_is_published_reaches_those_who_subscribed() {
        let (mut sessions, one) = sessions(false);
        let two = come_in(&mut sessions, None);
        hear(&mut sessions, one, r#"{"op":"sub","ch":"trades:BTC/USDT,ETH/USDT"}"#);
        hear(&mut sessions, two, r#"{"op":"sub","ch":"trades:BTC/USDT"}"#);
        sessions.drain();
        let text: Arc<str> = "x".into();
        sessions.publish("trades:BTC/USDT", &text);
        sessions.publish("trades:ETH/USDT", &text);
        sessions.publish("trades:LTC/USDT", &text);
        let to = |id| Output::Text(id, Arc::clone(&text));
        assert_eq!(sessions.drain().collect::<Vec<_>>(), [to(one), to(two), to(one)]);
        sessions.close(one);
        assert!(sessions.is_subscribed("trades:BTC/USDT") && !sessions.is_subscribed("trades:ETH/USDT"));
    }

    #[test]
    fn an_account_is_told_to_those_who_listen_to_it_each_once_and_in_its_mode() {
        let (mut sessions, one) = sessions(true);
        let user = EXCHANGE.lock().unwrap().2;
        let [two, three] = [(); 2].map(|()| come_in(&mut sessions, Some(user)));
        for (id, ch) in
            [(one, "order:cash"), (one, "order:CASH:BTC/USDT"), (two, "order:cash:BTC/USDT"), (three, "order:margin")]
        {
            hear(&mut sessions, id, &format!(r#"{{"op":"sub","ch":"{ch}"}}"#));
        }
        sessions.sessions.get_mut(&two).unwrap().ready = true;
        sessions.drain();
        let cash = EXCHANGE.lock().unwrap().1[user].cash_id.clone();
        let symbol = |name: &str| Symbol::new(name).ok();
        assert_eq!(sessions.listeners(&cash, symbol("BTC/USDT")), BTreeSet::from([one, two]));
        assert_eq!(sessions.listeners(&cash, symbol("ETH/USDT")), BTreeSet::from([one]));
        let listeners = sessions.listeners(&cash, None);
        assert_eq!(listeners, BTreeSet::from([one, two]));
        sessions.tell(&listeners, |ready| Some(if ready { "ready" } else { "not" }.to_owned()));
        sessions.tell(&listeners, |ready| ready.then(|| "ready alone".to_owned()));
        let told: Vec<_> = sessions.drain().collect();
        let to = |id, text: &str| Output::Text(id, text.into());
        assert_eq!(told, [to(one, "not"), to(two, "ready"), to(two, "ready alone")]);
    }
}
