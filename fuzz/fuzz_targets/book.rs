//! Any sequence of snapshots and changes into a book: it is in order, or it says that it is not true.
//!
//! Each line is a message, or steps of five bytes: kind, distance of the sequence number, side, price, size.
#![no_main]

use bitmax::model::{Depth, Level};
use bitmax::{Decimal, Message, OrderBook, Symbol};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut book = OrderBook::new(Symbol::new("A/B").unwrap());
    if input.first() == Some(&b'{') {
        for line in input.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok()) {
            if let Ok(Message::Depth(mut depth)) = Message::parse(line) {
                depth.symbol = book.symbol();
                apply(&mut book, &depth);
            }
        }
        return;
    }
    let mut seqnum = 100;
    for step in input.chunks_exact(5) {
        let &[kind, distance, side, price, size] = step else { unreachable!("five bytes") };
        if kind == 255 {
            book.restart();
            continue;
        }
        // Mostly the next one.
        seqnum += match distance {
            0..=3 => u64::from(distance),
            _ => 1,
        };
        let m = if kind % 8 == 0 { "depth-snapshot" } else { "depth" };
        // Two or three digits after the point, so that the ticks change.
        let level = format!(r#"["{}","{}"]"#, Decimal::new(price.into(), 2 + u32::from(side & 1)), size % 16);
        let (bids, asks) = if side & 2 == 0 { (level, String::new()) } else { (String::new(), level) };
        let text = format!(
            r#"{{"m":"{m}","symbol":"A/B","data":{{"ts":1,"seqnum":{seqnum},"bids":[{bids}],"asks":[{asks}]}}}}"#
        );
        let Ok(Message::Depth(depth)) = Message::parse(&text) else { panic!("{text}") };
        apply(&mut book, &depth);
    }
});

fn apply(book: &mut OrderBook, depth: &Depth) {
    // A book is of one channel, and refuses the other's messages.
    let refused = book.apply(depth).is_err_and(|e| {
        assert_eq!(e.field(), "m");
        true
    });
    let (bids, asks): (Vec<Level>, Vec<Level>) = (book.bids().collect(), book.asks().collect());
    if !book.is_live() {
        assert!(bids.is_empty() && asks.is_empty() && book.seqnum().is_none(), "no claims");
        return;
    }
    assert!(refused || book.seqnum() >= Some(depth.seqnum), "nothing newer than what was applied");
    assert!(bids.is_sorted_by(|a, b| a.price > b.price) && asks.is_sorted_by(|a, b| a.price < b.price));
    assert!(bids.iter().chain(&asks).all(|level| level.size > Decimal::ZERO && level.price > Decimal::ZERO));
    assert_eq!((book.best_bid(), book.best_ask()), (bids.first().copied(), asks.first().copied()));
    if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
        assert!(bid.price < ask.price, "crossed");
    }
}
