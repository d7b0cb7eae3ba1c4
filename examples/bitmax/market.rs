//! Public market data.

use std::net::IpAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bitmax::model::{
    AccountCategory, AssetInfo, Bar, BarInterval, BarIntervalInfo, Depth, Level, Product, ProductV1, RiskLimits,
    Ticker, Trades,
};
use bitmax::{BarsQuery, Client, Market};
use clap::Subcommand;

use crate::failure::Failure;
use crate::output::{Output, Table, or_dash, progress, time};

/// The most bars of one call.
const PAGE: u32 = 500;

#[derive(Subcommand)]
pub(crate) enum MarketCommand {
    /// All assets and the block chains that carry them
    Assets,
    /// All products, or those of an account category
    Products {
        /// cash or margin
        category: Option<AccountCategory>,
    },
    /// The day's summary of one, several or all products
    Ticker {
        #[arg(value_name = "SYMBOL")]
        symbols: Vec<String>,
    },
    /// The bar intervals that the exchange has
    BarIntervals,
    /// Bars (candles) of a product
    Bars {
        symbol: String,
        /// 1, 5, 15, 30, 60, 120, 240, 360, 720 (minutes), 1d, 1w or 1m (month)
        interval: String,
        /// Not before this start of a bar, UTC milliseconds
        #[arg(long, value_name = "MS")]
        from: Option<u64>,
        /// Not after this start of a bar, UTC milliseconds
        #[arg(long, value_name = "MS")]
        to: Option<u64>,
        /// How many, the latest; over 500 are fetched page by page
        #[arg(long)]
        n: Option<u32>,
    },
    /// The order book of a product
    Depth { symbol: String },
    /// The latest trades of a product
    Trades {
        symbol: String,
        /// How many, at most 100
        #[arg(long)]
        n: Option<u32>,
    },
    /// The limits of the stream for an address
    RiskLimits {
        /// The address, if not one's own
        #[arg(long)]
        ip: Option<IpAddr>,
    },
    /// When a request reaches the exchange, by its clock
    Latency,
}

impl MarketCommand {
    pub(crate) fn run(self, client: &Client, output: &Output) -> Result<(), Failure> {
        let market = client.market();
        match self {
            Self::Assets => output.rows(&market.assets()?, assets),
            Self::Products { category: None } => output.rows(&market.products_v1()?, products_v1),
            Self::Products { category: Some(category) } => output.rows(&market.products(category)?, products),
            Self::Ticker { symbols } => match symbols.as_slice() {
                [] => output.rows(&market.all_tickers()?, tickers),
                [symbol] => output.value(&market.ticker(symbol)?, |one| tickers(std::slice::from_ref(one))),
                several => output.rows(&market.tickers(several)?, tickers),
            },
            Self::BarIntervals => output.rows(&market.bar_intervals()?, bar_intervals),
            Self::Bars { symbol, interval, from, to, n } => {
                let wanted = Wanted { symbol, interval: BarInterval::from_text(&interval), from, to, n };
                output.value(&wanted.fetch(&market)?, |bars| bar_table(bars))
            }
            Self::Depth { symbol } => output.value(&market.depth(symbol)?, depth),
            Self::Trades { symbol, n } => output.value(&market.trades(symbol, n)?, trades),
            Self::RiskLimits { ip } => output.value(&market.risk_limits(ip)?, risk_limits),
            Self::Latency => latency(&market, output),
        }
    }
}

/// The bars that were asked for.
struct Wanted {
    symbol: String,
    interval: BarInterval,
    from: Option<u64>,
    to: Option<u64>,
    n: Option<u32>,
}

impl Wanted {
    /// One page as it comes where one is enough, else as many as it takes, oldest first.
    fn fetch(&self, market: &Market) -> Result<Vec<Bar>, Failure> {
        match (self.from, self.to, self.n) {
            (_, _, Some(n)) if n <= PAGE => Ok(market.bars(&self.query()?)?),
            (None, _, None) => Ok(market.bars(&self.query()?)?),
            (Some(from), Some(to), None) if self.fits_one_page(from, to) => Ok(market.bars(&self.query()?)?),
            (Some(from), to, n) => {
                let (symbol, interval) = (self.symbol.as_str(), self.interval.clone());
                let bars = match to {
                    Some(to) => market.bars_iter(symbol, interval, from..=to)?,
                    None => market.bars_iter(symbol, interval, from..)?,
                };
                let (progress, mut read) = (progress(self.expected(from)), Vec::new());
                for bar in bars {
                    read.push(bar?);
                    progress.inc(1);
                }
                progress.finish_and_clear();
                let mut bars = read;
                if let Some(n) = n {
                    bars.drain(..bars.len().saturating_sub(usize::try_from(n).unwrap_or(usize::MAX)));
                }
                Ok(bars)
            }
            (None, to, Some(n)) => self.latest(market, to, n),
        }
    }

    fn query(&self) -> Result<BarsQuery, Failure> {
        let mut query = BarsQuery::new(&self.symbol, self.interval.clone())?;
        if let Some(from) = self.from {
            query = query.from(from);
        }
        if let Some(to) = self.to {
            query = query.to(to);
        }
        Ok(match self.n {
            Some(n) => query.n(n),
            None => query,
        })
    }

    fn fits_one_page(&self, from: u64, to: u64) -> bool {
        let step = match &self.interval {
            BarInterval::Month1 => 28 * 24 * 3_600_000,
            // What is not known is for the library to refuse.
            interval => interval.millis().unwrap_or(u64::MAX),
        };
        to.saturating_sub(from) / step < u64::from(PAGE)
    }

    /// About how many bars there are from a time on.
    fn expected(&self, from: u64) -> Option<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| u64::try_from(now.as_millis()).ok());
        let end = self.to.into_iter().chain(now).min()?;
        Some(end.saturating_sub(from) / self.interval.millis()? + 1)
    }

    /// The last `n` bars up to `to`, page by page back in time.
    fn latest(&self, market: &Market, mut to: Option<u64>, n: u32) -> Result<Vec<Bar>, Failure> {
        let wanted = usize::try_from(n).unwrap_or(usize::MAX);
        let progress = progress(Some(n.into()));
        let mut bars = Vec::new();
        while bars.len() < wanted {
            let missing = u32::try_from(wanted - bars.len()).unwrap_or(u32::MAX);
            let mut query = BarsQuery::new(&self.symbol, self.interval.clone())?.n(missing.min(PAGE));
            if let Some(to) = to {
                query = query.to(to);
            }
            let mut page = market.bars(&query)?;
            page.retain(|bar| to.is_none_or(|to| bar.ts <= to));
            page.sort_by_key(|bar| std::cmp::Reverse(bar.ts));
            let Some(oldest) = page.last().map(|bar| bar.ts) else { break };
            bars.append(&mut page);
            progress.set_position(u64::try_from(bars.len()).unwrap_or(u64::MAX));
            match oldest.checked_sub(1) {
                Some(before) => to = Some(before),
                None => break,
            }
        }
        progress.finish_and_clear();
        bars.reverse();
        Ok(bars)
    }
}

fn latency(market: &Market, output: &Output) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let begun = Instant::now();
    let info = market.exchange_info(i64::try_from(now).unwrap_or(i64::MAX))?;
    let round_trip = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    output.value(&info, |info| {
        let mut table = Table::of_pairs();
        let received = u64::try_from(info.request_receive_at).unwrap_or_default();
        table.row([&"received at", &time(received)]);
        table.row([&"latency", &format!("{} ms", info.latency)]);
        table.row([&"round trip", &format!("{round_trip} ms")]);
        table.row([&"exchange ahead by", &format!("{} ms", info.latency - round_trip / 2)]);
        table
    })
}

fn assets(assets: &[AssetInfo]) -> Table {
    let mut table = Table::new(["ASSET", "NAME", "SCALE", "CHAIN", "DEPOSIT", "WITHDRAWAL", "FEE", "MINIMUM"]);
    let open = |open| if open { "open" } else { "closed" };
    for asset in assets {
        if asset.block_chain.is_empty() {
            table.row([&asset.asset_code, &asset.asset_name, &asset.precision_scale]);
        }
        for chain in &asset.block_chain {
            table.row([
                &asset.asset_code,
                &asset.asset_name,
                &asset.precision_scale,
                &chain.chain_name,
                &open(chain.allow_deposit),
                &open(chain.allow_withdraw),
                &or_dash(chain.withdraw_fee),
                &or_dash(chain.min_withdrawal),
            ]);
        }
    }
    table
}

fn products_v1(products: &[ProductV1]) -> Table {
    let mut table = Table::new(["SYMBOL", "STATUS", "TICK", "LOT", "MIN NOTIONAL", "MAX NOTIONAL", "MARGIN"]);
    for product in products {
        table.row([
            &product.symbol,
            &product.status,
            &product.tick_size,
            &product.lot_size,
            &product.min_notional,
            &product.max_notional,
            &if product.margin_tradable { "yes" } else { "no" },
        ]);
    }
    table
}

fn products(products: &[Product]) -> Table {
    let mut table = Table::new(["SYMBOL", "STATUS", "TICK", "LOT", "MIN NOTIONAL", "MAX NOTIONAL", "RESERVE", "IN"]);
    for product in products {
        table.row([
            &product.symbol,
            &product.status_code,
            &product.tick_size,
            &product.lot_size,
            &product.min_notional,
            &product.max_notional,
            &product.commission_reserve_rate,
            &product.commission_type,
        ]);
    }
    table
}

fn tickers(tickers: &[Ticker]) -> Table {
    let mut table = Table::new(["SYMBOL", "LAST", "BID", "ASK", "OPEN", "HIGH", "LOW", "VOLUME"]);
    for ticker in tickers {
        table.row([
            &ticker.symbol,
            &ticker.close,
            &or_dash(ticker.bid.map(|bid| bid.price)),
            &or_dash(ticker.ask.map(|ask| ask.price)),
            &ticker.open,
            &ticker.high,
            &ticker.low,
            &ticker.volume,
        ]);
    }
    table
}

fn bar_intervals(intervals: &[BarIntervalInfo]) -> Table {
    let mut table = Table::new(["INTERVAL", "MILLISECONDS"]);
    for interval in intervals {
        table.row([&interval.name, &interval.interval_in_millis]);
    }
    table
}

fn bar_table(bars: &[Bar]) -> Table {
    let mut table = Table::new(["START (UTC)", "OPEN", "HIGH", "LOW", "CLOSE", "VOLUME"]);
    for bar in bars {
        table.row([&time(bar.ts), &bar.open, &bar.high, &bar.low, &bar.close, &bar.volume]);
    }
    table
}

pub(crate) fn depth(depth: &Depth) -> Table {
    let mut table = Table::new(["SIDE", "PRICE", "SIZE"]);
    let sorted = |levels: &[Level]| {
        let mut levels = levels.to_vec();
        levels.sort_by_key(|level| std::cmp::Reverse(level.price));
        levels
    };
    for (side, levels) in [("ask", &depth.asks), ("bid", &depth.bids)] {
        for level in sorted(levels) {
            table.row([&side, &level.price, &level.size]);
        }
    }
    table
}

pub(crate) fn trades(trades: &Trades) -> Table {
    let mut table = Table::new(["TIME (UTC)", "SIDE", "PRICE", "SIZE", "SEQNUM"]);
    for trade in &trades.trades {
        let side = if trade.buyer_is_maker { "sell" } else { "buy" };
        table.row([&time(trade.ts), &side, &trade.price, &trade.size, &trade.seqnum]);
    }
    table
}

fn risk_limits(limits: &RiskLimits) -> Table {
    let socket = &limits.web_socket;
    let mut table = Table::of_pairs();
    table.row([&"address", &limits.ip]);
    let banned = match socket.status.is_banned {
        true => {
            let until = u64::try_from(socket.status.banned_until).map_or_else(|_| "further notice".to_owned(), time);
            format!("until {until}: {}", socket.status.reason)
        }
        false => "no".to_owned(),
    };
    table.row([&"banned", &banned]);
    table.row([&"sessions", &socket.limits.max_web_socket_sessions_per_ip_total]);
    table.row([&"sessions of a group", &socket.limits.max_web_socket_sessions_per_ip_account_group]);
    let threshold = &socket.message_threshold;
    for (first, second) in [
        (&threshold.level1_op_threshold, &threshold.level2_op_threshold),
        (&threshold.level1_req_threshold, &threshold.level2_req_threshold),
    ] {
        for (name, count) in first {
            let banned_at = or_dash(second.get(name));
            table.row([name, &format!("{count} a minute, banned at {banned_at}")]);
        }
    }
    table
}
