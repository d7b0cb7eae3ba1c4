//! Any text as a message of the stream and as a decimal: no panic, and what was read is what is written.
#![no_main]

use std::fmt::Debug;

use bitmax::{Decimal, Message, parse_decimal};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;

fuzz_target!(|text: &str| {
    if let Ok(decimal) = parse_decimal(text) {
        assert_eq!(parse_decimal(&decimal.to_string()), Ok(decimal));
        if let Ok(peer) = Decimal::from_str_exact(text) {
            assert_eq!(decimal, peer);
        }
    }
    match Message::parse(text) {
        Ok(Message::Bbo(data)) => again(&data, Message::Bbo(data.clone())),
        Ok(Message::Depth(data)) => again(&data, Message::Depth(data.clone())),
        Ok(Message::Trades(data)) => again(&data, Message::Trades(data.clone())),
        Ok(Message::Bar(data)) => again(&data, Message::Bar(data.clone())),
        Ok(Message::RefPrice(data)) => again(&data, Message::RefPrice(data.clone())),
        Ok(Message::Order(data)) => again(&data, Message::Order(data.clone())),
        Ok(Message::CancelRejected(data)) => again(&data, Message::CancelRejected(data.clone())),
        Ok(Message::Balance(data)) => again(&data, Message::Balance(data.clone())),
        Ok(other) => drop(format!("{other:?}")),
        Err(error) => drop(error.to_string()),
    }
});

/// What was read is read alike when it is written.
fn again(data: &(impl Serialize + Debug), message: Message) {
    let written = serde_json::to_string(data).unwrap();
    assert_eq!(Message::parse(&written).as_ref(), Ok(&message), "{written}");
}
