//! Recorded sessions played by the sandbox, seen by a client that knows nothing of the crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw.rs"]
mod raw;

use std::collections::BTreeMap;
use std::path::Path;

use bitmax::sandbox::{Sandbox, SandboxError, Speed};
use raw::Stream;
use serde_json::Value;

const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/session-small.json");
const SMALL_BOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/session-small.expected.json");

/// What the client of a recording said, and what its server said.
fn recorded(path: &Path) -> (Vec<String>, Vec<String>) {
    let entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let said = |dir: &str| {
        let entries = entries.iter().filter(|entry| entry["dir"] == dir);
        entries.map(|entry| entry["raw"].as_str().unwrap().to_owned()).collect()
    };
    (said("c2s"), said("s2c"))
}

/// Messages by kind, and by symbol for those that have one, in order.
fn by_channel(texts: &[String]) -> BTreeMap<(String, String), Vec<&str>> {
    let mut channels: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for text in texts {
        let json: Value = serde_json::from_str(text).unwrap();
        let m = json["m"].as_str().unwrap().replace("depth-snapshot", "depth");
        let symbol = json["symbol"].as_str().or(json["ch"].as_str()).unwrap_or_default().to_owned();
        channels.entry((m, symbol)).or_default().push(text);
    }
    channels
}

/// Says what the recorded client said and expects what the recorded server said, in the order of each channel.
fn replay_gives_what_was_recorded(path: &Path) -> Vec<String> {
    let sandbox = Sandbox::builder().replay(path).speed(Speed::Max).start().unwrap();
    let (client, server) = recorded(path);
    let mut stream = Stream::upgrade(sandbox.port(), "/1/api/pro/v1/stream");
    for text in client.iter().filter(|text| !text.contains("pong")) {
        stream.send(text);
    }
    let received: Vec<String> = (0..server.len()).map(|_| stream.text()).collect();
    assert_eq!(by_channel(&received), by_channel(&server));
    // That was all, exactly once: what comes next is the answer to a new question.
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong");
    received
}

/// The book that snapshot and changes give, by the rules of the reference.
fn book(texts: &[String], symbol: &str) -> (u64, BTreeMap<String, String>, BTreeMap<String, String>) {
    let messages: Vec<Value> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let of = |m: &str| messages.iter().filter(|x| x["m"] == m && x["symbol"] == symbol).collect::<Vec<_>>();
    let snapshot = of("depth-snapshot")[0];
    let start = snapshot["data"]["seqnum"].as_u64().unwrap();
    let mut sides = [BTreeMap::new(), BTreeMap::new()];
    let changes = of("depth").into_iter().filter(|change| change["data"]["seqnum"].as_u64().unwrap() > start);
    let mut seqnum = start;
    for (n, message) in std::iter::once(snapshot).chain(changes).enumerate() {
        let data = &message["data"];
        assert_eq!(data["seqnum"].as_u64().unwrap(), seqnum + u64::from(n > 0));
        seqnum = data["seqnum"].as_u64().unwrap();
        for (side, levels) in sides.iter_mut().zip([&data["bids"], &data["asks"]]) {
            for level in levels.as_array().unwrap() {
                let (price, size) = (level[0].as_str().unwrap().to_owned(), level[1].as_str().unwrap().to_owned());
                if size == "0" {
                    side.remove(&price)
                } else {
                    side.insert(price, size)
                };
            }
        }
    }
    let [bids, asks] = sides;
    (seqnum, bids, asks)
}

#[test]
fn a_small_session_is_played_whole_and_gives_its_books() {
    let texts = replay_gives_what_was_recorded(Path::new(SMALL));
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(SMALL_BOOKS).unwrap()).unwrap();
    for (symbol, expected) in expected.as_object().unwrap() {
        let levels = |side: &str| -> BTreeMap<String, String> {
            let levels = expected[side].as_array().unwrap().iter();
            levels.map(|l| (l[0].as_str().unwrap().to_owned(), l[1].as_str().unwrap().to_owned())).collect()
        };
        let (seqnum, bids, asks) = book(&texts, symbol);
        assert_eq!((bids, asks), (levels("bids"), levels("asks")), "{symbol}");
        assert_eq!(Some(seqnum), expected["seqnum"].as_u64());
    }
}

#[test]
fn the_recorded_session_is_played_whole() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded/session-spot-2021-04-17.json");
    if !path.exists() {
        return eprintln!("skipped: no recording at ../shared/recorded");
    }
    assert_eq!(replay_gives_what_was_recorded(&path).len(), 313);
}

#[test]
fn every_client_is_played_the_whole_session_at_its_own_pace() {
    let sandbox = Sandbox::builder().replay(SMALL).speed(Speed::Max).start().unwrap();
    let mut idle = Stream::open(sandbox.port());
    let mut one = Stream::open(sandbox.port());
    one.send(r#"{"op":"sub","ch":"trades:BTC/USDT"}"#);
    let first = one.next("trades");
    // Nothing comes to one who has not subscribed.
    assert_eq!(idle.ask(r#"{"op":"ping"}"#)["m"], "pong");
    idle.send(r#"{"op":"sub","ch":"trades:BTC/USDT"}"#);
    assert_eq!(idle.next("trades"), first);
}

#[test]
fn a_snapshot_that_was_not_recorded_is_refused() {
    let sandbox = Sandbox::builder().replay(SMALL).speed(Speed::Max).start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    let ask = r#"{"op":"req","id":"q","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#;
    stream.send(r#"{"op":"sub","ch":"depth:BTC/USDT"}"#);
    stream.send(ask);
    stream.next("depth-snapshot");
    stream.send(ask);
    let refusal = stream.next("error");
    assert_eq!((&refusal["id"], &refusal["code"]), (&"q".into(), &100_002.into()));
}

#[test]
fn recorded_time_can_be_moved_by_hand() {
    let (_, server) = recorded(Path::new(SMALL));
    let sandbox = Sandbox::builder().replay(SMALL).start_time(1_700_000_000_000).start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"sub","ch":"trades:BTC/USDT,ETH/USDT"}"#);
    stream.next("sub");
    stream.next("sub");
    // Without time nothing moves.
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["ts"], 1_700_000_000_000_u64);
    sandbox.advance(std::time::Duration::from_secs(60));
    let wanted = |text: &&String| text.contains(r#""m":"trades""#) || text.contains(r#""m":"ping""#);
    for expected in server.iter().filter(wanted) {
        assert_eq!(&stream.text(), expected);
    }
}

#[test]
fn damaged_or_missing_recordings_are_refused() {
    let start = |text: &str| Sandbox::builder().replay_text(text).start();
    let error = start(r#"[{"t":1,"dir":"s2c","raw":"{}""#).unwrap_err();
    assert!(matches!(&error, SandboxError::InvalidRecording { path: None, reason, .. } if reason.contains("line 1")));
    let error = Sandbox::builder().replay("/nowhere/at/all.json").start().unwrap_err();
    assert!(matches!(&error, SandboxError::ReadRecording { .. }));
    assert!(error.to_string().contains("/nowhere/at/all.json"));
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = Sandbox::builder().speed(Speed::Times(speed)).start().unwrap_err();
        assert!(matches!(error, SandboxError::InvalidSetting { field: "speed", .. }));
    }
}
