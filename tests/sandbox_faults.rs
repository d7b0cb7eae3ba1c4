//! What can be made to go wrong with the sandbox, seen by clients that know nothing of the crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw_private.rs"]
mod private;
#[path = "support/raw.rs"]
mod raw;

use std::net::{Ipv4Addr, Shutdown};
use std::time::Duration;

use bitmax::Code;
use bitmax::model::AccountCategory;
use bitmax::sandbox::{Break, Fault, InjectedFault, Reply, Sandbox, SandboxError};
use raw::{Http, Stream, get, wait_until};
use serde_json::json;
use tungstenite::Message;

const START: u64 = 1_700_000_000_000;
const STREAM: &str = "/0/api/pro/v1/stream";
const GREETING: &str = r#"{"m":"connected","type":"unauth"}"#;
const SECOND: Duration = Duration::from_secs(1);

/// A sandbox whose time stands still until it is moved.
fn still() -> Sandbox {
    Sandbox::builder().start_time(START).start().unwrap()
}

fn time(request: u64) -> String {
    format!("/api/pro/v1/exchange-info?requestTime={request}")
}

fn wait_for(fault: &InjectedFault) {
    wait_until("the fault hits", || fault.hits() > 0);
}

/// Sends a message that is answered, and expects this answer to be the very next thing that is said.
fn is_quiet(stream: &mut Stream) {
    assert_eq!(stream.ask(r#"{"op":"dance","id":"quiet"}"#)["id"], "quiet");
}

// --- REST ---

#[test]
fn calls_are_cut_or_lost_before_or_after_they_are_done() {
    let sandbox = still();
    sandbox.inject(Fault::Cut.at("GET *"));
    let mut http = Http::connect(sandbox.port());
    http.ask(&time(1));
    assert!(http.is_closed());
    for fault in [Fault::LoseRequest, Fault::LoseAnswer, Fault::Break(Break::Mute)] {
        let lost = sandbox.inject(fault.at("GET */exchange-info"));
        let mut http = Http::connect(sandbox.port());
        assert_eq!(http.get("/api/pro/v1/barhist/info").status, 200, "not this one");
        http.ask(&time(2));
        wait_for(&lost);
        http.ask(&time(3));
        assert_eq!(http.rest(), b"");
    }
    assert_eq!(get(sandbox.port(), &time(4)).data()["requestTimeEcho"], 4, "once only");
}

#[test]
fn calls_are_delayed_before_or_after_they_are_done() {
    let sandbox = still();
    for (fault, received) in [(Fault::DelayAnswer(SECOND), START), (Fault::DelayRequest(SECOND), START + 2_000)] {
        let delayed = sandbox.inject(fault.at("GET *"));
        let mut http = Http::connect(sandbox.port());
        http.ask(&time(1));
        wait_for(&delayed);
        assert_eq!(get(sandbox.port(), &time(2)).status, 200, "others are not held up");
        sandbox.advance(SECOND);
        assert_eq!(http.answer().data()["requestReceiveAt"], received);
    }
}

#[test]
fn calls_are_answered_by_someone_else() {
    let sandbox = still();
    let busy =
        Reply::new(429).header("Retry-After", "30").header("Content-Type", "text/html").body("<html>busy</html>");
    sandbox.inject(Fault::Refuse(busy).at("GET *"));
    sandbox.inject(Fault::Replace(Reply::new(524)).at("GET *"));
    let mut http = Http::connect(sandbox.port());
    // Both hit the first call, and the last word is that of the later.
    let answer = http.get(&time(1));
    assert_eq!((answer.status, answer.body.as_str()), (524, ""));
    let busy = Reply::new(429).header("Retry-After", "30").body("<html>busy</html>");
    sandbox.inject(Fault::Refuse(busy).at("GET *"));
    let answer = http.get(&time(2));
    assert_eq!((answer.status, answer.body.as_str()), (429, "<html>busy</html>"));
    assert!(answer.head.contains("\r\nRetry-After: 30\r\n"), "{}", answer.head);
    assert_eq!(http.get(&time(3)).status, 200, "the connection stays");
}

#[test]
fn an_answer_is_cut_at_any_byte() {
    let sandbox = still();
    let mut http = Http::connect(sandbox.port());
    let whole = http.get(&time(1));
    let whole = format!("{}{}", whole.head, whole.body);
    for cut in [0, 1, 20, whole.len() - 1, whole.len()] {
        sandbox.inject(Fault::Break(Break::After(cut as u64)).at("GET *"));
        let mut http = Http::connect(sandbox.port());
        http.ask(&time(1));
        assert_eq!(String::from_utf8(http.until_closed()).unwrap(), whole[..cut]);
    }
}

#[test]
fn an_order_is_lost_before_or_after_it_is_placed() {
    let sandbox = still();
    let user = sandbox.user();
    let mut client = private::Client::new(&sandbox);
    let mut place = |fault: Fault| {
        let injected = sandbox.inject(fault.at("POST */cash/order"));
        let order = json!({
            "time": START, "symbol": "BTC/USDT", "side": "buy", "orderType": "limit", "orderQty": "0.001",
            "orderPrice": "40000", "respInst": "ACCEPT",
        });
        client.http = Http::connect(sandbox.port());
        client.send("POST", "G/v1/cash/order", "order", &order.to_string());
        wait_for(&injected);
        client.http.answer_if_any()
    };
    let open = || user.open_orders(AccountCategory::Cash).len();
    for (fault, placed) in [(Fault::Cut, 0), (Fault::Break(Break::After(0)), 1), (Fault::Break(Break::After(20)), 1)] {
        assert!(place(fault.clone()).is_none(), "{fault:?}");
        assert_eq!(open(), placed, "{fault:?}");
        user.cancel_all(AccountCategory::Cash);
    }
    assert_eq!((place(Fault::Refuse(Reply::new(502))).unwrap().status, open()), (502, 0));
    assert_eq!((place(Fault::Replace(Reply::new(502))).unwrap().status, open()), (502, 1));
}

#[test]
fn what_an_order_is_to_be_answered_with_expires() {
    let sandbox = still();
    let mut client = private::Client::new(&sandbox);
    let expired = sandbox.inject(Fault::Expire.at("POST */cash/order"));
    let mut order = json!({
        "time": START, "symbol": "BTC/USDT", "side": "buy", "orderType": "limit", "orderQty": "0.001",
        "orderPrice": "40000", "respInst": "ACCEPT",
    });
    client.send("POST", "G/v1/cash/order", "order", &order.to_string());
    wait_for(&expired);
    sandbox.advance(5 * SECOND);
    let answer = client.http.answer().data();
    assert_eq!((&answer["status"], &answer["info"]["timestamp"]), (&json!("Ack"), &json!(START)));
    // What is merely acknowledged anyway has nothing to wait for.
    order["time"] = sandbox.now().into();
    order["respInst"] = "ACK".into();
    client.now = sandbox.now();
    let expired = sandbox.inject(Fault::Expire.at("*/cash/order"));
    assert_eq!(client.orders("POST order", &order).data()["status"], "Ack");
    assert_eq!(expired.hits(), 1);
    order["respInst"] = "ACCEPT".into();
    assert_eq!(client.orders("POST order", &order).data()["status"], "ACCEPT", "once only");
}

// --- The upgrade ---

#[test]
fn upgrades_are_refused_with_anything() {
    let sandbox = still();
    let page =
        |status| Reply::new(status).header("Content-Type", "text/html").header("X-A", "b").body("<html>no</html>");
    for status in [401, 403, 429, 502, 524] {
        sandbox.inject(Fault::Refuse(page(status)).at("UPGRADE *"));
        let answer = Stream::refused(sandbox.port(), STREAM);
        assert_eq!((answer.status, answer.body.as_str()), (status, "<html>no</html>"));
        assert!(answer.head.contains("\r\nX-A: b\r\n"), "{}", answer.head);
    }
    sandbox.inject(Fault::Refuse(page(503)).at("UPGRADE */v2/stream"));
    Stream::open(sandbox.port());
    assert_eq!(Stream::refused(sandbox.port(), "/0/api/pro/v2/stream").status, 503);
}

#[test]
fn upgrades_are_cut_lost_and_delayed() {
    let sandbox = still();
    let upgrade = || {
        let mut http = Http::connect(sandbox.port());
        http.ask_upgrade(STREAM, &[]);
        http
    };
    sandbox.inject(Fault::Cut.at("UPGRADE *"));
    assert!(upgrade().is_closed());
    sandbox.inject(Fault::Break(Break::After(10)).at("UPGRADE *"));
    assert_eq!(upgrade().until_closed(), b"HTTP/1.1 1");
    let lost = sandbox.inject(Fault::LoseAnswer.at("UPGRADE *"));
    let http = upgrade();
    wait_for(&lost);
    assert_eq!(http.rest(), b"");
    let delayed = sandbox.inject(Fault::DelayRequest(SECOND).at("UPGRADE *"));
    let mut http = upgrade();
    wait_for(&delayed);
    assert!(sandbox.sessions().is_empty());
    sandbox.advance(SECOND);
    assert_eq!(http.answer().status, 101);
}

// --- Messages of the stream ---

#[test]
fn requests_on_the_stream_are_lost_before_or_after_they_are_done() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    let sub = r#"{"op":"sub","ch":"bbo:BTC/USDT"}"#;
    sandbox.inject(Fault::LoseRequest.at("sub bbo:*"));
    stream.send(sub);
    is_quiet(&mut stream);
    sandbox.inject(Fault::LoseAnswer.at("sub bbo:*"));
    stream.send(sub);
    // Subscribed, though it is not acknowledged.
    assert_eq!(stream.json()["m"], "bbo");
    is_quiet(&mut stream);
    for action in ["depth-snapshot", "market-trades"] {
        let lost = sandbox.inject(Fault::LoseAnswer.at(format!("req {action}")));
        let ask = format!(r#"{{"op":"req","action":"{action}","args":{{"symbol":"ETH/BTC"}}}}"#);
        stream.send(&ask);
        is_quiet(&mut stream);
        assert_eq!(lost.hits(), 1);
    }
    sandbox.advance(SECOND);
    stream.send(r#"{"op":"ping"}"#);
    loop {
        match stream.json()["m"].as_str().unwrap() {
            "bbo" => {}
            "pong" => break,
            other => panic!("{other}"),
        }
    }
}

#[test]
fn requests_on_the_stream_are_delayed() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    sandbox.inject(Fault::DelayAnswer(SECOND).at("ping"));
    sandbox.inject(Fault::DelayRequest(2 * SECOND).at("ping").times(2));
    sandbox.inject(Fault::DelayAnswer(SECOND).at("req depth-snapshot"));
    stream.send(r#"{"op":"ping"}"#);
    stream.send(r#"{"op":"ping"}"#);
    stream.send(r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"ETH/BTC"}}"#);
    is_quiet(&mut stream);
    sandbox.advance(Duration::from_millis(1_050));
    is_quiet_after(&mut stream, "depth-snapshot", None);
    sandbox.advance(Duration::from_millis(950));
    is_quiet_after(&mut stream, "pong", Some(START + 2_000));
    sandbox.advance(SECOND);
    // The first was heard after two seconds as well, and its answer held back for a third.
    is_quiet_after(&mut stream, "pong", Some(START + 2_000));
}

fn is_quiet_after(stream: &mut Stream, m: &str, ts: Option<u64>) {
    let message = stream.json();
    assert_eq!((&message["m"], message["ts"].as_u64()), (&m.into(), ts));
    is_quiet(stream);
}

#[test]
fn requests_on_the_stream_are_answered_otherwise() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    let refusal = r#"{"m":"sub","ch":"bbo:BTC/USDT","code":100008,"reason":"no"}"#;
    sandbox.inject(Fault::Refuse(Reply::new(0).body(refusal)).at("sub *"));
    sandbox.inject(Fault::Replace(Reply::new(0).body("rubbish")).at("ping"));
    stream.send(r#"{"op":"sub","ch":"bbo:BTC/USDT"}"#);
    assert_eq!(stream.text(), refusal);
    stream.send(r#"{"op":"ping"}"#);
    assert_eq!(stream.text(), "rubbish");
    sandbox.advance(SECOND);
    is_quiet(&mut stream);
}

#[test]
fn a_session_is_cut_at_a_message() {
    let sandbox = still();
    sandbox.inject(Fault::Cut.at("ping"));
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"ping"}"#);
    assert_eq!(stream.until_cut(), b"");
    wait_until("the session has ended", || sandbox.sessions().is_empty());
    // Or within its answer: {"m":"pong" and the frame's header.
    sandbox.inject(Fault::Break(Break::After(13)).at("ping"));
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"ping"}"#);
    assert_eq!(&stream.until_cut()[2..], br#"{"m":"pong""#);
}

// --- What the server sends of its own accord ---

#[test]
fn a_lost_change_leaves_a_gap() {
    let sandbox = still();
    let mut one = Stream::open(sandbox.port());
    let mut other = Stream::open(sandbox.port());
    for stream in [&mut one, &mut other] {
        stream.send(r#"{"op":"sub","ch":"depth:BTC/USDT,ETH/USDT"}"#);
        stream.json();
        stream.json();
    }
    let gap = sandbox.inject(Fault::LoseMessage.at("depth:BTC/USDT"));
    sandbox.advance(Duration::from_millis(300));
    assert_eq!(gap.hits(), 1);
    sandbox.advance(SECOND);
    for stream in [&mut one, &mut other] {
        let mut last = [None; 2];
        let mut steps = [Vec::new(), Vec::new()];
        stream.send(r#"{"op":"ping"}"#);
        loop {
            let message = stream.json();
            if message["m"] == "pong" {
                break;
            }
            let which = usize::from(message["symbol"] == "ETH/USDT");
            let seqnum = message["data"]["seqnum"].as_u64().unwrap();
            steps[which].extend(last[which].replace(seqnum).map(|last: u64| seqnum - last));
        }
        assert_eq!(steps[0], [1, 1], "what was lost was the first");
        assert_eq!(steps[1], [1, 1, 1]);
    }
}

// --- Sessions ---

#[test]
fn anything_is_sent_on_a_session() {
    let sandbox = still();
    let mut first = Stream::open(sandbox.port());
    let mut second = Stream::open(sandbox.port());
    let sessions = sandbox.sessions();
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0].id() < sessions[1].id() && sessions[1].is_open());
    for session in &sessions {
        session.send_text("to all");
    }
    sessions[0].send_text(r#"{"m":"disconnected","code":100005}"#);
    // Fragmented, binary, a ping, and then the end of the fragmented.
    sessions[0].send_bytes(*b"\x01\x02ab");
    sessions[0].send_bytes(*b"\x89\x01p\x80\x01c");
    sessions[0].send_bytes(*b"\x82\x03\x00\xff\x01");
    for stream in [&mut first, &mut second] {
        assert_eq!(stream.text(), "to all");
    }
    assert_eq!(first.text(), r#"{"m":"disconnected","code":100005}"#);
    assert_eq!(first.text(), "abc");
    assert_eq!(first.inner().read().unwrap(), Message::Binary(vec![0, 255, 1].into()));
    // A compressed frame that nobody asked for, and invalid UTF-8.
    sessions[0].send_bytes(*b"\xc1\x01a");
    assert!(matches!(first.inner().read(), Err(tungstenite::Error::Protocol(_))));
    sessions[1].send_bytes(*b"\x81\x02\xff\xff");
    assert!(matches!(second.inner().read(), Err(tungstenite::Error::Utf8(_))));
}

#[test]
fn a_session_is_closed_with_any_code() {
    let sandbox = still();
    for code in [1000, 1001, 1006, 1011, 1012, 3000, 4999] {
        let mut stream = Stream::open(sandbox.port());
        let session = sandbox.sessions().pop().unwrap();
        session.close(code, "over");
        session.send_text("too late");
        let mut frame = vec![0x88, 6];
        frame.extend(code.to_be_bytes());
        frame.extend(b"over");
        assert_eq!(stream.until_silent(), frame, "{code}");
        wait_until("the session has ended", || !session.is_open());
    }
}

#[test]
fn a_mute_line_hears_and_a_deaf_one_speaks() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    sandbox.sessions()[0].break_off(Break::Mute);
    let heard = sandbox.inject(Fault::LoseAnswer.at("sub *").always());
    stream.send(r#"{"op":"sub","ch":"bbo:BTC/USDT"}"#);
    wait_for(&heard);
    sandbox.advance(SECOND);
    assert!(sandbox.sessions()[0].is_open());
    assert_eq!(stream.until_silent(), b"");
    wait_until("the session has ended", || sandbox.sessions().is_empty());

    let mut stream = Stream::open(sandbox.port());
    sandbox.sessions()[0].break_off(Break::Deaf);
    sandbox.sessions()[0].send_text("deaf from here on");
    assert_eq!(stream.text(), "deaf from here on");
    stream.send(r#"{"op":"ping"}"#);
    sandbox.advance(45 * SECOND);
    let said = stream.texts(3);
    assert!(
        said[..2].iter().all(|text| text.contains(r#""m":"ping""#)) && said[2].contains("disconnected"),
        "{said:?}"
    );
}

#[test]
fn a_session_is_cut_within_what_it_is_sent() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    let session = &sandbox.sessions()[0];
    session.break_off(Break::After(7));
    session.send_text("abc");
    session.send_text("defg");
    assert_eq!(stream.until_cut(), b"\x81\x03abc\x81\x04");
}

// --- Rules ---

#[test]
fn rules_hit_once_often_always_or_at_random_until_they_are_removed() {
    let sandbox = Sandbox::builder().start_time(START).seed(3).start().unwrap();
    let mut http = Http::connect(sandbox.port());
    let mut refused = |count: usize| (0..count).filter(|_| http.get(&time(1)).status == 503).count();
    let refuse = || Fault::Refuse(Reply::new(503)).at("GET *");
    sandbox.inject(refuse());
    assert_eq!(refused(10), 1);
    sandbox.inject(refuse().times(3));
    assert_eq!(refused(10), 3);
    let always = sandbox.inject(refuse().always());
    assert_eq!((refused(10), always.hits()), (10, 10));
    always.remove();
    assert_eq!((refused(10), always.hits()), (0, 0));
    let sometimes = sandbox.inject(refuse().always().probability(0.5));
    let count = refused(100);
    assert!((20..80).contains(&count) && sometimes.hits() == count as u64);
    sandbox.clear_faults();
    assert_eq!(refused(10), 0);
}

// --- What else befalls clients ---

#[test]
fn a_banned_address_cannot_open_the_stream() {
    let sandbox = still();
    let address = Ipv4Addr::LOCALHOST.into();
    let mut before = Stream::open(sandbox.port());
    let status = |ip: &str| {
        let v1 = get(sandbox.port(), &format!("/api/pro/v1/risk-limit-info{ip}")).data()["webSocket"].clone();
        let v2 = get(sandbox.port(), &format!("/api/pro/v2/risk-limit-info{ip}")).data()["webSocket"]["status"].clone();
        for name in ["isBanned", "bannedUntil", "violationCode", "reason"] {
            assert_eq!(v1[name], v2[name]);
        }
        (v2["isBanned"].as_bool().unwrap(), v2["bannedUntil"].as_i64().unwrap())
    };
    assert_eq!(status(""), (false, -1));
    sandbox.ban(address, 90 * SECOND);
    assert_eq!(status(""), (true, START as i64 + 90_000));
    assert_eq!(status("?ip=127.0.0.1"), (true, START as i64 + 90_000));
    assert_eq!(status("?ip=127.0.0.2"), (false, -1));
    let refused = Stream::refused(sandbox.port(), STREAM);
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("\r\nRetry-After: 90\r\n") && refused.head.contains("text/html"), "{}", refused.head);
    is_quiet(&mut before);
    sandbox.advance(90 * SECOND);
    assert_eq!(status(""), (false, -1));
    Stream::open(sandbox.port());
    sandbox.ban(address, 90 * SECOND);
    sandbox.lift_ban(address);
    Stream::open(sandbox.port());
}

#[test]
fn a_product_is_halted_and_resumed() {
    let sandbox = still();
    let status = |symbol: &str| {
        let rows = get(sandbox.port(), "/api/pro/v1/cash/products").data();
        let row = rows.as_array().unwrap().iter().find(|row| row["symbol"] == symbol).unwrap().clone();
        row["statusCode"].as_str().unwrap().to_owned()
    };
    sandbox.halt("BTC/USDT").unwrap();
    assert_eq!((status("BTC/USDT").as_str(), status("ETH/USDT").as_str()), ("NoTrading", "Normal"));
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"sub","ch":"trades:BTC/USDT"}"#);
    assert_eq!(stream.json()["m"], "sub");
    sandbox.advance(10 * SECOND);
    is_quiet(&mut stream);
    sandbox.resume("BTC/USDT").unwrap();
    assert_eq!(status("BTC/USDT"), "Normal");
    sandbox.advance(10 * SECOND);
    assert_eq!(stream.json()["m"], "trades");
    for unknown in ["NO/USDT", "BTC", ""] {
        assert!(matches!(sandbox.halt(unknown), Err(SandboxError::Refused { code: Code::SYMBOL_ERROR, .. })));
    }
}

#[test]
fn the_clock_that_clients_see_is_shifted() {
    let sandbox = still();
    let mut stream = Stream::open(sandbox.port());
    for ahead in [0i64, 60_000, -60_000, 0] {
        sandbox.shift_clock(ahead);
        let expected = START.checked_add_signed(ahead).unwrap();
        assert_eq!(get(sandbox.port(), &time(1)).data()["requestReceiveAt"], expected);
        assert_eq!(stream.ask(r#"{"op":"ping"}"#)["ts"], expected);
        assert_eq!(sandbox.now(), START);
    }
}

#[test]
fn a_delayed_order_is_placed_though_its_client_has_gone() {
    let sandbox = private::still();
    let client = private::Client::new(&sandbox);
    let user = sandbox.user();
    let signature = private::sign(client.secret.as_bytes(), &format!("{START}+stream"));
    let auth = json!({"op": "auth", "t": START, "key": client.key, "sig": signature});
    let mut stream = Stream::upgrade(sandbox.port(), &format!("/{}/api/pro/v1/stream", client.group));
    stream.next("connected");
    assert_eq!(stream.ask(&auth.to_string())["code"], 0);
    let mut nobody = Stream::open(sandbox.port());
    sandbox.inject(Fault::DelayRequest(SECOND).at("req place-order").times(2));
    sandbox.inject(Fault::DelayRequest(SECOND).at("sub *"));
    let place = json!({"op": "req", "action": "place-order", "account": "cash", "args": {
        "time": START, "symbol": "BTC/USDT", "side": "buy", "orderType": "limit", "orderQty": "0.01",
        "orderPrice": "10000",
    }});
    stream.send(r#"{"op":"sub","ch":"order:cash"}"#);
    for stream in [&mut stream, &mut nobody] {
        stream.send(&place.to_string());
        is_quiet(stream);
        stream.inner().get_ref().shutdown(Shutdown::Both).unwrap();
    }
    wait_until("the sessions have ended", || sandbox.sessions().is_empty());
    assert_eq!(user.open_orders(AccountCategory::Cash), []);
    sandbox.advance(SECOND);
    assert_eq!(user.open_orders(AccountCategory::Cash).len(), 1);
}

#[test]
fn a_client_that_went_away_mid_fault_harms_nobody() {
    let sandbox = still();
    let delayed = sandbox.inject(Fault::DelayAnswer(SECOND).at("GET *"));
    let mut http = Http::connect(sandbox.port());
    http.ask(&time(1));
    wait_for(&delayed);
    drop(http);
    let mut stream = Stream::open(sandbox.port());
    sandbox.inject(Fault::DelayRequest(SECOND).at("sub *"));
    stream.send(r#"{"op":"sub","ch":"bbo:BTC/USDT"}"#);
    is_quiet(&mut stream);
    stream.inner().get_ref().shutdown(Shutdown::Both).unwrap();
    wait_until("the session has ended", || sandbox.sessions().is_empty());
    sandbox.advance(2 * SECOND);
    let stream = Stream::upgrade(sandbox.port(), STREAM).text();
    assert_eq!(stream, GREETING);
}
