//! Any text as a message of the stream and as a decimal.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/support/decoder.rs"]
#[allow(dead_code, reason = "the other target's half")]
mod decoder;

fuzz_target!(|text: &str| decoder::message(text));
