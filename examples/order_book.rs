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
use bitmax::{Client, Endpoint, Symbol};
use clap::Parser;
use ladder::ladder;
use screen::Screen;

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
    let stream = Client::builder(endpoint).build()?.stream().connect()?;

    // Kept by the stream's own thread, which begins anew whenever the connection or a change is lost.
    let mut book = stream.book(symbol)?;
    let mut screen = Screen::new();
    let mut changes = 0;
    let end = Instant::now() + Duration::from_secs(seconds);
    while book.wait(end.saturating_duration_since(Instant::now()))? {
        changes += 1;
        let (width, height) = screen.size();
        // A head of two lines, one between the sides, and the last is left for the cursor.
        let levels = levels.min(height.saturating_sub(4) / 2);
        screen.draw(ladder(&book.top(levels), levels, width))?;
    }
    screen.finish()?;
    if let Some(file) = svg {
        std::fs::write(file, picture::svg(&ladder(&book.top(levels), levels, 80), 80))?;
    }
    println!("{changes} changes in {seconds} s");
    Ok(())
}
