//! The table *Public market data*, and what HTTP does around it.

use std::time::Duration;

use bitmax::Decimal;
use bitmax::sandbox::{OrderRequest, Sandbox};
use serde_json::{Value, json};

use crate::caller::{Caller, START, SYMBOL, lively, still};
use crate::raw::{Answer, Http, get};
use crate::shape::{
    assert_refusal, assert_shape, assert_shape_without, assert_sound, column, list, money, sample, texts,
};

const MINUTE: u64 = 60_000;

fn data(sandbox: &Sandbox, target: &str) -> Value {
    let data = get(sandbox.port(), target).data();
    assert_sound(&data);
    data
}

fn whole(sandbox: &Sandbox, target: &str) -> Value {
    json!({"code": 0, "data": data(sandbox, target)})
}

#[track_caller]
fn refused(sandbox: &Sandbox, target: &str) -> i64 {
    assert_refusal(&get(sandbox.port(), target).json())
}

// --- Assets and products ---

#[test]
fn assets_v2() {
    let sandbox = still();
    let assets = whole(&sandbox, "/api/pro/v2/assets");
    assert_shape(&assets, &sample("rest/assets-v2"));
    assert!(texts(&assets["data"], "assetCode").contains(&"USDT"));
    assert!(list(&assets["data"]).iter().any(|asset| !list(&asset["blockChain"]).is_empty()));
}

#[test]
fn assets_v1() {
    let sandbox = still();
    let assets = data(&sandbox, "/api/pro/v1/assets");
    for asset in list(&assets) {
        for field in ["assetCode", "assetName"] {
            assert!(asset[field].is_string(), "{asset}");
        }
        assert!(asset["precisionScale"].is_u64() || asset["positionScale"].is_u64(), "{asset}");
        assert!(asset["nativeScale"].is_u64(), "{asset}");
        for field in ["withdrawalFee", "minWithdrawalAmt"] {
            assert!(asset[field].is_number() || asset[field].is_string(), "{asset}");
        }
        let known = ["Normal", "NoDeposit", "NoWithdraw", "NoTransaction"];
        assert!(known.contains(&asset["status"].as_str().unwrap()), "{asset}");
    }
    assert_eq!(texts(&assets, "assetCode"), texts(&data(&sandbox, "/api/pro/v2/assets"), "assetCode"));
}

#[test]
fn products_of_an_account_category() {
    let sandbox = still();
    for category in ["cash", "margin"] {
        let products = whole(&sandbox, &format!("/api/pro/v1/{category}/products"));
        assert_shape(&products, &sample("rest/products-cash"));
        assert!(!list(&products["data"]).is_empty());
        for product in list(&products["data"]) {
            assert!(["Base", "Quote", "Received"].contains(&product["commissionType"].as_str().unwrap()), "{product}");
            for step in product["collapseDecimals"].as_str().unwrap().split(',') {
                assert!(step.parse::<Decimal>().unwrap() > Decimal::ZERO, "{product}");
            }
            for (least, greatest) in [("minQty", "maxQty"), ("minNotional", "maxNotional")] {
                assert!(money(&product[least]) <= money(&product[greatest]), "{product}");
            }
            for step in ["tickSize", "lotSize"] {
                assert!(money(&product[step]) > Decimal::ZERO, "{product}");
            }
        }
    }
}

#[test]
fn products_v1_agrees_with_the_lists_by_category() {
    let sandbox = still();
    let products = whole(&sandbox, "/api/pro/v1/products");
    assert_shape(&products, &sample("rest/products-v1"));
    let products = &products["data"];
    let [cash, margin] = ["cash", "margin"].map(|c| data(&sandbox, &format!("/api/pro/v1/{c}/products")));
    assert_eq!(texts(products, "symbol"), texts(&cash, "symbol"));
    for product in list(products) {
        let symbol = product["symbol"].as_str().unwrap();
        let (base, quote) = symbol.split_once('/').unwrap();
        assert_eq!((&product["baseAsset"], &product["quoteAsset"]), (&json!(base), &json!(quote)));
        assert_eq!(texts(&margin, "symbol").contains(&symbol), product["marginTradable"] == true, "{symbol}");
        let listed = list(&cash).iter().find(|row| row["symbol"] == symbol).unwrap();
        for field in ["commissionType", "commissionReserveRate", "tickSize", "lotSize", "minNotional", "maxNotional"] {
            assert_eq!(product[field], listed[field], "{symbol}");
        }
    }
}

#[test]
fn there_are_no_futures() {
    assert_eq!(data(&still(), "/api/pro/v2/futures/contract"), json!([]));
}

// --- Ticker ---

#[test]
fn ticker_forms_by_commas() {
    let sandbox = still();
    for path in ["/api/pro/v1/spot/ticker", "/api/pro/v1/ticker"] {
        let one = whole(&sandbox, &format!("{path}?symbol=BTC/USDT"));
        assert_shape(&one, &sample("rest/ticker-one"));
        assert_eq!(one["data"]["symbol"], "BTC/USDT");

        let comma = whole(&sandbox, &format!("{path}?symbol=BTC/USDT,"));
        assert_shape(&comma, &sample("rest/ticker-list"));
        assert_eq!(texts(&comma["data"], "symbol"), ["BTC/USDT"]);

        let mut several = data(&sandbox, &format!("{path}?symbol=BTC/USDT,ETH/USDT"));
        several.as_array_mut().unwrap().sort_by_key(|ticker| ticker["symbol"].to_string());
        assert_eq!(texts(&several, "symbol"), ["BTC/USDT", "ETH/USDT"]);

        let escaped = data(&sandbox, &format!("{path}?symbol=BTC%2FUSDT%2CETH%2FUSDT"));
        assert_eq!(list(&escaped).len(), 2);

        let all = data(&sandbox, path);
        let mut symbols = texts(&all, "symbol");
        symbols.sort_unstable();
        let products = data(&sandbox, "/api/pro/v1/cash/products");
        let mut listed = texts(&products, "symbol");
        listed.sort_unstable();
        // A product without a trade may have no ticker.
        listed.retain(|symbol| *symbol != SYMBOL || symbols.contains(symbol));
        assert_eq!(symbols, listed);
    }
}

#[test]
fn ticker_figures_agree_with_each_other() {
    let sandbox = lively();
    sandbox.advance(Duration::from_secs(90));
    for ticker in list(&data(&sandbox, "/api/pro/v1/spot/ticker")).iter().filter(|ticker| ticker["symbol"] != SYMBOL) {
        let [open, close, high, low, volume] =
            ["open", "close", "high", "low", "volume"].map(|field| money(&ticker[field]));
        assert!(low <= open.min(close) && high >= open.max(close) && volume >= Decimal::ZERO, "{ticker}");
        assert!(money(&ticker["bid"][0]) < money(&ticker["ask"][0]), "{ticker}");
    }
}

#[test]
fn ticker_is_of_the_last_trade_and_the_best_of_the_book() {
    let sandbox = still();
    let caller = Caller::with_cash(&sandbox, &[("USDT", "100000"), ("ABC", "100")]);
    let other = Caller::with_cash(&sandbox, &[("USDT", "100000"), ("ABC", "100")]);
    caller.user.place(&OrderRequest::sell(SYMBOL, "5").limit("101")).unwrap();
    other.user.place(&OrderRequest::buy(SYMBOL, "2").limit("101")).unwrap();
    other.user.place(&OrderRequest::buy(SYMBOL, "4").limit("99")).unwrap();
    let ticker = data(&sandbox, &format!("/api/pro/v1/spot/ticker?symbol={SYMBOL}"));
    assert_eq!(["close", "volume"].map(|f| money(&ticker[f])), [Decimal::from(101), Decimal::from(2)]);
    for (side, price, size) in [("ask", 101, 3), ("bid", 99, 4)] {
        let level = [money(&ticker[side][0]), money(&ticker[side][1])];
        assert_eq!(level, [Decimal::from(price), Decimal::from(size)]);
    }
}

// --- Bars ---

fn bars(sandbox: &Sandbox, query: &str) -> Vec<u64> {
    let bars = data(sandbox, &format!("/api/pro/v1/barhist?symbol=BTC/USDT&{query}"));
    let mut starts: Vec<u64> = list(&bars).iter().map(|bar| bar["data"]["ts"].as_u64().unwrap()).collect();
    starts.sort_unstable();
    starts
}

#[test]
fn bar_intervals() {
    let sandbox = still();
    assert_eq!(get(sandbox.port(), "/api/pro/v1/barhist/info").json(), sample("rest/bar-intervals"));
}

#[test]
fn bars_of_every_interval() {
    let sandbox = still();
    for interval in list(&data(&sandbox, "/api/pro/v1/barhist/info")) {
        let (name, millis) = (interval["name"].as_str().unwrap(), interval["intervalInMillis"].as_u64().unwrap());
        let answer = whole(&sandbox, &format!("/api/pro/v1/barhist?symbol=BTC/USDT&interval={name}"));
        assert_shape(&answer, &sample("rest/bars"));
        assert!(!list(&answer["data"]).is_empty(), "{name}");
        for bar in list(&answer["data"]) {
            assert_eq!((&bar["m"], &bar["s"], &bar["data"]["i"]), (&json!("bar"), &json!("BTC/USDT"), &json!(name)));
            let [open, close, high, low] = ["o", "c", "h", "l"].map(|field| money(&bar["data"][field]));
            assert!(low <= open.min(close) && high >= open.max(close), "{bar}");
            let start = bar["data"]["ts"].as_u64().unwrap();
            assert!(start <= START, "{bar}");
            // Weeks may begin on any day; a month is checked below.
            assert!(["1w", "1m"].contains(&name) || start.is_multiple_of(millis), "{bar}");
        }
    }
}

#[test]
fn bars_of_a_month_start_on_the_first() {
    let sandbox = still();
    let month_2023_11 = 1_698_796_800_000;
    let month_2023_10 = 1_696_118_400_000;
    let starts = bars(&sandbox, "interval=1m&n=2");
    assert_eq!(starts.last(), Some(&month_2023_11));
    assert!(starts.len() < 2 || starts[0] == month_2023_10, "{starts:?}");
}

#[test]
fn bars_by_from_to_and_n() {
    let sandbox = still();
    let last = START / MINUTE * MINUTE;
    let up_to = |to: u64, n: u64| (0..n).map(|i| to - (n - 1 - i) * MINUTE).collect::<Vec<_>>();
    let earlier = last - 20 * MINUTE;
    for (query, expected) in [
        (String::new(), up_to(last, 10)),                  // neither: the last 10 up to now
        ("&n=3".to_owned(), up_to(last, 3)),               // only n: the last n up to now
        (format!("&to={earlier}"), up_to(earlier, 10)),    // the last 10 up to `to`, inclusive
        (format!("&to={earlier}&n=4"), up_to(earlier, 4)), // the last n up to `to`
        (format!("&to={}&n=2", earlier - 1), up_to(earlier - MINUTE, 2)), // times of the bars' starts
        (format!("&from={earlier}"), up_to(last, 21)),     // only from: from..now, inclusive
        (format!("&from={}", earlier + 1), up_to(last, 20)), //
        (format!("&from={earlier}&to={earlier}"), vec![earlier]), // both ends inclusive
        (format!("&from={earlier}&to={}", earlier + MINUTE), up_to(earlier + MINUTE, 2)),
        (format!("&from={earlier}&n=5"), up_to(last, 5)), // both: n is fewer
        (format!("&from={earlier}&n=100"), up_to(last, 21)), // both: from is fewer
        (format!("&from={earlier}&to={}&n=3", earlier + 9 * MINUTE), up_to(earlier + 9 * MINUTE, 3)),
        ("&n=1000".to_owned(), up_to(last, 500)), // capped at 500
        (format!("&from={}", last - 600 * MINUTE), up_to(last, 500)), // moved up to 500
        (format!("&from={}&to={earlier}", last - 600 * MINUTE), up_to(earlier, 500)),
    ] {
        assert_eq!(bars(&sandbox, &format!("interval=1{query}")), expected, "{query}");
    }
}

#[test]
fn bars_need_a_symbol_and_an_interval() {
    let sandbox = still();
    for query in ["", "?symbol=BTC/USDT", "?interval=1", "?symbol=BTC/USDT&interval=2", "?symbol=NONE/USDT&interval=1"]
    {
        refused(&sandbox, &format!("/api/pro/v1/barhist{query}"));
    }
    for wrong in ["from=x", "to=x", "n=x", "n=1.5"] {
        refused(&sandbox, &format!("/api/pro/v1/barhist?symbol=BTC/USDT&interval=1&{wrong}"));
    }
}

// --- Depth and trades ---

#[test]
fn depth_snapshot() {
    let sandbox = lively();
    let depth = whole(&sandbox, "/api/pro/v1/depth?symbol=BTC/USDT");
    assert_shape(&depth, &sample("rest/depth"));
    let depth = &depth["data"];
    assert_eq!((&depth["m"], &depth["symbol"]), (&json!("depth-snapshot"), &json!("BTC/USDT")));
    let prices =
        |side: &str| -> Vec<Decimal> { list(&depth["data"][side]).iter().map(|level| money(&level[0])).collect() };
    let (asks, bids) = (prices("asks"), prices("bids"));
    assert!(bids.iter().max().unwrap() < asks.iter().min().unwrap());
    for side in ["asks", "bids"] {
        let mut unique = prices(side);
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), prices(side).len());
        assert!(list(&depth["data"][side]).iter().all(|level| money(&level[1]) > Decimal::ZERO));
    }
}

#[test]
fn depth_snapshot_shows_resting_orders() {
    let sandbox = still();
    let caller = Caller::with_cash(&sandbox, &[("USDT", "100000"), ("ABC", "100")]);
    for price in ["101", "101", "102.5"] {
        caller.user.place(&OrderRequest::sell(SYMBOL, "1.5").limit(price)).unwrap();
    }
    caller.user.place(&OrderRequest::buy(SYMBOL, "2").limit("99")).unwrap();
    sandbox.advance(Duration::from_secs(1)); // changes are gathered before they are published
    let mut depth = data(&sandbox, &format!("/api/pro/v1/depth?symbol={SYMBOL}"))["data"].take();
    for side in ["asks", "bids"] {
        for level in depth[side].as_array_mut().unwrap() {
            *level = json!([money(&level[0]).normalize().to_string(), money(&level[1]).normalize().to_string()]);
        }
        depth[side].as_array_mut().unwrap().sort_by_key(Value::to_string);
    }
    assert_eq!(depth["asks"], json!([["101", "3"], ["102.5", "1.5"]]));
    assert_eq!(depth["bids"], json!([["99", "2"]]));
}

#[test]
fn trades() {
    let sandbox = lively();
    sandbox.advance(Duration::from_secs(120));
    let available = list(&data(&sandbox, "/api/pro/v1/trades?symbol=BTC/USDT&n=100")["data"]).len();
    for (query, most) in [("", 100), ("&n=1", 1), ("&n=7", 7), ("&n=100", 100)] {
        let trades = whole(&sandbox, &format!("/api/pro/v1/trades?symbol=BTC/USDT{query}"));
        assert_shape(&trades, &sample("rest/trades"));
        let trades = &trades["data"];
        assert_eq!((&trades["m"], &trades["symbol"]), (&json!("trades"), &json!("BTC/USDT")));
        let trades = &trades["data"];
        assert!(list(trades).len() <= most && !list(trades).is_empty(), "{query}");
        if let Some(n) = query.strip_prefix("&n=") {
            assert_eq!(list(trades).len(), available.min(n.parse().unwrap()), "{query}");
        }
        let mut by_seqnum: Vec<_> = list(trades).iter().collect();
        by_seqnum.sort_by_key(|trade| trade["seqnum"].as_u64().unwrap());
        assert!(by_seqnum.is_sorted_by_key(|trade| trade["ts"].as_u64().unwrap()), "`seqnum` rises with time");
        assert!(by_seqnum.windows(2).all(|w| w[0]["seqnum"] != w[1]["seqnum"]));
        assert!(by_seqnum.iter().all(|trade| trade["bm"].is_boolean() && money(&trade["q"]) > Decimal::ZERO));
    }
    let answer = get(sandbox.port(), "/api/pro/v1/trades?symbol=BTC/USDT&n=101").json();
    assert!(answer["code"] != 0 || list(&answer["data"]["data"]).len() <= 100, "up to 100");
}

#[test]
fn bm_of_a_trade_says_that_the_buyer_was_the_maker() {
    let sandbox = still();
    let caller = Caller::with_cash(&sandbox, &[("USDT", "100000"), ("ABC", "100")]);
    let other = Caller::with_cash(&sandbox, &[("USDT", "100000"), ("ABC", "100")]);
    caller.user.place(&OrderRequest::buy(SYMBOL, "1").limit("100")).unwrap();
    other.user.place(&OrderRequest::sell(SYMBOL, "1").limit("100")).unwrap();
    caller.user.place(&OrderRequest::sell(SYMBOL, "2").limit("100")).unwrap();
    other.user.place(&OrderRequest::buy(SYMBOL, "2").limit("100")).unwrap();
    let trades = data(&sandbox, &format!("/api/pro/v1/trades?symbol={SYMBOL}"));
    let mut rows: Vec<_> = list(&trades["data"]).iter().collect();
    rows.sort_by_key(|trade| trade["seqnum"].as_u64().unwrap());
    let told: Vec<_> = rows.iter().map(|t| (money(&t["p"]), money(&t["q"]), t["bm"].as_bool().unwrap())).collect();
    let hundred = Decimal::from(100);
    assert_eq!(told, [(hundred, Decimal::ONE, true), (hundred, Decimal::TWO, false)]);
}

#[test]
fn an_unknown_or_missing_symbol_is_refused() {
    let sandbox = still();
    for path in ["depth", "trades"] {
        for query in ["?symbol=NONE/USDT", "?symbol=BTC-USDT", "?symbol=", "", "?symbol=%00", "?symbol=BTC/USDT/X"] {
            let code = refused(&sandbox, &format!("/api/pro/v1/{path}{query}"));
            assert_eq!(code / 10_000, 10, "{path}{query}");
        }
        assert_eq!(refused(&sandbox, &format!("/api/pro/v1/{path}?symbol=NONE/USDT")), 100008, "SYMBOL_ERROR");
    }
    assert_eq!(refused(&sandbox, "/api/pro/v1/spot/ticker?symbol=NONE/USDT"), 100008);
    assert_eq!(refused(&sandbox, "/api/pro/v1/barhist?symbol=NONE/USDT&interval=1"), 100008);
}

// --- Limits and latency ---

#[test]
fn risk_limits_v2() {
    let sandbox = still();
    for query in ["", "?ip=173.123.133.23"] {
        let limits = whole(&sandbox, &format!("/api/pro/v2/risk-limit-info{query}"));
        assert_shape(&limits, &sample("rest/risk-limits-v2"));
        let status = &limits["data"]["webSocket"]["status"];
        assert_eq!((&status["isBanned"], &status["violationCode"]), (&json!(false), &json!(0)));
    }
}

#[test]
fn risk_limits_v1() {
    let sandbox = still();
    let limits = whole(&sandbox, "/api/pro/v1/risk-limit-info");
    assert_shape(&limits, &sample("rest/risk-limits-v1"));
    assert_eq!(limits["data"]["webSocket"]["isBanned"], false);
}

#[test]
fn latency() {
    let sandbox = still();
    let answer = whole(&sandbox, &format!("/api/pro/v1/exchange-info?requestTime={}", START - 7));
    assert_shape(&answer, &sample("rest/latency"));
    assert_eq!(answer["data"], json!({"requestTimeEcho": START - 7, "requestReceiveAt": START, "latency": 7}));
}

// --- HTTP ---

#[test]
fn a_wrong_method_is_405_with_code_100102() {
    let sandbox = still();
    let mut caller = Caller::first(&sandbox);
    for (method, path) in [
        ("POST", "/api/pro/v1/depth?symbol=BTC/USDT"),
        ("DELETE", "/api/pro/v1/spot/ticker"),
        ("PUT", "/G/api/pro/v1/cash/order"),
        ("POST", "/api/pro/v1/info"),
        ("GET", "/G/api/pro/v1/transfer"),
    ] {
        let answer = caller.answer(method, path, "info", Some(&json!({})));
        assert_eq!((answer.status, assert_refusal(&answer.json())), (405, 100102), "{method} {path}: {}", answer.body);
    }
}

fn assert_plain_text(answer: &Answer) {
    assert!(serde_json::from_str::<Value>(&answer.body).is_err(), "plain text, not {:?}", answer.body);
    assert!(!answer.body.trim_start().starts_with('<'), "plain text, not {:?}", answer.body);
}

#[test]
fn an_address_of_more_than_2048_characters_is_414_in_plain_text() {
    let sandbox = still();
    let path = "/api/pro/v1/spot/ticker?symbol=";
    let fits = get(sandbox.port(), &format!("{path}{}", "x".repeat(2000 - path.len())));
    assert_ne!(fits.status, 414);
    let answer = get(sandbox.port(), &format!("{path}{}", "x".repeat(2049 - path.len())));
    assert_eq!(answer.status, 414);
    assert_plain_text(&answer);
}

#[test]
fn what_is_no_http_is_400_in_plain_text() {
    let sandbox = still();
    for bytes in
        ["no request at all\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /api HTTP/1.1\r\n: x\r\n\r\n"]
    {
        let mut http = Http::connect(sandbox.port());
        http.write(bytes.as_bytes());
        let answer = http.answer();
        assert_eq!(answer.status, 400, "{bytes:?}");
        assert_plain_text(&answer);
    }
}

#[test]
fn what_is_not_there_is_no_success() {
    let sandbox = still();
    for path in ["/", "/api", "/api/pro/v3/assets", "/api/pro/v1/nothing", "/0/api/pro/v1/depth/x", "/api/pro/v1/cash"]
    {
        let answer = get(sandbox.port(), path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
    }
}

#[test]
fn answers_are_not_compressed_unasked() {
    let sandbox = still();
    let answer = get(sandbox.port(), "/api/pro/v1/spot/ticker");
    assert!(!answer.head.to_lowercase().contains("content-encoding"), "{}", answer.head);
    assert!(answer.head.to_lowercase().contains("content-type: application/json"), "{}", answer.head);
}

#[test]
fn one_connection_serves_many_calls() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    for _ in 0..3 {
        assert_eq!(column(&http.get("/api/pro/v1/cash/products").data(), "statusCode")[0], "Normal");
    }
}

#[test]
fn statuses_of_products() {
    let sandbox = still();
    let products = data(&sandbox, "/api/pro/v1/products");
    assert_shape_without(&json!({"code": 0, "data": products}), &sample("rest/products-v1"), &[]);
    let known = ["Normal", "NoTrading", "InternalTrading"];
    assert!(texts(&products, "status").iter().all(|status| known.contains(status)));
}
