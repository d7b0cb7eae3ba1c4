//! How much clients of the sandbox's stream may do, and what befalls those who do more.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw.rs"]
mod raw;

use std::time::Duration;

use bitmax::sandbox::{Break, Fault, Reply, Sandbox, StreamLimits, Threshold};
use raw::{Http, Stream, get, wait_until};
use serde_json::{Value, json};

const START: u64 = 1_700_000_000_000;
const QUARTER: Duration = Duration::from_secs(15 * 60);
const STREAM: &str = "/0/api/pro/v1/stream";

/// A sandbox whose time stands still, and which never pings.
fn limited(limits: StreamLimits) -> Sandbox {
    let never = Duration::from_secs(86_400);
    Sandbox::builder().quiet().start_time(START).ping_interval(never).limits(limits).start().unwrap()
}

/// The figures of the exchange, with something changed.
fn limits_with(change: impl FnOnce(&mut StreamLimits)) -> StreamLimits {
    let mut limits = StreamLimits::reference();
    change(&mut limits);
    limits
}

fn threshold(ignore: u32, ban: u32) -> Threshold {
    Threshold { ignore, ban }
}

fn status(sandbox: &Sandbox) -> Value {
    get(sandbox.port(), "/api/pro/v2/risk-limit-info").data()["webSocket"]["status"].clone()
}

#[test]
fn the_figures_of_the_exchange_are_told_as_the_sample_says() {
    let sandbox = limited(StreamLimits::reference());
    let path = format!("{}/tests/fixtures/rest/risk-limits-v2.json", env!("CARGO_MANIFEST_DIR"));
    let sample: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let told = get(sandbox.port(), "/api/pro/v2/risk-limit-info").data();
    assert_eq!(told["webSocket"], sample["data"]["webSocket"]);
    let old = get(sandbox.port(), "/api/pro/v1/risk-limit-info").data()["webSocket"].clone();
    assert_eq!((&old["windowSizeInMinutes"], &old["maxNumRequests"]), (&json!(5), &json!(45)));
    let generous = get(Sandbox::start().unwrap().port(), "/api/pro/v2/risk-limit-info").data();
    assert_eq!(generous["webSocket"]["messageThreshold"]["level1OpThreshold"]["sub"], 150_000);
}

#[test]
fn beyond_level_1_messages_of_the_kind_are_ignored_for_a_quarter_of_an_hour() {
    let sandbox = limited(limits_with(|limits| limits.subscriptions = threshold(4, 100)));
    let mut stream = Stream::open(sandbox.port());
    let sub = r#"{"op":"sub","ch":"trades:BTC/USDT"}"#;
    let unsub = r#"{"op":"unsub","ch":"trades:BTC/USDT"}"#;
    for text in [sub, unsub, sub, unsub] {
        assert_eq!(stream.ask(text)["code"], 0);
    }
    let ignored = |stream: &mut Stream| {
        stream.send(sub);
        assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong", "other kinds are heard");
    };
    ignored(&mut stream);
    sandbox.advance(QUARTER - Duration::from_millis(1));
    ignored(&mut stream);
    assert_eq!(Stream::open(sandbox.port()).ask(sub)["code"], 0, "other sessions are heard");
    sandbox.advance(Duration::from_millis(1));
    assert_eq!(stream.ask(sub)["code"], 0);
    assert_eq!(status(&sandbox)["isBanned"], false);
}

#[test]
fn beyond_level_2_the_session_ends_and_its_address_is_banned() {
    let ask = r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#;
    let place = r#"{"op":"req","action":"place-order","account":"cash","args":{}}"#;
    for (limits, text) in [
        (limits_with(|limits| limits.admin = threshold(2, 4)), r#"{"op":"pong"}"#),
        (limits_with(|limits| limits.subscriptions = threshold(2, 4)), r#"{"op":"sub","ch":"x"}"#),
        (limits_with(|limits| limits.requests = threshold(4, 4)), "rubbish"),
        (limits_with(|limits| limits.requests = threshold(4, 4)), place),
        (limits_with(|limits| limits.orders = threshold(2, 4)), place),
        (limits_with(|limits| limits.snapshots = threshold(2, 4)), ask),
    ] {
        let sandbox = limited(limits);
        let mut other = Stream::open(sandbox.port());
        let mut stream = Stream::open(sandbox.port());
        (0..4).for_each(|_| stream.send(text));
        // What comes after the end is not heard.
        stream.send(text);
        stream.send(r#"{"op":"unsub","ch":"y"}"#);
        let said = stream.rest();
        let last: Value = serde_json::from_str(said.last().unwrap()).unwrap();
        assert_eq!((&last["m"], &last["code"]), (&json!("disconnected"), &json!(100_014)), "{text}: {said:?}");
        assert_eq!(said.iter().filter(|text| text.contains("disconnected")).count(), 1);
        assert_eq!(Stream::refused(sandbox.port(), STREAM).status, 429);
        let status = status(&sandbox);
        assert_eq!((&status["isBanned"], &status["violationCode"]), (&json!(true), &json!(100_014)));
        assert_eq!(status["bannedUntil"], START + 15 * 60_000);
        assert_eq!(other.ask(r#"{"op":"unsub","ch":"y"}"#)["m"], "unsub", "other sessions stay");
        sandbox.advance(QUARTER);
        Stream::open(sandbox.port());
    }
}

#[test]
fn an_address_has_so_many_sessions() {
    let limits = limits_with(|limits| (limits.sessions_of_group, limits.sessions_of_address) = (3, 5));
    let sandbox = limited(limits);
    let open = |group: u32| {
        let mut stream = Stream::upgrade(sandbox.port(), &format!("/{group}/api/pro/v1/stream"));
        // The greeting says that the session counts.
        stream.next("connected");
        stream
    };
    let refused = |group: u32| Stream::refused(sandbox.port(), &format!("/{group}/api/pro/v1/stream")).status;
    let mut first: Vec<Stream> = (0..3).map(|_| open(0)).collect();
    assert_eq!(refused(0), 429);
    let _second: Vec<Stream> = (0..2).map(|_| open(1)).collect();
    assert_eq!((refused(1), refused(2)), (429, 429));
    first.pop();
    wait_until("the session has ended", || sandbox.sessions().len() == 4);
    let _again = open(0);
    assert_eq!((refused(0), status(&sandbox)["isBanned"].as_bool()), (429, Some(false)));
}

#[test]
fn of_many_who_come_at_once_only_so_many_are_let_in() {
    let sandbox = limited(StreamLimits::reference());
    let mut clients: Vec<Http> = (0..40).map(|_| Http::connect(sandbox.port())).collect();
    clients.iter_mut().for_each(|client| client.ask_upgrade(STREAM, &[]));
    let statuses: Vec<u16> = clients.iter_mut().map(|client| client.answer().status).collect();
    let of = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!((of(101), of(429)), (20, 20), "{statuses:?}");
    wait_until("all have opened the stream", || sandbox.sessions().len() == 20);
}

#[test]
fn a_place_is_free_again_where_the_upgrade_comes_to_nothing() {
    let sandbox = limited(limits_with(|limits| limits.sessions_of_group = 1));
    for fault in [Fault::Replace(Reply::new(502)), Fault::LoseAnswer, Fault::Break(Break::After(0))] {
        let hit = sandbox.inject(fault.at("UPGRADE *"));
        let mut client = Http::connect(sandbox.port());
        client.ask_upgrade(STREAM, &[]);
        wait_until("the fault hits", || hit.hits() == 1);
        client.rest();
    }
    wait_until("the stream can be had", || Stream::with_headers(sandbox.port(), STREAM, &[]).is_ok());
}

#[test]
fn whoever_tries_too_often_is_banned() {
    let sandbox = limited(StreamLimits::reference());
    for _ in 0..45 {
        drop(Stream::open(sandbox.port()));
        wait_until("the session has ended", || sandbox.sessions().is_empty());
    }
    let refused = Stream::refused(sandbox.port(), STREAM);
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("\r\nRetry-After: 900\r\n"), "{}", refused.head);
    assert_eq!(status(&sandbox)["reason"], "exceeds MAX_REQ_COUNT_PER_IP[45], 46 requests recently");
    sandbox.advance(QUARTER);
    Stream::open(sandbox.port());
}
