//! The backtest example from outside: the same seed gives the same result to the last digit.
//!
//! `cargo test` builds the examples; `cargo test --test backtest` alone does not: run `cargo build --examples` before.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::Command;
use std::thread;

/// What it prints.
fn run(args: &[&str]) -> String {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push("examples");
    program.push(format!("backtest{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: run `cargo build --examples`", program.display());
    let output = Command::new(program).args(args).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The number before a word of the last line.
fn figure(out: &str, what: &str) -> f64 {
    let before = out.lines().last().unwrap().split_once(what).unwrap().0;
    before.split(' ').next_back().unwrap().parse().unwrap()
}

#[test]
fn one_seed_is_one_result() {
    let runs = ["7", "7", "8"].map(|seed| thread::spawn(move || run(&["--minutes", "3", "--seed", seed])));
    let [first, second, other] = runs.map(|run| run.join().unwrap());
    assert!(figure(&first, " fills") > 0.0, "{first}");
    assert_eq!(first, second);
    assert_ne!(first, other);
}

#[test]
#[ignore = "an hour of market time, twice: some seconds in release, two minutes in debug"]
fn an_hour_twice_is_the_same_hour() {
    let [first, second] = [(); 2].map(|()| {
        let began = std::time::Instant::now();
        let out = run(&[]);
        eprintln!("an hour took {:?}", began.elapsed());
        out
    });
    assert_eq!(first.lines().count(), 7);
    assert!(figure(&first, " fills") > 100.0, "{first}");
    assert_eq!(first, second);
    eprintln!("{first}");
}
