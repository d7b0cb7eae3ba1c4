//! Sessions of an account, and requests.

use super::*;

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
    assert_eq!(world.log(), [r#"> {"op":"sub","id":"m-1","ch":"order:cash"}"#, "Connected { authenticated: true }"]);
    world.says(r#"{"m":"sub","id":"m-1","ch":"order:cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo","code":0}"#);
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
fn each_connection_may_set_the_clock_once() {
    let late = r#"{"m":"auth","id":"auth","code":100011,"reason":"INVALID_TIMESTAMP"}"#;
    let config = SessionConfig { retry_first: true, ..SessionConfig::default() };
    let mut world = World::with_identity(&[], config, Some(identity(Authentication::Message, false)));
    for millis in [1_300_000, 1_900_000] {
        world.up();
        world.says(late);
        world.log();
        world.says(&format!(r#"{{"m":"pong","code":0,"ts":{millis},"hp":3}}"#));
        assert_eq!(world.log(), [auth(millis, "")]);
        // Before the answer comes.
        world.breaks();
        world.passes(secs(1));
    }
    world.up();
    world.says(late);
    assert!(!world.finished);
}

#[test]
fn the_authentication_counts_too() {
    let limits = MessageLimits { admin: 1, ..MessageLimits::default() };
    let config = SessionConfig { limits, ..SessionConfig::default() };
    let mut world = World::with_identity(&[], config, Some(identity(Authentication::Message, false)));
    world.up();
    world.says(r#"{"m":"auth","id":"auth","code":0}"#);
    world.log();
    world.breaks();
    world.passes(secs(1));
    world.up();
    let log = world.log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[1].starts_with("ConnectFailed: too many requests"), "{log:?}");
    assert_eq!((world.connects.len(), world.hang_ups), (2, 1));
    world.passes(secs(58));
    assert_eq!(world.connects.len(), 2);
    world.passes(secs(2));
    world.up();
    assert!(world.log()[0].contains(r#""op":"auth""#));
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
            r#"> {"op":"req","id":"m-1","action":"open-order","account":"cash","args":null}"#
        ]
    );
    world.says(r#"{"m":"open-order","id":"m-1","data":[]}"#);
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
fn an_order_s_own_id_is_never_that_of_a_message() {
    let mut world = World::ready(&["bbo:A/B"]);
    for (token, id) in (1..).zip(["10", "1", "auth"]) {
        world.wants(request(token, "place-order", Some(id)));
    }
    for n in 0..12 {
        world.wants(Command::Subscribe(topics(&format!("trades:A{n}/B"))));
    }
    for sent in std::mem::take(&mut world.sent).iter().filter(|text| text.contains(r#""sub""#)) {
        let sent: serde_json::Value = serde_json::from_str(sent).unwrap();
        let id = sent["id"].as_str().unwrap();
        assert!(id.parse::<crate::ClientOrderId>().is_err(), "{id}");
        world.says(&format!(r#"{{"m":"error","id":"{id}","code":100005,"reason":"INVALID_WS_REQUEST_DATA"}}"#));
    }
    assert!(world.answers.is_empty(), "{:?}", world.answers);
}

#[test]
fn a_refused_request_is_told_to_who_asked() {
    let mut world = World::ready(&[]);
    world.wants(request(1, "no-such", None));
    world.says(r#"{"m":"error","id":"m-1","code":100005,"reason":"INVALID_WS_REQUEST_DATA"}"#);
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
fn the_top_100_levels_come_under_either_name() {
    let symbol = Symbol::new("A/B").unwrap();
    let ask = |token, kind| {
        let Command::Request(ask) = request(token, "depth-snapshot", None) else { unreachable!() };
        Command::Request(Request { snapshot: Some((kind, symbol)), ..ask })
    };
    let book = |m: &str, levels: usize| {
        let bids = vec![r#"["1","1"]"#; levels].join(",");
        format!(r#"{{"m":"{m}","symbol":"A/B","data":{{"seqnum":9,"ts":1,"asks":[],"bids":[{bids}]}}}}"#)
    };
    let answered = |world: &mut World| -> Vec<u64> {
        std::mem::take(&mut world.answers)
            .into_iter()
            .map(|(token, answer)| {
                assert!(matches!(answer, Ok(Message::Depth(_))));
                token
            })
            .collect()
    };
    for m in ["depth-snapshot", "depth-snapshot-top100"] {
        for levels in [3, 100] {
            let mut world = World::ready(&[]);
            world.wants(ask(1, DepthKind::SnapshotTop100));
            world.log();
            world.says(&book(m, levels));
            assert_eq!((answered(&mut world), world.log().len()), (vec![1], 0));
        }
        // Whole books are awaited as well: each gets what is its own.
        for cut_first in [true, false] {
            let mut world = World::ready(&[]);
            world.wants(ask(1, DepthKind::SnapshotTop100));
            world.wants(ask(2, DepthKind::Snapshot));
            world.wants(Command::Snapshot(symbol));
            world.log();
            let texts = [book(m, 100), book("depth-snapshot", 101)];
            let order = if cut_first { [0, 1] } else { [1, 0] };
            order.iter().for_each(|n| world.says(&texts[*n]));
            assert_eq!(
                (answered(&mut world), world.log()),
                (order.map(|n| n as u64 + 1).to_vec(), vec!["Snapshot 9".to_owned()])
            );
        }
    }
    // A book that a stream keeps is not built from a part.
    let mut world = World::ready(&[]);
    world.wants(Command::Subscribe(topics("depth:A/B")));
    world.wants(ask(1, DepthKind::SnapshotTop100));
    let writer = crate::ws::book::BookWriter::new(symbol, false);
    let shared = Arc::clone(writer.shared());
    world.wants(Command::Follow(vec![writer]));
    world.says(r#"{"m":"sub","ch":"depth:A/B","code":0}"#);
    world.says(&book("depth-snapshot", 100));
    assert_eq!((answered(&mut world), shared.top(1).is_live()), (vec![1], false));
    world.says(&book("depth-snapshot", 100));
    assert!(shared.top(1).is_live());
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
