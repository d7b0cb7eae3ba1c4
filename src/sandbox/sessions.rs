//! The sessions of the stream: greeting, keep-alive, subscriptions, requests. No sockets and no clock in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Settings;
use super::channel;
use super::faults::{Break, Fault};
use super::market::Market;
use super::millis;
use super::replay::Playback;
use super::wire::{self, ClientMessage, Refusal};
use crate::Code;

/// Symbols in one `sub` or `unsub`, at most.
const MAX_SYMBOLS: usize = 10;
/// What `hp` begins with.
const FULL_HP: u8 = 3;
/// Trades in one answer, at most, and where the client does not say.
const MAX_TRADES: usize = 100;
/// Answers that may be under way to one session at once.
const MAX_UNDER_WAY: usize = 100;

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
    /// Pings sent since the client was last heard of in this regard.
    unanswered: u8,
    next_ping: Option<u64>,
    playback: Option<Playback>,
    under_way: usize,
}

/// Who asked, and what becomes of the answer.
#[derive(Debug, Clone)]
struct Asker {
    session: SessionId,
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
    fn session(&self) -> SessionId {
        match self {
            Self::Snapshot { asker, .. } | Self::Message(asker, _) => asker.session,
            Self::Text(session, _) => *session,
        }
    }
}

/// What sessions know of the exchange around them.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) market: &'a Market,
    pub(crate) now: u64,
    /// What clients are told that the time is.
    pub(crate) told_now: u64,
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    settings: Settings,
    sessions: BTreeMap<SessionId, Session>,
    subscribers: BTreeMap<Box<str>, BTreeSet<SessionId>>,
    /// What is under way, by the time when it is due and in the order of its asking.
    later: BTreeMap<(u64, u64), Later>,
    next_id: u64,
    outputs: Vec<Output>,
}

impl Sessions {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            sessions: BTreeMap::new(),
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

    /// A client has come in.
    pub(crate) fn open(&mut self, now: u64) -> SessionId {
        self.next_id += 1;
        let id = self.next_id;
        let recording = self.settings.recording.clone();
        let playback = recording.map(|recording| Playback::new(recording, self.settings.speed));
        // A recording brings its own pings.
        let next_ping = playback.is_none().then(|| now + self.settings.ping_interval);
        self.sessions.insert(id, Session { unanswered: 0, next_ping, playback, under_way: 0 });
        self.send(id, wire::connected(false));
        id
    }

    /// A client has gone.
    pub(crate) fn close(&mut self, id: SessionId) {
        self.sessions.remove(&id);
        self.later.retain(|_, later| later.session() != id);
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
    pub(crate) fn advance(&mut self, world: World<'_>) {
        let now = world.now;
        self.catch_up(world);
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            self.ping(id, now);
            self.play(id, now);
        }
    }

    /// Whether anyone listens to a channel.
    pub(crate) fn is_subscribed(&self, channel: &str) -> bool {
        self.subscribers.contains_key(channel)
    }

    /// Hands a message to everyone who subscribed to its channel.
    pub(crate) fn publish(&mut self, channel: &str, text: &Arc<str>) {
        let ids = self.subscribers.get(channel).into_iter().flatten();
        self.outputs.extend(ids.map(|id| Output::Text(*id, Arc::clone(text))));
    }

    /// Does what was under way and is due.
    fn catch_up(&mut self, world: World<'_>) {
        while let Some(next) = self.later.first_entry().filter(|next| next.key().0 <= world.now) {
            match next.remove() {
                Later::Text(id, text) => self.outputs.push(Output::Text(id, text)),
                Later::Message(asker, message) => self.act(world, &asker, &message),
                Later::Snapshot { asker, action, symbol } => {
                    if let Some(session) = self.sessions.get_mut(&asker.session) {
                        session.under_way = session.under_way.saturating_sub(1);
                    }
                    let text = world
                        .market
                        .depth_snapshot(&action, &symbol)
                        .unwrap_or_else(|refusal| wire::error("error", None, &refusal));
                    self.answer(&asker, text, world.now);
                }
            }
        }
    }

    fn put_off(&mut self, due: u64, later: Later) {
        self.next_id += 1;
        self.later.insert((due, self.next_id), later);
    }

    /// A client said something, with which this goes wrong.
    pub(crate) fn receive(&mut self, world: World<'_>, id: SessionId, message: ClientMessage, faults: &[Fault]) {
        if !self.sessions.contains_key(&id) {
            return;
        }
        log::debug!("session {id}: {:?}", message.name());
        let mut asker = Asker { session: id, lost: false, delay: 0, instead: None };
        let mut heard = world.now;
        for fault in faults {
            match fault {
                Fault::Cut => return self.outputs.push(Output::Break(id, Break::After(0))),
                Fault::LoseRequest => return,
                Fault::Refuse(reply) => return self.send(id, reply.text()),
                Fault::DelayRequest(time) => heard += millis(*time),
                Fault::LoseAnswer => asker.lost = true,
                Fault::DelayAnswer(time) => asker.delay += millis(*time),
                Fault::Replace(reply) => asker.instead = Some(reply.text().into()),
                Fault::Break(how) => self.outputs.push(Output::Break(id, *how)),
                Fault::LoseMessage => {}
            }
        }
        if heard > world.now {
            self.put_off(heard, Later::Message(asker, Box::new(message)));
        } else {
            self.act(world, &asker, &message);
        }
        self.catch_up(world);
    }

    fn act(&mut self, world: World<'_>, asker: &Asker, message: &ClientMessage) {
        let (id, now) = (asker.session, world.now);
        match message.op.as_str() {
            "ping" => {
                let hp = self.hp(id);
                self.heard_of(id, now + 2 * self.settings.ping_interval);
                self.answer(asker, wire::pong(world.told_now, hp), now);
            }
            "pong" => self.heard_of(id, 0),
            "sub" => self.subscribe(world, asker, message),
            "unsub" => self.unsubscribe(asker, message, now),
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
            self.put_off(now + asker.delay, Later::Text(asker.session, text));
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
            session.next_ping = None;
            let info = "Session is disconnected due to missing pong message from the client";
            self.send(id, wire::disconnected(info));
            self.outputs.push(Output::Close(id));
        } else {
            session.unanswered += 1;
            session.next_ping = Some(due + self.settings.ping_interval);
            self.send(id, wire::ping(hp));
        }
    }

    /// Sends what a recording has to say by now.
    fn play(&mut self, id: SessionId, now: u64) {
        let Some(playback) = self.sessions.get_mut(&id).and_then(|s| s.playback.as_mut()) else { return };
        while let Some(text) = playback.poll(now) {
            self.outputs.push(Output::Text(id, text));
        }
    }

    fn subscribe(&mut self, world: World<'_>, asker: &Asker, message: &ClientMessage) {
        let (id, now) = (asker.session, world.now);
        let channels = match channels(message) {
            Ok(channels) => channels,
            Err(refusal) => return self.refuse(asker, message, &refusal, now),
        };
        for channel in channels {
            let playback = self.sessions.get(&id).and_then(|s| s.playback.as_ref());
            let recorded = playback.is_some_and(|p| p.knows(channel::argument(&channel)));
            match world.market.check_channel(&channel) {
                Err(refusal) if refusal.code != Code::SYMBOL_ERROR => self.refuse(asker, message, &refusal, now),
                Err(refusal) if !recorded => {
                    self.answer(asker, wire::subscription_refused(message, &channel, &refusal), now);
                }
                _ => {
                    self.answer(asker, wire::acknowledged(message, &channel), now);
                    match self.sessions.get_mut(&id).and_then(|s| s.playback.as_mut()) {
                        Some(playback) => playback.subscribe(&channel, now),
                        None => {
                            self.subscribers.entry(channel.as_str().into()).or_default().insert(id);
                            self.outputs.extend(world.market.newest(&channel).map(|text| Output::Text(id, text)));
                        }
                    }
                }
            }
        }
        self.play(id, now);
    }

    fn unsubscribe(&mut self, asker: &Asker, message: &ClientMessage, now: u64) {
        let id = asker.session;
        let patterns = match channels(message) {
            Ok(patterns) => patterns,
            Err(refusal) => return self.refuse(asker, message, &refusal, now),
        };
        for pattern in patterns {
            self.forget(id, &pattern);
            if let Some(playback) = self.sessions.get_mut(&id).and_then(|s| s.playback.as_mut()) {
                playback.unsubscribe(&pattern);
            }
            self.answer(asker, wire::acknowledged(message, &pattern), now);
        }
    }

    /// Ends the subscriptions of a session that match.
    fn forget(&mut self, id: SessionId, pattern: &str) {
        self.subscribers.retain(|channel, ids| {
            if channel::matches(pattern, channel) {
                ids.remove(&id);
            }
            !ids.is_empty()
        });
    }

    fn request(&mut self, world: World<'_>, asker: &Asker, message: &ClientMessage) {
        let now = world.now;
        let symbol = message.arg("symbol").unwrap_or_default().to_owned();
        let answer = match message.action.as_str() {
            "depth-snapshot" | "depth-snapshot-top100" => self.ask_snapshot(world, asker, message, symbol),
            "market-trades" => {
                let count =
                    message.number_arg("level").map_or(MAX_TRADES, |level| level.min(MAX_TRADES as u64) as usize);
                world
                    .market
                    .market_trades(message.id.as_ref(), &symbol, count)
                    .map(|text| self.answer(asker, text, now))
            }
            action if is_private(action) => {
                Err(Refusal::new(Code::AUTHORIZATION_NEEDED, format!("{action} needs an authenticated session")))
            }
            action => Err(Refusal::new(Code::INVALID_WS_REQUEST_DATA, format!("Invalid request action: {action}"))),
        };
        if let Err(refusal) = answer {
            self.refuse(asker, message, &refusal, now);
        }
    }

    fn ask_snapshot(
        &mut self,
        world: World<'_>,
        asker: &Asker,
        message: &ClientMessage,
        symbol: String,
    ) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(&asker.session) else { return Ok(()) };
        if let Some(playback) = session.playback.as_mut().filter(|playback| playback.knows(&symbol)) {
            if !playback.ask_snapshot(&symbol) {
                return Err(Refusal::new(
                    Code::DATA_NOT_AVAILABLE,
                    format!("No further snapshot of {symbol} was recorded"),
                ));
            }
            self.play(asker.session, world.now);
            return Ok(());
        }
        // Unknown symbols are refused at once.
        world.market.check_channel(&format!("depth:{symbol}"))?;
        if session.under_way >= MAX_UNDER_WAY {
            return Err(Refusal::new(Code::TOO_MANY_REQUESTS, "Too many snapshots are under way"));
        }
        session.under_way += 1;
        let due = world.now + self.settings.snapshot_delay;
        self.put_off(due, Later::Snapshot { asker: asker.clone(), action: message.action.clone(), symbol });
        Ok(())
    }
}

/// The channels, or patterns of channels, that a message names.
fn channels(message: &ClientMessage) -> Result<Vec<String>, Refusal> {
    let refused = |why: String| Err(Refusal::new(Code::INVALID_WS_REQUEST_DATA, why));
    let channels = channel::each(&message.ch);
    if message.ch.is_empty() || channels.is_empty() {
        return refused("Missing channel".into());
    }
    if channels.len() > MAX_SYMBOLS {
        return refused(format!("Too many symbols in one message: {}, at most {MAX_SYMBOLS}", channels.len()));
    }
    Ok(channels)
}

/// Whether a request is about an account. The documentation also prints `place-Order` and its like.
fn is_private(action: &str) -> bool {
    const ACTIONS: [&str; 8] = [
        "place-order",
        "cancel-order",
        "cancel-all",
        "balance",
        "open-order",
        "margin-risk",
        "order-status",
        "depth-snapshot-realtime",
    ];
    ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Sandbox;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    const NOW: u64 = 1_700_000_000_000;

    static MARKET: LazyLock<Market> = LazyLock::new(|| Market::new(1, NOW));

    fn world() -> World<'static> {
        World { market: &MARKET, now: NOW, told_now: NOW }
    }

    fn sessions() -> (Sessions, SessionId) {
        let mut sessions = Sessions::new(Sandbox::builder().settings);
        let id = sessions.open(NOW);
        sessions.drain();
        (sessions, id)
    }

    fn word() -> impl Strategy<Value = String> {
        let known =
            "sub|unsub|req|ping|pong|depth|depth:BTC/USDT|bar:1:ETH/BTC,NO|depth-snapshot|market-trades|BTC/USDT";
        prop_oneof![known, "[a-z:,*/]{0,12}", "\\PC{0,12}"]
    }

    fn message() -> impl Strategy<Value = String> {
        (word(), word(), word(), word(), any::<i64>()).prop_map(|(op, ch, action, symbol, level)| {
            let args = serde_json::json!({"symbol": symbol, "level": level});
            serde_json::json!({"op": op, "id": "i", "ch": ch, "action": action, "args": args}).to_string()
        })
    }

    proptest! {
        #[test]
        fn whatever_a_client_says_is_answered(texts in proptest::collection::vec(message(), 1..20)) {
            let (mut sessions, id) = sessions();
            for text in texts {
                sessions.receive(world(), id, ClientMessage::parse(&text), &[]);
                let pong = text.contains(r#""op":"pong""#);
                let answered = sessions.drain().count() > 0 || !sessions.later.is_empty();
                prop_assert!(answered || pong, "{}", text);
            }
            sessions.close(id);
            prop_assert!(sessions.subscribers.is_empty() && sessions.later.is_empty());
        }

        #[test]
        fn any_text_is_survived(text in "\\PC*") {
            let (mut sessions, id) = sessions();
            sessions.receive(world(), id, ClientMessage::parse(&text), &[]);
            prop_assert!(sessions.drain().count() > 0);
        }
    }

    #[test]
    fn what_is_published_reaches_those_who_subscribed() {
        let (mut sessions, one) = sessions();
        let two = sessions.open(NOW);
        for (id, text) in
            [(one, r#"{"op":"sub","ch":"trades:BTC/USDT,ETH/USDT"}"#), (two, r#"{"op":"sub","ch":"trades:BTC/USDT"}"#)]
        {
            sessions.receive(world(), id, ClientMessage::parse(text), &[]);
        }
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
}
