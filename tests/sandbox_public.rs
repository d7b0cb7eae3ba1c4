//! The sandbox's public calls and channels, row by row of the protocol reference, asked by clients that know nothing
//! of the crate.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw.rs"]
mod raw;

use std::collections::BTreeMap;
use std::time::Duration;

use bitmax::Decimal;
use bitmax::model::AccountCategory;
use bitmax::sandbox::{OrderRequest, Sandbox, UserOptions};
use raw::{Http, Stream};
use serde_json::{Value, json};

const START: u64 = 1_700_000_012_345;
const PRODUCTS: usize = 20;

/// A sandbox whose time stands still until it is moved, and which answers at once.
fn still() -> Sandbox {
    Sandbox::builder().start_time(START).snapshot_delay(Duration::ZERO).start().unwrap()
}

fn fixture(name: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Everything that the sample has is there, and of the same type; lists by their first item.
fn has_shape_of(answer: &Value, sample: &Value) {
    match (answer, sample) {
        (Value::Object(answer), Value::Object(sample)) => {
            for (name, sample) in sample {
                has_shape_of(answer.get(name).unwrap_or_else(|| panic!("{name} is missing: {answer:?}")), sample);
            }
        }
        (Value::Array(answer), Value::Array(sample)) => {
            if let Some(sample) = sample.first() {
                assert!(!answer.is_empty());
                answer.iter().for_each(|answer| has_shape_of(answer, sample));
            }
        }
        _ => assert_eq!(std::mem::discriminant(answer), std::mem::discriminant(sample), "{answer} {sample}"),
    }
}

fn number(value: &Value) -> Decimal {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no string"));
    assert!(!text.contains(['e', 'E']) && !text.ends_with('.') && !text.is_empty(), "{text}");
    text.parse().unwrap()
}

fn levels(side: &Value) -> Vec<(Decimal, Decimal)> {
    side.as_array().unwrap().iter().map(|level| (number(&level[0]), number(&level[1]))).collect()
}

// --- A market without participants ---

#[test]
fn a_quiet_market_is_what_users_make_of_it() {
    let sandbox = Sandbox::builder().quiet().start_time(START).start().unwrap();
    let mut http = Http::connect(sandbox.port());
    let (depth, trades) = ("/api/pro/v1/depth?symbol=BTC/USDT", "/api/pro/v1/trades?symbol=BTC/USDT");
    let mut rows = |path| http.get(path).data()["data"].clone();
    let user = sandbox.user();
    user.place(&OrderRequest::sell("BTC/USDT", 1).limit(90_000)).unwrap();
    user.place(&OrderRequest::buy("BTC/USDT", 2).limit(10)).unwrap();
    sandbox.advance(Duration::from_secs(59 * 60));
    assert_eq!(rows(trades), json!([]));
    let book = rows(depth);
    assert_eq!((&book["asks"], &book["bids"]), (&json!([["90000", "1"]]), &json!([["10", "2"]])));
    let other = sandbox.add_user(UserOptions::new());
    other.fund(AccountCategory::Cash, "USDT", 100_000).unwrap();
    other.place(&OrderRequest::buy("BTC/USDT", "0.5")).unwrap();
    let traded = rows(trades);
    assert_eq!(
        (traded.as_array().unwrap().len(), &traded[0]["p"], &traded[0]["q"]),
        (1, &json!("90000"), &json!("0.5"))
    );
}

// --- REST ---

#[test]
fn every_call_answers_as_the_samples_do() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    for (target, sample) in [
        ("/api/pro/v2/assets", "assets-v2"),
        ("/api/pro/v1/cash/products", "products-cash"),
        ("/api/pro/v1/margin/products", "products-cash"),
        ("/api/pro/v1/products", "products-v1"),
        ("/api/pro/v1/spot/ticker?symbol=BTC/USDT", "ticker-one"),
        ("/api/pro/v1/ticker?symbol=BTC/USDT,", "ticker-list"),
        ("/api/pro/v1/barhist/info", "bar-intervals"),
        ("/api/pro/v1/barhist?symbol=BTC/USDT&interval=1", "bars"),
        ("/api/pro/v1/depth?symbol=BTC/USDT", "depth"),
        ("/api/pro/v1/trades?symbol=BTC/USDT", "trades"),
        ("/api/pro/v2/risk-limit-info", "risk-limits-v2"),
        ("/api/pro/v1/risk-limit-info", "risk-limits-v1"),
        ("/api/pro/v1/exchange-info?requestTime=1640052379050", "latency"),
    ] {
        let answer = http.get(target);
        assert_eq!(answer.status, 200, "{target}");
        has_shape_of(&answer.json(), &fixture(&format!("rest/{sample}")));
    }
    assert_eq!(http.get("/api/pro/v1/barhist/info").json(), fixture("rest/bar-intervals"));
    assert_eq!(http.get("/api/pro/v2/futures/contract").data(), json!([]));
    let fields =
        ["assetCode", "assetName", "precisionScale", "nativeScale", "withdrawalFee", "minWithdrawalAmt", "status"];
    for asset in http.get("/api/pro/v1/assets").data().as_array().unwrap() {
        assert!(fields.iter().all(|field| asset.get(field).is_some()), "{asset}");
    }
}

#[test]
fn refusals_have_the_codes_of_the_reference() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    for (target, code, reason) in [
        ("/api/pro/v1/spot/ticker?symbol=BTC/USD", 100_008, "SYMBOL_ERROR"),
        ("/api/pro/v1/spot/ticker?symbol=BTC/USDT,NO/USDT", 100_008, "SYMBOL_ERROR"),
        ("/api/pro/v1/depth", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/depth?symbol=", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/depth?symbol=btc/usdt", 100_008, "SYMBOL_ERROR"),
        ("/api/pro/v1/trades", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/trades?symbol=BTC/USDT&n=0", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/trades?symbol=BTC/USDT&n=-1", 100_013, "INVALID_NUM_FORMAT"),
        ("/api/pro/v1/trades?symbol=BTC/USDT&n=x", 100_013, "INVALID_NUM_FORMAT"),
        ("/api/pro/v1/barhist?interval=1", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/barhist?symbol=BTC/USDT", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/barhist?symbol=BTC/USDT&interval=2", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/barhist?symbol=BTC/USDT&interval=1&n=0", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/barhist?symbol=BTC/USDT&interval=1&from=2&to=1", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/barhist?symbol=BTC/USDT&interval=1&from=yesterday", 100_013, "INVALID_NUM_FORMAT"),
        ("/api/pro/v1/exchange-info", 100_006, "INVALID_ARGUMENT"),
        ("/api/pro/v1/exchange-info?requestTime=1.5", 100_013, "INVALID_NUM_FORMAT"),
    ] {
        let answer = http.get(target);
        assert_eq!((answer.status, answer.refusal()), (200, (code, reason.to_owned())), "{target}");
    }
}

#[test]
fn products_are_consistent_with_each_other_and_with_the_assets() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    let assets = http.get("/api/pro/v2/assets").data();
    let known = |asset: &Value| assets.as_array().unwrap().iter().any(|row| &row["assetCode"] == asset);
    let cash = http.get("/api/pro/v1/cash/products").data();
    let margin = http.get("/api/pro/v1/margin/products").data();
    let products = http.get("/api/pro/v1/products").data();
    assert_eq!(products.as_array().unwrap().len(), PRODUCTS);
    for (product, cash) in products.as_array().unwrap().iter().zip(cash.as_array().unwrap()) {
        for name in ["symbol", "tickSize", "lotSize", "minNotional", "maxNotional", "commissionType"] {
            assert_eq!(product[name], cash[name]);
        }
        assert!(known(&product["baseAsset"]) && known(&product["quoteAsset"]), "{product}");
        let on_margin = margin.as_array().unwrap().iter().any(|row| row["symbol"] == product["symbol"]);
        assert_eq!(product["marginTradable"], on_margin);
    }
    assert_eq!(cash[0]["collapseDecimals"], "1,0.1,0.01");
    assert_eq!((&cash[0]["qtyScale"], &cash[0]["priceScale"]), (&json!(5), &json!(2)));
}

#[test]
fn the_ticker_is_an_object_or_a_list() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    let mut symbols = |query: &str| -> Option<Vec<String>> {
        let data = http.get(&format!("/api/pro/v1/spot/ticker{query}")).data();
        let name = |row: &Value| row["symbol"].as_str().unwrap().to_owned();
        data.as_array().map(|rows| rows.iter().map(name).collect())
    };
    assert_eq!(symbols("?symbol=ETH/BTC"), None);
    assert_eq!(symbols("?symbol=ETH/BTC,").unwrap(), ["ETH/BTC"]);
    assert_eq!(symbols("?symbol=ETH%2FBTC,BTC%2FUSDT").unwrap(), ["ETH/BTC", "BTC/USDT"]);
    assert_eq!(symbols("").unwrap().len(), PRODUCTS);
    assert_eq!(symbols("?symbol=").unwrap().len(), PRODUCTS);
}

#[test]
fn tickers_books_trades_and_bars_agree() {
    let sandbox = still();
    sandbox.advance(Duration::from_secs(3));
    let mut http = Http::connect(sandbox.port());
    for ticker in http.get("/api/pro/v1/spot/ticker").data().as_array().unwrap() {
        let symbol = ticker["symbol"].as_str().unwrap();
        let book = http.get(&format!("/api/pro/v1/depth?symbol={symbol}")).data();
        let (asks, bids) = (levels(&book["data"]["asks"]), levels(&book["data"]["bids"]));
        // Time was moved by whole tellings of the depth.
        assert_eq!([&ticker["ask"], &ticker["bid"]], [&book["data"]["asks"][0], &book["data"]["bids"][0]]);
        assert!(asks[0].0 > bids[0].0);
        assert!(asks.windows(2).all(|pair| pair[0].0 < pair[1].0), "asks rise");
        assert!(bids.windows(2).all(|pair| pair[0].0 > pair[1].0), "bids fall");
        assert!(asks.iter().chain(&bids).all(|(_, size)| *size > Decimal::ZERO));
        assert!(asks.len() > 50 && bids.len() > 50, "{symbol}");

        let (open, close) = (number(&ticker["open"]), number(&ticker["close"]));
        let (high, low) = (number(&ticker["high"]), number(&ticker["low"]));
        assert!(low <= open.min(close) && open.max(close) <= high && number(&ticker["volume"]) > Decimal::ZERO);

        let trades = http.get(&format!("/api/pro/v1/trades?symbol={symbol}")).data();
        if let Some(last) = trades["data"].as_array().unwrap().last() {
            assert_eq!(number(&last["p"]), close, "{symbol}");
        }
        let bar = http.get(&format!("/api/pro/v1/barhist?symbol={symbol}&interval=1&n=1")).data()[0].take();
        assert_eq!(number(&bar["data"]["c"]), close);
        assert_eq!(bar["data"]["ts"], (START + 3_000) / 60_000 * 60_000);
    }
}

#[test]
fn trades_rise_and_are_cut_to_the_newest() {
    let sandbox = still();
    sandbox.advance(Duration::from_secs(50));
    let mut http = Http::connect(sandbox.port());
    let mut trades = |n: &str| {
        let data = http.get(&format!("/api/pro/v1/trades?symbol=BTC/USDT{n}")).data();
        assert_eq!((&data["m"], &data["symbol"]), (&json!("trades"), &json!("BTC/USDT")));
        data["data"].as_array().unwrap().clone()
    };
    let all = trades("");
    assert_eq!(all.len(), 100);
    assert_eq!(trades("&n=1000"), all);
    assert_eq!(trades("&n=7"), all[93..]);
    let seqnums: Vec<u64> = all.iter().map(|trade| trade["seqnum"].as_u64().unwrap()).collect();
    assert!(seqnums.windows(2).all(|pair| pair[0] < pair[1]) && seqnums[0] > 1 << 53);
    assert!(all.windows(2).all(|pair| pair[0]["ts"].as_u64() <= pair[1]["ts"].as_u64()));
    assert!(all.iter().any(|trade| trade["bm"] == true) && all.iter().any(|trade| trade["bm"] == false));
}

#[test]
fn bars_follow_the_rules_of_from_to_and_n() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    let mut starts = |query: String| -> Vec<u64> {
        let data = http.get(&format!("/api/pro/v1/barhist?symbol=BTC/USDT&interval=5&{query}")).data();
        let bars = data.as_array().unwrap();
        assert!(bars.iter().all(|bar| bar["m"] == "bar" && bar["s"] == "BTC/USDT" && bar["data"]["i"] == "5"));
        bars.iter().map(|bar| bar["data"]["ts"].as_u64().unwrap()).collect()
    };
    let five = 300_000;
    let now = START / five * five;
    let run = |newest: u64, count: u64| -> Vec<u64> { (0..count).map(|n| newest - n * five).collect() };
    assert_eq!(starts(String::new()), run(now, 10), "ten by default");
    assert_eq!(starts("n=3".into()), run(now, 3));
    assert_eq!(starts("n=100000".into()), run(now, 500), "500 at most");
    assert_eq!(starts(format!("to={}", now - five)), run(now - five, 10), "to holds");
    assert_eq!(starts(format!("from={}", now - 3 * five)), run(now, 4), "from alone: up to now");
    assert_eq!(starts(format!("from={}", now - 3 * five + 1)), run(now, 3), "from is a bar's start");
    assert_eq!(starts(format!("from={}", now - 5_000 * five)), run(now, 500), "from is moved up");
    let range = format!("from={}&to={}", now - 6 * five, now - 2 * five);
    assert_eq!(starts(range.clone()), run(now - 2 * five, 5), "both ends included");
    assert_eq!(starts(format!("{range}&n=2")), run(now - 2 * five, 2), "n gives fewer");
    assert_eq!(starts(format!("{range}&n=50")), run(now - 2 * five, 5), "the range gives fewer");
    assert_eq!(starts(format!("from={}", now + five)), [0; 0], "the future is empty");
    assert_eq!(starts("to=1000".into()), [0; 0], "and so is the distant past");
}

#[test]
fn bars_can_be_paged_through_thousands() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    let mut to = START;
    let mut all: Vec<(u64, Decimal, Decimal)> = Vec::new();
    for _ in 0..8 {
        let data = http.get(&format!("/api/pro/v1/barhist?symbol=DOGE/USDT&interval=1&n=500&to={to}")).data();
        for bar in data.as_array().unwrap() {
            let bar = &bar["data"];
            all.push((bar["ts"].as_u64().unwrap(), number(&bar["o"]), number(&bar["c"])));
        }
        to = all.last().unwrap().0 - 1;
    }
    assert_eq!(all.len(), 4_000);
    assert!(all.windows(2).all(|pair| pair[0].0 == pair[1].0 + 60_000));
    // Before anything was traded here each bar opens where the one before closed.
    assert!(all[2..].windows(2).all(|pair| pair[0].1 == pair[1].2));
    let months = http.get("/api/pro/v1/barhist?symbol=DOGE/USDT&interval=1m&n=500").data();
    assert!(months.as_array().unwrap().len() >= 12);
}

#[test]
fn the_clock_can_be_asked_for() {
    let sandbox = still();
    let latency = raw::get(sandbox.port(), &format!("/api/pro/v1/exchange-info?requestTime={}", START - 40)).data();
    assert_eq!(latency, json!({"requestTimeEcho": START - 40, "requestReceiveAt": START, "latency": 40}));
    let latency = raw::get(sandbox.port(), &format!("/api/pro/v1/exchange-info?requestTime={}", START + 40)).data();
    assert_eq!(latency["latency"], -40);
    let risk = raw::get(sandbox.port(), "/api/pro/v2/risk-limit-info?ip=1.2.3.4").data();
    assert_eq!(risk["ip"], "1.2.3.4");
}

// --- Channels ---

#[test]
fn every_channel_tells_as_the_samples_do() {
    let sandbox = still();
    for (channel, m, sample) in [
        ("bbo:BTC/USDT", "bbo", Some("bbo")),
        ("depth:BTC/USDT", "depth", Some("depth")),
        ("trades:BTC/USDT", "trades", Some("trades")),
        ("bar:1:BTC/USDT", "bar", Some("bar")),
        ("bar:1m:BTC/USDT", "bar", Some("bar")),
        ("summary:BTC/USDT", "summary", None),
        ("ref-px:BTC", "ref-px", None),
    ] {
        let mut stream = Stream::open(sandbox.port());
        let ack = stream.ask(&json!({"op": "sub", "id": "abc123", "ch": channel}).to_string());
        assert_eq!(ack, json!({"m": "sub", "id": "abc123", "ch": channel, "code": 0}));
        sandbox.advance(Duration::from_secs(10));
        let message = stream.next(m);
        if let Some(sample) = sample {
            has_shape_of(&message, &fixture(&format!("ws/{sample}")));
        }
        match m {
            "bar" | "summary" => {
                assert_eq!(message["s"], "BTC/USDT");
                let data = &message["data"];
                let [low, high] = [&data["l"], &data["h"]].map(number);
                assert!(low <= number(&data["o"]) && number(&data["c"]) <= high, "{message}");
            }
            "ref-px" => {
                assert_eq!((&message["symbol"], &message["data"]["qa"]), (&json!("BTC"), &json!("USDT")));
                number(&message["data"]["p"]);
            }
            _ => assert_eq!(message["symbol"], "BTC/USDT"),
        }
    }
}

#[test]
fn a_subscription_to_several_symbols_is_acknowledged_symbol_by_symbol() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"sub","ch":"trades:BTC/USDT,NO/USDT,ETH/USDT"}"#);
    assert_eq!(stream.text(), r#"{"m":"sub","ch":"trades:BTC/USDT","code":0}"#);
    let refused = r#"{"m":"sub","ch":"trades:NO/USDT","code":100008,"reason":"Unable to handle symbol NO/USDT"}"#;
    assert_eq!(stream.text(), refused);
    assert_eq!(stream.text(), r#"{"m":"sub","ch":"trades:ETH/USDT","code":0}"#);
    assert_eq!(stream.ask(r#"{"op":"sub","id":7,"ch":"ref-px:NONE"}"#)["code"], 100_008);
    // A number as an id is echoed as it is.
    assert_eq!(stream.ask(r#"{"op":"sub","id":7,"ch":"trades:XRP/USDT"}"#)["id"], 7);
}

#[test]
fn more_than_ten_symbols_are_an_error_and_none_is_subscribed() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    let symbols = ["BTC/USDT"; 11].join(",");
    let refusal = stream.ask(&json!({"op": "sub", "id": "x", "ch": format!("trades:{symbols}")}).to_string());
    assert_eq!((&refusal["m"], &refusal["id"], &refusal["code"]), (&json!("error"), &json!("x"), &json!(100_005)));
    sandbox.advance(Duration::from_secs(10));
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong");
    stream.send(&json!({"op": "sub", "ch": format!("trades:{}", ["BTC/USDT"; 10].join(","))}).to_string());
    (0..10).for_each(|_| assert_eq!(stream.json()["m"], "sub"));
}

#[test]
fn channels_for_accounts_need_authentication() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    for channel in ["depth-realtime:BTC/USDT", "order:cash"] {
        let refusal = stream.ask(&json!({"op": "sub", "id": "x", "ch": channel}).to_string());
        assert_eq!((&refusal["m"], &refusal["code"]), (&json!("error"), &json!(100_009)), "{channel}");
    }
    let refusal = stream.ask(r#"{"op":"sub","ch":"bar:7:BTC/USDT"}"#);
    assert_eq!((&refusal["m"], &refusal["code"]), (&json!("error"), &json!(100_005)));
}

#[test]
fn unsubscribing_takes_patterns() {
    let sandbox = still();
    for (pattern, left) in [
        ("bar:*:BTC/USDT", vec!["bar:1:ETH/USDT", "trades:BTC/USDT"]),
        ("bar:1:*", vec!["bar:5:BTC/USDT", "trades:BTC/USDT"]),
        ("bar:1", vec!["bar:5:BTC/USDT", "trades:BTC/USDT"]),
        ("bar", vec!["trades:BTC/USDT"]),
        ("bar:1:BTC/USDT,ETH/USDT", vec!["bar:5:BTC/USDT", "trades:BTC/USDT"]),
        ("trades:*", vec!["bar:1:BTC/USDT", "bar:1:ETH/USDT", "bar:5:BTC/USDT"]),
    ] {
        let mut stream = Stream::open(sandbox.port());
        for channel in ["bar:1:BTC/USDT", "bar:1:ETH/USDT", "bar:5:BTC/USDT", "trades:BTC/USDT"] {
            stream.send(&json!({"op": "sub", "ch": channel}).to_string());
            stream.next("sub");
        }
        let ack = {
            stream.send(&json!({"op": "unsub", "id": "u", "ch": pattern}).to_string());
            stream.next("unsub")
        };
        assert_eq!(ack["id"], "u");
        if pattern.contains(',') {
            assert_eq!(stream.next("unsub")["ch"], "bar:1:ETH/USDT");
        } else {
            assert_eq!(ack["ch"], pattern);
        }
        sandbox.advance(Duration::from_secs(20));
        stream.send(r#"{"op":"ping"}"#);
        let mut heard = std::collections::BTreeSet::new();
        loop {
            let message = stream.json();
            match message["m"].as_str().unwrap() {
                "pong" => break,
                "bar" => {
                    let (i, s) = (&message["data"]["i"], &message["s"]);
                    heard.insert(format!("bar:{}:{}", i.as_str().unwrap(), s.as_str().unwrap()));
                }
                "trades" => drop(heard.insert(format!("trades:{}", message["symbol"].as_str().unwrap()))),
                _ => {}
            }
        }
        assert_eq!(heard.into_iter().collect::<Vec<_>>(), left, "{pattern}");
    }
}

#[test]
fn a_channel_that_tells_a_state_tells_it_at_once() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    for (channel, m) in
        [("bbo:ETH/BTC", "bbo"), ("bar:60:ETH/BTC", "bar"), ("summary:ETH/BTC", "summary"), ("ref-px:USDT", "ref-px")]
    {
        stream.send(&json!({"op": "sub", "ch": channel}).to_string());
        assert_eq!(stream.json()["m"], "sub");
        assert_eq!(stream.json()["m"], m);
    }
}

// --- Requests ---

#[test]
fn requests_are_answered_or_refused() {
    let sandbox = still();
    sandbox.advance(Duration::from_secs(20));
    let mut stream = Stream::open(sandbox.port());
    let mut ask = |action: &str, args: Value| {
        stream.ask(&json!({"op": "req", "id": "q", "action": action, "args": args}).to_string())
    };
    let snapshot = ask("depth-snapshot", json!({"symbol": "BTC/USDT"}));
    has_shape_of(&snapshot, &fixture("ws/depth-snapshot"));
    assert!(snapshot.get("id").is_none(), "matched by symbol");
    let book = raw::get(sandbox.port(), "/api/pro/v1/depth?symbol=BTC/USDT").data();
    assert_eq!(snapshot, book);
    let top = ask("depth-snapshot-top100", json!({"symbol": "BTC/USDT"}));
    assert_eq!(top["m"], "depth-snapshot-top100");
    assert_eq!(top["data"]["seqnum"], snapshot["data"]["seqnum"]);
    assert_eq!(levels(&top["data"]["asks"]), levels(&snapshot["data"]["asks"])[..100]);

    let trades = ask("market-trades", json!({"symbol": "BTC/USDT", "level": 12}));
    has_shape_of(&trades, &fixture("ws/market-trades"));
    assert_eq!((&trades["id"], trades["data"].as_array().unwrap().len()), (&json!("q"), 12));
    let same = raw::get(sandbox.port(), "/api/pro/v1/trades?symbol=BTC/USDT&n=12").data();
    assert_eq!(trades["data"], same["data"]);

    for (action, args, code) in [
        ("depth-snapshot", json!({"symbol": "NO/USDT"}), 100_008),
        ("depth-snapshot", json!({}), 100_008),
        ("market-trades", json!({"symbol": 7}), 100_008),
        ("place-order", json!({}), 100_009),
        ("balance", json!({}), 100_009),
        ("dance", json!({}), 100_005),
    ] {
        let refusal = ask(action, args);
        assert_eq!((&refusal["m"], &refusal["id"]), (&json!("error"), &json!("q")), "{action}");
        assert_eq!(refusal["code"], code, "{action}: {refusal}");
    }
}

#[test]
fn a_snapshot_takes_its_time() {
    let delay = Duration::from_millis(1_000);
    let sandbox = Sandbox::builder().start_time(START).snapshot_delay(delay).start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#);
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong");
    sandbox.advance(Duration::from_millis(999));
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong");
    sandbox.advance(Duration::from_millis(1));
    assert_eq!(stream.json()["m"], "depth-snapshot");
    // No more than a hundred are under way to one client.
    for _ in 0..100 {
        stream.send(r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#);
    }
    assert_eq!(stream.ask(r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#)["code"], 100_014);
}

// --- The two together ---

/// A local book, kept by the rules of the reference alone.
#[derive(Default, PartialEq, Debug)]
struct Book {
    seqnum: u64,
    asks: BTreeMap<Decimal, Decimal>,
    bids: BTreeMap<Decimal, Decimal>,
}

impl Book {
    fn apply(&mut self, data: &Value) {
        self.seqnum = data["seqnum"].as_u64().unwrap();
        for (side, name) in [(&mut self.asks, "asks"), (&mut self.bids, "bids")] {
            for (price, size) in levels(&data[name]) {
                if size == Decimal::ZERO {
                    assert!(side.remove(&price).is_some(), "a level that was not there is removed");
                } else {
                    side.insert(price, size);
                }
            }
        }
    }
}

#[test]
fn snapshot_and_changes_join_into_the_true_book() {
    let delay = Duration::from_millis(950);
    let sandbox = Sandbox::builder().start_time(START).snapshot_delay(delay).start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"sub","ch":"depth:BTC/USDT"}"#);
    stream.send(r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#);
    // The answer to this says that the request was heard.
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "sub");
    assert_eq!(stream.json()["m"], "pong");
    (0..100).for_each(|_| sandbox.advance(Duration::from_millis(300)));
    stream.send(r#"{"op":"ping"}"#);

    let mut early = Vec::new();
    let mut book: Option<Book> = None;
    let (mut stale, mut applied) = (0, 0);
    loop {
        let message = stream.json();
        match (message["m"].as_str().unwrap(), &mut book) {
            ("depth-snapshot", None) => {
                let mut new = Book::default();
                new.apply(&message["data"]);
                for change in early.drain(..) {
                    let change: Value = change;
                    if change["seqnum"].as_u64().unwrap() <= new.seqnum {
                        stale += 1;
                    } else {
                        new.apply(&change);
                    }
                }
                book = Some(new);
            }
            ("depth", None) => early.push(message["data"].clone()),
            ("depth", Some(book)) => {
                assert_eq!(message["data"]["seqnum"], book.seqnum + 1);
                book.apply(&message["data"]);
                applied += 1;
            }
            ("pong", _) => break,
            _ => {}
        }
    }
    assert!(stale >= 2 && applied > 50, "{stale} stale, {applied} applied");
    let mut truth = Book::default();
    truth.apply(&raw::get(sandbox.port(), "/api/pro/v1/depth?symbol=BTC/USDT").data()["data"]);
    assert_eq!(book.unwrap(), truth);
}

#[test]
fn one_seed_is_one_market() {
    let play = |seed: u64| {
        let sandbox = Sandbox::builder().seed(seed).start_time(START).start().unwrap();
        let mut stream = Stream::open(sandbox.port());
        for kind in ["depth", "trades", "bbo", "bar:1"] {
            stream.send(&json!({"op": "sub", "ch": format!("{kind}:BTC/USDT,ETH/BTC")}).to_string());
        }
        stream.send(r#"{"op":"ping"}"#);
        stream.next("pong");
        sandbox.advance(Duration::from_secs(10));
        stream.send(r#"{"op":"ping"}"#);
        let texts: Vec<String> = std::iter::from_fn(|| Some(stream.text()).filter(|t| !t.contains("pong"))).collect();
        (texts, raw::get(sandbox.port(), "/api/pro/v1/barhist?symbol=BTC/USDT&interval=1d&n=30").data())
    };
    let (first, second, other) = (play(7), play(7), play(8));
    assert!(first.0.len() > 100);
    assert_eq!(first, second);
    assert_ne!(first.0, other.0);
    assert_ne!(first.1, other.1);
}

#[test]
fn a_leap_in_time_is_not_lived_through() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    let hour = 3_600_000;
    let before = http.get("/api/pro/v1/barhist?symbol=BTC/USDT&interval=60&n=5").data();
    sandbox.advance(Duration::from_secs(30 * 24 * 3_600));
    let after = http.get("/api/pro/v1/barhist?symbol=BTC/USDT&interval=60&n=500").data();
    let now = (START + 30 * 24 * hour) / hour * hour;
    assert_eq!(after[0]["data"]["ts"], now);
    // What had been is still so.
    let to = before[1]["data"]["ts"].as_u64().unwrap();
    let again = http.get(&format!("/api/pro/v1/barhist?symbol=BTC/USDT&interval=60&n=4&to={to}")).data();
    assert_eq!(again.as_array().unwrap()[..], before.as_array().unwrap()[1..]);
    // And the market goes on from where it is now.
    sandbox.advance(Duration::from_secs(1));
    let ticker = http.get("/api/pro/v1/spot/ticker?symbol=BTC/USDT").data();
    let (ask, bid) = (number(&ticker["ask"][0]), number(&ticker["bid"][0]));
    assert!(bid < ask && (ask - bid) * Decimal::from(100) < ask);
}

#[test]
fn in_real_time_the_market_moves_by_itself() {
    let sandbox = Sandbox::start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"sub","ch":"depth:BTC/USDT"}"#);
    stream.send(r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#);
    stream.next("depth-snapshot");
    let seqnum = stream.next("depth")["data"]["seqnum"].as_u64().unwrap();
    assert_eq!(stream.next("depth")["data"]["seqnum"], seqnum + 1);
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_the_others_are_served() {
    let sandbox =
        Sandbox::builder().start_time(START).snapshot_delay(Duration::ZERO).max_unread(64 * 1024).start().unwrap();
    let mut reader = Stream::open(sandbox.port());
    let mut deaf = Stream::open(sandbox.port());
    let ask = r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#;
    // Asked for more than the system buffers, without ever reading: the writing fails once the server has let go.
    let gone = (0..1_000_000).any(|_| deaf.inner().send(tungstenite::Message::text(ask)).is_err());
    assert!(gone);
    assert_eq!(reader.ask(ask)["m"], "depth-snapshot");
}
