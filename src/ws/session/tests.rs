//! Scenarios under virtual time: what the server says, what passes, what the session does.

use proptest::prelude::*;

use super::*;
use crate::ws::channel::Channel;

const GREETING: &str = r#"{"m":"connected","type":"unauth"}"#;

/// A session with everything that it has done.
struct World {
    session: Session,
    now: Duration,
    sent: Vec<String>,
    events: Vec<Event>,
    connects: Vec<Duration>,
    hang_ups: usize,
    finished: bool,
}

impl World {
    fn new(channels: &[&str], config: SessionConfig) -> Self {
        let topics = channels.iter().flat_map(|c| topics(c)).collect();
        let mut world = Self {
            session: Session::new(config, topics, 1),
            now: Duration::ZERO,
            sent: Vec::new(),
            events: Vec::new(),
            connects: Vec::new(),
            hang_ups: 0,
            finished: false,
        };
        world.session.start(world.now);
        world.drain();
        world
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
                Output::Connect => self.connects.push(self.now),
                Output::Send(text) => self.sent.push(text),
                Output::Deliver(event) => self.events.push(event),
                Output::HangUp => self.hang_ups += 1,
                Output::Finish => self.finished = true,
            }
        }
    }

    fn up(&mut self) {
        self.session.upgraded(self.now);
        self.says(GREETING);
    }

    fn says(&mut self, text: &str) {
        self.session.text(text, self.now, 7);
        self.drain();
    }

    fn breaks(&mut self) {
        self.session.failed(Error::transport(crate::Phase::Exchange, "reset"), self.now);
        self.drain();
    }

    fn wants(&mut self, command: Command) {
        self.session.command(command, self.now);
        self.drain();
    }

    /// Lets time pass, with a tick at each deadline.
    fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.session.deadline().filter(|d| *d <= end) {
            self.now = self.now.max(deadline);
            self.session.tick(self.now);
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
    world.session.upgraded(world.now);
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
    world.session.upgraded(world.now);
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
    world.session.binary(&[0xff, b'x'], world.now, 0);
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
    world.session.upgraded(world.now);
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
        |w| w.session.upgraded(w.now),
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
        world.breaks();
        world.passes(secs(1000));
        assert_eq!(world.log(), ["Closed(Requested)"]);
        assert!(world.finished);
    }
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
    ]
}

proptest! {
    /// Whatever happens: texts go out on a connection that is up only, every subscription that is wanted is in the
    /// end acknowledged, events come in a sensible order.
    #[test]
    fn any_sequence_keeps_the_invariants(steps in prop::collection::vec(step(), 0..60)) {
        let config = SessionConfig { retry_first: true, ..SessionConfig::default() };
        let mut world = World::new(&["bbo:S0/B"], config);
        let mut up = false;
        let mut acknowledged = 0;
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
                Step::Acknowledge(ahead) if up => acknowledge(&mut world, &mut acknowledged, ahead),
                _ => {}
            }
            up &= matches!(world.session.state, State::Ready { .. });
            if !up && world.connects.len() == connects && world.hang_ups == 0 {
                prop_assert_eq!(world.sent.len(), sent, "nothing is sent without a connection");
            }
            if !up { acknowledged = world.sent.len(); }
        }
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
        prop_assert!(world.session.subscriptions.ask(world.now, || "x".to_owned()).is_empty());
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
