//! A session of market data, recorded from an exchange inside the program and played again twice: through the sandbox's
//! socket, and without a socket. The same function follows all three, and hears the same.
//!
//! ```text
//! cargo run --example record_replay                                        # records three seconds
//! cargo run --example record_replay -- --seconds 10 --keep session.jsonl   # and leaves the file there
//! ```
//!
//! Prints what was written, and a table: how many messages of each channel each of the three heard, the book that they
//! made of them, and how long it took. It fails if one of them heard anything else.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bitmax::sandbox::{Sandbox, Speed};
use bitmax::{Channel, Client, Endpoint, Event, OrderBook, Recorder, Recording, StreamBuilder};
use clap::Parser;

const SYMBOL: &str = "BTC/USDT";
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
#[command(about = "Records a session, and plays it again with and without a socket")]
struct Options {
    /// How long to record
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Where the recording goes and stays; if not said, it is removed at the end
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let Options { seconds, keep } = Options::parse();
    let name = format!("bitmax-session-{}.jsonl", std::process::id());
    let file = keep.clone().unwrap_or_else(|| std::env::temp_dir().join(name));
    let result = record_and_replay(&file, Duration::from_secs(seconds));
    if keep.is_none() {
        std::fs::remove_file(&file)?;
    }
    result
}

fn record_and_replay(file: &Path, time: Duration) -> Result<(), Box<dyn Error>> {
    // 1. Live: the recorder looks on at every text, and writes in a thread of its own.
    let sandbox = Sandbox::start()?;
    let recorder = Recorder::create(file)?;
    let stream = Client::builder(sandbox.endpoint()).build()?.stream().tap(recorder.tap());
    let live = follow(stream, |_, so_far| so_far >= time)?;
    let recorded = recorder.finish()?;
    println!("recorded: {} texts, {} bytes, {} missed\n", recorded.texts, recorded.bytes, recorded.missed);

    // 2. Through a socket: another sandbox says what the first one said, as fast as the client takes it.
    let sandbox = Sandbox::builder().replay(file).speed(Speed::Max).start()?;
    let stream = Client::builder(sandbox.endpoint()).build()?.stream();
    // After the end of the recording the connection stays, so the program says when it has heard all.
    let socket = follow(stream, |heard, _| heard.events.len() >= live.events.len())?;

    // 3. Without: no socket, no thread, and nobody is asked. The stream ends with the recording.
    let client = Client::builder(Endpoint::ASCENDEX).build()?;
    let direct = follow(client.stream().replay(&Recording::open(file)?), |_, _| false)?;

    show(&[("live", &live), ("through a socket", &socket), ("without", &direct)]);
    // A socket may bring one channel's message before another's, and brings it at another time.
    if socket.by_channel() != live.by_channel() {
        return Err("through a socket it is not the same".into());
    }
    // Without one the order among channels and the times of receipt are the same too.
    if direct.events != live.events {
        return Err("without a socket it is not the same".into());
    }
    println!("\nthe same events, all three times");
    Ok(())
}

/// What was heard of the market.
struct Heard {
    /// Each event: its channel, what it says, and when it was received, UTC nanoseconds.
    events: Vec<(&'static str, String, u64)>,
    book: OrderBook,
    took: Duration,
}

impl Heard {
    /// What was said on each channel, in its order.
    fn by_channel(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut channels = BTreeMap::<_, Vec<_>>::new();
        for (channel, said, _) in &self.events {
            channels.entry(*channel).or_default().push(said.as_str());
        }
        channels
    }
}

/// Follows the market until it is enough, or the stream has ended. Nothing in here knows what is behind the stream.
fn follow(stream: StreamBuilder, is_enough: impl Fn(&Heard, Duration) -> bool) -> Result<Heard, Box<dyn Error>> {
    let begun = Instant::now();
    let channels = [Channel::bbo([SYMBOL]), Channel::depth([SYMBOL]), Channel::trades([SYMBOL])];
    let stream = channels.into_iter().fold(stream, StreamBuilder::subscribe).connect()?;
    stream.request_snapshot(SYMBOL)?;
    let mut heard = Heard { events: Vec::new(), book: OrderBook::new(SYMBOL.try_into()?), took: Duration::ZERO };
    // After the last event there are no more; a silence ends it too.
    while let Ok(event) = stream.recv_timeout(PATIENCE) {
        match event {
            Event::Bbo(bbo) => heard.events.push(("bbo", format!("{:?}", bbo.data), bbo.received)),
            Event::Trades(trades) => heard.events.push(("trades", format!("{:?}", trades.data), trades.received)),
            Event::Depth(depth) => {
                heard.book.apply(&depth)?;
                heard.events.push(("depth", format!("{:?}", depth.data), depth.received));
            }
            _ => {}
        }
        if is_enough(&heard, begun.elapsed()) {
            // What has arrived by now is still delivered, and is in the recording.
            stream.close();
        }
    }
    heard.took = begun.elapsed();
    Ok(heard)
}

fn show(runs: &[(&str, &Heard); 3]) {
    let line = |name: &str, cell: &dyn Fn(&Heard) -> String| {
        let [live, socket, direct] = runs.map(|(_, heard)| cell(heard));
        println!("{name:<10} {live:>18} {socket:>18} {direct:>18}");
    };
    let [live, socket, direct] = runs.map(|(name, _)| name);
    println!("{:<10} {live:>18} {socket:>18} {direct:>18}", "");
    for channel in ["bbo", "depth", "trades"] {
        line(channel, &|heard| heard.by_channel().get(channel).map_or(0, Vec::len).to_string());
    }
    let price = |level: Option<bitmax::model::Level>| level.map_or("-".to_owned(), |level| level.price.to_string());
    line("best bid", &|heard| price(heard.book.bids().next()));
    line("best ask", &|heard| price(heard.book.asks().next()));
    line("took", &|heard| format!("{:.1} ms", heard.took.as_secs_f64() * 1000.0));
}
