//! *Limits* of the stream, bans, and halted products. The figures are those that *risk limits, v2* tells.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bitmax::sandbox::{OrderRequest, ProductOptions, Sandbox, StreamLimits, Threshold};
use serde_json::{Value, json};

use crate::caller::{START, SYMBOL};
use crate::orders::traders;
use crate::raw::{Stream, get};
use crate::session::Session;
use crate::shape::{assert_refusal, assert_shape, list, row, sample};

const QUARTER: Duration = Duration::from_secs(15 * 60);

/// A sandbox as [`still`](crate::caller::still), which allows clients no more than this.
fn limited(limits: StreamLimits) -> Sandbox {
    let builder = Sandbox::builder().quiet().start_time(START).snapshot_delay(Duration::ZERO);
    // No pings, so that sessions last while the time is moved.
    let sandbox = builder.limits(limits).ping_interval(Duration::from_secs(86_400)).start().unwrap();
    sandbox.add_product(&ProductOptions::new(SYMBOL)).unwrap();
    sandbox
}

fn risk(sandbox: &Sandbox) -> Value {
    get(sandbox.port(), "/api/pro/v2/risk-limit-info").data()["webSocket"].take()
}

#[test]
fn the_figures_in_force_are_those_of_the_reference() {
    let risk = risk(&limited(StreamLimits::reference()));
    let published = sample("rest/risk-limits-v2")["data"]["webSocket"].take();
    assert_eq!(risk["limits"], published["limits"]);
    for level in ["level1OpThreshold", "level2OpThreshold"] {
        assert_eq!(risk["messageThreshold"][level], published["messageThreshold"][level], "{level}");
    }
    for (level, orders, snapshots) in [("level1ReqThreshold", 8000, 400), ("level2ReqThreshold", 10_000, 500)] {
        let threshold = &risk["messageThreshold"][level];
        for (names, figure) in [
            (["place_order", "cancel_order", "cancel_all"].as_slice(), orders),
            (&["depth_snapshot", "depth_snapshot_top100"], snapshots),
        ] {
            names.iter().for_each(|name| assert_eq!(threshold[*name], figure, "{level} {name}"));
        }
    }
}

#[test]
fn twenty_sessions_for_an_address_and_account_group() {
    let sandbox = limited(StreamLimits::reference());
    let most = risk(&sandbox)["limits"]["maxWebSocketSessionsPerIpAccountGroup"].as_u64().unwrap();
    let mut sessions: Vec<Session> = (0..most).map(|_| Session::open(&sandbox)).collect();
    let refused = Stream::upgrade_with(sandbox.port(), "/0/api/pro/v1/stream", &[]).map(|_| ()).unwrap_err();
    assert!((400..600).contains(&refused), "{refused}");
    Stream::upgrade_with(sandbox.port(), "/1/api/pro/v1/stream", &[]).map(|_| ()).expect("another group's count");
    sessions[0].so_far();
}

#[test]
fn subscriptions_beyond_level_1_are_ignored_for_15_minutes() {
    let sandbox = limited(StreamLimits::reference());
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
    sandbox.advance(QUARTER);
    session.subscribe("bbo:BTC/USDT");
}

#[test]
fn subscriptions_beyond_level_2_end_the_session_and_ban_the_address_for_15_minutes() {
    let sandbox = limited(StreamLimits::reference());
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
    let sandbox = limited(StreamLimits::reference());
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
fn order_requests_share_a_count() {
    let mut limits = StreamLimits::reference();
    limits.orders = Threshold { ignore: 6, ban: 100 };
    let sandbox = limited(limits);
    let (trader, _) = traders(&sandbox);
    let mut session = Session::authenticated(&trader, false);
    for i in 0..9 {
        let (action, args) = match i % 3 {
            0 => ("place-order", trader.limit("buy", "1", "100")),
            1 => ("cancel-order", trader.cancelling("unknown")),
            _ => ("cancel-all", json!({"symbol": "BTC/USDT"})),
        };
        session.send(&json!({"op": "req", "id": "asks1", "action": action, "account": "cash", "args": args}));
    }
    assert_eq!(session.so_far().len(), 6);
    assert_eq!(session.request("open-order", "cash", &json!({}))["data"].as_array().unwrap().len(), 2);
}

#[test]
fn forty_five_attempts_of_an_address_in_5_minutes() {
    let sandbox = limited(StreamLimits::reference());
    let v1 = get(sandbox.port(), "/api/pro/v1/risk-limit-info").data()["webSocket"].take();
    assert_eq!((&v1["maxNumRequests"], &v1["windowSizeInMinutes"]), (&json!(45), &json!(5)));
    for i in 0..45 {
        Session::open(&sandbox);
        crate::raw::wait_until("the session has ended", || sandbox.sessions().is_empty());
        assert_eq!(risk(&sandbox)["status"]["isBanned"], false, "{i}");
    }
    let refused = Stream::upgrade_with(sandbox.port(), "/0/api/pro/v1/stream", &[]).map(|_| ()).unwrap_err();
    assert!([403, 429].contains(&refused), "{refused}");
    let status = risk(&sandbox)["status"].take();
    assert_eq!((&status["isBanned"], &status["violationCode"]), (&json!(true), &json!(100014)), "{status}");
    sandbox.advance(QUARTER + Duration::from_secs(1));
    Session::open(&sandbox);
}

#[test]
fn below_the_limits_a_minute_later_everything_counts_anew() {
    let sandbox = limited(StreamLimits::reference());
    let mut session = Session::open(&sandbox);
    let level = risk(&sandbox)["messageThreshold"]["level1OpThreshold"]["sub"].as_u64().unwrap();
    for _ in 0..3 {
        for i in 0..level - 1 {
            session.send(&json!({"op": "sub", "id": format!("id{i}"), "ch": format!("bbo:{SYMBOL}")}));
        }
        let acks = session.so_far().iter().filter(|m| m["m"] == "sub").count();
        assert_eq!(acks as u64, level - 1);
        sandbox.advance(Duration::from_secs(61));
    }
}

#[test]
fn a_ban_refuses_upgrades_with_429_and_shows_in_the_risk_limits() {
    let sandbox = limited(StreamLimits::reference());
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
    let sandbox = limited(StreamLimits::reference());
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
