//! Calls that change nothing are tried again; calls that act never are.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bitmax::model::AccountCategory;
use bitmax::{Account, ClientBuilder, Error, WhenLimited};
use support::{PRIVATE, PUBLIC, Reply, Server, fixture, info, with_credentials};

/// The calls that act.
const ACTING: &[(&str, &str)] = &[
    ("POST", "/6/api/pro/v1/transfer"),
    ("POST", "/6/api/pro/v2/subuser/subuser-transfer"),
    ("POST", "/6/api/pro/v1/cash/order"),
    ("DELETE", "/6/api/pro/v1/cash/order"),
    ("DELETE", "/6/api/pro/v1/cash/order/all"),
    ("POST", "/6/api/pro/v1/cash/order/batch"),
    ("DELETE", "/6/api/pro/v1/cash/order/batch"),
];

fn retrying(server: &Server) -> ClientBuilder {
    with_credentials(server).retries(2)
}

fn times(server: &Server, method: &str, path: &str) -> usize {
    server.requests().iter().filter(|request| request.method == method && request.path == path).count()
}

#[test]
fn only_calls_that_change_nothing_are_made_again() {
    let acting = Mutex::new(HashMap::new());
    std::thread::scope(|scope| {
        for call in PRIVATE {
            let acting = &acting;
            scope.spawn(move || {
                let server = Server::start(move |request| match request.path.as_str() {
                    "/api/pro/v1/info" if call.path != request.path => Reply::json(info()),
                    _ => Reply::status(503, "", "<html>busy</html>"),
                });
                let what = format!("{} {}", call.method, call.path);
                assert_eq!((call.call)(&retrying(&server).build().unwrap()).unwrap_err().kind(), "http", "{what}");
                let of_cash = call.path.replace("margin", "cash");
                let acts = ACTING.iter().find(|acting| **acting == (call.method, of_cash.as_str()));
                let wanted = if acts.is_some() { 1 } else { 3 };
                assert_eq!(times(&server, call.method, call.path), wanted, "{what}");
                acts.map(|acts| acting.lock().unwrap().insert(*acts, ()));
            });
        }
        for call in PUBLIC {
            scope.spawn(move || {
                let server = Server::start(|_| Reply::Reset(Vec::new()));
                assert_eq!((call.call)(&retrying(&server).build().unwrap()).unwrap_err().kind(), "transport");
                assert_eq!(times(&server, "GET", call.path), 3, "{}", call.path);
            });
        }
    });
    assert_eq!(acting.into_inner().unwrap().len(), ACTING.len());
}

#[test]
fn failures_that_pass_are_tried_through_and_others_are_told_at_once() {
    let refused = |code| Reply::json(format!(r#"{{"code":{code},"message":"x"}}"#));
    for (failure, passes) in [
        (Reply::status(429, "", "<html>"), true),
        (Reply::status(502, "", "<html>"), true),
        (refused(510_001), true),
        (refused(100_014), true),
        (Reply::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()), true),
        (Reply::Stall(Vec::new()), true),
        (Reply::status(403, "", "<html>"), false),
        (Reply::status(302, "location: /x\r\n", ""), false),
        (Reply::json("{"), false),
        (refused(100_006), false),
        (refused(200_015), false),
    ] {
        let asked = AtomicUsize::new(0);
        let told = format!("{failure:?}");
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => failure.clone(),
            _ => Reply::json(fixture("assets-v2")),
        });
        let client = retrying(&server).read_timeout(Duration::from_millis(500)).build().unwrap();
        assert_eq!(client.market().assets().is_ok(), passes, "{told}");
        assert_eq!(server.requests().len(), if passes { 3 } else { 1 }, "{told}");
    }
}

#[test]
fn retries_can_be_turned_off() {
    let server = Server::start(|_| Reply::status(503, "", ""));
    assert!(retrying(&server).retries(0).build().unwrap().market().assets().is_err());
    assert_eq!(server.requests().len(), 1);
    assert!(retrying(&server).retries(4).build().unwrap().market().assets().is_err());
    assert_eq!(server.requests().len(), 1 + 5);
}

#[test]
fn a_retry_that_would_be_too_late_is_not_waited_for() {
    let server = Server::start(|_| Reply::status(503, "retry-after: 3600\r\n", ""));
    let client = retrying(&server).build().unwrap();
    // An hour is longer than a call may take …
    assert_eq!(client.market().assets().unwrap_err().retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(server.requests().len(), 1);
    // … and than a deadline lets it, however long that would be.
    let patient = retrying(&server).call_timeout(Duration::from_secs(20_000)).build().unwrap();
    let client = patient.with_deadline(Instant::now() + Duration::from_secs(3000));
    assert!(client.market().assets().is_err());
    assert_eq!(server.requests().len(), 2);
    // No number of seconds is too large to be read.
    for seconds in ["86400", "18446744073709551615", "99999999999999999999"] {
        let server = Server::start(move |_| Reply::status(503, &format!("retry-after: {seconds}\r\n"), ""));
        let client = retrying(&server).build().unwrap();
        assert_eq!(client.market().assets().unwrap_err().retry_after(), Some(Duration::from_secs(86_400)));
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn the_server_says_how_long_to_wait() {
    let last = Mutex::new(None::<Instant>);
    let server = Server::start(move |_| match last.lock().unwrap().replace(Instant::now()) {
        None => Reply::status(429, "retry-after: 1\r\n", ""),
        Some(first) if first.elapsed() >= Duration::from_secs(1) => Reply::json(fixture("assets-v2")),
        Some(_) => Reply::status(400, "", "too early"),
    });
    retrying(&server).build().unwrap().market().assets().unwrap();
}

fn details(server: &Server, when_limited: WhenLimited) -> Account {
    let client = with_credentials(server).when_limited(when_limited).build().unwrap();
    client.account(AccountCategory::Cash).unwrap()
}

fn detail_server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/api/pro/v1/info" => Reply::json(info()),
        path if path.ends_with("/snapshot") => Reply::json(fixture("balance-snapshot")),
        path if path.ends_with("/history") => Reply::json(fixture("balance-history")),
        _ => Reply::json(fixture("balance-cash")),
    })
}

#[test]
fn details_of_balances_keep_to_their_limit() {
    let server = detail_server();
    let account = details(&server, WhenLimited::Fail);
    assert_eq!(account.balance_snapshot("2021-02-30").unwrap_err().kind(), "invalid-input");
    for _ in 0..4 {
        account.balance_snapshot("2021-03-31").unwrap();
        account.balance_history(1, None).unwrap();
    }
    let before = server.requests().len();
    for error in [account.balance_history(1, None).unwrap_err(), account.balance_snapshot("2021-03-31").unwrap_err()] {
        let Error::RateLimited(wait) = error else { panic!("{error:?}") };
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(60));
        assert!(!error.may_have_executed());
    }
    assert_eq!(server.requests().len(), before, "nothing was sent");
    account.balance("BTC").unwrap();
}

#[test]
fn a_detail_is_waited_for_only_within_the_deadline() {
    let server = detail_server();
    let client = with_credentials(&server).build().unwrap();
    let account =
        client.with_deadline(Instant::now() + Duration::from_secs(30)).account(AccountCategory::Cash).unwrap();
    for _ in 0..8 {
        account.balance_history(1, None).unwrap();
    }
    assert_eq!(account.balance_history(1, None).unwrap_err().kind(), "rate-limited");
}

#[test]
fn the_limit_of_details_can_be_turned_off() {
    let server = detail_server();
    let account = details(&server, WhenLimited::Ignore);
    for _ in 0..20 {
        account.balance_history(1, None).unwrap();
    }
}
