//! The smallest program with a stream: prints the best bid and ask until it is stopped.
//!
//! `smallest [REST WS [ROOT.der]]`: another exchange than the real one, and whom to trust there.

use bitmax::{Channel, Client, Endpoint, Event};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let endpoint = match (args.next(), args.next()) {
        (Some(rest), Some(ws)) => Endpoint::new(rest, ws)?,
        _ => Endpoint::ASCENDEX,
    };
    let mut builder = Client::builder(endpoint);
    if let Some(root) = args.next() {
        builder = builder.root_certificate(&std::fs::read(root)?);
    }
    for event in &builder.build()?.stream().subscribe(Channel::bbo(["BTC/USDT"])).connect()? {
        if let Event::Bbo(bbo) = event
            && let (Some(bid), Some(ask)) = (bbo.bid, bbo.ask)
        {
            println!("{} {} {}", bbo.symbol, bid.price, ask.price);
        }
    }
    Ok(())
}
