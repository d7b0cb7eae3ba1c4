//! Live market data in one program: products and tickers by REST, then best bid and offer, trades and a
//! five-level book of BTC/USDT for about ten seconds.
//!
//! ```text
//! cargo run --example quickstart                    # on an exchange inside the program
//! cargo run --example quickstart -- --replay FILE   # a recorded session, its own symbols
//! cargo run --example quickstart -- --live          # AscendEX
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use bitmax::model::{AccountCategory, Level};
use bitmax::sandbox::Sandbox;
use bitmax::{Channel, Client, Decimal, Endpoint, Event, OrderBook, Symbol};
use clap::Parser;
use serde::Deserialize;

#[derive(Parser)]
#[command(about = "Products, tickers, and ten seconds of a live order book")]
struct Options {
    /// Play a recorded session instead of the moving market
    #[arg(long, value_name = "FILE", conflicts_with = "live")]
    replay: Option<PathBuf>,
    /// Ask AscendEX instead of an exchange inside the program
    #[arg(long)]
    live: bool,
    /// How many seconds to stream
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    r#for: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let options = Options::parse();

    // An exchange in this process, on a port of its own; it goes when `sandbox` does.
    let sandbox = match &options.replay {
        _ if options.live => None,
        Some(file) => Some(Sandbox::builder().replay(file).start()?),
        None => Some(Sandbox::start()?),
    };
    let endpoint = sandbox.as_ref().map_or(Endpoint::ASCENDEX, Sandbox::endpoint);
    println!("exchange: {}\n", endpoint.rest());
    let client = Client::builder(endpoint).build()?;

    let symbols = match &options.replay {
        Some(file) => symbols_of(file)?,
        None => {
            show_products(&client)?;
            vec![Symbol::new("BTC/USDT")?]
        }
    };
    follow(&client, &symbols, Duration::from_secs(options.r#for))
}

/// The products with their rules, and what they cost now.
fn show_products(client: &Client) -> Result<(), Box<dyn Error>> {
    let products = client.market().products(AccountCategory::Cash)?;
    let tickers = client.market().all_tickers()?;
    let tickers: BTreeMap<Symbol, _> = tickers.iter().map(|ticker| (ticker.symbol, ticker)).collect();
    println!(
        "{:<10} {:>10} {:>9} {:>14} {:>9} {:>16}",
        "product", "tick size", "lot size", "last price", "24 h", "volume"
    );
    for product in products.iter().filter(|product| product.status_code.as_str() == "Normal").take(12) {
        let Some(ticker) = tickers.get(&product.symbol) else { continue };
        let change = (ticker.close - ticker.open) * Decimal::ONE_HUNDRED / ticker.open.max(product.tick_size);
        println!(
            "{:<10} {:>10} {:>9} {:>14} {:>8}% {:>16}",
            product.symbol,
            product.tick_size,
            product.lot_size,
            ticker.close,
            format!("{change:+.2}"),
            ticker.volume
        );
    }
    println!();
    Ok(())
}

/// Streams for a while, and says what it saw.
fn follow(client: &Client, symbols: &[Symbol], time: Duration) -> Result<(), Box<dyn Error>> {
    let stream = client.stream().subscribe(Channel::bbo(symbols)).subscribe(Channel::trades(symbols)).connect()?;
    // Kept by the stream: it subscribes, joins the snapshot and the changes, and begins anew after a loss.
    let books = stream.books(Channel::depth(symbols))?;
    let mut turns = books.iter().cycle();

    let (mut quotes, mut trades) = (0, 0);
    let mut shown = Instant::now();
    let end = Instant::now() + time;
    while Instant::now() < end {
        match stream.recv_timeout(Duration::from_millis(100)) {
            Ok(Event::Bbo(bbo)) => {
                quotes += 1;
                println!("bbo    {:<9} {} | {}", bbo.symbol, show(bbo.bid), show(bbo.ask));
            }
            Ok(Event::Trades(message)) => {
                for trade in &message.trades {
                    trades += 1;
                    let side = if trade.buyer_is_maker { "sell" } else { "buy" };
                    println!("trade  {:<9} {side:<4} {} @ {}", message.symbol, trade.size, trade.price);
                }
            }
            Ok(Event::Disconnected(outage)) => {
                println!("disconnected: {}; again in {:?}", outage.error, outage.retry_in)
            }
            Ok(Event::Reconnected { down_for, .. }) => println!("reconnected after {down_for:?}"),
            Ok(Event::SubscriptionFailed(failed)) => println!("no {}: {:?}", failed.channel, failed.refusal),
            Ok(Event::Connected { .. } | Event::Subscribed(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(other) => println!("{other:?}"),
            Err(RecvTimeoutError::Disconnected) => break,
        }
        // A book a second, each in its turn.
        if shown.elapsed() >= Duration::from_secs(1) {
            shown = Instant::now();
            if let Some(book) = turns.next() {
                print_book(&book.top(5));
            }
        }
    }

    let live = books.iter().filter(|book| book.is_live()).count();
    println!(
        "\ntotal: {quotes} quotes, {trades} trades, {live} of {} books live, in {} s",
        books.len(),
        time.as_secs()
    );
    Ok(())
}

fn print_book(book: &OrderBook) {
    let Some(seqnum) = book.seqnum().filter(|_| book.is_live()) else {
        // Such a book is empty: it makes no claims.
        return println!("book   {}: {:?}", book.symbol(), book.status());
    };
    println!("book   {} at sequence number {seqnum}", book.symbol());
    let asks: Vec<Level> = book.asks().collect();
    for level in asks.iter().rev() {
        println!("         ask {:>14} {:>14}", level.price, level.size);
    }
    for level in book.bids() {
        println!("         bid {:>14} {:>14}", level.price, level.size);
    }
}

fn show(level: Option<Level>) -> String {
    level.map_or("nobody".to_owned(), |level| format!("{} @ {}", level.size, level.price))
}

/// The symbols that a recorded session asks for.
fn symbols_of(file: &PathBuf) -> Result<Vec<Symbol>, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        raw: String,
    }
    #[derive(Deserialize)]
    struct Said {
        op: String,
        #[serde(default)]
        ch: String,
    }
    let mut symbols = BTreeSet::new();
    for entry in serde_json::from_str::<Vec<Entry>>(&std::fs::read_to_string(file)?)? {
        // What the server says has no `op`.
        let Ok(Said { op, ch }) = serde_json::from_str(&entry.raw) else { continue };
        if op == "sub" {
            let (_, arguments) = ch.rsplit_once(':').unwrap_or_default();
            symbols.extend(arguments.split(',').filter_map(|symbol| Symbol::new(symbol).ok()));
        }
    }
    Ok(symbols.into_iter().collect())
}
