//! A recorded session played back, without sockets or clock.
//!
//! What the server said is played in the recorded order of each channel. Three things wait: everything, until the
//! first subscription; the messages of a channel, until it is subscribed; a `depth-snapshot` and what follows it on
//! its channel, until the client has asked for one. Greeting, acknowledgements, pongs and answers to other requests are
//! left out: those are answered live. Anything else (pings, unknown messages, even text that is no JSON) plays at its time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Speed;
use super::channel;
use crate::recording::{Recording as Session, What};

/// How many messages may be sent ahead of what the client has taken.
const WINDOW: usize = 256;

/// What one recorded session's server said, ready to be played any number of times.
#[derive(Debug)]
pub(crate) struct Recording {
    messages: Vec<Recorded>,
    symbols: BTreeSet<Box<str>>,
}

#[derive(Debug)]
struct Recorded {
    /// Time since the first recorded subscription.
    at: Duration,
    text: Arc<str>,
    channel: Option<Box<str>>,
    is_snapshot: bool,
}

/// What of a message decides when it is played.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    m: Option<String>,
    #[serde(default)]
    symbol: Option<String>,
    #[serde(default)]
    s: Option<String>,
    #[serde(default)]
    data: Option<HeaderData>,
    #[serde(default)]
    id: Option<IgnoredAny>,
    #[serde(default)]
    action: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderData {
    Bar { i: String },
    Other(IgnoredAny),
}

impl Recording {
    /// What there is to play of a recorded session.
    pub(crate) fn new(session: &Session) -> Self {
        let sub = session.entries().iter().find(|e| matches!(&e.what, What::Sent(text) if is_subscription(text)));
        let first = session.entries().iter().find(|e| matches!(e.what, What::Received(_)));
        let start = sub.or(first).map_or(0, |entry| entry.at);

        let mut symbols = BTreeSet::new();
        let mut messages = Vec::new();
        for entry in session.entries() {
            let What::Received(raw) = &entry.what else { continue };
            let header = serde_json::from_str::<Header>(raw).ok();
            let m = header.as_ref().and_then(|h| h.m.as_deref()).unwrap_or_default();
            if matches!(m, "connected" | "sub" | "unsub" | "auth" | "pong") {
                continue;
            }
            let channel = header.as_ref().and_then(|h| h.channel());
            if channel.is_none() && header.as_ref().is_some_and(|h| h.id.is_some() || h.action.is_some()) {
                continue;
            }
            if let Some(channel) = &channel {
                symbols.insert(channel::argument(channel).into());
            }
            let is_snapshot = m == "depth-snapshot";
            // What came before, or by a clock that was set back, plays at once.
            let at = Duration::from_nanos(entry.at.saturating_sub(start));
            messages.push(Recorded { at, text: raw.as_ref().into(), channel, is_snapshot });
        }
        Self { messages, symbols }
    }

    /// Whether anything of this symbol or asset was recorded.
    pub(crate) fn knows(&self, symbol: &str) -> bool {
        self.symbols.contains(symbol)
    }
}

fn is_subscription(raw: &str) -> bool {
    #[derive(Deserialize)]
    struct Op {
        op: String,
    }
    serde_json::from_str::<Op>(raw).is_ok_and(|message| message.op == "sub")
}

impl Header {
    /// The channel that the message came on, as in `sub`.
    fn channel(&self) -> Option<Box<str>> {
        let m = self.m.as_deref()?;
        let symbol = self.symbol.as_deref().or(self.s.as_deref());
        let channel = match (m, symbol, &self.data) {
            ("depth-snapshot", Some(symbol), _) => format!("depth:{symbol}"),
            ("depth-snapshot-realtime", Some(symbol), _) => format!("depth-realtime:{symbol}"),
            ("bar", Some(symbol), Some(HeaderData::Bar { i })) => format!("bar:{i}:{symbol}"),
            ("bbo" | "depth" | "depth-realtime" | "trades" | "summary" | "ref-px", Some(symbol), _) => {
                format!("{m}:{symbol}")
            }
            _ => return None,
        };
        Some(channel.into())
    }
}

/// One client's way through a recording.
#[derive(Debug)]
pub(crate) struct Playback {
    recording: Arc<Recording>,
    speed: Speed,
    /// Sandbox time of the first subscription.
    started: Option<u64>,
    /// The first message not yet looked at.
    next: usize,
    subscribed: BTreeSet<Box<str>>,
    /// Snapshots asked for and not yet played, by channel.
    asked: BTreeMap<Box<str>, usize>,
    /// By channel, what waits for a subscription or for a question.
    held: BTreeMap<Box<str>, VecDeque<usize>>,
    /// What has nothing to wait for but the client.
    ready: VecDeque<usize>,
    window: usize,
}

impl Playback {
    pub(crate) fn new(recording: Arc<Recording>, speed: Speed) -> Self {
        Self {
            recording,
            speed,
            started: None,
            next: 0,
            subscribed: BTreeSet::new(),
            asked: BTreeMap::new(),
            held: BTreeMap::new(),
            ready: VecDeque::new(),
            window: WINDOW,
        }
    }

    pub(crate) fn knows(&self, symbol: &str) -> bool {
        self.recording.knows(symbol)
    }

    /// The client subscribed to a channel. The first time starts the playback.
    pub(crate) fn subscribe(&mut self, channel: &str, now: u64) {
        self.started.get_or_insert(now);
        self.subscribed.insert(channel.into());
        self.release(channel);
    }

    /// The client is done with all channels that match; what comes on them waits from here on.
    pub(crate) fn unsubscribe(&mut self, pattern: &str) {
        self.subscribed.retain(|channel| !channel::matches(pattern, channel));
    }

    /// The client asked for a snapshot of a symbol; `false`: no further one was recorded.
    pub(crate) fn ask_snapshot(&mut self, symbol: &str) -> bool {
        let channel: Box<str> = format!("depth:{symbol}").into();
        let upcoming = self.recording.messages.get(self.next..).unwrap_or_default();
        let held = self.held.get(&channel).into_iter().flatten();
        let left = upcoming.iter().filter(|m| m.is_snapshot && m.channel.as_ref() == Some(&channel)).count()
            + held.filter(|at| self.message(**at).is_some_and(|m| m.is_snapshot)).count();
        let asked = self.asked.entry(channel.clone()).or_default();
        if *asked >= left {
            return false;
        }
        *asked += 1;
        self.release(&channel);
        true
    }

    /// The client has taken everything that was sent.
    pub(crate) fn taken(&mut self) {
        self.window = WINDOW;
    }

    /// The next message to send at this time, if there is one.
    pub(crate) fn poll(&mut self, now: u64) -> Option<Arc<str>> {
        while self.ready.is_empty() && self.due().is_some_and(|at| at <= now) {
            self.look(self.next);
            self.next += 1;
        }
        if self.window == 0 {
            return None;
        }
        let at = self.ready.pop_front()?;
        self.window -= 1;
        self.message(at).map(|m| m.text.clone())
    }

    /// When there is something to do again, in sandbox time.
    pub(crate) fn deadline(&self) -> Option<u64> {
        if self.window == 0 { None } else { self.due() }
    }

    fn message(&self, at: usize) -> Option<&Recorded> {
        self.recording.messages.get(at)
    }

    /// When the next message is due.
    fn due(&self) -> Option<u64> {
        let (started, message) = self.started.zip(self.message(self.next))?;
        let after = match self.speed {
            Speed::Real => message.at.as_millis(),
            Speed::Times(factor) => (message.at.as_secs_f64() * 1000.0 / factor) as u128,
            Speed::Max => 0,
        };
        Some(started.saturating_add(u64::try_from(after).unwrap_or(u64::MAX)))
    }

    /// Puts a message where it belongs: to be sent, or to wait behind what its channel waits for.
    fn look(&mut self, at: usize) {
        let recording = Arc::clone(&self.recording);
        let Some(message) = recording.messages.get(at) else { return };
        let Some(channel) = &message.channel else { return self.ready.push_back(at) };
        let waits = self.held.get(channel).is_some_and(|held| !held.is_empty());
        self.held.entry(channel.clone()).or_default().push_back(at);
        if !waits {
            self.release(channel);
        }
    }

    /// Sends what a channel held back, up to the next snapshot that was not asked for.
    fn release(&mut self, channel: &str) {
        let Some(held) = self.held.get_mut(channel).filter(|_| self.subscribed.contains(channel)) else { return };
        while let Some(at) = held.front() {
            if self.recording.messages.get(*at).is_some_and(|m| m.is_snapshot) {
                match self.asked.get_mut(channel) {
                    Some(asked) if *asked > 0 => *asked -= 1,
                    _ => break,
                }
            }
            self.ready.extend(held.pop_front());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(t: f64, dir: &str, raw: &str) -> String {
        serde_json::json!({"t": t, "dir": dir, "raw": raw}).to_string()
    }

    fn depth(symbol: &str, seqnum: u64) -> String {
        format!(r#"{{"m":"depth","symbol":"{symbol}", "data":{{"seqnum":{seqnum}}}}}"#)
    }

    fn snapshot(symbol: &str, seqnum: u64) -> String {
        format!(r#"{{"m":"depth-snapshot","symbol":"{symbol}","data":{{"seqnum":{seqnum}}}}}"#)
    }

    /// Two symbols: a change, a snapshot and a change each; trades of one; a ping; something that is no JSON.
    fn small() -> Arc<Recording> {
        let lines = [
            r#"{"t":100.0,"dir":"connect","url":"ws://x/0/api/pro/v1/stream"}"#.to_owned(),
            entry(100.1, "s2c", r#"{"m":"connected","type":"unauth"}"#),
            entry(101.0, "c2s", r#"{"op":"sub","ch":"depth:A/B,C/D"}"#),
            entry(101.1, "s2c", r#"{"m":"sub","ch":"depth:A/B","code":0}"#),
            entry(101.2, "s2c", &depth("A/B", 1)),
            entry(101.3, "s2c", &depth("C/D", 1)),
            entry(101.4, "s2c", &snapshot("A/B", 1)),
            entry(101.5, "s2c", r#"{"m":"ping","hp":3}"#),
            entry(101.6, "s2c", &snapshot("C/D", 1)),
            entry(101.7, "s2c", &depth("A/B", 2)),
            entry(101.8, "s2c", r#"{"m":"trades","symbol":"A/B","data":[]}"#),
            entry(101.9, "s2c", &depth("C/D", 2)),
            entry(102.0, "s2c", "<html>"),
            entry(102.0, "s2c", r#"{"m":"error","id":"5","code":100008}"#),
            entry(102.0, "s2c", r#"{"m":"order","action":"place-order","info":{"id":"o"}}"#),
            entry(102.1, "s2c", r#"{"m":"bar","s":"A/B","data":{"i":"5","ts":1}}"#),
        ];
        Arc::new(Recording::new(&Session::parse(&lines.join("\n")).unwrap()))
    }

    fn drain(playback: &mut Playback, now: u64) -> Vec<String> {
        std::iter::from_fn(|| playback.poll(now)).map(|text| text.to_string()).collect()
    }

    #[test]
    fn each_channel_waits_for_its_subscription_and_snapshots_for_a_question() {
        let mut playback = Playback::new(small(), Speed::Max);
        assert_eq!(drain(&mut playback, 0), [""; 0]);
        playback.subscribe("depth:A/B", 0);
        assert_eq!(drain(&mut playback, 0), [depth("A/B", 1).as_str(), r#"{"m":"ping","hp":3}"#, "<html>"]);
        assert!(playback.ask_snapshot("A/B"));
        assert!(!playback.ask_snapshot("A/B"), "only one was recorded");
        assert_eq!(drain(&mut playback, 0), [snapshot("A/B", 1), depth("A/B", 2)]);
        // Asked for first, subscribed after.
        assert!(playback.ask_snapshot("C/D"));
        assert_eq!(drain(&mut playback, 0), [""; 0]);
        playback.subscribe("depth:C/D", 0);
        assert_eq!(drain(&mut playback, 0), [depth("C/D", 1), snapshot("C/D", 1), depth("C/D", 2)]);
        playback.subscribe("trades:A/B", 0);
        playback.subscribe("bar:5:A/B", 0);
        assert_eq!(drain(&mut playback, 0).len(), 2);
        assert_eq!(playback.deadline(), None);
        assert!(playback.knows("C/D") && !playback.knows("B/A"));
    }

    #[test]
    fn time_is_the_recorded_one_or_a_fraction_of_it() {
        for (speed, dues) in [(Speed::Real, [5_200, 5_300]), (Speed::Times(10.0), [5_020, 5_030])] {
            let mut playback = Playback::new(small(), speed);
            playback.subscribe("depth:A/B", 5_000);
            playback.subscribe("depth:C/D", 5_000);
            for due in dues {
                assert_eq!(playback.deadline(), Some(due));
                assert_eq!(drain(&mut playback, due - 1).len(), 0);
                assert_eq!(drain(&mut playback, due).len(), 1);
            }
        }
    }

    #[test]
    fn a_client_that_takes_nothing_is_not_sent_everything() {
        let many: Vec<String> = (0..1000).map(|n| entry(0.0, "s2c", &depth("A/B", n))).collect();
        let recording = Arc::new(Recording::new(&Session::parse(&format!("[{}]", many.join(",\n"))).unwrap()));
        let mut playback = Playback::new(recording, Speed::Max);
        playback.subscribe("depth:A/B", 0);
        assert_eq!(drain(&mut playback, 0).len(), WINDOW);
        assert_eq!(playback.deadline(), None);
        playback.taken();
        assert_eq!(drain(&mut playback, 0).len(), WINDOW);
        let mut rest = 0;
        while rest < 1000 - 2 * WINDOW {
            playback.taken();
            rest += drain(&mut playback, 0).len();
        }
        assert_eq!(rest, 1000 - 2 * WINDOW);
    }

    #[test]
    fn after_unsubscribing_a_channel_waits_again() {
        let mut playback = Playback::new(small(), Speed::Real);
        playback.subscribe("trades:A/B", 0);
        playback.subscribe("bar:5:A/B", 0);
        playback.unsubscribe("bar:*:A/B");
        assert_eq!(drain(&mut playback, 10_000).len(), 3);
        playback.subscribe("bar:5:A/B", 10_000);
        assert_eq!(drain(&mut playback, 10_000).len(), 1);
    }
}
