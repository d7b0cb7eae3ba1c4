//! A recorded session played without a socket, as a program would play it: from the file's texts, which are read
//! beforehand, to events, and on into order books. Against `serde_json::Value`, which is how one plays a recording without
//! this crate, on the same texts.
//!
//! The session is the recorded one where that is at `../shared/recorded`, else the small one of the tests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::mpsc;

use bitmax::{Client, Direction, Endpoint, Event, Message, OrderBook, Recording};
use serde_json::Value;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real = root.join("../shared/recorded/session-spot-2021-04-17.json");
    let path = if real.exists() { real } else { root.join("tests/fixtures/session-small.json") };
    let client = Client::builder(Endpoint::new("http://127.0.0.1:1", "ws://127.0.0.1:1").unwrap()).build().unwrap();

    let (seen, texts) = mpsc::channel();
    let tap = move |direction, text: &str, _| {
        if direction == Direction::Received {
            seen.send(text.to_owned()).unwrap();
        }
    };
    let stream = client.stream().replay(&Recording::open(&path).unwrap()).tap(tap).connect().unwrap();
    assert!(stream.iter().count() > 20);
    drop(stream);
    let once: Vec<String> = texts.iter().collect();
    // Few enough that a turn is over before the system turns to something else.
    let texts: Vec<&str> = once.iter().map(String::as_str).cycle().take(once.len().max(300)).collect();
    let file: String = texts.iter().map(|raw| entry(raw)).collect();
    let recording = Recording::parse(&file).unwrap();
    let bytes: usize = texts.iter().map(|text| text.len()).sum();

    let events = |each: &mut dyn FnMut(Event)| {
        let stream = client.stream().replay(&recording).connect().unwrap();
        stream.iter().for_each(each);
    };
    if !common::measuring() {
        let mut depths = 0;
        events(&mut |event| depths += usize::from(matches!(event, Event::Depth(_))));
        assert!(depths > texts.len() / 2);
        return;
    }

    let mut play = || {
        let stream = client.stream().replay(&recording).connect().unwrap();
        stream.iter().for_each(|event| drop(black_box(event)));
    };
    let mut books = || {
        let mut books = HashMap::new();
        events(&mut |event| {
            if let Event::Depth(depth) = event {
                let book = books.entry(depth.symbol).or_insert_with(|| OrderBook::new(depth.symbol));
                drop(black_box(book.apply(&depth)));
            }
        });
    };
    let mut decode = || texts.iter().for_each(|text| drop(black_box(Message::parse(text))));
    let mut value = || texts.iter().for_each(|text| drop(black_box(serde_json::from_str::<Value>(text))));
    let mut read = || drop(black_box(Recording::parse(&file)));
    let ns = common::medians([&mut play, &mut books, &mut decode, &mut value, &mut read]);
    let each = ns.map(|ns| ns / texts.len() as f64);
    common::report();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    println!("{name}: {} messages of {} bytes", texts.len(), bytes / texts.len());
    println!("{:<44}{:>12}{:>18}", "", "ns/message", "messages/s");
    let names =
        ["played: events", "played: events into books", "decoded alone", "serde_json::Value", "read from the file"];
    for (name, ns) in names.iter().zip(each) {
        println!("{name:<44}{ns:>12.0}{:>18.0}", 1e9 / ns);
    }
    common::ratio("replay: `Value` alone / ours to events", each[3] / each[0], "");
    common::ratio("replay: messages a second / 1 000 000", 1000.0 / each[0], "≥ 1.0");
}

/// A line of a recording.
fn entry(raw: &str) -> String {
    format!("{}\n", serde_json::json!({"t": 1, "dir": "s2c", "raw": raw}))
}
