//! The client's clock goes by the exchange's, so that a machine whose own is wrong trades nevertheless.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Side};
use bitmax::sandbox::Sandbox;
use bitmax::{
    Authentication, BalanceQuery, CancelOrder, Client, Code, Error, NewOrder, OrderSource, Settled, order_id,
};
use serde_json::{Value, json};
use support::{KEY, Recorded, Reply, SECRET, Server, fixture, info, with_credentials};

const ASKING: &str = "/api/pro/v1/exchange-info";
const MINUTES: i64 = 7 * 60_000;

fn wall_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// An exchange whose clock is so far ahead: it tells its time, and refuses what is signed with another.
fn exchange(ahead: impl Fn() -> i64 + Send + Sync + 'static) -> Server {
    Server::start(move |request| {
        let now = wall_millis() + ahead();
        if request.path == ASKING {
            let echo: i64 = request.param("requestTime").unwrap().parse().unwrap();
            let data = json!({"requestTimeEcho": echo, "requestReceiveAt": now, "latency": now - echo});
            return Reply::json(json!({"code": 0, "data": data}).to_string());
        }
        let signed: i64 = request.header("x-auth-timestamp").unwrap().parse().unwrap();
        if (signed - now).abs() > 30_000 {
            return Reply::json(json!({"code": 200_001, "message": "Timestamp is too old"}).to_string());
        }
        match request.path.as_str() {
            "/api/pro/v1/info" => Reply::json(info()),
            path if path.ends_with("/order") => Reply::json(fixture("place-ack")),
            _ => Reply::json(fixture("balance-cash")),
        }
    })
}

fn paths(server: &Server) -> Vec<String> {
    server.requests().into_iter().map(|request| request.path).collect()
}

fn order() -> NewOrder {
    NewOrder::limit("BTC/USDT", Side::Buy, "0.01", "10000").unwrap().into()
}

#[test]
fn a_machine_whose_clock_is_minutes_off_trades() {
    let sandbox = Sandbox::start().unwrap();
    for ahead in [MINUTES, -MINUTES] {
        sandbox.shift_clock(ahead);
        let builder = || Client::builder(sandbox.endpoint()).credentials(sandbox.credentials());
        let account = builder().build().unwrap().account(AccountCategory::Cash).unwrap();
        account.place(&order()).unwrap();
        account.place_batch(&[order(), order()]).unwrap();
        let open = account.open_orders(None).unwrap();
        account.cancel(&(&open[0]).into()).unwrap();

        match builder().clock_correction(false).build().unwrap().account(AccountCategory::Cash).unwrap_err() {
            Error::Refused(refusal) => assert_eq!(refusal.code, Code::INVALID_TIMESTAMP),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_time_is_asked_for_once_before_the_first_signed_call() {
    let server = exchange(|| MINUTES);
    let client = with_credentials(&server).clock_correction(true).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| client.account(AccountCategory::Cash).unwrap().balances(&BalanceQuery::new()).unwrap());
        }
    });
    let paths = paths(&server);
    assert_eq!(&paths[..4], [ASKING, ASKING, ASKING, "/api/pro/v1/info"]);
    assert_eq!(paths.iter().filter(|path| *path == ASKING).count(), 3);
    assert_eq!(paths.len(), 3 + 1 + 8, "nothing was refused: {paths:?}");
}

#[test]
fn public_calls_and_clients_without_credentials_ask_for_no_time() {
    let server = Server::start(|_| Reply::json(fixture("assets-v2")));
    with_credentials(&server).clock_correction(true).build().unwrap().market().assets().unwrap();
    assert_eq!(server.builder().build().unwrap().info().unwrap_err().kind(), "invalid-input");
    assert_eq!(paths(&server), ["/api/pro/v2/assets"]);
}

#[test]
fn without_the_exchanges_time_the_machines_is_used() {
    for bad in [
        Reply::status(503, "", "<html>"),
        Reply::json("{}"),
        Reply::json(r#"{"code":0,"data":{"requestTimeEcho":1,"requestReceiveAt":0,"latency":0}}"#),
        Reply::Stall(Vec::new()),
    ] {
        let server = Server::start(move |request| match request.path.as_str() {
            ASKING => bad.clone(),
            _ => Reply::json(info()),
        });
        let builder = with_credentials(&server).clock_correction(true).read_timeout(Duration::from_millis(500));
        let client = builder.build().unwrap().with_deadline(Instant::now() + Duration::from_secs(20));
        client.info().unwrap();
        client.info().unwrap();
        let paths = paths(&server);
        assert_eq!(paths.iter().filter(|path| path.contains("/info")).count(), 2);
        assert!(paths.iter().rposition(|path| path == ASKING) < paths.iter().position(|path| path.contains("/info")));
    }
}

/// The ids and times of the orders that came.
fn orders(server: &Server) -> Vec<(String, u64)> {
    let of = |request: Recorded| {
        let body: Value = serde_json::from_str(&request.body).ok()?;
        Some((body["id"].as_str()?.to_owned(), body["time"].as_u64()?))
    };
    server.requests().into_iter().filter_map(of).collect()
}

#[test]
fn a_call_that_is_refused_for_its_time_is_made_once_more() {
    // The clock jumps once the account is known.
    static JUMPED: AtomicUsize = AtomicUsize::new(0);
    let server = exchange(|| if JUMPED.load(Ordering::SeqCst) == 0 { 0 } else { MINUTES });
    let client = with_credentials(&server).clock_correction(true).build().unwrap();
    let account = client.account(AccountCategory::Cash).unwrap();
    JUMPED.store(1, Ordering::SeqCst);
    account.place(&order()).unwrap();
    let [(first_id, first_time), (id, time)] = orders(&server).try_into().unwrap();
    assert_ne!(first_id, id);
    assert!(time.abs_diff(first_time) > 6 * 60_000);
    account.balances(&BalanceQuery::new()).unwrap();
    assert_eq!(paths(&server).iter().filter(|path| *path == ASKING).count(), 6);
}

#[test]
fn a_second_refusal_for_the_time_is_final() {
    let server = Server::start(|request| match request.path.as_str() {
        ASKING => {
            Reply::json(r#"{"code":0,"data":{"requestTimeEcho":1,"requestReceiveAt":1600000000000,"latency":0}}"#)
        }
        "/api/pro/v1/info" => Reply::json(info()),
        _ => Reply::json(r#"{"code":100011,"reason":"INVALID_TIMESTAMP"}"#),
    });
    let client = with_credentials(&server).clock_correction(true).build().unwrap();
    let account = client.account(AccountCategory::Cash).unwrap();
    let own = order().id("myOwnId123".parse().unwrap()).time(5);
    assert_eq!(account.place(&own).unwrap_err().kind(), "refused");
    assert_eq!(orders(&server), [("myOwnId123".to_owned(), 5), ("myOwnId123".to_owned(), 5)], "what was given stays");
    assert_eq!(account.balances(&BalanceQuery::new()).unwrap_err().kind(), "refused");
    assert_eq!(paths(&server).iter().filter(|path| path.ends_with("/balance")).count(), 2);

    // With the correction off nothing is made again.
    let client = with_credentials(&server).build().unwrap();
    let before = server.requests().len();
    assert_eq!(client.account(AccountCategory::Cash).unwrap().place(&order()).unwrap_err().kind(), "refused");
    assert_eq!(server.requests().len(), before + 2);
}

#[test]
fn the_sandboxs_ids_are_of_the_corrected_time() {
    assert_ne!(KEY, SECRET);
    let sandbox = Sandbox::start().unwrap();
    sandbox.shift_clock(MINUTES);
    let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build().unwrap();
    let account = client.account(AccountCategory::Cash).unwrap();
    let (id, time) = ("abcdefghi123456", wall_millis() as u64 + MINUTES as u64);
    let answer = account.place(&order().id(id.parse().unwrap()).time(time)).unwrap();
    assert_eq!(answer.info.order_id(), order_id(OrderSource::Rest, time, account.uid(), id));
}

/// The stream is up when the clocks part: what it sends then is refused for its time, and sets the clock.
#[test]
fn a_stream_whose_clock_goes_wrong_trades_on() {
    const CASH: AccountCategory = AccountCategory::Cash;
    let sandbox = Sandbox::start().unwrap();
    let builder = || Client::builder(sandbox.endpoint()).credentials(sandbox.credentials());
    let connect = |client: Client| client.stream().authenticate(Authentication::Header).connect().unwrap();
    let stream = connect(builder().build().unwrap());
    let uncorrected = connect(builder().clock_correction(false).build().unwrap());
    let id = stream.place(CASH, &order()).unwrap().info.order_id().unwrap();

    // Each step finds a clock that is minutes off.
    let mut ahead = 0;
    let mut jump = || {
        ahead += MINUTES;
        sandbox.shift_clock(ahead);
    };
    jump();
    stream.place(CASH, &order()).unwrap();
    jump();
    stream.cancel(CASH, &CancelOrder::new(id, "BTC/USDT").unwrap()).unwrap();
    assert_eq!(sandbox.user().open_orders(CASH).len(), 1);
    jump();
    let settled = stream.place_settled(CASH, &order(), Instant::now() + Duration::from_secs(20)).unwrap();
    assert!(matches!(settled, Settled::Placed { .. }), "{settled:?}");
    assert_eq!(sandbox.user().open_orders(CASH).len(), 2);
    jump();
    stream.cancel_all(CASH, None).unwrap();
    assert!(sandbox.user().open_orders(CASH).is_empty());

    // A time that was given stays, and what is sent to be answered later is sent once.
    jump();
    let refused = |result: bitmax::Result<bitmax::model::OrderAnswer<bitmax::model::Outcome>>| match result {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.code, Code::INVALID_TIMESTAMP),
        other => panic!("{other:?}"),
    };
    refused(stream.place_later(CASH, &order()).unwrap().wait());
    refused(stream.place(CASH, &order().time(1)));
    refused(uncorrected.place(CASH, &order()));
    stream.place(CASH, &order()).unwrap();
    assert_eq!(sandbox.user().open_orders(CASH).len(), 1);
}
