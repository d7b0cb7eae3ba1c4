//! A live order book as a ladder that redraws in its place, sizes as bars. The book says itself when it is not true.
//!
//! ```text
//! cargo run --example order_book                                  # ten seconds, on an exchange inside the program
//! cargo run --example order_book -- ETH/USDT --levels 5 --seconds 60
//! cargo run --example order_book -- --live                        # AscendEX
//! ```
//!
//! Prints the ladder and, at its end, how many changes there were. Where the output is no terminal, only the last ladder.

#[path = "support/calendar.rs"]
#[allow(dead_code, reason = "what other examples need too")]
mod calendar;
#[path = "support/ladder.rs"]
mod ladder;
#[path = "support/picture.rs"]
mod picture;
#[path = "support/screen.rs"]
mod screen;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bitmax::sandbox::Sandbox;
use bitmax::{Channel, Client, Endpoint, Event, OrderBook, Symbol};
use clap::Parser;

#[derive(Parser)]
#[command(about = "A live order book as a ladder")]
struct Options {
    #[arg(default_value = "BTC/USDT")]
    symbol: Symbol,
    /// How many levels a side
    #[arg(long, default_value_t = 10)]
    levels: usize,
    /// How long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Where a picture of the last ladder goes, 80 columns wide
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Ask AscendEX instead of an exchange inside the program
    #[arg(long)]
    live: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let Options { symbol, levels, seconds, svg, live } = Options::parse();
    let sandbox = if live { None } else { Some(Sandbox::start()?) };
    let endpoint = sandbox.as_ref().map_or(Endpoint::ASCENDEX, Sandbox::endpoint);
    let stream = Client::builder(endpoint).build()?.stream().subscribe(Channel::depth([symbol])).connect()?;

    let mut book = OrderBook::new(symbol);
    // Changes that arrive before it are kept by the book.
    stream.request_snapshot(symbol)?;
    let mut screen = screen::Screen::new();
    let mut changes = 0;
    let end = Instant::now() + Duration::from_secs(seconds);
    while let Ok(event) = stream.recv_timeout(end.saturating_duration_since(Instant::now())) {
        match event {
            Event::Depth(depth) => {
                changes += 1;
                let asked = book.needs_snapshot();
                book.apply(&depth)?;
                if book.needs_snapshot() && (!asked || depth.kind.is_snapshot()) {
                    stream.request_snapshot(symbol)?;
                }
            }
            Event::Disconnected(_) => book.restart(),
            Event::Reconnected { .. } => stream.request_snapshot(symbol)?,
            Event::Refused(refusal) => return Err(bitmax::Error::Refused(refusal).into()),
            Event::SubscriptionFailed(failed) if failed.refusal.is_some() => {
                return Err(format!("not subscribed to {}: {:?}", failed.channel, failed.refusal).into());
            }
            Event::Closed(reason) => return Err(format!("the stream has ended: {reason:?}").into()),
            _ => continue,
        }
        let (width, height) = screen.size();
        // A head of two lines, and one between the sides.
        screen.draw(ladder::ladder(&book, levels.min(height.saturating_sub(4) / 2), width))?;
    }
    screen.finish()?;
    if let Some(file) = svg {
        std::fs::write(file, picture::svg(&ladder::ladder(&book, levels, 80), 80))?;
    }
    println!("{changes} changes in {seconds} s");
    Ok(())
}
