//! The signer against `ring`'s HMAC, and a signed call over a kept-alive connection against `ureq` alone with the same
//! bytes.
//!
//! The server is a thread that answers every request with the same bytes. `ureq` alone is measured twice: with the
//! time-outs that this crate sets, and with none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark")]

mod common;

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitmax::model::AccountCategory;
use bitmax::{BalanceQuery, Client, Credentials, Endpoint};
use ureq::Agent;

const KEY: &str = "CEcrjGyipqt0OflgdQQSRGdrDXdDUY2x";
const SECRET: &str = "hV8FgjyJtpvVeAcMAgzgAFQCN36wmbWuN7o3WPcYcYhFd8qvE43gzFGVsFcCqMNk";
const MILLIS: u64 = 1_608_133_910_000;
const BALANCE: &str = r#"{"code":0,"data":[{"asset":"BTC","totalBalance":"11.5","availableBalance":"11.5"}]}"#;

fn signer() -> [(&'static str, f64); 2] {
    let ours = Credentials::new(KEY, SECRET).unwrap();
    let ring = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    // It is given the prehash ready made; ours has to write it.
    let prehash = format!("{MILLIS}+order");
    let by_ring = |prehash: &str| {
        let mut text = [0; 44];
        STANDARD.encode_slice(ring::hmac::sign(&ring, prehash.as_bytes()), &mut text).unwrap();
        text
    };
    assert_eq!(ours.sign(MILLIS, "order").as_str().as_bytes(), by_ring(&prehash));
    let [ours, ring] = common::medians([
        &mut || {
            black_box(ours.sign(black_box(MILLIS), black_box("order")));
        },
        &mut || {
            black_box(by_ring(black_box(&prehash)));
        },
    ]);
    [("signature", ours), ("signature by ring", ring)]
}

/// Answers `info` and anything else, one thread a connection.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = |body: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let info = answer(
        r#"{"code":0,"data":{"accountGroup":6,"email":"a@b.c","expireTime":-1,"allowedIps":[],"cashAccount":["c"],
            "marginAccount":["m"],"userUID":"U0866943712","tradePermission":true,"transferPermission":true,
            "viewPermission":true}}"#,
    );
    let balance = answer(BALANCE);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, info, balance) = (stream.unwrap(), info.clone(), balance.clone());
            stream.set_nodelay(true).unwrap();
            thread::spawn(move || {
                let mut request = [0; 4096];
                let mut length = 0;
                loop {
                    match stream.read(&mut request[length..]) {
                        Ok(0) | Err(_) => return,
                        Ok(n) => length += n,
                    }
                    if request[..length].ends_with(b"\r\n\r\n") {
                        let is_info = request.starts_with(b"GET /api/pro/v1/info");
                        stream.write_all(if is_info { &info } else { &balance }.as_bytes()).unwrap();
                        length = 0;
                    }
                }
            });
        }
    });
    url
}

/// What one writes with `ureq` alone: the same headers, the body read whole.
fn bare(url: &str, with_timeouts: bool) -> impl FnMut() {
    let agent = Agent::config_builder()
        .user_agent(concat!("bitmax-rs/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .accept_encoding("")
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None);
    let agent: Agent = match with_timeouts {
        true => agent
            .timeout_resolve(Some(Duration::from_secs(5)))
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_per_read(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into(),
        false => agent.build().into(),
    };
    let url = format!("{url}/6/api/pro/v1/cash/balance?asset=BTC");
    let signature = Credentials::new(KEY, SECRET).unwrap().sign(MILLIS, "balance").as_str().to_owned();
    move || {
        let mut answer = agent
            .get(&url)
            .header("x-auth-key", KEY)
            .header("x-auth-timestamp", "1608133910000")
            .header("x-auth-signature", &signature)
            .call()
            .unwrap();
        assert_eq!(black_box(answer.body_mut().read_to_vec().unwrap()).len(), BALANCE.len());
    }
}

/// Ours beside each of the two, in turns of its own.
fn call() -> [(&'static str, f64); 4] {
    let url = server();
    let credentials = Credentials::new(KEY, SECRET).unwrap();
    let endpoint = Endpoint::new(&url, "ws://127.0.0.1:1").unwrap();
    let client = Client::builder(endpoint).credentials(credentials).clock_correction(false).build().unwrap();
    let account = client.account(AccountCategory::Cash).unwrap();
    let query = BalanceQuery::new().asset("BTC".parse().unwrap());
    let mut ours = || assert_eq!(account.balances(&query).unwrap().len(), 1);
    // Not all three in turns: with time-outs `ureq` starts a thread for each call, which disturbs whoever comes next.
    let [beside, with_timeouts] = common::medians([&mut ours, &mut bare(&url, true)]);
    let [ours, bare] = common::medians([&mut ours, &mut bare(&url, false)]);
    [
        ("signed call", ours),
        ("the same by ureq, without time-outs", bare),
        ("signed call, in turns with the next", beside),
        ("the same by ureq", with_timeouts),
    ]
}

fn main() {
    if !common::measuring() {
        return;
    }
    common::report();
    let (signer, call) = (signer(), call());
    for (name, ns) in signer.iter().chain(&call) {
        println!("{name:<40} {:>8.2} µs", ns / 1000.0);
    }
    common::ratio("signature / `ring`", signer[0].1 / signer[1].1, "≤ 1.0");
    common::ratio("signed call / `ureq` without time-outs", call[0].1 / call[1].1, "≤ 1.1");
    common::ratio("signed call / `ureq` with the same time-outs", call[2].1 / call[3].1, "≤ 1.0");
}
