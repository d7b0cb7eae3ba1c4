//! Scenarios under virtual time: what the server says, what passes, what the session does.

mod account;
mod any;
mod books;

use std::sync::Arc;

use super::*;
use crate::ws::backoff::{Attempts, BackoffConfig};
use crate::ws::channel::Channel;
use crate::ws::limits::MessageLimits;
use crate::ws::stats::Measured;
use crate::ws::wire::Message;
use crate::{Code, Credentials};

const GREETING: &str = r#"{"m":"connected","type":"unauth"}"#;

/// A session with everything that it has done.
struct World {
    session: Session,
    now: Duration,
    /// UTC nanoseconds at the beginning.
    wall: u64,
    sent: Vec<String>,
    events: Vec<Event>,
    answers: Vec<(u64, Result<Message, Error>)>,
    /// When it connected, and the headers' timestamp where it had any.
    connects: Vec<(Duration, Option<String>)>,
    hang_ups: usize,
    resets: usize,
    clock: Option<i64>,
    measured: Vec<Measured>,
    finished: bool,
}

impl World {
    fn new(channels: &[&str], config: SessionConfig) -> Self {
        Self::with_identity(channels, config, None)
    }

    fn with_identity(channels: &[&str], config: SessionConfig, identity: Option<Identity>) -> Self {
        let topics = channels.iter().flat_map(|c| topics(c)).collect();
        let backoff = Backoff::new(BackoffConfig::default(), Attempts::default(), 1);
        let mut world = Self {
            session: Session::new(config, identity, topics, backoff),
            now: Duration::ZERO,
            wall: 1_000_000_000_000,
            sent: Vec::new(),
            events: Vec::new(),
            answers: Vec::new(),
            connects: Vec::new(),
            hang_ups: 0,
            resets: 0,
            clock: None,
            measured: Vec::new(),
            finished: false,
        };
        world.session.start(world.now());
        world.drain();
        world
    }

    /// The wall clock shows 1000 s at the beginning, unless it jumps.
    fn now(&self) -> Now {
        Now { at: self.now, wall: self.wall + u64::try_from(self.now.as_nanos()).unwrap() }
    }

    /// Connected and greeted.
    fn ready(channels: &[&str]) -> Self {
        let mut world = Self::new(channels, SessionConfig::default());
        world.up();
        world
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.output() {
            match output {
                Output::Connect(headers) => {
                    self.connects.push((self.now, headers.map(|AuthHeaders([_, (_, time), _])| time)));
                }
                Output::Send(text) => self.sent.push(text),
                Output::SendSecret(secret) => {
                    assert!(!format!("{secret:?}").contains("the-key"));
                    self.sent.push(secret.text);
                }
                Output::Deliver(event) => self.events.push(event),
                Output::Answer(Token(token), answer) => self.answers.push((token, answer)),
                Output::ResetIfUnsent => self.resets += 1,
                Output::Clock(offset) => self.clock = Some(offset),
                Output::Measured(measured) => self.measured.push(measured),
                Output::HangUp => self.hang_ups += 1,
                Output::Finish => self.finished = true,
            }
        }
    }

    fn up(&mut self) {
        self.session.upgraded(self.now());
        self.says(GREETING);
    }

    fn says(&mut self, text: &str) {
        self.session.text(text, self.now());
        self.drain();
    }

    fn breaks(&mut self) {
        self.session.failed(Error::transport(crate::Phase::Exchange, "reset"), self.now());
        self.drain();
    }

    fn wants(&mut self, command: Command) {
        self.session.command(command, self.now());
        self.drain();
    }

    /// Lets time pass, with a tick at each deadline.
    fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.session.deadline().filter(|d| *d <= end) {
            self.now = self.now.max(deadline);
            self.session.tick(self.now());
            self.drain();
            assert!(self.session.deadline().is_none_or(|d| d > self.now), "a tick settles its deadline");
        }
        self.now = end;
    }

    /// What was sent and told since the last call.
    fn log(&mut self) -> Vec<String> {
        let sent = std::mem::take(&mut self.sent).into_iter().map(|text| format!("> {text}"));
        sent.chain(std::mem::take(&mut self.events).iter().map(show)).collect()
    }
}

fn topics(channel: &str) -> Vec<Topic> {
    channel.parse::<Channel>().unwrap().into_topics().unwrap()
}

fn show(event: &Event) -> String {
    match event {
        Event::Disconnected(outage) => format!("Disconnected: {}", outage.error),
        Event::ConnectFailed(outage) => format!("ConnectFailed: {}", outage.error),
        Event::Reconnected { attempts, .. } => format!("Reconnected after {attempts}"),
        Event::Subscribed(channel) => format!("Subscribed {channel}"),
        Event::Unsubscribed(channel) => format!("Unsubscribed {channel}"),
        Event::SubscriptionFailed(failed) => {
            format!("SubscriptionFailed {} {:?}", failed.channel, failed.refusal.as_ref().map(|r| r.code.value()))
        }
        Event::Bbo(bbo) => format!("Bbo {}", bbo.symbol),
        Event::Depth(depth) => format!("{:?} {}", depth.kind, depth.seqnum),
        Event::Undecodable(data) => format!("Undecodable {}", data.text),
        Event::Unknown(data) => format!("Unknown {}", data.text),
        Event::Refused(refusal) => format!("Refused {}", refusal.code),
        Event::LateAnswer(answer) => format!("LateAnswer {}", answer.text),
        Event::Closed(CloseReason::GaveUp(error)) => format!("Closed: {error}"),
        other => format!("{other:?}"),
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn connects_subscribes_and_delivers() {
    let mut world = World::new(&["bbo:A/B,C/D", "trades:A/B"], SessionConfig::default());
    assert_eq!(world.connects.len(), 1);
    world.session.upgraded(world.now());
    world.drain();
    assert!(world.log().is_empty(), "nothing is said before the greeting");
    world.says(GREETING);
    assert_eq!(
        world.log(),
        [
            r#"> {"op":"sub","id":"m-1","ch":"bbo:A/B,C/D"}"#,
            r#"> {"op":"sub","id":"m-2","ch":"trades:A/B"}"#,
            "Connected { authenticated: false }"
        ]
    );
    world.says(r#"{"m":"sub","ch":"bbo:C/D","code":0}"#);
    world.says(r#"{"m":"bbo","symbol":"C/D","data":{"ts":1,"bid":["1","1"],"ask":["2","1"]}}"#);
    world.says(r#"{"m":"sub","id":"m-2","ch":"trades:A/B","code":0}"#);
    world.says(r#"{"m":"sub","id":"m-1","ch":"bbo:A/B","code":0}"#);
    assert_eq!(world.log(), ["Subscribed bbo:C/D", "Bbo C/D", "Subscribed trades:A/B", "Subscribed bbo:A/B"]);
}

#[test]
fn a_server_that_speaks_without_greeting_is_heard() {
    let mut world = World::new(&[], SessionConfig::default());
    world.session.upgraded(world.now());
    world.says(r#"{"m":"ping","hp":3}"#);
    assert_eq!(world.log(), [r#"> {"op":"pong"}"#, "Connected { authenticated: false }"]);
}

#[test]
fn an_idle_stream_pings_and_a_silent_one_is_given_up() {
    let mut world = World::ready(&[]);
    world.log();
    world.passes(secs(14));
    assert!(world.log().is_empty());
    world.passes(secs(1));
    assert_eq!(world.log(), [r#"> {"op":"ping"}"#]);
    world.says(r#"{"m":"pong","code":0,"ts":1,"hp":2}"#);
    world.passes(secs(15));
    assert_eq!(world.log(), [r#"> {"op":"ping"}"#], "the answer was a sign of life");
    world.passes(secs(14));
    assert_eq!(world.hang_ups, 0);
    world.passes(secs(1));
    assert_eq!(world.hang_ups, 1, "30 s without a byte");
    assert_eq!(world.log(), ["Disconnected: the stream was silent for too long"]);
}

#[test]
fn a_wall_clock_that_jumps_by_minutes_changes_no_deadline() {
    for jump in [-600_000_000_000, 600_000_000_000] {
        let mut world = World::ready(&["bbo:A/B"]);
        world.says(r#"{"m":"sub","id":"m-1","ch":"bbo:A/B","code":0}"#);
        world.log();
        world.wall = world.wall.saturating_add_signed(jump);
        world.passes(secs(14));
        assert!(world.log().is_empty());
        world.wall = world.wall.saturating_add_signed(-jump);
        world.passes(secs(1));
        assert_eq!(world.log(), [r#"> {"op":"ping"}"#]);
    }
}

#[test]
fn the_answer_to_a_ping_measures_the_way_and_the_clock() {
    let mut world = World::ready(&[]);
    world.says(r#"{"m":"pong","code":0,"ts":5}"#);
    assert!(world.measured.is_empty(), "nobody asked");
    world.passes(secs(15));
    world.now += Duration::from_millis(80);
    // The exchange is half a second ahead of the wall clock, which shows 1015.08 s; it spoke 40 ms ago.
    world.says(r#"{"m":"pong","code":0,"ts":1015540,"hp":2}"#);
    let measured = |millis, clock_offset| Measured { round_trip: Duration::from_millis(millis), clock_offset };
    assert_eq!(world.measured, [measured(80, Some(500))]);
    world.says(r#"{"m":"pong","code":0,"ts":1015540,"hp":2}"#);
    assert_eq!(world.measured.len(), 1, "once for each ping");

    // Asked for by the program, twice; one answer is under way when the connection breaks.
    world.log();
    world.wants(Command::Ping);
    world.passes(secs(1));
    world.wants(Command::Ping);
    assert_eq!(world.log(), [r#"> {"op":"ping"}"#, r#"> {"op":"ping"}"#]);
    world.passes(secs(2));
    world.says(r#"{"m":"pong"}"#);
    assert_eq!(world.measured.last(), Some(&measured(3000, None)));
    world.wants(Command::Ping);
    world.breaks();
    world.log();
    world.wants(Command::Ping);
    assert!(world.log().is_empty(), "there is no connection");
    world.passes(secs(1));
    world.up();
    world.says(&format!(r#"{{"m":"pong","ts":{}}}"#, u64::MAX));
    assert_eq!(world.measured.len(), 2, "an answer of another connection measures nothing");
    world.wants(Command::Ping);
    world.says(&format!(r#"{{"m":"pong","ts":{}}}"#, u64::MAX));
    assert_eq!(world.measured.last(), Some(&measured(0, None)), "no time at all");
    assert_eq!(world.clock, None, "what is signed with is set by a refusal alone");
}

#[test]
fn what_was_subscribed_is_subscribed_again() {
    let mut world = World::ready(&["bbo:A/B"]);
    world.says(r#"{"m":"sub","id":"m-1","ch":"bbo:A/B","code":0}"#);
    world.wants(Command::Subscribe(topics("depth:A/B")));
    world.wants(Command::Snapshot(Symbol::new("A/B").unwrap()));
    world.log();
    world.breaks();
    assert_eq!(world.log(), ["Disconnected: the connection failed"]);
    world.wants(Command::Subscribe(topics("trades:A/B")));
    world.wants(Command::Unsubscribe(topics("bbo:A/B")));
    assert!(world.log().is_empty(), "nothing is sent without a connection");
    world.passes(secs(1));
    world.up();
    assert_eq!(
        world.log(),
        [
            r#"> {"op":"sub","id":"m-4","ch":"depth:A/B"}"#,
            r#"> {"op":"sub","id":"m-5","ch":"trades:A/B"}"#,
            r#"> {"op":"req","id":"m-6","action":"depth-snapshot","args":{"symbol":"A/B"}}"#,
            "Reconnected after 1"
        ]
    );
}

#[test]
fn a_snapshot_is_asked_for_until_it_comes() {
    let mut world = World::ready(&[]);
    world.wants(Command::Snapshot(Symbol::new("A/B").unwrap()));
    world.wants(Command::Snapshot(Symbol::new("A/B").unwrap()));
    assert_eq!(world.log().iter().filter(|l| l.contains("depth-snapshot")).count(), 1, "one is under way");
    world.passes(secs(10));
    assert_eq!(world.log().iter().filter(|l| l.contains("depth-snapshot")).count(), 1, "asked again");
    world.says(r#"{"m":"depth-snapshot","symbol":"A/B","data":{"seqnum":9,"ts":1,"asks":[],"bids":[]}}"#);
    assert_eq!(world.log(), ["Snapshot 9"]);
    world.says(r#"{"m":"ping","hp":3}"#);
    world.passes(secs(14));
    assert_eq!(world.log(), [r#"> {"op":"pong"}"#], "it came");
}

#[test]
fn a_refused_subscription_is_given_up_for_good() {
    let mut world = World::ready(&["bbo:A/B,C/D"]);
    world.log();
    world.says(r#"{"m":"sub","id":"m-1","ch":"bbo:A/B","code":100008,"reason":"SYMBOL_ERROR"}"#);
    world.says(r#"{"m":"error","id":"m-1","code":100005,"reason":"INVALID_WS_REQUEST_DATA","info":"text"}"#);
    world.says(r#"{"m":"error","id":"m-77","code":100005,"reason":"INVALID_WS_REQUEST_DATA","info":"text"}"#);
    assert_eq!(
        world.log(),
        ["SubscriptionFailed bbo:A/B Some(100008)", "SubscriptionFailed bbo:C/D Some(100005)", "Refused 100005"]
    );
    world.breaks();
    world.passes(secs(1));
    world.up();
    assert_eq!(world.log(), ["Disconnected: the connection failed", "Reconnected after 1"]);
}

#[test]
fn a_subscription_at_which_the_exchange_failed_is_asked_for_again() {
    for code in [500_001, 510_001, 100_101, 100_014] {
        let mut world = World::ready(&["order:cash", "bbo:A/B"]);
        world.log();
        world.says(r#"{"m":"sub","id":"m-2","ch":"bbo:A/B","code":0}"#);
        world.says(&format!(r#"{{"m":"error","id":"m-1","code":{code},"reason":"LATER"}}"#));
        assert_eq!(
            world.log(),
            ["Subscribed bbo:A/B".to_owned(), format!("SubscriptionFailed order:cash Some({code})")]
        );
        world.passes(secs(4));
        assert!(world.log().is_empty());
        world.passes(secs(1));
        assert_eq!(world.log(), [r#"> {"op":"sub","id":"m-3","ch":"order:cash"}"#]);
        world.says(r#"{"m":"sub","id":"m-3","ch":"order:cshQ","code":0}"#);
        assert_eq!(world.log(), ["Subscribed order:cash"]);
    }
}

#[test]
fn what_is_told_of_a_failed_subscription_says_whether_it_is_asked_for_again() {
    let mut world = World::ready(&["bbo:A/B", "trades:A/B", "depth:A/B"]);
    world.says(r#"{"m":"sub","ch":"bbo:A/B","code":100008}"#);
    world.says(r#"{"m":"sub","ch":"trades:A/B","code":510001}"#);
    world.events.retain(|event| matches!(event, Event::SubscriptionFailed(_)));
    world.passes(secs(10));
    world.says(r#"{"m":"ping","hp":3}"#);
    world.says(r#"{"m":"sub","ch":"trades:A/B","code":0}"#);
    world.passes(secs(10));
    let told = world.events.iter().filter_map(|event| match event {
        Event::SubscriptionFailed(failed) => Some((&*failed.channel, failed.refusal.is_some(), failed.retry_in)),
        _ => None,
    });
    let expected = [("bbo:A/B", true, None), ("trades:A/B", true, Some(secs(5))), ("depth:A/B", false, Some(secs(5)))];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn an_unanswered_subscription_is_asked_again_once_and_told() {
    let mut world = World::ready(&["bbo:A/B"]);
    world.log();
    world.passes(secs(10));
    assert_eq!(world.log(), [r#"> {"op":"sub","id":"m-2","ch":"bbo:A/B"}"#]);
    world.says(r#"{"m":"ping","hp":3}"#);
    world.passes(secs(10));
    assert_eq!(world.log(), [r#"> {"op":"pong"}"#, "SubscriptionFailed bbo:A/B None"]);
}

#[test]
fn unsubscribing_says_so_once() {
    let mut world = World::ready(&["bbo:A/B"]);
    world.log();
    world.wants(Command::Unsubscribe(topics("bbo:A/B")));
    world.wants(Command::Unsubscribe(topics("bbo:A/B")));
    assert_eq!(world.log(), [r#"> {"op":"unsub","id":"m-2","ch":"bbo:A/B"}"#]);
    world.says(r#"{"m":"unsub","id":"m-2","ch":"bbo:A/B"}"#);
    assert_eq!(world.log(), ["Unsubscribed bbo:A/B"]);
}

#[test]
fn what_cannot_be_read_is_told_and_is_not_fatal() {
    let mut world = World::ready(&[]);
    world.log();
    world.says("no JSON");
    world.says(r#"{"m":"bbo"}"#);
    world.says(r#"{"m":"futures-order","x":1}"#);
    assert_eq!(
        world.log(),
        ["Undecodable no JSON", r#"Undecodable {"m":"bbo"}"#, r#"Unknown {"m":"futures-order","x":1}"#]
    );
    world.session.binary(&[0xff, b'x'], world.now());
    world.drain();
    assert_eq!(world.log(), ["Undecodable \u{fffd}x"]);
}

#[test]
fn the_server_s_last_words_are_the_reason() {
    let mut world = World::ready(&[]);
    world.log();
    world.says(r#"{"m":"disconnected","code":100005,"reason":"INVALID_WS_REQUEST_DATA","info":"missing pong"}"#);
    world.breaks();
    let log = world.log();
    assert!(log[0].starts_with("Disconnected: refused by the exchange: 100005"), "{log:?}");
}

#[test]
fn the_first_failure_is_final_unless_asked_otherwise() {
    let mut world = World::new(&[], SessionConfig::default());
    world.breaks();
    assert_eq!(world.log(), ["Closed: the connection failed"]);
    assert!(world.finished && world.session.deadline().is_none());

    let mut world = World::new(&[], SessionConfig { retry_first: true, ..SessionConfig::default() });
    world.breaks();
    world.passes(secs(1));
    world.up();
    assert_eq!(world.log(), ["ConnectFailed: the connection failed", "Connected { authenticated: false }"]);
}

#[test]
fn an_attempt_has_a_deadline_and_so_has_the_greeting() {
    let mut world = World::new(&[], SessionConfig { retry_first: true, ..SessionConfig::default() });
    world.passes(secs(10));
    assert_eq!((world.hang_ups, world.log()), (1, vec!["ConnectFailed: connecting took too long".to_owned()]));
    world.passes(secs(1));
    assert_eq!(world.connects.len(), 2);
    world.session.upgraded(world.now());
    world.passes(secs(10));
    assert_eq!(world.log(), ["ConnectFailed: the stream was not greeted in time"]);
}

#[test]
fn retries_are_limited_when_asked() {
    for retries in [0, 3] {
        let mut world = World::new(&[], SessionConfig { max_retries: retries, ..SessionConfig::default() });
        world.up();
        for _ in 0..=retries {
            assert!(!world.finished);
            world.breaks();
            world.passes(secs(2));
        }
        assert!(world.finished, "{retries}");
        assert_eq!(world.connects.len(), 1 + retries as usize);
        assert_eq!(world.log().last().map(String::as_str), Some("Closed: the connection failed"));
    }
}

#[test]
fn closing_is_the_end_in_every_state() {
    let attempts: [fn(&mut World); 4] = [
        |_| {},
        |w| w.session.upgraded(w.now()),
        World::up,
        |w| {
            w.up();
            w.breaks()
        },
    ];
    for prepare in attempts {
        let mut world = World::new(&["bbo:A/B"], SessionConfig::default());
        prepare(&mut world);
        world.drain();
        world.log();
        world.wants(Command::Close);
        world.wants(Command::Close);
        world.says(GREETING);
        world.session.binary(b"late", world.now());
        world.breaks();
        world.passes(secs(1000));
        assert_eq!(world.log(), ["Closed(Requested)"]);
        assert!(world.finished);
    }
}

fn request(token: u64, action: &'static str, id: Option<&str>) -> Command {
    Command::Request(Request {
        token: Token(token),
        kind: Kind::Order,
        action,
        account: Some("cash".into()),
        id: id.map(Into::into),
        snapshot: None,
        args: wire::args(&()),
        timeout: secs(5),
    })
}
