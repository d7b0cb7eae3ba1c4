//! Every command of the command-line client against a sandbox: what it prints, as JSON and for people, and how it ends.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use bitmax::model::AccountCategory::Cash;
use bitmax::sandbox::{OrderRequest, Sandbox, UserOptions};
use serde_json::{Value, json};
use support::{Run, program};

fn command(sandbox: &Sandbox, line: &str) -> Command {
    let mut command = Command::new(program());
    command.args(["--rest", &sandbox.rest_url(), "--ws", &sandbox.ws_url()]).args(line.split(' ')).env_clear();
    command.env("BITMAX_API_KEY", sandbox.api_key()).env("BITMAX_API_SECRET", sandbox.api_secret());
    command
}

fn run_with(sandbox: &Sandbox, line: &str, input: &str) -> Run {
    Run::fed(&mut command(sandbox, line), input)
}

fn run(sandbox: &Sandbox, line: &str) -> Run {
    run_with(sandbox, line, "")
}

/// The one line of JSON of a command that is done.
fn json_of(sandbox: &Sandbox, line: &str) -> Value {
    let run = run(sandbox, &format!("{line} --json"));
    assert_eq!((run.status, run.out.lines().count(), run.err.as_str()), (0, 1, ""), "{line}: {run:?}");
    serde_json::from_str(&run.out).unwrap()
}

/// Each command that is done with one answer; where in its JSON something has to be; a word of its table.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("assets", "/0/assetCode", "ASSET"),
    ("products", "/0/baseAsset", "MIN NOTIONAL"),
    ("products cash", "/0/tickSize", "RESERVE"),
    ("products margin", "/0/lotSize", "RESERVE"),
    ("ticker", "/1/symbol", "BTC/USDT"),
    ("ticker BTC/USDT", "/close", "LAST"),
    ("ticker BTC/USDT ETH/USDT", "/1/close", "ETH/USDT"),
    ("bar-intervals", "/0/intervalInMillis", "INTERVAL"),
    ("bars BTC/USDT 1", "/9/data/c", "START (UTC)"),
    ("bars BTC/USDT 60 --n 501", "/500/data/c", "VOLUME"),
    ("depth BTC/USDT", "/data/bids/0/0", "ask"),
    ("trades BTC/USDT --n 3", "/data/2/p", "SEQNUM"),
    ("risk-limits", "/ip", "127.0.0.1"),
    ("latency", "/requestReceiveAt", "round trip"),
    ("info", "/accountGroup", "group"),
    ("fees", "/genericFee/largeCap/maker", "MAKER"),
    ("fees --by-symbol", "/productFee/0/symbol", "BTC/USDT"),
    ("balance cash", "/0/totalBalance", "USDT"),
    ("balance margin --asset BTC", "/0/borrowed", "BTC"),
    ("margin-risk", "/currentLeverage", "leverage"),
    ("transfer 100 USDT cash margin", "/code", "done"),
    (
        "subuser-transfer 10 USDT --from-user parentUser --to-user desk --from-account cash --to-account cash",
        "/amount",
        "10",
    ),
    ("subuser-transfers --asset USDT", "/data/0/userTo", "desk"),
    ("balance-history cash --sn 0 --limit 10", "/balance/0/sn", "Deposit"),
    ("deposit-addresses USDT", "/address/0/blockchain", "ADDRESS"),
    ("wallet-transactions --asset USDT --type deposit", "/data/0/requestId", "deposit"),
    ("place cash BTC/USDT buy limit 0.01 --price 30000 --post-only --resp accept", "/info/orderId", "accepted"),
    ("place cash BTC/USDT buy limit 0.01 --price 30001 --over ws", "/info/orderId", "acknowledged"),
    ("place cash BTC/USDT buy limit 0.01 --price 30002 --settle", "/orderId", "placed"),
    ("place margin ETH/USDT sell market 0.1 --resp done", "/info/avgPx", "done"),
    ("open-orders cash", "/0/orderId", "BTC/USDT"),
    ("open-orders cash BTC/USDT --over ws", "/0/orderId", "BTC/USDT"),
    ("cancel-all cash BTC/USDT --over ws", "/info/symbol", "taken"),
    ("cancel-all margin", "/action", "taken"),
    ("order-history-current cash --n 5", "/0/orderId", "BTC/USDT"),
    ("order-history cash", "/0/seqNum", "Canceled"),
    ("order-history cash --symbol BTC/USDT --all --limit 2", "/2/seqNum", "Canceled"),
    ("request depth-snapshot --symbol BTC/USDT", "/data/asks/0/0", "bid"),
    ("request depth-snapshot-top100 --symbol BTC/USDT", "/data/asks/0/0", "bid"),
    ("request depth-snapshot-realtime --symbol BTC/USDT --auth header", "/data/asks/0/0", "bid"),
    ("request market-trades --symbol BTC/USDT --level 3", "/data/2/p", "PRICE"),
    ("request balance --account cash", "/0/asset", "USDT"),
    ("request open-order --account cash", "", ""),
    ("request margin-risk --symbol BTC/USDT", "/tb", "leverage"),
    ("book BTC/USDT --levels 2 --count 1", "/seqnum", "BTC/USDT"),
    ("watch bbo:BTC/USDT --for 0.5", "", "connected"),
];

#[test]
fn each_command_is_done_and_shows_what_came() {
    let sandbox = Sandbox::start().unwrap();
    sandbox.add_user(UserOptions::new().name("desk").sub_user_of(sandbox.user()));
    let mut wrong = Vec::new();
    for (line, place, word) in COMMANDS {
        let json = run(&sandbox, &format!("{line} --json"));
        let values: Option<Vec<Value>> = json.out.lines().map(|text| serde_json::from_str(text).ok()).collect();
        let is_there = |values: Vec<Value>| {
            place.is_empty()
                || values.first().and_then(|value| value.pointer(place)).is_some_and(|value| !value.is_null())
        };
        if json.status != 0 || !values.is_some_and(is_there) {
            wrong.push(format!("{line} --json: no {place} in {json:?}"));
        }
        let people = run(&sandbox, line);
        let out = &people.out;
        if people.status != 0 || !people.err.is_empty() || !out.contains(word) || out.contains('\x1b') {
            wrong.push(format!("{line}: no {word} in {people:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Bad lines of each command, and how they end: 1 where the exchange refuses, 2 where nothing is sent.
const BAD: &[(&str, i32)] = &[
    ("assets more", 2),
    ("products futures", 2),
    ("ticker btc/usdt", 2),
    ("ticker NO/SUCH", 1),
    ("bar-intervals more", 2),
    ("bars BTC/USDT", 2),
    ("bars BTC/USDT 7", 2),
    ("bars BTC/USDT 1 --n 0", 2),
    ("bars BTC/USDT 1 --from 2 --to 1", 2),
    ("bars NO/SUCH 1", 1),
    ("depth", 2),
    ("depth BTCUSDT", 2),
    ("depth NO/SUCH", 1),
    ("trades BTC/USDT --n 101", 2),
    ("trades NO/SUCH", 1),
    ("risk-limits --ip nowhere", 2),
    ("latency more", 2),
    ("info more", 2),
    ("fees --by-product", 2),
    ("balance", 2),
    ("balance futures", 2),
    ("balance cash --asset usd!", 2),
    ("balance cash --asset NOSUCH", 1),
    ("margin-risk more", 2),
    ("transfer 0 USDT cash margin", 2),
    ("transfer 1 USDT cash cash", 2),
    ("transfer 999999999 USDT cash margin", 1),
    ("subuser-transfer 1 USDT", 2),
    ("subuser-transfer 1 USDT --from-user parentUser --to-user nobody --from-account cash --to-account cash", 1),
    ("subuser-transfers --page 0", 2),
    ("subuser-transfers --start 5 --end 2", 2),
    ("balance-snapshot cash", 2),
    ("balance-snapshot cash 2021-13-01", 2),
    ("balance-snapshot cash 2099-01-01", 1),
    ("balance-history cash", 2),
    ("balance-history cash --sn 0 --limit 0", 2),
    ("deposit-addresses", 2),
    ("deposit-addresses NOSUCH", 1),
    ("wallet-transactions --type loan", 2),
    ("wallet-transactions --page 0", 2),
    ("place cash BTC/USDT buy limit 0 --price 1", 2),
    ("place cash BTC/USDT buy limit 0.01", 2),
    ("place cash BTC/USDT buy market 0.01 --price 5", 2),
    ("place cash BTC/USDT hold limit 1 --price 5", 2),
    ("place cash NO/SUCH buy limit 1 --price 5", 1),
    ("place cash BTC/USDT buy limit 5 --price 50000", 1),
    ("place-batch cash", 2),
    ("place-batch cash /nowhere/at/all", 2),
    ("place-batch cash -", 2),
    ("cancel-batch cash /nowhere/at/all", 2),
    ("cancel-batch cash -", 2),
    ("cancel cash a16ed787462fu6956940018bitmaxb001", 2),
    ("cancel cash a16ed787462fu6956940018bitmaxb001 BTC/USDT", 1),
    ("cancel-all futures", 2),
    ("cancel-all cash btc", 2),
    ("cancel-all cash NO/SUCH", 1),
    ("order cash", 2),
    ("order futures a16ed787462fu6956940018bitmaxb001", 2),
    ("open-orders futures", 2),
    ("open-orders cash NO/SUCH", 1),
    ("order-history-current cash --n 0", 2),
    ("order-history-current cash --symbol x", 2),
    ("order-history cash --limit 0", 2),
    ("order-history cash --start 5 --end 2", 2),
    ("order-history nobody", 1),
    ("watch", 2),
    ("watch bbo", 2),
    ("watch bar:7:BTC/USDT", 2),
    ("watch order:cash --auth none", 2),
    ("watch bbo:NO/SUCH --for 20", 1),
    ("book btc", 2),
    ("book BTC/USDT --levels 0", 2),
    ("book NO/SUCH --for 20", 1),
    ("request no-such", 2),
    ("request balance", 2),
    ("request depth-snapshot --symbol NO/SUCH", 1),
    ("sandbox --port 99999", 2),
    ("sandbox --speed 0", 2),
    ("record", 2),
    ("record some.jsonl", 2),
    ("completions csh", 2),
];

#[test]
fn each_command_says_what_is_bad_and_ends_with_1_or_2() {
    let sandbox = Sandbox::start().unwrap();
    let mut wrong = Vec::new();
    for (line, status) in BAD {
        let people = run(&sandbox, line);
        let is_told = people.err.starts_with("error: ") && (people.out.is_empty() || people.out == "connected\n");
        if people.status != *status || !is_told {
            wrong.push(format!("{line}: {people:?}"));
        }
        let json = run(&sandbox, &format!("{line} --json"));
        let error = serde_json::from_str::<Value>(&json.err).unwrap_or_default()["error"].take();
        let is_told = error["mayHaveExecuted"] == false
            && error["kind"].is_string()
            && error["message"].as_str().is_some_and(|message| !message.is_empty())
            && (*status == 2 || error["code"].is_number());
        if json.status != *status || json.err.lines().count() != 1 || !is_told {
            wrong.push(format!("{line} --json: {json:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(sandbox.user().open_orders(Cash).is_empty());

    // Neither list leaves a command out; good lines that need an id, a file or an end are in tests of their own.
    let elsewhere = "order cancel place-batch cancel-batch balance-snapshot sandbox record completions".split(' ');
    let first = |line: &'static str| line.split(' ').next().unwrap_or_default();
    let good: BTreeSet<&str> = COMMANDS.iter().map(|(line, ..)| first(line)).chain(elsewhere).collect();
    let bad: BTreeSet<&str> = BAD.iter().map(|(line, _)| first(line)).collect();
    let all: BTreeSet<String> = names(&sandbox).into_iter().collect();
    assert!(good.iter().copied().eq(all.iter().map(String::as_str)), "{good:?}\n{all:?}");
    assert!(bad.iter().copied().eq(all.iter().map(String::as_str)), "{bad:?}\n{all:?}");
}

#[test]
fn a_sandbox_that_cannot_be_had_ends_with_3() {
    let sandbox = Sandbox::start().unwrap();
    let port = sandbox.port();
    for line in
        [&format!("sandbox --port {port}"), "sandbox --replay /nowhere/at/all", "sandbox --state /nowhere/at/all/state"]
    {
        let run = run(&sandbox, line);
        assert_eq!((run.status, run.out.as_str()), (3, ""), "{line}: {run:?}");
        assert!(run.err.starts_with("error: "), "{line}: {run:?}");
    }
}

#[test]
fn a_recording_is_played_by_a_sandbox_in_another_terminal() {
    let sandbox = Sandbox::start().unwrap();
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-sandbox-record.jsonl");
    let path = file.to_str().unwrap();
    let line = format!("record {path} depth:BTC/USDT order:cash --count 6 --private --rotate 1500");
    let recorded = json_of(&sandbox, &line);
    assert_eq!((&recorded["redacted"], &recorded["missed"]), (&json!(0), &json!(0)), "{recorded}");
    assert!(recorded["files"].as_u64() > Some(1) && recorded["bytes"].as_u64() > Some(1500), "{recorded}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("order:cash"));

    let mut other = command(&sandbox, &format!("sandbox --replay {path} --speed 0"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut told).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    let target = ["--rest", told["rest"].as_str().unwrap(), "--ws", told["ws"].as_str().unwrap()];
    let book =
        Command::new(program()).args(target).args(["book", "BTC/USDT", "--count", "1", "--json"]).output().unwrap();
    other.kill().unwrap();
    other.wait().unwrap();
    let book: Value = serde_json::from_slice(&book.stdout).unwrap();
    assert_eq!((&book["symbol"], &book["synced"]), (&json!("BTC/USDT"), &json!(true)));
}

/// Where the width is not known it is 80 columns.
#[test]
fn lines_of_watch_fit_their_room() {
    let sandbox = Sandbox::start().unwrap();
    let channels = "bbo:BTC/USDT,DOGE/USDT trades:BTC/USDT depth:BTC/USDT ref-px:BTC bar:1:BTC/USDT bar:60:DOGE/USDT \
                    summary:BTC/USDT,ETH/USDT";
    let watched = run(&sandbox, &format!("watch {} --for 4", channels.replace("  ", "")));
    assert_eq!((watched.status, watched.err.as_str()), (0, ""));
    for kind in ["bbo", "depth", "ref-px", "bar 1", "bar 60", "bar 1d"] {
        assert!(watched.out.contains(&format!(" {kind:<7} ")), "{kind}: {}", watched.out);
    }
    for line in watched.out.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// The commands that the help names.
fn names(sandbox: &Sandbox) -> Vec<String> {
    let help = run(sandbox, "--help").out;
    let commands = help.split_once("Commands:").unwrap().1.split_once("\n\n").unwrap().0;
    let lines = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn orders_are_asked_for_and_cancelled_by_their_ids() {
    let sandbox = Sandbox::start().unwrap();
    let place = |price: u32| sandbox.user().place(&OrderRequest::buy("BTC/USDT", "0.01").limit(price)).unwrap();
    let ids: Vec<String> = (0..6).map(|n| place(30_000 + n).to_string()).collect();

    let known = json_of(&sandbox, &format!("order cash {} {}", ids[0], ids[1]));
    assert_eq!(known.as_array().unwrap().len(), 2);
    let states = json_of(&sandbox, &format!("request order-status --account cash --order-id {}", ids[0]));
    assert_eq!(states[0]["orderId"], ids[0].as_str());
    for (line, what) in [
        (format!("order cash {}", ids[0]), "Limit"),
        (format!("request order-status --account cash --order-id {}", ids[0]), "Limit"),
        (format!("cancel cash {} BTC/USDT", ids[0]), &ids[0]),
        (format!("cancel cash {} BTC/USDT --over ws", ids[1]), &ids[1]),
    ] {
        let run = run(&sandbox, &line);
        assert_eq!((run.status, run.err.as_str()), (0, ""), "{line}: {run:?}");
        assert!(run.out.contains(what), "{line}: {}", run.out);
    }
    assert_eq!(json_of(&sandbox, &format!("cancel cash {} BTC/USDT", ids[2]))["info"]["orderId"], ids[2].as_str());

    let cancels: Vec<Value> = ids[3..].iter().map(|id| json!({"orderId": id, "symbol": "BTC/USDT"})).collect();
    let cancelled = run_with(&sandbox, "cancel-batch cash - --json", &Value::from(cancels).to_string());
    assert_eq!(cancelled.status, 0, "{cancelled:?}");
    assert!(sandbox.user().open_orders(Cash).is_empty());

    let order =
        json!({"symbol": "BTC/USDT", "orderQty": "0.01", "orderType": "limit", "side": "buy", "orderPrice": "30000"});
    let placed = run_with(&sandbox, "place-batch cash -", &json!([order, order]).to_string());
    assert_eq!((placed.status, placed.err.as_str()), (0, ""), "{placed:?}");
    assert_eq!(placed.out.matches("acknowledged").count(), 2, "{}", placed.out);
    assert_eq!(sandbox.user().open_orders(Cash).len(), 2);

    // Of the day, by the exchange's clock.
    let history = json_of(&sandbox, "order-history cash");
    assert_eq!(history.as_array().unwrap().iter().filter(|order| order["status"] == "Canceled").count(), 6);
}

#[test]
fn a_snapshot_is_of_a_day() {
    // 2023-11-14 22:13:20; two hours later it is the next day.
    let sandbox = Sandbox::builder().start_time(1_700_000_000_000).start().unwrap();
    sandbox.set_acceptance_window(std::time::Duration::MAX);
    sandbox.advance(std::time::Duration::from_secs(2 * 3600));
    let snapshot = json_of(&sandbox, "balance-snapshot cash 2023-11-15");
    assert_eq!(snapshot["meta"]["ac"], "cash");
    assert_eq!(snapshot["snapshot"].as_array().unwrap().len(), 3);
    let people = run(&sandbox, "balance-snapshot cash 2023-11-15");
    assert_eq!(people.status, 0, "{people:?}");
    assert!(people.out.contains("USDT") && people.out.contains("100000"), "{}", people.out);
}

#[test]
fn help_shows_an_example_of_each_command_that_is_good_usage() {
    let sandbox = Sandbox::start().unwrap();
    let names = names(&sandbox);
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let help = run(&sandbox, &format!("{name} --help"));
        assert_eq!((help.status, help.err.as_str()), (0, ""), "{name}");
        let example =
            help.out.split("Example:\n  bitmax ").nth(1).unwrap_or_else(|| panic!("{name}: {}", help.out)).trim();
        assert_eq!(example.split(' ').next(), Some(name.as_str()));
        // These need a file, an id, or do not end.
        if ["place-batch", "cancel-batch", "sandbox"].contains(&name.as_str()) {
            continue;
        }
        let file = format!("{}/session-of-an-example.jsonl", env!("CARGO_TARGET_TMPDIR"));
        let example = example.replace("--for 10", "--for 0.3").replace("session.jsonl", &file);
        let ended = run(&sandbox, &example);
        assert_ne!(ended.status, 2, "{example}: {}", ended.err);
        // Nobody of that id, of that name, or of that day.
        let refused = ["cancel", "order", "subuser-transfer", "balance-snapshot"].contains(&name.as_str());
        assert!(ended.status == 0 || refused, "{example}: {ended:?}");
    }
}

#[test]
fn completions_name_every_command() {
    let sandbox = Sandbox::start().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(&sandbox, &format!("completions {shell}"));
        assert_eq!((script.status, script.err.as_str()), (0, ""), "{shell}");
        for name in ["watch", "order-history-current", "--timeout", "completions"] {
            assert!(script.out.contains(name.trim_start_matches("--")), "{shell}: {name}");
        }
    }
    assert_eq!(run(&sandbox, "completions csh").status, 2);
}

#[test]
fn colours_are_for_terminals() {
    let sandbox = Sandbox::start().unwrap();
    let run = |variables: &[(&str, &str)]| {
        let output = command(&sandbox, "depth BTC/USDT").envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!run(&[]).contains('\x1b'));
    assert!(!run(&[("NO_COLOR", "1")]).contains('\x1b'));
    assert!(run(&[("CLICOLOR_FORCE", "1")]).contains("\x1b[31mask"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_cleanly_with_a_summary() {
    let sandbox = Sandbox::start().unwrap();
    for (line, summary) in [
        ("watch bbo:BTC/USDT", " events in "),
        ("watch bbo:BTC/USDT --json", " events in "),
        ("book BTC/USDT", " changes in "),
        ("book BTC/USDT --json", " changes in "),
        ("sandbox", "the sandbox ran for "),
    ] {
        // A target is nothing to the command `sandbox`, but no harm.
        let mut child = command(&sandbox, line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // Once there is anything to read, it runs.
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let (mut rest, mut told) = (String::new(), String::new());
        out.read_to_string(&mut rest).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{line}: {status}: {told}");
        assert!(told.contains(summary), "{line}: {told}");
    }
}
