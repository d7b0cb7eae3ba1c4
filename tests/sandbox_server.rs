//! The sandbox as a server: HTTP, the upgrade, keep-alive and its life, seen by clients that know nothing of the crate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw.rs"]
mod raw;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use bitmax::sandbox::{Sandbox, SandboxError};
use raw::{Http, PATIENCE, Stream, get, wait_until};
use tungstenite::Message;

// --- HTTP ---

#[test]
fn a_connection_is_kept_until_the_client_wants_it_closed() {
    let sandbox = Sandbox::start().unwrap();
    let mut http = Http::connect(sandbox.port());
    for n in 0..3 {
        let answer = http.get(&format!("/api/pro/v1/exchange-info?requestTime={n}"));
        assert_eq!(answer.data()["requestTimeEcho"], n);
        assert!(answer.head.contains("\r\nConnection: keep-alive\r\n"));
        assert!(answer.head.contains("\r\nContent-Type: application/json\r\n"));
    }
    http.write(b"GET /api/pro/v1/exchange-info?requestTime=3 HTTP/1.1\r\nConnection: close\r\n\r\n");
    let answer = http.answer();
    assert!(answer.head.contains("\r\nConnection: close\r\n"));
    assert!(http.is_closed());
}

#[test]
fn requests_sent_at_once_are_answered_in_order() {
    let sandbox = Sandbox::start().unwrap();
    let mut http = Http::connect(sandbox.port());
    let request = |n: usize| format!("GET /api/pro/v1/exchange-info?requestTime={n} HTTP/1.1\r\nHost: h\r\n\r\n");
    http.write((0..20).map(request).collect::<String>().as_bytes());
    for n in 0..20 {
        assert_eq!(http.answer().data()["requestTimeEcho"], n);
    }
}

#[test]
fn a_request_in_pieces_is_one_request() {
    let sandbox = Sandbox::start().unwrap();
    let mut http = Http::connect(sandbox.port());
    for byte in b"GET /api/pro/v1/exchange-info?requestTime=5 HTTP/1.1\r\nContent-Length: 3\r\n\r\n{ }" {
        http.write(&[*byte]);
    }
    assert_eq!(http.answer().data()["requestTimeEcho"], 5);
}

#[test]
fn what_is_no_request_of_this_exchange_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let status = |request: &str| {
        let mut http = Http::connect(sandbox.port());
        http.write(request.as_bytes());
        http.answer()
    };
    assert_eq!(get(sandbox.port(), "/").status, 404);
    assert_eq!(get(sandbox.port(), "/api/pro/v1/nothing").status, 404);
    let answer = status("DELETE /api/pro/v1/exchange-info HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!((answer.status, answer.refusal().0), (405, 100_102));
    let answer = status(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(2048)));
    assert_eq!(answer.status, 414);
    assert!(answer.head.contains("text/plain"));
    assert_eq!(status("rubbish\r\n\r\n").status, 400);
    assert_eq!(status(&format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(20_000))).status, 431);
    assert_eq!(status("POST / HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n").status, 413);
}

#[test]
fn a_cut_request_ends_without_an_answer_and_harms_nobody() {
    let sandbox = Sandbox::start().unwrap();
    for cut in [1, 10, 40] {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, sandbox.port())).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = b"GET /api/pro/v1/exchange-info?requestTime=5 HTTP/1.1\r\n\r\n";
        socket.write_all(&request[..cut]).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(socket.read(&mut [0; 10]).unwrap(), 0);
    }
    assert_eq!(get(sandbox.port(), "/api/pro/v1/exchange-info?requestTime=1").status, 200);
}

// --- The stream: upgrade, keep-alive ---

#[test]
fn every_path_of_the_stream_greets() {
    let sandbox = Sandbox::start().unwrap();
    for path in ["/0/api/pro/v1/stream", "/7/api/pro/v2/stream", "/api/pro/v1/stream", "/api/pro/v2/stream"] {
        let mut stream = Stream::upgrade(sandbox.port(), path);
        assert_eq!(stream.text(), r#"{"m":"connected","type":"unauth"}"#, "{path}");
    }
}

#[test]
fn an_upgrade_that_is_none_is_refused() {
    let sandbox = Sandbox::start().unwrap();
    let upgrade = |path: &str, extra: &str| {
        let mut http = Http::connect(sandbox.port());
        let head = format!("GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{extra}\r\n");
        http.write(head.as_bytes());
        http.answer().status
    };
    let good = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(upgrade("/0/api/pro/v1/stream", good), 101);
    assert_eq!(upgrade("/0/api/pro/v1/steam", good), 404);
    assert_eq!(upgrade("/0/api/pro/v1/stream", ""), 426);
    assert_eq!(upgrade("/0/api/pro/v1/stream", "Sec-WebSocket-Version: 13\r\n"), 400);
}

#[test]
fn what_comes_with_the_upgrade_is_heard() {
    let sandbox = Sandbox::start().unwrap();
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, sandbox.port())).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = b"GET /0/api/pro/v1/stream HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    // {"op":"ping"} masked with zeros.
    bytes.extend(b"\x81\x8d\0\0\0\0{\"op\":\"ping\"}");
    socket.write_all(&bytes).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(String::from_utf8(head).unwrap().contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    let mut stream = Stream::from_socket(socket);
    stream.next("connected");
    stream.next("pong");
}

#[test]
fn pings_of_both_kinds_are_answered() {
    let sandbox = Sandbox::builder().start_time(1_700_000_000_000).start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    assert_eq!(stream.ask(r#"{"op":"ping"}"#).to_string(), r#"{"code":0,"hp":3,"m":"pong","ts":1700000000000}"#);
    stream.inner().send(Message::Ping("abc".into())).unwrap();
    assert_eq!(stream.inner().read().unwrap(), Message::Pong("abc".into()));
}

#[test]
fn a_silent_client_is_pinged_and_let_go() {
    let sandbox = Sandbox::builder().start_time(1_700_000_000_000).start().unwrap();
    let mut silent = Stream::open(sandbox.port());
    let mut alive = Stream::open(sandbox.port());
    let mut asking = Stream::open(sandbox.port());
    for _ in 0..6 {
        // Its own ping puts the server's off by 30 seconds.
        assert_eq!(asking.ask(r#"{"op":"ping"}"#)["m"], "pong");
        sandbox.advance(Duration::from_secs(15));
        assert_eq!(alive.text(), r#"{"m":"ping","hp":3}"#);
        alive.send(r#"{"op":"pong","hp":3}"#);
        // The answer to this says that the pong was heard.
        assert_eq!(alive.ask(r#"{"op":"dance"}"#)["m"], "error");
    }
    assert_eq!(
        silent.rest(),
        [
            r#"{"m":"ping","hp":3}"#,
            r#"{"m":"ping","hp":2}"#,
            r#"{"m":"disconnected","code":100005,"reason":"INVALID_WS_REQUEST_DATA","info":"Session is disconnected due to missing pong message from the client"}"#,
        ]
    );
}

#[test]
fn messages_that_say_nothing_are_refused_and_the_session_goes_on() {
    let sandbox = Sandbox::start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    for (text, id, code) in [
        ("rubbish", None, 150_001),
        ("[1]", None, 150_001),
        ("7", None, 150_001),
        (r#"{"op":"dance","id":"a"}"#, Some("a"), 100_005),
        (r#"{"id":"b"}"#, Some("b"), 100_005),
        (r#"{"op":7,"id":"c"}"#, Some("c"), 100_005),
        (r#"{"op":"sub","id":"d"}"#, Some("d"), 100_005),
        (r#"{"op":"sub","id":"e","ch":"depth:"}"#, Some("e"), 100_005),
        (r#"{"op":"sub","id":"f","ch":"dance:BTC/USDT"}"#, Some("f"), 100_005),
        (r#"{"op":"req","id":"ab123","action":"trade-snapshot"}"#, Some("ab123"), 100_005),
        (r#"{"op":"req","id":"h","args":null}"#, Some("h"), 100_005),
    ] {
        let answer = stream.ask(text);
        assert_eq!((&answer["m"], answer["id"].as_str()), (&"error".into(), id), "{text}: {answer}");
        assert_eq!(answer["code"], code, "{text}");
        assert!(answer["reason"].is_string() && answer["info"].is_string(), "{answer}");
    }
    stream.inner().send(Message::binary(vec![1, 2, 3])).unwrap();
    assert_eq!(stream.json()["code"], 150_001);
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong");
}

#[test]
fn a_message_beyond_all_bounds_ends_its_session_only() {
    let sandbox = Sandbox::start().unwrap();
    let mut other = Stream::open(sandbox.port());
    let mut stream = Stream::open(sandbox.port());
    // The server may end the session before it has read everything.
    let _ = stream.inner().send(Message::text("x".repeat(1024 * 1024)));
    while stream.inner().read().is_ok() {}
    assert_eq!(other.ask(r#"{"op":"ping"}"#)["m"], "pong");
}

#[test]
fn a_polite_close_is_answered() {
    let sandbox = Sandbox::start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    stream.inner().close(None).unwrap();
    assert!(matches!(stream.inner().read(), Ok(Message::Close(_))));
    assert!(matches!(stream.inner().read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn times_without_end_are_never() {
    let never = Duration::MAX;
    let sandbox =
        Sandbox::builder().start_time(1_700_000_000_000).ping_interval(never).snapshot_delay(never).start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    stream.send(r#"{"op":"req","action":"depth-snapshot","args":{"symbol":"BTC/USDT"}}"#);
    assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong");
    sandbox.set_acceptance_window(never);
    sandbox.ban([10, 0, 0, 1].into(), never);
    for _ in 0..2 {
        sandbox.advance(never);
        assert_eq!(sandbox.now(), 253_402_300_799_999, "the end of the year 9999");
        assert_eq!(stream.ask(r#"{"op":"ping"}"#)["m"], "pong");
    }
    get(sandbox.port(), "/api/pro/v1/ticker?symbol=BTC/USDT").data();
}

#[test]
fn a_session_that_the_server_closes_ends_though_its_client_says_nothing() {
    let sandbox = Sandbox::start().unwrap();
    let mut stream = Stream::open(sandbox.port());
    sandbox.sessions()[0].close(1001, "bye");
    assert_eq!(stream.until_cut(), b"\x88\x05\x03\xe9bye");
    wait_until("the session has ended", || sandbox.sessions().is_empty());
}

// --- The sandbox itself ---

#[test]
fn dropping_a_sandbox_ends_its_clients_and_frees_its_port() {
    let sandbox = Sandbox::start().unwrap();
    let other = Sandbox::start().unwrap();
    let port = sandbox.port();
    let taken = Sandbox::builder().port(port).start().unwrap_err();
    assert!(matches!(taken, SandboxError::Listen { port: p, .. } if p == port));
    let mut stream = Stream::open(port);
    let mut http = Http::connect(port);
    http.get("/");
    drop(sandbox);
    assert!(stream.inner().read().is_err());
    assert!(http.is_closed());
    let again = Sandbox::builder().port(port).start().unwrap();
    assert_eq!(again.port(), port);
    assert_eq!(get(again.port(), "/").status, 404);
    assert_eq!(get(other.port(), "/").status, 404);
}
