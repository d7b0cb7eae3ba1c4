//! What a server can do wrong: each fault is its own kind of error, says rightly whether the exchange may have
//! acted, and none is a panic.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bitmax::{Client, Code, Endpoint, Error, HttpError, Phase, Timeout, WhenLimited};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{PRIVATE, PUBLIC, Reply, Server, answer_of, fixture, info, with_credentials};

/// The error of one call to a server that replies so.
fn error_of(reply: Reply) -> Error {
    let server = Server::start(move |_| reply.clone());
    let error = server.client().market().assets().unwrap_err();
    assert_eq!(server.requests().len(), 1, "a call is sent once");
    error
}

fn http_error(error: Error) -> HttpError {
    match error {
        Error::Http(e) => *e,
        other => panic!("{other:?}"),
    }
}

fn phase(error: &Error) -> Phase {
    match error {
        Error::Transport(e) => e.phase(),
        other => panic!("{other:?}"),
    }
}

fn timeout(error: &Error) -> Timeout {
    match error {
        Error::Timeout(t) => *t,
        other => panic!("{other:?}"),
    }
}

fn client(rest: &str) -> bitmax::ClientBuilder {
    Client::builder(Endpoint::new(rest, "ws://127.0.0.1:1").unwrap())
}

const HTML: &str = "<html><head><title>524: a timeout occurred</title></head><body>…</body></html>";

#[test]
fn a_status_without_json_keeps_the_status_and_the_start_of_the_body() {
    for (status, headers, body) in [
        (200, "", ""),
        (200, "", HTML),
        (200, "", "null"),
        (400, "content-type: text/plain\r\n", "Bad Request: the request is not well formed"),
        (403, "", HTML),
        (404, "", ""),
        (414, "", "URI Too Long"),
        (429, "retry-after: 17\r\n", HTML),
        (500, "", ""),
        (502, "", HTML),
        (524, "", HTML),
        (500, "", r#"{"code":0,"data":[]}"#),
        (503, "retry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n", r#"{"status":"down"}"#),
    ] {
        let error = error_of(Reply::status(status, headers, body));
        assert!(error.may_have_executed(), "{status}");
        assert_eq!(error.is_retryable(), status == 429 || status >= 500, "{status}");
        assert_eq!(error.retry_after(), (status == 429).then_some(Duration::from_secs(17)));
        assert!(error.to_string().contains(&status.to_string()));
        let http = http_error(error);
        assert_eq!((http.status, http.body.as_str(), http.location), (status, body, None));
    }
    let none = error_of(Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()));
    assert_eq!(http_error(none).status, 204);
    let long = http_error(error_of(Reply::status(502, "", &"é".repeat(1000))));
    assert_eq!(long.body, "é".repeat(256));
    let binary = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\xff\xfe\x00".to_vec();
    assert_eq!(error_of(Reply::Bytes(binary)).kind(), "http");
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        for body in ["", r#"{"code":0,"data":[]}"#, r#"{"code":1}"#] {
            let other = Server::start(|_| Reply::json(fixture("assets-v2")));
            let target = format!("{}/api/pro/v2/assets", other.url());
            let error = error_of(Reply::status(status, &format!("location: {target}\r\n"), body));
            assert_eq!((error.kind(), error.may_have_executed()), ("redirect", true));
            let http = http_error(error);
            assert_eq!((http.status, http.location), (status, Some(target)));
            assert_eq!(other.requests(), []);
        }
    }
}

#[test]
fn a_refusal_is_the_exchange_speaking_whatever_the_status() {
    for status in [200, 400, 401, 405, 500] {
        let body = r#"{"code":100008,"reason":"SYMBOL_ERROR","message":"no such \"symbol\"","info":{"symbol":"X/Y"}}"#;
        let error = error_of(Reply::status(status, "retry-after: 2\r\n", body));
        assert!(!error.may_have_executed() && !error.is_retryable());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
        let Error::Refused(refusal) = error else { panic!("{error:?}") };
        assert_eq!((refusal.code, refusal.status), (Code::SYMBOL_ERROR, Some(status)));
        assert_eq!((refusal.reason.as_str(), refusal.message.as_str()), ("SYMBOL_ERROR", "no such \"symbol\""));
        assert_eq!(refusal.info, r#"{"symbol":"X/Y"}"#);
    }
    let error = error_of(Reply::json(r#"{"code":"510001","message":null}"#));
    assert!(matches!(&error, Error::Refused(r) if r.code == Code::SERVER_ERROR));
    assert!(error.may_have_executed() && error.is_retryable());
}

#[test]
fn an_answer_of_the_wrong_shape_names_the_call_and_shows_the_place() {
    for body in [
        "{}",
        "[]",
        r#"{"data":[]}"#,
        r#"{"code":0}"#,
        r#"{"code":0,"data":null}"#,
        r#"{"code":0,"data":{}}"#,
        r#"{"code":0,"data":[]"#,
        r#"{"code":{},"data":[]}"#,
        r#"{"code":0,"code":0,"data":[]}"#,
        r#"{"code":0,"data":[]}}"#,
        r#"{"code":0,"data":[],}"#,
    ] {
        let error = error_of(Reply::json(body));
        assert_eq!((error.kind(), error.may_have_executed()), ("decode", true), "{body}");
        assert!(error.to_string().contains("GET /api/pro/v2/assets"), "{error}");
    }
    let mut bars: Value = serde_json::from_str(&fixture("bars")).unwrap();
    bars["data"][1]["data"]["v"] = json!("57242,0");
    let server = Server::start(move |_| Reply::json(bars.to_string()));
    let query = bitmax::BarsQuery::new("ASD/USDT", bitmax::model::BarInterval::Min1).unwrap();
    let Error::Decode(error) = server.client().market().bars(&query).unwrap_err() else { panic!() };
    assert!(error.near.contains("57242,0") && error.near.len() <= 120, "{}", error.near);
    assert!(error.to_string().contains("not a decimal number"), "{error}");
}

#[test]
fn an_answer_beyond_the_bound_is_not_read() {
    let body = |length: usize| format!(r#"{{"code":0,"data":[]{}}}"#, " ".repeat(length - 20));
    type Framing = fn(&str) -> Reply;
    let framings: [(&str, Framing); 3] = [
        ("length", |body| Reply::json(body)),
        ("chunked", |body| {
            let chunks: String = body.as_bytes().chunks(100).fold(String::new(), |all, chunk| {
                format!("{all}{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap())
            });
            Reply::Bytes(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n").into_bytes())
        }),
        ("close", |body| Reply::Close(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}").into_bytes())),
    ];
    for (name, reply) in framings {
        for (length, fits) in [(999, true), (1000, true), (1001, false), (100_000, false)] {
            let reply = reply(&body(length));
            let server = Server::start(move |_| reply.clone());
            match server.builder().max_body_size(1000).build().unwrap().market().assets() {
                Ok(assets) => assert!(fits && assets.is_empty(), "{name} {length}"),
                Err(error) => {
                    assert!(!fits && error.may_have_executed(), "{name} {length}");
                    assert!(matches!(error, Error::TooLarge(1000)), "{error:?}");
                }
            }
        }
    }
    let header = format!("x-long: {}\r\n", "x".repeat(1 << 20));
    assert_eq!(error_of(Reply::status(200, &header, "")).kind(), "too-large");
}

#[test]
fn a_connection_that_breaks_after_the_request_may_have_executed() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n";
    let begun = format!("{head}\r\n{{\"code\":0,\"data\":[");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"cod\r\n";
    for bytes in ["", "HTTP", head, &begun, chunked] {
        for reply in [Reply::Reset(bytes.into()), Reply::Close(bytes.into())] {
            let error = error_of(reply.clone());
            assert_eq!(phase(&error), Phase::Exchange, "{reply:?}");
            assert!(error.may_have_executed() && error.is_retryable());
            assert!(std::error::Error::source(&error).is_some());
        }
    }
    for bytes in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}{}\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ] {
        let error = error_of(Reply::Close(bytes.into()));
        assert_eq!((phase(&error), error.may_have_executed()), (Phase::Exchange, true), "{bytes}");
    }
    // Without a length the cut is seen only by what is missing.
    let cut = error_of(Reply::Close(b"HTTP/1.1 200 OK\r\n\r\n{\"code\":0,\"data\":[".to_vec()));
    assert_eq!((cut.kind(), cut.may_have_executed()), ("decode", true));
}

#[test]
fn a_connection_that_never_came_about_has_executed_nothing() {
    // Bound and never listening: nobody else gets the port, and it refuses.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let error = client(&format!("http://{address}")).build().unwrap().market().assets().unwrap_err();
    assert_eq!((phase(&error), error.may_have_executed(), error.is_retryable()), (Phase::Connect, false, true));
    let source = std::error::Error::source(&error).unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);

    // A label of 64 characters is in no name that can be looked up.
    let error = client(&format!("http://{}", "x".repeat(64))).build().unwrap().market().assets().unwrap_err();
    assert_eq!((phase(&error), error.may_have_executed(), error.is_retryable()), (Phase::Resolve, false, true));
}

#[test]
fn a_server_that_does_not_answer_runs_into_the_right_time_out() {
    let short = Duration::from_millis(200);
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\nx-slow: ".to_vec();
    let begun = [head.as_slice(), b"1\r\n\r\n{"].concat();
    for bytes in [Vec::new(), head, begun] {
        // Spaces from the start are no slow answer but a wrong one.
        let drip = if bytes.is_empty() { Reply::Stall(Vec::new()) } else { Reply::Drip(bytes.clone()) };
        for (reply, read, wanted) in [
            (Reply::Stall(bytes.clone()), short, Timeout::Read),
            (Reply::Stall(bytes.clone()), short * 100, Timeout::Call),
            (drip, short * 100, Timeout::Call),
        ] {
            let server = Server::start(move |_| reply.clone());
            let call = if wanted == Timeout::Call { short } else { short * 100 };
            let client = server.builder().read_timeout(read).call_timeout(call).build().unwrap();
            let error = client.market().assets().unwrap_err();
            assert_eq!(timeout(&error), wanted);
            assert!(error.may_have_executed() && error.is_retryable());
        }
    }
}

#[test]
fn a_deadline_bounds_every_call_and_none_is_sent_after_it() {
    let server = Server::start(|_| Reply::Stall(Vec::new()));
    let client = server.client().with_deadline(Instant::now() + Duration::from_millis(500));
    let error = client.market().assets().unwrap_err();
    assert_eq!((timeout(&error), error.may_have_executed()), (Timeout::Call, true));
    let error = client.market().assets().unwrap_err();
    assert_eq!((timeout(&error), error.may_have_executed()), (Timeout::Deadline, false));
    assert_eq!(server.requests().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_connection_that_is_not_taken_times_out_and_has_executed_nothing() {
    // A queue of one that is full: the system drops what else knocks.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        waiting.push(stream);
    }
    for (connect, call) in [(100, 10_000), (10_000, 100)] {
        let client = client(&format!("http://{address}"))
            .connect_timeout(Duration::from_millis(connect))
            .call_timeout(Duration::from_millis(call));
        let error = client.build().unwrap().market().assets().unwrap_err();
        assert_eq!((timeout(&error), error.may_have_executed()), (Timeout::Connect, false));
    }
}

mod tls {
    use super::*;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};
    use std::io::{Read, Write};

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// An exchange over TLS, with a certificate for 127.0.0.1 and localhost of a root that the web does not know.
    fn exchange(host: &str) -> String {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(file("server.key.der")));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(file("server.der"))], key)
            .unwrap();
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                std::thread::spawn(move || {
                    let body = fixture("assets-v2");
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    while stream.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {
                        stream.write_all(answer.as_bytes()).unwrap();
                    }
                });
            }
        });
        address.to_string()
    }

    #[test]
    fn ones_own_root_is_trusted_and_no_other() {
        let address = exchange("127.0.0.1");
        let own = client(&format!("https://{address}")).root_certificate(&file("root.der")).build().unwrap();
        assert_eq!(own.market().assets().unwrap().len(), 1);

        let web = client(&format!("https://{address}")).build().unwrap();
        let error = web.market().assets().unwrap_err();
        assert_eq!((phase(&error), error.may_have_executed(), error.is_retryable()), (Phase::Tls, false, false));
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("UnknownIssuer"), "{source}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_certificate_of_another_host_is_refused() {
        let address = exchange("127.0.0.2");
        let client = client(&format!("https://{address}")).root_certificate(&file("root.der")).build().unwrap();
        let error = client.market().assets().unwrap_err();
        assert_eq!((phase(&error), error.may_have_executed()), (Phase::Tls, false));
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("not valid for name"), "{error:?}");
    }

    #[test]
    fn a_root_that_is_no_certificate_is_refused() {
        let error = client("https://127.0.0.1:1").root_certificate(b"nonsense").build().unwrap_err();
        assert!(matches!(error, Error::InvalidInput(e) if e.field() == "root_certificate"));
    }

    #[test]
    fn a_server_without_tls_has_executed_nothing() {
        let server = Server::start(|_| Reply::json(fixture("assets-v2")));
        let error = client(&server.url().replace("http:", "https:")).build().unwrap().market().assets().unwrap_err();
        assert_eq!((phase(&error), error.may_have_executed()), (Phase::Tls, false), "{error:?}");
    }

    #[test]
    fn a_handshake_that_stalls_is_a_connect_time_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        for (connect, read, call) in [(100, 10_000, 10_000), (10_000, 100, 10_000), (10_000, 10_000, 100)] {
            let client = client(&url)
                .connect_timeout(Duration::from_millis(connect))
                .read_timeout(Duration::from_millis(read))
                .call_timeout(Duration::from_millis(call));
            let error = client.build().unwrap().market().assets().unwrap_err();
            assert_eq!((timeout(&error), error.may_have_executed()), (Timeout::Connect, false));
        }
    }
}

/// Makes every call with each of the bodies that are made of its sample, the account group being known.
fn feed(bodies: impl Fn(&str) -> Vec<String>, check: impl Fn(&str, &str, Result<Value, Error>)) {
    let body = Arc::new(Mutex::new(info()));
    let served = Arc::clone(&body);
    let server = Server::start(move |_| Reply::json(served.lock().unwrap().as_str()));
    // Eight a minute would be none too many.
    let client = with_credentials(&server).when_limited(WhenLimited::Ignore).build().unwrap();
    client.info().unwrap();
    let mut seen = BTreeSet::new();
    let public = PUBLIC.iter().map(|call| (call.fixture, fixture(call.fixture), call.call));
    let private = PRIVATE.iter().map(|call| (call.fixture, answer_of(call), call.call));
    for (name, sample, call) in public.chain(private).filter(|(_, sample, _)| seen.insert(sample.clone())) {
        for bad in bodies(&sample) {
            body.lock().unwrap().clone_from(&bad);
            check(name, &bad, call(&client));
        }
    }
}

#[test]
fn samples_cut_at_every_length_are_errors() {
    let cuts = |sample: &str| {
        let sample = serde_json::from_str::<Value>(sample).unwrap().to_string();
        (0..sample.len()).filter_map(|at| sample.get(..at).map(str::to_owned)).collect()
    };
    feed(cuts, |name, body, result| {
        let kind = result.map_err(|e| e.kind()).unwrap_err();
        assert_eq!(kind, if body.is_empty() { "http" } else { "decode" }, "{name}: {body}");
    });
}

/// Every place in a JSON value, as a way from the root.
fn places(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(values) => values.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, v)| (name.clone(), v)).collect(),
        _ => Vec::new(),
    };
    children
        .into_iter()
        .flat_map(|(name, child)| {
            let below = places(child);
            let name = format!("/{name}");
            std::iter::once(name.clone()).chain(below.into_iter().map(move |rest| format!("{name}{rest}")))
        })
        .collect()
}

#[test]
fn samples_with_every_field_huge_are_read_or_refused() {
    let huge = [
        "9".repeat(400),
        format!("-0.{}", "1".repeat(400)),
        "1e999999999999".to_owned(),
        format!("\"{}\"", "9".repeat(400)),
        format!("\"{}\"", "x".repeat(10_000)),
        format!("{}{}", "[".repeat(1000), "]".repeat(1000)),
        format!("{}1{}", r#"{"a":"#.repeat(1000), "}".repeat(1000)),
        "18446744073709551616".to_owned(),
    ];
    feed_with_every_field(&huge.each_ref().map(String::as_str), false);
}

#[test]
fn samples_with_every_field_missing_or_wrong_are_read_or_refused() {
    let wrong =
        ["null", "true", "-1", "0.5", "\"\"", "\"NULL_VAL\"", "\"x\"", "\"\\u0000\"", "\"é\"", "[]", "{}", "[{}]"];
    feed_with_every_field(&wrong, true);
}

/// Samples with each of these values in each place, and, if that is wanted, without the place.
fn feed_with_every_field(values: &[&str], missing: bool) {
    let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
    let bodies = move |sample: &str| {
        let whole: Value = serde_json::from_str(sample).unwrap();
        let mut bodies = vec![whole.to_string()];
        for place in places(&whole) {
            let mut marked = whole.clone();
            *marked.pointer_mut(&place).unwrap() = json!("@");
            let marked = marked.to_string();
            bodies.extend(values.iter().map(|value| marked.replace("\"@\"", value)));
            if !missing {
                continue;
            }
            let mut without = whole.clone();
            let (parent, name) = place.rsplit_once('/').unwrap();
            match without.pointer_mut(parent).unwrap() {
                Value::Object(fields) => drop(fields.remove(name)),
                Value::Array(values) => drop(values.remove(name.parse().unwrap())),
                _ => unreachable!(),
            }
            bodies.push(without.to_string());
        }
        bodies
    };
    feed(bodies, |name, body, result| {
        if let Err(error) = result {
            let start: String = body.chars().take(200).collect();
            assert!(matches!(error.kind(), "decode" | "refused"), "{name}: {start}: {error:?}");
            assert!(error.to_string().len() < 200_000);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_byte_of_a_server_makes_a_panic(
        cut in 0usize..400,
        at in prop::collection::vec((0usize..400, any::<u8>()), 0..6),
    ) {
        let body = r#"{"code":0,"data":[{"assetCode":"USDT","precisionScale":9,"nativeScale":4,"blockChain":[]}]}"#;
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nretry-after: 1\r\ncontent-length: {}\r\n\r\n{body}",
            body.len(),
        ).into_bytes();
        for (at, byte) in at {
            if let Some(b) = bytes.get_mut(at) {
                *b = byte;
            }
        }
        bytes.truncate(cut.max(1));
        let server = Server::start(move |_| Reply::Close(bytes.clone()));
        if let Err(error) = server.client().market().assets() {
            prop_assert!(error.may_have_executed() || error.kind() == "refused", "{:?}", error);
        }
    }
}
