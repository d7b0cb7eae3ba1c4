//! A strategy on a market that lives inside the program: it quotes both sides of ETH/USDT, and market time goes by as
//! fast as the two of them can take it. An hour passes in seconds, and the same seed gives the same result to the last
//! digit.
//!
//! ```text
//! cargo run --release --example backtest                           # an hour
//! cargo run --release --example backtest -- --minutes 10 --seed 7
//! ```

use std::error::Error;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use bitmax::model::{AccountCategory, Bbo, OrderState, OrderStatus, Side};
use bitmax::sandbox::Sandbox;
use bitmax::{Channel, Client, Decimal, Event, NewOrder, Rules, Stream, Symbol};
use clap::Parser;

const ACCOUNT: AccountCategory = AccountCategory::Cash;
/// 2023-11-14 22:13:20 UTC.
const START: u64 = 1_700_000_000_000;

#[derive(Parser)]
#[command(about = "Quotes ETH/USDT on a seeded market, an hour in seconds")]
struct Options {
    /// What the market's movements are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many minutes of market time
    #[arg(long, default_value_t = 60)]
    minutes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let options = Options::parse();
    let symbol = Symbol::new("ETH/USDT")?;

    // The exchange's clock moves when this program says so, and not with the one that requests are stamped by.
    let sandbox = Sandbox::builder().seed(options.seed).start_time(START).start()?;
    sandbox.set_acceptance_window(Duration::MAX);
    let client = Client::builder(sandbox.endpoint()).credentials(sandbox.credentials()).build()?;
    let account = client.account(ACCOUNT)?;
    let had = |asset| Ok::<_, bitmax::Error>(account.balance(asset)?.map_or(Decimal::ZERO, |b| b.total_balance));
    let mut strategy = Strategy {
        symbol,
        rules: (*account.load_rules()?).clone(),
        start: [had("ETH")?, had("USDT")?],
        have: [had("ETH")?, had("USDT")?],
        mid: None,
        fills: 0,
    };

    let stream = client.stream().subscribe(Channel::bbo([symbol])).subscribe(Channel::orders(ACCOUNT)).connect()?;
    strategy.see_all(&stream)?;
    for second in 1..=60 * options.minutes {
        sandbox.advance(Duration::from_secs(1));
        strategy.see_all(&stream)?;
        if second % 5 == 0 {
            strategy.quote(&stream)?;
        }
        if second % 600 == 0 {
            println!("after {:>2} min: {strategy}", second / 60);
        }
    }
    println!("in the end:   {strategy}");
    Ok(())
}

struct Strategy {
    symbol: Symbol,
    rules: Rules,
    /// ETH and USDT at first, and now.
    start: [Decimal; 2],
    have: [Decimal; 2],
    mid: Option<Decimal>,
    fills: u32,
}

impl Strategy {
    /// Sees everything that has happened by now. The exchange answers a question after what it told before it, so with
    /// the answer all that is there, whatever the machine was busy with.
    fn see_all(&mut self, stream: &Stream) -> Result<(), Box<dyn Error>> {
        stream.market_trades(self.symbol, 1)?;
        loop {
            match stream.try_recv() {
                Ok(Event::Bbo(bbo)) => self.see_quote(&bbo),
                Ok(Event::Order(update)) => self.see_order(&update.data.data),
                Ok(Event::Connected { .. } | Event::Subscribed(_)) => {}
                Ok(other) => return Err(format!("not as it should be: {other:?}").into()),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn see_quote(&mut self, bbo: &Bbo) {
        if let (Some(bid), Some(ask)) = (bbo.bid, bbo.ask) {
            self.mid = Some((bid.price + ask.price) / Decimal::TWO);
        }
    }

    fn see_order(&mut self, order: &OrderState) {
        if matches!(order.status, OrderStatus::Filled | OrderStatus::PartiallyFilled) {
            self.fills += 1;
        }
        if let (Some(eth), Some(usdt)) = (order.base_total, order.quote_total) {
            self.have = [eth, usdt];
        }
    }

    /// Replaces the quotes: 4 basis points to each side of the middle, and lower the more it has bought.
    fn quote(&mut self, stream: &Stream) -> Result<(), Box<dyn Error>> {
        stream.cancel_all(ACCOUNT, Some(self.symbol))?;
        let Some(mid) = self.mid else { return Ok(()) };
        let [eth, _] = self.gained();
        let basis_point = mid / Decimal::from(10_000);
        for (side, away) in [(Side::Buy, -4), (Side::Sell, 4)] {
            let price = mid + basis_point * (Decimal::from(away) - eth);
            let order = NewOrder::limit(self.symbol, side, "0.5", price)?.post_only();
            stream.place(ACCOUNT, &self.rules.fit(&order)?.order)?;
        }
        Ok(())
    }

    fn gained(&self) -> [Decimal; 2] {
        let [eth, usdt] = self.have;
        [eth - self.start[0], usdt - self.start[1]]
    }
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [eth, usdt] = self.gained();
        let mid = self.mid.unwrap_or_default();
        write!(f, "{} fills, {eth} ETH and {usdt} USDT gained, {} USDT at {mid}", self.fills, usdt + eth * mid)
    }
}
