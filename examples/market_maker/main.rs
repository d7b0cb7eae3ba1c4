//! A complete small strategy: it quotes both sides around the middle, leans against what it has, moves its quotes with the
//! market, and stops at the greatest loss, at Ctrl-C, or when its time is over. Then it takes its quotes from the book.
//!
//! ```text
//! cargo run --example market_maker -- --seconds 60
//! cargo run --example market_maker -- --half-spread 5 --max-position 0.05 --speed 10
//! ```
//!
//! Prints a status screen while it runs, where the output is a terminal, and a report at its end: fills, fees, position,
//! profit and loss. It trades on an exchange inside the program, as a user with a market maker's fees: a tenth of the
//! usual ones. It fails if an order is left on the book.

#[path = "../support/calendar.rs"]
#[allow(dead_code, reason = "what other examples need too")]
mod calendar;
mod maker;
#[path = "../support/picture.rs"]
mod picture;
mod quotes;
#[path = "../support/screen.rs"]
#[allow(dead_code, reason = "what other examples need too")]
mod screen;
mod status;
mod tally;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bitmax::sandbox::{Sandbox, Speed, UserOptions};
use bitmax::{Client, Decimal, Symbol};
use clap::Parser;
use maker::{ACCOUNT, Maker, TO_STOP};
use quotes::Quoting;
use screen::Screen;
use status::Status;

/// How often quotes are looked at, and how often the screen is drawn.
const STEP: Duration = Duration::from_millis(100);

#[derive(Parser)]
#[command(about = "Quotes both sides of a product on the sandbox exchange")]
struct Options {
    #[arg(default_value = "BTC/USDT")]
    symbol: Symbol,
    /// How long
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// From the middle to each quote, in basis points
    #[arg(long, value_name = "BP", default_value = "2")]
    half_spread: Decimal,
    /// Of each quote, in the base asset
    #[arg(long, default_value = "0.01")]
    size: Decimal,
    /// The most to gain or to give away of the base asset
    #[arg(long, value_name = "SIZE", default_value = "0.1")]
    max_position: Decimal,
    /// Stop when so much of the quote asset is lost
    #[arg(long, value_name = "AMOUNT", default_value = "100")]
    max_loss: Decimal,
    /// What the market's movements are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times as fast as real the market goes
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    speed: f64,
    /// Where a picture of the last screen goes, 80 columns wide
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    env_logger::init();
    let options = Options::parse();
    if options.half_spread <= Decimal::ZERO || options.size <= Decimal::ZERO || options.max_position <= Decimal::ZERO {
        return Err("spread, size and position are more than zero".into());
    }
    let sandbox = Sandbox::builder().seed(options.seed).speed(Speed::Times(options.speed)).start()?;
    let user = sandbox.add_user(UserOptions::new().vip(10, 10));
    user.fund(ACCOUNT, options.symbol.base(), options.max_position + options.size)?;
    user.fund(ACCOUNT, options.symbol.quote().ok_or("no pair")?, 100_000)?;
    let client = Client::builder(sandbox.endpoint()).credentials(user.credentials()).build()?;
    let rules = client.account(ACCOUNT)?.load_rules()?;
    let product = rules.product(options.symbol).ok_or("no such product")?;
    let quoting = Quoting {
        half_spread: options.half_spread / Decimal::from(10_000),
        size: options.size,
        max_position: options.max_position,
        tick_size: product.tick_size,
        lot_size: product.lot_size,
        min_notional: product.min_notional,
    };
    let mut maker = Maker::new(&client, options.symbol, quoting)?;
    // For every way out of here, a panic too.
    let guard = maker.handle().cancel_on_drop(TO_STOP);
    // The kill switch: in a thread of its own, whatever the strategy is doing.
    let handle = maker.handle();
    ctrlc::set_handler(move || drop(handle.stop(TO_STOP)))?;

    let mut status = Status { seconds: options.seconds, max_loss: options.max_loss, course: Vec::new() };
    println!("quoting {} for {} s; Ctrl-C ends it\n", options.symbol, options.seconds);
    let mut screen = Screen::new();
    let begun = Instant::now();
    let ended = run(&mut maker, &mut status, &mut screen, begun);
    let ran = begun.elapsed();
    // Whatever happened: no order outlives the program.
    let stopped = maker.stop();
    if stopped.is_clean() {
        guard.keep();
    }
    let why = ended?;
    if let Some(file) = options.svg {
        std::fs::write(file, picture::svg(&status.lines(&maker, ran, 80), 80))?;
    }
    println!("{}", status.report(&maker, ran, why, &stopped));
    Ok(if stopped.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Quotes until the time is over, the loss is too great, or somebody says so; which of them it was.
fn run(
    maker: &mut Maker,
    status: &mut Status,
    screen: &mut Screen,
    begun: Instant,
) -> Result<&'static str, Box<dyn Error>> {
    let mut sampled = None;
    loop {
        if !maker.hear(Instant::now() + STEP)? {
            return Ok("interrupted");
        }
        let ran = begun.elapsed();
        let profit = maker.tally.profit(maker.mid);
        if sampled.replace(ran.as_secs()) != Some(ran.as_secs()) {
            status.course.push(profit);
        }
        screen.draw(status.lines(maker, ran, screen.size().0))?;
        if profit < -status.max_loss {
            return Ok("the greatest loss");
        }
        if ran >= Duration::from_secs(status.seconds) {
            return Ok("its time was over");
        }
        maker.quote()?;
    }
}
