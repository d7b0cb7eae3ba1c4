//! Decoding of the stream's messages, against an internally tagged enum of owned strings (what one writes
//! with `serde_json` at first), against `serde_json::Value`, and against skipping the same bytes (the floor).
//!
//! The samples have the shape and length of recorded ones.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::hint::black_box;

use bitmax::Message;
use criterion::Criterion;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

const BBO: &str = r#"{"m":"bbo","symbol":"BTC/USDT","data":{"ts":1573068442532,"bid":["9309.11","0.0197172"],"ask":["9309.12","0.8851266"]}}"#;
const TRADES: &str = r#"{"m":"trades","symbol":"ABC/USDT","data":[{"p":"0.731805","q":"2210","ts":1618670000732,"bm":true,"seqnum":27772240017}]}"#;
const DEPTH: &str = r#"{"m":"depth","symbol":"ABC/USDT", "data":{"ts":1618670000718,"seqnum":21034300042,"asks":[["0.731805","0"],["0.731806","2210"],["0.7322","677"]],"bids":[["0.731203","415"],["0.7305","0"]]}}"#;
const BAR: &str = r#"{"m":"bar","s":"BTC/USDT","data":{"i":"1","ts":1575398940000,"o":"0.04993","c":"0.04970","h":"0.04993","l":"0.04970","v":"8052"}}"#;
const ORDER: &str = r#"{"m":"order","accountId":"cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo","ac":"CASH","data":{"s":"BTC/USDT","sn":8159711,"sd":"Buy","ap":"0","bab":"2006.5974027","btb":"2006.5974027","cf":"0","cfq":"0","err":"","fa":"USDT","orderId":"s16ef210b1a50866943712bfaf1584b","ot":"Market","p":"7967.62","q":"0.0083","qab":"793.23","qtb":"860.23","sp":"","st":"New","t":1576019215402,"ei":"NULL_VAL"}}"#;
const BALANCE: &str = r#"{"m":"balance","accountId":"cshQtyfq8XLAA9kcf19h8bXHbAwwoqDo","ac":"CASH","data":{"a":"USDT","sn":8159798,"tb":"600","ab":"600"}}"#;

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
#[allow(dead_code, clippy::large_enum_variant)]
enum Tagged {
    Bbo {
        symbol: String,
        data: TaggedBbo,
    },
    Bar {
        s: String,
        data: TaggedBar,
    },
    #[serde(rename_all = "camelCase")]
    Order {
        account_id: String,
        ac: String,
        data: TaggedOrder,
    },
    #[serde(rename_all = "camelCase")]
    Balance {
        account_id: String,
        ac: String,
        data: TaggedBalance,
    },
    Trades {
        symbol: String,
        data: Vec<TaggedTrade>,
    },
    Depth {
        symbol: String,
        data: TaggedDepth,
    },
    DepthSnapshot {
        symbol: String,
        data: TaggedDepth,
    },
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
struct TaggedBar {
    i: String,
    ts: u64,
    o: String,
    c: String,
    h: String,
    l: String,
    v: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
#[serde(rename_all = "camelCase")]
struct TaggedOrder {
    s: String,
    sn: u64,
    sd: String,
    ap: String,
    bab: String,
    btb: String,
    cf: String,
    cfq: String,
    err: String,
    fa: String,
    order_id: String,
    ot: String,
    p: String,
    q: String,
    qab: String,
    qtb: String,
    sp: String,
    st: String,
    t: u64,
    ei: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct TaggedBalance {
    a: String,
    sn: u64,
    tb: String,
    ab: String,
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

fn value(text: &str) {
    black_box(serde_json::from_str::<Value>(black_box(text)).unwrap());
}

fn skipped(text: &str) {
    black_box(serde_json::from_str::<IgnoredAny>(black_box(text)).unwrap());
}

fn main() {
    let snapshot = snapshot();
    // With what typed decoding takes, at most, of what skipping takes.
    let samples = [
        ("bbo", BBO, 2.0),
        ("trades", TRADES, 2.0),
        ("bar", BAR, 2.0),
        ("depth", DEPTH, 2.5),
        ("depth snapshot", &snapshot, 2.8),
        ("order", ORDER, 2.0),
        ("balance", BALANCE, 2.0),
    ];

    let mut criterion = Criterion::default().configure_from_args();
    for (name, text, _) in samples {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("typed", |b| b.iter(|| typed(text)));
        group.bench_function("tagged enum", |b| b.iter(|| tagged(text)));
        group.bench_function("Value", |b| b.iter(|| value(text)));
        group.bench_function("skipped", |b| b.iter(|| skipped(text)));
        group.finish();
    }
    criterion.final_summary();

    if common::measuring() {
        common::report();
        println!(
            "{:<16}{:>8}{:>12}{:>14}{:>12}{:>12}",
            "message", "bytes", "typed, ns", "tagged, ns", "Value, ns", "skip, ns"
        );
        let mut ratios = Vec::new();
        for (name, text, bound) in samples {
            let [a, b, c, d] =
                common::medians([&mut || typed(text), &mut || tagged(text), &mut || value(text), &mut || {
                    skipped(text)
                }]);
            println!("{name:<16}{:>8}{a:>12.0}{b:>14.0}{c:>12.0}{d:>12.0}", text.len());
            ratios.push((name, bound, [a / d, b / a, c / a]));
        }
        for (name, bound, [skip, tagged, value]) in ratios {
            common::ratio(&format!("decode `{name}`: typed / skipped"), skip, &format!("≤ {bound:.1}"));
            common::ratio(&format!("decode `{name}`: tagged enum / typed"), tagged, "≥ 2.5");
            common::ratio(&format!("decode `{name}`: `Value` / typed"), value, "");
        }
    }
}
