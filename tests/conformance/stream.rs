//! *Connecting*, *Authentication*, *Staying alive* and *Subscriptions* of the stream.

use std::collections::BTreeSet;
use std::time::Duration;

use bitmax::sandbox::{OrderRequest, ProductOptions, Sandbox};
use serde_json::{Value, json};
use tungstenite::Message;

use crate::caller::{Caller, START, SYMBOL, lively, sign, still, with};
use crate::orders::traders;
use crate::raw::Stream;
use crate::session::{Session, auth_message, of_kind};
use crate::shape::{assert_refusal, assert_shape, dec, list, money, sample};

// --- Connecting ---

#[test]
fn every_path_of_the_stream_greets() {
    let sandbox = still();
    for path in [
        "/0/api/pro/v1/stream",
        "/7/api/pro/v1/stream",
        "/api/pro/v1/stream",
        "/0/api/pro/v2/stream",
        "/api/pro/v2/stream",
    ] {
        let mut session = Session(Stream::upgrade(sandbox.port(), path));
        assert_eq!(session.next(), sample("ws/connected-unauth"), "{path}");
        session.subscribe("bbo:BTC/USDT");
    }
    for path in ["/", "/stream", "/0/api/pro/v3/stream", "/api/pro/v1/spot/ticker"] {
        assert!(Stream::upgrade_with(sandbox.port(), path, &[]).is_err(), "{path}");
    }
}

#[test]
fn a_control_ping_is_answered_with_a_control_pong() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    session.0.inner().send(Message::Ping("payload".into())).unwrap();
    assert_eq!(session.0.inner().read().unwrap(), Message::Pong("payload".into()));
}

// --- Authentication ---

fn upgrade(caller: &Caller, path: &str, headers: &[(&str, String)]) -> Result<Stream, u16> {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Stream::upgrade_with(caller.sandbox.port(), &caller.path(path), &headers)
}

#[test]
fn authentication_by_headers() {
    let sandbox = still();
    let caller = Caller::first(&sandbox);
    for (path, prehash) in [("/G/api/pro/v1/stream", "stream"), ("/G/api/pro/v2/stream", "v2/stream")] {
        let mut session = Session(upgrade(&caller, path, &caller.headers(prehash)).unwrap());
        assert_eq!(session.next(), json!({"m": "connected", "type": "auth"}));
        session.subscribe("order:cash");
    }
}

#[test]
fn wrong_headers_make_the_server_refuse_the_upgrade() {
    let sandbox = still();
    let caller = Caller::first(&sandbox);
    let good = caller.headers("stream");
    let changed = |i: usize, value: &str| {
        let mut headers = good.clone();
        headers[i].1 = value.to_owned();
        headers
    };
    for headers in [
        caller.headers("wrong"),
        caller.headers("v2/stream"),
        caller.headers_at(START - 31_000, "stream"),
        changed(0, "nobody"),
        changed(1, "soon"),
        changed(2, "AAAA"),
    ] {
        let status = upgrade(&caller, "/G/api/pro/v1/stream", &headers).map(|_| ()).unwrap_err();
        assert!((400..600).contains(&status), "{status}");
    }
}

#[test]
fn authentication_by_a_message() {
    let sandbox = still();
    let caller = Caller::first(&sandbox);
    for (path, prehash) in [("/G/api/pro/v1/stream", "stream"), ("/G/api/pro/v2/stream", "v2/stream")] {
        let mut session = Session(Stream::upgrade(sandbox.port(), &caller.path(path)));
        session.next();
        let auth = auth_message(&caller, prehash);
        assert_eq!(session.ask(&auth), sample("ws/auth-ok"));
        session.subscribe("order:cash");

        let mut session = Session(Stream::upgrade(sandbox.port(), &caller.path(path)));
        session.next();
        let auth = with(auth, json!({"t": START.to_string(), "id": null})); // `t` is seen as a string, `id` optional
        let answer = session.ask(&auth);
        assert_eq!((&answer["m"], &answer["code"]), (&json!("auth"), &json!(0)));
    }
}

#[test]
fn the_ready_mode_is_echoed() {
    let sandbox = still();
    let caller = Caller::first(&sandbox);
    let mut session = Session::open_by(&caller);
    let auth = with(auth_message(&caller, "stream"), json!({"ack": "ready", "id": "BSpl5qob"}));
    assert_eq!(session.ask(&auth), sample("ws/auth-ready-ok"));
}

#[test]
fn a_refused_authentication_says_code_and_err_and_can_be_done_again() {
    let sandbox = still();
    let caller = Caller::first(&sandbox);
    let mut session = Session::open_by(&caller);
    let good = auth_message(&caller, "stream");
    let stale =
        json!({"t": START - 31_000, "sig": sign(caller.user.api_secret().as_bytes(), START - 31_000, "stream")});
    for (fields, group) in [
        (json!({"sig": "AAAA"}), 20),
        (json!({"sig": null}), 0),
        (json!({"key": "nobody"}), 20),
        (json!({"key": null}), 0),
        (json!({"t": START + 1}), 20),
        (json!({"t": null}), 0),
        (stale, 0),
        (json!({"sig": sign(caller.user.api_secret().as_bytes(), START, "info")}), 20),
    ] {
        let answer = session.ask(&with(good.clone(), fields.clone()));
        assert_shape(&answer, &sample("ws/auth-err"));
        let code = assert_refusal(&answer);
        assert!(group == 0 || code / 10_000 == group, "{fields}: {answer}");
        assert_eq!((&answer["m"], &answer["id"]), (&json!("auth"), &json!("abc123")));
    }
    assert_eq!(session.ask(&good), sample("ws/auth-ok"));
}

#[test]
fn private_channels_and_requests_need_authentication() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    for channel in ["order:cash", "order:margin", "order:cash:BTC/USDT", "depth-realtime:BTC/USDT"] {
        let refused = session.ask(&json!({"op": "sub", "id": "abc123", "ch": channel}));
        assert!(refused["m"] == "sub" || refused["m"] == "error", "{refused}");
        assert_refusal(&refused);
        assert_eq!(refused["id"], "abc123");
    }
    for (action, args) in [
        (
            "place-order",
            json!({"symbol": SYMBOL, "id": "abcdefghi", "time": START, "orderQty": "1", "orderType": "market", "side": "buy"}),
        ),
        ("cancel-all", json!({})),
        ("balance", json!({})),
        ("open-order", json!({})),
        ("margin-risk", json!({})),
    ] {
        let refused = session.request(action, "cash", &args);
        let code = refused.get("code").or(refused["info"].get("code"));
        assert!(code.is_some_and(|code| *code != 0), "{refused}");
    }
}

#[test]
fn without_the_group_only_public_data_can_be_had() {
    let sandbox = still();
    let caller = Caller::first(&sandbox);
    let mut session = Session(Stream::upgrade(sandbox.port(), "/api/pro/v1/stream"));
    session.next();
    session.ask(&auth_message(&caller, "stream"));
    let refused = session.ask(&json!({"op": "sub", "id": "abc123", "ch": "order:cash"}));
    assert_refusal(&refused);
    session.subscribe("bbo:BTC/USDT");
}

// --- Staying alive ---

#[test]
fn the_servers_pings_count_down_and_an_answer_restores_them() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    let interval = Duration::from_secs(15);
    let hp = |session: &mut Session| {
        let ping = session.next();
        assert_shape(&ping, &sample("ws/ping"));
        ping["hp"].as_u64().unwrap()
    };
    sandbox.advance(interval);
    assert_eq!(hp(&mut session), 3);
    session.send(&json!({"op": "pong"}));
    session.unsubscribe("bbo"); // acknowledged once the pong has been read
    sandbox.advance(interval);
    assert_eq!(hp(&mut session), 3);
    session.send(&json!({"op": "pong", "hp": 3})); // as other clients send
    session.unsubscribe("bbo");
    let first = (sandbox.advance(interval), hp(&mut session)).1;
    let second = (sandbox.advance(interval), hp(&mut session)).1;
    assert_eq!((first, second), (3, 2));
    sandbox.advance(interval * 2);
    let rest = session.0.rest();
    if let Some(last) =
        rest.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()).find(|m| m["m"] == "disconnected")
    {
        assert_shape(&last, &sample("ws/disconnected"));
        assert_eq!((&last["code"], &last["reason"]), (&json!(100005), &json!("INVALID_WS_REQUEST_DATA")));
    }
}

#[test]
fn a_clients_ping_is_answered_and_spares_it_the_servers_for_30_seconds() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    let pong = session.ask(&json!({"op": "ping"}));
    assert_shape(&pong, &sample("ws/pong"));
    assert_eq!((&pong["m"], &pong["code"], &pong["ts"]), (&json!("pong"), &json!(0), &json!(START)));
    assert!(pong["hp"].is_u64());
    sandbox.advance(Duration::from_secs(29));
    let answer = session.ask(&json!({"op": "ping"}));
    assert_eq!((&answer["m"], &answer["ts"]), (&json!("pong"), &json!(START + 29_000)), "no ping within 30 s");
    for _ in 0..6 {
        sandbox.advance(Duration::from_secs(15));
        assert_eq!(session.ask(&json!({"op": "ping"}))["m"], "pong");
    }
}

// --- Subscriptions ---

#[test]
fn acknowledgements_echo_channel_and_id() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    for channel in
        ["bbo:BTC/USDT", "depth:BTC/USDT", "trades:BTC/USDT", "bar:1:BTC/USDT", "bar:1d:ETH/USDT", "ref-px:BTC"]
    {
        for op in ["sub", "unsub"] {
            session.send(&json!({"op": op, "id": "abc123", "ch": channel}));
            let ack = session.until(|message| message["m"] == op || message["m"] == "error");
            assert_eq!((&ack["m"], &ack["ch"], &ack["id"]), (&json!(op), &json!(channel), &json!("abc123")), "{ack}");
            assert!(ack["code"] == 0 || op == "unsub" && ack.get("code").is_none(), "{ack}");
        }
        session.send(&json!({"op": "sub", "ch": channel}));
        let ack = session.until(|message| message["m"] == "sub");
        assert!(ack.get("id").is_none() && ack["code"] == 0, "`id` only if one was sent: {ack}");
    }
}

#[test]
fn several_symbols_in_one_subscription() {
    let sandbox = lively();
    let symbols = symbols(&sandbox);
    let ten = symbols[..10].join(",");
    let mut session = Session::open(&sandbox);
    session.subscribe(&format!("bbo:{ten}"));
    session.subscribe(&format!("bar:5:{ten}"));
    session.subscribe("trades:BTC/USDT,ETH/USDT");
    sandbox.advance(Duration::from_secs(20));
    let messages = session.so_far();
    let told: BTreeSet<&str> = of_kind(&messages, "bbo").iter().map(|m| m["symbol"].as_str().unwrap()).collect();
    assert_eq!(told, symbols[..10].iter().map(String::as_str).collect());
}

fn symbols(sandbox: &Sandbox) -> Vec<String> {
    let products = crate::raw::get(sandbox.port(), "/api/pro/v1/cash/products").data();
    crate::shape::texts(&products, "symbol").into_iter().filter(|s| *s != SYMBOL).map(str::to_owned).collect()
}

#[test]
fn more_than_10_symbols_are_an_error_and_no_data_for_any() {
    let sandbox = lively();
    let symbols = symbols(&sandbox);
    assert!(symbols.len() > 10);
    let channels = ["bbo", "depth", "trades", "bar:1"];
    let (mut session, mut other) = (Session::open(&sandbox), Session::open(&sandbox));
    for channel in channels {
        other.subscribe(&format!("{channel}:{}", symbols[..10].join(",")));
        let refused =
            session.ask(&json!({"op": "sub", "id": "abc123", "ch": format!("{channel}:{}", symbols[..11].join(","))}));
        assert!(refused["m"] == "sub" || refused["m"] == "error", "{refused}");
        assert_refusal(&refused);
        assert_eq!(refused["id"], "abc123");
    }
    sandbox.advance(Duration::from_secs(5));
    assert_eq!(session.so_far(), [Value::Null; 0]);
    let told = other.so_far();
    for channel in channels {
        let kind = channel.split(':').next().unwrap();
        assert!(!of_kind(&told, kind).is_empty(), "there was something to tell in {channel}");
    }
}

#[test]
fn a_subscription_that_cannot_be_is_refused_with_code_and_reason() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    for (channel, code) in [
        ("depth:USDT/ASD", Some(100008)),
        ("bbo:NONE/USDT", Some(100008)),
        ("trades:BTC/USDT,NONE/USDT", None),
        ("bar:1:NONE/USDT", Some(100008)),
        ("bar:7:BTC/USDT", None),
        ("ref-px:NONE", None),
        ("unheard-of:BTC/USDT", None),
        ("bbo", None),
        ("bbo:", None),
        ("bar:BTC/USDT", None),
        ("", None),
    ] {
        session.send(&json!({"op": "sub", "id": "abc123", "ch": channel}));
        let refused = session.until(|message| message.get("code").is_some_and(|code| *code != 0));
        assert!(refused["m"] == "sub" || refused["m"] == "error", "{channel}: {refused}");
        assert_eq!(refused["id"], "abc123");
        assert!(refused["reason"].is_string(), "{channel}: {refused}");
        assert!(code.is_none_or(|code| refused["code"] == code), "{channel}: {refused}");
    }
    session.so_far();
}

#[test]
fn wildcards_in_unsub() {
    let all =
        ["depth:ABC/USDT", "depth:DEF/USDT", "bar:1:ABC/USDT", "bar:5:ABC/USDT", "bar:1:DEF/USDT", "bbo:ABC/USDT"];
    let sandbox = still();
    sandbox.add_product(&ProductOptions::new("DEF/USDT")).unwrap();
    let funds = [("USDT", "10000"), ("ABC", "1000"), ("DEF", "1000")];
    let traders = [Caller::with_cash(&sandbox, &funds), Caller::with_cash(&sandbox, &funds)];
    for (unsub, left) in [
        ("depth:ABC/USDT", &[1, 2, 3, 4, 5][..]),
        ("depth:*", &[2, 3, 4, 5]),
        ("depth", &[2, 3, 4, 5]),
        ("bar:1:*", &[0, 1, 3, 5]),
        ("bar:1", &[0, 1, 3, 5]),
        ("bar:*:ABC/USDT", &[0, 1, 4, 5]),
        ("bar", &[0, 1, 5]),
        ("bar:1:ABC/USDT,DEF/USDT", &[0, 1, 3, 5]),
        ("bbo:*", &[0, 1, 2, 3, 4]),
    ] {
        let mut session = Session::open(&sandbox);
        all.iter().for_each(|channel| session.subscribe(channel));
        session.unsubscribe(unsub);
        session.so_far();
        // Something in every channel.
        for symbol in [SYMBOL, "DEF/USDT"] {
            traders[0].user.place(&OrderRequest::sell(symbol, 3).limit("100")).unwrap();
            traders[1].user.place(&OrderRequest::buy(symbol, 1).limit("100")).unwrap();
        }
        sandbox.advance(Duration::from_secs(1));
        let told: BTreeSet<String> = session.so_far().iter().map(channel_of).collect();
        assert_eq!(told, left.iter().map(|i| all[*i].to_owned()).collect(), "{unsub}");
    }
}

fn channel_of(message: &Value) -> String {
    match message["m"].as_str().unwrap() {
        "bar" => format!("bar:{}:{}", message["data"]["i"].as_str().unwrap(), message["s"].as_str().unwrap()),
        m => format!("{m}:{}", message["symbol"].as_str().unwrap()),
    }
}

// --- Public channels ---

#[test]
fn messages_of_public_channels() {
    let sandbox = lively();
    let mut session = Session::open(&sandbox);
    for channel in
        ["bbo:BTC/USDT", "depth:BTC/USDT", "trades:BTC/USDT", "bar:1:BTC/USDT", "ref-px:BTC", "summary:BTC/USDT"]
    {
        session.subscribe(channel);
    }
    let mut messages = Vec::new();
    for _ in 0..10 {
        sandbox.advance(Duration::from_secs(10));
        messages.extend(session.so_far());
    }
    for (m, name) in [("bbo", "ws/bbo"), ("depth", "ws/depth"), ("trades", "ws/trades"), ("bar", "ws/bar")] {
        let of_kind = of_kind(&messages, m);
        assert!(!of_kind.is_empty(), "{m}");
        of_kind.iter().for_each(|message| assert_shape(message, &sample(name)));
    }
    for message in of_kind(&messages, "bbo") {
        assert!(money(&message["data"]["bid"][0]) < money(&message["data"]["ask"][0]), "{message}");
    }
    for message in of_kind(&messages, "bar") {
        let [open, close, high, low] = ["o", "c", "h", "l"].map(|field| money(&message["data"][field]));
        assert!(low <= open.min(close) && high >= open.max(close) && message["s"] == "BTC/USDT", "{message}");
        assert!(message["data"]["ts"].as_u64().unwrap().is_multiple_of(60_000));
    }
    let seqnums: Vec<u64> = of_kind(&messages, "trades")
        .iter()
        .flat_map(|message| list(&message["data"]).iter().map(|trade| trade["seqnum"].as_u64().unwrap()))
        .collect();
    assert!(seqnums.windows(2).all(|w| w[0] < w[1]), "rising: {seqnums:?}");
    let reference = of_kind(&messages, "ref-px");
    assert!(reference.iter().all(|m| m["symbol"] == "BTC" && m["data"]["qa"] == "USDT"), "{reference:?}");
    for message in of_kind(&messages, "summary").into_iter().filter(|m| m.get("data").is_some()) {
        assert_shape(&json!({"m": "bar", "s": message["s"], "data": message["data"]}), &sample("ws/bar"));
    }
    let kinds: BTreeSet<&str> = messages.iter().map(|m| m["m"].as_str().unwrap()).collect();
    assert!(kinds.is_subset(&["bbo", "depth", "trades", "bar", "ref-px", "summary", "ping"].into()), "{kinds:?}");
}

#[test]
fn trades_and_the_best_prices_are_those_of_the_book() {
    let sandbox = still();
    let (trader, maker) = traders(&sandbox);
    let mut session = Session::open(&sandbox);
    session.subscribe(&format!("bbo:{SYMBOL}"));
    session.subscribe(&format!("trades:{SYMBOL}"));
    maker.user.place(&OrderRequest::sell(SYMBOL, 3).limit("101")).unwrap();
    maker.user.place(&OrderRequest::buy(SYMBOL, 2).limit("99")).unwrap();
    trader.user.place(&OrderRequest::buy(SYMBOL, 1).limit("101")).unwrap();
    trader.user.place(&OrderRequest::sell(SYMBOL, "0.5").limit("99")).unwrap();
    sandbox.advance(Duration::from_secs(1));
    let messages = session.so_far();
    let best = &of_kind(&messages, "bbo").last().unwrap()["data"];
    let level = |side: &str| (money(&best[side][0]), money(&best[side][1]));
    assert_eq!((level("bid"), level("ask")), ((dec("99"), dec("1.5")), (dec("101"), dec("2"))));
    let trades: Vec<_> = of_kind(&messages, "trades")
        .iter()
        .flat_map(|message| list(&message["data"]))
        .map(|trade| (money(&trade["p"]), money(&trade["q"]), trade["bm"].as_bool().unwrap(), trade["ts"].clone()))
        .collect();
    let at = json!(START);
    assert_eq!(trades, [(dec("101"), dec("1"), false, at.clone()), (dec("99"), dec("0.5"), true, at)]);
}

// --- Bad messages ---

#[test]
fn bad_messages_get_an_error_or_end_the_session() {
    let sandbox = still();
    for text in [
        "",
        "{",
        "no json",
        "[]",
        "17",
        "null",
        "{}",
        r#"{"op":17}"#,
        r#"{"op":"dance","id":"x"}"#,
        r#"{"op":"sub"}"#,
        r#"{"op":"sub","ch":17}"#,
        r#"{"op":"req"}"#,
        r#"{"op":"req","action":17}"#,
        r#"{"op":"unsub"}"#,
        r#"{"op":"req","action":"depth-snapshot"}"#,
        r#"{"op":"req","action":"depth-snapshot","args":17}"#,
        r#"{"op":"auth"}"#,
    ] {
        let mut session = Session::open(&sandbox);
        session.0.send(text);
        match session.0.inner().read() {
            Ok(Message::Text(answer)) => {
                let answer: Value = serde_json::from_str(&answer).unwrap();
                assert_refusal(&answer);
            }
            Ok(Message::Close(_)) | Err(_) => {}
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn an_unknown_action_is_an_error_with_its_code() {
    let sandbox = still();
    let mut session = Session::open(&sandbox);
    let refused =
        session.ask(&json!({"op": "req", "id": "ab123", "action": "trade-snapshot", "args": {"symbol": SYMBOL}}));
    assert_shape(&refused, &sample("ws/error"));
    assert_eq!((&refused["m"], &refused["id"]), (&json!("error"), &json!("ab123")));
    assert_eq!((&refused["code"], &refused["reason"]), (&json!(100005), &json!("INVALID_WS_REQUEST_DATA")));
}
