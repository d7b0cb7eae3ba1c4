//! What a client says on the sandbox's stream, a message a line; as nobody if the first character is an exclamation
//! mark.
#![no_main]

use std::cell::RefCell;

use bitmax::fuzz::Sandbox;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static EXCHANGE: RefCell<Sandbox> = RefCell::new(Sandbox::new());
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (text, authenticated) = text.strip_prefix('!').map_or((&*text, true), |text| (text, false));
    EXCHANGE.with_borrow_mut(|exchange| exchange.messages(text, authenticated).unwrap());
});
