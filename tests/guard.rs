//! The example `guard` from outside: whatever ends it but a kill, no order is left.
//!
//! `cargo test` builds the examples; `cargo test --test guard` alone does not: run `cargo build --examples` before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bitmax::model::AccountCategory;
use bitmax::sandbox::Sandbox;

const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/guard");
    assert!(path.exists(), "{} is missing: run `cargo build --examples`", path.display());
    path
}

fn start(sandbox: &Sandbox, more: &[&str]) -> Child {
    Command::new(program())
        .args(["--rest", &sandbox.rest_url(), "--ws", &sandbox.ws_url()])
        .args(more)
        .env_clear()
        .env("BITMAX_API_KEY", sandbox.api_key())
        .env("BITMAX_API_SECRET", sandbox.api_secret())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the program has ended by itself; its status.
fn end(child: &mut Child) -> i32 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status.code().expect("it ends by itself"),
            None => assert!(Instant::now() < deadline, "it does not end"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_ends_it_with_no_order_left() {
    for signal in ["-INT", "-TERM"] {
        let sandbox = Sandbox::start().unwrap();
        let mut child = start(&sandbox, &[]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.starts_with("ready")), "it places its orders");
        assert_eq!(sandbox.user().open_orders(AccountCategory::Cash).len(), 3);

        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(end(&mut child), 0, "{signal}");
        assert!(sandbox.user().open_orders(AccountCategory::Cash).is_empty(), "{signal}");
        assert_eq!(lines.last().as_deref(), Some("no order is left"), "{signal}");
    }
}

#[test]
fn an_error_leaves_no_order_either() {
    let sandbox = Sandbox::start().unwrap();
    let mut child = start(&sandbox, &["--fail"]);
    assert_eq!(end(&mut child), 1);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("on purpose"), "{said}");
    assert_eq!(sandbox.user().ended_orders(AccountCategory::Cash).len(), 3);
    assert!(sandbox.user().open_orders(AccountCategory::Cash).is_empty());
}

#[test]
fn by_default_it_runs_on_an_exchange_of_its_own() {
    let mut child = Command::new(program()).arg("--fail").env_clear().stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(end(&mut child), 1);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("on purpose"), "{said}");
}
