//! What holds for any input.

use proptest::prelude::*;

use super::*;

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
        include_str!("../../../../tests/fixtures/ws/order.json"),
        include_str!("../../../../tests/fixtures/ws/error.json"),
        include_str!("../../../../tests/fixtures/ws/auth-err.json"),
        include_str!("../../../../tests/fixtures/ws/auth-ok.json"),
        include_str!("../../../../tests/fixtures/ws/disconnected.json"),
        include_str!("../../../../tests/fixtures/ws/depth-snapshot.json"),
        include_str!("../../../../tests/fixtures/ws/place-order-ack.json"),
        include_str!("../../../../tests/fixtures/ws/pong.json"),
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
        1 => (1u32..4, 0u32..300_012).prop_map(|(id, code)| format!(r#"{{"m":"error","id":"m-{id}","code":{code}}}"#)),
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
