//! No key, secret or signature in anything that this crate shows, tells or logs, even where a server echoes them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::error::Error as _;
use std::fmt::Write;
use std::sync::Mutex;

use bitmax::model::{AccountCategory, Side};
use bitmax::{Client, Credentials, Endpoint, Error, NewOrder};
use log::{LevelFilter, Log, Metadata, Record};
use support::{KEY, PRIVATE, Recorded, Reply, SECRET, Server, answer_of, info, with_credentials};

/// Keeps what this crate logs, at every level.
struct Lines(Mutex<String>);

impl Log for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("bitmax")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            writeln!(self.0.lock().unwrap(), "{}", record.args()).unwrap();
        }
    }

    fn flush(&self) {}
}

static LINES: Lines = Lines(Mutex::new(String::new()));

/// Everything that an error can be made to say.
fn all_of(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, " {error} {error:?}").unwrap();
        cause = error.source();
    }
    if let Error::Refused(refusal) = error {
        write!(text, " {:?}", refusal.orders()).unwrap();
    }
    text
}

/// What a request says that nobody is to see: also in pieces, as an encoding might leave them.
fn secrets(requests: &[Recorded]) -> Vec<String> {
    let mut secrets = vec![KEY.to_owned(), SECRET.to_owned()];
    for request in requests {
        let signature = request.header("x-auth-signature").unwrap();
        secrets.extend(signature.split(['/', '+', '=']).filter(|piece| piece.len() >= 8).map(str::to_owned));
    }
    secrets
}

/// Servers that say what they were sent, each in its own way.
fn echoes() -> Vec<fn(&Recorded) -> Reply> {
    fn headers(request: &Recorded) -> (String, String) {
        let text = |name| request.header(name).unwrap().to_owned();
        (text("x-auth-key"), text("x-auth-signature"))
    }
    vec![
        |request| Reply::status(502, "", &format!("<html>{:?}</html>", headers(request))),
        |request| {
            let (key, signature) = headers(request);
            let info = serde_json::json!({"id": key, "orderId": "x", "message": signature});
            let body = serde_json::json!({"code": 200_001, "reason": key, "message": signature, "info": [info]});
            Reply::status(401, "", &body.to_string())
        },
        |request| {
            // JSON may write a slash in two ways.
            let (key, signature) = headers(request);
            Reply::json(format!(r#"{{"code":200001,"message":"{key} {}"}}"#, signature.replace('/', "\\/")))
        },
        |request| {
            let (key, signature) = headers(request);
            Reply::json(serde_json::json!({"code": 0, "data": {key: 1, "signature": signature}}).to_string())
        },
        |request| {
            let (key, signature) = headers(request);
            Reply::json(serde_json::json!([key, signature]).to_string())
        },
        |request| {
            let (key, signature) = headers(request);
            Reply::status(
                302,
                &format!("location: http://127.0.0.1:1/{key}?s={}\r\n", signature.replace('/', "%2F")),
                "",
            )
        },
        |request| {
            let (key, signature) = headers(request);
            Reply::Bytes(
                [
                    b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n\xff".as_slice(),
                    format!("{:<99}", key + &signature).as_bytes(),
                ]
                .concat(),
            )
        },
        |_| Reply::Reset(Vec::new()),
        |_| Reply::Close(b"nonsense".to_vec()),
    ]
}

#[test]
fn no_secret_is_shown_told_or_logged() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let mut shown = String::new();
    let mut hidden = Vec::new();

    let credentials = Credentials::new(KEY, SECRET).unwrap();
    let signature = credentials.sign(1_608_133_910_000, "info");
    write!(shown, "{credentials:?} {credentials:#?} {signature:?} {signature:#?}").unwrap();
    hidden.push(signature.as_str().to_owned());
    for (key, secret) in [(KEY, ""), ("", SECRET), (KEY, "no t one"), (&format!("{KEY} "), SECRET)] {
        let error = Credentials::new(key, secret).unwrap_err();
        write!(shown, "{error} {error:?}").unwrap();
    }
    let far = Endpoint::new("http://example.com", "ws://example.com").unwrap();
    shown += &all_of(&Client::builder(far).credentials(credentials).build().unwrap_err());

    // Every call that goes well.
    for call in PRIVATE {
        let body = answer_of(call);
        let server = Server::start(move |request| match request.path.as_str() {
            "/api/pro/v1/info" => Reply::json(info()),
            _ => Reply::json(&body),
        });
        let builder = with_credentials(&server);
        write!(shown, "{builder:?}").unwrap();
        let client = builder.build().unwrap();
        write!(shown, "{:?}", (call.call)(&client).unwrap()).unwrap();
        write!(shown, "{client:?} {:?} {:?}", client.wallet(), client.market()).unwrap();
        hidden.extend(secrets(&server.requests()));
    }
    // Every kind of call that does not.
    for echo in echoes() {
        let server = Server::start(echo);
        let client = with_credentials(&server).build().unwrap();
        shown += &all_of(&client.info().unwrap_err());
        shown += &all_of(&client.wallet().deposit_addresses("USDT", None).unwrap_err());
        shown += &all_of(&client.account(AccountCategory::Cash).unwrap_err());

        let server = support::exchange(echo);
        let client = with_credentials(&server).build().unwrap();
        let account = client.account(AccountCategory::Cash).unwrap();
        write!(shown, "{account:?}").unwrap();
        let order = NewOrder::market("A/B", Side::Buy, 1).unwrap();
        shown += &all_of(&account.place(&order).unwrap_err());
        shown += &all_of(&account.place_batch(&[order]).unwrap_err());
        match account.open_orders(None) {
            Ok(rows) => write!(shown, "{rows:?}").unwrap(),
            Err(error) => shown += &all_of(&error),
        }
        hidden.extend(secrets(&server.requests()));
    }

    let logged = LINES.0.lock().unwrap().clone();
    assert!(logged.contains("POST /api/pro/v1/{ac}/order"), "{logged}");
    assert!(shown.contains("Client") && shown.contains("********") && hidden.len() > 100);
    for secret in hidden {
        assert!(!shown.contains(&secret), "shown or told: {secret}");
        assert!(!logged.contains(&secret), "logged: {secret}");
    }
}
