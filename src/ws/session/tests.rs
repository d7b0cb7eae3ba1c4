//! Scenarios under virtual time: what the server says, what passes, what the session does.

mod books;

use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::ws::backoff::{Attempts, BackoffConfig};
use crate::ws::channel::Channel;
use crate::ws::limits::MessageLimits;
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
            r#"> {"op":"sub","id":"1","ch":"bbo:A/B,C/D"}"#,
            r#"> {"op":"sub","id":"2","ch":"trades:A/B"}"#,
            "Connected { authenticated: false }"
        ]
    );
    world.says(r#"{"m":"sub","ch":"bbo:C/D","code":0}"#);
    world.says(r#"{"m":"bbo","symbol":"C/D","data":{"ts":1,"bid":["1","1"],"ask":["2","1"]}}"#);
    world.says(r#"{"m":"sub","id":"2","ch":"trades:A/B","code":0}"#);
    world.says(r#"{"m":"sub","id":"1","ch":"bbo:A/B","code":0}"#);
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
        world.says(r#"{"m":"sub","id":"1","ch":"bbo:A/B","code":0}"#);
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
    world.says(r#"{"m":"sub","id":"1","ch":"bbo:A/B","code":0}"#);
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
            r#"> {"op":"sub","id":"4","ch":"depth:A/B"}"#,
            r#"> {"op":"sub","id":"5","ch":"trades:A/B"}"#,
            r#"> {"op":"req","id":"6","action":"depth-snapshot","args":{"symbol":"A/B"}}"#,
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
    world.says(r#"{"m":"sub","id":"1","ch":"bbo:A/B","code":100008,"reason":"SYMBOL_ERROR"}"#);
    world.says(r#"{"m":"error","id":"1","code":100005,"reason":"INVALID_WS_REQUEST_DATA","info":"text"}"#);
    world.says(r#"{"m":"error","id":"77","code":100005,"reason":"INVALID_WS_REQUEST_DATA","info":"text"}"#);
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
fn an_unanswered_subscription_is_asked_again_once_and_told() {
    let mut world = World::ready(&["bbo:A/B"]);
    world.log();
    world.passes(secs(10));
    assert_eq!(world.log(), [r#"> {"op":"sub","id":"2","ch":"bbo:A/B"}"#]);
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
    assert_eq!(world.log(), [r#"> {"op":"unsub","id":"2","ch":"bbo:A/B"}"#]);
    world.says(r#"{"m":"unsub","id":"2","ch":"bbo:A/B"}"#);
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

fn identity(way: Authentication, ready_ack: bool) -> Identity {
    Identity::new(Arc::new(Credentials::new("the-key", "secret").unwrap()), way, ready_ack, 0)
}

fn private(way: Authentication) -> World {
    World::with_identity(&["order:cash"], SessionConfig::default(), Some(identity(way, false)))
}

fn auth(t: u64, ack: &str) -> String {
    let signer = Credentials::new("the-key", "secret").unwrap();
    let signature = signer.sign(t, "stream");
    format!(r#"> {{"op":"auth","id":"auth","t":{t},"key":"the-key","sig":"{}"{ack}}}"#, signature.as_str())
}

#[test]
fn by_headers_a_session_is_the_account_s_from_its_greeting() {
    let mut world = private(Authentication::Header);
    assert_eq!(world.connects[0].1.as_deref(), Some("1000000"));
    world.session.upgraded(world.now());
    world.says(r#"{"m":"connected","type":"auth"}"#);
    assert_eq!(world.log(), [r#"> {"op":"sub","id":"1","ch":"order:cash"}"#, "Connected { authenticated: true }"]);
    world.says(r#"{"m":"sub","id":"1","ch":"order:cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo","code":0}"#);
    assert_eq!(world.log(), ["Subscribed order:cash"]);
    world.breaks();
    world.passes(secs(2));
    assert_ne!(world.connects[1].1, world.connects[0].1, "a fresh timestamp");
}

#[test]
fn by_message_nothing_else_is_said_before_the_answer() {
    for ready in [false, true] {
        let mut world = World::with_identity(
            &["order:cash"],
            SessionConfig::default(),
            Some(identity(Authentication::Message, ready)),
        );
        assert_eq!(world.connects[0].1, None);
        world.up();
        assert_eq!(world.log(), [auth(1_000_000, if ready { r#","ack":"ready""# } else { "" })]);
        world.wants(Command::Snapshot(Symbol::new("A/B").unwrap()));
        assert!(world.log().is_empty());
        world.says(r#"{"m":"auth","id":"auth","code":0}"#);
        assert_eq!(world.log().last().map(String::as_str), Some("Connected { authenticated: true }"));
    }
}

#[test]
fn a_refused_authentication_is_final_and_told_at_once() {
    for refusal in [
        r#"{"m":"auth","id":"auth","code":200006,"err":"Unable to find User Account Data"}"#,
        r#"{"m":"error","id":"auth","code":200001,"reason":"AUTHENTICATION_FAILED"}"#,
    ] {
        let config = SessionConfig { retry_first: true, ..SessionConfig::default() };
        let mut world = World::with_identity(&[], config, Some(identity(Authentication::Message, false)));
        world.up();
        world.says(refusal);
        assert!(world.finished && world.hang_ups == 1);
        assert!(
            matches!(&world.events[..], [Event::Closed(CloseReason::GaveUp(e))] if matches!(**e, Error::Refused(_)))
        );
        assert_eq!(world.connects.len(), 1);
    }
    // Also when a connection that was up comes back.
    let mut world = private(Authentication::Header);
    world.session.upgraded(world.now());
    world.says(r#"{"m":"connected","type":"auth"}"#);
    world.breaks();
    world.passes(secs(1));
    let refusal = Refusal { code: Code::AUTHENTICATION_FAILED, ..timestamp_refusal() };
    world.session.failed(Error::Refused(Box::new(refusal)), world.now());
    world.drain();
    assert!(world.finished);
}

fn timestamp_refusal() -> Refusal {
    Refusal {
        code: Code::INVALID_TIMESTAMP,
        reason: String::new(),
        message: String::new(),
        info: String::new(),
        status: Some(401),
        retry_after: None,
    }
}

#[test]
fn a_clock_that_is_off_is_set_once() {
    let late = r#"{"m":"auth","id":"auth","code":100011,"reason":"INVALID_TIMESTAMP"}"#;
    let mut world = World::with_identity(&[], SessionConfig::default(), Some(identity(Authentication::Message, false)));
    world.up();
    world.log();
    world.says(late);
    assert_eq!(world.log(), [r#"> {"op":"ping"}"#]);
    world.says(r#"{"m":"pong","code":0,"ts":1300000,"hp":3}"#);
    assert_eq!(world.log(), [auth(1_300_000, "")]);
    assert_eq!(world.clock, Some(300_000));
    world.says(late);
    assert!(world.finished, "twice is enough");
}

#[test]
fn headers_with_a_wrong_time_give_way_to_the_message() {
    let mut world = private(Authentication::Header);
    world.session.failed(Error::Refused(Box::new(timestamp_refusal())), world.now());
    world.drain();
    assert!(!world.finished);
    world.passes(secs(1));
    assert_eq!(world.connects[1].1, None);
    world.log();
    world.up();
    assert!(world.log()[0].contains(r#""op":"auth""#));
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

#[test]
fn each_request_gets_its_own_answer_in_any_order() {
    let mut world = World::ready(&[]);
    world.log();
    world.wants(request(1, "place-order", Some("mine")));
    world.wants(request(2, "open-order", None));
    assert_eq!(
        world.log(),
        [
            r#"> {"op":"req","id":"mine","action":"place-order","account":"cash","args":null}"#,
            r#"> {"op":"req","id":"1","action":"open-order","account":"cash","args":null}"#
        ]
    );
    world.says(r#"{"m":"open-order","id":"1","data":[]}"#);
    let ack = r#"{"m":"order","action":"place-order","status":"Ack","info":{"id":"mine","orderId":"x"}}"#;
    world.says(ack);
    let tokens: Vec<u64> = world
        .answers
        .iter()
        .map(|(token, answer)| {
            assert!(answer.is_ok());
            *token
        })
        .collect();
    assert_eq!(tokens, [2, 1]);
    world.says(ack);
    assert_eq!(world.log(), [format!("LateAnswer {ack}")], "a second answer ends nothing twice");
}

#[test]
fn a_refused_request_is_told_to_who_asked() {
    let mut world = World::ready(&[]);
    world.wants(request(1, "no-such", None));
    world.says(r#"{"m":"error","id":"1","code":100005,"reason":"INVALID_WS_REQUEST_DATA"}"#);
    assert!(matches!(&world.answers[..], [(1, Err(Error::Refused(r)))] if r.code == Code::INVALID_WS_REQUEST_DATA));
}

#[test]
fn a_snapshot_is_known_by_its_symbol() {
    let mut world = World::ready(&[]);
    let symbol = Symbol::new("A/B").unwrap();
    let Command::Request(ask) = request(1, "depth-snapshot", None) else { unreachable!() };
    world.wants(Command::Request(Request { snapshot: Some((DepthKind::Snapshot, symbol)), ..ask }));
    world.log();
    let snapshot = r#"{"m":"depth-snapshot","symbol":"A/B","data":{"seqnum":9,"ts":1,"asks":[],"bids":[]}}"#;
    world.says(snapshot);
    assert!(matches!(&world.answers[..], [(1, Ok(Message::Depth(depth)))] if depth.seqnum == 9));
    assert!(world.log().is_empty(), "who asked has it");
    world.says(snapshot);
    assert_eq!(world.log(), ["Snapshot 9"], "nobody asked: an event");
}

#[test]
fn a_stream_that_is_not_ready_sends_nothing_and_says_so() {
    let mut world = World::new(&[], SessionConfig::default());
    world.wants(request(1, "place-order", None));
    world.up();
    world.breaks();
    world.wants(request(2, "place-order", None));
    world.passes(secs(2));
    world.up();
    assert!(world.sent.is_empty(), "nothing is kept back: {:?}", world.sent);
    for (token, answer) in &world.answers {
        assert!(matches!(answer, Err(Error::NotReady(_))), "{token}: {answer:?}");
    }
    assert_eq!(world.answers.len(), 2);
    world.wants(Command::Close);
    world.wants(request(3, "place-order", None));
    assert!(matches!(world.answers[2].1, Err(Error::Closed)));
}

#[test]
fn what_was_sent_on_a_connection_that_broke_may_have_happened() {
    for end in [World::breaks, |world: &mut World| world.wants(Command::Close)] {
        let mut world = World::ready(&[]);
        world.wants(request(1, "place-order", None));
        end(&mut world);
        assert!(matches!(&world.answers[..], [(1, Err(e))] if e.may_have_executed()), "{:?}", world.answers);
    }
}

#[test]
fn an_answer_that_does_not_come_in_time_is_a_time_out() {
    let mut world = World::ready(&[]);
    world.wants(request(1, "place-order", Some("mine")));
    world.passes(secs(4));
    assert!(world.answers.is_empty());
    world.passes(secs(1));
    assert!(matches!(&world.answers[..], [(1, Err(Error::Timeout(Timeout::Call)))]));
    assert_eq!(world.resets, 1, "an order that the network has not taken must not arrive later");
    world.log();
    world.says(r#"{"m":"order","action":"place-order","status":"Ack","info":{"id":"mine"}}"#);
    assert_eq!(world.answers.len(), 1);
    assert!(world.log()[0].starts_with("LateAnswer"));
}

#[test]
fn the_exchange_s_limits_are_kept() {
    let limits = MessageLimits { subscriptions: 2, orders: 1, ..MessageLimits::default() };
    let mut world = World::new(
        &["bbo:A/B", "trades:A/B", "depth:A/B"],
        SessionConfig { limits, ping_after: secs(600), dead_after: secs(601), ..SessionConfig::default() },
    );
    world.up();
    assert_eq!(world.log().iter().filter(|l| l.contains("\"sub\"")).count(), 2);
    world.wants(request(1, "place-order", None));
    world.wants(request(2, "place-order", None));
    assert!(matches!(&world.answers[..], [(2, Err(Error::RateLimited(wait)))] if *wait == secs(60)));
    for ch in ["bbo:A/B", "trades:A/B"] {
        world.says(&format!(r#"{{"m":"sub","ch":"{ch}","code":0}}"#));
    }
    world.log();
    world.passes(secs(59));
    assert!(world.log().is_empty());
    world.passes(secs(1));
    assert_eq!(world.log().len(), 1, "the third waited its minute");
}

/// What can happen to a session.
#[derive(Debug, Clone)]
enum Step {
    Up,
    Break,
    Says(String),
    Wait(u64),
    Subscribe(u8),
    Unsubscribe(u8),
    Snapshot(u8),
    Request,
    /// Answer one of the requests, perhaps one that is not open.
    Answer(u64),
    /// Acknowledge the nth text that was sent and not acknowledged, if it is a subscription.
    Acknowledge(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Up),
        2 => Just(Step::Break),
        1 => "\\PC{0,40}".prop_map(Step::Says),
        1 => Just(Step::Says(r#"{"m":"ping","hp":1}"#.to_owned())),
        1 => (0u8..5).prop_map(|n| Step::Says(format!(r#"{{"m":"sub","ch":"bbo:S{n}/B","code":100008}}"#))),
        3 => (0u64..40_000).prop_map(Step::Wait),
        3 => (0u8..5).prop_map(Step::Subscribe),
        1 => (0u8..5).prop_map(Step::Unsubscribe),
        1 => (0u8..5).prop_map(Step::Snapshot),
        4 => (0usize..4).prop_map(Step::Acknowledge),
        3 => Just(Step::Request),
        2 => (0u64..40).prop_map(Step::Answer),
    ]
}

/// A line of the fuzz target's input.
fn line() -> impl Strategy<Value = String> {
    const FIXTURES: [&str; 8] = [
        include_str!("../../../tests/fixtures/ws/order.json"),
        include_str!("../../../tests/fixtures/ws/error.json"),
        include_str!("../../../tests/fixtures/ws/auth-err.json"),
        include_str!("../../../tests/fixtures/ws/auth-ok.json"),
        include_str!("../../../tests/fixtures/ws/disconnected.json"),
        include_str!("../../../tests/fixtures/ws/depth-snapshot.json"),
        include_str!("../../../tests/fixtures/ws/place-order-ack.json"),
        include_str!("../../../tests/fixtures/ws/pong.json"),
    ];
    prop_oneof![
        4 => Just("U".to_owned()),
        4 => Just(GREETING.to_owned()),
        1 => Just("B".to_owned()),
        4 => Just("K".to_owned()),
        1 => Just("P".to_owned()),
        1 => Just("C".to_owned()),
        1 => Just("Nbinary".to_owned()),
        3 => (0u32..40_000).prop_map(|millis| format!("W{millis}")),
        3 => "[SX](bbo|trades|order|depth):(A|cash)(/B)?",
        2 => "F(depth|depth-realtime):A/B",
        1 => Just("G".to_owned()),
        3 => (any::<bool>(), any::<bool>(), 0u64..4).prop_map(|(snapshot, realtime, seqnum)| {
            let m = match (snapshot, realtime) {
                (false, false) => "depth",
                (false, true) => "depth-realtime",
                (true, false) => "depth-snapshot",
                (true, true) => "depth-snapshot-realtime",
            };
            format!(r#"{{"m":"{m}","symbol":"A/B","data":{{"ts":1,"seqnum":{seqnum},"asks":[],"bids":[["1","1"]]}}}}"#)
        }),
        2 => "R[12]?",
        1 => Just("DA/B".to_owned()),
        3 => (0..FIXTURES.len()).prop_map(|n| FIXTURES[n].replace('\n', " ")),
        1 => (1u32..4, 0u32..300_012).prop_map(|(id, code)| format!(r#"{{"m":"error","id":"{id}","code":{code}}}"#)),
        1 => "\\PC{0,40}",
    ]
}

/// What such inputs have once found.
#[test]
fn inputs_that_did_not_hold_do() {
    for input in [
        // A private event before the greeting, of a session that awaits to be known by its headers.
        concat!(
            "header\nU\n",
            r#"{"m":"order","accountId":"c","ac":"CASH","data":{"s":"A/B","sn":1,"sd":"Buy","ap":"0","bab":"1","btb":"1","cf":"0","cfq":"0","err":"","fa":"B","orderId":"s16ef210b1a50866943712bfaf1584b","ot":"Market","p":"1","q":"1","qab":"1","qtb":"1","sp":"","st":"New","t":1,"ei":"NULL_VAL"}}"#
        ),
        // A snapshot of a book before the session is ready.
        concat!(
            "header\nU\nFdepth-realtime:A/B\n",
            r#"{"m":"depth-snapshot-realtime","symbol":"A/B","data":{"ts":1,"seqnum":1,"asks":[],"bids":[]}}"#
        ),
        // Binary data that was on its way when the program closed the stream.
        "U\nC\nN",
    ] {
        fuzz::fuzz_session(input);
    }
}

proptest! {
    /// The fuzz target's own properties.
    #[test]
    fn any_input_of_the_fuzz_target_holds(
        way in "(header|message|ready)?",
        lines in prop::collection::vec(line(), 0..60),
    ) {
        fuzz::fuzz_session(&format!("{way}\n{}", lines.join("\n")));
    }

    /// Whatever happens: texts go out on a connection that is up only, every subscription that is wanted is in the
    /// end acknowledged, events come in a sensible order.
    #[test]
    fn any_sequence_keeps_the_invariants(steps in prop::collection::vec(step(), 0..60)) {
        let config = SessionConfig { retry_first: true, ..SessionConfig::default() };
        let mut world = World::new(&["bbo:S0/B"], config);
        let mut up = false;
        let mut acknowledged = 0;
        let mut requests = 0;
        for step in steps {
            let (sent, connects) = (world.sent.len(), world.connects.len());
            match step {
                Step::Up if !up && matches!(world.session.state, State::Connecting { .. }) => { world.up(); up = true; }
                Step::Break => { world.breaks(); up = false; }
                Step::Says(text) => world.says(&text),
                Step::Wait(millis) => world.passes(Duration::from_millis(millis)),
                Step::Subscribe(n) => world.wants(Command::Subscribe(topics(&format!("bbo:S{n}/B")))),
                Step::Unsubscribe(n) => world.wants(Command::Unsubscribe(topics(&format!("bbo:S{n}/B")))),
                Step::Snapshot(n) => world.wants(Command::Snapshot(Symbol::new(&format!("S{n}/B")).unwrap())),
                Step::Request => {
                    requests += 1;
                    world.wants(request(requests, "open-order", Some(&format!("r{requests}"))));
                }
                Step::Answer(n) => world.says(&format!(r#"{{"m":"open-order","id":"r{n}","data":[]}}"#)),
                Step::Acknowledge(ahead) if up => acknowledge(&mut world, &mut acknowledged, ahead),
                _ => {}
            }
            up &= matches!(world.session.state, State::Ready { .. });
            if !up && world.connects.len() == connects && world.hang_ups == 0 {
                prop_assert_eq!(world.sent.len(), sent, "nothing is sent without a connection");
            }
            if !up { acknowledged = world.sent.len(); }
        }
        // Whatever is open ends with the connection: every request has exactly one outcome.
        world.breaks();
        let mut ended: Vec<u64> = world.answers.iter().map(|(token, _)| *token).collect();
        ended.sort_unstable();
        prop_assert_eq!(ended, (1..=requests).collect::<Vec<_>>());
        // Whatever the state is now: a connection that stays up brings every wanted subscription.
        world.breaks();
        for _ in 0..100 {
            if matches!(world.session.state, State::Connecting { .. }) { break; }
            world.passes(secs(10));
        }
        acknowledged = world.sent.len();
        world.up();
        while acknowledged < world.sent.len() {
            acknowledge(&mut world, &mut acknowledged, 0);
        }
        prop_assert_eq!(world.session.subscriptions.deadline(secs(10)), None);
        prop_assert!(world.session.subscriptions.ask(world.now, || Some("x".to_owned())).is_empty());
        let mut connected = false;
        for event in &world.events {
            match event {
                Event::Connected { .. } | Event::Reconnected { .. } => { prop_assert!(!connected); connected = true; }
                Event::Disconnected(_) => { prop_assert!(connected); connected = false; }
                Event::ConnectFailed(_) => prop_assert!(!connected),
                Event::Subscribed(_) | Event::SubscriptionFailed(_) => prop_assert!(connected),
                _ => {}
            }
        }
    }
}

/// The server acknowledges one of the texts that it has not yet looked at.
fn acknowledge(world: &mut World, looked_at: &mut usize, ahead: usize) {
    let n = *looked_at + ahead;
    let Some(text) = world.sent.get(n).cloned() else { return };
    *looked_at = n + 1;
    if let Some(rest) = text.strip_prefix(r#"{"op":"sub","#) {
        world.says(&format!(r#"{{"m":"sub","code":0,{rest}"#));
    }
}
