//! The examples from outside: each is run, against the exchange inside it, and what it prints and how it ends is looked
//! at; and the parts that they share.
//!
//! `cargo test` builds the examples; `cargo test --test examples` alone does not: run `cargo build --examples` before.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "../examples/support/calendar.rs"]
mod calendar;
#[path = "../examples/support/ladder.rs"]
mod ladder;
#[path = "../examples/support/picture.rs"]
mod picture;
#[path = "../examples/market_maker/quotes.rs"]
mod quotes;
#[path = "../examples/support/screen.rs"]
#[allow(dead_code, reason = "nothing is drawn here")]
mod screen;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bitmax::model::Depth;
use bitmax::{Date, OrderBook, Symbol};
use proptest::prelude::*;
use support::example;

/// However loaded the machine is, no example takes longer.
const AT_MOST: Duration = Duration::from_secs(180);

/// A file of a test's own.
fn file(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("examples-{}-{name}", std::process::id()));
    drop(std::fs::remove_file(&path));
    path
}

/// Runs an example to its end; what it printed.
fn run(name: &str, args: &[&str]) -> String {
    run_until(name, args, |_, _| {})
}

/// As [`run`]; `act` hears the process's id, and where its output is.
fn run_until(name: &str, args: &[&str], act: impl FnOnce(u32, &Path)) -> String {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let (out, err) = (file(&format!("{name}-{run}.out")), file(&format!("{name}-{run}.err")));
    let mut child = Command::new(example(name))
        .args(args)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&out).unwrap())
        .stderr(std::fs::File::create(&err).unwrap())
        .spawn()
        .unwrap();
    act(child.id(), &out);
    let end = Instant::now() + AT_MOST;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{name} does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (out, err) = (std::fs::read_to_string(out).unwrap(), std::fs::read_to_string(err).unwrap());
    assert!(status.success(), "{name}: {status}\n{out}{err}");
    assert_eq!(err, "", "{name}");
    out
}

#[test]
fn candles_reads_any_range_and_draws_it() {
    let (csv, svg) = (file("candles.csv"), file("candles.svg"));
    let files = ["--csv", csv.to_str().unwrap(), "--svg", svg.to_str().unwrap()];
    let range = ["BTC/USDT", "60", "--from", "2026-06-01", "--to", "2026-07-01"];
    let out = run("candles", &[&range[..], &files].concat());
    assert!(out.starts_with("720 bars of BTC/USDT, 2026-06-01 00:00 to 2026-06-30 23:00 UTC\n"), "{out}");
    let rows = std::fs::read_to_string(csv).unwrap();
    let mut rows = rows.lines();
    assert_eq!(rows.next(), Some("start,time,open,high,low,close,volume"));
    let starts: Vec<u64> = rows.map(|row| row.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(starts, (0..720).map(|n| 1_780_272_000_000 + n * 3_600_000).collect::<Vec<u64>>());
    // The picture of the documentation is this one: made again by `--svg docs/chart.svg` and this range.
    let drawn = std::fs::read_to_string(svg).unwrap();
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/chart.svg")).unwrap();
    assert_eq!(drawn, kept);
}

#[test]
fn order_book_ends_with_a_ladder() {
    let svg = file("ladder.svg");
    let out = run("order_book", &["ETH/USDT", "--levels", "3", "--seconds", "3", "--svg", svg.to_str().unwrap()]);
    let lines: Vec<&str> = out.lines().collect();
    // Two lines of head, three asks, the middle, three bids, the summary.
    assert_eq!(lines.len(), 10, "{out}");
    assert!(lines[0].starts_with("ETH/USDT ") && lines[5].contains(" spread "), "{out}");
    let price = |line: &str| line.split_whitespace().next().unwrap().parse::<f64>().unwrap();
    let prices: Vec<f64> = lines[2..9].iter().map(|line| price(line)).collect();
    assert!(prices.is_sorted_by(|above, below| above > below), "{out}");
    assert!(lines[9].ends_with(" changes in 3 s"), "{out}");
    assert!(std::fs::read_to_string(svg).unwrap().contains("<rect"));
}

/// Asserts that these stand in a text, one after another.
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { panic!("{part:?} is missing, or comes too soon:\n{text}") };
        rest = after;
    }
}

#[test]
fn place_order_leaves_nothing_open() {
    let out = run("place_order", &[]);
    let parts = [
        "not sent: invalid orderPrice",
        "orderQty: 0.0123456789 becomes 0.01234",
        "it needs 370.5702 USDT",
        "New at 30000",
        "stream: Canceled, 0 of 0.01234 traded",
        "stream: Filled, 0.01 of 0.01 traded",
        " USDT\n4.",
        "it is there, once",
        "cancelled",
        "open orders: 0\n",
    ];
    in_order(&out, &parts);
}

#[test]
fn account_shows_balances_fees_and_the_ledger() {
    let out = run("account", &[]);
    in_order(&out, &["view, trade, transfer", "\nBTC  ", "2.1", "\nfees  ", "\nBTC/USDT", " %", "\nledger of "]);
    // The trades made 2.1 BTC of 2, and 18.5 ETH of 20; the day may have begun between.
    in_order(&out, &["\nledger of ", "BTC "]);
    in_order(&out, &["\nledger of ", "ETH ", "18.5"]);
}

#[test]
fn reconnect_mends_each_fault() {
    let out = run("reconnect", &[]);
    let parts = [
        "\n1.",
        "disconnected: ",
        "in vain: HTTP status 502",
        "in vain: HTTP status 502",
        "reconnected after ",
        "book: live",
        "order: ",
        "\n2.",
        "book: Stale(Gap ",
        "book: live",
        "\n3.",
        "after 2 answers of 503",
        "\n4.",
        "may have executed: true",
        "placed, once, and that is certain",
        "open orders: 3\n",
        "reconnections of the stream: 1\n",
    ];
    in_order(&out, &parts);
}

#[test]
fn record_replay_hears_the_same_three_times() {
    let kept = file("session.jsonl");
    let out = run("record_replay", &["--seconds", "2", "--keep", kept.to_str().unwrap()]);
    in_order(&out, &["recorded: ", " 0 missed\n", "live", "bbo", "depth", "trades", "best bid", "the same events"]);
    let row = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().rev().take(3).map(str::to_owned).collect::<Vec<_>>()
    };
    for name in ["bbo", "depth", "best bid"] {
        let cells = row(name);
        assert!(cells.iter().all(|cell| *cell == cells[0] && cell != "0" && cell != "-"), "{out}");
    }
    assert!(bitmax::Recording::open(kept).unwrap().duration() >= Duration::from_secs(1));
}

#[test]
fn market_maker_leaves_nothing_on_the_book() {
    let svg = file("maker.svg");
    let args = ["--seconds", "6", "--speed", "5", "--svg", svg.to_str().unwrap()];
    let out = run("market_maker", &args);
    in_order(&out, &["until its time was over", "profit", " placed", "left open 0\n"]);
    assert!(!out.contains(" 0 placed"), "{out}");
    let drawn = std::fs::read_to_string(svg).unwrap();
    assert!(drawn.contains(">market maker  BTC/USDT<"));
    // A loss that is there from the beginning.
    let out = run("market_maker", &["--max-loss=-1"]);
    in_order(&out, &["until the greatest loss", "left open 0\n"]);
}

#[cfg(unix)]
#[test]
fn market_maker_withdraws_its_quotes_when_interrupted() {
    let out = run_until("market_maker", &["--seconds", "3600"], |child, out| {
        let end = Instant::now() + AT_MOST;
        while !std::fs::read_to_string(out).unwrap().contains("Ctrl-C") {
            assert!(Instant::now() < end, "it does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        let interrupted = Command::new("kill").args(["-INT", &child.to_string()]).status().unwrap();
        assert!(interrupted.success());
    });
    in_order(&out, &["until interrupted", "left open 0\n"]);
}

proptest! {
    #[test]
    fn quotes_keep_to_the_greatest_position(
        mid in 1_000i64..100_000_000,
        position in -2_000i64..=2_000,
        half_spread in 1i64..1_000,
        size in 1i64..3_000,
    ) {
        let d = bitmax::Decimal::new;
        let quoting = quotes::Quoting {
            half_spread: d(half_spread, 5),
            size: d(size, 3),
            max_position: d(2, 0),
            tick_size: d(1, 2),
            lot_size: d(1, 3),
            min_notional: d(5, 0),
        };
        let (mid, position) = (d(mid, 2), d(position, 3));
        let [bid, ask] = quoting.quotes(mid, position);
        for quote in [bid, ask].into_iter().flatten() {
            prop_assert!((quote.price % quoting.tick_size).is_zero() && (quote.size % quoting.lot_size).is_zero());
            prop_assert!(quote.price > d(0, 0) && quote.size > d(0, 0) && quote.price * quote.size >= d(5, 0));
            prop_assert!(!quoting.is_stale(quote.price, quote.price));
        }
        prop_assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid.price < ask.price));
        // With the greatest position it leans as far as to the middle.
        if let Some(bid) = bid {
            prop_assert!(bid.price <= mid && position + bid.size <= quoting.max_position);
        }
        if let Some(ask) = ask {
            prop_assert!(ask.price >= mid && position - ask.size >= -quoting.max_position);
        }
        // The more there is, the lower both.
        let [more_bid, more_ask] = quoting.quotes(mid, position + d(1, 1));
        prop_assert!(more_bid.zip(bid).is_none_or(|(more, less)| more.price <= less.price));
        prop_assert!(more_ask.zip(ask).is_none_or(|(more, less)| more.price <= less.price));
    }

    #[test]
    fn days_begin_where_the_calendar_says(day in 0u64..60_000) {
        let start = day * 86_400_000;
        let text = calendar::minute(start);
        let (date, minute) = text.split_once(' ').unwrap();
        prop_assert_eq!(minute, "00:00");
        prop_assert_eq!(calendar::start_of(Date::new(date).unwrap()), start);
        let end = calendar::time(start + 86_399_999);
        prop_assert_eq!(end, format!("{date} {}", calendar::clock(start + 86_399_999)));
        prop_assert_eq!(calendar::clock(start + 86_399_999), "23:59:59.999");
    }

    #[test]
    fn a_ladder_is_as_wide_as_the_screen_and_no_wider(
        levels in proptest::collection::vec((1u64..1_000_000, 1u64..1_000_000_000), 1..30),
        price_scale in 0u32..8,
        size_scale in 0u32..8,
        width in 20usize..220,
    ) {
        let side = |below: bool| -> Vec<String> {
            let level = |(price, size): &(u64, u64)| {
                let price = if below { 1_000_000 - price } else { 1_000_000 + price };
                let price = bitmax::Decimal::new(i64::try_from(price.max(1)).unwrap(), price_scale);
                let size = bitmax::Decimal::new(i64::try_from(*size).unwrap(), size_scale);
                format!(r#"["{price}","{size}"]"#)
            };
            levels.iter().map(level).collect()
        };
        let depth = format!(
            r#"{{"m":"depth-snapshot","symbol":"BTC/USDT","data":{{"seqnum":7,"ts":1573069021376,"asks":[{}],"bids":[{}]}}}}"#,
            side(false).join(","),
            side(true).join(","),
        );
        let mut book = OrderBook::new(Symbol::new("BTC/USDT").unwrap());
        let depth: Depth = serde_json::from_str(&depth).unwrap();
        book.apply(&depth).unwrap();
        let lines = ladder::ladder(&book, 10, width);
        prop_assert!(book.is_live() && lines.len() > 4);
        for line in &lines {
            prop_assert!(line.show(width).chars().count() <= width);
        }
        // Where there is room for the figures, the largest size has the longest bar: to the right edge.
        let widest = lines.iter().map(screen::Line::width).max().unwrap();
        prop_assert!(width < 70 || widest == width.min(120), "{widest} of {width}");
        prop_assert!(picture::svg(&lines, width).ends_with("</svg>\n"));
    }
}
