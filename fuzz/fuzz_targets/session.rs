//! Any sequence of inputs into the session of a stream: what it must keep to, it keeps to.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| bitmax::fuzz::session(input));
