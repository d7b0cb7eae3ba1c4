//! Recorded sessions played through the sandbox's socket: every message is what it is, and the book comes out right.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use bitmax::model::{DepthKind, Level};
use bitmax::sandbox::{Sandbox, Speed};
use bitmax::{Channel, Client, Direction, Endpoint, Event, Message, OrderBook, Recording, Symbol};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a recorded session asks for: the channels of its `sub`s, and the symbols of its snapshots.
struct Asked {
    channels: Vec<Channel>,
    symbols: Vec<Symbol>,
}

fn asked_in(recording: &str) -> Asked {
    let entries: Vec<serde_json::Value> = serde_json::from_str(recording).unwrap();
    let mut asked = Asked { channels: Vec::new(), symbols: Vec::new() };
    for entry in entries.iter().filter(|entry| entry["dir"] == "c2s") {
        let message: serde_json::Value = serde_json::from_str(entry["raw"].as_str().unwrap()).unwrap();
        match message["op"].as_str().unwrap() {
            "sub" => asked.channels.push(message["ch"].as_str().unwrap().parse().unwrap()),
            "req" => asked.symbols.push(message["args"]["symbol"].as_str().unwrap().try_into().unwrap()),
            _ => {}
        }
    }
    asked
}

/// Plays a session and follows it: the server's messages by kind, and the books at the end.
fn play(file: &Path, messages: usize) -> (BTreeMap<String, usize>, BTreeMap<Symbol, OrderBook>) {
    let asked = asked_in(&std::fs::read_to_string(file).unwrap());
    let sandbox = Sandbox::builder().replay(file).speed(Speed::Max).start().unwrap();
    let client = Client::builder(sandbox.endpoint()).build().unwrap();
    let (received, texts) = mpsc::channel();
    let tap = move |direction, text: &str, _| {
        if direction == Direction::Received {
            received.send(text.to_owned()).unwrap();
        }
    };
    let builder = asked.channels.into_iter().fold(client.stream().tap(tap), bitmax::StreamBuilder::subscribe);
    let stream = builder.connect().unwrap();
    for symbol in &asked.symbols {
        stream.request_snapshot(symbol).unwrap();
    }

    let mut kinds = BTreeMap::new();
    for _ in 0..messages {
        let text = texts.recv_timeout(PATIENCE).expect("another message");
        let kind = match Message::parse(&text).unwrap() {
            Message::Connected { .. } => "connected",
            Message::Subscribed(ack) if ack.refusal.is_none() => "sub",
            Message::Depth(depth) if depth.kind == DepthKind::Change => "depth",
            Message::Depth(depth) if depth.kind == DepthKind::Snapshot => "depth-snapshot",
            Message::Trades(_) => "trades",
            Message::Ping { .. } => "ping",
            other => panic!("{other:?}"),
        };
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }

    // The events of all these messages are there, or come at once.
    let mut books: BTreeMap<Symbol, OrderBook> = asked.symbols.iter().map(|s| (*s, OrderBook::new(*s))).collect();
    let mut left = kinds["depth"] + kinds["depth-snapshot"] + kinds["trades"] + kinds["sub"] + 1;
    while left > 0 {
        match stream.recv_timeout(PATIENCE).expect("another event") {
            Event::Depth(depth) => {
                let book = books.get_mut(&depth.symbol).unwrap();
                book.apply(&depth).unwrap();
                assert!(
                    !matches!(book.status(), bitmax::BookStatus::Stale(_)),
                    "{}: {:?}",
                    book.symbol(),
                    book.status()
                );
            }
            Event::Trades(_) | Event::Subscribed(_) | Event::Connected { .. } => {}
            other => panic!("{other:?}"),
        }
        left -= 1;
    }
    assert!(books.values().all(OrderBook::is_live));
    (kinds, books)
}

/// The books that the session gives without a socket.
fn books_of(file: &Path) -> BTreeMap<Symbol, OrderBook> {
    let client = Client::builder(Endpoint::new("http://127.0.0.1:1", "ws://127.0.0.1:1").unwrap()).build().unwrap();
    let play = || client.stream().replay(&Recording::open(file).unwrap()).connect().unwrap();
    let mut made = BTreeMap::new();
    for event in &play() {
        if let Event::Depth(depth) = event {
            made.entry(depth.symbol).or_insert_with(|| OrderBook::new(depth.symbol)).apply(&depth).unwrap();
        }
    }
    // The books that the stream keeps are the same, and their messages are no events then.
    let stream = play();
    let kept = stream.books(Channel::depth(made.keys())).unwrap();
    assert!(!stream.iter().any(|event| matches!(event, Event::Depth(_))));
    for book in kept {
        let (top, made) = (book.top(usize::MAX), &made[&book.symbol()]);
        assert!(top.is_live() && top.bids().eq(made.bids()) && top.asks().eq(made.asks()));
    }
    made
}

/// Plays a session to a stream that keeps the books itself: they end as those that were made of its events.
fn keep(file: &Path, made: &BTreeMap<Symbol, OrderBook>) {
    let sandbox = Sandbox::builder().replay(file).speed(Speed::Max).start().unwrap();
    let client = Client::builder(sandbox.endpoint()).build().unwrap();
    let stream = client.stream().connect().unwrap();
    for mut book in stream.books(Channel::depth(made.keys())).unwrap() {
        let made = &made[&book.symbol()];
        let mut kept = book.top(usize::MAX);
        while kept.seqnum() != made.seqnum() {
            assert!(book.wait(PATIENCE).unwrap(), "{book:?}");
            kept = book.top(usize::MAX);
        }
        assert_eq!(kept.bids().collect::<Vec<_>>(), made.bids().collect::<Vec<_>>());
        assert_eq!(kept.asks().collect::<Vec<_>>(), made.asks().collect::<Vec<_>>());
    }
}

fn json(file: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn assert_book(book: &OrderBook, seqnum: &serde_json::Value, expected: &serde_json::Value) {
    assert_eq!(seqnum.as_u64(), book.seqnum());
    let levels = |side: &str| -> Vec<Level> { serde_json::from_str(&expected[side].to_string()).unwrap() };
    assert_eq!(levels("asks"), book.asks().collect::<Vec<_>>());
    assert_eq!(levels("bids"), book.bids().collect::<Vec<_>>());
}

fn kinds<const N: usize>(kinds: [(&str, usize); N]) -> BTreeMap<String, usize> {
    kinds.map(|(kind, count)| (kind.to_owned(), count)).into()
}

#[test]
fn the_recorded_session_gives_the_expected_book() {
    let recorded = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded");
    let file = recorded.join("session-spot-2021-04-17.json");
    if !file.exists() {
        println!("skipped: the recorded session is not here");
        return;
    }
    let (counted, books) = play(&file, 313);
    let all = [("connected", 1), ("sub", 20), ("depth", 277), ("depth-snapshot", 10), ("trades", 3), ("ping", 2)];
    assert_eq!(counted, kinds(all));
    keep(&file, &books);
    let expected = json(&recorded.join("book-CHZ-USDT.expected.json"));
    for books in [books, books_of(&file)] {
        assert!(books.len() == 10 && books.values().all(OrderBook::is_live));
        assert_book(&books[&Symbol::new("CHZ/USDT").unwrap()], &expected["final_seqnum"], &expected);
    }
}

#[test]
fn the_small_session_gives_its_book() {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let file = fixtures.join("session-small.json");
    let entries = json(&file);
    let recorded = entries.as_array().unwrap().iter().filter(|entry| entry["dir"] == "s2c");
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for entry in recorded {
        let message: serde_json::Value = serde_json::from_str(entry["raw"].as_str().unwrap()).unwrap();
        *expected.entry(message["m"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let (counted, books) = play(&file, expected.values().sum());
    assert_eq!(counted, expected);
    keep(&file, &books);
    let expected = json(&fixtures.join("session-small.expected.json"));
    assert_eq!(books.len(), expected.as_object().unwrap().len());
    for (symbol, book) in books.iter().chain(&books_of(&file)) {
        let expected = &expected[symbol.as_str()];
        assert_book(book, &expected["seqnum"], expected);
    }
}
