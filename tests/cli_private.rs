//! The private commands of the command-line client from outside: what they print, send and end with.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};
use support::{KEY, PRIVATE, Recorded, Reply, Run, SECRET, Server, assert_signed, exchange, fixture, program, same};

/// Runs a command line against a server, with credentials and with what is written to standard input.
fn run(server: &Server, args: &[&str], input: &str) -> Run {
    let (rest, ws) = (server.url(), format!("ws://{}", server.address()));
    let mut command = Command::new(program());
    command.args(["--rest", &rest, "--ws", &ws]).args(args).env_clear();
    Run::fed(command.envs([("BITMAX_API_KEY", KEY), ("BITMAX_API_SECRET", SECRET)]), input)
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Every private command: the sample that answers it, where its answer stands there, and what it sends.
const COMMANDS: &[(&str, &str, &str, &str)] = &[
    ("info", "account-info", "/data", "GET /api/pro/v1/info?"),
    ("fees", "fee-schedule", "/data", "GET /6/api/pro/v1/spot/fee/info?"),
    ("fees --by-symbol", "fee-by-symbol", "/data", "GET /6/api/pro/v1/spot/fee?"),
    ("balance cash", "balance-cash", "/data", "GET /6/api/pro/v1/cash/balance?"),
    (
        "balance margin --asset USDT --show-all",
        "balance-margin",
        "/data",
        "GET /6/api/pro/v1/margin/balance?asset=USDT&showAll=true",
    ),
    ("margin-risk", "margin-risk", "/data", "GET /6/api/pro/v1/margin/risk?"),
    (
        "transfer 11.0 USDT cash margin",
        "transfer",
        "",
        r#"POST /6/api/pro/v1/transfer?{"amount":"11.0","asset":"USDT","fromAccount":"cash","toAccount":"margin"}"#,
    ),
    (
        "subuser-transfer 40 USDT --from-user a --to-user b --from-account cash --to-account futures --mode ack",
        "subuser-transfer",
        "/info",
        r#"POST /6/api/pro/v2/subuser/subuser-transfer?{"acFrom":"cash","acTo":"futures","amount":"40","asset":"USDT","mode":"ack","userFrom":"a","userTo":"b"}"#,
    ),
    (
        "subuser-transfers --page 2 --page-size 3 --asset BTC --sub-user u --start 5 --end 6",
        "subuser-transfer-history",
        "/data",
        r#"POST /6/api/pro/v2/subuser/subuser-transfer-hist?{"asset":"BTC","endTime":6,"page":2,"pageSize":3,"startTime":5,"subUserId":"u"}"#,
    ),
    (
        "balance-snapshot cash 2021-03-31",
        "balance-snapshot",
        "",
        "GET /api/pro/data/v1/cash/balance/snapshot?date=2021-03-31",
    ),
    (
        "balance-history margin --sn 7 --limit 500",
        "balance-history",
        "",
        "GET /api/pro/data/v1/margin/balance/history?sn=7&limit=500",
    ),
    (
        "deposit-addresses USDT --blockchain ERC20",
        "deposit-addresses",
        "/data",
        "GET /api/pro/v1/wallet/deposit/address?asset=USDT&blockchain=ERC20",
    ),
    (
        "wallet-transactions --asset USDT --type withdrawal --page 1 --page-size 2",
        "wallet-transactions",
        "/data",
        "GET /api/pro/v1/wallet/transactions?asset=USDT&txType=withdrawal&page=1&pageSize=2",
    ),
    (
        "place cash BTC/USDT buy limit 0.10 --price 7e3 --id ab --post-only --tif gtc --resp accept",
        "place-accept",
        "/data",
        r#"POST /6/api/pro/v1/cash/order?{"id":"ab","orderPrice":"7000","orderQty":"0.10","orderType":"limit","postOnly":true,"respInst":"ACCEPT","side":"buy","symbol":"BTC/USDT","timeInForce":"GTC"}"#,
    ),
    (
        "place margin BTC/USDT sell market 1 --resp done --id ab",
        "place-done",
        "/data",
        r#"POST /6/api/pro/v1/margin/order?{"id":"ab","orderQty":"1","orderType":"market","respInst":"DONE","side":"sell","symbol":"BTC/USDT"}"#,
    ),
    (
        "place cash BTC/USDT sell stop-limit 1 --price 2 --stop-price 3 --id ab",
        "place-ack",
        "/data",
        r#"POST /6/api/pro/v1/cash/order?{"id":"ab","orderPrice":"2","orderQty":"1","orderType":"stop_limit","side":"sell","stopPrice":"3","symbol":"BTC/USDT"}"#,
    ),
    (
        "place cash BTC/USDT buy stop-market 1 --stop-price 3 --id ab",
        "place-ack",
        "/data",
        r#"POST /6/api/pro/v1/cash/order?{"id":"ab","orderQty":"1","orderType":"stop_market","side":"buy","stopPrice":"3","symbol":"BTC/USDT"}"#,
    ),
    (
        "cancel cash x1 ETH/USDT --id ab",
        "cancel-ack",
        "/data",
        r#"DELETE /6/api/pro/v1/cash/order?{"id":"ab","orderId":"x1","symbol":"ETH/USDT"}"#,
    ),
    ("cancel-all cash", "cancel-all-ack", "/data", "DELETE /6/api/pro/v1/cash/order/all?{}"),
    (
        "cancel-all margin BTC/USDT",
        "cancel-all-ack",
        "/data",
        r#"DELETE /6/api/pro/v1/margin/order/all?{"symbol":"BTC/USDT"}"#,
    ),
    ("order cash x1 x2", "order-status", "/data", "GET /6/api/pro/v1/cash/order/status?orderId=x1,x2,"),
    ("open-orders cash", "open-orders", "/data", "GET /6/api/pro/v1/cash/order/open?"),
    ("open-orders margin A/B", "open-orders", "/data", "GET /6/api/pro/v1/margin/order/open?symbol=A/B"),
    (
        "order-history-current cash --symbol A/B --n 7 --executed-only",
        "order-history-current",
        "/data",
        "GET /6/api/pro/v1/cash/order/hist/current?n=7&symbol=A/B&executedOnly=true",
    ),
    (
        "order-history margin --symbol A/B --start 5 --end 6 --seq-num 7 --limit 8",
        "order-history-v2",
        "/data",
        "GET /api/pro/data/v2/order/hist?account=margin&symbol=A/B&startTime=5&endTime=6&seqNum=7&limit=8",
    ),
    (
        "order-history cshwSjbpPjSwHmxPdz2CPQVU9mnbzPpt",
        "order-history-v2",
        "/data",
        "GET /api/pro/data/v2/order/hist?account=cshwSjbpPjSwHmxPdz2CPQVU9mnbzPpt",
    ),
];

/// A request in short: its query, or its body without what changes from run to run.
fn short(request: &Recorded) -> String {
    let query: Vec<_> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("time");
    }
    let body = if body.is_null() { String::new() } else { body.to_string() };
    format!("{} {}?{}{body}", request.method, request.path, query.join("&"))
}

#[test]
fn each_command_sends_its_call_once_and_prints_what_came() {
    for (command, sample, part, sent) in COMMANDS {
        let answer = |_: &Recorded| Reply::json(fixture(sample));
        let server = if *sample == "account-info" { Server::start(answer) } else { exchange(answer) };
        let printed = run(&server, &words(&format!("{command} --json")), "");
        assert_eq!((printed.status, printed.err.as_str(), printed.out.lines().count()), (0, "", 1), "{command}");
        let read: Value = serde_json::from_str(&fixture(sample)).unwrap();
        same(read.pointer(part).unwrap(), &serde_json::from_str(&printed.out).unwrap(), &[], &[])
            .unwrap_or_else(|e| panic!("{command}: {e}"));

        let requests = server.requests();
        let (last, before) = requests.split_last().unwrap();
        assert_eq!(short(last), *sent);
        let besides: Vec<&str> =
            before.iter().map(|r| &*r.path).filter(|p| *p != "/api/pro/v1/exchange-info").collect();
        assert!(besides.is_empty() || besides == ["/api/pro/v1/info"], "{command}: {besides:?}");

        let table = run(&server, &words(command), "");
        assert_eq!((table.status, table.err.as_str()), (0, ""), "{command}");
        assert!(!table.out.is_empty() && serde_json::from_str::<Value>(&table.out).is_err(), "{}", table.out);
    }
    // Every call of the library that is not of an older version, nor has a file, has its command.
    let commands: BTreeSet<_> = COMMANDS.iter().map(|(_, sample, ..)| *sample).collect();
    let without: BTreeSet<_> =
        PRIVATE.iter().map(|call| call.fixture).filter(|fixture| !commands.contains(fixture)).collect();
    assert_eq!(without, BTreeSet::from(["cancel-batch-ack", "order-history-v1", "place-batch-ack"]));
}

#[test]
fn one_order_is_an_object_and_one_that_is_not_known_null() {
    let row = serde_json::from_str::<Value>(&fixture("order-status")).unwrap()["data"][0].clone();
    let body = json!({"code": 0, "data": row}).to_string();
    let server = exchange(move |_| Reply::json(&body));
    let id = row["orderId"].as_str().unwrap();
    let printed = run(&server, &words(&format!("order cash {id} --json")), "");
    same(&row, &serde_json::from_str(&printed.out).unwrap(), &[], &[]).unwrap();
    let asked = short(server.requests().last().unwrap());
    assert_eq!(asked, format!("GET /6/api/pro/v1/cash/order/status?orderId={id}"));

    let server = exchange(|_| Reply::json(r#"{"code":0,"data":{}}"#));
    let printed = run(&server, &words("order cash x1 --json"), "");
    assert_eq!((printed.status, printed.out.as_str()), (0, "null\n"));
}

#[test]
fn a_whole_history_is_one_list() {
    let row = serde_json::from_str::<Value>(&fixture("order-history-v2")).unwrap()["data"][0].clone();
    let server = exchange(move |request| {
        let from: u64 = request.param("seqNum").map_or(1, |n| n.parse().unwrap());
        let rows: Vec<Value> = (from..=25)
            .take(10)
            .map(|n| {
                let mut row = row.clone();
                row["seqNum"] = json!(n);
                row
            })
            .collect();
        Reply::json(json!({"code": 0, "data": rows}).to_string())
    });
    let printed = run(&server, &words("order-history cash --all --limit 10 --json"), "");
    let rows: Value = serde_json::from_str(&printed.out).unwrap();
    let numbers: Vec<u64> = rows.as_array().unwrap().iter().map(|row| row["seqNum"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
}

#[test]
fn a_history_that_breaks_off_is_a_failure_and_a_bad_row_is_told() {
    let history = |broken: bool| {
        exchange(move |request| {
            let rows = |rows: &[String]| format!(r#"{{"code":0,"data":[{}]}}"#, rows.join(","));
            let mut row = serde_json::from_str::<Value>(&fixture("order-history-v2")).unwrap()["data"][0].clone();
            let number = request.param("seqNum").map_or(1, |n| n.parse().unwrap());
            row["seqNum"] = json!(number);
            let good = row.to_string();
            row["side"] = json!({});
            match (number, broken) {
                (1, _) => Reply::json(rows(&[good])),
                (2, true) => Reply::json(rows(&[good.clone(), good.clone()]).split_at(good.len() * 3 / 2).0),
                (2, false) => Reply::json(rows(&[row.to_string()])),
                _ => Reply::json(rows(&[])),
            }
        })
    };
    let printed = run(&history(false), &words("order-history cash --all --limit 10 --json"), "");
    assert_eq!(
        (printed.status, serde_json::from_str::<Value>(&printed.out).unwrap().as_array().unwrap().len()),
        (0, 1)
    );
    assert!(printed.err.contains("data[0]"), "{}", printed.err);
    let printed = run(&history(true), &words("order-history cash --all --limit 10 --json"), "");
    assert_eq!(printed.status, 3, "{}", printed.out);
    assert!(printed.out.is_empty() && printed.err.contains("data[1]"), "{}", printed.err);
}

#[test]
fn batches_are_read_from_files_and_completed() {
    let server = exchange(|request| {
        Reply::json(fixture(if request.method == "POST" { "place-batch-ack" } else { "cancel-batch-ack" }))
    });
    let orders = fixture("place-batch.request");
    let orders = serde_json::from_str::<Value>(&orders).unwrap()["orders"].take();
    let printed = run(&server, &["place-batch", "cash", "-", "--json"], &orders.to_string());
    assert_eq!(printed.status, 0, "{}", printed.err);
    let sent: Value = serde_json::from_str(&server.requests().last().unwrap().body).unwrap();
    assert_eq!(sent, json!({"orders": orders}), "a time and an id that are there are kept");
    let read: Value = serde_json::from_str(&fixture("place-batch-ack")).unwrap();
    same(&read["data"], &serde_json::from_str(&printed.out).unwrap(), &[], &[]).unwrap();

    // A file; what is missing is filled in; numbers are taken by their text; words in any case.
    let file = std::env::temp_dir().join(format!("bitmax-batch-{}.json", std::process::id()));
    let text = r#"[{"symbol":"A/B","orderQty":0.10,"orderType":"StopLimit","side":"SELL","orderPrice":"1","stopPrice":2,
        "timeInForce":"","postOnly":false,"respInst":null,"id":""}]"#;
    std::fs::write(&file, text).unwrap();
    let printed = run(&server, &["place-batch", "cash", file.to_str().unwrap()], "");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(printed.status, 0, "{}", printed.err);
    let sent: Value = serde_json::from_str(&server.requests().last().unwrap().body).unwrap();
    let order = &sent["orders"][0];
    assert!(order["id"].as_str().unwrap().len() == 32 && order["time"].as_u64().unwrap() > 1_500_000_000_000);
    assert_eq!(
        (&order["orderQty"], &order["stopPrice"], &order["side"]),
        (&json!("0.10"), &json!("2"), &json!("sell"))
    );

    // The rows of open-orders will do.
    let open = run(&exchange(|_| Reply::json(fixture("open-orders"))), &words("open-orders cash --json"), "").out;
    let printed = run(&server, &["cancel-batch", "cash", "-", "--json"], &open);
    assert_eq!(printed.status, 0, "{}", printed.err);
    let sent: Value = serde_json::from_str(&server.requests().last().unwrap().body).unwrap();
    assert_eq!(sent["orders"][0]["orderId"], "s16ef21882ea0866943712034f36d83");
    assert_signed(server.requests().last().unwrap(), "order/batch");
}

#[test]
fn a_refused_batch_ends_with_1_and_names_each_order() {
    let server = exchange(|_| Reply::json(fixture("place-batch-err")));
    let orders = json!([{"symbol": "A/B", "orderQty": "1", "orderType": "market", "side": "buy"}]).to_string();
    let refused = run(&server, &["place-batch", "cash", "-", "--json"], &orders);
    assert_eq!((refused.status, refused.out.as_str()), (1, ""));
    let error = serde_json::from_str::<Value>(&refused.err).unwrap()["error"].take();
    assert_eq!(
        (&error["kind"], &error["code"], &error["mayHaveExecuted"]),
        (&json!("refused"), &json!(300_013), &json!(false))
    );
    assert_eq!(error["orders"][0]["code"], 300_004);
    let told = run(&server, &["place-batch", "cash", "-"], &orders).err;
    assert!(
        told.contains("nGFdep927xsqSaL2B4R3jDSm1IGwcfmr: 300004 INVALID_NOTIONAL: Notional is too small."),
        "{told}"
    );
}

#[test]
fn bad_usage_and_bad_input_end_with_2_and_send_nothing() {
    let server = exchange(|_| Reply::json("{}"));
    for (args, kind) in [
        ("balance futures", "usage"),
        ("balance cash --asset usdt", "invalid-input"),
        ("transfer 0 USDT cash margin", "invalid-input"),
        ("transfer -1 USDT cash margin", "invalid-input"),
        ("transfer 1 USDT cash cash", "invalid-input"),
        ("transfer 1 USDT cash savings", "usage"),
        ("subuser-transfer 1 USDT --from-user a --to-user b", "usage"),
        ("subuser-transfers --page-size 11", "invalid-input"),
        ("balance-snapshot cash 2021-02-30", "invalid-input"),
        ("balance-history cash", "usage"),
        ("balance-history cash --sn 1 --limit 501", "usage"),
        ("deposit-addresses usdt", "invalid-input"),
        ("wallet-transactions --page-size 51", "invalid-input"),
        ("wallet-transactions --type gift", "usage"),
        ("place cash A/B buy limit 1", "usage"),
        ("place cash A/B buy market 1 --price 2", "usage"),
        ("place cash A/B buy market 1 --stop-price 2", "usage"),
        ("place cash A/B buy market 1 --post-only", "usage"),
        ("place cash A/B buy stop-limit 1 --price 2", "usage"),
        ("place cash A/B buy stop-limit 1 --price 2 --stop-price 3 --tif ioc", "usage"),
        ("place cash A/B both limit 1 --price 2", "usage"),
        ("place cash A/B buy iceberg 1", "usage"),
        ("place cash AB buy market 1", "invalid-input"),
        ("place cash A/B buy market 0", "invalid-input"),
        ("place cash A/B buy market -1", "invalid-input"),
        ("place cash A/B buy limit 1 --price -2", "invalid-input"),
        ("place cash A/B buy market 1 --id a@b", "invalid-input"),
        ("place cash A/B buy limit 1 --price 2 --tif day", "invalid-input"),
        ("place cash A/B buy limit 1 --price 2 --tif ioc --post-only", "usage"),
        ("cancel cash x", "usage"),
        ("cancel cash a,b A/B", "invalid-input"),
        ("cancel-all cash b", "invalid-input"),
        ("order cash", "usage"),
        ("order cash a,b", "invalid-input"),
        ("order-history-current cash --n 0", "usage"),
        ("order-history cash --limit 1001", "usage"),
        ("place-batch cash /no/such/file", "usage"),
    ] {
        let refused = run(&server, &words(&format!("{args} --json")), "");
        assert_eq!((refused.status, refused.out.as_str()), (2, ""), "{args}: {}", refused.err);
        let error = serde_json::from_str::<Value>(&refused.err).unwrap()["error"].take();
        assert_eq!((&error["kind"], &error["mayHaveExecuted"]), (&json!(kind), &json!(false)), "{args}: {error}");
    }
    let order = json!({"symbol": "A/B", "orderQty": "1", "orderType": "market", "side": "buy"});
    let with = |name: &str, value: Value| {
        let mut order = order.clone();
        order[name] = value;
        json!([order]).to_string()
    };
    for file in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "[7]".to_owned(),
        json!(vec![&order; 11]).to_string(),
        with("orderQty", json!(0)),
        with("orderQty", json!(true)),
        with("orderPrice", json!("1")),
        with("orderType", json!("limit")),
        with("orderType", json!("iceberg")),
        with("side", json!("both")),
        with("postonly", json!(true)),
        with("id", json!("a@b")),
        with("respInst", json!("LATER")),
    ] {
        let refused = run(&server, &["place-batch", "cash", "-"], &file);
        assert_eq!((refused.status, refused.out.as_str()), (2, ""), "{file}: {}", refused.err);
    }
    for file in ["[]", r#"[{"orderId":"x"}]"#, r#"[{"orderId":"x","symbol":"b"}]"#] {
        assert_eq!(run(&server, &["cancel-batch", "cash", "-"], file).status, 2, "{file}");
    }
    assert_eq!(server.requests(), []);
}

#[test]
fn without_credentials_nothing_private_is_asked() {
    let server = exchange(|_| Reply::json("{}"));
    let (rest, ws) = (server.url(), format!("ws://{}", server.address()));
    let output =
        Command::new(program()).args(["--json", "--rest", &rest, "--ws", &ws, "info"]).env_clear().output().unwrap();
    let error = serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"].take();
    assert_eq!((output.status.code(), &error["kind"]), (Some(2), &json!("invalid-input")));
    assert!(error["message"].as_str().unwrap().contains("BITMAX_API_KEY"));
    assert_eq!(server.requests(), []);
}

#[test]
fn credentials_do_not_go_to_another_machine_in_plain_text() {
    let output = Command::new(program())
        .args(["--json", "--rest", "http://exchange.invalid", "--ws", "ws://exchange.invalid", "info"])
        .env_clear()
        .envs([("BITMAX_API_KEY", KEY), ("BITMAX_API_SECRET", SECRET)])
        .output()
        .unwrap();
    let error = serde_json::from_slice::<Value>(&output.stderr).unwrap()["error"].take();
    assert_eq!((output.status.code(), &error["kind"]), (Some(2), &json!("invalid-input")), "{error}");
}

#[test]
fn the_embedded_exchange_brings_its_own_credentials() {
    let output = Command::new(program()).args(["balance", "cash", "--json"]).env_clear().output().unwrap();
    let balances: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(balances.as_array().unwrap().iter().any(|balance| balance["asset"] == "USDT"), "{balances}");
}
