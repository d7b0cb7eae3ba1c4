//! The commands of the stream from outside, against a sandbox: private channels, requests, orders over the stream.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use bitmax::model::AccountCategory::{Cash, Margin};
use bitmax::sandbox::{Fault, OrderRequest, Permission, Sandbox, UserOptions};
use serde_json::{Value, json};
use support::{Run, program};

fn command(target: &[&str], line: &str) -> Command {
    let mut command = Command::new(program());
    command.args(target).args(line.split(' ')).env_clear().stdin(Stdio::null());
    command
}

/// A command line for a sandbox, with its user's credentials.
fn of(sandbox: &Sandbox, line: &str) -> Command {
    let mut command = command(&["--rest", &sandbox.rest_url(), "--ws", &sandbox.ws_url()], line);
    command.env("BITMAX_API_KEY", sandbox.api_key()).env("BITMAX_API_SECRET", sandbox.api_secret());
    command
}

fn run(mut command: Command) -> Run {
    Run::of(&mut command)
}

/// A program that prints events while the test goes on; it ends by itself.
struct Watcher {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watcher {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        match self.lines.next() {
            Some(line) => line.unwrap(),
            None => panic!("ended: {}", self.err()),
        }
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The greeting, and the acknowledgement of the one channel.
    fn subscribed(&mut self, channel: &str) {
        assert_eq!(self.json(), json!({"event": "connected", "type": "auth"}));
        assert_eq!(self.json(), json!({"event": "sub", "ch": channel}));
    }

    fn err(&mut self) -> String {
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        err
    }

    fn ends_well(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}", self.err());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        self.child.wait().unwrap();
    }
}

#[test]
fn watch_prints_orders_and_balances_with_the_names_of_the_wire() {
    let sandbox = Sandbox::start().unwrap();
    for auth in ["", " --auth header", " --auth message"] {
        let mut watcher = Watcher::start(of(&sandbox, &format!("watch order:cash --json --count 3{auth}")));
        watcher.subscribed("order:cash");
        let id = sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
        let event = watcher.json();
        assert_eq!((&event["event"], &event["m"], &event["ac"]), (&json!("order"), &json!("order"), &json!("cash")));
        let data = &event["data"];
        assert_eq!((&data["orderId"], &data["st"]), (&json!(id.as_str()), &json!("New")), "{auth}: {event}");
        assert_eq!((&data["s"], &data["p"], &data["q"]), (&json!("BTC/USDT"), &json!("10000"), &json!("0.01")));
        sandbox.user().cancel(id).unwrap();
        assert_eq!(watcher.json()["data"]["st"], "Canceled");
        sandbox.user().fund(Cash, "ETH", "3").unwrap();
        let event = watcher.json();
        assert_eq!(
            (&event["event"], &event["m"], &event["data"]["a"]),
            (&json!("balance"), &json!("balance"), &json!("ETH"))
        );
        watcher.ends_well();
    }
}

#[test]
fn watch_prints_lines_for_people() {
    let sandbox = Sandbox::start().unwrap();
    // The acknowledgement is not shown to people: that the subscription is there is told by the sandbox.
    let subscribed = sandbox.inject(Fault::DelayAnswer(Duration::ZERO).at("sub order:*"));
    let mut watcher = Watcher::start(of(&sandbox, "watch order:margin --count 2"));
    assert_eq!(watcher.line(), "connected");
    let deadline = Instant::now() + Duration::from_secs(20);
    while subscribed.hits() == 0 {
        assert!(Instant::now() < deadline, "not subscribed");
        std::thread::yield_now();
    }
    sandbox.user().place(&OrderRequest::sell("BTC/USDT", "0.01").limit("900000").margin()).unwrap();
    let line = watcher.line();
    assert!(line.contains(" order   BTC/USDT   Sell Limit  0.01 @ 900000 New, filled 0  "), "{line}");
    sandbox.user().fund(Margin, "ETH", "3").unwrap();
    let line = watcher.line();
    assert!(line.ends_with(" balance ETH        margin 13, of it 13 available"), "{line}");
    watcher.ends_well();
}

#[test]
fn the_ready_mode_tells_resting_orders_and_cancels_in_vain() {
    let sandbox = Sandbox::start().unwrap();
    let mut watcher = Watcher::start(of(&sandbox, "watch order:cash --ready-ack --json --count 2"));
    watcher.subscribed("order:cash");
    sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
    assert_eq!(watcher.json()["data"]["st"], "Ready");
    let nothing = "a16ed787462fu6956940018bitmaxb001";
    let (status, error) = run(of(&sandbox, &format!("cancel cash {nothing} BTC/USDT --over ws --json"))).error();
    assert_eq!((status, &error["kind"], &error["mayHaveExecuted"]), (1, &json!("refused"), &json!(false)), "{error}");
    let event = watcher.json();
    assert_eq!((&event["event"], &event["m"]), (&json!("cancel-rejected"), &json!("order")));
    assert_eq!((&event["data"]["origOrderId"], &event["data"]["st"]), (&json!(nothing), &json!("Rejected")));
    watcher.ends_well();
}

#[test]
fn the_embedded_exchange_has_credentials_of_its_own() {
    let line = "watch order:cash depth-realtime:BTC/USDT --json --count 2";
    let watched = run(command(&[], line));
    assert_eq!((watched.status, watched.err.as_str()), (0, ""));
    let events: Vec<Value> = watched.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0], json!({"event": "connected", "type": "auth"}));
    let first = events.iter().find(|event| event["event"] == "depth").unwrap();
    assert_eq!(first["m"], "depth-snapshot-realtime");

    let book = run(command(&["--sandbox"], "book BTC/USDT --realtime --levels 2 --count 3 --json"));
    assert_eq!(book.out.lines().count(), 3, "{book:?}");
    let mut last = 0;
    for line in book.out.lines() {
        let update: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&update["synced"], update["bids"].as_array().unwrap().len()), (&json!(true), 2));
        let seqnum = update["seqnum"].as_u64().unwrap();
        assert!(seqnum > last);
        last = seqnum;
    }
}

#[test]
fn every_request_is_answered() {
    let sandbox = Sandbox::start().unwrap();
    let id = sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
    let ask = |line: &str| {
        let human = run(of(&sandbox, &format!("request {line}")));
        assert!(human.status == 0 && human.err.is_empty() && human.out.lines().count() > 1, "{line}: {human:?}");
        run(of(&sandbox, &format!("request {line} --json"))).json()
    };
    for snapshot in ["depth-snapshot", "depth-snapshot-top100", "depth-snapshot-realtime"] {
        let book = ask(&format!("{snapshot} --symbol BTC/USDT"));
        assert_eq!((&book["m"], &book["symbol"]), (&json!(snapshot), &json!("BTC/USDT")));
        assert!(!book["data"]["bids"].as_array().unwrap().is_empty());
    }
    let trades = ask("market-trades --symbol BTC/USDT --level 2");
    assert_eq!((&trades["m"], trades["data"].as_array().unwrap().len()), (&json!("market-trades"), 2));
    let balances = ask("balance --account margin");
    assert!(balances.as_array().unwrap().iter().any(|row| row["asset"] == "USDT" && row["totalBalance"].is_string()));
    for line in ["open-order --account cash", "open-order --account cash --symbol BTC/USDT"] {
        assert_eq!(ask(line)[0]["orderId"], id.as_str(), "{line}");
    }
    assert_eq!(run(of(&sandbox, "request open-order --account cash --symbol ETH/USDT --json")).json(), json!([]));
    assert!(ask("margin-risk --symbol BTC/USDT")["tb"].is_string());
    let other = sandbox.user().place(&OrderRequest::buy("ETH/USDT", "0.1").limit("100")).unwrap();
    let statuses = ask(&format!("order-status --account cash --order-id {id} {other}"));
    let ids: Vec<&Value> = statuses.as_array().unwrap().iter().map(|row| &row["orderId"]).collect();
    assert_eq!(ids, [id.as_str(), other.as_str()]);
}

#[test]
fn orders_go_over_the_stream() {
    let sandbox = Sandbox::start().unwrap();
    let ours = "clientorder0001";
    let place = format!("place cash BTC/USDT buy limit 0.01 --price 10000 --id {ours} --over ws --json");
    let placed = run(of(&sandbox, &place)).json();
    assert_eq!((&placed["action"], &placed["status"]), (&json!("place-order"), &json!("Ack")));
    assert_eq!(placed["info"]["id"], ours);
    let [order] = sandbox.user().open_orders(Cash).try_into().unwrap();
    assert_eq!(placed["info"]["orderId"], order.id.as_str());

    let open = run(of(&sandbox, "open-orders cash --over ws --json")).json();
    assert_eq!((&open[0]["orderId"], &open[0]["q"]), (&json!(order.id.as_str()), &json!("0.01")));
    assert_eq!(run(of(&sandbox, "open-orders cash ETH/USDT --over ws --json")).json(), json!([]));
    let cancel = format!("cancel cash {} BTC/USDT --over ws --json", order.id);
    assert_eq!(run(of(&sandbox, &cancel)).json()["action"], "cancel-order");
    assert!(sandbox.user().open_orders(Cash).is_empty());

    for _ in 0..2 {
        sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit("10000")).unwrap();
    }
    assert_eq!(run(of(&sandbox, "cancel-all cash BTC/USDT --over ws --json")).json()["action"], "cancel-all");
    assert!(sandbox.user().open_orders(Cash).is_empty());
}

#[test]
fn refusals_end_with_1_and_nonsense_with_2() {
    let sandbox = Sandbox::start().unwrap();
    for line in [
        "watch order:cash --for 5",
        "watch bbo:BTC/USDT --auth header --for 5",
        "watch bbo:BTC/USDT --auth message --for 5",
        "watch order:cash --auth message --ready-ack --for 5",
        "request balance --account cash",
        "open-orders cash --over ws",
    ] {
        let mut command = of(&sandbox, &format!("{line} --json"));
        command.env("BITMAX_API_SECRET", "another");
        let (status, error) = run(command).error();
        assert_eq!((status, &error["kind"]), (1, &json!("refused")), "{line}: {error}");
        assert!(error["code"].is_number());
    }
    let looker = sandbox.add_user(UserOptions::new().permissions([Permission::View]));
    let mut command = of(&sandbox, "place cash BTC/USDT buy market 0.01 --over ws --json");
    command.env("BITMAX_API_KEY", looker.api_key()).env("BITMAX_API_SECRET", looker.api_secret());
    assert_eq!(run(command).error().0, 1);
    for line in ["request depth-snapshot --symbol NO/SUCH", "place cash BTC/USDT buy limit 900 --price 10000 --over ws"]
    {
        let (status, error) = run(of(&sandbox, &format!("{line} --json"))).error();
        assert_eq!(
            (status, &error["kind"], &error["mayHaveExecuted"]),
            (1, &json!("refused"), &json!(false)),
            "{line}"
        );
    }

    let requests = sandbox.inject(Fault::LoseAnswer.at("*").always());
    for line in [
        "watch order:cash --auth none",
        "watch bbo:BTC/USDT --auth none --ready-ack",
        "watch order:futures",
        "watch order:cash --auth no",
        "watch depth-realtime:btc",
        "book btc --realtime",
        "request",
        "request place-order",
        "request balance",
        "request balance --account futures",
        "request balance --account cash --auth none",
        "request balance --account cash --symbol BTC/USDT",
        "request depth-snapshot",
        "request depth-snapshot --symbol btc",
        "request depth-snapshot --symbol BTC/USDT --level 5",
        "request depth-snapshot --symbol BTC/USDT --account cash",
        "request market-trades --symbol BTC/USDT --level 0",
        "request market-trades --symbol BTC/USDT --order-id x",
        "request margin-risk --symbol BTC/USDT --account cash",
        "request order-status --account cash",
        "request order-status --account cash --order-id",
        "place cash BTC/USDT buy limit 0.01 --over ws",
        "place cash BTC/USDT buy limit 0.01 --price 1 --over udp",
        "cancel-all cash btc --over ws",
    ] {
        let (status, error) = run(of(&sandbox, &format!("{line} --json"))).error();
        assert_eq!((status, &error["mayHaveExecuted"]), (2, &json!(false)), "{line}: {error}");
        let human = run(of(&sandbox, line));
        assert!(human.status == 2 && human.out.is_empty() && !human.err.is_empty(), "{line}: {human:?}");
    }
    assert_eq!(requests.hits(), 0, "nothing was sent");
    for line in ["watch order:cash", "request balance --account cash", "cancel-all cash --over ws"] {
        let mut command = of(&sandbox, &format!("{line} --json"));
        command.env_remove("BITMAX_API_KEY");
        let (status, error) = run(command).error();
        assert_eq!((status, &error["kind"]), (2, &json!("invalid-input")), "{line}: {error}");
    }
    assert_eq!(requests.hits(), 0, "nothing was sent");
}

#[test]
fn an_answer_that_does_not_come_ends_with_3_in_time() {
    let sandbox = Sandbox::start().unwrap();
    let lost = sandbox.inject(Fault::LoseAnswer.at("req *").always());
    for line in ["request depth-snapshot --symbol BTC/USDT", "cancel-all cash --over ws"] {
        let (status, error) = run(of(&sandbox, &format!("{line} --timeout 2 --json"))).error();
        let expected = (3, &json!("timeout"), &json!(true));
        assert_eq!((status, &error["kind"], &error["mayHaveExecuted"]), expected, "{line}: {error}");
    }
    assert_eq!(lost.hits(), 2, "each was sent once");
    let nobody = ["--rest", "http://127.0.0.1:1", "--ws", "ws://127.0.0.1:1"];
    for line in ["request depth-snapshot --symbol BTC/USDT --json", "watch bbo:BTC/USDT --json"] {
        let (status, error) = run(command(&nobody, line)).error();
        assert_eq!((status, &error["mayHaveExecuted"]), (3, &json!(false)), "{line}: {error}");
    }
}

#[test]
fn public_data_needs_no_key_and_shows_none() {
    let sandbox = Sandbox::start().unwrap();
    // A key that is no good does no harm where none is needed.
    for line in ["watch bbo:BTC/USDT --count 1 --json", "watch bbo:BTC/USDT --auth none --count 1 --json"] {
        let mut command = of(&sandbox, line);
        command.env("BITMAX_API_SECRET", "another");
        let watched = run(command);
        assert!(watched.out.starts_with("{\"event\":\"connected\",\"type\":\"unauth\"}\n"), "{watched:?}");
    }
    let mut command = of(&sandbox, "request market-trades --symbol BTC/USDT --json");
    command.env_remove("BITMAX_API_KEY");
    assert_eq!(run(command).json()["m"], "market-trades");
}

#[test]
fn a_session_is_recorded_and_played_by_the_sandbox() {
    let sandbox = Sandbox::start().unwrap();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-record.jsonl");
    let path = file.to_str().unwrap();
    let recorded =
        run(of(&sandbox, &format!("record {path} depth:BTC/USDT,ETH/USDT order:cash --count 8 --json"))).json();
    assert!(
        recorded["texts"].as_u64() > Some(10) && recorded["redacted"] == 2 && recorded["missed"] == 0,
        "{recorded}"
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("order:") && !text.contains(sandbox.api_key()));
    // Both books were begun, so the sandbox has them.
    let replay = Sandbox::builder().replay(&file).start().unwrap();
    for symbol in ["BTC/USDT", "ETH/USDT"] {
        let book = run(of(&replay, &format!("book {symbol} --count 2 --json")));
        assert!(book.out.contains("\"synced\":true"), "{book:?}");
    }

    // It ends by time as well, also where there is little to write.
    let brief = run(of(&sandbox, &format!("record {path} trades:BTC/USDT --for 0.05")));
    assert!(brief.status == 0 && brief.out.contains(" texts, 0 redacted"), "{brief:?}");
    for (line, status, kind) in [
        ("record /nowhere/at/all bbo:BTC/USDT", 3, "recording"),
        (&format!("record {path}") as &str, 2, "usage"),
        (&format!("record {path} depth:BTC"), 2, "usage"),
    ] {
        let (ended, error) = run(of(&sandbox, &format!("{line} --json"))).error();
        assert_eq!((ended, &error["kind"]), (status, &json!(kind)), "{line}: {error}");
    }
}

#[test]
fn an_interrupted_recording_is_whole() {
    let sandbox = Sandbox::start().unwrap();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-interrupted.jsonl");
    drop(std::fs::remove_file(&file));
    let mut command = of(&sandbox, &format!("record {} depth:BTC/USDT --json", file.display()));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    // It asks for the snapshot, so it heeds an interrupt by now; and there is an answer.
    let is_under_way = |text: String| text.contains("depth-snapshot") && text.lines().count() >= 5;
    while !std::fs::read_to_string(&file).is_ok_and(is_under_way) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing is recorded");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let recorded: Value = serde_json::from_slice(&output.stdout).unwrap();
    // All but the line that says where to.
    let written = std::fs::read_to_string(&file).unwrap().lines().count() - 1;
    assert_eq!(recorded["texts"], written);
    let recording = bitmax::Recording::open(&file).unwrap();
    assert_eq!(recording.cut_off(), None);
}
