//! Bars of any range of time, paged through, as a CSV file and as a candlestick chart in SVG.
//!
//! ```text
//! cargo run --example candles                                            # thirty days of BTC/USDT by the hour
//! cargo run --example candles -- ETH/USDT 1d --from 2026-01-01 --to 2026-07-01
//! cargo run --example candles -- --live                                  # AscendEX
//! ```
//!
//! Prints what was read and where it was written to; a progress bar goes to standard error while it is read. It asks
//! an exchange inside the program: the same range of the same seed is the same picture.

#[path = "../support/calendar.rs"]
#[allow(dead_code, reason = "what other examples need too")]
mod calendar;
mod chart;

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use bitmax::model::{Bar, BarInterval};
use bitmax::sandbox::Sandbox;
use bitmax::{Client, Date, Endpoint, Symbol};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

const DAY: u64 = 86_400_000;

#[derive(Parser)]
#[command(about = "Downloads bars as CSV and draws them")]
struct Options {
    #[arg(default_value = "BTC/USDT")]
    symbol: Symbol,
    /// 1, 5, 15, 30, 60, 120, 240, 360, 720 (minutes), 1d, 1w or 1m (month)
    #[arg(default_value = "60")]
    interval: String,
    /// The first day, UTC; thirty days before the end if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Date>,
    /// The day before which it ends, UTC; now if not given
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Date>,
    /// Where the bars go
    #[arg(long, value_name = "FILE", default_value = "candles.csv")]
    csv: PathBuf,
    /// Where the chart goes
    #[arg(long, value_name = "FILE", default_value = "candles.svg")]
    svg: PathBuf,
    /// How many of the bars the chart shows, the latest
    #[arg(long, value_name = "N", default_value_t = 120)]
    candles: usize,
    /// What the exchange inside the program draws its market from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ask AscendEX instead
    #[arg(long)]
    live: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let options = Options::parse();
    let interval = BarInterval::from_text(&options.interval);
    let to = match options.to {
        Some(day) => calendar::start_of(day),
        None => u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
    };
    let from = options.from.map_or(to.saturating_sub(30 * DAY), calendar::start_of);

    // The clock of the exchange stands a day after the range, all of which is its past then: that goes a year back, and
    // owes nothing to whoever trades now.
    let sandbox =
        if options.live { None } else { Some(Sandbox::builder().seed(options.seed).start_time(to + DAY).start()?) };
    let endpoint = sandbox.as_ref().map_or(Endpoint::ASCENDEX, Sandbox::endpoint);
    let client = Client::builder(endpoint).build()?;

    let progress = ProgressBar::new((to - from.min(to)) / interval.millis().unwrap_or(DAY));
    progress.set_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} bars, {eta} left")?);
    progress.set_message(options.symbol.to_string());
    let mut csv = BufWriter::new(File::create(&options.csv)?);
    writeln!(csv, "start,time,open,high,low,close,volume")?;
    let mut bars: Vec<Bar> = Vec::new();
    for bar in client.market().bars_iter(options.symbol, interval.clone(), from..to)? {
        let bar = bar?;
        let Bar { ts, open, high, low, close, volume, .. } = &bar;
        writeln!(csv, "{ts},{},{open},{high},{low},{close},{volume}", calendar::time(*ts))?;
        bars.push(bar);
        progress.inc(1);
    }
    csv.flush()?;
    progress.finish_and_clear();

    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Err("no bars in this range".into()) };
    let (start, end) = (calendar::minute(first.ts), calendar::minute(last.ts));
    println!("{} bars of {}, {start} to {end} UTC", bars.len(), options.symbol);
    let shown = bars.get(bars.len().saturating_sub(options.candles.max(1))..).unwrap_or_default();
    fs::write(&options.svg, chart::svg(options.symbol, &interval, shown))?;
    println!("{}: all of them", options.csv.display());
    println!("{}: the chart, of the last {}", options.svg.display(), shown.len());
    Ok(())
}
