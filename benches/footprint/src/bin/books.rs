//! Twenty books on one stream: tells when all are live, and keeps them until it is stopped.
//!
//! `books REST WS`

use std::time::Duration;

use bitmax::{Channel, Client, Endpoint};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let endpoint = Endpoint::new(args.next().ok_or("no REST")?, args.next().ok_or("no WS")?)?;
    let stream = Client::builder(endpoint).build()?.stream().connect()?;
    let mut books = Vec::new();
    // A subscription takes ten symbols.
    for ten in 0..2 {
        let symbols: Vec<String> = (0..10).map(|n| format!("C{}/USDT", ten * 10 + n)).collect();
        books.extend(stream.books(Channel::depth(symbols.iter().map(String::as_str)))?);
    }
    for book in &mut books {
        assert!(book.wait_live(Duration::from_secs(60))?, "{} is not live", book.symbol());
        assert_eq!(book.top(500).bids().count(), 500);
    }
    println!("live");
    for _ in &stream {}
    Ok(())
}
