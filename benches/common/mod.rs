//! What the benchmarks share: contenders measured in turns, so that what disturbs the machine disturbs all alike, and
//! the form of a result.
#![allow(dead_code, reason = "no benchmark uses all of it")]

use std::time::Instant;

/// Nanoseconds a call of each contender: the median over many short turns.
pub(crate) fn medians<const N: usize>(mut contenders: [&mut dyn FnMut(); N]) -> [f64; N] {
    const TURNS: usize = 301;
    const TURN_NS: f64 = 100_000.0;
    let calls: [u32; N] = std::array::from_fn(|at| {
        let mut calls = 1u32;
        while time(&mut *contenders[at], calls) * f64::from(calls) < TURN_NS {
            calls *= 2;
        }
        calls
    });
    let mut turns: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(TURNS));
    for _ in 0..TURNS {
        for (at, contender) in contenders.iter_mut().enumerate() {
            turns[at].push(time(&mut **contender, calls[at]));
        }
    }
    turns.map(|mut ns| {
        ns.sort_by(f64::total_cmp);
        ns[TURNS / 2]
    })
}

fn time(call: &mut dyn FnMut(), calls: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// Whether this is a measurement, rather than a look at whether the benchmark runs.
pub(crate) fn measuring() -> bool {
    std::env::args().any(|arg| arg == "--bench")
}

/// Begins what is reported, after whatever else a benchmark prints.
pub(crate) fn report() {
    println!("\nreport:");
}

/// Prints a ratio, last of all that a benchmark prints, and what it is to be: `scripts/benchmarks` gathers these lines.
pub(crate) fn ratio(what: &str, ratio: f64, bound: &str) {
    println!("ratio: {what} | {ratio:.2} | {bound}");
}
