//! Decoding of the stream's messages, against an internally tagged enum of owned strings (what one writes
//! with `serde_json` at first) and against skipping the same bytes (the floor).
//!
//! The samples have the shape and length of recorded ones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::hint::black_box;

use bitmax::Message;
use criterion::Criterion;
use serde::Deserialize;
use serde::de::IgnoredAny;

const BBO: &str = r#"{"m":"bbo","symbol":"BTC/USDT","data":{"ts":1573068442532,"bid":["9309.11","0.0197172"],"ask":["9309.12","0.8851266"]}}"#;
const TRADES: &str = r#"{"m":"trades","symbol":"ABC/USDT","data":[{"p":"0.731805","q":"2210","ts":1618670000732,"bm":true,"seqnum":27772240017}]}"#;
const DEPTH: &str = r#"{"m":"depth","symbol":"ABC/USDT", "data":{"ts":1618670000718,"seqnum":21034300042,"asks":[["0.731805","0"],["0.731806","2210"],["0.7322","677"]],"bids":[["0.731203","415"],["0.7305","0"]]}}"#;

/// About 2.5 kB, as much as the middle one of recorded snapshots.
fn snapshot() -> String {
    let side = |sign: i64| {
        let levels: Vec<String> = (1..=62i64)
            .map(|n| {
                format!(
                    r#"["0.{:06}","{}"]"#,
                    731_500 + sign * (n * n + 37 * n),
                    (n * 7919) % [10_000, 900][n as usize % 2]
                )
            })
            .collect();
        levels.join(",")
    };
    format!(
        r#"{{"m":"depth-snapshot","symbol":"ABC/USDT", "data":{{"ts":1618670000407,"seqnum":21034300040,"asks":[{}],"bids":[{}]}}}}"#,
        side(1),
        side(-1)
    )
}

#[derive(Deserialize)]
#[serde(tag = "m", rename_all = "kebab-case")]
#[allow(dead_code)]
enum Tagged {
    Bbo { symbol: String, data: TaggedBbo },
    Trades { symbol: String, data: Vec<TaggedTrade> },
    Depth { symbol: String, data: TaggedDepth },
    DepthSnapshot { symbol: String, data: TaggedDepth },
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct TaggedBbo {
    ts: u64,
    bid: [String; 2],
    ask: [String; 2],
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct TaggedTrade {
    p: String,
    q: String,
    ts: u64,
    bm: bool,
    seqnum: u64,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct TaggedDepth {
    ts: u64,
    seqnum: u64,
    asks: Vec<[String; 2]>,
    bids: Vec<[String; 2]>,
}

fn typed(text: &str) {
    black_box(Message::parse(black_box(text)).unwrap());
}

fn tagged(text: &str) {
    black_box(serde_json::from_str::<Tagged>(black_box(text)).unwrap());
}

fn skipped(text: &str) {
    black_box(serde_json::from_str::<IgnoredAny>(black_box(text)).unwrap());
}

fn main() {
    let snapshot = snapshot();
    let samples = [("bbo", BBO), ("trades", TRADES), ("depth", DEPTH), ("depth snapshot", &snapshot)];

    let mut criterion = Criterion::default().configure_from_args();
    for (name, text) in samples {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("typed", |b| b.iter(|| typed(text)));
        group.bench_function("tagged enum", |b| b.iter(|| tagged(text)));
        group.bench_function("skipped", |b| b.iter(|| skipped(text)));
        group.finish();
    }
    criterion.final_summary();

    if common::measuring() {
        println!(
            "{:<16}{:>8}{:>12}{:>14}{:>12}{:>16}{:>12}",
            "message", "bytes", "typed, ns", "tagged, ns", "skip, ns", "tagged/typed", "typed/skip"
        );
        for (name, text) in samples {
            let [a, b, c] = common::medians([&mut || typed(text), &mut || tagged(text), &mut || skipped(text)]);
            println!("{name:<16}{:>8}{a:>12.0}{b:>14.0}{c:>12.0}{:>16.2}{:>12.2}", text.len(), b / a, a / c);
        }
    }
}
