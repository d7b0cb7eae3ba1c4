//! What a client sends to the sandbox over HTTP: the parser of requests, and whatever call they turn out to be.
#![no_main]

use std::cell::RefCell;

use bitmax::fuzz::Sandbox;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static EXCHANGE: RefCell<Sandbox> = RefCell::new(Sandbox::new());
}

fuzz_target!(|bytes: &[u8]| {
    EXCHANGE.with_borrow_mut(|exchange| exchange.requests(bytes).unwrap());
});
