//! The command-line client from outside: what it prints, what it sends, and how it ends.
//!
//! `cargo test` builds the examples; `cargo test --test cli` alone does not: run `cargo build --examples` before.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;
mod support;

use std::process::Command;

use serde_json::{Value, json};
use support::{PUBLIC, Reply, Run, Server, bars_answer, fixture, program, same};

fn bitmax(args: &[&str]) -> Run {
    bitmax_with(args, &[])
}

/// Runs a command line with variables of the environment.
fn bitmax_with(args: &[&str], variables: &[(&str, &str)]) -> Run {
    Run::of(Command::new(program()).args(args).env_clear().envs(variables.iter().copied()))
}

/// Runs a command line against a server.
fn against(server: &Server, args: &str) -> Run {
    let (rest, ws) = (server.url(), format!("ws://{}", server.address()));
    let target = ["--rest", rest.as_str(), "--ws", ws.as_str()];
    bitmax(&target.into_iter().chain(args.split(' ')).collect::<Vec<_>>())
}

/// Every command of the public market data, with the sample that answers it and what it asks for.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("assets", "assets-v2", "/api/pro/v2/assets?"),
    ("products", "products-v1", "/api/pro/v1/products?"),
    ("products cash", "products-cash", "/api/pro/v1/cash/products?"),
    ("products margin", "products-cash", "/api/pro/v1/margin/products?"),
    ("ticker", "ticker-list", "/api/pro/v1/spot/ticker?"),
    ("ticker ASD/USDT", "ticker-one", "/api/pro/v1/spot/ticker?symbol=ASD/USDT"),
    ("ticker ASD/USDT A/B", "ticker-list", "/api/pro/v1/spot/ticker?symbol=ASD/USDT,A/B,"),
    ("bar-intervals", "bar-intervals", "/api/pro/v1/barhist/info?"),
    ("bars ASD/USDT 1", "bars", "/api/pro/v1/barhist?symbol=ASD/USDT&interval=1"),
    ("bars ASD/USDT 1 --n 2", "bars", "/api/pro/v1/barhist?symbol=ASD/USDT&interval=1&n=2"),
    (
        "bars ASD/USDT 1d --from 5 --to 9 --n 2",
        "bars",
        "/api/pro/v1/barhist?symbol=ASD/USDT&interval=1d&from=5&to=9&n=2",
    ),
    ("bars ASD/USDT 1m --from 5 --to 9", "bars", "/api/pro/v1/barhist?symbol=ASD/USDT&interval=1m&from=5&to=9"),
    ("depth ASD/USDT", "depth", "/api/pro/v1/depth?symbol=ASD/USDT"),
    ("trades ASD/USDT", "trades", "/api/pro/v1/trades?symbol=ASD/USDT"),
    ("trades ASD/USDT --n 100", "trades", "/api/pro/v1/trades?symbol=ASD/USDT&n=100"),
    ("risk-limits", "risk-limits-v2", "/api/pro/v2/risk-limit-info?"),
    ("risk-limits --ip 10.1.2.3", "risk-limits-v2", "/api/pro/v2/risk-limit-info?ip=10.1.2.3"),
];

#[test]
fn each_command_sends_its_call_once_and_prints_what_came() {
    for (command, sample, target) in COMMANDS {
        let server = Server::start(|_| Reply::json(fixture(sample)));
        let printed = against(&server, &format!("{command} --json")).json();
        let read: Value = serde_json::from_str(&fixture(sample)).unwrap();
        same(&read["data"], &printed, &[], &[]).unwrap_or_else(|e| panic!("{command}: {e}"));

        let [request] = server.requests().try_into().unwrap();
        let query: Vec<_> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            (request.method.as_str(), format!("{}?{}", request.path, query.join("&"))),
            ("GET", target.to_string())
        );

        let table = against(&server, command);
        assert_eq!((table.status, table.err.as_str()), (0, ""), "{command}");
        assert!(table.out.lines().count() >= 2 && serde_json::from_str::<Value>(&table.out).is_err(), "{}", table.out);
    }
    // Every call of the library that is not of an older version has its command.
    let missing = PUBLIC.iter().find(|call| {
        !call.fixture.starts_with("latency")
            && !matches!(call.fixture, "assets-v1" | "risk-limits-v1")
            && !COMMANDS.iter().any(|(_, _, target)| target.starts_with(&format!("{}?", call.path)))
    });
    assert_eq!(missing.map(|call| call.path), None);
}

#[test]
fn latency_sends_the_time_of_this_machine() {
    let server = Server::start(|_| Reply::json(fixture("latency")));
    let printed = against(&server, "latency --json").json();
    assert_eq!(printed, serde_json::from_str::<Value>(&fixture("latency")).unwrap()["data"]);
    let [request] = server.requests().try_into().unwrap();
    assert_eq!(request.path, "/api/pro/v1/exchange-info");
    assert!(request.param("requestTime").unwrap().parse::<u64>().unwrap() > 1_500_000_000_000);
    assert!(against(&server, "latency").out.contains("2021-12-21 02:06:19.063"));
}

#[test]
fn money_is_printed_exactly_as_read() {
    let body = r#"{"code":0,"data":{"symbol":"A/B","open":"1.10","close":0.500,"high":"5.0E-4","low":"-0","volume":"12345678901234567890.12345678","ask":["",""],"bid":["1.0","2.000"]}}"#;
    let server = Server::start(move |_| Reply::json(body));
    let printed = against(&server, "--json ticker A/B").json();
    let wanted = json!({"symbol": "A/B", "open": "1.10", "close": "0.500", "high": "0.00050", "low": "0",
        "volume": "12345678901234567890.12345678", "ask": ["", ""], "bid": ["1.0", "2.000"]});
    assert_eq!(printed, wanted);
}

#[test]
fn an_unreadable_row_is_told_on_standard_error() {
    let server = Server::start(|_| {
        Reply::json(r#"{"code":0,"data":[{"name":"1","intervalInMillis":"?"},{"name":"5","intervalInMillis":300000}]}"#)
    });
    let run = against(&server, "bar-intervals --json");
    assert_eq!(run.json(), json!([{"name": "5", "intervalInMillis": 300_000}]));
    assert!(run.err.contains("row 0"), "{}", run.err);
}

const MINUTE: u64 = 60_000;

#[test]
fn bars_are_paged_as_far_as_asked() {
    let times: Vec<u64> = (1000..2700).map(|i| i * MINUTE).collect();
    let held = times.clone();
    let server = Server::start(move |request| Reply::json(bars_answer(&held, request)));
    let (first, last) = (times[0], times[times.len() - 1]);
    for (args, wanted) in [
        (format!("--from {first} --to {last}"), &times[..]),
        (format!("--from {}", first + 1), &times[1..]),
        (format!("--from 0 --to {}", u64::MAX), &times[..]),
        (format!("--from {first} --n 1200"), &times[500..]),
        ("--n 1200".to_owned(), &times[500..]),
        ("--n 5000".to_owned(), &times[..]),
        (format!("--n 501 --to {}", last - 1), &times[1198..1699]),
    ] {
        let printed = against(&server, &format!("bars A/B 1 --json {args}")).json();
        let printed: Vec<_> =
            printed.as_array().unwrap().iter().map(|bar| bar["data"]["ts"].as_u64().unwrap()).collect();
        assert_eq!(printed, wanted, "{args}");
    }
}

#[test]
fn a_refusal_ends_with_1() {
    let refusal = r#"{"code":100008,"reason":"SYMBOL_ERROR","message":"no such symbol"}"#;
    let server = Server::start(move |_| Reply::status(400, "", refusal));
    let run = against(&server, "depth X/Y --json");
    assert_eq!(run.status, 1);
    let wanted = json!({"kind": "refused", "code": 100_008, "reason": "SYMBOL_ERROR", "message": "no such symbol",
        "mayHaveExecuted": false});
    assert_eq!(run.error().1, wanted);
    let run = against(&server, "depth X/Y");
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    assert!(run.err.contains("SYMBOL_ERROR") && run.err.contains("no such symbol"), "{}", run.err);
}

#[test]
fn bad_usage_and_bad_input_end_with_2_and_send_nothing() {
    let server = Server::start(|_| Reply::json("{}"));
    for (args, kind) in [
        ("depth btc", "invalid-input"),
        ("ticker A/B C", "invalid-input"),
        ("bars A/B 7", "invalid-input"),
        ("bars A/B 1 --n 0", "invalid-input"),
        ("bars A/B 1 --from 2 --to 1", "invalid-input"),
        ("trades A/B --n 101", "invalid-input"),
        ("trades A/B --n x", "usage"),
        ("bars A/B", "usage"),
        ("products futures", "usage"),
        ("risk-limits --ip here", "usage"),
        ("nonsense", "usage"),
        ("assets --timeout 0", "usage"),
        ("assets --live", "usage"),
        ("assets --sandbox", "usage"),
    ] {
        let run = against(&server, &format!("{args} --json"));
        assert_eq!(run.status, 2, "{args}");
        let error = run.error().1;
        assert_eq!((&error["kind"], &error["mayHaveExecuted"]), (&json!(kind), &json!(false)), "{args}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
        let run = against(&server, args);
        assert!(run.status == 2 && run.out.is_empty() && !run.err.is_empty(), "{args}");
    }
    for args in [
        &["--json"][..],
        &["--json", "assets", "--rest", "http://127.0.0.1:1"],
        &["--json", "assets", "--ws", "ws://127.0.0.1:1"],
    ] {
        let run = bitmax(args);
        assert_eq!((run.status, &run.error().1["kind"]), (2, &json!("usage")), "{args:?}");
    }
    let run = bitmax(&["--json", "assets", "--rest", "ftp://127.0.0.1:1", "--ws", "ws://127.0.0.1:1"]);
    assert_eq!((run.status, &run.error().1["kind"]), (2, &json!("invalid-input")));
    assert_eq!(server.requests(), []);
}

#[test]
fn no_answer_or_a_bad_one_ends_with_3() {
    for (reply, kind) in [
        (Reply::Reset(Vec::new()), "transport"),
        (Reply::Stall(Vec::new()), "timeout"),
        (Reply::status(502, "", "<html>"), "http"),
        (Reply::status(302, "location: http://127.0.0.1:1/\r\n", ""), "redirect"),
        (Reply::json("{}"), "decode"),
        (Reply::status(200, "x: y\r\n", &" ".repeat(17 << 20)), "too-large"),
    ] {
        let server = Server::start(move |_| reply.clone());
        let timeout = if kind == "timeout" { "0.3" } else { "10" };
        let run = against(&server, &format!("assets --timeout {timeout} --json"));
        let error = run.error().1;
        assert_eq!((run.status, &error["kind"], &error["mayHaveExecuted"]), (3, &json!(kind), &json!(true)), "{error}");
        // What may pass is tried twice more, as far as the time-out goes.
        let times = if matches!(kind, "transport" | "http") { 3 } else { 1 };
        assert_eq!(server.requests().len(), times, "{kind}");
    }
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let run = bitmax(&["--json", "assets", "--rest", &format!("http://{address}"), "--ws", &format!("ws://{address}")]);
    let error = run.error().1;
    assert_eq!((run.status, &error["kind"], &error["mayHaveExecuted"]), (3, &json!("transport"), &json!(false)));
}

#[test]
fn the_time_out_bounds_all_pages_together() {
    // Each page comes in time, but there is no end of them.
    let server = Server::start(move |request| {
        let to = request.param("to").map_or(1 << 50, |to| to.parse().unwrap());
        Reply::json(bars_answer(&(0..500).map(|i| to - (499 - i) * MINUTE).collect::<Vec<_>>(), request))
    });
    let run = against(&server, "bars A/B 1 --n 4000000000 --timeout 0.5 --json");
    assert_eq!((run.status, &run.error().1["kind"]), (3, &json!("timeout")));
    assert!(server.requests().len() > 1);
}

#[test]
fn a_proxy_of_the_environment_is_used_but_never_for_this_machine() {
    let proxy = Server::start(|_| Reply::status(502, "", ""));
    let proxy_url = proxy.url();
    let server = Server::start(|_| Reply::json(fixture("assets-v2")));
    for variable in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        let proxied = |rest: &str| {
            bitmax_with(&["assets", "--json", "--rest", rest, "--ws", "ws://127.0.0.1:1"], &[(variable, &proxy_url)])
        };
        assert_eq!(proxied(&server.url()).json()[0]["assetCode"], "USDT");
        assert_eq!(proxied(&format!("http://localhost:{}", server.address().port())).json()[0]["assetCode"], "USDT");
        assert_eq!(proxy.requests(), []);
    }

    let args = ["assets", "--json", "--rest", "http://exchange.invalid", "--ws", "ws://127.0.0.1:1"];
    let run = bitmax_with(&args, &[("ALL_PROXY", &proxy_url)]);
    let error = run.error().1;
    assert_eq!((run.status, &error["kind"], &error["mayHaveExecuted"]), (3, &json!("transport"), &json!(false)));
    let requests = proxy.requests();
    assert_eq!(requests.len(), 3, "tried twice more");
    for request in requests {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("CONNECT", "exchange.invalid:80"));
    }
}

#[test]
fn options_stand_before_or_after_the_command() {
    let server = Server::start(|_| Reply::json(fixture("assets-v2")));
    let (rest, ws) = (server.url(), format!("ws://{}", server.address()));
    for args in [
        ["--rest", &rest, "--ws", &ws, "--timeout", "5", "--json", "assets"],
        ["assets", "--rest", &rest, "--ws", &ws, "--timeout", "5", "--json"],
        ["--json", "--rest", &rest, "assets", "--ws", &ws, "--timeout", "5"],
    ] {
        assert_eq!(bitmax(&args).json()[0]["assetCode"], "USDT", "{args:?}");
    }
}

#[test]
fn the_embedded_exchange_is_the_default() {
    for args in [&["latency", "--json"][..], &["--sandbox", "latency", "--json"]] {
        assert!(bitmax(args).json()["requestReceiveAt"].is_number());
    }
}

#[test]
fn help_is_no_failure() {
    let run = bitmax(&["--help"]);
    assert_eq!((run.status, run.err.as_str()), (0, ""));
    assert!(run.out.contains("--timeout") && run.out.contains("risk-limits"));
    assert_eq!(bitmax(&[]).status, 2);
}

/// A sandbox started as a program of its own; it ends with this.
struct SandboxProgram {
    child: std::process::Child,
    addresses: Value,
}

impl SandboxProgram {
    fn start(args: &[&str]) -> Self {
        // What is asked is logged: nobody reads that here.
        Self::with(args, |command| command.stderr(std::process::Stdio::null()))
    }

    fn with(args: &[&str], set: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        use std::io::BufRead;
        let mut command = Command::new(program());
        command.arg("sandbox").args(args).stdout(std::process::Stdio::piped()).env_remove("RUST_LOG");
        let mut child = set(&mut command).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, addresses: serde_json::from_str(&line).unwrap() }
    }

    fn run(&self, args: &[&str]) -> Run {
        let address = |name: &str| self.addresses[name].as_str().unwrap();
        let target = ["--rest", address("rest"), "--ws", address("ws")];
        bitmax(&target.into_iter().chain(args.iter().copied()).collect::<Vec<_>>())
    }
}

impl Drop for SandboxProgram {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn lines(run: &Run) -> Vec<Value> {
    assert_eq!(run.status, 0, "{}", run.err);
    run.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_sandbox_tells_its_credentials() {
    let sandbox = SandboxProgram::start(&["--seed", "5"]);
    let text = |name: &str| sandbox.addresses[name].as_str().unwrap();
    let port = text("rest").rsplit(':').next().unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis().to_string();
    let signature = private::sign(text("secret").as_bytes(), &format!("{now}+info"));
    let headers = [("x-auth-key", text("key")), ("x-auth-timestamp", &now), ("x-auth-signature", &signature)];
    let info = raw::Http::connect(port).request("GET", "/api/pro/v1/info", &headers, "").data();
    assert_eq!(info["viewPermission"], true);
}

#[test]
fn the_sandbox_logs_what_it_is_asked() {
    use std::io::BufRead;
    let mut sandbox = SandboxProgram::with(&[], |command| command.stderr(std::process::Stdio::piped()));
    let err = std::io::BufReader::new(sandbox.child.stderr.take().unwrap());
    let text = |name: &str| sandbox.addresses[name].as_str().unwrap();
    let port = text("rest").rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(raw::get(port, "/api/pro/v1/barhist/info?x=1").status, 200);
    let mut stream = raw::Stream::open(port);
    assert_eq!(stream.ask(r#"{"op":"sub","ch":"trades:BTC/USDT"}"#)["m"], "sub");
    let headers = [("x-auth-key", text("key")), ("x-auth-timestamp", "1"), ("x-auth-signature", "SIGNATURE")];
    assert_eq!(raw::Http::connect(port).request("GET", "/api/pro/v1/info", &headers, "").json()["code"], 100_011);
    let mut seen = Vec::new();
    for line in err.lines() {
        seen.push(line.unwrap());
        if seen.iter().any(|line| line.ends_with("GET /api/pro/v1/info -> 200")) {
            break;
        }
    }
    for wanted in ["GET /api/pro/v1/barhist/info -> 200", "GET /0/api/pro/v1/stream -> 101", "\"sub trades:BTC/USDT\""]
    {
        assert!(seen.iter().any(|line| line.starts_with("INFO") && line.ends_with(wanted)), "{wanted}: {seen:?}");
    }
    assert!(!seen.iter().any(|line| line.contains("SIGNATURE") || line.contains(text("key"))), "{seen:?}");
}

#[test]
fn watch_prints_events_one_a_line() {
    let sandbox = SandboxProgram::start(&["--port", "0"]);
    let run = sandbox.run(&["watch", "bbo:BTC/USDT,ETH/USDT", "depth:BTC/USDT", "--count", "5", "--json"]);
    let events = lines(&run);
    assert_eq!(events[0], json!({"event": "connected", "type": "unauth"}));
    let subscribed: Vec<&Value> = events.iter().filter(|e| e["event"] == "sub").map(|e| &e["ch"]).collect();
    assert!(subscribed.contains(&&json!("bbo:ETH/USDT")), "{subscribed:?}");
    let data: Vec<&Value> = events.iter().filter(|e| e["event"] == "bbo" || e["event"] == "depth").collect();
    assert_eq!(data.len(), 5);
    assert!(data.iter().all(|e| e["m"] == e["event"] && e["symbol"].is_string() && e["data"].is_object()));

    let human = sandbox.run(&["watch", "trades:BTC/USDT", "--for", "0.2"]);
    assert_eq!(human.status, 0, "{}", human.err);
    assert!(human.out.starts_with("connected\n"), "{}", human.out);
}

#[test]
fn book_prints_one_line_an_update_and_becomes_synced() {
    let sandbox = SandboxProgram::start(&[]);
    let run = sandbox.run(&["--json", "book", "BTC/USDT", "--levels", "3", "--count", "4"]);
    let updates = lines(&run);
    assert_eq!(updates.len(), 4);
    for update in &updates {
        assert_eq!(update["symbol"], "BTC/USDT");
        let synced = update["synced"] == true;
        assert_eq!(update["seqnum"].is_u64(), synced);
        assert_eq!(update["bids"].as_array().unwrap().len(), if synced { 3 } else { 0 });
    }
    assert_eq!(updates.last().unwrap()["synced"], true);
}

#[test]
fn the_stream_fails_as_rest_does() {
    for args in [&["watch", "bbo:btc/usdt"][..], &["watch", "bar:7:BTC/USDT"], &["watch"], &["book", "BTC"]] {
        let run = bitmax(args);
        assert_eq!((run.status, run.out.as_str()), (2, ""), "{args:?}: {}", run.err);
    }
    let sandbox = SandboxProgram::start(&[]);
    let refused = sandbox.run(&["--json", "watch", "bbo:NO/SUCH", "--for", "5"]);
    assert_eq!(refused.status, 1, "{}", refused.err);
    let error: Value = serde_json::from_str(&refused.err).unwrap();
    assert_eq!(error["error"]["kind"], "refused");

    let nobody = ["--rest", "http://127.0.0.1:1", "--ws", "ws://127.0.0.1:1", "watch", "bbo:BTC/USDT"];
    assert_eq!(bitmax(&nobody).status, 3);
}
