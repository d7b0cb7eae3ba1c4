//! *Limits* of the stream, bans, and halted products. The figures are those that *risk limits, v2* tells.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bitmax::sandbox::{OrderRequest, Sandbox};
use serde_json::{Value, json};

use crate::caller::{SYMBOL, still};
use crate::orders::traders;
use crate::raw::{Stream, get};
use crate::session::Session;
use crate::shape::{assert_refusal, assert_shape, list, row, sample};

const QUARTER: Duration = Duration::from_secs(15 * 60);

fn risk(sandbox: &Sandbox) -> Value {
    get(sandbox.port(), "/api/pro/v2/risk-limit-info").data()["webSocket"].take()
}

/// Moves the time, answering the server's pings with pings of one's own.
fn pass(sandbox: &Sandbox, session: &mut Session, time: Duration) {
    for _ in 0..time.as_secs() / 25 + 1 {
        sandbox.advance(Duration::from_secs(25));
        session.so_far();
    }
}

#[test]
fn twenty_sessions_for_an_address_and_account_group() {
    let sandbox = still();
    let most = risk(&sandbox)["limits"]["maxWebSocketSessionsPerIpAccountGroup"].as_u64().unwrap();
    let mut sessions: Vec<Session> = (0..most).map(|_| Session::open(&sandbox)).collect();
    let refused = Stream::upgrade_with(sandbox.port(), "/0/api/pro/v1/stream", &[]).map(|_| ()).unwrap_err();
    assert!((400..600).contains(&refused), "{refused}");
    Stream::upgrade_with(sandbox.port(), "/1/api/pro/v1/stream", &[]).map(|_| ()).expect("another group's count");
    sessions[0].so_far();
}

#[test]
fn subscriptions_beyond_level_1_are_ignored_for_15_minutes() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    let level = risk(&sandbox)["messageThreshold"]["level1OpThreshold"]["sub"].as_u64().unwrap();
    let beyond = 5; // still below level 2
    for i in 0..level + beyond {
        let op = ["sub", "unsub"][i as usize % 2]; // they share a count
        session.send(&json!({"op": op, "id": format!("id{i}"), "ch": format!("bbo:{SYMBOL}")}));
    }
    let acks = |messages: Vec<Value>| messages.iter().filter(|m| m["m"] == "sub" || m["m"] == "unsub").count();
    assert_eq!(acks(session.so_far()) as u64, level, "the rest is ignored");
    // Other kinds are not.
    let trades = session.ask(
        &json!({"op": "req", "id": "asks1", "action": "market-trades", "args": {"symbol": "BTC/USDT", "level": 1}}),
    );
    assert_eq!(trades["m"], "market-trades");
    sandbox.advance(Duration::from_secs(20));
    session.so_far();
    session.send(&json!({"op": "sub", "id": "later", "ch": "bbo:BTC/USDT"}));
    assert_eq!(acks(session.so_far()), 0, "not only for a minute's rest");
    pass(&sandbox, &mut session, QUARTER);
    session.subscribe("bbo:BTC/USDT");
}

#[test]
fn subscriptions_beyond_level_2_end_the_session_and_ban_the_address_for_15_minutes() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    assert_eq!(risk(&sandbox)["status"]["isBanned"], false);
    let level = risk(&sandbox)["messageThreshold"]["level2OpThreshold"]["sub"].as_u64().unwrap();
    for i in 0..=level {
        let text = json!({"op": "sub", "id": format!("id{i}"), "ch": format!("bbo:{SYMBOL}")}).to_string();
        if session.0.inner().send(tungstenite::Message::text(text)).is_err() {
            break;
        }
    }
    // Ended, politely or not.
    while session.0.inner().read().is_ok_and(|message| !message.is_close()) {}
    let status = risk(&sandbox)["status"].take();
    assert_eq!(status["isBanned"], true, "{status}");
    assert!(status["bannedUntil"].as_u64().unwrap() >= sandbox.now() + 14 * 60_000, "{status}");
    assert_ne!(status["violationCode"], 0);
    let refused = Stream::upgrade_with(sandbox.port(), "/0/api/pro/v1/stream", &[]).map(|_| ()).unwrap_err();
    assert!([403, 429].contains(&refused), "{refused}");
    sandbox.advance(QUARTER);
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(risk(&sandbox)["status"]["isBanned"], false);
    Session::open(&sandbox);
}

#[test]
fn snapshot_requests_beyond_level_1_are_ignored_and_others_are_not() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    let level = risk(&sandbox)["messageThreshold"]["level1ReqThreshold"]["depth_snapshot"].as_u64().unwrap();
    for i in 0..level + 5 {
        let action = ["depth-snapshot", "depth-snapshot-top100"][i as usize % 2]; // they share a count
        session.send(&json!({"op": "req", "id": format!("id{i}"), "action": action, "args": {"symbol": SYMBOL}}));
    }
    let answers = session.so_far();
    assert_eq!(answers.len() as u64, level);
    let trades = session.ask(
        &json!({"op": "req", "id": "asks1", "action": "market-trades", "args": {"symbol": "BTC/USDT", "level": 1}}),
    );
    assert_eq!(trades["m"], "market-trades");
}

#[test]
fn below_the_limits_a_minute_later_everything_counts_anew() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    let level = risk(&sandbox)["messageThreshold"]["level1OpThreshold"]["sub"].as_u64().unwrap();
    for _ in 0..3 {
        for i in 0..level - 1 {
            session.send(&json!({"op": "sub", "id": format!("id{i}"), "ch": format!("bbo:{SYMBOL}")}));
        }
        let acks = session.so_far().iter().filter(|m| m["m"] == "sub").count();
        assert_eq!(acks as u64, level - 1);
        pass(&sandbox, &mut session, Duration::from_secs(60));
    }
}

#[test]
fn a_ban_refuses_upgrades_with_429_and_shows_in_the_risk_limits() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    sandbox.ban(IpAddr::V4(Ipv4Addr::LOCALHOST), QUARTER);
    let refused = Stream::refused(sandbox.port(), "/0/api/pro/v1/stream");
    assert!([429, 403].contains(&refused.status));
    assert!(refused.body.to_lowercase().contains("<html"), "a page of the content network: {:?}", refused.body);
    for path in ["/api/pro/v2/risk-limit-info", "/api/pro/v1/risk-limit-info"] {
        let data = get(sandbox.port(), path).data();
        let status = data["webSocket"].get("status").unwrap_or(&data["webSocket"]);
        assert_eq!(status["isBanned"], true, "{path}: {status}");
        assert!(status["bannedUntil"].as_u64().unwrap() > sandbox.now());
        assert!(status["violationCode"] != 0 && status["reason"] != "");
    }
    session.so_far();
    sandbox.lift_ban(IpAddr::V4(Ipv4Addr::LOCALHOST));
    Session::open(&sandbox);
}

#[test]
fn a_halted_product_takes_no_orders() {
    let sandbox = still();
    let (mut trader, _) = traders(&sandbox);
    let order = trader.limit("buy", "1", "100");
    let id = trader.place_id(&order);
    sandbox.halt(SYMBOL).unwrap();
    let products = get(sandbox.port(), "/api/pro/v1/products").data();
    assert_eq!(row(&products, "symbol", SYMBOL)["status"], "NoTrading");
    let products = get(sandbox.port(), "/api/pro/v1/cash/products").data();
    assert_eq!(row(&products, "symbol", SYMBOL)["statusCode"], "NoTrading");

    let order = trader.limit("buy", "1", "100");
    let refused = trader.place_refused(&order);
    assert!([300020, 300021].contains(&assert_refusal(&refused)), "TRADING_RESTRICTED or TRADING_DISABLED: {refused}");
    assert_shape(&refused, &sample("rest/place-err"));
    let mut session = Session::authenticated(&trader, false);
    let refused = session.request("place-order", "cash", &order);
    assert!([300020, 300021].contains(&assert_refusal(&refused["info"])), "{refused}");

    assert_eq!(list(&trader.open()).len(), 1, "what is open stays");
    trader.cancel(&id);
    sandbox.resume(SYMBOL).unwrap();
    trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("100")).unwrap();
}
