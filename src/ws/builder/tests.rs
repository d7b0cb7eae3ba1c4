//! What a builder refuses, and streams that come to nothing.

use std::sync::mpsc;
use std::sync::{Mutex, OnceLock};

use super::*;
use crate::{Client, Endpoint, Event};

/// A resolver that tells that it was asked, and answers only when the test is over.
fn slow(_: &str, _: u16) -> std::io::Result<Vec<std::net::SocketAddr>> {
    ASKED.get().into_iter().for_each(|asked| asked.lock().unwrap().send(()).unwrap());
    std::thread::park();
    Ok(Vec::new())
}
static ASKED: OnceLock<Mutex<mpsc::Sender<()>>> = OnceLock::new();

#[test]
fn times_of_more_than_a_day_are_refused_and_none_overflows() {
    let client = Client::builder(Endpoint::new("http://127.0.0.1:1", "ws://127.0.0.1:1").unwrap()).build().unwrap();
    let max = Duration::MAX;
    for (builder, field) in [
        (client.stream().request_timeout(max), "request_timeout"),
        (client.stream().connect_timeout(max), "connect_timeout"),
        (client.stream().ping_after(max), "ping_after"),
        (client.stream().dead_after(LONGEST + Duration::from_nanos(1)), "dead_after"),
        (client.stream().answer_timeout(max), "answer_timeout"),
        (client.stream().answer_timeout(Duration::ZERO), "answer_timeout"),
        (client.stream().backoff(Duration::ZERO, max), "backoff"),
        (client.stream().backoff(max, Duration::ZERO), "backoff"),
        (client.stream().attempt_budget(1, max), "attempt_budget"),
        (client.stream().attempt_budget(0, LONGEST), "attempt_budget"),
    ] {
        match builder.start().map(drop) {
            Err(Error::InvalidInput(e)) => assert_eq!(e.field(), field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let builder = client.stream().request_timeout(LONGEST).connect_timeout(LONGEST).ping_after(LONGEST);
    let builder = builder.dead_after(LONGEST).answer_timeout(LONGEST).backoff(LONGEST, LONGEST);
    let stream = builder.attempt_budget(1, LONGEST).wait_when_limited(true).start().unwrap();
    assert!(stream.with_request_timeout(max).market_trades("BTC/USDT", 1).is_err(), "not connected");
}

#[test]
fn a_stream_beyond_the_budget_fails_at_once_or_waits() {
    // Nobody listens at that port: each attempt fails.
    let client = Client::builder(Endpoint::new("http://127.0.0.1:1", "ws://127.0.0.1:1").unwrap()).build().unwrap();
    let stream = || client.stream().attempt_budget(2, Duration::from_secs(3600));
    for _ in 0..2 {
        assert!(matches!(stream().connect(), Err(Error::Transport(_))));
    }
    match stream().connect() {
        Err(e @ Error::RateLimited(wait)) => assert!(wait > Duration::from_secs(3000) && !e.may_have_executed()),
        other => panic!("{other:?}"),
    }
    let stream = stream().start().unwrap();
    match stream.recv().unwrap() {
        Event::ConnectFailed(outage) => {
            assert!(matches!(outage.error, Error::RateLimited(_)));
            assert!(outage.retry_in > Duration::from_secs(3000));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn dropping_a_stream_does_not_wait_for_a_name() {
    let (asked, was_asked) = mpsc::channel();
    ASKED.set(Mutex::new(asked)).unwrap();
    let client = Client::builder(Endpoint::new("http://localhost:1", "ws://name.invalid:1").unwrap()).build().unwrap();
    let mut builder = client.stream();
    builder.resolve = slow;
    let stream = builder.start().unwrap();
    was_asked.recv_timeout(Duration::from_secs(5)).unwrap();
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        drop(stream);
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_secs(1)).unwrap();
}
