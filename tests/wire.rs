//! The stream's messages: every published sample as what it is, and no harm from any of them spoilt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/same.rs"]
mod same;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bitmax::model::{BarKind, DepthKind, TradesKind};
use bitmax::{Code, Message};
use same::same;
use serde_json::{Value, json};

fn samples() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ws");
    let mut samples: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    samples.sort();
    samples
}

/// The wire's name of what a message was read as.
fn kind(message: &Message) -> &'static str {
    match message {
        Message::Connected { .. } => "connected",
        Message::Ping { .. } => "ping",
        Message::Pong { .. } => "pong",
        Message::Auth(_) => "auth",
        Message::Subscribed(_) => "sub",
        Message::Unsubscribed(_) => "unsub",
        Message::Refused(_) => "error",
        Message::Disconnected(_) => "disconnected",
        Message::Bbo(_) => "bbo",
        Message::Depth(depth) => match depth.kind {
            DepthKind::Change => "depth",
            DepthKind::Snapshot => "depth-snapshot",
            DepthKind::SnapshotTop100 => "depth-snapshot-top100",
            DepthKind::RealtimeChange => "depth-realtime",
            DepthKind::RealtimeSnapshot => "depth-snapshot-realtime",
            _ => "another depth",
        },
        Message::Trades(trades) => match trades.kind {
            TradesKind::Trades => "trades",
            TradesKind::MarketTrades => "market-trades",
            _ => "other trades",
        },
        Message::Bar(bar) => match bar.kind {
            BarKind::Bar => "bar",
            BarKind::Summary => "summary",
            _ => "another bar",
        },
        Message::RefPrice(_) => "ref-px",
        Message::Order(_) | Message::CancelRejected(_) => "order",
        Message::Balance(_) => "balance",
        Message::Answer(answer) => match answer.kind.as_str() {
            "order" => "order",
            "open-order" => "open-order",
            "order-status" => "order-status",
            "margin-risk" => "margin-risk",
            _ => "another answer",
        },
        Message::Unknown { .. } => "unknown",
        _ => "something new",
    }
}

/// Sent as JSON again. `None` for kinds that are not written.
fn written(message: &Message) -> Option<Value> {
    match message {
        Message::Bbo(bbo) => serde_json::to_value(bbo).ok(),
        Message::Depth(depth) => serde_json::to_value(depth).ok(),
        Message::Trades(trades) => serde_json::to_value(trades).ok(),
        Message::Bar(bar) => serde_json::to_value(bar).ok(),
        Message::RefPrice(price) => serde_json::to_value(price).ok(),
        Message::Order(order) => serde_json::to_value(order).ok(),
        Message::CancelRejected(cancel) => serde_json::to_value(cancel).ok(),
        Message::Balance(balance) => serde_json::to_value(balance).ok(),
        _ => None,
    }
}

#[test]
fn every_sample_is_read_as_what_it_is() {
    for (name, text) in samples() {
        let value: Value = serde_json::from_str(&text).unwrap();
        let expected = match name.as_str() {
            "depth-snapshot-realtime-err" => "error",
            _ => value.get("m").or(value.get("op")).unwrap().as_str().unwrap(),
        };
        // As published, on many lines, and as sent, on one.
        for text in [text, value.to_string(), sent(&value)] {
            let message = Message::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(kind(&message), expected, "{name}");
            if let Some(written) = written(&message) {
                same(&value, &written, &[], &[]).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
        }
    }
}

/// On one line with `m` first and `data` last, as the exchange writes it. (A `Value` sorts its keys.)
fn sent(value: &Value) -> String {
    const ORDER: [&str; 16] =
        ["m", "id", "symbol", "s", "ch", "p", "q", "ts", "bm", "seqnum", "bid", "ask", "asks", "bids", "code", "data"];
    match value {
        Value::Object(fields) => {
            let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
            let mut keys: Vec<_> = fields.keys().collect();
            keys.sort_by_key(|key| place(key));
            let fields: Vec<_> = keys.into_iter().map(|key| format!("{}:{}", json!(key), sent(&fields[key]))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sent).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[test]
fn answers_say_what_they_say() {
    let sample = |name: &str| {
        let text = samples().into_iter().find(|(of, _)| of == name).unwrap().1;
        Message::parse(&text).unwrap()
    };
    assert_eq!(sample("connected-op"), Message::Connected { authenticated: true });
    assert_eq!(sample("connected-unauth"), Message::Connected { authenticated: false });
    assert_eq!(sample("ping"), Message::Ping { hp: Some(3) });
    assert_eq!(sample("pong"), Message::Pong { ts: Some(1_574_260_701_259), hp: Some(2) });

    let Message::Subscribed(ack) = sample("sub-ack") else { panic!() };
    assert_eq!(
        (ack.id.as_deref(), ack.channel.as_str(), &ack.refusal),
        (Some("abc123"), "depth-realtime:ASD/USDT", &None)
    );
    let Message::Subscribed(ack) = sample("sub-err") else { panic!() };
    let refusal = ack.refusal.unwrap();
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::SYMBOL_ERROR, "Unable to handle symbol USDT/ASD"));
    let Message::Unsubscribed(ack) = sample("unsub-ack-no-code") else { panic!() };
    assert_eq!((ack.channel.as_str(), &ack.refusal), ("bar:*:ASD/USDT", &None));

    let Message::Auth(ack) = sample("auth-ready-ok") else { panic!() };
    assert_eq!((ack.id.as_deref(), ack.ready, &ack.refusal), (Some("BSpl5qob"), true, &None));
    let Message::Auth(ack) = sample("auth-err") else { panic!() };
    let refusal = ack.refusal.unwrap();
    assert_eq!((refusal.code, refusal.message.as_str()), (Code::ACCOUNT_ERROR, "Unable to find User Account Data"));

    let Message::Disconnected(refusal) = sample("disconnected") else { panic!() };
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::INVALID_WS_REQUEST_DATA, "INVALID_WS_REQUEST_DATA"));
    assert!(refusal.message.contains("missing pong"));
    for (name, id, code) in [("error", "ab123", 100_005), ("depth-snapshot-realtime-err", "ec1L5cDt", 100_008)] {
        let Message::Refused(refused) = sample(name) else { panic!() };
        assert_eq!((refused.id.as_deref(), refused.refusal.code.value()), (Some(id), code));
        assert!(!refused.refusal.message.is_empty() && !refused.refusal.reason.is_empty());
    }
    let Message::Trades(trades) = sample("market-trades") else { panic!() };
    assert_eq!((trades.id.as_deref(), trades.trades[0].seqnum), (Some("abcd1334"), 144_115_188_077_966_308));
}

#[test]
fn forms_beside_the_samples() {
    for (text, expected) in [
        (
            r#" { "data" : {"i":"1","ts":1,"o":"1","c":"1","h":"1","l":"1","v":"1"}, "s":"A/B", "\u006d":"summary" } "#,
            "summary",
        ),
        (r#"{"m":"summary","s":"A/B"}"#, "unknown"),
        (r#"{"m":"summary","s":"A/B","data":null}"#, "unknown"),
        (r#"{"m":"ref-px","symbol":"BTC","data":{"qa":"USDT","p":"9500.1"}}"#, "ref-px"),
        (r#"{"m":"ref-px","symbol":"BTC","data":{"qa":"USDT","p":9500.1,"ts":17}}"#, "ref-px"),
        (
            r#"{"m":"depth-snapshot-top100","symbol":"A/B","data":{"ts":1,"seqnum":2,"asks":[],"bids":[]}}"#,
            "depth-snapshot-top100",
        ),
        (r#"{"m":"bbo","symbol":"A/B","data":{"ts":1,"bid":[],"ask":["1","2"]}}"#, "bbo"),
        (r#"{"m":"bbo","ts":1,"symbol":"A/B","data":{"bid":["1","2","new"],"ask":[3,4.5],"new":{}}}"#, "bbo"),
        (r#"{"m":"error","id":17,"code":"100005","reason":null,"info":{"why":1}}"#, "error"),
        (r#"{"m":"ping"}"#, "ping"),
        (r#"{"m":"futures-order","e":"x"}"#, "unknown"),
        (r#"{"m":"","x":1}"#, "unknown"),
        (r#"{"m":null,"op":null}"#, "unknown"),
        ("{}", "unknown"),
    ] {
        assert_eq!(kind(&Message::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))), expected, "{text}");
    }
    let Message::Refused(refused) = Message::parse(r#"{"m":"error","id":17,"code":1,"info":{"why":1}}"#).unwrap()
    else {
        panic!()
    };
    assert_eq!((refused.id.as_deref(), refused.refusal.info.as_str()), (Some("17"), r#"{"why":1}"#));
    assert_eq!(
        Message::parse(r#"{"m":"futures-order"}"#).unwrap(),
        Message::Unknown { kind: Some("futures-order".to_owned()) }
    );
}

#[test]
fn what_is_no_message_is_told_so() {
    let deep = format!(r#"{{"m":"bbo","data":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let unknown_and_deep = format!(r#"{{"m":"odd","data":{}"#, "[".repeat(200_000));
    for (text, what) in [
        ("", "message"),
        (" ", "message"),
        ("null", "message"),
        ("[]", "message"),
        (r#"["bbo","A/B"]"#, "message"),
        (r#""m""#, "message"),
        (r#"{"m":5}"#, "message"),
        (r#"{"m":"bbo"#, "message"),
        (r#"{"m":"bbo","m":"depth"}"#, "message"),
        (r#"{"m":"bbo"}}"#, "message"),
        (r#"{"m":"auth","id":"1"}"#, "auth"),
        (r#"{"m":"sub","code":0}"#, "sub"),
        (r#"{"m":"connected"}"#, "connected"),
        (r#"{"m":"depth-snapshot-realtime","code":0}"#, "depth-snapshot-realtime"),
        (r#"{"m":"summary","s":"A/B","data":{}}"#, "summary"),
        (r#"{"m":"order","data":null}"#, "order"),
        (r#"{"m":"balance","ac":"CASH"}"#, "balance"),
        (&deep, "bbo"),
        (&unknown_and_deep, "message"),
    ] {
        let error = Message::parse(text).unwrap_err();
        assert_eq!(error.what, what, "{error}");
        assert!(error.near.len() <= 120);
    }
}

/// Cut at every length: an error that knows the kind, or that there is none.
#[test]
fn a_sample_cut_short_is_an_error() {
    for (name, text) in samples() {
        let value: Value = serde_json::from_str(&text).unwrap();
        for text in [text.trim_end(), &value.to_string(), &sent(&value)] {
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                let error = Message::parse(&text[..end]).expect_err(&name);
                assert_eq!(error.what, "message", "{name} cut at {end}");
            }
        }
    }
}

/// Every place in a value, as a path of keys and indices.
fn places(value: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in inner {
        path.push(key);
        found.push(path.clone());
        places(value, path, found);
        path.pop();
    }
}

fn spoil(value: &Value, path: &[String], with: Option<&Value>) -> Value {
    let mut value = value.clone();
    let (last, way) = path.split_last().unwrap();
    let holder = value.pointer_mut(&way.iter().map(|key| format!("/{key}")).collect::<String>()).unwrap();
    match (holder, with) {
        (Value::Object(fields), Some(with)) => drop(fields.insert(last.clone(), with.clone())),
        (Value::Object(fields), None) => drop(fields.remove(last)),
        (Value::Array(items), Some(with)) => items[last.parse::<usize>().unwrap()] = with.clone(),
        (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
        _ => unreachable!(),
    }
    value
}

/// Every field missing, null, of another type, or absurdly large: never a panic, and what cannot be read is told
/// with the kind.
#[test]
fn a_sample_with_a_spoilt_field_is_itself_or_an_error() {
    let large = "9".repeat(10_000);
    let mut nested = json!([]);
    for _ in 0..100 {
        nested = json!([nested]);
    }
    let spoilt: [Option<Value>; 14] = [
        None,
        Some(Value::Null),
        Some(json!("")),
        Some(json!("text")),
        Some(json!(large)),
        Some(json!("1e999999999")),
        Some(json!(true)),
        Some(json!(-1)),
        Some(json!(1.5)),
        Some(json!(1e300)),
        Some(json!(u64::MAX)),
        Some(json!([])),
        Some(json!({})),
        Some(nested),
    ];
    let mut outcomes = [0, 0];
    for (name, text) in samples() {
        let value: Value = serde_json::from_str(&text).unwrap();
        let expected = kind(&Message::parse(&text).unwrap());
        let mut found = Vec::new();
        places(&value, &mut Vec::new(), &mut found);
        for path in found {
            let is_kind = path == ["m"] || path == ["op"];
            for with in &spoilt {
                let text = sent(&spoil(&value, &path, with.as_ref()));
                match Message::parse(&text) {
                    Ok(message) if is_kind => assert_eq!(kind(&message), "unknown", "{name} {path:?}"),
                    Ok(message) => {
                        outcomes[0] += 1;
                        assert_eq!(kind(&message), expected, "{name} {path:?} {text:.100}");
                    }
                    Err(error) if is_kind => assert_eq!(error.what, "message", "{name} {path:?}"),
                    Err(error) => {
                        outcomes[1] += 1;
                        let wire = value.get("m").or(value.get("op")).unwrap().as_str().unwrap();
                        assert_eq!(error.what, wire, "{name} {path:?} {text:.100}");
                        assert!(error.to_string().len() < 1000, "{error}");
                    }
                }
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 100), "{outcomes:?}");
}

/// What the exchange really said, where the recording is at hand.
#[test]
fn every_recorded_message_is_read_as_what_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded/session-spot-2021-04-17.json");
    let Ok(session) = fs::read_to_string(path) else {
        return eprintln!("skipped: no recording at ../shared/recorded");
    };
    let entries: Vec<Value> = serde_json::from_str(&session).unwrap();
    let mut counts = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry["dir"] == "s2c") {
        let text = entry["raw"].as_str().unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        let message = Message::parse(text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(value["m"], kind(&message));
        if let Some(written) = written(&message) {
            assert_eq!(written, value);
        }
        *counts.entry(kind(&message)).or_insert(0) += 1;
    }
    let expected = [("connected", 1), ("depth", 277), ("depth-snapshot", 10), ("ping", 2), ("sub", 20), ("trades", 3)];
    assert_eq!(counts, expected.into());
}
